"""What says something to JAX's compiler, or orders its operations, and means nothing else to fx.

Not here: `rng_uniform`, as fx has no hidden state (use `fx.random.uniform`); `psend`, `precv`, `ragged_all_to_all` and
`pcast`, which are about several devices; `dce_sink`, for which `optimization_barrier` or a result serves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._callbacks import optimization_barrier
from ..core import static
from ..core.errors import ArgumentError
from ..primitives.shape import full
from ._operands import array, named


def create_token(_: Any = None) -> Any:
    """A token, which orders operations that take it and give it: an array of shape () that says nothing."""
    return full((), False, np.bool_)


def after_all(*operands: Any) -> Any:
    """The token that is there when all of these are."""
    tokens = [array(x) for x in operands]
    if any(x.dtype != np.bool_ or x.shape != () for x in tokens):
        raise ArgumentError("fx.lax.after_all takes tokens, which fx.lax.create_token makes.")
    return optimization_barrier(tuple(tokens))[0] if tokens else create_token()


def composite(decomposition: Callable[..., Any], name: str, version: int = 0) -> Callable[..., Any]:
    """The function `decomposition`, under a name that compilers may know. fx compiles what it does.

    Its positional arguments are arrays, its keyword arguments static.
    """
    static.function(decomposition, "composite: decomposition")
    static.text(name, "composite: name")
    static.integer(version, "composite: version")
    return named(lambda *args, **kwargs: decomposition(*args, **kwargs), name, decomposition.__doc__)


def stage(x: Any, /) -> Any:
    """x as an array: a Python number gets the dtype that it has alone."""
    return optimization_barrier(array(x))


def with_sharding_constraint(x: Any, shardings: Any) -> Any:
    """x: on one device there is nothing to lay out."""
    return x
