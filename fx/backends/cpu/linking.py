"""From modules to memory: what a module calls of libraries is loaded before it.

Libraries offer their functions by name. Whatever of all that no cache has is compiled side by side.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from . import threads
from .engine import Linked, engine
from .generation import bundle, unbundled
from .llvm import Module
from .object_cache import cached_objects
from .parts import Part, parts


class Source(NamedTuple):
    """Code that the cache may have."""

    key: str
    exports: Sequence[str]
    imports: Sequence[str]
    parts: Callable[[], Sequence[Part]]


_homes: dict[str, Callable[[], Source]] = {}
_lock = threading.RLock()
_kept: list[Linked] = []


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def offer(names: Iterable[str], source: Callable[[], Source]) -> None:
    """Functions that modules may call: where they are."""
    _homes.update(dict.fromkeys(names, source))


def load(module: Module, exports: Sequence[str], made: Callable[[], None] = lambda: None) -> Linked:
    """A module in memory, with the addresses of its functions `exports`; `made` is called if it had to be compiled."""

    def written() -> Sequence[Part]:
        made()
        return parts(module, exports)

    return load_source(Source(str(module), exports, called(module), written))


def load_source(source: Source) -> Linked:
    with _lock:
        needed = _needed(source.imports)
        *codes, code = _compiled([*needed, source])
        _keep(needed, codes)
        return _link(source, code)


def address_of(name: str) -> int:
    """Where a function is that a library offers."""
    with _lock:
        needed = _needed([name])
        _keep(needed, _compiled(needed))
        return engine().symbols[name]


def _keep(libraries: Sequence[Source], codes: Sequence[Sequence[bytes]]) -> None:
    """Libraries in memory for as long as the process lives."""
    for library, code in zip(libraries, codes, strict=True):
        linked = _link(library, code)
        for name, address in linked.address.items():
            engine().provide(name, address)
        _kept.append(linked)


def called(module: Module) -> list[str]:
    """What a module calls of libraries."""
    known = (_homes, engine().symbols, threads.PROVIDED)
    return [name for name in module.declared if any(name in names for names in known)]


def _needed(names: Iterable[str]) -> list[Source]:
    """What offers these functions and is not in memory yet, each after what it needs itself."""
    found: dict[str, Source] = {}

    def visit(names: Iterable[str]) -> None:
        for name in names:
            if name not in engine().symbols and name in _homes:
                home = _homes[name]()
                if home.key not in found:
                    visit(home.imports)
                    found[home.key] = home

    visit(names)
    return list(found.values())


def _compiled(sources: Sequence[Source]) -> list[list[bytes]]:
    by_key = {source.key: source for source in sources}

    def make(keys: list[str]) -> list[bytes]:
        texts = [by_key[key].parts() for key in keys]
        objects = iter(engine().objects([part for text in texts for part in text]))
        return [bundle([next(objects) for _ in text]) for text in texts]

    return [unbundled(code) for code in cached_objects([source.key for source in sources], make)]


def _link(source: Source, objects: Sequence[bytes]) -> Linked:
    if any(name in threads.PROVIDED for name in source.imports):
        threads.ensure()
    return engine().link(objects, list(source.exports), source.imports)
