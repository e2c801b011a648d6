"""Learning to learn: a gradient through gradient steps.

A network shall follow a sine wave of unknown height and phase after seeing ten of its points. Trained on all waves at
once it learns their average, from where it adapts slowly. MAML (Finn et al. 2017) asks for the best place to start: it
minimizes the loss after a gradient step, so its own gradient goes through a gradient. That is `grad` inside `grad`,
over a batch of waves by `vmap`. First-order MAML leaves the second derivatives out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import fx
import fx.numpy as fnp
from fx import lax, nn, optim, random

from ._common import AMBER, BLUE, GREEN, INK, MUTED, VIOLET, Options, figure, parse, table

RATE = 0.01
"""Of the gradient step that MAML looks through."""
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03)
"""Of gradient steps when starts are measured: each start has the one that suits it best on these waves."""
STEPS = 10
"""Gradient steps on a new wave, at most."""
REACH = 5.0
"""Waves are seen from -REACH to REACH."""


class Wave(NamedTuple):
    """height * sin(x - phase): points that are shown, and points that are asked for, all (points, 1)."""

    height: Any
    phase: Any
    x: Any
    y: Any
    x_asked: Any
    y_asked: Any


def main(arguments: Sequence[str] | None = None) -> int:
    """Learn where to start in three ways, measure on new waves, draw. Returns the exit code."""
    options = parse(
        "maml", __doc__, arguments,
        steps=(30_000, "steps of learning where to start"), waves=(25, "waves in each step"),
        points=(10, "points seen of a wave"), hidden=(40, "width of the layers"),
        asked=(500, "new waves to be measured on"),
    )  # fmt: skip
    model = nn.MLP([1, options.hidden, options.hidden, 1])
    init_key, learn_key, test_key = random.split(options.key, 3)
    random_start = model.init(init_key)
    options.say(
        f"A network 1 - {options.hidden} - {options.hidden} - 1 sees {options.points} points of a sine wave and adapts "
        f"by gradient steps;\nwhere it starts is learned by {options.steps} steps of {options.waves} waves each.\n"
    )
    starts = {"random": random_start}
    for name, objective in OBJECTIVES.items():
        starts[name] = learn(objective, model, random_start, learn_key, options)
    new = waves(test_key, options.asked, options.points)
    curves, rates = {}, {}
    for name, params in starts.items():
        every = np.asarray(curves_by_rate(model, params, new))
        best = int(np.argmin(np.where(np.isnan(every), np.inf, every).mean(axis=1)))
        curves[name], rates[name] = every[best], RATES[best]
    options.say("Mean squared error on new waves:")
    header = ["start", "  before", "  1 step", "  5 steps", f"  {STEPS} steps", "  rate"]
    rows = (
        (name, *(float(errors[n]) for n in (0, 1, 5, STEPS)), rates[name]) for name, errors in curves.items()
    )
    options.say(table(header, rows))
    draw(model, starts, rates, curves, new, options.out)
    return options.conclude(
        f"mean squared error {curves['MAML'][1]:.3f} one gradient step from MAML's start, "
        f"{curves['average'][1]:.3f} from the average's"
    )


def waves(key: Any, count: int, points: int) -> Wave:
    """Waves drawn from the key: heights in [0.1, 5), phases in [0, pi)."""

    def one(key: Any) -> Wave:
        height_key, phase_key, *keys = random.split(key, 4)
        height = random.uniform(height_key, (), minval=0.1, maxval=5.0)
        phase = random.uniform(phase_key, (), maxval=fnp.pi)
        x, x_asked = (random.uniform(key, (points, 1), minval=-REACH, maxval=REACH) for key in keys)
        return Wave(height, phase, x, height * fnp.sin(x - phase), x_asked, height * fnp.sin(x_asked - phase))

    return fx.vmap(one)(random.split(key, count))


def error(model: nn.MLP, params: Any, x: Any, y: Any) -> Any:
    """Mean squared."""
    return fnp.mean((model.apply(params, x) - y) ** 2)


def adapt(model: nn.MLP, params: Any, wave: Wave, rate: Any = RATE) -> Any:
    """Parameters after a gradient step on the points that are shown."""
    slope = fx.grad(lambda params: error(model, params, wave.x, wave.y))(params)
    return fx.tree.map(lambda p, g: p - rate * g, params, slope)


def average(model: nn.MLP, params: Any, wave: Wave) -> Any:
    """The loss as it is."""
    return error(model, params, wave.x_asked, wave.y_asked)


def maml(model: nn.MLP, params: Any, wave: Wave) -> Any:
    """The loss after a gradient step."""
    return average(model, adapt(model, params, wave), wave)


def first_order_maml(model: nn.MLP, params: Any, wave: Wave) -> Any:
    """The same value; its gradient takes the step for a constant."""
    moved = adapt(model, params, wave)
    return average(model, fx.tree.map(lambda p, m: p + lax.stop_gradient(m - p), params, moved), wave)


OBJECTIVES = {"average": average, "first-order MAML": first_order_maml, "MAML": maml}


def learn(objective: Callable[..., Any], model: nn.MLP, params: Any, key: Any, options: Options) -> Any:
    """Where to start: Adam on the objective's mean over waves, all steps in one compiled loop."""
    optimizer = optim.adam(1e-3)

    def step(carry: Any, key: Any) -> Any:
        params, state = carry
        seen = waves(key, options.waves, options.points)
        loss = lambda params: fnp.mean(fx.vmap(lambda wave: objective(model, params, wave))(seen))
        updates, state = optimizer.update(fx.grad(loss)(params), state, params)
        return (optim.apply_updates(params, updates), state), None

    train = fx.jit(lambda params, keys: lax.scan(step, (params, optimizer.init(params)), keys)[0][0])
    return train(params, random.split(key, options.steps))


@fx.jit
def curves_by_rate(model: nn.MLP, params: Any, new: Wave) -> Any:
    """Mean error over new waves after 0 ... STEPS gradient steps with each of RATES: (rates, 1 + STEPS)."""

    def curve(wave: Wave, rate: Any) -> Any:
        step = lambda params, _: (adapt(model, params, wave, rate), average(model, params, wave))
        last, errors = lax.scan(step, params, length=STEPS)
        return fnp.append(errors, average(model, last, wave))

    every = fx.vmap(fx.vmap(curve, in_axes=(0, None)), in_axes=(None, 0))
    return every(new, fnp.asarray(RATES)).mean(axis=1)


def draw(model: nn.MLP, starts: Any, rates: Any, curves: Any, new: Wave, path: Any) -> None:
    """Two waves and what the networks make of them after one step; errors by gradient steps."""
    gain = curves["average"][1] / curves["MAML"][1]
    title = f"A gradient step from where MAML starts leaves {gain:.1f} times less error than from the average"
    with figure(path, title, 13, 4.2) as made:
        *waves_axes, errors_axes = made.subplots(1, 3)
        by_height = np.argsort(new.height)
        for n, axes in zip((by_height[len(by_height) // 4], by_height[-1]), waves_axes, strict=True):
            draw_wave(axes, model, starts, rates, fx.tree.map(lambda x, n=n: x[n], new))
        made.legend(*waves_axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=4)
        styles = {"random": MUTED, "average": AMBER, "first-order MAML": VIOLET, "MAML": BLUE}
        for name, color in styles.items():
            label = f"{name} (rate {rates[name]:g})"
            errors_axes.plot(curves[name], color=color, marker="o", ms=3, label=label)
        errors_axes.set(yscale="log", xlabel="gradient steps on the points shown", ylabel="mean squared error",
                        title=f"{len(new.height)} new waves, by where the network starts")  # fmt: skip
        errors_axes.legend(fontsize=8)


def draw_wave(axes: Any, model: nn.MLP, starts: Any, rates: Any, wave: Wave) -> None:
    at = np.linspace(-REACH, REACH, 200, dtype=np.float32)
    height, phase = float(wave.height), float(wave.phase)
    axes.plot(at, height * np.sin(at - phase), color=GREEN, label="the wave")
    axes.plot(wave.x[:, 0], wave.y[:, 0], "o", color=INK, ms=4, label="points shown")
    for name, color in (("average", AMBER), ("MAML", BLUE)):
        params = adapt(model, starts[name], wave, rates[name])
        axes.plot(at, model.apply(starts[name], at[:, None]), color=color, lw=0.8, ls=":")
        axes.plot(at, model.apply(params, at[:, None]), color=color, label=f"{name}, after one step")
    axes.set(xlabel="x", ylabel="y", title=f"height {height:.1f}; dotted: before the step")


if __name__ == "__main__":
    raise SystemExit(main())
