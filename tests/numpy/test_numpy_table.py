"""docs/numpy.md says the truth: every function has an entry, with derivatives and batches just where it claims them."""

from __future__ import annotations

import functools
import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy_cases import call, inputs
from test_numpy_gradients import inexact_results
from test_numpy_namespace import NAMES, PUBLIC, TABLE, arrays_of, function_of, like_numpy  # noqa: F401

import fx
import fx.numpy as fnp
from fx.testing import check_grads, check_vmap

DOCS = Path(__file__).parents[2] / "docs"
PAGE = runpy.run_path(str(DOCS / "numpy_table.py"))
ROWS = {name: PAGE["row"](name) for name in PAGE["functions"]()}
DIFFERENTIABLE = [name for name, (derivatives, _, _) in ROWS.items() if derivatives == "yes"]
MAPPED = [name for name, (_, mapped, _) in ROWS.items() if mapped == "yes"]


def test_the_printed_page_is_the_computed_one():
    assert (DOCS / "numpy.md").read_text() == PAGE["table"]()


def test_every_function_has_one_entry_and_every_entry_is_a_function():
    classes = {"ufunc", "dtype", "ndarray"}
    called = {
        name for name in PUBLIC if callable(getattr(fnp, name)) and not isinstance(getattr(fnp, name), type)
    }
    dtypes = {name for name in called if type(getattr(fnp, name)).__name__ == "ScalarType"}
    assert called - dtypes - classes <= set(ROWS)
    words = " ".join([*PAGE["WHY"].values(), PAGE["KNOWN"], PAGE["SIZED"]]).split()
    assert set(words) <= set(ROWS)
    assert len(PAGE["REASON"]) == sum(len(names.split()) for names in PAGE["WHY"].values())


def smooth_cases(name):
    """The cases whose inexact arguments are all float64 or complex128, as functions of those."""
    for i, case in enumerate(TABLE.get(name, ())):
        leaves = inputs(case)
        places = [j for j, x in enumerate(leaves) if x.dtype in (np.float64, np.complex128)]
        if places and not any(x.dtype.kind in "fc" and x.dtype.itemsize < 8 for x in leaves):
            yield (
                f"{name}[{i}]",
                functools.partial(inexact_part, name, case, places),
                [leaves[j] for j in places],
            )


def inexact_part(name, case, places, *xs):
    leaves = inputs(case)
    for j, x in zip(places, xs, strict=True):
        leaves[j] = x
    return inexact_results(call(function_of(name), case, leaves))


W = np.array([1.0, -2.0, 0.5, 3.0])
SMOOTH = {
    "heaviside": (lambda h0: fnp.heaviside(np.array([-1.0, 0.0, 2.0]), h0), W[:3]),
    "intersect1d": (lambda x: fnp.intersect1d(x, x), W),
    "setdiff1d": (lambda x: fnp.setdiff1d(x, np.array([7.0])), W),
    "setxor1d": (lambda x: fnp.setxor1d(x, np.array([7.0])), W),
    "union1d": (lambda x: fnp.union1d(x, np.array([7.0])), W),
    "unique": (fnp.unique, W),
    "unique_all": (lambda x: fnp.unique_all(x).values, W),
    "unique_counts": (lambda x: fnp.unique_counts(x).values, W),
    "unique_inverse": (lambda x: fnp.unique_inverse(x).values, W),
    "unique_values": (fnp.unique_values, W),
    "trim_zeros": (lambda x: fnp.trim_zeros(x * np.array([0.0, 1.0, 1.0, 0.0])), W),
    "kaiser": (lambda beta: fnp.kaiser(5, beta), np.array(2.5)),
    "nancumprod": (fnp.nancumprod, W),
    "nancumsum": (fnp.nancumsum, W),
    "nanpercentile": (lambda x: fnp.nanpercentile(x, 40.0), W),
    "polydiv": (lambda x: fnp.polydiv(x, np.array([2.0, 1.0])), W),
}
"""Smooth points of functions whose cases lie at ties and jumps."""


def tangent_of(f, xs):
    rng = np.random.default_rng(5)
    draw = lambda x: rng.normal(size=x.shape) + (1j * rng.normal(size=x.shape) if x.dtype.kind == "c" else 0)
    _, dots = fx.jvp(f, tuple(xs), tuple(np.asarray(draw(x), x.dtype) for x in xs))
    return [np.asarray(d) for d in dots]


def moves(f, xs):
    return any(np.isfinite(d).all() and (d != 0).any() for d in tangent_of(f, xs))


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_derivatives_are_there_in_both_modes_and_right(name):
    """The first case that moves at all; test_numpy_gradients holds all of them against JAX."""
    own = [SMOOTH[name]] if name in SMOOTH else []
    cases = [(lambda x, f=f: inexact_results(f(x)), [x]) for f, x in own] or [
        c[1:] for c in smooth_cases(name)
    ]
    f, xs = next(
        (f, xs) for f, xs in cases if all(np.isfinite(x).all() for x in xs) and f(*xs) and moves(f, xs)
    )
    check_grads(f, tuple(xs), order=1)


def test_what_claims_no_derivatives_has_none():
    for name in set(ROWS) - set(DIFFERENTIABLE):
        for label, f, xs in smooth_cases(name):
            if f(*xs):
                assert not any((np.nan_to_num(d) != 0).any() for d in tangent_of(f, xs)), label


def mappable_cases(name):
    """Those that test_numpy_namespace compiles come first."""
    for case in sorted(TABLE.get(name, ()), key=lambda case: not case.jit):
        leaves = inputs(case)
        if leaves and all(x.size for x in leaves):
            yield leaves, lambda *xs, case=case: arrays_of(call(function_of(name), case, list(xs)))


@pytest.mark.parametrize("name", MAPPED)
def test_vmap_equals_a_loop(name):
    leaves, f = next((leaves, f) for leaves, f in mappable_cases(name) if f(*leaves))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_vmap(f, tuple(leaves))


def test_what_needs_known_values_says_so_under_vmap():
    for name in (name for name, (_, mapped, _) in ROWS.items() if mapped in ("known", "size=")):
        refused = 0
        for leaves, f in mappable_cases(name):
            try:
                fx.vmap(f)(*[np.stack([x, x]) for x in leaves])
            except fx.FxError:
                refused += 1
        assert refused, f"{name} is mapped wherever it was tried"


def test_all_names_of_jax_numpy_are_there():
    pytest.importorskip("jax")
    coverage = runpy.run_path(str(DOCS / "coverage.py"))
    for space in ("jax.numpy", "jax.numpy.linalg", "jax.numpy.fft"):
        names = coverage["public"](coverage["module_of"](space))
        assert names and not names - coverage["public"](coverage["module_of"](coverage["SPACES"][space]))


def test_the_benchmark_of_eager_calls_runs():
    eager = pytest.importorskip("benchmarks.eager")
    rows = [eager.measure(name, call, rounds=1, repeats=1) for name, call in eager.calls().items()]
    assert len(rows) > 190 and all(row.fx > 0 and row.numpy > 0 for row in rows)
    assert len(eager.table(rows).splitlines()) == 22
