"""The promotion table: the printed page is true, and agrees with NumPy where NumPy has the dtypes."""

import itertools
import runpy
from pathlib import Path

import numpy as np
import pytest

import fx
import fx.numpy as fnp

DOCS = Path(__file__).parents[2] / "docs"
NUMPY = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128".split()


def test_the_printed_table_is_the_computed_one():
    page = runpy.run_path(str(DOCS / "promotion_table.py"))["table"]()
    assert (DOCS / "promotion.md").read_text() == page


@pytest.mark.parametrize("a, b", list(itertools.product(NUMPY, NUMPY)))
def test_two_arrays_promote_as_in_numpy(a, b):
    expected = np.promote_types(a, b)
    assert fnp.promote_types(a, b) == expected
    assert (fnp.ones(2, a) + fnp.ones(2, b)).dtype == expected
    assert fx.jit(lambda x, y: x + y)(fnp.ones(2, a), fnp.ones(2, b)).dtype == expected


@pytest.mark.parametrize("dtype", NUMPY)
@pytest.mark.parametrize("number", [True, 2, 2.0, 2j])
def test_a_python_number_never_widens_an_array_of_its_kind(dtype, number):
    result = (fnp.ones(2, dtype) * number).dtype
    rank = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}
    if rank[np.dtype(dtype).kind] >= {bool: 0, int: 1, float: 2, complex: 3}[type(number)]:
        assert result == dtype
    elif isinstance(number, float):
        assert result == np.float32
    traced = fx.jit(lambda x: x * number)(fnp.ones(2, dtype)).dtype
    assert traced == result


def test_weak_results_stay_weak_until_they_meet_an_array():
    weak = fnp.sin(1.0) * 2.0
    assert weak.dtype == np.float32
    assert (weak * fnp.ones(2, "float16")).dtype == np.float16
    assert (weak * fnp.ones(2, "float64")).dtype == np.float64


def test_default_float_decides_for_python_floats_alone():
    with fx.config(default_float="float64"):
        assert fnp.asarray(1.5).dtype == np.float64
        assert fnp.sin(1).dtype == np.float64
    assert fnp.asarray(1.5).dtype == np.float32


def test_strict_promotion_refuses_two_dtypes_and_takes_python_numbers():
    with fx.config(promotion="strict"):
        assert (fnp.ones(2, "float64") * 2.0).dtype == np.float64
        with pytest.raises(fx.DTypeError, match=r"float32 and float64.*strict[\s\S]*astype"):
            fnp.ones(2, "float32") + fnp.ones(2, "float64")


def test_scalars_convert_to_numpy_scalars_of_another_dtype():
    x = fnp.asarray(3)
    assert np.float32(x) == 3.0
    assert np.asarray(x, np.float64).dtype == np.float64
