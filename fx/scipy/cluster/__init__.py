"""Vector quantization: `fx.scipy.cluster.vq`."""

from . import vq as vq
