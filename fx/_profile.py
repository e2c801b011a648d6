"""profile: time and bytes of a compiled function by user source line."""

from __future__ import annotations

import functools
import html
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from .core.array import as_buffer
from .core.avals import format_bytes
from .core.devices import backend_of, common_backend
from .core.errors import ArgumentError, brief, lines
from .core.errstate import quiet
from .core.interpret import wrap
from .core.program import Equation, Program
from .core.source import Source
from .core.trace import no_trace
from .core.transforms.arguments import is_index
from .core.transforms.gradient import ShapeDtype
from .core.transforms.jit import Jitted, jit

ENOUGH, MOST = 0.3, 1000
"""Seconds, and runs, after which no more are made, unless the caller says how many."""


def profile(fun: Callable[..., Any], *, repeat: int | None = None) -> Callable[..., Profile]:
    """Measure where the time of a function goes, compiled, by line of its source.

    The code is compiled anew with counters. A fused step computes several lines: its time is measured, and spread
    over them by the operations and bytes of each.

    Args:
        fun: a function, jitted or not; static and donated arguments as in `fx.jit` (nothing is donated here).
        repeat: how often to run; otherwise for about a third of a second. One run before does not count.

    Returns:
        A function that runs `fun` on its arguments and gives a `Profile`: a table to print, with the last result
        as `result`.

    >>> import fx
    >>> found = profile(lambda x: (x * x).sum(), repeat=3)(fx.numpy.ones(1000))
    >>> found.runs, float(found.result)
    (3, 1000.0)
    """
    if not callable(fun):
        raise ArgumentError(f"profile takes a function; got {brief(fun)}.")
    if repeat is not None and (isinstance(repeat, bool) or not is_index(repeat) or repeat < 1):
        raise ArgumentError(
            lines(
                f"profile(repeat={brief(repeat)}): the number of runs is a positive integer.",
                "Write fx.profile(f, repeat=10)(*args).",
            )
        )
    jitted = fun if isinstance(fun, Jitted) else jit(fun)

    @functools.wraps(fun, updated=())
    def profiled(*args: Any, **kwargs: Any) -> Profile:
        return _profile(jitted, args, kwargs, repeat)

    return profiled


class Row(NamedTuple):
    """A line of the source: its seconds, operations and bytes in one run."""

    file: str
    line: int
    function: str
    text: str
    seconds: float
    flops: int
    read: int
    written: int
    primitives: tuple[str, ...]

    @property
    def where(self) -> str:
        """`file:line`, short."""
        return f"{self.file.rsplit('/', 1)[-1]}:{self.line}" if self.line else "(no line)"


class StepTime(NamedTuple):
    """A step of the compiled function and its seconds in one run."""

    title: str
    seconds: float


@dataclass(frozen=True, repr=False)
class Profile:
    """Where the time of a function goes. Prints as a table, the most expensive lines first."""

    name: str
    result: Any
    """What the last run gave."""
    runs: int
    seconds: float
    """The median time of a run."""
    rows: tuple[Row, ...]
    """By line, the most expensive first."""
    steps: tuple[StepTime, ...]
    """In the order of execution."""
    overhead: float
    """Seconds of a run outside of all steps: the call itself, and memory for the results."""
    interpreted: str | None
    """Why it was not compiled, if it was not; then an equation is a step."""
    exact: bool
    """False where some loop's number of trips is known only at run time: its work counts for one trip."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON; without the result."""
        plain = {k: v for k, v in self.__dict__.items() if k not in ("result", "rows", "steps")}
        rows, steps = [r._asdict() for r in self.rows], [s._asdict() for s in self.steps]
        return {**plain, "rows": rows, "steps": steps}

    def head(self) -> str:
        """What was measured, in a line."""
        least = "" if self.exact else "; work in loops whose trips only the run knows counts once"
        how = "" if self.interpreted is None else f", interpreted: {self.interpreted}"
        return f"profile of {self.name}: {_time(self.seconds)} a run, the median of {self.runs}{how}{least}"

    def cells(self) -> list[tuple[str, ...]]:
        """A row of text for each line of the source, and one for what belongs to none."""
        found = [
            (
                _time(r.seconds), self._percent(r.seconds), _flops(r.flops), format_bytes(r.read + r.written),
                r.where, f"{r.function}: {r.text}" if r.text else r.function,
            )
            for r in self.rows
        ]  # fmt: skip
        return [*found, (_time(self.overhead), self._percent(self.overhead), "", "", "", "the call itself")]

    def _percent(self, seconds: float) -> str:
        whole = sum(s.seconds for s in self.steps) + self.overhead
        return f"{100 * seconds / whole:.1f} %" if whole else ""

    def __repr__(self) -> str:
        return "\n".join([self.head(), *_columns([HEADS, *self.cells()]), "", *self._step_rows()])

    def _step_rows(self) -> list[str]:
        cells = self._step_cells()
        more = [f"... and {len(cells) - SHOWN} more"] if len(cells) > SHOWN else []
        return [*_columns([STEP_HEADS, *cells[:SHOWN]]), *more]

    def _step_cells(self) -> list[tuple[str, ...]]:
        """Steps that are alike together, the most expensive first."""
        from .compiler.explain import sizeless, together

        alike: dict[str, list[StepTime]] = {}
        for s in self.steps:
            alike.setdefault(sizeless(s.title) if len(self.steps) > SHOWN else s.title, []).append(s)
        found = [(sum(s.seconds for s in x), together([s.title for s in x])) for x in alike.values()]
        return [(_time(t), self._percent(t), title) for t, title in sorted(found, key=lambda row: -row[0])]

    def _repr_html_(self) -> str:
        from .compiler.memory_report import table

        steps = table(STEP_HEADS, self._step_cells())
        return f"<div><h4>{html.escape(self.head())}</h4>{table(HEADS, self.cells())}{steps}</div>"


HEADS = ("time", "%", "work", "moved", "line", "")
STEP_HEADS = ("time", "%", "step")
SHOWN = 20
"""Kinds of steps that are printed."""


def _profile(jitted: Jitted, args: Any, kwargs: Any, repeat: int | None) -> Profile:
    leaves = jitted._signature(args, kwargs)[0]
    if any(isinstance(x, ShapeDtype) for x in leaves):
        raise ArgumentError("profile runs the function: pass arrays, not ShapeDtype.")
    lowered = jitted.lower(*args, **kwargs)
    values = leaves + lowered.consts
    wanted = _until(repeat)
    measure = _compiled if lowered.interpreted is None else _interpreted
    with no_trace(), quiet():
        results, times, rest, steps = measure(lowered.program, [as_buffer(v) for v in values], wanted)
    return Profile(
        name=lowered.program.name,
        result=lowered.out_tree.unflatten(wrap(lowered.program, values, results)),
        runs=len(times),
        seconds=median(times),
        rows=_rows(steps),
        steps=tuple(StepTime(s.title, s.seconds) for s in steps),
        overhead=median(rest),
        interpreted=lowered.interpreted,
        exact=all(share.work.exact for s in steps for share in s.shares),
    )


def _until(repeat: int | None) -> Callable[[int, float], bool]:
    if repeat is not None:
        return lambda runs, seconds: runs < repeat
    return lambda runs, seconds: runs < MOST and (seconds < ENOUGH or runs < 3)


def _compiled(program: Program, buffers: list[Any], wanted: Callable[[int, float], bool]) -> Any:
    from .backends.cpu.profiling import Profiler

    profiler = Profiler(program)
    results, times = profiler.run(buffers, wanted)
    return results, times, _rest(times, profiler.seconds), profiler.steps()


def _rest(times: Sequence[float], steps: Sequence[Sequence[float]]) -> list[float]:
    """Of each run, the seconds outside of its steps."""
    return [max(t - sum(parts), 0.0) for t, parts in zip(times, steps, strict=True)]


def _rows(steps: Iterable[Any]) -> tuple[Row, ...]:
    """Shares of equations added up by line."""
    found: dict[tuple[str, int], Row] = {}
    for step in steps:
        for share in step.shares:
            _add(found, _row(share)._replace(seconds=step.seconds * share.weight))
    return tuple(sorted(found.values(), key=lambda r: -r.seconds))


def _add(found: dict[tuple[str, int], Row], more: Row) -> None:
    r = found.get((more.file, more.line))
    found[more.file, more.line] = more if r is None else r._replace(
        seconds=r.seconds + more.seconds,
        flops=r.flops + more.flops,
        read=r.read + more.read,
        written=r.written + more.written,
        primitives=tuple(dict.fromkeys(r.primitives + more.primitives)),
    )  # fmt: skip


def _row(share: Any) -> Row:
    eqn, work = share.eqn, share.work
    source: Source | None = eqn.source if eqn is not None else None
    place = ("", 0, "", "made by fx")
    if source is not None:
        place = (source.file, source.line, source.code.co_name, source.text)
    names = (eqn.primitive.name,) if eqn is not None else ()
    return Row(*place, 0.0, work.flops, work.read, work.written, names)


# Where there is no compiler: equation by equation


class _Share(NamedTuple):
    eqn: Equation
    weight: float
    work: Any


class _Timed(NamedTuple):
    title: str
    seconds: float
    shares: list[_Share]


def _interpreted(program: Program, buffers: list[Any], wanted: Callable[[int, float], bool]) -> Any:
    from .compiler.cost import equation_work

    backend = common_backend(buffers)
    kernels = [(e, e.primitive.kernel(backend.xp, e.params)) for e in program.equations]
    counts: list[list[float]] = []
    times: list[float] = []
    results, _ = _walk(program, kernels, buffers)
    while not times or wanted(len(times), sum(times)):
        start = time.perf_counter()
        results, spent = _walk(program, kernels, buffers)
        times.append(time.perf_counter() - start)
        counts.append(spent)
    steps = [
        _Timed(e.primitive.name, median(seconds), [_Share(e, 1.0, equation_work(e))])
        for e, seconds in zip(program.equations, zip(*counts, strict=True), strict=True)
    ]
    return results, times, _rest(times, counts), steps


def _walk(program: Program, kernels: Sequence[Any], buffers: Sequence[Any]) -> tuple[list[Any], list[float]]:
    """The interpreter with a clock: results, and seconds by equation."""
    spent: list[float] = []
    env: dict[Any, Any] = dict(zip(program.inputs, buffers, strict=True))
    env.update((v, as_buffer(value)) for v, value in program.consts)
    read = lambda v: getattr(v, "value", None) if v not in env else env[v]
    for eqn, kernel in kernels:
        start = time.perf_counter()
        found = kernel(*map(read, eqn.inputs))
        found = found if eqn.primitive.multiple else (found,)
        for v, value in zip(eqn.outputs, found, strict=True):
            backend_of(value).synchronize(value)
            env[v] = value
        spent.append(time.perf_counter() - start)
    return [read(v) for v in program.outputs], spent


# Text


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    pad = lambda i, cell: f"{cell:>{widths[i]}}" if i < len(widths) - 2 else f"{cell:<{widths[i]}}"
    return ["  ".join(pad(i, cell) for i, cell in enumerate(row)).rstrip() for row in rows]


def _time(seconds: float) -> str:
    from .compiler.cost import seconds_text

    return seconds_text(seconds)


def _flops(n: int) -> str:
    from .compiler.cost import flops_text

    return flops_text(n)
