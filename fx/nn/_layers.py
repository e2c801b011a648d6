"""Layers: frozen descriptions with `init(key) -> params` and `apply(params, x) -> y`.

A layer holds no arrays. Its parameters are plain dicts with readable names, made by `init` and passed to
`apply`, so that they are differentiated, mapped, saved and donated like any other argument. Layers nest, compare
by value and are pytrees without leaves: they may be passed to jitted functions, and be closed over.

Every layer has `init(key)`, `apply(params, x, *, key=None)` and `uses_key`, which says whether `apply` draws
random numbers when it is given a key. A layer of your own needs just these three; `Sequential` takes it as it is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from reprlib import repr as brief
from typing import Any, Protocol, TypeAlias, runtime_checkable

import fx
import fx.numpy as fnp
from fx import random

from . import initializers
from ._activations import relu
from ._inputs import real
from .initializers import Initializer

Params: TypeAlias = dict[str, Any]

_KERNEL_INIT = initializers.lecun_normal()


@runtime_checkable
class Layer(Protocol):
    """What a layer is; see the module text."""

    uses_key: bool

    def init(self, key: Any) -> Params:
        """Parameters as nested dicts of arrays."""
        ...

    def apply(self, params: Params, x: Any, *, key: Any = None) -> fx.Array:
        """The result for x; pure. With a key, random layers draw from it."""
        ...


@fx.tree.register_static
@dataclass(frozen=True)
class Linear:
    """y = x @ kernel + bias over the last axis. x: (..., in_features), y: (..., out_features).

    Parameters: kernel (in_features, out_features), bias (out_features,).

    >>> import fx
    >>> layer = Linear(3, 2)
    >>> params = layer.init(fx.random.key(0))
    >>> layer.apply(params, fx.numpy.ones((5, 3))).shape
    (5, 2)
    """

    in_features: int
    out_features: int
    _: KW_ONLY
    use_bias: bool = True
    kernel_init: Initializer = _KERNEL_INIT
    bias_init: Initializer = initializers.zeros
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    uses_key = False

    def __post_init__(self) -> None:
        for name in ("in_features", "out_features"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise fx.ArgumentError(f"Linear: {name} must be a positive integer; got {brief(value)}.")

    def init(self, key: Any) -> Params:
        """{"kernel": ..., "bias": ...}."""
        kernel_key, bias_key = random.split(key)
        params = {"kernel": self.kernel_init(kernel_key, (self.in_features, self.out_features), self.dtype)}
        if self.use_bias:
            params["bias"] = self.bias_init(bias_key, (self.out_features,), self.dtype)
        return params

    def apply(self, params: Params, x: Any, *, key: Any = None) -> fx.Array:
        """x @ kernel + bias.

        Raises:
            ShapeError: the last axis of x is not in_features. TreeError: params are not of this layer.
        """
        kernel = parameter(self, params, "kernel")
        x = x if isinstance(x, fx.Array) else fnp.asarray(x)
        if x.shape[-1:] != (self.in_features,) or kernel.shape != (self.in_features, self.out_features):
            raise self._misfit(x, kernel)
        y = fnp.matmul(x, kernel)
        return y + parameter(self, params, "bias") if self.use_bias else y

    def _misfit(self, x: fx.Array, kernel: Any) -> fx.ShapeError:
        return fx.ShapeError(
            f"{self} takes x of shape (..., {self.in_features}) and a kernel of shape "
            f"{(self.in_features, self.out_features)}.\n"
            f"x has shape {x.shape}, the kernel {kernel.shape}."
        )

    def __repr__(self) -> str:
        return f"Linear({self.in_features}, {self.out_features}{'' if self.use_bias else ', use_bias=False'})"


def parameter(layer: Any, params: Params, name: str) -> Any:
    """params[name]; TreeError says what is there instead."""
    try:
        return params[name]
    except (KeyError, TypeError, IndexError):
        found = f"the names {sorted(params)}" if isinstance(params, dict) else type(params).__name__
        raise fx.TreeError(
            f"The parameters passed to {layer} have no {brief(name)}; they are {found}.\n"
            "Pass what init(key) of this layer returned."
        ) from None


@fx.tree.register_static
@dataclass(frozen=True)
class Dropout:
    """Each element is 0 with probability `rate`, else divided by 1 - rate; without a key, x itself.

    Source: Srivastava et al. 2014.
    """

    rate: float

    uses_key = True

    def __post_init__(self) -> None:
        if not isinstance(self.rate, (int, float)) or not 0 <= self.rate <= 1:
            raise fx.ArgumentError(f"Dropout: rate is a probability; got {brief(self.rate)}.")

    def init(self, key: Any) -> Params:
        """No parameters: {}."""
        return {}

    def apply(self, params: Params, x: Any, *, key: Any = None) -> fx.Array:
        """Drawn anew with a key; x itself without one, as in evaluation."""
        x = real(x, "Dropout")
        if key is None or self.rate == 0:
            return x
        if self.rate == 1:
            return fnp.zeros_like(x)
        kept = random.bernoulli(key, 1 - self.rate, x.shape)
        return fnp.where(kept, x / (1 - self.rate), 0.0)


@fx.tree.register_static
@dataclass(frozen=True)
class Sequential:
    """Layers and plain functions of arrays, one after the other.

    Parameters: one entry per layer that has any, named after class and place: "linear_0", "linear_2", ...

    >>> import fx
    >>> model = Sequential([Linear(4, 8), fx.nn.relu, Linear(8, 2)])
    >>> sorted(model.init(fx.random.key(0)))
    ['linear_0', 'linear_2']
    """

    layers: Sequence[Layer | Callable[[Any], Any]]

    def __post_init__(self) -> None:
        if not isinstance(self.layers, (list, tuple)):
            raise fx.ArgumentError(
                f"Sequential takes a list of layers; got {type(self.layers).__name__}.\n"
                "Write Sequential([layer, layer])."
            )
        object.__setattr__(self, "layers", tuple(self.layers))
        for i, layer in enumerate(self.layers):
            if not isinstance(layer, Layer) and not callable(layer):
                raise fx.ArgumentError(
                    f"Sequential: element {i} is {type(layer).__name__}, neither a layer nor a function."
                )

    @property
    def uses_key(self) -> bool:
        return any(layer.uses_key for _, layer in self._named if isinstance(layer, Layer))

    @functools.cached_property
    def _named(self) -> list[tuple[str, Any]]:
        return [(f"{type(layer).__name__.lower()}_{i}", layer) for i, layer in enumerate(self.layers)]

    def init(self, key: Any) -> Params:
        """Parameters of the layers by name, each from a key of its own."""
        params = {}
        for (name, layer), own in zip(self._named, random.split(key, len(self.layers)), strict=True):
            made = layer.init(own) if isinstance(layer, Layer) else {}
            if made:
                params[name] = made
        return params

    def apply(self, params: Params, x: Any, *, key: Any = None) -> fx.Array:
        """The layers one after the other; each that uses a key gets one of its own."""
        for i, (name, layer) in enumerate(self._named):
            if not isinstance(layer, Layer):
                x = layer(x)
                continue
            own = random.fold_in(key, i) if key is not None and layer.uses_key else None
            x = layer.apply(params.get(name, {}), x, key=own)
        return x

    def __repr__(self) -> str:
        return f"Sequential([{', '.join(getattr(x, '__name__', None) or repr(x) for x in self.layers)}])"


@fx.tree.register_static
@dataclass(frozen=True)
class MLP:
    """Linear layers with an activation between them. x: (..., sizes[0]), y: (..., sizes[-1]).

    Parameters: those of the Linear layers, named "linear_0", "linear_1", ...

    >>> import fx
    >>> model = MLP([64, 128, 10])
    >>> fx.tree.map(lambda p: p.shape, model.init(fx.random.key(0))["linear_1"])
    {'bias': (10,), 'kernel': (128, 10)}
    """

    sizes: Sequence[int]
    _: KW_ONLY
    activation: Callable[[Any], Any] = relu
    final_activation: Callable[[Any], Any] | None = None
    use_bias: bool = True
    kernel_init: Initializer = _KERNEL_INIT
    bias_init: Initializer = initializers.zeros
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    uses_key = False

    def __post_init__(self) -> None:
        if not isinstance(self.sizes, (list, tuple)):
            raise fx.ArgumentError(f"MLP: sizes is a list of integers; got {type(self.sizes).__name__}.")
        object.__setattr__(self, "sizes", tuple(self.sizes))
        if len(self.sizes) < 2:
            raise fx.ArgumentError(f"MLP: sizes must name at least input and output; got {self.sizes}.")
        self.layers  # noqa: B018 (refuses bad sizes now)

    @functools.cached_property
    def layers(self) -> dict[str, Linear]:
        """The Linear layers by the names of their parameters."""
        options = {name: getattr(self, name) for name in ("use_bias", "kernel_init", "bias_init", "dtype")}
        pairs = zip(self.sizes, self.sizes[1:], strict=False)
        return {f"linear_{i}": Linear(a, b, **options) for i, (a, b) in enumerate(pairs)}

    def init(self, key: Any) -> Params:
        """Parameters of the Linear layers by name, each from a key of its own."""
        keys = random.split(key, len(self.layers))
        return {name: layer.init(own) for (name, layer), own in zip(self.layers.items(), keys, strict=True)}

    def apply(self, params: Params, x: Any, *, key: Any = None) -> fx.Array:
        """The layers one after the other."""
        last = len(self.layers) - 1
        for i, (name, layer) in enumerate(self.layers.items()):
            x = layer.apply(parameter(self, params, name), x)
            activation = self.activation if i < last else self.final_activation
            x = x if activation is None else activation(x)
        return x

    def __repr__(self) -> str:
        return f"MLP({list(self.sizes)}, activation={getattr(self.activation, '__name__', self.activation)})"
