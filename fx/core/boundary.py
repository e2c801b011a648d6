"""Where user code calls fx: errors leave with the user's frames only. `FX_TRACEBACK=full` shows fx's as well."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from .errors import FxError
from .source import internal_files

F = TypeVar("F", bound=Callable[..., Any])
_FULL = os.environ.get("FX_TRACEBACK", "").lower() == "full"


def boundary(function: F) -> F:
    """Mark a function that users call: frames of fx are cut from the traceback of what it raises."""
    if _FULL:
        return function

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            shorten(error)
            raise

    return call  # type: ignore[return-value]


def shorten(error: Exception) -> None:
    """Keep the user's frames of a traceback; keep all if the error is a surprise from inside fx."""
    frames = []
    at = error.__traceback__
    while at is not None:
        frames.append(at)
        at = at.tb_next
    ours = [internal_files[tb.tb_frame.f_code.co_filename] for tb in frames]
    if not isinstance(error, FxError) and ours[-1]:
        return
    kept: TracebackType | None = None
    for tb, internal in zip(reversed(frames), reversed(ours), strict=True):
        if not internal:
            kept = TracebackType(kept, tb.tb_frame, tb.tb_lasti, tb.tb_lineno)
    error.__traceback__ = kept
