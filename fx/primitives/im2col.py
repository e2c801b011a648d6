"""Convolution on buffers: windows as a strided view, laid out as a matrix, and one product of matrices.

The product is made piece by piece where the matrix of windows would be large. An input spread by lhs_dilation
is never written out: every residue of the result modulo the dilation is a convolution of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .sliding import windowed_shape

_LIMIT = {"host": 1 << 23, "device": 1 << 28}
"""Most bytes of a matrix of windows made at once: about a cache of the host, a small part of a device."""


def convolve(
    xp: Any, x: Any, w: Any, *, strides: Any, padding: Any, lhs_dilation: Any, rhs_dilation: Any,
    feature_groups: int, batch_groups: int,
) -> Any:  # fmt: skip
    """x and w apart in groups, one product of matrices for every phase of the dilation of x."""
    groups = feature_groups * batch_groups
    (n, _, *space), (o, i, *window) = x.shape, w.shape
    count = windowed_shape("conv", space, window, strides, padding, lhs_dilation, rhs_dilation)
    n //= batch_groups
    shape = (n, o, *count)
    if 0 in x.shape or 0 in w.shape or 0 in shape:
        return xp.zeros(shape, x.dtype)
    x = x.reshape(n, groups, i, *space) if batch_groups == 1 else _batch_apart(x, groups)
    w = w.reshape(groups, o // groups, i, *window)
    lows = [pair[0] for pair in padding]
    rows = zip(count, window, strides, lows, lhs_dilation, rhs_dilation, strict=True)
    phases = list(itertools.product(*[list(_phases(*row)) for row in rows]))
    if all(d == 1 for d in lhs_dilation):
        return _phase(xp, x, w, phases[0]).reshape(shape)
    out = xp.zeros((n, groups, o // groups, *count), x.dtype)
    for phase in phases:
        out[(..., *[p.out for p in phase])] = _phase(xp, x, w, phase)
    return out.reshape(shape)


def _batch_apart(x: Any, groups: int) -> Any:
    """(groups * N, C, *space) as (N, groups, C, *space)."""
    x = x.reshape(groups, x.shape[0] // groups, *x.shape[1:])
    return x.swapaxes(0, 1)


class Phase(NamedTuple):
    """Along one axis: results `out` sum `taps` of w, reading x[origin + q * stride + k * dilation]."""

    out: slice
    taps: slice
    count: int
    window: int
    origin: int
    stride: int
    dilation: int


def _phases(count: int, window: int, stride: int, low: int, base: int, dilation: int) -> Iterator[Phase]:
    """A convolution of x spread `base` apart, as convolutions of x itself: no product with a zero between.

    Result q and tap k meet an element where q * stride + k * dilation - low is a multiple of base; for fixed
    residues of q and k that holds always or never.
    """
    every_q, every_k = base // math.gcd(stride, base), base // math.gcd(dilation, base)
    for q, k in itertools.product(range(min(every_q, count)), range(min(every_k, window))):
        start = q * stride + k * dilation - low
        if start % base == 0:
            yield Phase(
                slice(q, None, every_q),
                slice(k, None, every_k),
                len(range(q, count, every_q)),
                len(range(k, window, every_k)),
                start // base,
                stride * every_q // base,
                dilation * every_k // base,
            )


def _phase(xp: Any, x: Any, w: Any, phase: Sequence[Phase]) -> Any:
    """(N, G, O, *count) of x: (N, G, C, *space) and the kernel's taps of one phase."""
    extents = [(p.count - 1) * p.stride + (p.window - 1) * p.dilation + 1 for p in phase]
    x = _region(xp, x, [p.origin for p in phase], extents)
    steps = x.strides[3:]
    windows = xp.lib.stride_tricks.as_strided(
        x,
        (*x.shape[:3], *[p.count for p in phase], *[p.window for p in phase]),
        (
            *x.strides[:3],
            *[step * p.stride for step, p in zip(steps, phase, strict=True)],
            *[step * p.dilation for step, p in zip(steps, phase, strict=True)],
        ),
    )
    return _multiply(xp, windows, w[(..., *[p.taps for p in phase])], len(phase))


def _region(xp: Any, x: Any, origins: Sequence[int], extents: Sequence[int]) -> Any:
    """The elements of x from `origins` on, zero outside x; a view where nothing is outside."""
    sizes = x.shape[3:]
    from_x = tuple(
        slice(max(a, 0), max(min(a + e, n), 0)) for a, e, n in zip(origins, extents, sizes, strict=True)
    )
    inner = x[(..., *from_x)]
    if inner.shape[3:] == tuple(extents):
        return inner
    out = xp.zeros((*x.shape[:3], *extents), x.dtype)
    if inner.size:
        starts = [s.start - a for s, a in zip(from_x, origins, strict=True)]
        out[(..., *[slice(b, b + n) for b, n in zip(starts, inner.shape[3:], strict=True)])] = inner
    return out


def _multiply(xp: Any, windows: Any, w: Any, rank: int) -> Any:
    """windows: (N, G, C, *count, *window) and w: (G, O, C, *window), summed over C and the window."""
    n, g, c, *rest = windows.shape
    count, window = rest[:rank], rest[rank:]
    o, positions, taps = w.shape[1], math.prod(count), math.prod(window)
    axis = _axis_to_cut(xp, windows, rank, taps)
    if axis is not None:
        pieces = _cut(xp, windows, axis)
        return xp.concatenate([_multiply(xp, piece, w, rank) for piece in pieces], axis=axis)
    space, inside = range(3, 3 + rank), range(3 + rank, 3 + 2 * rank)
    w = _dense(xp, w.reshape(g, o, c * taps))
    if taps < positions:
        columns = windows.transpose(0, 1, 2, *inside, *space).reshape(n, g, c * taps, positions)
        return xp.matmul(w, _dense(xp, columns)).reshape(n, g, o, *count)
    rows = windows.transpose(1, 0, *space, 2, *inside).reshape(g, n * positions, c * taps)
    out = xp.matmul(_dense(xp, rows), w.swapaxes(1, 2)).reshape(g, n, *count, o)
    return out.transpose(1, 0, 2 + rank, *range(2, 2 + rank))


def _dense(xp: Any, matrices: Any) -> Any:
    """Matrices laid out as BLAS takes them; NumPy would multiply others without it."""
    (rows, columns), (down, right) = matrices.shape[-2:], matrices.strides[-2:]
    item = matrices.itemsize
    fits = (right == item and down >= columns * item) or (down == item and right >= rows * item)
    return matrices if fits else xp.ascontiguousarray(matrices)


def _axis_to_cut(xp: Any, windows: Any, rank: int, taps: int) -> int | None:
    """An axis along which to work piece by piece, if the matrix of all windows would be too large."""
    if taps == 1 or windows.size * windows.dtype.itemsize <= _limit(xp):
        return None
    return next((a for a in (0, *range(3, 3 + rank)) if windows.shape[a] > 1), None)


def _cut(xp: Any, windows: Any, axis: int) -> list[Any]:
    n = windows.shape[axis]
    one = windows.size * windows.dtype.itemsize // n
    step = min(max(1, _limit(xp) // one), n - 1)
    lead = (slice(None),) * axis
    return [windows[(*lead, slice(i, i + step))] for i in range(0, n, step)]


def _limit(xp: Any) -> int:
    return _LIMIT["host" if xp is np else "device"]
