"""Derivatives held against central differences and against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import given
from ..core.array import Array, aval_of
from ..core.dtypes import canonical
from ..core.errors import ArgumentError, DTypeError
from ..core.transforms.gradient import jvp, vjp
from ._compare import difference, host, largest
from ._flat import Flat, generator, normal_like, on_device

_TOLERANCE = {"float64": 1e-6, "complex128": 1e-6, "float32": 2e-3, "complex64": 2e-3, "float16": 3e-2}
_TOLERANCE["bfloat16"] = 1e-1
_EPSILON = {"float32": 2.0**-23, "complex64": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
_MODES = ("fwd", "rev")


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: str | Sequence[str] = _MODES,
    rtol: float | None = None,
    atol: float | None = None,
    eps: float | None = None,
    key: Any = None,
) -> None:
    """The derivatives of `f` at `args` are right up to `order`, in one random direction each.

    Forward mode: `fx.jvp` equals the central difference (f(x + eps t) - f(x - eps t)) / (2 eps), computed in
    float64 whatever the dtype of the arguments (in their own where f insists on it). Reverse mode:
    <ct, jvp(t)> equals <vjp(ct), t>, with the central difference for jvp(t) if "fwd" is not among the modes.
    Order n does the same with the derivative functions of order n - 1.

    Args:
        f: takes and returns pytrees; what is not floating point or complex is held fixed.
        args: the positional arguments, a tuple.
        modes: "fwd", "rev" or both; ("rev",) for functions with a custom_vjp.
        rtol, atol: by default 1e-6 for float64, 2e-3 for float32, 3e-2 for float16, 1e-1 for bfloat16, and
            atol that times the largest element, plus what rounding does to differences of numbers of size 1.
        eps: the step, by default the cube root of the machine epsilon; f must be smooth that far around args.
        key: seed of the directions: an int or an integer array.

    Raises:
        AssertionError: names function, mode, order, leaf, expected and found value, and relative error.

    >>> import fx
    >>> fx.testing.check_grads(lambda x: x**3, (2.0,))
    """
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    if not modes or set(modes) - set(_MODES) or order < 1:
        raise ArgumentError(
            f"check_grads: modes are 'fwd' and 'rev', order is 1 or more; got {modes}, {order}."
        )
    flat = Flat(f, args, inexact=True)
    check = _Check(flat.name, modes, rtol, atol, eps, generator(key))
    check.run(_Function(flat, flat.point, flat.names, lambda: flat.out_names), order, ())


class _Function(NamedTuple):
    """A function of a list of inexact leaves, the point where it is checked, and names for messages."""

    call: Callable[..., list[Any]]
    point: list[Any]
    names: list[str]
    out_names: Callable[[], list[str]]


class _Check:
    """One call of check_grads: its settings, and the walk over modes and orders."""

    def __init__(self, name: str, modes: tuple[str, ...], rtol: Any, atol: Any, eps: Any, rng: Any):
        self.name, self.modes, self.rtol, self.atol, self.eps, self.rng = name, modes, rtol, atol, eps, rng
        self.coarsest = 0.0
        """The coarsest machine epsilon met: what a derivative computes in, although its dtype may be finer."""

    def run(self, f: _Function, order: int, done: tuple[str, ...]) -> None:
        outs = f.call(*f.point)
        if not f.point or not outs:
            return
        tangents = [normal_like(self.rng, x) for x in f.point]
        cts = [normal_like(self.rng, y) for y in outs]
        numeric = _Difference(f, outs, tangents, self.eps, self.coarsest)
        self.coarsest = numeric.coarsest
        if "fwd" in self.modes:
            self.forward(f, outs, tangents, numeric, ("fwd", *done))
        if "rev" in self.modes:
            self.reverse(f, outs, tangents, cts, numeric, ("rev", *done))
        if order > 1 and "fwd" in self.modes:
            self.run(_pushed(f, tangents), order - 1, ("fwd", *done))
        if order > 1 and "rev" in self.modes:
            self.run(_pulled(f, cts), order - 1, ("rev", *done))

    def forward(
        self, f: _Function, outs: Any, tangents: Any, numeric: _Difference, path: tuple[str, ...]
    ) -> None:
        values, dots = jvp(f.call, tuple(f.point), tuple(tangents))
        self.same(values, outs, f.out_names(), path)
        self.same_kind(dots, outs, [f"the tangent of {name}" for name in f.out_names()], path)
        for dot, want, name in zip(dots, numeric.along(tangents), f.out_names(), strict=True):
            rtol, atol = self.tolerances(numeric, largest(want))
            wrong = difference(dot, want, rtol, atol)
            if wrong:
                self.fail(path, f"the tangent of {name}", wrong, "the central difference")

    def reverse(
        self, f: _Function, outs: Any, tangents: Any, cts: Any, numeric: _Difference, path: tuple[str, ...]
    ) -> None:
        values, pull = vjp(f.call, *f.point)
        grads = pull(list(cts))
        names = [f"the cotangent of {name}" for name in f.names]
        self.same(values, outs, f.out_names(), path)
        self.same_kind(grads, f.point, names, path)
        whole = self.mismatch(grads, tangents, f, cts, numeric)
        if whole is None:
            return
        expected = "<ct, jvp(t)>" if "fwd" in self.modes else "<ct, central difference>"
        for i, name in enumerate(names):
            alone = [t if j == i else _zeros(t) for j, t in enumerate(tangents)]
            found = self.mismatch(grads, alone, f, cts, numeric)
            if found is not None:
                self.fail(path, f"{name}, as <vjp(ct), t>,", found, expected)
        self.fail(path, "<vjp(ct), t> over all arguments", whole, expected)

    def mismatch(self, grads: Any, tangents: Any, f: _Function, cts: Any, numeric: Any) -> str | None:
        """How <vjp(ct), t> and <ct, jvp(t)> differ, or None."""
        if "fwd" in self.modes:
            dots = jvp(f.call, tuple(f.point), tuple(tangents))[1]
        else:
            dots = numeric.along(tangents)
        got, want = _inner(grads, tangents), _inner(cts, dots)
        rtol, atol = self.tolerances(
            numeric, max(got.size, want.size), sum(float(np.abs(host(c)).sum()) for c in cts)
        )
        return difference(np.float64(got.value), np.float64(want.value), rtol, atol)

    def same(self, values: Any, expected: Any, names: Sequence[str], path: tuple[str, ...]) -> None:
        for a, b, name in zip(values, expected, names, strict=True):
            wrong = difference(a, b)
            if wrong:
                self.fail(path, f"the value of {name}", wrong, "what the function itself gives")

    def same_kind(self, found: Any, like: Any, names: Sequence[str], path: tuple[str, ...]) -> None:
        for a, b, name in zip(found, like, names, strict=True):
            if aval_of(a).strong != aval_of(b).strong:
                self.fail(path, name, f"it is {aval_of(a)}", f"{aval_of(b).strong}")

    def tolerances(self, numeric: Any, scale: float, weight: float = 1.0) -> tuple[float, float]:
        rtol = numeric.tolerance if self.rtol is None else self.rtol
        return rtol, rtol * scale + numeric.noise * weight if self.atol is None else self.atol

    def fail(self, path: tuple[str, ...], what: str, wrong: str, expected: str) -> None:
        raise AssertionError(
            f"check_grads of {self.name}: mode '{path[0]}', order {len(path)} ({' of '.join(path)}): "
            f"{what} is wrong.\n  {wrong}\n  expected: {expected}"
        )


class _Difference:
    """Central differences of a function at its point, in the widest dtype that the function takes."""

    def __init__(
        self, f: _Function, outs: Sequence[Any], tangents: Sequence[Any], eps: float | None, coarsest: float
    ):
        self.f = f
        self.wide = True
        try:
            reached = f.call(*self._shifted(tangents, 0.0))
        except DTypeError:
            self.wide, reached = False, outs
        self.coarsest, own = max(coarsest, *map(_epsilon, reached)), max(map(_epsilon, outs))
        self.eps = self.coarsest ** (1 / 3) if eps is None else eps
        self.noise = max(1.0, *map(largest, reached)) * (10 * self.coarsest / self.eps + 100 * own)
        """What rounding alone may do to a difference, and to a derivative that vanishes."""
        self.tolerance = max(_TOLERANCE[aval_of(x).dtype.name] for x in (*f.point, *outs, *reached))

    def along(self, tangents: Sequence[Any]) -> list[Any]:
        above = self.f.call(*self._shifted(tangents, self.eps))
        below = self.f.call(*self._shifted(tangents, -self.eps))
        return [_slope(host(a), host(b), 2 * self.eps) for a, b in zip(above, below, strict=True)]

    def _shifted(self, tangents: Sequence[Any], step: float) -> list[Array]:
        out = []
        for x, t in zip(self.f.point, tangents, strict=True):
            moved = host(x) + step * host(t)
            out.append(on_device(moved if self.wide else moved.astype(aval_of(x).dtype), x))
        return out


def _slope(above: Any, below: Any, step: float) -> Any:
    """Zero where the function stays at the same infinity."""
    with np.errstate(all="ignore"):
        return np.where(above == below, 0.0, (above - below) / step)


def _epsilon(x: Any) -> float:
    return _EPSILON.get(aval_of(x).dtype.name, 2.0**-52)


def _zeros(x: Any) -> Array:
    return on_device(np.zeros(x.shape, x.dtype), x)


def _pushed(f: _Function, tangents: list[Any]) -> _Function:
    """(x, t) -> (f(x), jvp(x, t))."""
    n = len(f.point)

    def call(*values: Any) -> list[Any]:
        outs, dots = jvp(f.call, values[:n], values[n:])
        return [*outs, *dots]

    names = [*f.names, *[f"the tangent of {name}" for name in f.names]]
    return _Function(
        call, [*f.point, *tangents], names, lambda: [*f.out_names(), *[f"d {x}" for x in f.out_names()]]
    )


def _pulled(f: _Function, cts: list[Any]) -> _Function:
    """(x, ct) -> vjp(x)(ct)."""
    n = len(f.point)

    def call(*values: Any) -> list[Any]:
        outs, pull = vjp(f.call, *values[:n])
        return list(pull([_cast(c, canonical(y.dtype)) for c, y in zip(values[n:], outs, strict=True)]))

    names = [*f.names, *[f"the cotangent of {name}" for name in f.out_names()]]
    return _Function(call, [*f.point, *cts], names, lambda: [f"the cotangent of {name}" for name in f.names])


def _cast(ct: Any, dtype: Any) -> Any:
    return ct if aval_of(ct).dtype == dtype else given.convert(ct, dtype)


class _Inner(NamedTuple):
    """Real part of a bilinear product, and the sum of the sizes of its terms."""

    value: float
    size: float


def _inner(xs: Sequence[Any], ys: Sequence[Any]) -> _Inner:
    terms = [(host(x) * host(y)).ravel() for x, y in zip(xs, ys, strict=True)]
    return _Inner(sum(float(t.sum().real) for t in terms), sum(float(np.abs(t).sum()) for t in terms))
