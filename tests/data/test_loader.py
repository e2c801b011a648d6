"""The loader: the same batches whatever the workers, exact resume, failures with names."""

import os
import signal
import time

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import data

KEY = fx.random.key(3)
SOURCE = data.Arrays({"x": np.arange(22.0).reshape(11, 2), "n": np.arange(11)})


def numbers(loader):
    return [batch["n"].tolist() for batch in loader]


def in_one(batches):
    return [n for batch in batches for n in batch]


def noisy(key, example):
    return {**example, "x": example["x"] + np.asarray(fx.random.normal(key, (2,)))}


def test_batches_and_epochs():
    loader = data.Loader(SOURCE, 4)
    assert len(loader) == 3 and numbers(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    first = next(iter(data.Loader(SOURCE, 4)))
    assert (
        isinstance(first["x"], fx.Array) and first["x"].dtype == np.float64 and first["n"].dtype == np.int64
    )
    dropped = data.Loader(SOURCE, 4, drop_last=True)
    assert len(dropped) == 2 and numbers(dropped)[-1] == [4, 5, 6, 7]
    shuffled = data.Loader(SOURCE, 4, key=KEY)
    epochs = [in_one(numbers(shuffled)) for _ in range(3)]
    assert all(sorted(e) == list(range(11)) for e in epochs) and epochs[0] != epochs[1] != epochs[2]
    again = data.Loader(SOURCE, 4, key=KEY)
    assert [in_one(numbers(again)) for _ in range(3)] == epochs
    assert numbers(data.Loader(data.Arrays({"n": np.zeros(0, int)}), 4)) == []


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_change_nothing(workers):
    options = {"key": KEY, "transform": noisy, "random_transform": True}
    alone, several = data.Loader(SOURCE, 3, **options), data.Loader(SOURCE, 3, workers=workers, **options)
    for _ in range(2):
        for a, b in zip(alone, several, strict=True):
            assert fx.tree.structure(a) == fx.tree.structure(b)
            assert a["n"].tolist() == b["n"].tolist() and a["x"].tolist() == b["x"].tolist()


@pytest.mark.parametrize("workers", [0, 2])
def test_resume_in_the_middle_of_an_epoch(workers):
    options = {"key": KEY, "transform": noisy, "random_transform": True, "workers": workers}
    whole = data.Loader(SOURCE, 3, **options)
    expected = [b for _ in range(3) for b in whole]
    for stop in (0, 1, 4, 6):
        loader, seen = data.Loader(SOURCE, 3, **options), []
        while len(seen) < stop:
            for batch in loader:
                seen.append(batch)
                state = loader.state()
                if len(seen) == stop:
                    break
        state = loader.state() if stop == 0 else state
        other = data.Loader(SOURCE, 3, **options)
        other.restore(fx.tree.map(fnp.asarray, state))
        rest = []
        while len(seen) + len(rest) < len(expected):
            rest += list(other)
        assert [b["x"].tolist() for b in seen + rest] == [b["x"].tolist() for b in expected]


def test_breaking_off_goes_on_where_it_was():
    loader = data.Loader(SOURCE, 4, workers=1)
    batch = next(iter(loader))
    assert batch["n"].tolist() == [0, 1, 2, 3] and numbers(loader) == [[4, 5, 6, 7], [8, 9, 10]]
    assert loader.state() == {"epoch": 1, "position": 0}


def test_samplers():
    assert data.SequentialSampler(4).indices(7).tolist() == [0, 1, 2, 3]
    order = data.RandomSampler(100, KEY)
    assert (
        sorted(order.indices(0)) == list(range(100))
        and order.indices(0).tolist() != order.indices(1).tolist()
    )
    weights = np.array([0.0, 1.0, 3.0])
    drawn = data.WeightedSampler(weights, 4000, KEY).indices(0)
    np.testing.assert_allclose(np.bincount(drawn, minlength=3) / 4000, weights / 4, atol=0.03)
    assert sorted(data.WeightedSampler(weights, 2, KEY, replacement=False).indices(0)) == [1, 2]
    for drop, size in ((False, 4), (True, 3)):
        parts = [data.ShardedSampler(data.RandomSampler(11, KEY), i, 3, drop).indices(2) for i in range(3)]
        assert [len(p) for p in parts] == [size] * 3
        assert len(set(np.concatenate(parts).tolist())) == (9 if drop else 11)
    loader = data.Loader(SOURCE, 2, sampler=data.ShardedSampler(data.SequentialSampler(11), 1, 3))
    assert numbers(loader) == [[1, 4], [7, 10]]
    for wrong in (
        lambda: data.WeightedSampler([1.0, -1.0], 2, KEY),
        lambda: data.WeightedSampler([0.0, 0.0], 2, KEY),
        lambda: data.WeightedSampler([1.0, 0.0], 2, KEY, replacement=False),
        lambda: data.ShardedSampler(data.SequentialSampler(4), 3, 3),
    ):
        with pytest.raises(fx.ArgumentError):
            wrong()


def test_streams():
    stream = data.Stream(lambda epoch: ({"n": n + 100 * epoch} for n in range(11)), buffer=4)
    loader = data.Loader(stream, 4)
    assert numbers(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]] and numbers(loader)[0][0] == 100
    shuffled = data.Loader(stream, 4, key=KEY)
    expected = numbers(shuffled) + numbers(shuffled)
    assert sorted(in_one(expected[:3])) == list(range(11)) != in_one(expected[:3])
    other = data.Loader(stream, 4, key=KEY)
    other.restore({"epoch": 0, "position": 2})
    assert numbers(other) + numbers(other) == expected[2:]
    with pytest.raises(TypeError, match="no length"):
        len(loader)


def test_text_and_structures():
    examples = [("a", {"v": 1}), ("b", {"v": 2.5})]
    (batch,) = data.Loader(examples, 2)
    assert batch[0] == ["a", "b"] and batch[1]["v"].tolist() == [1, 2.5]
    with pytest.raises(data.DataError, match="Example 1 of a batch has structure"):
        list(data.Loader([{"a": 1}, {"b": 1}], 2))
    with pytest.raises(data.DataError, match=r"example\['a'\] has shapes \[\(2,\), \(3,\)\]"):
        list(data.Loader([{"a": np.ones(3)}, {"a": np.ones(2)}], 2))


class Bad:
    """Example 5 raises, kills its process, or hangs for a while."""

    def __init__(self, how):
        self.how = how

    def __len__(self):
        return 11

    def __getitem__(self, i):
        if i == 5 and self.how == "raise":
            raise ValueError("the file is missing")
        if i == 5 and self.how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if i == 5 and self.how == "exit":
            os._exit(3)
        return i


@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.parametrize(
    "how, text",
    [
        ("raise", r"Example 5 failed in a worker process: ValueError: the file is missing"),
        ("die", r"fx-data-\d was killed by SIGKILL while it loaded example 5, batch 2"),
        ("exit", r"fx-data-\d ended with code 3 while it loaded example 5"),
    ],
)
def test_a_failure_names_the_example(how, text, start):
    if start == "spawn" and how != "die":
        pytest.skip("a new interpreter takes seconds: once is enough")
    began = time.monotonic()
    seen = []
    with pytest.raises(data.DataError, match=text):
        for batch in data.Loader(Bad(how), 2, workers=2, start=start):
            seen.append(batch.tolist())
    assert seen == [[0, 1], [2, 3]] and time.monotonic() - began < 30
    assert numbers_of_processes() == 0


def numbers_of_processes():
    import multiprocessing

    return len(multiprocessing.active_children())


def test_workers_end_with_their_loop():
    iterator = iter(data.Loader(SOURCE, 2, workers=2))
    next(iterator)
    assert numbers_of_processes() == 2
    iterator.close()
    assert numbers_of_processes() == 0


def test_wrong_arguments():
    for wrong, text in (
        (lambda: data.Loader(SOURCE, 0), "batch_size"),
        (lambda: data.Loader(SOURCE, 2, workers=-1), "workers"),
        (lambda: data.Loader({"x": np.ones(3)}, 2), r"Arrays\(tree\)"),
        (lambda: data.Loader(iter([1]), 2), r"Stream\(function\)"),
        (lambda: data.Loader(data.Stream(iter), 2, workers=1), "workers=0"),
        (lambda: data.Loader(SOURCE, 2, transform=noisy, random_transform=True), "key="),
        (lambda: data.Stream(iter, buffer=0), "buffer"),
    ):
        with pytest.raises(fx.ArgumentError, match=text):
            wrong()
    with pytest.raises(data.DataError, match="start='fork'"):
        list(data.Loader([1, 2], 1, workers=1, start="spawn", transform=lambda x: x))


class Broken:
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return {"y": 1 // (index - 4)}


def test_a_failure_in_this_process_names_the_example():
    with pytest.raises(ZeroDivisionError) as caught:
        list(data.Loader(Broken(), 2))
    assert caught.value.__notes__ == ["This happened while a Loader loaded example 4."]


def test_states_and_orders_that_do_not_fit():
    source = data.Arrays(np.arange(6))
    for wrong in ({"epoch": 0}, 3, None):
        with pytest.raises(fx.ArgumentError, match=r"restore takes what state\(\) gave"):
            data.Loader(source, 2).restore(wrong)
    with pytest.raises(fx.OutOfBoundsError, match="gives examples 0 to 8; the source has 6"):
        list(data.Loader(source, 2, sampler=data.RandomSampler(9, fx.random.key(0))))
