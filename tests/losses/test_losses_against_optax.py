"""The losses of optax that torch does not have: values and gradients in float64, options crossed."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import fx
import fx.numpy as fnp
from fx import losses, nn

RNG = np.random.default_rng(2)
X = RNG.normal(size=(4, 5)) * 3
Y = RNG.normal(size=(4, 5))
SOFT = RNG.dirichlet(np.ones(5), 4)
HOT = np.eye(5)[[0, 3, 3, 1]]
LABELS = np.array([0, 3, 3, 1])
SIGNS = np.where(RNG.random((4, 5)) < 0.5, -1.0, 1.0)
BITS = (SIGNS + 1) / 2
LOGS = np.log(RNG.dirichlet(np.ones(5), 4))
MASK = RNG.random((4, 5)) < 0.7
MASK[2] = True
IMAGES = RNG.normal(size=(2, 3, 4, 3))
REGIONS = np.eye(3)[RNG.integers(0, 3, (2, 3, 4))]
GROUPS = np.array([0, 1, 0, 1])
LONELY = np.array([0, 1, 2, 0])


def crossed(**choices):
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


# optax's name: inputs with gradients, inputs without, options
CASES = {
    "l2_loss": ([X, Y], [], [{}]),
    "log_cosh": ([X, Y], [], [{}]),
    "cosine_similarity": ([X, Y], [], crossed(epsilon=[0.0, 1.0], axis=[-1, 0]) + [{"where": MASK}]),
    "cosine_distance": ([X, Y], [], crossed(epsilon=[0.0, 1.0])),
    "hinge_loss": ([X], [SIGNS], [{}]),
    "perceptron_loss": ([X], [SIGNS], [{}]),
    "sparsemax_loss": ([X], [BITS], [{}]),
    "multiclass_hinge_loss": ([X], [LABELS], [{}]),
    "multiclass_perceptron_loss": ([X], [LABELS], [{}]),
    "multiclass_sparsemax_loss": ([X], [LABELS], [{}]),
    "softmax_cross_entropy": ([X, SOFT], [], [{"axis": 0}]),
    "softmax_cross_entropy_with_integer_labels": ([X], [LABELS], [{"where": MASK | (HOT > 0)}]),
    "safe_softmax_cross_entropy": ([X, SOFT], [], [{}]),
    "poly_loss_cross_entropy": ([X, SOFT], [], crossed(epsilon=[2.0, -1.0], axis=[-1, 0])),
    "kl_divergence": ([LOGS, SOFT], [], crossed(axis=[-1, 0, None]) + [{"where": MASK}]),
    "kl_divergence_with_log_targets": ([LOGS, np.log(SOFT)], [], crossed(axis=[-1, 0]) + [{"where": MASK}]),
    "generalized_kl_divergence": ([LOGS, SOFT], [], crossed(axis=[-1, None]) + [{"where": MASK}]),
    "sigmoid_focal_loss": (
        [X, BITS * 0.8 + 0.1], [], crossed(alpha=[None, 0.3], gamma=[0.0, 0.5, 2.0])
    ),
    "smooth_labels": ([HOT], [0.2], [{}, {"axis": 0}]),
    "dice_loss": (
        [IMAGES], [REGIONS],
        [{}, *crossed(alpha=[0.3], beta=[0.9], smooth=[1e-3], ignore_background=[False, True],
                      class_weights=[None, np.array([1.0, 2.0, 0.5])])],
    ),
    "multiclass_generalized_dice_loss": (
        [IMAGES], [REGIONS], crossed(smooth=[1.0, 1e-3], ignore_background=[False, True])
    ),
    "binary_dice_loss": ([IMAGES[..., 0]], [REGIONS[..., 0]], crossed(smooth=[1.0, 0.1])),
    "ntxent": ([X], [GROUPS], crossed(temperature=[0.07, 1.0])),
    "triplet_margin_loss": (
        [X, Y, X + 2 * Y], [], crossed(axis=[-1, 0], norm_degree=[2, 4], margin=[1.0, 5.0], eps=[1e-6, 0.1])
    ),
    "ranking_softmax_loss": ([X], [BITS], crossed(where=[None, MASK], weights=[None, SOFT])),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name):
    """Values for all options; gradients, which JAX compiles slowly, for the last ones."""
    inputs, rest, choices = CASES[name]
    ours, theirs = getattr(losses, name), getattr(optax.losses, name)
    for options in choices:
        call = lambda f, xs, options=options: f(*xs, *rest, **options)
        found, pull = fx.vjp(lambda *xs, call=call: call(ours, xs), *inputs)
        with jax.enable_x64():
            if options is not choices[-1]:
                expected = call(theirs, [jnp.asarray(x) for x in inputs])
                np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-11, err_msg=str(options))
    ct = RNG.normal(size=found.shape)
    with jax.enable_x64():
        expected, slopes = jax.jit(lambda *xs: with_slopes(lambda *xs: call(theirs, xs), xs, ct))(*inputs)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-11)
    for gradient, slope in zip(pull(ct), slopes, strict=True):
        np.testing.assert_allclose(gradient, slope, rtol=1e-10, atol=1e-10)


def with_slopes(f, xs, ct):
    value, pull = jax.vjp(f, *xs)
    return value, pull(jnp.asarray(ct))


def test_names_for_the_same():
    assert losses.huber_loss is losses.huber
    assert losses.convex_kl_divergence is losses.generalized_kl_divergence
    public = {n for n in dir(optax.losses) if not n.startswith("_")}
    assert not {n for n in public if not hasattr(losses, n)}


def test_masked_classes():
    """A mask of classes is one of logits at -inf, whatever stands in the masked labels."""
    masked = np.where(MASK, X, -np.inf)
    expected = losses.softmax_cross_entropy(masked, SOFT * MASK)
    np.testing.assert_allclose(losses.softmax_cross_entropy(X, SOFT, where=MASK), expected)
    none = MASK & (np.arange(4)[:, None] > 0)
    loss = lambda x: losses.softmax_cross_entropy(x, SOFT, where=none, reduction="mean")
    assert float(loss(X)) == pytest.approx(np.asarray(expected)[1:].mean())
    assert np.isfinite(np.asarray(fx.grad(loss)(X))).all()
    poly = losses.poly_loss_cross_entropy(X, SOFT, where=MASK, epsilon=0.0)
    np.testing.assert_allclose(poly, expected)


def test_fenchel_young():
    loss = losses.make_fenchel_young_loss(nn.logsumexp)
    np.testing.assert_allclose(loss(X, HOT), losses.softmax_cross_entropy(X, HOT), rtol=1e-12)
    gradient = fx.grad(lambda x: loss(x, SOFT, reduction="sum"))(X)
    np.testing.assert_allclose(gradient, np.asarray(nn.softmax(X)) - SOFT, atol=1e-14)
    sharp = losses.make_fenchel_young_loss(lambda s, t: t * nn.logsumexp(s / t))
    assert sharp(X.reshape(2, 2, 5), HOT.reshape(2, 2, 5), 0.5).shape == (2, 2)


def test_sparsemax_derivative_is_the_projection():
    """Its second derivative too, against differences."""
    loss = lambda x: losses.multiclass_sparsemax_loss(x, LABELS, reduction="sum")
    gradient = np.asarray(fx.grad(loss)(X)) + HOT
    np.testing.assert_allclose(gradient.sum(1), 1, atol=1e-14)
    assert (gradient >= 0).all() and (gradient == 0).any()
    fx.testing.check_grads(loss, (X / 3,), order=2)


def test_contrasts():
    same = np.array([1, 0, 0, 1])
    distance = np.linalg.norm(X - Y, axis=1)
    expected = 0.5 * np.where(same, distance**2, np.maximum(6 - distance, 0) ** 2)
    np.testing.assert_allclose(losses.contrastive_loss(X, Y, same, 6.0), expected)
    assert np.isfinite(
        np.asarray(fx.grad(lambda x: losses.contrastive_loss(x, x, same, reduction="sum"))(X))
    ).all()

    logits = X @ Y.T
    share = (LABELS[:, None] == LABELS) / (LABELS[:, None] == LABELS).sum(1)[:, None]
    expected = losses.softmax_cross_entropy(logits, share)
    np.testing.assert_allclose(losses.npairs_loss(X, Y, LABELS), expected, rtol=1e-12)
    keep = np.array([True, True, False, True])
    found = losses.npairs_loss(X, Y, LABELS, where=keep)
    np.testing.assert_allclose(
        np.asarray(found)[keep], losses.npairs_loss(X[keep], Y[keep], LABELS[keep]), rtol=1e-12
    )
    found = losses.ntxent(X, LABELS, where=keep | True)
    assert float(found) == pytest.approx(float(losses.ntxent(X, LABELS)))
    kept = np.array([True, False, True, True])
    assert float(losses.ntxent(X, GROUPS, where=kept)) == pytest.approx(
        float(losses.ntxent(X[kept], GROUPS[kept]))
    )


def test_zero_vectors_have_no_direction():
    x = np.zeros((2, 3))
    value, gradient = fx.value_and_grad(lambda x: losses.cosine_similarity(x, x + 1, reduction="sum"))(x)
    assert float(value) == 0 and not np.asarray(gradient).any()
    for scale in (1e-200, 1e200):
        assert float(losses.cosine_similarity(X * scale, Y)[0]) == pytest.approx(
            float(losses.cosine_similarity(X, Y)[0])
        )


def test_log_cosh_near_and_far():
    x = np.array([1e-9, 1e-5, 0.5, 1.0, 700.0, 1e4])
    exact = [
        5e-19,
        5e-11 - 1e-20 / 12,
        np.log(np.cosh(0.5)),
        np.log(np.cosh(1.0)),
        700 - np.log(2),
        1e4 - np.log(2),
    ]
    np.testing.assert_allclose(losses.log_cosh(x), exact, rtol=1e-14)
    np.testing.assert_allclose(fx.grad(lambda x: losses.log_cosh(x).sum())(x), np.tanh(x), rtol=1e-14)


def test_dice_per_class_and_of_empty_regions():
    each = losses.dice_loss(IMAGES, REGIONS, per_class=True)
    assert each.shape == (2, 3)
    np.testing.assert_allclose(losses.dice_loss(IMAGES, REGIONS), np.asarray(each).mean(1))
    nothing = losses.binary_dice_loss(fnp.zeros((2, 4)), fnp.zeros((2, 4)), smooth=0.0, apply_sigmoid=False)
    np.testing.assert_array_equal(nothing, [0.0, 0.0])
    with pytest.raises(fx.ShapeError, match=r"class_weights has shape \(2,\)"):
        losses.dice_loss(IMAGES, REGIONS, class_weights=np.ones(2))
    alone = losses.multiclass_generalized_dice_loss(IMAGES, REGIONS, where=np.array([True, False]))
    assert float(alone) == pytest.approx(
        float(losses.multiclass_generalized_dice_loss(IMAGES[:1], REGIONS[:1]))
    )
