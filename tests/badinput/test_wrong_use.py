"""What a new user gets wrong, and the words that the message must have: the argument, and what to write instead."""

import warnings

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import losses, optim

PARAMS = {"w": fnp.ones((3, 2)), "b": fnp.zeros(2)}
X = fnp.ones((4, 3))
LABELS = fnp.array([0, 1, 2, 0])
ADAM = optim.adam(1e-3)
STATE = ADAM.init(PARAMS)
UPDATE = "optimizer.update(grads, state, params)"


def loss(params, batch):
    return fnp.sum(params["w"]) * fnp.sum(batch)


WRONG = {
    "no state": (lambda: optim.scale_by_adam().update(PARAMS, None), ["scale_by_adam", "state", UPDATE]),
    "params for the state": (lambda: ADAM.update(PARAMS, PARAMS), ["state", "init(params)"]),
    "the state of another": (
        lambda: optim.scale_by_adam().update(PARAMS, optim.trace(0.9).init(PARAMS)),
        ["scale_by_adam", "TraceState", UPDATE],
    ),
    "a leaf less": (lambda: ADAM.update({"w": X}, STATE, PARAMS), ["['b']", "structure of the gradients"]),
    "another shape": (
        lambda: ADAM.update({"w": fnp.ones((2, 3)), "b": fnp.zeros(2)}, STATE, PARAMS),
        ["f32[2,3]", "f32[3,2]", "optimizer.init(params)"],
    ),
    "a shape that would broadcast": (
        lambda: ADAM.update({"w": fnp.ones((1, 2)), "b": fnp.zeros(2)}, STATE, PARAMS),
        ["f32[1,2]", "f32[3,2]"],
    ),
    "a list for an array": (
        lambda: optim.adam(0.1).update(X, optim.adam(0.1).init([X, X])),
        ["f32[4,3]", "optimizer.init(params)"],
    ),
    "the pair that update returns": (
        lambda: optim.apply_updates(PARAMS, ADAM.update(PARAMS, STATE, PARAMS)),
        ["apply_updates", "tuple of length 2", "updates, state = optimizer.update"],
    ),
    "params first": (lambda: optim.adam(PARAMS, 1e-3), ["learning_rate", "dict", "optimizer.init(params)"]),
    "text for a rate": (lambda: optim.sgd("0.1"), ["sgd: learning_rate", "'0.1'", "schedule"]),
    "an integer dtype": (lambda: optim.adam(0.1, mu_dtype=int), ["adam: mu_dtype", "int64"]),
    "betas as one tuple": (lambda: optim.adam(0.1, (0.9, 0.99)), ["adam: b1", "(0.9, 0.99)"]),
    "a list to chain": (lambda: optim.chain([optim.clip(1.0), ADAM]), ["chain", "Write chain(a, b)"]),
    "a maker to chain": (lambda: optim.chain(optim.sgd), ["chain", "sgd(0.1)"]),
    "numbers as schedules": (lambda: optim.join_schedules([0.1, 0.2], [3]), ["0.1", "constant_schedule"]),
    "a mask of numbers": (lambda: optim.masked(ADAM, {"w": 1, "b": 0}).init(PARAMS), ["params['b']", "0"]),
    "a schedule of text": (lambda: optim.prodigy(lambda count: "text").update(
        PARAMS, optim.prodigy().init(PARAMS), PARAMS), ["schedule", "'text'"]),
    "labels for distributions": (lambda: losses.softmax_cross_entropy(X, LABELS), ["(4, 3)", "cross_entropy"]),
    "swapped arguments": (lambda: losses.cross_entropy(LABELS, X), ["logits", "order (predictions, targets)"]),
    "labels as floats": (lambda: fx.metrics.accuracy(X, fnp.ones(4)), ["targets", "targets.astype(int)"]),
    "objects": (lambda: losses.squared_error(np.array([1, None]), fnp.ones(2)), ["object"]),
    "a number for a key": (lambda: fx.random.normal(0, (3,)), ["key", "fx.random.key(seed)"]),
    "shape before key": (lambda: fx.random.normal((3,), fx.random.key(0)), ["key", "(3,)"]),
    "text for a seed": (lambda: fx.random.key("a"), ["seed", "integer", "'a'"]),
    "a misspelled dtype": (lambda: fnp.zeros(3, "float31"), ["'float31'", "fx.numpy.float32"]),
    "fit: swapped": (lambda: fx.train.fit(PARAMS, loss, [X], ADAM, epochs=1), ["loss_fn", "order"]),
    "fit: a rate": (lambda: fx.train.fit(loss, PARAMS, [X], 0.1, epochs=1), ["optimizer", "0.1"]),
    "fit: a number": (lambda: fx.train.fit(loss, PARAMS, 3, ADAM, epochs=1), ["loader", "order"]),
    "a tuple of columns": (
        lambda: fx.data.Loader((np.ones((4, 2)), np.ones(4)), 2), ["tuple", "Arrays((x, y))"]),
    "no path": (lambda: fx.io.load(3), ["io.load: path", "3"]),
    "no times": (lambda: fx.ode.odeint(lambda y, t: y, fnp.arange(3.0), 1.0), ["t ", "odeint(func, y0, t)"]),
    "text for a window": (lambda: fx.signal.windows.gaussian(5, "wide"), ["gaussian: std", "'wide'"]),
    "text for a tolerance": (lambda: fx.linalg.cg(fnp.eye(2), fnp.ones(2), tol="small"), ["tol", "'small'"]),
    "too large": (lambda: fx.linalg.hilbert(2**40), ["hilbert", "memory"]),
    "a size as text": (lambda: fx.data.transforms.Resize("32"), ["Resize: size", "'32'"]),
    "classes below one": (lambda: fx.metrics.ConfusionMatrix(0), ["num_classes", "positive"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_the_message_names_the_argument_and_what_to_write(name):
    call, words = WRONG[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(fx.FxError) as raised:
            call()
    missing = [word for word in words if word not in str(raised.value)]
    assert not missing, f"{missing} not in: {raised.value}"
