"""Calls back into Python from traced code: pure_callback; and the identities checkpoint_name and stop_gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .core import static, tree
from .core.errors import ArgumentError, TreeError, brief, lines
from .core.transforms.arguments import is_array, name_of
from .core.transforms.gradient import ShapeDtype
from .primitives.markers import barrier_p, name_p, pure_callback_p, stop_gradient_p
from .primitives.promotion import as_operand


class _Pure(NamedTuple):
    """The host side of `pure_callback`."""

    fun: Callable[..., Any]
    in_tree: Any
    out_tree: Any

    @property
    def title(self) -> str:
        return name_of(self.fun)

    def __call__(self, *arrays: Any) -> list[Any]:
        args, kwargs = self.in_tree.unflatten(arrays)
        leaves, found = tree.flatten(self.fun(*args, **kwargs))
        if found != self.out_tree:
            raise TreeError(
                lines(
                    f"pure_callback: {name_of(self.fun)} returned another structure than declared:",
                    *tree.differences(self.out_tree, found, "result"),
                )
            )
        return [np.asarray(x) for x in leaves]


def pure_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    vmap_method: str = "sequential",
    **kwargs: Any,
) -> Any:
    """Call a pure Python function of NumPy arrays from traced code.

    Args:
        callback: takes NumPy arrays, returns arrays of the declared shapes and dtypes; may be called any number
            of times.
        result_shape_dtypes: pytree of `fx.ShapeDtype` (or arrays) that says what it returns.
        vmap_method: "sequential": one call per element of a batch; "expand_dims": one call, every argument and
            result with leading batch axes (of size 1 where an argument does not vary).

    Raises:
        RuleError: under derivatives; wrap it with `fx.custom_jvp` or `fx.custom_vjp`.
    """
    static.function(callback, "pure_callback: callback")
    static.choice(vmap_method, ("sequential", "expand_dims"), "pure_callback: vmap_method")
    leaves, in_tree = tree.flatten((args, kwargs))
    declared, out_tree = tree.flatten(result_shape_dtypes)
    for x in declared:
        if not hasattr(x, "shape") or not hasattr(x, "dtype"):
            raise ArgumentError(
                lines(
                    f"pure_callback: {brief(x)} does not declare a result.",
                    "Write fx.ShapeDtype(shape, dtype) for each result.",
                )
            )
    outs = tuple(ShapeDtype(x.shape, x.dtype).aval for x in declared)
    results = pure_callback_p(
        *[as_operand(x) for x in leaves],
        callback=_Pure(callback, in_tree, out_tree), outs=outs, batches=(), vectorized=vmap_method == "expand_dims",
    )  # fmt: skip
    return out_tree.unflatten(results)


def checkpoint_name(x: Any, name: str) -> Any:
    """x under a name, for policies such as `fx.checkpoint_policies.save_only_these_names`."""
    if not isinstance(name, str):
        raise ArgumentError(f"checkpoint_name: the name must be a string; got {brief(name)}.")
    return tree.map(lambda leaf: name_p(as_operand(leaf), name=name), x)


def stop_gradient(x: Any) -> Any:
    """x as a constant for derivatives; leaves that are not floating point pass unchanged."""
    return tree.map(lambda leaf: stop_gradient_p(as_operand(leaf)) if is_array(leaf) else leaf, x)


def optimization_barrier(x: Any) -> Any:
    """Identity on a pytree that no compiler pass moves anything across."""
    leaves, treedef = tree.flatten(x)
    return treedef.unflatten(barrier_p(*[as_operand(leaf) for leaf in leaves])) if leaves else x
