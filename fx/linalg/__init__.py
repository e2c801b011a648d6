"""`fx.linalg`: SciPy's linear algebra, batched, real and complex, with derivatives; iterative solvers.

Names and arguments are those of scipy.linalg and jax.scipy.linalg; docs/linalg.md says which derivative is taken where
a factorization leaves a choice, and what happens in degenerate cases. `overwrite_a` and its like are accepted and
without effect: arrays are immutable. `check_finite` looks for NaN and inf where values are known.
"""

from __future__ import annotations

from ..core.errors import LinAlgError as LinAlgError
from ..numpy.linalg import (
    cond as cond,
    matrix_rank as matrix_rank,
    slogdet as slogdet,
)
from ._eigenvalues import (
    eig as eig,
    eigh as eigh,
    eigh_tridiagonal as eigh_tridiagonal,
    eigvals as eigvals,
    eigvalsh as eigvalsh,
)
from ._equations import (
    cholesky_update as cholesky_update,
    householder_product as householder_product,
    lstsq as lstsq,
    norm as norm,
    pinv as pinv,
    solve_continuous_lyapunov as solve_continuous_lyapunov,
    solve_discrete_lyapunov as solve_discrete_lyapunov,
    solve_lyapunov as solve_lyapunov,
    solve_sylvester as solve_sylvester,
    tridiagonal_solve as tridiagonal_solve,
)
from ._functions import (
    coshm as coshm,
    cosm as cosm,
    expm as expm,
    expm_frechet as expm_frechet,
    fractional_matrix_power as fractional_matrix_power,
    funm as funm,
    logm as logm,
    powm as powm,
    signm as signm,
    sinhm as sinhm,
    sinm as sinm,
    sqrtm as sqrtm,
    tanhm as tanhm,
    tanm as tanm,
)
from ._iterative import bicgstab as bicgstab, cg as cg, fixed_point as fixed_point, gmres as gmres
from ._orthogonal import (
    null_space as null_space,
    orth as orth,
    polar as polar,
    qr as qr,
    qr_multiply as qr_multiply,
    svd as svd,
    svdvals as svdvals,
)
from ._schur import hessenberg as hessenberg, rsf2csf as rsf2csf, schur as schur
from ._special_matrices import (
    block_diag as block_diag,
    circulant as circulant,
    companion as companion,
    convolution_matrix as convolution_matrix,
    dft as dft,
    fiedler as fiedler,
    fiedler_companion as fiedler_companion,
    hadamard as hadamard,
    hankel as hankel,
    helmert as helmert,
    hilbert as hilbert,
    invhilbert as invhilbert,
    invpascal as invpascal,
    leslie as leslie,
    pascal as pascal,
    toeplitz as toeplitz,
)
from ._systems import (
    cho_factor as cho_factor,
    cho_solve as cho_solve,
    cholesky as cholesky,
    det as det,
    inv as inv,
    lu as lu,
    lu_factor as lu_factor,
    lu_solve as lu_solve,
    solve as solve,
    solve_triangular as solve_triangular,
)
