"""The check that no key is used twice (`fx.config(check_keys=True)`).

Draws and splits use a key up; `fold_in` does not, and what `key`, `split`, `fold_in` and `wrap_key_data` give is
fresh. Outside traces a key is known by its words. In a trace it is known by how it was made: two rows of one `split`
are two keys, the same row taken twice is one. An argument of a traced function whose value is known stands for that
value, or for the value of the enclosing trace. What is a reuse follows `jax.experimental.key_reuse`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import ReferenceType, WeakKeyDictionary, ref

import numpy as np

from ..core import errors
from ..core.array import Array
from ..core.devices import is_buffer
from ..core.primitive import params_key
from ..core.source import Source, here
from ..core.structure import Literal, Node
from ..core.trace import Tracer, as_host, current_trace
from ..primitives.random import child_keys

_LOOPS = {"scan", "while_loop", "fori_loop", "map"}
_REMEMBERED = 100_000


class KeyReuseError(errors.FxError, RuntimeError):
    """`fx.config(check_keys=True)` met a key that was used before; names both lines."""


@dataclass
class _Use:
    """The first use of a key (without a source: none so far), and how many clones of it were not used yet."""

    what: str
    source: Source | None
    branches: tuple[_Branch, ...]
    spare: int = 0


class _Branch(NamedTuple):
    """A branch of cond or switch, and the trace that it stands in."""

    trace: ReferenceType[Any]
    parent: ReferenceType[Any] | None


class _Uses(OrderedDict[Any, _Use]):
    """First uses by identity, the oldest forgotten when there are many."""

    def add(self, identity: Any, use: _Use) -> None:
        self[identity] = use
        if len(self) > _REMEMBERED:
            self.popitem(last=False)


_concrete = _Uses()
_traced: WeakKeyDictionary[Any, _Uses] = WeakKeyDictionary()


def consume(key: Any, what: str) -> None:
    """Use a key up; KeyReuseError names both lines if it was used before."""
    uses, identity, home = _place(key)
    traces = list(_enclosing(home))
    now = _Use(what, here(), tuple(_branches(traces)))
    loop = next((t for t in traces if t.kind in _LOOPS), None)
    if loop is not None:
        raise KeyReuseError(
            errors.lines(
                f"{what} draws from a key that was made outside {loop.title()}: each iteration uses the same key.",
                f"used at {_line(now)}",
                "Fold the number of the iteration in, or pass a key per iteration: fx.random.split(key, n).",
            )
        )
    first = uses.get(identity)
    if first is None or first.source is None:
        now.spare = 0 if first is None else first.spare
        uses.add(identity, now)
    elif first.spare:
        first.spare -= 1
    elif not _alternatives(first.branches, now.branches):
        raise _reuse(first, now)


def _reuse(first: _Use, now: _Use) -> KeyReuseError:
    return KeyReuseError(
        errors.lines(
            "A key was used twice: the numbers drawn from it are not independent.",
            f"first by {first.what} at {_line(first)}",
            f"again by {now.what} at {_line(now)}",
            "Split it before the first use: key, draw = fx.random.split(key). Where numbers should repeat, write "
            "fx.random.clone(key).",
        )
    )


def _line(use: _Use) -> str:
    return f"{use.source}: {use.source.text}" if use.source is not None else "an unknown line"


def allow_once_more(key: Any) -> None:
    """A clone of a key may be used besides the key."""
    uses, identity, _ = _place(key)
    if identity not in uses:
        uses.add(identity, _Use("", None, ()))
    uses[identity].spare += 1


def forget(keys: Any) -> None:
    """Keys (..., 2) that were just made count as unused."""
    if type(keys) is not Tracer and _concrete:
        for words in as_host(keys.buffer if type(keys) is Array else keys).reshape(-1, 2):
            _concrete.pop(words.tobytes(), None)


def _place(key: Any) -> tuple[_Uses, Any, Any]:
    """Where the uses of a key are noted, what it is known by there, and the trace it belongs to (None: to none)."""
    while type(key) is Tracer:
        entry = key.home.slots[key.index]
        known = type(entry) in (Tracer, Array) or is_buffer(entry)
        if not known:
            return _traced.setdefault(key.home, _Uses()), _identity(key.home, key.index), key.home
        key = entry
    return _concrete, np.ascontiguousarray(as_host(key.buffer if type(key) is Array else key)).tobytes(), None


def _identity(trace: Any, index: Any) -> Any:
    """How a value was made: equal for values that are equal because the same steps made them."""
    node = trace.slots[index]
    prim = node.primitive if type(node) is Node else None
    if prim is None or prim is child_keys or prim.calls or prim.effect or prim.collective:
        return index
    operands = [
        _literal(r) if type(r) is Literal else _identity(trace, r) if type(r) is int else id(r)
        for r in node.inputs
    ]
    return (prim.name, params_key(node.params), index - node.first, *operands)


def _literal(x: Literal) -> Any:
    value = np.asarray(x.value)
    return (value.dtype.str, value.tobytes())


def _enclosing(home: Any) -> Iterator[Any]:
    """The traces in progress, from the innermost to the one that a key belongs to, which is left out."""
    trace = current_trace()
    while trace is not None and trace is not home:
        yield trace
        trace = trace.parent


def _branches(traces: list[Any]) -> Iterator[_Branch]:
    for t in traces:
        if t.kind in ("cond", "switch"):
            yield _Branch(ref(t), None if t.parent is None else ref(t.parent))


def _alternatives(first: tuple[_Branch, ...], now: tuple[_Branch, ...]) -> bool:
    """Whether two uses stand in different branches of a cond, of which one runs."""
    return any(a.trace() is not b.trace() and a.parent == b.parent for a in first for b in now)
