"""Functions with derivatives of the user's own: custom_jvp and custom_vjp.

The user's rules are traced where the function is called, so that what they close over becomes explicit operands.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from .. import given, tree
from ..array import Array, aval_of
from ..avals import Aval
from ..errors import ArgumentError, RuleError, ShapeError, TreeError, lines
from ..primitive import Primitive, Zero, absent
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
from .call import check_inputs, program_cost, runner
from .forward import is_zero, pick, rewrite
from .vmap import batch_program, batch_walk, batched_avals


class custom_jvp:
    """A function whose forward derivative is given by `defjvp`; reverse mode follows from it.

    Args:
        fun: the function. static_argnums: arguments that are plain Python values (`nondiff_argnums` in JAX).

    >>> import fx
    >>> @fx.custom_jvp
    ... def f(x):
    ...     return x * x
    >>> @f.defjvp
    ... def f_jvp(primals, tangents):
    ...     (x,), (dx,) = primals, tangents
    ...     return f(x), 10.0 * x * dx
    >>> fx.grad(f)(3.0)
    Array(30., float32)
    """

    def __init__(self, fun: Callable[..., Any], static_argnums: Any = (), nondiff_argnums: Any = ()):
        require_callable(fun, "custom_jvp")
        functools.update_wrapper(self, fun, updated=())
        self.fun = fun
        self.static = positions(static_argnums) + positions(nondiff_argnums)
        self.rule: Callable[..., Any] | None = None

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """`rule([*static,] primals, tangents) -> (out, tangent_out)`, linear in the tangents."""
        self.rule = rule
        return rule

    def defjvps(self, *rules: Callable[..., Any] | None) -> None:
        """One rule per argument: `rule(tangent, out, *primals) -> tangent_out`; None where there is none."""

        def rule(*args: Any) -> Any:
            *static, primals, tangents = args
            out = self(*_merge(self.static, static, primals))
            terms = [r(t, out, *primals) for r, t in zip(rules, tangents, strict=True) if r is not None]
            return out, functools.reduce(lambda a, b: tree.map(given.add, a, b), terms)

        self.defjvp(rule)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.rule is None:
            raise RuleError(
                lines(f"custom_jvp function {name_of(self.fun)} has no rule.", "Define one with .defjvp.")
            )
        args = _bind_defaults(self.fun, args, kwargs)
        if current_trace() is None:
            return self.fun(*args)
        call = _CustomCall("custom_jvp", self.fun, self.static, args)
        program, consts, out_tree = call.trace()
        rule: Any = LazyRule(self._rule, call, out_tree, program)
        rule_consts: list[Any] = []
        if not rule.recursive:
            rule, rule_consts = rule.trace(current_trace(), call.leaves)
        sizes = (len(call.leaves), len(consts))
        results = custom_jvp_p(*call.leaves, *consts, *rule_consts, program=program, rule=rule, sizes=sizes)
        return out_tree.unflatten(results)

    @property
    def rules_given(self) -> tuple[Any, ...]:
        return (self.rule,)

    def _rule(self, call: _CustomCall, out_tree: Any, program: Program, parent: Any, leaves: Any) -> Any:
        n = len(call.avals)
        avals = call.avals + [a.strong for a in call.avals]

        def run(tracers: list[Any]) -> Any:
            primals = call.in_tree.unflatten(tracers[:n])
            tangents = call.in_tree.unflatten(tracers[n:])
            return _fitted(self.rule(*call.statics, primals, tangents), program.out_avals * 2)  # type: ignore[misc]

        title = f"{name_of(self.fun)}'s jvp rule"
        trace, outputs, tree_found = call.record(run, avals, title, parent, leaves)
        pair = tree_found.children()
        if len(pair) != 2 or pair[0] != out_tree or pair[1] != out_tree:
            raise TreeError(
                lines(
                    f"The jvp rule of {name_of(self.fun)} must return (out, tangent_out), each like {out_tree}.",
                    f"It returned {tree_found}.",
                )
            )
        for i, v in enumerate(program.outputs):
            for what, x in (("out", outputs[i]), ("tangent_out", outputs[out_tree.num_leaves + i])):
                _same_aval(v.aval, x, f"The jvp rule of {name_of(self.fun)}: {what}{_path(out_tree, i)}")
        return closed_program(trace, outputs, f"jvp_{name_of(self.fun)}")


_tracing: ContextVar[tuple[tuple[Any, Any], ...]] = ContextVar("fx_rules_in_progress", default=())
"""The custom functions whose rules are being traced, outermost first, each with what its rule captured."""
_DEPTH = 8


class LazyRule:
    """A user's rule for one call. Traced where the function is called, so that what it closes over is an operand.

    A rule that calls its own function would never end: there it is traced when a higher derivative asks for it.
    What it closes over then is no operand, but belongs to the key, so that results never get stale.
    """

    def __init__(self, make: Any, call: _CustomCall, *known: Any):
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
    late = (LazyRule, BatchedRule, BatchedRules)
    return any(
        isinstance(value, late) or any(map(_has_late, [p for _, p in subprograms({name: value})]))
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


class BatchedRule(NamedTuple):
    """A rule over a batch, made when it is needed."""

    base: Any
    dims: tuple[int | None, ...]
    axis: Any
    force: tuple[bool, ...]

    def resolve(self) -> tuple[Program, list[Any]]:
        program, consts = resolve(self.base)
        dims = self.dims + (None,) * len(consts)
        return batch_program(program, dims, self.axis, self.force)[0], consts


def resolve(rule: Any) -> tuple[Program, list[Any]]:
    """The Program of a rule, and the arrays it captured if it was traced late."""
    return (rule, []) if isinstance(rule, Program) else rule.resolve()


def batched_rule(rule: Any, dims: tuple[int | None, ...], axis: Any, force: tuple[bool, ...]) -> Any:
    if isinstance(rule, Program):
        return batch_program(rule, dims, axis, force)[0]
    return BatchedRule(rule, dims, axis, force)


def _same_aval(want: Aval, x: Any, what: str, like: str = "the function's output") -> None:
    have = aval_of(x)
    if want.shape != have.shape or want.dtype != have.dtype:
        raise ShapeError(f"{what} must be {want.strong} like {like}; it is {have}.")


def _fitted(outputs: Any, wanted: Sequence[Aval]) -> Any:
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


def _path(out_tree: Any, i: int) -> str:
    return tree.keystr(out_tree.paths()[i])


def _merge(static_positions: Sequence[int], static: Sequence[Any], dynamic: Sequence[Any]) -> list[Any]:
    out, rest, fixed = [], iter(dynamic), dict(zip(static_positions, static, strict=True))
    for i in range(len(static) + len(dynamic)):
        out.append(fixed[i] if i in fixed else next(rest))
    return out


def _bind_defaults(fun: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
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


class _CustomCall:
    """One call of a custom function: its dynamic leaves, and how to trace things over them."""

    def __init__(self, kind: str, fun: Any, static: tuple[int, ...], args: Sequence[Any]):
        self.kind, self.fun = kind, fun
        self.static = static_positions(fun, static, len(args))
        dynamic = tuple(a for i, a in enumerate(args) if i not in self.static)
        self.leaves, self.in_tree = tree.flatten(dynamic)
        self.avals = [
            leaf_aval(x, lambda i=i: f"argument{_path(self.in_tree, i)}", fun, kind)  # type: ignore[misc]
            for i, x in enumerate(self.leaves)
        ]

        self.statics = [args[i] for i in self.static]

    def description(self) -> _CustomCall:
        """The call without its values."""
        copy = object.__new__(_CustomCall)
        copy.__dict__.update(self.__dict__, leaves=None)
        return copy

    def key(self) -> Any:
        """What tracing a rule depends on besides the rule."""
        statics = tuple((type(s), s) if is_hashable(s) else _Same(s) for s in self.statics)
        return (self.in_tree, tuple(self.avals), statics)

    def arguments(self, tracers: list[Any]) -> list[Any]:
        return _merge(self.static, self.statics, self.in_tree.unflatten(tracers))

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
                title = f"The bwd rule of {name_of(self.fun)}: cotangent{_path(self.in_tree, i)}"
                flat[i] = c = _fit(c, a)
                _same_aval(a, c, title, "its argument")
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


def _refuse_closure(kind: str, program: Program, tangents: Sequence[Any]) -> None:
    if not all(map(is_zero, tangents)):
        raise RuleError(
            lines(
                f"{kind} function {program.name} closes over a value that is being differentiated.",
                "Its rule says nothing about that value: pass it to the function as an argument.",
            )
        )


class CustomJVP(Primitive):
    """args, consts of the function, consts of the rule -> outputs; sizes = (args, consts of the function)."""

    name = "custom_jvp"
    multiple = True
    calls = True
    transpose = absent("the rule is applied before anything is transposed")

    def impl(self, xp: Any, *operands: Any, program: Program, rule: Any, sizes: Any) -> Any:
        return runner(program, xp)(operands[: sum(sizes)])

    def shape(self, *avals: Aval, program: Program, rule: Any, sizes: Any) -> Any:
        check_inputs(self.name, program, avals[: sum(sizes)])
        return program.out_avals

    def push(self, primals: Any, tangents: Any, *, program: Program, rule: Any, sizes: Any) -> Any:
        n, own = sizes
        _refuse_closure("custom_jvp", program, tangents[n : n + own])
        dots = [given.instantiate(t) for t in tangents[:n]]
        made, captured = resolve(rule)
        results = inline(made, [*primals[:n], *dots, *primals[n + own :], *captured])
        count = len(program.outputs)
        return results[:count], results[count:]

    def batch(self, axis: Any, operands: Any, dims: Any, *, program: Program, rule: Any, sizes: Any) -> Any:
        n, own = sizes
        force = (True,) * len(program.outputs)
        new_program, _ = batch_program(program, tuple(dims[: n + own]), axis, force)
        rule_dims = (*dims[:n], *dims[:n], *dims[n + own :])
        new_rule = batched_rule(rule, rule_dims, axis, force * 2)
        return self(*operands, program=new_program, rule=new_rule, sizes=sizes), [0] * len(program.outputs)

    def cost(self, *avals: Aval, program: Program, rule: Any, sizes: Any) -> int:
        return program_cost(program)


custom_jvp_p = CustomJVP()


def inline(program: Program, values: Sequence[Any]) -> list[Any]:
    """Apply a Program equation by equation in the current trace."""
    return [getattr(x, "scalar", x) for x in record_program(program, values, current_trace())]


class custom_vjp:
    """A function whose reverse derivative is given by `defvjp(fwd, bwd)`.

    Args:
        fun: the function. static_argnums: arguments that are plain Python values (`nondiff_argnums` in JAX).

    `fwd(*args) -> (out, residuals)` and `bwd(*static, residuals, ct) -> cts`, a tuple with one entry per dynamic
    argument; None stands for zero. Forward mode through the function raises.
    """

    def __init__(self, fun: Callable[..., Any], static_argnums: Any = (), nondiff_argnums: Any = ()):
        require_callable(fun, "custom_vjp")
        functools.update_wrapper(self, fun, updated=())
        self.fun = fun
        self.static = positions(static_argnums) + positions(nondiff_argnums)
        self.fwd: Callable[..., Any] | None = None
        self.bwd: Callable[..., Any] | None = None

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Set both rules."""
        self.fwd, self.bwd = fwd, bwd

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.fwd is None or self.bwd is None:
            raise RuleError(
                lines(f"custom_vjp function {name_of(self.fun)} has no rules.", "Define them with .defvjp.")
            )
        args = _bind_defaults(self.fun, args, kwargs)
        if current_trace() is None:
            return self.fun(*args)
        call = _CustomCall("custom_vjp", self.fun, self.static, args)
        program, consts, out_tree = call.trace()
        rules: Any = LazyRule(self._rules, call, out_tree, program)
        rule_consts: list[Any] = []
        if not rules.recursive:
            rules, rule_consts = rules.trace(current_trace(), call.leaves)
        sizes = (len(call.leaves), len(consts))
        results = custom_vjp_p(*call.leaves, *consts, *rule_consts, program=program, rules=rules, sizes=sizes)
        return out_tree.unflatten(results)

    @property
    def rules_given(self) -> tuple[Any, ...]:
        return self.fwd, self.bwd

    def _rules(
        self, call: _CustomCall, out_tree: Any, program: Program, parent: Any, leaves: Any
    ) -> tuple[Rules, list[Any]]:
        fwd, fwd_consts, res_tree, res_avals = self._forward(call, program, out_tree, parent, leaves)
        bwd, bwd_consts, given_cts = self._backward(call, program, out_tree, res_tree, res_avals, parent)
        return Rules(fwd, bwd, given_cts, len(fwd_consts)), [*fwd_consts, *bwd_consts]

    def _forward(self, call: _CustomCall, program: Program, out_tree: Any, parent: Any, leaves: Any) -> Any:
        run = lambda tracers: _fitted(self.fwd(*call.arguments(tracers)), program.out_avals)  # type: ignore[misc]
        trace, outputs, found = call.record(
            run, call.avals, f"{name_of(self.fun)}'s fwd rule", parent, leaves
        )
        pair = found.children()
        if len(pair) != 2 or pair[0] != out_tree:
            raise TreeError(
                lines(
                    f"The fwd rule of {name_of(self.fun)} must return (out, residuals) with out like {out_tree}.",
                    f"It returned {found}.",
                )
            )
        for i, v in enumerate(program.outputs):
            _same_aval(v.aval, outputs[i], f"The fwd rule of {name_of(self.fun)}: out{_path(out_tree, i)}")
        fwd, consts = closed_program(trace, outputs, f"fwd_{name_of(self.fun)}")
        residuals = fwd.out_avals[out_tree.num_leaves :]
        return fwd, consts, pair[1], residuals

    def _backward(
        self, call: _CustomCall, program: Program, out_tree: Any, res_tree: Any, res_avals: Any, parent: Any
    ) -> Any:
        avals = [*res_avals, *[v.aval.strong for v in program.outputs]]
        given_cts: list[bool] = []

        def run(tracers: list[Any]) -> Any:
            residuals = res_tree.unflatten(tracers[: len(res_avals)])
            ct = out_tree.unflatten(tracers[len(res_avals) :])
            flat = call.flat_cts(self.bwd(*call.statics, residuals, ct))  # type: ignore[misc]
            given_cts.extend(c is not None for c in flat)
            return pick(given_cts, flat)

        trace, outputs, _ = call.record(run, avals, f"{name_of(self.fun)}'s bwd rule", parent)
        bwd, consts = closed_program(trace, outputs, f"bwd_{name_of(self.fun)}")
        return bwd, consts, tuple(given_cts)


class Rules(NamedTuple):
    """Both rules of a custom_vjp call.

    fwd: (args, its consts) -> (outputs, residuals); bwd: (residuals, cts, its consts) -> the given cotangents.
    """

    fwd: Program
    bwd: Program
    given_cts: tuple[bool, ...]
    fwd_consts: int


class BatchedRules(NamedTuple):
    """Late rules over a batch."""

    base: Any
    arg_dims: tuple[int | None, ...]
    axis: Any
    num_out: int

    def resolve(self) -> tuple[Rules, list[Any]]:
        rules, consts = resolve_rules(self.base)
        return batch_rules(rules, self.arg_dims, (None,) * len(consts), self.axis, self.num_out), consts


def resolve_rules(rules: Any) -> tuple[Rules, list[Any]]:
    return (rules, []) if isinstance(rules, Rules) else rules.resolve()


def batch_rules(rules: Rules, args: Any, const_dims: Sequence[int | None], axis: Any, num_out: int) -> Rules:
    """Both rules over a batch; the function has `num_out` outputs."""
    fwd, bwd, given_cts, split = rules
    force = (True,) * num_out + (False,) * (len(fwd.outputs) - num_out)
    new_fwd, out_dims = batch_program(fwd, (*args, *const_dims[:split]), axis, force)
    bwd_dims = (*out_dims[num_out:], *[0] * num_out, *const_dims[split:])
    return Rules(new_fwd, _batch_backward(bwd, bwd_dims, axis, pick(given_cts, args)), given_cts, split)


class CustomVJP(Primitive):
    """args, consts of the function, consts of the rules -> outputs; sizes = (args, consts of the function)."""

    name = "custom_vjp"
    multiple = True
    calls = True
    transpose = absent("its linear part is custom_tangent")

    def impl(self, xp: Any, *operands: Any, program: Program, rules: Any, sizes: Any) -> Any:
        return runner(program, xp)(operands[: sum(sizes)])

    def shape(self, *avals: Aval, program: Program, rules: Any, sizes: Any) -> Any:
        check_inputs(self.name, program, avals[: sum(sizes)])
        return program.out_avals

    def push(self, primals: Any, tangents: Any, *, program: Program, rules: Any, sizes: Any) -> Any:
        raise RuleError(
            lines(
                f"Forward mode through the custom_vjp function {program.name}: it has no jvp rule.",
                "Define the function with fx.custom_jvp (reverse mode follows from it), or use reverse mode here.",
            )
        )

    def linearize(self, primals: Any, tangents: Any, *, program: Program, rules: Any, sizes: Any) -> Any:
        n, own = sizes
        _refuse_closure("custom_vjp", program, tangents[n : n + own])
        made, captured = resolve_rules(rules)
        consts = [*primals[n + own :], *captured]
        results = inline(made.fwd, [*primals[:n], *consts[: made.fwd_consts]])
        count = len(program.outputs)
        active = tuple(not is_zero(t) for t in tangents[:n])
        if not any(active):
            return results[:count], [Zero(v.aval.strong) for v in program.outputs]
        dots = custom_tangent_p(
            *pick(active, tangents[:n]), *results[count:], *consts[made.fwd_consts :],
            bwd=made.bwd, active=active, outs=tuple(v.aval.strong for v in program.outputs),
            given_cts=made.given_cts, num_res=len(results) - count,
        )  # fmt: skip
        return results[:count], dots

    def batch(self, axis: Any, operands: Any, dims: Any, *, program: Program, rules: Any, sizes: Any) -> Any:
        n, own = sizes
        count = len(program.outputs)
        new_program, _ = batch_program(program, tuple(dims[: n + own]), axis, (True,) * count)
        args, rest = tuple(dims[:n]), tuple(dims[n + own :])
        made = (
            batch_rules(rules, args, rest, axis, count)
            if isinstance(rules, Rules)
            else (BatchedRules(rules, args, axis, count))
        )
        return self(*operands, program=new_program, rules=made, sizes=sizes), [0] * count

    def cost(self, *avals: Aval, program: Program, rules: Any, sizes: Any) -> int:
        return program_cost(program)


custom_vjp_p = CustomVJP()


def _batch_backward(bwd: Program, in_dims: Any, axis: Any, arg_dims: Sequence[int | None]) -> Program:
    """bwd over a batch: a cotangent gets the batch axis of its argument; without one it is summed over the batch."""
    key = ("batch_bwd", in_dims, axis, tuple(arg_dims))

    def body(trace: Trace, *tracers: Any) -> list[Any]:
        outs, dims = batch_walk(bwd, tracers, in_dims, axis, trace)
        return [
            _like_argument(x, d, want, axis.size) for x, d, want in zip(outs, dims, arg_dims, strict=True)
        ]

    return bwd.once(key, lambda: rewrite("vmap", batched_avals(bwd, in_dims, axis), body, bwd.name))  # type: ignore[no-any-return]


def _like_argument(x: Any, dim: int | None, want: int | None, size: int) -> Any:
    if want is None:
        if dim is None:
            return given.total(given.spread(x, size, 0), 0)
        return given.total(x, dim)
    if dim is None:
        return given.spread(x, size, want)
    return given.move_axis(x, dim, want)


class CustomTangent(Primitive):
    """(active tangents, residuals, consts of bwd) -> out tangents: known only through its transpose, bwd."""

    name = "custom_tangent"
    multiple = True
    calls = True

    def impl(self, xp: Any, *operands: Any, bwd: Program, **params: Any) -> Any:
        raise RuleError(
            lines(
                f"Forward mode through a custom_vjp function ({bwd.name}): it has no jvp rule.",
                "Define the function with fx.custom_jvp, or use reverse mode (grad, vjp) here.",
            )
        )

    def shape(self, *avals: Aval, outs: Any, **params: Any) -> Any:
        return outs

    def push(self, primals: Any, tangents: Any, *, bwd: Program, **params: Any) -> Any:
        return self.impl(None, bwd=bwd)

    def transpose(
        self, cts: Any, *operands: Any, bwd: Program, active: Any, outs: Any, given_cts: Any, num_res: int
    ) -> Any:
        count = sum(active)
        residuals, consts = operands[count : count + num_res], operands[count + num_res :]
        found = iter(inline(bwd, [*residuals, *map(given.instantiate, cts), *consts]))
        by_arg = [next(found) if on else None for on in given_cts]
        result: list[Any] = []
        for x, c in zip(operands[:count], pick(active, by_arg), strict=True):
            result.append(Zero(x.aval) if c is None else c)
        return result + [None] * (len(operands) - count)

    def batch(self, axis: Any, operands: Any, dims: Any, *, bwd: Program, **params: Any) -> Any:
        return self.impl(None, bwd=bwd)


custom_tangent_p = CustomTangent()
