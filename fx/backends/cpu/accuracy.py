"""Errors of fx's vector math in units in the last place, measured against mpmath.

    python -m fx.backends.cpu.accuracy [name ...] [--points 20000] [--markdown docs/vector_math.md]

An error is |result - exact| divided by the spacing of floats at the exact value (of subnormals below the normal range).
Where a result is the difference of larger terms that cancel, the spacing is taken at the `scale` of those terms.
"""

from __future__ import annotations

import argparse
import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp, mpf

from . import engine
from .llvm import Module, i64, vector
from .vector_math import FUNCTIONS

Array = np.ndarray[Any, Any]


class Case(NamedTuple):
    """How one function is measured."""

    exact: Callable[..., mpf]
    domain: tuple[float, float]
    """Where it is real, and neither certainly infinite nor certainly zero."""
    dense: tuple[tuple[float, float], ...] = ()
    """Intervals that get points of their own."""
    near: tuple[float, ...] = ()
    """Points approached from both sides."""
    bound: float = 2.0
    scale: Callable[..., mpf] | None = None
    poles: bool = False
    """At 0 and the negative whole numbers."""
    note: str = ""


INF = float("inf")
EVERYWHERE = (-INF, INF)
HALVES = ((-2.0, 2.0), (-30.0, 30.0), (-800.0, 800.0))
ZEROS_OF_SINE = tuple(n * np.pi / 2 for n in (-7, -2, -1, 1, 2, 3, 4, 101, 4096, 31831, 1 << 24))


def _logistic(x: mpf) -> mpf:
    return 1 / (1 + mp.exp(-x))


def _logaddexp(x: mpf, y: mpf) -> mpf:
    return max(x, y) + mp.log1p(mp.exp(-abs(x - y)))


def _lgamma(x: mpf) -> mpf:
    return _log_of_reflection(x) - mp.loggamma(1 - x) if x < 0 else mp.loggamma(x)


def _log_of_reflection(x: mpf) -> mpf:
    return mp.log(abs(mp.pi / mp.sinpi(x)))


def _lgamma_scale(x: mpf) -> mpf:
    return max(abs(mp.loggamma(1 - x)), abs(_log_of_reflection(x))) if x < 0 else mpf(0)


def _digamma_scale(x: mpf) -> mpf:
    return max(abs(mp.psi(0, 1 - x)), abs(mp.pi * mp.cospi(x) / mp.sinpi(x))) if x < 0 else mpf(0)


LEFT = "for x < 0 relative to the larger term of the reflection formula"

CASES: dict[str, Case] = {
    "exp": Case(mp.exp, (-800, 800), HALVES, (0.0, 88.72, -87.33, -103.97, 709.78, -708.39)),
    "exp2": Case(lambda x: mpf(2) ** x, (-1200, 1100), HALVES, (0.0, 128.0, -126.0, 1024.0, -1022.0)),
    "expm1": Case(mp.expm1, (-800, 800), HALVES, (0.0, 0.35, -0.35, 88.72, 709.78)),
    "log": Case(mp.log, (0, INF), ((0.5, 2.0), (0.0, 100.0)), (1.0, 0.7071, 1.4142)),
    "log2": Case(lambda x: mp.log(x, 2), (0, INF), ((0.5, 2.0), (0.0, 100.0)), (1.0, 0.7071, 1.4142, 8.0)),
    "log10": Case(mp.log10, (0, INF), ((0.5, 2.0), (0.0, 100.0)), (1.0, 0.7071, 1.4142, 1000.0)),
    "log1p": Case(mp.log1p, (-1, INF), ((-1.0, 1.0), (0.0, 100.0)), (0.0, -1.0, 0.41421, -0.29289)),
    "logistic": Case(_logistic, (-800, 800), HALVES, (0.0, -87.3, -103.9, -708.4)),
    "logaddexp": Case(
        _logaddexp, EVERYWHERE, HALVES, (0.0, -0.6931), scale=lambda x, y: max(abs(x), abs(y)),
        note="near its zeros relative to the larger argument",
    ),
    "sin": Case(mp.sin, EVERYWHERE, (*HALVES, (-2e5, 2e5), (-2e8, 2e8)), (0.0, *ZEROS_OF_SINE)),
    "cos": Case(mp.cos, EVERYWHERE, (*HALVES, (-2e5, 2e5), (-2e8, 2e8)), (0.0, *ZEROS_OF_SINE)),
    "tan": Case(mp.tan, EVERYWHERE, (*HALVES, (-2e5, 2e5), (-2e8, 2e8)), (0.0, *ZEROS_OF_SINE)),
    "asin": Case(mp.asin, (-1, 1), ((-1.0, 1.0),), (0.0, 0.5, -0.5, 1.0, -1.0)),
    "acos": Case(mp.acos, (-1, 1), ((-1.0, 1.0),), (0.0, 0.5, -0.5, 1.0, -1.0)),
    "atan": Case(mp.atan, EVERYWHERE, ((-1.0, 1.0), (-8.0, 8.0)), (0.0, 1.0, -1.0)),
    "atan2": Case(mp.atan2, EVERYWHERE, ((-1.0, 1.0), (-8.0, 8.0)), (0.0, 1.0, -1.0)),
    "sinh": Case(mp.sinh, (-800, 800), HALVES, (0.0, 1.0, -1.0, 89.4, 710.47)),
    "cosh": Case(mp.cosh, (-800, 800), HALVES, (0.0, 89.4, 710.47)),
    "tanh": Case(mp.tanh, (-100, 100), ((-1.0, 1.0), (-20.0, 20.0)), (0.0, 0.17, -0.17, 9.0)),
    "asinh": Case(mp.asinh, EVERYWHERE, ((-1.0, 1.0), (-20.0, 20.0)), (0.0, 0.375, 2.0**30)),
    "acosh": Case(mp.acosh, (1, INF), ((1.0, 2.0), (1.0, 20.0)), (1.0, 2.0**30)),
    "atanh": Case(mp.atanh, (-1, 1), ((-1.0, 1.0),), (0.0, 0.17, 1.0, -1.0)),
    "sqrt": Case(mp.sqrt, (0, INF), ((0.0, 2.0),), (1.0,)),
    "rsqrt": Case(lambda x: 1 / mp.sqrt(x), (0, INF), ((0.0, 2.0),), (1.0,)),
    "cbrt": Case(lambda x: mp.sign(x) * mp.cbrt(abs(x)), EVERYWHERE, ((-2.0, 2.0), (-8.0, 8.0)), (0.0, 1.0)),
    "pow": Case(mp.power, EVERYWHERE, (), (), bound=4.0),
    "hypot": Case(mp.hypot, EVERYWHERE, ((-1.0, 1.0), (-8.0, 8.0)), (0.0, 1.0)),
    "erf": Case(mp.erf, (-30, 30), ((-1.0, 1.0), (-6.0, 6.0)), (0.0, 0.68, -0.68, 0.8, 3.95, 5.95)),
    "erfc": Case(mp.erfc, (-30, 30), ((-1.0, 1.0), (-6.0, 6.0), (0.0, 27.0)), (0.0, 0.68, 0.8, 10.05, 26.5), bound=4.0),
    "erf_inv": Case(mp.erfinv, (-1, 1), ((-1.0, 1.0),), (0.0, 1.0, -1.0, 0.999, 0.9966)),
    "lgamma": Case(
        _lgamma, (-200, INF), ((0.0, 3.0), (0.0, 12.0), (-12.0, 0.0)), (0.0, 1.0, 2.0, 5.25, -1.0, -2.0),
        bound=4.0, scale=_lgamma_scale, poles=True, note=LEFT,
    ),
    "digamma": Case(
        lambda x: mp.psi(0, x), (-200, INF), ((0.0, 3.0), (0.0, 12.0), (-12.0, 0.0)), (0.0, 1.4616321449683622, 5.0),
        bound=4.0, scale=_digamma_scale, poles=True, note=LEFT,
    ),
}  # fmt: skip
"""Every function but those that are exact: fmod, mod, floor_div, nextafter."""

BINARY = ("logaddexp", "atan2", "pow", "hypot", "fmod", "mod", "floor_div", "nextafter")


def compiled(name: str, dtype: Any, lanes: int | None = None) -> Callable[..., Array]:
    """The function on whole arrays, in vectors of `lanes` (a full register of the host if not given)."""
    dtype = np.dtype(dtype)
    count = 2 if name in BINARY else 1
    lanes = lanes or engine.host().vector_bytes // dtype.itemsize
    linked = engine.build(
        _loop_over(name, "float" if dtype.itemsize == 4 else "double", lanes, count), ["run"]
    )
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (count + 1), ctypes.c_int64)(linked.address["run"])

    def call(*inputs: Array) -> Array:
        size = inputs[0].size
        padding = np.ones(-size % lanes, dtype)
        arrays = [np.concatenate([np.asarray(x, dtype).ravel(), padding]) for x in inputs]
        out = np.empty_like(arrays[0])
        if out.size:
            run(*(a.ctypes.data for a in (*arrays, out)), out.size)
        return out[:size].reshape(inputs[0].shape)

    call.linked = linked  # type: ignore[attr-defined]  # the code lives as long as the function
    return call


def _loop_over(name: str, scalar: str, lanes: int, count: int) -> str:
    module = Module(name)
    f = module.function("run", params=["ptr"] * (count + 1) + ["i64"], internal=False)
    with f.loop(i64(0), f.args[-1], lanes, trips=True) as loop:
        places = [f.gep(scalar, p, loop.index) for p in f.args[:-1]]
        f.store(FUNCTIONS[name](f, *(f.load(vector(scalar, lanes), p) for p in places[:-1])), places[-1])
    f.ret()
    return str(module)


def random_bits(dtype: Any, count: int, rng: np.random.Generator) -> Array:
    """Floats of any bits: every exponent is as likely as any other, nan and inf included."""
    size = np.dtype(dtype).itemsize
    return rng.integers(0, 256, (count, size), np.uint8).view(dtype)[:, 0]


def points(name: str, dtype: Any, count: int, rng: np.random.Generator) -> tuple[Array, ...]:
    """Arguments for a function: random bits in its domain, its dense intervals, and its special points approached."""
    if name == "pow":
        return _points_of_pow(dtype, count, rng)
    case = CASES[name]
    if name not in BINARY:
        return (_points_of_one(case, dtype, count, rng),)
    x, y = (_points_of_one(case, dtype, count, rng) for _ in range(2))
    size = min(x.size, y.size)
    close = x[:size] * (1 + rng.normal(size=size).astype(dtype) * dtype(1e-3))
    return np.concatenate([x[:size], x[:size]]), np.concatenate([rng.permutation(y[:size]), close])


def _points_of_one(case: Case, dtype: Any, count: int, rng: np.random.Generator) -> Array:
    low, high = case.domain
    share = max(8, count // (2 + len(case.dense)))
    parts = [random_bits(dtype, share * 4, rng)]
    parts += [rng.uniform(a, b, share).astype(dtype) for a, b in case.dense]
    steps = np.exp(rng.uniform(-40, 0, share)) * rng.choice([-1.0, 1.0], share)
    if case.near:
        parts.append((rng.choice(case.near, share) + steps * rng.choice([1e-3, 1.0], share)).astype(dtype))
    with np.errstate(all="ignore"):
        inside = [
            p[np.isfinite(p) & (p > low) & (p < high) & ~(case.poles & (p <= 0) & (p == np.floor(p)))]
            for p in parts
        ]
    return np.concatenate([inside[0][:share], *inside[1:]])


def _points_of_pow(dtype: Any, count: int, rng: np.random.Generator) -> tuple[Array, ...]:
    """Bases of all sizes and near 1 with exponents that reach the whole range; negative bases with whole exponents."""
    x = np.abs(random_bits(dtype, count, rng))
    x[::3] = np.exp(rng.uniform(-1, 1, x[::3].size))
    x[1::3] = 1 + rng.normal(size=x[1::3].size) * np.exp(rng.uniform(-12, -1, x[1::3].size))
    x = x[np.isfinite(x) & (x > 0) & (x != 1)]
    end = float(np.log(np.finfo(dtype).max)) * 1.08
    y = (rng.uniform(-end, end, x.size) / np.log(x.astype(np.float64))).astype(dtype)
    whole = rng.integers(-20, 20, x.size).astype(dtype)
    base = -rng.uniform(0.1, 10, x.size).astype(dtype)
    return np.concatenate([x, base]), np.concatenate([y, whole])


def errors(name: str, dtype: Any, arguments: Sequence[Array], results: Array) -> Array:
    """The error of every result in units in the last place."""
    case, size = CASES[name], np.finfo(dtype)
    lowest, digits = int(size.minexp) - size.nmant, size.nmant + 1
    overflow = mpf(2) ** int(size.maxexp)
    out = np.empty(results.size)
    with mp.workprec(150):
        for i, y in enumerate(results.tolist()):
            x = [mpf(float(a[i])) for a in arguments]
            exact = case.exact(*x)
            scale = max(abs(exact), case.scale(*x)) if case.scale else abs(exact)
            unit = max(scale.exp + scale.bc - digits, lowest) if scale else lowest
            if abs(y) == INF:
                y = min(overflow, max(abs(exact), overflow - mp.ldexp(1, unit) / 2)) * (1 if y > 0 else -1)
                exact = max(-overflow, min(overflow, exact))
            out[i] = abs(float(mp.ldexp(mpf(y) - exact, -unit)))
    return out


class Worst(NamedTuple):
    """The largest error of a function, and where it is."""

    ulp: float
    at: tuple[float, ...]
    count: int


def measure(name: str, dtype: Any, count: int, seed: int = 0) -> Worst:
    """The largest error over about `count` arguments."""
    arguments = points(name, dtype, count, np.random.default_rng(seed))
    error = errors(name, dtype, arguments, compiled(name, dtype)(*arguments))
    error = np.where(np.isnan(error), INF, error)
    worst = int(error.argmax())
    return Worst(float(error[worst]), tuple(float(a[worst]) for a in arguments), error.size)


HEAD = """# Vector math: measured errors

Made by `python -m fx.backends.cpu.accuracy --markdown docs/vector_math.md`: the largest error in units in the last
place against mpmath, over about {points} arguments: random bit patterns of the whole domain (huge and subnormal numbers
included), dense intervals and the neighbourhoods of special points. fmod, mod, floor_div and nextafter are exact. The
polynomials come from `docs/vector_math_coefficients.py`.

| function | float32 | at | float64 | at | bound | |
|---|---|---|---|---|---|---|"""


def row(name: str, count: int) -> str:
    """A line of the table."""
    cells = []
    for dtype in (np.float32, np.float64):
        worst = measure(name, dtype, count)
        digits = 9 if dtype is np.float32 else 17
        cells.append(f"{worst.ulp:.2f} | {', '.join(f'{v:.{digits}g}' for v in worst.at)}")
    return f"| {name} | {cells[0]} | {cells[1]} | {CASES[name].bound:g} | {CASES[name].note} |"


def main(arguments: list[str] | None = None) -> None:
    """Prints the table, or writes it."""
    parser = argparse.ArgumentParser(description="Errors of fx's vector math in units in the last place.")
    parser.add_argument("names", nargs="*", default=list(CASES))
    parser.add_argument("--points", type=int, default=20000)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args(arguments)
    lines = [HEAD.format(points=options.points)]
    print(lines[0])
    for name in options.names:
        lines.append(row(name, options.points))
        print(lines[-1], flush=True)
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
