"""Random functions: compiled equals interpreted. `make fuzz` (FX_FUZZ=1) runs 20,000 of them."""

import os

import numpy as np
import pytest

import fx
from fx.core.executor import executable
from fx.core.interpret import run_buffers

from random_functions import draw

COUNT = 20_000 if os.environ.get("FX_FUZZ") else 300
BATCH = 20

EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


def precisions(program):
    """For each output the coarsest rounding on the way to it."""
    coarsest = {}
    for v in program.inputs:
        coarsest[v] = EPSILON.get(v.aval.dtype.name, 0.0)
    for eqn in program.equations:
        before = max((coarsest.get(x, 0.0) for x in eqn.inputs), default=0.0)
        for v in eqn.outputs:
            coarsest[v] = max(before, EPSILON.get(v.aval.dtype.name, 0.0))
    return [coarsest.get(v, 0.0) for v in program.outputs]


def differing(got, want, epsilon, ulps=512):
    """Where values differ by more than some ulps of the largest; shapes, dtypes, NaNs and infinities must agree."""
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    if want.dtype.name not in EPSILON:
        return np.zeros(want.shape, bool) if epsilon else got != want
    a, b = got.astype(np.float64), want.astype(np.float64)
    assert (np.isnan(a) == np.isnan(b)).all(), "other NaNs"
    finite = np.isfinite(b)
    assert (a[np.isinf(b)] == b[np.isinf(b)]).all(), "other infinities"
    scale = np.abs(b[finite]).max(initial=1.0)
    wrong = np.zeros(b.shape, bool)
    wrong[finite] = ~(np.abs(a[finite] - b[finite]) <= ulps * epsilon * scale)
    return wrong


def check(seed):
    rng = np.random.default_rng(seed)
    function, arguments = draw(rng)
    lowered = fx.jit(function).lower(arguments)
    buffers = [*arguments, *map(np.asarray, lowered.consts)]
    want = run_buffers(lowered.program, buffers)
    got = executable(lowered.program).run(buffers)
    for g, w, epsilon in zip(got, want, precisions(lowered.program), strict=True):
        g, w = np.asarray(g), np.asarray(w)
        wrong = differing(g, w, epsilon)
        assert not wrong.any(), f"seed {seed}: {g[wrong][:4]} instead of {w[wrong][:4]}\n{lowered.program}"


@pytest.mark.parametrize("first", range(0, COUNT, BATCH))
def test_compiled_equals_interpreted(first):
    for seed in range(first, first + BATCH):
        check(seed)
