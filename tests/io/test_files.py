"""Files: what is written comes back; what is damaged or hostile is refused; a kill leaves the old file or the new."""

import io as bytes_io
import json
import os
import pickle
import random
import signal
import struct
import subprocess
import sys
import time
import zipfile
from typing import NamedTuple

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import fx
import fx.numpy as fnp
from fx import io, nn, optim

KEY = fx.random.key(0)
FORMATS = ["safetensors", "npz"]


class Pair(NamedTuple):
    left: object
    right: object


def tree():
    rng = np.random.default_rng(0)
    return {
        "params": {
            "layers": [{"w": rng.normal(size=(3, 4))}, {"w": rng.normal(size=4).astype(np.float32)}],
            "none": None,
        },
        "pair": Pair(fnp.arange(3), (fx.random.key(5), True)),
        "step": 7,
        "rate": 0.1,
        "worst": float("inf"),
        "name": "model",
        "empty": {"list": [], "dict": {}, "array": np.zeros((0, 3), np.int8)},
        "a/b~c": {3: np.asarray(2.5), "scalar": np.float16(1.5)},
    }


def same(a, b):
    assert fx.tree.structure(a) == fx.tree.structure(b)
    for x, y in zip(fx.tree.leaves(a), fx.tree.leaves(b), strict=True):
        if hasattr(y, "shape"):
            assert isinstance(x, fx.Array) and x.dtype == y.dtype and x.shape == y.shape
            assert np.asarray(x).tobytes() == np.asarray(y).tobytes()
        else:
            assert x == y and type(x) is type(y)


@pytest.mark.parametrize("form", FORMATS)
def test_round_trip(tmp_path, form):
    path, saved = tmp_path / f"x.{form}", tree()
    io.save(path, saved, metadata={"epoch": 3, "note": "α"})
    same(io.load(path, like=saved), saved)
    plain = io.load(path)
    assert plain["pair"] == {"left": plain["pair"]["left"], "right": plain["pair"]["right"]}
    same(plain, {**saved, "pair": dict(zip(("left", "right"), saved["pair"]))})
    contents = io.inspect(path)
    assert contents.metadata == {"epoch": 3, "note": "α"} and contents.version == 1
    assert contents.arrays["params/layers/0/w"] == io.Entry("float64", (3, 4))
    assert "a~1b~0c/3" in contents.arrays and contents.arrays["a~1b~0c/scalar"].shape == ()
    io.save(path, np.arange(3))
    assert io.load(path).tolist() == [0, 1, 2]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128".split()


@pytest.mark.parametrize("form", FORMATS)
def test_every_dtype_bit_by_bit(tmp_path, form):
    rng, path = np.random.default_rng(0), tmp_path / f"x.{form}"
    saved = {}
    for dtype in [*map(np.dtype, DTYPES), np.dtype(ml_dtypes.bfloat16)]:
        bits = rng.integers(0, 2 if dtype.kind == "b" else 256, (2, 3, dtype.itemsize)).astype(np.uint8)
        saved[dtype.name] = bits.view(dtype)[..., 0]
        saved[dtype.name + "0"] = saved[dtype.name][0, 0]
    saved["strided"] = np.arange(12.0).reshape(3, 4).T[::-1, ::2]
    io.save(path, saved)
    same(io.load(path), {name: np.asarray(x) for name, x in saved.items()})
    assert io.inspect(path).arrays["complex128"] == io.Entry("complex128", (2, 3))
    assert io.inspect(path).arrays["bfloat16"] == io.Entry("bfloat16", (2, 3))


def test_other_programs(tmp_path):
    arrays = {"model.w": np.ones((2, 3), np.float32), "model.b": np.zeros(3, ml_dtypes.bfloat16)}
    save_file(arrays, tmp_path / "x.safetensors")
    found = io.load(tmp_path / "x.safetensors")
    assert (
        found["model.w"].tolist() == arrays["model.w"].tolist()
        and found["model.b"].dtype == ml_dtypes.bfloat16
    )
    like = {"w": fnp.zeros((2, 3)), "b": fnp.zeros(3, "bfloat16")}
    loaded = io.load(tmp_path / "x.safetensors", like=like, rename={"model.*": "*"})
    assert loaded["w"].tolist() == arrays["model.w"].tolist()
    np.savez(tmp_path / "x.npz", a=np.arange(3), b=np.asfortranarray(np.arange(6).reshape(2, 3)))
    assert io.load(tmp_path / "x.npz")["b"].tolist() == [[0, 1, 2], [3, 4, 5]]
    io.save(tmp_path / "y.safetensors", {"a": {"b": np.arange(3)}})
    assert load_file(tmp_path / "y.safetensors")["a/b"].tolist() == [0, 1, 2]
    io.save(tmp_path / "y.npz", {"a": {"b": np.arange(3)}})
    assert np.load(tmp_path / "y.npz")["a/b"].tolist() == [0, 1, 2]


def test_training_state_comes_back_exactly(tmp_path):
    model, optimizer = nn.MLP([3, 4, 2]), optim.chain(optim.clip_by_global_norm(1.0), optim.adam(0.1))
    params = model.init(KEY)
    state, x = optimizer.init(params), np.ones((5, 3), np.float32)

    def step(params, state):
        grads = fx.grad(lambda p: (model.apply(p, x) ** 2).sum())(params)
        updates, state = optimizer.update(grads, state, params)
        return optim.apply_updates(params, updates), state

    params, state = step(params, state)
    io.save(tmp_path / "c.safetensors", {"params": params, "state": state, "key": KEY})
    empty = {"params": model.init(KEY), "state": optimizer.init(params), "key": KEY}
    loaded = io.load(tmp_path / "c.safetensors", like=empty)
    same(step(loaded["params"], loaded["state"]), step(params, state))
    assert type(loaded["state"]) is type(state)
    shapes = fx.eval_shape(lambda: empty)
    same(io.load(tmp_path / "c.safetensors", like=shapes), loaded)


def test_partial_and_renamed(tmp_path):
    path = tmp_path / "x.npz"
    io.save(path, {"encoder": {"w": np.ones(2), "b": np.zeros(2)}, "head": {"w": np.full(3, 2.0)}})
    like = {"backbone": {"w": fnp.zeros(2, float), "b": fnp.ones(2)}, "head": {"w": fnp.zeros(4)}}
    like = fx.tree.map(lambda a: a.astype(fnp.float64), like)
    loaded = io.load(path, like=like, rename={"encoder/*": "backbone/*"}, only="backbone/*")
    assert loaded["backbone"]["w"].tolist() == [1, 1] and loaded["head"]["w"].tolist() == [0, 0, 0, 0]
    loaded = io.load(path, like=like, rename=lambda n: n.replace("encoder", "backbone"), only="backbone/*")
    assert loaded["backbone"]["b"].tolist() == [0, 0]
    bigger = {"encoder": {"w": fnp.zeros(2, "float64"), "b": fnp.zeros(2, "float64"), "c": fnp.full(2, 5.0)}}
    loaded = io.load(path, like=bigger, missing="keep", unused="ignore")
    assert loaded["encoder"]["c"].tolist() == [5, 5] and loaded["encoder"]["w"].tolist() == [1, 1]
    for options, text in (
        ({"like": like}, r"lacks 2 leaves of `like`: 'backbone/b', 'backbone/w'"),
        ({"like": bigger}, r"'encoder/c'"),
        ({"like": {"head": {"w": fnp.zeros(3, "float64")}}}, "2 arrays that `like` has no place for"),
        (
            {"like": {"head": {"w": fnp.zeros(3)}}, "unused": "ignore"},
            r"float64\[3\]; `like` has float32\[3\]",
        ),
        ({"like": {"head": {"w": 1.5}}, "unused": "ignore"}, r"`like` has 1.5 there"),
        ({"like": like, "rename": {"decoder/*": "x/*"}}, "no name in .* matches"),
        ({"like": like, "rename": lambda n: "same"}, "two arrays"),
    ):
        with pytest.raises(fx.TreeError, match=text):
            io.load(path, **options)
    for options in ({"only": "x"}, {"like": like, "only": "nothing/*"}, {"like": like, "missing": "no"}):
        with pytest.raises(fx.ArgumentError):
            io.load(path, **options)


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.safetensors"
    io.save(path, {"w": np.ones(2)})
    for bad, error, text in (
        ({"f": len}, fx.TreeError, r"tree\['f'\] is builtin"),
        ({"o": np.array([None])}, fx.TreeError, "dtype object"),
        ({(1, 2): np.ones(2)}, fx.TreeError, "text or an integer"),
        ({0: np.ones(1), "0": np.ones(1)}, fx.TreeError, "another leaf has the name .0."),
    ):
        with pytest.raises(error, match=text):
            io.save(path, bad)
    with pytest.raises(fx.ArgumentError, match="JSON"):
        io.save(path, {}, metadata={"f": len})
    with pytest.raises(fx.ArgumentError, match=r"\.pkl.*\n.*pickles"):
        io.save(tmp_path / "x.pkl", {})
    with pytest.raises(fx.TracerError):
        fx.jit(lambda x: io.save(path, {"x": x}))(1.0)
    assert io.load(path)["w"].tolist() == [1, 1] and len(os.listdir(tmp_path)) == 1
    with pytest.raises(FileNotFoundError):
        io.load(tmp_path / "absent.npz")
    with pytest.raises(FileNotFoundError):
        io.load(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("form", FORMATS)
def test_every_flipped_byte_and_every_cut_is_noticed(tmp_path, form):
    path = tmp_path / f"x.{form}"
    io.save(path, {"w": np.arange(6.0), "n": {"b": np.ones(2, np.int8)}, "s": 1})
    whole = path.read_bytes()
    expected = io.load(path)
    rng = random.Random(0)
    for place in rng.sample(range(len(whole)), 250):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << rng.randrange(8))]) + whole[place + 1 :])
        try:
            found = io.load(path)
        except io.FileError:
            continue
        same(found, expected)  # bytes of the container that carry nothing: times and flags of a zip
    for length in [*range(0, len(whole), 37), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(io.FileError):
            io.load(path)
        with pytest.raises(io.FileError):
            io.inspect(path)


def npz_with(path, content, name="a.npy"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)


def npy(descr, shape, data=b""):
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def test_hostile_files(tmp_path):
    fired = tmp_path / "fired"

    class Evil:
        def __reduce__(self):
            return (open, (str(fired), "w"))

    held = bytes_io.BytesIO()
    np.save(held, np.array([Evil()], object), allow_pickle=True)
    path = tmp_path / "x.npz"
    for content in (
        held.getvalue(),
        pickle.dumps(Evil()),
        npy("<f8", (2**40,)),
        npy("<f8", (-1,)),
        npy("|O", (1,), b"x" * 8),
        npy("<f8", (2**62, 4), b""),
        b"\x93NUMPY\x01\x00\xff\xff{" + b"(" * 60000,
    ):
        npz_with(path, content)
        with pytest.raises(io.FileError, match="entry 'a'"):
            io.load(path)
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(io.FileError):
        io.load(path)
    path = tmp_path / "x.safetensors"
    for header in (
        b'{"a":{"dtype":"F64","shape":[1000000000000],"data_offsets":[0,8]}}',
        b'{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"b":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}',
        b'{"a":' * 5000,
        b'{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,8]}}',
    ):
        path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 8)
        with pytest.raises(io.FileError):
            io.load(path)
    path.write_bytes(struct.pack("<Q", 2**60) + b"{}")
    with pytest.raises(io.FileError):
        io.load(path)
    for header in (
        {"version": 2},
        {"version": 1},
        [],
        {"version": 1, "sha256": "", "dtypes": {}, "structure": {}, "metadata": {}},
    ):
        save_file({"a": np.ones(2)}, path, {"fx": json.dumps(header), "format": "fx"})
        with pytest.raises(io.FileError):
            io.load(path)
    good = {
        "version": 1,
        "dtypes": {"a": "float64"},
        "metadata": {},
    }
    for structure in (
        {"array": "b"},
        {"eval": "x"},
        {"dict": [[[], {"array": "a"}]]},
        3,
        {"list": 4},
        {"number": "x"},
    ):
        parts = {**good, "structure": structure}
        held = json.dumps({**parts, "sha256": io._files.digest({"a": np.ones(2)}, parts)})
        save_file({"a": np.ones(2)}, path, {"fx": held, "format": "fx"})
        with pytest.raises(io.FileError):
            io.load(path)
    assert not fired.exists()


WRITER = """
import sys, numpy as np
from fx import io
print("ready", flush=True)
n = 0
while True:
    n += 1
    io.save(sys.argv[1], {"n": n, "x": np.full(300_000, float(n))})
"""


@pytest.mark.parametrize("form", FORMATS)
def test_a_kill_leaves_a_whole_file(tmp_path, form):
    path = tmp_path / f"x.{form}"
    io.save(path, {"n": 0, "x": np.zeros(300_000)})
    rng, seen = random.Random(1), set()
    for _ in range(4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        writer.stdout.readline()
        time.sleep(0.02 + 0.2 * rng.random())
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        found = io.load(path)
        assert (np.asarray(found["x"]) == found["n"]).all()
        seen.add(found["n"])
    assert seen - {0}
