"""LLVM assembly, written as text: modules, functions, values with types, structured loops and branches.

Text is what LLVM parses fastest from Python (about a microsecond an instruction; llvmlite's IR objects take
ten times that), and it is what a reader of `as_text("llvm")` sees.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

TYPES = {
    "bool": "i8", "int8": "i8", "uint8": "i8", "int16": "i16", "uint16": "i16", "int32": "i32", "uint32": "i32",
    "int64": "i64", "uint64": "i64", "float16": "half", "bfloat16": "bfloat", "float32": "float",
    "float64": "double",
}  # fmt: skip
"""Scalar types in memory by dtype name; complex numbers are two floats."""

_MANGLED = {
    "half": "f16",
    "bfloat": "bf16",
    "float": "f32",
    "double": "f64",
    "ptr": "p0",
}


class Value:
    """An SSA value or a constant: its text and its type."""

    __slots__ = ("text", "type")

    def __init__(self, text: str, type: str):
        self.text, self.type = text, type

    def __repr__(self) -> str:
        return f"{self.type} {self.text}"


@lru_cache(1024)
def vector(scalar: str, lanes: int) -> str:
    """The type of `lanes` scalars; the scalar type itself for one."""
    return scalar if lanes == 1 else f"<{lanes} x {scalar}>"


@lru_cache(1024)
def split(type: str) -> tuple[str, int]:
    """Scalar type and number of lanes."""
    if type[0] != "<":
        return type, 1
    count, _, scalar = type[1:-1].partition(" x ")
    return scalar, int(count)


def scalar_of(type: str) -> str:
    return split(type)[0]


def lanes_of(type: str) -> int:
    return split(type)[1]


@lru_cache(1024)
def like(type: str, scalar: str) -> str:
    """A type of the same number of lanes with another scalar."""
    return vector(scalar, split(type)[1])


@lru_cache(1024)
def bits_of(scalar: str) -> int:
    return {"half": 16, "bfloat": 16, "float": 32, "double": 64, "ptr": 64}.get(scalar) or int(scalar[1:])


@lru_cache(1024)
def mangle(type: str) -> str:
    scalar, lanes = split(type)
    name = _MANGLED.get(scalar, scalar)
    return name if lanes == 1 else f"v{lanes}{name}"


def is_float(type: str) -> bool:
    return split(type)[0] in ("half", "bfloat", "float", "double")


@lru_cache(8192)
def _number(scalar: str, value: Any) -> str:
    if scalar == "double":
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(value)))[0]:016X}"
    if scalar == "float":
        with np.errstate(all="ignore"):
            single = float(np.float32(value))
        return f"0x{struct.unpack('<Q', struct.pack('<d', single))[0]:016X}"
    if scalar == "half":
        return f"0xH{int(np.float16(value).view(np.uint16)):04X}"
    if scalar == "bfloat":
        import ml_dtypes

        return f"0xR{int(np.asarray(value, ml_dtypes.bfloat16).view(np.uint16)):04X}"
    if scalar == "ptr":
        return "null" if not value else f"inttoptr (i64 {int(value)} to ptr)"
    if scalar == "i1":
        return "true" if value else "false"
    return str(int(value))


def const(type: str, value: Any) -> Value:
    """A constant, repeated over the lanes of a vector type. -0.0 and nan keep their bits."""
    scalar, lanes = split(type)
    if isinstance(value, float) and scalar in ("double", "float") and value == 0:
        text = "0x8000000000000000" if str(value)[0] == "-" else "0x0000000000000000"
    elif isinstance(value, float) and value == 0 and str(value)[0] == "-":
        text = "0xH8000" if scalar == "half" else "0xR8000"
    else:
        text = _number(scalar, value)
    return Value(text if lanes == 1 else f"splat ({scalar} {text})", type)


def const_vector(scalar: str, values: Sequence[Any]) -> Value:
    """A constant with a value for each lane."""
    if len(values) == 1:
        return const(scalar, values[0])
    inner = ", ".join(f"{scalar} {const(scalar, v).text}" for v in values)
    return Value(f"<{inner}>", vector(scalar, len(values)))


def i64(n: int) -> Value:
    return Value(str(n), "i64")


def i32(n: int) -> Value:
    return Value(str(n), "i32")


TRUE, FALSE, NULL = Value("true", "i1"), Value("false", "i1"), Value("null", "ptr")


class Module:
    """Functions, declarations and constant data in the order they were made."""

    def __init__(self, name: str = "fx"):
        self.name = name
        self.functions: dict[str, Function] = {}
        self.declared: dict[str, str] = {}
        self.globals: dict[str, str] = {}
        self.metadata: dict[str, str] = {}
        self.inner: dict[Any, Any] = {}
        """Functions of inner Programs, for whoever writes them."""
        self.kernels: dict[Any, Any] = {}
        """Loop nests by what they do, likewise."""

    def function(
        self,
        name: str,
        result: str = "void",
        params: Sequence[str] = (),
        *,
        internal: bool = True,
        attrs: str = "",
    ) -> Function:
        """A new function; `params` are types, a `ptr` may carry attributes such as `ptr noalias`."""
        if name in self.functions:
            raise ValueError(f"function {name} exists already")
        f = Function(self, name, result, params, internal, attrs)
        self.functions[name] = f
        return f

    def declare(self, name: str, result: str, params: Sequence[str], attrs: str = "") -> None:
        if name not in self.declared and name not in self.functions:
            self.declared[name] = f"declare {result} @{name}({', '.join(params)}) {attrs}".rstrip()

    def data(self, name: str, array: np.ndarray[Any, Any], align: int = 64) -> Value:
        """A constant array in the module; gives its address."""
        if name not in self.globals:
            scalar = TYPES[array.dtype.name]
            inner = ", ".join(f"{scalar} {const(scalar, v).text}" for v in array.ravel().tolist())
            self.globals[name] = (
                f"@{name} = internal constant [{array.size} x {scalar}] [{inner}], align {align}"
            )
        return Value(f"@{name}", "ptr")

    def zeros(self, name: str, nbytes: int, align: int = 64, internal: bool = True) -> Value:
        """Writable memory of the module, zero at first; gives its address."""
        scope = "internal " if internal else ""
        self.globals.setdefault(
            name, f"@{name} = {scope}global [{nbytes} x i8] zeroinitializer, align {align}"
        )
        return Value(f"@{name}", "ptr")

    def __str__(self) -> str:
        parts = [f"; {self.name}", *self.globals.values(), *self.declared.values()]
        parts += [str(f) for f in self.functions.values()]
        parts += [f"!{name} = {text}" for name, text in self.metadata.items()]
        return "\n".join(parts) + "\n"


class Loop:
    """A loop being written: its index, the values it carries, and after it their last values."""

    def __init__(self, index: Value, carry: list[Value]):
        self.index, self.carry = index, carry
        self.following: list[Value] | None = None
        self.results: list[Value] = []

    def next(self, *values: Value) -> None:
        """The carried values of the next trip."""
        self.following = list(values)


class Function:
    """One function; its methods append instructions at the end of the current block."""

    def __init__(
        self, module: Module, name: str, result: str, params: Sequence[str], internal: bool, attrs: str
    ):
        self.module, self.name, self.result = module, name, result
        self.internal, self.attrs = internal, attrs
        self.params = list(params)
        self.args = [Value(f"%a{i}", p.split(" ")[0] if p[0] != "<" else p) for i, p in enumerate(params)]
        self.lines: list[str] = []
        self.entry_lines: list[str] = []
        self.count = 0
        self.label = "entry"
        self.flags = ""
        """Fast-math flags of fadd, fsub and fmul; `contract` where fusing to fma is welcome."""
        self.cache: dict[Any, Value] = {}
        self.first_lane: set[str] = set()
        """Masks of the first lane alone."""

    def __str__(self) -> str:
        params = ", ".join(f"{p} %a{i}" for i, p in enumerate(self.params))
        head = (
            f"define {'internal ' if self.internal else ''}{self.result} @{self.name}({params}) {self.attrs}"
        )
        return "\n".join([f"{head.rstrip()} {{", "entry:", *self.entry_lines, *self.lines, "}"])

    # Emission

    def emit(self, text: str, type: str) -> Value:
        """`%n = text`."""
        self.count += 1
        name = f"%v{self.count}"
        self.lines.append(f"  {name} = {text}")
        return Value(name, type)

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def comment(self, text: str) -> None:
        self.lines.append("  ; " + text.replace("\n", " "))

    # Arithmetic

    def _binary(self, op: str, x: Value, y: Value) -> Value:
        return self.emit(f"{op} {x.type} {x.text}, {y.text}", x.type)

    def add(self, x: Value, y: Value) -> Value:
        if y.text == "0":
            return x
        return y if x.text == "0" else self._binary("add", x, y)

    def mul(self, x: Value, y: Value) -> Value:
        if y.text == "1":
            return x
        return y if x.text == "1" else self._binary("mul", x, y)

    def sub(self, x: Value, y: Value) -> Value:
        if x.type == "i64" and x.text.isdecimal() and y.text.isdecimal():
            return i64(int(x.text) - int(y.text))
        return self._binary("sub", x, y)

    def sdiv(self, x: Value, y: Value) -> Value:
        return self._binary("sdiv", x, y)

    def udiv(self, x: Value, y: Value) -> Value:
        return self._binary("udiv", x, y)

    def srem(self, x: Value, y: Value) -> Value:
        return self._binary("srem", x, y)

    def urem(self, x: Value, y: Value) -> Value:
        return self._binary("urem", x, y)

    def shl(self, x: Value, y: Value) -> Value:
        return self._binary("shl", x, y)

    def lshr(self, x: Value, y: Value) -> Value:
        return self._binary("lshr", x, y)

    def ashr(self, x: Value, y: Value) -> Value:
        return self._binary("ashr", x, y)

    def and_(self, x: Value, y: Value) -> Value:
        return self._binary("and", x, y)

    def or_(self, x: Value, y: Value) -> Value:
        return self._binary("or", x, y)

    def xor(self, x: Value, y: Value) -> Value:
        return self._binary("xor", x, y)

    def not_(self, x: Value) -> Value:
        return self._binary("xor", x, const(x.type, -1 if scalar_of(x.type) != "i1" else 1))

    def fadd(self, x: Value, y: Value) -> Value:
        return self._binary(f"fadd {self.flags}", x, y)

    def fsub(self, x: Value, y: Value) -> Value:
        return self._binary(f"fsub {self.flags}", x, y)

    def fmul(self, x: Value, y: Value) -> Value:
        return self._binary(f"fmul {self.flags}", x, y)

    def fdiv(self, x: Value, y: Value) -> Value:
        return self._binary("fdiv", x, y)

    def frem(self, x: Value, y: Value) -> Value:
        return self._binary("frem", x, y)

    def fneg(self, x: Value) -> Value:
        return self.emit(f"fneg {x.type} {x.text}", x.type)

    def fma(self, x: Value, y: Value, z: Value) -> Value:
        """x * y + z, rounded once."""
        return self.intrinsic("llvm.fma", x, y, z)

    def sqrt(self, x: Value) -> Value:
        return self.intrinsic("llvm.sqrt", x)

    def fabs(self, x: Value) -> Value:
        return self.intrinsic("llvm.fabs", x)

    def copysign(self, x: Value, sign: Value) -> Value:
        return self.intrinsic("llvm.copysign", x, sign)

    def floor(self, x: Value) -> Value:
        return self.intrinsic("llvm.floor", x)

    def ceil(self, x: Value) -> Value:
        return self.intrinsic("llvm.ceil", x)

    def trunc_float(self, x: Value) -> Value:
        return self.intrinsic("llvm.trunc", x)

    def roundeven(self, x: Value) -> Value:
        return self.intrinsic("llvm.roundeven", x)

    def intrinsic(self, name: str, *args: Value, result: str | None = None, immediate: str = "") -> Value:
        """An overloaded LLVM intrinsic, mangled by the type of its first argument."""
        full = f"{name}.{mangle(args[0].type)}"
        params = [a.type for a in args] + ([immediate.split()[0]] if immediate else [])
        self.module.declare(full, result or args[0].type, params)
        texts = [f"{a.type} {a.text}" for a in args] + ([immediate] if immediate else [])
        return self.emit(f"call {result or args[0].type} @{full}({', '.join(texts)})", result or args[0].type)

    # Comparison and choice

    def icmp(self, test: str, x: Value, y: Value) -> Value:
        return self.emit(f"icmp {test} {x.type} {x.text}, {y.text}", like(x.type, "i1"))

    def fcmp(self, test: str, x: Value, y: Value) -> Value:
        return self.emit(f"fcmp {test} {x.type} {x.text}, {y.text}", like(x.type, "i1"))

    def select(self, mask: Value, x: Value, y: Value) -> Value:
        return self.emit(f"select {mask.type} {mask.text}, {x.type} {x.text}, {y.type} {y.text}", x.type)

    # Conversion

    def cast(self, op: str, x: Value, type: str) -> Value:
        """trunc zext sext fptrunc fpext fptosi fptoui sitofp uitofp bitcast ptrtoint inttoptr."""
        return x if x.type == type else self.emit(f"{op} {x.type} {x.text} to {type}", type)

    def bitcast(self, x: Value, type: str) -> Value:
        return self.cast("bitcast", x, type)

    # Lanes

    def splat(self, x: Value, lanes: int) -> Value:
        """A scalar in every lane."""
        if lanes == 1:
            return x
        if x.text[0] not in "%@":
            return Value(f"splat ({x.type} {x.text})", vector(x.type, lanes))
        t = vector(x.type, lanes)
        one = self.emit(f"insertelement {t} poison, {x.type} {x.text}, i64 0", t)
        return self.emit(f"shufflevector {t} {one.text}, {t} poison, <{lanes} x i32> zeroinitializer", t)

    def extract(self, x: Value, lane: int | Value) -> Value:
        if lanes_of(x.type) == 1:
            return x
        at = f"i64 {lane}" if isinstance(lane, int) else repr(lane)
        return self.emit(f"extractelement {x.type} {x.text}, {at}", scalar_of(x.type))

    def insert(self, x: Value, item: Value, lane: int | Value) -> Value:
        at = f"i64 {lane}" if isinstance(lane, int) else repr(lane)
        return self.emit(f"insertelement {x.type} {x.text}, {item.type} {item.text}, {at}", x.type)

    def shuffle(self, x: Value, y: Value | None, lanes: Sequence[int]) -> Value:
        """Lanes of x followed by those of y, by number."""
        t = vector(scalar_of(x.type), len(lanes))
        mask = ", ".join(f"i32 {i}" for i in lanes)
        other = y.text if y is not None else "poison"
        return self.emit(
            f"shufflevector {x.type} {x.text}, {x.type} {other}, <{len(lanes)} x i32> <{mask}>", t
        )

    def iota(self, scalar: str, lanes: int) -> Value:
        """0, 1, 2, ... over the lanes."""
        return const_vector(scalar, list(range(lanes)))

    def fold(self, combine: Callable[[Value, Value], Value], x: Value) -> Value:
        """All lanes combined to one scalar, always by the same tree: upper half with lower half."""
        lanes = lanes_of(x.type)
        while lanes > 2:
            half = lanes // 2
            x = combine(self.shuffle(x, None, range(half)), self.shuffle(x, None, range(half, lanes)))
            lanes = half
        return x if lanes == 1 else combine(self.extract(x, 0), self.extract(x, 1))

    def tail_mask(self, remaining: Value, lanes: int) -> Value:
        """The mask of the first `remaining` lanes (i64)."""
        mask = self.icmp("slt", self.iota("i64", lanes), self.splat(remaining, lanes))
        if remaining.text == "1":
            self.first_lane.add(mask.text)
        return mask

    # Memory

    def gep(self, type: str, pointer: Value, index: Value) -> Value:
        """The address of element `index` (i64) of an array of `type`."""
        if index.text == "0":
            return pointer
        return self.emit(f"getelementptr {type}, ptr {pointer.text}, i64 {index.text}", "ptr")

    def load(self, type: str, pointer: Value, align: int | None = None) -> Value:
        align = align or max(1, bits_of(scalar_of(type)) // 8)
        return self.emit(f"load {type}, ptr {pointer.text}, align {align}", type)

    def store(self, x: Value, pointer: Value, align: int | None = None) -> None:
        align = align or max(1, bits_of(scalar_of(x.type)) // 8)
        self.line(f"store {x.type} {x.text}, ptr {pointer.text}, align {align}")

    def stream(self, x: Value, pointer: Value, align: int) -> None:
        """A store past the caches; a fence must follow before other threads may read."""
        self.module.metadata["0"] = "!{i32 1}"
        self.line(f"store {x.type} {x.text}, ptr {pointer.text}, align {align}, !nontemporal !0")

    def fence(self) -> None:
        """All stores so far come before all that follows."""
        self.line("fence seq_cst")

    def masked_load(self, type: str, pointer: Value, mask: Value, other: Value) -> Value:
        name = f"llvm.masked.load.{mangle(type)}.p0"
        self.module.declare(name, type, ["ptr", "i32 immarg", mask.type, type])
        align = bits_of(scalar_of(type)) // 8
        return self.emit(
            f"call {type} @{name}(ptr {pointer.text}, i32 {align}, {mask.type} {mask.text}, {type} {other.text})",
            type,
        )

    def masked_store(self, x: Value, pointer: Value, mask: Value) -> None:
        """One lane is stored as a scalar: LLVM 22 makes the store too wide where its value was truncated."""
        if mask.text in self.first_lane:
            self.store(self.extract(x, 0), pointer)
            return
        name = f"llvm.masked.store.{mangle(x.type)}.p0"
        self.module.declare(name, "void", [x.type, "ptr", "i32 immarg", mask.type])
        align = bits_of(scalar_of(x.type)) // 8
        self.line(
            f"call void @{name}({x.type} {x.text}, ptr {pointer.text}, i32 {align}, {mask.type} {mask.text})"
        )

    def prefetch(self, pointer: Value, *, write: bool = False) -> None:
        """Ask for the cache line at an address, which may be any."""
        self.module.declare("llvm.prefetch.p0", "void", ["ptr", "i32", "i32", "i32"])
        self.line(f"call void @llvm.prefetch.p0(ptr {pointer.text}, i32 {int(write)}, i32 3, i32 1)")

    def gather(self, type: str, pointers: Value, mask: Value, other: Value) -> Value:
        """Loads from a vector of addresses."""
        name = f"llvm.masked.gather.{mangle(type)}.{mangle(pointers.type)}"
        self.module.declare(name, type, [pointers.type, "i32 immarg", mask.type, type])
        align = bits_of(scalar_of(type)) // 8
        return self.emit(
            f"call {type} @{name}({pointers.type} {pointers.text}, i32 {align}, {mask.type} {mask.text}, "
            f"{type} {other.text})",
            type,
        )

    def scatter(self, x: Value, pointers: Value, mask: Value) -> None:
        """Stores to a vector of addresses."""
        name = f"llvm.masked.scatter.{mangle(x.type)}.{mangle(pointers.type)}"
        self.module.declare(name, "void", [x.type, pointers.type, "i32 immarg", mask.type])
        align = bits_of(scalar_of(x.type)) // 8
        self.line(
            f"call void @{name}({x.type} {x.text}, {pointers.type} {pointers.text}, i32 {align}, "
            f"{mask.type} {mask.text})"
        )

    def geps(self, type: str, pointer: Value, indices: Value) -> Value:
        """Addresses of elements `indices` (a vector of i64)."""
        t = vector("ptr", lanes_of(indices.type))
        return self.emit(f"getelementptr {type}, ptr {pointer.text}, {indices.type} {indices.text}", t)

    def alloca(self, type: str, count: int = 1, align: int = 64) -> Value:
        """Memory of the call, allocated at its start."""
        self.count += 1
        self.entry_lines.append(f"  %v{self.count} = alloca {type}, i64 {count}, align {align}")
        return Value(f"%v{self.count}", "ptr")

    # Memory shared by threads

    def atomic_load(self, type: str, pointer: Value, order: str = "acquire") -> Value:
        align = bits_of(type) // 8
        return self.emit(f"load atomic {type}, ptr {pointer.text} {order}, align {align}", type)

    def atomic_store(self, x: Value, pointer: Value, order: str = "release") -> None:
        self.line(f"store atomic {x!r}, ptr {pointer.text} {order}, align {bits_of(x.type) // 8}")

    def atomic_update(self, op: str, pointer: Value, x: Value, order: str = "acq_rel") -> Value:
        """`*pointer = *pointer op x` in one step, op one of add sub and or xchg ...; gives the value before."""
        return self.emit(f"atomicrmw {op} ptr {pointer.text}, {x!r} {order}", x.type)

    def compare_exchange(self, pointer: Value, old: Value, new: Value, order: str = "acq_rel") -> Value:
        """Store `new` if memory holds `old`, in one step; gives whether it did (i1)."""
        pair = self.emit(
            f"cmpxchg ptr {pointer.text}, {old!r}, {new!r} {order} monotonic", f"{{ {old.type}, i1 }}"
        )
        return self.emit(f"extractvalue {pair!r}, 1", "i1")

    # Calls

    def call(self, name: str, result: str, args: Sequence[Value]) -> Value:
        """A function of this module, or one outside it by name."""
        self.module.declare(name, result, [a.type for a in args])
        text = f"call {result} @{name}({', '.join(f'{a.type} {a.text}' for a in args)})"
        if result == "void":
            self.line(text)
            return Value("void", "void")
        return self.emit(text, result)

    def call_pointer(self, target: Value, result: str, args: Sequence[Value]) -> Value:
        """A function by address."""
        text = f"call {result} {target.text}({', '.join(f'{a.type} {a.text}' for a in args)})"
        if result == "void":
            self.line(text)
            return Value("void", "void")
        return self.emit(text, result)

    # Control flow

    def new_label(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def block(self, label: str) -> None:
        """Begin a block; the one before must have ended with a branch."""
        self.lines.append(f"{label}:")
        self.label = label

    def branch(self, label: str) -> None:
        self.line(f"br label %{label}")

    def branch_if(self, mask: Value, yes: str, no: str) -> None:
        self.line(f"br i1 {mask.text}, label %{yes}, label %{no}")

    def phi(self, type: str, *incoming: tuple[Value, str]) -> Value:
        pairs = ", ".join(f"[ {v.text}, %{label} ]" for v, label in incoming)
        return self.emit(f"phi {type} {pairs}", type)

    def ret(self, x: Value | None = None) -> None:
        self.line("ret void" if x is None else f"ret {x.type} {x.text}")

    @contextmanager
    def loop(
        self,
        start: Value,
        stop: Value,
        step: int | Value = 1,
        carry: Sequence[Value] = (),
        *,
        trips: bool = False,
    ) -> Iterator[Loop]:
        """for index in range(start, stop, step) with i64 index; `trips` says that there is at least one.

        Inside, `loop.index` and `loop.carry`; `loop.next(...)` gives the carried values of the next trip;
        after the block `loop.results` are the last ones.
        """
        step = i64(step) if isinstance(step, int) else step
        body, after = self.new_label("body"), self.new_label("after")
        before = self.label
        if trips:
            self.branch(body)
        else:
            self.branch_if(self.icmp("slt", start, stop), body, after)
        self.block(body)
        place = len(self.lines)
        values = []
        for x in (start, *carry):
            self.count += 1
            self.lines.append("")
            values.append(Value(f"%v{self.count}", x.type))
        loop = Loop(values[0], values[1:])
        yield loop
        if loop.following is None:
            loop.following = loop.carry
        index = self.add(loop.index, step)
        again = self.icmp("slt", index, stop)
        end = self.label
        self.branch_if(again, body, after)
        for i, (phi, first, last) in enumerate(
            zip(values, (start, *carry), (index, *loop.following), strict=True)
        ):
            self.lines[place + i] = (
                f"  {phi.text} = phi {phi.type} [ {first.text}, %{before} ], [ {last.text}, %{end} ]"
            )
        self.block(after)
        if trips:
            loop.results = loop.following
        else:
            loop.results = [
                self.phi(x.type, (x, before), (y, end)) for x, y in zip(carry, loop.following, strict=True)
            ]

    def repeat(
        self, carry: Sequence[Value], body: Callable[[list[Value]], tuple[list[Value], Value]]
    ) -> list[Value]:
        """values, again = body(values), at least once and as long as `again`, a scalar i1, is true."""
        label, after, before = self.new_label("body"), self.new_label("after"), self.label
        self.branch(label)
        self.block(label)
        place = len(self.lines)
        self.lines += [""] * len(carry)
        values = []
        for x in carry:
            self.count += 1
            values.append(Value(f"%v{self.count}", x.type))
        following, again = body(values)
        for i, (phi, first, last) in enumerate(zip(values, carry, following, strict=True)):
            pairs = f"[ {first.text}, %{before} ], [ {last.text}, %{self.label} ]"
            self.lines[place + i] = f"  {phi.text} = phi {phi.type} {pairs}"
        self.branch_if(again, label, after)
        self.block(after)
        return following

    @contextmanager
    def when(self, mask: Value) -> Iterator[None]:
        """What stands inside runs only where the scalar i1 is true."""
        yes, after = self.new_label("then"), self.new_label("after")
        self.branch_if(mask, yes, after)
        self.block(yes)
        yield
        self.branch(after)
        self.block(after)

    def choose(
        self, mask: Value, yes: Callable[[], list[Value]], no: Callable[[], list[Value]]
    ) -> list[Value]:
        """The values of `yes()` or `no()`; only one of them runs."""
        a, b, after = self.new_label("then"), self.new_label("else"), self.new_label("after")
        self.branch_if(mask, a, b)
        self.block(a)
        first = yes()
        end_a = self.label
        self.branch(after)
        self.block(b)
        second = no()
        end_b = self.label
        self.branch(after)
        self.block(after)
        return [self.phi(x.type, (x, end_a), (y, end_b)) for x, y in zip(first, second, strict=True)]
