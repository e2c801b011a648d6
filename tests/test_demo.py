"""The demo: data, training, picture, terminal, options, and what it says when something is missing."""

import importlib.util
import io
import subprocess
import sys

import numpy as np
import pytest
from rich.console import Console

import fx

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from fx._demo import cli, report
from fx._demo.digits import load_digits
from fx._demo.figure import draw
from fx._demo.training import History, cosine_decay, train

KEY = fx.random.key(0)


@pytest.fixture(scope="module")
def digits():
    return load_digits(KEY)


@pytest.fixture(scope="module")
def history(digits):
    return train(digits, KEY, hidden=(32,), epochs=2)


def test_a_fifth_is_held_out(digits):
    assert digits.held_out.pixels.shape == (360, 64)
    assert digits.train.pixels.shape == (1437, 64)
    assert digits.train.pixels.dtype == np.float32
    rows = np.concatenate([np.asarray(digits.train.pixels), np.asarray(digits.held_out.pixels)])
    assert rows.shape == (1797, 64)
    assert rows.min() == 0
    assert rows.max() == 4
    assert not np.array_equal(load_digits(fx.random.key(1)).held_out.labels, digits.held_out.labels)


def test_accuracy_rises_and_loss_falls(history):
    assert history.accuracy[1] > history.accuracy[0] > 0.3
    assert history.loss[1] < history.loss[0]


def test_the_same_key_gives_the_same_result(digits, history):
    again = train(digits, KEY, hidden=(32,), epochs=2)
    assert again.loss == history.loss
    assert again.accuracy == history.accuracy
    assert train(digits, fx.random.key(5), hidden=(32,), epochs=1).loss[0] != history.loss[0]


def test_the_schedule():
    rate = cosine_decay(0.1, 10)
    assert float(rate(0)) == pytest.approx(0.1)
    assert float(rate(5)) == pytest.approx(0.05)
    assert float(rate(10)) == pytest.approx(0, abs=1e-9)


def test_the_picture(history, digits, tmp_path):
    path = tmp_path / "digits.png"
    draw(history, digits.held_out, path)
    from matplotlib import image

    pixels = image.imread(path)
    assert pixels.shape[0] > 500 and pixels.shape[1] > 1000
    red = (pixels[..., 0] > 0.75) & (pixels[..., 1] < 0.3) & (pixels[..., 2] < 0.3)
    assert red.sum() > 100, "wrong digits are marked"


def test_the_command(tmp_path, capsys):
    path = tmp_path / "out.png"
    assert cli.main(["--epochs", "2", "--hidden", "16", "--seed", "3", "--out", str(path)]) == 0
    out = capsys.readouterr().out
    assert path.read_bytes().startswith(b"\x89PNG")
    assert "64 - 16 - 10" in out and "360" in out and "seed 3" in out
    assert "epoch 2/2" in out
    assert str(path) in out and "held-out accuracy" in out and " s" in out.splitlines()[-1]


def test_quiet_prints_the_result_only(tmp_path, capsys):
    assert cli.main(["--epochs", "1", "--hidden", "8", "--quiet", "--out", str(tmp_path / "q.png")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_log_file_gets_few_lines(history):
    stream = io.StringIO()
    console = Console(file=stream)
    with report.reporter(console, 100, False) as tell:
        for epoch in range(100):
            tell(History(history.model, None, [1.0] * (epoch + 1), [0.5]))
    assert 0 < len(stream.getvalue().splitlines()) <= report.LINES


def test_a_terminal_gets_a_bar(history):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    with report.reporter(console, 2, False) as tell:
        tell(history)
    text = stream.getvalue()
    assert "training" in text and "held-out accuracy" in text and "1/2" in text


@pytest.mark.parametrize(
    "arguments, fact",
    [
        (["--epochs", "0"], "'0' is not a positive whole number"),
        (["--hidden", "8,x"], "'x' is not"),
        (["--seed", "a"], "invalid int"),
        (["--out", "no/such/folder/x.png"], "no directory"),
    ],
)
def test_options_that_make_no_sense(arguments, fact, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert fact in capsys.readouterr().err


@pytest.mark.parametrize("absent", [("sklearn",), ("sklearn", "matplotlib")])
def test_missing_packages_are_named(absent, monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name in absent else found(name, *a)
    )
    assert cli.main([]) == 2
    err = capsys.readouterr().err
    packages = " ".join(cli.NEEDED[module] for module in absent)
    assert f"pip install {packages}" in err


def test_python_m_fx_needs_nothing_to_explain_itself():
    done = subprocess.run([sys.executable, "-m", "fx", "--help"], capture_output=True, text=True, check=True)
    assert "--epochs" in done.stdout


@pytest.mark.slow
def test_the_default_run_reaches_97_percent(digits, tmp_path):
    path = tmp_path / "full.png"
    done = subprocess.run(
        [sys.executable, "-m", "fx", "--quiet", "--out", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    accuracy = float(done.stdout.split("held-out accuracy ")[1].split(" %")[0])
    assert accuracy >= 97
