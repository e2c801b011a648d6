"""A differential equation learned from what it did.

How the hares and lynxes of Canada's forests grow in number depends on how many of each there are. A network learns that
dependence, a field of velocities, from 15 years of furs traded (Chen et al. 2018), and says how the next six years go;
so do Lotka's and Volterra's equations with their four coefficients. The gradient through the solver comes in three
ways, which are compared: `odeint` with the adjoint equation, `odeint` through its own steps, and a Runge-Kutta method
of fixed steps, written below as a `scan`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fx
import fx.numpy as fnp
from fx import lax, nn, optim
from fx.ode import odeint

from ._common import AMBER, BLUE, GREEN, INK, LINE, VIOLET, figure, parse, table

FIRST_YEAR, KNOWN = 1900, 15
HARES = (30.0, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22.0, 25.4, 27.1, 40.3, 57.0, 76.6, 52.3, 19.5, 11.2, 7.6,
         14.6, 16.2, 24.7)  # fmt: skip
LYNXES = (4.0, 6.1, 9.8, 35.2, 59.4, 41.7, 19.0, 13.0, 8.3, 9.1, 7.4, 8.0, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7,
          10.1, 8.6)  # fmt: skip
"""Thousands of pelts the Hudson's Bay Company collected, 1900 to 1920 (Hewitt, The Conservation of the Wild Life of
Canada, 1921)."""
SHIFT = 3.0
SEEN = np.log(np.stack([HARES, LYNXES], axis=1)) - SHIFT
"""(years, 2): what the equations are about, logarithms of numbers."""
YEARS = np.arange(float(len(SEEN)))
PENALTY = 1e-4
"""Of the sum of squares of the network's kernels."""
TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10)
COUNTS = (1, 2, 4, 8, 16, 32, 64)
"""What solvers are asked for where gradients are compared: tolerances, or Runge-Kutta steps a year."""
NUMBERS = (3, 10, 30, 100)
"""Of thousands, marked on axes."""

Field = Callable[[Any, Any], Any]
"""field(params, state) -> velocity"""
Solver = Callable[[Field, Any, Any], Any]
"""solver(field, params, times) -> states at the times; params: {"field": ..., "start": state at the first time}."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit both equations, forecast, compare gradients, draw. Returns the exit code."""
    options = parse(
        "neural_ode", __doc__, arguments, gradient=(tuple(SOLVERS), "how the gradient is found in training"),
        steps=(3000, "steps of Adam"), width=(16, "of the network's layers"),
        rate=(0.01, "learning rate at first"),
    )  # fmt: skip
    model = nn.MLP([2, options.width, options.width, 2], activation=nn.tanh, dtype=fnp.float64)
    half = np.float64(0.5)
    fields = {
        "Lotka-Volterra": (lotka_volterra, {"birth": half, "eaten": half, "death": half, "fed": half}),
        "network": (model.apply, model.init(options.key)),
    }
    options.say(f"Two equations learn {KNOWN} years of hares and lynxes and forecast {len(SEEN) - KNOWN}.")
    solver, fitted, paths = SOLVERS[options.gradient], {}, {}
    for name, (field, start) in fields.items():
        fitted[name] = fit(solver, field, start, options.steps, options.rate)
        paths[name] = np.asarray(adjoint(field, fitted[name], np.linspace(0, len(SEEN) - 1, 401)))
    wrong = {name: errors(path[::20]) for name, path in paths.items()}
    wrong = {"mean of what was seen": errors(SEEN[:KNOWN].mean(axis=0)), **wrong}
    header = ["RMS error of the logarithm", "  years seen", "  forecast"]
    options.say(table(header, ((name, *pair) for name, pair in wrong.items())))
    measured = compare(model.apply, fitted["network"])
    rows = (
        (name, f"{value:g}", f"{error:.1e}", ms)
        for name, many in measured.items()
        for value, error, ms in many
    )
    header = ["gradient by", "  tolerance or steps a year", "  relative error", "  ms"]
    options.say("\n" + table(header, rows))
    draw(paths, wrong, model, fitted["network"], measured, options.out)
    (near, far), (rough, short) = wrong["network"], wrong["Lotka-Volterra"]
    return options.conclude(
        f"the network is off by {near:.3f} in years seen and {far:.3f} in years forecast; "
        f"Lotka-Volterra by {rough:.3f} and {short:.3f}"
    )


def lotka_volterra(params: Any, state: Any) -> Any:
    """Velocities of the logarithms of hares and lynxes."""
    hares, lynxes = fnp.exp(state)
    return fnp.stack([params["birth"] - params["eaten"] * lynxes, params["fed"] * hares - params["death"]])


def adjoint(
    field: Field, params: Any, times: Any, tolerance: float = 1e-6, derivative: str = "adjoint"
) -> Any:
    """Steps as long as the tolerance allows; the gradient solves another equation, backward."""
    velocity = lambda state, t, params: field(params, state)
    start, inner = params["start"], params["field"]
    return odeint(velocity, start, times, inner, rtol=tolerance, atol=tolerance, derivative=derivative)


def steps(field: Field, params: Any, times: Any, tolerance: float = 1e-6) -> Any:
    """The same; the gradient goes through the steps."""
    return adjoint(field, params, times, tolerance, "steps")


def runge_kutta(field: Field, params: Any, times: Any, count: int = 8) -> Any:
    """`count` steps of Kutta's classical method from each time to the next."""
    velocity = lambda state: field(params["field"], state)

    def step(state: Any, h: Any) -> Any:
        a = velocity(state)
        b = velocity(state + 0.5 * h * a)
        c = velocity(state + 0.5 * h * b)
        d = velocity(state + h * c)
        return state + h / 6 * (a + 2 * (b + c) + d), state

    widths = fnp.repeat(fnp.diff(times) / count, count)
    last, states = lax.scan(step, params["start"], widths)
    return fnp.concatenate([states[::count], last[None]])


SOLVERS: dict[str, Solver] = {"adjoint": adjoint, "steps": steps, "runge-kutta": runge_kutta}


def fit(solver: Solver, field: Field, params: Any, steps: int, rate: float) -> Any:
    """Parameters of the field, and where it starts, with the least error over the years known."""
    loss = lambda params: misfit(solver, field, params) + penalty(params["field"])
    return descend(loss, {"field": params, "start": fnp.asarray(SEEN[0])}, steps, rate)


def misfit(solver: Solver, field: Field, params: Any, known: int = KNOWN) -> Any:
    """Mean squared error over the first years."""
    return fnp.mean((solver(field, params, YEARS[:known]) - SEEN[:known]) ** 2)


def penalty(params: Any) -> Any:
    """Of kernels, the matrices among the parameters."""
    return PENALTY * sum(fnp.sum(x**2) for x in fx.tree.leaves(params) if fnp.ndim(x) == 2)


def descend(loss: Callable[[Any], Any], params: Any, steps: int, rate: float) -> Any:
    """`steps` steps of Adam as one compiled loop."""
    adam = optim.adam(optim.schedules.cosine_decay_schedule(rate, steps))
    optimizer = optim.chain(optim.clip_by_global_norm(1.0), adam)

    def step(carry: Any, _: Any) -> Any:
        params, state = carry
        updates, state = optimizer.update(fx.grad(loss)(params), state, params)
        return (optim.apply_updates(params, updates), state), None

    run = fx.jit(lambda params: lax.scan(step, (params, optimizer.init(params)), length=steps)[0][0])
    return run(params)


def errors(states: Any) -> tuple[float, float]:
    """Root mean square: over the years known, and over those after them."""
    squares = np.asarray((states - SEEN) ** 2)
    return float(np.sqrt(squares[:KNOWN].mean())), float(np.sqrt(squares[KNOWN:].mean()))


def compare(field: Field, params: Any) -> dict[str, list[tuple[float, float, float]]]:
    """Of each kind of solver: (tolerance or steps a year, relative error of its gradient, milliseconds it took).

    The error over all years is differentiated, against steps with a tolerance of 1e-12.
    """

    def gradient(solver: Solver) -> tuple[Any, float]:
        slope = fx.jit(fx.grad(lambda params: misfit(solver, field, params, len(SEEN))))
        slope(params)
        began = time.perf_counter()
        found = np.asarray(fx.tree.ravel_pytree(slope(params))[0])
        return found, 1e3 * (time.perf_counter() - began)

    exact, _ = gradient(lambda *inputs: steps(*inputs, tolerance=1e-12))
    asked = {"adjoint": TOLERANCES, "steps": TOLERANCES, "runge-kutta": COUNTS}
    measured: dict[str, list[tuple[float, float, float]]] = {}
    for name, values in asked.items():
        for value in values:
            found, ms = gradient(lambda *inputs, name=name, value=value: SOLVERS[name](*inputs, value))
            error = float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
            measured.setdefault(name, []).append((value, error, ms))
    return measured


def draw(paths: Any, wrong: Any, model: nn.MLP, params: Any, measured: Any, path: Any) -> None:
    """Numbers by year, the learned field with the cycle in it, and errors of gradients."""
    years = FIRST_YEAR + np.linspace(0, len(SEEN) - 1, len(paths["network"]))
    near, far = np.divide(wrong["Lotka-Volterra"], wrong["network"])
    title = (
        f"A network follows hares and lynxes {near:.1f} times closer than Lotka and Volterra's equations; "
        f"its forecast is {max(far, 1 / far):.1f} times {'better' if far > 1 else 'worse'}"
    )
    with figure(path, title, 14, 5.2) as made:
        axes = made.subplot_mosaic("acd;bcd", width_ratios=[1.35, 1, 0.8])
        for n, (name, where) in enumerate((("hares", "a"), ("lynxes", "b"))):
            by_year(axes[where], years, {name: path[:, n] for name, path in paths.items()}, SEEN[:, n])
            axes[where].set(ylabel=f"{name}, thousands")
        axes["a"].set_title(f"learned up to {FIRST_YEAR + KNOWN - 1}, then forecast")
        axes["a"].legend(ncols=3, fontsize=8)
        portrait(axes["c"], model, params, paths["network"])
        of_gradients(axes["d"], measured)


def by_year(axes: Any, years: Any, paths: Any, seen: Any) -> None:
    at, forecast = FIRST_YEAR + YEARS, FIRST_YEAR + KNOWN - 0.5
    for (name, path), color in zip(paths.items(), (AMBER, BLUE), strict=True):
        axes.plot(years, np.exp(path + SHIFT), color=color, label=name)
    axes.plot(at[:KNOWN], np.exp(seen + SHIFT)[:KNOWN], "o", color=INK, ms=4, label="furs")
    axes.plot(at[KNOWN:], np.exp(seen + SHIFT)[KNOWN:], "o", color=INK, mfc="white", ms=4)
    axes.axvspan(forecast, at[-1] + 0.5, color=LINE, alpha=0.35, lw=0)
    axes.set(xlim=(at[0] - 0.5, at[-1] + 0.5), xticks=at[::5], yscale="log")
    axes.set_yticks(NUMBERS, [str(n) for n in NUMBERS])
    axes.minorticks_off()


def portrait(axes: Any, model: nn.MLP, params: Any, path: Any) -> None:
    """The field, and the solution in it."""
    low, high = SEEN.min(axis=0) - 0.3, SEEN.max(axis=0) + 0.3
    hares, lynxes = np.meshgrid(*np.linspace(low, high, 24).T)
    velocity = np.asarray(model.apply(params["field"], np.stack([hares, lynxes], axis=-1)))
    axes.streamplot(hares, lynxes, *np.moveaxis(velocity, -1, 0), color=LINE, linewidth=0.8, arrowsize=0.8)
    axes.plot(*path.T, color=BLUE, lw=1.5)
    axes.plot(*SEEN[:KNOWN].T, "o", color=INK, ms=4)
    axes.plot(*SEEN[KNOWN:].T, "o", color=INK, mfc="white", ms=4)
    for n in range(0, len(SEEN) - 1, 4):
        axes.annotate(str(FIRST_YEAR + n), SEEN[n], (4, 4), textcoords="offset points", fontsize=7)
    ticks = {"ticks": np.log(NUMBERS) - SHIFT, "labels": [str(n) for n in NUMBERS]}
    axes.set_xticks(**ticks)
    axes.set_yticks(**ticks)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    axes.set(
        title="velocities that the network learned", xlabel="hares, thousands", ylabel="lynxes, thousands"
    )


def of_gradients(axes: Any, measured: Any) -> None:
    counts, found, _ = zip(*measured["runge-kutta"], strict=True)
    axes.loglog(counts, found, "o-", color=GREEN, ms=4, label="Runge-Kutta")
    for tolerance, error, _ in measured["adjoint"]:
        axes.axhline(error, color=VIOLET, ls="--", lw=0.9)
        place = (counts[0], "left") if error < found[len(found) // 2] else (counts[-1], "right")
        text = f"adjoint, tolerance {tolerance:.0e}"
        axes.text(place[0], error, text, color=VIOLET, ha=place[1], va="bottom", fontsize=8)
    axes.set(title="error of the gradient", xlabel="Runge-Kutta steps a year", ylabel="relative error")
    axes.minorticks_off()
    axes.set_xticks(counts, [str(n) for n in counts])


if __name__ == "__main__":
    raise SystemExit(main())
