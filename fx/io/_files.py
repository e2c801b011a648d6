"""`save`, `load`, `inspect`: pytrees of arrays in files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from reprlib import repr as brief
from typing import Any

import numpy as np

import fx
import fx.numpy as fnp

from ._atomic import replace_file
from ._errors import damaged
from ._formats import dtype_named, format_of
from ._matching import fitted
from ._structure import pack, scalars, unpack

VERSION = 1


def save(path: str | PathLike[str], tree: Any, *, metadata: Mapping[str, Any] | None = None) -> None:
    """Write a pytree to a file; what was there before stays until the new file is whole on the disk.

    Args:
        path: ending in .safetensors or .npz.
        tree: containers of arrays, numbers and text: parameters, optimizer state, keys, counters. The arrays'
            names in the file are their paths: encoder/layers/0/wq.
        metadata: what else to remember; anything that JSON can hold.

    Raises:
        TreeError: a leaf is no array, number or text. ArgumentError: another ending, or metadata that JSON lacks.

    >>> import fx, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> save(path, {"w": fx.numpy.ones((2, 3)), "steps": 7})
    >>> load(path)["steps"]
    7
    """
    path = path_of(path, "io.save")
    form, packed = format_of(path), pack(tree)
    try:
        parts = {
            "version": VERSION,
            "dtypes": {name: x.dtype.name for name, x in packed.arrays.items()},
            "structure": packed.structure,
            "metadata": dict(metadata or {}),
        }
        header = json.dumps({**parts, "sha256": digest(packed.arrays, parts)}, allow_nan=False)
    except (TypeError, ValueError) as e:
        raise fx.ArgumentError(f"io.save: metadata cannot be written as JSON: {e}.") from None
    replace_file(path, lambda part: form.write(part, packed.arrays, header))


def path_of(path: Any, name: str) -> Path:
    """ArgumentError for what is no path."""
    if not isinstance(path, (str, PathLike)) or "\0" in str(path):
        raise fx.ArgumentError(
            f"{name}: path must be a path, text or a pathlib.Path; got {type(path).__name__} {brief(path)}."
        )
    return Path(path)


def digest(arrays: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """SHA-256 of the other parts of the header, and of names, dtypes, shapes and bytes of all arrays by name."""
    found = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for name in sorted(arrays):
        x = arrays[name]
        found.update(f"{name}\0{x.dtype.name}{list(x.shape)}\0".encode())
        found.update(np.ascontiguousarray(x).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def load(
    path: str | PathLike[str],
    like: Any = None,
    *,
    rename: Mapping[str, str] | Callable[[str], str] | None = None,
    only: str | None = None,
    missing: str = "error",
    unused: str = "error",
) -> Any:
    """Read a pytree from a file that `save`, or another program, wrote.

    Args:
        like: a pytree with arrays (or ShapeDtype) where the file's are wanted: the result has its structure, so
            that optimizer states and other named tuples come back as what they were. Shapes and dtypes must agree.
            Without it dicts, lists, tuples, numbers and None come back, and other containers as dicts of fields;
            a file of another program as a dict of names.
        rename: {pattern of a name in the file: name in `like`}, a * in one for a * in the other, as
            {"model/*": "encoder/*"}; or a function of names.
        only: a pattern of paths (see fx.tree.path_matches) such as "encoder": the part of `like` to read; the rest
            stays as it is.
        missing: "error", or "keep" for leaves of `like` that the file does not have: they stay.
        unused: "error", or "ignore" for arrays of the file that `like` has no place for.

    Returns:
        The tree, its arrays on the default device.

    Raises:
        FileNotFoundError. FileError: the file is damaged; nothing is loaded. TreeError: it does not fit `like`.
    """
    path = path_of(path, "io.load")
    if like is None and (rename is not None or only is not None):
        raise fx.ArgumentError("io.load: rename= and only= go with like=, the tree whose leaves are wanted.")
    arrays, text = format_of(path).read(path, lambda name: True)
    header = _header(path, text)
    if header is None:
        plain = {name: fnp.asarray(x) for name, x in arrays.items()}
        return plain if like is None else fitted(path, like, plain, rename, only, missing, unused)
    made = {name: fnp.asarray(x) for name, x in _checked(path, arrays, header).items()}
    if like is None:
        return unpack(path, header["structure"], made)
    return fitted(path, like, {**made, **scalars(header["structure"])}, rename, only, missing, unused)


def _header(path: Path, text: str | None) -> dict[str, Any] | None:
    """The header that fx wrote; None in a file of another program."""
    if text is None:
        return None
    try:
        header = json.loads(text)
        version, parts = (
            header["version"],
            {k: header[k] for k in ("sha256", "dtypes", "structure", "metadata")},
        )
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise damaged(path, f"its header is malformed ({type(e).__name__}: {e})") from None
    if version != VERSION:
        raise damaged(path, f"it has version {version!r}; this fx reads version {VERSION}")
    return {"version": version, **parts}


def _checked(path: Path, arrays: dict[str, Any], header: dict[str, Any]) -> dict[str, Any]:
    """The arrays in the dtypes they had, if they are those that were written."""
    dtypes = header["dtypes"]
    if not isinstance(dtypes, dict) or arrays.keys() != dtypes.keys():
        raise damaged(path, "its arrays are not those that its header names")
    try:
        arrays = {name: _in_dtype(x, dtype_named(dtypes[name])) for name, x in arrays.items()}
    except (TypeError, ValueError, AttributeError) as e:
        raise damaged(path, f"a dtype in its header does not fit ({e})") from None
    if digest(arrays, {k: x for k, x in header.items() if k != "sha256"}) != header["sha256"]:
        raise damaged(
            path, "its checksum is not that of its contents: bytes were changed after it was written"
        )
    return arrays


def _in_dtype(x: Any, dtype: np.dtype[Any]) -> Any:
    if x.dtype == dtype:
        return x
    if dtype.kind == "c" and x.shape[-1:] == (2,):
        return np.ascontiguousarray(x).view(dtype)[..., 0]
    return x.view(dtype)


@dataclass(frozen=True)
class Entry:
    """An array in a file."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Contents:
    """What `inspect` finds."""

    arrays: dict[str, Entry]
    metadata: dict[str, Any]
    version: int | None
    """Of fx's header; None in a file of another program."""


def inspect(path: str | PathLike[str]) -> Contents:
    """Names, dtypes and shapes of the arrays in a file, and its metadata; the data are not read.

    Raises:
        FileNotFoundError. FileError: the file is damaged.
    """
    path = path_of(path, "io.inspect")
    entries, text = format_of(path).describe(path)
    header = _header(path, text)
    if header is None:
        return Contents({name: Entry(*e) for name, e in entries.items()}, {}, None)
    found = {}
    for name, (held, shape) in entries.items():
        dtype = header["dtypes"].get(name, held)
        found[name] = Entry(dtype, shape[:-1] if dtype == "complex128" and held == "float64" else shape)
    return Contents(found, header["metadata"], VERSION)
