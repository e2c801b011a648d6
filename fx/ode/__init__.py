"""Ordinary differential equations: `odeint`, adaptive, with derivatives by the adjoint equation or by its steps."""

from __future__ import annotations

from ._odeint import odeint as odeint
