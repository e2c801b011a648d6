"""Sources: what they read, and what they refuse."""

import h5py
import numpy as np
import pytest
from PIL import Image

import fx
from fx import data


def test_arrays_and_combinations():
    source = data.Arrays({"x": np.arange(12).reshape(6, 2), "y": list(range(6))}["x"])
    assert len(source) == 6 and source[-1].tolist() == [10, 11]
    mapped = data.Map(source, lambda x: int(x.sum()))
    assert [mapped[i] for i in range(6)] == [1, 5, 9, 13, 17, 21]
    kept = data.Filter(mapped, lambda n: n % 4 == 1)
    assert [kept[i] for i in range(len(kept))] == [1, 5, 9, 13, 17, 21]
    both = data.Concat(mapped, data.Subset(mapped, [5, 0]), [7, 8, 9])
    assert [both[i] for i in range(len(both))] == [1, 5, 9, 13, 17, 21, 21, 1, 7, 8, 9] and both[-1] == 9
    assert isinstance(source, data.Source)
    for wrong, error, text in (
        (lambda: source[6], fx.OutOfBoundsError, "6 examples; there is no example 6"),
        (lambda: both[11], fx.OutOfBoundsError, "11 examples"),
        (lambda: data.Subset(source, [6]), fx.OutOfBoundsError, "no example 6"),
        (
            lambda: data.Arrays({"x": np.ones(3), "y": np.ones(2)}),
            fx.ShapeError,
            r"tree\['x'\]: 3, tree\['y'\]: 2",
        ),
        (lambda: data.Arrays({"x": 1.0}), fx.ShapeError, "first axis"),
        (lambda: data.Concat(), fx.ArgumentError, "at least one"),
    ):
        with pytest.raises(error, match=text):
            wrong()


TABLE = """name, size,count,flag,mixed
a,1.5,3,true,1
"b, the second",NA,4,no,x
c,-inf,5,1,
"""


def test_csv(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(TABLE)
    table = data.Csv(path)
    assert len(table) == 3
    assert table[0] == {"name": "a", "size": 1.5, "count": 3, "flag": "true", "mixed": "1"}
    assert table[1]["name"] == "b, the second" and np.isnan(table[1]["size"]) and table[2]["size"] == -np.inf
    assert table.tree["count"].dtype == np.int64 and table.tree["size"].dtype == np.float64
    typed = data.Csv(path, {"count": np.float32, "flag": bool})
    assert typed[1] == {"count": 4.0, "flag": False} and typed.tree["count"].dtype == np.float32
    filled = data.Csv(path, {"size": float, "mixed": str}, fill={"size": 0.0, "mixed": "?"})
    assert filled[1]["size"] == 0.0 and filled[2]["mixed"] == "?"
    rows = data.Csv(path, {"size": float, "count": int}, fill={"size": 2.0}).matrix(
        ["size", "count"], "count"
    )
    assert rows[1]["x"].tolist() == [2, 4] and rows[1]["y"] == 4
    path.write_text("1;2\n3;4\n")
    assert data.Csv(path, header=False, delimiter=";")[1] == {"0": 3, "1": 4}
    assert data.Csv(path, header=["a", "b"], delimiter=";")[0] == {"a": 1, "b": 2}


def test_csv_refuses(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(TABLE)
    for options, text in (
        ({"columns": {"count": int, "sise": float}}, r"no column 'sise'; it has \['name', 'size'"),
        ({"columns": {"size": int}}, r"line 2, column 'size': '1.5' is no int64"),
        ({"columns": {"mixed": np.int8}}, r"line 3, column 'mixed': 'x' is no int8"),
        ({"columns": {"size": np.float16, "mixed": int}, "fill": {"nothing": 1}}, "no column 'nothing'"),
    ):
        with pytest.raises(data.DataError, match=text):
            data.Csv(path, **options)
    for content, options, text in (
        ("a,b\n1\n", {}, "line 2: 1 values for 2 columns"),
        ("a,a\n1,2\n", {}, "two columns have one name"),
        ("", {}, "is empty"),
        ("a\n1\n\n?\n", {"columns": {"a": int}}, "line 4, column 'a': '\\?' is missing"),
        ("a\n300\n", {"columns": {"a": np.uint8}}, "'300' does not fit into uint8"),
        ('a\n"1\n', {}, "line"),
    ):
        path.write_text(content)
        with pytest.raises(data.DataError, match=text):
            data.Csv(path, **options)
    path.write_bytes(b"a\n\xff\n")
    with pytest.raises(data.DataError, match="utf-8"):
        data.Csv(path)


def test_npz_and_memory_maps(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(6.0).reshape(3, 2), y=np.arange(3))
    source = data.Npz(tmp_path / "a.npz")
    assert source[2]["x"].tolist() == [4, 5] and source[2]["y"] == 2
    assert set(data.Npz(tmp_path / "a.npz", ["y"])[0]) == {"y"}
    np.save(tmp_path / "x.npy", np.arange(6.0).reshape(3, 2))
    mapped = data.Memmap({"x": tmp_path / "x.npy"})
    assert mapped[1]["x"].tolist() == [2, 3] and type(mapped[1]["x"]) is np.ndarray
    assert isinstance(mapped.tree["x"], np.memmap)
    np.savez(tmp_path / "bad.npz", x=np.array([object()]))
    np.save(tmp_path / "bad.npy", np.array([object()]))
    with pytest.raises(data.DataError, match="allow_pickle"):
        data.Npz(tmp_path / "bad.npz")
    with pytest.raises(data.DataError, match="object"):
        data.Memmap(tmp_path / "bad.npy")
    with pytest.raises(data.DataError, match=r"no array 'z'; it has \['x', 'y'\]"):
        data.Npz(tmp_path / "a.npz", ["z"])


def test_hdf5(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(6.0).reshape(3, 2)
        file["group/y"] = np.arange(3)
    source = data.Hdf5(path)
    assert len(source) == 3 and source[1]["x"].tolist() == [2, 3] and source[-1]["group/y"] == 2
    batches = list(data.Loader(source, 2, workers=1))
    assert batches[1]["group/y"].tolist() == [2]
    with pytest.raises(data.DataError, match=r"no dataset 'z'; it has \['group/y', 'x'\]"):
        data.Hdf5(path, ["z"])
    other = tmp_path / "b.h5"
    with h5py.File(other, "w") as file:
        file["x"], file["long"] = np.arange(3), np.arange(4)
    with pytest.raises(fx.ShapeError, match="one length"):
        data.Hdf5(other)
    other.write_bytes(b"no")
    with pytest.raises(data.DataError, match="no readable HDF5"):
        data.Hdf5(other)
    with pytest.raises(FileNotFoundError):
        data.Hdf5(tmp_path / "absent.h5")


def test_image_folders(tmp_path):
    rng = np.random.default_rng(0)
    pixels = {}
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
        for i in range(2):
            pixels[kind, i] = rng.integers(0, 255, (4, 5, 3)).astype(np.uint8)
            Image.fromarray(pixels[kind, i]).save(tmp_path / kind / f"{i}.png")
    (tmp_path / "dog" / "notes.txt").write_text("no image")
    source = data.ImageFolder(tmp_path)
    assert source.classes == ["cat", "dog"] and len(source) == 4
    assert source[3]["label"] == 1 and np.array_equal(source[3]["image"], pixels["dog", 1])
    assert data.ImageFolder(tmp_path, mode="L")[0]["image"].shape == (4, 5, 1)
    (tmp_path / "cat" / "0.png").write_bytes(b"broken")
    with pytest.raises(data.DataError, match=r"cat.0\.png is no readable image"):
        source[0]
    (tmp_path / "empty").mkdir()
    with pytest.raises(data.DataError, match="no images"):
        data.ImageFolder(tmp_path / "empty")
    with pytest.raises(FileNotFoundError):
        data.ImageFolder(tmp_path / "absent")


def test_random_split():
    source = data.Arrays({"x": np.arange(11)})
    parts = data.random_split(source, (0.6, 0.2, 0.2), key=fx.random.key(0))
    assert [len(p) for p in parts] == [7, 2, 2]
    taken = [int(example["x"]) for part in parts for example in part]
    assert sorted(taken) == list(range(11)) != taken
    again = data.random_split(source, [7, 2, 2], key=fx.random.key(0))
    assert [int(e["x"]) for part in again for e in part] == taken
    assert [len(p) for p in data.random_split(source, [11, 0], key=fx.random.key(1))] == [11, 0]
    for wrong in ([5, 5], (0.5, 0.4), [], [-1, 12], ["a"], (1.5, -0.5)):
        with pytest.raises(fx.ArgumentError, match=r"must add up to the 11 examples, or to 1\.0"):
            data.random_split(source, wrong, key=fx.random.key(0))


def test_a_list_is_not_concatenated():
    parts = [data.Arrays(np.arange(3)), data.Arrays(np.arange(2))]
    assert len(data.Concat(*parts)) == 5
    with pytest.raises(fx.ArgumentError, match=r"one by one(.|\n)*Concat\(first, second\)"):
        data.Concat(parts)
