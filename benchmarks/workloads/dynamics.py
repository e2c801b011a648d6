"""Gradients of an n-body energy and of an ordinary differential equation's solution."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .workload import Arrays, Workload, normal


def n_body(n: int) -> Workload:
    """Softened gravitational energy of all pairs, and the forces."""

    def energy(total: Any, sqrt: Any) -> Any:
        def of(x: Any, mass: Any) -> Any:
            difference = x[:, None, :] - x[None, :, :]
            distance = sqrt(total(difference * difference, -1) + 0.01)
            return -0.5 * total(mass[:, None] * mass[None, :] / distance)

        return of

    def inputs(rng: np.random.Generator) -> Arrays:
        return normal(rng, n, 3), rng.uniform(0.5, 1.5, n).astype(np.float32)

    return Workload(
        f"n-body energy and forces, {n} bodies",
        "dynamics",
        inputs=inputs,
        function=lambda s: s.value_and_grad(energy(s.np.sum, s.np.sqrt)),
        torch=lambda t, x, mass: t.gradient(energy(t.torch.sum, t.torch.sqrt), x, mass),
        runs_on=("fx", "jax", "autograd"),
        flops=30.0 * n * n,
    )


def runge_kutta(field: Callable[..., Any], dt: float) -> Callable[..., Any]:
    """One step of the classical method of order 4."""

    def step(y: Any, theta: Any) -> Any:
        k1 = field(y, theta)
        k2 = field(y + 0.5 * dt * k1, theta)
        k3 = field(y + 0.5 * dt * k2, theta)
        k4 = field(y + dt * k3, theta)
        return y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    return step


def lotka_volterra(stack: Any) -> Callable[..., Any]:
    """Prey y[0] and predators y[1]; theta: growth, predation, reproduction, death."""

    def field(y: Any, theta: Any) -> Any:
        prey, predators = y[0], y[1]
        return stack([prey * (theta[0] - theta[1] * predators), predators * (theta[2] * prey - theta[3])])

    return field


def ode(steps: int) -> Workload:
    """Mean square of the whole path, with its gradient by the start and the parameters."""
    dt = 5.0 / steps

    def function(s: Any) -> Any:
        step = runge_kutta(lotka_volterra(s.np.stack), dt)

        def loss(y0: Any, theta: Any) -> Any:
            def body(y: Any, _: Any) -> Any:
                y = step(y, theta)
                return y, y

            return s.np.mean(s.scan(body, y0, None, steps)[1] ** 2)

        return s.value_and_grad(loss, (0, 1))

    def torch(t: Any, y0: Any, theta: Any) -> Any:
        step = t.compile(runge_kutta(lotka_volterra(t.torch.stack), dt))

        def loss(y: Any, theta: Any) -> Any:
            path = []
            for _ in range(steps):
                y = step(y, theta)
                path.append(y)
            return t.torch.stack(path).square().mean()

        return t.gradient(loss, y0, theta, argnums=(0, 1), whole=False)

    start, theta = np.array([1.0, 0.5], np.float32), np.array([1.5, 1.0, 1.0, 3.0], np.float32)
    return Workload(
        f"ODE, {steps:,} Runge-Kutta steps by scan, value and gradient",
        "dynamics",
        inputs=lambda rng: (start, theta),
        function=function,
        torch=torch,
        runs_on=("fx", "jax", "autograd"),
        tolerance=1e-3,
    )


def workloads(tiny: bool) -> Iterator[Workload]:
    yield n_body(6 if tiny else 512)
    yield ode(10 if tiny else 1000)
