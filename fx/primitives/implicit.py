"""Solutions of equations, differentiated by the equation and not by the steps of the solver.

linear_solve: x with matvec(x) = b; its tangents and cotangents are solutions of systems with the same operator.
root: x with f(x) = 0, with the tangent -(df/dx)^-1 df (implicit function theorem).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..core import given
from ..core.avals import Aval
from ..core.errors import RuleError, lines
from ..core.primitive import Primitive, Unknown, Zero, absent
from ..core.program import Program
from ..core.transforms.call import check_inputs, program_cost, runner
from ..core.transforms.custom_calls import inline
from ..core.transforms.forward import fill, is_zero, jvp_program, pick
from ..core.transforms.vmap import batch_program
from .elementwise import neg
from .families import to_front


class Sizes(NamedTuple):
    """How many operands are unknowns, and how many belong to each Program."""

    unknowns: int
    first: int
    second: int
    third: int

    def split(self, values: Sequence[Any]) -> list[list[Any]]:
        """The operands by owner."""
        out, at = [], 0
        for n in self:
            out.append(list(values[at : at + n]))
            at += n
        return out


class LinearSolve(Primitive):
    """b, and what matvec, solve and transpose_solve close over -> x, and what else solve gives.

    matvec: (x, its consts) -> b; vecmat: its transpose, with the same consts; solve, transpose_solve: (b, their
    consts) -> (x, others). vecmat and transpose_solve are None where reverse mode was not provided for.
    """

    name = "linear_solve"
    multiple = True
    calls = True

    def impl(self, xp: Any, *operands: Any, solve: Program, sizes: Sizes, **params: Any) -> Any:
        b, _, consts, _ = sizes.split(operands)
        return runner(solve, xp)([*b, *consts])

    def shape(self, *avals: Aval, solve: Program, sizes: Sizes, **params: Any) -> Any:
        b, _, consts, _ = sizes.split(avals)
        check_inputs(self.name, solve, [*b, *consts])
        return solve.out_avals

    def push(self, primals: Any, tangents: Any, *, matvec: Program, sizes: Sizes, **params: Any) -> Any:
        """dx = A^-1 (db - dA x)."""
        params = {**params, "matvec": matvec, "sizes": sizes}
        out = self(*primals, **params)
        n, (db, d_operator, *_) = sizes.unknowns, sizes.split(tangents)
        x, operator = out[:n], sizes.split(primals)[1]
        change = _pushed(matvec, [*x, *operator], [*[Zero(a) for a in matvec.in_avals[:n]], *d_operator])
        right = [given.add_tangents(t, c if is_zero(c) else neg(c)) for t, c in zip(db, change, strict=True)]
        if all(map(is_zero, right)):
            return out, [Zero(v.aval.strong) for v in out]
        dx = self(*map(given.instantiate, right), *primals[n:], **params)[:n]
        return out, [*dx, *[Zero(v.aval.strong) for v in out[n:]]]

    def transpose(
        self, cts: Any, *operands: Any, matvec: Program, vecmat: Any, solve: Program, transpose_solve: Any,
        sizes: Sizes,
    ) -> Any:  # fmt: skip
        """The cotangent of b solves the transposed system."""
        n, (b, operator, consts, transposed_consts) = sizes.unknowns, sizes.split(operands)
        if any(type(x) is Unknown for x in operands[n:]):
            raise RuleError("linear_solve is linear in its right-hand side, not in its operator.")
        if transpose_solve is None:
            raise RuleError(
                lines(
                    "custom_linear_solve: reverse mode needs the transposed system solved.",
                    "Pass transpose_solve, or symmetric=True where the operator is its own transpose.",
                )
            )
        found = self(
            *map(given.instantiate, cts[:n]), *operator, *transposed_consts, *consts,
            matvec=vecmat, vecmat=matvec, solve=transpose_solve, transpose_solve=solve,
            sizes=Sizes(n, sizes.first, sizes.third, sizes.second),
        )  # fmt: skip
        results = [c if type(x) is Unknown else None for c, x in zip(found, b, strict=False)]
        return [*results, *[None] * (len(operands) - n)]

    def batch(self, axis: Any, operands: Any, dims: Any, *, sizes: Sizes, **params: Any) -> Any:
        n = sizes.unknowns
        b = [to_front(x, d, axis.size) for x, d in zip(operands[:n], dims[:n], strict=True)]
        owned = dict(zip(("matvec", "solve", "transpose_solve"), sizes.split(dims)[1:], strict=True))
        owned["vecmat"] = owned["matvec"]
        batched = {k: _batched(p, n, owned[k], axis) for k, p in params.items()}
        out = self(*b, *operands[n:], sizes=sizes, **batched)
        return out, [0] * len(out)

    def cost(self, *avals: Aval, solve: Program, **params: Any) -> int:
        return program_cost(solve)


def _pushed(program: Program, primals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    """The output tangents of a Program, recorded equation by equation."""
    active = tuple(not is_zero(t) for t in tangents)
    if not any(active):
        return [Zero(v.aval.strong) for v in program.outputs]
    pushed, out_active = jvp_program(program, active)
    results = inline(pushed, [*primals, *pick(active, tangents)])
    return fill(out_active, program.out_avals, results[len(program.outputs) :])


def _batched(program: Program | None, n: int, dims: Sequence[Any], axis: Any) -> Program | None:
    """The Program with the batch in front of its first n inputs and of all outputs."""
    if program is None:
        return None
    force = (True,) * len(program.outputs)
    return batch_program(program, (*[0] * n, *dims), axis, force)[0]  # type: ignore[no-any-return]


class Root(Primitive):
    """First guess, and what f, solve and tangent_solve close over -> x with f(x) = 0, and what else solve gives.

    f: (x, its consts) -> residuals; solve: (guess, its consts) -> (x, others); tangent_solve: (x, b, its consts) ->
    the y with df(x) y = b.
    """

    name = "root"
    multiple = True
    calls = True
    transpose = absent("its tangent is a linear system")

    def impl(self, xp: Any, *operands: Any, solve: Program, sizes: Sizes, **params: Any) -> Any:
        guess, _, consts, _ = sizes.split(operands)
        return runner(solve, xp)([*guess, *consts])

    def shape(self, *avals: Aval, solve: Program, sizes: Sizes, **params: Any) -> Any:
        guess, _, consts, _ = sizes.split(avals)
        check_inputs(self.name, solve, [*guess, *consts])
        return solve.out_avals

    def push(
        self, primals: Any, tangents: Any, *, f: Program, tangent_solve: Program, sizes: Sizes, **params: Any
    ) -> Any:
        """dx = -(df/dx)^-1 df, where df is the change of f at x that its consts make."""
        out = self(*primals, f=f, tangent_solve=tangent_solve, sizes=sizes, **params)
        n, x = sizes.unknowns, out[: sizes.unknowns]
        _, owned, _, solver_owned = sizes.split(primals)
        d_owned = sizes.split(tangents)[1]
        change = _pushed(f, [*x, *owned], [*[Zero(a) for a in f.in_avals[:n]], *d_owned])
        if all(map(is_zero, change)):
            return out, [Zero(v.aval.strong) for v in out]
        right = [neg(given.instantiate(c)) for c in change]
        dx = inline(tangent_solve, [*x, *right, *solver_owned])
        return out, [*dx, *[Zero(v.aval.strong) for v in out[n:]]]

    def batch(
        self, axis: Any, operands: Any, dims: Any, *, f: Program, solve: Program, tangent_solve: Program,
        sizes: Sizes,
    ) -> Any:  # fmt: skip
        n = sizes.unknowns
        guess = [to_front(x, d, axis.size) for x, d in zip(operands[:n], dims[:n], strict=True)]
        _, of_f, of_solve, of_tangent = sizes.split(dims)
        out = self(
            *guess, *operands[n:],
            f=_batched(f, n, of_f, axis), solve=_batched(solve, n, of_solve, axis),
            tangent_solve=_batched(tangent_solve, 2 * n, of_tangent, axis), sizes=sizes,
        )  # fmt: skip
        return out, [0] * len(out)

    def cost(self, *avals: Aval, solve: Program, **params: Any) -> int:
        return program_cost(solve)


linear_solve_p = LinearSolve()
root_p = Root()
