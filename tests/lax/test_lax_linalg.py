"""fx.lax.linalg and fx.lax.fft against NumPy and SciPy: what factors multiply to, and their derivatives."""

import numpy as np
import pytest
import scipy.linalg

import fx
from fx import lax
from fx.testing import check_grads

RNG = np.random.default_rng(5)
A = RNG.normal(size=(4, 4))
C = A + 1j * RNG.normal(size=(4, 4))
TALL = RNG.normal(size=(2, 5, 3))
POSITIVE = A @ A.T + np.eye(4)
close = lambda a, b: np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-9, atol=1e-10)
L = lax.linalg


def test_cholesky_and_its_update():
    close(L.cholesky(POSITIVE), np.linalg.cholesky(POSITIVE))
    r = np.linalg.cholesky(POSITIVE).T
    w = RNG.normal(size=4)
    s = np.asarray(L.cholesky_update(r, w))
    close(s.T @ s, POSITIVE + np.outer(w, w))
    assert not np.tril(s, -1).any()


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize(
    "options", [{}, {"lower": True}, {"transpose_a": True}, {"unit_diagonal": True, "lower": True}]
)
def test_triangular_solve(left, options):
    b = RNG.normal(size=(4, 4))
    t = np.tril(C, 0) if options.get("lower") else np.triu(C)
    if options.get("unit_diagonal"):
        t = t - np.diag(np.diag(t)) + np.eye(4)
    op = t.T if options.get("transpose_a") else t
    x = L.triangular_solve(C, b.astype(complex), left_side=left, **options)
    close(op @ np.asarray(x) if left else np.asarray(x) @ op, b)
    v = L.triangular_solve(C, b[0].astype(complex), left_side=left, **options)
    close(op @ np.asarray(v) if left else np.asarray(v) @ op, b[0])


def test_lu_and_its_permutation():
    packed, pivots, order = map(np.asarray, L.lu(TALL))
    for f, p, o, a in zip(packed, pivots, order, TALL, strict=True):
        wanted, wanted_pivots = scipy.linalg.lu_factor(a)
        close(f, wanted)
        assert list(p) == list(wanted_pivots)
        close(L.lu_pivots_to_permutation(p, 5), o)


def test_qr_with_and_without_pivoting():
    q, r = map(np.asarray, L.qr(TALL))
    assert q.shape == (2, 5, 5)
    close(q @ r, TALL)
    q, r, p = map(np.asarray, L.qr(TALL, pivoting=True, full_matrices=False))
    for i in range(2):
        close(q[i] @ r[i], TALL[i][:, p[i]])
        assert list(p[i]) == list(scipy.linalg.qr(TALL[i], pivoting=True)[2])


def test_eigh_and_its_subset():
    v, w = map(np.asarray, L.eigh(POSITIVE))
    close(v @ np.diag(w) @ v.T, POSITIVE)
    part, values = L.eigh(POSITIVE, subset_by_index=(1, 3))
    close(values, w[1:3])
    close(part, v[:, 1:3])


def test_eig_has_left_vectors_too():
    w, left, right = map(np.asarray, L.eig(C))
    close(C @ right, right @ np.diag(w))
    close(left.conj().T @ C, np.diag(w) @ left.conj().T)
    close(np.linalg.norm(left, axis=0), np.ones(4))
    assert len(L.eig(C, compute_left_eigenvectors=False)) == 2
    assert len(L.eig(C, compute_left_eigenvectors=False, compute_right_eigenvectors=False)) == 1


def test_svd_and_its_subset():
    u, s, vh = map(np.asarray, L.svd(TALL, full_matrices=False))
    close(u @ (s[..., None] * vh), TALL)
    close(L.svd(TALL, compute_uv=False), s)
    close(L.svd(TALL, full_matrices=False, subset_by_index=(0, 2))[0], u[..., :2])
    assert L.svd(TALL)[0].shape == (2, 5, 5)


def test_schur():
    t, z = map(np.asarray, L.schur(A))
    close(z @ t @ z.T, A)
    close(L.schur(A, compute_schur_vectors=False)[0], t)


@pytest.mark.parametrize("a", [TALL[0], TALL[0] + 1j * TALL[1]], ids=["real", "complex"])
def test_householder_product_and_ormqr(a):
    packed, taus = scipy.linalg.qr(a, mode="raw")[0]
    q = scipy.linalg.qr(a)[0]
    close(L.householder_product(packed, taus), q[:, :3])
    c = RNG.normal(size=(5, 5)).astype(a.dtype)
    close(L.ormqr(packed, taus, c), q @ c)
    close(L.ormqr(packed, taus, c, left=False, transpose=True), c @ q.conj().T)
    check_grads(lambda p, t: L.householder_product(p, t), (packed, taus), order=1)


def test_symmetric_product():
    close(
        L.symmetric_product(TALL, np.ones((2, 5, 5)), alpha=2.0, beta=0.5),
        2 * TALL @ TALL.swapaxes(1, 2) + 0.5,
    )


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_tridiagonal_solve_pivots(n):
    dl, d, du = RNG.normal(size=(3, 2, n))
    d[..., ::2] *= 1e-8  # without pivoting this loses half of the digits
    dl[..., 0] = du[..., -1] = 0
    b = RNG.normal(size=(2, n, 3))
    full = [np.diag(d[i]) + np.diag(dl[i, 1:], -1) + np.diag(du[i, :-1], 1) for i in range(2)]
    x = L.tridiagonal_solve(dl, d, du, b)
    for i in range(2):
        np.testing.assert_allclose(
            x[i], np.linalg.solve(full[i], b[i]), rtol=1e-6, atol=1e-9 * np.abs(x[i]).max()
        )
    if n == 3:
        check_grads(L.tridiagonal_solve, (dl, d + 1, du, b), order=1)


@pytest.mark.parametrize("kind", ["FFT", "IFFT", "RFFT", "IRFFT"])
def test_fft(kind):
    x = RNG.normal(size=(2, 4, 3)) + 1j * RNG.normal(size=(2, 4, 3))
    x = x.real if kind == "RFFT" else x
    lengths = (4, 5) if kind == "IRFFT" else (4, 3)
    name = kind.lower() + "n"
    wanted = getattr(np.fft, name)(x, lengths, axes=(1, 2))
    close(lax.fft(x, lax.FftType[kind], lengths), wanted)
    close(lax.fft(x, kind, lengths[1:]), getattr(np.fft, kind.lower())(x, lengths[1]))
    with pytest.raises(fx.ShapeError, match="needs last axes"):
        lax.fft(x, kind, (7, 7))


def test_refusals():
    for call in (
        lambda: L.ormqr(TALL[0], np.ones(3, np.float32), np.eye(5)),
        lambda: L.tridiagonal_solve(np.ones(3), np.ones(3), np.ones(2), np.ones((3, 1))),
        lambda: L.tridiagonal_solve(*[np.ones(3)] * 3, np.ones((3, 1)), perturb_singular=True),
        lambda: L.schur(A, sort_eig_vals=True),
        lambda: L.svd(TALL, subset_by_index=(0, 1)),
        lambda: L.triangular_solve(np.eye(3)[None, None], np.ones((3, 2))),
        lambda: lax.fft(np.ones(3), "DFT", (3,)),
    ):
        with pytest.raises(fx.FxError):
            call()
