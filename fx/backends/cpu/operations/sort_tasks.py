"""Whole lines of elements, in one call: keys, sort, elements again; long lines by all threads.

Every piece of a long line is cut into buckets by pivots from a sample, the same for all pieces; the buckets of all
pieces are brought together, and sorted one by one. Source: Frazer and McKellar, "Samplesort" (JACM 17, 1970).

    fx_sort_line_*(key, element, size, source, step, n, to, memory)   returns what `key` does
    fx_order_line_*(key, size, source, step, n, order, result, memory)

`key` and `element` are functions of `sort_keys`, `size` the bytes of an element, * the words of the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..llvm import TRUE, Function, Module, Value, bits_of, const, i64
from . import sort_order
from .layout import either
from .library import Library, Signature
from .moves import copy_long
from .sort_order import cut_of
from .sort_words import sort_name, split_name
from .tasks import least, parallel

LONG = 1 << 16
"""Elements of a line that is worth several tasks."""
_PIECE = 1 << 15
_PIECES = 256
"""Pieces at most."""
_BUCKETS = 32
_SAMPLE = 8 * _BUCKETS

_ROOM = 8 * (2 * _SAMPLE + 2 * _BUCKETS + (2 * _BUCKETS + 2) * _PIECES)
"""Bytes for counts."""

Work = Callable[[Function, list[Value], Value, Value, Value], None]


def padded(n: int) -> int:
    """n elements and what rounds their memory to whole cache lines."""
    return -(-n // 16) * 16


def sort_bytes(word_bytes: int, n: int) -> int:
    """Memory of `fx_sort_line`: words twice, and counts."""
    return 2 * word_bytes * padded(n) + (_ROOM if n >= LONG else 0)


def order_bytes(n: int) -> int:
    """Memory of `fx_order_line`: keys, records, working memory and an order between, and counts."""
    return 8 * padded(n) * 3 + 4 * padded(n) + (_ROOM if n >= LONG else 0)


class Line:
    """The steps over a line of n elements."""

    def __init__(self, f: Function, n: Value, room: Value):
        self.n, self.room = n, room
        most = f.udiv(f.add(n, i64(_PIECES - 1)), i64(_PIECES))
        self.piece = f.intrinsic("llvm.smax", most, i64(_PIECE))
        self.pieces = f.udiv(f.sub(f.add(n, self.piece), i64(1)), self.piece)
        counts = _BUCKETS * _PIECES
        places = _running(2 * _SAMPLE, (_BUCKETS, counts, counts, _BUCKETS + 1))
        self.pivots, self.sizes, self.places, self.starts, _ = [f.gep("i64", room, i64(k)) for k in places]
        self.spare = f.gep("i64", room, i64(_ROOM // 8 - 2 * _PIECES))
        """Two numbers for every piece."""

    def each(self, f: Function, stem: str, values: Sequence[Value], work: Work) -> None:
        """work(g, values, piece, start, stop) over the pieces, in tasks."""

        def task(g: Function, values: list[Value], piece: Value) -> None:
            *values, size, n = values
            start = g.mul(piece, size)
            work(g, values, piece, start, least(g, g.add(start, size), n))

        parallel(f, stem, [*values, self.piece, self.n], self.pieces, task)

    def combined(self, f: Function, how: Callable[[Function, Value, Value], Value], start: int) -> Value:
        """The first spare numbers of all pieces in one."""
        with f.loop(i64(0), self.pieces, carry=[i64(start)], trips=True) as loop:
            loop.next(how(f, loop.carry[0], f.load("i64", f.gep("i64", self.spare, loop.index))))
        return loop.results[0]

    # Keys and elements

    def keys(
        self, f: Function, word: str, key: Value, size: Value, source: Value, step: Value, to: Value
    ) -> Value:
        """Keys of the line; what `key` returned of any piece."""

        def read(g: Function, values: list[Value], piece: Value, start: Value, stop: Value) -> None:
            key, stride, source, step, to, spare = values
            place = g.gep("i8", source, g.mul(start, stride))
            args = [place, step, g.sub(stop, start), g.gep(word, to, start)]
            g.store(g.call_pointer(key, "i64", args), g.gep("i64", spare, piece))

        stride = f.mul(size, step)
        self.each(f, "keys", [key, stride, source, step, to, self.spare], read)
        return self.combined(f, Function.or_, 0)

    def elements(
        self, f: Function, word: str, element: Value, size: Value, words: Value, to: Value, step: Value
    ) -> None:
        def write(g: Function, values: list[Value], piece: Value, start: Value, stop: Value) -> None:
            element, stride, words, to, step = values
            place = g.gep("i8", to, g.mul(start, stride))
            g.call_pointer(element, "void", [g.gep(word, words, start), g.sub(stop, start), place, step])

        self.each(f, "elements", [element, f.mul(size, step), words, to, step], write)

    # Words

    def sort(self, f: Function, word: str, words: Value, work: Value, records: bool = False) -> None:
        """The words in order, in `work`; `words` is used up. Records of equal upper half stay in one bucket."""
        self._choose_pivots(f, word, words, records)
        self.each(f, "split", [words, work, self.pivots, self.sizes], lambda *a: _split(*a, word))
        self._count(f)
        self.each(f, "collect", [words, work, self.sizes, self.places], lambda *a: _collect(*a, word))

        def bucket(g: Function, values: list[Value], index: Value) -> None:
            words, work, starts = values
            start, stop = [g.load("i64", g.gep("i64", starts, g.add(index, i64(k)))) for k in (0, 1)]
            lines = [g.gep(word, work, start), g.gep(word, words, start)]
            g.call(sort_name(word), "void", [*lines, g.sub(stop, start)])

        parallel(f, "bucket", [words, work, self.starts], _BUCKETS, bucket)

    def _choose_pivots(self, f: Function, word: str, words: Value, records: bool) -> None:
        with f.loop(i64(0), i64(_SAMPLE), trips=True) as loop:
            place = f.udiv(f.mul(loop.index, self.n), i64(_SAMPLE))
            f.store(f.load(word, f.gep(word, words, place)), f.gep(word, self.room, loop.index))
        work = f.gep("i64", self.room, i64(_SAMPLE))
        f.call(sort_name(word), "void", [self.room, work, i64(_SAMPLE)])
        with f.loop(i64(0), i64(_BUCKETS - 1), trips=True) as loop:
            place = f.mul(f.add(loop.index, i64(1)), i64(_SAMPLE // _BUCKETS))
            pivot = f.load(word, f.gep(word, self.room, place))
            pivot = f.and_(pivot, const(word, -1 << 32)) if records else pivot
            f.store(pivot, f.gep(word, self.pivots, loop.index))

    def _count(self, f: Function) -> None:
        """Where every bucket of every piece goes: bucket by bucket, piece by piece."""
        with f.loop(i64(0), i64(_BUCKETS), carry=[i64(0)], trips=True) as outer:
            f.store(outer.carry[0], f.gep("i64", self.starts, outer.index))
            with f.loop(i64(0), self.pieces, carry=outer.carry, trips=True) as loop:
                at = f.add(f.mul(loop.index, i64(_BUCKETS)), outer.index)
                f.store(loop.carry[0], f.gep("i64", self.places, at))
                loop.next(f.add(loop.carry[0], f.load("i64", f.gep("i64", self.sizes, at))))
            outer.next(*loop.results)
        f.store(outer.results[0], f.gep("i64", self.starts, i64(_BUCKETS)))

    # Orders

    def order64(self, f: Function, keys: Value, order: Value, records: Value, work: Value, to: Value) -> None:
        """As `fx_order_i64`."""
        least_key, cut = self._range(f, keys)
        self.each(f, "records", [keys, least_key, cut, order, records], _fill64)
        self.sort(f, "i64", records, work, records=True)

        def twice() -> None:
            between, high = f.gep("i64", work, self.n), f.gep("i32", keys, i64(1))
            self.order32(f, keys, 2, order, records, work, between)
            self.order32(f, high, 2, between, records, work, to)

        good = self._repaired(f, cut, order, keys, work)
        either(f, good, lambda: self._listed(f, order, work, to), twice)

    def order32(
        self, f: Function, keys: Value, step: int, order: Value, records: Value, work: Value, to: Value
    ) -> None:
        """By words of 32 bits that lie `step` apart."""

        def fill(g: Function, values: list[Value], piece: Value, start: Value, stop: Value) -> None:
            keys, order, records = values
            g.call("fx_records_i32", "void", [keys, i64(step), start, stop, order, records])

        self.each(f, "records", [keys, order, records], fill)
        self.sort(f, "i64", records, work)
        self._listed(f, order, work, to)

    def _listed(self, f: Function, order: Value, records: Value, to: Value) -> None:
        self.each(f, "places", [order, records, to], _list)

    def _range(self, f: Function, keys: Value) -> tuple[Value, Value]:
        def find(g: Function, values: list[Value], piece: Value, start: Value, stop: Value) -> None:
            keys, ends = values
            g.call("fx_range", "void", [keys, start, stop, g.gep("i64", ends, g.mul(piece, i64(2)))])

        self.each(f, "range", [keys, self.spare], find)
        f.call("fx_range", "void", [self.spare, i64(0), f.mul(self.pieces, i64(2)), self.spare])
        return cut_of(f, self.spare)

    def _repaired(self, f: Function, cut: Value, order: Value, keys: Value, records: Value) -> Value:
        """Whether the order by cut keys could be put right."""

        def repair(g: Function, values: list[Value], piece: Value, start: Value, stop: Value) -> None:
            order, keys, records, n, spare = values
            good = g.call("fx_repair", "i1", [start, stop, n, order, keys, records])
            g.store(g.cast("zext", good, "i64"), g.gep("i64", spare, piece))

        def repaired() -> list[Value]:
            self.each(f, "repair", [order, keys, records, self.n, self.spare], repair)
            return [f.icmp("ne", self.combined(f, Function.and_, 1), i64(0))]

        return f.choose(f.icmp("eq", cut, i64(0)), lambda: [TRUE], repaired)[0]


def _running(start: int, sizes: Sequence[int]) -> list[int]:
    places = [start]
    for size in sizes:
        places.append(places[-1] + size)
    return places


def _split(f: Function, values: list[Value], piece: Value, start: Value, stop: Value, word: str) -> None:
    words, work, pivots, sizes = values
    lines = [f.gep(word, v, start) for v in (words, work)]
    mine = f.gep("i64", sizes, f.mul(piece, i64(_BUCKETS)))
    f.call(split_name(word), "void", [*lines, f.sub(stop, start), pivots, i64(_BUCKETS), mine])


def _collect(f: Function, values: list[Value], piece: Value, start: Value, stop: Value, word: str) -> None:
    """The buckets of one piece to their places."""
    words, work, sizes, places = values
    with f.loop(i64(0), i64(_BUCKETS), carry=[start], trips=True) as loop:
        at = f.add(f.mul(piece, i64(_BUCKETS)), loop.index)
        size, place = [f.load("i64", f.gep("i64", v, at)) for v in (sizes, places)]
        source, to = f.gep(word, words, loop.carry[0]), f.gep(word, work, place)
        copy_long(f, to, source, f.mul(size, i64(bits_of(word) // 8)))
        loop.next(f.add(loop.carry[0], size))


def _fill64(f: Function, values: list[Value], piece: Value, start: Value, stop: Value) -> None:
    keys, least_key, cut, order, records = values
    f.call("fx_records_i64", "void", [keys, least_key, cut, start, stop, order, records])


def _list(f: Function, values: list[Value], piece: Value, start: Value, stop: Value) -> None:
    order, records, to = values
    f.call("fx_places", "void", [start, stop, order, records, to])


# The library


def _rooms(f: Function, memory: Value, n: Value, unit: str, multiples: Sequence[int]) -> list[Value]:
    """Places in memory, in multiples of the rounded number of elements."""
    rounded = f.and_(f.add(n, i64(15)), i64(-16))
    return [f.gep(unit, memory, f.mul(rounded, i64(k))) for k in multiples]


def _write_sort_line(f: Function, word: str) -> None:
    key, element, size, source, step, n, to, memory = f.args
    words, work, room = _rooms(f, memory, n, word, (0, 1, 2))

    def short() -> list[Value]:
        signed = f.call_pointer(key, "i64", [source, step, n, words])
        f.call(sort_name(word), "void", [words, work, n])
        f.call_pointer(element, "void", [words, n, to, step])
        return [signed]

    def long() -> list[Value]:
        line = Line(f, n, room)
        signed = line.keys(f, word, key, size, source, step, words)
        line.sort(f, word, words, work)
        line.elements(f, word, element, size, work, to, step)
        return [signed]

    f.ret(f.choose(f.icmp("slt", n, i64(LONG)), short, long)[0])


def _write_order_line(f: Function, word: str) -> None:
    key, size, source, step, n, order, result, memory = f.args
    keys, records, work = _rooms(f, memory, n, "i64", (0, 1, 2))
    (room,) = _rooms(f, memory, n, "i32", (7,))

    def short() -> None:
        f.call_pointer(key, "i64", [source, step, n, keys])
        f.call(f"fx_order_{word}", "void", [keys, n, order, records, work, result])

    def long() -> None:
        line = Line(f, n, room)
        line.keys(f, word, key, size, source, step, keys)
        if word == "i32":
            line.order32(f, keys, 1, order, records, work, result)
        else:
            line.order64(f, keys, order, records, work, result)

    either(f, f.icmp("slt", n, i64(LONG)), short, long)
    f.ret()


_SORT_LINE = Signature("i64", ("ptr", "ptr", "i64", "ptr", "i64", "i64", "ptr", "ptr"))
_ORDER_LINE = Signature("void", ("ptr", "i64", "ptr", "i64", "i64", "ptr", "ptr", "ptr"))


def _library(kind: str, word: str, uses: Library) -> Library:
    name = f"fx_{kind}_line_{word}"
    write = _write_sort_line if kind == "sort" else _write_order_line
    signature = _SORT_LINE if kind == "sort" else _ORDER_LINE

    def fill(m: Module) -> None:
        write(made.define(m, name), word)

    made = Library({name: signature}, fill, [uses], threads=True)
    return made


LIBRARIES = [
    _library("sort", "i32", sort_order.WORDS32), _library("sort", "i64", sort_order.LIBRARY),
    _library("order", "i32", sort_order.LIBRARY), _library("order", "i64", sort_order.LIBRARY),
]  # fmt: skip
