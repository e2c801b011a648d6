"""jit and checkpoint held against plain execution, traces counted, and all checks in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core.array import aval_of
from ..core.config import config
from ..core.errors import ArgumentError, lines
from ..core.transforms.arguments import name_of
from ..core.transforms.checkpoint import checkpoint
from ..core.transforms.gradient import jvp, vjp
from ..core.transforms.jit import Jitted, jit
from ._batching import check_vmap
from ._compare import assert_close
from ._flat import Flat, generator, normal_like
from ._gradients import check_grads


def check_jit(
    f: Callable[..., Any], args: Sequence[Any], rtol: float | None = None, atol: float | None = None
) -> None:
    """`fx.jit(f)` gives what `f` gives (values, shapes, dtypes, weakness) and traces at the first call alone.

    Raises:
        AssertionError: names the output leaf, or says why it was traced again.

    >>> import fx
    >>> fx.testing.check_jit(lambda x: x * 2, (3.0,))
    """
    flat = Flat(f, args, inexact=False)
    plain = flat(*flat.point)
    jitted = jit(flat)
    with config(disable_jit=False):
        for call in ("first", "second"):
            with assert_traces(jitted, 1 if call == "first" else 0):
                compiled = jitted(*flat.point)
            _same(flat, compiled, plain, f"jit of {flat.name}, {call} call", rtol, atol)
    for name, a, b in zip(flat.out_names, compiled, plain, strict=True):
        if aval_of(a) != aval_of(b):
            raise AssertionError(f"jit of {flat.name}: {name} is {aval_of(a)}; {aval_of(b)} without jit.")


def check_checkpoint(
    f: Callable[..., Any],
    args: Sequence[Any],
    modes: str | Sequence[str] = ("fwd", "rev"),
    policy: Any = None,
    rtol: float | None = None,
    atol: float | None = None,
    key: Any = None,
) -> None:
    """`fx.checkpoint(f)` has the values, tangents ("fwd") and cotangents ("rev") of `f`, plain and under jit.

    Args:
        modes: ("rev",) for functions with a custom_vjp. policy: as in `fx.checkpoint`.

    Raises:
        AssertionError: names the leaf.

    >>> import fx
    >>> fx.testing.check_checkpoint(lambda x: x * x, (3.0,))
    """
    whole = Flat(f, args, inexact=False)
    region = checkpoint(whole, policy=policy)
    recomputed = jit(lambda *point: region(*point))(*whole.point)
    _same(whole, recomputed, whole(*whole.point), f"checkpoint of {whole.name}", rtol, atol)
    flat, rng = Flat(f, args, inexact=True), generator(key)
    outs = flat(*flat.point)
    if not flat.point or not outs:
        return
    tangents = [normal_like(rng, x) for x in flat.point]
    cts = [normal_like(rng, y) for y in outs]

    def derivatives(g: Callable[..., Any], *point: Any) -> dict[str, Any]:
        found = {}
        if "fwd" in modes:
            found["tangent"] = jvp(g, point, tuple(tangents))[1]
        if "rev" in modes:
            found["cotangent"] = list(vjp(g, *point)[1](cts))
        return found

    region = checkpoint(flat, policy=policy)
    plain = derivatives(flat, *flat.point)
    assert_close(derivatives(region, *flat.point), plain, rtol, atol, what=f"checkpoint of {flat.name}")
    jitted = jit(lambda *point: derivatives(region, *point))(*flat.point)
    assert_close(jitted, plain, rtol, atol, what=f"jit of checkpoint of {flat.name}")


def check_all(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: str | Sequence[str] = ("fwd", "rev"),
    axis_size: int = 3,
    key: Any = None,
) -> None:
    """check_grads, check_vmap, check_jit and check_checkpoint.

    >>> import fx
    >>> fx.testing.check_all(lambda p, x: p["w"] * x, ({"w": 2.0}, 3.0))
    """
    check_jit(f, args)
    check_vmap(f, args, axis_size=axis_size)
    check_checkpoint(f, args, modes, key=key)
    check_grads(f, args, order, modes, key=key)


class assert_traces:
    """`with assert_traces(f, n):` the jitted function `f` is traced exactly n times in the block.

    Raises:
        AssertionError: says how often, and why it was traced the last time.

    >>> import fx
    >>> double = fx.jit(lambda x: 2 * x)
    >>> with fx.testing.assert_traces(double, 1):
    ...     _ = double(1.0), double(2.0)
    """

    def __init__(self, f: Any, n: int):
        if not isinstance(f, Jitted):
            raise ArgumentError(
                lines(
                    f"assert_traces counts the traces of a jitted function; got {name_of(f)}.",
                    "Pass fx.jit(f).",
                )
            )
        self.f, self.n = f, n

    def __enter__(self) -> None:
        self.before = self.f.trace_count

    def __exit__(self, kind: Any, *rest: object) -> None:
        found = self.f.trace_count - self.before
        if kind is None and found != self.n:
            raise AssertionError(
                lines(
                    f"{name_of(self.f.fun)} was traced {found} time(s) in the block; {self.n} expected.",
                    self.f.last_miss,
                )
            )


def _same(flat: Flat, actual: Any, expected: Any, what: str, rtol: Any, atol: Any) -> None:
    named = [dict(zip(flat.out_names, x, strict=True)) for x in (actual, expected)]
    assert_close(*named, rtol, atol, check_dtypes=True, what=what)
