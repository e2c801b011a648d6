"""x[index] and x.at[index] against NumPy and JAX: values, derivatives, errors, equations."""

import hypothesis.extra.numpy as hnp
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fx
import fx.numpy as fnp
from fx.core.errors import (
    ArgumentError,
    DTypeError,
    FxError,
    ImmutableError,
    OutOfBoundsError,
    ShapeError,
    TracerError,
)
from fx.numpy.indexing import put_along_axis

THOROUGH = settings(max_examples=max(300, settings.default.max_examples))


# ---- random indices ----------------------------------------------------------------------------------------
@st.composite
def indices(draw, shape, arrays=True, outside=False):
    """A NumPy index for an array of `shape`: any mix of what the grammar knows."""
    entries, axis = [], 0
    common = draw(hnp.array_shapes(max_dims=2, max_side=3)) if arrays else ()
    while axis < len(shape) and draw(st.integers(0, 5)):
        n = shape[axis]
        kinds = ["slice", "None"] + ["int"] * bool(n or outside)
        kinds += ["array", "array", "list", "mask", "true"] if arrays else []
        kind = draw(st.sampled_from(kinds))
        low, high = (-n - 2, n + 1) if outside else (-n, n - 1)
        if kind == "None":
            entries.append(None)
            continue
        if kind == "true":
            entries.append(draw(st.booleans()))
            continue
        rank = 1
        if kind == "slice":
            bound = st.none() | st.integers(-n - 2, n + 2)
            entries.append(
                slice(draw(bound), draw(bound), draw(st.none() | st.sampled_from([1, 2, 3, -1, -2])))
            )
        elif kind == "int":
            i = draw(st.integers(low, high))
            entries.append(draw(st.sampled_from([i, np.int32(i), np.array(i)])))
        elif kind == "mask":
            rank = draw(st.integers(1, len(shape) - axis))
            entries.append(np.asarray(draw(hnp.arrays(bool, shape[axis : axis + rank]))))
        elif n or outside:
            size = draw(st.sampled_from([common, common[-1:], (1,)]))
            found = np.asarray(draw(hnp.arrays("int64", size, elements=st.integers(low, high))))
            entries.append(found.tolist() if kind == "list" else found)
        else:
            entries.append(np.zeros((0,), int))
        axis += rank
    masked = any(isinstance(e, np.ndarray) and e.dtype.kind == "b" for e in entries)
    if draw(st.booleans()) and not (masked and 0 in shape):  # there NumPy takes masks that do not fit
        entries.insert(draw(st.integers(0, len(entries))), Ellipsis)
    if len(entries) == 1 and draw(st.booleans()):
        return entries[0]
    return tuple(entries)


@st.composite
def indexed(draw, **options):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    return shape, draw(indices(shape, **options))


def numpy_result(f):
    """What NumPy gives, or None where it refuses."""
    try:
        return f()
    except (IndexError, ValueError):
        return None


def traced_arrays(index):
    """The index as a function of its integer arrays, and these."""
    entries = index if isinstance(index, tuple) else (index,)
    moving = [i for i, e in enumerate(entries) if isinstance(e, np.ndarray) and e.dtype.kind == "i"]

    def rebuild(*found):
        new = list(entries)
        for i, e in zip(moving, found):
            new[i] = e
        return tuple(new)

    return rebuild, [entries[i] for i in moving]


@THOROUGH
@given(indexed())
def test_reading_is_numpys(case):
    shape, index = case
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    want = numpy_result(lambda: x[index])
    a = fnp.asarray(x)
    if want is None:
        with pytest.raises(FxError):
            a[index]
        with pytest.raises(FxError):
            fx.jit(lambda a: a[index])(a)
        return
    rebuild, moving = traced_arrays(index)
    results = [a[index], fx.jit(lambda a: a[index])(a), fx.jit(lambda a, *i: a[rebuild(*i)])(a, *moving)]
    results.append(a.at[index].get(mode="promise_in_bounds"))
    for got in results:
        assert isinstance(got, fx.Array) and got.dtype == x.dtype and got.shape == want.shape
        np.testing.assert_array_equal(np.asarray(got), want)


@THOROUGH
@given(indexed(), st.sampled_from(["set", "add", "multiply", "min", "max", "subtract"]), st.integers(0, 9))
def test_writing_is_numpys(case, op, seed):
    shape, index = case
    rng = np.random.default_rng(seed)
    x = rng.integers(-9, 9, shape).astype(np.float32)
    part = numpy_result(lambda: x[index])
    if part is None:
        with pytest.raises(FxError):
            fnp.asarray(x).at[index].set(1)
        return
    value = rng.integers(-3, 4, part.shape[seed % (part.ndim + 1) :]).astype(np.float32)
    want = x.copy()
    if op == "set":
        want[index] = value
        places = np.zeros(shape, int)
        np.add.at(places, index, 1)
        unclear = places > 1
    else:
        name = {"min": "minimum", "max": "maximum"}.get(op, op)
        getattr(np, name).at(want, index, value)
        unclear = np.zeros(shape, bool)
    rebuild, moving = traced_arrays(index)
    a = fnp.asarray(x)
    results = [getattr(a.at[index], op)(value), fx.jit(lambda a, v: getattr(a.at[index], op)(v))(a, value)]
    results.append(fx.jit(lambda a, v, *i: getattr(a.at[rebuild(*i)], op)(v))(a, value, *moving))
    for got in results:
        assert isinstance(got, fx.Array) and got.dtype == x.dtype and got.shape == x.shape
        np.testing.assert_array_equal(np.asarray(got)[~unclear], want[~unclear])
    for got in results[1:]:
        np.testing.assert_array_equal(np.asarray(got), np.asarray(results[0]))


@given(indexed(arrays=False))
def test_static_indices_make_no_gather(case):
    shape, index = case
    x = np.zeros(shape, np.float32)
    if numpy_result(lambda: x[index]) is None:
        return
    names = {e.primitive.name for e in fx.make_program(lambda x: x[index])(x).equations}
    assert names <= {"slice", "reverse", "reshape"}
    program = fx.make_program(lambda x: fx.vjp(lambda x: x[index], x)[1](x[index]))(x)
    assert not {"gather", "scatter"} & {e.primitive.name for e in program.equations}


@given(indexed(outside=True), st.sampled_from(["fill", "clip", "wrap"]))
def test_reading_outside(case, mode):
    """Outside positions are moved by hand first; for "fill" to one more row of zeros."""
    shape, index = case
    entries = index if isinstance(index, tuple) else (index,)
    if 0 in shape or any(isinstance(e, (list, bool)) or np.asarray(e).dtype.kind == "b" for e in entries):
        return
    x = np.arange(1, 1 + np.prod(shape, dtype=int)).reshape(shape)
    moved, large, axis = [], x, 0
    used = sum(isinstance(e, (int, np.integer, np.ndarray, slice)) for e in entries)
    for e in entries:
        if isinstance(e, (int, np.integer, np.ndarray)):
            n, i = shape[axis], np.asarray(e)
            e = np.where(i < 0, i + n, i) if mode != "wrap" else np.asarray(i % n)
            e = np.asarray(np.clip(e, 0, n - 1)) if mode == "clip" else np.where((e < 0) | (e >= n), n, e)
            large = np.concatenate([large, 0 * np.take(large, [0], axis)], axis)
        axis += len(shape) - used if e is Ellipsis else isinstance(e, (slice, np.ndarray))
        moved.append(e)
    want = numpy_result(lambda: large[tuple(moved)])
    if want is None:
        return
    rebuild, moving = traced_arrays(index)
    read = lambda x, *i: x.at[rebuild(*i)].get(mode=mode, fill_value=0)
    np.testing.assert_array_equal(np.asarray(read(fnp.asarray(x), *moving)), want)
    np.testing.assert_array_equal(np.asarray(fx.jit(read)(x, *moving)), want)


# ---- derivatives -------------------------------------------------------------------------------------------
I, J, M = np.array([0, 2, 0]), np.array([[1], [-1]]), np.arange(12).reshape(3, 4) % 5 > 1
EXPRESSIONS = {
    "integer": (1,), "negative": (-1, 2), "slice": (slice(2, None, -2),), "newaxis": (None, 1, ..., None),
    "array": (I,), "column": (slice(None), J), "both": (I, J), "apart": (I, None, slice(1, 3)), "mask": (M,),
    "row mask": (M[:, 1], slice(1, 3)), "column mask": (..., M[0]), "integer and array": (2, J),
    "array and integer": (I, -1), "strided": (slice(None, None, 2), slice(3, 0, -2)),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_gradients_of_reading_agree_with_jax(name):
    index = EXPRESSIONS[name]
    x, dx = np.random.default_rng(0).normal(size=(2, 3, 4))
    loss = lambda xp: lambda x: (xp.sin(x[index]) ** 2).sum()
    with jax.enable_x64(True):
        want = jax.jvp(jax.grad(loss(jnp)), (jnp.asarray(x),), (jnp.asarray(dx),))
    got = fx.jvp(fx.grad(loss(fnp)), (x,), (dx,))
    for a, b in zip(got, want):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-12)


@pytest.mark.parametrize("op", ["set", "add", "subtract", "multiply", "divide", "power", "min", "max"])
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_gradients_of_writing_agree_with_jax(name, op):
    if op not in ("set", "multiply") and name not in ("strided", "both", "row mask", "integer and array"):
        return
    index = EXPRESSIONS[name]
    repeated = any(e is I for e in index)
    rng = np.random.default_rng(0)
    x, dx = rng.uniform(0.5, 2, size=(2, 3, 4))
    v, dv = rng.uniform(0.5, 2, size=(2, *x[index].shape))
    hint = {"unique_indices": not repeated}
    loss = lambda xp: lambda x, v: (xp.sin(getattr(x.at[index], op)(v, **hint)) ** 2).sum()
    if repeated and op in ("multiply", "divide", "power", "min", "max"):
        return  # JAX has no derivative there; tests/primitives has
    with jax.enable_x64(True):
        args = [jnp.asarray(a) for a in (x, v, dx, dv)]
        want = jax.jvp(jax.grad(loss(jnp), (0, 1)), args[:2], args[2:])
    got = fx.jvp(fx.grad(loss(fnp), (0, 1)), (x, v), (dx, dv))
    if repeated and op == "set":  # which one wins is JAX's choice
        return
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want)):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-10)


def test_factors_leave_no_nan_where_they_are_not():
    x = np.array([-2.0, 3.0, np.inf])
    f = lambda x, p: x.at[1].power(p).at[1].divide(p)
    (y, t) = fx.jvp(f, (x, np.array(2.0)), (np.ones(3), np.array(1.0)))
    np.testing.assert_allclose(y, [-2, 4.5, np.inf])
    np.testing.assert_allclose(t, [1, 3 + 4.5 * np.log(3) - 9 / 4, 1])


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_vmap_is_a_loop(name):
    index = EXPRESSIONS[name]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 5, 4))
    got = fx.vmap(lambda x: x[index], in_axes=1)(x)
    np.testing.assert_array_equal(got, np.stack([x[:, b][index] for b in range(5)]))
    got = fx.vmap(lambda x: x.at[index].add(2 * x[index]), in_axes=1, out_axes=2)(x)
    want = [np.asarray(fnp.asarray(x[:, b]).at[index].add(2 * x[:, b][index])) for b in range(5)]
    np.testing.assert_allclose(got, np.stack(want, 2))
    rebuild, moving = traced_arrays(index)
    if moving:
        moving = [np.stack([m, m[::-1], -1 - np.abs(m)]) for m in moving]
        got = fx.vmap(lambda *m: fnp.asarray(x[:, 0])[rebuild(*m)])(*moving)
        np.testing.assert_array_equal(got, np.stack([x[:, 0][rebuild(*m)] for m in zip(*moving)]))


# ---- values on demand, masks -------------------------------------------------------------------------------
def test_values_on_demand_under_grad():
    x = np.array([1.0, -2.0, 3.0])
    np.testing.assert_allclose(fx.grad(lambda x: (x[x > 0] ** 2).sum())(x), [2, 0, 6])
    np.testing.assert_allclose(fx.grad(lambda x: x[: int(x[0]) + 1].sum())(x), [1, 1, 0])
    np.testing.assert_allclose(fx.grad(lambda x: x[fnp.argmax(x) :].sum())(x), [0, 0, 1])
    np.testing.assert_allclose(fx.grad(lambda x: x[fnp.argmax(x)] * x[[0, 1]].sum())(x), [3, 3, -1])


def test_a_traced_mask_without_a_value_says_what_to_write():
    x = np.ones(3)
    with pytest.raises(TracerError, match=r"(?s)jit of .*fx\.numpy\.where.*size=n"):
        fx.jit(lambda x: x[x > 0])(x)
    with pytest.raises(TracerError, match="dynamic_slice"):
        fx.jit(lambda x, n: x[:n])(x, 2)
    with pytest.raises(TracerError, match="size=n"):
        fx.jit(lambda x: x.at[x > 0].set(x[:2]))(x)


@pytest.mark.parametrize("op", ["set", "add", "multiply", "max", "subtract", "divide", "power"])
def test_traced_masks_write_what_does_not_run_along_them(op):
    x = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])
    for mask_of, value in (
        (lambda x: x > 0, 2.0),
        (lambda x: x[:, 0] > 1, np.array([1.0, 2.0, 3.0])),
        (lambda x: x[:, 0] > 1, 3),
    ):
        f = lambda x: getattr(x.at[mask_of(x)], op)(value)
        want = getattr(jnp.asarray(x).at[np.asarray(mask_of(x))], op)(value)
        np.testing.assert_allclose(fx.jit(f)(x), want, rtol=1e-6)
        np.testing.assert_allclose(f(fnp.asarray(x)), want, rtol=1e-6)
        names = {e.primitive.name for e in fx.make_program(f)(x).equations}
        assert "scatter" not in names and "gather" not in names


def test_traced_integers_count_from_the_end_and_fill_or_drop_outside():
    x = np.arange(3.0)
    read = fx.jit(lambda x, i: x[i])
    assert [float(read(x, i)) for i in (2, -1, -3)] == [2, 2, 0]
    assert np.isnan(float(read(x, 3))) and np.isnan(float(read(x, -4)))
    write = fx.jit(lambda x, i: x.at[i].set(9))
    np.testing.assert_array_equal(write(x, -1), [0, 1, 9])
    np.testing.assert_array_equal(write(x, 3), x)
    for dtype, fill in (("int32", -(2**31)), ("uint8", 255), ("bool", False)):
        assert fx.jit(lambda x, i: x[i])(np.zeros(2, dtype), np.array([5]))[0] == fill
    g = fx.jit(fx.grad(lambda x, i: fnp.where(i < 3, x[i], 0.0)))
    np.testing.assert_array_equal(g(x, 7), [0, 0, 0])


def test_modes_of_integers_known_now():
    x = fnp.asarray([1.0, 2.0, 3.0])
    at = x.at[5]
    assert float(at.get(mode="clip")) == 3 and float(at.get(mode="wrap")) == 3
    assert np.isnan(float(at.get(mode="fill"))) and float(at.get(mode="fill", fill_value=7)) == 7
    np.testing.assert_array_equal(at.set(0, mode="drop"), x)
    np.testing.assert_array_equal(at.set(0, mode="clip"), [1, 2, 0])
    np.testing.assert_array_equal(x.at[[0, 9]].add(5, mode="drop"), [6, 2, 3])
    np.testing.assert_array_equal(x.at[np.array([-9])].get(mode="clip"), [1])
    np.testing.assert_array_equal(x.at[..., None, 4].get(mode="fill", fill_value=0), [0])
    empty = fnp.zeros((0, 2))
    np.testing.assert_array_equal(empty.at[1].get(mode="fill", fill_value=4), [4, 4])


def test_traced_scalars_in_lists_make_an_array():
    x = np.arange(5.0)
    np.testing.assert_array_equal(fx.jit(lambda x, i: x[[i, 0, i + 1]])(x, 2), [2, 0, 3])


# ---- what is refused ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("transform", [lambda f: f, fx.jit, fx.grad, fx.vmap])
def test_indices_known_now_are_checked_loudly(transform):
    x = fnp.zeros((2, 3) if transform is not fx.vmap else (4, 2, 3))
    with pytest.raises(OutOfBoundsError, match=r"Index 3 is out of bounds for axis 1 of size 3"):
        transform(lambda x: x[0, 3])(x)
    with pytest.raises(OutOfBoundsError, match=r"Index -4 .* axis 1 of size 3.*\(1,\).*1 more"):
        transform(lambda x: x[:, [0, -4, 9]].sum())(x)
    with pytest.raises(OutOfBoundsError, match=r"Index 2 .* axis 0 of size 2"):
        transform(lambda x: x.at[np.array(2)].set(1).sum())(x)
    with pytest.raises(OutOfBoundsError, match="Too many indices: 3"):
        transform(lambda x: x[0, 0, 0])(x)


def test_other_bad_indices_are_named():
    x = fnp.zeros((2, 3))
    with pytest.raises(DTypeError, match=r"float 1\.5 is not an index"):
        x[1.5]
    with pytest.raises(DTypeError, match="dtype float64 is not an index"):
        x[np.array([1.0])]
    with pytest.raises(DTypeError, match="str 'a'"):
        x["a"]
    with pytest.raises(ShapeError, match=r"\(3,\) meets axes of sizes \(2,\)"):
        x[np.ones(3, bool)]
    with pytest.raises(ShapeError, match=r"\(2,\), \(3,\) do not broadcast"):
        x[[0, 1], [0, 1, 2]]
    with pytest.raises(ShapeError, match="different lengths"):
        x[[[0], [0, 1]]]
    with pytest.raises(ArgumentError, match="one Ellipsis"):
        x[..., ...]
    with pytest.raises(ArgumentError, match="step"):
        x[::0]
    with pytest.raises(DTypeError, match="bounds of a slice"):
        x["a":]
    with pytest.raises(ArgumentError, match="'nearest' is no indexing mode"):
        x.at[0].get(mode="nearest")
    with pytest.raises(ImmutableError, match=r"x.at\[index\]"):
        x[0] = 1


def test_bad_values_are_named():
    x = fnp.zeros((2, 3), np.int32)
    with pytest.raises(DTypeError, match=r"set: a value of dtype float64 .* dtype int32"):
        x.at[0].set(1.5)
    with pytest.raises(DTypeError, match="complex"):
        fnp.zeros(3).at[0].add(1j)
    with pytest.raises(DTypeError, match="int64"):
        fnp.zeros(3, bool).at[0].set(1)
    with pytest.raises(ShapeError, match=r"\(2,\) does not broadcast to the indexed shape \(3,\)"):
        x.at[0].set(np.ones(2, int))
    with pytest.raises(ArgumentError, match="4294967296"):
        x.at[0].set(2**32)
    with pytest.raises(DTypeError, match="divide"):
        x.at[0].divide(2)
    with pytest.raises(DTypeError, match="subtract"):
        fnp.zeros(3, bool).at[0].subtract(True)
    with pytest.raises(ShapeError, match="one number"):
        fnp.zeros(3).at[7].get(mode="fill", fill_value=[1.0, 2.0])
    with pytest.raises(ArgumentError):
        x.at[0].set("a")
    with fx.config(promotion="strict"), pytest.raises(DTypeError, match="strict"):
        fnp.zeros(3).at[0].set(np.float64(1))


def test_values_take_the_dtype_of_the_array():
    x = fnp.zeros(3, np.float32)
    for value in (1, True, 1.5, np.float64(1.5), np.int64(2), fnp.asarray(3), [[1.0]]):
        assert x.at[0].set(value).dtype == np.float32
    assert fnp.zeros(3, np.int8).at[1].add(5).dtype == np.int8
    assert float(fnp.asarray(5.0).at[()].set(2)) == 2
    assert isinstance(fnp.asarray(5.0).at[...].set(2), fx.Array)


def test_apply_and_aliases():
    x = fnp.asarray([1.0, 4.0, 9.0])
    np.testing.assert_allclose(x.at[1:].apply(fnp.sqrt), [1, 2, 3])
    np.testing.assert_allclose(x.at[[0, 0]].apply(lambda v: v + 1), [2, 4, 9])
    np.testing.assert_allclose(x.at[0].mul(3, unique_indices=True, indices_are_sorted=True), [3, 4, 9])
    np.testing.assert_allclose(x.at[[1, 2]].set([5.0, 6.0], unique_indices=True), [1, 5, 6])
    assert "set(value)" in repr(x.at)


# ---- take, take_along_axis ---------------------------------------------------------------------------------
@given(st.data())
def test_take_is_numpys(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    x = np.arange(np.prod(shape)).reshape(shape)
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    n = x.size if axis is None else shape[axis]
    mode = data.draw(st.sampled_from(["raise", "clip", "wrap"]))
    low, high = (-n, n - 1) if mode == "raise" else (-2 * n, 2 * n)
    i = data.draw(
        hnp.arrays(
            "int32", hnp.array_shapes(min_dims=0, max_dims=2, max_side=3), elements=st.integers(low, high)
        )
    )
    want = np.take(x, i, axis, mode=mode)
    np.testing.assert_array_equal(fnp.take(x, i, axis, mode=mode), want)
    np.testing.assert_array_equal(
        fx.jit(lambda x, i: fnp.take(x, i, axis, mode=mode if mode != "raise" else None))(x, i), want
    )


@given(st.data())
def test_take_along_axis_is_numpys(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    inner = [data.draw(st.sampled_from([1, d])) for d in shape]
    inner[axis] = data.draw(st.integers(1, 4))
    n = shape[axis]
    i = np.asarray(data.draw(hnp.arrays("int64", inner, elements=st.integers(-n, n - 1))))
    want = np.take_along_axis(x, i, axis)
    np.testing.assert_array_equal(fnp.take_along_axis(x, i, axis), want)
    np.testing.assert_array_equal(fx.jit(lambda x, i: fnp.take_along_axis(x, i, axis))(x, i), want)
    counts = np.asarray(put_along_axis(np.zeros(shape), i, 1.0, axis, op="add"))
    g = fx.grad(lambda x: fnp.take_along_axis(x, i, axis).sum())(x)
    np.testing.assert_array_equal(g, counts)
    assert counts.sum() == want.size
    written = np.array(x)
    np.put_along_axis(written, i, -1.0, axis)
    np.testing.assert_array_equal(put_along_axis(x, i, -1.0, axis), written)


def test_take_along_no_axis_and_bad_ones():
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(fnp.take_along_axis(x, np.array([5, 0]), None), [5, 0])
    np.testing.assert_array_equal(put_along_axis(x, np.array([5, 0]), 9.0, None), [[9, 1, 2], [3, 4, 9]])
    with pytest.raises(OutOfBoundsError, match="axis 1 of size 3"):
        fnp.take_along_axis(x, np.array([[3]]), 1)
    with pytest.raises(ShapeError, match="do not fit"):
        fnp.take_along_axis(x, np.array([0]), 1)
    with pytest.raises(DTypeError, match="integer indices"):
        fnp.take(x, [True])
    with pytest.raises(OutOfBoundsError):
        fnp.take(x, 7)
    with pytest.raises(OutOfBoundsError):
        fx.grad(lambda x: fnp.take(x, fnp.asarray([7]), mode="raise").sum())(x)
    with pytest.raises(ImmutableError):
        put_along_axis(x, np.array([[0]]), 1.0, 1, inplace=True)
    assert fnp.take(x, []).shape == (0,)


# ---- devices -----------------------------------------------------------------------------------------------
def test_arrays_on_a_device_take_host_indices(to_backend):
    host = np.arange(12.0).reshape(3, 4)
    x, i, mask = to_backend(fnp.asarray(host)), np.array([2, -1]), host > 4
    values = lambda a: np.asarray(a)
    for index in (
        1,
        (0, slice(1, 3)),
        slice(None, None, -1),
        i,
        [0, 2],
        (slice(None), i),
        (i, i),
        mask,
        (1, i),
    ):
        np.testing.assert_array_equal(values(x[index]), host[index])
        want = host.copy()
        want[index] = 7
        np.testing.assert_array_equal(values(x.at[index].set(7)), want)
    np.testing.assert_array_equal(values(x.at[1].set([1, 2, 3, 4])[1]), [1, 2, 3, 4])
    np.testing.assert_array_equal(values(x[to_backend(i)]), host[i])
    np.testing.assert_array_equal(values(x[to_backend(mask)]), host[mask])
    np.testing.assert_array_equal(values(fx.grad(lambda x: (x[i] ** 2).sum())(x))[2], 4 * host[2])
    along = np.array([[0], [3], [-1]])
    np.testing.assert_array_equal(
        values(fnp.take_along_axis(x, along, 1)), np.take_along_axis(host, along, 1)
    )
