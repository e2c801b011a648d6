"""Named scopes: a label on every equation recorded inside, shown with its user line."""

from __future__ import annotations

from typing import Any

from .errors import ArgumentError, brief
from .trace import current_trace


class named_scope:
    """`with fx.named_scope("encoder"):` labels what is recorded inside; scopes nest as `encoder/layer0`."""

    def __init__(self, name: str):
        if not isinstance(name, str) or not name:
            raise ArgumentError(f"named_scope takes a name; got {brief(name)}.")
        self.name = name

    def __enter__(self) -> named_scope:
        self.trace: Any = current_trace()
        if self.trace is not None:
            self.outer = self.trace.scope
            self.trace.scope = f"{self.outer}/{self.name}" if self.outer else self.name
        return self

    def __exit__(self, *exc: object) -> None:
        if self.trace is not None:
            self.trace.scope = self.outer
