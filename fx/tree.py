"""Pytrees: containers of containers of arrays (dict, list, tuple, namedtuple, dataclass, None, your own).

>>> flatten({"w": 1, "b": (2, 3)})
([2, 3, 1], {'b': (*, *), 'w': *})
"""

from .core.transforms.derived import ravel_pytree as ravel_pytree
from .core.tree import (
    AttrKey as AttrKey,
    DictKey as DictKey,
    FlatIndexKey as FlatIndexKey,
    Partial as Partial,
    SequenceKey as SequenceKey,
    Static as Static,
    TreeDef as TreeDef,
    all as all,
    any as any,
    broadcast as broadcast,
    broadcast_prefix as broadcast_prefix,
    differences as differences,
    flatten as flatten,
    flatten_with_path as flatten_with_path,
    keystr as keystr,
    leaves as leaves,
    leaves_with_path as leaves_with_path,
    map as map,
    map_with_path as map_with_path,
    path_matches as path_matches,
    path_text as path_text,
    reduce as reduce,
    register_dataclass as register_dataclass,
    register_node as register_node,
    register_node_class as register_node_class,
    register_node_with_keys as register_node_with_keys,
    register_static as register_static,
    structure as structure,
    transpose as transpose,
    unflatten as unflatten,
)
