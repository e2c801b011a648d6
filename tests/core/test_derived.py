"""jacfwd, jacrev, hessian, hvp, ravel_pytree, eval_shape, make_program, residuals."""

import jax
import numpy as np
import pytest
from against_jax import agree, cases, same, says

import fx
from fx import numpy as fnp
from fx.core.errors import ArgumentError, DTypeError, ShapeError, TreeError

X = np.arange(3.0) + 1
Z = np.array([1 + 2j, 3 - 1j])
P = {"a": np.arange(6.0).reshape(2, 3), "b": np.float64(2)}


def both_modes(F, f, *args, **options):
    return [J(f, **options)(*args) for J in (F.jacfwd, F.jacrev)]


AGREE = {
    "trees": lambda F, n, L: both_modes(
        F, lambda p, q: {"o": p["a"] @ q, "s": q.sum() * p["b"]}, P, X, argnums=(0, 1)
    ),
    "aux": lambda F, n, L: both_modes(F, lambda p: (n.sin(p), {"a": p * 2}), X, has_aux=True),
    "unused_argument": lambda F, n, L: both_modes(F, lambda p, q: p * 2, X, X, argnums=1),
    "holomorphic": lambda F, n, L: both_modes(F, lambda z: n.exp(z) * z, Z, holomorphic=True),
    "scalar_to_matrix": lambda F, n, L: both_modes(F, lambda t: n.outer(X, X) * n.sin(t), np.float64(0.3)),
    "empty": lambda F, n, L: both_modes(F, lambda a: a * 2, np.zeros(0)),
    "hessian_tree": lambda F, n, L: F.hessian(lambda p: (n.sin(p["a"]) * p["b"] ** 2).sum())(
        {"a": X, "b": np.float64(2)}
    ),
    "hessian_of_vector": lambda F, n, L: F.hessian(lambda p: n.sin(p) * p.sum())(X),
    "hessian_aux": lambda F, n, L: F.hessian(lambda p: (n.sin(p), {"a": p * 2}), has_aux=True)(X),
    "hessian_holomorphic": lambda F, n, L: F.hessian(lambda z: (n.exp(z) * z).sum(), holomorphic=True)(Z),
    "hessian_argnums": lambda F, n, L: F.hessian(lambda a, b: (a * n.sin(b)).sum(), argnums=(0, 1))(X, X),
    "under_jit_and_vmap": lambda F, n, L: F.jit(F.vmap(F.jacrev(lambda a: n.sin(a) * a.sum())))(
        np.stack([X, 2 * X])
    ),
}


@cases(AGREE)
def test_like_jax(case):
    agree(case)


def test_hvp_is_the_hessian_times_a_vector():
    f = lambda p: (fnp.sin(p["a"]) ** 2 * p["a"].sum()).sum()
    v = {"a": np.array([1.0, -2.0, 0.5])}
    same(fx.hvp(f, ({"a": X},), (v,))["a"], fx.hessian(f)({"a": X})["a"]["a"] @ v["a"])
    product, aux = fx.hvp(lambda a: (a @ a, a * 2), (X,), (X,), has_aux=True)
    same((product, aux), (2 * X, 2 * X))
    same(fx.hvp(lambda a, b: (a * b).sum(), (X, X), (X, 2 * X)), (2 * X, X))


def test_jacobian_argnames():
    same(fx.jacfwd(lambda a, b: a * b, argnames="b")(X, b=X), np.diag(X))


def test_ravel_pytree_round_trip():
    p = {"a": X.astype("float32"), "b": (np.int32(3), np.ones((2, 2)))}
    flat, back = fx.ravel_pytree(p)
    assert flat.shape == (8,) and flat.dtype == "float64"
    out = back(flat * 2)
    assert out["a"].dtype == "float32" and out["b"][0].dtype == "int32" and out["b"][1].shape == (2, 2)
    same(out, fx.tree.map(lambda x: x * 2, p))
    empty, restore = fx.ravel_pytree({})
    assert empty.shape == (0,) and restore(empty) == {}
    says(TreeError, lambda: back(np.ones(9)), "(8,)", "(9,)")


def test_eval_shape_computes_nothing():
    def f(a, b=1, kind="k"):
        return {"out": a @ a, "b": b, "none": None}

    out = fx.eval_shape(f, fx.ShapeDtype((1 << 20, 1 << 20), "float32"), b=np.ones(2))
    assert out["out"] == fx.ShapeDtype((1 << 20, 1 << 20), "float32")
    assert out["b"].shape == (2,) and out["none"] is None
    assert out["out"].size == 1 << 40 and out["out"].ndim == 2


def test_residuals_name_what_reverse_mode_keeps():
    def f(p, x):
        h = fx.checkpoint_name(fnp.tanh(x @ p["w"]), "h")
        return (h * h).sum()

    kept = fx.residuals(f, {"w": np.ones((3, 4), "float32")}, np.ones((5, 3), "float32"))
    assert {r.name for r in kept} >= {"argument p['w']", "argument x"}
    assert kept.nbytes == sum(r.nbytes for r in kept) and kept[0].nbytes >= kept[-1].nbytes
    made = [r for r in kept if r.source is not None]
    assert made and all("test_derived.py" in str(r.source) for r in made)
    assert "residuals" in repr(kept) and "argument p['w']" in repr(kept)


def test_residuals_of_a_loop_with_unknown_trips():
    kept = fx.residuals(lambda x: fx.lax.while_loop(lambda v: v < 9.0, lambda v: v * fnp.sin(v) + 2, x), 1.0)
    assert kept[0].nbytes is None and "?" in repr(kept) and kept.nbytes >= 0


def test_residuals_of_checkpoint_are_its_inputs():
    f = lambda x: fnp.sin(fnp.sin(fnp.sin(x))).sum()
    assert [r.name for r in fx.residuals(fx.checkpoint(f), X)] == ["argument x"]
    assert len(fx.residuals(f, X)) == 3


def test_jax_agrees_on_hvp():
    f = lambda n: lambda a: (n.sin(a) ** 3).sum()
    with jax.enable_x64(True):
        wanted = jax.jvp(jax.grad(f(jax.numpy)), (X,), (X,))[1]
        same(fx.hvp(f(fnp), (X,), (X,)), np.asarray(wanted))


ERRORS = {
    "integer_input": (
        DTypeError,
        lambda: fx.jacfwd(lambda p: p["k"] * 1.0)({"k": 3}),
        ["p['k']", "i64[]", "floating"],
    ),
    "text_input": (ArgumentError, lambda: fx.jacfwd(lambda a: 1.0)({"q": "abc"}), ["a['q']", "'abc'"]),
    "integer_output": (DTypeError, lambda: fx.jacrev(lambda a: {"o": a > 0})(X), ["['o']", "bool[3]"]),
    "hvp_of_vector": (ShapeError, lambda: fx.hvp(lambda a: a, (X,), (X,)), ["f64[3]", "scalar"]),
    "hvp_arguments": (TreeError, lambda: fx.hvp(lambda a: a.sum(), X, X), ["fx.hvp(f, (x,), (dx,))"]),
    "no_function": (ArgumentError, lambda: fx.jacfwd(3), ["takes a function"]),
}


@pytest.mark.parametrize("error, call, facts", ERRORS.values(), ids=ERRORS.keys())
def test_errors_say(error, call, facts):
    says(error, call, *facts)
