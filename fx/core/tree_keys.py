"""Key paths: where in a pytree a leaf is, as `['layers'][0].w`."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from .errors import ArgumentError, brief, lines


@dataclass(frozen=True, slots=True)
class DictKey:
    """`tree[key]` of a mapping."""

    key: Hashable

    def __str__(self) -> str:
        return f"[{self.key!r}]"


@dataclass(frozen=True, slots=True)
class SequenceKey:
    """`tree[idx]` of a list or tuple."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx}]"


@dataclass(frozen=True, slots=True)
class AttrKey:
    """`tree.name` of a namedtuple, dataclass or other object."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


@dataclass(frozen=True, slots=True)
class FlatIndexKey:
    """Child number `idx` of a node whose class was registered without keys."""

    idx: int

    def __str__(self) -> str:
        return f"[<flat index {self.idx}>]"


Key = DictKey | SequenceKey | AttrKey | FlatIndexKey
Path = tuple[Any, ...]  # of Key, or of the keys that a user's own class gives


def keystr(path: Path, *, simple: bool = False, separator: str = "") -> str:
    """Write a key path as Python: `['layers'][0].w`.

    Args:
      simple: write the bare keys, `layers`, `0`, `w`, instead.
      separator: stands between two keys, as in `keystr(path, simple=True, separator="/")`.

    >>> keystr((DictKey("layers"), SequenceKey(0), AttrKey("w")))
    "['layers'][0].w"
    """
    known = isinstance(path, (tuple, list)) and all(isinstance(key, Hashable) for key in path)
    if not known or not isinstance(separator, str):
        raise ArgumentError(
            lines(f"keystr: {brief(path)} with separator {brief(separator)}", "give a path: a tuple of keys")
        )
    return separator.join([_bare(key) if simple else str(key) for key in path])


def _bare(key: Any) -> str:
    match key:
        case DictKey(value) | SequenceKey(value) | AttrKey(value) | FlatIndexKey(value):
            return str(value)
    return str(key)
