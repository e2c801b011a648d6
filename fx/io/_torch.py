"""PyTorch's parameters, by a mapping of paths."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from reprlib import repr as brief
from typing import Any

import numpy as np

import fx
import fx.numpy as fnp

from ._matching import fitted, substituted
from ._structure import name_of

Arrays = dict[str, Any]


def from_torch(
    state_dict: Mapping[str, Any],
    like: Any,
    mapping: Mapping[str, str] | None = None,
    *,
    unused: str = "error",
) -> Any:
    """Parameters for fx's layers from those of PyTorch's.

    Args:
        state_dict: names and tensors (or arrays): `module.state_dict()`, or what `load` gives for a .safetensors file.
        like: parameters (or a pair of parameters and state) of the fx model, as from `init`.
        mapping: {module in PyTorch: place in `like`}, a * in one for a * in the other: {"fc1": "linear_0",
            "blocks.*.attn": "layers/*/attn"}; "" is the module itself. None: every module has its name in `like`.
            The parts of a module follow by what they are: kernels are transposed, running averages go to the state,
            stacked projections are cut.
        unused: "error", or "ignore" for tensors that no mapping names.

    Raises:
        TreeError: names or shapes do not fit. ArgumentError: a mapping matches no module.
    """
    for what, value in (("state_dict", state_dict), ("mapping", {} if mapping is None else mapping)):
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise fx.ArgumentError(f"io.from_torch: {what} must be a dict by names; got {brief(value)}.")
    if mapping is not None and not all(isinstance(place, str) for place in mapping.values()):
        raise fx.ArgumentError(f"io.from_torch: mapping must give places, as text; got {brief(mapping)}.")
    if unused not in ("error", "ignore"):
        raise fx.ArgumentError(f"io.from_torch: unused must be 'error' or 'ignore'; got {brief(unused)}.")
    tensors = {
        name: _numpy(x, name) for name, x in state_dict.items() if not name.endswith("num_batches_tracked")
    }
    trees = like if isinstance(like, tuple) else (like,)
    names = [{name_of(path) for path, _ in fx.tree.leaves_with_path(tree)} for tree in trees]
    targets = set().union(*names)
    modules: dict[str, Arrays] = {}
    for name, x in tensors.items():
        module, _, part = name.rpartition(".")
        modules.setdefault(module, {})[part] = x
    if mapping is None:
        places = {module: module.replace(".", "/") for module in _with_children(modules)}
        mapping = {m: place for m, place in places.items() if _own(modules, m, place, targets)[1] is not None}
    found: Arrays = {}
    left = set(tensors)
    for pattern, place in mapping.items():
        used = _placed(modules, pattern, place, targets, found)
        if not used:
            raise fx.ArgumentError(
                f"io.from_torch: {pattern!r} matches no module with parameters; there are {sorted(modules)}."
            )
        left -= used
    if left and unused == "error":
        raise fx.TreeError(
            f"io.from_torch: no mapping names {sorted(left)}.\nAdd one, or pass unused='ignore'."
        )
    made = [
        fitted("the state_dict", tree, {n: x for n, x in found.items() if n in own or n not in targets}, None, None,
               "error", "error")
        for tree, own in zip(trees, names, strict=True)
    ]  # fmt: skip
    return tuple(made) if isinstance(like, tuple) else made[0]


def _numpy(x: Any, name: str) -> Any:
    """A tensor as a NumPy array; bfloat16, which NumPy lacks, through float32."""
    if not hasattr(x, "detach"):
        if not isinstance(x, (np.ndarray, np.generic, fx.Array, int, float)):
            raise fx.ArgumentError(f"io.from_torch: state_dict[{name!r}] is no tensor or array: {brief(x)}.")
        return np.asarray(x)
    x = x.detach().cpu()
    if str(x.dtype) == "torch.bfloat16":
        return x.float().numpy().astype(np.dtype(fnp.bfloat16))
    return x.numpy()


def _placed(modules: Any, pattern: str, place: str, targets: set[str], found: Arrays) -> set[str]:
    """Convert the modules that a pattern matches into `found`; the names of the tensors that were used."""
    used = set()
    for module in _with_children(modules):
        prefix = substituted(module, pattern, place)
        if prefix is None:
            continue
        own, convert = _own(modules, module, prefix, targets)
        if convert is not None:
            found |= {name: fnp.asarray(x) for name, x in convert(own, prefix, targets).items()}
            used |= {f"{module}.{part}".lstrip(".") for part in own}
    return used


def _with_children(modules: Any) -> list[str]:
    """Modules that have tensors, and those whose only parts are modules (attention has out_proj)."""
    return sorted({*modules, *(m.rpartition(".")[0] for m in modules)})


def _own(modules: Any, module: str, prefix: str, targets: set[str]) -> tuple[dict[str, Any], Any]:
    """The tensors of a module, and what converts them, by the names in its place."""
    own = dict(modules.get(module, {}))
    names = {name.removeprefix(f"{prefix}/") if prefix else name for name in targets if _below(name, prefix)}
    if "wq" in names:
        inner = modules.get(f"{module}.out_proj".lstrip("."), {})
        return {**own, **{f"out_proj.{part}": x for part, x in inner.items()}}, _attention
    if any(name.startswith("layers/0/") and name.endswith("/wh") for name in names):
        return own, _recurrent
    for name, kind in (
        ("wh", _cell),
        ("kernel", _linear),
        ("table", _table),
        ("scale", _norm),
        ("mean", _norm),
    ):
        if name in names and own:
            return own, kind
    return own, None


def _below(name: str, prefix: str) -> bool:
    return not prefix or name.startswith(f"{prefix}/")


def _join(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name


def _linear(own: Arrays, prefix: str, targets: set[str]) -> Arrays:
    """Linear and convolutions: (out, in, *window) -> (*window, in, out); transposed ones have (in, out) alike."""
    weight = own["weight"]
    made = {_join(prefix, "kernel"): np.moveaxis(weight, (0, 1), (-1, -2)) if weight.ndim > 1 else weight}
    return made | ({_join(prefix, "bias"): own["bias"]} if "bias" in own else {})


def _table(own: Arrays, prefix: str, targets: set[str]) -> Arrays:
    return {_join(prefix, "table"): own["weight"]}


_NORM = {"weight": "scale", "bias": "bias", "running_mean": "mean", "running_var": "var"}


def _norm(own: Arrays, prefix: str, targets: set[str]) -> Arrays:
    return {_join(prefix, _NORM[part]): x for part, x in own.items()}


def _attention(own: Arrays, prefix: str, targets: set[str]) -> Arrays:
    made = {}
    if "in_proj_weight" in own:
        parts = np.split(own["in_proj_weight"], 3)
    else:
        parts = [own[f"{n}_proj_weight"] for n in "qkv"]
    for n, x in zip("qkv", parts, strict=True):
        made[_join(prefix, f"w{n}")] = x.T
    if "in_proj_bias" in own:
        for n, x in zip("qkv", np.split(own["in_proj_bias"], 3), strict=True):
            made[_join(prefix, f"b{n}")] = x
    made[_join(prefix, "wo")] = own["out_proj.weight"].T
    return made | ({_join(prefix, "bo"): own["out_proj.bias"]} if "out_proj.bias" in own else {})


def _cell(own: Arrays, prefix: str, targets: set[str], suffix: str = "") -> Arrays:
    """A recurrent cell; two biases that are only ever added become one, except a GRU's."""
    made = {
        _join(prefix, "wx"): own[f"weight_ih{suffix}"].T,
        _join(prefix, "wh"): own[f"weight_hh{suffix}"].T,
    }
    if f"bias_ih{suffix}" in own:
        b, bh = own[f"bias_ih{suffix}"], own[f"bias_hh{suffix}"]
        apart = _join(prefix, "bh") in targets
        made |= {_join(prefix, "b"): b, _join(prefix, "bh"): bh} if apart else {_join(prefix, "b"): b + bh}
    return made


def _recurrent(own: Arrays, prefix: str, targets: set[str]) -> Arrays:
    made: Arrays = {}
    for part in own:
        found = re.fullmatch(r"weight_ih_(l(\d+)(_reverse)?)", part)
        if found:
            suffix, i, reverse = found.groups()
            place = _join(prefix, f"layers/{i}")
            if any(fnmatch.fnmatchcase(name, f"{place}/backward_layer/*") for name in targets):
                place += "/backward_layer" if reverse else "/forward_layer"
            made |= _cell(own, f"{place}/cell", targets, f"_{suffix}")
    return made
