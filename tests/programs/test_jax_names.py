"""The names of jax that fx has beside its own: tree_util, flatten_util, and a few functions."""

import jax
import numpy as np
import pytest

import fx
from fx import _jax_names as names, tree_util as tu
from fx.flatten_util import ravel_pytree

TREE = {"a": (1.0, [2.0]), "b": None}


REGISTRY = {"default_registry", "flatten_one_level", "flatten_one_level_with_keys", "is_tree_node"}
LEFT_OUT = {*REGISTRY, "KeyEntry", "KeyPath", "build_tree", "tree_reduce_associative"}
"""JAX's own registry, types of annotations, and what no public program calls."""


def test_tree_util_has_the_functions_of_jax():
    theirs = {n for n in dir(jax.tree_util) if not n.startswith("_")}
    assert theirs - LEFT_OUT <= set(tu.__all__)
    assert all(hasattr(tu, n) for n in tu.__all__)


def test_structures_of_structures():
    a, b = tu.tree_structure([1, 2]), tu.tree_structure({"x": 0})
    assert tu.treedef_tuple([a, b]) == tu.tree_structure(([1, 2], {"x": 0}))
    assert tu.treedef_children(tu.tree_structure(TREE)) == [
        tu.tree_structure((1, [2])),
        tu.tree_structure(None),
    ]
    assert tu.treedef_is_leaf(tu.tree_structure(3.0))
    assert not tu.treedef_is_leaf(a)
    assert tu.all_leaves([1.0, 2])
    assert not tu.all_leaves([1.0, [2]])
    vector, back = ravel_pytree(TREE)
    assert back(vector * 2) == {"a": (2.0, [4.0]), "b": None}


def test_classes_with_keys():
    @tu.register_pytree_with_keys_class
    class Pair:
        def __init__(self, left, right):
            self.left, self.right = left, right

        def tree_flatten_with_keys(self):
            return ((tu.GetAttrKey("left"), self.left), (tu.GetAttrKey("right"), self.right)), None

        @classmethod
        def tree_unflatten(cls, aux, children):
            return cls(*children)

    paths = [tu.keystr(path) for path, _ in tu.tree_flatten_with_path(Pair(1, [2]))[0]]
    assert paths == [".left", ".right[0]"]
    assert tu.tree_map(lambda x: x + 1, Pair(1, [2])).right == [3]


def test_custom_gradient_of_several_arguments():
    @names.custom_gradient
    def f(x, y):
        return x * y, lambda ct: (10 * ct * y, ct * x)

    assert fx.grad(f, (0, 1))(2.0, 3.0) == (30.0, 2.0)
    np.testing.assert_allclose(fx.vmap(fx.grad(f), (0, None))(np.ones(3), 3.0), [30, 30, 30])
    assert fx.jit(fx.grad(f))(2.0, 3.0) == 30.0


def test_closures_keep_their_structure():
    converted, consts = names.closure_convert(lambda d: d["x"] * 2, {"x": 1.0})
    assert converted({"x": 4.0}, *consts) == 8.0
    with pytest.raises(fx.TreeError, match="another structure"):
        converted([4.0], *consts)


def test_contexts():
    with names.debug_nans(), pytest.raises(fx.NanError):
        fx.jit(fx.numpy.log)(-1.0)
    with names.enable_x64():
        assert fx.numpy.asarray(1.0).dtype == np.float64
    with names.enable_x64(False):
        assert fx.numpy.asarray(1.0).dtype == np.float32
    assert names.default_backend() == "cpu"
    assert names.device_count("cpu") == len(names.local_devices(backend="cpu")) == 1


def test_values_inside_a_trace():
    @fx.jit
    def f(x):
        with names.ensure_compile_time_eval():
            n = int(fx.numpy.sum(fx.numpy.arange(4)))
        return x * n

    assert f(2.0) == 12.0
    assert names.typeof(fx.numpy.ones((2, 3))).shape == (2, 3)


def test_forward_and_backward_apart():
    forward, backward = names.fwd_and_bwd(lambda x, y: (x * y, y), 0, has_aux=True)
    out, pull, aux = forward(2.0, 3.0)
    assert (out, aux) == (6.0, 3.0)
    assert backward(pull, 1.0) == (3.0,)
