"""Bayesian logistic regression by Hamiltonian Monte Carlo.

Which measurements of a cell's nucleus tell a malignant tumour from a benign one, and how sure can one be after 455
patients? scikit-learn finds the most likely coefficients; Laplace's approximation puts a Gaussian there; Hamiltonian
Monte Carlo (Neal 2011) draws from the posterior itself. The sampler is below, whole: leapfrog steps by `scan`, their
size adapted as in Hoffman and Gelman 2014, chains by `vmap`, all of it one compiled function. R-hat and the effective
sample size (Gelman et al. 2013) say how well the chains mixed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import fx
import fx.numpy as fnp
from fx import lax, losses, nn, optim, random, stats

from ._common import AMBER, BLUE, GREEN, INK, MUTED, RED, Options, figure, parse, split, table
from ._mixing import effective_size, r_hat

LogDensity = Callable[[Any], Any]
ACCEPT = 0.8
"""The rate of acceptance that the step size aims at."""
LEAST = 4
"""Draws of a chain."""
SINGLE, AVERAGED = "scikit-learn, most likely", "HMC, averaged"


class Draws(NamedTuple):
    """What chains leave behind."""

    position: Any
    """(chain, draw, d)"""
    accepted: Any
    """(chain, draw), probabilities."""
    size: Any
    """(chain,), of leapfrog steps."""


class Coefficients(NamedTuple):
    """What three methods say of d coefficients."""

    names: list[str]
    known: Any
    """(d,), the most likely ones, from scikit-learn."""
    mode: Any
    """(d,), the most likely ones, from L-BFGS."""
    covariance: Any
    """(d, d), of the Gaussian there."""
    draws: Draws

    @property
    def thetas(self) -> Any:
        """Draws of all chains: (n, d)."""
        return self.draws.position.reshape(-1, len(self.names))

    @property
    def deviation(self) -> Any:
        """(d,), of the Gaussian."""
        return fnp.sqrt(fnp.diag(self.covariance))


def main(arguments: Sequence[str] | None = None) -> int:
    """Sample, compare, draw. Returns the exit code."""
    options = parse(
        "hmc", __doc__, arguments, needs=["sklearn"],
        chains=(4, "chains"), draws=(2000, "draws kept of each"), warmup=(500, "draws before that adapt the step size"),
        leapfrog=(16, "leapfrog steps of a trajectory"), scale=(1.0, "prior standard deviation of a coefficient"),
    )  # fmt: skip
    if options.draws < LEAST:
        print(f"--draws {options.draws}: R-hat halves each chain; give {LEAST} or more.", file=sys.stderr)
        return 2
    data_key, key, belief_key = random.split(options.key, 3)
    names, learned, asked = patients(data_key)
    options.say(
        f"{len(names)} coefficients, {len(learned['x'])} patients; {options.chains} chains of {options.draws} draws, "
        f"{options.leapfrog} leapfrog steps each."
    )
    found = infer(names, learned["x"], learned["malignant"], key, options)
    mixing, sizes = r_hat(found.draws.position), effective_size(found.draws.position)
    options.say(coefficient_table(found, mixing, sizes))
    options.say(
        f"\nSteps of {float(found.draws.size.mean()):.3f}, {float(found.draws.accepted.mean()):.0%} accepted; "
        f"scikit-learn's coefficients are our mode to {float(fnp.abs(found.known - found.mode).max()):.0e}.\n"
    )
    beliefs = believe(found, asked["x"], belief_key)
    rows = judge(beliefs, asked["malignant"])
    options.say(table(["held-out patients", "  right", "  nats a patient"], rows))
    draw(found, beliefs, asked["malignant"], options.out)
    thetas = found.thetas
    shift = float(fnp.abs((thetas.mean(axis=0) - found.known) / thetas.std(axis=0)).max())
    return options.conclude(
        f"R-hat at most {float(mixing.max()):.3f}, at least {float(sizes.min()):.0f} effective draws; "
        f"posterior means up to {shift:.2f} deviations from scikit-learn's coefficients"
    )


def infer(names: list[str], x: Any, y: Any, key: Any, options: Options) -> Coefficients:
    """What scikit-learn, Laplace and Hamilton say. x: (n, d), the last column is 1; y: (n,)."""
    from sklearn import linear_model

    density = lambda theta: log_posterior(theta, x, y, options.scale)
    start_key, chain_key = random.split(key)
    start = 2 * random.normal(start_key, (options.chains, len(names)), fnp.float64)
    draws = sample(density, start, chain_key, options.warmup, options.draws, options.leapfrog)
    fit = linear_model.LogisticRegression(C=options.scale**2, tol=1e-10, max_iter=10_000).fit(x[:, :-1], y)
    known = np.append(fit.coef_, fit.intercept_)
    return Coefficients(names, known, *laplace(density, fnp.zeros(len(names), fnp.float64)), draws)


def patients(key: Any) -> tuple[list[str], Any, Any]:
    """Names of d coefficients, and patients to learn from and to be asked about: x (n, d), malignant (n,).

    Measurements are standardized; the last column of x is 1.
    """
    from sklearn import datasets

    cancer = datasets.load_breast_cancer()
    learned, asked = split(key, {"x": cancer.data, "malignant": 1.0 - cancer.target})
    mean, deviation = learned["x"].mean(axis=0), learned["x"].std(axis=0)
    for part in (learned, asked):
        part["x"] = np.column_stack([(part["x"] - mean) / deviation, np.ones(len(part["x"]))])
    return [*map(str, cancer.feature_names), "constant"], learned, asked


def log_posterior(theta: Any, x: Any, y: Any, scale: float) -> Any:
    """Up to a constant. theta: (d,), of which the last has no prior; x: (n, d); y: (n,)."""
    likelihood = -losses.sigmoid_binary_cross_entropy(x @ theta, y, reduction="sum")
    return likelihood - 0.5 * fnp.sum((theta[:-1] / scale) ** 2)


def sample(log_density: LogDensity, start: Any, key: Any, warmup: int, draws: int, leapfrog: int) -> Draws:
    """Draws of one chain from each start: (chain, d)."""

    @fx.jit
    @fx.vmap
    def chain(position: Any, key: Any) -> Any:
        warm_key, key = random.split(key)
        position, size = adapt(log_density, position, random.split(warm_key, warmup), leapfrog)
        step = lambda position, key: transition(log_density, position, size, key, leapfrog)
        _, (positions, accepted) = lax.scan(step, position, random.split(key, draws))
        return Draws(positions, accepted, size)

    return chain(start, random.split(key, len(start)))


def transition(log_density: LogDensity, position: Any, size: Any, key: Any, leapfrog: int) -> Any:
    """A trajectory from a random momentum, accepted or not: position -> (position, (position, its probability))."""
    momentum_key, size_key, accept_key = random.split(key, 3)
    momentum = random.normal(momentum_key, position.shape, position.dtype)
    size = size * random.uniform(size_key, (), position.dtype, 0.8, 1.2)
    energy = lambda q, p: 0.5 * fnp.sum(p**2) - log_density(q)
    proposal, end = trajectory(fx.grad(log_density), position, momentum, size, leapfrog)
    gain = energy(position, momentum) - energy(proposal, end)
    probability = fnp.exp(fnp.minimum(fnp.nan_to_num(gain, nan=-fnp.inf), 0.0))
    moved = random.uniform(accept_key, (), position.dtype) < probability
    position = fnp.where(moved, proposal, position)
    return position, (position, probability)


def trajectory(slope: Callable[[Any], Any], position: Any, momentum: Any, size: Any, leapfrog: int) -> Any:
    """Hamilton's equations over `leapfrog` steps, reversible and volume preserving: (position, momentum)."""

    def step(state: Any, _: Any) -> Any:
        position, momentum = state
        position = position + size * momentum
        return (position, momentum + size * slope(position)), None

    half = momentum + 0.5 * size * slope(position)
    (position, momentum), _ = lax.scan(step, (position, half), length=leapfrog)
    return position, momentum - 0.5 * size * slope(position)


def adapt(log_density: LogDensity, position: Any, keys: Any, leapfrog: int) -> Any:
    """(position, step size) after a draw per key: dual averaging of log(size) towards the rate ACCEPT.

    Source: Hoffman and Gelman 2014, algorithm 5, with their constants.
    """
    first = fnp.log(fnp.asarray(0.1, position.dtype))

    def step(state: Any, at: Any) -> Any:
        position, log_size, averaged, excess = state
        count, key = at
        position, (_, probability) = transition(log_density, position, fnp.exp(log_size), key, leapfrog)
        excess = excess + (ACCEPT - probability - excess) / (count + 10)
        log_size = first + fnp.log(10.0) - fnp.sqrt(count) / 0.05 * excess
        averaged = averaged + count**-0.75 * (log_size - averaged)
        return (position, log_size, averaged, excess), None

    counts = fnp.arange(1, len(keys) + 1, dtype=position.dtype)
    state = (position, first, first, fnp.zeros_like(first))
    (position, _, averaged, _), _ = lax.scan(step, state, (counts, keys))
    return position, fnp.exp(averaged)


def laplace(log_density: LogDensity, start: Any) -> tuple[Any, Any]:
    """The mode by L-BFGS, and the covariance of the Gaussian that has the log density's curvature there."""
    optimizer = optim.lbfgs()
    loss = lambda theta: -log_density(theta)

    def step(carry: Any, _: Any) -> Any:
        theta, state = carry
        value, slope = fx.value_and_grad(loss)(theta)
        updates, state = optimizer.update(slope, state, theta, value=value, grad=slope, value_fn=loss)
        return (optim.apply_updates(theta, updates), state), None

    (mode, _), _ = lax.scan(step, (start, optimizer.init(start)), length=200)
    return mode, fnp.linalg.inv(fx.hessian(loss)(mode))


def coefficient_table(found: Coefficients, mixing: Any, sizes: Any) -> str:
    """A row for each."""
    thetas = found.thetas
    numbers = zip(found.known, thetas.mean(axis=0), thetas.std(axis=0), found.deviation, strict=True)
    mixed = ((f"{r:.4f}", f"{n:.0f}") for r, n in zip(mixing, sizes, strict=True))
    rows = zip(found.names, numbers, mixed, strict=True)
    header = [
        "",
        "scikit-learn",
        "  HMC: mean",
        "deviation",
        "  Laplace: deviation",
        "  R-hat",
        "  effective",
    ]
    return table(header, ((name, *map(float, row), *texts) for name, row, texts in rows))


def believe(found: Coefficients, x: Any, key: Any) -> dict[str, Any]:
    """Probabilities that tumours are malignant: {method: (n,)}."""
    count = len(found.thetas)
    gaussian = random.multivariate_normal(key, found.mode, found.covariance, (count,), fnp.float64)
    thetas = {SINGLE: found.known[None], "Laplace, averaged": gaussian, AVERAGED: found.thetas}
    return {name: np.asarray(nn.sigmoid(x @ t.T).mean(axis=1)) for name, t in thetas.items()}


def judge(beliefs: dict[str, Any], y: Any) -> list[tuple[str, str, float]]:
    """Name, part that is right, mean negative logarithm of what was said of the truth."""
    nats = lambda p: float(losses.binary_cross_entropy(p, y, reduction="mean"))
    return [(name, f"{np.mean((p > 0.5) == y):.1%}", nats(p)) for name, p in beliefs.items()]


def draw(found: Coefficients, beliefs: dict[str, Any], y: Any, path: Any) -> None:
    """Coefficients with their uncertainty, the one least like a Gaussian, and what it means for patients."""
    low, high = np.quantile(found.thetas, [0.05, 0.95], axis=0)
    sure = np.sum((low > 0) | (high < 0)), fnp.sum(fnp.abs(found.known) > 1.645 * found.deviation)
    title = (
        f"The sign of {sure[0]} of {len(found.names)} coefficients is 95 % certain; "
        f"a Gaussian at the most likely ones would say: of {sure[1]}"
    )
    with figure(path, title, 12, 7) as made:
        axes = made.subplot_mosaic("ab;ac", width_ratios=[1.2, 1])
        intervals(axes["a"], found, low, high)
        least_gaussian(axes["b"], found)
        for truth, color, label in ((1, RED, "malignant"), (0, GREEN, "benign")):
            single, averaged = beliefs[SINGLE][y == truth], beliefs[AVERAGED][y == truth]
            axes["c"].plot(single, averaged, "o", ms=4, alpha=0.6, color=color, label=label)
        axes["c"].plot([0, 1], [0, 1], color=MUTED, lw=0.7)
        axes["c"].set(title="held-out patients", xlabel="probability of malignant: most likely coefficients",
                      ylabel="averaged over the posterior")  # fmt: skip
        axes["c"].legend()


def intervals(axes: Any, found: Coefficients, low: Any, high: Any) -> None:
    """Of coefficients, ordered by their means."""
    mean, known, reach = (
        np.asarray(x) for x in (found.thetas.mean(axis=0), found.known, 1.645 * found.deviation)
    )
    order, rows = np.argsort(mean), np.arange(len(mean))
    axes.hlines(rows + 0.15, low[order], high[order], BLUE, lw=2.5, label="HMC: 90 % and mean")
    axes.plot(mean[order], rows + 0.15, "o", color=BLUE, ms=4)
    gaussian = (known - reach)[order], (known + reach)[order]
    axes.hlines(rows - 0.2, *gaussian, AMBER, lw=1.2, label="Laplace: 90 %")
    axes.plot(known[order], rows - 0.2, "|", color=RED, ms=7, mew=2, label="scikit-learn")
    axes.axvline(0, color=INK, lw=0.7)
    axes.set(yticks=rows, yticklabels=[found.names[i] for i in order], ylim=(-1, len(rows)))
    axes.set_xlabel("coefficient: benign < 0 < malignant")
    axes.legend(loc="lower right")


def least_gaussian(axes: Any, found: Coefficients) -> None:
    """The coefficient whose posterior mean is farthest from its mode."""
    thetas, known, deviation = (np.asarray(x) for x in (found.thetas, found.known, found.deviation))
    i = int(np.argmax(np.abs(thetas.mean(axis=0) - known) / deviation))
    axes.hist(thetas[:, i], bins=60, density=True, color=BLUE, alpha=0.45, label="HMC")
    at = np.linspace(*axes.get_xlim(), 300)
    axes.plot(at, stats.norm.pdf(at, known[i], deviation[i]), color=AMBER, label="Laplace")
    axes.axvline(known[i], color=RED, lw=1.2, label="scikit-learn")
    axes.set(title=f"{found.names[i]}: the posterior leans", xlabel="coefficient", ylabel="density")
    axes.legend()


if __name__ == "__main__":
    raise SystemExit(main())
