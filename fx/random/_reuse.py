"""The check that no key is used twice (`fx.config(check_keys=True)`).

Draws and splits use a key up; `fold_in` does not, and what `key`, `split`, `fold_in` and `wrap_key_data` give is
fresh. Outside traces a key is known by its words. In a trace it is known by how it was made: two rows of one `split`
are two keys, the same row taken twice is one. An argument of a traced function whose value is known stands for that
value, or for the value of the enclosing trace; `_reuse_calls` is about the others. What is a reuse follows
`jax.experimental.key_reuse`.
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
from ..core.trace import Tracer, as_host, bind, current_trace, recording
from ..primitives.random import child_keys

_LOOPS = {"scan", "while_loop", "fori_loop", "map"}
_PICKS = {"slice", "reshape", "transpose", "reverse", "gather", "dynamic_slice"}
"""Primitives whose results are parts of their first operand."""
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
    index: int | None = None
    """In a trace: the variable that is the key."""


class _Branch(NamedTuple):
    """A branch of cond or switch, and the trace that it stands in."""

    trace: ReferenceType[Any]
    parent: ReferenceType[Any] | None


class _Uses(OrderedDict[Any, _Use]):
    """First uses by identity, the oldest forgotten when there are many."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[Any, _Use] = {}
        """In a trace: the first use of a part of each array of keys."""

    def add(self, identity: Any, use: _Use) -> None:
        self[identity] = use
        if len(self) > _REMEMBERED:
            self.popitem(last=False)
        for whole in _wholes(identity):
            self.parts.setdefault(whole, use)

    def first(self, identity: Any) -> _Use | None:
        """The use of a key, or of an array that it is a part of, or of a part of it."""
        return self.of(identity) or self.parts.get(identity)

    def of(self, identity: Any) -> _Use | None:
        """The use of a key, or of an array that it is a part of."""
        return next((self[known] for known in (identity, *_wholes(identity)) if known in self), None)


class _Place(NamedTuple):
    """Where the uses of a key are noted."""

    uses: _Uses
    identity: Any
    """What the key is known by there."""
    home: Any = None
    """The trace that it belongs to; None: to none."""
    index: int | None = None


_concrete = _Uses()
traced: WeakKeyDictionary[Any, _Uses] = WeakKeyDictionary()
closed_over: WeakKeyDictionary[Any, list[tuple[Any, str, Source]]] = WeakKeyDictionary()
"""By the trace of a jitted function: the keys that it closes over and uses, by what and where."""


def consume(key: Any, what: str) -> None:
    """Use a key up; KeyReuseError names both lines if it was used before."""
    place = _place(key)
    traces = list(_enclosing(place.home))
    now = _Use(what, here(), tuple(_branches(traces)), index=place.index)
    _refuse_in_loop(traces, now)
    first = place.uses.first(place.identity)
    if first is None or first.source is None:
        now.spare = 0 if first is None else first.spare
        place.uses.add(place.identity, now)
    elif first.spare:
        first.spare -= 1
    elif not _alternatives(first.branches, now.branches):
        raise _reuse(first, now)
    for trace in traces:
        if trace.kind == "jit":
            closed_over.setdefault(trace, []).append((key, what, now.source))


def _refuse_in_loop(traces: list[Any], now: _Use) -> None:
    loop = next((t for t in traces if t.kind in _LOOPS), None)
    if loop is not None:
        raise in_each_iteration(now, loop.title(), "was made outside")


def in_each_iteration(use: _Use, loop: str, how: str) -> KeyReuseError:
    return KeyReuseError(
        errors.lines(
            f"{use.what} draws from a key that {how} {loop}: each iteration uses the same key.",
            f"used at {_line(use)}",
            "Fold the number of the iteration in, or pass a key per iteration: fx.random.split(key, n).",
        )
    )


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


def allow_once_more(key: Any, times: int = 1) -> None:
    """A clone of a key may be used besides the key."""
    place = _place(key)
    if place.identity not in place.uses:
        place.uses.add(place.identity, _Use("", None, (), index=place.index))
    place.uses[place.identity].spare += times


def forget(keys: Any) -> None:
    """Keys (..., 2) that were just made count as unused."""
    if type(keys) is not Tracer and _concrete:
        for words in words_of(keys):
            _concrete.pop(words, None)


def spend(keys: Any, use: _Use) -> None:
    """Keys (..., 2) that were used where they were made."""
    if type(keys) is not Tracer:
        for words in words_of(keys):
            _concrete.add(words, _Use(use.what, use.source, ()))
    else:
        place = _place(keys)
        place.uses.add(place.identity, _Use(use.what, use.source, (), index=place.index))


def words_of(keys: Any) -> list[bytes]:
    """The identities of concrete keys (..., 2)."""
    rows = np.ascontiguousarray(as_host(keys.buffer if type(keys) is Array else keys))
    return [row.tobytes() for row in rows.reshape(-1, 2)]


def _place(key: Any) -> _Place:
    while type(key) is Tracer:
        home, index = key.home, key.index
        if is_known(home.slots[index]):
            key = home.slots[index]
        elif is_part(home.slots[index]) and all(is_known(home.slots[i]) for i in sources(home, index)):
            with recording(home.parent):
                key = remade(home, index, {})
        else:
            uses = traced.setdefault(home, _Uses())
            return _Place(uses, identity_of(home, index), home, index)
    return _Place(_concrete, words_of(key)[0])


def is_known(entry: Any) -> bool:
    return type(entry) in (Tracer, Array) or is_buffer(entry)


def sources(trace: Any, index: int) -> set[int]:
    """The variables that a key is picked from: inputs, constants, and keys made in the trace."""
    node = trace.slots[index]
    if not is_part(node):
        return {index}
    return set().union(*[sources(trace, r) for r in node.inputs if type(r) is int])


def remade(trace: Any, index: int, known: dict[int, Any]) -> Any:
    """The value of a variable, picked anew outside of the trace, from known values and from what slots stand for."""
    if index in known or not is_part(trace.slots[index]):
        return known.get(index, trace.slots[index])
    node = trace.slots[index]
    values = [
        r.value if type(r) is Literal else remade(trace, r, known) if type(r) is int else r
        for r in node.inputs
    ]
    out = bind(node.primitive, *values, **node.params)
    return out[index - node.first] if node.primitive.multiple else out


def identity_of(trace: Any, index: Any) -> Any:
    """How a value was made: equal for values that are equal because the same steps made them."""
    node = trace.slots[index]
    if not is_part(node):
        return index
    operands = [
        _literal(r) if type(r) is Literal else identity_of(trace, r) if type(r) is int else id(r)
        for r in node.inputs
    ]
    return (node.primitive.name, params_key(node.params), index - node.first, *operands)


def is_part(entry: Any) -> bool:
    """Whether a slot of a trace holds a step that picks keys, rather than a key of its own."""
    prim = entry.primitive if type(entry) is Node else None
    return not (prim is None or prim is child_keys or prim.calls or prim.effect or prim.collective)


def _wholes(identity: Any) -> Iterator[Any]:
    """What a value was picked out of, step by step."""
    while type(identity) is tuple and identity[0] in _PICKS:
        identity = identity[3]
        yield identity


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
