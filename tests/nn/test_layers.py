"""Layers and initializers: shapes, names, purity, nesting, transformations, errors; numbers against jax.nn."""

import dataclasses

import jax
import numpy as np
import pytest

import fx
import fx.numpy as fnp
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
    assert model.uses_key
    assert not inner.uses_key


def test_a_layer_of_the_users_own():
    @dataclasses.dataclass(frozen=True)
    class Scale:
        size: int
        uses_key = False

        def init(self, key):
            return {"scale": fnp.full((self.size,), 2.0)}

        def apply(self, params, x, *, key=None):
            return params["scale"] * x

    model = nn.Sequential([Scale(3), nn.relu])
    assert isinstance(Scale(3), nn.Layer)
    params = model.init(KEY)
    assert list(params) == ["scale_0"]
    assert model.apply(params, fnp.asarray([-1.0, 1.0, 2.0])).tolist() == [0, 2, 4]


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
        model.layers = ()
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
    assert repr(nn.MLP([4, 3])) == "MLP([4, 3], activation=relu)"
    assert repr(nn.Sequential([nn.Linear(4, 3), nn.relu])) == "Sequential([Linear(4, 3), relu])"
    assert repr(nn.Linear(4, 3, use_bias=False)) == "Linear(4, 3, use_bias=False)"


def test_errors_say_what_is_wrong():
    layer = nn.Linear(3, 2)
    params = layer.init(KEY)
    with pytest.raises(fx.ShapeError, match=r"Linear\(3, 2\).*\(\.\.\., 3\)(.|\n)*\(5, 4\)"):
        layer.apply(params, fnp.ones((5, 4)))
    with pytest.raises(fx.ShapeError, match=r"kernel \(2, 2\)"):
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
