"""Structured control flow over pytrees: cond, switch, while_loop, fori_loop, scan, map, associative_scan."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import dtypes, given, static, tree
from ..core.array import Array, as_buffer, aval_of
from ..core.avals import Aval
from ..core.boundary import boundary
from ..core.config import settings
from ..core.errors import ArgumentError, DTypeError, ShapeError, TreeError, brief, lines
from ..core.source import describe
from ..core.trace import Tracer, bind, current_trace
from ..core.transforms.arguments import is_array, name_of
from ..core.transforms.inner import Inner, arrange, convert_outputs
from ..core.transforms.vmap import vmap
from ..primitives.cond import cond_p
from ..primitives.elementwise import bit_or, convert, maximum, ne
from ..primitives.loop import loop_p
from ..primitives.promotion import promote
from ..primitives.shape import (
    concatenate,
    iota,
    move_axis,
    pad,
    reshape,
    reverse as reverse_p,
    slice_axis,
    slice_p,
)

_NONE = object()


@boundary
def cond(
    pred: Any,
    true_fun: Callable[..., Any],
    false_fun: Callable[..., Any],
    *operands: Any,
    operand: Any = _NONE,
) -> Any:
    """`true_fun(*operands)` if `pred` else `false_fun(*operands)`; both are traced, one runs.

    Args:
        pred: a boolean or number of shape (). Over a mapped axis of `vmap` both branches run and results are selected.
        operand: the one operand, by keyword.

    Raises:
        TreeError, ShapeError, DTypeError: the branches return different structures, shapes or dtypes.
    """
    operands = _with_keyword("cond", operands, operand)
    if not callable(true_fun) or not callable(false_fun):
        raise ArgumentError(
            "cond takes a predicate, two functions and their operands: cond(pred, f, g, *operands)."
        )
    aval = _scalar(pred, "cond: the predicate")
    index = pred if aval.dtype.kind == "b" else _not_zero(pred)
    return _branch("cond", index, (false_fun, true_fun), operands)


@boundary
def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any, operand: Any = _NONE) -> Any:
    """`branches[index](*operands)`; an index out of range is clamped to the nearest branch."""
    operands = _with_keyword("switch", operands, operand)
    branches = tuple(
        static.function(f, "switch: a branch") for f in static.members(branches, "switch: branches")
    )
    if not branches:
        raise ArgumentError("switch needs at least one branch.")
    aval = _scalar(index, "switch: the index")
    if aval.dtype.kind not in "iu":
        raise DTypeError(f"switch: the index must be an integer; it is {aval}.")
    if len(branches) == 1:
        return branches[0](*operands)
    return _branch("switch", index, branches, operands)


def _with_keyword(kind: str, operands: tuple[Any, ...], operand: Any) -> tuple[Any, ...]:
    """The operands, or the one given as `operand=`."""
    if operand is _NONE:
        return operands
    if operands:
        raise ArgumentError(f"{kind}: give operands by position or one by operand=, not both.")
    return (operand,)


def _scalar(x: Any, what: str) -> Aval:
    aval = aval_of(x)
    if aval.shape != ():
        raise ShapeError(
            lines(f"{what} must have shape (); it is {aval}.", "For elementwise choice write fx.numpy.where.")
        )
    return aval


def _not_zero(x: Any) -> Any:
    return ne(*promote(x, 0))


def _branch(kind: str, index: Any, functions: Sequence[Any], operands: Sequence[Any]) -> Any:
    leaves, in_tree = tree.flatten(tuple(operands))
    avals = _avals(leaves, in_tree, kind)
    why = f"an operand of a branch of {kind}"
    inners = [Inner(kind, f, avals, lambda ts, f=f: f(*in_tree.unflatten(ts)), why) for f in functions]
    outs = _common_outputs(kind, functions, inners)
    consts = [c for inner in inners for c in inner.consts]
    const_avals = [aval_of(c) for c in consts]
    programs, at = [], 0
    for inner in inners:
        mine = range(at, at + len(inner.consts))
        ins = [*range(len(avals))]
        ins += [len(avals) + i - at if i in mine else a for i, a in enumerate(const_avals)]
        programs.append(arrange(convert_outputs(inner.program, outs), ins))
        at += len(inner.consts)
    note = _use_keys(inners, leaves)
    results = bind(cond_p, index, *leaves, *consts, branches=tuple(programs))
    note(results)
    return inners[0].out_tree.unflatten(results)


def _use_keys(
    inners: Sequence[Inner], operands: Sequence[Any], slices: int = 0, carry: int = 0
) -> Callable[[Any], None]:
    """Under `check_keys`: the random keys that inner functions use are used up. Returns what takes the results.

    slices: so many operands at the end are cut along their first axis; carry: so many at the start come back.
    """
    found = given.watch_keys(*[(i.trace, i.outputs) for i in inners]) if settings().check_keys else None
    if found is None:
        return lambda results: None
    axes = [None] * (len(operands) - slices) + [0] * slices
    return found.use(operands, axes, carry)  # type: ignore[no-any-return]


def _avals(leaves: Sequence[Any], treedef: Any, kind: str) -> list[Aval]:
    avals = []
    for i, x in enumerate(leaves):
        if not is_array(x):
            raise ArgumentError(
                lines(
                    f"{kind}: the operand leaf{tree.keystr(treedef.paths()[i])} is {type(x).__name__}, not an array.",
                    "Close over values that are not arrays.",
                )
            )
        avals.append(aval_of(x))
    return avals


def _common_outputs(kind: str, functions: Sequence[Any], inners: Sequence[Inner]) -> list[Aval]:
    """The avals all branches give; weak scalars take the other branch's dtype."""
    first = inners[0]
    for f, inner in zip(functions[1:], inners[1:], strict=True):
        if inner.out_tree != first.out_tree:
            raise TreeError(
                lines(
                    f"{kind}: {name_of(functions[0])} and {name_of(f)} return different structures:",
                    *tree.differences(first.out_tree, inner.out_tree, "output"),
                )
            )
    out = []
    for i, column in enumerate(zip(*[inner.avals for inner in inners], strict=True)):
        path = f"output{tree.keystr(first.out_tree.paths()[i])}"
        if len({a.shape for a in column}) > 1:
            raise ShapeError(
                lines(
                    f"{kind}: the branches give {path} different shapes: {', '.join(str(a) for a in column)}."
                )
            )
        strong = [a for a in column if not a.weak]
        if len({a.dtype for a in strong}) > 1:
            raise DTypeError(
                lines(
                    f"{kind}: the branches give {path} different dtypes: {', '.join(str(a) for a in column)}.",
                    "Convert with .astype in one of them.",
                )
            )
        out.append(functools.reduce(_joined, column))
    return out


def _joined(a: Aval, b: Aval) -> Aval:
    """The aval that holds both: a Python number takes the array's dtype unless its kind is higher."""
    return Aval(a.shape, *dtypes.weak_promote(a.dtype, a.weak, b.dtype, b.weak))


# Loops


@boundary
def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    _split_transpose: bool = False,
) -> tuple[Any, Any]:
    """Fold `f` over the leading axis of `xs`, carrying a value and stacking outputs.

    Args:
        f: (carry, x) -> (carry, y), pytrees; the carry keeps its structure, shapes and dtypes.
        init: the first carry; weak scalars in it are promoted to what `f` returns.
        xs: pytree of arrays with one leading length, or None with `length`.
        unroll: steps per iteration; a hint for the compiler.
        _split_transpose: accepted; products that do not wait for the carry are always taken out of the loop.

    Returns:
        (last carry, stacked ys).
    """
    static.function(f, "scan: f")
    leaves, xs_tree = tree.flatten(xs)
    avals = _avals(leaves, xs_tree, "scan")
    n = _scan_length(length, avals, xs_tree)
    _check_unroll(unroll)
    slices = [Aval(a.shape[1:], a.dtype, a.weak) for a in avals]

    def call(carry: Any, ts: Sequence[Any]) -> Any:
        out = f(carry, xs_tree.unflatten(ts))
        if not isinstance(out, (tuple, list)) or len(out) != 2:
            raise TreeError(
                lines(
                    f"scan: {name_of(f)} must return a pair (carry, y).",
                    f"It returned {tree.structure(out)}.",
                )
            )
        return out

    body = _Body("scan", f, init, slices, call, split=True)
    note = _use_keys([body.inner], [*body.init, *leaves], len(leaves), len(body.init))
    results = bind(
        loop_p, *body.inner.consts, *body.init, *leaves,
        body=body.program, cond=None, sizes=(0, len(body.inner.consts), len(body.init)),
        length=n, reverse=bool(reverse), unroll=int(unroll),
    )  # fmt: skip
    note(results)
    return body.carry_tree.unflatten(results[: len(body.init)]), body.y_tree.unflatten(
        results[len(body.init) :]
    )


def _scan_length(length: Any, avals: Sequence[Aval], xs_tree: Any) -> int:
    sizes = {}
    for i, a in enumerate(avals):
        path = f"xs{tree.keystr(xs_tree.paths()[i])}"
        if a.ndim == 0:
            raise ShapeError(f"scan: {path} has shape (); a leading axis to go along is needed.")
        sizes[path] = a.shape[0]
    if length is not None:
        if isinstance(length, bool):
            raise ArgumentError(f"scan: length={brief(length)} is not an integer.")
        sizes["length"] = static.integer(length, "scan: length")
    if not sizes:
        raise ArgumentError("scan needs xs or length.")
    if len(set(sizes.values())) > 1:
        raise ShapeError(lines("scan: leading lengths differ:", *[f"  {k}: {v}" for k, v in sizes.items()]))
    n = next(iter(sizes.values()))
    if n < 0:
        raise ArgumentError(f"scan: length={n} is negative.")
    return n


def _check_unroll(unroll: Any) -> None:
    if not isinstance(unroll, (bool, int)) or (not isinstance(unroll, bool) and unroll < 1):
        raise ArgumentError(f"scan: unroll={brief(unroll)}; a positive number of steps is needed.")


class _Body:
    """A loop body traced so that its carry keeps its type: weak parts of the first carry are promoted."""

    def __init__(
        self, kind: str, f: Any, init: Any, more: Sequence[Aval], call: Callable[..., Any], split: bool,
        counter: bool = False,
    ):  # fmt: skip
        leaves, self.carry_tree = tree.flatten(init)
        avals = _avals(leaves, self.carry_tree, kind)
        if counter:  # the first leaf counts trips: weak like a Python integer, whatever the bounds are
            avals[0] = Aval((), avals[0].dtype, True)
        why = f"the carry or a slice in the body of {kind}"
        for _ in range(4):
            n = len(avals)
            self.inner = Inner(
                kind, f, [*avals, *more], lambda ts, n=n: call(self.carry_tree.unflatten(ts[:n]), ts[n:]), why
            )
            parts = self.inner.out_tree.children() if split else [self.inner.out_tree, tree.structure(None)]
            carry_out, self.y_tree = parts
            if carry_out != self.carry_tree:
                raise TreeError(
                    lines(
                        f"{kind}: {name_of(f)} returns a carry of another structure than it takes:",
                        *tree.differences(self.carry_tree, carry_out, "carry"),
                    )
                )
            outs = self.inner.avals[: len(avals)]
            joined = [self._join(kind, f, i, a, b) for i, (a, b) in enumerate(zip(avals, outs, strict=True))]
            if joined == avals:
                break
            avals = joined
        ys = self.inner.avals[len(avals) :]
        program = convert_outputs(self.inner.program, [*avals, *ys])
        nc, nk, nx = len(self.inner.consts), len(avals), len(more)
        self.program = arrange(program, [*range(nk + nx, nk + nx + nc), *range(nk + nx)])
        self.init = [_retyped(x, a) for x, a in zip(leaves, avals, strict=True)]
        self.avals = avals

    def _join(self, kind: str, f: Any, i: int, a: Aval, b: Aval) -> Aval:
        """The aval of a carry leaf that goes in as `a` and comes out as `b`."""
        if a is b or (a.shape == b.shape and a.dtype == b.dtype and not a.weak):
            return a
        if a.shape == b.shape:
            dtype, weak = dtypes.weak_promote(a.dtype, a.weak, b.dtype, b.weak)
            if a.weak or dtype == a.dtype:
                return Aval(a.shape, dtype, weak)
        raise (ShapeError if a.shape != b.shape else DTypeError)(
            lines(
                f"{kind}: {name_of(f)} takes carry{tree.keystr(self.carry_tree.paths()[i])} as {a} and returns {b}.",
                describe(self.inner.source(i)),
                "The carry keeps its shape and dtype: convert with .astype, or start from a value of that type.",
            )
        )


def _retyped(x: Any, aval: Aval) -> Any:
    have = aval_of(x)
    if have is aval:
        return x
    if not isinstance(x, Array):
        x = as_buffer(x)
        return np.asarray(x).astype(aval.dtype)[()] if not aval.weak else x
    return convert(x, aval.dtype) if have.dtype != aval.dtype or have.weak else x


@boundary
def while_loop(cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any) -> Any:
    """Apply `body_fun` to the carry while `cond_fun` of it is true.

    The number of trips may depend on data. Every transformation applies, reverse mode too: the forward pass then
    stacks what the backward pass needs. Over a mapped axis the loop runs until every element is done.
    """
    static.function(cond_fun, "while_loop: cond_fun")
    static.function(body_fun, "while_loop: body_fun")
    body = _Body("while_loop", body_fun, init_val, [], lambda carry, ts: body_fun(carry), split=False)
    test = Inner(
        "while_loop", cond_fun, body.avals, lambda ts: cond_fun(body.carry_tree.unflatten(ts)), "the carry in the "
        "condition of while_loop",
    )  # fmt: skip
    if len(test.avals) != 1 or test.avals[0].shape != () or test.avals[0].dtype.kind != "b":
        raise ShapeError(
            lines(
                f"while_loop: {name_of(cond_fun)} must return one boolean of shape (); it returned "
                f"{', '.join(str(a) for a in test.avals) or 'nothing'}.",
                describe(test.source(0)) if test.avals else None,
            )
        )
    nk, nt = len(body.init), len(test.consts)
    pred = arrange(test.program, [*range(nk, nk + nt), *range(nk)])
    note = _use_keys([body.inner], body.init, 0, nk)
    results = bind(
        loop_p, *test.consts, *body.inner.consts, *body.init,
        body=body.program, cond=pred, sizes=(nt, len(body.inner.consts), nk),
        length=None, reverse=False, unroll=1,
    )  # fmt: skip
    note(results[1:])
    return body.carry_tree.unflatten(results[1:])


@boundary
def fori_loop(
    lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any, *, unroll: Any = 1
) -> Any:
    """`for i in range(lower, upper): val = body_fun(i, val)`; the bounds may be traced. Differentiable both ways."""
    static.function(body_fun, "fori_loop: body_fun")
    for name, bound in (("lower", lower), ("upper", upper)):
        aval = _scalar(bound, f"fori_loop: {name}")
        if aval.dtype.kind not in "iu":
            raise DTypeError(f"fori_loop: {name} must be an integer; it is {aval}.")
    unroll = 1 if unroll is None else unroll
    _check_unroll(unroll)
    known = not isinstance(lower, Tracer) and not isinstance(upper, Tracer)
    index = Aval((), np.dtype("int64"), True)
    if known:
        low, high = int(as_buffer(lower)), int(as_buffer(upper))
        n = max(high - low, 0)
        body = _Body("fori_loop", body_fun, init_val, [index], lambda c, ts: body_fun(ts[0], c), split=False)
        steps = iota((n,), 0, "int64") + np.int64(low) if low else iota((n,), 0, "int64")
        note = _use_keys([body.inner], [*body.init, steps], 1, len(body.init))
        results = bind(
            loop_p, *body.inner.consts, *body.init, steps,
            body=body.program, cond=None, sizes=(0, len(body.inner.consts), len(body.init)),
            length=n, reverse=False, unroll=int(unroll),
        )  # fmt: skip
        note(results)
        return body.carry_tree.unflatten(results)
    return _fori_dynamic(lower, upper, body_fun, init_val)


def _fori_dynamic(lower: Any, upper: Any, body_fun: Any, init_val: Any) -> Any:
    low, high = (_as_int64(b) for b in (lower, upper))
    trips = maximum(high - low, np.int64(0))

    def step(carry: Any, ts: Any) -> Any:
        i, value = carry
        return i + 1, body_fun(i, value)

    body = _Body("fori_loop", body_fun, (low, init_val), [], step, split=False, counter=True)
    note = _use_keys([body.inner], body.init, 0, len(body.init))
    results = bind(
        loop_p, trips, *body.inner.consts, *body.init,
        body=body.program, cond=None, sizes=(0, len(body.inner.consts), len(body.init)),
        length=None, reverse=False, unroll=1,
    )  # fmt: skip
    note(results)
    return body.carry_tree.unflatten(results)[1]


def _as_int64(x: Any) -> Any:
    if not isinstance(x, Array):
        return int(x)
    return x if x.dtype == np.int64 else convert(x, np.dtype("int64"))


@boundary
def map(f: Callable[[Any], Any], xs: Any, *, batch_size: int | None = None) -> Any:
    """Apply `f` to each slice of the leading axis, one after the other; `batch_size` rows at a time with `vmap`."""
    static.function(f, "map: f")
    if batch_size is not None:
        return vmap(f, chunk=batch_size)(xs)
    return scan(lambda _, x: (None, f(x)), None, xs)[1]


@boundary
def associative_scan(fn: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """All prefix combinations of an associative operation, in logarithmically many steps (Blelloch, 1990).

    Args:
        fn: (a, b) -> combination, pytrees of arrays with a leading batch along `axis`, elementwise in it.
        elems: pytree of arrays with one length along `axis`.
    """
    if not callable(fn):
        raise ArgumentError("associative_scan takes a function of two elements first.")
    axis = static.integer(axis, "associative_scan: axis")
    leaves, treedef = tree.flatten(elems)
    if not leaves:
        return elems
    avals = _avals(leaves, treedef, "associative_scan")
    lengths = set()
    for i, a in enumerate(avals):
        if not -a.ndim <= axis < a.ndim:
            raise ShapeError(
                f"associative_scan: leaf{tree.keystr(treedef.paths()[i])} is {a}; it has no axis {axis}."
            )
        lengths.add(a.shape[axis])
    if len(lengths) > 1:
        raise ShapeError(f"associative_scan: lengths along axis {axis} differ: {sorted(lengths)}.")
    places = [axis % a.ndim for a in avals]
    rows = [move_axis(_array(x), p, 0) for x, p in zip(leaves, places, strict=True)]
    if reverse:
        rows = [_flip(x) for x in rows]

    def combine(a: list[Any], b: list[Any]) -> list[Any]:
        back = lambda parts: treedef.unflatten(
            [move_axis(x, 0, p) for x, p in zip(parts, places, strict=True)]
        )
        out, found = tree.flatten(fn(back(a), back(b)))
        if found != treedef:
            raise TreeError(
                lines("associative_scan: fn returns another structure:", *tree.differences(treedef, found))
            )
        for i, (x, y) in enumerate(zip(out, a, strict=True)):
            want = move_axis(y, 0, places[i]).shape
            if not is_array(x) or aval_of(x).shape != want:
                got = aval_of(x) if is_array(x) else type(x).__name__
                path = tree.keystr(treedef.paths()[i])
                raise ShapeError(f"associative_scan: fn must keep shapes; leaf{path} of {want} became {got}.")
        return [move_axis(_array(x), p, 0) for x, p in zip(out, places, strict=True)]

    rows = _prefix(combine, rows)
    if reverse:
        rows = [_flip(x) for x in rows]
    return treedef.unflatten([move_axis(x, 0, p) for x, p in zip(rows, places, strict=True)])


def _prefix(combine: Callable[..., list[Any]], rows: list[Any]) -> list[Any]:
    n = rows[0].shape[0]
    if n < 2:
        return rows
    odd = _prefix(combine, combine([_stride(x, 0, n - 1) for x in rows], [_stride(x, 1, n) for x in rows]))
    if n % 2 == 0:
        even = combine([slice_axis(x, 0, x.shape[0] - 1, 0) for x in odd], [_stride(x, 2, n) for x in rows])
    else:
        even = combine(odd, [_stride(x, 2, n) for x in rows])
    first = [slice_axis(x, 0, 1, 0) for x in rows]
    even = [concatenate([f, e], 0) for f, e in zip(first, even, strict=True)]
    return [_interleave(e, o) for e, o in zip(even, odd, strict=True)]


def _stride(x: Any, start: int, stop: int) -> Any:
    """x[start:stop:2] along axis 0."""
    low, high, step = [0] * x.ndim, list(x.shape), [1] * x.ndim
    low[0], high[0], step[0] = min(start, x.shape[0]), max(min(stop, x.shape[0]), min(start, x.shape[0])), 2
    return bind(slice_p, x, start=tuple(low), stop=tuple(high), step=tuple(step))


def _interleave(even: Any, odd: Any) -> Any:
    """e0 o0 e1 o1 ...: both dilated with zeros and added."""
    n = even.shape[0] + odd.shape[0]
    none = [0] * (even.ndim - 1)

    def spaced(x: Any, low: int) -> Any:
        filled = 2 * x.shape[0] - 1
        return pad(x, [low, *none], [n - low - filled, *none], [1, *none])

    if even.dtype.kind == "b":
        return bit_or(spaced(even, 0), spaced(odd, 1))
    return spaced(even, 0) + spaced(odd, 1)


def _flip(x: Any) -> Any:
    return reverse_p(x, axes=(0,))


def _array(x: Any) -> Any:
    return x if isinstance(x, Array) else Array(np.array(as_buffer(x)))


# vmap in chunks


def run_chunks(call: Any, rows: int, run: Callable[..., Any], out_axes: Any) -> Any:
    """`vmap(f, chunk=rows)`: full chunks one after the other, then the rest; results are joined along `out_axes`.

    Eagerly a Python loop, inside a trace a scan, so that memory is bounded in both.
    """
    full, rest = divmod(call.size, rows)
    mapped = [a is not None for a in call.axes]
    moved = [move_axis(_array(x), a, 0) for x, a in zip(call.leaves, call.axes, strict=True) if a is not None]

    def apply(parts: Sequence[Any]) -> Any:
        it = iter(parts)
        leaves = [
            move_axis(next(it), 0, a) if on else x
            for x, a, on in zip(call.leaves, call.axes, mapped, strict=True)
        ]
        args, kwargs = call.in_tree.unflatten(leaves)
        return run(*args, **kwargs)

    pieces = []
    if current_trace() is None:
        for i in range(full):
            pieces.append(apply([slice_axis(x, i * rows, (i + 1) * rows, 0) for x in moved]))
    else:
        stacked = [reshape(slice_axis(x, 0, full * rows, 0), (full, rows, *x.shape[1:])) for x in moved]
        out = scan(lambda _, parts: (None, apply(parts)), None, stacked)[1]
        pieces.append(_merge_chunks(out, out_axes, full))
    if rest:
        pieces.append(apply([slice_axis(x, full * rows, call.size, 0) for x in moved]))
    return _join(pieces, out_axes)


def _merge_chunks(out: Any, out_axes: Any, count: int) -> Any:
    """Stacked results (chunks, ..., rows, ...) with chunks and rows merged."""
    leaves, treedef = tree.flatten(out)
    axes = _out_axes(out_axes, treedef)
    merged = []
    for x, a in zip(leaves, axes, strict=True):
        if a is None:
            merged.append(reshape(slice_axis(x, 0, 1, 0), x.shape[1:]))
            continue
        a = a % (x.ndim - 1)
        y = move_axis(x, 0, a)
        merged.append(reshape(y, (*y.shape[:a], y.shape[a] * y.shape[a + 1], *y.shape[a + 2 :])))
    return treedef.unflatten(merged)


def _join(pieces: Sequence[Any], out_axes: Any) -> Any:
    if len(pieces) == 1:
        return pieces[0]
    flat = [tree.leaves(p) for p in pieces]
    treedef = tree.structure(pieces[0])
    axes = _out_axes(out_axes, treedef)
    joined = [
        xs[0] if a is None else concatenate(list(xs), a % xs[0].ndim)
        for a, *xs in zip(axes, *flat, strict=True)
    ]
    return treedef.unflatten(joined)


def _out_axes(out_axes: Any, treedef: Any) -> list[Any]:
    if out_axes is None or isinstance(out_axes, int):
        return [out_axes] * treedef.num_leaves
    return tree.broadcast_prefix(out_axes, treedef, is_leaf=lambda x: x is None, name="out_axes")
