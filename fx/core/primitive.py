"""Primitives: the atomic operations, each with all its duties in one block.

A primitive is one object of one class. Its duties, in the order in which a class lists them:

    impl(xp, *operands, **params)            compute on buffers of xp (NumPy, CuPy)
    shape(*avals, **params)                  abstract result(s); the place where bad input is refused
    jvp(primals, out, tangents, **params)    tangent(s) of the result(s), written with ordinary operators
    transpose(ct, *operands, **params)       cotangents of the operands it is linear in
    batch(axis, operands, dims, **params)    the same operation over one more axis
    cost(*avals, **params)                   floating-point operations
    samples(rng)                             inputs for the law tests

A duty that does not apply is `absent("reason")`, never a gap: asking for it raises RuleError with the reason.
Reverse mode is not a duty: it is jvp plus transpose. Call-like primitives override `linearize` as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from . import errors
from .avals import Aval


class Zero:
    """The tangent or cotangent that is known to vanish; the one form of absence."""

    __slots__ = ("aval",)

    def __init__(self, aval: Aval):
        self.aval = aval

    def __repr__(self) -> str:
        return f"Zero({self.aval})"


class Unknown:
    """In `transpose`: the place of an operand that the operation is linear in."""

    __slots__ = ("aval",)

    def __init__(self, aval: Aval):
        self.aval = aval

    def __getattr__(self, name: str) -> Any:
        return self.refuse()

    def refuse(self, *others: Any) -> Any:
        raise NotLinearError(
            errors.lines(
                f"A function was transposed that is not linear: it needs the value of {self.aval}, which it should "
                "be linear in.",
                "A product of two traced arguments is linear in each, not in both: close over one of them.",
            )
        )

    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __matmul__ = __rmatmul__ = refuse

    def __repr__(self) -> str:
        return f"Unknown({self.aval})"


class NotLinearError(errors.RuleError, AttributeError):
    """A rule asked for the value of an operand that only its cotangent is wanted of."""


class Axis(NamedTuple):
    """The axis that `vmap` adds: its size, and its name when collectives refer to it."""

    size: int
    name: Any = None


class Sample(NamedTuple):
    """One input of the law tests: concrete operands, params, what NumPy or SciPy makes of it."""

    operands: tuple[Any, ...]
    params: dict[str, Any] = {}  # noqa: RUF012
    oracle: Callable[..., Any] | None = None


class Absent:
    """A duty that does not apply, with its reason."""

    def __init__(self, reason: str):
        self.reason = reason

    def __set_name__(self, owner: type, name: str) -> None:
        self.duty = name

    def __get__(self, primitive: Any, owner: type | None = None) -> Any:
        return self if primitive is None else Refusal(primitive, getattr(self, "duty", "?"), self.reason)


class Refusal:
    """What asking for an absent duty gives: falsy, and an error when called."""

    def __init__(self, primitive: Any, duty: str, reason: str):
        self.primitive, self.duty, self.reason = primitive, duty, reason

    def __bool__(self) -> bool:
        return False

    def __call__(self, *args: Any, **params: Any) -> Any:
        raise errors.RuleError(
            errors.lines(f"Primitive {self.primitive.name!r} has no {self.duty} rule: {self.reason}.")
        )


def absent(reason: str) -> Any:
    """Mark a duty as not applying, with the reason."""
    return Absent(reason)


class Primitive:
    """Base class: one instance per operation; see the module text for the duties."""

    name: str = "?"
    multiple = False
    """Several results: `impl` and `shape` return tuples, `jvp` takes and returns sequences."""
    effect = False
    """Must run even if nobody reads its results, and in order."""
    view = False
    """The result of `impl` may share memory with operand 0 (with any operand where `multiple`)."""
    alias = False
    """The result is operand 0 itself."""
    calls = False
    """Has Programs among its params (jit, checkpoint, scan, cond...)."""
    transient = False
    """Has Python functions among its params, which no memory of shapes may keep alive."""
    collective = False
    """Its batch rule is asked whenever the mapped axis has the name in `params["axis_name"]`."""

    if TYPE_CHECKING:  # each primitive names its own operands and params
        impl: Callable[..., Any]
        shape: Callable[..., Any]
        push: Callable[..., Any]
        linearize: Callable[..., Any]
        cost: Callable[..., int]
    else:

        def push(self, primals, tangents, **params):
            """Result(s) and tangent(s); derived from jvp. Call-like primitives do both in one call."""
            out = bind(self, *primals, **params)
            return out, self.jvp([getattr(x, "scalar", x) for x in primals], out, tangents, **params)

        def linearize(self, primals, tangents, **params):
            """The same where the tangents belong to a linear trace; call-like primitives override it."""
            return self.push(primals, tangents, **params)

        def cost(self, *avals, **params):
            return 0

    jvp: Any = absent("not defined by the primitive")
    transpose: Any = absent("it is not linear in any operand")
    batch: Any = absent("not defined by the primitive")

    def samples(self, rng: Any) -> Iterable[Sample]:
        return ()

    def kernel(self, xp: Any, params: dict[str, Any]) -> Callable[..., Any]:
        """The function of operands alone that a plan calls; a ufunc itself where one exists."""
        impl = self.impl
        if not params:
            return lambda *operands: impl(xp, *operands)
        return lambda *operands: impl(xp, *operands, **params)

    def __call__(self, *operands: Any, **params: Any) -> Any:
        return bind(self, *operands, **params)

    def __repr__(self) -> str:
        return self.name


def _no_trace(primitive: Primitive, *operands: Any, **params: Any) -> Any:
    raise RuntimeError("fx.core.trace is not loaded")


bind: Callable[..., Any] = _no_trace
"""Apply a primitive under the current trace; `core.trace` puts the function here."""


def params_key(params: dict[str, Any]) -> Any:
    """A hashable form of the params of one equation."""
    return tuple(params.items()) if params else None


_shapes: dict[Any, tuple[Aval, ...]] = {}


def result_avals(
    prim: Primitive, avals: Sequence[Aval], params: dict[str, Any], key: Any
) -> tuple[Aval, ...]:
    """What the shape rule says; remembered, except for primitives that hold Programs or functions."""
    place = (prim, key, *avals)
    remembered = not (prim.calls or prim.transient)
    known = _shapes.get(place) if remembered else None
    if known is not None:
        return known
    out = prim.shape(*avals, **params)
    result = tuple(out) if prim.multiple else (out,)
    if remembered:
        if len(_shapes) > 50_000:
            _shapes.clear()
        _shapes[place] = result
    return result
