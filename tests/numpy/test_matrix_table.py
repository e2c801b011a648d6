"""The tables of fx.numpy.linalg, fx.numpy.fft and fx.linalg in docs/numpy.md: what claims derivatives has right ones.

One smooth call per function, in both modes against central differences; tests/linalg, tests/fft and test_numpy_linalg
hold the functions against JAX and at awkward points.
"""

from __future__ import annotations

import importlib
import runpy
from pathlib import Path

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.testing import check_grads

PAGE = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "numpy_table.py"))
rng = np.random.default_rng(11)
A = rng.normal(size=(3, 3)) + 3 * np.eye(3)
B = rng.normal(size=(3, 3)) + 4 * np.eye(3)
S = A @ A.T / 4
T = rng.normal(size=(5, 3))
V, W = rng.normal(size=3), rng.normal(size=3)
L = rng.normal(size=6)
Z = L[:4] + 1j * rng.normal(size=4)
TRIANGLE = np.triu(A)
SLOWLY = {"tol": 1e-13}

sym = lambda a: a + fnp.matrix_transpose(a)
up_to_phase = lambda v: fnp.abs(v) ** 2
projector = lambda q: q @ fnp.conj(fnp.matrix_transpose(q))

SHARED = {
    "cond": lambda m: (m.cond, (A,)),
    "cholesky": lambda m: (lambda a: m.cholesky(sym(a)), (S,)),
    "det": lambda m: (m.det, (A,)),
    "eig": lambda m: (lambda a: [m.eig(a)[0], up_to_phase(m.eig(a)[1])], (A,)),
    "eigh": lambda m: (lambda a: [m.eigh(sym(a))[0], up_to_phase(m.eigh(sym(a))[1])], (S,)),
    "eigvals": lambda m: (m.eigvals, (A,)),
    "eigvalsh": lambda m: (lambda a: m.eigvalsh(sym(a)), (S,)),
    "inv": lambda m: (m.inv, (A,)),
    "lstsq": lambda m: (lambda a, b: m.lstsq(a, b)[0], (T, L[:5])),
    "norm": lambda m: (m.norm, (T,)),
    "pinv": lambda m: (m.pinv, (T,)),
    "slogdet": lambda m: (lambda a: m.slogdet(a)[1], (A,)),
    "solve": lambda m: (m.solve, (A, V)),
    "svd": lambda m: (lambda a: [m.svd(a)[1], up_to_phase(m.svd(a)[0][:, :3]), up_to_phase(m.svd(a)[2])], (T,)),
    "svdvals": lambda m: (m.svdvals, (T,)),
}  # fmt: skip
NUMPY_LINALG = {
    "qr": lambda m: (m.qr, (T,)),
    "cross": lambda m: (m.cross, (V, W)),
    "diagonal": lambda m: (m.diagonal, (A,)),
    "matmul": lambda m: (m.matmul, (A, B)),
    "matrix_norm": lambda m: (m.matrix_norm, (T,)),
    "matrix_power": lambda m: (lambda a: m.matrix_power(a, -3), (A,)),
    "matrix_transpose": lambda m: (m.matrix_transpose, (T,)),
    "multi_dot": lambda m: (lambda a, b, c: m.multi_dot([a, b, c]), (A, B, V)),
    "outer": lambda m: (m.outer, (V, W)),
    "tensordot": lambda m: (lambda a, b: m.tensordot(a, b, axes=1), (A, B)),
    "tensorinv": lambda m: (lambda a: m.tensorinv(a.reshape(3, 3, 9)), (np.kron(A, B),)),
    "tensorsolve": lambda m: (m.tensorsolve, (A, V)),
    "trace": lambda m: (m.trace, (A,)),
    "vecdot": lambda m: (m.vecdot, (A, B)),
    "vector_norm": lambda m: (m.vector_norm, (V,)),
}
FFT = {
    **{name: lambda m, name=name: (getattr(m, name), (Z,)) for name in "fft ifft irfft hfft".split()},
    **{
        name: lambda m, name=name: (getattr(m, name), (L,))
        for name in "rfft ihfft fftshift ifftshift".split()
    },
    **{
        name: lambda m, name=name: (getattr(m, name), (np.outer(Z, Z),))
        for name in "fft2 ifft2 irfft2 fftn ifftn irfftn".split()
    },
    **{name: lambda m, name=name: (getattr(m, name), (T,)) for name in "rfft2 rfftn".split()},
}
LINALG = {
    **{name: lambda m, name=name: (getattr(m, name), (A,)) for name in """
        expm logm sqrtm cosm sinm tanm coshm sinhm tanhm""".split()},
    **{name: lambda m, name=name: (getattr(m, name), (V,)) for name in "circulant companion fiedler".split()},
    "fiedler_companion": lambda m: (m.fiedler_companion, (L,)),
    "signm": lambda m: (lambda a: m.signm(a - 3.0 * fnp.eye(3)), (A,)),
    "funm": lambda m: (lambda a: m.funm(a, fnp.exp), (A,)),
    "fractional_matrix_power": lambda m: (lambda a: m.fractional_matrix_power(a, 0.3), (S,)),
    "powm": lambda m: (lambda a: m.powm(a, -0.5), (S,)),
    "expm_frechet": lambda m: (m.expm_frechet, (A, B)),
    "toeplitz": lambda m: (m.toeplitz, (V, W)),
    "hankel": lambda m: (m.hankel, (V, W)),
    "leslie": lambda m: (m.leslie, (V, W[:2])),
    "block_diag": lambda m: (m.block_diag, (A, T)),
    "convolution_matrix": lambda m: (lambda a: m.convolution_matrix(a, 4), (V,)),
    "solve_triangular": lambda m: (m.solve_triangular, (TRIANGLE, V)),
    "cho_factor": lambda m: (lambda a: fnp.triu(m.cho_factor(sym(a))[0]), (S,)),
    "cho_solve": lambda m: (lambda c, b: m.cho_solve((c, False), b), (TRIANGLE, V)),
    "lu": lambda m: (lambda a: m.lu(a)[1:], (A,)),
    "lu_factor": lambda m: (lambda a: m.lu_factor(a)[0], (A,)),
    "lu_solve": lambda m: (lambda a, b: m.lu_solve(m.lu_factor(a), b), (A, V)),
    "solve_sylvester": lambda m: (m.solve_sylvester, (A, B, T[:3])),
    "solve_lyapunov": lambda m: (m.solve_lyapunov, (A, B)),
    "solve_continuous_lyapunov": lambda m: (m.solve_continuous_lyapunov, (A, B)),
    "solve_discrete_lyapunov": lambda m: (m.solve_discrete_lyapunov, (A / 8, B)),
    "tridiagonal_solve": lambda m: (m.tridiagonal_solve, (V / 4, W + 4, V / 5, T[:3])),
    "cholesky_update": lambda m: (m.cholesky_update, (np.triu(S) + np.eye(3), V)),
    "householder_product": lambda m: (m.householder_product, (T, V)),
    "eigh_tridiagonal": lambda m: (lambda d, e: m.eigh_tridiagonal(d, e, eigvals_only=True), (V * 3, W[:2])),
    "hessenberg": lambda m: (lambda a: up_to_phase(m.hessenberg(a)), (A,)),
    "schur": lambda m: (lambda a: up_to_phase(fnp.diagonal(m.schur(a, "complex")[0])), (A,)),
    "rsf2csf": lambda m: (lambda a: up_to_phase(fnp.diagonal(m.rsf2csf(*m.schur(a))[0])), (A,)),
    "qr": lambda m: (lambda a: m.qr(a, mode="economic"), (T,)),
    "qr_multiply": lambda m: (m.qr_multiply, (T, T.T)),
    "polar": lambda m: (m.polar, (T,)),
    "null_space": lambda m: (lambda a: projector(m.null_space(a)), (T.T,)),
    "orth": lambda m: (lambda a: projector(m.orth(a)), (T,)),
    "cg": lambda m: (lambda a, b: m.cg(lambda x: sym(a) @ x, b, **SLOWLY)[0], (S + np.eye(3), V)),
    "bicgstab": lambda m: (lambda a, b: m.bicgstab(lambda x: a @ x, b, **SLOWLY)[0], (A, V)),
    "gmres": lambda m: (lambda a, b: m.gmres(lambda x: a @ x, b, **SLOWLY)[0], (A, V)),
    "fixed_point": lambda m: (lambda a: m.fixed_point(lambda x, a: fnp.cos(a * x) / 2, a * 0, args=(a,)), (V,)),
}  # fmt: skip
POINTS = {
    "fx.numpy.linalg": {**SHARED, **NUMPY_LINALG},
    "fx.numpy.fft": FFT,
    "fx.linalg": {**SHARED, **LINALG},
}
CLAIMS = [
    (space, name)
    for space in PAGE["MATRIX_SPACES"]
    for name in PAGE["functions"](space)
    if PAGE["row"](name, space)[0] == "yes"
]


def test_every_claim_of_derivatives_has_a_point_and_every_point_is_claimed():
    points = {(space, name) for space, names in POINTS.items() for name in names}
    assert points == set(CLAIMS), points ^ set(CLAIMS)


@pytest.mark.parametrize(("space", "name"), CLAIMS)
def test_derivatives_are_there_in_both_modes_and_right(space, name):
    f, xs = POINTS[space][name](importlib.import_module(space))
    with fx.config(default_float="float64"):
        _, tangent = fx.jvp(
            f, xs, tuple(np.cos(np.arange(x.size)).reshape(x.shape).astype(x.dtype) for x in xs)
        )
        assert any((np.asarray(t) != 0).any() for t in fx.tree.leaves(tangent))
        check_grads(f, xs, order=1)


def test_what_claims_no_derivatives_returns_integers_or_takes_numbers_alone():
    for space in PAGE["MATRIX_SPACES"]:
        module = importlib.import_module(space)
        for name in PAGE["functions"](space):
            reason = PAGE["row"](name, space)[0]
            if reason == "made of static numbers":
                assert isinstance(getattr(module, name)(4), fx.Array)
            elif reason != "yes":
                assert np.asarray(getattr(module, name)(A)).dtype.kind == "i"
