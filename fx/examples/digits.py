"""Two networks learn to read handwritten digits; the picture shows how, and where they err.

An MLP and a CNN on scikit-learn's 1,797 scans of 8 x 8 pixels, a fifth of them held out and read once, at the end.
Both learn from batches that are mixed (Zhang et al. 2017), with some of the digits turned and shifted. How much, was
chosen on parts of the other four fifths: `--task choose` compares.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import fx
import fx.numpy as fnp
from fx import data, losses, metrics, nn, optim, random, train
from fx.data import transforms

from . import _common as common

BATCH, PEAK = 64, 3e-3
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


class Settings(NamedTuple):
    """How digits are changed before they are learned."""

    mixed: float
    """The parameter of the mixture's distribution, Beta(mixed, mixed); 0: none."""
    disturbed: float
    """The part that is turned and shifted."""


MODELS = {"mlp": (mlp, 60, Settings(0.2, 0.3)), "cnn": (cnn, 30, Settings(0.2, 0.3))}
"""How each is made, the epochs it is given, and the best of the candidates with seed 0."""
CANDIDATES = [Settings(mixed, disturbed) for mixed in (0.0, 0.2, 0.4) for disturbed in (0.0, 0.3, 0.6)]
ROUNDS = 3
"""Validations of each candidate, with another fifth of the digits to learn from each time."""


class Trained(NamedTuple):
    """A model that has learned, and what it says of the held-out digits."""

    name: str
    history: train.History
    probabilities: np.ndarray
    """(n, 10), of each class."""
    labels: np.ndarray
    """What they are: (n,)."""

    @property
    def said(self) -> np.ndarray:
        """The most likely class of each: (n,)."""
        return self.probabilities.argmax(-1)

    @property
    def wrong(self) -> int:
        """How many are misread."""
        return int((self.said != self.labels).sum())

    @property
    def accuracy(self) -> float:
        """The part that is read."""
        return 1.0 - self.wrong / len(self.labels)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, draw, and say what came out."""
    options = common.parse(
        "digits", __doc__, arguments, needs=["sklearn"],
        model=(("both", *MODELS), "what to train"),
        task=(("test", "choose"), "learn, then read the digits held out; or compare settings without them"),
        scale=(1.0, "epochs, as a multiple of the usual ones"),
    )  # fmt: skip
    learned, held_out = load(options.key)
    options.say(f"{len(learned['y'])} digits to learn from, {len(held_out['y'])} held out.")
    names = list(MODELS) if options.model == "both" else [options.model]
    if options.task == "choose":
        return choose(options, names, learned)
    results = [learn(options, name, MODELS[name][2], learned, held_out) for name in names]
    draw(results, held_out, options.out)
    return options.conclude(
        "held-out accuracy " + ", ".join(f"{r.name} {100 * r.accuracy:.2f} %" for r in results)
    )


def choose(options: common.Options, names: Sequence[str], learned: Any) -> int:
    """Compare the candidates on parts of the digits to learn from; the digits held out are not read."""
    keys = random.split(random.fold_in(options.key, 2), ROUNDS)
    parts = [common.split(key, learned) for key in keys]
    found = np.zeros((len(CANDIDATES), len(names)))
    silent = copy.copy(options)
    silent.quiet = True
    for (i, settings), (j, name) in itertools.product(enumerate(CANDIDATES), enumerate(names)):
        found[i, j] = 100 * np.mean([learn(silent, name, settings, *part).accuracy for part in parts])
    header = ["mixed", "disturbed", *(f"{name}, %" for name in names)]
    options.say(
        common.table(header, [[*settings, *row] for settings, row in zip(CANDIDATES, found, strict=True)])
    )
    with common.figure(options.out, "Validation accuracy of the candidates", 6, 4) as figure:
        axes = figure.subplots()
        axes.plot(found, marker="o", label=names)
        axes.set(xlabel="mixed, disturbed", ylabel="%")
        axes.set_xticks(range(len(CANDIDATES)), [f"{a:g}, {b:g}" for a, b in CANDIDATES], rotation=45)
        axes.legend()
    best = [CANDIDATES[i] for i in found.argmax(0)]
    return options.conclude("best are " + ", ".join(f"{n}: {s}" for n, s in zip(names, best, strict=True)))


def load(key: Any) -> tuple[Any, Any]:
    """Both parts: {"x": (n, 8, 8, 1) float32 in [0, 4], "y": (n,)}."""
    from sklearn import datasets

    pixels, labels = datasets.load_digits(return_X_y=True)
    return common.split(key, {"x": (pixels / 4).astype(np.float32).reshape(-1, 8, 8, 1), "y": labels})


def learn(options: common.Options, name: str, settings: Settings, learned: Any, held_out: Any) -> Trained:
    """The training of one model, and what it then says of the digits held out."""
    make, epochs, _ = MODELS[name]
    model, epochs = make(), max(1, round(epochs * options.scale))
    init_key, order_key, step_key = random.split(random.fold_in(options.key, 1), 3)
    loader = data.Loader(data.Arrays(learned), BATCH, key=order_key, drop_last=True)
    steps = epochs * len(loader)
    rate = optim.warmup_cosine_decay_schedule(0.0, PEAK, steps // 20, steps)
    params, state = model.init(init_key)
    options.say(f"\n{name}, {epochs} epochs\n{nn.summary(model, params, learned['x'][:1], state=state)}")

    def loss_fn(params: Any, batch: Any, state: Any, key: Any) -> Any:
        turn_key, mix_key, model_key = random.split(key, 3)
        x, y = sometimes(turn_key, batch["x"], settings.disturbed), nn.one_hot(batch["y"], 10)
        if settings.mixed:
            x, y = transforms.mixup(mix_key, x, y, settings.mixed)
        logits, state = model.apply(params, x, state=state, key=model_key)
        return losses.softmax_cross_entropy(logits, y, reduction="mean"), state

    predict = fx.jit(lambda params, state, x: model.apply(params, x, state=state)[0])
    error = lambda *now: 100.0 - 100.0 * metrics.accuracy(predict(*now, learned["x"]), learned["y"])
    result = train.fit(
        loss_fn,
        params,
        loader,
        optim.adamw(rate, weight_decay=1e-2),
        epochs=epochs,
        state=state,
        key=step_key,
        evaluate=lambda *now: {"misread": error(*now)},
        callbacks=[common.Lines(options)],
        show=False,
    )
    probabilities = nn.softmax(predict(result.params, result.state, held_out["x"]))
    return Trained(name, result.history, np.asarray(probabilities), held_out["y"])


def sometimes(key: Any, images: Any, part: float) -> fx.Array:
    """A part of the images, by chance, turned and shifted. images: (batch, 8, 8, 1)."""
    which_key, *keys = random.split(key, len(images) + 1)
    which = random.bernoulli(which_key, part, (len(images), 1, 1, 1))
    return fnp.where(which, fx.vmap(disturb)(fnp.stack(keys), images), images)


def draw(results: Sequence[Trained], held_out: Any, path: Any) -> None:
    """Curves, then for each model its confusions and its errors."""
    found = " and ".join(f"{r.name.upper()} misreads {r.wrong}" for r in results)
    title = f"The {found} of {len(held_out['y'])} held-out digits"
    with common.figure(path, title, 12, 2.2 + 2.9 * len(results)) as figure:
        curves, *parts = figure.subfigures(1 + len(results), 1, height_ratios=[0.75, *[1.0] * len(results)])
        draw_curves(curves, results)
        for part, result in zip(parts, results, strict=True):
            draw_errors(part, result, held_out)


def draw_curves(figure: Any, results: Sequence[Trained]) -> None:
    """Loss and errors of all models."""
    loss, error = figure.subplots(1, 2)
    for result, color in zip(results, common.COLORS, strict=False):
        epochs = result.history["epoch"]
        loss.plot(epochs, result.history["loss"], color=color, label=result.name.upper())
        label = f"{result.name.upper()}, of those held out {100 - 100 * result.accuracy:.2f} % in the end"
        error.plot(epochs, result.history["misread"], color=color, label=label)
    loss.set(title="Training loss, of mixed digits", xlabel="epoch", ylabel="cross-entropy")
    error.set(
        title="Digits to learn from that are misread",
        xlabel="epoch",
        ylabel="%",
        yscale="symlog",
        ylim=(0, 100),
    )
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
