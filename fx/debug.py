"""Looking inside transformed functions: `debug.print`, `debug.callback`; both work under jit, vmap and grad."""

from __future__ import annotations

import builtins
import string
from collections.abc import Callable
from typing import Any, NamedTuple

from .core import tree
from .core.array import Array
from .core.errors import ArgumentError, brief, lines
from .core.transforms.arguments import is_array
from .primitives.markers import host_call
from .primitives.promotion import as_operand


class _Call(NamedTuple):
    """The host side of a callback: rebuilds its arguments from the arrays that arrive."""

    fun: Callable[..., Any]
    in_tree: Any
    static: tuple[tuple[int, Any], ...]
    count: int

    def __call__(self, *arrays: Any) -> tuple[()]:
        leaves: list[Any] = [None] * self.count
        fixed = dict(self.static)
        rest = iter(arrays)
        for i in range(self.count):
            leaves[i] = fixed[i] if i in fixed else Array(next(rest))
        args, kwargs = self.in_tree.unflatten(leaves)
        self.fun(*args, **kwargs)
        return ()


class _Print(NamedTuple):
    fmt: str

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        builtins.print(self.fmt.format(*map(_plain, args), **{k: _plain(v) for k, v in kwargs.items()}))


def _plain(x: Any) -> Any:
    return tree.map(lambda leaf: leaf.buffer if isinstance(leaf, Array) else leaf, x)


def print(fmt: str, *args: Any, **kwargs: Any) -> None:
    """Print `fmt.format(*args, **kwargs)` when the values are known, at every run.

    Under `vmap` a line per element. Arguments are pytrees of arrays or any formattable objects.

    >>> import fx
    >>> fx.jit(lambda x: fx.debug.print("x = {}", x))(1.0)
    x = 1.0
    """
    if not isinstance(fmt, str):
        raise ArgumentError(
            lines("debug.print takes a format string first.", 'Write fx.debug.print("x = {}", x).')
        )
    _check_fields(fmt, args, kwargs)
    callback(_Print(fmt), *args, **kwargs)


def _check_fields(fmt: str, args: Any, kwargs: Any) -> None:
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(fmt) if name is not None]
    except ValueError as e:
        raise ArgumentError(f"debug.print: {brief(fmt)} is not a format string: {e}.") from e
    heads = [f.partition(".")[0].partition("[")[0] for f in fields]
    needed = max([int(h) + 1 for h in heads if h.isdecimal()] + [sum(h == "" for h in heads)], default=0)
    missing = [h for h in heads if h and not h.isdecimal() and h not in kwargs]
    if needed > len(args) or missing:
        raise ArgumentError(
            lines(
                f"debug.print: {brief(fmt)} needs {needed} positional value(s)"
                + (f" and {missing}" if missing else "")
                + f"; got {len(args)} and {sorted(kwargs)}.",
                "Curly braces that are meant literally are written {{ and }}.",
            )
        )


def callback(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Call `fun` with the values of its arguments when they are known, for its side effects; at every run.

    Args:
        fun: receives its arguments with arrays for traced leaves; what it returns is ignored.
    """
    if not callable(fun):
        raise ArgumentError(f"debug.callback takes a function first; got {type(fun).__name__}.")
    leaves, in_tree = tree.flatten((args, kwargs))
    traced = [is_array(x) for x in leaves]
    static = tuple((i, x) for i, (x, on) in enumerate(zip(leaves, traced, strict=True)) if not on)
    operands = [as_operand(x) for x, on in zip(leaves, traced, strict=True) if on]
    host_call(_Call(fun, in_tree, static, len(leaves)), *operands)
