"""loop_batching: each rewrite and each refusal by the equations that remain; results against the traced Program."""

import numpy as np
import programs as zoo
import pytest

import fx
from fx import lax, numpy as fnp
from fx.compiler.passes.algebra import algebra
from fx.compiler.passes.common_subexpressions import common_subexpressions
from fx.compiler.passes.dead_code import dead_code
from fx.compiler.passes.folding import folding
from fx.compiler.passes.inline import inline
from fx.compiler.passes.loop_batching import loop_batching
from fx.compiler.rules import trips
from fx.compiler.rules.loop_sums import MANY
from fx.compiler.simplify import simplified
from fx.core.program import Program, check

T, B, N, M = 6, 3, 9, 8
DOUBLE = np.float64


def normal(*shape, dtype=DOUBLE):
    return (np.random.default_rng(sum(shape)).normal(size=shape) / np.sqrt(shape[-1])).astype(dtype)


XS, H0, WX, WH, WO, BIAS = normal(T, B, N), normal(B, M), normal(N, M), normal(M, M), normal(M, 16), normal(M)


def before_and_after(fun, *args):
    """The Program as it comes to the pass, and as it leaves it; both give what was traced."""
    lowered = fx.jit(fun).lower(*args)
    values = [*map(np.asarray, fx.tree.leaves(args)), *lowered.consts]
    before = dead_code(folding(algebra(common_subexpressions(inline(lowered.program)))))
    after = loop_batching(before)
    check(after)
    assert after.out_avals == lowered.program.out_avals
    assert_close(zoo.run(after, values), zoo.run(lowered.program, values))
    assert_close(zoo.run(simplified(lowered.program), values), zoo.run(lowered.program, values))
    return before, after


def assert_close(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        if a.dtype.kind not in "fc":
            np.testing.assert_array_equal(a, b)
            continue
        rtol = 1e-12 if a.dtype.itemsize >= 8 else 16 * np.finfo(a.dtype).eps
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max(initial=0))


def products(program: Program, inside=False):
    """How many products stand outside of loops, and how many inside."""
    counts = np.zeros(2, int)
    for e in program.equations:
        counts[int(inside)] += e.primitive.name == "contract"
        for p in e.params.values():
            if isinstance(p, Program):
                counts += products(p, True)
    return tuple(counts.tolist())


def moved(fun, *args):
    """Products (outside, inside) before the pass and after it."""
    return tuple(map(products, before_and_after(fun, *args)))


def unchanged(fun, *args):
    before, after = before_and_after(fun, *args)
    return after is before


def loops(program):
    return [e for e in program.equations if e.primitive.name == "scan"]


# Before the loop


def gated(step):
    """A scan over XS with a step (h, x, wx) -> h that the carry makes a recurrence."""
    return lambda wx, xs, h: lax.scan(lambda h, x: (step(h, x, wx), h), h, xs)


BEFORE = {
    "slice @ weights": lambda h, x, w: fnp.tanh(h + x @ w),
    "weights.T @ slice.T": lambda h, x, w: fnp.tanh(h + (w.T @ x.T).T),
    "an elementwise operand": lambda h, x, w: fnp.tanh(h + (fnp.sin(x) * 2.0) @ w),
    "an operand read elsewhere": lambda h, x, w: fnp.tanh(h + fnp.exp(x) @ w + fnp.sum(fnp.exp(x))),
    "a constant operand": lambda h, x, w: fnp.tanh(h + (x * w[:, 0]) @ w),
    "a row": lambda h, x, w: fnp.tanh(h + x[0] @ w),
    "followed by arithmetic": lambda h, x, w: fnp.tanh(h * (x @ w + 1.0)),
}


@pytest.mark.parametrize("name", BEFORE)
@pytest.mark.parametrize("reverse", [False, True])
def test_products_of_slices_come_before_the_loop(name, reverse):
    step = BEFORE[name]
    fun = lambda wx, xs, h: lax.scan(lambda h, x: (step(h, x, wx), h), h, xs, reverse=reverse)
    assert moved(fun, WX, XS, H0) == ((0, 1), (1, 0))


def test_a_chain_of_products_comes_before_the_loop_with_what_is_between():
    fun = gated(lambda h, x, w: fnp.tanh(h + fnp.tanh(x @ w) @ w[:M]))
    assert moved(fun, WX, XS, H0) == ((0, 2), (2, 0))


def test_only_the_part_without_carry_comes_before_the_loop():
    def fun(wx, wh, xs, h):
        return lax.scan(lambda h, x: (fnp.tanh(x @ wx + h @ wh), h), h, xs)

    before, after = before_and_after(fun, WX, WH, XS, H0)
    assert (products(before), products(after)) == ((0, 2), (1, 1))
    (loop,) = loops(after)
    assert XS.shape not in [v.aval.shape for v in loop.inputs]


def test_lookups_in_weights_come_before_the_loop():
    table, tokens = normal(20, N), np.arange(T * B).reshape(T, B) % 20

    def fun(table, wx, tokens, h):
        return lax.scan(lambda h, t: (fnp.tanh(h + table[t] @ wx), h), h, tokens)

    before, after = before_and_after(fun, table, WX, tokens, H0)
    assert (products(before), products(after)) == ((0, 1), (1, 0))


def test_a_stack_for_all_trips_is_one_operand_of_the_product():
    _, after = before_and_after(gated(BEFORE["slice @ weights"]), WX, XS, H0)
    (product,) = [e for e in after.equations if e.primitive.name == "contract"]
    assert [v.aval.shape for v in (*product.inputs, *product.outputs)] == [XS.shape, WX.shape, (T, B, M)]


STAY = {
    "no weights": lambda h, x, w: fnp.tanh(h + fnp.sum(x @ x.T)),
    "nothing but arithmetic": lambda h, x, w: fnp.tanh(h + fnp.exp(x[:, :M]) * w[0]),
    "the carry takes part": lambda h, x, w: fnp.tanh((x[:, :M] + h) @ w[:M]),
    "a sum of few terms": lambda h, x, w: fnp.tanh(h + x[:, :4] @ w[:4]),
    "a primitive without a cheap batch rule": lambda h, x, w: fnp.tanh(h + fnp.sort(x) @ w),
}


@pytest.mark.parametrize("name", STAY)
def test_other_products_stay_inside(name):
    assert unchanged(gated(STAY[name]), WX, XS, H0)


def test_products_of_many_rows_stay_inside():
    rows = trips.LARGE
    assert unchanged(gated(BEFORE["slice @ weights"]), WX, normal(2, rows, N), normal(rows, M))
    assert not unchanged(gated(BEFORE["slice @ weights"]), WX, normal(2, rows - 1, N), normal(rows - 1, M))


def test_products_stay_inside_where_their_stack_would_be_too_large(monkeypatch):
    wide = lambda h, x, w: fnp.tanh(h + (x[:, :1] * fnp.cos(w[:1])) @ w.T)
    assert moved(gated(wide), normal(M, 300), XS, H0) == ((0, 1), (1, 0))
    monkeypatch.setattr(trips, "ROOM", 2000)
    assert unchanged(gated(wide), normal(M, 301), XS, H0)


# After the loop: sums


XY = XS, normal(T, B, M)


def summed(term, over=XY, shape=(N, M)):
    """A carry that gathers `term(x, y)`, besides one that goes its own way."""

    def fun(xs, ys, total):
        def step(carry, xy):
            h, total = carry
            return (fnp.tanh(h + xy[1]), term(total, *xy)), h

        return lax.scan(step, (fnp.zeros_like(ys[0]), total), (xs, ys))

    return fun, *over, normal(*shape)


SUMS = {
    "carry + product": lambda c, x, y: c + x.T @ y,
    "product + carry": lambda c, x, y: x.T @ y + c,
    "transposed": lambda c, x, y: c + (y.T @ x).T,
    "carry - product": lambda c, x, y: c - x.T @ y,
    "two products": lambda c, x, y: (c + x.T @ y) - fnp.sin(x).T @ y,
    "products summed first": lambda c, x, y: c + (x.T @ y + x.T @ fnp.cos(y)),
    "einsum": lambda c, x, y: c + fnp.einsum("bi,bj->ij", x, y),
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_of_products_come_after_the_loop(name):
    before, after = before_and_after(*summed(SUMS[name]))
    assert products(before)[0] == 0 and products(after) == (products(before)[1], 0)
    assert loops(after)[0].params["sizes"] == (0, 0, 1)


def test_other_terms_stay_in_the_carry():
    before, after = before_and_after(*summed(lambda c, x, y: ((c + fnp.sin(x[0, 0])) + x.T @ y) - 2.0))
    assert (products(before), products(after)) == ((0, 1), (1, 0))
    (loop,) = loops(after)
    assert loop.params["sizes"] == (0, 0, 2)


def test_a_sum_that_begins_with_zeros_is_the_product():
    def fun(xs, ys):
        return lax.scan(lambda c, xy: (c + xy[0].T @ xy[1], None), fnp.zeros((N, M), DOUBLE), (xs, ys))[0]

    _, after = before_and_after(fun, XS, normal(T, B, M))
    assert [e.primitive.name for e in after.equations if e.primitive.name != "full"] == ["contract"]


OUTER = {
    "vectors": (lambda x, y: fnp.outer(x, y), (N, M)),
    "swapped": (lambda x, y: y[:, None] * x, (M, N)),
    "with an axis of size 1 in front": (lambda x, y: x[:, None] * y[None, None, :], (1, N, M)),
    "with an axis of size 1 between": (lambda x, y: x[:, None, None] * y, (N, 1, M)),
    "with an axis of size 1 at the end": (lambda x, y: x[:, None, None] * y[:, None], (N, M, 1)),
}


@pytest.mark.parametrize("name", OUTER)
def test_outer_products_are_products_of_stacks(name):
    product, shape = OUTER[name]
    arguments = summed(lambda c, x, y: c + product(x, y), (normal(T, N), normal(T, M)), shape)
    _, after = before_and_after(*arguments)
    assert products(after) == (1, 0)


def test_sums_over_rows_follow_a_product_of_the_same_operand():
    def fun(xs, wh, h):
        def step(carry, x):
            h, dw, db = carry
            g = fnp.tanh(h @ wh + x)
            return (g, dw + h.T @ g, db + fnp.sum(g, axis=0)), None

        return lax.scan(step, (h, np.zeros((M, M)), np.ones(M)), xs)[0]

    _, after = before_and_after(fun, normal(T, B, M), WH, H0)
    assert products(after) == (1, 1)
    assert loops(after)[0].params["sizes"][2] == 1
    assert "sum" in [e.primitive.name for e in after.equations]


def test_sums_over_rows_alone_stay_inside():
    def fun(xs, h):
        step = lambda c, x: ((fnp.tanh(c[0] + x), c[1] + fnp.sum(fnp.sin(c[0]), axis=0)), None)
        return lax.scan(step, (h, np.ones(M)), xs)[0]

    assert unchanged(fun, normal(T, B, M), H0)


KEPT = {
    "the sum is read": lambda c, x, y: c + x.T @ (y + fnp.sum(c)),
    "the sum is scaled": lambda c, x, y: 0.9 * c + x.T @ y,
    "the sum is subtracted": lambda c, x, y: x.T @ y - c,
    "a product of sums": lambda c, x, y: c * (x.T @ y),
    "an elementwise product": lambda c, x, y: c + x * y,
    "no product": lambda c, x, y: c + fnp.sin(x[0])[:, None],
}


@pytest.mark.parametrize("name", KEPT)
def test_other_carries_stay_inside(name):
    over = (normal(T, N, M),) * 2 if name == "an elementwise product" else (XS, normal(T, B, M))
    assert unchanged(*summed(KEPT[name], over))


def test_a_sum_that_is_also_a_result_stays_inside():
    def fun(xs, ys, c):
        def step(c, xy):
            c = c + xy[0].T @ xy[1]
            return c, c

        return lax.scan(step, c, (xs, ys))

    assert unchanged(fun, XS, normal(T, B, M), normal(N, M))


def stacks(rows, n=N, m=M):
    return normal(2, rows, n), normal(2, rows, m)


def test_operands_get_stacks_only_where_these_are_small_beside_the_sum(monkeypatch):
    term = lambda c, x, y: c + fnp.sin(x).T @ fnp.cos(y)
    assert products(before_and_after(*summed(term, stacks(3)))[1]) == (1, 0)
    assert unchanged(*summed(term, stacks(12, 8, 6), (8, 6)))
    assert products(before_and_after(*summed(SUMS["carry + product"], stacks(12, 8, 6), (8, 6)))[1]) == (1, 0)
    monkeypatch.setattr(trips.Trips, "room", 0)
    assert unchanged(*summed(lambda c, x, y: term(c, x, y) + 0.0, stacks(3)))


def test_products_of_many_terms_stay_inside():
    stored, made = SUMS["carry + product"], lambda c, x, y: c + fnp.sin(x).T @ fnp.cos(y)
    shape = {"n": 40, "m": 50}
    for term, most in ((stored, MANY), (made, MANY // 2)):
        assert not unchanged(*summed(term, stacks(most, **shape), (40, 50)))
        assert unchanged(*summed(term, stacks(most + 1, **shape), (40, 50)))


def test_a_batch_of_one_row_leaves_no_carry():
    arguments = summed(SUMS["carry + product"], (normal(T, 1, N), normal(T, 1, M)))
    _, after = before_and_after(*arguments)
    assert products(after) == (1, 0) and loops(after)[0].params["sizes"] == (0, 0, 1)


def test_integers_are_summed_exactly():
    xs, ys = np.arange(24).reshape(4, 2, 3), np.arange(16).reshape(4, 2, 2) - 7
    fun = lambda xs, ys, c: lax.scan(lambda c, xy: (c + xy[0].T @ xy[1], None), c, (xs, ys))[0]
    assert moved(fun, xs, ys, np.ones((3, 2), int)) == ((0, 1), (1, 0))


# After the loop: results


def test_products_of_results_come_after_the_loop_with_what_follows():
    def fun(xs, wh, wo, h):
        def step(h, x):
            h = fnp.tanh(h @ wh + x)
            return h, fx.nn.softmax(h @ wo + 1.0)

        return lax.scan(step, h, xs)

    assert moved(fun, normal(T, B, M), WH, WO, H0) == ((0, 2), (1, 1))


def test_products_of_several_results_go_together():
    def fun(xs, wo, h):
        def step(h, x):
            h = fnp.tanh(h + x)
            return h, fnp.sin(h) @ wo + fnp.cos(h) @ (2.0 * wo)

        return lax.scan(step, h, xs)

    before, after = before_and_after(fun, normal(T, B, M), WO, H0)
    assert (products(before), products(after)) == ((0, 2), (2, 0))
    (loop,) = loops(after)
    assert len(loop.outputs) == 3


def test_a_slice_of_a_stack_as_result_is_the_stack():
    fun = lambda xs, h: lax.scan(lambda h, x: (fnp.tanh(h + x), (x, h)), h, xs)
    _, after = before_and_after(fun, normal(T, B, M), H0)
    assert after.inputs[0] in after.outputs
    assert len(loops(after)[0].outputs) == 2


def test_results_of_slices_alone_leave_no_trace_in_the_loop():
    fun = lambda xs, w, h: lax.scan(lambda h, x: (fnp.tanh(h + x[:, :M]), x @ w), h, xs)
    _, after = before_and_after(fun, XS, WX, H0)
    assert products(after) == (1, 0) and len(loops(after)[0].outputs) == 1


def result(make, wo=WO):
    def fun(xs, wo, h):
        def step(h, x):
            h = fnp.tanh(h + x)
            return make(h, wo)

        return lax.scan(step, h, xs)

    return fun, normal(T, B, M), wo, H0


STAYING = {
    "a carry reads the product": lambda h, w: (h + fnp.sum(h @ w), h @ w),
    "what follows cannot be batched cheaply": lambda h, w: (h, fnp.sort(fnp.sin(h) @ w)),
    "few columns": lambda h, w: (h, fnp.sin(h) @ w[:, :2]),
    "no product": lambda h, w: (h, fnp.sin(h)),
}


@pytest.mark.parametrize("name", STAYING)
def test_other_results_stay_inside(name):
    assert unchanged(*result(STAYING[name]))


def test_products_of_a_stack_that_is_there_need_few_columns_only():
    assert moved(*result(lambda h, w: (h, (h, h @ w[:, :2])))) == ((0, 1), (1, 0))


# Loops that stay as they are


def test_loops_whose_length_only_the_run_knows_stay():
    def fun(w, x, n):
        return lax.fori_loop(0, n, lambda i, h: fnp.tanh(h) + fnp.ones((3, N)) @ w, x)

    def going(w, x):
        return lax.while_loop(
            lambda c: fnp.sum(c[0]) < 9.0, lambda c: (c[0] + 1.0, c[1] + c[0].T @ c[0]), (x, w)
        )

    before, after = before_and_after(going, np.eye(4), np.zeros((2, 4)))
    assert after is before
    assert unchanged(fun, WX, H0, 3)


def test_a_checkpointed_body_gets_no_stacks_behind_its_barrier():
    block = fx.checkpoint(lambda h, x, wx, wh: fnp.tanh(fnp.tanh(x @ wx + h @ wh) @ wh))

    def loss(p, xs, h):
        return fnp.sum(lax.scan(lambda h, x: (block(h, x, *p), None), h, xs)[0] ** 2)

    before, after = before_and_after(fx.grad(loss), (WX, WH), XS, H0)
    backward_before, backward = (loops(p)[-1] for p in (before, after))
    assert "barrier" in str(backward.params["body"]) and backward.params["reverse"]
    assert len(backward.outputs) == len(backward_before.outputs)
    assert products(backward.params["body"]) == products(backward_before.params["body"])


def test_effects_stay_inside_and_in_order():
    def fun(wx, xs, h):
        def step(h, x):
            fx.debug.print("{}", h[0, 0])
            return fnp.tanh(h + x @ wx), None

        return lax.scan(step, h, xs)[0]

    before = dead_code(inline(fx.jit(fun).lower(WX, XS, H0).program))
    after = loop_batching(before)
    check(after)
    (loop,) = loops(after)
    assert products(after) == (1, 0) and loop.params["body"].effectful


def test_a_callback_is_not_called_again_for_what_comes_after_the_loop():
    calls = []

    def scale():
        calls.append(1)
        return np.float64(2.0)

    def fun(xs, wo, h):
        def step(h, x):
            h = fnp.tanh(h + x)
            return h, (h @ wo) * fx.pure_callback(scale, np.zeros(()))

        return lax.scan(step, h, xs)

    before, after = before_and_after(fun, normal(T, B, M), WO, H0)
    assert products(after) == (1, 0)
    calls.clear()
    zoo.run(after, [normal(T, B, M), WO, H0])
    assert "callback" in str(loops(after)[0].params["body"])
    assert len(calls) == T


def test_arithmetic_alone_is_left_as_it_is():
    def lorenz(y):
        a, b, c = y[..., 0], y[..., 1], y[..., 2]
        return fnp.stack([10.0 * (b - a), a * (28.0 - c) - b, a * b - 8 / 3 * c], -1)

    def rk4(y, ts):
        def step(y, dt):
            k1 = lorenz(y)
            k2 = lorenz(y + dt / 2 * k1)
            k3 = lorenz(y + dt / 2 * k2)
            return y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + lorenz(y + dt * k3)), y

        return lax.scan(step, y, ts)

    assert unchanged(rk4, np.ones((4, 3)), np.full(5, 0.01))
    _, after = before_and_after(
        fx.grad(lambda y, ts: fnp.sum(rk4(y, ts)[0])), np.ones((4, 3)), np.full(5, 0.01)
    )
    assert products(after) == (0, 0)


# Nested loops, transformations, recurrent networks


def test_a_product_leaves_both_of_two_loops():
    def fun(w, xs, h):
        inner = lambda h, rows: lax.scan(lambda h, x: (fnp.tanh(h + x @ w), None), h, rows)
        return lax.scan(inner, h, xs)[0]

    before, after = before_and_after(fun, WX, normal(4, T, B, N), H0)
    assert (products(before), products(after)) == ((0, 1), (1, 0))


def test_a_sum_leaves_both_of_two_loops():
    def fun(xs, ys, c):
        inner = lambda c, xy: lax.scan(lambda c, xy: (c + xy[0].T @ xy[1], None), c, xy)
        return lax.scan(inner, c, (xs, ys))[0]

    _, after = before_and_after(fun, normal(4, T, B, N), normal(4, T, B, M), normal(N, M))
    assert products(after) == (1, 0) and not loops(after)


def rnn(p, xs):
    step = lambda h, x: (fnp.tanh(x @ p["x"] + h @ p["h"] + p["b"]),) * 2
    return lax.scan(step, np.zeros((*xs.shape[1:-1], M), xs.dtype), xs)[1] @ p["o"]


def lstm(p, xs):
    def step(carry, x):
        h, c = carry
        i, f, g, o = fnp.split(x @ p["x"] + h @ p["h"] + p["b"], 4, axis=-1)
        c = fx.nn.sigmoid(f) * c + fx.nn.sigmoid(i) * fnp.tanh(g)
        h = fx.nn.sigmoid(o) * fnp.tanh(c)
        return (h, c), h @ p["o"]

    zero = np.zeros((*xs.shape[1:-1], M), xs.dtype)
    return lax.scan(step, (zero, zero), xs)[1]


def gru(p, xs):
    def step(h, x):
        r, z, n = fnp.split(x @ p["x"] + p["b"], 3, axis=-1)
        hr, hz, hn = fnp.split(h @ p["h"], 3, axis=-1)
        r, z = fx.nn.sigmoid(r + hr), fx.nn.sigmoid(z + hz)
        h = (1 - z) * fnp.tanh(n + r * hn) + z * h
        return h, h @ p["o"]

    return lax.scan(step, np.zeros((*xs.shape[1:-1], M), xs.dtype), xs)[1]


CELLS = {"rnn": (rnn, 1), "lstm": (lstm, 4), "gru": (gru, 3)}


def cell(name, dtype=DOUBLE):
    fun, gates = CELLS[name]
    p = {"x": normal(N, gates * M), "h": normal(M, gates * M), "b": normal(gates * M), "o": WO}
    return fun, {k: v.astype(dtype) for k, v in p.items()}, XS.astype(dtype)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_product_of_a_recurrent_network_stays_in_each_loop(name, dtype):
    fun, p, xs = cell(name, dtype)
    _, after = before_and_after(fun, p, xs)
    assert products(after)[1] == 1
    _, after = before_and_after(fx.value_and_grad(lambda *a: fnp.sum(fun(*a) ** 2), argnums=(0, 1)), p, xs)
    assert [products(e.params["body"])[0] for e in loops(after)] == [1, 1]
    assert loops(after)[1].params["sizes"][2] == (2 if name == "lstm" else 1)


TRANSFORMED = {
    "vmap": lambda f: fx.vmap(f, (None, 1), 1),
    "per-example gradients": lambda f: fx.vmap(fx.grad(lambda *a: fnp.sum(f(*a) ** 2)), (None, 1)),
    "a batch of weights": lambda f: (
        lambda p, xs: fx.vmap(f, (0, None))({k: fnp.stack([v, 2 * v]) for k, v in p.items()}, xs)
    ),
    "jvp": lambda f: lambda p, xs: fx.jvp(f, (p, xs), (p, xs)),
    "hessian-vector product": lambda f: (
        lambda p, xs: fx.jvp(fx.grad(lambda p: fnp.sum(f(p, xs) ** 2)), (p,), (p,))
    ),
    "a batch of jvps": lambda f: (
        lambda p, xs: fx.vmap(lambda t: fx.jvp(lambda x: f(p, x), (xs,), (t,))[1])(
            fnp.stack([xs, fnp.sin(xs)])
        )
    ),
}


@pytest.mark.parametrize("name", TRANSFORMED)
@pytest.mark.parametrize("kind", CELLS)
def test_transformed_networks_give_the_same(name, kind):
    fun, p, xs = cell(kind)
    before, after = before_and_after(TRANSFORMED[name](fun), p, xs)
    assert products(after)[1] < products(before)[1]


def test_the_gradient_of_one_sequence_is_a_product_of_stacks():
    _, p, xs = cell("rnn")
    _, after = before_and_after(fx.grad(lambda p, xs: fnp.sum(rnn(p, xs) ** 2)), p, xs[:, 0])
    assert [products(e.params["body"])[0] for e in loops(after)] == [1, 1]
    assert (M, M) not in [v.aval.shape for v in loops(after)[1].params["body"].outputs]


@pytest.mark.parametrize("name", ["rnn", "rnns", "while", "while_batch", "checkpointed"])
def test_programs_of_users_give_the_same(name):
    program, values = zoo.program_and_values(name)
    found = simplified(program)
    check(found)
    for a, b in zip(zoo.run(found, values), zoo.run(program, values), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", CELLS)
def test_nothing_is_left_to_move(name):
    fun, p, xs = cell(name)
    _, after = before_and_after(fx.grad(lambda p: fnp.sum(fun(p, xs) ** 2)), p)
    assert loop_batching(after) is after


@pytest.mark.parametrize("name", CELLS)
def test_compiled_gradients_agree(name):
    fun, p, xs = cell(name)
    loss = lambda p, xs: fnp.sum(fun(p, xs) ** 2)
    found = fx.jit(fx.grad(loss))(p, xs)
    wanted = fx.grad(loss)(p, xs)
    for k in p:
        np.testing.assert_allclose(found[k], wanted[k], rtol=1e-11, atol=1e-13)
