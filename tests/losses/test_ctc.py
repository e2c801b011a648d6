"""CTC against torch and optax, and against the sum over all paths."""

import itertools

import jax
import numpy as np
import optax
import pytest
import torch

import fx
from fx import losses

RNG = np.random.default_rng(3)
B, T, C, N = 4, 6, 4, 3
LOGITS = RNG.normal(size=(B, T, C)) * 2
LABELS = np.array([[1, 2, 3], [1, 1, 2], [3, 3, 3], [2, 1, 1]])
FRAMES = np.array([6, 5, 4, 3])
LENGTHS = np.array([3, 2, 3, 0])


def by_torch(logits, labels, frames, lengths, blank=0, zero_infinity=False):
    t = torch.tensor(logits, requires_grad=True)
    loss = torch.nn.functional.ctc_loss(
        t.log_softmax(-1).transpose(0, 1), torch.tensor(labels), torch.tensor(frames), torch.tensor(lengths),
        blank=blank, reduction="none", zero_infinity=zero_infinity,
    )  # fmt: skip
    torch.where(loss.isinf(), 0.0, loss).sum().backward()
    return loss.detach().numpy(), t.grad.numpy()


def paddings(lengths, size):
    return (np.arange(size) >= lengths[:, None]).astype(float)


@pytest.mark.parametrize("blank", [0, 3])
def test_against_torch(blank):
    labels = (LABELS + (blank == 0) - 1) % C if blank == 0 else LABELS - 1
    labels = LABELS if blank == 0 else labels
    expected, slope = by_torch(LOGITS, labels, FRAMES, LENGTHS, blank)
    assert np.isinf(expected[2]), "three equal labels need five frames"
    for frames, lengths in ((FRAMES, LENGTHS), (paddings(FRAMES, T), paddings(LENGTHS, N))):
        loss = lambda x, frames=frames, lengths=lengths: losses.ctc_loss(
            x, frames, labels, lengths, blank_id=blank
        )
        np.testing.assert_allclose(loss(LOGITS), expected, rtol=1e-10)
        finite = lambda x, loss=loss: loss(x)[np.array([0, 1, 3])].sum()
        gradient = np.asarray(fx.grad(finite)(LOGITS))
        np.testing.assert_allclose(gradient[[0, 1, 3]], slope[[0, 1, 3]], atol=1e-10)
        assert not gradient[2].any()
        np.testing.assert_allclose(fx.jit(fx.grad(finite))(LOGITS), gradient, atol=1e-12)


def test_impossible_labels_cost_infinity_or_nothing_and_have_no_derivative():
    expected, _ = by_torch(LOGITS, LABELS, FRAMES, LENGTHS, zero_infinity=True)
    loss = lambda x, **options: losses.ctc_loss(x, FRAMES, LABELS, LENGTHS, zero_infinity=True, **options)
    np.testing.assert_allclose(loss(LOGITS), expected, rtol=1e-10)
    assert float(loss(LOGITS, reduction="mean")) == pytest.approx(expected.mean())
    gradient = fx.grad(lambda x: losses.ctc_loss(x, FRAMES, LABELS, LENGTHS, reduction="sum"))(LOGITS)
    assert np.isfinite(np.asarray(gradient)).all() and not np.asarray(gradient)[2].any()


def test_against_optax_with_forward_probabilities():
    frames, lengths = paddings(FRAMES, T), paddings(LENGTHS, N)
    with jax.enable_x64():
        expected = jax.jit(optax.losses.ctc_loss_with_forward_probs)(LOGITS, frames, LABELS, lengths)
    found = losses.ctc_loss_with_forward_probs(LOGITS, frames, LABELS, lengths)
    for ours, theirs in zip(found, expected, strict=True):
        ours, theirs = np.asarray(ours), np.asarray(theirs)
        possible = np.abs(theirs) < 1e4
        np.testing.assert_array_equal(np.isfinite(ours), possible)
        np.testing.assert_allclose(ours[possible], theirs[possible], rtol=1e-10)
    near = losses.ctc_loss(LOGITS, frames, LABELS, lengths, log_epsilon=-1e5)
    np.testing.assert_allclose(np.asarray(near)[[0, 1, 3]], expected[0][np.array([0, 1, 3])], rtol=1e-10)
    assert float(near[2]) == pytest.approx(1e5, rel=1e-3)


def test_is_the_sum_over_all_paths():
    logs = LOGITS[0, :4] - np.log(np.exp(LOGITS[0, :4]).sum(-1, keepdims=True))
    spells = lambda path: [k for k, _ in itertools.groupby(path) if k != 0]
    total = sum(
        np.exp(sum(logs[t, k] for t, k in enumerate(path)))
        for path in itertools.product(range(C), repeat=4)
        if spells(path) == [1, 1]
    )
    found = losses.ctc_loss(LOGITS[:1, :4], None, np.array([[1, 1]]), None)
    assert float(found[0]) == pytest.approx(-np.log(total), rel=1e-12)


def test_extreme_logits_batches_and_masks():
    huge = np.where(RNG.random(LOGITS.shape) < 0.5, 1e4, -1e4)
    value, gradient = fx.value_and_grad(lambda x: losses.ctc_loss(x, None, LABELS, None, reduction="sum"))(
        huge
    )
    assert np.isfinite(float(value)) and np.isfinite(np.asarray(gradient)).all()
    none = losses.ctc_loss(LOGITS[:0], None, LABELS[:0], None, reduction="mean")
    assert float(none) == 0
    keep = np.array([True, True, False, True])
    masked = losses.ctc_loss(LOGITS, FRAMES, LABELS, LENGTHS, where=keep, reduction="mean")
    each = losses.ctc_loss(LOGITS, FRAMES, LABELS, LENGTHS)
    assert float(masked) == pytest.approx(np.asarray(each)[keep].mean())
    two = fx.vmap(lambda x: losses.ctc_loss(x, FRAMES, LABELS, LENGTHS))(np.stack([LOGITS, LOGITS[:, ::-1]]))
    np.testing.assert_allclose(two[0], each, rtol=1e-12)
    half = losses.ctc_loss(LOGITS.astype(np.float16), FRAMES, LABELS, LENGTHS)
    assert half.dtype == "float16"
    np.testing.assert_allclose(half, each, rtol=5e-3)
    impossible = LOGITS.copy()
    impossible[0, :, 1] = -np.inf
    assert np.isinf(float(losses.ctc_loss(impossible, FRAMES, LABELS, LENGTHS)[0]))


def test_what_does_not_fit():
    with pytest.raises(
        fx.ShapeError, match=r"logit_paddings has shape \(6,\), float64(.|\n)*\(4,\), the lengths"
    ):
        losses.ctc_loss(LOGITS, np.zeros(6), LABELS, None)
    with pytest.raises(fx.ShapeError, match=r"\(4, 6, 4\) and \(3, 3\)"):
        losses.ctc_loss(LOGITS, None, LABELS[:3], None)
    with pytest.raises(fx.ArgumentError, match="blank_id=4 is not one of 4 classes"):
        losses.ctc_loss(LOGITS, None, LABELS, None, blank_id=4)
    assert np.isnan(float(losses.ctc_loss(LOGITS, None, LABELS + 3, None)[0]))
