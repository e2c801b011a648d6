"""Window functions of M points, in the default float."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh
from . import _on_host as host
from ._arguments import refuse_complex, static_int
from ._creation import asarray
from ._elementary import cos, i0
from ._native import made


@made(host.window(np.bartlett), numbers=2)
def bartlett(M: int) -> Array:
    """The triangular window with zeros at its ends."""
    return _window(M, "bartlett", lambda t: 1 - el.abs_(t))


@made(host.window(np.blackman), numbers=2)
def blackman(M: int) -> Array:
    """The Blackman window: 0.42 + 0.5 cos + 0.08 cos of twice the angle."""
    return _window(M, "blackman", lambda t: 0.42 + 0.5 * cos(math.pi * t) + 0.08 * cos(2 * math.pi * t))


@made(host.window(np.hamming), numbers=2)
def hamming(M: int) -> Array:
    """The Hamming window: 0.54 + 0.46 cos."""
    return _window(M, "hamming", lambda t: 0.54 + 0.46 * cos(math.pi * t))


@made(host.window(np.hanning), numbers=2)
def hanning(M: int) -> Array:
    """The Hann window: 0.5 + 0.5 cos."""
    return _window(M, "hanning", lambda t: 0.5 + 0.5 * cos(math.pi * t))


@made(host.window(np.kaiser), numbers=2)
def kaiser(M: int, beta: Any) -> Array:
    """The Kaiser window: i0(beta sqrt(1 - t**2)) / i0(beta) for t from -1 to 1."""
    beta = asarray(beta)
    refuse_complex(beta, "kaiser")
    beta = el.convert(beta, dtypes.float64)
    if beta.shape != ():
        raise errors.ShapeError(f"kaiser: beta must be one number; got {beta.aval}.")
    return _window(M, "kaiser", lambda t: i0(beta * el.sqrt((1 - t) * (1 + t))) / i0(beta))


def _window(M: Any, name: str, of: Callable[[Array], Array]) -> Array:
    """`of` at M evenly spaced points from -1 to 1, computed in float64."""
    n = static_int(M, f"{name}: M")
    result = dtypes.default_float()
    if n < 2:
        return sh.full((max(n, 0),), 1, result)
    t = el.convert(sh.iota((n,), 0) * 2 + (1 - n), dtypes.float64) / (n - 1)
    return el.convert(of(t), result)
