"""Operations and bytes, against counts by hand."""

import numpy as np
import pytest

import fx
import fx.numpy as fnp

X = np.ones((100, 50), np.float32)


def test_a_fused_nest_reads_each_operand_once_and_writes_only_its_results():
    cost = fx.jit(lambda x, y: (x + y) * x - y).cost(X, X)
    assert cost.flops == 3 * 5000
    assert (cost.read, cost.written) == (2 * 20_000, 20_000)
    assert (cost.arguments, cost.results, cost.moved) == (40_000, 20_000, 60_000)
    assert cost.intensity == 15_000 / 60_000 and cost.exact


def test_the_interpreter_moves_every_value():
    f = fx.jit(lambda x, y: (x + y) * x - y)
    with fx.config(compile=False):
        cost = f.cost(X, X)
    assert cost.flops == 3 * 5000 and cost.moved == 3 * 3 * 20_000


def test_a_contraction_counts_a_multiplication_and_an_addition_each():
    cost = fx.jit(lambda a, b: a @ b).cost(
        fx.ShapeDtype((64, 32), "float64"), fx.ShapeDtype((32, 16), "float64")
    )
    assert cost.flops == 2 * 64 * 32 * 16
    assert cost.read == 8 * (64 * 32 + 32 * 16) and cost.written == 8 * 64 * 16


def test_a_broadcast_operand_is_read_once_and_a_slice_in_part():
    row = np.ones(50, np.float32)
    assert fx.jit(lambda x, r: x + r).cost(X, row).read == 20_000 + 200
    assert fx.jit(lambda x: x[:10] * 2).cost(X).read == 10 * 200


def test_a_loop_counts_its_trips():
    step = lambda c, x: (c * 2 + x, None)
    cost = fx.jit(lambda c, xs: fx.lax.scan(step, c, xs)[0]).cost(np.ones(10), np.ones((7, 10)))
    assert cost.flops == 7 * 2 * 10 and cost.exact


def test_trips_that_only_the_run_knows_count_once():
    f = fx.jit(lambda x: fx.lax.while_loop(lambda v: v.sum() < 9, lambda v: v * 2, x))
    cost = f.cost(np.ones(8))
    assert not cost.exact and cost.flops == 8 + 8 + 1 and "at least" in repr(cost)


def test_a_branch_counts_as_the_costliest():
    f = fx.jit(lambda p, x: fx.lax.cond(p, lambda v: v * 2 + 1, lambda v: v, x))
    assert f.cost(True, np.ones(10)).flops == 20


def test_constants_closed_over_are_arguments():
    table = fnp.ones(1000)
    assert fx.jit(lambda i: table * i).cost(2.0).arguments == 4000 + 4


def test_nothing_to_do_costs_nothing():
    cost = fx.jit(lambda x: (x, 3)).cost(X)
    assert (cost.flops, cost.moved, cost.intensity) == (0, 0, 0)


def test_nothing_runs_and_tracing_is_shared_with_the_call():
    ran = []
    f = fx.jit(lambda x: fx.pure_callback(lambda v: ran.append(1) or v, fx.ShapeDtype((3,), "float32"), x))
    f.cost(np.ones(3, np.float32)), f.explain(np.ones(3, np.float32)), f.memory(np.ones(3, np.float32))
    assert not ran and f.trace_count == 1
    f(np.ones(3, np.float32))
    assert ran and f.trace_count == 1


@pytest.mark.parametrize("fact", ["15 kflops", "58.59 KiB moved", "0.25 operations", "39.06 KiB"])
def test_prints(fact):
    assert fact in repr(fx.jit(lambda x, y: (x + y) * x - y).cost(X, X))
