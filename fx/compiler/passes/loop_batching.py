"""Loop batching: products that a loop takes trip by trip, taken for all trips at once.

A product of one trip is small, and every trip reads its weights anew. Three rewrites of loops of a static length
make of T products one, with the trips as one more index:

    before the loop     slice @ weights              rules/loop_operands.py
    after the loop      carry + x.T @ y              rules/loop_sums.py
    after the loop      result = y @ weights         rules/loop_results.py

They are the gates of a recurrent network from its inputs, the gradient of its weights, and its outputs (or the
gradient of its inputs). Loops with a predicate or a length that only the run knows stay as they are. When moving
pays, and how much memory it may take, is said in rules/trips.py.
"""

from __future__ import annotations

from ...core.program import Program
from ..rules.loop_operands import products_of_slices
from ..rules.loop_results import products_of_results
from ..rules.loop_sums import sums_of_products
from .dead_code import dead_code


def loop_batching(program: Program) -> Program:
    """The Program with fewer and larger products in loops."""
    found = program
    for step in (products_of_slices, sums_of_products, products_of_results):
        found = step(found)
    return found if found is program else dead_code(found)
