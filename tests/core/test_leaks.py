"""Traced values that outlive their trace, or cross threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from against_jax import same, says

import fx
from fx import lax, numpy as fnp
from fx.core.errors import LeakedTracerError, TracerError

X = np.arange(3.0)


def leak(transform, *args):
    kept = []

    def leaky(x):
        kept.append(fnp.sin(x))
        return x

    transform(leaky)(*args)
    return kept[-1]


LEAKS = {
    "grad": (lambda: leak(fx.grad, 1.0), "grad"),
    "jit": (lambda: leak(fx.jit, 1.0), "jit"),
    "vmap": (lambda: leak(fx.vmap, X), "vmap"),
    "checkpoint": (lambda: leak(lambda f: fx.grad(fx.checkpoint(f)), 1.0), "checkpoint"),
    "vjp": (lambda: leak(lambda f: lambda x: fx.vjp(f, x), X), "vjp"),
    "jvp": (lambda: leak(lambda f: lambda x: fx.jvp(f, (x,), (x,)), X), "jvp"),
    "cond": (lambda: leak(lambda f: lambda x: lax.cond(True, f, lambda y: y, x), 1.0), "cond"),
    "scan": (lambda: leak(lambda f: lambda x: lax.scan(lambda c, v: (f(c), v), 0.0, x), X), "scan"),
    "while": (lambda: leak(lambda f: lambda x: lax.while_loop(lambda c: c < 0, f, x), 1.0), "while_loop"),
    "eval_shape": (lambda: leak(lambda f: lambda x: fx.eval_shape(f, x), X), "eval_shape"),
}


@pytest.mark.parametrize("make, kind", LEAKS.values(), ids=LEAKS.keys())
def test_use_after_the_end_names_line_and_transformation(make, kind):
    x = make()
    facts = (kind, "leaky", "test_leaks.py", "fnp.sin(x)", "had ended", "Return it from the function")
    uses = [
        lambda: x + 1,
        lambda: fnp.cos(x),
        lambda: float(x.sum()),
        lambda: str(x),
        lambda: bool((x > 0).any()),
        lambda: fx.grad(lambda a: (a * x).sum())(1.0),
        lambda: fx.jit(lambda a: a * x)(1.0),
        lambda: fx.grad(lambda a: a.sum())(x),
        lambda: fx.jit(lambda a: a)(x),
        lambda: fx.vmap(lambda a: a * x)(X),
        lambda: lax.scan(lambda c, v: (c, v * x), 0.0, X),
    ]
    for use in uses:
        says(LeakedTracerError, use, *facts)
    assert "Traced<" in repr(x)


def test_arguments_that_leak_say_so():
    kept = []
    fx.grad(lambda a: (kept.append(a), a)[1])(1.0)
    says(LeakedTracerError, lambda: kept[0] * 2, "argument of that function")


def test_inner_value_used_in_the_outer_function():
    def f(a):
        kept = []
        fx.vmap(lambda b: (kept.append(b * a), b)[1])(X)
        return kept[0].sum()

    says(LeakedTracerError, lambda: fx.grad(f)(1.0), "vmap", "test_leaks.py")


def test_a_vjp_function_used_after_the_outer_trace():
    kept = []
    fx.grad(lambda a: (kept.append(fx.vjp(lambda b: b * a, a)[1]), a)[1])(2.0)
    says(LeakedTracerError, lambda: kept[0](1.0), "grad", "had ended")


def test_after_an_error_the_trace_is_over():
    kept = []

    def f(a):
        kept.append(a)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fx.grad(f)(1.0)
    says(LeakedTracerError, lambda: kept[0] * 2, "had ended")
    same(fx.numpy.sin(X), np.sin(X))


THREADED = {
    "operator": lambda x: x * x,
    "function": lambda x: fnp.sin(x),
    "jit": lambda x: fx.jit(lambda y: y * y)(x),
    "grad": lambda x: fx.grad(lambda y: (y * y).sum())(x),
    "closure": lambda x: fx.grad(lambda y: (y * x).sum())(1.0),
    "vmap": lambda x: fx.vmap(lambda y: y * 2)(x),
    "scan": lambda x: lax.scan(lambda c, v: (c, v), 0.0, x),
}


@pytest.mark.parametrize("work", THREADED.values(), ids=THREADED.keys())
def test_traced_values_do_not_cross_threads(work):
    """Without this a thread would compute with the values, and the derivative would silently be lost."""
    with ThreadPoolExecutor(1) as pool:
        f = lambda x: (pool.submit(work, x).result() + x).sum()
        says(LeakedTracerError, lambda: fx.grad(f)(X), "test_leaks.py", "thread")


def test_threads_transform_independently():
    def work(k):
        return [float(fx.grad(lambda x: x**3 * k)(float(i))) for i in range(20)]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(8)))
    assert results == [[3.0 * i * i * k for i in range(20)] for k in range(8)]


def test_traced_values_cannot_be_pickled_or_converted_by_numpy():
    import pickle

    says(TracerError, lambda: fx.grad(lambda a: pickle.dumps(a))(1.0), "pickled")
    says(TracerError, lambda: fx.grad(lambda a: np.sin(a))(1.0), "NumPy function", "fx.numpy")
