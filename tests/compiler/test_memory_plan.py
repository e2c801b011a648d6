"""The memory plan: places that never overlap in time, and little more than the peak."""

import numpy as np
from hypothesis import given, strategies as st

from fx.compiler.memory_plan import Interval, aligned, peak, plan

INTERVALS = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(0, 30), st.integers(0, 10)), min_size=1, max_size=60
).map(lambda rows: [Interval(i, n, first, first + long) for i, (n, first, long) in enumerate(rows)])


@given(INTERVALS)
def test_buffers_alive_together_do_not_overlap(intervals):
    arena = plan(intervals)
    for i, a in enumerate(intervals):
        assert arena.offsets[a.key] % 64 == 0
        assert arena.offsets[a.key] + a.nbytes <= arena.nbytes
        for b in intervals[:i]:
            together = a.first <= b.last and b.first <= a.last
            x, y = arena.offsets[a.key], arena.offsets[b.key]
            apart = x + aligned(a.nbytes) <= y or y + aligned(b.nbytes) <= x
            assert apart or not together


@given(INTERVALS)
def test_the_arena_is_at_least_the_peak(intervals):
    assert peak(intervals) <= plan(intervals).nbytes


def test_a_chain_needs_two_places():
    chain = [Interval(i, 1000, i, i + 1) for i in range(100)]
    assert plan(chain).nbytes == peak(chain) == 2 * 1024


def test_training_like_lifetimes_waste_little():
    """Activations that live until their backward step, as in a deep network."""
    rng = np.random.default_rng(0)
    n = 60
    intervals = [Interval(i, int(rng.integers(1, 40)) * 4096, i, 2 * n - i) for i in range(n)]
    intervals += [Interval(("ct", i), int(rng.integers(1, 40)) * 4096, n + i, n + i + 1) for i in range(n)]
    assert plan(intervals).nbytes <= 1.1 * peak(intervals)
