"""check_vmap, check_jit, check_checkpoint, assert_traces, assert_close, tolerance: each must see what is wrong."""

import doctest
import importlib

import ml_dtypes
import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.core.primitive import Primitive, absent
from fx.testing import (
    assert_close,
    assert_traces,
    check_all,
    check_checkpoint,
    check_jit,
    check_vmap,
    tolerance,
)

X = np.random.default_rng(0).normal(size=(3, 4))


class Scaled(Primitive):
    """2 x, with a kernel and a batch rule that a test chooses."""

    name = "scaled"
    jvp = absent("not needed here")

    def __init__(self, kernel=2.0, batch=None):
        self.factor, self.rule = kernel, batch or (lambda self, x, d: (self(x), d))

    def impl(self, xp, x):
        return x * x.dtype.type(2)

    def kernel(self, xp, params):
        return lambda x: x * x.dtype.type(self.factor)

    def shape(self, x):
        return x.strong

    def batch(self, axis, operands, dims):
        return self.rule(self, operands[0], dims[0])


# ---- check_vmap --------------------------------------------------------------------------------------------
def test_right_batching_passes():
    check_vmap(fnp.sin, (X,))
    check_vmap(lambda x, y: x @ y, (X, X.T))
    check_vmap(lambda p, n: fnp.take(p["a"], n, axis=0) * p["b"], ({"a": X, "b": 2.0}, np.int64(1)))
    check_vmap(lambda x, name: x * len(name), (X, "abc"))
    check_vmap(lambda x: {"same": 1.0, "sum": x.sum()}, (X,), axis_size=1)
    check_vmap(Scaled(), (X,))


def test_given_axes_are_those_of_vmap():
    check_vmap(lambda x, y: x * y, (X, X[:, 0]), in_axes=0)
    check_vmap(
        lambda p, y: p["a"] @ p["b"] + y, ({"a": X, "b": X[0]}, 1.0), in_axes=({"a": 0, "b": None}, None)
    )
    check_vmap(lambda x, y: x + y, (X, X[0]), in_axes=(-2, None))


@pytest.mark.parametrize(
    "rule",
    [
        lambda self, x, d: (self(x), x.ndim - 1),
        lambda self, x, d: (self(self(x)), d),
        lambda self, x, d: (self(fnp.flip(x, d)), d),
    ],
    ids=["axis", "value", "order"],
)
def test_a_wrong_batch_rule_is_caught(rule):
    with pytest.raises(AssertionError, match=r"vmap of Scaled over axes \{x: \d\}|vmap of .* over axes"):
        check_vmap(Scaled(batch=rule), (X[:, :3],))


def test_the_axes_and_the_leaf_are_named():
    with pytest.raises(AssertionError, match=r"over axes \{p\['w'\]: 0\}.*\n.*output\['y'\].*elements"):
        check_vmap(lambda p: {"y": Scaled(batch=lambda s, x, d: (s(x) + 1.0, d))(p["w"])}, ({"w": X},))


# ---- check_jit ---------------------------------------------------------------------------------------------
def test_right_compilation_passes():
    check_jit(lambda x, n: (x * n, {"n": n + 1}), (X, 3))
    check_jit(lambda p, name: p["a"] * len(name), ({"a": X}, "abc"))
    check_jit(Scaled(), (X,))
    check_jit(fx.jit(fnp.sin), (X,))


def test_a_wrong_kernel_is_caught():
    with pytest.raises(AssertionError, match=r"first call.*\n.*output.* expected"):
        check_jit(Scaled(kernel=3.0), (X,))


def test_a_function_that_remembers_is_caught():
    calls = []

    def f(x):
        calls.append(1)
        return x * len(calls)

    with pytest.raises(AssertionError, match=r"jit of .*f"):
        check_jit(f, (X,))


def test_another_dtype_or_weakness_under_jit_is_caught():
    from fx.core.trace import current_trace

    traced = lambda: current_trace() is not None
    with pytest.raises(AssertionError, match="dtype"):
        check_jit(lambda x: x.astype("float32") if traced() else x, (X,))
    with pytest.raises(AssertionError, match=r"output is f32\[\]; f32\[\]~ without jit"):
        check_jit(lambda x: x * np.float32(2) if traced() else x * 2.0, (1.0,))


def test_jit_is_checked_even_where_it_is_disabled():
    with fx.config(disable_jit=True):
        check_jit(fnp.sin, (X,))


# ---- assert_traces -----------------------------------------------------------------------------------------
def test_traces_are_counted_in_the_block_alone():
    double = fx.jit(lambda x: 2 * x)
    double(1.0)
    with assert_traces(double, 0):
        double(2.0)
    with assert_traces(double, 2):
        double(X)
        double(X[0])


def test_the_message_says_why_it_was_traced_again():
    double = fx.jit(lambda x: 2 * x)
    double(X)
    with (
        pytest.raises(AssertionError, match=r"traced 1 time\(s\) in the block; 0 expected"),
        assert_traces(double, 0),
    ):
        double(X.astype("float32"))
    with pytest.raises(AssertionError, match=r"x: f64\[3\] before, f32\[3\] now"):
        double(X[:, 0])
        with assert_traces(double, 0):
            double(X[:, 0].astype("float32"))


def test_an_error_in_the_block_is_not_hidden():
    with pytest.raises(ZeroDivisionError), assert_traces(fx.jit(fnp.sin), 5):
        1 / 0


def test_only_jitted_functions_can_be_counted():
    with pytest.raises(fx.ArgumentError, match=r"Pass fx.jit\(f\)"):
        assert_traces(fnp.sin, 1)


# ---- check_checkpoint --------------------------------------------------------------------------------------
def test_right_recomputation_passes():
    check_checkpoint(lambda x: fnp.sin(fnp.sin(x)), (X,))
    check_checkpoint(lambda p, n: {"y": p["a"] * n}, ({"a": X}, np.int64(2)))
    check_checkpoint(lambda n: n + 1, (np.arange(3),))
    check_checkpoint(fnp.sin, (X,), policy=lambda eqn: True)


def test_a_function_that_is_not_pure_is_caught():
    calls = []

    def f(x):
        calls.append(1)
        return fnp.sin(x) * len(calls)

    with pytest.raises(AssertionError, match=r"checkpoint of .*f"):
        check_checkpoint(f, (X,))


# ---- check_all ---------------------------------------------------------------------------------------------
def test_all_checks_in_one_call():
    check_all(lambda p, x: fnp.tanh(p["w"] @ x) + p["b"], ({"w": X, "b": 0.5}, X[0]))

    @fx.custom_vjp
    def f(x):
        return fnp.sin(x)

    f.defvjp(lambda x: (fnp.sin(x), x), lambda x, ct: (fnp.cos(x) * ct,))
    check_all(f, (X,), modes="rev")


# ---- assert_close, tolerance -------------------------------------------------------------------------------
def test_close_trees_pass():
    assert_close({"a": [1.0, X], "b": None}, {"a": [np.float32(1), X + 1e-14], "b": None})
    assert_close(np.array([np.nan, np.inf, -np.inf]), np.array([np.nan, np.inf, -np.inf]))
    assert_close(np.array([0.0]), np.array([-0.0]))
    assert_close(np.arange(3), np.arange(3.0))
    assert_close(np.zeros((0, 3)), np.zeros((0, 3)))
    assert_close(1 + 2j, np.complex64(1 + 2j))


def test_arrays_of_other_libraries_are_compared():
    torch = pytest.importorskip("torch")
    jnp = pytest.importorskip("jax.numpy")
    weights = torch.ones(3, requires_grad=True)
    assert_close({"a": weights, "b": jnp.ones(3)}, {"a": np.ones(3), "b": fnp.ones(3)})
    with pytest.raises(AssertionError, match="3 of 3 elements"):
        assert_close(weights, jnp.zeros(3))


@pytest.mark.parametrize(
    "actual, expected, message",
    [
        ({"a": 1.0}, {"b": 1.0}, "structures differ"),
        ((1.0,), [1.0], "structures differ"),
        (np.zeros(3), np.zeros((3, 1)), r"has shape \(3,\); \(3, 1\) was expected"),
        ({"w": [0.0, X]}, {"w": [0.0, X + 1]}, r"\['w'\]\[1\] f64\[3,4\]: 12 of 12 elements"),
        (1.0, 1.1, r"the value f32\[\]: expected 1.1, got 1: .* relative error 0.0909"),
        (np.nan, 1.0, "expected 1, got nan"),
        (1.0, np.nan, "expected nan, got 1"),
        (np.inf, -np.inf, "expected -inf, got inf"),
        (np.array([1, 2]), np.array([1, 3]), r"1 of 2 elements, worst at \(1,\): expected 3, got 2"),
        (True, False, "expected 0, got 1"),
    ],
)
def test_what_differs_is_named(actual, expected, message):
    with pytest.raises(AssertionError, match=message):
        assert_close(actual, expected)


def test_dtypes_are_compared_if_asked():
    assert_close(np.float32(1), np.float64(1))
    with pytest.raises(AssertionError, match="has dtype f32; f64 was expected"):
        assert_close(np.float32(1), np.float64(1), check_dtypes=True)


def test_only_a_few_of_many_wrong_leaves_are_shown():
    with pytest.raises(AssertionError, match=r"^weights: 9 of 9 leaves(.|\n)*and 4 more$"):
        assert_close([1.0] * 9, [2.0] * 9, what="weights")


def test_tolerances_are_those_of_the_less_precise_dtype():
    assert_close(np.float32(1) + np.float32(1e-6), np.float64(1))
    with pytest.raises(AssertionError):
        assert_close(np.float64(1 + 1e-6), np.float64(1))
    assert_close(np.float64(1 + 1e-6), np.float64(1), rtol=1e-5)
    order = [tolerance(d) for d in ("float64", "float32", "float16", ml_dtypes.bfloat16)]
    assert order == sorted(order) and tolerance(bool) == tolerance("uint8") == 0
    assert tolerance("complex64") == tolerance("float32")


@pytest.mark.parametrize(
    "name", ["", "._compare", "._gradients", "._batching", "._execution", "._strategies", "._flat"]
)
def test_the_examples_in_the_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"fx.testing{name}"))
    assert result.failed == 0
