"""`jax.tree_util` by its names; fx.tree has the same functions without the prefix.

>>> tree_map(lambda x: 2 * x, {"a": 1, "b": (2, 3)})
{'a': 2, 'b': (4, 6)}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .core.tree import (
    AttrKey as GetAttrKey,
    DictKey as DictKey,
    FlatIndexKey as FlattenedIndexKey,
    Partial as Partial,
    SequenceKey as SequenceKey,
    TreeDef as PyTreeDef,
    all as tree_all,
    broadcast as tree_broadcast,
    flatten as tree_flatten,
    flatten_with_path as tree_flatten_with_path,
    keystr as keystr,
    leaves as tree_leaves,
    leaves_with_path as tree_leaves_with_path,
    map as tree_map,
    map_with_path as tree_map_with_path,
    reduce as tree_reduce,
    register_dataclass as register_dataclass,
    register_node as register_pytree_node,
    register_node_class as register_pytree_node_class,
    register_node_with_keys as register_pytree_with_keys,
    register_static as register_static,
    structure as tree_structure,
    transpose as tree_transpose,
    unflatten as tree_unflatten,
)

__all__ = [
    "DictKey",
    "FlattenedIndexKey",
    "GetAttrKey",
    "Partial",
    "PyTreeDef",
    "SequenceKey",
    "all_leaves",
    "keystr",
    "register_dataclass",
    "register_pytree_node",
    "register_pytree_node_class",
    "register_pytree_with_keys",
    "register_pytree_with_keys_class",
    "register_static",
    "tree_all",
    "tree_broadcast",
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_leaves",
    "tree_leaves_with_path",
    "tree_map",
    "tree_map_with_path",
    "tree_reduce",
    "tree_structure",
    "tree_transpose",
    "tree_unflatten",
    "treedef_children",
    "treedef_is_leaf",
    "treedef_tuple",
]


def treedef_is_leaf(treedef: PyTreeDef) -> bool:
    """Whether the structure is that of one leaf."""
    return treedef == tree_structure(0)


def treedef_children(treedef: PyTreeDef) -> list[PyTreeDef]:
    """The structures of the members."""
    return treedef.children()


def treedef_tuple(treedefs: Sequence[PyTreeDef]) -> PyTreeDef:
    """The structure of a tuple of trees."""
    return tree_structure(tuple(t.unflatten([0] * t.num_leaves) for t in treedefs))


def all_leaves(iterable: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether every member is a leaf."""
    members = list(iterable)
    return len(tree_leaves(members, is_leaf=is_leaf)) == len(members) and all(
        treedef_is_leaf(tree_structure(x, is_leaf=is_leaf)) for x in members
    )


def register_pytree_with_keys_class(cls: Any) -> Any:
    """Class decorator: `tree_flatten_with_keys()` and `tree_unflatten(aux, children)` of the class are used."""
    flatten = getattr(cls, "tree_flatten", None)
    register_pytree_with_keys(
        cls,
        lambda x: x.tree_flatten_with_keys(),
        cls.tree_unflatten,
        *([] if flatten is None else [lambda x: x.tree_flatten()]),
    )
    return cls
