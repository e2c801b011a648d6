"""MAML: its gradient in closed form, its command at a reduced size."""

import re

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import nn, random
from fx.examples import maml

pytest.importorskip("matplotlib")

LINE = nn.MLP([1, 1], dtype=fnp.float64)


def closed_form(theta, wave):
    """Gradients of MAML and first-order MAML for a straight line, whose errors are quadratic. theta: (slope, bias)."""
    parts = []
    for x, y in ((wave.x, wave.y), (wave.x_asked, wave.y_asked)):
        design = np.column_stack([np.asarray(x), np.ones(len(x))])
        parts.append((2 / len(x) * design.T @ design, 2 / len(x) * design.T @ np.asarray(y)[:, 0]))
    (a, b), (a_asked, b_asked) = parts
    moved = theta - maml.RATE * (a @ theta - b)
    first = a_asked @ moved - b_asked
    return (np.eye(2) - maml.RATE * a) @ first, first


def test_the_gradient_goes_through_the_step():
    wave = fx.tree.map(lambda x: x[0].astype(fnp.float64), maml.waves(random.key(0), 1, 7))
    params = {
        "linear_0": {"kernel": fnp.asarray([[0.7]], fnp.float64), "bias": fnp.asarray([-0.2], fnp.float64)}
    }
    for objective, expected in zip(
        (maml.maml, maml.first_order_maml), closed_form(np.array([0.7, -0.2]), wave), strict=True
    ):
        value, slope = fx.jit(fx.value_and_grad(lambda p, f=objective: f(LINE, p, wave)))(params)
        found = [slope["linear_0"]["kernel"][0, 0], slope["linear_0"]["bias"][0]]
        np.testing.assert_allclose(np.array(found, np.float64), expected, rtol=1e-12)
        moved = maml.adapt(LINE, params, wave)
        np.testing.assert_allclose(value, maml.average(LINE, moved, wave), rtol=1e-12)


def test_waves_are_what_they_say():
    drawn = maml.waves(random.key(1), 500, 4)
    height, phase = np.asarray(drawn.height), np.asarray(drawn.phase)
    assert height.min() >= 0.1 and height.max() < 5 and phase.min() >= 0 and phase.max() < np.pi
    assert abs(height.mean() - 2.55) < 0.3 and abs(phase.mean() - np.pi / 2) < 0.2
    for x, y in ((drawn.x, drawn.y), (drawn.x_asked, drawn.y_asked)):
        assert x.shape == (500, 4, 1) and np.abs(x).max() <= 5
        wanted = height[:, None, None] * np.sin(np.asarray(x) - phase[:, None, None])
        np.testing.assert_allclose(y, wanted, atol=1e-5)
    assert not np.array_equal(drawn.x, drawn.x_asked)


def test_command(tmp_path, capsys):
    lines = []
    for _ in range(2):
        out = tmp_path / "waves.png"
        assert maml.main(["--out", str(out), "--steps", "1500", "--asked", "100"]) == 0
        lines.append(capsys.readouterr().out.rpartition(" (")[0])
        assert out.read_bytes().startswith(b"\x89PNG")
    assert lines[0] == lines[1]
    pattern = r"^(random|average|first-order MAML|MAML) +[\d.]+ +([\d.]+)"
    found = {name: float(error) for name, error in re.findall(pattern, lines[0], re.MULTILINE)}
    assert len(found) == 4
    assert found["MAML"] < found["first-order MAML"] < 0.8 * found["average"] < found["random"]
