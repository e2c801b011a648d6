"""folding and contraction paths: what goes into its consumers, what must not, and what it costs."""

import ml_dtypes
import numpy as np
import programs as zoo
import pytest

import fx
from fx import numpy as fnp
from fx.compiler.passes.contraction_paths import contraction_paths
from fx.compiler.passes.dead_code import dead_code
from fx.compiler.passes.folding import folding
from fx.compiler.passes.inline import inline
from fx.compiler.simplify import simplified
from fx.core.program import check
from fx.core.transforms.call import program_cost
from fx.primitives.contraction import contract

RNG = np.random.default_rng(3)
M = RNG.normal(size=(3, 4)).astype(np.float32)
N = RNG.normal(size=(4, 5)).astype(np.float32)
S = RNG.normal(size=(2, 3, 4)).astype(np.float32)
V = RNG.normal(size=4).astype(np.float32)


def folded(fun, *args):
    """What remains after folding, checked and compared to the bit."""
    program = inline(fx.make_program(fun)(*args))
    found = dead_code(folding(program))
    check(found)
    assert found.out_avals == program.out_avals
    zoo.assert_same_bits(zoo.run(found, args), zoo.run(program, args))
    special = zoo.with_special(args, [np.nan, np.inf, -0.0, 1e-40])
    zoo.assert_same_bits(zoo.run(found, special), zoo.run(program, special))
    return found


def names(program):
    return [e.primitive.name for e in program.equations]


def spec(program):
    return next(e.params["spec"] for e in program.equations if e.primitive.name == "contract")


def wide(x, *shape):
    return fnp.broadcast_to(x, shape)


ELEMENTWISE = {
    "another operand has the shape": (lambda x, v: x * wide(v, 3, 4), (M, V), ["mul"]),
    "on another axis": (
        lambda x, v: x.T * wide(v[:, None], 4, 3), (M, V), ["transpose", "reshape", "mul"]),
    "two that complete each other": (
        lambda x, y: wide(x.reshape(3, 1), 3, 4) + wide(y, 3, 4), (M[:, 0], V), ["reshape", "add"]),
    "one operand": (lambda v: fnp.exp(wide(v, 3, 4)), (V,), ["exp", "broadcast"]),
    "all operands alike": (lambda v: fnp.exp(wide(v, 3, 4)) * wide(v, 3, 4), (V,), ["exp", "mul", "broadcast"]),
    "with a number": (lambda v: wide(v, 3, 4) * 2.0, (V,), ["mul", "broadcast"]),
    "converted": (lambda v: wide(v, 3, 4).astype(np.float64), (V,), ["convert", "broadcast"]),
    "select": (lambda x, v: fnp.where(wide(v > 0, 3, 4), x, 0.0), (M, V), ["gt", "select"]),
}  # fmt: skip


@pytest.mark.parametrize("case", ELEMENTWISE)
def test_broadcasts_into_elementwise_equations(case):
    fun, args, wanted = ELEMENTWISE[case]
    assert names(folded(fun, *args)) == wanted


MOVED = {
    "to the end of a chain": (lambda x: fnp.exp(x.T) * 2.0 + 1.0, ["exp", "mul", "add", "transpose"]),
    "two alike": (lambda x: x.T * fnp.sin(x).T, ["sin", "mul", "transpose"]),
    "reshaped": (lambda x: fnp.tanh(x.reshape(12)).reshape(3, 4), ["tanh", "reshape", "reshape"]),
    "not past other operands": (lambda x: x.T * fnp.ones((4, 3)).cumsum(0), None),
    "not where the transpose is read elsewhere": (lambda x: (lambda t: (fnp.sin(t), t))(x.T), None),
    "not two different ones": (lambda x: x[:, :3].T * x[:, :3], None),
}


@pytest.mark.parametrize("case", MOVED)
def test_transposes_and_reshapes_move_to_the_end_of_elementwise_chains(case):
    fun, wanted = MOVED[case]
    before = names(inline(fx.make_program(fun)(M)))
    assert names(folded(fun, M)) == (wanted or before)


CONTRACTIONS = {
    "left transpose": (lambda x, y: x.T @ y, (M.T.copy(), N), "ji,jk->ik"),
    "right transpose": (lambda x, y: x @ y.T, (M, N.T.copy()), "ij,kj->ik"),
    "result": (lambda x, y: (x @ y).T, (M, N), "ij,jk->ki"),
    "all": (lambda x, y: (x.T @ y.T).T, (M.T.copy(), N.T.copy()), "ji,kj->ki"),
    "batched": (lambda x, y: fnp.swapaxes(x, 1, 2) @ y, (S.swapaxes(1, 2).copy(), N), "Aji,jk->Aik"),
}


@pytest.mark.parametrize("case", CONTRACTIONS)
def test_transposes_into_contractions(case):
    fun, args, wanted = CONTRACTIONS[case]
    found = folded(fun, *args)
    assert names(found) == ["contract"]
    letters = str.maketrans(
        {c: chr(97 + i) for i, c in enumerate(dict.fromkeys(c for c in wanted if c.isalpha()))}
    )
    mine = spec(found)
    same = str.maketrans(
        {c: chr(97 + i) for i, c in enumerate(dict.fromkeys(c for c in mine if c.isalpha()))}
    )
    assert mine.translate(same) == wanted.translate(letters)


def test_a_contraction_that_is_read_twice_keeps_its_result():
    assert names(folded(lambda x, y: (lambda z: (z, z.T))(x @ y), M, N)) == ["contract", "transpose"]


def test_a_repeated_operand_is_not_repeated_for_a_contraction():
    found = folded(
        lambda x, y: contract(wide(x, 2, 3, 4), y, "bij,bjk->bik"), M, RNG.normal(size=(2, 4, 5)).astype("f4")
    )
    assert names(found) == ["contract"] and spec(found) == "ij,bjk->bik"


def test_a_result_is_repeated_instead_of_an_operand():
    found = folded(lambda x, y: contract(wide(x, 2, 3, 4), y, "bij,jk->bik"), M, N)
    assert names(found) == ["contract", "broadcast"] and spec(found) == "ij,jk->ik"


def test_a_repeated_axis_that_is_summed_over_stays():
    found = folded(
        lambda v, y: contract(wide(v[:, None], 4, 7), y, "ij,jk->ik"), V, RNG.normal(size=(7, 5)).astype("f4")
    )
    assert names(found) == ["reshape", "broadcast", "contract"]


@pytest.mark.parametrize(
    "case", ["i,j->ij", "i,j->ji", "bi,bj->bij", "ij,ij->ij", ",->", "ij,->ji", "ij,ji->ij"]
)
def test_a_contraction_that_sums_over_nothing_is_a_product(case):
    size = {"i": 3, "j": 4, "b": 2}
    args = [RNG.normal(size=[size[c] for c in part]).astype("f4") for part in case.split("->")[0].split(",")]
    found = folded(lambda x, y: contract(x, y, case), *args)
    assert "mul" in names(found) and "contract" not in names(found)
    np.testing.assert_array_equal(zoo.run(found, args)[0], np.einsum(case, *args))


def test_a_sum_of_one_term_is_a_product_that_begins_with_zero():
    x, y = np.float32([[-0.0], [2.0]]), np.float32([[3.0, -0.0]])
    found = folded(lambda x, y: x @ y, x, y)
    assert names(found) == ["reshape", "mul", "add"] and not np.signbit(zoo.run(found, [x, y])[0]).any()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.int32, np.complex64])
def test_products_in_other_dtypes(dtype):
    x, y = np.arange(1, 4).astype(dtype), np.arange(2, 6).astype(dtype)
    assert "contract" not in names(folded(lambda x, y: contract(x, y, "i,j->ij"), x, y))


def test_reductions_of_transposes():
    found = folded(lambda x: fnp.max(fnp.transpose(x, (2, 0, 1)), axis=0), S)
    assert names(found) == ["reduce_max"] and found.equations[0].params["axes"] == (2,)
    found = folded(lambda x: fnp.sum(fnp.transpose(x, (2, 0, 1)), axis=1), S)
    assert names(found) == ["sum", "transpose"]


def test_attention_needs_no_transpose():
    program, _ = zoo.program_and_values("attention")
    assert "transpose" in names(program) and "transpose" not in names(simplified(program))
    assert "broadcast" not in names(simplified(program))


# Contraction paths


def size_of(*shape):
    return RNG.normal(size=shape).astype(np.float64)


def test_a_chain_is_done_in_the_cheaper_order():
    args = size_of(30, 40), size_of(40, 50), size_of(50)
    program = fx.make_program(lambda a, b, v: (a @ b) @ v)(*args)
    found = contraction_paths(program)
    check(found)
    assert program_cost(found) < program_cost(program) / 10
    np.testing.assert_allclose(zoo.run(found, args)[0], args[0] @ (args[1] @ args[2]), rtol=1e-12)


def test_a_tree_of_five_keeps_its_indices_apart():
    args = size_of(3, 20, 4), size_of(20, 6), size_of(3, 6), size_of(6), size_of(4, 7)

    def f(a, b, c, d, e):
        x = contract(a, b, "bij,ik->bjk")
        y = contract(c, d, "bi,i->bi")
        return contract(contract(x, y, "bij,bj->bij"), e, "bij,ik->bkj")

    program = fx.make_program(f)(*args)
    found = contraction_paths(program)
    check(found)
    wanted = np.einsum("bij,ik,bk,k,jl->blk", *args)
    np.testing.assert_allclose(zoo.run(found, args)[0], wanted, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(zoo.run(program, args)[0], wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "fun",
    [
        lambda a, b, v: (lambda m: (m @ v, m))(a @ b),
        lambda a, b, v: (lambda m: m @ v + m[:, 0])(a @ b),
        lambda a, b, v: fnp.sin(a @ b) @ v,
        lambda a, b, v: a @ (b @ v),
    ],
    ids=["returned", "read elsewhere", "elementwise between", "best already"],
)
def test_what_is_read_elsewhere_or_cheap_already_is_left_alone(fun):
    args = size_of(30, 40), size_of(40, 50), size_of(50)
    program = fx.make_program(fun)(*args)
    assert contraction_paths(program) is program


def test_chains_inside_loops():
    args = size_of(30, 40), size_of(40, 30), size_of(30)
    step = lambda a, b, v: fx.lax.scan(lambda c, _: ((a @ b) @ c, None), v, None, length=3)[0]
    program = fx.make_program(step)(*args)
    found = contraction_paths(program)
    check(found)
    assert program_cost(found) < program_cost(program) / 10
    np.testing.assert_allclose(zoo.run(found, args)[0], zoo.run(program, args)[0], rtol=1e-11)
