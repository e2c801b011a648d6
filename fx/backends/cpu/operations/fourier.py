"""Discrete Fourier transforms: NumPy's compiled loops, called by address, without Python and on all threads.

Since 2.0 `numpy.fft` is ufuncs over pocketfft (M. Reinecke), whose loops take strides and need no lock:
`fourier_loops` finds and tries them. Where they cannot be used, a transform stays a step that Python runs. One pass
transforms one axis; passes alternate between the result and scratch memory, since what a loop leaves unwritten tells
that it had no memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ....core import dtypes
from ....core.avals import Aval
from .. import failures
from ..complex_numbers import part_type
from ..llvm import Function, Value, i64
from . import fourier_loops, library
from .operation import Buffer, Operation
from .tasks import least, parallel_ranges

_GRAIN = 1 << 14
"""Elements that are worth a task of their own."""
_ADVICE = "Transform parts of it (fx.lax.map), or a length without large prime factors."
_LANES = 16
"""Lines that a loop may take at once: tasks have a multiple of it."""


class Pass(NamedTuple):
    """One axis of an array of the shape (outer, n, inner)."""

    kind: str
    outer: int
    inner: int
    read: int
    """Elements of a line that is read, and of one that is written."""
    written: int
    source: np.dtype[Any]
    target: np.dtype[Any]
    n: int
    """Points of the transform."""
    scale: float


class Fourier(Operation):
    """fft, ifft, rfft and irfft over any axes, in the primitive's meaning of its parameters."""

    def accepts(self, avals: Sequence[Aval], params: dict[str, Any]) -> bool:
        (x,) = avals
        if x.size == 0 or (params["kind"] == "irfft" and x.dtype.kind != "c"):
            return False
        return fourier_loops.found() is not None

    def scratch(self, avals: Sequence[Aval], params: dict[str, Any]) -> int:
        _, most, count = self._plan(avals[0].shape, avals[0].dtype, params)
        return 64 + most * count

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (x,), (out,) = inputs, outputs
        fourier_loops.ensure()
        failures.ensure()
        passes, most, _ = self._plan(x.shape, x.dtype, params)
        f.store(i64(0), scratch)
        spare = [f.gep("i8", scratch, i64(64 + k * most)) for k in range(2)]
        here = x.pointer
        for k, one in enumerate(passes):
            left = len(passes) - 1 - k
            there = out.pointer if left == 0 else self._between(spare, out.pointer, left, params["kind"])
            _emit_pass(f, one, here, there, scratch)
            here = there
        with f.when(f.icmp("ne", f.load("i64", scratch), i64(0))):
            nbytes = max(p.n for p in passes) * 2 * out.dtype.itemsize
            what = f"{params['kind']} of {Aval(x.shape, x.dtype)} in {f.module.name}"
            f.call("fx_fail", "void", [failures.memory_text(f.module, what, _ADVICE), i64(nbytes)])

    def _between(self, spare: list[Value], out: Value, left: int, kind: str) -> Value:
        """Where a pass writes of which `left` more follow: never where it reads."""
        if kind == "irfft":
            return spare[(left - 1) % 2]
        return out if left % 2 == 0 else spare[0]

    def _plan(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], params: dict[str, Any]
    ) -> tuple[list[Pass], int, int]:
        """The passes, the bytes of a spare buffer, and how many there are."""
        kind, axes = params["kind"], params["axes"]
        *others, last = axes
        points = {a: shape[a] for a in axes} | ({last: params["n"]} if kind == "irfft" else {})
        scale = _scale(kind, params["norm"], math.prod(points.values()))
        wide = dtypes.complex_of(dtype)
        order = [*others, last] if kind == "irfft" else [last, *others]
        passes: list[Pass] = []
        for axis in order:
            own = kind if axis == last else {"rfft": "fft", "irfft": "ifft"}.get(kind, kind)
            outer, read, inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
            n = points[axis]
            written = n if own != "rfft" else n // 2 + 1
            target = dtypes.real_of(wide) if own == "irfft" else wide
            mine = scale if (axis == last) else 1.0
            passes.append(Pass(own, outer, inner, read, written, dtype, target, n, mine))
            shape, dtype = (*shape[:axis], written, *shape[axis + 1 :]), target
        most = max((p.outer * p.written * p.inner for p in passes[:-1]), default=0) * wide.itemsize
        count = min(len(passes) - 1, 2 if kind == "irfft" else 1)
        return passes, -(-most // 64) * 64, count


def _scale(kind: str, norm: str, points: int) -> float:
    forward = kind in ("fft", "rfft")
    if norm == "ortho":
        return 1 / math.sqrt(points)
    return 1 / points if (norm == "forward") == forward else 1.0


def _emit_pass(f: Function, p: Pass, x: Value, out: Value, flag: Value) -> None:
    """All lines, in tasks: whole rows where the axis is the last one, else columns of one outer index."""
    lines = p.outer if p.inner == 1 else p.inner
    width = min(lines, -(-max(1, _GRAIN // p.n) // _LANES) * _LANES)
    blocks = -(-lines // width)
    each = 1 if p.inner == 1 else p.inner
    units = blocks if p.inner == 1 else p.outer * blocks
    between = (p.read, p.written) if p.inner == 1 else (1, 1)

    def run(g: Function, values: list[Value], start: Value, stop: Value) -> None:
        with g.loop(start, stop, trips=True) as loop:
            block = g.mul(g.urem(loop.index, i64(blocks)), i64(width))
            outer = g.udiv(loop.index, i64(blocks))
            count = least(g, i64(width), g.sub(i64(lines), block))
            at = lambda length, apart: g.add(g.mul(outer, i64(length * each)), g.mul(block, i64(apart)))
            source = g.gep(f"i{8 * p.source.itemsize}", values[0], at(p.read, between[0]))
            target = g.gep(f"i{8 * p.target.itemsize}", values[1], at(p.written, between[1]))
            _emit_lines(g, p, source, target, values[2], count, each, between)

    grain = max(1, _GRAIN // (width * p.n))
    parallel_ranges(f, "fourier", [x, out, flag], units, grain, run)


def _emit_lines(
    f: Function, p: Pass, x: Value, out: Value, flag: Value, count: Value, each: int, between: tuple[int, int]
) -> None:
    """One call for lines that lie evenly; a whole spectrum of real numbers is completed from its half."""
    real = p.kind in ("fft", "ifft") and p.source.kind == "f"
    kind = "rfft" if real else p.kind
    written = p.n // 2 + 1 if real else p.written
    number = fourier_loops.number(kind, p.n, p.target)
    width, to = p.source.itemsize, p.target.itemsize
    sizes = [count, i64(p.read), i64(written)]
    strides = [i64(n) for n in (between[0] * width, between[1] * to, each * width, each * to)]
    scale = np.array([p.scale], dtypes.real_of(p.target))
    factor = f.module.data(f"fourier.{p.scale!r}.{scale.dtype}", scale)
    done = library.call(f, "fx_fourier", [i64(number), x, factor, out, *sizes, *strides])
    with f.when(f.not_(done)):
        f.atomic_store(i64(1), flag)
    if real:
        _complete(f, p, out, count, each, between[1])


def _complete(f: Function, p: Pass, out: Value, count: Value, each: int, apart: int) -> None:
    """out[n - k] = conj(out[k]); for the inverse transform the other way round."""
    part = part_type(p.target)
    half = p.n // 2 + 1
    with f.loop(i64(0), count) as line:
        first = f.gep(f"i{8 * p.target.itemsize}", out, f.mul(line.index, i64(apart)))
        place = lambda k: f.gep(part, first, f.mul(k, i64(2 * each)))
        with f.loop(i64(0), i64(half), trips=True) as at:
            here = place(at.index)
            re, im = f.load(part, here), f.load(part, f.gep(part, here, i64(1)))
            turned = f.fneg(im)
            if p.kind == "ifft":
                f.store(turned, f.gep(part, here, i64(1)))
                turned = im
            mirrored = f.sub(i64(p.n), at.index)
            with f.when(f.icmp("sgt", mirrored, at.index)), f.when(f.icmp("slt", mirrored, i64(p.n))):
                there = place(mirrored)
                f.store(re, there)
                f.store(turned, f.gep(part, there, i64(1)))


OPERATIONS: dict[str, Operation] = {"fft": Fourier()}
"""By the name of the primitive."""
