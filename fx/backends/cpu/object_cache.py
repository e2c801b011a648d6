"""Compiled objects on disk, so that a second process compiles nothing.

A file is named by the hash of what determines it: the key text, the versions of fx, llvmlite and LLVM, and the host's
CPU, features and triple. It holds a mark, that hash, a checksum and the object; whatever does not fit (torn, foreign,
somebody else's) counts as absent and is written anew. Files appear by renaming, so processes may share a directory.
Where nothing can be written, everything works without.

`FX_CACHE_DIR` is the directory ("off": none), `FX_CACHE_SIZE` the bytes kept, such as 512M; least recently used files
go first.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import llvmlite
import llvmlite.binding

from ..._version import __version__
from ...core import errors
from .engine import host

_MARK = b"fx object 3\n"
_DIGEST = 32
_DEFAULT_SIZE = "512M"
_STALE = 3600
"""Seconds after which a temporary file belongs to nobody."""


def cached_object(key: str, make: Callable[[], bytes]) -> bytes:
    """The object that `key` determines, from disk, or else from `make`."""
    return cached_objects([key], lambda _: [make()])[0]


def cached_objects(keys: Sequence[str], make: Callable[[list[str]], Sequence[bytes]]) -> list[bytes]:
    """The objects that keys determine, from disk; those that are not there are made together."""
    cache = object_cache()
    return list(make(list(keys))) if cache is None else cache.get_all(keys, make)


@functools.cache
def object_cache() -> ObjectCache | None:
    """The cache that the environment asks for; None where it is off."""
    directory, limit = _directory(), _size(os.environ.get("FX_CACHE_SIZE", _DEFAULT_SIZE))
    return ObjectCache(directory, limit) if directory and limit else None


class Statistics(NamedTuple):
    """What happened in this process."""

    hits: int = 0
    misses: int = 0
    refused: int = 0
    """Files that were there but torn, foreign or somebody else's; they are misses too."""
    bytes_read: int = 0
    bytes_written: int = 0
    evicted: int = 0
    """Files removed to keep the size."""


class ObjectCache:
    """A directory of objects, at most about `limit` bytes of them."""

    def __init__(self, directory: Path, limit: int):
        self.directory, self.limit = directory / "objects", limit
        self.prefix = f"{self.directory}{os.sep}"
        self.lock = threading.Lock()
        self.statistics = Statistics()
        self.numbers = itertools.count()
        self.writable: bool | None = None
        self.unmeasured = limit
        """Bytes written since the directory was last measured."""

    def get(self, key: str, make: Callable[[], bytes]) -> bytes:
        """The object of a key, made and stored if it is not there."""
        return self.get_all([key], lambda _: [make()])[0]

    def get_all(self, keys: Sequence[str], make: Callable[[list[str]], Sequence[bytes]]) -> list[bytes]:
        """The objects of keys; those that are not there are made and stored."""
        digests = {key: _digest(key) for key in keys}
        found = {key: self._read(self.prefix + d.hex(), d) for key, d in digests.items()}
        there = [code for code in found.values() if code is not None]
        self._count(hits=len(there), bytes_read=sum(map(len, there)))
        missing = [key for key, code in found.items() if code is None]
        for key, code in zip(missing, make(missing) if missing else (), strict=True):
            self._count(misses=1)
            self._store(self.prefix + digests[key].hex(), digests[key], code)
            found[key] = code
        return [code for key in keys if (code := found[key]) is not None]

    def clear(self) -> None:
        """Remove every object."""
        for _, _, path in self._entries():
            _remove(path)

    def size(self) -> int:
        """Bytes on disk."""
        return sum(size for _, size, _ in self._entries())

    def _count(self, **more: int) -> None:
        with self.lock:
            now = self.statistics
            self.statistics = now._replace(**{name: getattr(now, name) + n for name, n in more.items()})

    # Reading

    def _read(self, path: str, digest: bytes) -> bytes | None:
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            code = _content(file, digest)
            if code is not None:
                with suppress(OSError):
                    os.utime(file)  # the time of last use
        finally:
            os.close(file)
        if code is None:
            self._count(refused=1)
        return code

    # Writing

    def _store(self, path: str, digest: bytes, code: bytes) -> None:
        if len(code) > self.limit or not self._prepared():
            return
        temporary = f"{path}.{os.getpid()}.{next(self.numbers)}.tmp"
        try:
            _write(temporary, _MARK + digest + _checksum(code) + code)
            os.replace(temporary, path)
        except OSError:
            _remove(temporary)
            return
        self._count(bytes_written=len(code))
        self._bound(len(code))

    def _prepared(self) -> bool:
        """Whether the directory is there, ours, and closed to others."""
        if self.writable is None:
            self.writable = False
            with suppress(OSError):
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                status = os.lstat(self.directory)
                if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
                    if status.st_mode & 0o077:
                        os.chmod(self.directory, 0o700)
                    self.writable = True
        return self.writable

    def _bound(self, added: int) -> None:
        """Once a part of the limit was written, measure, and remove what was used longest ago."""
        with self.lock:
            self.unmeasured += added
            if self.unmeasured <= self.limit // 64:
                return
            self.unmeasured = 0
        entries = sorted(self._entries())
        excess = sum(size for _, size, _ in entries) - self.limit
        for _, size, path in entries:
            if excess <= 0:
                break
            _remove(path)
            self._count(evicted=1)
            excess -= size

    def _entries(self) -> list[tuple[float, int, str]]:
        """(time of last use, bytes, path) of every object; abandoned temporary files are removed."""
        found = []
        with suppress(OSError), os.scandir(self.directory) as files:
            for entry in files:
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if not entry.name.endswith(".tmp"):
                        found.append((status.st_mtime, status.st_size, entry.path))
                    elif time.time() - status.st_mtime > _STALE:
                        _remove(entry.path)
        return found


@functools.cache
def _identity() -> hashlib._Hash:
    """What objects depend on besides their key."""
    machine, version = host(), ".".join(map(str, llvmlite.binding.llvm_version_info))
    parts = (__version__, llvmlite.__version__, version, machine.cpu, machine.features, machine.triple)
    return hashlib.sha256("\0".join((*parts, "")).encode())


def _digest(key: str) -> bytes:
    h = _identity().copy()
    h.update(key.encode())
    return h.digest()


def _checksum(code: bytes) -> bytes:
    return hashlib.sha256(code).digest()


def _content(file: int, digest: bytes) -> bytes | None:
    """The object in an open file, if the file is ours, closed to others' writing, whole, and of this digest."""
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        return None
    with suppress(OSError), open(file, "rb", buffering=0, closefd=False) as f:
        content = f.readall()
        head = len(_MARK) + 2 * _DIGEST
        code = content[head:]
        if content[:head] == _MARK + digest + _checksum(code):
            return code
    return None


def _write(path: str, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(file, "wb", buffering=0) as f:
        rest = memoryview(content)
        while rest:
            rest = rest[f.write(rest) :]


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def _directory() -> Path | None:
    """FX_CACHE_DIR, or else the user's place for such files."""
    text = os.environ.get("FX_CACHE_DIR")
    if text is not None:
        return None if text.lower() in ("off", "") else Path(text).expanduser().absolute()
    root = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(root):
        return Path(root) / "fx"
    try:
        return Path.home() / ("Library/Caches/fx" if sys.platform == "darwin" else ".cache/fx")
    except RuntimeError:
        return None


def _size(text: str) -> int:
    """Bytes, from digits with K, M or G behind them."""
    match = re.fullmatch(r"(\d+)([KMG]?)(I?B)?", text.strip().upper())
    if not match:
        raise errors.ArgumentError(
            errors.lines(f"FX_CACHE_SIZE={text!r} is not a size.", "Write bytes, or such as 300M or 2G.")
        )
    return int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2]]
