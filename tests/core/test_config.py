"""fx.config and devices: scopes, validation, environment, errors."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from against_jax import same, says

import fx
from fx import numpy as fnp
from fx.core import devices
from fx.core.errors import ArgumentError, DeviceError, NanError


def test_a_block_ends_and_nests():
    assert fx.config.default_float == "float32"
    with fx.config(default_float="float64") as inside:
        assert inside.default_float == fx.config.default_float == "float64" and fnp.ones(2).dtype == "float64"
        with fx.config(default_float="float16"):
            assert fnp.ones(2).dtype == "float16"
        assert fnp.ones(2).dtype == "float64"
    assert fnp.ones(2).dtype == "float32"


def test_a_block_ends_after_an_error():
    with pytest.raises(KeyError), fx.config(default_float="float64"):
        raise KeyError
    assert fx.config.default_float == "float32"


def test_one_block_object_may_be_entered_again():
    block = fx.config(default_float="float64")
    with block, block:
        assert fx.config.default_float == "float64"
    assert fx.config.default_float == "float32"


def test_blocks_belong_to_their_thread():
    seen = []
    with fx.config(default_float="float64"):
        worker = threading.Thread(target=lambda: seen.append(fx.config.default_float))
        worker.start()
        worker.join()
    assert seen == ["float32"]


def test_update_is_for_the_process():
    try:
        fx.config.update(default_float="float64")
        assert fnp.ones(1).dtype == "float64"
        fx.config.default_float = "float16"
        assert fnp.ones(1).dtype == "float16"
    finally:
        fx.config.update(default_float="float32")
    assert "default_float='float32'" in repr(fx.config)


def run_python(code, **env):
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, text=True
    )


def test_environment_is_read_and_validated():
    done = run_python(
        "import fx; print(fx.config.default_float, fx.config.check_nans)",
        FX_DEFAULT_FLOAT="float64",
        FX_CHECK_NANS="1",
    )
    assert done.stdout.split() == ["float64", "True"], done.stderr
    wrong = run_python("import fx", FX_DEFAULT_FLOAT="double")
    assert "FX_DEFAULT_FLOAT='double'" in wrong.stderr and "float64" in wrong.stderr


def test_nans_are_found_at_their_line():
    def f(x):
        return (fnp.log(x) * 0).sum()  # the line

    with fx.config(check_nans=True):
        for run in (f, fx.jit(f)):
            same(run(np.ones(2)), 0.0)
        says(
            NanError,
            lambda: fx.jit(f)(np.array([1.0, -1.0])),
            "log",
            "test_config.py",
            "the line",
            "f64[2] in [-1.0, 1.0]",
        )
        says(NanError, lambda: fx.grad(f)(np.array([1.0, -1.0])), "log", "test_config.py")


ERRORS = {
    "unknown": (lambda: fx.config(colour="red"), ["'colour'", "default_float"]),
    "value": (lambda: fx.config(default_float="float8"), ["'float8'", "float64"]),
    "assignment": (lambda: setattr(fx.config, "check_nans", "maybe"), ["'maybe'"]),
}


@pytest.mark.parametrize("call, facts", ERRORS.values(), ids=ERRORS.keys())
def test_errors_say(call, facts):
    says(ArgumentError, call, *facts)


def test_unknown_settings_are_attribute_errors():
    with pytest.raises(AttributeError, match=r"colour.*default_float"):
        fx.config.colour


# Devices


def test_the_cpu():
    cpu = fx.device("cpu")
    assert cpu in fx.devices() and str(cpu) == "cpu" and fx.device(cpu) == cpu
    assert fnp.ones(2).device == cpu
    with fx.default_device("cpu"):
        assert devices.current_device() == cpu


def test_moving_trees():
    tree = {"a": np.ones(2), "b": [fnp.ones(3), 2.0]}
    put = fx.device_put(tree)
    assert put["a"].device == fx.device("cpu") and put["a"].dtype == "float64"
    host = fx.device_get(put)
    assert type(host["a"]) is np.ndarray and type(host["b"][0]) is np.ndarray
    host["a"][:] = 7
    same(put["a"], np.ones(2))
    assert fx.block_until_ready(put) is put
    same(fx.grad(lambda x: fx.device_put(x).sum())(np.ones(2)), np.ones(2))


DEVICE_ERRORS = {
    "platform": (lambda: fx.device("tpu"), ["'tpu'", "'cpu'"]),
    "number": (lambda: fx.device("cpu:x"), ["'cpu:x'", "'gpu:1'"]),
    "absent": (lambda: fx.device("cpu:7"), ["cpu", "Present"]),
    "default": (lambda: fx.default_device("tpu"), ["'tpu'"]),
}


@pytest.mark.parametrize("call, facts", DEVICE_ERRORS.values(), ids=DEVICE_ERRORS.keys())
def test_device_errors_say(call, facts):
    says(DeviceError, call, *facts)


def test_settings_by_their_names_in_jax():
    before = fx.config.default_float
    try:
        fx.config.update("jax_enable_x64", True)
        assert fx.config.default_float == "float64" and fx.numpy.ones(1).dtype == "float64"
        fx.config.update("jax_enable_x64", False)
        fx.config.update("check_nans", True)
        assert fx.config.default_float == "float32" and fx.config.check_nans
        fx.config.update("jax_debug_nans", False)
        assert not fx.config.check_nans
        for name, value in (("jax_platforms", "cpu"), ("jax_enable_x64", 3), (3, True)):
            with pytest.raises(fx.ArgumentError):
                fx.config.update(name, value)
    finally:
        fx.config.update(default_float=before, check_nans=False)
