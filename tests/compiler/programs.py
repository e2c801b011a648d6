"""Programs for the tests of the passes, as user code gives them; and what is compared."""

import numpy as np

import fx
from fx import numpy as fnp
from fx.core.interpret import run_program

RNG = np.random.default_rng(0)


def normal(*shape, dtype=np.float32):
    return RNG.normal(size=shape).astype(dtype)


def mlp(p, x, y):
    h = fnp.tanh(x @ p["w1"] + p["b1"])
    h = fx.nn.gelu(h @ p["w2"] + p["b2"])
    logits = h @ p["w3"]
    return -fnp.mean(fnp.sum(fx.nn.log_softmax(logits) * y, axis=-1))


MLP = {"w1": normal(4, 6), "b1": normal(6), "w2": normal(6, 6), "b2": normal(6), "w3": normal(6, 3)}
X, Y = normal(5, 4), np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]]


def attention(p, x):
    q, k, v = (x @ p[name] for name in "qkv")
    split = lambda t: fnp.transpose(fnp.reshape(t, (*t.shape[:-1], 2, 4)), (1, 0, 2))
    scores = split(q) @ fnp.swapaxes(split(k), -1, -2) / 2.0
    mask = fnp.tril(fnp.ones(scores.shape[-2:], bool))
    weights = fx.nn.softmax(fnp.where(mask, scores, -fnp.inf))
    mixed = fnp.transpose(weights @ split(v), (1, 0, 2)).reshape(x.shape)
    mean = fnp.mean(mixed, axis=-1, keepdims=True)
    var = fnp.mean((mixed - mean) ** 2, axis=-1, keepdims=True)
    return fnp.sum(((mixed - mean) / fnp.sqrt(var + 1e-5)) ** 3)


ATTENTION = {name: normal(8, 8) for name in "qkv"}


def conv_net(p, x):
    h = fx.nn.relu(fx.lax.conv_general_dilated(x, p["k"], (1, 1), "SAME"))
    h = fnp.max(h.reshape(*h.shape[:2], 3, 2, 3, 2), axis=(3, 5))
    return fnp.sum(h.reshape(h.shape[0], -1) @ p["w"])


CONV = {"k": normal(3, 2, 3, 3), "w": normal(27, 2)}


def rnn(w, xs):
    def step(h, x):
        h = fnp.tanh(h @ w + x)
        return h, (h, h)

    _, (ys, again) = fx.lax.scan(step, fnp.zeros((2, 4), np.float32), xs)
    return fnp.sum(ys * again)


def layers(p, x):
    block = fx.checkpoint(lambda w, x: fnp.sin(fnp.tanh(x @ w)))
    for w in p:
        x = block(w, x)
    return fnp.sum(x**2)


def logistic_loss(w, x, y):
    return fnp.sum(fnp.logaddexp(0.0, -y * (x @ w))) + 0.5 * fnp.sum(w**2)


def choosing(i, x):
    f = fx.lax.switch(i, [fnp.sin, lambda x: x * 2.0, lambda x: fnp.where(x > 0, x, -x)], x)
    return fnp.sum(fx.lax.cond(f[0] > 0, lambda f: f * f, lambda f: -f, f))


def newton(x):
    going = lambda c: (fnp.abs(c[0] ** 2 - x) > 1e-3) & (c[1] < 9)
    root, _, _ = fx.lax.while_loop(
        going, lambda c: (0.5 * (c[0] + x / c[0]), c[1] + 1, c[2] * 1.0), (x, 0, x)
    )
    return root


@fx.custom_jvp
def clipped(x):
    return fnp.clip(x, -1.0, 1.0)


@clipped.defjvp
def _(primals, tangents):
    (x,), (dx,) = primals, tangents
    return clipped(x), dx * fnp.where(fnp.abs(x) < 1, 1.0, 0.1)


def adam(p, g, m, v):
    step = lambda p, g, m, v: (
        p - 1e-3 * m / (fnp.sqrt(v) + 1e-8),
        0.9 * m + 0.1 * g,
        0.999 * v + 0.001 * g * g,
    )
    return [step(p[k], g[k], m[k], v[k]) for k in p]


ZOO = {
    "mlp": (fx.grad(mlp), (MLP, X, Y)),
    "per_example": (fx.vmap(fx.grad(mlp), (None, 0, 0)), (MLP, X[:, None], Y[:, None])),
    "attention": (fx.value_and_grad(attention), (ATTENTION, normal(6, 8))),
    "attentions": (fx.vmap(fx.grad(attention), (None, 0)), (ATTENTION, normal(3, 6, 8))),
    "conv": (fx.grad(conv_net), (CONV, normal(2, 2, 6, 6))),
    "rnn": (fx.grad(rnn), (normal(4, 4), normal(5, 2, 4))),
    "rnns": (fx.vmap(fx.grad(rnn), (None, 0)), (normal(4, 4), normal(3, 5, 2, 4))),
    "checkpointed": (fx.grad(layers), ([normal(4, 4) for _ in range(3)], X)),
    "checkpointed_twice": (
        fx.grad(lambda p, x: fnp.sum(fx.grad(layers)(p, x)[0] ** 2)),
        ([normal(4, 4) for _ in range(2)], X),
    ),
    "hessian": (fx.hessian(logistic_loss), (normal(4), X, Y[:, 0] * 2 - 1)),
    "choosing": (fx.grad(choosing, argnums=1), (np.int32(2), normal(4))),
    "choosings": (fx.vmap(fx.grad(choosing, argnums=1)), (np.arange(3), normal(3, 4))),
    "while": (fx.grad(newton), (np.float32(2.0),)),
    "while_batch": (fx.vmap(fx.value_and_grad(newton)), (np.float32([2.0, 5.0]),)),
    "custom": (fx.grad(lambda x: fnp.sum(fx.jit(clipped)(x) ** 2)), (normal(7),)),
    "adam": (adam, (MLP, MLP, MLP, {k: v * v for k, v in MLP.items()})),
    "random": (lambda key: fx.random.normal(key, (5,)) + fx.random.uniform(key, (5,)), (fx.random.key(0),)),
    "half": (fx.grad(lambda x: fnp.sum(fx.nn.softmax(x) ** 2)), (normal(3, 4).astype(np.float16),)),
    "integers": (lambda x: (x * 3 + 0) // 1 + fnp.sum(x) * 0 + (x - x), (np.arange(6, dtype=np.int32),)),
    "complex": (lambda x: fnp.real(fnp.conj(x) * x) + fnp.abs(-x * 1), (normal(4) + 1j * normal(4),)),
}


def program_and_values(name):
    """The traced Program of a case, and values for its inputs."""
    fun, args = ZOO[name]
    lowered = fx.jit(fun).lower(*args)
    return lowered.program, [*fx.tree.leaves(args), *lowered.consts]


SPECIAL = [np.nan, np.inf, -np.inf, -0.0, 0.0, 1.0, -1.0, 1e-40, -1e-40, 3e38, 0.5, -2.0]


def with_special(values, some):
    """The same values, some of the floating ones replaced by special ones."""
    rng = np.random.default_rng(1)
    out = []
    for v in values:
        v = np.array(v)
        if v.dtype.kind == "f" and v.ndim:
            with np.errstate(all="ignore"):
                special = rng.choice(np.array(some).astype(v.dtype), v.shape)
            v = np.where(rng.random(v.shape) < 0.3, special, v)
        out.append(v)
    return out


def run(program, values):
    """The interpreter's results."""
    with fx.config(compile=False):
        return [np.asarray(r) for r in run_program(program, values)]


def assert_same_bits(found, wanted):
    """Equal dtypes, shapes and bits; NaNs in the same places, whatever their payload."""
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        if a.dtype.kind not in "fc":
            np.testing.assert_array_equal(a, b)
            continue
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
        np.testing.assert_array_equal(np.nan_to_num(a, nan=0.0), np.nan_to_num(b, nan=0.0))
        parts = [(a, b)] if a.dtype.kind == "f" else [(a.real, b.real), (a.imag, b.imag)]
        for x, y in parts:
            zeros = (x == 0) & (y == 0)
            np.testing.assert_array_equal(np.signbit(x[zeros]), np.signbit(y[zeros]))


def assert_same_up_to_rounding(found, wanted):
    """Equal dtypes and shapes, NaNs and infinities in the same places, the rest within some eps of the largest."""
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        finite = np.isfinite(b)
        np.testing.assert_array_equal(np.where(finite, 0, a), np.where(finite, 0, b))
        largest = np.abs(b[finite]).max(initial=0)
        np.testing.assert_allclose(a[finite], b[finite], rtol=0, atol=32 * np.finfo(b.dtype).eps * largest)
