"""A variational autoencoder draws digits.

An encoder turns an image into a Gaussian over a few latent numbers, a decoder turns latent numbers into an image; one
bound on the likelihood of the data teaches both (Kingma and Welling 2013). What comes out: digits that nobody wrote,
held-out digits rebuilt from 8 numbers each, a map of the latent space, and the likelihood of held-out digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import fx
import fx.numpy as fnp
from fx import data, losses, nn, optim, random, stats, train

from ._common import COLORS, INK, bare, figure, parse, split, table

CELLS = 16
"""A pixel says how many of the 4 x 4 cells of the scan under it are dark."""
WAYS = np.log([math.comb(CELLS, dark) for dark in range(CELLS + 1)]).astype(np.float32)


class VAE(nn.Layer):
    """x: (..., pixels) -> logits of every pixel, and mean and log of the scale of the latent numbers behind x."""

    encoder: nn.MLP
    decoder: nn.MLP

    def forward(self, p: Any, x: Any) -> tuple[Any, Any, Any]:
        mean, log_scale = fnp.split(p.encoder(x / CELLS), 2, axis=-1)
        latent = mean + fnp.exp(log_scale) * random.normal(p.key(), mean.shape)
        return p.decoder(latent), mean, log_scale


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure, draw. Returns the exit code."""
    options = parse(
        "vae", __doc__, arguments, needs=["sklearn"],
        latent=(8, "latent numbers of a digit"), hidden=(256, "width of the layers"),
        epochs=(150, "passes over the data"), draws=(200, "draws behind each likelihood"),
    )  # fmt: skip
    from sklearn import datasets

    pixels, digits = datasets.load_digits(return_X_y=True)
    data_key, key = random.split(options.key)
    learned, asked = split(data_key, {"x": pixels.astype(np.float32), "digit": digits})
    size, hidden, latent = pixels.shape[1], options.hidden, options.latent
    model = VAE(
        encoder=nn.MLP([size, hidden, hidden, 2 * latent], activation=nn.gelu),
        decoder=nn.MLP([latent, hidden, hidden, size], activation=nn.gelu),
    )
    options.say(
        f"A variational autoencoder with {latent} latent numbers learns {len(learned['x'])} digits of {size} pixels; "
        f"{len(asked['x'])} are held out."
    )
    init_key, train_key, test_key, draw_key = random.split(key, 4)
    result = learn(model, model.init(init_key), learned["x"], train_key, options.epochs)
    options.say(f"Bound: {-result.history['loss'][-1]:.1f} nats a digit after {options.epochs} epochs.\n")

    nats = float(fnp.mean(log_likelihood(model, result.params, asked["x"], test_key, options.draws)))
    rows = [
        ("every pixel its average", average_log_likelihood(learned["x"], asked["x"]),
         error(asked["x"], learned["x"].mean(axis=0))),
        (f"{latent} principal components", "", error(asked["x"], project(learned["x"], asked["x"], latent))),
        (f"autoencoder, {latent} numbers", nats, error(asked["x"], rebuild(model, result.params, asked["x"]))),
    ]  # fmt: skip
    options.say(table(["held-out digits", "  log-likelihood, nats", "  rebuilt: RMS error of a pixel"], rows))
    draw(model, result.params, asked, draw_key, (rows[2][2], rows[1][2]), options.out)
    return options.conclude(
        f"log-likelihood {nats:.1f} nats a held-out digit; every pixel its average: {rows[0][1]:.1f}"
    )


def learn(model: VAE, params: Any, images: Any, key: Any, epochs: int) -> train.Result:
    """Adam maximizes the bound, one draw of the latent numbers for each image in a batch of 64."""
    order_key, noise_key = random.split(key)
    loader = data.Loader(data.Arrays(images), 64, key=order_key, drop_last=True)
    steps = epochs * len(loader)
    rate = optim.schedules.warmup_cosine_decay_schedule(0.0, 3e-3, steps // 20, steps)
    loss = lambda params, x, key: -fnp.mean(bound(model, params, x, key))
    return train.fit(loss, params, loader, optim.adam(rate), epochs=epochs, key=noise_key, show=False)


def bound(model: VAE, params: Any, x: Any, key: Any) -> Any:
    """E log p(x | latent) - KL(q(latent | x), standard normal) <= log p(x), by one draw: (..., pixels) -> (...)."""
    logits, mean, log_scale = model.apply(params, x, key=key)
    divergence = 0.5 * (mean**2 + fnp.expm1(2 * log_scale)) - log_scale
    return log_probability(x, logits) - fnp.sum(divergence, axis=-1)


def log_probability(x: Any, logits: Any) -> Any:
    """Of images, each pixel a binomial count of dark cells: (..., pixels) -> (...)."""
    ways = fnp.asarray(WAYS)[x.astype(fnp.int32)]
    return fnp.sum(ways - CELLS * losses.sigmoid_binary_cross_entropy(logits, x / CELLS), axis=-1)


@fx.jit(static_argnames="draws")
def log_likelihood(model: VAE, params: Any, x: Any, key: Any, draws: int) -> Any:
    """log p(x) by importance sampling from what the encoder says (Burda et al. 2015): (n, pixels) -> (n,)."""
    mean, log_scale = encode(model, params, x)
    scale = fnp.exp(log_scale)

    def weight(key: Any) -> Any:
        latent = mean + scale * random.normal(key, mean.shape)
        prior, proposal = stats.norm.logpdf(latent), stats.norm.logpdf(latent, mean, scale)
        return log_probability(x, decode(model, params, latent)) + fnp.sum(prior - proposal, axis=-1)

    return nn.logmeanexp(fx.vmap(weight)(random.split(key, draws)), axis=0)


def encode(model: VAE, params: Any, x: Any) -> Any:
    """Mean and log of the scale of the latent numbers: (n, pixels) -> two of (n, latent)."""
    return fnp.split(model.encoder.apply(params["encoder"], x / CELLS), 2, axis=-1)


def decode(model: VAE, params: Any, latent: Any) -> Any:
    """(n, latent) -> (n, pixels), logits."""
    return model.decoder.apply(params["decoder"], latent)


def rebuild(model: VAE, params: Any, x: Any) -> Any:
    """Images from the most likely latent numbers of x: (n, pixels)."""
    return CELLS * nn.sigmoid(decode(model, params, encode(model, params, x)[0]))


def average_log_likelihood(learned: Any, asked: Any) -> float:
    """Of held-out images if every pixel were a binomial count of its own, whatever the others are."""
    dark = (learned.sum(axis=0) + 1) / (CELLS * len(learned) + 2)
    logits = fnp.broadcast_to(fnp.log(dark / (1 - dark)), asked.shape)
    return float(fnp.mean(log_probability(fnp.asarray(asked), logits)))


def project(learned: Any, asked: Any, count: int) -> Any:
    """Images from their first principal components, the best linear autoencoder."""
    mean = learned.mean(axis=0)
    basis = principal(learned - mean, count)
    return mean + (asked - mean) @ basis @ basis.T


def principal(centred: Any, count: int) -> Any:
    """The directions in which rows vary most: (n, d) -> (d, count)."""
    return fnp.linalg.eigh(centred.T @ centred).eigenvectors[:, ::-1][:, :count]


def error(x: Any, rebuilt: Any) -> float:
    """Root mean square difference, in cells."""
    return float(fnp.sqrt(fnp.mean((x - rebuilt) ** 2)))


def draw(model: VAE, params: Any, asked: Any, key: Any, off: Any, path: Any) -> None:
    """Samples, rebuilt digits, and the latent numbers along their two main directions."""
    latent = model.decoder.sizes[0]
    samples = CELLS * nn.sigmoid(decode(model, params, random.normal(key, (64, latent))))
    pairs = fnp.stack([asked["x"][:32], rebuild(model, params, asked["x"][:32])], axis=1).reshape(-1, 64)
    means = encode(model, params, asked["x"])[0]
    centred = fnp.pad(means - means.mean(axis=0), ((0, 0), (0, 1)))  # two directions also of one number
    places = np.asarray(centred @ principal(centred, 2))
    title = f"{latent} numbers rebuild a held-out digit to {off[0]:.1f} of 16; the best linear ones to {off[1]:.1f}"
    with figure(path, title, 16, 5.4) as made:
        left, middle, right = made.subplots(1, 3)
        gallery(left, samples, "decoded from random numbers")
        gallery(middle, pairs, "held out, each with what its latent numbers keep of it")
        for digit, color in enumerate([*COLORS, INK, "#12908e", "#b8578f", "#8a6d3b", "#5b8c2a"]):
            right.scatter(*places[asked["digit"] == digit].T, color=color, marker=f"${digit}$", s=28, lw=0.2)
        right.set(title="where held-out digits lie", xlabel="first main direction of the latent space",
                  ylabel="second")  # fmt: skip


def gallery(axes: Any, images: Any, title: str) -> None:
    """(64, 64) images, eight in a row, with a white line between them."""
    tiles = np.pad(np.asarray(images).reshape(8, 8, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    bare(axes)
    axes.imshow(tiles.swapaxes(1, 2).reshape(80, 80), cmap="gray_r", vmin=0, vmax=CELLS)
    axes.set_title(title)
    for spine in axes.spines.values():
        spine.set_visible(False)


if __name__ == "__main__":
    raise SystemExit(main())
