"""Scientific programs: equations in time, sampling, Gaussian processes, filters, linear algebra, images."""

import functools

import pytest
from both import agree


def runge_kutta_by_scan(J, n, L, R):
    def lorenz(y, p):
        return n.stack([p[0] * (y[1] - y[0]), y[0] * (p[1] - y[2]) - y[1], y[0] * y[1] - p[2] * y[2]])

    def step(y, _, p, h=0.01):
        k1 = lorenz(y, p)
        k2 = lorenz(y + h / 2 * k1, p)
        k3 = lorenz(y + h / 2 * k2, p)
        k4 = lorenz(y + h * k3, p)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return y, y

    def path(p, y0):
        return L.scan(functools.partial(step, p=p), y0, None, length=20)[1]

    p, y0 = n.array([10.0, 28.0, 8 / 3]), n.array([1.0, 1.0, 1.0])
    return path(p, y0), J.grad(lambda p: path(p, y0)[-1].sum())(p), J.jacfwd(lambda y: path(p, y)[-1])(y0)


def leapfrog_orbits(J, n, L, R):
    potential = lambda q: -1 / n.linalg.norm(q)
    force = lambda q: -J.grad(potential)(q)

    def step(i, state):
        q, p = state
        p = p + 0.05 * force(q)
        q = q + 0.1 * p
        return q, p + 0.05 * force(q)

    energy = lambda q, p: 0.5 * p @ p + potential(q)
    q, p = n.array([1.0, 0.0]), n.array([0.0, 1.1])
    end = L.fori_loop(0, 30, step, (q, p))
    return end, energy(*end) - energy(q, p)


def heat_equation_with_checkpoints(J, n, L, R):
    @J.checkpoint
    def step(u, _):
        return u + 0.1 * (n.roll(u, 1) - 2 * u + n.roll(u, -1)), n.sum(u**2)

    def final(u):
        u, energy = L.scan(step, u, None, length=10)
        return n.sum(u**2) + energy[-1]

    u = n.sin(n.linspace(0, 6, 16))
    return J.value_and_grad(final)(u)


def hamiltonian_monte_carlo(J, n, L, R):
    logp = lambda q: -0.5 * q @ n.array([[1.0, 0.6], [0.6, 2.0]]) @ q

    def kernel(q, key):
        k1, k2 = R.split(key)
        p = R.normal(k1, q.shape)

        def leap(_, s):
            q, p = s
            p = p + 0.1 * J.grad(logp)(q)
            q = q + 0.2 * p
            return q, p + 0.1 * J.grad(logp)(q)

        q1, p1 = L.fori_loop(0, 5, leap, (q, p))
        ratio = logp(q1) - 0.5 * p1 @ p1 - logp(q) + 0.5 * p @ p
        accept = n.log(R.uniform(k2)) < ratio
        q = n.where(accept, q1, q)
        return q, (q, accept)

    chain = lambda key: L.scan(kernel, n.zeros(2), R.split(key, 10))[1]
    return J.vmap(chain)(R.split(R.PRNGKey(0), 3))


def metropolis(J, n, L, R):
    logp = lambda x: -((x**2 - 1) ** 2)

    def step(state, key):
        x, lp = state
        k1, k2 = R.split(key)
        new = x + 0.5 * R.normal(k1)
        new_lp = logp(new)
        accept = n.log(R.uniform(k2)) < new_lp - lp
        state = L.cond(accept, lambda: (new, new_lp), lambda: (x, lp))
        return state, state[0]

    return L.scan(step, (n.array(0.5), logp(0.5)), R.split(R.key(1), 20))[1]


def gaussian_process(J, n, L, R):
    def cov(p, a, b):
        return n.exp(p["amp"]) * n.exp(-0.5 * n.sum((a - b) ** 2) / n.exp(p["scale"]) ** 2)

    gram = lambda p, a, b: J.vmap(lambda x: J.vmap(lambda y: cov(p, x, y))(b))(a)
    x = n.linspace(-2, 2, 7)[:, None]
    y = n.sin(2 * x[:, 0])
    new = n.linspace(-1, 1, 3)[:, None]

    def fit(p):
        k = gram(p, x, x) + n.exp(p["noise"]) * n.eye(7)
        chol = n.linalg.cholesky(k)
        half = J.scipy.linalg.solve_triangular(chol, y, lower=True)
        return chol, half

    def negative_marginal(p):
        chol, half = fit(p)
        return 0.5 * half @ half + n.sum(n.log(n.diag(chol))) + 3.5 * n.log(2 * n.pi)

    p = {"amp": n.array(0.0), "scale": n.array(-0.5), "noise": n.array(-2.0)}
    chol, half = fit(p)
    cross = J.scipy.linalg.solve_triangular(chol, gram(p, x, new), lower=True)
    return J.value_and_grad(negative_marginal)(p), cross.T @ half, gram(p, new, new) - cross.T @ cross


def kalman_filter(J, n, L, R):
    a, c = n.array([[1.0, 0.1], [0.0, 0.95]]), n.array([[1.0, 0.0]])
    ys = R.normal(R.key(2), (8, 1))

    def likelihood(log_q):
        q, r = n.exp(log_q) * n.eye(2), 0.3 * n.eye(1)

        def step(state, y):
            m, p = a @ state[0], a @ state[1] @ a.T + q
            s = c @ p @ c.T + r
            gain = n.linalg.solve(s, c @ p).T
            e = y - c @ m
            ll = -0.5 * (e @ n.linalg.solve(s, e) + n.linalg.slogdet(2 * n.pi * s)[1])
            return (m + gain @ e, p - gain @ c @ p), ll

        return L.scan(step, (n.zeros(2), n.eye(2)), ys)[1].sum()

    return J.value_and_grad(likelihood)(-1.0), J.grad(J.grad(likelihood))(-1.0)


def hidden_markov_model(J, n, L, R):
    transition = J.nn.log_softmax(R.normal(R.key(0), (3, 3)))
    emission = J.nn.log_softmax(R.normal(R.key(1), (3, 4)))
    seen = n.array([0, 2, 1, 3, 3, 0])

    def forward(transition):
        def step(alpha, o):
            alpha = J.scipy.special.logsumexp(alpha[:, None] + transition, axis=0) + emission[:, o]
            return alpha, alpha

        last, _ = L.scan(step, -n.log(3.0) + emission[:, seen[0]], seen[1:])
        return J.scipy.special.logsumexp(last)

    def viterbi(score, o):
        options = score[:, None] + transition
        return options.max(0) + emission[:, o], options.argmax(0)

    best, back = L.scan(viterbi, emission[:, seen[0]], seen[1:])
    path = L.scan(lambda s, b: (b[s], b[s]), n.argmax(best), back, reverse=True)[1]
    return J.value_and_grad(forward)(transition), path


def power_iteration(J, n, L, R):
    a = R.normal(R.key(3), (5, 5))
    a = a @ a.T

    def body(state):
        v, old, i = state
        w = a @ v
        w = w / n.linalg.norm(w)
        return w, v, i + 1

    v = n.ones(5) / n.sqrt(5.0)
    v, _, count = L.while_loop(
        lambda s: (n.linalg.norm(s[0] - s[1]) > 1e-9) & (s[2] < 500), body, (v, n.zeros(5), 0)
    )
    return v @ a @ v, n.linalg.eigvalsh(a)[-1], count < 500


def sinkhorn(J, n, L, R):
    cost = R.uniform(R.key(0), (4, 5))

    def plan(cost):
        k = n.exp(-cost / 0.3)

        def step(uv, _):
            u = 0.25 / (k @ uv[1])
            return (u, 0.2 / (k.T @ u)), None

        (u, v), _ = L.scan(step, (n.ones(4), n.ones(5)), None, length=50)
        return u[:, None] * k * v

    return plan(cost), J.grad(lambda c: n.sum(plan(c) * c))(cost)


def iterative_solvers(J, n, L, R):
    a = R.normal(R.key(0), (6, 6))
    a, b = a @ a.T + 6 * n.eye(6), R.normal(R.key(1), (6,))
    cg = lambda b: J.scipy.sparse.linalg.cg(lambda x: a @ x, b, tol=1e-12)[0]
    return cg(b), J.grad(lambda b: cg(b).sum())(b), n.linalg.solve(a, b)


def least_squares_by_newton(J, n, L, R):
    x = R.normal(R.key(0), (10, 3))
    y = (x @ n.array([1.0, -2.0, 0.5]) > 0).astype(x.dtype)

    def loss(w):
        return n.mean(n.logaddexp(0.0, x @ w) - y * (x @ w)) + 0.05 * w @ w

    step = lambda _, w: w - n.linalg.solve(J.hessian(loss)(w), J.grad(loss)(w))
    return L.fori_loop(0, 8, step, n.zeros(3))


def minimum_of_rosenbrock(J, n, L, R):
    f = lambda x: n.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    found = J.scipy.optimize.minimize(f, n.array([0.5, 0.7]), method="BFGS", tol=1e-9)
    return n.round(found.x, 5), n.abs(found.fun) < 1e-8


def k_means_and_components(J, n, L, R):
    x = R.normal(R.key(0), (20, 2)) + n.array([[3.0, 0], [0, 3.0]])[n.arange(20) % 2]

    def lloyd(_, centers):
        near = n.argmin(n.sum((x[:, None] - centers) ** 2, -1), 1)
        member = J.nn.one_hot(near, 2, dtype=x.dtype)
        return (member.T @ x) / n.maximum(member.sum(0), 1)[:, None]

    centers = L.fori_loop(0, 5, lloyd, x[:2])
    u, s, vt = n.linalg.svd(x - x.mean(0), full_matrices=False)
    return centers, s, n.abs(vt)


def convolutions(J, n, L, R):
    x, w = R.normal(R.key(0), (2, 3, 8, 8)), R.normal(R.key(1), (4, 3, 3, 3))
    smooth = n.convolve(n.arange(8.0), n.ones(3) / 3, mode="same")
    dn = L.conv_dimension_numbers((2, 8, 8, 3), (3, 3, 3, 4), ("NHWC", "HWIO", "NHWC"))
    channels_last = L.conv_general_dilated(
        n.transpose(x, [0, 2, 3, 1]), n.transpose(w, [2, 3, 1, 0]), (2, 2), "SAME", (1, 1), (1, 1), dn
    )
    dilated = L.conv_general_dilated(x, w, (1, 1), "VALID", (1, 1), (2, 2))
    up = L.conv_general_dilated(x, w, (1, 1), ((0, 0), (0, 0)), (2, 2), (1, 1))
    line = L.conv_general_dilated(
        n.arange(12.0).reshape(1, 6, 2),
        n.ones((3, 2, 1)),
        (1,),
        "SAME",
        dimension_numbers=("NWC", "WIO", "NWC"),
    )
    image = J.scipy.signal.convolve2d(x[0, 0], n.array([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16, mode="same")
    return smooth, L.conv(x, w, (1, 1), "SAME"), channels_last, dilated, up, line, image


def life_and_mandelbrot(J, n, L, R):
    board = R.bernoulli(R.key(1), 0.4, (8, 8)).astype("int32")

    def generation(b, _):
        around = sum(n.roll(b, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)
        return ((around == 3) | ((b == 1) & (around == 2))).astype("int32"), b.sum().astype("int64")

    c = n.linspace(-2, 1, 9)[None, :] + 1j * n.linspace(-1, 1, 5)[:, None]

    def escape(_, state):
        z, count = state
        inside = n.abs(z) < 2
        return n.where(inside, z * z + c, z), count + inside

    return L.scan(generation, board, None, length=5), L.fori_loop(
        0, 20, escape, (n.zeros_like(c), n.zeros(c.shape, int))
    )[1]


def densities(J, n, L, R):
    stats = J.scipy.stats
    x = n.linspace(0.1, 0.9, 5)
    logp = stats.norm.logpdf(x, 0.3, 2.0), stats.beta.logpdf(x, 2.0, 3.0), stats.gamma.logpdf(x, 1.5)
    return logp, J.grad(lambda m: stats.norm.logpdf(x, m, 2.0).sum())(0.3), stats.norm.cdf(x)


def fourier(J, n, L, R):
    x = R.normal(R.key(0), (16,))
    low = lambda x: n.fft.irfft(n.fft.rfft(x) * (n.arange(9) < 4), 16)
    return low(x), J.grad(lambda x: n.sum(low(x) ** 2))(x), n.abs(n.fft.fft2(x.reshape(4, 4)))


PROGRAMS = [
    runge_kutta_by_scan, leapfrog_orbits, heat_equation_with_checkpoints, hamiltonian_monte_carlo, metropolis,
    gaussian_process, kalman_filter, hidden_markov_model, power_iteration, sinkhorn, iterative_solvers,
    least_squares_by_newton, minimum_of_rosenbrock, k_means_and_components, convolutions, life_and_mandelbrot,
    densities, fourier,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program(program):
    agree(program)
