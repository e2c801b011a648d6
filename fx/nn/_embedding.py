"""Tables of vectors: embeddings, sums of them, positions."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY
from reprlib import repr as brief
from typing import Any

import numpy as np

import fx
import fx.numpy as fnp

from . import initializers
from ._checks import one_of, positive
from ._inputs import as_array
from ._layer import Layer, Parameter
from ._scope import Scope
from .initializers import Initializer

_TABLE_INIT = initializers.normal(1.0)


class Embedding(Layer):
    """A row of a table for each index. ids: integers (...), y: (..., features).

    Args:
        padding_idx: an index whose vector is 0, and stays 0.

    Parameters: table (num_embeddings, features).

    >>> import fx
    >>> layer = Embedding(10, 4)
    >>> layer.apply(layer.init(fx.random.key(0)), [[1, 2, 9]]).shape
    (1, 3, 4)
    """

    num_embeddings: int
    features: int
    _: KW_ONLY
    padding_idx: int | None = None
    table_init: Initializer = _TABLE_INIT
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    def validate(self) -> None:
        positive(self, "num_embeddings", "features")
        _check_padding(self, self.num_embeddings)

    def parameters(self) -> dict[str, Parameter]:
        return {"table": Parameter((self.num_embeddings, self.features), self.table_init, self.dtype)}

    def forward(self, p: Scope, ids: Any) -> fx.Array:
        """The rows of the table.

        Raises:
            DTypeError: ids are no integers. OutOfBoundsError: an index known now is not in the table; one that is
                known only at run time gives NaN.
        """
        ids = _integers(self, ids)
        y = p.table[ids]
        return y if self.padding_idx is None else fnp.where((ids != self.padding_idx)[..., None], y, 0.0)

    def attend(self, p: Scope, x: Any) -> fx.Array:
        """Logits x @ table.T, for output weights tied to the input's. x: (..., features)."""
        return fnp.matmul(x, p.table.T)


class EmbeddingBag(Layer):
    """The sum, mean or maximum of the rows of a table, over bags of indices; of an empty bag 0.

    Parameters: table (num_embeddings, features).
    """

    num_embeddings: int
    features: int
    _: KW_ONLY
    mode: str = "mean"
    padding_idx: int | None = None
    """An index that counts for nothing."""
    table_init: Initializer = _TABLE_INIT
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    def validate(self) -> None:
        positive(self, "num_embeddings", "features")
        one_of(self, "mode", "sum", "mean", "max")
        _check_padding(self, self.num_embeddings)

    def parameters(self) -> dict[str, Parameter]:
        return {"table": Parameter((self.num_embeddings, self.features), self.table_init, self.dtype)}

    def forward(
        self, p: Scope, ids: Any, *, offsets: Any = None, mask: Any = None, weights: Any = None
    ) -> fx.Array:
        """One vector a bag.

        Args:
            ids: (..., n) integers, a bag along the last axis; or (n,) with offsets.
            offsets: (bags,) increasing, where each bag begins in ids. The result is then (bags, features).
            mask: booleans of the shape of ids: what counts.
            weights: of the shape of ids, factors of the rows; with mode "sum".
        """
        ids = _integers(self, ids)
        if weights is not None and self.mode != "sum":
            raise fx.ArgumentError(f"{self}: weights go with mode='sum'.")
        counts = fnp.ones(ids.shape, bool) if mask is None else fnp.asarray(mask)
        if self.padding_idx is not None:
            counts = counts & (ids != self.padding_idx)
        rows = p.table[fnp.where(counts, ids, 0)]
        if weights is not None:
            rows = rows * as_array(weights)[..., None]
        if offsets is None:
            return self._of_axis(rows, counts[..., None])
        if ids.ndim != 1:
            raise fx.ShapeError(
                f"{self}: with offsets, ids are one axis of all bags; they have shape {ids.shape}."
            )
        return self._of_segments(rows, counts[:, None], as_array(offsets))

    def _of_axis(self, rows: fx.Array, counts: fx.Array) -> fx.Array:
        if self.mode == "max":
            return _or_zero(fnp.max(fnp.where(counts, rows, -np.inf), -2, initial=-np.inf), counts.any(-2))
        total = fnp.sum(fnp.where(counts, rows, 0.0), -2)
        return total if self.mode == "sum" else total / fnp.maximum(counts.sum(-2), 1)

    def _of_segments(self, rows: fx.Array, counts: fx.Array, offsets: fx.Array) -> fx.Array:
        bag = fnp.searchsorted(offsets, fnp.arange(rows.shape[0]), side="right") - 1
        shape, size = (*offsets.shape, rows.shape[-1]), (*offsets.shape, 1)
        number = fnp.zeros(size, int).at[bag].add(counts.astype(int))
        if self.mode == "max":
            most = fnp.full(shape, -np.inf, rows.dtype).at[bag].max(fnp.where(counts, rows, -np.inf))
            return _or_zero(most, number > 0)
        total = fnp.zeros(shape, rows.dtype).at[bag].add(fnp.where(counts, rows, 0.0))
        return total if self.mode == "sum" else total / fnp.maximum(number, 1)


def _or_zero(x: fx.Array, known: fx.Array) -> fx.Array:
    return fnp.where(known, fnp.where(known, x, 0.0), 0.0)


def _check_padding(layer: Any, count: int) -> None:
    if layer.padding_idx is not None and not 0 <= layer.padding_idx < count:
        raise fx.ArgumentError(
            f"{type(layer).__name__}: padding_idx={layer.padding_idx} is not an index of {count} rows."
        )


def _integers(layer: Layer, ids: Any) -> fx.Array:
    ids = as_array(ids)
    if ids.dtype.kind not in "iu" and ids.size:
        raise fx.DTypeError(
            f"{layer} takes integers; got {ids.dtype}{list(ids.shape)}.\nWrite ids.astype(int)."
        )
    return ids if ids.dtype.kind in "iu" else ids.astype(int)


class LearnedPositions(Layer):
    """x + a vector for each position. x: (..., length, features), length at most max_length.

    Parameters: table (max_length, features).
    """

    max_length: int
    features: int
    _: KW_ONLY
    table_init: Initializer = initializers.normal(0.02)
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    def validate(self) -> None:
        positive(self, "max_length", "features")

    def parameters(self) -> dict[str, Parameter]:
        return {"table": Parameter((self.max_length, self.features), self.table_init, self.dtype)}

    def forward(self, p: Scope, x: Any, positions: Any = None) -> fx.Array:
        """x with its positions; positions: integers (length,) or (..., length), 0, 1, 2, ... unless given."""
        x = as_array(x)
        if positions is not None:
            return x + p.table[as_array(positions)]
        if x.shape[-2] > self.max_length:
            raise fx.ShapeError(f"{self}: x has {x.shape[-2]} positions; its shape is {x.shape}.")
        return x + p.table[: x.shape[-2]]


def sinusoidal_positions(positions: Any, features: int, *, base: float = 10000.0) -> fx.Array:
    """sin and cos of each position at `features / 2` wavelengths from 2 pi to base * 2 pi, in turn.

    positions: numbers (...); result: (..., features), sin in the even places and cos in the odd ones.

    Source: Vaswani et al. 2017, section 3.5.
    """
    if type(features) is not int or not 2 <= features <= 2**24 or features % 2:
        raise fx.ArgumentError(
            f"sinusoidal_positions: features must be an even number; got {brief(features)}."
        )
    angles = as_array(positions).astype(float)[..., None] * _frequencies(features, base)
    pairs = fnp.stack([fnp.sin(angles), fnp.cos(angles)], -1)
    return pairs.reshape(*pairs.shape[:-2], features)


def _frequencies(features: int, base: float) -> Any:
    """base ** (-2 i / features), i < features / 2, as NumPy's float32."""
    return np.exp(np.arange(0, features, 2) * (-math.log(base) / features)).astype(np.float32)


def rotary(x: Any, positions: Any = None, *, base: float = 10000.0, interleaved: bool = False) -> fx.Array:
    """Pairs of features turned by an angle that grows with the position, so that products of two see their distance.

    Args:
        x: (..., length, heads, features), features even.
        positions: numbers (length,) or (..., length); 0, 1, 2, ... unless given.
        interleaved: pairs are neighbours (2 i, 2 i + 1); otherwise (i, i + features / 2).

    Source: Su et al. 2021.
    """
    x = as_array(x)
    if x.ndim < 3 or x.shape[-1] % 2:
        raise fx.ShapeError(
            f"rotary takes x of shape (..., length, heads, an even number); x has shape {x.shape}."
        )
    positions = fnp.arange(x.shape[-3]) if positions is None else as_array(positions)
    wide = x.astype(fnp.float32) if x.dtype.itemsize < 4 else x
    angles = positions.astype(wide.dtype)[..., None, None] * _frequencies(x.shape[-1], base).astype(
        wide.dtype
    )
    sin, cos = fnp.sin(angles), fnp.cos(angles)
    half = x.shape[-1] // 2
    a, b = (wide[..., 0::2], wide[..., 1::2]) if interleaved else (wide[..., :half], wide[..., half:])
    turned = [a * cos - b * sin, b * cos + a * sin]
    if interleaved:
        return fnp.stack(turned, -1).reshape(x.shape).astype(x.dtype)
    return fnp.concatenate(turned, -1).astype(x.dtype)


def alibi(heads: int, queries: int, keys: int | None = None) -> fx.Array:
    """A bias of the logits that falls linearly with distance, another slope each head: (heads, queries, keys).

    Query t stands at position t + keys - queries. Slopes are 2 ** (-8 i / heads) for a power of two, and for other
    numbers those of the next lower power followed by every second one of the next higher.

    Source: Press, Smith, Lewis 2021.
    """
    keys = queries if keys is None else keys
    for name, value in (("heads", heads), ("queries", queries), ("keys", keys)):
        if type(value) is not int or not 0 < value <= 2**24:
            raise fx.ArgumentError(f"alibi: {name} is a positive integer; got {brief(value)}.")
    distance = np.abs(np.arange(queries)[:, None] + (keys - queries) - np.arange(keys))
    return fnp.asarray(-_slopes(heads)[:, None, None] * distance, dtype=float)


def _slopes(heads: int) -> Any:
    power = 1 << int(math.log2(heads))
    slopes = 2.0 ** (-8 / power * np.arange(1, power + 1))
    more = 2.0 ** (-4 / power * np.arange(1, 2 * power + 1, 2))
    return np.concatenate([slopes, more[: heads - power]])
