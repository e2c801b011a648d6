"""Metrics against scikit-learn; in parts and merged; compiled; over data that is nothing, or wrong."""

import itertools

import numpy as np
import pytest
import sklearn.metrics as sk
from torch import nn as torch_nn, tensor

import fx
import fx.numpy as fnp
from fx import metrics

RNG = np.random.default_rng(0)
CLASSES = 4
SCORES, LABELS = RNG.normal(size=(60, CLASSES)), RNG.integers(0, CLASSES, 60)
BINARY, POSITIVE = np.round(RNG.random(60), 1), RNG.integers(0, 2, 60)
REAL, TRUTH = RNG.normal(size=(60, 3)), RNG.normal(size=(60, 3)) * 3 + 1e6


def parts(metric, *data):
    """The result in batches of 7, in two halves that are merged."""
    halves = []
    for half in np.array_split(np.arange(len(data[0])), 2):
        state = metric.init()
        for rows in np.array_split(half, 4):
            state = metric.update(
                state, *(x[rows] if isinstance(x, np.ndarray) else [x[i] for i in rows] for x in data)
            )
        halves.append(state)
    return metric.compute(metric.merge(*halves))


def check(metric, data, expected, rtol=1e-12):
    np.testing.assert_allclose(metric.of(*data), expected, rtol=rtol)
    np.testing.assert_allclose(parts(metric, *data), expected, rtol=rtol)


def test_accuracy():
    best = SCORES.argmax(-1)
    check(metrics.Accuracy(), (SCORES, LABELS), sk.accuracy_score(LABELS, best))
    check(metrics.Accuracy(), (best, LABELS), sk.accuracy_score(LABELS, best))
    check(metrics.Accuracy(0.3), (BINARY, POSITIVE), sk.accuracy_score(POSITIVE, BINARY > 0.3))
    for k in (1, 2, 4, 9):
        expected = sk.top_k_accuracy_score(LABELS, SCORES, k=k) if k < CLASSES else 1.0
        check(metrics.TopKAccuracy(k), (SCORES, LABELS), expected)


@pytest.mark.parametrize("average", ["micro", "macro", "weighted", None])
def test_precision_recall_and_f(average):
    best = SCORES.argmax(-1)
    for name, theirs in (("Precision", sk.precision_score), ("Recall", sk.recall_score)):
        expected = theirs(LABELS, best, average=average)
        check(getattr(metrics, name)(CLASSES, average), (SCORES, LABELS), expected)
    for beta in (0.5, 1.0, 2.0):
        expected = sk.fbeta_score(LABELS, best, beta=beta, average=average)
        check(metrics.FBeta(CLASSES, average, beta=beta), (SCORES, LABELS), expected)
    absent, zeros = np.zeros(4, int), np.array([0, 0, 1, 1])
    expected = sk.precision_score(zeros, absent, average=average, zero_division=0.0)
    np.testing.assert_allclose(metrics.precision(absent, zeros, 2, average), expected)


def test_binary_scores():
    predicted = (BINARY > 0.5).astype(int)
    np.testing.assert_allclose(metrics.precision(BINARY, POSITIVE), sk.precision_score(POSITIVE, predicted))
    np.testing.assert_allclose(metrics.recall(BINARY, POSITIVE), sk.recall_score(POSITIVE, predicted))
    np.testing.assert_allclose(metrics.f1(BINARY, POSITIVE), sk.f1_score(POSITIVE, predicted))


@pytest.mark.parametrize("normalize", [None, "true", "predicted", "all"])
def test_confusion_matrix(normalize):
    theirs = {"predicted": "pred"}.get(normalize, normalize)
    expected = sk.confusion_matrix(LABELS, SCORES.argmax(-1), normalize=theirs)
    check(metrics.ConfusionMatrix(CLASSES, normalize), (SCORES, LABELS), expected)


def test_ranking():
    check(metrics.RocAuc(), (BINARY, POSITIVE), sk.roc_auc_score(POSITIVE, BINARY))
    check(metrics.AveragePrecision(), (BINARY, POSITIVE), sk.average_precision_score(POSITIVE, BINARY))
    for ours, theirs in zip(
        metrics.roc_curve(BINARY, POSITIVE), sk.roc_curve(POSITIVE, BINARY, drop_intermediate=False)
    ):
        np.testing.assert_allclose(ours, theirs)
    ours, theirs = (
        metrics.precision_recall_curve(BINARY, POSITIVE),
        sk.precision_recall_curve(POSITIVE, BINARY),
    )
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b)
    assert np.isnan(metrics.roc_auc([0.1, 0.2], [1, 1])) and np.isnan(metrics.average_precision([0.1], [0]))
    np.testing.assert_allclose(
        metrics.RocAuc().of(BINARY, POSITIVE, np.arange(60) < 30),
        sk.roc_auc_score(POSITIVE[:30], BINARY[:30]),
    )


def test_regression():
    check(metrics.MeanAbsoluteError(), (REAL, TRUTH), sk.mean_absolute_error(TRUTH, REAL))
    check(metrics.MeanSquaredError(), (REAL, TRUTH), sk.mean_squared_error(TRUTH, REAL))
    check(
        metrics.MeanSquaredError(root=True),
        (REAL[:, 0], TRUTH[:, 0]),
        sk.root_mean_squared_error(TRUTH[:, 0], REAL[:, 0]),
    )
    near = TRUTH + 0.1 * REAL
    check(metrics.R2(3), (near, TRUTH), sk.r2_score(TRUTH, near), 1e-9)
    check(metrics.R2(), (near[:, 0], TRUTH[:, 0]), sk.r2_score(TRUTH[:, 0], near[:, 0]), 1e-9)
    constant = np.ones(5)
    for guess in (constant, constant + 1):
        assert float(metrics.r2(guess, constant)) == sk.r2_score(constant, guess)
    weights = RNG.random(60)
    check(metrics.Mean(), (REAL[:, 0], weights), np.average(REAL[:, 0], weights=weights))
    assert float(metrics.Mean().of(np.array([1.0, np.nan]), np.array([True, False]))) == 1.0


def test_perplexity():
    loss = torch_nn.functional.cross_entropy(tensor(SCORES), tensor(LABELS)).item()
    check(metrics.Perplexity(), (SCORES, LABELS), np.exp(loss), 1e-10)
    loss = torch_nn.functional.cross_entropy(tensor(SCORES), tensor(LABELS), ignore_index=1).item()
    check(metrics.Perplexity(1), (SCORES, LABELS), np.exp(loss), 1e-10)
    padded = np.where(LABELS == 1, -100, LABELS)
    check(metrics.Perplexity(-100), (SCORES, padded), np.exp(loss), 1e-10)


def words(text):
    return text.split()


CANDIDATES = [
    words("the the the the the the the"),
    words("the cat sat on the mat today"),
    words("a b c d e f"),
]
REFERENCES = [
    [words("the cat is on the mat"), words("there is a cat on the mat")],
    [words("the cat sat on the mat")],
    [words("a b c d f e"), words("a b c d e f g")],
]


def by_hand(candidates, references, order=4):
    """The definition, written out."""
    logs, c, r = [], sum(map(len, candidates)), 0
    for cand, refs in zip(candidates, references):
        r += min(map(len, refs), key=lambda n: (abs(n - len(cand)), n))
    for n in range(1, order + 1):
        grams = lambda t: [tuple(t[i : i + n]) for i in range(len(t) - n + 1)]
        right = total = 0
        for cand, refs in zip(candidates, references):
            for g in set(grams(cand)):
                right += min(grams(cand).count(g), max(grams(t).count(g) for t in refs))
            total += len(grams(cand))
        logs.append(np.log(right / total))
    return np.exp(np.mean(logs)) * min(1.0, np.exp(1 - r / c))


def test_bleu():
    for order in (1, 2, 4):
        check(metrics.Bleu(order), (CANDIDATES, REFERENCES), by_hand(CANDIDATES, REFERENCES, order))
    assert (
        abs(float(metrics.bleu(CANDIDATES[:1], REFERENCES[:1], order=1)) - 2 / 7) < 1e-12
    )  # Papineni's example
    assert float(metrics.bleu([[1, 2, 3, 4]], [[1, 2, 3, 4]])) == 1
    assert (
        float(metrics.bleu([[1, 2]], [[3, 4]])) == 0
        and float(metrics.bleu([[1, 2]], [[1, 2]], smooth=True)) > 0.5
    )
    with pytest.raises(fx.ArgumentError, match=r"split\(\)"):
        metrics.bleu(["the cat"], [["the cat"]])
    with pytest.raises(fx.ShapeError, match="1 candidates and 2"):
        metrics.bleu([["a"]], [["a"], ["b"]])


def test_updates_compile_and_masks_count():
    made = metrics.Collection({
        "accuracy": metrics.Accuracy(), "top2": metrics.TopKAccuracy(2), "matrix": metrics.ConfusionMatrix(CLASSES),
        "f1": metrics.FBeta(CLASSES, "macro"), "perplexity": metrics.Perplexity(),
    })  # fmt: skip
    where = np.arange(60) < 40
    state = fx.jit(made.update)(made.init(), SCORES, LABELS, where=where)
    expected = made.update(made.init(), SCORES[:40], LABELS[:40])
    for a, b in zip(fx.tree.leaves(state), fx.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    found = made.compute(fx.jit(made.merge)(state, made.init()))
    assert set(found) == set(made.metrics) and float(found["accuracy"]) == float(
        made.compute(expected)["accuracy"]
    )


def test_nothing():
    for metric in (
        metrics.Accuracy(),
        metrics.MeanSquaredError(),
        metrics.Perplexity(),
        metrics.Mean(),
        metrics.R2(),
    ):
        assert np.isnan(metric.compute(metric.init())), metric
    assert metrics.Precision().compute(metrics.Precision().init()) == 0
    assert np.isnan(metrics.Bleu().compute(metrics.Bleu().init()))
    assert np.isnan(metrics.accuracy(np.zeros((0, 3)), np.zeros(0, int)))


def test_wrong_input():
    for wrong, error, text in itertools.chain(
        [
            (lambda: metrics.accuracy(SCORES, LABELS[:5]), fx.ShapeError, r"\(60, 4\).*\(5,\)"),
            (lambda: metrics.accuracy(BINARY, POSITIVE + 0.0), fx.DTypeError, "float64"),
            (
                lambda: metrics.confusion_matrix(LABELS, LABELS, 3),
                fx.OutOfBoundsError,
                "3 is not one of 3 classes",
            ),
            (lambda: metrics.Precision(3), fx.ArgumentError, "'macro'"),
            (lambda: metrics.Precision(3, "mean"), fx.ArgumentError, "'mean'"),
            (lambda: metrics.ConfusionMatrix(3, "rows"), fx.ArgumentError, "'rows'"),
            (lambda: metrics.roc_auc(BINARY, POSITIVE * 2), fx.ArgumentError, "0 or 1"),
            (lambda: metrics.roc_auc([np.nan, 1.0], [0, 1]), fx.ArgumentError, "NaN"),
            (lambda: metrics.mse([1.0], [[1.0]]), fx.ShapeError, r"\[1\].*\[1, 1\]"),
            (lambda: metrics.R2(2).of(REAL, TRUTH), fx.ShapeError, r"\(60, 3\)"),
            (lambda: metrics.perplexity(SCORES, LABELS + 0.5), fx.ShapeError, "float64"),
        ]
    ):
        with pytest.raises(error, match=text):
            wrong()
    assert fnp.asarray(metrics.accuracy([True, False], [True, True])) == 0.5
