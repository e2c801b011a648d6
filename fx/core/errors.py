"""The public errors of fx.

A message says what failed, the offending value (path, shape, dtype; both sides of a mismatch), where
it was made (user file:line), and what to write instead: one line each, in that order.
Every class is an `FxError` and also the builtin it resembles, so `except ValueError` keeps working.
"""

from __future__ import annotations

import reprlib

import numpy as np


class FxError(Exception):
    """Base of every error that fx raises on purpose."""


class ShapeError(FxError, ValueError):
    """Shapes, ranks, axes or sizes do not fit."""


class AxisError(ShapeError, IndexError):
    """An axis that the array does not have; a ValueError and an IndexError, as NumPy's."""


class DTypeError(FxError, TypeError):
    """A dtype is not accepted here, or two dtypes do not promote."""


class ArgumentError(FxError, TypeError, ValueError):
    """An argument has the wrong kind or value (not an array, negative size, unknown mode...)."""


class OutOfBoundsError(FxError, IndexError):
    """An index known now lies outside its axis."""


class ImmutableError(FxError, TypeError):
    """Somebody tried to write into an `fx.Array`; the message shows the `.at[...]` form."""


class TracerError(FxError, TypeError):
    """A traced value was asked for something it does not have, such as a concrete number."""


class LeakedTracerError(TracerError):
    """A tracer was used after its trace ended or outside the function it was made in."""


class TreeError(FxError, ValueError):
    """Two pytrees differ, or a container cannot be a pytree; names the paths."""


class RuleError(FxError, NotImplementedError):
    """A primitive has no rule for the asked transformation; names the primitive, duty and user line."""


class NanError(FxError, FloatingPointError):
    """`fx.config(check_nans=True)` met a NaN; names the equation and the user lines."""


class LinAlgError(FxError, np.linalg.LinAlgError):
    """A matrix has no such factorization, or an iteration did not converge; names the matrix of the batch."""


class DeviceError(FxError, RuntimeError):
    """A device is missing, or values on two devices were mixed."""


class OutOfMemoryError(FxError, MemoryError):
    """An array does not fit into the memory that is left; names the operation, shape and bytes."""


def brief(x: object) -> str:
    """`repr`, cut in the middle where it is long, of anything: deep, cyclic, or with a `repr` that fails."""
    return _brief.repr(x)


_brief = reprlib.Repr()
_brief.maxother = _brief.maxstring = 80


def lines(*parts: str | None) -> str:
    """Join the parts of a message, one line each, leaving out the absent ones."""
    return "\n".join(p for p in parts if p)
