"""odeint: solutions against SciPy's, derivatives by the adjoint equation against those of the steps and of JAX."""

import jax
import numpy as np
import pytest
from jax.experimental.ode import odeint as jax_odeint
from recorded import Answers
from scipy.integrate import solve_ivp

import fx
from fx import numpy as fnp
from fx.ode import odeint

TIMES = np.array([0.0, 0.4, 1.3, 2.0])
Y0 = (np.array([1.0, 0.5]), np.array([0.0, -0.2]))


def pendulum(n):
    def slope(y, t, a, b):
        x, v = y
        return v, -a * n.sin(x) - b * v + n.cos(t)

    return slope


def by_scipy(f, y0, ts, **how):
    return solve_ivp(
        lambda t, y: np.asarray(f(y, t)), (ts[0], ts[-1]), y0, "DOP853", ts, rtol=1e-12, atol=1e-12
    ).y.T


def loss(derivative="adjoint", **tolerance):
    def f(y0, ts, a, b):
        x, v = odeint(pendulum(fnp), y0, ts, a, b, derivative=derivative, **tolerance)
        return fnp.sum(x**2) + fnp.sum(v * np.arange(8.0).reshape(4, 2))

    return f


@pytest.mark.parametrize("ts", [TIMES, TIMES[::-1].copy(), TIMES - 5], ids=["up", "down", "shifted"])
def test_solutions_are_those_of_scipy(ts):
    f = lambda y, t: np.array([y[1], -2 * np.sin(y[0]) - 0.1 * y[1] + np.cos(t)])
    found = odeint(
        lambda y, t: fnp.stack([y[1], -2 * fnp.sin(y[0]) - 0.1 * y[1] + fnp.cos(t)]), np.ones(2), ts
    )
    np.testing.assert_allclose(found, by_scipy(f, np.ones(2), ts), rtol=1e-6, atol=1e-7)


def test_a_stiff_fast_and_a_flat_equation():
    decay = odeint(lambda y, t: -1000 * (y - fnp.cos(t)), np.float64(0.0), np.array([0.0, 1.0]))
    np.testing.assert_allclose(decay[1], np.cos(1) + np.sin(1) / 1000, atol=1e-5)
    flat = odeint(lambda y, t: 0 * y, np.float64(3.0), TIMES)
    np.testing.assert_array_equal(flat, np.full(4, 3.0))


def test_complex_and_single_precision():
    turn = odeint(lambda y, t: 1j * y, np.complex128(1), TIMES)
    np.testing.assert_allclose(turn, np.exp(1j * TIMES), atol=1e-7)
    single = odeint(lambda y, t: -y, np.float32(1), TIMES, rtol=1e-5, atol=1e-6)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, np.exp(-TIMES), atol=1e-5)
    integers = odeint(lambda y, t: -y, 1, TIMES.astype("float32"), rtol=1e-5, atol=1e-6)
    assert integers.dtype == fx.numpy.asarray(1.0).dtype


def test_reverse_mode_is_that_of_jax():
    a, b = np.float64(2.0), np.float64(0.1)

    def theirs(y0, ts, a, b):
        x, v = jax_odeint(pendulum(jax.numpy), y0, ts, a, b)
        return jax.numpy.sum(x**2) + jax.numpy.sum(v * np.arange(8.0).reshape(4, 2))

    with jax.enable_x64(True):
        gradient = lambda: jax.tree.leaves(jax.grad(theirs, (0, 1, 2, 3))(Y0, TIMES, a, b))
        wanted = Answers(__file__).get("gradient", gradient)
    for f in (loss(), fx.jit(loss()), loss("steps")):
        found = fx.tree.leaves(fx.grad(f, (0, 1, 2, 3))(Y0, TIMES, a, b))
        for x, y in zip(found, wanted, strict=True):
            np.testing.assert_allclose(x, y, rtol=2e-6, atol=2e-6)


def test_reverse_mode_backward_in_time():
    f = lambda rate: odeint(lambda y, t, r: -r * y, np.float64(1.0), np.array([2.0, 0.0]), rate)[1]
    np.testing.assert_allclose(fx.grad(f)(np.float64(0.5)), 2 * np.e, rtol=1e-6)


def test_forward_mode_and_second_derivatives_by_steps():
    args = (np.float64(2.0), np.float64(0.1))
    f = lambda a: loss("steps")(Y0, TIMES, a, args[1])
    pushed = fx.jvp(f, (args[0],), (np.float64(1.0),))[1]
    np.testing.assert_allclose(pushed, fx.grad(f)(args[0]), rtol=1e-8)
    h = 1e-4
    second = (fx.grad(f)(args[0] + h) - fx.grad(f)(args[0] - h)) / (2 * h)
    np.testing.assert_allclose(fx.jvp(fx.grad(f), (args[0],), (np.float64(1.0),))[1], second, rtol=1e-4)


def test_closures_are_differentiated():
    def end(rate):
        return odeint(lambda y, t: -rate * y, np.float64(1.0), np.array([0.0, 1.0]))[-1]

    np.testing.assert_allclose(fx.grad(end)(np.float64(0.7)), -np.exp(-0.7), rtol=1e-6)


def test_a_batch_of_equations():
    rates = np.array([0.5, 1.0, 20.0])
    f = lambda r: odeint(lambda y, t, r: -r * y, np.float64(1.0), TIMES, r)
    np.testing.assert_allclose(fx.vmap(f)(rates), np.exp(-np.outer(rates, TIMES)), atol=1e-7)
    slopes = fx.vmap(fx.grad(lambda r: f(r).sum()))(rates)
    np.testing.assert_allclose(slopes, (-TIMES * np.exp(-np.outer(rates, TIMES))).sum(1), atol=1e-6)


def test_integer_arguments_pass():
    f = lambda a: odeint(
        lambda y, t, a, k: a * k["n"] * y, np.float64(1.0), TIMES[:2], a, {"n": np.array([2])[0]}
    )[1]
    np.testing.assert_allclose(fx.grad(f)(np.float64(0.5)), 0.8 * np.exp(0.4), rtol=1e-6)


def test_too_few_steps_give_nan():
    fast = lambda y, t: fnp.cos(50 * t)
    found = odeint(fast, np.float64(0.0), TIMES, mxstep=3)
    assert found[0] == 0
    assert np.isnan(found[1:]).all()
    blown = odeint(lambda y, t: y * y, np.float64(1.0), np.array([0.0, 0.5, 2.0]))
    np.testing.assert_allclose(blown[1], 2.0, rtol=1e-6)
    assert np.isnan(blown[2])


def test_hmax_limits_steps():
    pulse = lambda y, t: fnp.exp(-(((t - 5) / 0.05) ** 2))
    found = odeint(pulse, np.float64(0.0), np.array([0.0, 10.0]), hmax=0.05)[1]
    np.testing.assert_allclose(found, 0.05 * np.sqrt(np.pi), rtol=1e-5)


@pytest.mark.parametrize(
    "error, call, fact",
    [
        (fx.ShapeError, lambda: odeint(lambda y, t: y, 1.0, np.ones((2, 2))), "one axis"),
        (fx.DTypeError, lambda: odeint(lambda y, t: y, 1.0, np.ones(2) * 1j), "real"),
        (fx.TreeError, lambda: odeint(lambda y, t: (y, y), 1.0, TIMES), "structure"),
        (fx.ShapeError, lambda: odeint(lambda y, t: y[None], np.ones(2), TIMES), "(1, 2)"),
        (fx.TreeError, lambda: odeint(lambda y, t: y, {}, TIMES), "no arrays"),
        (fx.ArgumentError, lambda: odeint(lambda y, t: y, 1.0, TIMES, rtol=-1.0), "rtol=-1.0"),
        (fx.ArgumentError, lambda: odeint(lambda y, t: y, 1.0, TIMES, derivative="adjoin"), "adjoin"),
        (fx.DTypeError, lambda: odeint(lambda y, t: 1j * y, np.float64(1.0), TIMES), "complex"),
        (fx.ArgumentError, lambda: odeint(3, 1.0, TIMES), "function"),
    ],
)
def test_refusals(error, call, fact):
    with pytest.raises(error) as caught:
        call()
    assert fact in str(caught.value)
