"""Traces and tracers: recording what a function does, with values on demand.

The current trace is a context variable; while one is set, every `bind` records there. A trace walks a trie of
structures: a step already seen (same primitive, params, operands, source line) is one dictionary lookup and no
shape rule runs. The node where a trace ends therefore *is* the recorded structure; transformations hang their
rewritten, ready-to-run Programs on it (`node.results`) and pay for rewriting once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any

import numpy as np

from . import array as array_module, dtypes, errors, primitive
from .array import Array, as_buffer, aval_of, scalar_aval, scalar_buffer, typed
from .avals import Aval
from .devices import backend_of, is_buffer
from .eager import eager, eager_buffers
from .primitive import Primitive, params_key, result_avals
from .source import Source, describe, here, internal_files
from .static import is_hashable
from .structure import Abstract, Literal, Node, remember, root

_current: ContextVar[Any] = ContextVar("fx_trace", default=None)
current_trace = _current.get
_getframe = sys._getframe
_internal = internal_files.__getitem__


class Tracer(Array):
    """A variable of a trace in progress, with the ordinary array operators."""

    __slots__ = ("aval", "home", "index")
    aval: Aval

    def __init__(self, trace: Trace, index: int, aval: Aval):
        self.home = trace
        self.index = index
        self.aval = aval

    @property
    def shape(self) -> tuple[int, ...]:
        return self.aval.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.aval.dtype

    @property
    def weak(self) -> bool:  # type: ignore[override]
        return self.aval.weak

    @property
    def buffer(self) -> Any:
        return _ask_tracer(self, "the buffer")

    @property
    def source(self) -> Source | None:
        """The user line that made this value; None for an input."""
        return self.home.source_of(self.index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise errors.TracerError(
            errors.lines(
                f"A NumPy function was applied to a traced value {self.aval} (inside {self.home.title()}).",
                describe(self.source),
                "Write the fx.numpy function of the same name, so that it is recorded.",
            )
        )

    def __dlpack__(self, **options: Any) -> Any:
        return self.__array__()

    def __repr__(self) -> str:
        value = self.home.known(self.index)
        shown = "" if value is None else f" = {np.array2string(np.asarray(value), threshold=10, precision=4)}"
        return f"Traced<{self.aval} in {self.home.kind}>{shown}"

    def __str__(self) -> str:
        return str(np.asarray(as_host(_ask_tracer(self, "printing"))))

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __reduce__(self) -> Any:
        raise errors.TracerError(f"A traced value {self.aval} cannot be pickled.")


def as_host(buffer: Any) -> Any:
    """A NumPy array of a buffer on any device."""
    return backend_of(buffer).to_host(buffer)


def _ask_tracer(x: Any, use: str) -> Any:
    if type(x) is not Tracer:
        return as_buffer(x, use)
    x.home.check_alive(x)
    return x.home.evaluate(x, use)


array_module.immutable(Tracer)
array_module._ask = _ask_tracer


class Trace:
    """A recording in progress. `parent` is the trace that was current where this one was opened."""

    def __init__(
        self,
        kind: str,
        avals: Sequence[Aval],
        values: Sequence[Any] = (),
        function: Any = None,
        parent: Any = None,
        by_value: bool = True,
    ):
        self.kind = kind
        self.function = function
        self.parent = parent
        self.by_value = by_value
        self.live = True
        self.source: Source | None = None
        self.scope = parent.scope if parent is not None else ""
        self.axes: dict[Any, int] = parent.axes if parent is not None else {}
        self.arity = self.count = len(avals)
        self.path: list[Node] = []
        self.slots: list[Any] = list(values) if values else [_NO_VALUE] * len(avals)
        self.const_ids: dict[int, int] = {}
        self.found: dict[int, Any] = {}  # values on demand; the slots stay, they say what is closed over
        self.const_indices: list[int] = []
        self.avals = tuple(avals)
        self.node = self._root()

    def _root(self) -> Node:
        return root(self.by_value, self.avals)

    def inputs(self) -> list[Tracer]:
        return [Tracer(self, i, a) for i, a in enumerate(self.avals)]

    # Recording

    def record(self, prim: Primitive, operands: Sequence[Any], params: Any = None, key: Any = None) -> Any:
        """Add one equation; returns its result (a list where the primitive has several)."""
        refs = [x.index if type(x) is Tracer and x.home is self else self.lift(x) for x in operands]
        source = self.source
        if source is None:
            frame = _getframe(1)
            while _internal(frame.f_code.co_filename):
                if frame.f_back is None:
                    break
                frame = frame.f_back
            step = (prim, key, id(frame.f_code), frame.f_lasti, self.scope, *refs)
        else:
            step = (prim, key, source, *refs)
        node = self.node.children.get(step)
        if node is None:
            if source is None:
                source = Source(frame.f_code, frame.f_lasti, self.scope)
            node = remember(self.node, step, self._step(prim, operands, params or {}, key, refs, source))
        return self._append(node, prim)

    def _append(self, node: Node, prim: Primitive) -> Any:
        first = node.first
        self.node = node
        self.count = node.after
        self.path.append(node)
        if prim.multiple:
            self.slots.extend([node] * len(node.outputs))
            return [Tracer(self, first + i, aval) for i, aval in enumerate(node.outputs)]
        self.slots.append(node)
        return Tracer(self, first, node.outputs[0])

    def _step(
        self, prim: Primitive, operands: Sequence[Any], params: Any, key: Any, refs: list[Any], source: Any
    ) -> Node:
        """A step never seen after this one: run the shape rule."""
        index = self.node.after
        lifted: list[tuple[int, Aval]] = []
        avals, inputs = [], []
        for x, r in zip(operands, refs, strict=True):
            t = type(r)
            if t is Aval:
                avals.append(r)
                lifted.append((index, r))
                r, index = index, index + 1
            elif t is Literal or type(x) is Tracer:
                avals.append((r if t is Literal else x).aval)
            else:
                avals.append(aval_of(x))
            inputs.append(r)
        node = Node(index)
        node.primitive, node.params, node.source = prim, params, source
        node.inputs, node.lifted = tuple(inputs), tuple(lifted)
        node.outputs = result_avals(prim, avals, params, key)
        node.after = index + len(node.outputs)
        return node

    def lift(self, x: Any) -> Any:
        """A reference to an operand that is not a variable of this trace: a known constant, a new one, a literal."""
        known = self.const_ids.get(id(x))
        if known is not None:
            return known
        t = type(x)
        if t is float:
            dtype = dtypes.default_float()
            return self._scalar(typed(x, dtype), Aval((), dtype, True))
        aval = _SCALAR_AVALS.get(t)
        if aval is not None:
            return self._scalar(x, aval)
        if t is Tracer:
            self._check_encloses(x)
            aval = x.aval
        elif t is Array:
            aval = x.aval
        elif t is Literal:
            return x if self.by_value or not x.aval.inexact else self._constant(x.value, x.aval)
        elif isinstance(x, (bool, int, float, complex)) and not isinstance(x, np.generic):
            return self._scalar(scalar_buffer(x), scalar_aval(x))
        elif isinstance(x, np.generic):
            x = as_buffer(x)
            return self._scalar(x, Aval((), x.dtype))
        else:
            x = as_buffer(x)
            if type(x) is np.ndarray and x.flags.writeable:
                x = x.copy()  # the program runs when the user may have written into the array
            aval = Aval(tuple(x.shape), x.dtype)
        return self._constant(x, aval)

    def _scalar(self, value: Any, aval: Aval) -> Any:
        """Scalars are literals; floating-point ones inputs where the structure should not depend on them."""
        if self.by_value or not aval.inexact:
            return Literal(value, aval)
        return self._constant(value, aval)

    def _constant(self, value: Any, aval: Aval) -> Aval:
        index = self.count
        self.count = index + 1
        self.slots.append(value)
        self.const_ids[id(value)] = index
        self.const_indices.append(index)
        return aval

    def index_of(self, x: Any) -> Any:
        """The reference of an output: an index, or a Literal; constants are lifted through an identity step."""
        if type(x) is Tracer and x.home is self:
            return x.index
        ref = self.lift(x)
        if type(ref) is not Aval:
            return ref
        index = self.const_indices[-1]
        node = Node(index)  # a step without an equation, so that the structure knows the constant
        node.lifted = ((index, ref),)
        node.after = node.first = index + 1
        self.node = self.node.children.setdefault(("constant", ref), node)
        self.path.append(self.node)
        return index

    # Who belongs where

    def _check_encloses(self, x: Tracer) -> None:
        trace = self.parent
        while trace is not None:
            if trace is x.home:
                return
            trace = trace.parent
        self.check_alive(x)
        raise errors.LeakedTracerError(
            errors.lines(
                f"A traced value {x.aval} of {x.home.title()} was used in {self.title()}, which it does not enclose.",
                describe(x.source),
                "Pass it as an argument; a traced value cannot cross threads or finished calls.",
            )
        )

    def check_alive(self, x: Tracer) -> None:
        """LeakedTracerError if the trace that made x has ended."""
        if not x.home.live:
            raise errors.LeakedTracerError(
                errors.lines(
                    f"A traced value {x.aval} was used after {x.home.title()} had ended.",
                    describe(x.source) or "it is an argument of that function",
                    "Return it from the function instead of storing it in a global, an attribute or a list.",
                )
            )

    def title(self) -> str:
        """For messages: the transformation and the function it traces."""
        name = getattr(self.function, "__qualname__", None) or getattr(self.function, "__name__", None)
        code = getattr(self.function, "__code__", None)
        place = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
        return f"{self.kind} of {name}{place}" if name else self.kind

    def source_of(self, index: int) -> Source | None:
        for node in self.path:
            if node.first <= index < node.after and node.primitive is not None:
                return node.source
        return None

    def at(self, source: Source | None) -> None:
        """Equations recorded from now on carry this line; None: the line that runs."""
        self.source = source

    # Values on demand

    def known(self, index: int) -> Any:
        """The value if it can be shown without computing, else None."""
        entry = self.found.get(index, self.slots[index] if index < len(self.slots) else None)
        return as_host(as_buffer(entry)) if type(entry) is Array or is_buffer(entry) else None

    def evaluate(self, x: Tracer, use: str) -> Any:
        """The concrete buffer of a variable: runs just the equations it needs and keeps their values."""
        found, slots = self.found, self.slots
        stack = [x.index]
        with no_trace():
            while stack:
                index = stack[-1]
                entry = slots[index]
                if index in found:
                    stack.pop()
                elif type(entry) is not Node:
                    found[index] = self._concrete_input(entry, x, use)
                else:
                    needed = [j for j in entry.inputs if type(j) is int and j not in found]
                    if needed:
                        stack.extend(needed)
                    else:
                        self._run(entry)
        return found[x.index]

    def _run(self, node: Node) -> None:
        operands = [r.value if type(r) is Literal else self.found[r] for r in node.inputs]
        out = eager_buffers(node.primitive, operands, node.params)
        for i, value in enumerate(out if node.primitive.multiple else (out,)):
            self.found[node.first + i] = value

    def _concrete_input(self, entry: Any, x: Tracer, use: str) -> Any:
        if type(entry) is Abstract:
            raise errors.TracerError(
                errors.lines(
                    f"{use} was asked of a traced value {x.aval} that has no value inside {self.title()}:",
                    f"it depends on {entry.reason()}.",
                    describe(x.source) or str(describe(here())).replace("made", "asked", 1),
                    "Write fx.numpy.where or fx.lax.cond / while_loop instead of if / while on it, "
                    "or make the argument static.",
                )
            )
        if type(entry) is Tracer:
            entry.home.check_alive(entry)
            return entry.home.evaluate(entry, use)
        return as_buffer(entry)

    # The recorded structure

    def constants(self) -> list[Any]:
        """The values closed over, in the order of their variables."""
        return [self.slots[i] for i in self.const_indices]

    def __enter__(self) -> Trace:
        self.token: Token[Any] = _current.set(self)
        return self

    def __exit__(self, *exc: object) -> None:
        _current.reset(self.token)
        self.live = False


_SCALAR_AVALS = {
    np.dtype(n).type: Aval((), np.dtype(n)) for n in ("float32", "float64", "int32", "int64", "bool")
}
_NO_VALUE = Abstract(lambda: "an input that only a transformation sees")


class RewriteTrace(Trace):
    """The recording of a rewrite: made once per Program and kept with it, so its structure is not shared."""

    def _root(self) -> Node:
        return Node(len(self.avals))

    def record(self, prim: Primitive, operands: Sequence[Any], params: Any = None, key: Any = None) -> Any:
        refs = [x.index if type(x) is Tracer and x.home is self else self.lift(x) for x in operands]
        node = self._step(prim, operands, params or {}, key, refs, self.source)
        return self._append(node, prim)


class LinearSplit:
    """The current trace while a program is linearized: what depends on a tangent goes to the linear trace."""

    def __init__(self, primal: Trace, linear: Trace):
        self.primal, self.linear = primal, linear
        self.parent = primal.parent
        self.by_value = primal.by_value
        self.scope = ""
        self.axes: dict[Any, int] = {}
        self.kind = "linearize"

    def record(self, prim: Primitive, operands: Sequence[Any], params: Any = None, key: Any = None) -> Any:
        linear = self.linear
        for x in operands:
            if type(x) is Tracer and x.home is linear:
                return linear.record(prim, operands, params, key)
        return self.primal.record(prim, operands, params, key)

    @property
    def source(self) -> Source | None:
        return self.primal.source

    @source.setter
    def source(self, source: Source | None) -> None:
        self.primal.source = self.linear.source = source

    def at(self, source: Source | None) -> None:
        """Equations made from now on carry this forward line."""
        self.source = source


@contextmanager
def recording(trace: Any) -> Iterator[Any]:
    """Make `trace` current for a block without ending it."""
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


@contextmanager
def no_trace() -> Iterator[None]:
    """Compute eagerly inside the block, whatever is being traced."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def bind(prim: Primitive, *operands: Any, **params: Any) -> Any:
    """Apply a primitive: record it in the current trace, or compute it now."""
    trace = _current.get()
    if trace is None:
        for x in operands:
            if type(x) is Tracer:
                refuse_outside(x)
        return eager(prim, operands, params)
    try:
        return trace.record(prim, operands, params, params_key(params))
    except TypeError as e:
        if "unhashable" not in str(e):
            raise
        bad = [k for k, v in params.items() if not is_hashable(v)]
        raise errors.ArgumentError(f"{prim.name}: static parameter(s) {bad} must be hashable.") from e


primitive.bind = bind


def refuse_outside(x: Tracer) -> None:
    """LeakedTracerError for a traced value where no trace is current: after its end, or in another thread."""
    x.home.check_alive(x)
    raise errors.LeakedTracerError(
        errors.lines(
            f"A traced value {x.aval} of {x.home.title()} was used where nothing is traced.",
            describe(x.source) or "it is an argument of that function",
            "A traced value cannot cross threads: start the thread outside, and transform inside it.",
        )
    )
