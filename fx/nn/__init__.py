"""`fx.nn`: activation functions, initializers, and layers as pure `init(key)` and `apply(params, x)`."""

from __future__ import annotations

from . import initializers as initializers
from ._activations import (
    celu as celu,
    elu as elu,
    gelu as gelu,
    glu as glu,
    hard_sigmoid as hard_sigmoid,
    hard_silu as hard_silu,
    hard_swish as hard_swish,
    hard_tanh as hard_tanh,
    leaky_relu as leaky_relu,
    log_sigmoid as log_sigmoid,
    mish as mish,
    relu as relu,
    relu6 as relu6,
    selu as selu,
    sigmoid as sigmoid,
    silu as silu,
    soft_sign as soft_sign,
    softplus as softplus,
    swish as swish,
    tanh as tanh,
)
from ._attention_functions import dot_product_attention as dot_product_attention
from ._combinators import (
    MLP as MLP,
    Checkpoint as Checkpoint,
    Lambda as Lambda,
    Parallel as Parallel,
    Repeat as Repeat,
    Residual as Residual,
    Sequential as Sequential,
)
from ._dropout import Dropout as Dropout
from ._layer import (
    Layer as Layer,
    Parameter as Parameter,
)
from ._linear import (
    Bilinear as Bilinear,
    Linear as Linear,
)
from ._scope import Scope as Scope
from ._softmax import (
    log_softmax as log_softmax,
    logsumexp as logsumexp,
    one_hot as one_hot,
    softmax as softmax,
    standardize as standardize,
)
from ._summary import summary as summary
