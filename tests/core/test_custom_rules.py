"""custom_jvp and custom_vjp: against JAX, recursion, closures, staleness, and the facts in every error."""

import numpy as np
import pytest
from against_jax import agree, cases, same, says

import fx
from fx import numpy as fnp
from fx.core.errors import ArgumentError, RuleError, ShapeError, TracerError, TreeError

X = np.arange(3.0) + 1
P = {"a": X, "b": X[0]}


def ten_times(F, n):
    f = F.custom_jvp(lambda a, b: n.sin(a) * b)
    f.defjvp(lambda p, t: (f(*p), 10.0 * t[0] * p[1] + t[1] * p[0]))
    return f


def sin_cos(F, n):
    s, c = F.custom_jvp(lambda a: n.sin(a)), F.custom_jvp(lambda a: n.cos(a))
    s.defjvp(lambda p, t: (s(*p), c(*p) * t[0]))
    c.defjvp(lambda p, t: (c(*p), -s(*p) * t[0]))
    return s


def own_rule(F, fun, rule, **options):
    f = F.custom_jvp(fun, **options)
    f.defjvp(lambda p, t: rule(f, p, t))
    return f


def power(F, n):
    p = F.custom_jvp(lambda k, a: a * 0 + n.power(a, k), nondiff_argnums=(0,))
    p.defjvp(lambda k, x, t: (p(k, *x), k * p(k - 1, *x) * t[0] if k else 0.0 * t[0]))
    return p


def reverse_only(F, n):
    f = F.custom_vjp(lambda p, k: {"o": n.sin(p["a"]) * k})

    def bwd(r, ct):
        (cos, k), p = r
        return {"a": ct["o"] * cos * 10, "b": n.ones_like(p["b"])}, (ct["o"] * 2).sum()

    f.defvjp(lambda p, k: (f(p, k), ((n.cos(p["a"]), k), p)), bwd)
    return f


def pair(F, fun, fwd, bwd, **options):
    f = F.custom_vjp(fun, **options)
    f.defvjp(lambda *a: fwd(f, *a), lambda *a: bwd(f, *a))
    return f


def nth(F, f, k):
    for _ in range(k):
        f = F.grad(f)
    return f


AGREE = {
    "jvp": lambda F, n, L: F.grad(lambda a: ten_times(F, n)(a, a * 2).sum())(X),
    "jvp_second": lambda F, n, L: F.hessian(lambda a: ten_times(F, n)(a, a * 2).sum())(X),
    "jvp_vmap_of_grad": lambda F, n, L: F.vmap(F.grad(lambda a, b: ten_times(F, n)(a, b)), (0, None))(
        X, X[1]
    ),
    "jvp_grad_of_vmap": lambda F, n, L: F.grad(lambda x: F.vmap(ten_times(F, n), (0, None))(x, x[0]).sum())(
        X
    ),
    "jvp_jit": lambda F, n, L: F.jit(F.grad(lambda a: F.jit(ten_times(F, n))(a, a * 2).sum()))(X),
    "jvp_scan": lambda F, n, L: F.grad(lambda a: L.scan(lambda c, v: (ten_times(F, n)(c, v), c), a[0], a)[0])(
        X
    ),
    "mutual_recursion": lambda F, n, L: [nth(F, sin_cos(F, n), k)(X[0]) for k in range(5)],
    "mutual_recursion_vmap": lambda F, n, L: F.jit(F.vmap(nth(F, sin_cos(F, n), 3)))(X),
    "recursion": lambda F, n, L: [
        nth(F, own_rule(F, lambda a: n.exp(a), lambda f, p, t: (f(*p), f(*p) * t[0])), k)(X[0])
        for k in range(4)
    ],
    "recursion_in_a_static_argument": lambda F, n, L: [
        nth(F, lambda a: power(F, n)(3, a), k)(X[1]) for k in range(5)
    ],
    "rule_closes_over_traced": lambda F, n, L: F.grad(
        lambda w: F.grad(
            lambda a: own_rule(F, lambda a: a * 2.0, lambda f, p, t: (f(*p), w * w * t[0] * p[0]))(a).sum()
        )(X).sum()
    )(np.float64(3)),
    "rule_closes_over_mapped": lambda F, n, L: F.vmap(
        lambda w: F.grad(
            lambda a: own_rule(F, lambda a: a * 2.0, lambda f, p, t: (f(*p), w * w * t[0] * p[0]))(a).sum()
        )(X)
    )(X),
    "trees": lambda F, n, L: F.jacrev(
        own_rule(
            F,
            lambda p: {"o": p["a"] * 1.0, "q": (p["b"] * 1.0,)},
            lambda f, p, t: (f(*p), {"o": t[0]["a"] * 2, "q": (t[0]["b"] * 3,)}),
        )
    )(P),
    "defaults": lambda F, n, L: F.grad(
        lambda a: own_rule(F, lambda a, b=2.0: a * b, lambda f, p, t: (f(*p), t[0] * 5 * p[1]))(a)
    )(X[0]),
    "vjp": lambda F, n, L: F.grad(lambda p, k: reverse_only(F, n)(p, k)["o"].sum(), (0, 1))(P, X[1]),
    "vjp_second": lambda F, n, L: F.grad(
        lambda p: (F.grad(lambda p, k: reverse_only(F, n)(p, k)["o"].sum())(p, X[1])["a"] ** 2).sum()
    )(P),
    "vjp_vmap_of_grad": lambda F, n, L: F.vmap(
        F.grad(lambda p, k: reverse_only(F, n)(p, k)["o"].sum(), (0, 1)), (None, 0)
    )(P, X),
    "vjp_jit": lambda F, n, L: F.jit(F.grad(F.jit(lambda p: reverse_only(F, n)(p, X[1])["o"].sum())))(P),
    "vjp_scan": lambda F, n, L: F.grad(
        lambda p: L.scan(lambda c, v: ({"a": reverse_only(F, n)(c, v)["o"], "b": c["b"]}, c["a"]), p, X)[0][
            "a"
        ].sum()
    )(P),
    "vjp_checkpoint": lambda F, n, L: F.grad(
        lambda p: F.checkpoint(lambda p: reverse_only(F, n)(p, X[1])["o"].sum())(p)
    )(P),
    "vjp_static": lambda F, n, L: F.grad(
        lambda a: pair(
            F,
            lambda g, a: g(a),
            lambda f, g, a: (f(g, a), a),
            lambda f, g, r, ct: (g(r) * ct,),
            nondiff_argnums=(0,),
        )(n.cos, a)
    )(X[0]),
    "vjp_none": lambda F, n, L: F.grad(
        pair(F, lambda a, b: a * b, lambda f, a, b: (f(a, b), b), lambda f, r, ct: (ct * r, None)), (0, 1)
    )(X[0], X[1]),
    "vjp_recursion": lambda F, n, L: [
        nth(F, pair(F, lambda a: n.exp(a), lambda f, a: (f(a), a), lambda f, r, ct: (ct * f(r),)), k)(X[0])
        for k in range(4)
    ],
}


@cases(AGREE)
def test_like_jax(case):
    agree(case)


def test_vjp_of_an_argument_that_is_not_mapped_sums_over_the_batch():
    f = reverse_only(fx, fnp)
    whole = fx.grad(lambda p: fx.vmap(f, (None, 0))(p, X)["o"].sum())(P)
    each = [fx.grad(lambda p: f(p, k)["o"].sum())(P) for k in X]
    same(whole, {k: sum(np.asarray(g[k]) for g in each) for k in P})


def test_defjvps():
    f = fx.custom_jvp(lambda a, b: a * b)
    f.defjvps(lambda t, out, a, b: t * b * 3, None)
    same(fx.grad(lambda a, b: f(a, b).sum(), (0, 1))(X, X + 1), (3 * (X + 1), 0 * X))


def test_rules_and_functions_may_ask_for_values():
    sign = own_rule(
        fx, lambda a: a if a > 0 else -a, lambda f, p, t: (f(*p), t[0] * 3 if p[0] > 0 else t[0] * 5)
    )
    assert [float(fx.grad(sign)(v)) for v in (2.0, -2.0)] == [3, 5]
    says(TracerError, lambda: fx.jit(fx.grad(sign))(2.0), "test_custom_rules.py", "fx.numpy.where")


def test_python_scalars_do_not_decide_dtypes_in_rules():
    f = pair(
        fx,
        lambda a, k: a * k,
        lambda f, a, k: (f(a, k), (a, k)),
        lambda f, r, ct: (ct * r[1], (ct * r[0]).sum()),
    )
    g = fx.grad(lambda a, k: f(a, k).sum(), (0, 1))(X, 2.0)
    assert g[0].dtype == "float64" and g[1].dtype == "float32"
    zero = own_rule(fx, lambda a: a * 2.0, lambda f, p, t: (f(*p), 0.0))
    assert float(fx.grad(lambda a: fnp.sin(zero(a)) * a)(np.float64(2))) == np.sin(4.0)


def test_rules_see_what_they_close_over_now():
    box = {}
    f = own_rule(fx, lambda a: a * a, lambda f, p, t: (f(*p), t[0] * p[0] * box["w"]))
    g = own_rule(fx, lambda a: f(a), lambda g, p, t: (g(*p), f(p[0]) * t[0]))
    for w in (1.0, 2.0, fx.numpy.asarray(3.0), np.full((), 4.0)):
        box["w"] = w
        assert float(fx.grad(f)(2.0)) == 2 * float(w)
        assert float(fx.grad(fx.grad(f))(2.0)) == float(w)
        assert float(fx.grad(fx.grad(g))(2.0)) == 2 * float(w)
        assert float(fx.grad(fx.grad(fx.grad(g)))(2.0)) == float(w)
        assert float(fx.jit(fx.grad(fx.grad(lambda a: f(a))))(2.0)) == float(w)


def test_rules_defined_anew_are_used():
    f, h = fx.custom_jvp(lambda a: a * a), fx.custom_vjp(lambda a: a * a)
    g = own_rule(fx, lambda a: a, lambda g, p, t: (g(*p), f(p[0]) * t[0]))
    k = pair(fx, lambda a: a, lambda k, a: (k(a), a), lambda k, r, ct: (h(r) * ct,))
    for w in (1.0, 2.0, 3.0):
        f.defjvp(lambda p, t, w=w: (f(*p), t[0] * w * p[0]))
        h.defvjp(lambda a: (h(a), a), lambda r, ct, w=w: (ct * w * r,))
        assert [float(fx.grad(q)(2.0)) for q in (f, h)] == [2 * w, 2 * w]
        assert [float(fx.grad(fx.grad(q))(2.0)) for q in (g, k)] == [2 * w, 2 * w]


def test_static_lists_that_change():
    f = fx.custom_jvp(lambda k, a: a * k[0], static_argnums=0)
    f.defjvp(lambda k, p, t: (f(k, *p), t[0] * k[0] * p[0]))
    static = [1.0]
    for v in (1.0, 2.0, 3.0):
        static[0] = v
        assert float(fx.grad(lambda a: f(static, a))(2.0)) == 2 * v


def test_methods_as_functions_with_rules():
    class Model:
        @fx.custom_jvp
        def f(self, a):
            return a * 2

    f = fx.custom_jvp(lambda m, a: a * 2, static_argnums=0)
    f.defjvp(lambda m, p, t: (f(m, *p), t[0] * 7))
    assert float(fx.grad(lambda a: f(Model(), a))(2.0)) == 7


def bad_jvp(rule, x=1.0):
    return lambda: fx.grad(own_rule(fx, lambda a: a * 2, rule))(x)


def bad_vjp(fwd=lambda f, a: (f(a), a), bwd=lambda f, r, ct: (ct,)):
    return lambda: fx.grad(pair(fx, lambda a: a * 2, fwd, bwd))(1.0)


one = lambda a: reverse_only(fx, fnp)({"a": a, "b": 1.0}, 1.0)["o"]
ERRORS = {
    "forward_mode": (
        RuleError,
        lambda: fx.jvp(one, (X,), (X,)),
        ["reverse_only", "fx.custom_jvp", "reverse mode"],
    ),
    "jacfwd": (RuleError, lambda: fx.jacfwd(one)(X), ["custom_vjp", "fx.custom_jvp"]),
    "vmap_of_jvp": (
        RuleError,
        lambda: fx.vmap(lambda a: fx.jvp(one, (a,), (a,)))(X),
        ["custom_vjp", "fx.custom_jvp"],
    ),
    "no_jvp_rule": (RuleError, lambda: fx.grad(fx.custom_jvp(lambda a: a))(1.0), ["no rule", ".defjvp"]),
    "no_vjp_rule": (RuleError, lambda: fx.custom_vjp(lambda a: a)(1.0), ["no rule", ".defvjp"]),
    "jvp_tree": (
        TreeError,
        bad_jvp(lambda f, p, t: (f(*p), (t[0], t[0]))),
        ["(out, tangent_out)", "(*, (*, *))"],
    ),
    "jvp_no_pair": (TreeError, bad_jvp(lambda f, p, t: f(*p)), ["(out, tangent_out)"]),
    "jvp_shape": (
        ShapeError,
        bad_jvp(lambda f, p, t: (f(*p), t[0] * X)),
        ["tangent_out", "f32[]", "f64[3]", "function's output"],
    ),
    "jvp_dtype": (
        ShapeError,
        bad_jvp(lambda f, p, t: (f(*p), t[0].astype("float64")), np.float32(1)),
        ["f32[]", "f64[]"],
    ),
    "jvp_not_linear": (RuleError, bad_jvp(lambda f, p, t: (f(*p), t[0] * t[0])), ["not linear"]),
    "jvp_not_linear_either": (
        RuleError,
        bad_jvp(lambda f, p, t: (f(*p), fnp.sin(t[0]))),
        ["sin", "not linear"],
    ),
    "jvp_asks_tangent": (
        TracerError,
        bad_jvp(lambda f, p, t: (f(*p), t[0] if t[0] > 0 else -t[0])),
        ["jvp rule", "fx.numpy.where"],
    ),
    "vjp_count": (TreeError, bad_vjp(bwd=lambda f, r, ct: (ct, ct)), ["tuple of 1", "(*, *)", "None"]),
    "vjp_bare": (TreeError, bad_vjp(bwd=lambda f, r, ct: ct), ["tuple of 1"]),
    "vjp_shape": (
        ShapeError,
        bad_vjp(bwd=lambda f, r, ct: (ct * X,)),
        ["cotangent[0]", "f32[]", "its argument", "f64[3]"],
    ),
    "vjp_tree": (TreeError, bad_vjp(bwd=lambda f, r, ct: ({"a": ct},)), ["cotangent 0", "'a'"]),
    "fwd_no_pair": (TreeError, bad_vjp(fwd=lambda f, a: f(a)), ["(out, residuals)"]),
    "fwd_shape": (ShapeError, bad_vjp(fwd=lambda f, a: (f(a) * X, a)), ["fwd rule", "f64[3]"]),
    "fwd_text": (ArgumentError, bad_vjp(fwd=lambda f, a: (f(a), "abc")), ["'abc'"]),
    "jvp_closure": (
        RuleError,
        lambda: fx.grad(lambda w: own_rule(fx, lambda a: a * w, lambda f, p, t: (f(*p), t[0]))(1.0))(2.0),
        ["closes over", "pass it to the function as an argument"],
    ),
    "vjp_closure": (
        RuleError,
        lambda: fx.grad(
            lambda w: pair(fx, lambda a: a * w, lambda f, a: (f(a), a), lambda f, r, t: (t,))(1.0)
        )(2.0),
        ["closes over", "argument"],
    ),
    "argument": (
        ArgumentError,
        lambda: fx.grad(lambda a: ten_times(fx, fnp)("abc", a))(1.0),
        ["argument[0]", "'abc'"],
    ),
    "missing_argument": (ArgumentError, lambda: fx.grad(lambda a: ten_times(fx, fnp)(a))(1.0), ["'b'"]),
    "keyword_only": (
        ArgumentError,
        lambda: fx.grad(own_rule(fx, lambda a, *, k: a, lambda f, p, t: (f(*p), t[0])))(1.0, k=2.0),
        ["['k']"],
    ),
    "static_argnums": (
        ArgumentError,
        lambda: fx.grad(own_rule(fx, lambda a: a, lambda f, p, t: (p[0], t[0]), static_argnums=4))(1.0),
        ["static_argnums=4", "1 positional"],
    ),
    "no_function": (ArgumentError, lambda: fx.custom_jvp(3), ["custom_jvp takes a function"]),
}


@pytest.mark.parametrize("error, call, facts", ERRORS.values(), ids=ERRORS.keys())
def test_errors_say(error, call, facts):
    says(error, call, *facts)
