"""`fx.image`: resizing (JAX's names), sampling at coordinates (SciPy's) and on grids (PyTorch's)."""

from __future__ import annotations

from ._grid import (
    affine_grid as affine_grid,
    grid_sample as grid_sample,
)
from ._resize import (
    ResizeMethod as ResizeMethod,
    resize as resize,
    scale_and_translate as scale_and_translate,
)
from ._sampling import (
    affine_transform as affine_transform,
    map_coordinates as map_coordinates,
    rotate as rotate,
)
from ._splines import spline_filter as spline_filter
