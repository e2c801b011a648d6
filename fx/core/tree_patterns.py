"""Paths of leaves as text, and patterns of them: `encoder/**/bias`, `*norm*`."""

from __future__ import annotations

import functools
import re
from typing import Any

from .errors import ArgumentError, brief


def path_text(path: Any) -> str:
    """A path as its keys with slashes.

    >>> from fx import tree
    >>> [path_text(path) for path, _ in tree.leaves_with_path({"layers": [{"w": 1}, {"b": 2}]})]
    ['layers/0/w', 'layers/1/b']
    """
    if not isinstance(path, (tuple, list)):
        raise ArgumentError(f"path_text: a path is a tuple of keys; got {brief(path)}.")
    return "/".join([str(key._value if hasattr(key, "_value") else key) for key in path])


def path_matches(pattern: str, text: str) -> bool:
    """Whether keys in a row, anywhere in a path, match a pattern; what is below them matches too.

    In a key * stands for any text, ? for a character, [ab] for one of several; the key ** stands for any
    number of keys. A leading slash ties the pattern to the start of the path.

    >>> path_matches("attn/w*", "layers/0/attn/wq"), path_matches("/attn", "layers/0/attn/wq")
    (True, False)
    """
    if not isinstance(pattern, str) or not pattern.strip("/"):
        raise ArgumentError(
            f'A pattern of paths is text such as "encoder/**" or "*bias"; got {brief(pattern)}.'
        )
    if not isinstance(text, str):
        raise ArgumentError(f"path_matches: a path is text, as path_text writes it; got {brief(text)}.")
    return _expression(pattern).search(text) is not None


@functools.cache
def _expression(pattern: str) -> re.Pattern[str]:
    start = "^" if pattern.startswith("/") else "(?:^|/)"
    keys = pattern.strip("/").split("/")
    while len(keys) > 1 and keys[-1] == "**":
        keys.pop()
    body = "".join([r"(?:[^/]+/)*" if key == "**" else _one_key(key) + "/" for key in keys[:-1]])
    last = "[^/]*" if keys[-1] == "**" else _one_key(keys[-1])
    return re.compile(f"{start}{body}{last}(?:/|$)")


def _one_key(key: str) -> str:
    special = {"*": "[^/]*", "?": "[^/]"}
    parts = re.findall(r"\[[^\]]+\]|.", key)
    return "".join([special.get(part) or (part if len(part) > 1 else re.escape(part)) for part in parts])
