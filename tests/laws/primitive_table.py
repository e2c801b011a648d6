"""Every primitive of fx/primitives with its samples in every dtype that it takes: what the laws run over."""

import contextlib
import gc
import importlib
import pkgutil
import traceback
import warnings
import zlib

import ml_dtypes
import numpy as np

import fx.primitives
from fx.core.avals import Aval
from fx.core.errors import FxError
from fx.core.primitive import Primitive

FLOATS = ("float64", "float32", "float16", "bfloat16")
COMPLEX = ("complex128", "complex64")
DISCRETE = ("int64", "int32", "uint8", "bool")
MAIN = ("float64", "float32")
"""Every sample with a floating-point operand must be accepted in these."""

FIXED_DTYPE = {
    "bitcast": "its dtypes must have one width",
}
"""Primitives whose samples run in their own dtype alone, and why."""

_AXIS = "it computes where a named axis is mapped"
WITHOUT_SAMPLES = {
    "cond": "it holds Programs",
    "scan": "it holds Programs; while_loop and fori_loop are the same primitive",
    "linear_solve": "it holds Programs",
    "root": "it holds Programs",
    "pure_callback": "it holds a Python function, and has no derivative",
    "debug_callback": "it is there for its effect",
    **dict.fromkeys(("psum", "pmax", "pmin", "all_gather", "ppermute", "axis_index"), _AXIS),
}
"""Primitives without samples, and why; test_call_like_laws.py has functions that use each of them."""


def dtype_of(name):
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def import_all():
    """Every module of fx/primitives, and what went wrong with those that cannot be imported."""
    modules, broken = [], {}
    for info in pkgutil.walk_packages(fx.primitives.__path__, "fx.primitives."):
        try:
            modules.append(importlib.import_module(info.name))
        except Exception:
            broken[info.name] = traceback.format_exc()
    return modules, broken


def primitives_in(value, depth=2):
    """Primitive instances in a module's variable: the value itself, or in a container."""
    if isinstance(value, Primitive):
        yield value
    elif depth and isinstance(value, dict):
        for x in value.values():
            yield from primitives_in(x, depth - 1)
    elif depth and isinstance(value, (list, tuple, set, frozenset)):
        for x in value:
            yield from primitives_in(x, depth - 1)


MODULES, BROKEN_MODULES = import_all()
PRIMITIVES = list(
    {id(p): p for m in MODULES for value in vars(m).values() for p in primitives_in(value)}.values()
)
PRIMITIVES.sort(key=lambda p: p.name)


def unreachable_primitives():
    """Primitives that exist but stand in no variable of fx/primitives or fx/core; for a fresh process."""
    known = {id(p) for p in PRIMITIVES}
    alive = [x for x in gc.get_objects() if isinstance(x, Primitive)]
    return [p for p in alive if id(p) not in known and not type(p).__module__.startswith("fx.core")]


class Case:
    """One sample of one primitive in one dtype; called, the primitive as a function of its operands."""

    def __init__(self, primitive, index, dtype, operands, sample):
        self.primitive, self.index, self.dtype = primitive, index, dtype
        self.operands, self.params, self.oracle = operands, sample.params, sample.oracle
        self.avals = [Aval(x.shape, x.dtype) for x in operands]
        self.__name__ = primitive.name

    def __call__(self, *operands):
        return self.primitive(*operands, **self.params)

    def by(self, i):
        """The primitive as a function of operand i, with the others in its dtype where they were."""

        def by_one_operand(x):
            others = [y.astype(x.dtype) if y.dtype == self.operands[i].dtype else y for y in self.operands]
            return self(*others[:i], x, *others[i + 1 :])

        return by_one_operand

    def results(self, *operands):
        """A list of results, also where the primitive has one."""
        out = self(*operands)
        return list(out) if self.primitive.multiple else [out]

    def shape_rule(self):
        """Avals of the results: a list."""
        out = self.primitive.shape(*self.avals, **self.params)
        return list(out) if self.primitive.multiple else [out]

    def expected(self):
        """What the oracle says: a list; computed in float64 from the operands as they are in their dtype."""
        exact = self.dtype not in ("own", *DISCRETE)
        operands = [_widened(x) if exact else x for x in self.operands]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
            found = self.oracle(*operands, **self.params)
        return list(found) if self.primitive.multiple else [found]

    @property
    def active(self):
        """Operands that carry derivatives to some result."""
        if not any(a.inexact for a in self.shape_rule()):
            return []
        return [i for i, a in enumerate(self.avals) if a.inexact]

    @contextlib.contextmanager
    def named(self):
        """Failures inside say which case it was."""
        try:
            yield self
        except Exception as error:
            error.add_note(f"{self.primitive.name}, sample {self.index}: {self.avals} {self.params}")
            raise


def cases(primitive, *dtypes):
    """The samples of a primitive in the given dtypes, as far as it takes them; "own" leaves them alone."""
    if "own" not in dtypes and primitive.name in FIXED_DTYPE:
        dtypes = ("own",)
    for dtype in dtypes:
        rng = np.random.default_rng(zlib.crc32(primitive.name.encode()))
        for index, sample in enumerate(primitive.samples(rng)):
            case = _case_in(primitive, index, dtype, sample, rng)
            if case:
                yield case


def _case_in(primitive, index, dtype, sample, rng):
    """The sample in a dtype, or None where the primitive does not take it (then the main dtypes raise)."""
    operands = tuple(map(np.asarray, sample.operands))
    if dtype == "own":
        return Case(primitive, index, dtype, operands, sample)
    if primitive.name in FIXED_DTYPE or not _castable(operands, dtype):
        return None
    kinds = "biu" if all(x.dtype.kind in "biu" for x in operands) else "fcV"
    some = [i for i, x in enumerate(operands) if x.dtype.kind in kinds]
    for chosen in (some, some[:1]):  # the first alone: a complex operand with real options beside it
        found = [_cast(x, dtype, rng) if i in chosen else x for i, x in enumerate(operands)]
        case = Case(primitive, index, dtype, tuple(found), sample)
        try:
            case.shape_rule()
            return case
        except FxError:
            if dtype in MAIN:
                raise
    return None


def _castable(operands, dtype):
    """Whether there is something to cast: inexact operands, or for integer dtypes integers alone."""
    kinds = {x.dtype.kind for x in operands}
    if "c" in kinds:
        return dtype in COMPLEX or dtype in MAIN
    return bool(kinds & {"f", "V"}) or (dtype in DISCRETE and bool(kinds) and kinds <= {"i", "u"})


def _cast(x, dtype, rng):
    target = dtype_of(dtype)
    if target.kind == "b":
        return x > 0
    if target.kind in "iu":
        x = x if x.dtype.kind in "biu" else np.rint(np.nan_to_num(3 * x))
        return (np.abs(x) if target.kind == "u" else x).astype(target)
    if target.kind == "c":
        return (x if x.dtype.kind == "c" else x + 1j * rng.normal(size=x.shape)).astype(target)
    if x.dtype.kind == "c":
        return x.astype(np.complex64 if target.itemsize == 4 else np.complex128)
    return x.astype(target)


def _widened(x):
    if x.dtype.kind not in "fVc":
        return x
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
