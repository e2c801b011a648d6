"""Working memory of library code: blocks that are kept and lent again.

    ptr fx_workspace_take(i64 bytes)   a block of at least that size, aligned to 64
    void fx_workspace_give(ptr)        the block back

Sizes are powers of two; a few blocks of each size wait in slots, exchanged atomically. What is kept is what was in use
at one time; the largest blocks go back to the system at once.
"""

from __future__ import annotations

from ..llvm import NULL, Function, Module, Value, i64

SLOTS = 4
"""Blocks of one size that are kept."""
SMALLEST, LARGEST = 12, 25
"""Logarithms of the sizes that are kept."""
HEADER = 64


def workspace(m: Module) -> Module:
    """Both functions, in module `m`."""
    m.zeros("workspace_slots", 8 * SLOTS * (LARGEST - SMALLEST + 1))
    _take(m)
    _give(m)
    return m


def _slots(f: Function, size: Value) -> Value:
    """The slots of blocks of two to the power of `size` bytes."""
    first = f.mul(f.sub(size, i64(SMALLEST)), i64(SLOTS))
    return f.gep("ptr", Value("@workspace_slots", "ptr"), first)


def _take(m: Module) -> None:
    f = m.function("fx_workspace_take", "ptr", ["i64"], internal=False, attrs="nounwind")
    wanted = f.intrinsic("llvm.smax", f.args[0], i64(1 << SMALLEST))
    size = f.sub(i64(64), f.intrinsic("llvm.ctlz", f.sub(wanted, i64(1)), immediate="i1 true"))
    with f.when(f.icmp("sle", size, i64(LARGEST))):
        slots = _slots(f, size)
        for i in range(SLOTS):
            slot = f.gep("ptr", slots, i64(i))
            block = f.emit(f"atomicrmw xchg ptr {slot.text}, ptr null acq_rel", "ptr")
            _return_if(f, f.icmp("ne", block, NULL), f.gep("i8", block, i64(HEADER)))
    block = f.call("aligned_alloc", "ptr", [i64(64), f.add(f.shl(i64(1), size), i64(HEADER))])
    with f.when(f.icmp("eq", block, NULL)):
        f.call("abort", "void", [])
    f.store(size, block)
    f.ret(f.gep("i8", block, i64(HEADER)))


def _give(m: Module) -> None:
    f = m.function("fx_workspace_give", "void", ["ptr"], internal=False, attrs="nounwind")
    block = f.gep("i8", f.args[0], i64(-HEADER))
    size = f.load("i64", block)
    with f.when(f.icmp("sle", size, i64(LARGEST))):
        slots = _slots(f, size)
        for i in range(SLOTS):
            slot = f.gep("ptr", slots, i64(i))
            pair = f.emit(
                f"cmpxchg ptr {slot.text}, ptr null, ptr {block.text} acq_rel monotonic", "{ ptr, i1 }"
            )
            _return_if(f, f.emit(f"extractvalue {{ ptr, i1 }} {pair.text}, 1", "i1"))
    f.call("free", "void", [block])
    f.ret()


def _return_if(f: Function, mask: Value, x: Value | None = None) -> None:
    done, after = f.new_label("done"), f.new_label("after")
    f.branch_if(mask, done, after)
    f.block(done)
    f.ret(x)
    f.block(after)
