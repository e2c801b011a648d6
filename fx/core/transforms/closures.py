"""Functions without closures: what a function closes over becomes an argument.

closure_convert : (a -> b) -> ((a, consts) -> b), consts
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import tree
from ..boundary import boundary
from ..errors import TreeError, lines
from .arguments import leaf_avals, name_of, require_callable
from .call import call
from .inner import Inner


@boundary
def closure_convert(fun: Callable[..., Any], *example_args: Any) -> tuple[Callable[..., Any], list[Any]]:
    """The function with the arrays that it closes over as arguments, and these arrays.

    Args:
        example_args: pytrees of arrays with the structure, shapes and dtypes of the arguments to come.

    Returns:
        (converted, consts) with `converted(*args, *consts) == fun(*args)`; custom rules see all of them.

    >>> import fx
    >>> def scaled(by):
    ...     return closure_convert(lambda x: by * x, 1.0)
    >>> def doubled(by):
    ...     f, consts = scaled(by)
    ...     return f(2.0, *consts)
    >>> fx.grad(doubled)(3.0)
    Array(2., float32)
    """
    require_callable(fun, "closure_convert")
    leaves, in_tree = tree.flatten(example_args)
    avals = leaf_avals(leaves, lambda i: tree.keystr(in_tree.paths()[i]), fun, "closure_convert")
    why = "an argument of the converted function"
    inner = Inner("closure_convert", fun, avals, lambda ts: fun(*in_tree.unflatten(ts)), why)
    count = len(example_args)

    def converted(*args: Any) -> Any:
        found, found_tree = tree.flatten(args[:count])
        if found_tree != in_tree:
            raise TreeError(
                lines(
                    f"{name_of(fun)} was converted for arguments of another structure:",
                    *tree.differences(in_tree, found_tree, "arguments"),
                )
            )
        return inner.out_tree.unflatten(call(inner.program, *found, *args[count:]))

    return converted, list(inner.consts)
