"""Pytrees: nested containers of leaves, and the functions that take them apart, compare and rebuild them.

A leaf is any object whose type is not registered (see `tree_kinds`). A structure is a `TreeDef` around
nested tuples `(kind, meta, children)` with `LEAF` in the places of the leaves, hashed and compared by C code.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from .errors import ArgumentError, TreeError, lines
from .tree_keys import (
    AttrKey as AttrKey,
    DictKey as DictKey,
    FlatIndexKey as FlatIndexKey,
    Path as Path,
    SequenceKey as SequenceKey,
    keystr as keystr,
)
from .tree_kinds import LEAF, LEAF_KIND, MAX_DEPTH, IsLeaf as IsLeaf, Kind, Spec, brief, keyed, kinds
from .tree_patterns import path_matches as path_matches, path_text as path_text
from .tree_registry import (
    Partial as Partial,
    Static as Static,
    register_dataclass as register_dataclass,
    register_node as register_node,
    register_node_class as register_node_class,
    register_node_with_keys as register_node_with_keys,
    register_static as register_static,
)
from .tree_text import at, compare_specs, cut, mismatch_error, nesting_error, show, unhashable_error

_UNSET: Final[Any] = object()


class TreeDef:
    """The structure of a pytree: immutable, hashable, equal to that of any tree built alike."""

    __slots__ = ("_hash", "_num_leaves", "_paths", "_spec")

    def __init__(self, spec: Spec, num_leaves: int) -> None:
        self._spec = spec
        self._num_leaves = num_leaves
        self._hash: int | None = None
        self._paths: tuple[Path, ...] | None = None

    @property
    def num_leaves(self) -> int:
        """How many leaves a tree of this structure has."""
        return self._num_leaves

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """Build the tree of this structure that has these leaves, in the order of `flatten`."""
        if not isinstance(leaves, list | tuple):
            try:
                leaves = list(leaves)
            except TypeError:
                raise TreeError(
                    f"unflatten: leaves are a list or another iterable; got {brief(leaves)}"
                ) from None
        if len(leaves) != self._num_leaves:
            raise TreeError(
                lines(
                    f"unflatten: the structure has {self._num_leaves} leaves, but {len(leaves)} were given",
                    f"structure: {cut(repr(self))}",
                )
            )
        return leaves[0] if self._spec is LEAF else _build(self._spec, iter(leaves))

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """The subtrees of `tree` in the places of this structure's leaves; TreeError if it does not fit."""
        return _flatten_up_to(self, tree, "flatten_up_to: the tree does not start with the given structure")

    def children(self) -> list[TreeDef]:
        """The structures of the root's children."""
        return [_treedef(child) for child in self._spec[2]]

    def paths(self) -> list[Path]:
        """The key path of every leaf, in the order of `flatten`."""
        if self._paths is None:
            found: list[Path] = []
            _add_paths(self._spec, (), found)
            self._paths = tuple(found)
        return list(self._paths)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, TreeDef):
            return NotImplemented
        return self._num_leaves == other._num_leaves and self._spec == other._spec

    def __hash__(self) -> int:
        if self._hash is None:
            try:
                self._hash = hash(self._spec)
            except TypeError as error:
                raise unhashable_error(self._spec) from error
        return self._hash

    def __repr__(self) -> str:
        return show(self._spec)

    def __copy__(self) -> TreeDef:
        return self

    def __deepcopy__(self, memo: object) -> TreeDef:
        return self


_LEAF_TREEDEF: Final = TreeDef(LEAF, 1)


def _treedef(spec: Spec) -> TreeDef:
    return _LEAF_TREEDEF if spec is LEAF else TreeDef(spec, _count(spec))


def _count(spec: Spec) -> int:
    return 1 if spec is LEAF else sum([_count(child) for child in spec[2]])


def _build(spec: Spec, leaves: Iterator[Any]) -> Any:
    kind, meta, specs = spec
    children = []
    for child in specs:
        children.append(next(leaves) if child is LEAF else _build(child, leaves))
    return kind.unflatten(meta, children)


def _add_paths(spec: Spec, path: Path, found: list[Path]) -> None:
    if spec is LEAF:
        found.append(path)
        return
    for key, child in keyed(spec):
        _add_paths(child, (*path, key), found)


# --- flatten and rebuild ------------------------------------------------------------------------------------


def flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], TreeDef]:
    """Split a pytree into the list of its leaves and its structure.

    Dict keys are taken in sorted order; keys of several types by their type's name first; keys that have no
    order as inserted.

    Args:
      is_leaf: says of a container that it is to be taken as a leaf.

    Raises:
      TreeError: a container contains itself, or containers are nested more than 250 deep.

    >>> flatten({"w": 1, "b": (2, None, 3)})
    ([2, 3, 1], {'b': (*, None, *), 'w': *})
    """
    kind = kinds[type(tree)]
    if is_leaf is not None and not callable(is_leaf):
        raise ArgumentError(f"is_leaf must be a function of a container; got {brief(is_leaf)}")
    if kind is LEAF_KIND or (is_leaf is not None and is_leaf(tree)):
        return [tree], _LEAF_TREEDEF
    leaves: list[Any] = []
    try:
        spec = _flatten(tree, kind, leaves, is_leaf, 1)
    except RecursionError as error:
        raise nesting_error(tree, is_leaf) or error from None
    return leaves, TreeDef(spec, len(leaves))


def _flatten(tree: Any, kind: Kind, leaves: list[Any], is_leaf: IsLeaf, depth: int) -> Spec:
    if depth > MAX_DEPTH:
        raise RecursionError
    children, meta = kind.flatten(tree)
    specs = []
    for child in children:
        kind_of_child = kinds[type(child)]
        if kind_of_child is LEAF_KIND or (is_leaf is not None and is_leaf(child)):
            leaves.append(child)
            specs.append(LEAF)
        else:
            specs.append(_flatten(child, kind_of_child, leaves, is_leaf, depth + 1))
    return kind, meta, tuple(specs)


def unflatten(treedef: TreeDef, leaves: Iterable[Any]) -> Any:
    """Build the tree of structure `treedef` that has these leaves: the inverse of `flatten`."""
    return _expect_treedef(treedef, "unflatten").unflatten(leaves)


def leaves(tree: Any, is_leaf: IsLeaf = None) -> list[Any]:
    """The leaves of a pytree, in the order of `flatten`."""
    return flatten(tree, is_leaf)[0]


def structure(tree: Any, is_leaf: IsLeaf = None) -> TreeDef:
    """The structure of a pytree."""
    return flatten(tree, is_leaf)[1]


def flatten_with_path(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[tuple[Path, Any]], TreeDef]:
    """As `flatten`, with every leaf in a pair `(path, leaf)`; `keystr(path)` writes the path."""
    leaves, treedef = flatten(tree, is_leaf)
    return list(zip(treedef.paths(), leaves, strict=True)), treedef


def leaves_with_path(tree: Any, is_leaf: IsLeaf = None) -> list[tuple[Path, Any]]:
    """The pairs `(path, leaf)` of a pytree.

    >>> [keystr(path) for path, _ in leaves_with_path({"layers": [{"w": 1}, {"w": 2}]})]
    ["['layers'][0]['w']", "['layers'][1]['w']"]
    """
    return flatten_with_path(tree, is_leaf)[0]


# --- functions of whole trees -------------------------------------------------------------------------------


def map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None) -> Any:
    """Apply `f` to the leaves of trees that correspond, and return the tree of the results.

    Args:
      rest: trees of `tree`'s structure, or with subtrees where `tree` has leaves; `f` gets those whole.

    Raises:
      TreeError: a tree has another structure; lists the first differences, path by path.

    >>> map(lambda x, y: x + y, {"a": 1, "b": [2]}, {"a": 10, "b": [20]})
    {'a': 11, 'b': [22]}
    """
    _expect_function(f, "map")
    leaves, treedef = flatten(tree, is_leaf)
    if not rest:
        return treedef.unflatten([f(leaf) for leaf in leaves])
    columns = [leaves, *_columns(treedef, rest)]
    return treedef.unflatten([f(*row) for row in zip(*columns)])  # noqa: B905 (strict=True costs 150 ns)


def map_with_path(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None) -> Any:
    """As `map`, calling `f(path, leaf, *rest_leaves)`.

    >>> map_with_path(lambda path, x: keystr(path), {"a": 1, "b": [2]})
    {'a': "['a']", 'b': ["['b'][0]"]}
    """
    _expect_function(f, "map_with_path")
    leaves, treedef = flatten(tree, is_leaf)
    columns = [treedef.paths(), leaves, *_columns(treedef, rest)]
    return treedef.unflatten([f(*row) for row in zip(*columns, strict=True)])


def _columns(treedef: TreeDef, rest: tuple[Any, ...]) -> list[list[Any]]:
    headline = "map: tree number {} does not have the structure of the first"
    return [_flatten_up_to(treedef, tree, headline.format(i)) for i, tree in enumerate(rest, start=2)]


def reduce(f: Callable[[Any, Any], Any], tree: Any, initializer: Any = _UNSET, is_leaf: IsLeaf = None) -> Any:
    """Combine the leaves from left to right, `f(f(initializer, leaf0), leaf1)`, as `functools.reduce`.

    >>> reduce(lambda a, b: a + b, {"a": 1, "b": [2, 3]})
    6
    """
    _expect_function(f, "reduce")
    found = leaves(tree, is_leaf)
    if initializer is _UNSET and not found:
        raise TreeError("reduce: a tree without leaves needs an initializer")
    start = () if initializer is _UNSET else (initializer,)
    return functools.reduce(f, found, *start)


def all(tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether every leaf is true; true for a tree without leaves."""
    return builtins.all([_is_true(leaf, "all") for leaf in leaves(tree, is_leaf)])


def any(tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether some leaf is true."""
    return builtins.any([_is_true(leaf, "any") for leaf in leaves(tree, is_leaf)])


def _is_true(leaf: Any, name: str) -> bool:
    try:
        return bool(leaf)
    except ValueError:
        hint = f"reduce the leaves first: fx.tree.{name}(fx.tree.map(fx.numpy.{name}, tree))"
        raise TreeError(lines(f"{name}: the leaf {brief(leaf)} is neither true nor false", hint)) from None


def transpose(outer: TreeDef, inner: TreeDef | None, tree: Any) -> Any:
    """Turn an `outer` tree of `inner` trees into an `inner` tree of `outer` trees.

    Args:
      inner: the structure of the subtrees. Default: that of the first one.

    >>> transpose(structure([0, 0]), None, [{"a": 1, "b": 2}, {"a": 3, "b": 4}])
    {'a': [1, 3], 'b': [2, 4]}
    """
    outer = _expect_treedef(outer, "transpose")
    subtrees = _flatten_up_to(outer, tree, "transpose: the tree does not start with the outer structure")
    if inner is None:
        inner = structure(subtrees[0] if subtrees else None)
    inner = _expect_treedef(inner, "transpose")
    headline = "transpose: the subtree at {} does not have the inner structure"
    rows = [
        _flatten_up_to(inner, subtree, headline.format(at(path)))
        for path, subtree in zip(outer.paths(), subtrees, strict=True)
    ]
    return inner.unflatten([outer.unflatten([row[i] for row in rows]) for i in range(inner.num_leaves)])


def differences(expected: TreeDef, got: TreeDef, name: str = "") -> list[str]:
    """One line for each place where two structures differ, such as `['b'][0]: expected a leaf, got None`.

    Args:
      name: stands before each path, such as `params`.

    >>> differences(structure({"w": 1}), structure({"w": (1, 2)}), name="params")
    ["params['w']: expected a leaf, got tuple of length 2"]
    """
    expected, got = _expect_treedef(expected, "differences"), _expect_treedef(got, "differences")
    return compare_specs(expected._spec, got._spec, name, lambda a, b: a is b)


# --- prefixes -----------------------------------------------------------------------------------------------


def broadcast(prefix: Any, full: Any, is_leaf: IsLeaf = None) -> Any:
    """The tree of `full`'s structure that has, at every leaf, the leaf of `prefix` above it.

    >>> broadcast({"w": 0, "b": 1}, {"w": (10, 11), "b": 12})
    {'b': 1, 'w': (0, 0)}
    """
    treedef = _as_treedef(full)
    return treedef.unflatten(broadcast_prefix(prefix, treedef, is_leaf))


def broadcast_prefix(prefix: Any, full: Any, is_leaf: IsLeaf = None, *, name: str = "") -> list[Any]:
    """For every leaf of `full`, the leaf of `prefix` above it.

    Args:
      full: a tree or a `TreeDef`.
      is_leaf: as for `flatten`, asked about `prefix` only.
      name: what an error calls the prefix, such as `in_axes`.

    Raises:
      TreeError: `prefix` is no prefix of `full`; names the paths where it is not.

    >>> broadcast_prefix((0, None), (1, [2, 3]), is_leaf=lambda x: x is None)
    [0, None, None]
    """
    if not isinstance(name, str):
        raise ArgumentError(f"broadcast_prefix: name must be a string; got {brief(name)}")
    leaves, treedef = flatten(prefix, is_leaf)
    spec, full_spec = treedef._spec, _as_treedef(full)._spec
    counts: list[int] = []
    if not _add_counts(spec, full_spec, counts):
        found = compare_specs(full_spec, spec, name, lambda _, b: b is LEAF)
        hint = "give one value for a whole subtree, or a container of the same kind, keys and length"
        raise mismatch_error(f"{name or 'the prefix'} does not fit the tree that it is for", found, hint)
    return [leaf for leaf, count in zip(leaves, counts, strict=True) for _ in range(count)]


def _add_counts(prefix: Spec, full: Spec, counts: list[int]) -> bool:
    """Append the number of leaves of `full` below each leaf of `prefix`; false where they do not fit."""
    if prefix is LEAF:
        counts.append(_count(full))
        return True
    if prefix[:2] != full[:2]:
        return False
    return builtins.all([_add_counts(p, f, counts) for p, f in zip(prefix[2], full[2], strict=True)])


def _flatten_up_to(treedef: TreeDef, tree: Any, headline: str) -> list[Any]:
    spec = treedef._spec
    if spec is LEAF:
        return [tree]
    subtrees: list[Any] = []
    if not _add_subtrees(spec, tree, subtrees):
        found = compare_specs(spec, structure(tree)._spec, "", lambda a, _: a is LEAF)
        raise mismatch_error(headline, found, "give trees of one structure; fx.tree.structure(tree) shows it")
    return subtrees


def _add_subtrees(spec: Spec, tree: Any, subtrees: list[Any]) -> bool:
    """Append the subtrees of `tree` in the places of the leaves of a node; false where they do not fit."""
    kind, meta, specs = spec
    if kinds[type(tree)] is not kind:
        return False
    children, meta_of_tree = kind.flatten(tree)
    if meta_of_tree != meta:
        return False
    for spec_of_child, child in zip(specs, children):  # noqa: B905 (strict=True costs 150 ns)
        if spec_of_child is LEAF:
            subtrees.append(child)
        elif not _add_subtrees(spec_of_child, child, subtrees):
            return False
    return True


def _expect_function(f: Any, where: str) -> None:
    if not callable(f):
        raise ArgumentError(f"{where}: a function comes first, then trees; got {type(f).__name__} {brief(f)}")


def _expect_treedef(x: Any, where: str) -> TreeDef:
    if isinstance(x, TreeDef):
        return x
    hint = "pass fx.tree.structure(tree), and the treedef before the leaves"
    raise ArgumentError(lines(f"{where}: expected a TreeDef, got {type(x).__name__} {brief(x)}", hint))


def _as_treedef(tree: Any) -> TreeDef:
    return tree if isinstance(tree, TreeDef) else structure(tree)
