"""Which leaves an optimizer is for: masks, labels, path patterns."""

import re

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import optim

PARAMS = {
    "encoder": {
        "layers": [
            {"attn": {"kernel": fnp.ones(2), "bias": fnp.ones(2)}, "layer_norm": {"scale": fnp.ones(2)}},
            {"attn": {"kernel": fnp.ones(2), "bias": fnp.ones(2)}, "layer_norm": {"scale": fnp.ones(2)}},
        ]
    },
    "head": {"kernel": fnp.ones(2), "bias": fnp.ones(2)},
    "bias": fnp.ones(2),
}
ALL = [
    "bias",
    "encoder/layers/0/attn/bias",
    "encoder/layers/0/attn/kernel",
    "encoder/layers/0/layer_norm/scale",
    "encoder/layers/1/attn/bias",
    "encoder/layers/1/attn/kernel",
    "encoder/layers/1/layer_norm/scale",
    "head/bias",
    "head/kernel",
]


def chosen(*patterns, **options):
    mask = optim.paths(*patterns, **options)(PARAMS)
    assert fx.tree.structure(mask) == fx.tree.structure(PARAMS)
    return {text for text, on in zip(ALL, fx.tree.leaves(mask), strict=True) if on}


@pytest.mark.parametrize(
    "patterns, expression",
    [
        (["bias"], r"(^|/)bias$"),
        (["*bias"], r"(^|/)bias$"),
        (["/bias"], r"^bias$"),
        (["*/bias"], r"/bias$"),
        (["encoder"], r"^encoder/"),
        (["encoder/**"], r"^encoder/"),
        (["encoder/*"], r"^encoder/"),
        (["/layers", "head/kernel"], r"^head/kernel"),
        (["layers/0"], r"/0/"),
        (["layers/?/attn"], r"attn"),
        (["layers/[1-9]/attn"], r"/1/attn"),
        (["*norm*"], r"norm"),
        (["encoder/**/bias"], r"^encoder.*bias"),
        (["/**/kernel"], r"kernel"),
        (["/*/kernel"], r"^[^/]*/kernel"),
        (["**"], r""),
        (["*"], r""),
        (["!bias", "!*norm*"], r"kernel"),
        (["encoder", "!bias"], r"^encoder.*(kernel|scale)"),
        (["!bias", "encoder"], r"^encoder.*(kernel|scale)"),
        ([], r""),
    ],
)
def test_patterns(patterns, expression):
    missing = "ignore" if "/layers" in patterns else "error"
    assert chosen(*patterns, missing=missing) == {text for text in ALL if re.search(expression, text)}


def test_patterns_of_attributes_and_of_text_with_dots():
    params = {"a.b": optim.EmaState(fnp.ones(2), {"c": fnp.ones(1)}), "axb": fnp.ones(1)}
    mask = optim.paths("a.b/ema")(params)
    assert mask["a.b"].ema == {"c": True} and not mask["a.b"].count and not mask["axb"]


def test_a_pattern_that_matches_nothing_names_what_is_near():
    for use, facts in (
        (lambda: chosen("!*baias"), r"'!\*baias' matches none of the 9 leaves.\n.*'bias'"),
        (lambda: chosen("enkoder/**"), r"'enkoder/\*\*' matches none.*\n.*'encoder'"),
        (
            lambda: optim.by_path({"nrom": optim.sgd(1.0), "**": optim.freeze()}).init(PARAMS),
            r"'nrom'.*none of the 9",
        ),
        (
            lambda: optim.by_path({"head": optim.sgd(1.0)}).init(PARAMS),
            r"no pattern matches 'bias'.\nAdd a last",
        ),
        (
            lambda: optim.by_path({"**": optim.sgd(1.0), "bias": optim.freeze()}).init(PARAMS),
            r"'bias' decides about no leaf: 'bias' is taken by '\*\*'.\nThe first",
        ),
        (lambda: optim.paths(3), r"a pattern is text.*got 3"),
        (lambda: optim.paths("!"), r"a pattern is text.*got '!'"),
        (lambda: optim.paths("a", missing="no"), r"missing must be one of error, ignore; got 'no'"),
        (
            lambda: optim.partition({"a": optim.sgd(1.0)}, {"x": "b"}).init({"x": 1.0}),
            r"\['x'\] has the label 'b'.*\n.*'a'",
        ),
        (lambda: optim.partition({"a": 3}, "a"), "that of 'a' is int: 3"),
        (lambda: optim.masked(3, True), "inner optimizer is int: 3"),
    ):
        with pytest.raises(fx.ArgumentError, match=facts):
            use()
    with pytest.raises(fx.TreeError):
        optim.masked(optim.sgd(1.0), {"head": True}).init(PARAMS)


def test_groups_by_path():
    optimizer = optim.by_path(
        {
            "bias": optim.sgd(0.1),
            "/encoder": optim.freeze(),
            "**": optim.sgd(optim.linear_schedule(1.0, 0.0, 2)),
        }
    )
    state = optimizer.init(PARAMS)
    updates, state = fx.jit(optimizer.update)(PARAMS, state, PARAMS)
    for path, u in fx.tree.leaves_with_path(updates):
        text = fx.tree.keystr(path)
        expected = -0.1 if "bias" in text else 0.0 if "encoder" in text else -1.0
        np.testing.assert_allclose(np.asarray(u), expected, rtol=1e-6)
    assert set(state.inner_states) == {"bias", "/encoder", "**"}


def test_masked_states_have_only_their_leaves_under_readable_paths():
    state = optim.masked(optim.trace(0.9), optim.paths("head")).init(PARAMS)
    paths = [fx.tree.keystr(path) for path, _ in fx.tree.leaves_with_path(state)]
    assert paths == [".inner_state.trace['head']['bias']", ".inner_state.trace['head']['kernel']"]


def test_masks_inside_masks_and_of_extra_arguments():
    """The gradient that a line search compares with is masked as the direction is."""
    params = {"a": fnp.ones(2), "b": fnp.full((2,), 5.0)}
    loss = lambda p: (p["a"] ** 2).sum()
    optimizer = optim.masked(optim.masked(optim.lbfgs(linesearch=None), optim.paths("a")), optim.paths("!b"))
    grads = fx.grad(lambda p: loss(p) + p["b"].sum())(params)
    updates, _ = optimizer.update(grads, optimizer.init(params), params, grad=grads, value=loss(params))
    assert updates["b"].tolist() == [1, 1] and (np.asarray(updates["a"]) < 0).all()


def test_prefixes_and_functions_are_masks():
    big = lambda params: fx.tree.map(lambda x: x.ndim > 0, params)
    for mask in ({"a": True, "b": False}, lambda p: {"a": True, "b": False}, optim.paths("a"), big):
        params = {"a": [fnp.ones(2), fnp.ones(1)], "b": fnp.asarray(1.0)}
        optimizer = optim.adamw(1.0, weight_decay=0.5, mask=mask)
        zero = fx.tree.map(fnp.zeros_like, params)
        updates, _ = optimizer.update(zero, optimizer.init(params), params)
        assert updates["a"][0].tolist() == [-0.5, -0.5] and float(updates["b"]) == 0
