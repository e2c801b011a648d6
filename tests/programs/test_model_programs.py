"""Models and their training: networks, recurrent ones, attention, optimizers, state, as JAX users write them."""

import functools

import pytest
from both import agree


def layers(n, R, sizes, key):
    keys = R.split(key, len(sizes))
    return [(R.normal(k, (m, o)) * n.sqrt(2 / m), n.zeros(o)) for k, m, o in zip(keys, sizes[:-1], sizes[1:])]


def training_of_a_perceptron(J, n, L, R):
    params = layers(n, R, [4, 8, 3], R.PRNGKey(0))
    x = R.normal(R.PRNGKey(1), (12, 4))
    y = R.randint(R.PRNGKey(2), (12,), 0, 3, "int32")

    def predict(params, x):
        for w, b in params[:-1]:
            x = J.nn.relu(n.dot(x, w) + b)
        w, b = params[-1]
        logits = n.dot(x, w) + b
        return logits - J.nn.logsumexp(logits)

    batched = J.vmap(predict, in_axes=(None, 0))

    def loss(params, x, y):
        return -n.mean(n.sum(batched(params, x) * J.nn.one_hot(y, 3), axis=1))

    @J.jit
    def update(params, x, y):
        value, grads = J.value_and_grad(loss)(params, x, y)
        return [(w - 0.1 * dw, b - 0.1 * db) for (w, b), (dw, db) in zip(params, grads)], value

    losses = []
    for _ in range(3):
        params, value = update(params, x, y)
        losses.append(value)
    accuracy = n.mean((n.argmax(batched(params, x), axis=1) == y) * 1.0)
    return params, losses, accuracy


def training_of_a_convolutional_network(J, n, L, R):
    k1, k2, k3, k4 = R.split(R.key(0), 4)
    params = {
        "conv": 0.3 * R.normal(k1, (3, 3, 1, 4)),
        "dense": 0.3 * R.normal(k2, (36, 3)),
        "bias": n.zeros(3),
    }
    x, y = R.normal(k3, (4, 6, 6, 1)), R.randint(k4, (4,), 0, 3, "int32")

    def forward(p, x):
        x = L.conv_general_dilated(x, p["conv"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = J.nn.relu(x)
        x = L.reduce_window(x, -n.inf, L.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        return x.reshape(x.shape[0], -1) @ p["dense"] + p["bias"]

    def loss(p):
        logp = J.nn.log_softmax(forward(p, x))
        return -n.take_along_axis(logp, y[:, None], axis=1).mean()

    def step(p, _):
        value, g = J.value_and_grad(loss)(p)
        return J.tree.map(lambda a, b: a - 0.2 * b, p, g), value

    return L.scan(step, params, None, length=3)


def adam_by_hand(J, n, L, R):
    target = n.array([1.0, -2.0, 0.5])
    loss = lambda p: n.sum((p["x"] - target) ** 2) + n.sum(p["y"] ** 4)
    params = {"x": n.zeros(3), "y": n.ones(())}
    zeros = J.tree.map(n.zeros_like, params)

    def step(state, i):
        p, m, v = state
        g = J.grad(loss)(p)
        m = J.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = J.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, v, g)
        scaled = lambda m, v: (m / (1 - 0.9 ** (i + 1))) / (n.sqrt(v / (1 - 0.999 ** (i + 1))) + 1e-8)
        p = J.tree.map(lambda p, m, v: p - 0.1 * scaled(m, v), p, m, v)
        return (p, m, v), loss(p)

    return L.scan(step, (params, zeros, zeros), n.arange(5))


def recurrent_network(J, n, L, R):
    k1, k2, k3, k4 = R.split(R.PRNGKey(5), 4)
    p = {
        "wx": R.normal(k1, (3, 5)) / 2,
        "wh": R.normal(k2, (5, 5)) / 3,
        "wo": R.normal(k3, (5, 2)),
        "b": n.zeros(5),
    }
    xs = R.normal(k4, (7, 4, 3))

    def rnn(p, h0, xs):
        def cell(h, x):
            h = n.tanh(x @ p["wx"] + h @ p["wh"] + p["b"])
            return h, h @ p["wo"]

        return L.scan(cell, h0, xs)

    def loss(p):
        h, ys = rnn(p, n.zeros((4, 5)), xs)
        return n.mean(ys**2) + n.sum(h)

    return rnn(p, n.zeros((4, 5)), xs), J.grad(loss)(p)


def lstm_with_checkpoints(J, n, L, R):
    w = R.normal(R.PRNGKey(0), (3 + 4, 16)) / 3
    xs = R.normal(R.PRNGKey(1), (6, 3))

    @J.checkpoint
    def cell(state, x):
        h, c = state
        i, f, g, o = n.split(n.concatenate([x, h]) @ state_w[0], 4)
        c = J.nn.sigmoid(f + 1) * c + J.nn.sigmoid(i) * n.tanh(g)
        h = J.nn.sigmoid(o) * n.tanh(c)
        return (h, c), h

    state_w = [w]

    def loss(w):
        state_w[0] = w
        _, hs = L.scan(cell, (n.zeros(4), n.zeros(4)), xs, unroll=2)
        return n.sum(hs**2)

    out = J.value_and_grad(loss)(w)
    state_w[0] = w
    return out


def attention_block(J, n, L, R):
    d, heads = 8, 2
    keys = R.split(R.PRNGKey(0), 5)
    p = {name: R.normal(k, (d, d)) / n.sqrt(d) for name, k in zip(("q", "k", "v", "o"), keys)}
    x = R.normal(keys[4], (2, 5, d))

    def norm(x):
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * L.rsqrt(var + 1e-6)

    def block(p, x):
        split = lambda y: y.reshape(*y.shape[:-1], heads, d // heads)
        q, k, v = (split(norm(x) @ p[name]) for name in ("q", "k", "v"))
        scores = n.einsum("bqhd,bkhd->bhqk", q, k) / n.sqrt(d // heads)
        mask = n.tril(n.ones((5, 5), bool))
        weights = J.nn.softmax(n.where(mask, scores, -1e9), axis=-1)
        mixed = n.einsum("bhqk,bkhd->bqhd", weights, v).reshape(x.shape)
        x = x + mixed @ p["o"]
        return x + J.nn.gelu(norm(x))

    return block(p, x), J.grad(lambda p: n.sum(block(p, x) ** 2))(p)


def dropout_and_batch_statistics(J, n, L, R):
    x = R.normal(R.PRNGKey(1), (16, 3)) * 2 + 1

    def dropout(key, x, rate):
        keep = R.bernoulli(key, 1 - rate, x.shape)
        return n.where(keep, x / (1 - rate), 0.0)

    def normalize(state, x, train):
        mean, var = (x.mean(0), x.var(0)) if train else (state["mean"], state["var"])
        new = {"mean": 0.9 * state["mean"] + 0.1 * x.mean(0), "var": 0.9 * state["var"] + 0.1 * x.var(0)}
        return (x - mean) / n.sqrt(var + 1e-5), new if train else state

    state = {"mean": n.zeros(3), "var": n.ones(3)}
    y, state = J.jit(normalize, static_argnums=2)(state, x, True)
    z, _ = J.jit(normalize, static_argnums=2)(state, x, False)
    return dropout(R.PRNGKey(4), y, 0.4), state, z


def autoencoder_bound(J, n, L, R):
    k1, k2, k3 = R.split(R.PRNGKey(9), 3)
    p = {"enc": R.normal(k1, (6, 4)) / 3, "dec": R.normal(k2, (2, 6)) / 2}
    x = R.uniform(k3, (5, 6))

    def elbo(p, key, x):
        mu, sigma = n.split(x @ p["enc"], 2)
        z = mu + J.nn.softplus(sigma) * R.normal(key, mu.shape)
        logits = z @ p["dec"]
        likelihood = -n.sum(n.logaddexp(0.0, n.where(x > 0.5, -1, 1) * logits))
        s2 = J.nn.softplus(sigma) ** 2
        kl = -0.5 * n.sum(1 + n.log(s2) - mu**2 - s2)
        return likelihood - kl

    keys = R.split(R.PRNGKey(3), 5)
    total = lambda p: n.mean(J.vmap(elbo, in_axes=(None, 0, 0))(p, keys, x))
    return J.value_and_grad(total)(p)


def policy_gradient(J, n, L, R):
    w = n.array([[0.2, -0.1], [0.4, 0.3]])

    def rollout(w, key):
        def step(state, key):
            logits = state @ w
            action = R.categorical(key, logits)
            logp = J.nn.log_softmax(logits)[action]
            new = n.tanh(state + n.where(action == 0, 0.5, -0.5) * n.array([1.0, 0.3]))
            return new, (logp, -n.sum(new**2))

        _, (logps, rewards) = L.scan(step, n.array([0.5, -0.5]), R.split(key, 6))
        to_go = n.cumsum(rewards[::-1])[::-1]
        return n.sum(logps * L.stop_gradient(to_go)), rewards

    return J.vmap(J.grad(rollout, has_aux=True), in_axes=(None, 0))(w, R.split(R.PRNGKey(0), 3))


def counters_as_state(J, n, L, R):
    State = tuple[int, ...]

    def count(state: State):
        return state[0] + 1, (state[0] + 1,)

    out = []
    state = (n.array(0),)
    for _ in range(3):
        value, state = J.jit(count)(state)
        out.append(value)
    many = J.vmap(count)((n.arange(4),))
    return out, many


def ensembles(J, n, L, R):
    def init(key):
        return R.normal(key, (3,))

    def update(w, x, y):
        return w - 0.1 * J.grad(lambda w: n.mean((x @ w - y) ** 2))(w)

    keys = R.split(R.key(0), 4)
    x, y = R.normal(R.key(1), (8, 3)), R.normal(R.key(2), (8,))
    members = J.vmap(init)(keys)
    for _ in range(2):
        members = J.jit(J.vmap(update, in_axes=(0, None, None)))(members, x, y)
    return members, n.std(members @ x.T, axis=0)


def data_parallel_step(J, n, L, R):
    @functools.partial(J.vmap, axis_name="batch", in_axes=(None, 0, 0))
    def step(w, x, y):
        g = J.grad(lambda w: (x @ w - y) ** 2)(w)
        return w - 0.1 * L.pmean(g, "batch"), L.psum(1, "batch"), L.axis_index("batch") * 2

    return step(n.ones(3), R.normal(R.key(1), (4, 3)), R.normal(R.key(2), (4,)))[:2]


PROGRAMS = [
    training_of_a_perceptron, training_of_a_convolutional_network, adam_by_hand, recurrent_network,
    lstm_with_checkpoints, attention_block, dropout_and_batch_statistics, autoencoder_bound, policy_gradient,
    counters_as_state, ensembles, data_parallel_step,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program(program):
    agree(program)
