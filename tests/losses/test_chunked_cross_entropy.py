"""Cross-entropy by chunks of the vocabulary: the numbers of the dense form, and the memory it promises."""

import itertools

import numpy as np
import pytest

import fx
from fx import losses

RNG = np.random.default_rng(4)
H = RNG.normal(size=(2, 3, 4))
K = RNG.normal(size=(4, 11)) * 2
B = RNG.normal(size=11)
LABELS = np.array([[0, 10, 5], [-100, 3, 3]])


def dense(h, k, b, **options):
    logits = h @ k if b is None else h @ k + b
    return losses.cross_entropy(logits, LABELS, **options)


def close(found, expected, tolerance=1e-11):
    for a, b in zip(fx.tree.leaves(found), fx.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("chunk", [None, 1, 4, 11, 50])
def test_value_and_gradients_are_those_of_the_dense_form(chunk):
    for smoothing, bias, reduction in itertools.product((0.0, 0.2), (None, B), ("none", "sum", "mean")):
        options = {"label_smoothing": smoothing, "reduction": reduction}
        ours = lambda h, k, b, options=options: losses.chunked_cross_entropy(
            h, k, LABELS, bias=b, chunk=chunk, **options
        )
        theirs = lambda h, k, b, options=options: dense(h, k, b, **options)
        close(ours(H, K, bias), theirs(H, K, bias))
        squares = lambda f: lambda *xs: (f(*xs) ** 2).sum()
        argnums = (0, 1) if bias is None else (0, 1, 2)
        close(fx.grad(squares(ours), argnums)(H, K, bias), fx.grad(squares(theirs), argnums)(H, K, bias))


def test_forward_mode_second_order_batches_and_compiled():
    ours = lambda h, k, b: losses.chunked_cross_entropy(h, k, LABELS, bias=b, chunk=4, reduction="mean")
    theirs = lambda h, k, b: dense(h, k, b, reduction="mean")
    args = (H, K, B)
    close(fx.jvp(ours, args, args), fx.jvp(theirs, args, args))
    close(fx.hvp(ours, args, args), fx.hvp(theirs, args, args))
    stacked = [np.stack([x, 2 * x]) for x in args]
    close(fx.vmap(ours)(*stacked), fx.vmap(theirs)(*stacked))
    close(fx.jit(fx.grad(ours, (0, 1, 2)))(*args), fx.grad(theirs, (0, 1, 2))(*args))


def test_extreme_hidden_values():
    for scale in (1e4, 1e-4):
        loss = lambda h, k: losses.chunked_cross_entropy(h, k, LABELS, chunk=4, reduction="sum")
        value, gradients = fx.value_and_grad(loss, (0, 1))(H * scale, K)
        close(value, dense(H * scale, K, None, reduction="sum"))
        assert all(np.isfinite(np.asarray(g)).all() for g in gradients)


def test_masks_and_empty_batches():
    where = np.array([[True, False, True], [True, True, False]])
    h = np.where(where[..., None], H, np.nan)
    loss = lambda h: losses.chunked_cross_entropy(h, K, LABELS, chunk=4, where=where, reduction="mean")
    value, gradient = fx.value_and_grad(loss)(h)
    assert float(value) == pytest.approx(float(dense(H, K, None, where=where, reduction="mean")))
    assert np.isfinite(np.asarray(gradient)).all() and not np.asarray(gradient)[~where].any()
    assert float(losses.chunked_cross_entropy(H[:0], K, LABELS[:0], reduction="mean")) == 0
    assert float(losses.chunked_cross_entropy(H, K, np.full((2, 3), -100), reduction="mean")) == 0


def test_narrow_dtypes_are_computed_in_float32():
    narrow = [x.astype(np.float16) for x in (H, K, B)]
    found = losses.chunked_cross_entropy(narrow[0], narrow[1], LABELS, bias=narrow[2], chunk=4)
    exact = dense(*(x.astype(np.float64) for x in narrow))
    assert found.dtype == "float16"
    np.testing.assert_allclose(found, exact, rtol=1e-3)


def test_labels_that_are_no_classes():
    with pytest.raises(fx.OutOfBoundsError, match="label 11 is not one of 11 classes"):
        losses.chunked_cross_entropy(H, K, LABELS + 1)
    unknown = fx.jit(lambda labels: losses.chunked_cross_entropy(H, K, labels, chunk=4))(LABELS + 1)
    np.testing.assert_array_equal(np.isnan(np.asarray(unknown)), [[False, True, False], [True, False, False]])
    with pytest.raises(fx.ShapeError, match=r"hidden \(2, 3, 4\), kernel \(5, 11\)"):
        losses.chunked_cross_entropy(H, np.zeros((5, 11)), LABELS)
    with pytest.raises(fx.ArgumentError, match="chunk is a positive integer; got 0"):
        losses.chunked_cross_entropy(H, K, LABELS, chunk=0)


@pytest.mark.planned_memory
@pytest.mark.parametrize("chunk", [None, 1024, 2048])
def test_memory_is_what_the_docstring_says(chunk):
    tokens, features, classes = 4096, 256, 50_000
    args = [
        fx.ShapeDtype((tokens, features), np.float32),
        fx.ShapeDtype((features, classes), np.float32),
        fx.ShapeDtype((classes,), np.float32),
        fx.ShapeDtype((tokens,), np.int64),
    ]
    loss = lambda h, k, b, y: losses.chunked_cross_entropy(h, k, y, bias=b, chunk=chunk, reduction="mean")
    piece, kernel = 4 * tokens * (chunk or 512), 4 * features * classes
    for f, bound in (
        (loss, kernel + 3 * piece),
        (fx.value_and_grad(loss, (0, 1, 2)), 4 * kernel + 4 * piece),
    ):
        memory = fx.jit(f).memory(*args)
        assert not memory.unplanned
        assert memory.peak - memory.arguments - memory.outputs <= bound
        assert memory.peak < 4 * tokens * classes / 2, "half of the logits"
