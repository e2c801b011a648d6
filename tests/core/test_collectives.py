"""psum, pmean, pmax, pmin, all_gather, ppermute, axis_index: against sums over the stacked axis."""

import numpy as np
import pytest
from against_jax import agree, cases, same, says

import fx
from fx import lax, numpy as fnp
from fx.core.errors import ArgumentError

A = np.random.default_rng(0).normal(size=(3, 4))

# (with collectives, for one row) and (the same over the whole array)
PAIRS = {
    "psum": (lambda v: v * lax.psum(v**2, "i"), lambda a: a * (a**2).sum(0)),
    "pmean": (lambda v: fnp.sin(lax.pmean(v, "i")) * v, lambda a: fnp.sin(a.mean(0)) * a),
    "pmax": (lambda v: v * lax.pmax(v, "i"), lambda a: a * a.max(0)),
    "pmin": (lambda v: v - lax.pmin(v, "i") * v, lambda a: a - a.min(0) * a),
    "all_gather": (lambda v: (lax.all_gather(v, "i") ** 2).sum(0) * v, lambda a: (a**2).sum(0) * a),
    "all_gather_tiled": (
        lambda v: (lax.all_gather(v, "i", tiled=True) ** 3).sum() * v,
        lambda a: (a**3).sum() * a,
    ),
    "all_gather_axis": (lambda v: lax.all_gather(v, "i", axis=1)[:, 0] * v, lambda a: a[0] * a),
    "ppermute": (
        lambda v: v * lax.ppermute(v, "i", [(0, 1), (1, 2)]),
        lambda a: a * fnp.concatenate([fnp.zeros((1, 4), "float64"), a[:2]]),
    ),
    "axis_index": (lambda v: v * lax.axis_index("i"), lambda a: a * np.arange(3.0)[:, None]),
    "axis_size": (lambda v: v * lax.psum(1, "i"), lambda a: a * 3),
}


@cases(PAIRS)
def test_over_one_axis(case):
    row, whole = case
    mapped = fx.vmap(row, axis_name="i")
    same(mapped(A), whole(A))
    same(fx.vmap(fx.jit(row), axis_name="i")(A), whole(A))
    same(fx.jit(mapped)(A), whole(A))
    loss = lambda f: lambda a: (f(a) ** 2).sum()
    same(fx.grad(loss(mapped))(A), fx.grad(loss(whole))(A))
    same(fx.grad(loss(fx.vmap(fx.checkpoint(row), axis_name="i")))(A), fx.grad(loss(whole))(A))
    same(fx.jvp(mapped, (A,), (A,)), fx.jvp(whole, (A,), (A,)))
    same(fx.jvp(fx.grad(loss(mapped)), (A,), (A,)), fx.jvp(fx.grad(loss(whole)), (A,), (A,)))


@cases(PAIRS)
def test_with_another_mapped_axis(case):
    row, whole = case
    stack = np.stack([A, A + 1], 1)
    wanted = np.stack([np.asarray(whole(A)), np.asarray(whole(A + 1))])
    same(fx.vmap(fx.vmap(row, axis_name="i"), in_axes=1)(stack), wanted)


def test_inside_control_flow_and_custom_rules():
    loop = lambda v: lax.scan(lambda c, a: (lax.psum(c, "i") * a * 0.1, c), v, np.ones(3))[0]
    v = A
    for _ in range(3):
        v = np.broadcast_to(v.sum(0) * 0.1, A.shape)
    same(fx.vmap(loop, axis_name="i")(A), v)
    branch = lambda v: lax.cond(True, lambda r: lax.psum(r, "i"), lambda r: r, v)
    same(fx.vmap(branch, axis_name="i")(A), np.broadcast_to(A.sum(0), A.shape))


GRAD_INSIDE = {
    "psum": lambda F, n, L: F.vmap(F.grad(lambda v: L.psum(v**2, "i").sum()), axis_name="i")(A),
    "pmean": lambda F, n, L: F.vmap(F.grad(lambda v: (L.pmean(v**2, "i") * v).sum()), axis_name="i")(A),
    "two_names": lambda F, n, L: F.vmap(
        lambda r: F.vmap(lambda v: L.psum(v, "j") * L.axis_index("i") + L.psum(v, "i"), axis_name="j")(r),
        axis_name="i",
    )(A),
    "tuple_of_names": lambda F, n, L: F.vmap(
        lambda r: F.vmap(lambda v: L.psum(v, ("i", "j")), axis_name="j")(r), axis_name="i"
    )(A),
    "shadowed": lambda F, n, L: F.vmap(
        lambda r: F.vmap(lambda v: L.psum(v, "i"), axis_name="i")(r) + L.psum(r, "i"), axis_name="i"
    )(A),
    "integers": lambda F, n, L: F.vmap(lambda r: (L.psum(r, "i"), L.pmax(r, "i")), axis_name="i")(
        A.astype("int32")
    ),
    "not_varying": lambda F, n, L: F.vmap(lambda r: L.psum(np.float64(2.0), "i") + r, axis_name="i")(A),
    "tree": lambda F, n, L: F.vmap(lambda r: L.psum({"a": r, "b": (r, 2)}, "i"), axis_name="i")(A),
}


@cases(GRAD_INSIDE)
def test_like_jax(case):
    agree(case)


def test_a_jitted_function_sees_the_size_of_the_axis_it_is_called_under():
    mean = fx.jit(lambda v: lax.pmean(v, "i"))
    for n in (2, 4, 2):
        same(fx.vmap(mean, axis_name="i")(np.arange(float(n))), np.full(n, (n - 1) / 2))
    assert mean.trace_count == 2
    assert "named axes: {'i': 2} before, {'i': 4} now" in mean.last_miss
    says(ArgumentError, lambda: mean(1.0), "'i'", "none")


ERRORS = {
    "no_axis": (lambda: lax.psum(1.0, "zz"), ["'zz'", "mapped: none", "axis_name='zz'"]),
    "other_axis": (lambda: fx.vmap(lambda v: lax.psum(v, "j"), axis_name="i")(A), ["'j'", "['i']"]),
    "outside": (
        lambda: fx.vmap(lambda v: lax.ppermute(v, "i", [(0, 9)]), axis_name="i")(A),
        ["(0, 9)", "size 3"],
    ),
    "twice": (lambda: fx.vmap(lambda v: lax.ppermute(v, "i", [(0, 1), (0, 2)]), axis_name="i")(A), ["twice"]),
    "no_pairs": (
        lambda: fx.vmap(lambda v: lax.ppermute(v, "i", [0, 1]), axis_name="i")(A),
        ["(source, target)", "[0, 1]"],
    ),
    "gather_axis": (
        lambda: fx.vmap(lambda v: lax.all_gather(v, "i", axis=4), axis_name="i")(A),
        ["axis 4", "2 axes"],
    ),
    "text": (lambda: fx.vmap(lambda v: lax.psum("a", "i"), axis_name="i")(A), ["str", "'a'"]),
}


@pytest.mark.parametrize("call, facts", ERRORS.values(), ids=ERRORS.keys())
def test_errors_say(call, facts):
    says(ArgumentError, call, *facts)
