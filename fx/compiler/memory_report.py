"""The memory of one run, as the plan knows it before: peak, buffers with user lines and lifetimes, a timeline."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

from ..core.avals import format_bytes
from ..core.errors import ArgumentError
from .drawing import canvas

LARGEST = 10
AFTER = 1 << 60
_BAR, _ROWS = 40, 24
ARGUMENT, CONSTANT, RESULT, TEMPORARY, WORKING = (
    "argument",
    "constant",
    "result",
    "temporary",
    "working memory",
)


@dataclass(frozen=True)
class Buffer:
    """A piece of memory: what it holds, and from which step to which."""

    name: str
    kind: str
    """argument, constant, result, temporary, or working memory of one step."""
    array: str
    """Shape and dtype."""
    nbytes: int
    first: int
    """The step before which it is needed; -1 for what is there before the run, AFTER for copies made at its end."""
    last: int
    where: str = ""
    """The user's line that made it: `file:line in function: text`."""
    note: str = ""
    """What else uses it: values written in place, a result that takes the memory of an argument."""
    offset: int | None = None
    """In the arena; None for an array of its own."""

    def row(self) -> tuple[str, ...]:
        """For people."""
        life = "whole run" if self.first < 0 else f"steps {self.first}..{self.last}"
        life = "at the end" if self.first == AFTER else life
        about = "; ".join(filter(None, (self.name, self.note)))
        return format_bytes(self.nbytes), self.kind, self.array, life, about, self.where


@dataclass(frozen=True, repr=False)
class MemoryReport:
    """Bytes of one run, known before it. Prints as text; a notebook shows the timeline; `plot()` gives a figure."""

    name: str
    steps: tuple[str, ...]
    """Titles of the steps, in order."""
    buffers: tuple[Buffer, ...]
    """All of them, in the order of their first steps."""
    peak: int
    """The most bytes held at once, arguments included."""
    arena: int
    """Bytes of the one block that holds the temporaries of native code."""
    least: int
    """Bytes below which no arena could be: the most that is alive at one step."""
    donated: int
    """Bytes of results that take the memory of donated arguments."""
    planned: bool
    """False for a Program that is interpreted: then one equation is a step, and its own working memory is unknown."""
    exact: bool
    """False where a length is known only at run time: such arrays are not in any number."""
    unplanned: str = ""
    """The steps run by Python whose own working memory is not known."""

    def _sum(self, *kinds: str) -> int:
        return sum(b.nbytes for b in self.buffers if b.kind in kinds)

    @property
    def arguments(self) -> int:
        """Bytes of the inputs, constants closed over included; the caller holds them."""
        return self._sum(ARGUMENT, CONSTANT)

    @property
    def outputs(self) -> int:
        """Bytes of the results, those in the memory of donated arguments included."""
        return self._sum(RESULT)

    @property
    def temporaries(self) -> int:
        """Bytes of everything else at the peak: the arena, and arrays that pass between native code and Python."""
        return self.peak - self.arguments - self.outputs + self.donated

    @property
    def allocated(self) -> int:
        """Bytes that the run itself takes: the peak without the arguments."""
        return self.peak - self.arguments

    @cached_property
    def timeline(self) -> tuple[int, ...]:
        """Bytes that hold something needed, by step; never more than `peak`."""
        return tuple(sum(parts) for parts in zip(*self.parts().values(), strict=True))

    def parts(self) -> dict[str, list[int]]:
        """Bytes by step of arguments, results and temporaries; results in donated memory count as arguments."""
        count = max(len(self.steps), 1)
        fresh = [b for b in self.buffers if not b.note.startswith(DONATED)]
        return {
            "arguments": [self.arguments] * count,
            "results": alive([b for b in fresh if b.kind == RESULT], count),
            "temporaries": alive([b for b in fresh if b.kind in (TEMPORARY, WORKING)], count),
        }

    @property
    def largest(self) -> tuple[Buffer, ...]:
        """The ten largest buffers."""
        return tuple(sorted(self.buffers, key=lambda b: -b.nbytes)[:LARGEST])

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        names = (
            "peak",
            "arguments",
            "outputs",
            "temporaries",
            "arena",
            "least",
            "donated",
            "planned",
            "exact",
            "unplanned",
        )
        return {
            "name": self.name,
            **{n: getattr(self, n) for n in names},
            "largest": [b.__dict__ for b in self.largest],
            "timeline": list(self.timeline),
        }

    def summary(self) -> list[tuple[str, str]]:
        """Names and values, for people."""
        size = format_bytes
        arena = "values of equations, as they live and die"
        if self.planned:
            arena = f"{size(self.arena)} in one arena; no less than {size(self.least)} would do"
        given = f", {size(self.donated)} of them in the memory of donated arguments" if self.donated else ""
        more = "" if self.exact else ", and arrays whose length only the run knows"
        python = [("", f"besides what {self.unplanned} takes, which Python runs")] if self.unplanned else []
        return [
            ("peak", size(self.peak) + more),
            ("arguments", size(self.arguments)),
            ("outputs", size(self.outputs) + given),
            ("temporaries", f"{size(self.temporaries)} ({arena})"),
            *python,
        ]

    def __repr__(self) -> str:
        rows = [f"memory of {self.name}, known before the run"]
        rows += [f"  {name:<12} {text}" for name, text in self.summary()]
        return "\n".join([*rows, "largest buffers", *_columns(self.largest), "timeline", *self._bars()])

    def _bars(self) -> list[str]:
        """A line a step, or a line for several of them with the most of each."""
        most = max(self.timeline, default=0) or 1
        group = -(-len(self.timeline) // _ROWS)
        rows = []
        for n in range(0, len(self.steps), group):
            part = self.timeline[n : n + group]
            top = n + part.index(max(part))
            bar = "█" * round(_BAR * max(part) / most)
            rows.append(f"  {top:>4} {bar:<{_BAR}} {format_bytes(max(part)):>10}  {self.steps[top]}")
        return rows or ["  no steps"]

    def _repr_html_(self) -> str:
        heads = ("bytes", "kind", "array", "alive", "what", "line")
        tables = table(("memory of " + self.name, ""), self.summary()) + table(
            heads, [b.row() for b in self.largest]
        )
        return f"<div>{tables}{self.svg()}</div>"

    def svg(self) -> str:
        """The timeline drawn, as an SVG element."""
        return _drawn(self.parts(), self.steps, self.peak)

    def plot(self, ax: Any = None) -> Any:
        """The timeline as a figure of matplotlib, which must be installed.

        Args:
            ax: the axes to draw on; otherwise a new figure's.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as e:
            raise ArgumentError(
                "plot() needs matplotlib, which is not installed; print the report, or use svg()."
            ) from e
        figure = Figure(figsize=(8, 3.5), layout="constrained") if ax is None else ax.figure
        ax = figure.add_subplot() if ax is None else ax
        parts = {name: [*values, values[-1]] for name, values in self.parts().items()}
        count = len(next(iter(parts.values())))
        bottom = [0.0] * count
        for name, values in parts.items():
            top = [b + v / 2**20 for b, v in zip(bottom, values, strict=True)]
            ax.fill_between(range(count), bottom, top, step="post", label=name, color=COLOURS[name])
            bottom = top
        ax.axhline(self.peak / 2**20, color="#333", linestyle="--", linewidth=0.8, label="peak")
        ax.set(
            xlabel="step", ylabel="MiB", title=f"memory of {self.name}", xlim=(0, count - 1), ylim=(0, None)
        )
        ax.legend(loc="best", fontsize="small")
        return figure


DONATED = "in the memory of "
"""How the note of a result begins that takes the memory of a donated argument."""
COLOURS = {"arguments": "#b8c9e0", "results": "#9bd19b", "temporaries": "#f2b880"}


def alive(buffers: Iterable[Buffer], steps: int) -> list[int]:
    """Bytes by step."""
    change = [0] * (steps + 1)
    for b in buffers:
        if b.first != AFTER:
            change[max(b.first, 0)] += b.nbytes
            change[min(b.last, steps - 1) + 1] -= b.nbytes
    return list(accumulate(change[:steps]))


def after(buffer: Buffer, note: str) -> Buffer:
    """The same buffer with one more note."""
    return replace(buffer, note="; ".join(filter(None, (buffer.note, note))))


def _columns(buffers: tuple[Buffer, ...]) -> list[str]:
    rows = [b.row() for b in buffers]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    found = []
    for row in rows:
        cells = [f"{row[0]:>{widths[0]}}", *[f"{c:<{w}}" for c, w in zip(row[1:], widths[1:], strict=True)]]
        found.append("  " + "  ".join(cells).rstrip())
    return found or ["  none"]


_WIDTH, _HEIGHT, _LEFT = 640, 160, 70


def _drawn(parts: dict[str, list[int]], titles: tuple[str, ...], peak: int) -> str:
    count = len(next(iter(parts.values())))
    width, scale = _WIDTH / count, _HEIGHT / max(peak, 1)
    bottom, shapes = [0] * count, []
    for name, values in parts.items():
        top = [b + v for b, v in zip(bottom, values, strict=True)]
        corners = _corners(top, width) + _corners(bottom, width)[::-1]
        points = " ".join(f"{_LEFT + x:.1f},{_HEIGHT - y * scale + 10:.1f}" for x, y in corners)
        shapes.append(f'<polygon points="{points}" fill="{COLOURS[name]}"><title>{name}</title></polygon>')
        bottom = top
    for n, (title, nbytes) in enumerate(zip(titles, bottom, strict=False)):
        label = html.escape(f"step {n}, {format_bytes(nbytes)}: {title}")
        shapes.append(
            f'<rect x="{_LEFT + n * width:.1f}" y="10" width="{width:.1f}" height="{_HEIGHT}" fill="transparent">'
            f"<title>{label}</title></rect>"
        )
    line = f'<line x1="{_LEFT}" y1="10" x2="{_LEFT + _WIDTH}" y2="10" stroke="#333" stroke-dasharray="4"/>'
    text = f'<text x="{_LEFT - 4}" y="14" text-anchor="end">{format_bytes(peak)}</text>'
    legend = "".join(
        f'<rect x="{_LEFT + 110 * i}" y="{_HEIGHT + 18}" width="10" height="10" fill="{COLOURS[name]}"/>'
        f'<text x="{_LEFT + 110 * i + 14}" y="{_HEIGHT + 27}">{name}</text>'
        for i, name in enumerate(parts)
    )
    return canvas(_LEFT + _WIDTH + 10, _HEIGHT + 34, "".join(shapes) + line + text + legend)


def _corners(values: list[int], width: float) -> list[tuple[float, int]]:
    """The points of a staircase."""
    return [(x, v) for n, v in enumerate(values) for x in (n * width, (n + 1) * width)]


def table(heads: Any, rows: Any) -> str:
    """A table as HTML."""
    line = lambda cells, tag: (
        "<tr>" + "".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in cells) + "</tr>"
    )
    return f'<table style="text-align:left">{line(heads, "th")}{"".join(line(r, "td") for r in rows)}</table>'
