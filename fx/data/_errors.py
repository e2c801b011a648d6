"""What goes wrong with data."""

from __future__ import annotations

import fx


class DataError(fx.FxError, ValueError):
    """An example cannot be read, or made: the message names it."""
