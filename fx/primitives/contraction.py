"""`contract`: the sum of products of two arrays over shared indices, shaped for BLAS.

The spec is written as in einsum, `"ij,jk->ik"`: every index stands in at least two of the three parts and once
in each. Any einsum reduces to such steps; `einsum` in fx.numpy asks opt_einsum for their order.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample, Unknown, Zero
from ..core.trace import bind
from .families import same_dtype


@lru_cache(4096)
def parse(spec: str) -> tuple[str, str, str]:
    """Left, right and result indices of a spec."""
    left, _, rest = spec.partition(",")
    right, _, out = rest.partition("->")
    for i in set(left + right + out):
        parts = [p for p in (left, right, out) if i in p]
        if len(parts) < 2 or any(p.count(i) > 1 for p in parts):
            raise errors.ShapeError(
                f"contract: index {i!r} of {errors.brief(spec)} must stand once in at least two parts."
            )
    return left, right, out


@lru_cache(4096)
def _recipe(spec: str) -> tuple[Any, ...]:
    """How to bring both operands to (batch, m, k) x (batch, k, n), and the product to the result."""
    left, right, out = parse(spec)
    batch = [i for i in out if i in left and i in right]
    rows = [i for i in out if i in left and i not in right]
    cols = [i for i in out if i in right and i not in left]
    inner = [i for i in left if i in right and i not in out]
    a = tuple(left.index(i) for i in batch + rows + inner)
    b = tuple(right.index(i) for i in batch + inner + cols)
    made = batch + rows + cols
    c = tuple(made.index(i) for i in out)
    return a, b, c, len(batch), len(rows), len(cols), len(inner)


def _general(xp: Any, x: Any, y: Any, spec: str) -> Any:
    a, b, c, nb, nm, nn, nk = _recipe(spec)
    x, y = x.transpose(a), y.transpose(b)
    batch, rows, inner = x.shape[:nb], x.shape[nb : nb + nm], x.shape[nb + nm :]
    cols = y.shape[nb + nk :]
    m, k, n = _size(rows), _size(inner), _size(cols)
    if nk == 0:
        left = x.reshape((*batch, *rows, *[1] * nn))
        product = left * y.reshape((*batch, *[1] * nm, *cols))
    else:
        depth = _size(batch)
        left = x.reshape(*([depth] if nb else []), m, k)
        right = y.reshape(*([depth] if nb else []), k, n)
        product = xp.matmul(left, right).reshape((*batch, *rows, *cols))
    return product.transpose(c) if c != tuple(range(len(c))) else product


def _size(shape: Any) -> int:
    n = 1
    for d in shape:
        n *= d
    return n


_MATRIX = {
    "NN": lambda mm, x, y: mm(x, y),
    "NT": lambda mm, x, y: mm(x, y.T),
    "TN": lambda mm, x, y: mm(x.T, y),
    "TT": lambda mm, x, y: mm(x.T, y.T),
}


@lru_cache(4096)
def _fast(spec: str) -> Any:
    """A direct call for products of matrices and vectors; None for the rest."""
    left, right, out = parse(spec)
    if len(left) > 2 or len(right) > 2 or not left or not right:
        return None
    inner = [i for i in left if i in right and i not in out]
    batch = [i for i in out if i in left and i in right]
    if len(inner) != 1 or batch:
        return None
    (k,) = inner
    if len(left) == len(right) == len(out) == 2:
        swapped = out[0] in right
        if swapped:
            left, right = right, left
        call = _MATRIX[("N" if left[1] == k else "T") + ("N" if right[0] == k else "T")]
        return (lambda mm, x, y: call(mm, y, x)) if swapped else call
    if len(left) == 2:
        return (lambda mm, x, y: mm(x, y)) if left[1] == k else (lambda mm, x, y: mm(x.T, y))
    if len(right) == 2:
        return (lambda mm, x, y: mm(x, y)) if right[0] == k else (lambda mm, x, y: mm(y, x))
    return lambda mm, x, y: mm(x, y)


class Contract(Primitive):
    """Bilinear; float16 and bfloat16 are computed in float32 and rounded once."""

    name = "contract"

    def impl(self, xp: Any, x: Any, y: Any, *, spec: str) -> Any:
        if dtypes.is_low_precision(x.dtype):
            wide = self.impl(xp, x.astype(np.float32), y.astype(np.float32), spec=spec)
            return wide.astype(x.dtype)
        fast = _fast(spec)
        return fast(xp.matmul, x, y) if fast else _general(xp, x, y, spec)

    def kernel(self, xp: Any, params: dict[str, Any]) -> Any:
        spec = params["spec"]
        fast, matmul = _fast(spec), xp.matmul
        if fast is None:
            return lambda x, y: self.impl(xp, x, y, spec=spec)
        low = dtypes.is_low_precision
        return lambda x, y: fast(matmul, x, y) if not low(x.dtype) else self.impl(xp, x, y, spec=spec)

    def shape(self, x: Aval, y: Aval, *, spec: str) -> Aval:
        left, right, out = parse(spec)
        dtype = same_dtype("contract", (x, y))
        if (len(left), len(right)) != (x.ndim, y.ndim):
            raise errors.ShapeError(f"contract {spec}: operands {x} and {y} have other ranks.")
        size = dict(zip(left, x.shape, strict=True))
        for i, d in zip(right, y.shape, strict=True):
            if size.setdefault(i, d) != d:
                raise errors.ShapeError(
                    errors.lines(
                        f"contract {spec}: index {i!r} is {size[i]} in the left operand and {d} in the right one.",
                        f"left: {x}, right: {y}",
                    )
                )
        return Aval(tuple(size[i] for i in out), dtype, x.weak and y.weak)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, spec: str) -> Any:
        (x, y), (dx, dy) = primals, tangents
        if type(dx) is Zero:
            return self(x, dy, spec=spec)
        left = self(dx, y, spec=spec)
        return left if type(dy) is Zero else left + self(x, dy, spec=spec)

    def transpose(self, ct: Any, x: Any, y: Any, *, spec: str) -> list[Any]:
        left, right, out = parse(spec)
        if type(x) is Unknown:
            return [self(ct, y, spec=f"{out},{right}->{left}"), None]
        return [None, self(x, ct, spec=f"{left},{out}->{right}")]

    def batch(self, axis: Any, operands: Any, dims: Any, *, spec: str) -> Any:
        left, right, out = parse(spec)
        new = next(c for c in map(chr, range(65, 1000)) if c.isalpha() and c not in spec)
        dx, dy = dims
        if dx is not None:
            left = left[:dx] + new + left[dx:]
        if dy is not None:
            right = right[:dy] + new + right[dy:]
        at = out.index(left[0]) if dx and dy is None and out[:1] == left[:1] else 0
        return self(*operands, spec=f"{left},{right}->{out[:at]}{new}{out[at:]}"), at

    def cost(self, x: Aval, y: Aval, *, spec: str) -> int:
        left, right, _ = parse(spec)
        size = dict(zip(left + right, x.shape + y.shape, strict=True))
        return 2 * _size(size.values())

    def samples(self, rng: Any) -> Any:
        oracle = lambda x, y, spec: np.einsum(spec, x, y)
        size = {"i": 3, "j": 4, "k": 2, "b": 2, "c": 3, "z": 0}
        specs = (
            "ij,jk->ik", "ij,kj->ik", "ji,jk->ik", "ji,kj->ik", "ij,jk->ki", "ij,j->i", "j,ij->i", "i,i->",
            "i,j->ij", ",->", "bij,bjk->bik", "bij,cjk->ibkc", "ij,ij->ij", "ijb,bj->bi", "iz,zk->ik", "zi,ik->zk",
        )  # fmt: skip
        out = []
        for spec in specs:
            left, right, _ = parse(spec)
            x = rng.normal(size=[size[i] for i in left])
            out.append(Sample((x, rng.normal(size=[size[i] for i in right])), {"spec": spec}, oracle))
        return out


contract_p = Contract()


def contract(x: Any, y: Any, spec: str) -> Any:
    """Sum of products over shared indices; both operands of one dtype."""
    return bind(contract_p, x, y, spec=spec)
