"""`fx.io`: pytrees in files: safetensors and npz, written atomically, checked when read. Pickle is never loaded."""

from __future__ import annotations

from ._errors import FileError as FileError
from ._files import (
    Contents as Contents,
    Entry as Entry,
    inspect as inspect,
    load as load,
    save as save,
)
from ._torch import from_torch as from_torch
