"""What layers and functions of other libraries are called here."""

from __future__ import annotations

import sys
from typing import NoReturn

_PLACES = {
    "Module": "nn.Layer, whose parameters are declared and not held",
    "ModuleList": "a list in layers()",
    "ModuleDict": "names in layers()",
    "ParameterList": "names in parameters()",
    "ParameterDict": "names in parameters()",
    "List": "a list in layers()",
    "Dict": "names in layers()",
    "Buffer": "a name in state()",
    "Dense": "nn.Linear",
    "LinearGeneral": "a Parameter of your own Layer and fnp.einsum",
    "Einsum": "a Parameter of your own Layer and fnp.einsum",
    "Conv": "nn.Conv1d, nn.Conv2d or nn.Conv3d",
    "ConvTranspose": "nn.ConvTranspose1d, nn.ConvTranspose2d or nn.ConvTranspose3d",
    "Embed": "nn.Embedding",
    "MultiheadAttention": "nn.MultiHeadAttention",
    "MultiHeadDotProductAttention": "nn.MultiHeadAttention",
    "RotaryPositionalEmbedding": "nn.rotary, or positions='rotary' of nn.MultiHeadAttention",
    "LoRALinear": "nn.LoRA(nn.Linear(...), rank)",
    "SimpleCell": "nn.RNNCell",
    "OptimizedLSTMCell": "nn.LSTMCell",
    "SyncBatchNorm": "nn.BatchNorm(features, axis_name=...)",
    "CrossMapLRN2d": "nn.LocalResponseNorm",
    "RNNBase": "nn.RNN, nn.LSTM or nn.GRU",
    "RNNCellBase": "nn.RNNCell, nn.LSTMCell or nn.GRUCell",
    "DataParallel": "fx.vmap with axis_name=, and fx.lax.pmean of the gradients",
    "Shared": "one layer, called where it is needed: p.embed(ids), p.embed.attend(x)",
    "CosineSimilarity": "nn.cosine_similarity",
    "PairwiseDistance": "nn.pairwise_distance",
    "functional": "nn itself; losses are in fx.losses",
    "init": "nn.initializers",
    "scaled_dot_product_attention": "nn.dot_product_attention",
    "Softmax2d": "nn.softmax",
}


def missing(name: str) -> NoReturn:
    """The error for a name that nn has not, with what to write instead where that is known."""
    place = _place_of(name)
    hint = f"; write {place}" if place else ""
    raise AttributeError(f"fx.nn has no {name!r}{hint}.", name=name, obj=sys.modules["fx.nn"])


def _place_of(name: str) -> str:
    plain = name.removeprefix("Lazy")
    if plain in _PLACES:
        return _PLACES[plain]
    if name != plain:
        return f"nn.{plain}, with the sizes of its inputs"
    if name.endswith(("Loss", "Loss2d")):
        return "a function of fx.losses"
    if name[:-2].endswith("Pad"):
        return "nn.Pad, with mode="
    if name.startswith("Upsampling"):
        return "nn.Upsample, with mode="
    functions = {n.replace("_", ""): n for n in vars(sys.modules["fx.nn"]) if n.islower()}
    found = functions.get(name.lower())
    return f"nn.{found}, a function, which nn.Sequential takes as well" if found else ""
