"""Hamiltonian Monte Carlo: its parts against what is known, the posterior against importance sampling."""

import types

import numpy as np
import pytest
from scipy import stats

import fx.numpy as fnp
from fx import random
from fx.examples import hmc
from fx.examples._mixing import effective_size, r_hat

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")

KEY = random.key(0)


def test_trajectories_are_reversible_and_keep_energy():
    density = lambda q: -fnp.sum(q**4) / 4 - q[0] * q[1]
    slope = lambda q: -(q**3) - q[::-1]
    start, momentum = np.array([0.3, -1.1]), np.array([1.0, 0.4])
    energy = lambda q, p: float(0.5 * fnp.sum(p**2) - density(q))
    before, changes = energy(start, momentum), []
    for steps in (20, 40):
        q, p = hmc.trajectory(slope, fnp.asarray(start), fnp.asarray(momentum), 2.0 / steps, steps)
        changes.append(abs(energy(q, p) - before))
        back, end = hmc.trajectory(slope, q, -p, 2.0 / steps, steps)
        np.testing.assert_allclose(back, start, atol=1e-12)
        np.testing.assert_allclose(end, -momentum, atol=1e-12)
    assert 3.5 < changes[0] / changes[1] < 4.5


def test_sampling_a_gaussian():
    mean, scale = np.array([1.0, -2.0, 0.5]), np.array([[1.0, 0, 0], [0.8, 0.5, 0], [-0.3, 0.2, 2.0]])
    precision = np.linalg.inv(scale @ scale.T)
    density = lambda q: -0.5 * (q - mean) @ precision @ (q - mean)
    start = 5 * random.normal(KEY, (4, 3), fnp.float64)
    draws = hmc.sample(density, start, KEY, 300, 2000, 12)
    assert float(r_hat(draws.position).max()) < 1.01
    assert 0.7 < float(draws.accepted.mean()) < 0.95 and draws.size.shape == (4,)
    flat = np.asarray(draws.position).reshape(-1, 3)
    errors = np.asarray(fnp.sqrt(np.diag(scale @ scale.T) / effective_size(draws.position)))
    assert np.all(np.abs(flat.mean(axis=0) - mean) < 5 * errors)
    np.testing.assert_allclose(np.cov(flat.T), scale @ scale.T, atol=0.25)


def autoregressive(rho, shape, seed):
    noise = np.random.default_rng(seed).normal(size=shape)
    x = np.empty(shape)
    x[:, 0] = noise[:, 0]
    for t in range(1, shape[1]):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * noise[:, t]
    return x


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.5, 0.9])
def test_effective_size_of_autoregressive_chains(rho):
    found = effective_size(fnp.asarray(autoregressive(rho, (4, 5000, 3), 0)))
    np.testing.assert_allclose(found, 20_000 * (1 - rho) / (1 + rho), rtol=0.15)


def test_effective_size_by_its_definition():
    x = autoregressive(0.7, (2, 41, 1), 1)
    parts = [half[:, 0] for chain in x for half in (chain[:20], chain[20:40])]
    within = np.mean([p.var(ddof=1) for p in parts])
    total = within * 19 / 20 + np.var([p.mean() for p in parts], ddof=1)
    lag = lambda t: np.mean([np.sum((p - p.mean())[: 20 - t] * (p - p.mean())[t:]) / 19 for p in parts])
    rho = [1.0] + [1 - (within - lag(t)) / total for t in range(1, 20)]
    time, smallest = -1.0, np.inf
    for k in range(10):
        pair = rho[2 * k] + rho[2 * k + 1]
        if pair <= 0:
            break
        smallest = min(smallest, pair)
        time += 2 * smallest
    np.testing.assert_allclose(effective_size(fnp.asarray(x)), [80 / time], rtol=1e-10)
    np.testing.assert_allclose(r_hat(fnp.asarray(x)), [np.sqrt(total / within)], rtol=1e-12)


def test_r_hat_sees_chains_apart():
    together = np.random.default_rng(0).normal(size=(4, 1000, 2))
    apart = together + np.array([0.0, 0.0, 0.0, 1.0])[:, None, None] * np.array([0.0, 1.0])
    assert np.all(np.asarray(r_hat(fnp.asarray(together))) < 1.01)
    found = np.asarray(r_hat(fnp.asarray(apart)))
    assert found[0] < 1.01 < 1.05 < found[1]


def test_the_posterior_of_the_cancer_data():
    names, learned, _ = hmc.patients(random.key(1))
    x, y = learned["x"], learned["malignant"]
    options = types.SimpleNamespace(chains=4, draws=500, warmup=200, leapfrog=16, scale=1.0)
    found = hmc.infer(names, x, y, KEY, options)
    np.testing.assert_allclose(found.mode, found.known, atol=1e-5)
    thetas = np.asarray(found.thetas)
    wide = stats.multivariate_t(thetas.mean(axis=0), 0.95 * np.cov(thetas.T), df=15, seed=0)
    drawn = wide.rvs(20_000)
    logits = drawn @ x.T
    logs = (logits * y - np.logaddexp(0, logits)).sum(axis=1) - 0.5 * (drawn[:, :-1] ** 2).sum(axis=1)
    weights = np.exp(logs - wide.logpdf(drawn) - (logs - wide.logpdf(drawn)).max())
    weights /= weights.sum()
    assert 1 / (weights**2).sum() > 3000
    mean = weights @ drawn
    deviation = np.sqrt(weights @ (drawn - mean) ** 2)
    assert np.all(np.abs(thetas.mean(axis=0) - mean) < 0.1 * deviation)
    np.testing.assert_allclose(thetas.std(axis=0), deviation, rtol=0.1)
    curvature = (x * (1 / (2 + 2 * np.cosh(x @ found.known)))[:, None]).T @ x
    covariance = np.linalg.inv(curvature + np.diag([1.0] * 30 + [0.0]))
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-3, atol=1e-5)


def test_command(tmp_path, capsys):
    out = tmp_path / "posterior.png"
    assert hmc.main(["--out", str(out), "--draws", "60", "--warmup", "60", "--chains", "2"]) == 0
    shown = capsys.readouterr().out
    assert "worst fractal dimension" in shown and "effective draws" in shown
    assert out.read_bytes().startswith(b"\x89PNG")
    right = [float(line.split("%")[0].split()[-1]) for line in shown.splitlines() if ", averaged" in line]
    assert len(right) == 2 and min(right) > 90
    assert hmc.main(["--draws", "3"]) == 2 and "give 4 or more" in capsys.readouterr().err
