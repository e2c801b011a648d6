"""A workload ready to run in one system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Task(NamedTuple):
    """`run()` does the work once and returns when it is done; `read(result)` gives the outputs as NumPy arrays.

    `settle()` is called once the outputs were verified, before anything is timed: it brings the first state back.
    `step` is the compiled function and `arguments()` what it is called with next, where there are such.
    """

    run: Callable[[], Any]
    read: Callable[[Any], list[np.ndarray]]
    settle: Callable[[], None] = lambda: None
    step: Any = None
    arguments: Callable[[], Any] = tuple

    def outputs(self, result: Any, steps: int) -> list[np.ndarray]:
        """What `steps` calls in a row give, the first of which gave `result`."""
        found = self.read(result)
        for _ in range(steps - 1):
            found += self.read(self.run())
        return found
