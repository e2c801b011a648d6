"""Pytrees as named arrays and a description of the containers, in JSON."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import fx

from ._errors import damaged

SCALARS = (bool, int, float, str)


class Packed(NamedTuple):
    """A pytree in two parts."""

    arrays: dict[str, Any]
    """NumPy arrays by name: the keys of the path with slashes."""
    structure: Any
    """JSON: {"array": name}, {"value": integer or text}, {"number": float as text}, or {kind: [[key, node], ...]}
    with kind dict, list, tuple, none, or record and the name of a class."""


def name_of(path: Any) -> str:
    """encoder/layers/0/wq; a slash or tilde in a key is written ~1 or ~0, as in JSON pointers."""
    return "/".join(escaped(key._value) for key in path)


def pack(tree: Any) -> Packed:
    """The arrays of a pytree by name, and its structure.

    Raises:
        TreeError: a leaf is neither an array, nor a number, nor text; or two leaves would have one name.
    """
    arrays: dict[str, Any] = {}
    return Packed(arrays, _described(tree, (), arrays))


def _described(tree: Any, path: tuple[Any, ...], arrays: dict[str, Any]) -> Any:
    children, _ = fx.tree.flatten_with_path(tree, is_leaf=lambda x: x is not tree)
    if len(children) == 1 and not children[0][0]:
        return _leaf(tree, path, arrays)
    nodes = []
    for (key,), child in children:
        if type(key._value) not in (str, int, bool):
            raise fx.TreeError(
                f"io.save: tree{fx.tree.keystr((*path, key))}: a key must be text or an integer."
            )
        nodes.append([key._value, _described(child, (*path, key), arrays)])
    return {_kind(tree): nodes}


def _kind(tree: Any) -> str:
    for kind in (dict, list, tuple):
        if type(tree) is kind:
            return kind.__name__
    return "none" if tree is None else f"record {type(tree).__name__}"


def _leaf(x: Any, path: tuple[Any, ...], arrays: dict[str, Any]) -> Any:
    where = f"io.save: tree{fx.tree.keystr(path)}"
    if type(x) in SCALARS:
        return {"number": repr(x)} if type(x) is float else {"value": x}
    if not (isinstance(x, (fx.Array, np.ndarray, np.generic)) or hasattr(x, "__array__")):
        raise fx.TreeError(
            f"{where} is {type(x).__name__}, not an array, a number or text.\n"
            "Save what describes it: the parameters of a model, the name of a function."
        )
    name, array = name_of(path), np.asarray(x)
    if name in arrays:
        raise fx.TreeError(f"{where}: another leaf has the name {name!r} too; change a key of one of them.")
    if array.dtype.kind in "OSUmM":
        raise fx.TreeError(f"{where} has dtype {array.dtype}, which no file format here holds.")
    arrays[name] = array
    return {"array": name}


def unpack(file: Any, structure: Any, arrays: dict[str, Any]) -> Any:
    """The tree: dicts, lists, tuples and None as they were, other containers as dicts of their fields."""
    try:
        return _unpacked(structure, arrays)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
        raise damaged(file, f"its description of the tree is malformed ({type(e).__name__}: {e})") from None


def _unpacked(structure: Any, arrays: dict[str, Any]) -> Any:
    ((kind, content),) = structure.items()
    if kind == "array":
        return arrays[content]
    if kind in ("value", "number"):
        return float(content) if kind == "number" else content
    parts = [(key, _unpacked(node, arrays)) for key, node in content]
    if kind == "none":
        return None
    if kind in ("list", "tuple"):
        return (list if kind == "list" else tuple)(child for _, child in parts)
    return dict(parts)


def scalars(structure: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """The leaves that are numbers or text, by name."""
    ((kind, content),) = structure.items()
    if kind in ("value", "number"):
        return {"/".join(path): _unpacked(structure, {})}
    found: dict[str, Any] = {}
    for key, node in () if kind == "array" else content:
        found |= scalars(node, (*path, escaped(key)))
    return found


def escaped(key: Any) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")
