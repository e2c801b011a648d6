"""More steps of random functions: control flow, transformations inside, linear algebra, indexing at run time.

Each takes the choices and the values so far and gives a new value, or None where no value fits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import fx
import fx.numpy as fnp
from fx import lax

MAIN = ("float32", "float64")


def some(rng: Any, values: list[Any], want: Any = lambda x: True) -> Any:
    found = [x for x in values if want(x)]
    return found[int(rng.integers(len(found)))] if found else None


def is_float(x: Any) -> bool:
    return x.dtype.kind == "f" or x.dtype.name == "bfloat16"


def is_main(x: Any) -> bool:
    return x.dtype.name in MAIN


def has_axis(x: Any) -> bool:
    return x.ndim > 0 and x.size > 0


def flag(rng: Any) -> bool:
    return bool(rng.integers(2))


# Arrays


def cumulate(rng: Any, values: list[Any]) -> Any:
    x = some(rng, values, lambda v: has_axis(v) and (is_float(v) or v.dtype.kind in "iu"))
    if x is None:
        return None
    axis, name = (
        int(rng.integers(x.ndim)),
        str(rng.choice(["cumsum", "cummax", "cummin", "cumprod", "cumlogsumexp"])),
    )
    if name == "cumprod":
        x = fnp.tanh(x) if is_main(x) else x % 3 if x.dtype.kind in "iu" else x
    if name == "cumlogsumexp" and not is_main(x):
        name = "cummax"
    return getattr(lax, name)(x, axis, reverse=flag(rng))


def window(rng: Any, values: list[Any]) -> Any:
    x = some(rng, values, lambda v: has_axis(v) and v.ndim <= 3 and is_main(v))
    if x is None:
        return None
    sizes = tuple(int(rng.integers(1, min(d, 4) + 1)) for d in x.shape)
    steps = tuple(int(rng.integers(1, 3)) for _ in x.shape)
    name = str(rng.choice(["window_max", "window_min", "window_sum"]))
    function = lambda v: getattr(lax, name)(v, sizes, steps, str(rng_padding))
    rng_padding = rng.choice(["VALID", "SAME"])
    return function(x) if flag(rng) else fx.grad(lambda v: fnp.sum(function(v) ** 2))(x)


def convolve(rng: Any, values: list[Any]) -> Any:
    x = some(rng, values, lambda v: v.ndim == 3 and v.size > 0 and is_main(v) and v.size < 5000)
    if x is None:
        return None
    channels, length = x.shape[1], x.shape[2]
    width, out = int(rng.integers(1, min(length, 4) + 1)), int(rng.integers(1, 4))
    kernel = fnp.resize(fnp.ravel(x), (out, channels, width))
    strides, padding = [int(rng.integers(1, 3))], str(rng.choice(["VALID", "SAME"]))
    function = lambda a, w: lax.conv_general_dilated(
        a, w, strides, padding, dimension_numbers=("NCH", "OIH", "NCH")
    )
    if flag(rng):
        return function(x, kernel)
    return fx.grad(lambda w: fnp.sum(fnp.tanh(function(x, w))))(kernel)


def order(rng: Any, values: list[Any]) -> Any:
    x = some(rng, values, lambda v: has_axis(v) and v.dtype.kind in "fiub")
    if x is None:
        return None
    axis, kind = int(rng.integers(x.ndim)), int(rng.integers(5))
    if kind == 0:
        return fnp.argsort(x, axis=axis)
    if kind == 1:
        return lax.top_k(x.astype("float32"), int(rng.integers(1, x.shape[-1] + 1)))[0]
    if kind == 2:
        return fnp.searchsorted(fnp.sort(x.reshape(-1)), x.reshape(-1)[:7])
    if kind == 3 and is_main(x):
        return fx.grad(
            lambda v: fnp.sum(fnp.sort(v, axis=axis) * fnp.arange(v.size, dtype=v.dtype).reshape(v.shape))
        )(x)
    return fnp.argmin(x, axis=axis)


def at_run_time(rng: Any, values: list[Any]) -> Any:
    """Slices, gathers and scatters whose positions are values."""
    x, i = some(rng, values, has_axis), some(rng, values, lambda v: v.dtype.kind in "iu" and v.size > 0)
    if x is None or i is None:
        return None
    first, kind = i.reshape(-1)[0], int(rng.integers(6))
    sizes = [int(rng.integers(1, d + 1)) for d in x.shape]
    start = [first if n == 0 else int(rng.integers(d)) for n, d in enumerate(x.shape)]
    if kind == 0:
        return lax.dynamic_slice(x, start, sizes)
    if kind == 1:
        part = x[tuple(slice(n) for n in sizes)]
        return lax.dynamic_update_slice(x, part, start)
    rows = i.reshape(-1)[:9] % x.shape[0]
    if kind == 2:
        return x[rows]
    if kind == 3:
        return fnp.take_along_axis(x.reshape(-1), (i.reshape(-1)[:30] % x.size).astype("int64"), 0)
    how = str(rng.choice(["set", "add", "max", "min", "multiply"]))
    if x.dtype.kind == "b":
        how = "set"
    if x.dtype.kind == "c" and how in ("max", "min"):
        how = "add"
    source = x[: rows.shape[0]] if rows.shape[0] <= x.shape[0] else x[:1]
    return getattr(x.at[rows[: source.shape[0]] if how != "set" else rows[:1]], how)(
        source if how != "set" else source[:1]
    )


def bits(rng: Any, values: list[Any]) -> Any:
    x = some(rng, values, lambda v: v.dtype.kind in "iu" and v.size > 0)
    if x is None:
        return None
    kind = int(rng.integers(6))
    if kind == 0:
        return x // (x * x % 5 + 1).astype(x.dtype)
    if kind == 1:
        return x % (x * x % 7 + 1).astype(x.dtype)
    if kind == 2:
        return (x << 3) ^ (x >> 1)
    if kind == 3:
        return fnp.bitwise_count(x)
    if kind == 4:
        return fnp.gcd(x, x + 6)
    return ~x & (x | 5)


def fallible(rng: Any, values: list[Any]) -> Any:
    """Functions with poles, jumps and ranges."""
    x, y = some(rng, values, is_main), some(rng, values, is_main)
    if x is None:
        return None
    y = y if y.shape == x.shape else x
    name = str(rng.choice(
        "log arctan2 hypot fmod remainder floor_divide copysign nextafter logaddexp expm1 arcsin arccosh tan sinh "
        "cbrt exp2 log2 log10 rint trunc heaviside nan_to_num round arccos arcsinh arctan arctanh cosh ceil isfinite "
        "signbit less_equal".split()
    ))  # fmt: skip
    two = (
        "arctan2 hypot fmod remainder floor_divide copysign nextafter logaddexp heaviside less_equal".split()
    )
    return getattr(fnp, name)(x, y) if name in two else getattr(fnp, name)(x)


def special(rng: Any, values: list[Any]) -> Any:
    x = some(rng, values, is_main)
    name = str(rng.choice(["erf", "erfc", "lgamma", "digamma", "erf_inv", "rsqrt", "logistic"]))
    return (
        None
        if x is None
        else getattr(lax, name)(fnp.tanh(x) * 0.9 if name == "erf_inv" else fnp.abs(x) + 0.5)
    )


def matrices(rng: Any, values: list[Any]) -> Any:
    x = some(rng, values, lambda v: v.ndim >= 2 and v.size > 0 and is_main(v) and max(v.shape[-2:]) <= 17)
    if x is None:
        return None
    x = fnp.nan_to_num(fnp.tanh(x))
    n = x.shape[-2]
    a = x @ fnp.matrix_transpose(x) + (n + 1) * fnp.eye(n, dtype=x.dtype)
    kind = int(rng.integers(11))
    if kind == 0:
        return fnp.linalg.solve(a, x)
    if kind == 1:
        return fnp.linalg.cholesky(a)
    if kind == 2:
        return fnp.linalg.det(a) * 1e-3
    if kind == 3:
        return fnp.linalg.inv(a)
    if kind == 4:
        return fnp.linalg.eigvalsh(a)
    if kind == 5:
        return fnp.abs(fnp.linalg.qr(a)[1])
    if kind == 6:
        return fx.grad(lambda m: fnp.linalg.slogdet(m)[1].sum())(a)
    if kind == 7:
        return fnp.linalg.svdvals(x)
    if kind == 8:
        return fnp.linalg.pinv(a)
    if kind == 9:
        return fx.grad(lambda m: fnp.linalg.det(m * 0.1).sum())(a)
    return fx.grad(lambda m: (fnp.linalg.solve(m, x) ** 2).sum())(a)


def contraction(rng: Any, values: list[Any]) -> Any:
    x = some(
        rng,
        values,
        lambda v: v.ndim == 3 and v.size > 0 and (is_float(v) or v.dtype.kind == "c") and v.size < 5000,
    )
    if x is None:
        return None
    spec = str(rng.choice("bij,bkj->bik bij,bkj->ik bij,bij->b bij,cij->bc bij,bij->ij bij->jb".split()))
    return fnp.einsum(spec, *[x] * (1 + spec.count(",")))


def numbers(rng: Any, values: list[Any]) -> Any:
    x = some(rng, values, lambda v: v.size <= 4000)
    if x is None:
        return None
    key = fx.random.key(int(rng.integers(1000)))
    kind = int(rng.integers(5))
    if kind == 0:
        return fx.random.normal(key, x.shape)
    if kind == 1:
        return fx.random.uniform(key, x.shape, dtype=np.float64)
    if kind == 2:
        return fx.random.permutation(key, x) if has_axis(x) else None
    if kind == 3:
        return fx.random.randint(key, x.shape, -9, 9)
    return fx.random.bits(fx.random.split(key, 3)[1], x.shape)


def imaginary(rng: Any, values: list[Any]) -> Any:
    x = some(rng, values, is_main)
    z = some(rng, values, lambda v: v.dtype.kind == "c")
    kind = int(rng.integers(9))
    if z is None or kind == 0:
        return None if x is None else x + 1j * fnp.cos(x)
    if kind == 1:
        return fnp.abs(z)
    if kind == 2:
        return fnp.real(z) + fnp.imag(z)
    if kind == 3:
        return fnp.exp(z * 0.1) * fnp.conj(z)
    if kind in (4, 5) and z.ndim:
        unit = z / (1e-3 + fnp.abs(z))
        return (fnp.sum if kind == 4 else fnp.prod)(unit, axis=int(rng.integers(z.ndim)))
    if kind == 6:
        return getattr(fnp, str(rng.choice(["arcsin", "arccos", "arctan", "arcsinh", "arctanh"])))(
            z * 0.5 + 0.3j
        )
    if kind == 7:
        return fnp.maximum(z, fnp.flip(z))
    return z / (fnp.abs(z) + 1)


def spectrum(rng: Any, values: list[Any]) -> Any:
    """Fourier transforms along one axis or two, and there and back."""
    x = some(rng, values, lambda v: has_axis(v) and (is_main(v) or v.dtype.kind == "c") and 0 < v.size < 9000)
    if x is None:
        return None
    axis, kind, norm = int(rng.integers(x.ndim)), int(rng.integers(5)), str(rng.choice(["ortho", "forward"]))
    x = x / fnp.sqrt(fnp.asarray(x.size, fnp.real(x).dtype)) if norm == "ortho" else x
    if kind == 0:
        return fnp.fft.fftn(x, norm=norm)
    if kind == 1:
        return fnp.fft.ifft(x, axis=axis, norm=norm)
    if kind == 2:
        return fnp.real(fnp.fft.ifft(fnp.fft.fft(x, axis=axis) * 0.5, axis=axis))
    x = fnp.real(x)
    if kind == 3:
        return fnp.fft.rfft(x, axis=axis, norm=norm)
    n = x.shape[axis]
    half = lambda v: fnp.fft.irfft(fnp.fft.rfft(v, axis=axis, norm=norm) * 2, n, axis=axis, norm=norm)
    return half(x) if flag(rng) else fx.grad(lambda v: fnp.sum(fnp.sin(half(v))))(x)


# Control flow


def repeat(rng: Any, values: list[Any]) -> Any:
    x = some(rng, values, lambda v: is_main(v) and v.size < 3000)
    if x is None:
        return None
    most, kind = int(rng.integers(0, 6)), int(rng.integers(4))
    if kind == 0:
        return lax.while_loop(lambda c: c[0] < most, lambda c: (c[0] + 1, fnp.sin(c[1] + c[0])), (0, x))[1]
    if kind == 1:
        return lax.fori_loop(0, most, lambda i, c: fnp.cos(c) * i, x)
    if kind == 2:  # carries that change places
        return lax.fori_loop(0, most, lambda i, c: (c[1], c[0] * 0.5, c[2]), (x, fnp.sin(x), x))[1]
    count = fnp.sum(x > 0) % 5
    return lax.fori_loop(0, count, lambda i, c: fnp.tanh(c + i), x)


def backwards(rng: Any, values: list[Any]) -> Any:
    """Reverse mode through loops whose trips only the run knows: in rows, in each other, in scans and branches."""
    x = some(rng, values, lambda v: has_axis(v) and is_main(v) and 0 < v.size < 400 and v.shape[0] < 20)
    if x is None:
        return None
    most, rate = int(rng.integers(0, 20)), float(rng.uniform(0.5, 0.9))
    one = lambda v: lax.while_loop(lambda c: c[0] < most, lambda c: (c[0] + 1, fnp.sin(c[1] * rate)), (0, v))[
        1
    ]
    down = lambda v: lax.while_loop(lambda w: fnp.abs(w) > 0.25, lambda w: w * rate * fnp.cos(w), v)
    deep = lambda v: lax.while_loop(
        lambda w: fnp.abs(w) > 0.4, lambda w: w * rate * fnp.cos(down(w + 0.1)), v
    )
    functions = [
        one,
        lambda v: fx.vmap(down)(v.reshape(-1)),
        lambda v: fx.vmap(deep)(v.reshape(-1)[:7]),
        lambda v: lax.scan(lambda c, a: (c * 0.5 + deep(a), c), v.reshape(-1)[0], v.reshape(-1)[:9])[1],
        lambda v: fx.vmap(lambda a: lax.cond(a > 0, down, fnp.sin, a))(v.reshape(-1)[:9]),
        lambda v: lax.cond(v.sum() > 0, one, lambda v: v * 2, v),
        lambda v: one(fx.checkpoint(lambda w: fnp.exp(-one(w)))(v)),
    ]
    function = functions[int(rng.integers(len(functions)))]
    gradient = fx.grad(lambda v: fnp.sum(fnp.sin(function(v))))
    return gradient(x) if rng.random() < 0.7 else fx.jvp(gradient, (x,), (fnp.cos(x),))[1]


def nested(rng: Any, values: list[Any]) -> Any:
    """Branches in loops in loops."""
    x = some(rng, values, lambda v: v.ndim > 1 and is_main(v) and 0 < v.size < 2000 and v.shape[0] < 20)
    if x is None:
        return None
    branch = lambda c, a: lax.cond(fnp.sum(a) > 0, lambda v: v + a, lambda v: fnp.sin(v) * a, c)

    def outer(c: Any, a: Any) -> Any:
        c, _ = lax.scan(lambda d, b: (branch(d, a) * 0.5, d.sum()), c, fnp.arange(3))
        return fnp.tanh(c), {"a": c * a, "n": fnp.argmax(c.reshape(-1))}

    function = lambda v: lax.scan(outer, v[0], v, reverse=flag_, unroll=2 if long else 1)
    flag_, long, kind = flag(rng), flag(rng), int(rng.integers(4))
    if kind == 0:
        return function(x)[0]
    if kind == 1:
        return function(x)[1]["n"]
    if kind == 2:
        return fx.grad(lambda v: fnp.sum(function(v)[1]["a"]))(x)
    return function(x)[1]["a"]


def choose(rng: Any, values: list[Any]) -> Any:
    x, i = some(rng, values, is_main), some(rng, values, lambda v: v.dtype.kind in "iu" and v.size > 0)
    if x is None or i is None:
        return None
    branches = [lambda v: v * 2, fnp.sin, lambda v: fnp.flip(v), lambda v: v]
    return lax.switch(i.reshape(-1)[0].astype("int32"), branches[: int(rng.integers(1, 5))], x)


def associative(rng: Any, values: list[Any]) -> Any:
    x = some(rng, values, lambda v: has_axis(v) and is_main(v) and v.size < 2000)
    if x is None:
        return None
    combine = lambda a, b: (a[0] * b[0], a[1] * b[0] + b[1])
    return lax.associative_scan(combine, (fnp.cos(x), x), axis=int(rng.integers(x.ndim)), reverse=flag(rng))[
        1
    ]


def mapped(rng: Any, values: list[Any]) -> Any:
    """Functions of rows, with control flow inside, for all rows at once."""
    x = some(rng, values, lambda v: has_axis(v) and is_main(v) and v.size < 2000)
    if x is None:
        return None
    functions = [
        lambda r: lax.cond(r.sum() > 0, fnp.sin, lambda v: v * 2, r),
        lambda r: lax.while_loop(lambda c: c[0] < r.size + 1, lambda c: (c[0] + 2, c[1] * 0.9), (0, r))[1],
        lambda r: fnp.sort(r.reshape(-1)),
        lambda r: lax.scan(lambda c, a: (c * a, c + a), r, fnp.arange(3.0, dtype=r.dtype))[1],
        lambda r: lax.dynamic_slice(r.reshape(-1), [fnp.argmax(r.reshape(-1))], [1]),
        fx.grad(lambda r: fnp.sum(fnp.tanh(r) * r)),
        lambda r: fnp.outer(r.reshape(-1), r.reshape(-1)[:3]),
        lambda r: r.reshape(-1).at[fnp.argmin(r.reshape(-1))].set(7),
    ]
    axis = int(rng.integers(x.ndim))
    return fx.vmap(functions[int(rng.integers(len(functions)))], axis)(x)


# Transformations


@fx.custom_jvp
def clipped(x: Any) -> Any:
    return fnp.clip(x, -1, 1)


@clipped.defjvp
def _(primals: Any, tangents: Any) -> Any:
    return clipped(primals[0]), tangents[0] * fnp.cos(primals[0])


@fx.custom_vjp
def scaled(x: Any) -> Any:
    return x * 3


scaled.defvjp(lambda x: (x * 3, fnp.sin(x)), lambda s, g: (g * s,))


def _composed(kind: int, x: Any) -> Any:
    if kind == 0:
        return fnp.tanh(x) * fnp.sum(x * x)
    if kind == 1:
        return fx.checkpoint(lambda v: fnp.sin(fnp.exp(-v * v)))(x) * x
    if kind == 2:
        return clipped(x * 2) + scaled(x)
    if kind == 3:
        return fx.jit(lambda v: fnp.where(v > 0, v, fnp.expm1(v)))(x)
    if kind == 4:
        return fx.nn.log_softmax(x.reshape(-1)) if x.size else x
    return lax.scan(lambda c, a: (fnp.sin(c + a), c * a), fnp.zeros((), x.dtype), x.reshape(-1)[:9])[1]


def differentiate(rng: Any, values: list[Any]) -> Any:
    x = some(rng, values, lambda v: is_main(v) and 0 < v.size < 3000)
    if x is None:
        return None
    kind, how = int(rng.integers(6)), int(rng.integers(4))
    function = lambda v: fnp.sum(_composed(kind, v))
    if how == 0:
        return fx.grad(function)(x)
    if how == 1:
        return fx.grad(lambda v: fnp.sum(fnp.cos(fx.grad(function)(v))))(x)
    if how == 2:
        return fx.jvp(lambda v: _composed(kind, v), (x,), (fnp.cos(x),))[1]
    return fx.jvp(fx.grad(function), (x,), (fnp.sin(x),))[1]


def guarded(rng: Any, values: list[Any]) -> Any:
    x, y = some(rng, values), some(rng, values)
    return lax.optimization_barrier((x * 2 if x.dtype.kind != "b" else x, y))[int(rng.integers(2))]


def python(rng: Any, values: list[Any]) -> Any:
    x = some(rng, values, lambda v: is_main(v))
    if x is None:
        return None
    return fx.pure_callback(lambda v: np.asarray(v) * 2, fx.ShapeDtype(x.shape, x.dtype), x)


STEPS = {
    f.__name__: f
    for f in (
        cumulate, window, convolve, order, at_run_time, bits, fallible, special, matrices, contraction, numbers,
        imaginary, spectrum, repeat, backwards, nested, choose, associative, mapped, differentiate, guarded, python,
    )
}  # fmt: skip
