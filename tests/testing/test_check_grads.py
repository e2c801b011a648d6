"""check_grads must let right derivatives pass and catch wrong ones, naming what is wrong."""

import ml_dtypes
import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.core.primitive import Primitive, absent
from fx.testing import check_grads

rng = np.random.default_rng(0)
X = rng.normal(size=(3, 4))


def with_rule(slope, value=fnp.sin):
    """sin (or another function) with a jvp rule of the given slope."""

    @fx.custom_jvp
    def f(x):
        return value(x)

    @f.defjvp
    def rule(primals, tangents):
        (x,), (dx,) = primals, tangents
        return f(x), slope(x) * dx

    return f


def with_backward(slope):
    @fx.custom_vjp
    def f(x):
        return fnp.sin(x)

    f.defvjp(lambda x: (fnp.sin(x), x), lambda x, ct: (slope(x) * ct,))
    return f


# ---- what is right passes ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", ml_dtypes.bfloat16, "complex128", "complex64"]
)
@pytest.mark.parametrize("modes", ["fwd", "rev", ("fwd", "rev")])
def test_right_derivatives_pass_in_every_dtype(dtype, modes):
    x = X.astype(dtype)
    check_grads(lambda x: fnp.sin(x) * x + 2, (x,), modes=modes)
    check_grads(lambda p: {"y": fnp.exp(-p["a"] * p["b"][0])}, ({"a": x, "b": [x]},), modes=modes)


def test_functions_that_are_not_holomorphic_pass():
    z = (X + 1j * rng.normal(size=X.shape)).astype("complex128")
    check_grads(lambda z: abs(z), (z,))
    check_grads(lambda z: (z.real * z, fnp.conj(z) * z.imag), (z,))
    check_grads(lambda x: (x * (1 + 2j)) ** 2, (X,))


def test_custom_rules_pass():
    check_grads(with_rule(fnp.cos), (X,), order=3)
    check_grads(with_backward(fnp.cos), (X,), order=3, modes="rev")


def test_leaves_that_are_not_inexact_are_held_fixed():
    check_grads(lambda x, n, names: x * n + len(names), (X, np.arange(4), "abc"))
    check_grads(lambda x, mask: (fnp.where(mask, x, 2 * x), mask), (X, X > 0))
    check_grads(lambda n: n * 2, (np.arange(3),))
    check_grads(lambda x: fnp.argmax(x), (X,))


def test_python_numbers_empty_arrays_and_closures():
    w = X.astype("float32")
    check_grads(lambda x: x**3, (2.0,))
    check_grads(lambda x: x * w, (2.0,))
    check_grads(lambda x: (fnp.sin(x) * x).sum(), (np.ones((0, 3)),))
    check_grads(lambda x: x @ w, (X.T.astype("float32"),))


def test_a_function_that_insists_on_its_dtype_is_checked_in_it():
    def f(x):
        if x.dtype != np.float32:
            raise fx.DTypeError("float32 only")
        return fnp.sin(x)

    check_grads(f, (X.astype("float32"),))
    check_grads(lambda x: fnp.sin(x.astype("float32")), (X,))


def test_large_and_small_values():
    check_grads(lambda x: 1e8 * fnp.sin(x), (X,))
    check_grads(lambda x: fnp.sin(x) * 1e-4, (X,), atol=1e-12)
    check_grads(lambda x: fnp.where(x > 0, fnp.inf, x), (X,))


# ---- what is wrong is caught -------------------------------------------------------------------------------
WRONG = {
    "sign": lambda x: -fnp.cos(x),
    "factor": lambda x: 1.001 * fnp.cos(x),
    "missing": lambda x: 0 * x,
    "one_element": lambda x: fnp.cos(x) + fnp.where(x == X[1, 2], 0.1, 0.0),
    "nan": lambda x: fnp.cos(x) * fnp.nan,
}


@pytest.mark.parametrize("slope", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("modes", ["fwd", "rev", ("fwd", "rev")])
def test_a_wrong_jvp_rule_is_caught_in_both_modes(slope, modes):
    with pytest.raises(AssertionError, match=r"check_grads of .*\.f: mode '(fwd|rev)', order 1 "):
        check_grads(with_rule(slope), (X,), order=1, modes=modes)


@pytest.mark.parametrize("slope", WRONG.values(), ids=WRONG)
def test_a_wrong_vjp_rule_is_caught(slope):
    with pytest.raises(AssertionError, match=r"mode 'rev', order 1 "):
        check_grads(with_backward(slope), (X,), order=1, modes="rev")


@pytest.mark.parametrize("modes", ["fwd", "rev", ("rev", "fwd")])
def test_a_rule_that_is_wrong_at_second_order_is_caught_there(modes):
    f = with_rule(lambda x: fx.stop_gradient(fnp.cos(x)))
    check_grads(f, (X,), order=1, modes=modes)
    with pytest.raises(AssertionError, match=r"order 2 \((fwd|rev) of (fwd|rev)\)"):
        check_grads(f, (X,), order=2, modes=modes)


def test_a_rule_that_is_wrong_at_third_order_is_caught_there():
    cosine = with_rule(lambda x: fx.stop_gradient(-fnp.sin(x)), fnp.cos)
    f = with_rule(cosine)
    check_grads(f, (X,), order=2)
    with pytest.raises(AssertionError, match=r"order 3 \("):
        check_grads(f, (X,), order=3)


class Doubled(Primitive):
    """2 x, with duties that a test chooses."""

    name = "doubled"
    batch = absent("not needed here")

    def __init__(self, jvp=2.0, transpose=2.0, dtype=None):
        self.slope, self.ct_slope, self.dtype = jvp, transpose, dtype

    def impl(self, xp, x):
        return x * x.dtype.type(2)

    def shape(self, x):
        return x.strong

    def jvp(self, primals, out, tangents):
        return Doubled.linear(self, tangents[0])

    def transpose(self, ct, x):
        return [ct * ct.dtype.type(self.ct_slope) if self.dtype is None else ct.astype(self.dtype) * 2]

    def linear(self, dx):
        return self(dx) * dx.dtype.type(self.slope / 2)


def test_a_wrong_transpose_is_caught_where_the_jvp_is_right():
    check_grads(Doubled(), (X,))
    with pytest.raises(
        AssertionError, match=r"mode 'rev', order 1 .*<vjp\(ct\), t>.*\n.*\n  expected: <ct, jvp\(t\)>"
    ):
        check_grads(Doubled(transpose=3.0), (X,))


def test_a_wrong_jvp_is_caught_where_the_transpose_agrees_with_it():
    with pytest.raises(
        AssertionError, match=r"mode 'fwd', order 1.*\n.*\n  expected: the central difference"
    ):
        check_grads(Doubled(jvp=3.0), (X,))


def test_a_cotangent_of_another_dtype_is_caught():
    with pytest.raises((AssertionError, fx.DTypeError)):
        check_grads(Doubled(dtype="float32"), (X,), order=1)


def test_a_conjugate_too_much_is_caught():
    z = X + 1j * rng.normal(size=X.shape)
    check_grads(lambda z: z * (1 + 2j), (z,))
    with pytest.raises(AssertionError):
        check_grads(with_rule(lambda z: fnp.conj(fnp.cos(z))), (z,), order=1)


def test_a_function_that_is_not_the_same_twice_is_caught():
    calls = []

    def f(x):
        calls.append(1)
        return x * len(calls)

    with pytest.raises(AssertionError, match=r"is wrong"):
        check_grads(f, (X,), order=1)


# ---- the message -------------------------------------------------------------------------------------------
def test_the_message_names_function_mode_order_leaf_values_and_error():
    def model(params, x):
        return {"loss": (with_rule(lambda w: 2 * fnp.cos(w))(params["layers"][1]["w"]) * x).sum()}

    params = {"layers": [{"w": 0.5}, {"w": np.array([0.1, 0.2])}]}
    with pytest.raises(AssertionError) as caught:
        check_grads(model, (params, np.array([1.0, 2.0])), modes="rev")
    message = str(caught.value)
    assert "check_grads of test_the_message" in message and ".model: mode 'rev', order 1 (rev)" in message
    assert "the cotangent of params['layers'][1]['w']" in message
    assert "expected: <ct, central difference>" in message
    assert "relative error 1 " in message or "relative error 1.0" in message
    with pytest.raises(AssertionError) as caught:
        check_grads(model, (params, np.array([1.0, 2.0])), modes="fwd")
    assert "the tangent of output['loss']" in str(caught.value)


def test_the_worst_element_is_named():
    with pytest.raises(AssertionError, match=r"1 of 12 elements, worst at \(1, 2\): expected .* got .*"):
        check_grads(with_rule(WRONG["one_element"]), (X,), order=1, modes="fwd")


# ---- arguments ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("bad", [{"modes": "backward"}, {"modes": ()}, {"order": 0}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(fx.ArgumentError, match="modes are 'fwd' and 'rev', order is 1 or more"):
        check_grads(fnp.sin, (X,), **bad)


def test_args_must_be_a_tuple():
    with pytest.raises(fx.ArgumentError, match=r"Pass all positional arguments: \(x,\) for one"):
        check_grads(fnp.sin, X)


def test_tolerances_step_and_key_are_used():
    slightly_wrong = with_rule(lambda x: fnp.cos(x) * (1 + 1e-4))
    check_grads(slightly_wrong, (X,), order=1, rtol=1e-3)
    with pytest.raises(AssertionError):
        check_grads(slightly_wrong, (X,), order=1)
    with pytest.raises(AssertionError):
        check_grads(lambda x: x**3, (X,), order=1, eps=0.5)
    for key in (7, np.array([1, 2], np.uint32), fx.random.key(3)):
        check_grads(fnp.sin, (X,), key=key)
