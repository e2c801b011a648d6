"""Derivatives in programs: the ways that JAX's tutorials take gradients, Jacobians and Hessians, and custom rules."""

import functools

import pytest
from both import agree


def sigmoid(n, x):
    return 0.5 * (n.tanh(x / 2) + 1)


def logistic_data(n):
    inputs = n.array([[0.52, 1.12, 0.77], [0.88, -1.08, 0.15], [0.52, 0.06, -1.30], [0.74, -2.49, 1.39]])
    return inputs, n.array([True, True, False, True])


def logistic_regression(n):
    inputs, targets = logistic_data(n)

    def loss(w, b):
        p = sigmoid(n, n.dot(inputs, w) + b)
        return -n.sum(n.log(p * targets + (1 - p) * (1 - targets)))

    return loss, n.array([0.3, -0.2, 0.9]), 0.1


def gradients_by_argument(J, n, L, R):
    loss, w, b = logistic_regression(n)
    value, both = J.value_and_grad(loss, (0, 1))(w, b)
    return J.grad(loss)(w, b), J.grad(loss, argnums=1)(w, b), value, both


def gradients_of_a_dict(J, n, L, R):
    loss, w, b = logistic_regression(n)
    params = {"w": w, "b": b}
    step = lambda p: J.tree_util.tree_map(
        lambda a, g: a - 0.1 * g, p, J.grad(lambda q: loss(q["w"], q["b"]))(p)
    )
    for _ in range(3):
        params = step(params)
    return params


def differences_of_a_gradient(J, n, L, R):
    loss, w, b = logistic_regression(n)
    unit = R.normal(R.PRNGKey(0), w.shape)
    unit = unit / n.sqrt(n.vdot(unit, unit))
    eps = 1e-4
    numeric = (loss(w + eps / 2 * unit, b) - loss(w - eps / 2 * unit, b)) / eps
    return n.abs(numeric - n.vdot(J.grad(loss)(w, b), unit)) < 1e-6


def hessian_vector_products(J, n, L, R):
    f = lambda x: n.sum(n.tanh(x) ** 2) * n.exp(x[0, 1])
    x, v = R.normal(R.PRNGKey(1), (3, 2)), R.normal(R.PRNGKey(2), (3, 2))
    reverse_over_reverse = J.grad(lambda x: n.vdot(J.grad(f)(x), v))(x)
    forward_over_reverse = J.jvp(J.grad(f), (x,), (v,))[1]
    reverse_over_forward = J.grad(lambda x: J.jvp(f, (x,), (v,))[1])(x)
    full = n.tensordot(J.hessian(f)(x), v, 2)
    return reverse_over_reverse, forward_over_reverse, reverse_over_forward, full


def jacobians_two_ways(J, n, L, R):
    inputs, _ = logistic_data(n)
    f = lambda w: sigmoid(n, n.dot(inputs, w))
    w = n.array([0.3, -0.2, 0.9])
    tree = J.jacrev(lambda p: f(p["w"]) + p["b"])({"w": w, "b": n.array(0.5)})
    return J.jacfwd(f)(w), J.jacrev(f)(w), tree, J.jacfwd(J.jacrev(lambda w: f(w).sum()))(w)


def matrices_of_jacobian_products(J, n, L, R):
    f = lambda w: n.array([n.sin(w[0]) * w[1], n.exp(w[2]), w.sum()])
    w, m = n.array([0.3, -0.2, 0.9]), R.normal(R.PRNGKey(0), (5, 3))
    y, pull = J.vjp(f, w)
    (pulled,) = J.vmap(pull)(m)
    pushed = J.vmap(lambda s: J.jvp(f, (w,), (s,))[1])(m)
    out, push = J.linearize(f, w)
    return y, pulled, pushed, out, push(m[0])


def complex_derivatives(J, n, L, R):
    z = n.array(3.0 + 4j)
    f = lambda z: n.real(z) ** 2 + n.imag(z) ** 2
    g = lambda x, y: (lambda z: (z * z).real)(x + 1j * y)
    holomorphic = J.grad(n.sin, holomorphic=True)(z)
    anti = J.grad(n.conjugate, holomorphic=True)(z)
    cholesky = J.grad(lambda a: n.linalg.norm(n.linalg.inv(a)))(
        n.array([[5.0, 2 + 3j, 5j], [2 - 3j, 7, 1j], [-5j, -1j, 12]])
    )
    return J.grad(f)(z), J.grad(g, (0, 1))(1.0, 2.0), holomorphic, anti, cholesky


def per_example_gradients(J, n, L, R):
    loss = lambda w, x, y: (sigmoid(n, x @ w) - y) ** 2
    inputs, targets = logistic_data(n)
    w = n.array([0.3, -0.2, 0.9])
    rows = J.jit(J.vmap(J.grad(loss), in_axes=(None, 0, 0)))(w, inputs, targets)
    norms = J.vmap(n.linalg.norm)(rows)
    clipped = rows / n.maximum(1.0, norms / 0.05)[:, None]
    return rows, norms, clipped.mean(0)


def higher_derivatives(J, n, L, R):
    f = lambda x: x**3 + 2 * x**2 - 3 * x + 1
    orders = [f]
    for _ in range(4):
        orders.append(J.grad(orders[-1]))
    return [g(1.3) for g in orders]


def stopped_gradients(J, n, L, R):
    value = lambda theta, s: n.dot(theta, s)

    def td_loss(theta, before, reward, after):
        target = reward + value(theta, after)
        return (L.stop_gradient(target) - value(theta, before)) ** 2

    straight = lambda x: L.stop_gradient(n.round(x) - x) + x
    theta = n.array([0.1, -0.1, 0.0])
    args = n.array([1.0, 2.0, -1.0]), n.array(1.0), n.array([2.0, 1.0, 0.0])
    return J.grad(td_loss)(theta, *args), J.grad(lambda x: straight(x) ** 2)(3.2)


def meta_learning(J, n, L, R):
    """MAML on sinusoids: the gradient through a step of gradient descent, over a batch of tasks."""

    def network(params, x):
        for w, b in params[:-1]:
            x = n.tanh(x @ w + b)
        w, b = params[-1]
        return x @ w + b

    def loss(params, x, y):
        return n.mean((network(params, x) - y) ** 2)

    def adapted(params, x, y):
        return J.tree_util.tree_map(lambda p, g: p - 0.1 * g, params, J.grad(loss)(params, x, y))

    def meta_loss(params, x1, y1, x2, y2):
        tasks = J.vmap(lambda a, b, c, d: loss(adapted(params, a, b), c, d))(x1, y1, x2, y2)
        return n.mean(tasks)

    keys = R.split(R.PRNGKey(3), 8)
    sizes = [(1, 8), (8, 8), (8, 1)]
    params = [(R.normal(k, s) * 0.5, n.zeros(s[1])) for k, s in zip(keys, sizes)]
    amplitude, phase = R.uniform(keys[3], (4, 1, 1)), R.uniform(keys[4], (4, 1, 1))
    x1, x2 = R.uniform(keys[5], (4, 5, 1)), R.uniform(keys[6], (4, 5, 1))
    wave = lambda x: amplitude * n.sin(5 * x + phase)
    return J.value_and_grad(meta_loss)(params, x1, wave(x1), x2, wave(x2))


# Rules of one's own


def log1pexp(J, n):
    @J.custom_jvp
    def f(x):
        return n.log(1.0 + n.exp(x))

    @f.defjvp
    def f_jvp(primals, tangents):
        (x,), (t,) = primals, tangents
        return f(x), (1 - 1 / (1 + n.exp(x))) * t

    return f


def custom_jvp_of_log1pexp(J, n, L, R):
    f = log1pexp(J, n)
    return J.grad(f)(100.0), J.jit(J.grad(f))(3.0), J.vmap(J.jit(J.grad(f)))(n.arange(3.0)), J.hessian(f)(0.5)


def custom_jvps_by_argument(J, n, L, R):
    @J.custom_jvp
    def f(x, y):
        return n.sin(x) * y

    f.defjvps(lambda t, out, x, y: n.cos(x) * t * y, lambda t, out, x, y: n.sin(x) * t)
    return J.jvp(f, (2.0, 3.0), (1.0, 0.5)), J.grad(f, (0, 1))(2.0, 3.0)


def clipped_gradients(J, n, L, R):
    @functools.partial(J.custom_vjp, nondiff_argnums=(0, 1))
    def clip(low, high, x):
        return x

    clip.defvjp(lambda low, high, x: (x, None), lambda low, high, _, g: (n.clip(g, low, high),))
    x = n.linspace(0, 3, 7)
    return J.vmap(J.grad(lambda x: n.sin(clip(-0.75, 0.75, x))))(x), J.grad(
        lambda x: clip(-1, 1, x * 9).sum()
    )(x)


def fixed_point_derivative(J, n, L, R):
    @functools.partial(J.custom_vjp, nondiff_argnums=(0,))
    def fixed_point(f, a, guess):
        far = lambda state: n.abs(state[0] - state[1]) > 1e-10
        return L.while_loop(far, lambda state: (state[1], f(a, state[1])), (guess, f(a, guess)))[1]

    def fwd(f, a, guess):
        star = fixed_point(f, a, guess)
        return star, (a, star)

    def bwd(f, residuals, ct):
        a, star = residuals
        _, pull_a = J.vjp(lambda a: f(a, star), a)

        def step(packed, u):
            a, star, ct = packed
            return ct + J.vjp(lambda x: f(a, x), star)[1](u)[0]

        (a_bar,) = pull_a(fixed_point(step, (a, star, ct), ct))
        return a_bar, n.zeros_like(star)

    fixed_point.defvjp(fwd, bwd)
    root = lambda a: fixed_point(lambda a, x: 0.5 * (x + a / x), a, a)
    return root(2.0), J.grad(root)(2.0), J.grad(J.grad(root))(2.0)


def newton_with_custom_root(J, n, L, R):
    f = lambda x, c: x**3 - c

    def newton(g, x0):
        return L.fori_loop(0, 30, lambda _, x: x - g(x) / J.grad(g)(x), x0)

    def root(c):
        return L.custom_root(lambda x: f(x, c), c / 2, newton, lambda g, y: y / g(n.ones_like(y)))

    return root(8.0), J.grad(root)(8.0), J.vmap(J.grad(root))(n.array([1.0, 2.0, 5.0]))


def linear_solve_with_derivatives(J, n, L, R):
    a = n.array([[4.0, 1.0], [1.0, 3.0]])

    def solve(s, b):
        matvec = lambda x: s * (a @ x)
        return L.custom_linear_solve(matvec, b, lambda mv, b: n.linalg.solve(s * a, b), symmetric=True)

    b = n.array([1.0, 2.0])
    return solve(2.0, b), J.grad(lambda s: solve(s, b).sum())(2.0), J.jacrev(lambda b: solve(2.0, b))(b)


def closures_made_explicit(J, n, L, R):
    def scaled(by):
        f, consts = J.closure_convert(lambda x: by * n.sin(x), 1.0)
        return f(2.0, *consts)

    return J.grad(scaled)(3.0)


def gradient_with_its_function(J, n, L, R):
    @J.custom_gradient
    def f(x):
        return x**2, lambda g: (g * x,)

    return f(3.0), J.grad(f)(3.0)


PROGRAMS = [
    gradients_by_argument, gradients_of_a_dict, differences_of_a_gradient, hessian_vector_products,
    jacobians_two_ways, matrices_of_jacobian_products, complex_derivatives, per_example_gradients,
    higher_derivatives, stopped_gradients, meta_learning, custom_jvp_of_log1pexp, custom_jvps_by_argument,
    clipped_gradients, fixed_point_derivative, newton_with_custom_root, linear_solve_with_derivatives,
    closures_made_explicit, gradient_with_its_function,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program(program):
    agree(program)
