"""`conv`: N-dimensional convolution (cross-correlation) with strides, padding, dilations and groups.

    out[n, o, q] = sum over c, k of x[n, c, q * strides + k * rhs_dilation - low] * w[o, c, k]

where the positions count the elements of x spread `lhs_dilation` apart. Inside the primitive the layout is
x: (N, C, *space), w: (O, C, *window); `conv_general` brings other layouts to it. What the parameters mean is
said in jax.lax.conv_general_dilated. Both transposes are convolutions again, so all derivatives close.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import dtypes, errors, static
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample, Unknown, Zero
from ..core.trace import bind
from .families import accept, same_dtype, to_front
from .im2col import convolve
from .shape import full, reshape, reverse, transpose
from .sliding import dilated, padding_for, padding_pairs, per_axis, transposed_padding, windowed_shape
from .windows import patches


class ConvDimensionNumbers(NamedTuple):
    """Where the axes stand: batch, feature, *space; out, in feature, *window; batch, feature, *space."""

    lhs_spec: tuple[int, ...]
    rhs_spec: tuple[int, ...]
    out_spec: tuple[int, ...]


def conv_general(
    x: Any,
    w: Any,
    strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
) -> Any:
    """Convolution in any layout, as jax.lax.conv_general_dilated has it.

    Args:
        x: batch N, features C and n spatial axes, in the order that `dimension_numbers` says.
        w: features O and C / feature_group_count, and n window axes; of the dtype of x.
        strides: One per spatial axis, likewise the dilations; default 1.
        padding: 'VALID', 'SAME', 'SAME_LOWER' or (low, high) per spatial axis, negative to cut off.
        dimension_numbers: Three strings, default like ("NCHW", "OIHW", "NCHW"); or ConvDimensionNumbers.
        feature_group_count: C and O fall into so many groups; each group of outputs sees its inputs alone.
        batch_group_count: the same for N and O; the result has N / batch_group_count.

    Returns:
        Batch, O features and n spatial axes, laid out as the third of `dimension_numbers`.

    Raises:
        ShapeError: ranks or sizes do not fit.
        ArgumentError: a parameter is malformed.
    """
    lhs, rhs, out = conv_dimension_numbers(x.shape, w.shape, dimension_numbers)
    x, w = transpose(x, lhs), transpose(w, rhs)
    rank = x.ndim - 2
    params = _space_params(
        "conv_general", x.shape[2:], w.shape[2:], strides, padding, lhs_dilation, rhs_dilation, rank
    )
    y = bind(conv, x, w, **params, feature_groups=feature_group_count, batch_groups=batch_group_count)
    return transpose(y, _inverse(out))


def conv_patches(
    x: Any,
    window: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
) -> Any:
    """The windows that a convolution reads, flattened into features, as jax.lax.conv_general_dilated_patches.

    Args:
        x: batch, features C and n spatial axes; the other arguments are those of `conv_general`.
        window: Sizes of the n window axes.

    Returns:
        Batch, C * prod(window) features (C outermost) and n spatial axes.
    """
    window = static.sizes(window, "conv_patches: window")
    window = per_axis("conv_patches: window", window, len(window))
    lhs, _, out = conv_dimension_numbers(x.shape, (1, 1, *window), dimension_numbers)
    x = transpose(x, lhs)
    params = _space_params(
        "conv_patches", x.shape[2:], window, strides, padding, lhs_dilation, rhs_dilation, len(window)
    )
    y = patches(
        x, window, params["strides"], params["padding"], params["lhs_dilation"], params["rhs_dilation"]
    )
    n, c, count = x.shape[0], x.shape[1], y.shape[2 + len(window) :]
    return transpose(reshape(y, (n, c * math.prod(window), *count)), _inverse(out))


def _space_params(
    what: str,
    sizes: Any,
    window: Any,
    strides: Any,
    padding: Any,
    lhs_dilation: Any,
    rhs_dilation: Any,
    rank: int,
) -> dict[str, Any]:
    strides = per_axis(f"{what}: strides", strides, rank)
    spread = per_axis(f"{what}: lhs_dilation", lhs_dilation, rank)
    dilation = per_axis(f"{what}: rhs_dilation", rhs_dilation, rank)
    if isinstance(padding, str) and padding.upper() != "VALID" and any(d > 1 for d in spread):
        raise errors.ArgumentError(
            errors.lines(
                f"{what}: padding {errors.brief(padding)} has no meaning with lhs_dilation {spread}.",
                "Give (low, high) per spatial axis.",
            )
        )
    pairs = padding_pairs(what, padding, sizes, list(map(dilated, window, dilation)), strides)
    return {"strides": strides, "padding": pairs, "lhs_dilation": spread, "rhs_dilation": dilation}


# Layouts


def conv_dimension_numbers(
    lhs_shape: Sequence[int], rhs_shape: Sequence[int], dimension_numbers: Any
) -> ConvDimensionNumbers:
    """Canonical dimension numbers from None, three strings ('NHWC', 'HWIO', 'NHWC'), or three tuples."""
    lhs_shape, rhs_shape = (
        static.sizes(lhs_shape, "conv: lhs_shape"),
        static.sizes(rhs_shape, "conv: rhs_shape"),
    )
    rank = len(lhs_shape)
    if rank != len(rhs_shape) or rank < 2:
        raise errors.ShapeError(
            errors.lines(
                f"conv: an input {tuple(lhs_shape)} and a kernel {tuple(rhs_shape)} do not fit.",
                "Both need a batch or output axis, a feature axis and the same number of spatial axes.",
            )
        )
    if dimension_numbers is None:
        return ConvDimensionNumbers(*[tuple(range(rank))] * 3)
    specs = tuple(dimension_numbers) if isinstance(dimension_numbers, (tuple, list)) else ()
    if len(specs) == 3 and all(isinstance(s, str) for s in specs):
        specs = _positions(specs)
    if len(specs) != 3 or not all(_is_order(s, rank) for s in specs):
        raise errors.ArgumentError(
            errors.lines(
                f"conv: dimension_numbers {errors.brief(dimension_numbers)} do not name {rank} axes three times.",
                "Write for example ('NHWC', 'HWIO', 'NHWC'); the letters beside N, C, O, I must agree.",
            )
        )
    return ConvDimensionNumbers(*map(tuple, specs))


def _is_order(axes: Any, rank: int) -> bool:
    """Whether these are the axes 0 to rank - 1 in some order."""
    if not isinstance(axes, (tuple, list)) or not all(isinstance(a, (int, np.integer)) for a in axes):
        return False
    return sorted(axes) == list(range(rank))


def _positions(specs: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    """Axis positions, spatial ones in the order of the kernel; () for a spec that makes no sense."""
    space = [c for c in specs[1] if c not in "OI"]
    wanted = [f"{pair}{''.join(space)}" for pair in ("NC", "OI", "NC")]
    return tuple(
        tuple(spec.index(c) for c in names) if sorted(spec) == sorted(names) else ()
        for spec, names in zip(specs, wanted, strict=True)
    )


def _inverse(perm: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argsort(perm))


# The primitive


class Convolution(Primitive):
    """Bilinear; feature_groups or batch_groups is 1. float16 and bfloat16 accumulate in float32."""

    name = "conv"

    def impl(self, xp: Any, x: Any, w: Any, **params: Any) -> Any:
        if dtypes.is_low_precision(x.dtype):
            return self.impl(xp, x.astype(np.float32), w.astype(np.float32), **params).astype(x.dtype)
        return convolve(xp, x, w, **params)

    def shape(
        self, x: Aval, w: Aval, *, strides: Any, padding: Any, lhs_dilation: Any, rhs_dilation: Any,
        feature_groups: int, batch_groups: int,
    ) -> Aval:  # fmt: skip
        dtype = same_dtype(self.name, (x, w))
        accept(self.name, dtype, "number")
        _check_groups(x, w, feature_groups, batch_groups)
        count = windowed_shape(
            self.name, x.shape[2:], w.shape[2:], strides, padding, lhs_dilation, rhs_dilation
        )
        return Aval((x.shape[0] // batch_groups, w.shape[0], *count), dtype, x.weak and w.weak)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        (x, w), (dx, dw) = primals, tangents
        if type(dx) is Zero:
            return self(x, dw, **params)
        by_x = self(dx, w, **params)
        return by_x if type(dw) is Zero else by_x + self(x, dw, **params)

    def transpose(self, ct: Any, x: Any, w: Any, **params: Any) -> list[Any]:
        unknown = x if type(x) is Unknown else w
        known = w if type(x) is Unknown else x
        if 0 in (ct.size, known.size, unknown.aval.size):
            back = Zero(unknown.aval.strong)
        elif type(x) is Unknown:
            back = _input_cotangent(ct, x.aval.shape, w, **params)
        else:
            back = _kernel_cotangent(ct, x, w.aval.shape, **params)
        return [back, None] if type(x) is Unknown else [None, back]

    def batch(self, axis: Any, operands: Any, dims: Any, **params: Any) -> Any:
        x, w = (v if d is None else to_front(v, d, axis.size) for v, d in zip(operands, dims, strict=True))
        if axis.size == 0:
            one = [Aval(v.shape[d is not None :], v.dtype) for v, d in zip((x, w), dims, strict=True)]
            return full((0, *self.shape(*one, **params).shape), 0, x.dtype), 0
        if dims[1] is None:
            return _batch_input(x, w, axis.size, **params)
        if dims[0] is None:
            return _batch_kernel(x, w, axis.size, **params)
        return _batch_both(x, w, axis.size, **params)

    def cost(self, x: Aval, w: Aval, **params: Any) -> int:
        reads = math.prod(w.shape[1:]) // math.prod(params["lhs_dilation"])
        return 2 * self.shape(x, w, **params).size * max(1, reads)

    def samples(self, rng: Any) -> Any:
        return [
            Sample((rng.normal(size=x), rng.normal(size=w)), params, _oracle)
            for x, w, params in _geometries()
        ]


conv = Convolution()


def _check_groups(x: Aval, w: Aval, feature_groups: int, batch_groups: int) -> None:
    if feature_groups < 1 or batch_groups < 1 or min(feature_groups, batch_groups) > 1:
        raise errors.ArgumentError(
            f"conv: feature groups ({feature_groups}) and batch groups ({batch_groups}) must be positive, "
            "and one of them must be 1."
        )
    if x.ndim != w.ndim or x.ndim < 2:
        raise errors.ShapeError(f"conv: {x} and {w} must be (N, C, *space) and (O, C, *window) of one rank.")
    (n, c), (o, i) = x.shape[:2], w.shape[:2]
    if c != i * feature_groups:
        raise errors.ShapeError(
            errors.lines(
                f"conv: the input has {c} features, the kernel reads {i} in each of {feature_groups} groups.",
                f"input: {x} (N, C, *space), kernel: {w} (O, C / feature_groups, *window)",
            )
        )
    if n % batch_groups or o % (feature_groups * batch_groups):
        raise errors.ShapeError(
            f"conv: {feature_groups} feature and {batch_groups} batch groups do not divide {x} and {w}."
        )


# Transposes. The tricks are those of jax.lax: strides trade places with dilations, feature with batch groups.


def _input_cotangent(
    ct: Any, x_shape: Any, w: Any, *, feature_groups: int, batch_groups: int, strides: Any, padding: Any,
    lhs_dilation: Any, rhs_dilation: Any,
) -> Any:  # fmt: skip
    """ct convolved with the reversed kernel, features in and out exchanged within every group."""
    groups, space = feature_groups * batch_groups, tuple(range(2, w.ndim))
    o, c, *window = w.shape
    rows = zip(x_shape[2:], window, strides, padding, lhs_dilation, rhs_dilation, ct.shape[2:], strict=True)
    back = conv(
        ct,
        _exchanged(reverse(w, axes=space), groups),
        strides=lhs_dilation,
        padding=tuple(transposed_padding(*row) for row in rows),
        lhs_dilation=strides,
        rhs_dilation=rhs_dilation,
        feature_groups=groups,
        batch_groups=1,
    )
    if batch_groups == 1:
        return back
    apart = reshape(back, (ct.shape[0], groups, c, *x_shape[2:]))
    return reshape(transpose(apart, (1, 0, 2, *[a + 1 for a in space])), x_shape)


def _exchanged(w: Any, groups: int) -> Any:
    """(groups * O, C, *window) as (groups * C, O, *window)."""
    o, c, *window = w.shape
    apart = reshape(w, (groups, o // groups, c, *window))
    return reshape(transpose(apart, (0, 2, 1, *range(3, apart.ndim))), (groups * c, o // groups, *window))


def _kernel_cotangent(
    ct: Any, x: Any, w_shape: Any, *, feature_groups: int, batch_groups: int, strides: Any, padding: Any,
    lhs_dilation: Any, rhs_dilation: Any,
) -> Any:  # fmt: skip
    """x convolved with ct as its kernel: the batch is summed over, as features are otherwise."""
    swap = (1, 0, *range(2, x.ndim))
    low = [pair[0] for pair in padding]
    rows = zip(w_shape[2:], low, x.shape[2:], ct.shape[2:], rhs_dilation, lhs_dilation, strides, strict=True)
    back = conv(
        transpose(x, swap),
        transpose(ct, swap),
        strides=rhs_dilation,
        padding=tuple(padding_for(*row) for row in rows),
        lhs_dilation=lhs_dilation,
        rhs_dilation=strides,
        feature_groups=batch_groups,
        batch_groups=feature_groups,
    )
    return transpose(back, swap)


# Batching: the new axis joins the batch, the output features or the groups


def _batch_input(x: Any, w: Any, size: int, **params: Any) -> Any:
    """x: (size, groups * N, C, *space); the batch of the result is (size, N)."""
    groups = params["batch_groups"]
    _, n, *rest = x.shape
    apart = reshape(x, (size, groups, n // groups, *rest))
    y = conv(reshape(transpose(apart, _second_first(apart)), (size * n, *rest)), w, **params)
    return reshape(y, (size, n // groups, *y.shape[1:])), 0


def _batch_kernel(x: Any, w: Any, size: int, **params: Any) -> Any:
    """w: (size, groups * O, C, *window); the features of the result are (groups, size, O)."""
    groups = params["feature_groups"] * params["batch_groups"]
    _, o, *rest = w.shape
    apart = reshape(w, (size, groups, o // groups, *rest))
    y = conv(x, reshape(transpose(apart, _second_first(apart)), (size * o, *rest)), **params)
    n, _, *count = y.shape
    y = reshape(y, (n, groups, size, o // groups, *count))
    return reshape(transpose(y, (0, 2, 1, *range(3, y.ndim))), (n, size, o, *count)), 1


def _batch_both(x: Any, w: Any, size: int, **params: Any) -> Any:
    """Every element of the new axis is a group: of the batch if that has groups, else of the features."""
    kind = "batch_groups" if params["batch_groups"] > 1 else "feature_groups"
    if kind == "feature_groups":
        x = transpose(x, _second_first(x))
    a, b, *rest = x.shape
    x = reshape(x, (a * b, *rest) if kind == "batch_groups" else (a, b * rest[0], *rest[1:]))
    _, o, *window = w.shape
    y = conv(x, reshape(w, (size * o, *window)), **{**params, kind: params[kind] * size})
    return reshape(y, (y.shape[0], size, o, *y.shape[2:])), 1


def _second_first(x: Any) -> tuple[int, ...]:
    return (1, 0, *range(2, x.ndim))


# Samples and oracle for the law tests


def _geometries() -> list[Any]:
    """Shapes of x and w, params: 0 to 3 spatial axes, groups, every parameter alone and many together."""
    none = ((0, 0), (0, 0))
    cases = [
        ((2, 3, 5, 4), (4, 3, 3, 2), (1, 1), none, (1, 1), (1, 1), 1, 1),
        ((2, 3, 5, 4), (2, 3, 3, 2), (2, 1), ((1, 0), (-1, 2)), (2, 1), (1, 2), 1, 1),
        ((2, 3), (4, 3), (), (), (), (), 1, 1),
        ((2, 2, 6), (3, 2, 3), (2,), ((1, 2),), (1,), (1,), 1, 1),
        ((1, 2, 5), (2, 2, 2), (2,), ((3, 1),), (3,), (2,), 1, 1),
        ((1, 2, 3, 3, 2), (2, 2, 2, 2, 2), (1, 1, 1), ((0, 0), (1, 0), (0, 1)), (1, 1, 1), (1, 1, 1), 1, 1),
        ((2, 4, 4, 3), (4, 2, 2, 2), (1, 1), none, (1, 1), (1, 1), 2, 1),
        ((4, 2, 4, 3), (6, 2, 2, 2), (1, 1), none, (1, 1), (1, 1), 1, 2),
        ((2, 3, 4), (3, 1, 2), (1,), none[:1], (1,), (1,), 3, 1),
        ((2, 2, 3, 3), (3, 2, 1, 1), (1, 1), none, (1, 1), (1, 1), 1, 1),
        ((2, 2, 3, 3), (3, 2, 3, 3), (1, 1), none, (1, 1), (1, 1), 1, 1),
        ((2, 2, 2), (1, 2, 4), (1,), none[:1], (1,), (1,), 1, 1),
        ((0, 2, 4), (3, 2, 2), (1,), none[:1], (1,), (1,), 1, 1),
        ((2, 0, 4), (3, 0, 2), (1,), none[:1], (1,), (1,), 1, 1),
    ]
    names = ("strides", "padding", "lhs_dilation", "rhs_dilation", "feature_groups", "batch_groups")
    return [(x, w, dict(zip(names, rest, strict=True))) for x, w, *rest in cases]


def _oracle(
    x: Any, w: Any, strides: Any, padding: Any, lhs_dilation: Any, rhs_dilation: Any, feature_groups: int,
    batch_groups: int,
) -> Any:  # fmt: skip
    """The sum of the module text, window by window, with all zeros written out."""
    x, w = _with_zeros(np.asarray(x), lhs_dilation, padding), _with_zeros(np.asarray(w), rhs_dilation, None)
    count = [max(0, (a - b) // s + 1) for a, b, s in zip(x.shape[2:], w.shape[2:], strides, strict=True)]
    groups = feature_groups * batch_groups
    out = np.zeros((x.shape[0] // batch_groups, w.shape[0], *count), x.dtype)
    for o in range(w.shape[0]):
        group = o // (w.shape[0] // groups)
        part = np.split(x, groups, axis=0 if batch_groups > 1 else 1)[group]
        for q in np.ndindex(*count):
            at = tuple(slice(i * s, i * s + k) for i, s, k in zip(q, strides, w.shape[2:], strict=True))
            seen = part[(slice(None), slice(None), *at)]
            out[(slice(None), o, *q)] = (seen * w[o]).sum(tuple(range(1, seen.ndim)))
    return out


def _with_zeros(x: Any, dilation: Any, padding: Any) -> Any:
    for i, step in enumerate(dilation):
        low, high = padding[i] if padding else (0, 0)
        x = np.moveaxis(x, i + 2, 0)
        wide = np.zeros((dilated(len(x), step) + max(low, 0) + max(high, 0), *x.shape[1:]), x.dtype)
        wide[max(low, 0) : max(low, 0) + dilated(len(x), step) : step] = x
        x = np.moveaxis(wide[max(-low, 0) : len(wide) - max(-high, 0)], 0, i + 2)
    return x
