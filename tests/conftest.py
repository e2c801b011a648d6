"""What all tests share: the backend they run on, Hypothesis profiles, checked Programs.

FX_TEST_BACKEND  where `to_backend` puts arrays: numpy (default), strict (a stand-in for CuPy), cupy
FX_FUZZ=1        2000 random examples per test instead of 20; another number is taken as it is
"""

import os

os.environ.setdefault("CUPY_ACCELERATORS", "")  # CUB kernels take a second each to compile the first time

import hypothesis
import numpy as np
import pytest

import fx
from fx.core import devices, tree
from fx.core.array import Array
from fx.core.errors import DeviceError

PLATFORMS = {"numpy": "cpu", "strict": "strict", "cupy": "gpu"}
BACKEND = os.environ.get("FX_TEST_BACKEND", "numpy")
if BACKEND not in PLATFORMS:
    raise pytest.UsageError(f"FX_TEST_BACKEND is {BACKEND!r}; it may be {', '.join(PLATFORMS)}")

_UNCHECKED = [
    getattr(hypothesis.HealthCheck, name)
    for name in ("too_slow", "data_too_large", "function_scoped_fixture")
]
_COMMON = {"deadline": None, "print_blob": True, "suppress_health_check": _UNCHECKED}
hypothesis.settings.register_profile("fast", max_examples=20, derandomize=True, database=None, **_COMMON)
FUZZ = int(os.environ.get("FX_FUZZ") or 0)
hypothesis.settings.register_profile("fuzz", max_examples=2000 if FUZZ == 1 else max(FUZZ, 1), **_COMMON)
hypothesis.settings.load_profile("fuzz" if FUZZ else "fast")


def why_missing(platform):
    """Why a platform cannot be used here, or None."""
    try:
        return None if devices.platform(platform).devices() else f"there is no {platform} device"
    except DeviceError as error:
        return str(error).splitlines()[0]


GUARDED = os.environ.get("FX_DEBUG_BOUNDS", "0") not in ("", "0")


def pytest_collection_modifyitems(items):
    for item in items if GUARDED else ():
        if "planned_memory" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="with guard pages every buffer takes pages of its own"))
    marked = [item for item in items if "gpu" in item.keywords]
    reason = why_missing("gpu") if marked else None
    for item in marked if reason else ():
        item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def checked_programs():
    """Every Program that a transformation makes is held against the rules of the IR."""
    before = fx.config.check_programs
    fx.config.update(check_programs=True)
    yield
    fx.config.update(check_programs=before)


@pytest.fixture(scope="session")
def test_device():
    """The device of FX_TEST_BACKEND; tests that need it are skipped where it does not exist."""
    platform = PLATFORMS[BACKEND]
    reason = why_missing(platform)
    if reason:
        pytest.skip(f"FX_TEST_BACKEND={BACKEND}: {reason}")
    return fx.device(platform)


@pytest.fixture
def to_backend(test_device):
    """A function that moves the arrays of a pytree to the tested device, where new arrays are made too."""

    def put(x):
        if isinstance(x, Array):
            return Array(devices.move(x.buffer, test_device), x.weak)
        if isinstance(x, (np.ndarray, np.generic)):
            return x if test_device.platform == "cpu" else Array(devices.move(np.asarray(x), test_device))
        return x

    with fx.default_device(test_device):
        yield lambda values: tree.map(put, values)
