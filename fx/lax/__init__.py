"""`fx.lax`: structured control flow, collectives, and the lower-level operations under JAX's names."""

from __future__ import annotations

from ..core import given as _given
from ._collectives import all_gather as all_gather
from ._collectives import axis_index as axis_index
from ._collectives import axis_size as axis_size
from ._collectives import pmax as pmax
from ._collectives import pmean as pmean
from ._collectives import pmin as pmin
from ._collectives import ppermute as ppermute
from ._collectives import pshuffle as pshuffle
from ._collectives import psum as psum
from ._control_flow import associative_scan as associative_scan
from ._control_flow import cond as cond
from ._control_flow import fori_loop as fori_loop
from ._control_flow import map as map
from ._control_flow import run_chunks as _run_chunks
from ._control_flow import scan as scan
from ._control_flow import switch as switch
from ._control_flow import while_loop as while_loop

_given.provide(run_chunks=_run_chunks)
