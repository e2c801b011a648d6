"""The call primitive: a Program applied as one equation. Base of everything that holds Programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..avals import Aval
from ..config import settings
from ..errors import RuleError, ShapeError, lines
from ..executor import run_inside
from ..interpret import plan_for
from ..primitive import Primitive, Unknown, Zero
from ..program import Program
from .forward import fill, is_zero, jvp_program, pick
from .reverse import linearize_program, transpose_program
from .vmap import batch_program


def runner(program: Program, xp: Any) -> Callable[[Sequence[Any]], list[Any]]:
    """Executes a Program on buffers from inside another plan."""

    def run(buffers: Sequence[Any]) -> list[Any]:
        plan = plan_for(program, xp)
        return plan.run_checked(buffers) if settings().check_nans else plan.run(buffers)

    return run


class Call(Primitive):
    """outputs = program(inputs)."""

    multiple = True
    calls = True

    def __init__(self, name: str):
        self.name = name

    def impl(self, xp: Any, *operands: Any, program: Program) -> Any:
        return runner(program, xp)(operands)

    def kernel(self, xp: Any, params: dict[str, Any]) -> Callable[..., Any]:
        run = runner(params["program"], xp)
        return lambda *operands: run(operands)

    def shape(self, *avals: Aval, program: Program) -> tuple[Aval, ...]:
        check_inputs(self.name, program, avals)
        return program.out_avals

    def push(self, primals: Sequence[Any], tangents: Sequence[Any], *, program: Program) -> Any:
        active = tuple(not is_zero(t) for t in tangents)
        rewritten, out_active = jvp_program(program, active)
        results = self(*primals, *pick(active, tangents), program=rewritten)
        count = len(program.outputs)
        return results[:count], fill(out_active, program.out_avals, results[count:])

    def linearize(self, primals: Sequence[Any], tangents: Sequence[Any], *, program: Program) -> Any:
        active = tuple(not is_zero(t) for t in tangents)
        parts = linearize_program(program, active)
        results = self(*primals, program=parts.forward)
        count = len(program.outputs)
        dots: Sequence[Any] = []
        if any(parts.out_active):
            dots = self(*pick(active, tangents), *results[count:], program=parts.linear)
        return results[:count], fill(parts.out_active, program.out_avals, dots)

    def transpose(self, cts: Sequence[Any], *operands: Any, program: Program) -> list[Any]:
        linear = tuple(type(x) is Unknown for x in operands)
        live = tuple(not is_zero(c) for c in cts)
        rewritten, out_active = transpose_program(program, linear, live)
        others = pick([not on for on in linear], operands)
        found = self(*others, *pick(live, cts), program=rewritten)
        return scatter_cts(linear, out_active, found, program)

    def batch(self, axis: Any, operands: Any, dims: Any, *, program: Program) -> Any:
        rewritten, out_dims = batch_program(program, tuple(dims), axis)
        return self(*operands, program=rewritten), out_dims

    def cost(self, *avals: Aval, program: Program) -> int:
        return program_cost(program)


def scatter_cts(
    linear: Sequence[bool], active: Sequence[bool], found: Sequence[Any], program: Program
) -> list[Any]:
    """Cotangents per operand: None for the others, Zero where inactive."""
    rest, flags = iter(found), iter(active)
    out: list[Any] = []
    for on, v in zip(linear, program.inputs, strict=True):
        out.append(None if not on else next(rest) if next(flags) else Zero(v.aval.strong))
    return out


def check_inputs(name: str, program: Program, avals: Sequence[Aval]) -> None:
    """The operands must have the shapes and dtypes that the Program was made for."""
    if program.consts:
        raise RuleError(
            lines(
                f"A custom derivative rule inside {program.name} closes over arrays and is needed at a higher order.",
                "Pass those arrays to the custom function as arguments.",
            )
        )
    wanted = program.in_avals
    same = len(wanted) == len(avals) and all(
        a.shape == b.shape and a.dtype == b.dtype for a, b in zip(avals, wanted, strict=True)
    )
    if not same:
        raise ShapeError(f"{name} of {program.name} was made for {wanted}; it got {tuple(avals)}.")


def program_cost(program: Program) -> int:
    """Floating-point operations of all equations."""
    return sum(eqn.primitive.cost(*[v.aval for v in eqn.inputs], **eqn.params) for eqn in program.equations)


class Jit(Call):
    """A call that was asked to be compiled; so it is, also where the Program around it is interpreted."""

    def kernel(self, xp: Any, params: dict[str, Any]) -> Callable[..., Any]:
        program = params["program"]
        interpret = runner(program, xp)

        def run(*operands: Any) -> Any:
            found = run_inside(program, operands)
            return interpret(operands) if found is None else found

        return run


jit_p = Jit("jit")


def call(program: Program, *operands: Any) -> list[Any]:
    """Apply a Program as one equation."""
    return jit_p(*operands, program=program)  # type: ignore[no-any-return]
