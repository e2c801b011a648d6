"""What PyTorch's data tools are called here."""

from __future__ import annotations

import sys
from typing import NoReturn

_PLACES = {
    "DataLoader": "data.Loader, where key= shuffles",
    "Dataset": "any class with a length and items by number",
    "TensorDataset": "data.Arrays",
    "IterableDataset": "data.Stream",
    "ConcatDataset": "data.Concat",
    "ChainDataset": "data.Concat",
    "DistributedSampler": "data.ShardedSampler",
    "WeightedRandomSampler": "data.WeightedSampler",
    "SubsetRandomSampler": "data.Subset, and key= of data.Loader",
    "BatchSampler": "batch_size= and drop_last= of data.Loader",
    "default_collate": "data.stacked",
    "CsvDataset": "data.Csv",
}


def missing(name: str) -> NoReturn:
    """The error for a name that data has not, with what to write instead where that is known."""
    place = _place_of(name)
    hint = f"; write {place}" if place else ""
    raise AttributeError(f"fx.data has no {name!r}{hint}.", name=name, obj=sys.modules["fx.data"])


def _place_of(name: str) -> str:
    return _PLACES.get(name, "")
