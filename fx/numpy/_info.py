"""What the array API asks a namespace about itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import devices as places, dtypes as dt, errors

_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_KINDS["integral"] = _KINDS["signed integer"] + _KINDS["unsigned integer"]
_KINDS["numeric"] = _KINDS["integral"] + _KINDS["real floating"] + _KINDS["complex floating"]


class ArrayNamespaceInfo:
    """Capabilities, devices and dtypes of `fx.numpy`, as the array API names them."""

    def capabilities(self) -> dict[str, Any]:
        """Boolean masks and results of unknown size work wherever values are known; axes are limited by NumPy."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> places.Device:
        """Where new arrays are made."""
        return places.current_device()

    def devices(self) -> tuple[places.Device, ...]:
        """All devices present."""
        return tuple(places.devices())

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype[Any]]:
        """The dtypes of what is made from Python numbers."""
        return {
            "real floating": dt.default_float(),
            "complex floating": dt.default_complex(),
            "integral": dt.int64,
            "indexing": dt.int64,
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, np.dtype[Any]]:
        """The array API's dtypes by name: all, of one kind, or of a tuple of kinds."""
        if kind is None:
            kind = ("bool", "numeric")
        if isinstance(kind, tuple):
            return {name: d for k in kind for name, d in self.dtypes(kind=k).items()}
        if kind not in _KINDS:
            raise errors.ArgumentError(
                f"dtypes: {errors.brief(kind)} is not a kind; kinds are {', '.join(_KINDS)}."
            )
        return {name: np.dtype(name) for name in _KINDS[kind]}


def __array_namespace_info__() -> ArrayNamespaceInfo:
    """Capabilities, devices and dtypes of this namespace."""
    return ArrayNamespaceInfo()
