"""Every ordered pair and triple of transformations, against closed forms: nesting needs no special case.

Each transformation is written as a map from a scalar function f to a scalar function: f itself again, or its
derivative. A composition with k differentiating ones must give the k-th derivative.
"""

import itertools
import math

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.testing import assert_close

ONE = np.float64(1.0)


def grad(f):
    return fx.grad(f)


def jvp(f):
    return lambda x: fx.jvp(f, (x,), (ONE,))[1]


def vjp(f):
    return lambda x: fx.vjp(f, x)[1](ONE)[0]


def linearize(f):
    return lambda x: fx.linearize(f, x)[1](ONE)


def vmap(f):
    return lambda x: fx.vmap(f)(fnp.stack([2 * x, x]))[1]


def jit(f):
    return fx.jit(f)


def checkpoint(f):
    return fx.checkpoint(f)


def custom_jvp(f):
    """f with a rule of the user's that says what is true."""

    @fx.custom_jvp
    def g(x):
        return f(x)

    @g.defjvp
    def rule(primals, tangents):
        (x,), (dx,) = primals, tangents
        return f(x), dx * fx.grad(f)(x)

    return g


def custom_vjp(f):
    @fx.custom_vjp
    def g(x):
        return f(x)

    g.defvjp(lambda x: (f(x), x), lambda x, ct: (ct * fx.grad(f)(x),))
    return g


DIFFERENTIATE = (grad, jvp, vjp, linearize)
KEEP = (vmap, jit, checkpoint, custom_jvp, custom_vjp)
ALL = (*DIFFERENTIATE, *KEEP)
PAIRS = list(itertools.product(ALL, repeat=2))
TRIPLES = list(itertools.product(ALL, repeat=3))


def name(chain):
    return "_of_".join(t.__name__ for t in chain)


def meets_custom_vjp_forward(chain):
    """Whether forward mode meets a custom_vjp function that no reverse mode has replaced by its rules."""
    reverse_only = False
    for t in reversed(chain):
        if reverse_only and t in (jvp, linearize):
            return True
        if t is custom_vjp:
            reverse_only = True
        elif t in (grad, vjp, custom_jvp):
            reverse_only = False
    return False


def compose(chain, f):
    for t in reversed(chain):
        f = t(f)
    return f


# ---- functions with their derivatives of any order ---------------------------------------------------------
def wave(x):
    return fnp.exp(0.5 * x) * fnp.sin(x)


def wave_derivative(x, k):
    return ((0.5 + 1j) ** k * np.exp((0.5 + 1j) * x)).imag


def quotient(x):
    return 1 / (1 + x)


def quotient_derivative(x, k):
    return (-1) ** k * math.factorial(k) / (1 + x) ** (k + 1)


def cubic(x):
    """x**3, through an array, a mask and a reduction."""
    line = x * fnp.asarray([1.0, -2.0, 3.0], dtype="float64")
    return (fnp.where(line > 0, line, 0.0) ** 3).sum() / 28 * fnp.where(x > 0, 1.0, -3.5)


def cubic_derivative(x, k):
    return math.perm(3, k) * x ** (3 - k) if k <= 3 else 0.0


def looped(x):
    """Taylor's series of exp(x) as a scan."""

    def step(carry, n):
        term, total = carry
        return (term * x / n, total + term * x / n), None

    start = (fnp.ones((), "float64"), fnp.ones((), "float64"))
    return fx.lax.scan(step, start, fnp.arange(1.0, 25.0, dtype="float64"))[0][1]


def looped_derivative(x, k):
    return np.exp(x)


FUNCTIONS = [(wave, wave_derivative), (quotient, quotient_derivative), (cubic, cubic_derivative)]
FUNCTIONS += [(looped, looped_derivative)]
X = np.float64(0.7)


def check(chain, f, derivative, to_backend):
    composed, x = compose(chain, f), to_backend(X)
    if meets_custom_vjp_forward(chain):
        with pytest.raises(fx.RuleError, match="custom_vjp"):
            composed(x)
        return
    order = sum(t in DIFFERENTIATE for t in chain)
    for _ in range(2):
        found = composed(x)
        assert_close(found, derivative(X, order), rtol=1e-10, atol=1e-10)
        assert found.shape == () and found.dtype == np.float64


@pytest.mark.parametrize("f, derivative", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("chain", PAIRS, ids=name)
def test_pairs(chain, f, derivative, to_backend):
    check(chain, f, derivative, to_backend)


@pytest.mark.parametrize("chain", TRIPLES, ids=name)
def test_triples(chain, to_backend):
    check(chain, wave, wave_derivative, to_backend)


@pytest.mark.slow
@pytest.mark.parametrize("f, derivative", FUNCTIONS[1:], ids=lambda f: f.__name__)
@pytest.mark.parametrize("chain", TRIPLES, ids=name)
def test_triples_of_more_functions(chain, f, derivative, to_backend):
    check(chain, f, derivative, to_backend)


@pytest.mark.parametrize("chain", [(grad,) * 6, (jvp,) * 6, (grad, jvp) * 3, (linearize, vjp) * 2], ids=name)
def test_high_orders(chain):
    assert_close(compose(chain, wave)(X), wave_derivative(X, len(chain)), rtol=1e-9)


# ---- which variable is which -------------------------------------------------------------------------------
def test_an_inner_derivative_sees_the_outer_variable_as_a_constant():
    for d in DIFFERENTIATE:
        for e in DIFFERENTIATE:
            product = d(lambda x: x * e(lambda y: x + y)(1.0 + 0 * x))
            assert_close(product(X), 1.0)
            squared = d(lambda x: x * e(lambda y: x * y)(X))
            assert_close(squared(X), 2 * X)


def test_derivatives_by_a_value_closed_over():
    def f(x, y):
        inner = lambda z: fnp.sin(x * z) * y
        return fx.grad(inner)(y)

    x, y = 0.3, 1.1
    assert_close(fx.grad(f)(x, y), fx.jvp(lambda x: f(x, y), (x,), (np.float32(1.0),))[1])
    by_hand = y * np.cos(x * y) - x * y**2 * np.sin(x * y)
    assert_close(fx.grad(f)(np.float64(x), np.float64(y)), by_hand)


def test_vmap_over_a_closure_of_a_vmapped_value():
    x, y = np.arange(3.0), np.arange(4.0)
    table = fx.vmap(lambda a: fx.vmap(lambda b: a * 10 + b)(y))(x)
    assert_close(table, x[:, None] * 10 + y)
    slopes = fx.vmap(lambda a: fx.vmap(fx.grad(lambda b: fnp.sin(a * b)))(y))(x)
    assert_close(slopes, x[:, None] * np.cos(x[:, None] * y))


def test_jit_of_a_closure_over_a_traced_value_inside_grad_and_vmap():
    def f(x):
        scaled = fx.jit(lambda y: x * y)
        return scaled(x) + scaled(2 * x)

    assert_close(fx.grad(f)(X), 6 * X)
    assert_close(fx.vmap(fx.grad(f))(np.arange(3.0)), 6 * np.arange(3.0))
    assert_close(fx.jit(fx.vmap(fx.grad(fx.checkpoint(f))))(np.arange(3.0)), 6 * np.arange(3.0))


def test_mixed_second_derivatives_do_not_depend_on_the_order_of_modes():
    def f(p):
        return (fnp.tanh(p["w"] @ p["x"]) * p["x"]).sum()

    rng = np.random.default_rng(0)
    p = {"w": rng.normal(size=(3, 3)), "x": rng.normal(size=3)}
    direction = {"w": rng.normal(size=(3, 3)), "x": rng.normal(size=3)}
    forward_over_reverse = fx.jvp(fx.grad(f), (p,), (direction,))[1]
    reverse_over_forward = fx.grad(lambda q: fx.jvp(f, (q,), (direction,))[1])(p)
    _, pull = fx.vjp(fx.grad(f), p)
    reverse_over_reverse = pull(direction)[0]
    linear = fx.linearize(fx.grad(f), p)[1](direction)
    product = fx.jit(lambda p, v: fx.hvp(f, (p,), (v,)))(p, direction)
    for found in (reverse_over_forward, reverse_over_reverse, linear, product):
        assert_close(found, forward_over_reverse)
