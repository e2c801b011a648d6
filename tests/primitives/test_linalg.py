"""Linear algebra against JAX (first and second derivatives, real and complex) and, where JAX gives NaN, against
differences of NumPy's and SciPy's results: singular matrices, repeated eigenvalues and singular values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import fx
import fx.numpy as fnp
from fx.backends import strict
from fx.core import errors
from fx.primitives import _lapack, linalg, spectral
from fx.primitives._matrices import adjoint

KINDS = pytest.mark.parametrize("kind", ["real", "complex"])
jeig = lambda x: jax.lax.linalg.eig(x, compute_left_eigenvectors=False, enable_eigvec_derivs=True)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def draw(rng, *shape, kind="real"):
    x = rng.normal(size=shape)
    return x if kind == "real" else x + 1j * rng.normal(size=shape)


def regular(rng, *shape, kind="real"):
    return draw(rng, *shape, kind=kind) + shape[-1] * np.eye(shape[-1])


def positive(rng, *shape, kind="real"):
    x = draw(rng, *shape, kind=kind)
    return x @ x.conj().swapaxes(-1, -2) + 4 * np.eye(shape[-1])


def leaves(out):
    return list(out) if isinstance(out, (tuple, list)) else [out]


def same_as_jax(ours, theirs, *args, rtol=1e-9, order=2):
    """Values, the gradient of a random real combination of them, and a random Hessian-vector product."""
    rng = np.random.default_rng(99)
    like = lambda x: draw(rng, *np.shape(x), kind="complex" if np.iscomplexobj(x) else "real")
    values = [np.asarray(v) for v in leaves(theirs(*args))]
    for a, b in zip(leaves(ours(*args)), values, strict=True):
        np.testing.assert_allclose(np.asarray(a), b, rtol=rtol, atol=rtol)
    weights, n = [like(v) for v in values], tuple(range(len(args)))
    f = lambda *x: sum(fnp.real(fnp.sum(v * w)) for v, w in zip(leaves(ours(*x)), weights))
    g = lambda *x: sum(jnp.real(jnp.sum(v * w)) for v, w in zip(leaves(theirs(*x)), weights))
    for _ in range(order):
        df, dg = fx.grad(f, argnums=n), jax.grad(g, argnums=n)
        for a, b in zip(df(*args), dg(*args), strict=True):
            np.testing.assert_allclose(
                np.asarray(a), b, rtol=rtol, atol=rtol * max(1, np.abs(b).max(initial=0))
            )
        ways, rtol = [like(x) for x in args], 100 * rtol
        f = lambda *x, df=df: sum(fnp.real(fnp.sum(v * w)) for v, w in zip(df(*x), ways))
        g = lambda *x, dg=dg: sum(jnp.real(jnp.sum(v * w)) for v, w in zip(dg(*x), ways))


def difference(f, x, t, h=1e-5):
    return (f(x + h * t) - f(x - h * t)) / (2 * h)


def tangent(f, x, t):
    return np.asarray(fx.jvp(f, (x,), (t,))[1])


def H(x):
    return x.conj().swapaxes(-1, -2)


def scaled(u, s):
    """u diag(s) for fx arrays."""
    return u * fnp.astype(s, u.dtype)[..., None, :]


# ---- systems ---------------------------------------------------------------------------------------------
@KINDS
def test_cholesky(kind):
    rng = np.random.default_rng(0)
    same_as_jax(linalg.cholesky, jnp.linalg.cholesky, positive(rng, 2, 4, 4, kind=kind))
    same_as_jax(linalg.cholesky, jnp.linalg.cholesky, positive(rng, 3, 3, kind=kind) + 0.1 * draw(rng, 3, 3))


def test_cholesky_of_one_triangle_gives_it_the_whole_gradient():
    a = positive(np.random.default_rng(1), 3, 3)
    f = lambda a: linalg.cholesky(a, symmetrize_input=False).sum()
    g = np.asarray(fx.grad(f)(a + np.triu(np.ones((3, 3)), 1)))
    assert not np.triu(g, 1).any()
    full = np.asarray(fx.grad(lambda a: linalg.cholesky(a).sum())(a))
    np.testing.assert_allclose(g, np.tril(full + full.T) - np.diag(np.diag(full)), rtol=1e-12)


@KINDS
@pytest.mark.parametrize("left_side", [True, False])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("unit_diagonal", [True, False])
def test_triangular_solve(kind, left_side, lower, unit_diagonal):
    rng = np.random.default_rng(2)
    a, b = regular(rng, 2, 4, 4, kind=kind), draw(rng, 2, 4, 4, kind=kind)
    params = {"left_side": left_side, "lower": lower, "unit_diagonal": unit_diagonal}
    for transpose, conjugate in [
        (False, False),
        (True, False),
        *([(True, True)] if kind == "complex" else []),
    ]:
        wanted = {**params, "transpose_a": transpose, "conjugate_a": conjugate}
        same_as_jax(
            lambda a, b: linalg.triangular_solve(a, b, **wanted),
            lambda a, b: jax.lax.linalg.triangular_solve(a, b, **wanted),
            a, b,
        )  # fmt: skip
    same_as_jax(
        lambda a, b: linalg.triangular_solve(a, b, conjugate_a=True, **params),
        lambda a, b: jax.lax.linalg.triangular_solve(a.conj(), b, **params),
        a, b, order=1,
    )  # fmt: skip


@KINDS
@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 3), (5, 3), (3, 5), (40, 2, 3)])
def test_lu(kind, shape):
    a = draw(np.random.default_rng(3), *shape, kind=kind)
    packed, pivots, order = linalg.lu(a)
    for ours, theirs in zip((packed, pivots, order), jax.lax.linalg.lu(a), strict=True):
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-12)
    same_as_jax(lambda a: linalg.lu(a)[0], lambda a: jax.lax.linalg.lu(a)[0], a)
    if shape[-1] == shape[-2]:
        b = draw(np.random.default_rng(4), *shape[:-1], 2, kind=kind)
        for transpose in (False, True):
            want = np.linalg.solve(a.swapaxes(-1, -2) if transpose else a, b)
            np.testing.assert_allclose(
                np.asarray(linalg.lu_solve(packed, order, b, transpose)), want, rtol=1e-9
            )


@KINDS
@pytest.mark.parametrize("batch", [(), (2,), (50,)])
def test_solve(kind, batch):
    rng = np.random.default_rng(5)
    same_as_jax(
        linalg.solve, jnp.linalg.solve,
        regular(rng, *batch, 3, 3, kind=kind), draw(rng, *batch, 3, 2, kind=kind),
    )  # fmt: skip


@KINDS
def test_inv_det_and_slogdet(kind):
    rng = np.random.default_rng(6)
    a = draw(rng, 2, 4, 4, kind=kind)
    same_as_jax(linalg.inv, jnp.linalg.inv, a)
    same_as_jax(linalg.det, jnp.linalg.det, a)
    same_as_jax(linalg.slogdet, lambda a: tuple(jnp.linalg.slogdet(a)), a)


def names(function, *args):
    return [e.primitive.name for e in fx.make_program(function)(*args).equations]


def test_a_differentiated_solve_factors_its_matrix_once():
    a, b = np.eye(3), np.ones((3, 1))
    found = names(fx.grad(lambda a, b: linalg.solve(a, b).sum(), argnums=(0, 1)), a, b)
    assert found.count("lu") == 1 and "solve" not in found
    assert found.count("triangular_solve") == 4


def test_a_batch_of_right_sides_does_not_repeat_the_matrix():
    a, b = regular(np.random.default_rng(7), 3, 3), draw(np.random.default_rng(8), 5, 3, 2)
    run = fx.vmap(linalg.solve, in_axes=(None, 0))
    program = fx.make_program(run)(a, b)
    (eqn,) = [e for e in program.equations if e.primitive.name == "solve"]
    assert [v.aval.shape for v in eqn.inputs] == [(3, 3), (3, 10)]
    np.testing.assert_allclose(np.asarray(run(a, b)), np.linalg.solve(a, b), rtol=1e-12)


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("kind", ["real", "complex"])
def test_many_small_matrices_and_few_take_different_ways_to_one_result(transpose, kind, monkeypatch):
    rng = np.random.default_rng(9)
    a, b = regular(rng, 6, 4, 4, kind=kind), draw(rng, 6, 4, 2, kind=kind)
    options = {"lower": True, "transpose": transpose, "conjugate": kind == "complex", "unit": False}
    found = []
    for loop in (True, False):
        monkeypatch.setattr(_lapack, "use_loop", lambda a, loop=loop: loop)
        found.append((*_lapack.lu(np, a), _lapack.solve_triangular(np, a, b, **options)))
    for x, y in zip(*found, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)


# ---- determinants of singular matrices -------------------------------------------------------------------
def of_rank(rng, n, rank, kind="real"):
    return draw(rng, n, rank, kind=kind) @ draw(rng, rank, n, kind=kind)


@KINDS
@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_derivatives_of_det_hold_at_every_rank(kind, rank):
    rng = np.random.default_rng(10 + rank)
    a = of_rank(rng, 4, rank, kind)
    t, s = draw(rng, 2, 4, 4, kind=kind)
    minors = linalg._cofactor_oracle(a)
    np.testing.assert_allclose(np.asarray(linalg.cofactor(a)), minors, atol=1e-10)
    np.testing.assert_allclose(tangent(linalg.det, a, t), (minors * t).sum(), atol=1e-10)
    second = tangent(lambda a: fx.jvp(linalg.det, (a,), (t,))[1], a, s)
    np.testing.assert_allclose(second, (linalg._cofactor_oracle(a, s) * t).sum(), rtol=1e-9, atol=1e-9)


def test_second_derivative_of_det_at_the_identity():
    t, s = draw(np.random.default_rng(15), 2, 5, 5)
    found = tangent(lambda a: fx.jvp(linalg.det, (a,), (t,))[1], np.eye(5), s)
    np.testing.assert_allclose(found, np.trace(t) * np.trace(s) - np.trace(t @ s), rtol=1e-12)


def test_third_derivative_of_det_at_a_regular_matrix():
    t, s, r = draw(np.random.default_rng(16), 3, 4, 4)
    second = lambda a: fx.jvp(lambda a: fx.jvp(linalg.det, (a,), (t,))[1], (a,), (s,))[1]
    found = tangent(second, np.eye(4), r)
    np.testing.assert_allclose(found, difference(lambda a: np.asarray(second(a)), np.eye(4), r), rtol=1e-7)


def test_slogdet_of_a_singular_matrix_is_minus_infinity_everywhere():
    a = np.stack([np.ones((2, 2)), 2 * np.eye(2)])
    for xp, put in ((np, np.asarray), (strict.xp, strict.asarray)):
        sign, logdet = (x if xp is np else x.get() for x in _lapack.slogdet(xp, put(a)))
        np.testing.assert_array_equal(sign, [0, 1])
        np.testing.assert_allclose(logdet, [-np.inf, np.log(4)])
    with pytest.raises(errors.LinAlgError, match="singular"):
        fx.grad(lambda a: linalg.slogdet(a)[1])(np.ones((2, 2)))


# ---- orthogonal and spectral factorizations --------------------------------------------------------------
@KINDS
@pytest.mark.parametrize("shape", [(2, 4, 4), (5, 3)])
def test_qr(kind, shape):
    same_as_jax(
        spectral.qr, lambda a: tuple(jnp.linalg.qr(a)), draw(np.random.default_rng(20), *shape, kind=kind)
    )


@KINDS
def test_qr_of_a_wide_matrix(kind):
    fx.testing.check_grads(spectral.qr, (draw(np.random.default_rng(21), 2, 3, 5, kind=kind),))


@KINDS
def test_the_left_null_space_from_complete_qr_and_full_svd_moves_as_it_should(kind):
    rng = np.random.default_rng(22)
    a, t = draw(rng, 2, 5, 3, kind=kind)
    null = lambda n: n @ H(n)
    want = difference(lambda a: null(np.linalg.qr(a, mode="complete")[0][:, 3:]), a, t)
    from_qr = lambda a: (lambda n: n @ adjoint(n))(spectral.qr(a, full_matrices=True)[0][:, 3:])
    from_svd = lambda a: (lambda n: n @ adjoint(n))(spectral.svd(a, full_matrices=True)[0][:, 3:])
    from_right = lambda a: (lambda n: adjoint(n) @ n)(spectral.svd(adjoint(a), full_matrices=True)[2][3:])
    for f in (from_qr, from_svd, from_right):
        np.testing.assert_allclose(tangent(f, a, t), want, rtol=1e-7, atol=1e-8)


@KINDS
def test_eigh(kind):
    rng = np.random.default_rng(23)
    a = positive(rng, 2, 4, 4, kind=kind)
    same_as_jax(spectral.eigvalsh, jnp.linalg.eigvalsh, a)
    same_as_jax(
        lambda a: (lambda w, v: (w, scaled(v, w**3) @ adjoint(v), fnp.abs(v) ** 2))(*spectral.eigh(a)),
        lambda a: (lambda w, v: (w, (v * (w**3)[..., None, :]) @ H(v), jnp.abs(v) ** 2))(*jnp.linalg.eigh(a)),
        a,
    )
    if kind == "real":
        same_as_jax(spectral.eigh, lambda a: tuple(jnp.linalg.eigh(a)), a)


@pytest.mark.parametrize("part", ["lower", "upper"])
@KINDS
def test_eigh_of_one_triangle(part, kind):
    a = draw(np.random.default_rng(24), 3, 3, kind=kind)
    w, v = spectral.eigh(a, part)
    want = np.linalg.eigh(a, part[0].upper())
    np.testing.assert_allclose(np.asarray(w), want[0], rtol=1e-12)
    np.testing.assert_allclose(np.abs(np.asarray(v)), np.abs(want[1]), rtol=1e-9)
    fx.testing.check_grads(lambda a: spectral.eigh(a, part), (a,))


@KINDS
@pytest.mark.parametrize("shape", [(2, 4, 4), (5, 3), (3, 5)])
def test_svd(kind, shape):
    a = draw(np.random.default_rng(25), *shape, kind=kind)
    same_as_jax(spectral.svdvals, lambda a: jnp.linalg.svd(a, compute_uv=False), a)
    same_as_jax(
        lambda a: (lambda u, s, vh: (scaled(u, s * s) @ adjoint(u), u @ vh, fnp.abs(vh) ** 2))(
            *spectral.svd(a)
        ),
        lambda a: (lambda u, s, vh: ((u * (s * s)[..., None, :]) @ H(u), u @ vh, jnp.abs(vh) ** 2))(
            *jnp.linalg.svd(a, full_matrices=False)
        ),
        a,
    )
    if kind == "real":
        same_as_jax(spectral.svd, lambda a: tuple(jnp.linalg.svd(a, full_matrices=False)), a)


@KINDS
def test_eig(kind):
    rng = np.random.default_rng(26)
    for a in (draw(rng, 4, 4, kind=kind), draw(rng, 2, 3, 3, kind=kind)):
        same_as_jax(spectral.eigvals, lambda a: jeig(a)[0], a, rtol=1e-8)
        same_as_jax(spectral.eig, lambda a: tuple(jeig(a)), a, rtol=1e-8)


@KINDS
@pytest.mark.parametrize("shape", [(3, 3), (2, 5, 3), (3, 5)])
def test_pinv(kind, shape):
    a = draw(np.random.default_rng(27), *shape, kind=kind)
    same_as_jax(lambda a: spectral.pinv(a, np.full(shape[:-2], 1e-12)), jnp.linalg.pinv, a)


@KINDS
def test_pinv_where_the_rank_stays_below_full(kind):
    rng = np.random.default_rng(28)
    (x, dx), (y, dy) = draw(rng, 2, 5, 2, kind=kind), draw(rng, 2, 2, 4, kind=kind)
    curve = lambda h: np.linalg.pinv((x + h * dx) @ (y + h * dy), rcond=1e-9)
    want = (curve(1e-6) - curve(-1e-6)) / 2e-6
    found = tangent(lambda a: spectral.pinv(a, np.float64(1e-9)), x @ y, dx @ y + x @ dy)
    np.testing.assert_allclose(found, want, rtol=1e-6, atol=1e-6)


# ---- where eigenvalues or singular values coincide -------------------------------------------------------
def with_eigenvalues(rng, w, kind="real"):
    q, _ = np.linalg.qr(draw(rng, len(w), len(w), kind=kind))
    return (q * np.array(w)) @ H(q)


@KINDS
def test_the_projector_onto_a_repeated_eigenvalue_has_its_derivative(kind):
    rng = np.random.default_rng(30)
    a = with_eigenvalues(rng, [1.0, 1.0, 3.0, 3.0, 3.0], kind)
    t = draw(rng, 5, 5, kind=kind)
    t = t + H(t)
    top = lambda v: v[:, 2:] @ H(v[:, 2:])
    f = lambda a: (lambda v: v @ adjoint(v))(spectral.eigh(a)[1][:, 2:])
    np.testing.assert_allclose(
        tangent(f, a, t), difference(lambda a: top(np.linalg.eigh(a)[1]), a, t), rtol=1e-7, atol=1e-8
    )
    gradient = fx.grad(lambda a: (spectral.eigvalsh(a) ** 2).sum())(a)
    np.testing.assert_allclose(np.asarray(gradient), 2 * a.conj(), atol=1e-12)


@KINDS
def test_the_polar_factor_has_its_derivative_at_repeated_singular_values(kind):
    rng = np.random.default_rng(31)
    a = 2 * np.linalg.qr(draw(rng, 4, 4, kind=kind))[0]
    t = draw(rng, 4, 4, kind=kind)
    f = lambda a: (lambda u, s, vh: u @ vh)(*spectral.svd(a))
    want = difference(lambda a: scipy.linalg.polar(a)[0], a, t)
    np.testing.assert_allclose(tangent(f, a, t), want, rtol=1e-8, atol=1e-9)


@KINDS
@pytest.mark.parametrize("matrix", ["zeros", "identity", "rank one", "nearly repeated"])
def test_gradients_stay_finite(kind, matrix):
    rng = np.random.default_rng(32)
    a = {
        "zeros": np.zeros((3, 3)),
        "identity": np.eye(3),
        "rank one": np.ones((3, 3)),
        "nearly repeated": with_eigenvalues(rng, [1.0, 1.0 + 4e-16, 2.0]),
    }[matrix].astype(complex if kind == "complex" else float)
    for f in (spectral.eigh, spectral.svd, lambda a: spectral.svd(a, full_matrices=True), spectral.eig):
        g = lambda a, f=f: sum(fnp.real(fnp.sum(x * (1 + 0.5 * x))) for x in f(a))
        assert np.isfinite(np.asarray(fx.grad(g)(a))).all()
    for f in (spectral.eigvalsh, spectral.svdvals):
        g = lambda a, f=f: (f(a) ** 2).sum()
        assert np.isfinite(np.asarray(fx.grad(g)(a))).all()
        second = fx.grad(lambda a, g=g: fnp.real(fnp.sum(fx.grad(g)(a) ** 2)))(a)
        assert np.isfinite(np.asarray(second)).all()


def test_complex_vectors_have_a_real_first_component():
    a = draw(np.random.default_rng(33), 2, 4, 4, kind="complex")
    for part in ("mean", "lower", "upper"):
        assert np.abs(np.asarray(spectral.eigh(a, part)[1])[:, 0, :].imag).max() < 1e-15
    for m in (a, a[..., :3], a[:, :2]):
        u, s, vh = map(np.asarray, spectral.svd(m))
        assert np.abs(vh[..., :, 0].imag).max() < 1e-15
        np.testing.assert_allclose((u * s[..., None, :]) @ vh, m, rtol=1e-12, atol=1e-12)


# ---- failures --------------------------------------------------------------------------------------------
BAD = np.stack([np.eye(2), -np.ones((2, 2)), np.eye(2)])


@pytest.mark.parametrize("device", ["cpu", "strict"])
@pytest.mark.parametrize(
    ("f", "facts"),
    [
        (linalg.cholesky, "cholesky: the matrix is not positive definite"),
        (linalg.inv, "inv: the matrix is singular"),
        (lambda a: linalg.solve(a, a), "solve: the matrix is singular"),
        (fx.grad(lambda a: linalg.solve(a, a).sum()), "solve: the matrix is singular"),
    ],
)
def test_a_failure_names_the_matrix_of_the_batch(f, facts, device):
    with fx.default_device(device):
        for g in (f, fx.jit(f)):
            with pytest.raises(errors.LinAlgError, match=rf"{facts}(.|\n)*\[1\] of.*f64\[3,2,2\]") as found:
                g(fnp.asarray(BAD))
            assert isinstance(found.value, np.linalg.LinAlgError) and isinstance(found.value, errors.FxError)
            with pytest.raises(errors.LinAlgError, match=rf"{facts}(.|\n)*f64\[2,2\]"):
                g(fnp.asarray(BAD[1]))


def test_a_nan_in_svd_is_reported_and_hinted_at():
    with pytest.raises(errors.LinAlgError, match=r"svd: the iteration did not converge(.|\n)*isfinite"):
        spectral.svd(np.full((3, 3), np.nan))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32"])
def test_other_dtypes_are_refused_with_advice(dtype):
    x = fnp.asarray(np.eye(2)).astype(dtype)
    for f in (
        linalg.cholesky,
        linalg.inv,
        linalg.det,
        linalg.lu,
        spectral.svd,
        spectral.eigh,
        spectral.eig,
        spectral.qr,
    ):
        with pytest.raises(errors.DTypeError, match=r"float32(.|\n)*astype"):
            f(x)


@pytest.mark.parametrize(
    ("call", "facts"),
    [
        (lambda: linalg.inv(np.ones((2, 3))), r"inv takes square matrices.*f64\[2,3\]"),
        (lambda: linalg.det(np.ones(3)), r"det takes matrices.*f64\[3\]"),
        (lambda: linalg.solve(np.eye(3), np.ones((2, 1))), r"f64\[3,3\] and f64\[2,1\]"),
        (
            lambda: linalg.solve(np.ones((4, 3, 3)), np.ones((3, 1))),
            r"batch axes differ: f64\[4,3,3\], f64\[3,1\]",
        ),
        (lambda: linalg.triangular_solve(np.ones((2, 3)), np.ones((3, 1))), "triangular_solve takes"),
        (lambda: linalg.cofactor_p(np.eye(3), np.ones((3, 2))), r"direction f64\[3,2\]"),
        (lambda: spectral.pinv(np.eye(3), np.ones(2)), r"one rtol per matrix"),
    ],
)
def test_shapes_that_do_not_fit_are_shown(call, facts):
    with pytest.raises(errors.ShapeError, match=facts):
        call()


def test_what_is_linear_in_its_right_side_alone_says_so():
    transposed = fx.linear_transpose(lambda a: linalg.solve(a, np.ones((2, 1))), np.eye(2))
    with pytest.raises(errors.RuleError, match="linear in its right-hand side"):
        transposed(np.ones((2, 1)))


# ---- empty matrices --------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(0, 0), (0, 2, 2), (2, 0, 0)])
def test_empty_matrices_have_values_and_gradients(shape):
    a = np.zeros(shape)
    functions = [
        linalg.cholesky, linalg.inv, linalg.det, linalg.slogdet, lambda a: linalg.solve(a, a), spectral.qr,
        spectral.eigh, spectral.svd, spectral.svdvals, spectral.eigvalsh, spectral.eig, spectral.eigvals,
        lambda a: linalg.lu(a)[0], lambda a: spectral.pinv(a, np.zeros(a.shape[:-2])),
    ]  # fmt: skip
    for f in functions:
        g = lambda a, f=f: sum(fnp.real(fnp.sum(x)) for x in leaves(f(a)))
        assert np.asarray(fx.grad(g)(a)).shape == shape
    np.testing.assert_array_equal(np.asarray(linalg.det(a)), np.ones(shape[:-2]))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3)])
def test_empty_rectangles_decompose(shape):
    a, k = np.zeros(shape), min(shape[-2:])
    for f in (spectral.qr, spectral.svd, lambda a: spectral.svd(a, full_matrices=True), spectral.svdvals):
        assert np.asarray(fx.grad(lambda a, f=f: sum(fnp.sum(x) for x in leaves(f(a))))(a)).shape == shape
    assert np.asarray(spectral.svdvals(a)).shape == (*shape[:-2], k)
