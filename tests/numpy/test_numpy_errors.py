"""What fx.numpy refuses, and how it says so: always an fx error, with the facts, never NumPy's own."""

from __future__ import annotations

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.core import errors

X = np.arange(12.0).reshape(3, 4)

SHAPE = {
    "wrong axis": (lambda: fnp.sum(X, 2), ["sum", "axis 2", "2 axes", "-2 to 1"]),
    "axis twice": (lambda: fnp.max(X, (0, -2)), ["max", "twice"]),
    "axis of a scalar": (lambda: fnp.sum(1.0, 0), ["shape () has no axes"]),
    "broadcasting": (lambda: fnp.add(X, np.ones(3)), ["(3, 4)", "(3,)"]),
    "matmul": (lambda: fnp.matmul(X, X), ["(3, 4)", "last axis"]),
    "matmul of scalars": (lambda: fnp.matmul(2.0, X), ["*"]),
    "batched matmul": (lambda: fnp.matmul(np.ones((2, 3, 4)), np.ones((3, 4, 5))), ["(2,)", "(3,)"]),
    "reshape": (lambda: fnp.reshape(X, (5, -1)), ["(3, 4)", "12 elements", "(5, -1)"]),
    "two unknown sizes": (lambda: fnp.reshape(X, (-1, -1)), ["one of them may be -1"]),
    "squeeze": (lambda: fnp.squeeze(X, 0), ["size 1"]),
    "concatenate": (lambda: fnp.concatenate([X, np.ones((3, 3))]), ["(3, 4)", "(3, 3)", "axis 0"]),
    "stack": (lambda: fnp.stack([X, X[0]]), ["(3, 4)", "(4,)"]),
    "split": (lambda: fnp.split(X, 2), ["array_split", "axis 0"]),
    "transpose": (lambda: fnp.transpose(X, (0,)), ["each of the 2 axes"]),
    "einsum sizes": (lambda: fnp.einsum("ij,jk", X, X), ["'j'", "4", "3"]),
    "einsum ranks": (lambda: fnp.einsum("ijk", X), ["3 axes", "2"]),
    "einsum operands": (lambda: fnp.einsum("ij,jk", X), ["2 arrays", "1"]),
    "einsum result": (lambda: fnp.einsum("ij->k", X), ["each once"]),
    "einsum ellipsis": (lambda: fnp.einsum("...i->i", X), ["..."]),
    "tensordot": (lambda: fnp.tensordot(X, X, 1), ["tensordot"]),
    "dot": (lambda: fnp.dot(X, X), ["tensordot"]),
    "cross": (lambda: fnp.cross(X, X), ["3 components"]),
    "diag": (lambda: fnp.diag(np.ones((2, 2, 2))), ["one or two axes"]),
    "max of nothing": (lambda: fnp.max(np.ones((0, 3)), 0), ["empty", "initial="]),
    "argmax of nothing": (lambda: fnp.argmax(np.ones(0)), ["no value"]),
    "weights": (lambda: fnp.average(X, 0, np.ones(5)), ["(5,)", "average"]),
    "negative size": (lambda: fnp.zeros((2, -1)), ["negative", "-1"]),
    "full": (lambda: fnp.full((2, 2), np.ones(3)), ["(3,)", "(2, 2)"]),
    "interp": (lambda: fnp.interp(X, np.ones(3), np.ones(2)), ["interp"]),
    "convolve": (lambda: fnp.convolve(X, X), ["two sequences"]),
    "pad widths": (lambda: fnp.pad(X, ((1, 1), (1, 1), (1, 1))), ["pad_width", "2 axes"]),
    "pad of nothing": (lambda: fnp.pad(np.ones(0), 1, "edge"), ["edge", "empty"]),
    "polyval": (lambda: fnp.polyval(X, 1.0), ["one axis"]),
    "nonzero of a scalar": (lambda: fnp.nonzero(3), ["atleast_1d"]),
    "searchsorted": (lambda: fnp.searchsorted(X, 1.0), ["one axis"]),
    "gradient of one point": (lambda: fnp.gradient(np.ones(1)), ["at least 2"]),
    "compress": (lambda: fnp.compress(np.ones(9, bool), X, 0), ["condition"]),
    "trapezoid": (lambda: fnp.trapezoid(X, np.ones(3)), ["sample points"]),
    "vectorize sizes": (
        lambda: fnp.vectorize(fnp.dot, signature="(n),(n)->()")(np.ones(2), np.ones(3)),
        ["n is 2 and 3"],
    ),
    "cov weights": (lambda: fnp.cov(X, aweights=np.ones(3)), ["4 observations"]),
    "fill_diagonal": (lambda: fnp.fill_diagonal(np.ones(3), 1.0), ["two axes"]),
    "method": (lambda: fnp.asarray(X).reshape(5, 5), ["(3, 4)"]),
}

DTYPE = {
    "bits of floats": (lambda: fnp.bitwise_and(X, 1), ["and", "float64"]),
    "shift of floats": (lambda: fnp.left_shift(X, 1), ["integer"]),
    "order of complex": (lambda: fnp.less(1j * X, X), ["complex128"]),
    "max of complex": (lambda: fnp.max(1j * X), ["max", "c128"]),
    "floor of complex": (lambda: fnp.floor(1j * X), ["floor", "complex"]),
    "minus of booleans": (lambda: fnp.subtract(X > 0, X > 1), ["bool"]),
    "negative boolean": (lambda: fnp.negative(X > 0), ["bool"]),
    "where= of numbers": (lambda: fnp.sum(X, where=X), ["boolean"]),
    "no dtype": (lambda: fnp.zeros(3, "nonsense"), ["nonsense"]),
    "dtype of objects": (lambda: fnp.zeros(3, object), ["object"]),
    "finfo of integers": (lambda: fnp.finfo(int), ["iinfo"]),
    "iinfo of floats": (lambda: fnp.iinfo(np.float32), ["finfo"]),
    "ldexp": (lambda: fnp.ldexp(X, 1.5), ["integer exponents"]),
    "unravel_index": (lambda: fnp.unravel_index(X, (3, 4)), ["integers"]),
    "unpackbits": (lambda: fnp.unpackbits(X), ["uint8"]),
}

ARGUMENT = {
    "a list": (lambda: fnp.sum([1, 2]), ["list", "asarray"]),
    "a string": (lambda: fnp.add(X, "a"), ["str", "'a'"]),
    "None": (lambda: fnp.exp(None), ["NoneType"]),
    "object array": (lambda: fnp.asarray(np.array([None, 1])), ["object"]),
    "ragged list": (lambda: fnp.asarray([[1, 2], [3]]), ["list", "equal lengths"]),
    "ragged arrays": (lambda: fnp.asarray([fnp.ones(2), fnp.ones(3)]), ["(2,)", "(3,)"]),
    "strings in a list": (lambda: fnp.asarray([1, "a"]), ["str"]),
    "None in a list": (lambda: fnp.asarray([1, None]), ["NoneType"]),
    "a dict": (lambda: fnp.asarray({"a": 1}), ["dict"]),
    "too large integer": (lambda: fnp.asarray(300, "uint8"), ["300", "uint8"]),
    "too large scalar": (lambda: fnp.add(np.uint8(1), 300), ["300", "uint8"]),
    "complex to real": (lambda: fnp.asarray(1j, "float32"), ["float32"]),
    "no copy of a list": (lambda: fnp.asarray([1], copy=False), ["copy"]),
    "no copy with a dtype": (lambda: fnp.asarray(X, "float32", copy=False), ["copy", "float32"]),
    "negative power": (lambda: fnp.power(np.arange(3), -1), ["negative", "astype"]),
    "negative powers": (lambda: fnp.power(np.arange(3), np.array([1, -1, 0])), ["negative"]),
    "concatenate of nothing": (lambda: fnp.concatenate([]), ["at least one"]),
    "axis is no integer": (lambda: fnp.sum(X, 1.5), ["axis", "1.5"]),
    "half a where": (lambda: fnp.where(X > 0, X), ["both x and y"]),
    "max of where": (lambda: fnp.max(X, where=X > 0), ["initial="]),
    "arange of step 0": (lambda: fnp.arange(0, 3, 0), ["step"]),
    "linspace": (lambda: fnp.linspace(0, 1, -1), ["num", "-1"]),
    "meshgrid": (lambda: fnp.meshgrid(X[0], indexing="yx"), ["'yx'"]),
    "quantile range": (lambda: fnp.quantile(X, 1.5), ["0 and 1", "1.5"]),
    "percentile range": (lambda: fnp.percentile(X, -1), ["0 and 100"]),
    "quantile method": (lambda: fnp.quantile(X, 0.5, method="best"), ["'best'", "hazen"]),
    "einsum letters": (lambda: fnp.einsum("i1,jk", X, X), ["'1'"]),
    "einsum lists": (lambda: fnp.einsum(X, "ij"), ["list of axis numbers"]),
    "einsum path": (lambda: fnp.einsum("ij,jk,kl", X, X.T, X, optimize="soon"), ["soon"]),
    "pad mode": (lambda: fnp.pad(X, 1, "fancy"), ["'fancy'", "reflect"]),
    "pad option": (lambda: fnp.pad(X, 1, "edge", constant_values=1), ["constant_values"]),
    "negative pad": (lambda: fnp.pad(X, -1), ["negative"]),
    "roll": (lambda: fnp.roll(X, (1, 2, 3), (0, 1)), ["3 shifts"]),
    "repeat": (lambda: fnp.repeat(X, -1), ["negative"]),
    "bincount": (lambda: fnp.bincount(np.array([-1])), ["negative"]),
    "histogram rules": (lambda: fnp.histogram(X, "best"), ["bins", "best"]),
    "digitize": (lambda: fnp.digitize(X, np.array([1, 3, 2])), ["rise or fall"]),
    "select": (lambda: fnp.select([X > 0], []), ["1 and 0"]),
    "piecewise": (lambda: fnp.piecewise(X, [X > 0], [1, 2, 3]), ["3 functions"]),
    "geomspace": (lambda: fnp.geomspace(0, 1), ["0"]),
    "sort kind": (lambda: fnp.sort(X, kind="bubble"), ["bubble"]),
    "vectorize signature": (lambda: fnp.vectorize(fnp.dot, signature="n,n")(1.0, 2.0), ["signature"]),
    "isdtype": (lambda: fnp.isdtype(np.float32, "float"), ["'float'", "real floating"]),
    "block": (lambda: fnp.block([[X], X]), ["nested"]),
    "nanargmax": (lambda: fnp.nanargmax(np.array([np.nan])), ["NaN"]),
    "reshape order": (lambda: fnp.reshape(X, 12, order="K"), ["'K'"]),
    "insert": (lambda: fnp.insert(X, 1.5, 0.0), ["1.5"]),
    "r_ with a string": (lambda: fnp.r_["0,2", X[0]], ["r_", "concatenate"]),
    "mgrid without stop": (lambda: fnp.mgrid[0:], ["mgrid[0:2"]),
}

BOUNDS = {
    "choose": lambda: fnp.choose(np.array([3]), [X, X]),
    "unravel_index": lambda: fnp.unravel_index(12, (3, 4)),
    "ravel_multi_index": lambda: fnp.ravel_multi_index((3, 0), (3, 4)),
    "delete": lambda: fnp.delete(X, 9, 0),
    "insert": lambda: fnp.insert(X, 9, 0.0, 0),
    "partition": lambda: fnp.partition(X, 9),
    "take": lambda: fnp.take(X, 12),
}


@pytest.mark.parametrize(
    ("table", "kind"),
    [(SHAPE, errors.ShapeError), (DTYPE, errors.DTypeError), (ARGUMENT, errors.ArgumentError)],
)
def test_refusals_name_the_facts(table, kind):
    for what, (attempt, facts) in table.items():
        with pytest.raises(kind) as caught:
            attempt()
        assert all(str(fact) in str(caught.value) for fact in facts), f"{what}: {caught.value}"


@pytest.mark.parametrize("what", BOUNDS)
def test_known_indices_out_of_bounds(what):
    with pytest.raises(errors.OutOfBoundsError):
        BOUNDS[what]()


def test_writing_in_place_is_refused():
    with pytest.raises(errors.ImmutableError):
        fnp.fill_diagonal(X, 1.0, inplace=True)


UNKNOWN = {
    "nonzero": lambda x: fnp.nonzero(x),
    "unique": lambda x: fnp.unique(x),
    "intersect1d": lambda x: fnp.intersect1d(x, x),
    "bincount": lambda x: fnp.bincount(fnp.astype(x, int)),
    "repeat": lambda x: fnp.repeat(x, fnp.astype(x, int)),
    "trim_zeros": lambda x: fnp.trim_zeros(x),
    "compress": lambda x: fnp.compress(x, x),
    "arange": lambda x: fnp.arange(x[0]),
    "zeros": lambda x: fnp.zeros(fnp.astype(x, int)[0]),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_results_whose_size_is_unknown_under_jit(what):
    with pytest.raises((errors.TracerError, errors.ArgumentError)):
        fx.jit(UNKNOWN[what])(np.ones(3))


@pytest.mark.parametrize("what", sorted(set(UNKNOWN) - {"trim_zeros"}))
def test_the_same_work_where_values_are_known(what):
    """Under grad a traced value has a concrete one behind it."""
    fx.grad(
        lambda x: (x * 2).sum() + 0 * fnp.sum(fnp.astype(fnp.ravel(_first(UNKNOWN[what](x))), "float64"))
    )(np.ones(3))


def _first(out):
    return out[0] if isinstance(out, tuple) else out
