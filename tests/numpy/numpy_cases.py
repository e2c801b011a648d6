"""What the tables of cases are made of: one call of a function, and how it is compared with NumPy."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import fx


class Case(NamedTuple):
    """One call. NumPy arrays among `args` become fx arrays; everything else is passed as it is."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    oracle: Callable[..., Any] | None = None
    jit: bool = True
    grad: bool = True
    rtol: float | None = None
    values: bool = True


def C(*args: Any, **kwargs: Any) -> Case:
    return Case(args, kwargs)


def each(*xs: Any, **kwargs: Any) -> list[Case]:
    """One case per operand (tuples are several operands)."""
    return [Case(x if isinstance(x, tuple) else (x,), kwargs) for x in xs]


def change(cases: list[Case], **fields: Any) -> list[Case]:
    return [case._replace(**fields) for case in cases]


def flatten(tree: Any, kinds: Any) -> list[Any]:
    """The members of nested lists, tuples and dicts that are of some kinds, in order."""
    if isinstance(tree, kinds):
        return [tree]
    if isinstance(tree, dict):
        tree = list(tree.values())
    return (
        [leaf for member in tree for leaf in flatten(member, kinds)]
        if isinstance(tree, (list, tuple))
        else []
    )


def rebuild(tree: Any, leaves: Any) -> Any:
    """The tree with its NumPy arrays replaced, in order."""
    if isinstance(tree, np.ndarray):
        return next(leaves)
    if isinstance(tree, dict):
        return {k: rebuild(v, leaves) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        made = [rebuild(v, leaves) for v in tree]
        return made if isinstance(tree, list) else tuple(made)
    return tree


def call(function: Any, case: Case, leaves: list[Any]) -> Any:
    args, kwargs = rebuild((case.args, case.kwargs), iter(leaves))
    return function(*args, **kwargs)


def inputs(case: Case) -> list[Any]:
    return flatten((case.args, case.kwargs), np.ndarray)


def results(out: Any) -> list[Any]:
    """The arrays and numbers of a result."""
    if isinstance(out, (fx.Array, np.ndarray, np.generic, bool, int, float, complex)):
        return [out]
    return [leaf for member in out for leaf in results(member)]


def expected_of(name: str, case: Case) -> list[Any]:
    function = case.oracle or getattr(np, name)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns of means of nothing
        return results(function(*case.args, **case.kwargs))


_RTOL = {"float64": 1e-12, "complex128": 1e-12, "float32": 2e-6, "complex64": 2e-6, "float16": 2e-3}


def compare(got: Any, want: list[Any], case: Case, label: str, dtypes: bool = True) -> None:
    """Shapes, dtypes and values."""
    got = results(got)
    assert len(got) == len(want), label
    for g, w in zip(got, want, strict=True):
        python = isinstance(w, (bool, int, float, complex)) and not isinstance(w, np.generic)
        g, w = np.asarray(g), np.asarray(w)
        assert g.shape == w.shape, f"{label}: shape {g.shape}, NumPy {w.shape}"
        if dtypes and not python:
            assert g.dtype == w.dtype, f"{label}: dtype {g.dtype}, NumPy {w.dtype}"
        if case.values:
            rtol = case.rtol or _RTOL.get(g.dtype.name, 0)
            finite = np.abs(w[np.isfinite(w)]) if w.dtype.kind in "fc" else np.zeros(0)
            atol = rtol * min(float(finite.max(initial=0)), 1.0) if w.dtype.kind in "fc" else 0
            np.testing.assert_allclose(g, w, rtol=rtol, atol=atol, err_msg=label, equal_nan=True)


# Operands

rng = np.random.default_rng(7)
A = rng.normal(size=(3, 4))
B = rng.normal(size=(3, 4))
V = rng.normal(size=(4,))
COL = rng.normal(size=(3, 1))
CUBE = rng.normal(size=(2, 3, 4))
SCALAR = np.array(0.7)
ONE = np.array([1.3])
EMPTY = np.zeros((0, 3))
STRIDED = rng.normal(size=(6, 8))[::-2, 1::2]
SINGLE = A.astype(np.float32)
HALF = A.astype(np.float16)
COMPLEX = rng.normal(size=(3, 4)) + 1j * rng.normal(size=(3, 4))
INTS = rng.integers(-5, 6, (3, 4))
BYTES = rng.integers(0, 200, (3, 4)).astype(np.uint8)
INTS32 = rng.integers(-5, 6, (3, 4)).astype(np.int32)
NATURALS = rng.integers(1, 9, (3, 4))
BOOLS = rng.normal(size=(3, 4)) > 0
NANS = np.where(rng.normal(size=(3, 4)) > 0.5, np.nan, A)
SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-320, -1e308, 1e-12, 3.5, -2.5, 0.5, 1e4]
)
POSITIVE = np.abs(A) + 0.1
UNIT = rng.uniform(-0.9, 0.9, (3, 4))

FLOATS = [A, SCALAR, ONE, EMPTY, STRIDED, CUBE, SINGLE]
REALS = [*FLOATS, INTS, INTS32, BYTES]
PAIRS = [
    (A, B),
    (A, V),
    (COL, V),
    (A, SCALAR),
    (SCALAR, SCALAR),
    (EMPTY, ONE),
    (STRIDED, V),
    (SINGLE, V),
    (SINGLE, SINGLE),
]
INT_PAIRS = [
    (INTS, NATURALS),
    (INTS32, NATURALS),
    (INTS32, INTS32 * 0 + 3),
    (BYTES, NATURALS.astype(np.uint8)),
]
SPECIAL_PAIRS = [(SPECIAL[:, None], SPECIAL[None, :])]
