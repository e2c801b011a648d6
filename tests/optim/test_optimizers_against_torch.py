"""The optimizers of torch.optim over a hundred steps: float64 to 1e-12, float32 to 1e-6 of it."""

from unittest import mock

import numpy as np
import pytest
import torch
from optim_problem import START, TARGET, assert_near, fx_steps, torch_steps

import fx.numpy as fnp
from fx import optim as o

T = torch.optim
LIKE_TORCH = {"factored_axes": "last", "eps_as_floor": True}
BY_COLUMNS = {"b": None, "w": o.MuonDimensionNumbers(1, 0)}


def of_matrices(**options):
    """As torch.optim.Muon, which takes matrices alone: the bias by sgd."""
    numbers = {"muon_weight_dimension_numbers": BY_COLUMNS, "bias_correction": False, "eps_as_floor": True}
    return o.by_path({"w": o.muon(0.02, **numbers, **options), "b": o.sgd(0.02)})


class Muon(T.SGD):
    """torch.optim.Muon for w, whose iterations are in bfloat16 there, and in the dtype of w here; SGD for b."""

    def __init__(self, params, **options):
        super().__init__(params[:1], 0.02)
        self.of_matrices = T.Muon(params[1:], 0.02, **options)

    def zero_grad(self):
        super().zero_grad()
        self.of_matrices.zero_grad()

    def step(self):
        super().step()
        with mock.patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):
            self.of_matrices.step()


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
    "adafactor": (
        o.adafactor(lambda t: fnp.minimum(0.05, (t + 1.0) ** -0.5), 1, eps=2.0**-52, **LIKE_TORCH),
        lambda p: T.Adafactor(p, 0.05),
    ),
    "adafactor, all": (
        o.adafactor(
            lambda t: fnp.minimum(0.3, (t + 1.0) ** -0.5), 1, 0.6, clipping_threshold=1.5,
            weight_decay_rate=0.03, eps=0.2, min_scale=0.7, **LIKE_TORCH,
        ),
        lambda p: T.Adafactor(p, 0.3, -0.6, (0.2, 0.7), 1.5, 0.1),
    ),
    "muon": (of_matrices(eps=1e-7, weight_decay=0.1), lambda p: Muon(p)),
    "muon, all": (
        of_matrices(beta=0.8, weight_decay=0.2, nesterov=False, eps=4.0, ns_steps=3, consistent_rms=0.2,
                    ns_coeffs=(3.0, -4.0, 2.0)),
        lambda p: Muon(p, weight_decay=0.2, momentum=0.8, nesterov=False, eps=4.0, ns_steps=3,
                       ns_coefficients=(3.0, -4.0, 2.0), adjust_lr_fn="match_rms_adamw"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_hundred_steps(name):
    ours, theirs = CASES[name]
    expected = torch_steps(theirs)[0]
    assert_near(fx_steps(ours)[0], expected, 1e-12)
    if name == "rprop":  # near the minimum the signs of gradients are those of rounding errors, equal in both
        expected = torch_steps(theirs, dtype=torch.float32)[0]
    assert_near(fx_steps(ours, np.float32)[0], expected, 1e-6)


def test_muon_in_bfloat16():
    """One step of one iteration, as PyTorch's but for the places where it rounds."""
    start, grad = (np.ascontiguousarray(x["w"].T, np.float32) for x in (START, TARGET))
    params = torch.tensor(start, requires_grad=True)
    params.grad = torch.tensor(grad)
    T.Muon([params], 1.0, weight_decay=0.0, ns_steps=1).step()
    numbers = o.MuonDimensionNumbers(1, 0)
    options = {"bias_correction": False, "eps_as_floor": True, "muon_weight_dimension_numbers": numbers}
    ours = o.muon(1.0, eps=1e-7, ns_steps=1, ns_dtype=fnp.bfloat16, **options)
    step = np.asarray(ours.update(grad, ours.init(start), start)[0])
    assert step.dtype == np.float32 and (step == fnp.asarray(step).astype(fnp.bfloat16)).all()
    np.testing.assert_allclose(start + step, params.detach().numpy(), rtol=0, atol=0.02)


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
