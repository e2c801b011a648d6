"""Random numbers from explicit keys: for the same key, the numbers of `jax.random`.

    keys = fx.random.split(fx.random.key(0), 3)
    x = fx.random.normal(keys[0], (2, 3))

A key (uint32 of shape (2,)) and the arguments determine the draw: the same call gives the same numbers, on NumPy
and on CuPy, under `jit`, and under `vmap` over keys as in a loop over them. Split a key before it is used twice.
All functions can stand inside `grad`, `vmap`, `jit` and `checkpoint`; gradients flow to parameters and to permuted
or chosen arrays. Counts (poisson, binomial, multinomial) have derivative 0.

With `fx.config(check_keys=True)` a key that is drawn from twice, or split and drawn from, raises KeyReuseError, which
names the lines of the first and of the second use. `fold_in` does not use a key up, and `clone` makes one that may be
used besides. A traced function (of `jit`, `vmap`, loops, branches) that uses up a key that it is given, or closes over,
does so at every call.

What equals JAX (Threefry-2x32 with `jax_threefry_partitionable`, the default since JAX 0.5), compared with XLA on
a CPU that has fused multiply-adds:

    bit for bit, in every dtype
        key  split  fold_in  bits  randint  bernoulli  rademacher  geometric  categorical  permutation  choice
        uniform  normal (also complex)  truncated_normal  gumbel  exponential  laplace  logistic  rayleigh
        triangular  poisson  binomial  multinomial
        (but for choice with probabilities in float16 or bfloat16, which fx adds up in float32; the running sums of
        multinomial may round in another order)
    within one unit in the last place
        cauchy; in float32 also lognormal and pareto
    within two units in the last place
        lognormal, pareto, weibull_min, maxwell
    within two units in the last place, but for a few draws in a hundred (see below), in float32 and float64
        gamma, loggamma, beta, t, chisquare, generalized_normal, double_sided_maxwell
    within some units in the last place, but for the same few
        dirichlet, f, ball
    up to rounding
        wald, multivariate_normal, orthogonal

JAX's gamma draws take a reciprocal root from the processor: where that rounds in its own way, a rejection step
magnifies the last place. Gamma draws below the smallest normal number are kept where JAX gives 0; float16 and bfloat16
ones are drawn in float32 and rounded, so that they are others than JAX's.

XLA may round floats differently where it compiles a draw together with other code.

JAX's defaults depend on `jax_enable_x64`. Here `fx.config.default_float` stands for it: "float32" gives the draws
of JAX with its defaults, "float64" those with 64 bits enabled (default dtype, Python seeds of 64 bits,
probabilities). A dtype that is passed, and the dtype of an array, mean what they say in either case. Integer draws
and indices are int32, and bits uint32, unless a dtype is passed.
"""

from __future__ import annotations

from ..core import given as _given
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
from ._counts import binomial as binomial, multinomial as multinomial, poisson as poisson
from ._discrete import (
    bernoulli as bernoulli,
    geometric as geometric,
    rademacher as rademacher,
    randint as randint,
)
from ._gamma import (
    ball as ball,
    beta as beta,
    chisquare as chisquare,
    dirichlet as dirichlet,
    double_sided_maxwell as double_sided_maxwell,
    f as f,
    gamma as gamma,
    generalized_normal as generalized_normal,
    loggamma as loggamma,
    t as t,
)
from ._keys import (
    PRNGKey as PRNGKey,
    clone as clone,
    fold_in as fold_in,
    key as key,
    key_data as key_data,
    key_dtype as key_dtype,
    key_impl as key_impl,
    split as split,
    wrap_key_data as wrap_key_data,
)
from ._matrices import multivariate_normal as multivariate_normal, orthogonal as orthogonal
from ._reuse import KeyReuseError as KeyReuseError
from ._reuse_calls import watch as _watch
from ._stream import KeyStream as KeyStream, stream as stream

_given.provide(watch_keys=_watch)
