"""Writes docs/numpy.md: every function of fx.numpy, whether it has derivatives, is mapped by vmap, and where it runs.

The tests hold the page against the code: no function without an entry, and each claim is checked
(tests/numpy/test_numpy_table.py).
"""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np

HEAD = """# The functions of fx.numpy

Signatures are NumPy 2's and the array API's, without `out=`. The columns:

- **derivatives**: `yes` has derivatives in both modes and to any order, held against central differences, and against
  JAX where it has the function. Otherwise the reason why there is nothing to differentiate; `grad` then gives zeros.
- **vmap, jit**: `yes`; `known` where the size or the form of the result depends on values, so that they must be known
  (eagerly, and under bare `grad`, they are); `size=` where naming a size lifts that.
- **runs on**: `device`: where its arguments are, by NumPy or CuPy; `host`: makes files, text or Python objects.

Eager calls on host arrays go to NumPy's function in one piece where it means the same (`fx/numpy/_native.py`); the
results equal those of a trace to one unit in the last place of the largest element (`geomspace`, `logspace`: 4;
`polyfit`: 16). `python -m benchmarks.eager` prints what calls cost beyond NumPy's: at most 5 us for 339 of 355.

This page is written by `python docs/numpy_table.py`.
"""
WHY = {
    "constant between jumps": "around ceil fix floor floor_divide rint round spacing trunc",
    "no value enters the result": "empty_like ones_like zeros_like",
    "integers or booleans come out": """
        all allclose any argmax argmin argpartition argsort argwhere array_equal array_equiv count_nonzero
        diag_indices_from digitize equal flatnonzero greater greater_equal isclose iscomplex isfinite isin isinf isnan
        isneginf isposinf isreal less less_equal lexsort logical_and logical_not logical_or logical_xor nanargmax
        nanargmin nonzero not_equal searchsorted signbit tril_indices_from triu_indices_from""",
    "integers or booleans go in": """
        bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift
        bitwise_xor gcd invert ix_ lcm left_shift packbits ravel_multi_index right_shift unpackbits unravel_index""",
    "made of static numbers": """
        arange bartlett blackman broadcast_shapes diag_indices empty eye hamming hanning identity indices
        mask_indices mgrid ogrid ones tri tril_indices triu_indices zeros""",
    "a question, not about values": """
        can_cast common_type einsum_path finfo iinfo iscomplexobj isdtype isrealobj isscalar issubdtype iterable
        min_scalar_type ndim promote_types result_type shape size""",
    "as the function given to it": "fromfunction frompyfunc vectorize",
    "files, bytes and text": """
        array2string array_repr array_str base_repr binary_repr format_float_positional format_float_scientific
        frombuffer fromfile fromiter fromstring genfromtxt get_printoptions load loadtxt printoptions save savetxt
        savez savez_compressed set_printoptions""",
}
KNOWN = (
    "compress extract real_if_close roots trim_zeros unique_all unique_counts unique_inverse unique_values"
)
SIZED = "argwhere bincount flatnonzero intersect1d nonzero setdiff1d setxor1d union1d unique"
HOST = "files, bytes and text", "a question, not about values"
REASON = {name: reason for reason, names in WHY.items() for name in names.split()}


MATRIX_SPACES = {"fx.numpy.linalg": np.linalg, "fx.numpy.fft": np.fft, "fx.linalg": None}
"""More namespaces, and that of NumPy whose names they have; None: their own."""
MATRIX_WHY = {
    "integers or booleans come out": "matrix_rank",
    "made of static numbers": "dft fftfreq hadamard helmert hilbert invhilbert invpascal pascal rfftfreq",
}
MATRIX_KNOWN = "null_space orth"
MATRIX_REASON = {name: reason for reason, names in MATRIX_WHY.items() for name in names.split()}


def functions(space: str = "fx.numpy") -> list[str]:
    """The names of a namespace that are functions, or are indexed like one (`r_`)."""
    module = importlib.import_module(space)
    public = dir(MATRIX_SPACES.get(space) or module)
    public = [name for name in public if not name.startswith("_") and name != "annotations"]
    return [name for name in public if _is_function(getattr(module, name, None))]


def _is_function(value: object) -> bool:
    kind = type(value)
    indexed = kind.__module__.startswith("fx.numpy._grids")
    return kind.__name__ == "function" or indexed


def row(name: str, space: str = "fx.numpy") -> tuple[str, str, str]:
    """Derivatives, batches, place of one function."""
    if space != "fx.numpy":
        reason = MATRIX_REASON.get(name, "yes")
        mapped = "known" if name in MATRIX_KNOWN.split() else "yes"
        return reason, "-" if reason == "made of static numbers" else mapped, "device"
    reason = REASON.get(name, "yes")
    place = "host" if reason in HOST else "device"
    if reason in (*HOST, "made of static numbers", "as the function given to it"):
        return reason, "-", place
    return reason, "size=" if name in SIZED.split() else "known" if name in KNOWN.split() else "yes", place


def table() -> str:
    """The page."""
    return HEAD + "\n" + "\n".join([*_section("fx.numpy"), *_matrix_sections()]) + "\n"


def _matrix_sections() -> list[str]:
    return [line for space in MATRIX_SPACES for line in ("", f"## {space}", "", *_section(space))]


def _section(space: str) -> list[str]:
    names = functions(space)
    rows = [f"| `{name}` | {' | '.join(row(name, space))} |" for name in names]
    return [
        counted(space),
        "",
        "| function | derivatives | vmap, jit | runs on |",
        "|---|---|---|---|",
        *rows,
    ]


def counted(space: str) -> str:
    """How many functions there are, and how many with derivatives."""
    names = functions(space)
    return f"{len(names)} functions, {sum(row(name, space)[0] == 'yes' for name in names)} with derivatives."


if __name__ == "__main__":
    Path(__file__).with_name("numpy.md").write_text(table())
