"""What an operation that is no loop nest tells the emitter: whether it has a native form here, and that form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ....compiler.nest import numel, row_major as row_major
from ....core.avals import Aval
from ..llvm import Function, Value


class Buffer(NamedTuple):
    """An array in memory, as emitted code sees it."""

    pointer: Value
    """Address of the first element."""
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In elements."""
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        return numel(self.shape)


class Operation:
    """Native form of one primitive. Buffers are contiguous, row-major; outputs share no memory with inputs.

    accepts(avals, params)   whether these operands have a native form; otherwise the interpreter runs the equation
    scratch(avals, params)   bytes of working memory that `emit` gets, aligned to 64
    emit(...)                append the computation to `f`; larger parts as functions of `f.module`
    """

    strided = False
    """Takes inputs with any strides (0 and negative too)."""

    def accepts(self, avals: Sequence[Aval], params: dict[str, Any]) -> bool:
        return True

    def scratch(self, avals: Sequence[Aval], params: dict[str, Any]) -> int:
        return 0

    def writes(self, avals: Sequence[Aval], params: dict[str, Any], strides: tuple[int, ...]) -> bool:
        """Whether the result may lie with these strides, a permutation of row-major ones."""
        return False

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        raise NotImplementedError
