"""Fusion, on Programs alone: what becomes one nest, and what must not."""

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.backends.cpu.target import HostTarget
from fx.compiler.fuse import fuse
from fx.compiler.simplify import simplified

X = fx.ShapeDtype((64, 100), np.float32)
V = fx.ShapeDtype((100,), np.float32)
SQUARE = fx.ShapeDtype((32, 32), np.float32)


def schedule(f, *args):
    return fuse(simplified(fx.jit(f).lower(*args).program), HostTarget())


def kinds(f, *args):
    """One word per step: the names in a nest, or the operation."""
    return [
        s.eqn.primitive.name if s.eqn is not None else "+".join(n.describe() for n in s.nests)
        for s in schedule(f, *args).steps
    ]


def layer_norm(x, gain, bias):
    mean = x.mean(-1, keepdims=True)
    var = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / fnp.sqrt(var + 1e-5) * gain + bias


def cross_entropy(x, target):
    return -(fx.nn.log_softmax(x) * target).sum(1).mean()


ONE_NEST = {
    "elementwise": (lambda x: fnp.exp(x) * 2 + 1, X),
    "broadcast": (lambda x, v: fnp.where(x > v, x, v), X, V),
    "convert": (lambda x: (x.astype("int32") + 1).astype("float64"), X),
    "several outputs": (lambda x: (x * 2, x * 2 + 1), X),
    "row reduction and its producers": (lambda x: fnp.exp(x).sum(1), X),
    "softmax": (lambda x: fx.nn.softmax(x), X),
    "softmax over columns": (lambda x: fx.nn.softmax(x, axis=0), X),
    "layer norm": (layer_norm, X, V, V),
    "cross entropy": (lambda x, t: (fx.nn.log_softmax(x) * t).sum(1), X, X),
    "row and column reductions": (lambda x: ((x * 2).sum(0), (x * 2).sum(1)), X),
    "everything and rows": (lambda x: ((x * 2).sum(), (x * 2).sum(1)), X),
    "argmax": (lambda x: fnp.argmax(x * 2, axis=1), X),
    "transposed consumer": (lambda x: (x * 2).T + 1, X),
    "iota": (lambda x: x + fnp.arange(100) + fnp.arange(64)[:, None], X),
}


@pytest.mark.parametrize("case", ONE_NEST.values(), ids=ONE_NEST.keys())
def test_becomes_one_nest(case):
    f, *args = case
    found = kinds(f, *args)
    assert len(found) == 1 and found[0].startswith("nest"), found


def test_layer_norm_backward_reads_its_rows_once():
    found = schedule(lambda x, g, b, ct: fx.vjp(layer_norm, x, g, b)[1](ct), X, V, V, X)
    large = [n for s in found.steps for n in s.nests if n.size == 6400]
    assert len(large) <= 2 and len(found.steps) <= 3


def test_loss_and_gradient_of_logits_are_one_nest_and_a_scalar():
    found = kinds(fx.value_and_grad(cross_entropy), X, X)
    assert sum("64x100" in k for k in found) == 1 and len(found) <= 2, found


def test_updates_of_equal_leaves_are_one_kernel():
    from fx.backends.cpu.emission import emit

    leaves = [X] * 20
    step = lambda ps, gs: [p - 0.1 * g for p, g in zip(ps, gs, strict=True)]
    emitted = emit(schedule(step, leaves, leaves))
    kernels = {k.name for ks in emitted.kernels.values() for k in ks}
    assert len(kernels) == 1


# What must stay apart


def test_a_whole_reduction_of_a_large_array_ends_before_its_result_is_used():
    big = fx.ShapeDtype((300, 400), np.float32)
    found = kinds(lambda x: x / fnp.sqrt((x * x).sum()), big)
    assert len(found) >= 2


def test_rows_and_columns_cannot_both_be_waited_for():
    found = kinds(lambda x: fx.nn.softmax(x, axis=0) + fx.nn.softmax(x, axis=1), SQUARE)
    assert len(found) == 2, found


def test_a_nest_does_not_read_a_view_of_what_it_stores():
    """The slice of y is another element than the one being computed."""
    found = schedule(lambda x: (x * 2)[::-1] + x * 2, SQUARE)
    for s in found.steps:
        for n in s.nests:
            made = set(n.stores)
            assert not any(view.base in made for view in n.loads.values())


def test_an_operation_between_two_nests_keeps_them_apart():
    found = kinds(lambda x: fnp.exp(fnp.exp(x) @ x) + fnp.exp(x), SQUARE)
    assert [k for k in found if k == "contract"] and len(found) == 3
    assert not found[0].startswith("contract")


def test_nothing_crosses_a_checkpoint():
    """The forward sines and those made again for the derivative are two nests."""
    inner = lambda x: fnp.sin(fnp.sin(x))
    f = lambda x: fx.checkpoint(inner)(x).sum()
    plain = sum(k.count("sin") for k in kinds(fx.grad(lambda x: inner(x).sum()), X))
    again = sum(k.count("sin") for k in kinds(fx.value_and_grad(f), X))
    assert again > plain - 1


def test_effects_keep_their_order():
    seen = []

    def f(x):
        fx.debug.callback(lambda v: seen.append("first"), x)
        y = x * 2
        fx.debug.callback(lambda v: seen.append("second"), y)
        return y + 1

    for _ in range(3):
        fx.jit(f)(fnp.ones(3))
    assert seen == ["first", "second"] * 3


def test_a_step_waits_for_what_it_reads():
    """Every stored array is written before it is read, in gradients of several kinds."""
    cases = [
        (fx.value_and_grad(cross_entropy), X, X),
        (fx.hessian(lambda x: (fnp.log1p(fnp.exp(x)) * x[0]).sum()), fx.ShapeDtype((7,), np.float32)),
        (fx.grad(lambda x: fx.lax.scan(lambda c, a: (c * a, c), x[0], x)[0].sum()), SQUARE),
    ]
    for f, *args in cases:
        found = schedule(f, *args)
        written = set(found.program.inputs)
        for s in found.steps:
            reads = [o.base for o in s.operands if hasattr(o, "base")]
            reads += [view.base for n in s.nests for view in n.loads.values()]
            inside = {v for n in s.nests for v in n.stores}
            assert all(v in written or v in inside for v in reads)
            written |= inside | {t.base for n in s.nests for _, t in n.copies}
            written |= set(s.eqn.outputs) if s.eqn is not None else set()


def test_a_sum_that_keeps_a_repeated_axis_is_no_part_of_a_nest_without_that_axis():
    def f(x):
        return (fnp.abs(x) * fnp.tanh(fnp.broadcast_to(x, (3, 64, 100)))).sum((1, 2))

    assert [s.nest.shape for s in schedule(f, X).steps][-1] == (3, 64, 100)
    x = np.random.default_rng(0).normal(size=(64, 100)).astype(np.float32)
    found = np.asarray(fx.jit(f)(x))
    np.testing.assert_allclose(found, [(np.abs(x) * np.tanh(x)).sum()] * 3, rtol=1e-4)


def test_a_nest_walks_in_the_order_of_most_arrays():
    """y is stored as n c h w, the four results as n h w c: the lanes run along c."""
    from fx.backends.cpu.nests import in_memory_order

    y = np.random.default_rng(0).normal(size=(3, 5, 4, 6)).astype(np.float32)

    def f(y):
        d = y.transpose(0, 2, 3, 1) - fnp.mean(y, (0, 2, 3))
        return d, fnp.exp(d), abs(d), d * d

    nests = [n for step in schedule(f, y).steps for n in step.nests]
    assert any(n.shape == (3, 5, 4, 6) and in_memory_order(n).shape == (3, 4, 6, 5) for n in nests)
    for a, b in zip(fx.jit(f)(y), f(y), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    turned = lambda y: (y.T + 1, y * 2)  # one of each: as it stands
    assert all(in_memory_order(n) is n for step in schedule(turned, y[0, 0]).steps for n in step.nests)
