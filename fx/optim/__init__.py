"""`fx.optim`: optimizers as pure functions on pytrees.

    optimizer = fx.optim.adam(1e-3)
    state = optimizer.init(params)
    updates, state = optimizer.update(grads, state, params)
    params = fx.optim.apply_updates(params, updates)

States are pytrees of arrays: they are compiled, mapped, differentiated, donated and saved like parameters.
`chain` composes optimizers; each part turns gradients into something better to add.
"""

from __future__ import annotations

from ._contract import (
    EmptyState as EmptyState,
    Optimizer as Optimizer,
    apply_updates as apply_updates,
    chain as chain,
)
from ._optimizers import adam as adam, adamw as adamw, sgd as sgd
from ._parts import (
    AdamState as AdamState,
    MomentumState as MomentumState,
    ScheduleState as ScheduleState,
    add_decayed_weights as add_decayed_weights,
    clip_by_global_norm as clip_by_global_norm,
    global_norm as global_norm,
    momentum as momentum,
    scale as scale,
    scale_by_adam as scale_by_adam,
    scale_by_learning_rate as scale_by_learning_rate,
)
