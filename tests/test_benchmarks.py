"""The benchmarks: every workload agrees with every peer at tiny sizes, the bars judge, the report can be made."""

import functools
import io
import json
import pkgutil
import sys
import types

import numpy as np
import pytest
from rich.console import Console

import fx
from benchmarks import examples, figure, rounds, table
from benchmarks.bars import COLD, MEMORY, Bar, bars, fraction, geometric_mean
from benchmarks.processes import Failed, Process, environment
from benchmarks.report import as_json, print_report, seconds
from benchmarks.rounds import Fresh, Options, Row, error, summary
from benchmarks.systems import installed, load
from benchmarks.workloads import families, workloads


@pytest.fixture(autouse=True)
def jax_settings():
    """A workload's dtype sets JAX's, for the whole process; other tests must not see it."""
    jax = pytest.importorskip("jax") if installed("jax") else None
    before = jax.config.jax_enable_x64 if jax else None
    yield
    if jax:
        jax.config.update("jax_enable_x64", before)


# Libraries of peers warn about themselves.
pytestmark = pytest.mark.filterwarnings("ignore")

PEERS = ("jax", "torch", "autograd", "numpy")
TINY = {w.name: w for w in workloads(tiny=True)}
FULL = {w.name: w for w in workloads()}
LIMITS = {
    "1": {"flops32": 2e11, "flops64": 1e11, "copy": 2e10},
    "all": {"flops32": 4e11, "flops64": 2e11, "copy": 4e10},
}

system = functools.cache(load)


def outputs(name, workload):
    task = system(name).task(workload, workload.dtype)
    return workload.summary(task.outputs(task.run(), workload.steps))


@pytest.mark.parametrize("name", [w.name for w in TINY.values() if w.family != "learning"])
def test_fx_agrees_with_every_peer(name):
    workload = TINY[name]
    ours = outputs("fx", workload)
    able = [s for s in PEERS if installed(s) and workload.supports(s)]
    assert {"jax", "torch"} & set(able) or "torch" not in workload.torch_on
    for peer in able:
        assert error(outputs(peer, workload), ours) <= 2 * workload.tolerance, peer


@pytest.mark.parametrize("name", [w.name for w in TINY.values() if w.family == "learning"])
def test_libraries_train_alike_from_the_same_parameters(name):
    """Losses, parameters and running averages of several steps, in float64; PyTorch clips to a norm of 1e-6 less."""
    for peer, tolerance in (("jax", 1e-13), ("torch", 1e-6)):
        if installed(peer):
            ours, theirs = (
                task.outputs(task.run(), TINY[name].steps)
                for task in (system(s).task(TINY[name], "float64") for s in ("fx", peer))
            )
            losses = [float(a) for a in ours if a.ndim == 0]
            assert (
                len(losses) == TINY[name].steps > 3 and losses[-1] < losses[0] and ours[0].dtype == np.float64
            )
            assert error(theirs, ours) < tolerance, peer


@pytest.mark.parametrize("name", ("fx", "torch"))
def test_a_training_step_goes_on_from_its_own_state(name):
    """After the large verified step the first parameters are back and hardly move; in between they had moved."""
    workload = next(w for w in TINY.values() if w.name.startswith("MLP step") and "SGD" in w.name)
    if not installed(name):
        pytest.skip(f"{name} is not installed")
    task = system(name).task(workload, workload.dtype)
    verified = task.read(task.run())[0]
    moved = task.read(task.run())[0]
    task.settle()
    settled = [task.read(task.run())[0] for _ in range(3)]
    assert abs(moved - verified) > 0.1
    np.testing.assert_allclose(settled, verified, rtol=1e-4)


def test_there_are_all_workloads_of_the_table():
    assert len(FULL) == len(set(FULL)) and len(TINY) == len(set(TINY))
    assert sum(w.dtype == "float64" for w in FULL.values()) == 5
    assert {f"gelu(x*w+b), {10**k:,}" for k in (3, 4, 5, 6, 7)} <= set(FULL)
    words = "AdamW|chain|MLP|CNN|ResNet|transformer|LSTM|softmax|layer norm|cross-entropy|per-example|Hessian|normal|"
    words += "Cholesky|solve|slogdet|n-body|ODE|einsum|sort|gather|scatter-add|cumsum|Adam update|6 array arguments"
    for word in words.split("|"):
        assert any(word in name for name in FULL), word
    assert {w.family.replace(" ", "-") for w in FULL.values()} == set(families())


def test_useful_flops_of_a_network_are_those_of_its_products():
    """64-128-10 on 32 rows: forward and the gradient of the weights twice, of the hidden layer once."""
    first, second = 2 * 32 * 64 * 128, 2 * 32 * 128 * 10
    assert FULL["MLP step 64-128-10, batch 32, SGD"].flops == 2 * first + 3 * second


def test_error_is_relative_to_the_largest_number():
    a, b = np.array([1.0, 100.0]), np.array([1.0, 101.0])
    assert error([a], [b]) == pytest.approx(1 / 101)
    assert error([a], [a[:1]]) == error([a], []) == error([np.array([np.nan])], [np.ones(1)]) == float("inf")


def row(name="product 512x512 by 512x512", threads="all", **times):
    r = Row(FULL[name], threads)
    r.times = {s: summary([t, t, 1.1 * t]) for s, t in times.items()}
    return r


def judged(rows):
    return {(b.workload, b.what): b for b in bars(rows, LIMITS)}


def test_time_is_judged_against_the_best_peer():
    found = judged([row(fx=2e-3, jax=1e-3, torch=4e-3)])
    bar = found["product 512x512 by 512x512", "time / best peer"]
    assert (bar.value, bar.met, bar.note) == (2.0, False, "best: jax")
    assert judged([row(fx=1e-3, jax=1e-3)])["product 512x512 by 512x512", "time / best peer"].met


def test_no_figure_is_a_missed_bar():
    r = row(jax=1e-3)
    r.missing["fx"] = "wrong"
    (bar,) = bars([r], LIMITS)
    assert bar.value is None and not bar.met and "wrong" in bar.note


def test_geometric_mean_and_its_bar():
    rows = [row(fx=1e-3, jax=2e-3), row(fx=1e-3, jax=8e-3)]
    assert geometric_mean(rows) == pytest.approx(0.25)
    assert judged(rows)["geometric mean", "time / best peer"].met
    assert geometric_mean([row(jax=1.0)]) is None


def test_fractions_of_the_limits():
    product = row(fx=2 * 512**3 / 4e11)  # exactly as long as the limit allows
    assert fraction(product, "fx", "fma", LIMITS) == pytest.approx(1.0)
    copied = row("gelu(x*w+b), 10,000,000", fx=16e7 / 4e10 * 2)
    assert fraction(copied, "fx", "copy", LIMITS) == pytest.approx(0.5)
    assert not judged([copied])["gelu(x*w+b), 10,000,000", "of the copy bandwidth"].met
    cnn = next(name for name in FULL if name.startswith("CNN"))
    kinds = {threads: {b.what for b in bars([row(cnn, threads, fx=1.0)], LIMITS)} for threads in ("1", "all")}
    assert "of the FMA limit" in kinds["all"] - kinds["1"]  # the bar is about all cores


def test_compile_time_and_memory():
    r = row(fx=1e-3, jax=1e-3)
    r.fresh = {
        "fx": Fresh(0.11, 0.01, planned=3 << 20, measured=9 << 20),
        "fx, warm": Fresh(0.02, 0.01),
        "jax": Fresh(0.21, 0.01, measured=2 << 20),
        "torch": Fresh(0.1, 0.1, measured=4 << 20),
    }
    found = {b.what: b for b in bars([r], LIMITS)}
    assert found["cold compile / JAX's"].value == pytest.approx(0.5) and COLD < 0.5
    assert found["warm compile / JAX's cold"].value == pytest.approx(0.05)
    memory = found["planned peak memory / best peer's"]
    assert (memory.value, memory.target, memory.note) == (1.5, MEMORY, "best: jax")


def test_a_bar_that_is_a_least():
    assert (
        Bar("w", "1", "of", 0.8, 0.8, least=True).met and not Bar("w", "1", "of", 0.79, 0.8, least=True).met
    )


def test_seconds_have_units():
    assert [seconds(t) for t in (1.5, 2e-3, 3.25e-6)] == ["1.5 s", "2 ms", "3.25 us"]


def test_one_thread_is_said_to_every_library():
    found = environment("1")
    assert {found[k] for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "FX_NUM_THREADS")} == {"1"}
    assert "XLA_FLAGS" in found and "XLA_FLAGS" not in environment("all")


def test_workers_measure_and_the_report_is_made(tmp_path):
    """The whole way, with fx and NumPy in processes of their own; a call that takes too long has no figure."""
    pytest.importorskip("matplotlib")
    if not any(map(installed, rounds.REFERENCES)):
        pytest.skip("no peer to verify against is installed")
    settings = Options(rounds=3, round_s=1e-3, budget_s=0.1, first_s=60.0, fresh=False, tiny=True)
    chosen = [TINY["sum((x - y)**2), 1,000"], TINY["cumsum, 50"]]
    rows, limits, notes = [], {}, []
    table.measure(chosen, ["fx", "numpy"], ["1"], settings, notes.append, rows, limits)
    assert [note.partition(" (1):")[0] for note in notes] == [w.name for w in chosen]
    assert [set(r.times) for r in rows] == [{"fx", "numpy"}] * 2, [r.missing for r in rows]
    assert all(s.low <= s.median <= s.high for r in rows for s in r.times.values())
    assert limits["1"]["flops32"] > limits["1"]["flops64"] > 0 and limits["1"]["copy"] > 0
    console = Console(file=io.StringIO(), width=200)
    print_report(console, rows, limits)
    text = console.file.getvalue()
    assert "geometric mean" in text and "cumsum, 50" in text and text.index("missed") < text.index("one core")
    found = json.loads(json.dumps(as_json(rows, limits, {})))
    assert found["rows"][0]["times"]["fx"]["median"] == rows[0].times["fx"].median
    figure.save(rows, str(tmp_path / "ratios.png"))
    assert (tmp_path / "ratios.png").read_bytes().startswith(b"\x89PNG")


def test_a_process_that_takes_too_long_is_replaced():
    process = Process("numpy", "1")
    try:
        process.ask("build", "cumsum, 50", "float32", True)
        with pytest.raises(Failed, match="took more than 0 s"):
            process.ask("limits", 1, limit=0.01)
        with pytest.raises(Failed, match="no workload"):
            process.ask("build", "unheard of", "float32", True)
        process.ask("build", "cumsum, 50", "float32", True)
        assert process.ask("first")[1][0].shape == (50,)
    finally:
        process.close()


def test_every_example_is_measured():
    import fx.examples

    there = {module.name for module in pkgutil.iter_modules(fx.examples.__path__)}
    assert {name for name in there if not name.startswith("_")} == {e.name for e in examples.EXAMPLES}


@pytest.mark.parametrize("calls, steps", ((5, 1), (1, 10)))
def test_steps_of_an_example_are_timed(monkeypatch, calls, steps):
    """A function that is called once is called again, for its first call compiles."""
    seen = []

    def main(arguments):
        def learn(x):
            return x + 1.0

        def other(x):
            return x

        learn, other = fx.jit(learn), fx.jit(static_argnums=0)(other)
        seen.extend([*arguments, *(float(learn(2.0)) for _ in range(calls)), other(1)])

    jit = fx.jit
    monkeypatch.setitem(sys.modules, "fx.examples.made_up", types.SimpleNamespace(main=main))
    found = examples.measure(examples.Example("made_up", ("--few",), function="learn", steps=steps))
    assert seen[:2] == ["--few", "--quiet"] and seen[4:] == [3.0] * calls + [1] and fx.jit is jit
    assert found["calls"] == max(calls - 1, 1)
    assert 0 < steps * found["step"] < found["whole"] and 0 <= found["compile"] < found["whole"]
    if calls == 1:
        assert found["loop"] == 1 / found["step"]
    with pytest.raises(LookupError, match="unheard of"):
        examples.measure(examples.Example("made_up", function="unheard of"))


def test_the_table_of_examples_has_those_that_fail():
    chosen = [examples.Example("good", step="a leap"), examples.Example("bad")]
    figures = {"step": 2e-3, "loop": 400.0, "compile": 1.5, "calls": 9, "whole": 3.0}
    console = Console(file=io.StringIO(), width=110)
    console.print(examples.report(chosen, {"good": figures, "bad": {"failed": "ValueError: no data"}}))
    good, bad = (next(x for x in console.file.getvalue().splitlines() if n in x) for n in ("good", "bad"))
    assert (
        all(text in good for text in ("2 ms", "400", "1.5 s", "9", "a leap")) and "ValueError: no data" in bad
    )
