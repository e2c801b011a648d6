"""Operations with a native form of their own, by the name of the primitive."""

from __future__ import annotations

from . import (
    complex_product,
    contract,
    convolution,
    cumulative,
    fourier,
    indexing,
    linalg,
    random_bits,
    sorting,
    windows,
)
from .operation import Operation

OPERATIONS: dict[str, Operation] = {
    "contract": contract.Contract(),
    **complex_product.OPERATIONS,
    **convolution.OPERATIONS,
    **cumulative.OPERATIONS,
    **fourier.OPERATIONS,
    **indexing.OPERATIONS,
    **linalg.OPERATIONS,
    **random_bits.OPERATIONS,
    **sorting.OPERATIONS,
    **windows.OPERATIONS,
}
