"""One small problem, and a hundred steps on it with fx, Optax and PyTorch."""

import functools
import types
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

import fx
import fx.numpy as fnp
from fx import optim

RNG = np.random.default_rng(0)
START = {"b": RNG.normal(size=3), "w": RNG.normal(size=(4, 3))}
TARGET = {"b": RNG.normal(size=3), "w": RNG.normal(size=(4, 3))}
CURVATURE = {"b": RNG.uniform(0.5, 2.0, size=3), "w": RNG.uniform(0.5, 2.0, size=(4, 3))}
names = lambda *spaces: types.SimpleNamespace(
    **{k: v for s in spaces for k, v in vars(s).items() if k[0] != "_"}
)
QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
OPTAX = names(optax.contrib, optax)


def exact(function):
    """Optax computes three factors in float32 even when all else is float64; here (and below) in float64."""
    factored = optax._src.factorized.scale_by_factored_rms
    rate = lambda count, exponent: 1.0 - (count + 1.0) ** -exponent
    line = lambda init_value, peak_value, warmup_steps: (
        lambda count: (
            init_value
            + (peak_value - init_value) * jnp.minimum(jnp.asarray(count, float) / warmup_steps, 1.0)
        )
    )

    def called(*args, **options):
        with (
            mock.patch.object(factored, "__defaults__", (*factored.__defaults__[:-1], rate)),
            mock.patch.object(optax.contrib._schedule_free._schedule, "warmup_constant_schedule", line),
        ):
            return function(*args, **options)

    return functools.wraps(function)(called)


for name in ("adafactor", "schedule_free_sgd", "schedule_free_adamw"):
    setattr(OPTAX, name, exact(getattr(OPTAX, name)))
optax.contrib._madgrad.jnp = names(jnp)
optax.contrib._madgrad.jnp.sqrt = lambda count: jnp.sqrt(jnp.asarray(count, float))


def value(xp, p):
    """A convex loss that is no sum over leaves; `xp` is the array module."""
    like = lambda consts: {k: torch.tensor(x).to(p[k].dtype) for k, x in consts.items()}
    c, h = (like(x) if xp is torch else x for x in (TARGET, CURVATURE))
    far = sum([(h[k] * (p[k] - c[k]) ** 2).sum() for k in ("b", "w")])
    return 0.5 * far + 0.1 * xp.exp(0.3 * p["w"].sum() + p["b"][0])


def gradient(xp, p):
    """The gradient of `value`, by hand."""
    d = {k: CURVATURE[k] * (p[k] - TARGET[k]) for k in ("b", "w")}
    e = 0.1 * xp.exp(0.3 * p["w"].sum() + p["b"][0])
    return {"b": d["b"] + e * np.eye(3)[0], "w": d["w"] + 0.3 * e}


def fx_steps(optimizer, dtype=np.float64, steps=100, extra=lambda p, g: {}, start=START, stored=lambda p: p):
    """Parameters after steps of fx, each time as `stored` keeps them, and the last state."""
    with fx.config(default_float="float64" if dtype == np.float64 else "float32"):
        consts = lambda g: fx.tree.map(lambda x: x.astype(dtype), g)
        params = fx.tree.map(lambda x: fnp.asarray(x, dtype=dtype), start)
        state = optimizer.init(params)
        for _ in range(steps):
            grads = consts(gradient(fnp, params))
            updates, state = optimizer.update(grads, state, params, **extra(params, grads))
            params = stored(optim.apply_updates(params, updates))
    return {k: np.asarray(x) for k, x in params.items()}, state


def in_float32(params):
    """Float64 that float32 can hold."""
    return fx.tree.map(lambda x: x.astype(np.float32).astype(np.float64), params)


def optax_steps(make, steps=100, extra=lambda p, g: {}, dtype=np.float64):
    """Parameters after steps of `make()`, of Optax, and the last state."""
    with jax.enable_x64(dtype == np.float64):
        optimizer = make()

        @functools.partial(jax.jit, compiler_options=QUICKLY)
        def step(params, state):
            grads = {k: g.astype(dtype) for k, g in gradient(jnp, params).items()}
            updates, state = optimizer.update(grads, state, params, **extra(params, grads))
            return optax.apply_updates(params, updates), state

        params = {k: jnp.asarray(x, dtype) for k, x in START.items()}
        state = optimizer.init(params)
        for _ in range(steps):
            params, state = step(params, state)
        return {k: np.asarray(x) for k, x in params.items()}, state


def torch_steps(make, steps=100, dtype=torch.float64):
    """Parameters after steps of PyTorch, its own scalars in their dtype too, and the optimizer."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        params = {k: torch.tensor(x, dtype=dtype, requires_grad=True) for k, x in START.items()}
        optimizer = make([params["b"], params["w"]])
        for _ in range(steps):
            optimizer.zero_grad()
            value(torch, params).backward()
            optimizer.step()
    finally:
        torch.set_default_dtype(before)
    return {k: x.detach().numpy() for k, x in params.items()}, optimizer


def assert_near(found, expected, rtol):
    """Relative to the size of each leaf."""
    for k, x in expected.items():
        np.testing.assert_allclose(found[k], x, rtol=0, atol=rtol * np.abs(x).max(), err_msg=k)


def distance(found, expected):
    """The largest error of a leaf relative to its size."""
    return max(np.abs(found[k] - x).max() / np.abs(x).max() for k, x in expected.items())
