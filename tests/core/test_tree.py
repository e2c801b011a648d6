"""Pytrees: round trips, agreement with jax.tree, and the facts in every error."""

import copy
import functools
import sys
import threading
from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import numpy as np
import pytest
from hypothesis import given, strategies as st

from fx.core import tree
from fx.core.errors import ArgumentError, TreeError
from fx.core.tree import AttrKey, DictKey, FlatIndexKey, Partial, SequenceKey, Static, TreeDef, keystr
from fx.core.tree_kinds import MAX_DEPTH

Point = namedtuple("Point", "x y")


class Layer(NamedTuple):
    w: object
    b: object = None


@tree.register_dataclass
@dataclass
class Dense:
    w: object
    b: object
    activation: str = field(default="relu", metadata={"static": True})


@tree.register_dataclass(meta_fields=["n"])
@dataclass(frozen=True, slots=True)
class Repeat:
    n: int
    body: object


class Pair:
    def __init__(self, a, b, tag=None):
        self.a, self.b, self.tag = a, b, tag


class KeyedPair(Pair):
    pass


tree.register_node(Pair, lambda p: ((p.a, p.b), p.tag), lambda tag, ab: Pair(*ab, tag=tag))
tree.register_node_with_keys(
    KeyedPair,
    lambda p: (((AttrKey("a"), p.a), (AttrKey("b"), p.b)), p.tag),
    lambda tag, ab: KeyedPair(*ab, tag=tag),
)


@tree.register_static
@dataclass(frozen=True)
class Config:
    lr: float


def message(error, f, *args, **kwargs):
    with pytest.raises(error) as caught:
        f(*args, **kwargs)
    return str(caught.value)


# --- random containers --------------------------------------------------------------------------------------

leaf = st.integers() | st.text(max_size=2) | st.floats(allow_nan=False) | st.just(frozenset())
names = st.text(alphabet="abcxyz", min_size=1, max_size=2)


def containers(child):
    dicts = st.dictionaries(names, child, max_size=3)
    return st.one_of(
        st.lists(child, max_size=3),
        st.lists(child, max_size=3).map(tuple),
        dicts,
        dicts.map(OrderedDict),
        dicts.map(lambda d: defaultdict(list, d)),
        st.tuples(child, child).map(lambda xy: Point(*xy)),
        st.none(),
    )


def own_containers(child):
    return st.one_of(
        containers(child),
        st.dictionaries(st.integers() | names | st.none(), child, max_size=3),
        st.builds(Dense, child, child, names),
        st.builds(Repeat, st.integers(0, 3), child),
        st.builds(Static, st.integers() | names),
        st.builds(Config, st.integers(0, 3)),
        st.builds(lambda x, y: Partial(max, x, y), child, child),
    )


common_trees = st.recursive(leaf, containers, max_leaves=12)
trees = st.recursive(leaf, own_containers, max_leaves=12)


@given(trees)
def test_round_trip(x):
    leaves, treedef = tree.flatten(x)
    rebuilt = treedef.unflatten(leaves)
    assert type(rebuilt) is type(x)
    leaves_again, treedef_again = tree.flatten(rebuilt)
    assert treedef_again == treedef and hash(treedef_again) == hash(treedef)
    assert len(leaves) == treedef.num_leaves == len(treedef.paths())
    assert all(a is b for a, b in zip(leaves, leaves_again, strict=True))
    assert tree.differences(treedef, treedef_again) == []
    assert [c.num_leaves for c in treedef.children()] == [c.num_leaves for c in treedef_again.children()]


@given(common_trees)
def test_agrees_with_jax(x):
    leaves, treedef = tree.flatten(x)
    jax_leaves, jax_treedef = jax.tree.flatten(x)
    assert leaves == jax_leaves
    assert treedef.num_leaves == jax_treedef.num_leaves
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(x)]
    assert [keystr(path) for path in treedef.paths()] == paths
    assert treedef.unflatten(leaves) == jax_treedef.unflatten(jax_leaves)


@given(common_trees, common_trees)
def test_equality_agrees_with_jax_and_with_differences(x, y):
    a, b = tree.structure(x), tree.structure(y)
    assert (a == b) == (jax.tree.structure(x) == jax.tree.structure(y))
    assert (a == b) == (tree.differences(a, b) == [])


@given(
    st.recursive(
        leaf, lambda c: st.lists(c) | st.lists(c).map(tuple) | st.dictionaries(names, c), max_leaves=9
    )
)
def test_repr_agrees_with_jax(x):
    assert f"PyTreeDef({tree.structure(x)!r})" == str(jax.tree.structure(x))


@given(common_trees, st.randoms(use_true_random=False))
def test_broadcast_of_a_prefix_agrees_with_jax(full, random):
    prefix = tree.map(lambda _: random.random(), full, is_leaf=lambda _: random.random() < 0.3)
    assert tree.broadcast_prefix(prefix, full) == jax.tree.leaves(jax.tree.broadcast(prefix, full))
    assert tree.broadcast(prefix, full) == jax.tree.broadcast(prefix, full)


@given(common_trees, common_trees)
def test_no_prefix_agrees_with_jax(prefix, full):
    try:
        expected = jax.tree.leaves(jax.tree.broadcast(prefix, full))
    except ValueError:
        assert "  " in message(TreeError, tree.broadcast_prefix, prefix, full)
        assert "  " in message(TreeError, tree.map, max, prefix, full)
    else:
        assert tree.broadcast_prefix(prefix, full) == expected


# --- containers, one by one ---------------------------------------------------------------------------------


def test_leaf_is_its_own_tree():
    x = np.ones(3)
    leaves, treedef = tree.flatten(x)
    assert leaves[0] is x and treedef.num_leaves == 1 and repr(treedef) == "*" and treedef.paths() == [()]
    assert treedef.unflatten([x]) is x


@pytest.mark.parametrize("x", ["text", b"bytes", {1, 2}, frozenset(), 3, 1.5, object(), range(3)])
def test_unregistered_types_are_leaves(x):
    assert tree.leaves(x) == [x]


def test_subclasses_are_leaves_until_registered():
    class MyDict(dict):
        pass

    x = MyDict(a=1)
    assert tree.leaves([x]) == [x]
    tree.register_node(MyDict, lambda d: (list(d.values()), tuple(d)), lambda ks, vs: MyDict(zip(ks, vs)))
    assert tree.leaves([x]) == [1]


def test_none_has_no_leaves():
    assert tree.flatten(None)[0] == []
    assert tree.map(lambda x: x + 1, [None, 1]) == [None, 2]


def test_dict_keys_are_sorted_also_on_unflatten():
    rebuilt = tree.map(lambda x: x, {"b": 1, "a": 2})
    assert tree.leaves({"b": 1, "a": 2}) == [2, 1]
    assert list(rebuilt) == ["a", "b"]


def test_dict_keys_of_mixed_types_go_by_type_name():
    a, b = {"x": 1, 2: 2, 1: 3}, {1: 3, "x": 1, 2: 2}
    assert tree.leaves(a) == tree.leaves(b) == [3, 2, 1]
    assert tree.structure(a) == tree.structure(b)


def test_dict_keys_without_order_stay_as_inserted():
    p, q = object(), object()
    assert tree.leaves({p: 1, q: 2}) == [1, 2]
    assert tree.leaves({q: 2, p: 1}) == [2, 1]


def test_ordered_dict_keeps_its_order():
    x = OrderedDict(b=1, a=2)
    rebuilt = tree.map(lambda v: -v, x)
    assert type(rebuilt) is OrderedDict and list(rebuilt.items()) == [("b", -1), ("a", -2)]
    assert tree.structure(x) != tree.structure(OrderedDict(a=2, b=1))
    assert tree.structure(x) != tree.structure(dict(x))


def test_defaultdict_keeps_its_factory():
    x = defaultdict(list, b=1, a=2)
    rebuilt = tree.map(lambda v: v, x)
    assert rebuilt.default_factory is list and list(rebuilt) == ["a", "b"]
    assert tree.structure(x) != tree.structure(defaultdict(int, b=1, a=2))


def test_unflatten_does_not_alias_the_leaf_list():
    leaves, treedef = tree.flatten([1, 2])
    assert treedef.unflatten(leaves) is not leaves


def test_namedtuple():
    x = Layer(w=1, b=Point(2, 3))
    assert tree.map(lambda v: v * 10, x) == Layer(10, Point(20, 30))
    assert [keystr(p) for p in tree.structure(x).paths()] == [".w", ".b.x", ".b.y"]
    assert repr(tree.structure(x)) == "Layer(w=*, b=Point(x=*, y=*))"
    assert tree.structure(x) != tree.structure((1, (2, 3)))


def test_dataclass_with_static_field():
    x = Dense(w=1, b=2, activation="tanh")
    leaves, treedef = tree.flatten(x)
    assert leaves == [1, 2]
    assert treedef.unflatten([10, 20]) == Dense(10, 20, "tanh")
    assert [keystr(p) for p in treedef.paths()] == [".w", ".b"]
    assert repr(treedef) == "Dense(w=*, b=*, activation='tanh')"
    assert treedef != tree.structure(Dense(1, 2, "relu"))


def test_dataclass_by_meta_fields():
    assert tree.leaves(Repeat(n=3, body=[1, 2])) == [1, 2]
    assert tree.map(lambda v: -v, Repeat(3, [1])) == Repeat(3, [-1])


def test_dataclass_data_fields_alone_leave_the_rest_static():
    @dataclass
    class D:
        a: object
        n: object

    tree.register_dataclass(D, ["a"])
    assert tree.leaves(D(1, 2)) == [1]


def test_dataclass_drop_fields_take_their_default():
    @tree.register_dataclass(drop_fields=["cache"])
    @dataclass
    class D:
        a: object
        cache: object = None

    assert tree.map(lambda x: x, D(1, cache="filled")) == D(1)


def test_dataclass_init_false_field_is_recomputed():
    @tree.register_dataclass
    @dataclass
    class D:
        a: object
        double: object = field(init=False)

        def __post_init__(self):
            self.double = (self.a, self.a)

    assert tree.map(lambda x: x + 1, D(1)).double == (2, 2)


def test_static_values_of_other_types_are_other_structures():
    assert len({tree.structure(Static(v)) for v in (1, 1.0, True)}) == 3
    assert tree.map(lambda x: x, Static(True)).value is True
    assert tree.structure(Repeat(1, 0)) != tree.structure(Repeat(True, 0))


def test_static_nodes_have_no_leaves():
    x = [Static("relu"), Config(0.1), 5]
    leaves, treedef = tree.flatten(x)
    assert leaves == [5]
    assert treedef.unflatten([6]) == [Static("relu"), Config(0.1), 6]
    assert repr(treedef) == "[Static('relu'), Config(lr=0.1), *]"


def test_registered_node_without_keys():
    leaves, treedef = tree.flatten({"p": Pair(1, [2, 3], tag="t")})
    assert leaves == [1, 2, 3]
    assert [keystr(p) for p in treedef.paths()] == [
        "['p'][<flat index 0>]",
        "['p'][<flat index 1>][0]",
        "['p'][<flat index 1>][1]",
    ]
    assert treedef.paths()[0] == (DictKey("p"), FlatIndexKey(0))
    assert repr(treedef) == "{'p': Pair['t'](*, [*, *])}"
    rebuilt = treedef.unflatten([10, 20, 30])["p"]
    assert (rebuilt.a, rebuilt.b, rebuilt.tag) == (10, [20, 30], "t")


def test_registered_node_gets_a_tuple_of_children():
    class Box:
        pass

    seen = []
    tree.register_node(
        Box, lambda _: (iter([1, 2]), None), lambda aux, children: seen.append((aux, children))
    )
    tree.map(lambda x: x, Box())
    assert seen == [(None, (1, 2))]


def test_registered_nodes_of_one_aux_may_differ_in_length():
    class Bag(list):
        pass

    tree.register_node(Bag, lambda b: (b, None), lambda _, xs: Bag(xs))
    assert tree.structure(Bag([1])) != tree.structure(Bag([1, 2]))
    text = message(TreeError, tree.map, max, Bag([1]), Bag([1, 2]))
    assert "the root: expected Bag with 1 children, got Bag with 2 children" in text


def test_registered_node_with_keys():
    leaves, treedef = tree.flatten(KeyedPair(1, (2,), tag=7))
    assert leaves == [1, 2]
    assert [keystr(p) for p in treedef.paths()] == [".a", ".b[0]"]
    assert repr(treedef) == "KeyedPair[7](a=*, b=(*,))"
    assert treedef != tree.structure(KeyedPair(1, (2,), tag=8))


def test_registered_node_class():
    @tree.register_node_class
    class Vec:
        def __init__(self, *xs):
            self.xs = xs

        def tree_flatten(self):
            return self.xs, len(self.xs)

        @classmethod
        def tree_unflatten(cls, aux, children):
            assert aux == len(children)
            return cls(*children)

    assert tree.map(lambda x: -x, Vec(1, 2)).xs == (-1, -2)


def test_empty_containers():
    for x in ([], (), {}, OrderedDict(), defaultdict(int), None, {"a": []}, KeyedEmpty()):
        leaves, treedef = tree.flatten(x)
        assert leaves == [] and treedef.num_leaves == 0 and treedef.paths() == []
        assert type(treedef.unflatten([])) is type(x)
        assert tree.all(x) and not tree.any(x)


class KeyedEmpty:
    pass


tree.register_node_with_keys(KeyedEmpty, lambda _: ((), None), lambda *_: KeyedEmpty())


# --- Partial ------------------------------------------------------------------------------------------------


def test_partial_is_a_function_and_a_tree():
    p = Partial(pow, 2, mod=5)
    leaves, treedef = tree.flatten(p)
    assert p(3) == 3 and leaves == [2, 5]
    assert [keystr(path) for path in treedef.paths()] == [".args[0]", ".keywords['mod']"]
    assert repr(treedef) == "Partial(pow, (*,), {'mod': *})"
    assert tree.map(lambda x: x + 1, p)(2) == pow(3, 2, mod=6)
    assert treedef != tree.structure(Partial(divmod, 2, mod=5))


def test_partial_of_partial_keeps_all_arguments_as_data():
    assert tree.leaves(Partial(Partial(max, 1), 2)) == [1, 2]


def test_partial_of_functools_partial_keeps_it_whole():
    inner = functools.partial(int, base=2)
    p = Partial(inner, "101")
    assert p() == 5 and tree.leaves(p) == ["101"]
    assert tree.structure(p) == tree.structure(Partial(inner, "1"))
    assert tree.map(lambda s: s + "0", p)() == 10


# --- TreeDef ------------------------------------------------------------------------------------------------


def test_repr():
    x = {"w": 1, "b": (2, [3, None]), "o": OrderedDict(z=1), "d": defaultdict(list, k=1)}
    assert repr(tree.structure(x)) == (
        "{'b': (*, [*, None]), 'd': defaultdict(list, {'k': *}), 'o': OrderedDict({'z': *}), 'w': *}"
    )


def test_children():
    assert [repr(c) for c in tree.structure([1, (2, 3), None]).children()] == ["*", "(*, *)", "None"]
    assert tree.structure(1).children() == []
    assert tree.structure([1, (2, 3)]).children()[1] == tree.structure((0, 0))


def test_treedef_is_immutable_and_copies_are_itself():
    treedef = tree.structure([1])
    with pytest.raises(AttributeError):
        treedef.num_leaves = 3
    assert copy.copy(treedef) is treedef and copy.deepcopy({"t": treedef})["t"] is treedef


def test_treedef_is_not_equal_to_other_things():
    assert tree.structure((1,)) != (1,) and tree.structure(1) != "*"


def test_paths_are_not_shared_state():
    treedef = tree.structure([1, 2])
    treedef.paths().clear()
    assert treedef.paths() == [(SequenceKey(0),), (SequenceKey(1),)]


def test_keystr():
    path = (DictKey("layers"), SequenceKey(0), AttrKey("w"), FlatIndexKey(2))
    assert keystr(path) == "['layers'][0].w[<flat index 2>]"
    assert keystr(path, simple=True, separator="/") == "layers/0/w/2"
    assert "params" + keystr(path[:2]) == "params['layers'][0]"
    assert keystr(("own",)) == keystr(("own",), simple=True) == "own"


def test_keys_of_different_kinds_differ():
    assert DictKey(0) != SequenceKey(0) and len({DictKey(0), SequenceKey(0), FlatIndexKey(0)}) == 3


def test_unflatten_with_a_wrong_number_of_leaves():
    text = message(TreeError, tree.unflatten, tree.structure({"a": (1, 2)}), [1])
    assert "2 leaves" in text and "1 were given" in text and "{'a': (*, *)}" in text
    message(TreeError, tree.unflatten, tree.structure(1), [])
    assert tree.unflatten(tree.structure([1, 2]), iter([3, 4])) == [3, 4]


def test_unflatten_with_swapped_arguments():
    text = message(ArgumentError, tree.unflatten, [1], tree.structure([1]))
    assert "expected a TreeDef, got list [1]" in text


def test_hash_of_unhashable_aux_names_the_class():
    treedef = tree.structure([1, {"p": Pair(1, 2, tag=["unhashable"])}])
    text = message(TreeError, hash, treedef)
    assert "Pair" in text and "unhashable" in text and "tuple" in text


# --- is_leaf, paths, map, reduce, transpose -----------------------------------------------------------------


def test_is_leaf():
    x = {"a": None, "b": (1, 2), "c": [3]}
    assert tree.leaves(x, is_leaf=lambda v: v is None) == [None, 1, 2, 3]
    assert tree.leaves(x, is_leaf=lambda v: isinstance(v, tuple)) == [(1, 2), 3]
    assert tree.leaves(x, is_leaf=lambda v: True) == [x]
    treedef = tree.structure(x, is_leaf=lambda v: isinstance(v, list))
    assert treedef.unflatten([7, 8, 9]) == {"a": None, "b": (7, 8), "c": 9}


def test_flatten_with_path():
    pairs, treedef = tree.flatten_with_path({"a": [1, 2]})
    assert pairs == [((DictKey("a"), SequenceKey(0)), 1), ((DictKey("a"), SequenceKey(1)), 2)]
    assert treedef == tree.structure({"a": [0, 0]}) and tree.leaves_with_path({"a": [1, 2]}) == pairs


def test_map_of_several_trees():
    assert tree.map(lambda *v: v, {"a": 1, "b": [2]}, {"b": [20], "a": 10}, {"a": 5, "b": [6]}) == {
        "a": (1, 10, 5),
        "b": [(2, 20, 6)],
    }


def test_map_gives_whole_subtrees_of_the_rest():
    assert tree.map(lambda a, b: (a, b), [1, 2], [[10, 11], None]) == [(1, [10, 11]), (2, None)]


def test_map_is_leaf_concerns_the_first_tree():
    pairs = tree.map(lambda a, b: (a, b), [None, 1], [5, (6,)], is_leaf=lambda v: v is None)
    assert pairs == [(None, 5), (1, (6,))]


def test_map_with_path():
    out = tree.map_with_path(lambda path, a, b: f"{keystr(path)}={a + b}", {"w": [1]}, {"w": [2]})
    assert out == {"w": ["['w'][0]=3"]}


def test_reduce():
    assert tree.reduce(lambda a, b: a + b, {"b": "2", "a": ["0", "1"]}) == "012"
    assert tree.reduce(lambda a, b: a + b, [1, 2], 10) == 13
    assert tree.reduce(lambda a, b: a + b, [], None) is None
    assert tree.reduce(lambda a, b: a + b, [(1,), (2,)], is_leaf=lambda v: isinstance(v, tuple)) == (1, 2)


def test_all_and_any():
    assert tree.all({"a": True, "b": [1]}) and not tree.all({"a": True, "b": [0]})
    assert tree.any([0, [1]]) and not tree.any([0, [0]])


def test_transpose():
    outer, inner = tree.structure([0, 0, 0]), tree.structure({"a": 0, "b": (0, 0)})
    x = [{"a": i, "b": (i + 10, i + 20)} for i in range(3)]
    expected = {"a": [0, 1, 2], "b": ([10, 11, 12], [20, 21, 22])}
    assert tree.transpose(outer, inner, x) == tree.transpose(outer, None, x) == expected
    assert tree.transpose(inner, outer, expected) == x
    assert tree.transpose(tree.structure([]), inner, []) == {"a": [], "b": ([], [])}


def test_transpose_names_the_bad_subtree():
    text = message(
        TreeError, tree.transpose, tree.structure([0, 0]), tree.structure((0, 0)), [(1, 2), (3, 4, 5)]
    )
    assert "subtree at [1]" in text and "expected tuple of length 2, got tuple of length 3" in text
    text = message(ArgumentError, tree.transpose, [0, 0], None, [(1, 2), (3, 4)])
    assert "transpose: expected a TreeDef, got list" in text


# --- prefixes -----------------------------------------------------------------------------------------------


def test_broadcast_prefix():
    full = {"w": (1, 2), "b": [3, {"c": 4}], "n": None}
    assert tree.broadcast_prefix(0, full) == [0, 0, 0, 0]
    assert tree.broadcast_prefix({"w": 0, "b": [1, 2], "n": 3}, full) == [1, 2, 0, 0]
    assert tree.broadcast_prefix({"w": 0, "b": [1, 2], "n": None}, tree.structure(full)) == [1, 2, 0, 0]
    none_too = {"w": None, "b": 1, "n": None}
    assert tree.broadcast_prefix(none_too, full, is_leaf=lambda v: v is None) == [1, 1, None, None]
    assert tree.broadcast({"w": 0, "b": 1, "n": 2}, full) == {"w": (0, 0), "b": [1, {"c": 1}], "n": None}


def test_flatten_up_to():
    assert tree.structure({"a": 0, "b": (0,)}).flatten_up_to({"a": [1, 2], "b": (None,)}) == [[1, 2], None]
    text = message(TreeError, tree.structure({"a": (0,)}).flatten_up_to, {"a": [1]})
    assert "['a']: expected tuple of length 1, got list of length 1" in text


def test_broadcast_prefix_says_where_it_does_not_fit():
    full = ({"w": 1, "b": 2}, [3, 4])
    text = message(TreeError, tree.broadcast_prefix, ({"w": 0}, [0, 0, 0]), full, name="in_axes")
    assert text.splitlines()[0] == "in_axes does not fit the tree that it is for"
    assert "in_axes[0]['b']: missing, expected a leaf" in text
    assert "in_axes[1]: expected list of length 2, got list of length 3" in text
    assert "in_axes: expected tuple of length 2, got list" in message(
        TreeError, tree.broadcast_prefix, [0, 0], full, name="in_axes"
    )
    assert "[1][0]: expected a leaf, got tuple of length 1" in message(
        TreeError, tree.broadcast_prefix, (0, [(0,), 0]), full
    )


# --- differences --------------------------------------------------------------------------------------------

DIFFERENCES = [
    ([1], (1,), ["the root: expected list of length 1, got tuple of length 1"]),
    ([1, 2], [1], ["the root: expected list of length 2, got list of length 1"]),
    ([], [1], ["the root: expected [], got list of length 1"]),
    ({"a": 1}, {"a": None}, ["['a']: expected a leaf, got None"]),
    ({"a": 1}, {"a": {"y": 1, "x": 2}}, ["['a']: expected a leaf, got dict with keys 'x', 'y'"]),
    ({"a": (1,)}, {"a": 1}, ["['a']: expected tuple of length 1, got a leaf"]),
    (
        {"a": 1, "b": 2},
        {"b": 2, "c": [3]},
        ["['a']: missing, expected a leaf", "['c']: not expected, got list of length 1"],
    ),
    ({"a": [1, (2,)]}, {"a": [1, (2, 3)]}, ["['a'][1]: expected tuple of length 1, got tuple of length 2"]),
    ([[1], 2, 3], [[1, 1], 2], ["the root: expected list of length 3, got list of length 2"]),
    (Static(1), Static(2), ["the root: expected Static(1), got Static(2)"]),
    ([Config(1.0)], [Config(2.0)], ["[0]: expected Config(lr=1.0), got Config(lr=2.0)"]),
    (
        Dense(1, 2),
        Dense(1, 2, "tanh"),
        ["the root: expected Dense(w=*, b=*, activation='relu'), got Dense(w=*, b=*, activation='tanh')"],
    ),
    (Dense(1, 2), Point(1, 2), ["the root: expected Dense, got Point"]),
    (Point(1, [2]), Point(1, 2), [".y: expected list of length 1, got a leaf"]),
    (
        OrderedDict(a=1, b=2),
        OrderedDict(b=2, a=1),
        ["the root: expected OrderedDict({'a': *, 'b': *}), got OrderedDict({'b': *, 'a': *})"],
    ),
    (Pair(1, 2, "s"), Pair(1, 2, "t"), ["the root: expected Pair['s'](*, *), got Pair['t'](*, *)"]),
    (Pair(1, 2), 1, ["the root: expected Pair with 2 children, got a leaf"]),
    (KeyedPair(1, [2]), KeyedPair(1, [2, 3]), [".b: expected list of length 1, got list of length 2"]),
    (
        dict.fromkeys("abcdefg"),
        1,
        ["the root: expected dict with keys 'a', 'b', 'c', 'd', 'e', ..., got a leaf"],
    ),
]


@pytest.mark.parametrize("expected, got, found", DIFFERENCES)
def test_differences(expected, got, found):
    lines = tree.differences(tree.structure(expected), tree.structure(got))
    assert lines[: len(found)] == found
    assert tree.structure(expected) != tree.structure(got)


def test_differences_put_a_name_before_the_path():
    a, b = tree.structure({"w": [1]}), tree.structure({"w": [1, 2]})
    assert tree.differences(a, b, name="params")[0].startswith("params['w']: expected list")


def test_differences_of_two_classes_of_one_name():
    def make():
        return namedtuple("P", "x")

    assert tree.differences(tree.structure(make()(1)), tree.structure(make()(1))) == [
        "the root: expected P, got another class P"
    ]


def test_map_mismatch_lists_five_differences_and_counts_the_rest():
    a = {f"k{i}": [0] for i in range(8)}
    b = {f"k{i}": [0, 0] for i in range(8)}
    text = message(TreeError, tree.map, max, a, a, b)
    first, *found, more, hint = text.splitlines()
    assert first == "map: tree number 3 does not have the structure of the first"
    assert found == [f"  ['k{i}']: expected list of length 1, got list of length 2" for i in range(5)]
    assert more == "  and 3 more" and "fx.tree.structure" in hint


def test_map_mismatch_of_huge_trees_stays_short():
    a = {str(i): i for i in range(10_000)}
    assert len(message(TreeError, tree.map, max, a, [a])) < 400
    assert len(message(TreeError, tree.map, max, a, {})) < 500


def test_map_mismatch_ignores_what_lies_below_the_first_trees_leaves():
    text = message(TreeError, tree.map, max, {"a": 1, "b": (2,)}, {"a": [1, 2, 3], "b": 2})
    assert "['b']: expected tuple of length 1, got a leaf" in text and "['a']" not in text


# --- cycles and depth ---------------------------------------------------------------------------------------


def nested(depth, inner=1):
    for _ in range(depth):
        inner = [inner]
    return inner


def test_everything_works_at_the_greatest_depth():
    x, y = nested(MAX_DEPTH), nested(MAX_DEPTH)
    leaves, treedef = tree.flatten(x)
    assert leaves == [1] and treedef == tree.structure(y) and hash(treedef) == hash(tree.structure(y))
    assert repr(treedef) == "[" * MAX_DEPTH + "*" + "]" * MAX_DEPTH
    assert len(treedef.paths()[0]) == MAX_DEPTH
    assert tree.leaves(tree.map(lambda a, b: a + b, x, y)) == [2]
    assert tree.broadcast_prefix(x, y) == [1] and treedef.children()[0].num_leaves == 1
    assert len(tree.differences(treedef, tree.structure(nested(MAX_DEPTH - 1, (1,))))) == 1


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 10_000])
def test_deep_nesting_is_a_tree_error_with_the_path(depth):
    x = {"a": 1, "deep": nested(depth - 1)}
    for f in (tree.flatten, tree.leaves, functools.partial(tree.map, abs)):
        text = message(TreeError, f, x)
        assert f"more than {MAX_DEPTH} deep at ['deep'][0][0]" in text and len(text) < 500
    assert tree.leaves(x, is_leaf=lambda v: isinstance(v, list)) == [1, x["deep"]]


def test_a_container_in_itself_is_a_tree_error_with_the_path():
    loop = {"a": [1, 2]}
    loop["a"].append({"again": loop["a"]})
    text = message(TreeError, tree.flatten, loop)
    assert "the list at ['a'][2]['again'] contains itself: it is the one at ['a']" in text

    own = [0]
    own.append(own)
    assert "the list at [1] contains itself: it is the root" in message(TreeError, tree.structure, own)
    assert tree.leaves(own, is_leaf=lambda v: v is own[1]) == [own]


def test_a_shared_container_is_no_cycle():
    shared = [1]
    assert tree.leaves([shared, {"a": shared}, shared]) == [1, 1, 1]


def test_other_recursion_errors_pass_through():
    def endless(v):
        return endless(v)

    with pytest.raises(RecursionError):
        tree.flatten([1, [2]], is_leaf=endless)


def test_depth_limit_holds_with_a_raised_recursion_limit():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        message(TreeError, tree.flatten, nested(5_000))
    finally:
        sys.setrecursionlimit(limit)


# --- registration -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [list, dict, tuple, type(None), OrderedDict, defaultdict])
def test_builtin_containers_cannot_be_registered(cls):
    text = message(ArgumentError, tree.register_node, cls, lambda x: (x, None), lambda _, xs: xs)
    assert cls.__name__ in text and "builtin" in text


@pytest.mark.parametrize("cls", [Pair, Dense, Config, Static, Partial])
def test_registering_twice(cls):
    text = message(ArgumentError, tree.register_node, cls, lambda x: (x, None), lambda _, xs: xs)
    assert f"{cls.__name__} is registered as a pytree node already" in text


def test_registering_an_instance():
    assert "must be a class, got 3" in message(ArgumentError, tree.register_node, 3, None, None)
    message(ArgumentError, tree.register_node_with_keys, "x", None, None)


def test_registering_a_namedtuple_that_was_seen_replaces_its_treatment():
    P = namedtuple("P", "x name")
    assert tree.leaves(P(1, "n")) == [1, "n"]
    tree.register_node(P, lambda p: ((p.x,), p.name), lambda name, x: P(*x, name))
    assert tree.leaves(P(1, "n")) == [1]


def test_register_dataclass_needs_a_dataclass():
    class C:
        pass

    text = message(ArgumentError, tree.register_dataclass, C)
    assert "C is not a dataclass" in text and "above @dataclass" in text


@pytest.mark.parametrize(
    "data, meta, fact",
    [
        (["a"], [], "b: neither in data_fields nor in meta_fields"),
        (["a", "b", "z"], [], "z: not an init field"),
        (["a", "b"], ["b"], "b: named twice"),
    ],
)
def test_register_dataclass_checks_the_fields(data, meta, fact):
    @dataclass
    class D:
        a: int
        b: int

    text = message(ArgumentError, tree.register_dataclass, D, data, meta)
    assert fact in text and "fields of D" in text


@pytest.mark.parametrize("value", [[1], np.ones(2), {"a": 1}])
def test_static_field_must_be_hashable(value):
    text = message(ArgumentError, tree.flatten, [Dense(1, 2, activation=value)])
    assert "Dense.activation" in text and type(value).__name__ in text
    assert type(value).__name__ in message(ArgumentError, Static, value)


def test_register_static_needs_a_hash():
    @dataclass
    class C:
        lr: float

    assert "C are not hashable" in message(ArgumentError, tree.register_static, C)


@pytest.mark.parametrize("register", [tree.register_node, tree.register_node_with_keys])
def test_flatten_function_that_returns_no_pair(register):
    class Bad:
        pass

    register(Bad, lambda x: [1, 2, 3], lambda _, xs: Bad())
    text = message(TreeError, tree.flatten, Bad())
    assert "flatten function of Bad" in text and "[1, 2, 3]" in text


def test_registry_from_many_threads():
    errors, barrier = [], threading.Barrier(8)
    shared = type("Shared", (), {})

    def work():
        barrier.wait()
        for _ in range(200):
            cls = namedtuple("T", "x")
            if tree.leaves(cls(1)) != [1]:
                errors.append("namedtuple")
        try:
            tree.register_node(shared, lambda _: ((), None), lambda *_: shared())
        except ArgumentError:
            errors.append("twice")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert errors == ["twice"] * 7


# --- the public namespace -----------------------------------------------------------------------------------


def test_public_namespace_is_core():
    import fx.tree

    public = {name for name in vars(fx.tree) if not name.startswith("_")}
    assert {"flatten", "unflatten", "map", "leaves", "structure", "reduce", "transpose", "keystr"} <= public
    needs_arrays = {"ravel_pytree"}
    assert all(getattr(fx.tree, name) is getattr(tree, name) for name in public - needs_arrays)
    assert fx.tree.ravel_pytree is fx.ravel_pytree
    assert isinstance(fx.tree.structure(1), TreeDef)
