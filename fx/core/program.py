"""The IR: Program, Equation, Var, Literal; made from a trace, printed as mathematics, checked."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from .avals import Aval, dtype_name
from .primitive import Primitive
from .source import Source
from .structure import Literal
from .trace import Trace, Tracer

T = TypeVar("T")


class Var:
    """A variable: defined once, by an input, a constant or an equation."""

    __slots__ = ("aval",)

    def __init__(self, aval: Aval):
        self.aval = aval

    def __repr__(self) -> str:
        return f"Var({self.aval})"


Atom = Var | Literal


class Equation:
    """outputs = primitive[params](inputs), with the user line it came from."""

    __slots__ = ("inputs", "outputs", "params", "primitive", "source")

    def __init__(
        self,
        primitive: Primitive,
        inputs: tuple[Atom, ...],
        params: dict[str, Any],
        outputs: tuple[Var, ...],
        source: Source | None = None,
    ):
        self.primitive, self.inputs, self.params = primitive, inputs, params
        self.outputs, self.source = outputs, source

    def __repr__(self) -> str:
        return f"<{self.primitive.name} {[v.aval for v in self.outputs]}>"


def uncollected(make: Callable[[], T]) -> T:
    """`make()` without garbage collection meanwhile: what a rewrite allocates is kept, and there is much of it."""
    if not gc.isenabled():
        return make()
    gc.disable()
    try:
        return make()
    finally:
        gc.enable()


class Program:
    """A pure function of arrays as equations in SSA form, closed over its consts (held by reference).

    `inputs`: Vars; `consts`: (Var, value) pairs; `equations` in order; `outputs`: Vars or Literals.
    """

    __slots__ = ("__weakref__", "cache", "consts", "equations", "inputs", "name", "outputs")

    def __init__(
        self,
        inputs: Sequence[Var],
        consts: Sequence[tuple[Var, Any]],
        equations: Sequence[Equation],
        outputs: Sequence[Atom],
        name: str = "program",
    ):
        self.inputs, self.consts = tuple(inputs), tuple(consts)
        self.equations, self.outputs = tuple(equations), tuple(outputs)
        self.name = name
        self.cache: dict[Any, Any] = {}

    @property
    def in_avals(self) -> tuple[Aval, ...]:
        return tuple(v.aval for v in self.inputs)

    @property
    def out_avals(self) -> tuple[Aval, ...]:
        return tuple(v.aval for v in self.outputs)

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """What `make()` derives from this Program, computed once per key."""
        found: T | None = self.cache.get(key)
        if found is None:
            found = uncollected(make)
            found = self.cache.setdefault(key, found)
        return found

    @property
    def effectful(self) -> bool:
        """Whether running it does more than computing its outputs."""
        return self.once("effect", lambda: any(effectful(e.primitive, e.params) for e in self.equations))

    def key(self) -> Any:
        """A hashable description of the structure: equal for Programs that do the same on the same avals."""
        return self.once("structure", lambda: _structure(self))

    def __str__(self) -> str:
        return format_program(self)

    def __repr__(self) -> str:
        return format_program(self)

    def _repr_html_(self) -> str:
        text = format_program(self).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f"<pre>{text}</pre>"


# From a trace


def program_of(trace: Trace, outputs: Sequence[Any], name: str | None = None) -> Program:
    """The Program of what was recorded, closed over its constants; dead equations left out."""
    refs = tuple([trace.index_of(x) for x in outputs])
    name = name or getattr(trace.function, "__name__", None) or "program"
    program, used = _build_cached(trace, refs, name)
    if not used:
        return program
    values = [trace.slots[i] for i in used]
    split = len(program.inputs) - len(used)
    return Program(
        program.inputs[:split],
        list(zip(program.inputs[split:], values, strict=True)),
        program.equations,
        program.outputs,
        name,
    )


def closed_program(
    trace: Trace, outputs: Sequence[Any], name: str | None = None
) -> tuple[Program, list[Any]]:
    """The recorded Program with its constants as trailing inputs, and their values.

    The Program is one object for one structure, so it may serve as a static parameter and in cache keys.
    """
    refs = tuple([trace.index_of(x) for x in outputs])
    name = name or getattr(trace.function, "__name__", None) or "program"
    program, used = _build_cached(trace, refs, name)
    return program, [trace.slots[i] for i in used]


def _build_cached(trace: Trace, refs: tuple[Any, ...], name: str) -> tuple[Program, tuple[int, ...]]:
    results = trace.node.results
    found = results.get(("program", refs))
    if found is None:
        found = results.setdefault(("program", refs), uncollected(lambda: _build(trace, refs, name)))
    return found  # type: ignore[no-any-return]


def _build(trace: Trace, refs: tuple[Any, ...], name: str) -> tuple[Program, tuple[int, ...]]:
    needed = {r for r in refs if type(r) is int}
    live = []
    for node in reversed(trace.path):
        prim = node.primitive
        if prim is None:
            continue
        if len(node.outputs) == 1:
            wanted = node.first in needed
        else:
            wanted = any(i in needed for i in range(node.first, node.after))
        if wanted or prim.effect or (prim.calls and effectful(prim, node.params)):
            live.append(node)
            for r in node.inputs:
                if type(r) is int:
                    needed.add(r)
    env: dict[int, Var] = {i: Var(a) for i, a in enumerate(trace.avals)}
    inputs = list(env.values())
    consts: dict[int, Var] = {}
    for node in trace.path:
        for i, aval in node.lifted:
            if i in needed:
                env[i] = consts[i] = Var(aval)
    equations = []
    for node in reversed(live):
        operands = tuple([r if type(r) is Literal else env[r] for r in node.inputs])
        outs = tuple([Var(a) for a in node.outputs])
        for i, v in enumerate(outs, node.first):
            env[i] = v
        equations.append(Equation(node.primitive, operands, node.params, outs, node.source))
    outputs = [r if type(r) is Literal else env[r] for r in refs]
    return Program(inputs + list(consts.values()), (), equations, outputs, name), tuple(consts)


def record_program(program: Program, args: Sequence[Any], trace: Any) -> list[Any]:
    """Apply a Program inside a trace, one equation at a time; `args` are its inputs."""
    env: dict[Any, Any] = dict(zip(program.inputs, args, strict=True))
    env.update(program.consts)
    kept = trace.source
    for eqn in program.equations:
        operands = [v if type(v) is Literal else env[v] for v in eqn.inputs]
        trace.source = kept or eqn.source
        key = tuple(eqn.params.items()) if eqn.params else None
        out = trace.record(eqn.primitive, operands, eqn.params, key)
        if eqn.primitive.multiple:
            env.update(zip(eqn.outputs, out, strict=True))
        else:
            env[eqn.outputs[0]] = out
    trace.source = kept
    return [v if type(v) is Literal else env[v] for v in program.outputs]


def used_inputs(program: Program) -> list[bool]:
    """Which inputs any equation or output reads."""
    used = {v for eqn in program.equations for v in eqn.inputs} | set(program.outputs)
    return [v in used for v in program.inputs]


def prune(program: Program, keep: Sequence[bool]) -> Program:
    """The same Program with only the outputs marked, and without the equations they do not need."""
    outputs = [v for v, k in zip(program.outputs, keep, strict=True) if k]
    needed: set[Any] = {v for v in outputs if type(v) is Var}
    live = []
    for eqn in reversed(program.equations):
        if effectful(eqn.primitive, eqn.params) or not needed.isdisjoint(eqn.outputs):
            live.append(eqn)
            needed.update(v for v in eqn.inputs if type(v) is Var)
    return Program(program.inputs, program.consts, live[::-1], outputs, program.name)


def subprograms(params: dict[str, Any]) -> Iterator[tuple[str, Program]]:
    """The Programs among the params of an equation, named."""
    for name, value in params.items():
        if isinstance(value, Program):
            yield name, value
        elif isinstance(value, tuple):
            for i, item in enumerate(value):
                if isinstance(item, Program):
                    yield f"{name}[{i}]", item


def effectful(primitive: Primitive, params: dict[str, Any]) -> bool:
    """Whether an equation must run even if nobody reads its outputs."""
    return primitive.effect or (primitive.calls and any(p.effectful for _, p in subprograms(params)))


# Structure


def _structure(program: Program) -> Any:
    number: dict[Any, int] = {}

    def ref(v: Any) -> Any:
        return v if type(v) is Literal else number.setdefault(v, len(number))

    def param(value: Any) -> Any:
        if isinstance(value, Program):
            return value.key()
        return tuple(param(x) for x in value) if isinstance(value, tuple) else value

    head = tuple((ref(v), v.aval) for v in program.inputs)
    consts = tuple((ref(v), id(value)) for v, value in program.consts)
    body = tuple(
        (
            eqn.primitive,
            tuple((k, param(v)) for k, v in eqn.params.items()),
            tuple(map(ref, eqn.inputs)),
            tuple((ref(v), v.aval) for v in eqn.outputs),
        )
        for eqn in program.equations
    )
    return head, consts, body, tuple(map(ref, program.outputs))


# The printer


def format_program(program: Program, name: str | None = None, indent: str = "") -> str:
    """The Program as mathematics: one equation a line, `name: type = primitive[params] operands  # user line`."""
    names = _Names()
    args = ", ".join(f"{names(v)}: {v.aval}" for v in program.inputs)
    rows = [f"{indent}{name or program.name}({args}) ="]
    pad = indent + "  "
    for var, value in program.consts:
        rows.append(f"{pad}{names(var)}: {var.aval} = const {_preview(value)}")
    body, notes = [], []
    for eqn in program.equations:
        body.append(pad + format_equation(eqn, names))
        notes.append(_where(eqn.source))
    width = min(max((len(r) for r in body), default=0), 76)
    for row, note, eqn in zip(body, notes, program.equations, strict=True):
        rows.append(f"{row:<{width}}  # {note}" if note else row)
        for param, inner in subprograms(eqn.params):
            rows.append(format_program(inner, f"where {param}", pad + "  "))
    rows.append(f"{pad}return {', '.join(map(names, program.outputs)) or 'nothing'}")
    return "\n".join(rows)


def format_equation(eqn: Equation, names: Any = None) -> str:
    """One equation in text."""
    names = names or _Names()
    ins = " ".join(map(names, eqn.inputs))
    outs = ", ".join(f"{names(v)}: {v.aval}" for v in eqn.outputs) or "()"
    params = ", ".join(
        f"{k}={_param(v)}" for k, v in eqn.params.items() if v is not None and not _has_program(v)
    )
    return f"{outs} = {eqn.primitive.name}{f'[{params}]' if params else ''} {ins}".rstrip()


class _Names:
    """Variables are named a, b, ..., z, aa, ab in the order they are met."""

    def __init__(self) -> None:
        self.given: dict[Any, str] = {}

    def __call__(self, v: Any) -> str:
        if type(v) is Literal:
            return f"{v.value:g}" if v.aval.dtype.kind == "f" else str(v.value)
        if v not in self.given:
            self.given[v] = _letters(len(self.given))
        return self.given[v]


def _letters(n: int) -> str:
    text = ""
    while True:
        text = chr(97 + n % 26) + text
        n = n // 26 - 1
        if n < 0:
            return text


def _has_program(value: Any) -> bool:
    return isinstance(value, Program) or (isinstance(value, tuple) and any(map(_has_program, value)))


def _param(value: Any) -> str:
    if isinstance(value, np.dtype):
        return dtype_name(value)
    title = getattr(value, "title", None)
    if isinstance(title, str):
        return title
    if type(value) is tuple:
        return f"({','.join(map(_param, value))})"
    name = getattr(value, "__name__", None)
    return name if name and not isinstance(value, type) else str(value)


def _preview(value: Any) -> str:
    if isinstance(value, Tracer) or getattr(value, "size", 99) > 4:
        return f"<{type(value).__name__}>"
    return np.array2string(np.asarray(value), separator=",")


def _where(source: Source | None) -> str:
    if source is None:
        return ""
    file = source.file.rsplit("/", 1)[-1]
    return f"{file}:{source.line}" + (f" {source.scope}" if source.scope else "")


# The checker


class ProgramError(AssertionError):
    """A Program that breaks the rules of the IR: an error of fx, not of its user."""


def check(program: Program) -> Program:
    """Hold a Program against the rules of the IR: SSA, avals agree with shape rules, params hashable."""
    seen: set[Any] = set()

    def define(v: Any, what: str) -> None:
        _require(type(v) is Var, f"{what} is not a Var: {v!r}", program)
        _require(v not in seen, f"{what} is defined twice", program)
        seen.add(v)

    for var in program.inputs:
        define(var, "an input")
    for var, _ in program.consts:
        define(var, "a const")
    for eqn in program.equations:
        for v in eqn.inputs:
            _require(type(v) is Literal or v in seen, f"{eqn!r} reads an undefined variable", program)
        for key, value in eqn.params.items():
            _check_param(eqn, key, value, program)
        out = eqn.primitive.shape(*[v.aval for v in eqn.inputs], **eqn.params)
        avals = tuple(out) if eqn.primitive.multiple else (out,)
        found = tuple(v.aval for v in eqn.outputs)
        _require(avals == found, f"{eqn!r}: shape rule gives {avals}, the equation has {found}", program)
        for var in eqn.outputs:
            define(var, "an output")
    for v in program.outputs:
        _require(type(v) is Literal or v in seen, "an output of the program is undefined", program)
    return program


def _check_param(eqn: Equation, key: str, value: Any, program: Program) -> None:
    try:
        hash(value)
    except TypeError:
        _require(False, f"{eqn!r}: parameter {key} is not hashable", program)
    for _, inner in subprograms({key: value}):
        _require(not inner.consts, f"{eqn!r}: the inner Program {key} is not closed", program)
        inner.once("checked", functools.partial(check, inner))


def _require(ok: bool, what: str, program: Program) -> None:
    if not ok:
        raise ProgramError(f"{what}\n{_safe_format(program)}")


def _safe_format(program: Program) -> str:
    try:
        return format_program(program)
    except Exception as e:
        return f"(the program cannot be printed: {e})"
