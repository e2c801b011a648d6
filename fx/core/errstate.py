"""Silence NumPy's floating-point warnings around fx's own arithmetic: inf and nan are values here.

`token = silence()` ... `restore(token)`, or `with quiet():`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

silence: Callable[[], Any]
restore: Callable[[Any], None]

try:  # np.errstate costs a microsecond; its context variable, where NumPy has it, a fifth of that
    from numpy._core._ufunc_config import _extobj_contextvar as _state  # type: ignore[attr-defined]
    from numpy._core.umath import _make_extobj

    silence = functools.partial(_state.set, _make_extobj(all="ignore"))
    restore = _state.reset
except ImportError:  # pragma: no cover - another NumPy

    def silence() -> Any:
        state = np.errstate(all="ignore")
        state.__enter__()
        return state

    def restore(token: Any) -> None:
        token.__exit__(None, None, None)


class quiet:
    """`with quiet():` no floating-point warnings inside."""

    __slots__ = ("token",)

    def __enter__(self) -> None:
        self.token = silence()

    def __exit__(self, *exc: object) -> None:
        restore(self.token)
