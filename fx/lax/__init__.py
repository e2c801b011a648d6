"""`fx.lax`: structured control flow, collectives, and the lower-level operations under JAX's names."""

from __future__ import annotations

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
    scan as scan,
    switch as switch,
    while_loop as while_loop,
)
from ._operations import (
    clamp as clamp,
    conv_general_dilated as conv_general_dilated,
    cumlogsumexp as cumlogsumexp,
    cummax as cummax,
    cummin as cummin,
    cumprod as cumprod,
    cumsum as cumsum,
    digamma as digamma,
    dynamic_slice as dynamic_slice,
    dynamic_update_slice as dynamic_update_slice,
    erf as erf,
    erf_inv as erf_inv,
    erfc as erfc,
    iota as iota,
    lgamma as lgamma,
    logistic as logistic,
    optimization_barrier as optimization_barrier,
    pad as pad,
    rev as rev,
    rsqrt as rsqrt,
    select as select,
    sort_key_val as sort_key_val,
    stop_gradient as stop_gradient,
    top_k as top_k,
    window_max as window_max,
    window_min as window_min,
    window_sum as window_sum,
)
