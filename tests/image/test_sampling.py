"""map_coordinates, affine_transform, rotate and spline_filter against scipy.ndimage; their derivatives."""

import jax
import jax.scipy.ndimage
import numpy as np
import pytest
import scipy.ndimage

import fx
import fx.numpy as fnp
from fx.image._sampling import MODES
from fx.testing import check_grads, check_jit, check_vmap

SCIPY_IS_WRONG = ("reflect", "grid-mirror")
"""SciPy's coefficients for orders above 1 are off in these on short axes; they are held to their definition below."""

rng = np.random.default_rng(7)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", range(6))
def test_every_order_and_mode_equals_scipy(order, mode):
    for shape in ((7,), (5, 6), (1, 4), (2, 3), (40,), (4, 3, 5)):
        if mode in SCIPY_IS_WRONG and order > 1 and shape != (40,):
            continue
        x = rng.normal(size=shape)
        places = rng.uniform(-6, max(shape) + 6, size=(len(shape), 40))
        places[:, :4] = np.array([0, 1, -1, 0.5])
        want = scipy.ndimage.map_coordinates(x, places, order=order, mode=mode, cval=0.7)
        got = fx.image.map_coordinates(x, places, order, mode, 0.7)
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-10, err_msg=str(shape))


@pytest.mark.parametrize("mode", ["mirror", "reflect", "grid-wrap"])
def test_splines_go_through_the_values_and_their_coefficients_solve_the_equations(mode):
    """The matrix of a spline of order p at the points, from its values at the integers, is solved densely."""
    at_integers = {2: [6, 1], 3: [4, 1], 4: [230, 76, 1], 5: [66, 26, 1]}
    for n in (1, 2, 3, 5, 40):
        x = rng.normal(size=n)
        for order, values in at_integers.items():
            weights = np.array(values) / (values[0] + 2 * sum(values[1:]))
            matrix = np.zeros((n, n))
            beyond = np.pad(
                np.arange(n), 3, {"mirror": "reflect", "reflect": "symmetric", "grid-wrap": "wrap"}[mode]
            )
            for i in range(n):
                for d in range(1 - len(values), len(values)):
                    matrix[i, beyond[i + d + 3]] += weights[abs(d)]
            got = fx.image.spline_filter(x, order, mode)
            np.testing.assert_allclose(got, np.linalg.solve(matrix, x), atol=1e-12, err_msg=f"{n} {order}")
            again = fx.image.map_coordinates(x, np.arange(n, dtype=float)[None], order, mode)
            np.testing.assert_allclose(again, x, atol=1e-13)


def test_spline_filter_equals_scipy_and_prefilter_uses_it():
    x = rng.normal(size=(6, 20))
    for order in range(2, 6):
        for mode in ("mirror", "grid-wrap"):
            want = scipy.ndimage.spline_filter(x, order, mode=mode)
            np.testing.assert_allclose(fx.image.spline_filter(x, order, mode), want, atol=1e-12)
    assert not np.shares_memory(np.asarray(fx.image.spline_filter(x, 1)), x)
    places = rng.uniform(0, 5, (2, 9))
    filtered = fx.image.spline_filter(x, 3)
    np.testing.assert_array_equal(
        fx.image.map_coordinates(filtered, places, prefilter=False), fx.image.map_coordinates(x, places)
    )


def test_the_modes_of_jax():
    x, places = rng.normal(size=(5, 6)).astype(np.float32), rng.uniform(-3, 9, (2, 50)).astype(np.float32)
    names = {"constant": "grid-constant", "wrap": "grid-wrap"}
    for mode in ("constant", "nearest", "wrap", "mirror", "reflect"):
        for order in (0, 1):
            want = jax.scipy.ndimage.map_coordinates(x, list(places), order, mode, 0.5)
            got = fx.image.map_coordinates(x, list(places), order, names.get(mode, mode), 0.5)
            np.testing.assert_allclose(got, want, atol=1e-5, err_msg=f"{mode} {order}")


def test_dtypes():
    i, places = rng.integers(-50, 50, (5, 6)), rng.uniform(0, 4, (2, 9))
    for order in (0, 1, 3):
        want = scipy.ndimage.map_coordinates(i, places, order=order)
        got = fx.image.map_coordinates(i, places, order)
        assert got.dtype == want.dtype and (np.asarray(got) == want).all()
    for dtype in ("float16", "float32", "complex64", "uint8", "bool"):
        assert fx.image.map_coordinates(np.ones((5, 6), dtype), places).dtype == dtype
    z = rng.normal(size=(5, 6)) + 1j * rng.normal(size=(5, 6))
    want = scipy.ndimage.map_coordinates(z, places)
    np.testing.assert_allclose(fx.image.map_coordinates(z, places), want, atol=1e-12)


def test_affine_transforms_equal_scipy():
    x = rng.normal(size=(5, 6))
    for matrix, offset in (
        (np.array([[1.0, 0.2], [-0.1, 0.9]]), [0.5, -0.2]),
        (np.array([0.5, 2.0]), 0.0),
        (np.array([[1, 0.2, 0.3], [0, 1, 0.4]]), 0),
        (np.array([[1, 0.2, 0.3], [0, 1, 0.4], [0, 0, 1]]), 0),
    ):
        for options in ({}, {"order": 1, "output_shape": (3, 9)}, {"mode": "mirror"}):
            want = scipy.ndimage.affine_transform(x, matrix, offset, **options)
            got = fx.image.affine_transform(x, matrix, np.array(offset), **options)
            np.testing.assert_allclose(got, want, atol=1e-10)


@pytest.mark.parametrize("reshape", [True, False])
def test_rotations_equal_scipy(reshape):
    x = rng.normal(size=(4, 5, 6))
    for angle in (30, 90, -45.0, 180, 0, 123.4):
        for axes in ((1, 0), (0, 2), (-1, 1)):
            want = scipy.ndimage.rotate(x, angle, axes, reshape, order=1, mode="mirror")
            got = fx.image.rotate(x, angle, axes, reshape, order=1, mode="mirror")
            np.testing.assert_allclose(got, want, atol=1e-9, err_msg=f"{angle} {axes}")
    want = scipy.ndimage.rotate(x[0], 20, reshape=reshape, cval=2.0)
    np.testing.assert_allclose(fx.image.rotate(x[0], 20, reshape=reshape, cval=2.0), want, atol=1e-10)


def test_derivatives_batching_and_compilation():
    x, places = rng.normal(size=(4, 5)), rng.uniform(0.1, 2.9, (2, 3))
    for order, mode in ((1, "constant"), (2, "reflect"), (3, "nearest"), (3, "grid-constant"), (5, "wrap")):
        f = lambda x, p, order=order, mode=mode: fx.image.map_coordinates(x, p, order, mode)
        check_grads(f, (x, places), order=1)
    linear = lambda x, p: fx.image.map_coordinates(x, p, 1, "reflect")
    check_vmap(linear, (x, places), axis_size=2)
    check_jit(linear, (x, places))
    check_grads(lambda x, p: fx.image.map_coordinates(x, p, 3), (x[0], places[:1]), order=2)
    turn = lambda x, angle: fx.image.rotate(x, angle, reshape=False, order=3, mode="grid-constant")
    check_grads(turn, (x, np.float64(10.0)), order=1)
    move = lambda x, m, t: fx.image.affine_transform(x, m, t, order=1, mode="reflect")
    check_grads(move, (x, np.array([[1.0, 0.11], [0.13, 0.9]]), np.array([0.21, 0.19])), order=1)
    check_jit(move, (x, np.array([[1.0, 0.11], [0.13, 0.9]]), np.array([0.21, 0.19])))


@pytest.mark.parametrize(
    "call, error, says",
    [
        (lambda x: fx.image.map_coordinates(x, np.zeros((3, 2))), fx.ShapeError, "2 rows"),
        (lambda x: fx.image.map_coordinates(x, np.zeros((2, 2)), 6), fx.ArgumentError, "order 0 to 5"),
        (lambda x: fx.image.map_coordinates(x, np.zeros((2, 2)), mode="edge"), fx.ArgumentError, "'nearest'"),
        (lambda x: fx.image.map_coordinates(x, np.zeros((2, 2)) * 1j), fx.DTypeError, "real numbers"),
        (lambda x: fx.image.map_coordinates(x[:0], np.zeros((2, 2))), fx.ShapeError, "no points"),
        (lambda x: fx.image.affine_transform(x, np.ones((3, 2))), fx.ShapeError, "matrix must be"),
        (lambda x: fx.image.affine_transform(x, np.ones(2), output_shape=(3,)), fx.ShapeError, "rank"),
        (lambda x: fx.image.rotate(x, 3.0, (0, 0)), fx.ShapeError, "two axes"),
        (lambda x: fx.image.spline_filter(x, mode="constant"), fx.ArgumentError, "'mirror'"),
    ],
)
def test_errors(call, error, says):
    with pytest.raises(error) as caught:
        call(np.ones((4, 5)))
    assert says in str(caught.value)


def test_rotation_by_a_traced_angle_needs_a_known_shape():
    with pytest.raises(fx.TracerError):
        fx.jit(lambda a: fx.image.rotate(fnp.ones((3, 4)), a))(0.5)
