"""Solvers as functions: custom_linear_solve and custom_root take derivatives from the equation that is solved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core import static, tree
from ..core.array import aval_of
from ..core.avals import Aval
from ..core.boundary import boundary
from ..core.errors import ArgumentError, DTypeError, ShapeError, TreeError, lines
from ..core.trace import bind, current_trace
from ..core.transforms.arguments import is_array, name_of
from ..core.transforms.custom_calls import inline
from ..core.transforms.gradient import linearize
from ..core.transforms.inner import Inner, arrange, convert_outputs
from ..core.transforms.reverse import transpose_program
from ..primitives.implicit import Sizes, linear_solve_p, root_p


@boundary
def custom_linear_solve(
    matvec: Callable[[Any], Any],
    b: Any,
    solve: Callable[[Callable[[Any], Any], Any], Any],
    transpose_solve: Callable[[Callable[[Any], Any], Any], Any] | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
) -> Any:
    """x with matvec(x) = b, as `solve(matvec, b)` finds it; derivatives are solutions of the same or transposed system.

    dx = A^-1 (db - dA x) in forward mode, and A^-T ct in reverse mode, whatever steps `solve` takes: it may loop until
    it converges, and is not differentiated. What matvec closes over is differentiated through A.

    Args:
        matvec: linear, from pytrees like b to pytrees like b.
        b: pytree of floating-point or complex arrays.
        solve: (matvec, b) -> x.
        transpose_solve: (vecmat, ct) -> x with vecmat(x) = ct, where vecmat is the transpose (not the adjoint) of
            matvec; reverse mode needs it.
        symmetric: matvec is its own transpose; `solve` serves for both.
        has_aux: `solve` and `transpose_solve` return (x, aux); aux has no derivative.

    Returns:
        x like b, or (x, aux).

    Raises:
        TreeError, ShapeError, DTypeError: matvec or solve returns something unlike b.
        RuleError: reverse mode without transpose_solve.

    >>> import fx
    >>> a = fx.numpy.array([2.0, 4.0])
    >>> half = lambda a, b: fx.lax.custom_linear_solve(
    ...     lambda x: a * x, b, lambda f, y: y / f(y / y), symmetric=True
    ... )
    >>> fx.grad(lambda a: half(a, a / a).sum())(a)
    Array([-0.25  , -0.0625], float32)
    """
    matvec, solve = _function(matvec, "matvec"), _function(solve, "solve")
    leaves, treedef, avals = _unknowns("custom_linear_solve", b, "b")
    if current_trace() is None:
        return _checked("custom_linear_solve", solve, solve(matvec, b), treedef, avals, has_aux)
    operator = Inner("custom_linear_solve", matvec, avals, lambda ts: matvec(treedef.unflatten(ts)), _WHY)
    _same_tree("custom_linear_solve", matvec, operator.out_tree, treedef)
    forward = convert_outputs(operator.program, _like("custom_linear_solve", matvec, operator.avals, avals))
    solver = _Solver("custom_linear_solve", solve, matvec, treedef, avals, has_aux)
    back, vecmat = solver if symmetric else None, forward if symmetric else None
    if transpose_solve is not None and not symmetric:
        vecmat = _transposed(forward, len(avals))
        flipped = lambda y: treedef.unflatten(inline(vecmat, [*tree.leaves(y), *operator.consts]))
        flipped.__name__ = "vecmat"
        transpose_solve = _function(transpose_solve, "transpose_solve")
        back = _Solver("custom_linear_solve", transpose_solve, flipped, treedef, avals, has_aux)
    consts = (operator.consts, solver.consts, back.consts if back else [])
    results = bind(
        linear_solve_p, *leaves, *consts[0], *consts[1], *consts[2],
        matvec=forward, vecmat=vecmat, solve=solver.program, transpose_solve=back.program if back else None,
        sizes=Sizes(len(leaves), *map(len, consts)),
    )  # fmt: skip
    return solver.result(results)


_WHY = "the unknown of a system"


def _function(f: Any, name: str) -> Any:
    return static.function(f, f"custom_linear_solve: {name}")


def _unknowns(kind: str, values: Any, what: str) -> tuple[list[Any], Any, list[Aval]]:
    leaves, treedef = tree.flatten(values)
    for i, x in enumerate(leaves):
        path = f"{what}{tree.keystr(treedef.paths()[i])}"
        if not is_array(x):
            raise ArgumentError(f"{kind}: {path} is {type(x).__name__}, not an array.")
        if not aval_of(x).inexact:
            raise DTypeError(
                lines(f"{kind}: {path} is {aval_of(x)}.", "Convert it to floating point with .astype.")
            )
    return leaves, treedef, [aval_of(x) for x in leaves]


def _checked(kind: str, f: Any, out: Any, treedef: Any, avals: Sequence[Aval], has_aux: bool) -> Any:
    """What a solver returned, if it is like the right-hand side."""
    x = _pair(kind, f, out)[0] if has_aux else out
    leaves, found = tree.flatten(x)
    _same_tree(kind, f, found, treedef)
    _like(kind, f, [aval_of(v) for v in leaves], avals)
    return out


def _pair(kind: str, f: Any, out: Any) -> Any:
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        raise TreeError(
            f"{kind}: with has_aux, {name_of(f)} returns a pair (x, aux), not {tree.structure(out)}."
        )
    return out


def _same_tree(kind: str, f: Any, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise TreeError(
            lines(
                f"{kind}: {name_of(f)} returns another structure than it takes:",
                *tree.differences(wanted, found),
            )
        )


def _like(kind: str, f: Any, found: Sequence[Aval], wanted: Sequence[Aval]) -> list[Aval]:
    """The avals that are wanted, if those found differ from them in weakness at most."""
    for a, b in zip(found, wanted, strict=True):
        if a.shape != b.shape or (a.dtype != b.dtype and not a.weak):
            error = ShapeError if a.shape != b.shape else DTypeError
            raise error(f"{kind}: {name_of(f)} must return {b.strong} like the unknown; it returned {a}.")
    return [Aval(b.shape, b.dtype, a.weak and b.weak) for a, b in zip(found, wanted, strict=True)]


class _Solver:
    """A traced solver `solve(f, y) -> x` or (x, aux): its Program, what it closes over, its output."""

    def __init__(self, kind: str, solve: Any, f: Any, treedef: Any, avals: list[Aval], has_aux: bool):
        def call(ts: Any) -> Any:
            out = solve(f, treedef.unflatten(ts))
            return _pair(kind, solve, out) if has_aux else (out, None)

        inner = Inner(kind, solve, avals, call, "the right-hand side of a solver")
        x_tree, self.aux_tree = inner.out_tree.children()
        _same_tree(kind, solve, x_tree, treedef)
        count = len(avals)
        outs = [*_like(kind, solve, inner.avals[:count], avals), *inner.avals[count:]]
        self.program, self.consts = convert_outputs(inner.program, outs), inner.consts
        self.treedef, self.has_aux = treedef, has_aux

    def result(self, results: Sequence[Any]) -> Any:
        n = self.treedef.num_leaves
        x = self.treedef.unflatten(results[:n])
        return (x, self.aux_tree.unflatten(results[n:])) if self.has_aux else x


def _transposed(operator: Any, n: int) -> Any:
    """(ct, consts) -> the transpose of the operator (x, consts) -> b."""
    count = len(operator.inputs) - n
    linear = (True,) * n + (False,) * count
    program, _ = transpose_program(operator, linear, (True,) * n, want=True)
    return arrange(program, [*range(count, count + n), *range(count)])


@boundary
def custom_root(
    f: Callable[[Any], Any],
    initial_guess: Any,
    solve: Callable[[Callable[[Any], Any], Any], Any],
    tangent_solve: Callable[[Callable[[Any], Any], Any], Any],
    has_aux: bool = False,
) -> Any:
    """x with f(x) = 0, as `solve(f, initial_guess)` finds it; derivatives by the implicit function theorem.

    dx = -(df/dx)^-1 df, where df is what the values that f closes over change. The first guess has no derivative.

    Args:
        f: from pytrees like the guess to pytrees like it; what it closes over is differentiated.
        solve: (f, initial_guess) -> x; not differentiated.
        tangent_solve: (g, y) -> z with g(z) = y for a linear function g; it must be linear in y and itself
            differentiable, `lambda g, y: y / g(1.0)` for scalars, or made with `custom_linear_solve`.
        has_aux: `solve` returns (x, aux); aux has no derivative.

    Raises:
        TreeError, ShapeError, DTypeError: f, solve or tangent_solve returns something unlike the guess.

    >>> import fx
    >>> def root(a):
    ...     newton = lambda f, x: fx.lax.fori_loop(0, 9, lambda i, x: x - f(x) / (2 * x), x)
    ...     return fx.lax.custom_root(lambda x: x * x - a, a, newton, lambda g, y: y / g(1.0))
    >>> fx.grad(root)(4.0)
    Array(0.25, float32)
    """
    for g, name in ((f, "f"), (solve, "solve"), (tangent_solve, "tangent_solve")):
        static.function(g, f"custom_root: {name}")
    leaves, treedef, avals = _unknowns("custom_root", initial_guess, "initial_guess")
    if current_trace() is None:
        return _checked("custom_root", solve, solve(f, initial_guess), treedef, avals, has_aux)
    equation = Inner(
        "custom_root", f, avals, lambda ts: f(treedef.unflatten(ts)), "the unknown of an equation"
    )
    _same_tree("custom_root", f, equation.out_tree, treedef)
    program = convert_outputs(equation.program, _like("custom_root", f, equation.avals, avals))
    solver = _Solver("custom_root", solve, f, treedef, avals, has_aux)
    tangents = _tangent_solver(f, tangent_solve, treedef, avals)
    consts = (equation.consts, solver.consts, tangents.consts)
    results = bind(
        root_p, *leaves, *consts[0], *consts[1], *consts[2],
        f=program, solve=solver.program, tangent_solve=tangents.program, sizes=Sizes(len(leaves), *map(len, consts)),
    )  # fmt: skip
    return solver.result(results)


def _tangent_solver(f: Any, tangent_solve: Any, treedef: Any, avals: list[Aval]) -> Inner:
    """(x, y) -> tangent_solve(df(x), y)."""
    n = len(avals)
    strong = [a.strong for a in avals]

    def call(ts: Any) -> Any:
        slope = linearize(f, treedef.unflatten(ts[:n]))[1]
        return tangent_solve(slope, treedef.unflatten(ts[n:]))

    inner = Inner("custom_root", tangent_solve, [*strong, *strong], call, "the tangent of an equation")
    _same_tree("custom_root", tangent_solve, inner.out_tree, treedef)
    inner.program = convert_outputs(inner.program, _like("custom_root", tangent_solve, inner.avals, strong))
    return inner
