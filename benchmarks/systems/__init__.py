"""The systems that are measured; each is loaded in a process of its own."""

from __future__ import annotations

import importlib.util
from typing import Any

MODULES = {
    "fx": "fx",
    "jax": "jax",
    "torch": "torch",
    "torch-compile": "torch",
    "autograd": "autograd",
    "numpy": "numpy",
}


def installed(name: str) -> bool:
    return importlib.util.find_spec(MODULES[name]) is not None


def load(name: str, threads: int | None = None) -> Any:
    """The system of that name on `threads` threads (None: all cores). Imports its library."""
    if name in ("torch", "torch-compile"):
        from .pytorch import Torch

        return Torch(name, threads)
    from .functional import FUNCTIONAL

    return FUNCTIONAL[name]()
