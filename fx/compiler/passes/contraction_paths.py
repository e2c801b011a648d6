"""Contraction paths: products of several arrays in the order that opt_einsum finds cheapest.

`einsum` asks for its order when it is traced. What vmap and differentiation make of contractions is a tree of
pairwise ones in the order in which they arose. Where the intermediate results of such a tree are read once, by
the next contraction, only the last result matters, and sums and products may be taken in another order. That
changes rounding (in the way any blocked matrix product does), so it is done only for a clear gain, and never
beyond contractions: what stands between them, or is read elsewhere, ends the tree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...core.avals import DYNAMIC
from ...core.program import Equation, Program, uncollected
from ...core.structure import Literal
from ...primitives.contraction import contract_p, parse
from ..rewriting import Atom, Rewriter, inside
from .dead_code import dead_code

MARGIN = 0.8
"""A new order must take at most this part of the multiplications of the old one."""
MOST = 24
"""Operands of a tree at most; beyond, the search for a path would take longer than it saves."""


def contraction_paths(program: Program) -> Program:
    """The Program with cheaper orders of its chained contractions."""
    return uncollected(lambda: _paths(program))


def _paths(program: Program) -> Program:
    at = Rewriter(program)
    trees = _trees(program)
    for eqn in program.equations:
        if eqn.primitive.calls:
            new = inside(eqn, contraction_paths)
            at.changed |= new is not eqn
            at.append(new)
            continue
        tree = trees.get(eqn.outputs[0]) if eqn.primitive is contract_p else None
        if tree is None or not _reordered(at, eqn, tree):
            at.append(eqn)
    return dead_code(at.finish()) if at.changed else program


Step = tuple[int, int, tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Numbers of two operands (results count on), their indices, those of the result."""


class _Tree(NamedTuple):
    """A contraction of several arrays: its operands with an index per axis, its result's indices, and the cost."""

    operands: list[Atom]
    indices: list[tuple[int, ...]]
    out: tuple[int, ...]
    cost: int


def _trees(program: Program) -> dict[Any, _Tree]:
    """The tree of each contraction that ends one of at least three operands."""
    chained = [e for e in program.equations if e.primitive is contract_p]
    if len(chained) < 2:
        return {}
    made = {e.outputs[0]: e for e in chained}
    read: dict[Any, int] = dict.fromkeys(made, 0)
    for eqn in program.equations:
        for v in eqn.inputs:
            if v in read:
                read[v] += 1
    for v in program.outputs:
        if v in read:
            read[v] += 2
    inner = {v: made[v] for e in chained for v in e.inputs if v in made and read[v] == 1 and made[v] is not e}
    return {
        v: _gather(e, inner) for v, e in made.items() if v not in inner and any(x in inner for x in e.inputs)
    }


def _gather(eqn: Equation, inner: dict[Any, Equation]) -> _Tree:
    """Collect the operands below a contraction, naming indices apart."""
    left, right, out = parse(eqn.params["spec"])
    names = {c: n for n, c in enumerate(dict.fromkeys(left + right))}
    count = len(names)
    pending: list[tuple[Atom, tuple[int, ...]]] = [
        (x, tuple([names[c] for c in part])) for x, part in zip(eqn.inputs, (left, right), strict=True)
    ]
    cost = _cost(eqn)
    operands, indices = [], []
    while pending:
        x, mine = pending.pop()
        below = inner.get(x)
        if below is None:
            operands.append(x)
            indices.append(mine)
            continue
        cost += _cost(below)
        a, b, c = parse(below.params["spec"])
        known = dict(zip(c, mine, strict=True))
        for letter in a + b:
            if letter not in known:
                known[letter] = count
                count += 1
        for y, part in zip(below.inputs, (a, b), strict=True):
            pending.append((y, tuple([known[i] for i in part])))
    return _Tree(operands, indices, tuple([names[c] for c in out]), cost)


def _cost(eqn: Equation) -> int:
    return contract_p.cost(*[v.aval for v in eqn.inputs], **eqn.params)


def _reordered(at: Rewriter, eqn: Equation, tree: _Tree) -> bool:
    """Emit the tree in a better order, if there is one that pays."""
    if len(tree.operands) > MOST or any(type(x) is Literal or DYNAMIC in x.aval.shape for x in tree.operands):
        return False
    steps = _steps(tree, _path(tree))
    if _cost_of(tree, steps) > MARGIN * tree.cost:
        return False
    at.changed = True
    _emit(at, eqn, tree, steps)
    return True


def _cost_of(tree: _Tree, steps: Sequence[Step]) -> int:
    size: dict[int, int] = {}
    for x, mine in zip(tree.operands, tree.indices, strict=True):
        size.update(zip(mine, x.aval.shape, strict=True))
    return sum([2 * math.prod([size[i] for i in {*a, *b}]) for _, _, a, b, _ in steps])


def _path(tree: _Tree) -> Sequence[tuple[int, ...]]:
    import opt_einsum

    parts = ",".join(["".join(map(opt_einsum.get_symbol, mine)) for mine in tree.indices])
    spec = f"{parts}->{''.join(map(opt_einsum.get_symbol, tree.out))}"
    shapes = [x.aval.shape for x in tree.operands]
    path, _ = opt_einsum.contract_path(spec, *shapes, shapes=True, optimize="auto")
    return path  # type: ignore[no-any-return]


def _steps(tree: _Tree, path: Sequence[tuple[int, ...]]) -> list[Step]:
    live = list(enumerate(tree.indices))
    number, steps = len(live), []
    for pair in path:
        chosen = [live.pop(i) for i in sorted(pair, reverse=True)]
        (m, a), (n, b) = chosen[1], chosen[0]
        wanted = {i for _, mine in live for i in mine} | set(tree.out)
        out = tuple([i for i in dict.fromkeys(a + b) if i in wanted]) if live else tree.out
        steps.append((m, n, a, b, out))
        live.append((number, out))
        number += 1
    return steps


def _emit(at: Rewriter, eqn: Equation, tree: _Tree, steps: list[Step]) -> None:
    values: list[Any] = list(tree.operands)
    for m, n, a, b, out in steps[:-1]:
        values.append(at.emit(contract_p, (values[m], values[n]), {"spec": _spec(a, b, out)}, eqn.source))
    m, n, a, b, out = steps[-1]
    at.append(
        Equation(contract_p, (values[m], values[n]), {"spec": _spec(a, b, out)}, eqn.outputs, eqn.source)
    )


def _spec(a: tuple[int, ...], b: tuple[int, ...], out: tuple[int, ...]) -> str:
    order = {i: chr(97 + n) if n < 26 else chr(65 + n - 26) for n, i in enumerate(dict.fromkeys(a + b))}
    left, right, result = ("".join([order[i] for i in part]) for part in (a, b, out))
    return f"{left},{right}->{result}"
