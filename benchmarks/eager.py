"""What an eager call of fx.numpy costs beyond the NumPy function it calls: `python -m benchmarks.eager [names ...]`.

Each function runs on tiny float64 arrays, in turns with NumPy's; the least of many rounds counts. The worst twenty
are printed, in microseconds per call. The bar is 5 us for functions that NumPy has in one piece of C; those that NumPy
itself writes in Python are compositions here too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import fx.numpy as fnp

BAR = 5.0
X, Y = np.array([0.3, 0.5, 0.7, 0.2]), np.array([0.4, 0.1, 0.9, 0.6])
M = np.array([[0.3, 0.5], [0.7, 0.2]])
UNARY = """
    abs absolute acos arccos arcsin arcsinh arctan arctanh around asin atan cbrt ceil conj cos cosh deg2rad degrees exp
    exp2 expm1 fabs fix floor i0 imag isfinite isinf isnan log log10 log1p log2 logical_not nan_to_num negative
    positive rad2deg real reciprocal rint round sign signbit sin sinc sinh spacing sqrt square tan tanh trunc isreal
    iscomplex angle frexp modf all any argmax argmin argsort average copy count_nonzero cumprod cumsum cumulative_sum
    diff ediff1d flatnonzero flip max mean median min nanmax nanmean nanmin nansum nanstd nanvar nonzero prod ptp ravel
    sort std sum squeeze transpose unique var zeros_like ones_like atleast_1d atleast_2d diag diagflat gradient
    trapezoid roots poly unwrap argwhere"""
BINARY = """
    add subtract multiply divide power maximum minimum arctan2 hypot logaddexp logaddexp2 fmax fmin fmod remainder
    floor_divide copysign nextafter heaviside equal not_equal less less_equal greater greater_equal logical_and
    logical_or logical_xor dot inner outer vdot kron convolve correlate append isclose allclose array_equal divmod
    float_power searchsorted interp_ polyval polyadd polymul digitize_ setdiff1d intersect1d union1d isin cross_"""
MATRIX = "tril triu trace diagonal rot90 fliplr flipud swapaxes_ matmul_ linalg.det linalg.inv linalg.norm linalg.svd"
OTHERS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "where": lambda xp, x, y, m: xp.where(x > 0.4, x, y),
    "clip": lambda xp, x, y, m: xp.clip(x, 0.2, 0.6),
    "concatenate": lambda xp, x, y, m: xp.concatenate([x, y]),
    "stack": lambda xp, x, y, m: xp.stack([x, y]),
    "hstack": lambda xp, x, y, m: xp.hstack([x, y]),
    "vstack": lambda xp, x, y, m: xp.vstack([x, y]),
    "reshape": lambda xp, x, y, m: xp.reshape(x, (2, 2)),
    "broadcast_to": lambda xp, x, y, m: xp.broadcast_to(x, (3, 4)),
    "expand_dims": lambda xp, x, y, m: xp.expand_dims(x, 0),
    "moveaxis": lambda xp, x, y, m: xp.moveaxis(m, 0, 1),
    "tile": lambda xp, x, y, m: xp.tile(x, 2),
    "repeat": lambda xp, x, y, m: xp.repeat(x, 2),
    "roll": lambda xp, x, y, m: xp.roll(x, 1),
    "take": lambda xp, x, y, m: xp.take(x, 2),
    "split": lambda xp, x, y, m: xp.split(x, 2),
    "pad": lambda xp, x, y, m: xp.pad(x, 1),
    "matmul": lambda xp, x, y, m: xp.matmul(m, m),
    "einsum": lambda xp, x, y, m: xp.einsum("ij,jk->ik", m, m),
    "tensordot": lambda xp, x, y, m: xp.tensordot(m, m, 1),
    "sum of an axis": lambda xp, x, y, m: xp.sum(m, 0),
    "mean of an axis": lambda xp, x, y, m: xp.mean(m, axis=1, keepdims=True),
    "quantile": lambda xp, x, y, m: xp.quantile(x, 0.5),
    "interp": lambda xp, x, y, m: xp.interp(x, np.arange(4.0), y),
    "zeros": lambda xp, x, y, m: xp.zeros(4),
    "full": lambda xp, x, y, m: xp.full(4, 1.5),
    "arange": lambda xp, x, y, m: xp.arange(4),
    "linspace": lambda xp, x, y, m: xp.linspace(0.0, 1.0, 4),
    "eye": lambda xp, x, y, m: xp.eye(2),
    "x + y": lambda xp, x, y, m: x + y,
    "x * 2.0": lambda xp, x, y, m: x * 2.0,
    "-x": lambda xp, x, y, m: -x,
    "x[1:3]": lambda xp, x, y, m: x[1:3],
    "x[2]": lambda xp, x, y, m: x[2],
    "x.sum()": lambda xp, x, y, m: x.sum(),
    "m @ m": lambda xp, x, y, m: m @ m,
    "m.T": lambda xp, x, y, m: m.T,
}


class Row(NamedTuple):
    """Microseconds of one call."""

    name: str
    fx: float
    numpy: float

    @property
    def extra(self) -> float:
        return self.fx - self.numpy


def calls() -> dict[str, Callable[[Any, Any, Any, Any], Any]]:
    """Every benchmarked call, as a function of (namespace, vector, vector, matrix)."""
    made = dict(OTHERS)
    for names, operands in ((UNARY, "x"), (BINARY, "xy"), (MATRIX, "m")):
        for name in names.split():
            if not name.endswith("_") and _found(np, name) is not None:
                made[name] = _call(name, operands)
    return made


def _call(name: str, operands: str) -> Callable[[Any, Any, Any, Any], Any]:
    def call(xp: Any, x: Any, y: Any, m: Any) -> Any:
        return _found(xp, name)(*[{"x": x, "y": y, "m": m}[o] for o in operands])

    return call


def _found(xp: Any, name: str) -> Any:
    for part in name.split("."):
        xp = getattr(xp, part, None)
    return xp


def measure(name: str, call: Callable[..., Any], rounds: int, repeats: int) -> Row:
    """The least time of either, in turns."""
    ours = (fnp, *map(fnp.asarray, (X, Y, M)))
    best = [float("inf")] * 2
    for _ in range(rounds):
        for k, arguments in enumerate((ours, (np, X, Y, M))):
            start = time.perf_counter()
            for _ in range(repeats):
                call(*arguments)
            best[k] = min(best[k], (time.perf_counter() - start) / repeats)
    return Row(name, best[0] * 1e6, best[1] * 1e6)


def table(rows: list[Row], most: int = 20) -> str:
    """The worst rows, worst first."""
    worst = sorted(rows, key=lambda row: -row.extra)[:most]
    lines = [f"{'call':<18}{'fx us':>9}{'NumPy us':>10}{'extra us':>10}"]
    lines += [f"{r.name:<18}{r.fx:>9.2f}{r.numpy:>10.2f}{r.extra:>10.2f}" for r in worst]
    return "\n".join([*lines, f"{sum(r.extra <= BAR for r in rows)} of {len(rows)} within {BAR:g} us"])


def main(names: list[str], rounds: int = 15, repeats: int = 100) -> None:
    """Measure the named calls, or all, and print the table."""
    chosen = {name: call for name, call in calls().items() if not names or name in names}
    print(table([measure(name, call, rounds, repeats) for name, call in chosen.items()]))


if __name__ == "__main__":
    main(sys.argv[1:])
