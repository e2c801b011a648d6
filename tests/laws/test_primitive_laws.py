"""The laws of primitives: one table of every primitive, its samples and dtypes, held against each law.

A new primitive is picked up by itself. One without samples fails, unless it is listed in `primitive_table`
with what covers it instead.
"""

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from primitive_table import (
    BROKEN_MODULES,
    COMPLEX,
    DISCRETE,
    FIXED_DTYPE,
    FLOATS,
    MAIN,
    PRIMITIVES,
    WITHOUT_SAMPLES,
    cases,
)

import fx
from fx.core import devices, program as programs
from fx.core.array import Array
from fx.core.avals import Aval
from fx.core.errors import RuleError
from fx.core.structure import clear_structures
from fx.testing import assert_close, check_checkpoint, check_grads, check_jit, check_vmap, tolerance
from fx.testing._compare import largest

NO_STRICT: dict[str, str] = {}
"""Primitives whose impl cannot run on the strict backend, and why."""

NOT_THE_SLOPE = {
    "stop_gradient": "its derivative is zero by definition",
    "nextafter": "it is flat by convention, as in JAX",
}
"""Primitives whose derivative is not the limit of differences, and why."""

FIRST_ORDER_ONLY: dict[str, str] = {}
"""Primitives without a second derivative, and why."""

JUMPS = {"floor_div", "fmod", "mod"}
"""Primitives that jump where a quotient is an integer: with the few digits of float16 and bfloat16, often."""

_TABLE = [p for p in PRIMITIVES if p.name not in WITHOUT_SAMPLES]
every_primitive = pytest.mark.parametrize("primitive", _TABLE, ids=repr)
differentiable = pytest.mark.parametrize(
    "primitive", [p for p in _TABLE if p.name not in NOT_THE_SLOPE], ids=repr
)
every_dtype = pytest.mark.parametrize("dtype", [*FLOATS, *COMPLEX, *DISCRETE, "own"])


# ---- the table itself ------------------------------------------------------------------------------------
@pytest.mark.parametrize("module", sorted(BROKEN_MODULES) or ["none"])
def test_every_module_of_primitives_can_be_imported(module):
    assert not BROKEN_MODULES, BROKEN_MODULES[module]


@every_primitive
def test_every_primitive_has_samples_with_an_oracle_and_takes_the_main_dtypes(primitive):
    own = list(cases(primitive, "own"))
    assert own, f"{primitive.name} has no samples: the laws cannot see it"
    assert all(case.oracle for case in own), f"{primitive.name}: a sample has no oracle"
    inexact = [c for c in own if any(x.dtype.kind in "fcV" for x in c.operands)]
    for dtype in () if primitive.name in FIXED_DTYPE else MAIN:
        assert len(list(cases(primitive, dtype))) == len(inexact)


def test_what_is_listed_exists_and_needs_to_be_listed():
    named = {p.name: p for p in PRIMITIVES}
    for name in (*FIXED_DTYPE, *NO_STRICT, *NOT_THE_SLOPE, *FIRST_ORDER_ONLY):
        assert name in named
    for name in WITHOUT_SAMPLES:
        assert not list(named[name].samples(np.random.default_rng(0)))


def test_no_primitive_hides_from_the_table():
    code = "import primitive_table as t; print([p.name for p in t.unreachable_primitives()])"
    here = Path(__file__).parent
    path = {"PYTHONPATH": os.pathsep.join([str(here.parent.parent), str(here)])}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **path}, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


# ---- values ----------------------------------------------------------------------------------------------
def assert_as_expected(case, results):
    """Results against the oracle, in units of the largest element."""
    rtol = max(tolerance(x.dtype) for x in (*results, *case.operands))
    for result, want in zip(results, case.expected(), strict=True):
        want = np.asarray(want)
        want = want.astype(result.dtype) if result.dtype.kind in "biu" else want
        assert_close(result, want, rtol, rtol * max(1.0, largest(want)))


def avals(results):
    """What the buffers really are."""
    return [Aval(x.buffer.shape, x.buffer.dtype) for x in results]


@every_primitive
@every_dtype
def test_impl_gives_what_the_oracle_gives_and_the_shape_rule_says(primitive, dtype):
    for case in cases(primitive, dtype):
        with case.named():
            results = case.results(*case.operands)
            assert avals(results) == [a.strong for a in case.shape_rule()]
            assert_as_expected(case, results)


@every_primitive
def test_results_never_share_memory_with_a_numpy_operand(primitive):
    for case in cases(primitive, "float64", "own"):
        for run in (case, fx.jit(case), fx.checkpoint(case), fx.jit(fx.checkpoint(case))):
            with case.named():
                for result in as_list(run(*case.operands)):
                    assert not any(np.shares_memory(np.asarray(result.buffer), x) for x in case.operands)


def as_list(out):
    return out if isinstance(out, (list, tuple)) else [out]


# ---- derivatives -----------------------------------------------------------------------------------------
def refuses(case, i):
    """Whether the primitive says by RuleError, with its name, that it has no derivative by operand i."""
    x = case.operands[i]
    try:
        fx.jvp(case.by(i), (x,), (np.ones_like(x),))
    except RuleError as error:
        assert case.primitive.name in str(error)
        return True
    return False


@differentiable
@pytest.mark.parametrize("dtype", [*FLOATS, *COMPLEX])
def test_derivatives_agree_with_differences_and_with_each_other(primitive, dtype):
    if primitive.name in JUMPS and dtype in ("float16", "bfloat16"):
        pytest.skip("the samples are at jumps")
    for case in cases(primitive, dtype):
        with case.named():
            by = [i for i in case.active if not refuses(case, i)]
            for i in by:
                check_grads(case.by(i), (case.operands[i],), order=1)
            if by == case.active and len(by) > 1:
                check_grads(case, case.operands, order=1)


@differentiable
def test_second_derivatives_agree_with_differences(primitive):
    if primitive.name in FIRST_ORDER_ONLY:
        pytest.skip(FIRST_ORDER_ONLY[primitive.name])
    smooth = (c for c in cases(primitive, "float64") if c.active and not any(refuses(c, i) for i in c.active))
    for case in islice(smooth, 2):
        with case.named():
            check_grads(case, case.operands, order=2, modes="rev")
            check_grads(case, case.operands, order=2, modes="fwd")


@every_primitive
def test_what_carries_no_derivative_has_zero_cotangents(primitive):
    for case in cases(primitive, "float64", "own"):
        if case.active:
            continue
        with case.named():
            outs, pull = fx.vjp(case, *case.operands)
            cts = pull(fx.tree.map(lambda y: np.zeros(y.shape, y.dtype), outs))
            assert all(not np.asarray(ct).any() for ct in cts)


# ---- transformations -------------------------------------------------------------------------------------
@every_primitive
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "complex128", "own"])
def test_vmap_is_a_loop_over_every_axis_of_every_operand(primitive, dtype):
    for case in cases(primitive, dtype):
        with case.named():
            rtol = max((tolerance(a.dtype) for a in [*case.avals, *case.shape_rule()]), default=0.0)
            scale = max(1.0, *map(largest, [*case.results(*case.operands), *case.operands]))
            check_vmap(case, case.operands, axis_size=2, rtol=rtol, atol=rtol * scale)


@every_primitive
@every_dtype
def test_jit_is_eager_with_one_trace(primitive, dtype):
    for case in cases(primitive, dtype):
        with case.named():
            check_jit(case, case.operands)


@every_primitive
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "own"])
def test_checkpoint_changes_nothing(primitive, dtype):
    for case in cases(primitive, dtype):
        with case.named():
            refused = any(refuses(case, i) for i in case.active)
            check_checkpoint(case, case.operands, modes=() if refused else ("fwd", "rev"))


@every_primitive
def test_programs_are_well_formed_and_their_keys_depend_on_structure_alone(primitive):
    for case in cases(primitive, "float64", "own"):
        with case.named():
            first = programs.check(fx.make_program(case)(*case.operands))
            clear_structures()
            again = fx.make_program(case)(*[np.ones_like(x) for x in case.operands])
            assert first is not again and str(first) == str(again)
            assert first.key() == again.key() and hash(first.key()) == hash(again.key())


# ---- devices ---------------------------------------------------------------------------------------------
STRICT_DTYPES = ["float64", "float32", "float16", "bfloat16", "complex64", "int32", "bool", "own"]


@every_primitive
@pytest.mark.parametrize("dtype", STRICT_DTYPES)
def test_the_strict_backend_computes_the_same(primitive, dtype):
    if primitive.name in NO_STRICT:
        pytest.skip(NO_STRICT[primitive.name])
    device = fx.device("strict")
    for case in cases(primitive, dtype):
        with case.named(), fx.default_device(device):
            operands = [Array(devices.move(x, device)) for x in case.operands]
            for run in (case, fx.jit(case)):
                results = as_list(run(*operands))
                assert [x.device for x in results] == [device] * len(results)
                assert avals(results) == [a.strong for a in case.shape_rule()]
                assert_as_expected(case, results)


_ELSEWHERE = _TABLE if os.environ.get("FX_TEST_BACKEND", "numpy") != "numpy" else []


@pytest.mark.parametrize("primitive", _ELSEWHERE, ids=repr)
@pytest.mark.parametrize("dtype", MAIN)
def test_the_tested_device_keeps_the_laws(primitive, dtype, to_backend):
    for case in cases(primitive, dtype):
        with case.named():
            operands = to_backend(case.operands)
            assert_as_expected(case, case.results(*operands))
            check_jit(case, operands)
            check_vmap(case, operands, axis_size=2)
            if primitive.name not in NOT_THE_SLOPE and not any(refuses(case, i) for i in case.active):
                check_grads(case, operands, order=1)
