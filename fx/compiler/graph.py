"""The steps of a compiled Program as a graph: DOT, Mermaid, plain data; drawn by `drawing`."""

from __future__ import annotations

from typing import Any, NamedTuple


class Node(NamedTuple):
    """A box: an argument, a step or a result."""

    key: str
    kind: str
    """argument, constant, nest, operation, control, python or result."""
    title: str
    detail: str = ""
    """A second line, smaller."""


class Edge(NamedTuple):
    """An array from one box to another."""

    source: str
    target: str
    label: str = ""


class Graph(NamedTuple):
    """Boxes in the order of execution, and the arrays between them."""

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "name": self.name,
            "nodes": [n._asdict() for n in self.nodes],
            "edges": [e._asdict() for e in self.edges],
        }

    def as_dot(self) -> str:
        """The graph in the language of Graphviz."""
        rows = [f"digraph {_quoted(self.name)} {{", '  node [fontname="sans-serif", style="filled"];']
        for n in self.nodes:
            label = _quoted(n.title + (f"\n{n.detail}" if n.detail else ""))
            look = f'shape="{_SHAPES[n.kind]}", fillcolor="{COLOURS[n.kind]}"'
            rows.append(f"  {_quoted(n.key)} [label={label}, {look}];")
        rows += [
            f"  {_quoted(e.source)} -> {_quoted(e.target)} [label={_quoted(e.label)}];" for e in self.edges
        ]
        return "\n".join([*rows, "}"])

    def as_mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        rows = ["flowchart TD"]
        for n in self.nodes:
            opened, closed = _BRACKETS.get(n.kind, ("[", "]"))
            text = "<br/>".join(map(_entities, filter(None, (n.title, n.detail))))
            rows.append(f'  {n.key}{opened}"{text}"{closed}:::{n.kind}')
        for e in self.edges:
            arrow = f'-->|"{_entities(e.label)}"|' if e.label else "-->"
            rows.append(f"  {e.source} {arrow} {e.target}")
        kinds = dict.fromkeys(n.kind for n in self.nodes)
        rows += [f"  classDef {kind} fill:{COLOURS[kind]},stroke:#555,color:#111" for kind in kinds]
        return "\n".join(rows)


COLOURS = {
    "argument": "#e8eef7", "constant": "#e8eef7", "nest": "#d9f2d9", "operation": "#ffe7c2", "control": "#e6dcf7",
    "python": "#ffd3d3", "result": "#e8eef7",
}  # fmt: skip
_SHAPES = {
    "argument": "ellipse", "constant": "ellipse", "nest": "box", "operation": "box3d", "control": "component",
    "python": "note", "result": "ellipse",
}  # fmt: skip
_BRACKETS = {
    "argument": ("([", "])"),
    "constant": ("([", "])"),
    "result": ("([", "])"),
    "control": ("[[", "]]"),
}


def _quoted(text: str) -> str:
    """A string of DOT."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _entities(text: str) -> str:
    """Text between Mermaid's quotes."""
    for char, code in (("#", "#35;"), ("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(char, code)
    return text.replace("\n", " ")
