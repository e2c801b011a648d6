"""Every example in a docstring runs and gives what it shows."""

import doctest
import importlib
import pkgutil

import pytest

import fx

SKIPPED = ("fx.__main__", "fx._demo", "fx.backends.cupy")
MODULES = [m.name for m in pkgutil.walk_packages(fx.__path__, "fx.") if not m.name.startswith(SKIPPED)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_there_are_examples():
    assert (
        sum(
            len(t.examples) for m in MODULES for t in doctest.DocTestFinder().find(importlib.import_module(m))
        )
        > 40
    )
