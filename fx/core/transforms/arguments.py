"""The API edge: pick arguments, flatten them once, and call the user's function on tracers.

Transformations see flat lists of leaves; user functions see the trees they expect.
"""

from __future__ import annotations

import inspect
import operator
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..array import Array, as_buffer, aval_of
from ..avals import Aval
from ..devices import is_buffer
from ..errors import ArgumentError, DTypeError, brief, lines
from ..structure import Abstract
from ..trace import Trace, Tracer, current_trace, refuse_outside


class Selected:
    """Some positional or keyword arguments of a call, as one tree, and how to put others in their place."""

    def __init__(self, fun: Any, args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Any, argnames: Any):
        self.args, self.kwargs = args, kwargs
        self.single = is_index(argnums) and argnames is None
        nums = positions(argnums)
        names = () if argnames is None else (argnames,) if isinstance(argnames, str) else tuple(argnames)
        self.nums = tuple(_position(fun, n, len(args)) for n in nums)
        missing = [n for n in names if n not in kwargs]
        if missing:
            moved = {n: _named_position(fun, n, len(args)) for n in missing}
            self.nums += tuple(moved.values())
            names = tuple(n for n in names if n not in moved)
        self.names = names
        if len(set(self.nums)) < len(self.nums):
            chosen = [argument_name(fun, n) for n in self.nums]
            raise ArgumentError(f"argnums and argnames name an argument of {name_of(fun)} twice: {chosen}.")
        self.one_name = isinstance(argnames, str)

    @property
    def tree(self) -> Any:
        if self.single:
            return self.args[self.nums[0]]
        return tuple(self.args[n] for n in self.nums) + tuple(self.kwargs[n] for n in self.names)

    def call(self, fun: Any, chosen: Any) -> Any:
        """fun with the selected arguments replaced by `chosen` (a tree like `self.tree`)."""
        args, kwargs = list(self.args), dict(self.kwargs)
        if self.single:
            args[self.nums[0]] = chosen
        else:
            for n, value in zip(self.nums, chosen, strict=False):
                args[n] = value
            kwargs.update(zip(self.names, chosen[len(self.nums) :], strict=True))
        return fun(*args, **kwargs)

    def result(self, chosen: Any) -> Any:
        """What the user gets for the selected arguments: one tree, or a tuple of trees."""
        return (
            chosen[0]
            if self.one_name and len(self.nums) + len(self.names) == 1 and not self.single
            else chosen
        )


def _position(fun: Any, n: Any, count: int) -> int:
    if not is_index(n) or not -count <= n < count:
        raise ArgumentError(
            lines(
                f"argnums={brief(n)} does not name an argument of {name_of(fun)}, which was called with {count} "
                "positional argument(s).",
                "argnums count positional arguments from 0; use argnames for keyword arguments.",
            )
        )
    return int(n) % count


def _named_position(fun: Any, name: str, count: int) -> int:
    names = parameter_names(fun)
    if name in names and names.index(name) < count:
        return names.index(name)
    raise ArgumentError(f"argnames={brief(name)}: {name_of(fun)} was not called with such an argument.")


def is_index(n: Any) -> bool:
    """Whether n is one position: an integer of any kind."""
    try:
        operator.index(n)
    except TypeError:
        return False
    return True


def positions(argnums: Any) -> tuple[Any, ...]:
    """Positions as a tuple, from None, one integer or several."""
    if argnums is None:
        return ()
    if is_index(argnums):
        return (operator.index(argnums),)
    if not isinstance(argnums, Iterable) or isinstance(argnums, (Array, str, bytes)) or is_buffer(argnums):
        raise ArgumentError(
            f"{brief(argnums)} does not name arguments: write an integer or a tuple of integers."
        )
    return tuple(argnums)


def static_positions(fun: Any, nums: Sequence[Any], count: int) -> tuple[int, ...]:
    """static_argnums of a call with `count` positional arguments, sorted, none negative."""
    for n in nums:
        if not is_index(n) or not -count <= n < count:
            raise ArgumentError(
                f"static_argnums={brief(n)} does not name an argument of {name_of(fun)}, called with {count} "
                "positional argument(s)."
            )
    return tuple(sorted({operator.index(n) % count for n in nums}))


def require_callable(fun: Any, kind: str) -> None:
    """ArgumentError unless `fun` can be called."""
    if not callable(fun):
        raise ArgumentError(f"{kind} takes a function first; got {type(fun).__name__} {brief(fun)}.")


def name_of(fun: Any) -> str:
    return getattr(fun, "__qualname__", None) or getattr(fun, "__name__", None) or type(fun).__name__


_known_names: weakref.WeakKeyDictionary[Any, list[str]] = weakref.WeakKeyDictionary()


def parameter_names(fun: Any) -> list[str]:
    """Names of the positional parameters of a function, as far as they can be known; holds no function alive."""
    try:
        found = _known_names.get(fun)
        if found is None:
            found = _known_names[fun] = _positional_names(fun)
        return found
    except TypeError:  # not hashable, or not weakly referable
        return _positional_names(fun)


def _positional_names(fun: Any) -> list[str]:
    try:
        kinds = inspect.signature(fun).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in kinds if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def argument_name(fun: Any, position: int) -> str:
    names = parameter_names(fun)
    return names[position] if position < len(names) else f"argument {position}"


def leaf_names(fun: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> list[str]:
    """A readable path for each leaf of (args, kwargs): `params['w']`."""
    names = []
    for i, arg in enumerate(args):
        base = argument_name(fun, i)
        names += [base + tree.keystr(path) for path, _ in tree.flatten_with_path(arg)[0]]
    for key in sorted(kwargs):
        names += [key + tree.keystr(path) for path, _ in tree.flatten_with_path(kwargs[key])[0]]
    return names


def is_array(x: Any) -> bool:
    """Whether fx takes x as an array or number."""
    return (
        isinstance(x, (Array, bool, int, float, complex))
        or is_buffer(x)
        or hasattr(x, "__dlpack__")
        or hasattr(x, "__array__")
    )


def leaf_aval(x: Any, name: Callable[[], str], fun: Any, what: str) -> Aval:
    """The aval of an argument leaf, or an error that names its path."""
    t = type(x)
    if t is Tracer:
        if current_trace() is None:
            refuse_outside(x)
        x.home.check_alive(x)
        return x.aval  # type: ignore[no-any-return]
    if t is Array or t is float or t is np.ndarray:
        return aval_of(x)
    if not is_array(x) or (isinstance(x, np.ndarray) and x.dtype.kind in "OSUMm"):
        raise ArgumentError(
            lines(
                f"{what} of {name_of(fun)}: {name()} is {type(x).__name__} {brief(x)}, not an array.",
                "Pass arrays and numbers; make other values static (static_argnums) or close over them.",
            )
        )
    return aval_of(x)


def leaf_avals(leaves: Sequence[Any], name: Callable[[int], str], fun: Any, what: str) -> list[Aval]:
    """The avals of argument leaves; `name(i)` is asked only for an error."""
    avals = []
    for i, x in enumerate(leaves):
        if type(x) is Array:
            avals.append(x.aval)
        else:
            avals.append(leaf_aval(x, lambda i=i: name(i), fun, what))  # type: ignore[misc]
    return avals


def traced_call(
    kind: str, fun: Any, call: Callable[[list[Any]], Any], avals: Sequence[Aval], values: Sequence[Any] = (),
    by_value: bool | None = None,
) -> tuple[Trace, list[Any], Any]:  # fmt: skip
    """Trace `call(tracers)`; returns the ended trace, the flat outputs and their treedef."""
    parent = current_trace()
    if by_value is None:
        by_value = parent.by_value if parent is not None else False
    trace = Trace(kind, avals, values, fun, parent, by_value)
    with trace:
        outputs, out_tree = tree.flatten(call(trace.inputs()))
    return trace, outputs, out_tree


def check_outputs(outputs: Sequence[Any], out_tree: Any, fun: Any, kind: str) -> None:
    """ArgumentError for an output leaf that is not an array."""
    for i, x in enumerate(outputs):
        if not is_array(x):
            path = tree.keystr(out_tree.paths()[i])
            raise ArgumentError(
                lines(
                    f"{kind} of {name_of(fun)}: the output{path} is {type(x).__name__} {brief(x)}, not an array.",
                    "Return arrays and numbers, or trees of them.",
                )
            )


def abstract(names: Callable[[], list[str]], index: int, why: str) -> Abstract:
    """The place of an input without a value."""
    return Abstract(lambda: f"{names()[index]}, {why}")


def buffers(values: Sequence[Any]) -> list[Any]:
    return [x.buffer if type(x) is Array else as_buffer(x) for x in values]


def require_inexact(aval: Aval, name: str, kind: str, fun: Any, holomorphic: bool, allow_int: bool) -> None:
    """DTypeError unless derivatives by this leaf make sense."""
    if holomorphic:
        if aval.dtype.kind != "c":
            raise DTypeError(
                lines(
                    f"{kind} of {name_of(fun)} with holomorphic=True needs complex inputs; {name} is {aval}."
                )
            )
        return
    if not aval.inexact and not allow_int:
        raise DTypeError(
            lines(
                f"{kind} of {name_of(fun)} needs floating-point inputs; {name} is {aval}.",
                "Convert it (.astype(fx.float32)), leave it out with argnums, or pass allow_int=True for zeros.",
            )
        )
