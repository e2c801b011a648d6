"""Devices and the backends behind them. CuPy is imported by its own backend, when a GPU is asked for."""

from __future__ import annotations

import contextlib
import importlib
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import DeviceError, brief, lines


@dataclass(frozen=True)
class Device:
    """A place for arrays: platform `cpu` or `gpu`, and its number."""

    platform: str
    index: int = 0

    def __str__(self) -> str:
        return "cpu" if self.platform == "cpu" else f"{self.platform}:{self.index}"

    __repr__ = __str__


_CPU = Device("cpu")


class Backend:
    """NumPy on the host. Other backends have the same members."""

    name = "numpy"
    platform = "cpu"
    xp: Any = np

    def devices(self) -> list[Device]:
        return [_CPU]

    def device(self, buffer: Any) -> Device:
        return _CPU

    def to_host(self, buffer: Any) -> Any:
        return buffer

    def from_host(self, host: Any, device: Device) -> Any:
        return host

    def synchronize(self, buffer: Any) -> None:
        """Wait until `buffer` holds its values."""

    def activate(self, device: Device) -> Any:
        """A context manager under which new buffers land on `device`."""
        raise NotImplementedError


HOST = Backend()
_backends: dict[str, Backend] = {"cpu": HOST}
_of_type: dict[type, Backend] = {np.ndarray: HOST}
_for_type = _of_type.get
_OPTIONAL = {"gpu": "fx.backends.cupy", "strict": "fx.backends.strict_device"}
_default: ContextVar[Device | None] = ContextVar("fx_default_device", default=None)


def register_backend(backend: Backend, *buffer_types: type) -> None:
    """Make a backend known by its platform and its buffer types."""
    _backends[backend.platform] = backend
    for t in buffer_types:
        _of_type[t] = backend


def is_buffer(x: Any) -> bool:
    """Whether x is an array of a loaded backend (NumPy's arrays and scalars, CuPy's arrays)."""
    return type(x) in _of_type or isinstance(x, (np.ndarray, np.generic)) or _adopt(x) is not None


def backend_of(buffer: Any) -> Backend:
    """The backend that owns a buffer."""
    found = _for_type(type(buffer))
    if found is not None:
        return found
    return _adopt(buffer) or HOST


def _adopt(x: Any) -> Backend | None:
    """A CuPy array that the user brought loads its backend."""
    if type(x).__module__.partition(".")[0] != "cupy" or not hasattr(x, "__cuda_array_interface__"):
        return None
    return platform("gpu")


def platform(name: str) -> Backend:
    """The backend of a platform, loaded when first asked for."""
    if not isinstance(name, str):
        raise DeviceError(f"A device platform is a string such as 'cpu' or 'gpu'; got {brief(name)}.")
    if name not in _backends:
        if name not in _OPTIONAL:
            raise DeviceError(
                lines(f"There is no device platform {brief(name)}.", "fx knows 'cpu' and 'gpu'.")
            )
        importlib.import_module(_OPTIONAL[name])
    return _backends[name]


def device(spec: Any) -> Device:
    """A device from `'cpu'`, `'gpu'`, `'gpu:1'` or a Device; DeviceError says what is missing."""
    if isinstance(spec, Device):
        name, index = spec.platform, spec.index
    else:
        if not isinstance(spec, str):
            raise DeviceError(
                lines(f"{brief(spec)} does not name a device.", "Write 'cpu', 'gpu' or 'gpu:1'.")
            )
        name, _, number = spec.partition(":")
        if number and not number.isdecimal():
            raise DeviceError(
                lines(f"{brief(spec)} does not name a device.", "Write 'cpu', 'gpu' or 'gpu:1'.")
            )
        index = int(number or 0)
    wanted = Device(name, index)
    present = platform(name).devices()
    if wanted not in present:
        raise DeviceError(lines(f"There is no device {wanted}.", f"Present: {', '.join(map(str, present))}."))
    return wanted


def devices(name: str | None = None) -> list[Device]:
    """All devices, or those of one platform; without CuPy or a GPU only the CPU."""
    if name is not None:
        return platform(name).devices()
    found = list(HOST.devices())
    with contextlib.suppress(DeviceError):
        found += platform("gpu").devices()
    return found


class default_device:
    """`with fx.default_device("gpu"):` new arrays are made there (thread- and task-local)."""

    def __init__(self, spec: Any):
        self.device = device(spec)

    def __enter__(self) -> Device:
        self.token = _default.set(self.device)
        return self.device

    def __exit__(self, *exc: object) -> None:
        _default.reset(self.token)


def current_device() -> Device:
    """Where new arrays are made."""
    return _default.get() or _CPU


def common_backend(buffers: Any) -> Backend:
    """The one backend of all array operands; host scalars go anywhere. DeviceError names both if two meet."""
    found: Backend | None = None
    first: Any = None
    for b in buffers:
        t = type(b)
        backend = _for_type(t)
        if backend is None:
            if isinstance(b, np.generic):
                continue
            backend = backend_of(b)
        if found is None:
            found, first = backend, b
        elif backend is not found:
            _refuse_mix(found.device(first), backend.device(b))
        elif backend is not HOST and backend.device(b) != backend.device(first):
            _refuse_mix(backend.device(first), backend.device(b))
    if found is not None:
        return found
    chosen = _default.get()
    return HOST if chosen is None else platform(chosen.platform)


def _refuse_mix(a: Device, b: Device) -> None:
    raise DeviceError(
        lines(f"Arrays on {a} and on {b} met in one operation.", f"Move one: x.to_device({str(a)!r}).")
    )


def move(buffer: Any, target: Device) -> Any:
    """The same values on another device."""
    source = backend_of(buffer)
    if source.device(buffer) == target:
        return buffer
    return platform(target.platform).from_host(source.to_host(buffer), target)
