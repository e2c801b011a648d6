"""Factorizations in native code against the interpreter, NumPy and SciPy."""

import ctypes
import functools
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from fx.backends.cpu import failures, lapack, threads
from fx.backends.cpu.engine import engine
from fx.backends.cpu.linalg import alone
from fx.backends.cpu.linking import load
from fx.backends.cpu.llvm import Module, i64
from fx.backends.cpu.operations.linalg import OPERATIONS
from fx.backends.cpu.operations.operation import Buffer, row_major
from fx.core.avals import Aval
from fx.core.errors import LinAlgError
from fx.core.errstate import quiet
from fx.primitives import linalg, spectral

PRIMITIVES = {
    p.name: p
    for module in (linalg, spectral)
    for p in vars(module).values()
    if getattr(p, "name", None) in OPERATIONS and not isinstance(p, type)
}


@pytest.fixture(scope="module", autouse=True)
def _lapack_on_one_thread():
    """The interpreter's too: OpenBLAS's threads get in each other's way on matrices as small as these."""
    alone.provide()
    enter, leave = openblas_switches()
    enter()
    yield
    leave()


def openblas_switches():
    return [ctypes.CFUNCTYPE(None)(engine().symbols[name]) for name in alone.NAMES]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


DTYPES = ["float32", "float64", "complex64", "complex128"]
GUARD = 256


@functools.cache
def compiled(name, avals, params):
    """Address of `void (ptr table)` for operands, results and scratch; the result avals; bytes of scratch."""
    operation, params = OPERATIONS[name], dict(params)
    assert operation.accepts(avals, params)
    out = PRIMITIVES[name].shape(*avals, **params)
    results = out if PRIMITIVES[name].multiple else (out,)
    m = Module()
    f = m.function("entry", "void", ["ptr"], internal=False)
    pointers = [f.load("ptr", f.gep("ptr", f.args[0], i64(i))) for i in range(len(avals) + len(results) + 1)]
    buffers = [
        Buffer(p, a.shape, row_major(a.shape), a.dtype)
        for p, a in zip(pointers, (*avals, *results), strict=False)
    ]
    operation.emit(f, buffers[: len(avals)], buffers[len(avals) :], pointers[-1], params)
    f.ret()
    linked = load(m, ["entry"])
    return linked, results, operation.scratch(avals, params)


def native(name, *arrays, **params):
    """The results; raises what was noted. Scratch begins as garbage and must not be exceeded."""
    avals = tuple(Aval(a.shape, a.dtype) for a in arrays)
    linked, results, nbytes = compiled(name, avals, tuple(params.items()))
    arrays = [np.ascontiguousarray(a) for a in arrays]
    out = [np.full(a.shape, 99, a.dtype) for a in results]
    memory = np.full(nbytes + 2 * GUARD + 64, 0xA5, np.uint8)
    start = GUARD + -memory[GUARD:].ctypes.data % 64
    places = [x.ctypes.data for x in (*arrays, *out)] + [memory[start:].ctypes.data]
    before = [a.copy() for a in arrays]
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(linked.address["entry"])((ctypes.c_void_p * len(places))(*places))
    assert (memory[:start] == 0xA5).all() and (memory[start + nbytes :] == 0xA5).all()
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)
    if error := failures.take():
        raise error
    return tuple(out) if PRIMITIVES[name].multiple else out[0]


def interpreted(name, *arrays, **params):
    with quiet():
        return PRIMITIVES[name].impl(np, *arrays, **params)


def outcome(function, name, *arrays, **params):
    """Results as a tuple, or the error."""
    try:
        out = function(name, *arrays, **params)
    except np.linalg.LinAlgError as e:
        return e
    return out if isinstance(out, tuple) else (out,)


def check(name, *arrays, ulps=500, atol=0, **params):
    """Native and interpreted agree: same error, or same results up to rounding."""
    want, got = outcome(interpreted, name, *arrays, **params), outcome(native, name, *arrays, **params)
    if isinstance(want, Exception) or isinstance(got, Exception):
        assert type(got) is type(want) and str(got) == str(want)
        return
    for x, y in zip(want, got, strict=True):
        x = np.asarray(x)
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        if x.dtype.kind == "i":
            np.testing.assert_array_equal(y, x)
        else:
            eps = np.finfo(x.dtype).eps
            size = np.abs(x[np.isfinite(x)]).max(initial=0)
            np.testing.assert_allclose(y, x, rtol=ulps * eps, atol=max(atol, ulps * eps * size))


def normal(rng, *shape, dtype="float64"):
    a = rng.normal(size=shape)
    return (a + 1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else a).astype(dtype)


def adjoint(a):
    return np.swapaxes(a, -1, -2).conj()


def positive(rng, *shape, dtype="float64"):
    a = normal(rng, *shape, shape[-1], dtype=dtype)
    return (a @ adjoint(a) + shape[-1] * np.eye(shape[-1])).astype(dtype)


def regular(rng, *shape, dtype="float64"):
    n = shape[-1]
    return (normal(rng, *shape, n, dtype=dtype) + 2 * n * np.eye(n)).astype(dtype)


# Laws


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_samples_of_the_primitive(name, dtype, rng):
    """Every sample whose operands are not empty; empty ones are left to the interpreter."""
    tried = 0
    for sample in PRIMITIVES[name].samples(rng):
        arrays = [np.asarray(a).astype(dtype) for a in sample.operands]
        avals = [Aval(a.shape, a.dtype) for a in arrays]
        assert OPERATIONS[name].accepts(avals, sample.params) == all(a.size for a in arrays)
        if all(a.size for a in arrays):
            bound = {"atol": 1e-5} if name == "det" else {}  # of a singular matrix: rounding
            check(name, *arrays, **bound, **sample.params)
            tried += 1
    assert tried


SIZES = [1, 2, 3, 4, 5, 8, 16, 17, 33, 65, 130]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_cholesky(n, dtype, rng):
    for batch in ((), (3,)):
        a = positive(rng, *batch, n, dtype=dtype)
        skew = normal(rng, *a.shape, dtype=dtype) * 0.01
        check("cholesky", a, part="lower")
        check("cholesky", (a + skew - adjoint(skew)).astype(dtype), part="mean")
        garbage_above = np.where(np.tri(n), a, a.dtype.type(1e30))
        np.testing.assert_array_equal(
            native("cholesky", garbage_above, part="lower"), native("cholesky", a, part="lower")
        )
        l = native("cholesky", a, part="lower").astype(np.complex128)
        assert (np.triu(l, 1) == 0).all()
        error = np.abs(l @ adjoint(l) - a).max()
        assert error <= (n + 8) * np.finfo(dtype).eps * np.abs(a).max()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("n", "k"), [(1, 1), (2, 3), (4, 1), (5, 7), (16, 16), (17, 33), (33, 64), (70, 100), (40, 2)]
)
def test_triangular_solve(n, k, dtype, rng):
    """All sixteen kinds, against NumPy in double precision; the other triangle and a unit diagonal are not read."""
    a, b = regular(rng, 2, n, dtype=dtype) / np.dtype(dtype).type(2 * n), normal(rng, 2, n, k, dtype=dtype)
    double = np.result_type(dtype, "float64")
    for bits in range(16):
        lower, transpose, conjugate, unit = (bool(bits >> i & 1) for i in range(4))
        keep = np.tri(n, dtype=bool) if lower else np.tri(n, dtype=bool).T
        keep = keep & ~np.eye(n, dtype=bool) if unit else keep
        hidden = np.where(keep, a, np.nan).astype(dtype)
        got = native(
            "triangular_solve",
            hidden,
            b,
            lower=lower,
            transpose_a=transpose,
            conjugate_a=conjugate,
            unit=unit,
        )
        x = np.where(keep, a, 0).astype(double) + (np.eye(n) if unit else 0)
        x = np.swapaxes(x, -1, -2) if transpose else x
        want = np.linalg.solve(x.conj() if conjugate else x, b.astype(double))
        np.testing.assert_allclose(got, want, rtol=0, atol=4 * n * np.finfo(dtype).eps * np.abs(want).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(n, n) for n in SIZES] + [(40, 7), (7, 40), (1, 5), (5, 1), (130, 33), (33, 130)]
)
def test_lu(shape, dtype, rng):
    m, n = shape
    a = normal(rng, 3, m, n, dtype=dtype)
    packed, pivots, order = native("lu", a, singular="keep")
    k, double = min(m, n), np.result_type(dtype, "float64")
    for x, factors, swaps, rows in zip(a, packed.astype(double), pivots, order, strict=True):
        l = np.tril(factors[:, :k], -1) + np.eye(m, k)
        u = np.triu(factors[:k])
        error = np.abs(l @ u - x[rows]).max()
        assert error <= (k + 4) * np.finfo(dtype).eps * np.abs(u).max()
        assert (np.abs(l) <= np.sqrt(2 if l.dtype.kind == "c" else 1) + 1e-6).all()
        expected = list(range(m))
        for i, p in enumerate(swaps):
            expected[i], expected[p] = expected[p], expected[i]
        assert rows.tolist() == expected
    check("lu", a[0], singular="keep", ulps=3000)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_systems(n, dtype, rng):
    a = regular(rng, 3, n, dtype=dtype)
    for k in (1, 3, 40):
        check("solve", a, normal(rng, 3, n, k, dtype=dtype))
    check("inv", a, singular="raise")
    check("inv", a, singular="nan")
    shuffled = a[:, rng.permutation(n)]
    check("solve", shuffled, normal(rng, 3, n, 2, dtype=dtype))
    check("inv", shuffled, singular="raise")
    check("slogdet", shuffled)
    check("det", shuffled / np.dtype(dtype).type(2 * n))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(1, 1), (3, 3), (5, 2), (2, 5), (20, 7), (7, 20), (40, 3), (3, 40), (33, 33)]
)
def test_qr_and_svd(shape, dtype, rng):
    """The signs of singular vectors are the interpreter's, since LAPACK gets the same numbers in the same layout."""
    for batch in ((), (4,)):
        a = normal(rng, *batch, *shape, dtype=dtype)
        for full in (True, False):
            if dtype in ("float64", "complex128"):
                check("qr", a, full=full, ulps=5000)
            for vectors in (True, False):
                check("svd", a, full=full, vectors=vectors)
        q, r = native("qr", a, full=True)
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(q @ r, a, atol=100 * eps * np.abs(a).max())
        np.testing.assert_allclose(adjoint(q) @ q, np.broadcast_to(np.eye(shape[0]), q.shape), atol=100 * eps)
        np.testing.assert_array_equal(np.tril(r, -1), 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 8, 17, 40])
def test_eigenvalues(n, dtype, rng):
    for batch in ((), (4,)):
        a = normal(rng, *batch, n, n, dtype=dtype)
        for vectors in (True, False):
            check("eig", a, vectors=vectors)
            for part in ("mean", "lower", "upper"):
                check("eigh", a, part=part, vectors=vectors)


@pytest.mark.parametrize("name", ["lu", "eigh", "svd", "qr", "inv", "cholesky"])
def test_one_large_matrix(name, rng):
    """From some size on LAPACK computes, on its own threads."""
    params = {
        "lu": {"singular": "keep"},
        "eigh": {"part": "mean", "vectors": True},
        "svd": {"full": False, "vectors": False},
        "qr": {"full": False},
        "inv": {"singular": "raise"},
        "cholesky": {"part": "mean"},
    }[name]
    n = 530 if name == "cholesky" else 270
    check(name, positive(rng, n), ulps=2e5, **params)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [128, 256, 300])
def test_batches_of_large_matrices(n, dtype, rng):
    """By kernels of our own; rows a power of two apart get padding."""
    a = positive(rng, 2, n, dtype=dtype)
    check("cholesky", a, part="mean")
    check("solve", a, normal(rng, 2, n, 5, dtype=dtype), ulps=3000)
    check("slogdet", a)


# Failures


def with_bad(rng, batch, n, dtype, place, matrix):
    a = np.broadcast_to(4 * np.eye(n), (*batch, n, n)).astype(dtype)
    a[place] = matrix
    return a


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("batch", "place"), [((), ()), ((5,), (3,)), ((2, 300), (1, 41))])
def test_failures_say_the_same(batch, place, dtype, rng):
    n = 5
    ones, nan = np.ones((n, n)), np.full((n, n), np.nan)
    b = np.ones((*batch, n, 2), dtype)
    for bad in (ones, np.zeros((n, n)), -4 * np.eye(n)):
        a = with_bad(rng, batch, n, dtype, place, bad)
        check("cholesky", a, part="mean")
        check("solve", a, b)
        check("inv", a, singular="raise")
        check("inv", a, singular="nan")
        check("lu", a, singular="raise")
        check("lu", a, singular="keep")
        check("det", a)
        check("slogdet", a)
    a = with_bad(rng, batch, n, dtype, place, nan)
    for vectors in (True, False):
        check("eigh", a, part="lower", vectors=vectors)
        check("eig", a, vectors=vectors)
        check("svd", a, full=False, vectors=vectors)
    for part in ("mean", "lower"):
        check("cholesky", a, part=part)


def test_the_first_failure_counts(rng):
    a = np.broadcast_to(4 * np.eye(3), (4000, 3, 3)).copy()
    a[[3999, 1200, 77, 2500]] = -1
    for n in (1, 2, 5):
        with (
            threads.threads(n),
            pytest.raises(LinAlgError, match=r"matrix \[77\] of the batch f64\[4000,3,3\]"),
        ):
            native("cholesky", a, part="mean")


def test_a_failure_is_told_once():
    with pytest.raises(LinAlgError):
        native("solve", np.zeros((2, 2)), np.ones((2, 1)))
    assert failures.take() is None
    assert np.isfinite(native("solve", np.eye(2), np.ones((2, 1)))).all()


@pytest.mark.parametrize(
    "a", [[[1, 2], [2, 4]], [[3, 3], [1, 1]], [[0, 0], [0, 1]], [[2, 6, 1], [1, 3, 0.5], [5, 1, 7]]]
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_singular_matrices_are_found(a, dtype):
    a = np.array(a, dtype)
    for name, operands in (("solve", (a, a)), ("inv", (a,))):
        with pytest.raises(LinAlgError, match="singular"):
            native(name, *operands, **({"singular": "raise"} if name == "inv" else {}))
    assert native("det", a) == 0 and [float(abs(x)) for x in native("slogdet", a)] == [0, np.inf]


def test_rounding_decides_alike(rng):
    """Whether equal rows are found singular hangs on the last bit; it is the interpreter's."""
    found = 0
    for _ in range(100):
        a = normal(rng, 2, 2)
        a[1] = a[0] * rng.choice([1.0, 3.0, -0.7])
        want, got = (outcome(f, "inv", a, singular="raise") for f in (interpreted, native))
        assert type(want) is type(got)
        found += isinstance(got, LinAlgError)
    assert 20 < found < 100


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_and_inf_propagate_as_interpreted(dtype):
    """Matrices small enough that LAPACK's own order of operations does not show."""
    for value in (np.nan, np.inf):
        for place in ((0, 1), (1, 1), (2, 2), (2, 0)):
            a = 4 * np.eye(3, dtype=dtype)
            a[place] = value
            check("cholesky", a, part="lower")
            check("slogdet", a)
            check("inv", a, singular="nan") if np.isnan(value) else None


@pytest.mark.parametrize("dtype", ["float64", "complex128", "float32"])
def test_only_the_determinant_itself_may_overflow(dtype):
    big = np.finfo(dtype).max ** 0.75
    for d in (
        [big, big, 1 / big, 1 / big],
        [1 / big, 1 / big, big, big],
        [big, big, 1.0, 1.0],
        [1 / big] * 4,
    ):
        want = np.prod(np.array(d).astype(np.longdouble))
        with np.errstate(over="ignore", under="ignore"):
            want = want.astype(np.finfo(dtype).dtype)
        got = native("det", np.diag(d).astype(dtype)).real
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_pivots_too_small_for_a_reciprocal():
    tiny = 1e-310
    a = np.array([[tiny, tiny], [tiny / 2, tiny]])
    packed, pivots, _ = native("lu", a, singular="keep")
    np.testing.assert_allclose(packed, [[tiny, tiny], [0.5, tiny / 2]], rtol=1e-10)
    assert pivots.tolist() == [0, 1]


def test_zero_pivots_of_triangles_give_inf_and_nan():
    a, b = np.diag([1.0, 0.0, 2.0]), np.array([[1.0, 2.0], [3.0, 0.0], [4.0, 5.0]])
    got = native("triangular_solve", a, b, lower=True, transpose_a=False, conjugate_a=False, unit=False)
    assert np.isposinf(got[1, 0]) and np.isnan(got[1, 1])


# Threads


CASES = [
    ("cholesky", {"part": "mean"}),
    ("lu", {"singular": "keep"}),
    ("inv", {"singular": "raise"}),
    ("eigh", {"part": "mean", "vectors": True}),
    ("svd", {"full": True, "vectors": True}),
    ("qr", {"full": False}),
    ("eig", {"vectors": True}),
]


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize(("name", "params"), CASES, ids=lambda x: x if isinstance(x, str) else "")
def test_same_bits_whatever_the_number_of_threads(name, params, dtype, rng):
    a = positive(rng, 60, 9, dtype=dtype)
    results = []
    for n in (1, 2, 5):
        with threads.threads(n):
            results.append(outcome(native, name, a, **params))
    for other in results[1:]:
        for x, y in zip(results[0], other, strict=True):
            assert x.tobytes() == y.tobytes()
    alone_result = outcome(native, name, a[17], **params)
    for x, y in zip(results[0], alone_result, strict=True):
        assert x[17].tobytes() == y.tobytes()


def test_python_threads_have_failures_of_their_own(rng):
    good = positive(rng, 50, 12, dtype="complex128")
    bad = good.copy()
    bad[20] *= -1
    want = native("cholesky", good, part="mean")
    compiled("cholesky", (Aval(bad.shape, bad.dtype),), (("part", "mean"),))
    wrong = []

    def work(fails):
        for _ in range(40):
            got = outcome(native, "cholesky", bad if fails else good, part="mean")
            if isinstance(got, LinAlgError) != fails or (not fails and got[0].tobytes() != want.tobytes()):
                wrong.append(got)

    users = [threading.Thread(target=work, args=(i % 2 == 0,)) for i in range(6)]
    for u in users:
        u.start()
    for u in users:
        u.join()
    assert not wrong


def test_openblas_gets_its_threads_back(rng):
    control = lapack.thread_control()
    if control is None:
        pytest.skip("LAPACK is not OpenBLAS")
    get = ctypes.CFUNCTYPE(ctypes.c_int)(control[0])
    set_ = ctypes.CFUNCTYPE(None, ctypes.c_int)(control[1])
    enter, leave = openblas_switches()
    leave()  # of this module's fixture
    before = get()
    try:
        set_(2)
        enter()
        enter()
        assert get() == 1
        leave()
        assert get() == 1
        leave()
        assert get() == 2
        native("eigh", positive(rng, 30, 8), part="mean", vectors=True)
        assert get() == 2
    finally:
        set_(before)
        enter()


# Sources of LAPACK


def test_scipy_lends_what_numpy_does_not_show():
    """The whole file's tests of one dtype pass with SciPy's pointers, whose integers are short."""
    code = f"""
import sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from fx.backends.cpu import lapack
lapack.numpy_source = lambda: None
import numpy as np
import test_native_linalg as t
assert lapack.source().name == "scipy" and lapack.integer_bytes() == 4
rng = np.random.default_rng(0)
for n in (3, 20):
    t.test_lu((n, n), "complex128", rng)
    t.test_systems(n, "complex64", rng)
    t.test_cholesky(n, "complex128", rng)
for shape in ((5, 2), (7, 20)):
    a = t.normal(rng, 3, *shape)
    q, r = t.native("qr", a, full=False)
    np.testing.assert_allclose(q @ r, a, atol=1e-12)
    u, s, vh = t.native("svd", a, full=False, vectors=True)
    np.testing.assert_allclose((u * s[:, None]) @ vh, a, atol=1e-12)
a = t.positive(rng, 3, 9)
w, v = t.native("eigh", a, part="lower", vectors=True)
np.testing.assert_allclose((v * w[:, None]) @ t.adjoint(v), a, atol=1e-11)
a = t.normal(rng, 3, 9, 9)
w, v = t.native("eig", a, vectors=True)
np.testing.assert_allclose(a @ v, v * w[:, None], atol=1e-11)
print("done")
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=100
    )
    assert (result.stdout, result.returncode) == ("done\n", 0), result.stderr


def test_both_sources_have_every_routine():
    modules = [lapack.scipy_source(), lapack.numpy_source()]
    for source in filter(None, modules):
        for name in (
            "dpotrf",
            "zgetrf",
            "cgetri",
            "sgeqrf",
            "cungqr",
            "dorgqr",
            "dsyevd",
            "zheevd",
            "zgesdd",
            "dgeev",
        ):
            assert source.address(name) > 0
        with pytest.raises(LookupError):
            source.address("dnothing")
