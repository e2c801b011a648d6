"""The strategy of arrays draws what it promises, and gradient_property finds wrong gradients."""

import sys

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings, strategies as st

import fx
import fx.numpy as fnp
from fx.testing import arrays, gradient_property

FLOATS = ["float64", "float32", "float16", ml_dtypes.bfloat16]
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


@given(x=st.sampled_from(FLOATS).flatmap(lambda d: arrays(dtype=d)))
def test_floats_are_bounded_finite_exact_and_away_from_kinks(x):
    assert x.ndim <= 3 and all(d <= 4 for d in x.shape)
    exact = x.astype(np.float64)
    assert np.all(np.abs(exact) < 3) and np.all(np.abs(exact * 8 - np.rint(exact * 8)) >= 0.49)


@given(x=arrays((2, 3), "complex64"), n=arrays((4,), "int32"), u=arrays((4,), "uint8"), b=arrays((), "bool"))
def test_other_dtypes_and_shapes(x, n, u, b):
    assert (x.shape, x.dtype) == ((2, 3), np.complex64)
    assert n.dtype == np.int32 and np.all(np.abs(n) <= 8)
    assert u.dtype == np.uint8 and np.all(u <= 8)
    assert b.shape == () and b.dtype == bool


@given(x=arrays((5,), unique=True), y=arrays(st.just((2,)), st.sampled_from(["float32", "int8"]), as_fx=True))
def test_unique_elements_strategies_as_arguments_and_fx_arrays(x, y):
    assert len(set(x)) == 5
    assert type(y) is fx.Array and y.shape == (2,) and y.dtype.name in ("float32", "int8")


@given(x=arrays((3,), elements=st.just(0.25)))
def test_elements_can_be_given(x):
    assert np.all(x == 0.25)


SPECIAL = {
    "nan": np.isnan,
    "inf": np.isposinf,
    "subnormal": lambda x: (x != 0) & (np.abs(x) < 1e-37) & np.isfinite(x),
    "-0.0": lambda x: (x == 0) & np.signbit(x),
}


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("dtype", ["float64", "float32", BFLOAT16])
def test_special_values_appear_when_asked_for_and_only_then(name, dtype):
    has = lambda x: bool(SPECIAL[name](x.astype(np.float64)).any())
    quick = settings(max_examples=500, database=None, suppress_health_check=list(HealthCheck))
    assert has(find(arrays((4,), dtype, special=name), has, settings=quick))
    assert has(find(arrays((4,), dtype, special=True), has, settings=quick))


@given(x=arrays((4,), "float32", special=("inf",)))
def test_other_special_values_do_not_appear(x):
    assert not np.isnan(x).any() and not (x == 0).any()


def test_unknown_special_values_are_refused():
    with pytest.raises(fx.ArgumentError, match="choose from"):
        arrays(special="zero")


# ---- gradient_property -------------------------------------------------------------------------------------
test_the_gradient_of_a_product = gradient_property(lambda x, y: x * y, arrays((2, 3)), arrays((3,)), order=2)


@gradient_property(arrays(unique=True), modes="rev")
def test_the_gradient_of_a_maximum(x):
    return fnp.maximum(x, 0.0)


@fx.custom_jvp
def relu(x):
    return fnp.maximum(x, 0.0)


@relu.defjvp
def relu_rule(primals, tangents):
    """Wrong for negative numbers below -1 alone."""
    (x,), (dx,) = primals, tangents
    return relu(x), fnp.where((x > 0) | (x < -1), 1.0, 0.0) * dx


def test_a_wrong_gradient_is_found_with_its_example():
    property_ = gradient_property(relu, arrays((2,)))
    with pytest.raises(AssertionError, match="check_grads of relu"):
        property_()


def test_the_test_has_a_name_and_no_parameters():
    assert gradient_property(fnp.sin, arrays()).__name__ == "test_gradient_of_sin"
    assert gradient_property(lambda x: x, arrays()).__name__ == "test_gradient"


@pytest.mark.parametrize("parts", [(fnp.sin,), (fnp.sin, 3)])
def test_a_strategy_per_argument_is_needed(parts):
    with pytest.raises(fx.ArgumentError, match="a strategy per argument"):
        gradient_property(*parts)


def test_without_hypothesis_the_error_says_what_to_install(monkeypatch):
    for name in [m for m in sys.modules if m.partition(".")[0] == "hypothesis"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="pip install hypothesis"):
        arrays()
    with pytest.raises(ImportError, match="pip install hypothesis"):
        gradient_property(fnp.sin)
