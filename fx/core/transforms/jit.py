"""jit: trace once per signature, run the plan afterwards. Also make_program and eval_shape, which only trace.

jit : (a -> b) -> (a -> b)
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .. import given, static, tree
from ..array import Array, aval_of
from ..avals import Aval
from ..boundary import boundary
from ..config import settings, trace_key
from ..donation import Donated, usable_donations
from ..errors import ArgumentError, brief, lines
from ..executor import Ready, Unusual, quick_key, ready, run_compiled
from ..program import Program, closed_program, program_of
from ..source import describe, here
from ..structure import Abstract, clear_structures
from ..trace import Trace, Tracer, current_trace
from .arguments import (
    argument_name,
    check_outputs,
    is_array,
    is_index,
    leaf_aval,
    leaf_names,
    name_of,
    parameter_names,
    positions,
    require_callable,
)
from .call import call
from .gradient import ShapeDtype
from .lowered import Lowered, foreign_inputs, strided_inputs, why_interpreted


class Entry(NamedTuple):
    """What one signature compiles to."""

    program: Program
    consts: list[Any]
    out_tree: Any
    donated: tuple[int, ...]
    """Inputs of the Program that the caller gives up."""
    keys: Any = None
    """Under `check_keys`: which inputs are used up as random keys."""


class Signature(NamedTuple):
    """The cache key of a call: everything that tracing depends on."""

    in_tree: Any
    avals: tuple[Aval, ...]
    statics: tuple[Any, ...]
    config: tuple[Any, ...]
    axes: tuple[Any, ...]


class Jitted:
    """A compiled function; see `fx.jit`."""

    def __init__(
        self, fun: Any, static_argnums: Any, static_argnames: Any, donate_argnums: Any, donate_argnames: Any
    ):
        functools.update_wrapper(self, fun, updated=())
        self.fun = fun
        self.static_names = _names(fun, static_argnums, static_argnames, "static")
        self.donated_names = _names(fun, donate_argnums, donate_argnames, "donate")
        both = self.static_names & self.donated_names
        if both:
            raise ArgumentError(
                f"jit of {name_of(fun)}: {sorted(map(str, both))} cannot be both static and donated."
            )
        self.clear_cache()

    def clear_cache(self) -> None:
        """Forget everything compiled; `trace_count` starts again at 0."""
        self.entries: dict[Signature, Entry] = {}
        self.quick: dict[Any, Ready] = {}
        """For calls with host arrays in plain containers: the key of the call to what is ready to run."""
        self.trace_count = 0
        """How often the function was traced."""
        self.last_miss: str | None = None
        """Why the last tracing was needed, against the nearest signature seen before."""

    @boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.quick and not kwargs and current_trace() is None:
            try:
                leaves, key = quick_key(args)
            except Unusual:
                key = None
            found = self.quick.get(key)
            if found is not None:
                return found(leaves)
        if settings().disable_jit:
            return self.fun(*args, **kwargs)
        leaves, signature, (dynamic, keywords) = self._signature(args, kwargs)
        entry = self.entries.get(signature)
        if entry is None or not all(x.home.live for x in entry.consts if type(x) is Tracer):
            entry = self._trace(signature, leaves, dynamic, keywords)
        values = leaves + entry.consts
        note = entry.keys.use(leaves) if entry.keys is not None else None
        if current_trace() is None:
            if not kwargs and not self.static_names and note is None:
                self._remember(entry, args)
            results = run_compiled(entry.program, values, entry.donated)
            if self.donated_names:
                self._take(args, kwargs)
        else:
            results = call(entry.program, *values)
        if note is not None:
            note(results)
        return entry.out_tree.unflatten(results)

    def _remember(self, entry: Entry, args: tuple[Any, ...]) -> None:
        """Take the short way at the next call with such arguments."""
        if any(isinstance(c, Tracer) for c in entry.consts):
            return
        try:
            leaves, key = quick_key(args)
        except Unusual:
            return
        name, unflatten = name_of(self.fun), entry.out_tree.unflatten
        found = ready(entry.program, leaves, entry.consts, unflatten, entry.donated, name)
        if found is not None:
            self.quick[key] = found

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Trace for these arguments (arrays or ShapeDtype) and show every stage of compilation; nothing runs."""
        leaves, signature, (dynamic, keywords) = self._signature(args, kwargs)
        entry = self.entries.get(signature) or self._trace(signature, leaves, dynamic, keywords)
        names, values = tuple(self._leaf_names(args, kwargs)), leaves + entry.consts
        return Lowered(
            entry.program, entry.consts, signature.in_tree, entry.out_tree, entry.donated, names,
            why_interpreted(values), strided_inputs(values), foreign_inputs(values), self, signature,
        )  # fmt: skip

    def explain(self, *args: Any, **kwargs: Any) -> Any:
        """What the compiler makes of a call with these arguments (arrays or ShapeDtype); nothing runs.

        Passes and compile times, kernels in order with what each fused, reads, writes and computes, the memory plan.

        Returns:
            An object to print, to show in a notebook (with the graph drawn), and with `as_dot()`, `as_mermaid()`,
            `as_json()` and `to_dict()`.
        """
        return self.lower(*args, **kwargs).explain()

    def cost(self, *args: Any, **kwargs: Any) -> Any:
        """Floating-point operations and bytes of a call with these arguments (arrays or ShapeDtype); nothing runs."""
        return self.lower(*args, **kwargs).cost()

    def memory(self, *args: Any, **kwargs: Any) -> Any:
        """The memory of a call with these arguments (arrays or ShapeDtype), known before it; nothing runs.

        Returns:
            An object with `peak`, `arguments`, `outputs`, `temporaries` in bytes, the `largest` buffers with user
            lines and lifetimes, and the `timeline`; to print, to show in a notebook, to `plot()`.
        """
        return self.lower(*args, **kwargs).memory()

    def _signature(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        statics: list[Any] = []
        dynamic: Any = args
        keywords = kwargs
        if self.static_names:
            dynamic, keywords = list(args), dict(kwargs)
            for i in range(len(args)):
                if self._is(i, self.static_names):
                    statics.append((i, *_static_key(args[i], self.fun, argument_name(self.fun, i))))
                    dynamic[i] = _STATIC
            for k in kwargs:
                if k in self.static_names:
                    statics.append((k, *_static_key(kwargs[k], self.fun, k)))
                    keywords[k] = _STATIC
            dynamic = tuple(dynamic)
        leaves, in_tree = tree.flatten((dynamic, keywords))
        avals = []
        for i, x in enumerate(leaves):
            if isinstance(x, ShapeDtype):
                avals.append(x.aval)
            else:
                avals.append(leaf_aval(x, lambda i=i: self._leaf_names(args, kwargs)[i], self.fun, "jit"))  # type: ignore[misc]
        return (
            leaves,
            Signature(in_tree, tuple(avals), tuple(statics), trace_key(), _named_axes()),
            (args, kwargs),
        )

    def _is(self, position: int, names: set[Any]) -> bool:
        if position in names:
            return True
        params = parameter_names(self.fun)
        return position < len(params) and params[position] in names

    def _leaf_names(self, args: Any, kwargs: Any) -> list[str]:
        args = tuple(_STATIC if self._is(i, self.static_names) else a for i, a in enumerate(args))
        kwargs = {k: _STATIC if k in self.static_names else v for k, v in kwargs.items()}
        return leaf_names(self.fun, args, kwargs)

    def _trace(self, signature: Signature, leaves: list[Any], args: Any, kwargs: Any) -> Entry:
        self.last_miss = self._explain(signature, args, kwargs)
        self.trace_count += 1
        names = functools.cache(lambda: self._leaf_names(args, kwargs))
        reasons = [
            Abstract(lambda i=i: f"{names()[i]}, an argument of a jitted function")  # type: ignore[misc]
            for i in range(len(leaves))
        ]
        trace = Trace("jit", signature.avals, reasons, self.fun, current_trace(), True)
        with trace:
            new_args, new_kwargs = signature.in_tree.unflatten(trace.inputs())
            new_args = tuple(a if n is _STATIC else n for a, n in zip(args, new_args, strict=True))
            new_kwargs = {k: kwargs[k] if n is _STATIC else n for k, n in new_kwargs.items()}
            outputs, out_tree = tree.flatten(self.fun(*new_args, **new_kwargs))
        check_outputs(outputs, out_tree, self.fun, "jit")
        program, consts = closed_program(trace, outputs, name_of(self.fun))
        keys = given.watch_keys((trace, outputs)) if settings().check_keys else None
        entry = Entry(program, consts, out_tree, self._donated(program, args, kwargs), keys)
        return self.entries.setdefault(signature, entry)  # one Program for threads that trace at once

    def _explain(self, new: Signature, args: Any, kwargs: Any) -> str:
        where = describe(here(3)) or ""
        if not self.entries:
            return lines(
                f"{name_of(self.fun)} was traced for the first time.", where.replace("made", "called")
            )
        old = max(self.entries, key=lambda s: _likeness(s, new))
        return lines(
            f"{name_of(self.fun)} was traced again; against the nearest of {len(self.entries)} signature(s):",
            *_differences(old, new, lambda: self._leaf_names(args, kwargs)),
            where.replace("made", "called"),
        )

    def _donated(self, program: Program, args: Any, kwargs: Any) -> tuple[int, ...]:
        """The inputs of the Program that the caller gives up."""
        if not self.donated_names:
            return ()
        given = tuple(self._given(i, a) for i, a in enumerate(args))
        named = {k: self._given(k, v) for k, v in kwargs.items()}
        names = lambda: self._leaf_names(args, kwargs)
        return usable_donations(name_of(self.fun), program, tree.leaves((given, named)), names)

    def _given(self, place: Any, argument: Any) -> Any:
        """The argument's tree with, for every leaf, whether it is donated."""
        if place in self.static_names or (isinstance(place, int) and self._is(place, self.static_names)):
            return _STATIC
        donated = place in self.donated_names or (
            isinstance(place, int) and self._is(place, self.donated_names)
        )
        return tree.map(lambda _: donated, argument)

    def _chosen(self, args: Any, kwargs: Any) -> list[Array]:
        """The arrays that this call donates."""
        chosen = [a for i, a in enumerate(args) if self._is(i, self.donated_names)]
        chosen += [v for k, v in kwargs.items() if k in self.donated_names]
        return [x for x in tree.leaves(chosen) if type(x) is Array]

    def _take(self, args: Any, kwargs: Any) -> None:
        """Donated arrays are given up: later use raises."""
        for x in self._chosen(args, kwargs):
            x.buffer = Donated(name_of(self.fun), x.aval)


@tree.register_static
class _Static:
    """Stands in the tree for a static argument, which belongs to the key instead."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Static)

    def __hash__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "a static argument"


_STATIC = _Static()


def _names(fun: Any, argnums: Any, argnames: Any, what: str) -> set[Any]:
    nums = positions(argnums)
    names = () if argnames is None else (argnames,) if isinstance(argnames, str) else argnames
    names = static.members(names, f"jit of {name_of(fun)}: {what}_argnames")
    params = parameter_names(fun)
    found: set[Any] = set()
    for n in nums:
        if not is_index(n) or (params and not -len(params) <= n < len(params) and not _variadic(fun)):
            raise ArgumentError(
                f"jit of {name_of(fun)}: {what}_argnums={brief(n)} names none of its arguments {params}."
            )
        n = n if n >= 0 else n + len(params)
        if not 0 <= n < 1000:
            raise ArgumentError(f"jit of {name_of(fun)}: {what}_argnums={n} is no position of an argument.")
        found.add(params[n] if n < len(params) else n)
    for name in names:
        static.text(name, f"jit of {name_of(fun)}: a name in {what}_argnames")
        if params and name not in params and not _takes_keyword(fun, name):
            raise ArgumentError(
                f"jit of {name_of(fun)}: {what}_argnames={brief(name)} is none of its arguments {params}."
            )
        found.add(name)
    return found


def _variadic(fun: Any) -> bool:
    code = getattr(fun, "__code__", None)
    return code is None or bool(code.co_flags & 0x04)


def _takes_keyword(fun: Any, name: str) -> bool:
    code = getattr(fun, "__code__", None)
    return code is None or bool(code.co_flags & 0x08) or name in code.co_varnames


def _static_key(value: Any, fun: Any, name: str) -> tuple[Any, Any]:
    try:
        hash(value)
    except TypeError as e:
        raise ArgumentError(
            lines(
                f"jit of {name_of(fun)}: static argument {name} is {type(value).__name__}, which is not hashable.",
                "Static values are compared between calls: pass a tuple or another hashable value, or leave it traced.",
            )
        ) from e
    return _exact(value), value


def _exact(value: Any) -> Any:
    """What tells apart values that are equal to Python but not to a trace: 1, 1.0 and True; 0.0 and -0.0."""
    if isinstance(value, (tuple, list)):
        return type(value), tuple(map(_exact, value))
    return type(value), repr(value) if isinstance(value, (float, complex)) else None


def _named_axes() -> tuple[Any, ...]:
    """The mapped axes that collectives may ask for here."""
    trace = current_trace()
    return tuple(trace.axes.items()) if trace is not None and trace.axes else ()


def _likeness(a: Signature, b: Signature) -> int:
    pairs = zip(a.avals, b.avals, strict=False)
    same = sum((x is y) + 2 * (x.shape == y.shape) + (x.dtype == y.dtype) for x, y in pairs)
    return (
        1000 * bool(a.in_tree == b.in_tree)
        + 100 * (a.statics == b.statics)
        + 100 * (a.config == b.config)
        + 100 * (a.axes == b.axes)
        + same
    )


def _differences(old: Signature, new: Signature, names: Callable[[], list[str]]) -> list[str]:
    rows = []
    if old.in_tree != new.in_tree:
        rows += ["  " + d for d in tree.differences(old.in_tree, new.in_tree, "arguments")[:5]]
    else:
        for name, a, b in zip(names(), old.avals, new.avals, strict=True):
            if a is not b:
                weak = " (~ marks a Python scalar)" if a.weak != b.weak else ""
                rows.append(f"  {name}: {a} before, {b} now{weak}")
    for a, b in zip(old.statics, new.statics, strict=False):
        if a != b:
            rows.append(f"  static {a[0]}: {a[-1]!r} before, {b[-1]!r} now")
    if len(old.statics) != len(new.statics):
        rows.append("  another number of static arguments")
    if old.config != new.config:
        rows.append("  fx.config changed")
    if old.axes != new.axes:
        rows.append(f"  named axes: {dict(old.axes)} before, {dict(new.axes)} now")
    return rows or ["  a value closed over belongs to a finished transformation"]


def jit(
    fun: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Sequence[str] | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    donate_argnames: str | Sequence[str] | None = None,
) -> Any:
    """Compile a function: it is traced once per signature and executed from its plan afterwards.

    The signature is the structure, shapes, dtypes and weakness of the arguments, the static arguments by value,
    and the trace-affecting settings of `fx.config`.

    Args:
        static_argnums, static_argnames: arguments that stay Python values; they must be hashable.
        donate_argnums, donate_argnames: arrays given up by the caller; using them afterwards raises.

    Returns:
        A function with `trace_count`, `last_miss` (why it was traced again), `clear_cache()`, and, each for
        arguments as in a call, `lower`, `explain`, `cost` and `memory`, which show what it is compiled to.
        Without `fun`, a decorator. It also decorates methods; `self` must then be a pytree or static.

    Raises:
        ArgumentError: an argument leaf is no array, or a static one is not hashable.
        TracerError: Python control flow asks for a value that is not known while tracing.

    >>> import fx
    >>> fx.jit(lambda x: x + 1)(2.0)
    Array(3., float32, weak)
    """
    if fun is None:
        return lambda f: jit(
            f, static_argnums=static_argnums, static_argnames=static_argnames,
            donate_argnums=donate_argnums, donate_argnames=donate_argnames,
        )  # fmt: skip
    if not callable(fun):
        raise ArgumentError(f"jit takes a function; got {type(fun).__name__}.")
    jitted = Jitted(fun, static_argnums, static_argnames, donate_argnums, donate_argnames)
    _all.add(jitted)
    return jitted


_all: weakref.WeakSet[Jitted] = weakref.WeakSet()


def clear_caches() -> None:
    """Forget everything that jit compiled and every structure that bare transformations recorded."""
    for jitted in list(_all):
        jitted.clear_cache()
    clear_structures()


def make_program(fun: Callable[..., Any]) -> Callable[..., Program]:
    """A function that traces `fun` for its arguments (arrays or ShapeDtype) and returns the Program.

    >>> import fx
    >>> print(fx.make_program(lambda x: x * 2)(1.0))
    <lambda>(a: f32[]~) =
      b: f32[]~ = mul a 2  # <doctest fx.core.transforms.jit.make_program[1]>:1
      return b
    """

    @functools.wraps(fun, updated=())
    def program(*args: Any, **kwargs: Any) -> Program:
        trace, outputs, _ = _abstract_call(fun, args, kwargs, "make_program")
        return program_of(trace, outputs, name_of(fun))

    return program


def eval_shape(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Shapes and dtypes of the outputs as ShapeDtype leaves; nothing is computed."""
    _, outputs, out_tree = _abstract_call(fun, args, kwargs, "eval_shape")
    avals = [x.aval if isinstance(x, Tracer) else aval_of(x) for x in outputs]
    return out_tree.unflatten([ShapeDtype(a.shape, a.dtype, a.weak) for a in avals])


def _abstract_call(fun: Any, args: Any, kwargs: Any, kind: str) -> tuple[Trace, list[Any], Any]:
    require_callable(fun, kind)
    leaves, in_tree = tree.flatten((args, kwargs))
    traced = [isinstance(x, ShapeDtype) or is_array(x) for x in leaves]
    names = functools.cache(lambda: leaf_names(fun, args, kwargs))
    avals, reasons = [], []
    for i, x in enumerate(leaves):
        if traced[i]:
            name = lambda i=i: names()[i]
            avals.append(x.aval if isinstance(x, ShapeDtype) else leaf_aval(x, name, fun, kind))
            reasons.append(Abstract(lambda i=i: f"{names()[i]}, an argument of {kind}"))  # type: ignore[misc]
    trace = Trace(kind, avals, reasons, fun, current_trace(), True)
    with trace:
        tracers = iter(trace.inputs())
        new_args, new_kwargs = in_tree.unflatten(
            [next(tracers) if on else x for on, x in zip(traced, leaves, strict=True)]
        )
        outputs, out_tree = tree.flatten(fun(*new_args, **new_kwargs))
    check_outputs(outputs, out_tree, fun, kind)
    return trace, outputs, out_tree
