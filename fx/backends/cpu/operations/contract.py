"""The native form of `contract`: products of matrices, after copies where those pay, or plain loops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ....core.avals import Aval
from ....primitives.contraction import parse
from ..gemm.axes import axes_of, extent
from ..gemm.conversions import in_parts, through_floats, way_through_floats
from ..gemm.layouts import Arrangement, arranged, arrangement, canonical, copied, sizes_of
from ..gemm.loops import emit_loops
from ..gemm.matrices import NONE, emit_form, form_of, keeps_blocks, product_of
from ..gemm.product import NO_HOOKS, Hooks, parts_of
from ..llvm import NULL, Function, Value, const, i64
from .operation import Buffer, Operation


class Contract(Operation):
    """Every spec and dtype; strides of any kind."""

    strided = True

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        emit_contract(f, *inputs, outputs[0], params["spec"])


def emit_contract(
    f: Function,
    left: Buffer,
    right: Buffer,
    out: Buffer,
    spec: str,
    *,
    epilogue: str | None = None,
    context: Value | None = None,
) -> None:
    """out = the contraction `spec` of left and right, out contiguous.

    `epilogue` names a function of the module,

        void epilogue(ptr context, i64 row0, i64 row1, i64 col0, i64 col1)

    that is called for blocks which cover the result once, each after its last value was stored: soon after, by the
    thread that stored it, where `can_fuse` says so, otherwise for the whole result at the end. Rows and columns are
    those of `matrix_shape`. Calls for different blocks may run at the same time.
    """
    if out.size == 0:
        return
    hooks = NO_HOOKS if epilogue is None else Hooks(Value(f"@{epilogue}", "ptr"), context or NULL)
    width = matrix_shape(spec, out.shape)[1]
    if not _contracted(f, left, right, out, spec, width, hooks) and epilogue:
        bounds = [i64(n) for n in (0, out.size // width, 0, width)]
        f.call(epilogue, "void", [hooks.epilogue_context, *bounds])


def matrix_shape(spec: str, shape: Sequence[int]) -> tuple[int, int]:
    """The result as a matrix: its columns are the last axes, as far as they come from the same operands."""
    left, right, out = parse(spec)
    kinds = [(i in left, i in right) for i in out]
    n = 1
    for kind, d in zip(reversed(kinds), reversed(shape), strict=True):
        if kind != kinds[-1]:
            break
        n *= d
    return math.prod(shape) // max(n, 1), n


def can_fuse(spec: str, avals: Sequence[Aval]) -> bool:
    """Whether an epilogue runs block by block, provided that the operands are contiguous or nearly so.

    The result's axes are those of the batch, then those of one operand, then those of the other; something is summed
    over; float32 or float64.
    """
    left, right, out = parse(spec)
    sizes = dict(zip(left + right, avals[0].shape + avals[1].shape, strict=True))
    summed = [d for i, d in sizes.items() if i not in out and d != 1]
    if avals[0].dtype.name not in ("float32", "float64") or 0 in sizes.values() or not summed:
        return False
    order = [2 * (i in left) + (i in right) for i in out]
    kinds = [kind for i, kind in enumerate(order) if i == 0 or order[i - 1] != kind]
    return bool(kinds) and kinds[-1] != 3 and len(set(kinds)) == len(kinds) and 3 not in kinds[1:]


def runs_in_blocks(spec: str, left: Buffer, right: Buffer, out: Buffer) -> bool:
    """Whether an epilogue is called block by block, while the product is no slower than without one."""
    avals = [Aval(x.shape, x.dtype) for x in (left, right)]
    if out.size == 0 or left.dtype != right.dtype or not can_fuse(spec, avals):
        return False
    plan = arrangement(spec, left, right, out)
    if plan is None or plan.out is not None:
        return False
    arrays = copied(plan, (left, right, out), sizes_of(spec, left, right))
    form, width = form_of(axes_of(plan.applied(spec), *arrays)), matrix_shape(spec, out.shape)[1]
    return form is not None and keeps_blocks(form, width) and parts_of(product_of(form, out, width)) == 1


def _contracted(
    f: Function, left: Buffer, right: Buffer, out: Buffer, spec: str, width: int, hooks: Hooks
) -> bool:
    """The contraction by whatever means fits; whether the epilogue was called for every block."""
    axes = axes_of(spec, left, right, out)
    work = extent(axes.out) * extent(axes.inner)
    if 0 in left.shape:
        _zeros(f, out)
    elif out.dtype.name in ("float32", "float64"):
        return _real(f, left, right, out, spec, width, hooks)
    elif not axes.inner or work < WORTH_COPIES:
        emit_loops(f, left, right, out, axes)
    elif out.dtype.kind == "c":
        _complex(f, left, right, out, spec)
    elif way := way_through_floats(out.dtype, *map(extent, (axes.rows, axes.cols, axes.inner))):
        with through_floats(f, way, spec, left, right, out) as (x, y, z):
            _real(f, x, y, z, spec, 1, NO_HOOKS)
    else:
        _looped(f, left, right, out, spec)
    return False


WORTH_COPIES = 4096
"""Products from which copies of the operands pay."""


def _real(f: Function, left: Buffer, right: Buffer, out: Buffer, spec: str, width: int, hooks: Hooks) -> bool:
    """float32 and float64: products of matrices, after copies where they are needed."""
    plan = arrangement(spec, left, right, out)
    if plan is None:
        emit_loops(f, left, right, out, axes_of(spec, left, right, out))
        return False
    with arranged(f, plan, spec, left, right, out) as arrays:
        form = form_of(axes_of(plan.applied(spec), *arrays))
        assert form is not None
        blockwise = plan.out is None and keeps_blocks(form, width)
        return emit_form(f, form, *arrays, width, hooks if blockwise else NO_HOOKS) and blockwise


def _complex(f: Function, left: Buffer, right: Buffer, out: Buffer, spec: str) -> None:
    """As a real contraction with a copy of one operand in real 2 x 2 matrices, where loops are not as good.

    The operand is the one that has the last axis of the result, or else a vector.
    """
    axes = axes_of(spec, left, right, out)
    a, b, c = parse(spec)
    m, n, last = extent(axes.rows), extent(axes.cols), (axes.out or [NONE])[-1]
    if last in (NONE, *axes.batch) or (min(m, n) < 4 and last.size >= 4 and {last.a, last.b} <= {0, 1}):
        emit_loops(f, left, right, out, axes)
        return
    if m < n < 4 or (min(m, n) >= 4 and last in axes.rows) or m < 4 <= n:
        left, right, spec = right, left, f"{b},{a}->{c}"
    with in_parts(f, spec, left, right, out) as real:
        _real(f, real.left, real.right, real.out, real.spec, 1, NO_HOOKS)


def _looped(f: Function, left: Buffer, right: Buffer, out: Buffer, spec: str) -> None:
    """Loops, with the operand that has the last axis of the result copied so that this axis is contiguous."""
    last = parse(spec)[2][-1:]
    plan = Arrangement(
        *(
            order if last and last in letters and x.strides[letters.index(last)] not in (0, 1) else None
            for letters, order, x in zip(parse(spec)[:2], canonical(spec), (left, right), strict=False)
        ),
        None,
    )
    with arranged(f, plan, spec, left, right, out) as arrays:
        emit_loops(f, *arrays, axes_of(plan.applied(spec), *arrays))


def _zeros(f: Function, out: Buffer) -> None:
    with f.loop(i64(0), i64(out.size * out.dtype.itemsize), trips=True) as loop:
        f.store(const("i8", 0), f.gep("i8", out.pointer, loop.index))
