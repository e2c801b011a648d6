"""Sources in memory, and sources made from others."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from reprlib import repr as brief
from typing import Any, Protocol, runtime_checkable

import numpy as np

import fx

from . import _fields as check


@runtime_checkable
class Source(Protocol):
    """Examples by number. A sequence of any kind is one."""

    def __len__(self) -> int:
        """How many."""
        ...

    def __getitem__(self, index: int) -> Any:
        """Example `index`, from 0: a pytree of NumPy arrays, numbers, text."""
        ...


def place(index: int, count: int, source: object) -> int:
    """An index from 0, negative ones from the end.

    Raises:
        OutOfBoundsError: there is no such example.
    """
    if not -count <= index < count:
        raise fx.OutOfBoundsError(
            f"{type(source).__name__} has {count} examples; there is no example {index}."
        )
    return index % count


class Arrays:
    """Examples in memory: item i is row i of every array of a pytree.

    >>> source = Arrays({"x": np.arange(6.0).reshape(3, 2), "y": np.array([0, 1, 0])})
    >>> len(source), source[1]["x"].tolist()
    (3, [2.0, 3.0])
    """

    def __init__(self, tree: Any):
        self.tree = fx.tree.map(np.asanyarray, tree)
        sizes = {fx.tree.keystr(path): x.shape[:1] for path, x in fx.tree.leaves_with_path(self.tree)}
        if not sizes or () in sizes.values():
            raise fx.ShapeError(f"Arrays takes arrays with a first axis of examples; got {brief(tree)}.")
        if len(set(sizes.values())) > 1:
            listed = ", ".join(f"tree{path}: {size[0]}" for path, size in sizes.items())
            raise fx.ShapeError(f"Arrays: the first axes differ in length: {listed}.")
        self.count = next(iter(sizes.values()))[0]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        i = place(index, self.count, self)
        return fx.tree.map(lambda x: x[i], self.tree)

    def rows(self, indices: Sequence[int]) -> Any:
        """Several examples at once, stacked."""
        chosen = np.asarray(indices, int)
        return fx.tree.map(lambda x: x[chosen], self.tree)


class Map:
    """f of every example of a source, made when it is asked for."""

    def __init__(self, source: Source, f: Callable[[Any], Any]):
        self.source, self.f = check.source(source, "Map: source"), check.function(f, "Map: f")

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Any:
        return self.f(self.source[place(index, len(self), self)])


class Subset:
    """The examples of a source at given indices, in their order."""

    def __init__(self, source: Source, indices: Iterable[int]):
        self.source = check.source(source, "Subset: source")
        chosen = check.listed(indices, "Subset: indices")
        if not all(map(check.is_whole, chosen)):
            raise fx.ArgumentError(f"Subset: indices must be integers; got {brief(chosen)}.")
        for i in chosen:
            place(int(i), len(source), source)
        self.indices = np.asarray(chosen, int)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.source[int(self.indices[place(index, len(self), self)])]


def random_split(source: Source, lengths: Sequence[float], *, key: Any) -> tuple[Subset, ...]:
    """The examples of a source in parts that share none, in an order that the key decides.

    Args:
        lengths: examples in each part; or parts of 1, which are rounded down, what is left over going to the first.

    >>> import fx
    >>> learned, held_out = random_split(Arrays(np.arange(10)), (0.8, 0.2), key=fx.random.key(0))
    >>> len(learned), len(held_out), sorted([*learned, *held_out]) == list(range(10))
    (8, 2, True)
    """
    count = len(check.source(source, "random_split: source"))
    sizes = _sizes(check.listed(lengths, "random_split: lengths"), count)
    order = np.asarray(fx.random.permutation(key, count))
    ends = np.cumsum(sizes)
    return tuple(Subset(source, order[end - n : end]) for n, end in zip(sizes, ends, strict=True))


def _sizes(lengths: list[Any], count: int) -> list[int]:
    """Lengths, or parts of 1, as examples in each part."""
    real, whole = (all(map(test, lengths)) for test in (check.is_real, check.is_whole))
    fits = real and lengths and min(lengths) >= 0
    if fits and whole and sum(lengths) == count:
        return [int(n) for n in lengths]
    if fits and not whole and abs(sum(lengths) - 1.0) < 1e-9:
        sizes = [math.floor(n * count + 1e-9) for n in lengths]
        return [sizes[0] + count - sum(sizes), *sizes[1:]]
    raise fx.ArgumentError(
        f"random_split: lengths must add up to the {count} examples, or to 1.0; got {brief(lengths)}."
    )


class Filter(Subset):
    """The examples for which keep(example) holds; all are read once, at first use of the source."""

    def __init__(self, source: Source, keep: Callable[[Any], bool]):
        check.source(source, "Filter: source"), check.function(keep, "Filter: keep")
        super().__init__(source, [i for i in range(len(source)) if keep(source[i])])


class Concat:
    """The examples of several sources, one source after the other: Concat(first, second)."""

    def __init__(self, *sources: Source):
        if not sources:
            raise fx.ArgumentError("Concat takes at least one source.")
        if len(sources) == 1 and isinstance(sources[0], (list, tuple)):
            raise fx.ArgumentError(
                f"Concat takes sources one by one; got {brief(sources[0])}.\nWrite Concat(first, second), or "
                "Concat(*sources)."
            )
        self.sources = tuple(check.source(s, f"Concat: source {i}") for i, s in enumerate(sources))
        self.ends = np.cumsum([len(s) for s in sources])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> Any:
        i = place(index, len(self), self)
        which = bisect_right(self.ends.tolist(), i)
        return self.sources[which][i - (int(self.ends[which - 1]) if which else 0)]


class Stream:
    """Examples that come one after the other: `make(epoch)` gives an iterator over those of an epoch.

    A loader takes them in their order; with a key it shuffles them through a buffer of `buffer` examples. Resuming in
    the middle of an epoch reads again what was delivered before.
    """

    def __init__(self, make: Callable[[int], Iterable[Any]], *, buffer: int = 1024):
        if not check.is_whole(buffer) or buffer < 1:
            raise fx.ArgumentError(f"Stream: buffer is a positive number of examples; got {brief(buffer)}.")
        self.make, self.buffer = check.function(make, "Stream: make"), int(buffer)

    def examples(self, epoch: int, seed: int | None) -> Iterator[Any]:
        """Those of an epoch; with a seed shuffled through the buffer."""
        if seed is None:
            yield from self.make(epoch)
            return
        rng = np.random.default_rng(seed)
        held: list[Any] = []
        for example in self.make(epoch):
            if len(held) < self.buffer:
                held.append(example)
                continue
            i = int(rng.integers(self.buffer))
            yield held[i]
            held[i] = example
        rng.shuffle(held)
        yield from held
