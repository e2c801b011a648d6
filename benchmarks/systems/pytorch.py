"""PyTorch, eager and compiled: each workload is written by hand and made into a task here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..workloads.workload import SETTLED_RATE, Workload, flat, mapped
from .task import Task

Read = Callable[[Any], Any]
plain: Read = lambda tensor: tensor


class Torch:
    """`compile` is torch.compile in the system torch-compile, and nothing in the eager one."""

    def __init__(self, name: str, threads: int | None = None) -> None:
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        self.name, self.torch, self.compiles = name, torch, name == "torch-compile"

    def compile(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return self.torch.compile(f) if self.compiles else f

    def task(self, workload: Workload, dtype: str) -> Task:
        if self.compiles:
            self.torch._dynamo.reset()
        assert workload.torch is not None
        return workload.torch(self, *self.tensors(workload.arguments(dtype)))

    def tensors(self, value: Any) -> Any:
        return mapped(self.torch.tensor, value)

    def warm_up(self) -> None:
        f = self.compile(lambda x: self.torch.sin(x) * 2.0)
        f(self.torch.ones(7))

    def planned_peak(self, task: Task) -> int | None:
        return None

    def release(self) -> None:
        """The CPU allocator keeps nothing."""

    def function(self, f: Callable[..., Any], *arguments: Any) -> Task:
        """A function without gradients."""
        compiled = self.compile(f)
        return Task(lambda: compiled(*arguments), numbers)

    def gradient(
        self,
        f: Callable[..., Any],
        *arguments: Any,
        argnums: Sequence[int] = (0,),
        value: bool = True,
        whole: bool = True,
    ) -> Task:
        """A scalar function with its gradient by `torch.autograd.grad`.

        Args:
            value: the value is an output too.
            whole: compile all of `f`; otherwise it has compiled the part that is worth it.
        """
        forward = self.compile(f) if whole else f
        leaves = [t for n in argnums for t in flat(arguments[n])]
        for leaf in leaves:
            leaf.requires_grad_()

        def run() -> Any:
            y = forward(*arguments)
            gradients = self.torch.autograd.grad(y, leaves)
            return (y, *gradients) if value else gradients

        return Task(run, numbers)

    def training(
        self,
        loss: Callable[[], Any],
        optimizer: Any,
        parameters: Iterable[tuple[Any, Read]],
        max_norm: float | None = None,
        moments: Sequence[str] = ("exp_avg", "exp_avg_sq"),
    ) -> Task:
        """A step: forward, backward, optimizer. The outputs are the loss, the new parameters, and moments of Adam.

        `parameters` has, in the order of the functional version, tensors and how each is turned into its layout.
        `max_norm` is what gradients are clipped to together.
        """
        forward, parameters = self.compile(loss), list(parameters)
        trained = optimizer.param_groups[0]["params"]

        def run() -> Any:
            optimizer.zero_grad(set_to_none=True)
            value = forward()
            value.backward()
            if max_norm is not None:
                self.torch.nn.utils.clip_grad_norm_(trained, max_norm)
            optimizer.step()
            return value

        def read(value: Any) -> list[np.ndarray]:
            out = [value, *(layout(p) for p, layout in parameters)]
            for moment in moments:
                states = [(optimizer.state[p], layout) for p, layout in parameters]
                out += [layout(state[moment]) for state, layout in states if moment in state]
            return numbers(out)

        return Task(run, read, self._settle(optimizer, [p for p, _ in parameters]))

    def update(self, optimizer: Any, parameters: Sequence[Any]) -> Task:
        """A step of an optimizer alone; the gradients are there."""
        step = self.compile(optimizer.step)
        state = lambda name: [optimizer.state[p][name] for p in parameters]
        read = lambda _: numbers([*parameters, *state("exp_avg"), *state("exp_avg_sq")])
        return Task(step, read, self._settle(optimizer, parameters))

    def _settle(self, optimizer: Any, parameters: Sequence[Any]) -> Callable[[], None]:
        """Bring back the parameters as they are now, with a learning rate that keeps them there."""
        values = [p.detach().clone() for p in parameters]

        def settle() -> None:
            for p, value in zip(parameters, values):
                p.detach().copy_(value)
            for group in optimizer.param_groups:
                group["lr"] = SETTLED_RATE

        return settle

    def sgd(self, parameters: Sequence[Any], lr: float) -> Any:
        return self.torch.optim.SGD(parameters, lr=lr, fused=True)

    def adam(
        self, parameters: Sequence[Any], lr: float, first: Sequence[Any], second: Sequence[Any], count: float
    ) -> Any:
        """Adam in the middle of a training: the moments and the number of steps are given."""
        optimizer = self.torch.optim.Adam(parameters, lr=lr, fused=True)
        for p, m, v in zip(parameters, first, second, strict=True):
            state = {"step": self.torch.tensor(float(count)), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
            optimizer.state[p] = state
        return optimizer

    def learning(self) -> Any:
        """Models, optimizer and the loss of the learning workloads."""
        from ..models import in_torch

        return in_torch

    def parameter(self, tensor: Any) -> Any:
        return self.torch.nn.Parameter(tensor.clone().contiguous())

    def load(self, module: Any, *tensors: Any) -> Any:
        """Give a module its parameters, in the order of `module.parameters()`."""
        own = dict(module.named_parameters())
        for (name, _), tensor in zip(own.items(), tensors, strict=True):
            owner = module
            *path, last = name.split(".")
            for part in path:
                owner = getattr(owner, part)
            setattr(owner, last, self.parameter(tensor))
        return module


def numbers(result: Any) -> list[np.ndarray]:
    """Tensors in nested tuples and lists as NumPy arrays (copies: steps work in place)."""
    return [t.detach().numpy().copy() for t in flat(result)]
