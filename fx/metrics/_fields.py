"""Settings of metrics: what their annotations allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from reprlib import repr as brief
from typing import Any

import numpy as np

import fx


def check_fields(metric: Any) -> None:
    """ArgumentError for a setting that is not what its annotation says: int, float, str, or a Mapping."""
    for f in fields(metric):
        kind, value = str(f.type), getattr(metric, f.name)
        if value is None and kind.endswith(" | None"):
            continue
        kind = kind.removesuffix(" | None").partition("[")[0]
        test = _KINDS.get("count" if f.name in _COUNTS else kind)
        if test is not None and not test[0](value):
            raise fx.ArgumentError(
                f"{type(metric).__name__}: {f.name} must be {test[1]}; got {brief(value)}."
            )


_COUNTS = ("k", "num_classes", "order", "outputs")


def _is_count(x: Any) -> bool:
    return _is_whole(x) and 0 < x <= 1 << 20


def _is_whole(x: Any) -> bool:
    return isinstance(x, (int, np.integer)) and not isinstance(x, bool)


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float, np.integer, np.floating)) and not isinstance(x, bool)


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "count": (_is_count, "a positive integer"),
    "int": (_is_whole, "an integer"),
    "float": (_is_number, "a number"),
    "str": (lambda x: isinstance(x, str), "text"),
    "Mapping": (lambda x: isinstance(x, Mapping), "a dict of metrics by name"),
}
