"""Iterative solvers: `fx.scipy.sparse.linalg`."""

from . import linalg as linalg
