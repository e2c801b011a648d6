"""fx.config(check_keys=True): what counts as using a key twice, and what does not; streams of keys."""

import numpy as np
import pytest

import fx
from fx import random
from fx.core.errors import ArgumentError, FxError, TracerError
from fx.random import KeyReuseError


@pytest.fixture(autouse=True)
def checked():
    with fx.config(check_keys=True):
        yield


def two(key):
    return random.normal(key) + random.uniform(key)


def row_twice(key):
    keys = random.split(key, 3)
    return random.normal(keys[1]) + random.uniform(keys[1])


def of_a_loop(key):
    return fx.lax.scan(lambda c, x: (c + random.normal(key), c), 0.0, np.arange(3.0))


def after_a_branch(key):
    either = fx.lax.cond(True, lambda: random.normal(key), lambda: random.uniform(key))
    return either + random.normal(key)


def before_split(key):
    return random.normal(key) + random.normal(random.split(key)[0])


REUSES = [two, row_twice, of_a_loop, after_a_branch, before_split]


@pytest.mark.parametrize("wrap", [lambda f: f, fx.jit, fx.checkpoint, lambda f: fx.jit(fx.checkpoint(f))])
@pytest.mark.parametrize("function", REUSES)
def test_a_reuse_raises_eagerly_and_while_tracing(function, wrap):
    with pytest.raises(KeyReuseError) as caught:
        wrap(function)(random.key(0))
    assert isinstance(caught.value, FxError) and isinstance(caught.value, RuntimeError)
    assert "test_key_reuse.py" in str(caught.value) and "fx.random.split" in str(caught.value)


@pytest.mark.parametrize("function", REUSES)
def test_a_reuse_raises_under_grad_vmap_and_scan(function):
    value = lambda x, key: x * fx.numpy.sum(fx.tree.leaves(function(key))[0])
    for call in (
        lambda: fx.grad(value)(1.0, random.key(0)),
        lambda: fx.jvp(lambda x: value(x, random.key(0)), (1.0,), (1.0,)),
        lambda: fx.vmap(function)(random.split(random.key(0))),
        lambda: fx.lax.scan(lambda c, k: (c, function(k)), 0, random.split(random.key(0))),
    ):
        with pytest.raises(KeyReuseError):
            call()


def test_the_error_names_both_lines():
    key = random.key(0)
    random.normal(key)
    with pytest.raises(KeyReuseError) as caught:
        random.gamma(key, 2.0)
    text = str(caught.value).splitlines()
    assert "first by normal" in text[1] and "random.normal(key)" in text[1]
    assert "again by gamma" in text[2] and "random.gamma(key, 2.0)" in text[2]


def test_split_uses_a_key_up_and_fold_in_does_not():
    key = random.key(1)
    for i in range(3):
        random.normal(random.fold_in(key, i))
    first, second = random.split(key)
    random.normal(first), random.normal(second)
    with pytest.raises(KeyReuseError):
        random.split(key)
    with pytest.raises(KeyReuseError):
        random.normal(first)


def test_rows_of_one_array_of_keys():
    keys = random.split(random.key(1), 3)
    for key in keys:
        random.normal(key)
    with pytest.raises(KeyReuseError):
        random.normal(keys[2])


def test_a_clone_may_be_used_besides_its_key():
    for order in ((0, 1), (1, 0)):
        key = random.key(2)
        pair = (key, random.clone(key))
        x, y = [random.normal(pair[i]) for i in order]
        assert float(x) == float(y)
        with pytest.raises(KeyReuseError):
            random.normal(key)
    fx.jit(lambda key: random.normal(random.clone(key)) + random.normal(key))(random.key(0))


def test_fresh_keys_of_the_same_seed_are_fresh():
    for _ in range(2):
        two_draws = (
            random.normal(random.key(3)),
            random.normal(random.wrap_key_data(np.array([0, 9], np.uint32))),
        )
        assert len(two_draws) == 2


def test_what_is_no_reuse_in_traces():
    each = fx.jit(lambda key: sum(random.normal(k) for k in random.split(key, 3)))
    each(random.key(0)), each(random.key(0))
    folded = lambda key: fx.lax.scan(lambda c, i: (c, random.normal(random.fold_in(key, i))), 0, np.arange(3))
    folded(random.key(0)), fx.jit(folded)(random.key(0))
    fx.jit(lambda p, key: fx.lax.cond(p, random.normal, random.uniform, key))(True, random.key(0))
    branches = lambda p, key: fx.lax.cond(p, lambda: random.normal(key), lambda: random.uniform(key))
    fx.jit(branches)(True, random.key(0)), branches(True, random.key(0))
    for _ in range(2):
        fx.grad(lambda x, key: x * random.normal(key))(1.0, random.key(0))


def test_a_key_used_inside_grad_is_used_outside():
    key = random.key(5)
    fx.grad(lambda x, key: x * random.normal(key))(1.0, key)
    with pytest.raises(KeyReuseError):
        random.normal(key)


# Calls: a traced function uses up the keys that it is given


def draws(key):
    return random.normal(key)


def first_row(keys):
    return random.normal(keys[0])


def of_a_pair(pair):
    return random.normal(pair["key"]) * pair["x"]


def in_branches(key):
    return fx.lax.cond(key[0] > 5, random.normal, random.uniform, key)


def in_a_loop(key):
    def step(i, carry):
        key, draw = random.split(carry[0])
        return key, carry[1] + random.normal(draw)

    return fx.lax.fori_loop(0, 3, step, (key, fx.numpy.zeros(())))[1]


def while_small(key):
    def step(carry):
        key, draw = random.split(carry[0])
        return key, carry[1] + random.uniform(draw)

    return fx.lax.while_loop(lambda carry: carry[1] < 2, step, (key, fx.numpy.zeros(())))[1]


def twice_jitted(key):
    return fx.jit(fx.jit(draws))(key)


def rowwise(key):
    return fx.vmap(draws)(key[None])[0]


def scanned(key):
    return fx.lax.scan(lambda c, k: (c + random.normal(k), c), fx.numpy.zeros(()), key[None])[0]


def mapped(key):
    return fx.lax.map(draws, key[None])


CALLS = [draws, in_branches, in_a_loop, while_small, twice_jitted, rowwise, scanned, mapped]


@pytest.mark.parametrize("wrap", [lambda f: f, fx.jit, fx.checkpoint, lambda f: fx.jit(fx.checkpoint(f))])
@pytest.mark.parametrize("function", CALLS)
def test_a_call_uses_its_key_up(function, wrap):
    call = wrap(function)
    again = wrap(lambda key: function(key))
    for second in (call, again, random.normal):
        key = random.key(0)
        call(key)
        with pytest.raises(KeyReuseError):
            second(key)
    for _ in range(2):  # what is new again may be used again
        call(random.key(0)), call(random.key(1))
    with pytest.raises(KeyReuseError):
        fx.jit(lambda key: call(key) + again(key))(random.key(0))
    with pytest.raises(KeyReuseError):
        fx.vmap(lambda key: call(key) + again(key))(random.split(random.key(0)))


def test_a_call_of_a_jitted_function_names_both_lines():
    function = fx.jit(draws)
    key = random.key(0)
    function(key)
    with pytest.raises(KeyReuseError) as caught:
        function(key)  # the second call
    text = str(caught.value).splitlines()
    assert "first by draws (normal, " in text[1] and text[1].endswith("function(key)")
    assert "again by draws (normal, " in text[2] and text[2].endswith("function(key)  # the second call")
    assert text[1] != text[2]


def test_a_call_under_transformations_uses_its_key_up():
    function = fx.jit(lambda x, key: x * random.normal(key))
    for call in (
        lambda key: fx.grad(function)(1.0, key),
        lambda key: fx.jvp(lambda x: function(x, key), (1.0,), (1.0,)),
        lambda key: fx.hvp(lambda x: function(x, key), (1.0,), (1.0,)),
        lambda key: fx.vmap(function, (0, None))(F, key),
        lambda key: fx.vmap(fx.grad(function), (0, None))(F, key),
        lambda key: fx.jit(fx.value_and_grad(function))(1.0, key),
        lambda key: fx.grad(fx.checkpoint(function))(1.0, key),
    ):
        key = random.key(0)
        call(key)
        with pytest.raises(KeyReuseError):
            call(key)


def test_parts_of_arrays_of_keys_across_calls():
    one = fx.jit(first_row)
    keys = random.split(random.key(0), 3)
    one(keys), one(keys[1:]), fx.vmap(draws)(keys[2:])
    for used in (keys, keys[1:], keys[2:]):
        with pytest.raises(KeyReuseError):
            one(used)
    with pytest.raises(KeyReuseError):
        fx.vmap(draws)(keys)
    with pytest.raises(KeyReuseError):  # a row for each trip
        keys = random.split(random.key(0), 3)
        fx.lax.fori_loop(0, 3, lambda i, c: c + random.normal(keys[i]), 0.0)
        random.normal(keys[2])
    pair = {"key": random.key(0), "x": 2.0}
    fx.jit(of_a_pair)(pair)
    with pytest.raises(KeyReuseError):
        random.normal(pair["key"])


@pytest.mark.parametrize("order", [1, -1])
def test_rows_and_the_whole_inside_a_trace(order):
    steps = [lambda keys: fx.vmap(draws)(keys).sum(), lambda keys: random.normal(keys[1])][::order]
    with pytest.raises(KeyReuseError):
        fx.jit(lambda key: sum(step(keys) for keys in [random.split(key, 3)] for step in steps))(
            random.key(0)
        )
    fx.jit(lambda key: fx.vmap(draws)(random.split(key, 3)[1:]).sum() + 0)(random.key(0))


def test_a_key_closed_over_is_used_at_every_call():
    key = random.key(0)
    function = fx.jit(lambda x: x * random.normal(key))
    function(1.0)
    with pytest.raises(KeyReuseError):
        function(1.0)


def test_a_loop_replaces_the_key_that_it_carries():
    constant = lambda c, x: ((c[0], c[1] + random.normal(c[0])), x)
    for loop in (
        lambda start: fx.lax.scan(constant, start, F),
        lambda start: fx.lax.fori_loop(0, 3, lambda i, c: constant(c, i)[0], start),
        lambda start: fx.lax.while_loop(lambda c: c[1] < 2, lambda c: constant(c, 0)[0], start),
    ):
        with pytest.raises(KeyReuseError, match="is not replaced by"):
            loop((random.key(0), fx.numpy.zeros(())))


def test_calls_that_reuse_nothing():
    for _ in range(2):  # the same seed, twice
        key = random.key(3)
        key, draw = fx.jit(random.split)(key)
        fx.jit(draws)(draw)
        keys = fx.vmap(random.split)(random.split(key))
        fx.vmap(fx.vmap(draws))(keys)
    step = fx.jit(lambda key, i: random.normal(random.fold_in(key, i)))
    key = random.key(4)
    step(key, 0), step(key, 1)
    cloned = fx.jit(lambda key: random.normal(random.clone(key)))
    cloned(key), random.normal(key)
    words = fx.jit(lambda key: key + np.uint32(1))
    words(random.key(5)), words(random.key(5))
    made = fx.jit(lambda key: random.normal(key) + random.normal(key + np.uint32(1)))
    made(random.key(5))
    indexed = lambda key: fx.lax.fori_loop(0, 3, lambda i, c: c + random.normal(key[i]), 0.0)
    indexed(random.split(random.key(5), 3))
    carried = lambda key: fx.lax.scan(lambda k, x: tuple(random.split(k)), key, None, 4)
    last, rows = carried(random.key(6))
    random.normal(last), fx.vmap(draws)(rows)


def test_keys_that_a_call_returns():
    used = fx.jit(lambda key: (random.normal(key), key))
    _, key = used(random.key(0))
    with pytest.raises(KeyReuseError):
        random.normal(key)

    def one_of_three(key):
        keys = random.split(key, 3)
        return random.normal(keys[0]), keys

    random.normal(fx.jit(one_of_three)(random.key(1))[1][2])

    def row_of_two(key):
        first, second = random.split(key)
        return random.normal(first), first, second

    for call in (fx.jit(row_of_two), lambda key: fx.lax.cond(True, row_of_two, row_of_two, key)):
        for _ in range(2):
            _, first, second = call(random.key(1))
            random.normal(second)
            with pytest.raises(KeyReuseError):
                random.normal(first)
        with pytest.raises(KeyReuseError):
            fx.jit(lambda key: random.normal(call(key)[1]))(random.key(2))
        fx.jit(lambda key: random.normal(call(key)[2]))(random.key(2))


F = np.ones(3, "f")
PLAIN = {
    "rademacher": ((3,),), "pareto": (2.0, (3,)), "weibull_min": (1.0, 1.0, (3,)), "choice": (5, (3,)),
    "permutation": (5,), "multivariate_normal": (F, np.eye(3, dtype="f")), "orthogonal": (3,), "gamma": (2.0,),
    "beta": (2.0, 2.0), "dirichlet": (F,), "multinomial": (3.0, F / 3), "ball": (3,), "maxwell": (), "wald": (1.0,),
    "poisson": (3.0,), "binomial": (5.0, 0.5), "f": (2.0, 3.0), "t": (3.0,), "randint": ((3,), 0, 9),
    "chisquare": (3.0,), "double_sided_maxwell": (0.0, 1.0), "categorical": (F,), "bernoulli": (0.5,),
    "generalized_normal": (1.5,), "truncated_normal": (-1.0, 1.0), "exponential": (), "geometric": (0.5,),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_a_draw_uses_its_key_once(name):
    key = random.key(7)
    getattr(random, name)(key, *PLAIN[name])
    with pytest.raises(KeyReuseError, match=f"again by {name} "):
        getattr(random, name)(key, *PLAIN[name])


def test_choices_without_replacement_use_their_key_once():
    random.choice(random.key(0), F, (2,), False)
    random.choice(random.key(0), F, (2,), False, F)


def test_nothing_is_checked_by_default():
    with fx.config(check_keys=False):
        key = random.key(0)
        random.normal(key), random.normal(key)
        fx.jit(two)(key)
    with pytest.raises(KeyReuseError):
        fx.jit(two)(random.key(0))


# Streams


def test_a_stream_gives_fresh_keys():
    keys = random.stream(3)
    drawn = [random.normal(next(keys)) for _ in range(2)] + [random.normal(k) for k in keys.take(2)]
    root = random.key(3)
    assert [float(x) for x in drawn] == [float(random.normal(random.fold_in(root, i))) for i in range(4)]
    assert keys.take(0).shape == (0, 2)
    assert iter(keys) is keys


def test_a_stream_goes_on_from_its_state():
    keys = random.stream(3)
    keys.take(5)
    state = {name: np.asarray(x).copy() for name, x in keys.state.items()}
    again = random.stream(0)
    again.state = state
    assert np.asarray(next(keys)).tolist() == np.asarray(next(again)).tolist()
    assert "count=6" in repr(again)


def test_a_stream_works_under_transformations_that_call_anew():
    keys = random.stream(0)
    slopes = [float(fx.grad(lambda w: w * random.normal(next(keys)))(1.0)) for _ in range(2)]
    assert slopes[0] != slopes[1]
    assert fx.vmap(lambda x: x + random.normal(next(keys)))(F).shape == (3,)
    inner = fx.jit(lambda key: sum(random.normal(k) for k in random.stream(key).take(2)))
    assert float(inner(random.key(1))) != float(inner(random.key(2)))


@pytest.mark.parametrize(
    "run",
    [
        lambda read: fx.jit(read)(1.0),
        lambda read: fx.lax.scan(lambda c, x: (read(c), x), 0.0, F),
        lambda read: fx.lax.fori_loop(0, 3, lambda i, c: read(c), 0.0),
        lambda read: fx.jit(fx.grad(read))(1.0),
    ],
)
def test_a_stream_refuses_to_be_recorded(run):
    keys = random.stream(0)
    for read in (lambda x: x * random.normal(next(keys)), lambda x: x * random.normal(keys.take(1)[0])):
        with pytest.raises(TracerError, match=r"traced once and run often[\s\S]*next\(keys\) as an argument"):
            run(read)
    inside = lambda key: fx.lax.map(lambda x: x * random.normal(next(key)), F)
    with pytest.raises(TracerError, match="map"):
        fx.jit(lambda key: inside(random.stream(key)))(random.key(0))


@pytest.mark.parametrize(
    "call",
    [
        lambda: random.stream(0).take(-1),
        lambda: random.stream(0).take(1.5),
        lambda: setattr(random.stream(0), "state", 3),
        lambda: setattr(random.stream(0), "state", {"key": F, "count": 0}),
        lambda: setattr(random.stream(0), "state", {"key": np.zeros(2, np.uint32), "count": 0.5}),
    ],
)
def test_bad_arguments_of_streams(call):
    with pytest.raises(ArgumentError):
        call()
