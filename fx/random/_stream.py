"""A stream of fresh keys for scripts and training loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core import errors
from ..core.trace import Tracer, current_trace
from ..primitives.promotion import as_operand
from ..primitives.random import child_keys
from ._arguments import static_int
from ._keys import fold_in, fresh, key, key_data, key_words

_RECORDED_ONCE = {"jit", "scan", "while_loop", "fori_loop", "map"}
"""Traces whose Programs run more often than they are traced."""


def stream(seed: Any) -> KeyStream:
    """Fresh keys without end: key n is `fold_in(key, n)`.

    Args:
        seed: a seed, or a key, which should not be used otherwise.

    >>> import fx
    >>> keys = fx.random.stream(0)
    >>> x, y = fx.random.normal(next(keys)), fx.random.normal(next(keys))
    """
    return KeyStream(seed)


class KeyStream(Iterator[Any]):
    """An iterator of fresh keys that counts in Python.

    It works under transformations that call the function anew each time (`grad`, `vmap`, `checkpoint`). Inside
    functions that are traced once and run often (`jit`, loops) it would give the same keys in every run, and raises
    instead: pass `next(keys)` to them as an argument, or make the stream inside of a key that they take.

    `state` is what a checkpoint of a training run needs to go on with the same keys:

    >>> import fx
    >>> keys = fx.random.stream(0)
    >>> _ = keys.take(3)
    >>> again = fx.random.stream(1)
    >>> again.state = keys.state
    >>> next(again).tolist() == next(keys).tolist()
    True
    """

    def __init__(self, seed: Any):
        root = seed if getattr(seed, "shape", ()) == (2,) else key(seed)
        self._root = key_words("stream", root, consumes=False)
        self._count = 0

    def __next__(self) -> Any:
        """The next key, uint32 (2,)."""
        self._check_trace()
        found = fold_in(self._root, self._count)
        self._count += 1
        return found

    def take(self, n: Any) -> Any:
        """The next n keys, uint32 (n, 2)."""
        n = static_int(n, "take: n")
        if n < 0:
            raise errors.ArgumentError(f"take: n must not be negative; got {n}.")
        self._check_trace()
        found = fresh(child_keys(self._root, np.uint32(self._count), shape=(n,)))
        self._count += n
        return found

    @property
    def state(self) -> dict[str, Any]:
        """Where the stream stands: {"key": uint32 (2,), "count": int}. Assign it to go on from there."""
        return {"key": np.asarray(self._root), "count": self._count}

    @state.setter
    def state(self, state: Any) -> None:
        if not isinstance(state, dict) or set(state) != {"key", "count"}:
            raise errors.ArgumentError(
                f"The state of a stream is a dict of 'key' and 'count'; got {errors.brief(state)}."
            )
        root = key_words("stream", as_operand(key_data(state["key"])), consumes=False)
        self._count, self._root = static_int(state["count"], "stream: count"), root

    def __repr__(self) -> str:
        return f"KeyStream(key={self._root!r}, count={self._count})"

    def _check_trace(self) -> None:
        """TracerError where one key would be recorded for many runs."""
        home = self._root.home if type(self._root) is Tracer else None
        trace = current_trace()
        while trace is not None and trace is not home:
            if trace.kind in _RECORDED_ONCE:
                raise errors.TracerError(
                    errors.lines(
                        f"A stream of keys was read inside {trace.title()}, which is traced once and run often: every "
                        "run would draw from the same key.",
                        "Pass next(keys) as an argument, or make the stream inside: fx.random.stream(key).",
                    )
                )
            trace = trace.parent
