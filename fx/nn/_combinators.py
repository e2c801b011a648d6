"""Layers made of layers: one after the other, side by side, repeated, recomputed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any

import fx
import fx.numpy as fnp
from fx import lax, random

from . import initializers
from ._activations import relu
from ._checks import positive
from ._layer import Layer, Params
from ._linear import KERNEL_INIT, Linear
from ._scope import Scope
from .initializers import Initializer


class Lambda(Layer):
    """A function of arrays as a layer without parameters."""

    function: Callable[..., Any]

    def forward(self, p: Scope, *args: Any, **kwargs: Any) -> Any:
        """function(*args, **kwargs)."""
        return self.function(*args, **kwargs)


class Sequential(Layer):
    """Layers and plain functions of arrays, one after the other: Sequential([f, g]), a dict, or Sequential(f, g).

    Parameters: one entry per layer that has any, named after class and place: "linear_0", "linear_2", ...; or under
    the names of a dict.

    >>> import fx
    >>> model = Sequential([Linear(4, 8), fx.nn.relu, Linear(8, 2)])
    >>> sorted(model.init(fx.random.key(0)))
    ['linear_0', 'linear_2']
    """

    steps: Sequence[Layer | Callable[[Any], Any]] | Mapping[str, Layer | Callable[[Any], Any]]

    def __init__(self, *layers: Any, steps: Any = ()):
        listed = len(layers) == 1 and not (callable(layers[0]) or isinstance(layers[0], Layer))
        object.__setattr__(self, "steps", layers[0] if listed else layers or steps)
        self.__post_init__()

    def validate(self) -> None:
        _check_steps(self, self.steps)

    def layers(self) -> dict[str, Layer]:
        return _layers_in(self.steps)

    def forward(self, p: Scope, x: Any) -> Any:
        """The steps one after the other."""
        for name, step in _named(self.steps):
            x = getattr(p, name)(x) if isinstance(step, Layer) else step(x)
        return x


class Residual(Layer):
    """x + inner(x), or shortcut(x) + inner(x) where inner changes the shape.

    Source: He et al. 2015.
    """

    inner: Layer
    shortcut: Layer | None = None

    def forward(self, p: Scope, x: Any, **kwargs: Any) -> fx.Array:
        """The sum of the two branches; further arguments go to `inner`.

        Raises:
            ShapeError: the branches have different shapes.
        """
        y = p.inner(x, **kwargs)
        x = x if self.shortcut is None else p.shortcut(x)
        if y.shape != x.shape:
            raise fx.ShapeError(
                f"{self}: the branches have shapes {x.shape} and {y.shape}.\n"
                "Give a layer shortcut= that changes x alike."
            )
        return x + y


class Parallel(Layer):
    """Layers and functions side by side on the same input; results are summed, concatenated, or kept as a dict.

    Args:
        branches: a list or a dict of them; parameters are named as in Sequential.
        combine: "sum", "concatenate" (over `axis`), "none" (a tuple, or a dict), or a function of the results.
    """

    branches: Sequence[Layer | Callable[[Any], Any]] | Mapping[str, Layer | Callable[[Any], Any]]
    _: KW_ONLY
    combine: str | Callable[..., Any] = "sum"
    axis: int = -1

    def validate(self) -> None:
        _check_steps(self, self.branches)
        if not callable(self.combine) and self.combine not in ("sum", "concatenate", "none"):
            raise fx.ArgumentError(
                f"Parallel: combine={self.combine!r}.\nChoose 'sum', 'concatenate', 'none' or a function."
            )

    def layers(self) -> dict[str, Layer]:
        return _layers_in(self.branches)

    def forward(self, p: Scope, x: Any, **kwargs: Any) -> Any:
        """What `combine` makes of the branches' results."""
        steps = _named(self.branches)
        results = [getattr(p, n)(x, **kwargs) if isinstance(f, Layer) else f(x) for n, f in steps]
        if callable(self.combine):
            return self.combine(*results)
        if self.combine == "none":
            names = [name for name, _ in steps]
            return (
                dict(zip(names, results, strict=True)) if isinstance(self.branches, dict) else tuple(results)
            )
        return (
            fnp.concatenate(results, self.axis)
            if self.combine == "concatenate"
            else sum(results[1:], results[0])
        )


class Repeat(Layer):
    """One layer n times, each time with parameters of its own, as one `scan`: x must keep its shape and dtype.

    The program, its compile time and its text do not grow with n. Parameters (and state): those of the layer under
    the name "layer", each with an axis of size n in front.
    """

    layer: Layer
    times: int

    def validate(self) -> None:
        positive(self, "times")

    def create(self, key: Any) -> tuple[Params, Params]:
        made = fx.vmap(self.layer.create)(random.split(key, self.times))
        return tuple([{"layer": tree} if fx.tree.leaves(tree) else {} for tree in made])

    def forward(self, p: Scope, x: Any, **kwargs: Any) -> Any:
        """layer(... layer(x)); further arguments go to each."""
        inner, key = p.layer, p.key_or_none()
        once = inner.pure(**kwargs)
        keys = None if key is None else random.split(key, self.times)
        each = (inner.tree, inner.state_tree, keys)
        x, state = lax.scan(lambda x, own: once(*own, x), x, each, length=self.times)
        inner.replace_state(state)
        return x


class Checkpoint(Layer):
    """A layer whose inside is computed again in the backward pass instead of kept; see `fx.checkpoint`.

    Parameters: those of the layer, under the name "layer".
    """

    layer: Layer
    _: KW_ONLY
    policy: Callable[..., Any] | None = None

    def forward(self, p: Scope, *args: Any, **kwargs: Any) -> Any:
        """What the layer gives."""
        inner = p.layer
        again = fx.checkpoint(inner.pure(**kwargs), policy=self.policy)
        result, state = again(inner.tree, inner.state_tree, p.key_or_none(), *args)
        inner.replace_state(state)
        return result


class MLP(Layer):
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
    kernel_init: Initializer = KERNEL_INIT
    bias_init: Initializer = initializers.zeros
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    def validate(self) -> None:
        if not isinstance(self.sizes, tuple):
            raise fx.ArgumentError(f"MLP: sizes is a list of integers; got {type(self.sizes).__name__}.")
        if len(self.sizes) < 2:
            raise fx.ArgumentError(f"MLP: sizes must name at least input and output; got {self.sizes}.")
        self.layers()

    def layers(self) -> dict[str, Layer]:
        options = {name: getattr(self, name) for name in ("use_bias", "kernel_init", "bias_init", "dtype")}
        pairs = zip(self.sizes, self.sizes[1:], strict=False)
        return {f"linear_{i}": Linear(a, b, **options) for i, (a, b) in enumerate(pairs)}

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """The layers one after the other."""
        last = len(self.sizes) - 2
        for i in range(last + 1):
            x = getattr(p, f"linear_{i}")(x)
            activation = self.activation if i < last else self.final_activation
            x = x if activation is None else activation(x)
        return x


def _named(steps: Any) -> list[tuple[str, Any]]:
    if isinstance(steps, dict):
        return list(steps.items())
    return [(f"{type(step).__name__.lower()}_{i}", step) for i, step in enumerate(steps)]


def _layers_in(steps: Any) -> dict[str, Layer]:
    return {name: step for name, step in _named(steps) if isinstance(step, Layer)}


def _check_steps(layer: Layer, steps: Any) -> None:
    kind = type(layer).__name__
    if not isinstance(steps, (tuple, dict)):
        raise fx.ArgumentError(
            f"{kind} takes a list or a dict of layers; got {type(steps).__name__}.\nWrite {kind}([layer, layer])."
        )
    for place, step in steps.items() if isinstance(steps, dict) else enumerate(steps):
        if not callable(step) and not isinstance(step, Layer):
            raise fx.ArgumentError(
                f"{kind}: element {place} is {type(step).__name__}, neither a layer nor a function."
            )
