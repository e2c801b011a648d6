"""log, log1p, erf and erf_inv as XLA's CPU compiler evaluates them, and `fused_multiply_add`, for random draws.

`fx.random` promises JAX's draws. JAX makes them of uniform bits by these functions, and some of its formulas
(`-log(-log(u))`, erf_inv near 0) magnify the last bit of an inner result beyond bounds: to give the same draw one has
to round as XLA does. XLA evaluates polynomials by Horner's rule with fused multiply-adds; array modules have none,
so that they are built here of basic operations, which every IEEE machine rounds alike. float16 and bfloat16 are
computed in float32 and rounded once, also as XLA does.

Sources: log1p and log are those of the Cephes library (Moshier); erf is the rational function of Eigen; erf_inv is
M. Giles, "Approximating the erfinv function" (GPU Computing Gems Jade Edition, 2011), single and double precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.primitive import Sample
from .elementwise import exp
from .families import Elementwise, unary
from .special import special

_F32, _F64 = np.dtype("float32"), np.dtype("float64")
_BLOCK = {_F32: 1 << 15, _F64: 1 << 13}
"""Elements computed at once in NumPy, so that intermediate results stay in the cache."""


def _single(*values: float) -> tuple[float, ...]:
    """Values rounded to float32."""
    return tuple(float(np.float32(v)) for v in values)


# Multiply and add with one rounding


def multiply_add(xp: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c rounded once. a: an array of float32 or float64; b, c: arrays or numbers of that dtype."""
    if a.dtype == _F32:
        return (a.astype(_F64) * b + c).astype(_F32)
    return _dekker(a, b, _split(b), c)


def _split(x: Any) -> tuple[Any, Any]:
    """float64 x as the sum of two numbers of 26 bits (Veltkamp)."""
    scaled = x * 134217729.0
    high = scaled - (scaled - x)
    return high, x - high


def _dekker(a: Any, b: Any, b_parts: tuple[Any, Any], c: Any) -> Any:
    """a * b + c for float64, from Dekker's exact product (Numerische Mathematik 18, 1971) and Knuth's exact sum."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _split(a), b_parts
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    total = product + c
    rest = total - product
    error += (product - (total - rest)) + (c - rest)
    return total + error


def horner(xp: Any, x: Any, coefficients: Sequence[float]) -> Any:
    """The polynomial with these coefficients, that of the highest power first, by fused multiply-adds."""
    if x.dtype == _F64:
        parts = _split(x)
        value = xp.full(x.shape, coefficients[0])
        for c in coefficients[1:]:
            value = _dekker(value, x, parts, c)
        return value
    x = x.astype(_F64)
    value, work = xp.full(x.shape, coefficients[0], _F32), xp.empty(x.shape, _F64)
    for c in coefficients[1:]:
        xp.multiply(value, x, out=work)
        xp.add(work, c, out=value)
    return value


# The formulas: float32 or float64 arrays


_SMALLEST = np.float32(2.0**-126)
_ROOT_HALF = np.float32(math.sqrt(0.5))
_LOG2_HIGH, _LOG2_LOW = _single(0.693359375, -2.12194440e-4)
_LOG_3RD = (
    _single(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1),
    _single(-1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1),
    _single(2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)


def log(xp: Any, x: Any) -> Any:
    """Natural logarithm. float64: the C library's, which XLA calls, where NumPy has one of its own."""
    if x.dtype == _F64:
        return special(xp, "xlogy")(1.0, x) if xp is np else xp.log(x)
    bits = xp.maximum(x, _SMALLEST).view(np.uint32)
    exponent = (bits >> np.uint32(23)).astype(_F32) - np.float32(126)
    t = ((bits & np.uint32(0x007FFFFF)) | np.uint32(0x3F000000)).view(_F32)
    below = (t < _ROOT_HALF).astype(_F32)
    exponent = exponent - below
    t = (t - np.float32(1)) + t * below
    square = t * t
    cube = square * t
    high, middle, low = [horner(xp, t, part) for part in _LOG_3RD]
    tail = multiply_add(xp, multiply_add(xp, high, cube, middle), cube, low)
    tail = multiply_add(xp, tail, cube, exponent * np.float32(_LOG2_LOW))
    value = multiply_add(xp, exponent, _LOG2_HIGH, (t - square * np.float32(0.5)) + tail)
    return _replaced(xp, value, ~((x > 0) & (x < np.inf)), lambda xp, x: xp.log(x), x)


_LOG1P_TOP = (
    4.5270000862445199635215e-5, 4.9854102823193375972212e-1, 6.5787325942061044846969e0, 2.9911919328553073277375e1,
    6.0949667980987787057556e1, 5.7112963590585538103336e1, 2.0039553499201281259648e1,
)  # fmt: skip
_LOG1P_BOTTOM = (
    1.0, 1.5062909083469192043167e1, 8.3047565967967209469434e1, 2.2176239823732856465394e2,
    3.0909872225312059774938e2, 2.1642788614495947685003e2, 6.0118660497603843919306e1,
)  # fmt: skip
_LOG1P = {_F32: (_single(*_LOG1P_TOP), _single(*_LOG1P_BOTTOM)), _F64: (_LOG1P_TOP, _LOG1P_BOTTOM)}


def log1p(xp: Any, x: Any) -> Any:
    """log(1 + x): a rational function for |x| < sqrt(2) - 1, log beyond."""
    top, bottom = _LOG1P[x.dtype]
    square = x * x
    ratio = horner(xp, x, top) / horner(xp, x, bottom)
    value = x + (square * x.dtype.type(-0.5) + (x * square) * ratio)
    far = ~(xp.abs(x) < x.dtype.type(math.sqrt(2) - 1))
    return _replaced(xp, value, far, lambda xp, x: log(xp, x.dtype.type(1) + x), x)


_ERF_TOP = _single(
    2.2905065861350646e-4,
    3.4082910107109506e-3,
    5.0955695062380861e-2,
    1.8520832239976145e-1,
    1.128379143519084,
)
_ERF_BOTTOM = _single(
    -1.1791602954361697e-7, 2.3547966471313185e-5, 1.0179625278914885e-3, 1.4070470171167667e-2,
    1.1098505178285362e-1, 4.9746925110067538e-1, 1.0,
)  # fmt: skip
_ERF_ONE = np.float32(3.832506856900711)
_libm_erf = np.frompyfunc(math.erf, 1, 1)


def erf(xp: Any, x: Any) -> Any:
    """Error function. float64: the C library's, which XLA calls."""
    if x.dtype == _F64:
        return _libm_erf(x).astype(_F64) if xp is np else special(xp, "erf")(x)
    square = x * x
    value = x * horner(xp, square, _ERF_TOP) / horner(xp, square, _ERF_BOTTOM)
    return _replaced(xp, value, xp.abs(x) >= _ERF_ONE, lambda xp, x: xp.copysign(np.float32(1), x), x)


# Per dtype and branch: (least w, shift, coefficients). The first polynomial is in w - shift, the others in
# sqrt(w) - shift.
_ERF_INV = {
    _F32: (
        (0.0, 2.5, _single(
            2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
            -0.00417768164, 0.246640727, 1.50140941,
        )),
        (5.0, 3.0, _single(
            -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
            0.00943887047, 1.00167406, 2.83297682,
        )),
    ),
    _F64: (
        (0.0, 3.125, (
            -3.6444120640178196996e-21, -1.685059138182016589e-19, 1.2858480715256400167e-18,
            1.115787767802518096e-17, -1.333171662854620906e-16, 2.0972767875968561637e-17,
            6.6376381343583238325e-15, -4.0545662729752068639e-14, -8.1519341976054721522e-14,
            2.6335093153082322977e-12, -1.2975133253453532498e-11, -5.4154120542946279317e-11,
            1.051212273321532285e-09, -4.1126339803469836976e-09, -2.9070369957882005086e-08,
            4.2347877827932403518e-07, -1.3654692000834678645e-06, -1.3882523362786468719e-05,
            0.0001867342080340571352, -0.00074070253416626697512, -0.0060336708714301490533,
            0.24015818242558961693, 1.6536545626831027356,
        )),
        (6.25, 3.25, (
            2.2137376921775787049e-09, 9.0756561938885390979e-08, -2.7517406297064545428e-07,
            1.8239629214389227755e-08, 1.5027403968909827627e-06, -4.013867526981545969e-06,
            2.9234449089955446044e-06, 1.2475304481671778723e-05, -4.7318229009055733981e-05,
            6.8284851459573175448e-05, 2.4031110387097893999e-05, -0.0003550375203628474796,
            0.00095328937973738049703, -0.0016882755560235047313, 0.0024914420961078508066,
            -0.0037512085075692412107, 0.005370914553590063617, 1.0052589676941592334,
            3.0838856104922207635,
        )),
        (16.0, 5.0, (
            -2.7109920616438573243e-11, -2.5556418169965252055e-10, 1.5076572693500548083e-09,
            -3.7894654401267369937e-09, 7.6157012080783393804e-09, -1.4960026627149240478e-08,
            2.9147953450901080826e-08, -6.7711997758452339498e-08, 2.2900482228026654717e-07,
            -9.9298272942317002539e-07, 4.5260625972231537039e-06, -1.9681778105531670567e-05,
            7.5995277030017761139e-05, -0.00021503011930044477347, -0.00013871931833623122026,
            1.0103004648645343977, 4.8499064014085844221,
        )),
    ),
}  # fmt: skip


def erf_inv(xp: Any, x: Any) -> Any:
    """The inverse of erf: x times a polynomial in w = -log(1 - x**2), or in its root where w is large."""
    w = -log1p(xp, x * -x)
    (_, shift, coefficients), *tails = _ERF_INV[x.dtype]
    value = horner(xp, w - x.dtype.type(shift), coefficients)
    for lower, shift, coefficients in tails:
        value = _replaced(xp, value, ~(w < x.dtype.type(lower)), _in_root(shift, coefficients), w)
    return _replaced(xp, value * x, xp.abs(x) == 1, lambda xp, x: x * x.dtype.type(np.inf), x)


def _in_root(shift: float, coefficients: Sequence[float]) -> Callable[[Any, Any], Any]:
    return lambda xp, w: horner(xp, xp.sqrt(w) - w.dtype.type(shift), coefficients)


def _replaced(xp: Any, value: Any, mask: Any, function: Callable[[Any, Any], Any], x: Any) -> Any:
    """`value` with function(x) where the mask holds; NumPy computes it there alone (and is slow at masks)."""
    if xp is not np:
        return xp.where(mask, function(xp, x), value)
    places = np.flatnonzero(mask)
    if places.size:
        value[places] = function(np, x[places])
    return value


# The primitives


def _rounded(formula: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """An impl for any floating dtype: in float32 for the low precisions."""

    def impl(xp: Any, x: Any) -> Any:
        if dtypes.is_low_precision(x.dtype):
            return impl(xp, x.astype(_F32)).astype(x.dtype)
        return _by_blocks(xp, x, lambda x: formula(xp, x))

    return impl


def _by_blocks(xp: Any, x: Any, function: Callable[[Any], Any]) -> Any:
    """An elementwise function of lines of x, block by block in NumPy."""
    flat = xp.ascontiguousarray(x).reshape(-1)
    block = _BLOCK[x.dtype]
    if xp is not np or flat.size <= block:
        return function(flat).reshape(x.shape)
    out = np.empty_like(flat)
    for start in range(0, flat.size, block):
        out[start : start + block] = function(flat[start : start + block])
    return out.reshape(x.shape)


def _samples(low: float, high: float) -> Callable[[Any], list[Sample]]:
    return lambda rng: [Sample((rng.uniform(low, high, s),)) for s in ((3, 4), (), (0, 2), (1,))]


_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)

xla_log = unary(
    "xla_log",
    impl=_rounded(log),
    jvp=lambda x, y, dx: dx / x,
    kinds="floating",
    samples=_samples(0.01, 4),
    oracle=np.log,
    cost=25,
)
xla_log1p = unary(
    "xla_log1p",
    impl=_rounded(log1p),
    jvp=lambda x, y, dx: dx / (x + x.dtype.type(1)),
    kinds="floating",
    samples=_samples(-0.9, 2),
    oracle=np.log1p,
    cost=50,
)
xla_erf = unary(
    "xla_erf",
    impl=_rounded(erf),
    jvp=lambda x, y, dx: dx * (exp(-(x * x)) * x.dtype.type(_TWO_OVER_ROOT_PI)),
    kinds="floating",
    samples=_samples(-3, 3),
    oracle=lambda x: special(np, "erf")(x),
    cost=30,
)
xla_erf_inv = unary(
    "xla_erf_inv",
    impl=_rounded(erf_inv),
    jvp=lambda x, y, dx: dx * (exp(y * y) * x.dtype.type(1 / _TWO_OVER_ROOT_PI)),
    kinds="floating",
    samples=_samples(-0.95, 0.95),
    oracle=lambda x: special(np, "erfinv")(x),
    cost=80,
)


def _fused(xp: Any, x: Any, y: Any, z: Any) -> Any:
    if dtypes.is_low_precision(x.dtype):
        return x * y + z
    if y.shape == z.shape == ():
        return _by_blocks(xp, x, lambda x: _fused_finite(xp, x, y, z))
    return _fused_finite(xp, *xp.broadcast_arrays(x, y, z))


def _fused_finite(xp: Any, x: Any, y: Any, z: Any) -> Any:
    """Dekker's product in float64 overflows before x * y does: there the plain expression is taken."""
    value = multiply_add(xp, x, y, z)
    return value if x.dtype == _F32 else xp.where(xp.isfinite(value), value, x * y + z)


fused_multiply_add = Elementwise(
    "fused_multiply_add",
    _fused,
    (lambda x, y, z, out, dx: dx * y, lambda x, y, z, out, dy: dy * x, lambda x, y, z, out, dz: dz),
    ufunc=None,
    kinds="floating",
    linear_in=(),
    result=None,
    samples=None,
    oracle=lambda x, y, z: x * y + z,
    cost=2,
    transpose=None,
)
"""x * y + z, rounded once in float32 and float64, twice in the low precisions: as XLA's CPU code contracts it."""
