"""Rearrangements: two of a kind in a row are one, those that change nothing are none."""

from __future__ import annotations

import numpy as np

from ...core.avals import DYNAMIC
from ...core.program import Equation
from ...core.structure import Literal
from ...primitives.shape import (
    broadcast_p,
    concatenate_p,
    full_p,
    iota_p,
    pad_p,
    reshape_p,
    reverse,
    slice_p,
    transpose_p,
)
from ..rewriting import Atom, Rewriter, Rules, like
from .constants import constant, everywhere, of_constant

Found = Equation | Atom | None


def nothing(at: Rewriter, eqn: Equation) -> Found:
    """An array without elements."""
    aval = eqn.outputs[0].aval
    if DYNAMIC in aval.shape:
        return None
    return like(eqn, full_p, (), {"value": 0, "shape": aval.shape, "dtype": aval.dtype})


def _reshape(at: Rewriter, eqn: Equation) -> Found:
    (x,) = eqn.inputs
    if x.aval.shape == eqn.params["shape"]:
        return x
    made = at.maker(x, reshape_p)
    if made is not None:
        return like(eqn, reshape_p, made.inputs, eqn.params)
    made = at.maker(x, broadcast_p) or at.maker(x, transpose_p)
    return None if made is None else _only_moves_units(eqn, made)


def _only_moves_units(eqn: Equation, made: Equation) -> Found:
    """A reshape of a broadcast or transpose that only added or moved axes of size 1."""
    (x,) = made.inputs
    if made.primitive is broadcast_p:
        plain = x.aval.size == made.outputs[0].aval.size and type(x) is not Literal
    else:
        perm = [i for i in made.params["perm"] if x.aval.shape[i] != 1]
        plain = perm == sorted(perm)
    return like(eqn, reshape_p, (x,), eqn.params) if plain else None


def _transpose(at: Rewriter, eqn: Equation) -> Found:
    (x,), perm = eqn.inputs, eqn.params["perm"]
    if perm == tuple(range(len(perm))):
        return x
    made = at.maker(x, transpose_p)
    if made is None:
        longer = [i for i in perm if x.aval.shape[i] != 1]
        moves = longer != sorted(longer) or DYNAMIC in x.aval.shape
        return None if moves else like(eqn, reshape_p, (x,), {"shape": eqn.outputs[0].aval.shape})
    first = made.params["perm"]
    return like(eqn, transpose_p, made.inputs, {"perm": tuple([first[i] for i in perm])})


def _broadcast(at: Rewriter, eqn: Equation) -> Found:
    (x,), shape, axes = eqn.inputs, eqn.params["shape"], eqn.params["axes"]
    if x.aval.shape == shape and axes == tuple(range(len(shape))):
        return x
    made = at.maker(x, broadcast_p)
    if made is not None:
        inner = tuple([axes[a] for a in made.params["axes"]])
        return like(eqn, broadcast_p, made.inputs, {"shape": shape, "axes": inner})
    if type(x) is not Literal and x.aval.size == eqn.outputs[0].aval.size and list(axes) == sorted(axes):
        return like(eqn, reshape_p, (x,), {"shape": shape})
    return _broadcast_of_units(at, eqn)


def _broadcast_of_units(at: Rewriter, eqn: Equation) -> Found:
    """A broadcast of a reshape that only added or dropped axes of size 1 needs no reshape."""
    made = at.maker(eqn.inputs[0], reshape_p)
    if made is None:
        return None
    shape, axes = eqn.params["shape"], eqn.params["axes"]
    (x,), between = made.inputs, made.outputs[0].aval.shape
    if list(axes) != sorted(axes) or [d for d in x.aval.shape if d != 1] != [d for d in between if d != 1]:
        return None
    places = iter([a for a, d in zip(axes, between, strict=True) if d != 1])
    if any([d == 1 for d in x.aval.shape]):
        return None
    return like(eqn, broadcast_p, (x,), {"shape": shape, "axes": tuple(places)})


def _slice(at: Rewriter, eqn: Equation) -> Found:
    (x,) = eqn.inputs
    start, stop, step = (eqn.params[k] for k in ("start", "stop", "step"))
    out = eqn.outputs[0].aval.shape
    if out == x.aval.shape:
        return x
    made = at.maker(x, slice_p)
    if made is not None:
        a, s = made.params["start"], made.params["step"]
        first = tuple([i + j * k for i, j, k in zip(a, start, s, strict=True)])
        by = tuple([j * k for j, k in zip(s, step, strict=True)])
        last = tuple([i + (n - 1) * k + 1 for i, n, k in zip(first, out, by, strict=True)])
        return like(eqn, slice_p, made.inputs, {"start": first, "stop": last, "step": by})
    made = at.maker(x, concatenate_p)
    return None if made is None else _slice_of_parts(eqn, made)


def _slice_of_parts(eqn: Equation, joined: Equation) -> Found:
    """A slice that lies in one part of a concatenation."""
    axis = joined.params["axis"]
    start, stop = eqn.params["start"], eqn.params["stop"]
    at = 0
    for part in joined.inputs:
        n = part.aval.shape[axis]
        if n < 0:
            return None
        if at <= start[axis] and stop[axis] <= at + n:
            moved = {
                k: (*eqn.params[k][:axis], eqn.params[k][axis] - at, *eqn.params[k][axis + 1 :])
                for k in ("start", "stop")
            }
            return like(eqn, slice_p, (part,), {**moved, "step": eqn.params["step"]})
        at += n
    return None


def _reverse(at: Rewriter, eqn: Equation) -> Found:
    (x,), axes = eqn.inputs, eqn.params["axes"]
    longer = tuple([a for a in axes if x.aval.shape[a] != 1])
    if not longer:
        return x
    made = at.maker(x, reverse)
    if made is not None:
        both = tuple(sorted(set(longer) ^ set(made.params["axes"])))
        return like(eqn, reverse, made.inputs, {"axes": both}) if both else made.inputs[0]
    return like(eqn, reverse, (x,), {"axes": longer}) if longer != axes else None


def _pad(at: Rewriter, eqn: Equation) -> Found:
    x, value = eqn.inputs
    low, high, interior = (eqn.params[k] for k in ("low", "high", "interior"))
    if not any(low) and not any(high) and eqn.outputs[0].aval.shape == x.aval.shape:
        return x
    if not any(interior) and all([d <= 0 for d in low + high]):
        shape = x.aval.shape
        stop = tuple([d + b for d, b in zip(shape, high, strict=True)])
        start = tuple([-a for a in low])
        if all([a <= b for a, b in zip(start, stop, strict=True)]):
            return like(eqn, slice_p, (x,), {"start": start, "stop": stop, "step": (1,) * len(shape)})
    number, around = constant(at, x), constant(at, value)
    if number is None or around is None or _bits(number) != _bits(around):
        return None
    return everywhere(number.value, eqn)


def _bits(number: Literal) -> bytes:
    return np.asarray(number.value).tobytes()


def _concatenate(at: Rewriter, eqn: Equation) -> Found:
    axis = eqn.params["axis"]
    parts = tuple([x for x in eqn.inputs if x.aval.shape[axis] != 0])
    if len(parts) == 1:
        return parts[0] if parts[0].aval is eqn.outputs[0].aval else None
    numbers = [constant(at, x) for x in parts]
    if numbers[0] is not None and len({None if n is None else _bits(n) for n in numbers}) == 1:
        return everywhere(numbers[0].value, eqn)
    return like(eqn, concatenate_p, parts, eqn.params) if len(parts) < len(eqn.inputs) else None


def _iota(at: Rewriter, eqn: Equation) -> Found:
    return everywhere(0, eqn) if eqn.params["shape"][eqn.params["axis"]] == 1 else None


RULES: Rules = {
    iota_p: (_iota,),
    reshape_p: (of_constant, _reshape),
    transpose_p: (of_constant, _transpose),
    broadcast_p: (of_constant, _broadcast),
    slice_p: (of_constant, _slice),
    reverse: (of_constant, _reverse),
    pad_p: (_pad,),
    concatenate_p: (_concatenate,),
}
