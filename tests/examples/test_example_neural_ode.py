"""The neural differential equation: solvers and gradients against SciPy, its command at a reduced size."""

import re

import numpy as np
import pytest
from scipy import integrate

import fx
import fx.numpy as fnp
from fx import nn, random
from fx.examples import neural_ode as example

pytest.importorskip("matplotlib")

TIMES = np.linspace(0.0, 12.0, 9)
COEFFICIENTS = {"birth": 0.55, "eaten": 0.6, "death": 0.8, "fed": 0.5}
LOTKA_VOLTERRA = {
    "field": {name: fnp.asarray(x, fnp.float64) for name, x in COEFFICIENTS.items()},
    "start": fnp.asarray([0.4, -0.6], fnp.float64),
}


def by_scipy(coefficients, start):
    """Numbers, not logarithms, so that the equations are written another way."""
    birth, eaten, death, fed = coefficients
    velocity = lambda t, n: [birth * n[0] - eaten * n[0] * n[1], fed * n[0] * n[1] - death * n[1]]
    span = TIMES[0], TIMES[-1]
    done = integrate.solve_ivp(velocity, span, np.exp(start), "DOP853", TIMES, rtol=1e-12, atol=1e-12)
    return np.log(done.y.T)


@pytest.mark.parametrize("name, accuracy, tolerance", [("adjoint", 1e-9, 1e-7), ("runge-kutta", 64, 1e-6)])
def test_solvers(name, accuracy, tolerance):
    found = example.SOLVERS[name](example.lotka_volterra, LOTKA_VOLTERRA, TIMES, accuracy)
    expected = by_scipy(COEFFICIENTS.values(), np.asarray(LOTKA_VOLTERRA["start"]))
    np.testing.assert_allclose(found, expected, atol=tolerance)


@pytest.mark.parametrize("name, accuracy", [("adjoint", 1e-10), ("steps", 1e-10), ("runge-kutta", 64)])
def test_gradients(name, accuracy):
    last = lambda p: example.SOLVERS[name](example.lotka_volterra, p, TIMES, accuracy)[-1, 0]
    slope = fx.jit(fx.grad(last))(LOTKA_VOLTERRA)
    found = [float(slope["field"][c]) for c in COEFFICIENTS] + [float(x) for x in slope["start"]]
    inputs = np.array([*COEFFICIENTS.values(), *np.asarray(LOTKA_VOLTERRA["start"])])
    end = lambda inputs: by_scipy(inputs[:4], inputs[4:])[-1, 0]
    h = 1e-4 * np.eye(6)
    expected = [(end(inputs + d) - end(inputs - d)) / 2e-4 for d in h]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_fit_finds_the_coefficients(monkeypatch):
    true = example.adjoint(example.lotka_volterra, LOTKA_VOLTERRA, example.YEARS, 1e-8)
    monkeypatch.setattr(example, "SEEN", np.asarray(true))
    first = {name: fnp.asarray(0.5, fnp.float64) for name in COEFFICIENTS}
    for solver in (example.adjoint, example.runge_kutta):
        fitted = example.fit(solver, example.lotka_volterra, first, 1500, 0.02)
        for name, value in COEFFICIENTS.items():
            np.testing.assert_allclose(fitted["field"][name], value, rtol=0.02)


def test_compared_gradients_converge(monkeypatch):
    monkeypatch.setattr(example, "TOLERANCES", (1e-4, 1e-8))
    monkeypatch.setattr(example, "COUNTS", (2, 8, 64))
    model = nn.MLP([2, 4, 2], activation=nn.tanh, dtype=fnp.float64)
    params = {"field": model.init(random.key(0)), "start": fnp.asarray(example.SEEN[0])}
    measured = example.compare(model.apply, params)
    assert set(measured) == set(example.SOLVERS)
    for name, rows in measured.items():
        errors = [error for _, error, _ in rows]
        assert errors == sorted(errors, reverse=True), name
        assert errors[-1] < 1e-6


def test_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(example, "TOLERANCES", (1e-6,))
    monkeypatch.setattr(example, "COUNTS", (8,))
    out = tmp_path / "hares.png"
    small = ["--out", str(out), "--steps", "500", "--width", "8", "--gradient", "runge-kutta"]
    assert example.main(small) == 0
    shown = capsys.readouterr().out
    assert out.read_bytes().startswith(b"\x89PNG")
    pattern = r"^(mean of what was seen|Lotka-Volterra|network) +([\d.]+)"
    found = {name: float(error) for name, error in re.findall(pattern, shown, re.MULTILINE)}
    assert found["network"] < 0.25 and found["Lotka-Volterra"] < 0.25 < 0.6 < found["mean of what was seen"]


def test_wrong_arguments(capsys):
    for wrong, text in (
        (["--gradient", "magic"], "choose from 'adjoint', 'steps', 'runge-kutta'"),
        (["--steps", "-3"], "'-3' is not a positive whole number"),
        (["--rate", "fast"], "'fast' is not a positive number"),
        (["--out", "/no/such/place.png"], "is no directory"),
    ):
        with pytest.raises(SystemExit) as stopped:
            example.main(wrong)
        assert stopped.value.code == 2 and text in capsys.readouterr().err
