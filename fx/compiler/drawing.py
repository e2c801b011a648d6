"""A graph as SVG: a layered layout of our own, after Sugiyama, Tagawa and Toda (1981).

Layers by the longest way from a source; edges over several layers pass through points of their own; the order in
each layer follows the mean position of the neighbours; then positions do, as far as neighbours in a layer allow.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from itertools import pairwise

from .graph import COLOURS, Graph, Node

_CHARACTER, _PADDING, _GAP, _HEIGHT, _LEVEL = 6.2, 16, 18, 38, 74
_SWEEPS = 8
SHOWN = 400
"""Boxes that are drawn at most."""


def svg(graph: Graph) -> str:
    """The graph drawn, as an SVG element."""
    if len(graph.nodes) > SHOWN:
        return f"<p>{len(graph.nodes)} boxes are too many to draw; see as_dot().</p>"
    return _Layout(graph).draw()


class _Layout:
    def __init__(self, graph: Graph):
        self.graph = graph
        self.node = {n.key: n for n in graph.nodes}
        self.width: dict[str, float] = {n.key: _width(n) for n in graph.nodes}
        self.level = _levels(graph)
        self.up: dict[str, list[str]] = {k: [] for k in self.node}
        self.down: dict[str, list[str]] = {k: [] for k in self.node}
        self.paths = [self.chain(n, e.source, e.target) for n, e in enumerate(graph.edges)]
        self.layers: list[list[str]] = [[] for _ in range(max(self.level.values(), default=-1) + 1)]
        for key, level in self.level.items():
            self.layers[level].append(key)
        self.order()
        self.place()

    def chain(self, number: int, source: str, target: str) -> list[str]:
        """The way of an edge: its ends, and a point on each layer between."""
        points = [f"edge{number}.{level}" for level in range(self.level[source] + 1, self.level[target])]
        for level, p in enumerate(points, self.level[source] + 1):
            self.level[p], self.width[p], self.up[p], self.down[p] = level, 4, [], []
        path = [source, *points, target]
        for a, b in pairwise(path):
            self.down[a].append(b)
            self.up[b].append(a)
        return path

    def order(self) -> None:
        """Sweeps down and up, each layer sorted by the mean place of its neighbours."""
        place = {k: float(i) for layer in self.layers for i, k in enumerate(layer)}
        for sweep in range(_SWEEPS):
            near = self.up if sweep % 2 == 0 else self.down
            for layer in self.layers if sweep % 2 == 0 else reversed(self.layers):
                layer.sort(key=lambda k: _mean((place[n] for n in near[k]), place[k]))
                place.update((k, float(i)) for i, k in enumerate(layer))

    def place(self) -> None:
        """Centres of the boxes."""
        self.x: dict[str, float] = {}
        for layer in self.layers:
            self.spread(layer, [0.0] * len(layer))
        for sweep in range(_SWEEPS):
            near = self.up if sweep % 2 == 0 else self.down
            for layer in self.layers if sweep % 2 == 0 else reversed(self.layers):
                self.spread(layer, [_mean((self.x[n] for n in near[k]), self.x[k]) for k in layer])
        left = min((self.x[k] - self.width[k] / 2 for k in self.x), default=0)
        for k in self.x:
            self.x[k] += _GAP - left

    def spread(self, layer: Sequence[str], wanted: Sequence[float]) -> None:
        """Places as near as can be to those wanted, in order and apart; the layer as a whole is centred on them."""
        at: list[float] = []
        for k, w in zip(layer, wanted, strict=True):
            least = at[-1] + self.apart(layer[len(at) - 1], k) if at else w
            at.append(max(w, least))
        shift = _mean((w - a for w, a in zip(wanted, at, strict=True)), 0.0)
        self.x.update((k, a + shift) for k, a in zip(layer, at, strict=True))

    def apart(self, a: str, b: str) -> float:
        return (self.width[a] + self.width[b]) / 2 + _GAP

    def top(self, key: str) -> float:
        return _GAP + self.level[key] * _LEVEL

    def draw(self) -> str:
        width = max((self.x[k] + self.width[k] / 2 for k in self.x), default=0) + _GAP
        height = len(self.layers) * _LEVEL + _GAP
        edges = [self.edge(path, e.label) for path, e in zip(self.paths, self.graph.edges, strict=True)]
        boxes = [self.box(n) for n in self.graph.nodes]
        return canvas(width, height, "".join(edges + boxes))

    def box(self, n: Node) -> str:
        x, y, w = self.x[n.key] - self.width[n.key] / 2, self.top(n.key), self.width[n.key]
        round_corners = 16 if n.kind in ("argument", "constant", "result") else 4
        middle = self.x[n.key]
        text = f'<text x="{middle:.1f}" text-anchor="middle"'
        texts = f'{text} y="{y + (16 if n.detail else 23)}">{_escape(n.title)}</text>'
        if n.detail:
            texts += f'{text} y="{y + 30}" font-size="9" fill="#555">{_escape(n.detail)}</text>'
        return (
            f'<g><rect x="{x:.1f}" y="{y}" width="{w:.1f}" height="{_HEIGHT}" rx="{round_corners}" '
            f'fill="{COLOURS[n.kind]}" stroke="#777"/>{texts}</g>'
        )

    def edge(self, path: Sequence[str], label: str) -> str:
        x, y = self.x[path[0]], self.top(path[0]) + _HEIGHT
        d = f"M{x:.1f},{y}"
        for k in path[1:]:
            top = self.top(k)
            d += f" C{x:.1f},{(y + top) / 2:.0f} {self.x[k]:.1f},{(y + top) / 2:.0f} {self.x[k]:.1f},{top}"
            x, y = self.x[k], top
            if k != path[-1]:
                y = top + _HEIGHT
                d += f" L{x:.1f},{y}"
        return f'<path d="{d}" fill="none" stroke="#999"><title>{_escape(label)}</title></path>'


def canvas(width: float, height: float, content: str) -> str:
    """An SVG element of this size."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="sans-serif" font-size="11" style="background:#fff">{content}</svg>'
    )


def _levels(graph: Graph) -> dict[str, int]:
    """The layer of each box; what has no source stands just above its first reader."""
    level = {n.key: 0 for n in graph.nodes}
    into: dict[str, list[str]] = {n.key: [] for n in graph.nodes}
    out: dict[str, list[str]] = {n.key: [] for n in graph.nodes}
    for e in graph.edges:
        into[e.target].append(e.source)
        out[e.source].append(e.target)
    for n in graph.nodes:  # they come in the order of execution
        level[n.key] = max((level[s] + 1 for s in into[n.key]), default=0)
    for key in level:
        if not into[key] and out[key]:
            level[key] = max(min(level[t] for t in out[key]) - 1, 0)
    return level


def _mean(values: Iterable[float], otherwise: float) -> float:
    found = list(values)
    return sum(found) / len(found) if found else otherwise


def _width(n: Node) -> float:
    return max(_CHARACTER * len(n.title), 5.2 * len(n.detail)) + _PADDING


def _escape(text: str) -> str:
    return html.escape(text)
