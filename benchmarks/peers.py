"""The peers that are installed; a missing one is left out of the tables."""

from __future__ import annotations

import importlib
from typing import Any


def optional(name: str) -> Any:
    """A module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


autograd, jax, torch = optional("autograd"), optional("jax"), optional("torch")
autograd_numpy, jax_numpy = optional("autograd.numpy"), optional("jax.numpy")
if jax is not None:
    jax.config.update("jax_platforms", "cpu")
if torch is not None:
    torch.set_num_threads(1)


def versions() -> dict[str, str]:
    """Versions of everything measured."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("fx-transforms", "numpy", "autograd", "jax", "optax", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
