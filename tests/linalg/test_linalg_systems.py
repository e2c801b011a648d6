"""Systems, LU, Cholesky, matrix equations, least squares: SciPy's values, batches, derivatives, errors."""

import jax
import jax.scipy.linalg as jl
import numpy as np
import pytest
import scipy.linalg

import fx
import fx.linalg as fl
import fx.numpy as fnp
from fx.testing import assert_close, check_all, check_grads, check_jit, check_vmap

KINDS = pytest.mark.parametrize("kind", ["real", "complex"])


def draw(*shape, kind="real", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    return x if kind == "real" else x + 1j * rng.normal(size=shape)


def regular(*shape, kind="real", seed=0):
    return draw(*shape, kind=kind, seed=seed) + shape[-1] * np.eye(shape[-1])


def positive(*shape, kind="real", seed=0):
    x = draw(*shape, kind=kind, seed=seed)
    return x @ x.conj().swapaxes(-1, -2) + 2 * np.eye(shape[-1])


def close(found, want, rtol=1e-11):
    np.testing.assert_allclose(
        np.asarray(found), want, rtol=rtol, atol=rtol * max(1, np.abs(want).max(initial=0))
    )


# ---- solve -----------------------------------------------------------------------------------------------
STRUCTURED = {
    None: lambda a: a,
    "gen": lambda a: a,
    "sym": lambda a: a + a.T,
    "her": lambda a: a + a.conj().T,
    "pos": lambda a: a @ a.conj().T + np.eye(len(a)),
    "diagonal": lambda a: np.diag(np.diag(a)),
    "tridiagonal": lambda a: np.triu(np.tril(a, 1), -1),
    "banded": lambda a: np.triu(np.tril(a, 1), -1),
    "upper triangular": np.triu,
    "lower triangular": np.tril,
}


@KINDS
@pytest.mark.parametrize("assume", STRUCTURED)
@pytest.mark.parametrize("transposed", [False, True])
def test_solve_with_a_structure(kind, assume, transposed):
    a, b = STRUCTURED[assume](regular(4, 4, kind=kind)), draw(4, 2, kind=kind, seed=1)
    want = np.linalg.solve(a.T if transposed else a, b)
    for lower in (False, True):
        close(fl.solve(a, b, lower, assume_a=assume, transposed=transposed), want)
        close(fl.solve(a, b[:, 0], lower, assume_a=assume, transposed=transposed), want[:, 0])


def test_solve_reads_one_triangle_where_it_says_so():
    a, b = positive(3, 3), draw(3)
    for assume in ("sym", "her", "pos"):
        close(
            fl.solve(np.triu(a) + np.tril(np.full((3, 3), 7.0), -1), b, assume_a=assume),
            np.linalg.solve(a, b),
        )
        close(fl.solve(np.tril(a), b, True, assume_a=assume), np.linalg.solve(a, b))
        g = fx.grad(lambda a: fl.solve(a, b, assume_a=assume).sum())(np.triu(a))
        assert not np.asarray(g)[np.tril_indices(3, -1)].any() and np.asarray(g)[np.triu_indices(3)].all()


@KINDS
def test_solve_broadcasts_batches(kind):
    a, b = regular(2, 1, 3, 3, kind=kind), draw(4, 3, 2, kind=kind)
    close(fl.solve(a, b), np.linalg.solve(a, b))
    close(fl.solve(a, b[0, :, 0]), np.linalg.solve(a, b[0, :, :1])[..., 0])
    check_all(lambda a, b: fl.solve(a, b, assume_a="pos"), (positive(2, 2), draw(2)), order=1, axis_size=2)


@KINDS
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("trans", [0, 1, 2, "N", "T", "C"])
def test_solve_triangular(kind, lower, trans):
    a, b = regular(4, 4, kind=kind), draw(4, 2, kind=kind)
    for unit in (False, True):
        want = scipy.linalg.solve_triangular(a, b, trans, lower, unit)
        close(fl.solve_triangular(a, b, trans, lower, unit), want)
    close(
        fl.solve_triangular(a, b[:, 1], trans, lower), scipy.linalg.solve_triangular(a, b[:, 1], trans, lower)
    )


@KINDS
def test_inverse_and_determinant(kind):
    a = regular(2, 3, 3, kind=kind)
    close(fl.inv(a), np.linalg.inv(a))
    close(fl.det(a), np.linalg.det(a))
    close(fl.inv(positive(3, 3, kind=kind), assume_a="pos"), np.linalg.inv(positive(3, 3, kind=kind)))


# ---- Cholesky and LU ----------------------------------------------------------------------------------------
@KINDS
@pytest.mark.parametrize("lower", [False, True])
def test_cholesky(kind, lower):
    a, b = positive(3, 3, kind=kind), draw(3, 2, kind=kind)
    close(fl.cholesky(a, lower), scipy.linalg.cholesky(a, lower))
    read = np.tril(a) if lower else np.triu(a)
    close(fl.cholesky(read, lower), scipy.linalg.cholesky(a, lower))
    c, low = fl.cho_factor(a, lower)
    close(fl.cho_solve((c, low), b), np.linalg.solve(a, b))
    close(fl.cho_solve((c, low), b[:, 0]), np.linalg.solve(a, b[:, 0]))
    close(fl.cho_solve(scipy.linalg.cho_factor(a, lower), b), np.linalg.solve(a, b))
    f = lambda a, b: fl.cho_solve(fl.cho_factor(a, lower), b)
    check_grads(f, (a, b), order=2 if kind == "real" else 1)
    check_vmap(f, (a, b), axis_size=2)


@KINDS
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 3), (0, 0), (1, 1)])
def test_lu(kind, shape):
    a = draw(*shape, kind=kind)
    p, l, u = fl.lu(a)
    close(p, scipy.linalg.lu(a)[0])
    close(l, scipy.linalg.lu(a)[1])
    close(u, scipy.linalg.lu(a)[2])
    assert p.dtype == np.float64
    pl, u2 = fl.lu(a, permute_l=True)
    close(np.asarray(pl) @ np.asarray(u2), a)
    rows, l3, u3 = fl.lu(a, p_indices=True)
    rebuilt = np.asarray(l3) @ np.asarray(u3)
    for i in np.ndindex(shape[:-2]):
        close(rebuilt[i][np.asarray(rows)[i]], a[i])
    if a.size:
        check_grads(lambda a: fl.lu(a)[1:], (a,), order=2 if kind == "real" and a.ndim == 2 else 1)
        check_jit(lambda a: fl.lu(a), (a,))


@KINDS
@pytest.mark.parametrize("trans", [0, 1, 2])
def test_lu_solve(kind, trans):
    a, b = regular(2, 3, 3, kind=kind), draw(2, 3, 2, kind=kind)
    op = {0: a, 1: a.swapaxes(-1, -2), 2: a.conj().swapaxes(-1, -2)}[trans]
    factors = fl.lu_factor(a)
    close(fl.lu_solve(factors, b, trans), np.linalg.solve(op, b))
    close(fl.lu_solve(scipy.linalg.lu_factor(a[0]), b[0], trans), np.linalg.solve(op[0], b[0]))
    for mine, theirs in zip(fl.lu_factor(a[0]), scipy.linalg.lu_factor(a[0]), strict=True):
        close(mine, theirs)
    f = lambda a, b: fl.lu_solve(fl.lu_factor(a), b, trans)
    check_grads(f, (a[0], b[0]), order=1)
    check_vmap(f, (a[0], b[0]), axis_size=2)


# ---- matrix equations -------------------------------------------------------------------------------------
@KINDS
def test_solve_sylvester(kind):
    a, b, q = regular(3, 3, kind=kind), regular(2, 2, kind=kind, seed=1), draw(3, 2, kind=kind)
    close(fl.solve_sylvester(a, b, q), scipy.linalg.solve_sylvester(a, b, q))
    check_all(fl.solve_sylvester, (a, b, q), order=2 if kind == "real" else 1, axis_size=2)
    batched = fl.solve_sylvester(regular(2, 1, 3, 3, kind=kind), b, q)
    close(batched[1, 0], scipy.linalg.solve_sylvester(regular(2, 1, 3, 3, kind=kind)[1, 0], b, q))


@KINDS
@pytest.mark.parametrize("n", [1, 3, 10])
def test_lyapunov(kind, n):
    a, q = regular(n, n, kind=kind), draw(n, n, kind=kind)
    close(fl.solve_lyapunov(a, q), scipy.linalg.solve_continuous_lyapunov(a, q))
    close(fl.solve_continuous_lyapunov(a, q), scipy.linalg.solve_continuous_lyapunov(a, q))
    a = a / (2 * n)
    for method in (None, "direct", "bilinear"):
        close(fl.solve_discrete_lyapunov(a, q, method), scipy.linalg.solve_discrete_lyapunov(a, q), 1e-10)
    if n == 3:
        check_grads(fl.solve_continuous_lyapunov, (regular(n, n, kind=kind), q), order=1)
        for method in ("direct", "bilinear"):
            check_grads(lambda a, q: fl.solve_discrete_lyapunov(a, q, method), (a, q), order=1)


# ---- least squares ----------------------------------------------------------------------------------------
@KINDS
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pinv_and_lstsq_of_any_rank(kind, rank):
    a = draw(5, rank, kind=kind) @ draw(rank, 3, kind=kind, seed=1)
    b = draw(5, 2, kind=kind, seed=2)
    found, r = fl.pinv(a, rtol=1e-10, return_rank=True)
    close(found, scipy.linalg.pinv(a, rtol=1e-10))
    assert int(r) == rank
    close(fl.pinv(a, atol=1e-10), scipy.linalg.pinv(a, atol=1e-10))
    want = scipy.linalg.lstsq(a, b, 1e-10)
    mine = fl.lstsq(a, b, 1e-10)
    close(mine[0], want[0], 1e-9)
    assert int(mine[2]) == want[2] == rank
    close(mine[3], want[3], 1e-9)
    if rank == 3:
        close(mine[1], want[1])
        assert fl.lstsq(a, b[:, 0])[1].shape == ()
    close(fl.lstsq(a, b[:, 0], 1e-10)[0], want[0][:, 0], 1e-9)


@pytest.mark.parametrize("rank", [1, 2])
def test_the_gradient_of_pinv_along_changes_that_keep_the_rank(rank):
    """Golub and Pereyra: a = x y^T with factors that change."""
    x, y, b = draw(4, rank), draw(rank, 3, seed=1), draw(4, seed=2)
    check_grads(lambda x, y: fl.pinv(x @ y, rtol=1e-9), (x, y), order=2)
    check_grads(lambda x, y: fl.lstsq(x @ y, b, 1e-9)[0], (x, y), order=1)


# ---- further systems --------------------------------------------------------------------------------------
@KINDS
def test_tridiagonal_solve(kind):
    dl, d, du = (draw(4, kind=kind, seed=i) for i in range(3))
    d, b = d + 4, draw(4, 2, kind=kind)
    a = np.diag(d) + np.diag(dl[1:], -1) + np.diag(du[:-1], 1)
    close(fl.tridiagonal_solve(dl, d, du, b), np.linalg.solve(a, b))
    check_all(fl.tridiagonal_solve, (dl, d, du, b), order=1, axis_size=2)


@KINDS
def test_cholesky_update(kind):
    a, w = positive(3, 3, kind=kind), draw(3, kind=kind)
    found = np.asarray(fl.cholesky_update(fl.cholesky(a), w))
    close(found, scipy.linalg.cholesky(a + np.outer(w, w.conj())))
    check_grads(fl.cholesky_update, (np.asarray(fl.cholesky(a)), w), order=1)


@KINDS
@pytest.mark.parametrize("shape", [(4, 3), (3, 3), (2, 4, 2)])
def test_householder_product(kind, shape):
    a = draw(*shape, kind=kind)
    qr, tau = np.linalg.qr(a[0] if a.ndim > 2 else a, mode="raw")
    want = np.linalg.qr(a[0] if a.ndim > 2 else a)[0]
    close(fl.householder_product(qr.T, tau), want)
    if a.ndim == 2:
        check_grads(fl.householder_product, (a, tau), order=1)


# ---- against JAX, where it has derivatives ---------------------------------------------------------------
PAIRS = {
    "cholesky": (lambda a: fl.cholesky(a + a.T), lambda a: jl.cholesky(a + a.T)),
    "lu": (lambda a: fl.lu(a)[1], lambda a: jl.lu(a)[1]),
    "lu_factor": (lambda a: fl.lu_factor(a)[0], lambda a: jl.lu_factor(a)[0]),
    "triangular": (lambda a: fl.solve_triangular(a, a[0]), lambda a: jl.solve_triangular(a, a[0])),
    "positive": (
        lambda a: fl.solve(a + a.T, a[0], assume_a="pos"),
        lambda a: jl.solve(a + a.T, a[0], assume_a="pos"),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_gradients_are_those_of_jax(name):
    (ours, theirs), a = PAIRS[name], positive(3, 3)
    weights = draw(*np.shape(ours(a)), seed=5)
    with jax.enable_x64(True):
        want = np.asarray(jax.grad(lambda a: (theirs(a) * weights).sum())(a))
    close(fx.grad(lambda a: (ours(a) * weights).sum())(a), want, 1e-9)


# ---- forms of input ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_dtypes_orders_and_strides(dtype):
    tol = 1e-4 if dtype in ("float32", "complex64") else 1e-11
    a, b = positive(4, 4, kind="complex" if "c" in dtype else "real").astype(dtype), draw(4, 2).astype(dtype)
    want = np.linalg.solve(a, b)
    doubled = np.repeat(np.repeat(a, 2, 0), 2, 1)
    for x in (a, np.asfortranarray(a), np.ascontiguousarray(a[::-1])[::-1], doubled[::2, ::2]):
        for y in (b, np.asfortranarray(b), np.ascontiguousarray(b[:, ::-1])[:, ::-1]):
            for found in (
                fl.solve(x, y),
                fl.solve(x, y, assume_a="pos"),
                fl.lu_solve(fl.lu_factor(x), y),
                fl.cho_solve(fl.cho_factor(x), y),
            ):
                assert found.dtype == np.dtype(dtype)
                close(found, want, tol)


def test_empty_and_single_matrices():
    empty, none = np.zeros((0, 0)), np.zeros((0, 2))
    for f in (fl.cholesky, fl.inv):
        assert f(empty).shape == (0, 0)
        close(f(np.full((1, 1), 4.0)), [[2.0]] if f is fl.cholesky else [[0.25]])
    for f in (fl.solve, fl.solve_triangular, lambda a, b: fl.lu_solve(fl.lu_factor(a), b)):
        assert f(empty, none).shape == (0, 2)
        close(f(np.full((1, 1), 4.0), np.ones(1)), [0.25])
    assert fl.solve_sylvester(empty, np.ones((2, 2)), none).shape == (0, 2)
    assert float(fl.det(empty)) == 1.0
    assert fl.solve(np.eye(2, dtype=int), np.arange(2)).dtype == fx.config.default_float


# ---- errors -----------------------------------------------------------------------------------------------
SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


@pytest.mark.parametrize(
    "call",
    [
        lambda: fl.solve(SINGULAR, np.ones(2)),
        lambda: fl.inv(SINGULAR),
        lambda: fl.solve(-np.eye(2), np.ones(2), assume_a="pos"),
        lambda: fl.solve(np.diag([1.0, 0.0]), np.ones(2), assume_a="diagonal"),
        lambda: fl.solve(np.triu(np.ones((2, 2)), 1), np.ones(2), assume_a="upper triangular"),
        lambda: fl.solve_triangular(np.triu(np.ones((2, 2)), 1), np.ones(2)),
        lambda: fl.lu_solve(fl.lu_factor(SINGULAR), np.ones(2)),
        lambda: fl.cholesky(-np.eye(2)),
        lambda: fl.cho_factor(SINGULAR - np.eye(2)),
        lambda: fl.solve_sylvester(np.eye(2), -np.eye(2), np.ones((2, 2))),
        lambda: fl.solve_lyapunov(np.diag([1.0, -1.0]), np.ones((2, 2))),
        lambda: fl.solve_discrete_lyapunov(np.eye(2), np.ones((2, 2))),
        lambda: fl.tridiagonal_solve(np.zeros(2), np.zeros(2), np.zeros(2), np.ones((2, 1))),
        lambda: fl.inv(np.array([[np.nan]])),
        lambda: fl.solve(np.array([[np.inf]]), np.ones(1)),
        lambda: fl.lstsq(np.ones((2, 1)), np.array([1.0, np.nan])),
    ],
)
def test_failures_are_linalg_errors(call):
    with pytest.raises(np.linalg.LinAlgError) as caught:
        call()
    assert isinstance(caught.value, fx.FxError)


def test_no_zero_is_read_of_a_unit_triangle():
    close(fl.solve_triangular(np.zeros((2, 2)), np.ones(2), unit_diagonal=True), np.ones(2))


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: fl.solve(np.ones((2, 3)), np.ones(2)), "square"),
        (lambda: fl.solve(np.eye(2), np.ones(3)), r"f64\[2,2\] and f64\[3\]"),
        (lambda: fl.solve(np.eye(2), np.ones(2), assume_a="nice"), "'nice'; it must be one of"),
        (lambda: fl.solve_triangular(np.eye(2), np.ones(2), trans=3), "3; it must be one of"),
        (lambda: fl.cho_solve(np.eye(2), np.ones(2)), "the pair that cho_factor returns"),
        (lambda: fl.lu_solve(np.eye(2), np.ones(2)), "the pair that lu_factor returns"),
        (lambda: fl.solve_sylvester(np.eye(2), np.eye(3), np.ones((3, 2))), r"q: \(..., m, k\)"),
        (lambda: fl.solve_discrete_lyapunov(np.eye(2), np.eye(3)), "f64"),
        (lambda: fl.householder_product(np.ones((2, 3)), np.ones(2)), "m >= n"),
        (lambda: fl.cholesky_update(np.eye(2), np.ones(3)), r"f64\[3\]"),
        (lambda: fl.inv(np.eye(2, dtype=np.float16)), "Convert"),
        (lambda: fl.det(np.ones(3)), "takes matrices"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(fx.FxError, match=match):
        call()


def test_traced_failures():
    """Factorizations that fail raise at run time; triangles with a zero give inf or NaN."""
    with pytest.raises(np.linalg.LinAlgError):
        fx.jit(fl.solve)(SINGULAR, np.ones(2))
    assert not np.isfinite(np.asarray(fx.jit(fl.solve_triangular)(np.zeros((2, 2)), np.ones(2)))).any()
    assert_close(fx.jit(fl.solve)(regular(2, 2), np.ones(2)), fl.solve(regular(2, 2), np.ones(2)))
    assert fnp.isfinite(fx.vmap(fl.inv)(regular(3, 2, 2))).all()


def test_norm_is_scipys_and_finite():
    a = draw(3, 4, kind="complex")
    for order in (None, 1, 2, np.inf, "fro", "nuc"):
        close(fl.norm(a, order), scipy.linalg.norm(a, order))
    close(fl.norm(a, axis=1, keepdims=True), scipy.linalg.norm(a, axis=1, keepdims=True))
    with pytest.raises(np.linalg.LinAlgError, match="NaN or infinite"):
        fl.norm(np.array([1.0, np.nan]))
    assert np.isinf(float(fl.norm(np.array([1.0, np.inf]), check_finite=False)))
