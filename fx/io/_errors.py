"""What goes wrong with files."""

from __future__ import annotations

from typing import Any

import fx


class FileError(fx.FxError, ValueError):
    """A file is damaged, incomplete, or not what it says it is."""


def damaged(path: Any, why: str) -> FileError:
    return FileError(f"{path} cannot be read: {why}.\nNothing of it was loaded.")
