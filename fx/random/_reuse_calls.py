"""The check of key reuse across calls: a traced function uses up the keys that it is given at every call.

Where a function is traced with arguments that have no value (`jit`, `vmap`, loops, branches), the trace knows which of
them it uses as keys, and its callers hand over what the arguments stand for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.trace import Tracer
from ..core.transforms.arguments import name_of
from ..core.transforms.vmap import vmap
from ..primitives.promotion import as_operand
from . import _reuse

Traced = tuple[Any, Sequence[Any]]
"""A trace that has ended, and its outputs."""


def watch(*functions: Traced) -> Called | None:
    """What the traced functions, of which one runs, do with keys; None where they see none."""
    called = Called(functions)
    return called if called.uses or called.closed_over or any(called.made) else None


class Called:
    """Which inputs a function uses up as keys, and which outputs are new keys."""

    def __init__(self, functions: Sequence[Traced]):
        self.functions = functions
        self.uses: list[tuple[Any, Any]] = []
        self.closed_over = [use for trace, _ in functions for use in _reuse.closed_over.pop(trace, ())]
        self.first = True
        """Closures were used up while tracing, which is the first call."""
        columns = list(zip(*[[(t, out) for out in outs] for t, outs in functions], strict=True))
        self.made = [all(_is_made(*pair) for pair in column) for column in columns]
        self.spent = [next(filter(None, (_use_of(*pair) for pair in column)), None) for column in columns]
        found = set()
        for trace, _ in functions:
            for identity, use in _reuse.traced.get(trace, {}).items():
                if identity not in found and _of_inputs(trace, use.index):
                    found.add(identity)
                    self.uses.append((trace, use))

    def use(
        self, operands: Sequence[Any], axes: Sequence[int | None] = (), carry: int = 0
    ) -> Callable[[Any], None]:
        """Use the keys among the operands up. Returns what notes that results are new keys.

        Args:
            axes: of operands that the function takes slices of, one key each.
            carry: so many inputs come back as outputs, for a loop.
        """
        for i in range(carry):
            self._refuse_constant(i)
        if not self.first:
            for key, what, source in self.closed_over:
                _reuse.consume(key, f"{what} ({source})")
        self.first = False
        for trace, use in self.uses:
            self._use_one(trace, use, operands, axes)
        return self._note

    def _use_one(self, trace: Any, use: Any, operands: Sequence[Any], axes: Sequence[int | None]) -> None:
        keys = _outside(trace, use.index, operands, axes)
        each = [keys] if keys.ndim == 1 or type(keys) is Tracer else _distinct(keys)
        for key in each:
            if use.spare:
                _reuse.allow_once_more(key, use.spare)
            if use.source is not None:
                _reuse.consume(key, f"{name_of(trace.function)} ({use.what}, {use.source})")

    def _note(self, results: Sequence[Any]) -> None:
        for made, spent, keys in zip(self.made, self.spent, results, strict=True):
            if made:
                _reuse.forget(keys)
            if made and spent is not None:
                _reuse.spend(keys, spent)

    def _refuse_constant(self, i: int) -> None:
        ((trace, outputs),) = self.functions
        out = outputs[i]
        if type(out) is Tracer and out.home is trace and out.index == i:
            use = _reuse.traced.get(trace, {}).get(i)
            if use is not None and use.source is not None:
                raise _reuse.in_each_iteration(use, trace.title(), "is not replaced by")


def _distinct(keys: Any) -> list[Any]:
    return list({row.tobytes(): row for row in np.asarray(keys).reshape(-1, 2)}.values())


def _of_inputs(trace: Any, index: int) -> bool:
    """Whether a key is an input, or picked from inputs."""
    found = _reuse.sources(trace, index)
    return any(i < trace.arity for i in found) and all(
        i < trace.arity or _reuse.is_known(trace.slots[i]) for i in found
    )


def _is_made(trace: Any, out: Any) -> bool:
    """Whether an output is an array of keys that were made inside."""
    keys = type(out) is Tracer and out.dtype == np.uint32 and out.shape[-1:] == (2,)
    return keys and out.home is trace and not _of_inputs(trace, out.index)


def _use_of(trace: Any, out: Any) -> Any:
    """How an output was used up inside; None where it was not, or not in all its parts."""
    uses = _reuse.traced.get(trace)
    if uses is None or not _is_made(trace, out):
        return None
    use = uses.of(_reuse.identity_of(trace, out.index))
    return use if use is not None and use.source is not None else None


def _outside(trace: Any, index: int, operands: Sequence[Any], axes: Sequence[int | None]) -> Any:
    """The key that the function uses, picked from the operands; (n, 2) where it takes slices of them."""
    needed = sorted(i for i in _reuse.sources(trace, index) if i < trace.arity)
    mapped = [axes[i] if axes else None for i in needed]
    pick = lambda *xs: _reuse.remade(trace, index, dict(zip(needed, xs, strict=True)))
    values = [as_operand(operands[i]) for i in needed]
    if all(a is None for a in mapped):
        return pick(*values)
    return vmap(pick, in_axes=tuple(mapped))(*values)
