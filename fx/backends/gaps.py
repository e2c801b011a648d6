"""CuPy as primitives see it: the gaps of CuPy that would change a dtype are closed here, once.

Written over the module that is handed in, so that the strict stand-in gets the same treatment.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from ..core.dtypes import is_bfloat16

_WIDENING = ("where", "clip", "round", "around")
"""Functions without a bfloat16 loop: CuPy takes the float32 one and returns float32 (cupy/_core/_kernel.pyx)."""


class ArrayModule:
    """The array module `xp` of a device backend; `xp.special` holds its special functions, loaded when used.

    name: distinguishes the plans of backends. special: where the special functions are, "module" or "module:name".
    """

    def __init__(self, name: str, module: Any, special: str):
        self.__name__ = name
        self._module, self._special = module, special
        for name in _WIDENING:
            setattr(self, name, _keeping_bfloat16(getattr(module, name)))

    def __getattr__(self, name: str) -> Any:
        found = self._load_special() if name == "special" else getattr(self._module, name)
        setattr(self, name, found)
        return found

    def _load_special(self) -> Any:
        name, _, attribute = self._special.partition(":")
        module = importlib.import_module(name)
        return getattr(module, attribute) if attribute else module

    def __repr__(self) -> str:
        return f"<{self.__name__} for fx>"


def _keeping_bfloat16(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its result in bfloat16 where an operand is: float32 holds it exactly."""

    def keeping(*args: Any, **options: Any) -> Any:
        out = function(*args, **options)
        wide = next((x.dtype for x in args if hasattr(x, "dtype") and is_bfloat16(x.dtype)), None)
        return out if wide is None or out.dtype == wide else out.astype(wide)

    return keeping
