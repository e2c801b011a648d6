"""The disk cache of objects: what was put in comes out, nothing else does, and nothing goes wrong without it."""

import os
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fx.backends.cpu import object_cache as module
from fx.backends.cpu.engine import host
from fx.backends.cpu.object_cache import ObjectCache, cached_object, object_cache
from fx.core.errors import ArgumentError


@pytest.fixture
def cache(tmp_path):
    return ObjectCache(tmp_path / "fx", 1 << 20)


def never():
    raise AssertionError("it was there")


def files(cache):
    return sorted(cache.directory.iterdir()) if cache.directory.exists() else []


def use_time(path, seconds):
    os.utime(path, (seconds, seconds))


def run_python(code, **environment):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("code", [b"", b"\0", os.urandom(100_000)])
def test_what_was_stored_is_found(cache, code):
    assert cache.get("key", lambda: code) == code
    assert cache.get("key", never) == code
    again = ObjectCache(cache.directory.parent, 1 << 20)
    assert again.get("key", never) == code
    assert cache.statistics[:4] == (1, 1, 0, len(code)) and cache.statistics.bytes_written == len(code)
    assert again.statistics == (1, 0, 0, len(code), 0, 0)


def test_keys_are_told_apart(cache):
    for i in range(20):
        cache.get(f"key {i}", lambda: b"%d" % i)
    assert [cache.get(f"key {i}", never) for i in range(20)] == [b"%d" % i for i in range(20)]
    assert len(files(cache)) == 20


@pytest.mark.parametrize("part", ["__version__", "llvmlite", "llvm", "cpu", "features", "triple"])
def test_the_name_depends_on_versions_and_host(cache, monkeypatch, part):
    cache.get("key", lambda: b"one")
    if part == "__version__":
        monkeypatch.setattr(module, "__version__", "another")
    elif part == "llvmlite":
        monkeypatch.setattr(module.llvmlite, "__version__", "another")
    elif part == "llvm":
        monkeypatch.setattr(module.llvmlite.binding, "llvm_version_info", (1, 2, 3))
    else:
        other = host()._replace(**{part: "another"})
        monkeypatch.setattr(module, "host", lambda: other)
    module._identity.cache_clear()
    try:
        assert cache.get("key", lambda: b"two") == b"two"
    finally:
        module._identity.cache_clear()


def damage_flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def damage_cut(path):
    path.write_bytes(path.read_bytes()[:-3])


def damage_header(path):
    path.write_bytes(path.read_bytes()[:20])


def damage_lengthen(path):
    path.write_bytes(path.read_bytes() + b"x")


def damage_empty(path):
    path.write_bytes(b"")


def damage_foreign(path):
    path.write_bytes(b"\x7fELF something that fx did not write" * 10)


def damage_writable(path):
    path.chmod(0o666)


def damage_link(path):
    aside = path.parent.parent / "aside"
    path.rename(aside)
    path.symlink_to(aside)


def damage_pipe(path):
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize(
    "damage",
    [
        damage_flip,
        damage_cut,
        damage_header,
        damage_lengthen,
        damage_empty,
        damage_foreign,
        damage_writable,
        damage_link,
        damage_pipe,
    ],
)
def test_a_damaged_file_is_made_anew(cache, damage):
    cache.get("key", lambda: b"right")
    [path] = files(cache)
    damage(path)
    assert cache.get("key", lambda: b"made again") == b"made again"
    assert cache.statistics.refused == (damage is not damage_link)  # a link is not opened at all
    assert cache.get("key", never) == b"made again"
    assert [stat.S_ISREG(os.lstat(p).st_mode) for p in files(cache)] == [True]


def test_another_keys_file_is_refused(cache):
    """A whole file under a wrong name does not pass for the object of that name."""
    cache.get("one", lambda: b"one")
    [one] = files(cache)
    cache.get("two", lambda: b"two")
    [two] = set(files(cache)) - {one}
    os.replace(two, one)
    assert cache.get("one", lambda: b"one again") == b"one again"


def test_another_users_file_is_refused(cache, monkeypatch):
    cache.get("key", lambda: b"theirs")
    monkeypatch.setattr(os, "getuid", lambda: 12345678)
    assert cache.get("key", lambda: b"mine") == b"mine"
    assert cache.statistics.refused == 1


def test_only_the_user_may_look(cache):
    cache.directory.mkdir(parents=True, mode=0o755)
    cache.get("key", lambda: b"code")
    assert stat.S_IMODE(cache.directory.stat().st_mode) == 0o700
    assert [stat.S_IMODE(p.stat().st_mode) for p in files(cache)] == [0o600]


def test_least_recently_used_go_first(tmp_path):
    cache = ObjectCache(tmp_path, 40_000)
    now = time.time()
    for i in range(4):
        cache.get(str(i), lambda: bytes(9000))
    by_key = {str(i): cache.prefix + module._digest(str(i)).hex() for i in range(4)}
    for i in range(4):
        use_time(by_key[str(i)], now - 1000 + i)
    cache.get("0", never)  # now the latest
    cache.get("new", lambda: bytes(9000))
    assert [os.path.exists(by_key[k]) for k in "0123"] == [True, False, True, True]
    assert cache.size() <= 40_000 and cache.statistics.evicted == 1


def test_the_size_is_bounded_over_processes_that_start_anew(tmp_path):
    for i in range(60):
        ObjectCache(tmp_path, 100_000).get(str(i), lambda: bytes(7000))
        assert ObjectCache(tmp_path, 100_000).size() <= 100_000


def test_objects_larger_than_the_limit_are_not_kept(tmp_path):
    cache = ObjectCache(tmp_path, 1000)
    assert cache.get("key", lambda: bytes(1001)) == bytes(1001)
    assert files(cache) == [] and cache.statistics.misses == 1


def test_abandoned_temporary_files_are_removed(cache):
    cache.get("key", lambda: b"code")
    old, fresh = cache.directory / "a.1.0.tmp", cache.directory / "b.1.0.tmp"
    for path in (old, fresh):
        path.write_bytes(b"half")
    use_time(old, time.time() - 2 * module._STALE)
    cache.clear()
    assert files(cache) == [fresh]


def test_a_failing_make_leaves_nothing(cache):
    with pytest.raises(ZeroDivisionError):
        cache.get("key", lambda: 1 // 0)
    assert files(cache) == []
    assert cache.get("key", lambda: b"code") == b"code"


@pytest.mark.parametrize("place", ["file in the way", "/proc/fx", "/dev/null/fx"])
def test_without_a_directory_all_is_made(tmp_path, place):
    if place == "file in the way":
        place = tmp_path / "file"
        place.write_text("")
    cache = ObjectCache(type(tmp_path)(place), 1 << 20)
    for i in range(3):
        assert cache.get("key", lambda: b"%d" % i) == b"%d" % i
    assert cache.statistics == (0, 3, 0, 0, 0, 0)


def test_a_full_disk_leaves_no_half_file(cache, monkeypatch):
    def full(path, content):
        with open(path, "wb") as f:
            f.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write", full)
    assert cache.get("key", lambda: b"code") == b"code"
    assert files(cache) == []


def test_threads_share_a_cache(cache):
    def work(i):
        return cache.get(str(i % 10), lambda: b"%d" % (i % 10)) == b"%d" % (i % 10)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(400)))
    assert cache.statistics.hits + cache.statistics.misses == 400


def test_processes_share_a_cache(tmp_path):
    code = """
from fx.backends.cpu.object_cache import cached_object, object_cache
for i in range(300):
    want = bytes([i % 30]) * 2000
    assert cached_object(str(i % 30), lambda: want) == want
s = object_cache().statistics
print(s.hits + s.misses, s.refused)
"""
    runs = [run_python(code, FX_CACHE_DIR=str(tmp_path), FX_CACHE_SIZE="40K") for _ in range(3)]
    for run in runs:
        out, err = run.communicate(timeout=60)
        assert (out, err) == ("300 0\n", "")
    assert ObjectCache(tmp_path, 1).size() <= 44_000
    assert not list(tmp_path.glob("objects/*.tmp"))


@pytest.fixture
def environment(monkeypatch):
    for name in ("FX_CACHE_DIR", "FX_CACHE_SIZE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    object_cache.cache_clear()
    yield monkeypatch.setenv
    object_cache.cache_clear()


def test_the_directory_from_the_environment(environment, tmp_path):
    environment("FX_CACHE_DIR", str(tmp_path))
    assert cached_object("key", lambda: b"code") == b"code"
    assert cached_object("key", never) == b"code"
    assert object_cache().directory == tmp_path / "objects" and object_cache().limit == 512 << 20


def test_the_users_cache_directory_is_the_default(environment, tmp_path, monkeypatch):
    environment("XDG_CACHE_HOME", str(tmp_path))
    assert object_cache().directory == tmp_path / "fx" / "objects"
    object_cache.cache_clear()
    monkeypatch.delenv("XDG_CACHE_HOME")
    environment("HOME", str(tmp_path))
    folder = "Library/Caches" if sys.platform == "darwin" else ".cache"
    assert object_cache().directory == tmp_path / folder / "fx" / "objects"


@pytest.mark.parametrize(
    ("name", "value"), [("FX_CACHE_DIR", "off"), ("FX_CACHE_DIR", ""), ("FX_CACHE_SIZE", "0")]
)
def test_off(environment, tmp_path, name, value):
    environment("FX_CACHE_DIR", str(tmp_path))
    environment(name, value)
    assert [cached_object("key", lambda: b"%d" % i) for i in range(2)] == [b"0", b"1"]
    assert object_cache() is None and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "size"), [("1000", 1000), ("2K", 2048), ("3m", 3 << 20), ("1GiB", 1 << 30), (" 5 ", 5)]
)
def test_sizes(environment, text, size):
    environment("FX_CACHE_SIZE", text)
    assert object_cache().limit == size


@pytest.mark.parametrize("text", ["", "big", "-1", "1.5G", "1T", "1 2"])
def test_wrong_sizes_raise(environment, text):
    environment("FX_CACHE_SIZE", text)
    with pytest.raises(ArgumentError, match=r"FX_CACHE_SIZE=.* is not a size"):
        cached_object("key", never)


def test_a_hit_is_quick(cache):
    cache.get("k" * 3000, lambda: bytes(10_000))
    best = 1.0
    for _ in range(300):
        start = time.perf_counter()
        cache.get("k" * 3000, never)
        best = min(best, time.perf_counter() - start)
    assert best < 100e-6
