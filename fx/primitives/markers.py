"""Identities that say something to transformations, and calls back into Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import Aval
from ..core.devices import backend_of
from ..core.errors import DTypeError, RuleError, ShapeError, lines
from ..core.primitive import Axis, Primitive, Sample, Zero, absent
from .families import to_front, zero_of


class Identity(Primitive):
    """y = x."""

    view = True
    alias = True

    def impl(self, xp: Any, x: Any, **params: Any) -> Any:
        return x

    def shape(self, x: Aval, **params: Any) -> Aval:
        return x

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return tangents[0]

    def transpose(self, ct: Any, x: Any, **params: Any) -> list[Any]:
        return [ct]

    def batch(self, axis: Axis, operands: Any, dims: Any, **params: Any) -> Any:
        return self(operands[0], **params), dims[0]


class StopGradient(Identity):
    """x, without derivatives."""

    name = "stop_gradient"
    transpose = absent("it has no derivative")

    def jvp(self, primals: Any, out: Any, tangents: Any) -> Any:
        return zero_of(out)

    def samples(self, rng: Any) -> Any:
        return [Sample((rng.normal(size=(3, 4)),), {}, lambda x: x)]


class Name(Identity):
    """x, under a name that checkpoint policies can ask for."""

    name = "name"

    def samples(self, rng: Any) -> Any:
        return [Sample((rng.normal(size=(3,)),), {"name": "h"}, lambda x, name: x)]


class Barrier(Primitive):
    """Identity on several operands that no pass moves anything across."""

    name = "optimization_barrier"
    multiple = True
    view = True

    def impl(self, xp: Any, *operands: Any) -> Any:
        return operands

    def shape(self, *avals: Aval) -> Any:
        return avals

    def jvp(self, primals: Any, out: Any, tangents: Any) -> Any:
        live = [t for t in tangents if type(t) is not Zero]
        moved = iter(self(*live))
        return [t if type(t) is Zero else next(moved) for t in tangents]

    def transpose(self, cts: Any, *operands: Any) -> list[Any]:
        live = [ct for ct in cts if type(ct) is not Zero]
        moved = iter(self(*live) if live else ())
        return [ct if type(ct) is Zero else next(moved) for ct in cts]

    def batch(self, axis: Axis, operands: Any, dims: Any) -> Any:
        return self(*operands), list(dims)

    def samples(self, rng: Any) -> Any:
        return [Sample((rng.normal(size=(3,)), rng.normal(size=())), {}, lambda x, y: (x, y))]


class Callback(Primitive):
    """A Python function of host arrays. Over a batch it is called once per element (or once, vectorized).

    callback: called with one NumPy array per operand; returns a sequence of arrays for `outs`, the result avals.
    batches: for each level of batching the size, and which operands vary.
    """

    name = "callback"
    multiple = True
    transient = True

    def __init__(self, name: str, effect: bool):
        self.name, self.effect = name, effect

    def impl(self, xp: Any, *operands: Any, callback: Any, outs: Any, batches: Any, vectorized: bool) -> Any:
        host = [
            np.array(backend_of(x).to_host(x)) for x in operands
        ]  # copies: the callback may write or keep them
        results = _call_batched(callback, host, outs, batches, vectorized)
        return [xp.asarray(r) for r in results]

    def shape(self, *avals: Aval, callback: Any, outs: Any, batches: Any, vectorized: bool) -> Any:
        sizes = tuple(size for size, _ in batches)
        return [Aval((*sizes, *a.shape), a.dtype) for a in outs]

    def push(self, primals: Any, tangents: Any, **params: Any) -> Any:
        if not self.effect:
            raise RuleError(
                lines(
                    f"pure_callback of {_title(params['callback'])} has no derivative rule.",
                    "Wrap it with fx.custom_jvp or fx.custom_vjp, or apply fx.stop_gradient to its inputs.",
                )
            )
        outs = self(*primals, **params)
        return outs, [Zero(x.aval) for x in outs]

    transpose = absent("it has no derivative")

    def batch(self, axis: Axis, operands: Any, dims: Any, *, batches: Any, **params: Any) -> Any:
        moved = [x if d is None else to_front(x, d, axis.size) for x, d in zip(operands, dims, strict=True)]
        level = (axis.size, tuple(d is not None for d in dims))
        outs = self(*moved, batches=(level, *batches), **params)
        return outs, [0] * len(outs)


def _title(callback: Any) -> str:
    return getattr(callback, "title", None) or getattr(callback, "__name__", None) or type(callback).__name__


def _call_batched(callback: Any, operands: list[Any], outs: Any, batches: Any, vectorized: bool) -> list[Any]:
    if not batches:
        return _checked(callback, callback(*operands), outs, ())
    if vectorized:
        sizes = tuple(size for size, _ in batches)
        spread = [_spread(x, batches, i) for i, x in enumerate(operands)]
        return _checked(callback, callback(*spread), outs, sizes)
    (size, varies), rest = batches[0], batches[1:]
    rows = [
        _call_batched(
            callback, [x[i] if on else x for x, on in zip(operands, varies, strict=True)], outs, rest, False
        )
        for i in range(size)
    ]
    inner = tuple(s for s, _ in rest)
    return [
        np.stack([row[k] for row in rows]) if rows else np.empty((0, *inner, *a.shape), a.dtype)
        for k, a in enumerate(outs)
    ]


def _spread(x: Any, batches: Any, i: int) -> Any:
    """An operand with one leading axis per batch level, of size 1 where it does not vary."""
    for level, (_, varies) in enumerate(batches):
        if not varies[i]:
            x = np.expand_dims(x, level)
    return x


def _checked(callback: Any, results: Any, outs: Any, lead: tuple[int, ...]) -> list[Any]:
    arrays = [np.asarray(r) for r in results]
    for r, a in zip(arrays, outs, strict=True):
        if r.dtype.kind in "OSUMm":
            raise DTypeError(
                f"The callback {_title(callback)} returned {r.dtype} {str(r)[:60]!r}; {a} was declared."
            )
        if r.shape != (*lead, *a.shape):
            raise ShapeError(
                lines(
                    f"The callback {_title(callback)} returned shape {r.shape}; {(*lead, *a.shape)} was declared."
                )
            )
    return [r.astype(a.dtype, copy=False) for r, a in zip(arrays, outs, strict=True)]


stop_gradient_p = StopGradient()
name_p = Name()
barrier_p = Barrier()
pure_callback_p = Callback("pure_callback", effect=False)
effect_callback_p = Callback("debug_callback", effect=True)


def host_call(callback: Callable[..., Any], *operands: Any) -> None:
    """Run an effectful callback under the current trace."""
    effect_callback_p(*operands, callback=callback, outs=(), batches=(), vectorized=False)
