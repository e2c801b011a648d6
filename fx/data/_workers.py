"""Processes that load examples: in order, and with a name for every failure."""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from ._errors import DataError

Load = Callable[[Any, Callable[[int], None]], Any]
"""(task, report) -> batch; `report(index)` says which example is being loaded."""


class _Worker(NamedTuple):
    process: Any
    pipe: Connection
    holds: Any
    """Shared: the example it is loading, -1 for none."""
    tasks: list[int]
    """Numbers of the batches it was given and has not returned, oldest first."""


def parallel(load: Load, tasks: Iterable[Any], workers: int, ahead: int, start: str | None) -> Iterator[Any]:
    """load(task) for every task, in their order, made by processes that work `ahead` batches each in advance.

    Raises:
        DataError: an example failed, or a process died; it is named.
    """
    context: Any = mp.get_context(start or ("fork" if "fork" in mp.get_all_start_methods() else "spawn"))
    made = [_started(context, load, i) for i in range(workers)]
    try:
        yield from _in_order(made, iter(tasks), ahead)
    finally:
        _stop(made)


def _started(context: Any, load: Load, number: int) -> _Worker:
    ours, theirs = context.Pipe()
    holds = context.Value("q", -1, lock=False)
    process = context.Process(target=_work, args=(load, theirs, holds), name=f"fx-data-{number}", daemon=True)
    try:
        process.start()
    except (pickle.PicklingError, AttributeError, TypeError) as e:
        raise DataError(
            f"The source or its functions cannot be sent to another process: {e}.\n"
            "Define functions at the top of a module instead of lambdas, or pass start='fork'."
        ) from None
    theirs.close()
    return _Worker(process, ours, holds, [])


def _work(load: Load, pipe: Connection, holds: Any) -> None:
    """The life of a process: load what is asked for until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told of Ctrl-C, and ends its workers

    def report(index: int) -> None:
        holds.value = index

    while True:
        try:
            number, task = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = (number, load(task, report), None)
        except Exception as e:
            answer = (number, None, (f"{type(e).__name__}: {e}", traceback.format_exc(), holds.value))
        holds.value = -1
        with contextlib.suppress(BrokenPipeError):
            pipe.send(answer)


def _in_order(workers: list[_Worker], tasks: Iterator[Any], ahead: int) -> Iterator[Any]:
    given, wanted = 0, 0
    ready: dict[int, Any] = {}
    exhausted = False
    while True:
        for worker in workers:
            while not exhausted and len(worker.tasks) < ahead and given - wanted < ahead * len(workers):
                task = next(tasks, _END)
                exhausted = task is _END
                if not exhausted:
                    _give(worker, given, task, ready)
                    given += 1
        if wanted in ready:
            batch = ready.pop(wanted)
            if isinstance(batch, DataError):
                raise batch
            yield batch
            wanted += 1
        elif exhausted and wanted == given:
            return
        else:
            _collect([w for w in workers if w.tasks], ready)


_END = object()


def _give(worker: _Worker, number: int, task: Any, ready: dict[int, Any]) -> None:
    worker.tasks.append(number)
    try:
        worker.pipe.send((number, task))
    except (BrokenPipeError, ConnectionResetError):
        _bury(worker, ready)


def _collect(busy: list[_Worker], ready: dict[int, Any]) -> None:
    """Wait for a batch from any process, or for its end; failures take the place of their batch."""
    events = wait([w.pipe for w in busy] + [w.process.sentinel for w in busy])
    for worker in busy:
        if worker.pipe in events:
            try:
                number, batch, failure = worker.pipe.recv()
            except (EOFError, ConnectionResetError):
                _bury(worker, ready)
                continue
            worker.tasks.remove(number)
            ready[number] = batch if failure is None else _failed(*failure)
        elif worker.process.sentinel in events:
            _bury(worker, ready)


def _failed(text: str, trace: str, index: int) -> DataError:
    return DataError(f"Example {index} failed in a worker process: {text}\n\n{trace}")


def _bury(worker: _Worker, ready: dict[int, Any]) -> None:
    """A process that has ended: its death takes the place of all batches that it held."""
    death = _death(worker)
    ready.update(dict.fromkeys(worker.tasks, death))
    worker.tasks.clear()


def _death(worker: _Worker) -> DataError:
    worker.process.join(1)
    code = worker.process.exitcode
    how = (
        f"was killed by {signal.Signals(-code).name}"
        if code is not None and code < 0
        else f"ended with code {code}"
    )
    held = worker.holds.value
    what = f"while it loaded example {held}" if held >= 0 else "between two examples"
    hint = "\nSIGKILL is often the system's answer to too little memory." if code == -signal.SIGKILL else ""
    return DataError(
        f"Worker process {worker.process.name} {how} {what}, batch {min(worker.tasks, default=0)}.{hint}"
    )


def _stop(workers: list[_Worker]) -> None:
    if os.getpid() != workers[0].process._parent_pid:
        return  # a child that was forked while a loader ran: the workers are not its own
    for worker in workers:
        worker.pipe.close()
    for worker in workers:
        worker.process.terminate()
        worker.process.join()
