"""Optimizers as functions: one compilation, derivatives, precision, clipping, masks, errors."""

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import optim


def test_one_compilation_serves_all_steps():
    optimizer = optim.adam(lambda count: 0.1 / (count + 1))
    update = fx.jit(optimizer.update)
    params = {"w": fnp.ones(3)}
    state = optimizer.init(params)
    for _ in range(3):
        _, state = update(params, state, params)
    assert update.trace_count == 1


def test_derivatives_by_hyperparameters_go_through_the_steps():
    def after(rate, b1, decay):
        params = fnp.asarray([1.0, 2.0, 0.0], dtype=fnp.float64)
        optimizer = optim.adamw(rate, b1=b1, weight_decay=decay)
        state = optimizer.init(params)
        for _ in range(3):
            grads = fx.grad(lambda p: (p[:2] ** 2).sum())(params)  # that of the last parameter is always 0
            updates, state = optimizer.update(grads, state, params)
            params = optim.apply_updates(params, updates)
        return (params**2).sum()

    point = [np.float64(v) for v in (0.1, 0.9, 0.01)]
    found = fx.grad(after, argnums=(0, 1, 2))(*point)
    for i, derivative in enumerate(found):
        step = np.eye(3)[i] * 1e-6
        numeric = (after(*(point + step)) - after(*(point - step))) / 2e-6
        assert float(derivative) == pytest.approx(float(numeric), rel=1e-6)


def test_derivatives_by_gradients_are_finite_at_zero():
    optimizer = optim.adam(0.1)
    first = lambda g: optimizer.update(g, optimizer.init(g), g)[0].sum()
    assert np.isfinite(np.asarray(fx.grad(first)(fnp.zeros(2)))).all()
    assert not np.asarray(
        optim.adam(0.1, eps=0.0).update(fnp.zeros(2), optimizer.init(fnp.zeros(2)))[0]
    ).any()


def test_bias_correction_is_exact_in_float32():
    """(1 - b2) of 0.999 has lost four digits in float32; the first step of Adam is the learning rate regardless."""
    optimizer = optim.adam(0.1, eps=1e-30)
    updates, _ = optimizer.update(fnp.asarray([3.0, -1e-4]), optimizer.init(fnp.zeros(2)))
    np.testing.assert_allclose(np.asarray(updates), [-0.1, 0.1], rtol=5e-7)


def test_small_gradients_of_float16_parameters_are_not_lost():
    params = fnp.ones(2, fnp.float16)
    optimizer = optim.adam(0.1)
    updates, state = optimizer.update(fnp.full((2,), 1e-4, fnp.float16), optimizer.init(params), params)
    assert state[0].nu.dtype == np.float32
    np.testing.assert_allclose(np.asarray(updates), -0.1, rtol=2e-3)


def test_global_norm():
    tree = {"a": fnp.asarray([3.0, 0.0]), "b": (fnp.asarray(4.0), fnp.arange(3))}
    assert float(optim.global_norm(tree)) == 5
    assert float(optim.global_norm(fnp.asarray([3e30, 4e30]))) == pytest.approx(5e30)
    assert float(optim.global_norm(fnp.asarray([3e-30, 4e-30]))) == pytest.approx(5e-30)
    assert float(optim.global_norm(fnp.asarray([3e4, 4e4], fnp.float16))) == 5e4
    assert float(optim.global_norm({})) == float(optim.global_norm(fnp.zeros(3))) == 0
    assert fx.grad(optim.global_norm)(fnp.zeros(2)).tolist() == [0, 0]
    np.testing.assert_allclose(
        np.asarray(fx.grad(optim.global_norm)(fnp.asarray([3.0, 4.0]))), [0.6, 0.8], rtol=1e-6
    )
    assert float(optim.global_norm(fnp.asarray([3 + 4j]))) == 5


def test_clipping():
    clip = optim.clip_by_global_norm(1.0)
    small = fnp.asarray([0.3, 0.4])
    assert np.array_equal(clip.update(small, clip.init(small))[0], small)
    large, _ = clip.update(fnp.asarray([3e30, 4e30]), clip.init(small))
    np.testing.assert_allclose(np.asarray(large), [0.6, 0.8], rtol=1e-6)
    assert clip.update(fnp.zeros(2), clip.init(small))[0].tolist() == [0, 0]


def test_masked_decay():
    params = {"kernel": fnp.ones((2, 2)), "bias": fnp.ones(2)}
    zero = fx.tree.map(fnp.zeros_like, params)
    for mask in ({"kernel": True, "bias": False}, lambda p: fx.tree.map(lambda x: x.ndim > 1, p)):
        optimizer = optim.adamw(1.0, weight_decay=0.1, mask=mask)
        updates, _ = optimizer.update(zero, optimizer.init(params), params)
        np.testing.assert_allclose(np.asarray(updates["kernel"]), -0.1, rtol=1e-6)
        assert not np.asarray(updates["bias"]).any()


def test_numpy_arrays_and_numbers_are_parameters_too():
    params = {"a": 1.0, "b": np.ones(3)}
    optimizer = optim.chain(optim.clip_by_global_norm(1.0), optim.adam(0.1))
    grads = fx.grad(lambda p: p["a"] ** 2 + (p["b"] ** 2).sum())(params)
    updates, _ = optimizer.update(grads, optimizer.init(params), params)
    after = optim.apply_updates(params, updates)
    np.testing.assert_allclose(np.asarray(after["b"]), 0.9, rtol=1e-6)


def test_errors():
    params = {"a": fnp.ones(3)}
    for make, facts in (
        (lambda: optim.sgd(-1.0), "learning_rate.*-1.0"),
        (lambda: optim.adam(float("nan")), "learning_rate.*nan"),
        (lambda: optim.adam(0.1, b1=1.0), r"b1.*\[0, 1\).*1.0"),
        (lambda: optim.adam(0.1, eps=-1e-8), "eps.*-1e-08"),
        (lambda: optim.adamw(0.1, weight_decay=-1), "weight_decay.*-1"),
        (lambda: optim.sgd(0.1, momentum=1.5), "decay.*1.5"),
        (lambda: optim.sgd(0.1, 0.9, nesterov=True, dampening=0.1), "dampening=0; got 0.1"),
        (lambda: optim.chain(optim.sgd(0.1), 3), "argument 1 is int"),
        (lambda: optim.clip_by_global_norm(-1), "max_norm.*-1"),
        (
            lambda: optim.adamw(0.1).update(params, optim.adamw(0.1).init(params)),
            "update\\(grads, state, params\\)",
        ),
        (lambda: optim.adam(0.1).update(params, (), params), "state that is not theirs"),
    ):
        with pytest.raises(fx.ArgumentError, match=facts):
            make()
    with pytest.raises(fx.TreeError, match=r"\['a'\].*missing"):
        optim.apply_updates(params, {"b": fnp.ones(3)})
    with pytest.raises(fx.TreeError):
        optim.sgd(0.1, 0.9).update({"b": fnp.ones(3)}, optim.sgd(0.1, 0.9).init(params))
    with pytest.raises(fx.ShapeError, match=r"params\['a'\] has shape \(3,\).*\(2, 3\)"):
        optim.apply_updates(params, {"a": fnp.ones((2, 3))})


def test_equations_of_an_adam_step():
    optimizer = optim.adam(0.1)

    def step(grads, state, params):
        updates, state = optimizer.update(grads, state, params)
        return optim.apply_updates(params, updates), state

    one, two = ({name: fnp.ones(2) for name in names} for names in ("a", "ab"))
    count = lambda p: len(fx.make_program(step)(p, optimizer.init(p), p).equations)
    assert count(two) - count(one) <= 15, "equations per parameter"
    assert count(one) <= 26
