"""A transformer reads Python's standard library, character by character, and then writes some of its own.

One module in ten is held out; the measure is the perplexity of its characters: among how many equally likely ones the
model hesitates. Counting characters gives about 25, counting them after the one before 12, after the two before 7.6;
with the default options the model comes below 5. The sample is generated with a cache of keys and values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import fx
from fx import data, lax, losses, metrics, nn, optim, random, train

from . import _common as common

ALPHABET = "\n" + "".join(map(chr, range(32, 127)))
"""All characters the model knows; others are read as '?'."""
BOUND = 5.0
"""The perplexity that the default options go below."""
PEAK = 4e-3
ASKED = 128
"""Windows of held-out text that are asked for, about."""
PROMPTS = "def ", "for ", "try:", "self", "# It"
"""Beginnings of what is written, of one length."""


class LanguageModel(nn.Layer):
    """ids (..., length) -> logits of the next character (..., length, characters)."""

    width: int = 128
    depth: int = 4
    heads: int = 4

    def layers(self) -> dict[str, nn.Layer]:
        block = nn.TransformerEncoderLayer(
            self.width, self.heads, positions="rotary", norm=nn.RMSNorm, use_bias=False
        )
        return {
            "embed": nn.Embedding(len(ALPHABET), self.width),
            "encoder": nn.TransformerEncoder(block, self.depth),
            "head": nn.Linear(self.width, len(ALPHABET)),
        }

    def forward(self, p: Any, ids: Any, cache: Any = None) -> Any:
        if cache is None:
            return p.head(p.encoder(p.embed(ids), is_causal=True))
        x, cache = p.encoder(p.embed(ids), cache=cache)
        return p.head(x), cache

    def cache(self, batch: int, length: int) -> Any:
        """Empty, for `length` characters."""
        return self.members.layers["encoder"].cache(batch, length)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, train, write, draw, and say what came out."""
    options = common.parse(
        "characters", __doc__, arguments,
        rounds=(12, "times to ask for the held-out text"),
        steps=(100, "steps of training before each"),
        batch=(8, "windows of text in a step"),
        length=(256, "characters in a window"),
        width=(128, "width of the transformer"),
        depth=(4, "its layers"),
    )  # fmt: skip
    learned, held_out = read_library()
    check(options, len(held_out))
    options.say(f"{len(learned):,} characters to learn from, {len(held_out):,} held out.")
    model = LanguageModel(options.width, options.depth)
    asked = windows(held_out, options.length)[:: max(1, len(held_out) // options.length // ASKED)]
    result = learn(options, model, learned, asked)
    count = options.length - len(PROMPTS[0])
    text = "\n\n".join(write(model, result.params, random.fold_in(options.key, 2), PROMPTS, count))
    options.say(f"\n{text}\n")
    surprise = surprises(model, result.params, held_out, options.length)
    draw(result.history, counted(learned, asked), *surprise, text, options.out)
    found, steps = result.history["perplexity"][-1], result.history["step"][-1]
    return options.conclude(f"held-out perplexity {found:.2f} after {steps} steps")


def check(options: common.Options, count: int) -> None:
    """Refuse sizes that `count` characters of held-out text or the model cannot have."""
    shortest, twice = len(PROMPTS[0]) + 1, 2 * LanguageModel.heads
    if not shortest <= options.length < count:
        common.refuse(f"--length {options.length}: windows are of {shortest} to {count - 1} characters.")
    if options.width % twice:
        common.refuse(f"--width {options.width} is not a multiple of {twice}, twice the heads.")


def encode(text: str) -> np.ndarray:
    """The number of each character: (length,) int32."""
    number = {character: i for i, character in enumerate(ALPHABET)}
    return np.array([number.get(c, number["?"]) for c in text], np.int32)


def decode(ids: Any) -> str:
    """The text of numbers."""
    return "".join(ALPHABET[i] for i in np.asarray(ids))


def read_library() -> tuple[np.ndarray, np.ndarray]:
    """(to learn from, held out): the modules at the top of the standard library, every tenth held out."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in common.library()]
    part = lambda held: encode("\n".join(text for i, text in enumerate(texts) if (i % 10 == 5) == held))
    return part(False), part(True)


def windows(text: np.ndarray, length: int) -> np.ndarray:
    """The text cut into windows, with the character that follows: (n, length + 1)."""
    count = (len(text) - 1) // length
    return np.stack([text[i * length : (i + 1) * length + 1] for i in range(count)])


def learn(
    options: common.Options, model: LanguageModel, learned: np.ndarray, asked: np.ndarray
) -> train.Result:
    """The training; each round is followed by the perplexity of the windows in `asked`."""
    init_key, order_key = random.split(options.key)
    source = windows(learned, options.length)
    sampler = data.WeightedSampler(np.ones(len(source)), options.steps * options.batch, order_key)
    total = options.rounds * options.steps
    rate = optim.warmup_cosine_decay_schedule(0.0, PEAK, total // 20, total, PEAK / 50)
    params = model.init(init_key)
    options.say(f"{nn.summary(model, params, asked[:1, :-1], depth=2)}")

    def loss_fn(params: Any, ids: Any) -> Any:
        logits = model.apply(params, ids[:, :-1])
        return losses.softmax_cross_entropy_with_integer_labels(logits, ids[:, 1:], reduction="mean")

    return train.fit(
        loss_fn, params, data.Loader(data.Arrays(source), options.batch, sampler=sampler),
        optim.chain(optim.clip_by_global_norm(1.0), optim.adamw(rate, b2=0.98, weight_decay=0.1)),
        epochs=options.rounds,
        evaluate=train.evaluator(
            lambda params, batch: model.apply(params, batch["ids"]),
            data.Loader(data.Arrays({"ids": asked[:, :-1], "next": asked[:, 1:]}), options.batch),
            metrics.Perplexity(), targets="next",
        ),
        callbacks=[common.Lines(options, options.rounds)], show=False,
    )  # fmt: skip


def counted(learned: np.ndarray, asked: np.ndarray) -> dict[str, float]:
    """Perplexities by counting what follows the last 0, 1 and 2 characters, without a model."""
    found = {}
    for n, name in enumerate(["characters", "pairs", "triples"], 1):
        counts = np.full((len(ALPHABET),) * n, 0.01)
        np.add.at(counts, shifted(learned, n), 1)
        shares = counts / counts.sum(-1, keepdims=True)
        found[name] = float(np.exp(-np.log(shares[shifted(asked, n)]).mean()))
    return found


def shifted(text: np.ndarray, n: int) -> tuple[np.ndarray, ...]:
    """n views of a text, each one character further on."""
    return tuple(text[..., i : text.shape[-1] - n + 1 + i] for i in range(n))


def write(
    model: LanguageModel, params: Any, key: Any, prompts: Sequence[str], count: int, temperature: float = 0.6
) -> list[str]:
    """The prompts, each with `count` characters more, drawn one after the other given all before. One compiled loop."""

    @fx.jit
    def generate(params: Any, ids: Any, key: Any) -> fx.Array:
        batch, length = ids.shape
        logits, cache = model.apply(params, ids, cache=model.cache(batch, length + count))

        def step(carry: Any, key: Any) -> Any:
            logits, cache = carry
            chosen = random.categorical(key, logits / temperature)
            logits, cache = model.apply(params, chosen[:, None], cache=cache)
            return (logits[:, -1], cache), chosen

        return lax.scan(step, (logits[:, -1], cache), random.split(key, count))[1].T

    written = generate(params, np.stack([encode(prompt) for prompt in prompts]), key)
    return [prompt + decode(ids) for prompt, ids in zip(prompts, written, strict=True)]


def surprises(
    model: LanguageModel, params: Any, held_out: np.ndarray, length: int, most: int = 2000
) -> tuple[str, np.ndarray]:
    """Held-out text from some method on, and of each character -log(the probability that the model gave it)."""
    text = decode(held_out)
    start = max(0, text.find("\n    def ", len(text) // 3))
    ids = windows(held_out[start : start + most + length], length)
    logits = fx.jit(model.apply)(params, ids[:, :-1])
    cost = losses.softmax_cross_entropy_with_integer_labels(logits, ids[:, 1:])
    return decode(ids[:, 1:].ravel()), np.asarray(cost).ravel()


def draw(
    history: train.History, counts: dict[str, float], read: str, surprise: np.ndarray, written: str, path: Any
) -> None:
    """The learning curve, held-out text with what surprised the model, and what it writes."""
    perplexity = history["perplexity"][-1]
    title = f"Reading held-out code, the model hesitates among {perplexity:.1f} characters on average"
    with common.figure(path, title, 15, 5.6) as figure:
        curve, left, right = figure.subplots(1, 3, width_ratios=(1, 1.25, 1.25))
        draw_curve(curve, history, counts)
        left.set_title("It reads held-out text: the redder, the less expected")
        draw_text(left, read, [(0.1 + 0.8 * min(s / 6, 1), 0.15, 0.18) for s in surprise])
        right.set_title("It writes")
        draw_text(right, written, [common.INK] * len(written))


def draw_curve(axes: Any, history: train.History, counts: dict[str, float]) -> None:
    """Perplexities over steps, above those of counting."""
    axes.plot(history["step"], np.exp(history["loss"]), color=common.BLUE, label="training")
    axes.plot(history["step"], history["perplexity"], color=common.GREEN, label="held out")
    for name, perplexity in counts.items():
        axes.axhline(perplexity, color=common.MUTED, ls=":")
        axes.annotate(
            f"counting {name}: {perplexity:.1f}",
            (history["step"][-1], perplexity),
            ha="right",
            va="bottom",
            color=common.MUTED,
        )
    axes.set(title="Learning", xlabel="step", ylabel="perplexity", yscale="log")
    axes.legend(loc="lower left")


def draw_text(axes: Any, text: str, colors: Sequence[Any], rows: int = 36, columns: int = 72) -> None:
    """Text on a grid of characters, each in its color; lines are wrapped, and what does not fit is left out."""
    common.bare(axes)
    axes.set(xlim=(-0.5, columns), ylim=(rows, -0.5))
    row = column = 0
    for character, color in zip(text, colors, strict=True):
        if character == "\n" or column == columns:
            row, column = row + 1, 0
        if character != "\n":
            if row < rows and character != " ":
                axes.text(
                    column, row + 0.5, character, color=color, family="monospace", fontsize=7, va="center"
                )
            column += 1


if __name__ == "__main__":
    raise SystemExit(main())
