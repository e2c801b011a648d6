"""What an optimizer is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Optimizer(NamedTuple):
    """Two pure functions.

    init: `init(params) -> state`.
    update: `update(grads, state, params=None, **extra) -> (updates, state)`; updates have the structure, shapes
        and dtypes of grads and are what `apply_updates` adds to params. Parts that read params need them.

    What else a part may read is passed by name, and reaches every part that names it: `value` the loss at
    params, `grad` its gradient, `value_fn` the function from params to the loss, `obj_fn`, `grad_fn`.
    """

    init: Callable[[Any], Any]
    update: Callable[..., tuple[Any, Any]]
