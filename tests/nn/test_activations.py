"""Activation functions against JAX and PyTorch: values, derivatives, kinks, infinities, float16, equation counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import fx
import fx.numpy as fnp
from fx import nn

F = torch.nn.functional
PYTORCH = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "celu": F.celu,
    "selu": F.selu,
    "sigmoid": torch.sigmoid,
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "log_sigmoid": F.logsigmoid,
    "soft_sign": F.softsign,
    "tanh": torch.tanh,
    "hard_tanh": F.hardtanh,
    "hard_sigmoid": lambda x: F.relu6(x + 3) / 6,  # the derivative of F.hardsigmoid is a float32
    "silu": F.silu,
    "hard_silu": F.hardswish,
    "gelu": lambda x: F.gelu(x, approximate="tanh"),
    "exact_gelu": F.gelu,
    "mish": F.mish,
}
SMOOTH_POINTS = [-30.0, -5.5, -2.9, -1.5, -0.5, -1e-3, -1e-30, 1e-30, 1e-3, 0.5, 1.5, 2.9, 5.5, 6.5, 30.0]
FAR = [-1e4, -700.0, -100.0, 100.0, 700.0, 1e4]
LIMITS = {  # at -inf and inf
    **{name: (0, np.inf) for name in ("relu", "softplus", "silu", "hard_silu", "gelu", "exact_gelu", "mish")},
    **{name: (0, 1) for name in ("sigmoid", "hard_sigmoid")},
    **{name: (-1, 1) for name in ("soft_sign", "tanh", "hard_tanh")},
    "relu6": (0, 6),
    "leaky_relu": (-np.inf, np.inf),
    "elu": (-1, np.inf),
    "celu": (-1, np.inf),
    "selu": (-1.7580993408473766, np.inf),
    "log_sigmoid": (-np.inf, 0),
}
TOLERANCE = {"float64": 1e-13, "float32": 3e-6, "float16": 2e-3}


def exact_gelu(x):
    return nn.gelu(x, approximate=False)


def ours(name):
    return exact_gelu if name == "exact_gelu" else getattr(nn, name)


def derivative(function, x):
    return np.asarray(fx.vmap(fx.grad(function))(x))


def by_torch(name, x):
    """Values and derivatives in float64."""
    t = torch.tensor(np.asarray(x, np.float64), requires_grad=True)
    y = PYTORCH[name](t)
    y.sum().backward()
    return y.detach().numpy(), t.grad.numpy()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", PYTORCH)
def test_values_and_derivatives(name, dtype):
    x = np.asarray([p for p in SMOOTH_POINTS if np.dtype(dtype).type(p) != 0], dtype)
    value, slope = by_torch(name, x)
    y, dy = np.asarray(ours(name)(x)), derivative(ours(name), x)
    assert y.dtype == dy.dtype == dtype
    tolerance = TOLERANCE[dtype]
    smallest = float(np.finfo(dtype).tiny)
    np.testing.assert_allclose(y, value, rtol=tolerance, atol=max(smallest, tolerance * 1e-3))
    np.testing.assert_allclose(dy, slope, rtol=tolerance, atol=max(smallest, 2 * np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", PYTORCH)
def test_far_out_everything_is_finite_and_right(name, dtype):
    x = np.asarray(FAR, dtype)
    value, slope = by_torch(name, x)
    rtol = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(np.asarray(ours(name)(x)), value, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(derivative(ours(name), x), slope, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", PYTORCH)
def test_derivatives_stay_finite_up_to_the_largest_number(name, dtype):
    largest = np.finfo(dtype).max
    x = np.asarray([-largest, -(largest**0.5), largest**0.5, largest], dtype)
    assert np.isfinite(derivative(ours(name), x)).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", LIMITS)
def test_limits_at_infinity_and_nan(name, dtype):
    low, high, unknown = np.asarray(ours(name)(np.asarray([-np.inf, np.inf, np.nan], dtype)))
    np.testing.assert_allclose([low, high], LIMITS[name], rtol=1e-6)
    assert np.isnan(unknown)
    assert not np.isnan(derivative(ours(name), np.asarray([-np.inf, np.inf], dtype))).any()


KINKS = {
    "relu": [0.0, -0.0],
    "relu6": [0.0, 6.0],
    "leaky_relu": [0.0],
    "elu": [0.0],
    "celu": [0.0],
    "selu": [0.0],
    "soft_sign": [0.0],
    "hard_tanh": [-1.0, 1.0],
    "hard_sigmoid": [-3.0, 3.0],
    "hard_silu": [-3.0, 3.0],
    "softplus": [0.0],
    "silu": [0.0],
    "gelu": [0.0],
    "mish": [0.0],
}


@pytest.mark.parametrize("name", KINKS)
def test_derivatives_at_kinks_are_those_of_jax(name):
    x = np.asarray(KINKS[name], np.float32)
    expected = jax.vmap(jax.grad(getattr(jax.nn, name)))(x)
    np.testing.assert_allclose(derivative(ours(name), x), expected, rtol=1e-6)


def test_the_left_tail_of_gelu_keeps_its_relative_precision():
    x = np.asarray([-5.0, -6.0, -8.0], np.float32)
    exact = (
        np.float64(x)
        * 0.5
        * np.asarray([5.733031437583877e-07, 1.973175290075396e-09, 1.244192114854357e-15])
    )
    np.testing.assert_allclose(np.asarray(exact_gelu(x)), exact, rtol=1e-5)
    cubic = np.sqrt(2 / np.pi) * (np.float64(x) + 0.044715 * np.float64(x) ** 3)
    np.testing.assert_allclose(np.asarray(nn.gelu(x)), np.float64(x) / (1 + np.exp(-2 * cubic)), rtol=1e-5)


def test_second_derivatives():
    x = np.asarray([-2.0, -0.3, 0.7, 3.0])
    for name in ("gelu", "silu", "softplus", "mish", "elu"):
        twice = fx.vmap(fx.grad(fx.grad(ours(name))))(x)
        step = 1e-5
        numeric = (derivative(ours(name), x + step) - derivative(ours(name), x - step)) / (2 * step)
        np.testing.assert_allclose(np.asarray(twice), numeric, rtol=1e-6, atol=1e-8)


def test_forward_mode_and_jit_agree_with_reverse_mode():
    x = np.linspace(-4, 4, 9)
    for name in PYTORCH:
        _, dot = fx.jvp(ours(name), (x,), (np.ones_like(x),))
        np.testing.assert_allclose(np.asarray(dot), derivative(ours(name), x), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(np.asarray(fx.jit(ours(name))(x)), np.asarray(ours(name)(x)), rtol=1e-12)


def test_glu():
    x = np.random.default_rng(0).normal(size=(4, 6))
    np.testing.assert_allclose(np.asarray(nn.glu(x)), F.glu(torch.tensor(x)).numpy(), rtol=1e-12)
    np.testing.assert_allclose(
        np.asarray(nn.glu(x, axis=0)), F.glu(torch.tensor(x), dim=0).numpy(), rtol=1e-12
    )


@pytest.mark.parametrize("shape", [(2, 3), ()])
def test_glu_needs_an_even_size(shape):
    with pytest.raises(fx.ShapeError, match=r"even size") as error:
        nn.glu(fnp.ones(shape))
    assert str(shape) in str(error.value)


def test_parameters_of_rectifiers():
    x = np.asarray([-2.0, 3.0])
    np.testing.assert_allclose(np.asarray(nn.elu(x, 0.5)), F.elu(torch.tensor(x), 0.5).numpy())
    np.testing.assert_allclose(np.asarray(nn.celu(x, 0.5)), F.celu(torch.tensor(x), 0.5).numpy())
    np.testing.assert_allclose(np.asarray(nn.leaky_relu(x, 0.2)), F.leaky_relu(torch.tensor(x), 0.2).numpy())
    slope = fx.grad(lambda s: nn.leaky_relu(x, s).sum())(0.2)
    assert float(slope) == pytest.approx(-2.0)


def test_integers_and_scalars():
    assert nn.relu(fnp.asarray([-1, 2])).tolist() == [0, 2]
    assert nn.relu(fnp.asarray([-1, 2])).dtype == np.int64
    assert nn.gelu(fnp.asarray([1, 2])).dtype == np.float32
    x = nn.silu(1.0) * fnp.ones(2, fnp.float16)
    assert x.dtype == np.float16, "Python scalars stay weak"
    assert nn.sigmoid(True).dtype == np.float32


@pytest.mark.parametrize("name", sorted(set(PYTORCH) - {"relu", "relu6"}))
def test_complex_numbers_are_refused(name):
    with pytest.raises(fx.DTypeError, match="real"):
        ours(name)(fnp.ones(2, fnp.complex64))


def test_bfloat16():
    x = fnp.asarray([-3.0, 0.5, 2.0], dtype=fnp.bfloat16)
    for name in PYTORCH:
        y = ours(name)(x)
        assert y.dtype == fnp.bfloat16.dtype
        np.testing.assert_allclose(
            np.asarray(y.astype(float)), by_torch(name, [-3.0, 0.5, 2.0])[0], rtol=2e-2, atol=1e-3
        )


@pytest.mark.parametrize(
    "name, most",
    [("relu", 3), ("sigmoid", 5), ("softplus", 11), ("silu", 14), ("hard_silu", 13), ("gelu", 25)],
)
def test_equations_of_a_gradient(name, most):
    program = fx.make_program(fx.grad(lambda x: ours(name)(x).sum()))(fnp.ones(4))
    assert len(program.equations) <= most, program


def test_jax_agrees_on_signatures():
    for name in LIMITS:
        if name != "exact_gelu" and hasattr(jax.nn, name):
            x = jnp.asarray([-1.25, 0.75], jnp.float32)
            np.testing.assert_allclose(
                np.asarray(getattr(nn, name)(np.asarray(x))), getattr(jax.nn, name)(x), rtol=1e-5
            )
    assert nn.swish is nn.silu
    assert nn.hard_swish is nn.hard_silu
