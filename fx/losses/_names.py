"""What losses of PyTorch are called here."""

from __future__ import annotations

import sys
from typing import NoReturn

_PLACES = {
    "L1Loss": "mae",
    "l1_loss": "mae",
    "MSELoss": "mse",
    "mse_loss": "mse",
    "NLLLoss": "nll_loss",
    "KLDivLoss": "kl_divergence",
    "kl_div": "kl_divergence",
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "sigmoid_binary_cross_entropy",
    "binary_cross_entropy_with_logits": "sigmoid_binary_cross_entropy",
    "CrossEntropyLoss": "cross_entropy",
    "CTCLoss": "ctc_loss",
    "PoissonNLLLoss": "poisson_nll_loss",
    "GaussianNLLLoss": "gaussian_nll_loss",
    "HingeEmbeddingLoss": "hinge_embedding_loss",
    "MultiLabelMarginLoss": "multilabel_margin_loss",
    "MultiLabelSoftMarginLoss": "multilabel_soft_margin_loss",
    "MultiMarginLoss": "multi_margin_loss",
    "MarginRankingLoss": "margin_ranking_loss",
    "HuberLoss": "huber_loss",
    "SmoothL1Loss": "smooth_l1_loss",
    "SoftMarginLoss": "soft_margin_loss",
    "CosineEmbeddingLoss": "cosine_embedding_loss",
    "TripletMarginLoss": "triplet_margin_loss",
    "TripletMarginWithDistanceLoss": "triplet_margin_with_distance_loss",
    "LinearCrossEntropyLoss": "chunked_cross_entropy",
    "linear_cross_entropy": "chunked_cross_entropy",
    "AdaptiveLogSoftmaxWithLoss": "adaptive_log_softmax_loss",
}


def missing(name: str) -> NoReturn:
    """The error for a name that losses has not, with what to write instead where that is known."""
    place = _place_of(name)
    hint = f"; write {place}" if place else ""
    raise AttributeError(f"fx.losses has no {name!r}{hint}.", name=name, obj=sys.modules["fx.losses"])


def _place_of(name: str) -> str:
    return f"losses.{_PLACES[name]}; PyTorch's default is reduction='mean'" if name in _PLACES else ""
