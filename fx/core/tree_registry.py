"""Making classes pytree nodes, and the two that are so from the start: `Static` and `Partial`."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from .errors import ArgumentError, TreeError, lines
from .tree_keys import AttrKey, FlatIndexKey, keystr
from .tree_kinds import Kind, brief, call_text, kinds, lock, name_of

C = TypeVar("C", bound=type)
T = TypeVar("T")

_BUILTIN = frozenset(kinds)
_registered: set[type] = set()


def register_node(
    cls: type,
    flatten: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten: Callable[[Any, tuple[Any, ...]], Any],
) -> None:
    """Make instances of `cls` pytree nodes.

    Args:
      flatten: `x -> (children, aux)`; `aux` must have `==`, and be hashable for use under `jit`.
      unflatten: `(aux, children) -> x`; must accept any objects as children.

    Raises:
      ArgumentError: `cls` is no class, a builtin container, or registered already.
    """

    def flatten_counted(x: Any) -> tuple[Iterable[Any], Any]:
        children, aux = _pair(flatten(x), cls, "(children, aux)")
        children = tuple(children)
        return children, (aux, len(children))

    def unflatten_tuple(meta: Any, children: list[Any]) -> Any:
        return unflatten(meta[0], tuple(children))

    def keys(meta: Any) -> list[FlatIndexKey]:
        return [FlatIndexKey(i) for i in range(meta[1])]

    def show(meta: Any, children: Sequence[str]) -> str:
        return f"{_with_aux(cls, meta[0])}({', '.join(children)})"

    _add(cls, Kind(name_of(cls), flatten_counted, unflatten_tuple, keys, show))


def register_node_with_keys(
    cls: type,
    flatten_with_keys: Callable[[Any], tuple[Iterable[tuple[Any, Any]], Any]],
    unflatten: Callable[[Any, tuple[Any, ...]], Any],
) -> None:
    """As `register_node`, with `flatten_with_keys: x -> (((key, child), ...), aux)`.

    Keys are `DictKey`, `SequenceKey`, `AttrKey`, or any hashable object whose `str` reads well in a path.
    """

    def flatten(x: Any) -> tuple[Iterable[Any], Any]:
        pairs, aux = _pair(flatten_with_keys(x), cls, "(((key, child), ...), aux)")
        keys, children = tuple(zip(*pairs, strict=True)) or ((), ())
        return children, (aux, keys)

    def unflatten_tuple(meta: Any, children: list[Any]) -> Any:
        return unflatten(meta[0], tuple(children))

    def show(meta: Any, children: Sequence[str]) -> str:
        names = [keystr((key,), simple=True) for key in meta[1]]
        return call_text(_with_aux(cls, meta[0]), zip(names, children, strict=True))

    _add(cls, Kind(name_of(cls), flatten, unflatten_tuple, lambda meta: meta[1], show))


def _with_aux(cls: type, aux: Any) -> str:
    return cls.__name__ if aux is None else f"{cls.__name__}[{brief(aux)}]"


def register_node_class(cls: C) -> C:
    """Class decorator: a node by the methods `tree_flatten()` and `tree_unflatten(aux, children)`."""
    node: Any = cls
    register_node(cls, lambda x: x.tree_flatten(), lambda aux, children: node.tree_unflatten(aux, children))
    return cls


def register_static(cls: C) -> C:
    """Class decorator: instances are nodes without leaves, held in the treedef and compared by `==`.

    Raises:
      ArgumentError: instances of `cls` are not hashable.
    """
    if getattr(cls, "__hash__", None) is None:
        raise ArgumentError(
            lines(
                f"register_static: instances of {name_of(cls)} are not hashable",
                "define __hash__ beside __eq__, for instance by @dataclass(frozen=True)",
            )
        )
    _add(cls, Kind(name_of(cls), lambda x: ((), x), lambda x, _: x, lambda _: (), lambda x, _: brief(x)))
    return cls


@overload
def register_dataclass(
    cls: C,
    data_fields: Sequence[str] | None = ...,
    meta_fields: Sequence[str] | None = ...,
    drop_fields: Sequence[str] = ...,
) -> C: ...
@overload
def register_dataclass(
    cls: None = ...,
    data_fields: Sequence[str] | None = ...,
    meta_fields: Sequence[str] | None = ...,
    drop_fields: Sequence[str] = ...,
) -> Callable[[C], C]: ...
def register_dataclass(
    cls: type | None = None,
    data_fields: Sequence[str] | None = None,
    meta_fields: Sequence[str] | None = None,
    drop_fields: Sequence[str] = (),
) -> Any:
    """Make a dataclass a pytree node: `@register_dataclass` above `@dataclass`, with or without arguments.

    Rebuilding a node calls `cls(**fields)`, so `__post_init__` runs and must accept any objects.

    Args:
      data_fields: names of the fields that hold subtrees. Default: all but the static ones.
      meta_fields: names of the static fields, whose values are hashable and part of the treedef. Default:
        those marked `field(metadata={"static": True})`, or all that are not in `data_fields`.
      drop_fields: names of fields to leave out; they take their default when a node is rebuilt.

    Raises:
      ArgumentError: `cls` is no dataclass, or the names given are not its init fields, each once.
    """
    if cls is None:
        return lambda cls: register_dataclass(cls, data_fields, meta_fields, drop_fields)
    data, meta = _split_fields(cls, data_fields, meta_fields, drop_fields)
    _add(cls, _dataclass_kind(cls, data, meta))
    return cls


def _split_fields(
    cls: Any, data: Sequence[str] | None, meta: Sequence[str] | None, drop: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise ArgumentError(
            lines(
                f"register_dataclass: {name_of(cls)} is not a dataclass",
                "write @register_dataclass above @dataclass, or use register_node for an ordinary class",
            )
        )
    fields = [f for f in dataclasses.fields(cls) if f.init and f.name not in drop]
    static = [f.name for f in fields if f.metadata.get("static", False)]
    if meta is None:
        meta = static if data is None else [f.name for f in fields if f.name not in data]
    if data is None:
        data = [f.name for f in fields if f.name not in meta]
    _check_fields(cls.__name__, [f.name for f in fields], [*data, *meta])
    return tuple(data), tuple(meta)


def _check_fields(cls: str, fields: list[str], named: list[str]) -> None:
    problems = {
        "not an init field": [name for name in named if name not in fields],
        "neither in data_fields nor in meta_fields": [name for name in fields if name not in named],
        "named twice": sorted({name for name in named if named.count(name) > 1}),
    }
    found = [f"{', '.join(names)}: {problem}" for problem, names in problems.items() if names]
    if found:
        hint = f"data_fields, meta_fields and drop_fields together name each of {', '.join(fields)} once"
        raise ArgumentError(lines(f"register_dataclass: the fields of {cls} do not add up", *found, hint))


def _dataclass_kind(cls: type, data: tuple[str, ...], meta: tuple[str, ...]) -> Kind:
    def flatten(x: Any) -> tuple[Iterable[Any], Any]:
        statics = tuple([_static(getattr(x, name), f"{cls.__name__}.{name}") for name in meta])
        return [getattr(x, name) for name in data], statics

    def unflatten(statics: Any, children: list[Any]) -> Any:
        fields = dict(zip(data, children, strict=True))
        fields.update(zip(meta, [static.value for static in statics], strict=True))
        return cls(**fields)

    def show(statics: Any, children: Sequence[str]) -> str:
        texts = [*children, *(brief(static.value) for static in statics)]
        return call_text(cls.__name__, zip(data + meta, texts, strict=True))

    return Kind(cls.__name__, flatten, unflatten, lambda _: [AttrKey(name) for name in data], show)


def _add(cls: Any, kind: Kind) -> None:
    if not isinstance(cls, type):
        raise ArgumentError(f"a pytree node type must be a class, got {brief(cls)}")
    with lock:
        if cls in _BUILTIN:
            raise ArgumentError(f"{cls.__name__} is a builtin pytree container and cannot be registered")
        if cls in _registered:
            hint = "register a class once, where it is defined"
            raise ArgumentError(lines(f"{cls.__qualname__} is registered as a pytree node already", hint))
        kinds[cls] = kind
        _registered.add(cls)


def _pair(result: Any, cls: type, wanted: str) -> tuple[Any, Any]:
    if isinstance(result, tuple) and len(result) == 2:
        return result
    raise TreeError(f"the flatten function of {cls.__name__} must return {wanted}, got {brief(result)}")


# --- Static, Partial ----------------------------------------------------------------------------------------


@register_static
@dataclass(frozen=True, eq=False)
class Static(Generic[T]):
    """A hashable value that belongs to the structure of a tree: no leaf, never traced, part of cache keys.

    Equal to another `Static` of an equal value of the same type, so `Static(1)`, `Static(1.0)` and
    `Static(True)` are three structures.
    """

    value: T

    def __post_init__(self) -> None:
        _check_hashable(self.value, "Static(value)")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Static):
            return NotImplemented
        a, b = self.value, other.value
        return type(a) is type(b) and (a is b or bool(a == b))

    def __hash__(self) -> int:
        return hash((Static, type(self.value), self.value))

    def __repr__(self) -> str:
        return f"Static({self.value!r})"


def _static(value: T, where: str) -> Static[T]:
    _check_hashable(value, where)
    return Static(value)


def _check_hashable(value: Any, where: str) -> None:
    try:
        hash(value)
    except TypeError:
        got = f"got {type(value).__name__} {brief(value)}"
        hint = "write a tuple for a list; arrays are data, not static"
        raise ArgumentError(lines(f"{where} is static, so it must be hashable", got, hint)) from None


class Partial(functools.partial[T]):
    """`functools.partial` as a pytree: the function is static, arguments and keywords are subtrees.

    >>> Partial(pow, 2)(5)
    32
    """

    def __new__(cls, func: Callable[..., T], /, *args: Any, **keywords: Any) -> Partial[T]:
        if not callable(func):
            raise ArgumentError(f"Partial: a function comes first; got {type(func).__name__} {brief(func)}")
        if isinstance(func, Partial):
            args, keywords, func = (*func.args, *args), {**func.keywords, **keywords}, func.func
        elif isinstance(func, functools.partial):  # its arguments are none of our data: keep it whole
            func = _Whole(func)
        return super().__new__(cls, func, *args, **keywords)


class _Whole:
    """A callable that `functools.partial` does not merge into itself."""

    __slots__ = ("func",)

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self.func(*args, **keywords)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Whole) and self.func == other.func

    def __hash__(self) -> int:
        return hash(self.func)

    def __repr__(self) -> str:
        return repr(self.func)


_add(
    Partial,
    Kind(
        "Partial",
        flatten=lambda x: ((x.args, x.keywords), x.func),
        unflatten=lambda func, children: Partial(func, *children[0], **children[1]),
        keys=lambda _: [AttrKey("args"), AttrKey("keywords")],
        show=lambda func, children: f"Partial({name_of(func)}, {', '.join(children)})",
    ),
)
