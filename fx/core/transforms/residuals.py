"""What reverse mode keeps: the residuals of a function as a printable fact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .. import tree
from ..avals import DYNAMIC, Aval
from ..program import Equation, Var
from ..source import Source
from .arguments import argument_name
from .gradient import _traced
from .reverse import linearize_program


class Residual(NamedTuple):
    """One kept value: where it comes from, its shape and dtype, bytes, and the user line that made it.

    `nbytes` is None for what a `while_loop` stacks: its number of trips is known only at run time.
    """

    name: str
    aval: Aval
    nbytes: int | None
    source: Source | None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.aval.shape

    @property
    def dtype(self) -> Any:
        return self.aval.dtype


class Residuals(tuple[Residual, ...]):
    """All residuals of a function; prints as a table."""

    @property
    def nbytes(self) -> int:
        """Bytes of all residuals together, as far as they are known before the run."""
        return sum(r.nbytes or 0 for r in self)

    def __repr__(self) -> str:
        rows = [
            (r.name, str(r.aval), "?" if r.nbytes is None else f"{r.nbytes:,}", str(r.source or ""))
            for r in self
        ]
        rows.append((f"{len(self)} residuals", "", f"{self.nbytes:,}", ""))
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        return "\n".join(
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}} B  {d}".rstrip() for a, b, c, d in rows
        )


def residuals(fun: Callable[..., Any], *args: Any) -> Residuals:
    """What `fx.vjp(fun, *args)` keeps for the backward pass, without running anything.

    Returns:
        One `Residual` per kept array: an argument by its path (`params['w']`), a constant that is closed over, or
        the primitive that made it; with shape, bytes and user line. Large ones first.
    """
    t = _traced("residuals", fun, args, False)
    active = t.mask(tuple(a.inexact for a in t.avals))
    parts = linearize_program(t.program, active)
    kept = parts.forward.outputs[len(parts.out_active) :]
    made = {v: eqn for eqn in parts.forward.equations for v in eqn.outputs}
    place = {v: i for i, v in enumerate(parts.forward.inputs)}
    found = [
        Residual(
            _name(v, made, place, fun, t), v.aval, _nbytes(v.aval), made[v].source if v in made else None
        )
        for v in dict.fromkeys(kept)
        if type(v) is Var
    ]
    return Residuals(sorted(found, key=lambda r: float("-inf") if r.nbytes is None else -r.nbytes))


def _nbytes(aval: Aval) -> int | None:
    return None if DYNAMIC in aval.shape else aval.nbytes


def _name(v: Var, made: dict[Var, Equation], place: dict[Var, int], fun: Any, t: Any) -> str:
    if v in made:
        eqn = made[v]
        label = eqn.params.get("name") if eqn.primitive.alias else None
        return f"{label} (named)" if label else f"output of {eqn.primitive.name}"
    i = place[v]
    if i >= len(t.leaves):
        return "a constant closed over"
    path = t.in_tree.paths()[i]
    return f"argument {argument_name(fun, path[0].idx)}{tree.keystr(path[1:])}"
