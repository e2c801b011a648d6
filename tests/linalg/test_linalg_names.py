"""The names and arguments of jax.scipy.linalg and scipy.linalg, and the page that describes them."""

import inspect
import re
from pathlib import Path

import jax.scipy.linalg
import jax.scipy.sparse.linalg
import numpy as np
import pytest
import scipy.linalg

import fx
import fx.linalg as fl

JAX = [n for n in dir(jax.scipy.linalg) if not n.startswith("_") and callable(getattr(jax.scipy.linalg, n))]
MORE = (
    "logm signm fractional_matrix_power cosm sinm tanm coshm sinhm tanhm solve_continuous_lyapunov null_space orth "
    "solve_discrete_lyapunov pinv lstsq norm svdvals eig eigvals eigvalsh"
).split()
OTHER_NAMES = {"A": "a", "B": "b", "C": "q", "overwrite_a": None, "overwrite_b": None, "disp": None}
"""What an argument of JAX's or SciPy's is called here where names differ; None: it may be missing."""
OTHER_NAMES |= {"lapack_driver": None, "blocksize": None, "homogeneous_eigvals": None, "check_finite": None}


def parameters(f):
    return set(inspect.signature(f).parameters)


@pytest.mark.parametrize("name", JAX)
def test_every_name_of_jax_with_its_arguments(name):
    ours, theirs = parameters(getattr(fl, name)), parameters(getattr(jax.scipy.linalg, name))
    assert {p for p in theirs - ours if name != "solve_sylvester" or OTHER_NAMES.get(p) not in ours} == set()


@pytest.mark.parametrize("name", [*JAX, *MORE])
def test_every_argument_of_scipy(name):
    ours, theirs = parameters(getattr(fl, name)), parameters(getattr(scipy.linalg, name))
    missing = {p for p in theirs - ours if OTHER_NAMES.get(p, p) is not None}
    assert missing == set()


def test_there_are_forty():
    assert len(JAX) == 40


@pytest.mark.parametrize("name", ["cg", "gmres", "bicgstab"])
def test_iterations_take_the_arguments_of_jax(name):
    theirs = inspect.signature(getattr(jax.scipy.sparse.linalg, name)).parameters
    ours = inspect.signature(getattr(fl, name)).parameters
    assert list(ours) == list(theirs)
    assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]


def test_implicit_functions_take_the_arguments_of_jax():
    for name in ("custom_linear_solve", "custom_root"):
        ours, theirs = getattr(fx.lax, name), getattr(jax.lax, name)
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


def test_the_page_runs():
    page = Path(__file__).parents[2] / "docs" / "linalg.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.S)
    assert blocks
    for block in blocks:
        exec(block, {})


SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


@pytest.mark.parametrize(
    "call",
    [
        lambda a: fx.numpy.linalg.solve(a, np.ones(2)),
        lambda a: fx.numpy.linalg.inv(a),
        lambda a: fx.numpy.linalg.matrix_power(a, -2),
        lambda a: fx.numpy.linalg.tensorinv(a.reshape(2, 1, 2), 1),
        lambda a: fx.numpy.linalg.tensorsolve(a, np.ones(2)),
        lambda a: fx.numpy.linalg.cholesky(a - 1.0),
        lambda a: fx.grad(lambda a: fx.numpy.linalg.slogdet(a)[1])(a),
    ],
)
def test_singular_matrices_are_loud_in_numpy_linalg_too(call):
    with pytest.raises(np.linalg.LinAlgError):
        call(SINGULAR)
