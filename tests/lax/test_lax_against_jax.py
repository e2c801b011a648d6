"""Values, dtypes and both derivatives of every function of fx.lax against jax.lax.

JAX answers all cases in one compiled function, as compiled apart they would take ten times as long.
"""

import functools

import jax
import lax_cases
import numpy as np
import pytest
from lax_cases import ALL, DIFFERENTIABLE, OTHERWISE, SPECIAL
from recorded import Answers

import fx

QUICK = {"xla_backend_optimization_level": "0", "xla_llvm_disable_expensive_passes": True}
TOLERANCE = {"rtol": 1e-9, "atol": 1e-11}
GRADIENTS = [name for name in DIFFERENTIABLE if name not in OTHERWISE]


def directions(values):
    """One direction per array; the same for both libraries."""
    rng = np.random.default_rng(1)
    return [
        (rng.normal(size=v.shape) * (1 + 1j if v.dtype.kind == "c" else 1)).astype(v.dtype) for v in values
    ]


def leaves(tree):
    return [v for v in jax.tree.leaves(tree)]


def inexact_part(function, lax, arrays):
    """The case as a function of its inexact operands to its inexact results, and these operands."""
    which = [i for i, a in enumerate(arrays) if a.dtype.kind in "fc"]

    def f(*parts):
        operands = list(arrays)
        for i, part in zip(which, parts, strict=True):
            operands[i] = part
        out = function(lax, *operands)
        out = out if isinstance(out, (list, tuple)) else [out]
        return [v for v in out if v.dtype.kind in "fc"]

    return f, [arrays[i] for i in which]


def derivatives(F, lax, name, arrays, host):
    """Tangents of the results, cotangents of the operands; directions are drawn for the arrays in `host`."""
    function, _ = DIFFERENTIABLE[name]
    f, chosen = inexact_part(function, lax, arrays)
    dots = directions([a for a in host if a.dtype.kind in "fc"])
    out, pushed = F.jvp(f, tuple(chosen), tuple(F.numpy.asarray(d) for d in dots))
    cts = [F.numpy.asarray(c) for c in directions(out)]
    return pushed, F.vjp(f, *chosen)[1](cts)


KNOWN = Answers(lax_cases.__file__, __file__)


@functools.cache
def everything():
    """What JAX gives: name -> [results, tangents, cotangents]."""

    def answer(operands):
        found = {name: [leaves(ALL[name][0](jax.lax, *arrays))] for name, arrays in operands.items()}
        for name in GRADIENTS:
            found[name] += map(leaves, derivatives(jax, jax.lax, name, operands[name], ALL[name][1]))
        return found

    with jax.enable_x64(True):
        operands = {name: arrays for name, (_, arrays) in ALL.items()}
        found = jax.jit(answer).lower(operands).compile(compiler_options=QUICK)(operands)
        return jax.tree.map(np.asarray, found)


def wanted(name, part):
    """JAX's results (part 0), tangents (1) or cotangents (2)."""
    return KNOWN.get(f"{name}:{part}", lambda: everything()[name][part])


@pytest.mark.parametrize("name", ALL)
def test_values_and_dtypes(name):
    function, arrays = ALL[name]
    found = [np.asarray(v) for v in leaves(function(fx.lax, *map(fx.numpy.asarray, arrays)))]
    answer = wanted(name, 0)
    assert [(v.shape, v.dtype) for v in found] == [(v.shape, v.dtype) for v in answer]
    for ours, theirs in zip(found, answer, strict=True):
        np.testing.assert_allclose(ours, theirs, **TOLERANCE)


@pytest.mark.parametrize("name", GRADIENTS)
def test_forward_and_reverse_mode(name):
    arrays = ALL[name][1]
    found = derivatives(fx, fx.lax, name, [fx.numpy.asarray(a) for a in arrays], arrays)
    for part, ours in enumerate(found, 1):
        for a, b in zip(leaves(ours), wanted(name, part), strict=True):
            np.testing.assert_allclose(a, b, **TOLERANCE)


@pytest.mark.parametrize("name", ALL)
def test_compiled_equals_eager(name):
    function, arrays = ALL[name]
    operands = [fx.numpy.asarray(a) for a in arrays]
    f = lambda *xs: function(fx.lax, *xs)
    for a, b in zip(leaves(fx.jit(f)(*operands)), leaves(f(*operands)), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", SPECIAL)
def test_special_functions(name):
    function, arrays = SPECIAL[name]
    with jax.enable_x64(True):
        (answer,) = KNOWN.get(f"{name}:special", lambda: [function(jax.lax, *arrays)])
    np.testing.assert_allclose(function(fx.lax, *arrays), answer, rtol=2e-6)
