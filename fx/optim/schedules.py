"""Schedules: pure functions from the count of updates made (an int, also traced; 0 at first) to a number.

Every schedule takes `init_value` (or `peak_value`) in the unit of its result and counts in updates. They compute in
float64 and return the default float dtype, so that steps far on are as exact as the first. Where a learning
rate is asked for, a schedule can be given. The schedulers of torch.optim.lr_scheduler, for a base rate `lr`:

    LambdaLR(f)                        lambda_schedule(lr, f)
    MultiplicativeLR(f)                multiplicative_schedule(lr, f)
    StepLR(n, gamma)                   exponential_decay(lr, n, gamma, staircase=True)
    MultiStepLR(milestones, gamma)     multi_step_schedule(lr, milestones, gamma)
    ConstantLR(factor, n)              piecewise_constant_schedule(lr * factor, {n: 1 / factor})
    LinearLR(start, end, n)            linear_schedule(lr * start, lr * end, n)
    ExponentialLR(gamma)               exponential_decay(lr, 1, gamma)
    PolynomialLR(n, power)             polynomial_schedule(lr, 0.0, power, n)
    CosineAnnealingLR(n, eta_min)      cosine_annealing_schedule(lr, n, eta_min)
    CosineAnnealingWarmRestarts(...)   cosine_restarts_schedule(lr, T_0, T_mult, eta_min)
    CyclicLR(base, max, ...)           cyclic_schedule(base, max, up, down, mode, gamma)
    OneCycleLR(max, n, ...)            onecycle_schedule(n, max, pct_start, div_factor, final_div_factor, ...)
    SequentialLR(schedulers, at)       join_schedules(schedules, at)
    ChainedScheduler([f(lr), g(lr)])   product_schedule(f(lr), g(1.0))
    ReduceLROnPlateau                  `fx.optim.reduce_on_plateau`, which reads the loss
    SWALR                              join_schedules([before, linear_schedule(...)], [start])
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from reprlib import repr as brief
from typing import Any, TypeAlias

import fx
import fx.numpy as fnp

from ._leaves import check_choice
from ._options import check_number, listed, options

Schedule: TypeAlias = Callable[[Any], Any]


def _schedule(function: Callable[[Any], Any]) -> Schedule:
    """A schedule from a function of a count in float64."""

    @functools.wraps(function)
    def schedule(count: Any) -> Any:
        value = function(fnp.asarray(count).astype(fnp.float64))
        return fnp.asarray(value).astype(fx.config.default_float)

    return schedule


def _positive(name: str, **steps: Any) -> None:
    for option, value in steps.items():
        if isinstance(value, (int, float)) and not value > 0:
            raise fx.ArgumentError(f"{name}: {option} must be positive; got {value!r}.")


def _known(what: str, steps: Any) -> Any:
    """A number of steps that is known now, and finite."""
    steps = steps if isinstance(steps, (int, float)) else steps.item()
    if not abs(steps) < 1e18:
        raise fx.ArgumentError(f"{what} must be a finite number; got {brief(steps)}.")
    return steps


def _checked(schedule: Any, name: str) -> Schedule:
    if not callable(schedule):
        raise fx.ArgumentError(
            f"{name} takes schedules, functions from the count of updates to a number; got {brief(schedule)}.\n"
            "Write constant_schedule(value) for a number."
        )
    return schedule  # type: ignore[no-any-return]


@options
def constant_schedule(value: Any) -> Schedule:
    """Always the same."""
    return _schedule(lambda count: value + 0.0 * count)


@options
def polynomial_schedule(
    init_value: Any, end_value: Any, power: Any, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    """From init_value to end_value as (1 - part of the way)**power.

    Args:
        transition_steps: the length of the way; 0 or less: init_value for ever.
        transition_begin: the count at which it begins.

    >>> float(polynomial_schedule(1.0, 0.0, 2, 10)(5))
    0.25
    """
    if transition_steps <= 0:
        return constant_schedule(init_value)
    begin = max(transition_begin, 0)

    def schedule(count: Any) -> Any:
        left = 1.0 - fnp.clip(count - begin, 0, transition_steps) / transition_steps
        return (init_value - end_value) * left**power + end_value

    return _schedule(schedule)


@options
def linear_schedule(
    init_value: Any, end_value: Any, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    """From init_value to end_value in a straight line."""
    return polynomial_schedule(init_value, end_value, 1, transition_steps, transition_begin)


@options
def warmup_constant_schedule(init_value: Any, peak_value: Any, warmup_steps: int) -> Schedule:
    """From init_value to peak_value in a straight line, and constant then."""
    return linear_schedule(init_value, peak_value, warmup_steps)


@options
def exponential_decay(
    init_value: Any,
    transition_steps: int,
    decay_rate: Any,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: Any = None,
) -> Schedule:
    """init_value * decay_rate ** (count / transition_steps), from transition_begin on.

    Args:
        transition_steps: 0 or less, or a decay_rate of 0: init_value for ever.
        staircase: whole powers only.
        end_value: the bound of the decay (of a growth, for decay_rate above 1).
    """
    if transition_steps <= 0 or (isinstance(decay_rate, (int, float)) and decay_rate == 0):
        return constant_schedule(init_value)
    begin = max(transition_begin, 0)

    def schedule(count: Any) -> Any:
        powers = fnp.maximum(count - begin, 0) / transition_steps
        value = init_value * decay_rate ** (fnp.floor(powers) if staircase else powers)
        if end_value is None:
            return value
        return fnp.where(decay_rate < 1.0, fnp.maximum(value, end_value), fnp.minimum(value, end_value))

    return _schedule(schedule)


@options
def cosine_decay_schedule(
    init_value: Any, decay_steps: int, alpha: Any = 0.0, exponent: Any = 1.0
) -> Schedule:
    """From init_value to alpha * init_value along half a period of the cosine, taken to a power.

    Source: Loshchilov and Hutter 2017, SGDR.
    """
    _positive("cosine_decay_schedule", decay_steps=decay_steps)

    def schedule(count: Any) -> Any:
        down = _half_cosine(fnp.minimum(count, decay_steps) / decay_steps)
        return init_value * ((1.0 - alpha) * down**exponent + alpha)

    return _schedule(schedule)


def _half_cosine(part: Any) -> Any:
    """From 1 to 0 while part goes from 0 to 1."""
    return 0.5 * (1.0 + fnp.cos(math.pi * part))


def join_schedules(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """One schedule after the other, each counting from the boundary where it takes over.

    >>> schedule = join_schedules([constant_schedule(1.0), linear_schedule(1.0, 0.0, 4)], [2])
    >>> [float(schedule(i)) for i in range(5)]
    [1.0, 1.0, 1.0, 0.75, 0.5]
    """
    schedules = [_checked(s, "join_schedules") for s in listed(schedules, "join_schedules: schedules")]
    boundaries = listed(boundaries, "join_schedules: boundaries")
    check_number("join_schedules: a boundary", *boundaries)
    if len(boundaries) != len(schedules) - 1:
        raise fx.ArgumentError(
            f"join_schedules: {len(schedules)} schedules need {len(schedules) - 1} boundaries; got {len(boundaries)}."
        )

    def schedule(count: Any) -> Any:
        value = schedules[0](count)
        for boundary, following in zip(boundaries, schedules[1:], strict=True):
            value = fnp.where(fnp.asarray(count) < boundary, value, following(count - boundary))
        return fnp.asarray(value)

    return schedule


def product_schedule(*schedules: Schedule) -> Schedule:
    """The product of schedules: one of the rate, and factors."""
    schedules = tuple(_checked(s, "product_schedule") for s in schedules)
    return lambda count: functools.reduce(lambda a, b: a * b, [schedule(count) for schedule in schedules])


@options
def warmup_cosine_decay_schedule(
    init_value: Any,
    peak_value: Any,
    warmup_steps: int,
    decay_steps: int,
    end_value: Any = 0.0,
    exponent: Any = 1.0,
) -> Schedule:
    """A line from init_value to peak_value, then half a cosine to end_value.

    Args:
        decay_steps: of both together.
    """
    known_zero = isinstance(peak_value, (int, float)) and peak_value == 0
    alpha = 0.0 if known_zero else end_value / peak_value
    up = linear_schedule(init_value, peak_value, warmup_steps)
    down = cosine_decay_schedule(peak_value, decay_steps - warmup_steps, alpha, exponent)
    return join_schedules([up, down], [warmup_steps])


@options
def warmup_exponential_decay_schedule(
    init_value: Any,
    peak_value: Any,
    warmup_steps: int,
    transition_steps: int,
    decay_rate: Any,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: Any = None,
) -> Schedule:
    """A line from init_value to peak_value, then `exponential_decay`."""
    up = linear_schedule(init_value, peak_value, warmup_steps)
    down = exponential_decay(peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value)
    return join_schedules([up, down], [warmup_steps])


def sgdr_schedule(cosine_kwargs: Iterable[Mapping[str, Any]]) -> Schedule:
    """Several `warmup_cosine_decay_schedule`, one after the other. Source: Loshchilov and Hutter 2017."""
    settings = listed(cosine_kwargs, "sgdr_schedule: cosine_kwargs")
    if not settings or not all(
        isinstance(kwargs, Mapping) and "decay_steps" in kwargs for kwargs in settings
    ):
        raise fx.ArgumentError(
            "sgdr_schedule: cosine_kwargs must be dicts of arguments of warmup_cosine_decay_schedule, "
            f"each with decay_steps; got {brief(cosine_kwargs)}."
        )
    check_number("sgdr_schedule: decay_steps", *(kwargs["decay_steps"] for kwargs in settings))
    ends = [sum(kwargs["decay_steps"] for kwargs in settings[: i + 1]) for i in range(len(settings))]
    return join_schedules([warmup_cosine_decay_schedule(**kwargs) for kwargs in settings], ends[:-1])


@options
def piecewise_constant_schedule(
    init_value: Any, boundaries_and_scales: Mapping[int, Any] | None = None
) -> Schedule:
    """init_value times the scales of all boundaries that the count has reached."""
    steps = _scales("piecewise_constant_schedule", boundaries_and_scales)

    def schedule(count: Any) -> Any:
        value = init_value + 0.0 * count
        for boundary, factor in steps:
            value = fnp.where(count < boundary, value, value * factor)
        return value

    return _schedule(schedule)


def _scales(name: str, given: Mapping[int, Any] | None) -> list[tuple[int, Any]]:
    if given is not None and not isinstance(given, Mapping):
        raise fx.ArgumentError(
            f"{name}: boundaries_and_scales must be a dict from counts to factors; got {brief(given)}."
        )
    for boundary, factor in (given or {}).items():
        check_number(f"{name}: a boundary and its scale", boundary, factor)
        if isinstance(factor, (int, float)) and not factor >= 0:
            raise fx.ArgumentError(f"{name}: scales must not be negative; that of {boundary} is {factor!r}.")
    return sorted((given or {}).items())


@options
def multi_step_schedule(init_value: Any, milestones: Iterable[int], gamma: Any = 0.1) -> Schedule:
    """init_value times gamma for every milestone that the count has reached; a milestone may stand twice."""
    reached = listed(milestones, "multi_step_schedule: milestones")
    check_number("multi_step_schedule: a milestone", *reached)
    reached = sorted(reached)

    def schedule(count: Any) -> Any:
        powers = fnp.sum(fnp.expand_dims(count, -1) >= fnp.asarray(reached, dtype=fnp.float64), -1)
        return init_value * gamma ** powers.astype(fnp.float64)

    return _schedule(schedule)


@options
def piecewise_interpolate_schedule(
    interpolate_type: str, init_value: Any, boundaries_and_scales: Mapping[int, Any] | None = None
) -> Schedule:
    """Through init_value at 0 and its product with the scales up to each boundary there, "linear" or "cosine"."""
    check_choice("piecewise_interpolate_schedule", "interpolate_type", interpolate_type, ("linear", "cosine"))
    steps = _scales("piecewise_interpolate_schedule", boundaries_and_scales)
    points = [(0, init_value)]
    for boundary, factor in steps:
        points.append((boundary, points[-1][1] * factor))
    return _through(points, _LEFT[interpolate_type])


_LEFT: dict[str, Callable[[Any], Any]] = {"linear": lambda part: 1.0 - part, "cosine": _half_cosine}


def _through(points: Sequence[tuple[Any, Any]], left: Callable[[Any], Any]) -> Schedule:
    """Through (count, value) at each point; `left` goes from 1 to 0 between two. Constant after the last."""

    def schedule(count: Any) -> Any:
        value = points[-1][1] + 0.0 * count
        for (begin, start), (end, stop) in reversed(list(itertools.pairwise(points))):
            between = stop + (start - stop) * left((count - begin) / max(end - begin, 1e-300))
            value = fnp.where(count < end, between, value)
        return value

    return _schedule(schedule)


@options
def linear_onecycle_schedule(
    transition_steps: int,
    peak_value: Any,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """Lines from peak_value / div_factor up to peak_value, down again, and far down at the end.

    Source: Smith and Topin 2018, Super-Convergence.
    """
    transition_steps = _known("linear_onecycle_schedule: transition_steps", transition_steps)
    dividers = {"div_factor": div_factor, "final_div_factor": final_div_factor}
    _positive("linear_onecycle_schedule", transition_steps=transition_steps, **dividers)
    scales = {
        int(pct_start * transition_steps): div_factor,
        int(pct_final * transition_steps): 1.0 / div_factor,
        transition_steps: 1.0 / final_div_factor,
    }
    return piecewise_interpolate_schedule("linear", peak_value / div_factor, scales)


@options
def cosine_onecycle_schedule(
    transition_steps: int,
    peak_value: Any,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """Half cosines from peak_value / div_factor up to peak_value, and down to the first value / final_div_factor.

    Source: Smith and Topin 2018, Super-Convergence.
    """
    transition_steps = _known("cosine_onecycle_schedule: transition_steps", transition_steps)
    dividers = {"div_factor": div_factor, "final_div_factor": final_div_factor}
    _positive("cosine_onecycle_schedule", transition_steps=transition_steps, **dividers)
    scales = {
        int(pct_start * transition_steps): div_factor,
        int(transition_steps): 1.0 / (div_factor * final_div_factor),
    }
    return piecewise_interpolate_schedule("cosine", peak_value / div_factor, scales)


@options
def onecycle_schedule(
    transition_steps: int,
    peak_value: Any,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    anneal_strategy: str = "cosine",
    three_phase: bool = False,
) -> Schedule:
    """One cycle with the points of torch.optim.lr_scheduler.OneCycleLR, which are not rounded to whole counts.

    Args:
        anneal_strategy: "cosine" or "linear".
        three_phase: go down as slowly as up before the end.
    """
    dividers = {"div_factor": div_factor, "final_div_factor": final_div_factor}
    _positive("onecycle_schedule", transition_steps=transition_steps, **dividers)
    check_choice("onecycle_schedule", "anneal_strategy", anneal_strategy, ("cosine", "linear"))
    low, rise = peak_value / div_factor, pct_start * transition_steps
    points = [(0.0, low), (rise - 1, peak_value)]
    points += [(2 * rise - 2, low)] if three_phase else []
    points += [(transition_steps - 1, low / final_div_factor)]
    return _through(points, _LEFT[anneal_strategy])


@options
def lambda_schedule(init_value: Any, function: Callable[[Any], Any]) -> Schedule:
    """init_value * function(count)."""
    return _schedule(lambda count: init_value * function(count))


@options
def multiplicative_schedule(init_value: Any, function: Callable[[Any], Any]) -> Schedule:
    """init_value * function(1) * ... * function(count), by a loop of `count` steps."""

    def schedule(count: Any) -> Any:
        step = lambda i, value: value * fnp.asarray(function((i + 1).astype(fnp.float64)))
        start = fnp.asarray(init_value).astype(fnp.float64)
        return fx.lax.fori_loop(fnp.asarray(0, fnp.int64), count.astype(fnp.int64), step, start)

    return _schedule(schedule)


@options
def cosine_annealing_schedule(init_value: Any, period: int, end_value: Any = 0.0) -> Schedule:
    """From init_value to end_value in `period` updates along a cosine, and back, for ever."""
    _positive("cosine_annealing_schedule", period=period)
    return _schedule(lambda count: end_value + (init_value - end_value) * _half_cosine(count / period))


@options
def cosine_restarts_schedule(
    init_value: Any, period: int, multiplier: int = 1, end_value: Any = 0.0
) -> Schedule:
    """Half a cosine from init_value to end_value again and again, each `multiplier` times as long as the one before.

    Source: Loshchilov and Hutter 2017, SGDR, equation 5.
    """
    _positive("cosine_restarts_schedule", period=period, multiplier=multiplier)

    def schedule(count: Any) -> Any:
        if multiplier == 1:
            part = (count % period) / period
        else:
            cycles = fnp.log1p(count * (multiplier - 1) / period) / math.log(multiplier)
            growth = multiplier ** fnp.floor(cycles + 1e-12)
            part = (count - period * (growth - 1.0) / (multiplier - 1)) / (period * growth)
        return end_value + (init_value - end_value) * _half_cosine(part)

    return _schedule(schedule)


@options
def cyclic_schedule(
    base_value: Any,
    peak_value: Any,
    steps_up: int = 2000,
    steps_down: int | None = None,
    mode: str = "triangular",
    gamma: Any = 1.0,
) -> Schedule:
    """Lines from base_value to peak_value and back, for ever.

    Args:
        steps_down: None: steps_up.
        mode: "triangular"; "triangular2" halves the height with every cycle; "exp_range" scales it by
            gamma**count.

    Source: Smith 2017, Cyclical Learning Rates.
    """
    check_choice("cyclic_schedule", "mode", mode, ("triangular", "triangular2", "exp_range"))
    total = steps_up + (steps_up if steps_down is None else steps_down)
    _positive("cyclic_schedule", steps_up=steps_up, steps_down=total - steps_up)
    height = {
        "triangular": lambda count, cycle: 1.0,
        "triangular2": lambda count, cycle: 0.5**cycle,
        "exp_range": lambda count, cycle: gamma**count,
    }[mode]

    def schedule(count: Any) -> Any:
        cycle = fnp.floor(count / total)
        done = count - cycle * total
        rise = fnp.where(done <= steps_up, done / steps_up, (total - done) / (total - steps_up))
        return base_value + (peak_value - base_value) * rise * height(count, cycle)

    return _schedule(schedule)
