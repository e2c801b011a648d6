"""What a convolution reads: groups apart, base dilation split into phases, the batch an axis as any other.

Along every axis, result q reads with tap k the element q * stride + k * dilation + origin of x, if there is one.
An x spread by lhs_dilation is never written out: every residue of the result modulo the dilation is a convolution
of its own, over the taps that meet an element (V. Dumoulin and F. Visin, A guide to convolution arithmetic for
deep learning, arXiv:1603.07285, section 4).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..operations.operation import Buffer


class Axis(NamedTuple):
    """One axis of the windows, with its strides in elements in x, w and the result y."""

    size: int
    count: int
    window: int
    stride: int
    dilation: int
    origin: int
    x: int
    w: int
    y: int

    @property
    def inside(self) -> bool:
        """No tap reads padding."""
        last = (self.count - 1) * self.stride + (self.window - 1) * self.dilation + self.origin
        return self.origin >= 0 and last < self.size


class Run(NamedTuple):
    """A number of steps, and what a step is in the arrays that it moves in."""

    count: int
    x: int = 0
    w: int = 0
    y: int = 0


class Part(NamedTuple):
    """y[g, o, q] = sum over c, k of x[g, c, q, k] * w[g, o, c, k], from the given first elements on."""

    groups: Run
    features: Run
    channels: Run
    axes: tuple[Axis, ...]
    w: int
    """Offset of the first tap, in elements."""
    y: int
    """Offset of the first result."""

    @property
    def positions(self) -> int:
        return math.prod(a.count for a in self.axes)

    @property
    def taps(self) -> int:
        return math.prod(a.window for a in self.axes)

    @property
    def depth(self) -> int:
        """Products in every result."""
        return self.channels.count * self.taps

    def share_beside(self, positions: int, lanes: int, cycles: float) -> float:
        """The share of the products in the time for a box of results that `cycles` are spent on besides."""
        products = positions * self.features.count * self.depth / (2 * lanes)
        return products / (products + cycles)

    @property
    def results(self) -> int:
        return self.groups.count * self.features.count * self.positions


def parts(x: Buffer, w: Buffer, y: Buffer, params: dict[str, Any]) -> list[Part]:
    """The convolution as some without base dilation; results that they leave out are 0."""
    groups = params["feature_groups"] * params["batch_groups"]
    n, c = x.shape[0] // params["batch_groups"], x.shape[1] // params["feature_groups"]
    apart = c * x.strides[1] if params["batch_groups"] == 1 else n * x.strides[0]
    o = w.shape[0] // groups
    group = Run(groups, apart, o * w.strides[0], o * y.strides[1])
    features, channels = Run(o, 0, w.strides[0], y.strides[1]), Run(c, x.strides[1], w.strides[1])
    batch = Axis(n, n, 1, 1, 1, 0, x.strides[0], 0, y.strides[0])
    found = []
    for phase in itertools.product(*map(list, _along(x, w, y, params))):
        axes = (batch, *[axis for axis, _, _ in phase])
        first_w, first_y = sum(p[1] for p in phase), sum(p[2] for p in phase)
        found.append(Part(group, features, channels, axes, first_w, first_y))
    return found


def _along(
    x: Buffer, w: Buffer, y: Buffer, params: dict[str, Any]
) -> Iterator[Iterator[tuple[Axis, int, int]]]:
    names = ("strides", "lhs_dilation", "rhs_dilation")
    for i, (stride, base, dilation) in enumerate(zip(*[params[n] for n in names], strict=True)):
        at = i + 2
        sizes = x.shape[at], y.shape[at], w.shape[at]
        steps = x.strides[at], w.strides[at], y.strides[at]
        yield _phases(sizes, steps, stride, params["padding"][i][0], base, dilation)


def _phases(
    sizes: Sequence[int], steps: Sequence[int], stride: int, low: int, base: int, dilation: int
) -> Iterator[tuple[Axis, int, int]]:
    """Axes over the results and taps of fixed residues, where their elements are there; first tap and result.

    Result q and tap k meet an element where q * stride + k * dilation - low is a multiple of base.
    """
    size, count, window = sizes
    x, w, y = steps
    every_q, every_k = base // math.gcd(stride, base), base // math.gcd(dilation, base)
    for q, k in itertools.product(range(min(every_q, count)), range(min(every_k, window))):
        start = q * stride + k * dilation - low
        if start % base == 0:
            axis = Axis(
                size,
                len(range(q, count, every_q)),
                len(range(k, window, every_k)),
                stride * every_q // base,
                dilation * every_k // base,
                start // base,
                x,
                w * every_k,
                y * every_q,
            )
            yield axis, k * w, q * y


def merged(part: Part) -> Part:
    """The same with neighbouring axes as one, where the inner one has no window and memory allows."""
    axes = [part.axes[0]]
    for inner in part.axes[1:]:
        outer = axes[-1]
        bare = inner.window == inner.stride == 1 and inner.origin == 0 and inner.count == inner.size
        steps = [(outer.x, inner.x * inner.size), (outer.y, inner.y * inner.count)]
        if bare and outer.stride == 1 and all(a == b for a, b in steps):
            size = inner.size
            axes[-1] = outer._replace(
                size=outer.size * size, count=outer.count * size, dilation=outer.dilation * size,
                origin=outer.origin * size, x=inner.x, y=inner.y,
            )  # fmt: skip
        else:
            axes.append(inner)
    return part._replace(axes=tuple(axes))


def turned(part: Part) -> Part:
    """The same sums with results and taps exchanged, as the gradient with respect to w is of the convolution:

        result[o, c, q] = sum over n, k of w[o, n, k] * x[c, n, q, k]

    The axes of the new part run over n and k, its taps are the q, its channels what were images; `w` steps are those
    of the result, `y` steps those of the operand w.
    """
    batch, *space = part.axes
    c, g, o = part.channels, part.groups, part.features
    axes = [Axis(c.count, c.count, 1, 1, 1, 0, c.x, 0, c.w)]
    axes += [Axis(a.size, a.window, a.count, a.dilation, a.stride, a.origin, a.x, a.y, a.w) for a in space]
    images = Run(batch.count, batch.x, batch.y)
    return Part(Run(g.count, g.x, g.y, g.w), Run(o.count, 0, o.y, o.w), images, tuple(axes), part.y, part.w)
