"""fx: composable transformations of functions of arrays.

`fx.grad(loss)(params, batch)` is the whole idea: write NumPy-style code, get derivatives, batching,
checkpointing and compiled execution as function transformations that compose in any order.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import primitives as _primitives
from . import lax as lax
from . import numpy as numpy
from . import tree as tree
from ._callbacks import checkpoint_name as checkpoint_name
from ._callbacks import optimization_barrier as optimization_barrier
from ._callbacks import pure_callback as pure_callback
from ._callbacks import stop_gradient as stop_gradient
from ._transfer import block_until_ready as block_until_ready
from ._transfer import device_get as device_get
from ._transfer import device_put as device_put
from ._version import __version__ as __version__
from .core.array import Array as Array
from .core.config import config as config
from .core.devices import Device as Device
from .core.devices import default_device as default_device
from .core.devices import device as device
from .core.devices import devices as devices
from .core.errors import ArgumentError as ArgumentError
from .core.errors import DeviceError as DeviceError
from .core.errors import DTypeError as DTypeError
from .core.errors import FxError as FxError
from .core.errors import ImmutableError as ImmutableError
from .core.errors import LeakedTracerError as LeakedTracerError
from .core.errors import NanError as NanError
from .core.errors import OutOfBoundsError as OutOfBoundsError
from .core.errors import RuleError as RuleError
from .core.errors import ShapeError as ShapeError
from .core.errors import TracerError as TracerError
from .core.errors import TreeError as TreeError
from .core.program import Program as Program
from .core.scope import named_scope as named_scope
from .core.transforms.checkpoint import checkpoint as checkpoint
from .core.transforms.custom import custom_jvp as custom_jvp
from .core.transforms.custom import custom_vjp as custom_vjp
from .core.transforms.derived import hessian as hessian
from .core.transforms.derived import hvp as hvp
from .core.transforms.derived import jacfwd as jacfwd
from .core.transforms.derived import jacobian as jacobian
from .core.transforms.derived import jacrev as jacrev
from .core.transforms.derived import ravel_pytree as ravel_pytree
from .core.transforms.gradient import ShapeDtype as ShapeDtype
from .core.transforms.gradient import grad as grad
from .core.transforms.gradient import jvp as jvp
from .core.transforms.gradient import linear_transpose as linear_transpose
from .core.transforms.gradient import linearize as linearize
from .core.transforms.gradient import value_and_grad as value_and_grad
from .core.transforms.gradient import vjp as vjp
from .core.transforms.jit import clear_caches as clear_caches
from .core.transforms.jit import eval_shape as eval_shape
from .core.transforms.jit import jit as jit
from .core.transforms.jit import make_program as make_program
from .core.transforms.residuals import residuals as residuals
from .core.transforms.vmap import vmap as vmap

if TYPE_CHECKING:
    from . import checkpoint_policies as checkpoint_policies
    from . import debug as debug
    from . import losses as losses
    from . import nn as nn
    from . import optim as optim
    from . import random as random
    from . import testing as testing

remat = checkpoint
_LAZY = ("checkpoint_policies", "debug", "losses", "nn", "optim", "random", "testing")


def __getattr__(name: str) -> Any:
    """Namespaces that are imported when first used."""
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'fx' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
