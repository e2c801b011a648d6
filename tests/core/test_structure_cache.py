"""Bare transformations honour closures, globals, control flow and literals at every call; nothing is aliased."""

import gc
import weakref

import numpy as np
import pytest
from against_jax import same

import fx
from fx import lax, numpy as fnp
from fx.core import structure

X = np.arange(3.0) + 1
SCALE = 1.0


def test_float_literals():
    same([fx.grad(lambda w: rate * w * w)(np.float64(3)) for rate in (0.1, 0.2, 0.3)], [0.6, 1.2, 1.8])
    same([fx.grad(lambda w: w / v)(1.0) for v in (0.0, -0.0, float("inf"))], [np.inf, -np.inf, 0.0])
    assert np.isnan(float(fx.grad(lambda w: w * float("nan"))(1.0)))


def test_literals_of_other_types():
    f = lambda v: fx.vjp(lambda w: w * v, np.ones(2, "float32"))[0].dtype
    values = (2, 2.0, True, np.float32(2), np.float64(2), np.int64(3))
    for _ in range(2):
        assert [f(v) for v in values] == ["float32"] * 4 + ["float64"] * 2
        assert [fx.vjp(lambda x: fnp.full((2,), v), 1.0)[0].dtype for v in (1, True, 1.0)] == [
            "int64",
            "bool",
            "float32",
        ]


def test_exponents_and_thresholds():
    same(
        [fx.grad(lambda w: (w * w) ** p)(np.float64(1.5)) for p in (1, 2, 3, 2.5)],
        [2 * p * 1.5 ** (2 * p - 1) for p in (1, 2, 3, 2.5)],
    )
    same([fx.grad(lambda w: fnp.where(w > t, w * t, w))(1.5) for t in (1.25, 2.0, 1.0)], [1.25, 1.0, 1.0])


def test_structure_is_shared_between_values():
    f = lambda rate: fx.grad(lambda w: rate * fnp.sin(w))(2.0)
    f(0.1)
    before = structure._node_count[0]
    for rate in np.linspace(0, 1, 20):
        f(float(rate))
    assert structure._node_count[0] == before


def test_globals_and_redefined_functions():
    global SCALE
    f = lambda w: w * w * SCALE
    for SCALE in (1.0, 2.0, np.float64(3), fx.numpy.asarray(4.0)):
        assert float(fx.grad(f)(3.0)) == 6 * float(SCALE)
    for text, wanted in (("a * a", 4.0), ("a * a * a", 12.0), ("n.sin(a)", np.cos(2.0))):
        names = {"n": fnp}
        exec(f"def f(a): return {text}", names)
        same(fx.grad(names["f"])(np.float64(2)), wanted)


@pytest.mark.parametrize("how", ["grad", "vmap", "scan", "cond", "while", "checkpoint", "jvp", "hessian"])
def test_arrays_closed_over(how):
    for k in (1.0, 2.0, 3.0):
        array = np.full(3, k)
        run = {
            "grad": lambda: (fx.grad(lambda w: (w * array).sum())(2.0), 3 * k),
            "vmap": lambda: (fx.vmap(lambda v: v * array.sum())(X), 3 * k * X),
            "scan": lambda: (lax.scan(lambda c, v: (c * array[0], c), 1.0, X)[0], k**3),
            "cond": lambda: (lax.cond(True, lambda: array * 2, lambda: array), 2 * array),
            "while": lambda: (lax.while_loop(lambda c: c < array[0], lambda c: c + array[0], 0.0), k),
            "checkpoint": lambda: (fx.grad(fx.checkpoint(lambda w: (w * array).sum()))(2.0), 3 * k),
            "jvp": lambda: (fx.jvp(lambda w: w * array, (2.0,), (1.0,))[1], array),
            "hessian": lambda: (fx.hessian(lambda w: (w * w * array).sum())(2.0), 6 * k),
        }[how]
        same(*run())


def test_control_flow_of_python():
    f = lambda x: x * 2 if switch["on"] else x * 3
    for on, wanted in ((True, 2), (False, 3), (True, 2)):
        switch = {"on": on}
        assert float(fx.grad(f)(1.0)) == wanted
    for n in (3, 1, 2, 3):
        assert float(fx.grad(lambda x: sum(x * i for i in range(n)))(1.0)) == sum(range(n))


def test_a_numpy_buffer_that_is_written_again_and_again():
    def f(x):
        buffer, total = np.zeros(3), 0.0
        for i in range(3):
            buffer[:] = i
            total = total + (x * buffer).sum()
        return total

    same(fx.grad(f)(X), np.full(3, 3.0))
    same(fx.jit(f)(X), 3 * X.sum())
    same(fx.vmap(f)(np.stack([X, X])), [3 * X.sum()] * 2)


def test_jit_keeps_what_it_closed_over():
    weights = np.full(3, 2.0)
    f = fx.jit(lambda a: a * weights)
    same(f(X), 2 * X)
    weights[:] = 7
    same(f(X), 2 * X)


RESULTS = {
    "jit": lambda z: fx.jit(lambda a: (a, a.T, a[1:], a.reshape(3, 1)))(z),
    "vmap": lambda z: fx.vmap(lambda a: a)(z),
    "vjp": lambda z: fx.vjp(lambda a: a, z)[0],
    "pulled": lambda z: fx.vjp(lambda a: a, z)[1](z),
    "jvp": lambda z: fx.jvp(lambda a: a, (z,), (z,)),
    "aux": lambda z: fx.grad(lambda a: (a.sum(), a), has_aux=True)(z)[1],
    "scan": lambda z: lax.scan(lambda c, v: (c, v), z, z),
    "cond": lambda z: lax.cond(True, lambda a: a, lambda a: a, z),
    "jit_of_cond": lambda z: fx.jit(lambda a: lax.cond(True, lambda a: a, lambda a: a, a))(z),
    "while": lambda z: lax.while_loop(lambda c: c.sum() < 0, lambda c: c, z),
    "fori": lambda z: lax.fori_loop(0, 0, lambda i, c: c, z),
    "stop_gradient": lambda z: fx.stop_gradient(z),
    "barrier": lambda z: fx.optimization_barrier(z),
    "device_put": lambda z: fx.device_put(z),
    "name": lambda z: fx.checkpoint_name(z, "n"),
}


@pytest.mark.parametrize("make", RESULTS.values(), ids=RESULTS.keys())
def test_results_do_not_alias_users_arrays(make):
    z = np.arange(3.0)
    leaves = fx.tree.leaves(make(z))
    before = [np.array(leaf) for leaf in leaves]
    z[:] = 99
    same(tuple(leaves), tuple(before))


def test_clearing_caches_inside_a_function():
    assert float(fx.grad(lambda w: (fx.clear_caches(), w * w)[1] * w)(2.0)) == 12


def test_functions_and_what_they_hold_can_be_freed():
    class Big:
        pass

    def use():
        big = Big()
        f = lambda x: (x, big)[0] * 2
        for transform, x in ((fx.jit, 1.0), (fx.vmap, X), (fx.grad, 1.0), (fx.checkpoint, 1.0)):
            transform(f)(x)
        return weakref.ref(big)

    alive = use()
    gc.collect()
    assert alive() is None


def test_default_float_is_part_of_the_structure():
    f = lambda: fx.grad(lambda w: (w * fnp.ones(2) * 1.5).sum())(1.0).dtype
    assert f() == "float32"
    with fx.config(default_float="float64"):
        assert f() == "float64"
    assert f() == "float32"
