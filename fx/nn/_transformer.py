"""Transformer layers and stacks of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, fields
from typing import Any

import fx

from ._activations import gelu
from ._attention import MultiHeadAttention
from ._checks import positive, probability
from ._dropout import Dropout
from ._layer import Layer
from ._linear import Linear
from ._norms import LayerNorm
from ._scope import Scope


class _Block(Layer):
    """What encoder and decoder layers share."""

    features: int
    heads: int
    _: KW_ONLY
    hidden: int | None = None
    """Width of the layer between; None is 4 * features."""
    kv_heads: int | None = None
    dropout: float = 0.0
    activation: Callable[[Any], Any] = gelu
    norm_first: bool = True
    """x + f(norm(x)); otherwise norm(x + f(x))."""
    norm: Callable[[int], Layer] = LayerNorm
    """Makes the normalization from the number of features: LayerNorm, RMSNorm."""
    positions: str | None = None
    """See MultiHeadAttention."""
    use_bias: bool = True
    implementation: str | None = None
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    def validate(self) -> None:
        positive(self, "features", "heads")
        probability(self, "dropout")

    def _attention(self, positions: str | None) -> Layer:
        names = ("kv_heads", "dropout", "use_bias", "implementation", "dtype")
        options = {name: getattr(self, name) for name in names}
        return MultiHeadAttention(self.features, self.heads, positions=positions, **options)

    def _between(self) -> dict[str, Layer]:
        hidden = 4 * self.features if self.hidden is None else self.hidden
        options = {"use_bias": self.use_bias, "dtype": self.dtype}
        return {
            "up": Linear(self.features, hidden, **options),
            "down": Linear(hidden, self.features, **options),
            "drop": Dropout(self.dropout),
        }

    def _norm(self) -> Layer:
        return self.norm(self.features) if self.dtype is None else self.norm(self.features, dtype=self.dtype)  # type: ignore[call-arg]

    def _mlp(self, p: Scope, x: Any) -> fx.Array:
        return p.down(p.drop(self.activation(p.up(x))))

    def _added(self, p: Scope, x: Any, norm: Scope, f: Callable[[Any], Any]) -> Any:
        """One residual branch; f may return (y, cache)."""
        y = f(norm(x) if self.norm_first else x)
        y, *cache = y if isinstance(y, tuple) else (y,)
        y = x + p.drop(y)
        return (y if self.norm_first else norm(y)), *cache


class TransformerEncoderLayer(_Block):
    """Self-attention and an MLP, each with a residual branch and a normalization. x: (..., length, features).

    Parameters: attn, norm_1, norm_2, up, down. Source: Vaswani et al. 2017; Xiong et al. 2020 (norm_first).
    """

    def layers(self) -> dict[str, Layer]:
        norms = {"norm_1": self._norm(), "norm_2": self._norm()}
        return {"attn": self._attention(self.positions), **norms, **self._between()}

    def forward(
        self,
        p: Scope,
        x: Any,
        *,
        mask: Any = None,
        is_causal: bool = False,
        positions: Any = None,
        cache: Any = None,
    ) -> Any:
        """The result, of x's shape; with a cache (`cache`), (result, cache). Arguments as in MultiHeadAttention."""
        options = {"mask": mask, "is_causal": is_causal, "positions": positions, "cache": cache}
        x, *cache = self._added(p, x, p.norm_1, lambda y: p.attn(y, **options))
        (x,) = self._added(p, x, p.norm_2, lambda y: self._mlp(p, y))
        return (x, *cache) if cache else x

    def cache(self, batch: int | tuple[int, ...], length: int, dtype: Any = None) -> Any:
        """An empty cache for decoding; see MultiHeadAttention."""
        return self.members.layers["attn"].cache(batch, length, dtype or self.dtype)


class TransformerDecoderLayer(_Block):
    """Causal self-attention, attention to a context, and an MLP. x: (..., length, features).

    Parameters: attn, cross, norm_1, norm_2, norm_3, up, down. Source: Vaswani et al. 2017.
    """

    def layers(self) -> dict[str, Layer]:
        norms = {f"norm_{i}": self._norm() for i in (1, 2, 3)}
        return {
            "attn": self._attention(self.positions),
            "cross": self._attention(None),
            **norms,
            **self._between(),
        }

    def forward(
        self,
        p: Scope,
        x: Any,
        context: Any,
        *,
        mask: Any = None,
        context_mask: Any = None,
        is_causal: bool = True,
        positions: Any = None,
        cache: Any = None,
    ) -> Any:
        """The result, of x's shape; with a cache, (result, cache).

        Args:
            context: (..., keys, features), the encoder's result; context_mask: booleans (..., heads, length, keys).
        """
        options = {"mask": mask, "is_causal": is_causal, "positions": positions, "cache": cache}
        x, *cache = self._added(p, x, p.norm_1, lambda y: p.attn(y, **options))
        (x,) = self._added(p, x, p.norm_2, lambda y: p.cross(y, context, mask=context_mask))
        (x,) = self._added(p, x, p.norm_3, lambda y: self._mlp(p, y))
        return (x, *cache) if cache else x

    def cache(self, batch: int | tuple[int, ...], length: int, dtype: Any = None) -> Any:
        """An empty cache of the self-attention for decoding; see MultiHeadAttention."""
        return self.members.layers["attn"].cache(batch, length, dtype or self.dtype)


class _Stack(Layer):
    """Equal blocks, one after the other, and a normalization at the end where they normalize first."""

    layer: _Block
    num_layers: int
    _: KW_ONLY
    final_norm: bool | None = None
    """Whether to normalize the result; None is `layer.norm_first`."""

    def validate(self) -> None:
        positive(self, "num_layers")

    @property
    def _normalizes(self) -> bool:
        return self.layer.norm_first if self.final_norm is None else self.final_norm

    def layers(self) -> dict[str, Any]:
        blocks = {"layers": [self.layer] * self.num_layers}
        return {**blocks, "norm": self.layer._norm()} if self._normalizes else blocks

    def cache(self, batch: int | tuple[int, ...], length: int, dtype: Any = None) -> list[Any]:
        """Empty caches of all layers for decoding."""
        return [self.layer.cache(batch, length, dtype) for _ in range(self.num_layers)]

    def forward(self, p: Scope, x: Any, *args: Any, cache: Any = None, **options: Any) -> Any:
        """The result, of x's shape; with a list of caches, (result, caches). Arguments are those of the layers."""
        caches = []
        for i, layer in enumerate(p.layers):
            if cache is None:
                x = layer(x, *args, **options)
            else:
                x, own = layer(x, *args, cache=cache[i], **options)
                caches.append(own)
        x = p.norm(x) if self._normalizes else x
        return x if cache is None else (x, caches)


class TransformerEncoder(_Stack):
    """`num_layers` encoder layers of one description, each with parameters of its own.

    Parameters: under "layers" a list of those of each; norm.

    >>> import fx
    >>> model = TransformerEncoder(TransformerEncoderLayer(16, 4), 2)
    >>> params = model.init(fx.random.key(0))
    >>> params["layers"][0]["attn"]["wq"].shape, model.apply(params, fx.numpy.ones((2, 5, 16))).shape
    ((16, 16), (2, 5, 16))
    """


class TransformerDecoder(_Stack):
    """`num_layers` decoder layers of one description; forward(x, context, ...). Parameters as in TransformerEncoder."""


class Transformer(_Block):
    """An encoder of a source, and a decoder of a target that attends to what the encoder says.

    Parameters: encoder, decoder. Source: Vaswani et al. 2017.

    >>> import fx
    >>> model = Transformer(16, 4, 2, 2)
    >>> source, target = fx.numpy.ones((2, 7, 16)), fx.numpy.ones((2, 5, 16))
    >>> model.apply(model.init(fx.random.key(0)), source, target).shape
    (2, 5, 16)
    """

    num_encoder_layers: int = 6
    num_decoder_layers: int = 6
    final_norm: bool | None = None
    """See TransformerEncoder."""

    def layers(self) -> dict[str, Layer]:
        options = {f.name: getattr(self, f.name) for f in fields(_Block)}  # type: ignore[arg-type]
        encoder, decoder = TransformerEncoderLayer(**options), TransformerDecoderLayer(**options)
        return {
            "encoder": TransformerEncoder(encoder, self.num_encoder_layers, final_norm=self.final_norm),
            "decoder": TransformerDecoder(decoder, self.num_decoder_layers, final_norm=self.final_norm),
        }

    def forward(
        self,
        p: Scope,
        source: Any,
        target: Any,
        *,
        source_mask: Any = None,
        target_mask: Any = None,
        context_mask: Any = None,
        is_causal: bool = True,
    ) -> Any:
        """The result for target: (..., length, features); source: (..., keys, features).

        Args:
            source_mask, target_mask: booleans that broadcast to (..., heads, length, length) of each: what is seen.
            context_mask: what of the source places of the target see: (..., heads, length, keys).
            is_causal: place t of the target sees the places up to t.
        """
        context = p.encoder(source, mask=source_mask)
        return p.decoder(target, context, mask=target_mask, context_mask=context_mask, is_causal=is_causal)
