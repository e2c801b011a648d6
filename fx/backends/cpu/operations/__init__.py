"""Operations with a native form of their own, by the name of the primitive."""

from __future__ import annotations

from . import contract, convolution, cumulative, indexing, linalg, random_bits, sorting, windows
from .operation import Operation

OPERATIONS: dict[str, Operation] = {
    "contract": contract.Contract(),
    **convolution.OPERATIONS,
    **cumulative.OPERATIONS,
    **indexing.OPERATIONS,
    **linalg.OPERATIONS,
    **random_bits.OPERATIONS,
    **sorting.OPERATIONS,
    **windows.OPERATIONS,
}
