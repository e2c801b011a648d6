"""fx: composable transformations of functions of arrays.

`fx.grad(loss)(params, batch)` is the whole idea: write NumPy-style code, get derivatives, batching,
checkpointing and compiled execution as function transformations that compose in any order.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import numpy as numpy, tree as tree
from ._callbacks import (
    checkpoint_name as checkpoint_name,
    optimization_barrier as optimization_barrier,
    pure_callback as pure_callback,
    stop_gradient as stop_gradient,
)
from ._jax_names import (
    ShapeDtypeStruct as ShapeDtypeStruct,
    closure_convert as closure_convert,
    custom_gradient as custom_gradient,
    debug_nans as debug_nans,
    default_backend as default_backend,
    default_matmul_precision as default_matmul_precision,
    device_count as device_count,
    disable_jit as disable_jit,
    enable_x64 as enable_x64,
    ensure_compile_time_eval as ensure_compile_time_eval,
    fwd_and_bwd as fwd_and_bwd,
    local_device_count as local_device_count,
    local_devices as local_devices,
    make_jaxpr as make_jaxpr,
    named_call as named_call,
    process_count as process_count,
    process_index as process_index,
    typeof as typeof,
)
from ._profile import profile as profile
from ._transfer import (
    block_until_ready as block_until_ready,
    device_get as device_get,
    device_put as device_put,
)
from ._version import __version__ as __version__
from .core import executor as _executor, given as _given
from .core.array import Array as Array
from .core.config import config as config
from .core.devices import (
    Device as Device,
    default_device as default_device,
    device as device,
    devices as devices,
)
from .core.errors import (
    ArgumentError as ArgumentError,
    AxisError as AxisError,
    DeviceError as DeviceError,
    DTypeError as DTypeError,
    FxError as FxError,
    ImmutableError as ImmutableError,
    LeakedTracerError as LeakedTracerError,
    LinAlgError as LinAlgError,
    NanError as NanError,
    OutOfBoundsError as OutOfBoundsError,
    OutOfMemoryError as OutOfMemoryError,
    RuleError as RuleError,
    ShapeError as ShapeError,
    TracerError as TracerError,
    TreeError as TreeError,
)
from .core.program import Program as Program
from .core.scope import named_scope as named_scope
from .core.transforms import lowered as _lowered
from .core.transforms.checkpoint import checkpoint as checkpoint
from .core.transforms.custom_jvp import custom_jvp as custom_jvp
from .core.transforms.custom_vjp import custom_vjp as custom_vjp
from .core.transforms.derived import (
    hessian as hessian,
    hvp as hvp,
    jacfwd as jacfwd,
    jacobian as jacobian,
    jacrev as jacrev,
    ravel_pytree as ravel_pytree,
)
from .core.transforms.gradient import (
    ShapeDtype as ShapeDtype,
    grad as grad,
    jvp as jvp,
    linear_transpose as linear_transpose,
    linearize as linearize,
    value_and_grad as value_and_grad,
    vjp as vjp,
)
from .core.transforms.jit import (
    clear_caches as clear_caches,
    eval_shape as eval_shape,
    jit as jit,
    make_program as make_program,
)
from .core.transforms.residuals import residuals as residuals
from .core.transforms.vmap import vmap as vmap

if TYPE_CHECKING:
    from . import (
        checkpoint_policies as checkpoint_policies,
        data as data,
        debug as debug,
        fft as fft,
        flatten_util as flatten_util,
        image as image,
        io as io,
        lax as lax,
        linalg as linalg,
        losses as losses,
        memory as memory,
        metrics as metrics,
        nn as nn,
        ode as ode,
        ops as ops,
        optim as optim,
        random as random,
        scipy as scipy,
        signal as signal,
        special as special,
        stats as stats,
        testing as testing,
        train as train,
        tree_util as tree_util,
        typing as typing,
    )

remat = checkpoint
_LAZY = (
    "checkpoint_policies",
    "data",
    "debug",
    "fft",
    "flatten_util",
    "image",
    "io",
    "lax",
    "linalg",
    "losses",
    "memory",
    "metrics",
    "nn",
    "ode",
    "ops",
    "optim",
    "random",
    "scipy",
    "signal",
    "special",
    "stats",
    "testing",
    "train",
    "tree_util",
    "typing",
)


def _run_chunks(*args: Any) -> Any:
    """`vmap(chunk=)` loops with fx.lax, which is imported when first used."""
    return importlib.import_module("fx.lax._control_flow").run_chunks(*args)


_given.provide(run_chunks=_run_chunks)
_executor.provide("cpu", "fx.backends.cpu")
_lowered.provide("cpu", "fx.backends.cpu.report")


def __getattr__(name: str) -> Any:
    """Namespaces that are imported when first used."""
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'fx' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
