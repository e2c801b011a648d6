"""Connectionist temporal classification: labels of a sequence without their places."""

from __future__ import annotations

from typing import Any

import fx
import fx.numpy as fnp
from fx import lax, nn

from ._reduce import inexact, reduced


def ctc_loss(
    logits: Any,
    logit_paddings: Any,
    labels: Any,
    label_paddings: Any,
    *,
    blank_id: int = 0,
    log_epsilon: float | None = None,
    zero_infinity: bool = False,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """-log of the probability of all paths that spell the labels, with blanks between and repetitions merged.

    Args:
        logits: (B, T, classes), of any scale; log_softmax is taken of them.
        labels: integers (B, N), not blank_id; what is padding may be anything.
        logit_paddings, label_paddings: numbers (B, T) and (B, N), 1 from where a sequence is padding, else 0;
            or integers (B,), the lengths; or None, no padding.
        log_epsilon: stands for log(0); None is exact: labels that cannot be spelled in T frames cost inf.
        zero_infinity: such labels cost 0. Their derivative is 0 in any case.
        where: (B,).

    Returns:
        (B,), or () for reduction "sum" or "mean".

    Source: Graves et al. 2006.
    """
    loss, _, _ = ctc_loss_with_forward_probs(
        logits, logit_paddings, labels, label_paddings, blank_id=blank_id, log_epsilon=log_epsilon
    )
    if zero_infinity:
        loss = fnp.where(fnp.isposinf(loss), 0.0, loss)
    return reduced(loss, where, reduction, "ctc_loss")


def ctc_loss_with_forward_probs(
    logits: Any,
    logit_paddings: Any,
    labels: Any,
    label_paddings: Any,
    *,
    blank_id: int = 0,
    log_epsilon: float | None = None,
) -> tuple[fx.Array, fx.Array, fx.Array]:
    """`ctc_loss` and the logarithms of its forward probabilities.

    Returns:
        The loss (B,); log probabilities (T, B, N + 1) that n labels are spelled after t + 1 frames, the last of
        them a blank (in the last frame: or not); and (T, B, N) that n + 1 are, the last frame being a label.
    """
    x, labels = _checked(logits, labels, blank_id)
    dtype = x.dtype
    x = x.astype(fnp.promote_types(dtype, fnp.float32))
    impossible = _IMPOSSIBLE if log_epsilon is None else log_epsilon
    padded = _padded(logit_paddings, x.shape[:2], "logit_paddings")
    lengths = fnp.sum(~_padded(label_paddings, labels.shape, "label_paddings"), 1)
    blank, spelled = _alphas(x, padded, labels, blank_id, impossible)
    last = fnp.take_along_axis(blank[-1], lengths[:, None], 1)[:, 0]
    results = -last, blank, spelled
    if log_epsilon is None:
        results = _infinite(-last, -1.0), _infinite(blank, 1.0), _infinite(spelled, 1.0)
    return tuple(y.astype(dtype) for y in results)  # type: ignore[return-value]


_IMPOSSIBLE = -1e30
"""Far below any log probability, and finite, so that derivatives are."""


def _infinite(x: fx.Array, sign: float) -> fx.Array:
    return fnp.where(sign * x < 0.1 * _IMPOSSIBLE, -sign * float("inf"), x)


def _alphas(
    x: fx.Array, padded: fx.Array, labels: fx.Array, blank_id: int, impossible: float
) -> tuple[fx.Array, fx.Array]:
    """Forward probabilities of all frames, (T, B, N + 1) and (T, B, N); see `ctc_loss_with_forward_probs`."""
    (B, T, classes), N = x.shape, labels.shape[1]
    logs = fnp.maximum(nn.log_softmax(x), impossible)
    inside = (labels >= 0) & (labels < classes)
    places = fnp.broadcast_to(fnp.where(inside, labels, 0)[:, None], (B, T, N))
    of_labels = fnp.where(inside[:, None], fnp.take_along_axis(logs, places, 2), float("nan"))
    again = fnp.pad(labels[:, 1:] == labels[:, :-1], ((0, 0), (0, 1)))[:, :N]

    def step(carry: Any, frame: Any) -> Any:
        blank, spelled = carry
        log_blank, log_labels, skip = frame
        begun = _added(blank, fnp.where(again, impossible, spelled))
        now = (
            _added(blank, spelled) + log_blank[:, None],
            fnp.logaddexp(begun[:, :-1], spelled) + log_labels,
        )
        carry = tuple(fnp.where(skip[:, None], old, new) for old, new in zip(carry, now, strict=True))
        return carry, carry

    first = fnp.full((B, N + 1), impossible, x.dtype).at[:, 0].set(0.0)
    init = first, fnp.full((B, N), impossible, x.dtype)
    frames = logs[:, :, blank_id].T, of_labels.transpose(1, 0, 2), padded.T
    _, (blank, spelled) = lax.scan(step, init, frames)
    return blank.at[-1].set(_added(blank[-1], spelled[-1])), spelled


def _added(blank: fx.Array, spelled: fx.Array) -> fx.Array:
    """The probability of n labels, in logarithms: with a blank last, or (n > 0) with the label."""
    return fnp.concatenate([blank[:, :1], fnp.logaddexp(blank[:, 1:], spelled)], 1)


def _checked(logits: Any, labels: Any, blank_id: int) -> tuple[fx.Array, fx.Array]:
    x = inexact(logits, "ctc_loss: logits")
    labels = labels if isinstance(labels, fx.Array) else fnp.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise fx.DTypeError(f"ctc_loss: labels must be integers; got {labels.dtype}{list(labels.shape)}.")
    if x.ndim != 3 or labels.ndim != 2 or x.shape[0] != labels.shape[0] or x.shape[1] == 0:
        raise fx.ShapeError(
            f"ctc_loss takes logits (B, T, classes), T at least 1, and labels (B, N); got {x.shape} and "
            f"{labels.shape}."
        )
    if not isinstance(blank_id, int) or not 0 <= blank_id < x.shape[2]:
        raise fx.ArgumentError(f"ctc_loss: blank_id={blank_id!r} is not one of {x.shape[2]} classes.")
    return x, labels


def _padded(paddings: Any, shape: tuple[int, ...], name: str) -> fx.Array:
    """Booleans (B, length): which places are padding."""
    if paddings is None:
        return fnp.zeros(shape, bool)
    paddings = paddings if isinstance(paddings, fx.Array) else fnp.asarray(paddings)
    if paddings.shape == shape:
        return paddings != 0
    if paddings.shape == shape[:1] and paddings.dtype.kind in "iu":
        return fnp.arange(shape[1]) >= paddings[:, None]
    raise fx.ShapeError(
        f"ctc_loss: {name} has shape {paddings.shape}, {paddings.dtype}.\n"
        f"It is {shape}, 1 where padded; or integers {shape[:1]}, the lengths; or None."
    )
