"""Cross-entropy of a linear layer onto a large vocabulary, whose logits are never all there."""

from __future__ import annotations

from typing import Any

import fx
import fx.numpy as fnp
from fx import lax

from ._classification import check_labels, known_labels, refuse_outside
from ._reduce import inexact, reduced


def chunked_cross_entropy(
    hidden: Any,
    kernel: Any,
    labels: Any,
    *,
    bias: Any = None,
    chunk: int | None = None,
    label_smoothing: Any = 0.0,
    ignore_index: int = -100,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """`cross_entropy(hidden @ kernel + bias, labels)` by chunks of the vocabulary: the same value and derivatives.

    Memory, counted in array elements, besides arguments and results: the value needs at most the size of the kernel
    and 3 * n * c for n tokens and c classes in a chunk; the derivative makes a chunk's logits again and needs at most
    4 times the size of the kernel and 4 * n * c. Nothing has the size of the logits, n * classes. Derivatives of any
    order exist, in both modes.

    Args:
        hidden: (..., features). kernel: (features, classes). bias: (classes,).
        labels: integers (...,).
        chunk: classes whose logits are held at a time; None holds about 2**21 logits.
        label_smoothing, ignore_index: as in `cross_entropy`.
        where: (...,), tokens that count.

    Returns:
        (...,), or () for reduction "sum" or "mean".

    Raises:
        OutOfBoundsError: a label known now is out of range. ShapeError, DTypeError: arguments do not fit.

    Source: online softmax, Milakov and Gimelshein 2018; for losses, Wijmans et al. 2024.

    >>> import fx
    >>> hidden, kernel = fx.numpy.ones((2, 3)), fx.numpy.zeros((3, 1000))
    >>> chunked_cross_entropy(hidden, kernel, fx.numpy.asarray([0, 999]), chunk=64)
    Array([6.9077554, 6.9077554], float32)
    """
    name = "chunked_cross_entropy"
    hidden, kernel, bias = _operands(hidden, kernel, bias)
    labels = labels if isinstance(labels, fx.Array) else fnp.asarray(labels)
    classes = kernel.shape[1]
    check_labels(fx.ShapeDtype((*hidden.shape[:-1], classes), hidden.dtype), labels, hidden.ndim - 1, name)
    counts = labels != ignore_index
    counts = counts if where is None else fnp.logical_and(counts, where)
    _refuse_unknown(labels, counts, classes)
    flat = fnp.where(counts[..., None], hidden, 0.0).reshape((-1, hidden.shape[-1]))
    chunk = _chunk(chunk, flat.shape[0], classes)
    loss = _by_chunks(flat, kernel, bias, labels.reshape(-1), chunk, label_smoothing)
    return reduced(loss.reshape(labels.shape).astype(hidden.dtype), counts, reduction, name)


def _by_chunks(
    hidden: fx.Array, kernel: fx.Array, bias: Any, labels: fx.Array, chunk: int, smoothing: Any
) -> fx.Array:
    """The loss of every token: logsumexp - (1 - smoothing) * its label's logit - smoothing * the mean logit."""
    wide = fnp.promote_types(hidden.dtype, fnp.float32)
    hidden, classes = hidden.astype(wide), kernel.shape[1]
    smooth = not isinstance(smoothing, (int, float)) or smoothing != 0

    @fx.checkpoint
    def step(carry: Any, piece: Any) -> Any:
        largest, mass, own, total = carry
        start, weights, offsets = piece
        logits = hidden @ weights.astype(wide)
        if offsets is not None:
            logits = logits + offsets.astype(wide)
        now = fx.stop_gradient(fnp.maximum(largest, fnp.max(logits, 1)))
        mass = mass * fnp.exp(largest - now) + fnp.sum(fnp.exp(logits - now[:, None]), 1)
        at_label = start + fnp.arange(logits.shape[1]) == labels[:, None]
        own = own + fnp.sum(fnp.where(at_label, logits, 0.0), 1)
        if smooth:
            total = total + fnp.sum(logits, 1)
        return (now, mass, own, total), None

    zeros = fnp.zeros(hidden.shape[0], wide)
    carry = fnp.full_like(zeros, float(fnp.finfo(wide).min)), zeros, zeros, zeros
    whole = classes - classes % chunk
    carry, _ = lax.scan(step, carry, _pieces(kernel, bias, whole, chunk))
    if whole < classes:
        rest = whole, kernel[:, whole:], None if bias is None else bias[whole:]
        carry, _ = step(carry, rest)
    largest, mass, own, total = carry
    loss = (largest - own) + fnp.log(mass)
    if smooth:
        loss = loss + smoothing * (own - total / classes)
    return fnp.where((labels >= 0) & (labels < classes), loss, float("nan"))


def _pieces(kernel: fx.Array, bias: Any, whole: int, chunk: int) -> tuple[fx.Array, fx.Array, Any]:
    """First class, kernel and bias of every whole chunk, along a leading axis.

    Slices at known places have a derivative that is written once, not added to a whole kernel in every step.
    """
    kernels = kernel[:, :whole].reshape((kernel.shape[0], -1, chunk)).transpose(1, 0, 2)
    biases = None if bias is None else bias[:whole].reshape((-1, chunk))
    return fnp.arange(0, whole, chunk), kernels, biases


_LOGITS = 2**21


def _chunk(chunk: Any, tokens: int, classes: int) -> int:
    if chunk is None:
        chunk = max(_LOGITS // max(tokens, 1), 64)
    if not isinstance(chunk, int) or chunk < 1:
        raise fx.ArgumentError(f"chunked_cross_entropy: chunk is a positive integer; got {chunk!r}.")
    return min(chunk, classes)


def _operands(hidden: Any, kernel: Any, bias: Any) -> tuple[fx.Array, fx.Array, Any]:
    hidden = inexact(hidden, "chunked_cross_entropy: hidden")
    kernel = inexact(kernel, "chunked_cross_entropy: kernel")
    bias = None if bias is None else inexact(bias, "chunked_cross_entropy: bias")
    fits = kernel.ndim == 2 and hidden.ndim and hidden.shape[-1] == kernel.shape[0] and kernel.shape[1]
    if not fits or (bias is not None and bias.shape != kernel.shape[1:]):
        raise fx.ShapeError(
            f"chunked_cross_entropy: hidden {hidden.shape}, kernel {kernel.shape} and bias "
            f"{None if bias is None else bias.shape} do not fit.\n"
            "They are (..., features), (features, classes) and (classes,)."
        )
    return hidden, kernel, bias


def _refuse_unknown(labels: fx.Array, counts: fx.Array, classes: int) -> None:
    values = known_labels(fnp.where(counts, labels, 0))
    if values is not None:
        refuse_outside(values, classes, "chunked_cross_entropy")
