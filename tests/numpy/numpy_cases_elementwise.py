"""Cases of the elementwise functions."""

from __future__ import annotations

import numpy as np
from numpy_cases import (
    BOOLS,
    BYTES,
    COMPLEX,
    CUBE,
    EMPTY,
    FLOATS,
    HALF,
    INT_PAIRS,
    INTS,
    INTS32,
    NANS,
    NATURALS,
    ONE,
    PAIRS,
    POSITIVE,
    REALS,
    SCALAR,
    SINGLE,
    SPECIAL,
    SPECIAL_PAIRS,
    UNIT,
    A,
    B,
    C,
    V,
    change,
    each,
)

TABLE = {}


def unary(names, *operands, special=True, grad=True):
    for name in names.split():
        cases = change(each(*operands), grad=grad)
        if special:
            cases += change(each(SPECIAL), grad=False)
        TABLE[name] = cases


unary("exp expm1 sin cos tan arctan tanh sinh cosh arcsinh exp2", *FLOATS, INTS, INTS32, COMPLEX)
unary("cbrt deg2rad rad2deg radians degrees fabs", *FLOATS, INTS, INTS32)
unary("log log2 log10 log1p sqrt reciprocal", POSITIVE, POSITIVE.astype(np.float32), EMPTY, NATURALS, COMPLEX)
unary("arcsin arccos arctanh", UNIT, UNIT.astype(np.float32), SCALAR, EMPTY, COMPLEX / 3)
unary("arccosh", POSITIVE + 1, SCALAR + 1, EMPTY, COMPLEX)
unary("square negative absolute conjugate positive", *REALS, COMPLEX)
unary("sign", *REALS, COMPLEX, grad=False)
unary("floor ceil trunc fix", *REALS, HALF, BOOLS, grad=False)
unary("rint", *FLOATS, INTS, INTS32, COMPLEX, grad=False)
unary("sinc i0", *FLOATS, INTS)
unary("isfinite isnan isinf", *REALS, COMPLEX, BOOLS, grad=False)
unary("isposinf isneginf signbit", *REALS, grad=False)
unary("logical_not isreal iscomplex", *REALS, BOOLS, COMPLEX, grad=False)
unary("invert", INTS, INTS32, BYTES, BOOLS, special=False, grad=False)
unary("bitwise_count", INTS, INTS32, BYTES, special=False, grad=False)
unary("real imag", *FLOATS, INTS, COMPLEX)
unary("angle", *FLOATS, INTS, COMPLEX)
unary("nan_to_num", A, NANS, INTS, NANS + 1j * A, NANS.astype(np.float32))
unary("spacing modf frexp", *FLOATS, INTS, grad=False)

SINC_NEAR_ZERO = np.array([0.0, 1e-300, 1e-9, 1e-4, 0.03, 0.0318, 0.032, 0.05, 1.0, 2.0, -0.01])
TABLE["sinc"] += [C(SINC_NEAR_ZERO)]
TABLE["reciprocal"] = change(each(POSITIVE, SINGLE, COMPLEX), grad=True) + change(each(SPECIAL), grad=False)
TABLE["absolute"] += change(each(BOOLS), grad=False)
TABLE["angle"] = (
    change(TABLE["angle"], grad=False) + each(COMPLEX, COMPLEX.astype(np.complex64)) + [C(COMPLEX, deg=True)]
)
TABLE["nan_to_num"] += [C(SPECIAL, nan=7.0, posinf=1e3, neginf=-1e3)._replace(grad=False)]
for complex_case in ("isposinf", "isneginf", "signbit", "cbrt", "exp2"):
    TABLE[complex_case] = [c for c in TABLE[complex_case] if c.args[0].dtype.kind != "c"]
TABLE["frexp"] += change(each(np.array([5e-324, 2.0**-1022, 1.7e308, 8.0, -0.1]), SINGLE * 1e-40), grad=False)


def binary(names, *groups, grad=True):
    for name in names.split():
        TABLE[name] = [c._replace(grad=grad and group is PAIRS) for group in groups for c in each(*group)]


SCALARS = [(A, 2), (2.5, A), (SINGLE, 2.5), (INTS, 3), (3, NATURALS), (SINGLE, np.float64(1.5)), (INTS, 2.5)]
CLOSE_TIES = [(np.array([1.0, 2.0, -0.0, 3.0]), np.array([1.0, 1.0, 0.0, 3.0]))]
COMPLEX_PAIRS = [(COMPLEX, COMPLEX[::-1]), (COMPLEX, V), (COMPLEX.astype(np.complex64), 2.0)]
BOOL_PAIRS = [(BOOLS, BOOLS[::-1]), (BOOLS, INTS)]
binary("add subtract multiply divide", PAIRS, INT_PAIRS, SPECIAL_PAIRS, SCALARS, COMPLEX_PAIRS)
TABLE["add"] += change(each(*BOOL_PAIRS), grad=False)
TABLE["multiply"] += change(each(*BOOL_PAIRS), grad=False)
binary("floor_divide", PAIRS, INT_PAIRS, SPECIAL_PAIRS, SCALARS, grad=False)
binary("remainder fmod", PAIRS, INT_PAIRS, SPECIAL_PAIRS, SCALARS)
binary("divmod", PAIRS, INT_PAIRS, SPECIAL_PAIRS, SCALARS, grad=False)
binary("maximum minimum fmax fmin", PAIRS, INT_PAIRS, SPECIAL_PAIRS, SCALARS, CLOSE_TIES)
binary("arctan2 hypot logaddexp logaddexp2", PAIRS, INT_PAIRS[:3], SPECIAL_PAIRS, [(A, 2.0)])
binary("copysign", PAIRS, INT_PAIRS[:3], SPECIAL_PAIRS, [(A, -2.0)])
binary("nextafter", PAIRS, SPECIAL_PAIRS, [(A, 2.0)], grad=False)
binary("heaviside", PAIRS, SPECIAL_PAIRS, [(A, 0.5)], grad=False)
binary("equal not_equal", PAIRS, INT_PAIRS, SPECIAL_PAIRS, SCALARS, COMPLEX_PAIRS, BOOL_PAIRS, grad=False)
binary(
    "less less_equal greater greater_equal", PAIRS, INT_PAIRS, SPECIAL_PAIRS, SCALARS, BOOL_PAIRS, grad=False
)
binary(
    "logical_and logical_or logical_xor",
    PAIRS,
    INT_PAIRS,
    SPECIAL_PAIRS,
    SCALARS,
    BOOL_PAIRS,
    COMPLEX_PAIRS,
    grad=False,
)
binary("bitwise_and bitwise_or bitwise_xor", INT_PAIRS, BOOL_PAIRS, [(INTS, 3), (6, INTS32)], grad=False)
binary(
    "left_shift right_shift", [(INTS, NATURALS), (INTS32, 2), (BYTES, np.uint8(1)), (7, NATURALS)], grad=False
)
binary(
    "gcd lcm",
    INT_PAIRS,
    [(INTS, INTS[::-1]), (INTS, 6), (np.array([0, 0, 4]), np.array([0, 5, 6]))],
    grad=False,
)
binary("isclose", PAIRS, INT_PAIRS, SPECIAL_PAIRS, [(A, A + 1e-9), (COMPLEX, COMPLEX + 1e-9)], grad=False)
TABLE["isclose"] += [
    C(SPECIAL, SPECIAL, equal_nan=True)._replace(grad=False),
    C(A, A * 1.01, rtol=0.1)._replace(grad=False),
]

POWERS = [(POSITIVE, B), (POSITIVE, V), (SCALAR, SCALAR), (EMPTY, ONE), (SINGLE**2, SINGLE)]
WHOLE = [
    (A, 2),
    (A, 3),
    (A, -1),
    (A, 0),
    (A, 2.0),
    (A, -3.0),
    (POSITIVE, 0.5),
    (POSITIVE, 2.5),
    (SINGLE, 3),
    (INTS, 3),
]
WHOLE += [
    (INTS, 2.0),
    (2, NATURALS),
    (2.5, A),
    (NATURALS, NATURALS),
    (BYTES, 2),
    (BOOLS, 2),
    (COMPLEX, 2),
    (COMPLEX, COMPLEX),
]
WHOLE += [(INTS, A), (np.array([0.0, 1.0, 2.0]), 2), (np.array([0.0, 2.0]), 1)]
TABLE["power"] = each(*POWERS) + each(*WHOLE) + change(each(*SPECIAL_PAIRS), grad=False)
TABLE["power"] += change(each((SPECIAL, 0.5), (SPECIAL, 2.0), (SPECIAL, -1), (2.0, SPECIAL)), grad=False)
TABLE["float_power"] = each((POSITIVE, B), (NATURALS, NATURALS), (NATURALS, 2), (COMPLEX, 2))
TABLE["float_power"] += [C(SINGLE, 2)._replace(oracle=lambda x, y: np.float_power(x, y).astype(np.float32))]
TABLE["ldexp"] = change(
    each(
        (A, INTS),
        (SINGLE, INTS32),
        (np.array([1.0, 5e-324, 1.7e308, -3.0]), np.array([[-1074], [2098], [-2000], [3]])),
        (SINGLE * 1e-30, INTS32 * 10),
        (np.array([1.0, 1.5]), np.array([-1075, -1074])),
        (np.array([1.1, -1.3, 1.9999]), np.array([[-1073], [-1023], [-1060], [1023]])),
    ),
    grad=False,
)
TABLE["clip"] = each(
    (A, -0.5, 0.5),
    (A, None, 0.2),
    (A, 0.1, None),
    (INTS, 0, 3),
    (A, B - 1, B + 1),
    (SINGLE, 0, 1),
    (A, V, None),
)
TABLE["clip"] += [C(A, min=-0.3), C(A, max=0.3), C(A, min=0, max=V), C(INTS, 0.5, 2)._replace(grad=False)]
TABLE["clip"] += [C(SPECIAL, -1.0, 1.0)._replace(grad=False), C(A, 0.5, -0.5)]
TABLE["where"] = each(
    (BOOLS, A, B),
    (BOOLS, A, 0),
    (BOOLS, 1, 2),
    (A > 0, SINGLE, 2.5),
    (INTS, A, V),
    (BOOLS, INTS, A),
    (True, A, B),
)
TABLE["where"] += [C(BOOLS, COMPLEX, A), C(BOOLS)._replace(jit=False, grad=False)]
TABLE["round"] = each(
    (A,), (A, 2), (A * 100, -1), (INTS * 7, -1), (INTS, 2), (SINGLE, 1), (COMPLEX, 1), (BOOLS,)
)
TABLE["round"] += [C(np.array([0.5, 1.5, 2.5, -0.5, np.nan, np.inf]))]
TABLE["round"] = change(TABLE["round"], grad=False)
TABLE["round"] = [c if c.args[0] is not BOOLS else c._replace(oracle=lambda x: x) for c in TABLE["round"]]
TABLE["unwrap"] = each((np.cumsum(np.abs(A) * 3, 1),), (np.array([0.0, 3.0, 9.0, 12.0]),), (INTS * 5,))
TABLE["unwrap"] += [
    C(A * 10, axis=0),
    C(INTS * 3, period=4)._replace(grad=False),
    C(A * 5, 4.0),
    C(A * 5, period=2.0),
]

for alias, name in {
    "abs": "absolute",
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atan2": "arctan2",
    "atanh": "arctanh",
    "conj": "conjugate",
    "bitwise_invert": "invert",
    "bitwise_not": "invert",
    "bitwise_left_shift": "left_shift",
    "bitwise_right_shift": "right_shift",
    "mod": "remainder",
    "pow": "power",
    "true_divide": "divide",
    "around": "round",
}.items():
    TABLE[alias] = TABLE[name][:2]

TABLE["bitwise_count"] += change(each(np.array([-1, 0, 255, 2**40])), grad=False)
TABLE["packbits"] = change(each((BOOLS,), (INTS, 1), (BOOLS, 0), (np.zeros(0, bool),)), grad=False) + [
    C(BOOLS, 1, bitorder="little")
]
TABLE["unpackbits"] = change(
    each((BYTES,), (BYTES, 1), (BYTES, 0, 5), (BYTES, 1, -3), (BYTES, 0, 30)), grad=False
)
TABLE["unpackbits"] += [C(BYTES, 1, bitorder="little")]
TABLE["interp"] = each(
    (np.linspace(-2, 6, 23), np.array([0.0, 1.0, 2.5, 4.0]), np.array([1.0, -1.0, 3.0, 2.0])),
    (np.array(0.3), np.array([0.0, 1.0]), np.array([1.0, 2.0])),
    (np.array([0.5, 3.0]), np.array([1.0]), np.array([2.0])),
    (CUBE, np.array([-1.0, 0.0, 1.0]), np.array([1.0, 5.0, -2.0])),
    (INTS, np.array([-3, 0, 4]), np.array([1, 5, -2])),
)
TABLE["interp"] += [
    C(np.linspace(-2, 6, 9), np.array([0.0, 1.0, 2.5]), np.array([1.0, -1.0, 3.0]), left=-7.0, right=9.0),
    C(
        np.linspace(-370, 360, 9),
        np.array([190.0, -190.0, 350.0, -350.0]),
        np.array([5.0, 10.0, 3.0, 4.0]),
        period=360,
    ),
    C(
        np.array([np.nan, 1.0, 1.5, np.inf]), np.array([0.0, 1.0, 1.0, 2.0]), np.array([1.0, 2.0, 4.0, 8.0])
    )._replace(grad=False),
]
