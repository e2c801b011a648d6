"""The IR: printer, checker (each rule violated on purpose), structural key, source lines. No array is computed."""

import inspect

import numpy as np
import pytest
from against_jax import same

import fx
from fx import lax, numpy as fnp
from fx.core.avals import Aval
from fx.core.program import Equation, Program, ProgramError, Var, check, prune, used_inputs
from fx.core.structure import Literal
from fx.primitives.elementwise import add, mul, sin

F3 = Aval((3,), np.dtype("float32"))
S3 = fx.ShapeDtype((3,), "float32")


def program(*, inputs=None, equations=None, outputs=None, consts=()):
    """x, y -> sin(x) * y, with parts replaced."""
    x, y, s, m = Var(F3), Var(F3), Var(F3), Var(F3)
    parts = {"x": x, "y": y, "s": s, "m": m}
    made = equations(parts) if equations else [Equation(sin, (x,), {}, (s,)), Equation(mul, (s, y), {}, (m,))]
    ins = inputs(parts) if inputs else [x, y]
    return Program(ins, consts, made, outputs(parts) if outputs else [m], "p")


def test_a_sound_program_passes():
    assert check(program()) is not None


class Unhashable(list):
    __hash__ = None


BROKEN = {
    "undefined_operand": (
        {"equations": lambda v: [Equation(mul, (v["s"], v["y"]), {}, (v["m"],))]},
        "undefined variable",
    ),
    "defined_twice": (
        {
            "equations": lambda v: [
                Equation(sin, (v["x"],), {}, (v["m"],)),
                Equation(sin, (v["y"],), {}, (v["m"],)),
            ]
        },
        "defined twice",
    ),
    "input_twice": ({"inputs": lambda v: [v["x"], v["x"], v["y"]]}, "defined twice"),
    "output_is_an_input_again": (
        {
            "equations": lambda v: [Equation(mul, (v["x"], v["y"]), {}, (v["x"],))],
            "outputs": lambda v: [v["x"]],
        },
        "defined twice",
    ),
    "undefined_output": ({"outputs": lambda v: [Var(F3)]}, "output of the program is undefined"),
    "wrong_aval": (
        {
            "equations": lambda v: [Equation(mul, (v["x"], v["y"]), {}, (Var(Aval((4,), F3.dtype)),))],
            "outputs": lambda v: [v["x"]],
        },
        "shape rule gives",
    ),
    "literal_as_input": (
        {"inputs": lambda v: [Literal(1.0, Aval((), F3.dtype)), v["x"], v["y"]]},
        "not a Var",
    ),
    "unhashable_param": (
        {"equations": lambda v: [Equation(sin, (v["x"],), {"k": Unhashable()}, (v["m"],))]},
        "k is not hashable",
    ),
    "inner_program_with_consts": (
        {
            "equations": lambda v: [
                Equation(sin, (v["x"],), {"inner": Program([], [(Var(F3), np.zeros(3))], [], [])}, (v["m"],))
            ]
        },
        "not closed",
    ),
}


@pytest.mark.parametrize("parts, fact", BROKEN.values(), ids=BROKEN.keys())
def test_the_checker_names_the_broken_rule(parts, fact):
    with pytest.raises(ProgramError, match=fact):
        check(program(**parts))


def test_the_printer():
    text = str(fx.make_program(lambda x, y: fnp.sin(x) * y + 2)(S3, S3))
    lines = text.splitlines()
    assert lines[0].endswith("<lambda>(a: f32[3], b: f32[3]) =")
    assert lines[1].split("#")[0].split() == "c: f32[3] = sin a".split() and "test_program.py:" in lines[1]
    assert lines[-1].strip() == "return e"
    assert "2" in lines[3] and "add" in lines[3]


def test_the_printer_shows_inner_programs_and_constants():
    text = str(
        fx.make_program(lambda x: lax.cond(x.sum() > 0, fnp.sin, fnp.cos, x) + np.float32([1, 2, 3]))(S3)
    )
    assert "where branches[0]" in text and "where branches[1]" in text and "const [1.,2.,3.]" in text
    assert fx.make_program(lambda: None)().__repr__().endswith("return nothing")
    assert "<pre>" in fx.make_program(lambda x: x)(S3)._repr_html_()


def test_many_names():
    x = S3
    text = str(fx.make_program(lambda x: [x := fnp.sin(x) for _ in range(30)][-1])(x))
    assert "aa: f32[3]" in text and "ad: f32[3]" in text


def trace_of(f):
    return fx.make_program(f)(S3, S3)


KEYS = {
    "same": (lambda x, y: fnp.sin(x) * y, True),
    "renamed": (lambda p, q: fnp.sin(p) * q, True),
    "swapped": (lambda x, y: fnp.sin(y) * x, False),
    "other_primitive": (lambda x, y: fnp.cos(x) * y, False),
    "literal": (lambda x, y: fnp.sin(x) * y * 2.0, False),
    "other_output": (lambda x, y: (fnp.sin(x) * y, x), False),
}


@pytest.mark.parametrize("other, equal", KEYS.values(), ids=KEYS.keys())
def test_structural_key(other, equal):
    assert (trace_of(lambda x, y: fnp.sin(x) * y).key() == trace_of(other).key()) is equal
    hash(trace_of(other).key())


def test_structural_key_sees_params_avals_and_inner_programs():
    of = lambda f, shape=(3,), dtype="float32": fx.make_program(f)(fx.ShapeDtype(shape, dtype)).key()
    assert of(lambda x: x.sum()) != of(lambda x: x.max())
    assert of(fnp.sin) != of(fnp.sin, (4,)) != of(fnp.sin, (4,), "float64")
    loop = lambda g: lambda x: lax.scan(lambda c, v: (g(c), v), 0.0, x)
    assert of(loop(fnp.sin)) == of(loop(fnp.sin)) != of(loop(fnp.cos))
    assert of(lambda x: x * 0.0) != of(lambda x: x * -0.0)


def test_dead_equations_are_left_out_but_effects_stay():
    def f(x):
        fnp.sin(x)
        fx.debug.print("here {}", x)
        return x * 2

    names = [e.primitive.name for e in fx.make_program(f)(S3).equations]
    assert names == ["debug_callback", "mul"]


def test_prune_and_used_inputs():
    p = trace_of(lambda x, y: (fnp.sin(x), fnp.cos(x), y))
    kept = prune(p, [False, True, False])
    assert [e.primitive.name for e in kept.equations] == ["cos"] and len(kept.outputs) == 1
    assert used_inputs(kept) == [True, False]


# Source lines: every equation of a transformed program carries the line of the user's code it comes from.


def model(p, x):
    h = fnp.tanh(x @ p["w"])  # line 1
    h = fnp.exp(h) * h  # line 2
    return fnp.log(h.sum())  # line 3


FIRST = inspect.getsourcelines(model)[1] + 1
ARGS = ({"w": fx.ShapeDtype((3, 2), "float64")}, fx.ShapeDtype((4, 3), "float64"))
TRANSFORMED = {
    "itself": model,
    "grad": fx.grad(model),
    "value_and_grad": fx.value_and_grad(model),
    "jit": fx.jit(model),
    "grad_of_checkpoint": fx.grad(fx.checkpoint(model)),
    "jvp": lambda p, x: fx.jvp(lambda x: model(p, x), (x,), (x,)),
    "second": lambda p, x: fx.grad(lambda x: (fx.grad(model, 1)(p, x) ** 2).sum())(x),
    "vmap": lambda p, x: fx.vmap(model, (None, 0))(p, x[None]),
    "scan": fx.grad(lambda p, x: lax.scan(lambda c, v: (c + model(p, v[None]), None), 0.0, x)[0]),
    "cond": fx.grad(lambda p, x: lax.cond(x.sum() > 0, lambda x: model(p, x), lambda x: x.sum(), x)),
}


def equations(p):
    for eqn in p.equations:
        yield eqn
        for value in eqn.params.values():
            for inner in value if isinstance(value, tuple) else (value,):
                if isinstance(inner, Program):
                    yield from equations(inner)


@pytest.mark.parametrize("f", TRANSFORMED.values(), ids=TRANSFORMED.keys())
def test_user_lines_survive_transformations(f):
    own = {"tanh": 0, "contract": 0, "exp": 1, "log": 2}
    seen = set()
    for eqn in equations(fx.make_program(f)(*ARGS)):
        assert eqn.source is None or eqn.source.file == __file__, f"{eqn} comes from {eqn.source}"
        name = eqn.primitive.name
        if name in own:
            assert eqn.source.line == FIRST + own[name] or (f is TRANSFORMED["vmap"] and eqn.source)
            seen.add(name)
    assert seen >= {"tanh", "exp"}


def test_programs_run_as_printed():
    p = fx.make_program(lambda x: fnp.sin(x) + 1)(np.ones(3))
    from fx.core.interpret import run_program

    same(run_program(p, [np.ones(3)])[0], np.sin(1) + np.ones(3))
    assert add.name in str(p)
