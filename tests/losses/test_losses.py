"""Losses against PyTorch: values, derivatives, extreme logits, masks, reductions, labels that do not fit."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

import fx
import fx.numpy as fnp
from fx import losses, nn

F = torch.nn.functional
RNG = np.random.default_rng(0)


def halves(x):
    """The nearest float16 numbers, so that every dtype is asked about the same ones."""
    return x.astype(np.float16).astype(np.float64)


LOGITS = halves(RNG.normal(size=(6, 5)) * 3)
LOGITS[0] *= 1e3
LOGITS[1, 2], LOGITS[2, 3] = 1e4, -1e4
LABELS = RNG.integers(0, 5, 6)
SOFT = halves(RNG.dirichlet(np.ones(5), 6))
SOFT[3] = [1, 0, 0, 0, 0]
TARGETS = halves(RNG.normal(size=(6, 5)))
TARGETS[4] = LOGITS[4]
BINARY = np.concatenate([LOGITS.ravel(), [0, 0, 1e4, 1e4, -1e4, -1e4, 15, -15]])
BITS = np.concatenate([SOFT.ravel() > 0.3, [0, 1, 0, 1, 0, 1, 1, 0]]).astype(float)

integer_loss = losses.softmax_cross_entropy_with_integer_labels


def tensor(x):
    return torch.tensor(np.asarray(x))


CASES = {
    "integer labels": (
        LOGITS, lambda x: integer_loss(x, LABELS), lambda t: F.cross_entropy(t, tensor(LABELS), reduction="none")
    ),
    "integer labels, first axis": (
        LOGITS.T.copy(),
        lambda x: integer_loss(x, LABELS, axis=0),
        lambda t: F.cross_entropy(t.T, tensor(LABELS), reduction="none"),
    ),
    "distributions": (
        LOGITS,
        lambda x: losses.softmax_cross_entropy(x, SOFT.astype(x.dtype)),
        lambda t: F.cross_entropy(t, tensor(SOFT).to(t.dtype), reduction="none"),
    ),
    "distributions, first axis": (
        LOGITS.T.copy(),
        lambda x: losses.softmax_cross_entropy(x, SOFT.T.astype(x.dtype), axis=0),
        lambda t: F.cross_entropy(t.T, tensor(SOFT).to(t.dtype), reduction="none"),
    ),
    "binary": (
        BINARY,
        lambda x: losses.sigmoid_binary_cross_entropy(x, BITS.astype(x.dtype)),
        lambda t: F.binary_cross_entropy_with_logits(t, tensor(BITS).to(t.dtype), reduction="none"),
    ),
    "squared": (
        LOGITS,
        lambda x: losses.squared_error(x, TARGETS.astype(x.dtype)),
        lambda t: F.mse_loss(t, tensor(TARGETS).to(t.dtype), reduction="none"),
    ),
    "absolute": (
        LOGITS,
        lambda x: losses.l1(x, TARGETS.astype(x.dtype)),
        lambda t: F.l1_loss(t, tensor(TARGETS).to(t.dtype), reduction="none"),
    ),
    "huber": (
        LOGITS,
        lambda x: losses.huber(x, TARGETS.astype(x.dtype), 0.7),
        lambda t: F.huber_loss(t, tensor(TARGETS).to(t.dtype), delta=0.7, reduction="none"),
    ),
    "mse": (
        LOGITS,
        lambda x: losses.mse(x, TARGETS.astype(x.dtype)),
        lambda t: F.mse_loss(t, tensor(TARGETS).to(t.dtype)),
    ),
    "mae": (
        LOGITS,
        lambda x: losses.mae(x, TARGETS.astype(x.dtype)),
        lambda t: F.l1_loss(t, tensor(TARGETS).to(t.dtype)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 2e-6), ("float16", 4e-3)])
@pytest.mark.parametrize("case", CASES)
def test_against_torch(case, dtype, tolerance):
    values, ours, theirs = CASES[case]
    if dtype == "float16" and case in ("squared", "mse"):
        values = np.clip(values, -100, 100)
    x = values.astype(dtype)
    t = torch.tensor(x.astype(np.float32 if dtype == "float16" else dtype), requires_grad=True)
    expected = theirs(t)
    weights = RNG.normal(size=tuple(expected.shape)).astype(dtype)
    (expected * torch.tensor(weights)).sum().backward()
    found = ours(x)
    gradient = fx.grad(lambda x: (ours(x).astype(fnp.float64) * weights).sum())(x)
    assert found.dtype == gradient.dtype == dtype
    expected = expected.detach().numpy()
    np.testing.assert_allclose(np.asarray(found), expected, rtol=tolerance, atol=tolerance)
    scale = max(1, np.abs(t.grad.numpy()).max())
    np.testing.assert_allclose(np.asarray(gradient), t.grad.numpy(), rtol=tolerance, atol=tolerance * scale)
    np.testing.assert_allclose(np.asarray(fx.jit(ours)(x)), np.asarray(found), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["squared_error", "absolute_error", "huber", "sigmoid_binary_cross_entropy"])
def test_reductions(name):
    loss = getattr(losses, name)
    x, y = RNG.normal(size=(3, 4)), RNG.uniform(size=(3, 4))
    mask = np.arange(12).reshape(3, 4) % 3 > 0
    each = np.asarray(loss(x, y))
    assert each.shape == (3, 4)
    assert float(loss(x, y, reduction="sum")) == pytest.approx(each.sum())
    assert float(loss(x, y, reduction="mean")) == pytest.approx(each.mean())
    assert np.array_equal(loss(x, y, where=mask), np.where(mask, each, 0))
    assert float(loss(x, y, where=mask, reduction="sum")) == pytest.approx(each[mask].sum())
    assert float(loss(x, y, where=mask, reduction="mean")) == pytest.approx(each[mask].mean())
    assert float(loss(x, y, where=mask[0], reduction="mean")) == pytest.approx(each[:, mask[0]].mean())
    with pytest.raises(fx.ArgumentError, match=r"'avg'(.|\n)*'none', 'sum' or 'mean'"):
        loss(x, y, reduction="avg")


def test_what_does_not_count_reaches_neither_value_nor_derivative():
    logits, labels, soft = LOGITS.copy(), LABELS.copy(), SOFT.copy()
    logits[1], labels[1], soft[1] = np.nan, -100, 0
    mask = np.arange(6) != 1
    for loss, y, clean in (
        (integer_loss, labels, LABELS),
        (losses.softmax_cross_entropy, soft, SOFT),
    ):
        mean, gradient = fx.value_and_grad(lambda x: loss(x, y, where=mask, reduction="mean"))(logits)
        assert float(mean) == pytest.approx(np.asarray(loss(LOGITS, clean))[mask].mean())
        assert np.isfinite(np.asarray(gradient)).all()
        assert not np.asarray(gradient)[1].any()
    for loss in (losses.squared_error, losses.huber, losses.l1, losses.sigmoid_binary_cross_entropy):
        rows = np.broadcast_to(mask[:, None], logits.shape)
        gradient = fx.grad(lambda x: loss(x, soft, where=rows, reduction="mean"))(logits)
        assert np.isfinite(np.asarray(gradient)).all()


def test_confident_binary_losses_keep_their_precision():
    found = losses.sigmoid_binary_cross_entropy(fnp.asarray([15.0, -15.0]), fnp.asarray([1.0, 0.0]))
    np.testing.assert_allclose(np.asarray(found), np.log1p(np.exp(-15.0)), rtol=1e-6)


def test_impossible_classes():
    logits = np.asarray([[-np.inf, 0.0, 0.0], [-np.inf, 0.0, 0.0]])
    labels = np.asarray([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    found = np.asarray(losses.softmax_cross_entropy(logits, labels))
    assert found[0] == pytest.approx(np.log(2))
    assert found[1] == np.inf
    gradient = np.asarray(fx.grad(lambda x: losses.softmax_cross_entropy(x, labels)[0])(logits))
    np.testing.assert_allclose(gradient[0], [0, -0.5, 0.5])
    assert np.asarray(integer_loss(logits, [1, 0])).tolist() == [pytest.approx(np.log(2)), np.inf]
    gradient = np.asarray(fx.grad(lambda x: integer_loss(x, np.asarray([1, 2])).sum())(logits))
    assert np.isfinite(gradient).all()


def test_derivatives_by_labels():
    x, y = fnp.asarray(LOGITS[4:]), fnp.asarray(SOFT[4:])
    by_labels = fx.grad(lambda y: losses.softmax_cross_entropy(x, y, reduction="sum"))(y)
    np.testing.assert_allclose(np.asarray(by_labels), -np.asarray(nn.log_softmax(x)), rtol=1e-10)


def test_both_ways_to_compare_labels_agree():
    many = RNG.integers(0, 3000, 40)
    logits = RNG.normal(size=(40, 3000))
    expected = F.cross_entropy(tensor(logits), tensor(many), reduction="none").numpy()
    np.testing.assert_allclose(np.asarray(integer_loss(logits, many)), expected, rtol=1e-12)
    np.testing.assert_allclose(np.asarray(fx.jit(integer_loss)(logits, many)), expected, rtol=1e-12)
    np.testing.assert_allclose(np.asarray(fx.vmap(integer_loss)(logits, many)), expected, rtol=1e-12)


@pytest.mark.parametrize("bad", [5, -1, -100])
def test_labels_out_of_range(bad):
    labels = LABELS.copy()
    labels[2] = bad
    for call in (
        lambda: integer_loss(LOGITS, labels),
        lambda: fx.value_and_grad(lambda x: integer_loss(x, labels, reduction="mean"))(LOGITS),
        lambda: integer_loss(LOGITS, fnp.asarray(labels).astype(fnp.int32)),
    ):
        with pytest.raises(fx.OutOfBoundsError, match=rf"label {bad} .*0 to 4.*1 of 6"):
            call()
    unknown = np.asarray(fx.jit(integer_loss)(LOGITS, labels))
    assert np.isnan(unknown).tolist() == [False, False, True, False, False, False]


def test_arguments_that_do_not_fit():
    with pytest.raises(fx.DTypeError, match=r"integers.*float64\[6\](.|\n)*softmax_cross_entropy"):
        integer_loss(LOGITS, LABELS.astype(float))
    with pytest.raises(fx.ShapeError, match=r"\(6, 5\).*axis 1.*\(6,\).*\(3,\)"):
        integer_loss(LOGITS, LABELS[:3])
    with pytest.raises(fx.ShapeError, match="one-hot"):
        integer_loss(LOGITS, SOFT > 0.5 if False else np.eye(5, dtype=int)[LABELS])
    with pytest.raises(fx.DTypeError, match=r"int64\[6\](.|\n)*order"):
        integer_loss(LABELS, LOGITS)
    with pytest.raises(fx.ShapeError, match=r"\(\).*axis -1"):
        integer_loss(fnp.asarray(1.0), 0)
    with pytest.raises(fx.ShapeError, match=r"\(6, 5\) and \(6,\)"):
        losses.softmax_cross_entropy(LOGITS, LABELS)
    with pytest.raises(fx.ShapeError, match=r"\(6, 5\) and \(6, 1\)(.|\n)*broadcast"):
        losses.mse(LOGITS, TARGETS[:, :1])
    with pytest.raises(fx.DTypeError, match="where must be boolean"):
        losses.mse(LOGITS, TARGETS, where=np.ones((6, 5), int))
    with pytest.raises(fx.DTypeError, match="complex"):
        losses.huber(LOGITS + 0j, TARGETS)


def test_scalars_and_python_targets():
    assert float(losses.squared_error(fnp.asarray(3.0), 1)) == 4
    assert losses.mse(fnp.ones((2, 3)), 0.0).shape == ()
    assert float(integer_loss(fnp.asarray([0.0, 0.0]), 1)) == pytest.approx(np.log(2))


def test_equations_of_a_training_step():
    model = nn.MLP([64, 128, 10])
    params = model.init(fx.random.key(0))
    x, y = fnp.ones((32, 64)), fnp.asarray(np.arange(32) % 10)

    def loss(params):
        return integer_loss(model.apply(params, x), y, reduction="mean")

    program = fx.make_program(fx.value_and_grad(loss))(params)
    assert len(program.equations) <= 33, program


@pytest.mark.parametrize("package", ["nn", "losses", "optim", "_demo"])
def test_only_public_namespaces_are_imported(package):
    root = Path(fx.__file__).parent
    for path in (root / package).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level <= 1, f"{path}: line {node.lineno}"
                names = [node.module or ""]
            for name in names:
                assert not name.startswith(("fx.core", "fx.primitives", "fx.backends")), (
                    f"{path}: imports {name}"
                )
