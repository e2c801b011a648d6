"""NumPy's functions on fx arrays: traced, differentiated, batched and compiled like everything in fx.

Names and signatures are those of NumPy 2 and the array API, without `out=`. Differences on purpose: arrays are
immutable; Python floats make `fx.config.default_float`, and integers that become inexact as well; results whose
size depends on values need known values or `size=`.
"""

from __future__ import annotations

import importlib as _importlib
import math as _math
import sys as _sys
import types as _types

from numpy.exceptions import ComplexWarning as ComplexWarning

from ..core import array as _array
from ._arithmetic import (
    abs as abs,
    absolute as absolute,
    add as add,
    cbrt as cbrt,
    divide as divide,
    divmod as divmod,
    fabs as fabs,
    float_power as float_power,
    floor_divide as floor_divide,
    fmax as fmax,
    fmin as fmin,
    fmod as fmod,
    maximum as maximum,
    minimum as minimum,
    mod as mod,
    multiply as multiply,
    negative as negative,
    positive as positive,
    pow as pow,
    power as power,
    reciprocal as reciprocal,
    remainder as remainder,
    sign as sign,
    sqrt as sqrt,
    square as square,
    subtract as subtract,
    true_divide as true_divide,
)
from ._bits import (
    bitwise_count as bitwise_count,
    packbits as packbits,
    unpackbits as unpackbits,
)
from ._contractions import (
    cross as cross,
    dot as dot,
    inner as inner,
    kron as kron,
    matmul as matmul,
    matvec as matvec,
    outer as outer,
    tensordot as tensordot,
    vdot as vdot,
    vecdot as vecdot,
    vecmat as vecmat,
)
from ._creation import (
    array as array,
    asanyarray as asanyarray,
    asarray as asarray,
    asarray_chkfinite as asarray_chkfinite,
    ascontiguousarray as ascontiguousarray,
    asfortranarray as asfortranarray,
    empty as empty,
    empty_like as empty_like,
    from_dlpack as from_dlpack,
    full as full,
    full_like as full_like,
    ones as ones,
    ones_like as ones_like,
    zeros as zeros,
    zeros_like as zeros_like,
)
from ._cumulative import (
    cumprod as cumprod,
    cumsum as cumsum,
    cumulative_prod as cumulative_prod,
    cumulative_sum as cumulative_sum,
)
from ._differences import (
    diff as diff,
    ediff1d as ediff1d,
    gradient as gradient,
    trapezoid as trapezoid,
    unwrap as unwrap,
)
from ._dtypes import (
    bfloat16 as bfloat16,
    bool as bool,
    bool_ as bool_,
    byte as byte,
    can_cast as can_cast,
    cdouble as cdouble,
    character as character,
    common_type as common_type,
    complex64 as complex64,
    complex128 as complex128,
    complex_ as complex_,
    complexfloating as complexfloating,
    csingle as csingle,
    double as double,
    dtype as dtype,
    finfo as finfo,
    flexible as flexible,
    float4_e2m1fn as float4_e2m1fn,
    float6_e2m3fn as float6_e2m3fn,
    float6_e3m2fn as float6_e3m2fn,
    float8_e3m4 as float8_e3m4,
    float8_e4m3 as float8_e4m3,
    float8_e4m3b11fnuz as float8_e4m3b11fnuz,
    float8_e4m3fn as float8_e4m3fn,
    float8_e4m3fnuz as float8_e4m3fnuz,
    float8_e5m2 as float8_e5m2,
    float8_e5m2fnuz as float8_e5m2fnuz,
    float8_e8m0fnu as float8_e8m0fnu,
    float16 as float16,
    float32 as float32,
    float64 as float64,
    float_ as float_,
    floating as floating,
    generic as generic,
    half as half,
    iinfo as iinfo,
    inexact as inexact,
    int1 as int1,
    int2 as int2,
    int4 as int4,
    int8 as int8,
    int16 as int16,
    int32 as int32,
    int64 as int64,
    int_ as int_,
    intc as intc,
    integer as integer,
    intp as intp,
    isdtype as isdtype,
    issubdtype as issubdtype,
    longlong as longlong,
    min_scalar_type as min_scalar_type,
    number as number,
    object_ as object_,
    promote_types as promote_types,
    result_type as result_type,
    short as short,
    signedinteger as signedinteger,
    single as single,
    ubyte as ubyte,
    uint as uint,
    uint1 as uint1,
    uint2 as uint2,
    uint4 as uint4,
    uint8 as uint8,
    uint16 as uint16,
    uint32 as uint32,
    uint64 as uint64,
    uintc as uintc,
    uintp as uintp,
    ulonglong as ulonglong,
    unsignedinteger as unsignedinteger,
    ushort as ushort,
)
from ._einsum import (
    einsum as einsum,
    einsum_path as einsum_path,
)
from ._elementary import (
    acos as acos,
    acosh as acosh,
    arccos as arccos,
    arccosh as arccosh,
    arcsin as arcsin,
    arcsinh as arcsinh,
    arctan as arctan,
    arctan2 as arctan2,
    arctanh as arctanh,
    asin as asin,
    asinh as asinh,
    atan as atan,
    atan2 as atan2,
    atanh as atanh,
    cos as cos,
    cosh as cosh,
    deg2rad as deg2rad,
    degrees as degrees,
    exp as exp,
    exp2 as exp2,
    expm1 as expm1,
    hypot as hypot,
    i0 as i0,
    log as log,
    log1p as log1p,
    log2 as log2,
    log10 as log10,
    logaddexp as logaddexp,
    logaddexp2 as logaddexp2,
    rad2deg as rad2deg,
    radians as radians,
    sin as sin,
    sinc as sinc,
    sinh as sinh,
    tan as tan,
    tanh as tanh,
)
from ._files import (
    frombuffer as frombuffer,
    fromfile as fromfile,
    fromiter as fromiter,
    fromstring as fromstring,
    genfromtxt as genfromtxt,
    load as load,
    loadtxt as loadtxt,
    save as save,
    savetxt as savetxt,
    savez as savez,
    savez_compressed as savez_compressed,
)
from ._functional import (
    apply_along_axis as apply_along_axis,
    apply_over_axes as apply_over_axes,
    choose as choose,
    piecewise as piecewise,
    select as select,
    vectorize as vectorize,
)
from ._grids import (
    c_ as c_,
    index_exp as index_exp,
    ix_ as ix_,
    mgrid as mgrid,
    ogrid as ogrid,
    r_ as r_,
    s_ as s_,
)
from ._histograms import (
    bincount as bincount,
    digitize as digitize,
    histogram as histogram,
    histogram2d as histogram2d,
    histogram_bin_edges as histogram_bin_edges,
    histogramdd as histogramdd,
)
from ._info import (
    __array_namespace_info__ as __array_namespace_info__,
)
from ._interpolation import (
    convolve as convolve,
    correlate as correlate,
    interp as interp,
)
from ._joining import (
    array_split as array_split,
    block as block,
    column_stack as column_stack,
    concat as concat,
    concatenate as concatenate,
    dsplit as dsplit,
    dstack as dstack,
    hsplit as hsplit,
    hstack as hstack,
    split as split,
    stack as stack,
    unstack as unstack,
    vsplit as vsplit,
    vstack as vstack,
)
from ._logic import (
    allclose as allclose,
    array_equal as array_equal,
    array_equiv as array_equiv,
    bitwise_and as bitwise_and,
    bitwise_invert as bitwise_invert,
    bitwise_left_shift as bitwise_left_shift,
    bitwise_not as bitwise_not,
    bitwise_or as bitwise_or,
    bitwise_right_shift as bitwise_right_shift,
    bitwise_xor as bitwise_xor,
    equal as equal,
    greater as greater,
    greater_equal as greater_equal,
    invert as invert,
    isclose as isclose,
    iscomplex as iscomplex,
    iscomplexobj as iscomplexobj,
    isfinite as isfinite,
    isinf as isinf,
    isnan as isnan,
    isneginf as isneginf,
    isposinf as isposinf,
    isreal as isreal,
    isrealobj as isrealobj,
    isscalar as isscalar,
    left_shift as left_shift,
    less as less,
    less_equal as less_equal,
    logical_and as logical_and,
    logical_not as logical_not,
    logical_or as logical_or,
    logical_xor as logical_xor,
    not_equal as not_equal,
    right_shift as right_shift,
    signbit as signbit,
)
from ._matrices import (
    diag as diag,
    diag_indices as diag_indices,
    diag_indices_from as diag_indices_from,
    diagflat as diagflat,
    eye as eye,
    fill_diagonal as fill_diagonal,
    identity as identity,
    trace as trace,
    tri as tri,
    tril as tril,
    tril_indices as tril_indices,
    tril_indices_from as tril_indices_from,
    triu as triu,
    triu_indices as triu_indices,
    triu_indices_from as triu_indices_from,
    vander as vander,
)
from ._methods import METHODS as _METHODS
from ._nan import (
    nanargmax as nanargmax,
    nanargmin as nanargmin,
    nancumprod as nancumprod,
    nancumsum as nancumsum,
    nanmax as nanmax,
    nanmean as nanmean,
    nanmin as nanmin,
    nanprod as nanprod,
    nanstd as nanstd,
    nansum as nansum,
    nanvar as nanvar,
)
from ._padding import (
    pad as pad,
)
from ._parts import (
    angle as angle,
    around as around,
    ceil as ceil,
    clip as clip,
    conj as conj,
    conjugate as conjugate,
    copysign as copysign,
    fix as fix,
    floor as floor,
    frexp as frexp,
    gcd as gcd,
    heaviside as heaviside,
    imag as imag,
    lcm as lcm,
    ldexp as ldexp,
    modf as modf,
    nan_to_num as nan_to_num,
    nextafter as nextafter,
    real as real,
    real_if_close as real_if_close,
    rint as rint,
    round as round,
    spacing as spacing,
    trunc as trunc,
    where as where,
)
from ._placing import (
    mask_indices as mask_indices,
    place as place,
    put as put,
    putmask as putmask,
)
from ._polynomials import (
    poly as poly,
    polyadd as polyadd,
    polyder as polyder,
    polydiv as polydiv,
    polyfit as polyfit,
    polyint as polyint,
    polymul as polymul,
    polysub as polysub,
    polyval as polyval,
    roots as roots,
)
from ._quantiles import (
    median as median,
    nanmedian as nanmedian,
    nanpercentile as nanpercentile,
    nanquantile as nanquantile,
    percentile as percentile,
    quantile as quantile,
)
from ._ranges import (
    arange as arange,
    fromfunction as fromfunction,
    geomspace as geomspace,
    indices as indices,
    linspace as linspace,
    logspace as logspace,
    meshgrid as meshgrid,
)
from ._reductions import (
    all as all,
    amax as amax,
    amin as amin,
    any as any,
    argmax as argmax,
    argmin as argmin,
    average as average,
    count_nonzero as count_nonzero,
    max as max,
    mean as mean,
    min as min,
    prod as prod,
    ptp as ptp,
    std as std,
    sum as sum,
    var as var,
)
from ._repeating import (
    append as append,
    delete as delete,
    insert as insert,
    repeat as repeat,
    resize as resize,
    tile as tile,
    trim_zeros as trim_zeros,
)
from ._searching import (
    argwhere as argwhere,
    compress as compress,
    extract as extract,
    flatnonzero as flatnonzero,
    isin as isin,
    nonzero as nonzero,
    ravel_multi_index as ravel_multi_index,
    unravel_index as unravel_index,
)
from ._sets import (
    intersect1d as intersect1d,
    setdiff1d as setdiff1d,
    setxor1d as setxor1d,
    union1d as union1d,
    unique as unique,
    unique_all as unique_all,
    unique_counts as unique_counts,
    unique_inverse as unique_inverse,
    unique_values as unique_values,
)
from ._shapes import (
    astype as astype,
    atleast_1d as atleast_1d,
    atleast_2d as atleast_2d,
    atleast_3d as atleast_3d,
    broadcast_arrays as broadcast_arrays,
    broadcast_shapes as broadcast_shapes,
    broadcast_to as broadcast_to,
    copy as copy,
    diagonal as diagonal,
    expand_dims as expand_dims,
    flip as flip,
    fliplr as fliplr,
    flipud as flipud,
    matrix_transpose as matrix_transpose,
    moveaxis as moveaxis,
    ndim as ndim,
    permute_dims as permute_dims,
    ravel as ravel,
    reshape as reshape,
    roll as roll,
    rollaxis as rollaxis,
    rot90 as rot90,
    shape as shape,
    size as size,
    squeeze as squeeze,
    swapaxes as swapaxes,
    transpose as transpose,
)
from ._sorting import (
    argpartition as argpartition,
    argsort as argsort,
    lexsort as lexsort,
    partition as partition,
    searchsorted as searchsorted,
    sort as sort,
    sort_complex as sort_complex,
)
from ._statistics import (
    corrcoef as corrcoef,
    cov as cov,
)
from ._text import (
    array2string as array2string,
    array_repr as array_repr,
    array_str as array_str,
    base_repr as base_repr,
    binary_repr as binary_repr,
    format_float_positional as format_float_positional,
    format_float_scientific as format_float_scientific,
    get_printoptions as get_printoptions,
    iterable as iterable,
    printoptions as printoptions,
    set_printoptions as set_printoptions,
)
from ._ufuncs import (
    attach_methods as _attach_methods,
    frompyfunc as frompyfunc,
    ufunc as ufunc,
)
from ._windows import (
    bartlett as bartlett,
    blackman as blackman,
    hamming as hamming,
    hanning as hanning,
    kaiser as kaiser,
)
from .indexing import (
    put_along_axis as put_along_axis,
    take as take,
    take_along_axis as take_along_axis,
)

pi, e, euler_gamma = _math.pi, _math.e, 0.57721566490153286060651209008240243
inf, nan = _math.inf, _math.nan
newaxis = None
ndarray = _array.Array

__array_api_version__ = "2025.12"


def _adopt() -> None:
    """Give every public function the name under which users know it."""
    for value in list(globals().values()):
        if isinstance(value, _types.FunctionType) and value.__module__.startswith(__name__ + "._"):
            value.__module__ = __name__
    for function in (take, take_along_axis, put_along_axis):
        function.__module__ = __name__


_adopt()
_attach_methods()
_array.install(_METHODS, _sys.modules[__name__])


def __getattr__(name: str) -> _types.ModuleType:
    """`fx.numpy.fft` and `fx.numpy.linalg` are imported when first used."""
    if name in ("fft", "linalg"):
        return _importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'fx.numpy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "fft", "linalg"})
