"""Donation: inputs whose memory the caller gives up, so that results may take it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .avals import Aval
from .errors import ArgumentError, lines
from .program import Program


class Donated:
    """In place of the buffer of an array that was given up."""

    def __init__(self, name: str, aval: Aval):
        self._name, self.shape, self.dtype = name, aval.shape, aval.dtype

    def __getattr__(self, attribute: str) -> Any:
        raise ArgumentError(
            lines(
                f"This array was donated to {self._name} and may not be used again.",
                "Use the result of that call, or drop it from donate_argnums.",
            )
        )


def usable_donations(
    function: str, program: Program, given: Sequence[bool], names: Callable[[], list[str]]
) -> tuple[int, ...]:
    """The donated inputs by number; ArgumentError for one whose memory no result could take."""
    donated = tuple(i for i, on in enumerate(given) if on)
    free = [(a.shape, a.dtype) for a in program.out_avals]
    for i in donated:
        aval = program.in_avals[i]
        if (aval.shape, aval.dtype) not in free:
            raise ArgumentError(
                lines(
                    f"jit of {function}: {names()[i]}, {aval}, was donated, but no result is left that could take its "
                    "memory.",
                    f"results: {', '.join(map(str, program.out_avals))}",
                    "Donate only what is replaced by a result of the same shape and dtype.",
                )
            )
        free.remove((aval.shape, aval.dtype))
    return donated
