"""Calls of fx.lax that jax.lax answers too: name -> (function of the namespace and arrays, the arrays).

Arrays are drawn once; floats are float64, so that JAX runs with 64 bits.
"""

import numpy as np

RNG = np.random.default_rng(7)


def x(*shape):
    return RNG.normal(size=shape)


def positive(*shape):
    return RNG.uniform(0.2, 2.0, size=shape)


def inside(*shape):
    return RNG.uniform(-0.9, 0.9, size=shape)


def ints(*shape, low=-20, high=20):
    return RNG.integers(low, high, size=shape)


def small(*shape):
    return RNG.integers(1, 9, size=shape)


def c(*shape):
    return x(*shape) + 1j * x(*shape)


def bools(*shape):
    return RNG.normal(size=shape) > 0


def call(name, *args, **kwargs):
    """A case that calls the function with arrays and then static arguments."""
    return lambda L, *arrays: getattr(L, name)(*arrays, *args, **kwargs)


def unary(*names, draw):
    return {name: (call(name), (draw(3, 4),)) for name in names}


def binary(*names, draw):
    return {name: (call(name), (draw(3, 4), draw(3, 4))) for name in names}


REAL = {
    **unary(
        "neg", "sign", "floor", "ceil", "is_finite", "exp", "exp2", "expm1", "logistic", "sin", "cos", draw=x
    ),
    **unary(
        "tan", "atan", "sinh", "cosh", "tanh", "asinh", "erf", "erfc", "abs", "square", "conj", "cbrt", draw=x
    ),
    **unary("log", "log1p", "sqrt", "rsqrt", "lgamma", "digamma", "reciprocal", "round", draw=positive),
    **unary("asin", "acos", "atanh", "erf_inv", draw=inside),
    "acosh": (call("acosh"), (1.1 + positive(3, 4),)),
    **binary("add", "sub", "mul", "div", "rem", "atan2", "nextafter", "max", "min", "complex", draw=x),
    **binary("eq", "ne", "lt", "le", "gt", "ge", draw=x),
    "pow": (call("pow"), (positive(3, 4), x(3, 4))),
    "pow of an int": (call("pow", 3), (x(3, 4),)),
    "pow of integers": (lambda L, a: L.pow(a, np.array([2, 3, 0, 1])), (x(4),)),
    "integer_pow": (call("integer_pow", -3), (positive(3, 4),)),
    "integer_pow 0": (call("integer_pow", 0), (x(3),)),
    "round half away": (call("round"), (np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999999999999994]),)),
    "round half to even": (
        lambda L, a: L.round(a, L.RoundingMethod.TO_NEAREST_EVEN),
        (np.array([-2.5, 0.5, 1.5]),),
    ),
    "rem of signs": (call("rem"), (np.array([5.5, -5.5, 5.5, -5.5]), np.array([3.0, 3.0, -3.0, -3.0]))),
    "a scalar": (lambda L, a, b: L.mul(a, b), (x(3), x())),
    "axes of size 1": (call("add"), (x(3, 4), x(1, 4))),
    "reduce_precision bf16": (
        call("reduce_precision", 8, 7),
        (np.array([1.0, 1e39, -1e-45, 3.14159, np.inf, 65535.9]),),
    ),
    "reduce_precision f16": (
        call("reduce_precision", 5, 10),
        (np.array([1.0, 65519.0, 65520.0, 1e-5, 6.2e-5]),),
    ),
    "select": (call("select"), (bools(3, 4), x(3, 4), x(3, 4))),
    "select by a scalar": (call("select"), (np.bool_(False), x(3), x(3))),
    "select_n": (call("select_n"), (ints(6, low=0, high=3), x(6), x(6), x(6))),
    "select_n of booleans": (call("select_n"), (bools(6), x(6), x(6))),
    "clamp": (call("clamp"), (np.float64(-0.5), x(3, 4), np.float64(0.5))),
    "clamp by arrays": (call("clamp"), (x(5) - 1, x(5), x(5) + 1)),
    "stop_gradient": (lambda L, a: L.stop_gradient(a) * a, (x(3),)),
    "polygamma": (lambda L, a: L.polygamma(2.0 * np.ones(3), a), (positive(3),)),
    **unary("bessel_i0e", "bessel_i1e", draw=x),
}

COMPLEX = {
    **{
        f"complex {name}": (call(name), (c(3, 4),))
        for name in (
            "neg",
            "sign",
            "exp",
            "log",
            "sqrt",
            "sin",
            "cos",
            "tanh",
            "abs",
            "square",
            "real",
            "imag",
            "conj",
            "logistic",
            "rsqrt",
            "reciprocal",
            "asinh",
            "acosh",
            "atan",
            "log1p",
            "expm1",
            "tan",
            "sinh",
            "cosh",
        )
    },
    **{
        f"complex {name}": (call(name), (c(3, 4), c(3, 4)))
        for name in ("add", "sub", "mul", "div", "pow", "eq", "ne")
    },
    "complex integer_pow": (call("integer_pow", 3), (c(4),)),
    "complex dot_general": (call("dot_general", (((1,), (0,)), ((), ()))), (c(2, 3), c(3, 4))),
    "complex sort": (call("sort"), (c(5),)),
    "complex reduce_sum": (call("reduce_sum", (0,)), (c(3, 2),)),
    "complex reduce_prod": (call("reduce_prod", (0,)), (c(3, 2),)),
}

INTEGERS = {
    **{
        f"integer {name}": (call(name), (ints(3, 4),))
        for name in ("neg", "sign", "abs", "square", "bitwise_not", "population_count", "clz")
    },
    **{
        f"integer {name}": (call(name), (ints(3, 4), small(3, 4)))
        for name in (
            "add",
            "sub",
            "mul",
            "div",
            "rem",
            "max",
            "min",
            "bitwise_and",
            "bitwise_or",
            "bitwise_xor",
            "eq",
            "lt",
            "shift_left",
            "shift_right_arithmetic",
            "shift_right_logical",
            "mulhi",
        )
    },
    "integer div of signs": (call("div"), (np.array([7, -7, 7, -7, 6]), np.array([2, 2, -2, -2, -3]))),
    "mulhi 64": (
        call("mulhi"),
        (np.array([2**62, -(2**62), 2**63 - 1]), np.array([12, 2**61 + 5, -(2**63)])),
    ),
    "mulhi 32": (call("mulhi"), (np.array([2**30, -(2**31)], np.int32), np.array([12, 2**30], np.int32))),
    "mulhi unsigned": (
        call("mulhi"),
        (np.array([2**64 - 1, 2**33], np.uint64), np.array([2**64 - 1, 2**35], np.uint64)),
    ),
    "population_count of bytes": (call("population_count"), (ints(5, low=0, high=200).astype(np.uint8),)),
    "clz of bytes": (call("clz"), (np.array([0, 1, 128, 255], np.uint8),)),
    "bitwise of booleans": (call("bitwise_xor"), (bools(5), bools(5))),
    "not of booleans": (call("bitwise_not"), (bools(5),)),
    "bitcast to int": (call("bitcast_convert_type", np.int64), (x(3),)),
    "bitcast to halves": (call("bitcast_convert_type", np.uint32), (x(3),)),
    "bitcast to bytes": (call("bitcast_convert_type", np.int8), (ints(2, 3),)),
    "bitcast from halves": (call("bitcast_convert_type", np.float64), (ints(3, 2).astype(np.int32),)),
    "convert_element_type": (call("convert_element_type", np.int32), (10 * x(4),)),
    "argmax": (call("argmax", 1, np.int32), (x(3, 4),)),
    "argmin": (call("argmin", 0, np.int64), (x(3, 4),)),
    "reduce_and": (call("reduce_and", (0,)), (ints(5, 3),)),
    "reduce_or": (call("reduce_or", (0, 1)), (ints(5, 3),)),
    "reduce_xor": (call("reduce_xor", (1,)), (ints(5, 3),)),
    "reduce_and of booleans": (call("reduce_and", (0,)), (bools(3, 4),)),
    "reduce_or of booleans": (call("reduce_or", (1,)), (bools(3, 4),)),
    "reduce_xor of booleans": (call("reduce_xor", (1,)), (bools(3, 4),)),
    "reduce_max of nothing": (call("reduce_max", (0,)), (np.zeros((0, 2)),)),
    "reduce_min of nothing": (call("reduce_min", (0,)), (np.zeros((0, 2), np.int32),)),
    "iota": (lambda L: L.iota(np.int32, 5), ()),
    "broadcasted_iota": (lambda L: L.broadcasted_iota(np.float32, (2, 3), 1), ()),
    "full": (lambda L: L.full((2, 3), 7, np.int16), ()),
    "full_like": (lambda L, a: L.full_like(a, 7), (x(2, 3),)),
    "full_like in another dtype": (lambda L, a: L.full_like(a, 1, np.int32, (4,)), (x(2, 3),)),
    "empty": (lambda L: L.full_like(L.empty((2, 3), np.float32), 0), ()),
    "integer dot_general": (
        call("dot_general", (((1,), (0,)), ((), ())), None, np.int32),
        (ints(2, 3).astype(np.int8), ints(3, 4).astype(np.int8)),
    ),
    "cumsum of integers": (call("cumsum", 1), (ints(3, 4),)),
    "sort of booleans": (call("sort"), (bools(6),)),
}

SHAPES = {
    "broadcast": (call("broadcast", (2, 3)), (x(4),)),
    "broadcast_in_dim": (call("broadcast_in_dim", (2, 3, 4), (0, 2)), (x(2, 1),)),
    "broadcast_like": (call("broadcast_like"), (x(3, 1), x(2, 3, 4))),
    "broadcast_to_rank": (lambda L, a: L.broadcast_to_rank(a, rank=4), (x(3, 1),)),
    "reshape": (call("reshape", (6, 2)), (x(3, 4),)),
    "reshape with dimensions": (call("reshape", (12,), (1, 0)), (x(3, 4),)),
    "transpose": (call("transpose", (2, 0, 1)), (x(2, 3, 4),)),
    "expand_dims": (call("expand_dims", (0, -1)), (x(2, 3),)),
    "squeeze": (call("squeeze", (0, -1)), (x(1, 3, 1),)),
    "collapse": (call("collapse", 1, 3), (x(2, 3, 4, 5),)),
    "collapse from the end": (call("collapse", -2), (x(2, 3, 4),)),
    "concatenate": (lambda L, *a: L.concatenate(a, 1), (x(2, 1), x(2, 3))),
    "stack": (lambda L, *a: L.stack(a, -1), (x(2, 3), x(2, 3))),
    "unstack": (call("unstack", 1), (x(2, 3),)),
    "split": (call("split", (1, 0, 3), 1), (x(2, 4),)),
    "tile": (call("tile", (2, 3)), (x(2, 2),)),
    "rev": (call("rev", (0, 2)), (x(2, 3, 4),)),
    "pad": (call("pad", ((1, -1, 0), (0, 2, 1))), (x(3, 4), np.float64(0.5))),
    "pad cut to nothing": (call("pad", ((-2, -1, 0),)), (x(3), np.float64(0.5))),
    "slice": (call("slice", (0, 1), (3, 4), (2, 1)), (x(3, 5),)),
    "slice_in_dim": (call("slice_in_dim", -4, None, 2, 1), (x(3, 5),)),
    "index_in_dim": (call("index_in_dim", -1, 1), (x(3, 5),)),
    "index_in_dim without axis": (call("index_in_dim", 2, 0, False), (x(3, 5),)),
    "dynamic_slice": (lambda L, a: L.dynamic_slice(a, (1, -2), (2, 2)), (x(3, 5),)),
    "dynamic_slice out of range": (lambda L, a: L.dynamic_slice(a, (9, 0), (2, 2)), (x(3, 5),)),
    "dynamic_slice without negatives": (
        lambda L, a: L.dynamic_slice(a, (0, 3), (2, 2), allow_negative_indices=False),
        (x(3, 5),),
    ),
    "dynamic_slice_in_dim": (call("dynamic_slice_in_dim", 2, 2, 1), (x(3, 5),)),
    "dynamic_index_in_dim": (call("dynamic_index_in_dim", -2, 1, False), (x(3, 5),)),
    "dynamic_update_slice": (lambda L, a, b: L.dynamic_update_slice(a, b, (1, 3)), (x(3, 5), x(2, 2))),
    "dynamic_update_slice_in_dim": (call("dynamic_update_slice_in_dim", 1, 0), (x(3, 5), x(2, 5))),
    "dynamic_update_index_in_dim": (call("dynamic_update_index_in_dim", 1, 1), (x(3, 5), x(3))),
    "dynamic_update_index_in_dim, a slice": (call("dynamic_update_index_in_dim", 1, 0), (x(3, 5), x(1, 5))),
    "index_take": (lambda L, a: L.index_take(a, (np.array([0, 2]), np.array([1, 1])), (0, 2)), (x(3, 2, 4),)),
    "gather without mode": (
        lambda L, a: L.gather(a, np.array([[0], [9]]), L.GatherDimensionNumbers((), (0,), (0,)), (1,)),
        (x(3),),
    ),
}


def ordered_pair(L):
    """(a, b) then (c, d): composition of affine maps, associative and not commutative."""
    return lambda p, q: (L.mul(p[0], q[0]), L.add(L.mul(p[1], q[0]), q[1]))


REDUCTIONS = {
    "reduce_sum": (call("reduce_sum", (0, 2)), (x(2, 3, 4),)),
    "reduce_prod": (call("reduce_prod", (1,)), (x(3, 4),)),
    "reduce_max": (call("reduce_max", (1,)), (x(3, 4),)),
    "reduce_min": (call("reduce_min", (0,)), (x(3, 4),)),
    "reduce with add": (lambda L, a: L.reduce(a, np.float64(0), L.add, (0,)), (x(3, 4),)),
    "reduce with max": (lambda L, a: L.reduce(a, np.float64(-np.inf), L.max, (0, 1)), (x(3, 4),)),
    "cumsum": (call("cumsum", 1), (x(3, 4),)),
    "cumsum reversed": (lambda L, a: L.cumsum(a, axis=0, reverse=True), (x(3, 4),)),
    "cumprod": (call("cumprod", 1), (x(3, 4),)),
    "cummax": (call("cummax", 0), (x(5, 2),)),
    "cummin": (call("cummin", 0, True), (x(5, 2),)),
    "cumlogsumexp": (call("cumlogsumexp", 0), (x(5, 2),)),
    "window sum": (lambda L, a: L.reduce_window(a, np.float64(0), L.add, (2, 2), (1, 2), "SAME"), (x(4, 5),)),
    "window max": (lambda L, a: L.reduce_window(a, -np.inf, L.max, (3, 1), None, "VALID"), (x(5, 3),)),
    "window min": (lambda L, a: L.reduce_window(a, np.inf, L.min, (3,), (2,), ((1, 2),)), (x(6),)),
    "window sum dilated": (
        lambda L, a: L.reduce_window(
            a, np.float64(0), L.add, (2, 2), (1, 1), ((1, 0), (0, 1)), (2, 1), (1, 2)
        ),
        (x(3, 4),),
    ),
    "sort": (call("sort", 0), (x(5, 2),)),
    "sort of several": (lambda L, a, b: L.sort([np.array([1, 0, 1, 0, 1]), a, b], num_keys=2), (x(5), x(5))),
    "sort_key_val": (call("sort_key_val", 1), (x(3, 4), x(3, 4))),
    "top_k values": (lambda L, a: L.top_k(a, 2)[0], (x(3, 4),)),
    "top_k along": (lambda L, a: L.top_k(a, 2, axis=0)[0], (x(3, 4),)),
}

SPECIAL = {
    "zeta": (lambda L, q: L.zeta(3.5 * np.ones(3), q), (positive(3),)),
    "igamma": (call("igamma"), (positive(4), positive(4))),
    "igammac": (call("igammac"), (positive(4), positive(4))),
    "betainc": (call("betainc"), (positive(4), positive(4), RNG.uniform(0.1, 0.9, 4))),
    "random_gamma_grad": (call("random_gamma_grad"), (positive(4), positive(4))),
    "igamma_grad_a": (call("igamma_grad_a"), (positive(4), positive(4))),
}
"""Of these JAX has values to 1e-6, and not all derivatives."""

VALUES_ONLY = {  # JAX has no derivative of these, or cannot take it
    "reduce in order": (
        lambda L, a, b: L.reduce((a, b), (np.float64(1), np.float64(0)), ordered_pair(L), (0,)),
        (x(7, 2), x(7, 2)),
    ),
    "reduce two axes": (
        lambda L, a: L.reduce(a, np.float64(0), lambda p, q: L.add(p, q), (0, 2)),
        (x(3, 2, 5),),
    ),
    "reduce with mul of integers": (lambda L, a: L.reduce(a, np.int64(3), L.mul, (0,)), (ints(4, 2),)),
    "reduce of nothing": (lambda L, a: L.reduce(a, np.float64(2), L.add, (0,)), (np.zeros((0, 2)),)),
    "window product": (
        lambda L, a: L.reduce_window(a, np.float64(1), L.mul, (2, 3), (1, 1), "SAME"),
        (x(4, 5),),
    ),
    "window from a start": (
        lambda L, a: L.reduce_window(a, np.float64(2), L.add, (2,), (1,), "VALID"),
        (x(4),),
    ),
    "window of any function": (
        lambda L, a: L.reduce_window(
            a, np.float64(1), lambda p, q: L.mul(p, q), (2, 2), (2, 1), ((1, 1), (0, 0)), (1, 2), (2, 1)
        ),
        (x(4, 3),),
    ),
    "window of two": (
        lambda L, a, b: L.reduce_window(
            (a, b),
            (np.float64(-np.inf), np.float64(0)),
            lambda p, q: (L.max(p[0], q[0]), L.add(p[1], q[1])),
            (2,),
            (1,),
            "VALID",
        ),
        (x(5), x(5)),
    ),
    "approx_max_k": (lambda L, a: L.approx_max_k(a, 2), (x(3, 6),)),
    "approx_min_k": (lambda L, a: L.approx_min_k(a, 2, reduction_dimension=0), (x(5, 2),)),
    "shape_as_value": (lambda L, a: L.convert_element_type(L.shape_as_value(a.shape), np.int64), (x(2, 3),)),
}

GENERAL = (((2,), (1,)), ((0,), (3,)))
RAGGED = np.array([2, 0, 3])

PRODUCTS = {
    "dot vv": (call("dot"), (x(3), x(3))),
    "dot mv": (call("dot"), (x(2, 3), x(3))),
    "dot vm": (call("dot"), (x(3), x(3, 2))),
    "dot mm": (call("dot"), (x(2, 3), x(3, 4))),
    "dot with dimensions": (
        lambda L, a, b: L.dot(a, b, dimension_numbers=(((0,), (1,)), ((), ()))),
        (x(3, 2), x(4, 3)),
    ),
    "dot_general": (call("dot_general", GENERAL), (x(2, 5, 3), x(4, 3, 6, 2))),
    "dot_general of two axes": (call("dot_general", (((0, 2), (1, 0)), ((), ()))), (x(2, 5, 3), x(3, 2))),
    "dot_general outer": (call("dot_general", (((), ()), ((), ()))), (x(2), x(3))),
    "dot_general of float32": (
        call("dot_general", (((1,), (0,)), ((), ())), "highest", np.float64),
        (x(2, 3).astype(np.float32), x(3, 4).astype(np.float32)),
    ),
    "dot_general of two dtypes": (
        call("dot_general", (((1,), (0,)), ((), ()))),
        (x(2, 3).astype(np.float32), x(3, 4)),
    ),
    "batch_matmul": (call("batch_matmul"), (x(2, 3, 4), x(2, 4, 5))),
    "ragged_dot": (lambda L, a, b: L.ragged_dot(a, b, RAGGED), (x(5, 3), x(3, 3, 2))),
    "ragged_dot, rows left": (lambda L, a, b: L.ragged_dot(a, b, np.array([1, 2])), (x(5, 3), x(2, 3, 2))),
    "conv": (lambda L, a, w: L.conv(a, w, (1, 2), "SAME"), (x(2, 3, 5, 6), x(4, 3, 3, 2))),
    "conv_with_general_padding": (
        lambda L, a, w: L.conv_with_general_padding(a, w, (1,), ((1, 2),), (2,), (2,)),
        (x(2, 3, 5), x(4, 3, 2)),
    ),
    "conv_general_dilated": (
        lambda L, a, w: L.conv_general_dilated(
            a, w, (2, 1), "SAME_LOWER", dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=2
        ),
        (x(2, 5, 4, 4), x(3, 2, 2, 6)),
    ),
    "conv batch groups": (
        lambda L, a, w: L.conv_general_dilated(a, w, (1,), ((1, 1),), batch_group_count=2),
        (x(4, 3, 5), x(2, 3, 3)),
    ),
    "conv_transpose SAME": (
        lambda L, a, w: L.conv_transpose(a, w, (2, 3), "SAME"),
        (x(1, 3, 4, 2), x(3, 2, 2, 3)),
    ),
    "conv_transpose VALID": (
        lambda L, a, w: L.conv_transpose(a, w, (2,), "VALID", rhs_dilation=(2,), transpose_kernel=True),
        (x(1, 4, 3), x(3, 2, 3)),
    ),
    "conv_transpose pairs": (
        lambda L, a, w: L.conv_transpose(a, w, (2,), ((1, 2),)),
        (x(1, 4, 2), x(3, 2, 3)),
    ),
    "conv_transpose consistent": (
        lambda L, a, w: L.conv_transpose(
            a, w, (2,), ((1, 1),), use_consistent_padding=True, dimension_numbers=("NCH", "OIH", "NCH")
        ),
        (x(1, 2, 4), x(3, 2, 3)),
    ),
    "conv_general_dilated_patches": (
        lambda L, a: L.conv_general_dilated_patches(
            a, (2, 3), (1, 2), ((0, 1), (1, 1)), dimension_numbers=("NHWC", "OIHW", "NHWC")
        ),
        (x(2, 4, 5, 3),),
    ),
    "conv_general_dilated_local": (
        lambda L, a, w: L.conv_general_dilated_local(
            a, w, (1, 2), "VALID", (2, 2), dimension_numbers=("NHWC", "HWIO", "NHWC")
        ),
        (x(2, 4, 5, 3), x(3, 2, 12, 4)),
    ),
}


def gathering(offset, collapsed, index_map, sizes, indices, batch=(), index_batch=(), **how):
    indices = np.array(indices)
    return lambda L, a: L.gather(
        a, indices, L.GatherDimensionNumbers(offset, collapsed, index_map, batch, index_batch), sizes, **how
    )


def scattering(name, window, inserted, index_map, indices, batch=(), index_batch=(), **how):
    indices = np.array(indices)
    return lambda L, a, u: getattr(L, name)(
        a, indices, u, L.ScatterDimensionNumbers(window, inserted, index_map, batch, index_batch), **how
    )


POINTS = [[0, 1], [2, 3], [-1, 0], [2, 9]]
CORNERS = [[[0, 1], [1, 3]], [[2, 2], [-1, 0]], [[0, 4], [1, 1]]]
GATHER = {
    "gather points": (gathering((), (0, 1), (0, 1), (1, 1), POINTS, mode="fill"), (x(3, 4),)),
    "gather points, clipped": (gathering((), (0, 1), (0, 1), (1, 1), POINTS, mode="clip"), (x(3, 4),)),
    "gather points, a fill value": (
        gathering((), (0, 1), (0, 1), (1, 1), POINTS, mode="fill", fill_value=7.0),
        (x(3, 4),),
    ),
    "gather rows": (gathering((1,), (0,), (0,), (1, 4), [[2], [0], [5]], mode="drop"), (x(3, 4),)),
    "gather columns": (gathering((0,), (1,), (1,), (3, 1), [[2], [0], [3]]), (x(3, 4),)),
    "gather windows": (
        gathering((1, 2), (), (1, 0), (2, 2), [[0, 1], [2, 0], [3, 0], [-1, 0]], mode="fill"),
        (x(3, 4),),
    ),
    "gather windows, clipped": (
        gathering((0, 2), (), (1, 0), (2, 2), [[0, 1], [9, 0], [3, -5]], mode="clip"),
        (x(3, 4),),
    ),
    "gather of many": (gathering((1, 3), (1,), (2, 0), (2, 1, 3), CORNERS, mode="clip"), (x(3, 1, 5),)),
    "gather a cut window": (gathering((1, 2), (), (0,), (1, 2), [[0], [2]]), (x(3, 4),)),
    "gather the operand": (gathering((1, 2), (), (), (3, 4), np.zeros((2, 0), int)), (x(3, 4),)),
    "gather one": (gathering((0,), (0,), (0,), (1, 4), [1]), (x(3, 4),)),
    "gather batches": (
        gathering((2,), (1,), (1,), (1, 1, 2), [[[0], [1]], [[2], [3]]], (0,), (0,), mode="clip"),
        (x(2, 4, 2),),
    ),
    "gather nothing": (gathering((1,), (0,), (0,), (1, 4), np.zeros((0, 1), int)), (x(3, 4),)),
    "gather integers": (gathering((), (0,), (0,), (1,), [[0], [9]], mode="fill"), (ints(3),)),
    "gather unsigned": (
        gathering((), (0,), (0,), (1,), [[0], [9]], mode="fill"),
        (np.arange(3, dtype=np.uint8),),
    ),
    "gather booleans": (gathering((), (0,), (0,), (1,), [[0], [9]], mode="fill"), (np.zeros(3, bool),)),
}

SCATTER = {
    "scatter points": (
        scattering("scatter", (), (0, 1), (0, 1), POINTS, unique_indices=True),
        (x(3, 4), x(4)),
    ),
    "scatter rows": (
        scattering("scatter", (1,), (0,), (0,), [[2], [0], [5]], unique_indices=True),
        (x(3, 4), x(3, 4)),
    ),
    "scatter windows": (scattering("scatter", (0, 1), (), (0, 1), [1, 2]), (x(3, 4), x(2, 2))),
    "scatter_add": (scattering("scatter_add", (), (0, 1), (0, 1), [*POINTS, [0, 1]]), (x(3, 4), x(5))),
    "scatter_add, clipped": (
        scattering("scatter_add", (), (0, 1), (0, 1), [*POINTS, [0, 1]], mode="clip"),
        (x(3, 4), x(5)),
    ),
    "scatter_add windows": (
        scattering("scatter_add", (0, 2), (), (1, 0), [[0, 1], [2, 0], [3, 0]]),
        (x(3, 4), x(2, 3, 2)),
    ),
    "scatter_add short windows": (
        scattering("scatter_add", (1,), (0,), (0,), [[2], [0]]),
        (x(3, 4), x(2, 3)),
    ),
    "scatter_add columns": (scattering("scatter_add", (0,), (1,), (1,), [[2], [0], [2]]), (x(3, 4), x(3, 3))),
    "scatter_add batches": (
        scattering("scatter_add", (), (1,), (1,), [[[0], [1], [0]], [[2], [3], [9]]], (0,), (0,)),
        (x(2, 4), x(2, 3)),
    ),
    "scatter_add everything": (
        scattering("scatter_add", (1, 2), (), (), np.zeros((2, 0), int)),
        (x(3, 4), x(2, 3, 4)),
    ),
    "scatter_sub": (scattering("scatter_sub", (), (0,), (0,), [[0], [2], [0]]), (x(4), x(3))),
    "scatter_mul": (
        scattering("scatter_mul", (), (0,), (0,), [[0], [2], [3]], unique_indices=True),
        (x(4), x(3)),
    ),
    "scatter_min": (scattering("scatter_min", (), (0,), (0,), [[0], [2], [0]]), (ints(4), ints(3))),
    "scatter_max": (scattering("scatter_max", (1,), (0,), (0,), [[0], [2], [0]]), (ints(4, 2), ints(3, 2))),
    "scatter_mul again": (scattering("scatter_mul", (), (0,), (0,), [[0], [2], [0]]), (ints(4), ints(3))),
}

APPLY = {
    "scatter_apply": (
        lambda L, a: L.scatter_apply(
            a,
            np.array([[0], [2]]),
            lambda v: L.mul(L.sin(v), np.float64(2)),
            L.ScatterDimensionNumbers((), (0,), (0,)),
            update_shape=(2,),
            unique_indices=True,
        ),
        (x(4),),
    ),
}

OTHERWISE = {
    "nextafter": "JAX has no derivative",
    "clamp": "JAX's derivative takes no scalar limits",
    "complex sign": "JAX gives 0; z / |z| has a derivative",
    "complex acosh": "JAX's has the wrong sign where the real part is negative",
    "reduce_precision bf16": "JAX rounds the tangents too",
    "reduce_precision f16": "JAX rounds the tangents too",
    "gather without mode": "JAX drops the cotangents of indices that are out of bounds, but clamps the reads",
}
"""Derivatives that differ on purpose; test_lax_derivatives.py has differences for oracle."""

DIFFERENTIABLE = {**REAL, **COMPLEX, **SHAPES, **REDUCTIONS, **PRODUCTS, **GATHER, **SCATTER}
ALL = {**DIFFERENTIABLE, **INTEGERS, **VALUES_ONLY, **APPLY}
