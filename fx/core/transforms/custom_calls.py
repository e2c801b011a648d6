"""Calls of functions with rules of their own: tracing the rules where the function is called.

What a rule closes over thereby becomes an explicit operand.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from .. import given, tree
from ..array import Array, aval_of
from ..avals import Aval
from ..errors import ArgumentError, RuleError, ShapeError, TreeError, lines
from ..program import Program, closed_program, record_program, subprograms
from ..static import is_hashable
from ..structure import Abstract, Literal
from ..trace import Trace, current_trace
from .arguments import (
    check_outputs,
    is_array,
    leaf_aval,
    name_of,
    parameter_names,
    positions,
    require_callable,
    static_positions,
)
from .forward import is_zero


class CustomFunction:
    """A function with derivative rules of the user's own.

    A subclass names its kind and what defines the rules, says which were given, traces them, and has a primitive.
    """

    kind = definer = ""
    rules_given: Any
    primitive: Any
    trace_rules: Any

    def __init__(self, fun: Callable[..., Any], static_argnums: Any = (), nondiff_argnums: Any = ()):
        require_callable(fun, self.kind)
        functools.update_wrapper(self, fun, updated=())
        self.fun = fun
        self.static = positions(static_argnums) + positions(nondiff_argnums)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if None in self.rules_given:
            missing = f"{self.kind} function {name_of(self.fun)} has no rule."
            raise RuleError(lines(missing, f"Define it with {self.definer}."))
        args = bind_defaults(self.fun, args, kwargs)
        if current_trace() is None:
            return self.fun(*args)
        call = CustomCall(self.kind, self.fun, self.static, args)
        program, consts, out_tree = call.trace()
        rules: Any = LazyRule(self.trace_rules, call, out_tree, program)
        rule_consts: list[Any] = []
        if not rules.recursive:
            rules, rule_consts = rules.trace(current_trace(), call.leaves)
        sizes = (len(call.leaves), len(consts))
        results = self.primitive(
            *call.leaves, *consts, *rule_consts, program=program, rules=rules, sizes=sizes
        )
        return out_tree.unflatten(results)


_tracing: ContextVar[tuple[tuple[Any, Any], ...]] = ContextVar("fx_rules_in_progress", default=())
"""The custom functions whose rules are being traced, outermost first, each with what its rule captured."""


_DEPTH = 8


class LazyRule:
    """A user's rule for one call. Traced where the function is called, so that what it closes over is an operand.

    A rule that calls its own function would never end: there it is traced when a higher derivative asks for it.
    What it closes over then is no operand, but belongs to the key, so that results never get stale.
    """

    def __init__(self, make: Any, call: CustomCall, *known: Any):
        self.make, self.call, self.known = make, call.description(), known
        self.around = _tracing.get()
        self.key = (make, make.__self__.rules_given, call.key(), known, self.around)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LazyRule) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def recursive(self) -> bool:
        """Whether the rule is (or may be, deep down) asked for while it is being traced."""
        return len(self.around) >= _DEPTH or any(f is self.make.__self__ for f, _ in self.around)

    def trace(self, parent: Any, leaves: Any) -> Any:
        """The rule and what it captures. `leaves` are the values that the rule may ask of its primals."""
        made, consts = self._trace(parent, leaves, (*self.around, (self.make.__self__, None)))
        captured = _captured(made, consts) if _has_late(made) else None
        if captured is None:
            return made, consts
        return self._trace(parent, leaves, (*self.around, (self.make.__self__, captured)))

    def resolve(self) -> Any:
        """The rule, late."""
        return self._trace(None, None, self.around)

    def _trace(self, parent: Any, leaves: Any, around: Any) -> Any:
        token = _tracing.set(around)
        try:
            return self.make(self.call, *self.known, parent, leaves)
        finally:
            _tracing.reset(token)


class _Same:
    """Stands for one object in a key, and keeps it alive."""

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def _programs(made: Any) -> list[Program]:
    return [made] if isinstance(made, Program) else [made.fwd, made.bwd]


def _has_late(made: Any) -> bool:
    """Whether a rule contains calls whose own rules are traced late."""
    return any(
        hasattr(value, "resolve") or any(map(_has_late, [p for _, p in subprograms({name: value})]))
        for program in _programs(made)
        for eqn in program.equations
        if eqn.primitive.calls
        for name, value in eqn.params.items()
    )


def _captured(made: Any, consts: Sequence[Any]) -> Any:
    """A key for the values that a rule closes over; None if there are none."""
    literals = any(
        type(v) is Literal and v.aval.inexact
        for p in _programs(made)
        for eqn in p.equations
        for v in eqn.inputs
    )
    if not consts and not literals:
        return None
    values = tuple((c.dtype, c.tobytes()) if isinstance(c, np.generic) else _Same(c) for c in consts)
    return made if literals else None, values


class CustomCall:
    """One call of a custom function: its dynamic leaves, and how to trace things over them."""

    def __init__(self, kind: str, fun: Any, static: tuple[int, ...], args: Sequence[Any]):
        self.kind, self.fun = kind, fun
        self.static = static_positions(fun, static, len(args))
        dynamic = tuple(a for i, a in enumerate(args) if i not in self.static)
        self.leaves, self.in_tree = tree.flatten(dynamic)
        self.avals = [
            leaf_aval(x, lambda i=i: f"argument{path_of(self.in_tree, i)}", fun, kind)  # type: ignore[misc]
            for i, x in enumerate(self.leaves)
        ]

        self.statics = [args[i] for i in self.static]

    def description(self) -> CustomCall:
        """The call without its values."""
        copy = object.__new__(CustomCall)
        copy.__dict__.update(self.__dict__, leaves=None)
        return copy

    def key(self) -> Any:
        """What tracing a rule depends on besides the rule."""
        statics = tuple((type(s), s) if is_hashable(s) else _Same(s) for s in self.statics)
        return (self.in_tree, tuple(self.avals), statics)

    def arguments(self, tracers: list[Any]) -> list[Any]:
        return merge_static(self.static, self.statics, self.in_tree.unflatten(tracers))

    def flat_cts(self, cts: Any) -> list[Any]:
        """What bwd returned, one entry per argument leaf; None where there is no cotangent (integer leaves too)."""
        parts = self.in_tree.children()
        if not isinstance(cts, (tuple, list)) or len(cts) != len(parts):
            raise TreeError(
                lines(
                    f"The bwd rule of {name_of(self.fun)} must return a tuple of {len(parts)} cotangents, one per "
                    f"argument that is not static.",
                    f"It returned {tree.structure(cts)}. Write None for an argument without a cotangent.",
                )
            )
        flat: list[Any] = []
        for i, (ct, part) in enumerate(zip(cts, parts, strict=True)):
            if ct is None:
                flat += [None] * part.num_leaves
                continue
            leaves, found = tree.flatten(ct, is_leaf=lambda x: x is None)
            if found != part:
                raise TreeError(
                    lines(
                        f"The bwd rule of {name_of(self.fun)}: cotangent {i} differs from its argument:",
                        *tree.differences(part, found),
                    )
                )
            flat += leaves
        for i, (c, a) in enumerate(zip(flat, self.avals, strict=True)):
            if c is not None and a.inexact:
                title = f"The bwd rule of {name_of(self.fun)}: cotangent{path_of(self.in_tree, i)}"
                flat[i] = c = _fit(c, a)
                same_aval(a, c, title, "its argument")
        return [c if a.inexact else None for c, a in zip(flat, self.avals, strict=True)]

    def record(self, run: Any, avals: Sequence[Aval], title: str, parent: Any, values: Any = None) -> Any:
        """Trace `run`; `values` are those of the first inputs, as far as they are known."""
        known = list(values or ())
        values = known + [Abstract(lambda: f"an operand of {title}")] * (len(avals) - len(known))
        trace = Trace(self.kind, avals, values, self.fun, parent, parent is None or parent.by_value)
        with trace:
            outputs, out_tree = tree.flatten(run(trace.inputs()))
        check_outputs(outputs, out_tree, self.fun, self.kind)
        return trace, outputs, out_tree

    def trace(self) -> tuple[Program, list[Any], Any]:
        """The function itself: its Program, what it closes over, its output structure."""
        run = lambda tracers: self.fun(*self.arguments(tracers))
        trace, outputs, out_tree = self.record(run, self.avals, self.kind, current_trace(), list(self.leaves))
        program, consts = closed_program(trace, outputs, name_of(self.fun))
        return program, consts, out_tree


def same_aval(want: Aval, x: Any, what: str, like: str = "the function's output") -> None:
    have = aval_of(x)
    if want.shape != have.shape or want.dtype != have.dtype:
        raise ShapeError(f"{what} must be {want.strong} like {like}; it is {have}.")


def fitted(outputs: Any, wanted: Sequence[Aval]) -> Any:
    """What a rule returned; where a Python scalar decided a dtype, on either side, in the wanted one."""
    leaves, treedef = tree.flatten(outputs)
    fitted = [_fit(x, a) for x, a in zip(leaves, wanted, strict=False)]
    return treedef.unflatten(fitted + leaves[len(fitted) :])


def _fit(x: Any, want: Aval) -> Any:
    if not is_array(x):
        return x
    have = aval_of(x)
    weak = (
        (have.weak or want.weak)
        and have.shape == want.shape
        and have.dtype.kind in "biuf"
        and want.dtype.kind == "f"
    )
    if not weak or have.dtype == want.dtype:
        return x
    return given.convert(x, want.dtype) if isinstance(x, Array) else want.dtype.type(x)


def path_of(out_tree: Any, i: int) -> str:
    return tree.keystr(out_tree.paths()[i])


def merge_static(static_positions: Sequence[int], static: Sequence[Any], dynamic: Sequence[Any]) -> list[Any]:
    out, rest, fixed = [], iter(dynamic), dict(zip(static_positions, static, strict=True))
    for i in range(len(static) + len(dynamic)):
        out.append(fixed[i] if i in fixed else next(rest))
    return out


def bind_defaults(fun: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Keyword arguments put in their positions; defaults filled in."""
    if not kwargs and len(args) == len(parameter_names(fun)):
        return args
    import inspect

    try:
        bound = inspect.signature(fun).bind(*args, **kwargs)
    except TypeError as e:
        raise ArgumentError(f"{name_of(fun)}: {e}") from e
    bound.apply_defaults()
    if bound.kwargs:
        raise ArgumentError(
            f"{name_of(fun)}: keyword-only arguments {sorted(bound.kwargs)} are not supported here."
        )
    return bound.args


def refuse_closure(kind: str, program: Program, tangents: Sequence[Any]) -> None:
    if not all(map(is_zero, tangents)):
        raise RuleError(
            lines(
                f"{kind} function {program.name} closes over a value that is being differentiated.",
                "Its rule says nothing about that value: pass it to the function as an argument.",
            )
        )


def inline(program: Program, values: Sequence[Any]) -> list[Any]:
    """Apply a Program equation by equation in the current trace."""
    return [getattr(x, "scalar", x) for x in record_program(program, values, current_trace())]
