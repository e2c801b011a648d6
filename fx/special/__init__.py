"""Special functions under SciPy's names, differentiable in all real arguments for which a derivative is known."""

from ._bessel import (
    bessel_jn as bessel_jn,
    i0 as i0,
    i0e as i0e,
    i1 as i1,
    i1e as i1e,
    j0 as j0,
    j1 as j1,
    k0 as k0,
    k0e as k0e,
    k1 as k1,
    k1e as k1e,
    y0 as y0,
    y1 as y1,
)
from ._entropy import (
    entr as entr,
    kl_div as kl_div,
    rel_entr as rel_entr,
    xlog1py as xlog1py,
    xlogy as xlogy,
)
from ._error import (
    dawsn as dawsn,
    erf as erf,
    erfc as erfc,
    erfcinv as erfcinv,
    erfcx as erfcx,
    erfi as erfi,
    erfinv as erfinv,
    log_ndtr as log_ndtr,
    ndtr as ndtr,
    ndtri as ndtri,
    ndtri_exp as ndtri_exp,
    owens_t as owens_t,
    wofz as wofz,
)
from ._gamma import (
    bernoulli as bernoulli,
    beta as beta,
    betaln as betaln,
    comb as comb,
    digamma as digamma,
    factorial as factorial,
    gamma as gamma,
    gammaln as gammaln,
    gammasgn as gammasgn,
    loggamma as loggamma,
    multigammaln as multigammaln,
    poch as poch,
    polygamma as polygamma,
    psi as psi,
    rgamma as rgamma,
    zeta as zeta,
)
from ._hypergeometric import (
    hyp1f1 as hyp1f1,
    hyp2f1 as hyp2f1,
    sph_harm_y as sph_harm_y,
)
from ._incomplete import (
    betainc as betainc,
    betaincc as betaincc,
    betaincinv as betaincinv,
    gammainc as gammainc,
    gammaincc as gammaincc,
    gammainccinv as gammainccinv,
    gammaincinv as gammaincinv,
    igamma_grad_a as igamma_grad_a,
    random_gamma_grad as random_gamma_grad,
)
from ._integrals import (
    exp1 as exp1,
    expi as expi,
    expn as expn,
    fresnel as fresnel,
    sici as sici,
    spence as spence,
)
from ._logistic import (
    boxcox as boxcox,
    boxcox1p as boxcox1p,
    expit as expit,
    log_expit as log_expit,
    logit as logit,
    softplus as softplus,
)
from ._sums import (
    log_softmax as log_softmax,
    logsumexp as logsumexp,
    softmax as softmax,
)
