"""Which domain axes values follow: through equations, views and reductions of a nest."""

from __future__ import annotations

from typing import Any

from ..core.program import Equation
from .kinds import view_kind
from .nest import Dims, Nest


def identity(shape: tuple[int, ...]) -> Dims:
    """The domain axes of a value that has the domain's shape, units aside."""
    numbers = iter(range(len(shape)))
    return tuple(None if d == 1 else next(numbers) for d in shape)


def follows(x: Any, dims: Dims, out: tuple[int, ...]) -> Dims:
    """The axes of an operand, aligned from the right with a result of shape `out` that follows `dims`."""
    own = x.aval.shape
    return tuple(None if d == 1 else axis for d, axis in zip(own, dims[len(out) - len(own) :], strict=True))


def complete(domain: tuple[int, ...], out: tuple[int, ...], found: list[int | None]) -> Dims | None:
    """Domain axes for those of a result's axes that no operand told, in order; None if they do not fit."""
    missing = [i for i, d in enumerate(out) if d != 1 and found[i] is None]
    if missing:
        unused = [a for a in range(len(domain)) if a not in found]
        if len(unused) != len(missing):
            return None
        for i, axis in zip(missing, unused, strict=True):
            found[i] = axis
    axes = [a for a in found if a is not None]
    if len(set(axes)) < len(axes):
        return None
    if any(a is not None and domain[a] != d for a, d in zip(found, out, strict=True)):
        return None
    return tuple(found)


def viewed(eqn: Equation, dims: Dims, before: tuple[int, ...], after: tuple[int, ...]) -> Dims | None:
    """The axes of a view of a value inside a nest; None where it is more than a renaming of axes."""
    kind = view_kind(eqn)
    if kind == "same":
        return dims
    if kind == "transpose":
        return tuple(dims[i] for i in eqn.params["perm"])
    if kind == "broadcast":
        out: list[int | None] = [None] * len(after)
        for i, a in enumerate(eqn.params["axes"]):
            out[a] = dims[i] if before[i] == after[a] else None
        return tuple(out)
    if kind == "reshape" and [d for d in before if d != 1] == [d for d in after if d != 1]:
        long = iter([a for a, d in zip(dims, before, strict=True) if d != 1])
        return tuple(None if d == 1 else next(long) for d in after)
    return None


def fits(axes: frozenset[int], inner: frozenset[int], nest: Nest) -> bool:
    """Whether a reduction can run in a nest whose rows are `inner`: along rows, across them, or over everything."""
    every = frozenset(range(len(nest.shape)))
    return axes in (inner, every - inner, every) or not axes


def agree(sets: list[frozenset[int]], nest: Nest) -> bool:
    """Whether there is a choice of rows that suits all reductions."""
    every = frozenset(range(len(nest.shape)))
    kinds = {s for s in sets if s and s != every}
    if len(kinds) <= 1:
        return True
    return len(kinds) == 2 and every - min(kinds, key=sorted) == max(kinds, key=sorted)
