"""10,000 malformed calls on the whole public surface: each succeeds or raises one of fx's documented errors.

A call is a Python expression, put together from a public name and argument texts; arguments suit the name of their
parameter or come from a pool of values that suit nothing. A failure prints the expression, which is its own
reproducer: `eval(text, namespace())`. FX_FUZZ=1 makes a hundred thousand from a seed that changes daily.
"""

import contextlib
import dataclasses
import datetime
import enum
import inspect
import io
import math
import operator
import os
import random
import re
import resource
import signal
import types
import warnings

import numpy as np
import pytest

import fx
from fx.core.config import settings
from fx.core.trace import current_trace
from fx.numpy._methods import METHODS

CALLS = 10_000
SECONDS = 10
"""A call that takes longer hangs."""
MEMORY = 3 << 30
"""Bytes that a call may get; more is refused by the system, as on a full machine."""

SIGNATURE = re.compile(
    r"missing \d+ required|positional arguments? but|unexpected keyword|multiple values for|positional-only"
    r"|takes no (keyword )?arguments|expected (at most |at least |exactly )?\d+ argument"
    r"|takes exactly|takes at (most|least)"
)
"""What Python says of a call that does not fit a signature; the one TypeError that is not fx's."""


# The values


def namespace(folder=""):
    """The names that the texts of calls use. Arrays are made anew where a call asks for them; FILE is in the folder."""
    leaked = []
    fx.grad(lambda x: (leaked.append(x), x)[1])(1.0)
    cycle = [1.0]
    cycle.append(cycle)
    deep = 1.0
    for _ in range(5000):
        deep = [deep]

    class Thing:
        def __repr__(self):
            return "Thing()"

    file = os.path.join(folder, "tree.npz")
    if folder:
        fx.io.save(file, {"w": fx.numpy.ones(3), "b": [fx.numpy.zeros(2), 7]})

    return {
        "FILE": file,
        "fx": fx,
        "np": np,
        "math": math,
        "datetime": datetime,
        "operator": operator,
        "A": lambda *shape, dtype="float32": fx.numpy.asarray(_ramp(shape, dtype)),
        "H": lambda *shape, dtype="float32": _ramp(shape, dtype),
        "KEY": fx.random.key(0),
        "LEAKED": leaked[0],
        "CYCLE": cycle,
        "DEEP": deep,
        "Thing": Thing,
        "MATRIX": _matrix(),
        "method": lambda receiver, name, *args, **kwargs: getattr(receiver, name)(*args, **kwargs),
        "gen": lambda: (i for i in range(3)),
        "used": _used,
    }


def _used(value):
    """What factories make, at work: an optimizer makes two steps, a schedule tells a rate, a transform an image."""
    if isinstance(value, fx.optim.Optimizer):
        params = {"w": fx.numpy.ones((2, 3)), "b": fx.numpy.zeros(3)}
        loss = lambda p: fx.numpy.sum(p["w"] ** 2) + fx.numpy.sum(p["b"])
        extra = {
            "value": loss(params),
            "grad": params,
            "value_fn": loss,
            "obj_fn": loss,
            "grad_fn": fx.grad(loss),
        }
        state = value.init(params)
        for _ in range(2):
            _, state = value.update(params, state, params, **extra)
    elif isinstance(value, fx.metrics.Metric):
        value.of(fx.numpy.ones((4, 3)), fx.numpy.zeros(4, "int32"))
    elif dataclasses.is_dataclass(value) and type(value).__module__ == "fx.data.transforms":
        value(fx.random.key(0), fx.numpy.ones((8, 8, 3)))
    elif hasattr(value, "__getitem__") and type(value).__module__.startswith("fx.data"):
        value[0] if len(value) else None
    elif inspect.isfunction(value) and value.__qualname__.endswith("_schedule.<locals>.schedule"):
        value(3)
    return value


def _matrix():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy would rather not have matrices
        return np.matrix([[1.0, 2.0]])


def _ramp(shape, dtype):
    count = math.prod(shape)
    return ((np.arange(count) % 7) - 2).reshape(shape).astype(dtype)


ARRAYS = """
A(3) A(2,3) A(3,3) A() A(1) A(0) A(2,0) A(4,3,3) A(3,dtype='int32') A(2,3,dtype='bool')
A(3,3,dtype='complex64') A(3,3,dtype='float64') A(2,3,dtype='float16') A(5,dtype='uint8') H(3) H(3,3)
H(2,3,dtype='int64') 1.5 2 True 1j -3 A(3)*math.nan A(3,3)*math.inf fx.numpy.zeros((3,3)) fx.numpy.arange(3)
[1.0,2.0,3.0]
""".split()

BAD = """
None 'text' b'bytes' object() Thing() Thing int float type [] () {} [[1,2],[3]] [1,'a'] [[1.0,None]]
{'a':1.0} {1,2} gen() iter([1]) CYCLE DEEP LEAKED ... print len lambda:0 slice(None) range(3) range(10**5)
fx np 2**31 2**40 2**63 2**64 10**30 -1 -(2**70) 99 math.nan math.inf -math.inf 1e308 -0.0 0 1+2j True False
(2**40,) (2**62,2**62) (2**31,2**31) (-1,) (-1,-1) (0,0) (1.5,) ('a',) (None,) ((1,2),3) (1,)*70 (0,)*40
(2,)*65 (True,) H(3,dtype='O') np.array(['a','b']) np.array([None,1.0]) np.array('2020','M8[D]')
np.array([(1,2.0)],'i4,f4') np.array(3,'O') np.array(5,'m8[s]') np.longdouble(1) np.ma.masked MATRIX
np.float64(3) np.str_('a') np.datetime64('NaT') np.void(b'12') np.empty((0,3)) np.empty((1,)*40)
H(3,dtype='>f4') H(9)[::-2] np.broadcast_to(np.float32(1),(2,3)) bytearray(b'ab') memoryview(b'abcd')
datetime.date(2020,1,1) complex('nan') 'float99' 'int32' np.dtype('O') np.dtype('U3') np.float32 np.add
'i,j->k' 'ij,jk->ik' '...' A(3).at A(3).at[0] fx.numpy fx.ShapeDtype((3,),'float32')
fx.tree.structure([1,2]) fx.grad fx.Array KEY [A(3),A(2)] (A(3),'x') {'w':A(3),'b':None} [LEAKED]
{'x':CYCLE} A(3,dtype='bool') A(2,2,2,2,2) A(7,11) A(0,0) A(3,dtype='int8')*100 '' '\\x00' 'gpu' 'cpu:x'
'nope:0' ('a','b') [[]] [[],[1]] [()]
""".split()

CALLABLES = {
    "Thing",
    "int",
    "float",
    "type",
    "print",
    "len",
    "lambda:0",
    "np.float32",
    "np.add",
    "fx.grad",
    "fx.Array",
}
NO_FUNCTIONS = [value for value in BAD if value not in CALLABLES]
"""What a function of the caller raises is the caller's own."""

INDICES = """
0 -1 99 -99 None ... True False slice(None) slice(1) slice(None,None,-1) slice(None,None,0) slice('a')
slice(1.5) slice(2**70) slice(A(3),2) (0,0) (0,0,0,0) (...,...) (None,)*70 [0,1] [0,99] [0.5] [[0,1],[1]]
[True,False] [True]*9 A(3,dtype='int32') A(3) A(2,3,dtype='bool') A(3,dtype='bool') H(2,dtype='int64')
H(2,dtype='O') 'a' 1.5 1j {} {'a':1} object() LEAKED (0,LEAKED) (0,'a') (slice(None),[0,1],None,[0]) () []
(0,[]) 2**70 -2**70 np.int8(1) np.array([],'int64') np.array([],'float64') np.array('2020','M8[D]') A()
A(dtype='int32') A(dtype='bool') range(2) gen() CYCLE fx KEY
""".split()

FUNCTIONS = """
(lambda*a:a[0]if(a)else(1.0)) (lambda*a:a) (lambda*a:None) (lambda*a:'text') (lambda*a:object())
(lambda*a:1.0) (lambda*a:fx.numpy.multiply(a[-1]if(a)else(1.0),2))
(lambda*a:fx.numpy.sum(fx.numpy.asarray(a[0]if(a)else(0.5)))) (lambda*a:[a,a])
(lambda*a:(a[0]if(a)else(0.5),a)) (lambda*a:fx.numpy.sin(a[0]if(a)else(0.5))) (lambda*a:LEAKED)
(lambda*a:CYCLE) (lambda*a:{'a':a}) (lambda*a:True) (lambda*a:fx.numpy.zeros(3)) (lambda*a:H(3,dtype='O'))
fx.numpy.sin fx.numpy.sum fx.numpy.add
""".split()

CONDITIONS = "(lambda*a:False) (lambda*a:None) (lambda*a:'text') (lambda*a:1.0) (lambda*a:LEAKED) 3".split()
"""For while_loop, without those that stay true."""

LENGTHS = "-1 0 3 1.5 None 'a' A() True [] LEAKED {1,2}".split()
"""For loops: a huge one is no mistake."""

FLAGS = "True False 0 1 None 'text' [] object()".split()
"""Flags are taken by their truth; what an array says of its own truth is not fx's word."""

GOOD = [
    (r"^(ax(is|es)|dims?|axis1|axis2|source|destination|batch_axis)", "0 1 -1 None (0,1) (0,) 2 -2".split()),
    (
        r"^(shape|sizes?|newshape|dimensions|reps|pad_width|repeats|shift)$",
        "(2,3) 4 () (3,3) 3 (0,) 1 (6,)".split(),
    ),
    (r"dtype", "None 'float32' 'int32' fx.numpy.float64 bool 'complex64' float int".split()),
    (r"^(key|keys|rng)$", ["KEY", "fx.random.key(1)", "fx.random.split(KEY,3)"]),
    (r"is_leaf", "None (lambda*a:True) (lambda*a:False) (lambda*a:None)".split()),
    (r"(^f$|fun|^fn$|^op$|body|branch|callable|callback|forward|predicate|activation)", FUNCTIONS),
    (
        r"^(num|n|m|k|count|length|N|M|ndmin|times|lower|upper|unroll|bins|minlength|deg|order|side)",
        "3 0 1 2 -1 None".split(),
    ),
    (r"device", ["None", "'cpu'"]),
    (r"^(A|M|bw_method|keep|schedules|update)$", [*FUNCTIONS, "A(3,3)", "None", "0.5", "[A(3,3)]"]),
    (
        r"^(learning_rate|weight_decay|.*_learning_rate)$",
        "0.1 1e-3 0 fx.optim.linear_schedule(1.0,0.0,3)".split(),
    ),
    (
        r"^(b1|b2|b3|eps.*|.*decay.*|.*_value|tol|rtol|atol|scale|alpha|beta|gamma|margin|momentum|probability)$",
        "0.9 0.5 0.0 1 None A() A(3)".split(),
    ),
    (
        r"^(inner|.*optimizer|optimizers|transforms)$",
        "fx.optim.sgd(0.1) fx.optim.adam(0.1) {'**':fx.optim.sgd(0.1)}".split(),
    ),
    (r"^(mask|.*_mask|param_labels)$", "None True {'w':True,'b':False} (lambda*a:True) (lambda*a:a)".split()),
    (r"^(boundaries.*|milestones)$", "{3:0.5} [1,2] (2,) {}".split()),
    (r"^(predictions|logits|scores|anchors|first|second|hidden)$", "A(4,3) A(2,3) A(3) A(4,3,3)".split()),
    (
        r"^(labels|targets)$",
        "H(4,dtype='int32')%2 A(4,3) A(2,3) A(3,dtype='int32') H(2,dtype='int64')".split(),
    ),
    (r"^(source|sources|examples|tree)$", "H(9) H(4,3) [1,2,3] fx.data.Arrays(H(4,3)) [{'x':1.0}]".split()),
    (r"^(path|paths|root)$", ["FILE", "'nowhere.npz'", "'nowhere'"]),
    (
        r"(mode|method|kind|ord|indexing)$",
        "'clip' 'fill' 'wrap' 'linear' 'constant' 'reduced' 'full' None 1 2 'fro'".split(),
    ),
    (
        r"(^tree$|params|state|grads|updates|carry|init|xs|operands?$)",
        [*ARRAYS, "{'w':A(3),'b':A()}", "[A(2),(A(3),None)]", "()"],
    ),
    (
        r"(arrays|tup|seq|operands|subscripts)",
        ["[A(3),A(3)]", "(A(2,3),A(2,3))", "'ij,jk->ik'", "'ii'", "A(2,3)", "[A(3)]"],
    ),
    (r"(in_axes|out_axes|argnums)", "0 (0,) None (0,None) 1 -1".split()),
    (r"(ind|index|where)", [*INDICES[:6], "[0,1]", "A(3,dtype='int32')", "A(3,dtype='bool')"]),
]

# The surface

SKIP = {
    "fx.lax.while_loop", "fx.lax.fori_loop",  # endless loops are no mistake; the templates call them
    "fx.config", "fx.numpy.set_printoptions", "fx.numpy.printoptions",  # settings of the process
    "fx.numpy.save", "fx.numpy.savez", "fx.numpy.savez_compressed", "fx.numpy.savetxt",  # they write files
    "fx.tree.register_node", "fx.tree.register_node_class", "fx.tree.register_node_with_keys",
    "fx.tree.register_static", "fx.tree.register_dataclass",  # types stay registered
    "fx.checkpoint_policies.dots_saveable", "fx.checkpoint_policies.dots_with_no_batch_dims_saveable",
    "fx.checkpoint_policies.checkpoint_dots", "fx.checkpoint_policies.checkpoint_dots_with_no_batch_dims",  # fx calls
    "fx.nn.Layer", "fx.nn.initializers.Initializer",  # protocols
    "fx.tree.TreeDef", "fx.Array", "fx.numpy.ndarray", "fx.Program",  # made by fx alone
    "fx.io.save", "fx.train.Checkpoint", "fx.train.CsvLog", "fx.train.JsonLog", "fx.train.TensorBoard",  # write files
    "fx.optim.Optimizer", "fx.optim.MultiSteps", "fx.stats.ModeResult",  # they hold what they are given
    "fx.data.Source", "fx.data.Sampler", "fx.train.Callback", "fx.metrics.Metric",  # protocols
    "fx.train.Progress", "fx.train.TrainState", "fx.train.Result", "fx.train.History",  # made by fx alone
    "fx.numpy.loadtxt",  # warns of files without numbers, as NumPy's
    "fx.train.fit",  # as many epochs as asked; the templates call it
}  # fmt: skip

NAMESPACES = """
fx fx.numpy fx.numpy.linalg fx.numpy.fft fx.lax fx.lax.linalg fx.random fx.tree fx.nn fx.nn.initializers
fx.losses fx.optim fx.optim.schedules fx.debug fx.checkpoint_policies fx.linalg fx.fft fx.signal
fx.signal.windows fx.image fx.ops fx.special fx.stats fx.metrics fx.data fx.data.transforms fx.train fx.io
fx.ode fx.scipy.optimize fx.scipy.interpolate fx.scipy.sparse.linalg fx.scipy.cluster.vq
""".split()

FLAT = {
    "fx.numpy.linalg", "fx.numpy.fft", "fx.debug", "fx.checkpoint_policies", "fx.nn.initializers",
    "fx.optim.schedules", "fx.signal.windows", "fx.data.transforms", "fx.lax.linalg", "fx.scipy.optimize",
    "fx.scipy.interpolate", "fx.scipy.cluster.vq",
}  # fmt: skip
"""Namespaces that are one file: what they import is not theirs."""

READERS = ("used(fx.data.", "fx.io.", "fx.numpy.fromfile(", "fx.numpy.genfromtxt(")
"""They raise FileNotFoundError where there is no file, and say so."""

MADE = ("fx.optim.", "fx.metrics.", "fx.data.")
"""What these namespaces make is used."""

TEMPLATES = """
fx.grad({f})({a}) fx.grad({f},{x})({a},{a}) fx.value_and_grad({f},has_aux={b})({a}) fx.jit({f})({a})
fx.jit({f},static_argnums={x})({a},{x}) fx.jit({f},donate_argnums={x})({a}) fx.vmap({f})({a})
fx.vmap({f},in_axes={x},out_axes={x})({a},{a}) fx.vmap({f},{x},axis_name={x},axis_size={x})({a})
fx.vjp({f},{a})[1]({x}) fx.vjp({f},{a},{a})[1]({a}) fx.linearize({f},{a})[1]({x})
fx.linear_transpose({f},{a})({x}) fx.jvp({f},({a},),({x},)) fx.jacfwd({f},{x})({a}) fx.jacrev({f})({a})
fx.hessian({f})({a}) fx.checkpoint({f},policy={x})({a}) fx.checkpoint({f})({x}) fx.hvp({f},({a},),({x},))
fx.grad(fx.vmap({f}))({a}) fx.vmap(fx.grad({f}))({a}) fx.jit(fx.grad({f}))({x}) fx.eval_shape({f},{x})
fx.make_program({f})({x}) fx.residuals({f},{x}) fx.vmap(lambda*a:{op},in_axes={x})({a},{a})
fx.grad(lambda*a:{op})({a}) fx.jit(lambda*a:{op})({a},{a}) fx.jit(lambda*a:bool(a[0]))({r})
fx.jit(lambda*a:int(a[0]))({r}) fx.jit(lambda*a:range(a[0]))({r}) fx.vmap(lambda*a:list(a[0]))({r})
fx.jit(lambda*a:np.sin(a[0]))({r}) fx.lax.scan({f},{a},{x})
fx.lax.scan(lambda*c:(c[0],c[1]),{a},{x},length={n}) fx.lax.while_loop({w},{f},{x})
fx.lax.fori_loop({x},3,{f},{a}) fx.lax.cond({x},{f},{f},{a}) fx.lax.cond({a},lambda*a:a[0],{f},{x})
fx.lax.switch({x},[{f},{f}],{a}) fx.lax.map({f},{x}) fx.lax.associative_scan({f},{a})
fx.custom_jvp({f})({a}) fx.custom_vjp({f})({a}) fx.ravel_pytree({x})[1]({x})
fx.tree.structure({x}).unflatten({x}) fx.tree.structure({x}).flatten_up_to({x}) fx.optim.adam({x}).init({x})
fx.optim.sgd(0.1).update({x},{x},{x}) fx.optim.adam(0.1).update({a},fx.optim.adam(0.1).init({a}),{x})
fx.optim.chain({x},{x}).init({a}) fx.nn.Linear(3,{x}).init({x}) fx.nn.Linear(3,2).init(KEY,{x})
fx.nn.MLP([3,2]).init({x}) fx.nn.Linear({x},{x}) fx.nn.Dropout({x}) fx.nn.Sequential({x},{x})
fx.nn.initializers.normal({x})({x},{x},{x}) fx.nn.initializers.he_normal()(KEY,{x})
fx.nn.initializers.orthogonal()(KEY,{x},{x}) {r}[{i}] {r}[{i},{i}] {r}.at[{i}].set({x}) {r}.at[{i}].add({a})
{r}.at[{i}].get(mode={x}) {r}.at[{i}].multiply({x},mode={x}) {r}.at[{x}].max({x}) {r}.at[{i}].apply({f})
fx.grad(lambda*a:a[0][{i}])({r}) fx.jit(lambda*a:a[0][{i}])({r})
fx.jit(lambda*a:a[0].at[{i}].set(a[1]))({r},{a}) fx.vmap(lambda*a:a[0][{i}])({r}) operator.add({r},{x})
operator.sub({x},{r}) operator.mul({r},{x}) operator.truediv({x},{r}) operator.matmul({r},{x})
operator.matmul({x},{r}) operator.pow({r},{x}) operator.mod({x},{r}) operator.floordiv({r},{x})
operator.and_({r},{x}) operator.or_({x},{r}) operator.lshift({r},{x}) operator.lt({r},{x})
operator.eq({r},{x}) operator.ne({x},{r}) operator.contains({r},{x}) operator.setitem({r},{i},{x})
operator.delitem({r},{i}) operator.iadd({r},{x}) operator.neg({r}) operator.invert({r}) divmod({r},{x})
pow({r},{x}) round({r},{x}) abs({r}) len({r}) list({r}) bool({r}) int({r}) float({r}) complex({r}) iter({r})
{r}.item({x}) {r}.tolist() operator.index({r}) str({r}) repr({r}) {r}.buffer setattr({r},'shape',{x})
setattr({r},'T',{x}) 'x={0:.3f}'.format({r}) fx.config(default_float={x}) fx.config(nope={x})
fx.config(check_nans={x}) fx.default_device({x}) fx.device({x}) fx.named_scope({x})
fx.pure_callback({f},{x},{a}) fx.device_put({a},{x}) fx.optim.adam(0.1).update({a},{x},{x})
fx.optim.masked(fx.optim.sgd(0.1),{x}).init({a}) fx.optim.MultiSteps(fx.optim.sgd(0.1),{x}).init({a})
used(fx.optim.sgd({f})) used(fx.optim.inject_hyperparams(fx.optim.adam)({x}))
fx.optim.apply_updates({x},{a}) fx.io.load(FILE,like={x}) fx.io.load(FILE,like={a},only={x},missing='keep')
fx.train.fit({f},{a},{x},fx.optim.sgd(0.1),epochs=1) fx.train.fit({f},{a},[{a},{x}],{x},epochs={n})
list(fx.data.Loader({x},{n})) list(fx.data.Loader(H(9),2,transform={f},key={x}))
fx.metrics.Accuracy().of({x},{x}) fx.random.KeyStream({x})
""".split()


def surface():
    """(text of a callable, its parameters) for every public function and class."""
    found = []
    for space in NAMESPACES:
        module = eval(space, {"fx": fx})
        for name in sorted(vars(module).keys() | set(dir(module))):
            value = getattr(module, name)
            if name.startswith("_") or f"{space}.{name}" in SKIP or not _is_public(value, module):
                continue
            found.append((f"{space}.{name}", _parameters(value)))
    for name, value in vars(fx.stats).items():
        functions = getattr(value, "functions", ())
        found += [(f"fx.stats.{name}.{f}", _parameters(getattr(value, f))) for f in functions]
    for name, value in sorted(METHODS.items()):
        if callable(value) and not name.startswith("__"):
            found.append((f"method({{r}},{name!r},", _parameters(value)[1:]))
    return found


def _is_public(value, module):
    if isinstance(value, types.ModuleType) or not callable(value):
        return False
    if isinstance(value, type) and issubclass(value, (BaseException, tuple, np.generic, enum.Enum)):
        return False
    home = getattr(value, "__module__", "") or ""
    if module.__name__ in FLAT:
        return home == module.__name__ or getattr(fx.numpy, value.__name__, None) is value
    return home.startswith("fx")


def _parameters(value):
    try:
        return [p for p in inspect.signature(value).parameters.values() if p.name not in ("self", "cls")]
    except (TypeError, ValueError):
        return []


# Calls


class Writer:
    """Texts of calls, from a seed."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.surface = surface()
        self.templates = TEMPLATES

    def call(self):
        r = self.rng
        text = r.choice(self.templates) if r.random() < 0.3 else self._of_surface()
        return re.sub(r"\{(f|a|x|r|i|b|n|w|op)\}", lambda m: self._slot(m[1]), text)

    def _of_surface(self):
        r = self.rng
        text, parameters = r.choice(self.surface)
        args = []
        by_name = False
        for p in parameters:
            if p.kind is p.VAR_KEYWORD:
                continue
            if p.kind is p.VAR_POSITIONAL:
                args += [self._argument(p.name) for _ in range(r.choice((0, 1, 1, 2, 3)))]
                by_name = True
                continue
            if p.default is not p.empty and r.random() < 0.6:
                by_name = True
                continue
            value = r.choice(FLAGS) if isinstance(p.default, bool) else self._argument(p.name)
            if p.kind is p.KEYWORD_ONLY or (by_name and p.kind is not p.POSITIONAL_ONLY):
                args.append(f"{p.name}={value}")
            elif not by_name:
                args.append(value)
        keywords = [a for a in args if re.match(r"[a-zA-Z_]\w*=[^=]", a)]
        args = [a for a in args if a not in keywords] + keywords
        if r.random() < 0.02:
            args.append("nonsense=1")
        call = text + ",".join(args) + ")" if text.endswith(",") else f"{text}({','.join(args)})"
        return f"used({call})" if text.startswith(MADE) else call

    def _argument(self, name):
        r = self.rng
        pool = next((pool for pattern, pool in GOOD if re.search(pattern, name)), ARRAYS)
        if r.random() >= 0.35:
            return r.choice(pool)
        return r.choice(NO_FUNCTIONS if any("lambda" in value for value in pool) else BAD)

    def _slot(self, kind):
        r = self.rng
        if kind == "x":
            return r.choice(BAD) if r.random() < 0.8 else r.choice(ARRAYS)
        if kind == "op":
            name, parameters = r.choice([s for s in self.surface if s[0].startswith("fx.numpy.")])
            rest = [self._argument(p.name) for p in parameters[1:] if p.default is p.empty][: r.randrange(3)]
            return f"{name}(" + ",".join([r.choice(("a[0]", "a[-1]", "a")), *rest]) + ")"
        pools = {
            "n": LENGTHS,
            "w": CONDITIONS,
            "b": FLAGS,
            "f": FUNCTIONS,
            "a": ARRAYS,
            "i": INDICES,
            "r": [a for a in ARRAYS if a[0] == "A" and "*" not in a],
        }
        return r.choice(NO_FUNCTIONS if kind == "f" and r.random() < 0.2 else pools[kind])


class Hang(BaseException):
    """Raised by the alarm; no handler of fx may catch it."""


def _alarm(*_):
    raise Hang


def outcome(text, names):
    """None where the call succeeds or is refused in a documented way, else what was raised."""
    try:
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            eval(text, names)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except fx.FxError as e:
        return None if str(e).strip() else f"{type(e).__name__} without a text"
    except TypeError as e:
        if SIGNATURE.search(str(e)):
            return None
        return _told(e)
    except Hang:
        return f"took longer than {SECONDS} s"
    except FileNotFoundError as e:
        return None if text.startswith(READERS) or "load" in text else _told(e)
    except BaseException as e:
        return _told(e)
    return None


def _told(e):
    place = ""
    tb = e.__traceback__
    while tb is not None:
        if "/fx/" in tb.tb_frame.f_code.co_filename:
            place = f"{tb.tb_frame.f_code.co_filename.rpartition('/fx/')[2]}:{tb.tb_lineno}"
        tb = tb.tb_next
    return f"{type(e).__name__}: {str(e)[:200]} [{place}]"


@contextlib.contextmanager
def limited():
    """A bounded address space, an alarm, silence."""
    old = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as f:
        now = int(f.read().split()[0]) * resource.getpagesize()
    handler = signal.signal(signal.SIGALRM, _alarm)
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, old[1]))
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)
        signal.signal(signal.SIGALRM, handler)


def still_sound():
    """Nothing that calls change stays changed."""
    assert current_trace() is None
    assert float(fx.jit(fx.grad(lambda x: x * x))(3.0)) == 6.0
    assert fx.vmap(lambda x: x + 1)(fx.numpy.arange(3)).tolist() == [1, 2, 3]


def fuzz(seed, calls, folder):
    """The failures of `calls` calls: texts with what happened."""
    writer, names, before = Writer(seed), namespace(folder), settings()
    failures = {}
    with limited(), warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(calls):
            text = writer.call()
            wrong = outcome(text, names)
            if wrong:
                failures[text] = wrong
            if n % 500 == 0:
                still_sound()
                assert settings() == before
    return failures


def test_malformed_calls_raise_only_documented_errors(tmp_path):
    many = os.environ.get("FX_FUZZ", "") not in ("", "0")
    seed = datetime.date.today().toordinal() if many else 20240607
    failures = fuzz(seed, CALLS * 10 if many else CALLS, tmp_path)
    shown = [f"{text}\n    {wrong}" for text, wrong in list(failures.items())[:40]]
    if failures:
        pytest.fail(f"seed {seed}: {len(failures)} calls\n" + "\n".join(shown))
