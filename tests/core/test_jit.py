"""jit: what the cache depends on, why it missed, donation, lowering, errors under tracing."""

import math

import numpy as np
import pytest
from against_jax import same, says

import fx
from fx import numpy as fnp
from fx.core.errors import ArgumentError, TracerError

X = np.arange(3.0)


def test_traces_once_per_signature_and_says_why_again():
    f = fx.jit(lambda a, n=2, *, s="k": a * n if s == "k" else a, static_argnums=1, static_argnames="s")
    steps = [
        ((1.0,), {}, 1, "first time"),
        ((2.0,), {}, 1, "first time"),
        ((X,), {}, 2, "a: f32[]~ before, f64[3] now"),
        ((X, 2), {}, 3, "expected tuple of length 1, got tuple of length 2"),
        ((X, 3), {}, 4, "static 1: 2 before, 3 now"),
        ((X,), {"s": "z"}, 5, "['s']: not expected, got a static argument"),
        ((np.float32(1),), {}, 6, "Python scalar"),
        ((X, 3), {}, 6, "Python scalar"),
    ]
    for args, kwargs, count, why in steps:
        f(*args, **kwargs)
        assert f.trace_count == count
        assert why in f.last_miss and "test_jit.py" in f.last_miss
    f.clear_cache()
    assert f.trace_count == 0 and f.last_miss is None
    same(f(X, 5), 5 * X)


def test_config_that_affects_tracing_is_in_the_key():
    f = fx.jit(lambda: fnp.ones(2) * 1.5)
    assert f().dtype == "float32"
    with fx.config(default_float="float64"):
        assert f().dtype == "float64"
    assert f().dtype == "float32" and f.trace_count == 2 and "fx.config changed" in f.last_miss
    with fx.config(check_nans=True):
        f()
    assert f.trace_count == 2


def test_static_values_are_told_apart_exactly():
    first = fx.jit(lambda x, s: x * s[0], static_argnums=1)
    assert [first(3, s).dtype for s in ((1,), (1.0,), (True,), (1,))] == [
        "int64",
        "float32",
        "int64",
        "int64",
    ]
    sign = fx.jit(lambda x, s: x * math.copysign(1, s), static_argnums=1)
    assert [float(sign(3.0, s)) for s in (0.0, -0.0, 0.0)] == [3, -3, 3]


def test_argnums_of_any_integer_type_and_from_the_end():
    assert float(fx.jit(lambda a, b: a * (1 if b == "x" else 2), static_argnums=np.int64(1))(3.0, "x")) == 3
    assert float(fx.jit(lambda a, b: a * (1 if b == "x" else 2), static_argnums=-1)(3.0, b="y")) == 6


def test_lower_shows_the_program_without_running():
    f = fx.jit(lambda a: a @ a)
    lowered = f.lower(fx.ShapeDtype((3, 3), "float32"))
    assert "contract" in lowered.as_text() and "test_jit.py" in repr(lowered) and lowered.cost().flops == 54
    f(np.ones((3, 3), "float32"))
    assert f.trace_count == 1


def test_donated_arrays_are_given_up():
    f = fx.jit(lambda a, b: a + b, donate_argnums=0)
    c = fnp.asarray(X)
    same(f(c, X), 2 * X)
    says(ArgumentError, lambda: c + 1, "donated to", "donate_argnums")
    says(ArgumentError, lambda: f(c, X), "donated to")
    g = fx.jit(lambda p: p["w"] * 2, donate_argnames="p")
    w = fnp.asarray(X)
    same(g(p={"w": w}), 2 * X)
    says(ArgumentError, lambda: np.asarray(w), "donated to")


def test_nothing_is_donated_inside_a_trace():
    f = fx.jit(lambda c: c * 2, donate_argnums=0)
    c = fnp.asarray(np.ones(3))
    same(fx.grad(lambda x: (f(c) * x).sum())(X), np.full(3, 2.0))
    same(c, np.ones(3))


def test_methods():
    @fx.tree.register_static
    class Scale:
        def __init__(self, k):
            self.k = k

        def __eq__(self, other):
            return self.k == other.k

        def __hash__(self):
            return hash(self.k)

        @fx.jit
        def __call__(self, x):
            return x * self.k

    assert [float(Scale(k)(3.0)) for k in (2, 4, 2)] == [6, 12, 6]


def test_disable_jit_runs_python():
    seen = []
    f = fx.jit(lambda x: (seen.append(type(x)), x if x > 0 else -x)[1])
    with fx.config(disable_jit=True):
        assert f(-2.0) == 2.0
    assert seen == [float] and f.trace_count == 0


def test_results_share_no_memory_with_users_arrays():
    x = np.ones((2, 3))
    for f in (
        lambda a: a,
        lambda a: a.T,
        lambda a: a[1:],
        lambda a: a.reshape(3, 2),
        fx.optimization_barrier,
    ):
        y = fx.jit(f)(x)
        before = np.array(y)
        x[:] = x + 1
        same(y, before)


def test_nested_and_inside_other_transformations():
    inner = fx.jit(lambda a, b: {"o": fnp.sin(a) * b})
    outer = fx.jit(lambda a: inner(a, 2.0)["o"] + inner(a, a)["o"])
    same(outer(X), np.sin(X) * (2 + X))
    same(fx.vmap(fx.grad(outer))(X), np.cos(X) * (2 + X) + np.sin(X))
    traces = inner.trace_count
    same(fx.vmap(fx.grad(outer))(2 * X), np.cos(2 * X) * (2 + 2 * X) + np.sin(2 * X))
    assert inner.trace_count == traces


def test_clear_caches():
    f = fx.jit(lambda a: a)
    f(1.0)
    fx.clear_caches()
    assert f.trace_count == 0 and float(f(1.0)) == 1


ASKED = {
    "if": lambda p: p["w"] if p["w"] > 0 else 1.0,
    "and": lambda p: p["w"] > 0 and p["w"] < 3,
    "int": lambda p: fnp.ones(int(p["w"])),
    "float": lambda p: float(p["w"]),
    "item": lambda p: p["w"].item(),
    "range": lambda p: [i for i in range(p["n"])],
    "index": lambda p: [1, 2, 3][p["n"]],
    "shape": lambda p: fnp.ones(p["n"]),
    "format": lambda p: f"{p['w']:.2f}",
    "list": lambda p: p["w"].tolist(),
    "while": lambda p: [None for _ in iter(lambda: p["w"] > 0, False)],
}


@pytest.mark.parametrize("f", ASKED.values(), ids=ASKED.keys())
def test_asking_for_values_names_argument_function_and_line(f):
    name = "p['n']" if "n" in f.__code__.co_consts else "p['w']"
    says(
        TracerError,
        lambda: fx.jit(f)({"w": 1.0, "n": 1}),
        name,
        "<lambda>",
        "test_jit.py",
        "fx.lax.cond",
        "static",
    )


def test_numpy_functions_and_masks_under_jit():
    says(TracerError, lambda: fx.jit(lambda v: np.sin(v))(X), "NumPy function", "fx.numpy")
    says(TracerError, lambda: fx.jit(lambda v: v[v > 0])(X), "shape", "fx.numpy.where", "size=n")


ERRORS = {
    "unhashable": (
        lambda: fx.jit(lambda a, s: a, static_argnums=1)(1.0, [1]),
        ["s is list", "hashable", "tuple"],
    ),
    "unhashable_keyword": (lambda: fx.jit(lambda a, s: a, static_argnames="s")(1.0, s=[1]), ["s is list"]),
    "argnums": (lambda: fx.jit(lambda a: a, static_argnums=5), ["static_argnums=5", "['a']"]),
    "argnames": (lambda: fx.jit(lambda a: a, static_argnames="q"), ["static_argnames='q'", "['a']"]),
    "text": (lambda: fx.jit(lambda a: a)({"k": "abc"}), ["a['k']", "'abc'", "static_argnums"]),
    "object": (lambda: fx.jit(lambda p: 1)({"a": {"b": object()}}), ["p['a']['b']", "object"]),
    "output": (lambda: fx.jit(lambda a: {"k": "s"})(1.0), ["output['k']", "'s'"]),
    "static_and_donated": (
        lambda: fx.jit(lambda a: a, static_argnums=0, donate_argnums=0),
        ["['a']", "both"],
    ),
    "no_function": (lambda: fx.jit(3), ["jit takes a function", "int"]),
}


def test_an_array_in_two_arguments_keeps_its_memory_though_donated():
    f = lambda x, y: (x.T + 1, (y * 2).sum(0) + y, y.T @ x)
    for donated in ((0, 1), (0,)):
        jitted = fx.jit(f, donate_argnums=donated)
        for _ in range(3):
            plain = np.random.default_rng(0).normal(size=(300, 300))
            x = fnp.asarray(plain)
            for a, b in zip(jitted(x, x), f(plain, plain), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
            with pytest.raises(ArgumentError, match="donated"):
                np.asarray(x + 1)


@pytest.mark.parametrize("call, facts", ERRORS.values(), ids=ERRORS.keys())
def test_errors_say(call, facts):
    says(ArgumentError, call, *facts)
