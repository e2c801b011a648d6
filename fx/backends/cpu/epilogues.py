"""Epilogues: nests that turn the blocks of a matrix product, each as soon as it is stored and while it is in cache.

A bias, an activation, a scale: a nest that reads little but the product and may write its result in the product's
place. It is moved right behind the product, and the two run together: the thread that stored a block works on it.

What gains is traffic of memory. A nest that reads or writes a second large array is better walked on its own, in the
order of memory, and a small product is in cache anyway when it is complete.
"""

from __future__ import annotations

from ...compiler.fuse import fuse
from ...compiler.nest import View, row_major
from ...compiler.schedule import Schedule, Step, reads, writes
from ...core.program import Program, Var
from ...primitives.contraction import contract_p
from .blocks import maps_blocks
from .engine import host
from .llvm import NULL
from .operations.contract import matrix_shape, runs_in_blocks
from .operations.operation import Buffer
from .target import HostTarget

LITTLE = 16
"""What else a nest reads is at most one of so many parts of the product."""


def scheduled(program: Program, owned: bool = False) -> Schedule:
    """The fused schedule of a Program for this machine, with epilogues."""
    return attached(fuse(program, HostTarget(), owned), smallest())


def smallest() -> int:
    """Bytes of a product from which an epilogue pays: it would have left the nearer caches before it is complete."""
    return max(host().l3 // 4, 2 * host().l2)


def attached(schedule: Schedule, least: int) -> Schedule:
    """The schedule with the epilogues of products of at least so many bytes right behind these."""
    for product in [s for s in schedule.steps if _is_product(s, least)]:
        step = _Reader(schedule, product).epilogue()
        if step is not None:
            schedule.steps.remove(step)
            schedule.steps.insert(schedule.steps.index(product) + 1, step)
            step.product = product
    return schedule


def width_of(product: Step) -> int:
    """Columns of the matrix in whose rows and columns a product tells its blocks."""
    assert product.eqn is not None
    return matrix_shape(product.eqn.params["spec"], product.eqn.outputs[0].aval.shape)[1]


def _is_product(step: Step, least: int) -> bool:
    """Whether a step is a large matrix product that tells when a block of it is complete."""
    if step.eqn is None or step.eqn.primitive is not contract_p or writes(step)[0].aval.nbytes < least:
        return False
    if not all(isinstance(x, View) for x in step.operands):
        return False
    left, right = (Buffer(NULL, x.shape, x.strides, x.base.aval.dtype) for x in step.operands)
    shape, dtype = step.eqn.outputs[0].aval.shape, step.eqn.outputs[0].aval.dtype
    return runs_in_blocks(step.eqn.params["spec"], left, right, Buffer(NULL, shape, row_major(shape), dtype))


class _Reader:
    """What reads a product, if it is one nest alone."""

    def __init__(self, schedule: Schedule, product: Step):
        self.schedule, self.product = schedule, product
        (self.made,) = writes(product)
        self.results = {o.base for o in schedule.outputs if isinstance(o, View)}

    def epilogue(self) -> Step | None:
        """The step that may run on the product's blocks."""
        found = [s for s in self.schedule.steps if self.made in reads(s)]
        if len(found) != 1 or self.made in self.results or not self.maps_blocks(found[0]):
            return None
        (step,) = found
        return step if self.is_light(step) and self.is_ready(step) and self.has_place(step) else None

    def maps_blocks(self, step: Step) -> bool:
        """Whether a step is a nest that may overwrite the product block by block."""
        alone = step.eqn is None and len(step.nests) == 1
        return alone and maps_blocks(step.nest, self.made, width_of(self.product))

    def is_light(self, step: Step) -> bool:
        """Whether the nest reads little else."""
        return LITTLE * sum(v.aval.nbytes for v in reads(step) if v is not self.made) <= self.made.aval.nbytes

    def is_ready(self, step: Step) -> bool:
        """Whether all that the nest waits for is done when the product begins, but the product."""
        steps = self.schedule.steps
        return step.needs <= {s.number for s in steps[: steps.index(self.product) + 1]}

    def has_place(self, step: Step) -> bool:
        """Whether the result comes to lie where the product was: not where a donated argument may become it.

        An argument that is read from the product on, of the result's size, could give its memory only after it.
        """
        steps, (result,) = self.schedule.steps, writes(step)
        later = {v for s in steps[steps.index(self.product) :] for v in reads(s)}
        given = [v for v in self.schedule.program.inputs if v in later and alike(v, result)]
        return not given or result not in self.results


def alike(u: Var, v: Var) -> bool:
    """Whether one of two arrays may take the memory of the other."""
    return (u.aval.shape, u.aval.dtype) == (v.aval.shape, v.aval.dtype)
