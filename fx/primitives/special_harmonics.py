"""Spherical harmonics, as SciPy's `sph_harm_y` has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.primitive import Sample, absent
from .elementwise import convert, cos, make_complex, maximum, sin, sqrt
from .special import elementwise, on_host, special


def _harmonic(n: Any, m: Any, theta: Any, phi: Any) -> Any:
    return special(np, "sph_harm_y")(n.astype(np.int64), m.astype(np.int64), theta, phi)


def _by_theta(n: Any, m: Any, theta: Any, phi: Any, y: Any, d: Any) -> Any:
    """Half the difference of the neighbours in m, turned back: no pole at theta = 0 (DLMF 14.10.4, 14.30.1)."""
    one, half = n.dtype.type(1), n.dtype.type(0.5)
    turn = make_complex(cos(phi), sin(phi))
    back = make_complex(cos(phi), -sin(phi))
    up, down = (n - m) * (n + m + one), (n + m) * (n - m + one)
    above = sph_harm_y(n, m + one, theta, phi) * back * _complex(_root(up) * half, y)
    below = sph_harm_y(n, m - one, theta, phi) * turn * _complex(_root(down) * half, y)
    return _complex(d, y) * (above - below)


def _root(x: Any) -> Any:
    """sqrt(x), 0 where an order is beyond the degree: the harmonic is 0 there."""
    return sqrt(maximum(x, x.dtype.type(0)))


def _by_phi(n: Any, m: Any, theta: Any, phi: Any, y: Any, d: Any) -> Any:
    return _complex(d * m, y) * (y * y.dtype.type(1j))


def _complex(x: Any, y: Any) -> Any:
    return convert(x, y.dtype)


_NO_ORDER = absent("orders are whole numbers")

sph_harm_y = elementwise(
    "sph_harm_y",
    on_host(_harmonic),
    (_NO_ORDER, _NO_ORDER, _by_theta, _by_phi),
    lambda rng: [
        Sample((np.asarray(n, float), np.asarray(m, float), rng.uniform(0.2, 3, s), rng.uniform(-3, 3, s)))
        for n, m, s in ((3, -2, (3, 4)), (2, 2, ()), ([0, 1, 2], [0, 0, 1], (3,)), (1, 0, (0, 2)))
    ],
    _harmonic,
    result=dtypes.complex_of,
)
"""Degree n, order m, polar angle theta, azimuth phi."""
