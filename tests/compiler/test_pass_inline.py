"""inline, dead code, common subexpressions: what they do, and where they must not."""

import numpy as np
import programs as zoo
import pytest

import fx
from fx import numpy as fnp
from fx.compiler.passes.common_subexpressions import common_subexpressions
from fx.compiler.passes.dead_code import dead_code
from fx.compiler.passes.inline import inline
from fx.compiler.simplify import simplified
from fx.core.program import Program, check
from fx.core.structure import Literal

X = np.arange(1.0, 4.0, dtype=np.float32)


def names(program):
    return [e.primitive.name for e in program.equations]


def traced(fun, *args):
    """A Program as it is recorded, dead equations and all: the outputs of `fun` but the last are dropped."""
    whole = fx.make_program(fun)(*args)
    return Program(whole.inputs, whole.consts, whole.equations, whole.outputs[-1:], whole.name)


# Inline


@fx.custom_vjp
def doubled(x):
    return x * 2.0


doubled.defvjp(lambda x: (doubled(x), None), lambda _, ct: (ct * 2.0,))

CALLS = {
    "jit": (lambda x: fx.jit(fnp.sin)(x), ["sin"]),
    "jit of jit": (lambda x: fx.jit(lambda y: fx.jit(fnp.sin)(y) + 1.0)(x), ["sin", "add"]),
    "checkpoint": (fx.checkpoint(fnp.sin), ["sin"]),
    "custom_jvp": (lambda x: zoo.clipped(x), ["max", "min"]),
    "custom_vjp": (lambda x: doubled(x), ["mul"]),
    "stop_gradient": (lambda x: fnp.sin(fx.lax.stop_gradient(x)), ["sin"]),
    "literal index": (lambda x: fx.lax.switch(1, [fnp.sin, fnp.cos, fnp.tan], x), ["cos"]),
}


@pytest.mark.parametrize("case", CALLS)
def test_calls_are_inlined(case):
    fun, wanted = CALLS[case]
    program = fx.make_program(fun)(X)
    found = inline(program)
    check(found)
    assert names(found) == wanted or sorted(names(found)) == sorted(wanted)
    zoo.assert_same_bits(zoo.run(found, [X]), zoo.run(program, [X]))


def test_a_program_without_calls_is_the_same_object():
    program = fx.make_program(fnp.sin)(X)
    assert inline(program) is program


def test_one_program_inlined_twice_defines_its_variables_twice():
    f = fx.jit(lambda x: fnp.sin(x) * x)
    program = inline(fx.make_program(lambda x: f(f(x)))(X))
    check(program)
    assert names(program) == ["sin", "mul", "sin", "mul"]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_loop_of_one_trip_is_its_body(reverse):
    body = lambda c, x: (c * x, c + x)
    program = fx.make_program(lambda c, xs: fx.lax.scan(body, c, xs, reverse=reverse))(X[0], X[:1])
    found = inline(program)
    assert "scan" not in names(found) and "mul" in names(found)
    zoo.assert_same_bits(zoo.run(check(found), [X[0], X[:1]]), zoo.run(program, [X[0], X[:1]]))


def test_a_loop_of_no_trip_is_its_carry():
    body = lambda c, x: (c * x, c + x)
    program = fx.make_program(lambda c, xs: fx.lax.scan(body, c, xs))(X[0], X[:0])
    found = inline(program)
    assert names(found) == ["full"]
    zoo.assert_same_bits(zoo.run(check(found), [X[0], X[:0]]), zoo.run(program, [X[0], X[:0]]))


def test_loops_and_open_conditionals_keep_their_programs_which_are_inlined_inside():
    body = lambda c, x: (fx.jit(fnp.sin)(c) * x, None)
    program = inline(fx.make_program(lambda c, xs: fx.lax.scan(body, c, xs))(X[0], X))
    assert names(program) == ["scan"] and names(program.equations[0].params["body"]) == ["sin", "mul"]


def test_a_shared_body_is_processed_once():
    body = lambda c, x: (fx.jit(fnp.sin)(c) * x, None)
    loop = lambda c, xs: fx.lax.scan(body, c, xs)[0]
    program = inline(fx.make_program(lambda c, xs: loop(loop(c, xs), xs))(X[0], X))
    first, second = program.equations
    assert first.params["body"] is second.params["body"]


# Recomputed regions


def recomputing(x):
    return fnp.sum(fx.checkpoint(lambda x: fnp.sin(fnp.exp(x)))(x) ** 2)


def test_recomputed_equations_stand_behind_a_barrier_with_the_cotangents():
    found = inline(fx.make_program(fx.value_and_grad(recomputing))(X))
    at = names(found).index("optimization_barrier")
    barrier = found.equations[at]
    after = {v for e in found.equations[at:] for v in e.outputs}
    assert names(found).count("exp") == 2 and len(barrier.inputs) == 2
    assert all(v in after or type(v) is Literal for e in found.equations[at + 1 :] for v in e.inputs)


def test_constants_go_around_the_barrier():
    found = simplified(fx.make_program(fx.grad(lambda x: fnp.sum(fx.checkpoint(fnp.sin)(x * 2.0))))(X))
    (barrier,) = (e for e in found.equations if e.primitive.name == "optimization_barrier")
    assert len(barrier.inputs) == 1 and names(found) == ["mul", "optimization_barrier", "cos", "mul"]


def test_what_a_policy_saves_is_not_computed_again():
    region = fx.checkpoint(lambda x: fnp.sin(fnp.exp(x)), policy=fx.checkpoint_policies.everything_saveable)
    last = simplified(fx.make_program(fx.value_and_grad(lambda x: fnp.sum(region(x) ** 2)))(X))
    assert names(last).count("exp") == 1


def test_what_is_recomputed_is_never_merged_with_what_was_computed_before():
    last = simplified(fx.make_program(fx.value_and_grad(recomputing))(X))
    assert names(last).count("exp") == 2 and names(last).count("optimization_barrier") == 1
    plain = fx.make_program(fx.value_and_grad(lambda x: fnp.sum(fnp.sin(fnp.exp(x)) ** 2)))(X)
    assert names(simplified(plain)).count("exp") == 1


def test_what_grows_from_no_operand_is_not_shared_across_a_barrier():
    region = fx.checkpoint(lambda x: fnp.sum(fnp.sin(x * fnp.cos(fnp.arange(3.0, dtype=np.float32)))))
    last = simplified(fx.make_program(fx.value_and_grad(region))(X))
    assert names(last).count("iota") == 2 and names(last).count("cos") >= 2


def test_each_layer_has_its_own_barrier():
    program, _ = zoo.program_and_values("checkpointed")
    assert names(simplified(program)).count("optimization_barrier") == 3


# Dead code


def test_what_nobody_reads_goes():
    program = traced(lambda x: (fnp.sin(x), fnp.cos(x)), X)
    assert names(dead_code(program)) == ["cos"]


def test_effects_stay():
    def f(x):
        fx.debug.print("{}", fnp.sin(x))
        return fnp.cos(x)

    program = fx.make_program(f)(X)
    assert names(dead_code(inline(program))) == names(inline(program))
    inside = fx.make_program(lambda x: fx.lax.scan(lambda c, x: (f(x), None), X[0], x)[0] * 0 + x[0])(X)
    body = dead_code(inside).equations[0].params["body"]
    assert "debug_callback" in names(body)


def test_a_live_program_is_the_same_object():
    program = fx.make_program(fnp.sin)(X)
    assert dead_code(program) is program


def scan_parts(fun, *args):
    program = dead_code(fx.make_program(fun)(*args))
    check(program)
    (loop,) = (e for e in program.equations if e.primitive.name == "scan")
    return loop


def test_stacks_that_nobody_reads_are_not_stacked():
    body = lambda c, x: (c * x, (c + x, fnp.sin(c)))
    loop = scan_parts(lambda c, xs: fx.lax.scan(body, c, xs)[1][1], X[0], X)
    assert len(loop.outputs) == 2 and names(loop.params["body"]) == ["mul", "sin"]


def test_a_carry_that_only_feeds_itself_goes():
    body = lambda c, x: ((c[0] * x, c[1] + fnp.sin(x), c[1] * 2.0), None)
    loop = scan_parts(lambda c, xs: fx.lax.scan(body, (c, c, c), xs)[0][0], X[0], X)
    assert loop.params["sizes"] == (0, 0, 1) and names(loop.params["body"]) == ["mul"]


def test_a_carry_that_feeds_a_live_one_stays():
    body = lambda c, x: ((c[0] * c[1], c[1] + c[2], c[2] * x, c[3] + 1.0), None)
    loop = scan_parts(lambda c, xs: fx.lax.scan(body, (c, c, c, c), xs)[0][0], X[0], X)
    assert loop.params["sizes"][2] == 3


def test_a_carry_that_the_predicate_reads_stays():
    going = lambda c: c[1] < 5
    program = fx.make_program(
        lambda x: fx.lax.while_loop(going, lambda c: (c[0] * 2, c[1] + 1, c[2] - 1.0), (x, 0, x))[0]
    )
    loop = dead_code(program(X)).equations[-1]
    assert loop.params["sizes"][2] == 2 and len(loop.outputs) == 3
    zoo.assert_same_bits(zoo.run(dead_code(program(X)), [X]), [X * 32])


def test_results_and_operands_that_no_branch_needs_leave_a_conditional():
    branches = [lambda x, y: (x * 2, y), lambda x, y: (fnp.sin(x), fnp.cos(y))]
    program = dead_code(fx.make_program(lambda i, x, y: fx.lax.switch(i, branches, x, y)[0])(1, X, X))
    (cond,) = (e for e in program.equations if e.primitive.name == "cond")
    assert len(cond.inputs) == 2 and len(cond.outputs) == 1
    assert [names(b) for b in cond.params["branches"]] == [["mul"], ["sin"]]


# Common subexpressions


def merged(fun, *args):
    program = common_subexpressions(inline(fx.make_program(fun)(*args)))
    check(program)
    return names(program)


@pytest.mark.parametrize(
    "fun, wanted",
    [
        (lambda x: fnp.sin(x) * fnp.sin(x), ["sin", "mul"]),
        (lambda x: (x + fnp.sin(x)) * (fnp.sin(x) + x), ["sin", "add", "mul"]),
        (lambda x: (x > 1) & fnp.less(1.0, x), ["gt", "and"]),
        (lambda x: fnp.einsum("i,j->ij", x, x) + fnp.einsum("a,b->ab", x, x), ["contract", "add"]),
        (lambda x: (x - 1.0) * (1.0 - x), ["sub", "sub", "mul"]),
        (lambda x: fnp.maximum(x, fnp.sin(x)) * fnp.maximum(fnp.sin(x), x), ["sin", "max", "max", "mul"]),
        (lambda x: (x * np.float32(0.0)) / (x * np.float32(-0.0)), ["mul", "mul", "div"]),
        (lambda x: fnp.sum(x, axis=0) * fnp.max(x, axis=0), ["sum", "reduce_max", "mul"]),
    ],
)
def test_merging(fun, wanted):
    assert merged(fun, X) == wanted


def test_fulls_of_zeros_of_both_signs_differ():
    zeros = lambda v: fnp.full((3,), v, np.float32)
    assert merged(lambda x: (zeros(0.0) + x) / (zeros(-0.0) + x), X).count("full") == 2
    assert merged(lambda x: (zeros(0.0) + x) / (zeros(0.0) * x), X).count("full") == 1


def test_callbacks_are_never_merged():
    call = lambda x: fx.pure_callback(np.sin, fx.ShapeDtype(x.shape, x.dtype), x)
    assert merged(lambda x: call(x) + call(x), X).count("pure_callback") == 2

    def loud(x):
        fx.debug.print("{}", x)
        fx.debug.print("{}", x)
        return x * 2.0

    assert merged(loud, X).count("debug_callback") == 2


def test_a_loop_stacks_one_value_once():
    body = lambda c, x: (c * x, (c + x, c + x))
    program = common_subexpressions(fx.make_program(lambda c, xs: fx.lax.scan(body, c, xs)[1])(X[0], X))
    check(program)
    assert len(program.equations[0].outputs) == 2 and program.outputs[0] is program.outputs[1]
