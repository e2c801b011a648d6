"""Cases of creation, shapes, joining, splitting, padding and matrices by pattern."""

from __future__ import annotations

import numpy as np
from numpy_cases import (
    BOOLS,
    BYTES,
    COL,
    COMPLEX,
    CUBE,
    EMPTY,
    INTS,
    INTS32,
    NATURALS,
    ONE,
    SCALAR,
    SINGLE,
    STRIDED,
    A,
    B,
    C,
    V,
    change,
    each,
)

TABLE = {}

TABLE["asarray"] = [
    C([1, 2, 3]),
    C([[1.0, 2], [3, 4]]),
    C([True, False]),
    C([]),
    C(3),
    C(2.5),
    C(1j),
    C(A),
    C(INTS),
    C(BOOLS),
    C(A, np.float32),
    C([[1, 2], [3, 4]], np.uint8),
    C([1 + 2j, 3]),
    C((1, 2.5)),
    C([np.float32(1), np.int8(1)]),
    C(range(4)),
    C([[]]),
    C([range(2), range(2)]),
    C([True, 2]),
    C([np.arange(3), np.arange(3.0)]),
    C(np.float32(2)),
]
TABLE["array"] = [*TABLE["asarray"], C([1, 2], ndmin=3), C(A, ndmin=4), C(A, copy=True), C(5, ndmin=1)]
for name in ("asanyarray", "ascontiguousarray", "asfortranarray", "asarray_chkfinite"):
    TABLE[name] = [c._replace(jit=False) for c in (C([[1.0, 2], [3, 4]]), C(A), C(INTS), C(STRIDED))]
TABLE["from_dlpack"] = [C(A)._replace(jit=False, grad=False), C(INTS)._replace(jit=False)]
for name in ("zeros", "ones", "empty"):
    TABLE[name] = [
        C(3),
        C((2, 3)),
        C((), np.int32),
        C([2, 0]),
        C((1, 2), bool),
        C(np.int64(3), "complex64"),
        C(2, float),
        C(np.array([2, 3]))._replace(jit=False),
    ]
TABLE["empty"] = change(TABLE["empty"], values=False)
TABLE["full"] = [
    C((2, 3), 7),
    C(3, 2.5),
    C((2, 2), True),
    C((2,), 1.5, np.int32),
    C((3, 4), V),
    C((), 1j),
    C((2, 4), COL[0]),
]
for name in ("zeros_like", "ones_like", "empty_like"):
    TABLE[name] = [C(A), C(INTS), C(SINGLE, np.int8), C(A, shape=(2, 2)), C(SCALAR), C(BOOLS)]
TABLE["empty_like"] = change(TABLE["empty_like"], values=False)
TABLE["full_like"] = [C(A, 3), C(INTS, 2.5), C(A, 2, np.int32), C(A, V), C(SINGLE, 1.5, shape=(2,))]
TABLE["arange"] = [
    C(5),
    C(2, 7),
    C(2, 9, 3),
    C(9, 2, -2),
    C(5.0),
    C(0, 1, 0.1),
    C(1.0, 3.0, 0.5),
    C(3, 1),
    C(5, dtype=np.float32),
    C(0, 5, 1, np.int8),
    C(-3.5, 2),
    C(1, 2, 0.3, dtype=np.float32),
    C(0),
]
TABLE["linspace"] = [
    C(0, 1),
    C(0, 1, 5),
    C(2.0, -1.0, 4),
    C(0, 1, 5, endpoint=False),
    C(0, 1, 1),
    C(0, 1, 0),
    C(0, 1, 5, retstep=True),
    C(0, 1, 1, retstep=True),
    C(0, 10, 4, dtype=int),
    C(V, 2.0, 3),
    C(V, V + 1, 3, axis=1),
    C(V, COL, 5, axis=-1),
    C(1j, 2, 3),
    C(0, 1, 3, dtype=np.float32),
    C(SINGLE, 1, 4),
    C(SINGLE, SINGLE + 1, 3),
    C(0, -10, 4, dtype=int),
]
TABLE["logspace"] = [
    C(0, 2, 5),
    C(0.0, 3.0, 4, base=2.0),
    C(V, 2, 3),
    C(0, 1, 4, endpoint=False),
    C(0, 3, 4, dtype=np.int64),
    C(V, 2, 3, axis=1),
]
TABLE["geomspace"] = [
    C(1, 1000, 4),
    C(1, 256, 9),
    C(-1.0, -1000.0, 4),
    C(1000, 1, 4),
    C(1, 10, 5, endpoint=False),
    C(np.abs(V), 2.0, 3),
    C(1j, 16j, 5),
    C(-1 + 0j, 1 + 0j, 5),
    C(1, 8, 1),
    C(np.abs(V), 2.0, 3, axis=1),
]
TABLE["indices"] = [C((2, 3)), C((2,)), C((2, 3), sparse=True), C((2, 0)), C((2, 3), dtype=np.float64)]
TABLE["fromfunction"] = [C(lambda i, j: i + 2 * j, (3, 4)), C(lambda i, j: i * j, (2, 2), dtype=np.int64)]
TABLE["meshgrid"] = [
    C(V, A[0, :3]),
    C(V, A[0, :3], indexing="ij"),
    C(V, A[0, :3], sparse=True),
    C(V),
    C(V, INTS[0, :2], ONE),
    C(SCALAR, V),
    C(V, ONE, A[0, :2], sparse=True),
]
TABLE["mgrid"] = [C(np.s_[0:3, 1:3]), C(np.s_[0:3]), C(np.s_[0:1:5j, 0:2]), C(np.s_[-1:1:0.5])]
TABLE["ogrid"] = [C(np.s_[0:3, 1:3]), C(np.s_[0:3]), C(np.s_[0:1:5j, 0:2])]
TABLE["r_"] = [C((V, 2.0, np.s_[0:3])), C((A, A)), C(np.s_[0:1:5j]), C((INTS[0], 1))]
TABLE["c_"] = [C((V, V)), C((A, COL)), C((np.s_[0:3], A))]
TABLE["ix_"] = [C([0, 2], [1, 3]), C(INTS[0], NATURALS[1]), C([True, False, True], [1])]

TABLE["eye"] = [C(3), C(2, 4), C(4, 2), C(3, k=1), C(3, 4, -2), C(3, dtype=int), C(0), C(3, k=9)]
TABLE["identity"] = [C(3), C(2, int)]
TABLE["tri"] = [C(3), C(3, 4, 1), C(3, 2, -1), C(2, dtype=int)]
for name in ("tril", "triu"):
    TABLE[name] = [
        C(A),
        C(A, 1),
        C(A, -1),
        C(CUBE),
        C(INTS),
        C(V),
        C(A, 9),
        C(EMPTY),
        C(np.array([[np.nan, np.inf], [1.0, np.nan]]))._replace(grad=False),
    ]
TABLE["diag"] = [
    C(V),
    C(V, 1),
    C(V, -2),
    C(A),
    C(A, 1),
    C(A, -1),
    C(A, 9),
    C(np.zeros(0)),
    C(np.zeros(0), 2),
    C(ONE),
    C(INTS[0]),
    C(np.array([np.nan, 1.0]))._replace(grad=False),
]
TABLE["diagflat"] = [C(A), C(V, 1), C(SCALAR), C(V, -1)]
TABLE["diagonal"] = [C(A), C(A, 1), C(A, -1), C(CUBE), C(CUBE, 0, 1, 2), C(CUBE, 1, 2, 0), C(A, 7), C(EMPTY)]
TABLE["trace"] = [C(A), C(A, 1), C(CUBE), C(CUBE, 0, 1, 2), C(INTS), C(A, dtype=np.float32), C(BOOLS)]
TABLE["vander"] = [
    C(V),
    C(V, 3),
    C(V, 6, increasing=True),
    C(INTS[0], 3),
    C(V, 1),
    C(V, 0),
    C(np.zeros(2)),
    C(COMPLEX[0]),
]
for name in ("tril_indices", "triu_indices"):
    TABLE[name] = [C(3), C(3, 1), C(3, -1, 4)]
    TABLE[name + "_from"] = [C(A), C(A, 1)]
TABLE["diag_indices"] = [C(3), C(2, 3)]
TABLE["diag_indices_from"] = [C(A[:3, :3]), C(np.zeros((2, 2, 2)))]


def _filled(x, val, wrap=False):
    x = x.copy()
    np.fill_diagonal(x, val, wrap)
    return x


TABLE["fill_diagonal"] = [
    c._replace(oracle=_filled)
    for c in (
        C(A, 7.0),
        C(A.T, 7.0),
        C(A.T, 7.0, True),
        C(np.tile(A.T, (3, 1)), 2.0, True),
        C(A, V[:2]),
        C(INTS, 3),
        C(np.zeros((3, 3, 3)), 1.0),
        C(np.tile(A.T, (3, 1)), V),
    )
]

TABLE["shape"] = [C(A), C(SCALAR), C(3.0)]
TABLE["ndim"] = [C(CUBE), C(SCALAR)]
TABLE["size"] = [C(CUBE), C(A, 1), C(EMPTY)]
TABLE["reshape"] = [
    C(A, (4, 3)),
    C(A, -1),
    C(A, (2, -1)),
    C(A, (3, 2, 2)),
    C(SCALAR, (1, 1)),
    C(EMPTY, (3, 0)),
    C(CUBE, (4, 6), order="F"),
    C(STRIDED, 12),
    C(ONE, ()),
    C(EMPTY, (-1, 3)),
]
TABLE["ravel"] = [C(A), C(A, "F"), C(SCALAR), C(EMPTY), C(STRIDED)]
TABLE["transpose"] = [C(A), C(CUBE), C(CUBE, (1, 0, 2)), C(CUBE, (-1, 0, 1)), C(SCALAR), C(V)]
TABLE["permute_dims"] = [C(CUBE, (2, 0, 1))]
TABLE["matrix_transpose"] = [C(A), C(CUBE)]
TABLE["moveaxis"] = [C(CUBE, 0, -1), C(CUBE, (0, 1), (-1, 0)), C(CUBE, [2], [0]), C(A, 0, 0)]
TABLE["swapaxes"] = [C(CUBE, 0, 2), C(CUBE, -1, 1), C(A, 0, 0)]
TABLE["rollaxis"] = [C(CUBE, 2), C(CUBE, 0, 3), C(CUBE, 1, 2), C(CUBE, -1, 1), C(CUBE, 0, -1)]
TABLE["expand_dims"] = [C(A, 0), C(A, -1), C(A, (0, 2)), C(SCALAR, 0), C(A, [1, -1])]
TABLE["squeeze"] = [
    C(COL),
    C(COL, 1),
    C(ONE),
    C(A),
    C(CUBE[:1, :, :1]),
    C(CUBE[:1, :, :1], (0, 2)),
    C(CUBE[:1, :, :1], -1),
    C(SCALAR),
]
TABLE["broadcast_to"] = [
    C(V, (3, 4)),
    C(SCALAR, (2, 3)),
    C(COL, (3, 4)),
    C(A, (3, 4)),
    C(ONE, 5),
    C(ONE, (0,)),
    C(INTS, (2, 3, 4)),
]
TABLE["broadcast_arrays"] = [C(A, V), C(COL, V, SCALAR), C(A)]
TABLE["broadcast_shapes"] = [C((3, 1), (4,)), C((1, 0), (1,)), C(3, (2, 1)), C()]
for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
    TABLE[name] = [C(SCALAR), C(V), C(A), C(CUBE), C(SCALAR, V)]
TABLE["flip"] = [C(A), C(A, 0), C(CUBE, (0, 2)), C(V), C(CUBE, -1), C(SCALAR)]
TABLE["fliplr"] = [C(A), C(CUBE)]
TABLE["flipud"] = [C(A), C(V)]
TABLE["rot90"] = [C(A), C(A, 2), C(A, 3), C(A, -1), C(CUBE, 1, (1, 2)), C(CUBE, 1, (2, 0)), C(A, 4)]
TABLE["roll"] = [
    C(A, 1),
    C(A, -2, 1),
    C(A, 5, 0),
    C(A, (1, 2), (0, 1)),
    C(A, 1, (0, 1)),
    C(EMPTY, 1, 0),
    C(EMPTY, 2),
    C(V, 0),
    C(A, (1, 1), 1),
]
TABLE["astype"] = [
    C(A, np.float32),
    C(A, np.int64),
    C(INTS, bool),
    C(BOOLS, np.float64),
    C(COMPLEX, np.complex64),
    C(A, np.float64),
]
TABLE["copy"] = each(A, SCALAR, STRIDED)

TABLE["concatenate"] = [
    C([A, B]),
    C([A, B], 1),
    C([A, COL], axis=1),
    C((V, ONE)),
    C([A, B], None),
    C([A, INTS]),
    C([SINGLE, INTS32]),
    C([A, B], -1),
    C([A]),
    C([EMPTY, EMPTY]),
    C([A, SINGLE], dtype=np.float32),
    C(CUBE),
]
TABLE["concat"] = TABLE["concatenate"][:2]
TABLE["stack"] = [
    C([A, B]),
    C([A, B], 1),
    C([A, B], -1),
    C([SCALAR, SCALAR]),
    C([A, INTS]),
    C([A]),
    C([1.0, SCALAR]),
    C(CUBE),
    C([1, 2]),
]
TABLE["unstack"] = [C(A), C(A, axis=1), C(CUBE, axis=-1), C(EMPTY)]
TABLE["vstack"] = [C([V, V]), C([A, V]), C([A, B]), C([SCALAR, SCALAR])]
TABLE["hstack"] = [C([V, ONE]), C([A, COL]), C([SCALAR, V])]
TABLE["dstack"] = [C([V, V]), C([A, B]), C([CUBE, CUBE])]
TABLE["column_stack"] = [C([V, V]), C([V[:3], A]), C([A, B])]
TABLE["block"] = [
    C([A, B]),
    C([[A, COL], [B, COL]]),
    C([V, ONE]),
    C([[1.0, 2.0], [3.0, 4.0]]),
    C(A),
    C([[SCALAR, V]]),
]
TABLE["split"] = [C(A, 3), C(A, 2, 1), C(A, [1, 2]), C(A, [1, 3], 1), C(V, [0, 9]), C(V, [3, 1]), C(V, [-1])]
TABLE["array_split"] = [C(V, 3), C(A, 2), C(A, [1], 1), C(V, 7), C(A, np.array([1, 2]))._replace(jit=False)]
TABLE["hsplit"] = [C(A, 2), C(V, 2), C(A, [1])]
TABLE["vsplit"] = [C(A, 3), C(A, [1])]
TABLE["dsplit"] = [C(CUBE, 2), C(CUBE, [1, 3])]
TABLE["tile"] = [C(A, 2), C(V, (2, 3)), C(A, (2, 1, 1)), C(SCALAR, 3), C(CUBE, (1, 2)), C(A, ()), C(V, 0)]
TABLE["repeat"] = [
    C(A, 2),
    C(A, 3, 0),
    C(A, 2, axis=-1),
    C(A, [1, 0, 2], 0),
    C(A, np.array([1, 2, 0, 1]), 1)._replace(jit=False),
    C(SCALAR, 3),
    C(V, 0),
    C(V, [2]),
    C(CUBE, 2, 1),
]
TABLE["append"] = [
    C(A, B),
    C(V, ONE),
    C(A, B, 0),
    C(A, COL, axis=1),
    C(V, [1.0, 2.0])._replace(args=(V, np.array([1.0, 2.0]))),
    C(INTS, 2.5),
]
TABLE["delete"] = [
    C(V, 1),
    C(V, [0, 2]),
    C(A, 1, 0),
    C(A, [0, -1], axis=1),
    C(A, slice(0, 3, 2), 1),
    C(A, 2),
    C(V, [True, False, True, False]),
    C(V, []),
    C(V, slice(None, None, -1)),
]
TABLE["insert"] = [
    C(V, 1, 5.0),
    C(V, [1, 3], 5.0),
    C(V, [1, 3], [5.0, 6.0]),
    C(V, [3, 1], [5.0, 6.0]),
    C(A, 1, 5.0, axis=0),
    C(A, 1, V, axis=0),
    C(A, [1], V[:3, None], axis=1),
    C(A, 2, np.arange(3.0), axis=1),
    C(V, slice(1, 3), 9.0),
    C(V, -1, 2.0),
    C(V, [2, 2], [7.0, 8.0]),
    C(INTS, 1, 2.7, 0),
    C(V, [1], [5.0, 6.0]),
    C(A, 3, 1.0),
    C(V, 4, 1.0),
    C(V, [], []),
]
TABLE["resize"] = [C(A, (2, 3)), C(A, (5, 4)), C(V, 7), C(EMPTY, (2, 2)), C(SCALAR, (2, 2)), C(A, (0, 2))]
TABLE["trim_zeros"] = change(
    [
        C(np.array([0.0, 0, 1, 2, 0])),
        C(np.array([0, 0, 1, 2, 0]), "f"),
        C(np.array([0, 1, 0]), "b"),
        C(np.zeros(3)),
        C(np.zeros(3), "f"),
        C(np.zeros(3), "b"),
        C(V),
    ],
    jit=False,
)

TABLE["pad"] = [
    C(A, 1),
    C(A, ((1, 2), (0, 3))),
    C(A, (1, 2)),
    C(V, 2, constant_values=5.0),
    C(A, 1, constant_values=((1, 2), (3, 4))),
    C(V, 0),
    C(A, {0: 1, -1: (0, 2)}),
    C(V, (2, 3), "edge"),
    C(A, 2, "edge"),
    C(V, (2, 3), "wrap"),
    C(V, (9, 6), "wrap"),
    C(A, ((1, 0), (2, 5)), "wrap"),
    C(V, (2, 3), "reflect"),
    C(V, (9, 7), "reflect"),
    C(V, (9, 7), "symmetric"),
    C(V, (2, 1), "symmetric"),
    C(A, 1, "reflect", reflect_type="odd"),
    C(V, (9, 7), "reflect", reflect_type="odd"),
    C(V, (2, 3), "symmetric", reflect_type="odd"),
    C(V, (9, 10), "symmetric", reflect_type="odd"),
    C(ONE, 2, "reflect"),
    C(ONE, 3, "symmetric"),
    C(V, (3, 2), "linear_ramp"),
    C(V, (3, 2), "linear_ramp", end_values=(5.0, -4.0)),
    C(INTS, 2, "linear_ramp", end_values=7),
    C(A, 2, "maximum"),
    C(A, 2, "minimum", stat_length=2),
    C(A, (1, 2), "mean"),
    C(A, 2, "mean", stat_length=((1, 2), (3, 1))),
    C(A, 1, "median"),
    C(INTS, 1, "mean"),
    C(INTS, 1, "maximum"),
    C(INTS, 2, "median", stat_length=3),
    C(SCALAR, 0),
    C(BOOLS, 1, constant_values=True),
    C(EMPTY, 1),
    C(A, ((1,), (2,))),
    C(BYTES, 1, "edge"),
    C(INTS, 1, constant_values=3),
    C(V, 2, "empty")._replace(values=False),
]
