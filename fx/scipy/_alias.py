"""Modules that are another name of a namespace."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def alias(name: str, target: str, *names: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a module `name` whose names (all, or those given) are those of `target`."""

    def get(attribute: str) -> Any:
        if not attribute.startswith("__") and (not names or attribute in names):
            found = importlib.import_module(target)
            if hasattr(found, attribute):
                return getattr(found, attribute)
        raise AttributeError(f"module {name!r} has no attribute {attribute!r}")

    def listed() -> list[str]:
        return list(names) or [n for n in dir(importlib.import_module(target)) if not n.startswith("_")]

    return get, listed
