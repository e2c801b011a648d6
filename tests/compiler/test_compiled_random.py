"""Random functions: compiled equals interpreted. `make fuzz` (FX_FUZZ=1) runs 20,000 of them."""

import os

import numpy as np
import pytest
from random_functions import draw

import fx
from fx.compiler.kinds import FREE, PLACE, POINTWISE, VIEW, kind_of
from fx.core.executor import executable
from fx.core.interpret import run_buffers
from fx.core.structure import Literal

COUNT = 20_000 if os.environ.get("FX_FUZZ") else 300
BATCH = 20

EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
EPSILON |= {"complex64": 2.0**-23, "complex128": 2.0**-52}


EXACT = {
    "abs", "neg", "max", "min", "floor", "ceil", "trunc", "round", "sign", "select", "copysign", "nextafter", "real",
    "imag", "conj", "complex", "bitcast", "sort", "permute", "gather", "dynamic_slice", "dynamic_update_slice",
    "reduce_max", "reduce_min", "window_max", "window_min", "cummax", "cummin", "optimization_barrier",
    "random_unit", "pure_callback", "window_gather", "window_find", "argmax", "argmin", "searchsorted", "all", "any",
}  # fmt: skip
"""Primitives that do not round, besides views and places."""

RUNS = 16


def perturbed(program, buffers, rng):
    """The results when each rounding goes astray by some units in the last place (Monte Carlo arithmetic, Parker 1997).

    What these runs disagree about is what rounding decides, and no two correct executions need to agree on it.
    """
    known = {**dict(zip(program.inputs, buffers)), **{v: np.asarray(x) for v, x in program.consts}}
    value = lambda x: x.value if isinstance(x, Literal) else known[x]
    for eqn in program.equations:
        rounds = kind_of(eqn) not in (VIEW, FREE, PLACE) and eqn.primitive.name not in EXACT
        operands = [np.asarray(value(x), x.aval.dtype) for x in eqn.inputs]
        if rounds and kind_of(eqn) != POINTWISE:  # sums round inside: as if their terms had been off
            operands = [shaken(x, rng) for x in operands]
        found = eqn.primitive.kernel(np, eqn.params)(*operands)
        made = [
            np.asarray(x, v.aval.dtype)
            for x, v in zip(found if eqn.primitive.multiple else (found,), eqn.outputs)
        ]
        known.update(zip(eqn.outputs, [shaken(x, rng) for x in made] if rounds else made))
    return [np.asarray(value(o)) for o in program.outputs]


def shaken(x, rng):
    if x.dtype.name not in EPSILON:
        return x
    spread = 8 * EPSILON[x.dtype.name]
    part = 1 + rng.uniform(-spread, spread, x.shape)
    return np.where(x == 0, x, x.astype(wide(x)) * part).astype(x.dtype)


def wide(x):
    return np.complex128 if x.dtype.kind == "c" else np.float64


def differing(got, want, astray):
    """Where values differ by more than what rounding decides; shapes and dtypes must agree."""
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    if same_bits(got, want):
        return np.zeros(want.shape, bool)
    runs = [want.astype(wide(want)), *[x.astype(wide(want)) for x in astray()]]
    loose = np.any([~same(runs[0], x) & ~(np.isfinite(x) & np.isfinite(runs[0])) for x in runs[1:]], axis=0)
    with np.errstate(all="ignore"):
        spread = np.fmax.reduce([np.abs(x - runs[0]) for x in runs])
        spread = np.where(np.isnan(spread), 0, spread)
        scale = np.abs(runs[0])
        most = np.max(scale[np.isfinite(scale)], initial=0)
        unit = EPSILON.get(want.dtype.name, 0.0)
        near = np.abs(got.astype(wide(got)) - runs[0]) <= 16 * spread + 8 * unit * (scale + most)
    return ~(near | same(got.astype(wide(got)), runs[0]) | loose)


def same(a, b):
    return (a == b) | (np.isnan(a) & np.isnan(b))


def same_bits(a, b):
    return np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def check(seed):
    rng = np.random.default_rng(seed)
    function, arguments = draw(rng)
    lowered = fx.jit(function).lower(arguments)
    program = lowered.program
    buffers = [*arguments, *map(np.asarray, lowered.consts)]
    with fx.config(compile=False):
        want = list(map(np.asarray, run_buffers(program, buffers)))
    compiled = executable(program)
    got = list(map(np.asarray, compiled.run(buffers)))
    runs = []

    def astray(n):
        if not runs:
            with np.errstate(all="ignore"):
                runs.extend(perturbed(program, buffers, rng) for _ in range(RUNS))
        return [r[n] for r in runs]

    for n, (g, w) in enumerate(zip(got, want, strict=True)):
        wrong = differing(g, w, lambda n=n: astray(n))
        assert not wrong.any(), (
            f"seed {seed}: {g[wrong][:4]} instead of {w[wrong][:4]}, result {n}\n{program}"
        )
    check_donated(seed, compiled, buffers, got)


def check_donated(seed, compiled, buffers, got):
    """With all inputs given up: the same bits; and nothing else was overwritten."""
    given = [np.array(x, order="C") for x in buffers]
    places = tuple(range(len(given)))
    again = compiled.run_donated(given, places, [True] * len(given))
    for n, (a, b) in enumerate(zip(again, got, strict=True)):
        assert same_bits(np.asarray(a), b), f"seed {seed}: result {n} differs where inputs are donated"


@pytest.mark.parametrize("first", range(0, COUNT, BATCH))
def test_compiled_equals_interpreted(first):
    for seed in range(first, first + BATCH):
        check(seed)
