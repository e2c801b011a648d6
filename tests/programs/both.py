"""One program text for two libraries: `program(J, n, L, R)` gets jax, jax.numpy, jax.lax, jax.random, or fx's."""

import functools

import jax
import jax.flatten_util
import jax.scipy.linalg
import jax.scipy.optimize
import jax.scipy.signal
import jax.scipy.sparse.linalg
import jax.scipy.special
import jax.scipy.stats
import numpy as np
from recorded import Answers

import fx
from fx import _jax_names, flatten_util, tree_util


class Names:
    """fx with the names of jax that live in modules of their own."""

    tree_util, flatten_util = tree_util, flatten_util

    def __getattr__(self, name):
        return getattr(fx, name) if hasattr(fx, name) else getattr(_jax_names, name)


FX = (Names(), fx.numpy, fx.lax, fx.random)
JAX = (jax, jax.numpy, jax.lax, jax.random)


QUICK = {"xla_backend_optimization_level": "0", "xla_llvm_disable_expensive_passes": True}
"""An answer is needed once: compiling it well takes longer than running it."""


def compiled(f):
    """f, of no arguments, compiled by JAX."""
    return jax.jit(f).lower().compile(compiler_options=QUICK)


def theirs(program, whole):
    """What JAX returns, with 64 bits, as NumPy arrays."""
    with jax.enable_x64(True):
        run = compiled(lambda: program(*JAX)) if whole else lambda: program(*JAX)
        return [np.asarray(x) for x in jax.tree.leaves(run())]


@functools.cache
def answers(source):
    return Answers(source)


def agree(program, whole=True, rtol=1e-8, atol=1e-9):
    """The program gives the same arrays in both, shapes and dtypes included; Python floats make float64."""
    known = answers(program.__code__.co_filename)
    wanted = known.get(program.__name__, lambda: theirs(program, whole))
    with fx.config(default_float="float64"):
        found = [np.asarray(x) for x in fx.tree.leaves(program(*FX))]
    assert len(found) == len(wanted)
    for ours, answer in zip(found, wanted, strict=True):
        assert (ours.shape, ours.dtype) == (answer.shape, answer.dtype)
        np.testing.assert_allclose(ours, answer, rtol=rtol, atol=atol)
