"""fx.numpy against NumPy, by tables: values, dtypes, shapes; eager, on NumPy's own arrays, and compiled."""

from __future__ import annotations

import inspect
import subprocess
import sys
import types

import numpy as np
import numpy_cases_algebra
import numpy_cases_elementwise
import numpy_cases_reductions
import numpy_cases_shapes
import pytest
from numpy_cases import call, compare, expected_of, inputs, results

import fx
import fx.numpy as fnp

TABLE = {}
for module in (numpy_cases_elementwise, numpy_cases_reductions, numpy_cases_shapes, numpy_cases_algebra):
    assert not TABLE.keys() & module.TABLE.keys()
    TABLE.update(module.TABLE)

NOT_FUNCTIONS = {
    "pi",
    "e",
    "euler_gamma",
    "inf",
    "nan",
    "newaxis",
    "ndarray",
    "linalg",
    "s_",
    "index_exp",
    "mgrid",
    "r_",
    "c_",
    "ogrid",
    "dtype",
    "generic",
    "number",
    "inexact",
    "floating",
    "complexfloating",
    "integer",
    "signedinteger",
    "unsignedinteger",
    "flexible",
    "character",
    "object_",
    "ComplexWarning",
}
DTYPES = {name for name in dir(fnp) if type(getattr(fnp, name)).__name__ == "ScalarType"}
TESTED_ELSEWHERE = {  # test_numpy_semantics, test_numpy_ufuncs, test_numpy_files_and_text
    "can_cast",
    "einsum_path",
    "finfo",
    "iinfo",
    "isdtype",
    "issubdtype",
    "promote_types",
    "result_type",
    "vectorize",
    *("frompyfunc", "ufunc", "common_type", "min_scalar_type", "iterable"),
    *("frombuffer", "fromfile", "fromiter", "fromstring", "genfromtxt", "loadtxt", "savetxt"),
    *("load", "save", "savez", "savez_compressed"),
    *("array2string", "array_repr", "array_str", "base_repr", "binary_repr"),
    *("format_float_positional", "format_float_scientific"),
    *("get_printoptions", "printoptions", "set_printoptions"),
}
PUBLIC = sorted(
    name
    for name in dir(fnp)
    if not name.startswith("_") and not isinstance(getattr(fnp, name), types.ModuleType)
)
PUBLIC = [name for name in PUBLIC if name != "annotations"]
NAMES = sorted(name for name in TABLE if TABLE[name])


INDEXED = ("mgrid", "ogrid", "r_", "c_")


def function_of(name):
    found = getattr(fnp, name)
    return found if name not in INDEXED else lambda key: found[key]


def numpy_of(name, case):
    return (lambda key: getattr(np, name)[key]) if name in ("mgrid", "r_", "c_", "ogrid") else case.oracle


@pytest.fixture(autouse=True)
def like_numpy():
    """Integers and Python floats become float64, as in NumPy."""
    with fx.config(default_float="float64"):
        yield


def cases_of(name):
    for i, case in enumerate(TABLE[name]):
        case = case._replace(oracle=numpy_of(name, case))
        yield f"{name}[{i}]", case, expected_of(name, case)


@pytest.mark.parametrize("name", NAMES)
def test_equals_numpy(name, to_backend):
    for label, case, want in cases_of(name):
        got = call(function_of(name), case, to_backend([fnp.asarray(x, device="cpu") for x in inputs(case)]))
        compare(got, want, case, label)


@pytest.mark.parametrize("name", NAMES)
def test_takes_numpy_arrays_and_never_aliases_them(name):
    for label, case, want in cases_of(name):
        copies = [np.array(x) for x in inputs(case)]
        got = call(function_of(name), case, copies)
        compare(got, want, case, label)
        for array in results(got):
            if isinstance(array, fx.Array) and isinstance(array.buffer, np.ndarray):
                assert not any(np.shares_memory(array.buffer, x) for x in copies), label


@pytest.mark.parametrize("name", NAMES)
def test_compiles_and_maps(name, to_backend):
    for label, case, want in cases_of(name):
        leaves = inputs(case)
        if case.jit and leaves and any(isinstance(r, (np.ndarray, np.generic)) for r in want):
            function = lambda *xs: arrays_of(call(function_of(name), case, list(xs)))
            got = fx.jit(function)(*to_backend([fnp.asarray(x, device="cpu") for x in leaves]))
            compare(got, want, case, f"jit {label}")
            twice = fx.vmap(function)(
                *to_backend([fnp.asarray(np.stack([x, x]), device="cpu") for x in leaves])
            )
            for i in range(2):
                compare([y[i] for y in twice], want, case, f"vmap {label}")


def arrays_of(out):
    return [fnp.asarray(y) for y in results(out)]


def test_every_public_name_has_cases():
    missing = set(PUBLIC) - set(NAMES) - NOT_FUNCTIONS - DTYPES - TESTED_ELSEWHERE
    assert not missing
    assert not set(NAMES) - set(PUBLIC)
    assert len(PUBLIC) > 300


def test_every_function_says_what_it_does_and_where_it_lives():
    for name in PUBLIC:
        value = getattr(fnp, name)
        if inspect.isfunction(value):
            assert value.__doc__ and value.__doc__[0] != "\n", name
            assert value.__module__ == "fx.numpy", name
            assert "out" not in inspect.signature(value).parameters, name


def test_import_needs_nothing_heavy():
    heavy = ("scipy", "opt_einsum", "ml_dtypes", "cupy", "llvmlite")
    code = f"import sys, fx; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
