"""`fx.optim`: optimizers as pure functions on pytrees.

    optimizer = fx.optim.adam(1e-3)
    state = optimizer.init(params)
    updates, state = optimizer.update(grads, state, params)
    params = fx.optim.apply_updates(params, updates)

States are pytrees of arrays: they are compiled, mapped, differentiated, donated and saved like parameters.
`chain` composes optimizers; each part turns gradients into something better to add. Names, arguments and defaults
are those of Optax; where PyTorch has another rule, an argument selects it.

    which leaves       by_path  paths  masked  partition  freeze
    clipping           clip  clip_by_norm  clip_by_global_norm  clip_by_block_rms  adaptive_grad_clip
    schedules          `fx.optim.schedules`
    around optimizers  MultiSteps  apply_if_finite  dynamic_loss_scaling  with_ema  with_swa  lookahead  sam
                       inject_hyperparams  with_statistics
    reading the loss   lbfgs  momo  polyak_sgd  reduce_on_plateau  sophia, which take value=, value_fn= or obj_fn=
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from . import schedules as schedules
from ._accumulation import (
    MultiSteps as MultiSteps,
    MultiStepsState as MultiStepsState,
)
from ._adafactor import (
    FactoredState as FactoredState,
    adafactor as adafactor,
    scale_by_factored_rms as scale_by_factored_rms,
)
from ._adam import (
    AdamState as AdamState,
    AmsgradState as AmsgradState,
    NadamState as NadamState,
    adam as adam,
    adamw as adamw,
    amsgrad as amsgrad,
    nadam as nadam,
    nadamw as nadamw,
    optimistic_adam as optimistic_adam,
    optimistic_adam_v2 as optimistic_adam_v2,
    scale_by_adam as scale_by_adam,
    scale_by_amsgrad as scale_by_amsgrad,
    scale_by_nadam as scale_by_nadam,
)
from ._adam_centered import (
    SimplifiedAdemamixState as SimplifiedAdemamixState,
    acprop as acprop,
    scale_by_acprop as scale_by_acprop,
    scale_by_simplified_ademamix as scale_by_simplified_ademamix,
    simplified_ademamix as simplified_ademamix,
)
from ._adam_relatives import (
    AdanState as AdanState,
    AdemamixState as AdemamixState,
    LionState as LionState,
    adabelief as adabelief,
    adamax as adamax,
    adamaxw as adamaxw,
    adan as adan,
    ademamix as ademamix,
    adopt as adopt,
    lion as lion,
    radam as radam,
    scale_by_adamax as scale_by_adamax,
    scale_by_adan as scale_by_adan,
    scale_by_ademamix as scale_by_ademamix,
    scale_by_adopt as scale_by_adopt,
    scale_by_belief as scale_by_belief,
    scale_by_lion as scale_by_lion,
    scale_by_radam as scale_by_radam,
    scale_by_yogi as scale_by_yogi,
    yogi as yogi,
)
from ._adaptive import (
    AdadeltaState as AdadeltaState,
    RmsState as RmsState,
    RssState as RssState,
    Sm3State as Sm3State,
    StddevState as StddevState,
    adadelta as adadelta,
    adagrad as adagrad,
    rmsprop as rmsprop,
    scale_by_adadelta as scale_by_adadelta,
    scale_by_rms as scale_by_rms,
    scale_by_rss as scale_by_rss,
    scale_by_sm3 as scale_by_sm3,
    scale_by_stddev as scale_by_stddev,
    sm3 as sm3,
)
from ._averages import (
    AverageState as AverageState,
    SwaState as SwaState,
    averaged_params as averaged_params,
    incremental_update as incremental_update,
    periodic_update as periodic_update,
    with_ema as with_ema,
    with_swa as with_swa,
)
from ._clipping import (
    ClipState as ClipState,
    adaptive_grad_clip as adaptive_grad_clip,
    clip as clip,
    clip_by_block_rms as clip_by_block_rms,
    clip_by_global_norm as clip_by_global_norm,
    clip_by_norm as clip_by_norm,
    per_example_global_norm_clip as per_example_global_norm_clip,
)
from ._conditions import (
    ApplyIfFiniteState as ApplyIfFiniteState,
    ConditionState as ConditionState,
    LossScaleState as LossScaleState,
    ZeroNansState as ZeroNansState,
    apply_if_finite as apply_if_finite,
    conditionally_mask as conditionally_mask,
    conditionally_transform as conditionally_transform,
    dynamic_loss_scaling as dynamic_loss_scaling,
    skip_large_updates as skip_large_updates,
    skip_not_finite as skip_not_finite,
    zero_nans as zero_nans,
)
from ._contract import (
    EmptyState as EmptyState,
    Optimizer as Optimizer,
    apply_updates as apply_updates,
    chain as chain,
    identity as identity,
    named_chain as named_chain,
    set_to_zero as set_to_zero,
    stateless as stateless,
)
from ._descent import (
    AddNoiseState as AddNoiseState,
    AsgdState as AsgdState,
    OptimisticState as OptimisticState,
    RpropState as RpropState,
    add_noise as add_noise,
    asgd as asgd,
    noisy_sgd as noisy_sgd,
    optimistic_gradient_descent as optimistic_gradient_descent,
    polyak_sgd as polyak_sgd,
    rprop as rprop,
    scale_by_optimistic_gradient as scale_by_optimistic_gradient,
    scale_by_polyak as scale_by_polyak,
    scale_by_rprop as scale_by_rprop,
    scale_by_sign as scale_by_sign,
    sgd as sgd,
    sign_sgd as sign_sgd,
    signum as signum,
)
from ._inject import (
    InjectState as InjectState,
    inject_hyperparams as inject_hyperparams,
)
from ._layerwise import (
    NovogradState as NovogradState,
    fromage as fromage,
    lamb as lamb,
    lars as lars,
    novograd as novograd,
    scale_by_novograd as scale_by_novograd,
    scale_by_param_block_norm as scale_by_param_block_norm,
    scale_by_param_block_rms as scale_by_param_block_rms,
    scale_by_trust_ratio as scale_by_trust_ratio,
)
from ._lbfgs import (
    LbfgsState as LbfgsState,
    lbfgs as lbfgs,
    scale_by_lbfgs as scale_by_lbfgs,
)
from ._learning_free import (
    DAdaptState as DAdaptState,
    ProdigyState as ProdigyState,
    dadapt_adamw as dadapt_adamw,
    prodigy as prodigy,
)
from ._leaves import (
    global_norm as global_norm,
)
from ._linesearch import (
    LinesearchInfo as LinesearchInfo,
    LinesearchState as LinesearchState,
    scale_by_zoom_linesearch as scale_by_zoom_linesearch,
    value_and_grad_from_state as value_and_grad_from_state,
)
from ._masks import (
    MaskedState as MaskedState,
    PartitionState as PartitionState,
    by_path as by_path,
    freeze as freeze,
    masked as masked,
    multi_transform as multi_transform,
    partition as partition,
    paths as paths,
    selective_transform as selective_transform,
)
from ._momo import (
    MomoAdamState as MomoAdamState,
    MomoState as MomoState,
    momo as momo,
    momo_adam as momo_adam,
)
from ._muon import (
    MuonDimensionNumbers as MuonDimensionNumbers,
    MuonState as MuonState,
    muon as muon,
    orthogonalize_via_newton_schulz as orthogonalize_via_newton_schulz,
    scale_by_muon as scale_by_muon,
    scale_by_shape as scale_by_shape,
)
from ._parts import (
    ApplyEveryState as ApplyEveryState,
    DecayState as DecayState,
    EmaState as EmaState,
    MomentumState as MomentumState,
    ScheduleState as ScheduleState,
    TraceState as TraceState,
    add_decayed_weights as add_decayed_weights,
    apply_every as apply_every,
    centralize as centralize,
    ema as ema,
    keep_params_nonnegative as keep_params_nonnegative,
    momentum as momentum,
    scale as scale,
    scale_by_learning_rate as scale_by_learning_rate,
    scale_by_schedule as scale_by_schedule,
    trace as trace,
)
from ._plateau import (
    PlateauState as PlateauState,
    reduce_on_plateau as reduce_on_plateau,
)
from ._private import (
    PrivateState as PrivateState,
    differentially_private_aggregate as differentially_private_aggregate,
    dpsgd as dpsgd,
)
from ._sophia import (
    HutchinsonState as HutchinsonState,
    SophiaState as SophiaState,
    hutchinson_estimator_diag_hessian as hutchinson_estimator_diag_hessian,
    scale_by_sophia as scale_by_sophia,
    sophia as sophia,
)
from ._starting_points import (
    CocobState as CocobState,
    DogState as DogState,
    DowgState as DowgState,
    MadgradState as MadgradState,
    cocob as cocob,
    dog as dog,
    dowg as dowg,
    madgrad as madgrad,
    scale_by_cocob as scale_by_cocob,
    scale_by_dog as scale_by_dog,
    scale_by_dowg as scale_by_dowg,
    scale_by_madgrad as scale_by_madgrad,
)
from ._statistics import (
    Statistics as Statistics,
    StatisticsState as StatisticsState,
    with_statistics as with_statistics,
)
from ._two_points import (
    LookaheadParams as LookaheadParams,
    LookaheadState as LookaheadState,
    SamState as SamState,
    ScheduleFreeState as ScheduleFreeState,
    lookahead as lookahead,
    normalize as normalize,
    normalize_by_update_norm as normalize_by_update_norm,
    sam as sam,
    schedule_free as schedule_free,
    schedule_free_adamw as schedule_free_adamw,
    schedule_free_eval_params as schedule_free_eval_params,
    schedule_free_sgd as schedule_free_sgd,
)
from .schedules import (
    constant_schedule as constant_schedule,
    cosine_annealing_schedule as cosine_annealing_schedule,
    cosine_decay_schedule as cosine_decay_schedule,
    cosine_onecycle_schedule as cosine_onecycle_schedule,
    cosine_restarts_schedule as cosine_restarts_schedule,
    cyclic_schedule as cyclic_schedule,
    exponential_decay as exponential_decay,
    join_schedules as join_schedules,
    lambda_schedule as lambda_schedule,
    linear_onecycle_schedule as linear_onecycle_schedule,
    linear_schedule as linear_schedule,
    multi_step_schedule as multi_step_schedule,
    multiplicative_schedule as multiplicative_schedule,
    onecycle_schedule as onecycle_schedule,
    piecewise_constant_schedule as piecewise_constant_schedule,
    piecewise_interpolate_schedule as piecewise_interpolate_schedule,
    polynomial_schedule as polynomial_schedule,
    product_schedule as product_schedule,
    sgdr_schedule as sgdr_schedule,
    warmup_constant_schedule as warmup_constant_schedule,
    warmup_cosine_decay_schedule as warmup_cosine_decay_schedule,
    warmup_exponential_decay_schedule as warmup_exponential_decay_schedule,
)

if not _TYPE_CHECKING:
    from . import _names

    __getattr__ = _names.missing
