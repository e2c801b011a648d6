"""What `fx.special.accuracy` measures: for each function its exact values by mpmath, and ranges of arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp, mpf

from .. import special as sp
from ..core.transforms.gradient import grad

Draw = Callable[[Any, int], Any]


class Case(NamedTuple):
    """One function: of fx, of mpmath, of which arguments."""

    function: Callable[..., Any]
    exact: Callable[..., Any]
    ranges: tuple[Draw, ...]
    where: str
    scale: float


class Range(NamedTuple):
    """Random numbers between two ends: of uniform logarithm, of both signs, or uniform."""

    low: float
    high: float
    kind: str = "log"

    def __call__(self, rng: Any, count: int) -> Any:
        if self.kind == "uniform":
            return rng.uniform(self.low, self.high, count)
        size = np.exp(rng.uniform(np.log(self.low), np.log(self.high), count))
        return size * rng.choice([-1.0, 1.0], count) if self.kind == "signed" else size

    def __str__(self) -> str:
        sign = "±" if self.kind == "signed" else ""
        return f"{sign}[{self.low:g}, {self.high:g}]"


def _signed(low: float, high: float) -> Range:
    return Range(low, high, "signed")


def _between(low: float, high: float) -> Range:
    return Range(low, high, "uniform")


CASES: dict[str, Case] = {}


def _case(name: str, exact: Any, *ranges: Range, function: Any = None, scale: float = 0.0) -> None:
    where = ", ".join(map(str, ranges)) + (f" * {scale:g}" if scale else "")
    CASES[name] = Case(function or getattr(sp, name), exact, ranges, where, scale)


def _slope(function: Any, place: int) -> Any:
    """The derivative by one argument, elementwise."""
    return grad(lambda *xs: function(*xs).sum(), argnums=place)


def _exact_slope(exact: Any, place: int) -> Any:
    """The central difference in 60 digits, with a step that leaves 30 right ones."""

    def slope(*xs: Any) -> Any:
        with mp.workdps(90):
            h = xs[place] * mpf(10) ** -20
            up, down = ([x + s * h if i == place else x for i, x in enumerate(xs)] for s in (1, -1))
            return (exact(*up) - exact(*down)) / (2 * h)

    return slope


def _derivative(
    name: str, letter: str, place: int, *ranges: Range, exact: Any = None, scale: float = 0.0
) -> None:
    """A row for the derivative of a function that has a row."""
    function = _slope(getattr(sp, name), place)
    _case(
        f"{name} d/d{letter}",
        _exact_slope(exact or CASES[name].exact, place),
        *ranges,
        function=function,
        scale=scale,
    )


def _normal(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _erfcx(x: Any) -> Any:
    return mp.exp(x * x) * mp.erfc(x) if x < 20 else mp.hyperu(mpf(0.5), mpf(0.5), x * x) / mp.sqrt(mp.pi)


def _lower_gamma(a: Any, x: Any) -> Any:
    return mp.gammainc(a, 0, x, regularized=True)


def _smaller_tail(a: Any, x: Any) -> Any:
    """gammainc, or minus its complement: their derivatives agree, and the smaller one keeps digits."""
    return _lower_gamma(a, x) if x < a else -mp.gammainc(a, x, mp.inf, regularized=True)


def _smaller_side(a: Any, b: Any, x: Any) -> Any:
    below = x < a / (a + b)
    return (
        mp.betainc(a, b, 0, x, regularized=True) if below else -mp.betainc(b, a, 0, 1 - x, regularized=True)
    )


def _lgamma(x: Any) -> Any:
    return mp.log(abs(mp.gamma(x))) if x < 100 else mp.loggamma(x)


def _log_beta(a: Any, b: Any) -> Any:
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def _zeta(x: Any, q: Any) -> Any:
    """mpmath's error is absolute: values go down to 1e-90."""
    with mp.workdps(160):
        return mp.zeta(x, q)


def _owens_t(h: Any, a: Any) -> Any:
    return mp.quad(lambda t: mp.exp(-h * h * (1 + t * t) / 2) / (1 + t * t), [0, a / 2, a]) / (2 * mp.pi)


_UNIT, _ANY = _between(0, 1), _signed(1e-6, 1e2)

_case("gamma", mp.gamma, _signed(1e-6, 30))
_case("gammaln", _lgamma, _signed(1e-6, 1e6), scale=1.0)
_case("loggamma", mp.loggamma, Range(1e-6, 1e6), scale=1.0)
_case("digamma", lambda x: mp.psi(0, x), _signed(1e-6, 1e2), scale=1.0)
_case("polygamma(1, x)", lambda x: mp.psi(1, x), _signed(1e-3, 1e2), function=lambda x: sp.polygamma(1, x))
_case(
    "polygamma(3, x)",
    lambda x: mp.psi(3, x),
    _signed(1e-3, 1e2),
    function=lambda x: sp.polygamma(3, x),
    scale=1.0,
)
_case("multigammaln(a, 3)", lambda a: _lgamma(a) + _lgamma(a - 0.5) + _lgamma(a - 1) + 1.5 * mp.log(mp.pi),
      Range(1.1, 1e4), function=lambda a: sp.multigammaln(a, 3), scale=1.0)  # fmt: skip
_case("factorial", lambda n: mp.gamma(n + 1), _between(0, 30))
_case("comb", mp.binomial, _between(10, 50), _between(0, 10))
_case("poch", mp.rf, Range(1e-2, 30), Range(1e-2, 10))
_case("beta", mp.beta, Range(1e-3, 30), Range(1e-3, 30))
_case("betaln", _log_beta, Range(1e-3, 1e6), Range(1e-3, 1e6), scale=1.0)
_derivative("betaln", "a", 0, Range(1e-3, 1e6), Range(1e-3, 1e6))
_case("zeta", _zeta, Range(1.01, 30), Range(1e-2, 1e3))
_derivative("zeta", "x", 0, Range(1.01, 30), Range(1e-2, 1e2), scale=1.0)
_derivative("zeta", "q", 1, Range(1.01, 30), Range(1e-2, 1e3))
_case("zeta (Riemann)", mp.zeta, _between(-15, 15), function=lambda x: sp.zeta(x), scale=1.0)
_case("gammainc", _lower_gamma, Range(1e-3, 1e3), Range(1e-3, 1e3))
_case(
    "gammaincc", lambda a, x: mp.gammainc(a, x, mp.inf, regularized=True), Range(1e-3, 1e2), Range(1e-3, 1e2)
)
_derivative("gammainc", "a", 0, Range(1e-3, 1e4), Range(1e-3, 1e4), exact=_smaller_tail)
_derivative("gammainc", "x", 1, Range(1e-3, 1e4), Range(1e-3, 1e4), exact=_smaller_tail)
_case(
    "betainc",
    lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True),
    Range(1e-2, 50),
    Range(1e-2, 50),
    _UNIT,
)
_derivative("betainc", "a", 0, Range(1e-3, 1e3), Range(1e-3, 1e3), _UNIT, exact=_smaller_side)
_derivative("betainc", "b", 1, Range(1e-3, 1e3), Range(1e-3, 1e3), _UNIT, exact=_smaller_side)
_case("erf", mp.erf, _signed(1e-6, 10))
_case("erfc", mp.erfc, _signed(1e-6, 9))
_case("erfinv", mp.erfinv, _between(-1, 1))
_case("erfcx", _erfcx, _signed(1e-6, 9))
_derivative("erfcx", "x", 0, Range(1e-6, 1e6))
_case("dawsn", lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x), _signed(1e-6, 30))
_derivative("dawsn", "x", 0, Range(1e-6, 30), scale=1e-3)
_case("ndtr", _normal, _signed(1e-6, 12))
_case("log_ndtr", lambda x: mp.log(_normal(x)) if x < 0 else mp.log1p(-_normal(-x)), _signed(1e-6, 12))
_derivative("log_ndtr", "x", 0, _signed(1e-6, 12))
_case("ndtri", lambda p: mp.sqrt(2) * mp.erfinv(2 * p - 1), _UNIT, scale=1.0)
_case("owens_t", _owens_t, _between(-3, 3), _between(-3, 3))
_case("i0", lambda x: mp.besseli(0, x), _signed(1e-6, 80))
_case("i1", lambda x: mp.besseli(1, x), _signed(1e-6, 80))
_case("i0e", lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), _signed(1e-6, 1e4))
_case("i1e", lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), _signed(1e-6, 1e4))
_derivative("i0e", "x", 0, Range(1e-6, 1e4))
_case("j0", lambda x: mp.besselj(0, x), _signed(1e-6, 1e2), scale=0.1)
_case("j1", lambda x: mp.besselj(1, x), _signed(1e-6, 1e2), scale=0.1)
_case("bessel_jn(z, v=5)[5]", lambda x: mp.besselj(5, x), Range(1, 1e2),
      function=lambda x: sp.bessel_jn(x, v=5)[5], scale=0.1)  # fmt: skip
_case("k0", lambda x: mp.besselk(0, x), Range(1e-6, 60))
_case("k1", lambda x: mp.besselk(1, x), Range(1e-6, 60))
_case("exp1", mp.e1, Range(1e-6, 60))
_case("expi", mp.ei, _signed(1e-6, 60), scale=0.1)
_case("expn(3, x)", lambda x: mp.expint(3, x), Range(1e-6, 60), function=lambda x: sp.expn(3, x))
_case("sici: si", mp.si, _signed(1e-6, 1e3), function=lambda x: sp.sici(x)[0])
_case("sici: ci", mp.ci, Range(1e-6, 1e3), function=lambda x: sp.sici(x)[1], scale=0.1)
_case("fresnel: s", mp.fresnels, _signed(1e-3, 10), function=lambda x: sp.fresnel(x)[0])
_case("fresnel: c", mp.fresnelc, _signed(1e-3, 10), function=lambda x: sp.fresnel(x)[1])
_case("spence", lambda z: mp.re(mp.polylog(2, 1 - z)), Range(1e-6, 1e3), scale=1.0)
_case("hyp1f1", mp.hyp1f1, _signed(0.1, 10), Range(0.1, 10), _signed(1e-3, 30), scale=1.0)
_derivative("hyp1f1", "a", 0, _signed(0.1, 5), Range(0.1, 10), _signed(1e-3, 20), scale=1.0)
_derivative("hyp1f1", "b", 1, _signed(0.1, 5), Range(0.1, 10), _signed(1e-3, 20), scale=1.0)
_case("hyp2f1", mp.hyp2f1, _signed(0.1, 5), _signed(0.1, 5), Range(0.1, 10), _between(-3, 0.99), scale=1.0)
_derivative("hyp2f1", "a", 0, _signed(0.1, 5), _signed(0.1, 5), Range(0.1, 10), _between(-3, 0.95), scale=1.0)
_derivative("hyp2f1", "c", 2, _signed(0.1, 5), _signed(0.1, 5), Range(0.1, 10), _between(-3, 0.95), scale=1.0)
_case("xlogy", lambda x, y: x * mp.log(y), _ANY, Range(1e-6, 1e6))
_case("xlog1py", lambda x, y: x * mp.log1p(y), _ANY, Range(1e-6, 1e6))
_case("entr", lambda x: -x * mp.log(x), Range(1e-6, 1e3))
_case("rel_entr", lambda p, q: p * mp.log(p / q), Range(1e-3, 1e3), Range(1e-3, 1e3))
_case("kl_div", lambda p, q: p * mp.log(p / q) - p + q, Range(1e-3, 1e3), Range(1e-3, 1e3))
_case("expit", lambda x: 1 / (1 + mp.exp(-x)), _signed(1e-6, 80))
_case("logit", lambda p: mp.log(p / (1 - p)), _UNIT)
_case("boxcox", lambda x, y: (x**y - 1) / y, Range(1e-3, 1e3), _signed(1e-6, 3))
_case("boxcox1p", lambda x, y: ((1 + x) ** y - 1) / y, Range(1e-6, 1e3), _signed(1e-6, 3))
