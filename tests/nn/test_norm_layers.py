"""Normalization and reparametrized layers against torch.nn with its weights; channels last here, first there."""

import itertools

import numpy as np
import pytest
import torch

import fx
import fx.numpy as fnp
import fx.testing
from fx import nn
from fx.nn import initializers

KEY = fx.random.key(2)
NORMAL = initializers.normal(1.0)
WIDE = {"dtype": fnp.float64, "scale_init": NORMAL}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(2.0, 3.0, size=shape)


def first(x):
    return torch.tensor(np.moveaxis(np.asarray(x), -1, 1).copy(), requires_grad=True)


def tensor(x):
    return torch.nn.Parameter(torch.tensor(np.asarray(x).copy()))


def load(module, params):
    for ours, theirs in (("scale", "weight"), ("bias", "bias")):
        if ours in params:
            setattr(module, theirs, tensor(params[ours]))
    return module.double()


def check(layer, params, x, module, to=first, back=lambda y: np.moveaxis(np.asarray(y), -1, 1), **state):
    """Values, and derivatives of input and parameters; weights 0.7, 0.71, ... make them differ."""
    their_x = to(x)
    theirs = module(their_x)
    ours = lambda x, p: layer.apply(p, x, **state)[0] if state else layer.apply(p, x, **state)
    y, vjp = fx.vjp(ours, fnp.asarray(x), params)
    np.testing.assert_allclose(back(y), theirs.detach(), atol=1e-10)
    ct = 0.7 + 0.01 * np.arange(x.size).reshape(x.shape)
    theirs.backward(to(ct).detach())
    gx, gp = vjp(fnp.asarray(ct))
    np.testing.assert_allclose(back(gx), their_x.grad, atol=1e-9)
    for name, theirs in (("scale", module.weight), ("bias", getattr(module, "bias", None))):
        if name in params:
            np.testing.assert_allclose(gp[name], theirs.grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("space", [(), (4,), (3, 4), (2, 3, 4)])
def test_batch_norm(space):
    x = draw(6, *space, 5)
    module_of = (torch.nn.BatchNorm1d, torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)[
        len(space)
    ]
    for momentum, affine in itertools.product((0.1, 0.3, None), (True, False)):
        layer = nn.BatchNorm(5, eps=1e-3, momentum=momentum, use_scale=affine, use_bias=affine, **WIDE)
        made = layer.init(KEY)
        params, state = fx.tree.map(lambda a: a.astype(fnp.float64), made)
        module = load(module_of(5, eps=1e-3, momentum=momentum, affine=affine), params)
        if affine:
            check(layer, params, x, module, state=state, training=True)
        else:
            module(first(x))
        _, state = layer.apply(params, x, state=state, training=True)
        module(first(x + 1))
        _, state = layer.apply(params, x + 1, state=state, training=True)
        np.testing.assert_allclose(state["mean"], module.running_mean, rtol=1e-10)
        np.testing.assert_allclose(state["var"], module.running_var, rtol=1e-10)
        module.eval()
        if affine:
            module.zero_grad()
            check(layer, params, x, module, state=state)


def test_batch_norm_over_a_mapped_axis_and_with_a_mask():
    x = draw(2, 3, 4, 5)
    plain, mapped = nn.BatchNorm(5), nn.BatchNorm(5, axis_name="devices")
    params, state = plain.init(KEY)
    whole, after = plain.apply(params, x.reshape(6, 4, 5), state=state, training=True)
    run = lambda x: mapped.apply(params, x, state=state, training=True)
    split, states = fx.vmap(run, axis_name="devices")(x)
    np.testing.assert_allclose(split.reshape(6, 4, 5), whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(states["var"][1], after["var"], rtol=1e-5)
    mask = np.arange(6)[:, None, None] < 4
    masked, after = plain.apply(
        params, np.where(mask, x.reshape(6, 4, 5), np.nan), mask, state=state, training=True
    )
    alone, expected = plain.apply(params, x.reshape(6, 4, 5)[:4], state=state, training=True)
    np.testing.assert_allclose(masked[:4], alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after["var"], expected["var"], rtol=1e-5)


def test_untracked_batch_norm_has_no_state():
    layer = nn.BatchNorm(3, track=False)
    x = draw(8, 3)
    y = layer.apply(layer.init(KEY), x)
    np.testing.assert_allclose(y, (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(5,), (4, 5)])
def test_layer_norm_and_rms_norm(shape):
    x = draw(3, 4, 5)
    for eps, bias in itertools.product((1e-5, 1e-2), (True, False)):
        layer = nn.LayerNorm(shape, eps=eps, use_bias=bias, bias_init=NORMAL, **WIDE)
        params = layer.init(KEY)
        module = load(torch.nn.LayerNorm(shape, eps=eps, bias=bias), params)
        check(layer, params, x, module, to=tensor, back=np.asarray)
        layer = nn.RMSNorm(shape, eps=eps, **WIDE)
        check(
            layer,
            layer.init(KEY),
            x,
            load(torch.nn.RMSNorm(shape, eps=eps), layer.init(KEY)),
            tensor,
            np.asarray,
        )


def test_group_and_instance_norm():
    for space in ((), (4,), (3, 4), (2, 3, 4)):
        x = draw(3, *space, 6)
        for groups in (1, 2, 6) if space else (1, 2):
            layer = nn.GroupNorm(groups, 6, bias_init=NORMAL, **WIDE)
            params = layer.init(KEY)
            check(layer, params, x, load(torch.nn.GroupNorm(groups, 6), params))
    for rank in (1, 2, 3):
        x = draw(3, *range(3, 3 + rank), 6)
        layer = nn.InstanceNorm(6, use_scale=True, use_bias=True, bias_init=NORMAL, **WIDE)
        params = layer.init(KEY)
        module = getattr(torch.nn, f"InstanceNorm{rank}d")(6, affine=True)
        check(layer, params, x, load(module, params))
        np.testing.assert_allclose(
            np.moveaxis(nn.InstanceNorm(6).apply({}, x), -1, 1),
            getattr(torch.nn, f"InstanceNorm{rank}d")(6)(first(x)).detach(),
            atol=1e-10,
        )


def test_instance_norm_with_running_averages():
    x = draw(3, 4, 5, 6)
    layer = nn.InstanceNorm(
        6, track=True, momentum=0.3, use_scale=True, use_bias=True, bias_init=NORMAL, **WIDE
    )
    params, state = fx.tree.map(lambda a: a.astype(fnp.float64), layer.init(KEY))
    module = load(torch.nn.InstanceNorm2d(6, affine=True, momentum=0.3, track_running_stats=True), params)
    check(layer, params, x, module, state=state, training=True)
    _, state = layer.apply(params, x, state=state, training=True)
    np.testing.assert_allclose(state["mean"], module.running_mean, rtol=1e-10)
    np.testing.assert_allclose(state["var"], module.running_var, rtol=1e-10)
    module.eval()
    module.zero_grad()
    check(layer, params, x, module, state=state)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_local_response_norm(size):
    x = draw(2, 4, 7)
    y = torch.nn.LocalResponseNorm(size, 0.3, 0.6, 2.0)(first(x))
    layer = nn.LocalResponseNorm(size, alpha=0.3, beta=0.6, k=2.0)
    np.testing.assert_allclose(np.moveaxis(layer.apply({}, x), -1, 1), y.detach(), rtol=1e-12)


def test_extreme_values_and_short_floats():
    x = np.array([[1e4, -1e4, 1e4, 5.0], [0, 0, 0, 0]])
    for layer in (nn.LayerNorm(4), nn.RMSNorm(4), nn.GroupNorm(2, 4), nn.LocalResponseNorm(3)):
        params = layer.init(KEY)
        for dtype in (fnp.float64, fnp.float32, fnp.float16, fnp.bfloat16):
            y, vjp = fx.vjp(lambda x: layer.apply(params, x), fnp.asarray(x, dtype=dtype))
            assert np.isfinite(np.asarray(y, np.float64)).all(), (layer, dtype)
            assert np.isfinite(np.asarray(vjp(fnp.ones_like(y))[0], np.float64)).all(), (layer, dtype)
    assert nn.LayerNorm(4).apply(nn.LayerNorm(4).init(KEY), np.zeros((0, 4))).shape == (0, 4)


def test_weight_norm():
    inner = nn.Linear(4, 3, dtype=fnp.float64)
    layer = nn.WeightNorm(inner)
    params = layer.init(KEY)
    x = draw(5, 4)
    np.testing.assert_allclose(layer.apply(params, x), inner.apply(params["layer"], x), rtol=1e-12)
    params["scale"] = fnp.asarray(draw(3, seed=1))
    module = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 3).double(), dim=0)
    module.parametrizations.weight.original0 = tensor(np.asarray(params["scale"])[:, None])
    module.parametrizations.weight.original1 = tensor(np.asarray(params["layer"]["kernel"]).T)
    module.bias = tensor(params["layer"]["bias"])
    y = module(torch.tensor(x))
    np.testing.assert_allclose(layer.apply(params, x), y.detach(), rtol=1e-10)
    (y**2).sum().backward()
    gradient = fx.grad(lambda p: (layer.apply(p, x) ** 2).sum())(params)
    theirs = module.parametrizations.weight
    np.testing.assert_allclose(gradient["scale"], theirs.original0.grad[:, 0], rtol=1e-9)
    np.testing.assert_allclose(gradient["layer"]["kernel"], theirs.original1.grad.T, rtol=1e-8, atol=1e-9)
    one = nn.WeightNorm(inner, axis=None)
    np.testing.assert_allclose(
        one.apply(one.init(KEY), x), inner.apply(one.init(KEY)["layer"], x), rtol=1e-12
    )
    with pytest.raises(fx.ArgumentError, match=r"no parameter 'weight'; it has \['bias', 'kernel'\]"):
        nn.WeightNorm(inner, name="weight")


@pytest.mark.parametrize("inner", [nn.Linear(6, 4, dtype=fnp.float64), nn.Conv1d(3, 4, 2, dtype=fnp.float64)])
def test_spectral_norm(inner):
    layer = nn.SpectralNorm(inner, steps=30)
    params, state = layer.init(KEY)
    x = draw(2, 5, inner.members.parameters["kernel"].shape[-2])
    y, after = layer.apply(params, x, state=state, training=True)
    kernel = np.asarray(params["layer"]["kernel"])
    sigma = np.linalg.svd(kernel.reshape(-1, 4), compute_uv=False)[0]
    plain = {**params["layer"], "kernel": kernel / sigma}
    np.testing.assert_allclose(y, inner.apply(plain, x), rtol=1e-4, atol=1e-5)
    again, same = layer.apply(params, x, state=after)
    np.testing.assert_allclose(again, y, rtol=1e-6)
    assert np.array_equal(same["u"], after["u"])
    loss = lambda p: layer.apply(p, x, state=after)[0].sum()
    fx.testing.check_grads(loss, (params,), order=1, modes=("rev",))


def test_lora():
    model = nn.Sequential([nn.Linear(6, 8, dtype=fnp.float64), nn.tanh, nn.Linear(8, 3, dtype=fnp.float64)])
    layer = nn.LoRA(model, 2, alpha=4.0, targets=["linear_2/*"])
    params = layer.init(KEY)
    assert {k: {n: a.shape for n, a in v.items()} for k, v in params["updates"].items()} == {
        "linear_2/kernel": {"a": (8, 2), "b": (2, 3)}
    }
    x = draw(5, 6)
    np.testing.assert_allclose(layer.apply(params, x), model.apply(params["layer"], x), rtol=1e-12)
    update = params["updates"]["linear_2/kernel"]
    update["b"] = fnp.asarray(draw(2, 3, seed=1))
    merged = layer.merged(params)
    expected = np.asarray(params["layer"]["linear_2"]["kernel"]) + 2 * np.asarray(update["a"]) @ np.asarray(
        update["b"]
    )
    np.testing.assert_allclose(merged["linear_2"]["kernel"], expected, rtol=1e-12)
    np.testing.assert_allclose(layer.apply(params, x), model.apply(merged, x), rtol=1e-12)
    gradient = fx.grad(lambda u: layer.apply({**params, "updates": u}, x).sum())(params["updates"])
    assert np.asarray(gradient["linear_2/kernel"]["a"]).any()
    with pytest.raises(fx.ArgumentError, match=r"\['\*/wq'\]; its parameters are \['linear_0/bias'"):
        nn.LoRA(model, 2, targets=["*/wq"]).init(KEY)


def test_layers_refuse_what_does_not_fit():
    for wrong, text in (
        (lambda: nn.BatchNorm(0), "features"),
        (lambda: nn.BatchNorm(3, momentum=2), "momentum"),
        (lambda: nn.LayerNorm(()), "shape"),
        (lambda: nn.GroupNorm(4, 6), "4 equal groups"),
        (lambda: nn.SpectralNorm(nn.Linear(2, 2), steps=0), "steps"),
    ):
        with pytest.raises(fx.ArgumentError, match=text):
            wrong()
    params, state = nn.BatchNorm(3).init(KEY)
    with pytest.raises(fx.ShapeError, match=r"takes x of shape \(\.\.\., 3\); x has shape \(4, 2\)"):
        nn.BatchNorm(3).apply(params, np.ones((4, 2)), state=state)
    with pytest.raises(fx.ShapeError, match="one value a channel"):
        nn.BatchNorm(3).apply(params, np.ones((1, 3)), state=state, training=True)
    with pytest.raises(fx.ShapeError, match="space"):
        nn.InstanceNorm(3).apply({}, np.ones((4, 3)))
