"""Sorting networks on vectors of unsigned words, for lines of up to `most(word)` words.

Four vectors are sorted in registers; longer lines are sorted in parts of four, which are merged in a buffer, eight
vectors in registers at a time. What is missing to whole vectors counts as largest.

Source: K. Batcher, "Sorting networks and their applications" (1968), in the form in which every exchange puts the
smaller element first.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..engine import host
from ..llvm import Function, Module, Value, bits_of, const, const_vector, i64, lanes_of, vector
from .layout import either

_VECTORS = 64
"""Vectors of the longest line."""
_BLOCK = 8
"""Vectors that are merged in registers."""


def lanes_for(word: str) -> int:
    return 8 * host().vector_bytes // bits_of(word)


def most(word: str) -> int:
    """Words of the longest line."""
    return _VECTORS * lanes_for(word)


def write_networks(m: Module, word: str) -> None:
    """small(words, n) sorts up to `most(word)` words in place."""
    for vectors in (1, 2, 4):
        _write_network(m.function(f"network{vectors}", "void", ["ptr", "ptr", "i64"]), word, vectors)
    block = _BLOCK * lanes_for(word)
    _write_block(m.function("merge", "void", ["ptr"]), word, block - 1)
    _write_block(m.function("clean", "void", ["ptr"]), word, block // 2)
    _write_long(m.function("merged", "void", ["ptr", "i64"]), word)
    _write_small(m.function("small", "void", ["ptr", "i64"]), word)


# In registers


def network(f: Function, vectors: Sequence[Value]) -> list[Value]:
    """All lanes of all vectors, taken as one line, in ascending order."""
    found, size = list(vectors), 2
    while size <= len(vectors) * lanes_of(vectors[0].type):
        _merge(f, found, size - 1)
        size *= 2
    return found


def _merge(f: Function, found: list[Value], distance: int) -> None:
    """Exchanges at `distance`, then at ever shorter ones, to the end.

    With distance n - 1 every element of a line of n meets its mirror image, which merges two sorted halves; with n/2
    a bitonic line of n is put in order.
    """
    _exchange(f, found, distance)
    distance = (distance + 1) // 4 if distance & 1 else distance // 2
    while distance:
        _exchange(f, found, distance)
        distance //= 2


def _exchange(f: Function, found: list[Value], distance: int) -> None:
    """Elements e and e ^ distance in order."""
    lanes = lanes_of(found[0].type)
    across, inside = divmod(distance, lanes)
    if across:
        for k in range(len(found)):
            if k < k ^ across:
                found[k], found[k ^ across] = _pair(f, found[k], found[k ^ across], inside)
        return
    first = const_vector("i1", [int(i < i ^ inside) for i in range(lanes)])
    for k, x in enumerate(found):
        other = _turned(f, x, inside)
        found[k] = f.select(first, least(f, x, other), largest(f, x, other))


def _pair(f: Function, x: Value, y: Value, inside: int) -> tuple[Value, Value]:
    """Lane i of x and lane i ^ inside of y in order."""
    y = _turned(f, y, inside)
    return least(f, x, y), _turned(f, largest(f, x, y), inside)


def _turned(f: Function, x: Value, inside: int) -> Value:
    return f.shuffle(x, None, [i ^ inside for i in range(lanes_of(x.type))]) if inside else x


def least(f: Function, x: Value, y: Value) -> Value:
    return f.intrinsic("llvm.umin", x, y)


def largest(f: Function, x: Value, y: Value) -> Value:
    return f.intrinsic("llvm.umax", x, y)


# In memory


def _write_network(f: Function, word: str, vectors: int) -> None:
    """networkV(words, to, n): up to V vectors; where `to` is elsewhere whole vectors are written."""
    words, to, n = f.args
    kind = vector(word, lanes_for(word))
    masks = [_there(f, word, k, n) for k in range(vectors)]
    place = lambda base, k: f.gep(word, base, i64(k * lanes_for(word)))
    found = [f.masked_load(kind, place(words, k), m, const(kind, -1)) for k, m in enumerate(masks)]
    elsewhere = f.splat(f.icmp("ne", words, to), lanes_for(word))
    for k, (x, m) in enumerate(zip(network(f, found), masks, strict=True)):
        f.masked_store(x, place(to, k), f.or_(m, elsewhere))
    f.ret()


def _there(f: Function, word: str, k: int, n: Value) -> Value:
    """Which lanes of vector k belong to a line of n words."""
    lanes = lanes_for(word)
    line = const_vector(word, range(k * lanes, (k + 1) * lanes))
    count = f.intrinsic("llvm.smax", n, i64(0))
    return f.icmp("ult", line, f.splat(f.cast("trunc", count, word), lanes))


def _write_block(f: Function, word: str, distance: int) -> None:
    """Eight vectors of a buffer, merged from `distance` on."""
    kind = vector(word, lanes_for(word))
    places = [f.gep(kind, f.args[0], i64(k)) for k in range(_BLOCK)]
    found = [f.load(kind, p) for p in places]
    _merge(f, found, distance)
    for x, p in zip(found, places, strict=True):
        f.store(x, p)
    f.ret()


def _write_long(f: Function, word: str) -> None:
    """merged(words, n), n > 4 vectors: parts of four by the network, then merges of 8, 16, ... vectors."""
    words, n = f.args
    lanes = lanes_for(word)
    kind = vector(word, lanes)
    buffer = f.alloca(kind, _VECTORS)
    blocks = f.udiv(f.add(n, i64(_BLOCK * lanes - 1)), i64(_BLOCK * lanes))
    with f.loop(i64(0), f.mul(blocks, i64(2)), trips=True) as loop:
        start = f.mul(loop.index, i64(4 * lanes))
        place = f.gep(word, buffer, start)
        f.call("network4", "void", [f.gep(word, words, start), place, f.sub(n, start)])
    with f.loop(i64(0), blocks, trips=True) as loop:
        f.call("merge", "void", [f.gep(kind, buffer, f.mul(loop.index, i64(_BLOCK)))])
    vectors, size = f.mul(blocks, i64(_BLOCK)), 2 * _BLOCK
    while size <= _VECTORS:
        _merge_all(f, kind, buffer, vectors, size)
        size *= 2
    _copy_back(f, word, buffer, words, n)
    f.ret()


def _merge_all(f: Function, kind: str, buffer: Value, vectors: Value, size: int) -> None:
    """Every `size` vectors merged from their sorted halves; what is missing at the end is as if it were largest."""
    with f.loop(i64(0), f.sub(vectors, i64(size // 2)), size) as loop:
        base = f.gep(kind, buffer, loop.index)
        there = f.intrinsic("llvm.smin", f.sub(vectors, loop.index), i64(size))
        _merge_long(f, kind, base, there, size)
        with f.loop(i64(0), there, _BLOCK, trips=True) as block:
            f.call("clean", "void", [f.gep(kind, base, block.index)])


def _merge_long(f: Function, kind: str, base: Value, there: Value, size: int) -> None:
    """Exchanges down to the distance of a block; an exchange with what is missing changes nothing."""
    with f.loop(f.sub(i64(size), there), i64(size // 2), trips=True) as loop:
        mirror = f.sub(i64(size - 1), loop.index)
        _exchange_places(f, kind, base, loop.index, mirror, lanes_of(kind) - 1)
    distance = size // 4
    while distance >= _BLOCK:
        with f.loop(i64(0), f.sub(there, i64(distance)), 2 * distance) as part:
            stop = f.intrinsic("llvm.smin", f.add(part.index, i64(distance)), f.sub(there, i64(distance)))
            with f.loop(part.index, stop, trips=True) as loop:
                _exchange_places(f, kind, base, loop.index, f.add(loop.index, i64(distance)), 0)
        distance //= 2


def _exchange_places(f: Function, kind: str, base: Value, a: Value, b: Value, inside: int) -> None:
    places = [f.gep(kind, base, a), f.gep(kind, base, b)]
    x, y = [f.load(kind, p) for p in places]
    for value, place in zip(_pair(f, x, y, inside), places, strict=True):
        f.store(value, place)


def _copy_back(f: Function, word: str, buffer: Value, words: Value, n: Value) -> None:
    lanes = lanes_for(word)
    kind = vector(word, lanes)
    whole = f.and_(n, i64(-lanes))
    with f.loop(i64(0), whole, lanes, trips=True) as loop:
        f.store(f.load(kind, f.gep(word, buffer, loop.index)), f.gep(word, words, loop.index))
    rest = f.icmp("sgt", f.sub(n, whole), i64(0))
    with f.when(rest):
        last = f.load(kind, f.gep(word, buffer, whole))
        f.masked_store(last, f.gep(word, words, whole), _there(f, word, 0, f.sub(n, whole)))


def _write_small(f: Function, word: str) -> None:
    words, n = f.args
    lanes = lanes_for(word)
    run = lambda vectors: f.call(f"network{vectors}", "void", [words, words, n])
    long = lambda: f.call("merged", "void", [words, n])
    larger = lambda: either(f, f.icmp("sle", n, i64(4 * lanes)), lambda: run(4), long)
    large = lambda: either(f, f.icmp("sle", n, i64(2 * lanes)), lambda: run(2), larger)
    with f.when(f.icmp("sgt", n, i64(1))):
        either(f, f.icmp("sle", n, i64(lanes)), lambda: run(1), large)
    f.ret()
