"""fx.profile: time and bytes by line of the source."""

import json
import time

import numpy as np
import pytest

import fx
import fx.numpy as fnp

RNG = np.random.default_rng(0)


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def heavy_and_light(x):
    y = x @ x @ x  # heavy
    return fnp.sum(y + 1)  # light


X = floats(300, 300)


def row(profile, comment):
    (found,) = [r for r in profile.rows if comment in r.text]
    return found


def test_the_heavy_line_takes_the_time():
    p = fx.profile(heavy_and_light, repeat=5)(X)
    heavy, light = row(p, "# heavy"), row(p, "# light")
    assert p.rows[0] == heavy and heavy.seconds > 3 * light.seconds
    assert heavy.flops == 2 * 2 * 300**3 and light.flops == 2 * 300 * 300
    assert heavy.read == 4 * X.nbytes and heavy.written == 2 * X.nbytes
    assert (light.read, light.written) == (X.nbytes, 4)
    assert heavy.file == __file__ and heavy.function == "heavy_and_light"
    assert heavy.line == heavy_and_light.__code__.co_firstlineno + 1


def test_times_add_up_to_the_measured_time():
    p = fx.profile(heavy_and_light, repeat=15)(X)
    rows, steps = sum(r.seconds for r in p.rows), sum(s.seconds for s in p.steps)
    assert rows == pytest.approx(steps) and p.runs == 15
    assert 0.3 * p.seconds < steps + p.overhead < 1.5 * p.seconds  # medians of parts, on a busy machine


def test_the_result_is_kept():
    f = fx.jit(lambda p: {"a": fnp.sin(p["x"]), "b": 3})
    x = floats(5)
    result = fx.profile(f, repeat=2)({"x": x}).result
    np.testing.assert_array_equal(result["a"], f({"x": x})["a"])
    assert int(result["b"]) == 3


def test_python_steps_are_measured_too():
    def slow(x):
        time.sleep(0.01)
        return np.asarray(x) * 2

    def f(x):
        y = fx.pure_callback(slow, fx.ShapeDtype((4,), "float32"), fnp.sin(x))  # slow
        return fnp.cos(y)  # quick

    p = fx.profile(f, repeat=3)(floats(4))
    assert 0.01 <= row(p, "# slow").seconds < 1 and row(p, "# quick").seconds < 0.005
    (step,) = [s for s in p.steps if "pure_callback" in s.title]
    assert step.seconds > 0.5 * p.seconds


def test_lines_inside_of_loops():
    def f(w, xs):
        def step(h, x):
            h = fnp.tanh(h @ w)  # the product
            return h + x, None  # the sum

        return fx.lax.scan(step, xs[0], xs)[0]

    p = fx.profile(f, repeat=3)(floats(64, 64), floats(50, 8, 64))
    product, total = row(p, "# the product"), row(p, "# the sum")
    assert product.flops >= 50 * 2 * 8 * 64 * 64 and total.flops == 50 * 8 * 64
    assert product.seconds > total.seconds > 0


def test_a_branch_that_is_not_taken_takes_no_time():
    def f(p, x):
        work = lambda v: fnp.sin(v @ v)  # taken
        rest = lambda v: fnp.cos(v @ v)  # not taken
        return fx.lax.scan(lambda c, _: (fx.lax.cond(p, work, rest, c), None), x, None, length=4)[0]

    p = fx.profile(f, repeat=3)(True, floats(50, 50))
    assert row(p, "# taken").seconds > 0.5 * p.steps[-1].seconds and row(p, "# not taken").seconds == 0
    assert row(p, "# not taken").flops >= 4 * 2 * 50**3


def test_gradients_speak_of_the_lines_of_the_function():
    p = fx.profile(fx.grad(heavy_and_light), repeat=2)(X)
    assert row(p, "# heavy").flops >= 2 * 2 * 300**3 and p.name == "heavy_and_light"


def test_static_donated_and_keyword_arguments():
    f = fx.jit(lambda x, n, *, c: x * n + c, static_argnums=1, donate_argnums=0)
    x = fnp.ones(4)
    p = fx.profile(f, repeat=2)(x, 3, c=1.0)
    np.testing.assert_array_equal(p.result, np.full(4, 4.0))
    np.testing.assert_array_equal(x, np.ones(4))  # nothing was donated


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("fun", [lambda x: x, lambda x: (3.0, x), lambda x: ()])
def test_programs_without_steps(fun, compiled):
    with fx.config(compile=compiled):
        p = fx.profile(fun, repeat=3)(1.0)
    assert p.rows == () and p.steps == () and "the call itself" in repr(p)


def test_the_interpreter_is_measured_by_the_equations():
    with fx.config(compile=False):
        p = fx.profile(heavy_and_light, repeat=3)(X)
    assert "compile=False" in p.interpreted and "interpreted" in repr(p)
    assert [s.title for s in p.steps] == ["contract", "contract", "add", "sum"]
    assert row(p, "# heavy").flops == 2 * 2 * 300**3
    np.testing.assert_allclose(p.result, heavy_and_light(X), rtol=1e-3)


def test_trips_that_only_the_run_knows():
    f = lambda x: fx.lax.while_loop(lambda v: v.sum() < 9, lambda v: v * 2, x)
    p = fx.profile(f, repeat=2)(fnp.ones(4))
    assert not p.exact and "counts once" in repr(p)


def test_prints_and_plain_data():
    p = fx.profile(heavy_and_light, repeat=3)(X)
    text = repr(p)
    for fact in (
        "profile of heavy_and_light",
        "the median of 3",
        "test_profile.py:",
        "# heavy",
        "contract",
        " %",
    ):
        assert fact in text
    percents = [float(c[1].split()[0]) for c in p.cells()]
    assert sum(percents) == pytest.approx(100, abs=0.5)
    html = p._repr_html_()
    assert "<table" in html and "# heavy" in html
    assert json.loads(json.dumps(p.to_dict()))["rows"][0]["flops"] == p.rows[0].flops


def test_without_repeat_it_runs_for_a_while():
    start = time.perf_counter()
    p = fx.profile(heavy_and_light)(X)
    assert p.runs >= 3 and time.perf_counter() - start < 10


def test_refusals():
    with pytest.raises(fx.ArgumentError, match="takes a function"):
        fx.profile(3)
    for bad in (0, -1, True, 1.5):
        with pytest.raises(fx.ArgumentError, match="positive integer"):
            fx.profile(heavy_and_light, repeat=bad)
    with pytest.raises(fx.ArgumentError, match="not ShapeDtype"):
        fx.profile(heavy_and_light)(fx.ShapeDtype((3, 3), "float32"))
