"""Holds fx against JAX: one program text, written over (transformations, numpy, lax), is run by both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fx
from fx import numpy as fnp

FX = (fx, fnp, fx.lax)
JAX = (jax, jnp, jax.lax)


def agree(program, *, rtol=1e-9):
    """`program(F, n, L)` gives the same tree, shapes, dtypes and values in fx and in JAX with 64 bits."""
    with jax.enable_x64(True):
        wanted = jax.tree.leaves(program(*JAX))
        wanted = [np.asarray(x) for x in wanted]
    found = [np.asarray(x) for x in fx.tree.leaves(program(*FX))]
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol)


def cases(table):
    """A table of named cases as parameters of a test."""
    return pytest.mark.parametrize("case", table.values(), ids=table.keys())


def same(found, wanted, rtol=1e-9):
    """Two trees have equal leaves up to rounding; a list of numbers stands for a vector."""
    found, wanted = (
        np.array([np.asarray(x) for x in t]) if isinstance(t, list) else t for t in (found, wanted)
    )
    a, b = fx.tree.leaves(found), fx.tree.leaves(wanted)
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=rtol, atol=rtol)


def says(error, call, *facts):
    """`call()` raises `error`, and its message holds every fact."""
    with pytest.raises(error) as caught:
        call()
    text = str(caught.value)
    for fact in facts:
        assert fact in text, f"{fact!r} is missing in:\n{text}"


def derivative(f, x, step=1e-6):
    """Central differences of a scalar function of one number."""
    return (f(x + step) - f(x - step)) / (2 * step)
