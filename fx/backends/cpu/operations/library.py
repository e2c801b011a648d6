"""Functions that programs call by name: compiled once, kept on disk, linked when a program needs them first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..linking import Source, offer
from ..llvm import Function, Module, Value
from ..parts import parts


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
        _signatures.update(functions)
        self._source: Source | None = None
        offer(functions, self.source)

    def define(self, module: Module, name: str) -> Function:
        """The empty function `name`, to be written."""
        result, params = self.functions[name]
        return module.function(name, result, params, internal=False)

    def source(self) -> Source:
        if self._source is None:
            module = Module("fx " + " ".join(self.functions))
            self.write(module)
            imports = [name for library in self.uses for name in library.functions] + [
                "fx_parallel"
            ] * self.threads
            self._source = Source(str(module), list(self.functions), imports, lambda: parts(module))
        return self._source


_signatures: dict[str, Signature] = {}


def call(f: Function, name: str, args: Sequence[Value]) -> Value:
    """Call a function of a library."""
    return f.call(name, _signatures[name].result, args)


def address_of(f: Function, name: str) -> Value:
    """A function of a library as a pointer."""
    signature = _signatures[name]
    f.module.declare(name, signature.result, signature.params)
    return Value(f"@{name}", "ptr")
