"""Moving pytrees of arrays between devices and the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from .core import tree
from .core.array import Array
from .core.devices import current_device, device as find_device, move
from .primitives.promotion import as_operand


def device_put(x: Any, device: Any = None) -> Any:
    """A pytree of arrays on a device (default: the current one)."""
    target = current_device() if device is None else find_device(device)
    return tree.map(lambda leaf: _put(leaf, target), x)


def _put(leaf: Any, target: Any) -> Any:
    if isinstance(leaf, Array) and type(leaf) is not Array:
        return leaf
    buffer = as_operand(leaf)
    if isinstance(buffer, Array):
        return buffer if buffer.device == target else Array(move(buffer.buffer, target), buffer.weak)
    moved = move(buffer, target)
    return Array(np.array(moved) if moved is buffer and isinstance(moved, np.ndarray) else moved)


def device_get(x: Any) -> Any:
    """A pytree with its arrays as NumPy arrays on the host."""
    return tree.map(lambda leaf: np.array(leaf) if isinstance(leaf, Array) else leaf, x)


def block_until_ready(x: Any) -> Any:
    """Wait until every array of a pytree is computed; returns it."""
    for leaf in tree.leaves(x):
        if isinstance(leaf, Array):
            leaf.block_until_ready()
    return x
