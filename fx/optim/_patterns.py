"""Patterns of paths in a parameter tree."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from reprlib import repr as brief
from typing import Any

import fx

from ._leaves import check_choice


def check_patterns(name: str, patterns: Sequence[Any], missing: str) -> None:
    """ArgumentError for what is no pattern."""
    check_choice(name, "missing", missing, ("error", "ignore"))
    for pattern in patterns:
        if not isinstance(pattern, str) or not pattern.removeprefix("!").strip("/"):
            raise fx.ArgumentError(
                f'{name}: a pattern is text such as "encoder/**" or "*bias"; got {brief(pattern)}.'
            )


def near_misses(name: str, pattern: str, texts: Sequence[str]) -> fx.ArgumentError:
    """The error for a pattern that matches nothing, with the paths and keys that are closest to it."""
    wanted = pattern.removeprefix("!").strip("/")
    bare = wanted.replace("*", "").strip("/")
    keys = sorted({key for text in texts for key in text.split("/")})
    near = difflib.get_close_matches(bare, keys, 3, 0.5) or difflib.get_close_matches(bare, texts, 3, 0.4)
    near += [text for text in texts if text not in near][: max(0, 3 - len(near))]
    hint = "There are " if len(texts) > 1 else "There is "
    return fx.ArgumentError(
        f"{name}: the pattern {brief(pattern)} matches none of the {len(texts)} leaves.\n"
        f"{hint}{', '.join(map(repr, near))}{', ...' if len(texts) > len(near) else ''}"
    )
