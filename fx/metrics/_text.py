"""Text: perplexity of predicted tokens, BLEU of whole sentences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from reprlib import repr as brief
from typing import Any

import fx
import fx.numpy as fnp
from fx import special

from ._metric import Metric, ratio


@dataclass(frozen=True)
class Perplexity(Metric):
    """exp of the mean of -log(probability of the token that came), natural logarithm.

    Args:
        ignore_index: a token that does not count, such as padding.
    """

    ignore_index: int | None = None

    def init(self) -> dict[str, fx.Array]:
        return {"total": fnp.zeros((), fnp.float64), "count": fnp.zeros((), int)}

    def update(self, state: Any, logits: Any, targets: Any, where: Any = None) -> Any:
        """logits: (..., vocabulary), targets: integers (...), where: booleans that broadcast to them."""
        logits, targets = fnp.asarray(logits), fnp.asarray(targets)
        if logits.shape[:-1] != targets.shape or targets.dtype.kind not in "iu":
            raise fx.ShapeError(
                f"Perplexity takes logits (..., vocabulary) and integers (...); got {logits.dtype}"
                f"{list(logits.shape)} and {targets.dtype}{list(targets.shape)}."
            )
        counts = fnp.ones(targets.shape, bool) if where is None else fnp.broadcast_to(where, targets.shape)
        counts = counts if self.ignore_index is None else counts & (targets != self.ignore_index)
        wide = logits.astype(fnp.float64)
        chosen = fnp.take_along_axis(wide, fnp.where(counts, targets, 0)[..., None], -1)[..., 0]
        cost = fnp.where(counts, special.logsumexp(wide, -1) - chosen, 0.0)
        return {"total": state["total"] + cost.sum(), "count": state["count"] + counts.sum()}

    def compute(self, state: Any) -> fx.Array:
        """At least 1; NaN of nothing."""
        return fnp.exp(ratio(state["total"], state["count"], fnp.nan))


def perplexity(logits: Any, targets: Any, *, ignore_index: int | None = None, where: Any = None) -> fx.Array:
    """exp of the mean of -log(probability of the token that came)."""
    return Perplexity(ignore_index).of(logits, targets, where)


Tokens = Sequence[Any]


@dataclass(frozen=True)
class Bleu(Metric):
    """BLEU of a corpus: the geometric mean of clipped n-gram precisions, times the brevity penalty.

    Args:
        order: of the longest n-grams.
        smooth: add 1 to the counts of n-grams longer than one (Lin and Och 2004).

    Source: Papineni et al. 2002.
    """

    order: int = 4
    smooth: bool = False

    def init(self) -> dict[str, fx.Array]:
        counts = fnp.zeros(self.order, int)
        return {
            "right": counts,
            "count": counts,
            "length": fnp.zeros((), int),
            "reference": fnp.zeros((), int),
        }

    def update(self, state: Any, candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> Any:
        """candidates: token lists (words, or integers); references: of each candidate, one token list or several."""
        candidates = _lists(candidates, "candidates")
        references = _lists(references, "references")
        if len(candidates) != len(references):
            raise fx.ShapeError(
                f"Bleu: {len(candidates)} candidates and {len(references)} lists of references."
            )
        right, count, length, reference = [0] * self.order, [0] * self.order, 0, 0
        for candidate, own in zip(candidates, references, strict=True):
            several = own if _is_several(own) else [own]
            candidate, several = _tokens(candidate), [_tokens(r) for r in several]
            length += len(candidate)
            reference += min((abs(len(r) - len(candidate)), len(r)) for r in several)[1]
            for n in range(self.order):
                found, most = _grams(candidate, n + 1), Counter[Any]()
                for r in several:
                    most |= _grams(r, n + 1)
                right[n] += sum((found & most).values())
                count[n] += sum(found.values())
        made = {"right": right, "count": count, "length": length, "reference": reference}
        return {name: state[name] + fnp.asarray(x) for name, x in made.items()}

    def compute(self, state: Any) -> fx.Array:
        """A number from 0 to 1; NaN of nothing."""
        right, count = state["right"].tolist(), state["count"].tolist()
        length, reference = int(state["length"]), int(state["reference"])
        if length == 0:
            return fnp.asarray(math.nan if reference == 0 else 0.0, dtype=fnp.float64)
        if self.smooth:
            right, count = ([x + (i > 0) for i, x in enumerate(xs)] for xs in (right, count))
        if min(right) == 0:
            return fnp.zeros((), fnp.float64)
        precision = sum(math.log(r / c) for r, c in zip(right, count, strict=True)) / self.order
        return fnp.asarray(math.exp(precision + min(0.0, 1 - reference / length)), dtype=fnp.float64)


def _lists(given: Any, what: str) -> list[Any]:
    if not isinstance(given, (list, tuple)):
        raise fx.ArgumentError(
            f"Bleu: {what} must be a list with an entry for each sentence; got {brief(given)}."
        )
    return list(given)


def _tokens(sentence: Any) -> list[Any]:
    """The tokens of a sentence, words or integers."""
    if isinstance(sentence, str):
        raise fx.ArgumentError("Bleu takes lists of tokens; got text.\nWrite sentence.split().")
    if hasattr(sentence, "tolist"):
        sentence = sentence.tolist()
    if not isinstance(sentence, (list, tuple)) or not all(isinstance(t, (str, int)) for t in sentence):
        raise fx.ArgumentError(f"Bleu takes lists of tokens, words or integers; got {brief(sentence)}.")
    return list(sentence)


def _is_several(own: Any) -> bool:
    return isinstance(own, (list, tuple)) and len(own) > 0 and not isinstance(own[0], (str, int))


def _grams(tokens: Tokens, n: int) -> Counter[Any]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def bleu(
    candidates: Sequence[Tokens],
    references: Sequence[Sequence[Tokens]],
    *,
    order: int = 4,
    smooth: bool = False,
) -> fx.Array:
    """BLEU of a corpus; see `Bleu`.

    >>> float(bleu([["a", "b", "c", "d", "e"]], [[["a", "b", "c", "d", "e"]]]))
    1.0
    """
    return Bleu(order, smooth).of(candidates, references)
