"""A layer with its parameters, as `Layer.forward` sees it."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import fx
import fx.numpy as fnp
from fx import random

if TYPE_CHECKING:
    from ._layer import Layer

RESERVED = ("key", "key_or_none", "pure", "replace_state", "state_tree", "training", "tree")
"""Names of what every scope has, which no parameter may take."""

Observer = Callable[["Scope", tuple[Any, ...], dict[str, Any], Any], None]


class Run:
    """What the scopes of one `apply` share: the key and how often each layer drew from it, the mode, an observer."""

    def __init__(self, key: Any, training: bool, observer: Observer | None = None):
        self.key, self.training, self.observer = key, training, observer
        self.draws: dict[tuple[Any, ...], int] = {}


class Scope:
    """`p` in `forward(self, p, x)`.

    p.kernel            a parameter, or an array of the state, of the layer
    p.mean = value      the state's next value
    p.attend(x)         the layer inside of that name, called with its own parameters
    p.blocks            a list of such layers, if the layer declares a list
    p.embed.lookup(x)   a method `lookup(self, p, x)` of a layer, called in the same way
    p.training          whether layers behave as in training
    p.key()             a random key, another one at each call
    p.tree              the parameters of the layer as a pytree

    A layer that transforms the one inside (Checkpoint, Repeat) has also p.layer.pure(), p.layer.state_tree and
    p.layer.replace_state.
    """

    __slots__ = ("_layer", "_params", "_path", "_run", "_state")

    def __init__(self, layer: Layer, params: Any, state: Any, run: Run, path: tuple[Any, ...]):
        for name, value in zip(self.__slots__, (layer, params, path, run, state), strict=True):
            object.__setattr__(self, name, value)

    @property
    def training(self) -> bool:
        return self._run.training

    @property
    def tree(self) -> Any:
        return self._params

    @property
    def state_tree(self) -> Any:
        return self._state

    def replace_state(self, state: Any) -> None:
        """Take the state that a function made by `pure` returned."""
        if isinstance(self._state, dict):
            self._state.update(state)

    def key(self) -> Any:
        """A key that no other draw of this `apply` gets.

        Raises:
            ArgumentError: `apply` was given none.
        """
        if self._run.key is None:
            raise fx.ArgumentError(
                f"{label(self._layer)}, {where('model', self._path)}, draws random numbers in training "
                "and has no key.\n"
                "Write apply(params, x, key=key), with another key each step; without training=True nothing is drawn."
            )
        n = self._run.draws[self._path] = self._run.draws.get(self._path, -1) + 1
        text = "/".join(map(str, (*self._path, n)))
        return random.fold_in(self._run.key, zlib.crc32(text.encode()) & 0x7FFFFFFF)

    def key_or_none(self) -> Any:
        """`key()` for a layer that may not need it: None if `apply` was given none."""
        return None if self._run.key is None else self.key()

    def pure(self, **kwargs: Any) -> Callable[..., tuple[Any, Any]]:
        """The layer as a function (params, state, key, *args) -> (result, new state), to be transformed."""
        outer, layer, path = self._run, self._layer, self._path

        def function(params: Any, state: Any, key: Any, *args: Any) -> tuple[Any, Any]:
            run = Run(key, outer.training, outer.observer)
            state = copied(state)
            return Scope(layer, params, state, run, path)(*args, **kwargs), state

        return function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with fx.named_scope(str(self._path[-1] if self._path else type(self._layer).__name__)):
            result = self._layer.forward(self, *args, **kwargs)
        if self._run.observer is not None:
            self._run.observer(self, args, kwargs, result)
        return result

    def __getattr__(self, name: str) -> Any:
        members = self._layer.members
        if name in members.layers:
            return self._inner(name, members.layers[name])
        if name in members.parameters:
            return declared(self._params, name, members.parameters[name], self, "params")
        if name in members.state:
            return declared(self._state, name, members.state[name], self, "state")
        method = getattr(type(self._layer), name, None)
        if callable(method) and not name.startswith("_"):
            return functools.partial(method, self._layer, self)
        names = sorted((*members.parameters, *members.state, *members.layers))
        raise AttributeError(f"{label(self._layer)} has no {name!r}; it declares {names}.")

    def __setattr__(self, name: str, value: Any) -> None:
        expected = self._layer.members.state.get(name)
        if expected is None:
            raise fx.ImmutableError(
                f"forward of {label(self._layer)} assigns to {name!r}, which is not among its state "
                f"{sorted(self._layer.members.state)}.\nParameters change by gradients; declare it in state()."
            )
        old = declared(self._state, name, expected, self, "state")
        value = fnp.asarray(value)
        if value.shape != old.shape:
            raise fx.ShapeError(
                f"{label(self._layer)}: state {name!r} has shape {old.shape}, its new value {value.shape}."
            )
        self._state[name] = value.astype(old.dtype)

    def _inner(self, name: str, inner: Any) -> Any:
        if not isinstance(inner, tuple):
            params = entry(self, "params", name, inner)
            return Scope(inner, params, entry(self, "state", name, inner), self._run, (*self._path, name))
        lists = [self._list(which, name, inner) for which in ("params", "state")]
        paths = ((*self._path, name, i) for i in range(len(inner)))
        return [
            Scope(layer, params, state, self._run, path)
            for layer, params, state, path in zip(inner, *lists, paths, strict=True)
        ]

    def _list(self, which: str, name: str, inner: tuple[Any, ...]) -> Any:
        """Parameters or state of a list of layers: absent if none has any."""
        tree = self._params if which == "params" else self._state
        if not isinstance(tree, dict) or name not in tree:
            return [entry(self, which, name, layer) for layer in inner]
        found = tree[name]
        if not isinstance(found, (list, tuple)) or len(found) != len(inner):
            count = (
                f"{len(found)} entries" if isinstance(found, (list, tuple, dict)) else type(found).__name__
            )
            raise fx.TreeError(
                f"{where(which, (*self._path, name))} belongs to {len(inner)} layers; it is {count}.\n"
                "Pass what init(key) of this model returned."
            )
        return found

    def __repr__(self) -> str:
        return f"<{where('model', self._path)}: {label(self._layer)}>"


def copied(tree: Any) -> Any:
    """The dicts and lists copied, the arrays not."""
    if isinstance(tree, dict):
        return {name: copied(x) for name, x in tree.items()}
    return [copied(x) for x in tree] if isinstance(tree, (list, tuple)) else tree


def entry(scope: Scope, which: str, name: str, inner: Layer) -> Any:
    """Parameters or state of a layer inside; nothing where it has none."""
    tree = scope._params if which == "params" else scope._state
    if isinstance(tree, dict) and name in tree:
        return tree[name]
    if inner.has_state if which == "state" else inner.has_parameters:
        raise missing(tree, name, scope, which)
    return {}


def declared(tree: Any, name: str, expected: Any, scope: Scope, which: str) -> fx.Array:
    """tree[name] as an Array of the declared shape."""
    try:
        value = tree[name]
    except (KeyError, TypeError, IndexError):
        raise missing(tree, name, scope, which) from None
    value = value if isinstance(value, fx.Array) else fnp.asarray(value)
    if value.shape != expected.shape:
        raise fx.ShapeError(
            f"{where(which, (*scope._path, name))} has shape {value.shape}; "
            f"{label(scope._layer)} takes {expected.shape}.\nPass what init(key) of this model returned."
        )
    return value


def missing(tree: Any, name: str, scope: Scope, which: str) -> fx.TreeError:
    found = f"the names {sorted(tree)}" if isinstance(tree, dict) else type(tree).__name__
    return fx.TreeError(
        f"{where(which, scope._path)}, passed to {label(scope._layer)}, has no {name!r}; it is {found}.\n"
        "Pass what init(key) of this model returned."
    )


def label(layer: Layer) -> str:
    """A layer in an error: its text, or the head of it."""
    text = repr(layer)
    return text if len(text) <= 60 else f"{text[:56]}...)"


def where(root: str, path: tuple[Any, ...]) -> str:
    """params['encoder']['layers'][0]"""
    return root + "".join(f"[{part!r}]" for part in path)
