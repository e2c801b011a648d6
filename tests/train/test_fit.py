"""The training loop: what it computes, exact resume, Ctrl-C, non-finite losses, logs."""

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import data, io, metrics, nn, optim, train

KEY = fx.random.key(0)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
Y = (X @ np.array([[1.0], [-2.0], [0.5]]) + 0.3).astype(np.float32)
SOURCE = data.Arrays({"x": X, "y": Y})
MODEL = nn.Sequential([nn.Linear(3, 8), nn.BatchNorm(8), nn.relu, nn.Dropout(0.2), nn.Linear(8, 1)])


def simple(params, batch):
    return fnp.mean((batch["x"] @ params["w"] + params["b"] - batch["y"]) ** 2)


def zeros():
    return {"w": fnp.zeros((3, 1)), "b": fnp.zeros(1)}


def loader(**options):
    return data.Loader(SOURCE, 8, key=KEY, **options)


def test_the_loop_is_the_loop():
    result = train.fit(simple, zeros(), loader(), optim.adam(0.1), epochs=5, show=False)
    params, optimizer = zeros(), optim.adam(0.1)
    state, again = optimizer.init(params), loader()
    for epoch in range(5):
        losses = []
        for batch in again:
            loss, grads = fx.value_and_grad(simple)(params, batch)
            updates, state = optimizer.update(grads, state, params)
            params = optim.apply_updates(params, updates)
            losses.append(float(loss))
        np.testing.assert_allclose(result.history["loss"][epoch], np.mean(losses), rtol=1e-5)
    np.testing.assert_allclose(result.params["w"], params["w"], rtol=1e-4, atol=1e-6)
    assert result.stopped == "all epochs" and result.history["step"] == [5, 10, 15, 20, 25]
    assert "loss" in str(result.history) and "<table>" in result.history._repr_html_()


def with_state(params, batch, state, key):
    y, state = MODEL.apply(params, batch["x"], state=state, key=key)
    loss = fnp.mean((y - batch["y"]) ** 2)
    return loss, state, {"size": fnp.absolute(y).mean()}


def score(params, state):
    y, _ = MODEL.apply(params, X, state=state)
    return {"error": fnp.mean((y - Y) ** 2)}


def run(epochs, callbacks=(), **options):
    params, state = MODEL.init(KEY)
    kept = {"state": state, "key": KEY, "evaluate": score, "show": False, "callbacks": callbacks, **options}
    return train.fit(with_state, params, loader(), optim.adamw(0.05), epochs=epochs, **kept)


def same(a, b):
    for x, y in zip(fx.tree.leaves(a), fx.tree.leaves(b), strict=True):
        assert np.array_equal(x, y)


def rows(history):
    return [{k: v for k, v in row.items() if "second" not in k} for row in history.rows]


class Break(train.Callback):
    def __init__(self, at):
        self.at = at

    def on_step(self, progress):
        if progress.train.step == self.at:
            raise RuntimeError("power cut")


@pytest.mark.parametrize("at", [1, 5, 12])
def test_resume_is_exact(tmp_path, at):
    whole = run(4)
    assert set(whole.history.names) >= {"loss", "size", "error", "examples_per_second"}
    saved = train.Checkpoint(tmp_path / "run.npz", every=1)
    with pytest.raises(RuntimeError, match="power cut"):
        run(4, [saved, Break(at)])
    resumed = run(4, [train.Checkpoint(tmp_path / "run.npz", every=1)], resume=True)
    same((resumed.params, resumed.state, resumed.opt_state), (whole.params, whole.state, whole.opt_state))
    for ours, theirs in zip(rows(resumed.history), rows(whole.history), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-6)
    again = run(4, [train.Checkpoint(tmp_path / "run.npz")], resume=True)
    same(again.params, whole.params)
    longer = run(5, [train.Checkpoint(tmp_path / "run.npz")], resume=True)
    same(longer.params, run(5).params)


def test_best_epoch_and_early_stopping(tmp_path):
    values = iter([3.0, 2.0, 2.5, 1.9, 2.2, 2.1, 1.95, 0.0])
    seen = []

    def evaluate(params):
        seen.append(params)
        return {"error": next(values)}

    best = tmp_path / "best.safetensors"
    callbacks = [
        train.Checkpoint(tmp_path / "run.safetensors", best=best, monitor="error"),
        train.EarlyStopping("error", patience=2, min_delta=0.05),
    ]
    result = train.fit(
        simple,
        zeros(),
        loader(),
        optim.sgd(0.01),
        epochs=20,
        evaluate=evaluate,
        callbacks=callbacks,
        show=False,
    )
    assert len(result.history) == 7 and "error has not become better than 1.9 for 3 epochs" in result.stopped
    same(io.load(best)["params"], seen[3])
    stopping = train.EarlyStopping("accuracy", mode="max", patience=1)
    up = iter([0.5, 0.6, 0.55, 0.58])
    result = train.fit(
        simple, zeros(), loader(), optim.sgd(0.01), epochs=9, evaluate=lambda p: {"accuracy": next(up)},
        callbacks=[stopping], show=False,
    )  # fmt: skip
    assert len(result.history) == 4
    with pytest.raises(fx.ArgumentError, match=r"no number 'eror'; an epoch has \['epoch', .*'loss'"):
        train.fit(
            simple,
            zeros(),
            loader(),
            optim.sgd(0.1),
            epochs=1,
            callbacks=[train.EarlyStopping("eror")],
            show=False,
        )


def test_a_loss_that_is_no_number_says_where(tmp_path):
    def bad(params, batch):
        return fnp.sum(fnp.log(params["w"] - 1.0)) + simple(params, batch)

    saved = train.Checkpoint(tmp_path / "run.npz")
    with pytest.raises(fx.NanError, match=r"Step 1: the loss is nan(.|\n)*log(.|\n)*test_fit\.py") as error:
        train.fit(bad, zeros(), loader(), optim.sgd(0.1), epochs=1, callbacks=[saved], show=False)
    assert "params" not in str(error.value).splitlines()[1]
    assert not np.asarray(io.load(tmp_path / "run.npz")["train"]["params"]["w"]).any()
    spoiled = data.Arrays({"x": np.where(X > 2, np.nan, X), "y": Y})
    with pytest.raises(fx.NanError, match=r"Not finite before it: batch\['x'\]"):
        train.fit(simple, zeros(), data.Loader(spoiled, 40), optim.sgd(0.1), epochs=1, show=False)
    with pytest.raises(fx.NanError, match=r"the loss is inf(.|\n)*overflow"):
        train.fit(
            lambda p, b: fnp.exp(1e3 + p["b"].sum()), zeros(), loader(), optim.sgd(0.1), epochs=1, show=False
        )


SCRIPT = """
import time, numpy as np, fx, fx.numpy as fnp
from fx import data, optim, train
class Slow(train.Callback):
    def on_step(self, progress):
        if progress.train.step == 3:
            print("ready", flush=True)
        time.sleep(0.05)
loss = lambda params, batch: fnp.mean((batch @ params) ** 2)
loader = data.Loader(data.Arrays(np.ones((400, 3), np.float32)), 4, key=fx.random.key(0))
try:
    callbacks = [train.Checkpoint({path!r}), Slow()]
    train.fit(loss, fnp.ones(3), loader, optim.adam(0.01), epochs=5, callbacks=callbacks, show=False)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_leaves_a_valid_checkpoint(tmp_path):
    path = str(tmp_path / "run.safetensors")
    script = textwrap.dedent(SCRIPT.replace("{path!r}", repr(path)))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out == "interrupted\n" and process.returncode == 0
    saved = io.load(path)
    assert saved["train"]["step"] >= 3 and len(saved["losses"]) == saved["train"]["step"]
    assert saved["train"]["loader"] == {"epoch": 0, "position": saved["train"]["step"]}


def test_logs(tmp_path):
    callbacks = [train.CsvLog(tmp_path / "log.csv"), train.JsonLog(tmp_path / "log.jsonl", steps=4)]
    callbacks.append(train.TensorBoard(tmp_path / "events"))
    result = train.fit(simple, zeros(), loader(), optim.sgd(0.05), epochs=2, callbacks=callbacks, show=False)
    with open(tmp_path / "log.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in table] == result.history["loss"]
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 5, 8, 10]
    assert [line["loss"] for line in lines if "epoch" in line] == result.history["loss"]
    assert any(name.startswith("events.out.tfevents") for name in os.listdir(tmp_path / "events"))
    result.history.plot(tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(fx.ArgumentError, match="no column 'accuracy'"):
        result.history["accuracy"]


def test_evaluator_and_display(capsys):
    labels = (Y[:, 0] > 0).astype(int)
    source = data.Arrays({"x": X, "y": labels})
    made = metrics.Collection(
        {"accuracy": metrics.Accuracy(), "f1": metrics.FBeta(), "matrix": metrics.ConfusionMatrix(2)}
    )
    predict = lambda params, batch: nn.sigmoid(batch["x"] @ params["w"] + params["b"])[:, 0]
    evaluate = train.evaluator(predict, data.Loader(source, 16), made)

    def loss(params, batch):
        from fx import losses

        logits = (batch["x"] @ params["w"] + params["b"])[:, 0]
        return losses.sigmoid_binary_cross_entropy(logits, batch["y"].astype(fnp.float32), reduction="mean")

    result = train.fit(
        loss, zeros(), data.Loader(source, 8, key=KEY), optim.adam(0.3), epochs=8, evaluate=evaluate
    )
    assert result.history["accuracy"][-1] > 0.9 and "matrix" not in result.history.names
    shown = capsys.readouterr().out
    assert shown.count("epoch") == 8 and "accuracy" in shown and "examples/s" in shown


def test_optimizers_that_read_the_loss():
    for optimizer in (optim.lbfgs(), optim.polyak_sgd(0.5)):
        result = train.fit(simple, zeros(), [{"x": X, "y": Y}], optimizer, epochs=12, show=False)
        assert result.history["loss"][-1] < 0.05 * result.history["loss"][0]


def test_wrong_arguments(tmp_path):
    go = lambda f=simple, batches=None, **options: train.fit(
        f,
        zeros(),
        loader() if batches is None else batches,
        optim.sgd(0.1),
        **{"epochs": 1, "show": False, **options},
    )
    for wrong, error, text in (
        (lambda: go(epochs=1.5), fx.ArgumentError, "epochs"),
        (lambda: go(resume=True), fx.ArgumentError, "Checkpoint"),
        (lambda: go(batches=[]), fx.ArgumentError, "no batch"),
        (lambda: go(lambda p, b: (1.0, {}, 3)), fx.ArgumentError, r"\(loss, metrics\); it returned 3"),
        (lambda: go(lambda p, b: p["w"]), fx.FxError, "scalar"),
        (lambda: go(evaluate=lambda p: 3.0), fx.ArgumentError, "dict of numbers"),
        (lambda: go(callbacks=[train.EarlyStopping(mode="up")]), fx.ArgumentError, "'min'"),
        (lambda: go(callbacks=[train.Checkpoint(tmp_path / "x.npz", every=0)]), fx.ArgumentError, "every"),
        (lambda: train.Checkpoint("x.pt"), fx.ArgumentError, r"'x.pt' ends neither in .safetensors"),
        (lambda: train.Checkpoint("x.npz", best="y"), fx.ArgumentError, "'y' ends neither"),
        (lambda: train.Checkpoint("no/x.npz"), fx.ArgumentError, "'no', where it would save"),
        (lambda: go(callbacks=[print]), fx.ArgumentError, "classes on fx.train.Callback; got <built-in"),
    ):
        with pytest.raises(error, match=text):
            wrong()
    began = time.monotonic()
    assert len(go(epochs=0).history) == 0 and time.monotonic() - began < 5
