"""What NumPy refuses, fx.numpy refuses: arguments of good calls are exchanged for bad ones, one at a time.

Where NumPy raises, fx must raise one of its own errors; where NumPy does not, fx may return or raise, but only so.
"""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest
from numpy_cases import inputs
from test_numpy_namespace import INDEXED, NAMES, TABLE, function_of, like_numpy, numpy_of  # noqa: F401

import fx
import fx.numpy as fnp

LINE = np.arange(7.0) + 1
OBJECTS = [
    ("a string", "nonsense"),
    ("None", None),
    ("an object", object()),
    ("strings", np.array(["a", "b"])),
]
NUMBERS = [
    ("99", 99),
    ("-99", -99),
    ("1.5", 1.5),
    ("a string", "x"),
    ("a pair", (0, 0)),
    ("NaN", float("nan")),
]
OPTIONS = {
    "axis": [99, -99, 1.5, "x", (0, 0), (0, 99)],
    "dtype": ["nonsense", object, "S3", "M8[s]"],
    **{
        key: ["x"]
        for key in ("order", "mode", "method", "indexing", "side", "kind", "ddof", "initial", "decimals")
    },
    "where": ["nonsense", LINE > 0],
    **{key: [-1, 1.5] for key in ("n", "num", "M")},
    "axes": [99, (0, 0), (0, 99), "x"],
    "k": [1.5, "x"],
    "keepdims": ["x"],
}


def replacements(a):
    """Bad values for an argument that was good."""
    if isinstance(a, np.ndarray):
        whole = np.where(np.isfinite(a), a.real, 0).astype(int)
        dtype = a.dtype
        shapes = [("two more axes", a.reshape(1, 1, *a.shape)), ("a line", LINE.astype(dtype))]
        shapes += [
            ("three axes", np.ones((2, 3, 5), a.dtype)),
            ("a scalar", a.dtype.type(1)),
            ("nothing", a.ravel()[:0]),
        ]
        kinds = [
            ("complex", a + 1j),
            ("booleans", a.astype(bool)),
            ("integers", whole),
            ("negative", -np.abs(whole) - 1),
        ]
        return OBJECTS + shapes + kinds
    if isinstance(a, bool) or a is None or isinstance(a, str):
        return [("a string", "nonsense")]
    if isinstance(a, (int, np.integer)):
        return NUMBERS
    if isinstance(a, float):
        return [
            ("a string", "x"),
            ("NaN", float("nan")),
            ("inf", float("inf")),
            ("an array", LINE),
            ("1j", 1j),
        ]
    if isinstance(a, (list, tuple)):
        return [
            ("none", type(a)()),
            ("more", type(a)([*a, *a, *a])),
            ("fewer", a[:-1]),
            ("a string", "nonsense"),
        ]
    return []


def bad_calls(name, case):
    for i, a in enumerate(case.args):
        for what, bad in replacements(a):
            yield f"argument {i} is {what}", (*case.args[:i], bad, *case.args[i + 1 :]), case.kwargs
    for key, a in case.kwargs.items():
        for what, bad in [] if isinstance(a, bool) else NUMBERS:
            yield f"{key} is {what}", case.args, {**case.kwargs, key: bad}
    for key in inspect.signature(getattr(fnp, name)).parameters.keys() & OPTIONS.keys() - case.kwargs.keys():
        for bad in OPTIONS[key]:
            yield f"{key}={bad!r}", case.args, {**case.kwargs, key: bad}


GENTLER = {  # where fx has an answer that NumPy lacks
    "booleans round to themselves": [("around", "argument 0"), ("round", "argument 0")],
    "None is no value": [
        *[("mean", "where"), ("std", "where"), ("var", "where")],
        *[("diff", "prepend"), ("diff", "append"), ("sum", "initial"), ("prod", "initial")],
    ],
    "booleans are numbers that rise": [
        *[("histogram", "argument 1"), ("histogram2d", "argument 2"), ("histogram_bin_edges", "argument 1")],
    ],
    "q of any shape": [
        ("nanquantile", "argument 1 is two more axes"),
        ("nanquantile", "argument 1 is three axes"),
    ],
    "NumPy trims a remainder by its values": [("polydiv", "argument 0 is a line")],
}
ALLOWED = [entry for entries in GENTLER.values() for entry in entries]
FUNCTIONS_INSIDE = {"apply_along_axis", "apply_over_axes", "fromfunction", "mask_indices", "piecewise"}


def attempt(function, args, kwargs):
    """The error of a call, or None."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(*[x.copy() if isinstance(x, np.ndarray) else x for x in args], **kwargs)
    except Exception as e:
        return e
    return None


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(INDEXED) - FUNCTIONS_INSIDE))
def test_what_numpy_refuses_is_refused(name):
    for case in [case for case in TABLE[name] if all(x.size < 20 for x in inputs(case))][:2]:
        oracle = numpy_of(name, case) or getattr(np, name)
        for what, args, kwargs in bad_calls(name, case):
            label = f"{name}, {what}"
            error = attempt(function_of(name), args, kwargs)
            call_itself = isinstance(error, TypeError) and "argument" in str(error)
            assert error is None or isinstance(error, fx.FxError) or call_itself, f"{label}: {error!r}"
            if error is None and not any(name == n and what.startswith(part) for n, part in ALLOWED):
                theirs = attempt(oracle, args, kwargs)
                assert theirs is None, f"{label}: fx returns, NumPy raises {theirs!r}"
