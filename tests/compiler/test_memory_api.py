"""fx.memory: what it shows agrees with what was done, and bad input gets fx's errors."""

import gc
import subprocess
import sys
import threading

import numpy as np
import pytest

import fx
from fx import memory, numpy as fnp
from fx.backends.pool import HOST
from fx.core.array import Array

F4 = np.dtype("float32")
MIB = 1 << 20


class Named:
    """A label, as compiled programs give it."""

    def __init__(self, text):
        self.text = text

    def describe(self):
        return self.text


@pytest.fixture(autouse=True)
def clean():
    before = memory.limit()
    memory.trim(aggressive=True)
    yield
    memory.limit(before)


def says(error, call, *facts):
    """`call()` raises `error`, and its message holds every fact."""
    with pytest.raises(error) as caught:
        call()
    assert not [fact for fact in facts if fact not in str(caught.value)], str(caught.value)


def made(n, label=None, dtype=F4):
    """An fx array over memory of the pool."""
    buffer = HOST.empty((n,), dtype, label)
    buffer[:] = 0
    return Array(buffer)


def test_stats_agree_with_what_is_done():
    before = memory.stats()
    x = made(MIB)
    y = made(MIB)
    del y
    z = made(MIB)
    after = memory.stats()
    assert after.requests - before.requests == 3 and after.in_use - before.in_use == 8 * MIB
    assert after.hits - before.hits >= 1 and after.hits + after.misses == after.requests
    assert after.in_use <= after.reserved <= after.peak_reserved
    [bucket] = [b for b in after.buckets if b.size == 4 * MIB]
    assert (bucket.live, bucket.in_use) == (2, 8 * MIB) and bucket.utilisation == 8 / (8 + 4 * bucket.idle)
    with pytest.raises(AttributeError):
        after.hits = 0
    del x, z


def test_stats_print(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # the numbers of a long run of tests need room
    made(MIB)  # dies at once, so that there is a lifetime to draw
    x = made(MIB)
    s = memory.stats()
    text = repr(s)
    assert (
        text.startswith("memory pool: host")
        and f"{s.requests:,}: {s.hits:,} hits, {s.misses:,} misses" in text
    )
    assert "reserved" in text and "peak" in text and max(map(len, text.splitlines())) < 100
    page = s._repr_html_()
    assert page.count("<table>") == page.count("</table>") == 3 and "4 MiB" in page and "hit rate" in page
    memory.print_stats()
    printed = capsys.readouterr().out
    assert "memory pool: host" in printed and "utilisation" in printed and "4 MiB" in printed
    assert "lifetime in requests" in printed and "█" in printed
    del x


def test_peak():
    memory.reset_peak()
    base = memory.peak()
    assert base == memory.stats().in_use
    x = made(2 * MIB)
    del x
    x = made(MIB)
    assert memory.peak() == base + 8 * MIB and memory.stats().in_use == base + 4 * MIB
    memory.reset_peak()
    assert memory.peak() == base + 4 * MIB
    del x


def test_limit():
    assert memory.limit("1 GiB") is None
    assert memory.limit() == 1 << 30 == memory.limit(None)
    assert memory.limit() is None
    used = memory.stats().in_use
    kept = made(MIB, Named("made at model.py:3"))
    memory.limit(memory.stats().reserved + MIB)
    says(fx.OutOfMemoryError, lambda: made(8 * MIB, Named("made at model.py:9")), "model.py:9", "model.py:3", "32 MiB",
         "checkpoint", "onate")  # fmt: skip
    assert memory.stats().in_use == used + 4 * MIB
    memory.limit(None)
    assert made(8 * MIB).nbytes == 32 * MIB
    del kept


def test_a_limit_below_what_is_reserved_gives_idle_memory_back():
    x = made(16 * MIB)
    del x
    assert memory.stats().reserved >= 64 * MIB
    memory.limit(memory.stats().in_use + MIB)
    assert memory.stats().reserved < 64 * MIB


def test_trim():
    x = made(4 * MIB)
    del x
    before = memory.stats()
    assert before.idle >= 16 * MIB
    given = memory.trim()
    after = memory.stats()
    assert given >= 16 * MIB and after.reserved == before.reserved - given and after.idle == 0


def test_aggressive_trim_collects_garbage():
    gc.disable()
    try:
        cycle = [made(4 * MIB)]
        cycle.append(cycle)
        del cycle
        before = memory.stats().in_use
        memory.trim()
        assert memory.stats().in_use == before
        memory.trim(aggressive=True)
        assert memory.stats().in_use == before - 16 * MIB
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "text, nbytes",
    [("2GiB", 2 << 30), ("2 gib", 2 << 30), ("1.5KiB", 1536), ("0.1GB", 10**8), (" 7 B ", 7), (5, 5), (np.int64(6), 6),
     ("3kb", 3000), ("1PiB", 1 << 50), (0, 0)],
)  # fmt: skip
def test_sizes_as_text(text, nbytes):
    assert memory.parse_bytes(text) == nbytes


@pytest.mark.parametrize(
    "bad", [-1, 1.5, True, "2", "much", "-3MiB", "2 GiBs", "1e9B", [1], 2j, float("nan"), "", "²B"]
)
def test_bad_sizes(bad):
    says(fx.ArgumentError, lambda: memory.limit(bad), "not a number of bytes", "GB", repr(bad))
    assert memory.limit() is None


# What is alive.


def ours(listing, *sizes):
    return [x for x in listing if x.nbytes in sizes]


def test_live_arrays_are_sorted_and_counted_once():
    x = made(1_000_003, Named("step, made at train.py:7"))
    row, view = Array(x.buffer[5:100]), np.asarray(x)[::2]
    y = fnp.ones((1001, 999))
    part = y[3:5]
    listing = memory.live_arrays()
    assert [a.nbytes for a in listing] == sorted((a.nbytes for a in listing), reverse=True)
    [big] = ours(listing, 4_000_012)
    assert (big.shape, big.dtype, big.made) == ((1_000_003,), F4, "step, made at train.py:7")
    [plain] = ours(listing, 4 * 1001 * 999)
    assert (plain.shape, plain.device, plain.made) == ((1001, 999), "cpu", None)
    del x
    [big] = ours(memory.live_arrays(), 4_000_012)
    assert big.shape == (95,)  # the part keeps all of it
    del row, y, part
    [big] = ours(memory.live_arrays(), 4_000_012, 4 * 1001 * 999)
    assert big.shape == (1_000_003,) and big.made == "step, made at train.py:7"  # by a NumPy view
    del view
    assert not ours(memory.live_arrays(), 4_000_012)


def test_live_arenas():
    block = HOST.take(3_000_001, Named("arena of step"))
    [arena] = ours(memory.live_arrays(), 3_000_001)
    assert arena.shape is None and arena.dtype is None and arena.made == "arena of step"
    HOST.give(block)
    assert not ours(memory.live_arrays(), 3_000_001)


def test_live_arrays_print():
    x = made(1_000_003, Named("step, made at <train>.py:7"))
    listing = memory.live_arrays()
    head, first, *_ = repr(listing).splitlines()
    assert head.startswith(f"{len(listing)} buffer") and listing.nbytes == sum(a.nbytes for a in listing)
    assert first.split() == ["3.815", "MiB", "f32[1000003]", "cpu", "step,", "made", "at", "<train>.py:7"]
    assert "&lt;train&gt;.py:7" in listing._repr_html_()
    assert "0 buffers" in repr(type(listing)())
    many = repr(type(listing)([listing[0]] * 35)).splitlines()
    assert len(many) == 32 and many[-1] == "... and 5 more"
    del x


def test_traced_values_are_not_listed():
    seen = []

    def f(x):
        y = x[1:]
        seen.append([a for a in memory.live_arrays() if a.shape == (77, 13)])
        return y

    fx.eval_shape(f, fnp.zeros((78, 13)))
    assert seen == [[]]


def test_leaks():
    old = made(100_000)
    plain = fnp.zeros(12_345)
    before = memory.mark()
    assert len(memory.leaks(before)) == 0
    kept = [made(200_000, Named("made at leak.py:1")), fnp.ones(54_321), Array(old.buffer[3:]), plain[2:]]
    block = HOST.take(777_777)
    passing = made(300_000)
    del passing
    cycle = [made(400_000)]
    cycle.append(cycle)
    del cycle
    found = memory.leaks(before)
    assert [x.nbytes for x in found] == [800_000, 777_777, 54_321 * 4] and found[
        0
    ].made == "made at leak.py:1"
    HOST.give(block)
    kept.clear()
    assert len(memory.leaks(before)) == 0


def test_memory_that_is_used_again_is_not_taken_for_the_old():
    old = made(100_000)
    numbers = fnp.zeros(100)
    before = memory.mark()
    address = old.buffer.ctypes.data
    del old, numbers
    fresh = [made(100_000), *[fnp.zeros(100) for _ in range(3)]]
    assert fresh[0].buffer.ctypes.data == address
    assert [x.nbytes for x in memory.leaks(before)] == [400_000, 400, 400, 400]


def test_a_mark_keeps_nothing_alive():
    x = made(500_000)
    used = memory.stats().in_use
    before = memory.mark()
    del x
    assert memory.stats().in_use == used - 2_000_000 and "buffers" in repr(before)


def test_a_loop_that_keeps_its_losses_leaks():
    """What `leaks` is for: scalars and arrays that a loop appends somewhere."""
    history = []
    before = memory.mark()
    for i in range(5):
        x = fnp.full(1000, 1.0 * i)
        history.append(x.sum())
    assert [x.shape for x in memory.leaks(before)] == [(1000,)] + [()] * 5


def test_leaks_needs_a_mark():
    says(fx.ArgumentError, lambda: memory.leaks(3), "mark()", "3")


# Regions.


def test_region_measures_a_block():
    x = made(MIB)
    with memory.region("step") as r:
        y = made(2 * MIB)
        del x
        z = made(MIB)
        del y
        assert (r.peak, r.requests) == (8 * MIB, 2)  # also while it runs
    later = made(4 * MIB)
    assert (r.start, r.peak, r.allocated, r.released, r.net, r.requests) == (
        r.start, 8 * MIB, 12 * MIB, 12 * MIB, 0, 2,
    )  # fmt: skip
    first, second = repr(r).splitlines()
    assert first == "region 'step': peak 8 MiB, allocated 12 MiB, released 12 MiB, net 0 B, 2 requests"
    assert second.startswith("  NumPy: peak ") and second.endswith(" requests")
    del z, later


def test_region_measures_numpy():
    """The interpreter's arrays and NumPy's own temporaries."""
    x = fnp.ones(50_000)
    with memory.region() as warm:
        y = x * 2 + 1
        del y
    with memory.region() as r:
        y = fnp.exp(x * 2) + 1
        z = np.ones((100, 100))
        z.resize((200, 200), refcheck=False)
        small = [np.zeros(3) for _ in range(10)]
        made(MIB)
        assert r.numpy.peak >= r.numpy.net >= 200_000 + 320_000 + 240
    slack = 20_000  # what fx needs on the way
    assert 0 <= r.numpy.net - (200_000 + 320_000 + 240) < slack and r.peak == 4 * MIB
    assert 200_000 * 2 <= r.numpy.peak < 200_000 * 3 + slack and r.numpy.requests >= 15
    held = r.numpy.net
    with memory.region() as later:
        del y, z, small
    assert (later.numpy.net, later.numpy.released, later.numpy.start) == (-held, held, held)
    assert warm.numpy.net < 1000


def test_region_measures_numpy_exactly():
    with memory.region() as r:
        a = np.empty(1000)
        b = np.zeros((7, 11), np.int16)
        del a
        c = np.empty(700, np.float32)
        d = np.empty((0, 3))
    assert (r.numpy.requests, r.numpy.peak) == (4, 8000 + 154)
    assert r.numpy.net == 154 + 2800 + (r.numpy.allocated - 8000 - 154 - 2800)
    assert r.numpy.allocated - (8000 + 154 + 2800) in (0, 1, 8)  # NumPy asks for a byte or an item for none
    del b, c, d


def test_numpy_is_left_as_it_was():
    from numpy._core.multiarray import get_handler_name

    before = get_handler_name()
    with memory.region():
        with memory.region():
            kept = np.ones(1000)
        assert get_handler_name() != before
    assert get_handler_name() == before and get_handler_name(kept) != before
    threads = []
    with memory.region() as r:
        thread = threading.Thread(target=lambda: threads.append((get_handler_name(), np.ones(99_999))))
        thread.start()
        thread.join()
    assert threads[0][0] == before and r.numpy.allocated < 99_999


def test_arrays_of_a_region_may_outlive_the_program():
    code = "import fx, numpy as np\nwith fx.memory.region() as r: kept = np.ones(10**6)\nprint(r.numpy.net)"
    code += "\nclass Late:\n    def __init__(self): self.me, self.x = self, kept[1:]\nlate = Late()"
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("8000000\n", "", 0)


def test_regions_nest_and_overlap():
    with memory.region() as outer:
        x = made(MIB)
        with memory.region() as inner:
            y = made(2 * MIB)
            del y
        del x
        late = memory.region()
        late.__enter__()
        z = made(MIB // 2)
    w = made(4 * MIB)
    late.__exit__(None, None, None)
    assert (outer.peak, outer.net, outer.requests) == (12 * MIB, 2 * MIB, 3)
    assert (inner.peak, inner.net, inner.requests) == (8 * MIB, 0, 1)
    assert (late.peak, late.net, late.requests) == (18 * MIB, 18 * MIB, 2)
    del z, w


def test_regions_leave_the_peak_alone():
    memory.reset_peak()
    x = made(4 * MIB)
    del x
    top = memory.peak()
    with memory.region() as r:
        made(MIB)
        memory.reset_peak()
    assert r.peak == 4 * MIB and memory.peak() < top


def test_region_as_decorator():
    @memory.region("double")
    def double(x, times=2):
        """Doubles."""
        return [made(MIB) for _ in range(times)] and times

    assert double(1) == 2 and double.__name__ == "double" and double.__doc__ == "Doubles."
    assert (double.region.peak, double.region.net, double.region.name) == (8 * MIB, 0, "double")
    assert double(1, times=3) == 3 and double.region.peak == 12 * MIB


def test_region_ends_with_an_exception():
    watches = len(HOST.watches)
    with pytest.raises(KeyError), memory.region() as r:
        kept = made(MIB)
        raise KeyError
    assert r.net == 4 * MIB and len(HOST.watches) == watches
    del kept
    with r:
        pass
    assert (r.net, r.requests) == (0, 0)


def test_region_misused():
    says(fx.ArgumentError, lambda: memory.region(3), "name", "3")
    says(fx.ArgumentError, lambda: memory.region(lambda x: x), "parentheses")
    says(fx.ArgumentError, lambda: memory.region("a").peak, "region 'a'", "nothing")
    says(fx.ArgumentError, lambda: memory.region("a")(5), "function", "5")
    with memory.region("twice") as r:
        says(fx.ArgumentError, lambda: r.__enter__(), "twice", "open")
    assert "not run" in repr(memory.region("new"))


def test_memory_is_loaded_when_used():
    assert fx.memory is memory and "memory" in dir(fx)
    assert sorted(memory.__all__) == [
        "leaks", "limit", "live_arrays", "mark", "peak", "print_stats", "region", "reset_peak", "stats", "trim",
    ]  # fmt: skip


def test_donated_arrays_are_not_live():
    import fx.numpy as fnp

    x = fnp.ones((500, 500)) + 0
    y = fx.jit(lambda a: a * 2, donate_argnums=0)(x)
    assert any(a.shape == y.shape for a in fx.memory.live_arrays())
