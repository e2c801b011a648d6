"""vmap is a loop, jit is eager, compositions are native code; logsumexp and its relatives; the accuracy table."""

from pathlib import Path

import numpy as np
import pytest
import scipy.special as scipy_special

import fx
import fx.special as sp
from fx.special import accuracy
from fx.testing import check_grads, check_jit, check_vmap

A, B = np.array([[0.7, 2.0, 4.0], [1.0, 3.0, 0.2]]), np.array([[1.3, 0.8, 6.0], [2.0, 0.3, 0.9]])
UNIT = np.array([[0.2, 0.55, 0.9], [0.4, 0.1, 0.7]])
CASES = {
    "gammainc": (A, B), "betainc": (A, B, UNIT), "zeta": (A + 1, B), "betaln": (A, B), "comb": (A + 4, B),
    "poch": (A, B), "entr": (A,), "kl_div": (A, B), "xlogy": (A, B), "boxcox": (A, B), "logit": (UNIT,),
    "log_ndtr": (A,), "erfcx": (A,), "i1e": (A,), "logsumexp": (A,), "softmax": (A,), "hyp1f1": (A, B, UNIT),
    "random_gamma_grad": (A, B), "expit": (A,),
}  # fmt: skip
ONE = "entr logit expit log_expit logsumexp softmax log_softmax erf".split()
TWO = "kl_div xlogy xlog1py rel_entr boxcox boxcox1p".split()


@pytest.mark.parametrize("name", CASES)
def test_vmap_and_jit(name):
    f, operands = getattr(sp, name), CASES[name]
    check_vmap(f, operands, axis_size=2)
    check_jit(f, operands)
    slopes = fx.grad(lambda *xs: f(*xs).sum(), argnums=tuple(range(len(operands))))
    eager, compiled = slopes(*operands), fx.jit(slopes)(*operands)
    for x, y in zip(eager, compiled, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-13, atol=1e-15)


def test_per_example_gradients():
    each = fx.vmap(fx.vmap(fx.grad(sp.gammainc)))(A, B)
    np.testing.assert_allclose(each, sp.igamma_grad_a(A, B), rtol=1e-14)


@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_compositions_compile_to_native_code(name):
    f = getattr(sp, name)
    operands = [np.float32(UNIT)] * (2 if name in TWO else 1)
    steps = fx.jit(f).explain(*operands).steps
    assert {s.kind for s in steps} <= {"nest", "operation"}


# ---- sums of exponentials --------------------------------------------------------------------------------------
X = np.array([[1.0, -2.0, 700.0], [0.5, 1000.0, -np.inf], [-np.inf, -np.inf, -np.inf]])
WEIGHTS = np.array([[1.0, 0.0, -2.0], [0.5, 1.0, 3.0], [1.0, 1.0, 1.0]])


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_is_scipys(axis, keepdims):
    for b in (None, WEIGHTS, 2.0):
        found = sp.logsumexp(X, axis, b, keepdims, return_sign=True)
        want = scipy_special.logsumexp(X, axis, b, keepdims, return_sign=True)
        for x, y in zip(found, want, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-14)
        with np.errstate(all="ignore"):
            want = scipy_special.logsumexp(X, axis, b, keepdims)
        np.testing.assert_allclose(sp.logsumexp(X, axis, b, keepdims), want, rtol=1e-14)


def test_logsumexp_of_complex_numbers_masks_and_nothing():
    z = np.array([[1 + 2j, -0.5 + 3j, 2.0 - 1j]])
    np.testing.assert_allclose(sp.logsumexp(z, 1), scipy_special.logsumexp(z, 1), rtol=1e-14)
    for x, y in zip(
        sp.logsumexp(z, return_sign=True), scipy_special.logsumexp(z, return_sign=True), strict=True
    ):
        np.testing.assert_allclose(x, y, rtol=1e-14)
    mask = np.array([[True, False, True], [True, True, True], [False, False, False]])
    want = [np.logaddexp(1.0, 700.0), 1000.0, -np.inf]
    np.testing.assert_allclose(sp.logsumexp(X, 1, where=mask), want, rtol=1e-15)
    assert sp.logsumexp(np.zeros((0,))) == -np.inf
    assert np.isposinf(sp.logsumexp(np.array([np.inf, 1.0]))) and np.isnan(
        sp.logsumexp(np.array([np.nan, 1.0]))
    )
    assert sp.logsumexp(np.float16([1.0, 2.0])).dtype == np.float16


def test_gradients_of_sums_of_exponentials():
    x = np.array([[0.3, -1.0, 2.0], [1.0, 1.5, 0.2]])
    check_grads(lambda x, b: sp.logsumexp(x, 1, b), (x, np.abs(x) + 0.5))
    check_grads(lambda x: sp.softmax(x, axis=0), (x,))
    check_grads(lambda x: sp.log_softmax(x, axis=(0, 1)), (x,))
    check_grads(lambda z: sp.logsumexp(z, 1), (x + 0.3j,))
    slope = fx.grad(lambda x: sp.logsumexp(x))(np.full(3, -np.inf))
    np.testing.assert_array_equal(slope, np.zeros(3))


def test_softmax_is_scipys():
    x = X[:2]
    for axis in (None, 0, 1, (0, 1)):
        np.testing.assert_allclose(sp.softmax(x, axis=axis), scipy_special.softmax(x, axis=axis), rtol=1e-14)
        np.testing.assert_allclose(
            sp.log_softmax(x, axis=axis), scipy_special.log_softmax(x, axis=axis), rtol=1e-14
        )


# ---- the table of errors ---------------------------------------------------------------------------------------
WITHIN = {
    "gammaln": 4, "betaln": 4, "zeta d/dq": 40, "gammainc d/da": 600, "betainc d/da": 2000, "betainc d/db": 2000,
    "erfcx d/dx": 60, "i0e d/dx": 12, "kl_div": 4, "rel_entr": 4, "boxcox": 4, "boxcox1p": 4, "logit": 3, "entr": 2,
}  # fmt: skip
"""Bounds in float64, in units in the last place; in float32 six units."""


@pytest.mark.parametrize("name", WITHIN)
def test_errors_stay_within_their_bounds(name):
    assert accuracy.measure(name, "float64", 25, seed=5).ulp <= WITHIN[name]
    if name not in ("zeta d/dq",):  # x + 1 is rounded
        assert accuracy.measure(name, "float32", 25, seed=6).ulp <= 6


def test_the_table_is_complete(capsys, tmp_path):
    accuracy.main(["entr", "--quick", "--markdown", str(tmp_path / "table.md")])
    assert "| entr |" in capsys.readouterr().out and "| entr |" in (tmp_path / "table.md").read_text()
    text = (Path(__file__).parents[2] / "docs" / "special_functions.md").read_text()
    assert [n for n in accuracy.CASES if f"| {n} |" not in text] == []
    measured = {n.split()[0].split("(")[0].rstrip(":") for n in accuracy.CASES}
    for name in "gamma digamma gammainc betainc erf erfcx ndtr i0e j0 expi sici hyp2f1 xlogy logit".split():
        assert name in measured
