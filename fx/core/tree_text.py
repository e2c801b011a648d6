"""Pytree structures in words: their repr, where two of them differ, and the errors that say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from .errors import TreeError, lines
from .tree_keys import DictKey, FlatIndexKey, Path, SequenceKey, keystr
from .tree_kinds import LEAF, LEAF_KIND, MAX_DEPTH, IsLeaf, Spec, keyed, kinds

_SHOWN: Final = 5  # differences, or keys of a dict, that a message lists
_END: Final[Any] = object()


def show(spec: Spec) -> str:
    """A structure as text, a star for each leaf: `{'b': (*, *), 'w': *}`."""
    kind, meta, specs = spec
    return kind.show(meta, [show(child) for child in specs])


def compare_specs(a: Spec, b: Spec, name: str, alike: Callable[[Spec, Spec], bool]) -> list[str]:
    """A line for every place where `b` is not as `a`; `alike` says where to stop because anything goes."""
    found: list[str] = []
    _add_differences(a, b, (), alike, found, name)
    return found


def _add_differences(
    a: Spec, b: Spec, path: Path, alike: Callable[[Spec, Spec], bool], found: list[str], name: str
) -> None:
    if alike(a, b):
        return
    if a is LEAF or b is LEAF or a[0] is not b[0]:
        want, have = _describe(a), _describe(b)
        found.append(f"{at(path, name)}: expected {want}, got {'another class ' * (want == have)}{have}")
        return
    found.extend(_differences_here(a, b, path, name))
    children_of_b = dict(keyed(b))
    for key, child in keyed(a):
        if key in children_of_b:
            _add_differences(child, children_of_b[key], (*path, key), alike, found, name)


def _differences_here(a: Spec, b: Spec, path: Path, name: str) -> list[str]:
    """What differs between two nodes of one kind, subtrees that both have aside."""
    of_a, of_b = dict(keyed(a)), dict(keyed(b))
    if of_a.keys() == of_b.keys():
        return [] if a[1] == b[1] else [f"{at(path, name)}: expected {_show_node(a)}, got {_show_node(b)}"]
    if all([isinstance(key, SequenceKey | FlatIndexKey) for key in {**of_a, **of_b}]):
        return [f"{at(path, name)}: expected {_describe(a)}, got {_describe(b)}"]
    missing = {key: f"missing, expected {_describe(of_a[key])}" for key in of_a if key not in of_b}
    extra = {key: f"not expected, got {_describe(of_b[key])}" for key in of_b if key not in of_a}
    return [f"{at((*path, key), name)}: {what}" for key, what in {**missing, **extra}.items()]


def _describe(spec: Spec) -> str:
    kind, meta, specs = spec
    if spec is LEAF:
        return "a leaf"
    if not specs:
        return kind.show(meta, ())
    match kind.keys(meta):
        case [DictKey(), *_] as keys:
            shown = ", ".join([repr(key.key) for key in keys[:_SHOWN]])
            return f"{kind.name} with keys {shown}{', ...' if len(keys) > _SHOWN else ''}"
        case [SequenceKey(), *_]:
            return f"{kind.name} of length {len(specs)}"
        case [FlatIndexKey(), *_]:
            return f"{kind.name} with {len(specs)} children"
    return kind.name


def _show_node(spec: Spec) -> str:
    kind, meta, specs = spec
    return cut(kind.show(meta, ["*"] * len(specs)))


def mismatch_error(headline: str, found: list[str], hint: str) -> TreeError:
    more = len(found) - _SHOWN
    shown = [f"  {line}" for line in found[:_SHOWN]]
    return TreeError(lines(headline, *shown, f"  and {more} more" if more > 0 else None, hint))


def nesting_error(tree: Any, is_leaf: IsLeaf) -> TreeError | None:
    """Walk like `_flatten`, without recursion, to where containers are nested too deeply or form a cycle."""
    path: list[Any] = []
    trail = [(tree, _entries(tree))]  # the containers that enclose the current place
    while trail:
        key, child = next(trail[-1][1], (None, _END))
        if child is _END:
            trail.pop()
            del path[-1:]
        elif kinds[type(child)] is not LEAF_KIND and not (is_leaf is not None and is_leaf(child)):
            path.append(key)
            cycle = [depth for depth, (container, _) in enumerate(trail) if container is child]
            if cycle:
                return _cycle_error(child, tuple(path), tuple(path[: cycle[0]]))
            if len(trail) == MAX_DEPTH:
                return _depth_error(tuple(path))
            trail.append((child, _entries(child)))
    return None


def _entries(tree: Any) -> Iterator[tuple[Any, Any]]:
    kind = kinds[type(tree)]
    children, meta = kind.flatten(tree)
    return zip(kind.keys(meta), children, strict=True)


def _cycle_error(container: Any, path: Path, same: Path) -> TreeError:
    what = f"the {type(container).__name__} at {cut(at(path))} contains itself"
    where = "it is the root" if not same else f"it is the one at {cut(at(same))}"
    return TreeError(
        lines(f"flatten: {what}: {where}", "break the cycle, or name a place to stop by is_leaf=")
    )


def _depth_error(path: Path) -> TreeError:
    what = f"flatten: containers are nested more than {MAX_DEPTH} deep at {cut(at(path))}"
    return TreeError(
        lines(what, "flatten the nesting, or stack what repeats into one array with a leading axis")
    )


def unhashable_error(spec: Spec) -> TreeError:
    kind, meta, specs = spec
    for child in specs:
        try:
            hash(child)
        except TypeError:
            return unhashable_error(child)
    return TreeError(
        lines(
            f"the structure of this tree is not hashable, so it cannot key a cache: {cut(show(spec))}",
            f"the node {kind.name} holds something unhashable in its static part (aux, factory, function)",
            "make that part hashable (a tuple for a list, frozen classes), or make it a child",
        )
    )


def at(path: Path, name: str = "") -> str:
    return (name + keystr(path)) or "the root"


def cut(text: str, length: int = 200) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
