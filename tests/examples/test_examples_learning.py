"""The examples digits, diabetes, characters and sequences at a reduced size, and what all examples share."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import examples

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from fx.examples import _common as common, characters, diabetes, digits, sequences

KEY = fx.random.key(0)


def call(example, path, capsys, *arguments):
    """The last line that an example printed, and all lines."""
    assert example.main([*arguments, "--out", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 20_000
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith(f"{path}: ") and lines[-1].endswith(" s)")
    return lines[-1], lines


def numbers(text):
    return [float(x) for x in re.findall(r"-?\d+\.?\d*", text)]


def without_time(line):
    return line.rpartition(" (")[0].partition(": ")[2]


def test_digits(tmp_path, capsys):
    last, lines = call(digits, tmp_path / "a.png", capsys, "--scale", "0.06")
    assert lines[0] == "1437 digits to learn from, 360 held out."
    mlp, cnn = numbers(without_time(last))
    assert mlp > 95 and cnn > 90 and "mlp" in last and "cnn" in last
    assert any(line.startswith("epoch 4/4") for line in lines) and any("303,114" in line for line in lines)
    quiet, lines = call(digits, tmp_path / "b.png", capsys, "--scale", "0.06", "--model", "mlp", "--quiet")
    assert len(lines) == 1 and numbers(without_time(quiet)) == [mlp], "the same seed gives the same numbers"


def test_settings_are_chosen_without_the_digits_held_out(tmp_path, capsys, monkeypatch):
    seen = []

    def learn(options, name, settings, learned, asked):
        """In place of training: accuracy that favors one candidate."""
        seen.append((settings, [hash(x.tobytes()) for x in (*learned["x"], *asked["x"])], len(asked["y"])))
        score = settings == digits.Settings(0.2, 0.6)
        return digits.Trained(name, {}, np.eye(10)[(asked["y"] + (not score)) % 10], asked["y"])

    monkeypatch.setattr(digits, "learn", learn)
    last, lines = call(digits, tmp_path / "a.png", capsys, "--task", "choose", "--model", "cnn")
    assert without_time(last) == "best are cnn: Settings(mixed=0.2, disturbed=0.6)"
    learned, held_out = digits.load(KEY)
    known = {hash(x.tobytes()) for x in learned["x"]}
    assert len(seen) == digits.ROUNDS * len(digits.CANDIDATES)
    assert all(set(found) == known and count == 288 for _, found, count in seen)
    assert all(settings in digits.CANDIDATES for _, _, settings in digits.MODELS.values())


def test_digits_are_disturbed_now_and_then():
    images = fnp.asarray(digits.load(KEY)[0]["x"][:200])
    changed = fnp.absolute(digits.sometimes(KEY, images, 0.3) - images).max((1, 2, 3)) > 0
    assert 0.2 < float(changed.mean()) < 0.4


def test_diabetes(tmp_path, capsys):
    sizes = "--members", "8", "--splits", "3", "--hidden", "16"
    last, lines = call(diabetes, tmp_path / "a.png", capsys, *sizes)
    ensemble, ridge, wins, splits, share, level = numbers(without_time(last).replace("R2", ""))
    assert 0.4 < ensemble < 0.6 and 0.4 < ridge < 0.6 and wins <= splits == 3
    assert 80 <= share <= 98 and level == 90
    rows = {line.split("  ")[0]: numbers(line) for line in lines if line.startswith(("ensemble", "ridge"))}
    assert rows["ensemble"][0] == pytest.approx(ensemble, abs=1e-3) and 45 < rows["ensemble"][2] < 65
    (chosen,) = [line for line in lines if line.startswith("Weight decays chosen")]
    assert sum(map(int, re.findall(r"\((\d+)\)", chosen))) == 3


def test_patients_are_asked_of_members_that_have_not_seen_them():
    model, keys = fx.nn.MLP([10, 4, 2]), fx.random.split(KEY, 3)
    patients = diabetes.Patients(np.random.default_rng(0).normal(size=(8, 10)), np.arange(8.0))
    said = [[] for _ in range(8)]
    for key in keys:
        params, chosen = diabetes.learn(model, key, 1.0, patients, 2)
        for i in set(range(8)) - set(np.asarray(chosen).tolist()):
            said[i].append(float(diabetes.distribution(model, params, patients.x)[0][i]))
    expected = np.mean([(np.mean(s) - i) ** 2 for i, s in enumerate(said) if s])
    assert min(map(len, said)) < 3
    found = float(diabetes.left_out(model, keys, 1.0, patients, 2))
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_ensemble_is_a_mixture():
    means, variances = np.array([[1.0, 0.0], [3.0, 0.0]]), np.array([[4.0, 1.0], [2.0, 1.0]])
    found = diabetes.collect(
        fnp.asarray(means), fnp.asarray(variances), np.zeros(2), np.zeros(2), (10.0, 2.0)
    )
    np.testing.assert_allclose(found.mean, [14.0, 10.0])
    np.testing.assert_allclose(found.spread**2, 4 * np.array([3.0 + 1.0, 1.0]), rtol=1e-6)
    np.testing.assert_allclose(found.one, [12.0, 10.0])
    assert diabetes.coverage([found._replace(truth=found.mean + 1.7 * found.spread)], 0.9) == 0
    assert diabetes.coverage([found._replace(truth=found.mean + 1.6 * found.spread)], 0.9) == 1


def test_standard_deviations_of_the_intervals():
    from scipy import stats

    for level, width in diabetes.NORMAL.items():
        assert width == pytest.approx(stats.norm.ppf(0.5 + level / 2), abs=1e-4)


@pytest.fixture
def small_library(monkeypatch):
    """Ten modules, that the command reads in a moment."""
    every = common.library()
    names = {*sequences.MODULES, "ast", "shutil"}
    monkeypatch.setattr(common, "library", lambda: [p for p in every if p.stem in names])


def test_characters(tmp_path, capsys, small_library):
    sizes = (
        "--rounds",
        "3",
        "--steps",
        "15",
        "--width",
        "32",
        "--depth",
        "1",
        "--length",
        "64",
    )
    last, lines = call(characters, tmp_path / "a.png", capsys, *sizes)
    found, steps = numbers(without_time(last))
    assert steps == 45 and 1 < found < 25, "better than the best constant guess"
    curve = [float(line.split()[-1]) for line in lines if line.startswith("epoch")]
    assert len(curve) == 3 and curve[0] > curve[1] > curve[2] == pytest.approx(found, abs=0.01)
    assert any(line.startswith("def ") for line in lines)


def test_what_is_written_is_what_the_model_would_say_without_a_cache():
    model = characters.LanguageModel(16, 2)
    params = model.init(KEY)
    texts = characters.write(model, params, KEY, ["de", "fo"], 12, temperature=1e-4)
    ids = np.stack([characters.encode(text) for text in texts])
    said = np.asarray(model.apply(params, ids)).argmax(-1)
    assert ids.shape == (2, 14) and [text[:2] for text in texts] == ["de", "fo"]
    np.testing.assert_array_equal(said[:, 1:-1], ids[:, 2:])


def test_surprise_is_of_the_character_beside_it():
    model = characters.LanguageModel(16, 1)
    params = model.init(KEY)
    held_out = characters.encode("x = 1\n" * 50 + "\n    def f(x):\n        pass\n" + "y = 2\n" * 30)
    text, cost = characters.surprises(model, params, held_out, 16, most=50)
    assert text.startswith("    def f(x):\n") and len(text) == len(cost) == 64
    logits = model.apply(params, characters.encode("\n" + text)[:16])
    expected = -fx.nn.log_softmax(logits)[np.arange(16), characters.encode(text)[:16]]
    np.testing.assert_allclose(cost[:16], expected, rtol=1e-4)


def test_texts_become_numbers_and_back():
    text = "def f(x):\n    return '~'\n"
    assert characters.decode(characters.encode(text)) == text
    assert characters.decode(characters.encode("é\t")) == "??"
    cut = characters.windows(np.arange(10), 4)
    assert cut.tolist() == [[0, 1, 2, 3, 4], [4, 5, 6, 7, 8]]


def test_counting_is_the_perplexity_of_counts():
    ids = characters.encode("ababababab" * 50)
    found = characters.counted(ids, ids[None, :101])
    assert found["characters"] == pytest.approx(2, rel=0.02)
    assert found["pairs"] == pytest.approx(1, abs=0.01) and found["triples"] == pytest.approx(1, abs=0.01)


def test_sequences(tmp_path, capsys):
    last, lines = call(
        sequences, tmp_path / "a.png", capsys, "--epochs", "3", "--hidden", "48", "--lines", "400"
    )
    accuracy, constant = numbers(without_time(last))
    assert accuracy > 30 > constant, "far above always saying one module"
    losses = [float(line.split()[3]) for line in lines if line.startswith("epoch")]
    assert losses[0] > losses[-1]
    assert {line.split()[0] for line in lines[-9:-1]} == set(sequences.MODULES)


def test_what_follows_the_end_of_a_line_does_not_count():
    model = sequences.Classifier(8)
    params = model.init(KEY)
    ids, lengths = np.full((2, 20), 7), np.array([12, 20])
    changed = np.where(np.arange(20) < lengths[:, None], ids, 50)
    for everywhere in (False, True):
        a, b = (np.asarray(model.apply(params, x, lengths, everywhere)) for x in (ids, changed))
        np.testing.assert_array_equal(a, b)
    assert np.allclose(model.apply(params, ids, lengths)[0], model.apply(params, ids[:, :12], [12, 12])[0])


def test_lines_are_those_of_one_module_alone():
    lines = sequences.read_lines(100)
    assert np.bincount(lines["y"]).tolist() == [100] * len(sequences.MODULES)
    texts = ["".join(map(chr, row[:n] + sequences.FIRST)) for row, n in zip(lines["ids"], lines["length"])]
    assert len(set(texts)) == len(texts) and all(
        t == t.strip() and len(t) >= sequences.SHORTEST for t in texts
    )
    sources = {p.stem: p.read_text(encoding="utf-8") for p in common.library()}
    assert all(t in sources[sequences.MODULES[y]] for t, y in zip(texts, lines["y"]))


@pytest.mark.parametrize("example", [digits, diabetes, characters, sequences])
def test_options_that_make_no_sense(example, capsys):
    sized = {digits: "--scale", diabetes: "--members", characters: "--depth", sequences: "--epochs"}[example]
    cases = [
        ([sized, "-1"], "'-1' is not a positive"),
        (["--out", "no/such/x.png"], "lies in no/such, which"),
    ]
    for arguments, fact in [*cases, (["--seed", "a"], "invalid int"), (["--out", "."], "is a directory")]:
        with pytest.raises(SystemExit) as stop:
            example.main(arguments)
        assert stop.value.code == 2 and fact in capsys.readouterr().err


@pytest.mark.parametrize(
    "example, arguments, fact",
    [
        (sequences, ["--lines", "5"], "less than a batch of 64"),
        (characters, ["--length", "4"], "windows are of 5 to"),
        (characters, ["--length", "99999999"], "windows are of 5 to"),
        (characters, ["--width", "36"], "not a multiple of 8"),
    ],
)
def test_sizes_that_make_no_sense(example, arguments, fact, capsys, small_library):
    with pytest.raises(SystemExit) as stop:
        example.main(arguments)
    assert stop.value.code == 2 and fact in capsys.readouterr().err


def test_choices_and_numbers(capsys):
    made = common.parse("x", "About.\n\nMore.", [], n=(3, "n"), rate=(0.5, "r"), kind=(("a", "b"), "k"))
    assert (made.n, made.rate, made.kind, made.seed, made.quiet) == (3, 0.5, "a", 0, False)
    assert made.out == Path("fx-example-x.png")
    for wrong, fact in (
        (["--kind", "c"], "invalid choice"),
        (["--n", "1.5"], "positive whole"),
        (["--rate", "nan"], "positive number"),
    ):
        with pytest.raises(SystemExit):
            common.parse("x", "", wrong, n=(3, "n"), rate=(0.5, "r"), kind=(("a", "b"), "k"))
        assert fact in capsys.readouterr().err


@pytest.mark.parametrize("absent", [("sklearn",), ("sklearn", "matplotlib")])
def test_missing_packages_are_named(absent, monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name in absent else found(name, *a)
    )
    with pytest.raises(SystemExit) as stop:
        diabetes.main([])
    err = capsys.readouterr().err
    assert stop.value.code == 2 and "pip install 'fx-transforms[examples]'" in err
    assert all(common.PACKAGES[module] in err for module in absent)


def test_a_python_without_its_text_is_told(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(common.sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    with pytest.raises(SystemExit):
        common.library()
    assert str(tmp_path) in capsys.readouterr().err


def test_the_split_parts_rows_together():
    learned, held_out = common.split(KEY, {"x": np.arange(22).reshape(11, 2), "y": np.arange(11)}, 0.3)
    assert len(learned["y"]) == 7 and len(held_out["y"]) == 4
    assert sorted([*learned["y"], *held_out["y"]]) == list(range(11))
    assert np.array_equal(learned["x"][:, 0], 2 * learned["y"])


def test_the_list_names_every_example():
    done = subprocess.run([sys.executable, "-m", "fx.examples"], capture_output=True, text=True, check=True)
    listed = set(re.findall(r"fx\.examples\.(\w+) ", done.stdout))
    files = {p.stem for p in Path(examples.__file__).parent.glob("*.py") if not p.stem.startswith("_")}
    assert listed == files


@pytest.mark.slow
def test_the_default_runs_keep_their_bounds(tmp_path, capsys):
    last, _ = call(digits, tmp_path / "a.png", capsys, "--quiet")
    assert min(numbers(without_time(last))) >= 98.5
    last, _ = call(characters, tmp_path / "b.png", capsys, "--quiet")
    assert numbers(without_time(last))[0] < characters.BOUND
    last, _ = call(diabetes, tmp_path / "c.png", capsys, "--quiet")
    ensemble, ridge, *_ = numbers(without_time(last).replace("R2", ""))
    assert ensemble > ridge
    last, _ = call(sequences, tmp_path / "d.png", capsys, "--quiet")
    assert numbers(without_time(last))[0] > 68
