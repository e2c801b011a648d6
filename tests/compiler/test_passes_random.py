"""Random programs of arithmetic, logic and rearrangements on special values: the passes change no bit."""

import hypothesis.strategies as st
import numpy as np
import programs as zoo
from hypothesis import given

import fx
from fx import numpy as fnp
from fx.compiler.simplify import simplified
from fx.core.program import check
from fx.primitives import elementwise as ew
from fx.primitives.contraction import contract

NUMBERS = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -4.0, 3.0, np.inf, -np.inf, np.nan, 1e-40, 3e38]
SHAPE = (3, 4)
BINARY = [ew.add, ew.sub, ew.mul, ew.div, ew.maximum, ew.minimum]
UNARY = [
    fnp.negative,
    fnp.abs,
    fnp.sqrt,
    fnp.floor,
    lambda x: ew.integer_pow(x, n=2),
    lambda x: ew.integer_pow(x, n=1),
    lambda x: x.astype(np.float64).astype(np.float32),
    lambda x: x.astype(np.float16).astype(np.float32),
    lambda x: (x > 0).astype(np.float32),
    lambda x: fnp.transpose(x).reshape(12).reshape(SHAPE),
    lambda x: fnp.transpose(fnp.transpose(x) * 2.0),
    lambda x: x[::-1, :],
    lambda x: x.reshape(12).reshape(3, 1, 4)[:, 0],
    lambda x: fnp.broadcast_to(fnp.max(x, axis=0), SHAPE),
    lambda x: fnp.broadcast_to(fnp.sum(x, axis=1, keepdims=True), SHAPE),
    lambda x: fnp.broadcast_to(x[:1], SHAPE),
    lambda x: fnp.concatenate([x[:1] * 1.0, x, x])[1:4],
    lambda x: fnp.pad(x, 1, constant_values=-0.0)[1:4, 1:5],
    lambda x: contract(x[:, :1], x[:1], "ij,jk->ik"),
]
NUMBER = st.sampled_from(NUMBERS)
STEP = st.one_of(
    st.tuples(st.just("unary"), st.integers(0, len(UNARY) - 1), st.integers(0, 99)),
    st.tuples(st.just("binary"), st.integers(0, len(BINARY) - 1), st.integers(0, 99), st.integers(0, 99)),
    st.tuples(st.just("number"), st.integers(0, len(BINARY) - 1), st.integers(0, 99), NUMBER, st.booleans()),
    st.tuples(st.just("full"), st.integers(0, len(BINARY) - 1), st.integers(0, 99), NUMBER),
    st.tuples(st.just("where"), st.integers(0, 5), st.integers(0, 99), st.integers(0, 99), st.booleans()),
)


def apply(step, values):
    kind, which, *rest = step
    pick = lambda i: values[i % len(values)]
    if kind == "unary":
        return UNARY[which](pick(rest[0]))
    if kind == "binary":
        return BINARY[which](pick(rest[0]), pick(rest[1]))
    if kind == "number":
        pair = (pick(rest[0]), np.float32(rest[1]))
        return BINARY[which](*(pair if rest[2] else pair[::-1]))
    if kind == "full":
        return BINARY[which](fnp.full(SHAPE, rest[1], np.float32), pick(rest[0]))
    x, y = pick(rest[0]), pick(rest[1])
    mask = [ew.lt, ew.le, ew.eq, ew.ne, ew.gt, ew.ge][which](x, y)
    return fnp.where(~mask if rest[2] else mask, x, y)


def program_of(steps):
    def f(*inputs):
        values = list(inputs)
        for step in steps:
            values.append(apply(step, values))
        return values[-3:]

    return fx.make_program(f)(*INPUTS)


RNG = np.random.default_rng(5)
INPUTS = [np.float32(RNG.choice(NUMBERS, SHAPE)), np.float32(RNG.normal(size=SHAPE))]


@given(st.lists(STEP, min_size=3, max_size=12))
def test_no_bit_changes(steps):
    program = program_of(steps)
    last = check(simplified(program))
    with np.errstate(all="ignore"):
        zoo.assert_same_bits(zoo.run(last, INPUTS), zoo.run(program, INPUTS))


INTEGERS = [ew.add, ew.sub, ew.mul, ew.bit_and, ew.bit_or, ew.bit_xor, ew.maximum, ew.floor_div, ew.mod]
SMALL = st.sampled_from([0, 1, -1, 2, 127, -128])


@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.integers(0, 99), SMALL, st.integers(0, 3)), min_size=3, max_size=12
    )
)
def test_no_bit_of_integers_changes(steps):
    x = np.array([0, 1, -1, 100, -128, 127], np.int8)

    def f(x, y):
        values = [x, y]
        for which, at, number, how in steps:
            v = values[at % len(values)]
            pair = [(v, np.int8(number)), (np.int8(number), v), (v, values[(at * 7) % len(values)]), (v, v)][
                how
            ]
            values.append(INTEGERS[which](*pair))
            values.append(~v if number else -v)
        return values[-4:]

    program = fx.make_program(f)(x, x[::-1].copy())
    last = check(simplified(program))
    args = [x, x[::-1].copy()]
    with np.errstate(all="ignore"):
        zoo.assert_same_bits(zoo.run(last, args), zoo.run(program, args))
