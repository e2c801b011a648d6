"""Simplify: the passes over a Program that come before fusion, in their order.

Inlining exposes what the other passes work on. Algebra and folding make equations dead or equal, so merging and
dead code come after them; merged operands allow more algebra, so the middle part runs again while it changes
something, a small fixed number of rounds at most. Expansion writes in simpler equations what no pass before it
could use in that form.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from ..core.config import settings
from ..core.program import Program, check, uncollected
from .passes.algebra import algebra
from .passes.common_subexpressions import common_subexpressions
from .passes.contraction_paths import contraction_paths
from .passes.dead_code import dead_code
from .passes.expansion import expansion
from .passes.folding import folding
from .passes.inline import inline
from .passes.loop_batching import loop_batching
from .passes.unpacking import unpacking
from .rewriting import Pass

ROUNDS = 3


class Stage(NamedTuple):
    """A Program as one pass left it."""

    name: str
    program: Program
    seconds: float


def simplify(program: Program) -> list[Stage]:
    """The stages from a Program as it was traced, the first, to the simplified one, the last."""
    return uncollected(lambda: _simplify(program))


def _simplify(program: Program) -> list[Stage]:
    stages = [Stage("traced", program, 0.0)]
    for step in (inline, dead_code, common_subexpressions):
        _run(step, stages)
    for _ in range(ROUNDS):
        changed = [_run(step, stages) for step in (algebra, folding, loop_batching)]
        if not any(changed):
            break
        _run(common_subexpressions, stages)
        _run(dead_code, stages)
    _run(contraction_paths, stages)
    changed = [_run(step, stages) for step in (expansion, unpacking)]
    if any(changed):
        _run(common_subexpressions, stages)
    if settings().check_programs:
        check(stages[-1].program)
    return stages


def simplified(program: Program) -> Program:
    """The last stage."""
    return simplify(program)[-1].program


def _run(step: Pass, stages: list[Stage]) -> bool:
    """One pass, timed; whether it changed anything."""
    program = stages[-1].program
    start = time.perf_counter()
    found = step(program)
    stages.append(Stage(step.__name__, found, time.perf_counter() - start))
    return found is not program
