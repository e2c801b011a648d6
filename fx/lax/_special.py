"""Special functions of `jax.lax`; fx.special has many more, and promotes."""

from __future__ import annotations

from typing import Any

from ..core.trace import bind
from ..primitives import special_bessel as bessel, special_gamma as gamma, special_incomplete as incomplete
from ._operands import binary, fitting, unary


def igamma_grad_a(a: Any, x: Any) -> Any:
    """The derivative of igamma by a."""
    return bind(incomplete.igamma_grad, *fitting("igamma_grad_a", a, x), n=1)


def betainc(a: Any, b: Any, x: Any) -> Any:
    """The regularized incomplete beta function."""
    return bind(incomplete.betainc, *fitting("betainc", a, b, x))


def zeta(x: Any, q: Any) -> Any:
    """Hurwitz' zeta function."""
    return bind(gamma.zeta, *fitting("zeta", x, q), n=0)


igamma = binary(incomplete.gammainc, "igamma", "The regularized lower incomplete gamma function of (a, x).")
igammac = binary(incomplete.gammaincc, "igammac", "1 - igamma(a, x), accurate where that is small.")
polygamma = binary(
    gamma.polygamma_of_order, "polygamma", "Derivative m + 1 of lgamma at x; whole m, as floats."
)
bessel_i0e = unary(bessel.i0e, "bessel_i0e", "exp(-|x|) times the modified Bessel function of order 0.")
bessel_i1e = unary(bessel.i1e, "bessel_i1e", "exp(-|x|) times the modified Bessel function of order 1.")


def random_gamma_grad(a: Any, x: Any) -> Any:
    """The derivative by a of a draw x from the gamma distribution of shape a, at a fixed uniform number."""
    return -bind(incomplete.igamma_ratio, *fitting("random_gamma_grad", a, x), n=1)
