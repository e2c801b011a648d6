"""Writes docs/promotion.md: what dtype results when two arrays, or an array and a Python number, meet."""

from __future__ import annotations

from pathlib import Path

import fx.numpy as fnp
from fx.core import dtypes
from fx.core.avals import dtype_name

NAMES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128"
HEAD = """# Promotion

Two arrays promote as in NumPy 2; bfloat16 takes the place of float16 beside it. A Python number is weak: it takes the
array's dtype unless its kind is higher, then `fx.config.default_float` (float32) or its complex partner decides.
Integers and booleans that must become inexact (`sin`, `/`, `mean`) become `default_float`.
`fx.config(promotion="strict")` refuses two different array dtypes.

This page is written by `python docs/promotion_table.py`.
"""


def table() -> str:
    """The page."""
    kinds = [dtypes.canonical(n) for n in NAMES.split()]
    short = [dtype_name(k) for k in kinds]
    rows = ["", "| |" + "|".join(short) + "|", "|---" * (len(kinds) + 1) + "|"]
    for name, a in zip(short, kinds, strict=True):
        rows.append(f"|**{name}**|" + "|".join(dtype_name(fnp.promote_types(a, b)) for b in kinds) + "|")
    rows += ["", "With a Python number:", "", "| |" + "|".join(short) + "|", "|---" * (len(kinds) + 1) + "|"]
    for number in (True, 1, 1.0, 1j):
        found = [dtype_name((fnp.ones((), k) * number).dtype) for k in kinds]
        rows.append(f"|**{type(number).__name__}**|" + "|".join(found) + "|")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("promotion.md").write_text(table())
