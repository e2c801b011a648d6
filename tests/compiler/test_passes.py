"""All passes together: same results to the bit over a zoo of programs, the rules of the IR, linear time."""

import time

import numpy as np
import programs as zoo
import pytest

import fx
from fx import numpy as fnp
from fx.compiler.passes.algebra import algebra
from fx.compiler.passes.common_subexpressions import common_subexpressions
from fx.compiler.passes.contraction_paths import contraction_paths
from fx.compiler.passes.dead_code import dead_code
from fx.compiler.passes.folding import folding
from fx.compiler.passes.inline import inline
from fx.compiler.passes.unpacking import unpacking
from fx.compiler.simplify import simplified, simplify
from fx.core.program import Equation, Program, Var, check
from fx.core.transforms.call import jit_p

PASSES = (inline, dead_code, common_subexpressions, algebra, folding, contraction_paths, unpacking)
REORDERED = {"rnn", "rnns"}
"""Programs with sums over the trips of a loop, which loop_batching adds up in another order."""
SMALL = [-0.0, 0.0, 1e-40, -1e-40, 1.0]


@pytest.mark.parametrize("name", zoo.ZOO)
def test_results_are_the_same_to_the_bit(name):
    program, values = zoo.program_and_values(name)
    last = simplified(program)
    compare = zoo.assert_same_up_to_rounding if name in REORDERED else zoo.assert_same_bits
    for chosen in (values, zoo.with_special(values, SMALL), zoo.with_special(values, zoo.SPECIAL)):
        compare(zoo.run(last, chosen), zoo.run(program, chosen))


@pytest.mark.parametrize("name", zoo.ZOO)
def test_every_stage_keeps_the_rules_of_the_ir_and_the_signature(name):
    program, _ = zoo.program_and_values(name)
    for stage in simplify(program):
        check(stage.program)
        assert stage.program.in_avals == program.in_avals, stage.name
        assert stage.program.out_avals == program.out_avals, stage.name
        assert len(stage.program.inputs) == len(program.inputs) and stage.seconds >= 0


@pytest.mark.parametrize("name", zoo.ZOO)
def test_a_simplified_program_is_left_alone(name):
    program, _ = zoo.program_and_values(name)
    last = simplified(program)
    for step in PASSES:
        assert step(last) is last, step.__name__


def test_the_stages_are_listed_with_the_traced_program_first():
    program, _ = zoo.program_and_values("mlp")
    stages = simplify(program)
    assert [s.name for s in stages[:4]] == ["traced", "inline", "dead_code", "common_subexpressions"]
    assert stages[0].program is program and stages[-1].name == "unpacking"


def test_equations_keep_their_source():
    program, _ = zoo.program_and_values("mlp")
    assert all(
        e.source is not None and e.source.file.endswith("programs.py") for e in simplified(program).equations
    )


def counts(program):
    """Equations, those of inner Programs included."""
    total = len(program.equations)
    for eqn in program.equations:
        for value in eqn.params.values():
            inner = value if isinstance(value, tuple) else (value,)
            total += sum(counts(p) for p in inner if hasattr(p, "equations"))
    return total


FEWER = {"hessian": 35, "attention": 80, "choosings": 105, "integers": 2, "rnn": 16, "custom": 7}


@pytest.mark.parametrize("name", FEWER)
def test_so_many_equations_remain_at_most(name):
    program, _ = zoo.program_and_values(name)
    assert counts(simplified(program)) <= FEWER[name]


def chain(n):
    def f(x):
        for i in range(n):
            x = fnp.sin(x) * (1.5 + i % 7) + x * 1.0
        return fnp.sum(x)

    return fx.make_program(fx.grad(f))(np.ones(3, np.float32))


def seconds_per_equation(program):
    best = min(_timed(program) for _ in range(3))
    return best / len(program.equations)


def _timed(program):
    start = time.perf_counter()
    simplify(program)
    return time.perf_counter() - start


def test_time_is_linear_in_the_number_of_equations():
    small, large = chain(150), chain(1500)
    assert len(large.equations) > 10_000
    with fx.config(check_programs=False):
        assert seconds_per_equation(large) < 4 * seconds_per_equation(small)


def test_deeply_nested_calls_need_no_stack():
    f = fnp.sin
    program = fx.make_program(lambda x: fx.jit(lambda y: f(y) * 1.0)(x))(1.0)
    for _ in range(2000):
        x, y = Var(program.in_avals[0]), Var(program.out_avals[0])
        program = Program((x,), (), (Equation(jit_p, (x,), {"program": program}, (y,)),), (y,))
    assert [e.primitive.name for e in inline(program).equations] == ["sin", "mul"]


def test_outputs_may_be_inputs_literals_and_each_other():
    x, n = np.float32(4.0), np.int32(3)
    program = fx.make_program(lambda x, n: (x * 1.0, n * 0 + 6, x, fnp.negative(fnp.negative(x))))(x, n)
    last = simplified(program)
    assert last.outputs[0] is last.outputs[2] is last.outputs[3] is last.inputs[0]
    assert not last.equations and last.out_avals == program.out_avals
    assert [float(r) for r in zoo.run(last, [x, n])] == [4.0, 6.0, 4.0, 4.0]


def test_an_output_keeps_its_aval_where_a_weak_value_takes_its_place():
    program = fx.make_program(lambda x: (fnp.asarray(x, dtype=np.float32), x))(2.0)
    assert program.out_avals[0].weak != program.out_avals[1].weak
    assert simplified(program).out_avals == program.out_avals
    check(simplified(program))


def test_a_result_that_loses_its_weakness_may_still_be_replaced():
    """A weak operand gives the slice another aval; then a rule removes the slice."""
    with fx.config(default_float="float64"):
        program = fx.jit(lambda x, h: fnp.gradient(x, h)).lower(np.arange(2.0), 0.5).program
    for stage in simplify(program):
        check(stage.program)
