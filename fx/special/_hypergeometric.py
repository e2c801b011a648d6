"""Hypergeometric functions and spherical harmonics."""

from __future__ import annotations

from typing import Any

import fx.numpy as fnp

from ..core.array import Array
from ..core.errors import ArgumentError, DTypeError, brief, lines
from ..primitives import special_harmonics, special_hypergeometric as prim
from ._call import call, is_complex_input


def hyp1f1(a: Any, b: Any, x: Any) -> Array:
    """Kummer's confluent hypergeometric function 1F1(a; b; x).

    Args:
        a, b: real numbers up to 1e6 in size, NaN beyond; derivatives by them exist up to the second.
        x: real or complex numbers, up to 1e6 in size too.
    """
    _refuse_complex("hyp1f1", a=a, b=b)
    return call(prim.hyp1f1, a, b, x, orders=(0, 0))


def hyp2f1(a: Any, b: Any, c: Any, x: Any) -> Array:
    """Gauss' hypergeometric function 2F1(a, b; c; x).

    Args:
        a, b, c: real numbers up to 1e6 in size, NaN beyond; derivatives by them exist up to the second.
        x: real numbers (inf beyond 1, as in SciPy) or complex ones, up to 1e6 in size too.
    """
    _refuse_complex("hyp2f1", a=a, b=b, c=c)
    return call(prim.hyp2f1, a, b, c, x, orders=(0, 0, 0))


def _refuse_complex(name: str, **parameters: Any) -> None:
    for key, value in parameters.items():
        if is_complex_input(value):
            raise DTypeError(f"{name}: the parameter {key} is real; got {fnp.asarray(value).aval}.")


def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, diff_n: Any = None, n_max: Any = None) -> Array:
    """The spherical harmonic of degree n and order m; complex.

    Args:
        n, m: integers; there is no derivative by them.
        theta, phi: the polar and the azimuthal angle, real numbers.
        diff_n: only None or 0: fx.jvp differentiates.
        n_max: accepted as in JAX; nothing depends on it.
    """
    if diff_n is not None and not (isinstance(diff_n, int) and diff_n == 0):
        raise ArgumentError(
            lines(
                f"sph_harm_y has no diff_n={brief(diff_n)}.",
                "Write fx.jvp or fx.jacobian of it by theta and phi.",
            )
        )
    n, m = fnp.asarray(n), fnp.asarray(m)
    for key, value in (("n", n), ("m", m)):
        if value.dtype.kind not in "iu":
            raise DTypeError(f"sph_harm_y: {key} is of an integer dtype; got {value.aval}.")
    theta, phi = fnp.asarray(theta), fnp.asarray(phi)
    angles = fnp.result_type(theta, phi)
    return call(special_harmonics.sph_harm_y, n.astype(angles), m.astype(angles), theta, phi)
