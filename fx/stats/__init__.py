"""Probability distributions and summary statistics under SciPy's names.

    fx.stats.norm.logpdf(x, loc=0, scale=1)
    fx.stats.gamma.cdf(x, a, loc=0, scale=1)
    fx.stats.poisson.logpmf(k, mu, loc=0)

A distribution is a namespace of functions with SciPy's signatures. They have derivatives by all arguments, and work
under every transformation. Beyond the support a density is 0, its logarithm -inf, and derivatives are 0; parameters
outside of their domain give nan. `sf`, `isf`, `logcdf` and `logsf` keep the digits of small probabilities.
"""

from __future__ import annotations

from ._discrete import (
    bernoulli as bernoulli,
    betabinom as betabinom,
    binom as binom,
    geom as geom,
    hypergeom as hypergeom,
    nbinom as nbinom,
    poisson as poisson,
)
from ._extreme import (
    gumbel_l as gumbel_l,
    gumbel_r as gumbel_r,
    vonmises as vonmises,
    wrapcauchy as wrapcauchy,
)
from ._kde import gaussian_kde as gaussian_kde
from ._multivariate import (
    dirichlet as dirichlet,
    multinomial as multinomial,
    multivariate_normal as multivariate_normal,
)
from ._normal import norm as norm, truncnorm as truncnorm
from ._positive import (
    beta as beta,
    chi2 as chi2,
    expon as expon,
    gamma as gamma,
    lognorm as lognorm,
    pareto as pareto,
    uniform as uniform,
)
from ._summary import ModeResult as ModeResult, mode as mode, rankdata as rankdata, sem as sem
from ._symmetric import (
    cauchy as cauchy,
    gennorm as gennorm,
    laplace as laplace,
    logistic as logistic,
    t as t,
)
