"""`jax.scipy` by its names: a program written with `import jax.scipy as jsp` finds its functions here.

special, linalg, stats, signal and fft are fx's namespaces of these names; ndimage, sparse.linalg, integrate,
interpolate, optimize and cluster.vq hold what jax.scipy has of SciPy's.
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = (
    *("cluster", "fft", "integrate", "interpolate", "linalg", "ndimage", "optimize"),
    *("signal", "sparse", "special", "stats"),
)


def __getattr__(name: str) -> Any:
    """Modules are imported when first used."""
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'fx.scipy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(_MODULES)
