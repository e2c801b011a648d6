"""The README's code runs as it stands, block after block."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)


@pytest.mark.parametrize("index", range(len(BLOCKS)))
def test_block_runs(index, capsys):
    scope: dict[str, object] = {}
    for n, block in enumerate(BLOCKS[: index + 1]):
        exec(compile(block, f"README block {n}", "exec"), scope)


def test_there_is_a_tour():
    assert len(BLOCKS) >= 6


def test_the_two_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    commands = re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.M)
    assert {"demo", "test"} <= set(commands)
    for target in commands:
        assert re.search(rf"^{target}:", makefile, re.M), target
