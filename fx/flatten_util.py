"""`jax.flatten_util` by its name."""

from __future__ import annotations

from .core.transforms.derived import ravel_pytree as ravel_pytree
