"""A loss that is no number: where it arose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fx
import fx.numpy as fnp


def report(step: int, loss: float, params: Any, batch: Any, again: Callable[[], Any]) -> fx.NanError:
    """The error for a loss that is NaN or infinite: what was not finite before, and the first equation that makes one.

    `again` computes loss and gradients once more; it is run with every equation checked.
    """
    lines = [f"Step {step}: the loss is {loss}."]
    for name, tree in (("params", params), ("batch", batch)):
        bad = [path for path, x in fx.tree.leaves_with_path(tree) if not _is_finite(x)]
        if bad:
            lines.append(f"Not finite before it: {', '.join(name + fx.tree.keystr(p) for p in bad[:5])}.")
    try:
        with fx.config(check_nans=True):
            again()
        lines.append(
            "No equation makes a NaN of numbers that are none: look for overflow, an exponential or a division."
        )
    except fx.NanError as e:
        lines.append(str(e))
    lines.append(
        "The parameters are those before this step. Lower the learning rate, clip gradients, or fix the line."
    )
    return fx.NanError("\n".join(lines))


def _is_finite(x: Any) -> bool:
    x = fnp.asarray(x) if hasattr(x, "shape") else x
    kind = getattr(getattr(x, "dtype", None), "kind", "")
    return kind not in ("f", "c", "V") or bool(fnp.isfinite(x).all())
