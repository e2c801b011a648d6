"""Facts of the array API standard, eager and with every call traced; run_suite.py runs the public suite."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fx
import fx.numpy as xp

HERE = Path(__file__).resolve().parent
ELEMENTWISE = """
    abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_invert bitwise_left_shift bitwise_or
    bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1 floor floor_divide greater
    greater_equal hypot imag isfinite isinf isnan less less_equal log log10 log1p log2 logaddexp logical_and logical_not
    logical_or logical_xor maximum minimum multiply negative nextafter not_equal positive pow real reciprocal remainder
    round sign signbit sin sinh sqrt square subtract tan tanh trunc"""
OTHERS = """
    arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like tril triu zeros
    zeros_like astype can_cast finfo iinfo isdtype result_type take take_along_axis matmul matrix_transpose tensordot
    vecdot broadcast_arrays broadcast_shapes broadcast_to concat expand_dims flip moveaxis permute_dims repeat reshape
    roll squeeze stack tile unstack argmax argmin count_nonzero nonzero searchsorted where unique_all unique_counts
    unique_inverse unique_values isin argsort sort cumulative_prod cumulative_sum max mean min prod std sum var all any
    diff e inf nan newaxis pi __array_namespace_info__"""
LINALG = """
    cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power matrix_rank
    matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm"""
FFT = "fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftfreq rfftfreq fftshift ifftshift"


def test_all_names_of_the_standard_are_there():
    assert xp.__array_api_version__ == "2025.12"
    for space, names in ((xp, ELEMENTWISE + OTHERS), (xp.linalg, LINALG), (xp.fft, FFT)):
        assert not [name for name in names.split() if not hasattr(space, name)]


def test_positional_only_arguments_and_keywords():
    assert list(inspect.signature(xp.clip).parameters)[:3] == ["x", "min", "max"]
    assert "device" in inspect.signature(xp.astype).parameters
    keywords = inspect.signature(fx.Array.__dlpack__).parameters
    assert {"stream", "max_version", "dl_device", "copy"} <= set(keywords)


def test_the_namespace_describes_itself():
    info = xp.__array_namespace_info__()
    assert info.capabilities() == {
        "boolean indexing": True,
        "data-dependent shapes": True,
        "max dimensions": 64,
    }
    assert isinstance(info.devices(), tuple) and info.default_device() in info.devices()
    assert set(info.dtypes(kind=("bool", "complex floating"))) == {"bool", "complex64", "complex128"}
    assert info.default_dtypes()["real floating"] == xp.asarray(1.0).dtype
    assert xp.zeros(2).__array_namespace__() is xp


def test_tuples_since_2025_12():
    assert type(xp.meshgrid(xp.arange(2), xp.arange(3))) is tuple
    assert type(xp.broadcast_arrays(xp.ones(2), xp.ones((3, 2)))) is tuple
    assert xp.expand_dims(xp.ones(2), (0, -1)).shape == (1, 2, 1)
    assert xp.permute_dims(xp.ones((2, 3, 4)), (-1, 0, 1)).shape == (4, 2, 3)
    assert xp.broadcast_shapes() == () and xp.broadcast_shapes((2, 1), (3,)) == (2, 3)


def test_python_numbers_keep_the_precision_that_is_asked_for():
    for function in (xp.linspace, xp.geomspace):
        got = function(0.1, 1e9, 3, dtype=xp.float64)
        np.testing.assert_allclose(np.asarray(got), getattr(np, function.__name__)(0.1, 1e9, 3), rtol=1e-15)
    assert int(xp.linspace(0, 123456789, 2, dtype=xp.int64)[1]) == 123456789
    assert xp.linspace(xp.float32(0), xp.float32(1), 3).dtype == xp.float32
    np.testing.assert_allclose(
        np.asarray(xp.logspace(0.1, 3, 4, dtype=xp.float64)), np.logspace(0.1, 3, 4), rtol=1e-15
    )


def test_bounds_of_clip_and_diagonals_far_outside():
    x = xp.arange(5)
    assert xp.clip(x, 1, 3).tolist() == xp.clip(x, a_min=1, a_max=3).tolist() == [1, 1, 2, 3, 3]
    assert xp.clip(x, max=2).tolist() == [0, 1, 2, 2, 2]
    with pytest.raises(fx.ArgumentError, match="a_min"):
        xp.clip(x, 1, a_min=2)
    assert not xp.eye(3, k=2**63).any() and xp.tri(2, k=2**70).all()


def test_what_is_expected_to_fail_is_written_down_with_its_reason():
    for name, most in (("xfails.txt", 21), ("xfails_traced.txt", 1)):
        lines = (HERE / name).read_text().splitlines()
        tests = [line for line in lines if line.startswith("array_api_tests/")]
        assert len(tests) == len(set(tests)) <= most
        assert all(line.startswith(("#", "array_api_tests/")) for line in lines if line)
        assert all(
            line.startswith("#") or lines[i - 1] for i, line in enumerate(lines) if line
        )  # no group without one


TRACED = """
import numpy as np, fx, traced as xp
x = xp.asarray([[1.0, 2.0], [3.0, 4.0]])
before = xp.functions.linalg is not None and __import__("traced").traces
assert xp.sum(x + x).item() == 20 and (x @ x).shape == (2, 2) and x.T[0, 1] == 3
assert xp.unique_values(xp.asarray([2, 1, 2])).tolist() == [1, 2] and x[x > 2].tolist() == [3, 4]
assert abs(xp.linalg.det(x).item() + 2) < 1e-5 and xp.fft.fft(x).dtype == xp.complex64
assert type(x + x) is fx.Array and x.__array_namespace__() is xp.functions
assert __import__("traced").traces - before >= 10
"""


def test_every_call_is_traced_in_the_traced_namespace():
    """In a process of its own, for it changes fx.Array."""
    environment = {"PYTHONPATH": f"{HERE}:{HERE.parents[1]}", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", TRACED], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
