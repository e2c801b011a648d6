"""Control flow, indexing, pytrees and random numbers: the sharp bits, as JAX's tutorials show them."""

import collections
import functools

import pytest
from both import FX, JAX, agree


def updates_in_place(J, n, L, R):
    x = n.zeros((5, 6))
    y = x.at[1, :].set(1.0).at[:, 2].add(7.0)[::2, 3:].sum()
    z = x.at[n.array([0, 0, 2])].add(1.0).at[3].multiply(3).at[4, 5].max(2.0).at[1].min(-1.0)
    w = n.arange(5.0).at[::2].divide(2).at[1].power(3.0).at[2].apply(n.sin)
    return y, z, w, x.at[0].get(), J.grad(lambda v: (n.zeros(4).at[1].set(v) ** 2).sum())(3.0)


def indices_out_of_bounds(J, n, L, R):
    x = n.arange(10.0)
    read = x.at[11].get(mode="clip"), x.at[n.array([2, 12])].get(mode="fill", fill_value=-1)
    return read, x.at[n.array([3, 20])].add(1.0, mode="drop"), x.at[n.array([9, 12])].set(1.0, mode="clip")


def numpy_indexing(J, n, L, R):
    x = n.arange(24.0).reshape(2, 3, 4)
    i = n.array([0, 2, 1])
    return (
        x[:, i],
        x[..., 1],
        x[0, 1:, ::-1],
        x[:, None, i, -1],
        x[n.array([0, 1]), n.array([1, 2])],
        n.where(x > 4, x, 0),
    )


def loops_of_every_kind(J, n, L, R):
    down = L.while_loop(lambda s: s[0] > 0.5, lambda s: (s[0] / 2, s[1] + 1), (10.0, 0))
    total = L.fori_loop(0, 10, lambda i, s: s + i, 5)
    prefix = L.scan(lambda c, x: (c + x, c * x), 0.0, n.arange(4.0))
    back = L.scan(lambda c, x: (c + x, c), 0.0, n.arange(4.0), reverse=True)
    mapped = L.map(lambda x: x**2, n.arange(5.0))
    doubled = (
        L.associative_scan(n.add, n.arange(6.0)),
        L.associative_scan(n.multiply, n.arange(1.0, 6.0), reverse=True),
    )
    return down, total, prefix, back, mapped, doubled


def branches_of_every_kind(J, n, L, R):
    either = lambda x: L.cond(x > 0, lambda x: x + 1, lambda x: x - 1, x)
    by_keyword = L.cond(True, lambda o: o * 2, lambda o: o, operand=n.array([3.0]))
    chosen = lambda i: L.switch(i, [lambda x: x, lambda x: x**2, lambda x: x**3], 2.0)
    pick = lambda i: L.select(i > 1, n.ones(2), n.zeros(2))
    nested = L.cond(True, lambda t: {"a": t[0], "b": t[1]}, lambda t: {"a": t[1], "b": t[0]}, (1.0, 2.0))
    gradient = J.vmap(J.grad(either))(n.array([-1.0, 2.0]))
    return (
        either(1.0),
        either(-1.0),
        by_keyword,
        [chosen(i) for i in (-5, 0, 1, 2, 9)],
        pick(2),
        nested,
        gradient,
    )


def gradients_through_loops(J, n, L, R):
    power = lambda x: L.fori_loop(0, 5, lambda i, s: s * x, 1.0)
    scanned = lambda x: L.scan(lambda c, _: (n.sin(c), c), x, None, length=4)[1].sum()
    heron = lambda a: L.fori_loop(0, 8, lambda _, x: 0.5 * (x + a / x), a)
    return (
        J.grad(power)(1.5),
        J.grad(scanned)(0.3),
        J.jacfwd(heron)(2.0),
        J.grad(heron)(2.0),
        J.hessian(power)(1.5),
    )


def compiled_with_static_arguments(J, n, L, R):
    @functools.partial(J.jit, static_argnames=("n_steps",))
    def polynomial(x, n_steps):
        out = 0.0
        for i in range(n_steps):
            out = out + x**i
        return out

    @functools.partial(J.jit, static_argnums=(1,))
    def branch(x, flag):
        return x if flag else -x

    return polynomial(2.0, n_steps=4), branch(3.0, True), branch(3.0, False)


def safe_where(J, n, L, R):
    bad = lambda x: n.where(x > 0, n.sqrt(x), 0.0)
    good = lambda x: n.where(x > 0, n.sqrt(n.where(x > 0, x, 1.0)), 0.0)
    return J.grad(bad)(4.0), J.grad(good)(0.0), J.grad(good)(4.0), J.grad(lambda x: J.nn.softplus(x))(500.0)


def trees(J, n, L, R):
    Point = collections.namedtuple("Point", ["x", "y"])
    tree = {"a": [1.0, (2.0, n.arange(3.0))], "b": Point(n.ones(2), None)}
    tu = J.tree_util
    leaves, treedef = tu.tree_flatten(tree)
    again = tu.tree_unflatten(treedef, [x * 2 for x in leaves])
    added = tu.tree_map(lambda x, y: x + y, tree, again)
    total = tu.tree_reduce(lambda acc, x: acc + n.sum(x), tree, 0.0)
    transposed = tu.tree_transpose(tu.tree_structure([0, 0]), tu.tree_structure({"u": 0, "v": 0}),
                                   [{"u": 1.0, "v": 2.0}, {"u": 3.0, "v": 4.0}])  # fmt: skip
    vector, unravel = J.flatten_util.ravel_pytree(tree)
    named = [tu.keystr(path) for path, _ in tu.tree_flatten_with_path(tree)[0]]
    assert named == ["['a'][0]", "['a'][1][0]", "['a'][1][1]", "['b'].x"]
    return again, added, total, transposed, vector, unravel(vector * 3), n.array(tu.tree_all({"x": True}))


def registered_nodes(J, n, L, R):
    class Pair:
        def __init__(self, a, b, name):
            self.a, self.b, self.name = a, b, name

    J.tree_util.register_pytree_node(
        Pair, lambda p: ((p.a, p.b), p.name), lambda name, children: Pair(*children, name)
    )
    swapped = J.jit(lambda p: Pair(p.b, p.a + 1, p.name))(Pair(n.ones(2), n.zeros(3), "p"))
    g = J.grad(lambda p: n.sum(p.a**2) + p.b.sum())(Pair(n.ones(2), n.zeros(3), "p"))
    return swapped.a, swapped.b, g.a, g.b


def partial_functions_as_values(J, n, L, R):
    f = J.tree_util.Partial(lambda a, x: a * n.sin(x), n.array(3.0))
    return J.jit(lambda f, x: f(x))(f, 2.0), J.grad(lambda f: f(2.0))(f).args[0]


def random_numbers(J, n, L, R):
    key = R.PRNGKey(42)
    key, sub = R.split(key)
    a, b, c = R.split(sub, 3)
    shuffled = R.permutation(a, n.arange(8))
    chosen = R.choice(b, n.arange(10.0), (4,), replace=False)
    folded = R.uniform(R.fold_in(c, 7), (3,))
    return (
        R.normal(key, (3,)),
        shuffled,
        chosen,
        folded,
        R.randint(a, (5,), 0, 10, "int32"),
        R.bernoulli(b, 0.3, (6,)),
    )


def more_random_numbers(J, n, L, R):
    keys = R.split(R.key(1), 8)
    matrix = n.array([[2.0, 0.3], [0.3, 1.0]])
    return (
        R.exponential(keys[0], (3,)), R.gumbel(keys[1], (3,)), R.laplace(keys[2], (3,)), R.cauchy(keys[3], (3,)),
        R.truncated_normal(keys[4], -1.0, 2.0, (3,)),
        R.categorical(keys[5], n.array([0.1, 2.0, 0.3]), shape=(5,)).astype("int64"),
        R.multivariate_normal(keys[6], n.zeros(2), matrix, (3,)), R.rademacher(keys[7], (4,), "int32"),
    )  # fmt: skip


def mapped_in_every_way(J, n, L, R):
    x, y = n.arange(6.0).reshape(2, 3), n.arange(12.0).reshape(3, 4)
    product = J.vmap(J.vmap(n.vdot, (None, 1)), (0, None))(x, y)
    named = J.vmap(lambda d: d["a"] * d["b"], in_axes=({"a": 0, "b": None},), out_axes=1)(
        {"a": x, "b": n.ones(3)}
    )
    vectorized = n.vectorize(lambda a, b: a @ b, signature="(k),(k)->()")(x, n.ones((2, 3)))
    return product, named, vectorized


def shapes_without_values(J, n, L, R):
    out = J.eval_shape(lambda x: {"y": x @ x.T}, J.ShapeDtypeStruct((3, 4), "float32"))
    assert (out["y"].shape, str(out["y"].dtype)) == ((3, 3), "float32")
    assert J.typeof(n.ones((2, 3))).shape == (2, 3)
    assert "sin" in str(J.make_jaxpr(n.sin)(1.0))
    assert J.device_count() >= 1
    assert J.process_count() == 1
    assert J.process_index() == 0
    assert len(J.local_devices()) == J.local_device_count()
    return J.block_until_ready(n.ones(2)), J.device_get(n.ones(2)), J.device_put(n.ones(2))


def switched_modes(J, n, L, R):
    with J.disable_jit():
        a = J.jit(lambda x: x + 1 if x > 0 else x)(2.0)
    f = J.jit(lambda x: J.named_call(n.sin, name="wave")(x))
    with J.default_matmul_precision("float32"):
        b = n.ones((2, 2)) @ n.ones((2, 2))
    with J.ensure_compile_time_eval():
        c = n.sum(n.arange(4.0))
    forward, backward = J.fwd_and_bwd(lambda x, y: x * n.sin(y), argnums=(0, 1))
    value, pull = forward(2.0, 3.0)
    return a, f(1.0), b, c, value, backward(pull, 1.0)


WHOLE = [
    updates_in_place, indices_out_of_bounds, numpy_indexing, loops_of_every_kind, branches_of_every_kind,
    gradients_through_loops, compiled_with_static_arguments, safe_where, trees, registered_nodes,
    partial_functions_as_values, random_numbers, more_random_numbers, mapped_in_every_way,
]  # fmt: skip


@pytest.mark.parametrize("program", WHOLE, ids=lambda p: p.__name__)
def test_program(program):
    agree(program)


@pytest.mark.parametrize("program", [shapes_without_values, switched_modes], ids=lambda p: p.__name__)
def test_program_with_values(program):
    agree(program, whole=False)


def arrays_are_not_written(J, n, L, R):
    n.zeros(3)[0] = 1.0


def branching_on_traced_values(J, n, L, R):
    J.jit(lambda x: 1 if x > 0 else 2)(1.0)


def carries_that_change(J, n, L, R):
    L.scan(lambda c, x: (n.concatenate([c, c]), x), n.ones(2), n.arange(3.0))


def two_dtypes(J, n, L, R):
    L.add(n.ones(3, "float32"), n.ones(3, "float16"))


def two_ranks(J, n, L, R):
    L.add(n.ones((2, 3)), n.ones(3))


def integers_without_derivative(J, n, L, R):
    J.grad(lambda x: x * 2)(n.array(3))


@pytest.mark.parametrize(
    "program",
    [arrays_are_not_written, branching_on_traced_values, carries_that_change, two_dtypes, two_ranks,
     integers_without_derivative],
    ids=lambda p: p.__name__,
)  # fmt: skip
@pytest.mark.parametrize("names", [FX, JAX], ids=["fx", "jax"])
def test_both_refuse(program, names):
    with pytest.raises((TypeError, ValueError)):
        program(*names)
