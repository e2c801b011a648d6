"""Every argument of every optimizer over a hundred steps: Optax in float64 to 1e-12, float32 to 1e-6 of it."""

import inspect
import json
import os
from pathlib import Path

import numpy as np
import optax
import pytest
from optim_problem import OPTAX, START, assert_near, distance, fx_steps, in_float32, optax_steps

from fx import optim

falling = lambda count: 0.05 / (1.0 + 0.1 * count)
decaying = lambda count: 0.01 / (1.0 + count)
no_b = {"b": False, "w": True}

# Name: calls that together give every argument a value that is not its default.
CALLS = {
    "sgd": [dict(learning_rate=0.05), dict(learning_rate=falling, momentum=0.8, nesterov=True),
            dict(learning_rate=0.05, momentum=0.8, accumulator_dtype=np.float64)],
    "adam": [dict(learning_rate=0.05), dict(learning_rate=falling, b1=0.8, b2=0.95, eps=1e-3, eps_root=1e-4,
             mu_dtype=np.float64, nesterov=True)],
    "adamw": [dict(learning_rate=0.05), dict(learning_rate=0.05, b1=0.8, b2=0.95, eps=1e-3, eps_root=1e-4,
              mu_dtype=np.float64, weight_decay=0.1, mask=no_b, nesterov=True), dict(learning_rate=0.05,
              weight_decay=decaying)],
    "nadam": [dict(learning_rate=0.05, b1=0.8, b2=0.95, eps=1e-3, eps_root=1e-4, mu_dtype=np.float64)],
    "nadamw": [dict(learning_rate=0.05, weight_decay=0.1)],
    "amsgrad": [dict(learning_rate=0.05), dict(learning_rate=0.05, b1=0.8, b2=0.5, eps=1e-3, eps_root=1e-4,
                mu_dtype=np.float64, bias_correction_mu=False), dict(learning_rate=0.05, b2=0.5,
                bias_correction_nu=False)],
    "adamax": [dict(learning_rate=0.004, b1=0.8, b2=0.9, eps=1e-3)],
    "adamaxw": [dict(learning_rate=0.004, b1=0.8, b2=0.9, eps=1e-3, weight_decay=0.1, mask=no_b)],
    "adabelief": [dict(learning_rate=0.05), dict(learning_rate=0.05, b1=0.8, b2=0.95, eps=1e-3, eps_root=1e-4,
                  nesterov=True)],
    "yogi": [dict(learning_rate=0.05), dict(learning_rate=0.05, b1=0.8, b2=0.95, eps=1e-2)],
    "radam": [dict(learning_rate=0.05), dict(learning_rate=0.05, b1=0.8, b2=0.95, eps=1e-3, eps_root=1e-4,
              threshold=8.0, nesterov=True)],
    "adan": [dict(learning_rate=0.05), dict(learning_rate=0.05, b1=0.9, b2=0.8, b3=0.95, eps=1e-3, eps_root=1e-4,
             weight_decay=0.1, mask=no_b)],
    "adopt": [dict(learning_rate=0.05), dict(learning_rate=0.01, b1=0.8, b2=0.95, eps=1e-3, mu_dtype=np.float64,
              nesterov=True, clip_value_fn=lambda count: 0.5 + 0.01 * count), dict(learning_rate=0.01,
              use_clipping=False)],
    "ademamix": [dict(learning_rate=0.01), dict(learning_rate=0.01, b1=0.8, b2=0.95, b3=0.99, alpha=2.0, eps=1e-3,
                 eps_root=1e-4, mu_dtype=np.float64, weight_decay=0.1, mask=no_b), dict(learning_rate=0.01,
                 b3=lambda count: 0.9 + 0.0 * count, alpha=lambda count: 0.01 * count)],
    "lion": [dict(learning_rate=0.02), dict(learning_rate=0.02, b1=0.8, b2=0.95, mu_dtype=np.float64,
             weight_decay=0.1, mask=no_b)],
    "adagrad": [dict(learning_rate=0.5), dict(learning_rate=0.5, initial_accumulator_value=0.0, eps=1e-3)],
    "adadelta": [dict(eps=1e-7), dict(learning_rate=2.0, rho=0.8, eps=1e-3, weight_decay=0.1, weight_decay_mask=no_b)],
    "rmsprop": [dict(learning_rate=0.004), dict(learning_rate=0.001), dict(learning_rate=0.02, decay=0.8, eps=0.1,
                initial_scale=1.0, eps_in_sqrt=False, momentum=0.5, nesterov=True),
                dict(learning_rate=0.02, centered=True, bias_correction=True, eps=0.1),
                dict(learning_rate=0.02, bias_correction=True, eps=0.1),
                dict(learning_rate=0.02, centered=True, eps=0.1, eps_in_sqrt=False)],
    "sm3": [dict(learning_rate=0.3), dict(learning_rate=0.3, momentum=0.5)],
    "sign_sgd": [dict(learning_rate=falling)],
    "signum": [dict(learning_rate=0.01, beta=0.5, accumulator_dtype=np.float64)],
    "optimistic_gradient_descent": [dict(learning_rate=0.05), dict(learning_rate=0.05, alpha=0.7, beta=0.3)],
    "optimistic_adam_v2": [dict(learning_rate=0.01), dict(learning_rate=0.05, alpha=0.7, beta=0.3, b1=0.8, b2=0.95,
                           eps=1e-3, eps_root=1e-4, mu_dtype=np.float64, nesterov=False)],
    "lars": [dict(learning_rate=0.5), dict(learning_rate=0.5, weight_decay=0.1, weight_decay_mask=no_b,
             trust_coefficient=0.01, eps=1e-3, trust_ratio_mask=no_b, momentum=0.5, nesterov=True)],
    "lamb": [dict(learning_rate=0.003), dict(learning_rate=0.003, b1=0.8, b2=0.95, eps=1e-3, eps_root=1e-4,
             weight_decay=0.1, mask=no_b)],
    "fromage": [dict(learning_rate=0.01), dict(learning_rate=falling, min_norm=1.5)],
    "novograd": [dict(learning_rate=0.003), dict(learning_rate=0.02, b1=0.8, b2=0.5, eps=1e-3, eps_root=1e-4,
                 weight_decay=0.1)],
    "adafactor": [dict(learning_rate=0.05), dict(learning_rate=0.05, min_dim_size_to_factor=3, decay_rate=0.6,
                  multiply_by_parameter_scale=False, clipping_threshold=0.5, momentum=0.5,
                  dtype_momentum=np.float64, weight_decay_rate=0.01, eps=1e-3, weight_decay_mask=no_b),
                  dict(learning_rate=0.05, min_dim_size_to_factor=2, factored=False, clipping_threshold=None),
                  dict(learning_rate=0.05, decay_offset=-3, min_dim_size_to_factor=2)],
    "noisy_sgd": [dict(learning_rate=0.05, eta=0.1, gamma=0.7, key=3)],
    "schedule_free_sgd": [dict(learning_rate=0.3), dict(learning_rate=0.3, warmup_steps=10, b1=0.8,
                          weight_decay=0.1, weight_lr_power=1.0, state_dtype=np.float64)],
    "schedule_free_adamw": [dict(learning_rate=0.1), dict(learning_rate=0.01, warmup_steps=10, b1=0.8, b2=0.95,
                            eps=1e-3, weight_decay=0.1, weight_lr_power=1.0, state_dtype=np.float64)],
    "prodigy": [dict(estim_lr0=1e-4, learning_rate=0.3),
                dict(learning_rate=falling, betas=(0.8, 0.95), beta3=0.9, eps=1e-3, estim_lr0=1e-3,
                estim_lr_coef=2.0, weight_decay=0.1, safeguard_warmup=True)],
    "dadapt_adamw": [dict(estim_lr0=1e-4, learning_rate=0.3),
                     dict(learning_rate=falling, betas=(0.8, 0.95), eps=1e-3, estim_lr0=1e-3,
                     weight_decay=0.1)],
    "dog": [dict(init_step=("distance", 0.1)), dict(learning_rate=0.5, init_step=("learning_rate", 0.05), eps=1e-3,
            weight_decay=0.1, mask=no_b), dict(init_step=("heuristic", 1e-2))],
    "dowg": [dict(init_estim_sq_dist=0.1), dict(learning_rate=0.5, eps=1e-2, weight_decay=0.1, mask=no_b)],
    "cocob": [dict(), dict(learning_rate=0.5, alpha=10.0, eps=1e-3, weight_decay=0.1, mask=no_b)],
    "madgrad": [dict(learning_rate=0.05), dict(learning_rate=falling, momentum=0.5, weight_decay=0.1, eps=1e-3)],
    "acprop": [dict(learning_rate=0.01), dict(learning_rate=0.01, b1=0.8, b2=0.95, eps=1e-3, eps_root=1e-4,
               weight_decay=0.1, mask=no_b)],
    "simplified_ademamix": [dict(learning_rate=0.001), dict(learning_rate=0.002, b1=0.9, b2=0.8, alpha=2.0,
                            eps=1e-3, eps_root=1e-4, weight_decay=0.1, mask=no_b)],
    "muon": [dict(learning_rate=0.05), dict(learning_rate=0.05, ns_coeffs="dion", beta=0.8, eps=1e-3,
             weight_decay=0.1, weight_decay_mask=no_b, mu_dtype=np.float64, nesterov=False,
             preconditioning="spectral", adam_b1=0.8, adam_b2=0.95, adam_eps_root=1e-4, adam_weight_decay=0.2,
             adam_learning_rate=0.02, consistent_rms=0.2), dict(learning_rate=0.05, ns_steps=2, adaptive=True,
             preconditioning="aol", muon_weight_dimension_numbers="transposed"),
             dict(learning_rate=0.005, preconditioning="schatten", ns_steps=2)],
}  # fmt: skip
CASES = [(name, i) for name, calls in CALLS.items() for i in range(len(calls))]
DRAWN_IN_FLOAT32 = {("noisy_sgd", 0)}
"""Draws of float32 are other numbers than those of float64."""
AMPLIFIED = {("rmsprop", 0), ("prodigy", 0)}
"""Where the rounding of parameters grows: by steps that do not shrink near the minimum, by a distance that is small."""


def made(space, name, options):
    if options.get("muon_weight_dimension_numbers"):
        numbers = space.MuonDimensionNumbers(1, 0)
        options = {**options, "muon_weight_dimension_numbers": {"b": None, "w": numbers}}
    return getattr(space, name)(**options)


STORE = Path(__file__).parent / "optax_results.json"
"""What Optax gave for each call, since compiling it takes longer than all tests; running this file writes it."""
STORED = json.loads(STORE.read_text()) if STORE.exists() else {}


def key_of(name, options, dtype=np.float64):
    """All that the result depends on: a schedule by its values, and the versions."""
    text = lambda v: [float(v(i)) for i in (0, 1, 50)] if callable(v) and not isinstance(v, type) else str(v)
    kind = ["float32"] if dtype == np.float32 else []
    return " ".join([optax.__version__, *kind, name, *[f"{k}={text(v)}" for k, v in options.items()]])


def expected_of(name, options, dtype=np.float64):
    """From the store; of a call that is not in it, or with FX_FUZZ, from Optax itself."""
    found = None if os.environ.get("FX_FUZZ") else STORED.get(key_of(name, options, dtype))
    if found is None:
        return optax_steps(lambda: made(OPTAX, name, options), dtype=dtype)[0]
    return {k: np.array(x) for k, x in found.items()}


@pytest.mark.parametrize("name, i", CASES)
def test_a_hundred_steps(name, i):
    options = CALLS[name][i]
    expected = expected_of(name, options)
    assert_near(fx_steps(made(optim, name, options))[0], expected, 1e-12)
    if (name, i) in DRAWN_IN_FLOAT32:
        expected = expected_of(name, options, np.float32)
    if (name, i) not in AMPLIFIED:
        assert_near(fx_steps(made(optim, name, options), np.float32)[0], expected, 1e-6)


@pytest.mark.parametrize("name, i", sorted(AMPLIFIED))
def test_float32_is_limited_by_its_parameters_alone(name, i):
    """As far from the truth as float64 whose parameters are kept in float32, and about as far as Optax."""
    options = CALLS[name][i]
    truth, theirs = expected_of(name, options), expected_of(name, options, np.float32)
    ours = distance(fx_steps(made(optim, name, options), np.float32)[0], truth)
    exact = fx_steps(made(optim, name, options), start=in_float32(START), stored=in_float32)[0]
    assert 1e-6 < ours < 1.1 * distance(exact, truth) and ours < 2 * distance(theirs, truth)


@pytest.mark.parametrize("name", ["adam", "adafactor", "schedule_free_sgd"])
def test_the_store_has_what_optax_gives(name):
    options = CALLS[name][-1]
    assert key_of(name, options) in STORED, "write the store again"
    live = optax_steps(lambda: made(OPTAX, name, options))[0]
    assert_near({k: np.array(x) for k, x in STORED[key_of(name, options)].items()}, live, 1e-13)


@pytest.mark.parametrize("name", CALLS)
def test_the_cases_name_every_argument(name):
    """Of Optax's signature, in its order, with its defaults."""
    theirs = inspect.signature(getattr(OPTAX, name)).parameters
    ours = inspect.signature(getattr(optim, name)).parameters
    shared = [k for k in theirs if k != "seed" and (name, k) != ("nadam", "nesterov")]
    assert [k for k in ours if k in shared] == shared
    for k in shared:
        if not callable(theirs[k].default) and not k.endswith(("dtype", "key")):
            assert ours[k].default == theirs[k].default, k
    if name not in ("nadamw",):
        assert set().union(*CALLS[name]) >= set(shared)


if __name__ == "__main__":
    in_both = [(case, np.float64) for case in CASES]
    in_both += [(case, np.float32) for case in sorted(AMPLIFIED | DRAWN_IN_FLOAT32)]
    runs = {
        key_of(n, CALLS[n][i], dtype): optax_steps(lambda n=n, i=i: made(OPTAX, n, CALLS[n][i]), dtype=dtype)[
            0
        ]
        for (n, i), dtype in in_both
    }
    STORE.write_text(
        json.dumps({key: {k: x.tolist() for k, x in p.items()} for key, p in runs.items()}, indent=0)
    )
