"""Random numbers from explicit keys: for the same key, the numbers of `jax.random`.

    keys = fx.random.split(fx.random.key(0), 3)
    x = fx.random.normal(keys[0], (2, 3))

A key (uint32 of shape (2,)) and the arguments determine the draw: the same call gives the same numbers, on NumPy
and on CuPy, under `jit`, and under `vmap` over keys as in a loop over them. Split a key before it is used twice.
All functions can stand inside `grad`, `vmap`, `jit` and `checkpoint`; gradients flow to parameters and to permuted
or chosen arrays.

What equals JAX (Threefry-2x32 with `jax_threefry_partitionable`, the default since JAX 0.5), compared with XLA on
a CPU that has fused multiply-adds:

    bit for bit, in every dtype
        key  split  fold_in  bits  randint  bernoulli  rademacher  geometric  categorical  permutation  choice
        uniform  normal (also complex)  truncated_normal  gumbel  exponential  laplace  logistic  rayleigh
        triangular
        (but for choice with probabilities in float16 or bfloat16, which fx adds up in float32)
    within one unit in the last place
        cauchy; in float32 also lognormal and pareto
    within two units in the last place
        lognormal, pareto, weibull_min, maxwell
    up to rounding
        wald, multivariate_normal, orthogonal

XLA may round floats differently where it compiles a draw together with other code.

JAX's defaults depend on `jax_enable_x64`. Here `fx.config.default_float` stands for it: "float32" gives the draws
of JAX with its defaults, "float64" those with 64 bits enabled (default dtype, Python seeds of 64 bits,
probabilities). A dtype that is passed, and the dtype of an array, mean what they say in either case. Integer draws
and indices are int32, and bits uint32, unless a dtype is passed.
"""

from __future__ import annotations

from ._bits import bits as bits, uniform as uniform
from ._choosing import categorical as categorical, choice as choice, permutation as permutation
from ._continuous import (
    cauchy as cauchy,
    exponential as exponential,
    gumbel as gumbel,
    laplace as laplace,
    logistic as logistic,
    lognormal as lognormal,
    maxwell as maxwell,
    normal as normal,
    pareto as pareto,
    rayleigh as rayleigh,
    triangular as triangular,
    truncated_normal as truncated_normal,
    wald as wald,
    weibull_min as weibull_min,
)
from ._discrete import (
    bernoulli as bernoulli,
    geometric as geometric,
    rademacher as rademacher,
    randint as randint,
)
from ._keys import (
    PRNGKey as PRNGKey,
    clone as clone,
    fold_in as fold_in,
    key as key,
    key_data as key_data,
    key_impl as key_impl,
    split as split,
    stream as stream,
    wrap_key_data as wrap_key_data,
)
from ._matrices import multivariate_normal as multivariate_normal, orthogonal as orthogonal
