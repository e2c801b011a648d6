"""A line search for the strong Wolfe conditions: find an interval that has a good step, then zoom into it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._contract import Optimizer, apply_updates
from ._leaves import (
    as_array,
    check_choice,
    dot,
    map_leaves,
    needs_params,
    no_updates,
    select,
    tree_dtype,
    zeros,
)
from ._options import options


class LinesearchInfo(NamedTuple):
    """num_linesearch_steps: points looked at. decrease_error, curvature_error: by how much the step misses
    sufficient decrease and the bound of the slope; 0: it meets them."""

    num_linesearch_steps: Any
    decrease_error: Any
    curvature_error: Any


class LinesearchState(NamedTuple):
    """learning_rate: the last step's length. value, grad: of the loss after it. info: `LinesearchInfo`."""

    learning_rate: Any
    value: Any
    grad: Any
    info: LinesearchInfo


@options
def scale_by_zoom_linesearch(
    max_linesearch_steps: int,
    max_learning_rate: Any = None,
    tol: Any = 0.0,
    increase_factor: Any = 2.0,
    slope_rtol: Any = 1e-4,
    curv_rtol: Any = 0.9,
    approx_dec_rtol: Any = 1e-6,
    stepsize_precision: Any = 1e-5,
    initial_guess_strategy: str = "keep",
) -> Optimizer:
    """Updates, a direction of descent, times a step length that meets the strong Wolfe conditions.

    Reads `value` and `grad`, the loss and its gradient at params, and `value_fn`, the function from params to the
    loss, which gets those other extra arguments that it names.

    Args:
        max_linesearch_steps: points that are looked at at most; then the best that decreases the loss is taken.
        max_learning_rate: the longest step; None: any.
        tol: by how much the conditions may be missed.
        increase_factor: from one step to the next while no interval is found.
        slope_rtol: value <= first value + slope_rtol * step * first slope.
        curv_rtol: |slope| <= curv_rtol * |first slope|.
        approx_dec_rtol: where values differ by rounding alone, slopes decide; None: never.
        stepsize_precision: an interval this short is not divided again.
        initial_guess_strategy: "keep" the last length as the first guess, or "one".

    Source: Nocedal and Wright 2006, Algorithms 3.5 and 3.6; Hager and Zhang 2006, equation 23, for approx_dec_rtol.
    """
    check_choice(
        "scale_by_zoom_linesearch", "initial_guess_strategy", initial_guess_strategy, ("keep", "one")
    )
    rules = _Rules(
        max_linesearch_steps, max_learning_rate, tol, increase_factor, slope_rtol, curv_rtol, approx_dec_rtol,
        stepsize_precision,
    )  # fmt: skip

    def init(params: Any) -> LinesearchState:
        kind = tree_dtype(params)
        infinite = fnp.full((), fnp.inf, kind)
        info = LinesearchInfo(no_updates(), infinite, infinite)
        return LinesearchState(fnp.ones((), kind), infinite, zeros(params), info)

    def update(
        grads: Any,
        state: LinesearchState,
        params: Any = None,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Callable[..., Any] | None = None,
        **extra: Any,
    ) -> tuple[Any, LinesearchState]:
        needs_params(params, "A line search")
        if value is None or grad is None or value_fn is None:
            raise fx.ArgumentError(
                "A line search reads the loss.\nWrite optimizer.update(grads, state, params, value=loss, "
                "grad=grads, value_fn=lambda params: loss)."
            )
        kind = state.learning_rate.dtype
        guess = fnp.ones((), kind) if initial_guess_strategy == "one" else state.learning_rate
        on_line = _on_line(_with_named(value_fn, extra), params, grads, state.grad, kind)
        found = _search(on_line, rules, guess, _start(value, grad, grads, state.grad, kind))
        step = found.trial.step
        info = LinesearchInfo(found.count, found.decrease_error, found.curvature_error)
        updates = map_leaves(lambda g: step * g, grads)
        return updates, LinesearchState(step, found.trial.value, found.trial.grad, info)

    return Optimizer(init, update)


def _with_named(function: Callable[..., Any], extra: dict[str, Any]) -> Callable[[Any], Any]:
    """The function of params, with those extra arguments that it names."""
    named = inspect.signature(function).parameters
    given = {name: value for name, value in extra.items() if name in named}
    return lambda params: function(params, **given)


class _Rules(NamedTuple):
    most: int
    longest: Any
    tol: Any
    increase: Any
    slope_rtol: Any
    curv_rtol: Any
    approx_dec_rtol: Any
    precision: Any


class _Point(NamedTuple):
    """A step and, after it, the loss and its slope along the direction."""

    step: Any
    value: Any
    slope: Any


class _Trial(NamedTuple):
    """A point with its gradient."""

    step: Any
    value: Any
    slope: Any
    grad: Any

    @property
    def point(self) -> _Point:
        return _Point(self.step, self.value, self.slope)


class _Search(NamedTuple):
    """first: at step 0. trial: looked at last. safe: the best that decreases the loss enough. low, high: the ends
    of the interval, low with the lesser loss; third: another point, for cubics. found: whether there is one."""

    count: Any
    first: _Point
    trial: _Trial
    safe: _Trial
    low: _Point
    high: _Point
    third: _Point
    decrease_error: Any
    curvature_error: Any
    found: Any
    done: Any
    failed: Any


def _on_line(value_fn: Any, params: Any, direction: Any, like: Any, kind: Any) -> Callable[[Any], _Trial]:
    def on_line(step: Any) -> _Trial:
        at = apply_updates(params, map_leaves(lambda u: step * u, direction))
        value, grad = fx.value_and_grad(value_fn)(at)
        slope = dot(grad, direction).astype(kind)
        return _Trial(step, fnp.asarray(value).astype(kind), slope, _stored(grad, like))

    return on_line


def _stored(grad: Any, like: Any) -> Any:
    return fx.tree.map(lambda g, z: as_array(g).astype(z.dtype), grad, like)


def _start(value: Any, grad: Any, direction: Any, like: Any, kind: Any) -> _Search:
    zero, no = fnp.zeros((), kind), fnp.asarray(False)
    slope = dot(grad, direction).astype(kind)
    trial = _Trial(zero, fnp.asarray(value).astype(kind), slope, _stored(grad, like))
    p, infinite = trial.point, fnp.full((), fnp.inf, kind)
    return _Search(no_updates(), p, trial, trial, p, p, p, infinite, infinite, no, no, no)


def _search(on_line: Callable[[Any], _Trial], rules: _Rules, guess: Any, start: _Search) -> _Search:
    def look(s: _Search) -> _Search:
        longer = fnp.where(s.count == 0, guess, rules.increase * s.trial.step)
        longest = fnp.asarray(fnp.inf if rules.longest is None else rules.longest)
        at_end = longer >= longest
        longer = fnp.minimum(longer, longest).astype(guess.dtype)
        trial = on_line(fnp.where(s.found, _inside(s), longer))
        errors = _decrease_error(rules, s.first, trial), _curvature_error(rules, s.first, trial)
        expanded = _expanded(rules, s, trial, errors, at_end)
        return _finished(select(s.found, _zoomed(rules, s, trial, errors), expanded))

    return fx.lax.while_loop(lambda s: ~(s.done | s.failed), look, start)


def _decrease_error(rules: _Rules, first: _Point, new: _Trial) -> Any:
    error = new.value - first.value - rules.slope_rtol * new.step * first.slope
    if rules.approx_dec_rtol is not None:
        by_slope = new.slope - (2 * rules.slope_rtol - 1.0) * first.slope
        by_value = new.value - first.value - rules.approx_dec_rtol * fnp.absolute(first.value)
        error = fnp.minimum(fnp.maximum(by_slope, by_value), error)
    error = fnp.maximum(error, 0.0)
    return fnp.where(fnp.isnan(error), fnp.inf, error)


def _curvature_error(rules: _Rules, first: _Point, new: _Trial) -> Any:
    error = fnp.maximum(fnp.absolute(new.slope) - rules.curv_rtol * fnp.absolute(first.slope), 0.0)
    return fnp.where(fnp.isnan(error), fnp.inf, error)


def _expanded(rules: _Rules, s: _Search, new: _Trial, errors: Any, at_end: Any) -> _Search:
    """After a step beyond the last one: is the minimum between them? (Algorithm 3.5)"""
    good = fnp.maximum(*errors) <= rules.tol
    rises = (errors[0] > 0.0) | ((new.value >= s.trial.value) & (s.count > 0))
    turns = (new.slope >= 0.0) & ~rises
    found = rises | turns | good
    done = good | (at_end & ~found)
    low = select(turns, new.point, s.trial.point)
    return s._replace(
        count=s.count + 1,
        trial=new,
        safe=select(errors[0] <= rules.tol, new, s.safe),
        low=low,
        high=select(turns, s.trial.point, new.point),
        third=low,
        decrease_error=errors[0],
        curvature_error=errors[1],
        found=found,
        done=done,
        failed=(s.count + 1 >= rules.most) & ~done,
    )


def _inside(s: _Search) -> Any:
    """A step in the interval: the minimum of a cubic, or of a parabola, if not too near to an end; or the middle."""
    length = fnp.absolute(s.high.step - s.low.step)
    left, right = fnp.minimum(s.high.step, s.low.step), fnp.maximum(s.high.step, s.low.step)
    inside = lambda x, margin: (x > left + margin * length) & (x < right - margin * length)
    cubic, parabola = _least_of_cubic(s.low, s.high, s.third), _least_of_parabola(s.low, s.high)
    middle = (s.low.step + s.high.step) / 2.0
    return fnp.where(inside(cubic, 0.2), cubic, fnp.where(inside(parabola, 0.1), parabola, middle))


def _least_of_cubic(a: _Point, b: _Point, c: _Point) -> Any:
    """The minimum of the cubic through three points with the slope of the first; inf where there is none."""
    db, dc = b.step - a.step, c.step - a.step
    denominator = (db * dc) ** 2 * (db - dc)
    none = denominator == 0.0
    rise_b, rise_c = b.value - a.value - a.slope * db, c.value - a.value - a.slope * dc
    safe = fnp.where(none, 1.0, denominator)
    cubed = (dc**2 * rise_b - db**2 * rise_c) / safe
    squared = (-(dc**3) * rise_b + db**3 * rise_c) / safe
    radicand = squared * squared - 3.0 * cubed * a.slope
    none = none | ~(radicand >= 0.0) | (cubed == 0.0)
    least = a.step + (-squared + fnp.sqrt(fnp.where(none, 1.0, radicand))) / (
        3.0 * fnp.where(none, 1.0, cubed)
    )
    return fnp.where(none, fnp.inf, least)


def _least_of_parabola(a: _Point, b: _Point) -> Any:
    """The minimum of the parabola through two points with the slope of the first; inf where there is none."""
    db = b.step - a.step
    squared = (b.value - a.value - a.slope * db) / fnp.where(db == 0.0, 1.0, db * db)
    none = (db == 0.0) | (squared == 0.0)
    return fnp.where(none, fnp.inf, a.step - a.slope / (2.0 * fnp.where(none, 1.0, squared)))


def _zoomed(rules: _Rules, s: _Search, new: _Trial, errors: Any) -> _Search:
    """After a step inside the interval: which end does it replace? (Algorithm 3.6)"""
    short = fnp.absolute(s.high.step - s.low.step) <= rules.precision
    safe = select((errors[0] <= rules.tol) & (new.value < s.safe.value), new, s.safe)
    done = fnp.maximum(*errors) <= rules.tol
    worse = (errors[0] > 0.0) | (new.value >= s.low.value)
    passes = (new.slope * (s.high.step - s.low.step) >= 0.0) & ~worse
    ended = (s.count + 1 >= rules.most) | (short & (safe.step > 0.0))
    return s._replace(
        count=s.count + 1,
        trial=new,
        safe=safe,
        low=select(worse, s.low, new.point),
        high=select(passes, s.low, select(worse, new.point, s.high)),
        third=select(worse | passes, s.high, s.low),
        decrease_error=errors[0],
        curvature_error=errors[1],
        done=done,
        failed=ended & ~done,
    )


def _finished(s: _Search) -> _Search:
    """A failed search ends at the safe step, if there is one, or if the loss was not finite."""
    back = s.failed & ((s.safe.step > 0.0) | fnp.isinf(s.decrease_error))
    return s._replace(trial=select(back, s.safe, s.trial))


@options
def value_and_grad_from_state(value_fn: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """`fx.value_and_grad` that takes value and gradient from the state of a line search where it has them.

    The result is called as `(params, *args, state=state, **kwargs)`.
    """

    def value_and_grad(params: Any, *args: Any, state: Any, **kwargs: Any) -> tuple[Any, Any]:
        is_state = lambda x: isinstance(x, LinesearchState)
        known = [x for x in fx.tree.leaves(state, is_leaf=is_state) if is_state(x)]
        if not known:
            raise fx.ArgumentError(
                "value_and_grad_from_state: the state has no value and gradient.\n"
                "It must be that of an optimizer with a line search, such as lbfgs()."
            )
        compute = fx.value_and_grad(lambda p: value_fn(p, *args, **kwargs))
        structure = fx.tree.map(as_array, params)

        def remembered() -> tuple[Any, Any]:
            grad = fx.tree.map(lambda g, p: g.astype(p.dtype), known[0].grad, structure)
            return known[0].value, grad

        def computed() -> tuple[Any, Any]:
            value, grad = compute(structure)
            return fnp.asarray(value).astype(known[0].value.dtype), grad

        return fx.lax.cond(fnp.isfinite(known[0].value), remembered, computed)

    return value_and_grad
