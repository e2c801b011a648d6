"""A strict stand-in for CuPy where there is no GPU: NumPy's numbers behind CuPy's surface and CuPy's traps.

`xp` holds names of CuPy 14.2, with CuPy's signatures, and nothing else; `ndarray` is what they take and give.
Code that runs here makes no implicit host transfer, passes no argument that CuPy lacks, and relies on neither
the order of colliding writes nor the contents of fresh memory. `stats` counts what costs time on a device,
and `capture()` refuses what a CUDA graph cannot record. Where CuPy allows what fx does not need (host arrays
or lists as indices, `numpy.f(device_array)`, writes through a broadcast), this raises: stricter, never laxer.
Not modelled: subnormals flushed to zero, the order of floating-point sums, streams, kernel compilation.

Each behaviour was read in CuPy v14.2.0; the file names in comments are below its folder cupy/.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

import ml_dtypes
import numpy as np

bfloat16 = np.dtype(ml_dtypes.bfloat16)
_names = str.split

POISON = 0xA5  # every byte of a fresh integer array; fresh floats are NaN, fresh bools alternate


# ---- what a device would do --------------------------------------------------------------------------------
@dataclass
class Stats:
    """Counts since the last `reset()`. A composite function is one launch here, several on a device."""

    syncs: int = 0
    h2d: int = 0
    d2h: int = 0
    launches: int = 0
    allocations: int = 0

    def reset(self) -> None:
        for field in fields(self):
            setattr(self, field.name, 0)


stats = Stats()
_capturing: ContextVar[bool] = ContextVar("strict_capturing", default=False)


@contextmanager
def capture() -> Iterator[None]:
    """Refuse, as CuPy does while a stream is captured: syncs, host transfers, cuBLAS and cuSOLVER."""
    token = _capturing.set(True)
    try:
        yield
    finally:
        _capturing.reset(token)


def _host_event(*kinds: str) -> None:
    """Count events (`syncs`, `h2d`, `d2h`) that need the host, so that no graph can hold them."""
    if _capturing.get():
        raise RuntimeError(
            f"the current stream is capturing: {' and '.join(kinds)} cannot be recorded in a graph"
        )
    for kind in kinds:
        setattr(stats, kind, getattr(stats, kind) + 1)


def _library_call(name: str) -> None:
    if _capturing.get():
        raise NotImplementedError(f"calling {name} API during stream capture is currently unsupported")


# ---- memory ------------------------------------------------------------------------------------------------
_DTYPES = frozenset(np.dtype(c) for c in "?bhilqBHILQefdFD") | {bfloat16}


def _supported(dtype: Any) -> np.dtype:
    dtype = np.dtype(dtype)
    if dtype not in _DTYPES:
        raise ValueError(f"Unsupported dtype {dtype}")
    return dtype


def _poisoned(buffer: np.ndarray) -> np.ndarray:
    dtype = _supported(buffer.dtype)
    if dtype.kind == "b":
        buffer[...] = np.arange(buffer.size).reshape(buffer.shape) % 2
    elif dtype.kind in "iu":
        buffer.fill(np.frombuffer(bytes([POISON] * dtype.itemsize), dtype)[0])
    else:
        buffer.fill(np.nan)
    return buffer


class MemoryPointer:
    """A place in device memory: `ndarray(shape, dtype, memptr=arena.data + offset)` is a view of an arena."""

    def __init__(self, owner: np.ndarray, offset: int = 0):
        self._owner, self._offset = owner, offset

    @property
    def ptr(self) -> int:
        return self._owner.ctypes.data + self._offset

    def __add__(self, offset: int) -> MemoryPointer:
        return MemoryPointer(self._owner, self._offset + offset)

    def _view(self, shape, dtype, strides, order) -> np.ndarray:
        return np.ndarray(shape, dtype, self._owner, self._offset, strides, order)


@dataclass(frozen=True)
class Flags:
    """Memory layout. There is no `writeable`: CuPy has no read-only arrays."""

    c_contiguous: bool
    f_contiguous: bool
    owndata: bool

    def __getitem__(self, name: str) -> bool:
        if name not in ("C_CONTIGUOUS", "F_CONTIGUOUS", "OWNDATA"):
            raise KeyError(f"{name} is not defined for cupy.ndarray.flags")
        return getattr(self, name.lower())


# ---- array -------------------------------------------------------------------------------------------------
class ndarray:
    """What `cupy.ndarray` has and fx may use. No `__index__`, no buffer protocol, no implicit host array."""

    __slots__ = ("__weakref__", "_host")
    __array_priority__ = 100
    __array_ufunc__ = None  # NumPy's operators yield to ours, NumPy's ufuncs refuse
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order="C"):
        if memptr is not None:
            self._host = memptr._view(shape, _supported(dtype), strides, order)
        elif strides is not None:
            raise ValueError("strides needs memptr")
        else:
            self._host = _poisoned(np.empty(shape, _supported(dtype), order))
            stats.allocations += 1

    def __array__(self, *args, **kwargs):
        raise TypeError("implicit conversion to a host array is not allowed: write x.get()")

    def __array_function__(self, function, types, args, kwargs):
        raise TypeError(
            f"numpy.{function.__name__} was called on a device array: write xp.{function.__name__}"
        )

    # host transfers
    def get(self, stream=None, order="C", out=None, blocking=True) -> np.ndarray:
        _host_event("syncs", "d2h")
        if out is None:
            return np.array(self._host, order=order)
        if not isinstance(out, np.ndarray):
            raise TypeError("Only numpy.ndarray can be obtained from cupy.ndarray")
        _same_kind_of_array(self._host, out)
        out[...] = self._host
        return out

    def set(self, arr: np.ndarray, stream=None) -> None:
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        _same_kind_of_array(self._host, arr)
        if not (self.flags.c_contiguous or self.flags.f_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        _host_event("h2d")
        self._host[...] = arr

    def item(self):
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self):
        return self.get().tolist()

    def __bool__(self) -> bool:
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __reduce__(self):
        return asarray, (self.get(),)

    # layout
    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    @property
    def flags(self) -> Flags:
        flags = self._host.flags
        return Flags(flags.c_contiguous, flags.f_contiguous, flags.owndata)

    @property
    def data(self) -> MemoryPointer:
        return MemoryPointer(self._host)

    def view(self, dtype=None) -> ndarray:
        return _device(self._host.view() if dtype is None else self._host.view(_supported(dtype)))

    def reshape(self, *shape, order="C", copy=None) -> ndarray:
        return xp.reshape(self, shape[0] if len(shape) == 1 else shape, order, copy=copy)

    def transpose(self, *axes) -> ndarray:
        return xp.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def flatten(self, order="C") -> ndarray:
        return _fresh(self._host.flatten(order))

    # copies
    def astype(self, dtype, order="K", casting=None, subok=None, copy=True) -> ndarray:
        if casting is not None or subok is not None:
            raise TypeError("casting and subok are not supported yet")
        with np.errstate(all="ignore"):
            cast = self._host.astype(_supported(dtype), order, copy=bool(copy))
        return self if cast is self._host else _fresh(cast, order)

    def copy(self, order="C") -> ndarray:
        return xp.copy(self, order)

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo) -> ndarray:
        return self.copy()

    def clip(self, min=None, max=None, out=None) -> ndarray:
        return xp.clip(self, min, max, out)

    # writes
    def fill(self, value) -> None:
        if isinstance(value, ndarray) and value.ndim:
            raise ValueError("non-scalar cupy.ndarray cannot be used for fill")
        self._host.fill(_operand(value))
        stats.launches += 1

    def sort(self, axis=-1, kind=None) -> None:
        self[...] = xp.sort(self, axis, kind)

    def partition(self, kth, axis=-1) -> None:
        self[...] = xp.partition(self, kth, axis)

    def scatter_add(self, slices, value) -> None:
        xp.add.at(self, slices, value)

    def scatter_max(self, slices, value) -> None:
        xp.maximum.at(self, slices, value)

    def scatter_min(self, slices, value) -> None:
        xp.minimum.at(self, slices, value)

    # indexing
    def __getitem__(self, index) -> ndarray:
        key, advanced = _key(index, self.shape)
        if advanced:
            return _fresh(np.array(self._host[key]))
        return _device(self._host[key if Ellipsis in key else (*key, Ellipsis)])

    def __setitem__(self, index, value) -> None:
        _write(self, index, value, _assign)

    # `== None` is elementwise, `==` with a list or a host array is an error (_core/core.pyx:1483)
    def __eq__(self, other):
        if other is None or type(other).__eq__ is object.__eq__:
            return xp.zeros(self.shape, bool)
        return NotImplemented if _yields_to(other) else xp.equal(self, other)

    def __ne__(self, other):
        if other is None or (type(other).__eq__ is object.__eq__ and type(other).__ne__ is object.__ne__):
            return xp.ones(self.shape, bool)
        return NotImplemented if _yields_to(other) else xp.not_equal(self, other)


def _device(host: np.ndarray) -> ndarray:
    """The device array over a buffer."""
    _supported(host.dtype)
    array = ndarray.__new__(ndarray)
    array._host = host
    return array


def _fresh(host: Any, order: str = "C") -> ndarray:
    """The device array over the result of one kernel: in C order unless the function keeps a layout."""
    stats.launches += 1
    stats.allocations += 1
    return _device(np.asarray(host, order=order))


def _same_kind_of_array(a: np.ndarray, b: np.ndarray) -> None:
    if a.dtype != b.dtype:
        raise TypeError(f"dtype mismatch between device and host: {a.dtype} and {b.dtype}")
    if a.shape != b.shape:
        raise ValueError(f"shape mismatch between device and host: {a.shape} and {b.shape}")


# -- indexing: out-of-bounds entries of index arrays wrap, colliding writes have no defined winner
def _key(index: Any, shape: tuple[int, ...]) -> tuple[tuple, bool]:
    """The NumPy index for a device index, and whether it holds an array (then a read copies)."""
    entries = index if isinstance(index, tuple) else (index,)
    used = sum(map(_axes_used, entries))
    key, axis = [], 0
    for entry in entries:
        if isinstance(entry, (list, tuple, np.ndarray)):
            raise TypeError(
                f"index with a device array, not {type(entry).__name__}: CuPy would copy it from the host"
            )
        if isinstance(entry, ndarray) and entry.dtype.kind == "b":
            _host_event("syncs")  # the number of True entries is read back, for a write too
        key.append(_wrapped(entry, shape, axis) if isinstance(entry, ndarray) else entry)
        axis += len(shape) - used if entry is Ellipsis else _axes_used(entry)
    return tuple(key), any(isinstance(entry, ndarray) for entry in entries)


def _axes_used(entry: Any) -> int:
    if isinstance(entry, ndarray) and entry.dtype.kind == "b":
        return entry.ndim
    return 0 if entry is None or entry is Ellipsis or isinstance(entry, (bool, np.bool_)) else 1


def _wrapped(entry: ndarray, shape: tuple[int, ...], axis: int) -> np.ndarray:
    if entry.dtype.kind in "iu" and axis < len(shape):
        return _modulo(entry._host, shape[axis])
    return entry._host


def _modulo(indices: np.ndarray, size: int) -> np.ndarray:
    return indices.astype(np.int64) % size if size else indices


def _write(array: ndarray, index: Any, value: Any, store: Callable, dtypes: str | None = None) -> None:
    """`store(buffer, key, value)`, the last of colliding writes first, so that what NumPy lets win loses."""
    value = _operand(value)
    key, advanced = _key(index, array.shape)
    if advanced and dtypes is not None and array.dtype.name not in dtypes.split():
        raise TypeError(f"scattering into {array.dtype}: CuPy's atomics know {dtypes}")
    if advanced and not isinstance(value, np.ndarray):
        _host_event("h2d")  # CuPy makes an array of the scalar (_core/_routines_indexing.pyx:892)
    with np.errstate(all="ignore"):
        if advanced:
            value = np.asarray(value).astype(array.dtype)
        if advanced and array.ndim:
            key, value = _reversed_writes(array.shape, key, value)
        store(array._host, key, value)
    stats.launches += 1


def _assign(buffer, key, value):
    buffer[key] = value


def _reversed_writes(shape, key, value):
    """The same writes one element at a time, in reverse: coordinates, values."""
    positions = np.arange(np.prod(shape, dtype=int)).reshape(shape)[key]
    while value.ndim > positions.ndim and value.shape[0] == 1:
        value = value[0]
    value = np.broadcast_to(value, positions.shape)
    return np.unravel_index(positions.ravel()[::-1], shape), value.ravel()[::-1]


# -- operands
_PYTHON_SCALARS = frozenset({bool, int, float, complex})


def _is_scalar(x: Any) -> bool:
    return type(x) in _PYTHON_SCALARS or isinstance(x, (np.bool_, np.number, ml_dtypes.bfloat16))


def _operand(value: Any) -> Any:
    """The buffer of a device array, or the scalar itself."""
    if isinstance(value, ndarray):
        return value._host
    if _is_scalar(value):
        return value
    raise TypeError(f"Unsupported type {type(value)}: neither a device array nor a scalar")


def _yields_to(other: Any) -> bool:
    """Whether our operator lets the other operand's reflected one decide (_core/core.pyx:109)."""
    if isinstance(other, ndarray):
        return False
    if hasattr(other, "__array_ufunc__"):
        return other.__array_ufunc__ is None
    return getattr(other, "__array_priority__", 0) > ndarray.__array_priority__


# ---- ufuncs ------------------------------------------------------------------------------------------------
_UFUNCS = """
abs absolute acos acosh add arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan atan2 atanh
bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift
bitwise_xor cbrt ceil conj conjugate copysign cos cosh deg2rad degrees divide divmod equal exp exp2 expm1
fabs fix float_power floor floor_divide fmax fmin fmod frexp gcd greater greater_equal heaviside hypot i0
invert isfinite isinf isnan lcm ldexp left_shift less less_equal log log10 log1p log2 logaddexp logaddexp2
logical_and logical_not logical_or logical_xor maximum minimum mod modf multiply negative nextafter
not_equal positive pow power rad2deg radians reciprocal remainder right_shift rint sign signbit sin sinc
sinh sqrt square subtract tan tanh true_divide trunc
"""
_AT_DTYPES = {  # what CUDA's atomics know (_core/_routines_indexing.pyx:908-1010)
    "add": "int32 int64 uint32 uint64 float16 float32 float64",
    "subtract": "int32 uint32",
    "maximum": "int32 int64 uint32 uint64 float32 float64",
    "minimum": "int32 int64 uint32 uint64 float32 float64",
    "bitwise_and": "int32 int64 uint32 uint64",
    "bitwise_or": "int32 int64 uint32 uint64",
    "bitwise_xor": "int32 int64 uint32 uint64",
}


class ufunc:
    """`cupy.ufunc`: arrays and scalars in, arrays out, no `where=`, no `order=`, and CuPy's few methods."""

    def __init__(self, name: str, host: Callable, bfloat16_loop: bool = True):
        self.__name__ = self.name = name
        self._host, self._bfloat16_loop = host, bfloat16_loop
        self.nin, self.nout = getattr(host, "nin", 1), getattr(host, "nout", 1)
        self.nargs = self.nin + self.nout

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"

    def __call__(self, *args, out=None, dtype=None, casting="same_kind"):
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(
                f"{self.name} takes {self.nin} operands or {self.nargs} with outputs, not {len(args)}"
            )
        outs = self._outputs(args[self.nin :], out)
        inputs = [self._input(x) for x in args[: self.nin]]
        with np.errstate(all="ignore"):
            results = self._results(inputs, outs, dtype, casting)
        stats.launches += 1
        done = tuple(_allocated(r) if o is None else o for r, o in zip(results, outs, strict=True))
        return done if self.nout > 1 else done[0]

    def _outputs(self, positional, out):
        if positional and out is not None:
            raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
        outs = positional or (out if isinstance(out, tuple) else (out,))
        outs = (*outs, *[None] * (self.nout - len(outs)))
        for array in outs:
            if array is not None and not isinstance(array, ndarray):
                raise TypeError(f"out of {self.name} must be a device array, not {type(array)}")
        return outs

    def _input(self, x):
        x = _operand(x)
        dtype = getattr(x, "dtype", None)
        if self.name.startswith("logical_") and (
            isinstance(x, complex) or dtype in (np.complex64, np.complex128)
        ):
            raise TypeError(f"{self.name} has no complex loop in CuPy: compare with 0 first")
        return x if self._bfloat16_loop or dtype != bfloat16 else x.astype(np.float32)

    def _results(self, inputs, outs, dtype, casting):
        if isinstance(self._host, np.ufunc):
            results = self._host(*inputs, out=_buffers(outs), dtype=dtype, casting=casting)
            return results if self.nout > 1 else (results,)
        result = self._host(*inputs) if dtype is None else np.asarray(self._host(*inputs)).astype(dtype)
        if outs[0] is not None:
            np.copyto(outs[0]._host, result, casting=casting)
        return (result,)

    def at(self, a, indices, b=None) -> None:
        if self.name not in _AT_DTYPES:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        if not isinstance(a, ndarray):
            raise TypeError(f"{self.name}.at writes into a device array, not {type(a)}")
        _write(a, indices, b, self._host.at, _AT_DTYPES[self.name])

    def reduce(self, array, axis=0, dtype=None, out=None, keepdims=False) -> ndarray:
        return self._sum_or_prod("reduce", xp.sum, xp.prod)(array, axis, dtype, out, keepdims)

    def accumulate(self, array, axis=0, dtype=None, out=None) -> ndarray:
        return self._sum_or_prod("accumulate", xp.cumsum, xp.cumprod)(array, axis, dtype, out)

    def reduceat(self, array, indices, axis=0, dtype=None, out=None) -> ndarray:
        self._sum_or_prod("reduceat", True, None)
        if out is not None:
            raise NotImplementedError("reduceat into out")
        return _fresh(np.add.reduceat(array._host, indices._host, axis, dtype))

    def _sum_or_prod(self, method, of_add, of_multiply):
        found = {"add": of_add, "multiply": of_multiply}.get(self.name)
        if found is None:
            raise NotImplementedError(f"`{self.name}.{method}` is not supported yet")
        return found

    def outer(self, A, B, **kwargs) -> ndarray:
        a, b = (x if isinstance(x, ndarray) else asarray(_operand(x)) for x in (A, B))
        return self(a.reshape(a.shape + (1,) * b.ndim), b, **kwargs)


def _buffers(outs):
    return tuple(None if o is None else o._host for o in outs)


def _allocated(result) -> ndarray:
    stats.allocations += 1
    return _device(np.asarray(result, order="C"))


def _i0(x):
    """NumPy gives float64, CuPy keeps the dtype."""
    x = np.asarray(x)
    return np.i0(x).astype(x.dtype if x.dtype.kind == "f" else np.float64)


# ---- functions ---------------------------------------------------------------------------------------------
# One line per signature, after the names that share it; a test compares them with a CuPy that is installed.
#   sync              reads a count or a check back to the host
#   cublas cusolver   is refused during capture
#   host              gives a host value and touches no device
#   scalars           takes a scalar where an array stands first
#   arrays            takes no scalar at all
#   layout            keeps or chooses the memory layout of its result; any other result is in C order
_FUNCTIONS = """
empty zeros ones(shape, dtype=float, order='C')  # layout
full(shape, fill_value, dtype=None, order='C')  # layout scalars
empty_like(prototype, dtype=None, order='K', subok=None, shape=None)  # layout
zeros_like ones_like(a, dtype=None, order='K', subok=None, shape=None)  # layout
full_like(a, fill_value, dtype=None, order='K', subok=None, shape=None)  # layout
arange(start, stop=None, step=1, dtype=None)
linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0)
eye(N, M=None, k=0, dtype=float, order='C')  # layout
tri(N, M=None, k=0, dtype=float)
diag(v, k=0)
tril triu(m, k=0)
copy(a, order='K')  # layout
astype(x, dtype, /, *, copy=True)  # layout
ascontiguousarray(a, dtype=None)
asfortranarray(a, dtype=None)  # layout
reshape(a, newshape, order='C', *, copy=None)  # layout
ravel(a, order='C')
transpose permute_dims(a, axes=None)
matrix_transpose(x, /)
moveaxis(a, source, destination)
swapaxes(a, axis1, axis2)
squeeze flip(a, axis=None)
expand_dims(a, axis)
broadcast_to(array, shape)
broadcast_arrays(*args)
concatenate concat stack(tup, axis=0, out=None, *, dtype=None, casting='same_kind')
vstack hstack(tup, *, dtype=None, casting='same_kind')
split array_split(ary, indices_or_sections, axis=0)
tile(A, reps)
repeat(a, repeats, axis=None)
roll(a, shift, axis=None)
pad(array, pad_width, mode='constant', **kwargs)
diagonal(a, offset=0, axis1=0, axis2=1)
trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None)
all any max min amax amin(a, axis=None, out=None, keepdims=False)
sum prod mean(a, axis=None, dtype=None, out=None, keepdims=False)
var std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
count_nonzero(a, axis=None)
argmax argmin(a, axis=None, dtype=None, out=None, keepdims=False)
cumsum cumprod(a, axis=None, dtype=None, out=None)
diff(a, n=1, axis=-1, prepend=None, append=None)
allclose isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False)  # scalars
array_equal(a1, a2, equal_nan=False)
sort argsort(a, axis=-1, kind=None)
lexsort(keys)
partition argpartition(a, kth, axis=-1)
searchsorted(a, v, side='left', sorter=None)
bincount(x, weights=None, minlength=None)  # sync
unique(ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, \
    equal_nan=True)  # sync
isin(element, test_elements, assume_unique=False, invert=False)  # sync
nonzero flatnonzero argwhere(a)  # sync
where(condition, x=None, y=None)
select(condlist, choicelist, default=0)
take(a, indices, axis=None, out=None)
take_along_axis(a, indices, axis)
put_along_axis(arr, indices, values, axis)
putmask(a, mask, values)
copyto(dst, src, casting='same_kind', where=None)
unravel_index(indices, dims, order='C')  # sync
ravel_multi_index(multi_index, dims, mode='wrap', order='C')  # sync
matmul(*args, axes=None, axis=None, keepdims=False, casting='same_kind', dtype=None, signature=None, \
    order='K', out=None)  # cublas arrays
dot(a, b, out=None)  # cublas arrays
vdot inner(a, b)  # cublas arrays
tensordot(a, b, axes=2)  # cublas arrays
einsum(*operands, **kwargs)  # cublas
outer(a, b, out=None)  # arrays
kron(a, b)  # arrays
cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None)  # arrays
clip(a, a_min, a_max, out=None)
around round(a, decimals=0, out=None)
real imag(val)  # scalars
nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None)  # scalars
ndim shape(a)  # host
size(a, axis=None)  # host
isscalar(element)  # host
iscomplexobj isrealobj(x)  # host
issubdtype(arg1, arg2)  # host
isdtype(dtype, kind)  # host
promote_types(type1, type2, /)  # host
result_type(*arrays_and_dtypes)  # host
broadcast_shapes(*args)  # host
can_cast(from_, to, casting='safe')  # host
may_share_memory shares_memory(a, b, max_work=None)  # host
"""
_LINALG = """
cholesky det eig eigvals inv slogdet(a)  # cusolver
eigh eigvalsh(a, UPLO='L')  # cusolver
pinv(a, rcond=1e-15)  # cusolver
qr(a, mode='reduced')  # cusolver
solve(a, b)  # cusolver arrays
svd(a, full_matrices=True, compute_uv=True)  # cusolver
norm(x, ord=None, axis=None, keepdims=False)
matrix_transpose(a)
"""
_FFT = """
fft ifft rfft irfft hfft ihfft(a, n=None, axis=-1, norm=None)
fft2 ifft2 rfft2 irfft2(a, s=None, axes=(-2, -1), norm=None)
fftn ifftn rfftn irfftn(a, s=None, axes=None, norm=None)
fftshift ifftshift(x, axes=None)
fftfreq rfftfreq(n, d=1.0)
"""
_STRIDE_TRICKS = """
as_strided(x, shape=None, strides=None)
sliding_window_view(x, window_shape, axis=None, *, subok=False, writeable=False)
"""
# Every other parameter is a host value, where a device array fails for want of __index__.
_ARRAY_PARAMS = frozenset(
    _names(
        "a b v m x y A a1 a2 x1 x2 ar ary arr array arys args arrays_and_dtypes tup val prototype out "
        "operands where condition condlist choicelist indices repeats values mask dst src keys sorter "
        "weights element test_elements a_min a_max fill_value prepend append multi_index"
    )
)
_SEQUENCE_PARAMS = frozenset(_names("args arrays_and_dtypes tup operands condlist choicelist multi_index"))


class _Function:
    """One function of CuPy: CuPy's signature outside, a NumPy function over the buffers inside."""

    def __init__(self, name: str, signature: inspect.Signature, flags: frozenset[str], run: Callable):
        self.__name__, self.__signature__, self.flags, self._run = name, signature, flags, run
        self._first = next((p for p in signature.parameters if p in _ARRAY_PARAMS - _SEQUENCE_PARAMS), None)

    def __repr__(self) -> str:
        return f"<function {self.__name__}{self.__signature__}>"

    def __call__(self, *args, **kwargs):
        bound = self._bind(args, kwargs)
        out = bound.arguments.get("out")
        buffers: list[np.ndarray] = []
        for name, value in bound.arguments.items():
            bound.arguments[name] = self._unwrapped(name, value, buffers)
        self._refuse_or_count()
        with np.errstate(all="ignore"):
            result = self._run(*bound.args, **bound.kwargs)
        return result if "host" in self.flags else self._wrapped(result, buffers, out)

    def _refuse_or_count(self):
        if "cublas" in self.flags:
            _library_call("cuBLAS")
        if "cusolver" in self.flags:
            _library_call("cuSOLVER")
        if "sync" in self.flags:
            _host_event("syncs")

    def _bind(self, args, kwargs):
        try:
            return self.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{error}; CuPy has {self.__name__}{self.__signature__}") from None

    def _unwrapped(self, name, value, buffers):
        if name not in _ARRAY_PARAMS:
            inside = value if isinstance(value, (tuple, list)) else [value]
            if any(isinstance(v, ndarray) for v in inside):
                raise TypeError(f"{self.__name__}: {name} is a host value; 'ndarray' has no __index__")
            return value
        if isinstance(value, ndarray):
            buffers.append(value._host)
            return value._host
        if isinstance(value, np.ndarray):
            raise TypeError(f"{self.__name__}: unsupported type {type(value)} for {name}")
        if name in _SEQUENCE_PARAMS and isinstance(value, (tuple, list)):
            return [self._unwrapped(name, v, buffers) for v in value]
        self._check_scalar(name, value)
        return value

    def _check_scalar(self, name, value):
        if value is None or "host" in self.flags or name == "operands":
            return
        needs_array = name == "tup" or (name == self._first and "scalars" not in self.flags)
        arrays_only = needs_array or "arrays" in self.flags
        if arrays_only or not _is_scalar(value):
            raise TypeError(f"{self.__name__}: {name} must be a device array, not {type(value)}")

    def _wrapped(self, result, buffers, out):
        allocated = stats.allocations
        wrapped = out if out is not None else self._wrap(result, buffers)
        if out is not None or result is None or stats.allocations > allocated:
            stats.launches += 1
        return wrapped

    def _wrap(self, result, buffers):
        if result is None:
            return None
        if isinstance(result, (tuple, list)):
            return (list if type(result) is list else tuple)(self._wrap(r, buffers) for r in result)
        result = np.asarray(result)
        if any(np.may_share_memory(result, b) for b in buffers):
            return _device(result)
        stats.allocations += 1
        return _device(np.asarray(result, order=None if "layout" in self.flags else "C"))


# -- where NumPy's function differs from CuPy's in more than the signature
def _sum_in_float32(function: Callable) -> Callable:
    """bfloat16 is accumulated in float32 and rounded once; NumPy would stop at 256 ones."""

    def run(a, axis=None, dtype=None, out=None, *keepdims, **options):
        target = a.dtype if dtype is None else np.dtype(dtype)
        if target != bfloat16:
            return function(a, axis, dtype, out, *keepdims, **options)
        result = function(a.astype(np.float32), axis, np.float32, None, *keepdims, **options)
        result = np.asarray(result).astype(bfloat16)
        if out is not None:
            out[...] = result
        return result

    return run


def _spread(function: Callable) -> Callable:
    """var and std of bfloat16 come out as float64 (_core/_routines_statistics.pyx:590)."""

    def run(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
        a = a.astype(np.float64) if a.dtype == bfloat16 and dtype is None else a
        return function(a, axis, dtype, out, ddof, keepdims)

    return run


def _arg_reduction(function: Callable) -> Callable:
    def run(a, axis=None, dtype=None, out=None, keepdims=False):
        result = function(a, axis, out, keepdims=keepdims)
        return result if dtype is None else np.asarray(result).astype(dtype)

    return run


def _float32_for_bfloat16(function: Callable) -> Callable:
    """No bfloat16 loop (where, clip, round): the float32 one is chosen, and the result is float32."""

    def run(*args, **kwargs):
        def widen(x):
            return x.astype(np.float32) if getattr(x, "dtype", None) == bfloat16 else x

        return function(*map(widen, args), **{name: widen(x) for name, x in kwargs.items()})

    return run


def _product(function: Callable, batched: bool = False) -> Callable:
    """bfloat16 products accumulate in float32; the `batched` one fails above two dimensions."""

    def run(a, b, *args, out=None, **options):
        extra = {} if out is None else {"out": out}
        if not a.dtype == b.dtype == bfloat16:
            return function(a, b, *args, **options, **extra)
        if batched and max(a.ndim, b.ndim) > 2:
            raise TypeError(f"batched matmul of bfloat16 {a.shape} @ {b.shape}: CuPy has no kernel for it")
        result = function(a.astype(np.float32), b.astype(np.float32), *args, **options)
        result = np.asarray(result).astype(bfloat16)
        if out is not None:
            out[...] = result
        return result

    return run


def _sorted(function: Callable) -> Callable:
    def run(a, axis=-1, kind=None):
        if kind not in (None, "stable"):
            raise ValueError("kind can only be None or 'stable'")
        if a.dtype == bfloat16:
            raise TypeError("CuPy does not sort bfloat16")
        return function(a, axis, kind="stable")

    return run


def _einsum(*operands, dtype=None, optimize=False):
    arrays = [x for x in operands if isinstance(x, np.ndarray)]
    if any(x.dtype == bfloat16 for x in arrays):
        raise TypeError("einsum of bfloat16 ends in CuPy's batched matmul, which has no kernel for it")
    return np.einsum(*operands, optimize=optimize, **({} if dtype is None else {"dtype": dtype}))


def _where(condition, x=None, y=None):
    if (x is None) != (y is None):
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    if x is not None:
        return np.where(condition, x, y)
    _host_event("syncs")
    return np.nonzero(condition)


def _clip(a, a_min, a_max, out=None):
    if a.dtype.kind == "c":
        raise TypeError("clip has no complex loop in CuPy")
    return np.clip(a, a_min, a_max, out)


def _repeat(a, repeats, axis=None):
    if isinstance(repeats, np.ndarray):
        _host_event("syncs")
    return np.repeat(a, repeats, axis)


def _take(a, indices, axis=None, out=None):
    return np.take(a, indices, axis, out, mode="wrap")


def _along_axis(a, indices, axis):
    if indices.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    return _modulo(indices, a.size if axis is None else a.shape[axis])


def _take_along_axis(a, indices, axis):
    return np.take_along_axis(a, _along_axis(a, indices, axis), axis)


def _put_along_axis(arr, indices, values, axis):
    positions = np.arange(arr.size).reshape(arr.shape)
    key = positions if axis is None else np.take_along_axis(positions, _along_axis(arr, indices, axis), axis)
    key = _along_axis(arr, indices, axis) if axis is None else key
    arr[np.unravel_index(key.ravel()[::-1], arr.shape)] = np.broadcast_to(values, key.shape).ravel()[::-1]


def _copyto(dst, src, casting="same_kind", where=None):
    np.copyto(dst, src, casting, where=True if where is None else where)


def _bincount(x, weights=None, minlength=None):
    return np.bincount(x, weights, minlength or 0)


def _ravel_multi_index(multi_index, dims, mode="wrap", order="C"):
    return np.ravel_multi_index(tuple(multi_index), dims, mode, order)


_RUN: dict[str, Callable] = {
    "empty": lambda *args, **kwargs: _poisoned(np.empty(*args, **kwargs)),
    "empty_like": lambda *args, **kwargs: _poisoned(np.empty_like(*args, **kwargs)),
    "astype": lambda x, dtype, copy=True: x.astype(_supported(dtype), copy=copy),
    "sum": _sum_in_float32(np.sum),
    "prod": _sum_in_float32(np.prod),
    "mean": _sum_in_float32(np.mean),
    "cumsum": _sum_in_float32(np.cumsum),
    "cumprod": _sum_in_float32(np.cumprod),
    "var": _spread(np.var),
    "std": _spread(np.std),
    "argmax": _arg_reduction(np.argmax),
    "argmin": _arg_reduction(np.argmin),
    "sort": _sorted(np.sort),
    "argsort": _sorted(np.argsort),
    "where": _float32_for_bfloat16(_where),
    "clip": _float32_for_bfloat16(_clip),
    "round": _float32_for_bfloat16(np.round),
    "around": _float32_for_bfloat16(np.round),
    "matmul": _product(np.matmul, batched=True),
    "dot": _product(np.dot),
    "vdot": _product(np.vdot),
    "inner": _product(np.inner),
    "tensordot": _product(np.tensordot),
    "einsum": _einsum,
    "repeat": _repeat,
    "take": _take,
    "take_along_axis": _take_along_axis,
    "put_along_axis": _put_along_axis,
    "copyto": _copyto,
    "bincount": _bincount,
    "ravel_multi_index": _ravel_multi_index,
}


# -- linear algebra: cuSOLVER fails silently, so a bad matrix becomes NaN while the rest of its batch stands
def _silent(function: Callable, square: bool = True) -> Callable:
    def run(a, *args, **kwargs):
        operands = [x for x in (a, *args) if isinstance(x, np.ndarray)]
        _check_matrices(operands, square)
        try:
            return function(a, *args, **kwargs)
        except np.linalg.LinAlgError:
            return _nan_where_it_fails(function, operands, args[len(operands) - 1 :], kwargs)

    return run


def _check_matrices(operands, square):
    for x in operands:
        if x.dtype in (np.float16, bfloat16):
            raise TypeError(f"{x.dtype} is unsupported in linalg")
    a, *rest = operands
    if a.ndim < 2:
        raise np.linalg.LinAlgError(
            f"{a.ndim}-dimensional array given. Array must be at least two-dimensional"
        )
    if square and a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    for b in rest:  # CuPy broadcasts a single vector, never a batch of right-hand sides (linalg/_solve.py:44)
        if b.ndim != 1 and a.shape[:-1] != b.shape[:-1]:
            raise ValueError(f"a must have (..., M, M) shape and b (..., M, K), not {a.shape} and {b.shape}")


def _nan_where_it_fails(function, operands, args, kwargs):
    a, *rest = operands
    easy = np.broadcast_to(np.eye(*a.shape[-2:], dtype=a.dtype), a.shape)
    results = function(easy, *rest, *args, **kwargs)
    results = results if isinstance(results, tuple) else (results,)
    results = tuple(np.full_like(r, np.nan) for r in results)
    for i in np.ndindex(a.shape[:-2]):
        try:
            parts = function(a[i], *[b if b.ndim == 1 else b[i] for b in rest], *args, **kwargs)
        except np.linalg.LinAlgError:
            continue
        for whole, part in zip(results, parts if isinstance(parts, tuple) else (parts,), strict=True):
            whole[i] = part
    return results if len(results) > 1 else results[0]


def _complex_eig(function: Callable) -> Callable:
    """NumPy's eigenvalues are real where they can be, CuPy's are always complex."""

    def run(a):
        results = function(a)
        dtype = np.result_type(a.dtype if a.dtype.kind in "fc" else float, np.complex64)
        return (
            tuple(r.astype(dtype) for r in results) if isinstance(results, tuple) else results.astype(dtype)
        )

    return run


_RUN_LINALG: dict[str, Callable] = {
    "cholesky": _silent(np.linalg.cholesky),
    "det": _silent(np.linalg.det),
    "eig": _silent(_complex_eig(np.linalg.eig)),
    "eigvals": _silent(_complex_eig(np.linalg.eigvals)),
    "eigh": _silent(np.linalg.eigh),
    "eigvalsh": _silent(np.linalg.eigvalsh),
    "inv": _silent(np.linalg.inv),
    "slogdet": _silent(np.linalg.slogdet),
    "solve": _silent(np.linalg.solve),
    "qr": _silent(np.linalg.qr, square=False),
    "svd": _silent(np.linalg.svd, square=False),
    "pinv": _silent(lambda a, rcond=1e-15: np.linalg.pinv(a, rcond), square=False),
}


# ---- host <-> device ---------------------------------------------------------------------------------------
def array(
    obj, dtype=None, copy: bool | None = True, order="K", subok=False, ndmin=0, *, blocking=False
) -> ndarray:
    """A device array. From a host array, list or scalar this is a host-to-device copy."""
    dtype = None if dtype is None else _supported(dtype)
    source, on_device = _unwrapped_nest(obj)
    result = np.array(source, dtype, copy=copy if on_device is obj else True, order=order, ndmin=ndmin)
    if on_device is not None:
        if not np.may_share_memory(result, source) or on_device is not obj:
            return _fresh(result, order)
        return obj if result.ndim == obj.ndim else _device(result)
    device = _device(result)
    _host_event("h2d")
    stats.allocations += 1
    return device


def _unwrapped_nest(obj: Any) -> tuple[Any, Any]:
    """`obj` over host buffers, and one of the device arrays in it or None. A mixed nest is refused."""
    if isinstance(obj, ndarray):
        return obj._host, obj
    if not isinstance(obj, (list, tuple)):
        return obj, None
    pairs = [_unwrapped_nest(x) for x in obj]
    found = [d for _, d in pairs if d is not None]
    if found and len(found) < len(pairs):
        raise TypeError("a list that mixes device arrays with host values has no conversion")
    return [x for x, _ in pairs], found[0] if found else None


def asarray(a, dtype=None, order=None, *, copy: bool | None = None, blocking=False) -> ndarray:
    """`a` on the device: itself where it is there already, else a copy from the host."""
    return array(a, dtype, copy, order or "K")


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True) -> np.ndarray:
    """A host copy."""
    return a.get(stream, order, out, blocking) if isinstance(a, ndarray) else np.asarray(a, order=order)


def scatter_add(a: ndarray, slices, value) -> None:
    """`cupyx.scatter_add`: `a[slices] += value` where colliding writes add up, in no defined order."""
    a.scatter_add(slices, value)


def scatter_max(a: ndarray, slices, value) -> None:
    a.scatter_max(slices, value)


def scatter_min(a: ndarray, slices, value) -> None:
    a.scatter_min(slices, value)


# ---- the modules -------------------------------------------------------------------------------------------
class _Module:
    """A module of CuPy. A name it lacks raises AttributeError and says whose fault that is."""

    def __init__(self, name: str, members: dict[str, Any]):
        self.__name__ = name
        self.__dict__.update(members)

    def __getattr__(self, name: str):
        raise AttributeError(
            f"{self.__name__} has no {name!r}: either CuPy lacks it or fx/backends/strict.py does not list it"
        )

    def __repr__(self) -> str:
        return f"<module {self.__name__} (strict stand-in)>"


def _functions(table: str, source: Any, runs: dict[str, Callable]) -> dict[str, Any]:
    found = {}
    for line in table.strip().splitlines():
        text, _, flags = line.partition("  # ")
        names, _, parameters = text.removesuffix(")").partition("(")
        signature = inspect.signature(eval(f"lambda {parameters}: None"))
        for name in names.split():
            run = runs.get(name) or getattr(source, name)
            found[name] = _Function(name, signature, frozenset(flags.split()), run)
    return found


_HOST_NAMES = _names(  # NumPy's own in CuPy too
    "bool bool_ int8 int16 int32 int64 intp int_ uint8 uint16 uint32 uint64 uintp float16 float32 float64 "
    "complex64 complex128 generic number inexact integer signedinteger unsignedinteger floating "
    "complexfloating dtype iinfo finfo pi e inf nan euler_gamma newaxis"
)
_core = _functions(_FUNCTIONS, np, _RUN)
_linalg = _functions(_LINALG, np.linalg, _RUN_LINALG)
_linalg |= {"matmul": _core["matmul"], "LinAlgError": np.linalg.LinAlgError}
_tricks = _Module("cupy.lib.stride_tricks", _functions(_STRIDE_TRICKS, np.lib.stride_tricks, {}))

xp: Any = _Module(
    "cupy",
    {
        **{name: getattr(np, name) for name in _HOST_NAMES},
        **{name: ufunc(name, getattr(np, name)) for name in _UFUNCS.split()},
        "i0": ufunc("i0", _i0),
        "divmod": ufunc("divmod", np.divmod, bfloat16_loop=False),
        **_core,
        "ndarray": ndarray,
        "ufunc": ufunc,
        "array": array,
        "asarray": asarray,
        "asanyarray": asarray,
        "asnumpy": asnumpy,
        "linalg": _Module("cupy.linalg", _linalg),
        "fft": _Module("cupy.fft", _functions(_FFT, np.fft, {})),
        "lib": _Module("cupy.lib", {"stride_tricks": _tricks}),
    },
)

# `cupyx.scipy.special`, the elementwise part that SciPy has as ufuncs too
_SPECIAL = _names(
    "beta betainc betaln digamma entr erf erfc erfcinv erfcx erfinv exp1 expi expit expn exprel gamma "
    "gammainc gammaincc gammaincinv gammaln gammasgn i0 i0e i1 i1e j0 j1 k0 k0e k1 k1e kl_div log_expit "
    "log_ndtr loggamma logit ndtr ndtri poch psi rel_entr rgamma xlog1py xlogy y0 y1 yn zeta"
)


def __getattr__(name: str) -> Any:
    if name != "special":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import scipy.special

    module = _Module("cupyx.scipy.special", {f: ufunc(f, getattr(scipy.special, f), False) for f in _SPECIAL})
    module.zeta.nin, module.zeta.nargs = 2, 3  # SciPy's is a Python function
    globals()["special"] = module
    return module


# ---- the array's table-driven members ----------------------------------------------------------------------
_ATTRIBUTES = _names("shape dtype ndim size nbytes itemsize strides")
_VIEWS = _names("T mT real imag")
_METHODS = _names(
    "all any argmax argmin argpartition argsort conj conjugate cumprod cumsum diagonal dot max mean min "
    "nonzero prod ravel repeat round searchsorted squeeze std sum swapaxes take trace var"
)
_UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}
_COMPARISONS = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
_BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "lshift": "left_shift",
    "rshift": "right_shift",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}
_OUT_OF_PLACE_BINARY = {"matmul": "matmul", "divmod": "divmod"}  # CuPy has no __imatmul__


def _view(name: str) -> property:
    def read(self):
        part = getattr(self._host, name)
        return _device(part) if np.may_share_memory(part, self._host) else _fresh(part)

    return property(read)


def _method(name: str) -> Callable:
    function = getattr(xp, name)

    def method(self, *args, **kwargs):
        return function(self, *args, **kwargs)

    return method


def _forward(name: str) -> Callable:
    function = getattr(xp, name)
    return lambda self, other: NotImplemented if _yields_to(other) else function(self, other)


def _reflected(name: str) -> Callable:
    function = getattr(xp, name)
    return lambda self, other: function(other, self)


def _in_place(name: str) -> Callable:
    function = getattr(xp, name)
    return lambda self, other: function(self, other, out=self)


def _members() -> Iterator[tuple[str, Any]]:
    yield from ((name, property(attrgetter(f"_host.{name}"))) for name in _ATTRIBUTES)
    yield from ((name, _view(name)) for name in _VIEWS)
    yield from ((name, _method(name)) for name in _METHODS)
    yield from ((f"__{op}__", _method(name)) for op, name in _UNARY.items())
    yield from (
        (f"__{op}__", _forward(name)) for op, name in (_BINARY | _OUT_OF_PLACE_BINARY | _COMPARISONS).items()
    )
    yield from ((f"__r{op}__", _reflected(name)) for op, name in (_BINARY | _OUT_OF_PLACE_BINARY).items())
    yield from ((f"__i{op}__", _in_place(name)) for op, name in _BINARY.items())


for _name, _member in _members():
    setattr(ndarray, _name, _member)
