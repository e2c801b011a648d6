"""The axes of a contraction: their roles, and their strides in both operands and the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ....primitives.contraction import parse
from ..operations.operation import Buffer


class Axis(NamedTuple):
    """One index: how many values it takes, and what a step of it means in each array, in elements."""

    size: int
    a: int
    b: int
    c: int


class Axes(NamedTuple):
    """Axes by role, those of the result in its order, neighbours merged where the strides allow.

    batch stands in all three arrays, rows in the left one and the result, cols in the right one and the result,
    inner in both operands: it is summed over.
    """

    batch: list[Axis]
    rows: list[Axis]
    cols: list[Axis]
    inner: list[Axis]
    out: list[Axis]
    """batch, rows and cols together, in the order of the result."""


def axes_of(spec: str, a: Buffer, b: Buffer, c: Buffer) -> Axes:
    """The axes of `spec`; those of size one are left out."""
    left, right, out = parse(spec)
    steps = [
        dict(zip(part, buffer.strides, strict=True)) for part, buffer in ((left, a), (right, b), (out, c))
    ]
    sizes = dict(zip(left + right, a.shape + b.shape, strict=True))

    def pick(letters: Sequence[str]) -> list[Axis]:
        return merged([Axis(sizes[i], *(s.get(i, 0) for s in steps)) for i in letters if sizes[i] != 1])

    inner = [i for i in left if i in right and i not in out]
    inner.sort(key=lambda i: -abs(steps[1][i]))
    return Axes(
        pick([i for i in out if i in left and i in right]),
        pick([i for i in out if i not in right]),
        pick([i for i in out if i not in left]),
        pick(inner),
        pick(out),
    )


def merged(axes: Sequence[Axis]) -> list[Axis]:
    """Neighbours that step through all three arrays like one axis become one."""
    result: list[Axis] = []
    for axis in axes:
        size, *inner = axis
        if result and all(o == i * size for o, i in zip(result[-1][1:], inner, strict=True)):
            result[-1] = Axis(result[-1].size * size, *inner)
        else:
            result.append(axis)
    return result


def extent(axes: Sequence[Axis]) -> int:
    """How many index tuples."""
    n = 1
    for axis in axes:
        n *= axis.size
    return n
