"""What optimizers and schedules of PyTorch are called here."""

from __future__ import annotations

import sys
from typing import NoReturn

_PLACES = {
    "GradientTransformation": "Optimizer",
    "GradientTransformationExtraArgs": "Optimizer",
    "SparseAdam": "adam",
    "lr_scheduler": "schedules, given as learning rates",
    "swa_utils": "with_ema or with_swa",
    "AveragedModel": "with_ema or with_swa",
    "SWALR": "with_swa",
    "clip_grad_norm_": "clip_by_global_norm",
    "clip_grad_value_": "clip",
    "GradScaler": "dynamic_loss_scaling",
    "LambdaLR": "lambda_schedule",
    "MultiplicativeLR": "multiplicative_schedule",
    "StepLR": "exponential_decay, with staircase=True",
    "MultiStepLR": "multi_step_schedule",
    "ConstantLR": "piecewise_constant_schedule",
    "LinearLR": "linear_schedule",
    "ExponentialLR": "exponential_decay",
    "PolynomialLR": "polynomial_schedule",
    "CosineAnnealingLR": "cosine_annealing_schedule",
    "CosineAnnealingWarmRestarts": "cosine_restarts_schedule",
    "CyclicLR": "cyclic_schedule",
    "OneCycleLR": "onecycle_schedule",
    "SequentialLR": "join_schedules",
    "ChainedScheduler": "product_schedule",
    "ReduceLROnPlateau": "reduce_on_plateau",
}
_CLASSES = (
    "ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax LBFGS Muon NAdam RAdam RMSprop Rprop SGD Lion".split()
)


def missing(name: str) -> NoReturn:
    """The error for a name that optim has not, with what to write instead where that is known."""
    place = _place_of(name)
    hint = f"; write {place}" if place else ""
    raise AttributeError(f"fx.optim has no {name!r}{hint}.", name=name, obj=sys.modules["fx.optim"])


def _place_of(name: str) -> str:
    if name in _CLASSES:
        return f"optim.{name.lower()}(learning_rate), whose init takes the parameters"
    return f"optim.{_PLACES[name]}" if name in _PLACES else ""
