"""The library behind `threads`: the pool's memory and functions, in LLVM assembly.

One job runs at a time. Its state word holds a generation, an open bit and the number of workers inside: a worker
joins by compare-and-exchange while the bit is set, the caller clears it and waits only for those who joined, so a
worker that wakes late delays nobody. Indices are claimed from one atomic counter. A call that finds the pool taken,
nested or from another thread, runs inline: whoever shares the machine has its own work already.

Workers look for the next job for `SPIN` nanoseconds, then sleep on a condition variable. Threads, mutexes and
conditions are those of the C library. Where it has a say in that, workers wake on other cores than the caller's: left
alone, Linux may wake one where the caller computes, and it waits there for milliseconds.
"""

from __future__ import annotations

import ctypes
import functools
import sys

from .engine import host
from .llvm import NULL, Function, Module, Value, const, i32, i64

SPIN = 50_000
"""Nanoseconds a worker looks for work before it sleeps; waking one that sleeps costs about as much."""

MOST = 1024
"""Threads at most."""

PATIENCE = 4096
"""Looks of a caller at its last workers before it offers them its core at every look."""

STACK = 8 << 20

# The state word: generation << 17 | open << 16 | workers inside.
_OPEN, _INSIDE, _GENERATION = 1 << 16, (1 << 16) - 1, 17

# Where things stand in the pool's memory; what different threads write is on lines of its own.
_STATE, _BODY, _CONTEXT, _COUNT = 0, 8, 16, 24
_NEXT, _OWNER, _LIMIT, _STOP, _STARTED, _SLEEPERS = 128, 256, 384, 392, 512, 520
_MUTEX, _WORK, _PARKED, _ATTR, _SIGNALS, _OLD_SIGNALS, _THREADS = 640, 768, 896, 1024, 1280, 1536, 1792
_CORES, _AWAY = _THREADS + 8 * MOST, _THREADS + 8 * MOST + 128
"""A set of cores, and one more than the core that workers keep away from; 0: none."""
_BYTES = _AWAY + 128
_SET_BYTES = 128
"""Of a set of cores."""

_MAC = sys.platform == "darwin"
_SIG_SETMASK, _CLOCK_MONOTONIC = (3, 6) if _MAC else (2, 1)
_SYNCHRONOUS_SIGNALS = (4, 8, 10, 11) if _MAC else (4, 7, 8, 11)
_PAUSE = {
    "x86_64": "llvm.x86.sse2.pause()",
    "aarch64": "llvm.aarch64.isb(i32 15)",
    "arm64": "llvm.aarch64.isb(i32 15)",
}
_LEADS = all(
    hasattr(ctypes.CDLL(None), f) for f in ("sched_getcpu", "sched_getaffinity", "pthread_setaffinity_np")
)
"""Whether the C library lets threads be kept to some cores."""
EXPORTS = [
    "fx_parallel",
    "fx_num_threads",
    "fx_pool_start",
    "fx_pool_reset",
    "fx_pool_limit",
    "fx_pool_stop",
]


def library() -> str:
    """The module."""
    m = Module("fx thread pool")
    m.zeros("fx_pool", _BYTES, 128)
    _emit_claim(m)
    _emit_fresh(m)
    _emit_doze(m)
    _emit_worker(m)
    _emit_spawn(m)
    _emit_lead_away(m)
    _emit_wake(m)
    _emit_parallel(m)
    _emit_num_threads(m)
    _emit_initialize(m)
    _emit_start(m)
    _emit_reset(m)
    _emit_limit(m)
    _emit_stop(m)
    return str(m)


def _at(f: Function, offset: int | Value) -> Value:
    return f.gep("i8", Value("@fx_pool", "ptr"), i64(offset) if isinstance(offset, int) else offset)


def _get(f: Function, offset: int, order: str = "monotonic") -> Value:
    return f.atomic_load("i64", _at(f, offset), order)


def _set(f: Function, offset: int, x: Value, order: str = "monotonic") -> None:
    f.atomic_store(x, _at(f, offset), order)


def _posix(f: Function, name: str, *args: Value) -> Value:
    return f.call(name, "i32", args)


def _lock_pool(f: Function) -> None:
    _posix(f, "pthread_mutex_lock", _at(f, _MUTEX))


def _unlock_pool(f: Function) -> None:
    _posix(f, "pthread_mutex_unlock", _at(f, _MUTEX))


def _pause(f: Function) -> None:
    """Tell the core that this is a loop of looks; nothing where there is no such instruction."""
    text = _PAUSE.get(host().triple.partition("-")[0])
    if text:
        name, _, arg = text.partition("(")
        f.module.declare(name, "void", ["i32"] if arg != ")" else [])
        f.line(f"call void @{text}")


def _now(f: Function) -> Value:
    """Nanoseconds of the monotonic clock."""
    spec = f.alloca("i64", 2)
    _posix(f, "clock_gettime", i32(_CLOCK_MONOTONIC), spec)
    seconds, rest = f.load("i64", spec), f.load("i64", f.gep("i64", spec, i64(1)))
    return f.add(f.mul(seconds, i64(1_000_000_000)), rest)


def _emit_claim(m: Module) -> None:
    """Take indices of the open job and run them until none is left."""
    f = m.function("fx_pool_claim", params=["ptr", "ptr", "i64"])
    body, context, count = f.args
    again, run, done = f.new_label("again"), f.new_label("run"), f.new_label("done")
    f.branch(again)
    f.block(again)
    index = f.atomic_update("add", _at(f, _NEXT), i64(1), "monotonic")
    f.branch_if(f.icmp("slt", index, count), run, done)
    f.block(run)
    f.call_pointer(body, "void", [context, index])
    f.branch(again)
    f.block(done)
    f.ret()


def _emit_fresh(m: Module) -> None:
    """The state word if it shows an open job that a worker has not seen, otherwise 0."""
    f = m.function("fx_pool_fresh", "i64", ["i64"])
    state = _get(f, _STATE, "seq_cst")
    is_open = f.icmp("ne", f.and_(state, i64(_OPEN)), i64(0))
    new = f.icmp("ne", f.lshr(state, i64(_GENERATION)), f.args[0])
    f.ret(f.select(f.and_(is_open, new), state, i64(0)))


def _surplus(f: Function, number: Value) -> Value:
    """Whether a worker is one more than the limit lets work."""
    return f.icmp("sge", f.add(number, i64(1)), _get(f, _LIMIT))


def _emit_doze(m: Module) -> None:
    """Sleep until there may be a job; a surplus worker sleeps until the limit changes."""
    f = m.function("fx_pool_doze", params=["i64", "i64"])
    number, seen = f.args
    _lock_pool(f)
    running = f.icmp("eq", _get(f, _STOP), i64(0))
    surplus = _surplus(f, number)
    with f.when(f.and_(running, surplus)):
        _posix(f, "pthread_cond_wait", _at(f, _PARKED), _at(f, _MUTEX))
    with f.when(f.and_(running, f.not_(surplus))):
        f.atomic_update("add", _at(f, _SLEEPERS), i64(1), "seq_cst")
        with f.when(f.icmp("eq", f.call("fx_pool_fresh", "i64", [seen]), i64(0))):
            _posix(f, "pthread_cond_wait", _at(f, _WORK), _at(f, _MUTEX))
        f.atomic_update("sub", _at(f, _SLEEPERS), i64(1), "seq_cst")
    _unlock_pool(f)
    f.ret()


def _emit_worker(m: Module) -> None:
    """A worker's life: look, join or sleep, until the pool stops."""
    f = m.function("fx_pool_worker", "ptr", ["ptr"])
    number = f.cast("ptrtoint", f.args[0], "i64")
    seen, deadline, looks = f.alloca("i64"), f.alloca("i64"), f.alloca("i64")
    f.store(i64(0), seen)
    awake, look, idle, tired, doze, join, work, gone = map(
        f.new_label, "awake look idle tired doze join work gone".split()
    )
    f.branch(awake)
    f.block(awake)
    f.store(f.add(_now(f), i64(SPIN)), deadline)
    f.store(i64(0), looks)
    f.branch(look)
    f.block(look)
    state = f.call("fx_pool_fresh", "i64", [f.load("i64", seen)])
    may = f.not_(_surplus(f, number))
    f.branch_if(f.and_(f.icmp("ne", state, i64(0)), may), join, idle)
    f.block(idle)
    _look_again(f, looks, deadline, look, tired)
    f.block(tired)
    f.branch_if(f.icmp("eq", _get(f, _STOP), i64(0)), doze, gone)
    f.block(gone)
    f.ret(NULL)
    f.block(doze)
    f.call("fx_pool_doze", "void", [number, f.load("i64", seen)])
    f.branch(awake)
    f.block(join)
    joined = f.compare_exchange(_at(f, _STATE), state, f.add(state, i64(1)))
    f.branch_if(joined, work, look)
    f.block(work)
    f.store(f.lshr(state, i64(_GENERATION)), seen)
    _work_and_leave(f)
    f.branch(awake)


def _look_again(f: Function, looks: Value, deadline: Value, look: str, tired: str) -> None:
    """Back to `look`; at every sixteenth time to `tired` if the deadline is over."""
    _pause(f)
    n, clock = f.add(f.load("i64", looks), i64(1)), f.new_label("clock")
    f.store(n, looks)
    f.branch_if(f.icmp("eq", f.and_(n, i64(15)), i64(0)), clock, look)
    f.block(clock)
    f.branch_if(f.icmp("sgt", _now(f), f.load("i64", deadline)), tired, look)


def _work_and_leave(f: Function) -> None:
    body, context = f.load("ptr", _at(f, _BODY)), f.load("ptr", _at(f, _CONTEXT))
    f.call("fx_pool_claim", "void", [body, context, f.load("i64", _at(f, _COUNT))])
    f.atomic_update("sub", _at(f, _STATE), i64(1))


def _emit_spawn(m: Module) -> None:
    """Start workers up to a number; if the system refuses one, the limit becomes what there is."""
    f = m.function("fx_pool_spawn", params=["i64"])
    signals, before = _at(f, _SIGNALS), _at(f, _OLD_SIGNALS)
    _posix(f, "sigfillset", signals)
    for number in _SYNCHRONOUS_SIGNALS:
        _posix(f, "sigdelset", signals, i32(number))
    _posix(f, "pthread_sigmask", i32(_SIG_SETMASK), signals, before)
    with (
        f.loop(_get(f, _STARTED), f.args[0]) as loop,
        f.when(f.icmp("slt", f.add(loop.index, i64(1)), _get(f, _LIMIT))),
    ):
        _start_worker(f, loop.index)
    _posix(f, "pthread_sigmask", i32(_SIG_SETMASK), before, NULL)
    f.ret()


def _start_worker(f: Function, number: Value) -> None:
    argument, worker = f.cast("inttoptr", number, "ptr"), Value("@fx_pool_worker", "ptr")
    error = _posix(f, "pthread_create", _thread(f, number), _at(f, _ATTR), worker, argument)
    refused, more = f.icmp("ne", error, i32(0)), f.add(number, i64(1))
    _set(f, _AWAY, i64(0))
    _set(f, _STARTED, f.select(refused, number, more))
    with f.when(refused):
        _set(f, _LIMIT, more)


def _thread(f: Function, number: Value) -> Value:
    """Where the handle of a worker is kept."""
    return _at(f, f.add(f.mul(number, i64(8)), i64(_THREADS)))


def _emit_lead_away(m: Module) -> None:
    """Keep workers to the cores that the caller may use but does not, if it has moved since the last time."""
    f = m.function("fx_pool_lead_away")
    if _LEADS:
        here = f.cast("sext", _posix(f, "sched_getcpu"), "i64")
        known = f.and_(f.icmp("sge", here, i64(0)), f.icmp("slt", here, i64(8 * _SET_BYTES)))
        moved = f.icmp("ne", f.add(here, i64(1)), _get(f, _AWAY))
        with f.when(f.and_(known, moved)):
            _set(f, _AWAY, f.add(here, i64(1)))
            cores, size = _at(f, _CORES), i64(_SET_BYTES)
            found = _posix(f, "sched_getaffinity", i32(0), size, cores)
            words = [f.gep("i64", cores, i64(n)) for n in range(_SET_BYTES // 8)]
            own = f.gep("i64", cores, f.lshr(here, i64(6)))
            bit = f.shl(i64(1), f.and_(here, i64(63)))
            f.store(f.and_(f.load("i64", own), f.xor(bit, i64(-1))), own)
            others = functools.reduce(f.or_, [f.load("i64", word) for word in words])
            some = f.and_(f.icmp("sge", found, i32(0)), f.icmp("ne", others, i64(0)))
            with f.when(some), f.loop(i64(0), _get(f, _STARTED)) as loop:
                _posix(f, "pthread_setaffinity_np", f.load("i64", _thread(f, loop.index)), size, cores)
    f.ret()


def _emit_wake(m: Module) -> None:
    """Wake up to n sleeping workers. The mutex is taken once, so that whoever counts as sleeping does sleep."""
    f = m.function("fx_pool_wake", params=["i64"])
    f.call("fx_pool_lead_away", "void", [])
    _lock_pool(f)
    sleepers = _get(f, _SLEEPERS)
    _unlock_pool(f)
    work = _at(f, _WORK)

    def all_of_them() -> list[Value]:
        _posix(f, "pthread_cond_broadcast", work)
        return []

    def some() -> list[Value]:
        with f.loop(i64(0), f.args[0]):
            _posix(f, "pthread_cond_signal", work)
        return []

    f.choose(f.icmp("sge", f.args[0], sleepers), all_of_them, some)
    f.ret()


def _emit_parallel(m: Module) -> None:
    f = m.function("fx_parallel", params=["ptr", "ptr", "i64"], internal=False)
    body, context, count = f.args
    limit = _get(f, _LIMIT)
    least = f.select(f.icmp("slt", limit, count), limit, count)
    inline, share, take = f.new_label("inline"), f.new_label("share"), f.new_label("take")
    f.branch_if(f.icmp("sgt", least, i64(1)), take, inline)
    f.block(take)
    f.branch_if(f.compare_exchange(_at(f, _OWNER), i64(0), i64(1)), share, inline)

    f.block(inline)
    with f.loop(i64(0), count) as loop:
        f.call_pointer(body, "void", [context, loop.index])
    f.ret()

    f.block(share)
    wanted = f.sub(least, i64(1))
    with f.when(f.icmp("slt", _get(f, _STARTED), wanted)):
        f.call("fx_pool_spawn", "void", [wanted])
    _open_job(f, body, context, count)
    with f.when(f.icmp("sgt", _get(f, _SLEEPERS, "seq_cst"), i64(0))):
        f.call("fx_pool_wake", "void", [wanted])
    f.call("fx_pool_claim", "void", [body, context, count])
    _close_job(f)
    _set(f, _OWNER, i64(0), "release")
    f.ret()


def _open_job(f: Function, body: Value, context: Value, count: Value) -> None:
    f.store(body, _at(f, _BODY))
    f.store(context, _at(f, _CONTEXT))
    f.store(count, _at(f, _COUNT))
    _set(f, _NEXT, i64(0))
    state = f.add(_get(f, _STATE), i64((1 << _GENERATION) + _OPEN))
    f.atomic_update("xchg", _at(f, _STATE), state, "seq_cst")


def _close_job(f: Function) -> None:
    """Let nobody else in and wait until everybody is out."""
    f.atomic_update("sub", _at(f, _STATE), i64(_OPEN))
    looks = f.alloca("i64")
    f.store(i64(0), looks)
    look, wait, alone = f.new_label("look"), f.new_label("wait"), f.new_label("alone")
    f.branch(look)
    f.block(look)
    inside = f.and_(_get(f, _STATE, "acquire"), i64(_INSIDE))
    f.branch_if(f.icmp("eq", inside, i64(0)), alone, wait)
    f.block(wait)
    _pause(f)
    n = f.add(f.load("i64", looks), i64(1))
    f.store(n, looks)
    with f.when(f.icmp("sgt", n, i64(PATIENCE))):
        _posix(f, "sched_yield")
    f.branch(look)
    f.block(alone)


def _emit_num_threads(m: Module) -> None:
    f = m.function("fx_num_threads", "i64", internal=False)
    f.ret(_get(f, _LIMIT))


def _emit_initialize(m: Module) -> None:
    """Fresh POSIX objects; nobody else uses the pool yet."""
    f = m.function("fx_pool_initialize")
    _posix(f, "pthread_mutex_init", _at(f, _MUTEX), NULL)
    _posix(f, "pthread_cond_init", _at(f, _WORK), NULL)
    _posix(f, "pthread_cond_init", _at(f, _PARKED), NULL)
    _posix(f, "pthread_attr_init", _at(f, _ATTR))
    _posix(f, "pthread_attr_setstacksize", _at(f, _ATTR), i64(STACK))
    f.ret()


def _emit_start(m: Module) -> None:
    f = m.function("fx_pool_start", params=["i64"], internal=False)
    f.call("fx_pool_initialize", "void", [])
    _set(f, _LIMIT, f.args[0])
    f.ret()


def _emit_reset(m: Module) -> None:
    """In a forked child: the workers and what they held are gone."""
    f = m.function("fx_pool_reset", internal=False)
    f.call("fx_pool_initialize", "void", [])
    generations = const("i64", -1 << _GENERATION)
    _set(f, _STATE, f.and_(_get(f, _STATE), generations))
    _set(f, _STARTED, i64(0))
    _set(f, _SLEEPERS, i64(0))
    _set(f, _AWAY, i64(0))
    _set(f, _OWNER, _get(f, _STOP))
    f.ret()


def _emit_limit(m: Module) -> None:
    """Change the number of threads; sleeping workers look who is surplus now."""
    f = m.function("fx_pool_limit", params=["i64"], internal=False)
    _change_and_tell(f, _LIMIT, f.args[0])
    f.ret()


def _emit_stop(m: Module) -> None:
    """End the workers and wait for them; later calls run inline. Nothing while a job runs."""
    f = m.function("fx_pool_stop", internal=False)
    with f.when(f.compare_exchange(_at(f, _OWNER), i64(0), i64(1))):
        _change_and_tell(f, _STOP, i64(1))
        with f.loop(i64(0), _get(f, _STARTED)) as loop:
            _posix(f, "pthread_join", f.load("i64", _thread(f, loop.index)), NULL)
        _set(f, _STARTED, i64(0))
    f.ret()


def _change_and_tell(f: Function, offset: int, value: Value) -> None:
    _lock_pool(f)
    _set(f, offset, value)
    _posix(f, "pthread_cond_broadcast", _at(f, _WORK))
    _posix(f, "pthread_cond_broadcast", _at(f, _PARKED))
    _unlock_pool(f)
