"""Formulas of one leaf, applied to all leaves of trees; and what optimizers ask of numbers and dtypes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from reprlib import repr as brief
from typing import Any

import fx
import fx.numpy as fnp

from ._options import is_number


def each_leaf(
    formula: Callable[..., Any],
    grads: Any,
    states: Sequence[Any] = (),
    inputs: Sequence[Any] = (),
    scalars: Sequence[Any] = (),
    *,
    subtrees: bool = False,
) -> list[Any]:
    """`formula(g, *state leaves, *input leaves, *scalars) -> update, *new state leaves` at every trained leaf.

    A formula never sees 16 bits: all leaves are given to it in at least float32, and what it returns is stored
    in the dtypes of the gradient and of the states. Leaves that are not trained get a zero update and keep
    their states.

    Args:
        states, inputs: trees like grads; with `subtrees` states may have a subtree at a leaf of grads, which the
            formula gets whole.
        scalars: arrays of shape () of float64, computed once; given in the real dtype of the gradient.

    Returns:
        The tree of updates, then the trees of new states.
    """
    leaves, treedef = fx.tree.flatten(grads)
    columns = [_beside(treedef, tree) for tree in (*states, *inputs)]
    if not subtrees:
        _check_leaves(leaves, columns[: len(states)])
    given = functools.cache(lambda dtype: [in_dtype(x, dtype) for x in scalars])
    results: list[list[Any]] = [[] for _ in range(1 + len(states))]
    for g, *row in zip(leaves, *columns, strict=True):
        for result, value in zip(results, _on_leaf(formula, g, row, len(states), given), strict=True):
            result.append(value)
    return [treedef.unflatten(result) for result in results]


def _beside(treedef: Any, tree: Any) -> list[Any]:
    """What a tree has at the leaves of the gradients."""
    try:
        return treedef.flatten_up_to(tree)  # type: ignore[no-any-return]
    except fx.TreeError as e:
        raise fx.TreeError(
            "An update: the state or the parameters do not have the structure of the gradients.\n"
            + "\n".join(str(e).splitlines()[1:-1])
            + "\nGradients, state and params must be of one model: state = optimizer.init(params)."
        ) from None


def _check_leaves(leaves: list[Any], columns: list[list[Any]]) -> None:
    for column in columns:
        for g, x in zip(leaves, column, strict=True):
            if isinstance(x, (list, tuple, dict)):
                raise fx.TreeError(
                    f"An update: where the gradients have one array, {as_array(g).aval}, the state has {brief(x)}.\n"
                    "Gradients and state must be of one model: state = optimizer.init(params)."
                )


def _on_leaf(formula: Any, g: Any, row: list[Any], n_states: int, given: Callable[[Any], Any]) -> list[Any]:
    g, states = as_array(g), row[:n_states]
    if not is_trained(g):
        return [fnp.zeros_like(g), *states]
    if any(isinstance(x, fx.Array) and x.ndim == g.ndim and x.shape not in (g.shape, (1,)) for x in row):
        raise _misfit(g, row)
    scalars = given(real_dtype(wide(g.dtype)))
    found = formula(widen(g), *[fx.tree.map(widen, x) for x in row], *scalars)
    update, *new = found if states else (found,)
    if row and (update.shape != g.shape or any(map(_differ, new, states))):
        raise _misfit(g, row)
    kept = [
        fx.tree.map(lambda x, old: in_dtype(x, old.dtype), a, b) for a, b in zip(new, states, strict=True)
    ]
    return [in_dtype(update, g.dtype), *kept]


def _differ(new: Any, old: Any) -> bool:
    return isinstance(old, fx.Array) and new.shape != old.shape


def _misfit(g: Any, row: list[Any]) -> fx.ShapeError:
    others = sorted({str(x.aval) for x in row if isinstance(x, fx.Array) and x.shape != g.shape})
    return fx.ShapeError(
        f"An update: a gradient {g.aval} does not fit the state or the parameters, {', '.join(others)}.\n"
        "Gradients, state and params must be of one model: state = optimizer.init(params) is made anew when params "
        "get other shapes."
    )


def map_leaves(formula: Callable[..., Any], grads: Any, *inputs: Any, scalars: Sequence[Any] = ()) -> Any:
    """`each_leaf` without states: the tree of updates."""
    return each_leaf(formula, grads, (), inputs, scalars)[0]


def map_trained(function: Callable[[fx.Array], Any], tree: Any) -> Any:
    """The function on trained leaves; the others as they are."""
    return fx.tree.map(lambda x: function(as_array(x)) if is_trained(as_array(x)) else as_array(x), tree)


def trained_leaves(tree: Any) -> list[Any]:
    """The trained leaves, in at least float32."""
    return [widen(x) for x in map(as_array, fx.tree.leaves(tree)) if is_trained(x)]


def zeros(params: Any, dtype: Any = None) -> Any:
    """Zeros like params, in `dtype` where they are trained; None: their own dtype, of 16 bits float32."""
    return filled(params, 0, dtype)


def filled(params: Any, value: Any, dtype: Any = None, real: bool = False) -> Any:
    """Like `zeros`, with a value; `real`: without imaginary parts."""

    def one(p: Any) -> Any:
        p = as_array(p)
        own = p.dtype if not is_trained(p) else fnp.dtype(dtype) if dtype is not None else wide(p.dtype)
        return fnp.full(p.shape, value if is_trained(p) else 0, real_dtype(own) if real else own)

    return fx.tree.map(one, params)


def copies(params: Any) -> Any:
    """Params as arrays, of 16 bits as float32."""
    return map_trained(widen, params)


def select(chosen: Any, new: Any, old: Any) -> Any:
    """The tree `new` where `chosen` (of shape ()), else `old`; dtypes of `old`."""
    pick = lambda n, o: in_dtype(fnp.where(chosen, n, o), as_array(o).dtype)
    return fx.tree.map(pick, new, old)


def as_array(leaf: Any) -> fx.Array:
    """A leaf as an Array: params may also be NumPy arrays and Python numbers."""
    return leaf if isinstance(leaf, fx.Array) else fnp.asarray(leaf)


def as_arrays(tree: Any) -> Any:
    """The tree with Arrays as leaves: a state that was read from a file has others."""
    return fx.tree.map(as_array, tree)


def is_trained(leaf: fx.Array) -> bool:
    """Whether a leaf has a gradient: floating point or complex."""
    return leaf.dtype.kind in "fc" or bool(fnp.issubdtype(leaf.dtype, fnp.inexact))


def widen(x: Any) -> Any:
    """float32 for an array of 16 bits, others as they are."""
    x = as_array(x)
    return in_dtype(x, wide(x.dtype)) if is_trained(x) else x


def wide(dtype: Any) -> Any:
    """float32 for the floating dtypes of 16 bits."""
    return fnp.promote_types(dtype, fnp.float32) if fnp.issubdtype(dtype, fnp.floating) else dtype


def real_dtype(dtype: Any) -> Any:
    """The dtype of absolute values."""
    return fnp.finfo(dtype).dtype if dtype.kind == "c" else dtype


def in_dtype(x: Any, dtype: Any) -> Any:
    """x as an array of a dtype."""
    x = as_array(x)
    return x if x.dtype == dtype else x.astype(dtype)


def tree_dtype(params: Any) -> Any:
    """The real dtype in which numbers about all leaves are kept: the widest, at least float32."""
    dtypes = [real_dtype(x.dtype) for x in trained_leaves(params)]
    return functools.reduce(fnp.promote_types, dtypes) if dtypes else fnp.dtype(fx.config.default_float)


def abs_square(x: Any) -> Any:
    """|x|**2, real."""
    return fnp.real(x * fnp.conj(x)) if x.dtype.kind == "c" else x * x


def safe_sqrt(x: Any) -> Any:
    """The square root, with a finite derivative at 0."""
    return fnp.sqrt(x + float(fnp.finfo(x.dtype).smallest_normal))


def root(x: Any, eps_root: Any) -> Any:
    """sqrt(x + eps_root), with a finite derivative at 0."""
    return safe_sqrt(x) if is_zero(eps_root) else fnp.sqrt(x + eps_root)


def sum_of(terms: Sequence[Any]) -> Any:
    """The sum of numbers of shape (); 0 of none."""
    return functools.reduce(lambda a, b: a + b, terms) if terms else fnp.zeros(())


def dot(x: Any, y: Any) -> Any:
    """The real part of the inner product of two trees over their trained leaves, of shape ()."""
    pairs = zip(trained_leaves(x), trained_leaves(y), strict=True)
    return sum_of([fnp.real((fnp.conj(a) * b).sum()) for a, b in pairs])


def global_norm(tree: Any) -> Any:
    """The Euclidean norm of all trained leaves as one vector, of shape (). No square overflows.

    The derivative at 0 is 0.
    """
    leaves = [fnp.absolute(x) for x in trained_leaves(tree)]
    if not leaves:
        return fnp.zeros(())
    largest = fx.stop_gradient(functools.reduce(fnp.maximum, [fnp.max(x, initial=0.0) for x in leaves]))
    vanishes = largest == 0.0
    unit = fnp.where(vanishes, 1.0, largest)
    total = sum_of([fnp.sum((x / unit) ** 2) for x in leaves])
    return unit * fnp.where(vanishes, 0.0, fnp.sqrt(fnp.where(vanishes, 1.0, total)))


def all_finite(tree: Any) -> Any:
    """Whether every number of the trained leaves is finite, a boolean of shape ()."""
    finite = [fnp.isfinite(x).all() for x in trained_leaves(tree)]
    return functools.reduce(fnp.logical_and, finite) if finite else fnp.asarray(True)


def no_updates() -> Any:
    """The count of updates at the start, int64 of shape ()."""
    return fnp.zeros((), fnp.int64)


def at_count(option: Any, count: Any) -> Any:
    """A number, or the value of a schedule at the count of updates made."""
    if not callable(option):
        return option
    value = option(count)
    if not is_number(value):
        raise fx.ArgumentError(f"A schedule must return a number; of {count} it returned {brief(value)}.")
    return value


def unbias(decay: Any, count: Any) -> Any:
    """1 / (1 - decay**count) in float64, exact to rounding also for decays close to 1."""
    known = isinstance(decay, (int, float))
    log = fnp.log(decay) if not known else math.log(decay) if decay > 0 else -math.inf
    return -1.0 / fnp.expm1(count.astype(fnp.float64) * log)


def is_zero(option: Any) -> bool:
    """A Python number, not a traced one, that is 0."""
    return isinstance(option, (int, float)) and option == 0


def check_at_least(low: float, name: str, **options: Any) -> None:
    """ArgumentError for an option that is a Python number below `low` or not finite."""
    for option, value in options.items():
        if isinstance(value, (int, float)) and not (low <= value < math.inf):
            raise fx.ArgumentError(
                f"{name}: {option} must be a finite number of at least {low}; got {brief(value)}."
            )


def check_fraction(name: str, **options: Any) -> None:
    """ArgumentError for an option that is a Python number outside [0, 1)."""
    for option, value in options.items():
        if isinstance(value, (int, float)) and not 0 <= value < 1:
            raise fx.ArgumentError(f"{name}: {option} must be in [0, 1); got {brief(value)}.")


def check_choice(name: str, option: str, value: Any, choices: Sequence[str]) -> None:
    """ArgumentError for a word that is not among the choices."""
    if not isinstance(value, str) or value not in choices:
        raise fx.ArgumentError(f"{name}: {option} must be one of {', '.join(choices)}; got {brief(value)}.")


def needs_params(params: Any, name: str) -> None:
    """ArgumentError where an update reads params and got none."""
    if params is None:
        raise fx.ArgumentError(f"{name} reads the parameters.\nWrite optimizer.update(grads, state, params).")
