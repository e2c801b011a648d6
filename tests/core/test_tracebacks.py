"""Errors leave transformations with the user's frames only."""

import os
import subprocess
import sys
import traceback

import numpy as np
import pytest

import fx


def mismatch(x):
    return (x @ np.ones((4, 4))).sum()


def frames_of(call):
    try:
        call()
    except Exception as error:
        return [f.filename for f in traceback.extract_tb(error.__traceback__)]
    raise AssertionError("nothing was raised")


TRANSFORMED = {
    "grad": lambda: fx.grad(mismatch)(np.ones(3)),
    "jit of vmap of grad": lambda: fx.jit(fx.vmap(fx.grad(mismatch)))(np.ones((2, 3))),
    "checkpoint": lambda: fx.grad(fx.checkpoint(mismatch))(np.ones(3)),
    "jvp": lambda: fx.jvp(mismatch, (np.ones(3),), (np.ones(3),)),
    "jacobian": lambda: fx.jacobian(mismatch)(np.ones(3)),
    "scan": lambda: fx.lax.scan(lambda c, x: (c, mismatch(c)), np.ones(3), np.ones(2)),
}


@pytest.mark.parametrize("name", TRANSFORMED)
def test_only_user_frames_are_left(name):
    assert set(frames_of(TRANSFORMED[name])) == {__file__}


def test_a_users_own_exception_keeps_its_place():
    def loss(x):
        return x * {}["missing"]

    with pytest.raises(KeyError) as info:
        fx.jit(fx.grad(loss))(1.0)
    assert "missing" in traceback.format_exception(info.value)[-1]
    assert all("/fx/core/" not in f.filename for f in traceback.extract_tb(info.value.__traceback__))


def test_a_surprise_inside_fx_keeps_all_frames():
    scope = {}
    exec(compile("def broken(): raise KeyError('surprise')", "<fx inside>", "exec"), scope)
    frames = frames_of(lambda: fx.grad(lambda x: scope["broken"]())(1.0))
    assert frames[-1] == "<fx inside>" and any("/fx/core/" in f for f in frames)


def test_full_tracebacks_on_request():
    code = """
import fx, traceback
try:
    fx.grad(lambda x: fx.numpy.ones(3) + fx.numpy.ones(4))(1.0)
except fx.ShapeError as error:
    print(len(traceback.extract_tb(error.__traceback__)))
"""
    counts = []
    for mode in ("short", "full"):
        environment = {**os.environ, "FX_TRACEBACK": mode}
        command = [sys.executable, "-c", code]
        out = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        counts.append(int(out.stdout))
    assert counts[0] < counts[1]
