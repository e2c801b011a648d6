"""The two formats: named arrays and a header of text, to a file and back."""

from __future__ import annotations

import ast
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fx
import fx.numpy as fnp

from ._errors import damaged

HEADER = "__fx__"
"""The entry of an npz that holds the header."""
MARK = b"fx"
"""The comment of such an archive: the second mark, so that no single damage makes it a file of another program."""
_WIDE = {"complex128": ("float64", 2)}
"""dtypes that safetensors lacks: kept as another one with an axis more."""
_CODES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
    "C64": "complex64", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
}  # fmt: skip
_LARGEST_HEADER = 100_000_000


class Format(NamedTuple):
    """How a kind of file is written and read."""

    write: Callable[[str, dict[str, Any], str], None]
    read: Callable[[Path, Callable[[str], bool]], tuple[dict[str, Any], str | None]]
    """(arrays that the function of names chooses, the header of fx or None)."""
    describe: Callable[[Path], tuple[dict[str, tuple[str, tuple[int, ...]]], str | None]]
    """({name: (dtype, shape)}, header) without the data."""


def format_of(path: Path) -> Format:
    """By the ending.

    Raises:
        ArgumentError: it is neither .safetensors nor .npz.
    """
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise fx.ArgumentError(
            f"{path} ends in {path.suffix!r}.\nWrite .safetensors or .npz; pickles are not read."
        )
    return found


def dtype_named(name: str) -> np.dtype[Any]:
    return (
        np.dtype(getattr(fnp, name))
        if name == "bfloat16" or name.startswith(("float8", "int4", "uint4"))
        else np.dtype(name)
    )


# safetensors


def _write_safetensors(path: str, arrays: dict[str, Any], header: str) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    plain = {name: np.ascontiguousarray(_as_held(x)).reshape(_as_held(x).shape) for name, x in arrays.items()}
    try:
        save_file(plain, path, {"fx": header, "format": "fx"})
    except SafetensorError as e:
        raise fx.ArgumentError(
            f"io.save: safetensors does not take this tree: {e}\nWrite an .npz file."
        ) from None


def _as_held(x: Any) -> Any:
    if x.dtype.name in _WIDE:
        dtype, parts = _WIDE[x.dtype.name]
        return np.ascontiguousarray(x).view(dtype).reshape(*x.shape, parts)
    return x


def _safetensors_header(path: Path) -> tuple[dict[str, Any], int]:
    """The validated header, and where the data begin."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):
            pass
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _LARGEST_HEADER:
                raise damaged(path, f"its header claims {length} bytes")
            return json.loads(file.read(length)), 8 + length
    except (SafetensorError, struct.error, ValueError, RecursionError) as e:
        raise damaged(path, f"it is no whole safetensors file ({e})") from None


def _own_header(path: Path, header: dict[str, Any]) -> str | None:
    """What fx wrote, marked twice so that no single damage hides it; None in a file of another program."""
    metadata = header.pop("__metadata__", None) or {}
    if ("fx" in metadata) != (metadata.get("format") == "fx"):
        raise damaged(path, "of the two marks of fx in its header one is missing")
    return metadata.get("fx")


def _describe_safetensors(path: Path) -> tuple[dict[str, tuple[str, tuple[int, ...]]], str | None]:
    header, _ = _safetensors_header(path)
    text = _own_header(path, header)
    return {n: (_known(path, n, e["dtype"]), tuple(e["shape"])) for n, e in header.items()}, text


def _known(path: Path, name: str, code: str) -> str:
    if code not in _CODES:
        raise damaged(path, f"{name!r} has dtype {code}, which fx does not have")
    return _CODES[code]


def _read_safetensors(path: Path, chosen: Callable[[str], bool]) -> tuple[dict[str, Any], str | None]:
    header, start = _safetensors_header(path)
    text = _own_header(path, header)
    arrays = {}
    with open(path, "rb") as file:
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            if chosen(name):
                dtype = dtype_named(_known(path, name, entry["dtype"]))
                begin, end = entry["data_offsets"]
                file.seek(start + begin)
                data = np.frombuffer(file.read(end - begin), np.uint8)
                if data.size != end - begin:
                    raise damaged(path, f"{name!r} ends early")
                arrays[name] = data.view(dtype).reshape(entry["shape"])
    return arrays, text


# npz


def _write_npz(path: str, arrays: dict[str, Any], header: str) -> None:
    """Each array as NumPy writes it; dtypes that NumPy does not know as bytes, told by the header."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.comment = MARK
        text = np.frombuffer(header.encode(), np.uint8)
        for name, x in [(HEADER, text), *arrays.items()]:
            with archive.open(name + ".npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, _as_bytes(x), allow_pickle=False)


def _as_bytes(x: Any) -> Any:
    """A dtype of another library as unsigned integers of its width."""
    return (
        x if x.dtype.isbuiltin == 1 else np.ascontiguousarray(x).reshape(x.shape).view(f"u{x.dtype.itemsize}")
    )


def _npz_entries(path: Path) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as e:
        if isinstance(e, FileNotFoundError):
            raise
        raise damaged(path, f"it is no whole npz file ({e})") from None
    return archive, {
        i.filename.removesuffix(".npy"): i for i in archive.infolist() if i.filename.endswith(".npy")
    }


def _npy_header(
    path: Path, name: str, file: Any, info: zipfile.ZipInfo
) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """dtype, shape and order, checked against the bytes that there are."""
    try:
        version = np.lib.format.read_magic(file)
        size = struct.unpack("<H" if version == (1, 0) else "<I", file.read(2 if version == (1, 0) else 4))[0]
        if size > 2**16:
            raise ValueError(f"a header of {size} bytes")
        held = ast.literal_eval(file.read(size).decode("latin1"))
        dtype, shape = np.dtype(held["descr"]), tuple(int(n) for n in held["shape"])
        if dtype.hasobject or min(shape, default=0) < 0:
            raise ValueError(f"dtype {dtype}, shape {shape}")
        count = 1
        for n in shape:
            count *= n
        if count * dtype.itemsize != info.file_size - file.tell():
            raise ValueError(f"{dtype}{list(shape)} in {info.file_size} bytes")
        return dtype, shape, bool(held["fortran_order"])
    except (ValueError, SyntaxError, KeyError, TypeError, struct.error, MemoryError, RecursionError) as e:
        raise damaged(path, f"the entry {name!r} is malformed ({e})") from None


def _npy(path: Path, name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    try:
        with archive.open(info) as file:
            dtype, shape, fortran = _npy_header(path, name, file, info)
            data = file.read()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError) as e:
        raise damaged(path, f"the entry {name!r} is damaged ({e})") from None
    array = np.frombuffer(data, dtype)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def _header_of_npz(path: Path, archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> str | None:
    if (HEADER in entries) != (archive.comment == MARK):
        raise damaged(path, "of the two marks of fx one is missing")
    if HEADER not in entries:
        return None
    try:
        return bytes(_npy(path, HEADER, archive, entries.pop(HEADER)).tobytes()).decode()
    except UnicodeDecodeError as e:
        raise damaged(path, f"its header is no text ({e})") from None


def _read_npz(path: Path, chosen: Callable[[str], bool]) -> tuple[dict[str, Any], str | None]:
    archive, entries = _npz_entries(path)
    with archive:
        header = _header_of_npz(path, archive, entries)
        return {
            name: _npy(path, name, archive, info) for name, info in entries.items() if chosen(name)
        }, header


def _describe_npz(path: Path) -> tuple[dict[str, tuple[str, tuple[int, ...]]], str | None]:
    archive, entries = _npz_entries(path)
    found = {}
    with archive:
        header = _header_of_npz(path, archive, entries)
        for name, info in entries.items():
            with archive.open(info) as file:
                dtype, shape, _ = _npy_header(path, name, file, info)
            found[name] = (dtype.name, shape)
    return found, header


FORMATS = {
    ".safetensors": Format(_write_safetensors, _read_safetensors, _describe_safetensors),
    ".npz": Format(_write_npz, _read_npz, _describe_npz),
}
