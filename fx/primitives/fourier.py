"""Discrete Fourier transforms over some axes: one primitive, complex to complex, real to half, half to real.

SciPy's kernels (pocketfft) on the host, the array module's own on a device; both keep single precision. The matrix
of a transform is symmetric, so a complex transform is its own transpose. `rfft` and `irfft` are each other's, up to
a conjugation and the weights of the half spectrum (each frequency but 0 and n/2 stands for its conjugate too).
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample
from ..core.trace import bind
from .elementwise import conj, real
from .shape import concatenate, full, reshape

KINDS = ("fft", "ifft", "rfft", "irfft")
NORMS = ("backward", "ortho", "forward")
SWAPPED = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The norm by which the opposite transform divides as this one does."""


def fourier(x: Any, kind: str, axes: tuple[int, ...], norm: str = "backward", n: int = 0) -> Any:
    """A transform over distinct axes, the last of them the real one; `n`: its length in the result of irfft."""
    return bind(fourier_p, x, kind=kind, axes=axes, norm=norm, n=n)


class Fourier(Primitive):
    """kind "fft", "ifft": complex (or real) to complex; "rfft": real to half; "irfft": half to real, of length n."""

    name = "fft"

    def impl(self, xp: Any, x: Any, *, kind: str, axes: tuple[int, ...], norm: str, n: int) -> Any:
        if x.size == 0:
            out = self.shape(Aval(x.shape, x.dtype), kind=kind, axes=axes, norm=norm, n=n)
            return xp.zeros(out.shape, out.dtype)
        if xp is np:
            return _on_host(x, kind, axes, norm, n)
        return _on_device(xp, x, kind, axes, norm, n)

    def shape(self, x: Aval, *, kind: str, axes: tuple[int, ...], norm: str, n: int) -> Aval:
        if x.dtype.kind not in "fc" or x.dtype.itemsize < 4 or (kind == "rfft" and x.dtype.kind == "c"):
            takes = "real" if kind == "rfft" else "floating-point or complex"
            raise errors.DTypeError(f"{kind} takes {takes} numbers of single or double precision; got {x}.")
        if len(set(axes)) != len(axes) or not axes or not all(0 <= a < x.ndim for a in axes):
            raise errors.ShapeError(f"{kind} of {x}: axes {axes} are not distinct axes of it.")
        sizes = [x.shape[a] for a in axes[:-1]] + [n if kind == "irfft" else x.shape[axes[-1]]]
        if min(sizes) < 1 or (kind == "irfft" and x.shape[axes[-1]] != n // 2 + 1):
            raise errors.ShapeError(
                f"{kind} of {x} along axes {axes}: there are no transforms of sizes {sizes}."
            )
        if kind == "irfft":
            return Aval(_with_size(x.shape, axes[-1], n), dtypes.real_of(x.dtype))
        half = x.shape[axes[-1]] // 2 + 1
        shape = _with_size(x.shape, axes[-1], half) if kind == "rfft" else x.shape
        return Aval(shape, dtypes.complex_of(x.dtype))

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return self(tangents[0], **params)

    def transpose(self, ct: Any, x: Any, *, kind: str, axes: tuple[int, ...], norm: str, n: int) -> list[Any]:
        if kind == "rfft":
            size = x.aval.shape[axes[-1]]
            halved = conj(ct) * _weights(size, axes[-1], ct, 0.5)
            return [fourier(halved, "irfft", axes, SWAPPED[norm], size)]
        if kind == "irfft":
            found = conj(fourier(ct, "rfft", axes, SWAPPED[norm]))
            found = found * _weights(n, axes[-1], found, 2.0)
        else:
            found = fourier(ct, kind, axes, norm)
        return [found if x.aval.dtype.kind == "c" else real(found)]

    def batch(self, axis: Any, operands: Any, dims: Any, *, axes: tuple[int, ...], **params: Any) -> Any:
        (d,) = dims
        return self(operands[0], axes=tuple(a + (a >= d) for a in axes), **params), d

    def cost(self, x: Aval, *, kind: str, axes: tuple[int, ...], norm: str, n: int) -> int:
        """5 n log2 n operations for each complex transform, half as many for a real one."""
        size = x.size // max(x.shape[axes[-1]], 1) * n if kind == "irfft" else x.size
        points = math.prod(x.shape[a] for a in axes[:-1]) * (n or x.shape[axes[-1]])
        each = 2.5 if kind in ("rfft", "irfft") or x.dtype.kind == "f" else 5.0
        return int(each * size * math.log2(max(points, 2)))

    def samples(self, rng: Any) -> Any:
        for kind, shape, axes, norm, n in _CASES:
            x = rng.normal(size=shape)
            if kind in ("ifft", "irfft"):
                x = x + 1j * rng.normal(size=shape)
            yield Sample((x,), {"kind": kind, "axes": axes, "norm": norm, "n": n}, _oracle)


_CASES = (
    ("fft", (5,), (0,), "backward", 0),
    ("fft", (2, 3, 4), (2, 0), "ortho", 0),
    ("ifft", (4, 3), (0,), "backward", 0),
    ("ifft", (2, 3), (0, 1), "forward", 0),
    ("fft", (1,), (0,), "forward", 0),
    ("fft", (0, 3), (1,), "backward", 0),
    ("rfft", (3, 6), (1,), "backward", 0),
    ("rfft", (5, 2, 3), (2, 0), "forward", 0),
    ("rfft", (1, 2), (0,), "ortho", 0),
    ("irfft", (2, 4), (1,), "backward", 6),
    ("irfft", (3, 2, 3), (1, 0), "ortho", 5),
    ("irfft", (2, 3), (0, 1), "forward", 4),
    ("irfft", (1, 2), (0,), "backward", 1),
)


def _on_host(x: Any, kind: str, axes: tuple[int, ...], norm: str, n: int) -> Any:
    library = importlib.import_module("scipy.fft")
    if len(axes) == 1:
        return getattr(library, kind)(x, n or None, axes[0], norm)
    sizes = [*[x.shape[a] for a in axes[:-1]], n] if n else None
    return getattr(library, kind + "n")(x, sizes, axes, norm)


def _on_device(xp: Any, x: Any, kind: str, axes: tuple[int, ...], norm: str, n: int) -> Any:
    """Half spectra one step after the other: what cuFFT makes of those that are not symmetric is not defined."""
    if kind != "irfft":
        return getattr(xp.fft, kind + "n")(x, axes=axes, norm=norm)
    if len(axes) > 1:
        x = xp.fft.ifftn(x, axes=axes[:-1], norm=norm)
    x = x.astype(dtypes.complex_of(x.dtype))  # a copy, of which the parts that do not count are cleared
    last = xp.moveaxis(x, axes[-1], -1)
    last.imag[..., 0] = 0
    if n % 2 == 0:
        last.imag[..., -1] = 0
    return xp.fft.irfft(x, n, axis=axes[-1], norm=norm)


def _with_size(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])


def _weights(n: int, axis: int, like: Any, inside: float) -> Any:
    """1 at the frequencies 0 and n/2, `inside` at those between; along one axis of `like`, of its real dtype."""
    dtype = dtypes.real_of(like.dtype)
    ends = 1 - n % 2 if n > 1 else 0
    parts = [full((1,), 1, dtype), full((n // 2 - ends,), inside, dtype), full((ends,), 1, dtype)]
    line = concatenate(parts, 0)
    return reshape(line, (line.size, *[1] * (like.ndim - 1 - axis))).astype(like.dtype)


def _oracle(x: Any, kind: str, axes: tuple[int, ...], norm: str, n: int) -> Any:
    """NumPy's, one axis after the other."""
    steps = {"rfft": [np.fft.rfft, np.fft.fft], "irfft": [np.fft.irfft, np.fft.ifft]}
    last, others = steps.get(kind, [getattr(np.fft, kind)] * 2)
    x = last(x, axis=axes[-1], norm=norm) if kind == "rfft" else x
    for axis in axes[:-1]:
        x = others(x, axis=axis, norm=norm)
    if kind == "rfft":
        return x
    return last(x, n or None, axis=axes[-1], norm=norm)


fourier_p = Fourier()
