"""The reference interpreter, and the plans it runs.

A Plan is the Program as a flat list of steps over numbered registers: the kernel of each primitive with its
params bound, operands and results by register, and the registers that die there. `check_nans` runs the same
steps one at a time and names the first equation that makes a NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import array as array_module
from .array import Array
from .avals import DYNAMIC, Aval, size_of
from .config import settings
from .devices import HOST, backend_of, common_backend
from .errors import NanError, OutOfMemoryError, lines
from .errstate import quiet
from .program import Equation, Program, format_equation, record_program
from .source import describe
from .structure import Literal
from .trace import current_trace, no_trace

ONE, TWO, MANY, TUPLE = range(4)


class Plan:
    """The executable form of a Program on one array module."""

    def __init__(self, program: Program, xp: Any):
        self.program, self.xp = program, xp
        registers: dict[Any, int] = {}
        self.preset: list[Any] = []
        for v in program.inputs:
            registers.setdefault(v, len(registers))
        self.arity = len(program.inputs)
        for v, value in program.consts:
            registers[v] = len(registers)
            self.preset.append(_place(xp, _buffer(value)))
        for atom in _literals(program):
            registers[atom] = len(registers)
            self.preset.append(_place(xp, atom.value))
        self.steps = _steps(program, xp, registers)
        self.size = len(registers)
        self.outputs = [registers[v] for v in program.outputs]
        self.blank = self.preset + [None] * (self.size - self.arity - len(self.preset))

    def run(self, buffers: Sequence[Any]) -> list[Any]:
        """Results for input buffers, with no trace current and NumPy's warnings off."""
        env = [*buffers, *self.blank]
        for kind, kernel, a, b, out, dead in self.steps:
            if kind == TWO:
                env[out] = kernel(env[a], env[b])
            elif kind == ONE:
                env[out] = kernel(env[a])
            elif kind == MANY:
                env[out] = kernel(*[env[i] for i in a])
            else:
                for i, value in zip(out, kernel(*[env[i] for i in a]), strict=True):
                    env[i] = value
            for i in dead:
                env[i] = None
        return [env[i] for i in self.outputs]

    def run_checked(self, buffers: Sequence[Any]) -> list[Any]:
        """The same, and NanError at the first equation that makes a NaN from operands without one."""
        env = [*buffers, *self.blank]
        for step, eqn in zip(self.steps, self.program.equations, strict=True):
            _, _, a, b, out, _ = step
            operands = [env[i] for i in (a if type(a) is list else [a] if b is None else [a, b])]
            values = step[1](*operands)
            values = list(values) if eqn.primitive.multiple else [values]
            _check_nans(eqn, operands, values)
            for i, value in zip(out if type(out) is list else [out], values, strict=True):
                env[i] = value
        return [env[i] for i in self.outputs]


def _steps(program: Program, xp: Any, registers: dict[Any, int]) -> list[tuple[Any, ...]]:
    last: dict[Any, int] = {}
    for n, eqn in enumerate(program.equations):
        for v in eqn.inputs:
            last[v] = n
    kept = set(program.outputs) | set(program.inputs) | {v for v, _ in program.consts}
    steps: list[tuple[Any, ...]] = []
    for n, eqn in enumerate(program.equations):
        for v in eqn.outputs:
            registers[v] = len(registers)
        ins = [registers[v] for v in eqn.inputs]
        outs = [registers[v] for v in eqn.outputs]
        dead = [registers[v] for v in eqn.inputs if last[v] == n and v not in kept and type(v) is not Literal]
        dead += [registers[v] for v in eqn.outputs if v not in last and v not in kept]
        kernel = eqn.primitive.kernel(xp, eqn.params)
        if eqn.primitive.multiple:
            steps.append((TUPLE, kernel, ins, None, outs, dead))
        elif len(ins) == 1:
            steps.append((ONE, kernel, ins[0], None, outs[0], dead))
        elif len(ins) == 2:
            steps.append((TWO, kernel, ins[0], ins[1], outs[0], dead))
        else:
            steps.append((MANY, kernel, ins, None, outs[0], dead))
    return steps


def _literals(program: Program) -> list[Literal]:
    found: dict[Literal, None] = {}
    for eqn in program.equations:
        found.update((v, None) for v in eqn.inputs if type(v) is Literal)
    found.update((v, None) for v in program.outputs if type(v) is Literal)
    return list(found)


def aliases(program: Program) -> dict[int, set[int | None]]:
    """Outputs that may share memory with what came from outside: with which inputs, None for a const."""
    roots: dict[Any, set[int | None]] = {v: {i} for i, v in enumerate(program.inputs)}
    roots.update({v: {None} for v, _ in program.consts})
    for eqn in program.equations:
        prim = eqn.primitive
        if prim.view or prim.calls:
            seen = eqn.inputs if prim.calls or prim.multiple else eqn.inputs[:1]
            found = set().union(*[roots.get(v, ()) for v in seen])
            if found:
                roots.update((v, found) for v in eqn.outputs)
    return {n: roots[v] for n, v in enumerate(program.outputs) if v in roots}


def _place(xp: Any, value: Any) -> Any:
    return (
        value
        if xp is np or not isinstance(value, (np.generic, bool, int, float, complex))
        else xp.asarray(value)
    )


def _buffer(value: Any) -> Any:
    return array_module.as_buffer(value)


def plan_for(program: Program, xp: Any) -> Plan:
    """The Plan of a Program on an array module, made once."""
    return program.once(("plan", xp.__name__), lambda: Plan(program, xp))


def run_buffers(program: Program, buffers: Sequence[Any]) -> list[Any]:
    """Execute a Program on concrete buffers."""
    checking = settings().check_nans
    try:
        return _run_on(common_backend(buffers), program, buffers, checking)
    except MemoryError as e:
        if isinstance(e, OutOfMemoryError):
            raise
        raise _out_of_memory(program) from e


def _out_of_memory(program: Program) -> OutOfMemoryError:
    """The largest value of a Program that did not fit, and its user line."""
    made = [(v.aval, eqn) for eqn in program.equations for v in eqn.outputs if DYNAMIC not in v.aval.shape]
    if not made:
        return OutOfMemoryError("Not enough memory for the inputs of a program.")
    aval, eqn = max(made, key=lambda pair: pair[0].nbytes)
    return OutOfMemoryError(
        lines(
            f"Not enough memory; the largest value of the program is {aval} ({size_of(aval)}).",
            format_equation(eqn),
            describe(eqn.source),
            "Work on parts of it (fx.vmap(f, chunk=...), fx.lax.map), or recompute: fx.checkpoint.",
        )
    )


def _run_on(backend: Any, program: Program, buffers: Sequence[Any], checking: bool) -> list[Any]:
    with no_trace(), quiet():
        if backend is HOST:
            plan = plan_for(program, np)
            return plan.run_checked(buffers) if checking else plan.run(buffers)
        xp = backend.xp
        plan = plan_for(program, xp)
        placed = [_place(xp, b) for b in buffers]
        with backend.activate(_first_device(backend, placed)):
            return plan.run_checked(placed) if checking else plan.run(placed)


def _first_device(backend: Any, buffers: Sequence[Any]) -> Any:
    for b in buffers:
        if backend_of(b) is backend:
            return backend.device(b)
    return backend.devices()[0]


def run_program(program: Program, values: Sequence[Any]) -> list[Any]:
    """Apply a Program: record it in the current trace, or execute it and wrap the results as Arrays."""
    trace = current_trace()
    if trace is not None:
        return [_value(x) for x in record_program(program, values, trace)]
    results = run_buffers(program, [array_module.as_buffer(v) for v in values])
    return wrap(program, values, results)


def _value(x: Any) -> Any:
    return Array(x.value, x.aval.weak) if type(x) is Literal else x


def wrap(
    program: Program,
    values: Sequence[Any],
    results: list[Any],
    shared: dict[int, set[int | None]] | None = None,
) -> list[Any]:
    """Arrays of result buffers; a result that may be a view of a user's own buffer is copied.

    shared: which results may be views, of which inputs; what `aliases` finds, unless the executor knows better.
    """
    if shared is None:
        shared = program.once("shared", lambda: aliases(program))
    out = []
    for n, (buffer, atom) in enumerate(zip(results, program.outputs, strict=True)):
        if n in shared and not _are_ours(shared[n], values) and not isinstance(buffer, np.generic):
            buffer = buffer.copy()
        out.append(Array(buffer, atom.aval.weak))
    return out


def _are_ours(inputs: set[int | None], values: Sequence[Any]) -> bool:
    return all(i is not None and type(values[i]) is Array for i in inputs)


def _check_nans(eqn: Equation, operands: Sequence[Any], values: Sequence[Any]) -> None:
    bad = [v for v in values if _has_nan(v)]
    if not bad or any(_has_nan(x) for x in operands):
        return
    raise NanError(
        lines(
            f"{format_equation(eqn)} made a NaN from operands without one.",
            describe(eqn.source),
            "operands: " + "; ".join(_summary(x) for x in operands),
            _nan_hint(operands),
        )
    )


def _has_nan(x: Any) -> bool:
    host = backend_of(x).to_host(x)
    return getattr(host, "dtype", np.dtype(int)).kind in "fcV" and bool(np.isnan(host).any())


def _summary(x: Any) -> str:
    host = np.asarray(backend_of(x).to_host(x))
    aval = Aval(host.shape, host.dtype)
    return f"{aval}" if not host.size or host.dtype.kind in "b" else f"{aval} in [{host.min()}, {host.max()}]"


def _nan_hint(operands: Sequence[Any]) -> str | None:
    if any(_has_inf(x) for x in operands):
        return (
            "If the inf comes from the unused branch of a where, guard the input of that branch too: "
            "where(ok, f(where(ok, x, 1)), 0)."
        )
    return None


def _has_inf(x: Any) -> bool:
    host = backend_of(x).to_host(x)
    return getattr(host, "dtype", np.dtype(int)).kind in "fc" and bool(np.isinf(host).any())
