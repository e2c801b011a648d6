"""Parts and wrappers against Optax, on the same small problem."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optim_problem import OPTAX, START, assert_near, fx_steps, gradient, optax_steps, value

import fx
import fx.numpy as fnp
from fx import optim

odd = lambda step, **extra: step % 2 == 1
after = lambda o, *parts: o.chain(*parts, o.sgd(0.0625))
PARTS = {
    "scale": lambda o: o.scale(-0.01),
    "schedule": lambda o: o.scale_by_schedule(lambda count: -0.01 / (1.0 + count)),
    "up": lambda o: o.scale_by_learning_rate(lambda count: -0.01 / (1.0 + count), flip_sign=False),
    "trace": lambda o: after(o, o.trace(0.8, True)),
    "ema": lambda o: after(o, o.ema(0.8)),
    "ema, biased": lambda o: after(o, o.ema(0.8, False)),
    "decay": lambda o: after(o, o.add_decayed_weights(lambda count: 0.1 / (1.0 + count), {"b": True, "w": False})),
    "centralize": lambda o: after(o, o.centralize()),
    "clip": lambda o: after(o, o.clip(0.25)),
    "clip_by_global_norm": lambda o: after(o, o.clip_by_global_norm(0.5)),
    "clip_by_block_rms": lambda o: after(o, o.clip_by_block_rms(0.2)),
    "agc": lambda o: after(o, o.adaptive_grad_clip(0.05, 0.5)),
    "agc, axis": lambda o: after(o, o.adaptive_grad_clip(0.05, 0.5, 0)),
    "apply_every": lambda o: after(o, o.apply_every(3)),
    "nonnegative": lambda o: o.chain(o.sgd(0.05), o.keep_params_nonnegative()),
    "by the norm of params": lambda o: after(o, o.scale_by_param_block_norm(0.1)),
    "by the rms of params": lambda o: after(o, o.scale_by_param_block_rms(0.1)),
    "normalize": lambda o: after(o, o.normalize()),
    "by update norm": lambda o: after(o, o.normalize_by_update_norm(2.0, 0.1)),
    "lion, smooth": lambda o: after(o, o.scale_by_lion(mode="smooth", smooth_beta=2.0)),
    "lion, refined": lambda o: after(o, o.scale_by_lion(mode="refined")),
    "sm3": lambda o: after(o, o.scale_by_sm3(0.5, 0.9, 1e-3)),
    "yogi": lambda o: after(o, o.scale_by_yogi(0.5, 0.9, 1e-3, 1e-3, 1e-2)),
    "novograd": lambda o: after(o, o.scale_by_novograd(0.5, 0.4, 1e-3, 1e-3, 0.1)),
    "named_chain": lambda o: o.named_chain(("clip", o.clip(0.25)), ("sgd", o.sgd(0.0625))),
    "masked": lambda o: o.chain(o.masked(o.clip(0.1), lambda p: {"b": True, "w": False}), o.adam(0.01)),
    "partition": lambda o: o.partition({0: o.adam(0.01), 1: o.sgd(0.05, 0.9)}, {"b": 0, "w": 1}),
    "freeze": lambda o: o.chain(o.sgd(0.05), o.freeze({"b": True, "w": False})),
    "selective": lambda o: o.selective_transform(o.adam(0.05), freeze_mask={"b": True, "w": False}),
    "MultiSteps": lambda o: plain(o.MultiSteps(o.adam(0.05), 3, accumulator_dtype=np.float64)),
    "MultiSteps, sum": lambda o: plain(
        o.MultiSteps(o.adam(0.05), lambda count: 1 + count % 3, False, accumulator_dtype=np.float64)
    ),
    "MultiSteps, skipping": lambda o: plain(
        o.MultiSteps(
            o.adam(0.05), 2, True, functools.partial(o.skip_large_updates, max_squared_norm=4.0), np.float64
        )
    ),
    "conditionally_transform": lambda o: o.conditionally_transform(o.adam(0.01), odd),
    "conditionally_mask": lambda o: o.conditionally_mask(o.adam(0.01), odd),
    "apply_if_finite": lambda o: o.apply_if_finite(o.adam(0.01), 3),
    "inject": lambda o: o.inject_hyperparams(o.adamw)(
        learning_rate=lambda count: 0.05 / (1.0 + count), b1=0.8, weight_decay=0.1
    ),
    "schedule_free": lambda o: o.schedule_free(o.adam(0.05, 0.0), lambda count: 0.05 / (1.0 + 0.1 * count), 0.8, 1.0),
    "sam": lambda o: o.sam(o.adam(0.05), o.chain(o.normalize(), o.sgd(0.1))),
    "sam, 3": lambda o: o.sam(o.sgd(0.05, 0.9), o.chain(o.normalize(), o.adam(0.1)), 3, False),
}  # fmt: skip


def plain(optimizer):
    return optimizer.gradient_transformation()


@pytest.mark.parametrize("name", PARTS)
def test_parts(name):
    expected = optax_steps(lambda: PARTS[name](OPTAX), 20)[0]
    assert_near(fx_steps(PARTS[name](optim), steps=20)[0], expected, 1e-12)
    assert_near(fx_steps(PARTS[name](optim), np.float32, 20)[0], expected, 1e-6)


def reading(xp):
    loss = lambda p: value(xp, p)
    return lambda p, g: {"value": loss(p), "grad": g, "value_fn": loss, "obj_fn": loss}


only = lambda names, extra: lambda p, g: {k: v for k, v in extra(p, g).items() if k in names}
READING = {
    "polyak": (lambda o: o.polyak_sgd(), ["value"], 50),
    "polyak, all": (lambda o: o.polyak_sgd(0.3, lambda count: 0.5, 4.0, 0.1, "sps+"), ["value"], 50),
    "momo": (lambda o: o.momo(0.3, 0.8, 0.1, 0.1, True), ["value"], 30),
    "momo_adam": (lambda o: o.momo_adam(0.3, 0.8, 0.9, 1e-3, 0.1, 0.1, True), ["value"], 30),
    "plateau": (lambda o: o.chain(o.adam(0.3), o.reduce_on_plateau(0.5, 2, 1e-3)), ["value"], 60),
    "plateau, all": (
        lambda o: o.chain(o.sgd(0.3, 0.95), o.reduce_on_plateau(0.5, 1, 0.0, 1e-3, 3, 2, 0.1)),
        ["value"],
        60,
    ),
    "lbfgs": (lambda o: o.lbfgs(), ["value", "grad", "value_fn"], 12),
    "lbfgs, all": (
        lambda o: o.lbfgs(
            0.3, 2, False, o.scale_by_zoom_linesearch(5, 3.0, 1e-3, 1.5, 1e-3, 0.5, None, 1e-3)
        ),
        ["value", "grad", "value_fn"],
        12,
    ),
    "lbfgs, plain": (lambda o: o.lbfgs(lambda count: 0.5, 3, linesearch=None), [], 20),
    "sophia": (lambda o: o.sophia(0.03), ["obj_fn"], 30),
    "sophia, all": (
        lambda o: o.sophia(
            0.02, 0.8, 0.9, 1e-3, 0.1, {"b": True, "w": False}, 0.5, None, 3, mu_dtype=np.float64
        ),
        ["obj_fn"],
        30,
    ),
}


@pytest.mark.parametrize("name", READING)
def test_those_that_read_the_loss(name):
    make, names, steps = READING[name]
    expected = optax_steps(lambda: make(OPTAX), steps, only(names, reading(jnp)))[0]
    found = fx_steps(make(optim), steps=steps, extra=only(names, reading(fnp)))[0]
    assert_near(found, expected, 1e-11 if "lbfgs" in name else 1e-12)


def test_all_of_it_gets_to_who_names_it():
    """Every optimizer takes all extra arguments; parts without **extra get those they name."""
    seen = []

    def update(grads, state, params=None, *, value):
        seen.append(float(value))
        return grads, state

    own = optim.Optimizer(lambda params: (), update)
    wrapped = [optim.chain(own, optim.adam(0.1)), optim.masked(own, True), optim.with_statistics(own)]
    wrapped += [optim.apply_if_finite(own, 1), optim.named_chain(("own", own)), optim.with_ema(own)]
    for optimizer in wrapped:
        params = {"b": fnp.ones(2)}
        optimizer.update(params, optimizer.init(params), params, value=3.0, grad=params, other=1)
    assert seen == [3.0] * len(wrapped)


def test_lookahead():
    make = lambda o: o.lookahead(o.adam(0.1), 4, 0.3, reset_state=True)
    with jax.enable_x64():
        theirs, params = (
            make(optax),
            optax.LookaheadParams.init_synced({k: jnp.asarray(x) for k, x in START.items()}),
        )
        state, update = theirs.init(params), jax.jit(theirs.update)
        for _ in range(10):
            updates, state = update(gradient(jnp, params.fast), state, params)
            params = optax.apply_updates(params, updates)
        expected = jax.tree.map(np.asarray, params)
    ours, params = make(optim), optim.LookaheadParams.init_synced(fx.tree.map(fnp.asarray, START))
    state = ours.init(params)
    for _ in range(10):
        updates, state = ours.update(gradient(fnp, params.fast), state, params)
        params = optim.apply_updates(params, updates)
    assert_near({k: np.asarray(x) for k, x in params.fast.items()}, expected.fast, 1e-12)
    assert_near({k: np.asarray(x) for k, x in params.slow.items()}, expected.slow, 1e-12)


def test_sam_at_once_is_sam_in_turns():
    make = lambda opaque: optim.sam(
        optim.sgd(0.05), optim.chain(optim.normalize(), optim.sgd(0.1)), 2, True, opaque
    )
    grad_fn = lambda p, i: gradient(fnp, p)
    at_once = fx_steps(make(True), steps=5, extra=lambda p, g: {"grad_fn": grad_fn})[0]
    assert_near(fx_steps(make(False), steps=10)[0], at_once, 1e-12)


def test_schedule_free_eval_params():
    make = lambda o: o.schedule_free_sgd(0.3)
    with jax.enable_x64():
        params, state = optax_steps(lambda: make(OPTAX), 10)
        expected = jax.tree.map(np.asarray, optax.contrib.schedule_free_eval_params(state, params))
    params, state = fx_steps(make(optim), steps=10)
    found = optim.schedule_free_eval_params(state, params)
    assert_near({k: np.asarray(x) for k, x in found.items()}, expected, 1e-12)


def test_adaptive_clipping_of_kernels_of_all_ranks():
    rng, part = np.random.default_rng(1), optim.adaptive_grad_clip(0.3)
    over = {(): None, (5,): None, (1, 5): None, (3, 4): 0, (2, 3, 4): 0, (2, 3, 4, 5): (0, 1, 2)}
    for shape, axis in over.items():
        g, p = rng.normal(size=shape), rng.normal(size=shape)
        of_g, of_p = [np.sqrt((x**2).sum(axis=axis, keepdims=True)) for x in (g, p)]
        expected = g * np.minimum(1.0, 0.3 * of_p / of_g)
        np.testing.assert_allclose(np.asarray(part.update(g, part.init(p), p)[0]), expected, rtol=1e-12)


def test_clipping_of_single_examples():
    grads = {"a": np.random.default_rng(2).normal(size=(5, 3)), "b": np.ones((5, 2))}
    found, clipped = optim.per_example_global_norm_clip(grads, 2.0)
    norms = np.sqrt((np.concatenate([grads["a"], grads["b"]], axis=1) ** 2).sum(axis=1))
    for k, g in grads.items():
        np.testing.assert_allclose(np.asarray(found[k]), np.minimum(1, 2.0 / norms) @ g, rtol=1e-12)
    assert int(clipped) == (norms > 2.0).sum() > 0


def test_clipping_says_what_it_did():
    params = {"a": fnp.zeros(2), "n": fnp.arange(2)}
    grads = {"a": fnp.asarray([3.0, -4.0]), "n": fnp.arange(2)}
    for part, norm in (
        (optim.clip(2.0), 8**0.5),
        (optim.clip_by_global_norm(1.0), 1.0),
        (optim.clip_by_norm(1.0), 1.0),
        (optim.clip_by_block_rms(1.0), 2**0.5),
        (optim.adaptive_grad_clip(1000.0), 1.0),
    ):
        state = part.init(params)
        assert not bool(state.clipped) and np.isnan(float(state.norm))
        updates, state = part.update(grads, state, params)
        assert float(state.norm) == 5 and bool(state.clipped)
        assert float(state.clipped_norm) == pytest.approx(norm, rel=1e-6)
        assert float(optim.global_norm(updates)) == pytest.approx(norm, rel=1e-6)
        small = fx.tree.map(lambda g: g // 100 if g.dtype.kind == "i" else g * 1e-3, grads)
        updates, state = part.update(small, state, params)
        assert not bool(state.clipped) and float(state.norm) == float(state.clipped_norm)
    both = optim.clip(1.0)
    assert both.update(fnp.asarray([3 - 4j]), both.init(fnp.zeros(1)))[0].tolist() == [1 - 1j]


def test_averages_of_parameters():
    """Against the sums that define them."""
    path = []
    record = optim.Optimizer(
        lambda p: (), lambda g, s, p=None: path.append({k: p[k] + g[k] for k in p}) or (g, s)
    )
    run = lambda wrap: fx_steps(wrap(optim.chain(optim.sgd(0.05), record)), steps=20)
    _, state = run(lambda inner: optim.with_ema(inner, 0.9))
    seen, weights = np.stack([np.asarray(p["w"]) for p in path]), 0.9 ** np.arange(19, -1, -1)
    mean = lambda weights: np.tensordot(weights / weights.sum(), seen, 1)
    np.testing.assert_allclose(np.asarray(state.average["w"]), mean(weights), rtol=1e-12)
    _, state = run(lambda inner: optim.with_ema(inner, 0.9, debias=False))
    weights = np.where(np.arange(20) == 0, 1.0, 0.1) * 0.9 ** np.arange(19, -1, -1)
    np.testing.assert_allclose(np.asarray(state.average["w"]), mean(weights), rtol=1e-12)
    last, state = run(lambda inner: optim.with_swa(inner, 9, 3))
    assert int(state.count) == 4
    np.testing.assert_allclose(np.asarray(state.average["w"]), seen[[9, 12, 15, 18]].mean(axis=0), rtol=1e-12)
    assert optim.averaged_params(state, last)["w"].dtype == np.float64


def test_moving_towards_a_target():
    new, old = {"a": fnp.ones(2), "n": fnp.asarray(5)}, {"a": fnp.zeros(2), "n": fnp.asarray(1)}
    moved = optim.incremental_update(new, old, 0.25)
    assert moved["a"].tolist() == [0.25, 0.25] and int(moved["n"]) == 5
    at = lambda step: optim.periodic_update(new, old, step, 3)["a"].tolist()
    assert [at(i)[0] for i in range(4)] == [1, 0, 0, 1]


def test_orthogonalization_has_the_singular_vectors():
    x = np.random.default_rng(3).normal(size=(3, 5, 4))
    numbers = optim.MuonDimensionNumbers(1, 2)
    u, _, v = np.linalg.svd(x, full_matrices=False)
    for kind in ("frobenius", "spectral", "schatten"):
        steps = [(2.0, -1.5, 0.5)] * 40
        found = optim.orthogonalize_via_newton_schulz(x, steps, 40, kind, 0.0, numbers)
        np.testing.assert_allclose(np.asarray(found), u @ v, atol=1e-10)


def test_noise_is_that_of_its_key_and_falls():
    part, zeros = (
        optim.add_noise(1.0, 1.0, fx.random.key(3)),
        {"a": fnp.zeros((100, 100)), "n": fnp.arange(2)},
    )
    state = part.init(zeros)
    assert fx.tree.map(lambda x: x.dtype, state) == fx.tree.map(lambda x: x.dtype, part.init(zeros))
    for i in range(3):
        noise, state = part.update(zeros, state)
        assert float(noise["a"].std()) == pytest.approx((i + 1) ** -0.5, rel=0.05)
    again, _ = part.update(zeros, part.init(zeros))
    assert np.array_equal(part.update(zeros, part.init(zeros))[0]["a"], again["a"])
    assert noise["n"].tolist() == [0, 0]
