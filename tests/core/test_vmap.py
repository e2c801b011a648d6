"""vmap: against stacked loops and JAX; axes in every form; chunks; the facts in every error."""

import numpy as np
import pytest
from against_jax import agree, cases, same, says

import fx
from fx import numpy as fnp
from fx.core.errors import ArgumentError, ShapeError, TreeError

X = np.arange(6.0).reshape(3, 2)
V = np.arange(3.0)

AGREE = {
    "axes_and_trees_out": lambda F, n, L: F.vmap(
        lambda a, b: (a @ b, {"z": a * 2}), in_axes=(-1, None), out_axes=(0, -1)
    )(np.ones((2, 3, 4)), np.ones((3, 2))),
    "prefix": lambda F, n, L: F.vmap(lambda p, x: p["w"] * x + p["b"], in_axes=({"w": 0, "b": None}, 0))(
        {"w": V, "b": np.ones(2)}, X
    ),
    "keywords": lambda F, n, L: F.vmap(lambda a, *, k: a + k)(V, k=V),
    "out_none": lambda F, n, L: F.vmap(lambda a, b: (a, b * 2), in_axes=(0, None), out_axes=(0, None))(
        V, np.ones(2)
    ),
    "constant_out": lambda F, n, L: F.vmap(lambda a: np.float64(3))(V),
    "empty_batch": lambda F, n, L: F.vmap(lambda a: n.sin(a) * 2)(np.zeros((0, 2))),
    "nested": lambda F, n, L: F.vmap(F.vmap(lambda a, b: a * b, (None, 0)), (0, None))(V, V),
    "of_grad": lambda F, n, L: F.vmap(F.grad(lambda a, b: (n.sin(a) * b).sum(), (0, 1)), (0, None))(
        X, np.ones(2)
    ),
    "grad_of": lambda F, n, L: F.grad(lambda b: F.vmap(lambda a: n.sin(a * b), 1, 1)(X).sum())(np.ones(3)),
}


@cases(AGREE)
def test_like_jax(case):
    agree(case)


def test_axes_by_parameter_name():
    f = lambda p, q: p + q
    same(fx.vmap(f, in_axes={"q": 0})(np.ones(2), X), 1 + X)
    same(fx.vmap(f, in_axes={"p": 0, "q": None})(V, 2.0), V + 2)


def test_axis_size_alone_repeats():
    same(fx.vmap(lambda: fnp.ones(2), axis_size=3)(), np.ones((3, 2)))
    same(fx.vmap(lambda: fnp.ones(2), axis_size=5, chunk=2)(), np.ones((5, 2)))


def test_arguments_that_are_not_mapped_keep_their_values_and_kinds():
    f = lambda a, n, mode: a * 2 if n > 1 and mode == "twice" else a
    same(fx.vmap(f, (0, None, None))(V, 2, "twice"), 2 * V)
    same(fx.grad(lambda s: fx.vmap(lambda b: b * s if s > 2 else b)(V).sum())(3.0), 3.0)
    inner = lambda a, n: fx.vmap(lambda b: a * b * (3 if n > 1 else 1))(V)
    same(fx.vmap(inner, (0, None))(V, 2), 3 * np.outer(V, V))


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 10])
def test_chunks_give_the_same_in_every_transformation(rows):
    f = lambda p, x: {"o": fnp.sin(x) * p["w"], "s": x.sum()}
    x, p = np.arange(14.0).reshape(7, 2), {"w": np.array([1.0, 2.0])}
    axes = {"in_axes": (None, 0), "out_axes": {"o": 1, "s": 0}}
    whole, chunked = fx.vmap(f, **axes), fx.vmap(f, chunk=rows, **axes)
    same(chunked(p, x), whole(p, x))
    same(fx.jit(chunked)(p, x), whole(p, x))
    loss = lambda m: fx.grad(lambda p: m(p, x)["o"].sum())(p)
    same(loss(chunked), loss(whole))


def test_chunks_with_outputs_that_do_not_vary():
    f = fx.vmap(lambda a, b: (a, b * 2), in_axes=(0, None), out_axes=(0, None), chunk=2)
    for run in (f, fx.jit(f)):
        same(run(np.arange(5.0), np.ones(2)), (np.arange(5.0), np.full(2, 2.0)))


def test_chunks_bound_the_batch():
    seen = []

    def f(x):
        fx.pure_callback(
            lambda v: (seen.append(v.shape), v)[1],
            fx.ShapeDtype((2,), "float64"),
            x,
            vmap_method="expand_dims",
        )
        return x * 2

    same(fx.vmap(f, chunk=2)(np.ones((5, 2))), np.full((5, 2), 2.0))
    assert max((shape[0] for shape in seen), default=0) <= 2


def test_results_are_not_views_of_users_arrays():
    x = np.ones((3, 2))
    y = fx.vmap(lambda a: a)(x)
    x[:] = 5
    same(y, np.ones((3, 2)))


TREE = {"a": np.ones(3), "b": [np.ones(3), np.ones(4)]}
ERRORS = {
    "sizes": (
        ShapeError,
        lambda: fx.vmap(lambda p, q: q)(TREE, np.ones((5, 2))),
        [
            "p['a']: axis 0 of shape (3,), size 3",
            "p['b'][1]: axis 0 of shape (4,), size 4",
            "q: axis 0 of shape (5, 2)",
        ],
    ),
    "axis_size": (ShapeError, lambda: fx.vmap(lambda p: p, axis_size=4)(V), ["axis_size: 4", "p: axis 0"]),
    "no_such_axis": (
        ShapeError,
        lambda: fx.vmap(lambda p, q: q, in_axes=(0, 2))(V, X),
        ["axis 2 of q", "(3, 2)", "None"],
    ),
    "scalar": (ShapeError, lambda: fx.vmap(lambda p: p)(3.0), ["axis 0 of p", "()"]),
    "prefix": (
        TreeError,
        lambda: fx.vmap(lambda p: p, in_axes=({"a": 0, "c": 1},))({"a": V}),
        ["in_axes[0] (p)", "'c'"],
    ),
    "entries": (
        TreeError,
        lambda: fx.vmap(lambda p, q: p, in_axes=(0,))(V, V),
        ["1 entries", "2 positional"],
    ),
    "unknown_name": (TreeError, lambda: fx.vmap(lambda p, q: p, in_axes={"zz": 0})(V, V), ["zz", "p, q"]),
    "text": (ArgumentError, lambda: fx.vmap(lambda p, q: p)(V, "abc"), ["q is str 'abc'"]),
    "axis_leaf": (ArgumentError, lambda: fx.vmap(lambda p: p, in_axes=1.5), ["in_axes", "1.5"]),
    "nothing_mapped": (ArgumentError, lambda: fx.vmap(lambda: 1.0)(), ["no mapped argument", "axis_size"]),
    "out_none": (
        ShapeError,
        lambda: fx.vmap(lambda p: {"k": p}, out_axes=None)(V),
        ["output['k']", "out_axes is None"],
    ),
    "out_axis": (
        ShapeError,
        lambda: fx.vmap(lambda p: {"k": p}, out_axes=3)(V),
        ["out_axes 3", "output['k']"],
    ),
    "out_prefix": (TreeError, lambda: fx.vmap(lambda p: {"k": p}, out_axes={"z": 0})(V), ["out_axes['z']"]),
    "out_text": (ArgumentError, lambda: fx.vmap(lambda p: "abc")(V), ["the output", "'abc'"]),
    "chunk": (ArgumentError, lambda: fx.vmap(lambda p: p, chunk=0), ["chunk=0", "positive"]),
    "chunk_of_named_axis": (
        ArgumentError,
        lambda: fx.vmap(lambda p: p, axis_name="i", chunk=2),
        ["'i'", "chunk=2"],
    ),
    "no_function": (ArgumentError, lambda: fx.vmap(3), ["vmap takes a function"]),
}


@pytest.mark.parametrize("error, call, facts", ERRORS.values(), ids=ERRORS.keys())
def test_errors_say(error, call, facts):
    says(error, call, *facts)
