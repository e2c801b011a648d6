"""algebra: every rule, and every rewrite that IEEE arithmetic forbids; results agree to the bit on special values."""

import numpy as np
import programs as zoo
import pytest

import fx
from fx import lax, numpy as fnp
from fx.compiler.passes.algebra import algebra
from fx.compiler.passes.dead_code import dead_code
from fx.compiler.passes.inline import inline
from fx.compiler.rules.logic import lossless
from fx.core.program import check
from fx.primitives import elementwise as ew, reductions, shape as structure

F = np.array([*zoo.SPECIAL], np.float32)
G = F[::-1].copy()
H = np.array([np.nan, np.inf, -0.0, 1.0, 2049.0, 6e-8], np.float16)
I = np.array([0, 1, -1, 7, -128, 127], np.int8)
U = np.array([0, 1, 255, 128], np.uint8)
B = np.array([True, False, True])
C = np.array([1 + 2j, complex(np.inf, -0.0), complex(np.nan, 1), 0j], np.complex64)
M = np.arange(12, dtype=np.float32).reshape(3, 4)
NEG0 = np.float32(-0.0)
neg = fnp.negative


def simpler(fun, *args):
    """Primitives that remain; what they compute is compared with what was traced, to the bit."""
    program = inline(fx.make_program(fun)(*args))
    found = dead_code(algebra(program))
    check(found)
    assert found.out_avals == program.out_avals
    zoo.assert_same_bits(zoo.run(found, args), zoo.run(program, args))
    return [e.primitive.name for e in found.equations]


ARITHMETIC = {
    "x * 1": (lambda x: x * 1.0, F, []),
    "1 * x of integers": (lambda x: 1 * x, I, []),
    "x * True": (lambda x: x * np.bool_(True), B, []),
    "x / 1": (lambda x: x / 1.0, F, []),
    "--x": (lambda x: neg(neg(x)), F, []),
    "--x of complex": (lambda x: neg(neg(x)), C, []),
    "x * -1": (lambda x: x * -1.0, F, ["neg"]),
    "x / -1": (lambda x: x / -1.0, F, ["neg"]),
    "-(x * c)": (lambda x: -(x * 3.0), F, ["mul"]),
    "-(c / x)": (lambda x: -(3.0 / x), F, ["div"]),
    "-x * c": (lambda x: -x * 3.0, F, ["mul"]),
    "-x / c": (lambda x: -x / 3.0, F, ["div"]),
    "c / -x": (lambda x: 3.0 / -x, F, ["div"]),
    "-x * -y": (lambda x: -x * -x, F, ["mul"]),
    "x + -y": (lambda x: x + -fnp.sin(x), F, ["sin", "sub"]),
    "-x + y": (lambda x: -fnp.sin(x) + x, F, ["sin", "sub"]),
    "x - -y": (lambda x: x - -fnp.sin(x), F, ["sin", "add"]),
    "c + -x": (lambda x: 2.0 + -x, F, ["sub"]),
    "x + -(y * z)": (lambda x: fnp.cos(x) + -fnp.sin(x) * x, F, ["cos", "sin", "mul", "sub"]),
    "x - 0.0": (lambda x: x - 0.0, F, []),
    "x + -0.0": (lambda x: x + NEG0, F, []),
    "-0.0 - x": (lambda x: NEG0 - x, F, ["neg"]),
    "x ** 1": (lambda x: ew.integer_pow(x, n=1), F, []),
    "x ** 2": (lambda x: x**2, F, ["mul"]),
    "x ** 0": (lambda x: ew.integer_pow(x, n=0), F, ["full"]),
    "pow(x, 1)": (lambda x: ew.power(x, np.float32(1)), F, []),
    "pow(x, 2)": (lambda x: ew.power(x, np.float32(2)), F, ["mul"]),
    "pow(x, 0)": (lambda x: ew.power(x, np.float32(0)), F, ["full"]),
    "x / 2**k": (lambda x: x / 4.0, F, ["mul"]),
    "x / 2**-k": (lambda x: x / 0.125, F, ["mul"]),
    "x + 0": (lambda x: x + 0, I, []),
    "x - 0": (lambda x: x - 0, U, []),
    "0 - x": (lambda x: 0 - x, I, ["neg"]),
    "x * 0": (lambda x: x * 0, I, ["full"]),
    "x - x": (lambda x: x - x, I, ["full"]),
    "-(x - y)": (lambda x: -(x - x * 3), I, ["mul", "sub"]),
    "x + a + b": (lambda x: x + 100 + 100, U, ["add"]),
    "x * a * b": (lambda x: x * 100 * 3, I, ["mul"]),
    "x // 1": (lambda x: x // 1, I, []),
    "x % 1": (lambda x: x % 1, I, ["full"]),
    "x << 0": (lambda x: x << 0, I, []),
    "max(x, x)": (lambda x: fnp.maximum(x, x), F, []),
    "max(x, -inf)": (lambda x: ew.maximum(x, np.float32(-np.inf)), F, []),
    "min(x, inf)": (lambda x: ew.minimum(np.float32(np.inf), x), F, []),
    "max(x, smallest)": (lambda x: ew.maximum(x, np.int8(-128)), I, []),
    "abs(-x)": (lambda x: fnp.abs(-x), F, ["abs"]),
    "abs(abs x)": (lambda x: fnp.abs(fnp.abs(x)), F, ["abs"]),
    "abs(exp x)": (lambda x: fnp.abs(fnp.exp(x) + x * x), F, ["exp", "mul", "add"]),
    "real(complex)": (lambda x: ew.real(ew.make_complex(x, x * 2.0)), F, []),
    "imag(complex)": (lambda x: ew.imag(ew.make_complex(x * 2.0, x)), F, []),
    "conj(conj)": (lambda x: fnp.conj(fnp.conj(x)), C, []),
}

ZEROS = {
    "exp": (lambda x: fnp.exp(x) + 0.0, ["exp"]),
    "square": (lambda x: x * x + 0.0, ["mul"]),
    "abs": (lambda x: fnp.abs(x) + 0.0, ["abs"]),
    "converted": (lambda x: (x > 0).astype(np.float32) + 0.0, ["gt", "convert"]),
    "sum with a positive term": (lambda x: (x + 1.0) + 0.0, ["add"]),
    "sum of squares": (lambda x: fnp.sum(x * x, axis=0) + 0.0, ["mul", "sum"]),
    "selected": (lambda x: fnp.where(x > 0, fnp.exp(x), 0.0) + 0.0, ["gt", "exp", "select"]),
    "minus -0.0": (lambda x: fnp.exp(x) - NEG0, ["exp"]),
}

LOGIC = {
    "x < x": (lambda x: ew.lt(x, x), F, ["full"]),
    "x == x of integers": (lambda x: ew.eq(x, x), I, ["full"]),
    "x <= x of integers": (lambda x: ew.le(x, x), U, ["full"]),
    "x == True": (lambda x: ew.eq(x, np.bool_(True)), B, []),
    "x != True": (lambda x: ew.ne(x, np.bool_(True)), B, ["not"]),
    "float(b) > 0": (lambda x: x.astype(np.float32) > 0.5, B, []),
    "int(b) < 1": (lambda x: x.astype(np.int64) < 1, B, ["not"]),
    "int(b) < 2": (lambda x: x.astype(np.int64) < 2, B, ["full"]),
    "isnan of integers": (lambda x: ew.isnan(x), I, ["full"]),
    "isfinite of integers": (lambda x: ew.isfinite(x), I, ["full"]),
    "not not": (lambda x: ~~x, B, []),
    "~~ of integers": (lambda x: ~~x, I, []),
    "not ==": (lambda x: ~(x == 1.0), F, ["ne"]),
    "not < of integers": (lambda x: ~(x < 3), I, ["ge"]),
    "x & x": (lambda x: x & x, I, []),
    "x | x": (lambda x: x | x, B, []),
    "x ^ x": (lambda x: x ^ x, I, ["full"]),
    "x & True": (lambda x: x & np.bool_(True), B, []),
    "x & False": (lambda x: x & np.bool_(False), B, ["full"]),
    "x | True": (lambda x: x | np.bool_(True), B, ["full"]),
    "x ^ True": (lambda x: x ^ np.bool_(True), B, ["not"]),
    "x | 0": (lambda x: x | 0, I, []),
    "x & -1": (lambda x: x & -1, I, []),
    "where(m, x, x)": (lambda x: fnp.where(x > 0, x, x), F, []),
    "where(True, x, y)": (lambda x: lax.select(fnp.ones(x.shape, bool), x, x * 2.0), F, []),
    "where(not m, x, y)": (lambda x: fnp.where(~(x < 0), x, -x), F, ["lt", "neg", "select"]),
    "where(m, True, False)": (lambda x: fnp.where(x > 0, True, False), F, ["gt"]),
    "where(m, False, True)": (lambda x: fnp.where(x == 0, False, True), F, ["ne"]),
    "where(m, where(m, x, y), z)": (
        lambda x: (lambda m: fnp.where(m, fnp.where(m, x, 1.0), 2.0))(x > 0), F, ["gt", "select"]),
    "where(m, x, where(m, y, z))": (
        lambda x: (lambda m: fnp.where(m, 1.0, fnp.where(m, 2.0, x)))(x > 0), F, ["gt", "select"]),
    "f32 of f64 of f32": (lambda x: x.astype(np.float64).astype(np.float32), F, []),
    "f16 of f64 of f32": (lambda x: x.astype(np.float64).astype(np.float16), F, ["convert"]),
    "i8 of i32 of i8": (lambda x: x.astype(np.int32).astype(np.int8), I, []),
    "f32 of i64 of i8": (lambda x: x.astype(np.int64).astype(np.float32), I, ["convert"]),
    "f32 of i32 of bool": (lambda x: x.astype(np.int32).astype(np.float32), B, ["convert"]),
    "iota converted": (lambda x: x + fnp.arange(12).astype(np.float32), F, ["iota", "add"]),
}  # fmt: skip

STRUCTURE = {
    "reshape of reshape": (lambda x: x.reshape(12).reshape(2, 6), ["reshape"]),
    "reshape and back": (lambda x: x.reshape(12).reshape(3, 4), []),
    "transpose and back": (lambda x: x.T.T, []),
    "transposes": (lambda x: fnp.transpose(fnp.transpose(x[None], (1, 2, 0)), (2, 1, 0)), ["reshape", "transpose"]),
    "transpose of an axis of one": (lambda x: fnp.transpose(x.reshape(3, 1, 4), (1, 0, 2)), ["reshape"]),
    "broadcast of broadcast": (
        lambda x: fnp.broadcast_to(fnp.broadcast_to(x, (2, 3, 4)), (5, 2, 3, 4)), ["broadcast"]),
    "broadcast that adds axes of one": (lambda x: fnp.broadcast_to(x, (1, 3, 4)), ["reshape"]),
    "slice of everything": (lambda x: x[:, 0:4], []),
    "slice of slice": (lambda x: x[1:, ::2][1:, 1:], ["slice"]),
    "slice of one part": (lambda x: fnp.concatenate([x, x * 2.0, x])[7:9], ["slice"]),
    "slice of a whole part": (lambda x: fnp.concatenate([x, x * 2.0, x])[3:6], ["mul"]),
    "reverse of reverse": (lambda x: x[::-1][::-1], []),
    "reverse twice": (lambda x: structure.reverse(x[::-1], axes=(0, 1)), ["reverse"]),
    "reverse of one": (lambda x: structure.reverse(x[:1], axes=(0,)), ["slice"]),
    "pad by nothing": (lambda x: structure.pad_p(x, np.float32(0), low=(0, 0), high=(0, 0), interior=(0, 0)), []),
    "pad by less": (lambda x: structure.pad(x, (-1, 0), (0, -2), (0, 0)), ["slice"]),
    "pad of zeros with zeros": (lambda x: x[:, :1] * fnp.pad(fnp.zeros((1, 1)), 1)[:, :1], ["slice", "mul"]),
    "concatenate with nothing": (lambda x: fnp.concatenate([x[:0], x, x[:0]]), []),
    "concatenate of zeros": (lambda x: fnp.concatenate([fnp.zeros((1, 4)), fnp.zeros((2, 4))]) + x, ["add"]),
    "sum over an axis of one": (lambda x: fnp.sum(x.reshape(3, 1, 4), axis=1), []),
    "sum over that and another": (lambda x: fnp.sum(x.reshape(3, 1, 4), axis=(0, 1)), ["sum"]),
    "sum over no axes": (lambda x: reductions.reduce_sum(x, axes=()), []),
    "argmax over an axis of one": (lambda x: fnp.argmax(x[:1], axis=0), ["full"]),
    "sum of ones": (lambda x: x / fnp.sum(fnp.ones((3, 4))), ["div"]),
    "max of something repeated": (lambda x: fnp.max(fnp.broadcast_to(x[0], (7, 4)), axis=0), ["slice", "reshape"]),
    "max of max": (lambda x: fnp.max(fnp.max(x, axis=0), axis=0), ["reduce_max"]),
    "sum of integers repeated": (
        lambda x: fnp.sum(fnp.broadcast_to(x.astype(np.int64)[0], (7, 4)), axis=0),
        ["convert", "slice", "reshape", "mul"]),
    "elementwise of constants": (lambda x: x + fnp.exp(fnp.zeros((3, 4))) * 2.0, ["add"]),
    "constants of another shape": (lambda x: fnp.zeros((2, 3, 4)) - x, ["sub", "broadcast"]),
    "constants moved": (lambda x: x * fnp.ones((4, 3)).T.reshape(12).reshape(3, 4)[::-1], []),
    "numbers": (lambda x: x * (fnp.sin(fnp.ones(())) > 2.0), ["mul"]),
    "nothing to compute": (lambda x: fnp.sin(x[:0]) * 2.0, ["full"]),
    "identity matrix of one": (lambda x: x * fnp.eye(1), []),
}  # fmt: skip


@pytest.mark.parametrize("case", ARITHMETIC)
def test_arithmetic(case):
    fun, x, wanted = ARITHMETIC[case]
    assert simpler(fun, x) == wanted


@pytest.mark.parametrize("case", ZEROS)
def test_adding_zero_to_what_is_never_minus_zero(case):
    fun, wanted = ZEROS[case]
    assert simpler(fun, F) == wanted


@pytest.mark.parametrize("case", LOGIC)
def test_logic(case):
    fun, x, wanted = LOGIC[case]
    assert simpler(fun, x) == wanted


@pytest.mark.parametrize("case", STRUCTURE)
def test_structure(case):
    fun, wanted = STRUCTURE[case]
    assert simpler(fun, M) == wanted


REFUSED = {
    "x * 0.0": (lambda x: x * 0.0, F),
    "x + 0.0": (lambda x: x + 0.0, F),
    "x - -0.0": (lambda x: x - NEG0, F),
    "0.0 - x": (lambda x: 0.0 - x, F),
    "x * 1 + 0.0": (lambda x: fnp.sin(x) + 0.0, F),
    "sqrt(x) + 0.0": (lambda x: fnp.sqrt(x) + 0.0, F),
    "max(x, 0) + 0.0": (lambda x: ew.maximum(x, np.float32(0)) + 0.0, F),
    "x - x": (lambda x: x - x, F),
    "x / x": (lambda x: x / x, F),
    "-(x - y)": (lambda x: -(x - G), F),
    "x * a * b": (lambda x: x * 3.0 * 5.0, F),
    "x + a + b": (lambda x: x + 3.0 + 5.0, F),
    "x / 3": (lambda x: x / 3.0, F),
    "x / 2**-149": (lambda x: x / np.float32(2.0**-149), F),
    "x / 0": (lambda x: x / 0.0, F),
    "x ** 3": (lambda x: x**3, F),
    "pow(x, 0.5)": (lambda x: ew.power(x, np.float32(0.5)), F),
    "x == x": (lambda x: ew.eq(x, x), F),
    "x <= x": (lambda x: ew.le(x, x), F),
    "not (x < y)": (lambda x: ~(x < 1.0), F),
    "max(x, largest finite)": (lambda x: ew.maximum(x, np.float32(np.finfo(np.float32).min)), F),
    "x * 1 of complex": (lambda x: x * np.complex64(1), C),
    "x + 0.0 of complex": (lambda x: x + np.complex64(0), C),
    "f64 of f32 of f64": (lambda x: x.astype(np.float32).astype(np.float64), F.astype(np.float64)),
    "i32 of i8 of i32": (lambda x: x.astype(np.int8).astype(np.int32), np.arange(300, dtype=np.int32)),
    "i32 of f32 of i32": (lambda x: x.astype(np.float32).astype(np.int32), np.int32([2**24 + 1, 5])),
    "f16 of bf16 of f16": (lambda x: x.astype("bfloat16").astype(np.float16), H),
    "sum of something repeated": (lambda x: fnp.sum(fnp.broadcast_to(x, (3, 12)), axis=0), F),
    "sum of sum": (lambda x: fnp.sum(fnp.sum(x.reshape(3, 4), axis=0)), F),
    "sum of tenths": (lambda x: x + fnp.sum(fnp.full((10,), 0.1, np.float32)), F),
    "-sum(-x)": (lambda x: fnp.sum(-x), F),
    "where(m, x, 0) * 1 on the other side": (lambda x: fnp.where(x > 0, x, fnp.where(x < 0, 1.0, 2.0)), F),
    "slice over two parts": (lambda x: fnp.concatenate([x, x])[5:20], F),
    "integers modulo 1.0": (lambda x: x % 1.0, F),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case):
    fun, x = REFUSED[case]
    program = fx.make_program(fun)(x)
    assert simpler(fun, x) == [e.primitive.name for e in program.equations]


def test_a_sign_that_someone_else_reads_stays():
    wanted = ["sin", "cos", "neg", "mul", "add"]
    assert simpler(lambda x: (lambda n: n * fnp.cos(x) + n)(-fnp.sin(x)), F).count("neg") == wanted.count(
        "neg"
    )


@pytest.mark.parametrize("n", [1, 2, 3, 12])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_division_by_powers_of_two_is_exact(n, dtype):
    rng = np.random.default_rng(n)
    x = rng.integers(0, 2 ** (8 * dtype().itemsize) - 1, 1000, np.uint64)
    x = x.astype(f"uint{8 * dtype().itemsize}").view(dtype)
    assert simpler(lambda x: x / dtype(2.0**n), x) == ["mul"]
    assert simpler(lambda x: x / dtype(2.0**-n), x) == ["mul"]


def test_lossless_conversions_against_every_small_value():
    """Oracle: all values of the 8 and 16 bit dtypes there and back."""
    import ml_dtypes

    small = [np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.float16, ml_dtypes.bfloat16]
    large = [*small, np.int32, np.int64, np.uint32, np.uint64, np.float32, np.float64, np.complex64]
    for source in map(np.dtype, small):
        bits = np.arange(2 if source.kind == "b" else 1 << 8 * source.itemsize)
        values = bits.astype(f"uint{8 * source.itemsize}").view(source)
        for target in map(np.dtype, large):
            if source.kind in "fV" and target.kind in "biu":
                assert not lossless(source, target)
                continue
            with np.errstate(all="ignore"):
                there = values.astype(target)
                back = (there.real if target.kind == "c" else there).astype(source)
                wide = np.float64
                exact = np.all((back == values) | (values != values)) and np.all(
                    ((there.real if target.kind == "c" else there).astype(wide) == values.astype(wide))
                    | (values != values)
                )
            assert lossless(source, target) == bool(exact), (source, target)


# Inside loops and conditionals


def loop_of(fun, *args):
    program = fx.make_program(fun)(*args)
    found = dead_code(algebra(program))
    check(found)
    zoo.assert_same_bits(zoo.run(found, args), zoo.run(program, args))
    return found


def test_rules_apply_inside_loops():
    found = loop_of(lambda c, xs: lax.scan(lambda c, x: (neg(neg(c)) * 1.0 + x, None), c, xs)[0], M[0], M)
    assert [e.primitive.name for e in found.equations[0].params["body"].equations] == ["add"]


def test_constant_stacks_are_constants_of_the_body():
    found = loop_of(lambda c: lax.scan(lambda c, x: (c * x, None), c, fnp.ones((5, 4)))[0], M[0])
    assert not algebra(found).equations or len(found.equations[-1].inputs) == 1


def test_rows_that_are_all_the_same_are_no_stack():
    stack = lambda x: fnp.broadcast_to(x, (5, 4))
    found = loop_of(lambda c, x: lax.scan(lambda c, x: (c * x, None), c, stack(x))[0], M[0], M[1])
    loop = found.equations[-1]
    assert loop.params["sizes"] == (0, 1, 1) and loop.inputs == (found.inputs[1], found.inputs[0])


def test_a_carry_that_stands_still_is_a_constant():
    body = lambda c, x: ((c[0] * c[1], c[1]), None)
    found = loop_of(lambda c, d, xs: lax.scan(body, (c, d), xs)[0], M[0], M[1], M)
    assert found.equations[-1].params["sizes"] == (0, 1, 1) and found.outputs[1] is found.inputs[1]


def test_a_carry_of_a_while_loop_that_stands_still_is_a_constant_for_its_predicate_too():
    going = lambda c: c[0][0] < c[1]
    fun = lambda x, n: lax.while_loop(going, lambda c: (c[0] * 2.0, c[1]), (x, n))
    found = loop_of(fun, M[1], np.float32(100.0))
    assert found.equations[-1].params["sizes"] == (1, 0, 1) or found.equations[-1].params["sizes"] == (
        1,
        1,
        1,
    )


def test_branches_know_constants_and_agree_on_results():
    branches = [lambda x, y: (x * y, y, fnp.ones(4)), lambda x, y: (x + y, y, fnp.ones(4))]
    found = loop_of(lambda i, x: lax.switch(i, branches, x, fnp.zeros(4)), np.int32(1), M[0])
    (cond,) = (e for e in found.equations if e.primitive.name == "cond")
    assert len(cond.inputs) == 2 and len(cond.outputs) == 1


def test_a_conditional_asks_the_boolean_itself():
    found = loop_of(lambda p, x: lax.cond(~p, fnp.sin, fnp.cos, x), np.bool_(True), M[0])
    assert [e.primitive.name for e in found.equations] == ["cond"]
    assert found.equations[0].inputs[0] is found.inputs[0]


# Loop invariants


def hoisted(step, *consts):
    found = loop_of(
        lambda c, *k: lax.scan(lambda c, _: (step(c, *k), None), c, None, length=3)[0], M[0], *consts
    )
    loop = next(e for e in found.equations if e.primitive.name == "scan")
    return [[e.primitive.name for e in p.equations] for p in (found, loop.params["body"])]


def test_what_depends_on_constants_alone_is_computed_before_the_loop():
    assert hoisted(lambda c, k: c * fnp.exp(k), M[1]) == [["exp", "scan"], ["mul"]]
    assert hoisted(lambda c, k: c * fnp.sum(fnp.sin(k) * 2.0), M) == [["sin", "mul", "sum", "scan"], ["mul"]]
    assert hoisted(lambda c, k, w: c + k @ w, M[0], M.T @ M) == [["contract", "scan"], ["add"]]


def test_rearrangements_stay_inside():
    assert hoisted(lambda c, k: c * k[::-1], M[1]) == [["scan"], ["reverse", "mul"]]


def test_what_would_grow_stays_inside():
    outer = lambda c, k: c + fnp.sum((k[:, None] + k) * c, axis=0)
    assert hoisted(outer, M[1]) == [["scan"], ["reshape", "add", "mul", "sum", "add"]]


def test_callbacks_barriers_and_what_depends_on_the_carry_stay_inside():
    call = lambda c, k: c * fx.pure_callback(np.sin, fx.ShapeDtype((4,), np.float32), k)
    assert hoisted(call, M[1]) == [["scan"], ["pure_callback", "mul"]]
    held = lambda c, k: c * fnp.exp(lax.optimization_barrier(k))
    assert hoisted(held, M[1]) == [["scan"], ["optimization_barrier", "exp", "mul"]]
    assert hoisted(lambda c, k: fnp.exp(c + k), M[1]) == [["scan"], ["add", "exp"]]


def test_an_invariant_of_two_loops_leaves_both():
    inner = lambda c, k: lax.scan(lambda c, _: (c * fnp.exp(k), None), c, None, length=2)[0]
    assert hoisted(inner, M[1])[0] == ["exp", "scan"]
