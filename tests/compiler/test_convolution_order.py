"""Convolutions write their result in the order that its readers want: features last, without a copy."""

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import lax
from fx.backends.cpu.target import HostTarget
from fx.compiler.fuse import fuse
from fx.compiler.simplify import simplify

RNG = np.random.default_rng(0)
LAST = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}


def conv(x, w, stride=1, padding="SAME", **more):
    rank = x.ndim - 2
    return lax.conv_general_dilated(x, w, (stride,) * rank, padding, dimension_numbers=LAST[rank], **more)


def steps(f, *args):
    program = simplify(fx.make_program(f)(*args))[-1].program
    return fuse(program, HostTarget()).steps


def interpreted(f, *args):
    with fx.config(compile=False):
        return fx.tree.leaves(fx.jit(f)(*args))


def agree(f, *args, tolerance=1e-11):
    for got, want in zip(fx.tree.leaves(fx.jit(f)(*args)), interpreted(f, *args), strict=True):
        np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("features", [8, 16, 33, 70])
@pytest.mark.parametrize("space", [(7,), (6, 5), (3, 4, 5), (1, 1)])
@pytest.mark.parametrize(
    "options", [{}, {"stride": 2}, {"padding": "VALID"}, {"lhs_dilation": 2}, {"rhs_dilation": 2}]
)
def test_results(features, space, options):
    options = {k: (v,) * len(space) if "dilation" in k else v for k, v in options.items()}
    padding = options.pop("padding", [(1, 1)] * len(space))
    x, w = RNG.normal(size=(2, *space, 3)), RNG.normal(size=(*[min(3, *space)] * len(space), 3, features))
    agree(lambda x, w: conv(x, w, padding=padding, **options), x, w)
    agree(lambda x, w: fnp.tanh(conv(x, w, padding=padding, **options).reshape(-1, features)).sum(0), x, w)


def test_no_copy_and_no_transpose_between_layers():
    x, w1, w2 = (
        RNG.normal(size=(4, 12, 12, 3)),
        RNG.normal(size=(3, 3, 3, 16)),
        RNG.normal(size=(3, 3, 16, 32)),
    )

    def net(x, w1, w2):
        h = fx.nn.relu(conv(x, w1).reshape(-1, 16)).reshape(4, 12, 12, 16)
        return fnp.sum(conv(h, w2) ** 2)

    found = steps(net, x, w1, w2)
    assert next(s.strides is not None for s in found if s.eqn is not None)
    assert not [n for s in found for n in s.nests if n.copies]
    agree(net, x, w1, w2, tolerance=1e-9)
    agree(fx.grad(net, (0, 1, 2)), x, w1, w2, tolerance=1e-8)


def test_groups_ensembles_and_loops():
    x, w = RNG.normal(size=(2, 6, 6, 32)), RNG.normal(size=(3, 3, 16, 32))
    agree(lambda x, w: conv(x, w, feature_group_count=2).sum(0), x, w)
    agree(fx.vmap(lambda w: conv(x[..., :16], w).mean((0, 1, 2))), np.stack([w, 2 * w]))
    agree(lambda x, w: lax.fori_loop(0, 3, lambda _, h: fnp.tanh(conv(h, w)[..., :16]), x[..., :16]), x, w)


@pytest.mark.parametrize(
    "f",
    [
        pytest.param(
            lambda x, w: (y := lax.conv(x, w, (1, 1), "SAME"), fnp.moveaxis(y, 1, -1)), id="an output"
        ),
        pytest.param(
            lambda x, w: (
                fnp.moveaxis(y := lax.conv(x, w, (1, 1), "SAME"), 1, -1).sum() + fnp.cumsum(y, 3)[0, 0, 0, 0]
            ),
            id="another reader",
        ),
        pytest.param(lambda x, w: fnp.swapaxes(lax.conv(x, w, (1, 1), "SAME"), 2, 3) + 1, id="another order"),
        pytest.param(
            lambda x, w: fnp.moveaxis(lax.conv(x, w[:4], (1, 1), "SAME"), 1, -1) + 1, id="few features"
        ),
        pytest.param(
            lambda x, w: fnp.moveaxis(lax.conv(x.astype(int), w.astype(int), (1, 1), "SAME"), 1, -1) + 1,
            id="integers",
        ),
    ],
)
def test_refusals(f):
    x, w = RNG.normal(size=(2, 3, 5, 6)), RNG.normal(size=(16, 3, 3, 3))
    assert not [s for s in steps(f, x, w) if s.strides is not None]
    agree(f, x, w)


def test_float32_and_one_result_that_is_the_transposed_view():
    x, w = (RNG.normal(size=s).astype(np.float32) for s in ((3, 9, 8, 4), (3, 3, 4, 24)))
    f = lambda x, w: conv(x, w)
    assert [s.strides is not None for s in steps(f, x, w)] == [True]
    agree(f, x, w, tolerance=2e-5)
