"""`fx.nn`: activation functions, initializers, and layers as pure `init(key)` and `apply(params, x)`."""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from . import initializers as initializers
from ._activation_layers import PReLU as PReLU, RReLU as RReLU
from ._activations import (
    celu as celu,
    elu as elu,
    gelu as gelu,
    hard_sigmoid as hard_sigmoid,
    hard_silu as hard_silu,
    hard_swish as hard_swish,
    hard_tanh as hard_tanh,
    hardshrink as hardshrink,
    hardsigmoid as hardsigmoid,
    hardswish as hardswish,
    hardtanh as hardtanh,
    identity as identity,
    leaky_relu as leaky_relu,
    log1mexp as log1mexp,
    log_sigmoid as log_sigmoid,
    logsigmoid as logsigmoid,
    mish as mish,
    prelu as prelu,
    relu as relu,
    relu6 as relu6,
    rrelu as rrelu,
    selu as selu,
    sigmoid as sigmoid,
    silu as silu,
    soft_sign as soft_sign,
    softplus as softplus,
    softshrink as softshrink,
    softsign as softsign,
    sparse_plus as sparse_plus,
    sparse_sigmoid as sparse_sigmoid,
    squareplus as squareplus,
    swish as swish,
    tanh as tanh,
    tanhshrink as tanhshrink,
    threshold as threshold,
)
from ._adaptive_pooling import (
    AdaptiveAvgPool1d as AdaptiveAvgPool1d,
    AdaptiveAvgPool2d as AdaptiveAvgPool2d,
    AdaptiveAvgPool3d as AdaptiveAvgPool3d,
    AdaptiveMaxPool1d as AdaptiveMaxPool1d,
    AdaptiveMaxPool2d as AdaptiveMaxPool2d,
    AdaptiveMaxPool3d as AdaptiveMaxPool3d,
    GlobalAvgPool1d as GlobalAvgPool1d,
    GlobalAvgPool2d as GlobalAvgPool2d,
    GlobalAvgPool3d as GlobalAvgPool3d,
    GlobalMaxPool1d as GlobalMaxPool1d,
    GlobalMaxPool2d as GlobalMaxPool2d,
    GlobalMaxPool3d as GlobalMaxPool3d,
)
from ._attention import (
    MultiHeadAttention as MultiHeadAttention,
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
from ._convolution import (
    Conv1d as Conv1d,
    Conv2d as Conv2d,
    Conv3d as Conv3d,
    ConvTranspose1d as ConvTranspose1d,
    ConvTranspose2d as ConvTranspose2d,
    ConvTranspose3d as ConvTranspose3d,
)
from ._distances import (
    cosine_similarity as cosine_similarity,
    normalize as normalize,
    pairwise_distance as pairwise_distance,
)
from ._dropout import (
    AlphaDropout as AlphaDropout,
    Dropout as Dropout,
    Dropout1d as Dropout1d,
    Dropout2d as Dropout2d,
    Dropout3d as Dropout3d,
    FeatureAlphaDropout as FeatureAlphaDropout,
)
from ._embedding import (
    Embedding as Embedding,
    EmbeddingBag as EmbeddingBag,
    LearnedPositions as LearnedPositions,
    alibi as alibi,
    rotary as rotary,
    sinusoidal_positions as sinusoidal_positions,
)
from ._gated_units import (
    geglu as geglu,
    glu as glu,
    reglu as reglu,
    swiglu as swiglu,
)
from ._layer import (
    Layer as Layer,
    Parameter as Parameter,
)
from ._linear import (
    Bilinear as Bilinear,
    Linear as Linear,
)
from ._norms import (
    BatchNorm as BatchNorm,
    BatchNorm1d as BatchNorm1d,
    BatchNorm2d as BatchNorm2d,
    BatchNorm3d as BatchNorm3d,
    GroupNorm as GroupNorm,
    InstanceNorm as InstanceNorm,
    InstanceNorm1d as InstanceNorm1d,
    InstanceNorm2d as InstanceNorm2d,
    InstanceNorm3d as InstanceNorm3d,
    LayerNorm as LayerNorm,
    LocalResponseNorm as LocalResponseNorm,
    RMSNorm as RMSNorm,
)
from ._pooling import (
    AvgPool1d as AvgPool1d,
    AvgPool2d as AvgPool2d,
    AvgPool3d as AvgPool3d,
    LPPool1d as LPPool1d,
    LPPool2d as LPPool2d,
    LPPool3d as LPPool3d,
    MaxPool1d as MaxPool1d,
    MaxPool2d as MaxPool2d,
    MaxPool3d as MaxPool3d,
    MaxUnpool1d as MaxUnpool1d,
    MaxUnpool2d as MaxUnpool2d,
    MaxUnpool3d as MaxUnpool3d,
)
from ._recurrent import (
    GRU as GRU,
    LSTM as LSTM,
    RNN as RNN,
    Bidirectional as Bidirectional,
    GRUCell as GRUCell,
    LSTMCell as LSTMCell,
    Recurrent as Recurrent,
    RNNCell as RNNCell,
)
from ._reparametrized import (
    LoRA as LoRA,
    SpectralNorm as SpectralNorm,
    WeightNorm as WeightNorm,
)
from ._scaled_matmul import scaled_matmul as scaled_matmul
from ._scope import Scope as Scope
from ._shapes import (
    ChannelShuffle as ChannelShuffle,
    Flatten as Flatten,
    Fold as Fold,
    Identity as Identity,
    Pad as Pad,
    PixelShuffle as PixelShuffle,
    PixelUnshuffle as PixelUnshuffle,
    Unflatten as Unflatten,
    Unfold as Unfold,
    Upsample as Upsample,
)
from ._softmax import (
    gumbel_softmax as gumbel_softmax,
    log_softmax as log_softmax,
    logmeanexp as logmeanexp,
    logsumexp as logsumexp,
    one_hot as one_hot,
    softmax as softmax,
    softmin as softmin,
    standardize as standardize,
)
from ._summary import summary as summary
from ._transformer import (
    Transformer as Transformer,
    TransformerDecoder as TransformerDecoder,
    TransformerDecoderLayer as TransformerDecoderLayer,
    TransformerEncoder as TransformerEncoder,
    TransformerEncoderLayer as TransformerEncoderLayer,
)

if not _TYPE_CHECKING:
    from . import _names

    __getattr__ = _names.missing
