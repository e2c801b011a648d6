"""Reading matrices and systems: dtypes, ranks, batches, and what is checked where values are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core import errors
from ..core.array import Array
from ..core.devices import backend_of
from ..core.trace import current_trace
from ..numpy._arguments import common_shape, inexact_operand, operand
from ..primitives import elementwise as el
from ..primitives._matrices import check_matrices, identity_mask
from ..primitives.promotion import promote
from ..primitives.shape import broadcast_to, reshape


def matrix(a: Any, name: str, square: bool = False, check_finite: bool = True) -> Array:
    """a: (..., m, n), or (..., n, n), in an inexact dtype that LAPACK has; finite where values are known."""
    a = inexact_operand(a, name)
    check_matrices(name, (a.aval,), square)
    return finite(a, name) if check_finite else a


def finite(a: Array, name: str) -> Array:
    """a, if nothing is traced and it has no NaN and no inf; traced, what computes with it decides."""
    if current_trace() is None and not bool(backend_of(a.buffer).xp.isfinite(a.buffer).all()):
        raise errors.LinAlgError(
            errors.lines(
                f"{name}: {a.aval} has elements that are NaN or infinite.",
                "Look for them with fx.numpy.isfinite(a), or pass check_finite=False where that is an argument.",
            )
        )
    return a


def has_zeros(x: Array) -> bool:
    """Whether the values of x are known and one of them is zero."""
    return current_trace() is None and bool((x.buffer == 0).any())


def vector(x: Any, name: str) -> Array:
    """x: (..., n)."""
    x = operand(x, name)
    if x.ndim < 1:
        raise errors.ShapeError(f"{name} takes vectors (..., n); got {x.aval}.")
    return x


def choice(value: Any, options: tuple[Any, ...], what: str) -> Any:
    """value, if it is one of the options."""
    if not isinstance(value, (str, int, type(None))) or value not in options:
        known = ", ".join(map(repr, options))
        raise errors.ArgumentError(f"{what} is {errors.brief(value)}; it must be one of {known}.")
    return value


def system(
    a: Any, b: Any, name: str, check_finite: bool = True
) -> tuple[Array, Array, Callable[[Array], Array]]:
    """a: (..., n, n) and b: (n,) or (..., n, k) in one dtype and batch, and what brings x: (..., n, k) to b's form."""
    a, b = (operand(x, name) for x in promote(a, b, inexact=True))
    rows = b.shape[-2:][0] if b.ndim else None
    check_matrices(name, (a.aval,), True)
    if rows != a.shape[-1]:
        raise errors.ShapeError(
            f"{name} takes a: (..., n, n) and b: (n,) or (..., n, k); got {a.aval} and {b.aval}."
        )
    if check_finite:
        finite(a, name), finite(b, name)
    columns = reshape(b, (b.size, 1)) if b.ndim == 1 else b
    a, columns = same_batch(name, a, columns)
    restore = lambda x: reshape(x, x.shape[:-1]) if b.ndim == 1 else x
    return a, columns, restore


def same_batch(name: str, *matrices: Array) -> list[Array]:
    """Matrices with their batch axes broadcast to common ones."""
    lead = common_shape(name, *[x.shape[:-2] for x in matrices])
    return [x if x.shape[:-2] == lead else broadcast_to(x, (*lead, *x.shape[-2:])) for x in matrices]


def refuse_zeros(a: Array, name: str, problem: str) -> None:
    """LinAlgError where values are known and the diagonal of a: (..., n, n) has a zero."""
    if current_trace() is None and bool((a.buffer.diagonal(0, -2, -1) == 0).any()):
        raise errors.LinAlgError(
            errors.lines(
                f"{name}: {problem}; it has a zero on its diagonal.",
                "fx.linalg.pinv and lstsq take singular matrices.",
            )
        )


def identity_like(a: Array) -> Array:
    """Identity matrices of the shape and dtype of a: (..., n, n)."""
    return broadcast_to(el.convert(identity_mask(a.shape[-1]), a.dtype), a.shape)
