"""Hypothesis strategies for arrays, and property tests of gradients; hypothesis loads when asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.array import Array
from ..core.dtypes import canonical, is_bfloat16, is_complex, is_floating, real_of
from ..core.errors import ArgumentError, lines
from ._gradients import check_grads

SPECIAL = ("nan", "inf", "subnormal", "-0.0")


def arrays(
    shape: Any = None,
    dtype: Any = "float64",
    elements: Any = None,
    *,
    special: bool | str | Sequence[str] = False,
    unique: bool = False,
    as_fx: bool = False,
) -> Any:
    """A hypothesis strategy of arrays on which derivatives can be checked.

    Args:
        shape: a tuple or a strategy of tuples; by default up to three axes of up to 4 elements, empty ones
            included.
        dtype: a dtype or a strategy of dtypes.
        elements: a strategy of numbers. By default floats are odd multiples of 1/16 in (-3, 3): exact in
            every dtype, and 1/16 away from every multiple of 1/8, where abs, relu, floor or clip have their
            kinks. Integers are in [-8, 8], unsigned ones in [0, 8].
        special: mix in special values: True for all, or some of "nan", "inf" (both signs), "subnormal" and
            "-0.0".
        unique: no two elements are equal, for max and sort (up to 48 elements).
        as_fx: draw fx arrays instead of NumPy arrays.

    Raises:
        ImportError: hypothesis is not installed.

    >>> x = arrays((2, 3), "float32").example()  # doctest: +SKIP
    """
    st = _hypothesis("strategies")
    shapes = shape if hasattr(shape, "example") else st.just(shape)
    if shape is None:
        shapes = _hypothesis("extra.numpy").array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    dtypes = dtype if hasattr(dtype, "example") else st.just(dtype)
    names = _special_names(special)

    def draw(shape: tuple[int, ...], dtype: Any) -> Any:
        found = _array(st, tuple(shape), canonical(dtype), elements, names, unique)
        return found.map(Array) if as_fx else found

    return st.tuples(shapes, dtypes).flatmap(lambda pair: draw(*pair))


def gradient_property(
    *parts: Any, order: int = 1, modes: str | Sequence[str] = ("fwd", "rev"), **tolerances: Any
) -> Any:
    """A property test: the gradients of a function are right for all arguments drawn from the strategies.

    Called as `gradient_property(f, *strategies)`, or as a decorator `@gradient_property(*strategies)`.

    Args:
        order, modes, tolerances (rtol, atol, eps): as in `check_grads`.

    Returns:
        A test function without parameters, for pytest to collect or to call.

    Raises:
        ImportError: hypothesis is not installed.

    >>> import fx
    >>> test_cube = gradient_property(lambda x: x**3, arrays((2,)))
    >>> test_cube()
    """
    hypothesis = _hypothesis()
    if parts and callable(parts[0]) and not hasattr(parts[0], "example"):
        return _property(hypothesis, parts[0], parts[1:], order, modes, tolerances)
    return lambda f: _property(hypothesis, f, parts, order, modes, tolerances)


def _property(
    hypothesis: Any, f: Callable[..., Any], strategies: Any, order: int, modes: Any, tolerances: Any
) -> Any:
    wrong = [s for s in strategies if not hasattr(s, "example")]
    if wrong or not strategies:
        raise ArgumentError(
            lines(
                f"gradient_property takes a function and a strategy per argument; got {wrong or 'none'}.",
                "Write gradient_property(f, fx.testing.arrays(), ...).",
            )
        )

    def holds(args: Any) -> None:
        check_grads(f, args, order, modes, **tolerances)

    name = getattr(f, "__name__", "function")
    holds.__name__ = f"test_gradient_of_{name}" if name.isidentifier() else "test_gradient"
    given = hypothesis.given(_hypothesis("strategies").tuples(*strategies))
    return hypothesis.settings(deadline=None)(given(holds))


def _array(st: Any, shape: Any, dtype: Any, elements: Any, special: Sequence[str], unique: bool) -> Any:
    """NumPy arrays of one shape and dtype."""
    wide = np.dtype("float32") if is_bfloat16(dtype) else dtype
    elements = _elements(st, dtype) if elements is None else elements
    if special and (is_floating(dtype) or is_complex(dtype)):
        elements = st.one_of(elements, st.sampled_from(_special_values(special, real_of(dtype))))
    drawn = _hypothesis("extra.numpy").arrays(
        wide, shape, elements=elements, fill=st.nothing(), unique=unique
    )
    return drawn.map(lambda x: x.astype(dtype)) if wide is not dtype else drawn


def _elements(st: Any, dtype: Any) -> Any:
    if dtype.kind == "b":
        return st.booleans()
    if dtype.kind in "iu":
        return st.integers(0 if dtype.kind == "u" else -8, 8)
    real = st.integers(-24, 23).map(lambda k: (2 * k + 1) / 16)
    return st.builds(complex, real, real) if is_complex(dtype) else real


def _special_names(special: bool | str | Sequence[str]) -> Sequence[str]:
    if isinstance(special, bool):
        return SPECIAL if special else ()
    names = (special,) if isinstance(special, str) else tuple(special)
    if set(names) - set(SPECIAL):
        raise ArgumentError(f"arrays(special={special!r}): choose from {SPECIAL}.")
    return names


def _special_values(names: Sequence[str], dtype: Any) -> list[float]:
    smallest = float(2.0**-133) if is_bfloat16(dtype) else float(np.finfo(dtype).smallest_subnormal)
    values = {"nan": [np.nan], "inf": [np.inf, -np.inf], "subnormal": [smallest, -smallest], "-0.0": [-0.0]}
    return [v for name in names for v in values[name]]


def _hypothesis(part: str = "") -> Any:
    try:
        return importlib.import_module("hypothesis" + (f".{part}" if part else ""))
    except ImportError as e:
        raise ImportError(
            "fx.testing.arrays and gradient_property need hypothesis: pip install hypothesis"
        ) from e
