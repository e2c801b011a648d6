"""Special functions, elementwise: SciPy's on the host, CuPy's on a device, with their derivatives."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.primitive import Sample
from .elementwise import exp, inside_one, positive_samples
from .families import unary


def special(xp: Any, name: str) -> Any:
    """A special function of the array module; loaded when first used."""
    own = getattr(xp, "special", None)
    if own is not None:
        return getattr(own, name)
    module = "scipy.special" if xp is np else "cupyx.scipy.special"
    return getattr(importlib.import_module(module), name)


def _special(name: str, attribute: str, jvp: Any, samples: Any = None, cost: int = 20) -> Any:
    def impl(xp: Any, x: Any) -> Any:
        f = special(xp, attribute)
        return f(x.astype(np.float32)).astype(x.dtype) if dtypes.is_low_precision(x.dtype) else f(x)

    return unary(
        name, impl=impl, jvp=jvp, kinds="floating", cost=cost, samples=samples,
        oracle=lambda x: special(np, attribute)(x),
    )  # fmt: skip


_TWO_OVER_ROOT_PI = 2 / np.sqrt(np.pi)
erf = _special("erf", "erf", lambda x, y, dx: dx * (exp(-(x * x)) * x.dtype.type(_TWO_OVER_ROOT_PI)))
erfc = _special("erfc", "erfc", lambda x, y, dx: dx * (exp(-(x * x)) * x.dtype.type(-_TWO_OVER_ROOT_PI)))
erf_inv = _special(
    "erf_inv", "erfinv", lambda x, y, dx: dx * (exp(y * y) * x.dtype.type(1 / _TWO_OVER_ROOT_PI)), inside_one
)
lgamma = _special("lgamma", "gammaln", lambda x, y, dx: dx * digamma(x), positive_samples)
digamma = _special("digamma", "digamma", lambda x, y, dx: dx * polygamma(x, n=1), positive_samples)


def _polygamma(xp: Any, x: Any, *, n: int) -> Any:
    """(-1)**(n + 1) n! zeta(n + 1, x), for x > 0 (DLMF 5.15.1)."""
    wide = x.astype(np.float32) if dtypes.is_low_precision(x.dtype) else x
    sign = wide.dtype.type((-1) ** (n + 1) * math.factorial(n))
    return (sign * special(xp, "zeta")(wide.dtype.type(n + 1), wide)).astype(x.dtype)


polygamma = unary(
    "polygamma",
    impl=_polygamma,
    jvp=lambda x, y, dx, n: dx * polygamma(x, n=n + 1),
    kinds="floating",
    samples=lambda rng: [Sample((rng.uniform(0.5, 4, (3, 4)),), {"n": n}) for n in (1, 2, 4)],
    oracle=lambda x, n: special(np, "polygamma")(n, x),
    cost=30,
)
