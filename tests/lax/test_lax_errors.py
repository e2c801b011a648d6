"""What fx.lax refuses: operands of two dtypes or ranks, and arguments that make no sense; the message shows them."""

import numpy as np
import pytest

import fx
from fx import lax

A = np.ones((2, 3), np.float32)
I = np.arange(3)
POINTS = np.zeros((2, 1), int)
GATHER = lax.GatherDimensionNumbers((), (0,), (0,))
SCATTER = lax.ScatterDimensionNumbers((), (0,), (0,))

CASES = {
    "two dtypes": (fx.DTypeError, lambda: lax.add(A, A.astype(float)), "f32[2,3], f64[2,3]"),
    "a float for integers": (fx.DTypeError, lambda: lax.add(I, 1.5), "1.5"),
    "a complex number for floats": (fx.DTypeError, lambda: lax.mul(A, 1j), "1j"),
    "two ranks": (fx.ShapeError, lambda: lax.add(A, A[0]), "f32[2,3], f32[3]"),
    "two sizes": (fx.ShapeError, lambda: lax.add(A, A[:, :2]), "(2, 3), (2, 2)"),
    "sin of integers": (fx.DTypeError, lambda: lax.sin(I), "int64"),
    "abs of booleans": (fx.DTypeError, lambda: lax.abs(I > 0), "bool"),
    "bits of floats": (fx.DTypeError, lambda: lax.bitwise_and(A, A), "float32"),
    "mulhi of floats": (fx.DTypeError, lambda: lax.mulhi(A, A), "float32"),
    "negative power of integers": (fx.ArgumentError, lambda: lax.integer_pow(I, -1), "-1"),
    "a list": (fx.ArgumentError, lambda: lax.sin([1.0]), "list"),
    "reshape with -1": (fx.ShapeError, lambda: lax.reshape(A, (-1,)), "-1"),
    "reshape to another size": (fx.ShapeError, lambda: lax.reshape(A, (5,)), "(5,)"),
    "transpose twice": (fx.ShapeError, lambda: lax.transpose(A, (0, 0)), "(0, 0)"),
    "squeeze a long axis": (fx.ShapeError, lambda: lax.squeeze(A, (0,)), "f32[2,3]"),
    "expand_dims twice": (fx.ArgumentError, lambda: lax.expand_dims(A, (0, 0)), "twice"),
    "broadcast_in_dim backward": (fx.ShapeError, lambda: lax.broadcast_in_dim(A, (3, 2), (1, 0)), "increasing"),
    "broadcast_to_rank down": (fx.ShapeError, lambda: lax.broadcast_to_rank(A, 1), "more than 1"),
    "collapse nothing": (fx.ShapeError, lambda: lax.collapse(A, 2, 1), "no axes"),
    "concatenate nothing": (fx.ArgumentError, lambda: lax.concatenate([], 0), "at least one"),
    "concatenate two dtypes": (fx.DTypeError, lambda: lax.concatenate([A, A.astype(float)], 0), "f64"),
    "stack two shapes": (fx.ShapeError, lambda: lax.stack([A, A[:1]]), "one shape"),
    "split that does not add up": (fx.ShapeError, lambda: lax.split(A, (1, 3)), "(1, 3)"),
    "tile of another rank": (fx.ShapeError, lambda: lax.tile(A, (2,)), "one count per axis"),
    "slice of another rank": (fx.ShapeError, lambda: lax.slice(A, (0,), (1,)), "2 axes"),
    "a backward stride": (fx.ArgumentError, lambda: lax.slice_in_dim(A, 0, 2, -1), "rev"),
    "index_in_dim outside": (fx.ShapeError, lambda: lax.index_in_dim(A, 2), "2"),
    "a float start": (fx.DTypeError, lambda: lax.dynamic_slice(A, (0.5, 0), (1, 1)), "integer"),
    "iota of booleans": (fx.DTypeError, lambda: lax.iota(bool, 3), "bool"),
    "full of an array": (fx.ShapeError, lambda: lax.full((2,), A), "f32[2,3]"),
    "bitcast of booleans": (fx.DTypeError, lambda: lax.bitcast_convert_type(I > 0, "int8"), "bool"),
    "bitcast to a wider dtype": (fx.ShapeError, lambda: lax.bitcast_convert_type(A, "float64"), "size 2"),
    "reduce_precision of integers": (fx.DTypeError, lambda: lax.reduce_precision(I, 5, 10), "int64"),
    "reduce_precision to nothing": (fx.ArgumentError, lambda: lax.reduce_precision(A, 0, 1), "0 exponent"),
    "select of two shapes": (fx.ShapeError, lambda: lax.select(np.ones((2, 3), bool), A, A[:1]), "f32[1,3]"),
    "select by numbers": (fx.DTypeError, lambda: lax.select(A, A, A), "boolean"),
    "select_n by floats": (fx.DTypeError, lambda: lax.select_n(A, A, A), "float32"),
    "select_n of three by booleans": (fx.DTypeError, lambda: lax.select_n(np.True_, A, A, A), "bool"),
    "select_n of nothing": (fx.ArgumentError, lambda: lax.select_n(np.int64(0)), "at least one"),
    "clamp that broadcasts": (fx.ShapeError, lambda: lax.clamp(A[0], A, A[0]), "f32[3]"),
    "an axis twice": (fx.ArgumentError, lambda: lax.reduce_sum(A, (0, 0)), "twice"),
    "an axis too many": (fx.ShapeError, lambda: lax.reduce_max(A, (2,)), "axis 2"),
    "bits of a float sum": (fx.DTypeError, lambda: lax.reduce_xor(A, (0,)), "float32"),
    "argmax of nothing": (fx.ShapeError, lambda: lax.argmax(A[:0], 0, "int32"), "empty"),
    "argmax in floats": (fx.DTypeError, lambda: lax.argmax(A, 0, "float32"), "float32"),
    "a start that is an array": (fx.ShapeError, lambda: lax.reduce(A, A, lax.add, (0,)), "f32[2,3]"),
    "a start of another tree": (fx.TreeError, lambda: lax.reduce((A, A), (0.0,), lax.add, (0,)), "differ"),
    "a computation that widens": (
        fx.DTypeError, lambda: lax.reduce(A, np.float32(0), lambda a, b: a > b, (0,)), "bool"),
    "windows too wide": (
        fx.ShapeError, lambda: lax.reduce_window(A, 0.0, lax.add, (1, 1), None, ((-3, 0), (0, 0))), "cuts"),
    "dot of three axes": (fx.ShapeError, lambda: lax.dot(A[None], A), "dot_general"),
    "dot_general of two sizes": (
        fx.ShapeError, lambda: lax.dot_general(A, A, (((0,), (1,)), ((), ()))), "contracted"),
    "dot_general malformed": (fx.ArgumentError, lambda: lax.dot_general(A, A, ((0,), (1,))), "malformed"),
    "an unknown precision": (
        fx.ArgumentError, lambda: lax.dot(A, A.T, precision="best"), "best"),
    "a product in integers": (fx.DTypeError, lambda: lax.dot(A, A.T, preferred_element_type=int), "int64"),
    "ragged_dot of two sizes": (fx.ShapeError, lambda: lax.ragged_dot(A, np.ones((2, 4, 1), "f4"), I[:2]), "(g, k, n)"),
    "gather by floats": (fx.DTypeError, lambda: lax.gather(I, POINTS * 1.0, GATHER, (1,)), "integers"),
    "gather of another rank": (fx.ShapeError, lambda: lax.gather(A, POINTS, GATHER, (1, 1)), "dimension numbers"),
    "gather wide windows": (fx.ShapeError, lambda: lax.gather(I, POINTS, GATHER, (2,)), "window"),
    "gather in an unknown mode": (fx.ArgumentError, lambda: lax.gather(I, POINTS, GATHER, (1,), mode="?"), "'?'"),
    "scatter of too few": (fx.ShapeError, lambda: lax.scatter(I, POINTS, I[:1], SCATTER), "batch"),
    "scatter of another dtype": (fx.DTypeError, lambda: lax.scatter_add(I, POINTS, A[0, :2], SCATTER), "f32"),
    "sort by too many keys": (fx.ArgumentError, lambda: lax.sort([I], num_keys=2), "num_keys=2"),
    "sort of two shapes": (fx.ShapeError, lambda: lax.sort([I, I[:2]]), "one shape"),
    "two ways to give operands": (
        fx.ArgumentError, lambda: lax.cond(True, abs, abs, 1.0, operand=2.0), "not both"),
    "no platform": (fx.ArgumentError, lambda: lax.platform_dependent(A, cuda=abs), "cpu"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_refusals_say_what_is_wrong(name):
    error, call, fact = CASES[name]
    with pytest.raises(error) as caught:
        call()
    assert fact in str(caught.value)


def test_numbers_and_scalars_adapt():
    assert lax.add(A, 1).dtype == np.float32
    assert lax.mul(A, 2.5).dtype == np.float32
    assert lax.add(A, np.float32(1)).shape == (2, 3)
    assert lax.max(I, 1).dtype == np.int64


def test_the_function_of_the_platform_is_called():
    assert lax.platform_dependent(A, cpu=lambda x: x.shape, default=None) == (2, 3)
    assert lax.platform_dependent(A, cuda=abs, default=lambda x: x.ndim) == 2


def test_shapes_of_windows_and_convolutions():
    """The shape functions say what the functions give."""
    x, w = np.ones((2, 8, 9, 3), "f4"), np.ones((3, 2, 3, 4), "f4")
    numbers = ("NHWC", "HWIO", "NHWC")
    found = lax.conv_general_shape_tuple(x.shape, w.shape, (2, 1), "SAME", numbers)
    assert found == lax.conv_general_dilated(x, w, (2, 1), "SAME", dimension_numbers=numbers).shape
    up = lax.conv_transpose_shape_tuple(x.shape, w.shape, (2, 3), "VALID", numbers)
    assert up == lax.conv_transpose(x, w, (2, 3), "VALID").shape
    assert lax.conv_shape_tuple((2, 3, 8), (4, 3, 3), (2,), "VALID") == (2, 4, 3)
    assert lax.reduce_window_shape_tuple((8, 9), (2, 3), (2, 1), "SAME") == (4, 9)
    assert lax.padtype_to_pads((8,), (3,), (2,), "SAME") == [(0, 1)]
    assert lax.conv_general_permutations(numbers) == ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
    assert lax.broadcast_shapes((2, 1), (3,)) == (2, 3)
    assert lax.dtype(1.5) == fx.numpy.asarray(1.5).dtype
