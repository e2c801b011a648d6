"""fx, JAX, HIPS autograd and NumPy behind one small surface: workloads are written against it once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..workloads.workload import SETTLED_RATE, Workload, flat, mapped
from .task import Task


class Functional:
    """NumPy alone: no gradients, nothing compiled. The others say what they have beyond it."""

    name = "numpy"
    np: Any = np

    def compile(self, f: Callable[..., Any], donated: tuple[int, ...] = ()) -> Callable[..., Any]:
        return f

    def array(self, x: np.ndarray) -> Any:
        return x

    def wait(self, result: Any) -> Any:
        return result

    def arrays(self, value: Any) -> Any:
        """Nested tuples, lists and dicts of NumPy arrays as arrays of this system."""
        return mapped(self.array, value)

    def task(self, workload: Workload, dtype: str) -> Task:
        """The workload, its function not traced yet. The state of a step goes from call to call, donated."""
        state = workload.state
        step = self.compile(workload.function(self), tuple(range(state)))
        begin = lambda: workload.prepare(self, *self.arrays(workload.arguments(dtype)))
        arguments = list(begin())

        def run() -> Any:
            result = self.wait(step(*arguments))
            if state:
                arguments[:state] = result[-state:]
            return result

        def settle() -> None:
            arguments[:] = begin()
            if state:
                arguments[state] = self.array(np.asarray(SETTLED_RATE, dtype))

        read = lambda result: [np.array(a) for a in flat(workload.shown(result))]
        return Task(run, read, settle, step, lambda: arguments)

    def warm_up(self) -> None:
        """What a process pays once: the back end is up before the first workload is traced."""
        f = self.compile(lambda x: self.np.sin(x) * 2.0)
        self.wait(f(self.array(np.ones(7, np.float32))))

    def planned_peak(self, task: Task) -> int | None:
        """Bytes beyond the arguments that the compiled program plans to use, where the system can say so."""
        return None

    def release(self) -> None:
        """Give memory that is kept for later back."""

    def normal(self, seed: Any, n: int) -> Any:
        return np.random.default_rng(int(seed)).standard_normal(n, dtype=np.float32)

    def scatter_add(self, x: Any, index: Any, updates: Any) -> Any:
        out = x.copy()
        np.add.at(out, index, updates)
        return out

    def einsum(self, formula: str, *operands: Any) -> Any:
        return self.np.einsum(formula, *operands, optimize=True)

    def scan(self, f: Callable[..., Any], carry: Any, xs: Any, length: int) -> Any:
        """As `jax.lax.scan`, with a Python loop; xs is one array or None."""
        ys = []
        for n in range(length):
            carry, y = f(carry, None if xs is None else xs[n])
            ys.append(y)
        return carry, None if ys[0] is None else self.np.stack(ys)

    def relu(self, x: Any) -> Any:
        return self.np.maximum(x, 0.0)

    def sigmoid(self, x: Any) -> Any:
        return 0.5 * (self.np.tanh(0.5 * x) + 1.0)

    def gelu(self, x: Any) -> Any:
        return 0.5 * x * (1.0 + self.np.tanh(0.7978845608028654 * (x + 0.044715 * (x * x * x))))

    def softmax(self, x: Any) -> Any:
        e = self.np.exp(x - self.np.max(x, axis=-1, keepdims=True))
        return e / self.np.sum(e, axis=-1, keepdims=True)

    def log_softmax(self, x: Any) -> Any:
        shifted = x - self.np.max(x, axis=-1, keepdims=True)
        return shifted - self.np.log(self.np.sum(self.np.exp(shifted), axis=-1, keepdims=True))

    def cross_entropy(self, logits: Any, labels: Any) -> Any:
        """Mean over the rows of `logits` (n, classes); `labels` (n,) are integers."""
        return -self.np.mean(self.log_softmax(logits)[np.arange(len(labels)), labels])


class Autograd(Functional):
    name = "autograd"

    def __init__(self) -> None:
        import autograd
        import autograd.numpy

        self.np, self._autograd = autograd.numpy, autograd

    def value_and_grad(self, f: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
        return self._autograd.value_and_grad(f, argnums)

    def grad(self, f: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
        return self._autograd.grad(f, argnums)

    def hessian(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return self._autograd.hessian(f)


class Jax(Functional):
    name = "jax"

    def __init__(self) -> None:
        import jax
        import jax.numpy

        jax.config.update("jax_platforms", "cpu")
        self._jax, self.np = jax, jax.numpy
        self.grad, self.value_and_grad = jax.grad, jax.value_and_grad
        self.vmap, self.hessian, self.wait = jax.vmap, jax.hessian, jax.block_until_ready
        self.relu, self.sigmoid, self.gelu = jax.nn.relu, jax.nn.sigmoid, jax.nn.gelu
        self.softmax, self.log_softmax = jax.nn.softmax, jax.nn.log_softmax
        self.array = jax.numpy.asarray

    def task(self, workload: Workload, dtype: str) -> Task:
        self._jax.config.update("jax_enable_x64", dtype == "float64")
        return super().task(workload, dtype)

    def compile(self, f: Callable[..., Any], donated: tuple[int, ...] = ()) -> Callable[..., Any]:
        return self._jax.jit(f, donate_argnums=donated)

    def scan(self, f: Callable[..., Any], carry: Any, xs: Any, length: int) -> Any:
        return self._jax.lax.scan(f, carry, xs, length)

    def cross_entropy(self, logits: Any, labels: Any) -> Any:
        log_p = self._jax.nn.log_softmax(logits)
        return -self.np.mean(self.np.take_along_axis(log_p, labels[:, None], axis=-1))

    def normal(self, seed: Any, n: int) -> Any:
        return self._jax.random.normal(self._jax.random.key(seed), (n,), "float32")

    def scatter_add(self, x: Any, index: Any, updates: Any) -> Any:
        return x.at[index].add(updates)

    def einsum(self, formula: str, *operands: Any) -> Any:
        return self.np.einsum(formula, *operands)

    def learning(self) -> Any:
        """Models, optimizers and the loss of the learning workloads."""
        from ..models import in_jax

        return in_jax

    def conv(self, x: Any, w: Any) -> Any:
        """x: (n, height, width, in), w: (3, 3, in, out), stride 1, same size."""
        return self._jax.lax.conv_general_dilated(
            x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    def max_pool(self, x: Any) -> Any:
        """Over windows of 2 x 2 of (n, height, width, channels)."""
        reduce = self._jax.lax.reduce_window
        return reduce(x, -np.inf, self._jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


class Fx(Functional):
    name = "fx"

    def __init__(self) -> None:
        import fx
        import fx.losses
        import fx.numpy

        self._fx, self.np = fx, fx.numpy
        self.grad, self.value_and_grad = fx.grad, fx.value_and_grad
        self.vmap, self.hessian, self.wait = fx.vmap, fx.hessian, fx.block_until_ready
        self.relu, self.sigmoid, self.gelu = fx.nn.relu, fx.nn.sigmoid, fx.nn.gelu
        self.softmax, self.log_softmax = fx.nn.softmax, fx.nn.log_softmax
        self.array = fx.numpy.asarray

    def planned_peak(self, task: Task) -> int | None:
        memory = getattr(task.step, "memory", None)
        if memory is None:
            return None
        plan = memory(*task.arguments())
        return int(plan.peak) - int(plan.arguments)

    def release(self) -> None:
        memory = getattr(self._fx, "memory", None)
        if memory is not None:
            memory.trim()

    def compile(self, f: Callable[..., Any], donated: tuple[int, ...] = ()) -> Callable[..., Any]:
        return self._fx.jit(f, donate_argnums=donated)

    def scan(self, f: Callable[..., Any], carry: Any, xs: Any, length: int) -> Any:
        return self._fx.lax.scan(f, carry, xs, length)

    def cross_entropy(self, logits: Any, labels: Any) -> Any:
        return self.np.mean(self._fx.losses.softmax_cross_entropy_with_integer_labels(logits, labels))

    def normal(self, seed: Any, n: int) -> Any:
        return self._fx.random.normal(self._fx.random.key(seed), (n,), "float32")

    def scatter_add(self, x: Any, index: Any, updates: Any) -> Any:
        return x.at[index].add(updates)

    def einsum(self, formula: str, *operands: Any) -> Any:
        return self.np.einsum(formula, *operands)

    def learning(self) -> Any:
        from ..models import in_fx

        return in_fx

    def conv(self, x: Any, w: Any) -> Any:
        return self._fx.lax.conv_general_dilated(
            x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    def max_pool(self, x: Any) -> Any:
        return self._fx.lax.window_max(x, (1, 2, 2, 1), (1, 2, 2, 1))


FUNCTIONAL = {system.name: system for system in (Fx, Jax, Autograd, Functional)}
