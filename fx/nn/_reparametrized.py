"""Layers whose parameter is made from others: weight and spectral normalization, low-rank updates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import fx
import fx.numpy as fnp
from fx import random

from . import initializers
from ._checks import positive
from ._layer import Layer, Parameter, Params
from ._scope import Scope


def called_with(scope: Scope, params: Any, key: Any, args: Any, kwargs: Any) -> Any:
    """The layer of a scope, with other parameters than its own."""
    result, state = scope.pure(**kwargs)(params, scope.state_tree, key, *args)
    scope.replace_state(state)
    return result


class _OneParameter(Layer):
    """A wrapper around a layer that acts on its parameter `name`."""

    def _declared(self) -> Parameter:
        declared = self.layer.members.parameters  # type: ignore[attr-defined]
        if self.name not in declared:  # type: ignore[attr-defined]
            raise fx.ArgumentError(
                f"{type(self).__name__}: {self.layer} has no parameter {self.name!r}; "  # type: ignore[attr-defined]
                f"it has {sorted(declared)}."
            )
        return declared[self.name]  # type: ignore[attr-defined]


class WeightNorm(_OneParameter):
    """A layer whose kernel is scale * direction / |direction|, |direction| the norm over all axes but the last.

    Parameters: those of the layer, under "layer" (its kernel is the direction), and scale (features,).
    `axis=None` takes the norm over all axes: one scale.

    Source: Salimans and Kingma 2016.
    """

    layer: Layer
    _: KW_ONLY
    name: str = "kernel"
    axis: int | None = -1

    def validate(self) -> None:
        self._declared()

    def parameters(self) -> dict[str, Parameter]:
        shape = self._declared().shape
        return {"scale": Parameter(() if self.axis is None else (shape[self.axis],), initializers.ones)}

    def create(self, key: Any) -> tuple[Params, Params]:
        params, state = super().create(key)
        kernel = params["layer"][self.name]
        params["scale"] = self._length(kernel).reshape(params["scale"].shape).astype(kernel.dtype)
        return params, state

    def _length(self, kernel: fx.Array) -> fx.Array:
        axes = tuple(i for i in range(kernel.ndim) if self.axis is None or i != self.axis % kernel.ndim)
        return fnp.sqrt(fnp.sum(kernel * kernel, axes, keepdims=True))

    def forward(self, p: Scope, *args: Any, **kwargs: Any) -> Any:
        """What the layer gives with the normalized kernel."""
        direction = getattr(p.layer, self.name)
        length = self._length(direction)
        kernel = direction * (p.scale.reshape(length.shape) / length)
        return called_with(p.layer, {**p.layer.tree, self.name: kernel}, p.key_or_none(), args, kwargs)


class SpectralNorm(_OneParameter):
    """A layer whose kernel is divided by its largest singular value, as a matrix of its last axis and the others.

    The singular vectors are state, improved by `steps` power iterations a call in training.

    Parameters: those of the layer, under "layer". State: u (features,), v (other axes,).

    Source: Miyato et al. 2018.
    """

    layer: Layer
    _: KW_ONLY
    name: str = "kernel"
    steps: int = 1
    eps: float = 1e-12

    def validate(self) -> None:
        positive(self, "steps")
        self._declared()

    def state(self) -> dict[str, Parameter]:
        *others, features = self._declared().shape
        vector = initializers.normal(1.0)
        return {"u": Parameter((features,), vector), "v": Parameter((math.prod(others),), vector)}

    def create(self, key: Any) -> tuple[Params, Params]:
        params, state = super().create(key)
        kernel = params["layer"][self.name]
        matrix = kernel.reshape(-1, kernel.shape[-1])
        state["u"], state["v"] = self._iterated(matrix, state["u"], 15)
        return params, state

    def _iterated(self, matrix: fx.Array, u: fx.Array, steps: int) -> tuple[fx.Array, fx.Array]:
        u = u.astype(matrix.dtype)
        v = self._unit(matrix @ u)
        for _ in range(steps - 1):
            u = self._unit(v @ matrix)
            v = self._unit(matrix @ u)
        return self._unit(v @ matrix), v

    def _unit(self, x: fx.Array) -> fx.Array:
        return x / fnp.maximum(fnp.sqrt(fnp.sum(x * x)), self.eps)

    def forward(self, p: Scope, *args: Any, **kwargs: Any) -> Any:
        """What the layer gives with the normalized kernel."""
        kernel = getattr(p.layer, self.name)
        matrix = kernel.reshape(-1, kernel.shape[-1])
        if p.training:
            p.u, p.v = self._iterated(fx.stop_gradient(matrix), p.u, self.steps)
        u, v = (fx.stop_gradient(x).astype(matrix.dtype) for x in (p.u, p.v))
        sigma = v @ matrix @ u
        return called_with(
            p.layer, {**p.layer.tree, self.name: kernel / sigma}, p.key_or_none(), args, kwargs
        )


class LoRA(Layer):
    """A layer with low-rank updates of its matrices: W + a @ b * alpha / rank, b = 0 at first.

    Args:
        layer: any layer or model.
        rank: columns of a, rows of b.
        alpha: what the update is scaled by; None is the rank.
        targets: patterns of paths of parameters (see fx.tree.path_matches), as "attn/w[qv]" or "*kernel"; those with
            at least two axes that match are updated, the axes before the last as one.

    Parameters: those of the layer under "layer" (freeze them in the optimizer by that path), and under "updates" a
    dict {path: {"a": (rows, rank), "b": (rank, columns)}}. `merged(params)` gives parameters of the plain layer.

    Source: Hu et al. 2021.
    """

    layer: Layer
    rank: int
    _: KW_ONLY
    alpha: float | None = None
    targets: str | Sequence[str] = ("*",)

    def validate(self) -> None:
        positive(self, "rank")
        if isinstance(self.targets, str):
            object.__setattr__(self, "targets", (self.targets,))

    def create(self, key: Any) -> tuple[Params, Params]:
        own, inner_key = random.split(key)
        inner, inner_state = self.layer.create(inner_key)
        chosen = {path: x for path, x in _paths(inner) if self._is_target(path, x)}
        if not chosen:
            raise fx.ArgumentError(
                f"LoRA: no matrix of {self.layer} matches {list(self.targets)}; its parameters are "
                f"{[path for path, _ in _paths(inner)]}."
            )
        updates = {
            path: self._update(x, one)
            for (path, x), one in zip(chosen.items(), random.split(own, len(chosen)), strict=True)
        }
        return {"layer": inner, "updates": updates}, {"layer": inner_state} if inner_state else {}

    def _is_target(self, path: str, x: Any) -> bool:
        return x.ndim > 1 and any(fx.tree.path_matches(pattern, path) for pattern in self.targets)

    def _update(self, x: fx.Array, key: Any) -> Params:
        rows, columns = math.prod(x.shape[:-1]), x.shape[-1]
        a = initializers.he_uniform()(key, (rows, self.rank), x.dtype)
        return {"a": a, "b": fnp.zeros((self.rank, columns), x.dtype)}

    def merged(self, params: Params) -> Params:
        """The parameters of `layer` with the updates added."""
        scale = (self.rank if self.alpha is None else self.alpha) / self.rank

        def added(path: Any, x: Any) -> Any:
            update = params["updates"].get(fx.tree.path_text(path))
            return x if update is None else x + (update["a"] @ update["b"] * scale).reshape(x.shape)

        return fx.tree.map_with_path(added, params["layer"])

    def forward(self, p: Scope, *args: Any, **kwargs: Any) -> Any:
        """What the layer gives with the updated matrices."""
        return called_with(p.layer, self.merged(p.tree), p.key_or_none(), args, kwargs)


def _paths(tree: Any) -> list[tuple[str, Any]]:
    return [(fx.tree.path_text(path), x) for path, x in fx.tree.leaves_with_path(tree)]
