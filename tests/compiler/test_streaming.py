"""Stores past the caches: which nests use them, and that results are right wherever the arrays lie."""

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.backends.cpu import streaming
from fx.backends.cpu.engine import host

SIZE = 1 << 12
"""Bytes that the last cache has in these tests."""


@pytest.fixture(autouse=True)
def small_cache(monkeypatch):
    small = host()._replace(l3=SIZE)
    monkeypatch.setattr(streaming, "host", lambda: small)


def shifted(x, nbytes):
    """x in memory that begins `nbytes` behind an aligned address."""
    room = np.empty(x.nbytes + 128, np.uint8)
    first = -room.ctypes.data % 64 + nbytes
    found = room[first : first + x.nbytes].view(x.dtype).reshape(x.shape)
    found[...] = x
    return found


def code(f, *args):
    return fx.jit(f).lower(*args).as_text("llvm")


def softmax(x):
    return fx.nn.softmax(x)


def chain(x):
    return fnp.tanh(x) * 2 + x


RNG = np.random.default_rng(0)


@pytest.mark.parametrize("f", [softmax, chain, lambda x: x.T + 1, lambda x: (x > 0, x * 2)])
@pytest.mark.parametrize("shape", [(8, 512), (64, 64), (33, 64), (7, 129), (4100,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results(f, shape, dtype):
    x = RNG.normal(size=shape).astype(dtype)
    compiled = fx.jit(f)
    with fx.config(compile=False):
        wanted = fx.tree.leaves(fx.jit(f)(x))
    for nbytes in (0, x.itemsize):
        for got, want in zip(fx.tree.leaves(compiled(shifted(x, nbytes))), wanted, strict=True):
            np.testing.assert_allclose(
                np.asarray(got), np.asarray(want), rtol=4 * np.finfo(dtype).eps, atol=1e-7
            )


@pytest.mark.parametrize("nbytes", [0, 4, 32])
def test_results_in_place_of_donated_arrays_that_are_not_aligned(nbytes):
    x = RNG.normal(size=(16, 256)).astype(np.float32)
    given = fnp.asarray(shifted(x, nbytes))
    got = fx.jit(chain, donate_argnums=0)(given)
    np.testing.assert_allclose(np.asarray(got), np.tanh(x) * 2 + x, rtol=1e-6, atol=1e-6)


def test_large_maps_stream_and_others_do_not():
    large, small = np.ones((32, 256), np.float32), np.ones(64, np.float32)
    assert "!nontemporal" in code(chain, large) and "fence seq_cst" in code(chain, large)
    assert "!nontemporal" in code(softmax, large)
    assert "!nontemporal" not in code(chain, small)
    assert "!nontemporal" not in code(lambda x: fnp.sum(x * x), large)  # small result
    assert "!nontemporal" not in code(lambda x: fnp.cumsum(x, 1), large)
    rows = np.ones((64, 100), np.float32)  # not whole lines
    assert "!nontemporal" not in code(softmax, rows)


def test_equal_nests_share_both_forms():
    x = np.ones((32, 256), np.float32)
    text = code(lambda x: (chain(x), fx.lax.optimization_barrier(chain(x + 1))), x)
    assert text.count("_streamed(") >= 2
    np.testing.assert_allclose(np.asarray(fx.jit(chain)(x)), np.tanh(x) * 2 + x, rtol=1e-6)
