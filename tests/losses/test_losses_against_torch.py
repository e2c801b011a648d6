"""Every loss of torch.nn.functional: values and all gradients, options crossed on tiny shapes, in float64."""

import functools
import itertools

import numpy as np
import pytest
import torch

import fx
from fx import losses

F = torch.nn.functional
RNG = np.random.default_rng(1)

X = RNG.normal(size=(4, 5)) * 3
Y = RNG.normal(size=(4, 5))
Z = RNG.normal(size=(4, 5))
P = RNG.uniform(0.01, 0.99, (4, 5))
SIGNS = np.where(RNG.random((4, 5)) < 0.5, -1.0, 1.0)
BITS = (SIGNS + 1) / 2
LABELS = np.array([0, 4, 2, 2])
IGNORING = np.array([0, -100, 2, 4])
SOFT = RNG.dirichlet(np.ones(5), 4)
WEIGHT = RNG.uniform(0.5, 2, 5)
COUNTS = RNG.integers(1, 6, (4, 5)).astype(float)
VARIANCE = RNG.uniform(0.1, 2, (4, 5))
MULTILABELS = np.array([[1, 3, -1, 0, 2], [-1, 0, 1, 2, 3], [0, 1, 2, 3, 4], [4, -1, -1, -1, -1]])
REDUCTIONS = ("none", "sum", "mean")


def tensors(function):
    """A function of tensors that takes the arrays it closes over as keyword arguments too."""
    return lambda *xs, **options: function(*xs, **{k: tensor(v) for k, v in options.items()})


def tensor(x):
    return torch.tensor(x) if isinstance(x, np.ndarray) else x


def crossed(**choices):
    """All dictionaries with one of each option's values."""
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


# name: (inputs with gradients, ours, theirs, options given to ours, names of options in torch if they differ)
CASES = {
    "absolute_error": ([X, Y], losses.absolute_error, F.l1_loss, [{}]),
    "squared_error": ([X, Y], losses.squared_error, F.mse_loss, [{}]),
    "huber_loss": ([X, Y], losses.huber_loss, F.huber_loss, crossed(delta=[0.3, 1.0, 2.5])),
    "smooth_l1_loss": ([X, Y], losses.smooth_l1_loss, F.smooth_l1_loss, crossed(beta=[0.0, 0.25, 2.5])),
    "poisson_nll_loss": (
        [P, COUNTS], losses.poisson_nll_loss, F.poisson_nll_loss,
        crossed(log_input=[True, False], full=[True, False], epsilon=[1e-8, 0.1]),
    ),
    "gaussian_nll_loss": (
        [X, Y, VARIANCE], losses.gaussian_nll_loss, F.gaussian_nll_loss,
        crossed(full=[True, False], epsilon=[1e-6, 0.5]),
    ),
    "binary_cross_entropy": (
        [P, BITS], losses.binary_cross_entropy, F.binary_cross_entropy, crossed(weight=[None, WEIGHT])
    ),
    "sigmoid_binary_cross_entropy": (
        [X, BITS * 0.9], losses.sigmoid_binary_cross_entropy, F.binary_cross_entropy_with_logits,
        crossed(weight=[None, WEIGHT], pos_weight=[None, 2 * WEIGHT]),
    ),
    "hinge_embedding_loss": (
        [X, SIGNS], losses.hinge_embedding_loss, F.hinge_embedding_loss, crossed(margin=[1.0, 0.2])
    ),
    "margin_ranking_loss": (
        [X, Y, SIGNS], losses.margin_ranking_loss, F.margin_ranking_loss, crossed(margin=[0.0, 0.7])
    ),
    "soft_margin_loss": (
        [X], functools.partial(losses.soft_margin_loss, targets=SIGNS.astype(int)),
        lambda x, **o: F.soft_margin_loss(x, tensor(SIGNS), **o), [{}],
    ),
    "cross_entropy": (
        [X], functools.partial(losses.cross_entropy, labels=IGNORING),
        lambda x, **o: F.cross_entropy(x, tensor(IGNORING), **o),
        crossed(weight=[None, WEIGHT], label_smoothing=[0.0, 0.2], ignore_index=[-100]),
    ),
    "cross_entropy, another label ignored": (
        [X], functools.partial(losses.cross_entropy, labels=LABELS),
        lambda x, **o: F.cross_entropy(x, tensor(LABELS), **o),
        crossed(weight=[None, WEIGHT], label_smoothing=[0.2], ignore_index=[2]),
    ),
    "cross_entropy of distributions": (
        [X, SOFT], losses.cross_entropy, F.cross_entropy,
        crossed(weight=[None, WEIGHT], label_smoothing=[0.0, 0.2]),
    ),
    "nll_loss": (
        [X], functools.partial(losses.nll_loss, labels=IGNORING),
        lambda x, **o: F.nll_loss(x, tensor(IGNORING), **o), crossed(weight=[None, WEIGHT]),
    ),
    "multilabel_margin_loss": (
        [X], functools.partial(losses.multilabel_margin_loss, labels=MULTILABELS),
        lambda x, **o: F.multilabel_margin_loss(x, tensor(MULTILABELS), **o), [{}],
    ),
    "multilabel_soft_margin_loss": (
        [X, BITS], losses.multilabel_soft_margin_loss, F.multilabel_soft_margin_loss,
        crossed(weight=[None, WEIGHT]),
    ),
    "multi_margin_loss": (
        [X], functools.partial(losses.multi_margin_loss, labels=LABELS),
        lambda x, **o: F.multi_margin_loss(x, tensor(LABELS), **o),
        crossed(p=[1, 2], margin=[1.0, 0.4], weight=[None, WEIGHT]),
    ),
    "cosine_embedding_loss": (
        [X, Y], functools.partial(losses.cosine_embedding_loss, targets=SIGNS[:, 0]),
        lambda x, y, **o: F.cosine_embedding_loss(x, y, tensor(SIGNS[:, 0]), **o),
        crossed(margin=[0.0, 0.3]),
    ),
    "triplet_margin_loss": (
        [X, Y, Z], functools.partial(losses.triplet_margin_loss, eps=0.0),
        lambda *xs, norm_degree, **o: F.triplet_margin_loss(*xs, eps=0.0, p=norm_degree, **o),
        crossed(swap=[False, True], margin=[1.0, 6.0], norm_degree=[1, 2, 3]),
    ),
    "triplet_margin_with_distance_loss": (
        [X, Y, Z], losses.triplet_margin_with_distance_loss, F.triplet_margin_with_distance_loss,
        crossed(swap=[False, True], margin=[1.0, 6.0]),
    ),
    "kl_divergence of parts": (
        [X, SOFT], functools.partial(losses.kl_divergence, axis=()), F.kl_div, [{}]
    ),
    "kl_divergence_with_log_targets of parts": (
        [X, Y], functools.partial(losses.kl_divergence_with_log_targets, axis=()),
        functools.partial(F.kl_div, log_target=True), [{}],
    ),
}  # fmt: skip
RENAMED = {"epsilon": "eps"}


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name):
    inputs, ours, theirs, choices = CASES[name]
    for options, reduction in itertools.product(choices, REDUCTIONS):
        ts = [torch.tensor(x, requires_grad=True) for x in inputs]
        translated = {RENAMED.get(k, k): tensor(v) for k, v in options.items()}
        expected = theirs(*ts, reduction=reduction, **translated)
        factors = RNG.normal(size=tuple(expected.shape))
        (expected * torch.tensor(factors)).sum().backward()

        def weighted_sum(*xs, options=options, reduction=reduction, factors=factors):
            found = ours(*xs, **options, reduction=reduction)
            return (found * factors).sum(), found

        argnums = tuple(range(len(inputs)))
        gradients, found = fx.grad(weighted_sum, argnums, has_aux=True)(*inputs)
        note = f"{options} {reduction}"
        np.testing.assert_allclose(found, expected.detach(), rtol=1e-10, atol=1e-11, err_msg=note)
        for t, gradient in zip(ts, gradients, strict=True):
            assert gradient.dtype == "float64"
            if t.grad is not None:
                np.testing.assert_allclose(gradient, t.grad, rtol=1e-9, atol=1e-10, err_msg=note)


@pytest.mark.parametrize("name", CASES)
def test_compiled_batched_and_in_float32(name):
    inputs, ours, _, choices = CASES[name]
    options = choices[-1]
    f = lambda *xs: ours(*xs, **options, reduction="sum")
    expected = np.asarray(f(*inputs))
    np.testing.assert_allclose(fx.jit(f)(*inputs), expected, rtol=1e-12)
    first = fx.vmap(f)(*(np.stack([x, x[::-1]]) for x in inputs))[0]
    np.testing.assert_allclose(first, expected, rtol=1e-12)
    narrow = ours(*(x.astype(np.float32) for x in inputs), **options)
    assert narrow.dtype == "float32"
    np.testing.assert_allclose(narrow, ours(*inputs, **options), rtol=2e-5, atol=2e-5)


def test_classes_along_any_axis():
    images, labels = RNG.normal(size=(2, 5, 3)), RNG.integers(0, 5, (2, 3))
    expected = F.cross_entropy(
        torch.tensor(images), torch.tensor(labels), weight=torch.tensor(WEIGHT), reduction="mean"
    )
    found = losses.cross_entropy(images, labels, axis=1, weight=WEIGHT, reduction="mean")
    assert float(found) == pytest.approx(float(expected), rel=1e-12)
    expected = F.nll_loss(torch.tensor(images), torch.tensor(labels), reduction="mean")
    assert float(losses.nll_loss(images, labels, axis=1, reduction="mean")) == pytest.approx(
        float(expected), rel=1e-12
    )


def test_certain_probabilities_cost_much_but_not_everything():
    p, labels = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])
    found, gradient = (
        losses.binary_cross_entropy(p, labels),
        fx.grad(lambda p: losses.binary_cross_entropy(p, labels).sum())(p),
    )
    np.testing.assert_array_equal(
        found, F.binary_cross_entropy(torch.tensor(p), torch.tensor(labels), reduction="none")
    )
    np.testing.assert_array_equal(gradient, [1.0, -1.0, -1e12, 1e12])
    assert np.isnan(
        np.asarray(losses.binary_cross_entropy(np.array([-0.1, 1.1]), np.array([0.0, 1.0])))
    ).all()


def test_variances():
    x, y = X, Y
    for variance in (VARIANCE[:, :1], VARIANCE[:, 0]):
        expected = F.gaussian_nll_loss(
            torch.tensor(x), torch.tensor(y), torch.tensor(variance), reduction="none"
        )
        np.testing.assert_allclose(losses.gaussian_nll_loss(x, y, variance), expected, rtol=1e-12)
    assert np.isnan(float(losses.gaussian_nll_loss(np.array(1.0), 1.0, -1.0)))
    with pytest.raises(fx.ShapeError, match=r"variance of shape \(3,\)"):
        losses.gaussian_nll_loss(x, y, np.ones(3))


def test_no_counts_have_a_derivative_where_torch_has_none():
    rates, counts = np.array([0.5, 2.0]), np.array([0.0, 1.0])
    loss = lambda rates, counts: losses.poisson_nll_loss(rates, counts, full=True).sum()
    np.testing.assert_allclose(
        losses.poisson_nll_loss(rates, counts, full=True),
        F.poisson_nll_loss(torch.tensor(rates), torch.tensor(counts), full=True, reduction="none"),
    )
    assert all(np.isfinite(np.asarray(g)).all() for g in fx.grad(loss, (0, 1))(rates, counts))
