"""Arrays by name put into the leaves of a given tree."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Mapping
from reprlib import repr as brief
from typing import Any

import numpy as np

import fx
import fx.numpy as fnp

from ._structure import name_of

Rename = Mapping[str, str] | Callable[[str], str] | None


def fitted(
    file: Any, like: Any, values: dict[str, Any], rename: Rename, only: str | None, missing: str, unused: str
) -> Any:
    """`like` with its leaves replaced by the values of their names."""
    for name, choice, choices in (
        ("missing", missing, ("error", "keep")),
        ("unused", unused, ("error", "ignore")),
    ):
        if not isinstance(choice, str) or choice not in choices:
            raise fx.ArgumentError(
                f"io.load: {name}={brief(choice)}.\nChoose {choices[0]!r} or {choices[1]!r}."
            )
    if only is not None and not isinstance(only, str):
        raise fx.ArgumentError(f"io.load: only must be a pattern of paths, as text; got {brief(only)}.")
    values = renamed(file, values, rename)
    wanted = [(name_of(path), leaf) for path, leaf in fx.tree.leaves_with_path(like)]
    chosen = {name for name, _ in wanted if only is None or fx.tree.path_matches(only, name)}
    if not chosen and wanted:
        raise fx.ArgumentError(
            f"io.load: only={only!r} matches none of the leaves, {_some([n for n, _ in wanted])}."
        )
    absent = [name for name in chosen if name not in values]
    if absent and missing == "error":
        raise fx.TreeError(_absent(file, sorted(absent), list(values)))
    extra = sorted(
        name for name in values if name not in chosen and (only is None or fx.tree.path_matches(only, name))
    )
    if extra and unused == "error":
        raise fx.TreeError(
            f"{file} has {len(extra)} arrays that `like` has no place for: {_some(extra)}.\n"
            "Pass unused='ignore', or rename=."
        )
    take = chosen - set(absent)
    leaves = [_converted(file, name, leaf, values[name]) if name in take else leaf for name, leaf in wanted]
    return fx.tree.structure(like).unflatten(leaves)


def renamed(file: Any, values: dict[str, Any], rename: Rename) -> dict[str, Any]:
    """The values under new names.

    Raises:
        TreeError: two get one name, or a pattern matches nothing.
    """
    if rename is not None and not callable(rename) and not isinstance(rename, Mapping):
        raise fx.ArgumentError(
            f"io.load: rename must be a dict of patterns, or a function of a name; got {brief(rename)}."
        )
    if rename is None:
        return values
    names = {old: rename(old) if callable(rename) else _by_patterns(old, rename) for old in values}
    if not callable(rename):
        for pattern in rename:
            if not any(fnmatch.fnmatchcase(old, pattern) for old in values):
                raise fx.TreeError(
                    f"io.load: rename has {pattern!r}, which no name in {file} matches: {_some(list(values))}."
                )
    found: dict[str, Any] = {}
    for old, new in names.items():
        if new in found:
            raise fx.TreeError(
                f"io.load: rename gives two arrays of {file} the name {new!r}, one of them {old!r}."
            )
        found[new] = values[old]
    return found


def _by_patterns(name: str, patterns: Mapping[str, str]) -> str:
    found = (substituted(name, pattern, target) for pattern, target in patterns.items())
    return next((new for new in found if new is not None), name)


def substituted(name: str, pattern: str, target: str) -> str | None:
    """`target` with its * replaced by what those of `pattern` stand for in `name`; None if it does not match."""
    match = re.fullmatch("(.*)".join(map(re.escape, pattern.split("*"))), name)
    if match is None:
        return None
    parts = iter(match.groups())
    return re.sub(r"\*", lambda _: next(parts), target)


def _converted(file: Any, name: str, leaf: Any, value: Any) -> Any:
    """A value in the place of a leaf: of its shape and dtype, or a number for a number."""
    if not hasattr(leaf, "shape"):
        if hasattr(value, "shape"):
            if value.shape != () or isinstance(leaf, str):
                raise fx.TreeError(
                    f"{file}: {name!r} is {value.dtype}{list(value.shape)}; `like` has {leaf!r} there."
                )
            return type(leaf)(value.item())
        return value
    if not hasattr(value, "shape"):
        if isinstance(value, str):
            raise fx.TreeError(f"{file}: {name!r} is the text {value!r}; `like` has an array there.")
        value = fnp.asarray(np.asarray(value, leaf.dtype))
    if value.shape != tuple(leaf.shape) or value.dtype != leaf.dtype:
        raise fx.TreeError(
            f"{file}: {name!r} is {value.dtype}{list(value.shape)}; `like` has {leaf.dtype}{list(leaf.shape)} there.\n"
            "Make `like` with the settings of the model that was saved; convert dtypes after loading."
        )
    return value


def _absent(file: Any, absent: list[str], names: list[str]) -> str:
    near = difflib.get_close_matches(absent[0], names, 1, 0.5)
    hint = f" (there is {near[0]!r})" if near else ""
    return (
        f"{file} lacks {len(absent)} leaves of `like`: {_some(absent)}{hint}.\n"
        "Pass rename= for other names, missing='keep' to leave them, or only= for a part."
    )


def _some(names: list[str]) -> str:
    return ", ".join(map(repr, names[:4])) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
