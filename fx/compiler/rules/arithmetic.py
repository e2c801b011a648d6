"""Arithmetic: neutral elements, signs, powers, divisions by powers of two.

Sources of what is exact: IEEE 754-2019. x - y is defined as x + (-y); a product or quotient has the exclusive or
of the signs; x + 0.0 turns -0.0 into 0.0, x - 0.0 and x + -0.0 give x; scaling by a power of two and dividing by
its inverse round the same real number.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.errstate import quiet
from ...core.program import Equation
from ...core.structure import Literal
from ...primitives import elementwise as ew
from ..rewriting import Atom, Rewriter, Rules, is_zero, like
from .constants import everywhere
from .signs import no_negative_zero, without_sign

Found = Equation | Atom | None


def _add(at: Rewriter, eqn: Equation) -> Found:
    x, y = eqn.inputs
    if type(x) is Literal:
        x, y = y, x
    if type(y) is Literal:
        return _add_number(at, eqn, x, y)
    minus = at.maker(y, ew.neg)
    if minus is not None:
        return like(eqn, ew.sub, (x, minus.inputs[0]))
    minus = at.maker(x, ew.neg)
    return None if minus is None else like(eqn, ew.sub, (y, minus.inputs[0]))


def _add_number(at: Rewriter, eqn: Equation, x: Atom, c: Literal) -> Found:
    if c.value == 0:
        exact = x.aval.dtype.kind in "biu" or (x.aval.dtype.kind in "fV" and not is_zero(c.value))
        if exact or no_negative_zero(at, x):
            return x
    minus = at.maker(x, ew.neg)
    if minus is not None:
        return like(eqn, ew.sub, (c, minus.inputs[0]))
    return _joined(at, eqn, x, c)


def _sub(at: Rewriter, eqn: Equation) -> Found:
    x, y = eqn.inputs
    kind = eqn.outputs[0].aval.dtype.kind
    if type(y) is Literal and y.value == 0 and kind != "c":
        if kind in "iu" or is_zero(y.value) or no_negative_zero(at, x):
            return x
    elif type(x) is Literal and x.value == 0 and kind in "ifV":
        if kind == "i" or not is_zero(x.value):
            return like(eqn, ew.neg, (y,))
    elif x is y and kind in "iu":
        return everywhere(0, eqn)
    minus = at.maker(y, ew.neg)
    return None if minus is None else like(eqn, ew.add, (x, minus.inputs[0]))


def _neg(at: Rewriter, eqn: Equation) -> Found:
    (x,) = eqn.inputs
    made = at.made.get(x)
    if made is None:
        return None
    prim, inputs = made.primitive, made.inputs
    if prim is ew.neg:
        return inputs[0]
    if prim is ew.sub and x.aval.dtype.kind in "iu":
        return like(eqn, ew.sub, (inputs[1], inputs[0]))
    if prim in (ew.mul, ew.div) and at.private(x):
        for i, c in enumerate(inputs):
            if type(c) is Literal:
                other = (*inputs[:i], negative(c), *inputs[i + 1 :])
                return like(eqn, prim, other)
    return None


def negative(c: Literal) -> Literal:
    with quiet():
        return Literal(-c.value, c.aval)


def _mul(at: Rewriter, eqn: Equation) -> Found:
    x, y = eqn.inputs
    if type(x) is Literal:
        x, y = y, x
    if type(y) is Literal:
        return _mul_number(at, eqn, x, y)
    return _signs(at, eqn)


def _mul_number(at: Rewriter, eqn: Equation, x: Atom, c: Literal) -> Found:
    kind, value = c.dtype.kind, c.value
    if value == 1 and kind != "c":
        return x
    if value == 0 and kind in "biu":
        return everywhere(0, eqn)
    if value == -1 and kind in "ifV":
        return like(eqn, ew.neg, (x,))
    minus = at.maker(x, ew.neg)
    if minus is not None:
        return like(eqn, ew.mul, (minus.inputs[0], negative(c)))
    return _joined(at, eqn, x, c)


def _joined(at: Rewriter, eqn: Equation, x: Any, c: Literal) -> Found:
    """(x + a) + b and (x * a) * b for integers, whose arithmetic is associative."""
    inner = at.maker(x, eqn.primitive)
    if inner is None or c.dtype.kind not in "iu":
        return None
    y, a = inner.inputs
    if type(y) is Literal:
        y, a = a, y
    if type(a) is not Literal or type(y) is Literal:
        return None
    with quiet():
        value = a.value + c.value if eqn.primitive is ew.add else a.value * c.value
    return like(eqn, eqn.primitive, (y, Literal(value, c.aval)))


def _signs(at: Rewriter, eqn: Equation) -> Found:
    """Signs of factors: two cancel; one goes outside where it may meet another."""
    x, y = eqn.inputs
    of_x, of_y = at.maker(x, ew.neg), at.maker(y, ew.neg)
    if of_x is not None and of_y is not None:
        return like(eqn, eqn.primitive, (of_x.inputs[0], of_y.inputs[0]))
    found = of_x or of_y
    if found is None or type(x) is Literal or type(y) is Literal:
        return None
    v = found.outputs[0]
    if not at.private(v) or v.aval.shape != eqn.outputs[0].aval.shape:
        return None
    inner = (found.inputs[0], y) if of_x is not None else (x, found.inputs[0])
    return like(eqn, ew.neg, (at.emit(eqn.primitive, inner, {}, eqn.source),))


def _div(at: Rewriter, eqn: Equation) -> Found:
    x, y = eqn.inputs
    if eqn.outputs[0].aval.dtype.kind == "c":
        return None
    if type(y) is Literal:
        return _div_number(at, eqn, x, y)
    if type(x) is Literal:
        minus = at.maker(y, ew.neg)
        return None if minus is None else like(eqn, ew.div, (negative(x), minus.inputs[0]))
    return _signs(at, eqn)


def _div_number(at: Rewriter, eqn: Equation, x: Atom, c: Literal) -> Found:
    if c.value == 1:
        return x
    if c.value == -1:
        return like(eqn, ew.neg, (x,))
    inverse = _exact_inverse(c)
    if inverse is not None:
        return like(eqn, ew.mul, (x, inverse))
    minus = at.maker(x, ew.neg)
    return None if minus is None else like(eqn, ew.div, (minus.inputs[0], negative(c)))


def _exact_inverse(c: Literal) -> Literal | None:
    """1/c if it is exact: c is a power of two whose inverse is in range."""
    value = float(c.value)
    if not math.isfinite(value) or value == 0 or abs(math.frexp(value)[0]) != 0.5:
        return None
    with quiet():
        inverse = c.dtype.type(1 / value) if abs(value) > 1e-300 else c.dtype.type(np.inf)
    exact = math.isfinite(float(inverse)) and float(inverse) * value == 1
    return Literal(inverse, c.aval) if exact else None


def _integer_pow(at: Rewriter, eqn: Equation) -> Found:
    (x,), n = eqn.inputs, eqn.params["n"]
    if n == 0:
        return everywhere(1, eqn) if x.aval.dtype.kind != "c" else None
    if n == 1:
        return x
    return like(eqn, ew.mul, (x, x)) if n == 2 and x.aval.dtype.kind != "c" else None


def _pow(at: Rewriter, eqn: Equation) -> Found:
    """Powers of two, one, zero, minus one: rounded correctly, where a general power is within an ulp."""
    x, y = eqn.inputs
    if type(y) is not Literal or x.aval.dtype.kind == "c" or x.aval.shape != eqn.outputs[0].aval.shape:
        return None
    if y.value == 0:
        return everywhere(1, eqn)
    if y.value == 1:
        return x
    if y.value == 2:
        return like(eqn, ew.mul, (x, x))
    return like(eqn, ew.div, (Literal(1, y.aval), x)) if y.value == -1 and y.dtype.kind in "fV" else None


def _extremum(at: Rewriter, eqn: Equation) -> Found:
    x, y = eqn.inputs
    if x is y:
        return x
    if type(x) is Literal:
        x, y = y, x
    if type(y) is Literal and y.dtype.kind in "iufV":
        lowest = eqn.primitive is ew.maximum
        return x if y.value == _extreme(y.dtype, lowest) else None
    return None


def _extreme(dtype: Any, lowest: bool) -> Any:
    if dtype.kind in "fV":
        return -np.inf if lowest else np.inf
    info = np.iinfo(dtype)
    return info.min if lowest else info.max


def _abs(at: Rewriter, eqn: Equation) -> Found:
    (x,) = eqn.inputs
    if x.aval.dtype.kind in "fVu" and without_sign(at, x):
        return x
    minus = at.maker(x, ew.neg)
    return None if minus is None else like(eqn, ew.abs_, minus.inputs)


def _real(at: Rewriter, eqn: Equation) -> Found:
    return _part(at, eqn, 0)


def _imag(at: Rewriter, eqn: Equation) -> Found:
    return _part(at, eqn, 1)


def _part(at: Rewriter, eqn: Equation, i: int) -> Found:
    made = at.maker(eqn.inputs[0], ew.make_complex)
    part = None if made is None else made.inputs[i]
    return part if part is not None and part.aval.shape == eqn.outputs[0].aval.shape else None


def _involution(at: Rewriter, eqn: Equation) -> Found:
    made = at.maker(eqn.inputs[0], eqn.primitive)
    return None if made is None else made.inputs[0]


def _floor_div(at: Rewriter, eqn: Equation) -> Found:
    x, y = eqn.inputs
    return x if type(y) is Literal and y.value == 1 and y.dtype.kind in "iu" else None


def _mod(at: Rewriter, eqn: Equation) -> Found:
    _, y = eqn.inputs
    return everywhere(0, eqn) if type(y) is Literal and y.value == 1 and y.dtype.kind in "iu" else None


def _shift(at: Rewriter, eqn: Equation) -> Found:
    x, y = eqn.inputs
    return x if type(y) is Literal and y.value == 0 else None


RULES: Rules = {
    ew.add: (_add,),
    ew.sub: (_sub,),
    ew.neg: (_neg,),
    ew.mul: (_mul,),
    ew.div: (_div,),
    ew.integer_pow: (_integer_pow,),
    ew.power: (_pow,),
    ew.maximum: (_extremum,),
    ew.minimum: (_extremum,),
    ew.abs_: (_abs,),
    ew.real: (_real,),
    ew.imag: (_imag,),
    ew.conj: (_involution,),
    ew.floor_div: (_floor_div,),
    ew.mod: (_mod,),
    ew.fmod: (_mod,),
    ew.shift_left: (_shift,),
    ew.shift_right: (_shift,),
    ew.shift_right_logical: (_shift,),
}
