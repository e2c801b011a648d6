"""`fit`: the loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from reprlib import repr as brief
from typing import Any

import fx
from fx import optim, random

from ._callbacks import Callback, Checkpoint, Stop
from ._display import Display
from ._history import History, numbers
from ._interrupt import Interrupt
from ._nonfinite import report
from ._run import Progress, TrainState


@dataclass(frozen=True)
class Result:
    """What a run leaves behind."""

    params: Any
    state: Any
    """Of layers; {} without."""
    opt_state: Any
    history: History
    stopped: str
    """Why it ended: "all epochs", or what stopped it."""


def fit(
    loss_fn: Callable[..., Any],
    params: Any,
    loader: Iterable[Any],
    optimizer: optim.Optimizer,
    *,
    epochs: int,
    state: Any = None,
    key: Any = None,
    evaluate: Callable[..., dict[str, Any]] | None = None,
    callbacks: Sequence[Callback] = (),
    resume: bool = False,
    show: bool = True,
) -> Result:
    """Train: for every batch of every epoch, parameters move along the optimizer's update.

    Args:
        loss_fn: loss_fn(params, batch) -> loss, a scalar; or (loss, metrics) with a dict of scalars, whose means over
            an epoch are shown. With `state=` it is called with state=, and returns (loss, state) or
            (loss, state, metrics); with `key=` it is called with key=, another one each step.
        loader: gives the batches of an epoch at each `for`: a fx.data.Loader, or a list.
        state: of layers, as from `init`.
        evaluate: evaluate(params), or evaluate(params, state), after each epoch -> dict of numbers; see `evaluator`.
        callbacks: see Callback; a Checkpoint among them makes Ctrl-C and `resume` safe.
        resume: go on from the Checkpoint's file, if there is one; steps, draws and batches are then those that the
            uninterrupted run would have had.
        show: progress on the screen.

    Returns:
        Result.

    Raises:
        NanError: the loss is not finite; the message says where that arose. Checkpoints keep the parameters before.
        KeyboardInterrupt: after the step that was running, with a checkpoint saved.

    >>> import fx
    >>> batches = [fx.numpy.ones((8, 2))] * 5
    >>> loss = lambda params, x: ((x @ params - 3.0) ** 2).mean()
    >>> result = fit(loss, fx.numpy.zeros(2), batches, fx.optim.sgd(0.1), epochs=4, show=False)
    >>> result.history["loss"][-1] < 1e-3
    True
    """
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 0:
        raise fx.ArgumentError(f"fit: epochs is how many passes over the data to make; got {brief(epochs)}.")
    if not hasattr(loader, "__iter__") or getattr(loader, "ndim", 1) == 0:
        raise fx.ArgumentError(
            f"fit: loader gives the batches of an epoch, such as a list or fx.data.Loader; got {brief(loader)}.\n"
            "The order is fit(loss_fn, params, loader, optimizer, epochs=...)."
        )
    if not isinstance(optimizer, optim.Optimizer):
        raise fx.ArgumentError(
            f"fit: optimizer must be one, such as fx.optim.adam(1e-3); got {brief(optimizer)}."
        )
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise fx.ArgumentError(
                f"fit: callbacks are objects of classes on fx.train.Callback; got {brief(callback)}."
            )
    optimizer = optim.chain(optimizer)
    has_state, has_key = state is not None, key is not None
    step = make_step(loss_fn, optimizer, has_state=has_state, has_key=has_key)
    objective_of = lambda *inputs: _objective(loss_fn, *inputs, has_state, has_key)
    train = TrainState(params, optimizer.init(params), {} if state is None else state, key, 0, None)
    progress = Progress(train, epochs, batches=_length(loader))
    every = [*callbacks, *([Display()] if show else [])]
    if resume:
        _resume(progress, loader, callbacks)
    stopped = "all epochs"
    with ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())
        for callback in reversed(every):
            stack.callback(callback.on_end, progress)
        for callback in every:
            callback.on_start(progress)
        try:
            while progress.epoch < epochs:
                _one_epoch(progress, step, objective_of, loader, evaluate, every, interrupt)
        except Stop as reason:
            stopped = str(reason)
    train = progress.train
    return Result(train.params, train.state, train.opt_state[0], progress.history, stopped)


def make_step(
    loss_fn: Callable[..., Any], optimizer: optim.Optimizer, *, has_state: bool = False, has_key: bool = False
) -> Callable[..., Any]:
    """The compiled step of `fit`.

    (params, opt_state, state, batch, key) -> (params, opt_state, state, loss, metrics)
    """

    if not callable(loss_fn):
        raise fx.ArgumentError(
            f"fit: loss_fn must be a function (params, batch) to a loss; got {brief(loss_fn)}.\n"
            "The order is fit(loss_fn, params, loader, optimizer, epochs=...)."
        )

    @fx.jit
    def step(params: Any, opt_state: Any, state: Any, batch: Any, key: Any) -> Any:
        objective = _objective(loss_fn, state, batch, key, has_state, has_key)
        (loss, (new_state, metrics)), grads = fx.value_and_grad(objective, has_aux=True)(params)
        extra = {"value": loss, "grad": grads, "value_fn": lambda p: objective(p)[0]}
        updates, opt_state = optimizer.update(grads, opt_state, params, **extra)
        return optim.apply_updates(params, updates), opt_state, new_state, loss, metrics

    return step


def _objective(
    loss_fn: Callable[..., Any], state: Any, batch: Any, key: Any, has_state: bool, has_key: bool
) -> Callable[[Any], tuple[Any, tuple[Any, dict[str, Any]]]]:
    """params -> (loss, (state, metrics)), from whatever form loss_fn has."""
    extra = {**({"state": state} if has_state else {}), **({"key": key} if has_key else {})}

    def objective(params: Any) -> Any:
        out = loss_fn(params, batch, **extra)
        loss, *rest = out if isinstance(out, tuple) else (out,)
        wanted = 2 if has_state else 1
        if len(rest) > wanted or (has_state and not rest):
            form = "(loss, state) or (loss, state, metrics)" if has_state else "loss or (loss, metrics)"
            raise fx.ArgumentError(f"fit: loss_fn returns {form}; it returned {1 + len(rest)} values.")
        new_state = rest.pop(0) if has_state else {}
        return loss, (new_state, rest[0] if rest else {})

    return objective


def _one_epoch(
    progress: Progress,
    step: Any,
    objective_of: Any,
    loader: Any,
    evaluate: Any,
    callbacks: Sequence[Callback],
    interrupt: Interrupt,
) -> None:
    began, examples = time.monotonic(), 0
    for batch in loader:
        _one_step(progress, step, objective_of, loader, batch)
        examples += _examples(batch)
        for callback in callbacks:
            callback.on_step(progress)
        if interrupt.asked:
            raise KeyboardInterrupt
    if not progress.losses:
        raise fx.ArgumentError(
            "fit: the loader gave no batch.\nA generator can be read once: pass a list or a Loader."
        )
    progress.row = _row(progress, evaluate, time.monotonic() - began, examples)
    progress.history.append(progress.row)
    progress.epoch, progress.losses, progress.totals = progress.epoch + 1, [], {}
    progress.train = progress.train._replace(loader=_place(loader))
    for callback in callbacks:
        callback.on_epoch(progress)


def _row(progress: Progress, evaluate: Any, seconds: float, examples: int) -> dict[str, float]:
    """The numbers of an epoch."""
    train, steps = progress.train, len(progress.losses)
    row = {
        "epoch": progress.epoch + 1,
        "step": train.step,
        "loss": math.fsum(map(float, progress.losses)) / steps,
    }
    row |= {name: total / steps for name, total in progress.totals.items()}
    if evaluate is not None:
        row |= numbers(evaluate(train.params, train.state) if train.state else evaluate(train.params))
    return {**row, "seconds": seconds, "examples_per_second": examples / seconds}


def _one_step(progress: Progress, step: Any, objective_of: Any, loader: Any, batch: Any) -> None:
    """Take a step. The run changes only if the loss is finite."""
    old = progress.train
    key = None if old.key is None else random.fold_in(old.key, old.step)
    params, opt_state, state, loss, metrics = step(old.params, old.opt_state, old.state, batch, key)
    if not math.isfinite(float(loss)):
        again = lambda: fx.value_and_grad(objective_of(old.state, batch, key), has_aux=True)(old.params)
        raise report(old.step + 1, float(loss), old.params, batch, again)
    progress.train = TrainState(params, opt_state, state, old.key, old.step + 1, _place(loader))
    progress.losses.append(loss)
    for name, x in numbers(metrics).items():
        progress.totals[name] = progress.totals.get(name, 0.0) + x


def _place(loader: Any) -> Any:
    return loader.state() if hasattr(loader, "state") else None


def _examples(batch: Any) -> int:
    leaves = [x for x in fx.tree.leaves(batch) if getattr(x, "ndim", 0)]
    return int(leaves[0].shape[0]) if leaves else 1


def _length(loader: Any) -> int | None:
    try:
        return len(loader)
    except TypeError:
        return None


def _resume(progress: Progress, loader: Any, callbacks: Sequence[Callback]) -> None:
    saved = next((c for c in callbacks if isinstance(c, Checkpoint)), None)
    if saved is None:
        raise fx.ArgumentError("fit: resume=True needs a Checkpoint among callbacks=, whose file it reads.")
    if not saved.path.exists():
        return
    saved.load(progress)
    if progress.train.loader is not None:
        loader.restore(progress.train.loader)
    elif progress.losses:
        raise fx.ArgumentError(
            "fit: the checkpoint lies in the middle of an epoch, and this loader cannot go on there.\n"
            "Use a fx.data.Loader, or save at the end of epochs."
        )
