"""grad, value_and_grad, vjp, jvp, linearize, linear_transpose: against JAX, and the facts in every error."""

import numpy as np
import pytest
from against_jax import agree, cases, same, says

import fx
from fx import numpy as fnp
from fx.core.errors import ArgumentError, DTypeError, RuleError, ShapeError, TreeError

X = np.arange(3.0) + 1
Z = np.array([1 + 2j, 3 - 1j])

AGREE = {
    "argnums_tuple": lambda F, n, L: F.grad(lambda a, b, c: (a * b * c).sum(), argnums=(2, 0))(
        X, X + 1, X + 2
    ),
    "argnums_negative": lambda F, n, L: F.grad(lambda a, b, c: (a * b * c * c).sum(), argnums=-1)(
        X, X + 1, X + 2
    ),
    "pytree": lambda F, n, L: F.value_and_grad(lambda p: (p["a"][0] * p["a"][1]).sum())(
        {"a": (X, X + 2), "z": []}
    ),
    "aux": lambda F, n, L: F.value_and_grad(lambda p: ((p**2).sum(), {"k": p * 2, "n": 3}), has_aux=True)(X),
    "holomorphic": lambda F, n, L: F.grad(lambda z: n.sin(z) * z, holomorphic=True)(np.complex128(1 + 2j)),
    "complex_to_real": lambda F, n, L: F.grad(lambda z: (n.abs(z) ** 2 * n.real(z) + n.imag(z * z)).sum())(Z),
    "complex_vjp": lambda F, n, L: F.vjp(lambda z: n.exp(z) * z, Z)[1](np.array([1j, 2 - 1j])),
    "complex_jvp": lambda F, n, L: F.jvp(lambda z: n.exp(z) * z, (Z,), (Z * 1j,)),
    "dtype_of_the_leaf": lambda F, n, L: F.grad(lambda p: (p["a"].astype("float64") * p["b"]).sum())(
        {"a": X.astype("float32"), "b": X}
    ),
    "float16": lambda F, n, L: F.grad(lambda p: (p * p).sum().astype("float32"))(X.astype("float16")),
    "keyword": lambda F, n, L: F.grad(lambda a, b=2.0: (a * b).sum())(X, b=np.float64(3)),
    "identity": lambda F, n, L: F.grad(lambda a: a)(np.float64(3)),
    "constant": lambda F, n, L: F.grad(lambda a: np.float64(3))(X),
    "third": lambda F, n, L: F.grad(F.grad(F.grad(lambda t: n.exp(t) * n.sin(t))))(np.float64(1.0)),
    "forward_over_reverse": lambda F, n, L: F.jvp(F.grad(lambda t: n.sum(n.exp(t) * n.sin(t))), (X,), (X,)),
    "closure_over_outer": lambda F, n, L: F.grad(lambda a: F.grad(lambda b: a * b * b)(a * 2))(
        np.float64(1.5)
    ),
    "perturbations_stay_apart": lambda F, n, L: F.grad(
        lambda a: a * F.jvp(lambda b: a * b, (np.float64(1),), (np.float64(1),))[1]
    )(np.float64(1.5)),
    "linearize": lambda F, n, L: F.linearize(lambda p: n.sin(p) * p, X)[1](X),
    "linear_transpose": lambda F, n, L: F.linear_transpose(
        lambda p: (p[0] * 2 + p[1].sum(), p[1] * 3), (X, np.ones((2, 3)))
    )((X, np.ones((2, 3)))),
    "vjp_aux": lambda F, n, L: (lambda r: (r[0], r[1](X), r[2]))(
        F.vjp(lambda a: (a * a, a.sum()), X, has_aux=True)
    ),
    "jvp_aux": lambda F, n, L: F.jvp(lambda a: (a * a, a.sum()), (X,), (X,), has_aux=True),
    "grad_inside_jit_of_the_identity": lambda F, n, L: F.jit(lambda a: F.grad(lambda b: b)(a) * a)(
        np.float64(2)
    ),
    "stop_gradient": lambda F, n, L: F.grad(lambda a: (a * (F if F is fx else L).stop_gradient(a)).sum())(X),
}


@cases(AGREE)
def test_like_jax(case):
    agree(case)


def test_argnames():
    f = lambda a, b, c: a * b * c
    assert float(fx.grad(f, argnames="c")(1.0, 2.0, c=3.0)) == 2
    assert float(fx.grad(f, argnames="b")(1.0, 2.0, 3.0)) == 3
    same(fx.grad(f, argnums=0, argnames="c")(1.0, 2.0, c=3.0), (6.0, 2.0))
    same(fx.grad(f, argnames=("c", "a"))(1.0, 2.0, c=3.0), (6.0, 2.0))


def test_argnums_of_any_integer_type():
    assert float(fx.grad(lambda a, b: a * b, argnums=np.int64(1))(3.0, 2.0)) == 3
    assert fx.grad(lambda a: a, argnums=())(1.0) == ()


def test_allow_int_gives_zeros_for_integer_leaves():
    g = fx.grad(lambda p: p["n"] * p["x"] * 1.0, allow_int=True)({"n": 3, "x": 2.0})
    assert float(g["n"]) == 0 and float(g["x"]) == 3


def test_aux_may_hold_anything():
    g, aux = fx.grad(
        lambda a: (a * a, {"text": "abc", "traced": a + 1, "none": None, "f": len}), has_aux=True
    )(2.0)
    assert float(g) == 4 and aux["text"] == "abc" and aux["f"] is len and float(aux["traced"]) == 3


def test_gradients_are_strong_and_keep_float32():
    assert repr(fx.grad(lambda x: x**3)(2.0)) == "Array(12., float32)"
    assert fx.grad(lambda x: (x * np.float64(2)).sum())(np.ones(2, "float32")).dtype == "float32"


def test_linearized_function_does_no_primal_work_again():
    calls = []

    def f(x):
        seen = fx.pure_callback(
            lambda v: (calls.append(1), v)[1], fx.ShapeDtype((3,), "float64"), fx.stop_gradient(x)
        )
        return fnp.sin(x) * seen

    _, push = fx.linearize(f, X)
    first, second = push(X), push(2 * X)
    assert len(calls) == 1
    same(second, 2 * first)


def test_vjp_function_is_reusable_and_takes_weak_cotangents():
    out, pull = fx.vjp(lambda a: {"o": a * 2}, X)
    same(pull({"o": X}), (2 * X,))
    same(pull({"o": X}), pull(out)[0] / 2)
    assert fx.vjp(lambda a: a * 2, np.float64(1))[1](1)[0].dtype == "float64"


def test_user_arrays_are_not_aliased_by_what_vjp_keeps():
    x, w = np.ones(3), np.full(3, 2.0)
    out, pull = fx.vjp(lambda a: a * a * w, x)
    _, push = fx.linearize(lambda a: a * a * w, x)
    x[:], w[:] = 100, 7
    same((out, pull(np.ones(3))[0], push(np.ones(3))), (np.full(3, 2.0), np.full(3, 4.0), np.full(3, 4.0)))


def test_linear_transpose_takes_shapes_alone():
    t = fx.linear_transpose(lambda a: a.sum() * 2, fx.ShapeDtype((3,), "float64"))
    same(t(1.0), (np.full(3, 2.0),))


P = {"k": {"z": 3}}
ERRORS = {
    "vector_output": (
        ShapeError,
        lambda: fx.grad(lambda a: a * 2)(X),
        ["f64[3]", "test_gradient.py", ".sum()", "fx.jacrev"],
    ),
    "tree_output": (
        ShapeError,
        lambda: fx.grad(lambda a: (a.sum(), 1.0))(X),
        ["(*, *)", "has_aux=True", "fx.jacobian"],
    ),
    "no_output": (ShapeError, lambda: fx.grad(lambda a: None)(X), ["None", "Return one scalar"]),
    "integer_input": (
        DTypeError,
        lambda: fx.grad(lambda p: p["k"]["z"] * 1.0)(P),
        ["p['k']['z']", "i64[]", "allow_int"],
    ),
    "integer_output": (
        DTypeError,
        lambda: fx.grad(lambda p: (p > 0).sum())(X),
        ["i64[]", "test_gradient.py", ".astype"],
    ),
    "bool_output": (DTypeError, lambda: fx.grad(lambda p: p > 0)(1.0), ["bool[]", ".astype"]),
    "text_output": (ArgumentError, lambda: fx.grad(lambda p: "abc")(1.0), ["the output", "'abc'"]),
    "text_input": (ArgumentError, lambda: fx.grad(lambda p: 1.0)({"a": "abc"}), ["p['a']", "str 'abc'"]),
    "no_arguments": (ArgumentError, lambda: fx.grad(lambda: 1.0)(), ["argnums=0", "0 positional"]),
    "argnums_too_large": (
        ArgumentError,
        lambda: fx.grad(lambda a: a, argnums=3)(1.0),
        ["argnums=3", "argnames"],
    ),
    "argnums_float": (ArgumentError, lambda: fx.grad(lambda a: a, argnums=1.5)(1.0), ["1.5"]),
    "argnums_twice": (
        ArgumentError,
        lambda: fx.grad(lambda a, b: a * b, argnums=(0, 0))(1.0, 2.0),
        ["twice", "'a'"],
    ),
    "argnames_unknown": (ArgumentError, lambda: fx.grad(lambda a: a, argnames="q")(1.0), ["argnames='q'"]),
    "complex_output": (
        DTypeError,
        lambda: fx.grad(lambda a: a * 1j)(1.0),
        ["c64[]", ".real", "holomorphic=True"],
    ),
    "holomorphic_of_real": (
        DTypeError,
        lambda: fx.grad(lambda a: a, holomorphic=True)(1.0),
        ["complex", "f32[]"],
    ),
    "aux_missing": (TreeError, lambda: fx.grad(lambda a: a, has_aux=True)(1.0), ["(value, aux)"]),
    "aux_vector": (ShapeError, lambda: fx.grad(lambda a: (a * X, 1), has_aux=True)(1.0), ["f64[3]"]),
    "cotangent_shape": (
        ShapeError,
        lambda: fx.vjp(lambda a: {"o": a}, X)[1]({"o": np.ones(4)}),
        ["['o']", "(4,)", "(3,)"],
    ),
    "cotangent_tree": (
        TreeError,
        lambda: fx.vjp(lambda a: {"o": a}, X)[1](X),
        ["the cotangent", "dict with keys 'o'"],
    ),
    "cotangent_dtype": (
        DTypeError,
        lambda: fx.vjp(lambda a: a, X)[1](np.ones(3, "f4")),
        ["float32", ".astype(float64)"],
    ),
    "cotangent_text": (
        ArgumentError,
        lambda: fx.vjp(lambda a: {"o": a}, X)[1]({"o": "abc"}),
        ["['o']", "'abc'"],
    ),
    "tangent_shape": (
        ShapeError,
        lambda: fx.jvp(lambda a: a, (X,), (np.ones(2),)),
        ["tangents", "(2,)", "(3,)"],
    ),
    "tangents_no_tuple": (TreeError, lambda: fx.jvp(lambda a: a, X, X), ["fx.jvp(f, (x,), (dx,))"]),
    "tangents_too_many": (TreeError, lambda: fx.jvp(lambda a: a, (X,), (X, X)), ["length 1", "length 2"]),
    "linearized_too_many": (
        TreeError,
        lambda: fx.linearize(lambda a: a, X)[1](X, X),
        ["length 1", "length 2"],
    ),
    "not_linear": (RuleError, lambda: fx.linear_transpose(lambda a: a * a, X)(X), ["not linear", "f64[3]"]),
    "not_linear_function": (RuleError, lambda: fx.linear_transpose(fnp.sin, X)(X), ["sin", "not linear"]),
    "no_function": (ArgumentError, lambda: fx.grad(3), ["grad takes a function", "int"]),
    "no_function_vjp": (ArgumentError, lambda: fx.vjp(3, 1.0), ["vjp takes a function"]),
}


@pytest.mark.parametrize("error, call, facts", ERRORS.values(), ids=ERRORS.keys())
def test_errors_say(error, call, facts):
    says(error, call, *facts)


def test_traced_values_have_every_method_of_arrays():
    """No attribute of a tracer's own hides a method: x.trace() is the sum of the diagonal."""
    methods = {name for name, value in vars(fx.Array).items() if callable(value) and not name.startswith("_")}
    assert "trace" in methods and not methods & set(type_of_tracers().__slots__)
    assert fx.grad(lambda x: (x @ x).trace())(fx.numpy.ones((2, 2))).tolist() == [[2, 2], [2, 2]]


def type_of_tracers():
    found = []
    fx.jit(lambda x: found.append(type(x)) or x)(1.0)
    return found[0]
