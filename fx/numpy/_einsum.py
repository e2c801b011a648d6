"""einsum: the whole grammar, reduced to diagonals, sums over lone indices and pairwise contractions.

A call is planned once per (subscripts, shapes, optimize): the plan is a list of steps over static strings.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ..core import errors, static
from ..core.array import Array
from ..primitives.contraction import contract
from ..primitives.promotion import promote
from ..primitives.reductions import reduce_any, reduce_sum
from ..primitives.shape import reshape, slice_axis, transpose
from ._arguments import operand, owned, sequence


class Plan(NamedTuple):
    """What to do with each operand alone, then which pairs to contract, then the last transpose."""

    singles: tuple[Any, ...]
    steps: tuple[tuple[int, int, str], ...]
    last: tuple[int, ...]


class Single(NamedTuple):
    """One operand: pairs of axes to take the diagonal of (in order), then axes to drop (size 1) and to sum."""

    diagonals: tuple[tuple[int, int], ...]
    dropped: tuple[int, ...]
    summed: tuple[int, ...]


def einsum(subscripts: Any, /, *operands: Any, optimize: Any = "auto") -> Array:
    """Einstein summation: `einsum("bij,bjk->bik", x, y)`, or interleaved `einsum(x, [0, 1], y, [1, 2], [0, 2])`.

    Repeated indices of one operand take its diagonal, `...` stands for axes that broadcast, and without `->` the
    indices that stand once are the result, in alphabetical order.

    Args:
        optimize: order of the pairwise steps: a name that opt_einsum knows, True ("auto"), False (left to right), or
            a path as `einsum_path` returns it.
    """
    text, xs = _subscripts(subscripts, operands)
    as_array = owned if len(xs) == 1 else operand
    arrays = [as_array(x, "einsum") for x in promote(*(xs or sequence(xs, "einsum")))]
    plan = _plan(text, tuple(x.shape for x in arrays), static.key(_hashable(optimize), "einsum: optimize"))
    return _run(plan, arrays)


def einsum_path(subscripts: Any, /, *operands: Any, optimize: Any = "auto") -> tuple[list[Any], str]:
    """The order in which `einsum` would contract, and opt_einsum's table of its cost."""
    text, xs = _subscripts(subscripts, operands)
    shapes = tuple(operand(x, "einsum_path").shape for x in xs)
    terms, out, sizes = _terms(text, shapes)
    path, info = _search(terms, out, sizes, _hashable(optimize))
    return ["einsum_path", *path], str(info)


def _run(plan: Plan, arrays: list[Array]) -> Array:
    arrays = [
        x if single is None else _alone(x, single) for x, single in zip(arrays, plan.singles, strict=True)
    ]
    for i, j, spec in plan.steps:
        y, x = arrays.pop(j), arrays.pop(i)
        arrays.append(contract(x, y, spec))
    return transpose(arrays[0], plan.last)


def _alone(x: Array, single: Single) -> Array:
    for a, b in single.diagonals:
        x = diagonal_of(x, a, b)
    if single.dropped:
        x = reshape(x, tuple(d for i, d in enumerate(x.shape) if i not in single.dropped))
    if single.summed:
        x = (reduce_any if x.dtype.kind == "b" else reduce_sum)(x, axes=single.summed)
    return x


def diagonal_of(x: Array, a: int, b: int, offset: int = 0) -> Array:
    """The diagonal of axes a and b as the last axis: a strided slice of the two axes laid out as one."""
    kept = [i for i in range(x.ndim) if i not in (a, b)]
    x = transpose(x, (*kept, a, b))
    lead, (m, n) = x.shape[:-2], x.shape[-2:]
    first = offset if offset >= 0 else -offset * n
    count = max(0, min(m, n - offset) if offset >= 0 else min(m + offset, n))
    flat = reshape(x, (*lead, m * n))
    if not count:
        return slice_axis(flat, 0, 0, len(lead))
    return slice_axis(flat, first, first + (count - 1) * (n + 1) + 1, len(lead), n + 1)


# Reading the call


def _subscripts(first: Any, rest: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """Subscripts as a string without spaces, and the operands, from either form of the call."""
    if isinstance(first, str):
        if not rest:
            raise errors.ArgumentError("einsum needs at least one array after the subscripts.")
        return first.replace(" ", ""), list(rest)
    items = (first, *rest)
    arrays, lists = list(items[: len(items) // 2 * 2 : 2]), items[1::2]
    text = ",".join(_from_numbers(numbers) for numbers in lists)
    if len(items) % 2:
        text += "->" + _from_numbers(items[-1])
    return text, arrays


def _from_numbers(numbers: Any) -> str:
    if not isinstance(numbers, Sequence) or isinstance(numbers, str):
        raise errors.ArgumentError(
            errors.lines(
                f"einsum: a list of axis numbers was expected, not {type(numbers).__name__}.",
                'Write einsum("ij,jk->ik", x, y) or einsum(x, [0, 1], y, [1, 2], [0, 2]).',
            )
        )
    return "".join("..." if n is Ellipsis else _letter(n) for n in numbers)


def _letter(n: Any) -> str:
    if not isinstance(n, int) or not 0 <= n < 52:
        raise errors.ArgumentError(f"einsum: axis numbers run from 0 to 51; got {errors.brief(n)}.")
    return chr(ord("A") + n) if n < 26 else chr(ord("a") + n - 26)


def _hashable(optimize: Any) -> Any:
    if isinstance(optimize, (list, tuple)):
        return tuple(tuple(p) if isinstance(p, (list, tuple)) else p for p in optimize)
    return optimize


# Planning


@lru_cache(4096)
def _plan(text: str, shapes: tuple[tuple[int, ...], ...], optimize: Any) -> Plan:
    terms, out, sizes = _terms(text, shapes)
    thinned = [_thinned(term, shape, sizes) for term, shape in zip(terms, shapes, strict=True)]
    singles, left = [], []
    for k, (diagonals, dropped, names) in enumerate(thinned):
        elsewhere = set(out).union(*[other for n, (_, _, other) in enumerate(thinned) if n != k])
        summed = tuple(i for i, n in enumerate(names) if n not in elsewhere)
        singles.append(Single(diagonals, dropped, summed) if diagonals or dropped or summed else None)
        left.append("".join(n for n in names if n in elsewhere))
    steps = []
    for i, j in _pairs(left, out, sizes, optimize):
        y, x = left.pop(j), left.pop(i)
        made = _product_order(x, y, set(out).union(*left)) if left else out
        steps.append((i, j, f"{x},{y}->{made}"))
        left.append(made)
    return Plan(tuple(singles), tuple(steps), tuple(left[0].index(i) for i in out))


def _product_order(x: str, y: str, needed: set[str]) -> str:
    """Shared indices, then those of x, then those of y: the order in which a product comes out."""
    both = [i for i in x if i in y and i in needed]
    return "".join(both + [i for i in x if i not in y] + [i for i in y if i not in x])


def _thinned(term: str, shape: tuple[int, ...], sizes: dict[str, int]) -> tuple[Any, Any, list[str]]:
    """Diagonals to take until no index repeats, axes of size 1 that only broadcast, and the names that stay."""
    names, dims, diagonals = list(term), list(shape), []
    while len(set(names)) < len(names):
        a = next(i for i, n in enumerate(names) if n in names[i + 1 :])
        b = names.index(names[a], a + 1)
        diagonals.append((a, b))
        names = [n for i, n in enumerate(names) if i not in (a, b)] + [names[a]]
        dims = [d for i, d in enumerate(dims) if i not in (a, b)] + [dims[a]]
    dropped = tuple(i for i, (n, d) in enumerate(zip(names, dims, strict=True)) if d == 1 and sizes[n] != 1)
    return tuple(diagonals), dropped, [n for i, n in enumerate(names) if i not in dropped]


def _terms(text: str, shapes: tuple[tuple[int, ...], ...]) -> tuple[list[str], str, dict[str, int]]:
    """Index names of each operand and of the result, with ellipses written out, and the size of each index."""
    inputs, arrow, out = text.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(shapes):
        raise errors.ShapeError(f"einsum {text!r} speaks of {len(terms)} arrays; {len(shapes)} were given.")
    for part in (*terms, out):
        _check_letters(part, text)
    dots = _ellipsis_names(terms, shapes, text)
    terms = [_written_out(t, len(s), dots, text) for t, s in zip(terms, shapes, strict=True)]
    if arrow:
        if dots and "..." not in out:
            raise errors.ShapeError(
                f"einsum {text!r}: the operands have axes under '...' that the result leaves out."
            )
        out = out.replace("...", dots)
    else:
        once = [i for i in sorted(set("".join(terms))) if "".join(terms).count(i) == 1 and i not in dots]
        out = dots + "".join(once)
    if len(set(out)) != len(out) or not set(out) <= set("".join(terms)) | set(dots):
        raise errors.ShapeError(f"einsum {text!r}: the result must name indices of the operands, each once.")
    return terms, out, _index_sizes(terms, shapes, text)


def _check_letters(part: str, text: str) -> None:
    bare = part.replace("...", "", 1)
    if not all(c.isascii() and c.isalpha() for c in bare):
        bad = next(c for c in bare if not (c.isascii() and c.isalpha()))
        raise errors.ArgumentError(
            errors.lines(
                f"einsum {text!r}: {bad!r} is not an index.",
                "Indices are letters; a part has at most one '...'; parts are separated by ',' and '->'.",
            )
        )


def _ellipsis_names(terms: list[str], shapes: Any, text: str) -> str:
    """Names for the axes that `...` stands for; as many as the longest needs."""
    lengths = [len(s) - len(t) + 3 for t, s in zip(terms, shapes, strict=True) if "..." in t]
    if any(n < 0 for n in lengths):
        raise errors.ShapeError(f"einsum {text!r} names more axes than the shapes {list(shapes)} have.")
    return "".join(chr(0x3B1 + i) for i in range(max(lengths, default=0)))


def _written_out(term: str, rank: int, dots: str, text: str) -> str:
    if "..." in term:
        n = rank - (len(term) - 3)
        return term.replace("...", dots[len(dots) - n :] if n else "")
    if len(term) != rank:
        raise errors.ShapeError(f"einsum {text!r}: {term!r} names {len(term)} axes; the array has {rank}.")
    return term


def _index_sizes(terms: list[str], shapes: Any, text: str) -> dict[str, int]:
    """The size of each index; size 1 broadcasts, but not against another axis of the same operand."""
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        own: dict[str, int] = {}
        for i, d in zip(term, shape, strict=True):
            if own.setdefault(i, d) != d or (sizes.get(i, d) not in (d, 1) and d != 1):
                raise errors.ShapeError(
                    errors.lines(
                        f"einsum {text!r}: index {i!r} has sizes {own[i] if own[i] != d else sizes[i]} and {d}.",
                        f"shapes: {', '.join(map(str, shapes))}",
                    )
                )
        for i, d in own.items():
            sizes[i] = d if sizes.get(i, 1) == 1 else sizes[i]
    return sizes


def _pairs(terms: list[str], out: str, sizes: dict[str, int], optimize: Any) -> list[tuple[int, int]]:
    """Positions (i < j) of the two operands of every step; each result goes to the end of the list."""
    if len(terms) < 3:
        return [(0, 1)] if len(terms) == 2 else []
    if optimize is False:
        return [(0, 1), *[(0, len(terms) - k) for k in range(2, len(terms))]]
    pairs = []
    count = len(terms)
    for group in (*_search(terms, out, sizes, optimize)[0], range(count)):
        positions = sorted(p for p in group if p < count)
        while len(positions) > 1:
            j, i = positions.pop(), positions.pop()
            pairs.append((i, j))
            count -= 1
            positions.append(count - 1)
    return pairs


def _search(terms: list[str], out: str, sizes: dict[str, int], optimize: Any) -> tuple[Any, Any]:
    import opt_einsum

    given = optimize[1:] if isinstance(optimize, tuple) and optimize[:1] == ("einsum_path",) else optimize
    how = "auto" if given is True else [tuple(range(len(terms)))] if given is False else given
    how = list(how) if isinstance(how, tuple) else how
    shapes = [tuple(sizes[i] for i in t) for t in terms]
    try:
        return opt_einsum.contract_path(f"{','.join(terms)}->{out}", *shapes, shapes=True, optimize=how)
    except (KeyError, TypeError, ValueError, IndexError) as e:
        raise errors.ArgumentError(f"einsum: optimize={errors.brief(optimize)} is not accepted: {e}") from e
