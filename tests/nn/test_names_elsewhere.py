"""Names of PyTorch and Flax that are others here: the error says which, and what it says is there."""

import re

import pytest
import torch
import torch.utils.data

import fx
from fx import data, losses, nn, optim

ROOMS = {"nn": nn, "losses": losses, "optim": optim, "data": data, "fx": fx}
classes = lambda module, kind: [
    n for n, x in vars(module).items() if isinstance(x, type) and issubclass(x, kind)
]
NOTHING = {
    *("FractionalMaxPool2d", "FractionalMaxPool3d", "Container"),  # not here
    *("ModelAndOptimizer", "Metric", "MultiMetric", "Pytree"),  # no layers
}
FLAX = """
    Dict List Sequential Module PReLU MultiHeadAttention RNNCellBase LSTMCell GRUCell
    OptimizedLSTMCell SimpleCell RNN Bidirectional Conv ConvTranspose Embed Linear LinearGeneral
    Einsum LoRA LoRALinear BatchNorm LayerNorm RMSNorm GroupNorm InstanceNorm SpectralNorm
    WeightNorm Dropout
""".split()
"""The modules of flax.nnx 0.12.8."""
EXPECTED = {
    "nn": [
        *classes(torch.nn, torch.nn.Module),
        *FLAX,
        "Dense",
        "Embed",
        "functional",
        "init",
    ],
    "losses": [n for n in vars(torch.nn) if n.endswith("Loss")] + ["mse_loss", "l1_loss", "kl_div"],
    "optim": [*classes(torch.optim, torch.optim.Optimizer), "GradientTransformation", "lr_scheduler"]
    + [n for n in vars(torch.optim.lr_scheduler) if re.fullmatch(r"[A-Z]\w+LR", n)],
    "data": [
        "DataLoader",
        "Dataset",
        "TensorDataset",
        "IterableDataset",
        "ConcatDataset",
        "DistributedSampler",
    ],
}


@pytest.mark.parametrize("room", EXPECTED)
def test_names_of_others_lead_to_ours(room):
    for name in set(EXPECTED[room]) - set(vars(ROOMS[room])) - NOTHING - {"Optimizer"}:
        with pytest.raises(AttributeError) as caught:
            getattr(ROOMS[room], name)
        text = str(caught.value)
        assert text.startswith(f"fx.{room} has no '{name}'; write "), text
        for place, ours in re.findall(r"\b(nn|losses|optim|data|fx)\.(\w+)", text.partition("; write ")[2]):
            assert hasattr(ROOMS[place], ours), text


def test_other_names_are_none():
    with pytest.raises(AttributeError, match=r"^fx.nn has no 'Liner'\.$") as caught:
        nn.Liner
    assert caught.value.obj is nn and caught.value.name == "Liner", "for Python's suggestion"
    assert not hasattr(optim, "__wrapped__")
