"""`fx.losses`: how wrong predictions are, per example, with an optional mask and reduction.

Every loss takes `where=`, a boolean mask of the examples that count: the others give 0, and derivative 0.
`reduction=` is "none" for one value per example, "sum" or "mean" for those over the examples that count.
"""

from __future__ import annotations

from ._classification import (
    sigmoid_binary_cross_entropy as sigmoid_binary_cross_entropy,
    softmax_cross_entropy as softmax_cross_entropy,
    softmax_cross_entropy_with_integer_labels as softmax_cross_entropy_with_integer_labels,
)
from ._regression import (
    absolute_error as absolute_error,
    huber as huber,
    l1 as l1,
    mae as mae,
    mse as mse,
    squared_error as squared_error,
)
