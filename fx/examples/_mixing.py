"""How well Markov chains mix: R-hat and the effective sample size."""

from __future__ import annotations

from typing import Any

import fx.numpy as fnp
from fx import lax


def r_hat(draws: Any) -> Any:
    """How much wider all chains are than each half of one: 1 if they agree. (chain, draw, d) -> (d,)."""
    within, total, _ = variances(halves(draws))
    return fnp.sqrt(total / within)


def effective_size(draws: Any) -> Any:
    """How many independent draws say as much about the mean: (chain, draw, d) -> (d,).

    Source: Gelman et al. 2013, section 11.5, with Geyer's initial monotone sequence.
    """
    parts = halves(draws)
    chains, count, _ = parts.shape
    within, total, centred = variances(parts)
    spectrum = fnp.fft.rfft(centred, n=2 * count, axis=1)
    lags = fnp.fft.irfft(fnp.abs(spectrum) ** 2, axis=1)[:, :count].mean(axis=0) / (count - 1)
    correlation = (1 - (within - lags) / total).at[0].set(1.0)
    pairs = correlation[: count // 2 * 2].reshape(-1, 2, correlation.shape[1]).sum(axis=1)
    positive = lax.cummin(fnp.maximum(pairs, 0.0))
    return chains * count / fnp.maximum(2 * positive.sum(axis=0) - 1, 1 / fnp.log10(chains * count))


def halves(draws: Any) -> Any:
    """(chain, draw, d) -> (2 chain, draw // 2, d)."""
    half = draws.shape[1] // 2
    return fnp.concatenate([draws[:, :half], draws[:, half : 2 * half]])


def variances(draws: Any) -> Any:
    """Within chains, overall, and draws minus their chain's mean."""
    count = draws.shape[1]
    means = draws.mean(axis=1, keepdims=True)
    within = draws.var(axis=1, ddof=1).mean(axis=0)
    return within, within * (count - 1) / count + means[:, 0].var(axis=0, ddof=1), draws - means
