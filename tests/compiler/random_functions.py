"""Random functions of arrays for the compiler's tests: every kind of equation, in any order, on awkward shapes.

`draw(rng)` gives a function and its arguments. Values stay of moderate size, so that rounding alone tells results
apart; what a function does is decided by the generator once, before it is traced.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import random_steps

import fx
import fx.numpy as fnp
from fx import lax

SIZES = (1, 1, 2, 3, 4, 5, 7, 8, 16, 17, 33, 70)
LARGE = ((8191,), (8193,), (40_000,), (3, 8200), (600, 70), (2, 33_000), (260, 257), (5, 4, 1030), (140_001,))


def draw(rng: np.random.Generator, steps: int = 12) -> tuple[Any, list[Any]]:
    """A function of a list of arrays, and the arrays."""
    large = rng.random() < 0.08
    arguments = [_large(rng)] if large else [_array(rng) for _ in range(rng.integers(1, 4))]
    steps, limit = (6, 400_000) if large else (steps, 20_000)
    seed = int(rng.integers(1 << 30))

    def function(xs: list[Any]) -> Any:
        choices = np.random.default_rng(seed)
        values = list(xs)
        for _ in range(steps):
            made = _step(choices, values)
            if made is not None and made.size <= limit:
                values.append(_bounded(made))
        kept = [values[i] for i in choices.permutation(len(values))[: choices.integers(1, 5)]]
        return [*kept, values[-1]]

    return function, arguments


def _step(choices: np.random.Generator, values: list[Any]) -> Any:
    """One more value; None where the drawn step does not fit what there is."""
    table = STEPS if choices.random() < 0.6 else random_steps.STEPS
    try:
        return table[choices.choice(list(table))](choices, values)
    except fx.FxError:
        return None


def _large(rng: np.random.Generator) -> Any:
    """Beyond the sizes at which loops are cut into blocks and chunks, and values are no longer kept."""
    shape = LARGE[rng.integers(len(LARGE))]
    return rng.normal(size=shape).astype(str(rng.choice(["float32", "float64", "float16"])))


def _array(rng: np.random.Generator) -> Any:
    rank = rng.integers(0, 4)
    shape = tuple(0 if rng.random() < 0.01 else int(rng.choice(SIZES)) for _ in range(rank))
    kind = rng.choice(["float", "float", "float", "int", "bool"])
    if kind == "int":
        return rng.integers(-20, 20, shape).astype(rng.choice(["int32", "int64", "uint8", "int16"]))
    if kind == "bool":
        return np.asarray(rng.normal(size=shape) > 0)
    x = rng.normal(size=shape)
    if rng.random() < 0.15 and x.size:
        x.flat[rng.integers(x.size)] = rng.choice([np.nan, np.inf, -np.inf, -0.0])
    x = np.asarray(x, np.dtype(str(rng.choice(["float32", "float32", "float64", "float16"]))))
    return _strided(rng, x) if rank and rng.random() < 0.2 else x


def _strided(rng: np.random.Generator, x: Any) -> Any:
    """The same shape with other strides: backwards, by columns, every third element."""
    kind = rng.integers(3)
    if kind == 0:
        return x[..., ::-1]
    if kind == 1:
        return np.asfortranarray(x)
    return np.repeat(x, 3, axis=-1)[..., ::3]


def _bounded(x: Any) -> Any:
    return fnp.tanh(x) if _is_float(x) and x.dtype.itemsize > 2 and x.size else x


def _is_float(x: Any) -> bool:
    return x.dtype.kind == "f" or x.dtype.name == "bfloat16"


def _some(rng: Any, values: list[Any], want: Any = lambda x: True) -> Any:
    found = [x for x in values if want(x)]
    return found[int(rng.integers(len(found)))] if found else None


def _unary(rng: Any, values: list[Any]) -> Any:
    x = _some(rng, values, _is_float)
    if x is None:
        return None
    names = "exp tanh sin cos abs negative square sqrt log1p floor sign isnan reciprocal sigmoid".split()
    name = str(rng.choice(names))
    if name == "sigmoid":
        return fx.nn.sigmoid(x)
    return getattr(fnp, name)(fnp.abs(x) if name in ("sqrt", "log1p") else x)


def _binary(rng: Any, values: list[Any]) -> Any:
    x, y = _some(rng, values), _some(rng, values)
    y = _fitting(rng, x, y)
    name = str(rng.choice("add subtract multiply maximum minimum less equal logical_or divide power".split()))
    if name in ("divide", "power") and not (_is_float(x) and _is_float(y)):
        name = "multiply"
    if name == "equal" and (_is_float(x) or _is_float(y) or x.dtype.kind == "c"):
        name = "multiply"  # whether two rounded results are equal is chance
    if name == "power":
        return fnp.power(fnp.abs(x) + 0.5, y)
    if name == "subtract" and x.dtype.kind == y.dtype.kind == "b":
        name = "logical_xor"
    return getattr(fnp, name)(x, y)


def _fitting(rng: Any, x: Any, y: Any) -> Any:
    """y, or a part or a multiple of it that broadcasts against x."""
    try:
        np.broadcast_shapes(x.shape, y.shape)
        return y
    except ValueError:
        pass
    if rng.random() < 0.5 and y.ndim:
        y = y.reshape(-1)[:1]
        return y.reshape(()) if rng.random() < 0.5 else y
    flat = fnp.ravel(y)
    count = x.shape[-1] if x.ndim else 1
    return fnp.resize(flat, (count,)) if flat.size else fnp.ones((count,), y.dtype)


def _reduce(rng: Any, values: list[Any]) -> Any:
    x = _some(rng, values, lambda v: v.ndim > 0 and v.size > 0 and v.dtype.kind in "fiu")
    if x is None:
        return None
    axes = [int(a) for a in range(x.ndim) if rng.random() < 0.6] or [int(rng.integers(x.ndim))]
    name = str(rng.choice("sum mean max min prod var argmax any".split()))
    keep = bool(rng.random() < 0.5)
    if name == "argmax":
        return fnp.argmax(x, axis=axes[0], keepdims=keep)
    if name == "prod":
        x = fnp.sign(x) if x.dtype.kind != "u" else x % 2
    if name == "any":
        return fnp.any(x > 0, axis=tuple(axes), keepdims=keep)
    return getattr(fnp, name)(x, axis=tuple(axes), keepdims=keep)


def _normalize(rng: Any, values: list[Any]) -> Any:
    x = _some(rng, values, lambda v: v.ndim > 0 and v.size > 0 and _is_float(v))
    if x is None:
        return None
    axis = int(rng.integers(x.ndim))
    kind = rng.integers(3)
    if kind == 0:
        return fx.nn.softmax(x, axis=axis)
    if kind == 1:
        return fx.nn.log_softmax(x, axis=axis)
    mean = x.mean(axis, keepdims=True)
    return (x - mean) / fnp.sqrt(((x - mean) ** 2).mean(axis, keepdims=True) + 0.5)


def _view(rng: Any, values: list[Any]) -> Any:
    x = _some(rng, values, lambda v: v.ndim > 0)
    if x is None:
        return None
    kind = rng.integers(7)
    if kind == 0:
        return fnp.transpose(x, [int(i) for i in rng.permutation(x.ndim)])
    if kind == 1:
        return x.reshape(-1)
    if kind == 2:
        return fnp.flip(x, int(rng.integers(x.ndim)))
    if kind == 3:
        step = int(rng.integers(1, 4))
        return x[tuple(slice(int(rng.integers(0, max(d // 2, 1))), None, step) for d in x.shape)]
    if kind == 4:
        return fnp.broadcast_to(x, (int(rng.integers(1, 4)), *x.shape))
    if kind == 5:
        return fnp.expand_dims(x, int(rng.integers(x.ndim + 1)))
    divisors = [d for d in range(1, x.size + 1) if x.size % d == 0][:30] if x.size else []
    return x.reshape(int(rng.choice(divisors)), -1) if divisors else None


def _join(rng: Any, values: list[Any]) -> Any:
    x = _some(rng, values, lambda v: v.ndim > 0)
    if x is None:
        return None
    axis = int(rng.integers(x.ndim))
    if rng.random() < 0.5:
        return fnp.concatenate([x, fnp.flip(x, axis), x * x], axis)
    widths = [(int(rng.integers(3)), int(rng.integers(3))) for _ in range(x.ndim)]
    return fnp.pad(x, widths, constant_values=1)


def _select(rng: Any, values: list[Any]) -> Any:
    x = _some(rng, values, _is_float)
    return None if x is None else fnp.where(x > 0, x, x * 0.5)


def _contract(rng: Any, values: list[Any]) -> Any:
    x = _some(rng, values, lambda v: v.ndim == 2 and _is_float(v))
    if x is None:
        return None
    return x @ x.T if rng.random() < 0.5 else x.T @ x


def _convert(rng: Any, values: list[Any]) -> Any:
    x = _some(rng, values, lambda v: v.dtype.kind != "f")
    return None if x is None else x.astype(str(rng.choice(["float32", "float64"])))


def _index(rng: Any, values: list[Any]) -> Any:
    x = _some(rng, values, lambda v: v.ndim > 0 and v.size > 0)
    if x is None:
        return None
    rows = rng.integers(-x.shape[0], x.shape[0], int(rng.integers(1, 6)))
    kind = rng.integers(3)
    if kind == 0:
        return x[rows]
    if kind == 1:
        return x.at[rows].add(x[0])
    return fnp.sort(x, axis=0) if x.dtype.kind in "fiu" else x[rows]


def _iota(rng: Any, values: list[Any]) -> Any:
    x = _some(rng, values, lambda v: v.ndim > 0 and _is_float(v))
    return None if x is None else x + fnp.arange(x.shape[-1], dtype=x.dtype) * 0.01


def _scan(rng: Any, values: list[Any]) -> Any:
    x = _some(rng, values, lambda v: v.ndim > 1 and v.size < 2000 and v.dtype.name in ("float32", "float64"))
    if x is None:
        return None
    last, stack = lax.scan(
        lambda c, a: (fnp.tanh(c * 0.5 + a), c * a), x[0], x, reverse=bool(rng.integers(2))
    )
    return last if rng.integers(2) else stack


def _branch(rng: Any, values: list[Any]) -> Any:
    x = _some(rng, values, lambda v: _is_float(v) and v.size > 0)
    if x is None:
        return None
    return lax.cond(x.reshape(-1)[0] > 0, lambda v: v * 2, lambda v: fnp.sin(v), x)


def _grad(rng: Any, values: list[Any]) -> Any:
    x = _some(rng, values, lambda v: v.dtype.name in ("float32", "float64"))
    if x is None:
        return None
    return fx.grad(lambda v: fnp.sum(fnp.tanh(v) * fnp.cos(v)))(x)


STEPS = {
    "unary": _unary, "unary2": _unary, "binary": _binary, "binary2": _binary, "binary3": _binary,
    "reduce": _reduce, "reduce2": _reduce, "normalize": _normalize, "view": _view, "view2": _view,
    "join": _join, "select": _select, "contract": _contract, "convert": _convert, "index": _index,
    "iota": _iota, "scan": _scan, "branch": _branch, "grad": _grad,
}  # fmt: skip
