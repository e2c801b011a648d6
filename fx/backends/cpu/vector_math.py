"""The table of fx's vector math: `FUNCTIONS[name](f, x[, y])` appends the function of x to `f` and gives its value.

x is a float or a double, alone or in a vector of a power of two lanes; the result has its type. Errors are below
2 units in the last place (4 for pow, lgamma, digamma and erfc), see docs/vector_math.md. Special values are NumPy's and
SciPy's. Large functions become internal functions of the module, emitted once for each type.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from .complex_numbers import Pair
from .llvm import Function, Value
from .math import (
    complex_arithmetic,
    complex_functions,
    complex_inverses,
    error_functions,
    exponentials,
    gamma_functions,
    hyperbolic,
    logarithms,
    neighbours,
    powers_roots,
    remainders,
    trigonometry,
)
from .math.complex_arithmetic import Z
from .math.expression import X


def _lifted(body: Callable[..., X]) -> Callable[..., Value]:
    """`body` on values of `f`, where nothing may be contracted."""

    @wraps(body)
    def function(f: Function, *args: Value) -> Value:
        flags, f.flags = f.flags, ""
        try:
            return body(*(X(f, a) for a in args)).value
        finally:
            f.flags = flags

    return function


FUNCTIONS: dict[str, Callable[..., Value]] = {
    body.__name__: _lifted(body)
    for body in (
        exponentials.exp, exponentials.exp2, exponentials.expm1, exponentials.logistic,
        logarithms.log, logarithms.log2, logarithms.log10, logarithms.log1p, logarithms.logaddexp,
        trigonometry.sin, trigonometry.cos, trigonometry.tan,
        trigonometry.asin, trigonometry.acos, trigonometry.atan, trigonometry.atan2,
        hyperbolic.sinh, hyperbolic.cosh, hyperbolic.tanh, hyperbolic.asinh, hyperbolic.acosh, hyperbolic.atanh,
        powers_roots.sqrt, powers_roots.rsqrt, powers_roots.cbrt, powers_roots.pow, powers_roots.hypot,
        error_functions.erf, error_functions.erfc, error_functions.erf_inv,
        gamma_functions.lgamma, gamma_functions.digamma,
        remainders.fmod, remainders.mod, remainders.floor_div, neighbours.nextafter,
    )
}  # fmt: skip
"""Emitters by the primitive's name."""


def _lifted_complex(body: Callable[..., Any]) -> Callable[..., Any]:
    """`body` on values and pairs of values."""

    @wraps(body)
    def function(f: Function, *args: Value | Pair) -> Value | Pair:
        flags, f.flags = f.flags, ""
        try:
            found = body(*(Z(X(f, a.re), X(f, a.im)) if type(a) is Pair else X(f, a) for a in args))
        finally:
            f.flags = flags
        return Pair(found.re.value, found.im.value) if type(found) is Z else found.value

    return function


COMPLEX_FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: _lifted_complex(body)
    for table in (complex_arithmetic, complex_functions, complex_inverses)
    for name, body in table.FUNCTIONS.items()
}


def complex_function(name: str, params: dict[str, Any]) -> Callable[..., Any] | None:
    """The emitter of a function of complex numbers by the primitive's name and parameters, if there is one."""
    if name != "integer_pow":
        return COMPLEX_FUNCTIONS.get(name)
    n = params["n"]
    if abs(n) < 100:
        return _lifted_complex(lambda z: complex_arithmetic.integer_power(z, n))
    return _lifted_complex(lambda z: complex_functions.power(z, Z(z.re.of(float(n)), z.re.of(0.0))))
