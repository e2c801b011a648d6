"""Convolutions of `jax.lax`: in any layout, transposed, of patches, and with a kernel of its own at every place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import dtypes, static
from ..core.errors import ArgumentError, ShapeError, lines
from ..primitives import convolution, elementwise as e, shape as s
from ..primitives.convolution import conv_dimension_numbers as conv_dimension_numbers
from ..primitives.sliding import dilated, padding_pairs, per_axis, windowed_shape
from ._contractions import check_precision, dot_general
from ._operands import array, one_dtype

Padding = str | Sequence[tuple[int, int]]


def conv_general_dilated(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: Padding,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """N-d convolution (cross-correlation) in any layout.

    Args:
        lhs: (batch, features, *spatial) in the order of `dimension_numbers`; rhs: (out, in / groups, *window).
        padding: 'SAME', 'VALID', 'SAME_LOWER' or (low, high) per spatial axis.
        dimension_numbers: three strings such as ("NHWC", "HWIO", "NHWC"); default channels first.
        precision: accepted; the operands' dtype is computed in, float16 and bfloat16 in float32.
        preferred_element_type: the dtype of the result; a wider one than the operands' is computed in.
    """
    check_precision(precision)
    x, w = (array(v) for v in one_dtype("conv_general_dilated", lhs, rhs))
    out = x.dtype if preferred_element_type is None else dtypes.canonical(preferred_element_type)
    wide = dtypes.promote_types(x.dtype, out)
    y = convolution.conv_general(
        e.convert(x, wide), e.convert(w, wide), window_strides, padding, lhs_dilation, rhs_dilation,
        dimension_numbers, feature_group_count, batch_group_count,
    )  # fmt: skip
    return e.convert(y, out)


def conv(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Convolution of (N, C, *spatial) with (O, C, *window), padding 'SAME' or 'VALID'."""
    return conv_general_dilated(
        lhs, rhs, window_strides, padding, precision=precision, preferred_element_type=preferred_element_type
    )


def conv_with_general_padding(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: Padding,
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """`conv` with any padding and dilations."""
    return conv_general_dilated(
        lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation, None, 1, 1, precision,
        preferred_element_type,
    )  # fmt: skip


_LAST = {
    2: ("NC", "IO", "NC"),
    3: ("NHC", "HIO", "NHC"),
    4: ("NHWC", "HWIO", "NHWC"),
    5: ("NHWDC", "HWDIO", "NHWDC"),
}
"""Layouts of conv_transpose, by rank: channels last."""


def conv_transpose(
    lhs: Any,
    rhs: Any,
    strides: Sequence[int],
    padding: Padding,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    transpose_kernel: bool = False,
    precision: Any = None,
    preferred_element_type: Any = None,
    use_consistent_padding: bool = False,
) -> Any:
    """Convolution with fractional strides: the input spread `strides` apart.

    Args:
        lhs: (batch, *spatial, features) by default, rhs: (*window, in, out).
        padding: 'SAME' and 'VALID' mean the forward convolution whose transpose this is; pairs mean this one, or
            with `use_consistent_padding` the forward one too, as in PyTorch.
        transpose_kernel: turn the kernel round and exchange its features: then this is the derivative of a
            convolution, as Keras' Conv2DTranspose.
    """
    x, w = array(lhs), array(rhs)
    if dimension_numbers is None:
        if x.ndim not in _LAST:
            raise ArgumentError(f"fx.lax.conv_transpose of {x.ndim} axes needs dimension_numbers.")
        dimension_numbers = _LAST[x.ndim]
    numbers = conv_dimension_numbers(x.shape, w.shape, dimension_numbers)
    rank = x.ndim - 2
    window = [w.shape[a] for a in numbers.rhs_spec[2:]]
    dilation = per_axis("conv_transpose: rhs_dilation", rhs_dilation, rank)
    steps = per_axis("conv_transpose: strides", strides, rank)
    if use_consistent_padding or isinstance(padding, str):
        forward = (
            [padding] * rank
            if isinstance(padding, str)
            else static.members(padding, "conv_transpose: padding")
        )
        padding = [
            _transposed(dilated(k, d), step, p)
            for k, d, step, p in zip(window, dilation, steps, forward, strict=True)
        ]
    if transpose_kernel:
        w = s.reverse(w, axes=tuple(sorted(numbers.rhs_spec[2:])))
        w = _exchanged(w, numbers.rhs_spec[0], numbers.rhs_spec[1])
    return conv_general_dilated(
        x, w, (1,) * rank, padding, steps, dilation, numbers, 1, 1, precision, preferred_element_type
    )


def _exchanged(x: Any, a: int, b: int) -> Any:
    order = list(range(x.ndim))
    order[a], order[b] = b, a
    return s.transpose(x, order)


def _transposed(extent: int, stride: int, padding: Any) -> tuple[int, int]:
    """Padding of the transposed convolution from that of the forward one, along one axis."""
    if not isinstance(padding, str):
        low, high = padding
        return extent - 1 - low, extent - 1 - high
    name = static.choice(padding.upper(), ("SAME", "VALID"), "conv_transpose: padding")
    if name == "VALID":
        return extent - 1, stride - 1 + max(extent - stride, 0)
    total = extent + stride - 2
    low = extent - 1 if stride > extent - 1 else -(-total // 2)
    return low, total - low


def conv_general_dilated_patches(
    lhs: Any,
    filter_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: Padding,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """What the windows of a convolution read: (batch, features * prod(window), *spatial), features outermost."""
    check_precision(precision)
    y = convolution.conv_patches(
        array(lhs), filter_shape, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers
    )
    return y if preferred_element_type is None else e.convert(y, dtypes.canonical(preferred_element_type))


def conv_general_dilated_local(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: Padding,
    filter_shape: Sequence[int],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    precision: Any = None,
) -> Any:
    """A convolution whose kernel differs from place to place (a locally connected layer).

    Args:
        rhs: like a kernel whose window axes are the output's spatial axes, and whose input features are those of
            `conv_general_dilated_patches`.
    """
    x, w = (array(v) for v in one_dtype("conv_general_dilated_local", lhs, rhs))
    read = conv_general_dilated_patches(
        x, filter_shape, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers, precision
    )
    _, kernel, out = conv_dimension_numbers(x.shape, (1, 1, *filter_shape), dimension_numbers)
    places = sorted(zip(out[2:], kernel[2:], strict=True))
    numbers = (((out[1],), (kernel[1],)), ([a for a, _ in places], [b for _, b in places]))
    y = dot_general(read, w, numbers, precision)
    rank, at = y.ndim, iter(range(y.ndim - 2))
    order = [rank - 2 if i == out[0] else rank - 1 if i == out[1] else next(at) for i in range(rank)]
    return s.transpose(y, order)


# Shapes


def conv_shape_tuple(
    lhs_shape: Sequence[int], rhs_shape: Sequence[int], strides: Sequence[int], pads: Padding,
    batch_group_count: int = 1,
) -> tuple[int, ...]:  # fmt: skip
    """The shape of a convolution of (N, C, *spatial) with (O, C, *window)."""
    lhs, rhs, steps = _sizes("conv_shape_tuple", lhs_shape, rhs_shape, strides)
    groups = static.integer(batch_group_count, "conv_shape_tuple: batch_group_count")
    if groups < 1 or lhs[0] % groups:
        raise ShapeError(f"conv_shape_tuple: a batch of {lhs[0]} does not split into {groups} groups.")
    space, window, ones = lhs[2:], rhs[2:], (1,) * len(steps)
    pairs = padding_pairs("conv_shape_tuple", pads, space, window, steps)
    count = windowed_shape("conv_shape_tuple", space, window, steps, pairs, ones, ones)
    return (lhs[0] // groups, rhs[0], *count)


def _sizes(name: str, lhs_shape: Any, rhs_shape: Any, strides: Any) -> tuple[tuple[int, ...], ...]:
    """Two shapes of one rank with a positive stride for each spatial axis."""
    lhs, rhs = static.sizes(lhs_shape, f"{name}: lhs_shape"), static.sizes(rhs_shape, f"{name}: rhs_shape")
    steps = static.sizes(strides, f"{name}: strides")
    if len(lhs) != len(rhs) or len(lhs) < 2 or len(steps) != len(lhs) - 2 or 0 in steps:
        raise ShapeError(
            lines(
                f"{name}: {lhs}, {rhs} and strides {steps} do not fit.",
                "Two shapes have one rank, of at least 2, and there is a positive stride for each further axis.",
            )
        )
    return lhs, rhs, steps


def conv_general_shape_tuple(
    lhs_shape: Sequence[int], rhs_shape: Sequence[int], window_strides: Sequence[int], padding: Padding,
    dimension_numbers: Any,
) -> tuple[int, ...]:  # fmt: skip
    """The shape of a convolution in any layout."""
    lhs_shape, rhs_shape, _ = _sizes("conv_general_shape_tuple", lhs_shape, rhs_shape, window_strides)
    lhs, rhs, out = conv_dimension_numbers(lhs_shape, rhs_shape, dimension_numbers)
    found = conv_shape_tuple(
        [lhs_shape[a] for a in lhs], [rhs_shape[a] for a in rhs], window_strides, padding
    )
    return tuple(found[out.index(i)] for i in range(len(out)))


def conv_transpose_shape_tuple(
    lhs_shape: Sequence[int], rhs_shape: Sequence[int], window_strides: Sequence[int], padding: Padding,
    dimension_numbers: Any,
) -> tuple[int, ...]:  # fmt: skip
    """The shape of a transposed convolution in any layout."""
    lhs_shape, rhs_shape, steps = _sizes("conv_transpose_shape_tuple", lhs_shape, rhs_shape, window_strides)
    lhs, rhs, out = conv_dimension_numbers(lhs_shape, rhs_shape, dimension_numbers)
    space, window = [lhs_shape[a] for a in lhs[2:]], [rhs_shape[a] for a in rhs[2:]]
    if isinstance(padding, str):
        pairs = [_transposed(k, step, padding) for k, step in zip(window, steps, strict=True)]
    else:
        pairs = list(padding_pairs("conv_transpose_shape_tuple", padding, space, window, steps))
    if len(pairs) != len(space):
        raise ShapeError(f"conv_transpose_shape_tuple: padding has {len(pairs)} pairs for {len(space)} axes.")
    rows = zip(space, window, steps, pairs, strict=True)
    count = [dilated(n, step) + sum(pair) - k + 1 for n, k, step, pair in rows]
    found = (lhs_shape[lhs[0]], rhs_shape[rhs[0]], *count)
    return tuple(found[out.index(i)] for i in range(len(out)))


def conv_general_permutations(dimension_numbers: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """The permutations that bring lhs, rhs and result to (N, C, *), (O, I, *) and (N, C, *)."""
    specs = static.sequence(dimension_numbers, "conv_general_permutations: dimension_numbers")
    rank = len(static.text(specs[0] if specs else None, "conv_general_permutations: a layout"))
    return tuple(conv_dimension_numbers((1,) * rank, (1,) * rank, tuple(specs)))
