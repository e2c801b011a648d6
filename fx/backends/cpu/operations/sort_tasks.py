"""Long lines sorted by all threads.

Every piece of a line is cut into buckets by pivots from a sample, the same for all pieces; the buckets of all pieces
are brought together, and sorted one by one. Source: Frazer and McKellar, "Samplesort" (JACM 17, 1970).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..llvm import TRUE, Function, Value, bits_of, const, i64
from . import sort_order
from .library import call
from .moves import copy_long
from .sort_words import sort_name, split_name
from .tasks import least, parallel

LONG = 1 << 16
"""Elements of a line that is worth several tasks."""
_PIECE = 1 << 15
_PIECES = 256
"""Pieces at most."""
_BUCKETS = 32
_SAMPLE = 8 * _BUCKETS

Work = Callable[[Function, list[Value], Value, Value, Value], None]


class Long:
    """The steps over one line of n elements; `room` bytes of memory are for its counts."""

    def __init__(self, n: int):
        self.n = n
        self.piece = max(_PIECE, -(-n // _PIECES))
        self.pieces = -(-n // self.piece)
        self.room = 8 * (2 * _SAMPLE + (2 * _BUCKETS + 2) * self.pieces + 2 * _BUCKETS)

    def each(self, f: Function, stem: str, values: Sequence[Value], work: Work) -> None:
        """work(g, values, piece, start, stop) over the pieces, in tasks."""

        def task(g: Function, values: list[Value], piece: Value) -> None:
            start = g.mul(piece, i64(self.piece))
            work(g, values, piece, start, least(g, g.add(start, i64(self.piece)), i64(self.n)))

        parallel(f, stem, values, self.pieces, task)

    # Sorting words

    def sort(self, f: Function, word: str, words: Value, work: Value, room: Value, records: bool = False) -> None:
        """The words in order, in `work`; `words` is used up. Records of equal upper half stay in one bucket."""
        pivots, sizes, places, starts = self._places(f, room)
        self._choose_pivots(f, word, words, pivots, room, records)
        self.each(f, "split", [words, work, pivots, sizes], lambda *a: _split(*a, word))
        self._count(f, sizes, places, starts)
        self.each(f, "collect", [words, work, sizes, places], lambda *a: _collect(*a, word))

        def bucket(g: Function, values: list[Value], index: Value) -> None:
            words, work, starts = values
            start, stop = [g.load("i64", g.gep("i64", starts, g.add(index, i64(k)))) for k in (0, 1)]
            call(g, sort_name(word), [g.gep(word, work, start), g.gep(word, words, start), g.sub(stop, start)])

        parallel(f, "bucket", [words, work, starts], _BUCKETS, bucket)

    def _places(self, f: Function, room: Value) -> list[Value]:
        """Memory behind the sample: pivots, sizes and places by piece and bucket, starts of the buckets."""
        counts = _BUCKETS * self.pieces
        begin = 2 * _SAMPLE
        return [f.gep("i64", room, i64(k)) for k in _running(begin, (_BUCKETS, counts, counts))]

    def spare(self, f: Function, room: Value) -> Value:
        """Two numbers for every piece that no step of `sort` uses."""
        return f.gep("i64", room, i64(self.room // 8 - 2 * self.pieces))

    def _choose_pivots(
        self, f: Function, word: str, words: Value, pivots: Value, room: Value, records: bool
    ) -> None:
        with f.loop(i64(0), i64(_SAMPLE), trips=True) as loop:
            place = f.udiv(f.mul(loop.index, i64(self.n)), i64(_SAMPLE))
            f.store(f.load(word, f.gep(word, words, place)), f.gep(word, room, loop.index))
        call(f, sort_name(word), [room, f.gep("i64", room, i64(_SAMPLE)), i64(_SAMPLE)])
        with f.loop(i64(0), i64(_BUCKETS - 1), trips=True) as loop:
            place = f.mul(f.add(loop.index, i64(1)), i64(_SAMPLE // _BUCKETS))
            pivot = f.load(word, f.gep(word, room, place))
            pivot = f.and_(pivot, const(word, -1 << 32)) if records else pivot
            f.store(pivot, f.gep(word, pivots, loop.index))

    def _count(self, f: Function, sizes: Value, places: Value, starts: Value) -> None:
        """Where every bucket of every piece goes: bucket by bucket, piece by piece."""
        with f.loop(i64(0), i64(_BUCKETS), carry=[i64(0)], trips=True) as outer:
            f.store(outer.carry[0], f.gep("i64", starts, outer.index))
            with f.loop(i64(0), i64(self.pieces), carry=outer.carry, trips=True) as loop:
                at = f.add(f.mul(loop.index, i64(_BUCKETS)), outer.index)
                f.store(loop.carry[0], f.gep("i64", places, at))
                loop.next(f.add(loop.carry[0], f.load("i64", f.gep("i64", sizes, at))))
            outer.next(*loop.results)
        f.store(outer.results[0], f.gep("i64", starts, i64(_BUCKETS)))

    # Orders

    def order(
        self, f: Function, word: str, keys: Value, order: Value, records: Value, work: Value, room: Value, to: Value
    ) -> None:
        """As `fx_order_*`: the order by keys of 32 or 64 bits, n numbers of 32 bits; `work` has room for n more."""
        if word == "i32":
            self._by_half(f, keys, 1, order, records, work, room, to)
            return
        least_key, cut = self._range(f, keys, room)
        values = [keys, least_key, cut, order, records]
        self.each(f, "records", values, _fill64)
        self.sort(f, "i64", records, work, room, records=True)
        good = self._repaired(f, cut, order, keys, work, room)

        def twice() -> list[Value]:
            between, high = f.gep("i64", work, i64(self.n)), f.gep("i32", keys, i64(1))
            self._by_half(f, keys, 2, order, records, work, room, between)
            self._by_half(f, high, 2, between, records, work, room, to)
            return []

        f.choose(good, lambda: self._listed(f, order, work, to) or [], twice)

    def _by_half(
        self, f: Function, keys: Value, step: int, order: Value, records: Value, work: Value, room: Value, to: Value
    ) -> None:
        def fill(g: Function, values: list[Value], piece: Value, start: Value, stop: Value) -> None:
            keys, order, records = values
            call(g, "fx_records_i32", [keys, i64(step), start, stop, order, records])

        self.each(f, "records", [keys, order, records], fill)
        self.sort(f, "i64", records, work, room)
        self._listed(f, order, work, to)

    def _listed(self, f: Function, order: Value, records: Value, to: Value) -> None:
        self.each(f, "places", [order, records, to], _list)

    def _range(self, f: Function, keys: Value, room: Value) -> tuple[Value, Value]:
        ends = self.spare(f, room)

        def find(g: Function, values: list[Value], piece: Value, start: Value, stop: Value) -> None:
            keys, ends = values
            call(g, "fx_range", [keys, start, stop, g.gep("i64", ends, g.mul(piece, i64(2)))])

        self.each(f, "range", [keys, ends], find)
        call(f, "fx_range", [ends, i64(0), i64(2 * self.pieces), ends])
        return sort_order.cut_of(f, ends)

    def _repaired(self, f: Function, cut: Value, order: Value, keys: Value, records: Value, room: Value) -> Value:
        """Whether the order by cut keys could be put right."""
        flags = self.spare(f, room)

        def repair(g: Function, values: list[Value], piece: Value, start: Value, stop: Value) -> None:
            order, keys, records, flags = values
            good = call(g, "fx_repair", [start, stop, i64(self.n), order, keys, records])
            g.store(g.cast("zext", good, "i64"), g.gep("i64", flags, piece))

        def repaired() -> list[Value]:
            self.each(f, "repair", [order, keys, records, flags], repair)
            return [f.icmp("ne", self.combined(f, flags, Function.and_, 1), i64(0))]

        return f.choose(f.icmp("eq", cut, i64(0)), lambda: [TRUE], repaired)[0]

    def combined(self, f: Function, flags: Value, how: Callable[[Function, Value, Value], Value], start: int) -> Value:
        """The numbers of all pieces in one."""
        with f.loop(i64(0), i64(self.pieces), carry=[i64(start)], trips=True) as loop:
            loop.next(how(f, loop.carry[0], f.load("i64", f.gep("i64", flags, loop.index))))
        return loop.results[0]


def _running(start: int, sizes: Sequence[int]) -> list[int]:
    places = [start]
    for size in sizes:
        places.append(places[-1] + size)
    return places


def _split(f: Function, values: list[Value], piece: Value, start: Value, stop: Value, word: str) -> None:
    words, work, pivots, sizes = values
    lines = [f.gep(word, v, start) for v in (words, work)]
    mine = f.gep("i64", sizes, f.mul(piece, i64(_BUCKETS)))
    call(f, split_name(word), [*lines, f.sub(stop, start), pivots, i64(_BUCKETS), mine])


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
    call(f, "fx_records_i64", [keys, least_key, cut, start, stop, order, records])


def _list(f: Function, values: list[Value], piece: Value, start: Value, stop: Value) -> None:
    order, records, to = values
    call(f, "fx_places", [start, stop, order, records, to])
