"""Programs that are deep, long, shared or empty: costs are counted in equations and steps, not in seconds."""

import sys

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.core import structure
from fx.core.program import subprograms
from fx.testing import assert_close, check_all

TRANSFORMATIONS = {
    "grad": lambda f: fx.grad(f),
    "jvp": lambda f: lambda x: fx.jvp(f, (x,), (x,)),
    "vjp": lambda f: lambda x: fx.vjp(f, x)[1](x),
    "linearize": lambda f: lambda x: fx.linearize(f, x)[1](x),
    "vmap": lambda f: lambda x: fx.vmap(f)(fnp.stack([x, x])),
    "jit": fx.jit,
    "checkpoint": lambda f: fx.grad(fx.checkpoint(f)),
    "second": lambda f: fx.grad(fx.grad(f)),
}
every_transformation = pytest.mark.parametrize("transform", TRANSFORMATIONS.values(), ids=TRANSFORMATIONS)


def size(program):
    """Equations, those of inner Programs included."""
    return sum(1 + sum(size(inner) for _, inner in subprograms(e.params)) for e in program.equations)


def nodes_made(run):
    """How many steps were recorded anew."""
    fx.clear_caches()
    before = structure._node_count[0]
    run()
    return structure._node_count[0] - before


# ---- sharing -----------------------------------------------------------------------------------------------
def diamonds(depth, step):
    def f(x):
        for _ in range(depth):
            x = step(x)
        return x

    return f


def test_a_diamond_of_depth_50_has_the_derivative_2_to_the_50():
    f = diamonds(50, lambda x: x + x)
    x = np.float64(1.5)
    assert fx.grad(f)(x) == 2.0**50
    assert fx.jvp(f, (x,), (x,))[1] == 1.5 * 2.0**50
    assert fx.linearize(f, x)[1](x) == 1.5 * 2.0**50
    assert fx.grad(fx.checkpoint(f))(x) == 2.0**50
    assert_close(fx.vmap(fx.grad(f))(np.ones(3)), np.full(3, 2.0**50))


@every_transformation
def test_sharing_costs_equations_in_proportion_to_depth(transform):
    sizes = [
        size(fx.make_program(transform(diamonds(n, lambda x: fnp.sin(x) * fnp.cos(x))))(np.float64(0.3)))
        for n in (25, 50, 100)
    ]
    assert sizes[2] - sizes[1] <= 2 * (sizes[1] - sizes[0]) + 8


def test_nested_checkpoints_share_one_structure_per_level():
    def nest(f, depth):
        return f if depth == 0 else nest(fx.checkpoint(lambda x: f(fnp.sin(x))), depth - 1)

    x = np.float64(0.3)
    deep = nest(fnp.cos, 12)
    assert_close(fx.grad(deep)(x), fx.grad(lambda x: diamonds(12, fnp.sin)(x) * 0 + _sines_then_cos(x))(x))


def _sines_then_cos(x):
    return fnp.cos(diamonds(12, fnp.sin)(x))


# ---- length ------------------------------------------------------------------------------------------------
LONG = 10_000


@every_transformation
def test_ten_thousand_equations_need_no_recursion(transform):
    if transform is TRANSFORMATIONS["second"]:
        pytest.skip("the second derivative of a chain is ten times as long; see the next test")
    f = diamonds(LONG, lambda x: x * 0.9999 + 1e-4)
    out = transform(f)(np.float64(1.0))
    assert all(np.isfinite(np.asarray(y)).all() for y in fx.tree.leaves(out))
    assert sys.getrecursionlimit() < LONG


def test_the_second_derivative_of_a_thousand_equations():
    f = diamonds(1000, lambda x: fnp.sin(x) * 1.001)
    x = np.float64(0.3)
    forward = fx.jvp(fx.grad(f), (x,), (np.float64(1.0),))[1]
    assert_close(fx.grad(fx.grad(f))(x), forward, rtol=1e-8)


@every_transformation
def test_work_is_linear_in_length(transform):
    def steps(n):
        return nodes_made(lambda: transform(diamonds(n, lambda x: fnp.sin(x) * 1.01))(np.float64(0.3)))

    small, medium, large = steps(100), steps(200), steps(400)
    assert large - medium <= 2 * (medium - small) + 10
    assert large <= 40 * 400


def test_the_second_call_records_nothing_new():
    f = diamonds(300, lambda x: fnp.sin(x) * 1.01)
    for transform in TRANSFORMATIONS.values():
        g, counts = transform(f), []
        for x in (0.3, 0.4):  # from one line: the line belongs to the structure
            g(np.float64(x))
            counts.append(structure._node_count[0])
        assert counts[0] == counts[1]


def test_many_inputs_and_many_outputs():
    params = [np.float64(i) for i in range(2000)]

    def f(params):
        return {i: x * x for i, x in enumerate(params)}

    def total(params):
        return sum(f(params).values())

    assert_close(fx.grad(total)(params), [2 * x for x in params])
    outs, pull = fx.vjp(f, params)
    assert_close(pull(outs)[0], [2 * x**3 for x in params])


def test_a_value_used_ten_thousand_times_has_one_cotangent():
    def f(x):
        return fnp.concatenate([x] * 500).sum() + sum(x * float(i) for i in range(500)).sum()

    assert_close(fx.grad(f)(np.ones(2)), np.full(2, 500.0 + sum(range(500))))


@pytest.mark.parametrize("wrap", [fx.jit, fx.checkpoint, lambda f: fx.jit(fx.checkpoint(f))])
def test_calls_nested_thirty_deep(wrap):
    f = fnp.sin
    for _ in range(30):
        f = wrap(lambda x, f=f: f(x) * 1.01)
    x = np.float64(0.3)
    assert_close(fx.grad(f)(x), np.cos(x) * 1.01**30)
    assert_close(fx.vmap(fx.grad(f))(np.full(2, x)), np.full(2, np.cos(x) * 1.01**30))


# ---- nothing, and scalars ----------------------------------------------------------------------------------
SHAPES = [(), (0,), (1,), (0, 3), (3, 0), (2, 0, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_empty_and_0d_arrays_go_through_everything(shape):
    x = np.random.default_rng(0).normal(size=shape)
    check_all(lambda x: fnp.tanh(x) * x + 1, (x,))
    check_all(lambda x: (fnp.sin(x) * x).sum(), (x,))
    check_all(lambda x: fnp.reshape(fnp.transpose(x), (-1,)), (x,)) if x.size else None
    check_all(lambda x, y: {"sum": x + y, "product": x[None] * y}, (x, x))


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_keep_shape_and_dtype_of_empty_and_0d_arrays(shape):
    for dtype in (np.float32, np.float64, np.complex64):
        x = np.ones(shape, dtype)
        gradient = fx.grad(lambda x: (abs(x) ** 2).sum())(x)
        assert gradient.shape == shape and gradient.dtype == dtype
        assert_close(gradient, 2 * np.conj(x))


def test_a_mapped_axis_of_size_zero():
    f = fx.vmap(fx.value_and_grad(lambda x: (x * x).sum()))
    value, gradient = f(np.ones((0, 3)))
    assert value.shape == (0,) and gradient.shape == (0, 3)
    value, gradient = fx.jit(f)(np.ones((0, 3), np.float32))
    assert value.dtype == gradient.dtype == np.float32


def test_functions_without_inputs_outputs_or_equations():
    assert fx.jit(lambda: ())() == ()
    assert fx.jit(lambda x: None)(1.0) is None
    assert fx.vmap(lambda x: {})(np.ones(2)) == {}
    assert fx.vjp(lambda x: (), 1.0)[0] == ()
    assert_close(fx.vjp(lambda x: (), 1.0)[1](()), (0.0,))
    assert_close(fx.grad(lambda x: 3.0)(2.0), 0.0)
    assert_close(fx.jvp(lambda x: x, (2.0,), (1.0,)), (2.0, 1.0))
    assert fx.checkpoint(lambda: {"a": 1.0})() == {"a": 1.0}
