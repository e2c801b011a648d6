"""Types for annotations, as in `jax.typing`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .core.array import Array

ArrayLike = Array | np.ndarray | np.generic | bool | int | float | complex
"""What fx functions take as an array."""
DTypeLike = str | type[Any] | np.dtype[Any]
"""What names a dtype."""
