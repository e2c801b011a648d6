"""What a block of code takes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..backends.pool import HOST
from ..core.avals import format_bytes
from ..core.errors import ArgumentError, brief, lines


class region:
    """Measures the memory that a block of code takes: what fx takes from its pool, and what NumPy allocates.

    A context manager, or a decorator, whose function then has the last measurement as its attribute `region`. Regions
    nest and overlap freely. The pool is measured for all threads together, NumPy for this thread or task.

    Args:
        name: for printing.

    >>> import numpy
    >>> from fx.backends.pool import HOST
    >>> with region("step") as r:
    ...     block = HOST.take(1_000_000)
    ...     HOST.give(block)
    ...     kept = numpy.zeros(1000)
    >>> r
    region 'step': peak 976.6 KiB, allocated 976.6 KiB, released 976.6 KiB, net 0 B, 1 request
      NumPy: peak 7.812 KiB, allocated 7.812 KiB, released 0 B, net 7.812 KiB, 1 request
    """

    def __init__(self, name: str | None = None):
        if name is not None and not isinstance(name, str):
            raise ArgumentError(
                lines(
                    f"region takes a name; got {brief(name)}.",
                    'Write fx.memory.region("step"), with parentheses.',
                )
            )
        self.name = name
        self._pool: Any = None
        self._numpy: Any = None
        self._before: Any = None
        self._open = False

    def __enter__(self) -> region:
        if self._open:
            raise ArgumentError(
                lines(f"{self._title()} is open already.", "Make one for each block of code.")
            )
        self._pool = HOST.watch()
        self._numpy, self._before = _counter().watch()
        self._open = True
        return self

    def __exit__(self, *exc: object) -> None:
        _counter().unwatch(self._numpy, self._before)
        HOST.unwatch(self._pool)
        self._open, self._before = False, None

    def __call__(self, fun: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(fun):
            raise ArgumentError(
                lines(f"region decorates a function; got {brief(fun)}.", 'Write @fx.memory.region("step").')
            )

        @functools.wraps(fun)
        def measured(*args: Any, **kwargs: Any) -> Any:
            with region(self.name or getattr(fun, "__name__", None)) as r:
                result = fun(*args, **kwargs)
            measured.region = r  # type: ignore[attr-defined]
            return result

        return measured

    @property
    def pool(self) -> Usage:
        """What fx took from its pool: results and working memory of compiled programs."""
        if self._open:
            HOST.look(self._pool)
        return self._usage(self._pool)

    @property
    def numpy(self) -> Usage:
        """What NumPy allocated: the interpreter's arrays and the user's own; `start` and deaths count only arrays
        that were made in a region."""
        if self._open:
            _counter().look(self._numpy)
        return self._usage(self._numpy)

    def _usage(self, watch: Any) -> Usage:
        if watch is None:
            raise ArgumentError(
                lines(f"{self._title()} has measured nothing yet.", "Write with region as r: ...")
            )
        released = watch.allocated - watch.net
        return Usage(
            watch.start, watch.used - watch.start, watch.allocated, released, watch.net, watch.requests
        )

    start = property(lambda self: self.pool.start, doc="Bytes of the pool in use when the block began.")
    peak = property(
        lambda self: self.pool.peak, doc="The most bytes of the pool in use at once, beyond `start`."
    )
    allocated = property(lambda self: self.pool.allocated, doc="Bytes of all requests to the pool.")
    released = property(lambda self: self.pool.released, doc="Bytes that came back to the pool.")
    net = property(
        lambda self: self.pool.net, doc="Bytes of the pool in use at the end beyond `start`; may be negative."
    )
    requests = property(lambda self: self.pool.requests, doc="Number of requests to the pool.")

    def _title(self) -> str:
        return f"region {self.name!r}" if self.name else "region"

    def __repr__(self) -> str:
        if self._pool is None:
            return f"{self._title()}: not run yet"
        return f"{self._title()}: {self.pool}\n  NumPy: {self.numpy}"


@dataclass(frozen=True)
class Usage:
    """Memory that a block of code took from one allocator, in bytes."""

    start: int
    """In use when the block began."""
    peak: int
    """The most in use at once, beyond `start`."""
    allocated: int
    """Of all requests."""
    released: int
    """That came back, from before the block too."""
    net: int
    """In use at the end, beyond `start`; negative where more came back than went out."""
    requests: int
    """Their number."""

    def __str__(self) -> str:
        sizes = (
            f"{name} {_signed(getattr(self, name))}" for name in ("peak", "allocated", "released", "net")
        )
        return f"{', '.join(sizes)}, {self.requests:,} request{'s' * (self.requests != 1)}"


def _signed(nbytes: int) -> str:
    return f"-{format_bytes(-nbytes)}" if nbytes < 0 else format_bytes(nbytes)


def _counter() -> Any:
    """The counter of NumPy's allocations, which is native code: llvmlite is loaded when first needed."""
    from ..backends.pool.numpy_memory import counter

    return counter()
