"""`summary`: what a model is made of, as a table."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import fx

from ._layer import Layer
from ._scope import Run, Scope, copied


@dataclass(frozen=True)
class Row:
    """One layer: where it is, what it returns, how large it is."""

    path: tuple[Any, ...]
    layer: Layer
    output: str
    """dtype and shape of the result."""
    parameters: int
    """Numbers in its parameters, those of the layers inside included."""
    bytes: int
    flops: int
    """Floating-point operations of one call."""

    @property
    def name(self) -> str:
        """The place in the tree of parameters: encoder/layers/0."""
        return "/".join(map(str, self.path))


@dataclass(frozen=True)
class Summary:
    """The layers of a model in the order of their first call; prints as a table. `total` is the model itself."""

    rows: tuple[Row, ...]
    total: Row

    def __str__(self) -> str:
        return _table(self)

    __repr__ = __str__


def summary(
    model: Layer, params: Any, *args: Any, state: Any = None, depth: int | None = None, training: bool = False,
    **kwargs: Any,
) -> Summary:  # fmt: skip
    """Names, output shapes, parameters, bytes and flops of the layers of a model. Nothing is computed.

    Args:
        params, state: what `init` returned; arrays or ShapeDtype (`fx.eval_shape(model.init, key)`).
        args, kwargs: one input as for `apply`; arrays or ShapeDtype.
        depth: how many levels of layers to show; None is all.

    >>> import fx
    >>> model = fx.nn.MLP([64, 128, 10])
    >>> report = summary(model, model.init(fx.random.key(0)), fx.ShapeDtype((32, 64), "float32"))
    >>> [(row.name, row.output, row.parameters) for row in report.rows]
    [('linear_0', 'float32[32, 128]', 8320), ('linear_1', 'float32[32, 10]', 1290)]
    >>> report.total.parameters
    9610
    """
    if not isinstance(model, Layer):
        raise fx.ArgumentError(f"summary takes a layer; got {type(model).__name__}.")
    recorded: dict[tuple[Any, ...], Row] = {}
    known: dict[Any, int] = {}

    def observe(scope: Scope, args: Any, kwargs: Any, result: Any) -> None:
        path = scope._path
        if path not in recorded and (depth is None or len(path) <= depth):
            recorded[path] = _row(scope, args, kwargs, result, known)

    def run(params: Any, state: Any, args: Any, kwargs: Any) -> Any:
        key = fx.random.key(0) if training else None
        return Scope(model, params, copied(state), Run(key, training, observe), ())(*args, **kwargs)

    static = {name: x for name, x in kwargs.items() if not fx.tree.all(fx.tree.map(_is_array, x))}
    arrays = {name: x for name, x in kwargs.items() if name not in static}
    fx.eval_shape(lambda p, s, a, k: run(p, s, a, {**k, **static}), params, state or {}, args, arrays)
    total = recorded.pop(())
    return Summary(tuple(sorted(recorded.values(), key=lambda row: _place(row, list(recorded)))), total)


def _place(row: Row, order: list[tuple[Any, ...]]) -> Any:
    """A layer stands before those inside it, and these in the order of their calls."""
    return [
        min(i for i, path in enumerate(order) if path[: n + 1] == row.path[: n + 1])
        for n in range(len(row.path))
    ]


def _is_array(x: Any) -> bool:
    return hasattr(x, "shape") and hasattr(x, "dtype")


def _row(scope: Scope, args: Any, kwargs: Any, result: Any, known: dict[Any, int]) -> Row:
    leaves = fx.tree.leaves(scope.tree)
    outputs = [f"{x.dtype}{list(x.shape)}" for x in fx.tree.leaves(result) if _is_array(x)]
    size = sum(x.size for x in leaves)
    nbytes = sum(x.size * x.dtype.itemsize for x in leaves)
    return Row(
        scope._path, scope._layer, ", ".join(outputs), size, nbytes, _flops(scope, args, kwargs, known)
    )


def _flops(scope: Scope, args: Any, kwargs: Any, known: dict[Any, int]) -> int:
    """Operations of one call of a layer; counted once for equal layers on equal shapes."""
    leaves, treedef = fx.tree.flatten((scope.tree, scope.state_tree, args, kwargs))
    shapes = [fx.ShapeDtype(x.shape, x.dtype) if _is_array(x) else x for x in leaves]
    place = (scope._layer, treedef, *map(repr, shapes))
    if place not in known:
        known[place] = _count(scope, treedef, shapes)
    return known[place]


def _count(scope: Scope, treedef: Any, shapes: list[Any]) -> int:
    traced = [i for i, x in enumerate(shapes) if isinstance(x, fx.ShapeDtype)]

    def run(*values: Any) -> Any:
        leaves = list(shapes)
        for i, value in zip(traced, values, strict=True):
            leaves[i] = value
        params, state, args, kwargs = treedef.unflatten(leaves)
        key = fx.random.key(0) if scope.training else None
        return Scope(scope._layer, params, copied(state), Run(key, scope.training), ())(*args, **kwargs)

    return int(fx.jit(run).cost(*[shapes[i] for i in traced]).flops)


def _table(report: Summary) -> str:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=str(type(report.total.layer).__name__))
    for title, side in (("layer", "left"), ("kind", "left"), ("output", "left")):
        table.add_column(title, justify=side, no_wrap=True)
    for title in ("parameters", "bytes", "flops"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in report.rows:
        table.add_row("  " * (len(row.path) - 1) + str(row.path[-1]), *_cells(row))
    table.add_section()
    table.add_row("total", *_cells(report.total))
    out = io.StringIO()
    Console(file=out, width=160, color_system=None).print(table)
    return out.getvalue()


def _cells(row: Row) -> list[str]:
    return [
        type(row.layer).__name__,
        row.output,
        f"{row.parameters:,}",
        _scaled(row.bytes, "B"),
        _scaled(row.flops, ""),
    ]


def _scaled(n: int, unit: str) -> str:
    for factor, prefix in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if n >= factor:
            return f"{n / factor:.3g} {prefix}{unit}"
    return f"{n} {unit}".rstrip()
