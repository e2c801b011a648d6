"""The platforms `strict` and `gpu`: what fx asks of a backend, without a GPU and, where there is one, with it."""

import contextlib
import os
import subprocess
import sys
import types
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.backends import strict, strict_device  # noqa: F401 - registers the platform
from fx.backends.gaps import ArrayModule
from fx.core import devices
from fx.core.array import Array
from fx.testing import assert_close, check_checkpoint, check_grads, check_jit, check_vmap

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
STRICT = fx.device("strict")
X = np.random.default_rng(0).normal(size=(3, 4))


def strict_array(x):
    return Array(devices.move(np.asarray(x), STRICT))


def mlp(params, x):
    hidden = fnp.tanh(x @ params["w"] + params["b"])
    return (hidden * fnp.where(hidden > 0, hidden, 0.1)).sum()


# ---- the strict device -------------------------------------------------------------------------------------
def test_arrays_move_to_the_device_and_back():
    x = strict_array(X)
    assert type(x.buffer) is strict.ndarray and x.device == STRICT and str(x.device) == "strict:0"
    assert_close(x, X)
    assert_close(devices.move(x.buffer, fx.device("cpu")), X)
    assert devices.move(x.buffer, STRICT) is x.buffer
    assert x.block_until_ready() is x and "device=strict:0" in repr(x)


def test_results_stay_on_the_device():
    x = strict_array(X)
    for y in (
        x + 1,
        2 * x,
        fnp.sin(x),
        x.sum(),
        x @ x.T,
        x[1],
        fx.jit(fnp.sin)(x),
        fx.grad(lambda x: x.sum())(x),
    ):
        assert y.device == STRICT


def test_new_arrays_are_made_on_the_default_device():
    with fx.default_device("strict"):
        assert fnp.zeros((2,)).device == STRICT
        assert fx.jit(lambda: fnp.ones(3) * 2)().device == STRICT
    assert str(fnp.zeros(2).device) == "cpu"


def test_two_devices_do_not_mix():
    with pytest.raises(
        fx.DeviceError, match=r"Arrays on (cpu|strict:0) and on (cpu|strict:0) met(.|\n)*to_device"
    ):
        strict_array(X) + fnp.asarray(X)


def test_a_computation_makes_no_host_transfer():
    params = {"w": strict_array(X.T), "b": strict_array(X[:, 0])}
    step = fx.jit(fx.value_and_grad(mlp))
    x = strict_array(X)
    step(params, x)
    strict.stats.reset()
    step(params, x)
    assert strict.stats.d2h == strict.stats.syncs == 0


def test_the_laws_hold_on_the_device():
    f = lambda p, x: mlp(p, x)
    args = ({"w": strict_array(X.T), "b": strict_array(X[:, 0])}, strict_array(X))
    check_grads(f, args)
    check_vmap(f, args, axis_size=2)
    check_jit(f, args)
    check_checkpoint(f, args)
    host = fx.tree.map(np.asarray, args)
    assert_close(fx.grad(f)(*args), fx.grad(f)(*host))


def test_values_can_be_asked_for_while_tracing():
    def f(x):
        while x.sum() < 10:
            x = x * 2
        return x.sum()

    assert_close(fx.grad(f)(strict_array(np.ones(2))), np.array([8.0, 8.0]))


def test_nans_are_found_on_the_device():
    with fx.config(check_nans=True), pytest.raises(fx.NanError, match="log"):
        fx.jit(fnp.log)(strict_array(-np.ones(2)))


# ---- the gaps of CuPy --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "call",
    [
        lambda xp, x: xp.where(x > 0, x, x),
        lambda xp, x: xp.clip(x, x, x),
        lambda xp, x: xp.round(x),
        lambda xp, x: xp.around(x),
    ],
    ids=["where", "clip", "round", "around"],
)
def test_bfloat16_stays_bfloat16(call):
    xp = ArrayModule("strict", strict.xp, "fx.backends.strict:special")
    x = strict.asarray(X.astype(BFLOAT16))
    assert call(strict.xp, x).dtype == np.float32
    assert call(xp, x).dtype == BFLOAT16
    assert call(xp, strict.asarray(X)).dtype == np.float64


def test_the_rest_of_the_module_is_as_it_was():
    xp = ArrayModule("strict", strict.xp, "fx.backends.strict:special")
    assert xp.sin is strict.xp.sin and xp.linalg is strict.xp.linalg
    assert xp.special is strict.special
    assert repr(xp) == "<strict for fx>"
    with pytest.raises(AttributeError):
        xp.no_such_function


# ---- CuPy: missing, without a GPU, present -----------------------------------------------------------------
def fake_cupy(available=True, count=2):
    """As much of CuPy as the backend touches, over the strict arrays."""
    used = []

    @contextlib.contextmanager
    def device(index):
        used.append(index)
        yield

    stream = types.SimpleNamespace(synchronize=lambda: used.append("synchronized"))
    cuda = types.SimpleNamespace(
        runtime=types.SimpleNamespace(getDeviceCount=lambda: count),
        Device=device,
        get_current_stream=lambda: stream,
    )
    module = types.ModuleType("cupy")
    module.__dict__.update({k: v for k, v in vars(strict.xp).items() if not k.startswith("__")})
    module.__dict__.update(cuda=cuda, is_available=lambda: available, __version__="14.2.0", used=used)
    return module


@pytest.fixture
def gpu_backend(monkeypatch):
    """A function that loads fx.backends.cupy over a given cupy module, and leaves no trace of it."""

    def load(cupy):
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        monkeypatch.delitem(sys.modules, "fx.backends.cupy", raising=False)
        return devices.platform("gpu")

    kept = dict(devices._backends), dict(devices._of_type)
    monkeypatch.setitem(sys.modules, "fx.backends.cupy", sys.modules.get("fx.backends.cupy"))
    devices._backends.pop("gpu", None)
    yield load
    for table, before in zip((devices._backends, devices._of_type), kept):
        table.clear()
        table.update(before)


def test_without_cupy_the_error_says_what_to_install(gpu_backend):
    with pytest.raises(
        fx.DeviceError, match=r"(?s)needs CuPy.*pip install 'fx-transforms\[gpu\]'.*cupy-cuda12x"
    ):
        gpu_backend(None)
    assert [str(d) for d in fx.devices()] == ["cpu"]
    with pytest.raises(fx.DeviceError, match="needs CuPy"), fx.default_device("gpu"):
        pass


def test_without_a_gpu_the_error_says_where_to_look(gpu_backend):
    with pytest.raises(fx.DeviceError, match=r"(?s)CuPy 14.2.0 finds no GPU.*nvidia-smi"):
        gpu_backend(fake_cupy(available=False))


def test_the_backend_speaks_to_cupy(gpu_backend):
    cupy = fake_cupy()
    backend = gpu_backend(cupy)
    assert [str(d) for d in fx.devices("gpu")] == ["gpu:0", "gpu:1"]
    with pytest.raises(fx.DeviceError, match=r"no device gpu:2(.|\n)*gpu:0, gpu:1"):
        fx.device("gpu:2")
    buffer = backend.from_host(X, fx.device("gpu:1"))
    assert cupy.used == [1] and type(buffer) is strict.ndarray
    assert_close(backend.to_host(buffer), X)
    with backend.activate(fx.device("gpu:0")):
        assert cupy.used == [1, 0]


def test_importing_fx_does_not_import_cupy():
    code = "import sys, fx; fx.grad(fx.numpy.sin)(1.0); print('cupy' in sys.modules)"
    path = {**os.environ, "PYTHONPATH": str(Path(fx.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.gpu
def test_a_real_gpu_computes_what_numpy_computes():
    device = fx.device("gpu")
    put = lambda x: Array(devices.move(np.asarray(x), device))
    params = {"w": X.T, "b": X[:, 0]}
    on_gpu = fx.tree.map(put, params)
    value, gradient = fx.jit(fx.value_and_grad(mlp))(on_gpu, put(X))
    want = fx.value_and_grad(mlp)(params, X)
    assert value.device == device
    assert_close((value, gradient), want)
    for dtype in (np.float32, np.float16, BFLOAT16):
        x = put(X.astype(dtype))
        assert fnp.where(x > 0, x, -x).dtype == dtype
        assert_close(x.sum(), X.astype(dtype).astype(np.float64).sum(), rtol=2e-2, atol=2e-2)
