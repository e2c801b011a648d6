"""Every primitive on its samples, in every dtype: what is compiled equals what is interpreted.

Moves, integers and comparisons to the bit; elementwise functions within two roundings of their dtype, also at
infinities, NaNs, zeros of both signs, subnormals and lengths that leave a tail; the rest within a few roundings of
the largest element.
"""

import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "laws"))
from primitive_table import COMPLEX, DISCRETE, FLOATS, PRIMITIVES, WITHOUT_SAMPLES, Case, cases, dtype_of

import fx
from fx.compiler.kinds import FREE, PLACE, POINTWISE, VIEW, kind_of
from fx.core.executor import executable
from fx.core.interpret import run_buffers
from fx.testing import tolerance

MOVES = {
    "gather", "dynamic_slice", "dynamic_update_slice", "sort", "permute", "searchsorted", "window_gather",
    "random_bits", "child_keys", "reduce_max", "reduce_min", "window_max", "window_min", "cummax", "cummin",
}  # fmt: skip
"""Primitives that make no new numbers, besides views, padding and concatenation."""

ULPS = 2
NEAR_ZEROS = {"digamma", "lgamma", "logaddexp"}
"""Functions that neither side computes to the last bit around their zeros: held to roundings of one there."""

INACCURATE = {"erfc": 256}
"""Where the interpreter is off: SciPy's erfc by 141 ulps at 20, the compiled one by less than one."""

_SPECIAL = [
    np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 1e-40, -1e-40, 1e30, -1e30, 710.0, -745.0, 88.0
]  # fmt: skip


def drawn(primitive):
    """The samples in all dtypes, and for elementwise primitives longer ones with all the awkward values."""
    found = list(cases(primitive, *FLOATS, *COMPLEX, *DISCRETE))
    seen = {(c.index, *[x.dtype for x in c.operands]) for c in found}
    found += [c for c in cases(primitive, "own") if (c.index, *[x.dtype for x in c.operands]) not in seen]
    return found + [awkward(c) for c in found if c.dtype in FLOATS and is_long(c)][:8]


def is_long(case):
    return is_elementwise(case) and all(x.dtype == dtype_of(case.dtype) for x in case.operands)


def is_elementwise(case):
    return kind_of(Equation(case)) == POINTWISE


class Equation:
    """What `kind_of` looks at."""

    def __init__(self, case):
        self.primitive, self.params = case.primitive, case.params


def awkward(case):
    rng = np.random.default_rng(7)
    count = 203
    operands = []
    for _ in case.operands:
        x = rng.normal(size=count) * np.exp(rng.normal(size=count) * 3)
        x[rng.permutation(count)[: 2 * len(_SPECIAL)]] = _SPECIAL * 2
        with np.errstate(all="ignore"):
            operands.append(x.astype(dtype_of(case.dtype)))
    return Case(case.primitive, case.index, case.dtype, tuple(operands), case)


def compared(case, got, want):
    """None, or what is wrong with a result."""
    if (got.shape, got.dtype) != (want.shape, want.dtype):
        return f"{got.shape} {got.dtype} instead of {want.shape} {want.dtype}"
    kind = kind_of(Equation(case))
    if want.dtype.kind in "biu" or kind in (VIEW, FREE, PLACE) or case.primitive.name in MOVES:
        return None if same_bits(got, want) else f"{got} instead of {want}, to the bit"
    if want.dtype.kind == "c":
        got, want = (np.stack([x.real, x.imag]) for x in (got, want))
    if not (np.isnan(got) == np.isnan(want)).all():
        return f"NaN elsewhere: {got} instead of {want}"
    if (
        kind == POINTWISE
        and not np.iscomplexobj(want)
        and not any(x.dtype.kind == "c" for x in case.operands)
    ):
        near = case.primitive.name in NEAR_ZEROS
        if near and nearly(got, want, 8 * float(ml_dtypes.finfo(want.dtype).eps)) is None:
            return None
        far = ulps(got, want)
        allowed = INACCURATE.get(case.primitive.name, ULPS)
        return None if far <= allowed else f"{far} ulps: {worst(got, want)}"
    return nearly(got, want, 4 * max([tolerance(x.dtype) for x in (want, *case.operands)]))


def same_bits(got, want):
    """Equal values, signs of zero too; any NaN is as good as another."""
    if want.dtype.kind == "c":
        return same_bits(got.real, want.real) and same_bits(got.imag, want.imag)
    if want.dtype.kind in "biu":
        return (got == want).all()
    both = np.isnan(got) & np.isnan(want)
    return (both | ((got == want) & (np.signbit(got) == np.signbit(want)))).all()


def nearly(got, want, rtol):
    finite = np.isfinite(want.astype(np.float64))
    if (got[~finite & ~np.isnan(want)] != want[~finite & ~np.isnan(want)]).any():
        return f"infinities elsewhere: {got} instead of {want}"
    a, b = got[finite].astype(np.float64), want[finite].astype(np.float64)
    far = np.abs(a - b).max(initial=0) / max(1.0, np.abs(b).max(initial=0))
    return None if far <= rtol else f"off by {far} of the largest: {got} instead of {want}"


def ordered(x):
    """Floats as integers in the same order."""
    bits = x.view({2: np.int16, 4: np.int32, 8: np.int64}[x.dtype.itemsize]).astype(object)
    lowest = -(1 << 8 * x.dtype.itemsize - 1)
    return np.where(bits < 0, lowest - bits, bits)


def distances(got, want):
    a, b = np.ascontiguousarray(got), np.ascontiguousarray(want)
    far = np.abs(ordered(a) - ordered(b))
    return np.where(np.isnan(b), 0, far)


def ulps(got, want):
    return max(distances(got, want).ravel().tolist(), default=0)


def worst(got, want):
    i = int(np.argmax(distances(got, want).ravel()))
    return f"{got.ravel()[i]!r} instead of {want.ravel()[i]!r}, element {i}"


def both_ways(all_cases):
    """All results of the samples, interpreted and compiled, as one Program."""

    def function(operands):
        return [case.results(*xs) for case, xs in zip(all_cases, operands, strict=True)]

    operands = [list(c.operands) for c in all_cases]
    lowered = fx.jit(function).lower(operands)
    buffers = [*[x for xs in operands for x in xs], *map(np.asarray, lowered.consts)]
    with fx.config(compile=False):
        interpreted = run_buffers(lowered.program, buffers)
    return [list(map(np.asarray, r)) for r in (executable(lowered.program).run(buffers), interpreted)]


@pytest.mark.parametrize("primitive", [p for p in PRIMITIVES if p.name not in WITHOUT_SAMPLES], ids=repr)
def test_compiled_equals_interpreted(primitive):
    all_cases = drawn(primitive)
    compiled, interpreted = (iter(results) for results in both_ways(all_cases))
    wrong = []
    for case in all_cases:
        for _ in case.shape_rule():
            problem = compared(case, next(compiled), next(interpreted))
            if problem:
                wrong.append(f"sample {case.index} in {case.dtype}, {case.avals} {case.params}: {problem}")
    assert not wrong, "\n".join(wrong)
