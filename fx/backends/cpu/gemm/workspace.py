"""Working memory of library code: blocks that are kept and lent again.

    ptr fx_workspace_take(i64 bytes)   a block of at least that size, aligned to 64
    void fx_workspace_give(ptr)        the block back

A few blocks wait in slots, exchanged atomically; a block that is too small is replaced by one that is not, so the
memory kept is what the largest simultaneous uses needed.
"""

from __future__ import annotations

from ..llvm import NULL, Function, Module, Value, const, i64

SLOTS = 16
HEADER = 64


def workspace(m: Module) -> None:
    """Both functions, in module `m`."""
    m.zeros("workspace_slots", 8 * SLOTS)
    m.declare("aligned_alloc", "ptr", ["i64", "i64"])
    m.declare("free", "void", ["ptr"])
    _take(m)
    _give(m)


def _slot(f: Function, i: Value) -> Value:
    return f.gep("ptr", Value("@workspace_slots", "ptr"), i)


def _take(m: Module) -> None:
    f = m.function("fx_workspace_take", "ptr", ["i64"], internal=False, attrs="nounwind")
    (wanted,) = f.args
    body, found, fits, small, following, fresh = (
        f.new_label(s) for s in ("body", "found", "fits", "small", "next", "new")
    )
    entry = f.label
    f.branch(body)
    f.block(body)
    i = Value("%slot", "i64")
    after = Value("%following", "i64")
    f.line(f"%slot = phi i64 [ 0, %{entry} ], [ %following, %{following} ]")
    block = f.emit(f"atomicrmw xchg ptr {_slot(f, i).text}, ptr null acq_rel", "ptr")
    f.branch_if(f.icmp("ne", block, NULL), found, following)
    f.block(found)
    f.branch_if(f.icmp("sge", f.load("i64", block), wanted), fits, small)
    f.block(fits)
    f.ret(f.gep("i8", block, i64(HEADER)))
    f.block(small)
    f.call("free", "void", [block])
    f.branch(fresh)
    f.block(following)
    f.line(f"%following = add i64 {i.text}, 1")
    f.branch_if(f.icmp("slt", after, i64(SLOTS)), body, fresh)
    f.block(fresh)
    size = f.and_(f.add(wanted, i64(4095)), i64(-4096))
    block = f.call("aligned_alloc", "ptr", [i64(64), f.add(size, i64(4096))])
    with f.when(f.icmp("eq", block, NULL)):
        f.call("abort", "void", [])
    f.store(size, block)
    f.ret(f.gep("i8", block, i64(HEADER)))


def _give(m: Module) -> None:
    f = m.function("fx_workspace_give", "void", ["ptr"], internal=False, attrs="nounwind")
    block = f.gep("i8", f.args[0], i64(-HEADER))
    done = f.alloca("i1")
    f.store(const("i1", 0), done)
    with f.loop(i64(0), i64(SLOTS), trips=True) as loop, f.when(f.not_(f.load("i1", done))):
        pair = f.emit(
            f"cmpxchg ptr {_slot(f, loop.index).text}, ptr null, ptr {block.text} acq_rel monotonic",
            "{ ptr, i1 }",
        )
        f.store(f.emit(f"extractvalue {{ ptr, i1 }} {pair.text}, 1", "i1"), done)
    with f.when(f.not_(f.load("i1", done))):
        f.call("free", "void", [block])
    f.ret()
