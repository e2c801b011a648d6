"""Writes docs/numpy.md: every function of fx.numpy, whether it has derivatives, is mapped by vmap, and where it runs.

The tests hold the page against the code: no function without an entry, and each claim is checked
(tests/numpy/test_numpy_table.py).
"""

from __future__ import annotations

from pathlib import Path

import fx.numpy as fnp

HEAD = """# The functions of fx.numpy

Signatures are NumPy 2's and the array API's, without `out=`. The columns:

- **derivatives**: `yes` has derivatives in both modes and to any order, held against central differences, and against
  JAX where it has the function. Otherwise the reason why there is nothing to differentiate; `grad` then gives zeros.
- **vmap, jit**: `yes`; `known` where the size or the form of the result depends on values, so that they must be known
  (eagerly, and under bare `grad`, they are); `size=` where naming a size lifts that.
- **runs on**: `device`: where its arguments are, by NumPy or CuPy; `host`: makes files, text or Python objects.

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


def functions() -> list[str]:
    """The names of fx.numpy that are functions, or are indexed like one (`r_`)."""
    public = [name for name in dir(fnp) if not name.startswith("_") and name != "annotations"]
    return [name for name in public if _is_function(getattr(fnp, name))]


def _is_function(value: object) -> bool:
    kind = type(value)
    indexed = kind.__module__.startswith("fx.numpy._grids")
    return kind.__name__ == "function" or indexed


def row(name: str) -> tuple[str, str, str]:
    """Derivatives, batches, place of one function."""
    reason = REASON.get(name, "yes")
    place = "host" if reason in HOST else "device"
    if reason in (*HOST, "made of static numbers", "as the function given to it"):
        return reason, "-", place
    return reason, "size=" if name in SIZED.split() else "known" if name in KNOWN.split() else "yes", place


def table() -> str:
    """The page."""
    names = functions()
    rows = ["", "| function | derivatives | vmap, jit | runs on |", "|---|---|---|---|"]
    rows += [f"| `{name}` | {' | '.join(row(name))} |" for name in names]
    yes = sum(row(name)[0] == "yes" for name in names)
    return HEAD + f"\n{len(names)} functions, {yes} with derivatives.\n" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("numpy.md").write_text(table())
