"""User source lines: captured as (code, instruction offset), formatted only when somebody reads them."""

from __future__ import annotations

import linecache
import os
import sys
from types import CodeType, FrameType

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class _Files(dict[str, bool]):
    """Whether a file belongs to fx itself, by name; found out once per file."""

    def __missing__(self, filename: str) -> bool:
        self[filename] = filename.startswith((_HOME, "<fx"))
        return self[filename]


internal_files = _Files()


def user_frame(frame: FrameType) -> FrameType:
    """The nearest frame outside fx, or the outermost one."""
    while internal_files[frame.f_code.co_filename]:
        if frame.f_back is None:
            return frame
        frame = frame.f_back
    return frame


class Source:
    """A place in user code, with the named scopes that were open there."""

    __slots__ = ("code", "offset", "scope")

    def __init__(self, code: CodeType, offset: int, scope: str = ""):
        self.code, self.offset, self.scope = code, offset, scope

    @property
    def file(self) -> str:
        return self.code.co_filename

    @property
    def line(self) -> int:
        for start, end, line in self.code.co_lines():
            if start <= self.offset < end and line is not None:
                return line
        return self.code.co_firstlineno

    @property
    def text(self) -> str:
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        scope = f" [{self.scope}]" if self.scope else ""
        return f"{self.file}:{self.line} in {self.code.co_name}{scope}"

    __repr__ = __str__


def here(depth: int = 1) -> Source:
    """The user line that is running now."""
    frame = user_frame(sys._getframe(depth))
    return Source(frame.f_code, frame.f_lasti)


def describe(source: Source | None) -> str | None:
    """`made at file:line in function: code`, or None."""
    if source is None:
        return None
    text = source.text
    return f"made at {source}" + (f": {text}" if text else "")
