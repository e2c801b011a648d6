"""Cases of reductions, running reductions, statistics and differences."""

from __future__ import annotations

import numpy as np
from numpy_cases import (
    BOOLS,
    BYTES,
    COMPLEX,
    CUBE,
    EMPTY,
    HALF,
    INTS,
    INTS32,
    NANS,
    NATURALS,
    ONE,
    POSITIVE,
    SCALAR,
    SINGLE,
    STRIDED,
    A,
    B,
    C,
    V,
    change,
)

TABLE = {}
MASK = A > -0.5
AXES = [
    C(A),
    C(A, axis=0),
    C(A, axis=-1),
    C(A, axis=(0, 1)),
    C(A, axis=()),
    C(CUBE, axis=(0, 2)),
    C(CUBE, axis=1, keepdims=True),
    C(CUBE, keepdims=True),
    C(SCALAR),
    C(ONE),
    C(STRIDED, axis=0),
    C(SINGLE, axis=1),
    C(CUBE, axis=(2, 0)),
]
ENDS = [C(EMPTY, axis=1), C(EMPTY, axis=0), C(EMPTY)]
OTHERS = [C(INTS, axis=0), C(INTS32), C(BYTES, axis=1), C(BOOLS, axis=0)]
WEIGHTED = [C(A, axis=0, where=MASK), C(A, where=V > 0), C(CUBE, axis=(0, 1), where=MASK, keepdims=True)]

for name in ("sum", "prod"):
    TABLE[name] = (
        AXES
        + ENDS
        + OTHERS
        + WEIGHTED
        + [
            C(A, axis=0, initial=3.0),
            C(INTS, dtype=np.float64),
            C(COMPLEX, axis=1),
            C(A, 1, np.float32),
            C(A, axis=1, where=MASK, initial=2.0),
            C(HALF, axis=0),
            C(NANS, axis=1)._replace(grad=False),
        ]
    )
TABLE["prod"] += [C(np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]), axis=1)]
for name in ("max", "min"):
    TABLE[name] = (
        AXES
        + OTHERS
        + [
            C(EMPTY, axis=1),
            C(EMPTY, axis=0, initial=-1.0),
            C(A, axis=0, initial=0.0),
            C(A, axis=0, where=MASK, initial=-1.0),
            C(NANS, axis=1)._replace(grad=False),
            C(np.array([1.0, 3.0, 3.0, 1.0])),
            C(EMPTY, axis=0, initial=2.0, keepdims=True),
        ]
    )
    TABLE["a" + name] = TABLE[name][:3]
for name in ("any", "all"):
    TABLE[name] = change(
        AXES + ENDS + OTHERS + WEIGHTED + [C(NANS), C(A > 9), C(A > -9), C(COMPLEX)], grad=False
    )
TABLE["count_nonzero"] = change(AXES + ENDS + OTHERS, grad=False)
for name in ("argmax", "argmin"):
    TABLE[name] = change(
        [
            C(A),
            C(A, axis=0),
            C(A, axis=1, keepdims=True),
            C(A, keepdims=True),
            C(CUBE, axis=-1),
            C(SCALAR),
            C(INTS, axis=0),
            C(BOOLS, axis=1),
            C(NANS, axis=1),
            C(STRIDED, axis=0),
            C(BYTES),
            C(np.array([1.0, 3.0, 3.0, 1.0])),
        ],
        grad=False,
    )
TABLE["ptp"] = [C(A), C(A, axis=0), C(CUBE, axis=(0, 1), keepdims=True), C(INTS, axis=1)]
TABLE["mean"] = (
    AXES
    + ENDS
    + OTHERS
    + WEIGHTED
    + [C(COMPLEX, axis=0), C(HALF, axis=0), C(INTS, dtype=np.float32), C(NANS, axis=0)._replace(grad=False)]
)
for name in ("var", "std"):
    TABLE[name] = (
        AXES
        + OTHERS
        + WEIGHTED
        + [
            C(A, axis=0, ddof=1),
            C(A, axis=1, correction=1),
            C(COMPLEX, axis=0),
            C(A + 1e8, axis=0)._replace(rtol=1e-7),
            C(A, axis=0, mean=A.mean(0, keepdims=True)),
            C(HALF, axis=1),
            C(A, axis=1, where=MASK, ddof=1),
            C(EMPTY, axis=0),
            C(ONE, ddof=1)._replace(grad=False),
            C(NANS, axis=1)._replace(grad=False),
        ]
    )
TABLE["std"] = [
    c._replace(
        grad=c.grad and c.args[0] is not SCALAR and c.args[0] is not ONE and c.kwargs.get("axis") != ()
    )
    for c in TABLE["std"]
]
TABLE["average"] = [
    C(A),
    C(A, 0),
    C(A, 0, np.array([1.0, 2.0, 3.0])),
    C(A, 1, POSITIVE),
    C(A, weights=POSITIVE),
    C(A, 0, returned=True),
    C(A, 1, POSITIVE, returned=True),
    C(INTS, 0),
    C(INTS, 0, np.array([1, 2, 3])),
    C(A, (0, 1), POSITIVE),
    C(CUBE, 1, returned=True),
    C(CUBE, (2, 0), np.abs(CUBE[:, 0, :]).T),
    C(A, 1, POSITIVE, keepdims=True),
]

NAN_AXES = [
    C(NANS),
    C(NANS, axis=0),
    C(NANS, axis=1),
    C(NANS, axis=1, keepdims=True),
    C(A, axis=0),
    C(INTS, axis=0),
    C(NANS.astype(np.float32), axis=0),
]
ALL_NAN = np.array([[np.nan, np.nan], [1.0, np.nan]])
for name in ("nansum", "nanprod", "nanmean", "nanmax", "nanmin", "nanvar", "nanstd", "nanmedian"):
    TABLE[name] = change([*NAN_AXES, C(ALL_NAN, axis=1), C(ALL_NAN, axis=0)], grad=False)
for name in ("nansum", "nanprod", "nanmax", "nanmin"):
    TABLE[name] += [C(NANS, axis=0, initial=1.0)._replace(grad=False)]
TABLE["nanvar"] += [C(NANS, axis=1, ddof=1)._replace(grad=False)]
TABLE["nanstd"] += [C(NANS, axis=1, ddof=1)._replace(grad=False)]
for name in ("nancumsum", "nancumprod"):
    TABLE[name] = change([C(NANS), C(NANS, axis=0), C(NANS, axis=1), C(INTS, axis=1)], grad=False)
for name in ("nanargmax", "nanargmin"):
    TABLE[name] = change(
        [C(NANS), C(NANS, axis=0), C(NANS, axis=1, keepdims=True), C(A, axis=1), C(INTS, axis=0)], grad=False
    )
    NO_ALL_NAN = np.where(np.isnan(NANS).all(0), A, NANS)
    NO_ALL_NAN = np.where(np.isnan(NO_ALL_NAN).all(1, keepdims=True), A, NO_ALL_NAN)
    TABLE[name] = [c._replace(args=(NO_ALL_NAN,)) if c.args[0] is NANS else c for c in TABLE[name]]

TABLE["median"] = [
    C(A),
    C(A, axis=0),
    C(A, axis=1),
    C(CUBE, axis=(0, 2), keepdims=True),
    C(INTS, axis=1),
    C(SCALAR),
    C(EMPTY, axis=0),
    C(NANS, axis=0)._replace(grad=False),
    C(SINGLE, axis=0),
    C(np.array([1.0, np.inf])),
    C(np.array([np.inf, np.inf, -np.inf, 1.0])),
    C(HALF, axis=0),
]
TABLE["median"] = [c._replace(grad=c.grad and np.isfinite(c.args[0]).all()) for c in TABLE["median"]]
METHODS = (
    "linear",
    "lower",
    "higher",
    "midpoint",
    "nearest",
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "median_unbiased",
    "normal_unbiased",
)
QS = np.array([0.0, 0.1, 0.25, 0.5, 0.74, 0.75, 1.0])
TABLE["quantile"] = [
    C(A, 0.3),
    C(A, 0.5, 0),
    C(A, QS, 1),
    C(A, [0.2, 0.8], axis=0),
    C(INTS, 0.4, 1),
    C(CUBE, QS[:4].reshape(2, 2), (0, 2)),
]
TABLE["quantile"] += [
    C(A, 0.3, axis=1, keepdims=True),
    C(A, [0.3, 0.4], axis=(0, 1), keepdims=True),
    C(SINGLE, 0.3, 0),
    C(SCALAR, 0.5),
]
TABLE["quantile"] += [C(A, QS, 1, method=m)._replace(grad=False) for m in METHODS] + [
    C(V, QS, method=m)._replace(grad=False) for m in METHODS
]
TABLE["quantile"] += [C(NANS, 0.4, 0)._replace(grad=False), C(np.arange(11.0), 0.3)]
TABLE["percentile"] = [
    C(A, 30),
    C(A, [10, 50, 99.5], axis=0),
    C(A, 25.0, 1, method="hazen"),
    C(INTS, 40, 1),
    C(SINGLE, 12.5, 0),
]
TABLE["nanquantile"] = change(
    [C(NANS, 0.3), C(NANS, QS, 0), C(NANS, 0.5, 1, keepdims=True), C(A, 0.2, 0), C(ALL_NAN, 0.5, 1)],
    grad=False,
)
TABLE["nanquantile"] += change([C(NANS, [0.3, 0.8], 1, method=m) for m in METHODS], grad=False)
TABLE["nanpercentile"] = change([C(NANS, 30), C(NANS, [25, 75], 0)], grad=False)

for name in ("cumsum", "cumprod"):
    TABLE[name] = [
        C(A),
        C(A, 0),
        C(A, axis=-1),
        C(CUBE, 1),
        C(SCALAR),
        C(EMPTY, 0),
        C(INTS, 1),
        C(INTS32, 0),
        C(BOOLS, 1),
        C(A, 0, np.float32),
        C(COMPLEX, 0),
        C(BYTES),
    ]
for name in ("cumulative_sum", "cumulative_prod"):
    TABLE[name] = [
        C(V),
        C(A, axis=0),
        C(A, axis=1, include_initial=True),
        C(INTS, axis=0, dtype=np.float64),
        C(ONE),
    ]

TABLE["diff"] = [
    C(A),
    C(A, axis=0),
    C(A, 2),
    C(A, n=0),
    C(A, 7),
    C(INTS, axis=0),
    C(BOOLS),
    C(A, prepend=0.0),
    C(A, axis=0, append=V[None]),
    C(A, prepend=A[:, :1], append=2.0),
    C(EMPTY, axis=1),
    C(COMPLEX),
]
TABLE["ediff1d"] = [
    C(A),
    C(V, to_end=[1.0, 2.0], to_begin=0.5)._replace(
        args=(V,), kwargs={"to_end": np.array([1.0, 2.0]), "to_begin": 0.5}
    ),
    C(INTS),
    C(ONE),
]
TABLE["trapezoid"] = [
    C(A),
    C(A, axis=0),
    C(A, dx=0.5),
    C(A, V),
    C(A, B, axis=0),
    C(INTS),
    C(CUBE, np.array([0.0, 1.0, 3.0]), axis=1),
    C(COMPLEX, V),
]
XS = np.array([0.0, 0.5, 2.0, 2.5])
TABLE["gradient"] = [
    C(V),
    C(V, 0.5),
    C(V, XS),
    C(A),
    C(A, 2.0, 0.5),
    C(A, np.array([0.0, 1.0, 4.0]), XS),
    C(A, axis=1),
    C(A, XS, axis=1),
    C(V, edge_order=2),
    C(V, XS, edge_order=2),
    C(A, axis=0, edge_order=2),
    C(np.array([1.0, 3.0])),
    C(INTS),
    C(A, axis=(1, 0)),
]

TABLE["cov"] = [
    C(A),
    C(A, B),
    C(V),
    C(V, V[::-1]),
    C(A, rowvar=False),
    C(A, bias=True),
    C(A, ddof=2),
    C(COMPLEX),
    C(INTS),
    C(A, fweights=np.array([1, 2, 3, 1])),
    C(A, aweights=np.array([0.5, 2.0, 1.0, 1.0])),
    C(A, fweights=np.array([1, 2, 3, 1]), aweights=np.array([0.5, 2.0, 1.0, 1.0])),
    C(ONE)._replace(grad=False),
]
TABLE["corrcoef"] = [C(A), C(A, B), C(V, V[::-1]), C(A, rowvar=False), C(COMPLEX), C(V)]
COUNTED = np.array([0, 1, 1, 3, 2, 1, 7])
TABLE["bincount"] = change(
    [
        C(COUNTED),
        C(COUNTED, np.linspace(0, 1, 7)),
        C(COUNTED, minlength=10),
        C(np.zeros(0, int)),
        C(COUNTED.astype(np.uint8)),
    ],
    jit=False,
)
RISING = np.array([-1.0, 0.0, 0.5, 1.5])
TABLE["digitize"] = change(
    [
        C(A, RISING),
        C(A, RISING[::-1]),
        C(A, RISING, right=True),
        C(A, RISING[::-1], right=True),
        C(INTS, np.array([-2, 0, 3])),
        C(np.array([0.5, 0.0]), RISING),
        C(np.array([np.nan, 2.0]), RISING),
    ],
    grad=False,
)
TABLE["histogram"] = change(
    [
        C(A),
        C(A, 5),
        C(A, RISING),
        C(A, 4, (-1.0, 1.0)),
        C(A, 5, weights=POSITIVE),
        C(A, 5, density=True),
        C(INTS, 4),
        C(INTS, np.array([-5, 0, 2, 5])),
        C(A, RISING, density=True),
        C(np.ones(3), 2),
        C(INTS, 3, weights=INTS32),
    ],
    grad=False,
    jit=False,
)
TABLE["histogram_bin_edges"] = change(
    [C(A), C(A, 4), C(A, 3, (0.0, 2.0)), C(INTS, 5), C(A, RISING), C(EMPTY, 2)], grad=False, jit=False
)
TABLE["histogram2d"] = change(
    [
        C(A.ravel(), B.ravel()),
        C(A.ravel(), B.ravel(), 4),
        C(A.ravel(), B.ravel(), [RISING, RISING]),
        C(A.ravel(), B.ravel(), 3, density=True),
        C(A.ravel(), B.ravel(), RISING),
    ],
    grad=False,
    jit=False,
)
TABLE["histogramdd"] = change(
    [
        C(A, 3),
        C(A[:, :2], (2, 3)),
        C(A[:, :2], 2, ((-1.0, 1.0), (-2.0, 2.0))),
        C(A[:, :2], 2, weights=np.array([1.0, 2.0, 3.0])),
    ],
    grad=False,
    jit=False,
)
TABLE["convolve"] = [
    C(V, ONE),
    C(V, A[0, :3]),
    C(A[0, :3], V),
    C(V, A[0, :3], "same"),
    C(V, A[0, :2], "same"),
    C(V, A[0, :3], "valid"),
    C(NATURALS[0], INTS[1]),
    C(COMPLEX[0], V),
    C(SCALAR, V),
]
TABLE["correlate"] = [
    C(V, A[0, :3]),
    C(A[0, :3], V),
    C(V, A[0, :3], "same"),
    C(A[0, :2], V, "same"),
    C(V, A[0, :3], "full"),
    C(A[0, :3], V, "full"),
    C(COMPLEX[0], COMPLEX[1, :2], "full"),
    C(COMPLEX[0, :2], COMPLEX[1], "full"),
    C(INTS[0], NATURALS[1]),
]
