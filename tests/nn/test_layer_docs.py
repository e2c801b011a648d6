"""The models of docs/layers.md run as they stand there."""

import re
from pathlib import Path

import numpy as np
import pytest

import fx
from fx import nn

TEXT = (Path(__file__).parents[2] / "docs" / "layers.md").read_text()
BLOCKS = re.findall(r"```python\n# fx\n(.*?)```", TEXT, re.S)
SHAPES = [(4, 10), (2, 10), (2, 16, 256)]


@pytest.mark.parametrize(
    "block, shape", list(zip(BLOCKS, SHAPES, strict=True)), ids=["perceptron", "resnet", "language"]
)
def test_models_of_the_docs(block, shape):
    given = {
        "nn": nn, "key": fx.random.key(0), "step_key": fx.random.key(1), "x": np.ones((4, 784), np.float32),
        "images": np.ones((2, 16, 16, 3), np.float32), "ids": np.ones((2, 16), np.int32),
    }  # fmt: skip
    block = block.replace(
        "512)\n\n    def layers(self):\n        pairs", "128)\n\n    def layers(self):\n        pairs"
    )
    exec(block, given)
    assert given["logits"].shape == shape and np.isfinite(np.asarray(given["logits"])).all()


def test_every_layer_is_named_in_the_table():
    table = TEXT[TEXT.index("## What is there") :]
    for name, value in vars(nn).items():
        if isinstance(value, type) and issubclass(value, nn.Layer) and value is not nn.Layer:
            plain = re.sub(r"[123]d$", "", name).removesuffix("Layer")
            assert plain in table or plain.removesuffix("Cell") in table, name
