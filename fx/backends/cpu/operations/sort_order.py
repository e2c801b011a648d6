"""The library of sorts: lines of words, and the order of a line by its keys.

An order is found by sorting records: words of 64 bits, 32 of the key above 32 of the place, all distinct, so that any
sort of them is stable. Keys of 64 bits are taken relative to the least and cut to their 32 highest bits that matter;
what is equal in these is put right by insertion, or, where that would take long, by sorting twice, by the low half and
by the high half.

The steps work on ranges [start, stop) of a line, so that programs may split them; `order` is an order so far or null.

    fx_records_i32(keys, step, start, stop, order, records)         of keys of 32 bits, `step` words apart
    fx_records_i64(keys, least, cut, start, stop, order, records)
    fx_range(keys, start, stop, ends)                               least and largest key of 64 bits
    fx_repair(start, stop, n, order, keys, records)                 whether all went well
    fx_places(start, stop, order, records, result)                  the order that sorted records stand for
    fx_order_i32, fx_order_i64(keys, n, order, records, work, result)   all together

`records` and `work` hold n words of 64 bits, `work` n numbers of 32 bits more.
"""

from __future__ import annotations

from collections.abc import Callable

from ..llvm import NULL, TRUE, Function, Module, Value, const, i64, vector
from .layout import either, vector_loop
from .library import Library, Signature
from .sort_networks import lanes_for
from .sort_words import signatures, sort_name, write_sort

_LONGEST = 32
"""Equal cut keys that insertion puts in order."""
_ALL = 0xFFFFFFFF
_ORDER = Signature("void", ("ptr", "i64", "ptr", "ptr", "ptr", "ptr"))


def _write(m: Module) -> None:
    write_sort(m, LIBRARY, "i64")
    _write_records32(LIBRARY.define(m, "fx_records_i32"))
    _write_records64(LIBRARY.define(m, "fx_records_i64"))
    _write_range(LIBRARY.define(m, "fx_range"))
    _write_repair(LIBRARY.define(m, "fx_repair"))
    _write_places(LIBRARY.define(m, "fx_places"))
    _write_by_half(m.function("by_half", "void", ["ptr", "i64", "i64", "ptr", "ptr", "ptr", "ptr"]))
    f = LIBRARY.define(m, "fx_order_i32")
    keys, n, order, records, work, result = f.args
    f.call("by_half", "void", [keys, i64(1), n, order, records, work, result])
    f.ret()
    _write_order64(LIBRARY.define(m, "fx_order_i64"))


# The steps


def _numbered(f: Function, order: Value, write: Callable[[Callable[[Value], Value]], None]) -> None:
    """write(number): the number of the element at a place of `order`, which may be null."""
    listed = lambda: write(lambda place: _number(f, order, place))
    either(f, f.icmp("eq", order, NULL), lambda: write(lambda place: place), listed)


def _number(f: Function, order: Value, place: Value) -> Value:
    return f.cast("zext", f.load("i32", f.gep("i32", order, place)), "i64")


def _write_records32(f: Function) -> None:
    keys, step, start, stop, order, records = f.args
    lanes = lanes_for("i64")

    def fill(number: Callable[[Value], Value]) -> None:
        with f.loop(start, stop) as loop:
            k = f.load("i32", f.gep("i32", keys, f.mul(number(loop.index), step)))
            f.store(_record(f, f.cast("zext", k, "i64"), loop.index), f.gep("i64", records, loop.index))

    def side_by_side(index: Value, lanes: int) -> None:
        k = f.cast("zext", f.load(vector("i32", lanes), f.gep("i32", keys, index)), vector("i64", lanes))
        places = f.add(f.splat(index, lanes), f.iota("i64", lanes))
        f.store(_record(f, k, places), f.gep("i64", records, index))

    adjacent = f.and_(f.icmp("eq", order, NULL), f.icmp("eq", step, i64(1)))
    wide = lambda: vector_loop(f, start, stop, lanes, side_by_side)
    either(f, adjacent, wide, lambda: _numbered(f, order, fill))
    f.ret()


def _record(f: Function, key: Value, place: Value) -> Value:
    return f.or_(f.shl(key, const(key.type, 32)), place)


def _write_records64(f: Function) -> None:
    keys, least, cut, start, stop, order, records = f.args

    def fill(number: Callable[[Value], Value]) -> None:
        with f.loop(start, stop) as loop:
            k = f.load("i64", f.gep("i64", keys, number(loop.index)))
            k = f.lshr(f.sub(k, least), cut)
            f.store(_record(f, k, loop.index), f.gep("i64", records, loop.index))

    _numbered(f, order, fill)
    f.ret()


def _write_places(f: Function) -> None:
    start, stop, order, records, result = f.args

    def fill(number: Callable[[Value], Value]) -> None:
        with f.loop(start, stop) as loop:
            place = f.and_(f.load("i64", f.gep("i64", records, loop.index)), i64(_ALL))
            f.store(f.cast("trunc", number(place), "i32"), f.gep("i32", result, loop.index))

    _numbered(f, order, fill)
    f.ret()


def _write_range(f: Function) -> None:
    keys, start, stop, ends = f.args
    lanes = lanes_for("i64")
    least, most = [const(vector("i64", lanes), v) for v in (-1, 0)]
    whole = f.add(start, f.and_(f.sub(stop, start), i64(-lanes)))
    with f.loop(start, whole, lanes, carry=[least, most]) as loop:
        loop.next(*_widened(f, loop.carry, f.load(least.type, f.gep("i64", keys, loop.index))))
    smaller = lambda x, y: f.intrinsic("llvm.umin", x, y)
    larger = lambda x, y: f.intrinsic("llvm.umax", x, y)
    found = [f.fold(smaller, loop.results[0]), f.fold(larger, loop.results[1])]
    with f.loop(whole, stop, carry=found) as loop:
        loop.next(*_widened(f, loop.carry, f.load("i64", f.gep("i64", keys, loop.index))))
    for k, value in enumerate(loop.results):
        f.store(value, f.gep("i64", ends, i64(k)))
    f.ret()


def _widened(f: Function, ends: list[Value], x: Value) -> list[Value]:
    return [f.intrinsic("llvm.umin", ends[0], x), f.intrinsic("llvm.umax", ends[1], x)]


def _write_repair(f: Function) -> None:
    """Records that are equal in their upper halves, in runs that begin in the range, by their whole keys."""
    start, stop, n, order, keys, records = f.args
    upper = lambda i: f.lshr(f.load("i64", f.gep("i64", records, i)), i64(32))
    beyond = f.intrinsic("llvm.smin", f.add(stop, i64(_LONGEST)), n)
    first = f.intrinsic("llvm.smax", start, i64(1))
    begun = f.icmp("eq", start, i64(0))
    with f.loop(first, beyond, carry=[i64(1), begun, TRUE]) as loop:
        length, mine, good = loop.carry
        same = f.icmp("eq", upper(loop.index), upper(f.sub(loop.index, i64(1))))
        length = f.select(same, f.add(length, i64(1)), i64(1))
        mine = f.select(same, mine, f.icmp("slt", loop.index, stop))
        short = f.icmp("sle", length, i64(_LONGEST))
        with f.when(f.and_(f.and_(same, mine), short)):
            _insert(f, records, loop.index, length, lambda place: _key(f, keys, order, place))
        loop.next(length, mine, f.and_(good, f.or_(short, f.not_(mine))))
    f.ret(loop.results[2])


def _key(f: Function, keys: Value, order: Value, place: Value) -> Value:
    """The whole key of the element at a place of an order that may be null."""
    plain, listed = (lambda: [place]), (lambda: [_number(f, order, place)])
    (number,) = f.choose(f.icmp("eq", order, NULL), plain, listed)
    return f.load("i64", f.gep("i64", keys, number))


def _insert(f: Function, records: Value, index: Value, length: Value, key: Callable[[Value], Value]) -> None:
    """The record at `index` brought to its place among the length - 1 in order before it."""
    moving = f.load("i64", f.gep("i64", records, index))
    mine = key(f.and_(moving, i64(_ALL)))
    with f.loop(i64(1), length) as loop:
        here = f.sub(index, loop.index)
        other = f.load("i64", f.gep("i64", records, here))
        with f.when(f.icmp("ugt", key(f.and_(other, i64(_ALL))), mine)):
            f.store(other, f.gep("i64", records, f.add(here, i64(1))))
            f.store(moving, f.gep("i64", records, here))


# Together


def _write_by_half(f: Function) -> None:
    """by_half(keys, step, n, order, records, work, result): by words of 32 bits that lie `step` apart."""
    keys, step, n, order, records, work, result = f.args
    f.call("fx_records_i32", "void", [keys, step, i64(0), n, order, records])
    f.call(sort_name("i64"), "void", [records, work, n])
    f.call("fx_places", "void", [i64(0), n, order, records, result])
    f.ret()


def _write_order64(f: Function) -> None:
    keys, n, order, records, work, result = f.args
    ends = f.alloca("i64", 2)
    f.call("fx_range", "void", [keys, i64(0), n, ends])
    least, cut = cut_of(f, ends)
    f.call("fx_records_i64", "void", [keys, least, cut, i64(0), n, order, records])
    f.call(sort_name("i64"), "void", [records, work, n])
    repaired = lambda: [f.call("fx_repair", "i1", [i64(0), n, n, order, keys, records])]
    (good,) = f.choose(f.icmp("eq", cut, i64(0)), lambda: [TRUE], repaired)

    def twice() -> None:
        between, high = f.gep("i64", work, n), f.gep("i32", keys, i64(1))
        f.call("by_half", "void", [keys, i64(2), n, order, records, work, between])
        f.call("by_half", "void", [high, i64(2), n, between, records, work, result])

    either(f, good, lambda: f.call("fx_places", "void", [i64(0), n, order, records, result]), twice)
    f.ret()


def cut_of(f: Function, ends: Value) -> tuple[Value, Value]:
    """The least key, and how many bits of the distance to it are cut off, from what `fx_range` wrote."""
    least, most = [f.load("i64", f.gep("i64", ends, i64(k))) for k in (0, 1)]
    used = f.sub(i64(64), f.intrinsic("llvm.ctlz", f.sub(most, least), immediate="i1 false"))
    return least, f.intrinsic("llvm.smax", f.sub(used, i64(32)), i64(0))


WORDS32 = Library(signatures("i32"), lambda m: write_sort(m, WORDS32, "i32"))
LIBRARY = Library(
    {
        **signatures("i64"),
        "fx_records_i32": Signature("void", ("ptr", "i64", "i64", "i64", "ptr", "ptr")),
        "fx_records_i64": Signature("void", ("ptr", "i64", "i64", "i64", "i64", "ptr", "ptr")),
        "fx_range": Signature("void", ("ptr", "i64", "i64", "ptr")),
        "fx_repair": Signature("i1", ("i64", "i64", "i64", "ptr", "ptr", "ptr")),
        "fx_places": Signature("void", ("i64", "i64", "ptr", "ptr", "ptr")),
        "fx_order_i32": _ORDER,
        "fx_order_i64": _ORDER,
    },
    _write,
)
