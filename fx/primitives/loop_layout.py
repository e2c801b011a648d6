"""The operands of a loop by role, and which of them carry tangents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core.program import Program
from ..core.transforms.forward import is_zero


class Layout:
    """The operands of a loop by role (values, avals, tangents or dims alike), with its params."""

    def __init__(
        self, operands: Sequence[Any], *, body: Program, cond: Program | None, sizes: tuple[int, int, int],
        length: int | None, reverse: bool, unroll: int,
    ):  # fmt: skip
        self.body, self.cond, self.sizes = body, cond, sizes
        self.length, self.reverse, self.unroll = length, reverse, unroll
        head = int(length is None and cond is None)
        a, b, c = sizes
        self.head = list(operands[:head])
        rest = list(operands[head:])
        self.cond_consts, self.consts = rest[:a], rest[a : a + b]
        self.carry, self.xs = rest[a + b : a + b + c], rest[a + b + c :]

    def params(self, **changes: Any) -> dict[str, Any]:
        own = {k: getattr(self, k) for k in ("body", "cond", "sizes", "length", "reverse", "unroll")}
        return {**own, **changes}

    def active(self, dots: Layout, actives: Callable[[Program, Any], Any]) -> Active:
        """Which parts carry tangents: the carry is a fixed point over the body.

        `actives(program, active inputs)` gives the active outputs, in the mode that asks: custom rules may have one.
        """
        consts = tuple(not is_zero(t) for t in dots.consts)
        carry = tuple(not is_zero(t) for t in dots.carry)
        xs = tuple(not is_zero(t) for t in dots.xs)
        while True:
            out = actives(self.body, (*consts, *carry, *xs))
            grown = tuple(a or b for a, b in zip(carry, out[: len(carry)], strict=True))
            if grown == carry:
                return Active(consts, carry, xs, out[len(carry) :])
            carry = grown


class Active:
    def __init__(self, consts: Any, carry: Any, xs: Any, ys: Any):
        self.consts, self.carry, self.xs, self.ys = consts, carry, xs, ys

    @property
    def inputs(self) -> tuple[bool, ...]:
        return (*self.consts, *self.carry, *self.xs)
