"""Special functions, elementwise: SciPy's on the host, CuPy's on a device, with their derivatives.

On the host everything is computed in float64 (complex128) and rounded once. What CuPy lacks, the host computes for a
device.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.primitive import Sample
from .elementwise import exp, inside_one, positive_samples
from .families import Elementwise, unary

Impl = Callable[..., Any]


def special(xp: Any, name: str) -> Any:
    """A special function of the array module; loaded when first used."""
    own = getattr(xp, "special", None)
    if own is not None:
        return getattr(own, name)
    module = "scipy.special" if xp is np else "cupyx.scipy.special"
    return getattr(importlib.import_module(module), name)


def on_host(kernel: Impl) -> Impl:
    """The impl that runs a kernel of float64 or complex128 NumPy arrays and rounds what it gives."""

    def impl(xp: Any, *xs: Any, **params: Any) -> Any:
        dtype = xs[0].dtype
        double = np.complex128 if dtype.kind == "c" else np.float64
        with np.errstate(all="ignore"):
            found = kernel(*[_to_host(xp, x).astype(double) for x in xs], **params)
            if found.dtype.kind == "c":
                dtype = dtypes.complex_of(dtype)
            found = found.astype(dtype)
        return found if xp is np else xp.asarray(found)

    return impl


def _to_host(xp: Any, x: Any) -> Any:
    return x if xp is np else xp.asnumpy(x)


def library(attribute: str, on_device: bool = True) -> Impl:
    """The impl that calls a function of SciPy's, or on a device CuPy's where it has it and is as good."""
    host = on_host(lambda *xs: special(np, attribute)(*xs))

    def impl(xp: Any, *xs: Any) -> Any:
        dtype = xs[0].dtype
        if xp is np or dtype.kind == "c" or not on_device:
            return host(xp, *xs)
        if dtypes.is_low_precision(dtype):
            return impl(xp, *[x.astype(np.float32) for x in xs]).astype(dtype)
        return special(xp, attribute)(*xs)

    return impl


def elementwise(
    name: str,
    impl: Impl,
    jvp: Any,
    samples: Any,
    oracle: Any,
    kinds: str = "floating",
    cost: int = 30,
    **more: Any,
) -> Elementwise:
    """A special function of any number of operands; `jvp` has a rule for each."""
    return Elementwise(
        name, impl, jvp, ufunc=None, kinds=kinds, linear_in=(), result=more.get("result"), samples=samples,
        oracle=oracle, cost=cost, transpose=None,
    )  # fmt: skip


def scipy_function(attribute: str) -> Callable[..., Any]:
    """The oracle of a primitive that has the name of a function of SciPy's."""
    return lambda *xs: special(np, attribute)(*xs)


def draws(*ranges: tuple[float, float], params: tuple[dict[str, Any], ...] = ({},)) -> Any:
    """Samples uniform in an interval for each operand: broadcast, and with the first params 0-d and empty."""

    def samples(rng: Any) -> list[Sample]:
        shapes: list[Any] = [((3, 4), (4,), (3, 1), ()), ((),) * 4, ((0, 2), (2,), (), (0, 1))]
        draw = lambda shape: tuple(
            np.asarray(rng.uniform(*r, d)) for r, d in zip(ranges, shape, strict=False)
        )
        return [Sample(draw(s), p) for i, p in enumerate(params) for s in (shapes[:1] if i else shapes)]

    return samples


def _special(name: str, attribute: str, jvp: Any, samples: Any = None, cost: int = 20) -> Any:
    return unary(
        name, impl=library(attribute), jvp=jvp, kinds="floating", cost=cost, samples=samples,
        oracle=scipy_function(attribute),
    )  # fmt: skip


_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)
erf = _special("erf", "erf", lambda x, y, dx: dx * (exp(-(x * x)) * x.dtype.type(_TWO_OVER_ROOT_PI)))
erfc = _special("erfc", "erfc", lambda x, y, dx: dx * (exp(-(x * x)) * x.dtype.type(-_TWO_OVER_ROOT_PI)))
erf_inv = _special(
    "erf_inv", "erfinv", lambda x, y, dx: dx * (exp(y * y) * x.dtype.type(1 / _TWO_OVER_ROOT_PI)), inside_one
)
lgamma = _special("lgamma", "gammaln", lambda x, y, dx: dx * digamma(x), positive_samples)
digamma = _special("digamma", "digamma", lambda x, y, dx: dx * polygamma(x, n=1), positive_samples)


def _polygamma(xp: Any, x: Any, *, n: int) -> Any:
    """(-1)**(n + 1) n! zeta(n + 1, x) (DLMF 5.15.1)."""
    sign = x.dtype.type((-1) ** (n + 1) * math.factorial(n))
    return sign * special(xp, "zeta")(x.dtype.type(n + 1), x)


def _polygamma_impl(xp: Any, x: Any, *, n: int) -> Any:
    if xp is np:
        return on_host(lambda x: _polygamma(np, x, n=n))(xp, x)
    wide = x.astype(np.float32) if dtypes.is_low_precision(x.dtype) else x
    return _polygamma(xp, wide, n=n).astype(x.dtype)


polygamma = unary(
    "polygamma",
    impl=_polygamma_impl,
    jvp=lambda x, y, dx, n: dx * polygamma(x, n=n + 1),
    kinds="floating",
    samples=lambda rng: [Sample((rng.uniform(0.5, 4, (3, 4)),), {"n": n}) for n in (1, 2, 4)],
    oracle=lambda x, n: special(np, "polygamma")(n, x),
    cost=30,
)
