"""Algebra: equations with a simpler form that gives the same results, special values included.

The rules stand in fx/compiler/rules. They apply in one walk: an equation sees its operands simplified already,
and is simplified itself until no rule applies.
"""

from __future__ import annotations

from ...core.program import Program
from ..rewriting import rewrite
from ..rules import arithmetic, inner, invariants, logic, reductions, structure
from ..rules.constants import table

_RULES = table(
    arithmetic.RULES, logic.RULES, reductions.RULES, structure.RULES, inner.RULES, invariants.RULES
)


def algebra(program: Program) -> Program:
    """The Program with simpler equations."""
    return rewrite(program, _RULES, algebra, structure.nothing)
