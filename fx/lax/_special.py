"""Special functions of `jax.lax`; fx.special has many more, and promotes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.trace import bind
from ..primitives import special_bessel as bessel, special_gamma as gamma, special_incomplete as incomplete
from ._operands import binary, fitting, named, unary


def _function(prim: Any, name: str, doc: str, **params: Any) -> Callable[..., Any]:
    def function(*xs: Any) -> Any:
        return bind(prim, *fitting(name, *xs), **params)

    return named(function, name, doc)


igamma = binary(incomplete.gammainc, "igamma", "The regularized lower incomplete gamma function of (a, x).")
igammac = binary(incomplete.gammaincc, "igammac", "1 - igamma(a, x), accurate where that is small.")
igamma_grad_a = _function(incomplete.igamma_grad, "igamma_grad_a", "The derivative of igamma by a.", n=1)
betainc = _function(incomplete.betainc, "betainc", "The regularized incomplete beta function of (a, b, x).")
polygamma = binary(
    gamma.polygamma_of_order, "polygamma", "Derivative m + 1 of lgamma at x; whole m, as floats."
)
zeta = _function(gamma.zeta, "zeta", "Hurwitz' zeta function of (x, q).", n=0)
bessel_i0e = unary(bessel.i0e, "bessel_i0e", "exp(-|x|) times the modified Bessel function of order 0.")
bessel_i1e = unary(bessel.i1e, "bessel_i1e", "exp(-|x|) times the modified Bessel function of order 1.")


def random_gamma_grad(a: Any, x: Any) -> Any:
    """The derivative by a of a draw x from the gamma distribution of shape a, at a fixed uniform number."""
    return -bind(incomplete.igamma_ratio, *fitting("random_gamma_grad", a, x), n=1)
