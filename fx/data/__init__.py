"""`fx.data`: sources of examples, samplers, a loader that resumes exactly, and random transforms of arrays.

A source has a length and items, pytrees of NumPy arrays, numbers and text:

    source = fx.data.Arrays({"x": images, "y": labels})
    loader = fx.data.Loader(source, 32, key=fx.random.key(0), workers=2)
    for epoch in range(10):
        for batch in loader:          # {"x": (32, ...), "y": (32,)}, in an order that key and epoch decide
            ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from . import transforms as transforms
from ._errors import DataError as DataError
from ._files import (
    Csv as Csv,
    Hdf5 as Hdf5,
    ImageFolder as ImageFolder,
    Memmap as Memmap,
    Npz as Npz,
)
from ._loader import Loader as Loader, stacked as stacked
from ._samplers import (
    RandomSampler as RandomSampler,
    Sampler as Sampler,
    SequentialSampler as SequentialSampler,
    ShardedSampler as ShardedSampler,
    WeightedSampler as WeightedSampler,
)
from ._sources import (
    Arrays as Arrays,
    Concat as Concat,
    Filter as Filter,
    Map as Map,
    Source as Source,
    Stream as Stream,
    Subset as Subset,
    random_split as random_split,
)

if not _TYPE_CHECKING:
    from . import _names

    __getattr__ = _names.missing
