"""Products of arrays: any contraction of two by `dot_general`."""

from __future__ import annotations

import functools
from typing import Any

from ..core import dtypes, static
from ..core.errors import ArgumentError, DTypeError, ShapeError, brief, lines
from ..primitives import elementwise as e
from ..primitives.contraction import contract
from ._numbers import DotAlgorithm, DotAlgorithmPreset, DotDimensionNumbers, Precision
from ._operands import array, describe


def dot_general(
    lhs: Any,
    rhs: Any,
    dimension_numbers: DotDimensionNumbers,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """The sum of products over pairs of contracted axes, for each element of pairs of batch axes.

    Args:
        dimension_numbers: ((contracted of lhs, of rhs), (batch of lhs, of rhs)).
        precision: accepted; products are always computed in the operands' dtype, float16 and bfloat16 in float32.
        preferred_element_type: the dtype of the result; a wider one than the operands' is computed in.

    Returns:
        (*batch, *free axes of lhs, *free axes of rhs).
    """
    check_precision(precision)
    x, y = array(lhs), array(rhs)
    spec = spec_of(x, y, dimension_numbers)
    return _product(x, y, spec, preferred_element_type)


def dot(
    lhs: Any,
    rhs: Any,
    *,
    dimension_numbers: DotDimensionNumbers | None = None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Products of vectors and matrices: vv, mv, vm, mm; or any with dimension_numbers as in `dot_general`."""
    x, y = array(lhs), array(rhs)
    if dimension_numbers is None:
        if not (1 <= x.ndim <= 2 and 1 <= y.ndim <= 2 and x.shape[-1] == y.shape[0]):
            raise ShapeError(
                lines(
                    f"fx.lax.dot takes vectors and matrices that fit; got {describe(x, y)}.",
                    "Use fx.lax.dot_general or fx.numpy.matmul for arrays of more axes.",
                )
            )
        dimension_numbers = (((x.ndim - 1,), (0,)), ((), ()))
    return dot_general(x, y, dimension_numbers, precision, preferred_element_type)


def batch_matmul(lhs: Any, rhs: Any, precision: Any = None) -> Any:
    """Products of the matrices in the last two axes; the axes before are equal in both."""
    x, y = array(lhs), array(rhs)
    if x.ndim < 2 or x.ndim != y.ndim:
        raise ShapeError(
            f"fx.lax.batch_matmul takes two arrays of one rank of at least 2; got {describe(x, y)}."
        )
    lead = tuple(range(x.ndim - 2))
    return dot_general(x, y, (((x.ndim - 1,), (x.ndim - 2,)), (lead, lead)), precision)


def spec_of(x: Any, y: Any, dimension_numbers: Any) -> str:
    """The contraction that dimension numbers stand for, checked against the operands."""
    try:
        (cx, cy), (bx, by) = dimension_numbers
        cx, cy, bx, by = (static.integers(tuple(axes), "dot_general") for axes in (cx, cy, bx, by))
    except (TypeError, ValueError):
        raise ArgumentError(
            lines(
                f"dot_general: dimension_numbers {brief(dimension_numbers)} are malformed.",
                "Write ((contracted of lhs, of rhs), (batch of lhs, of rhs)), each a sequence of axes.",
            )
        ) from None
    for v, axes in ((x, cx + bx), (y, cy + by)):
        if len(set(axes)) < len(axes) or any(not 0 <= a < v.ndim for a in axes):
            raise ShapeError(f"dot_general: axes {axes} do not fit {describe(v)}.")
    for kind, ax, ay in (("contracted", cx, cy), ("batch", bx, by)):
        if [x.shape[a] for a in ax] != [y.shape[a] for a in ay]:
            raise ShapeError(f"dot_general: the {kind} axes {ax} and {ay} of {describe(x, y)} differ.")
    return _letters(x.ndim, y.ndim, cx, cy, bx, by)


@functools.lru_cache(4096)
def _letters(nx: int, ny: int, cx: Any, cy: Any, bx: Any, by: Any) -> str:
    names = [c for c in map(chr, range(65, 1000)) if c.isalpha()]
    left, right = names[:nx], names[nx : nx + ny]
    for a, b in zip(cx + bx, cy + by, strict=True):
        right[b] = left[a]
    out = [left[a] for a in bx]
    out += [c for i, c in enumerate(left) if i not in cx + bx]
    out += [c for i, c in enumerate(right) if i not in cy + by]
    return f"{''.join(left)},{''.join(right)}->{''.join(out)}"


def _product(x: Any, y: Any, spec: str, preferred: Any) -> Any:
    wide, out = product_dtypes(x, y, preferred)
    return e.convert(contract(e.convert(x, wide), e.convert(y, wide), spec), out)


def product_dtypes(x: Any, y: Any, preferred: Any) -> tuple[Any, Any]:
    """The dtype that a product is computed in, and that of the result."""
    common = dtypes.promote_types(x.dtype, y.dtype)
    out = common if preferred is None else dtypes.canonical(preferred)
    if (common.kind == "c" and out.kind != "c") or (common.kind in "fV" and out.kind in "biu"):
        raise DTypeError(f"fx.lax: a product of {common} has no preferred_element_type {out}.")
    return dtypes.promote_types(common, out), out


def check_precision(precision: Any) -> None:
    """ArgumentError unless it is a precision of JAX, of which fx has one: that of the operands' dtype."""
    pair = isinstance(precision, tuple) and not isinstance(precision, DotAlgorithm)
    parts = precision if pair else (precision,)
    names = ("default", "high", "highest", "fastest", "float32", "bfloat16", "tensorfloat32")
    known = lambda p: (
        p is None or isinstance(p, (Precision, DotAlgorithm, DotAlgorithmPreset)) or _named(p, names)
    )
    if not all(map(known, parts)) or len(parts) > 2:
        raise ArgumentError(
            lines(f"precision={brief(precision)} is unknown.", "Write None or a member of fx.lax.Precision.")
        )


def _named(precision: Any, names: tuple[str, ...]) -> bool:
    return isinstance(precision, str) and (precision in names or precision in DotAlgorithmPreset.__members__)
