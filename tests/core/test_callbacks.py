"""debug.print, debug.callback, pure_callback, stop_gradient, named_scope."""

import numpy as np
import pytest
from against_jax import same, says

import fx
from fx import lax, numpy as fnp
from fx.core.errors import ArgumentError, DTypeError, RuleError, ShapeError, TreeError

X = np.arange(3.0) + 1


def shown(capsys, run):
    run()
    return capsys.readouterr().out.splitlines()


def twice(x):
    fx.debug.print("x = {} {k}", x, k="s")
    return x * 2


PRINTS = {
    "eager": (lambda: twice(1.0), ["x = 1.0 s"]),
    "jit_at_every_run": (
        lambda: [f(v) for f in [fx.jit(twice)] for v in (1.0, 2.0)],
        ["x = 1.0 s", "x = 2.0 s"],
    ),
    "vmap": (lambda: fx.vmap(twice)(X), ["x = 1.0 s", "x = 2.0 s", "x = 3.0 s"]),
    "grad": (lambda: fx.grad(twice)(3.0), ["x = 3.0 s"]),
    "jit_vmap_grad": (lambda: fx.jit(fx.vmap(fx.grad(twice)))(X), ["x = 1.0 s", "x = 2.0 s", "x = 3.0 s"]),
    "checkpoint": (lambda: fx.grad(fx.checkpoint(twice))(4.0), ["x = 4.0 s"]),
    "hessian": (lambda: fx.hessian(lambda a: twice(a) * a)(5.0), ["x = 5.0 s"]),
    "jvp": (lambda: fx.jvp(twice, (5.0,), (1.0,)), ["x = 5.0 s"]),
    "scan": (lambda: lax.scan(lambda c, a: (c + a, twice(c)), 0.0, X[:2]), ["x = 0.0 s", "x = 1.0 s"]),
    "cond": (lambda: lax.cond(True, lambda: fx.debug.print("yes"), lambda: fx.debug.print("no")), ["yes"]),
    "while": (
        lambda: lax.while_loop(lambda c: c < 2, lambda c: twice(c) / 2 + 1, 0.0),
        ["x = 0.0 s", "x = 1.0 s"],
    ),
    "format": (
        lambda: fx.jit(lambda a: fx.debug.print("{:.3f} {b[0]} {{}}", a, b=[a]))(1.0),
        ["1.000 1.0 {}"],
    ),
}


@pytest.mark.parametrize("run, lines", PRINTS.values(), ids=PRINTS.keys())
def test_print_under_every_transformation(capsys, run, lines):
    assert shown(capsys, run) == lines


def test_debug_callback_gets_arrays_and_trees():
    got = []
    f = fx.jit(
        lambda a: (fx.debug.callback(lambda t, *, name: got.append((t, name)), {"k": a}, name="n"), a)[1]
    )
    x = np.ones(2)
    f(x)
    x[:] = 9
    ((t, name),) = got
    same(t["k"], np.ones(2))
    assert name == "n"


def host_sin(v):
    return fx.pure_callback(lambda u: np.sin(u), fx.ShapeDtype((), "float64"), v)


def test_pure_callback():
    x = np.float64(0.7)
    same((host_sin(x), fx.jit(host_sin)(x)), (np.sin(x), np.sin(x)))
    same(fx.vmap(host_sin)(X), np.sin(X))
    same(fx.vmap(fx.vmap(host_sin))(np.stack([X, X])), np.sin(np.stack([X, X])))
    same(lax.scan(lambda c, v: (host_sin(c) + v, c), x, X)[0], np.sin(np.sin(np.sin(x) + 1) + 2) + 3)
    wide = lambda v: fx.pure_callback(
        lambda u, w: np.sin(u) + w, fx.ShapeDtype((), "float64"), v, 2.0, vmap_method="expand_dims"
    )
    same(fx.vmap(wide)(X), np.sin(X) + 2)
    same(fx.vmap(host_sin)(np.zeros(0)), np.zeros(0))


def test_callbacks_cannot_write_into_users_arrays():
    def write(u):
        u[0] = 9.0
        return u

    z = np.zeros(3)
    same(fx.pure_callback(write, fx.ShapeDtype((3,), "float64"), z), [9.0, 0.0, 0.0])
    same(z, np.zeros(3))


def test_errors_of_the_callback_are_the_users_own():
    f = fx.jit(lambda v: fx.pure_callback(lambda u: {}["mine"], fx.ShapeDtype((), "float32"), v))
    with pytest.raises(KeyError, match="mine"):
        f(1.0)


def test_stop_gradient_passes_other_leaves():
    tree = {"a": X, "n": 3, "s": "text"}
    assert fx.stop_gradient(tree)["s"] == "text"
    same(fx.grad(lambda a: (a * fx.stop_gradient(a)).sum())(X), X)
    same(fx.jvp(fx.stop_gradient, (X,), (X,))[1], 0 * X)


def test_named_scope_labels_lines():
    def f(x):
        with fx.named_scope("encoder"), fx.named_scope("layer0"):
            y = fnp.sin(x)
        return fnp.cos(y)

    program = fx.make_program(fx.grad(lambda x: f(x)))(1.0)
    scopes = {e.primitive.name: e.source.scope for e in program.equations}
    assert scopes["cos"] == "encoder/layer0" or "encoder/layer0" in str(program)
    text = str(fx.make_program(f)(1.0))
    assert "encoder/layer0" in text.splitlines()[1] and "encoder" not in text.splitlines()[2]


one = fx.ShapeDtype((), "float32")
ERRORS = {
    "shape": (
        ShapeError,
        lambda: fx.pure_callback(lambda u: u, fx.ShapeDtype((2,), "float32"), 1.0),
        ["()", "(2,)"],
    ),
    "tree": (
        TreeError,
        lambda: fx.pure_callback(lambda u: (u, u), one, 1.0),
        ["result", "tuple of length 2"],
    ),
    "nothing": (TreeError, lambda: fx.pure_callback(lambda u: None, one, 1.0), ["None"]),
    "text": (DTypeError, lambda: fx.pure_callback(lambda u: "abc", one, 1.0), ["abc", "f32[]"]),
    "derivative": (
        RuleError,
        lambda: fx.grad(lambda v: fx.pure_callback(np.sin, one, v))(1.0),
        ["sin", "fx.custom_jvp"],
    ),
    "declaration": (
        ArgumentError,
        lambda: fx.pure_callback(np.sin, 3, 1.0),
        ["3", "fx.ShapeDtype(shape, dtype)"],
    ),
    "argument": (ArgumentError, lambda: fx.pure_callback(np.sin, one, "abc"), ["'abc'"]),
    "method": (
        ArgumentError,
        lambda: fx.pure_callback(np.sin, one, 1.0, vmap_method="x"),
        ["'x'", "'sequential'"],
    ),
    "fields": (ArgumentError, lambda: fx.debug.print("{} {}", 1), ["2 positional", "got 1", "{{"]),
    "keyword_field": (ArgumentError, lambda: fx.debug.print("{a}", 1), ["['a']"]),
    "format": (ArgumentError, lambda: fx.debug.print("{", 1), ["not a format string"]),
    "no_format": (ArgumentError, lambda: fx.debug.print(3), ["format string first"]),
    "no_function": (ArgumentError, lambda: fx.debug.callback(3), ["takes a function"]),
    "scope": (ArgumentError, lambda: fx.named_scope(""), ["''"]),
}


@pytest.mark.parametrize("error, call, facts", ERRORS.values(), ids=ERRORS.keys())
def test_errors_say(error, call, facts):
    says(error, call, *facts)
