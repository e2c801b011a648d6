"""Schedules over all steps against Optax and torch.optim.lr_scheduler, as ints and traced."""

import jax
import numpy as np
import optax
import pytest
import torch
from optim_problem import QUICKLY

import fx
import fx.numpy as fnp
from fx import optim
from fx.optim import schedules

L = torch.optim.lr_scheduler
STEPS = 60


def ours(schedule, steps=STEPS):
    with fx.config(default_float="float64"):
        plain = np.array([float(schedule(i)) for i in range(steps)])
        traced = np.asarray(fx.jit(fx.vmap(schedule))(fnp.arange(steps)))
    np.testing.assert_allclose(traced, plain, rtol=1e-14)
    assert schedule(3).dtype == np.float32
    np.testing.assert_allclose([float(schedule(i)) for i in range(0, steps, 7)], plain[::7], rtol=2e-7)
    return plain


OF_OPTAX = {
    "constant": lambda o: o.constant_schedule(0.3),
    "linear": lambda o: o.linear_schedule(0.1, 0.5, 20, 5),
    "polynomial": lambda o: o.polynomial_schedule(0.1, 0.5, 2.5, 20, 5),
    "polynomial, none": lambda o: o.polynomial_schedule(0.1, 0.5, 2.5, 0),
    "polynomial, early": lambda o: o.polynomial_schedule(0.1, 0.5, 2, 20, -5),
    "exponential": lambda o: o.exponential_decay(0.5, 10, 0.7),
    "exponential, all": lambda o: o.exponential_decay(0.5, 10, 0.7, 4, True, 0.2),
    "exponential, up": lambda o: o.exponential_decay(0.5, 10, 1.3, 4, False, 0.9),
    "exponential, none": lambda o: o.exponential_decay(0.5, 10, 0.0),
    "cosine": lambda o: o.cosine_decay_schedule(0.5, 30),
    "cosine, all": lambda o: o.cosine_decay_schedule(0.5, 30, 0.1, 1.5),
    "join": lambda o: o.join_schedules(
        [o.constant_schedule(0.1), o.linear_schedule(0.1, 1.0, 10), o.exponential_decay(1.0, 5, 0.5)], [7, 25]
    ),
    "piecewise constant": lambda o: o.piecewise_constant_schedule(0.5, {10: 0.1, 30: 5.0}),
    "piecewise linear": lambda o: o.piecewise_interpolate_schedule("linear", 0.5, {10: 0.1, 30: 5.0}),
    "piecewise cosine": lambda o: o.piecewise_interpolate_schedule("cosine", 0.5, {10: 0.1, 30: 5.0}),
    "onecycle, linear": lambda o: o.linear_onecycle_schedule(50, 0.5, 0.25, 0.8, 10.0, 100.0),
    "onecycle, cosine": lambda o: o.cosine_onecycle_schedule(50, 0.5, 0.25, 10.0, 100.0),
    "warmup constant": lambda o: o.warmup_constant_schedule(0.0, 0.5, 10),
    "warmup cosine": lambda o: o.warmup_cosine_decay_schedule(0.0, 0.5, 10, 40, 0.1, 1.5),
    "warmup cosine to 0": lambda o: o.warmup_cosine_decay_schedule(0.1, 0.0, 10, 40, 0.0),
    "warmup exponential": lambda o: o.warmup_exponential_decay_schedule(0.0, 0.5, 10, 5, 0.7, 3, True, 0.1),
    "sgdr": lambda o: o.sgdr_schedule(
        [
            dict(init_value=0.0, peak_value=0.5, warmup_steps=5, decay_steps=20),
            dict(init_value=0.1, peak_value=0.3, warmup_steps=3, decay_steps=30, end_value=0.05),
        ]
    ),
}


@pytest.mark.parametrize("name", OF_OPTAX)
def test_against_optax(name):
    with jax.enable_x64():
        # A float64 count: Optax divides an integer one in float32.
        counts = jax.numpy.arange(STEPS, dtype=float)
        schedule = jax.vmap(lambda count: OF_OPTAX[name](optax)(count) + 0.0 * count)
        expected = np.asarray(jax.jit(schedule, compiler_options=QUICKLY)(counts))
    np.testing.assert_allclose(ours(OF_OPTAX[name](schedules)), expected, rtol=1e-12, atol=1e-15)


halved = lambda count: 0.95**count
OF_TORCH = {
    "Lambda": (schedules.lambda_schedule(0.5, halved), lambda o: L.LambdaLR(o, halved)),
    "Multiplicative": (
        schedules.multiplicative_schedule(0.5, lambda count: 1.0 - 0.001 * count),
        lambda o: L.MultiplicativeLR(o, lambda count: 1.0 - 0.001 * count),
    ),
    "Step": (schedules.exponential_decay(0.5, 7, 0.6, staircase=True), lambda o: L.StepLR(o, 7, 0.6)),
    "MultiStep": (
        schedules.multi_step_schedule(0.5, [30, 10, 30], 0.6),
        lambda o: L.MultiStepLR(o, [30, 10, 30], 0.6),
    ),
    "Constant": (
        schedules.piecewise_constant_schedule(0.5 / 3, {5: 3}),
        lambda o: L.ConstantLR(o, 1 / 3, 5),
    ),
    "Linear": (schedules.linear_schedule(0.5 / 3, 0.5, 20), lambda o: L.LinearLR(o, 1 / 3, 1.0, 20)),
    "Exponential": (schedules.exponential_decay(0.5, 1, 0.9), lambda o: L.ExponentialLR(o, 0.9)),
    "Polynomial": (schedules.polynomial_schedule(0.5, 0.0, 2.0, 40), lambda o: L.PolynomialLR(o, 40, 2.0)),
    "CosineAnnealing": (
        schedules.cosine_annealing_schedule(0.5, 17, 0.1),
        lambda o: L.CosineAnnealingLR(o, 17, 0.1),
    ),
    "WarmRestarts": (
        schedules.cosine_restarts_schedule(0.5, 7, 1, 0.1),
        lambda o: L.CosineAnnealingWarmRestarts(o, 7, 1, 0.1),
    ),
    "WarmRestarts, longer": (
        schedules.cosine_restarts_schedule(0.5, 7, 2, 0.1),
        lambda o: L.CosineAnnealingWarmRestarts(o, 7, 2, 0.1),
    ),
    "Cyclic": (
        schedules.cyclic_schedule(0.1, 0.5, 7, 4),
        lambda o: L.CyclicLR(o, 0.1, 0.5, 7, 4, cycle_momentum=False),
    ),
    "Cyclic, halved": (
        schedules.cyclic_schedule(0.1, 0.5, 7, mode="triangular2"),
        lambda o: L.CyclicLR(o, 0.1, 0.5, 7, mode="triangular2", cycle_momentum=False),
    ),
    "Cyclic, falling": (
        schedules.cyclic_schedule(0.1, 0.5, 7, None, "exp_range", 0.99),
        lambda o: L.CyclicLR(o, 0.1, 0.5, 7, mode="exp_range", gamma=0.99, cycle_momentum=False),
    ),
    "OneCycle": (
        schedules.onecycle_schedule(STEPS, 0.5),
        lambda o: L.OneCycleLR(o, 0.5, STEPS, cycle_momentum=False),
    ),
    "OneCycle, all": (
        schedules.onecycle_schedule(STEPS, 0.5, 0.21, 10.0, 100.0, "linear", True),
        lambda o: L.OneCycleLR(o, 0.5, STEPS, None, None, 0.21, "linear", False, 0, 0, 10.0, 100.0, True),
    ),
    "Sequential": (
        schedules.join_schedules(
            [
                schedules.piecewise_constant_schedule(0.05, {10: 10.0}),
                schedules.exponential_decay(0.5, 1, 0.9),
            ],
            [20],
        ),
        lambda o: L.SequentialLR(o, [L.ConstantLR(o, 0.1, 10), L.ExponentialLR(o, 0.9)], [20]),
    ),
    "Chained": (
        schedules.product_schedule(
            schedules.piecewise_constant_schedule(0.05, {10: 10.0}), schedules.exponential_decay(1.0, 1, 0.9)
        ),
        lambda o: L.ChainedScheduler([L.ConstantLR(o, 0.1, 10), L.ExponentialLR(o, 0.9)], o),
    ),
}


@pytest.mark.parametrize("name", OF_TORCH)
@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's SequentialLR warns about its own call
def test_against_torch(name):
    schedule, make = OF_TORCH[name]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.5)
    scheduler = make(optimizer)
    expected = []
    for _ in range(STEPS):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose(ours(schedule), expected, rtol=1e-11, atol=1e-15)


def test_far_on_a_schedule_is_as_exact_as_at_first():
    """2**24 + 1 is no float32."""
    step = schedules.exponential_decay(1.0, 2**24 + 1, 0.5, staircase=True)
    assert [float(step(2**24 + i)) for i in range(3)] == [1.0, 0.5, 0.5]
    restarts = schedules.cosine_restarts_schedule(1.0, 10, 2)
    for cycle in range(20):
        assert float(restarts(10 * (2**cycle - 1))) == 1.0


def test_derivatives_by_the_rate():
    found = fx.grad(lambda rate: schedules.warmup_cosine_decay_schedule(0.0, rate, 5, 20)(5))(0.3)
    assert float(found) == pytest.approx(1.0)


def test_a_schedule_in_an_optimizer():
    optimizer = optim.sgd(schedules.linear_schedule(1.0, 0.0, 4))
    state, seen = optimizer.init(fnp.zeros(1)), []
    for _ in range(5):
        updates, state = optimizer.update(fnp.ones(1), state)
        seen.append(float(-updates[0]))
    assert seen == [1.0, 0.75, 0.5, 0.25, 0.0]


def test_errors():
    for make, facts in (
        (lambda: schedules.cosine_decay_schedule(1.0, 0), "decay_steps must be positive; got 0"),
        (lambda: schedules.linear_onecycle_schedule(0, 1.0), "transition_steps must be positive; got 0"),
        (lambda: schedules.join_schedules([len, len], []), "2 schedules need 1 boundaries; got 0"),
        (lambda: schedules.piecewise_constant_schedule(1.0, {3: -1.0}), "that of 3 is -1.0"),
        (lambda: schedules.piecewise_interpolate_schedule("cubic", 1.0), "linear, cosine; got 'cubic'"),
        (lambda: schedules.cyclic_schedule(0.1, 1.0, 5, mode="saw"), "triangular2.*got 'saw'"),
        (lambda: schedules.cyclic_schedule(0.1, 1.0, 0), "steps_up must be positive"),
        (lambda: schedules.onecycle_schedule(10, 1.0, anneal_strategy="cos"), "got 'cos'"),
        (lambda: schedules.cosine_restarts_schedule(1.0, 5, 0), "multiplier must be positive"),
    ):
        with pytest.raises(fx.ArgumentError, match=facts):
            make()
