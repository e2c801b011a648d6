"""Wrappers: what they do when something is not finite, what they record, what can be set."""

import numpy as np
import pytest
import torch

import fx
import fx.numpy as fnp
from fx import optim

BAD = {"w": fnp.asarray([1.0, np.nan]), "n": fnp.arange(2)}
GOOD = {"w": fnp.asarray([1.0, 2.0]), "n": fnp.arange(2)}


def test_what_is_not_finite_is_not_applied_until_it_persists():
    optimizer = optim.apply_if_finite(optim.adam(0.1), 2)
    _, state = optimizer.update(GOOD, optimizer.init(GOOD), GOOD)
    before = fx.tree.leaves(state.inner_state)
    for i in range(2):
        updates, state = fx.jit(optimizer.update)(BAD, state, GOOD)
        assert updates["w"].tolist() == [0, 0] and not bool(state.last_finite)
        assert int(state.notfinite_count) == int(state.total_notfinite) == i + 1
        assert all(
            np.array_equal(a, b) for a, b in zip(before, fx.tree.leaves(state.inner_state), strict=True)
        )
    updates, state = optimizer.update(BAD, state, GOOD)
    assert np.isnan(float(updates["w"][1]))
    updates, state = optimizer.update(GOOD, state, GOOD)
    assert int(state.notfinite_count) == 0 and int(state.total_notfinite) == 3


def test_nans_become_zeros_and_are_reported():
    part = optim.zero_nans()
    updates, state = part.update(BAD, part.init(BAD))
    assert updates["w"].tolist() == [1, 0] and bool(state.found_nan["w"]) and not bool(state.found_nan["n"])


def test_steps_to_skip():
    skipped, what = optim.skip_not_finite(BAD, 0, None)
    assert bool(skipped) and int(what["num_not_finite"]) == 1
    assert not bool(optim.skip_not_finite(GOOD, 0, None)[0])
    skipped, what = optim.skip_large_updates(GOOD, 0, None, 4.9)
    assert bool(skipped) and float(what["norm_squared"]) == 5
    assert bool(optim.skip_large_updates(BAD, 0, None, 1e9)[0])
    optimizer = optim.MultiSteps(optim.sgd(1.0), 2, should_skip_update_fn=optim.skip_not_finite)
    state = optimizer.init(GOOD)
    for grads in (GOOD, BAD, GOOD):
        updates, state = fx.jit(optimizer.update)(grads, state, GOOD)
    assert updates["w"].tolist() == [-1, -2] and bool(optimizer.has_updated(state))


def test_the_loss_scale_is_that_of_torch():
    scaler = torch.amp.GradScaler("cpu", 4096.0, 3.0, 0.25, 4)
    theirs = torch.zeros(1, requires_grad=True)
    sgd = torch.optim.SGD([theirs], 0.1)
    optimizer = optim.dynamic_loss_scaling(optim.sgd(0.1), 4096.0, 3.0, 0.25, 4)
    ours = fnp.zeros(1)
    state, update = optimizer.init(ours), fx.jit(optimizer.update)
    for i in range(30):
        g = np.inf if i in (5, 6, 13, 25) else 1.0 + i
        theirs.grad = torch.tensor([g], dtype=torch.float32) * float(scaler.get_scale())
        scaler.scale(torch.zeros(()))
        scaler.step(sgd)
        scaler.update()
        updates, state = update(fnp.asarray([g], dtype=fnp.float32) * state.scale, state, ours)
        ours = optim.apply_updates(ours, updates)
        assert float(state.scale) == scaler.get_scale() and bool(state.finite) == np.isfinite(g)
    np.testing.assert_allclose(np.asarray(ours), theirs.detach().numpy(), rtol=1e-5)
    default = optim.dynamic_loss_scaling(optim.sgd(0.1)).init(ours)
    assert float(default.scale) == 65536


def test_statistics_under_jit():
    optimizer = optim.with_statistics(
        optim.chain(
            optim.clip(3.0), optim.clip_by_global_norm(2.5), optim.adam(optim.linear_schedule(1.0, 0.0, 4))
        )
    )
    params, state = {"w": fnp.zeros(2)}, optimizer.init({"w": fnp.zeros(2)})
    assert np.isnan(float(state.statistics.grad_norm))
    update = fx.jit(optimizer.update)
    _, state = update({"w": fnp.asarray([3.0, 4.0])}, state, params)
    found = state.statistics
    assert [float(x) for x in found[:2]] == [5, 2.5] and bool(found.clipped) and bool(found.finite)
    assert float(found.learning_rate) == 1 and float(found.update_norm) == pytest.approx(2**0.5, rel=1e-5)
    _, state = update({"w": fnp.asarray([0.3, np.inf])}, state, params)
    _, state = update({"w": fnp.asarray([0.3, 0.4])}, state, params)
    found = state.statistics
    assert not bool(found.clipped) and bool(found.finite) and float(found.learning_rate) == 0.5
    assert float(found.clipped_norm) == float(found.grad_norm) == 0.5
    assert [int(state.count), int(state.clipped_count), int(state.nonfinite_count)] == [3, 2, 1]
    given = optim.with_statistics(optim.sgd(0.1), learning_rate=0.1)
    _, state = given.update(params, given.init(params), params)
    assert float(state.statistics.learning_rate) == pytest.approx(0.1) and not bool(state.statistics.clipped)
    injected = optim.with_statistics(optim.inject_hyperparams(optim.sgd)(0.25))
    _, state = injected.update(params, injected.init(params), params)
    assert float(state.statistics.learning_rate) == 0.25


def test_hyperparameters_in_the_state():
    make = optim.inject_hyperparams(optim.adamw, static_args=["eps"])
    optimizer = make(lambda count: 0.5 / (count + 1), b1=0.5, weight_decay=0.0, nesterov=True)
    params = {"w": fnp.ones(2, fnp.float64)}
    state = optimizer.init(params)
    assert sorted(state.hyperparams) == ["b1", "b2", "learning_rate", "weight_decay"]
    assert state.hyperparams["b1"].dtype == np.float64
    zero, update = {"w": fnp.zeros(2, fnp.float64)}, fx.jit(optimizer.update)
    for decay in (0.0, 0.25):
        values = {**state.hyperparams, "weight_decay": fnp.asarray(decay, dtype=fnp.float64)}
        updates, state = update(zero, state._replace(hyperparams=values), params)
        np.testing.assert_allclose(
            np.asarray(updates["w"]), -float(state.hyperparams["learning_rate"]) * decay
        )
    assert update.trace_count == 1
    with pytest.raises(fx.ArgumentError, match=r"'betas' is no argument.*learning_rate, b1"):
        optim.inject_hyperparams(optim.adam, "betas")


def test_errors():
    params = {"a": fnp.ones(3)}
    updated = lambda part, **extra: part.update(params, part.init(params), params, **extra)
    for use, facts in (
        (lambda: updated(optim.polyak_sgd()), r"polyak_sgd reads the value.*\n.*value=loss"),
        (lambda: updated(optim.reduce_on_plateau()), r"reduce_on_plateau reads.*\n.*value=loss"),
        (lambda: updated(optim.lbfgs(), value=1.0), r"reads the loss.\nWrite.*value_fn="),
        (lambda: updated(optim.sophia(0.1)), r"sophia reads the loss.*\n.*obj_fn="),
        (lambda: updated(optim.sam(optim.sgd(1.0), optim.sgd(1.0), opaque_mode=True)), "grad_fn=lambda"),
        (
            lambda: updated(optim.lookahead(optim.sgd(1.0), 2, 0.5)),
            r"LookaheadParams; got dict.*\n.*init_synced",
        ),
        (lambda: optim.lookahead(optim.sgd(1.0), 0, 0.5), "sync_period must be at least 1; got 0"),
        (lambda: optim.reduce_on_plateau(1.5), "factor=1.5"),
        (lambda: optim.MultiSteps(optim.sgd(1.0), 0), "every_k_schedule must be at least 1; got 0"),
        (lambda: optim.MultiSteps(3, 2), "optimizer is int"),
        (lambda: optim.lbfgs(memory_size=0), "memory_size must be at least 1; got 0"),
        (lambda: optim.muon(0.1, "best"), "standard, dion; got 'best'"),
        (lambda: optim.muon(0.1, (1.0, 2.0)), "three numbers"),
        (lambda: optim.muon(0.1, [(1.0, 2.0, 3.0)] * 3, 2), "3 rows of ns_coeffs are too many for 2"),
        (lambda: optim.scale_by_lion(mode="soft"), "hard, smooth, refined; got 'soft'"),
        (lambda: optim.polyak_sgd(variant="x"), "sps, sps\\+; got 'x'"),
        (lambda: optim.named_chain(("a", optim.sgd(1.0)), ("a", optim.sgd(1.0))), "its own name; got a, a"),
        (lambda: optim.named_chain(("a", optim.sgd(1.0))).update(params, (), params), "not theirs"),
        (lambda: optim.value_and_grad_from_state(len)(params, state=()), r"no value and gradient.\n.*lbfgs"),
        (lambda: optim.lamb(0.1).update(params, optim.lamb(0.1).init(params)), "reads the parameters"),
        (lambda: optim.rprop(-0.1), "learning_rate.*-0.1"),
    ):
        with pytest.raises(fx.ArgumentError, match=facts):
            use()
    with pytest.raises(fx.DTypeError, match="sm3 takes real parameters; got complex64"):
        optim.sm3(0.1).init(fnp.ones(2, fnp.complex64))
    with pytest.raises(fx.ShapeError, match=r"rows .* share an axis"):
        optim.orthogonalize_via_newton_schulz(
            fnp.ones((2, 2)), dimension_numbers=optim.MuonDimensionNumbers(0, 0)
        )
    with pytest.raises(fx.ShapeError, match=r"does not fit a leaf of shape \(3,\)"):
        optim.orthogonalize_via_newton_schulz(fnp.ones(3))


def test_value_and_gradient_from_a_line_search():
    calls = []

    def loss(x, scale):
        calls.append(1)
        return scale * ((x - 2.0) ** 2).sum()

    optimizer = optim.lbfgs()
    x = fnp.zeros(3)
    state, value_and_grad = optimizer.init(x), optim.value_and_grad_from_state(loss)
    for _ in range(3):
        value, grad = value_and_grad(x, 3.0, state=state)
        expected = fx.value_and_grad(lambda x: loss(x, 3.0))(x)
        np.testing.assert_allclose(float(value), float(expected[0]), rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(np.asarray(grad), np.asarray(expected[1]), rtol=1e-5, atol=1e-5)
        updates, state = optimizer.update(grad, state, x, value=value, grad=grad, value_fn=loss, scale=3.0)
        x = optim.apply_updates(x, updates)
    np.testing.assert_allclose(np.asarray(x), 2.0, rtol=1e-5)


def test_lbfgs_on_the_valley_of_rosenbrock():
    """As a pure function in one loop; each step meets the strong Wolfe conditions."""
    valley = lambda x: (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()
    optimizer, start = optim.lbfgs(), fnp.asarray([-1.2, 1.0, -1.2, 1.0], dtype=fnp.float64)

    def step(carry, _):
        x, state = carry
        value, grad = fx.value_and_grad(valley)(x)
        updates, state = optimizer.update(grad, state, x, value=value, grad=grad, value_fn=valley)
        info = state[-1].info
        return (optim.apply_updates(x, updates), state), (value, info.decrease_error, info.curvature_error)

    run = fx.jit(lambda x: fx.lax.scan(step, (x, optimizer.init(x)), length=60))
    (x, _), (values, decrease, curvature) = run(start)
    np.testing.assert_allclose(np.asarray(x), 1.0, rtol=1e-8)
    descending = np.asarray(values) > 1e-12
    assert (np.asarray(decrease)[descending] == 0).all() and (np.asarray(curvature)[descending] == 0).all()
    assert (np.diff(np.asarray(values)[descending]) < 0).all()


def test_dpsgd():
    """Clipped one by one, averaged, and noise of the stated size."""
    grads = {"a": np.array([[3.0, 4.0], [0.3, 0.4]]), "b": np.array([0.0, 0.0])}
    quiet = optim.dpsgd(0.1, 1.0, 0.0, 0, momentum=0.5)
    params = {"a": fnp.zeros(2), "b": fnp.zeros(())}
    state = quiet.init(params)
    first, state = quiet.update(grads, state, params)
    np.testing.assert_allclose(first["a"], [-0.1 * 0.45, -0.1 * 0.6], rtol=1e-6)
    second, _ = quiet.update(grads, state, params)
    np.testing.assert_allclose(second["a"], 1.5 * np.asarray(first["a"]), rtol=1e-6)
    loud = optim.differentially_private_aggregate(2.0, 3.0, fx.random.key(1))
    wide = {"w": np.zeros((5, 4_000))}
    noise, after = loud.update(wide, loud.init(None))
    assert abs(float(noise["w"].std()) / (2.0 * 3.0 / 5) - 1) < 0.05 and noise["w"].shape == (4_000,)
    again, _ = loud.update(wide, after)
    assert not np.array_equal(again["w"], noise["w"])
    with pytest.raises(fx.ShapeError, match=r"of every example(.|\n)*in_axes"):
        quiet.update(params, quiet.init(params), params)
