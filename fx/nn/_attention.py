"""Multi-head attention as a layer, and its cache for decoding."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY
from typing import Any

import fx
import fx.numpy as fnp
from fx import lax

from . import initializers
from ._attention_functions import dot_product_attention
from ._checks import one_of, positive, probability
from ._embedding import alibi, rotary
from ._inputs import as_array, known
from ._layer import Layer, Parameter
from ._linear import KERNEL_INIT
from ._scope import Scope
from .initializers import Initializer


class MultiHeadAttention(Layer):
    """Attention of x to itself, or to a context, in several heads. x: (..., length, features).

    Args:
        features: of x and of the result.
        heads: how many; key and value may have fewer, `kv_heads`, which divides heads.
        head_features: of one head; None is features / heads.
        context_features: of the context of cross-attention; None is features.
        positions: "rotary", "rotary_interleaved", "alibi" or None.
        dropout: of the probabilities, in training.
        implementation: of `dot_product_attention`: "dense", "blockwise", or None to choose by size.

    Parameters: wq (features, heads * head_features), wk and wv (context_features, kv_heads * head_features),
    wo (heads * head_features, features); bq, bk, bv, bo with use_bias.

    Source: Vaswani et al. 2017; Ainslie et al. 2023 (grouped queries).

    >>> import fx
    >>> layer = MultiHeadAttention(16, 4)
    >>> params = layer.init(fx.random.key(0))
    >>> layer.apply(params, fx.numpy.ones((2, 5, 16)), is_causal=True).shape
    (2, 5, 16)
    """

    features: int
    heads: int
    _: KW_ONLY
    kv_heads: int | None = None
    head_features: int | None = None
    context_features: int | None = None
    positions: str | None = None
    rotary_base: float = 10000.0
    use_bias: bool = True
    dropout: float = 0.0
    implementation: str | None = None
    kernel_init: Initializer = KERNEL_INIT
    bias_init: Initializer = initializers.zeros
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    def validate(self) -> None:
        positive(self, "features", "heads")
        for name in ("kv_heads", "head_features", "context_features"):
            if getattr(self, name) is not None:
                positive(self, name)
        probability(self, "dropout")
        one_of(self, "positions", None, "rotary", "rotary_interleaved", "alibi")
        if self.head_features is None and self.features % self.heads:
            raise fx.ArgumentError(
                f"MultiHeadAttention: {self.features} features do not fall into {self.heads} heads.\n"
                "Give head_features=."
            )
        if self.heads % self._kv_heads:
            raise fx.ArgumentError(
                f"MultiHeadAttention: kv_heads={self.kv_heads} does not divide heads={self.heads}."
            )

    @property
    def _head(self) -> int:
        return self.features // self.heads if self.head_features is None else self.head_features

    @property
    def _kv_heads(self) -> int:
        return self.heads if self.kv_heads is None else self.kv_heads

    def parameters(self) -> dict[str, Parameter]:
        source = self.features if self.context_features is None else self.context_features
        own, shared = self.heads * self._head, self._kv_heads * self._head
        shapes = {
            "wq": (self.features, own),
            "wk": (source, shared),
            "wv": (source, shared),
            "wo": (own, self.features),
        }
        made = {name: Parameter(shape, self.kernel_init, self.dtype) for name, shape in shapes.items()}
        if self.use_bias:
            made |= {
                f"b{n[1]}": Parameter(shape[1:], self.bias_init, self.dtype) for n, shape in shapes.items()
            }
        return made

    def cache(self, batch: int | tuple[int, ...], length: int, dtype: Any = None) -> dict[str, fx.Array]:
        """An empty cache of keys and values for decoding sequences of up to `length` places; a pytree."""
        lead = (batch,) if isinstance(batch, int) else tuple(batch)
        empty = fnp.zeros((*lead, length, self._kv_heads, self._head), dtype or self.dtype or float)
        return {"k": empty, "v": empty, "length": fnp.zeros((), fnp.int32)}

    def forward(
        self,
        p: Scope,
        x: Any,
        context: Any = None,
        *,
        mask: Any = None,
        bias: Any = None,
        is_causal: bool = False,
        positions: Any = None,
        cache: Any = None,
    ) -> Any:
        """The result (..., length, features); with a cache, (result, cache with x appended).

        Args:
            context: (..., keys, context_features), what x attends to; None is x.
            mask: booleans that broadcast to (..., heads, length, keys): what is seen.
            bias: added to the logits, likewise.
            is_causal: place t sees the places up to t.
            positions: of x for rotary, integers (length,) or (..., length); after the cache's unless given.
            cache: of `cache`; x is one or more new places, which see all before them. Writing beyond its length
                is an error where the length is known, and under jit the caller's to prevent.
        """
        x = _of(self, x, self.features, "x")
        context = (
            x if context is None else _of(self, context, self.members.parameters["wk"].shape[0], "context")
        )
        q = self._heads_of(p, x, "q", self.heads)
        k, v = (self._heads_of(p, context, name, self._kv_heads) for name in "kv")
        start = 0 if cache is None else cache["length"]
        if self.positions is not None and self.positions.startswith("rotary"):
            q, k = self._turned(q, k, start, positions)
        if cache is not None:
            cache, k, v, mask = _appended(cache, k, v, mask)
            is_causal = False
        if self.positions == "alibi":
            bias = self._distances(q, k, cache, bias)
        y = self._attend(p, q, k, v, bias, mask, is_causal)
        y = fnp.matmul(y.reshape(*y.shape[:-2], self.heads * self._head), p.wo)
        y = y + p.bo if self.use_bias else y
        return y if cache is None else (y, cache)

    def _heads_of(self, p: Scope, x: fx.Array, name: str, heads: int) -> fx.Array:
        y = fnp.matmul(x, getattr(p, f"w{name}"))
        y = y + getattr(p, f"b{name}") if self.use_bias else y
        return y.reshape(*y.shape[:-1], heads, self._head)

    def _turned(self, q: fx.Array, k: fx.Array, start: Any, positions: Any) -> tuple[fx.Array, fx.Array]:
        turn = lambda y, at: rotary(
            y, at, base=self.rotary_base, interleaved=self.positions == "rotary_interleaved"
        )
        if positions is not None:
            return turn(q, positions), turn(k, positions)
        return turn(q, start + fnp.arange(q.shape[-3])), turn(k, start + fnp.arange(k.shape[-3]))

    def _distances(self, q: fx.Array, k: fx.Array, cache: Any, bias: Any) -> fx.Array:
        if cache is None:
            slopes = alibi(self.heads, q.shape[-3], k.shape[-3]).astype(q.dtype)
        else:
            steep = alibi(self.heads, 1, 2)[:, 0, 0].astype(q.dtype)  # minus the slope: a distance of 1
            at = cache["length"] - q.shape[-3] + fnp.arange(q.shape[-3])
            slopes = steep[:, None, None] * fnp.absolute(at[:, None] - fnp.arange(k.shape[-3])).astype(
                q.dtype
            )
        return slopes if bias is None else slopes + as_array(bias)

    def _attend(self, p: Scope, q: Any, k: Any, v: Any, bias: Any, mask: Any, is_causal: bool) -> fx.Array:
        lead = q.shape[:-3]
        dropout = (
            {"dropout_rate": self.dropout, "dropout_key": p.key()} if self.dropout and p.training else {}
        )
        flat = lambda y: y if len(lead) == 1 else y.reshape(math.prod(lead), *y.shape[-3:])
        mask, bias = (None if m is None else _flat(as_array(m), lead) for m in (mask, bias))
        y = dot_product_attention(
            flat(q),
            flat(k),
            flat(v),
            bias,
            mask,
            is_causal=is_causal,
            implementation=self.implementation,
            **dropout,
        )
        return y if len(lead) == 1 else y.reshape(*lead, *y.shape[-3:])


def _flat(extra: fx.Array, lead: tuple[int, ...]) -> fx.Array:
    """A mask or bias (..., heads, length, keys) with the axes before the heads as one batch, where it has them."""
    if extra.ndim <= 3 or len(lead) == 1:
        return extra
    extra = fnp.broadcast_to(extra, (*lead, *extra.shape[-3:]))
    return extra.reshape(math.prod(lead), *extra.shape[-3:])


def _appended(cache: Any, k: fx.Array, v: fx.Array, mask: Any) -> tuple[Any, fx.Array, fx.Array, fx.Array]:
    """The cache with new keys and values, all of it, and the mask of what the new places see."""
    start, new = cache["length"], k.shape[-3]
    axis = k.ndim - 3
    filled, size = known(as_array(start)), cache["k"].shape[axis]
    if filled is not None and filled.max(initial=0) + new > size:
        raise fx.OutOfBoundsError(
            f"A cache for {size} places holds {filled.max()} and gets {new} more.\nWrite layer.cache(batch, length) "
            "with a length for all."
        )
    at = [0] * axis + [start, 0, 0]
    k, v = (lax.dynamic_update_slice(cache[n], x.astype(cache[n].dtype), at) for n, x in (("k", k), ("v", v)))
    seen = fnp.arange(k.shape[axis]) <= start + fnp.arange(new)[:, None]
    mask = seen if mask is None else seen & as_array(mask)
    return {"k": k, "v": v, "length": start + new}, k, v, mask


def _of(layer: Layer, x: Any, features: int, name: str) -> fx.Array:
    x = as_array(x)
    if x.ndim < 2 or x.shape[-1] != features:
        raise fx.ShapeError(
            f"{layer} takes {name} of shape (..., length, {features}); {name} has shape {x.shape}."
        )
    return x
