"""fx's own matrix products and the native form of `contract`, against NumPy in float64 (or in exact integers)."""

from __future__ import annotations

import ctypes
import functools
import mmap
from typing import Any

import ml_dtypes  # noqa: F401  (NumPy learns the name bfloat16)
import numpy as np
import pytest

from fx.backends.cpu.engine import host
from fx.backends.cpu.gemm import product
from fx.backends.cpu.gemm.axes import Axis
from fx.backends.cpu.gemm.jobs import PLAN
from fx.backends.cpu.gemm.library import products, ready
from fx.backends.cpu.gemm.product import (
    NO_HOOKS,
    Hooks,
    Product,
    entry_of,
    is_vector,
    kit_of,
    parts_of,
    plan,
    vector_plan,
)  # fmt: skip
from fx.backends.cpu.gemm.tiles import tile, tile_for
from fx.backends.cpu.lapack import scipy_source
from fx.backends.cpu.linking import load
from fx.backends.cpu.llvm import Module, Value, i64
from fx.backends.cpu.operations.contract import Contract, can_fuse, emit_contract, matrix_shape
from fx.backends.cpu.operations.operation import Buffer
from fx.backends.cpu.threads import threads
from fx.core.avals import Aval
from fx.primitives.contraction import contract_p, parse

SCALAR = {"float32": "float", "float64": "double"}
TOLERANCE = {
    "float16": 2e-3,
    "bfloat16": 2e-2,
    "float32": 2e-6,
    "float64": 4e-15,
    "complex64": 2e-6,
    "complex128": 4e-15,
}

SMALLEST = {"float16": 2.0**-25}
"""Half the spacing of subnormal numbers, where products can be as small."""


def emitted(spec: str, x: Any, y: Any, out: Any, epilogue: str | None = None, write: Any = None) -> Any:
    """The contraction of these arrays as a function of addresses: left, right, result, context."""
    m = Module()
    if write:
        write(m)
    f = m.function("entry", "void", ["ptr"] * 4, internal=False)
    arrays = [
        Buffer(p, z.shape, tuple(s // z.itemsize for s in z.strides), z.dtype)
        for p, z in zip(f.args, (x, y, out))
    ]
    if epilogue:
        emit_contract(f, *arrays, spec, epilogue=epilogue, context=f.args[3])
    else:
        Contract().emit(f, arrays[:2], arrays[2:], f.args[3], {"spec": spec})
    f.ret()
    linked = load(m, ["entry"])
    entry = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(linked.address["entry"])
    entry.keep = linked
    return entry


def contract(spec: str, x: Any, y: Any) -> Any:
    """The result, from a block with margins that must stay as they were."""
    aval = contract_p.shape(Aval(x.shape, x.dtype), Aval(y.shape, y.dtype), spec=spec)
    n = int(np.prod(aval.shape, dtype=np.int64)) * x.dtype.itemsize
    block = np.full(n + 256, 0xA5, np.uint8)
    out = block[128 : 128 + n].view(x.dtype).reshape(aval.shape)
    emitted(spec, x, y, out)(x.ctypes.data, y.ctypes.data, block.ctypes.data + 128, None)
    assert (block[:128] == 0xA5).all() and (block[128 + n :] == 0xA5).all(), "written outside"
    return out


def exact(spec: str, x: Any, y: Any) -> Any:
    wide = {"f": np.float64, "V": np.float64, "c": np.complex128}.get(x.dtype.kind)
    if x.dtype.kind == "b":
        return np.einsum(spec, x.astype(np.int64), y.astype(np.int64)) > 0
    if wide is None:
        return np.einsum(spec, x, y, dtype=x.dtype)
    return np.einsum(spec, x.astype(wide), y.astype(wide), optimize=True)


def check(got: Any, spec: str, x: Any, y: Any) -> None:
    want = exact(spec, x, y)
    if x.dtype.name not in TOLERANCE:
        np.testing.assert_array_equal(got, want)
        return
    left, right, out = parse(spec)
    depth = int(np.prod([d for i, d in zip(left, x.shape) if i not in out]))
    kind = want.dtype
    scale = exact(spec, np.abs(x.astype(kind)), np.abs(y.astype(kind))).real
    bound = TOLERANCE[x.dtype.name] * max(1.0, np.sqrt(depth)) * scale + SMALLEST.get(x.dtype.name, 1e-300)
    assert (np.abs(got.astype(kind) - want) <= bound).all(), (spec, x.shape, y.shape, x.dtype)


def array(rng: Any, shape: tuple[int, ...], dtype: str) -> Any:
    x = rng.normal(size=shape) * 3
    if dtype == "bool":
        return np.asarray(x > 1)
    if dtype.startswith("complex"):
        x = x + 1j * rng.normal(size=shape)
    return np.asarray(x).astype(np.int64).astype(dtype) if "int" in dtype else np.asarray(x).astype(dtype)


def strided(rng: Any, shape: tuple[int, ...], dtype: str) -> Any:
    """Axes in any order, with steps that are larger, negative or zero."""
    order = rng.permutation(len(shape))
    x = array(rng, tuple(2 * shape[i] + 1 for i in order), dtype).transpose(np.argsort(order))
    for axis, d in enumerate(shape):
        step = rng.choice([1, 1, 2, -1, -2, 0])
        x = np.moveaxis(x, axis, 0)
        if step == 0:
            x = np.broadcast_to(x[:1], (d, *x.shape[1:]))
        else:
            x = x[:: abs(step)][:d] if step > 0 else x[: 2 * d + 1 : abs(step)][:d][::-1]
        x = np.moveaxis(x, 0, axis)
    return x


SPECS = """ij,jk->ik ij,kj->ik ji,jk->ik ji,kj->ik ij,jk->ki ji,kj->ki ij,j->i ji,j->i j,ij->i i,i-> i,j->ij ,-> i,->i
    bij,bjk->bik bij,bkj->bik bij,cjk->ibkc ij,ij->ij ij,ji->ij ij,ij->i ji,ji->i ij,ji-> ijb,bj->bi ijb,jbk->ikb
    abcd,cdef->aefb abcd,abcd-> abc,cba->b ijkl,jml->kmi bthd,bshd->bhts bhts,bshd->bthd iabj,abkj->iabk
    abcij,abcjk->abcik""".split()
DTYPES = "float32 float64 float16 bfloat16 int8 int32 uint64 bool complex64 complex128".split()


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_spec(dtype: str) -> None:
    rng = np.random.default_rng(1)
    for spec in SPECS:
        left, right, _ = parse(spec)
        size = {i: int(rng.integers(1, 9)) for i in left + right}
        for make in (array, strided) if dtype in ("float32", "int32", "complex64") else (strided,):
            x, y = (make(rng, tuple(size[i] for i in part), dtype) for part in (left, right))
            check(contract(spec, x, y), spec, x, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_larger_shapes_in_every_layout(dtype: str) -> None:
    rng = np.random.default_rng(2)
    for spec in SPECS[:8]:
        left, right, _ = parse(spec)
        for m, k, n in ((97, 33, 70), (150, 400, 131), (1, 700, 90)):
            size = dict(i=m, j=k, k=n)
            for make in (array, strided):
                x, y = (make(rng, tuple(size[i] for i in part), dtype) for part in (left, right))
                check(contract(spec, x, y), spec, x, y)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32", "bool", "complex64", "complex128"])
def test_larger_shapes_of_other_types(dtype: str) -> None:
    rng = np.random.default_rng(3)
    for spec, m, k, n in (("ij,jk->ik", 65, 70, 67), ("ji,kj->ki", 40, 90, 33), ("bij,bkj->bik", 30, 41, 50)):
        size = dict(i=m, j=k, k=n, b=3)
        x, y = (strided(rng, tuple(size[i] for i in part), dtype) for part in parse(spec)[:2])
        check(contract(spec, x, y), spec, x, y)


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "bool", "int16", "float16"])
def test_vectors_of_other_types(dtype: str) -> None:
    rng = np.random.default_rng(12)
    for spec in "ij,j->i ji,j->i j,ij->i j,ji->i i,i-> bi,bi->b bij,bj->bi ij,jk->ik ij,kj->ki".split():
        size = dict(i=90, j=130, b=3, k=2)
        for make in (array, strided):
            x, y = (make(rng, tuple(size[i] for i in part), dtype) for part in parse(spec)[:2])
            check(contract(spec, x, y), spec, x, y)


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_agrees_with_blas(name: str) -> None:
    """sgemm and dgemm of SciPy, by pointer: column-major, so that they get both matrices exchanged."""
    rng = np.random.default_rng(13)
    m, n, k = 150, 170, 230
    x, y = array(rng, (m, k), name), array(rng, (k, n), name)
    want = np.empty((m, n), name)
    letters = np.array([ord("N")], np.uint8)
    sizes = {d: np.array([d], np.int64) for d in (m, n, k)}
    one, zero = np.ones(1, name), np.zeros(1, name)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(
        scipy_source().address("sgemm" if name == "float32" else "dgemm")
    )
    args = (
        letters,
        letters,
        sizes[n],
        sizes[m],
        sizes[k],
        one,
        y,
        sizes[n],
        x,
        sizes[k],
        zero,
        want,
        sizes[n],
    )
    call(*[z.ctypes.data for z in args])
    np.testing.assert_allclose(contract("ij,jk->ik", x, y), want, rtol=0, atol=TOLERANCE[name] * 40 * k)


@functools.cache
def everything(t: Any) -> Any:
    """All functions of the library for a tile, in one module."""
    ready(t.scalar)
    m = Module()
    for write in products(t).values():
        write(m)
    return load(m, list(products(t)))


def multiply(p: Product, a: Any, b: Any, c: Any) -> None:
    """The library called with a plan, no code emitted."""
    assert parts_of(p) == 1
    alone, address = is_vector(p, NO_HOOKS), everything(product.tile(p.scalar)).address
    values = vector_plan(p) if alone else plan(p)
    record = np.array(PLAN.array(values), np.int64)
    kit = np.array([address.get(name, 0) for name in ([] if alone else kit_of(p, values))], np.uint64)
    entry = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 12)(address[entry_of(p, alone)])
    data = [z.ctypes.data for z in (a, b, c)]
    entry(record.ctypes.data, *data, data[2], *[None] * 6, kit.ctypes.data)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", ["NN", "NT", "TN", "TT"])
def test_every_edge(dtype: str, layout: str) -> None:
    """All m and n up to 40: every kernel, whole and ragged; c keeps what stands between its rows and around it."""
    rng = np.random.default_rng(4)
    for k in (1, 18) if layout == "NN" else (19,):
        whole_a, whole_b = array(rng, (40, 40), dtype), array(rng, (40, 40), dtype)
        for m in range(1, 41):
            for n in range(1, 41):
                a = whole_a[:m, :k] if layout[0] == "N" else whole_a[:k, :m].T
                b = whole_b[:k, :n] if layout[1] == "N" else whole_b[:n, :k].T
                steps = [s // a.itemsize for s in (*a.strides, *b.strides)]
                c = np.full((m + 2, n + 5), 7, dtype)
                multiply(Product(SCALAR[dtype], m, n, k, *steps, n + 5, n), a, b, c[1:, 2:])
                want = a.astype(float) @ b.astype(float)
                np.testing.assert_allclose(c[1:-1, 2:-3], want, rtol=0, atol=TOLERANCE[dtype] * 40 * k)
                c[1:-1, 2:-3] = 7
                assert (c == 7).all(), (m, n, k)


@pytest.mark.parametrize("vectors", [(32, 16), (16, 32), (16, 16)], ids=["AVX2", "NEON", "SSE"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_machines_with_shorter_vectors(dtype: str, vectors: tuple[int, int], monkeypatch: Any) -> None:
    """The library as it is on them, but run here."""
    small = host()._replace(vector_bytes=vectors[0], registers=vectors[1], l1=4 << 10, l2=32 << 10)
    t = tile_for(small, SCALAR[dtype])
    monkeypatch.setattr(product, "tile", lambda scalar: t)
    monkeypatch.setattr(product, "host", lambda: small)
    rng = np.random.default_rng(11)
    for m in (1, 2, 5, 8, 13, 70):
        for n in (1, 3, 4, 9, 24, 61):
            for k, layout in ((5, "NN"), (37, "NT"), (300, "TN"), (6, "TT")):
                a = array(rng, (m, k) if layout[0] == "N" else (k, m), dtype)
                b = array(rng, (k, n) if layout[1] == "N" else (n, k), dtype)
                want = (a if layout[0] == "N" else a.T).astype(float) @ (b if layout[1] == "N" else b.T)
                steps = [s // a.itemsize for s in (a if layout[0] == "N" else a.T).strides]
                steps += [s // a.itemsize for s in (b if layout[1] == "N" else b.T).strides]
                c = np.full((m, n + 3), 7, dtype)
                multiply(Product(t.scalar, m, n, k, *steps, n + 3, n), a, b, c)
                np.testing.assert_allclose(c[:, :n], want, rtol=0, atol=TOLERANCE[dtype] * 40 * k)
                assert (c[:, n:] == 7).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_accumulates(dtype: str) -> None:
    rng = np.random.default_rng(5)
    for m, n, k in ((30, 50, 9), (1, 300, 40), (100, 90, 1500)):
        a, b, c = array(rng, (m, k), dtype), array(rng, (k, n), dtype), array(rng, (m, n), dtype)
        for right, steps in ((b, (n, 1)), (np.asfortranarray(b), (1, k))):
            got = c.copy()
            multiply(Product(SCALAR[dtype], m, n, k, k, 1, *steps, n, n, accumulate=True), a, right, got)
            np.testing.assert_allclose(got, c + a.astype(float) @ b, rtol=0, atol=TOLERANCE[dtype] * 40 * k)


def test_batch_axes_with_strides_of_their_own() -> None:
    rng = np.random.default_rng(6)
    a, b = array(rng, (4, 3, 20, 30), "float32"), array(rng, (3, 30, 10), "float32")
    c = np.zeros((3, 4, 20, 10), "float32")
    batch = (Axis(4, 1800, 0, 200), Axis(3, 600, 300, 800))
    multiply(Product("float", 20, 10, 30, 30, 1, 10, 1, 10, 10, batch), a, b, c)
    np.testing.assert_allclose(c, np.einsum("xyij,yjk->yxik", a, b), rtol=2e-5, atol=2e-4)


@pytest.mark.parametrize("spec", ["ij,jk->ik", "ij,kj->ik", "ji,jk->ki", "bij,bjk->bik", "ij,j->i", "i,i->"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "bfloat16"])
def test_nan_and_inf_go_where_they_must(spec: str, dtype: str) -> None:
    rng = np.random.default_rng(7)
    size = dict(i=37, j=50, k=45, b=2)
    x, y = (array(rng, tuple(size[i] for i in part), dtype) for part in parse(spec)[:2])
    x[..., 3], y[..., 5] = 0, 0
    x.ravel()[7], y.ravel()[11], y.ravel()[60 % y.size] = np.inf, np.nan, -np.inf
    got = contract(spec, x, y)
    kind = np.complex128 if dtype.startswith("complex") else np.float64
    with np.errstate(all="ignore"):
        want = np.einsum(spec, x.astype(kind), y.astype(kind))
    np.testing.assert_array_equal(np.isnan(got.astype(kind)), np.isnan(want))
    if kind is np.float64:
        np.testing.assert_array_equal(np.isinf(got.astype(kind)), np.isinf(want))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_for_any_number_of_threads(dtype: str) -> None:
    rng = np.random.default_rng(8)
    shapes = (
        ("ij,jk->ik", (500, 700), (700, 400)), ("ij,kj->ik", (64, 6000), (64, 6000)),
        ("ij,jk->ik", (1, 3000), (3000, 800)), ("ij,kj->ik", (2, 40000), (3, 40000)),
        ("bij,bkj->bik", (60, 50, 40), (60, 50, 40)), ("i,i->", (800_001,), (800_001,)),
    )  # fmt: skip
    for spec, left, right in shapes:
        x, y = array(rng, left, dtype), array(rng, right, dtype)
        found = []
        for n in (1, 2, 3):
            with threads(n):
                found.append(contract(spec, x, y))
        check(found[0], spec, x, y)
        for other in found[1:]:
            assert found[0].tobytes() == other.tobytes(), (spec, left)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_to_sum_over(dtype: str) -> None:
    for spec, left, right in (
        ("ij,jk->ik", (3, 0), (0, 4)),
        ("i,i->", (0,), (0,)),
        ("bij,bj->bi", (2, 3, 0), (2, 0)),
    ):
        got = contract(spec, np.ones(left, dtype), np.ones(right, dtype))
        assert got.dtype == dtype and not got.any()
    assert contract("ij,jk->ik", np.ones((0, 3), dtype), np.ones((3, 4), dtype)).shape == (0, 4)


def guarded(x: Any, *, at_start: bool) -> Any:
    """A copy of x that ends (or starts) at a page which may not be touched."""
    page = mmap.PAGESIZE
    inside = -(-x.nbytes // page) * page
    memory = mmap.mmap(-1, inside + 2 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    for edge in (start, start + page + inside):
        assert libc.mprotect(ctypes.c_void_p(edge), page, 0) == 0
    offset = page if at_start else page + inside - x.nbytes
    copy = np.frombuffer(memory, np.uint8, x.nbytes, offset).view(x.dtype).reshape(x.shape)
    copy[...] = x
    return copy


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "complex64", "bfloat16"])
@pytest.mark.parametrize("at_start", [True, False])
def test_nothing_is_read_outside(dtype: str, at_start: bool) -> None:
    rng = np.random.default_rng(9)
    cases = [
        (spec, m, k, n)
        for spec in ("ij,jk->ik", "ij,kj->ik", "ji,jk->ki", "ji,kj->ik", "ij,j->i", "ji,j->i")
        for m, k, n in ((5, 3, 7), (31, 18, 45), (90, 210, 33))
    ]
    for spec, m, k, n in [
        *cases,
        ("i,i->", 1003, 0, 0),
        ("i,j->ij", 33, 19, 0),
        ("ij,jk->ik", 120, 600, 310),
    ]:
        size = dict(i=m, j=k, k=n)
        x, y = (array(rng, tuple(size[i] for i in part), dtype) for part in parse(spec)[:2])
        left, right = guarded(x, at_start=at_start), guarded(y, at_start=at_start)
        check(contract(spec, left, right), spec, x, y)


def write_epilogue(m: Module) -> None:
    """Doubles a block of the result and counts, per element, how often that was done.

    context: result, counts (int32), columns.
    """
    f = m.function("double_block", "void", ["ptr", "i64", "i64", "i64", "i64"])
    context, row0, row1, col0, col1 = f.args
    out, counts = f.load("ptr", context), f.load("ptr", f.gep("ptr", context, i64(1)))
    width = f.load("i64", f.gep("ptr", context, i64(2)))
    with f.loop(row0, row1) as i, f.loop(col0, col1) as j:
        at = f.add(f.mul(i.index, width), j.index)
        x = f.load("float", f.gep("float", out, at))
        f.store(f.fadd(x, x), f.gep("float", out, at))
        place = f.gep("i32", counts, at)
        f.emit(f"atomicrmw add ptr {place.text}, i32 1 monotonic", "i32")
    f.ret()


@pytest.mark.parametrize(
    "spec, left, right, fused",
    [
        ("ij,jk->ik", (50, 40), (40, 70), True),
        ("ij,jk->ik", (700, 600), (600, 500), True),
        ("ij,kj->ik", (130, 900), (200, 900), True),
        ("ij,jk->ki", (60, 30), (30, 90), True),
        ("ij,jk->ik", (64, 5000), (5000, 64), True),
        ("bij,bjk->bik", (6, 90, 30), (6, 30, 50), True),
        ("bthd,hde->bte", (3, 20, 4, 8), (4, 8, 33), True),
        ("ij,j->i", (300, 500), (500,), True),
        ("abij,jk->abik", (2, 3, 40, 20), (20, 30), True),
        ("ijb,jkb->ikb", (20, 30, 5), (30, 40, 5), False),
        ("bij,cjk->ibkc", (3, 20, 30), (5, 30, 40), True),
        ("ij,ij->ij", (20, 30), (20, 30), False),
        ("i,i->", (100,), (100,), False),
    ],
)
def test_epilogue_sees_every_block_once(
    spec: str, left: tuple[int, ...], right: tuple[int, ...], fused: bool
) -> None:
    rng = np.random.default_rng(10)
    x, y = array(rng, left, "float32"), array(rng, right, "float32")
    avals = Aval(x.shape, x.dtype), Aval(y.shape, y.dtype)
    assert can_fuse(spec, avals) == fused
    shape = contract_p.shape(*avals, spec=spec).shape
    rows, cols = matrix_shape(spec, shape)
    assert rows * cols == np.prod(shape)
    plain = contract(spec, x, y)
    for n in (1, 2):
        out, counts = np.zeros(shape, "float32"), np.zeros((rows, cols), np.int32)
        context = np.array([out.ctypes.data, counts.ctypes.data, cols], np.int64)
        call = emitted(spec, x, y, out, "double_block", write_epilogue)
        with threads(n):
            call(x.ctypes.data, y.ctypes.data, out.ctypes.data, context.ctypes.data)
        assert (counts == 1).all()
        if spec == "ij,jk->ik" and left == (64, 5000):
            np.testing.assert_allclose(out, 2 * plain, rtol=1e-4, atol=1e-2)
        else:
            np.testing.assert_array_equal(out, 2 * plain)


def test_products_without_a_sum_keep_the_sign_of_zero() -> None:
    x, y = np.array([0.0, -0.0, 1.0], "float32"), np.array([-1.0, 2.0, -0.0] * 7, "float32")
    np.testing.assert_array_equal(np.signbit(contract("i,j->ij", x, y)), np.signbit(x[:, None] * y))
    np.testing.assert_array_equal(np.signbit(contract("i,i->i", x, y[:3])), np.signbit(x * y[:3]))


def test_can_fuse_refuses_other_types_and_no_sum() -> None:
    float16, float32 = Aval((4, 4), np.dtype("float16")), Aval((4, 4), np.dtype("float32"))
    assert can_fuse("ij,jk->ik", (float32, float32))
    assert not can_fuse("ij,jk->ik", (float16, float16))
    assert not can_fuse("ij,ik->ijk", (float32, float32))


def test_packing_by_the_caller() -> None:
    """A and B come from packers that compute what they write: a[i, l] = i - l, b[l, j] = l * j."""
    t = tile("float")
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 4, ctypes.c_void_p)
    seen = []

    def packer(width: int, value: Any) -> Any:
        def pack(_: int, r0: int, r1: int, k0: int, k1: int, to: int) -> None:
            seen.append((width, r0, r1, k0, k1))
            panels = -(-(r1 - r0) // width)
            block = np.ctypeslib.as_array((ctypes.c_float * (panels * (k1 - k0) * width)).from_address(to))
            r, s = np.meshgrid(np.arange(r0, r1), np.arange(k0, k1), indexing="ij")
            block[((r - r0) // width * (k1 - k0) + s - k0) * width + (r - r0) % width] = value(r, s)

        return kind(pack)

    pack_a, pack_b = (
        packer(t.rows, lambda i, l: (i % 7) - (l % 5)),
        packer(t.cols, lambda j, l: (l % 3) * (j % 4)),
    )
    for m, n, k in ((30, 40, 20), (200, 150, 700)):
        a = np.subtract.outer(np.arange(m) % 7, np.arange(k) % 5).astype(float)
        b = np.multiply.outer(np.arange(k) % 3, np.arange(n) % 4).astype(float)
        some = Value("%there", "ptr")
        p = Product("float", m, n, k, 0, 0, 0, 0, n, n)
        values = plan(p, given := Hooks(pack_a=some, pack_b=some))
        record, address = np.array(PLAN.array(values), np.int64), everything(t).address
        kit = np.array([address.get(name, 0) for name in kit_of(p, values, given)], np.uint64)
        entry = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 12)(address["fx_gemm_f32"])
        c = np.zeros((m, n), "float32")
        hooks = [ctypes.cast(x, ctypes.c_void_p).value for x in (pack_a, pack_b)]
        with threads(1):
            entry(
                record.ctypes.data,
                None,
                None,
                c.ctypes.data,
                c.ctypes.data,
                None,
                None,
                hooks[0],
                None,
                hooks[1],
                None,
                kit.ctypes.data,
            )
        np.testing.assert_array_equal(c, a @ b)
    assert all(r0 % width == 0 for width, r0, *_ in seen)
