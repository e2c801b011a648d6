"""Elementwise primitives: arithmetic, powers, transcendental functions, comparison, bits, select, conversion."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.avals import Aval, is_inexact
from ..core.primitive import Primitive, Sample, Unknown, Zero, absent
from ..core.trace import bind
from .families import accept, align, binary, broadcast_shapes, collapse, comparison, expand, unary, zero_of


def _flat(*args: Any) -> Any:
    """The jvp of functions that are constant almost everywhere."""
    return zero_of(args[-2])


# Arithmetic

neg = unary("neg", ufunc="negative", jvp=lambda x, y, dx: -dx, kinds="number", linear=True)
add = binary(
    "add", ufunc="add", jvp=(lambda x, y, z, dx: dx, lambda x, y, z, dy: dy), linear_in=(0, 1), kinds="any"
)
sub = binary("sub", ufunc="subtract", jvp=(lambda x, y, z, dx: dx, lambda x, y, z, dy: -dy), linear_in=(0, 1))
mul = binary(
    "mul",
    ufunc="multiply",
    jvp=(lambda x, y, z, dx: dx * y, lambda x, y, z, dy: x * dy),
    linear_in=(0, 1),
    kinds="any",
)
div = binary(
    "div",
    ufunc="true_divide",
    kinds="inexact",
    jvp=(lambda x, y, z, dx: dx / y, lambda x, y, z, dy: -(z / y) * dy),
    linear_in=(0,),
)


def _fmod_by_divisor(x: Any, y: Any, z: Any, dy: Any) -> Any:
    return -trunc(x / y) * dy


fmod = binary(
    "fmod",
    ufunc="fmod",
    kinds="ordered",
    jvp=(lambda x, y, z, dx: dx, _fmod_by_divisor),
    samples=lambda rng: _quotients(rng),
)
mod = binary(
    "mod",
    ufunc="remainder",
    kinds="ordered",
    jvp=(lambda x, y, z, dx: dx, lambda x, y, z, dy: -floor(x / y) * dy),
    samples=lambda rng: _quotients(rng),
)
floor_div = binary(
    "floor_div",
    ufunc="floor_divide",
    kinds="ordered",
    jvp=(_flat, _flat),
    samples=lambda rng: _quotients(rng),
)


def _extremum(name: str, ufunc: str) -> Any:
    def rule(a: Any, b: Any, z: Any, d: Any) -> Any:
        half, none = a.dtype.type(0.5), a.dtype.type(0)
        weight = select(eq(a, z), select(eq(b, z), half, a.dtype.type(1)), none)
        return d * weight

    return binary(name, ufunc=ufunc, kinds="any", jvp=(rule, lambda x, y, z, dy: rule(y, x, z, dy)))


maximum = _extremum("max", "maximum")
minimum = _extremum("min", "minimum")


# Powers and roots


def _safe_log(x: Any) -> Any:
    """log(x), with 0 where x is 0: the limit that 0**y for y > 0 needs."""
    return log(select(eq(x, x.dtype.type(0)), x.dtype.type(1), x))


def _power_by_base(x: Any, y: Any, z: Any, dx: Any) -> Any:
    zero, one = x.dtype.type(0), x.dtype.type(1)
    safe = select(eq(y, zero), one, y - one)
    return dx * select(eq(y, zero), zero, y * power(x, safe))


power = binary(
    "pow",
    ufunc="power",
    kinds="number",
    cost=10,
    jvp=(_power_by_base, lambda x, y, z, dy: dy * (_safe_log(x) * z)),
    samples=lambda rng: [
        Sample((np.abs(rng.normal(size=(3, 4))) + 0.1, rng.normal(size=(4,))), {}, np.power),
        Sample((np.abs(rng.normal(size=())) + 0.1, rng.normal(size=())), {}, np.power),
        Sample((np.ones((0, 2)), np.ones((0, 2))), {}, np.power),
    ],
)


class IntegerPower(Primitive):
    """x ** n for a static integer n: exact at negative bases, and cheap."""

    name = "integer_pow"

    def impl(self, xp: Any, x: Any, *, n: int) -> Any:
        if n == 2:
            return xp.square(x)
        if n < 0 and x.dtype.kind in "iu":
            raise errors.ArgumentError("Integers to negative integer powers are not allowed.")
        return xp.power(x, x.dtype.type(n)) if n >= 0 or x.dtype.kind not in "iu" else xp.power(x, n)

    def kernel(self, xp: Any, params: dict[str, Any]) -> Any:
        return xp.square if params["n"] == 2 else super().kernel(xp, params)

    def shape(self, x: Aval, *, n: int) -> Aval:
        accept(self.name, x.dtype, "number")
        if x.dtype.kind in "iu" and n > np.iinfo(x.dtype).max:
            raise errors.ArgumentError(f"integer_pow: the power {errors.brief(n)} does not fit {x.dtype}.")
        if n < 0 and x.dtype.kind in "iu":
            raise errors.ArgumentError(
                errors.lines(
                    f"Integers to a negative integer power ({n}) are not integers.",
                    "Convert the base: x.astype(fx.float32) ** n.",
                )
            )
        return x

    def jvp(self, primals: Any, out: Any, tangents: Any, *, n: int) -> Any:
        (x,), (dx,) = primals, tangents
        if n == 0:
            return zero_of(out)
        return dx * x.dtype.type(n) * (integer_pow(x, n=n - 1) if n != 2 else x)

    transpose = absent("it is linear only for n = 1")

    def batch(self, axis: Any, operands: Any, dims: Any, *, n: int) -> Any:
        return self(*operands, n=n), dims[0]

    def cost(self, x: Aval, *, n: int) -> int:
        return x.size * max(1, abs(n).bit_length())

    def samples(self, rng: Any) -> Any:
        x = rng.normal(size=(3, 4))
        return [Sample((x,), {"n": n}, lambda x, n: x ** float(n)) for n in (-2, 0, 1, 2, 3)]


integer_pow = IntegerPower()
sqrt = unary(
    "sqrt", ufunc="sqrt", jvp=lambda x, y, dx: dx / (y + y), samples=lambda rng: positive_samples(rng), cost=4
)
rsqrt = unary(
    "rsqrt",
    impl=lambda xp, x: x.dtype.type(1) / xp.sqrt(x),
    jvp=lambda x, y, dx: dx * (y / x) * x.dtype.type(-0.5),
    samples=lambda rng: positive_samples(rng),
    oracle=lambda x: 1 / np.sqrt(x),
    cost=5,
)
cbrt = unary(
    "cbrt", ufunc="cbrt", jvp=lambda x, y, dx: dx / (y * y * y.dtype.type(3)), kinds="floating", cost=10
)

# Exponentials and logarithms

exp = unary("exp", ufunc="exp", jvp=lambda x, y, dx: dx * y, cost=10)
exp2 = unary("exp2", ufunc="exp2", jvp=lambda x, y, dx: dx * (y * y.dtype.type(np.log(2.0))), cost=10)


def _complex_expm1(xp: Any, z: Any) -> Any:
    """NumPy's, with the array API's values on the real axis and where a part is infinite."""
    y, a, b = xp.expm1(z), z.real, z.imag
    real, endless = b == 0, ~xp.isfinite(b)
    low, high = a == -np.inf, (a == np.inf) & endless
    re = xp.where(real, xp.expm1(a) + 0, xp.where(low, -1, xp.where(high, a, y.real)))
    im = xp.where(real, b, xp.where(low & endless, 0, xp.where(high, np.nan, y.imag)))
    return _assembled(xp, z, re, im)


def _complex_tanh(xp: Any, z: Any) -> Any:
    """NumPy's, with the array API's zero beside the limits 1 and -1."""
    y = xp.tanh(z)
    limit = xp.isinf(z.real) & xp.isfinite(z.imag)
    return _assembled(xp, z, y.real, xp.where(limit, xp.copysign(0, z.imag), y.imag))


def _assembled(xp: Any, z: Any, re: Any, im: Any) -> Any:
    out = xp.empty(z.shape, z.dtype)
    out.real[...], out.imag[...] = re, im
    return out


expm1 = unary(
    "expm1",
    ufunc="expm1",
    jvp=lambda x, y, dx: dx * (y + y.dtype.type(1)),
    cost=10,
    of_complex=_complex_expm1,
)
log = unary(
    "log", ufunc="log", jvp=lambda x, y, dx: dx / x, samples=lambda rng: positive_samples(rng), cost=10
)
log1p = unary(
    "log1p",
    ufunc="log1p",
    jvp=lambda x, y, dx: dx / (x + x.dtype.type(1)),
    samples=lambda rng: inside_one(rng),
    cost=10,
)
log2 = unary(
    "log2",
    ufunc="log2",
    jvp=lambda x, y, dx: dx / (x * x.dtype.type(np.log(2.0))),
    samples=lambda rng: positive_samples(rng),
    cost=10,
)
log10 = unary(
    "log10",
    ufunc="log10",
    jvp=lambda x, y, dx: dx / (x * x.dtype.type(np.log(10.0))),
    samples=lambda rng: positive_samples(rng),
    cost=10,
)
logaddexp = binary(
    "logaddexp",
    ufunc="logaddexp",
    kinds="floating",
    jvp=(lambda x, y, z, dx: dx * _softmax_weight(x, z), lambda x, y, z, dy: dy * _softmax_weight(y, z)),
    cost=20,
)


def _softmax_weight(x: Any, z: Any) -> Any:
    """exp(x - z), with 0 where both are -inf and 1/2 where both are +inf."""
    return exp(
        select(eq(x, z) & isinf(x), select(lt(x, x.dtype.type(0)), x, x.dtype.type(np.log(0.5))), x - z)
    )


def _logistic(xp: Any, x: Any) -> Any:
    """1 / (1 + exp(-x)) without overflow on either side."""
    e = xp.exp(-xp.abs(x))
    one = x.dtype.type(1)
    return xp.where(x >= 0, one, e) / (one + e)


logistic = unary(
    "logistic",
    impl=lambda xp, x: _logistic(xp, x) if x.dtype.kind != "c" else 1 / (1 + xp.exp(-x)),
    jvp=lambda x, y, dx: dx * (y * (y.dtype.type(1) - y)),
    oracle=lambda x: 1 / (1 + np.exp(-x)),
    cost=12,
)

# Trigonometry

sin = unary("sin", ufunc="sin", jvp=lambda x, y, dx: dx * cos(x), cost=10)
cos = unary("cos", ufunc="cos", jvp=lambda x, y, dx: -(dx * sin(x)), cost=10)
tan = unary("tan", ufunc="tan", jvp=lambda x, y, dx: dx * (y * y + y.dtype.type(1)), cost=12)


def inside_one(rng: Any) -> list[Sample]:
    """Samples in (-1, 1)."""
    return [Sample((rng.uniform(-0.9, 0.9, s),)) for s in ((3, 4), (), (0, 2))]


def _above_one(rng: Any) -> list[Sample]:
    return [Sample((rng.uniform(1.1, 4, s),)) for s in ((3, 4), (), (0, 2))]


def positive_samples(rng: Any) -> list[Sample]:
    return [Sample((rng.uniform(0.2, 4, s),)) for s in ((3, 4), (), (0, 2))]


def _quotients(rng: Any) -> list[Sample]:
    """Dividends of both signs, divisors of both signs not near zero."""
    shapes = (((3, 4), (3, 4)), ((), ()), ((3, 4), (4,)), ((1, 4), (3, 1)), ((0, 2), (2,)))
    divisor = lambda shape: rng.uniform(1, 3, shape) * rng.choice([-1.0, 1.0], shape)
    return [Sample((5 * rng.normal(size=a), np.asarray(divisor(b)))) for a, b in shapes]


asin = unary(
    "asin", ufunc="arcsin", jvp=lambda x, y, dx: dx * rsqrt(_one_minus_square(x)), samples=inside_one, cost=12
)
acos = unary(
    "acos",
    ufunc="arccos",
    jvp=lambda x, y, dx: -(dx * rsqrt(_one_minus_square(x))),
    samples=inside_one,
    cost=12,
)
atan = unary("atan", ufunc="arctan", jvp=lambda x, y, dx: dx / (x * x + x.dtype.type(1)), cost=12)
sinh = unary("sinh", ufunc="sinh", jvp=lambda x, y, dx: dx * cosh(x), cost=12)
cosh = unary("cosh", ufunc="cosh", jvp=lambda x, y, dx: dx * sinh(x), cost=12)
tanh = unary(
    "tanh",
    ufunc="tanh",
    jvp=lambda x, y, dx: dx * _one_minus_square(y),
    cost=12,
    of_complex=_complex_tanh,
)
asinh = unary("asinh", ufunc="arcsinh", jvp=lambda x, y, dx: dx * rsqrt(x * x + x.dtype.type(1)), cost=12)
acosh = unary(
    "acosh",
    ufunc="arccosh",
    jvp=lambda x, y, dx: dx * rsqrt(x - x.dtype.type(1)) * rsqrt(x + x.dtype.type(1)),
    samples=_above_one,
    cost=12,
)
atanh = unary(
    "atanh", ufunc="arctanh", jvp=lambda x, y, dx: dx / _one_minus_square(x), samples=inside_one, cost=12
)


def _one_minus_square(x: Any) -> Any:
    """1 - x**2 without cancellation near |x| = 1."""
    one = x.dtype.type(1)
    return (one - x) * (one + x)


atan2 = binary(
    "atan2",
    ufunc="arctan2",
    kinds="floating",
    jvp=(lambda x, y, z, dx: dx * (y / (x * x + y * y)), lambda x, y, z, dy: -(dy * (x / (x * x + y * y)))),
    cost=15,
)
hypot = binary(
    "hypot",
    ufunc="hypot",
    kinds="floating",
    jvp=(lambda x, y, z, dx: dx * _ratio(x, z), lambda x, y, z, dy: dy * _ratio(y, z)),
    cost=6,
)


def _ratio(x: Any, z: Any) -> Any:
    """x / z, with 0 at z = 0: the subgradient of a norm there."""
    zero = x.dtype.type(0)
    at_zero = eq(z, zero)
    return select(at_zero, zero, x / select(at_zero, x.dtype.type(1), z))


# Signs and rounding


def _abs_rule(x: Any, y: Any, dx: Any) -> Any:
    if x.dtype.kind != "c":
        return dx * sign(x)
    unit = convert(_ratio_complex(x, y), x.dtype)
    return real(conj(unit) * dx)


def _ratio_complex(x: Any, y: Any) -> Any:
    zero = y.dtype.type(0)
    at_zero = eq(y, zero)
    return x / convert(select(at_zero, y.dtype.type(1), y), x.dtype)


abs_ = unary("abs", ufunc="absolute", jvp=_abs_rule, kinds="any", result=dtypes.real_of)


def _sign_rule(x: Any, y: Any, dx: Any) -> Any:
    """Zero for real numbers; x / |x| of a complex number turns with the part of dx across x."""
    if x.dtype.kind != "c":
        return zero_of(y)
    size = abs_(x)
    at_zero = eq(size, size.dtype.type(0))
    turn = imag(conj(y) * dx) / select(at_zero, size.dtype.type(1), size)
    return y * (convert(turn, y.dtype) * y.dtype.type(1j))


sign = unary("sign", ufunc="sign", jvp=_sign_rule, kinds="number")
floor = unary("floor", ufunc="floor", jvp=_flat, kinds="floating")
ceil = unary("ceil", ufunc="ceil", jvp=_flat, kinds="floating")
trunc = unary("trunc", ufunc="trunc", jvp=_flat, kinds="floating")
round_even = unary("round", ufunc="rint", jvp=_flat, kinds="floating")
gcd = binary("gcd", ufunc="gcd", kinds="integer", jvp=(_flat, _flat))
nextafter = binary("nextafter", ufunc="nextafter", kinds="floating", jvp=(lambda x, y, z, dx: dx, _flat))
copysign = binary(
    "copysign",
    ufunc="copysign",
    kinds="floating",
    jvp=(lambda x, y, z, dx: dx * _same_sign(x, z), _flat),
)


def _same_sign(x: Any, z: Any) -> Any:
    one = x.dtype.type(1)
    return select(eq(x, z), one, -one)


# Comparison and bits

eq = comparison("eq", "equal")
ne = comparison("ne", "not_equal")
lt = comparison("lt", "less", "real")
le = comparison("le", "less_equal", "real")
gt = comparison("gt", "greater", "real")
ge = comparison("ge", "greater_equal", "real")


def _boolean(dtype: Any) -> np.dtype[Any]:
    return np.dtype(bool)


isfinite = unary("isfinite", ufunc="isfinite", kinds="any", result=_boolean)
isnan = unary("isnan", ufunc="isnan", kinds="any", result=_boolean)
isinf = unary("isinf", ufunc="isinf", kinds="any", result=_boolean)
signbit = unary("signbit", ufunc="signbit", kinds="floating", result=_boolean)
bit_and = binary("and", ufunc="bitwise_and", kinds="bits")
bit_or = binary("or", ufunc="bitwise_or", kinds="bits")
bit_xor = binary("xor", ufunc="bitwise_xor", kinds="bits")
bit_not = unary("not", ufunc="invert", kinds="bits")
shift_left = binary("shift_left", ufunc="left_shift", kinds="integer")
shift_right = binary("shift_right", ufunc="right_shift", kinds="integer")


def _logical_shift(xp: Any, x: Any, n: Any) -> Any:
    unsigned = np.dtype(f"uint{8 * x.dtype.itemsize}")
    return xp.right_shift(x.astype(unsigned), n.astype(unsigned)).astype(x.dtype)


shift_right_logical = binary(
    "shift_right_logical",
    impl=_logical_shift,
    kinds="integer",
    oracle=lambda x, n: (x.astype(f"uint{8 * x.dtype.itemsize}") >> n.astype(np.uint8)).astype(x.dtype),
)


def _popcount(xp: Any, x: Any) -> Any:
    """Number of set bits, by the usual folding (Hacker's Delight, 5-1)."""
    width = 8 * x.dtype.itemsize
    u = np.dtype(f"uint{width}")
    v = x.astype(u)
    ones = (1 << width) - 1
    for bits in (1, 2, 4, 8, 16, 32):
        if bits < width:
            mask = u.type(ones // ((1 << bits) + 1))
            v = (v & mask) + ((v >> u.type(bits)) & mask)
    return v.astype(x.dtype)


popcount = unary(
    "popcount",
    impl=_popcount,
    kinds="integer",
    oracle=lambda x: np.vectorize(lambda v: int(v).bit_count(), otypes=[int])(x),
)


def _leading_zeros(xp: Any, x: Any) -> Any:
    """Number of zero bits above the highest set bit."""
    width = 8 * x.dtype.itemsize
    u = np.dtype(f"uint{width}")
    v = x.astype(u)
    for shift in (1, 2, 4, 8, 16, 32):
        if shift < width:
            v = v | (v >> u.type(shift))
    return (u.type(width) - _popcount(xp, v)).astype(x.dtype)


clz = unary(
    "clz",
    impl=_leading_zeros,
    kinds="integer",
    oracle=lambda x: 8 * x.dtype.itemsize - np.vectorize(lambda v: int(v).bit_length(), otypes=[int])(x),
)

# Complex numbers


def _half_type(dtype: Any) -> np.dtype[Any]:
    return dtypes.real_of(dtype)


real = unary(
    "real",
    impl=lambda xp, x: xp.real(x),
    jvp=lambda x, y, dx: real(dx),
    kinds="complex",
    linear=True,
    result=_half_type,
    oracle=np.real,
    transpose=lambda ct, x: [make_complex(ct, ct * ct.dtype.type(0))],
)
imag = unary(
    "imag",
    impl=lambda xp, x: xp.imag(x),
    jvp=lambda x, y, dx: imag(dx),
    kinds="complex",
    linear=True,
    result=_half_type,
    oracle=np.imag,
    transpose=lambda ct, x: [make_complex(ct * ct.dtype.type(0), -ct)],
)
real.view = imag.view = True
conj = unary("conj", ufunc="conjugate", jvp=lambda x, y, dx: conj(dx), kinds="complex", linear=True)


def _join(xp: Any, x: Any, y: Any) -> Any:
    z = xp.empty(broadcast_shapes("complex", (x, y)), dtypes.complex_of(x.dtype))
    z.real[...], z.imag[...] = x, y
    return z


def _zero_like(x: Any) -> Any:
    return x.dtype.type(0)


make_complex = binary(
    "complex",
    impl=_join,
    jvp=(
        lambda x, y, z, dx: make_complex(dx, dx * _zero_like(dx)),
        lambda x, y, z, dy: make_complex(dy * _zero_like(dy), dy),
    ),
    kinds="floating",
    linear_in=(0, 1),
    result=dtypes.complex_of,
    oracle=lambda x, y: x + 1j * y,
    transpose=lambda ct, x, y: [
        collapse(convert(real(ct), x.aval.dtype), x.aval.shape) if type(x) is Unknown else None,
        collapse(convert(imag(-ct), y.aval.dtype), y.aval.shape) if type(y) is Unknown else None,
    ],
)


# Choosing and converting


class Select(Primitive):
    """`where(mask, x, y)`: x where the boolean mask is true, else y; all three broadcast."""

    name = "select"

    def impl(self, xp: Any, mask: Any, x: Any, y: Any) -> Any:
        return xp.where(mask, x, y)

    def kernel(self, xp: Any, params: dict[str, Any]) -> Any:
        return xp.where

    def shape(self, mask: Aval, x: Aval, y: Aval) -> Aval:
        accept("where: the condition", mask.dtype, "any")
        if mask.dtype.kind != "b":
            raise errors.DTypeError(f"select needs a boolean mask; got {mask}.")
        if x.dtype != y.dtype:
            raise errors.DTypeError(f"select needs two values of one dtype; got {x} and {y}.")
        return Aval(broadcast_shapes("select", (mask, x, y)), x.dtype, x.weak and y.weak)

    def jvp(self, primals: Any, out: Any, tangents: Any) -> Any:
        mask, (_, dx, dy) = primals[0], tangents
        zero = out.dtype.type(0)
        t = select(mask, zero if type(dx) is Zero else dx, zero if type(dy) is Zero else dy)
        return expand(t, out.shape)

    def transpose(self, ct: Any, mask: Any, x: Any, y: Any) -> list[Any]:
        zero = ct.dtype.type(0)
        return [
            None,
            collapse(expand(select(mask, ct, zero), ct.shape), x.aval.shape) if type(x) is Unknown else None,
            collapse(expand(select(mask, zero, ct), ct.shape), y.aval.shape) if type(y) is Unknown else None,
        ]

    def batch(self, axis: Any, operands: Any, dims: Any) -> Any:
        return select(*align(operands, dims)), 0

    def cost(self, mask: Aval, x: Aval, y: Aval) -> int:
        return Aval(broadcast_shapes("select", (mask, x, y)), x.dtype).size

    def samples(self, rng: Any) -> Any:
        mask = rng.normal(size=(3, 4)) > 0
        return [
            Sample((mask, rng.normal(size=(3, 4)), rng.normal(size=(4,))), {}, np.where),
            Sample((np.bool_(True), rng.normal(size=(2,)), rng.normal(size=())), {}, np.where),
            Sample((np.ones((0,), bool), np.ones((0,)), np.ones(())), {}, np.where),
        ]


select = Select()


class Convert(Primitive):
    """The same values in another dtype; complex to real keeps the real part."""

    name = "convert"

    def impl(self, xp: Any, x: Any, *, dtype: np.dtype[Any]) -> Any:
        if x.dtype.kind == "c" and dtype.kind not in "cb":
            x = xp.real(x)
        return x.astype(dtype)

    def shape(self, x: Aval, *, dtype: np.dtype[Any]) -> Aval:
        return Aval(x.shape, dtype)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, dtype: np.dtype[Any]) -> Any:
        (dx,) = tangents
        return self(dx, dtype=dtype) if is_inexact(dtype) else zero_of(out)

    def transpose(self, ct: Any, x: Any, *, dtype: np.dtype[Any]) -> list[Any]:
        return [self(ct, dtype=x.aval.dtype)]

    def batch(self, axis: Any, operands: Any, dims: Any, *, dtype: np.dtype[Any]) -> Any:
        return self(*operands, dtype=dtype), dims[0]

    def samples(self, rng: Any) -> Any:
        x = rng.normal(size=(3, 4)) * 3
        cast = lambda x, dtype: np.asarray(x).astype(dtype)
        names = ("float32", "float64", "int32", "bool", "complex64")
        return [Sample((x,), {"dtype": np.dtype(n)}, cast) for n in names]


convert_p = Convert()


def convert(x: Any, dtype: Any) -> Any:
    """x in another dtype; x itself where nothing changes."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype and not getattr(x, "weak", False):
        return x
    return bind(convert_p, x, dtype=dtype)


class Bitcast(Primitive):
    """The same bits read as another dtype of the same width."""

    name = "bitcast"
    view = True

    def impl(self, xp: Any, x: Any, *, dtype: np.dtype[Any]) -> Any:
        return xp.ascontiguousarray(x).reshape(x.shape).view(dtype)

    def shape(self, x: Aval, *, dtype: np.dtype[Any]) -> Aval:
        if x.dtype.itemsize != dtype.itemsize:
            raise errors.DTypeError(f"bitcast needs dtypes of one width; {x.dtype} and {dtype} differ.")
        return Aval(x.shape, dtype)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return zero_of(out)

    transpose = absent("it has no derivative")

    def batch(self, axis: Any, operands: Any, dims: Any, *, dtype: np.dtype[Any]) -> Any:
        return self(*operands, dtype=dtype), dims[0]

    def samples(self, rng: Any) -> Any:
        view = lambda x, dtype: np.asarray(x).view(dtype)
        return [Sample((rng.normal(size=(3, 4)).astype(np.float32),), {"dtype": np.dtype("int32")}, view)]


bitcast = Bitcast()
