"""Vector math against mpmath (errors), NumPy and SciPy (every exponent, special values) and itself at other widths."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import scipy.special

from fx.backends.cpu import engine
from fx.backends.cpu.accuracy import BINARY, CASES, compiled, measure, points, random_bits
from fx.backends.cpu.llvm import Module
from fx.backends.cpu.math.coefficients import COEFFICIENTS
from fx.backends.cpu.vector_math import FUNCTIONS

EXACT = ("fmod", "mod", "floor_div", "nextafter")
DTYPES = (np.float32, np.float64)
INF, NAN = np.inf, np.nan
compiled = cache(compiled)


def logistic(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


NUMPY = {
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "pow": np.power, "floor_div": np.floor_divide, "logistic": logistic,
    "rsqrt": lambda x: 1 / np.sqrt(x), "erf": scipy.special.erf, "erfc": scipy.special.erfc,
    "erf_inv": scipy.special.erfinv, "lgamma": scipy.special.gammaln, "digamma": scipy.special.digamma,
}  # fmt: skip


def expected(name, *arguments):
    """What NumPy or SciPy says."""
    function = NUMPY.get(name) or getattr(np, name)
    with np.errstate(all="ignore"):
        return function(*arguments)


def test_every_function_is_measured_or_exact():
    assert set(FUNCTIONS) == set(CASES) | set(EXACT)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_error_stays_below_its_bound(name, dtype):
    worst = measure(name, dtype, 1000, seed=1)
    assert worst.count >= 700
    assert worst.ulp <= CASES[name].bound, worst


def test_the_measure_sees_an_error_of_three_ulp():
    from fx.backends.cpu.accuracy import errors

    x = np.float32([0.5, 2.0, 1e-40, 80.0])
    right = np.exp(x.astype(np.float64)).astype(np.float32)
    assert np.all(errors("exp", np.float32, [x], right) <= 0.5)
    shifted = right + 3 * np.spacing(right)
    assert np.all(np.abs(errors("exp", np.float32, [x], shifted) - 3) <= 0.5)
    assert errors("exp", np.float32, [np.float32([80.0])], np.float32([INF]))[0] > 1e6


def float_bits(step):
    return np.arange(0, 1 << 32, step, dtype=np.uint64).astype(np.uint32).view(np.float32)


WITH_SCALE = {"lgamma", "digamma"}


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in BINARY])
def test_every_thousandth_float(name):
    """All exponents and signs, nan and inf: one formula for float32, judged by the float64 library functions."""
    x = float_bits(1009 if name not in ("erf_inv", "lgamma", "digamma") else 10007)
    with np.errstate(all="ignore"):
        got, want = compiled(name, np.float32)(x).astype(np.float64), expected(name, x.astype(np.float64))
        rounded = want.astype(np.float32)
        same = (np.isnan(got) & np.isnan(want)) | (got == want) | (got == rounded)
        unit = np.spacing(np.maximum(np.abs(rounded), np.finfo(np.float32).tiny)).astype(np.float64)
        if name in WITH_SCALE:
            unit = np.maximum(unit, np.where(x < 0, 2.0**-23, 0))
        close = np.abs(got - want) <= (CASES[name].bound + 1e-3) * unit
    wrong = ~(close | same)
    assert not wrong.any(), (name, x[wrong][:5], got[wrong][:5], want[wrong][:5])
    assert np.array_equal(np.signbit(got), np.signbit(want)) or np.isnan(want).any() or name in WITH_SCALE


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1e30, -1e30, 1e-30, -1e-30, INF, -INF, NAN]


def special_values(dtype):
    edge = np.finfo(dtype)
    more = [edge.max, -edge.max, edge.tiny, -edge.tiny, edge.smallest_subnormal, -edge.smallest_subnormal]
    return np.array(SPECIAL + more, dtype)


def assert_same_values(name, got, want, *arguments):
    """Equal within the bound; nan, inf, zero and the sign of zero exactly."""
    at = [tuple(a[i] for a in arguments) for i in range(got.size)]
    with np.errstate(all="ignore"):
        unit = np.nan_to_num(
            np.spacing(np.abs(want).astype(got.dtype)), posinf=np.spacing(np.finfo(got.dtype).max / 2)
        )
    for i, (g, w) in enumerate(zip(got.astype(np.float64), want.astype(np.float64))):
        exact = np.isnan(w) or np.isinf(w) or w == 0
        if exact:
            assert (np.isnan(g) and np.isnan(w)) or (g == w and np.signbit(g) == np.signbit(w)), (
                name,
                at[i],
                g,
                w,
            )
        else:
            assert abs(g - w) <= 5 * unit[i], (name, at[i], g, w)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in BINARY])
def test_special_values_are_those_of_numpy(name, dtype):
    x = special_values(dtype)
    want = expected(name, x)
    if name == "erf_inv":
        want = np.where(x == 0, x, want)  # SciPy's forgets the sign of zero
    if name == "lgamma":
        keep = (x == 0) | ~(np.abs(x) < np.finfo(dtype).tiny)
        x, want = (
            x[keep],
            want[keep],
        )  # SciPy's gammaln is inf for subnormal numbers, where the value is 744 at most
    assert_same_values(name, compiled(name, dtype)(x), want, x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BINARY)
def test_special_pairs_are_those_of_numpy(name, dtype):
    values = special_values(dtype)
    x, y = (a.ravel() for a in np.meshgrid(values, values))
    assert_same_values(name, compiled(name, dtype)(x, y), expected(name, x, y), x, y)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_remainders_and_neighbours_are_exact(name, dtype):
    rng = np.random.default_rng(3)
    x, y = random_bits(dtype, 4000, rng), random_bits(dtype, 4000, rng)
    x, y = (
        np.concatenate([x, rng.normal(size=4000).astype(dtype) * 50]),
        np.concatenate([y, rng.normal(size=4000).astype(dtype)]),
    )
    x, y = np.concatenate([x, np.round(x[4000:])]), np.concatenate([y, np.ceil(np.abs(y[4000:]) * 3)])
    got, want = compiled(name, dtype)(x, y), expected(name, x, y)
    wrong = ~((got == want) | (np.isnan(got) & np.isnan(want)))
    assert not wrong.any(), (x[wrong][:3], y[wrong][:3], got[wrong][:3], want[wrong][:3])
    assert np.array_equal(np.signbit(got[~np.isnan(want)]), np.signbit(want[~np.isnan(want)]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_number_of_lanes_gives_the_same_bits(name, dtype):
    rng = np.random.default_rng(2)
    arguments = [random_bits(dtype, 300, rng) for _ in range(2 if name in BINARY else 1)]
    if name in CASES:
        inside = points(name, dtype, 300, rng)
        arguments = [np.concatenate(pair) for pair in zip(arguments, inside)]
    bits = f"u{np.dtype(dtype).itemsize}"
    first, *others = (compiled(name, dtype, lanes)(*arguments) for lanes in (1, 4, 8, 16))
    for other in others:
        assert np.array_equal(np.isnan(first), np.isnan(other))
        assert np.array_equal(first[~np.isnan(first)].view(bits), other[~np.isnan(first)].view(bits))


def test_large_functions_are_emitted_once():
    module = Module()
    f = module.function("twice", "<8 x double>", ["<8 x double>"])
    f.ret(FUNCTIONS["lgamma"](f, FUNCTIONS["lgamma"](f, f.args[0])))
    assert str(module).count("define") == 2


def test_flags_of_the_caller_are_kept_and_not_used():
    module = Module()
    f = module.function("g", "float", ["float"])
    f.flags = "contract"
    f.ret(FUNCTIONS["log1p"](f, f.args[0]))
    assert f.flags == "contract"
    assert "contract" not in str(module)


@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_results(dtype):
    """Where the value is a float and everyone expects it: exp(0), powers of integers, logarithms of powers of two."""
    i = np.arange(-20, 21).astype(dtype)
    assert compiled("exp", dtype)(np.zeros(1, dtype))[0] == 1
    assert np.array_equal(compiled("cos", dtype)(np.zeros(2, dtype)), np.ones(2))
    assert np.array_equal(compiled("exp2", dtype)(i), np.exp2(i))
    assert np.array_equal(compiled("log2", dtype)(np.exp2(i)), i)
    assert np.array_equal(compiled("cbrt", dtype)(i**3), i)
    base, power = (a.ravel() for a in np.meshgrid(np.arange(-12, 13), np.arange(0, 6)))
    exact = (base.astype(object) ** power).astype(dtype)
    assert np.array_equal(compiled("pow", dtype)(base.astype(dtype), power.astype(dtype)), exact)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ranges_are_kept(dtype):
    """No sine beyond 1, no probability outside [0, 1]."""
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.uniform(-50, 50, 200000), np.pi / 2 * rng.integers(-99, 99, 20000)]).astype(dtype)
    for name in ("sin", "cos", "tanh", "erf"):
        assert np.abs(compiled(name, dtype)(x)).max() <= 1, name
    for name, top in (("logistic", 1), ("erfc", 2)):
        y = compiled(name, dtype)(x)
        assert y.min() >= 0 and y.max() <= top, name


def test_coefficients_are_those_of_the_generator():
    """The cheap polynomials, made again."""
    path = Path(__file__).parents[2] / "docs/vector_math_coefficients.py"
    spec = importlib.util.spec_from_file_location("vector_math_coefficients", path)
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    for family in (generator.exponentials, generator.logarithms, generator.trigonometry):
        for name, bits, fit in family():
            values, _ = generator.polynomial(fit, bits)
            stored = np.array(COEFFICIENTS[name, bits], f"f{bits // 8}")
            assert np.array_equal(stored, np.array(values, f"f{bits // 8}")), (name, bits)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["exp", "exp2", "logistic", "erfc", "pow"])
def test_scaling_without_an_instruction_for_it_gives_the_same_bits(name, dtype, monkeypatch):
    """2**k is applied by `ldexp` on AVX-512 and by two multiplications elsewhere."""
    rng = np.random.default_rng(6)
    arguments = points(name, dtype, 2000, rng)
    here = compiled(name, dtype, 16)(*arguments)
    narrow = engine.host()._replace(vector_bytes=32)
    monkeypatch.setattr(engine, "host", lambda: narrow)
    assert np.array_equal(compiled.__wrapped__(name, dtype, 16)(*arguments), here)
