"""Files, bytes and text: what is written is read back; what NumPy prints is printed; number formats of one byte."""

from __future__ import annotations

import io

import ml_dtypes
import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.core import errors

X = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize("dtype", ["float32", "complex128", "int8", "bool", "bfloat16", "float16"])
def test_arrays_survive_files(tmp_path, dtype):
    x = fnp.asarray(X).astype(dtype)
    fnp.save(tmp_path / "one.npy", x)
    fnp.savez(tmp_path / "two.npz", x, named=x[0])
    fnp.savez_compressed(tmp_path / "three.npz", x=x)
    with fnp.load(tmp_path / "two.npz") as archive:
        assert sorted(archive.files) == ["arr_0", "named"]
        found = [archive["arr_0"], fnp.load(tmp_path / "three.npz")["x"]]
    for y in (*found, fnp.load(tmp_path / "one.npy"), fnp.load(tmp_path / "one.npy", mmap_mode="r")):
        assert y.dtype == x.dtype and fnp.array_equal(x, y)


def test_what_numpys_format_has_no_name_for_is_refused():
    with pytest.raises(errors.DTypeError, match="float8_e4m3fn"):
        fnp.save(io.BytesIO(), fnp.ones(2, "float8_e4m3fn"))


def test_pickles_are_never_loaded():
    file = io.BytesIO()
    np.save(file, np.array([None, {}]), allow_pickle=True)
    file.seek(0)
    with pytest.raises(errors.ArgumentError, match="pickle"):
        fnp.load(file)


def test_bytes_text_and_iterators(tmp_path):
    same = lambda got, want: np.testing.assert_array_equal(np.asarray(got), want, strict=True)
    same(fnp.frombuffer(X.tobytes()), np.frombuffer(X.tobytes()))
    same(fnp.frombuffer(X.tobytes(), "<i2", 4, 8), np.frombuffer(X.tobytes(), "<i2", 4, 8))
    big = X.astype(">f4")
    same(fnp.frombuffer(big.tobytes(), ">f4"), big.ravel().astype("f4"))
    (tmp_path / "raw").write_bytes(X.tobytes())
    same(fnp.fromfile(tmp_path / "raw", np.float64, 4), X.ravel()[:4])
    same(fnp.fromstring("1 2 3.5", sep=" "), np.array([1, 2, 3.5]))
    same(fnp.fromstring("1,2", fnp.int32, sep=","), np.array([1, 2], np.int32))
    same(fnp.fromiter((i * i for i in range(4)), np.int64), np.array([0, 1, 4, 9]))
    fnp.savetxt(tmp_path / "table", fnp.asarray(X), fmt="%.3f", delimiter=",")
    same(fnp.loadtxt(tmp_path / "table", delimiter=","), X)
    same(fnp.genfromtxt(io.StringIO("1,,3"), delimiter=","), np.array([1, np.nan, 3]))


REFUSED = {
    "ragged buffer": lambda: fnp.frombuffer(b"12345", "int16"),
    "bad offset": lambda: fnp.frombuffer(b"12345678", offset=99),
    "no buffer": lambda: fnp.frombuffer(3),
    "text without sep": lambda: fnp.fromstring("1 2", sep=""),
    "words": lambda: fnp.loadtxt(io.StringIO("a b")),
    "short iterator": lambda: fnp.fromiter(iter([1]), int, 3),
    "no file format": lambda: fnp.load(io.BytesIO(b"nothing of the kind")),
    "base": lambda: fnp.base_repr(3, 99),
    "several numbers": lambda: fnp.format_float_positional(X),
    "put: places": lambda: fnp.put(X, [0.5], 1.0),
    "put: outside": lambda: fnp.put(X, [6], 1.0),
    "put: mode": lambda: fnp.put(X, [6], 1.0, "bounce"),
    "put: kind": lambda: fnp.put(np.arange(3), [0], 1.5),
    "place: size": lambda: fnp.place(X, X[0] > 0, 1.0),
    "place: nothing": lambda: fnp.place(X, X > 0, []),
    "place: in place": lambda: fnp.place(X, X > 0, 1.0, inplace=True),
    "putmask: size": lambda: fnp.putmask(X, X[0] > 0, 1.0),
    "mask_indices": lambda: fnp.mask_indices(-1, np.triu),
    "mask_indices: function": lambda: fnp.mask_indices(2, 3),
    "chkfinite": lambda: fnp.asarray_chkfinite([1.0, np.nan]),
    "common_type": lambda: fnp.common_type(np.array([True])),
    "int4 has no eps": lambda: fnp.finfo(fnp.int4),
    "bfloat16 is no integer": lambda: fnp.iinfo(fnp.bfloat16),
    "no common dtype": lambda: fnp.ones(2, "float8_e4m3fn") + fnp.ones(2, "bfloat16"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refusals(what):
    with pytest.raises(errors.FxError):
        REFUSED[what]()


def test_text():
    x = fnp.asarray(X)
    assert fnp.array_str(x) == np.array_str(X) and fnp.array2string(x, precision=1) == np.array2string(
        X, precision=1
    )
    assert fnp.array_repr(x) == repr(x)
    with fnp.printoptions(precision=2):
        assert fnp.get_printoptions()["precision"] == 2 and "0.33" in str(fnp.asarray(1 / 3)) + str(x / 3)
        fnp.set_printoptions(precision=3)
        assert np.get_printoptions()["precision"] == 3
    assert fnp.get_printoptions()["precision"] == 8
    assert fnp.format_float_positional(0.25) == "0.25" and fnp.format_float_scientific(1500.0) == "1.5e+03"
    assert fnp.base_repr(10, 3) == "101" and fnp.binary_repr(-3, 5) == "11101"
    assert fnp.iterable([1]) and not fnp.iterable(3)


def test_dtype_questions():
    assert fnp.common_type(X, np.ones(2, np.complex64)) == np.complex128
    assert fnp.common_type(np.ones(2, np.float16), np.ones(2, np.float32)) == np.float32
    assert fnp.min_scalar_type(300) == np.uint16 and fnp.min_scalar_type(fnp.asarray(-1)) == np.int8
    assert fnp.min_scalar_type(fnp.ones(2)) == np.float32
    assert fnp.float32 != None and fnp.float32 == "float32"  # noqa: E711
    assert fnp.isdtype("int4", "signed integer") and fnp.isdtype(fnp.uint2, "integral")
    assert fnp.isdtype(fnp.float8_e5m2, "real floating") and not fnp.isdtype(fnp.int4, "real floating")
    assert fnp.issubdtype(fnp.int4, fnp.integer) and not fnp.issubdtype(fnp.bfloat16, fnp.integer)
    assert fnp.iinfo(fnp.int4).max == 7 and float(fnp.finfo(fnp.float8_e4m3fn).max) == 448.0


NARROW = [n for n in dir(fnp) if n.startswith(("float8", "float6", "float4", "int1", "int2", "int4", "uint"))]
NARROW = [n for n in NARROW if hasattr(ml_dtypes, n)]


@pytest.mark.parametrize("name", NARROW)
def test_narrow_formats_store_and_convert(name, to_backend):
    values = np.array([0, 1, -2, 3.3] if "int" not in name and "e8m0" not in name else [1, 1], np.float32)
    want = values.astype(getattr(ml_dtypes, name)).astype(np.float32)
    x = to_backend([fnp.asarray(values)])[0].astype(name)
    assert x.dtype == getattr(fnp, name) and x.nbytes == x.size
    for there in (x.astype("float32"), fx.jit(lambda x: x.astype("float32"))(x), fnp.stack([x, x])[1]):
        np.testing.assert_array_equal(np.asarray(there).astype(np.float32), want)
    assert (x + fnp.ones((), "float32")).dtype == np.float32
    assert x.aval.inexact == ("int" not in name)


def test_narrow_floats_are_summed_in_float32_and_have_gradients():
    x = fnp.ones(1000, "float8_e4m3fn") * 0.125
    assert float(x.sum()) == 128 and float(x.mean()) == 0.125
    gradient = fx.grad(lambda w: (w.astype("float8_e4m3fn").astype("float32") ** 2).sum())
    np.testing.assert_array_equal(gradient(fnp.asarray([1.0, 3.3])), [2.0, 6.5])
    assert (fnp.asarray([1, 2], "int4") * 1.5).dtype == np.float32


def test_dlpack_shows_that_arrays_are_immutable():
    x = fnp.arange(3.0)
    assert not np.from_dlpack(x).flags.writeable and np.shares_memory(np.from_dlpack(x), x.buffer)
    assert np.from_dlpack(x, copy=True).flags.writeable
    with pytest.raises(errors.ArgumentError, match="2030"):
        x.__array_namespace__(api_version="2030.01")
    assert x.__array_namespace__(api_version="2022.12") is fnp


def test_axes_that_do_not_exist_are_index_errors_too():
    with pytest.raises(IndexError, match="axis 2") as caught:
        fnp.sum(X, 2)
    assert isinstance(caught.value, errors.ShapeError)
