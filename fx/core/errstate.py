"""Silence NumPy's floating-point warnings around fx's own arithmetic: inf and nan are values here."""

from __future__ import annotations

from typing import Any

import numpy as np

try:  # np.errstate costs a microsecond; its context variable, where NumPy has it, a tenth of that
    from numpy._core._ufunc_config import _extobj_contextvar as _state  # type: ignore[attr-defined]
    from numpy._core.umath import _make_extobj  # type: ignore[attr-defined]

    _QUIET: Any = _make_extobj(all="ignore")
except ImportError:  # pragma: no cover - another NumPy
    _state = None


class _Quiet:
    __slots__ = ("token",)

    def __enter__(self) -> None:
        self.token = _state.set(_QUIET)

    def __exit__(self, *exc: object) -> None:
        _state.reset(self.token)


def _slow() -> Any:
    return np.errstate(all="ignore")


quiet: Any = _Quiet if _state is not None else _slow
