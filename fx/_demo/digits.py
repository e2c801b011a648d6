"""The data: scikit-learn's 1797 handwritten digits of 8 x 8 pixels, a fifth of them held out."""

from __future__ import annotations

from typing import Any, NamedTuple

import fx
import fx.numpy as fnp


class Split(NamedTuple):
    """pixels: (n, 64) float32 in [0, 4], a range that trains better than [0, 1]; labels: (n,) int64 in 0 ... 9."""

    pixels: Any
    labels: Any


class Digits(NamedTuple):
    """What is learned from, and what is only asked about."""

    train: Split
    held_out: Split


def load_digits(key: Any) -> Digits:
    """The digits in an order drawn from the key; the first fifth is held out."""
    from sklearn import datasets

    pixels, labels = datasets.load_digits(return_X_y=True)
    order = fx.random.permutation(key, len(labels))
    pixels = fnp.asarray(pixels / 4, dtype=fnp.float32)[order]
    labels = fnp.asarray(labels)[order]
    cut = -(-len(labels) // 5)
    return Digits(Split(pixels[cut:], labels[cut:]), Split(pixels[:cut], labels[:cut]))
