"""Every trap of CuPy that `fx.backends.strict` sets, and its tables against an installed CuPy."""

import copy
import inspect
import pickle

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from fx.backends import strict
from fx.backends.strict import asarray, asnumpy, stats, xp

BF16 = strict.bfloat16


@pytest.fixture(autouse=True)
def fresh_stats():
    stats.reset()


def device(*values, dtype="float32"):
    return asarray(np.array(values, dtype))


def grid(*shape, dtype="float32"):
    return asarray(np.arange(np.prod(shape), dtype=dtype).reshape(shape))


def equal(device_array, expected):
    np.testing.assert_array_equal(asnumpy(device_array), expected)


# ---- no implicit way between host and device -------------------------------------------------------------
@pytest.mark.parametrize(
    "convert",
    [
        np.asarray,
        np.array,
        np.sin,
        np.sum,
        np.float32,
        lambda x: np.concatenate([x, x]),
        lambda x: np.zeros(3) + x,
        lambda x: x + np.zeros(3),
        lambda x: np.zeros(3) < x,
        lambda x: x < np.zeros(3),
        lambda x: x == np.zeros(3),
        lambda x: np.zeros(3) @ x,
        lambda x: xp.add(x, np.zeros(3)),
        lambda x: xp.add(x, np.array(1.0)),
        lambda x: xp.sum(np.zeros(3)),
        lambda x: xp.where(x, x, np.zeros(3)),
        lambda x: xp.concatenate([x, np.zeros(3)]),
        lambda x: xp.sin(x, out=np.zeros(3)),
        lambda x: np.copyto(np.zeros(3), x),
        lambda x: x[np.array([0])],
        lambda x: x[[0, 1]],
        lambda x: x.__setitem__(0, np.array(1.0)),
        lambda x: x.fill(np.zeros(())),
        lambda x: memoryview(x),
    ],
)
def test_host_and_device_never_mix(convert):
    x = device(1, 2, 3)
    stats.reset()
    with pytest.raises(TypeError):
        convert(x)
    assert stats == strict.Stats()


@pytest.mark.parametrize("sequence", [[1.0, 2.0, 3.0], (1.0, 2.0, 3.0), "abc", None, object()])
def test_ufuncs_reject_what_is_neither_array_nor_scalar(sequence):
    with pytest.raises(TypeError, match="Unsupported type"):
        xp.add(device(1, 2, 3), sequence)
    with pytest.raises(TypeError):
        device(1, 2, 3) * sequence


@pytest.mark.parametrize("scalar", [2, 2.0, True, 2j, np.float32(2), np.int64(2), np.float64(2), np.bool_(1)])
def test_python_and_numpy_scalars_are_operands_on_both_sides_with_numpys_promotion(scalar):
    x = np.array([1, 2, 3], "float32")
    for result, expected in [(asarray(x) * scalar, x * scalar), (scalar * asarray(x), scalar * x)]:
        equal(result, expected)
        assert result.dtype == expected.dtype


def test_the_only_crossings_are_asarray_and_asnumpy_and_both_are_counted():
    x = asarray(np.ones(3))
    assert (stats.h2d, stats.d2h) == (1, 0)
    y = x + 1
    assert type(asnumpy(y)) is np.ndarray
    assert (stats.h2d, stats.d2h, stats.syncs) == (1, 1, 1)


def test_a_copy_from_the_host_is_a_copy_and_asarray_of_a_device_array_is_itself():
    host = np.zeros(3)
    x = asarray(host)
    host[0] = 1
    equal(x, np.zeros(3))
    asnumpy(x)[1] = 1
    equal(x, np.zeros(3))
    stats.reset()
    assert asarray(x) is x and asarray(x, x.dtype) is x
    assert stats == strict.Stats()
    assert xp.array(x) is not x


def test_nested_device_arrays_stay_on_the_device_and_do_not_mix_with_host_values():
    x = device(1, 2)
    stats.reset()
    equal(xp.array([x, x]), [[1, 2], [1, 2]])
    assert stats.h2d == 0
    with pytest.raises(TypeError, match="mixes"):
        xp.array([x[0], 1.0])


def test_set_and_get_with_out_demand_equal_dtype_and_shape():
    x = device(1, 2, 3)
    x.set(np.array([4, 5, 6], "float32"))
    out = np.empty(3, "float32")
    assert x.get(out=out) is out
    np.testing.assert_array_equal(out, [4, 5, 6])
    with pytest.raises(TypeError):
        x.set(np.zeros(3))
    with pytest.raises(ValueError):
        x.set(np.zeros(2, "float32"))
    with pytest.raises(TypeError):
        x.set([4, 5, 6])


@pytest.mark.parametrize("read", [bool, int, float, complex, lambda x: x.item(), repr, lambda x: x.tolist()])
def test_reading_a_value_counts_as_a_sync(read):
    x = device(1)[0]
    stats.reset()
    read(x)
    assert (stats.syncs, stats.d2h) == (1, 1)


def test_copies_pickles_and_containers():
    x = device(1, 2, 3)
    equal(copy.deepcopy(x), [1, 2, 3])
    equal(pickle.loads(pickle.dumps(x)), [1, 2, 3])
    assert len(x) == 3 and [float(v) for v in x] == [1, 2, 3] and 2 in x
    with pytest.raises(TypeError):
        len(x[0])
    with pytest.raises(TypeError):
        iter(x[0])
    with pytest.raises(TypeError):
        hash(x)
    with pytest.raises(ValueError, match="size 1"):
        x.item()
    with pytest.raises(ValueError):
        bool(x)


# ---- results are device arrays, 0-d where NumPy has scalars ----------------------------------------------
@pytest.mark.parametrize(
    "reduce",
    [
        lambda x: x.sum(),
        lambda x: xp.max(x),
        lambda x: x.mean(),
        lambda x: x.argmax(),
        lambda x: x[0, 1],
        lambda x: x[asarray(0), asarray(1)],
        lambda x: x.ravel() @ x.ravel(),
        lambda x: xp.linalg.norm(x),
        lambda x: xp.array_equal(x, x),
        lambda x: xp.allclose(x, x),
        lambda x: xp.count_nonzero(x),
        lambda x: xp.sin(1.0),
        lambda x: xp.take(x, 3),
    ],
)
def test_reductions_and_indexing_give_0d_arrays_without_an_index_method(reduce):
    result = reduce(grid(2, 3))
    assert type(result) is strict.ndarray and result.shape == ()
    assert not isinstance(result, (int, float, np.generic)) and not hasattr(result, "__index__")
    for use in (range, "abc".__getitem__, np.zeros(9).__getitem__):
        with pytest.raises((TypeError, IndexError)):
            use(result)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, n: xp.zeros(n),
        lambda x, n: xp.zeros((2, n)),
        lambda x, n: x.reshape(n, 3),
        lambda x, n: xp.sum(x, axis=n),
        lambda x, n: xp.expand_dims(x, n),
        lambda x, n: xp.arange(n),
        lambda x, n: x[n:],
        lambda x, n: xp.roll(x, n),
        lambda x, n: strict.ndarray((n,)),
    ],
)
def test_a_device_scalar_is_no_shape_axis_or_bound(call):
    with pytest.raises(TypeError):
        call(grid(2, 3), asarray(1))


def test_ufunc_results_are_in_c_order_whatever_the_operands():
    x = grid(2, 3, 4).transpose(2, 0, 1)
    assert np.sin(np.zeros((2, 3, 4)).transpose(2, 0, 1)).flags.c_contiguous is False
    for result in (xp.sin(x), x + x, x.T * 2, xp.where(x > 0, x, x), x.sum(axis=0), xp.sort(x, axis=0)):
        assert result.flags.c_contiguous
    assert not x.astype("float64").flags.c_contiguous


@pytest.mark.parametrize("name", ["writeable", "aligned", "num"])
def test_flags_know_layout_only(name):
    assert not hasattr(device(1).flags, name)
    with pytest.raises(KeyError):
        device(1).flags[name.upper()]


# ---- CuPy's surface --------------------------------------------------------------------------------------
MISSING = """
vecdot matvec vecmat unstack einsum_path geomspace spacing insert nanpercentile nanquantile nditer ndenumerate
errstate seterr longdouble complex256 datetime64 block matrix object_ void str_
"""
MISSING_IN_LINALG = "outer multi_dot tensordot svdvals vector_norm matrix_norm vecdot diagonal trace"
MISSING_IN_ARRAY = "setflags ctypes __index__ __contains__ __imatmul__ to_device resize __array_namespace__"


@pytest.mark.parametrize("name", MISSING.split())
def test_names_that_cupy_lacks_raise_attribute_error(name):
    with pytest.raises(AttributeError, match=name):
        getattr(xp, name)


@pytest.mark.parametrize("name", MISSING_IN_LINALG.split())
def test_linalg_names_that_cupy_lacks(name):
    assert hasattr(np.linalg, name) and not hasattr(xp.linalg, name)


@pytest.mark.parametrize("name", MISSING_IN_ARRAY.split())
def test_array_members_that_cupy_lacks(name):
    assert not hasattr(strict.ndarray, name)
    with pytest.raises(AttributeError):
        device(1).made_up = 1


@pytest.mark.parametrize(
    "call",
    [
        lambda x: xp.sum(x, where=x > 0),
        lambda x: xp.sum(x, initial=0),
        lambda x: xp.max(x, initial=0),
        lambda x: x.sum(initial=0),
        lambda x: xp.any(x, where=x > 0),
        lambda x: xp.var(x, correction=1),
        lambda x: xp.std(x, mean=x),
        lambda x: xp.sort(x, stable=True),
        lambda x: xp.argsort(x, order=None),
        lambda x: xp.take(x, asarray(0), mode="clip"),
        lambda x: xp.take_along_axis(x, xp.argsort(x)),
        lambda x: xp.clip(x, min=0, max=1),
        lambda x: xp.clip(x),
        lambda x: xp.count_nonzero(x, keepdims=True),
        lambda x: xp.add(x, x, where=x > 0),
        lambda x: xp.add(x, x, order="F"),
        lambda x: xp.zeros(3, device="cpu"),
        lambda x: xp.linalg.cholesky(xp.eye(2), upper=True),
        lambda x: xp.linalg.pinv(xp.eye(2), hermitian=True),
        lambda x: xp.linalg.svd(xp.eye(2), hermitian=True),
        lambda x: xp.fft.fft(x, out=x),
        lambda x: xp.einsum("i->", x, out=x),
        lambda x: xp.einsum("i->", x, order="C"),
        lambda x: xp.lib.stride_tricks.as_strided(x, (2,), (4,), writeable=False),
        lambda x: x.astype("int32", casting="safe"),
        lambda x: xp.sum(x, 0, None, None, False, 0),
        lambda x: xp.sum(),
    ],
)
def test_arguments_that_cupy_lacks_raise_type_error(call):
    with pytest.raises(TypeError):
        call(device(3, 1, 2))


def test_the_message_for_a_wrong_argument_shows_cupys_signature():
    with pytest.raises(
        TypeError, match=r"where.*CuPy has sum\(a, axis=None, dtype=None, out=None, keepdims=False\)"
    ):
        xp.sum(device(1), where=True)


@pytest.mark.parametrize("name", ["reduce", "accumulate", "reduceat", "at"])
def test_ufunc_methods_are_few(name):
    x = device(1, 2, 3)
    with pytest.raises(NotImplementedError, match=name):
        getattr(xp.logaddexp, name)(x, asarray(np.array([0])))
    if name != "at":
        with pytest.raises(NotImplementedError, match=name):
            getattr(xp.maximum, name)(x, asarray(np.array([0])))


def test_the_ufunc_methods_that_exist():
    x = device(1, 2, 3)
    equal(xp.add.reduce(x), 6)
    equal(xp.multiply.reduce(x, axis=0, keepdims=True), [6])
    equal(xp.add.accumulate(x), [1, 3, 6])
    equal(xp.multiply.accumulate(x), [1, 2, 6])
    equal(xp.add.reduceat(x, asarray(np.array([0, 1]))), [1, 5])
    equal(xp.subtract.outer(x, x), np.subtract.outer([1, 2, 3], [1, 2, 3]))
    assert isinstance(xp.add, xp.ufunc) and (xp.add.nin, xp.add.nout, xp.divmod.nout) == (2, 1, 2)
    assert not isinstance(xp.matmul, xp.ufunc)


def test_ufunc_outputs():
    x, out = device(1, 2, 3), xp.empty(3, "float32")
    assert xp.sin(x, out=out) is out and xp.sin(x, out) is out and xp.sin(x, out=(out,)) is out
    with pytest.raises(TypeError):
        xp.add(x, 1.5, out=xp.empty(3, "int32"))
    with pytest.raises(TypeError):
        xp.add(x)
    with pytest.raises(ValueError):
        xp.sin(x, out, out=out)
    quotient, rest = xp.divmod(x, 2)
    equal(quotient, [0, 1, 1])
    equal(rest, [1, 0, 1])
    y = x
    y += 1
    assert y is x
    equal(x, [2, 3, 4])
    with pytest.raises(TypeError):
        integers = asarray(np.arange(3))
        integers += 0.5


@pytest.mark.parametrize("call", [xp.logical_and, xp.logical_or, xp.logical_xor])
def test_logical_functions_have_no_complex_loop(call):
    with pytest.raises(TypeError, match="complex"):
        call(device(1, dtype="complex64"), True)


@pytest.mark.parametrize(
    "call",
    [
        lambda: xp.sum(1.0),
        lambda: xp.where(True, device(1), device(1)),
        lambda: xp.dot(device(1), 2.0),
        lambda: device(1) @ 2.0,
        lambda: xp.expand_dims(1.0, 0),
        lambda: xp.take(device(1), [0]),
        lambda: xp.sum([device(1), device(1)]),
        lambda: xp.repeat(device(1), [2]),
        lambda: xp.stack([device(1)[0], 1.0]),
    ],
)
def test_functions_take_arrays_where_numpy_converts(call):
    with pytest.raises(TypeError):
        call()


def test_an_operand_with_its_own_array_ufunc_decides():
    class Tracer:
        __array_ufunc__ = None
        __radd__ = __rmatmul__ = __eq__ = __gt__ = lambda self, other: "mine"
        __hash__ = None

    class Plain:
        __radd__ = lambda self, other: "mine"

    x = device(1)
    assert x + Tracer() == "mine" and x @ Tracer() == "mine"
    assert (x == Tracer()) == "mine" and (x < Tracer()) == "mine"
    with pytest.raises(TypeError, match="Unsupported type"):
        x + Plain()  # as in CuPy, which asks numpy first


def test_comparison_with_none_is_elementwise():
    x = device(1, 2)
    equal(x == None, [False, False])  # noqa: E711
    equal(x != None, [True, True])  # noqa: E711
    for wrong in ([1, 2], "ab"):
        with pytest.raises(TypeError):
            bool(x == wrong)


@pytest.mark.parametrize("dtype", [object, "U3", "S3", "M8[s]", "longdouble", "clongdouble", "i4,f4", ">f4"])
def test_dtypes_that_cupy_lacks_are_rejected_everywhere(dtype):
    for make in (
        lambda: xp.zeros(3, dtype),
        lambda: xp.empty(3, dtype),
        lambda: strict.ndarray(3, dtype),
        lambda: device(1).astype(dtype),
        lambda: asarray(np.zeros(3, dtype)),
    ):
        with pytest.raises((ValueError, TypeError), match=r"Unsupported dtype|cast|convert"):
            make()
    with pytest.raises(ValueError, match="Unsupported dtype"):
        asarray(["a"])


# ---- indices ---------------------------------------------------------------------------------------------
def test_integer_arrays_out_of_bounds_wrap_silently():
    x = grid(3, 4)
    equal(x[device(3, -4, dtype="int32")], asnumpy(x)[[0, 2]])
    equal(x[:, device(4, 9, dtype="uint8")], asnumpy(x)[:, [0, 1]])
    equal(x[..., None, device(5, dtype="int64")], asnumpy(x)[..., None, [1]])
    equal(xp.take(x, device(7, -1, dtype="int64"), axis=1), asnumpy(x)[:, [3, 3]])
    equal(xp.take(x, 13), 1)
    equal(xp.take_along_axis(x, asarray(np.full((3, 1), 6)), 1), asnumpy(x)[:, [2]])
    y = grid(3)
    y[device(4, dtype="int64")] = 9.0
    equal(y, [0, 9, 2])
    xp.put_along_axis(y, device(5, dtype="int64"), 7.0, 0)
    equal(y, [0, 9, 7])


def test_a_python_index_out_of_bounds_is_an_index_error():
    for index in (3, -4, (0, 4)):
        with pytest.raises(IndexError):
            grid(3, 4)[index]
    with pytest.raises(IndexError):
        grid(3)[device(0.5)]
    with pytest.raises(IndexError):
        grid(3)[1.0]


@given(st.data())
def test_reads_and_writes_at_distinct_places_agree_with_numpy(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    host = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    index = data.draw(
        st.one_of(
            hnp.basic_indices(shape, allow_newaxis=True),
            hnp.integer_array_indices(shape, dtype=np.dtype("int32")),
            hnp.arrays(bool, shape),
        )
    )
    entries = index if isinstance(index, tuple) else (index,)
    on_device = tuple(asarray(i) if isinstance(i, np.ndarray) else i for i in entries)
    x = asarray(host)
    equal(x[on_device], host[index])
    ids = np.arange(host.size).reshape(shape)[index]
    if np.unique(ids).size == np.size(ids):
        values = np.random.default_rng(0).random(np.shape(ids)).astype("float32")
        x[on_device] = asarray(values)
        host[index] = values
        equal(x, host)


def test_among_colliding_writes_numpys_winner_loses():
    x, index = grid(3), device(1, 1, dtype="int64")
    x[index] = device(5, 6)
    assert float(x[1]) == 5 and np.array([5, 6])[-1] == 6
    y = grid(2, 2)
    y[index, index] = device(5, 6)
    equal(y, [[0, 1], [2, 5]])
    z = grid(3)
    xp.put_along_axis(z, device(0, 0, dtype="int64"), device(5, 6), 0)
    equal(z, [5, 1, 2])


def test_basic_indexing_is_a_view_and_advanced_indexing_a_copy():
    x = grid(3, 4)
    x[1:, ::2][...] = 0.0
    x[0, 0].fill(7)
    x[asarray(0)].fill(9)
    equal(x, [[7, 1, 2, 3], [0, 5, 0, 7], [0, 9, 0, 11]])


def test_writes_take_scalars_and_device_arrays_and_cast_without_asking():
    x = asarray(np.zeros((2, 3), "int32"))
    x[0] = 1.7
    x[1, device(0, 2, dtype="int64")] = device(2.5, 3.5)
    x[:, 1] = device(1, 2).reshape(1, 2)
    equal(x, [[1, 1, 1], [2, 2, 3]])
    with pytest.raises(ValueError):
        x[0] = device(1, 2)


def test_scatter_adds_up_collisions():
    x, index = grid(3), device(1, 1, 4, dtype="int64")
    strict.scatter_add(x, index, device(1, 2, 3))
    equal(x, [0, 7, 2])
    xp.subtract.at(i := asarray(np.zeros(3, "int32")), index, asarray(np.array([1, 2, 3], "int32")))
    equal(i, [0, -6, 0])
    strict.scatter_max(x, index, device(9, 8, 7))
    strict.scatter_min(x, index, device(3, 1, 2))
    equal(x, [0, 1, 2])
    x.scatter_add(slice(0, 2), 1.0)
    equal(x, [1, 2, 2])
    xp.add.at(i, index, 1.7)  # a scattered value is cast without asking
    equal(i, [0, -3, 0])


@pytest.mark.parametrize(
    ("name", "dtypes", "refused"),
    [
        (
            "add",
            "int32 int64 uint32 uint64 float16 float32 float64",
            "int8 int16 uint8 bool complex64 complex128",
        ),
        ("subtract", "int32 uint32", "int64 uint64 float32 float64 float16"),
        ("maximum", "int32 int64 uint32 uint64 float32 float64", "int8 float16 complex64"),
        ("minimum", "int32 int64 uint32 uint64 float32 float64", "int8 float16 complex64"),
        ("bitwise_and", "int32 int64 uint32 uint64", "bool int8 int16"),
        ("bitwise_or", "int32 int64 uint32 uint64", "bool int8 int16"),
        ("bitwise_xor", "int32 int64 uint32 uint64", "bool int8 int16"),
    ],
)
def test_atomics_exist_for_few_dtypes(name, dtypes, refused):
    index = device(0, dtype="int64")
    for dtype in dtypes.split():
        x = asarray(np.ones(2, dtype))
        getattr(xp, name).at(x, index, asarray(np.ones(1, dtype)))
    for dtype in [*refused.split(), BF16]:
        with pytest.raises(TypeError, match="atomics"):
            getattr(xp, name).at(asarray(np.ones(2, dtype)), index, asarray(np.ones(1, dtype)))


# ---- memory ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("make", [lambda d: xp.empty((3, 4), d), lambda d: strict.ndarray((3, 4), d)])
def test_fresh_memory_is_poison(make):
    for dtype in ("float16", "float32", "float64", "complex64", BF16):
        assert bool(xp.isnan(make(dtype)).all())
    for dtype in ("int8", "uint16", "int32", "uint64"):
        assert set(asnumpy(make(dtype)).tobytes()) == {strict.POISON}
    assert set(asnumpy(make("bool")).ravel()) == {True, False}
    assert bool(xp.isnan(xp.empty_like(grid(2, 2))).all())
    assert xp.empty((), "int16").item() == np.frombuffer(b"\xa5\xa5", "int16")[0]


def test_an_arena_of_views():
    arena = xp.zeros(64, "uint8")
    stats.reset()
    a = strict.ndarray((2, 2), "float32", memptr=arena.data)
    b = strict.ndarray((4,), "float32", memptr=arena.data + 8)
    a[...] = 1.0
    assert (b.data.ptr - a.data.ptr, stats.allocations) == (8, 0)
    equal(b, [1, 1, 0, 0])
    equal(arena[:16].view("float32"), [1, 1, 1, 1])


def test_layout_attributes():
    x = grid(3, 4)
    assert (x.shape, x.ndim, x.size, x.nbytes, x.itemsize, x.strides) == ((3, 4), 2, 12, 48, 4, (16, 4))
    assert x.flags.c_contiguous and x.T.flags.f_contiguous and x.T.shape == x.mT.shape == (4, 3)
    assert x.transpose(1, 0).shape == x.transpose((1, 0)).shape == x.transpose().shape == (4, 3)
    assert x.reshape(4, -1).shape == x.reshape((4, 3)).shape == (4, 3)
    assert x.ravel().shape == x.flatten().shape == (12,)
    assert x.view("int32").dtype == "int32" and x.view() is not x
    z = device(1 + 2j, dtype="complex64")
    equal(z.real, [1])
    equal(z.conj().imag, [-2])
    with pytest.raises(AttributeError):
        x.strides = (4, 4)


def test_stride_tricks():
    x = grid(5)
    equal(xp.lib.stride_tricks.sliding_window_view(x, 3), [[0, 1, 2], [1, 2, 3], [2, 3, 4]])
    equal(xp.lib.stride_tricks.as_strided(x, (2, 2), (8, 4)), [[0, 1], [2, 3]])


def test_launches_and_allocations_are_counted_and_views_are_free():
    x = grid(3, 4)
    stats.reset()
    for view in (
        x.T,
        x[1:],
        x.reshape(4, 3),
        x.ravel(),
        xp.broadcast_to(x, (2, 3, 4)),
        x[None],
        xp.squeeze(x),
        x.real,
    ):
        assert view.nbytes
    xp.split(x, 3)
    assert stats == strict.Stats()
    xp.sin(x)
    x.sum()
    xp.linalg.qr(x)
    assert (stats.launches, stats.allocations) == (3, 4)
    xp.add(x, 1, out=x)
    x += 1
    x.fill(0)
    x[0] = 1
    xp.sum(x, axis=0, out=x[0])
    xp.copyto(x, 1.0)
    assert (stats.launches, stats.allocations) == (9, 4)
    x.T.reshape(-1)
    x[asarray(0)]
    assert (stats.launches, stats.allocations, stats.h2d) == (11, 7, 1)


# ---- sorting ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sort", [xp.sort, xp.argsort, strict.ndarray.sort, strict.ndarray.argsort])
def test_sorting_is_stable_and_has_no_other_kind(sort):
    for kind in ("quicksort", "mergesort", "heapsort"):
        with pytest.raises(ValueError, match="stable"):
            sort(device(2, 1), kind=kind)
    sort(device(2, 1), kind="stable")
    with pytest.raises(TypeError, match="bfloat16"):
        sort(device(2, 1, dtype=BF16))


def test_sorting_searching():
    x = device(3, 1, 2, 1)
    equal(xp.argsort(x), [1, 3, 2, 0])
    equal(xp.searchsorted(xp.sort(x), x), [3, 0, 2, 0])
    equal(xp.lexsort(xp.stack([x, -x])), np.lexsort(np.stack([[3, 1, 2, 1], [-3, -1, -2, -1]])))
    with pytest.raises(TypeError):
        xp.lexsort((x, x))
    x.sort()
    equal(x, [1, 1, 2, 3])


# ---- bfloat16 --------------------------------------------------------------------------------------------
def test_bfloat16_elementwise_and_reductions_stay_bfloat16_with_float32_sums():
    x = asarray(np.ones(10000, BF16))
    assert np.ones(10000, BF16).sum() == 256
    assert float(x.sum()) == 9984 == float(ml_dtypes.bfloat16(10000))
    for result in (
        x + x,
        xp.exp(x),
        x.sum(),
        x.mean(),
        x.max(),
        x.astype("float32").astype(BF16),
        x[:3],
        x.cumsum(),
    ):
        assert result.dtype == BF16
    assert x.sum(dtype="float32").dtype == "float32" and float(x.sum(dtype="float32")) == 10000
    assert (x.argmax().dtype, (x > 0).dtype) == ("int64", "bool")


def test_bfloat16_is_widened_where_cupy_has_no_loop_for_it():
    x = asarray(np.ones(3, BF16))
    for result in (xp.where(x > 0, x, x), xp.clip(x, 0, 1), xp.round(x), xp.divmod(x, x)[0], x * 2.0):
        assert result.dtype == "float32"
    assert x.var().dtype == "float64"


def test_bfloat16_products_are_two_dimensional():
    a, b = (asarray(np.ones(shape, BF16)) for shape in [(3, 300), (300, 2)])
    result = a @ b
    assert result.dtype == BF16
    equal(result, np.full((3, 2), 300, BF16))
    equal(xp.matmul(a, b, out=result), np.full((3, 2), 300, BF16))
    with pytest.raises(TypeError, match="batched"):
        a[None] @ b
    with pytest.raises(TypeError, match="batched"):
        xp.einsum("ij,jk->ik", a, b)
    with pytest.raises(TypeError, match="linalg"):
        xp.linalg.inv(a[:, :3])
    with pytest.raises(TypeError, match="atomics"):
        strict.scatter_add(a, asarray(np.array([0])), a[0])


# ---- linear algebra --------------------------------------------------------------------------------------
SPD, BAD = np.array([[2.0, 1], [1, 2]]), np.array([[1.0, 2], [2, 1]])
SINGULAR, NAN = np.ones((2, 2)), np.full((2, 2), np.nan)


@pytest.mark.parametrize(
    ("name", "bad"),
    [("cholesky", BAD), ("inv", SINGULAR), ("eigh", NAN), ("eigvalsh", NAN), ("svd", NAN), ("eig", NAN)],
)
def test_failures_are_nan_for_the_bad_matrix_alone(name, bad):
    function, oracle = getattr(xp.linalg, name), getattr(np.linalg, name)  # which would raise for the batch
    results, expected = function(asarray(np.stack([SPD, bad]))), oracle(SPD)
    results, expected = (r if isinstance(r, tuple) else (r,) for r in (results, expected))
    assert type(results) is tuple
    for r, e in zip(results, expected):
        np.testing.assert_allclose(asnumpy(r)[0], e)
        assert np.isnan(asnumpy(r)[1]).all()
    assert all(np.isnan(asnumpy(r)).all() for r in [function(asarray(bad))] if not isinstance(r, tuple))


def test_solve_broadcasts_a_vector_and_no_batch():
    a, b = asarray(np.stack([SPD, SINGULAR])), device(1, 2, dtype="float64")
    x = asnumpy(xp.linalg.solve(a, b))
    np.testing.assert_allclose(x[0], np.linalg.solve(SPD, [1, 2]))
    assert np.isnan(x[1]).all()
    with pytest.raises(ValueError):
        xp.linalg.solve(a, xp.eye(2))


def test_linalg_shapes_and_dtypes_still_raise():
    with pytest.raises(np.linalg.LinAlgError):
        xp.linalg.inv(grid(2, 3))
    with pytest.raises(np.linalg.LinAlgError):
        xp.linalg.qr(grid(3))
    with pytest.raises(TypeError, match="float16"):
        xp.linalg.cholesky(asarray(SPD.astype("float16")))
    assert xp.linalg.eigvals(asarray(SPD)).dtype == "complex128"
    assert xp.linalg.inv(xp.eye(2, dtype="int32")).dtype == "float64"
    assert xp.linalg.LinAlgError is np.linalg.LinAlgError


def test_products():
    x, y = grid(2, 3, 4), grid(2, 4, 5)
    equal(x @ y, asnumpy(x) @ asnumpy(y))
    equal(xp.einsum("bij,bjk->ik", x, y), np.einsum("bij,bjk->ik", asnumpy(x), asnumpy(y)))
    equal(xp.tensordot(x, y, axes=((0, 2), (0, 1))), np.tensordot(asnumpy(x), asnumpy(y), ((0, 2), (0, 1))))
    x = grid(2, 2)
    x @= x
    equal(x, [[2, 3], [6, 11]])


def test_special_functions_and_fft():
    x = device(0, 1, 2, 3)
    equal(strict.special.erf(x)[:1], [0])
    assert strict.special.gammaln(x).dtype == "float32" and type(strict.special.erf(1.0)) is strict.ndarray
    assert xp.fft.rfft(x).dtype == "complex64"
    assert not hasattr(strict.special, "owens_t_made_up") and not hasattr(strict, "made_up")


# ---- capture ---------------------------------------------------------------------------------------------
X, I, M = grid(4, 4), asarray(np.array([0, 1])), asarray(np.eye(4, dtype=bool))


@pytest.mark.parametrize(
    "call",
    [
        lambda: float(X[0, 0]),
        lambda: bool((X > 0).all()),
        lambda: X[0, 0].item(),
        lambda: X.get(),
        lambda: asnumpy(X),
        lambda: asarray(np.ones(3)),
        lambda: asarray(1.0),
        lambda: X.set(np.ones((4, 4), "float32")),
        lambda: repr(X),
        lambda: X @ X,
        lambda: xp.dot(X, X),
        lambda: xp.einsum("ij,jk->ik", X, X),
        lambda: xp.tensordot(X, X),
        lambda: xp.linalg.qr(X),
        lambda: xp.nonzero(X),
        lambda: X.nonzero(),
        lambda: xp.where(M),
        lambda: xp.unique(X),
        lambda: X[M],
        lambda: X.__setitem__(M, 0.0),
        lambda: xp.bincount(I),
        lambda: xp.isin(X, I),
        lambda: xp.repeat(X, I.astype("int64")[:1]),
        lambda: X.copy().__setitem__(I, 0.0),  # the scalar becomes an array on the host
    ],
)
def test_capture_refuses_what_a_graph_cannot_hold(call):
    with strict.capture(), pytest.raises(RuntimeError, match="captur"):
        call()
    try:
        call()
    except RuntimeError:
        pytest.fail("refused outside capture")
    except ValueError:
        pass


def test_capture_allows_kernels_and_ends():
    with strict.capture():
        y = xp.where(M, X, 0.0) + xp.sum(X, axis=0) * xp.take(X, I, axis=0)[0]
        y[I] = X[I]
        y[0] = 1.0
        y.scatter_add(I, X[I])
        xp.sort(xp.exp(y).astype("float64"))
        xp.fft.fft(y)
    assert np.isfinite(asnumpy(y)).all()
    with pytest.raises(NotImplementedError, match="cuBLAS"), strict.capture():
        X @ X
    asnumpy(X @ X)


# ---- and the numbers are those of NumPy ------------------------------------------------------------------
CALLS = """
zeros(3); ones((2, 3), int); full(3, 2.5); full((), x[0, 0]); zeros_like(x); ones_like(x, dtype=int);
full_like(x, 7); arange(3, 9, 2); linspace(0, 1, 5); eye(3, 4, 1); tri(3); diag(x[0]); tril(x); triu(x, 1);
copy(x.T); astype(x, int); ascontiguousarray(x.T); asfortranarray(x); empty((0, 2)); empty_like(x[:0]);
array(x); asarray(x); asanyarray(x); reshape(x, (2, -1)); ravel(x.T); transpose(x);
permute_dims(x, (1, 0)); matrix_transpose(x); moveaxis(x, 0, -1); swapaxes(x, 0, 1); squeeze(x[None]);
flip(x, 1); expand_dims(x, (0, 2)); broadcast_to(x, (2, 3, 4)); broadcast_arrays(x, x[:1]);
concatenate([x, x], axis=1); concat((x, x)); stack([x, x], 1); vstack([x, x]); hstack([x, x]);
split(x, [1, 2]); array_split(x, 2); tile(x, (2, 1)); repeat(x, 2, 1); roll(x, 1, 0);
pad(x, ((1, 0), (2, 1)), constant_values=3); diagonal(x, 1); trace(x); outer(x[0], x[1]); kron(x, x);
cross(x[:, :3], x[:, 1:]); all(x, axis=0); any(x); max(x, 1); min(x, axis=0, keepdims=True); amax(x);
amin(x); sum(x, (0, 1)); prod(x + 1, 1); mean(x, 0); var(x, 0, ddof=1); std(x); count_nonzero(x, 1);
argmax(x, 1, keepdims=True); argmin(x); cumsum(x, 1); cumprod(x, axis=0); diff(x, prepend=x[:, :1]);
allclose(x, x + 1); isclose(x, 1.0); array_equal(x, x); sort(-x, 0); argsort(-x); lexsort(x);
partition(x, 1); argpartition(x, 1); searchsorted(x[0], x); bincount(i); unique(x, return_counts=True);
isin(x, i); nonzero(x); flatnonzero(x); argwhere(x); where(x > 2, x, 0.0); where(x);
select([x > 3, x > 1], [x, -x]); take(x, i, 1); take_along_axis(x, i[None], 1); unravel_index(i, (2, 2));
ravel_multi_index((i, i), (4, 4)); matmul(x, x.T); dot(x, x[0]); vdot(x, x); inner(x, x); tensordot(x, x);
einsum("ij,kj->ik", x, x); einsum(x, [0, 1], [1]); clip(x, 1, None); around(x / 3, 1); round(x / 3);
real(x); imag(x); nan_to_num(x / x); ndim(x); shape(x); size(x, 0); isscalar(x); iscomplexobj(x);
isrealobj(x); issubdtype(x.dtype, int); isdtype(x.dtype, "real floating"); promote_types("f4", "i4");
result_type(x, 1.0, "i2"); broadcast_shapes((1,), (3,)); can_cast("f4", "f8"); may_share_memory(x, x[0]);
shares_memory(x, -x); linalg.norm(x, axis=1); linalg.det(s); linalg.slogdet(s); linalg.inv(s);
linalg.cholesky(s); linalg.eigvals(s); linalg.eigh(s); linalg.eigvalsh(s, "U"); linalg.eig(s);
linalg.qr(x, "complete"); linalg.svd(x, full_matrices=False); linalg.svd(x, compute_uv=False);
linalg.pinv(x[:, :3]); linalg.solve(s, x[:2]); linalg.matrix_transpose(x); linalg.matmul(x, x.T);
fft.fft(x); fft.ifft(x); fft.rfft(x, 6); fft.irfft(x); fft.hfft(x); fft.ihfft(x); fft.fft2(x);
fft.ifft2(x); fft.rfft2(x); fft.irfft2(x); fft.fftn(x); fft.ifftn(x); fft.rfftn(x); fft.irfftn(x);
fft.fftshift(x); fft.ifftshift(x, 1); fft.fftfreq(5); fft.rfftfreq(5)
"""
WRITES = ["copyto(x, 2.0)", "putmask(x, x > 2, x + 1)", "put_along_axis(x, i[None], x[:, :3], 1)"]
ALL_CALLS = [call.strip() for call in CALLS.split(";")] + WRITES


def on_host(result):
    if isinstance(result, (tuple, list)):
        return [on_host(r) for r in result]
    return asnumpy(result) if isinstance(result, strict.ndarray) else result


def assert_close(ours, numpys):
    if isinstance(ours, list):
        for a, b in zip(ours, numpys, strict=True):
            assert_close(a, b)
    elif isinstance(ours, np.ndarray):
        np.testing.assert_allclose(ours, numpys)
        assert ours.dtype == np.asarray(numpys).dtype or ours.dtype.kind == "c"  # eigenvalues
    else:
        assert ours == numpys


@pytest.mark.parametrize("call", ALL_CALLS)
def test_every_function_gives_what_numpys_gives(call):
    host = {"x": np.arange(12, dtype="float32").reshape(3, 4), "i": np.array([0, 3, 1]), "s": SPD}
    on_device = {name: asarray(value) for name, value in host.items()}
    with np.errstate(all="ignore"):
        expected = eval(f"np.{call}", {"np": np, **host})
    result = eval(f"xp.{call}", {"xp": xp, **on_device})
    if result is None:
        result, expected = on_device["x"], host["x"]
    assert_close(on_host(result), on_host(expected))


def test_every_listed_function_is_among_them():
    called = {call.partition("(")[0] for call in ALL_CALLS}
    listed = {n for n, f in public(xp).items() if isinstance(f, strict._Function)}
    for module in ("linalg", "fft"):
        listed |= {f"{module}.{n}" for n, f in public(getattr(xp, module)).items() if n != "LinAlgError"}
    assert called == listed | {"array", "asarray", "asanyarray"}


@pytest.mark.parametrize("name", sorted(n for n, f in vars(xp).items() if isinstance(f, xp.ufunc)))
@pytest.mark.parametrize("dtype", ["float32", "int32", "bool", "complex64"])
def test_every_ufunc_gives_what_numpys_gives_or_raises_type_error(name, dtype):
    ours, numpys = getattr(xp, name), getattr(np, name)
    operands = [np.array([1, 0, 3], dtype), np.array([2, 2, 1], dtype)][: ours.nin]
    try:
        with np.errstate(all="ignore"):
            expected = numpys(*operands)
    except TypeError:
        with pytest.raises(TypeError):
            ours(*map(asarray, operands))
        return
    if name.startswith("logical_") and dtype == "complex64":
        return
    result = ours(*map(asarray, operands))
    for r, e in zip(on_host([result]), on_host([expected])):
        np.testing.assert_allclose(r, e)


# ---- the tables against CuPy itself (it imports and shows its signatures without a GPU) ------------------
def public(module):
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


def plain(signature):
    return [(p.name, p.kind, p.default) for p in signature.parameters.values()]


@pytest.mark.parametrize(
    "path", ["", "linalg", "fft", "lib.stride_tricks"], ids=["cupy", "linalg", "fft", "stride_tricks"]
)
def test_names_and_signatures_are_cupys(path):
    cupy = pytest.importorskip("cupy")
    theirs, ours = cupy, xp
    for part in filter(None, path.split(".")):
        theirs, ours = getattr(theirs, part), getattr(ours, part)
    for name, value in public(ours).items():
        assert hasattr(theirs, name), name
        assert isinstance(value, xp.ufunc) == isinstance(getattr(theirs, name), cupy.ufunc), name
        if isinstance(value, strict._Function) and not isinstance(getattr(theirs, name), type(len)):
            assert plain(inspect.signature(value)) == plain(inspect.signature(getattr(theirs, name))), name
    assert set(MISSING.split()).isdisjoint(dir(cupy))


def test_ufuncs_and_array_members_are_cupys():
    cupy = pytest.importorskip("cupy")
    assert {n for n, f in public(xp).items() if isinstance(f, xp.ufunc)} == {
        n for n in dir(cupy) if isinstance(getattr(cupy, n), cupy.ufunc)
    }
    assert set(dir(strict.ndarray)) - {"_host", "__weakref__"} <= set(dir(cupy.ndarray))


def test_special_names_are_cupyx_names():
    special = pytest.importorskip("cupyx.scipy.special")
    assert [name for name in public(strict.special) if not hasattr(special, name)] == []
