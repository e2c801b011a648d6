"""The optimizers of torch.optim over a hundred steps: float64 to 1e-12, float32 to 1e-6 of it."""

import numpy as np
import pytest
import torch
from optim_problem import assert_near, fx_steps, torch_steps

from fx import optim as o

T = torch.optim
CASES = {
    "sgd": (o.sgd(0.05), lambda p: T.SGD(p, 0.05)),
    "dampened": (
        o.sgd(0.05, 0.8, dampening=0.3, weight_decay=0.1),
        lambda p: T.SGD(p, 0.05, momentum=0.8, dampening=0.3, weight_decay=0.1),
    ),
    "nesterov": (
        o.sgd(0.05, 0.8, nesterov=True, weight_decay=0.1),
        lambda p: T.SGD(p, 0.05, momentum=0.8, nesterov=True, weight_decay=0.1),
    ),
    "adam": (
        o.adam(0.01, 0.8, 0.95, 1e-4, weight_decay=0.1),
        lambda p: T.Adam(p, 0.01, (0.8, 0.95), 1e-4, weight_decay=0.1),
    ),
    "amsgrad": (
        o.amsgrad(0.01, 0.8, 0.5, 1e-4, correct_largest=True, weight_decay=0.1),
        lambda p: T.Adam(p, 0.01, (0.8, 0.5), 1e-4, weight_decay=0.1, amsgrad=True),
    ),
    "adamw": (
        o.adamw(0.01, 0.8, 0.95, 1e-4, weight_decay=0.1),
        lambda p: T.AdamW(p, 0.01, (0.8, 0.95), 1e-4, weight_decay=0.1),
    ),
    "nadam": (o.nadam(0.01, momentum_decay=4e-3), lambda p: T.NAdam(p, 0.01)),
    "nadam, all": (
        o.nadam(0.004, 0.8, 0.95, 1e-4, weight_decay=0.1, momentum_decay=0.1),
        lambda p: T.NAdam(p, 0.004, (0.8, 0.95), 1e-4, weight_decay=0.1, momentum_decay=0.1),
    ),
    "radam": (o.radam(0.01, correct_eps=True), lambda p: T.RAdam(p, 0.01)),
    "radam, all": (
        o.radam(0.01, 0.8, 0.95, 1e-2, weight_decay=0.1, correct_eps=True),
        lambda p: T.RAdam(p, 0.01, (0.8, 0.95), 1e-2, weight_decay=0.1),
    ),
    "adamax": (
        o.adamax(0.004, 0.8, 0.9, 1e-2, weight_decay=0.1),
        lambda p: T.Adamax(p, 0.004, (0.8, 0.9), 1e-2, weight_decay=0.1),
    ),
    "adagrad": (o.adagrad(0.3, 0.0, 1e-10, eps_in_sqrt=False), lambda p: T.Adagrad(p, 0.3)),
    "adagrad, all": (
        o.adagrad(0.3, 0.2, 1e-2, eps_in_sqrt=False, lr_decay=0.1, weight_decay=0.1),
        lambda p: T.Adagrad(p, 0.3, 0.1, 0.1, 0.2, 1e-2),
    ),
    "adadelta": (
        o.adadelta(1.0, 0.8, 1e-3, weight_decay=0.1),
        lambda p: T.Adadelta(p, 1.0, 0.8, 1e-3, weight_decay=0.1),
    ),
    "rmsprop": (
        o.rmsprop(0.01, 0.9, 0.1, eps_in_sqrt=False, weight_decay=0.1),
        lambda p: T.RMSprop(p, 0.01, 0.9, 0.1, weight_decay=0.1),
    ),
    "rmsprop, centered": (
        o.rmsprop(0.01, 0.9, 0.1, eps_in_sqrt=False, centered=True, momentum=0.5),
        lambda p: T.RMSprop(p, 0.01, 0.9, 0.1, momentum=0.5, centered=True),
    ),
    "rprop": (o.rprop(0.01), lambda p: T.Rprop(p, 0.01)),
    "rprop, all": (
        o.rprop(0.01, 0.4, 1.3, 1e-3, 0.1),
        lambda p: T.Rprop(p, 0.01, (0.4, 1.3), (1e-3, 0.1)),
    ),
    "asgd": (o.asgd(0.05), lambda p: T.ASGD(p, 0.05)),
    "asgd, all": (
        o.asgd(0.05, 0.1, 0.5, 20, weight_decay=0.1),
        lambda p: T.ASGD(p, 0.05, 0.1, 0.5, 20, weight_decay=0.1),
    ),
}
# Near the minimum the signs of gradients are those of rounding errors.
ONLY_FLOAT64 = {"rprop", "rprop, all"}


@pytest.mark.parametrize("name", CASES)
def test_a_hundred_steps(name):
    ours, theirs = CASES[name]
    expected = torch_steps(theirs)[0]
    assert_near(fx_steps(ours)[0], expected, 1e-12)
    if name not in ONLY_FLOAT64:
        assert_near(fx_steps(ours, np.float32)[0], expected, 1e-6)


def test_the_average_of_asgd():
    _, state = fx_steps(CASES["asgd, all"][0])
    _, theirs = torch_steps(CASES["asgd, all"][1])
    for found, p in zip(state[-1].average.values(), theirs.param_groups[0]["params"], strict=True):
        np.testing.assert_allclose(np.asarray(found), theirs.state[p]["ax"].numpy(), rtol=1e-12)


def test_the_best_of_lbfgs_is_that_of_torch():
    """Both end at the minimum: their searches differ."""
    from optim_problem import value

    import fx.numpy as fnp

    def closure_of(p):
        optimizer = T.LBFGS(
            p, max_iter=60, tolerance_grad=1e-14, tolerance_change=0, line_search_fn="strong_wolfe"
        )

        def closure():
            optimizer.zero_grad()
            loss = value(torch, {"b": p[0], "w": p[1]})
            loss.backward()
            return loss

        step = optimizer.step
        optimizer.step = lambda: step(closure)
        return optimizer

    expected = torch_steps(closure_of, steps=1)[0]
    loss = lambda p: value(fnp, p)
    extra = lambda p, g: {"value": loss(p), "grad": g, "value_fn": loss}
    assert_near(fx_steps(o.lbfgs(), steps=30, extra=extra)[0], expected, 1e-7)
