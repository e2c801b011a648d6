"""The adaptive softmax against torch's module with its weights."""

import numpy as np
import pytest
import torch

import fx
from fx import losses

RNG = np.random.default_rng(8)
HIDDEN = RNG.normal(size=(8, 6))
LABELS = np.array([0, 3, 4, 6, 7, 11, 2, 10])


@pytest.fixture(scope="module", params=[False, True])
def module(request):
    torch.manual_seed(0)
    return torch.nn.AdaptiveLogSoftmaxWithLoss(6, 12, [4, 7], div_value=2.0, head_bias=request.param).double()


def weights(module):
    """The module's matrices as (in, out)."""
    matrix = lambda linear: linear.weight.detach().numpy().T
    bias = None if module.head.bias is None else module.head.bias.detach().numpy()
    return matrix(module.head), [(matrix(tail[0]), matrix(tail[1])) for tail in module.tail], bias


def test_value_and_gradients(module):
    head, tails, bias = weights(module)
    hidden = torch.tensor(HIDDEN, requires_grad=True)
    output, mean = module(hidden, torch.tensor(LABELS))
    module.zero_grad()
    mean.backward()
    loss = lambda hidden, head, tails, **options: losses.adaptive_log_softmax_loss(
        hidden, LABELS, head, tails, head_bias=bias, **options
    )
    np.testing.assert_allclose(loss(HIDDEN, head, tails), -output.detach().numpy(), rtol=1e-10)
    f = fx.jit(fx.grad(lambda *xs: loss(*xs, reduction="mean"), (0, 1, 2)))
    slopes = f(HIDDEN, head, tails)
    gradient = lambda linear: linear.weight.grad.numpy().T
    expected = (
        hidden.grad.numpy(),
        gradient(module.head),
        [(gradient(t[0]), gradient(t[1])) for t in module.tail],
    )
    for found, slope in zip(fx.tree.leaves(slopes), fx.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, slope, atol=1e-11)


def test_masks_and_what_does_not_fit(module):
    head, tails, bias = weights(module)
    loss = lambda hidden, labels=LABELS, **options: losses.adaptive_log_softmax_loss(
        hidden, labels, head, tails, head_bias=bias, **options
    )
    keep = np.arange(8) != 2
    spoilt, labels = np.where(keep[:, None], HIDDEN, np.nan), np.where(keep, LABELS, 99)
    value, gradient = fx.value_and_grad(lambda h: loss(h, labels, where=keep, reduction="mean"))(spoilt)
    assert float(value) == pytest.approx(np.asarray(loss(HIDDEN))[keep].mean())
    assert np.isfinite(np.asarray(gradient)).all() and not np.asarray(gradient)[2].any()
    assert float(loss(HIDDEN[:0], LABELS[:0], reduction="mean")) == 0
    huge = fx.grad(lambda h: loss(h, reduction="sum"))(HIDDEN * 1e4)
    assert np.isfinite(np.asarray(huge)).all()
    with pytest.raises(fx.OutOfBoundsError, match="label 12 is not one of 12 classes"):
        loss(HIDDEN, np.full(8, 12))
    assert np.isnan(np.asarray(fx.jit(lambda labels: loss(HIDDEN, labels))(np.full(8, 12)))).all()
    with pytest.raises(fx.ShapeError, match=r"hidden \(8, 5\)(.|\n)*\(features, classes \+ clusters\)"):
        loss(HIDDEN[:, :5])
    with pytest.raises(fx.DTypeError, match="labels must be integers"):
        loss(HIDDEN, LABELS.astype(float))
