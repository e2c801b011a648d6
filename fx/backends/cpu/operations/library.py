"""Functions that programs call by name: compiled once, kept on disk, linked when first needed.

`call` is enough within one process. A program that comes from the disk cache was emitted in another one: whoever
links it calls `ensure` on the names that it imports first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from .. import threads
from ..engine import Linked, engine
from ..llvm import Function, Module, Value
from ..object_cache import cached_object


class Signature(NamedTuple):
    """Type of a function."""

    result: str
    params: tuple[str, ...]


class Library:
    """Functions that are compiled together.

    `write` adds them to a module, as `functions` says, and helpers of its own. `uses`: libraries whose functions
    they call; `threads`: they call `fx_parallel`.
    """

    def __init__(
        self,
        functions: Mapping[str, Signature],
        write: Callable[[Module], None],
        uses: Sequence[Library] = (),
        threads: bool = False,
    ):
        self.functions, self.write, self.uses, self.threads = dict(functions), write, uses, threads
        self.linked: Linked | None = None
        _homes.update(dict.fromkeys(functions, self))

    def text(self) -> str:
        module = Module("fx " + " ".join(self.functions))
        self.write(module)
        return str(module)

    def define(self, module: Module, name: str) -> Function:
        """The empty function `name`, to be written."""
        result, params = self.functions[name]
        return module.function(name, result, params, internal=False)

    def ensure(self) -> None:
        """Link the library into this process, once."""
        with _lock:
            if self.linked is None:
                self.linked = self._link()
                for name, address in self.linked.address.items():
                    engine().provide(name, address)

    def _link(self) -> Linked:
        imports = [name for library in self.uses for name in library.functions]
        for library in self.uses:
            library.ensure()
        if self.threads:
            threads.ensure()
            imports.append("fx_parallel")
        text = self.text()
        code = cached_object(text, lambda: engine().object_code(text))
        return engine().link(code, list(self.functions), imports)


_homes: dict[str, Library] = {}
_lock = threading.RLock()


def call(f: Function, name: str, args: Sequence[Value]) -> Value:
    """Call a function of a library."""
    _homes[name].ensure()
    return f.call(name, _homes[name].functions[name].result, args)


def address_of(f: Function, name: str) -> Value:
    """A function of a library as a pointer."""
    _homes[name].ensure()
    signature = _homes[name].functions[name]
    f.module.declare(name, signature.result, signature.params)
    return Value(f"@{name}", "ptr")


def ensure(names: Iterable[str]) -> None:
    """Make those of `names` that stand in a library callable from modules linked later."""
    for name in names:
        if name in _homes:
            _homes[name].ensure()
