"""The laws for primitives without samples: functions that use them, held against NumPy and all transformations."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from primitive_table import PRIMITIVES, WITHOUT_SAMPLES

import fx
from fx import lax
from fx.core import structure
from fx.testing import assert_close, check_all, check_checkpoint, check_jit, check_vmap

rng = np.random.default_rng(0)
X = rng.normal(size=(3, 4))
BOTH = ("fwd", "rev")


class Use(NamedTuple):
    """A function that uses a primitive, the same in NumPy, arguments, and the modes of its derivatives."""

    primitive: str
    name: str
    fun: Any
    numpy: Any
    args: tuple
    modes: tuple = BOTH


def mapped(fun):
    """fun over the rows of x, a named axis."""
    return fx.vmap(fun, axis_name="rows")


def gather_rows(x):
    everything = lax.all_gather(x, "rows")
    return (everything * everything[0]).sum(0) * x


def by_sign(x):
    return lax.cond(x[0, 0] > 0, lambda x: fx.numpy.sin(x) * 2, lambda x: x**3, x)


def by_closure(x):
    y = x * x
    return lax.cond(x[0, 0] < 0, lambda: y.sum(0), lambda: (y * x).sum(0))


def power_by_switch(x, i):
    return lax.switch(i, [lambda x: x, lambda x: x * x, lambda x: x**3], x)


def polynomial(x, weights):
    """Horner's rule as a scan; the intermediate values come out too."""
    return lax.scan(lambda carry, w: (carry * x + w, carry), fx.numpy.zeros(x.shape, x.dtype), weights)


def polynomial_in_numpy(x, weights):
    carry, outs = np.zeros(x.shape), []
    for w in weights:
        outs.append(carry)
        carry = carry * x + w
    return carry, np.stack(outs)


def newton_root(a):
    """The square root by Newton's method, with a trip count that depends on the data."""
    apart = lambda x: abs(x * x - a).max() > 1e-14
    return lax.while_loop(apart, lambda x: 0.5 * (x + a / x), fx.numpy.ones(a.shape, a.dtype) + a)


def repeated_sine(x, n):
    return lax.fori_loop(0, n, lambda i, y: fx.numpy.sin(y) + i, x)


def repeated_sine_in_numpy(x, n):
    for i in range(n):
        x = np.sin(x) + i
    return x


def iterated_solution(a, b):
    """a^-1 b by Richardson's iteration."""

    def richardson(f, b):
        apart = lambda x: abs(b - f(x)).max() > 1e-14
        return lax.while_loop(apart, lambda x: x + 0.3 * (b - f(x)), fx.numpy.zeros(b.shape, b.dtype))

    return lax.custom_linear_solve(lambda x: a @ x, b, richardson, transpose_solve=richardson)


def cube_root(a):
    """By Newton's method; the tangent is a linear solution."""
    newton = lambda f, x: lax.fori_loop(0, 9, lambda i, x: x - f(x) / (3 * x * x), x)
    by_ones = lambda g, y: y / g(fx.numpy.ones(y.shape, y.dtype))
    return lax.custom_root(lambda x: x**3 - a, a, newton, by_ones)


def through_python(x):
    return 2 * fx.pure_callback(np.cbrt, fx.ShapeDtype(x.shape, x.dtype), x)


def watched(x):
    fx.debug.callback(lambda y: None, x)
    return x * x


USES = [
    Use("psum", "psum", mapped(lambda x: lax.psum(x * x, "rows") * x), lambda x: (x * x).sum(0) * x, (X,)),
    Use("psum", "pmean", mapped(lambda x: x - lax.pmean(x, "rows")), lambda x: x - x.mean(0), (X,)),
    Use("pmax", "pmax", mapped(lambda x: lax.pmax(x, "rows") * x), lambda x: x.max(0) * x, (X,)),
    Use("pmin", "pmin", mapped(lambda x: lax.pmin(x, "rows") * x), lambda x: x.min(0) * x, (X,)),
    Use("all_gather", "all_gather", mapped(gather_rows), lambda x: (x * x[0]).sum(0) * x, (X,)),
    Use(
        "ppermute",
        "ppermute",
        mapped(lambda x: lax.ppermute(x * x, "rows", [(0, 1), (1, 2)])),
        lambda x: np.concatenate([np.zeros((1, 4)), x[:2] ** 2]),
        (X,),
    ),
    Use(
        "axis_index",
        "axis_index",
        mapped(lambda x: x * lax.axis_index("rows")),
        lambda x: x * np.arange(3)[:, None],
        (X,),
    ),
    Use("cond", "taken", by_sign, lambda x: np.sin(x) * 2, (abs(X),)),
    Use("cond", "not_taken", by_sign, lambda x: x**3, (-abs(X),)),
    Use("cond", "closure", by_closure, lambda x: (x**3).sum(0), (abs(X),)),
    Use("cond", "switch", power_by_switch, lambda x, i: x**3, (X, np.int64(2))),
    Use("scan", "scan", polynomial, polynomial_in_numpy, (X, rng.normal(size=5))),
    Use(
        "scan",
        "empty_scan",
        polynomial,
        lambda x, w: (np.zeros(x.shape), np.zeros((0, 3, 4))),
        (X, np.ones(0)),
    ),
    Use("scan", "while_loop", newton_root, np.sqrt, (abs(X) + 0.5,)),
    Use("scan", "fori_loop", lambda x: repeated_sine(x, 3), lambda x: repeated_sine_in_numpy(x, 3), (X,)),
    Use("scan", "fori_loop_bound", repeated_sine, repeated_sine_in_numpy, (X, np.int64(2))),
    Use(
        "linear_solve",
        "linear_solve",
        iterated_solution,
        np.linalg.solve,
        (2.5 * np.eye(3) + 0.3 * X[:, :3], X),
    ),
    Use("root", "root", cube_root, np.cbrt, (abs(X) + 0.5,)),
    Use("pure_callback", "pure_callback", through_python, lambda x: 2 * np.cbrt(x), (X,), ()),
    Use("debug_callback", "debug_callback", watched, lambda x: x * x, (X,)),
]
every_use = pytest.mark.parametrize("use", USES, ids=lambda use: use.name)


def test_every_primitive_without_samples_has_a_use_here():
    assert {use.primitive for use in USES} == set(WITHOUT_SAMPLES)


def recorded():
    """The primitives of all structures recorded since the caches were cleared."""
    nodes, found = list(structure._roots.values()), set()
    while nodes:
        node = nodes.pop()
        found.add(node.primitive)
        nodes += node.children.values()
    return found


@every_use
def test_the_function_uses_the_primitive(use):
    (primitive,) = [p for p in PRIMITIVES if p.name == use.primitive]
    fx.clear_caches()
    fx.make_program(use.fun)(*use.args)
    assert primitive in recorded()


@every_use
def test_values_are_those_of_numpy(use, to_backend):
    args = to_backend(use.args)
    assert_close(use.fun(*args), use.numpy(*use.args))
    assert_close(fx.jit(use.fun)(*args), use.numpy(*use.args))


@every_use
def test_all_laws_hold(use, to_backend):
    args = to_backend(use.args)
    if use.modes:
        check_all(use.fun, args, order=2, modes=use.modes, axis_size=2)
    else:
        check_jit(use.fun, args)
        check_vmap(use.fun, args, axis_size=2)
        check_checkpoint(use.fun, args, modes=())


def test_a_callback_without_a_derivative_says_so():
    with pytest.raises(fx.RuleError, match=r"pure_callback of cbrt has no derivative rule.\n.*custom_jvp"):
        fx.grad(lambda x: through_python(x).sum())(X)


def test_effects_run_once_per_run_in_order_even_if_nobody_reads_the_result():
    seen = []

    def f(x):
        fx.debug.callback(lambda y: seen.append(("first", float(y))), x)
        fx.debug.callback(lambda y: seen.append(("second", float(y))), x * 2)
        return x * x

    jitted = fx.jit(f)
    for x in (1.0, 2.0):
        jitted(x)
    assert seen == [("first", 1.0), ("second", 2.0), ("first", 2.0), ("second", 4.0)]
