"""Sorting lines of unsigned words in place: networks for few, quicksort on vectors or radix sort for many.

Quicksort partitions with vector compression, where the host has it: words below the pivot are packed to the left in
place, the others into a second buffer. Every range knows bounds of its values: equal words end it, and when pivots
were bad for too long it is halved by value, so that no input takes more than a few hundred passes.

Sources: Bramas, "A novel hybrid quicksort algorithm vectorized using AVX-512" (2017); Knuth, TAOCP 3, 5.2.5 (radix
sort).
"""

from __future__ import annotations

from ..engine import host
from ..llvm import Function, Module, Value, bits_of, const, i64, lanes_of, like, scalar_of, vector
from .layout import either
from .library import Library, Signature
from .moves import copy_long
from .sort_networks import lanes_for, largest, most, network, write_networks


def sort_name(word: str) -> str:
    return f"fx_sort_{word}"


def split_name(word: str) -> str:
    return f"fx_split_{word}"


def signatures(word: str) -> dict[str, Signature]:
    """fx_sort_*(words, as many words of working memory, n).

    fx_split_*(words, working memory, n, pivots, count, sizes) cuts a line into `count` parts, a power of two: part k
    is below pivot k and not below pivot k - 1. sizes: count numbers.
    """
    return {
        sort_name(word): Signature("void", ("ptr", "ptr", "i64")),
        split_name(word): Signature("void", ("ptr", "ptr", "i64", "ptr", "i64", "ptr")),
    }


def write_sort(m: Module, library: Library, word: str) -> None:
    """The functions of `signatures`."""
    write_networks(m, word)
    _write_split(library.define(m, split_name(word)), word)
    f = library.define(m, sort_name(word))
    words, work, n = f.args
    few = f.icmp("sle", n, i64(most(word)))
    many = _quick if has_compression() else _radix
    either(f, few, lambda: f.call("small", "void", [words, n]), lambda: many(f, word))
    f.ret()


def has_compression() -> bool:
    """Whether the host packs selected lanes of a vector by one instruction."""
    return host().vector_bytes == 64


# Quicksort


def _quick(f: Function, word: str) -> None:
    words, work, n = f.args
    name = "quick"
    g = f.module.function(name, "void", ["ptr", "ptr", "i64", word, word, "i64"])
    _write_quick(g, word, name)
    depth = f.mul(f.sub(i64(64), f.intrinsic("llvm.ctlz", n, immediate="i1 false")), i64(2))
    f.call(name, "void", [words, work, n, const(word, 0), const(word, -1), depth])


def _write_quick(f: Function, word: str, name: str) -> None:
    """quick(words, work, n, lowest, highest, depth): all words lie between lowest and highest."""
    words, work, n, lowest, highest, depth = f.args

    def split() -> None:
        pivot = _pivot(f, word, words, n, lowest, highest, depth)
        left, middle, rest = _halves(f, word, words, work, n, pivot)
        deeper = f.sub(depth, i64(1))
        below = f.sub(pivot, const(word, 1))
        f.call(name, "void", [words, work, left, lowest, below, deeper])
        f.call(name, "void", [middle, work, rest, pivot, highest, deeper])

    few = f.icmp("sle", n, i64(most(word)))
    many = lambda: either(f, f.icmp("eq", lowest, highest), lambda: None, split)
    either(f, few, lambda: f.call("small", "void", [words, n]), many)
    f.ret()


def _pivot(
    f: Function, word: str, words: Value, n: Value, lowest: Value, highest: Value, depth: Value
) -> Value:
    """Above the lowest: the median of a sample, or half way between the bounds."""

    def sampled() -> list[Value]:
        lanes = lanes_for(word)
        step = f.splat(f.udiv(n, i64(lanes)), lanes)
        places = f.mul(f.iota("i64", lanes), step)
        kind = vector(word, lanes)
        everywhere = const(like(kind, "i1"), True)
        sample = f.gather(kind, f.geps(word, words, places), everywhere, const(kind, 0))
        middle = f.extract(network(f, [sample])[0], lanes // 2)
        return [largest(f, middle, f.add(lowest, const(word, 1)))]

    def halved() -> list[Value]:
        half = f.lshr(f.sub(highest, lowest), const(word, 1))
        return [f.add(f.add(lowest, half), const(word, 1))]

    return f.choose(f.icmp("sgt", depth, i64(0)), sampled, halved)[0]


def _halves(
    f: Function, word: str, words: Value, work: Value, n: Value, pivot: Value
) -> tuple[Value, Value, Value]:
    """A line cut at a pivot, in place: size of the first part, address and size of the second."""
    cut = _partition if has_compression() else _partition_singly
    left = cut(f, word, words, work, n, pivot)
    rest, middle = f.sub(n, left), f.gep(word, words, left)
    copy_long(f, middle, work, f.mul(rest, i64(bits_of(word) // 8)))
    return left, middle, rest


def _write_split(f: Function, word: str) -> None:
    words, work, n, pivots, count, sizes = f.args

    def halves() -> None:
        half = f.lshr(count, i64(1))
        pivot = f.load(word, f.gep(word, pivots, f.sub(half, i64(1))))
        left, middle, rest = _halves(f, word, words, work, n, pivot)
        f.call(f.name, "void", [words, work, left, pivots, half, sizes])
        after = [f.gep(word, pivots, half), half, f.gep("i64", sizes, half)]
        f.call(f.name, "void", [middle, work, rest, *after])

    either(f, f.icmp("eq", count, i64(1)), lambda: f.store(n, sizes), halves)
    f.ret()


def _partition_singly(f: Function, word: str, words: Value, work: Value, n: Value, pivot: Value) -> Value:
    """The same without compression: every word goes both ways, and counts one way."""
    with f.loop(i64(0), n, carry=[i64(0)]) as loop:
        (left,) = loop.carry
        x = f.load(word, f.gep(word, words, loop.index))
        f.store(x, f.gep(word, work, f.sub(loop.index, left)))
        f.store(x, f.gep(word, words, left))
        loop.next(f.add(left, f.cast("zext", f.icmp("ult", x, pivot), "i64")))
    return loop.results[0]


def _partition(f: Function, word: str, words: Value, work: Value, n: Value, pivot: Value) -> Value:
    """Words below the pivot to the front of `words`, the others into `work`, both in order; how many are below."""
    lanes = lanes_for(word)
    kind = vector(word, lanes)
    pivots = f.splat(pivot, lanes)
    whole = f.and_(n, i64(-lanes))
    with f.loop(i64(0), whole, lanes, carry=[i64(0)]) as loop:
        (left,) = loop.carry
        x = f.load(kind, f.gep(word, words, loop.index))
        below = f.icmp("ult", x, pivots)
        f.store(_packed(f, x, below), f.gep(word, words, left))
        f.store(_packed(f, x, f.not_(below)), f.gep(word, work, f.sub(loop.index, left)))
        loop.next(f.add(left, _count(f, below)))
    (left,) = loop.results
    return _partition_rest(f, word, words, work, n, pivots, whole, left)


def _partition_rest(
    f: Function, word: str, words: Value, work: Value, n: Value, pivots: Value, whole: Value, left: Value
) -> Value:
    """The words beyond the last whole vector."""
    lanes = lanes_of(pivots.type)
    line = f.iota(word, lanes)
    first = lambda count: f.icmp("ult", line, f.splat(f.cast("trunc", count, word), lanes))
    there = first(f.sub(n, whole))
    x = f.masked_load(pivots.type, f.gep(word, words, whole), there, const(pivots.type, -1))
    small = f.icmp("ult", x, pivots)
    below, above = f.and_(there, small), f.and_(there, f.not_(small))
    more = _count(f, below)
    f.masked_store(_packed(f, x, below), f.gep(word, words, left), first(more))
    f.masked_store(_packed(f, x, above), f.gep(word, work, f.sub(whole, left)), first(_count(f, above)))
    return f.add(left, more)


def _packed(f: Function, x: Value, mask: Value) -> Value:
    """The lanes of the mask, moved together at the front."""
    name = f"llvm.experimental.vector.compress.v{lanes_of(x.type)}{scalar_of(x.type)}"
    f.module.declare(name, x.type, [x.type, mask.type, x.type])
    return f.emit(f"call {x.type} @{name}({x!r}, {mask!r}, {x.type} poison)", x.type)


def _count(f: Function, mask: Value) -> Value:
    bits = f.bitcast(mask, f"i{lanes_of(mask.type)}")
    return f.cast("zext", f.intrinsic("llvm.ctpop", bits), "i64")


# Radix sort


def _radix(f: Function, word: str) -> None:
    """Byte after byte, the lowest first; a byte that all words share costs nothing."""
    words, work, n = f.args
    digits = bits_of(word) // 8
    counts = f.alloca("i64", 256 * digits)
    with f.loop(i64(0), i64(256 * digits)) as loop:
        f.store(i64(0), f.gep("i64", counts, loop.index))
    with f.loop(i64(0), n) as loop:
        key = f.load(word, f.gep(word, words, loop.index))
        for d in range(digits):
            place = f.gep("i64", counts, f.add(_digit(f, key, const(word, 8 * d)), i64(256 * d)))
            f.store(f.add(f.load("i64", place), i64(1)), place)
    with f.loop(i64(0), i64(digits), carry=[words, work]) as loop:
        source, to = loop.carry
        shift = f.mul(loop.index, i64(8))
        shift = shift if word == "i64" else f.cast("trunc", shift, word)
        mine = f.gep("i64", counts, f.mul(loop.index, i64(256)))
        first = f.load("i64", f.gep("i64", mine, _digit(f, f.load(word, source), shift)))
        same = lambda: [source, to]
        moved = lambda: _radix_pass(f, word, source, to, n, mine, shift)
        loop.next(*f.choose(f.icmp("eq", first, n), same, moved))
    result = loop.results[0]
    with f.when(f.icmp("ne", result, words)):
        copy_long(f, words, result, f.mul(n, i64(digits)))


def _radix_pass(
    f: Function, word: str, source: Value, to: Value, n: Value, counts: Value, shift: Value
) -> list[Value]:
    with f.loop(i64(0), i64(256), carry=[i64(0)]) as loop:
        place = f.gep("i64", counts, loop.index)
        count = f.load("i64", place)
        f.store(loop.carry[0], place)
        loop.next(f.add(loop.carry[0], count))
    with f.loop(i64(0), n) as loop:
        x = f.load(word, f.gep(word, source, loop.index))
        place = f.gep("i64", counts, _digit(f, x, shift))
        target = f.load("i64", place)
        f.store(f.add(target, i64(1)), place)
        f.store(x, f.gep(word, to, target))
    return [to, source]


def _digit(f: Function, key: Value, shift: Value) -> Value:
    byte = f.and_(f.lshr(key, shift), const(key.type, 255))
    return f.cast("zext", byte, "i64")
