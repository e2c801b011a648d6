"""An ensemble of networks predicts how diabetes progresses, and knows how far it may be off.

Each member sees a resampling of the patients of its own and predicts a mean and a variance (deep ensembles,
Lakshminarayanan et al. 2017). The training of one member is a function of a key; `vmap` over keys trains all of them.
Scikit-learn's 442 patients, a quarter held out, in several ways; its ridge regression is the measure. As that chooses
its penalty among the patients it learns from, so does the ensemble its weight decay: by what members say of patients
that their resampling has left out (Breiman 1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import fx
import fx.numpy as fnp
from fx import lax, losses, metrics, nn, optim, random

from . import _common as common

RATE, WEIGHT_DECAYS = 1e-2, np.array([0.3, 1.0, 3.0, 10.0], np.float32)
TRIED = 16
"""Members that try each weight decay."""
NORMAL = {0.5: 0.6745, 0.68: 0.9945, 0.8: 1.2816, 0.9: 1.6449, 0.95: 1.9600}
"""Quantiles of the normal distribution: what part lies within so many standard deviations."""


class Patients(NamedTuple):
    """What is known and what is asked: x (n, 10), y (n,); float32, in units of their spread."""

    x: Any
    y: Any


class Found(NamedTuple):
    """What came out for the held-out patients of a split: all (n,), in the unit of the target, 25 to 346."""

    truth: np.ndarray
    mean: np.ndarray
    noise: np.ndarray
    """Standard deviation that the members predict: what these data cannot tell."""
    doubt: np.ndarray
    """Standard deviation of the members' means: what more patients would tell."""
    one: np.ndarray
    """Mean of a single member."""
    ridge: np.ndarray

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation of noise and doubt together."""
        return np.hypot(self.noise, self.doubt)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train on every split, compare, draw, and say what came out."""
    options = common.parse(
        "diabetes", __doc__, arguments, needs=["sklearn"],
        members=(64, "networks in the ensemble"),
        splits=(20, "ways to hold out a quarter of the patients"),
        steps=(100, "steps of training of each"),
        hidden=(32, "width of the hidden layer"),
    )  # fmt: skip
    model = nn.MLP([10, options.hidden, 2], activation=nn.gelu)
    options.say(
        f"{options.members} networks 10 - {options.hidden} - 2 for each of {options.splits} splits.\n"
    )

    @fx.jit
    def ensemble(keys: Any, decay: Any, learned: Patients, held_out: Patients) -> Any:
        """(means, variances), each (members, n), in units of the target's spread."""

        def member(key: Any) -> Any:
            params, _ = learn(model, key, decay, learned, options.steps)
            return distribution(model, params, held_out.x)

        return fx.vmap(member)(keys)

    @fx.jit
    def errors(keys: Any, learned: Patients) -> Any:
        """The mean squared error of each weight decay for patients that members have not seen."""
        return fx.vmap(lambda decay: left_out(model, keys, decay, learned, options.steps))(WEIGHT_DECAYS)

    found, decays = [], []
    for key in random.split(options.key, options.splits):
        learned, held_out, unit = load(key)
        keys, tried = random.split(key, options.members), random.split(random.fold_in(key, 1), TRIED)
        decays.append(WEIGHT_DECAYS[int(errors(tried, learned).argmin())])
        means, variances = ensemble(keys, decays[-1], learned, held_out)
        found.append(collect(means, variances, ridge_regression(learned, held_out), held_out.y, unit))
    counts = ", ".join(f"{d:g} ({decays.count(d)})" for d in WEIGHT_DECAYS if d in decays)
    options.say(f"Weight decays chosen, and for how many splits: {counts}\n")
    rows = compare(found)
    options.say(common.table(["held out", "R2", "+-", "RMSE"], rows))
    draw(found, rows, options.out)
    wins = sum(r2(f.truth, f.mean) > r2(f.truth, f.ridge) for f in found)
    return options.conclude(
        f"R2 {rows[0][1]:.3f}, ridge {rows[2][1]:.3f}, better in {wins} of {len(found)} splits; "
        f"{100 * coverage(found, 0.9):.0f} % of patients in the 90 % interval"
    )


def load(key: Any) -> tuple[Patients, Patients, tuple[float, float]]:
    """(learned, held out, (mean, standard deviation) of the target)."""
    from sklearn import datasets

    learned, held_out = common.split(key, Patients(*datasets.load_diabetes(return_X_y=True)), 0.25)
    center, spread = fx.tree.map(lambda a: a.mean(0), learned), fx.tree.map(lambda a: a.std(0), learned)
    scaled = lambda part: fx.tree.map(lambda a, c, s: ((a - c) / s).astype(np.float32), part, center, spread)
    return scaled(learned), scaled(held_out), (float(center.y), float(spread.y))


def learn(model: nn.Layer, key: Any, decay: Any, patients: Patients, steps: int) -> tuple[Any, fx.Array]:
    """The parameters of one member, which starts and resamples by its key, and the patients it saw: (n,) places."""
    init_key, choice_key = random.split(key)
    chosen = random.choice(choice_key, len(patients.y), (len(patients.y),))
    x, y = fnp.asarray(patients.x)[chosen], fnp.asarray(patients.y)[chosen]
    optimizer = optim.adamw(optim.cosine_decay_schedule(RATE, steps), weight_decay=decay)

    def loss_fn(params: Any) -> Any:
        mean, variance = distribution(model, params, x)
        return losses.gaussian_nll_loss(mean, y, variance, reduction="mean")

    def step(carry: Any, _: Any) -> Any:
        params, state = carry
        updates, state = optimizer.update(fx.grad(loss_fn)(params), state, params)
        return (optim.apply_updates(params, updates), state), None

    params = model.init(init_key)
    (params, _), _ = lax.scan(step, (params, optimizer.init(params)), None, length=steps)
    return params, chosen


def left_out(model: nn.Layer, keys: Any, decay: Any, patients: Patients, steps: int) -> fx.Array:
    """The mean squared error of small ensembles: of each patient, the members that have not seen it."""

    def member(key: Any) -> tuple[fx.Array, fx.Array]:
        params, chosen = learn(model, key, decay, patients, steps)
        unseen = fnp.ones(len(patients.y)).at[chosen].set(0.0)
        return unseen * distribution(model, params, patients.x)[0], unseen

    said, unseen = (x.sum(0) for x in fx.vmap(member)(keys))
    square = (said / fnp.maximum(unseen, 1.0) - patients.y) ** 2
    return fnp.sum(square, where=unseen > 0) / fnp.sum(unseen > 0)


def distribution(model: nn.Layer, params: Any, x: Any) -> tuple[fx.Array, fx.Array]:
    """(mean, variance) for each patient."""
    y = model.apply(params, x)
    return y[..., 0], nn.softplus(y[..., 1]) + 1e-3


def collect(
    means: Any, variances: Any, ridge: np.ndarray, truth: np.ndarray, unit: tuple[float, float]
) -> Found:
    """The mixture of the members' distributions, in the unit of the target. means, variances: (members, n)."""
    center, spread = unit
    place = lambda y: center + spread * np.asarray(y)
    noise, doubt = fnp.sqrt(variances.mean(0)), means.std(0)
    return Found(
        place(truth),
        place(means.mean(0)),
        spread * np.asarray(noise),
        spread * np.asarray(doubt),
        place(means[0]),
        place(ridge),
    )


def ridge_regression(learned: Patients, held_out: Patients) -> np.ndarray:
    """Scikit-learn's predictions, with the penalty that leave-one-out prefers."""
    from sklearn.linear_model import RidgeCV

    return RidgeCV(np.logspace(-2, 3, 30)).fit(*learned).predict(held_out.x)


def r2(truth: np.ndarray, predictions: np.ndarray) -> float:
    """The part of the variance that is explained."""
    return float(metrics.r2(predictions, truth))


def compare(found: Sequence[Found]) -> list[tuple[str, float, float, float]]:
    """For each model (name, mean R2, its standard deviation over splits, mean RMSE)."""
    rows = []
    for name, field in {"ensemble": "mean", "one member": "one", "ridge": "ridge"}.items():
        scores = [r2(f.truth, getattr(f, field)) for f in found]
        errors = [float(metrics.rmse(getattr(f, field), f.truth)) for f in found]
        rows.append((name, float(np.mean(scores)), float(np.std(scores)), float(np.mean(errors))))
    return rows


def coverage(found: Sequence[Found], level: float) -> float:
    """The part of held-out patients inside the interval that should hold `level` of them."""
    inside = [np.abs(f.truth - f.mean) < NORMAL[level] * f.spread for f in found]
    return float(np.mean(np.concatenate(inside)))


def draw(found: Sequence[Found], rows: Sequence[tuple[str, float, float, float]], path: Any) -> None:
    """Predictions of the first split, R2 of all of them, and whether intervals hold what they say."""
    ours, theirs = 100 * rows[0][1], 100 * rows[2][1]
    title = f"The ensemble explains {ours:.1f} % of the variance, ridge regression {theirs:.1f} %"
    with common.figure(path, title, 13, 4.6) as figure:
        predictions, splits, intervals = figure.subplots(1, 3, width_ratios=(1.25, 1, 1))
        draw_predictions(predictions, found[0])
        draw_splits(splits, found)
        draw_intervals(intervals, found)


def draw_predictions(axes: Any, found: Found) -> None:
    """Every held-out patient in the order of the predictions, with 90 % intervals."""
    order = np.argsort(found.mean)
    place, width = np.arange(len(order)), NORMAL[0.9]
    mean, spread, doubt = found.mean[order], found.spread[order], found.doubt[order]
    axes.fill_between(
        place,
        mean - width * spread,
        mean + width * spread,
        color=common.BLUE,
        alpha=0.15,
        lw=0,
        label="90 %: noise and doubt",
    )
    axes.fill_between(
        place,
        mean - width * doubt,
        mean + width * doubt,
        color=common.BLUE,
        alpha=0.4,
        lw=0,
        label="90 %: doubt alone",
    )
    axes.plot(place, mean, color=common.BLUE, lw=1)
    outside = np.abs(found.truth[order] - mean) > width * spread
    axes.scatter(
        place,
        found.truth[order],
        s=9,
        c=np.where(outside, common.RED, common.INK),
        label="patients; red: outside",
    )
    axes.set(
        title="Held-out patients of the first split",
        xlabel="patients, by prediction",
        ylabel="progression after a year",
    )
    axes.legend(loc="upper left")


def draw_splits(axes: Any, found: Sequence[Found]) -> None:
    """R2 of every split, against ridge regression's."""
    x = [r2(f.truth, f.ridge) for f in found]
    axes.scatter(x, [r2(f.truth, f.one) for f in found], s=14, color=common.MUTED, label="one member")
    axes.scatter(x, [r2(f.truth, f.mean) for f in found], s=18, color=common.BLUE, label="ensemble")
    axes.axline((float(np.mean(x)),) * 2, slope=1, color=common.LINE, zorder=0)
    axes.set(
        title="$R^2$ of each split: above the line is better", xlabel="ridge regression", ylabel="networks"
    )
    axes.legend()


def draw_intervals(axes: Any, found: Sequence[Found]) -> None:
    """Coverage of intervals, against what they claim."""
    levels = list(NORMAL)
    axes.plot([0.4, 1], [0.4, 1], color=common.LINE, zorder=0)
    axes.plot(levels, [coverage(found, level) for level in levels], color=common.BLUE, marker="o", ms=4)
    axes.set(
        title="Do the intervals hold what they say?",
        xlabel="claimed",
        ylabel="part of held-out patients inside",
    )


if __name__ == "__main__":
    raise SystemExit(main())
