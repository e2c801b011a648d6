"""`fx.lax`: structured control flow, collectives, and the lower-level operations under JAX's names."""

from __future__ import annotations

from ..core import given as _given
from ._control_flow import associative_scan as associative_scan
from ._control_flow import cond as cond
from ._control_flow import fori_loop as fori_loop
from ._control_flow import map as map
from ._control_flow import run_chunks as _run_chunks
from ._control_flow import scan as scan
from ._control_flow import switch as switch
from ._control_flow import while_loop as while_loop

_given.provide(run_chunks=_run_chunks)
