"""The few operations that transformations need, handed to core once by the primitives.

`core` knows no primitive by name; adding cotangents, making zeros and moving batch axes go through here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .avals import Aval
from .primitive import Zero


def _missing(*args: Any) -> Any:
    raise RuntimeError("fx.primitives is not loaded")


add: Callable[[Any, Any], Any] = _missing
"""Sum of two cotangents of one aval."""
zeros: Callable[[Aval], Any] = _missing
"""An array of zeros of an aval."""
move_axis: Callable[[Any, int, int], Any] = _missing
"""x with one axis moved."""
spread: Callable[[Any, int, int], Any] = _missing
"""x repeated along a new axis: (x, size, position)."""
total: Callable[[Any, int], Any] = _missing
"""Sum over one axis."""
basis: Callable[[Aval], Any] = _missing
"""The unit vectors of an aval, stacked: (size, *shape)."""
reshape: Callable[[Any, Any], Any] = _missing
"""x with another shape."""
join: Callable[[Any], Any] = _missing
"""Vectors joined to one, in their common dtype."""
split: Callable[[Any, Any], Any] = _missing
"""A vector cut into pieces of given sizes."""
run_chunks: Callable[..., Any] = _missing
"""vmap in chunks: (call, rows, run, out_axes)."""
convert: Callable[[Any, Any], Any] = _missing
"""x in another dtype."""


def _nothing(*args: Any) -> None:
    return None


watch_keys: Callable[..., Any] = _nothing
"""What traced functions, (trace, outputs) each, of which one runs, do with random keys; None where they see none.

The result has `use(operands, axes, carry)`, which is called before each call and returns what takes its results.
"""


def provide(**operations: Callable[..., Any]) -> None:
    """Take the operations; each may be given once."""
    for name, operation in operations.items():
        if globals()[name] not in (_missing, _nothing):
            raise RuntimeError(f"{name} was given already")
        globals()[name] = operation


def instantiate(tangent: Any) -> Any:
    """A real array for a symbolic Zero."""
    return zeros(tangent.aval) if type(tangent) is Zero else tangent


def add_tangents(a: Any, b: Any) -> Any:
    """Sum of two tangents or cotangents, either of which may be Zero."""
    if type(a) is Zero:
        return b
    return a if type(b) is Zero else add(a, b)
