"""Functions of matrices: SciPy's values, derivatives of every order at every kind of matrix, errors."""

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


def right_half(n, kind="real", seed=0):
    """Eigenvalues of positive real part."""
    return 0.3 * draw(n, n, kind=kind, seed=seed) + np.diag(1.0 + np.arange(n))


def close(found, want, rtol=1e-11):
    np.testing.assert_allclose(
        np.asarray(found), want, rtol=rtol, atol=rtol * max(1, np.abs(want).max(initial=0))
    )


EYE = np.eye(3)
FUNCTIONS = {
    "expm": (fl.expm, scipy.linalg.expm),
    "logm": (fl.logm, scipy.linalg.logm),
    "sqrtm": (fl.sqrtm, scipy.linalg.sqrtm),
    "signm": (lambda a: fl.signm(a - 1.5 * fnp.eye(3, dtype=a.dtype)), lambda a: scipy.linalg.signm(a - 1.5 * EYE)),
    "powm": (
        lambda a: fl.fractional_matrix_power(a, 0.3),
        lambda a: scipy.linalg.fractional_matrix_power(a, 0.3),
    ),
    "inverse_root": (lambda a: fl.powm(a, -0.5), lambda a: scipy.linalg.fractional_matrix_power(a, -0.5)),
    "cube": (lambda a: fl.powm(a, 3), lambda a: a @ a @ a),
    "cosm": (fl.cosm, scipy.linalg.cosm),
    "sinm": (fl.sinm, scipy.linalg.sinm),
    "tanm": (fl.tanm, scipy.linalg.tanm),
    "coshm": (fl.coshm, scipy.linalg.coshm),
    "sinhm": (fl.sinhm, scipy.linalg.sinhm),
    "tanhm": (fl.tanhm, scipy.linalg.tanhm),
    "funm": (lambda a: fl.funm(a, fnp.exp), scipy.linalg.expm),
    "funm_root": (
        lambda a: fl.funm(a, lambda x: fnp.sqrt(x) / (1 + x)),
        lambda a: scipy.linalg.solve(EYE + a, scipy.linalg.sqrtm(a)),
    ),
}  # fmt: skip
every_function = pytest.mark.parametrize("name", FUNCTIONS)


SLOW = ("logm", "powm", "inverse_root")
"""SciPy computes them in Python: milliseconds for a matrix."""


@KINDS
@every_function
def test_values_and_first_derivatives(name, kind):
    ours, theirs = FUNCTIONS[name]
    a = right_half(3, kind)
    close(ours(a), theirs(a), 1e-9)
    batch = np.stack([a, a.conj().T])
    close(ours(batch)[1], theirs(a.conj().T), 1e-9)
    if kind == "complex" and name != "inverse_root":
        check_grads(ours, (a,), order=1)
    if kind == "real" and not name.startswith("funm"):
        assert ours(a).dtype == np.float64


@every_function
def test_transformations_and_second_derivatives(name):
    ours = FUNCTIONS[name][0]
    a = right_half(3) if name not in SLOW else right_half(2)
    if name != "inverse_root":
        check_vmap(ours, (a,), axis_size=2)
        check_jit(ours, (a,))
    check_grads(
        ours,
        (a,),
        order=1 if name in ("cube", "coshm", "sinm", "tanhm", "powm", "inverse_root") else 2,
        rtol=1e-5,
    )


JORDAN = np.array([[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 2.0]])


@pytest.mark.parametrize("name", ["expm", "logm", "sqrtm", "powm", "cosm"])
@pytest.mark.parametrize(
    "a", [JORDAN, 2 * np.eye(3), np.diag([1.0, 1.0, 3.0])], ids=["jordan", "identity", "repeated"]
)
def test_derivatives_at_repeated_eigenvalues(name, a):
    a = a[1:, 1:] if name in SLOW else a
    check_grads(FUNCTIONS[name][0], (a,), order=1 if name in SLOW and a[0, 1] == 0 else 2, rtol=1e-5)


def test_derivatives_at_zero():
    check_grads(fl.expm, (np.zeros((2, 2)),), order=2)
    close(fx.jvp(fl.expm, (np.zeros((2, 2)),), (np.ones((2, 2)),))[1], np.ones((2, 2)))


@KINDS
def test_expm_frechet(kind):
    a, e = draw(3, 3, kind=kind), draw(3, 3, kind=kind, seed=1)
    for found, want in zip(fl.expm_frechet(a, e), scipy.linalg.expm_frechet(a, e), strict=True):
        close(found, want)
    close(fl.expm_frechet(a, 1e-9 * e, compute_expm=False), 1e-9 * scipy.linalg.expm_frechet(a, e)[1], 1e-11)
    close(
        fl.expm_frechet(a, 1e9 * e, method="SPS", compute_expm=False) / 1e9,
        scipy.linalg.expm_frechet(a, e)[1],
    )
    close(fx.jvp(fl.expm, (a,), (e,))[1], scipy.linalg.expm_frechet(a, e)[1])
    assert not np.asarray(fl.expm_frechet(a, 0 * e)[1]).any()
    check_grads(fl.expm_frechet, (a, e), order=2 if kind == "real" else 1)


def test_third_derivative_of_expm_along_commuting_directions():
    """d^3/dt^3 exp(t a) at t is a^3 exp(t a)."""
    a = draw(3, 3)
    f = lambda t: fl.expm(t * a)
    for _ in range(3):
        f = fx.jacfwd(f)
    close(f(0.7 * np.ones(()))[:, :], a @ a @ a @ scipy.linalg.expm(0.7 * a), 1e-9)


def test_expm_of_upper_triangles_and_large_matrices():
    a = draw(4, 4)
    close(fl.expm(a, upper_triangular=True), scipy.linalg.expm(np.triu(a)))
    close(fl.expm(a, max_squarings=20), scipy.linalg.expm(a))
    skew = 100 * (a - a.T)
    found = np.asarray(fl.expm(skew))
    close(found @ found.T, np.eye(4), 1e-11)


@pytest.mark.parametrize("dtype", ["float64", "complex128", "float32"])
@pytest.mark.parametrize(
    "eigenvalues", [(1e-3, 0.5, 7.0, 90.0), (2.0, 2.0, 2.0, 3.0), (1.0, 1 + 1e-9, 1 + 1e-5, 4.0)]
)
def test_functions_of_positive_definite_matrices(eigenvalues, dtype):
    """By eigenvalues, also equal and close ones, against SciPy's functions of the block matrix."""
    turn = np.linalg.qr(draw(4, 4, seed=3) + (1j * draw(4, 4, seed=4) if dtype == "complex128" else 0))[0]
    a = (turn * np.array(eigenvalues)) @ turn.conj().T
    a = ((a + a.conj().T) / 2).astype(dtype)
    e = (draw(4, 4, seed=5) * (1 + 2j if dtype == "complex128" else 1)).astype(dtype)
    block = np.block([[a, e], [np.zeros_like(a), a]]).astype(np.result_type(dtype, "f8"))
    for ours, theirs in (
        (fl.logm, scipy.linalg.logm),
        (fl.sqrtm, scipy.linalg.sqrtm),
        (lambda a: fl.powm(a, -1.3), lambda a: scipy.linalg.fractional_matrix_power(a, -1.3)),
    ):
        found = fx.jvp(ours, (a,), (e,))
        exact = np.asarray(theirs(block))
        for x, y in zip(found, (exact[:4, :4], exact[:4, 4:]), strict=True):
            scale = np.abs(y).max() * (5e-3 if dtype == "float32" else 2e-9)
            assert x.dtype == np.dtype(dtype)
            np.testing.assert_allclose(x, y, atol=scale)
    check_grads(fl.logm, (a.astype(np.result_type(dtype, "f8")),), order=2, rtol=1e-3, atol=1e-3)


def test_a_traced_power_has_a_derivative():
    a = right_half(2)
    check_grads(lambda a, t: fl.fractional_matrix_power(a, t), (a, np.float64(0.4)), order=1)
    f = fx.jit(lambda t: fl.powm(a, t))
    close(f(0.4 * np.ones(())), scipy.linalg.fractional_matrix_power(a, 0.4), 1e-9)


def test_funm_with_an_error_estimate():
    result, error = fl.funm(right_half(3), fnp.cos, disp=False)
    close(result, scipy.linalg.cosm(right_half(3)), 1e-10)
    assert 0 < float(error) < 1e-13
    assert result.dtype == np.complex128
    close(fl.funm(np.diag([2.0, 2.0, 3.0]), fnp.exp), np.diag(np.exp([2, 2, 3])), 1e-13)
    close(
        fl.funm(np.array([[2.0, 1.0], [0.0, 2.0]]), fnp.exp),
        scipy.linalg.expm(np.array([[2.0, 1], [0, 2]])),
        1e-13,
    )


def test_negative_eigenvalues_need_complex_matrices():
    a = np.diag([-1.0, 2.0])
    for f in (fl.sqrtm, fl.logm, lambda a: fl.powm(a, 0.5)):
        with pytest.raises(np.linalg.LinAlgError, match="astype"):
            f(a)
    close(fl.sqrtm(a.astype(complex)), np.diag([1j, np.sqrt(2)]))
    close(fl.logm(a.astype(complex)), np.diag([np.pi * 1j, np.log(2)]))
    rotation = np.array([[0.0, -1.0], [1.0, 0.0]])
    close(fl.logm(rotation), np.pi / 2 * rotation)
    assert fl.sqrtm(rotation).dtype == np.float64


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: fl.logm(np.zeros((2, 2))), "logm: the matrix is singular"),
        (lambda: fl.sqrtm(np.array([[0.0, 1.0], [0.0, 0.0]])), "sqrtm: the matrix has no square root"),
        (lambda: fl.signm(np.zeros((2, 2))), "imaginary axis"),
        (lambda: fl.signm(np.array([[0.0, -1.0], [1.0, 0.0]])), "imaginary axis"),
        (lambda: fl.powm(np.zeros((2, 2)), -0.5), "powm: the matrix has no such power"),
        (lambda: fl.powm(np.zeros((2, 2)), -1), "singular"),
        (lambda: fl.expm(np.array([[np.nan]])), "NaN or infinite"),
        (lambda: fx.jit(fl.logm)(np.zeros((2, 2))), "logm: the matrix is singular"),
        (lambda: fl.logm(np.stack([np.eye(2), np.zeros((2, 2))])), r"matrix \[1\] of the batch"),
        (lambda: fx.grad(lambda a: fl.sqrtm(a).sum())(np.zeros((2, 2))), "differentiable"),
    ],
)
def test_failures(call, match):
    with pytest.raises(np.linalg.LinAlgError, match=match):
        call()


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: fl.expm(np.ones((2, 3))), "square"),
        (lambda: fl.expm_frechet(np.eye(2), np.eye(3)), "of one size"),
        (lambda: fl.expm_frechet(np.eye(2), np.eye(2), method="best"), "'best'"),
        (lambda: fl.funm(np.eye(2), 3), "func"),
        (lambda: fl.powm(np.eye(2), 1j), "real number"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(fx.FxError, match=match):
        call()


@every_function
def test_single_precision_and_memory_orders(name):
    ours = FUNCTIONS[name][0]
    a = right_half(3)
    want = np.asarray(ours(a))
    assert_close(ours(np.asfortranarray(a)), want)
    assert_close(ours(np.ascontiguousarray(a[::-1])[::-1]), want)
    small = ours(a.astype(np.float32))
    assert small.dtype == (np.complex64 if name.startswith("funm") else np.float32)
    close(small, want, 1e-4)


def test_empty_and_single():
    for f in (fl.expm, fl.logm, fl.sqrtm, fl.cosm, fl.signm, lambda a: fl.powm(a, 0.5)):
        assert f(np.zeros((0, 0))).shape == (0, 0)
        assert f(np.zeros((3, 0, 0))).shape == (3, 0, 0)
    close(fl.sqrtm(np.full((1, 1), 4.0)), [[2.0]])
    close(fl.sqrtm(np.zeros((2, 2))), np.zeros((2, 2)))
    close(fl.funm(np.full((1, 1), 4.0), fnp.sqrt), [[2.0]])
