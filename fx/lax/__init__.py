"""`fx.lax`: structured control flow, collectives, and the lower-level operations under JAX's names."""

from __future__ import annotations

from ..core import given as _given
from ..primitives.elementwise import erf as erf, erfc as erfc, logistic as logistic
from ._collectives import (
    all_gather as all_gather,
    axis_index as axis_index,
    axis_size as axis_size,
    pmax as pmax,
    pmean as pmean,
    pmin as pmin,
    ppermute as ppermute,
    pshuffle as pshuffle,
    psum as psum,
)
from ._control_flow import (
    associative_scan as associative_scan,
    cond as cond,
    fori_loop as fori_loop,
    map as map,
    run_chunks as _run_chunks,
    scan as scan,
    switch as switch,
    while_loop as while_loop,
)

_given.provide(run_chunks=_run_chunks)
