"""What eager calls hand to NumPy in one piece equals what they would have computed, and what a trace records.

The short way is closed by letting `fx.numpy._native` believe that something is traced. Both ways then answer the calls
of the tables in many dtypes and layouts, and the bad calls of test_numpy_refusals: avals (with weakness) are the same,
errors have the same class, and values differ by at most ULPS units in the last place of the largest element.
"""

from __future__ import annotations

import contextlib
import math
import warnings

import numpy as np
import pytest
from numpy_cases import call, inputs, results
from test_numpy_namespace import NAMES, TABLE
from test_numpy_refusals import bad_calls

import fx
import fx.numpy as fnp
from fx.numpy import _native

SHORT = [name for name in NAMES if hasattr(getattr(fnp, name), "__wrapped__")]
DTYPES = "float64 float32 float16 complex64 int64 uint8 bool".split()
ULPS = {"geomspace": 4, "logspace": 4, "polyfit": 16}  # powers and least squares; 1 for the others
POINTS_MUST_RISE = {"interp"}
ZEROS_BEYOND_THE_ENDS = {"convolve", "correlate", "polymul"}  # meet the NaNs of the shorter sequence


@contextlib.contextmanager
def the_long_way():
    current = _native.current_trace
    _native.current_trace = lambda: _native
    try:
        yield
    finally:
        _native.current_trace = current


def as_dtype(x, dtype):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # complex numbers lose their imaginary parts
        return x.astype(dtype)


def layouts(name, leaves):
    """The operands of a call in other dtypes, orders of memory and shapes; or with NaNs."""
    yield "as they are", leaves
    yield from ((dtype, [as_dtype(x, dtype) for x in leaves]) for dtype in DTYPES)
    yield "backwards", [np.flip(np.flip(x).copy()) for x in leaves]
    yield "columns first", [np.asfortranarray(x) for x in leaves]
    yield "NumPy scalars", [x.ravel()[0] if x.size else x for x in leaves]
    yield "the last one 0-d", [*leaves[:-1], leaves[-1].ravel()[:1].reshape(() if leaves[-1].size else (0,))]
    yield "empty", [x[:0] if x.ndim else x for x in leaves]
    if name not in POINTS_MUST_RISE | ZEROS_BEYOND_THE_ENDS:
        holes = lambda x: np.where(np.arange(x.size).reshape(x.shape) % 3 == 1, np.nan, x)
        yield "NaNs", [holes(x) if x.dtype.kind == "f" else x for x in leaves]


def outcome(attempt):
    """The results, or the class of the error. Nothing may warn: an error instead would just lead to the long way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = results(attempt())
        except fx.FxError as e:
            found = type(e)
        except TypeError as e:
            assert "argument" in str(e)
            found = TypeError
    assert not caught, caught[0].message
    return found


def assert_same(attempt, label, ulps=1):
    short = outcome(attempt)
    with the_long_way():
        long = outcome(attempt)
    if isinstance(short, type) or isinstance(long, type):
        assert short is long, f"{label}: {short}, the long way {long}"
        return
    assert len(short) == len(long), label
    for s, w in zip(short, long, strict=True):
        assert type(s) is type(w), label
        if isinstance(s, fx.Array):
            assert s.aval is w.aval, f"{label}: {s.aval}, the long way {w.aval}"
            assert_near(np.asarray(s), np.asarray(w), label, ulps)


def assert_near(s, w, label, ulps):
    if s.tobytes() == w.tobytes():
        return
    eps = np.finfo(s.dtype).eps if s.dtype.kind in "fc" else 0
    largest = np.abs(w[np.isfinite(w)]).max(initial=0) if eps else 0
    np.testing.assert_allclose(s, w, rtol=0, atol=ulps * eps * largest, equal_nan=True, err_msg=label)


@pytest.mark.parametrize("name", SHORT)
def test_equals_the_long_way(name):
    function = getattr(fnp, name)
    for i, case in enumerate(TABLE[name]):
        for kind, leaves in layouts(name, inputs(case)) if inputs(case) else [("none", [])]:
            arrays = [fx.Array(x) for x in leaves]
            attempt = lambda case=case, xs=arrays: call(function, case, xs)
            assert_same(attempt, f"{name}[{i}], {kind}", ULPS.get(name, 1))


def wrapped(x):
    if isinstance(x, (list, tuple)):
        return type(x)(map(wrapped, x))
    return fx.Array(x) if isinstance(x, np.ndarray) and x.dtype.kind in "fciub" else x


@pytest.mark.parametrize("name", SHORT)
def test_refuses_what_the_long_way_refuses(name):
    for case in [case for case in TABLE[name] if all(x.size < 20 for x in inputs(case))][:1]:
        for what, args, kwargs in bad_calls(name, case):
            args = [wrapped(x) for x in args]
            attempt = lambda a=args, k=kwargs: getattr(fnp, name)(*a, **k)
            assert_same(attempt, f"{name}, {what}", ULPS.get(name, 1))


NUMBERS = """
    linspace(0.0, 1.0, 7); linspace(3, -1, 5, False); linspace(0.3, 0.3, 4); linspace(0, 10, 4, dtype="int32")
    linspace(0.0, 1.0, 1); linspace(0.0, 1.0, 0); linspace(0.0, 1e300, 3, dtype="float64"); linspace(0.0, "x", 3)
    arange(5); arange(2, 9, 3); arange(9, 2, -3); arange(0.0, 1.0, 0.1); arange(1.0, 0.0, -0.3); arange(3, dtype="u1")
    arange(0.0, 3.0, dtype="int16"); arange(2.5); arange(5, dtype=complex); arange(0.0, 1.0, 0.0); arange(math.nan)
    arange(True); eye(3); eye(2, 3, 1); eye(2, 3, -9); eye(0); eye(2, dtype=bool); eye(-1); eye(2.0); tri(2, 3, 1)
    tri(True); full(3, 1.5); full((2, 2), -0.0, "int8"); full(2, 1e60); full(-1, 0.5); full(2, 0.5, object)
    indices((2, 3)); indices(()); logspace(0.0, 2.0, 4); logspace(0, 1, 3, base=2.0); geomspace(1.0, 8.0, 4)
    geomspace(-1, -8, 4); geomspace(0, 1, 3); tril_indices(3, 1); triu_indices(2, -1, 3); tril_indices(-1)
    hanning(5); hamming(1); blackman(0); bartlett(4.5); kaiser(4, 2.0); kaiser(1, 3); kaiser(-2, 0.5)"""


@pytest.mark.parametrize("default", ["float32", "float64"])
def test_arrays_made_of_numbers_equal_the_long_way(default):
    with fx.config(default_float=default):
        for text in filter(None, map(str.strip, NUMBERS.replace("\n", ";").split(";"))):
            assert_same(
                lambda text=text: eval(f"fnp.{text}", {"fnp": fnp, "math": math}),
                text,
                ULPS.get(text.partition("(")[0], 1),
            )


def test_dtypes_of_operators_beside_numbers_and_other_dtypes():
    """x + y as NumPy computes it at once, where the table of promotion gives the same dtype."""
    arrays = [
        np.arange(1, 4).astype(d) for d in "int8 uint8 int64 uint64 float16 float32 float64 complex64".split()
    ]
    operators = "add subtract multiply divide floor_divide remainder maximum less equal bitwise_and gcd arctan2".split()
    for f in [getattr(fnp, name) for name in operators]:
        for x in [fx.Array(a) for a in arrays] + [fx.Array(np.float32(2))]:
            for y in [3, 200, 0.5, True, 2j, 1e300, *map(fx.Array, arrays), np.array([1.0, 2.0])]:
                direct = outcome(lambda f=f, x=x, y=y: f(x, y))
                traced = outcome(lambda f=f, x=x, y=y: fx.vjp(lambda a: f(a, y), x)[0])
                assert type(direct) is type(traced), (f, x, y, direct, traced)
                if isinstance(direct, list):
                    assert direct[0].aval is traced[0].aval, (f, x, y)
                    np.testing.assert_array_equal(direct[0], traced[0])


def test_what_short_ways_make_is_not_shared_with_arrays_that_may_change():
    x = np.arange(6.0)
    y = fnp.reshape(x, (2, 3))
    x[0] = 9.0
    assert float(y[0, 0]) == 0.0
    assert float(fnp.reshape(fnp.asarray(x), (2, 3))[0, 0]) == 9.0
