"""What the tables do not show: default dtypes, weak scalars, low precision, sized results, methods, dtype questions."""

from __future__ import annotations

import math
import operator

import ml_dtypes
import numpy as np
import pytest

import fx
import fx.numpy as fnp

X = np.arange(12.0).reshape(3, 4)
F32 = np.dtype("float32")


# Dtypes


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (lambda: fnp.asarray(1.0), "float32"),
        (lambda: fnp.asarray([1.0, 2]), "float32"),
        (lambda: fnp.asarray(1), "int64"),
        (lambda: fnp.asarray(1j), "complex64"),
        (lambda: fnp.asarray(True), "bool"),
        (lambda: fnp.asarray([]), "float32"),
        (lambda: fnp.asarray(X), "float64"),
        (lambda: fnp.asarray([np.float32(1), 2.0]), "float32"),
        (lambda: fnp.zeros(3), "float32"),
        (lambda: fnp.full(3, 1), "int64"),
        (lambda: fnp.full(3, 1.0), "float32"),
        (lambda: fnp.eye(2), "float32"),
        (lambda: fnp.linspace(0, 1, 3), "float32"),
        (lambda: fnp.arange(3), "int64"),
        (lambda: fnp.arange(3.0), "float32"),
        (lambda: fnp.arange(np.float32(3)), "float32"),
        (lambda: fnp.arange(np.int32(3)), "int32"),
        (lambda: fnp.sin(np.arange(3)), "float32"),
        (lambda: fnp.arange(3) / 2, "float32"),
        (lambda: fnp.mean(np.arange(3)), "float32"),
        (lambda: fnp.std(np.arange(3)), "float32"),
        (lambda: fnp.median(np.arange(3)), "float32"),
        (lambda: fnp.sum(np.array([True])), "int64"),
        (lambda: fnp.sum(np.ones(2, np.int8)), "int64"),
        (lambda: fnp.sum(np.ones(2, np.uint8)), "uint64"),
        (lambda: fnp.sum(np.ones(2, np.float16)), "float16"),
        (lambda: fnp.asarray(X) * np.float32(2), "float64"),
        (lambda: fnp.float32(2) * 2.5, "float32"),
        (lambda: fnp.int32(2) * 2.5, "float32"),
        (lambda: fnp.int8(2) * 3, "int8"),
        (lambda: fnp.float32(2) * 1j, "complex64"),
        (lambda: fnp.float64(2) * 1j, "complex128"),
        (lambda: fnp.float32(1) + np.ones(2, np.int32), "float64"),
        (lambda: fnp.where(True, 1.0, np.float16(2)), "float16"),
        (lambda: fnp.maximum(np.int8(1), 2), "int8"),
        (lambda: fnp.clip(np.arange(3, dtype=np.int8), 0, 2), "int8"),
        (lambda: fnp.bfloat16(1) * 2.0, "bfloat16"),
        (lambda: fnp.bfloat16(1) + np.float32(1), "float32"),
        (lambda: fnp.quantile(np.ones(3, np.float32), 0.5), "float32"),
        (lambda: fnp.hanning(4), "float32"),
        (lambda: fnp.ones(2, np.float32) ** 2, "float32"),
        (lambda: fnp.ones(2, np.float32) ** 2.5, "float32"),
        (lambda: fnp.arange(3) ** 2.0, "float32"),
        (
            lambda: fnp.interp(np.ones(2, np.float32), np.ones(2, np.float32), np.ones(2, np.float32)),
            "float32",
        ),
    ],
)
def test_dtypes_by_default(make, dtype):
    assert make().dtype == np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


def test_scalars_alone_stay_weak():
    assert fnp.add(1, 2.5).weak and fnp.sin(1.0).weak
    assert (fnp.add(1, 2.5) * fnp.float16(1)).dtype == np.float16
    assert not fnp.asarray(1.0).weak and not fnp.zeros_like(1.0).weak


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_low_precision_accumulates_in_float32(dtype):
    ones = np.ones(3000, dtype)
    assert float(fnp.sum(ones)) == float(dtype(3000))
    assert float(fnp.mean(np.full(70000, 2.0, dtype))) == 2.0
    assert float(fnp.var(np.full(70000, 3.0, dtype))) == 0.0
    x = np.linspace(0, 1, 64).astype(dtype)
    assert float(fnp.matmul(x, x)) == float(dtype(x.astype(np.float32) @ x.astype(np.float32)))
    assert fnp.mean(x).dtype == fnp.std(x).dtype == fnp.median(x).dtype == np.dtype(dtype)


def test_lists_with_traced_values_are_stacked():
    def f(x, y):
        return fnp.sum(fnp.asarray([[x, y], [y, 1.0]]) @ fnp.array([x, 2.0]))

    by_x, by_y = fx.grad(f, (0, 1))(3.0, 4.0)
    assert (float(by_x), float(by_y)) == (10.0, 5.0)
    assert fnp.asarray([fnp.float32(1), 2]).dtype == F32
    assert fnp.asarray([fnp.zeros(2), [1, 2]]).shape == (2, 2)


def test_asarray_shares_memory_only_when_asked():
    x = X.copy()
    shared, copied = fnp.asarray(x, copy=False), fnp.asarray(x)
    x[0, 0] = 99.0
    assert float(shared[0, 0]) == 99.0
    assert float(copied[0, 0]) == 0.0
    y = fnp.asarray(X)
    assert fnp.asarray(y) is y
    assert fnp.array(y) is not y


def test_scalar_types_are_dtypes_and_convert():
    assert (
        np.dtype(fnp.float32) == np.float32
        and fnp.float32 == np.dtype("float32")
        and np.dtype("float32") == fnp.float32
    )
    assert hash(fnp.int8) == hash(np.dtype("int8")) and fnp.zeros(2, fnp.int8).dtype == fnp.int8
    assert np.zeros(2, fnp.float32).dtype == np.float32
    assert fnp.float16(2.5).dtype == np.float16 and fnp.int32(X).dtype == np.int32
    assert repr(fnp.float32) == "fx.numpy.float32" and fnp.float32.__name__ == "float32"
    assert fnp.bfloat16.dtype == np.dtype(ml_dtypes.bfloat16)


def test_questions_about_dtypes():
    assert fnp.finfo(fnp.float32).eps == np.finfo(np.float32).eps
    assert fnp.finfo(fnp.zeros(2, "float64")).bits == 64
    assert fnp.finfo("bfloat16").bits == 16
    assert fnp.iinfo("int8").max == 127
    assert fnp.promote_types("int8", "uint8") == np.int16
    assert fnp.result_type(np.ones(2, np.float32), 2.0) == np.float32
    assert fnp.result_type(np.float32, np.int64) == np.float64
    assert fnp.result_type(1, 2.0) == np.float32
    assert fnp.result_type(fnp.add(1, 1), np.float16) == np.float16
    assert fnp.can_cast("int8", "int16") and not fnp.can_cast(X, "float32")
    assert fnp.isdtype(fnp.float32, "real floating") and fnp.isdtype("int8", ("bool", "integral"))
    assert fnp.isdtype("bfloat16", "real floating") and not fnp.isdtype("int8", fnp.int16)
    assert fnp.issubdtype(fnp.float32, fnp.floating) and fnp.issubdtype("bfloat16", fnp.floating)
    assert fnp.issubdtype(fnp.floating, fnp.inexact) and not fnp.issubdtype("int8", fnp.inexact)
    assert fnp.issubdtype("float32", fnp.float32) and not fnp.issubdtype("float32", fnp.float64)


def test_namespace_info():
    info = fnp.__array_namespace_info__()
    assert set(info.capabilities()) == {"boolean indexing", "data-dependent shapes", "max dimensions"}
    assert str(info.default_device()) == "cpu" and info.devices()
    assert info.default_dtypes() == {
        "real floating": F32,
        "complex floating": np.complex64,
        "integral": np.int64,
        "indexing": np.int64,
    }
    assert set(info.dtypes(kind=("bool", "signed integer"))) == {"bool", "int8", "int16", "int32", "int64"}
    assert len(info.dtypes()) == 13
    assert fnp.__array_api_version__ == "2025.12" and fnp.ones(2).__array_namespace__() is fnp


def test_constants():
    assert (fnp.pi, fnp.e, fnp.inf, fnp.newaxis) == (math.pi, math.e, math.inf, None)
    assert math.isnan(fnp.nan) and fnp.euler_gamma == np.euler_gamma
    assert fnp.ndarray is fx.Array


# Operators and methods

BINARY = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
]
COMPARE = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
Y = np.array([2.0, 3.0, 0.5, 1.0])


@pytest.mark.parametrize("op", BINARY + COMPARE)
def test_operators_with_arrays_numbers_and_numpy(op):
    x = X + 1
    for left, right in ((x, Y), (x, 3), (2.5, x), (Y, x)):
        want = op(left, right)
        wrapped = [fnp.asarray(v) if isinstance(v, np.ndarray) else v for v in (left, right)]
        np.testing.assert_allclose(np.asarray(op(*wrapped)), want, rtol=1e-14)
        if isinstance(left, np.ndarray):
            mixed = op(left, fnp.asarray(right) if isinstance(right, np.ndarray) else fnp.asarray(x))
            assert isinstance(mixed, fx.Array)


def test_bit_operators_and_the_rest():
    i, j = np.array([5, 6, 7]), np.array([1, 2, 3])
    a, b = fnp.asarray(i), fnp.asarray(j)
    for op in (operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift):
        np.testing.assert_array_equal(op(a, b), op(i, j))
        np.testing.assert_array_equal(op(9, b), op(9, j))
    np.testing.assert_array_equal(~a, ~i)
    np.testing.assert_array_equal(-a, -i)
    np.testing.assert_array_equal(+a, i)
    np.testing.assert_array_equal(abs(-a), i)
    np.testing.assert_array_equal(divmod(a, b), divmod(i, j))
    np.testing.assert_array_equal(divmod(9, b), divmod(9, j))
    np.testing.assert_array_equal(fnp.asarray(X) @ fnp.asarray(Y), X @ Y)
    np.testing.assert_array_equal(X @ fnp.asarray(Y), X @ Y)
    np.testing.assert_array_equal(round(fnp.asarray(Y * 1.234), 1), np.round(Y * 1.234, 1))
    assert 5 in a and 9 not in a
    with pytest.raises(TypeError):
        hash(a)


def test_methods_are_the_functions():
    x, y = fnp.asarray(X), fnp.asarray(X) + 0.5
    same = {
        "sum": (0,),
        "prod": (),
        "mean": (1,),
        "var": (),
        "std": (0,),
        "max": (1,),
        "min": (),
        "any": (0,),
        "all": (),
        "argmax": (1,),
        "argmin": (),
        "cumsum": (1,),
        "cumprod": (0,),
        "trace": (),
        "conj": (),
        "conjugate": (),
        "round": (1,),
        "clip": (1.0, 2.0),
        "sort": (0,),
        "argsort": (0,),
        "ravel": (),
        "flatten": (),
        "squeeze": (),
        "swapaxes": (0, 1),
        "diagonal": (1,),
        "copy": (),
        "take": ([0, 1],),
        "repeat": (2, 1),
        "nonzero": (),
        "partition": (1,),
        "argpartition": (1,),
    }
    functions = {"flatten": fnp.ravel}
    for name, args in same.items():
        got = getattr(y, name)(*args)
        want = functions.get(name, getattr(fnp, name, None))(y, *args)
        np.testing.assert_array_equal(got, want, err_msg=name)
    np.testing.assert_array_equal(y.compress([True, False, True], 0), y[::2])
    np.testing.assert_array_equal(x.dot(fnp.asarray(Y)), X @ Y)
    np.testing.assert_array_equal(fnp.asarray(Y).sort().searchsorted(1.0), 1)
    assert x.reshape(2, 6).shape == x.reshape((2, 6)).shape == x.reshape(2, -1).shape == (2, 6)
    assert (
        x.transpose().shape
        == x.T.shape
        == x.transpose(1, 0).shape
        == x.transpose((1, 0)).shape
        == x.mT.shape
        == (4, 3)
    )
    assert x.astype("int32").dtype == np.int32 and x.real is x and x.imag.shape == x.shape
    assert x.to_device("cpu").shape == x.shape and str(x.to_device("cpu").device) == "cpu"


def test_one_frame_between_an_operator_and_the_recording():
    assert (
        fx.Array.__add__ is fnp.add and fx.Array.__mul__ is fnp.multiply and fx.Array.__matmul__ is fnp.matmul
    )


# Results of a size given in advance


def test_sized_results_under_jit_and_vmap():
    mask = np.array([True, False, True, True])
    np.testing.assert_array_equal(fx.jit(lambda m: fnp.nonzero(m, size=2)[0])(mask), [0, 2])
    np.testing.assert_array_equal(
        fx.jit(lambda m: fnp.flatnonzero(m, size=5, fill_value=-1))(mask), [0, 2, 3, -1, -1]
    )
    np.testing.assert_array_equal(
        fx.jit(lambda m: fnp.argwhere(m.reshape(2, 2), size=4, fill_value=7))(mask),
        [[0, 0], [1, 0], [1, 1], [7, 7]],
    )
    np.testing.assert_array_equal(
        fx.vmap(lambda m: fnp.where(m, size=2)[0])(np.stack([mask, ~mask])), [[0, 2], [1, 0]]
    )
    x = np.array([3, 1, 3, 2, 1])
    values, index, inverse, counts = fx.jit(lambda v: fnp.unique(v, True, True, True, size=4))(x)
    np.testing.assert_array_equal(values, [1, 2, 3, 1])
    np.testing.assert_array_equal(np.asarray(index)[:3], [1, 3, 0])
    np.testing.assert_array_equal(inverse, [2, 0, 2, 1, 0])
    np.testing.assert_array_equal(counts, [2, 1, 2, 0])
    np.testing.assert_array_equal(
        fx.jit(lambda v: fnp.unique(v, size=5, fill_value=-7))(x), [1, 2, 3, -7, -7]
    )
    np.testing.assert_array_equal(fx.jit(lambda v: fnp.unique(v, size=2))(x), [1, 2])
    np.testing.assert_array_equal(fx.jit(lambda v: fnp.bincount(v, length=3))(x), [0, 2, 1])
    np.testing.assert_array_equal(
        fx.jit(lambda n: fnp.repeat(x, n, total_repeat_length=4))(np.array([0, 2, 1, 0, 0])), [1, 1, 3, 1]
    )
    np.testing.assert_array_equal(fnp.repeat(x, [1, 0, 1, 0, 0], total_repeat_length=4), [3, 3, 1, 1])


def test_integer_powers_whose_sign_shows_only_in_the_run():
    got = fx.jit(lambda n: fnp.power(np.array([2, -1, 1, -1, 3]), n))(np.array([-2, -3, -5, 4, 2]))
    np.testing.assert_array_equal(got, [0, -1, 1, 1, 9])


def test_derivatives_flow_through_sets():
    np.testing.assert_array_equal(
        fx.grad(lambda x: (fnp.unique(x) * np.array([1.0, 2.0])).sum())(np.array([3.0, 1.0, 3.0])),
        [2.0, 1.0, 0.0],
    )


# Functions of functions


def test_vectorize():
    table = fnp.vectorize(lambda a, b: fnp.where(a > b, a - b, a + b))
    np.testing.assert_array_equal(table(X, Y), np.where(X > Y, X - Y, X + Y))
    assert float(table(1.0, 2.0)) == 3.0
    dots = fnp.vectorize(lambda a, b: (a @ b, a + b), signature="(n),(n)->(),(n)")
    d, s = dots(np.ones((5, 1, 4)), X)
    np.testing.assert_array_equal(d, np.broadcast_to(X.sum(1), (5, 3)))
    assert s.shape == (5, 3, 4)
    scaled = fnp.vectorize(lambda x, kind, factor=1.0: x * factor if kind == "times" else x, excluded={1})
    np.testing.assert_array_equal(scaled(X, "times", factor=Y), X * Y)
    np.testing.assert_allclose(fx.grad(lambda x: table(x, Y).sum())(X), np.ones_like(X))


def test_pad_takes_a_function_and_einsum_says_its_path():
    doubled = fnp.pad(
        X, ((0, 0), (1, 1)), lambda x, axis, before, after: fnp.concatenate([x] * (before + after or 1), axis)
    )
    assert doubled.shape == (3, 8)
    path, table = fnp.einsum_path("ij,jk,kl->il", X, X.T, X)
    assert path[0] == "einsum_path" and len(path) == 3 and "Complete contraction" in table
    with fx.config(default_float="float64"):
        np.testing.assert_allclose(fnp.einsum("ij,jk,kl->il", X, X.T, X, optimize=path), X @ X.T @ X)


def test_index_objects():
    x = fnp.asarray(X)
    np.testing.assert_array_equal(x[fnp.s_[1:, ::2]], X[1:, ::2])
    np.testing.assert_array_equal(x[fnp.ix_([0, 2], [1, 3])], X[np.ix_([0, 2], [1, 3])])
    assert fnp.index_exp[1:2] == np.index_exp[1:2]
    np.testing.assert_array_equal(x[:, fnp.newaxis].shape, (3, 1, 4))


def test_multi_dot_chooses_the_cheap_order():
    parts = [np.ones((10, 2)), np.ones((2, 10)), np.ones((10, 1))]
    np.testing.assert_array_equal(fnp.linalg.multi_dot(parts), parts[0] @ (parts[1] @ parts[2]))
    program = str(fx.make_program(lambda *xs: fnp.linalg.multi_dot(xs))(*parts))
    assert program.index("2,1") < program.index("10,1", program.index("2,1"))


def test_the_short_way_of_eager_calls_writes_nowhere_and_keeps_single_precision():
    """Where NumPy's next positional argument is out= or copy=, fx has its own answer."""
    x, y = fnp.asarray([1.0, np.nan, 3.0]), fnp.zeros(())
    fnp.nan_to_num(x, False)
    with pytest.raises(TypeError):
        fnp.mean(x, 0, None, y)
    assert np.isnan(np.asarray(x)[1]) and float(y) == 0
    for call in (
        lambda x: fnp.interp(x, x, x),
        fnp.median,
        fnp.std,
        lambda x: fnp.quantile(x, 0.3),
        fnp.sinc,
        fnp.i0,
    ):
        assert call(fnp.ones(3, "float32")).dtype == np.float32
    assert type(fnp.tril(fnp.ones((2, 2)))) is fx.Array and type(fnp.nonzero(x)) is tuple


@pytest.mark.parametrize(
    "name", "sum prod mean var std max min any all argmax argmin cumsum cumprod trace round ptp sort".split()
)
def test_functions_of_numpy_take_fx_arrays(name):
    """NumPy hands them to the method of the name, with out=None; the result is one of fx, also where it is traced."""
    x = np.random.default_rng(0).normal(size=(3, 4))
    of = getattr(np, name)
    found = of(fnp.asarray(x))
    np.testing.assert_allclose(np.asarray(found), of(x), rtol=1e-12)
    if name in ("sum", "mean", "max"):
        assert isinstance(found, fx.Array)
        np.testing.assert_allclose(fx.jit(lambda x: of(x, axis=1))(x), of(x, axis=1), rtol=1e-12)
        np.testing.assert_allclose(of(fnp.asarray(x), 0, keepdims=True), of(x, 0, keepdims=True), rtol=1e-12)


def test_methods_do_not_write():
    with pytest.raises(fx.ImmutableError, match="out="):
        np.sum(fnp.ones(3), out=np.zeros(()))
