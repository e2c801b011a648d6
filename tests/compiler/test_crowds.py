"""Crowds: independent nests run as one set of tasks, and only those."""

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import optim
from fx.backends.cpu.emission import Emission, emit
from fx.backends.cpu.target import HostTarget
from fx.compiler.fuse import fuse
from fx.compiler.simplify import simplify

RNG = np.random.default_rng(0)
SHAPES = [(n % 7 * 16 + 16, n % 5 * 32 + 32) for n in range(40)] + [(64,)] * 20 + [(128, 64)] * 20


def tree(scale=1.0):
    return {
        f"p{i}": fnp.asarray((scale * RNG.normal(size=s)).astype(np.float32)) for i, s in enumerate(SHAPES)
    }


def crowds_of(f, *args):
    """The crowds of a compiled function, as lists of steps."""
    program = simplify(fx.make_program(f)(*args))[-1].program
    emitted = emit(fuse(program, HostTarget(), owned=True))
    emission = emitted.emission
    return sorted({(c.start, c.stop) for c in emission.crowds.values()}), len(emission.steps)


def same(a, b):
    for x, y in zip(fx.tree.leaves(a), fx.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-6, atol=1e-7)


def interpreted(f, *args):
    with fx.config(compile=False):
        return fx.jit(f)(*args)


def test_the_update_of_a_tree_is_one_crowd():
    params, grads, optimizer = tree(), tree(0.1), optim.adam(1e-3)
    state = optimizer.init(params)

    def step(params, state, grads):
        updates, state = optimizer.update(grads, state, params)
        return optim.apply_updates(params, updates), state

    crowds, steps = crowds_of(step, params, state, grads)
    assert max(stop - start for start, stop in crowds) >= len(SHAPES), (crowds, steps)
    expected = interpreted(step, params, state, grads)
    same(fx.jit(step)(params, state, grads), expected)
    donating = fx.jit(step, donate_argnums=(0, 1))
    for _ in range(3):
        params, state = donating(params, state, grads)
    again, same_state = expected
    for _ in range(2):
        again, same_state = interpreted(step, again, same_state, grads)
    same((params, state), (again, same_state))


def test_what_waits_stays_apart():
    x = fnp.asarray(RNG.normal(size=(512, 600)))

    def chain(x):
        y = fnp.sin(x) @ fnp.eye(600, dtype=np.float64)
        a, b = fnp.cumsum(fnp.tanh(y), 0), fnp.cumsum(y * 2, 1)
        return a.T + 1, b * a.sum(0), fnp.exp(-y)

    same(fx.jit(chain)(x), interpreted(chain, x))
    small = [fnp.ones(3), fnp.ones(4)]
    assert crowds_of(lambda a, b: (a + 1, b * 2), *small) == ([], 2)


@pytest.mark.parametrize("donated", [(0,), (1,), (0, 1)])
def test_a_donated_array_is_not_written_while_another_nest_reads_it(donated):
    shape = (700, 800)
    f = lambda x, y: (x.T + 1, x * y, (x - y).T * 2, y.reshape(-1) + 3, x + 0.5)
    for _ in range(4):
        x, y = (fnp.asarray(RNG.normal(size=shape).astype(np.float32)) for _ in range(2))
        expected = interpreted(f, x, y)
        same(fx.jit(f, donate_argnums=donated)(x, y), expected)


def test_temporaries_of_a_crowd_do_not_share_memory():
    leaves = [fnp.asarray(RNG.normal(size=(60, 70 + n))) for n in range(24)]

    def f(leaves):
        first = [fnp.tanh(x) * 2 for x in leaves]
        turned = [fnp.cumsum(x, axis=0) for x in first]  # an operation: what it reads is stored
        return [fnp.exp(-t) + x.sum() for t, x in zip(turned, first)]

    same(fx.jit(f)(leaves), interpreted(f, leaves))


def test_bits_do_not_depend_on_crowds(monkeypatch):
    params = tree()
    f = lambda p: fx.tree.map(lambda x: fnp.sin(x) / (1 + x * x), p)
    together = fx.jit(f)(params)
    monkeypatch.setattr(Emission, "gathers", False)
    apart = fx.jit(lambda p: f(p))(params)
    for a, b in zip(fx.tree.leaves(together), fx.tree.leaves(apart), strict=True):
        assert np.array_equal(a, b)
