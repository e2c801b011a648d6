"""resize and scale_and_translate against jax.image: every method, growing and shrinking; their derivatives."""

import jax
import jax.image
import numpy as np
import pytest
import torch

import fx
import fx.numpy as fnp
from fx.image import ResizeMethod
from fx.testing import check_grads, check_jit, check_vmap

METHODS = ("linear", "cubic", "lanczos3", "lanczos5")
rng = np.random.default_rng(6)


@pytest.mark.parametrize("method", ["nearest", *METHODS])
@pytest.mark.parametrize("antialias", [True, False])
def test_resize_equals_jax(method, antialias):
    """Two axes that grow and one that shrinks."""
    x = rng.normal(size=(5, 6, 3)).astype(np.float32)
    want = np.asarray(jax.image.resize(x, (9, 4, 7), method, antialias))
    got = fx.image.resize(x, (9, 4, 7), method, antialias)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    np.testing.assert_allclose(got, want, atol=5e-6)


@pytest.mark.parametrize("antialias", [True, False])
def test_linear_and_cubic_equal_torch(antialias):
    """PyTorch's cubic filter has a = -1/2 where it is widened, and -3/4 elsewhere."""
    x = rng.normal(size=(5, 6))
    for shape in ((5, 6), (10, 12), (3, 4), (8, 2), (1, 1), (5, 7), (1, 30)):
        for method in ("linear", "cubic") if antialias else ("linear",):
            torchs = {"linear": "bilinear", "cubic": "bicubic"}[method]
            image = torch.tensor(x)[None, None]
            want = torch.nn.functional.interpolate(image, shape, mode=torchs, antialias=antialias)[
                0, 0
            ].numpy()
            got = fx.image.resize(x, shape, method, antialias)
            np.testing.assert_allclose(got, want, atol=1e-12, err_msg=f"{shape} {method}")


@pytest.mark.parametrize("method", ["cubic", "lanczos5"])
def test_scale_and_translate_and_its_derivatives_equal_jax(method):
    x, ct = rng.normal(size=(5, 6, 3)), rng.normal(size=(8, 4, 3))
    scale, shift = np.array([1.73, 0.63]), np.array([0.41, -0.77])
    f = lambda module: lambda x, s, t: module.scale_and_translate(x, (8, 4, 3), (0, 1), s, t, method)
    with jax.enable_x64(True):
        want, pull = jax.vjp(f(jax.image), x, scale, shift)
        got, back = fx.vjp(f(fx.image), x, scale, shift)
        np.testing.assert_allclose(got, want, atol=1e-6)
        for a, b in zip(back(ct), pull(ct), strict=True):
            np.testing.assert_allclose(a, b, atol=2e-5)


def test_names_of_methods():
    for name in (
        "nearest",
        "linear",
        "bilinear",
        "trilinear",
        "triangle",
        "cubic",
        "bicubic",
        "tricubic",
        "lanczos3",
    ):
        assert ResizeMethod.from_string(name).name == jax.image.ResizeMethod.from_string(name).name
    x = rng.normal(size=(3, 4))
    np.testing.assert_array_equal(
        fx.image.resize(x, (6, 4), ResizeMethod.CUBIC), fx.image.resize(x, (6, 4), "bicubic")
    )


def test_dtypes():
    x = rng.integers(0, 255, (4, 4), np.uint8)
    assert fx.image.resize(x, (2, 8), "nearest").dtype == np.uint8
    assert fx.image.resize(x, (2, 8), "linear").dtype == np.float32
    half = fx.image.resize((x / 255).astype(np.float16), (3, 5), "cubic")
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, fx.image.resize(x / 255, (3, 5), "cubic"), atol=1e-3)
    z = x + 1j * x.T
    np.testing.assert_allclose(
        fx.image.resize(z, (3, 5), "linear").imag, fx.image.resize(z.imag, (3, 5), "linear")
    )


def test_a_constant_image_stays_constant():
    for method in METHODS:
        for shape in ((2, 3), (11, 1), (7, 9)):
            np.testing.assert_allclose(fx.image.resize(np.full((5, 4), 3.0), shape, method), 3.0, atol=1e-12)


def test_empty_results_and_other_memory_layouts():
    x = rng.normal(size=(6, 5))
    assert fx.image.resize(x, (0, 5), "linear").shape == (0, 5)
    np.testing.assert_array_equal(
        fx.image.resize(x.T[::-1], (3, 4), "linear"), fx.image.resize(x.T[::-1].copy(), (3, 4), "linear")
    )


def test_derivatives_batching_and_compilation():
    x = rng.normal(size=(3, 4))
    for method in ("nearest", "lanczos3"):
        f = lambda x, method=method: fx.image.resize(x, (5, 2), method)
        check_grads(f, (x,), order=1)
        check_vmap(f, (x,), axis_size=2)
        check_jit(f, (x,))
    move = lambda x, s, t: fx.image.scale_and_translate(
        x, (4, 4), (0, 1), fnp.stack([s, s]), fnp.stack([t, t]), "cubic"
    )
    check_grads(move, (x, 1.3, 0.4), order=1)
    check_jit(move, (x, 1.3, 0.4))


@pytest.mark.parametrize(
    "call, error, says",
    [
        (lambda x: fx.image.resize(x, (3,), "linear"), fx.ShapeError, "one size for each axis"),
        (lambda x: fx.image.resize(x, (3, -1), "linear"), fx.ShapeError, "negative"),
        (lambda x: fx.image.resize(x, (3, 3), "spline"), fx.ArgumentError, "'lanczos3'"),
        (lambda x: fx.image.resize(x[:0], (3, 4), "linear"), fx.ShapeError, "is empty"),
        (
            lambda x: fx.image.scale_and_translate(x, (3, 4), (0,), np.ones(1), np.ones(1), "nearest"),
            fx.ArgumentError,
            "no weights",
        ),
        (
            lambda x: fx.image.scale_and_translate(x, (5, 5), (0,), np.ones(1), np.ones(1), "linear"),
            fx.ShapeError,
            "only the spatial axes",
        ),
        (
            lambda x: fx.image.scale_and_translate(x, (5, 4), (0,), np.ones(2), np.ones(1), "linear"),
            fx.ShapeError,
            "one number for each",
        ),
    ],
)
def test_errors(call, error, says):
    with pytest.raises(error) as caught:
        call(np.ones((3, 4)))
    assert says in str(caught.value)
