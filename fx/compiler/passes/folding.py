"""Folding: transposes, broadcasts and reshapes go into the equations that read them, or past them.

Elementwise equations repeat their operands themselves, so that a broadcast in front of one is not needed; where
all operands are repeated, the operation is done first and its result repeated. A `contract` reads and writes its
axes in any order, and need not see an axis along which an operand repeats itself, unless it sums over it (then
the products are added one by one; multiplying instead would round differently). A contraction that sums over
nothing is a product, elementwise. Transposes and reshapes that only one elementwise chain reads move to its end,
where they meet a consumer that takes them, or each other. Values are the same as before, in every element.
"""

from __future__ import annotations

from typing import Any

from ...core.avals import DYNAMIC
from ...core.program import Equation, Program
from ...core.structure import Literal
from ...primitives import elementwise as ew
from ...primitives.contraction import contract_p, parse
from ...primitives.reductions import reduce_all, reduce_any, reduce_max, reduce_min, reduce_prod, reduce_sum
from ...primitives.shape import broadcast_p, reshape_p, transpose_p
from ..rewriting import Atom, Rewriter, Rules, avals_of, like, literal, rewrite
from ..rules.constants import elementwise, repeated

Found = Equation | Atom | None


def folding(program: Program) -> Program:
    """The Program with fewer rearrangements between its equations."""
    return rewrite(program, _RULES, folding)


# Elementwise equations


def _spread_operands(at: Rewriter, eqn: Equation) -> Found:
    """Operands as they were before they were broadcast."""
    made, inputs = at.made, None
    for i, v in enumerate(eqn.inputs):
        source = made.get(v)
        if source is not None and source.primitive is broadcast_p and type(source.inputs[0]) is not Literal:
            inputs = inputs or list(eqn.inputs)
            inputs[i] = _aligned(at, source)
    if inputs is None:
        return None
    operands = tuple(inputs)
    (aval,) = avals_of(eqn.primitive, operands, eqn.params)
    if aval.shape == eqn.outputs[0].aval.shape:
        return like(eqn, eqn.primitive, operands, eqn.params)
    return repeated(eqn, at.emit(eqn.primitive, operands, eqn.params, eqn.source))


def _aligned(at: Rewriter, spread: Equation) -> Atom:
    """The operand of a broadcast with axes of size 1 for the new ones, so that alignment from the right suffices."""
    (x,), axes = spread.inputs, spread.params["axes"]
    rank = len(spread.params["shape"])
    units = [1] * rank
    for a, d in zip(axes, x.aval.shape, strict=True):
        units[a] = d
    shape = tuple(units[min(axes, default=rank) :])
    if shape == x.aval.shape:
        return x
    key = ("aligned", x, shape)
    if key not in at.memo:
        at.memo[key] = at.reshape(x, shape, spread.source)
    found: Atom = at.memo[key]
    return found


def _moved_operands(at: Rewriter, eqn: Equation) -> Found:
    """Operands that were all transposed, or all reshaped, in the same way: so is the result, afterwards."""
    out = eqn.outputs[0].aval.shape
    move: Equation | None = None
    operands = []
    for v in eqn.inputs:
        made = at.made.get(v)
        if not v.aval.shape:
            operands.append(v)
        elif made is None or not _same_move(made, move) or v.aval.shape != out or not _only_here(at, v, eqn):
            return None
        else:
            move = made
            operands.append(made.inputs[0])
    if move is None:
        return None
    inner = at.emit(eqn.primitive, operands, eqn.params, eqn.source)
    return like(eqn, move.primitive, (inner,), move.params)


def _same_move(made: Equation, move: Equation | None) -> bool:
    if made.primitive is not transpose_p and made.primitive is not reshape_p:
        return False
    if not made.inputs[0].aval.shape or DYNAMIC in made.inputs[0].aval.shape:
        return False
    if move is None:
        return True
    same = made.primitive is move.primitive and made.params == move.params
    return same and made.inputs[0].aval.shape == move.inputs[0].aval.shape


def _only_here(at: Rewriter, v: Any, eqn: Equation) -> bool:
    return at.uses(v) == eqn.inputs.count(v)


# Contractions


def _contract(at: Rewriter, eqn: Equation) -> Found:
    left, right, out = parse(eqn.params["spec"])
    x, y = eqn.inputs
    parts, moved = [left, right], [x, y]
    for i, v in enumerate(eqn.inputs):
        made = at.maker(v, transpose_p)
        if made is not None:
            moved[i], parts[i] = made.inputs[0], _before(parts[i], made.params["perm"])
    if moved[0] is not x or moved[1] is not y:
        return like(eqn, contract_p, tuple(moved), {"spec": f"{parts[0]},{parts[1]}->{out}"})
    for i in (0, 1):
        made = at.maker(eqn.inputs[i], broadcast_p)
        found = None if made is None else _spread_factor(at, eqn, made, i)
        if found is not None:
            return found
    return _product(at, eqn, left, right, out)


def _before(letters: str, perm: tuple[int, ...]) -> str:
    """The letters of the axes of an operand before it was transposed."""
    order = [""] * len(perm)
    for letter, axis in zip(letters, perm, strict=True):
        order[axis] = letter
    return "".join(order)


def _spread_factor(at: Rewriter, eqn: Equation, made: Equation, i: int) -> Found:
    """An operand without the axes along which it repeats itself, where they are not summed over."""
    parts = parse(eqn.params["spec"])
    mine, other, out = parts[i], parts[1 - i], parts[2]
    (x,), shape, axes = made.inputs, made.params["shape"], made.params["axes"]
    own = {mine[a]: d for a, d in zip(axes, x.aval.shape, strict=True) if d == shape[a]}
    gone = [c for c in mine if c not in own and c in out]
    if not gone or type(x) is Literal:
        return None
    left = "".join([c for c in mine if c not in gone])
    factor = _without(at, made, mine, own, left)
    shorter = "".join([c for c in out if c not in gone or c in other])
    operands, specs = [factor, eqn.inputs[1 - i]], [left, other]
    if i == 1:
        operands.reverse()
        specs.reverse()
    params = {"spec": f"{specs[0]},{specs[1]}->{shorter}"}
    if shorter == out:
        return like(eqn, contract_p, tuple(operands), params)
    small = at.emit(contract_p, operands, params, eqn.source)
    places = tuple([out.index(c) for c in shorter])
    return like(eqn, broadcast_p, (small,), {"shape": eqn.outputs[0].aval.shape, "axes": places})


def _without(at: Rewriter, made: Equation, mine: str, own: dict[str, int], left: str) -> Atom:
    """The operand of a broadcast, repeated only along those of its letters that are left."""
    (x,) = made.inputs
    size = dict(zip(mine, made.params["shape"], strict=True))
    kept = [c for a, c in enumerate(mine) if c in own]
    x = at.reshape(x, tuple([size[c] for c in kept]), made.source)
    if len(kept) == len(left):
        return x
    params = {"shape": tuple([size[c] for c in left]), "axes": tuple([left.index(c) for c in kept])}
    return at.emit(broadcast_p, (x,), params, made.source)


def _product(at: Rewriter, eqn: Equation, left: str, right: str, out: str) -> Found:
    """A contraction that sums over nothing, or over one term: an elementwise product.

    A sum begins with 0.0, so that one term of -0.0 gives 0.0.
    """
    size = dict(zip(left + right, eqn.inputs[0].aval.shape + eqn.inputs[1].aval.shape, strict=True))
    summed = [d for c, d in size.items() if c not in out]
    if any([d != 1 for d in summed]):
        return None
    x, y = (_axes_for(at, v, mine, out, eqn) for v, mine in zip(eqn.inputs, (left, right), strict=True))
    if not summed:
        return like(eqn, ew.mul, (x, y))
    aval = eqn.outputs[0].aval.update(shape=())
    return like(eqn, ew.add, (at.emit(ew.mul, (x, y), {}, eqn.source), literal(0, aval)))


def _axes_for(at: Rewriter, x: Atom, mine: str, out: str, eqn: Equation) -> Atom:
    """x with its axes in the order of the result, and axes of size 1 for those it lacks."""
    order = [mine.index(c) for c in out if c in mine] + [a for a, c in enumerate(mine) if c not in out]
    longer = [a for a in order if x.aval.shape[a] != 1]
    if longer != sorted(longer):
        x = at.emit(transpose_p, (x,), {"perm": tuple(order)}, eqn.source)
    size = dict(zip(out, eqn.outputs[0].aval.shape, strict=True))
    shape = [size[c] if c in mine else 1 for c in out]
    while shape and shape[0] == 1 and out[-len(shape)] not in mine:
        shape.pop(0)
    return x if type(x) is Literal and not shape else at.reshape(x, tuple(shape), eqn.source)


def _transposed(at: Rewriter, eqn: Equation) -> Found:
    """A transposed contraction: one that writes its axes in that order."""
    (x,) = eqn.inputs
    made = at.maker(x, contract_p)
    if made is None or not at.private(x):
        return None
    left, right, out = parse(made.params["spec"])
    letters = "".join([out[i] for i in eqn.params["perm"]])
    return like(eqn, contract_p, made.inputs, {"spec": f"{left},{right}->{letters}"})


# Reductions


def _reduction(at: Rewriter, eqn: Equation) -> Found:
    """Of a transpose: over the axes where they were."""
    made = at.maker(eqn.inputs[0], transpose_p)
    if made is None:
        return None
    perm, axes = made.params["perm"], eqn.params["axes"]
    params = {"axes": tuple(sorted([perm[a] for a in axes]))}
    kept = [p for i, p in enumerate(perm) if i not in axes]
    if kept == sorted(kept):
        return like(eqn, eqn.primitive, made.inputs, params)
    small = at.emit(eqn.primitive, made.inputs, params, eqn.source)
    order = sorted(kept)
    return like(eqn, transpose_p, (small,), {"perm": tuple([order.index(p) for p in kept])})


_RULES: Rules = {
    **dict.fromkeys(elementwise(), (_spread_operands, _moved_operands)),
    contract_p: (_contract,),
    transpose_p: (_transposed,),
    **dict.fromkeys((reduce_sum, reduce_prod, reduce_max, reduce_min, reduce_any, reduce_all), (_reduction,)),
}
