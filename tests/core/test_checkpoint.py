"""checkpoint: same results and derivatives, real recomputation, policies, randomness, errors."""

import numpy as np
import pytest
from against_jax import agree, cases, same, says

import fx
from fx import checkpoint_policies as policies, numpy as fnp
from fx.core.errors import ArgumentError

X = np.ones((2, 3))
P = {"w": np.random.default_rng(0).normal(size=(3, 3))}
V = np.arange(3.0) + 1


def net(n):
    def f(p, x, *, k=2.0):
        h = n.tanh(n.sin(x @ p["w"]) @ p["w"] * k)
        return {"o": h, "s": (h**2).sum()}, x * 1.0

    return f


AGREE = {
    "keywords_and_trees": lambda F, n, L: F.grad(lambda p: F.checkpoint(net(n))(p, X, k=1.5)[0]["s"])(P),
    "vmap_of_grad": lambda F, n, L: F.vmap(
        F.grad(lambda p, x: F.checkpoint(net(n))(p, x)[0]["s"]), (None, 0)
    )(P, np.stack([X, X * 2])),
    "jvp": lambda F, n, L: F.jvp(lambda p: F.checkpoint(net(n))(p, X), (P,), (P,)),
    "forward_over_reverse": lambda F, n, L: F.hessian(lambda p: F.checkpoint(net(n))(p, X)[0]["s"])(P),
    "nested_jit": lambda F, n, L: F.jit(
        F.grad(lambda p: F.checkpoint(lambda p: F.checkpoint(F.jit(net(n)))(p, X)[0]["s"] * 2)(p))
    )(P),
    "closure_over_traced": lambda F, n, L: F.grad(
        lambda p: F.checkpoint(lambda x: (n.sin(x @ p["w"]) ** 2).sum())(X * p["w"].sum())
    )(P),
}


@cases(AGREE)
def test_like_jax(case):
    agree(case)


SECOND_ORDER = {
    "none": None,
    "everything": policies.everything_saveable,
    "nothing": policies.nothing_saveable,
    "dots": policies.dots_saveable,
    "dots_no_batch": policies.dots_with_no_batch_dims_saveable,
}


@cases(SECOND_ORDER)
def test_reverse_over_reverse_under_every_policy(case):
    f = lambda p: net(fnp)(p, X)[0]["s"]
    region = fx.checkpoint(f, policy=case)
    same(fx.grad(region)(P), fx.grad(f)(P))
    v = {"w": np.ones((3, 3))}
    twice = lambda f: fx.grad(lambda p: (fx.grad(f)(p)["w"] * v["w"]).sum())(P)
    same(twice(region), twice(f))


def named(x):
    h = fx.checkpoint_name(fnp.sin(x), "h")
    g = fx.checkpoint_name(fnp.cos(h), "g")
    return (fnp.sin(g) * h).sum()


def recomputed(policy, f=named):
    """How often each of sin and cos stands in the region that runs again."""
    program = fx.make_program(fx.grad(fx.checkpoint(f, policy=policy)))(V)
    (again,) = [e for e in program.equations if e.primitive.name == "recompute"]
    names = [e.primitive.name for e in again.params["program"].equations]
    return names.count("sin") + names.count("cos")


def test_policies_decide_what_runs_again():
    whole = recomputed(None)
    keep_h, keep_g = policies.save_only_these_names("h"), policies.save_only_these_names("g")
    assert recomputed(policies.everything_saveable) == 0
    assert recomputed(policies.nothing_saveable) == whole
    assert recomputed(keep_h) == recomputed(keep_g) == whole - 1
    assert recomputed(policies.save_any_names_but_these("g")) == whole - 1
    assert recomputed(policies.save_anything_except_these_names("zz")) == 0
    assert recomputed(policies.save_from_both_policies(keep_h, keep_g)) == whole - 2
    assert recomputed(policies.save_where_all_agree(keep_h, keep_g)) == whole
    assert recomputed(lambda eqn: eqn.primitive.name == "sin") < whole


@cases({"none": None, "h": policies.save_only_these_names("h"), "g": policies.save_only_these_names("g")})
def test_names_change_no_derivative(case):
    same(fx.grad(fx.checkpoint(named, policy=case))(V), fx.grad(named)(V))


def test_recomputation_is_real():
    calls = []
    host = lambda x: fx.pure_callback(
        lambda v: (calls.append(1), np.sin(v))[1], fx.ShapeDtype((3,), "float64"), x
    )
    f = fx.custom_jvp(host)
    f.defjvp(lambda p, t: (f(*p), fnp.cos(p[0]) * t[0]))
    for wrap, runs in ((lambda f: f, 1), (fx.checkpoint, 2)):
        calls.clear()
        same(fx.grad(wrap(lambda x: (f(x) ** 2).sum()))(V), 2 * np.sin(V) * np.cos(V))
        assert len(calls) == runs


def test_recompute_is_visible_with_user_lines():
    program = fx.make_program(fx.grad(fx.checkpoint(lambda x: fnp.sin(fnp.sin(x)).sum())))(V)
    text = str(program)
    assert "recompute" in text and text.count("sin") >= 1 and "test_checkpoint.py" in text
    assert len(program.equations) == 1


def test_random_numbers_are_the_same_when_recomputed():
    key = fx.random.key(3)
    f = lambda x: (x * fx.random.normal(key, (3,), dtype="float64")).sum() ** 2
    same(fx.grad(fx.checkpoint(f))(V), fx.grad(f)(V))


def test_arguments_that_are_no_arrays():
    f = lambda a, n, s, m: a**n * (2 if s == "k" else 1) + m["q"]
    assert float(fx.grad(lambda a: fx.checkpoint(f, static_argnums=2)(a, 3, "k", {"q": 1}))(2.0)) == 24
    assert float(fx.grad(lambda a: fx.checkpoint(lambda a, s: a * len(s))(a, "abc"))(2.0)) == 3
    assert float(fx.grad(fx.checkpoint(lambda a: a * a if a > 0 else a))(3.0)) == 6


def test_as_decorator():
    @fx.checkpoint
    def f(x):
        return fnp.sin(x).sum()

    @fx.checkpoint(policy=policies.dots_saveable)
    def g(x):
        return fnp.sin(x).sum()

    same((f(V), fx.grad(f)(V), fx.grad(g)(V)), (np.sin(V).sum(), np.cos(V), np.cos(V)))
    assert fx.remat is fx.checkpoint


ERRORS = {
    "static": (
        lambda: fx.grad(fx.checkpoint(lambda a: a, static_argnums=3))(1.0),
        ["static_argnums=3", "1 positional"],
    ),
    "policy": (lambda: fx.checkpoint(lambda a: a, policy="all"), ["policy='all'", "fx.checkpoint_policies"]),
    "output": (lambda: fx.grad(fx.checkpoint(lambda a: "abc"))(2.0), ["checkpoint", "'abc'"]),
    "name": (lambda: fx.checkpoint_name(1.0, 3), ["string", "3"]),
    "names": (lambda: policies.save_only_these_names(3), ["strings", "3"]),
    "no_function": (lambda: fx.checkpoint(3), ["checkpoint takes a function"]),
}


@pytest.mark.parametrize("call, facts", ERRORS.values(), ids=ERRORS.keys())
def test_errors_say(call, facts):
    says(ArgumentError, call, *facts)
