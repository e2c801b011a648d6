"""The loop-nest IR: what one fused kernel computes, without saying yet how its loops run.

A Nest has a domain (a tuple of sizes) and equations over it. Every value follows some of the domain's axes:
`dims[v]` gives, for each axis of v, the domain axis it follows, or None where its size is 1. The axes in `inner`
are those that reductions run over and whose results are used inside the nest ("rows"): for every outer index the
inner axes are walked in stages, one more for each reduction that has to be complete before the next can begin.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any, NamedTuple

from ..core.program import Equation, Var
from ..core.structure import Literal

Dims = tuple[int | None, ...]


class View(NamedTuple):
    """An affine window on a stored array: element strides, offset, shape."""

    base: Var
    offset: int
    strides: tuple[int, ...]
    shape: tuple[int, ...]


def numel(shape: Iterable[int]) -> int:
    """Number of elements of a shape."""
    n = 1
    for d in shape:
        n *= d
    return n


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides in elements of a contiguous array."""
    strides, step = [], 1
    for d in reversed(shape):
        strides.append(step)
        step *= d
    return tuple(reversed(strides))


def whole(v: Var) -> View:
    """All of a stored array."""
    return View(v, 0, row_major(v.aval.shape), v.aval.shape)


class Access(NamedTuple):
    """How a nest touches a stored array: element strides by domain axis, and an offset."""

    base: Var
    offset: int
    strides: tuple[int, ...]


class Reduce(NamedTuple):
    """A reduction inside a nest: its equation and the domain axes it runs over."""

    eqn: Equation
    axes: frozenset[int]


class Nest:
    """Equations fused over one domain."""

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape
        self.equations: list[Equation] = []
        self.dims: dict[Any, Dims] = {}
        """Of values made here, free values (full, iota) and stored operands alike."""
        self.reductions: dict[Var, Reduce] = {}
        self.inner: frozenset[int] | None = None
        """Axes of the rows, once a reduction's result is used inside."""
        self.stores: dict[Var, None] = {}
        """Values that others read."""
        self.loads: dict[Var, View] = {}
        """Operands by the variable that the equations name."""
        self.copies: list[tuple[Any, View]] = []
        """Values written to a window of a stored array: the parts of a concatenation."""

    @property
    def size(self) -> int:
        return numel(self.shape)

    def made(self, v: Any) -> bool:
        """Whether v is computed here."""
        return v in self.dims and v not in self.loads and type(v) is not Literal

    def axes_of(self, v: Any) -> frozenset[int]:
        """The domain axes that v depends on."""
        return frozenset(a for a in self.dims.get(v, ()) if a is not None)

    def access(self, v: Var, view: View) -> Access:
        """Strides by domain axis of a view that follows the axes `dims[v]`."""
        strides = [0] * len(self.shape)
        for axis, stride in zip(self.dims[v], view.strides, strict=True):
            if axis is not None:
                strides[axis] = stride
        return Access(view.base, view.offset, tuple(strides))

    def turned(self, order: Sequence[int]) -> Nest:
        """The same with the domain's axes in another order; not for nests with copies, which follow the domain."""
        place = {old: new for new, old in enumerate(order)}
        found = copy(self)
        found.shape = tuple(self.shape[a] for a in order)
        found.dims = {
            v: tuple(None if a is None else place[a] for a in dims) for v, dims in self.dims.items()
        }
        found.reductions = {
            v: Reduce(r.eqn, frozenset(place[a] for a in r.axes)) for v, r in self.reductions.items()
        }
        found.inner = None if self.inner is None else frozenset(place[a] for a in self.inner)
        return found

    def describe(self) -> str:
        """One line for people."""
        names = " ".join(e.primitive.name for e in self.equations)
        return f"nest {'x'.join(map(str, self.shape)) or 'scalar'}: {names}"
