"""The device platform `gpu`: NVIDIA GPUs through CuPy, imported here alone and when a GPU is asked for."""

from __future__ import annotations

import importlib
from typing import Any

from ..core.devices import Backend, Device, register_backend
from ..core.errors import DeviceError, lines
from .gaps import ArrayModule

_INSTALL = (
    "Install it: pip install 'fx-transforms[gpu]' for CUDA 13, or pip install cupy-cuda12x for CUDA 12."
)


def load() -> Any:
    """CuPy, or DeviceError that says what is missing: CuPy itself, or a GPU."""
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as e:
        raise DeviceError(lines("A GPU needs CuPy, which cannot be imported.", str(e), _INSTALL)) from e
    if not cupy.is_available():
        raise DeviceError(
            lines(
                f"CuPy {cupy.__version__} finds no GPU that it can use.",
                "See nvidia-smi: the driver must be loaded, and as new as the CUDA that CuPy was built for.",
                _INSTALL,
            )
        )
    return cupy


class CupyBackend(Backend):
    """The GPUs of this machine; arrays are `cupy.ndarray`."""

    name = "cupy"
    platform = "gpu"

    def __init__(self, cupy: Any):
        self.xp = ArrayModule("cupy", cupy, "cupyx.scipy.special")

    def devices(self) -> list[Device]:
        return [Device("gpu", i) for i in range(self.xp.cuda.runtime.getDeviceCount())]

    def device(self, buffer: Any) -> Device:
        return Device("gpu", buffer.device.id)

    def to_host(self, buffer: Any) -> Any:
        return buffer.get()

    def from_host(self, host: Any, device: Device) -> Any:
        with self.activate(device):
            return self.xp.asarray(host)

    def synchronize(self, buffer: Any) -> None:
        with buffer.device:
            self.xp.cuda.get_current_stream().synchronize()

    def activate(self, device: Device) -> Any:
        return self.xp.cuda.Device(device.index)


def _register() -> None:
    cupy = load()
    register_backend(CupyBackend(cupy), cupy.ndarray)


_register()
