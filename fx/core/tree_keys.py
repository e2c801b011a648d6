"""Key paths: where in a pytree a leaf is, as `['layers'][0].w`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from .errors import ArgumentError, brief, lines


class _Key:
    """A frozen value of one field, written out because `dataclass` costs milliseconds of import time."""

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    @property
    def _value(self) -> Any:
        return getattr(self, self.__match_args__[0])

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._value == self._value

    def __hash__(self) -> int:
        return hash((type(self), self._value))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"cannot assign to field {name!r}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__match_args__[0]}={self._value!r})"

    def __reduce__(self) -> Any:
        return type(self), (self._value,)


class DictKey(_Key):
    """`tree[key]` of a mapping."""

    __slots__ = __match_args__ = ("key",)
    key: Hashable

    def __init__(self, key: Hashable):
        object.__setattr__(self, "key", key)

    def __str__(self) -> str:
        return f"[{self.key!r}]"


class SequenceKey(_Key):
    """`tree[idx]` of a list or tuple."""

    __slots__ = __match_args__ = ("idx",)
    idx: int

    def __init__(self, idx: int):
        object.__setattr__(self, "idx", idx)

    def __str__(self) -> str:
        return f"[{self.idx}]"


class AttrKey(_Key):
    """`tree.name` of a namedtuple, dataclass or other object."""

    __slots__ = __match_args__ = ("name",)
    name: str

    def __init__(self, name: str):
        object.__setattr__(self, "name", name)

    def __str__(self) -> str:
        return f".{self.name}"


class FlatIndexKey(_Key):
    """Child number `idx` of a node whose class was registered without keys."""

    __slots__ = __match_args__ = ("idx",)
    idx: int

    def __init__(self, idx: int):
        object.__setattr__(self, "idx", idx)

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
