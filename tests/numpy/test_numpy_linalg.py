"""fx.numpy.linalg against numpy.linalg (every function, real and complex, batched, empty) and jax.numpy.linalg."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.core import errors, tree
from fx.numpy import linalg
from fx.testing import check_grads, check_jit, check_vmap

KINDS = pytest.mark.parametrize("kind", ["real", "complex"])
MATRICES = {"square": (2, 4, 4), "tall": (3, 5, 2), "wide": (3, 2, 5), "flat": (4, 3)}
SHAPES = pytest.mark.parametrize("shape", MATRICES.values(), ids=MATRICES)
VECTOR_ORDERS = [0, 1, 2, 3, 0.5, -1, -2.5, np.inf, -np.inf]
MATRIX_ORDERS = [None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf]


def draw(*shape, kind="real", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    return x if kind == "real" else x + 1j * rng.normal(size=shape)


def positive(*shape, kind="real"):
    x = draw(*shape, kind=kind)
    return x @ x.conj().swapaxes(-1, -2) + np.eye(shape[-1])


def same(ours, theirs, rtol=1e-9):
    ours, theirs = (list(x) if isinstance(x, tuple) else [x] for x in (ours, theirs))
    for a, b in zip(ours, theirs, strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(np.asarray(a), b, rtol=rtol, atol=rtol)


def test_every_function_of_numpy_is_there_with_its_parameters():
    for name in np.linalg.__all__:
        ours = getattr(linalg, name)
        if inspect.isclass(ours):
            assert issubclass(ours, getattr(np.linalg, name))
            continue
        wanted = set(inspect.signature(getattr(np.linalg, name)).parameters) - {"out"}
        assert wanted - {"x1", "x2"} <= set(inspect.signature(ours).parameters), name


# ---- values ----------------------------------------------------------------------------------------------
@KINDS
def test_solve_broadcasts_as_numpy_2(kind):
    a = draw(2, 4, 4, kind=kind)
    for b in ((4,), (4, 1), (4, 3), (2, 4, 3), (5, 2, 4, 3), (5, 1, 4, 1)):
        b = draw(*b, kind=kind, seed=1)
        same(linalg.solve(a, b), np.linalg.solve(a, b))
        same(linalg.solve(a[0], b), np.linalg.solve(a[0], b))
    same(linalg.solve(np.zeros((0, 0)), np.zeros((5, 0, 2))), np.zeros((5, 0, 2)))
    same(linalg.solve(draw(4, 4), draw(4, kind=kind)), np.linalg.solve(draw(4, 4), draw(4, kind=kind)))


@KINDS
@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "eig", "eigvals", "cond"])
def test_functions_of_square_matrices(kind, name):
    a = draw(2, 4, 4, kind=kind)
    same(getattr(linalg, name)(a), getattr(np.linalg, name)(a))


@KINDS
def test_cholesky_both_ways(kind):
    a = positive(2, 4, 4, kind=kind)
    for upper in (False, True):
        same(linalg.cholesky(a, upper=upper), np.linalg.cholesky(a, upper=upper))
        part = np.triu(a) if upper else np.tril(a)
        factor = linalg.cholesky(part, upper=upper, symmetrize_input=False)
        same(factor, np.linalg.cholesky(part, upper=upper))


@KINDS
@SHAPES
def test_factorizations_of_any_matrix(kind, shape):
    a = draw(*shape, kind=kind)
    for mode in ("reduced", "complete", "r"):
        same(linalg.qr(a, mode), np.linalg.qr(a, mode))
    for full in (True, False):
        u, s, vh = linalg.svd(a, full)
        assert [x.shape for x in (u, s, vh)] == [x.shape for x in np.linalg.svd(a, full)]
        k = s.shape[-1]
        same((u[..., :k] * fnp.astype(s, u.dtype)[..., None, :]) @ vh[..., :k, :], a)
        for q in (u, np.asarray(vh).swapaxes(-1, -2)):
            q = np.asarray(q)
            same(
                q.conj().swapaxes(-1, -2) @ q,
                np.broadcast_to(np.eye(q.shape[-1]), (*shape[:-2], *[q.shape[-1]] * 2)),
            )
    values = np.linalg.svdvals(a)
    for ours in (linalg.svdvals(a), linalg.svd(a, compute_uv=False), linalg.svd(a)[1]):
        same(ours, values)
    same(linalg.pinv(a), np.linalg.pinv(a))
    same(linalg.pinv(a, rtol=0.4), np.linalg.pinv(a, rtol=0.4))
    same(linalg.pinv(a, np.full(shape[:-2], 0.4)), np.linalg.pinv(a, rcond=np.full(shape[:-2], 0.4)))
    for options in ({}, {"tol": 1.0}, {"rtol": 0.5}):
        same(linalg.matrix_rank(a, **options), np.linalg.matrix_rank(a, **options))
    same(linalg.cond(a), np.linalg.cond(a))
    for offset in (0, 1, -1):
        same(linalg.diagonal(a, offset=offset), np.linalg.diagonal(a, offset=offset))
        same(linalg.trace(a, offset=offset), np.linalg.trace(a, offset=offset))
    same(linalg.matrix_transpose(a), np.linalg.matrix_transpose(a))


@KINDS
def test_hermitian_matrices(kind):
    a = positive(2, 4, 4, kind=kind) - 4 * np.eye(4)
    for uplo in (None, "L", "U", "l"):
        w, v = linalg.eigh(a, uplo)
        same(w, np.linalg.eigvalsh(a))
        same(linalg.eigvalsh(a, uplo), np.linalg.eigvalsh(a))
        same(a @ np.asarray(v), np.asarray(v) * np.asarray(w)[..., None, :])
    one_triangle = np.triu(a)
    same(linalg.eigvalsh(one_triangle, "U"), np.linalg.eigvalsh(one_triangle, "U"))
    u, s, vh = map(np.asarray, linalg.svd(a, hermitian=True))
    same((u * s[..., None, :]) @ vh, a)
    same(s, np.linalg.svdvals(a))
    same(linalg.svd(a, compute_uv=False, hermitian=True), np.linalg.svdvals(a))
    same(linalg.pinv(a, hermitian=True), np.linalg.pinv(a, hermitian=True))
    same(linalg.matrix_rank(a, hermitian=True), np.linalg.matrix_rank(a, hermitian=True))


def test_a_hermitian_svd_of_a_singular_matrix_has_orthonormal_vectors():
    vh = np.asarray(linalg.svd(np.ones((3, 3)), hermitian=True).Vh)
    same(vh @ vh.T, np.eye(3))


def test_rank_and_pinv_of_a_deficient_matrix():
    a = np.outer([1.0, 2.0, 3.0], [1.0, -1.0])
    assert int(linalg.matrix_rank(a)) == 1
    same(linalg.pinv(a), np.linalg.pinv(a))
    assert [int(linalg.matrix_rank(v)) for v in (np.zeros(3), np.ones(3))] == [0, 1]


@KINDS
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (0, 3), (3, 0)])
@pytest.mark.parametrize("columns", [(), (2,)])
def test_lstsq(kind, shape, columns):
    a, b = draw(*shape, kind=kind), draw(shape[0], *columns, kind=kind, seed=1)
    same(linalg.lstsq(a, b)[0], np.linalg.lstsq(a, b)[0])
    same(linalg.lstsq(a, b)[2:], np.linalg.lstsq(a, b)[2:])
    if shape[1] > 0:
        same(linalg.lstsq(a, b)[1], np.linalg.lstsq(a, b)[1])


def test_lstsq_of_a_deficient_matrix_has_the_shortest_solution():
    a, b = np.outer([1.0, 2.0, 3.0], [1.0, -1.0]), np.array([1.0, 1.0, 1.0])
    x, _, rank, s = np.linalg.lstsq(a, b)
    ours = linalg.lstsq(a, b)
    same((ours[0], ours[2], ours[3]), (x, rank, s))
    same(ours[1], [np.sum((a @ x - b) ** 2)])
    same(linalg.lstsq(a + 1e-3 * np.eye(3, 2), b, rcond=0.1)[2], 1)


@KINDS
@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 3, 7])
def test_matrix_power(kind, n):
    a = draw(2, 3, 3, kind=kind)
    same(linalg.matrix_power(a, n), np.linalg.matrix_power(a, n), rtol=1e-8)


def test_matrix_power_keeps_integers_and_makes_a_logarithmic_number_of_products():
    fibonacci = linalg.matrix_power(np.array([[1, 1], [1, 0]]), 30)
    assert fibonacci.dtype == np.int64 and int(fibonacci[0, 1]) == 832040
    program = fx.make_program(lambda a: linalg.matrix_power(a, 32))(np.eye(2))
    assert len(program.equations) == 5


@KINDS
def test_products(kind):
    x, y = draw(4, 3, kind=kind), draw(4, 3, kind=kind, seed=1)
    for name in ("cross", "vecdot"):
        same(getattr(linalg, name)(x, y), getattr(np.linalg, name)(x, y))
    same(linalg.cross(x.T, y.T, axis=0), np.linalg.cross(x.T, y.T, axis=0))
    same(linalg.matmul(x, y.T), np.linalg.matmul(x, y.T))
    same(linalg.outer(x[0], y[:, 0]), np.linalg.outer(x[0], y[:, 0]))
    same(linalg.multi_dot([x, y.T, x, y[0]]), np.linalg.multi_dot([x, y.T, x, y[0]]))
    same(linalg.tensordot(x, y, axes=((0,), (0,))), np.linalg.tensordot(x, y, axes=((0,), (0,))))


@KINDS
def test_tensor_equations(kind):
    a, b = draw(2, 3, 6, kind=kind), draw(2, 3, kind=kind, seed=1)
    same(linalg.tensorsolve(a, b), np.linalg.tensorsolve(a, b))
    c, d = draw(2, 6, 3, kind=kind), draw(6, kind=kind, seed=1)
    same(linalg.tensorsolve(c, d, axes=(0,)), np.linalg.tensorsolve(c, d, axes=(0,)))
    e = draw(4, 6, 8, 3, kind=kind)
    same(linalg.tensorinv(e), np.linalg.tensorinv(e))
    same(linalg.tensorinv(e.reshape(24, 8, 3), ind=1), np.linalg.tensorinv(e.reshape(24, 8, 3), ind=1))


# ---- norms -----------------------------------------------------------------------------------------------
@np.errstate(divide="ignore")  # NumPy's own warning at 0 ** -1
@KINDS
@pytest.mark.parametrize("order", VECTOR_ORDERS)
def test_vector_norms(kind, order):
    x = draw(3, 4, 2, kind=kind)
    x[0, 0] = 0
    for axis in (0, 1, -1):
        for keepdims in (False, True):
            same(linalg.norm(x, order, axis, keepdims), np.linalg.norm(x, order, axis, keepdims))
    for axis in (None, 1, (0, 1), (2, 0)):
        options = {"axis": axis, "ord": order, "keepdims": True}
        same(linalg.vector_norm(x, **options), np.linalg.vector_norm(x, **options))
    same(linalg.norm(x[1, :, 0], order), np.linalg.norm(x[1, :, 0], order))


@KINDS
@pytest.mark.parametrize("order", MATRIX_ORDERS)
def test_matrix_norms_and_condition_numbers(kind, order):
    x = draw(3, 4, 4, kind=kind)
    for axis in ((1, 2), (2, 1), (-1, 0)):
        for keepdims in (False, True):
            same(linalg.norm(x, order, axis, keepdims), np.linalg.norm(x, order, axis, keepdims))
    same(linalg.norm(x[0], order), np.linalg.norm(x[0], order))
    if order is not None:
        same(
            linalg.matrix_norm(x, ord=order, keepdims=True),
            np.linalg.matrix_norm(x, ord=order, keepdims=True),
        )
    same(linalg.cond(x, order), np.linalg.cond(x, order), rtol=1e-7)
    x[1, 2] = 0  # singular
    assert (np.asarray(linalg.cond(x, order))[1] > 1e15) == (order != -2)


def test_cond_is_nan_only_where_the_matrix_is():
    x = np.stack([np.eye(2), np.zeros((2, 2)), np.full((2, 2), np.nan)])
    np.testing.assert_array_equal(np.asarray(linalg.cond(x, 1)), [1, np.inf, np.nan])


def test_the_whole_array_and_nothing_at_all():
    x = draw(2, 3, 4)
    same(linalg.norm(x), np.linalg.norm(x))
    same(linalg.norm(x, keepdims=True), np.linalg.norm(x, keepdims=True))
    assert float(linalg.norm(np.zeros(0))) == float(linalg.norm(np.zeros(0), np.inf)) == 0
    assert [float(linalg.norm(np.zeros((0, 3)), o)) for o in (1, 2, "nuc", "fro", np.inf)] == [0] * 5


@pytest.mark.parametrize("order", [2, 3, 1.5, 0.5, 1, np.inf])
def test_the_gradient_of_a_vector_norm_at_zero_is_zero(order):
    for x in (np.zeros(3), np.zeros(3, complex)):
        assert not np.asarray(fx.grad(lambda x: linalg.norm(x, order))(x)).any()
    second = fx.grad(lambda x: fx.grad(lambda x: linalg.norm(x, order))(x).sum())(np.zeros(3))
    assert np.isfinite(np.asarray(second)).all()


@pytest.mark.parametrize("order", [3, 1.5, 0.5, -1])
def test_zero_elements_leave_the_gradient_of_a_p_norm_finite(order):
    g = np.asarray(fx.grad(lambda x: linalg.norm(x, order))(np.array([3.0, 0.0, -4.0])))
    assert np.isfinite(g).all() and g[1] == 0


@pytest.mark.parametrize("order", [None, "nuc", 2])
def test_the_gradient_of_a_matrix_norm_at_zero_is_a_subgradient(order):
    g = np.asarray(fx.grad(lambda x: linalg.norm(x, order, axis=(0, 1)))(np.zeros((3, 3))))
    dual = {"nuc": 2, 2: "nuc", None: None}[order]
    assert np.linalg.norm(g, dual, axis=(0, 1)) <= 1 + 1e-12


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_norms_do_not_overflow(dtype):
    x = fnp.full((1000,), 100.0, dtype="float32").astype(dtype)
    n = linalg.norm(x)
    assert str(n.dtype) == dtype
    np.testing.assert_allclose(float(n), 100 * np.sqrt(1000), rtol=1e-2)
    assert linalg.norm(fnp.ones((2, 2), dtype=dtype), "nuc").dtype == n.dtype


# ---- derivatives -----------------------------------------------------------------------------------------
NORMS = [("norm", (o, (-2, -1))) for o in MATRIX_ORDERS] + [("norm", (o, -1)) for o in VECTOR_ORDERS[1:]]


@KINDS
@pytest.mark.parametrize(
    ("name", "args"), [*NORMS, ("matrix_power", (5,)), ("matrix_power", (-2,)), ("cond", ())]
)
def test_gradients_and_second_derivatives_are_jax_s(kind, name, args):
    x, t = draw(4, 4, kind=kind), draw(4, 4, kind=kind, seed=1)
    ours, theirs = getattr(linalg, name), getattr(jnp.linalg, name)
    f = lambda x: fnp.sum(fnp.real(ours(x, *args)))
    with jax.enable_x64(True):
        g = lambda x: jnp.sum(jnp.real(theirs(x, *args)))
        same(fx.grad(f)(x), jax.grad(g)(x), rtol=1e-7)
        first, first_jax = (
            (lambda x: fnp.sum(fnp.real(fx.grad(f)(x) * t))),
            (lambda x: jnp.sum(jnp.real(jax.grad(g)(x) * t))),
        )
        wanted = np.asarray(jax.grad(first_jax)(x))
        np.testing.assert_allclose(
            np.asarray(fx.grad(first)(x)), wanted, rtol=1e-6, atol=1e-6 * max(1, np.abs(wanted).max())
        )


@KINDS
def test_lstsq_and_hermitian_svd_have_derivatives(kind):
    a, b = draw(5, 3, kind=kind), draw(5, 2, kind=kind, seed=1)
    check_grads(lambda a, b: linalg.lstsq(a, b)[:2], (a, b))
    h = positive(3, 3, kind=kind) - 3 * np.eye(3)

    def rebuilt(a):
        u, s, vh = linalg.svd(a, hermitian=True)
        return (u * fnp.astype(s * s, u.dtype)[..., None, :]) @ vh, s

    check_grads(rebuilt, (h,))


FUNCTIONS = {
    "solve": lambda a: linalg.solve(a, a + 1),
    "inv": linalg.inv,
    "det": linalg.det,
    "slogdet": linalg.slogdet,
    "cholesky": lambda a: linalg.cholesky(a @ a.mT + 4 * fnp.eye(3, dtype=a.dtype)),
    "qr": linalg.qr,
    "eigh": linalg.eigh,
    "svd": linalg.svd,
    "eig": linalg.eig,
    "pinv": linalg.pinv,
    "lstsq": lambda a: linalg.lstsq(a, a[:, 0]),
    "matrix_rank": linalg.matrix_rank,
    "norm": lambda a: linalg.norm(a, 2),
    "cond": lambda a: linalg.cond(a, 1),
    "tensorinv": lambda a: linalg.tensorinv(a, 1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_vmap_is_a_loop_and_jit_changes_nothing(name):
    a = draw(3, 3) + 3 * np.eye(3)
    check_vmap(FUNCTIONS[name], (a,), rtol=1e-9, atol=1e-9)
    check_jit(FUNCTIONS[name], (a,))


def test_results_are_named_tuples_and_pytrees():
    a = positive(3, 3)
    assert linalg.eigh(a)._fields == np.linalg.eigh(a)._fields
    assert linalg.svd(a)._fields == np.linalg.svd(a)._fields
    assert linalg.qr(a)._fields == np.linalg.qr(a)._fields
    assert linalg.eig(a)._fields == np.linalg.eig(a)._fields
    assert linalg.slogdet(a)._fields == np.linalg.slogdet(a)._fields
    out = fx.jit(linalg.eigh)(a)
    assert isinstance(out, linalg.EighResult)
    assert len(tree.leaves(out)) == 2 and isinstance(tree.map(lambda x: x + 1, out), linalg.EighResult)


def test_integers_are_taken_in_the_default_float():
    assert linalg.inv(np.array([[2, 0], [0, 4]])).dtype == np.float32
    assert linalg.norm(np.array([3, 4])).dtype == np.float32


# ---- errors ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "error", "facts"),
    [
        (lambda: linalg.solve(np.ones((2, 3)), np.ones(2)), errors.ShapeError, r"f64\[2,3\] and f64\[2\]"),
        (lambda: linalg.solve(np.eye(3), np.ones((2, 3, 2, 2))), errors.ShapeError, r"f64\[3,3\] and"),
        (lambda: linalg.lstsq(np.ones((2, 3, 3)), np.ones(3)), errors.ShapeError, "lstsq takes a"),
        (lambda: linalg.norm(np.ones(3), "fro"), errors.ArgumentError, r"'fro'(.|\n)*axis=\(-2, -1\)"),
        (lambda: linalg.norm(np.eye(3), 3), errors.ArgumentError, "3 is not an order of matrices"),
        (lambda: linalg.norm(np.eye(3), "two"), errors.ArgumentError, "'two'.*'nuc'"),
        (lambda: linalg.norm(np.ones((2, 2, 2)), 1), errors.ShapeError, "one or two axes(.|\n)*vector_norm"),
        (lambda: linalg.norm(np.ones((2, 2, 2)), axis=(0, 1, 2)), errors.ShapeError, "one axis or two"),
        (lambda: linalg.norm(np.eye(2), axis=(0, 0)), errors.ShapeError, "twice"),
        (lambda: linalg.cond(np.zeros((0, 0))), errors.ShapeError, "empty"),
        (lambda: linalg.qr(np.eye(2), "raw"), errors.ArgumentError, "'raw'"),
        (lambda: linalg.eigh(np.eye(2), "X"), errors.ArgumentError, "'X'"),
        (lambda: linalg.pinv(np.eye(2), 0.1, rtol=0.1), errors.ArgumentError, "rcond and rtol"),
        (lambda: linalg.matrix_rank(np.eye(2), 0.1, rtol=0.1), errors.ArgumentError, "not both"),
        (lambda: linalg.matrix_power(np.ones((2, 3)), 2), errors.ShapeError, r"f64\[2,3\]"),
        (lambda: linalg.matrix_power(np.eye(2), 0.5), errors.ArgumentError, "must be an integer"),
        (lambda: linalg.outer(np.eye(2), np.ones(2)), errors.ShapeError, "fx.numpy.outer"),
        (lambda: linalg.svd(np.ones(3)), errors.ShapeError, r"svd takes matrices"),
        (lambda: linalg.cholesky(np.ones(3)), errors.ShapeError, "cholesky takes matrices"),
        (lambda: linalg.tensorinv(np.ones((2, 3, 4))), errors.ShapeError, "tensorinv"),
        (lambda: linalg.tensorinv(np.ones((2, 2)), 0), errors.ArgumentError, "positive"),
        (lambda: linalg.tensorsolve(np.ones((2, 3, 4)), np.ones((2, 3))), errors.ShapeError, "tensorsolve"),
        (lambda: linalg.inv([[1.0]]), errors.ArgumentError, "asarray"),
    ],
)
def test_errors_are_fx_s_and_name_the_facts(call, error, facts):
    with pytest.raises(error, match=facts):
        call()
