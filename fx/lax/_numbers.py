"""The classes that name choices and axes in fx.lax, as in jax.lax."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..core.errors import ArgumentError, brief, lines
from ..primitives.convolution import ConvDimensionNumbers as ConvDimensionNumbers


class Precision(enum.Enum):
    """How exact products are to be. fx always computes in the dtype of the operands or better."""

    DEFAULT = 0
    HIGH = 1
    HIGHEST = 2


class DotAlgorithm(NamedTuple):
    """How a product is to be computed, on devices that have a choice: accepted as `precision`, without effect."""

    lhs_precision_type: Any
    rhs_precision_type: Any
    accumulation_type: Any
    lhs_component_count: int = 1
    rhs_component_count: int = 1
    num_primitive_operations: int = 1
    allow_imprecise_accumulation: bool = False


DotAlgorithmPreset = enum.Enum(
    "DotAlgorithmPreset",
    "DEFAULT ANY_F8_ANY_F8_F32 ANY_F8_ANY_F8_F32_FAST_ACCUM ANY_F8_ANY_F8_ANY ANY_F8_ANY_F8_ANY_FAST_ACCUM F16_F16_F16 "
    "F16_F16_F32 BF16_BF16_BF16 BF16_BF16_F32 BF16_BF16_F32_X3 BF16_BF16_F32_X6 BF16_BF16_F32_X9 TF32_TF32_F32 "
    "TF32_TF32_F32_X3 F32_F32_F32 F64_F64_F64",
    start=0,
    module=__name__,
)
"""Names of algorithms for products: accepted as `precision`, without effect."""


class AccuracyMode(enum.Enum):
    """How exact elementary functions are to be: accepted as `accuracy`, without effect."""

    HIGHEST = 1
    DEFAULT = 2


class Tolerance(NamedTuple):
    """How far elementary functions may be off: accepted as `accuracy`, without effect."""

    atol: float = 0.0
    rtol: float = 0.0
    ulps: int = 0


PrecisionLike = Precision | str | tuple[Precision | str, Precision | str] | None
DotDimensionNumbers = tuple[tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]]
ConvGeneralDilatedDimensionNumbers = ConvDimensionNumbers | tuple[str, str, str] | None


class RoundingMethod(enum.IntEnum):
    """Where `round` sends halves."""

    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


class FftType(enum.IntEnum):
    """The transforms of `fft`."""

    FFT = 0
    IFFT = 1
    RFFT = 2
    IRFFT = 3


class GatherScatterMode(enum.Enum):
    """What gather and scatter do with windows that do not lie within the operand.

    CLIP moves them inside. FILL_OR_DROP reads the fill value and drops updates. PROMISE_IN_BOUNDS says that there
    are none; fx moves them inside nevertheless.
    """

    CLIP = 1
    FILL_OR_DROP = 2
    PROMISE_IN_BOUNDS = 3

    @staticmethod
    def from_any(mode: Any) -> GatherScatterMode:
        """The mode by its name; None is FILL_OR_DROP."""
        if isinstance(mode, GatherScatterMode):
            return mode
        if not isinstance(mode, (str, type(None))) or mode not in _MODES:
            raise ArgumentError(
                lines(
                    f"{brief(mode)} is not a mode of gather and scatter.",
                    "Choose 'fill', 'drop', 'clip' or 'promise_in_bounds'.",
                )
            )
        return _MODES[mode]


_MODES = {
    None: GatherScatterMode.FILL_OR_DROP,
    "fill": GatherScatterMode.FILL_OR_DROP,
    "drop": GatherScatterMode.FILL_OR_DROP,
    "clip": GatherScatterMode.CLIP,
    "promise_in_bounds": GatherScatterMode.PROMISE_IN_BOUNDS,
}


class GatherDimensionNumbers(NamedTuple):
    """Which axes `gather` reads and makes (XLA's Gather).

    offset_dims: result axes that hold the windows. collapsed_slice_dims: operand axes of window size 1 that the
    result lacks. start_index_map: operand axis of every component of an index vector. operand_batching_dims and
    start_indices_batching_dims: axes that go together, one index per element.
    """

    offset_dims: tuple[int, ...]
    collapsed_slice_dims: tuple[int, ...]
    start_index_map: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    start_indices_batching_dims: tuple[int, ...] = ()


class ScatterDimensionNumbers(NamedTuple):
    """Which axes `scatter` reads and writes (XLA's Scatter); the mirror of `GatherDimensionNumbers`.

    update_window_dims: axes of the updates that hold windows. inserted_window_dims: operand axes that windows lack.
    scatter_dims_to_operand_dims: operand axis of every component of an index vector.
    """

    update_window_dims: Sequence[int]
    inserted_window_dims: Sequence[int]
    scatter_dims_to_operand_dims: Sequence[int]
    operand_batching_dims: Sequence[int] = ()
    scatter_indices_batching_dims: Sequence[int] = ()
