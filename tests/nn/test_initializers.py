"""Initializers against JAX for the same keys, and against what they promise."""

import itertools
import math

import jax
import numpy as np
import pytest
import torch

import fx
from fx.nn import initializers

KEY, THEIRS = fx.random.key(3), jax.random.key(3)
SAME = {  # of JAX: arguments
    "constant": [2.5], "zeros": None, "ones": None, "normal": [0.1], "uniform": [0.1],
    "truncated_normal": [0.5, None, -1.0, 0.5], "lecun_normal": [], "lecun_uniform": [], "he_normal": [0, 1],
    "he_uniform": [], "glorot_normal": [-1, 0], "glorot_uniform": [], "kaiming_normal": [],
    "kaiming_uniform": [1, 0], "xavier_normal": [], "xavier_uniform": [],
    "variance_scaling": [0.7, "fan_geo_avg", "normal", -2, -1, 0],
}  # fmt: skip


def both(name, arguments, shape, dtype):
    makers = [getattr(m, name) for m in (initializers, jax.nn.initializers)]
    makers = makers if arguments is None else [make(*arguments) for make in makers]
    with jax.enable_x64():
        return [np.asarray(make(key, shape, dtype)) for make, key in zip(makers, (KEY, THEIRS), strict=True)]


@pytest.mark.parametrize(
    "name, dtype",
    [
        *((name, "float32") for name in SAME),
        *((name, "float64") for name in ("normal", "uniform", "truncated_normal", "he_normal")),
    ],
)
def test_the_numbers_of_jax(name, dtype):
    found, expected = both(name, SAME[name], (2, 3, 4), dtype)
    assert found.dtype == expected.dtype == dtype
    np.testing.assert_array_max_ulp(found, expected, 2)


@pytest.mark.parametrize("name, shape", [
    ("orthogonal", (5, 3)), ("orthogonal", (3, 5)), ("delta_orthogonal", (3, 3, 5)),
    ("delta_orthogonal", (3, 4, 3, 5)), ("delta_orthogonal", (3, 1, 2, 3, 5)),
])  # fmt: skip
def test_the_orthogonal_matrices_of_jax(name, shape):
    """Sums of products of them, so that small elements have the rounding errors of large ones."""
    found, expected = both(name, [2.0], shape, "float64")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)
    if name == "delta_orthogonal":
        kernel = np.asarray(initializers.delta_orthogonal()(KEY, shape, "float64"))
        middle = kernel[tuple((d - 1) // 2 for d in shape[:-2])]
        np.testing.assert_allclose(middle @ middle.T, np.eye(shape[-2]), atol=1e-14)
        assert np.count_nonzero(kernel) == middle.size


def test_every_name_of_jax_and_torch():
    theirs = {n for n in dir(jax.nn.initializers) if not n.startswith("_")}
    in_place = {n[:-1] for n in dir(torch.nn.init) if n.endswith("_") and not n.startswith("_")}
    renamed = {"trunc_normal": "truncated_normal"}
    assert not {renamed.get(n, n) for n in theirs | in_place} - set(dir(initializers))


@pytest.mark.parametrize("nonlinearity, param", [
    *((name, None) for name in ("linear", "conv1d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu",
                                "selu")),
    ("leaky_relu", 0.3),
])  # fmt: skip
def test_gains(nonlinearity, param):
    expected = torch.nn.init.calculate_gain(nonlinearity, param)
    assert initializers.calculate_gain(nonlinearity, param) == pytest.approx(expected, rel=1e-15)


def test_gains_that_are_not_known():
    with pytest.raises(
        fx.ArgumentError, match=r"calculate_gain: nonlinearity='sine'\.\nChoose one of 'linear'"
    ):
        initializers.calculate_gain("sine")


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_moments_with_gains(distribution):
    shape = (300, 200)
    for a, mode, nonlinearity in itertools.product((0.0, 0.5), ("fan_in", "fan_out"), ("leaky_relu", "tanh")):
        make = getattr(initializers, f"kaiming_{distribution}")(a=a, mode=mode, nonlinearity=nonlinearity)
        gain = torch.nn.init.calculate_gain(nonlinearity, a)
        values = np.asarray(make(KEY, shape))
        assert values.std() == pytest.approx(gain / math.sqrt(300 if mode == "fan_in" else 200), rel=0.02)
        assert abs(values.mean()) < 0.02 * values.std()
    values = np.asarray(getattr(initializers, f"xavier_{distribution}")(gain=3.0)(KEY, shape))
    assert values.std() == pytest.approx(3 * math.sqrt(2 / 500), rel=0.02)


def test_places_and_scales():
    shift = lambda make, **where: np.asarray(make(0.5, **where)(KEY, (1000,), "float64"))
    for make, where in (
        (initializers.normal, {"mean": 4.0}),
        (initializers.uniform, {"low": 4.0}),
        (initializers.truncated_normal, {"mean": 4.0}),
    ):
        np.testing.assert_allclose(shift(make, **where), shift(make) + 4, rtol=1e-15)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("window", [(3,), (3, 5), (3, 1, 2)])
def test_dirac_hands_its_input_on(window, groups):
    expected = torch.nn.init.dirac_(torch.empty(4, 3, *window), groups).numpy()
    in_front = initializers.dirac(groups, in_axis=1, out_axis=0)(KEY, (4, 3, *window))
    np.testing.assert_array_equal(in_front, expected)
    behind = initializers.dirac(groups)(KEY, (*window, 3, 4))
    np.testing.assert_array_equal(np.moveaxis(np.asarray(behind), (-1, -2), (0, 1)), expected)


def test_eye_and_sparse():
    np.testing.assert_array_equal(initializers.eye(KEY, (2, 3)), np.eye(2, 3))
    values = np.asarray(initializers.sparse(0.31, 2.0)(KEY, (10, 500)))
    np.testing.assert_array_equal((values == 0).sum(0), 4)
    assert values[values != 0].std() == pytest.approx(2, rel=0.05)
    assert (values == 0).sum(1).min() > 150, "places differ from column to column"


@pytest.mark.parametrize("make, shape, message", [
    (initializers.delta_orthogonal(), (3, 3), r"3 to 5 axes with in <= out; got \(3, 3\)"),
    (initializers.delta_orthogonal(), (3, 4, 3), r"in <= out; got \(3, 4, 3\)"),
    (initializers.dirac(), (3, 3), r"dirac needs a shape of 3 to 5 axes"),
    (initializers.dirac(3), (3, 3, 4), "4 outputs do not fall into 3 groups"),
    (initializers.eye, (3,), r"eye makes matrices; got the shape \(3,\)"),
    (initializers.sparse(0.5), (3,), r"sparse makes matrices"),
    (initializers.sparse(1.5), (3, 3), r"1.5"),
])  # fmt: skip
def test_what_does_not_fit(make, shape, message):
    with pytest.raises(fx.ShapeError, match=message):
        make(KEY, shape)


def test_they_are_records_that_work_compiled():
    for make in (initializers.dirac(2), initializers.sparse(0.5), initializers.delta_orthogonal()):
        assert make == type(make)(**vars(make)) and hash(make) == hash(type(make)(**vars(make)))
        shape = (4, 4) if isinstance(make, initializers.sparse) else (3, 4, 4)
        compiled = fx.jit(lambda key, make=make, shape=shape: make(key, shape))(KEY)
        np.testing.assert_allclose(compiled, make(KEY, shape), atol=1e-6)
        assert make(KEY, shape, "float64").dtype == "float64"
