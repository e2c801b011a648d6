"""Batching: one walk that gives every batched value one more axis.

vmap : (a -> b) -> (n a -> n b)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .. import given, static, tree
from ..array import aval_of
from ..avals import DYNAMIC, Aval
from ..boundary import boundary
from ..config import settings
from ..errors import ArgumentError, ShapeError, TreeError, brief, lines
from ..interpret import run_program
from ..primitive import Axis, Primitive
from ..program import Program, closed_program, subprograms
from ..structure import Abstract, Literal
from ..trace import Trace, Tracer, current_trace
from .arguments import check_outputs, leaf_aval, leaf_names, name_of, parameter_names, require_callable
from .forward import pick, rewrite


def vmap(
    fun: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: Any = None,
    axis_size: int | None = None,
    *,
    chunk: int | None = None,
) -> Callable[..., Any]:
    """Map `fun` over an axis of its arguments, as one batched computation.

    Args:
        in_axes: per positional argument an axis (may be negative), None (not mapped), or a pytree prefix of the
            argument with such leaves. A dict with string keys gives axes by parameter name; the others are
            not mapped. Keyword arguments are mapped over axis 0 unless named there.
        out_axes: where the mapped axis goes in the outputs: an int or a pytree prefix; None for outputs that do
            not depend on mapped arguments.
        axis_name: name for collectives (`fx.lax.psum(x, axis_name)`...).
        axis_size: size of the mapped axis; needed only when no argument is mapped.
        chunk: compute this many rows at a time: the same results in bounded memory.

    Raises:
        ShapeError: sizes of mapped axes differ (every argument is listed), or an axis does not exist.
        TreeError: `in_axes` or `out_axes` is no prefix of the arguments or outputs.

    >>> import fx
    >>> fx.vmap(lambda x, y: x * y, in_axes=(0, None))(fx.numpy.arange(3), 2)
    Array([0, 2, 4], int64)
    """
    require_callable(fun, "vmap")
    static.key(axis_name, "vmap: axis_name")
    if chunk is not None and (not isinstance(chunk, int) or chunk < 1):
        raise ArgumentError(f"vmap(chunk={brief(chunk)}): a positive number of rows per chunk is needed.")
    if chunk is not None and axis_name is not None:
        raise ArgumentError(
            lines(
                f"vmap(axis_name={brief(axis_name)}, chunk={chunk}): a collective would see one chunk of the axis.",
                "Leave out chunk, or reduce over the axis outside the mapped function.",
            )
        )
    _check_axes_leaves(in_axes, "in_axes")
    _check_axes_leaves(out_axes, "out_axes")

    @functools.wraps(fun, updated=())
    @boundary
    def batched(*args: Any, **kwargs: Any) -> Any:
        call = _Mapped(fun, in_axes, axis_size, args, kwargs)
        if chunk is not None and call.size > chunk and call.mapped:
            return given.run_chunks(
                call, chunk, lambda *a, **k: _run(call.again(a, k), out_axes, axis_name), out_axes
            )
        return _run(call, out_axes, axis_name)

    return batched


def _check_axes_leaves(axes: Any, what: str) -> None:
    for leaf in tree.leaves(axes):
        if not isinstance(leaf, int) or isinstance(leaf, bool):
            raise ArgumentError(f"vmap: {what} has a leaf {brief(leaf)}; axes are ints or None.")


class _Mapped:
    """A call of a mapped function: flat leaves, the axis of each (or None), and the common size."""

    def __init__(self, fun: Any, in_axes: Any, axis_size: int | None, args: Any, kwargs: Any):
        self.fun, self.in_axes, self.axis_size = fun, in_axes, axis_size
        self.leaves, self.in_tree = tree.flatten((args, kwargs))
        self.names: Callable[[], list[str]] = functools.cache(lambda: leaf_names(fun, args, kwargs))
        axes = _flat_axes(fun, in_axes, args, kwargs)
        self.axes = [self._axis(i, a) for i, a in enumerate(axes)]
        self.size = self._size()

    @property
    def mapped(self) -> bool:
        """Whether any argument is mapped; otherwise the function runs once."""
        return any(a is not None for a in self.axes)

    def again(self, args: Any, kwargs: Any) -> _Mapped:
        """The same call with other values (chunks)."""
        return _Mapped(self.fun, self.in_axes, None, args, kwargs)

    def _axis(self, i: int, axis: int | None) -> int | None:
        if axis is None:
            return None
        x = self.leaves[i]
        aval = leaf_aval(x, lambda: self.names()[i], self.fun, "vmap")
        if not -aval.ndim <= axis < aval.ndim:
            raise ShapeError(
                lines(
                    f"vmap of {name_of(self.fun)}: axis {axis} of {self.names()[i]} does not exist; it has shape "
                    f"{aval.shape}.",
                    "Pass in_axes with None for arguments that are not mapped.",
                )
            )
        return axis % aval.ndim

    def _size(self) -> int:
        sizes = {i: aval_of(self.leaves[i]).shape[a] for i, a in enumerate(self.axes) if a is not None}
        if self.axis_size is not None:
            (sizes[-1],) = static.sizes((self.axis_size,), f"vmap of {name_of(self.fun)}: axis_size")
        if not sizes:
            raise ArgumentError(
                lines(
                    f"vmap of {name_of(self.fun)} has no mapped argument.",
                    "Give at least one argument an axis in in_axes, or pass axis_size.",
                )
            )
        if len(set(sizes.values())) > 1:
            rows = [
                f"  {'axis_size' if i < 0 else self.names()[i]}: "
                + (
                    f"{n}"
                    if i < 0
                    else f"axis {self.axes[i]} of shape {aval_of(self.leaves[i]).shape}, size {n}"
                )
                for i, n in sizes.items()
            ]
            raise ShapeError(
                lines(f"vmap of {name_of(self.fun)}: the mapped axes have different sizes:", *rows)
            )
        return next(iter(sizes.values()))


def _flat_axes(fun: Any, in_axes: Any, args: Any, kwargs: Any) -> list[int | None]:
    named: dict[str, Any] = {}
    if (
        isinstance(in_axes, dict)
        and all(isinstance(k, str) for k in in_axes)
        and _is_by_name(fun, in_axes, args, kwargs)
    ):
        named = in_axes
        params = parameter_names(fun)
        positional: Any = tuple(named.get(params[i]) if i < len(params) else None for i in range(len(args)))
        keywords = {k: named.get(k) for k in kwargs}
    else:
        positional = list(in_axes) if isinstance(in_axes, (tuple, list)) else [in_axes] * len(args)
        if len(positional) != len(args):
            raise TreeError(
                lines(
                    f"vmap of {name_of(fun)}: in_axes has {len(positional)} entries for {len(args)} "
                    "positional arguments.",
                    "Give one entry per positional argument, or one int for all; keyword arguments go by name.",
                )
            )
        keywords = dict.fromkeys(kwargs, 0)
    axes: list[int | None] = []
    for i, (axis, arg) in enumerate(zip(positional, args, strict=True)):
        axes += _prefix(axis, arg, lambda i=i: _in_axes_name(fun, i))  # type: ignore[misc]
    for key in sorted(kwargs):
        axes += _prefix(keywords[key], kwargs[key], lambda key=key: f"in_axes[{key!r}]")  # type: ignore[misc]
    return axes


def _is_by_name(fun: Any, in_axes: dict[str, Any], args: Any, kwargs: Any) -> bool:
    names = set(parameter_names(fun)) | set(kwargs)
    unknown = [k for k in in_axes if k not in names]
    if unknown:
        raise TreeError(
            lines(
                f"vmap of {name_of(fun)}: in_axes names {unknown}, which are no parameters of it.",
                f"Its parameters: {', '.join(sorted(names)) or 'none known'}.",
            )
        )
    return True


def _in_axes_name(fun: Any, i: int) -> str:
    names = parameter_names(fun)
    return f"in_axes[{i}]" + (f" ({names[i]})" if i < len(names) else "")


def _prefix(axis: Any, arg: Any, name: Callable[[], str]) -> list[int | None]:
    if axis is None or isinstance(axis, int):
        return [axis] * len(tree.leaves(arg))
    return tree.broadcast_prefix(axis, arg, is_leaf=lambda x: x is None, name=name())


def _run(call: _Mapped, out_axes: Any, axis_name: Any) -> Any:
    fun = call.fun
    mapped = [a is not None for a in call.axes]
    values = pick(mapped, call.leaves)
    dims = [a for a in call.axes if a is not None]
    avals = [_without(aval_of(x), d) for x, d in zip(values, dims, strict=True)]
    where = [i for i, on in enumerate(mapped) if on]
    reasons = [
        Abstract(lambda i=i: f"{call.names()[i]}, mapped by vmap over axis {call.axes[i]}")  # type: ignore[misc]
        for i in where
    ]
    parent = current_trace()
    axis = Axis(call.size, axis_name)
    trace = Trace("vmap", avals, reasons, fun, parent, parent.by_value if parent is not None else False)
    if axis_name is not None:
        trace.axes = {**trace.axes, axis_name: call.size}
    leaves = list(call.leaves)
    with trace:
        for i, tracer in zip(where, trace.inputs(), strict=True):
            leaves[i] = tracer
        args, kwargs = call.in_tree.unflatten(leaves)
        outputs, out_tree = tree.flatten(fun(*args, **kwargs))
    check_outputs(outputs, out_tree, fun, "vmap")
    out_dims = _flat_out_axes(out_axes, out_tree, outputs, fun)
    program, consts = closed_program(trace, outputs)
    in_dims = (*dims, *[None] * len(consts))
    title = lambda i: f"{name_of(fun)}: output{tree.keystr(out_tree.paths()[i])}"
    rewritten = vmap_program(program, in_dims, axis, tuple(out_dims), title)
    keys = given.watch_keys((trace, outputs)) if settings().check_keys else None
    note = keys.use(values, dims) if keys is not None else None
    results = run_program(rewritten, values + consts)
    if note is not None:
        note(results)
    return out_tree.unflatten(results)


def _without(aval: Aval, dim: int) -> Aval:
    return Aval(aval.shape[:dim] + aval.shape[dim + 1 :], aval.dtype, aval.weak)


def _flat_out_axes(out_axes: Any, out_tree: Any, outputs: Sequence[Any], fun: Any) -> list[int | None]:
    if out_axes is None or isinstance(out_axes, int):
        flat: list[Any] = [out_axes] * len(outputs)
    else:
        flat = tree.broadcast_prefix(out_axes, out_tree, is_leaf=lambda x: x is None, name="out_axes")
    for i, (axis, x) in enumerate(zip(flat, outputs, strict=True)):
        rank = aval_of(x).ndim + 1 if not isinstance(x, Tracer) else x.aval.ndim + 1
        if axis is not None and not -rank <= axis < rank:
            raise ShapeError(
                f"vmap of {name_of(fun)}: out_axes {axis} does not exist for output{tree.keystr(out_tree.paths()[i])}, "
                f"which has {rank} axes with the mapped one."
            )
        flat[i] = None if axis is None else axis % rank
    return flat


# Program to Program


def vmap_program(
    program: Program,
    in_dims: tuple[int | None, ...],
    axis: Axis,
    out_dims: tuple[int | None, ...],
    title: Callable[[int], str],
) -> Program:
    """The batched Program with the batch axes of inputs and outputs at stated places; `title(i)` names an output."""
    key = ("vmap", in_dims, axis, out_dims)
    return program.once(key, lambda: _vmap_program(program, in_dims, axis, out_dims, title))


def _vmap_program(program: Program, in_dims: Any, axis: Axis, out_dims: Any, title: Any) -> Program:
    def body(trace: Trace, *tracers: Any) -> list[Any]:
        outs, dims = batch_walk(program, tracers, in_dims, axis, trace)
        for i, (dim, wanted) in enumerate(zip(dims, out_dims, strict=True)):
            if wanted is None and dim is not None:
                _refuse_unmapped(title(i))
        return [_place(x, d, w, axis.size) for x, d, w in zip(outs, dims, out_dims, strict=True)]

    return rewrite("vmap", batched_avals(program, in_dims, axis), body, f"batched_{program.name}")


def batch_program(
    program: Program, in_dims: tuple[int | None, ...], axis: Axis, force: tuple[bool, ...] | None = None
) -> tuple[Program, tuple[int | None, ...]]:
    """The batched Program and where each output has its batch axis: at its `home`, or None if it does not vary.

    `force` marks outputs that get a batch axis in any case (loop carries).
    """
    key = ("batch", in_dims, axis, force)
    return program.once(key, lambda: _batch_program(program, in_dims, axis, force))


def _batch_program(
    program: Program, in_dims: Any, axis: Axis, force: Any
) -> tuple[Program, tuple[int | None, ...]]:
    found: list[Any] = []

    def body(trace: Trace, *tracers: Any) -> list[Any]:
        outs, dims = batch_walk(program, tracers, in_dims, axis, trace)
        want = force or (False,) * len(outs)
        homes = map(home, program.out_avals)
        found.extend(h if d is not None or w else None for h, d, w in zip(homes, dims, want, strict=True))
        return [_place(x, d, f, axis.size) for x, d, f in zip(outs, dims, found, strict=True)]

    return rewrite("vmap", batched_avals(program, in_dims, axis), body, f"batched_{program.name}"), tuple(
        found
    )


def home(aval: Aval) -> int:
    """Where an array has its batch axis: first, or behind the axes whose length only the run knows.

    Those of a stack in a stack differ from row to row, so nothing may stand in front of them.
    """
    return max((axis + 1 for axis, d in enumerate(aval.shape) if d == DYNAMIC), default=0)


def batched_avals(program: Program, in_dims: Sequence[int | None], axis: Axis) -> list[Aval]:
    """Avals of the inputs with the batch axis in place."""
    return [
        a if d is None else Aval((*a.shape[:d], axis.size, *a.shape[d:]), a.dtype, a.weak)
        for a, d in zip(program.in_avals, in_dims, strict=True)
    ]


def batch_walk(
    program: Program, args: Sequence[Any], in_dims: Sequence[int | None], axis: Axis, trace: Any
) -> tuple[list[Any], list[int | None]]:
    """Walk the Program once with (value, batch dim) pairs; equations without a batched operand stay as they are."""
    value: dict[Any, Any] = dict(zip(program.inputs, args, strict=True))
    dim: dict[Any, int | None] = dict(zip(program.inputs, in_dims, strict=True))
    for eqn in program.equations:
        trace.at(eqn.source)
        prim = eqn.primitive
        ins = [v if type(v) is Literal else value[v] for v in eqn.inputs]
        dims = [None if type(v) is Literal else dim[v] for v in eqn.inputs]
        if _needs_batching(prim, eqn.params, dims, axis):
            outs, out_dims = prim.batch(axis, ins, dims, **eqn.params)
        else:
            outs = prim(*ins, **eqn.params)
            out_dims = [None] * len(eqn.outputs) if prim.multiple else None
        if not prim.multiple:
            outs, out_dims = [outs], [out_dims]
        value.update(zip(eqn.outputs, outs, strict=True))
        dim.update(zip(eqn.outputs, out_dims, strict=True))
    trace.at(None)
    outs = [v if type(v) is Literal else value[v] for v in program.outputs]
    return outs, [None if type(v) is Literal else dim[v] for v in program.outputs]


def _needs_batching(prim: Primitive, params: dict[str, Any], dims: Sequence[Any], axis: Axis) -> bool:
    if any(d is not None for d in dims):
        return True
    if axis.name is None:
        return False
    if prim.collective:
        return bool(params.get("axis_name") == axis.name)
    return prim.calls and mentions_axis(params, axis.name)


def mentions_axis(params: dict[str, Any], name: Any) -> bool:
    """Whether a Program among the params uses a collective over the named axis."""
    return any(
        (eqn.primitive.collective and eqn.params.get("axis_name") == name)
        or (eqn.primitive.calls and mentions_axis(eqn.params, name))
        for _, inner in subprograms(params)
        for eqn in inner.equations
    )


def _refuse_unmapped(title: str) -> None:
    raise ShapeError(
        lines(
            f"vmap of {title} depends on a mapped argument, but its out_axes is None.",
            "Give it an axis in out_axes, or reduce it over the mapped axis with a collective.",
        )
    )


def _place(x: Any, dim: int | None, wanted: int | None, size: int) -> Any:
    if wanted is None:
        return x
    if dim is None:
        return given.spread(x, size, wanted)
    return given.move_axis(x, dim, wanted) if dim != wanted else x
