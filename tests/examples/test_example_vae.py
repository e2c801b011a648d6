"""The variational autoencoder: its likelihoods against quadrature, its command at a reduced size."""

import re

import numpy as np
import pytest
from scipy import stats

import fx
import fx.numpy as fnp
from fx import nn, random
from fx.examples import vae

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")

KEY = random.key(0)


def test_log_probability_is_binomial():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 17, (5, 64)).astype(np.float64)
    logits = rng.normal(0, 4, (5, 64))
    expected = stats.binom.logpmf(x, 16, 1 / (1 + np.exp(-logits))).sum(axis=-1)
    np.testing.assert_allclose(vae.log_probability(fnp.asarray(x), fnp.asarray(logits)), expected, rtol=1e-6)
    sure = vae.log_probability(fnp.asarray([[0.0, 16.0]]), fnp.asarray([[-1e4, 1e4]]))
    assert np.array_equal(sure, [0.0])


@pytest.fixture(scope="module")
def by_quadrature():
    """A model of one latent number: (model, params, images, log p(x), KL(q | posterior))."""
    model = vae.VAE(nn.MLP([6, 8, 2]), nn.MLP([1, 8, 6]))
    params = model.init(KEY)
    x = np.random.default_rng(1).integers(0, 17, (4, 6)).astype(np.float32)
    z, dz = np.linspace(-9, 9, 20001, retstep=True)
    logits = np.asarray(vae.decode(model, params, fnp.asarray(z[:, None], fnp.float32)), np.float64)
    given = stats.binom.logpmf(x[:, None], 16, 1 / (1 + np.exp(-logits))).sum(axis=-1)
    joint = given + stats.norm.logpdf(z)
    evidence = np.log(np.exp(joint).sum(axis=1) * dz)
    mean, log_scale = (np.asarray(a, np.float64) for a in vae.encode(model, params, x))
    proposal = stats.norm.logpdf(z, mean, np.exp(log_scale))
    terms = proposal - np.maximum(joint, -1e5) + evidence[:, None]
    divergence = (np.exp(proposal) * terms).sum(axis=1) * dz
    return model, params, fnp.asarray(x), evidence, divergence


def test_importance_sampling_finds_the_likelihood(by_quadrature):
    model, params, x, evidence, _ = by_quadrature
    found = vae.log_likelihood(model, params, x, KEY, 20_000)
    np.testing.assert_allclose(found, evidence, atol=0.15)


def test_the_bound_is_below_by_the_divergence(by_quadrature):
    model, params, x, evidence, divergence = by_quadrature
    draws = np.asarray(fx.vmap(lambda key: vae.bound(model, params, x, key))(random.split(KEY, 20_000)))
    spread = draws.std(axis=0) / np.sqrt(len(draws))
    assert np.all(np.abs(draws.mean(axis=0) - (evidence - divergence)) < 5 * spread + 1e-3)
    assert np.all(divergence > 0.1)


def test_command(tmp_path, capsys):
    out = tmp_path / "digits.png"
    small = ["--out", str(out), "--epochs", "8", "--hidden", "64", "--latent", "4", "--draws", "20"]
    assert vae.main(small) == 0
    shown = capsys.readouterr().out
    nats, average = map(float, re.search(r"log-likelihood (-[\d.]+) .* average: (-[\d.]+)", shown).groups())
    assert nats > average + 60 and out.read_bytes().startswith(b"\x89PNG")
    rebuilt = [float(line.split()[-1]) for line in shown.splitlines() if re.match("every|4 |auto", line)]
    assert len(rebuilt) == 3 and rebuilt[0] > rebuilt[2] and rebuilt[0] > rebuilt[1]


def test_the_divergence_in_the_bound(by_quadrature):
    model, params, x, *_ = by_quadrature
    params = fx.tree.map(lambda p: 3 * p, params)
    logits, mean, log_scale = model.apply(params, x, key=KEY)
    assert np.abs(mean).min() > 0.1 < np.abs(log_scale).max()
    found = vae.log_probability(x, logits) - vae.bound(model, params, x, KEY)
    m, s = np.asarray(mean, np.float64), np.exp(np.asarray(log_scale, np.float64))
    z, dz = np.linspace(-900, 900, 400_001, retstep=True)
    log_q = stats.norm.logpdf(z, m, s)
    expected = (np.exp(log_q) * (log_q - stats.norm.logpdf(z))).sum(axis=1) * dz
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_principal_components():
    x = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    left, values, right = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    expected = x.mean(axis=0) + (left * values)[:, :2] @ right[:2]
    np.testing.assert_allclose(vae.project(x, fnp.asarray(x), 2), expected, atol=1e-5)


def test_same_seed_same_numbers(tmp_path, capsys):
    lines = []
    for seed in ("3", "3", "4"):
        small = ["--epochs", "1", "--hidden", "8", "--latent", "1", "--draws", "2", "--quiet", "--seed", seed]
        assert vae.main([*small, "--out", str(tmp_path / "x.png")]) == 0
        lines.append(capsys.readouterr().out.rpartition(" (")[0])
    assert lines[0] == lines[1] != lines[2]
