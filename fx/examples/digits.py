"""Two networks learn to read handwritten digits; the picture shows how, and where they err.

An MLP and a CNN on scikit-learn's 1,797 scans of 8 x 8 pixels, a fifth of them held out. Both see every batch mixed
(Zhang et al. 2017), and some of the digits turned and shifted: at this size that is what regularizes best.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import fx
import fx.numpy as fnp
from fx import data, losses, metrics, nn, optim, random, train
from fx.data import transforms

from . import _common as common

BATCH, PEAK, MIXED, DISTURBED = 64, 3e-3, 0.4, 0.3
disturb = transforms.Compose([transforms.RandomRotation(8.0), transforms.RandomCrop(8, padding=1)])


def mlp(width: int = 512) -> nn.Layer:
    """Two hidden layers."""
    hidden = lambda features: [nn.Linear(features, width), nn.BatchNorm(width), nn.relu]
    return nn.Sequential([nn.Flatten(), *hidden(64), *hidden(width), nn.Linear(width, 10)])


def cnn(width: int = 32) -> nn.Layer:
    """Three convolutions; the largest answer anywhere in the image counts."""
    conv = lambda i, o: [nn.Conv2d(i, o, 3, padding=1, use_bias=False), nn.BatchNorm(o), nn.relu]
    seen = [
        *conv(1, width),
        *conv(width, width),
        nn.MaxPool2d(2),
        *conv(width, 2 * width),
        nn.GlobalMaxPool2d(),
    ]
    return nn.Sequential([*seen, nn.Linear(2 * width, 10)])


MODELS = {"mlp": (mlp, 60), "cnn": (cnn, 30)}
"""How each is made, and the epochs it is given."""


class Trained(NamedTuple):
    """A model that has learned, and what it says of the held-out digits."""

    name: str
    history: train.History
    probabilities: np.ndarray
    """(n, 10), of each class."""

    @property
    def said(self) -> np.ndarray:
        """The most likely class of each: (n,)."""
        return self.probabilities.argmax(-1)

    @property
    def accuracy(self) -> float:
        """After the last epoch."""
        return self.history["accuracy"][-1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, draw, and say what came out."""
    options = common.parse(
        "digits", __doc__, arguments, needs=["sklearn"],
        model=(("both", *MODELS), "what to train"),
        scale=(1.0, "epochs, as a multiple of the usual ones"),
    )  # fmt: skip
    learned, held_out = load(options.key)
    options.say(f"{len(learned['y'])} digits to learn from, {len(held_out['y'])} held out.")
    results = []
    for name in MODELS if options.model == "both" else [options.model]:
        make, epochs = MODELS[name]
        epochs = max(1, round(epochs * options.scale))
        results.append(learn(options, name, make(), epochs, learned, held_out))
    draw(results, held_out, options.out)
    return options.conclude(
        "held-out accuracy " + ", ".join(f"{r.name} {100 * r.accuracy:.2f} %" for r in results)
    )


def load(key: Any) -> tuple[Any, Any]:
    """Both parts: {"x": (n, 8, 8, 1) float32 in [0, 4], "y": (n,)}."""
    from sklearn import datasets

    pixels, labels = datasets.load_digits(return_X_y=True)
    return common.split(key, {"x": (pixels / 4).astype(np.float32).reshape(-1, 8, 8, 1), "y": labels})


def learn(
    options: common.Options, name: str, model: nn.Layer, epochs: int, learned: Any, held_out: Any
) -> Trained:
    """The training of one model."""
    init_key, order_key, step_key = random.split(random.fold_in(options.key, 1), 3)
    loader = data.Loader(data.Arrays(learned), BATCH, key=order_key, drop_last=True)
    steps = epochs * len(loader)
    rate = optim.warmup_cosine_decay_schedule(0.0, PEAK, steps // 20, steps)
    params, state = model.init(init_key)
    options.say(f"\n{name}, {epochs} epochs\n{nn.summary(model, params, learned['x'][:1], state=state)}")

    def loss_fn(params: Any, batch: Any, state: Any, key: Any) -> Any:
        turn_key, mix_key, model_key = random.split(key, 3)
        x, y = transforms.mixup(mix_key, sometimes(turn_key, batch["x"]), nn.one_hot(batch["y"], 10), MIXED)
        logits, state = model.apply(params, x, state=state, key=model_key)
        return losses.softmax_cross_entropy(logits, y, reduction="mean"), state

    predict = fx.jit(lambda params, state: model.apply(params, held_out["x"], state=state)[0])
    result = train.fit(
        loss_fn,
        params,
        loader,
        optim.adamw(rate, weight_decay=1e-2),
        epochs=epochs,
        state=state,
        key=step_key,
        evaluate=lambda *now: {"accuracy": metrics.accuracy(predict(*now), held_out["y"])},
        callbacks=[common.Lines(options)],
        show=False,
    )
    return Trained(name, result.history, np.asarray(nn.softmax(predict(result.params, result.state))))


def sometimes(key: Any, images: Any) -> fx.Array:
    """Some of the images turned and shifted. images: (batch, 8, 8, 1)."""
    which_key, *keys = random.split(key, len(images) + 1)
    which = random.bernoulli(which_key, DISTURBED, (len(images), 1, 1, 1))
    return fnp.where(which, fx.vmap(disturb)(fnp.stack(keys), images), images)


def draw(results: Sequence[Trained], held_out: Any, path: Any) -> None:
    """Curves, then for each model its confusions and its errors."""
    best = max(results, key=lambda r: r.accuracy)
    wrong = int((best.said != held_out["y"]).sum())
    title = f"The {best.name.upper()} misreads {wrong} of {len(held_out['y'])} held-out digits"
    with common.figure(path, title, 12, 2.2 + 2.9 * len(results)) as figure:
        curves, *parts = figure.subfigures(1 + len(results), 1, height_ratios=[0.75, *[1.0] * len(results)])
        draw_curves(curves, results)
        for part, result in zip(parts, results, strict=True):
            draw_errors(part, result, held_out)


def draw_curves(figure: Any, results: Sequence[Trained]) -> None:
    """Loss and accuracy of all models."""
    loss, error = figure.subplots(1, 2)
    for result, color in zip(results, common.COLORS, strict=False):
        epochs = result.history["epoch"]
        loss.plot(epochs, result.history["loss"], color=color, label=result.name.upper())
        wrong = [100 * (1 - a) for a in result.history["accuracy"]]
        error.plot(epochs, wrong, color=color, label=f"{result.name.upper()}: {wrong[-1]:.2f} % in the end")
    loss.set(title="Training loss, of mixed digits", xlabel="epoch", ylabel="cross-entropy")
    error.set(title="Held-out digits misread", xlabel="epoch", ylabel="%", yscale="symlog", ylim=(0, 100))
    loss.legend()
    error.legend()


def draw_errors(figure: Any, result: Trained, held_out: Any) -> None:
    """The confusion matrix, and the digits that were misread or nearly so."""
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.6))
    draw_confusions(left.subplots(), result, held_out["y"])
    sure = result.probabilities[np.arange(len(result.said)), held_out["y"]]
    is_right = result.said == held_out["y"]
    order = np.lexsort([sure, is_right])
    right.suptitle("Misread, then the least sure: read as (true digit)", x=0.01, ha="left", fontsize=10)
    for axes, i in zip(right.subplots(2, 7).flat, order, strict=False):
        common.bare(axes)
        axes.imshow(held_out["x"][i, :, :, 0], cmap="gray_r")
        color = common.GREEN if is_right[i] else common.RED
        axes.set_title(f"{result.said[i]} ({held_out['y'][i]})", color=color, loc="center")


def draw_confusions(axes: Any, result: Trained, labels: np.ndarray) -> None:
    """Counts of (true digit, read as)."""
    counts = np.asarray(metrics.confusion_matrix(result.said, labels, num_classes=10))
    axes.imshow(np.log1p(counts), cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            ink = "white" if row == column else common.RED
            axes.text(column, row, count, ha="center", va="center", color=ink, fontsize=8)
    axes.grid(False)
    axes.set(title=f"{result.name.upper()}: confusions", xlabel="read as", ylabel="true digit")
    axes.set(xticks=range(10), yticks=range(10))


if __name__ == "__main__":
    raise SystemExit(main())
