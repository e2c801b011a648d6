"""Sizes of register tiles and cache blocks, from the host's vectors and caches.

K. Goto and R. van de Geijn, Anatomy of high-performance matrix multiplication, ACM TOMS 34 (2008); the block
sizes follow T. M. Low et al., Analytical modeling is enough for high-performance BLIS, ACM TOMS 43 (2016).
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from ..engine import Host, host
from ..llvm import bits_of, vector


class Tile(NamedTuple):
    """The block of C that a kernel keeps in registers, and the blocks of A and B it walks over."""

    scalar: str
    lanes: int
    rows: int
    vectors: int
    """Columns of the tile, in vectors."""
    masks: bool
    """Masked loads are as quick as plain ones here; where not, ragged columns of B are packed."""
    kc: int
    mc: int
    block: int
    """Columns of a block of B: kc by `block` elements stay in the second cache, kc by a tile's rows in the first."""
    nc: int
    """Columns of the packed slab of B that all tasks share."""

    @property
    def cols(self) -> int:
        return self.lanes * self.vectors

    @property
    def bytes(self) -> int:
        return bits_of(self.scalar) // 8

    @property
    def quick_stores(self) -> bool:
        """Masked stores are as quick as plain ones (AVX-512 alone has such)."""
        return self.lanes * self.bytes >= 64

    @property
    def vector(self) -> str:
        return vector(self.scalar, self.lanes)


@functools.cache
def tile(scalar: str) -> Tile:
    """The tile for `float` or `double` on this machine."""
    return tile_for(host(), scalar)


def tile_for(machine: Host, scalar: str) -> Tile:
    """The tile on a machine with these vectors, registers and caches."""
    size = bits_of(scalar) // 8
    lanes = machine.vector_bytes // size
    rows, vectors = _registers(machine.vector_bytes, machine.registers)
    kc = _down(machine.l1 * 15 // 16 // ((rows + lanes * vectors) * size), 8)
    block = _down(machine.l2 * 5 // 8 // (kc * size), lanes * vectors)
    return Tile(scalar, lanes, rows, vectors, machine.vector_bytes >= 32, kc, 4 * rows, block, 8 * block)


def _registers(vector_bytes: int, registers: int) -> tuple[int, int]:
    """Rows and vectors of the tile: all registers but those that hold a row of B and an element of A."""
    if registers >= 32:
        return (14, 2) if vector_bytes == 64 else (8, 3)
    return (6, 2)


def _down(n: int, step: int) -> int:
    return max(step, n - n % step)
