"""Cases of contractions, sorting, searching, sets, polynomials, functions of functions, dtypes."""

from __future__ import annotations

import numpy as np
from numpy_cases import (
    BOOLS,
    BYTES,
    COL,
    COMPLEX,
    CUBE,
    EMPTY,
    HALF,
    INTS,
    INTS32,
    NANS,
    NATURALS,
    ONE,
    SCALAR,
    SINGLE,
    SPECIAL,
    STRIDED,
    A,
    B,
    C,
    V,
    change,
    each,
)

import fx.numpy as fnp

TABLE = {}
M43 = B.T.copy()
STACK = np.swapaxes(CUBE, 1, 2).copy()

TABLE["matmul"] = each(
    (A, M43),
    (A, V),
    (V, M43),
    (V, V),
    (CUBE, M43),
    (A, STACK),
    (CUBE, STACK),
    (CUBE[:1], STACK),
    (CUBE[:, None], STACK),
    (V, STACK),
    (CUBE, V),
    (INTS, INTS.T),
    (SINGLE, SINGLE.T),
    (COMPLEX, COMPLEX.T),
    (EMPTY, EMPTY.T),
    (EMPTY.T, EMPTY),
    (STRIDED, V),
    (A, INTS.T),
    (HALF, HALF.T),
    (BOOLS, BOOLS.T),
)
TABLE["matmul"] = [
    c._replace(grad=c.args[0].dtype == np.float64 and c.args[1].dtype == np.float64) for c in TABLE["matmul"]
]
TABLE["dot"] = each(
    (A, M43),
    (A, V),
    (V, V),
    (SCALAR, A),
    (A, 2.0),
    (CUBE, M43),
    (A, STACK),
    (CUBE, STACK),
    (INTS, INTS.T),
    (COMPLEX, COMPLEX.T),
)
TABLE["inner"] = each((A, B), (A, V), (V, V), (SCALAR, A), (CUBE, A), (COMPLEX, COMPLEX))
TABLE["vdot"] = each((A, B), (V, V), (COMPLEX, COMPLEX[::-1]), (SCALAR, SCALAR), (INTS, INTS))
TABLE["vecdot"] = each((A, B), (A, V), (COMPLEX, COMPLEX[::-1]), (CUBE, V)) + [C(A, B, axis=0)]
TABLE["matvec"] = each((A, V), (CUBE, V), (CUBE, A[:2]), (CUBE[0], A))
TABLE["vecmat"] = each((V, M43), (V, STACK), (COMPLEX[0], COMPLEX.T))
TABLE["outer"] = each((V, V), (A, V), (SCALAR, V), (INTS[0], A[0]))
TABLE["tensordot"] = [
    C(A, B),
    C(A, M43, 1),
    C(A, V, 0),
    C(CUBE, STACK, ([1, 2], [2, 1])),
    C(CUBE, A, ([1, 2], [0, 1])),
    C(CUBE, CUBE, (0, 0)),
    C(CUBE, A, axes=((-1,), (-1,))),
]
TABLE["kron"] = each((A, B), (V, V), (A, V), (SCALAR, A), (CUBE, A), (INTS, INTS))
TABLE["cross"] = [
    C(A[:, :3], B[:, :3]),
    C(A[0, :3], B[:, :3]),
    C(A, B, axis=0),
    C(A, B.T, axisa=0),
    C(A[:, :3], B[:, :3], axisc=0),
    C(INTS[:, :3], INTS[::-1, :3]),
]
SPECS = [
    ("ij,jk->ik", A, M43),
    ("ij,jk", A, M43),
    ("ba", A),
    ("ij->", A),
    ("ij->j", A),
    ("ii", A[:3, :3]),
    ("ii->i", A[:3, :3]),
    ("iij->j", np.zeros((3, 3, 2)) + 1.5),
    ("ijij->ji", np.arange(36.0).reshape(2, 3, 2, 3)),
    ("...ij,...jk->...ik", CUBE, STACK),
    ("...ij,jk", CUBE, M43),
    ("i...,i...", A, B),
    ("i ... -> ...", A),
    ("...", A),
    ("ij,j->i", A, V),
    ("ij,ij->ij", A, B),
    ("i,j->ij", V, V),
    ("ij,jk,kl->il", A, M43, A),
    ("i,i,i->i", V, V, V),
    ("i,i,i", V, V, V),
    (",ij->ji", SCALAR, A),
    ("bij,bj->bi", CUBE, A[:2]),
    ("ij,jk->ik", COL, A[:1] * 0 + 2.0),
    ("ij,kj->", A, B),
    ("a,b,c->cab", V, ONE, A[0, :3]),
    ("ij,jk->ik", EMPTY.T, EMPTY),
    ("ij,jk->ik", INTS, INTS.T),
    ("ij,jk->ik", COMPLEX, M43),
    ("ij,jk->ik", COL, V[None] * np.ones((1, 1))),
    ("ij,j->i", A, ONE),
    ("...a->...", CUBE),
    ("a...b->b...a", CUBE),
]
TABLE["einsum"] = [C(*spec) for spec in SPECS] + [
    C(A, [0, 1], M43, [1, 2], [0, 2]),
    C(A, [0, 1], M43, [1, 2]),
    C(CUBE, [Ellipsis, 1], V, [1], [Ellipsis]),
    C("ij,jk,kl,lm", A, M43, A, M43, optimize=True),
    C("ij,jk,kl,lm", A, M43, A, M43, optimize=False),
    C("ij,jk,kl->il", A, M43, A, optimize=["einsum_path", (1, 2), (0, 1)]),
    C("ij,jk,kl->il", A, M43, A, optimize="greedy"),
]

TABLE["sort"] = [
    C(A),
    C(A, 0),
    C(A, None),
    C(CUBE, 1),
    C(INTS, 0),
    C(BOOLS),
    C(SPECIAL)._replace(grad=False),
    C(EMPTY, 0),
    C(A, -1, "stable"),
    C(COMPLEX),
    C(STRIDED, 0),
    C(BYTES, 1),
    C(A, stable=True),
]
TABLE["argsort"] = [c._replace(grad=False, args=c.args[:2], kwargs={"stable": True}) for c in TABLE["sort"]]
TABLE["sort_complex"] = [C(A), C(COMPLEX), C(INTS)]
TABLE["lexsort"] = change(
    [C((INTS[0], INTS[1], NATURALS[0])), C((V, INTS[0])), C(INTS), C((INTS, NATURALS), 0)], grad=False
)


def _kth_only(x, kth, axis=-1):
    """The oracle of partition: fx sorts fully."""
    return np.sort(x, axis)


TABLE["partition"] = [
    c._replace(oracle=_kth_only) for c in (C(A, 2), C(A, 1, 0), C(A, [0, 2]), C(A, 3, None), C(INTS, -1))
]
TABLE["argpartition"] = [
    c._replace(oracle=lambda x, k, axis=-1: np.argsort(x, axis, stable=True), grad=False)
    for c in (C(A, 2), C(A, 1, 0))
]
ORDERED = np.array([-1.0, 0.0, 0.0, 0.5, 2.0])
TABLE["searchsorted"] = change(
    [
        C(ORDERED, A),
        C(ORDERED, 0.0),
        C(ORDERED, A, "right"),
        C(ORDERED, np.array([0.0, np.nan]), "right"),
        C(ORDERED[::-1].copy(), A, sorter=np.array([4, 3, 2, 1, 0])),
        C(np.array([1, 3, 5]), NATURALS),
        C(np.zeros(0), A),
        C(ORDERED, 1),
    ],
    grad=False,
)
TABLE["nonzero"] = change([C(A > 0), C(INTS), C(V), C(CUBE > 0), C(EMPTY)], jit=False, grad=False)
TABLE["flatnonzero"] = change([C(A > 0), C(INTS), C(EMPTY), C(NANS)], jit=False, grad=False)
TABLE["argwhere"] = change([C(A > 0), C(INTS), C(EMPTY), C(SCALAR), C(CUBE > 1)], jit=False, grad=False)
TABLE["unravel_index"] = change(
    [C(np.array([0, 5, 11]), (3, 4)), C(7, (2, 2, 2)), C(np.array([[1, 2]]), (3,)), C(0, ())], grad=False
)
TABLE["ravel_multi_index"] = [
    C((np.array([0, 2]), np.array([1, 3])), (3, 4)),
    C((np.array([0, 5]), np.array([-1, 3])), (3, 4), "wrap"),
    C((np.array([0, 5]), np.array([-1, 3])), (3, 4), "clip"),
    C((1, 2), (3, 4)),
]
TABLE["compress"] = change(
    [C([True, False, True], A, 0), C(V > 0, A, 1), C(V > 0, V), C(A.ravel() > 0, A)], jit=False, grad=False
)
TABLE["extract"] = change([C(A > 0, A), C(INTS, INTS)], jit=False, grad=False)
TABLE["isin"] = change(
    [
        C(INTS, NATURALS[0]),
        C(INTS, [1, 2])._replace(args=(INTS, np.array([1, 2]))),
        C(A, V),
        C(A, A[0]),
        C(NANS, np.array([np.nan, A[0, 0]])),
        C(INTS, np.zeros(0, int)),
        C(INTS, NATURALS, invert=True),
        C(COMPLEX, COMPLEX[0]),
        C(3, INTS),
        C(BOOLS, np.array([True])),
    ],
    grad=False,
)
TABLE["unique"] = change(
    [
        C(INTS),
        C(A),
        C(INTS, True, True, True),
        C(INTS % 2, axis=0),
        C(INTS % 2, True, True, True, 1),
        C(NANS),
        C(NANS, equal_nan=False),
        C(BOOLS, return_counts=True),
        C(np.zeros(0)),
        C(COMPLEX),
    ],
    jit=False,
    grad=False,
)
for name in ("unique_all", "unique_counts", "unique_inverse", "unique_values"):
    TABLE[name] = change([C(INTS), C(NANS)], jit=False, grad=False)
TABLE["unique_values"] = [
    c._replace(oracle=lambda x: np.unique(x, equal_nan=False)) for c in TABLE["unique_values"]
]
TABLE["union1d"] = change([C(INTS, NATURALS), C(V, A)], jit=False, grad=False)
TABLE["intersect1d"] = change(
    [C(INTS, NATURALS), C(INTS, NATURALS, return_indices=True), C(A, A[0])], jit=False, grad=False
)
TABLE["setdiff1d"] = change(
    [C(INTS, NATURALS), C(A, A[0]), C(INTS, NATURALS, assume_unique=True)], jit=False, grad=False
)
TABLE["setxor1d"] = change([C(INTS, NATURALS), C(A, A[0])], jit=False, grad=False)
TABLE["take"] = [
    C(A, np.array([0, 3, 3]), 1),
    C(A, 2, 0),
    C(A, np.array([[0, 11]])),
    C(A, [0, -1], axis=0),
    C(A, np.array([0, 9]), 1, mode="clip"),
    C(A, np.array([0, 9, -7]), 1, mode="wrap"),
]
ALONG = np.argsort(A, 1)
TABLE["take_along_axis"] = [C(A, ALONG, 1), C(A, ALONG[:1, :] % 3, 0), C(A, ALONG[:, :2], axis=-1)]
TABLE["put_along_axis"] = [
    C(A, ALONG[:, :1], 9.0, 1)._replace(oracle=lambda x, i, v, axis: _put(x, i, v, axis))
]


def _put(x, i, v, axis):
    x = x.copy()
    np.put_along_axis(x, i, v, axis)
    return x


TABLE["polyval"] = [C(V, A), C(V, 2.0), C(INTS[0], INTS), C(np.zeros(0), A), C(COMPLEX[0], V)]
TABLE["polyadd"] = [C(V, A[0, :2]), C(INTS[0], V), C(ONE, V)]
TABLE["polysub"] = [C(V, A[0, :2]), C(A[0, :2], V)]
TABLE["polymul"] = [C(V, A[0, :2]), C(V, V), C(INTS[0], NATURALS[0])]
TABLE["polydiv"] = [
    C(V, A[0, :2])._replace(rtol=1e-9, oracle=lambda u, v: _padded_division(u, v)),
    C(V, ONE)._replace(oracle=lambda u, v: _padded_division(u, v)),
    C(A[0, :2], V),
]


def _padded_division(u, v):
    q, r = np.polydiv(u, v)
    return q, np.concatenate([np.zeros(max(v.size - 1, 1) - r.size), r])


TABLE["polyder"] = [C(V), C(V, 2), C(INTS[0]), C(ONE), C(V, 0)]
TABLE["polyint"] = [C(V), C(V, 2), C(V, 2, [1.0, 2.0]), C(V, 1, 5.0), C(INTS[0])]
TABLE["poly"] = [C(V), C(np.zeros(0)), C(COMPLEX[0]), C(ONE)]
TABLE["poly"] = [
    c._replace(oracle=lambda r: np.poly(r).astype(r.dtype) if r.size else np.ones(1)) for c in TABLE["poly"]
]
TABLE["roots"] = change(
    [
        C(np.array([1.0, -6.0, 11.0, -6.0])),
        C(np.array([0.0, 1.0, 0.0, -1.0, 0.0])),
        C(np.array([2.0])),
        C(np.zeros(2)),
    ],
    jit=False,
    grad=False,
)
TABLE["roots"] = [c._replace(rtol=1e-7, oracle=lambda p: _sorted_roots(p)) for c in TABLE["roots"]]


def _sorted_roots(p):
    found = np.roots(p)
    return found.astype(np.complex128) if np.any(p) else np.zeros(0)


XF = np.linspace(-1, 2, 9)
YF = np.stack([np.sin(XF), XF**2], 1)
TABLE["polyfit"] = [
    C(XF, YF[:, 0], 3)._replace(rtol=1e-9),
    C(XF, YF, 2)._replace(rtol=1e-9),
    C(XF, YF[:, 0], 2, w=np.linspace(1, 2, 9))._replace(rtol=1e-9),
]

TABLE["select"] = [
    C([A > 0, A < -1], [A, B]),
    C([A > 0], [A], 5.0),
    C([V > 0, A > 0], [V, A], default=-1.0),
    C([BOOLS], [INTS]),
]
TABLE["piecewise"] = [
    C(A, [A < 0, A >= 0], [lambda x: -x, lambda x: x * x])._replace(jit=False, grad=False),
    C(A, [A < 0], [1.0, 2.0]),
    C(A, [A < 0], [3.0]),
]
TABLE["piecewise"] = [c._replace(jit=False, grad=False) for c in TABLE["piecewise"]]
CHOICE = np.array([[0, 1, 2, 0], [2, 2, 1, 0], [0, 0, 1, 1]])
TABLE["choose"] = [
    C(CHOICE, [A, B, V])._replace(jit=False),
    C(CHOICE + 2, [A, B, V], mode="wrap"),
    C(CHOICE * 2 - 1, [A, B, V], mode="clip"),
    C(CHOICE, [1, 2.5, A]),
]
TABLE["apply_along_axis"] = [
    C(lambda v: v.sum(), 0, A),
    C(lambda v: v[::-1] * 2, 1, A),
    C(lambda v: v[:2, None] * v[None, :3], 1, CUBE),
]
TABLE["apply_over_axes"] = [
    C(lambda x, axis: x.sum(axis), CUBE, (0, 2)),
    C(lambda x, axis: x.max(axis), CUBE, 1),
]
TABLE["vectorize"] = []

for name in ("bartlett", "blackman", "hamming", "hanning"):
    TABLE[name] = change([C(0), C(1), C(2), C(7), C(8)], rtol=1e-12)
TABLE["kaiser"] = [C(5, SCALAR), C(7, 8.6), C(1, 3.0), C(8, 0.0)]

TABLE["allclose"] = change(
    [C(A, B), C(A, A + 1e-12), C(NANS, NANS, equal_nan=True), C(INTS, INTS)], grad=False
)
TABLE["array_equal"] = change(
    [C(A, B), C(A, A), C(A, V), C(NANS, NANS), C(NANS, NANS, True), C(INTS, INTS32)], grad=False
)
TABLE["array_equiv"] = change([C(A, B), C(V, V[None]), C(A, V), C(A, CUBE[:, :2, :3])], grad=False)
TABLE["isrealobj"] = each(A, COMPLEX, INTS)
TABLE["iscomplexobj"] = each(A, COMPLEX, INTS)
TABLE["isscalar"] = [C(3.0), C(A)]


def _in_place(change):
    """What one of NumPy's functions leaves of its argument."""

    def oracle(x, *args):
        x = x.copy()
        change(x, *args)
        return x

    return oracle


SOME = A > 0
TABLE["put"] = [
    c._replace(oracle=_in_place(np.put))
    for c in (
        C(A, np.array([0, 5, 5, -1]), np.array([9.0, 8.0, 7.0, 6.0])),
        C(A, [1, 2, 3], 2.5),
        C(A, 3, 2.5),
        C(A, np.array([[1, 2], [3, 4]]), np.array([9.0, 8.0, 7.0])),
        C(INTS, np.array([30, -40]), np.array([5]), "wrap"),
        C(INTS, np.array([30, -40]), np.array([5, 6]), "clip"),
        C(A, np.zeros(0, int), 1.0),
    )
]
TABLE["place"] = [
    c._replace(oracle=_in_place(np.place), jit=False)
    for c in (
        C(A, SOME, np.array([9.0, 8.0, 7.0])),
        C(A, SOME, np.arange(40.0)),
        C(INTS, INTS, np.array([1, 2])),
        C(A, A > 99, np.zeros(0)),
    )
]
TABLE["place"][:2] = change(TABLE["place"][:2], jit=True)
TABLE["putmask"] = [
    c._replace(oracle=_in_place(np.putmask))
    for c in (C(A, SOME, B), C(A, SOME, np.array([9.0, 8.0])), C(INTS, INTS > 0, INTS * 10), C(A, SOME, 2.5))
]
TABLE["mask_indices"] = [
    C(*args)._replace(oracle=lambda n, f, k=0: np.mask_indices(n, getattr(np, f.__name__), k))
    for args in ((3, fnp.triu), (4, fnp.tril, 1), (0, fnp.triu))
]
TABLE["real_if_close"] = [
    c._replace(jit=False)
    for c in (C(A), C(COMPLEX), C(A + 1e-16j), C(A + 1e-12j), C(A + 1e-12j, 1e6), C(INTS))
]
