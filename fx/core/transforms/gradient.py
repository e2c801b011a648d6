"""The differential operators that run at once: grad, value_and_grad, vjp, jvp, linearize, linear_transpose."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes, given, static, tree
from ..array import Array, as_buffer, aval_of
from ..avals import Aval
from ..boundary import boundary
from ..errors import ArgumentError, DTypeError, ShapeError, TreeError, brief, lines
from ..errstate import quiet
from ..interpret import run_program
from ..primitive import Zero
from ..program import closed_program
from ..source import describe
from ..trace import Trace, Tracer
from .arguments import (
    Selected,
    argument_name,
    check_outputs,
    is_array,
    leaf_aval,
    leaf_avals,
    name_of,
    require_callable,
    require_inexact,
    traced_call,
)
from .forward import jvp_program, pick
from .reverse import grad_program, linearize_program, transpose_program


def grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
) -> Callable[..., Any]:
    """The gradient of a scalar function, as a function of the same arguments.

    Args:
        fun: returns a scalar, or `(scalar, aux)` with `has_aux=True`.
        argnums: which positional arguments to differentiate (default: the first); any pytrees of arrays.
        argnames: which keyword arguments to differentiate, besides or instead of `argnums`.
        holomorphic: the function is complex-differentiable; inputs and output are complex.
        allow_int: integer leaves get zero gradients instead of an error.

    Returns:
        A function giving the gradient with the structure, shapes and dtypes of the selected arguments
        (a tuple if `argnums` is a sequence), and `(gradient, aux)` with `has_aux=True`.

    Raises:
        ShapeError: the output is not a scalar. DTypeError: an input or the output is not floating point.

    >>> import fx
    >>> fx.grad(lambda x: x**3)(2.0)
    Array(12., float32)
    """
    value_and = value_and_grad(fun, argnums, has_aux, holomorphic, allow_int, argnames=argnames)

    @functools.wraps(fun, updated=())
    @boundary
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, g = value_and(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return gradient


def value_and_grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
) -> Callable[..., Any]:
    """Like `grad`, returning `(value, gradient)`, or `((value, aux), gradient)` with `has_aux=True`."""
    require_callable(fun, "grad")
    if argnums is None and argnames is None:
        argnums = 0

    @functools.wraps(fun, updated=())
    @boundary
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        chosen = Selected(fun, args, kwargs, argnums, argnames)
        leaves, in_tree = tree.flatten(chosen.tree)
        avals = leaf_avals(leaves, lambda i: leaf_name(fun, chosen, in_tree, i), fun, "grad")
        for i, a in enumerate(avals):
            if a.dtype.kind != "f":
                require_inexact(a, leaf_name(fun, chosen, in_tree, i), "grad", fun, holomorphic, allow_int)
        active = tuple([a.inexact for a in avals])

        def call(tracers: list[Any]) -> Any:
            return chosen.call(fun, in_tree.unflatten(tracers))

        trace, outputs, out_tree = traced_call("grad", fun, call, avals, leaves)
        value, aux, aux_tree = _split_aux(outputs, out_tree, has_aux, fun)
        _check_scalar(value, fun, holomorphic)
        mine = [i for i, x in enumerate(aux) if type(x) is Tracer and x.home is trace]
        program, consts = closed_program(trace, [value, *[aux[i] for i in mine]])
        rewritten = grad_program(program, len(leaves), active)
        results = run_program(rewritten, leaves + consts)
        for n, i in enumerate(mine):
            aux[i] = results[1 + n]
        found = iter(results[1 + len(mine) :])
        grads = [next(found) if on else given.zeros(a) for on, a in zip(active, avals, strict=True)]
        gradient = chosen.result(in_tree.unflatten(grads))
        return ((results[0], aux_tree.unflatten(aux)), gradient) if has_aux else (results[0], gradient)

    return value_and_gradient


def _split_aux(outputs: list[Any], out_tree: Any, has_aux: bool, fun: Any) -> tuple[Any, list[Any], Any]:
    if has_aux:
        children = out_tree.children()
        if len(children) != 2:
            raise TreeError(
                lines(
                    f"{name_of(fun)} with has_aux=True must return a pair (value, aux); it returned {out_tree}."
                )
            )
        if children[0].num_leaves != 1:
            raise ShapeError(f"grad of {name_of(fun)}: the value must be a scalar; it is {children[0]}.")
        return outputs[0], outputs[1:], children[1]
    if len(outputs) != 1 or out_tree.children():
        raise ShapeError(
            lines(
                f"grad of {name_of(fun)} needs a scalar output; it returned the tree {out_tree}.",
                "Return one scalar; for a pair (scalar, aux) pass has_aux=True; for many outputs use fx.jacobian.",
            )
        )
    return outputs[0], [], None


def _check_scalar(value: Any, fun: Any, holomorphic: bool) -> None:
    aval = value.aval if type(value) is Tracer else leaf_aval(value, lambda: "the output", fun, "grad")
    if aval.shape == () and aval.dtype.kind == "f" and not holomorphic:
        return
    source = describe(value.source) if type(value) is Tracer else None
    if aval.shape != ():
        raise ShapeError(
            lines(
                f"grad of {name_of(fun)} needs a scalar output; it returned {aval}.",
                source,
                "Reduce it (.sum(), .mean()), or use fx.vjp, fx.jacrev or fx.vmap(fx.grad(...)).",
            )
        )
    if holomorphic and aval.dtype.kind != "c":
        raise DTypeError(
            f"grad of {name_of(fun)} with holomorphic=True needs a complex output; it is {aval}."
        )
    if not holomorphic and aval.dtype.kind == "c":
        raise DTypeError(
            lines(
                f"grad of {name_of(fun)} needs a real output; it returned {aval}.",
                source,
                "Take .real or abs() of it, or pass holomorphic=True.",
            )
        )
    if not aval.inexact:
        raise DTypeError(
            lines(
                f"grad of {name_of(fun)} needs a floating-point output; it returned {aval}.",
                source,
                "Gradients of integers and booleans do not exist; convert with .astype before the loss.",
            )
        )


def leaf_name(fun: Any, chosen: Selected, in_tree: Any, i: int) -> str:
    """The path of a leaf of the selected arguments: `params['w']`."""
    path = in_tree.paths()[i]
    if chosen.single:
        return _argument(fun, chosen, 0) + tree.keystr(path)
    return _argument(fun, chosen, path[0].idx) + tree.keystr(path[1:])


def _argument(fun: Any, chosen: Selected, n: int) -> str:
    from_names = n - len(chosen.nums)
    return chosen.names[from_names] if from_names >= 0 else argument_name(fun, chosen.nums[n])


# vjp, jvp, linearize


def _traced(kind: str, fun: Any, primals: Sequence[Any], has_aux: bool) -> Any:
    require_callable(fun, kind)
    leaves, in_tree = tree.flatten(tuple(primals))
    avals = leaf_avals(leaves, lambda i: _path_name(fun, in_tree, i), fun, kind)
    trace, outputs, out_tree = traced_call(
        kind, fun, lambda tracers: fun(*in_tree.unflatten(tracers)), avals, leaves
    )
    aux: list[Any] = []
    aux_tree = None
    if has_aux:
        children = out_tree.children()
        if len(children) != 2:
            raise TreeError(f"{name_of(fun)} with has_aux=True must return a pair; it returned {out_tree}.")
        cut = children[0].num_leaves
        outputs, aux = outputs[:cut], outputs[cut:]
        out_tree, aux_tree = children
    check_outputs(outputs, out_tree, fun, kind)
    mine = [i for i, x in enumerate(aux) if type(x) is Tracer and x.home is trace]
    program, consts = closed_program(trace, [*outputs, *[aux[i] for i in mine]])
    return _Traced(
        leaves, in_tree, avals, len(outputs), out_tree, aux, aux_tree, mine, program, consts, trace
    )


def _path_name(fun: Any, in_tree: Any, i: int) -> str:
    path = in_tree.paths()[i]
    return argument_name(fun, path[0].idx) + tree.keystr(path[1:])


class _Traced:
    """A traced call: flat inputs, the Program, and how to give outputs and aux back."""

    def __init__(
        self, leaves: Any, in_tree: Any, avals: list[Aval], num_out: int, out_tree: Any, aux: list[Any],
        aux_tree: Any, mine: list[int], program: Any, consts: list[Any], trace: Trace,
    ):  # fmt: skip
        self.leaves, self.in_tree, self.avals = leaves, in_tree, avals
        self.num_out, self.out_tree = num_out, out_tree
        self.aux, self.aux_tree, self.mine = aux, aux_tree, mine
        self.program, self.consts, self.trace = program, consts, trace

    @property
    def values(self) -> list[Any]:
        return self.leaves + self.consts  # type: ignore[no-any-return]

    def mask(self, active: Sequence[bool]) -> tuple[bool, ...]:
        return (*active, *[False] * (len(self.program.inputs) - len(active)))

    def finish_aux(self, results: Sequence[Any]) -> Any:
        for n, i in enumerate(self.mine):
            self.aux[i] = results[self.num_out + n]
        return self.aux_tree.unflatten(self.aux)


@boundary
def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The value of `fun(*primals)` and its vector-Jacobian product.

    Returns:
        `(out, vjp_fn)` or `(out, vjp_fn, aux)`; `vjp_fn(ct)` takes a cotangent like `out` and returns a tuple of
        cotangents like `primals` (zeros for integer leaves). The forward pass runs once.
    """
    t = _traced("vjp", fun, primals, has_aux)
    active = tuple(a.inexact for a in t.avals)
    parts = linearize_program(t.program, t.mask(active))
    results = run_program(parts.forward, t.values)
    count = len(parts.out_active)
    residuals = results[count:]
    ct_avals = [v.aval for v in t.program.outputs[: t.num_out]]

    def vjp_fn(ct: Any) -> Any:
        cts = _match(ct, t.out_tree, ct_avals, f"vjp_fn of {name_of(fun)}: the cotangent")
        linear = (True,) * sum(active) + (False,) * len(residuals)
        live = [on and n < t.num_out and type(c) is not Zero for n, (on, c) in enumerate(_pad(parts, cts))]
        ct_active = tuple(pick(parts.out_active, live))
        program, out_active = transpose_program(parts.linear, linear, ct_active)
        found = iter(run_program(program, [*residuals, *pick(live[: t.num_out], cts)]))
        have = iter(out_active)
        grads = [
            next(found) if on and next(have) else given.zeros(a.strong)
            for on, a in zip(active, t.avals, strict=True)
        ]
        return t.in_tree.unflatten(grads)

    out = t.out_tree.unflatten(results[: t.num_out])
    return (out, vjp_fn, t.finish_aux(results)) if has_aux else (out, vjp_fn)


def _pad(parts: Any, cts: list[Any]) -> list[tuple[bool, Any]]:
    return list(zip(parts.out_active, cts + [None] * (len(parts.out_active) - len(cts)), strict=True))


def _match(values: Any, expected: Any, avals: Sequence[Aval], what: str) -> list[Any]:
    """Leaves of `values`, which must have the given structure, shapes and dtypes."""
    leaves, found = tree.flatten(values)
    if found != expected:
        raise TreeError(
            lines(f"{what} has another structure than expected:", *tree.differences(expected, found))
        )
    out = []
    for i, (x, aval) in enumerate(zip(leaves, avals, strict=True)):
        if type(x) is Zero:
            out.append(x)
            continue
        path = tree.keystr(expected.paths()[i]) or "(the leaf)"
        if not is_array(x):
            raise ArgumentError(f"{what} {path} is {type(x).__name__} {brief(x)}, not an array.")
        have = aval_of(x)
        if have.shape != aval.shape:
            raise ShapeError(lines(f"{what} {path} has shape {have.shape}; {aval.shape} is needed."))
        if have.dtype != aval.dtype:
            if (not have.weak and aval.inexact) or (have.dtype.kind == "c" and aval.dtype.kind != "c"):
                raise DTypeError(
                    lines(
                        f"{what} {path} has dtype {have.dtype}; {aval.dtype} is needed.",
                        f"Convert it: .astype({aval.dtype}).",
                    )
                )
            x = _cast(x, aval)
        out.append(x)
    return out


def _cast(x: Any, aval: Aval) -> Any:
    if isinstance(x, Array):
        return given.convert(x, aval.dtype)
    with quiet():
        return np.asarray(as_buffer(x)).astype(aval.dtype)


@boundary
def jvp(
    fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> Any:
    """The value of `fun(*primals)` and its derivative in the direction `tangents`.

    Returns:
        `(out, tangent_out)` or `(out, tangent_out, aux)`; tangents have the shapes and dtypes of their primals.
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TreeError("jvp takes its primals and its tangents as tuples or lists: fx.jvp(f, (x,), (dx,)).")
    t = _traced("jvp", fun, primals, has_aux)
    dots = _match(tuple(tangents), t.in_tree, t.avals, f"jvp of {name_of(fun)}: tangents")
    active = tuple(a.inexact and type(d) is not Zero for a, d in zip(t.avals, dots, strict=True))
    program, out_active = jvp_program(t.program, t.mask(active))
    results = run_program(program, [*t.values, *pick(active, dots)])
    count = len(out_active)
    found = iter(results[count:])
    out_dots = [
        next(found) if on else given.zeros(v.aval.strong)
        for on, v in zip(out_active, t.program.outputs, strict=True)
    ]
    out = t.out_tree.unflatten(results[: t.num_out])
    out_dot = t.out_tree.unflatten(out_dots[: t.num_out])
    return (out, out_dot, t.finish_aux(results)) if has_aux else (out, out_dot)


@boundary
def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The value of `fun(*primals)` and its derivative there as a reusable linear function.

    Returns:
        `(out, f_jvp)` or `(out, f_jvp, aux)`; `f_jvp(*tangents)` does no primal work again.
    """
    t = _traced("linearize", fun, primals, has_aux)
    active = tuple(a.inexact for a in t.avals)
    parts = linearize_program(t.program, t.mask(active))
    results = run_program(parts.forward, t.values)
    residuals = results[len(parts.out_active) :]

    def f_jvp(*tangents: Any) -> Any:
        dots = _match(tuple(tangents), t.in_tree, t.avals, f"linearize of {name_of(fun)}: tangents")
        found = iter(run_program(parts.linear, [*pick(active, dots), *residuals]))
        outs = [
            next(found) if on else given.zeros(v.aval.strong)
            for on, v in zip(parts.out_active, t.program.outputs, strict=True)
        ]
        return t.out_tree.unflatten(outs[: t.num_out])

    out = t.out_tree.unflatten(results[: t.num_out])
    return (out, f_jvp, t.finish_aux(results)) if has_aux else (out, f_jvp)


def linear_transpose(fun: Callable[..., Any], *primals: Any) -> Callable[[Any], Any]:
    """The transpose of a linear function; `primals` give shapes and dtypes only (arrays or ShapeDtype).

    Returns:
        A function from a cotangent like `fun`'s output to a tuple of cotangents like `primals`.

    Raises:
        RuleError: an operation on the way is not linear.
    """
    require_callable(fun, "linear_transpose")
    leaves, in_tree = tree.flatten(primals)
    avals = [x.aval if isinstance(x, ShapeDtype) else aval_of(x) for x in leaves]
    trace, outputs, out_tree = traced_call(
        "linear_transpose", fun, lambda tracers: fun(*in_tree.unflatten(tracers)), avals
    )
    check_outputs(outputs, out_tree, fun, "linear_transpose")
    program, consts = closed_program(trace, outputs)
    for v in program.outputs:
        if not v.aval.inexact:
            raise DTypeError(f"linear_transpose of {name_of(fun)}: output {v.aval} is not floating point.")
    linear = (True,) * len(avals) + (False,) * len(consts)

    def transposed(ct: Any) -> Any:
        cts = _match(ct, out_tree, program.out_avals, f"linear_transpose of {name_of(fun)}: the cotangent")
        rewritten, active = transpose_program(program, linear, (True,) * len(cts))
        found = iter(run_program(rewritten, [*consts, *cts]))
        return in_tree.unflatten(
            [next(found) if on else given.zeros(a.strong) for on, a in zip(active, avals, strict=True)]
        )

    return transposed


class ShapeDtype:
    """Shape and dtype of an array that need not exist: what `eval_shape` returns and tracing takes."""

    __slots__ = ("aval",)

    def __init__(self, shape: Sequence[int], dtype: Any, weak: bool = False):
        self.aval = Aval(static.sizes(shape, "ShapeDtype"), dtypes.canonical(dtype), weak is True)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.aval.shape

    @property
    def dtype(self) -> Any:
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        return self.aval.ndim

    @property
    def size(self) -> int:
        return self.aval.size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapeDtype) and other.aval is self.aval

    def __hash__(self) -> int:
        return hash(self.aval)

    def __repr__(self) -> str:
        return f"ShapeDtype({self.aval})"
