"""Optimizers for some of the leaves: masks, labels, path patterns, frozen leaves."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from reprlib import repr as brief
from typing import Any, NamedTuple, TypeAlias

import numpy as np

import fx

from ._contract import Optimizer, check_optimizer, run, set_to_zero
from ._patterns import check_patterns, near_misses

Mask: TypeAlias = Any
"""Booleans: one for all leaves, a pytree like params or a prefix of it, or a function from params to such."""


_LEAF = fx.tree.structure(0)


class MaskedState(NamedTuple):
    """inner_state: of the optimizer of the chosen leaves."""

    inner_state: Any


def masked(inner: Optimizer, mask: Mask) -> Optimizer:
    """An optimizer for the leaves that a mask chooses; the updates of the others pass as they come.

    The inner optimizer sees None in the places of the others and keeps no state for them. Extra arguments that
    have the structure of the gradients are masked likewise.

    >>> import fx
    >>> optimizer = masked(fx.optim.sgd(0.1), fx.optim.paths("!*bias"))
    """
    check_optimizer(inner, "masked: the inner optimizer")

    def init(params: Any) -> MaskedState:
        return MaskedState(inner.init(_chosen(mask_of(mask, params), params)))

    def update(grads: Any, state: MaskedState, params: Any = None, **extra: Any) -> tuple[Any, MaskedState]:
        chosen = mask_of(mask, grads)
        structure = fx.tree.structure(grads)
        own = lambda tree: _chosen(chosen, tree)
        alike = lambda x: x is not None and not callable(x) and fx.tree.structure(x) == structure
        if structure != _LEAF:
            extra = {name: own(x) if alike(x) else x for name, x in extra.items()}
        params = None if params is None else own(params)
        updates, inner_state = run(inner, own(grads), state.inner_state, params, extra)
        merged = fx.tree.map(lambda on, new, old: new if on else old, chosen, updates, grads)
        return merged, MaskedState(inner_state)

    return Optimizer(init, update)


def mask_of(mask: Mask, tree: Any) -> Any:
    """The mask as a pytree of booleans, one for each leaf of a tree."""
    chosen = fx.tree.broadcast(_of_tree(mask, tree, "mask"), tree)
    for path, on in fx.tree.leaves_with_path(chosen):
        if not isinstance(on, (bool, np.bool_)):
            raise fx.ArgumentError(
                f"A mask has booleans, one for each leaf; at params{fx.tree.keystr(path)} it has {brief(on)}.\n"
                'Write {"kernel": True, "bias": False}, a function from params to such, or fx.optim.paths("!*bias").'
            )
    return chosen


def _is_among(label: Any, transforms: Mapping[Hashable, Optimizer]) -> bool:
    try:
        return label in transforms
    except TypeError:  # it has no hash
        return False


def _of_tree(given: Any, tree: Any, what: str) -> Any:
    """What was given, or what the given function returns of a tree."""
    if isinstance(given, type):
        raise fx.ArgumentError(f"A {what} must be a pytree, or a function from params to one; got {given}.")
    return given(tree) if callable(given) else given


def _chosen(chosen: Any, tree: Any) -> Any:
    """The tree with None for other leaves; of one leaf that is not chosen (), since params=None means none given."""
    found = fx.tree.map(lambda on, x: x if on else None, chosen, tree)
    return () if found is None else found


def freeze(mask: Mask = True) -> Optimizer:
    """Updates of zero for the chosen leaves, all by default: they stay as they are."""
    return set_to_zero() if mask is True else masked(set_to_zero(), mask)


class PartitionState(NamedTuple):
    """inner_states: a dict from labels to the `MaskedState` of their optimizers."""

    inner_states: Any


def partition(transforms: Mapping[Hashable, Optimizer], param_labels: Any) -> Optimizer:
    """An optimizer for each label, applied to the leaves that have it.

    Args:
        transforms: optimizers by label.
        param_labels: labels: a pytree like params or a prefix of it, or a function from params to one.

    Raises:
        ArgumentError: a leaf has a label without an optimizer.
    """
    if not isinstance(transforms, Mapping):
        raise fx.ArgumentError(
            f"partition: transforms must be a dict from labels to optimizers; got {brief(transforms)}."
        )
    for label, part in transforms.items():
        check_optimizer(part, f"partition takes optimizers; that of {label!r}")

    def groups(tree: Any) -> dict[Hashable, Optimizer]:
        labels = fx.tree.broadcast(_of_tree(param_labels, tree, "tree of labels"), tree)
        for path, label in fx.tree.leaves_with_path(labels):
            if not _is_among(label, transforms):
                raise fx.ArgumentError(
                    f"partition: params{fx.tree.keystr(path)} has the label {brief(label)}, which has no optimizer.\n"
                    f"There are optimizers for {', '.join(map(repr, transforms))}."
                )
        masks = {group: fx.tree.map(lambda label, g=group: label == g, labels) for group in transforms}
        return {group: masked(part, masks[group]) for group, part in transforms.items()}

    def init(params: Any) -> PartitionState:
        return PartitionState({label: part.init(params) for label, part in groups(params).items()})

    def update(
        grads: Any, state: PartitionState, params: Any = None, **extra: Any
    ) -> tuple[Any, PartitionState]:
        states = {}
        for label, part in groups(grads).items():
            grads, states[label] = run(part, grads, state.inner_states[label], params, extra)
        return grads, PartitionState(states)

    return Optimizer(init, update)


multi_transform = partition


def selective_transform(optimizer: Optimizer, *, freeze_mask: Mask) -> Optimizer:
    """An optimizer for the leaves that a mask does not choose; those that it chooses stay as they are."""

    def labels(params: Any) -> Any:
        return fx.tree.map(lambda on: "freeze" if on else "train", mask_of(freeze_mask, params))

    return partition({"train": optimizer, "freeze": set_to_zero()}, labels)


def paths(*patterns: str, missing: str = "error") -> Callable[[Any], Any]:
    """A mask by patterns of paths: the leaves that some pattern matches, but for those of patterns after a "!".

    Without a pattern that chooses, all are chosen. A path is written with slashes: `encoder/layers/0/bias`. A
    pattern matches whole keys in a row, anywhere in a path, and then all that is below; `*` stands for any text
    within a key, `?` for one character, `[ab]` for one of these, `**` for any number of keys, and a leading `/`
    for the start.

        "bias"            every leaf, or subtree, with this key
        "*norm*"          keys that contain norm
        "/encoder"        the subtree encoder of the whole
        "layers/*/attn"   attn in each of the layers
        "encoder/**/bias" biases anywhere in an encoder

    Args:
        missing: "error" for a pattern that matches no leaf, or "ignore".

    Raises:
        ArgumentError: a pattern matches no leaf; names paths and keys that are near.

    >>> params = {"dense": {"kernel": 1.0, "bias": 2.0}, "norm": {"scale": 3.0}}
    >>> paths("!bias", "!*norm*")(params)
    {'dense': {'bias': False, 'kernel': True}, 'norm': {'scale': False}}
    """
    check_patterns("paths", patterns, missing)

    def mask(tree: Any) -> Any:
        texts = [fx.tree.path_text(path) for path, _ in fx.tree.leaves_with_path(tree)]
        found = {pattern: _matched(pattern.removeprefix("!"), texts) for pattern in patterns}
        if missing == "error" and texts:
            for pattern, hits in found.items():
                if not any(hits):
                    raise near_misses("paths", pattern, texts)
        wanted = [hits for pattern, hits in found.items() if not pattern.startswith("!")]
        unwanted = [hits for pattern, hits in found.items() if pattern.startswith("!")]
        chosen = [
            (not wanted or any(hits[i] for hits in wanted)) and not any(hits[i] for hits in unwanted)
            for i in range(len(texts))
        ]
        return fx.tree.structure(tree).unflatten(chosen)

    return mask


def by_path(optimizers: Mapping[str, Optimizer], *, missing: str = "error") -> Optimizer:
    """An optimizer for each pattern of paths (see `paths`); the first pattern that matches a leaf decides.

    >>> import fx
    >>> optimizer = by_path({"bias": fx.optim.sgd(0.1), "/encoder": freeze(), "**": fx.optim.adamw(1e-3)})

    Args:
        missing: "error" for a pattern that decides about no leaf, or "ignore".

    Raises:
        ArgumentError: a pattern matches no leaf, or only leaves that earlier ones took; a leaf matches no pattern.
    """
    if not isinstance(optimizers, Mapping):
        raise fx.ArgumentError(
            f"by_path: optimizers must be a dict from patterns to optimizers; got {brief(optimizers)}."
        )
    check_patterns("by_path", list(optimizers), missing)

    def labels(tree: Any) -> Any:
        texts = [fx.tree.path_text(path) for path, _ in fx.tree.leaves_with_path(tree)]
        found = {pattern: _matched(pattern, texts) for pattern in optimizers}
        first = [next((p for p, hits in found.items() if hits[i]), None) for i in range(len(texts))]
        if None in first:
            raise fx.ArgumentError(
                f"by_path: no pattern matches {texts[first.index(None)]!r}.\n"
                'Add a last pattern "**" for all other leaves, with freeze() if they stay as they are.'
            )
        if missing == "error" and texts:
            _check_all_used(found, first, texts)
        return fx.tree.structure(tree).unflatten(first)

    return partition(optimizers, labels)


def _check_all_used(found: dict[str, list[bool]], first: list[Any], texts: list[str]) -> None:
    for pattern, hits in found.items():
        if not any(hits):
            raise near_misses("by_path", pattern, texts)
        if pattern not in first:
            i = hits.index(True)
            raise fx.ArgumentError(
                f"by_path: {brief(pattern)} decides about no leaf: {texts[i]!r} is taken by {first[i]!r}.\n"
                "The first pattern that matches decides: put the special ones first."
            )


def _matched(pattern: str, texts: list[str]) -> list[bool]:
    return [fx.tree.path_matches(pattern, text) for text in texts]
