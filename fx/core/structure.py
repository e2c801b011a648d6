"""Recorded structures: a trie of steps, shared by all traces, and the two kinds of operands that are no variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .avals import Aval
from .errstate import quiet
from .source import Source


class Literal:
    """A scalar constant inside a Program; interned, so equal literals are one object."""

    __slots__ = ("aval", "value")
    value: Any
    aval: Aval

    def __new__(cls, value: Any, aval: Aval) -> Literal:
        key = (aval, np.asarray(value).tobytes())
        found = _literals.get(key)
        if found is None:
            if len(_literals) > 100_000:
                _literals.clear()
            self = object.__new__(cls)
            with quiet():
                self.value, self.aval = aval.dtype.type(value), aval
            found = _literals.setdefault(key, self)
        return found

    @property
    def scalar(self) -> Any:
        """The value with operators, for use in rules."""
        return self.value

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        return 0

    def __repr__(self) -> str:
        return str(self.value)


_literals: dict[Any, Literal] = {}


class Abstract:
    """In a trace: the place of an input that has no value, and the reason in words."""

    __slots__ = ("reason",)

    def __init__(self, reason: Callable[[], str]):
        self.reason = reason


class Node:
    """One step of a recorded structure: an equation by variable numbers, and what may follow it."""

    __slots__ = (
        "after", "children", "first", "inputs", "lifted", "outputs", "params", "primitive", "results", "source",
    )  # fmt: skip

    def __init__(self, after: int):
        self.primitive: Any = None
        self.params: dict[str, Any] = {}
        self.inputs: tuple[Any, ...] = ()
        self.lifted: tuple[tuple[int, Aval], ...] = ()
        self.outputs: tuple[Aval, ...] = ()
        self.first = self.after = after
        self.source: Source | None = None
        self.children: dict[Any, Node] = {}
        self.results: dict[Any, Any] = {}


_roots: dict[Any, Node] = {}
_node_count = [0]
_NODE_LIMIT = 100_000


def root(by_value: bool, avals: tuple[Aval, ...]) -> Node:
    """Where all structures over such inputs begin."""
    key = (by_value, avals)
    return _roots.get(key) or _roots.setdefault(key, Node(len(avals)))


def remember(node: Node, step: Any, following: Node) -> Node:
    """Hang a new step on a node; when there are too many, all are forgotten (traces in progress go on)."""
    _node_count[0] += 1
    if _node_count[0] > _NODE_LIMIT:
        clear_structures()
    return node.children.setdefault(step, following)


def clear_structures() -> None:
    """Forget every recorded structure (memory is given back; results do not change)."""
    _roots.clear()
    _node_count[0] = 0
