"""fx: composable transformations of functions of arrays."""

from __future__ import annotations

import importlib
from typing import Any

from . import primitives as _primitives
from . import numpy as numpy
from ._version import __version__ as __version__
from .core.array import Array as Array
from .core.config import config as config
from .core.devices import default_device as default_device
from .core.devices import device as device
from .core.devices import devices as devices
from .core.transforms.gradient import ShapeDtype as ShapeDtype
from .core.transforms.gradient import grad as grad
from .core.transforms.gradient import jvp as jvp
from .core.transforms.gradient import linear_transpose as linear_transpose
from .core.transforms.gradient import linearize as linearize
from .core.transforms.gradient import value_and_grad as value_and_grad
from .core.transforms.gradient import vjp as vjp
from .core.transforms.vmap import vmap as vmap
from .core.transforms.checkpoint import checkpoint as checkpoint
from .core.transforms.custom import custom_jvp as custom_jvp
from .core.transforms.custom import custom_vjp as custom_vjp
from .core.transforms.jit import clear_caches as clear_caches
from .core.transforms.jit import eval_shape as eval_shape
from .core.transforms.jit import jit as jit
from .core.transforms.jit import make_program as make_program
