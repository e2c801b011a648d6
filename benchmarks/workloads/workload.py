"""What a workload is: inputs from one generator, a function per system, what it costs, how it is verified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

FUNCTIONAL = ("fx", "jax", "autograd", "numpy")
TORCH = ("torch", "torch-compile")
SYSTEMS = ("fx", "jax", *TORCH, "autograd", "numpy")

SETTLED_RATE = 1e-6
"""The learning rate that is timed: thousands of steps leave the parameters where they are."""

Arrays = tuple[Any, ...]


def identity(outputs: Any) -> Any:
    return outputs


def as_given(system: Any, *arguments: Any) -> Arrays:
    return arguments


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    Args:
        inputs: a generator -> the arguments: float32 arrays, integers, and nested tuples and dicts of such.
        function: a system -> a Python function of the arguments, which the system compiles where it can.
        prepare: (system, *arguments in its arrays) -> the arguments of `function`.
        shown: what `function` returned -> what of it is read and verified.
        steps: so many calls in a row are verified, all their outputs.
        torch: (torch system, *arguments) -> a task; written by hand, as a user of PyTorch would.
        runs_on, torch_on: the systems that have what `function` uses; which of eager and compiled PyTorch.
        flops: useful floating-point operations of a call, counted by hand; 0 where they say nothing.
        elements: numbers that must be read and written at least once by a call.
        tolerance: largest |difference| of an output to the float64 reference, relative to that output's largest.
        summary: outputs -> what is compared of them.
        bars: the fraction to reach of the FMA limit ("fma"; "fma, all cores") or the copy bandwidth ("copy").
        state: so many first arguments become the last results of the call before; the next argument is a learning rate.
    """

    name: str
    family: str
    inputs: Callable[[np.random.Generator], Arrays]
    function: Callable[[Any], Callable[..., Any]]
    prepare: Callable[..., Arrays] = as_given
    shown: Callable[[Any], Any] = identity
    steps: int = 1
    torch: Callable[..., Any] | None = None
    runs_on: Sequence[str] = ("fx", "jax")
    torch_on: Sequence[str] = TORCH
    flops: float = 0.0
    elements: float = 0.0
    tolerance: float = 2e-4
    summary: Callable[[list[np.ndarray]], list[np.ndarray]] = identity
    bars: tuple[tuple[str, float], ...] = ()
    dtype: str = "float32"
    state: int = 0

    def arguments(self, dtype: str | None = None) -> Arrays:
        """The same numbers for every system; float leaves in `dtype`."""
        return cast(self.inputs(np.random.default_rng(0)), np.dtype(dtype or self.dtype))

    def supports(self, system: str) -> bool:
        if system in TORCH:
            return self.torch is not None and system in self.torch_on
        return system in self.runs_on

    def twin(self) -> Workload:
        """The same work in float64."""
        return replace(self, name=f"{self.name}, f64", family="f64", dtype="float64", tolerance=1e-9, bars=())


def cast(value: Any, dtype: np.dtype[Any]) -> Any:
    """Floating leaves of nested tuples, lists and dicts in `dtype`."""

    def one(leaf: Any) -> np.ndarray:
        array = np.asarray(leaf)
        return array.astype(dtype) if array.dtype.kind == "f" else array

    return mapped(one, value)


def mapped(f: Callable[[Any], Any], value: Any) -> Any:
    """The same nested tuples, lists and dicts, with f of the leaves."""
    if isinstance(value, dict):
        return {name: mapped(f, v) for name, v in value.items()}
    return type(value)(mapped(f, v) for v in value) if isinstance(value, (tuple, list)) else f(value)


def flat(value: Any) -> list[Any]:
    """Leaves of nested tuples, lists and dicts, in order; of dicts by name."""
    if isinstance(value, dict):
        value = [value[name] for name in sorted(value)]
    if isinstance(value, (tuple, list)):
        return [leaf for v in value for leaf in flat(v)]
    return [value]


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Normal, of variance 1 / fan-in: the fan-in is the product of all sizes but the last."""
    return normal(rng, *shape, scale=float(np.prod(shape[:-1])) ** -0.5)
