"""Recurrent layers: cells, and their loops over time, stacked, in both directions, with lengths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any, ClassVar

import fx
import fx.numpy as fnp
from fx import lax

from . import initializers
from ._activations import relu, sigmoid, tanh
from ._checks import one_of, positive, probability
from ._dropout import Dropout
from ._inputs import as_array, known
from ._layer import Layer, Parameter
from ._scope import Scope
from .initializers import Initializer

_RECURRENT_INIT = initializers.orthogonal()


class _Cell(Layer):
    """What the cells share: wx x + wh h + b, cut into as many blocks of `features` as the cell has gates."""

    gates: ClassVar[int]

    in_features: int
    features: int
    _: KW_ONLY
    use_bias: bool = True
    kernel_init: Initializer = initializers.lecun_normal()
    recurrent_init: Initializer = _RECURRENT_INIT
    bias_init: Initializer = initializers.zeros
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    def validate(self) -> None:
        positive(self, "in_features", "features")

    def parameters(self) -> dict[str, Parameter]:
        width = self.gates * self.features
        made = {
            "wx": Parameter((self.in_features, width), _blocks(self.kernel_init, self.gates), self.dtype),
            "wh": Parameter((self.features, width), _blocks(self.recurrent_init, self.gates), self.dtype),
        }
        return {**made, "b": Parameter((width,), self.bias_init, self.dtype)} if self.use_bias else made

    def start(self, x: fx.Array) -> Any:
        """The carry before the first step, for inputs x: (..., in_features)."""
        return fnp.zeros((*x.shape[:-1], self.features), x.dtype)

    def project(self, p: Scope, x: fx.Array) -> fx.Array:
        """What a step needs of its input: wx x + b. It does not wait for the carry, so all steps are one product."""
        y = fnp.matmul(x, p.wx)
        return y + p.b if self.use_bias else y

    def step(self, p: Scope, carry: Any, projected: fx.Array) -> tuple[Any, fx.Array]:
        """(next carry, output) from a carry and a projected input."""
        raise NotImplementedError

    def forward(self, p: Scope, x: Any, carry: Any = None) -> tuple[Any, fx.Array]:
        """One step. x: (..., in_features) -> (next carry, output (..., features)); carry None is `start`."""
        x = _inputs(self, x, self.in_features, 1)
        return self.step(p, self.start(x) if carry is None else carry, self.project(p, x))


def _blocks(init: Initializer, count: int) -> Initializer:
    return init if count == 1 else _Blocks(init, count)


class _Blocks(Layer):
    """An initializer of one gate, for the matrices of several side by side."""

    init_one: Initializer
    count: int

    def __call__(self, key: Any, shape: Any, dtype: Any = None) -> fx.Array:
        *lead, width = shape
        keys = fx.random.split(key, self.count)
        return fnp.concatenate([self.init_one(k, (*lead, width // self.count), dtype) for k in keys], -1)


class RNNCell(_Cell):
    """h' = activation(wx x + wh h + b), activation "tanh" or "relu".

    Parameters: wx (in_features, features), wh (features, features), b (features,). Source: Elman 1990.
    """

    gates = 1
    _: KW_ONLY
    activation: str = "tanh"

    def validate(self) -> None:
        super().validate()
        one_of(self, "activation", "tanh", "relu")

    def step(self, p: Scope, carry: Any, projected: fx.Array) -> tuple[Any, fx.Array]:
        """(h', h')."""
        f: Callable[[Any], Any] = tanh if self.activation == "tanh" else relu
        h = f(projected + fnp.matmul(carry, p.wh))
        return h, h


class LSTMCell(_Cell):
    """i, f, g, o = wx x + wh h + b; c' = sigmoid(f) c + sigmoid(i) tanh(g); h' = sigmoid(o) tanh(c').

    The carry is (h, c). Parameters: wx (in_features, 4 features), wh (features, 4 features), b (4 features,), gates in
    the order i, f, g, o. Source: Hochreiter and Schmidhuber 1997; Gers, Schmidhuber, Cummins 2000.
    """

    gates = 4

    def start(self, x: fx.Array) -> Any:
        h = super().start(x)
        return h, h

    def step(self, p: Scope, carry: Any, projected: fx.Array) -> tuple[Any, fx.Array]:
        """((h', c'), h')."""
        h, c = carry
        i, f, g, o = fnp.split(projected + fnp.matmul(h, p.wh), 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)
        return (h, c), h


class GRUCell(_Cell):
    """r, z, n of wx x + b and of wh h + bh; h' = (1 - z) n + z h with n = tanh(n_x + r n_h), r and z after sigmoid.

    Parameters: wx (in_features, 3 features), wh (features, 3 features), b and bh (3 features,), gates in the order
    r, z, n. Source: Cho et al. 2014, with the reset gate after the product.
    """

    gates = 3

    def parameters(self) -> dict[str, Parameter]:
        made = super().parameters()
        return {**made, "bh": made["b"]} if self.use_bias else made

    def step(self, p: Scope, carry: Any, projected: fx.Array) -> tuple[Any, fx.Array]:
        """(h', h')."""
        recurrent = fnp.matmul(carry, p.wh)
        recurrent = recurrent + p.bh if self.use_bias else recurrent
        (rx, zx, nx), (rh, zh, nh) = (fnp.split(y, 3, -1) for y in (projected, recurrent))
        z = sigmoid(zx + zh)
        n = tanh(nx + sigmoid(rx + rh) * nh)
        h = n + z * (carry - n)
        return h, h


class Recurrent(Layer):
    """A cell applied along time, by `scan`. x: (..., time, in_features) -> (..., time, features).

    Args:
        cell: an RNNCell, LSTMCell, GRUCell, or a layer with their `start`, `project` and `step`.
        reverse: from the last step to the first.

    Parameters: those of the cell, under "cell".
    """

    cell: _Cell
    _: KW_ONLY
    reverse: bool = False
    unroll: int = 1

    def forward(self, p: Scope, x: Any, carry: Any = None, *, lengths: Any = None) -> tuple[fx.Array, Any]:
        """(outputs, last carry).

        Args:
            carry: what to begin with; None is zeros.
            lengths: integers (...): steps of each sequence that count. Beyond them the carry stays and the output is 0;
                in reverse a sequence begins at its own end.
        """
        x = _inputs(self.cell, x, self.cell.in_features, 2)
        carry = self.cell.start(x[..., 0, :] if x.shape[-2] else x.sum(-2)) if carry is None else carry
        inputs = fnp.moveaxis(p.cell.project(x), -2, 0), fnp.arange(x.shape[-2])
        ends = None if lengths is None else _lengths(self, lengths, x)

        def step(carry: Any, now: Any) -> Any:
            projected, t = now
            after, y = p.cell.step(carry, projected)
            if ends is None:
                return after, y
            counts = (t < ends)[..., None]
            return fx.tree.map(lambda new, old: fnp.where(counts, new, old), after, carry), fnp.where(
                counts, y, 0.0
            )

        dtype = fnp.result_type(x, p.cell.wx)
        carry = fx.tree.map(lambda c: as_array(c).astype(dtype), carry)
        carry, outputs = lax.scan(step, carry, inputs, reverse=self.reverse, unroll=self.unroll)
        return fnp.moveaxis(outputs, 0, -2), carry


class Bidirectional(Layer):
    """Two recurrent layers on the same input, one forward and one in reverse; outputs are concatenated.

    Parameters: those of both, under "forward_layer" and "backward_layer".
    """

    forward_layer: Recurrent
    backward_layer: Recurrent

    def forward(self, p: Scope, x: Any, carry: Any = None, *, lengths: Any = None) -> tuple[fx.Array, Any]:
        """((..., time, both features), (last carry, last carry of the reverse))."""
        one, other = (None, None) if carry is None else carry
        y, one = p.forward_layer(x, one, lengths=lengths)
        z, other = p.backward_layer(x, other, lengths=lengths)
        return fnp.concatenate([y, z], -1), (one, other)


class _Stacked(Layer):
    """Recurrent layers on top of each other."""

    cell_class: ClassVar[type[_Cell]]

    in_features: int
    features: int
    _: KW_ONLY
    num_layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    """Of the outputs of every layer but the last, in training."""
    use_bias: bool = True
    unroll: int = 1
    kernel_init: Initializer = initializers.lecun_normal()
    recurrent_init: Initializer = _RECURRENT_INIT
    bias_init: Initializer = initializers.zeros
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    def validate(self) -> None:
        positive(self, "in_features", "features", "num_layers")
        probability(self, "dropout")

    def layers(self) -> dict[str, Any]:
        width = self.features * (2 if self.bidirectional else 1)
        sizes = [self.in_features] + [width] * (self.num_layers - 1)
        return {"layers": [self._layer(n) for n in sizes], "drop": Dropout(self.dropout)}

    def _layer(self, in_features: int) -> Layer:
        names = ("use_bias", "kernel_init", "recurrent_init", "bias_init", "dtype")
        cell = self.cell_class(
            in_features, self.features, **{n: getattr(self, n) for n in names}, **self._options()
        )
        one = Recurrent(cell, unroll=self.unroll)
        return (
            Bidirectional(one, Recurrent(cell, reverse=True, unroll=self.unroll))
            if self.bidirectional
            else one
        )

    def _options(self) -> dict[str, Any]:
        """What the cell has beyond the common fields."""
        return {}

    def forward(self, p: Scope, x: Any, carry: Any = None, *, lengths: Any = None) -> tuple[fx.Array, Any]:
        """(outputs of the last layer, list of the last carry of each layer).

        Args:
            x: (..., time, in_features); carry: a list as returned, None for zeros.
            lengths: integers (...): steps of each sequence that count; see `Recurrent`.
        """
        carries, last = [], []
        carries = [None] * self.num_layers if carry is None else list(carry)
        if len(carries) != self.num_layers:
            raise fx.ArgumentError(f"{self}: carry is a list of {self.num_layers}; got {len(carries)}.")
        for i, (layer, own) in enumerate(zip(p.layers, carries, strict=True)):
            x, own = layer(p.drop(x) if i and self.dropout else x, own, lengths=lengths)
            last.append(own)
        return x, last


class RNN(_Stacked):
    """`RNNCell`s along time, stacked. x: (..., time, in_features) -> outputs (..., time, features), carries.

    Parameters: under "layers" a list with {"cell": {"wx", "wh", "b"}} of each; where `bidirectional`,
    {"forward_layer": ..., "backward_layer": ...} of these.
    """

    cell_class = RNNCell
    _: KW_ONLY
    activation: str = "tanh"

    def _options(self) -> dict[str, Any]:
        return {"activation": self.activation}


class LSTM(_Stacked):
    """`LSTMCell`s along time, stacked; see `RNN`. The carry of a layer is (h, c).

    >>> import fx
    >>> layer = LSTM(3, 8, num_layers=2)
    >>> params = layer.init(fx.random.key(0))
    >>> outputs, carries = layer.apply(params, fx.numpy.ones((4, 10, 3)))
    >>> outputs.shape, carries[-1][0].shape
    ((4, 10, 8), (4, 8))
    """

    cell_class = LSTMCell


class GRU(_Stacked):
    """`GRUCell`s along time, stacked; see `RNN`."""

    cell_class = GRUCell


def _inputs(layer: Layer, x: Any, features: int, least: int) -> fx.Array:
    x = as_array(x)
    if x.ndim < least or x.shape[-1] != features:
        time = "time, " if least == 2 else ""
        raise fx.ShapeError(f"{layer} takes x of shape (..., {time}{features}); x has shape {x.shape}.")
    return x


def _lengths(layer: Layer, lengths: Any, x: fx.Array) -> fx.Array:
    lengths = as_array(lengths)
    if lengths.shape != x.shape[:-2] or lengths.dtype.kind not in "iu":
        raise fx.ShapeError(
            f"{layer}: lengths are integers of shape {x.shape[:-2]}, one per sequence; "
            f"got {lengths.dtype}{list(lengths.shape)}."
        )
    values, steps = known(lengths), x.shape[-2]
    if values is not None and values.size and not 0 <= values.min() <= values.max() <= steps:
        raise fx.OutOfBoundsError(
            f"{layer}: lengths are from 0 to the {steps} steps of x; got {values.min()} to {values.max()}."
        )
    return lengths
