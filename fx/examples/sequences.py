"""An LSTM says which module of the standard library a line of code comes from, whatever its length.

Lines of eight modules, each line once; a fifth is held out. They are read character by character; the batch is padded,
and `lengths` tells the layer where each line ends. The picture also shows the model changing its mind as it reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import fx
from fx import data, losses, metrics, nn, optim, random, train

from . import _common as common

MODULES = ("argparse", "doctest", "inspect", "pickle", "statistics", "subprocess", "tarfile", "typing")
SHORTEST, LONGEST = 12, 64
"""Characters of a line, without the indentation; longer ones are cut."""
FIRST, CHARACTERS = 32, 95
"""The printable characters of ASCII."""
BATCH, PEAK = 64, 5e-3
COLORS = (*common.COLORS, "#1b9aaa", "#a05195", common.MUTED)
"""Of the modules."""


class Classifier(nn.Layer):
    """ids (batch, time), lengths (batch,) -> logits (batch, modules), or of all places (batch, time, modules)."""

    hidden: int = 96

    def layers(self) -> dict[str, nn.Layer]:
        return {
            "embed": nn.Embedding(CHARACTERS, 32),
            "lstm": nn.LSTM(32, self.hidden),
            "drop": nn.Dropout(0.3),
            "head": nn.Linear(self.hidden, len(MODULES)),
        }

    def forward(self, p: Any, ids: Any, lengths: Any, everywhere: bool = False) -> fx.Array:
        outputs, [(last, _)] = p.lstm(p.embed(ids), lengths=lengths)
        return p.head(p.drop(outputs if everywhere else last))


class Found(NamedTuple):
    """What came out for the held-out lines."""

    history: train.History
    probabilities: np.ndarray
    """(n, time, modules), after each character; what follows the end of a line says nothing."""
    final: np.ndarray
    """(n, modules), at the end."""

    @property
    def said(self) -> np.ndarray:
        """The most likely module of each line: (n,)."""
        return self.final.argmax(-1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the modules, train, draw, and say what came out."""
    options = common.parse(
        "sequences", __doc__, arguments,
        epochs=(10, "passes over the lines"),
        hidden=(96, "width of the LSTM"),
        lines=(2000, "lines of each module at most"),
    )  # fmt: skip
    learned, held_out = common.split(options.key, read_lines(options.lines))
    if len(learned["y"]) < BATCH:
        common.refuse(f"{len(learned['y'])} lines are less than a batch of {BATCH}; give more --lines.")
    options.say(f"{len(learned['y'])} lines to learn from, {len(held_out['y'])} held out.")
    found = learn(options, Classifier(options.hidden), learned, held_out)
    options.say(
        "\n" + common.table(["module", "lines", "precision", "recall"], per_module(found, held_out["y"]))
    )
    draw(found, held_out, options.out)
    largest = np.bincount(held_out["y"]).argmax()
    return options.conclude(
        f"held-out accuracy {100 * found.history['accuracy'][-1]:.1f} %; "
        f"always saying {MODULES[largest]} gives {100 * np.mean(held_out['y'] == largest):.1f} %"
    )


def read_lines(most: int) -> dict[str, np.ndarray]:
    """{"ids": (n, LONGEST), "length": (n,), "y": (n,)}: lines that occur once in one module, indentation removed."""
    text = {path.stem: path.read_text(encoding="utf-8", errors="replace") for path in common.library()}
    lines = [
        (line.strip()[:LONGEST].rstrip(), label)
        for label, module in enumerate(MODULES)
        for line in text[module].splitlines()
    ]
    times = Counter(line for line, _ in lines)
    single = [
        (line, label)
        for line, label in lines
        if len(line) >= SHORTEST and line.isascii() and line.isprintable() and times[line] == 1
    ]
    kept = [pair for label in range(len(MODULES)) for pair in [p for p in single if p[1] == label][:most]]
    ids = np.zeros((len(kept), LONGEST), np.int32)
    for row, (line, _) in zip(ids, kept, strict=True):
        row[: len(line)] = np.frombuffer(line.encode(), np.uint8) - FIRST
    return {
        "ids": ids,
        "length": np.array([len(line) for line, _ in kept], np.int32),
        "y": np.array([label for _, label in kept]),
    }


def learn(options: common.Options, model: Classifier, learned: Any, held_out: Any) -> Found:
    """The training, and what the model says of the held-out lines."""
    init_key, order_key, step_key = random.split(random.fold_in(options.key, 1), 3)
    loader = data.Loader(data.Arrays(learned), BATCH, key=order_key, drop_last=True)
    steps = options.epochs * len(loader)
    rate = optim.warmup_cosine_decay_schedule(0.0, PEAK, steps // 20, steps)
    params = model.init(init_key)
    options.say(f"{nn.summary(model, params, learned['ids'][:1], learned['length'][:1])}")

    def loss_fn(params: Any, batch: Any, key: Any) -> Any:
        logits = model.apply(params, batch["ids"], batch["length"], key=key)
        return losses.softmax_cross_entropy_with_integer_labels(logits, batch["y"], reduction="mean")

    predict = fx.jit(lambda params: model.apply(params, held_out["ids"], held_out["length"]))
    result = train.fit(
        loss_fn, params, loader,
        optim.chain(optim.clip_by_global_norm(1.0), optim.adamw(rate, weight_decay=1e-2)),
        epochs=options.epochs, key=step_key,
        evaluate=lambda params: {"accuracy": metrics.accuracy(predict(params), held_out["y"])},
        callbacks=[common.Lines(options)], show=False,
    )  # fmt: skip
    reading = fx.jit(lambda params: model.apply(params, held_out["ids"], held_out["length"], everywhere=True))
    probabilities = np.asarray(nn.softmax(reading(result.params)))
    return Found(result.history, probabilities, np.asarray(nn.softmax(predict(result.params))))


def per_module(found: Found, labels: np.ndarray) -> list[tuple[str, int, float, float]]:
    """For each module (name, held-out lines, precision, recall)."""
    kinds = [f(found.said, labels, len(MODULES), None) for f in (metrics.precision, metrics.recall)]
    counts = np.bincount(labels, minlength=len(MODULES))
    return [(m, int(n), float(p), float(r)) for m, n, p, r in zip(MODULES, counts, *kinds, strict=True)]


def draw(found: Found, held_out: Any, path: Any) -> None:
    """The curve, accuracy by length, confusions, and two lines as they are read."""
    accuracy = found.history["accuracy"][-1]
    title = (
        f"The LSTM tells the module of {100 * accuracy:.1f} % of held-out lines, among {len(MODULES)} modules"
    )
    with common.figure(path, title, 13, 8.5) as figure:
        top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.15))
        curve, lengths, confusions = top.subplots(1, 3, width_ratios=(1, 1, 1.3))
        draw_curve(curve, found)
        draw_lengths(lengths, found, held_out)
        draw_confusions(confusions, found, held_out["y"])
        for axes, i in zip(bottom.subplots(2, 1), changes_of_mind(found, held_out), strict=False):
            draw_reading(axes, found, held_out, i)


def draw_curve(axes: Any, found: Found) -> None:
    """Loss and accuracy over epochs."""
    axes.plot(found.history["epoch"], found.history["loss"], color=common.BLUE, label="training loss")
    axes.plot(
        found.history["epoch"], found.history["accuracy"], color=common.GREEN, label="held-out accuracy"
    )
    axes.set(title="Learning", xlabel="epoch", ylim=(0, None))
    axes.legend()


def draw_lengths(axes: Any, found: Found, held_out: Any) -> None:
    """Accuracy for lines of about one length."""
    edges = np.linspace(SHORTEST, LONGEST + 1, 8)
    right, bins = found.said == held_out["y"], np.digitize(held_out["length"], edges) - 1
    shares = [100 * right[bins == b].mean() if (bins == b).any() else np.nan for b in range(len(edges) - 1)]
    axes.bar(edges[:-1], shares, width=0.85 * np.diff(edges), align="edge", color=common.BLUE)
    axes.set(
        title="Held-out lines of about one length", xlabel="characters", ylabel="accuracy (%)", ylim=(0, 100)
    )


def draw_confusions(axes: Any, found: Found, labels: np.ndarray) -> None:
    """Percent of each module's lines."""
    shares = 100 * np.asarray(metrics.confusion_matrix(found.said, labels, len(MODULES), normalize="true"))
    axes.imshow(shares, cmap="Blues", aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        axes.text(
            column, row, f"{share:.0f}", ha="center", va="center", color="white" if share > 50 else common.INK
        )
    axes.grid(False)
    axes.set(title="Percent of a module's lines taken for", yticks=range(len(MODULES)), yticklabels=MODULES)
    axes.set_xticks(range(len(MODULES)), MODULES, rotation=40, ha="right")


def changes_of_mind(found: Found, held_out: Any) -> np.ndarray:
    """Lines that are told surely in the end, those first over which the model went furthest."""
    inside = np.arange(LONGEST) < held_out["length"][:, None]
    steps = np.abs(np.diff(found.probabilities, axis=1)).sum(-1) * inside[:, 1:]
    sure = (found.said == held_out["y"]) & (found.final.max(-1) > 0.9)
    return np.argsort(-(steps.sum(-1) * sure))


def draw_reading(axes: Any, found: Found, held_out: Any, i: int) -> None:
    """Probabilities of the modules after each character of line i."""
    length = held_out["length"][i]
    line = "".join(chr(FIRST + c) for c in held_out["ids"][i, :length])
    for module, color, share in zip(MODULES, COLORS, found.probabilities[i, :length].T, strict=True):
        axes.plot(range(length), share, color=color, label=module if share.max() > 0.25 else None)
    axes.set(
        title=f"Reading a line of {MODULES[held_out['y'][i]]}",
        ylabel="probability",
        xlim=(-0.5, length - 0.5),
        ylim=(0, 1),
    )
    axes.set_xticks(range(length), line, family="monospace", color=common.INK)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


if __name__ == "__main__":
    raise SystemExit(main())
