"""Python control flow inside bare transformations; values pass outward through nested ones."""

import numpy as np
import pytest
from against_jax import derivative, same, says

import fx
from fx import lax, numpy as fnp
from fx.core.errors import ShapeError, TracerError

X = np.array([1.0, 2.0, 3.0])


def asks_everything(v, n):
    while float(v.sum()) < 20.0:
        v = v * 1.5
    total = 0.0
    for i in range(int(n)):
        total = total + v[int(i) % 3]
    mask = v > 5.0
    large = v[mask]
    total = total + (1.0 if v[0] > v[1] else 2.0 * v[0]) + large.sum()
    return (total * len(large)).sum()


def test_every_kind_of_question_under_every_bare_transformation():
    gradient = np.array([derivative(lambda t: float(asks_everything(X + t * e, 3)), 0.0) for e in np.eye(3)])
    same(fx.grad(asks_everything)(X, 3), gradient, 1e-6)
    same(fx.vjp(lambda v: asks_everything(v, 3), X)[1](1.0)[0], gradient, 1e-6)
    same(fx.jvp(lambda v: asks_everything(v, 3), (X,), (X,))[1], gradient @ X, 1e-6)
    same(fx.linearize(lambda v: asks_everything(v, 3), X)[1](X), gradient @ X, 1e-6)
    same(fx.grad(fx.checkpoint(asks_everything))(X, 3), gradient, 1e-6)
    same(fx.jacfwd(lambda v: asks_everything(v, 3))(X), gradient, 1e-6)


def test_printing_shows_values(capsys):
    def f(x):
        print(x, f"{x[0]:.2f}", repr(x))
        return x.sum()

    fx.grad(f)(X)
    shown = capsys.readouterr().out
    assert "[1. 2. 3.]" in shown and "1.00" in shown and "Traced<f64[3] in grad>" in shown


def test_questions_do_not_cut_derivatives():
    """What is asked of a value that is closed over must not make it a constant."""
    same(fx.grad(lambda s: fx.vmap(lambda b: b * s if s > 2 else b)(X).sum())(3.0), 6.0)
    same(fx.grad(lambda a: fx.grad(lambda b: b * a if a > 0 and b > 0 else b)(a * 2) * a)(3.0), 6.0)
    same(fx.grad(lambda a: lax.scan(lambda c, _: (c * a if a > 0 else c, None), a, None, 2)[0])(2.0), 12.0)
    same(fx.grad(lambda a: lax.cond(True, lambda q: q * a if a > 0 else q, lambda q: q, a))(2.0), 4.0)
    same(fx.grad(lambda a: fx.checkpoint(lambda q: q * a if a > 0 else q)(a))(2.0), 4.0)
    same(fx.grad(lambda a: fx.jvp(lambda b: b * a if a > 0 else b, (a,), (1.0,))[1])(2.0), 1.0)
    same(fx.grad(lambda a: fx.vjp(lambda b: b * a if a > 0 else b, a)[1](1.0)[0])(2.0), 1.0)
    same(fx.jvp(lambda s: fx.vmap(lambda b: b * s if s > 2 else b)(X).sum(), (3.0,), (1.0,))[1], 6.0)


def test_questions_keep_weakness():
    scale = fx.jit(lambda v: v)(2.0)
    assert fx.vjp(lambda a: a * scale if scale > 0 else a, np.ones(2, "float32"))[0].dtype == "float32"


def test_nested_derivatives_with_branches():
    f = lambda x: x**3 if x > 0 else -(x**2)
    assert [float(fx.grad(fx.grad(f))(v)) for v in (2.0, -2.0)] == [12, -2]
    assert [float(fx.hessian(f)(v)) for v in (2.0, -2.0)] == [12, -2]


def test_mapped_values_have_none_but_the_rest_does():
    same(fx.vmap(lambda b: fx.grad(lambda c: c * c if X[0] > 0 else c)(b))(X), 2 * X)
    call = lambda: fx.grad(lambda z: fx.vmap(lambda q: q if q > 0 else -q)(z).sum())(X)
    says(
        TracerError,
        call,
        "q, mapped by vmap over axis 0",
        "vmap of",
        "test_values_on_demand.py",
        "fx.numpy.where",
    )


def test_no_values_under_jit_inside_grad():
    call = lambda: fx.grad(lambda a: fx.jit(lambda b: b if b > 0 else -b)(a))(1.0)
    says(TracerError, call, "b, an argument of a jitted function", "test_values_on_demand.py")


def test_no_values_for_carries_and_operands_of_branches():
    says(
        TracerError,
        lambda: lax.scan(lambda c, a: (c if c > 0 else a, None), 0.0, X),
        "scan",
        "carry",
        "fx.lax.cond",
    )
    says(
        TracerError, lambda: lax.cond(True, lambda a: a if a > 0 else -a, lambda a: a, 1.0), "branch of cond"
    )


def test_truth_of_many_values():
    says(ShapeError, lambda: fx.grad(lambda v: v.sum() if v > 0 else 0.0)(X), "(3,)", ".any()")


def test_constants_asked_for_stay_apart():
    """A constant that was asked for and forgotten must not lend its place to the next one."""

    def f(x):
        total = 0.0
        for k in (1.0, 2.0, 3.0, 4.0):
            y = x * fx.Array(np.full(3, k))
            assert float(y.sum()) < 1e9
            total = total + y.sum()
        return total

    same(fx.grad(f)(X), np.full(3, 10.0))


@pytest.mark.parametrize("n", [0, 1, 4])
def test_loops_over_python_counts(n):
    same(
        fx.grad(lambda x, n: sum([x**i for i in range(int(n))], 0.0 * x))(2.0, n),
        sum(i * 2.0 ** (i - 1) for i in range(n)),
    )


def test_only_what_is_needed_is_computed():
    calls = []
    slow = lambda v: fx.pure_callback(lambda u: (calls.append(1), u)[1], fx.ShapeDtype((3,), "float64"), v)

    def f(x):
        slow(fx.stop_gradient(x))  # nobody reads it
        return (x * 2).sum() if x[0] > 0 else fnp.sin(x).sum()

    same(fx.grad(f)(X), np.full(3, 2.0))
    assert not calls
