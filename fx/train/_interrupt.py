"""Ctrl-C at the end of a step instead of in the middle of one."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interrupt:
    """`with Interrupt() as interrupt:` the first Ctrl-C sets `interrupt.asked`; the second one interrupts at once.

    In threads other than the main one, which get no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None
        self._handles = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Interrupt:
        if self._handles:
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *exc: object) -> None:
        if self._handles:
            signal.signal(signal.SIGINT, self._before)
