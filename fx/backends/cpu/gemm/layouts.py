"""Operands in another layout: copied first, where that makes matrix products of a contraction.

Several axes that are summed over must be one stride apart in both operands, and axes of the batch must not come last
in the result.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np

from ....primitives.contraction import parse
from ..engine import host
from ..llvm import Function, Value, i64
from ..operations.operation import Buffer, row_major
from .axes import Axes, axes_of, extent
from .copying import Change, Step, emit_copy
from .library import working_memory
from .matrices import Form, form_of


@contextmanager
def workspace(f: Function, nbytes: int) -> Iterator[Value]:
    """Memory for what stands inside."""
    working_memory()
    memory = f.call("fx_workspace_take", "ptr", [i64(nbytes)])
    yield memory
    f.call("fx_workspace_give", "void", [memory])


@contextmanager
def temporary(f: Function, letters: str, sizes: dict[str, int], dtype: np.dtype[Any]) -> Iterator[Buffer]:
    """A contiguous array with these axes."""
    shape = tuple(sizes[i] for i in letters)
    with workspace(f, max(64, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)) as memory:
        yield Buffer(memory, shape, row_major(shape), dtype)


def fill(
    f: Function, source: Buffer, letters: str, target: Buffer, order: str, change: Change = lambda f, x: x
) -> None:
    """target, with axes `order`, = change(source), with axes `letters`."""
    steps = [
        Step(target.shape[at], source.strides[letters.index(i)], target.strides[at])
        for at, i in enumerate(order)
    ]
    emit_copy(f, source, target, steps, change)


def sizes_of(spec: str, left: Buffer, right: Buffer) -> dict[str, int]:
    a, b, _ = parse(spec)
    return dict(zip(a + b, left.shape + right.shape, strict=True))


def canonical(spec: str, inner_of: int = 0) -> tuple[str, str, str]:
    """Orders of axes in which the contraction is one batch of matrix products; steps as operand `inner_of` has them."""
    left, right, out = parse(spec)
    batch = "".join(i for i in out if i in left and i in right)
    rows = "".join(i for i in out if i not in right)
    cols = "".join(i for i in out if i not in left)
    inner = "".join(i for i in (left, right)[inner_of] if i in left and i in right and i not in out)
    return batch + rows + inner, batch + inner + cols, batch + rows + cols


class Arrangement(NamedTuple):
    """For each array the order of axes that it is copied to or from, contiguous; None where it stays as it is."""

    left: str | None
    right: str | None
    out: str | None

    def applied(self, spec: str) -> str:
        """The spec after the copies."""
        a, b, c = (new or old for new, old in zip(self, parse(spec), strict=True))
        return f"{a},{b}->{c}"

    def cost(self, sizes: dict[str, int]) -> int:
        """Elements that are copied."""
        return sum(int(np.prod([sizes[i] for i in letters])) for letters in self if letters is not None)


STAY = Arrangement(None, None, None)


def arrangement(spec: str, left: Buffer, right: Buffer, out: Buffer) -> Arrangement | None:
    """The cheapest one that makes products of matrices; None where plain loops are as good.

    Products without a sum are left to loops: adding them to zero would lose the sign of -0.
    """
    axes, sizes, arrays = axes_of(spec, left, right, out), sizes_of(spec, left, right), (left, right, out)
    if not axes.inner:
        return None
    form = form_of(axes)
    if form:
        return _widened(form, axes, spec, arrays, sizes) if _is_narrow(form, out) else STAY
    m, n, k = extent(axes.rows), extent(axes.cols), extent(axes.inner)
    scalar = not axes.out or axes.out[-1].size < 4
    if m * n * k < 4 * (m * k + k * n + m * n) and not (scalar and k >= 256):
        return None
    fitting = [x for x in _choices(spec) if _form(x, spec, arrays, sizes)]
    return min(fitting, key=lambda x: x.cost(sizes), default=None)


def _choices(spec: str) -> list[Arrangement]:
    choices = []
    for inner_of in (0, 1):
        x, y, z = canonical(spec, inner_of)
        choices += [Arrangement(*p) for p in itertools.product((None, x), (None, y), (None, z))]
    return choices


COPIED = 120
"""Multiplications in the time in which one element is copied."""


def _is_narrow(form: Form, out: Buffer) -> bool:
    """Whether the last axis of the result leaves most of a vector unused."""
    return 4 * form.col.size <= host().vector_bytes // out.dtype.itemsize


def _widened(
    form: Form, axes: Axes, spec: str, arrays: tuple[Buffer, ...], sizes: dict[str, int]
) -> Arrangement:
    """A result of few columns made with another axis last, and copied, where that takes half the time."""
    work = extent(axes.out) * extent(axes.inner)
    lanes = host().vector_bytes // arrays[2].dtype.itemsize
    best, least = STAY, work * lanes // form.col.size // 2
    for choice in _choices(spec):
        found = _form(choice, spec, arrays, sizes)
        if found and not _is_narrow(found, arrays[2]) and work + COPIED * choice.cost(sizes) < least:
            best, least = choice, work + COPIED * choice.cost(sizes)
    return best


@contextmanager
def arranged(
    f: Function, plan: Arrangement, spec: str, left: Buffer, right: Buffer, out: Buffer
) -> Iterator[tuple[Buffer, Buffer, Buffer]]:
    """The arrays as `plan` wants them; what is written to the last one ends up in `out`."""
    sizes, (a, b, c) = sizes_of(spec, left, right), parse(spec)
    with ExitStack() as stack:
        arrays = [
            x if order is None else stack.enter_context(temporary(f, order, sizes, x.dtype))
            for x, order in zip((left, right, out), plan, strict=True)
        ]
        for x, letters, copy, order in zip((left, right), (a, b), arrays, plan, strict=False):
            if order is not None:
                fill(f, x, letters, copy, order)
        yield arrays[0], arrays[1], arrays[2]
        if plan.out is not None:
            fill(f, arrays[2], plan.out, out, c)


def _form(x: Arrangement, spec: str, buffers: tuple[Buffer, ...], sizes: dict[str, int]) -> Form | None:
    """The contraction after the copies."""
    return form_of(axes_of(x.applied(spec), *copied(x, buffers, sizes)))


def copied(x: Arrangement, buffers: Sequence[Buffer], sizes: dict[str, int]) -> list[Buffer]:
    """Arrays like those that the copies make."""
    return [b if letters is None else _like(b, letters, sizes) for b, letters in zip(buffers, x, strict=True)]


def _like(buffer: Buffer, letters: str, sizes: dict[str, int]) -> Buffer:
    shape = tuple(sizes[i] for i in letters)
    return Buffer(buffer.pointer, shape, row_major(shape), buffer.dtype)
