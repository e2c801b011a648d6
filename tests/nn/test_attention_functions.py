"""dot_product_attention against JAX and a plain formula; blockwise against dense; memory of 16,384 tokens."""

import itertools

import jax
import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import nn
from fx.nn import _attention_blocks

RNG = np.random.default_rng(6)
B, T, S, N, K, H = 2, 5, 9, 4, 2, 3
Q, KEYS, VALUES = RNG.normal(size=(B, T, N, H)), RNG.normal(size=(B, S, K, H)), RNG.normal(size=(B, S, K, H))
BIAS = RNG.normal(size=(1, N, T, S))
MASK = RNG.random((B, 1, T, S)) < 0.6
MASK[..., 0] = True
BLIND = MASK & (np.arange(T)[:, None] != 3)  # query 3 sees nothing
LENGTHS = {
    "query_seq_lengths": np.array([3, 5], np.int32),
    "key_value_seq_lengths": np.array([9, 4], np.int32),
}
OPTIONS = [
    {},
    {"scale": 2.0, "is_causal": True},
    {"local_window_size": 2},
    {"local_window_size": (3, 0), "is_causal": True},
    {"mask": MASK},
    {"mask": MASK[0, 0], "bias": BIAS},
    {"bias": BIAS[:, :, :1], "is_causal": True},
    LENGTHS,
]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(_attention_blocks, "_BLOCK", 1)
    monkeypatch.setattr(_attention_blocks, "_LEAST", 4)


def plain(q, k, v, bias=None, mask=None, *, scale=None, is_causal=False, local_window_size=None,
          query_seq_lengths=None, key_value_seq_lengths=None):  # fmt: skip
    """The formula, one query at a time."""
    out = np.zeros((*q.shape[:3], v.shape[-1]))
    lengths = lambda given, size: [size] * len(q) if given is None else given
    ends = zip(
        lengths(query_seq_lengths, q.shape[1]), lengths(key_value_seq_lengths, k.shape[1]), strict=True
    )
    window = (local_window_size,) * 2 if isinstance(local_window_size, int) else local_window_size
    for b, (queries, keys) in enumerate(ends):
        for t, n in itertools.product(range(queries), range(q.shape[2])):
            heads = n // (q.shape[2] // k.shape[2])
            seen = np.arange(k.shape[1]) < keys
            if is_causal:
                seen &= np.arange(k.shape[1]) <= t
            if window:
                seen &= (np.arange(k.shape[1]) >= t - window[0]) & (np.arange(k.shape[1]) <= t + window[1])
            if mask is not None:
                seen &= np.broadcast_to(mask, (len(q), q.shape[2], q.shape[1], k.shape[1]))[b, n, t]
            if not seen.any():
                continue
            z = k[b, seen, heads] @ q[b, t, n] * (q.shape[-1] ** -0.5 if scale is None else scale)
            if bias is not None:
                z = z + np.broadcast_to(bias, (len(q), q.shape[2], q.shape[1], k.shape[1]))[b, n, t, seen]
            p = np.exp(z - z.max())
            out[b, t, n] = p / p.sum() @ v[b, seen, heads]
    return out


@pytest.mark.parametrize("implementation", ["dense", "blockwise"])
@pytest.mark.parametrize("index", range(len(OPTIONS) + 1))
def test_values(small_blocks, index, implementation):
    options = [*OPTIONS, {"mask": BLIND, "bias": BIAS}][index]
    f = lambda *xs: nn.dot_product_attention(*xs, **options, implementation=implementation)
    expected = plain(Q, KEYS, VALUES, **options)
    np.testing.assert_allclose(f(Q, KEYS, VALUES), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(fx.jit(f)(Q, KEYS, VALUES), expected, rtol=1e-10, atol=1e-12)
    narrow = f(*(x.astype(np.float16) for x in (Q, KEYS, VALUES)))
    assert narrow.dtype == "float16"
    np.testing.assert_allclose(narrow, expected, rtol=1e-2, atol=1e-2)


def test_against_jax():
    """In float32: JAX computes softmax in it whatever the dtype. Rows that see nothing are uniform there."""
    arrays = [x.astype(np.float32) for x in (Q, KEYS, VALUES)]
    for options in OPTIONS[3:7:3]:
        expected, residual = jax.nn.dot_product_attention(*arrays, **options, return_residual=True)
        for implementation in ("xla", "blockwise"):
            found = nn.dot_product_attention(
                *arrays, **options, implementation=implementation, return_residual=True
            )
            np.testing.assert_allclose(found[0], expected, rtol=2e-5, atol=2e-6)
            np.testing.assert_allclose(found[1], residual, rtol=2e-5, atol=2e-6)
    alone = nn.dot_product_attention(*(x[0] for x in arrays))
    np.testing.assert_allclose(
        alone, jax.nn.dot_product_attention(*(x[0] for x in arrays)), rtol=2e-5, atol=2e-6
    )


def both(**options):
    forms = ("dense", "blockwise")
    weights = RNG.normal(size=(B, T, N, H))
    return [
        lambda q, k, v, bias, form=form: (
            weights * nn.dot_product_attention(q, k, v, bias, **options, implementation=form)
        ).sum()
        for form in forms
    ]


def close(found, expected, tolerance=1e-10):
    for a, b in zip(fx.tree.leaves(found), fx.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


ARGUMENTS = (Q, KEYS, VALUES, BIAS)
DERIVATIVES = {
    "gradients": lambda f: fx.grad(f, (0, 1, 2, 3))(*ARGUMENTS),
    "compiled gradients": lambda f: fx.jit(fx.grad(f, (0, 1, 2, 3)))(*ARGUMENTS),
    "forward mode": lambda f: fx.jvp(f, ARGUMENTS, tuple(x[::-1] for x in ARGUMENTS)),
    "forward over reverse": lambda f: fx.hvp(f, ARGUMENTS, ARGUMENTS),
    "reverse over reverse": lambda f: fx.grad(lambda q: (fx.grad(f, 1)(q, *ARGUMENTS[1:]) ** 2).sum())(Q),
    "a batch": lambda f: fx.vmap(fx.grad(f, (0, 3)), in_axes=(0, None, None, 0))(
        np.stack([Q, -Q]), KEYS, VALUES, np.stack([BIAS, 2 * BIAS])
    ),
}


@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("options", [{}, {"mask": BLIND, "is_causal": True}, LENGTHS])
def test_derivatives_of_both_forms(small_blocks, derivative, options):
    dense, blockwise = both(**options)
    expected = DERIVATIVES[derivative](dense)
    assert all(np.isfinite(np.asarray(x)).all() for x in fx.tree.leaves(expected))
    close(DERIVATIVES[derivative](blockwise), expected)


STAIRS = [
    (13, 13, {"is_causal": True}),
    (13, 5, {"is_causal": True, "mask": True}),
    (5, 13, {"is_causal": True, "bias": True}),
    (16, 16, {"local_window_size": (1, 0)}),
    (13, 9, {"local_window_size": 1, "bias": True, "mask": True}),
    (13, 13, {"local_window_size": (7, 30), "is_causal": True}),
    (9, 13, {"local_window_size": (-1, 3)}),
    (13, 13, {"local_window_size": (2, -1), "bias": True}),
    (13, 6, {"local_window_size": (-5, 2)}),
]


@pytest.mark.parametrize("queries, keys, options", STAIRS)
def test_parts_of_the_queries(monkeypatch, queries, keys, options):
    """Where places limit what is seen, parts of queries walk over the keys that they see: the results of all."""
    for name, value in {"_BLOCK": 1, "_LEAST": 2, "_PARTS": 4}.items():
        monkeypatch.setattr(_attention_blocks, name, value)
    rng = np.random.default_rng(queries + keys)
    q, k, v = (rng.normal(size=(2, n, h, 3)) for n, h in ((queries, 2), (keys, 1), (keys, 1)))
    bias = rng.normal(size=(1, 2, queries, keys)) if options.get("bias") else None
    options = {**options, "bias": bias}
    if "mask" in options:
        options["mask"] = rng.random((2, 1, queries, keys)) < 0.7
    f = lambda form: (
        lambda q, k, v, bias: (
            nn.dot_product_attention(q, k, v, **{**options, "bias": bias}, implementation=form).sum(0) ** 2
        ).sum()
    )
    places = (0, 1, 2) if bias is None else (0, 1, 2, 3)
    expected = fx.value_and_grad(f("dense"), places)(q, k, v, bias)
    close(fx.jit(fx.value_and_grad(f("blockwise"), places))(q, k, v, bias), expected)
    pair = [nn.dot_product_attention(q, k, v, **options, implementation=form, return_residual=True)
            for form in ("dense", "blockwise")]  # fmt: skip
    close(pair[1], pair[0])


def test_blocks_that_are_not_seen_are_not_computed():
    tokens = 4096
    like = fx.ShapeDtype((1, tokens, 1, 16), np.float32)

    def work(**options):
        f = lambda q, k, v: nn.dot_product_attention(q, k, v, **options, implementation="blockwise").sum()
        return [fx.jit(g).cost(like, like, like).flops for g in (f, fx.grad(f, (0, 1, 2)))]

    whole = work()
    for options, most in (({"is_causal": True}, 0.6), ({"is_causal": True, "local_window_size": 128}, 0.1)):
        assert all(found < most * all_ for found, all_ in zip(work(**options), whole, strict=True))


def test_the_dense_derivative_is_the_derivative():
    f, _ = both(mask=MASK, scale=0.7)
    fx.testing.check_grads(f, ARGUMENTS, order=2)


@pytest.mark.parametrize("implementation", ["dense", "blockwise"])
def test_queries_that_see_nothing(small_blocks, implementation):
    f = lambda q: nn.dot_product_attention(q, KEYS, VALUES, mask=BLIND, implementation=implementation)
    out, pull = fx.vjp(f, Q)
    (gradient,) = pull(fnp.ones_like(out))
    assert not np.asarray(out)[:, 3].any() and not np.asarray(gradient)[:, 3].any()
    assert np.isfinite(np.asarray(gradient)).all() and np.asarray(gradient)[:, 0].any()
    _, residual = nn.dot_product_attention(
        Q, KEYS, VALUES, mask=BLIND, implementation=implementation, return_residual=True
    )
    assert np.isneginf(np.asarray(residual)[:, 3]).all()
    nothing = nn.dot_product_attention(Q, KEYS[:, :0], VALUES[:, :0], implementation=implementation)
    assert nothing.shape == Q.shape and not np.asarray(nothing).any()
    assert nn.dot_product_attention(Q[:0], KEYS[:0], VALUES[:0], implementation=implementation).shape == (
        0,
        T,
        N,
        H,
    )


@pytest.mark.parametrize("implementation", ["dense", "blockwise"])
def test_extreme_logits(small_blocks, implementation):
    f = lambda q, k, v: nn.dot_product_attention(q, k, v, implementation=implementation).sum()
    for scale in (1e4, 1e-4):
        gradients = fx.grad(f, (0, 1, 2))(Q * scale, KEYS, VALUES)
        assert all(np.isfinite(np.asarray(g)).all() for g in gradients)
    np.testing.assert_allclose(
        nn.dot_product_attention(Q * 1e4, KEYS, VALUES, implementation=implementation),
        plain(Q * 1e4, KEYS, VALUES), atol=1e-12,
    )  # fmt: skip


@pytest.mark.parametrize("implementation", ["dense", "blockwise"])
def test_dropout(small_blocks, implementation):
    key = fx.random.key(1)
    f = lambda q, k, v, key=key: nn.dot_product_attention(
        q, k, v, dropout_rate=0.3, dropout_key=key, implementation=implementation
    )
    # Values of one-hot rows show the probabilities themselves.
    eye = np.broadcast_to(np.eye(S)[:, None], (B, S, K, S))
    kept = np.asarray(f(Q, KEYS, eye))
    whole = np.asarray(nn.dot_product_attention(Q, KEYS, eye))
    dropped = kept == 0
    assert 0.15 < dropped.mean() < 0.45
    np.testing.assert_allclose(kept[~dropped], whole[~dropped] / 0.7, rtol=1e-12)
    many = fx.vmap(lambda key: f(Q, KEYS, VALUES, key))(fx.random.split(key, 300))
    np.testing.assert_allclose(np.asarray(many).mean(0), plain(Q, KEYS, VALUES), atol=0.25)
    fx.testing.check_grads(lambda *xs: f(*xs).sum(), (Q, KEYS, VALUES), order=1)


def test_the_form_follows_the_size():
    chosen = lambda tokens, **options: nn.dot_product_attention(
        *(fnp.zeros((1, tokens, 1, 2)) for _ in range(3)), **options
    )
    memory = lambda tokens, **options: fx.jit(lambda: chosen(tokens, **options)).memory().peak
    tokens = 4096
    assert memory(tokens) < 4 * tokens**2 < memory(tokens, implementation="dense")


def test_sixteen_thousand_tokens():
    tokens, heads, features = 16_384, 1, 8
    q, k, v = (RNG.normal(size=(1, tokens, heads, features)).astype(np.float32) for _ in range(3))
    f = lambda q, k, v: nn.dot_product_attention(q, k, v, is_causal=True)
    memory = fx.jit(fx.grad(lambda *xs: (f(*xs) ** 2).sum(), (0, 1, 2))).memory(q, k, v)
    assert not memory.unplanned
    assert memory.peak - memory.arguments - memory.outputs < promised(q)
    assert memory.peak < 4 * tokens**2 / 16, "a sixteenth of the logits"
    out = np.asarray(fx.jit(f)(q, k, v))
    for t in (0, 1, 5000, tokens - 1):
        z = k[0, : t + 1, 0].astype(np.float64) @ q[0, t, 0] / np.sqrt(features)
        p = np.exp(z - z.max())
        np.testing.assert_allclose(out[0, t, 0], p / p.sum() @ v[0, : t + 1, 0], rtol=1e-4, atol=1e-5)


def promised(q):
    """Bytes that the docstring allows for a gradient, besides arguments and results."""
    return 12 * q.nbytes + 5 * max(128 * q.size // q.shape[-1], 2**20) * 4


@pytest.mark.planned_memory
@pytest.mark.parametrize(
    "options", [{}, {"is_causal": True}, {"is_causal": True, "local_window_size": 100, "scale": 0.3}]
)
def test_memory_grows_linearly(options):
    f = lambda *xs: nn.dot_product_attention(*xs, **options, implementation="blockwise").sum()
    g = fx.jit(fx.grad(f, (0, 1, 2)))
    sizes = [(16_384, 2, 64), (65_536, 2, 16), (2_000, 8, 32)]
    for tokens, heads, features in sizes[::2] if options == {"is_causal": True} else sizes:
        like = fx.ShapeDtype((1, tokens, heads, features), np.float32)
        memory = g.memory(like, like, like)
        q = np.broadcast_to(np.float32(0), like.shape)
        assert memory.peak - memory.arguments - memory.outputs < promised(q)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"implementation": "cudnn"}, fx.ArgumentError, "'cudnn'(.|\n)*'blockwise'"),
        ({"implementation": Q}, fx.ArgumentError, "implementation=array(.|\n)*'blockwise'"),
        ({"mask": np.ones((T, S))}, fx.DTypeError, "mask must be boolean; got float64(.|\n)*bias="),
        ({"mask": np.ones((T, S - 1), bool)}, fx.ShapeError, r"mask of shape \(5, 8\)(.|\n)*\(2, 4, 5, 9\)"),
        ({"bias": np.ones((3, 1, T, S))}, fx.ShapeError, r"bias of shape \(3, 1, 5, 9\)"),
        (
            {"query_seq_lengths": np.ones(3, int)},
            fx.ShapeError,
            r"query_seq_lengths has shape \(3,\)(.|\n)*\(2,\)",
        ),
        (
            {"key_value_seq_lengths": np.ones(2)},
            fx.DTypeError,
            "key_value_seq_lengths must be integers; got float64",
        ),
        ({"local_window_size": (1, 2, 3)}, fx.ArgumentError, r"local_window_size=\(1, 2, 3\)"),
        ({"dropout_rate": 0.5}, fx.ArgumentError, "needs a key"),
        ({"dropout_rate": 1.0}, fx.ArgumentError, r"rate is in \[0, 1\)"),
    ],
)
def test_what_does_not_fit(options, error, message):
    with pytest.raises(error, match=message):
        nn.dot_product_attention(Q, KEYS, VALUES, **options)


def test_shapes_that_do_not_fit():
    for q, k, v in (
        (Q, KEYS[:, :, :, :2], VALUES),
        (Q[:, :, :3], KEYS, VALUES),
        (Q, KEYS, VALUES[:, 1:]),
        (Q[0], KEYS, VALUES),
        (Q, KEYS[:, :, :0], VALUES[:, :, :0]),
    ):
        with pytest.raises(fx.ShapeError, match=r"do not fit.\nThey are \(B, T, N, H\)"):
            nn.dot_product_attention(q, k, v)


def test_other_features_of_values_and_mixed_dtypes():
    values = RNG.normal(size=(B, S, K, 7))
    out = nn.dot_product_attention(Q, KEYS, values)
    assert out.shape == (B, T, N, 7)
    np.testing.assert_allclose(out, plain(Q, KEYS, values), rtol=1e-10)
    assert nn.dot_product_attention(Q.astype(np.float32), KEYS, VALUES).dtype == "float64"


@pytest.mark.parametrize("implementation", ["dense", "blockwise"])
def test_a_scale_may_be_learned(small_blocks, implementation):
    f = lambda scale: (
        nn.dot_product_attention(Q, KEYS, VALUES, scale=scale, implementation=implementation)[..., 0] ** 2
    ).sum()
    step = 1e-5
    expected = (float(f(0.7 + step)) - float(f(0.7 - step))) / (2 * step)
    assert float(fx.grad(f)(np.float64(0.7))) == pytest.approx(expected, rel=1e-7)
