"""fx.special against SciPy: values, dtypes, shapes, special points."""

import inspect

import ml_dtypes
import numpy as np
import pytest
import scipy.special as scipy_special

import fx
import fx.numpy as fnp
import fx.special as sp

X = np.array([-3.7, -1.25, -0.5, 0.125, 0.7, 1.0, 2.5, 9.0, 30.0])
POSITIVE = np.array([1e-3, 0.3, 1.0, 1.7, 5.0, 40.0])
UNIT = np.array([1e-4, 0.2, 0.5, 0.77, 0.999])
Z = np.array([0.3 + 0.2j, -1.5 + 2j, 2.0 - 0.7j, -0.4 - 3j])

REAL = (
    (
        X,
        "gamma rgamma gammaln gammasgn loggamma digamma psi erf erfc erfcx erfi dawsn ndtr log_ndtr i0 i0e i1 i1e",
    ),
    (X, "j0 j1 expi expit log_expit"),
    (POSITIVE, "k0 k1 k0e k1e y0 y1 exp1 spence entr factorial"),
    (UNIT, "erfinv erfcinv ndtri logit"),
    (-POSITIVE, "ndtri_exp"),
)
UNARY = [(name, x) for x, names in REAL for name in names.split()]
COMPLEX = (
    "gamma rgamma loggamma digamma erf erfc erfcx erfi dawsn wofz ndtr log_ndtr exp1 expi spence zeta".split()
)

A, B = np.array([0.2, 1.0, 3.5, 20.0]), np.array([0.7, 2.0, 4.0, 11.0])
MANY = {
    "beta": (A, B), "betaln": (A, B), "comb": (B + 4, A / 8), "poch": (A, B), "zeta": (A + 1.01, B),
    "gammainc": (A, B), "gammaincc": (A, B), "gammaincinv": (A, UNIT[:4]), "gammainccinv": (A, UNIT[:4]),
    "betainc": (A, B, UNIT[:4]), "betaincc": (A, B, UNIT[:4]), "betaincinv": (A, B, UNIT[:4]),
    "owens_t": (A - 1, B), "xlogy": (A, B), "xlog1py": (A, B), "rel_entr": (A, B), "kl_div": (A, B),
    "boxcox": (A, B - 3), "boxcox1p": (A, B - 3), "hyp1f1": (A, B, X[:4]), "hyp2f1": (A, B, A + 1.5, UNIT[:4] - 0.8),
}  # fmt: skip
OWN_FORMULA = {"betaln": 1e-14, "kl_div": 3e-14, "log_expit": 1e-14}
"""Where fx does not call SciPy and SciPy is off by more."""


def oracle(name):
    return getattr(scipy_special, name)


@pytest.mark.parametrize("name, x", UNARY, ids=[name for name, _ in UNARY])
def test_functions_of_one_real_number_are_scipys_in_every_dtype(name, x):
    f = getattr(sp, name)
    for dtype, rtol in (("float64", OWN_FORMULA.get(name, 2e-15)), ("float32", 3e-7), ("float16", 2e-3)):
        given = x.astype(dtype)
        want = oracle(name)(given.astype(np.float64))
        with np.errstate(all="ignore"):
            want = want.astype(dtype)
        found = f(given)
        assert found.dtype == np.dtype(dtype)
        np.testing.assert_allclose(
            np.asarray(found), want, rtol=rtol, atol=float(np.finfo(dtype).smallest_subnormal)
        )


@pytest.mark.parametrize("name", MANY)
def test_functions_of_several_real_numbers_are_scipys(name):
    f, operands = getattr(sp, name), MANY[name]
    want = oracle(name)(*operands)
    np.testing.assert_allclose(f(*operands), want, rtol=OWN_FORMULA.get(name, 4e-15))
    narrow = [x.astype(np.float32) for x in operands]
    want = oracle(name)(*[x.astype(np.float64) for x in narrow])
    found = f(*narrow)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, want, rtol=2e-6, atol=1e-40)


@pytest.mark.parametrize("name", COMPLEX)
def test_functions_of_complex_numbers_are_scipys(name):
    f = getattr(sp, name)
    np.testing.assert_allclose(f(Z), oracle(name)(Z), rtol=2e-15)
    found = f(Z.astype(np.complex64))
    assert found.dtype == np.complex64
    np.testing.assert_allclose(found, oracle(name)(Z), rtol=1e-5)


def test_functions_with_two_results():
    for x in (X, Z):
        for f, want in ((sp.sici, scipy_special.sici), (sp.fresnel, scipy_special.fresnel)):
            for found, expected in zip(f(x), want(x), strict=True):
                np.testing.assert_allclose(found, expected, rtol=2e-15)


def test_orders():
    for n in (0, 1, 2, 5):
        want = scipy_special.polygamma(n, X)
        np.testing.assert_allclose(sp.polygamma(n, X), want, rtol=2e-15)
        np.testing.assert_allclose(sp.polygamma(np.full(X.shape, n), X), want, rtol=2e-15)
        np.testing.assert_allclose(sp.expn(n, POSITIVE), scipy_special.expn(n, POSITIVE), rtol=1e-15)
    whole = np.arange(4)[:, None]
    np.testing.assert_allclose(
        sp.polygamma(whole, POSITIVE), scipy_special.polygamma(whole, POSITIVE), rtol=2e-15
    )
    found = sp.bessel_jn(POSITIVE, v=3)
    assert found.shape == (4, 6)
    np.testing.assert_allclose(found, scipy_special.jv(whole, POSITIVE), rtol=1e-13, atol=1e-300)
    for d in (1, 2, 5):
        x = np.array([2.5, 4.0, 11.0])
        np.testing.assert_allclose(sp.multigammaln(x, d), scipy_special.multigammaln(x, d), rtol=3e-15)
    np.testing.assert_array_equal(sp.bernoulli(12), scipy_special.bernoulli(12).astype(np.float32))
    assert sp.bernoulli(0).shape == (1,) and sp.bernoulli(0).dtype == np.float32


def test_spherical_harmonics():
    n, m = np.array([0, 1, 2, 4, 4]), np.array([0, -1, 2, 0, -3])
    theta, phi = np.linspace(0.0, np.pi, 5), np.linspace(-3.0, 7.0, 5)
    want = scipy_special.sph_harm_y(n, m, theta, phi)
    np.testing.assert_allclose(sp.sph_harm_y(n, m, theta, phi, n_max=4), want, rtol=1e-14, atol=1e-17)
    found = sp.sph_harm_y(n, m, theta.astype(np.float32), phi.astype(np.float32))
    assert found.dtype == np.complex64
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, -2.0, -2.5, 5e-324, 1e308, -1e308, 800.0])
ALIKE = [n for n, _ in UNARY if n not in ("entr", "factorial")]


@pytest.mark.parametrize("name", [*ALIKE, "entr", "factorial"])
def test_special_points_of_one_number(name):
    with np.errstate(all="ignore"):
        want = oracle(name)(SPECIAL)
    np.testing.assert_allclose(getattr(sp, name)(SPECIAL), want, rtol=4e-15)


@pytest.mark.parametrize(
    "name",
    "gammainc gammaincc beta poch zeta xlogy xlog1py rel_entr kl_div owens_t".split(),
)
def test_special_points_of_two_numbers(name):
    points = np.array([np.nan, np.inf, 0.0, 0.5, 1.0, -1.0, -2.5, 3.0])
    if name in ("xlogy", "xlog1py", "rel_entr", "kl_div"):
        points = points[[0, 2, 3, 4, 5, 6, 7]]
    x, y = np.meshgrid(points, points)
    with np.errstate(all="ignore"):
        want = oracle(name)(x, y)
    np.testing.assert_allclose(
        getattr(sp, name)(x, y), want, rtol=4e-15, atol=1e-15 if name == "kl_div" else 0
    )


def test_betaln_of_large_numbers_does_not_cancel():
    """SciPy has four digits at (1e-3, 4e6)."""
    mpmath = pytest.importorskip("mpmath")
    for a, b in ((0.5, 1e8), (1e-3, 4e6), (9.0, 3e5), (2e4, 5e6)):
        with mpmath.workdps(40):
            want = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(mpmath.mpf(a) + b)
        np.testing.assert_allclose(sp.betaln(np.float64(a), b), float(want), rtol=1e-15)


def test_kl_div_of_close_numbers_does_not_cancel():
    """p log(p / q) - p + q = q (d**2 / 2 - d**3 / 6 + ...), d = p / q - 1."""
    q = np.array([1.0, 7.0])
    d = 2.0**-20
    np.testing.assert_allclose(sp.kl_div(q * (1 + d), q), q * (d**2 / 2 - d**3 / 6 + d**4 / 12), rtol=1e-14)


def test_hypergeometric_functions_return_where_scipys_do_not():
    """SciPy 1.17 does not come back from hyp1f1(-0.002, -0.5, inf)."""
    assert np.isnan(sp.hyp1f1(-0.0019, -0.509, np.inf)) and np.isnan(sp.hyp1f1(1e30, 2.0, 0.5))
    assert np.isnan(sp.hyp2f1(1.0, 2.0, 3.0, -np.inf)) and np.isnan(sp.hyp2f1(1.0, np.nan, 3.0, 0.5))


def test_comb_and_factorial_outside_their_ranges():
    assert np.isnan(sp.comb(np.nan, 2.0)) and np.isnan(sp.comb(3.0, np.nan))
    np.testing.assert_array_equal(sp.comb(5.0, np.array([-1.0, 6.0, 0.0, 5.0])), [0, 0, 1, 1])
    np.testing.assert_allclose(sp.comb(4.0, 2.0, repetition=True), 10.0)
    np.testing.assert_array_equal(sp.factorial(np.array([-1.0, -0.5, 0.0, 4.0])), [0, 0, 1, 24])


# ---- dtypes and shapes ---------------------------------------------------------------------------------------
def test_integers_and_python_numbers_are_the_default_float():
    for f in (sp.gamma, sp.gammaln, sp.ndtr, sp.i0e, sp.entr, sp.logsumexp):
        assert f(np.arange(1, 4)).dtype == np.float32
        assert f(2).dtype == np.float32 and f(True).dtype == np.float32
        assert (f(2) * np.ones(1, np.float16)).dtype == np.float16
    assert sp.gammainc(2, np.float64(1.0)).dtype == np.float64
    assert sp.betainc(2, 3.0, np.float16(0.5)).dtype == np.float16
    assert sp.wofz(np.float32(1.0)).dtype == np.complex64


def test_bfloat16_is_rounded_once():
    x = np.linspace(0.5, 3, 7).astype(ml_dtypes.bfloat16)
    for name in ("gamma", "erfcx", "ndtr", "i1e", "digamma"):
        found = getattr(sp, name)(x)
        want = oracle(name)(x.astype(np.float64)).astype(ml_dtypes.bfloat16)
        assert found.dtype == x.dtype and (np.asarray(found) == want).all()


def test_every_layout_and_shape():
    x = np.linspace(0.2, 2, 24).reshape(2, 3, 4)
    want = scipy_special.gammainc(x, 1.5)
    for layout in (x, np.asfortranarray(x), x[:, ::-1], x[..., ::2], x[:0], x[:1, :1, :1]):
        np.testing.assert_allclose(sp.gammainc(layout, 1.5), scipy_special.gammainc(layout, 1.5), rtol=1e-14)
        np.testing.assert_allclose(sp.igamma_grad_a(layout, 1.5).shape, layout.shape)
    np.testing.assert_allclose(sp.gammainc(x, np.full((4,), 1.5)), want, rtol=1e-14)
    found = sp.betainc(x[:, :1, :1], x[0, :, :1], 0.3)
    assert found.shape == (2, 3, 1)


def test_blocks_of_a_long_vector_fit_together():
    a = np.linspace(0.1, 50, 40_000)
    whole = np.asarray(sp.igamma_grad_a(a, 7.0))
    places = [0, 16383, 16384, 32768, 39_999]
    np.testing.assert_allclose(whole[places], np.asarray(sp.igamma_grad_a(a[places], 7.0)), rtol=1e-13)


# ---- errors --------------------------------------------------------------------------------------------------
def test_what_is_refused():
    for call, error, words in (
        (lambda: sp.gammaln(1j), fx.DTypeError, "lgamma"),
        (lambda: sp.entr(1j), fx.DTypeError, "entr"),
        (lambda: sp.hyp1f1(1j, 2.0, 0.5), fx.DTypeError, "parameter a"),
        (lambda: sp.sph_harm_y(1.0, 0, 0.5, 0.5), fx.DTypeError, "integer"),
        (lambda: sp.sph_harm_y(1, 0, 0.5, 0.5, diff_n=1), fx.ArgumentError, "fx.jvp"),
        (lambda: sp.factorial(3, exact=True), fx.ArgumentError, "math.factorial"),
        (lambda: sp.comb(3, 2, exact=True), fx.ArgumentError, "math.comb"),
        (lambda: sp.polygamma(-1, 2.0), fx.ArgumentError, "0 or more"),
        (lambda: sp.bessel_jn(1.0, v=1.5), fx.ArgumentError, "order v"),
        (lambda: sp.bessel_jn(1.0, v=-1), fx.ArgumentError, "0 or more"),
        (lambda: sp.multigammaln(3.0, 0), fx.ArgumentError, "positive"),
        (lambda: sp.multigammaln(3.0, 1.5), fx.ArgumentError, "int known now"),
        (lambda: sp.bernoulli(-1), fx.ArgumentError, "0 or more"),
        (lambda: sp.gammainc(np.ones(2), np.ones(3)), fx.ShapeError, "broadcast"),
    ):
        with pytest.raises(error, match=words):
            call()


# ---- names ---------------------------------------------------------------------------------------------------
def test_every_function_of_jax_is_here_and_takes_its_arguments():
    jax_special = pytest.importorskip("jax.scipy.special")
    names = [n for n in dir(jax_special) if not n.startswith("_")]
    assert len(names) >= 53
    for name in names:
        ours = inspect.signature(getattr(sp, name)).parameters
        for place, (key, theirs) in enumerate(
            inspect.signature(getattr(jax_special, name)).parameters.items()
        ):
            if theirs.kind is theirs.POSITIONAL_ONLY:
                assert place < len(ours), name
            elif theirs.kind is theirs.KEYWORD_ONLY:
                assert key in ours, (name, key)
            else:
                assert list(ours)[place] in (key, *SCIPY_NAMES.get(name, ())), (name, key)


SCIPY_NAMES = {"erfinv": ("y",)}
"""SciPy's argument names where JAX has others."""


def test_lazy_loading():
    assert "special" in dir(fx) and fx.special is sp
    assert isinstance(sp.gamma(fnp.ones(2)), fx.Array)


def test_limits_of_compositions():
    inf = np.inf
    np.testing.assert_array_equal(
        sp.boxcox(np.array([0.0, inf, 0.0, 2.0]), np.array([0.0, 0.0, 2.0, 0.0])),
        [-inf, inf, -0.5, np.log(2)],
    )
    np.testing.assert_array_equal(sp.boxcox1p(np.array([-1.0, inf]), 0.0), [-inf, inf])
    np.testing.assert_array_equal(sp.betaln(np.array([2.0, inf, 0.3]), np.array([inf, 7.5, inf])), [-inf] * 3)
    assert fx.grad(sp.boxcox)(2.0, 0.0) == 0.5
