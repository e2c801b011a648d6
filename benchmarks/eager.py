"""What an eager call of fx.numpy costs beyond the NumPy function it calls: `python -m benchmarks.eager [names ...]`.

Each call runs on tiny arrays, in turns with NumPy's; the least of many rounds counts, each so short that few are
interrupted. The worst twenty are printed, in microseconds per call, and how many stay within the bar of 5 us.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import fx.numpy as fnp

BAR = 5.0
OPERANDS = {
    "x": np.array([0.3, 0.5, 0.7, 0.2]),
    "y": np.array([0.4, 0.1, 0.9, 0.6]),
    "t": np.arange(4.0) / 4,
    "m": np.array([[0.3, 0.5], [0.7, 0.2]]),
    "i": np.array([0, 3, 1, 2]),
    "b": np.array([True, False, True, True]),
}
UNARY = """
    abs absolute acos arccos arcsin arcsinh arctan arctanh around asin atan cbrt ceil conj cos cosh deg2rad degrees exp
    exp2 expm1 fabs fix floor i0 imag isfinite isinf isnan log log10 log1p log2 logical_not nan_to_num negative
    positive rad2deg real reciprocal rint round sign signbit sin sinc sinh spacing sqrt square tan tanh trunc isreal
    iscomplex angle frexp modf all any argmax argmin argsort average copy count_nonzero cumprod cumsum cumulative_sum
    diff ediff1d flatnonzero flip max mean median min nanmax nanmean nanmin nansum nanstd nanvar nonzero prod ptp ravel
    sort std sum squeeze transpose unique var zeros_like ones_like atleast_1d atleast_2d diag diagflat gradient
    trapezoid roots poly unwrap argwhere"""
BINARY = """
    add subtract multiply divide power maximum minimum arctan2 hypot logaddexp logaddexp2 fmax fmin fmod remainder
    floor_divide copysign nextafter heaviside equal not_equal less less_equal greater greater_equal logical_and
    logical_or logical_xor dot inner outer vdot kron convolve correlate append isclose allclose array_equal divmod
    float_power searchsorted polyval polyadd polymul setdiff1d intersect1d union1d isin"""
MATRIX = "tril triu trace diagonal diag rot90 fliplr flipud linalg.det linalg.inv linalg.norm"
OTHERS = """
    where(x > 0.4, x, y); clip(x, 0.2, 0.6); choose(i, (x, y, x, y)); select([b, x > 0.4], [x, y], 0.0)
    piecewise(x, [b], [1.0, 2.0]); place(x, b, y); put(x, 1, 0.5); putmask(x, b, y)
    put_along_axis(x, i, 0.5, 0); concatenate([x, y]); stack([x, y]); hstack([x, y]); vstack([x, y])
    dstack([x, y]); column_stack([x, y]); block([[m, m], [m, m]]); split(x, 2); array_split(x, 3); hsplit(m, 2)
    vsplit(m, 2); unstack(m); append(x, y); reshape(x, (2, 2)); broadcast_to(x, (3, 4))
    broadcast_arrays(x, m[:, :1]); broadcast_shapes((3, 1), (4,)); expand_dims(x, 0); moveaxis(m, 0, 1)
    swapaxes(m, 0, 1); rollaxis(m, 1); permute_dims(m, (1, 0)); matrix_transpose(m); atleast_3d(x)
    astype(x, "float32"); asarray(x); array(x); copy(x); asarray_chkfinite(x); meshgrid(x, y); ix_(i, i)
    tile(x, 2); repeat(x, 2); roll(x, 1); take(x, 2); take(x, i); take_along_axis(x, i, 0); pad(x, 1)
    resize(x, 6); insert(x, 1, 0.5); delete(x, 1); compress(b, x); extract(b, x); trim_zeros(x)
    fill_diagonal(m, 0.5); matmul(m, m); matvec(m, m[0]); vecmat(m[0], m); vecdot(x, y)
    einsum("ij,jk->ik", m, m); tensordot(m, m, 1); cross(x[:3], y[:3]); cov(m); corrcoef(m); vander(x); tri(3)
    identity(3); diag_indices(3); tril_indices(3); sum(m, 0); mean(m, axis=1, keepdims=True); std(m, 0)
    sum(x, where=b); max(m, 1); quantile(x, 0.5); percentile(x, 40); nanmedian(x); nanpercentile(x, 40)
    nanquantile(x, 0.4); nanargmax(x); nanargmin(x); nanprod(x); nancumsum(x); cumulative_prod(x)
    interp(x, t, y); digitize(x, t); bincount(i); histogram(x); histogram(x, t); histogram_bin_edges(x)
    histogram2d(x, y, 3); searchsorted(t, x); partition(x, 2); argpartition(x, 2); lexsort((x, y))
    sort_complex(x); setxor1d(x, y); unique_all(x); unique_counts(x); unique_inverse(x); unique_values(x)
    array_equiv(x, y); isposinf(x); isneginf(x); gcd(i, 6); lcm(i, 6); ldexp(x, i); bitwise_and(i, i)
    left_shift(i, i); bitwise_count(i); packbits(b); unpackbits(i.astype("uint8")); unravel_index(i, (2, 2))
    ravel_multi_index((i // 2, i % 2), (2, 2)); polydiv(x, y[:2]); polyder(x); polyint(x); polysub(x, y)
    polyfit(x, y, 1); apply_along_axis(lambda v: v * 2.0, 0, m); zeros(4); ones((2, 2)); full(4, 1.5)
    full_like(x, 2.0); empty(4); arange(4); arange(0.0, 1.0, 0.25); eye(2); linspace(0.0, 1.0, 4)
    logspace(0.0, 1.0, 4); geomspace(1.0, 8.0, 4); indices((2, 2)); hanning(4); kaiser(4, 2.0)
    linalg.solve(m, x[:2]); linalg.cholesky(m @ m.T); linalg.eigh(m); linalg.eigvalsh(m); linalg.eig(m)
    linalg.eigvals(m); linalg.qr(m); linalg.svd(m); linalg.svdvals(m); linalg.slogdet(m); linalg.pinv(m)
    linalg.lstsq(m, x[:2], None); linalg.matrix_power(m, 3); linalg.matrix_rank(m); linalg.matrix_norm(m)
    linalg.vector_norm(x); linalg.cond(m); linalg.multi_dot([m, m, m]); linalg.norm(m, 1)
    linalg.tensorsolve(m, x[:2]); fft.fft(x); fft.ifft(x); fft.rfft(x); fft.irfft(x); fft.fft2(m); fft.fftn(m)
    fft.rfftn(m); fft.hfft(x); fft.fftfreq(4); fft.fftshift(x)"""
OPERATORS = """
    x + y; x * 2.0; 2 * x; 1 / x; x - x.mean(); x ** 2; x ** y; -x; x > 0.4; i + 1; i // 2; i * x; x + t[0]; b & b
    x[1:3]; x[2]; x[i]; x[b]; m[0, 1]; m[:, None]; x.sum(); x.mean(); x.max(); x.reshape(2, 2); x.astype("float32")
    m @ m; m @ x[:2]; m.T"""


class Row(NamedTuple):
    """Microseconds of one call."""

    name: str
    fx: float
    numpy: float

    @property
    def extra(self) -> float:
        return self.fx - self.numpy


def calls() -> dict[str, Callable[..., Any]]:
    """Every benchmarked call by its text, as a function of a namespace and the OPERANDS."""
    plain = ((UNARY, "x"), (BINARY, "x, y"), (MATRIX, "m"))
    texts = {f"{name}({operands})": "xp." for names, operands in plain for name in names.split()}
    texts |= dict.fromkeys(_lines(OTHERS), "xp.") | dict.fromkeys(_lines(OPERATORS), "")
    return {text: eval(f"lambda xp, {', '.join(OPERANDS)}: {where}{text}") for text, where in texts.items()}


def _lines(texts: str) -> list[str]:
    return [text.strip() for text in texts.replace("\n", ";").split(";") if text.strip()]


def measure(name: str, call: Callable[..., Any], rounds: int, repeats: int) -> Row:
    """The least time of either, in turns."""
    theirs = [x.copy() for x in OPERANDS.values()]  # put, place and others write into them
    ours = [fnp.asarray(x) for x in theirs]
    best = [float("inf")] * 2
    for _ in range(rounds):
        for k, arguments in enumerate(((fnp, *ours), (np, *theirs))):
            start = time.perf_counter()
            for _ in range(repeats):
                call(*arguments)
            best[k] = min(best[k], (time.perf_counter() - start) / repeats)
    return Row(name, best[0] * 1e6, best[1] * 1e6)


def table(rows: list[Row], most: int = 20) -> str:
    """The worst rows, worst first."""
    worst = sorted(rows, key=lambda row: -row.extra)[:most]
    lines = [f"{'call':<36}{'fx us':>9}{'NumPy us':>10}{'extra us':>10}"]
    lines += [f"{r.name:<36}{r.fx:>9.2f}{r.numpy:>10.2f}{r.extra:>10.2f}" for r in worst]
    return "\n".join([*lines, f"{sum(r.extra <= BAR for r in rows)} of {len(rows)} within {BAR:g} us"])


def main(names: list[str], rounds: int = 100, repeats: int = 10) -> None:
    """Measure the calls of the named functions, or all, and print the table."""
    chosen = {text: call for text, call in calls().items() if not names or text.partition("(")[0] in names}
    print(table([measure(name, call, rounds, repeats) for name, call in chosen.items()]))


if __name__ == "__main__":
    main(sys.argv[1:])
