"""Python floats beside float64 arrays are not rounded to the default float first; other answers that are NumPy's."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from numpy_cases import results

import fx
import fx.numpy as fnp

X = np.array([0.3, 0.5, 0.7, 0.2])
M = np.arange(12.0).reshape(3, 4) / 7
NANS = np.array([np.nan, 1.0, np.inf, -np.inf])
CALLS = """
    sum(x, initial=0.1); prod(x, initial=0.1); max(x, initial=0.7000000001); min(x, initial=0.1); nansum(x, initial=0.1)
    nan_to_num(n, nan=0.1, posinf=0.2, neginf=0.3); nan_to_num(n, True, 0.1); pad(x, 2, "linear_ramp", end_values=0.1)
    pad(x, 1, constant_values=0.1); pad(x, 1, constant_values=(0.1, 0.2)); full_like(x, 0.1); insert(x, 1, 0.1)
    insert(x, [1, 2], [0.1, 0.2]); diff(x, prepend=0.1); ediff1d(x, to_end=0.1, to_begin=0.3); where(x > 0.4, x, 0.1)
    clip(x, 0.3333, 0.6); select([x > 0.4], [x], 0.1); polyint(x, 1, 0.1); polyint(x, 2, [0.1, 0.2]); gradient(x, 0.1)
    gradient(m, 0.1, 0.2); trapezoid(x, dx=0.1); interp(x, m[0], m[1], left=0.1, right=0.3); quantile(x, 0.1)
    histogram(x, 3, (0.1, 0.8)); histogram(x, [0.1, 0.3, 0.8]); piecewise(x, [x > 0.4], [0.1, 0.2]); block([x, 0.1])
    array([x, [0.1, 0.2, 0.3, 0.4]]); r_[x, 0.1]; heaviside(x - x, 0.1); linspace(x, 0.9, 3); unwrap(x * 9, period=0.7)
    append(x, 0.1); searchsorted(m[0], 0.1); polyval(x, 0.1); std(x, ddof=0.5); geomspace(x, 0.3, 3); x * 0.1 + 0.3"""


@pytest.mark.parametrize("jitted", [False, True])
def test_python_floats_keep_their_digits(jitted):
    for text in filter(None, map(str.strip, CALLS.replace("\n", ";").split(";"))):
        call = eval(f"lambda xp, x, m, n: {'' if text.startswith('x') else 'xp.'}{text}")
        with np.errstate(all="ignore"):
            want = results(call(np, X, M, NANS))
        function = lambda *xs, call=call: results(call(fnp, *xs))
        if jitted and "histogram" not in text and "r_" not in text:
            function = fx.jit(function)
        for g, w in zip(function(*map(fnp.asarray, (X, M, NANS))), want, strict=True):
            np.testing.assert_allclose(np.asarray(g), w, rtol=1e-14, atol=1e-16, err_msg=text)


def test_values_put_on_a_diagonal_keep_their_digits():
    for value in (0.1, np.float64(0.1)):
        assert float(fnp.fill_diagonal(fnp.asarray(M), value)[1, 1]) == 0.1


def test_an_initial_value_takes_the_dtype_of_the_array():
    x = np.array([2, 3], np.int8)
    assert fnp.sum(x, initial=1.5).dtype == np.int64 and int(fnp.sum(x, initial=1.5)) == 6
    assert fnp.max(x, initial=9).dtype == np.int8 and fnp.max(x > 5, initial=1).dtype == bool
    for bad in (1j, float("nan")):
        with pytest.raises(fx.FxError, match="initial"):
            fnp.sum(x, initial=bad)


def test_falling_edges_take_what_equals_them():
    x, bins = np.array([0.0, 1.0, -1.0, 0.5]), np.array([1.0, 0.0, 0.0, -1.0])
    for right in (False, True):
        got = fx.jit(lambda x, right=right: fnp.digitize(x, bins, right))(x)
        np.testing.assert_array_equal(got, np.digitize(x, bins, right))


def test_histograms_by_rules_and_of_what_is_not_finite():
    for rule in ("auto", "fd", "sturges"):
        for got, want in zip(fnp.histogram(X, rule), np.histogram(X, rule), strict=True):
            np.testing.assert_allclose(np.asarray(got), want, rtol=1e-14)
    with pytest.raises(fx.ArgumentError, match="not finite"):
        fnp.histogram(NANS)


def test_quantiles_that_are_elements_stay_integers():
    x = np.array([5, 1, 9, 2])
    for method in ("lower", "higher", "nearest", "inverted_cdf", "closest_observation"):
        got = fx.jit(lambda x, method=method: fnp.quantile(x, 0.3, method=method))(x)
        assert got.dtype == np.int64 and int(got) == np.quantile(x, 0.3, method=method)


def test_moments_without_nans_of_integers_and_refusals():
    x = np.array([1, 2, 4])
    assert float(fnp.nanvar(x, ddof=5)) == np.inf
    with pytest.raises(fx.DTypeError, match="nanmean"):
        fnp.nanmean(X, dtype="int32")
    with pytest.raises(fx.DTypeError, match="ravel_multi_index"):
        fnp.ravel_multi_index((1.0, 2.0), (3, 3))
    assert fnp.bitwise_count(np.array([True, False])).tolist() == [1, 0]
    assert fnp.repeat(x, np.array([True, False, True])).tolist() == [1, 4]


def test_no_warning_where_a_float_is_too_large_for_the_dtype():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, pull = fx.vjp(lambda x: x * 1e300, np.ones(2, np.float16))
        assert np.isinf(np.asarray(pull(np.ones(2, np.float16))[0])).all()


def test_limits_of_dtypes_are_python_floats():
    limits = fnp.finfo("float32")
    assert type(limits.eps) is type(limits.max) is float and limits.eps == np.finfo("float32").eps
    assert (
        limits.bits == 32 and limits.dtype == np.float32 and "eps" in dir(limits) and "float32" in str(limits)
    )
    assert fnp.finfo("complex64") is limits and pickle.loads(pickle.dumps(limits)) is limits
    assert (fnp.ones(2, "float16") * limits.eps).dtype == np.float16
    assert isinstance(fnp.finfo(np.float64).eps, np.float64) and fnp.finfo("bfloat16").eps == 0.0078125


@pytest.mark.parametrize("transform", [lambda f: f, fx.jit], ids=["eager", "jit"])
def test_complex_functions_at_infinities_are_those_of_the_standard(transform):
    inf, nan = np.inf, np.nan
    table = {
        fnp.expm1: [
            (complex(-0.0, 0.0), 0j), (complex(inf, 0.0), complex(inf, 0.0)), (complex(-inf, inf), complex(-1, 0)),
            (complex(inf, inf), complex(inf, nan)), (complex(nan, 0.0), complex(nan, 0.0)),
            (0.5 + 2j, np.expm1(0.5 + 2j)),
        ],
        fnp.tanh: [
            (complex(inf, 2.0), complex(1, 0)), (complex(inf, -2.0), complex(1, -0.0)), (1 + 2j, np.tanh(1 + 2j))
        ],
    }  # fmt: skip
    for function, pairs in table.items():
        points, want = (np.array(column) for column in zip(*pairs, strict=True))
        got = np.asarray(transform(function)(points))
        np.testing.assert_allclose(got.real, want.real, rtol=1e-15)
        np.testing.assert_allclose(got.imag, want.imag, rtol=1e-15)
        assert (np.signbit(got.imag) == np.signbit(want.imag))[~np.isnan(want.imag)].all()
