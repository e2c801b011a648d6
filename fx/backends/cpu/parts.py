"""A module cut into parts that are compiled side by side.

No pass looks across functions here, so the code is the same as of the whole. Functions that run once a call and have no
loops are a part of their own: how fast they are does not show, so they are compiled with little effort.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from .llvm import Function, Module

SHARE = 24_000
"""Characters of assembly from which a part is worth a thread: some fifteen milliseconds of work."""
MOST = 4
_NAME = re.compile(r"@([\w.$]+)")


class Part(NamedTuple):
    """Assembly, and whether little effort will do."""

    text: str
    quick: bool = False


def parts(m: Module, once: Collection[str] = ()) -> list[Part]:
    """The module in parts of about the same size; a small one as it is. `once`: functions that run once a call."""
    texts = {name: str(f) for name, f in m.functions.items()}
    total = sum(map(len, texts.values()))
    if total < SHARE:
        return [Part(str(m))]
    straight = [name for name in texts if name in once and " = phi " not in texts[name]]
    others = sorted(texts.keys() - straight, key=lambda name: (-len(texts[name]), name))
    groups = _shared_out(others, texts, min(cores(), MOST, 1 + total // SHARE))
    wanted = [(group, False) for group in groups if group] + ([(straight, True)] if straight else [])
    placed: set[str] = set()
    return [Part(_text(m, names, texts, placed), quick) for names, quick in wanted]


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _shared_out(names: Sequence[str], texts: dict[str, str], count: int) -> list[list[str]]:
    """The largest first, each to the group that has least."""
    groups: list[list[str]] = [[] for _ in range(count)]
    sizes = [0] * count
    for name in names:
        least = sizes.index(min(sizes))
        groups[least].append(name)
        sizes[least] += len(texts[name])
    return groups


def _text(m: Module, names: Collection[str], texts: dict[str, str], placed: set[str]) -> str:
    """The module of some functions; what is elsewhere is declared. `placed`: globals that other parts define."""
    own = [texts[name].replace("define internal ", "define ", 1) for name in names]
    used = dict.fromkeys(name for text in own for name in _NAME.findall(text))
    data = _with_what_they_name(used, m.globals)
    fresh = [name for name in data if name not in placed]
    placed.update(fresh)
    named = {*used, *(name for g in fresh for name in _NAME.findall(m.globals[g]))}
    lines = [m.globals[name].replace(" = internal ", " = ", 1) for name in fresh]
    lines += [f"@{name} = external global i8" for name in data if name not in fresh]
    lines += [text for name, text in m.declared.items() if name in named]
    lines += [_declaration(m.functions[n]) for n in m.functions if n in named and n not in names]
    lines += [f"!{name} = {text}" for name, text in m.metadata.items()]
    return "\n".join([*lines, *own]) + "\n"


def _with_what_they_name(names: Iterable[str], known: dict[str, str]) -> list[str]:
    """Globals that are named, directly or by others."""
    found: dict[str, None] = {}
    stack = [name for name in names if name in known]
    while stack:
        name = stack.pop()
        if name not in found:
            found[name] = None
            stack += [n for n in _NAME.findall(known[name]) if n in known]
    return list(found)


def _declaration(f: Function) -> str:
    return f"declare {f.result} @{f.name}({', '.join(f.params)})"
