"""`fx.ops`: sums, products, extrema, means and softmax over segments of rows, with JAX's names."""

from __future__ import annotations

from ._segments import (
    segment_max as segment_max,
    segment_mean as segment_mean,
    segment_min as segment_min,
    segment_prod as segment_prod,
    segment_softmax as segment_softmax,
    segment_sum as segment_sum,
)
