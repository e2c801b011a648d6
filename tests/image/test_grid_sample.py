"""grid_sample and affine_grid against PyTorch: values and gradients."""

import numpy as np
import pytest
import torch

import fx
from fx.testing import check_grads, check_jit, check_vmap

rng = np.random.default_rng(9)
functional = torch.nn.functional
CASES = (
    ((2, 3, 5, 6), (2, 4, 7, 2)),
    ((2, 3, 1, 1), (2, 4, 7, 2)),
    ((2, 2, 3, 4, 5), (2, 2, 3, 4, 3)),
)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_values_and_gradients_equal_torch(mode, padding):
    for shape, places in CASES:
        if mode == "bicubic" and len(shape) == 5:
            continue
        for align in (True, False):
            x, grid = rng.normal(size=shape), rng.uniform(-1.6, 1.6, size=places)
            tx, tg = torch.tensor(x, requires_grad=True), torch.tensor(grid, requires_grad=True)
            want = functional.grid_sample(tx, tg, mode, padding, align)
            f = lambda x, g, align=align: fx.image.grid_sample(x, g, mode, padding, align)
            got, pull = fx.vjp(f, x, grid)
            np.testing.assert_allclose(got, want.detach().numpy(), atol=1e-12)
            ct = rng.normal(size=want.shape)
            want.backward(torch.tensor(ct))
            for mine, theirs in zip(pull(ct), (tx.grad, tg.grad), strict=True):
                np.testing.assert_allclose(mine, theirs.numpy(), atol=1e-10)


@pytest.mark.parametrize("align", [True, False])
def test_affine_grids_equal_torch(align):
    for shape, size in (((2, 2, 3), (2, 3, 4, 5)), ((2, 3, 4), (2, 1, 3, 4, 2))):
        theta = rng.normal(size=shape)
        want = functional.affine_grid(torch.tensor(theta), size, align).numpy()
        np.testing.assert_allclose(fx.image.affine_grid(theta, size, align), want, atol=1e-12)


def test_the_identity_gives_the_image_back():
    x = rng.normal(size=(1, 2, 4, 5)).astype(np.float32)
    theta = np.array([[[1, 0, 0], [0, 1, 0]]], np.float32)
    for mode in ("bilinear", "nearest", "bicubic"):
        again = fx.image.grid_sample(x, fx.image.affine_grid(theta, x.shape), mode)
        assert again.dtype == np.float32
        np.testing.assert_allclose(again, x, atol=1e-5)


def test_dtypes_and_empty_batches():
    x, grid = rng.normal(size=(1, 2, 4, 5)), rng.uniform(-1, 1, (1, 3, 3, 2))
    half = fx.image.grid_sample(x.astype(np.float16), grid.astype(np.float16))
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, fx.image.grid_sample(x, grid), atol=0.02)
    assert fx.image.grid_sample(x[:0], grid[:0]).shape == (0, 2, 3, 3)
    assert fx.image.grid_sample(x, grid[:, :0]).shape == (1, 2, 0, 3)


def test_derivatives_batching_and_compilation():
    x, grid = rng.normal(size=(1, 2, 3, 4)), rng.uniform(-0.6, 0.6, (1, 2, 2, 2))
    smooth = lambda x, g: fx.image.grid_sample(x, g, "bicubic", "border")
    check_grads(smooth, (x, grid), order=2)
    linear = lambda x, g: fx.image.grid_sample(x, g, "bilinear", "border")
    check_vmap(linear, (x, grid), axis_size=2)
    check_jit(linear, (x, grid))


@pytest.mark.parametrize(
    "x, grid, options, error, says",
    [
        ((1, 2, 3), (1, 2, 2), {}, fx.ShapeError, "do not fit together"),
        ((1, 2, 3, 4), (2, 2, 2, 2), {}, fx.ShapeError, "do not fit together"),
        ((1, 2, 3, 4), (1, 2, 2, 3), {}, fx.ShapeError, "do not fit together"),
        ((1, 2, 0, 4), (1, 2, 2, 2), {}, fx.ShapeError, "do not fit together"),
        ((1, 2, 3, 4, 5), (1, 2, 2, 2, 3), {"mode": "bicubic"}, fx.ArgumentError, "bicubic"),
        ((1, 2, 3, 4), (1, 2, 2, 2), {"mode": "area"}, fx.ArgumentError, "'bilinear'"),
        ((1, 2, 3, 4), (1, 2, 2, 2), {"padding_mode": "wrap"}, fx.ArgumentError, "'border'"),
    ],
)
def test_errors(x, grid, options, error, says):
    with pytest.raises(error) as caught:
        fx.image.grid_sample(np.ones(x), np.ones(grid), **options)
    assert says in str(caught.value)


def test_affine_grid_refuses_other_sizes():
    with pytest.raises(fx.ShapeError, match="affine_grid takes theta"):
        fx.image.affine_grid(np.ones((2, 2, 3)), (3, 1, 4, 4))
