"""Distributions of vectors, kernel density estimates and summary statistics against scipy.stats."""

import numpy as np
import pytest
import scipy.stats

import fx
from fx import stats
from fx.core.errors import ArgumentError, DTypeError, ShapeError

RNG = np.random.default_rng(0)
A = RNG.normal(size=(3, 3))
COV, MEAN, POINTS = A @ A.T + np.eye(3), RNG.normal(size=3), RNG.normal(size=(5, 3))


def close(ours, theirs, rtol=1e-10):
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=rtol, atol=1e-12)


def test_multivariate_normal():
    law, exact = stats.multivariate_normal, scipy.stats.multivariate_normal
    close(law.logpdf(POINTS, MEAN, COV), exact.logpdf(POINTS, MEAN, COV))
    close(law.pdf(POINTS, MEAN, COV), exact.pdf(POINTS, MEAN, COV))
    close(law.entropy(MEAN, COV), exact(MEAN, COV).entropy())
    many = np.stack([exact.logpdf(POINTS, MEAN, c) for c in (COV, 2 * COV)], 1)
    close(law.logpdf(POINTS[:, None], MEAN, np.stack([COV, 2 * COV])), many)
    close(
        law.logpdf(POINTS[:, 0], np.float64(0.3), np.float64(2.0)),
        scipy.stats.norm.logpdf(POINTS[:, 0], 0.3, 2**0.5),
    )
    close(law.entropy(np.float64(0.3), np.float64(2.0)), scipy.stats.norm.entropy(0.3, 2**0.5))
    close(fx.vmap(law.logpdf, (0, None, None))(POINTS, MEAN, COV), exact.logpdf(POINTS, MEAN, COV))


@pytest.mark.parametrize(
    "law, args",
    [
        ("multivariate_normal", (POINTS, MEAN, COV)),
        ("dirichlet", (np.array([0.2, 0.3]), np.array([0.5, 2.0, 3.0]))),
        ("multinomial", (np.array([1.0, 2.0, 3.0]), np.float64(6), np.array([0.2, 0.3, 0.5]))),
    ],
)
def test_gradients_of_vectors(law, args):
    function = "logpmf" if law == "multinomial" else "logpdf"
    value = lambda *a: getattr(getattr(stats, law), function)(*a).sum()
    for i in range(2 * (law == "multinomial"), len(args)):
        slope = np.asarray(fx.jit(fx.grad(value, i))(*args))
        for at in [(0,), (1,), (2,), (0, 1), (4, 2)]:
            if len(at) != args[i].ndim or any(n >= d for n, d in zip(at, args[i].shape)):
                continue
            step = np.zeros_like(args[i])
            step[at] = 1e-6
            if args[i].shape == (3, 3):
                step = (step + step.T) / 2
            up, down = [float(value(*args[:i], args[i] + s * step, *args[i + 1 :])) for s in (1, -1)]
            expected = slope[at] if args[i].shape != (3, 3) else (slope[at] + slope[at[::-1]]) / 2
            close(expected, (up - down) / 2e-6, 1e-5)


def test_dirichlet():
    alpha = np.array([0.5, 2.0, 3.0])
    x = RNG.dirichlet(alpha, 6).T
    exact = scipy.stats.dirichlet.logpdf(x, alpha)
    close(stats.dirichlet.logpdf(x, alpha), exact)
    close(stats.dirichlet.logpdf(x[:2], alpha), exact)
    close(stats.dirichlet.pdf(x[:, 0], alpha), np.exp(exact[0]))
    assert np.asarray(stats.dirichlet.logpdf(x + 0.1, alpha)).tolist() == [-np.inf] * 6
    assert np.isnan(float(stats.dirichlet.logpdf(x[:, 0], -alpha)))


def test_multinomial():
    x, p = np.array([[1, 2, 3], [0, 0, 6], [1, 1, 1], [0.5, 2.5, 3]]), np.array([0.2, 0.3, 0.5])
    close(stats.multinomial.logpmf(x, np.float64(6), p), scipy.stats.multinomial.logpmf(x, 6, p))
    close(stats.multinomial.pmf(x[:1], np.array([6.0]), p), scipy.stats.multinomial.pmf(x[:1], 6, p))
    slope = fx.grad(lambda p: stats.multinomial.logpmf(x[1], np.float64(6), p))(np.array([0.0, 0.5, 0.5]))
    close(slope, [0, 0, 12])


# Kernel density estimates


DATA, WEIGHTS, PLACES = RNG.normal(size=(2, 30)), RNG.uniform(size=30), RNG.normal(size=(2, 4))


@pytest.mark.parametrize(
    "bandwidth",
    [None, "scott", "silverman", 0.3, lambda kde: kde.n**-0.2],
    ids=["default", "scott", "silverman", "number", "function"],
)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_gaussian_kde(bandwidth, weights):
    ours, theirs = (
        stats.gaussian_kde(DATA, bandwidth, weights),
        scipy.stats.gaussian_kde(DATA, bandwidth, weights),
    )
    close(ours(PLACES), theirs(PLACES))
    close(ours.logpdf(PLACES), theirs.logpdf(PLACES))
    close(ours.neff, theirs.neff)
    close(ours.covariance, theirs.covariance)
    close(ours.inv_cov, theirs.inv_cov)
    close(ours.integrate_gaussian(MEAN[:2], COV[:2, :2]), theirs.integrate_gaussian(MEAN[:2], COV[:2, :2]))
    close(
        ours.integrate_kde(stats.gaussian_kde(PLACES)), theirs.integrate_kde(scipy.stats.gaussian_kde(PLACES))
    )


def test_gaussian_kde_in_one_dimension():
    ours, theirs = stats.gaussian_kde(DATA[0]), scipy.stats.gaussian_kde(DATA[0])
    close(ours.integrate_box_1d(-0.5, 1.0), theirs.integrate_box_1d(-0.5, 1.0))
    close(ours.pdf(DATA[1]), theirs(DATA[1]))
    close(fx.jit(lambda kde, x: kde.logpdf(x))(ours, DATA[1]), theirs.logpdf(DATA[1]))
    far = float(ours.logpdf(np.float64(1e3)))
    assert np.isfinite(far) and far < -1e4


def test_gaussian_kde_resamples():
    many = np.asarray(stats.gaussian_kde(DATA).resample(fx.random.key(3), 20_000))
    spread = np.asarray(stats.gaussian_kde(DATA).covariance) + np.cov(DATA, bias=True)
    np.testing.assert_allclose(np.cov(many), spread, atol=0.06)
    assert stats.gaussian_kde(DATA).resample(fx.random.key(3)).shape == (2,)


def test_gaussian_kde_has_gradients():
    value = lambda x: stats.gaussian_kde(x).logpdf(PLACES).sum()
    slope, step = np.asarray(fx.grad(value)(DATA)), np.zeros_like(DATA)
    step[1, 3] = 1e-5
    close(slope[1, 3], (float(value(DATA + step)) - float(value(DATA - step))) / 2e-5, 1e-6)


# Summaries


TIES = RNG.integers(0, 5, (7, 6))


@pytest.mark.parametrize(
    "a", [TIES, TIES.astype(float), TIES.astype("f")[::-1, ::2], TIES[:1, 0]], ids=["i", "d", "f", "1"]
)
def test_mode_rankdata_and_sem(a):
    for axis in (0, -1, None):
        for keepdims in (False, True):
            ours, theirs = (
                stats.mode(a, axis, keepdims=keepdims),
                scipy.stats.mode(a, axis, keepdims=keepdims),
            )
            for x, y in zip(ours, theirs):
                assert x.shape == np.shape(y)
                close(x, y)
        for method in ("average", "min", "max", "dense", "ordinal"):
            ours, theirs = stats.rankdata(a, method, axis=axis), scipy.stats.rankdata(a, method, axis=axis)
            assert ours.shape == theirs.shape
            close(ours, theirs)
        if a.ndim > 1:
            close(stats.sem(a, axis), scipy.stats.sem(a, axis), 1e-5)
            close(fx.jit(lambda a: stats.rankdata(a, axis=axis))(a), scipy.stats.rankdata(a, axis=axis))
            close(fx.jit(lambda a: stats.mode(a, axis).mode)(a), scipy.stats.mode(a, axis).mode)


def test_nan_in_summaries():
    a = TIES.astype(float)
    a[1, 2] = np.nan
    close(stats.rankdata(a, axis=0), scipy.stats.rankdata(a, axis=0))
    close(stats.sem(a), scipy.stats.sem(a))
    close(stats.sem(a, nan_policy="omit"), scipy.stats.sem(a, nan_policy="omit"))
    nans = np.array([np.nan, np.nan, 1.0])
    assert np.isnan(float(stats.mode(nans).mode)) and int(stats.mode(nans).count) == 2
    empty = stats.mode(np.zeros((0, 3)))
    assert np.isnan(np.asarray(empty.mode)).all() and empty.count.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "call, kind, text",
    [
        (lambda: stats.multivariate_normal.logpdf(POINTS, MEAN[:2], COV), ShapeError, "f64[2]"),
        (lambda: stats.multivariate_normal.logpdf(POINTS, MEAN, COV, True), ArgumentError, "allow_singular"),
        (lambda: stats.dirichlet.logpdf(MEAN, np.ones((3, 1))), ShapeError, "f64[3,1]"),
        (lambda: stats.multinomial.logpmf(1.0, 2, 0.5), ShapeError, "axis of outcomes"),
        (lambda: stats.gaussian_kde(np.ones(1)), ShapeError, "n > 1"),
        (lambda: stats.gaussian_kde(DATA, weights=np.ones(3)), ShapeError, "30 points"),
        (lambda: stats.gaussian_kde(DATA, "wide"), ArgumentError, "'wide'"),
        (lambda: stats.gaussian_kde(DATA * 1j), DTypeError, "real"),
        (lambda: stats.gaussian_kde(DATA)(np.ones((3, 4))), ShapeError, "(2, m)"),
        (lambda: stats.gaussian_kde(DATA).integrate_box_1d(0, 1), ShapeError, "one dimension"),
        (
            lambda: stats.gaussian_kde(DATA).integrate_kde(stats.gaussian_kde(DATA[0])),
            ShapeError,
            "the other 1",
        ),
        (lambda: stats.gaussian_kde(DATA).integrate_gaussian(MEAN, COV), ShapeError, "2 dimension(s)"),
        (lambda: stats.gaussian_kde(DATA).integrate_box(0, 1), ArgumentError, "integrate_box_1d"),
        (lambda: stats.gaussian_kde(DATA).set_bandwidth(), ArgumentError, "Make another"),
        (lambda: stats.mode(TIES, nan_policy="omit"), ArgumentError, "propagate"),
        (lambda: stats.rankdata(TIES, "best"), ArgumentError, "best"),
        (lambda: stats.rankdata(TIES, nan_policy="x"), ArgumentError, "'x'"),
        (lambda: stats.sem(TIES, nan_policy="raise"), ArgumentError, "'raise'"),
    ],
)
def test_errors_name_the_facts(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert text in str(caught.value)
