"""Configuration: one frozen record, set for a `with` block, from `FX_*` variables, or for the process."""

from __future__ import annotations

import os
from contextvars import ContextVar, Token
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from .errors import ArgumentError, brief, lines


def _option(default: Any, choices: tuple[Any, ...], doc: str, *, traced: bool) -> Any:
    return field(default=default, metadata={"choices": choices, "doc": doc, "traced": traced})


_BOOL = (False, True)


@dataclass(frozen=True)
class Settings:
    """All settings. `traced` ones change what a trace records and belong to every jit key."""

    default_float: str = _option(
        "float32", ("float16", "float32", "float64"), "dtype of Python floats on their own", traced=True
    )
    promotion: str = _option(
        "numpy", ("numpy", "strict"), "strict: two arrays of different dtypes raise", traced=True
    )
    check_nans: bool = _option(False, _BOOL, "name the first equation that makes a NaN", traced=False)
    check_programs: bool = _option(False, _BOOL, "check every Program a transformation makes", traced=False)
    check_keys: bool = _option(False, _BOOL, "a random key used twice raises, naming both lines", traced=True)
    disable_jit: bool = _option(False, _BOOL, "run jitted functions as plain Python", traced=True)
    compile: bool = _option(True, _BOOL, "False: jit runs the reference interpreter", traced=False)

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """All of them, for cache keys of what is ready to run."""
        return tuple([getattr(self, f.name) for f in fields(self)])

    @cached_property
    def trace_key(self) -> tuple[Any, ...]:
        """The trace-affecting ones."""
        return tuple([getattr(self, name) for name in _traced])

    @cached_property
    def float_dtype(self) -> np.dtype[Any]:
        """`default_float` as a dtype."""
        return np.dtype(self.default_float)


def _parse(name: str, text: str, choices: tuple[Any, ...]) -> Any:
    for choice in choices:
        if text.lower() == str(choice).lower() or (choice in _BOOL and text == str(int(choice))):
            return choice
    raise ArgumentError(lines(f"FX_{name.upper()}={text!r} is not accepted.", f"Choose one of {choices}."))


def _from_environment() -> Settings:
    found = {}
    for f in fields(Settings):
        text = os.environ.get(f"FX_{f.name.upper()}")
        if text is not None:
            found[f.name] = _parse(f.name, text, f.metadata["choices"])
    return Settings(**found)


_process = _from_environment()
_context: ContextVar[Settings | None] = ContextVar("fx_config", default=None)
_traced = tuple(f.name for f in fields(Settings) if f.metadata["traced"])


def settings() -> Settings:
    """The settings in force here."""
    return _context.get() or _process


def trace_key() -> tuple[Any, ...]:
    """The trace-affecting settings, for cache keys."""
    return (_context.get() or _process).trace_key


class _Override:
    """`with fx.config(check_nans=True):` changes settings for the block (thread- and task-local)."""

    def __init__(self, changes: dict[str, Any]):
        self.changes = changes
        self.tokens: list[Token[Settings | None]] = []

    def __enter__(self) -> Settings:
        new = replace(settings(), **self.changes)
        self.tokens.append(_context.set(new))
        return new

    def __exit__(self, *exc: object) -> None:
        _context.reset(self.tokens.pop())


class _Config:
    """`fx.config`: read a setting as an attribute, call for a block, `update` for the process."""

    def __call__(self, **changes: Any) -> _Override:
        return _Override(_validated(changes))

    def update(self, name: str | None = None, value: Any = None, /, **changes: Any) -> None:
        """Change settings for the whole process, by name: `update(default_float="float64")`.

        Also as JAX has it, `update("jax_enable_x64", True)`, for its settings that fx has under another name.
        """
        global _process
        if name is not None:
            changes |= dict([_of_jax(name, value)])
        _process = replace(_process, **_validated(changes))

    def __getattr__(self, name: str) -> Any:
        try:
            return getattr(settings(), name)
        except AttributeError:
            raise AttributeError(f"fx.config has no setting {name!r}; it has {_names()}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self.update(**{name: value})

    def __repr__(self) -> str:
        return f"fx.config({settings()})"


_JAX = {
    "jax_enable_x64": "default_float",
    "jax_debug_nans": "check_nans",
    "jax_disable_jit": "disable_jit",
    "jax_debug_key_reuse": "check_keys",
}


def _of_jax(name: Any, value: Any) -> tuple[str, Any]:
    """A setting of JAX as one of fx; fx's own names stay."""
    if name == "jax_enable_x64" and isinstance(value, bool):
        value = "float64" if value else "float32"
    return _JAX.get(name, name) if isinstance(name, str) else brief(name), value


def _names() -> str:
    return ", ".join(f.name for f in fields(Settings))


def _validated(changes: dict[str, Any]) -> dict[str, Any]:
    known = {f.name: f.metadata["choices"] for f in fields(Settings)}
    for name, value in changes.items():
        if name not in known:
            raise ArgumentError(lines(f"fx.config has no setting {name!r}.", f"It has {_names()}."))
        if not isinstance(value, (str, bool)) or value not in known[name]:
            raise ArgumentError(
                lines(f"fx.config({name}={brief(value)}) is not accepted.", f"Choose one of {known[name]}.")
            )
    return changes


config = _Config()
