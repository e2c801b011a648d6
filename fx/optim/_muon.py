"""Muon: momentum of matrices, made orthogonal by Newton-Schulz iterations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from reprlib import repr as brief
from typing import Any, NamedTuple, TypeAlias

import fx
import fx.numpy as fnp

from ._adam import adamw
from ._contract import Optimizer, chain, stateless
from ._leaves import (
    as_array,
    check_choice,
    check_fraction,
    each_leaf,
    is_trained,
    map_leaves,
    no_updates,
    unbias,
    zeros,
)
from ._masks import partition
from ._options import options
from ._parts import LearningRate, add_decayed_weights, scale_by_learning_rate

STANDARD = (3.4445, -4.7750, 2.0315)
DION = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)
PRECONDITIONINGS = ("frobenius", "spectral", "aol", "schatten")


class MuonDimensionNumbers(NamedTuple):
    """Which axes of a leaf are the rows (reduction) and the columns (output) of its matrices; others are a batch."""

    reduction_axis: Sequence[int] | int = 0
    output_axis: Sequence[int] | int = 1


DimensionNumbers: TypeAlias = Any
"""`MuonDimensionNumbers` for all leaves, a pytree of them (None: not by Muon), or a function from params to one."""


@options
def muon(
    learning_rate: LearningRate,
    ns_coeffs: Any = STANDARD,
    ns_steps: int = 5,
    beta: Any = 0.95,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    weight_decay_mask: Any = None,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: str = "frobenius",
    adam_b1: Any = 0.9,
    adam_b2: Any = 0.999,
    adam_eps_root: Any = 0.0,
    adam_weight_decay: Any = 0.0,
    adam_learning_rate: LearningRate = None,
    muon_weight_dimension_numbers: DimensionNumbers = None,
    consistent_rms: Any = None,
    bias_correction: bool = True,
    eps_as_floor: bool = False,
    ns_dtype: Any = None,
) -> Optimizer:
    """Steps along the orthogonal matrix that is nearest to the momentum of a matrix; AdamW for other leaves.

    Args:
        ns_coeffs: the coefficients of the odd polynomial x -> a x + b x^3 + c x^5, three numbers or one row for
            each of ns_steps, or "standard" or "dion".
        adaptive: scale the step by its inner product with the momentum.
        preconditioning: how singular values are brought below 1: by the "frobenius" or "spectral" norm, by
            almost-orthogonal rescaling ("aol"), or by the "schatten"-4 norm.
        adam_learning_rate: None: learning_rate.
        muon_weight_dimension_numbers: see `MuonDimensionNumbers`; None: leaves of two axes.
        consistent_rms: scale steps to this root mean square, 0.2 for that of Adam; None: by
            sqrt(max(1, columns / rows)).
        bias_correction: free the momentum of its bias towards 0.
        eps_as_floor: eps is the least norm that a matrix is divided by, and not added to its norm.
        ns_dtype: in which matrices are made orthogonal; None: their own.

    torch.optim.Muon(lr) is muon(lr, eps=1e-7, weight_decay=0.1, bias_correction=False, eps_as_floor=True,
    ns_dtype=fnp.bfloat16), where kernels are laid out as PyTorch's with dimension numbers (1, 0);
    its adjust_lr_fn="match_rms_adamw" is consistent_rms=0.2.

    Source: Jordan et al. 2024, Muon; Bernstein and Newhouse 2024, Old Optimizer, New Norm.
    """
    if isinstance(ns_coeffs, str):
        check_choice("muon", "ns_coeffs", ns_coeffs, ("standard", "dion"))
        ns_coeffs = STANDARD if ns_coeffs == "standard" else DION
    numbers = muon_weight_dimension_numbers

    def labels(params: Any) -> Any:
        found = ["adam" if n is None else "muon" for n in _numbers(numbers, params)]
        return fx.tree.structure(params).unflatten(found)

    options = {"nesterov": nesterov, "adaptive": adaptive, "preconditioning": preconditioning}
    options |= {"bias_correction": bias_correction, "eps_as_floor": eps_as_floor, "ns_dtype": ns_dtype}
    of_matrices = chain(
        scale_by_muon(ns_coeffs, ns_steps, beta, eps, mu_dtype, **options, weight_dimension_numbers=numbers),
        scale_by_shape(numbers, consistent_rms),
        add_decayed_weights(weight_decay, weight_decay_mask),
        scale_by_learning_rate(learning_rate),
    )
    rate = learning_rate if adam_learning_rate is None else adam_learning_rate
    others = adamw(rate, adam_b1, adam_b2, eps, adam_eps_root, mu_dtype, adam_weight_decay, nesterov=nesterov)
    return partition({"muon": of_matrices, "adam": others}, labels)


def _numbers(given: DimensionNumbers, params: Any) -> list[MuonDimensionNumbers | None]:
    """The numbers of every leaf of params; None: not a matrix."""
    if isinstance(given, type):
        raise fx.ArgumentError(f"muon: dimension numbers must be MuonDimensionNumbers; got {given}.")
    given = given(params) if callable(given) else given
    if given is None:
        leaves = map(as_array, fx.tree.leaves(params))
        return [MuonDimensionNumbers() if p.ndim == 2 and is_trained(p) else None for p in leaves]
    paths = [path for path, _ in fx.tree.leaves_with_path(params)]
    is_numbers = lambda x: x is None or isinstance(x, MuonDimensionNumbers)
    above = fx.tree.flatten_with_path(given, is_leaf=is_numbers)[0]
    for _, numbers in above:
        _check_numbers(numbers)
    # By path, since some of the leaves of a masked tree are gone.
    return [next((n for prefix, n in above if path[: len(prefix)] == prefix), None) for path in paths]


def _check_numbers(numbers: Any) -> None:
    if numbers is not None and not isinstance(numbers, MuonDimensionNumbers):
        raise fx.ArgumentError(
            f"muon: dimension numbers must be MuonDimensionNumbers, or None for a leaf that is no matrix; "
            f"got {brief(numbers)}."
        )


def _beside(numbers: list[MuonDimensionNumbers | None], tree: Any) -> Any:
    """The numbers in the places of a tree's leaves, wrapped as something without leaves."""
    return fx.tree.structure(tree).unflatten([fx.tree.Static(_hashable(n)) for n in numbers])


def _hashable(numbers: MuonDimensionNumbers | None) -> Any:
    axes = lambda x: x if isinstance(x, int) else tuple(x)
    return None if numbers is None else MuonDimensionNumbers(*map(axes, numbers))


class MuonState(NamedTuple):
    """count: updates made. mu: the running mean of gradients, like params."""

    count: Any
    mu: Any


@options
def scale_by_muon(
    ns_coeffs: Any = STANDARD,
    ns_steps: int = 5,
    beta: Any = 0.95,
    eps: Any = 1e-8,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: str = "frobenius",
    weight_dimension_numbers: DimensionNumbers = None,
    bias_correction: bool = True,
    eps_as_floor: bool = False,
    ns_dtype: Any = None,
) -> Optimizer:
    """The running mean of gradients, each matrix made orthogonal. Arguments as of `muon`."""
    check_fraction("scale_by_muon", beta=beta)
    coefficients = _coefficients(ns_coeffs, ns_steps)
    check_choice("scale_by_muon", "preconditioning", preconditioning, PRECONDITIONINGS)
    rule = (coefficients, preconditioning, eps, eps_as_floor)

    def update(grads: Any, state: MuonState, params: Any = None, **extra: Any) -> tuple[Any, MuonState]:
        count = state.count + 1

        def formula(g: Any, m: Any, numbers: Any, now: Any, ahead: Any) -> Any:
            m = beta * m + (1.0 - beta) * g
            if not bias_correction:
                now = ahead = 1.0
            mean = beta * ahead * m + (1.0 - beta) * now * g if nesterov else now * m
            step = _orthogonal(_in_dtype(mean, ns_dtype), *rule, numbers.value).astype(mean.dtype)
            return (fnp.sum(fnp.conj(mean) * step) * step if adaptive else step), m

        scalars = [unbias(beta, count), unbias(beta, count + 1)]
        numbers = _beside(_numbers(weight_dimension_numbers, grads), grads)
        updates, mu = each_leaf(formula, grads, [state.mu], [numbers], scalars)
        return updates, MuonState(count, mu)

    return Optimizer(lambda params: MuonState(no_updates(), zeros(params, mu_dtype)), update)


def _coefficients(given: Any, steps: int) -> list[tuple[float, float, float]]:
    if not 1 <= steps <= 1000:
        raise fx.ArgumentError(f"muon: ns_steps must be 1 to 1000; got {steps}.")
    rows = given if _is_row(given, (tuple, list)) else [given] * steps
    if not rows or not all(_is_row(row, (int, float)) and len(row) == 3 for row in rows):
        raise fx.ArgumentError(f"muon: ns_coeffs must be three numbers or rows of three; got {brief(given)}.")
    if len(rows) > steps:
        raise fx.ArgumentError(f"muon: {len(rows)} rows of ns_coeffs are too many for {steps} steps.")
    return [tuple(row) for row in rows]


def _is_row(x: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(x, (tuple, list)) and len(x) > 0 and all(isinstance(c, kinds) for c in x)


@options
def orthogonalize_via_newton_schulz(
    x: Any,
    ns_coeffs: Any = STANDARD,
    ns_steps: int = 5,
    preconditioning: str = "frobenius",
    eps: Any = 1e-8,
    dimension_numbers: MuonDimensionNumbers | None = None,
) -> Any:
    """Nearly the orthogonal factor U V^T of the singular value decomposition of x: (m, n), by matrix products."""
    check_choice("orthogonalize_via_newton_schulz", "preconditioning", preconditioning, PRECONDITIONINGS)
    _check_numbers(dimension_numbers)
    return _orthogonal(
        as_array(x), _coefficients(ns_coeffs, ns_steps), preconditioning, eps, False, dimension_numbers
    )


def _in_dtype(x: Any, dtype: Any) -> Any:
    """In a dtype of floating point, or where x is complex as it is."""
    return x if dtype is None or x.dtype.kind == "c" else x.astype(dtype)


def _orthogonal(x: Any, rows: Any, kind: str, eps: Any, eps_as_floor: bool, numbers: Any) -> Any:
    batched, restored = _as_matrices(x, numbers or MuonDimensionNumbers())
    x = batched(x)
    tall = x.shape[-2] > x.shape[-1]
    x = fnp.matrix_transpose(x) if tall else x
    for i, (a, b, c) in enumerate(rows):
        x, gram = _preconditioned(x, kind, eps, eps_as_floor) if i == 0 else (x, _gram(x))
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return restored(fnp.matrix_transpose(x) if tall else x)


def _gram(x: Any) -> Any:
    return x @ fnp.conj(fnp.matrix_transpose(x))


def _preconditioned(x: Any, kind: str, eps: Any, eps_as_floor: bool) -> tuple[Any, Any]:
    """x: (..., m, n) with singular values of at most 1, and x x^H."""
    if kind in ("frobenius", "spectral"):
        order = "fro" if kind == "frobenius" else 2
        norm = fnp.linalg.norm(x, ord=order, axis=(-2, -1), keepdims=True)
        x = x / (fnp.maximum(norm, eps) if eps_as_floor else norm + eps)
        return x, _gram(x)
    gram = _gram(x)
    if kind == "aol":
        size = fnp.maximum(fnp.absolute(gram).sum(axis=-1, keepdims=True), 1e-8)
        return x / fnp.sqrt(size), gram / fnp.sqrt(size * fnp.matrix_transpose(size))
    size = fnp.maximum(fnp.linalg.norm(gram, ord="fro", axis=(-2, -1), keepdims=True), 1e-8)
    return x / fnp.sqrt(size), gram / size


def _as_matrices(x: Any, numbers: MuonDimensionNumbers) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Functions from an array like x to (batch, rows, columns) and back."""
    rows, columns = _axes(x, numbers)
    batch = tuple(i for i in range(x.ndim) if i not in rows + columns)
    order = batch + rows + columns
    back = tuple(sorted(range(x.ndim), key=lambda i: order[i]))
    length = lambda axes: math.prod([x.shape[i] for i in axes])
    flat, ordered = (length(batch), length(rows), length(columns)), tuple(x.shape[i] for i in order)
    return (
        lambda x: fnp.reshape(fnp.transpose(x, order), flat),
        lambda x: fnp.transpose(fnp.reshape(x, ordered), back),
    )


def _axes(x: Any, numbers: MuonDimensionNumbers) -> tuple[tuple[int, ...], tuple[int, ...]]:
    tuples = [(axis,) if isinstance(axis, int) else tuple(axis) for axis in numbers]
    if x.ndim < 2 or any(not -x.ndim <= i < x.ndim for axes in tuples for i in axes):
        raise fx.ShapeError(
            f"muon: {numbers} does not fit a leaf of shape {x.shape}, which must have its axes."
        )
    rows, columns = (tuple(i % x.ndim for i in axes) for axes in tuples)
    if set(rows) & set(columns):
        raise fx.ShapeError(
            f"muon: the rows {rows} and columns {columns} of a leaf of shape {x.shape} share an axis."
        )
    return rows, columns


@options
def scale_by_shape(
    weight_dimension_numbers: DimensionNumbers = None, consistent_rms: Any = None
) -> Optimizer:
    """Updates times sqrt(max(1, columns / rows)); or with consistent_rms times it and sqrt(max(rows, columns)).

    Leaves that are no matrices stay.
    """

    def formula(g: Any, numbers: Any) -> Any:
        if numbers.value is None:
            return g
        rows, columns = [math.prod([g.shape[i] for i in axes]) for axes in _axes(g, numbers.value)]
        if consistent_rms is not None:
            return math.sqrt(max(rows, columns)) * consistent_rms * g
        return math.sqrt(max(1.0, columns / max(rows, 1))) * g

    numbers = lambda grads: _beside(_numbers(weight_dimension_numbers, grads), grads)
    return stateless(lambda grads, params: map_leaves(formula, grads, numbers(grads)))
