"""Linear filters along an axis: recursive ones, chains of sections, and smoothing by polynomials."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import fx.lax as lax
import fx.numpy as fnp

from ..core import dtypes, errors, static
from ..core.array import Array
from ..numpy._arguments import operand
from ..primitives.convolution import conv_general
from ..primitives.promotion import promote
from ._arguments import wide


def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """The filter a[0] y[n] = sum of b[k] x[n - k] less the sum of a[k] y[n - k] for k > 0, along an axis.

    Args:
        b, a: (K,) and (L,), a[0] not zero.
        zi: state before the first point: as x, with max(K, L) - 1 elements along the axis, or size 1 where it is the
            same for all (direct form II transposed); None means rest.

    Returns:
        y, of the shape of x; with zi also the state after the last point. Derivatives by b, a, x and zi all exist.
        With L > 1 points are computed one after the other: under `fx.jit` in native code.
    """
    given = [b, a, x] if zi is None else [b, a, x, zi]
    b, a, x, *state = (operand(v, "lfilter") for v in promote(*given, inexact=True))
    b, a = fnp.atleast_1d(b), fnp.atleast_1d(a)
    if b.ndim != 1 or a.ndim != 1 or b.size == 0 or a.size == 0:
        raise errors.ShapeError(f"lfilter takes b: (K,) and a: (L,), not empty; got {b.aval} and {a.aval}.")
    axis, order = static.axis(axis, x.ndim, "lfilter"), max(b.size, a.size) - 1
    x = fnp.moveaxis(x, axis, 0)
    z = _state(state, order, x, axis)
    recursive = a.size > 1
    b, a = _filled(b / a[0], order + 1), _filled(a / a[0], order + 1)
    y, z = _recursion(b, a, x, z) if recursive else _moving_sum(b, x, z)
    y = fnp.moveaxis(y, 0, axis)
    return (y, fnp.moveaxis(z, 0, axis)) if state else y


def _state(state: list[Array], order: int, x: Array, axis: int) -> Array:
    """(order, ...) for x: (time, ...)."""
    shape = (order, *x.shape[1:])
    if not state:
        return fnp.zeros(shape, x.dtype)
    (z,) = state
    fits = z.ndim == x.ndim
    z = fnp.moveaxis(z, axis, 0) if fits else z
    if (
        not fits
        or z.shape[0] != order
        or any(have not in (1, want) for have, want in zip(z.shape, shape, strict=True))
    ):
        raise errors.ShapeError(
            f"lfilter: zi must have {order} elements along axis {axis} and else the sizes of x; got {z.aval}."
        )
    return fnp.broadcast_to(z, shape)


def _filled(c: Array, count: int) -> Array:
    return fnp.pad(c, (0, count - c.size))


def _recursion(b: Array, a: Array, x: Array, z: Array) -> tuple[Array, Array]:
    """Direct form II transposed: y = b[0] x + z[0], and each z takes its part of x and y and the z after it."""
    column = (-1, *[1] * (x.ndim - 1))
    from_x, from_y = fnp.reshape(b[1:], column), fnp.reshape(a[1:], column)
    none = fnp.zeros((1, *z.shape[1:]), z.dtype)

    def step(z: Array, u: Array) -> tuple[Array, Array]:
        y = b[0] * u + z[0]
        return fnp.concatenate([z[1:], none]) + from_x * u - from_y * y, y

    z, y = lax.scan(step, z, x)
    return y, z


def _moving_sum(b: Array, x: Array, z: Array) -> tuple[Array, Array]:
    """Without feedback the filter is a convolution. x: (time, ...), z: (len(b) - 1, ...)."""
    n, order = x.shape[0], b.size - 1
    rows = fnp.moveaxis(fnp.reshape(x, (n, math.prod(x.shape[1:]))), 0, 1)
    full = conv_general(rows[:, None, :], fnp.flip(b)[None, None], padding=[(order, order)])
    full = fnp.reshape(fnp.moveaxis(full[:, 0, :], 1, 0), (n + order, *x.shape[1:]))
    full = full + fnp.concatenate([z, fnp.zeros(x.shape, x.dtype)])
    return full[:n], full[n:]


def lfilter_zi(b: Any, a: Any) -> Array:
    """The state of `lfilter` in which a constant 1 that has always been there left it: (max(K, L) - 1,)."""
    b, a = (fnp.atleast_1d(operand(v, "lfilter_zi")) for v in promote(b, a, inexact=True))
    if b.ndim != 1 or a.ndim != 1 or b.size == 0 or a.size == 0:
        raise errors.ShapeError(
            f"lfilter_zi takes b: (K,) and a: (L,), not empty; got {b.aval} and {a.aval}."
        )
    count = max(b.size, a.size)
    b, a = _filled(b / a[0], count), _filled(a / a[0], count)
    driven = b[1:] - a[1:] * b[0]
    first = fnp.sum(driven) / fnp.sum(a)
    return fnp.cumsum(a)[:-1] * first - (fnp.cumsum(driven) - driven)


def filtfilt(
    b: Any, a: Any, x: Any, axis: int = -1, padtype: str | None = "odd", padlen: int | None = None
) -> Array:
    """`lfilter` forward and then backward: without delay, and with the squared amplitudes.

    Args:
        padtype: how x is continued at both ends: "odd", "even", "constant", or None.
        padlen: by so many points, default 3 * max(K, L), less than the points of x.
    """
    if padtype is not None:
        static.choice(padtype, tuple(_CONTINUED), "filtfilt: padtype")
    b, a, x = (operand(v, "filtfilt") for v in promote(b, a, x, inexact=True))
    axis = static.axis(axis, x.ndim, "filtfilt")
    state = lfilter_zi(b, a)
    n = 3 * (state.size + 1) if padlen is None else static.integer(padlen, "filtfilt: padlen")
    n = 0 if padtype is None else n
    y = fnp.moveaxis(x, axis, 0)
    if not 0 <= n < y.shape[0]:
        raise errors.ShapeError(f"filtfilt: axis {axis} of {x.aval} must have more than padlen={n} points.")
    mode, options = _CONTINUED[padtype or "odd"]
    y = fnp.pad(y, [(n, n)] + [(0, 0)] * (y.ndim - 1), mode, **options)
    state = fnp.reshape(state, (-1 if state.size else 0, *[1] * (x.ndim - 1)))
    for _ in range(2):
        y = lfilter(b, a, y, 0, state * y[:1])[0][::-1]
    return fnp.moveaxis(y[n : y.shape[0] - n], 0, axis)


_CONTINUED: dict[str, tuple[str, dict[str, Any]]] = {
    "odd": ("reflect", {"reflect_type": "odd"}),
    "even": ("reflect", {}),
    "constant": ("edge", {}),
}


def sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """A chain of filters of second order along an axis.

    Args:
        sos: (sections, 6), rows of b[0], b[1], b[2], a[0], a[1], a[2].
        zi: state before the first point, (sections, ...) and then as x with 2 elements along the axis.

    Returns:
        y, of the shape of x; with zi also the state after the last point.
    """
    given = [sos, x] if zi is None else [sos, x, zi]
    sos, y, *state = (operand(v, "sosfilt") for v in promote(*given, inexact=True))
    if sos.ndim != 2 or sos.shape[1] != 6 or not sos.shape[0]:
        raise errors.ShapeError(f"sosfilt takes sections (n, 6), at least one; got {sos.aval}.")
    axis = static.axis(axis, y.ndim, "sosfilt")
    expected = (sos.shape[0], *y.shape[:axis], 2, *y.shape[axis + 1 :])
    if state and state[0].shape != expected:
        raise errors.ShapeError(f"sosfilt: zi must be of shape {expected}; got {state[0].aval}.")
    ends = []
    for i in range(sos.shape[0]):
        zero = fnp.zeros(expected[1:], y.dtype)
        y, end = lfilter(sos[i, :3], sos[i, 3:], y, axis, state[0][i] if state else zero)
        ends.append(end)
    return (y, fnp.stack(ends)) if state else y


def savgol_coeffs(
    window_length: int,
    polyorder: int,
    deriv: int = 0,
    delta: float = 1.0,
    pos: float | None = None,
    use: str = "conv",
    *,
    dtype: Any = None,
) -> Array:
    """The weights that evaluate the polynomial fitted to a window of points, or a derivative of it, at one of them.

    Args:
        polyorder: less than window_length.
        delta: distance of two points.
        pos: place in the window, default its middle.
        use: "conv" (in the order of a convolution) or "dot".

    Source: A. Savitzky and M. Golay, "Smoothing and differentiation of data" (1964).
    """
    static.choice(use, ("conv", "dot"), "savgol_coeffs: use")
    size, order, deriv = _polynomial("savgol_coeffs", window_length, polyorder, deriv)
    place = (size - 1) / 2 if pos is None else float(pos)
    if not 0 <= place < size:
        raise errors.ArgumentError(f"savgol_coeffs: pos={pos} is not in a window of {size} points.")
    weights = _weights(size, order, deriv, delta, np.array([place]))[0]
    result = dtypes.default_float() if dtype is None else dtypes.canonical(dtype)
    return fnp.asarray(weights[::-1] if use == "conv" else weights, dtype=result)


def savgol_filter(
    x: Any,
    window_length: int,
    polyorder: int,
    deriv: int = 0,
    delta: float = 1.0,
    axis: int = -1,
    mode: str = "interp",
    cval: Any = 0.0,
) -> Array:
    """x smoothed along an axis: each point becomes the value there of the polynomial fitted to the window around it.

    Args:
        window_length, polyorder, deriv, delta: as of `savgol_coeffs`.
        mode: at the ends: "interp": values of the polynomial of the first and of the last window; else what x is
            beyond them: "mirror", "nearest", "wrap", or "constant" with `cval`.
    """
    static.choice(mode, ("interp", *_BEYOND), "savgol_filter: mode")
    size, order, deriv = _polynomial("savgol_filter", window_length, polyorder, deriv)
    x = wide(x, "savgol_filter")
    axis = static.axis(axis, x.ndim, "savgol_filter")
    y = fnp.moveaxis(x, axis, -1)
    if mode == "interp" and size > y.shape[-1]:
        raise errors.ShapeError(
            errors.lines(
                f"savgol_filter: a window of {size} points is longer than axis {axis} of {x.aval}.",
                "Take another mode than 'interp', or a shorter window.",
            )
        )
    middle = _weights(size, order, deriv, delta, np.array([(size - 1) / 2]))
    if mode == "interp":
        y = _with_fitted_ends(y, size, order, deriv, delta, middle)
    else:
        y = _weighted(_beyond(y, size, mode, cval), middle)
    return fnp.moveaxis(y, -1, axis)


_BEYOND = {"mirror": "reflect", "nearest": "edge", "wrap": "wrap", "constant": "constant"}


def _beyond(y: Array, size: int, mode: str, cval: Any) -> Array:
    """y with half a window more at both ends; a window of even size reaches one further on."""
    margins = [(0, 0)] * (y.ndim - 1) + [((size - 1) // 2, size // 2)]
    return fnp.pad(y, margins, _BEYOND[mode], **({"constant_values": cval} if mode == "constant" else {}))


def _with_fitted_ends(y: Array, size: int, order: int, deriv: int, delta: Any, middle: Any) -> Array:
    n, half = y.shape[-1], size // 2
    first = _weights(size, order, deriv, delta, np.arange(half, dtype=float))
    last = _weights(size, order, deriv, delta, np.arange(size - half, size, dtype=float))
    start = 1 - size % 2
    inside = _weighted(y, middle)[..., start : start + n - 2 * half]
    return fnp.concatenate(
        [_product(y[..., :size], first), inside, _product(y[..., n - size :], last)], axis=-1
    )


def _weighted(y: Array, weights: Any) -> Array:
    """Sums of weights over all complete windows. y: (..., n), weights: (1, size)."""
    size = weights.shape[1]
    rows = fnp.reshape(y, (-1 if y.size else 0, 1, y.shape[-1]))
    sums = conv_general(rows, fnp.asarray(weights[None], dtype=y.dtype))
    return fnp.reshape(sums, (*y.shape[:-1], y.shape[-1] - size + 1))


def _product(y: Array, weights: Any) -> Array:
    return fnp.matmul(y, fnp.asarray(weights.T, dtype=y.dtype))


def _weights(size: int, order: int, deriv: int, delta: float, places: Any) -> Any:
    """(places, size): from values in a window to a derivative of the fitted polynomial at some places."""
    middle = (size - 1) / 2
    scale = max(middle, 1.0)
    powers = np.arange(order + 1)
    t = (np.arange(size) - middle) / scale
    fit = np.linalg.pinv(t[:, None] ** powers)
    factors = np.array([math.perm(int(p), deriv) for p in powers], dtype=float)
    at = ((places - middle) / scale)[:, None] ** np.maximum(powers - deriv, 0)
    return (at * factors) @ fit / (scale * delta) ** deriv


def _polynomial(name: str, size: Any, order: Any, deriv: Any) -> tuple[int, int, int]:
    found = [static.integer(v, name) for v in (size, order, deriv)]
    if not 0 <= found[1] < found[0] or found[2] < 0:
        raise errors.ArgumentError(
            f"{name}: window_length={size}, polyorder={order}, deriv={deriv}; the order must be less than the window."
        )
    return found[0], found[1], found[2]
