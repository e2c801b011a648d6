"""Writing a file so that at any moment the old one or the new one is there, whole."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def replace_file(path: Path, write: Callable[[str], None]) -> None:
    """Let `write` make a file beside `path`, bring it to the disk, then give it the name in one step.

    A process killed on the way leaves what was there before (and perhaps a file `.<name>.<random>.part`).
    """
    handle, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    try:
        write(part)
        _to_disk(part)
        os.chmod(part, _mode(path))
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise
    _to_disk(str(path.parent))


def _to_disk(path: str) -> None:
    if os.path.isdir(path) and os.name == "nt":  # Windows has no handle of a folder to flush
        return
    handle = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _mode(path: Path) -> int:
    """The permissions of the file that is replaced, or those of a new file."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
