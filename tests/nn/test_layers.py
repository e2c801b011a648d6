"""Layers and initializers: shapes, names, purity, nesting, transformations, errors; numbers against jax.nn."""

import copy
import dataclasses
import pickle

import jax
import numpy as np
import pytest
import torch

import fx
import fx.numpy as fnp
import fx.testing
from fx import nn
from fx.nn import initializers

KEY = fx.random.key(3)


def shapes(params):
    return fx.tree.map(lambda p: p.shape, params)


def test_linear():
    layer = nn.Linear(3, 2, bias_init=initializers.ones)
    params = layer.init(KEY)
    assert shapes(params) == {"kernel": (3, 2), "bias": (2,)}
    x = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    expected = x @ np.asarray(params["kernel"]) + 1
    np.testing.assert_allclose(np.asarray(layer.apply(params, x)), expected, rtol=1e-5)
    assert layer.apply(params, x[0, 0]).shape == (2,)
    bare = nn.Linear(3, 2, use_bias=False)
    assert shapes(bare.init(KEY)) == {"kernel": (3, 2)}
    np.testing.assert_allclose(np.asarray(bare.apply(params, x)), expected - 1, rtol=1e-4, atol=1e-5)


def test_mlp_is_linear_layers_and_activations():
    model = nn.MLP([4, 8, 8, 2], activation=nn.tanh, final_activation=nn.sigmoid, dtype=fnp.float64)
    params = model.init(KEY)
    assert sorted(params) == ["linear_0", "linear_1", "linear_2"]
    assert {leaf.dtype for leaf in fx.tree.leaves(params)} == {np.dtype("float64")}
    x = np.random.default_rng(0).normal(size=(3, 4))
    h = x
    for i in range(3):
        p = params[f"linear_{i}"]
        h = h @ np.asarray(p["kernel"]) + np.asarray(p["bias"])
        h = np.tanh(h) if i < 2 else 1 / (1 + np.exp(-h))
    np.testing.assert_allclose(np.asarray(model.apply(params, x)), h, rtol=1e-12)


def test_init_is_pure_and_keys_differ():
    model = nn.MLP([4, 4, 4])
    a, b = model.init(KEY), model.init(KEY)
    assert all(np.array_equal(x, y) for x, y in zip(fx.tree.leaves(a), fx.tree.leaves(b)))
    assert not np.array_equal(a["linear_0"]["kernel"], a["linear_1"]["kernel"])
    other = model.init(fx.random.key(4))
    assert not np.array_equal(a["linear_0"]["kernel"], other["linear_0"]["kernel"])


def test_default_float_decides_the_dtype():
    with fx.config(default_float="float64"):
        assert nn.Linear(2, 2).init(KEY)["kernel"].dtype == np.float64
    assert nn.Linear(2, 2).init(KEY)["kernel"].dtype == np.float32


def test_sequential_nests_and_names():
    inner = nn.Sequential([nn.Linear(8, 8), nn.tanh])
    model = nn.Sequential([nn.Linear(4, 8), nn.relu, nn.Dropout(0.5), inner, nn.Linear(8, 2, use_bias=False)])
    params = model.init(KEY)
    assert shapes(params) == {
        "linear_0": {"kernel": (4, 8), "bias": (8,)},
        "sequential_3": {"linear_0": {"kernel": (8, 8), "bias": (8,)}},
        "linear_4": {"kernel": (8, 2)},
    }
    x = fnp.ones((5, 4))
    evaluated = model.apply(params, x)
    assert np.array_equal(evaluated, model.apply(params, x))
    drawn = model.apply(params, x, key=KEY)
    assert np.array_equal(drawn, model.apply(params, x, key=KEY))
    assert not np.array_equal(drawn, evaluated)
    assert not np.array_equal(drawn, model.apply(params, x, key=fx.random.key(9)))


class Scale(nn.Layer):
    size: int

    def parameters(self):
        return {"scale": nn.Parameter((self.size,), initializers.constant(2.0))}

    def forward(self, p, x):
        return p.scale * x

    def undo(self, p, y):
        return y / p.scale


class Tracked(nn.Layer):
    """x minus a running mean, which moves in training."""

    size: int
    rate: float = 0.5

    def state(self):
        return {"mean": nn.Parameter((self.size,))}

    def forward(self, p, x):
        if p.training:
            p.mean = (1 - self.rate) * p.mean + self.rate * x.mean(0)
        return x - p.mean


class Tied(nn.Layer):
    """Layers in a list, one used twice and through a method of its own."""

    size: int

    def layers(self):
        return {"scale": Scale(self.size), "blocks": [nn.Linear(self.size, self.size), Tracked(self.size)]}

    def forward(self, p, x):
        x = p.scale(x)
        for block in p.blocks:
            x = block(x)
        return p.scale.undo(x)


def test_a_layer_of_the_users_own():
    model = nn.Sequential([Scale(3), nn.relu])
    params = model.init(KEY)
    assert list(params) == ["scale_0"]
    assert model.apply(params, fnp.asarray([-1.0, 1.0, 2.0])).tolist() == [0, 2, 4]
    assert repr(Tracked(3)) == "Tracked(3)" and repr(Tracked(3, 0.1)) == "Tracked(3, rate=0.1)"


def test_state_is_taken_and_returned():
    model = Tied(2)
    params, state = model.init(KEY)
    assert shapes(params) == {"scale": {"scale": (2,)}, "blocks": [{"kernel": (2, 2), "bias": (2,)}, {}]}
    assert shapes(state) == {"blocks": [{}, {"mean": (2,)}]}
    x = np.asarray([[1.0, 2.0], [3.0, 5.0]], np.float32)
    h = 2 * x @ np.asarray(params["blocks"][0]["kernel"])
    y, after = model.apply(params, x, state=state, training=True)
    np.testing.assert_allclose(after["blocks"][1]["mean"], h.mean(0) / 2, rtol=1e-5)
    np.testing.assert_allclose(y, (h - h.mean(0) / 2) / 2, rtol=1e-4, atol=1e-6)
    assert not np.asarray(state["blocks"][1]["mean"]).any()  # what was passed is as it was
    evaluated, same = model.apply(params, x, state=after)
    np.testing.assert_allclose(evaluated, y, rtol=1e-6)
    assert np.array_equal(same["blocks"][1]["mean"], after["blocks"][1]["mean"])
    compiled = fx.jit(lambda p, s, x: model.apply(p, x, state=s, training=True))(params, state, x)
    np.testing.assert_allclose(compiled[1]["blocks"][1]["mean"], after["blocks"][1]["mean"], rtol=1e-6)


def test_draws_of_one_apply_differ():
    class Twice(nn.Layer):
        drop: nn.Layer = nn.Dropout(0.5)

        def forward(self, p, x):
            return p.drop(x), p.drop(x)

    x = fnp.ones(64)
    a, b = Twice().apply({}, x, key=KEY)
    assert not np.array_equal(a, b)
    again = Twice().apply({}, x, key=KEY)
    assert np.array_equal(a, again[0]) and np.array_equal(b, again[1])
    pair = nn.Parallel([nn.Dropout(0.5), nn.Dropout(0.5)], combine="none").apply({}, x, key=KEY)
    assert not np.array_equal(*pair)
    with pytest.raises(fx.ArgumentError, match=r"Dropout\(0.5\), model\['dropout_0'\](.|\n)*key=key"):
        nn.Sequential([nn.Dropout(0.5)]).apply({}, x, training=True)
    assert np.array_equal(nn.Dropout(0.5).apply({}, x, key=KEY, training=False), x)


def test_repeat_is_the_layer_again_and_again():
    inner = nn.Sequential([nn.Linear(3, 3, dtype=fnp.float64), Tracked(3), nn.Dropout(0.5), nn.tanh])
    model = nn.Repeat(nn.Residual(inner), 4)
    params, state = model.init(KEY)
    assert shapes(params) == {"layer": {"inner": {"linear_0": {"kernel": (4, 3, 3), "bias": (4, 3)}}}}
    state = fx.tree.map(lambda s: s.astype(fnp.float64), state)
    x = np.random.default_rng(0).normal(size=(5, 3))
    y, after = model.apply(params, x, state=state, training=False)
    h = fnp.asarray(x)
    for i in range(4):
        own = fx.tree.map(lambda p: p[i], (params["layer"], state["layer"]))
        h, _ = nn.Residual(inner).apply(own[0], h, state=own[1])
    np.testing.assert_allclose(y, h, rtol=1e-12)
    drawn, after = model.apply(params, x, state=state, key=KEY)
    assert not np.allclose(drawn, y) and np.asarray(after["layer"]["inner"]["tracked_1"]["mean"]).all()
    gradient = fx.grad(lambda p: model.apply(p, x, state=state, key=KEY)[0].sum())(params)
    assert shapes(gradient) == shapes(params)


def test_checkpoint_keeps_less_and_gives_the_same():
    linear = lambda m, n: nn.Linear(m, n, dtype=fnp.float64)
    inner = nn.Sequential([linear(3, 64), nn.tanh, nn.Dropout(0.5), linear(64, 3), Tracked(3)])
    params, state = inner.init(KEY)
    state = fx.tree.map(lambda s: s.astype(fnp.float64), state)
    x = fnp.asarray(np.random.default_rng(0).normal(size=(5, 3)))
    plain, kept = nn.Sequential({"layer": inner}), nn.Checkpoint(inner)
    args = {"layer": params}, {"layer": state}

    def loss(model, params, state, key):
        y, state = model.apply(params, x, state=state, key=key)
        return (y**2).sum(), state

    derived = fx.value_and_grad(loss, argnums=1, has_aux=True)
    expected, actual = derived(plain, *args, None), derived(kept, *args, None)
    for a, b in zip(fx.tree.leaves(actual), fx.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    fx.testing.check_grads(
        lambda params: loss(kept, params, args[1], KEY)[0], (args[0],), order=1, modes=("rev",)
    )

    def bytes_kept(model):
        return sum(r.nbytes for r in fx.residuals(lambda p: loss(model, p, args[1], None)[0], args[0]))

    assert bytes_kept(kept) < bytes_kept(plain)


def test_parallel_combines():
    x = fnp.asarray([1.0, -2.0])
    double = lambda x: 2 * x
    for combine, expected in (("sum", [3, -4]), ("concatenate", [1, 0, 2, -4]), (fnp.maximum, [2, 0])):
        assert nn.Parallel([nn.relu, double], combine=combine).apply({}, x).tolist() == expected
    named = nn.Parallel({"a": Scale(2), "b": double}, combine="none")
    params = named.init(KEY)
    assert list(params) == ["a"]
    assert {k: v.tolist() for k, v in named.apply(params, x).items()} == {"a": [2, -4], "b": [2, -4]}
    with pytest.raises(fx.ArgumentError, match="'sum'"):
        nn.Parallel([nn.relu], combine="mean")
    with pytest.raises(fx.ShapeError, match="shortcut="):
        nn.Residual(nn.Linear(2, 3)).apply({"inner": nn.Linear(2, 3).init(KEY)}, x)


def test_bilinear():
    layer = nn.Bilinear(3, 4, 2, dtype=fnp.float64, bias_init=initializers.ones)
    params = layer.init(KEY)
    assert shapes(params) == {"kernel": (2, 3, 4), "bias": (2,)}
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))
    oracle = torch.nn.functional.bilinear(
        *map(torch.tensor, (a, b, *(np.asarray(params[k]) for k in ("kernel", "bias"))))
    )
    np.testing.assert_allclose(layer.apply(params, a, b), oracle, rtol=1e-12)
    with pytest.raises(fx.ShapeError, match=r"\(5, 3\) and \(5, 3\)"):
        layer.apply(params, a, a)


def test_summary_counts():
    model = nn.Sequential(
        [nn.Linear(64, 128), nn.relu, nn.Repeat(nn.Residual(nn.Linear(128, 128)), 3), Tracked(128)]
    )
    params, state = fx.eval_shape(model.init, KEY)
    report = nn.summary(model, params, fx.ShapeDtype((32, 64), "float32"), state=state)
    rows = {row.name: row for row in report.rows}
    assert list(rows) == [
        "linear_0", "repeat_2", "repeat_2/layer", "repeat_2/layer/inner", "tracked_3",
    ]  # fmt: skip
    assert report.total.parameters == 64 * 128 + 128 + 3 * (128 * 128 + 128)
    assert rows["linear_0"].output == "float32[32, 128]" and rows["linear_0"].bytes == 4 * (64 * 128 + 128)
    assert 2 * 32 * 64 * 128 <= rows["linear_0"].flops <= 2 * 32 * 64 * 128 + 2 * 32 * 128
    assert rows["repeat_2"].flops >= 3 * 2 * 32 * 128 * 128
    text = str(report)
    assert all(name in text for name in ("linear_0", "Repeat", "57,856", "float32[32, 128]"))
    assert [row.name for row in nn.summary(model, params, np.ones((2, 64)), state=state, depth=1).rows] == [
        "linear_0", "repeat_2", "tracked_3",
    ]  # fmt: skip


class Broken(nn.Layer):
    inner: int = 3

    def layers(self):
        return {"a": self.inner}


class Reserved(nn.Layer):
    def parameters(self):
        return {"key": nn.Parameter((2,))}


class Assigns(nn.Layer):
    def forward(self, p, x):
        p.kernel = x


def test_a_layer_that_is_none_is_refused():
    with pytest.raises(fx.ArgumentError, match="'a' is 3"):
        Broken().init(KEY)
    with pytest.raises(fx.ArgumentError, match="'key' cannot name"):
        Reserved().init(KEY)
    with pytest.raises(fx.ImmutableError, match=r"'kernel'.*state"):
        Assigns().apply({}, 1.0)
    with pytest.raises(AttributeError, match=r"Wrong\(3\) has no 'kernel'; it declares \['scale'\]"):
        type("Wrong", (Scale,), {"forward": lambda self, p, x: p.kernel})(3).apply(Scale(3).init(KEY), 1.0)
    with pytest.raises(fx.ArgumentError, match="state=state"):
        Tracked(3).apply({}, fnp.ones((2, 3)))
    with pytest.raises(fx.TreeError, match=r"params\['blocks'\] belongs to 2 layers; it is 1 entries"):
        Tied(2).apply(
            {"scale": Scale(2).init(KEY), "blocks": [1]}, fnp.ones((1, 2)), state=Tied(2).init(KEY)[1]
        )


def test_dropout():
    x = fnp.ones((200, 200))
    y = np.asarray(nn.Dropout(0.25).apply({}, x, key=KEY))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(y.mean() - 1) < 0.01
    assert np.array_equal(nn.Dropout(0.25).apply({}, x), x)
    assert not np.asarray(nn.Dropout(1).apply({}, x, key=KEY)).any()
    assert np.array_equal(nn.Dropout(0).apply({}, x, key=KEY), x)
    gradient = fx.grad(lambda x: nn.Dropout(0.25).apply({}, x, key=KEY).sum())(x)
    assert np.array_equal(gradient, y)


def test_layers_are_static_values():
    model = nn.Sequential([nn.MLP([4, 3]), nn.Dropout(0.1)])
    assert model == nn.Sequential((nn.MLP((4, 3)), nn.Dropout(0.1)))
    assert hash(model) == hash(nn.Sequential((nn.MLP((4, 3)), nn.Dropout(0.1))))
    assert fx.tree.leaves(model) == []
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.steps = ()
    params = model.init(KEY)
    apply = fx.jit(lambda layer, params, x: layer.apply(params, x))
    for same in (model, nn.Sequential([nn.MLP([4, 3]), nn.Dropout(0.1)])):
        apply(same, params, fnp.ones((2, 4)))
    assert apply.trace_count == 1


def test_transformations():
    model = nn.MLP([4, 8, 2])
    ensemble = fx.vmap(model.init)(fx.random.split(KEY, 3))
    x = fnp.asarray(np.random.default_rng(0).normal(size=(5, 4)), dtype=fnp.float32)
    stacked = fx.vmap(model.apply, in_axes=(0, None))(ensemble, x)
    for i in range(3):
        member = fx.tree.map(lambda p: p[i], ensemble)
        np.testing.assert_allclose(
            np.asarray(stacked[i]), np.asarray(model.apply(member, x)), rtol=1e-5, atol=1e-6
        )
    params = fx.jit(model.init)(KEY)
    for a, b in zip(fx.tree.leaves(params), fx.tree.leaves(model.init(KEY))):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-6)
    gradient = fx.grad(lambda params: (model.apply(params, x) ** 2).sum())(params)
    assert shapes(gradient) == shapes(params)


def test_repr_is_short():
    assert repr(nn.MLP([4, 3])) == "MLP([4, 3])"
    assert repr(nn.Sequential([nn.Linear(4, 3), nn.relu])) == "Sequential([Linear(4, 3), relu])"
    assert repr(nn.Linear(4, 3, use_bias=False)) == "Linear(4, 3, use_bias=False)"


def test_errors_say_what_is_wrong():
    layer = nn.Linear(3, 2)
    params = layer.init(KEY)
    with pytest.raises(fx.ShapeError, match=r"Linear\(3, 2\).*\(\.\.\., 3\)(.|\n)*\(5, 4\)"):
        layer.apply(params, fnp.ones((5, 4)))
    with pytest.raises(
        fx.ShapeError, match=r"params\['kernel'\] has shape \(2, 2\); Linear\(3, 2\) takes \(3, 2\)"
    ):
        layer.apply({"kernel": fnp.ones((2, 2))}, fnp.ones((5, 3)))
    with pytest.raises(fx.TreeError, match=r"'kernel'.*\['w'\]"):
        layer.apply({"w": 1}, fnp.ones((5, 3)))
    with pytest.raises(fx.TreeError, match="'linear_0'"):
        nn.MLP([3, 2]).apply(params, fnp.ones((5, 3)))
    with pytest.raises(fx.ArgumentError, match=r"in_features .*0"):
        nn.Linear(0, 2)
    with pytest.raises(fx.ArgumentError, match=r"out_features .*2\.0"):
        nn.Linear(2, 2.0)
    with pytest.raises(fx.ArgumentError, match="sizes"):
        nn.MLP([3])
    with pytest.raises(fx.ArgumentError, match=r"1\.5"):
        nn.Dropout(1.5)
    with pytest.raises(fx.ArgumentError, match="element 1 is int"):
        nn.Sequential([nn.relu, 3])


# Initializers

NAMED = [
    "glorot_uniform",
    "glorot_normal",
    "lecun_uniform",
    "lecun_normal",
    "he_uniform",
    "he_normal",
    "orthogonal",
]
MADE = {name: () for name in NAMED} | {
    "constant": (2.0,),
    "normal": (0.5,),
    "uniform": (0.5,),
    "truncated_normal": (0.5,),
    "variance_scaling": (1.5, "fan_geo_avg", "normal"),
}


@pytest.mark.parametrize("shape", [(16, 8), (3, 3, 4, 8)])
@pytest.mark.parametrize("name", MADE)
def test_initializers_give_the_numbers_of_jax(name, shape):
    ours = getattr(initializers, name)(*MADE[name])(KEY, shape, fnp.float32)
    theirs = getattr(jax.nn.initializers, name)(*MADE[name])(jax.random.PRNGKey(3), shape, np.float32)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(np.asarray(ours), theirs, atol=1e-6)


@pytest.mark.parametrize("name", MADE)
def test_initializers_are_values_and_have_dtypes(name):
    maker = getattr(initializers, name)
    assert maker(*MADE[name]) == maker(*MADE[name])
    assert hash(maker(*MADE[name])) == hash(maker(*MADE[name]))
    init = maker(*MADE[name])
    for dtype in (fnp.float64, fnp.float16):
        assert init(KEY, (4, 6), dtype).dtype == dtype
    assert init(KEY, (4, 6)).dtype == np.float32
    assert maker(*MADE[name], dtype=fnp.float64)(KEY, (4, 6)).dtype == np.float64


def test_zeros_and_ones():
    assert not np.asarray(initializers.zeros(KEY, (2, 3))).any()
    assert np.asarray(initializers.ones(KEY, [2], fnp.float64)).tolist() == [1, 1]


@pytest.mark.parametrize("shape, column_axis", [((3, 5, 7), -1), ((4, 9), -1), ((4, 9), 0), ((6, 6), -1)])
def test_orthogonal(shape, column_axis):
    q = np.asarray(initializers.orthogonal(2.0, column_axis)(KEY, shape, fnp.float64))
    assert q.shape == shape
    matrix = np.moveaxis(q, column_axis, -1).reshape(-1, shape[column_axis]) / 2
    matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-12)


def test_empty_shapes():
    for name in NAMED:
        assert getattr(initializers, name)()(KEY, (0, 3)).shape == (0, 3)


def test_initializer_errors():
    with pytest.raises(fx.ShapeError, match=r"\(3,\)"):
        initializers.he_normal()(KEY, (3,))
    with pytest.raises(fx.ShapeError, match=r"\(3,\)"):
        initializers.orthogonal()(KEY, (3,))
    with pytest.raises(fx.ArgumentError, match=r"mode='in'(.|\n)*'fan_in'"):
        initializers.variance_scaling(1.0, "in", "normal")
    with pytest.raises(fx.ArgumentError, match="distribution='flat'"):
        initializers.variance_scaling(1.0, "fan_in", "flat")


class Encoded(nn.Layer):
    width: int

    def layers(self):
        blocks = [nn.Linear(self.width, self.width), nn.LayerNorm(self.width)]
        return {"encoder": nn.MLP([self.width, 8, 2]), "blocks": blocks, "init": nn.Identity()}

    def forward(self, p, x):
        return p.encoder(p.blocks[0](x))


def test_layers_inside_are_attributes():
    model = Encoded(3)
    params, x = model.init(KEY), np.ones((2, 3), np.float32)
    assert model.encoder == nn.MLP([3, 8, 2]) and model.encoder.linear_1 == nn.Linear(8, 2)
    assert model.blocks == (nn.Linear(3, 3), nn.LayerNorm(3))
    h = model.blocks[0].apply(params["blocks"][0], x)
    np.testing.assert_array_equal(model.encoder.apply(params["encoder"], h), model.apply(params, x))
    assert {"encoder", "blocks", "apply", "width"} <= set(dir(model))
    assert callable(model.init), "methods come first"
    assert nn.Sequential([nn.Linear(3, 2)]).linear_0 == nn.Linear(3, 2)
    copied = copy.deepcopy(model)
    assert copied == model and pickle.loads(pickle.dumps(copied)).encoder == model.encoder
    with pytest.raises(
        AttributeError, match=r"Encoded has no attribute 'enc'; layers inside are \['blocks', "
    ):
        model.enc
    assert not hasattr(model, "_hidden") and not hasattr(nn.Linear(2, 3), "shape")


class Mistyped(nn.Layer):
    width: int

    def layers(self):
        return {"up": nn.Linear(self.widht, 2)}


def test_a_slip_in_layers_is_named():
    for ask in (lambda m: m.init(KEY), lambda m: m.up):
        with pytest.raises(AttributeError, match=r"Mistyped has no attribute 'widht'\."):
            ask(Mistyped(3))


def test_sequential_takes_layers_one_by_one():
    steps = [nn.Linear(3, 4), nn.relu, nn.Linear(4, 2)]
    model = nn.Sequential(*steps)
    assert model == nn.Sequential(steps) == nn.Sequential(steps=steps) and len(model.steps) == 3
    assert nn.Sequential(nn.Linear(3, 4)).layers() == {"linear_0": nn.Linear(3, 4)}
    assert repr(model) == repr(nn.Sequential(steps)) and pickle.loads(pickle.dumps(nn.Sequential(steps[0])))
    assert dataclasses.replace(model, steps=steps[:1]) == nn.Sequential(steps[0])
    for wrong in (5, "abc", np.ones(3)):
        with pytest.raises(fx.ArgumentError, match="Sequential takes a list or a dict of layers"):
            nn.Sequential(wrong)
    with pytest.raises(fx.ArgumentError, match="element 1 is int"):
        nn.Sequential(nn.Linear(3, 4), 5)


def test_a_layer_that_is_called_says_what_to_write():
    with pytest.raises(
        fx.ArgumentError, match=r"Linear\(3, 2\) was called(.|\n)*y = layer.apply\(params, x\)"
    ):
        nn.Linear(3, 2)(np.ones(3))
    with pytest.raises(fx.ArgumentError, match="activation must be a function"):
        nn.MLP([2, 3], activation=nn.PReLU())


def test_one_pattern_of_lora_needs_no_list():
    model = nn.LoRA(nn.MLP([2, 3, 4]), 2, targets="linear_1/*")
    assert list(model.init(KEY)["updates"]) == ["linear_1/kernel"]
    assert model == nn.LoRA(nn.MLP([2, 3, 4]), 2, targets=["linear_1/*"])
