"""`fx.losses`: how wrong predictions are, per example, with an optional mask and reduction.

Every loss takes `where=`, a boolean mask of the examples that count: the others give 0, and derivative 0.
`reduction=` is "none" for one value per example, "sum" or "mean" for those over the examples that count; the mean
over no example at all, because the batch is empty or masked out, is 0. Names are optax's, else PyTorch's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ._adaptive import adaptive_log_softmax_loss as adaptive_log_softmax_loss
from ._binary import (
    binary_cross_entropy as binary_cross_entropy,
    hinge_embedding_loss as hinge_embedding_loss,
    hinge_loss as hinge_loss,
    margin_ranking_loss as margin_ranking_loss,
    perceptron_loss as perceptron_loss,
    sigmoid_binary_cross_entropy as sigmoid_binary_cross_entropy,
    sigmoid_focal_loss as sigmoid_focal_loss,
    soft_margin_loss as soft_margin_loss,
    sparsemax_loss as sparsemax_loss,
)
from ._chunked import chunked_cross_entropy as chunked_cross_entropy
from ._classification import (
    safe_softmax_cross_entropy as safe_softmax_cross_entropy,
    softmax_cross_entropy as softmax_cross_entropy,
    softmax_cross_entropy_with_integer_labels as softmax_cross_entropy_with_integer_labels,
)
from ._ctc import (
    ctc_loss as ctc_loss,
    ctc_loss_with_forward_probs as ctc_loss_with_forward_probs,
)
from ._divergences import (
    convex_kl_divergence as convex_kl_divergence,
    generalized_kl_divergence as generalized_kl_divergence,
    kl_divergence as kl_divergence,
    kl_divergence_with_log_targets as kl_divergence_with_log_targets,
)
from ._multiclass import (
    cross_entropy as cross_entropy,
    multi_margin_loss as multi_margin_loss,
    multiclass_hinge_loss as multiclass_hinge_loss,
    multiclass_perceptron_loss as multiclass_perceptron_loss,
    multilabel_margin_loss as multilabel_margin_loss,
    multilabel_soft_margin_loss as multilabel_soft_margin_loss,
    nll_loss as nll_loss,
    poly_loss_cross_entropy as poly_loss_cross_entropy,
    smooth_labels as smooth_labels,
)
from ._regression import (
    absolute_error as absolute_error,
    gaussian_nll_loss as gaussian_nll_loss,
    huber as huber,
    huber_loss as huber_loss,
    l1 as l1,
    l2_loss as l2_loss,
    log_cosh as log_cosh,
    mae as mae,
    mse as mse,
    poisson_nll_loss as poisson_nll_loss,
    smooth_l1_loss as smooth_l1_loss,
    squared_error as squared_error,
)
from ._segmentation import (
    binary_dice_loss as binary_dice_loss,
    dice_loss as dice_loss,
    multiclass_generalized_dice_loss as multiclass_generalized_dice_loss,
)
from ._similarity import (
    contrastive_loss as contrastive_loss,
    cosine_distance as cosine_distance,
    cosine_embedding_loss as cosine_embedding_loss,
    cosine_similarity as cosine_similarity,
    npairs_loss as npairs_loss,
    ntxent as ntxent,
    triplet_margin_loss as triplet_margin_loss,
    triplet_margin_with_distance_loss as triplet_margin_with_distance_loss,
)
from ._structured import (
    make_fenchel_young_loss as make_fenchel_young_loss,
    multiclass_sparsemax_loss as multiclass_sparsemax_loss,
    ranking_softmax_loss as ranking_softmax_loss,
)

if not _TYPE_CHECKING:
    from . import _names

    __getattr__ = _names.missing
