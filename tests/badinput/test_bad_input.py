"""Every kind of bad input gets its own error, with the facts in it, and changes nothing.

A row: what is wrong, the call, the class of the error, and what its text must say. After each call the inputs are
what they were, no trace is open, the settings are the same, and the next call works.
"""

import collections
import gc
import re
import threading
import weakref

import numpy as np
import pytest

import fx
import fx.numpy as jnp
from fx.core.config import settings
from fx.core.trace import current_trace

Case = collections.namedtuple("Case", "what call error facts")

V = jnp.arange(3.0)
M = jnp.ones((2, 3))
CYCLE = [1.0]
CYCLE.append(CYCLE)
DEEP = 1.0
for _ in range(2000):
    DEEP = [DEEP]


THING = object()


def leaked():
    kept = []
    fx.grad(lambda x: (kept.append(x * 2), x)[1])(1.0)
    return kept[0]


def under(transform, function, *args):
    """The call of a transformed function, to be made in the test."""
    return lambda: transform(function)(*args)


SHAPES = [
    Case(
        "operands that do not broadcast",
        lambda: V + jnp.ones(4),
        fx.ShapeError,
        [r"\(3,\), \(4,\)", "broadcast"],
    ),
    Case("inner sizes of a product", lambda: M @ M, fx.ShapeError, [r"\(2, ?3\)|f32\[2,3\]"]),
    Case("reshape to another size", lambda: V.reshape(2, 2), fx.ShapeError, [r"\(3,\)", r"\(2, 2\)"]),
    Case(
        "concatenate along a wrong axis",
        lambda: jnp.concatenate([V, V], 1),
        fx.ShapeError,
        ["axis 1", "1 axes"],
    ),
    Case("stack of different shapes", lambda: jnp.stack([V, M]), fx.ShapeError, [r"\(3,\)", r"\(2, 3\)"]),
    Case(
        "broadcast_to a smaller shape",
        lambda: jnp.broadcast_to(M, (3,)),
        fx.ShapeError,
        [r"\(2, 3\)", r"\(3,\)"],
    ),
    Case("a matrix where a square one is needed", lambda: jnp.linalg.inv(M), fx.ShapeError, [r"2, ?3"]),
    Case(
        "grad of a vector result",
        under(fx.grad, lambda x: x * 2, V),
        fx.ShapeError,
        [r"\(3,\)|f32\[3\]", "scalar|jac"],
    ),
    Case(
        "mapped sizes that differ",
        under(fx.vmap, lambda x, y: x + y, V, jnp.ones(4)),
        fx.ShapeError,
        ["3", "4"],
    ),
    Case(
        "a carry that changes shape",
        lambda: fx.lax.scan(lambda c, x: (jnp.stack([c, c]), x), 1.0, V),
        fx.ShapeError,
        ["carry"],
    ),
    Case(
        "tangents of another shape",
        lambda: fx.jvp(jnp.sin, (V,), (M,)),
        fx.ShapeError,
        [r"\(2, 3\)", r"\(3,\)"],
    ),
    Case("a truth value of many elements", lambda: bool(V), fx.ShapeError, [r"\(3,\)", r"any\(\)"]),
]

DTYPES = [
    Case(
        "objects", lambda: jnp.sin(np.array([None], "O")), fx.DTypeError, ["object", "bool, integers, floats"]
    ),
    Case("strings", lambda: V + np.array(["a"]), fx.DTypeError, ["<U1|str"]),
    Case("dates", lambda: jnp.sum(np.array("2020", "M8[D]")), fx.DTypeError, ["datetime64"]),
    Case("records", lambda: jnp.exp(np.array([(1, 2.0)], "i4,f4")), fx.DTypeError, ["f0"]),
    Case(
        "wider than a float64",
        lambda: jnp.exp(np.longdouble(1)),
        fx.DTypeError,
        ["float128|longdouble", "float64"],
    ),
    Case("no dtype at all", lambda: jnp.zeros(3, "float99"), fx.DTypeError, ["float99", "float32"]),
    Case("bits of floats", lambda: V & V, fx.DTypeError, ["float32"]),
    Case("grad by an integer", under(fx.grad, lambda x: x * 1.0, 3), fx.DTypeError, ["i64|int64"]),
    Case(
        "branches of two dtypes",
        lambda: fx.lax.cond(True, lambda: jnp.int32(1), lambda: V[0]),
        fx.DTypeError,
        ["i32", "f32"],
    ),
    Case("a float index", lambda: V[1.5], fx.DTypeError, ["1.5|float"]),
    Case("the floor of complex numbers", lambda: jnp.floor(1j), fx.DTypeError, ["complex|c64"]),
]

AXES = [
    Case("out of range", lambda: jnp.sum(M, axis=2), fx.ShapeError, ["axis 2", "-2 to 1"]),
    Case("of a scalar", lambda: jnp.cumsum(jnp.asarray(1.0), axis=0), fx.ShapeError, ["axis 0", "no axes"]),
    Case("named twice", lambda: jnp.sum(M, axis=(0, -2)), fx.ShapeError, ["same axis twice"]),
    Case(
        "not an integer",
        lambda: jnp.mean(M, axis=0.5),
        fx.ArgumentError,
        ["axis must be an integer", "float 0.5"],
    ),
    Case("a traced one", under(fx.jit, lambda a: jnp.sum(M, axis=a), 1), fx.TracerError, ["argument|a,"]),
    Case("no permutation", lambda: jnp.transpose(M, (0, 0)), fx.ShapeError, [r"0"]),
    Case("in_axes out of range", lambda: fx.vmap(jnp.sin, in_axes=3)(V), fx.ShapeError, ["3"]),
    Case("in_axes that are no axes", lambda: fx.vmap(jnp.sin, in_axes="a")(V), fx.ArgumentError, ["'a'"]),
    Case("an unknown mapped axis", lambda: fx.lax.psum(V, "i"), fx.ArgumentError, ["'i'", "axis_name='i'"]),
]

TREES = [
    Case(
        "map over two structures",
        lambda: fx.tree.map(jnp.add, {"w": 1}, {"v": 1}),
        fx.TreeError,
        [r"\['w'\]|'w'"],
    ),
    Case(
        "unflatten with too few leaves",
        lambda: fx.tree.structure([1, 2]).unflatten([1]),
        fx.TreeError,
        ["2 leaves", "1"],
    ),
    Case(
        "a tree for a treedef",
        lambda: fx.tree.unflatten([1], [1]),
        fx.ArgumentError,
        ["TreeDef", "structure"],
    ),
    Case(
        "a list that contains itself",
        under(fx.grad, lambda x: 1.0, CYCLE),
        fx.TreeError,
        ["contains itself|cycl"],
    ),
    Case("2000 lists deep", under(fx.jit, lambda x: 1.0, DEEP), fx.TreeError, ["nested|deep"]),
    Case(
        "a cotangent of another structure",
        lambda: fx.vjp(lambda x: [x, x], V)[1](V),
        fx.TreeError,
        ["cotangent|expected"],
    ),
    Case(
        "branches of two structures",
        lambda: fx.lax.cond(True, lambda: 1.0, lambda: (1.0,)),
        fx.TreeError,
        ["tuple|structure"],
    ),
    Case(
        "optimizer state of other parameters",
        lambda: fx.optim.adam(0.1).update({"a": V}, fx.optim.adam(0.1).init({"b": V})),
        fx.TreeError,
        ["'a'|'b'"],
    ),
    Case("a function that is none", lambda: fx.tree.map(3, [1]), fx.ArgumentError, ["function", "int 3"]),
]

VALUES = [
    Case("None", lambda: jnp.sin(None), fx.ArgumentError, ["NoneType"]),
    Case("a string", lambda: V + "a", fx.ArgumentError, ["str", "'a'"]),
    Case("an object", lambda: jnp.sum(THING), fx.ArgumentError, ["object"]),
    Case(
        "a leaf that is no array, by its path",
        under(fx.grad, lambda p: 1.0, {"w": [1.0, "x"]}),
        fx.ArgumentError,
        [r"\['w'\]\[1\]", "str"],
    ),
    Case(
        "an output that is no array",
        under(fx.jit, lambda x: (x, "x"), V),
        fx.ArgumentError,
        [r"\[1\]", "str"],
    ),
    Case("a class", lambda: jnp.cos(fx.Array), fx.ArgumentError, ["type"]),
    Case("a ragged list", lambda: jnp.asarray([[1, 2], [3]]), fx.ArgumentError, ["equal lengths"]),
    Case("a list with a string in it", lambda: jnp.asarray([1, "a"]), fx.ArgumentError, ["str", "'a'"]),
    Case("a list that contains itself", lambda: jnp.asarray(CYCLE), fx.ArgumentError, ["contains itself"]),
    Case("2000 lists deep", lambda: jnp.asarray(DEEP), fx.ArgumentError, ["nested"]),
    Case("a number that no integer holds", lambda: jnp.asarray(2**70), fx.ArgumentError, ["int64"]),
    Case("int of nan", lambda: int(jnp.asarray(jnp.nan)), fx.ArgumentError, ["nan"]),
    Case("an unknown mode", lambda: jnp.pad(V, 1, mode="nope"), fx.ArgumentError, ["'nope'", "constant"]),
    Case("no function", lambda: fx.jit(3)(V), fx.ArgumentError, ["function", "int"]),
    Case("argnums too large", lambda: fx.grad(lambda x: x, argnums=2)(1.0), fx.ArgumentError, ["argnums=2"]),
    Case("a key that is none", lambda: fx.random.normal(3, (2,)), fx.ArgumentError, ["key"]),
    Case("a probability above 1", lambda: fx.nn.Dropout(1.5), fx.ArgumentError, ["1.5"]),
    Case("an unknown setting", lambda: fx.config(nope=1), fx.ArgumentError, ["'nope'", "default_float"]),
    Case("an unknown device", lambda: fx.device("nope:0"), fx.DeviceError, ["nope"]),
]

NANS = [
    Case(
        "a nan, when asked for",
        lambda: _checked(lambda x: jnp.log(x))(-1.0),
        fx.NanError,
        ["log", "test_bad_input.py"],
    ),
    Case("a nan from inf", lambda: _checked(lambda x: x - x)(jnp.inf), fx.NanError, ["sub"]),
    Case("arange to infinity", lambda: jnp.arange(0, jnp.inf), fx.ArgumentError, ["inf"]),
    Case(
        "linspace of nan numbers",
        lambda: jnp.linspace(0, 1, float("nan")),
        fx.ArgumentError,
        ["integer", "nan"],
    ),
]

SIZES = [
    Case("negative", lambda: jnp.zeros(-1), fx.ShapeError, ["negative", "-1"]),
    Case("not an integer", lambda: jnp.zeros(1.5), fx.ArgumentError, ["float 1.5"]),
    Case("beyond any machine", lambda: jnp.zeros((2**40, 2**40)), fx.ShapeError, ["float32", "TiB"]),
    Case(
        "more than the memory",
        lambda: jnp.zeros(2**43),
        fx.OutOfMemoryError,
        ["full", r"8796093022208", "32 TiB"],
    ),
    Case(
        "more than the memory, compiled",
        under(fx.jit, lambda: jnp.zeros(2**43) + 1.0),
        fx.OutOfMemoryError,
        ["32 TiB", "made at"],
    ),
    Case("too many axes", lambda: jnp.zeros((1,) * 65), fx.ShapeError, ["64", "65"]),
    Case("too many draws", lambda: fx.random.normal(fx.random.key(0), (2**60,)), fx.ShapeError, ["EiB"]),
    Case(
        "a negative loop",
        lambda: fx.lax.scan(lambda c, x: (c, x), 1.0, None, length=-1),
        fx.ArgumentError,
        ["-1"],
    ),
    Case("a traced one", under(fx.jit, lambda n: jnp.zeros(n), 3), fx.TracerError, ["n,|argument", "static"]),
]

INDICES = [
    Case("too large", lambda: V[3], fx.OutOfBoundsError, ["3", "size 3|axis 0"]),
    Case("too small", lambda: V[-4], fx.OutOfBoundsError, ["-4"]),
    Case("in an array of them", lambda: V[jnp.asarray([0, 9])], fx.OutOfBoundsError, ["9"]),
    Case("to write to", lambda: V.at[5].set(0.0), fx.OutOfBoundsError, ["5"]),
    Case("too many", lambda: V[0, 0], fx.OutOfBoundsError, ["2", r"\(3,\)"]),
    Case("a mask of another size", lambda: V[jnp.ones(4, bool)], fx.ShapeError, ["4"]),
    Case("a string", lambda: V["a"], fx.DTypeError, ["'a'"]),
    Case("rows of two lengths", lambda: V[[[0], [0, 1]]], fx.ShapeError, ["different lengths"]),
    Case("a step of zero", lambda: V[::0], fx.ArgumentError, ["step"]),
    Case("for item", lambda: M.item(9), fx.OutOfBoundsError, ["9"]),
    Case("of a class", lambda: fx.nn.one_hot(jnp.asarray([0]), 3)[0, 3], fx.OutOfBoundsError, ["3"]),
]

TRACERS = [
    Case(
        "kept after the end",
        lambda: leaked() + 1.0,
        fx.LeakedTracerError,
        ["grad", "test_bad_input.py", "Return it"],
    ),
    Case("of another call", under(fx.jit, lambda x: x + leaked(), 1.0), fx.LeakedTracerError, ["grad"]),
    Case("as an argument", lambda: fx.jit(jnp.sin)(leaked()), fx.LeakedTracerError, ["grad"]),
    Case("given to NumPy", under(fx.jit, lambda x: np.sin(x), 1.0), fx.TracerError, ["NumPy", "fx.numpy"]),
    Case(
        "if",
        under(fx.jit, lambda x: 1.0 if x > 0 else 2.0, 1.0),
        fx.TracerError,
        [r"bool\(x\)", "jit", "where|cond"],
    ),
    Case("while", under(fx.jit, lambda x: _halve(x), 9.0), fx.TracerError, ["while_loop"]),
    Case("range", under(fx.jit, lambda n: sum(range(n)), 3), fx.TracerError, ["index", "static"]),
    Case("float", under(fx.vmap, lambda x: float(x), V), fx.TracerError, [r"float\(x\)", "vmap"]),
    Case("a mask", under(fx.jit, lambda x: x[x > 0], V), fx.TracerError, ["where|mask"]),
    Case(
        "in a mapped axis", under(fx.vmap, lambda x: x if x > 0 else -x, V), fx.TracerError, ["vmap", "where"]
    ),
    Case("pickled", under(fx.jit, lambda x: x.__reduce__(), 1.0), fx.TracerError, ["pickled"]),
]

MUTATIONS = [
    Case("an element", lambda: _assign(V), fx.ImmutableError, [r"f32\[3\]", r"\.at\[index\]\.set"]),
    Case(
        "an element of a traced value", under(fx.jit, lambda x: _assign(x), V), fx.ImmutableError, [r"\.at"]
    ),
    Case("deleting one", lambda: V.__delitem__(0), fx.ImmutableError, ["delete"]),
    Case("the shape", lambda: setattr(V, "shape", (3, 1)), fx.ImmutableError, ["reshape"]),
    Case("the dtype", lambda: setattr(V, "dtype", "int32"), fx.ImmutableError, ["astype"]),
    Case("the real part", lambda: setattr(V, "real", 0), fx.ImmutableError, ["immutable"]),
]

STATICS = [
    Case(
        "a list",
        lambda: fx.jit(lambda x, n: x, static_argnums=1)(V, [1]),
        fx.ArgumentError,
        ["hashable", "tuple", "n"],
    ),
    Case(
        "an array",
        lambda: fx.jit(lambda x, n: x, static_argnums=1)(V, V),
        fx.ArgumentError,
        ["hashable|static"],
    ),
    Case("a name that is none", lambda: fx.jit(lambda x: x, static_argnames="y"), fx.ArgumentError, ["'y'"]),
    Case("a position that is none", lambda: fx.jit(lambda x: x, static_argnums=4), fx.ArgumentError, ["4"]),
    Case("the name of an axis", lambda: fx.lax.axis_index([]), fx.ArgumentError, ["hashable"]),
]

KINDS = {
    "shape": SHAPES, "dtype": DTYPES, "axis": AXES, "tree": TREES, "value": VALUES, "nan": NANS, "size": SIZES,
    "index": INDICES, "tracer": TRACERS, "mutation": MUTATIONS, "static": STATICS,
}  # fmt: skip
ALL = [pytest.param(case, id=f"{kind}: {case.what}") for kind, cases in KINDS.items() for case in cases]


def _checked(function):
    def call(*args):
        with fx.config(check_nans=True):
            return fx.jit(function)(*args)

    return call


def _halve(x):
    while x > 1.0:
        x = x / 2.0
    return x


def _assign(x):
    x[0] = 1.0


@pytest.mark.parametrize("case", ALL)
def test_bad_input_is_named_and_changes_nothing(case):
    before, settings_before = (V.tolist(), M.tolist()), settings()
    with pytest.raises(case.error) as caught:
        case.call()
    text = str(caught.value)
    for fact in case.facts:
        assert _has(text, fact), f"{fact!r} is missing in:\n{text}"
    assert (V.tolist(), M.tolist()) == before and settings() == settings_before and current_trace() is None
    with pytest.raises(case.error) as again:
        case.call()
    assert str(again.value).splitlines()[0] == text.splitlines()[0], "the second call says something else"
    assert float(fx.grad(lambda x: x * x)(3.0)) == 6.0


def _has(text, fact):
    return re.search(fact, text) is not None


# Nothing changes


TRANSFORMS = {
    "grad": fx.grad,
    "value_and_grad": fx.value_and_grad,
    "jit": fx.jit,
    "vmap": lambda f: lambda x: fx.vmap(f)(jnp.ones(3) * x),
    "checkpoint": lambda f: fx.grad(fx.checkpoint(f)),
    "jvp": lambda f: lambda x: fx.jvp(f, (x,), (1.0,)),
    "vjp": lambda f: lambda x: fx.vjp(f, x)[1](1.0),
    "linearize": lambda f: lambda x: fx.linearize(f, x)[1](1.0),
    "jacrev": fx.jacrev,
    "hessian": fx.hessian,
    "make_program": fx.make_program,
    "jit of grad": lambda f: fx.jit(fx.grad(f)),
    "grad of vmap": lambda f: fx.grad(lambda x: jnp.sum(fx.vmap(f)(jnp.ones(3) * x))),
    "scan": lambda f: lambda x: fx.lax.scan(lambda c, _: (f(c), None), x, None, length=2),
    "while_loop": lambda f: lambda x: fx.lax.while_loop(lambda c: c < 1.0, f, x),
    "cond": lambda f: lambda x: fx.lax.cond(x > 0, f, f, x),
}


class Oops(Exception):
    """Raised by user code."""


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("error", [Oops, KeyboardInterrupt, RecursionError])
def test_an_exception_of_user_code_passes_and_the_next_call_works(name, error):
    fails = [True]

    def function(x):
        y = jnp.sin(x) * 2.0
        if fails[0]:
            raise error("mine")
        return y

    transformed = TRANSFORMS[name](function)
    with fx.config(default_float="float64"), pytest.raises(error, match="mine"):
        transformed(0.5)
    assert current_trace() is None and settings().default_float == "float32"
    fails[0] = False
    assert (
        repr(transformed(0.5)) == repr(TRANSFORMS[name](lambda x: jnp.sin(x) * 2.0)(0.5))
        or name == "make_program"
    )


def test_an_error_in_the_middle_leaves_outer_recordings_usable():
    def function(x):
        y = x * 2.0
        with pytest.raises(fx.ShapeError):
            y + jnp.ones((2, 2, 3)) @ jnp.ones(5)
        with pytest.raises(Oops):
            fx.grad(_raise)(y)
        return jnp.sum(y * y)

    x = jnp.arange(3.0)
    for transformed in (fx.grad(function), fx.jit(fx.grad(function)), fx.grad(fx.jit(function))):
        assert transformed(x).tolist() == [0.0, 8.0, 16.0]


def _raise(x):
    raise Oops


def test_inputs_are_not_written_into():
    host = np.arange(6.0, dtype="float32").reshape(2, 3)
    tree = {"w": host, "b": [host[0], 1.0]}
    kept = host.copy()
    for call in (
        lambda: fx.jit(lambda p: p["w"] @ p["b"][0] + p["b"][2])(tree),
        lambda: fx.grad(lambda p: jnp.sum(p["w"] * p["b"][0]) + jnp.ones((4, 4)) @ p["w"])(tree),
        lambda: jnp.sort(host, axis=5),
        lambda: jnp.put_along_axis(host, np.array([[9]]), 0.0, 1, inplace=False),
        lambda: fx.numpy.asarray(host).at[7, 7].set(1.0),
    ):
        with pytest.raises((fx.FxError, IndexError)):
            call()
        assert np.array_equal(host, kept) and tree["w"] is host and len(tree["b"]) == 2


def test_jit_caches_nothing_of_a_failed_trace():
    ready = []

    @fx.jit
    def function(x):
        if not ready:
            raise Oops
        return x + 1.0

    for _ in range(3):
        with pytest.raises(Oops):
            function(1.0)
    ready.append(True)
    assert float(function(1.0)) == 2.0 and float(function(2.0)) == 3.0


def test_a_failed_call_keeps_no_arrays_alive():
    x = jnp.ones(1000)
    seen = weakref.ref(x)
    with pytest.raises(fx.ShapeError):
        fx.grad(lambda v: jnp.sum(v + jnp.ones(7)))(x)
    del x
    gc.collect()
    assert seen() is None


def test_a_traced_value_in_another_thread_is_named():
    found = []

    def function(x):
        def work():
            try:
                x + 1.0
            except fx.FxError as e:
                found.append(e)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return x * 2.0

    assert float(fx.grad(function)(1.0)) == 2.0
    assert isinstance(found[0], fx.LeakedTracerError) and "thread" in str(found[0])


def test_every_error_is_an_fxerror_and_the_builtin_it_resembles():
    for case in (c for cases in KINDS.values() for c in cases):
        assert issubclass(case.error, fx.FxError) and len(case.error.__mro__) > 4
    assert issubclass(fx.OutOfMemoryError, MemoryError) and issubclass(fx.OutOfBoundsError, IndexError)
