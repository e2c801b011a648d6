"""QR, SVD, polar, Schur, Hessenberg, eigenvalues: SciPy's values up to gauge, derivatives against differences of what
the gauge defines, degenerate matrices, errors."""

import numpy as np
import pytest
import scipy.linalg

import fx
import fx.linalg as fl
import fx.numpy as fnp
from fx.testing import assert_close, check_grads, check_jit, check_vmap

KINDS = pytest.mark.parametrize("kind", ["real", "complex"])


def draw(*shape, kind="real", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    return x if kind == "real" else x + 1j * rng.normal(size=shape)


def positive(n, kind="real", seed=0):
    x = draw(n, n, kind=kind, seed=seed)
    return x @ x.conj().T + np.eye(n)


def close(found, want, rtol=1e-10):
    np.testing.assert_allclose(
        np.asarray(found), want, rtol=rtol, atol=rtol * max(1, np.abs(want).max(initial=0))
    )


def H(x):
    return np.asarray(x).conj().swapaxes(-1, -2)


def orthonormal(q):
    q = np.asarray(q)
    close(H(q) @ q, np.broadcast_to(np.eye(q.shape[-1]), (*q.shape[:-2], q.shape[-1], q.shape[-1])))


PAIRS = np.array([[1.0, 2.0, 0.5, 0.3], [-3.0, 1.0, 0.2, 0.8], [0.1, 0.4, 7.0, 1.0], [0.6, 0.1, -2.5, 7.5]])
"""Two pairs of complex eigenvalues."""
MIXED = np.array([[1.0, 2.0, 0.5], [-3.0, 1.5, 0.2], [0.1, 0.4, 7.0]])


# ---- Schur ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "a", [draw(5, 5), PAIRS, MIXED, draw(4, 4, kind="complex"), np.zeros((0, 0)), np.ones((1, 1))]
)
@pytest.mark.parametrize("output", ["real", "complex"])
def test_schur(a, output):
    t, z = fl.schur(a, output)
    close(np.asarray(z) @ np.asarray(t) @ H(z), a)
    orthonormal(z)
    want = scipy.linalg.schur(a, output)[0]
    assert t.dtype == want.dtype
    np.testing.assert_allclose(abs(np.diag(np.asarray(t))), abs(np.diag(want)), rtol=1e-9)
    below = -1 if output == "complex" or a.dtype.kind == "c" else -2
    assert not np.tril(np.asarray(t), below).any()
    close(np.abs(np.asarray(z)[0]), np.asarray(z)[0]) if a.size else None


@KINDS
@pytest.mark.parametrize("a", [PAIRS, MIXED], ids=["pairs", "mixed"])
def test_derivatives_of_schur(a, kind):
    if kind == "complex":
        a = a + 0.5j * draw(*a.shape)
    check_grads(fl.schur, (a,), order=2, rtol=1e-5)
    check_vmap(fl.schur, (a,), axis_size=2)
    check_jit(fl.schur, (a,))


def test_what_schur_promises_of_its_blocks():
    t = np.asarray(fl.schur(PAIRS)[0])
    assert t[1, 0] != 0 and t[3, 2] != 0 and t[2, 1] == 0
    for i in (0, 2):
        assert abs(t[i, i] - t[i + 1, i + 1]) < 1e-13 and abs(t[i, i + 1]) >= abs(t[i + 1, i])


def test_sorted_schur_forms():
    for sort in ("lhp", "rhp", "iuc", "ouc", lambda x, y: x > 0.5):
        t, z, count = fl.schur(draw(5, 5), sort=sort)
        _, _, want = scipy.linalg.schur(draw(5, 5), sort=sort)
        assert int(count) == want
        close(np.asarray(z) @ np.asarray(t) @ H(z), draw(5, 5))
    check_grads(lambda a: fl.schur(a, sort="rhp")[:2], (MIXED,), order=1)


def test_schur_at_repeated_eigenvalues_is_finite():
    for a in (np.eye(3), np.diag([1.0, 1.0, 2.0]), np.zeros((2, 2))):
        t, z = fx.jvp(fl.schur, (a,), (np.ones_like(a),))[1]
        assert np.isfinite(np.asarray(t)).all() and np.isfinite(np.asarray(z)).all()
        spectrum = lambda a: fnp.trace(fl.schur(a)[0])
        close(fx.grad(spectrum)(a), np.eye(len(a)))


@pytest.mark.parametrize("a", [draw(5, 5), PAIRS, MIXED])
def test_rsf2csf(a):
    t, z = scipy.linalg.schur(a)
    tc, zc = fl.rsf2csf(t, z)
    close(np.asarray(zc) @ np.asarray(tc) @ H(zc), a)
    orthonormal(zc)
    assert not np.tril(np.asarray(tc), -1).any()
    close(np.sort_complex(np.diag(np.asarray(tc))), np.sort_complex(np.linalg.eigvals(a)))
    assert (np.diag(np.asarray(tc))[0].imag >= 0).all()
    f = lambda a: fl.rsf2csf(*fl.schur(a))
    check_grads(f, (a,), order=1)
    check_vmap(f, (a,), axis_size=2)
    triangle = np.triu(a)
    close(fl.rsf2csf(triangle, np.eye(len(a)))[0], triangle)


# ---- Hessenberg -------------------------------------------------------------------------------------------
@KINDS
@pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
def test_hessenberg(kind, n):
    a = draw(n, n, kind=kind)
    h, q = fl.hessenberg(a, calc_q=True)
    want = scipy.linalg.hessenberg(a, calc_q=True)
    close(h, want[0])
    close(q, want[1])
    close(fl.hessenberg(a), want[0])
    if n:
        check_grads(lambda a: fl.hessenberg(a, calc_q=True), (a,), order=2 if n == 3 else 1, rtol=1e-5)
    if n == 3:
        check_vmap(fl.hessenberg, (a,), axis_size=2)
        check_jit(fl.hessenberg, (a,))


def test_hessenberg_of_a_matrix_that_is_one_is_finite():
    a = np.triu(draw(4, 4))
    out = fx.jvp(lambda a: fl.hessenberg(a, calc_q=True), (a,), (draw(4, 4, seed=1),))[1]
    assert all(np.isfinite(np.asarray(x)).all() for x in out)
    close(fx.grad(lambda a: fnp.trace(fl.hessenberg(a)))(a), np.eye(4))


# ---- QR ---------------------------------------------------------------------------------------------------
@KINDS
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3), (0, 0), (3, 0)])
@pytest.mark.parametrize("mode", ["full", "economic"])
def test_qr(kind, shape, mode):
    a = draw(*shape, kind=kind)
    q, r = fl.qr(a, mode=mode)
    close(np.asarray(q) @ np.asarray(r), a)
    if a.ndim == 2:
        close(q, scipy.linalg.qr(a, mode=mode)[0])
        close(r, scipy.linalg.qr(a, mode=mode)[1])
        (only,) = fl.qr(a, mode="r")
        close(only, scipy.linalg.qr(a, mode="r")[0])
    if a.size:
        q, r, p = fl.qr(a, mode=mode, pivoting=True)
        moved = np.take_along_axis(a, np.asarray(p)[..., None, :].astype(int), -1)
        close(np.asarray(q) @ np.asarray(r), moved)
        if a.ndim == 2:
            np.testing.assert_array_equal(p, scipy.linalg.qr(a, pivoting=True)[2])


@KINDS
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_derivatives_of_qr(kind, shape):
    a = draw(*shape, kind=kind)
    tall = shape[0] > shape[1]
    check_grads(lambda a: fl.qr(a, mode="economic"), (a,), order=2 if kind == "real" else 1)
    full = lambda a: fl.qr(a)[0][:, shape[1] :] @ fnp.conj(fl.qr(a)[0][:, shape[1] :]).T if tall else fl.qr(a)
    check_grads(full, (a,), order=1)
    check_grads(lambda a: fl.qr(a, mode="economic", pivoting=True)[:2], (a,), order=1)


@KINDS
@pytest.mark.parametrize("mode, c", [("right", (2, 4)), ("right", (4,)), ("left", (3, 2)), ("left", (3,))])
@pytest.mark.parametrize("options", [{}, {"conjugate": True}, {"pivoting": True}])
def test_qr_multiply(kind, mode, c, options):
    a, c = draw(4, 3, kind=kind), draw(*c, kind=kind)
    found, want = fl.qr_multiply(a, c, mode, **options), scipy.linalg.qr_multiply(a, c, mode, **options)
    for x, y in zip(found, want, strict=True):
        close(x, y)


# ---- SVD, polar, ranges -----------------------------------------------------------------------------------
@KINDS
def test_svd_and_singular_values(kind):
    a = draw(2, 4, 3, kind=kind)
    for full in (False, True):
        u, s, vh = fl.svd(a, full)
        close((np.asarray(u)[..., :3] * np.asarray(s)[..., None, :]) @ np.asarray(vh)[..., :3, :], a)
        close(s, np.linalg.svd(a)[1])
    close(fl.svd(a, compute_uv=False), np.linalg.svd(a)[1])
    close(fl.svdvals(a), np.linalg.svd(a)[1])


@KINDS
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_polar(kind, side, shape):
    a = draw(*shape, kind=kind)
    for found, want in zip(fl.polar(a, side), scipy.linalg.polar(a, side), strict=True):
        close(found, want)
    check_grads(lambda a: fl.polar(a, side), (a,), order=2 if kind == "real" else 1)


def test_polar_at_repeated_singular_values():
    rotation = scipy.linalg.expm(np.array([[0.0, 0.4], [-0.4, 0.0]]))
    check_grads(fl.polar, (rotation,), order=3, rtol=1e-5)
    check_grads(fl.polar, (np.eye(3)[:, :2] * 2,), order=2)
    check_vmap(fl.polar, (draw(3, 2),), axis_size=2)
    check_jit(fl.polar, (draw(3, 2),))
    with pytest.raises(np.linalg.LinAlgError):
        fx.grad(lambda a: fl.polar(a)[0].sum())(np.zeros((2, 2)))


@KINDS
def test_null_space_and_range(kind):
    a = draw(4, 2, kind=kind) @ draw(2, 5, kind=kind, seed=1)
    null, span = np.asarray(fl.null_space(a)), np.asarray(fl.orth(a))
    assert null.shape == (5, 3) and span.shape == (4, 2)
    orthonormal(null)
    close(a @ null, np.zeros((4, 3)))
    want = scipy.linalg.orth(a)
    close(span @ H(span), want @ H(want))
    assert fl.null_space(np.eye(2)).shape == (2, 0) and fl.orth(np.zeros((2, 2))).shape == (2, 0)

    def projector(x, y):
        basis = fl.null_space(x @ y)
        return basis @ fnp.conj(basis).T

    check_grads(projector, (draw(4, 2, kind=kind), draw(2, 5, kind=kind, seed=1)), order=1)


# ---- eigenvalues ------------------------------------------------------------------------------------------
@KINDS
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("form", [1, 2, 3])
def test_generalized_eigh(kind, lower, form):
    a, b = draw(4, 4, kind=kind), positive(4, kind)
    a = a + H(a)
    w, v = fl.eigh(a, b, lower, type=form)
    want = scipy.linalg.eigh(a, b, lower=lower, type=form)
    close(w, want[0])
    left, right = {1: (a, b), 2: (a @ b, np.eye(4)), 3: (b @ a, np.eye(4))}[form]
    close(left @ np.asarray(v), right @ np.asarray(v) * np.asarray(w))
    close(np.abs(np.asarray(v)), np.abs(want[1]))
    close(fl.eigh(a, b, lower, eigvals_only=True, type=form), want[0])
    part = np.tril if lower else np.triu
    close(fl.eigvalsh(part(a), part(b), lower=lower, type=form), want[0])
    check_grads(lambda a, b: fl.eigh(a, b, lower, type=form), (a, b), order=1)
    if form == 1 and not lower and kind == "real":
        check_grads(lambda a, b: fl.eigvalsh(a, b), (a, b), order=2)
        check_vmap(fl.eigh, (a, b), axis_size=2)
        check_jit(fl.eigh, (a, b))


def test_parts_of_a_spectrum():
    a = draw(5, 5) + draw(5, 5).T
    w, v = np.linalg.eigh(a)
    part_w, part_v = fl.eigh(a, subset_by_index=(1, 3))
    close(part_w, w[1:4])
    close(np.abs(np.asarray(part_v)), np.abs(v[:, 1:4]))
    close(fl.eigh(a, eigvals=(0, 0), eigvals_only=True), w[:1])
    close(fl.eigh(a, subset_by_value=(w[0] + 1e-9, w[2] + 1e-9), eigvals_only=True), w[1:3])
    close(fl.eigvalsh(a, subset_by_value=(100.0, 101.0)), [])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_eigh_tridiagonal(n):
    d, e = draw(n), draw(n - 1, seed=1)
    w, v = fl.eigh_tridiagonal(d, e)
    a = np.diag(d) + np.diag(e, 1) + np.diag(e, -1)
    close(a @ np.asarray(v), np.asarray(v) * np.asarray(w))
    close(w, scipy.linalg.eigh_tridiagonal(d, e, eigvals_only=True))
    close(fl.eigh_tridiagonal(d, e, True, "i", (0, n - 1)), w)
    close(fl.eigh_tridiagonal(d, e, True, "v", (-99, 99)), w)
    check_grads(fl.eigh_tridiagonal, (d, e), order=1)
    check_grads(lambda d, e: fl.eigh_tridiagonal(d, e, eigvals_only=True), (d, e), order=2)
    check_vmap(fl.eigh_tridiagonal, (d, e), axis_size=2)


@KINDS
def test_eig_of_one_and_of_two_matrices(kind):
    a, b = draw(4, 4, kind=kind), positive(4, kind, 1)
    w, vl, vr = (np.asarray(x) for x in fl.eig(a, b, left=True))
    close(a @ vr, b @ vr * w)
    close(H(vl) @ a, w[:, None] * H(vl) @ b)
    close(np.linalg.norm(vl, axis=0), np.ones(4))
    close(np.sort_complex(w), np.sort_complex(scipy.linalg.eigvals(a, b)))
    close(fl.eigvals(a), np.linalg.eigvals(a))
    for x, y in zip(fl.eig(a, left=True, right=True), scipy.linalg.eig(a, left=True), strict=True):
        close(np.abs(np.asarray(x)), np.abs(y))
    assert len(fl.eig(a)) == 2 and fl.eig(a, right=False).shape == (4,)
    check_grads(lambda a, b: fl.eig(a, b, left=True), (a, b), order=1)


# ---- forms of input, errors -------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_single_precision_and_memory_orders(dtype):
    a = (MIXED if dtype == "float32" else MIXED + 0.1j * draw(3, 3)).astype(dtype)
    wide = a.astype(np.complex128 if dtype == "complex64" else np.float64)
    for f in (fl.schur, fl.hessenberg, fl.polar, fl.qr, fl.svdvals):
        want = f(wide)
        for x in (a, np.asfortranarray(a), np.ascontiguousarray(a[:, ::-1])[:, ::-1]):
            found = f(x)
            assert all(y.dtype in (np.dtype(dtype), np.float32) for y in fx.tree.leaves(found))
            assert_close(found, want, rtol=1e-3, atol=1e-4, check_dtypes=False)


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: fl.schur(np.array([[np.nan]])), "NaN or infinite"),
        (lambda: fl.eigh(np.eye(2), -np.eye(2)), "not positive definite"),
        (lambda: fl.eig(np.eye(2), np.zeros((2, 2))), "singular"),
        (lambda: fx.jit(fl.schur)(np.full((2, 2), np.nan)), "did not converge"),
    ],
)
def test_failures(call, match):
    with pytest.raises(np.linalg.LinAlgError, match=match):
        call()


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: fl.schur(np.ones((2, 3))), "square"),
        (lambda: fl.schur(np.eye(2), output="best"), "'best'; it must be one of"),
        (lambda: fl.schur(np.eye(2), sort="up"), "'up'; it must be one of"),
        (lambda: fl.qr(np.eye(2), mode="raw"), "no derivative"),
        (lambda: fl.qr(np.eye(2), mode="all"), "'all'; it must be one of"),
        (lambda: fl.qr_multiply(np.ones((3, 2)), np.ones(2)), r"Q is f64\[3,2\], and c is f64\[2\]"),
        (lambda: fl.polar(np.eye(2), side="up"), "'up'; it must be one of"),
        (lambda: fl.eigh(np.eye(2), np.eye(3)), "of one size"),
        (lambda: fl.eigh(np.eye(2), type=4), "4; it must be one of"),
        (lambda: fl.eigh(np.eye(2), subset_by_index=(1, 2)), "not a range within"),
        (lambda: fl.eigh(np.eye(2), subset_by_index=(0, 0), subset_by_value=(0, 1)), "not both"),
        (lambda: fl.eigh_tridiagonal(np.ones(3), np.ones(3)), r"e: \(..., n - 1\)"),
        (lambda: fl.eigh_tridiagonal(np.ones(2) * 1j, np.ones(1)), "real diagonals"),
        (lambda: fl.eigh_tridiagonal(np.ones(2), np.ones(1), select="i"), "select_range=None"),
        (lambda: fl.null_space(np.ones((2, 2, 2))), "one matrix"),
        (lambda: fx.jit(fl.null_space)(np.ones((2, 2))), "value"),
        (lambda: fl.svd(np.eye(2), lapack_driver="own"), "'own'; it must be one of"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(fx.FxError, match=match):
        call()
