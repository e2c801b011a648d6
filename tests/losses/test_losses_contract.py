"""What holds for every loss: reductions, masks, empty batches, extreme inputs, dtypes, transformations."""

import inspect

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import losses, nn

RNG = np.random.default_rng(5)
N = 6
SCORES = RNG.normal(size=(N, 5)) * 3
OTHERS = RNG.normal(size=(N, 5))
SIGNS = np.where(RNG.random((N, 5)) < 0.5, -1.0, 1.0)
BITS = (SIGNS + 1) / 2
SOFT = RNG.dirichlet(np.ones(5), N)
LABELS = RNG.integers(0, 5, N)
MANY = np.where(np.arange(5) < 2, RNG.permuted(np.tile(np.arange(5), (N, 1)), axis=1), -1)
LENGTHS = np.full(N, 3)

# Losses of scores (N, ...), with one value per element ("each"), per row ("rows"), or only together ("all").
EACH = {
    "absolute_error": [OTHERS], "squared_error": [OTHERS], "l2_loss": [OTHERS], "huber": [OTHERS],
    "smooth_l1_loss": [OTHERS], "log_cosh": [OTHERS], "poisson_nll_loss": [BITS],
    "gaussian_nll_loss": [OTHERS, np.abs(OTHERS) + 0.1], "sigmoid_binary_cross_entropy": [BITS],
    "sigmoid_focal_loss": [BITS], "sparsemax_loss": [BITS], "hinge_loss": [SIGNS], "perceptron_loss": [SIGNS],
    "soft_margin_loss": [SIGNS], "hinge_embedding_loss": [SIGNS], "margin_ranking_loss": [OTHERS, SIGNS],
}  # fmt: skip
ROWS = {
    "softmax_cross_entropy": [SOFT], "softmax_cross_entropy_with_integer_labels": [LABELS],
    "cross_entropy": [LABELS], "nll_loss": [LABELS], "poly_loss_cross_entropy": [SOFT],
    "kl_divergence": [SOFT], "kl_divergence_with_log_targets": [np.log(SOFT)],
    "multiclass_hinge_loss": [LABELS], "multiclass_perceptron_loss": [LABELS],
    "multiclass_sparsemax_loss": [LABELS], "multi_margin_loss": [LABELS], "multilabel_margin_loss": [MANY],
    "multilabel_soft_margin_loss": [BITS], "cosine_similarity": [OTHERS], "cosine_distance": [OTHERS],
    "cosine_embedding_loss": [OTHERS, SIGNS[:, 0]], "triplet_margin_loss": [OTHERS, OTHERS[::-1]],
    "triplet_margin_with_distance_loss": [OTHERS, OTHERS[::-1]], "contrastive_loss": [OTHERS, LABELS % 2],
    "dice_loss": [BITS], "npairs_loss": [OTHERS, LABELS],
}  # fmt: skip
TOGETHER = {"ntxent": [LABELS], "ranking_softmax_loss": [SOFT], "multiclass_generalized_dice_loss": [BITS]}
ELSEWHERE = {  # with tests of their own, or no losses of scores
    "adaptive_log_softmax_loss", "binary_cross_entropy", "binary_dice_loss", "chunked_cross_entropy", "ctc_loss",
    "ctc_loss_with_forward_probs", "generalized_kl_divergence", "make_fenchel_young_loss", "smooth_labels",
    "mae", "mse",
}  # fmt: skip
ALIASES = {"convex_kl_divergence", "huber_loss", "l1", "safe_softmax_cross_entropy"}
CASES = EACH | ROWS | TOGETHER
PAIRED = {"npairs_loss"}  # where examples that do not count are missing from the others


def call(name, scores=SCORES, rest=None, **options):
    return getattr(losses, name)(scores, *(CASES[name] if rest is None else rest), **options)


def test_every_loss_is_looked_at():
    public = {n for n, f in vars(losses).items() if inspect.isfunction(f) and not n.startswith("_")}
    assert public == CASES.keys() | ELSEWHERE | ALIASES


@pytest.mark.parametrize("name", EACH | ROWS)
def test_reductions_and_masks(name):
    each = np.asarray(call(name))
    assert each.shape == ((N, 5) if name in EACH else (N,))
    assert float(call(name, reduction="sum")) == pytest.approx(each.sum())
    assert float(call(name, reduction="mean")) == pytest.approx(each.mean())
    with pytest.raises(fx.ArgumentError, match=rf"{name}(.|\n)*'avg'(.|\n)*'none', 'sum' or 'mean'"):
        call(name, reduction="avg")
    keep = np.array([True, False, True, True, False, True])
    mask = np.broadcast_to(keep[:, None], (N, 5)) if name in EACH else keep
    spoilt = np.where(keep[:, None], SCORES, np.nan)
    masked = np.asarray(call(name, spoilt, where=mask))
    if name not in PAIRED:
        np.testing.assert_allclose(masked, np.where(mask, each, 0), rtol=1e-12)
    mean, gradient = fx.value_and_grad(lambda x: call(name, x, where=mask, reduction="mean"))(spoilt)
    assert float(mean) == pytest.approx(masked[mask].mean())
    gradient = np.asarray(gradient)
    assert np.isfinite(gradient).all() and gradient[keep].any() and not gradient[~keep].any()


@pytest.mark.parametrize("name", CASES)
def test_the_mean_of_nothing_is_zero(name):
    nobody = np.zeros((N, 5) if name in EACH or name == "ranking_softmax_loss" else N, bool)
    f = lambda x: call(name, x, where=nobody, reduction="mean")
    value, gradient = fx.value_and_grad(f)(np.full_like(SCORES, np.nan if name not in TOGETHER else 0.5))
    assert float(value) == 0 and not np.asarray(gradient).any()
    assert float(fx.jit(f)(SCORES)) == 0
    empty = call(name, SCORES[:0], [x[:0] for x in CASES[name]], reduction="mean")
    assert empty.shape == () and float(empty) == 0


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", sorted(CASES.keys() - {"poisson_nll_loss"}))  # where exp(1e4) is no number
def test_extreme_scores_have_finite_values_and_gradients(name, dtype):
    extreme = np.where(RNG.random((N, 5)) < 0.5, -1e4, 1e4)
    extreme[0], extreme[1] = 0, 1e4
    rest = [x.astype(dtype) if x.dtype.kind == "f" else x for x in CASES[name]]
    f = lambda x: call(name, x, rest, reduction="sum")
    for x in (extreme.astype(dtype), extreme[:, ::-1].astype(dtype)):
        value, gradient = fx.value_and_grad(f)(x)
        assert value.dtype == gradient.dtype == dtype
        assert np.isfinite(float(value)) and np.isfinite(np.asarray(gradient)).all()


@pytest.mark.parametrize("name", CASES)
def test_transformations_and_derivatives_of_both_modes(name):
    f = lambda x: call(name, x, reduction="sum")
    value, gradient = fx.value_and_grad(f)(SCORES)
    np.testing.assert_allclose(fx.jit(fx.grad(f))(SCORES), gradient, rtol=1e-10, atol=1e-12)
    tangent = np.asarray(fx.jvp(f, (SCORES,), (OTHERS,))[1])
    np.testing.assert_allclose(tangent, (np.asarray(gradient) * OTHERS).sum(), rtol=1e-10, atol=1e-10)
    both = fx.vmap(f)(np.stack([SCORES, OTHERS]))
    np.testing.assert_allclose(both, [value, f(OTHERS)], rtol=1e-12)
    step = 1e-6
    differences = (np.asarray(f(SCORES + step * OTHERS)) - np.asarray(f(SCORES - step * OTHERS))) / (2 * step)
    np.testing.assert_allclose(tangent, differences, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_rounded_late(name, dtype):
    narrow = [fnp.asarray(x).astype(dtype) if x.dtype.kind == "f" else x for x in (SCORES, *CASES[name])]
    found = getattr(losses, name)(*narrow)
    exact = getattr(losses, name)(*(x.astype("float64") if x.dtype.kind not in "iu" else x for x in narrow))
    assert found.dtype == dtype
    tolerance = {"float16": 4e-3, "bfloat16": 3e-2}[dtype]
    scale = max(1, np.abs(np.asarray(exact)).max())
    np.testing.assert_allclose(
        np.asarray(found.astype("float64")), exact, rtol=tolerance, atol=tolerance * scale
    )


def test_one_example_and_one_class():
    for loss in (losses.cross_entropy, losses.multiclass_hinge_loss, losses.multiclass_sparsemax_loss):
        value, gradient = fx.value_and_grad(lambda x, loss=loss: loss(x, np.array([0]), reduction="mean"))(
            np.array([[3.0]])
        )
        assert float(value) == 0 and float(gradient[0, 0]) == 0


def test_labels_and_shapes_that_do_not_fit():
    for name in ("cross_entropy", "nll_loss", "multiclass_hinge_loss", "multi_margin_loss"):
        with pytest.raises(fx.OutOfBoundsError, match=rf"{name}: label 5 is not one of 5 classes"):
            call(name, rest=[np.full(N, 5)])
        unknown = fx.jit(lambda labels, name=name: call(name, rest=[labels]))(np.full(N, 5))
        assert np.isnan(np.asarray(unknown)).all()
    with pytest.raises(fx.OutOfBoundsError, match="label 7 is not one of 5"):
        losses.multilabel_margin_loss(SCORES, np.full((N, 5), 7))
    with pytest.raises(fx.ShapeError, match=r"weight has shape \(4,\); it needs one per class, \(5,\)"):
        losses.cross_entropy(SCORES, LABELS, weight=np.ones(4))
    with pytest.raises(fx.ShapeError, match=r"weight of shape \(3,\) does not broadcast"):
        losses.sigmoid_binary_cross_entropy(SCORES, BITS, weight=np.ones(3))
    with pytest.raises(fx.ArgumentError, match="p is 1 or 2; got 3"):
        losses.multi_margin_loss(SCORES, LABELS, p=3)
    for name in ("ntxent", "npairs_loss"):
        with pytest.raises(fx.ShapeError, match=rf"{name} takes embeddings \(batch, features\)"):
            call(name, rest=[*CASES[name][:-1], LABELS[:2]])


def test_second_derivatives_of_the_softmax_losses():
    for name in ("cross_entropy", "poly_loss_cross_entropy", "sigmoid_focal_loss", "ntxent"):
        fx.testing.check_grads(lambda x, name=name: call(name, x, reduction="sum"), (OTHERS,), order=2)
    assert nn.softmax(OTHERS).shape == OTHERS.shape


@pytest.mark.parametrize("name", CASES)
def test_masks_are_boolean(name):
    with pytest.raises(
        fx.DTypeError,
        match=rf"{name.removeprefix('multiclass_generalized_')}: where must be boolean; got int64",
    ):
        call(name, where=np.ones((N, 5) if name in EACH or name == "ranking_softmax_loss" else N, int))
