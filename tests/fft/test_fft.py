"""fx.fft against NumPy and SciPy: values, dtypes, shapes, errors; derivatives, batching and compilation."""

import itertools

import ml_dtypes
import numpy as np
import pytest
import scipy.fft

import fx
import fx.numpy as fnp
from fx.testing import check_grads, check_jit, check_vmap

ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
MANY = ("fftn", "ifftn", "rfftn", "irfftn")
TWO = ("fft2", "ifft2", "rfft2", "irfft2")
NORMS = (None, "backward", "ortho", "forward")
OF_REAL = ("rfft", "ihfft", "rfftn", "rfft2")
rng = np.random.default_rng(11)


def drawn(name, shape, dtype=np.float64):
    """Operands of a transform: real ones, and complex ones where it takes them."""
    x = rng.normal(size=shape).astype(dtype)
    yield x
    if name not in OF_REAL:
        yield (x + 1j * rng.normal(size=shape)).astype(np.result_type(dtype, np.complex64))


def assert_equal_to(want, got, message=""):
    assert (got.shape, got.dtype) == (want.shape, want.dtype), message
    scale = np.abs(want).max(initial=1.0)
    eps = np.finfo(want.dtype).eps
    np.testing.assert_allclose(got, want, rtol=0, atol=16 * eps * scale, err_msg=message)


# ---- values ----------------------------------------------------------------------------------------------
def test_the_namespace_is_that_of_numpy_in_both_places():
    for name in np.fft.__all__:
        assert getattr(fx.fft, name) is getattr(fnp.fft, name)
    assert "fft" in dir(fnp)


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_axis_equals_numpy(name, dtype):
    for shape, axis in (((5,), 0), ((6,), -1), ((2, 4, 3), 1), ((2, 4, 3), -3), ((0, 4), 1), ((4, 1), 0)):
        for n, norm in itertools.product((None, 1, 3, 4, 8), NORMS):
            for x in drawn(name, shape, dtype):
                want = getattr(np.fft, name)(x, n, axis, norm)
                assert_equal_to(want, getattr(fx.fft, name)(x, n, axis, norm), f"{shape} {axis} {n} {norm}")


@pytest.mark.parametrize("name", MANY)
def test_several_axes_equal_numpy(name):
    shape = (3, 4, 5)
    cases = [
        (None, None),
        (None, (0,)),
        (None, (2, 0)),
        (None, (-1, 1, 0)),
        ((2, 6), (1, 2)),
        ((4, -1), (0, 2)),
    ]
    for (s, axes), norm in itertools.product(cases, NORMS):
        for x in drawn(name, shape):
            want = getattr(np.fft, name)(x, s, axes, norm)
            assert_equal_to(want, getattr(fx.fft, name)(x, s, axes, norm), f"{s} {axes} {norm}")


@pytest.mark.parametrize("name", MANY)
def test_an_axis_named_twice_is_transformed_twice(name):
    for s, axes in ((None, (0, 0)), (None, (1, 0, 1)), ((3, 5, 4), (0, 1, 0)), ((2, 4), (-1, 1))):
        for x in drawn(name, (4, 5)):
            want = getattr(np.fft, name)(x, s, axes)
            assert_equal_to(want, getattr(fx.fft, name)(x, s, axes), f"{s} {axes}")


@pytest.mark.parametrize("name", TWO)
def test_two_axes_equal_numpy(name):
    for args in ((), ((3, 2),), ((2, 5), (0, 1), "ortho"), (None, (2, 0), "forward")):
        for x in drawn(name, (2, 3, 4), np.float32):
            assert_equal_to(getattr(np.fft, name)(x, *args), getattr(fx.fft, name)(x, *args), str(args))


def test_sizes_alone_mean_the_last_axes():
    x = rng.normal(size=(2, 3, 4))
    assert_equal_to(np.fft.fftn(x, (5, 2), (1, 2)), fx.fft.fftn(x, (5, 2)))


def test_strided_and_big_operands():
    x = rng.normal(size=(6, 5)).T[::-1, ::2]
    assert_equal_to(np.fft.fft2(x), fx.fft.fft2(x))
    big = rng.normal(size=10_007)
    assert_equal_to(np.fft.rfft(big), fx.fft.rfft(big))


@pytest.mark.parametrize(
    "dtype, spectrum, real",
    [
        ("float16", "complex64", "float16"),
        (ml_dtypes.bfloat16, "complex64", ml_dtypes.bfloat16),
        ("float32", "complex64", "float32"),
        ("complex64", "complex64", "float32"),
        ("float64", "complex128", "float64"),
        ("complex128", "complex128", "float64"),
        ("int8", "complex64", "float32"),
        ("bool", "complex64", "float32"),
    ],
)
def test_dtypes(dtype, spectrum, real):
    x = np.array([1, 0, 1, 1, 1]).astype(dtype)
    for name in (*ONE, *MANY):
        if name in OF_REAL and x.dtype.kind == "c":
            continue
        got = getattr(fx.fft, name)(x)
        assert got.dtype == np.dtype(real if name in ("irfft", "hfft", "irfftn") else spectrum), name
        wide = x.astype(np.float64) if x.dtype.kind != "c" else x
        np.testing.assert_allclose(got.astype(spectrum), getattr(np.fft, name)(wide), atol=0.02, err_msg=name)


def test_no_axes():
    assert_equal_to(np.array(3 + 0j), fx.fft.fftn(np.float64(3.0)))
    x = np.arange(3.0) + 0j
    same = fx.fft.ifftn(x, axes=())
    assert_equal_to(x, same)
    assert not np.shares_memory(np.asarray(same), x)


def test_not_finite_numbers_stay_so():
    x = np.array([1.0, np.nan, 2.0])
    assert np.isnan(np.asarray(fx.fft.fft(x))).all()
    assert not np.isfinite(np.asarray(fx.fft.rfft(np.array([1.0, np.inf, 0.0])))).any()


def test_nothing_is_written_into_the_operand():
    for name in (*ONE, *MANY):
        x = np.arange(6.0)
        getattr(fx.fft, name)(x)
        assert (x == np.arange(6.0)).all()


def test_frequencies():
    for n, d in ((1, 1.0), (4, 0.5), (5, 0.1), (8, 3)):
        for name in ("fftfreq", "rfftfreq"):
            want = getattr(np.fft, name)(n, d)
            np.testing.assert_array_equal(getattr(fx.fft, name)(n, d), want.astype(np.float32))
            assert_equal_to(want, getattr(fx.fft, name)(n, d, dtype=fnp.float64))
            assert_equal_to(want, getattr(fx.fft, name)(n, np.float64(d)))
    assert fx.fft.fftfreq(4, device="cpu").device == fx.device("cpu")
    slope = fx.grad(lambda d: fx.fft.fftfreq(4, d)[1])(2.0)
    np.testing.assert_allclose(slope, -1 / (4 * 2.0**2))


def test_shifts():
    x = rng.normal(size=(3, 4, 5))
    for axes in (None, 0, (1, 2), -1, (0, 0)):
        np.testing.assert_array_equal(fx.fft.fftshift(x, axes), np.fft.fftshift(x, axes))
        np.testing.assert_array_equal(fx.fft.ifftshift(x, axes), np.fft.ifftshift(x, axes))
        np.testing.assert_array_equal(fx.fft.ifftshift(fx.fft.fftshift(x, axes), axes), x)


# ---- identities ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("norm", NORMS)
def test_inverses(norm):
    x = rng.normal(size=(4, 5)) + 1j * rng.normal(size=(4, 5))
    np.testing.assert_allclose(fx.fft.ifftn(fx.fft.fftn(x, norm=norm), norm=norm), x, atol=1e-14)
    np.testing.assert_allclose(
        fx.fft.irfftn(fx.fft.rfftn(x.real, norm=norm), (4, 5), norm=norm), x.real, atol=1e-14
    )
    np.testing.assert_allclose(fx.fft.hfft(fx.fft.ihfft(x.real, norm=norm), 5, norm=norm), x.real, atol=1e-14)


def test_parseval():
    x = rng.normal(size=(3, 8)) + 1j * rng.normal(size=(3, 8))
    energy = (np.abs(x) ** 2).sum()
    np.testing.assert_allclose(fnp.sum(fnp.abs(fx.fft.fftn(x, norm="ortho")) ** 2), energy)


@pytest.mark.parametrize("name", (*ONE, *MANY))
def test_the_transpose_is_the_transposed_matrix(name):
    """Against the matrix made of the images of unit vectors, real and imaginary parts apart."""
    for n in (4, 5):
        x = next(iter(drawn(name, (n,)))) if name in OF_REAL else list(drawn(name, (n,)))[1]
        f = getattr(fx.fft, name)
        y, pull = fx.vjp(f, x)
        units = [np.eye(n)[i] * u for u in ((1.0,) if x.dtype.kind == "f" else (1.0, 1j)) for i in range(n)]
        images = [np.asarray(getattr(np.fft, name)(u.astype(x.dtype))) for u in units]
        ct = rng.normal(size=y.shape) + (1j * rng.normal(size=y.shape) if y.dtype.kind == "c" else 0)
        (back,) = pull(ct)
        for unit, image in zip(units, images, strict=True):
            np.testing.assert_allclose(
                (np.asarray(back) * unit).sum().real, (ct * image).sum().real, atol=1e-13
            )


# ---- transformations -------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", (*ONE, *MANY, *TWO))
def test_derivatives_batching_and_compilation(name):
    f = getattr(fx.fft, name)
    cases = (
        [{"n": 5, "axis": 0}, {"n": 2}] if name in ONE else [{"s": (4, 2), "axes": (1, 0)}, {"axes": (0, -1)}]
    )
    for options, x in itertools.product(cases, drawn(name, (3, 4))):
        g = lambda x, options=options: f(x, norm="ortho", **options)
        check_grads(lambda x, g=g: g(x) * g(x), (x,), order=2)
        check_vmap(g, (x,), axis_size=2)
        check_jit(g, (x,))


def test_gradients_of_low_precision_and_under_checkpoint():
    x = rng.normal(size=8)
    power = lambda x: fnp.sum(fnp.abs(fx.fft.rfft(x)) ** 2)
    want = fx.grad(power)(x)
    np.testing.assert_allclose(fx.grad(fx.checkpoint(power))(x), want)
    np.testing.assert_allclose(fx.jit(fx.grad(power))(x), want)
    half = fx.grad(power)(x.astype(np.float16))
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, want, atol=0.05)


# ---- errors ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "call, error, says",
    [
        (lambda: fx.fft.fft(np.zeros((4, 0))), fx.ShapeError, "0 points along axis 1"),
        (lambda: fx.fft.fft(np.ones(3), n=0), fx.ShapeError, "0 points"),
        (lambda: fx.fft.irfft(np.ones(1)), fx.ShapeError, "0 points"),
        (lambda: fx.fft.fft(np.ones(3), n=2.0), fx.ArgumentError, "fft: n"),
        (lambda: fx.fft.fft(1.0), fx.ShapeError, "axis -1"),
        (lambda: fx.fft.fft(np.ones(3), axis=1), fx.ShapeError, "axis 1"),
        (lambda: fx.fft.fft(np.ones(3), norm="x"), fx.ArgumentError, "'ortho'"),
        (lambda: fx.fft.rfft(np.ones(3) * 1j), fx.DTypeError, "real numbers"),
        (lambda: fx.fft.ihfft(np.ones(3) * 1j), fx.DTypeError, "ihfft"),
        (lambda: fx.fft.fftn(np.ones((3, 3)), s=(2,), axes=(0, 1)), fx.ShapeError, "1 sizes for 2 axes"),
        (lambda: fx.fft.fft2(np.ones(3)), fx.ShapeError, "fft2"),
        (lambda: fx.fft.rfftn(np.ones(3), axes=()), fx.ArgumentError, "at least one axis"),
        (lambda: fx.fft.irfftn(np.ones((3, 1))), fx.ShapeError, "0 points"),
        (lambda: fx.fft.fftfreq(0), fx.ArgumentError, "n=0"),
        (lambda: fx.fft.rfftfreq(2.5), fx.ArgumentError, "rfftfreq"),
        (lambda: fx.fft.fftfreq(3, 0.0), fx.ArgumentError, "not be 0"),
        (lambda: fx.fft.fftfreq(3, np.ones(2)), fx.ArgumentError, "one real number"),
        (lambda: fx.fft.fftfreq(3, dtype=int), fx.DTypeError, "int64"),
        (lambda: fx.fft.fftshift(np.ones(3), 1), fx.ShapeError, "axis 1"),
        (lambda: fx.fft.dct(np.ones(3), 5), fx.ArgumentError, "types 1, 2, 3 and 4"),
        (lambda: fx.fft.dct(np.ones(1), 1), fx.ShapeError, "too few points"),
        (lambda: fx.fft.idct(np.ones(0)), fx.ShapeError, "too few points"),
        (lambda: fx.fft.dct(np.ones(2), norm="half"), fx.ArgumentError, "'ortho'"),
        (lambda: fx.fft.dctn(np.ones((2, 2)), axes=(0, 0)), fx.ShapeError, "distinct"),
        (lambda: fx.fft.idctn(np.ones((2, 2)), s=(2,), axes=(0, 1)), fx.ShapeError, "one size each"),
    ],
)
def test_errors(call, error, says):
    with pytest.raises(error) as caught:
        call()
    assert says in str(caught.value)


# ---- cosine transforms -----------------------------------------------------------------------------------
@pytest.mark.parametrize("type", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["dct", "idct"])
def test_cosine_transforms_equal_scipy(name, type):
    for size, n, norm in itertools.product((2, 4, 5), (None, 2, 3, 8), NORMS):
        for x in (
            rng.normal(size=(2, size, 3)),
            (rng.normal(size=(2, size, 1)) * (1 + 2j)).astype(np.complex64),
        ):
            want = getattr(scipy.fft, name)(x, type, n, 1, norm)
            assert_equal_to(want, getattr(fx.fft, name)(x, type, n, 1, norm), f"{size} {n} {norm}")
    if type != 1:
        assert_equal_to(getattr(scipy.fft, name)(np.ones(1), type), getattr(fx.fft, name)(np.ones(1), type))


def test_cosine_transforms_of_several_axes():
    x = rng.normal(size=(3, 4, 5))
    for name, args in itertools.product(
        ("dctn", "idctn"), ((), (1, None, (0, 2)), (3, (6, 2), None, "ortho"))
    ):
        assert_equal_to(getattr(scipy.fft, name)(x, *args), getattr(fx.fft, name)(x, *args), f"{name} {args}")
    want = scipy.fft.dctn(x, 2, (4, 4), (0, 1))
    assert_equal_to(want, fx.fft.dctn(x, 2, (4, -1), (0, 1)))


def test_dtypes_of_cosine_transforms():
    for dtype, result in (("float16", "float16"), ("float32", "float32"), ("int32", "float32")):
        x = np.arange(4).astype(dtype)
        got = fx.fft.dct(x, norm="ortho")
        assert got.dtype == result
        np.testing.assert_allclose(got, scipy.fft.dct(np.arange(4.0), norm="ortho"), atol=3e-3)


@pytest.mark.parametrize("type", [1, 2, 3, 4])
def test_derivatives_of_cosine_transforms(type):
    x = rng.normal(size=(2, 5))
    f = lambda x: fx.fft.dct(x, type, 4, norm="ortho") * fx.fft.idct(x, type, 4)
    check_grads(f, (x,), order=2)
    check_vmap(f, (x,), axis_size=2)
    check_jit(f, (x,))
