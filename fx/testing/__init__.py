"""Checks of derivatives, batching, compilation and recomputation, for tests of your own functions.

Each check calls the function at the given arguments and raises AssertionError with the path of the wrong
leaf, what was expected, what came out, and by how much it is off.
"""

from ._batching import check_vmap as check_vmap
from ._compare import assert_close as assert_close, tolerance as tolerance
from ._execution import (
    assert_traces as assert_traces,
    check_all as check_all,
    check_checkpoint as check_checkpoint,
    check_jit as check_jit,
)
from ._gradients import check_grads as check_grads
from ._strategies import arrays as arrays, gradient_property as gradient_property
