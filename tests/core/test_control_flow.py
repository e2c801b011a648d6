"""cond, switch, while_loop, fori_loop, scan, map, associative_scan under every transformation."""

import numpy as np
import pytest
from against_jax import agree, cases, derivative, same, says

import fx
from fx import lax, numpy as fnp
from fx.core.errors import ArgumentError, DTypeError, ShapeError, TreeError

X = np.arange(4.0)
XS = np.array([0.1, 0.7, 2.9, 6.0])


def tree_scan(n, L, p, xs):
    step = lambda c, v: (
        {"a": n.tanh(c["a"] * v["k"] + p["b"]), "n": c["n"] + 1},
        {"o": c["a"] * p["b"]},
    )
    carry, ys = L.scan(step, {"a": p["a"], "n": 0}, xs)
    return carry["a"].sum() + (ys["o"] ** 2).sum()


P = {"a": np.ones(2), "b": np.array([0.3, 0.4])}
KS = {"k": np.arange(8.0).reshape(4, 2)}
swing = lambda n: lambda c, a: (n.sin(c + a), c * a)

AGREE = {
    "scan_trees": lambda F, n, L: F.grad(lambda p: tree_scan(n, L, p, KS))(P),
    "scan_xs": lambda F, n, L: F.grad(lambda xs: tree_scan(n, L, P, xs))(KS),
    "scan_second_order": lambda F, n, L: F.hessian(lambda b: tree_scan(n, L, {"a": P["a"], "b": b}, KS))(
        P["b"]
    ),
    "scan_reverse": lambda F, n, L: F.jacrev(lambda v: L.scan(swing(n), v[0], v, reverse=True))(X),
    "scan_unroll": lambda F, n, L: F.hessian(lambda v: L.scan(swing(n), v[0], v, unroll=2)[1].sum())(X),
    "scan_vmap_of_grad": lambda F, n, L: F.vmap(F.grad(lambda v: L.scan(swing(n), v[0], v)[1].sum()), 1)(
        X.reshape(2, 2)
    ),
    "scan_of_checkpoint": lambda F, n, L: F.grad(lambda v: L.scan(F.checkpoint(swing(n)), v[0], v)[1].sum())(
        X
    ),
    "scan_empty": lambda F, n, L: L.scan(lambda c, a: (c + a, a * 2.0), np.ones(2), np.zeros((0, 2))),
    "scan_empty_grad": lambda F, n, L: F.grad(
        lambda c: L.scan(lambda c, a: (c * a, a * c), c, np.zeros((0, 2)))[0].sum()
    )(np.ones(2)),
    "scan_weak_carry": lambda F, n, L: L.scan(lambda c, a: (c + a, a), 0.0, np.ones(3)),
    "scan_length": lambda F, n, L: L.scan(lambda c, _: (c * 2, c), np.float64(1), None, length=5),
    "cond_of_batched_predicate": lambda F, n, L: F.vmap(
        F.grad(lambda v: L.cond(v > 1, lambda a: n.log(a), lambda a: a**3, v))
    )(np.array([0.5, 2.0])),
    "cond_closures": lambda F, n, L: F.grad(lambda w: L.cond(w > 1, lambda: w * w, lambda: w))(np.float64(3)),
    "switch": lambda F, n, L: [
        L.switch(i, [lambda a: a * 1, lambda a: a * 2, lambda a: a * 3], np.float64(1))
        for i in (-5, 0, 1, 2, 7)
    ],
    "associative": lambda F, n, L: F.jacrev(lambda v: L.associative_scan(n.multiply, v, reverse=True))(X + 1),
    "associative_tree": lambda F, n, L: L.associative_scan(
        lambda a, b: (a[0] * b[0], a[1] * b[0] + b[1]),
        (np.arange(14.0).reshape(2, 7) / 5, np.ones((2, 7))),
        axis=1,
    ),
    "associative_bool": lambda F, n, L: L.associative_scan(n.logical_or, np.array([False, True, False])),
    "map": lambda F, n, L: (L.map(lambda v: v["a"] * 2, {"a": X}), L.map(lambda v: v * 2, X, batch_size=3)),
    "fori": lambda F, n, L: F.grad(lambda v: L.fori_loop(1, 4, lambda i, a: a * v + i, v))(np.float64(1.3)),
}


@cases(AGREE)
def test_like_jax(case):
    agree(case)


# Loops whose number of trips depends on data: the plain Python loop, differentiated numerically, is the oracle.


def growing(x):
    return lax.while_loop(lambda c: c[0] < 20.0, lambda c: (c[0] * c[1] + 0.5, c[1]), (x, x * 0 + 1.5))[0]


def growing_by_hand(x):
    while x < 20.0:
        x = x * 1.5 + 0.5
    return x


def while_in_scan(x):
    def step(c, y):
        v = lax.while_loop(lambda v: v < y, lambda v: v * 1.7 + fnp.sin(c * v) * 0.1 + 0.2, c)
        return v * 0.5, v

    carry, ys = lax.scan(step, x, np.array([3.0, 1.0, 5.0, 9.0]))
    return carry + (ys**2).sum()


def while_in_scan_by_hand(x):
    c, total = x, 0.0
    for y in (3.0, 1.0, 5.0, 9.0):
        v = c
        while v < y:
            v = v * 1.7 + np.sin(c * v) * 0.1 + 0.2
        total, c = total + v**2, v * 0.5
    return c + total


def scan_in_while(x):
    def body(v):
        s, _ = lax.scan(lambda a, b: (fnp.tanh(a * b) + x, a), v, np.array([0.3, 0.9]))
        return s + v

    return lax.while_loop(lambda v: v < 4.0, body, x)


def scan_in_while_by_hand(x):
    v = x
    while v < 4.0:
        s = v
        for b in (0.3, 0.9):
            s = np.tanh(s * b) + x
        v = s + v
    return v


def while_in_while(x):
    def body(c):
        v, i = c
        inner = lambda w: (w[0] * 1.3 + fnp.cos(w[0] * x) * 0.1 + 0.1, w[1] + 1)
        w = lax.while_loop(lambda w: w[0] < i * 1.5 + 2.0, inner, (v, 0))[0]
        return fnp.sqrt(w) * x, i + 1

    return lax.while_loop(lambda c: c[1] < 4, body, (x, 0))[0]


def while_in_while_by_hand(x):
    v = x
    for i in range(4):
        w = v
        while w < i * 1.5 + 2.0:
            w = w * 1.3 + np.cos(w * x) * 0.1 + 0.1
        v = np.sqrt(w) * x
    return v


def beyond_the_last_trip_is_nan(x):
    return lax.while_loop(lambda v: v > 1.0, lambda v: fnp.sqrt(v - 1.0) + fnp.log(v) * 0.1, x)


def beyond_by_hand(x):
    while x > 1.0:
        x = np.sqrt(x - 1.0) + np.log(x) * 0.1
    return x


LOOPS = {
    "while": (growing, growing_by_hand),
    "while_in_scan": (while_in_scan, while_in_scan_by_hand),
    "scan_in_while": (scan_in_while, scan_in_while_by_hand),
    "while_in_while": (while_in_while, while_in_while_by_hand),
    "nan_beyond_the_last_trip": (beyond_the_last_trip_is_nan, beyond_by_hand),
}


@cases(LOOPS)
def test_reverse_mode_through_data_dependent_trips(case):
    f, by_hand = case
    wanted = [derivative(by_hand, x) for x in XS]
    same([f(x) for x in XS], [by_hand(x) for x in XS])
    same([fx.grad(f)(x) for x in XS], wanted, 1e-5)
    same([fx.jvp(f, (x,), (1.0,))[1] for x in XS], wanted, 1e-5)
    same([fx.grad(fx.checkpoint(f))(x) for x in XS], wanted, 1e-5)
    same(fx.vmap(f)(XS), [by_hand(x) for x in XS])
    same(fx.vmap(fx.grad(f))(XS), wanted, 1e-5)
    same(fx.jit(fx.grad(lambda xs: fx.vmap(f)(xs).sum()))(XS), wanted, 1e-5)


@cases(LOOPS)
def test_second_order_through_data_dependent_trips(case):
    f, _ = case
    single = [fx.grad(fx.grad(f))(x) for x in XS]
    same(single, [derivative(fx.grad(f), x) for x in XS], 1e-5)
    same(fx.vmap(fx.grad(fx.grad(f)))(XS), single)
    same(fx.grad(lambda xs: fx.vmap(fx.grad(f))(xs).sum())(XS), single)
    same(fx.grad(lambda xs: fx.grad(lambda xs: fx.vmap(f)(xs).sum())(xs).sum())(XS), single)
    same([fx.jvp(fx.grad(f), (x,), (1.0,))[1] for x in XS], single)


def test_finished_elements_do_not_poison_shared_parameters():
    f = lambda x, s: lax.while_loop(lambda v: v > 1.0, lambda v: fnp.sqrt(v - 1.0) * s, x)
    total = fx.grad(lambda s: fx.vmap(f, (0, None))(XS, s).sum())(1.1)
    same(total, sum(fx.grad(f, 1)(x, 1.1) for x in XS), 1e-5)


def test_division_by_the_remaining_trips():
    f = lambda n, x: lax.fori_loop(0, n, lambda i, v: v / (n - i), x)
    n = np.array([1, 3, 2, 0])
    wanted = [1, 1 / 6, 1 / 2, 1]
    same(fx.vmap(f)(n, np.ones(4)), wanted)
    same(fx.grad(lambda x: fx.vmap(f)(n, x).sum())(np.ones(4)), wanted)


def test_inner_loops_of_finished_elements_end():
    def body(v):  # beyond its last trip the inner loop would never end
        w = lax.while_loop(lambda w: w < 100.0, lambda w: w * (1 + v), v)
        return v - w * 0 - 1.0

    same(fx.vmap(lambda x: lax.while_loop(lambda v: v > 0.5, body, x))(np.array([1.0, 3.0])), [0.0, 0.0])


def test_fori_loop_with_bounds_known_at_run_time():
    f = fx.jit(lambda a, b, v: lax.fori_loop(a, b, lambda i, c: c * v + i, v))

    def by_hand(a, b, v):
        c = v
        for i in range(a, b):
            c = c * v + i
        return c

    v = np.float64(1.3)
    for a, b in ((0, 3), (2, 2), (5, 1), (-2, 2)):
        same(f(a, b, v), by_hand(a, b, v))
        same(fx.grad(f, 2)(a, b, v), derivative(lambda t: by_hand(a, b, t), v), 1e-6)
    lows, highs = np.array([0, 1, 2]), np.array([3, 1, 6])
    same(fx.vmap(f, (0, 0, None))(lows, highs, v), [by_hand(a, b, v) for a, b in zip(lows, highs)])


def test_the_loop_index_is_weak_however_the_bounds_are_given():
    count = lambda n, v: lax.fori_loop(0, n, lambda i, v: v + i, v)
    for n in (5, np.int64(5), np.int32(5)):
        assert count(n, np.int32(0)).dtype == "int32"
        assert fx.jit(count)(n, np.float32(0)).dtype == "float32"
    assert (
        fx.jit(lambda a, v: lax.fori_loop(a, 5, lambda i, v: v + i, v))(np.int64(0), np.float32(0)).dtype
        == "float32"
    )


def test_weak_carries_take_the_type_the_body_returns():
    carry, ys = lax.scan(lambda c, a: (c + a, c), 0, np.ones(3, "float32"))
    assert carry.dtype == "float32" and ys.dtype == "float32"
    assert lax.while_loop(lambda c: c < 3, lambda c: c + np.float64(1), 0).dtype == "float64"


def test_bodies_see_the_closures_of_this_call():
    for k in range(3):
        scale = np.full(3, float(k))
        same(
            fx.grad(lambda w: lax.scan(lambda c, a: (c * scale.sum() + a, None), w, X)[0])(2.0),
            (3.0 * k) ** 4,
        )
        same(fx.grad(lambda w: lax.cond(w > 0, lambda q: q * scale.sum(), lambda q: q, w))(2.0), 3.0 * k)
        same(lax.while_loop(lambda c: c < k, lambda c: c + 1, 0), k)


ERRORS = {
    "cond_shapes": (
        ShapeError,
        lambda: lax.cond(True, lambda a: {"k": a}, lambda a: {"k": a[:2]}, X),
        ["['k']", "f64[4]", "f64[2]"],
    ),
    "cond_dtypes": (
        DTypeError,
        lambda: lax.cond(True, lambda a: a, lambda a: a.astype("float32"), X),
        ["f64[4]", "f32[4]", ".astype"],
    ),
    "cond_trees": (
        TreeError,
        lambda: lax.cond(True, lambda a: {"k": a}, lambda a: a, X),
        ["'k'", "structures"],
    ),
    "cond_predicate": (
        ShapeError,
        lambda: lax.cond(X > 1, lambda: 1, lambda: 2),
        ["bool[4]", "fx.numpy.where"],
    ),
    "cond_functions": (ArgumentError, lambda: lax.cond(True, 1, 2), ["cond(pred, f, g, *operands)"]),
    "cond_operand": (
        ArgumentError,
        lambda: lax.cond(True, lambda a: 1, lambda a: 2, {"q": "abc"}),
        ["['q']", "str"],
    ),
    "switch_index": (DTypeError, lambda: lax.switch(1.0, [lambda: 1, lambda: 2]), ["integer", "f32[]"]),
    "switch_empty": (ArgumentError, lambda: lax.switch(0, []), ["at least one branch"]),
    "scan_shape": (
        ShapeError,
        lambda: lax.scan(lambda c, a: ({"k": c["k"][None]}, a), {"k": 1.0}, X),
        ["carry['k']", "f32[]", "f32[1]", "test_control_flow.py"],
    ),
    "scan_dtype": (
        DTypeError,
        lambda: lax.scan(lambda c, a: (c + 1.5, a), np.int32(0), X),
        ["carry", "i32[]", ".astype"],
    ),
    "scan_tree": (TreeError, lambda: lax.scan(lambda c, a: ((c, c), a), 0.0, X), ["carry", "structure"]),
    "scan_pair": (TreeError, lambda: lax.scan(lambda c, a: c, 0.0, X), ["pair (carry, y)"]),
    "scan_lengths": (
        ShapeError,
        lambda: lax.scan(lambda c, a: (c, a), 0.0, {"a": X, "b": X[:2]}),
        ["xs['a']: 4", "xs['b']: 2"],
    ),
    "scan_scalar_xs": (ShapeError, lambda: lax.scan(lambda c, a: (c, a), 0.0, {"a": 1.0}), ["xs['a']", "()"]),
    "scan_nothing": (ArgumentError, lambda: lax.scan(lambda c, a: (c, a), 0.0), ["xs or length"]),
    "scan_length": (ArgumentError, lambda: lax.scan(lambda c, a: (c, a), 0.0, length=-1), ["-1", "negative"]),
    "scan_length_type": (ArgumentError, lambda: lax.scan(lambda c, a: (c, a), 0.0, length=1.5), ["1.5"]),
    "scan_unroll": (ArgumentError, lambda: lax.scan(lambda c, a: (c, a), 0.0, X, unroll=0), ["unroll=0"]),
    "while_predicate": (
        ShapeError,
        lambda: lax.while_loop(lambda c: c, lambda c: c, X),
        ["boolean", "f64[4]"],
    ),
    "while_carry": (
        DTypeError,
        lambda: lax.while_loop(lambda c: c < 3, lambda c: c + 0.5, np.int64(0)),
        ["carry", "i64[]"],
    ),
    "while_tree": (
        TreeError,
        lambda: lax.while_loop(lambda c: c[0] < 3, lambda c: c[0], (1.0, 2.0)),
        ["carry"],
    ),
    "fori_bound": (DTypeError, lambda: lax.fori_loop(0, 2.5, lambda i, c: c, 0.0), ["upper", "f32[]"]),
    "fori_bound_shape": (
        ShapeError,
        lambda: lax.fori_loop(0, np.array([1, 2]), lambda i, c: c, 0.0),
        ["upper", "i64[2]"],
    ),
    "associative_axis": (ShapeError, lambda: lax.associative_scan(fnp.add, {"a": 1.0}), ["['a']", "axis 0"]),
    "associative_lengths": (ShapeError, lambda: lax.associative_scan(lambda a, b: a, (X, X[:2])), ["[2, 4]"]),
    "associative_function": (ArgumentError, lambda: lax.associative_scan(3, X), ["function of two elements"]),
}


@pytest.mark.parametrize("error, call, facts", ERRORS.values(), ids=ERRORS.keys())
def test_errors_say(error, call, facts):
    says(error, call, *facts)


def test_a_branch_that_no_element_takes_cannot_poison_a_gradient():
    f = lambda x: fx.lax.cond(x > 0, fnp.log, lambda a: a * 3.0, x)
    x = np.array([0.0, 1.0, 2.0, -1.0])
    expected = np.array([3.0, 1.0, 0.5, 3.0])
    np.testing.assert_allclose(fx.grad(lambda x: fx.vmap(f)(x).sum())(x), expected)
    np.testing.assert_allclose(fx.vmap(fx.grad(f))(x), expected)
    np.testing.assert_allclose(fx.grad(lambda x: fx.vmap(f)(x).sum())(-x * x), [3.0, 3.0, 3.0, 3.0])


def test_elements_meet_with_their_own_values_in_a_branch():
    f = lambda x: fx.lax.cond(x > 0, lambda x: fx.lax.psum(x, "i"), lambda x: x, x)
    np.testing.assert_allclose(fx.vmap(f, axis_name="i")(np.array([-1.0, 2.0, 3.0])), [-1.0, 4.0, 4.0])


def test_python_numbers_of_branches_promote_to_the_wider_kind():
    assert fx.lax.cond(True, lambda: 1.5, lambda: 2) == 1.5
    assert fx.lax.cond(False, lambda: 1.5, lambda: 2).dtype == np.float32
    x = fnp.arange(3, dtype="int32")
    out = fx.lax.cond(True, lambda: x.sum(), lambda: 0.5)
    assert out.dtype == np.float32 and out == 3.0
    assert fx.lax.cond(True, lambda: np.float64(1.0), lambda: 0).dtype == np.float64
