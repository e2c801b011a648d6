"""Family constructors: they fill the duties that members of a family share, so that one op is a line or three.

Elementwise primitives broadcast their operands as NumPy does; all operands have one dtype. Their transpose is
their jvp rule applied to the cotangent (a diagonal Jacobian is its own transpose), summed back to the operand.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import errors
from ..core.avals import Aval, dtype_name
from ..core.primitive import Absent, Primitive, Sample, Unknown, Zero

KINDS = {
    "inexact": "fVc",
    "floating": "fV",
    "complex": "c",
    "number": "iufVc",
    "ordered": "iufV",
    "real": "biufV",
    "integer": "iu",
    "bits": "biu",
    "any": "biufVc",
}
"""Names for the dtype kinds that an operation accepts."""


def broadcast_shapes(name: str, avals: Sequence[Aval]) -> tuple[int, ...]:
    """The common shape, or ShapeError that shows all operands."""
    first = avals[0].shape
    if all(a.shape == first for a in avals):
        return first
    rank = max(a.ndim for a in avals)
    out = []
    for axis in range(-rank, 0):
        sizes = {a.shape[axis] for a in avals if a.ndim >= -axis} - {1}
        if len(sizes) > 1:
            raise errors.ShapeError(
                errors.lines(
                    f"{name}: shapes {', '.join(str(a.shape) for a in avals)} do not broadcast (axis {axis}).",
                    "Axes are aligned from the right; equal sizes or 1 fit together.",
                )
            )
        out.append(sizes.pop() if sizes else 1)
    return tuple(out)


def same_dtype(name: str, avals: Sequence[Aval]) -> np.dtype[Any]:
    """The one dtype of all operands."""
    dtype = avals[0].dtype
    for a in avals:
        if a.dtype is not dtype and a.dtype != dtype:
            raise errors.DTypeError(
                errors.lines(
                    f"{name} needs operands of one dtype; got {', '.join(dtype_name(a.dtype) for a in avals)}.",
                    "fx.numpy functions promote; primitives and fx.lax do not. Convert with .astype.",
                )
            )
    return dtype


def accept(name: str, dtype: np.dtype[Any], kinds: str) -> None:
    """DTypeError unless the dtype is of one of the named kinds."""
    if dtype.kind not in KINDS[kinds]:
        raise errors.DTypeError(f"{name} does not take {dtype} ({kinds} dtypes only).")


_OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "true_divide": operator.truediv,
    "negative": operator.neg,
}
"""Python's operators do the same as these ufuncs and are ten times as fast on NumPy scalars."""


class Elementwise(Primitive):
    """An operation on corresponding elements, with NumPy's broadcasting."""

    def __init__(
        self,
        name: str,
        impl: Callable[..., Any] | None,
        jvp: Sequence[Any],
        *,
        ufunc: str | None,
        kinds: str,
        linear_in: tuple[int, ...],
        result: Callable[[np.dtype[Any]], np.dtype[Any]] | None,
        samples: Callable[[Any], Any] | None,
        oracle: Callable[..., Any] | None,
        cost: int,
        transpose: Callable[..., Any] | None,
        of_complex: Callable[..., Any] | None = None,
    ):
        self.name, self.rules, self.ufunc, self.kinds = name, tuple(jvp), ufunc, kinds
        self.linear_in, self.result, self.flops = linear_in, result, cost
        self.arity = len(self.rules)
        self.make_samples, self.oracle, self.own_transpose = samples, oracle, transpose
        self.function = impl or (lambda xp, *xs: getattr(xp, ufunc)(*xs))
        self.of_complex = of_complex

    def impl(self, xp: Any, *operands: Any, **params: Any) -> Any:
        if self.of_complex is not None and operands[0].dtype.kind == "c":
            return self.of_complex(xp, *operands)
        return self.function(xp, *operands, **params)

    def kernel(self, xp: Any, params: dict[str, Any]) -> Callable[..., Any]:
        if self.of_complex is not None and self.ufunc is not None:
            of_real, of_complex = getattr(xp, self.ufunc), self.of_complex
            return lambda x: of_complex(xp, x) if x.dtype.kind == "c" else of_real(x)
        if self.ufunc is not None and not params:
            if xp is np and self.ufunc in _OPERATORS:
                return _OPERATORS[self.ufunc]
            return getattr(xp, self.ufunc)  # type: ignore[no-any-return]
        return super().kernel(xp, params)

    def shape(self, *avals: Aval, **params: Any) -> Aval:
        dtype = same_dtype(self.name, avals)
        accept(self.name, dtype, self.kinds)
        shape = broadcast_shapes(self.name, avals)
        weak = all(a.weak for a in avals)
        return Aval(shape, self.result(dtype) if self.result else dtype, weak)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        total: Any = Zero(out.aval.strong)
        if not out.aval.inexact:
            return total
        for i, (rule, t) in enumerate(zip(self.rules, tangents, strict=True)):
            if type(t) is Zero:
                continue
            term = self._rule(rule, i)(*primals, out, t, **params)
            if type(term) is not Zero:
                term = expand(term, out.shape)
                total = term if type(total) is Zero else total + term
        return total

    def _rule(self, rule: Any, i: int) -> Any:
        if isinstance(rule, Absent):
            raise errors.RuleError(
                errors.lines(f"{self.name} has no derivative by operand {i}: {rule.reason}.")
            )
        return rule

    def transpose(self, ct: Any, *operands: Any, **params: Any) -> list[Any]:
        if self.own_transpose is not None:
            return list(self.own_transpose(ct, *operands, **params))
        cts: list[Any] = []
        for i, x in enumerate(operands):
            if type(x) is not Unknown:
                cts.append(None)
                continue
            if i not in self.linear_in:
                raise errors.RuleError(f"{self.name} is not linear in operand {i} and cannot be transposed.")
            cts.append(collapse(self.rules[i](*operands, None, ct, **params), x.aval.shape))
        return cts

    def batch(self, axis: Any, operands: Any, dims: Any, **params: Any) -> Any:
        return self(*align(operands, dims), **params), 0

    def cost(self, *avals: Aval, **params: Any) -> int:
        return self.flops * Aval(broadcast_shapes(self.name, avals), avals[0].dtype).size

    def samples(self, rng: Any) -> Any:
        if self.make_samples is None:
            return default_samples(self, rng)
        oracle = self.oracle or _numpy_oracle(self)
        return [s if s.oracle else s._replace(oracle=oracle) for s in self.make_samples(rng)]


def default_samples(prim: Elementwise, rng: Any) -> list[Sample]:
    """Ordinary, broadcast, 0-d and empty operands for an elementwise primitive of real numbers."""
    shapes: list[Any] = [((3, 4),) * prim.arity, ((),) * prim.arity, ((0, 2),) * prim.arity]
    if prim.arity > 1:
        shapes += [((3, 4), (4,), (3, 1))[: prim.arity], ((1, 4), (3, 1), ())[: prim.arity]]
    dtype = {"bits": np.int32, "integer": np.int32, "complex": np.complex64}.get(prim.kinds, np.float32)
    return [
        Sample(tuple(_draw(rng, s, dtype) for s in case), {}, prim.oracle or _numpy_oracle(prim))
        for case in shapes
    ]


def _draw(rng: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0, 7, shape).astype(dtype)
    x = rng.normal(size=shape) + (1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else 0)
    return np.asarray(x, dtype)


def _numpy_oracle(prim: Elementwise) -> Any:
    return getattr(np, prim.ufunc) if prim.ufunc else None


def unary(
    name: str,
    impl: Callable[..., Any] | None = None,
    jvp: Any = None,
    *,
    ufunc: str | None = None,
    kinds: str = "inexact",
    linear: bool = False,
    result: Any = None,
    samples: Any = None,
    oracle: Any = None,
    cost: int = 1,
    transpose: Any = None,
    of_complex: Callable[..., Any] | None = None,
) -> Elementwise:
    """y = f(x) elementwise; `jvp` is `lambda x, y, dx: ...`. Name a `ufunc` where NumPy and CuPy have one.

    of_complex: the impl for complex numbers, where the ufunc is wrong at infinities and signed zeros.
    """
    return Elementwise(
        name, impl, (jvp,), ufunc=ufunc, kinds=kinds, linear_in=(0,) if linear else (), result=result,
        samples=samples, oracle=oracle, cost=cost, transpose=transpose, of_complex=of_complex,
    )  # fmt: skip


def binary(
    name: str,
    impl: Callable[..., Any] | None = None,
    jvp: Any = (None, None),
    *,
    ufunc: str | None = None,
    kinds: str = "number",
    linear_in: tuple[int, ...] = (),
    result: Any = None,
    samples: Any = None,
    oracle: Any = None,
    cost: int = 1,
    transpose: Any = None,
) -> Elementwise:
    """z = f(x, y) elementwise; `jvp` is a pair `lambda x, y, z, dx: ...`, one per operand."""
    return Elementwise(
        name, impl, jvp, ufunc=ufunc, kinds=kinds, linear_in=linear_in, result=result,
        samples=samples, oracle=oracle, cost=cost, transpose=transpose,
    )  # fmt: skip


def comparison(name: str, ufunc: str, kinds: str = "any") -> Elementwise:
    """A boolean of two operands; no derivative."""
    return binary(name, ufunc=ufunc, kinds=kinds, result=lambda d: np.dtype(bool))


# Helpers that rules use


def zero_of(x: Any) -> Zero:
    return Zero(x.aval.strong)


def expand(x: Any, shape: tuple[int, ...]) -> Any:
    """x broadcast to `shape` if it is not so already."""
    from .shape import broadcast_to

    return x if x.shape == shape else broadcast_to(x, shape)


def collapse(ct: Any, shape: tuple[int, ...]) -> Any:
    """Sum a cotangent over the axes along which its operand was broadcast."""
    if type(ct) is Zero or ct.shape == shape:
        return ct
    from .reductions import reduce_sum
    from .shape import reshape

    extra = ct.ndim - len(shape)
    axes = [*range(extra), *[extra + i for i, d in enumerate(shape) if d == 1 and ct.shape[extra + i] != 1]]
    summed = reduce_sum(ct, axes=tuple(axes)) if axes else ct
    return summed if summed.shape == shape else reshape(summed, shape)


def align(operands: Sequence[Any], dims: Sequence[Any]) -> list[Any]:
    """Operands of a broadcasting operation with their batch axes in front and ranks filled up with ones."""
    from ..core import given
    from .shape import reshape

    rank = max(x.ndim - (d is not None) for x, d in zip(operands, dims, strict=True))
    out = []
    for x, d in zip(operands, dims, strict=True):
        if d is not None:
            x = given.move_axis(x, d, 0) if d != 0 else x
            missing = rank - (x.ndim - 1)
            if missing:
                x = reshape(x, (x.shape[0], *[1] * missing, *x.shape[1:]))
        out.append(x)
    return out


def to_front(x: Any, dim: int | None, size: int) -> Any:
    """x with its batch axis first; repeated along a new one if it has none."""
    from ..core import given

    if dim is None:
        return given.spread(x, size, 0)
    return given.move_axis(x, dim, 0) if dim else x
