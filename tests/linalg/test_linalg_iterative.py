"""cg, bicgstab, gmres, fixed_point; custom_linear_solve and custom_root: values, derivatives in both modes, laws."""

import jax
import numpy as np
import pytest

import fx
import fx.linalg as fl
import fx.numpy as fnp
from fx import lax
from fx.testing import check_grads, check_jit, check_vmap

rng = np.random.default_rng(0)
N = 6
A = rng.normal(size=(N, N)) + N * np.eye(N)
P = A @ A.T / N
B = rng.normal(size=N)
AC = A + 1j * rng.normal(size=(N, N))
PC = AC @ AC.conj().T / N
BC = B + 1j * rng.normal(size=N)
TIGHT = {"tol": 1e-13}
SOLVERS = {"cg": (fl.cg, P, PC), "bicgstab": (fl.bicgstab, A, AC), "gmres": (fl.gmres, A, AC)}
every_solver = pytest.mark.parametrize("name", SOLVERS)


def close(found, want, tol=1e-9):
    np.testing.assert_allclose(np.asarray(found), want, rtol=tol, atol=tol)


# ---- linear systems ---------------------------------------------------------------------------------------
@every_solver
def test_solutions(name):
    solver, real, complex_ = SOLVERS[name]
    for a, b in ((real, B), (complex_, BC)):
        want = np.linalg.solve(a, b)
        x, info = solver(a, b, **TIGHT)
        close(x, want)
        assert int(info) == 0 and info.dtype == np.int32
        close(solver(lambda v: a @ v, b, np.ones_like(b), M=np.diag(1 / np.diag(a)), **TIGHT)[0], want)
        close(fx.jit(lambda b: solver(a, b, **TIGHT)[0])(b), want)
        close(solver(a, b, want)[0], want)


@every_solver
def test_derivatives_are_those_of_the_solution(name):
    solver, real, complex_ = SOLVERS[name]
    f = lambda a, b: solver(a, b, **TIGHT)[0]
    sym = lambda a: (a + a.T) / 2 if name == "cg" else a
    check_grads(lambda a, b: f(sym(a), b), (real, B), order=2)
    hermitian = lambda a: (a + a.conj().T) / 2 if name == "cg" else a
    check_grads(lambda a, b: f(hermitian(a), b), (complex_, BC), order=1)
    wanted = fx.grad(lambda a, b: fnp.linalg.solve(a, b).sum(), argnums=(0, 1))(real, B)
    for mine, theirs in zip(
        fx.grad(lambda a, b: f(a, b).sum(), argnums=(0, 1))(real, B), wanted, strict=True
    ):
        close(mine, np.asarray(theirs), 1e-8)


@every_solver
def test_batches(name):
    solver, real, _ = SOLVERS[name]
    f = lambda a, b: solver(a, b, **TIGHT)[0]
    check_vmap(f, (real, B), axis_size=2, rtol=1e-8, atol=1e-8)
    check_jit(f, (real, B), rtol=1e-8, atol=1e-8)
    g = fx.grad(lambda b: f(real, b).sum())
    close(fx.vmap(g)(np.stack([B, 2 * B])), np.stack([np.asarray(g(B))] * 2), 1e-8)


@every_solver
def test_trees(name):
    solver, real, _ = SOLVERS[name]

    def operator(v):
        flat = real @ fnp.concatenate([v["x"], v["y"][0]])
        return {"x": flat[:2], "y": (flat[2:],)}

    b = {"x": B[:2], "y": (B[2:],)}
    x, _ = solver(operator, b, **TIGHT)
    want = np.linalg.solve(real, B)
    close(x["x"], want[:2])
    close(x["y"][0], want[2:])
    g = fx.grad(lambda b: solver(operator, b, **TIGHT)[0]["y"][0].sum())(b)
    close(np.concatenate([g["x"], g["y"][0]]), np.linalg.solve(real.T, np.r_[0, 0, np.ones(4)]))


@every_solver
def test_a_preconditioner_keeps_the_derivatives(name):
    solver, real, _ = SOLVERS[name]
    inverse = np.linalg.inv(real) + 0.01 * np.eye(N)
    for m in (inverse, lambda v: inverse @ v):
        check_grads(lambda b, m=m: solver(real, b, M=m, **TIGHT)[0], (B,), order=1)


@every_solver
def test_what_does_not_converge_says_so(name):
    solver, real, _ = SOLVERS[name]
    options = {"restart": 2} if name == "gmres" else {}
    x, info = solver(real, B, maxiter=1, **TIGHT, **options)
    assert int(info) == 1
    assert np.isfinite(np.asarray(x)).all()
    assert int(solver(real, B, maxiter=1, tol=0.0, atol=1e3)[1]) == 0
    zero, info = solver(real, 0 * B)
    assert int(info) == 0 and not np.asarray(zero).any()


def test_gmres_with_restarts_and_spaces_that_end_early():
    close(fl.gmres(A, B, restart=3, maxiter=200, **TIGHT)[0], np.linalg.solve(A, B))
    identity, info = fl.gmres(np.eye(N), B, **TIGHT)
    close(identity, B)
    assert int(info) == 0
    close(fl.gmres(A, B, solve_method="incremental", **TIGHT)[0], np.linalg.solve(A, B))


def test_bicgstab_breaks_down_with_an_info():
    rotation = np.array([[0.0, 1.0], [-1.0, 0.0]])
    x, info = fl.bicgstab(rotation, np.array([1.0, 0.0]), tol=1e-12)
    assert int(info) == -1 and np.isfinite(np.asarray(x)).all()


def test_results_are_those_of_jax():
    with jax.enable_x64(True):
        theirs = jax.scipy.sparse.linalg.cg
        want = np.asarray(theirs(P, B, tol=1e-13)[0])
        slope = np.asarray(jax.grad(lambda b: theirs(P, b, tol=1e-13)[0].sum())(B))
    close(fl.cg(P, B, **TIGHT)[0], want)
    close(fx.grad(lambda b: fl.cg(P, b, **TIGHT)[0].sum())(B), slope)


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: fl.cg(np.eye(3), B), r"A is f64\[3,3\]; b has 6 elements"),
        (lambda: fl.cg(lambda v: v[:2], B), "what A returns"),
        (lambda: fl.cg(lambda v: {"x": v}, B), "is no tree like b"),
        (lambda: fl.cg(A, B, np.ones(2)), "x0 has a leaf"),
        (lambda: fl.cg(AC, B), "Convert one of them"),
        (lambda: fl.gmres(A, B, restart=0), "restart must be positive"),
        (lambda: fl.gmres(A, B, solve_method="fast"), "'fast'; it must be one of"),
        (lambda: fl.bicgstab(A, ()), "b has no arrays"),
        (lambda: fl.fixed_point(3, 1.0), "func"),
        (lambda: fl.fixed_point(fnp.cos, 1.0, method="newton"), "'newton'; it must be one of"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(fx.FxError, match=match):
        call()


# ---- fixed points -----------------------------------------------------------------------------------------
def test_fixed_points():
    a = np.array([0.5, 1.0, 2.0])
    solution = lambda a: fl.fixed_point(lambda x, a: fnp.cos(x) / a, fnp.ones_like(a), (a,), xtol=1e-14)
    x = np.asarray(solution(a + 0.6))
    close(x, np.cos(x) / (a + 0.6))
    for method in ("del2", "iteration"):
        f = lambda a, m=method: fl.fixed_point(lambda x: fnp.cos(a * x), 0.5 * a, xtol=1e-14, method=m)
        close(f(np.array([0.3, 0.8])), f(np.array([0.3, 0.8])))
    check_grads(solution, (a + 0.6,), order=2)
    check_vmap(solution, (a + 0.6,), axis_size=2, rtol=1e-9)
    check_jit(solution, (a + 0.6,), rtol=1e-9)


def test_fixed_points_of_trees_that_are_coupled():
    def f(state, a):
        return {"x": 0.3 * fnp.sin(state["y"]) + a, "y": 0.2 * state["x"] ** 2}

    start = {"x": np.float64(0.1), "y": np.float64(0.2)}
    value = lambda a: fl.fixed_point(f, start, (a,), xtol=1e-14)["y"]
    check_grads(value, (np.float64(0.7),), order=2)


def test_no_fixed_point():
    with pytest.raises(np.linalg.LinAlgError, match="no convergence in 20 steps"):
        fl.fixed_point(lambda x: x + 1.0, np.float64(0.0), maxiter=20)
    assert np.isnan(
        np.asarray(fx.jit(lambda x: fl.fixed_point(lambda y: y + x, 0 * x, maxiter=9))(np.float64(1.0)))
    )


# ---- custom_linear_solve ----------------------------------------------------------------------------------
def dense(f, b):
    """The matrix of f, and its inverse's product with b."""
    return fnp.linalg.solve(fx.jacobian(f, holomorphic=b.dtype.kind == "c")(b), b)


def solution(a, b, **options):
    return lax.custom_linear_solve(lambda x: a @ x, b, dense, **options)


def test_linear_solve_in_both_modes():
    f = lambda a, b: solution(a, b, transpose_solve=dense)
    close(f(A, B), np.linalg.solve(A, B))
    check_grads(f, (A, B), order=2)
    check_grads(f, (AC, BC), order=1)
    check_vmap(f, (A, B), axis_size=2)
    check_grads(lambda a, b: solution(a + a.T, b, symmetric=True), (A, B), order=2)
    check_grads(lambda a, b: solution(a, b), (A, B), order=2, modes="fwd")


def test_linear_solve_with_aux():
    solve = lambda f, b: (dense(f, b), {"size": abs(b).max()})
    f = lambda a, b: lax.custom_linear_solve(lambda x: a @ x, b, solve, solve, has_aux=True)
    x, aux = fx.jit(f)(A, B)
    close(x, np.linalg.solve(A, B))
    close(aux["size"], np.abs(B).max())
    check_grads(lambda a, b: f(a, b)[0], (A, B), order=2)
    _, tangent = fx.jvp(f, (A, B), (A, B))
    assert float(tangent[1]["size"]) == 0.0


def test_the_steps_of_a_solver_are_not_differentiated():
    calls = []

    def solve(f, b):
        x = fx.pure_callback(
            lambda b: (calls.append(1), np.linalg.solve(A, b))[1], fx.ShapeDtype((N,), "float64"), b
        )
        return x

    f = lambda b: lax.custom_linear_solve(lambda x: A @ x, b, solve, symmetric=True)
    close(fx.jvp(f, (B,), (B,))[1], np.linalg.solve(A, B))
    assert len(calls) == 2


def test_linear_solve_errors():
    with pytest.raises(fx.RuleError, match="transpose_solve"):
        fx.grad(lambda b: solution(A, b).sum())(B)
    with pytest.raises(fx.ShapeError, match=r"must return f64\[6\] like the unknown; it returned f64\[2\]"):
        fx.jit(lambda b: lax.custom_linear_solve(lambda x: x[:2], b, dense))(B)
    with pytest.raises(fx.TreeError, match="another structure"):
        lax.custom_linear_solve(lambda x: x, B, lambda f, b: (b, b))
    with pytest.raises(fx.TreeError, match=r"returns a pair \(x, aux\)"):
        lax.custom_linear_solve(lambda x: x, B, lambda f, b: b, has_aux=True)
    with pytest.raises(fx.DTypeError, match="floating point"):
        lax.custom_linear_solve(lambda x: x, np.arange(3), lambda f, b: b)


# ---- custom_root ------------------------------------------------------------------------------------------
def newton(f, x):
    return lax.fori_loop(0, 30, lambda i, x: x - f(x) / fx.jvp(f, (x,), (fnp.ones_like(x),))[1], x)


def by_division(g, y):
    return y / g(fnp.ones_like(y))


def cube_root(a):
    return lax.custom_root(lambda x: x**3 - a, fnp.ones_like(a), newton, by_division)


def test_root_in_both_modes():
    a = np.array([0.5, 1.0, 8.0])
    close(cube_root(a), np.cbrt(a))
    check_grads(cube_root, (a,), order=3, rtol=1e-5)
    check_vmap(cube_root, (a,), axis_size=2)
    check_jit(cube_root, (a,))
    slope = fx.grad(lambda a: cube_root(a).sum())(a)
    close(slope, np.cbrt(a) / (3 * a))


def test_root_of_a_system_with_aux():
    def solve(f, x):
        step = lambda i, x: x - fnp.linalg.solve(fx.jacobian(f)(x), f(x))
        return lax.fori_loop(0, 20, step, x), 20

    def f(a):
        equations = lambda x: fnp.stack([x[0] ** 2 + x[1] - a[0], x[0] - x[1] ** 3 - a[1]])
        return lax.custom_root(equations, np.ones(2), solve, dense, has_aux=True)

    a = np.array([2.0, 0.3])
    (x, count) = fx.jit(f)(a)
    close([x[0] ** 2 + x[1], x[0] - x[1] ** 3], a, 1e-6)
    assert int(count) == 20
    check_grads(lambda a: lax.custom_root(
        lambda x: fnp.stack([x[0] ** 2 + x[1] - a[0], x[0] - x[1] ** 3 - a[1]]),
        fnp.ones(2, "float64"), lambda f, x: solve(f, x)[0], dense), (a,), order=2)  # fmt: skip


def test_the_guess_has_no_derivative():
    f = lambda guess: lax.custom_root(lambda x: x**2 - 4.0, guess, newton, by_division)
    assert float(fx.grad(f)(np.float64(1.5))) == 0.0


def test_root_gradient_is_that_of_jax():
    with jax.enable_x64(True):
        step = lambda f: lambda i, x: x - f(x) / jax.jvp(f, (x,), (1.0,))[1]
        solve = lambda f, x: jax.lax.fori_loop(0, 30, step(f), x)
        theirs = lambda a: jax.lax.custom_root(lambda x: x**3 - a, 1.0, solve, lambda g, y: y / g(1.0))
        want = [float(theirs(2.0)), float(jax.grad(theirs)(2.0)), float(jax.grad(jax.grad(theirs))(2.0))]
    two = np.float64(2.0)
    close([cube_root(two), fx.grad(cube_root)(two), fx.grad(fx.grad(cube_root))(two)], want)


def test_root_errors():
    with pytest.raises(fx.ShapeError, match="like the unknown"):
        fx.jit(lambda a: lax.custom_root(lambda x: x[:1], a, newton, by_division))(B)
    with pytest.raises(fx.TreeError, match="another structure"):
        lax.custom_root(lambda x: x, B, lambda f, x: (x,), by_division)
    with pytest.raises(fx.FxError, match="tangent_solve"):
        lax.custom_root(lambda x: x, B, newton, None)
