"""One test of the contract for every optimizer and wrapper."""

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import optim as o

RNG = np.random.default_rng(0)
# Made from a learning rate that brings the loss below a tenth in sixty updates.
EVERY = {
    "sgd": (o.sgd, 0.1),
    "momentum": (lambda r: o.sgd(r, 0.8, True, weight_decay=1e-3), 0.03),
    "adam": (o.adam, 0.1),
    "adamw": (lambda r: o.adamw(lambda count: r / (1 + 0.01 * count), mask=o.paths("w")), 0.1),
    "nadam": (lambda r: o.nadam(r, momentum_decay=4e-3), 0.1),
    "nadamw": (o.nadamw, 0.1),
    "amsgrad": (o.amsgrad, 0.1),
    "adamax": (o.adamax, 0.1),
    "adamaxw": (o.adamaxw, 0.1),
    "adabelief": (o.adabelief, 0.1),
    "yogi": (o.yogi, 0.1),
    "radam": (o.radam, 0.1),
    "adan": (o.adan, 0.1),
    "adopt": (o.adopt, 0.1),
    "ademamix": (o.ademamix, 0.05),
    "lion": (o.lion, 0.05),
    "adagrad": (o.adagrad, 0.5),
    "adadelta": (lambda r: o.adadelta(r, eps=1e-2), 1.0),
    "rmsprop": (lambda r: o.rmsprop(r, centered=True, eps=1e-2), 0.05),
    "rmsprop, momentum": (lambda r: o.rmsprop(r, momentum=0.5), 0.02),
    "sm3": (o.sm3, 0.5),
    "rprop": (o.rprop, 0.1),
    "asgd": (o.asgd, 0.1),
    "sign_sgd": (lambda r: o.sign_sgd(lambda count: r * 0.95**count), 0.1),
    "signum": (o.signum, 0.05),
    "noisy_sgd": (lambda r: o.noisy_sgd(r, 1e-4), 0.1),
    "optimistic_gradient_descent": (o.optimistic_gradient_descent, 0.05),
    "optimistic_adam": (lambda r: o.optimistic_adam(r), 0.1),
    "optimistic_adam_v2": (lambda r: o.optimistic_adam_v2(r), 0.1),
    "polyak_sgd": (lambda r: o.polyak_sgd(r), 1.0),
    "lars": (lambda r: o.lars(r, trust_coefficient=0.1), 0.5),
    "lamb": (o.lamb, 0.1),
    "fromage": (o.fromage, 0.1),
    "novograd": (o.novograd, 0.1),
    "adafactor": (lambda r: o.adafactor(r, min_dim_size_to_factor=2, momentum=0.5), 0.2),
    "prodigy": (lambda r: o.prodigy(r, estim_lr0=1e-2), 1.0),
    "dadapt_adamw": (lambda r: o.dadapt_adamw(r, estim_lr0=1e-2), 1.0),
    "schedule_free_sgd": (lambda r: o.schedule_free_sgd(r, 5), 0.3),
    "schedule_free_adamw": (o.schedule_free_adamw, 0.3),
    "muon": (o.muon, 0.1),
    "momo": (lambda r: o.momo(r, adapt_lower_bound=True), 0.2),
    "momo_adam": (o.momo_adam, 0.2),
    "dog": (lambda r: o.dog(r, ("distance", 0.1)), 1.0),
    "dowg": (lambda r: o.dowg(r, 0.1), 1.0),
    "cocob": (lambda r: o.cocob(r, 2.0), 1.0),
    "madgrad": (o.madgrad, 0.1),
    "acprop": (lambda r: o.acprop(r, eps_root=1e-3), 0.1),
    "simplified_ademamix": (lambda r: o.simplified_ademamix(r, 0.9), 0.02),
    "sophia": (lambda r: o.sophia(r, gamma=1.0, clip_threshold=3.0), 0.1),
    "lbfgs": (lambda r: o.lbfgs(r, memory_size=3), 1.0),
    "lbfgs, no search": (lambda r: o.lbfgs(r, linesearch=None), 0.5),
    "sam": (lambda r: o.sam(o.adam(r), o.chain(o.normalize(), o.sgd(0.05))), 0.2),
    "clipped": (
        lambda r: o.named_chain(
            ("norm", o.clip_by_global_norm(5.0)), ("each", o.clip(2.0)), ("sgd", o.sgd(r))
        ),
        0.1,
    ),
    "adaptively clipped": (lambda r: o.chain(o.adaptive_grad_clip(1.0, 0.1), o.adam(r)), 0.1),
    "by path": (lambda r: o.by_path({"w": o.adam(r), "b": o.freeze(), "**": o.sgd(r)}), 0.1),
    "masked": (lambda r: o.masked(o.sgd(r), o.paths("w", "!b")), -0.1),
    "MultiSteps": (lambda r: o.MultiSteps(o.adam(r), 2), 0.2),
    "apply_every": (lambda r: o.chain(o.apply_every(2), o.sgd(r)), 0.1),
    "apply_if_finite": (lambda r: o.apply_if_finite(o.chain(o.zero_nans(), o.adam(r)), 3), 0.1),
    "with_ema": (lambda r: o.with_ema(o.adam(r)), 0.1),
    "with_swa": (lambda r: o.with_swa(o.adam(r), 3), 0.1),
    "with_statistics": (lambda r: o.with_statistics(o.chain(o.clip(1.0), o.adam(r))), 0.1),
    "injected": (lambda r: o.inject_hyperparams(o.adamw)(r), 0.1),
    "plateau": (lambda r: o.chain(o.adam(r), o.reduce_on_plateau(0.5, 3)), 0.1),
}
REAL = {"sm3", "rprop", "cocob", "madgrad", "lbfgs", "sophia", "masked", "by path"}
TARGET = {"b": RNG.normal(size=3), "v": RNG.normal(), "w": RNG.normal(size=(4, 3))}
START = {"b": np.zeros(3), "v": 0.5, "w": np.ones((4, 3))}


def loss(params):
    return sum([((params[k] - fnp.asarray(TARGET[k], dtype=params[k].dtype)) ** 2).sum() for k in params])


def step(optimizer, params, state):
    """One update: gradients of `loss`, and all that an update may read."""
    value, grads = fx.value_and_grad(loss)(params)
    extra = {"value": value, "grad": grads, "value_fn": loss, "obj_fn": loss}
    updates, state = optimizer.update(grads, state, params, **extra)
    return o.apply_updates(params, updates), state


def run(optimizer, params, steps):
    state = optimizer.init(params)
    for _ in range(steps):
        params, state = step(optimizer, params, state)
    return params, state


as_arrays = lambda tree: fx.tree.map(lambda x: fnp.asarray(x, dtype=np.float64), tree)
same = lambda a, b: [
    np.array_equal(x, y, equal_nan=True) for x, y in zip(fx.tree.leaves(a), fx.tree.leaves(b))
]
kinds = lambda tree: [(x.shape, x.dtype) for x in fx.tree.leaves(tree)]


@pytest.mark.parametrize("name", EVERY)
def test_it_descends_and_resumes_exactly(name):
    make, rate = EVERY[name]
    optimizer, params = make(abs(rate)), as_arrays(START)
    middle, state = run(optimizer, params, 30)
    kept = fx.tree.map(np.array, (middle, state))
    last, end = middle, state
    for _ in range(30):
        last, end = step(optimizer, last, end)
    assert float(loss(last)) < 0.35 * float(loss(params)) or name in ("by path", "masked")
    for _ in range(30):
        kept = step(optimizer, *kept)
    assert all(same(kept, (last, end))) and fx.tree.structure(kept) == fx.tree.structure((last, end))


@pytest.mark.parametrize("name", EVERY)
def test_structures_shapes_and_dtypes_stay(name):
    make, rate = EVERY[name]
    params = {
        "b": fnp.ones((2, 2), fnp.float16),
        "v": fnp.ones(2, fnp.bfloat16),
        "w": [fnp.ones(3, fnp.float64)],
    }
    params |= {"whole": fnp.arange(3), "empty": fnp.zeros((0, 2)), "none": None, "zero": fnp.asarray(0.0)}
    params |= {} if name in REAL else {"z": (fnp.ones(2, fnp.complex64),)}
    optimizer = make(abs(rate) * 0.1)
    grads = fx.tree.map(lambda p: (p * 100).astype(p.dtype), params)
    extra = {"value": 3.0, "grad": grads}
    extra["value_fn"] = extra["obj_fn"] = lambda p: sum(
        [(x**2).sum().astype(np.float32) for x in fx.tree.leaves(p) if x.dtype.kind != "i"]
    )
    if name in ("lbfgs", "sophia"):
        params, grads = [{k: t[k] for k in ("b", "v", "w")} for t in (params, grads)]
        extra["grad"] = grads
    state = optimizer.init(params)
    for _ in range(2):
        updates, after = optimizer.update(grads, state, params, **extra)
        assert fx.tree.structure(after) == fx.tree.structure(state) and kinds(after) == kinds(state)
        assert fx.tree.structure(updates) == fx.tree.structure(params) and kinds(updates) == kinds(params)
        moved = o.apply_updates(params, updates)
        assert kinds(moved) == kinds(params)
        assert all(bool(fnp.isfinite(x).all()) for x in fx.tree.leaves(moved))
        if "whole" in moved:
            assert moved["whole"].tolist() == [0, 1, 2]
        state = after


@pytest.mark.parametrize("name", EVERY)
def test_an_ensemble_over_learning_rates(name):
    """vmap of whole runs is the runs one by one."""
    make, rate = EVERY[name]
    ends = lambda r, steps: run(make(r), as_arrays(START), steps)[0]["w"]
    rates = np.array([0.5, 1.0]) * abs(rate)
    found = fx.vmap(lambda r: ends(r, 3))(rates)
    for i, r in enumerate(rates):
        np.testing.assert_allclose(np.asarray(found[i]), np.asarray(ends(r, 3)), rtol=1e-9)


@pytest.mark.parametrize("name", EVERY)
def test_compiled_steps(name):
    make, rate = EVERY[name]
    optimizer = make(abs(rate))
    params, state = run(optimizer, as_arrays(START), 2)
    plain = step(optimizer, params, state)
    compiled = fx.jit(lambda p, s: step(optimizer, p, s))(params, state)
    assert kinds(compiled) == kinds(plain)
    for a, b in zip(fx.tree.leaves(compiled), fx.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_numbers_and_nothing_are_trees_too(name):
    make, rate = EVERY[name]
    optimizer = make(abs(rate))
    if name not in ("by path", "masked", "adamw"):
        params, _ = run(optimizer, {"w": 1.0, "b": np.ones(3)}, 1)
        assert all(isinstance(x, fx.Array) for x in params.values())
    extra = {"value": 0.0, "grad": {}, "value_fn": lambda p: fnp.zeros(()), "obj_fn": lambda p: fnp.zeros(())}
    updates, _ = optimizer.update({}, optimizer.init({}), {}, **extra)
    assert updates == {}
