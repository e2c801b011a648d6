"""Reading and writing at computed positions, all in one place."""

from __future__ import annotations

from .dynamic_slicing import dynamic_slice as dynamic_slice, dynamic_update_slice as dynamic_update_slice
from .gather_scatter import (
    MODES as MODES,
    OPS as OPS,
    fill_for as fill_for,
    gather as gather,
    gather_p as gather_p,
    scatter as scatter,
    scatter_p as scatter_p,
)
