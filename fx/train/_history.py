"""The numbers of a run, a row an epoch."""

from __future__ import annotations

from os import PathLike
from typing import Any

import fx


class History:
    """Rows of numbers, one an epoch: `history["loss"]` is a column, `history.rows` all; prints as a table."""

    def __init__(self, rows: list[dict[str, float]] | None = None):
        self.rows = list(rows or [])

    def append(self, row: dict[str, float]) -> None:
        self.rows.append(dict(row))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> list[str]:
        """Columns, in the order of their first row."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def __getitem__(self, name: str) -> list[float]:
        """A column; NaN where a row has no such number."""
        if name not in self.names:
            raise fx.ArgumentError(f"The history has no column {name!r}; it has {self.names}.")
        return [row.get(name, float("nan")) for row in self.rows]

    def __str__(self) -> str:
        names = self.names
        cells = [names, *([f"{row[n]:.5g}" if n in row else "" for n in names] for row in self.rows)]
        widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
        return "\n".join("  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in cells)

    __repr__ = __str__

    def plot(self, path: str | PathLike[str], *names: str) -> None:
        """Draw columns over epochs into a PNG (or another format by its ending); all but times without names.

        Needs matplotlib.
        """
        from matplotlib.figure import Figure

        chosen = names or tuple(
            n for n in self.names if n not in ("epoch", "step", "seconds", "examples_per_second")
        )
        figure = Figure(figsize=(4 * len(chosen), 3), layout="constrained")
        for axes, name in zip(figure.subplots(1, len(chosen), squeeze=False)[0], chosen, strict=True):
            axes.plot(self["epoch"], self[name], marker="o", markersize=3)
            axes.set(title=name, xlabel="epoch")
            axes.grid(alpha=0.3)
        figure.savefig(path, dpi=120)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{n}</th>" for n in self.names)
        lines = ["".join(f"<td>{row.get(n, float('nan')):.5g}</td>" for n in self.names) for row in self.rows]
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def numbers(values: Any) -> dict[str, float]:
    """A dict of scalars as Python floats.

    Raises:
        ArgumentError: it is no dict of scalars.
    """
    try:
        return {str(name): float(x) for name, x in values.items()}
    except (AttributeError, TypeError, ValueError) as e:
        raise fx.ArgumentError(f"Metrics are a dict of numbers by name; got {values!r} ({e}).") from None
