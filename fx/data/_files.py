"""Sources that read files: CSV, NPZ, HDF5, memory-mapped arrays, folders of images."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from reprlib import repr as brief
from typing import Any

import numpy as np

import fx

from . import _fields as check
from ._errors import DataError
from ._sources import Arrays, place

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "None", "?")


class Csv(Arrays):
    """The rows of a CSV file, in memory: an example is a dict by column.

    Args:
        columns: {name: type} of the columns to read, of int, float, bool, str or a NumPy dtype; None reads all, each
            as int, float or str, the first that holds all its values.
        header: True if the first row has names, or the names.
        missing: what stands for a value that is not there. It is NaN in a float column, and elsewhere an error,
        fill: unless {name: value} says what to take instead.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "t.csv")
    >>> _ = path.write_text("size,kind\\n1.5,a\\n,b\\n")
    >>> Csv(path)[1]
    {'kind': 'b', 'size': nan}
    """

    def __init__(
        self,
        path: str | PathLike[str],
        columns: Mapping[str, Any] | None = None,
        *,
        header: bool | Sequence[str] = True,
        delimiter: str = ",",
        missing: Sequence[str] = MISSING,
        fill: Mapping[str, Any] | None = None,
        encoding: str = "utf-8",
    ):
        for what, value in (("delimiter", delimiter), ("encoding", encoding)):
            if not isinstance(value, str) or not value:
                raise fx.ArgumentError(f"Csv: {what} must be text; got {brief(value)}.")
        for what, table in (("columns", columns), ("fill", fill)):
            if table is not None and not isinstance(table, Mapping):
                raise fx.ArgumentError(f"Csv: {what} must be a dict by column; got {brief(table)}.")
        names, rows = _read(Path(check.path(path, "Csv: path")), header, delimiter, encoding)
        wanted = dict.fromkeys(names) if columns is None else dict(columns)
        for name in (*wanted, *(fill or {})):
            if name not in names:
                raise DataError(f"{path} has no column {name!r}; it has {names}.")
        fill = dict(fill or {})
        made = {
            name: _column(path, name, [row[names.index(name)] for _, row in rows], [n for n, _ in rows], kind,
                          set(missing), fill.get(name))
            for name, kind in wanted.items()
        }  # fmt: skip
        super().__init__(made)

    def matrix(self, features: Sequence[str], target: str | None = None) -> Arrays:
        """The columns `features` as rows of floats: examples {"x": (features,), "y": target}, or x alone."""
        x = np.stack([np.asarray(self.tree[name], float) for name in features], -1)
        return Arrays(x if target is None else {"x": x, "y": self.tree[target]})

    def __getitem__(self, index: int) -> Any:
        row = super().__getitem__(index)
        return {name: str(x) if isinstance(x, np.str_) else x.item() for name, x in row.items()}


def _read(
    path: Path, header: Any, delimiter: str, encoding: str
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Names of columns, and (line, values) of the rows that are not empty."""
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise fx.ArgumentError(
            f"Csv: there is no encoding {brief(encoding)}; write 'utf-8' for example."
        ) from None
    if path.is_dir():
        raise DataError(f"{path} is a folder, and no CSV file.")
    with open(path, newline="", encoding=encoding) as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            rows = [(reader.line_num, [value.strip() for value in row]) for row in reader if row]
        except (csv.Error, UnicodeDecodeError) as e:
            raise DataError(f"{path}, line {reader.line_num}: {e}.") from None
    if header is True:
        if not rows:
            raise DataError(f"{path} is empty: it has no header.")
        names = rows.pop(0)[1]
    else:
        names = list(header) if header else [str(i) for i in range(len(rows[0][1]) if rows else 0)]
    if len(set(names)) < len(names):
        raise DataError(f"{path}: two columns have one name: {names}.")
    for line, row in rows:
        if len(row) != len(names):
            raise DataError(f"{path}, line {line}: {len(row)} values for {len(names)} columns.")
    return names, rows


def _column(
    path: Any, name: str, texts: list[str], lines: list[int], kind: Any, missing: set[str], fill: Any
) -> np.ndarray[Any, Any]:
    kinds = (int, float, str) if kind is None else (kind,)
    for last, chosen in zip((*(False,) * (len(kinds) - 1), True), kinds, strict=True):
        absent = set() if chosen is str and fill is None else missing
        try:
            return _typed(texts, chosen, absent, fill)
        except _BadValue as e:
            if last:
                raise DataError(
                    f"{path}, line {lines[e.row]}, column {name!r}: {texts[e.row]!r} {e}.\n"
                    f"Give another type in columns=, or fill={{{name!r}: value}} for what is missing."
                ) from None
    raise AssertionError


class _BadValue(Exception):
    def __init__(self, row: int, text: str):
        super().__init__(text)
        self.row = row


_WORDS = {
    "true": True,
    "false": False,
    "yes": True,
    "no": False,
    "1": True,
    "0": False,
    "t": True,
    "f": False,
}


def _typed(texts: list[str], kind: Any, missing: set[str], fill: Any) -> np.ndarray[Any, Any]:
    """The values as an array.

    Raises:
        _BadValue: one is not of the kind, or is missing where that has no value.
    """
    dtype = np.dtype(
        np.str_ if kind is str else np.int64 if kind is int else np.float64 if kind is float else kind
    )
    values = []
    for row, text in enumerate(texts):
        if text in missing:
            if fill is None and dtype.kind != "f":
                raise _BadValue(row, f"is missing, for which {dtype} has no value")
            values.append(np.nan if fill is None else fill)
            continue
        try:
            values.append(_value(text, dtype))
        except (ValueError, KeyError, OverflowError):
            raise _BadValue(row, f"is no {dtype}") from None
    try:
        return np.asarray(values, dtype if values or dtype.kind != "U" else "U1")
    except OverflowError:
        worst = max(range(len(values)), key=lambda i: abs(values[i]))
        raise _BadValue(worst, f"does not fit into {dtype}") from None


def _value(text: str, dtype: Any) -> Any:
    if dtype.kind == "U":
        return text
    if dtype.kind == "b":
        return _WORDS[text.lower()]
    return int(text) if dtype.kind in "iu" else complex(text) if dtype.kind == "c" else float(text)


class Npz(Arrays):
    """Arrays of an .npz file of NumPy as columns: an example is a dict by name. Pickled arrays are refused."""

    def __init__(self, path: str | PathLike[str], names: Sequence[str] | None = None):
        names = check.names(names, "Npz: names")
        with _loaded(check.path(path, "Npz: path")) as file:
            for name in names or ():
                if name not in file.files:
                    raise DataError(f"{path} has no array {name!r}; it has {sorted(file.files)}.")
            try:
                arrays = {name: file[name] for name in (names or file.files)}
            except ValueError as e:
                raise DataError(f"{path}: {e}") from None
        super().__init__(arrays)


def _loaded(path: Any) -> Any:
    try:
        file = np.load(path, allow_pickle=False)
    except ValueError as e:
        raise DataError(f"{path}: {e}") from None
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise DataError(f"{path} holds one array.\nMemmap reads .npy files.")
    return file


class Memmap(Arrays):
    """Arrays of .npy files, read from the disk row by row as they are asked for.

    Args:
        paths: one path, or a pytree of them: examples are rows, or pytrees of rows.
    """

    def __init__(self, paths: Any):
        try:
            super().__init__(
                fx.tree.map(
                    lambda p: np.load(check.path(p, "Memmap: a path"), mmap_mode="r", allow_pickle=False),
                    paths,
                )
            )
        except ValueError as e:
            if isinstance(e, fx.FxError):
                raise
            raise DataError(f"{paths}: {e}") from None

    def __getitem__(self, index: int) -> Any:
        return fx.tree.map(np.array, super().__getitem__(index))


class Hdf5:
    """Datasets of an HDF5 file as columns, read row by row: an example is a dict by name. Needs h5py.

    The file is opened in each process at its first example.
    """

    def __init__(self, path: str | PathLike[str], names: Sequence[str] | None = None):
        self.path, names = str(check.path(path, "Hdf5: path")), check.names(names, "Hdf5: names")
        self._file: Any = None
        file = self._open()
        self.names = list(names or _datasets(file))
        for name in self.names:
            if name not in file:
                raise DataError(f"{path} has no dataset {name!r}; it has {_datasets(file)}.")
        lengths = {name: file[name].shape[:1] for name in self.names}
        if not lengths or () in lengths.values() or len(set(lengths.values())) > 1:
            raise fx.ShapeError(
                f"{path}: the first axes of the datasets are {lengths}; they must be one length."
            )
        self.count = next(iter(lengths.values()))[0]
        self._close()

    def _open(self) -> Any:
        try:
            import h5py
        except ImportError:
            raise DataError(
                "Hdf5 needs the package h5py.\nInstall it with: pip install 'fx-transforms[hdf5]'."
            ) from None
        try:
            return h5py.File(self.path, "r")
        except OSError as e:
            if not Path(self.path).exists():
                raise FileNotFoundError(self.path) from None
            raise DataError(f"{self.path} is no readable HDF5 file: {e}") from None

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        i = place(index, self.count, self)
        if self._file is None:
            self._file = self._open()
        return {name: np.asarray(self._file[name][i]) for name in self.names}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_file": None}


def _datasets(file: Any) -> list[str]:
    """Names of all datasets, those in groups with slashes."""
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if hasattr(item, "dtype") else None)
    return found


class ImageFolder:
    """Images in folders of classes: an example is {"image": (height, width, channels) uint8, "label": int}.

    Classes are the names of the folders in order, in `classes`. Needs Pillow.

    Args:
        mode: "RGB", "L" (grey), "RGBA", or another of Pillow's.
        suffixes: endings of the files that are images.
    """

    def __init__(
        self,
        root: str | PathLike[str],
        *,
        mode: str = "RGB",
        suffixes: Sequence[str] = (
            ".png",
            ".jpg",
            ".jpeg",
            ".bmp",
            ".gif",
            ".webp",
            ".tif",
            ".tiff",
            ".ppm",
            ".pgm",
        ),
    ):
        root = Path(check.path(root, "ImageFolder: root"))
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is no folder.")
        self.mode = mode
        self.classes = sorted(p.name for p in root.iterdir() if p.is_dir())
        self.files = [
            (path, label)
            for label, name in enumerate(self.classes)
            for path in sorted((root / name).rglob("*"))
            if path.suffix.lower() in suffixes
        ]
        if not self.files:
            raise DataError(f"{root} has no images in folders of classes; found the folders {self.classes}.")

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path, label = self.files[place(index, len(self), self)]
        try:
            from PIL import Image
        except ImportError:
            raise DataError(
                "ImageFolder needs Pillow.\nInstall it with: pip install 'fx-transforms[images]'."
            ) from None
        try:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert(self.mode))
        except (OSError, SyntaxError, ValueError) as e:
            raise DataError(f"{path} is no readable image: {e}") from None
        return {"image": pixels if pixels.ndim == 3 else pixels[..., None], "label": label}
