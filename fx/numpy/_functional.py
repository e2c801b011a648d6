"""Functions that take functions or choices: vectorize, apply_along_axis, piecewise, select, choose."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from ..core import errors, static
from ..core.array import Array
from ..core.transforms.vmap import vmap
from ..primitives import elementwise as el, shape as sh
from ..primitives.promotion import promote
from . import _on_host as host
from ._arguments import common_shape, in_dtype, one_axis, operand, operands, sequence
from ._logic import truth
from ._native import BOOL, FLOATS, INTEGERS, natively
from ._parts import where
from ._searching import into_bounds
from ._shapes import expand_dims


@natively(host.select, (BOOL, FLOATS, FLOATS), data=2, floats=True, lists=True)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Array:
    """The first choice whose condition is true, elementwise; `default` where none is."""
    condlist = static.members(condlist, "select: condlist")
    choicelist = static.members(choicelist, "select: choicelist")
    if len(condlist) != len(choicelist) or not condlist:
        raise errors.ArgumentError(
            f"select takes as many choices as conditions, at least one; got {len(condlist)} and {len(choicelist)}."
        )
    *choices, y = promote(*choicelist, default)
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        y = where(condition, choice, y)
    return y


def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kwargs: Any) -> Array:
    """Functions (or numbers) applied where their condition is true; of several true ones the last counts.

    Args:
        condlist: boolean arrays of the shape of x, or one.
        funclist: one function or number per condition, and maybe one more for where none is true (default 0).
            Functions act elementwise. Elsewhere they see the number 1, so no derivative leaks from outside their
            domain.
    """
    x = operand(x, "piecewise")
    conditions = [
        truth(c, "piecewise") for c in (condlist if isinstance(condlist, (list, tuple)) else [condlist])
    ]
    funclist = list(static.members(funclist, "piecewise: funclist"))
    if len(funclist) not in (len(conditions), len(conditions) + 1):
        raise errors.ArgumentError(f"piecewise: {len(funclist)} functions for {len(conditions)} conditions.")
    if len(funclist) == len(conditions) + 1:
        covered = functools.reduce(el.bit_or, conditions)
        conditions = [el.bit_not(covered), *conditions]
        funclist = [funclist[-1], *funclist[:-1]]
    y = sh.full(x.shape, 0, x.dtype)
    for condition, function in zip(conditions, funclist, strict=True):
        inside = el.select(condition, x, x.dtype.type(1))
        value = function(inside, *args, **kwargs) if callable(function) else function
        y = el.select(condition, _of_dtype(value, x), y)
    return y


def _of_dtype(value: Any, x: Array) -> Array:
    return sh.broadcast_to(in_dtype(value, x.dtype, "piecewise"), x.shape)


@natively(host.choose, (INTEGERS, FLOATS), data=2, lists=True)
def choose(a: Any, choices: Any, mode: str = "raise") -> Array:
    """The element of choices[a], elementwise.

    Args:
        mode: what to do with numbers outside: "raise" (where they are known), "wrap" or "clip".
    """
    options = promote(*sequence(choices, "choose"))
    a = operand(a, "choose")
    if a.dtype.kind not in "biu":
        raise errors.DTypeError(f"choose takes integers; got {a.aval}.")
    index = into_bounds(el.convert(a, "int64"), len(options), mode, "choose")
    shape = common_shape("choose", a.shape, *[operand(o, "choose").shape for o in options])
    y = options[-1]
    for i in reversed(range(len(options) - 1)):
        y = where(index == i, options[i], y)
    return sh.broadcast_to(operand(y, "choose"), shape)


def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Array:
    """func1d applied to every line along an axis; what it returns replaces the axis. Runs as one batched call."""
    static.function(func1d, "apply_along_axis: func1d")
    x = operand(arr, "apply_along_axis")
    axis = one_axis(axis, x.ndim, "apply_along_axis")
    lines = sh.move_axis(x, axis, x.ndim - 1)
    shape = lines.shape[:-1]
    flat = sh.reshape(lines, (math.prod(shape), x.shape[axis]))
    y = vmap(lambda line: operand(func1d(line, *args, **kwargs), "apply_along_axis"))(flat)
    y = sh.reshape(y, (*shape, *y.shape[1:]))
    extra = y.ndim - len(shape)
    order = (*range(axis), *range(len(shape), len(shape) + extra), *range(axis, len(shape)))
    return sh.transpose(y, order)


def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Array:
    """func(a, axis) for one axis after the other; axes that it removes come back with size 1."""
    static.function(func, "apply_over_axes: func")
    x = operand(a, "apply_over_axes")
    for axis in axes if isinstance(axes, Sequence) else (axes,):
        index = one_axis(axis, x.ndim, "apply_over_axes")
        y = operand(func(x, index), "apply_over_axes")
        x = y if y.ndim == x.ndim else expand_dims(y, index)
        if x.ndim != operand(a, "apply_over_axes").ndim:
            raise errors.ShapeError(
                f"apply_over_axes: the function must keep or drop one axis; it returned {y.aval}."
            )
    return x


def _members_of(excluded: Any) -> Any:
    return (
        excluded
        if isinstance(excluded, (set, frozenset))
        else static.members(excluded, "vectorize: excluded")
    )


def vectorize(
    pyfunc: Callable[..., Any], *, excluded: Any = frozenset(), signature: str | None = None
) -> Callable[..., Any]:
    """pyfunc, written for single values, mapped over broadcast arguments as one batched call.

    Args:
        excluded: positions or names of arguments that are passed on as they are.
        signature: what pyfunc takes and returns, "(n),(n)->()": those axes are its own, the ones before broadcast.
    """
    static.function(pyfunc, "vectorize: pyfunc")
    if signature is not None:
        static.text(signature, "vectorize: signature")
    fixed = {static.key(e, "vectorize: a position or name in excluded") for e in _members_of(excluded)}

    @functools.wraps(pyfunc)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        loose = [i for i in range(len(args)) if i not in fixed]
        named = [k for k in kwargs if k not in fixed]

        def call(*values: Any) -> Any:
            filled = list(args)
            for i, v in zip(loose, values, strict=False):
                filled[i] = v
            return pyfunc(*filled, **{**kwargs, **dict(zip(named, values[len(loose) :], strict=True))})

        values = [*[args[i] for i in loose], *[kwargs[k] for k in named]]
        return _mapped(call, operands("vectorize", *values), signature)

    return mapped


def _mapped(call: Callable[..., Any], xs: list[Array], signature: str | None) -> Any:
    ranks = [0] * len(xs) if signature is None else _core_ranks(signature, xs)
    loops = [x.shape[: x.ndim - r] for x, r in zip(xs, ranks, strict=True)]
    shape = common_shape("vectorize", *loops)
    if not shape:
        return call(*xs)
    n = math.prod(shape)
    flat = [
        sh.reshape(sh.broadcast_to(x, (*shape, *x.shape[x.ndim - r :])), (n, *x.shape[x.ndim - r :]))
        for x, r in zip(xs, ranks, strict=True)
    ]
    y = vmap(call)(*flat)
    back = lambda part: sh.reshape(part, (*shape, *part.shape[1:]))
    return tuple(map(back, y)) if isinstance(y, tuple) else back(y)


def _core_ranks(signature: str, xs: list[Array]) -> list[int]:
    """How many axes of each argument belong to the function; sizes of one name must agree."""
    inputs, arrow, _ = signature.replace(" ", "").partition("->")
    if not arrow or not re.fullmatch(r"\((\w+(,\w+)*)?\)(,\((\w+(,\w+)*)?\))*", inputs):
        raise errors.ArgumentError(
            f'vectorize: {errors.brief(signature)} is not a signature; write for example "(m,n),(n)->(m)".'
        )
    cores = [core.split(",") if core else [] for core in re.findall(r"\(([^)]*)\)", inputs)]
    if len(cores) != len(xs):
        raise errors.ArgumentError(
            f"vectorize: signature {errors.brief(signature)} has {len(cores)} arguments; {len(xs)} came."
        )
    sizes: dict[str, int] = {}
    for core, x in zip(cores, xs, strict=True):
        if x.ndim < len(core):
            raise errors.ShapeError(
                f"vectorize {errors.brief(signature)}: {x.aval} has fewer than {len(core)} axes."
            )
        for name, d in zip(core, x.shape[x.ndim - len(core) :], strict=True):
            if sizes.setdefault(name, d) != d:
                raise errors.ShapeError(
                    f"vectorize {errors.brief(signature)}: {name} is {sizes[name]} and {d}."
                )
    return [len(core) for core in cores]
