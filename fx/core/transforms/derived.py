"""What follows from the basic transformations: Jacobians, Hessians, Hessian-vector products.

jacfwd, jacrev : (a -> b) -> a -> (a -o b)
hessian        : (a -> b) -> a -> (a -o a -o b)
hvp            : (a -> R) -> a -> T a -> a
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .. import given, tree
from ..array import aval_of
from ..avals import Aval
from ..boundary import boundary
from ..errors import DTypeError, TreeError, lines
from .arguments import Selected, leaf_avals, name_of, require_callable
from .gradient import grad, jvp, leaf_name, linearize, vjp
from .vmap import vmap


def jacfwd(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
) -> Callable[..., Any]:
    """The Jacobian by forward mode: one tangent per input element; best for few inputs.

    Returns:
        A function giving, for each output leaf, the tree of the inputs with leaves of shape `out.shape + in.shape`.
    """
    return _jacobian(fun, argnums, argnames, has_aux, holomorphic, _forward_columns)


def jacrev(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
) -> Callable[..., Any]:
    """The Jacobian by reverse mode: one cotangent per output element; best for few outputs. See `jacfwd`."""
    return _jacobian(fun, argnums, argnames, has_aux, holomorphic, _reverse_rows)


jacobian = jacrev


def hessian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
) -> Callable[..., Any]:
    """Second derivatives, forward over reverse: leaves of shape `out.shape + in.shape + in.shape`."""
    inner = jacrev(fun, argnums, has_aux, holomorphic, argnames=argnames)
    return jacfwd(inner, argnums, has_aux, holomorphic, argnames=argnames)


def hvp(
    fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> Any:
    """Hessian-vector product of a scalar function, forward over reverse; the Hessian is never formed.

    Args:
        primals, tangents: tuples of arguments and of directions with their structure.

    Returns:
        H v, like `primals` (the bare tree where there is one argument); with `has_aux`, the pair (H v, aux).
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TreeError(
            "hvp takes its arguments and its directions as tuples or lists: fx.hvp(f, (x,), (dx,))."
        )
    nums = tuple(range(len(primals)))
    gradient = grad(fun, nums[0] if len(nums) == 1 else nums, has_aux)
    results = jvp(gradient, tuple(primals), tuple(tangents), has_aux=has_aux)
    return (results[1], results[2]) if has_aux else results[1]


def _jacobian(
    fun: Any, argnums: Any, argnames: Any, has_aux: bool, holomorphic: bool, method: Callable[..., Any]
) -> Callable[..., Any]:
    require_callable(fun, "The Jacobian")
    if argnums is None and argnames is None:
        argnums = 0

    @functools.wraps(fun, updated=())
    @boundary
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        chosen = Selected(fun, args, kwargs, argnums, argnames)
        leaves, in_tree = tree.flatten(chosen.tree)
        avals = leaf_avals(leaves, lambda i: leaf_name(fun, chosen, in_tree, i), fun, "The Jacobian")
        for i, a in enumerate(avals):
            wrong = a.dtype.kind != "c" if holomorphic else not a.inexact or a.dtype.kind == "c"
            if wrong:
                raise DTypeError(
                    lines(
                        f"The Jacobian of {name_of(fun)}: {leaf_name(fun, chosen, in_tree, i)} is {a}.",
                        "Inputs must be real floating point, or complex with holomorphic=True.",
                    )
                )

        def flat(*xs: Any) -> Any:
            return chosen.call(fun, in_tree.unflatten(xs))

        rows, out_tree, aux = method(flat, leaves, avals, has_aux, fun, holomorphic)
        result = out_tree.unflatten([chosen.result(in_tree.unflatten(row)) for row in rows])
        return (result, aux) if has_aux else result

    return jacobian


def _forward_columns(
    flat: Any, leaves: Any, avals: list[Aval], has_aux: bool, fun: Any, holomorphic: bool
) -> Any:
    linear = linearize(flat, *leaves, has_aux=has_aux)
    out, push = linear[0], linear[1]
    out_leaves, out_tree = tree.flatten(out)
    columns = []
    for i, a in enumerate(avals):
        basis = given.basis(a)
        zeros = [given.zeros(b.strong) for b in avals]

        def along(e: Any, i: int = i, zeros: Any = zeros) -> list[Any]:
            return tree.leaves(push(*[e if j == i else z for j, z in enumerate(zeros)]))

        pushed = vmap(along, out_axes=-1)(basis)
        columns.append([given.reshape(p, (*p.shape[:-1], *a.shape)) for p in pushed])
    rows = [[column[k] for column in columns] for k in range(len(out_leaves))]
    return rows, out_tree, linear[2] if has_aux else None


def _reverse_rows(
    flat: Any, leaves: Any, avals: list[Aval], has_aux: bool, fun: Any, holomorphic: bool
) -> Any:
    pulled = vjp(flat, *leaves, has_aux=has_aux)
    out, pull = pulled[0], pulled[1]
    out_leaves, out_tree = tree.flatten(out)
    out_avals = [aval_of(x) for x in out_leaves]
    for path, a in zip(out_tree.paths(), out_avals, strict=True):
        if not a.inexact or (a.dtype.kind == "c" and not holomorphic):
            raise DTypeError(
                lines(
                    f"The Jacobian of {name_of(fun)} by reverse mode: output{tree.keystr(path)} is {a}.",
                    "Outputs must be real floating point, or complex with holomorphic=True.",
                )
            )
    rows = []
    for k, a in enumerate(out_avals):
        basis = given.basis(a)
        zeros = [given.zeros(b.strong) for b in out_avals]

        def back(e: Any, k: int = k, zeros: Any = zeros) -> tuple[Any, ...]:
            return pull(out_tree.unflatten([e if j == k else z for j, z in enumerate(zeros)]))  # type: ignore[no-any-return]

        cts = vmap(back)(basis)
        rows.append([given.reshape(c, (*a.shape, *c.shape[1:])) for c in cts])
    return rows, out_tree, pulled[2] if has_aux else None


def ravel_pytree(pytree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """All leaves as one vector, and the function that takes such a vector apart again.

    Leaves are promoted to their common dtype; the inverse gives each its own dtype back.
    """
    leaves, treedef = tree.flatten(pytree)
    avals = [aval_of(x) for x in leaves]
    flat = given.join([given.reshape(x, (a.size,)) for x, a in zip(leaves, avals, strict=True)])
    sizes = [a.size for a in avals]
    shape = aval_of(flat).shape

    def unravel(vector: Any) -> Any:
        have = aval_of(vector).shape
        if have != shape:
            raise TreeError(f"unravel needs a vector of shape {shape}; got {have}.")
        parts = given.split(vector, sizes)
        return treedef.unflatten(
            [given.convert(given.reshape(p, a.shape), a.dtype) for p, a in zip(parts, avals, strict=True)]
        )

    return flat, unravel
