"""Views: what reshape, transpose, broadcast, slice and reverse make of an affine window on a stored array."""

from __future__ import annotations

from ..core.program import Equation
from .kinds import view_kind
from .nest import View, row_major


def is_contiguous(view: View) -> bool:
    """Whether the elements lie in row-major order without gaps."""
    expected = 1
    for size, stride in zip(reversed(view.shape), reversed(view.strides), strict=True):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def apply(eqn: Equation, view: View) -> View | None:
    """The view that a view equation makes; None for a reshape that strides cannot express."""
    kind, params = view_kind(eqn), eqn.params
    if kind == "same":
        return view
    if kind == "transpose":
        perm = params["perm"]
        return view._replace(
            strides=tuple(view.strides[i] for i in perm), shape=tuple(view.shape[i] for i in perm)
        )
    if kind == "broadcast":
        return _broadcast(view, params["shape"], params["axes"])
    if kind == "slice":
        return _slice(view, params, eqn.outputs[0].aval.shape)
    if kind == "reverse":
        return _reverse(view, params["axes"])
    return reshape(view, params["shape"])


def _broadcast(view: View, shape: tuple[int, ...], axes: tuple[int, ...]) -> View:
    strides = [0] * len(shape)
    for i, a in enumerate(axes):
        strides[a] = view.strides[i] if view.shape[i] == shape[a] != 1 else 0
    return view._replace(strides=tuple(strides), shape=tuple(shape))


def _slice(view: View, params: dict[str, tuple[int, ...]], shape: tuple[int, ...]) -> View:
    offset = view.offset + sum(a * s for a, s in zip(params["start"], view.strides, strict=True))
    strides = tuple(k * s for k, s in zip(params["step"], view.strides, strict=True))
    return View(view.base, offset, strides, shape)


def _reverse(view: View, axes: tuple[int, ...]) -> View:
    offset = view.offset + sum(max(view.shape[a] - 1, 0) * view.strides[a] for a in axes)
    strides = tuple(-s if a in axes else s for a, s in enumerate(view.strides))
    return View(view.base, offset, strides, view.shape)


def reshape(view: View, shape: tuple[int, ...]) -> View | None:
    """The same elements in row-major order under another shape, if strides can say so."""
    shape = tuple(shape)
    if is_contiguous(view):
        return view._replace(strides=row_major(shape), shape=shape)
    if 0 in shape:
        return view._replace(strides=row_major(shape), shape=shape)
    blocks = _blocks(view)
    strides: list[int] = []
    remaining = list(reversed(shape))
    for size, stride in reversed(blocks):
        while size > 1:
            if not remaining:
                return None
            d = remaining.pop(0)
            if size % d:
                return None
            strides.append(stride)
            stride, size = stride * d, size // d
    strides += [0] * len(remaining)
    if any(d != 1 for d in remaining):
        return None
    return view._replace(strides=tuple(reversed(strides)), shape=shape)


def _blocks(view: View) -> list[tuple[int, int]]:
    """Size and stride of maximal runs of axes that one stride walks through."""
    blocks: list[tuple[int, int]] = []
    for size, stride in zip(view.shape, view.strides, strict=True):
        if size == 1:
            continue
        if blocks and blocks[-1][1] == stride * size:
            blocks[-1] = (blocks[-1][0] * size, stride)
        else:
            blocks.append((size, stride))
    return blocks
