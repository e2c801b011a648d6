"""Derivatives of fx.lax that JAX lacks or has otherwise, and derivatives of reductions by any function: differences."""

import numpy as np
import pytest
from lax_cases import APPLY, OTHERWISE, REAL, SPECIAL, VALUES_ONLY, c, x

import fx
from fx import lax

CASES = {
    "complex sign": (lax.sign, (c(4),)),
    "complex acosh": (lax.acosh, (c(6),)),
    "clamp": (lambda a: lax.clamp(np.float64(-0.5), a, np.float64(0.5)), (x(6),)),
    **{
        name: (lambda *arrays, f=f: f(lax, *arrays), arrays)
        for name, (f, arrays) in {**VALUES_ONLY, **APPLY, **REAL, **SPECIAL}.items()
        if name.startswith(("window", "reduce in order", "reduce two", "scatter_apply", "approx", *SPECIAL))
    },
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives_are_those_of_differences(name):
    f, arrays = CASES[name]

    def values(*arrays):
        out = f(*arrays)
        out = out if isinstance(out, (tuple, list)) else [out]
        return [v for v in out if v.dtype.kind in "fc"]

    rng = np.random.default_rng(3)
    dots = [rng.normal(size=a.shape) * (1 + 0.5j if a.dtype.kind == "c" else 1) for a in arrays]
    h = 1e-6
    up = values(*[a + h * d for a, d in zip(arrays, dots, strict=True)])
    down = values(*[a - h * d for a, d in zip(arrays, dots, strict=True)])
    pushed = fx.jvp(values, tuple(arrays), tuple(dots))[1]
    for a, b, found in zip(up, down, pushed, strict=True):
        np.testing.assert_allclose(found, (np.asarray(a) - np.asarray(b)) / (2 * h), rtol=1e-6, atol=1e-7)
    cts = [rng.normal(size=p.shape) + 0j * np.asarray(p) for p in pushed]
    cts = [ct if p.dtype.kind == "c" else ct.real for ct, p in zip(cts, pushed, strict=True)]
    back = fx.vjp(values, *arrays)[1]([fx.numpy.asarray(ct) for ct in cts])
    forward = sum(np.sum(ct * np.asarray(p)).real for ct, p in zip(cts, pushed, strict=True))
    reverse = sum(np.sum(np.asarray(b) * d).real for b, d in zip(back, dots, strict=True))
    np.testing.assert_allclose(reverse, forward, rtol=1e-10)


def test_every_exception_has_a_reason():
    assert set(OTHERWISE) & set(CASES) == {"complex sign", "complex acosh", "clamp"}
