"""Complex arithmetic in compiled code: native, and what the interpreter (NumPy) and mpmath give."""

import mpmath
import numpy as np
import pytest
from guard_pages import guarded

import fx
import fx.numpy as fnp
from fx import lax
from fx.core.executor import executable
from fx.core.interpret import run_buffers
from fx.primitives import elementwise as ew

UNARY = {
    "neg": 0, "conj": 0, "real": 0, "imag": 0, "isnan": 0, "isinf": 0, "isfinite": 0, "abs_": 2, "sign": 2,
    "exp": 4, "exp2": 4, "expm1": 4, "logistic": 6, "log": 2, "log1p": 2, "log2": 2, "log10": 2, "sqrt": 2, "rsqrt": 4,
    "sinh": 4, "cosh": 4, "tanh": 4, "sin": 4, "cos": 4, "tan": 4,
    "asin": 5, "acos": 5, "atan": 5, "asinh": 5, "acosh": 5, "atanh": 5,
}  # fmt: skip
"""Functions of one number, and by how many roundings of |f(z)| they may differ from NumPy."""

BINARY = {"add": 0, "sub": 0, "mul": 0, "div": 0, "eq": 0, "ne": 0, "maximum": 0, "minimum": 0}
POWERS = (-3, -2, -1, 0, 2, 3, 4, 7)
INVERSES = ("asin", "acos", "atan", "asinh", "acosh", "atanh")
EXPONENTS = [
    0.0, 1.0, 2.0, 3.0, 5.0, 37.0, 99.0, -1.0, -2.0, -63.0, 0.5, -0.5, 2.5, 1j, 1 + 1j, 2 - 1j, -0.25 - 0.25j,
    np.inf, -np.inf, np.nan, complex(1, np.nan),
]  # fmt: skip
PARTS = [
    0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 20.0, np.inf, -np.inf, np.nan, 1e-30, -1e-30, 1e30, -1e30, 90.0, -90.0,
    200.0, 1e-42, 720.0, -745.0, 1e300, -1e300, 1e-310, 800.0, 1 + 2.0**-20, 1e16,
]  # fmt: skip


def special(dtype):
    """All pairs of awkward parts."""
    with np.errstate(over="ignore"):
        parts = np.array(PARTS).astype(np.finfo(dtype).dtype)
    return together(parts[:, None], parts[None], dtype).ravel()


def together(re, im, dtype):
    z = np.empty(np.broadcast_shapes(np.shape(re), np.shape(im)), dtype)
    z.real, z.imag = re, im
    return z


def both(f, *xs):
    """Compiled and interpreted results; compiled without a step in Python."""
    compiled = fx.jit(f)
    report = compiled.explain(*xs)
    assert "python" not in kinds(report.steps), report
    with fx.config(compile=False):
        want = fx.jit(f)(*xs)
    return [[np.asarray(x) for x in fx.tree.leaves(r)] for r in (compiled(*xs), want)]


def kinds(steps):
    return {s.kind for s in steps} | {k for s in steps for i in s.inner for k in kinds(i.steps)}


def close(got, want, roundings):
    """NaNs, infinities and signs of zeros alike; finite results as near as said, measured by their size."""
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    if want.dtype.kind == "b":
        return got == want
    parts = lambda x: [x.real, x.imag] if x.dtype.kind == "c" else [x]
    unit = float(np.finfo(want.dtype).eps)
    tiny = float(np.finfo(want.dtype).smallest_subnormal)
    with np.errstate(all="ignore"):
        size = np.hypot(*[np.where(np.isfinite(p), p, 0).astype(np.float64) for p in (want.real, want.imag)])
        found = np.ones(want.shape, bool)
        for a, b in zip(parts(got), parts(want), strict=True):
            near = np.abs(a - b) <= roundings * unit * size + (2 * tiny if roundings else 0)
            signs = (b != 0) | (np.signbit(a) == np.signbit(b)) | (roundings > 0) & (size != 0)
            found &= (a == b) & signs | np.isnan(a) & np.isnan(b) | near & (b != 0)
    return found


def compare(names, dtype, f, *xs):
    got, want = both(f, *xs)
    wrong = []
    for (name, roundings), g, w in zip(names.items(), got, want, strict=True):
        bad = np.flatnonzero(~close(g, w, roundings))
        wrong += [f"{name} of {[x[i] for x in xs]}: {g[i]!r} instead of {w[i]!r}" for i in bad[:5]]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_special_values_are_the_interpreters(dtype):
    z = special(dtype)
    compare(UNARY, dtype, lambda z: [getattr(ew, n)(z) for n in UNARY], z)
    compare({f"power {n}": 8 for n in POWERS}, dtype, lambda z: [ew.integer_pow(z, n=n) for n in POWERS], z)
    few = z[::7]
    w = np.array(EXPONENTS, dtype)
    compare({"pow": 200}, dtype, lambda z, w: [ew.power(z, w)], np.repeat(few, len(w)), np.tile(w, len(few)))
    few = z[:: 3 if dtype == "complex64" else 5]
    z, w = np.repeat(few, len(few)), np.tile(few, len(few))
    compare(BINARY, dtype, lambda z, w: [getattr(ew, n)(z, w) for n in BINARY], z, w)


EXACT = {
    "div": lambda z: (z + 1) / z, "exp": mpmath.exp, "expm1": mpmath.expm1, "log": mpmath.log, "sqrt": mpmath.sqrt,
    "sinh": mpmath.sinh, "cosh": mpmath.cosh, "tanh": mpmath.tanh, "sin": mpmath.sin, "cos": mpmath.cos,
    "tan": mpmath.tan, "abs_": abs, "rsqrt": lambda z: 1 / mpmath.sqrt(z), "log2": lambda z: mpmath.log(z, 2),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_errors_against_mpmath(dtype):
    """At most three roundings of |f(z)|; the logarithm also where |z| is nearly 1, in its small real part."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(-3, 3, 60)
    z = np.concatenate([rng.normal(size=200) * 2 + 2j * rng.normal(size=200), np.exp(1j * angle)]).astype(
        dtype
    )
    one = z.dtype.type(1)
    found = fx.jit(lambda z: [ew.div(z + one, z) if n == "div" else getattr(ew, n)(z) for n in EXACT])(z)
    unit = float(np.finfo(dtype).eps)
    with mpmath.workprec(200):
        numbers = [mpmath.mpc(float(x.real), float(x.imag)) for x in z]
        for (name, f), got in zip(EXACT.items(), map(np.asarray, found), strict=True):
            exact = [mpmath.mpc(f(x)) for x in numbers]
            far = [
                abs(mpmath.mpc(float(g.real), float(g.imag)) - e) / abs(e)
                for g, e in zip(got, exact, strict=True)
            ]
            assert max(far) < 3 * unit, name
            if name == "log":
                far = [abs((float(g.real) - e.real) / e.real) for g, e in zip(got, exact, strict=True)]
                assert max(far) < 3 * unit


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_inverse_functions_in_each_part(dtype):
    """At most 4 ulp of the part itself, on the plane, and close to branch points, axes and the unit circle."""
    rng = np.random.default_rng(3)
    wide = lambda: np.exp(rng.uniform(-30, 30, 24)) * rng.choice([-1, 1], 24)
    near = lambda c: c + np.exp(rng.uniform(-35, -1, 24)) * rng.choice([-1, 1], 24)
    circle, plain = np.exp(1j * rng.normal(size=24)), 4 * rng.normal(size=24)
    points = [wide() + 1j * wide(), near(1) + 1e-6j * wide(), near(-1) + 1j * near(0), near(0) + 1j * near(1)]
    points += [1e-8 * wide() + 1j * near(-1), plain + 1j * near(0), circle]
    z = np.concatenate(points).astype(dtype)
    z = z[z.imag != 0]
    found = fx.jit(lambda z: [getattr(ew, n)(z) for n in INVERSES])(z)
    with mpmath.workprec(250):
        numbers = [mpmath.mpc(float(x.real), float(x.imag)) for x in z]
        for name, got in zip(INVERSES, map(np.asarray, found), strict=True):
            exact = [mpmath.mpc(getattr(mpmath, name)(x)) for x in numbers]
            for part in ("real", "imag"):
                far = [ulps(g, getattr(e, part)) for g, e in zip(getattr(got, part), exact, strict=True)]
                assert max(far) < 4, (name, part, z[np.argmax(far)])


def ulps(got, exact):
    """How far a number is from an exact one."""
    info = np.finfo(got.dtype)
    last = max(mpmath.frexp(exact)[1] - 1, info.minexp) - info.nmant
    return float(abs(mpmath.mpf(float(got)) - exact) / mpmath.ldexp(1, last))


def test_branch_cuts_with_signed_zeros():
    z = together(np.array([-4.0, -4.0, -0.0, 0.0]), np.array([0.0, -0.0, -0.0, -0.0]), "complex128")
    root, logarithm = map(np.asarray, fx.jit(lambda z: (fnp.sqrt(z), fnp.log(z)))(z))
    np.testing.assert_array_equal(root, [2j, -2j, 0, 0])
    assert np.signbit(root.imag).tolist() == [False, True, True, True]
    np.testing.assert_allclose(logarithm.imag, [np.pi, -np.pi, -np.pi, -0.0])


def conversions(z, x, n, b):
    to = lambda v, *names: [fnp.asarray(v).astype(name) for name in names]
    return (
        to(z, "complex64", "complex128", "float32", "float16", "int32", "bool"),
        to(x, "complex64", "complex128"), to(n, "complex64"), to(b, "complex128"),
        fnp.where(b, z, z[::-1]), lax.complex(x, x[::-1]), fnp.arange(5, dtype=z.dtype) + z[:5],
        fnp.full((3, 19), 2 - 1j, z.dtype) * z, fnp.any(z), fnp.where(b, z, 0),
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_moves_and_conversions_are_exact(dtype):
    rng = np.random.default_rng(1)
    z = (3 * rng.normal(size=19) + 1j * rng.normal(size=19)).astype(dtype)
    x, n = rng.normal(size=19).astype(np.finfo(dtype).dtype), rng.integers(-9, 9, 19)
    for got, want in zip(*both(conversions, z, x, n, x > 0), strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


# Whole functions


def bounded(z):
    return z / (1 + fnp.abs(z))


def row_normal(z, w):
    """Reductions whose results are used in their rows, and along columns."""
    p = fnp.exp(z - z.mean(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True), (z * w).sum(0), fnp.abs(z - w).max(-1), (z * fnp.conj(w)).sum()


def strided(z, w):
    flipped, turned = z[:, ::-1] * w, z.T + fnp.conj(w.T)
    return (
        flipped,
        turned * 2j,
        z[::2, 1::3] - 1,
        fnp.concatenate([z, w * 1j], 1),
        fnp.real(z[:, -1]),
        turned.imag,
    )


def broadcast(z, w):
    return (
        z[0] * w + 1.5,
        z[:, :1] / (w + 3),
        z[0, 0] * w,
        fnp.abs(z) * w,
        fnp.exp(1j * z.real[:, :1]) + w.real,
    )


def loops(z, w):
    step = lambda c, a: (bounded(c * a + 1j), fnp.exp(c * 0.1).sum())
    c, sums = lax.scan(step, z[0], w)
    d = lax.fori_loop(0, 5, lambda i, v: bounded(v * v + c), w[0])
    return c, sums, lax.cond(fnp.real(d[0]) > 0, lambda v: v * 1j, lambda v: fnp.sqrt(v + 2), d)


def products(z, w):
    return bounded(fnp.matmul(z + 1j * w, fnp.conj(w.T))) * 2, (z * w).reshape(-1)[3:] + 1


def gradients(z, w):
    loss = lambda z: (
        fnp.sum(fnp.abs(fnp.log(2 + bounded(z * w))) ** 2) + fnp.sum(fnp.real(fnp.sin(bounded(z)) / (w + 3)))
    )
    holomorphic = lambda z: fnp.sum(fnp.tanh(bounded(z) * 0.3) * w**2 + fnp.sqrt(3 + bounded(z)))
    return fx.grad(loss)(z), fx.grad(holomorphic, holomorphic=True)(z), fx.jvp(bounded, (z,), (w,))[1]


FUNCTIONS = [row_normal, strided, broadcast, loops, products, gradients]
SHAPES = [(1, 1), (3, 4), (17, 5), (4, 33), (5, 300)]


def arrays(shape, dtype, kind="plain"):
    rng = np.random.default_rng(sum(shape))
    z, w = (rng.normal(size=shape) + 1j * rng.normal(size=shape) for _ in range(2))
    z, w = z.astype(dtype), w.astype(dtype)
    return (z, w) if kind == "plain" else (np.asfortranarray(z), np.repeat(w, 2, 1)[:, ::-2])


def nearly(got, want):
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    unit = float(np.finfo(want.dtype).eps) if want.dtype.kind in "fc" else 0
    np.testing.assert_allclose(got, want, rtol=200 * unit, atol=200 * unit * np.abs(want).max(initial=1))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_functions_equal_the_interpreters(function):
    for n, shape in enumerate(SHAPES):
        z, w = arrays(shape, ("complex64", "complex128")[n % 2], ("plain", "strided")[n == 3])
        for got, want in zip(*both(function, z, w), strict=True):
            nearly(got, want)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_large_sums_are_as_good_as_numpys(dtype):
    """Over everything, along rows and columns, in several chunks; the same bits again, and beside the exact sums."""
    rng = np.random.default_rng(2)
    z = (rng.normal(size=(700, 900)) + 1j * rng.normal(size=(700, 900)) + 1).astype(dtype)
    f = fx.jit(lambda z: [(z * 1).sum(), z.sum(0), z.sum(1), z.mean()])
    got = [np.asarray(x) for x in f(z)]
    wide = z.astype(np.clongdouble)
    for g, want in zip(got, [wide.sum(), wide.sum(0), wide.sum(1), wide.mean()], strict=True):
        assert np.max(np.abs(g - want) / np.abs(want)) < 40 * np.finfo(dtype).eps
    assert all((np.asarray(a) == b).all() for a, b in zip(f(z), got, strict=True))


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_nothing_beyond_the_arrays_is_touched(dtype):
    for size in (1, 2, 7, 16, 31, 33):
        rng = np.random.default_rng(size)
        z = (rng.normal(size=size) + 1j * rng.normal(size=size)).astype(dtype)
        for end in (True, False):
            x = guarded(z, end)
            program = fx.jit(lambda z: (z * z[::-1], fnp.real(z), z.sum())).lower(x).program
            for got, want in zip(executable(program).run([x]), run_buffers(program, [x]), strict=True):
                nearly(np.asarray(got), np.asarray(want))


def test_donated_inputs_and_epilogues_of_the_fourier_transform():
    z, w = arrays((8, 64), "complex64")
    f = fx.jit(lambda z, w: fnp.fft.ifft(fnp.fft.fft(z) * fnp.exp(1j * w.real)), donate_argnums=(0,))
    want = np.fft.ifft(np.fft.fft(z) * np.exp(1j * w.real))
    np.testing.assert_allclose(np.asarray(f(fnp.asarray(z.copy()), w)), want, rtol=1e-5, atol=1e-5)


PRODUCTS = [((), ()), ((7,), (0,)), ((3, 4), (0,)), ((3, 4), (1,)), ((2, 3, 4), (0, 2)), ((2, 3, 4), (1,)),
            ((9, 37), (0,)), ((300, 9), (1,)), ((2, 3, 4, 5), (1, 3)), ((3, 1), ()), ((70_001,), (0,))]  # fmt: skip


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_products_over_axes(dtype):
    rng = np.random.default_rng(4)
    for shape, axes in PRODUCTS:
        z = np.exp(0.01 * rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
        [got], [want] = both(lambda z, axes=axes: [(z * 1).prod(axes)], z)
        unit = float(np.finfo(dtype).eps)
        np.testing.assert_allclose(got, want, rtol=(4 + max(shape, default=1)) * unit)
    special_ones = special(dtype)[::3]
    pairs = np.stack([special_ones, special_ones[::-1], np.roll(special_ones, 5)])
    [got], [want] = both(lambda z: [z.prod(1)], np.ascontiguousarray(pairs.T))
    np.testing.assert_array_equal(got, want)


def test_high_powers():
    z, _ = arrays((3, 4), "complex128")
    [got], [want] = both(lambda z: [ew.integer_pow(z / fnp.abs(z), n=120)], z)
    np.testing.assert_allclose(got, want, rtol=1e-13)


def test_a_chain_is_one_nest():
    z, w = arrays((30, 40), "complex64")
    steps = (
        fx.jit(lambda z, w: fnp.abs(z * w + fnp.exp(1j * z.real) / w - fnp.conj(z)).sum(1))
        .explain(z, w)
        .steps
    )
    assert [s.kind for s in steps] == ["nest"]


# Random functions

STEPS = [
    lambda z, w: z * w, lambda z, w: z + w, lambda z, w: z - fnp.conj(w), lambda z, w: z / (w + 2.5),
    lambda z, w: fnp.exp(1j * w) * z, lambda z, w: fnp.log(z + 2), lambda z, w: fnp.sqrt(w - 2j) * z,
    lambda z, w: fnp.sin(z) - fnp.cosh(w), lambda z, w: fnp.tanh(z * 0.5), lambda z, w: z**3 + (2 + z) ** w,
    lambda z, w: lax.complex(fnp.real(z), fnp.imag(w)), lambda z, w: fnp.abs(z) * w, lambda z, w: -z * 2j,
    lambda z, w: z - z.mean(-1, keepdims=True), lambda z, w: z * w.sum(0), lambda z, w: z + w.sum(),
    lambda z, w: z[:, ::-1], lambda z, w: fnp.concatenate([z[:, 1:], w[:, :1]], 1), lambda z, w: z * w[:1, -1:],
    lambda z, w: fnp.where(fnp.arange(z.shape[1]) % 3 == 1, z, w), lambda z, w: fnp.cumsum(z, 0) * 0.1,
    lambda z, w: fnp.matmul(z, fnp.matmul(fnp.conj(w.T), w)) * 0.01, lambda z, w: z[fnp.arange(z.shape[0])[::-1]],
    lambda z, w: z.T.reshape(z.shape) * 1j, lambda z, w: lax.fori_loop(0, 3, lambda i, v: bounded(v * w + i), z),
    lambda z, w: lax.cond(w.shape[0] > 2, lambda v: v * w, lambda v: v + w, z),
    lambda z, w: fx.grad(lambda v: fnp.sum(fnp.abs(v * w + 3) ** 2))(z), lambda z, w: fx.jvp(fnp.sin, (z,), (w,))[1],
]  # fmt: skip
"""Every kind of equation, on values below 1 in size, away from branch cuts and poles."""


@pytest.mark.parametrize("seed", range(24))
def test_random_functions_equal_the_interpreters(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.choice([1, 2, 3, 5, 8, 17, 33, 70], 2))
    order = rng.integers(len(STEPS), size=10)
    picks = rng.random((10, 2))

    def function(*values):
        values = [bounded(v) for v in values]
        for step, (i, j) in zip(order, picks, strict=True):
            made = STEPS[step](values[int(i * len(values))], values[int(j * len(values))])
            values.append(bounded(made))
        return values[-6:]

    z, w = arrays(shape, str(rng.choice(["complex64", "complex128"])), str(rng.choice(["plain", "strided"])))
    for got, want in zip(*both(function, z, w), strict=True):
        nearly(got, want)
