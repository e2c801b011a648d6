"""Processes of the systems: started with equal threads, asked one at a time, ended when they take too long."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .worker import serve

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "FX_NUM_THREADS")
XLA_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def cores() -> list[int]:
    """The cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def environment(threads: str) -> dict[str, str]:
    """Variables that the libraries read when they are loaded; `threads` is "1" or "all"."""
    count = "1" if threads == "1" else str(len(cores()))
    # one compiling process of torch.compile, so that ending the process ends the compilation
    found = {**dict.fromkeys(THREADS, count), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    return {**found, "XLA_FLAGS": XLA_ONE_THREAD} if threads == "1" else found


class Failed(Exception):
    """Why a system has no figure."""


class Process:
    """A worker; `ask` calls one of its methods."""

    def __init__(self, system: str, threads: str, variables: Mapping[str, str] | None = None) -> None:
        self.system, self.threads, self.variables = system, threads, dict(variables or {})
        self._start()

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._connection, other = spawn.Pipe()
        core, count = (cores()[-1], 1) if self.threads == "1" else (None, None)
        arguments = (other, self.system, count, core)
        self._process = spawn.Process(target=serve, args=arguments, daemon=True)
        with _environment({**environment(self.threads), **self.variables}):
            self._process.start()
        other.close()
        self._answer("the start", 120.0)

    def ask(self, method: str, *arguments: Any, limit: float = 120.0) -> Any:
        """The answer. Raises Failed with the error's text, or after `limit` seconds, when a new process takes over."""
        if not self._process.is_alive():
            self._start()
        self._connection.send((method, *arguments))
        return self._answer(method, limit)

    def _answer(self, method: str, limit: float) -> Any:
        try:
            if not self._connection.poll(limit):
                self.close(kill=True)
                raise Failed(f"{method} took more than {limit:.0f} s")
            state, value = self._connection.recv()
        except (EOFError, ConnectionError) as error:
            self._process.join()
            raise Failed(f"the process died in {method}, exit code {self._process.exitcode}") from error
        if state == "failed":
            raise Failed(value)
        return value

    def quiet(self, slice_s: float = 0.01, limit_s: float = 0.5) -> None:
        """Wait until its threads sleep: those of OpenBLAS spin for a tenth of a second after their work."""
        before, end = self._cpu_seconds(), time.monotonic() + limit_s
        while time.monotonic() < end:
            time.sleep(slice_s)
            now = self._cpu_seconds()
            if now - before < slice_s / 20:
                return
            before = now

    def _cpu_seconds(self) -> float:
        """Of all threads that live, by the scheduler's count; where there is none, always 0."""
        files = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        try:
            return sum(int(file.read_text().split()[0]) for file in files) / 1e9
        except (OSError, IndexError):  # a thread ended
            return 0.0

    def close(self, kill: bool = False) -> None:
        """Let the worker end, or end it."""
        if not kill and self._process.is_alive():
            with contextlib.suppress(ConnectionError):
                self._connection.send(None)
            self._process.join(5.0)
        if self._process.is_alive():
            self._process.kill()
        self._process.join()


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """os.environ with other variables, for a process that starts now."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
