"""The kinds of containers a pytree may be made of: how each is taken apart, put together, and written.

A type has one `Kind`; `kinds[type(x)]` finds it with one dict lookup, and is `LEAF_KIND` for every type that
nobody registered (arrays, numbers, strings, sets, subclasses of dict, ...). The exact type counts: a subclass
of a registered class is a leaf until it is registered itself.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from .errors import brief as brief
from .tree_keys import AttrKey, DictKey, SequenceKey


@dataclass(frozen=True, eq=False)
class Kind:
    """What pytrees know of one container type.

    `meta` is all of a container but its children; it also tells how many of them there are.
    """

    name: str
    flatten: Callable[[Any], tuple[Iterable[Any], Any]]  # x -> (children, meta)
    unflatten: Callable[[Any, list[Any]], Any]  # (meta, children) -> x; may keep the list
    keys: Callable[[Any], Sequence[Any]]  # meta -> a key for each child
    show: Callable[[Any, Sequence[str]], str]  # (meta, children as text) -> text of the treedef


Spec: TypeAlias = "tuple[Kind, Any, tuple[Spec, ...]]"  # a structure: (kind, meta, children)
IsLeaf: TypeAlias = Callable[[Any], bool] | None  # says of a container that it is to be taken as a leaf


def keyed(spec: Spec) -> Iterator[tuple[Any, Spec]]:
    """The children of a node with their keys."""
    kind, meta, specs = spec
    return zip(kind.keys(meta), specs, strict=True)


class _Kinds(dict[type, Kind]):
    """type -> Kind; a type is classified when it is first seen, so that later look-ups hit."""

    def __missing__(self, cls: type) -> Kind:
        is_namedtuple = issubclass(cls, tuple) and hasattr(cls, "_fields")
        with lock:
            return self.setdefault(cls, _namedtuple_kind(cls) if is_namedtuple else LEAF_KIND)


def _namedtuple_kind(cls: Any) -> Kind:
    return Kind(
        cls.__name__,
        flatten=lambda x: (x, None),
        unflatten=lambda _, children: cls._make(children),
        keys=lambda _: [AttrKey(name) for name in cls._fields],
        show=lambda _, children: call_text(cls.__name__, zip(cls._fields, children, strict=True)),
    )


def _sequence_kind(cls: type, unflatten: Callable[[Any, list[Any]], Any], show: Callable[..., str]) -> Kind:
    return Kind(cls.__name__, lambda x: (x, len(x)), unflatten, _sequence_keys, show)


def _flatten_dict(x: dict[Any, Any]) -> tuple[Iterable[Any], tuple[Any, ...]]:
    try:
        keys = tuple(sorted(x))
    except TypeError:
        keys = _order_mixed(x)
    return map(x.__getitem__, keys), keys


def _unflatten_dict(keys: tuple[Any, ...], children: list[Any]) -> dict[Any, Any]:
    return dict(zip(keys, children))  # noqa: B905 (strict=True costs 150 ns)


def _order_mixed(keys: Iterable[Any]) -> tuple[Any, ...]:
    """Keys of several types go by the type's name first; keys that have no order stay as inserted."""
    try:
        return tuple(sorted(keys, key=lambda key: (type(key).__qualname__, key)))
    except TypeError:
        return tuple(keys)


def _flatten_ordered_dict(x: OrderedDict[Any, Any]) -> tuple[Iterable[Any], tuple[Any, ...]]:
    return x.values(), tuple(x)


def _flatten_defaultdict(x: defaultdict[Any, Any]) -> tuple[Iterable[Any], Any]:
    children, keys = _flatten_dict(x)
    return children, (x.default_factory, keys)


def _unflatten_defaultdict(meta: Any, children: list[Any]) -> defaultdict[Any, Any]:
    factory, keys = meta
    return defaultdict(factory, zip(keys, children, strict=True))


def _dict_keys(keys: Sequence[Any]) -> list[DictKey]:
    return [DictKey(key) for key in keys]


def _sequence_keys(n: int) -> list[SequenceKey]:
    return [SequenceKey(i) for i in range(n)]


def _show_dict(keys: Sequence[Any], children: Sequence[str]) -> str:
    return "{" + ", ".join(f"{key!r}: {child}" for key, child in zip(keys, children, strict=True)) + "}"


def _show_tuple(_: Any, children: Sequence[str]) -> str:
    return f"({children[0]},)" if len(children) == 1 else f"({', '.join(children)})"


def _show_defaultdict(meta: Any, children: Sequence[str]) -> str:
    factory, keys = meta
    return f"defaultdict({name_of(factory)}, {_show_dict(keys, children)})"


def call_text(name: str, arguments: Iterable[tuple[str, str]]) -> str:
    return f"{name}({', '.join(f'{key}={value}' for key, value in arguments)})"


def name_of(x: Any) -> str:
    return str(getattr(x, "__name__", None) or brief(x))


lock = threading.RLock()  # guards changes of `kinds`

LEAF_KIND = Kind("leaf", lambda x: ((), None), lambda _, xs: xs, lambda _: (), lambda *_: "*")
LEAF: Final[Spec] = (LEAF_KIND, None, ())  # the spec of every leaf, compared by `is`
MAX_DEPTH: Final = 250  # to compare specs takes two levels of recursion each; Python's limit is 1000

kinds = _Kinds(
    {
        type(None): Kind("None", lambda _: ((), None), lambda *_: None, lambda _: (), lambda *_: "None"),
        list: _sequence_kind(list, lambda _, xs: xs, lambda _, children: f"[{', '.join(children)}]"),
        tuple: _sequence_kind(tuple, lambda _, xs: tuple(xs), _show_tuple),
        dict: Kind("dict", _flatten_dict, _unflatten_dict, _dict_keys, _show_dict),
        OrderedDict: Kind(
            "OrderedDict",
            _flatten_ordered_dict,
            lambda keys, xs: OrderedDict(zip(keys, xs, strict=True)),
            _dict_keys,
            lambda keys, children: f"OrderedDict({_show_dict(keys, children)})",
        ),
        defaultdict: Kind(
            "defaultdict",
            _flatten_defaultdict,
            _unflatten_defaultdict,
            lambda meta: _dict_keys(meta[1]),
            _show_defaultdict,
        ),
    }
)
