"""Static layouts: axes merged where memory allows, linear numbers taken apart into offsets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from ..llvm import Function, Value, i64
from .operation import row_major

Strides = tuple[int, ...]


def merged(sizes: Sequence[int], *strides: Sequence[int]) -> tuple[tuple[int, ...], list[Strides]]:
    """The same elements in the same order over as few axes as possible: sizes, and strides of every array."""
    axes: list[tuple[int, tuple[int, ...]]] = []
    for size, *steps in zip(sizes, *strides, strict=True):
        if size == 1:
            continue
        if axes and all(a == b * size for a, b in zip(axes[-1][1], steps, strict=True)):
            axes[-1] = (axes[-1][0] * size, tuple(steps))
        else:
            axes.append((size, tuple(steps)))
    return tuple(n for n, _ in axes), [tuple(s[k] for _, s in axes) for k in range(len(strides))]


def broadcast_strides(shape: Sequence[int], common: Sequence[int]) -> Strides:
    """Strides of a contiguous array of `shape` as one of the shape `common` that it broadcasts to."""
    steps = [0 if n == 1 else s for n, s in zip(shape, row_major(shape), strict=True)]
    return (*[0] * (len(common) - len(shape)), *steps)


def offsets(f: Function, number: Value, sizes: Sequence[int], *strides: Sequence[int]) -> list[Value]:
    """Where element `number` (counted in C order over `sizes`) lies, in each array."""
    totals = [i64(0) for _ in strides]
    for axis in reversed(range(len(sizes))):
        place = number
        if axis:
            place, number = f.urem(number, i64(sizes[axis])), f.udiv(number, i64(sizes[axis]))
        totals = [
            t if s[axis] == 0 else f.add(t, f.mul(place, i64(s[axis])))
            for t, s in zip(totals, strides, strict=True)
        ]
    return totals


@contextmanager
def nested(f: Function, sizes: Sequence[int], *strides: Sequence[int]) -> Iterator[list[Value]]:
    """Loops over all of `sizes`; inside, the offsets into each array. No size may be 0."""
    with ExitStack() as stack:
        totals = [i64(0) for _ in strides]
        for axis, size in enumerate(sizes):
            loop = stack.enter_context(f.loop(i64(0), i64(size), trips=True))
            totals = [f.add(t, f.mul(loop.index, i64(s[axis]))) for t, s in zip(totals, strides, strict=True)]
        yield totals


def pieces(count: int, most: int) -> list[tuple[int, int]]:
    """[0, count) cut into (start, lanes) with lanes powers of two, at most `most`."""
    found, start = [], 0
    while start < count:
        lanes = min(most, 1 << ((count - start).bit_length() - 1))
        found.append((start, lanes))
        start += lanes
    return found


def vector_loop(
    f: Function, start: Value, stop: Value, lanes: int, body: Callable[[Value, int], None]
) -> None:
    """body(index, lanes) over [start, stop): whole vectors first, then single elements."""
    length = f.sub(stop, start)
    whole = f.add(start, f.and_(length, i64(-lanes))) if lanes > 1 else start
    if lanes > 1:
        with f.loop(start, whole, lanes) as loop:
            body(loop.index, lanes)
    with f.loop(whole, stop) as loop:
        body(loop.index, 1)


def either(
    f: Function, mask: Value, yes: Callable[[], object], no: Callable[[], object] = lambda: None
) -> None:
    """One of two pieces of code runs."""

    def without_values(write: Callable[[], object]) -> Callable[[], list[Value]]:
        def run() -> list[Value]:
            write()
            return []

        return run

    f.choose(mask, without_values(yes), without_values(no))
