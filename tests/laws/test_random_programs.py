"""Random programs: transformations commute, and agree with NumPy, with differences, and with JAX where installed.

A program is a list of steps over a growing list of values; it is run by any module with NumPy's names.
"""

import numpy as np
import pytest
from hypothesis import given, strategies as st

import fx
import fx.numpy as fnp
from fx.testing import assert_close, check_checkpoint, check_grads, check_jit, check_vmap

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    jax = None

needs_jax = pytest.mark.skipif(jax is None, reason="JAX is not installed")
SHAPES = ((), (3,), (2, 3), (3, 2))
RTOL = 1e-9


def in_float64():
    return jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64()


class NumpyLax:
    """Control flow as Python runs it."""

    @staticmethod
    def cond(pred, true_fun, false_fun, x):
        return true_fun(x) if pred else false_fun(x)

    @staticmethod
    def fori_loop(lower, upper, body, x):
        for i in range(lower, upper):
            x = body(i, x)
        return x

    @staticmethod
    def scan(f, carry, xs, reverse=False):
        ys = [None] * len(xs)
        for i in reversed(range(len(xs))) if reverse else range(len(xs)):
            carry, ys[i] = f(carry, xs[i])
        return carry, np.stack(ys)


def lax(xp):
    return NumpyLax if xp is np else fx.lax if xp is fnp else jax.lax


def recurrence(xp, x, reverse=False):
    """A scan whose carry and outputs both matter."""
    last, ys = lax(xp).scan(lambda c, row: (xp.tanh(c + row), c * row), x[0], x, reverse=reverse)
    return ys + last


# ---- steps: how each is written, and the operand shapes it takes -------------------------------------------
def broadcasts(a, b):
    try:
        return bool(np.broadcast_shapes(a, b)) or a == b == ()
    except ValueError:
        return False


UNARY = {
    "sin": lambda xp, x: xp.sin(x),
    "tanh": lambda xp, x: xp.tanh(2 * x),
    "exp": lambda xp, x: xp.exp(-x * x),
    "log1p": lambda xp, x: xp.log1p(x * x),
    "sqrt": lambda xp, x: xp.sqrt(1 + x * x),
    "negative": lambda xp, x: -x,
    "cube": lambda xp, x: xp.tanh(x**3),
    "reciprocal": lambda xp, x: 1 / (2 + xp.cos(x)),
    "where": lambda xp, x: xp.where(x > 0.1, x, 0.5 * x * x),
    "flat": lambda xp, x: xp.reshape(x, (-1,)),
    "row": lambda xp, x: xp.reshape(x, (1, -1)),
    "transpose": lambda xp, x: xp.transpose(x),
    "cond": lambda xp, x: lax(xp).cond(xp.sum(x) > 0, lambda x: xp.sin(x), lambda x: 0.5 * x * x, x),
    "loop": lambda xp, x: lax(xp).fori_loop(0, 3, lambda i, y: xp.sin(y + i * x), x),
}
OF_ARRAYS = {
    "sum": lambda xp, x: xp.sum(x, axis=0),
    "mean": lambda xp, x: xp.mean(x, axis=-1),
    "max": lambda xp, x: xp.max(x, axis=-1),
    "keepdims": lambda xp, x: x - xp.sum(x, axis=-1, keepdims=True),
    "head": lambda xp, x: x[:1],
    "odd": lambda xp, x: x[1::2] if x.shape[0] > 1 else x,
    "backwards": lambda xp, x: x[::-1],
    "last": lambda xp, x: x[..., -1],
    "scan": recurrence,
    "scan_back": lambda xp, x: recurrence(xp, x, reverse=True),
    "pair": lambda xp, x: xp.concatenate([x, 2 * x], axis=-1),
}
BINARY = {
    "add": lambda xp, x, y: x + y,
    "subtract": lambda xp, x, y: x - y,
    "multiply": lambda xp, x, y: xp.sin(x * y),
    "divide": lambda xp, x, y: x / (1.5 + xp.sin(y)),
    "choose": lambda xp, x, y: xp.where(x < y, x * y, x - y),
    "maximum": lambda xp, x, y: xp.maximum(x, y),
    "atan2": lambda xp, x, y: xp.arctan2(x, 2 + y * y),
}
MATMUL = {"matmul": lambda xp, x, y: xp.tanh(x @ y)}
STEPS = UNARY | OF_ARRAYS | BINARY | MATMUL


def applicable(shapes):
    """(step, operand positions) pairs that the shapes allow."""
    found = [(name, (i,)) for name in UNARY for i in range(len(shapes))]
    found += [(name, (i,)) for name in OF_ARRAYS for i, s in enumerate(shapes) if s]
    pairs = [(i, j) for i in range(len(shapes)) for j in range(len(shapes))]
    found += [(name, (i, j)) for name in BINARY for i, j in pairs if broadcasts(shapes[i], shapes[j])]
    found += [("matmul", (i, j)) for i, j in pairs if _multiplies(shapes[i], shapes[j])]
    return found


def _multiplies(a, b):
    return 1 <= len(a) <= 2 and 1 <= len(b) <= 2 and a[-1] == b[0]


@st.composite
def programs(draw):
    """(steps, inputs): a program and NumPy arrays to run it on; the result is its last value."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3))
    inputs = tuple(rng.normal(size=s) for s in shapes)
    steps, values = [], list(inputs)
    for _ in range(draw(st.integers(1, 8))):
        step = draw(st.sampled_from(applicable([np.shape(v) for v in values])))
        steps.append(step)
        values.append(np.asarray(apply(step, np, values)))
    return steps, inputs


def apply(step, xp, values):
    name, operands = step
    return STEPS[name](xp, *[values[i] for i in operands])


def runner(steps, xp, regions=()):
    """The program as a function; steps from i to j of each region (i, j, wrap) run inside wrap(function)."""

    def run(*inputs):
        values = list(inputs)
        at = 0
        for start, stop, wrap in [*regions, (len(steps), len(steps), None)]:
            values = _run_steps(steps[at:start], xp, values)
            if wrap is not None:
                values = wrap(lambda *vs: _run_steps(steps[start:stop], xp, list(vs)))(*values)
            at = stop
        return values[-1]

    return run


def _run_steps(steps, xp, values):
    values = list(values)
    for step in steps:
        values.append(apply(step, xp, values))
    return values


def loss(f, xp):
    """A scalar of f that every element of its result matters to."""

    def scalar(*inputs):
        y = f(*inputs)
        weights = xp.reshape(xp.cos(xp.arange(int(np.prod(y.shape)), dtype="float64")), y.shape)
        return xp.sum(y * weights)

    return scalar


EFFORT = pytest.mark.parametrize("effort", ["few", pytest.param("many", marks=pytest.mark.slow)])


# ---- the laws ----------------------------------------------------------------------------------------------
@EFFORT
@given(program=programs())
def test_values_derivatives_batches_and_compilation_are_right(effort, program, to_backend):
    steps, inputs = program[0], to_backend(program[1])
    f = runner(steps, fnp)
    assert_close(f(*map(fnp.asarray, inputs)), runner(steps, np)(*program[1]), RTOL, RTOL)
    check_jit(f, inputs)
    check_grads(f, inputs, order=1)
    check_checkpoint(f, inputs, rtol=RTOL, atol=RTOL)
    check_vmap(f, inputs, axis_size=2, rtol=RTOL, atol=RTOL)


@EFFORT
@given(program=programs(), data=st.data())
def test_checkpointed_and_jitted_regions_change_no_derivative(effort, program, data, to_backend):
    steps, inputs = program[0], to_backend(program[1])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(steps)), min_size=4, max_size=4)))
    wraps = st.sampled_from([fx.checkpoint, fx.jit, lambda f: fx.jit(fx.checkpoint(f)), lambda f: f])
    regions = [(cuts[0], cuts[1], data.draw(wraps)), (cuts[2], cuts[3], data.draw(wraps))]
    every = tuple(range(len(inputs)))
    plain = fx.value_and_grad(loss(runner(steps, fnp), fnp), every)
    cut = fx.value_and_grad(loss(runner(steps, fnp, regions), fnp), every)
    assert_close(cut(*inputs), plain(*inputs), RTOL, RTOL)
    assert_close(fx.jit(cut)(*inputs), plain(*inputs), RTOL, RTOL)


@EFFORT
@given(program=programs())
def test_the_gradient_of_a_batch_is_the_batch_of_gradients(effort, program, to_backend):
    steps, inputs = program[0], to_backend(program[1])
    scalar = loss(runner(steps, fnp), fnp)
    every = tuple(range(len(inputs)))
    batch = to_backend(tuple(np.stack([x, 0.5 * x, -x]) for x in program[1]))
    of_sum = fx.grad(lambda *xs: fx.vmap(scalar)(*xs).sum(), every)(*batch)
    rows = fx.vmap(fx.grad(scalar, every))(*batch)
    assert_close(rows, of_sum, RTOL, RTOL)
    shared = fx.vmap(fx.grad(scalar), in_axes=(0, *[None] * (len(inputs) - 1)))(batch[0], *inputs[1:])
    loop = np.stack([np.asarray(fx.grad(scalar)(x, *inputs[1:])) for x in batch[0]])
    assert_close(shared, loop, RTOL, RTOL)


@EFFORT
@given(program=programs())
def test_forward_and_reverse_mode_agree_at_second_order(effort, program, to_backend):
    steps, inputs = program[0], to_backend(program[1])
    scalar = loss(runner(steps, fnp), fnp)
    gradient = fx.grad(scalar)
    x, rest = inputs[0], inputs[1:]
    v = to_backend(np.cos(np.arange(x.size, dtype=float)).reshape(x.shape))
    forward = fx.jvp(lambda x: gradient(x, *rest), (x,), (v,))[1]
    reverse = fx.vjp(lambda x: gradient(x, *rest), x)[1](v)[0]
    linear = fx.linearize(lambda x: gradient(x, *rest), x)[1](v)
    assert_close([reverse, linear], [forward, forward], RTOL, RTOL)


# ---- compositions three deep, written once for fx and JAX --------------------------------------------------
def sum_of_gradient(t, xp, f):
    return t.grad(lambda x: xp.sum(xp.sin(f(x))))


def tangent(t, xp, f):
    return lambda x: t.jvp(f, (x,), (xp.ones_like(x),))[1]


def cotangent(t, xp, f):
    return lambda x: t.vjp(f, x)[1](xp.ones_like(f(x)))[0]


def linear_map(t, xp, f):
    return lambda x: t.linearize(f, x)[1](xp.cos(x))


def rows(t, xp, f):
    return lambda x: xp.sum(t.vmap(f)(xp.stack([x, 0.5 * x])), axis=0)


def columns(t, xp, f):
    return lambda x: t.vmap(f, in_axes=-1, out_axes=-1)(xp.stack([x, 0.5 * x], axis=-1))[..., 0]


def compiled(t, xp, f):
    return t.jit(f)


def recomputed(t, xp, f):
    return t.checkpoint(f)


TRANSFORMATIONS = (sum_of_gradient, tangent, cotangent, linear_map, rows, columns, compiled, recomputed)


def nest(chain, t, xp, f):
    for transform in reversed(chain):
        f = transform(t, xp, f)
    return f


@needs_jax
@EFFORT
@given(
    program=programs(),
    chain=st.lists(st.sampled_from(TRANSFORMATIONS), min_size=3, max_size=3),
)
def test_compositions_three_deep_agree_with_jax(effort, program, chain, to_backend):
    steps, inputs = program[0], to_backend(program[1])
    x, rest = inputs[0], inputs[1:]
    ours = nest(chain, fx, fnp, lambda x: runner(steps, fnp)(x, *rest))(x)
    with in_float64():
        host, others = program[1][0], program[1][1:]
        theirs = nest(chain, jax, jnp, lambda x: runner(steps, jnp)(x, *others))(jnp.asarray(host))
    assert_close(ours, np.asarray(theirs), 1e-8, 1e-8)


@EFFORT
@given(program=programs(), chain=st.lists(st.sampled_from(TRANSFORMATIONS), min_size=2, max_size=2))
def test_compositions_have_the_derivatives_of_differences(effort, program, chain, to_backend):
    steps, inputs = program[0], to_backend(program[1])
    x, rest = inputs[0], inputs[1:]
    check_grads(nest(chain, fx, fnp, lambda x: runner(steps, fnp)(x, *rest)), (x,), order=1)
