"""The native thread pool: every index once, from any thread, in children, and nothing burns when idle."""

import ctypes
import functools
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import fx
from fx.backends.cpu import threads
from fx.backends.cpu.engine import build, engine
from fx.backends.cpu.llvm import Module, Value, const, i64
from fx.core.errors import ArgumentError


@functools.cache
def library():
    """Bodies to run in parallel, and `nested`, whose body is itself parallel."""
    threads.ensure()
    m = Module("bodies")
    f = m.function("count", params=["ptr", "i64"], internal=False)
    f.atomic_update("add", f.gep("i64", f.args[0], f.args[1]), i64(1))
    f.ret()
    f = m.function("busy", params=["ptr", "i64"], internal=False)
    with f.loop(i64(0), f.load("i64", f.args[0]), carry=[const("double", 1.0)]) as loop:
        loop.next(f.fma(loop.carry[0], loop.carry[0], const("double", 1.0)))
    f.store(loop.results[0], f.gep("i64", f.args[0], f.add(f.mul(f.args[1], i64(16)), i64(16))))
    f.ret()
    f = m.function("meet", params=["ptr", "i64"], internal=False)
    _emit_meet(f)
    f = m.function("outer", params=["ptr", "i64"], internal=False)
    row = f.gep("i64", f.args[0], f.mul(f.args[1], i64(50)))
    f.call("fx_parallel", "void", [Value("@count", "ptr"), row, i64(50)])
    f.ret()
    return build(str(m), ["count", "busy", "meet", "outer"], ["fx_parallel"])


def _emit_meet(f):
    """Say that one is here; wait until as many have come as context[0] says: ends only if they run at once."""
    here = f.gep("i64", f.args[0], i64(16))
    f.atomic_update("add", here, i64(1))
    look, gone = f.new_label("look"), f.new_label("gone")
    f.branch(look)
    f.block(look)
    enough = f.icmp("sge", f.atomic_load("i64", here), f.load("i64", f.args[0]))
    f.branch_if(enough, gone, look)
    f.block(gone)
    f.ret()


def parallel(body, context, count):
    signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    address = library().address[body]
    signature(engine().symbols["fx_parallel"])(address, context.ctypes.data, count)


def run_python(code, **environment):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture(autouse=True)
def _restore():
    before = threads.num_threads()
    yield
    threads.set_num_threads(before)


@pytest.mark.parametrize("n", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 17, 1000])
def test_every_index_runs_once(n, count):
    threads.set_num_threads(n)
    hits = np.zeros(1001, np.int64)
    for _ in range(20):
        parallel("count", hits, count)
    assert (hits[:count] == 20).all() and (hits[count:] == 0).all()


@pytest.mark.parametrize("n", [2, 4])
def test_bodies_run_at_the_same_time(n):
    threads.set_num_threads(n)
    context = np.zeros(64, np.int64)
    context[0] = n
    for _ in range(5):
        context[16] = 0
        parallel("meet", context, n)
        assert context[16] == n
        time.sleep(0.002)  # the next round wakes them from sleep


def test_nested_calls_run_inline():
    threads.set_num_threads(4)
    hits = np.zeros((40, 50), np.int64)
    for _ in range(50):
        parallel("outer", hits, 40)
    assert (hits == 50).all()


def test_many_python_threads_at_once():
    threads.set_num_threads(4)
    hits = np.zeros((8, 100), np.int64)
    wrong = []

    def user(row):
        for i in range(500):
            parallel("count", row, 100)
            if not (row == i + 1).all():
                wrong.append(i)

    users = [threading.Thread(target=user, args=(row,)) for row in hits]
    for u in users:
        u.start()
    for u in users:
        u.join()
    assert not wrong and (hits == 500).all()


def test_the_limit_changes_while_others_compute():
    stop, hits, rounds = threading.Event(), np.zeros(100, np.int64), 0

    def change():
        while not stop.is_set():
            for n in (1, 5, 2, 3):
                threads.set_num_threads(n)

    changer = threading.Thread(target=change)
    changer.start()
    while rounds < 2000:
        parallel("count", hits, 100)
        rounds += 1
    stop.set()
    changer.join()
    assert (hits == rounds).all()


def test_an_idle_pool_burns_no_cpu():
    context = np.zeros(100, np.int64)
    threads.set_num_threads(4)
    parallel("count", context, 100)
    time.sleep(0.02)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.01


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_children_compute_too():
    code = f"""
import os, sys, numpy as np
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_threads import parallel, threads
threads.set_num_threads(3)
hits = np.zeros(100, np.int64)
for i in range(10):
    parallel("count", hits, 100)
    child = os.fork()
    if not child:
        for _ in range(20):
            parallel("count", hits, 100)
        met = np.zeros(64, np.int64)
        met[0] = 3
        parallel("meet", met, 3)  # ends only with three threads
        good = (hits == i + 21).all() and threads.num_threads() == 3
        if i % 2:
            os._exit(0 if good else 1)
        sys.exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0, i
parallel("count", hits, 100)
assert (hits == 11).all()
print("done")
"""
    result = run_python(code)
    assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "")


def test_the_interpreter_exits_under_load():
    """A daemon thread still computes while the interpreter goes."""
    code = f"""
import atexit, sys, threading, time, numpy as np
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_threads import parallel, threads
threads.set_num_threads(4)
late = np.zeros(100, np.int64)
atexit.register(lambda: print("late", late.sum(), (parallel("count", late, 100), late.sum())[1]))
parallel("count", np.zeros(100, np.int64), 100)
def forever():
    hits = np.zeros(1000, np.int64)
    while True:
        parallel("count", hits, 1000)
threading.Thread(target=forever, daemon=True).start()
time.sleep(0.05)
"""
    for _ in range(3):
        result = run_python(code)
        assert (result.returncode, result.stdout, result.stderr) == (0, "late 0 100\n", "")


def test_signals_are_left_to_python():
    """Ctrl-C interrupts the main thread's sleep, since the workers block it."""
    code = f"""
import os, signal, sys, time, numpy as np
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_threads import parallel, threads
threads.set_num_threads(4)
parallel("count", np.zeros(100, np.int64), 100)
masks = []
for task in os.listdir("/proc/self/task"):
    status = open(f"/proc/self/task/{{task}}/status").read()
    masks.append(int(status.split("SigBlk:")[1].split()[0], 16) >> (signal.SIGINT - 1) & 1)
print(sorted(masks))
"""
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("needs /proc")
    assert run_python(code, OPENBLAS_NUM_THREADS="1").stdout == "[0, 1, 1, 1]\n"


def test_hot_jobs_start_fast():
    """Two indices of some 20 microseconds take about the time of one, as soon as a second core is free."""
    if os.getloadavg()[0] + 1 > threads.available_cpus():
        pytest.skip("needs a free CPU besides its own")
    threads.set_num_threads(2)
    context = np.zeros(100, np.int64)
    context[0] = 20_000
    give_up = time.monotonic() + 5
    while not (fast := best_time(context, 2) < 1.4 * best_time(context, 1)) and time.monotonic() < give_up:
        pass
    assert fast


def best_time(context, count):
    times = []
    for _ in range(100):
        start = time.perf_counter()
        parallel("busy", context, count)
        times.append(time.perf_counter() - start)
    return min(times)


def test_num_threads_from_the_environment():
    code = "from fx.backends.cpu import threads; print(threads.num_threads())"
    assert run_python(code, FX_NUM_THREADS="7").stdout == "7\n"
    for wrong in ("0", "-1", "two", "1.5", "", "5000"):
        result = run_python(code, FX_NUM_THREADS=wrong)
        assert f"FX_NUM_THREADS: {wrong!r} is no number of threads." in result.stderr
        assert "ArgumentError" in result.stderr and "Give 1 to 1024." in result.stderr


@pytest.mark.parametrize("n", [0, -2, 1.0, "3.5", None, True, 1025])
def test_wrong_numbers_of_threads_raise(n):
    before = threads.num_threads()
    with pytest.raises(ArgumentError, match=r"set_num_threads.*is no number of threads"):
        threads.set_num_threads(n)
    with pytest.raises(ArgumentError), threads.threads(n):
        pass
    assert threads.num_threads() == before


def test_threads_for_a_block():
    before = threads.num_threads()
    with pytest.raises(RuntimeError), threads.threads(np.int64(before + 2)):
        assert threads.num_threads() == before + 2
        assert ctypes.CFUNCTYPE(ctypes.c_int64)(engine().symbols["fx_num_threads"])() == before + 2
        raise RuntimeError
    assert threads.num_threads() == before


def test_the_default_is_what_the_process_may_use():
    assert 1 <= threads.available_cpus() <= (os.cpu_count() or 1)
    if hasattr(os, "sched_setaffinity"):
        code = "import os; os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])\n"
        code += "from fx.backends.cpu import threads; print(threads.num_threads())"
        assert run_python(code).stdout == "1\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup//a/cpu.max": "150000 100000\n"}, 1.5),
        ({"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup///cpu.max": "max 100000\n"}, threads.MOST),
        (
            {
                "/proc/self/cgroup": "4:cpu,cpuacct:/docker\n1:name=x:/\n",
                "/sys/fs/cgroup/cpu,cpuacct//docker/cpu.cfs_quota_us": "300000\n",
                "/sys/fs/cgroup/cpu,cpuacct//docker/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        ({}, threads.MOST),
    ],
)
def test_quota_of_the_control_group(monkeypatch, tmp_path, files, expected):
    def fake_open(path, *args):
        if path not in files:
            raise FileNotFoundError(path)
        place = tmp_path / "file"
        place.write_text(files[path])
        return place.open()

    monkeypatch.setitem(vars(threads), "open", fake_open)
    assert threads._quota() == expected


def test_importing_fx_starts_nothing():
    code = "import sys, fx; print('fx.backends.cpu.threads' in sys.modules, 'llvmlite' in sys.modules)"
    assert run_python(code).stdout == "False False\n"
    assert fx.__name__ == "fx"


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs a choice of cores"
)
def test_workers_wake_on_other_cores_than_the_callers():
    code = """
import os, time
import numpy as np, fx, fx.numpy as fnp
f, x = fx.jit(lambda a: a @ a), fnp.asarray(np.ones((400, 400), np.float32))
before = set(os.listdir("/proc/self/task"))
f(x)
workers = [int(t) for t in set(os.listdir("/proc/self/task")) - before]
for _ in range(5):
    time.sleep(0.01)
    f(x)
print(len(workers), [len(os.sched_getaffinity(0)) - len(os.sched_getaffinity(w)) for w in workers])
"""
    done = run_python(code, FX_NUM_THREADS="2")
    assert (done.stdout, done.returncode) == ("1 [1]\n", 0), done.stderr
