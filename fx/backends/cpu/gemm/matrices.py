"""A contraction as matrix products: which axes are rows, columns and steps, and what loops around them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from ..llvm import TYPES, Function, Value, i64
from ..operations.operation import Buffer
from .axes import Axes, Axis
from .jobs import BATCH_AXES
from .product import NO_HOOKS, Hooks, Product, emit_product

NONE = Axis(1, 0, 0, 0)
ENOUGH = 14
"""Rows that fill a kernel; beyond them the last axis is as good as a longer one, and keeps blocks together."""


class Form(NamedTuple):
    """Products of matrices: the last axes of rows, columns and steps; the axes around them; who is on the left."""

    row: Axis
    col: Axis
    inner: Axis
    around: list[Axis]
    """In descending order of the result's strides."""
    swapped: bool


def form_of(axes: Axes) -> Form | None:
    """The contraction as products of matrices with contiguous rows; None where the strides do not allow it."""
    if len(axes.inner) > 1 or (axes.out and axes.out[-1] in axes.batch and not _dots(axes)):
        return None
    swapped = bool(axes.out) and axes.out[-1] in axes.rows
    rows, cols = (axes.cols, axes.rows) if swapped else (axes.rows, axes.cols)
    row = max(reversed(rows), key=lambda axis: min(axis.size, ENOUGH), default=NONE)
    col, inner = (part[-1] if part else NONE for part in (cols, axes.inner))
    if col.c not in (0, 1):
        return None
    around = [*axes.batch, *cols[:-1], *(axis for axis in rows if axis is not row)]
    around.sort(key=lambda axis: -axis.c)
    if swapped:
        row, col, inner, *around = (Axis(x.size, x.b, x.a, x.c) for x in (row, col, inner, *around))
    return Form(row, col, inner, around, swapped)


def _dots(axes: Axes) -> bool:
    """Dot products of contiguous vectors, one for each index of the batch."""
    return (
        not (axes.rows or axes.cols)
        and bool(axes.inner)
        and 1 in axes.inner[0][1:3]
        and axes.inner[0].size >= 16
    )


def emit_form(
    f: Function, form: Form, left: Buffer, right: Buffer, out: Buffer, width: int, hooks: Hooks = NO_HOOKS
) -> bool:
    """The products, with loops around them where they have more batch axes than the library takes.

    Gives whether the epilogue was called block by block.
    """
    split = max(0, len(form.around) - BATCH_AXES)
    product = product_of(form, out, width)
    a, b = (right, left) if form.swapped else (left, right)
    with ExitStack() as stack:
        pointers = [a.pointer, b.pointer, out.pointer]
        for axis in form.around[:split]:
            i = stack.enter_context(f.loop(i64(0), i64(axis.size), trips=True)).index
            pointers = _moved(f, pointers, axis[1:], i, product.scalar)
        return emit_product(f, product, *pointers, hooks, first=out.pointer)


def product_of(form: Form, out: Buffer, width: int) -> Product:
    """What the library is called for, as often as there are more axes around than it takes."""
    row, col, inner, around, _ = form
    return Product(
        TYPES[out.dtype.name], row.size, col.size, inner.size, row.a, inner.a, inner.b,
        col.b if col.size > 1 else 1, row.c or col.size, width, tuple(around[-BATCH_AXES:]),
    )  # fmt: skip


def keeps_blocks(form: Form, width: int) -> bool:
    """Whether blocks of the products are blocks of the result seen as a matrix with `width` columns."""
    return form.row.size == 1 or form.row.c == width


def _moved(f: Function, pointers: list[Value], steps: Sequence[int], i: Value, scalar: str) -> list[Value]:
    return [f.gep(scalar, p, f.mul(i, i64(s))) for p, s in zip(pointers, steps, strict=True)]
