"""`fx.train`: a training loop to read or to replace. Nothing else in fx needs it.

result = fx.train.fit(loss_fn, params, loader, fx.optim.adam(1e-3), epochs=10)
result.params, result.history
"""

from __future__ import annotations

from ._callbacks import (
    Callback as Callback,
    Checkpoint as Checkpoint,
    EarlyStopping as EarlyStopping,
    Stop as Stop,
)
from ._evaluate import evaluator as evaluator
from ._fit import Result as Result, fit as fit, make_step as make_step
from ._history import History as History
from ._logs import (
    CsvLog as CsvLog,
    JsonLog as JsonLog,
    TensorBoard as TensorBoard,
)
from ._run import Progress as Progress, TrainState as TrainState
