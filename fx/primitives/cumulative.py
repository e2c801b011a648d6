"""Running reductions along an axis: cumsum, cumprod, cummax, cummin, cumlogsumexp, from either end.

The sum is linear. The others are derived from the elementwise operation that they repeat: its jvp rule is carried
through a parallel prefix scan (Blelloch, "Prefix sums and their applications", 1990), so that a product has the
right derivative at zeros, and ties of a maximum share theirs as `jax.lax.cummax` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample, absent
from ..core.trace import bind
from .elementwise import convert, logaddexp, maximum, minimum, mul
from .families import Elementwise, accept
from .shape import concatenate, reshape, reverse as flip, slice_axis


def cumsum(x: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Sums of x up to each place along an axis (from each place on, with `reverse`)."""
    return bind(cumsum_p, x, axis=axis, reverse=reverse)


def cumprod(x: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Products of x up to each place; the derivative is right where elements are zero."""
    return bind(cumprod_p, x, axis=axis, reverse=reverse)


def cummax(x: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The largest element up to each place; NaN from the first NaN on."""
    return bind(cummax_p, x, axis=axis, reverse=reverse)


def cummin(x: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The smallest element up to each place; NaN from the first NaN on."""
    return bind(cummin_p, x, axis=axis, reverse=reverse)


def cumlogsumexp(x: Any, axis: int = 0, reverse: bool = False) -> Any:
    """log(sum(exp(x))) up to each place, without overflow."""
    return bind(cumlogsumexp_p, x, axis=axis, reverse=reverse)


class Cumulative(Primitive):
    """y[i] = x[0] o x[1] o ... o x[i] along `axis` for an associative elementwise operation o.

    With `reverse`, y[i] = x[i] o ... o x[n-1]. x: any shape of at least one axis; the result has x's shape and
    dtype. float16 and bfloat16 accumulate in float32.
    """

    def __init__(self, name: str, combine: Elementwise | None, kinds: str, oracle: Callable[..., Any]):
        self.name, self.combine, self.kinds, self.oracle = name, combine, kinds, oracle

    def impl(self, xp: Any, x: Any, *, axis: int, reverse: bool) -> Any:
        if dtypes.is_low_precision(x.dtype):
            return self.impl(xp, x.astype(np.float32), axis=axis, reverse=reverse).astype(x.dtype)
        backward = tuple(slice(None, None, -1 if i == axis and reverse else 1) for i in range(x.ndim))
        return self.run(xp, x[backward], axis)[backward]

    def run(self, xp: Any, x: Any, axis: int) -> Any:
        ufunc = getattr(xp, self.combine.ufunc)  # type: ignore[union-attr, arg-type]
        return ufunc.accumulate(x, axis=axis) if xp is np else _by_doubling(xp, ufunc, x, axis)

    def shape(self, x: Aval, *, axis: int, reverse: bool) -> Aval:
        accept(self.name, x.dtype, self.kinds)
        if not 0 <= axis < x.ndim:
            raise errors.ShapeError(
                errors.lines(
                    f"{self.name}: axis {axis} is out of range for {x}.",
                    f"Primitives take axes from 0 to {x.ndim - 1}."
                    if x.ndim
                    else "Reshape it to (1,) first.",
                )
            )
        return x

    def jvp(self, primals: Any, out: Any, tangents: Any, *, axis: int, reverse: bool) -> Any:
        work = np.dtype("float32") if dtypes.is_low_precision(out.dtype) else out.dtype
        x, y, dx = (convert(v, work) for v in (primals[0], out, tangents[0]))
        if reverse:
            x, y, dx = (flip(v, axes=(axis,)) for v in (x, y, dx))
        dy = _scan_tangents(self.combine, x, y, dx, axis)
        return convert(flip(dy, axes=(axis,)) if reverse else dy, out.dtype)

    transpose: Any = absent("it is not linear")

    def batch(self, batch_axis: Any, operands: Any, dims: Any, *, axis: int, reverse: bool) -> Any:
        (x,), (dim,) = operands, dims
        return self(x, axis=axis + (axis >= dim), reverse=reverse), dim

    def cost(self, x: Aval, *, axis: int, reverse: bool) -> int:
        return x.size

    def samples(self, rng: Any) -> Iterable[Sample]:
        cases = (
            ((3, 4), 0, False),
            ((3, 4), 1, True),
            ((2, 5, 2), 1, False),
            ((7,), 0, True),
            ((1,), 0, False),
        )
        cases += (((0,), 0, False), ((2, 0), 1, True), ((0, 3), 1, False))
        return [
            Sample((rng.normal(size=shape),), {"axis": axis, "reverse": reverse}, _by_prefixes(self.oracle))
            for shape, axis, reverse in cases
        ]


class Additive(Cumulative):
    """The running sum: linear, and its transpose is the running sum from the other end."""

    def run(self, xp: Any, x: Any, axis: int) -> Any:
        return xp.cumsum(x, axis=axis, dtype=x.dtype)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, axis: int, reverse: bool) -> Any:
        return self(tangents[0], axis=axis, reverse=reverse)

    def transpose(self, ct: Any, x: Any, *, axis: int, reverse: bool) -> list[Any]:
        return [self(ct, axis=axis, reverse=not reverse)]


class Multiplicative(Cumulative):
    """The running product; zeros among the samples."""

    def run(self, xp: Any, x: Any, axis: int) -> Any:
        return xp.cumprod(x, axis=axis, dtype=x.dtype)

    def samples(self, rng: Any) -> Iterable[Sample]:
        zeros = np.array([[1.5, 0.0, -2.0, 0.0, 3.0], [0.0, 0.5, 2.0, -1.0, 0.25]])
        params = {"axis": 1, "reverse": False}
        return [*super().samples(rng), Sample((zeros,), params, _by_prefixes(self.oracle))]


def _by_doubling(xp: Any, combine: Any, x: Any, axis: int) -> Any:
    """Prefixes of length 1, 2, 4, ... joined, in log2(n) steps: for array modules whose ufuncs cannot accumulate.

    Source: Hillis and Steele, "Data parallel algorithms" (1986).
    """
    part = lambda y, start, stop: y[(slice(None),) * axis + (slice(start, stop),)]
    n, shift = x.shape[axis], 1
    while shift < n:
        joined = combine(part(x, 0, n - shift), part(x, shift, n))
        x = xp.concatenate([part(x, 0, shift), joined], axis=axis)
        shift *= 2
    return x


def _scan_tangents(combine: Any, x: Any, y: Any, dx: Any, axis: int) -> Any:
    """Tangents of y, the running reduction of x: pairs are combined, scanned, and filled in between.

    The primal values of the inner scans are places of y, so only the pairs are computed anew.
    """
    n = x.shape[axis]
    if n < 2:
        return dx
    even, odd = (lambda v: slice_axis(v, 0, n - 1, axis, 2)), (lambda v: slice_axis(v, 1, n, axis, 2))
    pair = combine(even(x), odd(x))
    d_pair = combine.jvp((even(x), odd(x)), pair, (even(dx), odd(dx)))
    y_odd = odd(y)
    dy_odd = _scan_tangents(combine, pair, y_odd, d_pair, axis)
    dy_even = slice_axis(dx, 0, 1, axis)
    if n > 2:
        before = lambda v: slice_axis(v, 0, (n - 1) // 2, axis)
        rest = lambda v: slice_axis(v, 2, n, axis, 2)
        d_rest = combine.jvp((before(y_odd), rest(x)), rest(y), (before(dy_odd), rest(dx)))
        dy_even = concatenate([dy_even, d_rest], axis)
    return _interleave(dy_even, dy_odd, axis)


def _interleave(even: Any, odd: Any, axis: int) -> Any:
    """Elements of two arrays in turn; `even` is as long as `odd` or one longer."""
    n = odd.shape[axis]
    column = lambda v: reshape(v, (*v.shape[: axis + 1], 1, *v.shape[axis + 1 :]))
    pairs = concatenate([column(slice_axis(even, 0, n, axis)), column(odd)], axis + 1)
    merged = reshape(pairs, (*odd.shape[:axis], 2 * n, *odd.shape[axis + 1 :]))
    if even.shape[axis] == n:
        return merged
    return concatenate([merged, slice_axis(even, n, n + 1, axis)], axis)


def _by_prefixes(reduce: Callable[..., Any]) -> Callable[..., Any]:
    """The oracle: every prefix (or suffix) reduced on its own."""

    def oracle(x: Any, axis: int, reverse: bool) -> Any:
        n = x.shape[axis]
        spans = [range(i, n) if reverse else range(i + 1) for i in range(n)]
        parts = [np.asarray(reduce(np.take(x, span, axis), axis=axis)) for span in spans]
        return np.stack(parts, axis).astype(x.dtype) if parts else np.zeros_like(x)

    return oracle


def _logsumexp(x: Any, axis: int) -> Any:
    from scipy.special import logsumexp

    return logsumexp(x, axis=axis)


cumsum_p = Additive("cumsum", None, "number", np.sum)
cumprod_p = Multiplicative("cumprod", mul, "number", np.prod)
cummax_p = Cumulative("cummax", maximum, "real", np.max)
cummin_p = Cumulative("cummin", minimum, "real", np.min)
cumlogsumexp_p = Cumulative("cumlogsumexp", logaddexp, "floating", _logsumexp)
