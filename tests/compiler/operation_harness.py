"""Runs one native operation on NumPy arrays, and holds it against the primitive's `impl`.

The module stands alone: `fx_parallel` is a plain loop in it, from the last task to the first, so that a result which
depends on the order of tasks shows. Outputs and working memory begin as garbage, and what lies around outputs must
stay as it was.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fx.backends.cpu.linking import load
from fx.backends.cpu.llvm import Function, Module, Value, const, i64
from fx.backends.cpu.operations.operation import Buffer, Operation, row_major
from fx.core.avals import Aval
from fx.core.primitive import Primitive

_GUARD = 128
_MARK = 0xA5


def run(operation: Operation, primitive: Primitive, *operands: Any, **params: Any) -> tuple[np.ndarray, ...]:
    """The results of the native operation, always as a tuple."""
    arrays = [np.ascontiguousarray(x).reshape(np.shape(x)) for x in operands]
    return Compiled(operation, primitive, [Aval(a.shape, a.dtype) for a in arrays], params)(*arrays)


def check(
    operation: Operation,
    primitive: Primitive,
    *operands: Any,
    ulps: float = 0,
    **params: Any,
) -> None:
    """AssertionError unless the native results are those of the interpreter, to the bit (NaN is NaN)."""
    operands = tuple(np.asarray(x) for x in operands)
    assert operation.accepts([Aval(x.shape, x.dtype) for x in operands], params)
    expected = primitive.impl(np, *operands, **params)
    expected = expected if primitive.multiple else (expected,)
    for got, want in zip(run(operation, primitive, *operands, **params), expected, strict=True):
        same(got, np.asarray(want), ulps)


def check_samples(operation: Operation, primitive: Primitive, dtypes: Sequence[Any] = (), **how: Any) -> int:
    """`check` over every sample of a primitive, floats also in the other `dtypes`; gives their number."""
    count = 0
    for sample in primitive.samples(np.random.default_rng(0)):
        for dtype in (None, *dtypes):
            check(
                operation, primitive, *[as_dtype(x, dtype) for x in sample.operands], **sample.params, **how
            )
            count += 1
    assert count
    return count


def as_dtype(x: Any, dtype: Any) -> np.ndarray:
    """A floating operand in another dtype; others as they are."""
    x = np.asarray(x)
    if dtype is None or x.dtype.kind != "f":
        return x
    dtype = np.dtype(dtype)
    return (
        (x > 0)
        if dtype.kind == "b"
        else np.abs(x * 4).astype(dtype)
        if dtype.kind == "u"
        else x.astype(dtype)
    )


def same(got: np.ndarray, want: np.ndarray, ulps: float = 0) -> None:
    """Equal shape, dtype and bits; NaNs are alike.

    With `ulps` inexact numbers may differ by so many units in the last place, complex ones by those of their size.
    """
    assert got.shape == want.shape and got.dtype == want.dtype, (got.shape, got.dtype, want.shape, want.dtype)
    if ulps and want.dtype.kind in "fVc":
        close(got, want, ulps)
        return
    got, want = _parts(got), _parts(want)
    if got.dtype.kind not in "fV":
        np.testing.assert_array_equal(got, want)
        return
    nan = np.isnan(_wide(got))
    np.testing.assert_array_equal(nan, np.isnan(_wide(want)))
    bits = lambda x: np.where(nan, 0, x.view(f"u{x.dtype.itemsize}"))
    np.testing.assert_array_equal(bits(got), bits(want))


def close(got: np.ndarray, want: np.ndarray, ulps: float) -> None:
    size = np.abs(_wide(want))
    nan = np.isnan(size)
    np.testing.assert_array_equal(nan, np.isnan(_wide(got)))
    with np.errstate(all="ignore"):
        step = np.spacing(size) * 2.0 ** (52 - _mantissa(want.dtype))
    error = np.abs(_wide(got) - _wide(want))
    assert np.all((error <= ulps * step) | nan | (got == want)), f"{np.nanmax(error / step)} ulps"


def _mantissa(dtype: np.dtype) -> int:
    return 7 if dtype.name == "bfloat16" else np.finfo(dtype).nmant


def _wide(x: np.ndarray) -> np.ndarray:
    """In double precision, where NumPy has functions for the dtype at all."""
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def _parts(x: np.ndarray) -> np.ndarray:
    """Complex numbers as pairs, everything in one row."""
    x = np.ascontiguousarray(x).reshape(-1)
    return x.view(x.real.dtype) if x.dtype.kind == "c" else x


class Compiled:
    """One operation as a function of arrays."""

    def __init__(
        self,
        operation: Operation,
        primitive: Primitive,
        avals: Sequence[Aval],
        params: dict[str, Any],
        threads: bool = False,
    ):
        found = primitive.shape(*avals, **params)
        self.out = list(found) if primitive.multiple else [found]
        self.scratch = operation.scratch(avals, params)
        module = _module(operation, avals, self.out, params, threads)
        self.text = str(module)
        self.linked = load(module, ["fx_entry"])
        self.call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.linked.address["fx_entry"])

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        guarded = [garbage(a.size * a.dtype.itemsize + 2 * _GUARD) for a in self.out]
        work = garbage(self.scratch + 64)
        outputs = [
            g[_GUARD : len(g) - _GUARD].view(a.dtype).reshape(a.shape)
            for g, a in zip(guarded, self.out, strict=True)
        ]
        self.into([*arrays, *outputs], work)
        for g in guarded:
            assert np.all(g[:_GUARD] == _MARK) and np.all(g[-_GUARD:] == _MARK), "written outside"
        assert np.all(work[self.scratch :] == _MARK), "written outside the working memory"
        return tuple(np.array(y) for y in outputs)

    def into(self, arrays: Sequence[np.ndarray], work: np.ndarray) -> None:
        """The call alone: inputs and outputs are there."""
        table = np.array([*[a.ctypes.data for a in arrays], work.ctypes.data], np.uint64)
        self.call(table.ctypes.data)


def garbage(nbytes: int) -> np.ndarray:
    """Memory aligned to 64."""
    raw = np.full(nbytes + 64, _MARK, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + nbytes]


def _module(
    operation: Operation, avals: Sequence[Aval], out: Sequence[Aval], params: dict[str, Any], threads: bool
) -> Module:
    module = Module("one operation")
    if not threads:
        _sequential(module)
    f = module.function("fx_entry", "void", ["ptr"], internal=False)
    address = lambda k: f.load("ptr", f.gep("ptr", f.args[0], i64(k)))
    buffers = [_buffer(address(k), a) for k, a in enumerate([*avals, *out])]
    operation.emit(f, buffers[: len(avals)], buffers[len(avals) :], address(len(buffers)), params)
    f.ret()
    return module


def _buffer(pointer: Value, aval: Aval) -> Buffer:
    return Buffer(pointer, aval.shape, row_major(aval.shape), aval.dtype)


def _sequential(module: Module) -> None:
    """`fx_parallel` as a loop from the last index to the first."""
    f = module.function("fx_parallel", "void", ["ptr", "ptr", "i64"])
    body, context, count = f.args
    with f.loop(i64(0), count) as loop:
        index = f.sub(f.sub(count, i64(1)), loop.index)
        f.call_pointer(body, "void", [context, index])
    f.ret()
    g: Function = module.function("fx_num_threads", "i64", [])
    g.ret(const("i64", 1))


bfloat16 = functools.cache(lambda: np.dtype(__import__("ml_dtypes").bfloat16))
