"""The memory pool, held against a simple model; its statistics are exact."""

import dis
import gc
import itertools
import os
import signal
import sys
import threading
import weakref
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fx.backends import pool as package
from fx.backends.pool import SMALL, HostMemory, Pool, block_under
from fx.backends.pool.blocks import FREE, PAGE
from fx.backends.pool.buckets import ALIGNMENT, class_size
from fx.backends.pool.statistics import lifetime_rows
from fx.core.errors import OutOfMemoryError

F4 = np.dtype("float32")
MIB = 1 << 20
HOME = os.path.dirname(package.__file__)


class Counting(HostMemory):
    """The host's memory, with a note of what is mapped."""

    def __init__(self):
        self.maps = {}
        self.taken = 0

    def take(self, nbytes):
        segment = super().take(nbytes)
        assert segment.address % PAGE == 0 and segment.nbytes >= nbytes
        self.maps[segment.address] = weakref.ref(segment.memory)
        self.taken += 1
        return segment

    def mapped(self):
        memories = [memory() for memory in self.maps.values()]
        return sum(len(m) for m in memories if m is not None and not m.closed)


@pytest.fixture
def pool():
    return Pool(Counting())


def audit(pool):
    """Everything that must hold at any time; gives the statistics."""
    s = pool.statistics()
    assert s.hits + s.misses == s.requests == sum(b.allocations for b in s.buckets)
    assert s.in_use <= s.reserved <= s.peak_reserved and s.in_use <= s.peak_in_use <= s.peak_reserved
    assert s.reserved == pool.source.mapped()
    live = pool.live()
    assert s.in_use == sum(b.nbytes for b in live) and sum(b.live for b in s.buckets) == len(live)
    assert s.reserved == s.in_use + s.rounding + s.idle + s.free and s.free >= 0
    assert sum(s.lifetimes) == s.requests - len(live)
    spans = sorted((b.address, b.address + b.size) for b in live)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    for heap in (pool.paged, pool.fine):
        check_chains(heap)
    return s


def check_chains(heap):
    """Chains cover their segments without gaps, free neighbours are joined, the free list is the free blocks."""
    free = []
    for segment in heap.segments.values():
        address, before = segment.address, None
        for block in segment.blocks():
            assert block.address == address and block.before is before and block.segment is segment
            assert not (block.state == FREE and before is not None and before.state == FREE)
            address, before = address + block.size, block
            free += [(block.size, block.address, block)] if block.state == FREE else []
        assert address == segment.address + segment.nbytes
    assert [e[:2] for e in heap.free] == sorted(e[:2] for e in free)


class AgainstModel(RuleBasedStateMachine):
    """Takes, gives, arrays, views of them, trims and limits in any order; the model is a dict of contents."""

    sizes = st.one_of(st.integers(0, 4096), st.integers(SMALL - 64, 6 * SMALL), st.integers(0, 2 * MIB))

    def __init__(self):
        super().__init__()
        self.pool = Pool(Counting(), idle_bytes=4 * MIB)
        self.blocks, self.arrays, self.tags = {}, {}, itertools.count(1)
        self.requests = self.refused = 0
        self.peak = 0
        gc.freeze()  # an aggressive trim collects what is made here alone

    def teardown(self):
        gc.unfreeze()

    def used(self):
        owners = {id(block): block.nbytes for block, _ in self.arrays.values() if block is not None}
        return sum(b.nbytes for b in self.blocks.values()) + sum(owners.values())

    def serve(self, make):
        try:
            made = make()
        except OutOfMemoryError:
            assert self.pool.limit < float("inf")
            self.refused += 1
            return None
        return made

    @rule(nbytes=sizes)
    def take(self, nbytes):
        block = self.serve(lambda: self.pool.take(nbytes))
        if block is not None:
            assert block.nbytes == nbytes <= block.size
            assert block.address % (PAGE if nbytes > 32 << 10 else ALIGNMENT) == 0
            self.requests += 1
            tag = next(self.tags)
            memory(block)[:] = tag % 251
            self.blocks[tag] = block
            self.peak = max(self.peak, self.used())

    @precondition(lambda self: self.blocks)
    @rule(data=st.data())
    def give(self, data):
        tag = data.draw(st.sampled_from(sorted(self.blocks)))
        block = self.blocks.pop(tag)
        assert (memory(block) == tag % 251).all()
        self.pool.give(block)
        with pytest.raises(ValueError, match="given back"):
            self.pool.give(block)

    @rule(rows=st.integers(0, 40), columns=st.integers(1, 10_000))
    def empty(self, rows, columns):
        array = self.serve(lambda: self.pool.empty((rows, columns), F4))
        if array is not None:
            assert array.shape == (rows, columns) and array.dtype == F4 and array.flags.c_contiguous
            assert array.flags.writeable and array.flags.owndata == (array.nbytes <= SMALL)
            tag = next(self.tags)
            array[...] = tag
            block = block_under(array) if array.nbytes > SMALL else None
            self.requests += block is not None
            self.arrays[tag] = block, [array]
            self.peak = max(self.peak, self.used())

    @precondition(lambda self: self.arrays)
    @rule(data=st.data(), step=st.sampled_from([1, 2, -1]))
    def view(self, data, step):
        _, views = self.arrays[data.draw(st.sampled_from(sorted(self.arrays)))]
        array = data.draw(st.sampled_from(views))
        views.append(array[::step].T if data.draw(st.booleans()) else array.view(np.int32).view(F4)[1:])

    @precondition(lambda self: self.arrays)
    @rule(data=st.data())
    def drop(self, data):
        tag = data.draw(st.sampled_from(sorted(self.arrays)))
        _, views = self.arrays[tag]
        array = views.pop(data.draw(st.integers(0, len(views) - 1)))
        assert (array == tag).all()
        del array
        if not views:
            del self.arrays[tag]

    @rule(aggressive=st.booleans())
    def trim(self, aggressive):
        before = self.pool.statistics().reserved
        given = self.pool.trim(aggressive)
        s = self.pool.statistics()
        assert s.reserved == before - given and s.idle == 0

    @rule(spare=st.one_of(st.none(), st.integers(0, 8 * MIB)))
    def limit(self, spare):
        self.pool.set_limit(float("inf") if spare is None else self.used() + spare)

    @rule()
    def sweep(self):
        self.pool.window_end = self.pool.requests

    @rule()
    def reset_peak(self):
        self.pool.reset_peak()
        self.peak = self.used()

    @invariant()
    def accounts(self):
        s = audit(self.pool)
        assert (s.in_use, s.requests, s.refused, s.peak_in_use) == (
            self.used(),
            self.requests,
            self.refused,
            self.peak,
        )
        assert all((memory(block)[::999] == tag % 251).all() for tag, block in self.blocks.items())
        assert all((v[::9, ::999] == tag).all() for tag, (_, views) in self.arrays.items() for v in views)


def memory(block):
    """The bytes of a block."""
    import ctypes

    return np.frombuffer((ctypes.c_uint8 * block.nbytes).from_address(block.address), np.uint8)


TestAgainstModel = AgainstModel.TestCase
TestAgainstModel.settings = settings(settings(), stateful_step_count=40)


@given(st.integers(0, 1 << 48))
@settings(max_examples=500)
def test_size_classes_bound_waste(nbytes):
    size = class_size(nbytes)
    assert size >= nbytes and size % ALIGNMENT == 0 and class_size(size) == size
    assert size - nbytes < max(nbytes / 8, ALIGNMENT) or nbytes == 0
    assert nbytes <= 32 << 10 or size % PAGE == 0


def test_the_block_returns_when_the_last_view_dies(pool):
    array = pool.empty((256, 1024), F4)
    address = array.ctypes.data
    row = array[3:5].T.reshape(-1, 2)[1:]
    in_a_cycle = [memoryview(array), None]
    in_a_cycle[1] = in_a_cycle
    del array
    assert pool.statistics().in_use == MIB
    del row
    assert pool.statistics().in_use == MIB
    del in_a_cycle
    gc.collect()
    assert pool.statistics().in_use == 0
    again = pool.empty((1 << 18,), F4)
    assert again.ctypes.data == address
    assert pool.statistics().hits == 1


def test_arrays_outlive_their_pool(pool):
    array = pool.empty((1 << 18,), F4)
    array[:] = 7
    kept = array[5:]
    del pool, array
    gc.collect()
    fillers = [np.zeros(1 << 18, "f4") for _ in range(20)]
    assert (kept == 7).all() and not fillers[0].any()


def test_blocks_merge_and_are_cut_again(pool):
    """Four blocks of a segment serve, once evicted, one request of all their bytes."""
    blocks = [pool.take(MIB // 2) for _ in range(4)]
    for block in (blocks[1], blocks[3], blocks[0], blocks[2]):
        pool.give(block)
    assert pool.statistics().idle == 2 * MIB
    pool.set_limit(2 * MIB)  # nothing more from the source: idle blocks must be joined
    whole = pool.take(2 * MIB)
    s = audit(pool)
    assert (s.misses, s.hits, s.evictions, pool.source.taken) == (1, 4, 4, 1)
    pool.give(whole)


def test_best_fit(pool):
    """Of two free blocks that hold a request the smaller one is cut."""
    pool.paged.segment_bytes = PAGE
    large, small = pool.take(8 * MIB), pool.take(3 * MIB)
    places = {"large": large.address, "small": small.address}
    for block in (large, small):
        pool.give(block)
        pool.statistics()
        block.bucket.clear()
    assert pool.take(2 * MIB).address == places["small"]
    assert pool.take(7 * MIB).address == places["large"]


def test_least_recently_used_goes_first_and_caps_hold():
    pool = Pool(Counting(), idle_bytes=3 * MIB)
    blocks = [pool.take(MIB) for _ in range(5)]
    addresses = [b.address for b in blocks]
    for block in blocks:
        pool.give(block)
    s = audit(pool)
    [bucket] = s.buckets
    assert (bucket.idle, bucket.evictions) == (3, 2)
    assert [pool.take(MIB).address for _ in range(3)] == addresses[:1:-1]


def test_what_was_not_needed_in_a_window_is_let_go(pool):
    many = [pool.take(MIB) for _ in range(10)]
    for block in many:
        pool.give(block)
    for _window in range(2):
        pool.window_end = pool.requests
        for _ in range(5):
            pool.give(pool.take(MIB))
    s = audit(pool)
    assert s.buckets[0].idle == 1 and s.evictions == 9


def test_what_is_kept_is_bounded(pool, monkeypatch):
    """Requests of ever new sizes: the pool keeps no more than twice what is in use and a constant."""
    monkeypatch.setattr("fx.backends.pool.pool.KEPT", 8 * MIB)
    rng = np.random.default_rng(0)
    for _ in range(400):
        pool.give(pool.take(int(rng.integers(SMALL, 4 * MIB))))
    assert audit(pool).reserved <= 8 * MIB + 2 * 4 * MIB + 5 * MIB


def step(pool, params):
    """What a training step asks for: activations that die backwards, gradients, new parameters, an arena."""
    arena = pool.take(300_000)
    activations = [pool.empty((128, 256 + 64 * i), F4) for i in range(4)]
    gradients = [pool.empty(p.shape, F4) for p in params]
    del activations
    pool.give(arena)
    return [pool.empty(g.shape, F4) for g in gradients]


def test_steady_state():
    """100,000 steps: nearly all hits, nothing grows."""
    pool = Pool(Counting())
    params = [pool.empty((256, 256), F4), pool.empty((512, 128), F4)]
    for _ in range(1000):
        params = step(pool, params)
    gc.collect()
    before, held = pool.statistics(), sys.getallocatedblocks()
    for _ in range(99_000):
        params = step(pool, params)
    gc.collect()
    after, grown = audit(pool), sys.getallocatedblocks() - held
    assert after.hit_rate >= 0.99 and after.misses == before.misses
    assert (after.reserved, after.in_use, after.peak_in_use) == (
        before.reserved,
        before.in_use,
        before.peak_in_use,
    )
    assert after.evictions == before.evictions and after.requests == 9 * 100_000 + 2
    assert grown < 500


class Named:
    """A label, as compiled programs give it."""

    def __init__(self, text):
        self.text = text

    def describe(self):
        return self.text


def test_limit_names_what_holds_the_memory(pool):
    pool.set_limit(16 * MIB)
    kept = pool.empty((8 * MIB // 4,), F4, Named("program step, equation 3: mul, made at train.py:12"))
    other = pool.take(2 * MIB, Named("arena of step"))
    with pytest.raises(OutOfMemoryError) as caught:
        pool.empty((9 * MIB // 4,), F4, Named("program step, equation 4: add, made at train.py:13"))
    text = str(caught.value)
    first, *rest = text.splitlines()
    assert (
        "equation 4: add, made at train.py:13" in first
        and "9437184 bytes (9 MiB)" in first
        and "16 MiB" in first
    )
    assert "10 MiB are in use" in rest[0] and "reserved" in rest[0]
    assert rest[2].split()[:2] == ["8", "MiB"] and "train.py:12" in rest[2]
    assert rest[3].split()[:2] == ["2", "MiB"] and "arena of step" in rest[3]
    assert "onate" in text and "checkpoint" in text and "fx.memory.limit" in text
    s = audit(pool)
    assert (
        s.refused == 1 and s.requests == 2 and s.limit == 16 * MIB and isinstance(caught.value, MemoryError)
    )
    del kept
    assert pool.empty((9 * MIB // 4,), F4) is not None
    pool.give(other)


def test_the_limit_trims_before_it_refuses(pool):
    pool.set_limit(8 * MIB)
    for n in (3 * MIB, 5 * MIB, 2 * MIB, 7 * MIB):
        pool.give(pool.take(n))
        assert audit(pool).reserved <= 8 * MIB
    assert pool.statistics().refused == 0


def test_garbage_is_collected_before_a_refusal(pool):
    gc.collect()
    gc.disable()
    try:
        pool.set_limit(8 * MIB)
        cycle = [pool.empty((6 * MIB // 4,), F4)]
        cycle.append(cycle)
        del cycle
        assert pool.empty((6 * MIB // 4,), F4).nbytes == 6 * MIB
    finally:
        gc.enable()


def test_the_machine_may_have_no_more(pool):
    with pytest.raises(OutOfMemoryError, match="the machine's memory"):
        pool.take(1 << 62)
    with pytest.raises(OutOfMemoryError):
        pool.empty((1 << 44, 1 << 10), F4)
    audit(pool)


def test_lifetimes_count_requests(pool):
    first = pool.take(MIB)
    for _ in range(9):
        pool.give(pool.take(MIB // 2))
    pool.give(first)
    s = pool.statistics()
    assert s.lifetimes[0] == 9 and s.lifetimes[4] == 1 and sum(s.lifetimes) == 10  # 8 <= 9 requests < 16
    rows = lifetime_rows(s)
    assert [r[:2] for r in rows] == [
        ("0", "9"),
        ("1", "0"),
        ("2 to 3", "0"),
        ("4 to 7", "0"),
        ("8 to 15", "1"),
    ]
    assert [len(r[2]) for r in rows] == [40, 0, 0, 0, 5]


def test_small_arrays_are_counted_apart(pool):
    for i in range(5):
        assert pool.empty((8, 8), F4).flags.owndata
        assert pool.statistics().small == i + 1
    assert pool.statistics().requests == 0


class Nesting(Counting):
    """A source in the middle of whose operations something else asks the same pool, as a finalizer would."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.deep = inner, False

    def take(self, nbytes):
        if not self.deep:
            self.deep = True
            try:
                self.inner()
            finally:
                self.deep = False
        return super().take(nbytes)


def test_requests_inside_of_requests():
    kept = []

    def inner():
        kept.append(pool.empty((300, 1000), F4))
        kept[-1][:] = len(kept)
        dying = pool.empty((300, 1000), F4)
        block = pool.take(1000)
        memory(block)[:] = 7
        del dying
        pool.give(block)
        if len(kept) > 3:
            kept.pop(0)
        pool.trim()
        s = pool.statistics()
        assert s.in_use <= s.reserved

    pool = Pool(Nesting(inner))
    arrays = []
    for i in range(20):
        arrays.append(pool.empty((200_000 + 50_000 * i,), F4))
        arrays[-1][:] = i
        if i % 3 == 0:
            arrays.pop(0)
            pool.trim()
        audit(pool)
    assert all((a == a[0]).all() for a in arrays) and all((a == a[0, 0]).all() for a in kept)
    arrays.clear(), kept.clear()
    pool.trim()
    assert audit(pool).reserved == 0 and not pool.source.mapped()


class Dying:
    """In a reference cycle, with a finalizer that uses the pool."""

    def __init__(self, pool, log):
        self.pool, self.log, self.me = pool, log, self
        self.array = pool.empty((20_000,), F4)

    def __del__(self):
        self.log.append(self.pool.empty((20_000,), F4).sum)
        self.log.pop()


def test_collections_in_the_middle_of_requests(pool):
    log, thresholds = [], gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        for i in range(150):
            Dying(pool, log)
            pool.empty((20_000 + 700 * i,), F4)
    finally:
        gc.set_threshold(*thresholds)
    gc.collect()
    assert audit(pool).in_use == 0


def busy_thread(pool, seed, rounds, errors):
    rng, kept = np.random.default_rng(seed), []
    try:
        for i in range(rounds):
            array = pool.empty((int(2 ** rng.uniform(13.5, 17)),), F4)
            array[:] = seed * 1000 + i
            kept.append((seed * 1000 + i, array[rng.integers(3) :]))
            if len(kept) > 5:
                tag, view = kept.pop(int(rng.integers(6)))
                assert (view == tag).all()
            if i % 20 == 5:
                pool.trim()
    except BaseException as e:
        errors.append(e)


def test_threads(pool):
    errors = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    pool._aside = None  # for requests inside of requests alone
    try:
        threads = [threading.Thread(target=busy_thread, args=(pool, n, 400, errors)) for n in range(5)]
        [t.start() for t in threads]
        [t.join() for t in threads]
    finally:
        sys.setswitchinterval(interval)
    assert not errors
    s = audit(pool)
    assert s.in_use == 0 and s.requests == 2000


def test_a_thread_waits_while_another_takes_memory():
    entered, go = threading.Event(), threading.Event()

    def pause():
        entered.set()
        assert go.wait(20)

    pool = Pool(Nesting(pause))
    arrays = []
    threads = [threading.Thread(target=lambda: arrays.append(pool.empty((100_000,), F4))) for _ in range(2)]
    threads[0].start()
    assert entered.wait(20)
    threads[1].start()
    threads[1].join(0.05)
    assert threads[1].is_alive() and not arrays
    go.set()
    [t.join() for t in threads]
    assert len(arrays) == 2 and not pool.apart and audit(pool).misses == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork(pool):
    """While another thread uses the pool: the child's copy works, its memory is its own."""
    mine, stop = pool.empty((100_000,), F4), threading.Event()
    mine[:] = 1

    def churn():
        while not stop.is_set():
            pool.give(pool.take(MIB))

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                os._exit(in_child(pool, mine))
            assert os.waitpid(child, 0)[1] == 0
            assert (mine == 1).all()
    finally:
        stop.set()
        thread.join()


def in_child(pool, mine):
    try:
        signal.alarm(20)
        mine[:] = 2
        arrays = [pool.empty((50_000 * i,), F4) for i in range(1, 9)]
        del mine, arrays
        pool.trim()
        audit(pool)
        return 0
    except BaseException:
        return 1


class Interrupt(Exception):
    pass


class At:
    """Runs an action at the n-th place inside the pool where CPython runs signal handlers and collections.

    Those are the starts of functions, backward jumps and the ends of calls of C functions (the "eval breaker").
    """

    def __init__(self, n, action):
        self.n, self.action, self.seen, self.last = n, action, 0, {}

    def __call__(self, frame, event, arg):
        if not frame.f_code.co_filename.startswith(HOME):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self.inside

    def inside(self, frame, event, arg):
        if event == "return":
            self.last[frame.f_back] = ""  # a return to a Python frame checks nothing
        elif event == "opcode":
            last = self.last.get(frame, "")
            self.last[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if last.startswith(("CALL", "RESUME", "JUMP_BACKWARD")):
                self.seen += 1
                if self.seen == self.n:
                    self.action()
        return self.inside


def run_disturbed(scenario, n, action):
    """A scenario with `action(pool)` at place n; how many places it met."""
    pool, kept = Pool(Counting()), []
    at, before = At(n, lambda: action(pool)), sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # without this CPython 3.12 reports no opcodes anywhere
    with suppress(Interrupt):
        sys.settrace(at)
        try:
            scenario(pool, kept)
        finally:
            sys.settrace(before)
    at.last.clear()
    assert len({a.ctypes.data for a in kept}) == len(kept)
    audit(pool)
    kept.clear()
    assert audit(pool).in_use == 0
    pool.trim()
    assert audit(pool).reserved == 0
    scenario(pool, kept)
    return at.seen


def ask_twice(pool, kept):
    for n in (30_000, 30_000, 40_000):
        kept[:] = [pool.empty((n,), F4)]
    pool.give(pool.take(100))


def use_everything(pool, kept):
    for i in range(4):
        kept.append(pool.empty((30_000 + 40_000 * i,), F4))
    del kept[1:3]
    kept.append(pool.empty((70_000,), F4))
    pool.statistics()
    pool.window_end = 0
    kept.append(pool.empty((500_000,), F4))
    del kept[2:]
    pool.reset_peak()
    watch = pool.watch()
    pool.set_limit(pool.used + MIB)
    with suppress(OutOfMemoryError):
        kept.append(pool.empty((5_000_000,), F4))
    kept.append(pool.empty((60_000,), F4))
    pool.unwatch(watch)
    pool.set_limit(float("inf"))
    pool.trim()


def interrupt(pool):
    raise Interrupt


def finalize(pool):
    """What a finalizer may do in a collection: ask, let die, give, look."""
    array = pool.empty((30_000,), F4)
    array[:] = 5
    pool.give(pool.take(100))
    pool.trim()
    s = pool.statistics()
    assert (array == 5).all() and s.in_use <= s.reserved


SKIP = 1 if os.environ.get("FX_FUZZ") else 9


@pytest.fixture
def little_to_collect():
    """Collections look at what comes from here on alone."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("action", [interrupt, finalize])
@pytest.mark.parametrize("scenario, least, skip", [(ask_twice, 80, 1), (use_everything, 200, SKIP)])
def test_disturbed_anywhere(scenario, least, skip, action, little_to_collect):
    """An exception of a signal handler, or a finalizer that uses the pool: no block is lost, every count is exact."""
    places = run_disturbed(scenario, 0, action)
    assert places > least
    for n in range(1, places + 1, skip):
        run_disturbed(scenario, n, action)
