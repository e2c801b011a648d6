"""Computing at once: one primitive on concrete operands, on the device where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import errors
from .array import Array, as_buffer, aval_of
from .avals import Aval, size_of
from .devices import HOST, backend_of, common_backend
from .errstate import restore, silence
from .primitive import Primitive, params_key, result_avals


def eager(prim: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
    """Compute now; the shape rule speaks before, so that errors are fx's own."""
    avals = [x.aval if type(x) is Array else aval_of(x) for x in operands]
    out = _shapes_of(prim, avals, params)
    buffers = [x.buffer if type(x) is Array else as_buffer(x) for x in operands]
    values = eager_buffers(prim, buffers, params)
    if prim.multiple:
        return [Array(_own(v, prim, operands), a.weak) for v, a in zip(values, out, strict=True)]
    return Array(_own(values, prim, operands), out[0].weak)


def _shapes_of(prim: Primitive, avals: Sequence[Aval], params: dict[str, Any]) -> Sequence[Aval]:
    """What the shape rule says of these operands, remembered where the params can be a key."""
    try:
        return result_avals(prim, avals, params, params_key(params))
    except TypeError as e:
        if "unhashable" not in str(e):
            raise
        out = prim.shape(*avals, **params)
        return out if prim.multiple else (out,)


def _own(value: Any, prim: Primitive, operands: Sequence[Any]) -> Any:
    """Results never share memory with an array that the user can still write into."""
    if (prim.view or prim.calls) and type(value) is np.ndarray:
        theirs = operands if prim.calls or prim.multiple else operands[:1]
        if any(type(x) is np.ndarray and np.may_share_memory(value, x) for x in theirs):
            return _copy(value, prim)
    return value


def _copy(value: Any, prim: Primitive) -> Any:
    try:
        return value.copy()
    except MemoryError as e:
        raise errors.OutOfMemoryError(
            f"{prim.name}: not enough memory for a result of {aval_of(value)} ({size_of(aval_of(value))})."
        ) from e


def eager_buffers(prim: Primitive, buffers: Sequence[Any], params: dict[str, Any]) -> Any:
    """Run `impl` on concrete buffers, on the device where they are."""
    backend = common_backend(buffers)
    token = silence()
    try:
        if backend is HOST:
            return prim.impl(np, *buffers, **params)
        with backend.activate(_device_of(backend, buffers)):
            return prim.impl(backend.xp, *[_on(backend, b) for b in buffers], **params)
    except MemoryError as e:
        raise _out_of_memory(prim, buffers, params) from e
    finally:
        restore(token)


def _out_of_memory(
    prim: Primitive, buffers: Sequence[Any], params: dict[str, Any]
) -> errors.OutOfMemoryError:
    avals = [aval_of(b) for b in buffers]
    made = result_avals(prim, avals, params, params_key(params))
    return errors.OutOfMemoryError(
        errors.lines(
            f"{prim.name}: not enough memory for a result of {', '.join(f'{a} ({size_of(a)})' for a in made)}.",
            f"operands: {', '.join(map(str, avals))}" if avals else None,
            "Work on parts of it: fx.vmap(f, chunk=...), fx.lax.map or a loop over slices.",
        )
    )


def _on(backend: Any, b: Any) -> Any:
    return backend.xp.asarray(b) if isinstance(b, (np.generic, bool, int, float, complex)) else b


def _device_of(backend: Any, buffers: Sequence[Any]) -> Any:
    for b in buffers:
        if backend_of(b) is backend:
            return backend.device(b)
    return backend.devices()[0]
