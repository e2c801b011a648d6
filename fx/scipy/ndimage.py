"""`map_coordinates` of fx.image by jax.scipy's name."""

from __future__ import annotations

from ._alias import alias

__getattr__, __dir__ = alias(__name__, "fx.image", "map_coordinates")
