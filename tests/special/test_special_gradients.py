"""Derivatives of fx.special: against mpmath where parameters are hard, against differences everywhere, at limits."""

import numpy as np
import pytest
from mpmath import mp, mpf

import fx
import fx.special as sp
from fx.testing import check_grads

A, B = np.array([0.7, 2.0, 4.0]), np.array([1.3, 0.8, 6.0])
UNIT = np.array([0.2, 0.55, 0.9])

ONE = {
    **dict.fromkeys(
        "gamma rgamma gammaln loggamma digamma erf erfc erfcx erfi dawsn ndtr log_ndtr i0 i1 i0e i1e j0 j1 y0 y1 k0 k1 "
        "k0e k1e exp1 expi spence entr factorial expit log_expit softplus zeta".split(),
        A,
    ),
    **dict.fromkeys("erfinv erfcinv ndtri logit".split(), UNIT),
    "ndtri_exp": -A,
}
MANY = {
    "beta": (A, B), "betaln": (A, B), "comb": (B + 5, A), "poch": (A, B), "zeta": (A + 2, B), "gammainc": (A, B),
    "gammaincc": (A, B), "gammaincinv": (A, UNIT), "gammainccinv": (A, UNIT), "betainc": (A, B, UNIT),
    "betaincc": (A, B, UNIT), "betaincinv": (A, B, UNIT), "igamma_grad_a": (A, B), "random_gamma_grad": (A, B),
    "owens_t": (A - 1, B), "xlogy": (A, B), "xlog1py": (A, B), "rel_entr": (A, B), "kl_div": (A, B),
    "boxcox": (A, B - 1), "boxcox1p": (A, B - 1), "hyp1f1": (A, B, UNIT), "hyp2f1": (A, B, A + 1.5, UNIT - 0.5),
}  # fmt: skip
Z = np.array([0.4 + 0.6j, -1.2 + 1.5j, 2.0 - 0.8j])
COMPLEX = "gamma loggamma digamma erf erfc erfcx erfi dawsn wofz ndtr log_ndtr exp1 expi spence zeta".split()


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_number(name):
    check_grads(getattr(sp, name), (ONE[name],), order=2, rtol=1e-5)


@pytest.mark.parametrize("name", MANY)
def test_functions_of_several_numbers_in_all_of_them(name):
    check_grads(getattr(sp, name), MANY[name], order=1, rtol=1e-6)
    check_grads(getattr(sp, name), [x[:1] for x in MANY[name]], order=2, rtol=1e-4, modes="rev")


@pytest.mark.parametrize("name", COMPLEX)
def test_functions_of_complex_numbers(name):
    check_grads(getattr(sp, name), (Z,), order=2, rtol=1e-5)


def test_orders_results_and_angles():
    check_grads(lambda x: sp.polygamma(2, x), (A,), order=2)
    check_grads(lambda x: sp.polygamma(np.arange(3), x), (A,), order=2)
    check_grads(lambda x: sp.expn(2, x), (A,), order=2)
    check_grads(lambda x: sp.expn(np.array([0, 1, 3]), x), (A,), order=2)
    check_grads(lambda x: sp.bessel_jn(x, v=2), (A,), order=2)
    check_grads(lambda x: sp.multigammaln(x, 3), (A + 1,), order=2)
    check_grads(lambda x: sp.sici(x)[0], (np.array([-2.0, 0.0, 0.5, 3.0]),), order=2)
    check_grads(lambda x: sp.sici(x)[1], (A,), order=2)
    check_grads(sp.fresnel, (A,), order=2)
    n, m = np.array([0, 2, 3]), np.array([0, -1, 2])
    check_grads(lambda t, p: sp.sph_harm_y(n, m, t, p), (A / 2, B), order=2)


# ---- against mpmath ------------------------------------------------------------------------------------------
def difference(f, x):
    """The central difference in 50 digits."""
    with mp.workdps(50):
        x, h = mpf(float(x)), mpf(10) ** -16
        return (f(x * (1 + h)) - f(x * (1 - h))) / (2 * h * x)


def smaller_gamma_tail(a, x, below):
    """P or -Q, whichever keeps its digits: their derivatives agree."""
    return mp.gammainc(a, 0, x, regularized=True) if below else -mp.gammainc(a, x, mp.inf, regularized=True)


def smaller_beta_side(a, b, x, below):
    return (
        mp.betainc(a, b, 0, x, regularized=True) if below else -mp.betainc(b, a, 0, 1 - x, regularized=True)
    )


GAMMA_POINTS = [
    (1e-3, 1e-5), (1e-3, 2e-3), (1e-3, 0.4), (1e-3, 5.0), (0.05, 0.6), (0.5, 0.5), (0.9, 30.0), (1.0, 1.0), (3.0, 1e-4),
    (7.0, 6.9), (31.9, 31.8), (32.1, 32.0), (32.1, 32.2), (33.0, 3.0), (60.0, 200.0), (500.0, 499.9), (500.0, 350.0),
    (1e4, 1e4), (1e4, 9.9e3), (1e4, 1.03e4), (9876.5, 9000.0),
]  # fmt: skip


def test_gammainc_by_a_on_a_wide_grid():
    for a, x in GAMMA_POINTS:
        exact = difference(lambda t: smaller_gamma_tail(t, mpf(x), x < a), a)
        found = fx.grad(sp.gammainc)(np.float64(a), x)
        np.testing.assert_allclose(found, float(exact), rtol=1e-12, err_msg=f"a={a}, x={x}")
        np.testing.assert_allclose(fx.grad(sp.gammaincc)(np.float64(a), x), -float(exact), rtol=1e-12)


def test_gammainc_twice_by_a():
    for a, x in GAMMA_POINTS[1:16:2]:
        with mp.workdps(50):
            f, h = (lambda t: smaller_gamma_tail(t, mpf(x), x < a)), mpf(a) * mpf(10) ** -15
            exact = (f(a + h) - 2 * f(mpf(a)) + f(a - h)) / h**2
        found = fx.grad(fx.grad(sp.gammainc))(np.float64(a), x)
        np.testing.assert_allclose(found, float(exact), rtol=1e-11, err_msg=f"a={a}, x={x}")


def test_a_draw_of_the_gamma_distribution_by_its_parameter_where_density_and_slope_vanish():
    """dx/da = -(dP/da) / p; at a = 1e-3, x = 1e-300 nearly x log(1/x) / a..., from mpmath."""
    for a, x in ((0.5, 1e-12), (2.0, 800.0), (1e-2, 1e-200), (40.0, 1e-12), (1000.0, 1000.0)):
        with mp.workdps(60):
            slope = difference(lambda t: smaller_gamma_tail(t, mpf(x), x < a), a)
            density = mp.exp((mpf(a) - 1) * mp.log(mpf(x)) - mpf(x) - mp.loggamma(mpf(a)))
        found = sp.random_gamma_grad(np.float64(a), x)
        np.testing.assert_allclose(found, float(-slope / density), rtol=1e-11, err_msg=f"a={a}, x={x}")


BETA_POINTS = [
    (1e-3, 2e-3, 0.3), (1e-3, 5.0, 1e-4), (0.5, 0.5, 0.99), (1.0, 1e-3, 0.999), (0.02, 800.0, 1e-5), (3.0, 4.0, 0.4),
    (31.0, 2.0, 0.95), (33.0, 2.0, 0.95), (33.0, 0.01, 0.9), (40.0, 30.0, 0.2), (500.0, 700.0, 0.42),
    (9e3, 2.5, 0.9995), (0.9, 8e3, 4e-5),
]  # fmt: skip


def test_betainc_by_a_and_b_on_a_wide_grid():
    for a, b, x in BETA_POINTS:
        by_a = difference(lambda t: smaller_beta_side(t, mpf(b), mpf(x), x < a / (a + b)), a)
        by_b = difference(lambda t: smaller_beta_side(mpf(a), t, mpf(x), x < a / (a + b)), b)
        found = fx.grad(sp.betainc, argnums=(0, 1))(np.float64(a), np.float64(b), x)
        np.testing.assert_allclose(found, [float(by_a), float(by_b)], rtol=2e-12, err_msg=f"{a}, {b}, {x}")


def test_zeta_by_its_exponent():
    for x, q in ((1.001, 1.0), (2.0, 0.01), (3.5, 40.0), (30.0, 0.5), (12.0, 900.0)):
        exact = difference(lambda t: mp.zeta(t, mpf(q)), x)
        np.testing.assert_allclose(fx.grad(sp.zeta)(np.float64(x), q), float(exact), rtol=1e-12)
    for x in (-12.3, -4.0, -0.5, 0.3, 0.99, 7.0):
        exact = difference(mp.zeta, x)
        np.testing.assert_allclose(fx.grad(sp.zeta)(np.float64(x)), float(exact), rtol=1e-12)


def test_zeta_of_complex_numbers():
    for s in (0.5 + 14.1j, -3.5 + 2j, -12.3 - 40j, 0.2 - 1e-3j, 4 + 0j, 1.5 + 700j, -2.5 - 600j, 0.5 - 3000j):
        with mp.workdps(30):
            exact = [mp.zeta(mp.mpc(s), 1, k) for k in range(3)]
        first = lambda s: fx.jvp(sp.zeta, (s,), (np.ones((), complex),))[1]
        second = fx.jvp(first, (np.asarray(s),), (np.ones((), complex),))[1]
        for found, value in zip((sp.zeta(np.asarray(s)), first(np.asarray(s)), second), exact, strict=True):
            np.testing.assert_allclose(complex(found), complex(value), rtol=2e-11, err_msg=str(s))
    assert np.isnan(complex(first(np.asarray(0.5 + 2e4j))))


def test_hypergeometric_functions_by_their_parameters():
    """Against the size of the function, which is what their error goes with."""
    for a, b, x in ((0.5, 1.5, -12.0), (-2.3, 0.4, 7.0), (4.0, 9.0, 25.0), (1.2, 3.0, -60.0)):
        exact = [
            difference(lambda t: mp.hyp1f1(t, b, x), a),
            difference(lambda t: mp.hyp1f1(a, t, x), b),
        ]
        found = fx.grad(sp.hyp1f1, argnums=(0, 1))(np.float64(a), np.float64(b), x)
        size = abs(float(mp.hyp1f1(a, b, x)))
        np.testing.assert_allclose(found, np.array(exact, float), rtol=1e-11, atol=3e-13 * size)
    for a, b, c, x in (
        (0.5, 1.5, 2.0, 0.9),
        (-1.3, 0.4, 0.7, -4.0),
        (2.0, 3.0, 8.0, 0.6),
        (1.5, -2.5, 3.3, -0.9),
    ):
        place = lambda i, t: [t if k == i else mpf(p) for k, p in enumerate((a, b, c))]
        exact = [difference(lambda t: mp.hyp2f1(*place(i, t), x), p) for i, p in enumerate((a, b, c))]
        found = fx.grad(sp.hyp2f1, argnums=(0, 1, 2))(np.float64(a), np.float64(b), np.float64(c), x)
        size = abs(float(mp.hyp2f1(a, b, c, x)))
        np.testing.assert_allclose(found, np.array(exact, float), rtol=1e-11, atol=1e-12 * size)


FAR = np.array([30.0, 3e3, 1e6])


def test_derivatives_far_out_do_not_cancel():
    """Two terms of the asymptotic series of each."""
    root = np.sqrt(np.pi)
    close = lambda found, want: np.testing.assert_allclose(found, want, rtol=5e-3 * 30 / FAR[0])
    slope = lambda f: fx.grad(lambda x: f(x).sum())(FAR)
    close(slope(sp.erfcx), -(1 - 1.5 / FAR**2) / (root * FAR**2))
    close(slope(sp.dawsn), -(1 + 1.5 / FAR**2) / (2 * FAR**2))
    close(slope(sp.i0e), -(1 + 3 / (8 * FAR)) / (2 * FAR * np.sqrt(2 * np.pi * FAR)))
    close(slope(sp.k0e), -np.sqrt(np.pi / (2 * FAR)) * (1 - 3 / (8 * FAR)) / (2 * FAR))
    np.testing.assert_allclose(slope(sp.erfcx)[2] * 1e12 * root, -1.0, rtol=1e-11)
    np.testing.assert_allclose(
        slope(lambda x: sp.log_ndtr(-x)), -FAR - 1 / FAR + 2 / FAR**3 - 10 / FAR**5, rtol=1e-9
    )


# ---- limits --------------------------------------------------------------------------------------------------
def gradients(f, *xs):
    return np.array(fx.grad(f, argnums=tuple(range(len(xs))))(*map(np.float64, xs)))


def test_gradients_at_limits():
    inf = np.inf
    for f, xs, want in (
        (sp.entr, (0.0,), [0.0]),
        (sp.xlogy, (0.0, 0.0), [0.0, 0.0]),
        (sp.xlogy, (0.0, 2.0), [np.log(2), 0.0]),
        (sp.xlog1py, (0.0, -1.0), [0.0, 0.0]),
        (sp.rel_entr, (0.0, 2.0), [0.0, 0.0]),
        (sp.rel_entr, (0.0, 0.0), [0.0, 0.0]),
        (sp.kl_div, (0.0, 2.0), [0.0, 1.0]),
        (sp.kl_div, (2.0, 2.0), [0.0, 0.0]),
        (sp.boxcox, (2.0, 0.0), [0.5, np.log(2) ** 2 / 2]),
        (sp.boxcox1p, (0.0, 0.0), [1.0, 0.0]),
        (sp.gammainc, (1.0, 0.0), [0.0, 1.0]),
        (sp.gammainc, (2.0, inf), [0.0, 0.0]),
        (sp.gammainc, (3.0, 0.0), [0.0, 0.0]),
        (sp.betainc, (1.0, 1.0, 0.0), [0.0, 0.0, 1.0]),
        (sp.betainc, (2.0, 1.0, 1.0), [0.0, 0.0, 2.0]),
        (lambda x: sp.sici(x)[0], (0.0,), [1.0]),
        (sp.spence, (1.0,), [-1.0]),
        (sp.i0e, (0.0,), [0.0]),
        (sp.i1, (0.0,), [0.5]),
        (sp.j1, (0.0,), [0.5]),
        (sp.comb, (5.0, 7.0), [0.0, 0.0]),
        (sp.factorial, (-2.0,), [0.0]),
        (sp.gammasgn, (-0.5,), [0.0]),
        (sp.log_ndtr, (-1e10,), [1e10]),
        (sp.log_ndtr, (40.0,), [0.0]),
        (lambda z: sp.poch(z, 2.0), (-3.0,), [-5.0]),
        (lambda z: sp.poch(z, 3.0), (-1.0,), [-1.0]),
    ):
        np.testing.assert_allclose(gradients(f, *xs), want, rtol=1e-12, atol=1e-300)


def test_entropies_of_probabilities_that_underflow_have_finite_gradients():
    logits = np.array([0.0, 1.0, -2000.0])
    p = lambda z: sp.softmax(z)
    for f in (
        lambda z: sp.entr(p(z)).sum(),
        lambda z: sp.xlogy(p(z), p(z)).sum(),
        lambda z: sp.rel_entr(p(z), np.array([0.5, 0.5, 0.0])).sum(),
        lambda z: sp.kl_div(p(z), p(2 * z)).sum(),
    ):
        first, second = fx.grad(f)(logits), fx.hessian(f)(logits)
        assert np.isfinite(first).all() and first[2] == 0 and np.isfinite(second).all()
        np.testing.assert_allclose(first[:2].sum(), 0.0, atol=1e-15)


def test_where_a_function_is_nan_so_is_its_gradient():
    for f, xs in ((sp.gammainc, (-1.0, 1.0)), (sp.gammainc, (1.0, -1.0)), (sp.betainc, (1.0, 1.0, 1.5))):
        assert np.isnan(gradients(f, *xs)).all()


def test_what_has_no_derivative_says_so():
    for f in (
        lambda n: sp.polygamma(n, 2.0),
        lambda n: sp.expn(n, 2.0),
        lambda a: fx.grad(fx.grad(sp.hyp1f1))(a, 2.0, 0.3),
    ):
        with pytest.raises(fx.RuleError, match="derivative"):
            fx.grad(f)(2.0)


def test_float32_gradients_are_accurate_to_float32():
    for name, xs in {
        "gammainc": (A, B),
        "betainc": (A, B, UNIT),
        "zeta": (A + 2, B),
        "erfcx": (A,),
        "i1e": (A,),
    }.items():
        slopes = fx.grad(lambda *xs: getattr(sp, name)(*xs).sum(), argnums=tuple(range(len(xs))))
        wide = slopes(*xs)
        for narrow, want in zip(slopes(*[x.astype(np.float32) for x in xs]), wide, strict=True):
            assert narrow.dtype == np.float32
            np.testing.assert_allclose(narrow, want, rtol=3e-6)
