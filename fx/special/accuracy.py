"""Errors of fx.special in units in the last place, measured against mpmath.

    python -m fx.special.accuracy [name ...] [--points 300] [--quick] [--markdown docs/special_functions.md]

An error is |result - exact| divided by the spacing of floats at the exact value; where a function has zeros inside the
range, the spacing is taken at the exact value or at the scale of the case, whichever is larger.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fx.numpy as fnp

from .accuracy_cases import CASES, Case

_DTYPES = {"float32": 9, "float64": 17}
"""Decimal digits that name a number."""


def arguments(case: Case, dtype: Any, count: int, seed: int = 0) -> list[Any]:
    """Arrays of arguments from the ranges of a case, rounded to the dtype."""
    rng = np.random.default_rng(seed)
    return [draw(rng, count).astype(dtype) for draw in case.ranges]


def exact_values(case: Case, xs: Sequence[Any]) -> list[Any]:
    """What mpmath makes of the arguments."""
    from mpmath import mp, mpf

    with mp.workdps(60):
        return [case.exact(*[mpf(float(x)) for x in point]) for point in zip(*xs, strict=True)]


def errors(results: Any, exact: Sequence[Any], dtype: Any, scale: float) -> Any:
    """The error of every result in units in the last place; inf for NaN and wrong infinities."""
    from mpmath import mp, mpf

    size = np.finfo(dtype)
    lowest, digits = int(size.minexp) - size.nmant, size.nmant + 1
    out = np.empty(len(exact))
    with mp.workdps(60):
        for i, (y, want) in enumerate(zip(results.tolist(), exact, strict=True)):
            at = max(abs(mpf(want)), mpf(scale))
            unit = max(at.exp + at.bc - digits, lowest) if at else lowest
            if abs(want) >= mpf(2) ** int(size.maxexp):
                out[i] = 0.0 if abs(y) == np.inf else np.inf
            else:
                out[i] = abs(float(mp.ldexp(mpf(y) - want, -unit))) if np.isfinite(y) else np.inf
    return out


class Worst(NamedTuple):
    """The largest error of a function, and where it is."""

    ulp: float
    at: tuple[float, ...]
    median: float


def measure(name: str, dtype: Any, count: int, seed: int = 0) -> Worst:
    """The largest and the median error over `count` arguments."""
    case = CASES[name]
    xs = arguments(case, dtype, count, seed)
    found = np.asarray(case.function(*[fnp.asarray(x) for x in xs]))
    error = errors(found, exact_values(case, xs), dtype, case.scale)
    worst = int(error.argmax())
    return Worst(float(error[worst]), tuple(float(x[worst]) for x in xs), float(np.median(error)))


def row(name: str, count: int) -> str:
    """A line of the table."""
    cells = []
    for dtype, digits in _DTYPES.items():
        worst = measure(name, dtype, count)
        at = ", ".join(f"{x:.{digits}g}" for x in worst.at)
        cells.append(f"{worst.median:.2f} | {worst.ulp:.3g} | {at}")
    return f"| {name} | {CASES[name].where} | {' | '.join(cells)} |"


HEAD = """# Special functions: measured errors

Made by `python -m fx.special.accuracy --points {points} --markdown docs/special_functions.md`: the median and the
largest error in units in the last place (ulp) against mpmath, over {points} random arguments of the ranges given, for
float32 and float64. "d/da" rows are derivatives as `fx.grad` gives them. Where a function has zeros inside its range,
the unit is that of the exact value or of the scale given after *, whichever is larger.

How the numbers come about:

- **Values** are SciPy's, computed in float64 and rounded once, also for float32, float16 and bfloat16: float32 results
  are within half a unit but for the few places where float64 loses digits. `betaln` is fx's own (Stirling's formula
  where one argument is 10 or more, so that log-gammas do not cancel), and so are `kl_div`, `boxcox`, `logit`, `xlogy`
  and the other compositions, which a compiled function contains as native code. All others are steps that Python runs.
- **Parameters of the incomplete functions**: derivatives of `gammainc` by a and of `betainc` by a and b, of any order,
  are power series differentiated term by term, or Gauss quadrature of the differentiated density in the variable
  log(t), or logit(t), where it is exp of a concave function. It integrates over the side on which nothing cancels. Both
  hold a relative error near 1e-12 for parameters between 1e-3 and 1e4 and in both tails.
- **Zeta** by its exponent, Riemann's also by a complex one: the Euler-Maclaurin sum, differentiated term by term.
- **1F1 and 2F1** by their parameters, up to second derivatives: the power series where its terms do not cancel,
  elsewhere a polynomial through SciPy's values around the parameter. The error of a first derivative is about 1e-13 of
  the function (1e-10 for second ones), which is more of the derivative where that is much smaller. SciPy's 2F1 itself
  is wrong for some large parameters of opposite signs with x near 1.
- **erfcx, dawsn, wofz, i0e, i1e, k0e, k1e**: derivatives of any order do not cancel for large arguments, where the
  usual formula (2 x erfcx(x) - 2 / sqrt(pi)) would.

What has no derivative says so by RuleError: orders of polygamma, expn, bessel_jn and spherical harmonics, which are
whole numbers; third derivatives of 1F1 and 2F1 by their parameters, which would be wrong in the sixth digit.

| function | arguments | float32 median | worst | at | float64 median | worst | at |
|---|---|---|---|---|---|---|---|"""


def main(arguments: list[str] | None = None) -> None:
    """Prints the table, or writes it."""
    parser = argparse.ArgumentParser(description="Errors of fx.special in units in the last place.")
    parser.add_argument("names", nargs="*", default=list(CASES))
    parser.add_argument("--points", type=int, default=300)
    parser.add_argument("--quick", action="store_true", help="30 points for each function")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args(arguments)
    count = 30 if options.quick else options.points
    lines = [HEAD.format(points=count)]
    print(lines[0])
    for name in options.names:
        lines.append(row(name, count))
        print(lines[-1], flush=True)
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
