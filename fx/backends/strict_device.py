"""The device platform `strict`: NumPy's numbers behind CuPy's surface, for tests where there is no GPU."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from ..core.devices import Backend, Device, register_backend
from . import strict
from .gaps import ArrayModule

_DEVICE = Device("strict")


class StrictBackend(Backend):
    """One pretended device whose arrays are `strict.ndarray`."""

    name = "strict"
    platform = "strict"
    xp = ArrayModule("strict", strict.xp, "fx.backends.strict:special")

    def devices(self) -> list[Device]:
        return [_DEVICE]

    def device(self, buffer: Any) -> Device:
        return _DEVICE

    def to_host(self, buffer: Any) -> Any:
        return strict.asnumpy(buffer)

    def from_host(self, host: Any, device: Device) -> Any:
        return strict.asarray(host)

    def activate(self, device: Device) -> Any:
        return nullcontext()


register_backend(StrictBackend(), strict.ndarray)
