"""What `fx.checkpoint(f, policy=...)` keeps: predicates over equations, and their combinations.

A policy is any hashable function from an equation (`primitive`, `params`, `inputs`, `outputs`) to bool.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from .core.errors import ArgumentError, brief
from .primitives.contraction import parse

Policy = Callable[[Any], bool]

_CONTRACTIONS = ("contract", "conv")


def everything_saveable(eqn: Any) -> bool:
    """Keep every intermediate value: no recomputation."""
    return True


def nothing_saveable(eqn: Any) -> bool:
    """Keep nothing but the inputs of the region."""
    return False


def dots_saveable(eqn: Any) -> bool:
    """Keep the results of contractions and convolutions, recompute the cheap rest."""
    return eqn.primitive.name in _CONTRACTIONS


def dots_with_no_batch_dims_saveable(eqn: Any) -> bool:
    """Keep the results of contractions without batch dimensions (weights times activations)."""
    if eqn.primitive.name != "contract":
        return False
    left, right, out = parse(eqn.params["spec"])
    return not set(left) & set(right) & set(out)


checkpoint_dots = dots_saveable
checkpoint_dots_with_no_batch_dims = dots_with_no_batch_dims_saveable


class _ByName(NamedTuple):
    title: str
    names: frozenset[str]
    keep: bool
    others: bool

    def __call__(self, eqn: Any) -> bool:
        if eqn.primitive.name != "name":
            return self.others
        return (eqn.params["name"] in self.names) == self.keep


def save_only_these_names(*names: str) -> Policy:
    """Keep the values that `fx.checkpoint_name` gave one of these names."""
    return _ByName("save_only_these_names", _names(names), True, False)


def save_any_names_but_these(*names: str) -> Policy:
    """Keep all named values except these."""
    return _ByName("save_any_names_but_these", _names(names), False, False)


def save_anything_except_these_names(*names: str) -> Policy:
    """Keep everything, named or not, except these names."""
    return _ByName("save_anything_except_these_names", _names(names), False, True)


def _names(names: tuple[str, ...]) -> frozenset[str]:
    for n in names:
        if not isinstance(n, str):
            raise ArgumentError(f"A checkpoint policy by name takes strings; got {brief(n)}.")
    return frozenset(names)


@dataclass(frozen=True)  # not a tuple: policies of different classes are never equal
class _Either:
    policies: tuple[Policy, ...]

    def __call__(self, eqn: Any) -> bool:
        return any(p(eqn) for p in self.policies)


@dataclass(frozen=True)
class _Both:
    policies: tuple[Policy, ...]

    def __call__(self, eqn: Any) -> bool:
        return all(p(eqn) for p in self.policies)


def save_from_both_policies(*policies: Policy) -> Policy:
    """Keep what at least one of the policies keeps."""
    return _Either(policies)


def save_where_all_agree(*policies: Policy) -> Policy:
    """Keep what every policy keeps."""
    return _Both(policies)
