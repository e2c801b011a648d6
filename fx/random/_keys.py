"""Keys: making, splitting, folding in.

A key is an array of two uint32 words. All of `fx.random` reads keys through `key_words` and makes them through
`_key_of`, the two places that know how a key looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array
from ..core.config import settings
from ..core.devices import current_device, move
from ..primitives.elementwise import bit_and, convert, shift_right_logical
from ..primitives.promotion import as_operand, is_scalar
from ..primitives.random import child_keys
from ..primitives.shape import concatenate, full, reshape
from . import _reuse
from ._arguments import describe, static_int, static_shape

IMPLEMENTATION = "threefry2x32"
_LOW = 0xFFFFFFFF


def key(seed: Any, *, impl: str | None = None) -> Any:
    """A key from an integer seed.

    A Python int is a seed of 32 bits, taken modulo 2**32, as in JAX with its defaults; under
    `fx.config(default_float="float64")` it is one of 64 bits, as in JAX with `jax_enable_x64`. Both agree on 0 ...
    2**32 - 1. An integer array of shape () (also traced) is a seed of as many bits as its dtype has.

    Returns:
        uint32 of shape (2,): the high and the low word of the seed.

    Raises:
        ArgumentError: the seed is no integer, or a Python int beyond 64 bits, or `impl` is unknown.
        ShapeError: the seed is an array with axes; map over seeds with `fx.vmap(fx.random.key)`.

    >>> import fx
    >>> fx.random.key(42)
    Array([ 0, 42], uint32)
    """
    _check_implementation(impl)
    if is_scalar(seed):
        return _key_of_int(seed)
    if isinstance(seed, (str, bytes)) or seed is None:
        raise errors.ArgumentError(f"A seed must be an integer; got {errors.brief(seed)}.")
    seed = as_operand(seed)
    if seed.dtype.kind not in "iu":
        raise errors.ArgumentError(f"A seed must be an integer; got {describe(seed)}.")
    if seed.shape != ():
        raise errors.ShapeError(
            errors.lines(
                f"A seed must have shape (); got {describe(seed)}.",
                "Map over many seeds with fx.vmap(fx.random.key)(seeds), or split one key.",
            )
        )
    return _key_of(_seed_words(seed))


def PRNGKey(seed: Any, *, impl: str | None = None) -> Any:
    """JAX's other name for `key`."""
    return key(seed, impl=impl)


def split(key: Any, num: Any = 2) -> Any:
    """New keys from one key, which should not be used again.

    Args:
        num: how many keys, or the shape of an array of them.

    Returns:
        uint32 of shape (num, 2), or (*num, 2). Key i is `fold_in(key, i)`.

    >>> import fx
    >>> draw, key = fx.random.split(fx.random.key(0))
    """
    words = key_words("split", key)
    return fresh(child_keys(words, np.uint32(0), shape=static_shape("split", num, "num")))


def fold_in(key: Any, data: Any) -> Any:
    """The key that belongs to a number, such as the index of a step or of a layer.

    Args:
        data: an integer in [0, 2**32), or an integer array of shape (), also traced, taken modulo 2**32.
    """
    words = key_words("fold_in", key, consumes=False)
    return fresh(child_keys(words, _fold_data(data), shape=()))


def key_data(keys: Any) -> Any:
    """The words of keys. keys: (..., 2) -> uint32 (..., 2)."""
    return _check_words("key_data", keys)


def wrap_key_data(key_bits_array: Any, *, impl: str | None = None) -> Any:
    """Keys from their words. key_bits_array: uint32 (..., 2)."""
    _check_implementation(impl)
    return fresh(_check_words("wrap_key_data", key_bits_array))


def key_impl(keys: Any) -> str:
    """The name of the generator that keys belong to."""
    _check_words("key_impl", keys)
    return IMPLEMENTATION


def key_dtype(impl_spec: str | None = None) -> np.dtype[Any]:
    """The dtype of keys: uint32, of which a key is two."""
    _check_implementation(impl_spec)
    return dtypes.uint32


def clone(key: Any) -> Any:
    """The same key, for draws that are meant to repeat; `fx.config(check_keys=True)` lets it be used once more."""
    words = _check_words("clone", key)
    if settings().check_keys:
        _reuse.allow_once_more(words)
    return words


# What a key is


def key_words(name: str, key: Any, consumes: bool = True) -> Any:
    """The words, uint32 of shape (2,), of the one key that a function takes, and uses up unless told otherwise."""
    words = _check_words(name, key)
    if words.shape != (2,):
        raise errors.ShapeError(
            errors.lines(
                f"{name} takes one key; got an array of keys, {describe(words)}.",
                f"Map over keys with fx.vmap(lambda key: fx.random.{name}(key, ...))(keys).",
            )
        )
    if consumes and settings().check_keys:
        _reuse.consume(words, name)
    return words


def fresh(keys: Any) -> Any:
    """Keys that were just made, and not used yet."""
    if settings().check_keys:
        _reuse.forget(keys)
    return keys


def _check_words(name: str, keys: Any) -> Any:
    hint = "Make a key with fx.random.key(seed)."
    if is_scalar(keys) or isinstance(keys, (Sequence, type(None))):
        raise errors.ArgumentError(errors.lines(f"{name} takes a key first; got {errors.brief(keys)}.", hint))
    words = as_operand(keys)
    if words.dtype != dtypes.uint32 or words.shape[-1:] != (2,):
        raise errors.ArgumentError(
            errors.lines(f"{name}: a key is uint32 of shape (2,); got {describe(words)}.", hint)
        )
    return words if isinstance(words, Array) else Array(words.copy())


def _key_of(words: Sequence[Any]) -> Any:
    """A key from its high and low word, uint32 arrays of shape ()."""
    return fresh(concatenate([reshape(w, (1,)) for w in words], 0))


def _key_of_int(seed: Any) -> Any:
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise errors.ArgumentError(f"A seed must be an integer; got {errors.brief(seed)}.")
    if not -(1 << 63) <= seed < 1 << 63:
        raise errors.ArgumentError(
            errors.lines(
                f"The seed {seed} does not fit 64 bits.", "Take it modulo 2**63, or fold in the rest."
            )
        )
    high = seed >> 32 & _LOW if dtypes.default_float() == dtypes.float64 else 0
    return fresh(Array(move(np.array([high, seed & _LOW], np.uint32), current_device())))


def _seed_words(seed: Any) -> list[Any]:
    low = convert(bit_and(seed, seed.dtype.type(_LOW)) if seed.dtype.itemsize == 8 else seed, np.uint32)
    if seed.dtype.itemsize < 8:
        return [full((), 0, np.uint32), low]
    return [convert(shift_right_logical(seed, seed.dtype.type(32)), np.uint32), low]


def _fold_data(data: Any) -> Any:
    if is_scalar(data):
        number = static_int(data, "fold_in: data")
        if not 0 <= number <= _LOW:
            raise errors.ArgumentError(
                errors.lines(f"fold_in: data = {number} is not in [0, 2**32).", "Take it modulo 2**32.")
            )
        return np.uint32(number)
    data = as_operand(data)
    if data.dtype.kind not in "iu" or data.shape != ():
        raise errors.ArgumentError(
            errors.lines(
                f"fold_in: data must be an integer of shape (); got {describe(data)}.",
                "Map over many with fx.vmap(fx.random.fold_in, in_axes=(None, 0))(key, numbers).",
            )
        )
    return convert(data, np.uint32)


def _check_implementation(impl: str | None) -> None:
    if impl is not None and (not isinstance(impl, str) or impl != IMPLEMENTATION):
        raise errors.ArgumentError(
            errors.lines(f"There is no random generator {errors.brief(impl)}.", f"fx has {IMPLEMENTATION!r}.")
        )
