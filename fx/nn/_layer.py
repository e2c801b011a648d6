"""What a layer is: a frozen description that makes parameters and computes with them.

A layer holds no arrays. `init(key)` makes its parameters, nested dicts and lists of arrays under readable names;
`apply(params, x)` computes. Both are pure, so parameters are differentiated, mapped, saved and donated like any
other argument. Layers compare by value and are pytrees without leaves: they may be passed to jitted functions.

A layer of your own names its arrays in `parameters`, the layers it is made of in `layers` (or as fields), and says
what it computes in `forward`. There `p` is the layer with its parameters: `p.kernel` is an array, `p.attend` a layer
inside that is called like a function.

    class Block(nn.Layer):
        width: int
        heads: int = 8

        def layers(self):
            return {
                "norm_1": nn.LayerNorm(self.width),
                "attend": nn.MultiHeadAttention(self.width, self.heads),
                "norm_2": nn.LayerNorm(self.width),
                "mlp": nn.MLP([self.width, 4 * self.width, self.width], activation=nn.gelu),
            }

        def forward(self, p, x):
            x = x + p.attend(p.norm_1(x), is_causal=True)
            return x + p.mlp(p.norm_2(x))

Outside, `Block(64).attend` is the layer inside, whose parameters are params["attend"].
"""

from __future__ import annotations

import functools
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from reprlib import repr as brief
from typing import Any, NamedTuple, NoReturn, TypeAlias, dataclass_transform

import fx
from fx import random

from . import initializers
from ._fields import settle, texts
from ._scope import RESERVED, Run, Scope, copied, label
from .initializers import Initializer

_LOCAL = threading.local()

Params: TypeAlias = dict[str, Any]
"""Nested dicts and lists of arrays."""


@dataclass(frozen=True)
class Parameter:
    """An array that a layer declares: its shape, how `init` makes it, its dtype (None is the default float)."""

    shape: Sequence[int]
    init: Initializer = initializers.zeros
    dtype: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.shape, (list, tuple)) or not all(
            type(n) is int and n >= 0 for n in self.shape
        ):
            raise fx.ArgumentError(f"Parameter: shape is a sequence of integers; got {brief(self.shape)}.")
        object.__setattr__(self, "shape", tuple(self.shape))


class Members(NamedTuple):
    """What a layer is made of, by name."""

    parameters: dict[str, Parameter]
    state: dict[str, Parameter]
    layers: dict[str, Any]
    """Each a Layer, or a tuple of Layers."""


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Layer:
    """Base class of layers: each subclass becomes a frozen dataclass; see the module text."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        dataclass(frozen=True, repr=False)(cls)
        fx.tree.register_static(cls)

    def __post_init__(self) -> None:
        settle(self)
        self.validate()

    # What a subclass may say

    def validate(self) -> None:
        """Raise if the fields do not make a layer."""

    def parameters(self) -> Mapping[str, Parameter]:
        """The arrays of this layer itself, by name."""
        return {}

    def state(self) -> Mapping[str, Parameter]:
        """Arrays that `forward` may replace (`p.mean = ...`) and `apply` then returns, by name."""
        return {}

    def layers(self) -> Mapping[str, Any]:
        """Layers inside, and lists of them, by name; those that are fields, unless a subclass says otherwise."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in values.items() if _is_layers(value)}

    def forward(self, p: Scope, *args: Any, **kwargs: Any) -> Any:
        """The result for args, with the parameters that p holds."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(self, p, ...).")

    def create(self, key: Any) -> tuple[Params, Params]:
        """Parameters and state (both may be empty), each array from a key of its own, which its name decides."""
        made = self.members
        params: Params = {n: _array(d, _named_key(key, n)) for n, d in made.parameters.items()}
        state: Params = {n: _array(d, _named_key(key, n)) for n, d in made.state.items()}
        for name, inner in made.layers.items():
            for tree, part in zip((params, state), _create_inner(inner, _named_key(key, name)), strict=True):
                if fx.tree.leaves(part):
                    tree[name] = part
        return params, state

    # What a user calls

    def init(self, key: Any) -> Any:
        """Parameters as nested dicts and lists of arrays; with state inside, `(params, state)`."""
        params, state = self.create(key)
        return (params, state) if self.has_state else params

    def apply(
        self,
        params: Any,
        *args: Any,
        state: Any = None,
        key: Any = None,
        training: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """The result of `forward`; with state inside, `(result, new state)`. Pure.

        Args:
            params: what `init(key)` returned, or arrays of that structure.
            state: what `init`, or the `apply` before, returned; only layers that have state take it.
            key: a random key for layers that draw in training, such as Dropout.
            training: how layers behave that differ in training; True if a key is given, unless said.

        Raises:
            TreeError: params or state are not of this layer. ShapeError: an array in them has another shape.
        """
        if self.has_state and state is None:
            raise fx.ArgumentError(
                f"{label(self)} has state, which apply takes and returns.\n"
                "Write: params, state = layer.init(key); y, state = layer.apply(params, x, state=state)."
            )
        state = copied(state) if self.has_state else {}
        run = Run(key, (key is not None) if training is None else bool(training))
        result = self.forward(Scope(self, params, state, run, ()), *args, **kwargs)
        return (result, state) if self.has_state else result

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not for layers without parameters: the error says what to call instead."""
        raise fx.ArgumentError(
            f"{label(self)} was called; a layer holds no parameters.\n"
            "Write params = layer.init(key); y = layer.apply(params, x). Inside forward(self, p, x): p.name(x)."
        )

    # What the structure says

    @functools.cached_property
    def members(self) -> Members:
        """Parameters, state and layers by name, checked once."""
        asked = _asked()
        asked.append(self)
        try:
            layers = {name: tuple(x) if isinstance(x, list) else x for name, x in self.layers().items()}
            made = Members(dict(self.parameters()), dict(self.state()), layers)
        finally:
            asked.pop()
        _check_members(self, made)
        return made

    def __getattr__(self, name: str) -> Any:
        """The layer inside of that name, or a tuple of layers, where no field and no method has the name."""
        if hasattr(type(self), name):
            return object.__getattribute__(self, name)  # a property, for its own AttributeError
        known = not name.startswith("_") and not any(x is self for x in _asked())
        if known and name in self.members.layers:
            return self.members.layers[name]
        inside = f"; layers inside are {sorted(self.members.layers)}" if known else ""
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{inside}.", name=name, obj=self)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.members.layers]

    @functools.cached_property
    def has_parameters(self) -> bool:
        """Whether this layer or one inside declares parameters."""
        return bool(self.members.parameters) or any(x.has_parameters for x in self._inner)

    @functools.cached_property
    def has_state(self) -> bool:
        """Whether this layer or one inside declares state."""
        return bool(self.members.state) or any(x.has_state for x in self._inner)

    @property
    def _inner(self) -> Iterator[Layer]:
        return (x for value in self.members.layers.values() for x in _each(value))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(texts(self))})"


def _asked() -> list[Layer]:
    """The layers whose `layers` this thread is calling: what they lack is then not looked for inside them."""
    return _LOCAL.__dict__.setdefault("asked", [])


def _create_inner(inner: Any, key: Any) -> tuple[Any, Any]:
    """Parameters and state of a layer, or lists of those of several."""
    if isinstance(inner, Layer):
        return inner.create(key)
    made = [layer.create(random.fold_in(key, i)) for i, layer in enumerate(inner)]
    return [params for params, _ in made], [state for _, state in made]


def _array(declared: Parameter, key: Any) -> fx.Array:
    return declared.init(key, declared.shape, declared.dtype)


def _named_key(key: Any, name: str) -> Any:
    """A key that the name decides, so that a layer added elsewhere changes nothing here."""
    return random.fold_in(key, zlib.crc32(name.encode()) & 0x7FFFFFFF)


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _is_layers(value: Any) -> bool:
    return isinstance(value, Layer) or (
        isinstance(value, tuple) and len(value) > 0 and all(isinstance(x, Layer) for x in value)
    )


def _check_members(layer: Layer, made: Members) -> None:
    for name, value in made.layers.items():
        if not all(isinstance(x, Layer) for x in _each(value)):
            raise fx.ArgumentError(
                f"{type(layer).__name__}.layers: {name!r} is {brief(value)}, neither a layer nor a list of layers."
            )
    names = [*made.parameters, *made.state, *made.layers]
    for name in names:
        if name in RESERVED or not isinstance(name, str) or name.startswith("_"):
            raise fx.ArgumentError(f"{type(layer).__name__}: {name!r} cannot name a parameter or a layer.")
        if names.count(name) > 1:
            raise fx.ArgumentError(f"{type(layer).__name__} declares {name!r} twice.")
