"""Epilogues: which nests run on the blocks of a matrix product, and which must not; what begins in a result's place."""

import os

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import lax
from fx.backends.cpu import epilogues, threads
from fx.backends.cpu.emission import emit
from fx.backends.cpu.engine import host
from fx.backends.cpu.executable import Executable
from fx.backends.cpu.target import HostTarget
from fx.compiler.fuse import fuse
from fx.compiler.schedule import writes
from fx.compiler.simplify import simplify

RNG = np.random.default_rng(0)


@pytest.fixture
def any_size(monkeypatch):
    monkeypatch.setattr(epilogues, "smallest", lambda: 0)


def normal(*shape, dtype=np.float32):
    return RNG.normal(size=shape).astype(dtype)


def count(f, *args, least=0):
    """The epilogues of a function; each is right behind its product, runs with it and has its place."""
    program = simplify(fx.make_program(f)(*args))[-1].program
    found = epilogues.attached(fuse(program, HostTarget(), owned=True), least)
    emission = emit(found).emission
    positions = [n for n, step in enumerate(found.steps) if step.product is not None]
    for n in positions:
        assert found.steps[n - 1] is found.steps[n].product
        assert emission.span(n) == emission.span(n - 1) == (n - 1, n)
        (made,), (result,) = writes(found.steps[n - 1]), writes(found.steps[n])
        assert emission.same.get(made, made) is emission.same.get(result, result)
    return len(positions)


def results(f, args, least):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(epilogues, "smallest", lambda: least)
        return Executable(fx.make_program(f)(*args)).run([np.asarray(x) for x in args])


def interpreted(f, *args):
    with fx.config(compile=False):
        return [np.asarray(x) for x in fx.tree.leaves(fx.jit(f)(*args))]


def dense(x, w, b):
    return fnp.tanh(x @ w + b)


def mlp(x, w, b, v):
    return fnp.maximum(fnp.maximum(x @ w + b, 0) @ v, 0.1)


EPILOGUES = {
    "bias": (dense, 1, normal(37, 41), normal(41, 53), normal(53)),
    "float64": (dense, 1, normal(37, 41, dtype=float), normal(41, 53, dtype=float), normal(53, dtype=float)),
    "one column": (lambda x, w, s: x @ w * s, 1, normal(37, 41), normal(41, 53), normal(37, 1)),
    "rows": (dense, 1, normal(3, 7, 41), normal(41, 53), normal(53)),
    "batch": (dense, 1, normal(5, 37, 41), normal(5, 41, 53), normal(5, 1, 53)),
    "transposed operands": (lambda x, w: fnp.exp(x.T @ w.T), 1, normal(41, 37), normal(53, 41)),
    "transposed product": (lambda x, w: -(x @ w).T, 1, normal(37, 41), normal(41, 53)),
    "heads": (
        lambda q, k: fnp.exp(fnp.einsum("bqhd,bkhd->bhqk", q, k) / 3), 1, normal(2, 19, 3, 8), normal(2, 23, 3, 8),
    ),
    "index": (lambda x, w: fnp.sin(x @ w) + fnp.arange(53.0), 1, normal(37, 41), normal(41, 53)),
    "triangle": (lambda x, w: fnp.tril(x @ w), 1, normal(70, 9), normal(9, 70)),
    "same width": (lambda x, w: (x @ w * 9).astype(np.int32), 1, normal(37, 41), normal(41, 53)),
    "reshaped": (lambda x, w: fnp.tanh((x @ w).reshape(3, 4, 5, 53)), 1, normal(60, 41), normal(41, 53)),
    "vector": (lambda x, w, b: fnp.tanh(x @ w + b), 1, normal(41), normal(41, 3000), normal(1)),
    "blocks": (dense, 1, normal(700, 600), normal(600, 500) / 24, normal(500)),
    "narrow": (dense, 1, normal(900, 30), normal(30, 3), normal(3)),
    "layers": (mlp, 2, normal(90, 41), normal(41, 100), normal(100), normal(100, 47)),
}  # fmt: skip


@pytest.mark.parametrize("name", EPILOGUES)
def test_results(name):
    f, wanted, *args = EPILOGUES[name]
    assert count(f, *args) == wanted
    (got,), (apart,), (want,) = results(f, args, 0), results(f, args, 1 << 60), interpreted(f, *args)
    np.testing.assert_array_equal(got, apart)
    if want.dtype.kind == "f":
        rtol = 200 * np.finfo(want.dtype).eps
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.abs(want).max())


def test_same_bits_on_any_number_of_threads():
    f, _, *args = EPILOGUES["blocks"]
    before, found = threads.num_threads(), []
    try:
        for n in (1, 2, 3):
            threads.set_num_threads(n)
            found.append(results(f, args, 0)[0])
    finally:
        threads.set_num_threads(before)
    assert (found[0] == found[1]).all() and (found[0] == found[2]).all()


X, W, B = normal(37, 41), normal(41, 53), normal(53)


def later(x, w, b):
    """The bias comes from a step behind the product."""
    y = x @ w
    return fnp.tanh(y + fnp.sort(fnp.sin(b)))


def behind_a_barrier(x, w, b):
    y, b = lax.optimization_barrier((x @ w, b))
    return fnp.tanh(y + b)


REFUSED = {
    "the product is wanted": (lambda x, w: (fnp.tanh(x @ w), x @ w), X, W),
    "two readers": (lambda x, w: (fnp.tanh(x @ w), fnp.sort(x @ w)), X, W),
    "two results": (lambda x, w: (fnp.tanh(x @ w), fnp.exp(x @ w)), X, W),
    "a second large array": (lambda x, w, r: fnp.tanh(x @ w) * r, X, W, np.ones((37, 53), np.int8)),
    "both ways": (lambda x, w: x @ w + (x @ w).T, normal(30, 31), normal(31, 30)),
    "another width": (lambda x, w: x @ w > 0, X, W),
    "float16": (dense, X.astype(np.float16), W.astype(np.float16), B.astype(np.float16)),
    "integers": (lambda x, w: x @ w + 1, X.astype(np.int32), W.astype(np.int32)),
    "complex": (lambda x, w: x @ w + 1, X.astype(np.complex64), W.astype(np.complex64)),
    "a sum": (lambda x, w: fnp.sum(fnp.tanh(x @ w)), X, W),
    "rows of sums": (lambda x, w: fx.nn.softmax(x @ w), X, W),
    "columns of sums": (lambda x, w: fnp.sum(fnp.tanh(x @ w), 0), X, W),
    "a part": (lambda x, w: fnp.tanh((x @ w)[:, 3:]), X, W),
    "reversed": (lambda x, w: fnp.tanh(fnp.flip(x @ w, 0)), X, W),
    "nothing is summed": (lambda x, w: fnp.tanh(fnp.outer(x, w)), X[0], W[0]),
    "parts over k": (lambda x, w: fnp.tanh(x @ w), normal(16, 20000), normal(20000, 16)),
    "batch last": (lambda x, w: fnp.tanh(fnp.einsum("ikb,kjb->ijb", x, w)), normal(9, 8, 7), normal(8, 6, 7)),
    "an argument may become the result": (dense, normal(40, 40), normal(40, 40), normal(40)),
    "a barrier": (behind_a_barrier, X, W, B),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    f, *args = REFUSED[name]
    assert count(f, *args) == 0


def test_what_the_nest_waits_for_is_there_before():
    """A step that could come later is moved in front only where it stands there anyway."""
    found = results(later, (X, W, B), 0)[0]
    np.testing.assert_array_equal(found, results(later, (X, W, B), 1 << 60)[0])

    def made_of_the_product(x, w):
        y = x @ w
        return fnp.tanh(y + fnp.sort(fnp.abs(y[0, :1] + 0)))

    assert count(made_of_the_product, X, W) == 0


def test_what_the_product_reads_is_not_overwritten(monkeypatch):
    """The nest reads an operand of the product, which other blocks still need."""
    monkeypatch.setattr(epilogues, "LITTLE", 0)
    x, w, v = normal(300, 300), normal(300, 300) / 16, normal(300, 20)

    def residual(x, w, v):
        h = fnp.sort(x)
        return fnp.tanh(h + h @ w) @ v

    assert count(residual, x, w, v) == 1
    np.testing.assert_array_equal(
        results(residual, (x, w, v), 0)[0], results(residual, (x, w, v), 1 << 60)[0]
    )


def test_small_products_are_left_alone():
    f, _, *args = EPILOGUES["bias"]
    assert count(f, *args, least=epilogues.smallest()) == 0
    rows = epilogues.smallest() // 4 // 64
    large = (np.empty((rows, 8), np.float32), np.empty((8, 64), np.float32), np.empty(64, np.float32))
    assert epilogues.smallest() >= host().l2
    assert count(dense, *large, least=epilogues.smallest()) == 1


def test_one_function_for_equal_epilogues():
    def layers(x, ws):
        for w in ws:
            x = fnp.tanh(x @ w)
        return x

    args = normal(64, 48), [normal(48, 48) / 7 for _ in range(4)]
    program = simplify(fx.make_program(layers)(*args))[-1].program
    found = epilogues.attached(fuse(program, HostTarget(), owned=True), 0)
    emission = emit(found).emission
    names = {emission.kernels[n][0].name for n, s in enumerate(found.steps) if s.product is not None}
    assert sum(s.product is not None for s in found.steps) >= 3 and len(names) == 1


def test_in_a_loop_and_a_branch(any_size):
    w, b = normal(24, 24) / 5, normal(24)

    def loop(x, w, b):
        out, _ = lax.scan(lambda c, _: (fnp.tanh(fnp.maximum(c @ w, 0) @ w + b), c.sum()), x, None, length=5)
        return lax.cond(out.sum() > 0, lambda: fnp.exp(out @ w), lambda: fnp.sin(out @ w))

    x = normal(50, 24)
    (want,) = interpreted(loop, x, w, b)
    np.testing.assert_allclose(fx.jit(loop)(x, w, b), want, rtol=1e-4, atol=1e-5)


def test_gradients(any_size):
    f, _, *args = EPILOGUES["layers"]
    loss = lambda *args: fnp.sum(f(*args) ** 2)
    compiled = fx.jit(fx.grad(loss, argnums=(0, 1, 2, 3)))
    for got, want in zip(
        compiled(*args), interpreted(fx.grad(loss, argnums=(0, 1, 2, 3)), *args), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3 * np.abs(want).max())


# The place of a result

unguarded = pytest.mark.skipif(
    os.environ.get("FX_DEBUG_BOUNDS", "0") not in ("", "0"), reason="guarded buffers share no memory"
)


def report(f, *args, donated=()):
    return fx.jit(f, donate_argnums=donated).memory(*args)


@unguarded
@pytest.mark.parametrize("least", [0, 1 << 60])
def test_a_product_lies_where_the_result_will(least, monkeypatch):
    monkeypatch.setattr(epilogues, "smallest", lambda: least)
    args = normal(600, 40), normal(40, 500 + bool(least)), normal(1)
    found = report(dense, *args)
    nbytes = sum(x.nbytes for x in args) + 4 * 600 * args[1].shape[1]
    assert found.arena == 0 and found.peak == nbytes
    (result,) = [b for b in found.buffers if b.kind == "result"]
    assert "contract" in result.note and result.first == 0


@unguarded
def test_a_chain_lies_in_one_place():
    f = lambda x: fnp.cumsum(fnp.sin(fnp.cumsum(x, 0)), 1) * 2
    x = normal(64, 65)
    found = report(f, x)
    assert found.arena <= x.nbytes + 64
    np.testing.assert_allclose(fx.jit(f)(x), interpreted(f, x)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("p_read", ["last", "first"])
def test_donated_arguments_become_results_all_the_same(p_read, any_size):
    """A temporary does not take the place that a donated argument has for the result."""

    def update(p, x, y):
        return p - 0.1 * (x.T @ y)

    def early(p, x, y):
        return fnp.tanh(((p @ x.T) @ x) + y[0])

    f = update if p_read == "last" else early
    p, x, y = normal(200, 210), normal(30, 200 if p_read == "last" else 210), normal(30, 210)
    assert report(f, p, x, y, donated=(0,)).donated == p.nbytes
    (want,) = interpreted(f, p, x, y)
    got = fx.jit(f, donate_argnums=0)(fnp.asarray(p.copy()), x, y)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


# What is shown


def test_shown_and_profiled(any_size):
    f, args = lambda x, w, b: fnp.cos(x @ w + b), EPILOGUES["bias"][2:]
    found = fx.jit(f).explain(*args)
    assert [s.title for s in found.steps][1] == "nest 37x53 on the product's blocks"
    assert found.steps[1].chunks is None and "on the product's blocks" in str(found)
    assert "on the product's blocks" in fx.jit(f).lower(*args).as_text("fused")
    profile = fx.profile(f, repeat=2)(*args)
    np.testing.assert_allclose(profile.result, fx.jit(f)(*args), rtol=1e-6)
