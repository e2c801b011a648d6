"""Operations with a native form of their own, by the name of the primitive."""

from __future__ import annotations

from . import contract, convolution, cumulative, indexing, random_bits, windows
from .operation import Operation

OPERATIONS: dict[str, Operation] = {
    "contract": contract.Contract(),
    **convolution.OPERATIONS,
    **cumulative.OPERATIONS,
    **indexing.OPERATIONS,
    **random_bits.OPERATIONS,
    **windows.OPERATIONS,
}
