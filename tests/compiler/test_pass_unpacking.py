"""unpacking: loops over small arrays become loops over numbers, one nest a trip; where that does not pay they stay."""

import numpy as np
import programs as zoo
import pytest

import fx
from fx import lax, numpy as fnp
from fx.backends.cpu.control import schedule_of
from fx.compiler.passes.unpacking import MOST, unpacking
from fx.compiler.simplify import simplified
from fx.core.program import check

RNG = np.random.default_rng(3)


def bodies(program):
    return [e.params["body"] for e in program.equations if "body" in e.params]


def checked(fun, *args, tolerance=1e-12):
    """The simplified Program; it and the compiled function give what was traced."""
    lowered = fx.jit(fun).lower(*args)
    values = [*map(np.asarray, fx.tree.leaves(args)), *lowered.consts]
    found = simplified(lowered.program)
    check(found)
    assert found.out_avals == lowered.program.out_avals
    wanted = zoo.run(lowered.program, values)
    for got in (zoo.run(found, values), fx.tree.leaves(fx.jit(fun)(*args))):
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=tolerance, atol=tolerance)
    return found


def lorenz(y, p):
    return fnp.stack([p[0] * (y[1] - y[0]), y[0] * (p[1] - y[2]) - y[1], y[0] * y[1] - p[2] * y[2]])


def path(y, p, steps=50):
    def body(y, _):
        k = lorenz(y, p)
        y = y + 0.01 * lorenz(y + 0.005 * k, p)
        return y, y

    return lax.scan(body, y, None, steps)


Y, P = np.array([1.0, 2.0, 3.0]), np.array([10.0, 28.0, 8 / 3])


def test_a_trip_of_an_equation_of_motion_is_one_nest_and_its_carry_numbers():
    program = checked(path, Y, P)
    (body,) = bodies(program)
    assert [v.aval.shape for v in body.inputs] == [(3,), (), (), ()]
    assert all(v.aval.shape == () for v in body.outputs[:3]) and body.outputs[3].aval.shape == (3,)
    computing = [s for s in schedule_of(body).steps if s.eqn is None and any(n.equations for n in s.nests)]
    assert len(computing) == 1, [s.describe() for s in computing]


def test_its_gradient_too():
    loss = lambda y, p: fnp.sum(path(y, p)[1] ** 2)
    program = checked(fx.value_and_grad(loss, (0, 1)), Y, P, tolerance=1e-9)
    assert len(bodies(program)) == 2
    for body in bodies(program):
        assert not [
            e for e in body.equations if e.primitive.name in ("pad", "mul") and e.outputs[0].aval.shape
        ]


def test_what_a_loop_would_stack_of_its_constants_is_not_stacked():
    loss = lambda y, p: fnp.sum(path(y, p)[0])
    program = checked(fx.grad(loss), Y, P, tolerance=1e-9)
    stacks = [v for e in program.equations if "body" in e.params for v in e.outputs if v.aval.shape == (50,)]
    known = [v for b in bodies(program)[:1] for v in b.outputs if v in b.inputs[:1]]
    assert stacks and not known


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(lambda m, x: m @ x, id="matrix"),
        pytest.param(
            lambda m, x: fnp.roll(x, 1) * fnp.max(fnp.abs(x)) + fnp.flip(x)[fnp.array([0, 2, 1])], id="moves"
        ),
        pytest.param(lambda m, x: fnp.concatenate([x[1:], x[:1]]) / (1 + fnp.sum(x * x)), id="sum"),
        pytest.param(lambda m, x: (m.T * x).sum(0) - fnp.pad(x[:-1], (1, 0), constant_values=2.0), id="pad"),
        pytest.param(lambda m, x: fnp.where(x.real > fnp.mean(x.real), fnp.prod(x), x[::-1]), id="select"),
        pytest.param(lambda m, x: fnp.sort(x) + x[0], id="not unpacked"),
        pytest.param(lambda m, x: fnp.arange(3.0) + fnp.full(3, x[2]) * fnp.zeros(3), id="constants"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128, np.float16, np.int32])
def test_every_kind_of_equation(step, dtype):
    m, x = (RNG.normal(size=s) for s in ((3, 3), (3,)))
    if dtype is np.int32:
        m, x = (np.round(3 * a) for a in (m, x))
    m, x = m.astype(dtype), x.astype(dtype)
    scale = 1 if dtype is np.int32 else 0.3

    def run(m, x):
        return lax.fori_loop(0, 5, lambda i, x: (scale * step(m, x) + x[::-1]).astype(x.dtype), x)

    checked(run, m, x, tolerance=4e-2 if dtype is np.float16 else 1e-12)


def test_while_loops_nested_loops_and_predicates_over_the_carry():
    def run(y, p):
        def inner(y):
            return lax.fori_loop(0, 3, lambda _, y: y + 0.01 * lorenz(y, p), y)

        return lax.while_loop(
            lambda c: (c[0] < 20) & (c[1][2] > -50), lambda c: (c[0] + 1, inner(c[1])), (0, y)
        )

    program = checked(run, Y, P)
    (body,) = bodies(program)
    assert all(v.aval.shape == () for v in body.outputs)


def test_empty_and_single_trips_under_vmap_and_weak_carries():
    for steps in (0, 1):
        checked(lambda y, p, steps=steps: path(y, p, steps), Y, P)
    batched = fx.vmap(lambda y, p: path(y, p, 4), in_axes=(0, None))
    checked(batched, np.stack([Y, 2 * Y]), P)
    checked(lambda p: lax.fori_loop(0, 3, lambda i, y: y[::-1] * 2.0 + y[0], fnp.ones(2)) * p, P[0])


def test_large_arrays_long_bodies_and_bodies_without_mixing_stay():
    large = np.ones(MOST + 1)
    mixed = lambda x: x[::-1] * fnp.concatenate([x[1:], x[:1]])
    for step, x in (
        (mixed, large),
        (lambda x: 0.1 * fnp.tanh(x) * x, Y),
        (lambda x: mixed(sum(fnp.tanh(x * k) for k in range(40))), Y),
    ):
        program = fx.make_program(lambda x, step=step: lax.fori_loop(0, 3, lambda _, x: step(x), x))(x)
        before = simplified(program)
        assert unpacking(before) is before
        assert [v.aval.shape for v in bodies(before)[0].outputs] == [x.shape]
