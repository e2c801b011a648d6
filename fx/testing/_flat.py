"""A function of pytrees, seen as a function of some of its array leaves: what every check works on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.array import Array, aval_of, concrete
from ..core.avals import is_inexact
from ..core.devices import Device, backend_of, move
from ..core.errors import ArgumentError, lines
from ..core.transforms.arguments import is_array, leaf_names, name_of


class Flat:
    """`fun` as a function of the leaves of `args` that are arrays, or of the inexact ones among them.

    The other leaves are fixed. A call returns the list of output leaves, likewise all or the inexact ones.
    """

    def __init__(self, fun: Callable[..., Any], args: Sequence[Any], inexact: bool):
        if not isinstance(args, (tuple, list)):
            raise ArgumentError(
                lines(
                    f"args is {type(args).__name__}, not a tuple.",
                    "Pass all positional arguments: (x,) for one.",
                )
            )
        self.fun, self.inexact = fun, inexact
        self.leaves, self.in_tree = tree.flatten(tuple(args))
        keep = [is_array(x) and (not inexact or is_inexact(aval_of(x).dtype)) for x in self.leaves]
        self.where = [i for i, on in enumerate(keep) if on]
        self.names = [leaf_names(fun, args, {})[i] for i in self.where]
        self.point = [self.leaves[i] for i in self.where]
        self.name = self.__name__ = self.__qualname__ = name_of(fun)

    def __call__(self, *values: Any) -> list[Any]:
        leaves = list(self.leaves)
        for i, x in zip(self.where, values, strict=True):
            leaves[i] = x
        outputs, out_tree = tree.flatten(self.fun(*self.in_tree.unflatten(leaves)))
        keep = [not self.inexact or is_inexact(aval_of(x).dtype) for x in outputs]
        self.out_names = [
            "output" + tree.keystr(path) for path, on in zip(out_tree.paths(), keep, strict=True) if on
        ]
        return [x for x, on in zip(outputs, keep, strict=True) if on]


def generator(key: Any) -> np.random.Generator:
    """NumPy's random numbers for a seed, an integer array (a key), or None."""
    return np.random.default_rng(0 if key is None else np.asarray(key).ravel().astype(np.int64).tolist())


def normal_like(rng: np.random.Generator, x: Any) -> Any:
    """Normal random numbers with the shape, dtype and device of x."""
    aval = aval_of(x)
    values = rng.normal(size=aval.shape)
    if aval.dtype.kind == "c":
        values = values + 1j * rng.normal(size=aval.shape)
    return on_device(np.asarray(values).astype(aval.dtype), x)


def on_device(host: Any, like: Any) -> Array:
    """An Array of host values where `like` is."""
    buffer = concrete(like) if isinstance(like, Array) else like
    device = backend_of(buffer).device(buffer) if hasattr(buffer, "dtype") else Device("cpu")
    return Array(move(np.asarray(host), device))
