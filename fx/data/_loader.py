"""The loader: batches of a source's examples, in an order that can be taken up anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from reprlib import repr as brief
from typing import Any

import numpy as np

import fx
import fx.numpy as fnp
from fx import random

from ._errors import DataError
from ._fields import function, listed
from ._samplers import RandomSampler, Sampler, SequentialSampler
from ._sources import Arrays, Source, Stream
from ._workers import parallel


class Loader:
    """Batches of examples; each `for` over the loader is an epoch.

    What comes in which batch depends on the key and the epoch alone, never on the number of workers.

    Args:
        source: examples by number, or a `Stream`.
        batch_size: examples in a batch; the last one of an epoch may be smaller unless `drop_last`.
        key: a random key: examples are shuffled, anew each epoch, and `transform` gets keys.
        sampler: another order; not with a Stream.
        transform: f(example), or with `random_transform` f(key, example), applied to each by whoever loads it.
        collate: makes a batch of a list of examples; `stacked` unless given.
        workers: processes that load; 0 loads in this one. prefetch: batches each works in advance.
        device: where batches go; None is the default device.
        start: "fork", "spawn" or "forkserver"; see multiprocessing.

    `state()` is a dict of integers that says which batch comes next; `restore(state)` takes up from there, exactly,
    also in the middle of an epoch.

    >>> loader = Loader(Arrays(np.arange(5)), 2)
    >>> [batch.tolist() for batch in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        source: Source | Stream,
        batch_size: int,
        *,
        key: Any = None,
        sampler: Sampler | None = None,
        drop_last: bool = False,
        transform: Callable[..., Any] | None = None,
        random_transform: bool = False,
        collate: Callable[[list[Any]], Any] | None = None,
        workers: int = 0,
        prefetch: int = 2,
        device: Any = None,
        start: str | None = None,
    ):
        _check(source, batch_size, sampler, key, random_transform, workers, prefetch)
        self.source, self.batch_size, self.key, self.drop_last = source, batch_size, key, drop_last
        self.sampler = _default_sampler(source, key) if sampler is None else sampler
        self.transform, self.random_transform = transform, random_transform
        self.collate = stacked if collate is None else function(collate, "Loader: collate")
        if transform is not None:
            function(transform, "Loader: transform")
        self.workers, self.prefetch, self.device, self.start = workers, prefetch, device, start
        self.epoch = 0
        self.position = 0
        """Batches of this epoch that were delivered."""

    def __len__(self) -> int:
        """Batches in this epoch."""
        if isinstance(self.source, Stream):
            raise TypeError("A Stream has no length: how many batches an epoch has is known at its end.")
        n = len(self.sampler.indices(self.epoch))
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def state(self) -> dict[str, int]:
        """What `restore` needs; numbers, to be saved with parameters and optimizer state."""
        return {"epoch": self.epoch, "position": self.position}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on after the batches that had been delivered when `state()` was called."""
        if not isinstance(state, dict) or not {"epoch", "position"} <= set(state):
            raise fx.ArgumentError(
                f"Loader: restore takes what state() gave, {{'epoch': ..., 'position': ...}}; got {brief(state)}."
            )
        self.epoch, self.position = int(state["epoch"]), int(state["position"])

    def __iter__(self) -> Iterator[Any]:
        """The batches of this epoch that are left; then the next epoch begins."""
        batches = self._of_stream() if isinstance(self.source, Stream) else self._of_source(self.source)
        try:
            for batch in batches:
                self.position += 1
                yield self._placed(batch)
        finally:
            batches.close()
        self.epoch, self.position = self.epoch + 1, 0

    def _of_source(self, source: Source) -> Iterator[Any]:
        indices = np.asarray(self.sampler.indices(self.epoch))
        if indices.size and not 0 <= indices.min() <= indices.max() < len(source):
            raise fx.OutOfBoundsError(
                f"Loader: {brief(self.sampler)} gives examples {indices.min()} to {indices.max()}; "
                f"the source has {len(source)}."
            )
        stop = len(indices) // self.batch_size * self.batch_size if self.drop_last else len(indices)
        starts = range(self.position * self.batch_size, stop, self.batch_size)
        keys = self._keys(indices)
        tasks = (
            (
                indices[i : i + self.batch_size].tolist(),
                None if keys is None else keys[i : i + self.batch_size],
            )
            for i in starts
        )
        load = _Load(source, self.transform, self.collate)
        if self.workers:
            yield from parallel(
                load, tasks, min(self.workers, max(1, len(starts))), self.prefetch, self.start
            )
        else:
            for task in tasks:
                yield load(task, lambda index: None)

    def _keys(self, indices: Any) -> Any:
        """A key of each example, by its number and the epoch: (n, 2) integers of NumPy."""
        if not self.random_transform:
            return None
        own = random.fold_in(random.fold_in(self.key, self.epoch), 2**31 - 1)
        return np.asarray(fx.vmap(random.fold_in, in_axes=(None, 0))(own, fnp.asarray(indices)))

    def _of_stream(self) -> Iterator[Any]:
        seed = (
            None if self.key is None else int(np.asarray(random.bits(random.fold_in(self.key, self.epoch))))
        )
        examples = self.source.examples(self.epoch, seed)  # type: ignore[union-attr]
        load = _Load(None, self.transform, self.collate)
        number = 0
        while held := list(islice(examples, self.batch_size)):
            if len(held) == self.batch_size or not self.drop_last:
                if number >= self.position:
                    keys = self._keys(
                        np.arange(number * self.batch_size, number * self.batch_size + len(held))
                    )
                    yield load.of(held, keys)
                number += 1

    def _placed(self, batch: Any) -> Any:
        put = lambda x: x if isinstance(x, str) else fx.device_put(x, self.device)
        return fx.tree.map(put, batch)


class _Load:
    """What a process does: read, transform, collate."""

    def __init__(self, source: Any, transform: Any, collate: Any):
        self.source, self.transform, self.collate = source, transform, collate

    def __call__(self, task: Any, report: Callable[[int], None]) -> Any:
        indices, keys = task
        if self.transform is None and self.collate is stacked and isinstance(self.source, Arrays):
            return self.source.rows(indices)
        examples = []
        for n, index in enumerate(indices):
            report(index)
            try:
                examples.append(self._one(self.source[index], None if keys is None else keys[n]))
            except Exception as error:
                error.add_note(f"This happened while a Loader loaded example {index}.")
                raise
        return self.collate(examples)

    def of(self, examples: list[Any], keys: Any) -> Any:
        """A batch of examples that were read already."""
        return self.collate([self._one(x, None if keys is None else keys[n]) for n, x in enumerate(examples)])

    def _one(self, example: Any, key: Any) -> Any:
        if self.transform is None:
            return example
        return self.transform(example) if key is None else self.transform(key, example)


def stacked(examples: list[Any]) -> Any:
    """Examples of one structure as one, arrays and numbers along a new first axis, text as lists.

    Raises:
        DataError: structures or shapes differ.
    """
    examples = listed(examples, "stacked: examples")
    if not examples:
        raise DataError("stacked needs at least one example.")
    structures = [fx.tree.structure(x) for x in examples]
    for i, structure in enumerate(structures):
        if structure != structures[0]:
            raise DataError(
                f"Example {i} of a batch has structure {structure}, the first one {structures[0]}."
            )
    columns = zip(*(fx.tree.leaves(x) for x in examples), strict=True)
    paths = [path for path, _ in fx.tree.leaves_with_path(examples[0])]
    return structures[0].unflatten(
        [_column(path, column) for path, column in zip(paths, columns, strict=True)]
    )


def _column(path: Any, values: Sequence[Any]) -> Any:
    if isinstance(values[0], (str, bytes)):
        return list(values)
    arrays = [np.asarray(x) for x in values]
    if any(x.dtype.kind == "O" for x in arrays):
        raise DataError(f"example{fx.tree.keystr(path)} is no array, number or text: {brief(values[0])}.")
    if len({x.shape for x in arrays}) > 1:
        raise DataError(
            f"example{fx.tree.keystr(path)} has shapes {sorted({x.shape for x in arrays})} in one batch.\n"
            "Crop or pad in transform=, or pass collate=."
        )
    return np.stack(arrays)


def _default_sampler(source: Any, key: Any) -> Any:
    if isinstance(source, Stream):
        return None
    return SequentialSampler(len(source)) if key is None else RandomSampler(len(source), key)


def _check(
    source: Any, batch_size: Any, sampler: Any, key: Any, random_transform: bool, workers: Any, prefetch: Any
) -> None:
    for name, value, least in (
        ("batch_size", batch_size, 1),
        ("workers", workers, 0),
        ("prefetch", prefetch, 1),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise fx.ArgumentError(f"Loader: {name} is an integer of at least {least}; got {brief(value)}.")
    if not isinstance(source, Stream) and not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
        raise fx.ArgumentError(
            f"Loader: a source has a length and items; {type(source).__name__} has not.\n"
            "Write Arrays(tree) for arrays in memory, Stream(function) for an iterator."
        )
    if isinstance(source, tuple) and _are_columns(source):
        raise fx.ArgumentError("Loader: a tuple of arrays is no source.\nWrite Arrays((x, y)).")
    if isinstance(source, dict):
        raise fx.ArgumentError("Loader: a dict is no source.\nWrite Arrays(tree) for arrays in memory.")
    if isinstance(source, Stream) and (sampler is not None or workers):
        raise fx.ArgumentError(
            "Loader: a Stream has its own order and is read by one process: no sampler=, workers=0."
        )
    if sampler is not None and not hasattr(sampler, "indices"):
        raise fx.ArgumentError(
            f"Loader: sampler must have indices(epoch), as RandomSampler; got {brief(sampler)}."
        )
    if random_transform and key is None:
        raise fx.ArgumentError("Loader: random_transform= needs key=.")


def _are_columns(source: tuple[Any, ...]) -> bool:
    """Whether these are arrays of one first axis and of different shapes."""
    shapes = [getattr(x, "shape", ()) for x in source]
    return len(set(shapes)) > 1 and len({shape[:1] for shape in shapes}) == 1 and all(shapes)
