"""Threads, tasks and re-entrance: the current trace belongs to a context, and user code may do what it likes."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.core.program import program_of
from fx.core.structure import Abstract
from fx.core.trace import Trace, current_trace
from fx.testing import assert_close, assert_traces

X = np.linspace(0.1, 1.0, 7)
WORKERS = 8


def together(jobs):
    """Run jobs in threads that start at one moment; their results."""
    barrier = threading.Barrier(len(jobs))

    def run(job):
        barrier.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


@pytest.fixture(autouse=True)
def nothing_is_left_being_traced():
    yield
    assert current_trace() is None


# ---- threads -----------------------------------------------------------------------------------------------
def test_threads_differentiate_different_functions_at_once():
    def job(n):
        def f(x):
            for _ in range(n):
                x = fnp.sin(x) * (1 + 1 / n)
            return x.sum()

        def run():
            return [np.asarray(fx.grad(f)(X)) for _ in range(20)]

        return run

    jobs = [job(n) for n in range(1, WORKERS + 1)]
    alone = [run()[0] for run in jobs]
    fx.clear_caches()
    for found, want in zip(together(jobs), alone):
        assert_close(found, [want] * 20)


def test_threads_share_one_function_and_its_caches():
    f = lambda x: (fnp.tanh(x) * x).sum()
    want = {k: np.asarray(fx.grad(f)(X * k)) for k in range(WORKERS)}
    fx.clear_caches()
    found = together([lambda k=k: [fx.grad(f)(X * k) for _ in range(20)] for k in range(WORKERS)])
    for k, rows in enumerate(found):
        assert_close(rows, [want[k]] * 20)


def test_threads_call_one_jitted_function():
    jitted = fx.jit(lambda x: fx.vmap(fx.grad(lambda y: fnp.sin(y) * y))(x))
    want = np.sin(X) + X * np.cos(X)
    for rows in together([lambda: [jitted(X) for _ in range(20)]] * WORKERS):
        assert_close(rows, [want] * 20)
    with assert_traces(jitted, 0):
        jitted(X)


def test_settings_and_devices_of_a_thread_are_its_own():
    def job(name):
        def run():
            with fx.config(default_float=name):
                return {fx.jit(lambda x: x + 1)(1.0).dtype.name for _ in range(20)}

        return run

    assert together([job("float64"), job("float32"), job("float16")]) == [
        {"float64"},
        {"float32"},
        {"float16"},
    ]
    assert fx.config.default_float == "float32"


def test_a_traced_value_cannot_cross_threads():
    def f(x):
        (result,) = together([lambda: x * 2])
        return result

    for transform in (fx.jit, fx.grad, fx.vmap):
        with pytest.raises(fx.LeakedTracerError, match="thread"):
            transform(f)(X if transform is fx.vmap else 1.0)


def test_a_traced_function_may_use_threads_for_values_of_its_own():
    def f(x):
        slopes = together([lambda k=k: fx.grad(fnp.sin)(0.1 * k) for k in range(4)])
        return x * sum(float(s) for s in slopes)

    want = sum(np.cos(0.1 * k) for k in range(4))
    assert_close(fx.grad(f)(1.0), want)
    assert_close(fx.jit(fx.grad(f))(1.0), want)


# ---- tasks -------------------------------------------------------------------------------------------------
def test_tasks_that_trace_in_turns_do_not_mix():
    async def record(n):
        """A trace that stays open while other tasks run."""
        aval = fx.ShapeDtype((), "float32").aval
        with Trace("task", [aval], [Abstract(lambda: "x")], record) as trace:
            (x,) = trace.inputs()
            for _ in range(n):
                x = fnp.sin(x)
                await asyncio.sleep(0)
                assert current_trace() is trace
        return program_of(trace, [x])

    async def main():
        return await asyncio.gather(*[record(n) for n in range(1, 6)])

    assert [len(p.equations) for p in asyncio.run(main())] == [1, 2, 3, 4, 5]


def test_tasks_have_settings_of_their_own():
    async def dtype_under(name):
        with fx.config(default_float=name):
            await asyncio.sleep(0)
            found = fx.jit(lambda x: x * 2)(1.0).dtype.name
            await asyncio.sleep(0)
            return found, fx.config.default_float

    async def main():
        return await asyncio.gather(*[dtype_under(n) for n in ("float64", "float16", "float32")])

    assert asyncio.run(main()) == [(n, n) for n in ("float64", "float16", "float32")]


def test_a_traced_value_cannot_cross_tasks():
    async def main():
        box = []

        async def maker():
            with Trace("task", [fx.ShapeDtype((), "float32").aval], [Abstract(lambda: "x")]) as trace:
                box.append(trace.inputs()[0])
                await asyncio.sleep(0)

        async def taker():
            await asyncio.sleep(0)
            with pytest.raises(fx.LeakedTracerError):
                box[0] * 2

        await asyncio.gather(maker(), taker())

    asyncio.run(main())


# ---- re-entrance -------------------------------------------------------------------------------------------
def test_grad_inside_a_callback_inside_grad():
    def slope_on_the_host(x):
        """User code that knows nothing of the trace around it."""
        return np.asarray(fx.grad(lambda y: (fnp.sin(y) * y).sum())(np.asarray(x)))

    @fx.custom_jvp
    def slope(x):
        return fx.pure_callback(slope_on_the_host, fx.ShapeDtype(x.shape, x.dtype), x)

    @slope.defjvp
    def slope_jvp(primals, tangents):
        (x,), (dx,) = primals, tangents
        return slope(x), (2 * fnp.cos(x) - x * fnp.sin(x)) * dx

    want = 2 * np.cos(X) - X * np.sin(X)
    gradient = fx.grad(lambda x: slope(x).sum())
    assert_close(gradient(X), want)
    assert_close(fx.jit(gradient)(X), want)
    assert_close(fx.vmap(fx.grad(slope))(X), want)


def test_transformations_of_values_known_while_tracing():
    def f(x):
        """Newton's method inside the traced function, on concrete numbers."""
        target = float(x)
        y = 1.0
        for _ in range(30):
            g = lambda y: (y * y - target) ** 2
            y = y - 0.05 * float(fx.grad(g)(y)) / max(1.0, target)
        return x * y

    assert_close(fx.grad(f)(np.float64(4.0)), 2.0, rtol=1e-4)


def test_an_error_in_user_code_leaves_no_trace_behind():
    class Boom(Exception):
        pass

    def f(x):
        fnp.sin(x)
        raise Boom

    for run in (
        lambda: fx.grad(f)(1.0),
        lambda: fx.jit(f)(1.0),
        lambda: fx.vmap(f)(X),
        lambda: fx.jvp(f, (1.0,), (1.0,)),
        lambda: fx.grad(lambda x: fx.checkpoint(f)(x))(1.0),
        lambda: fx.jit(lambda x: fx.lax.scan(lambda c, y: f(c), x, X))(1.0),
    ):
        with pytest.raises(Boom):
            run()
        assert current_trace() is None
    assert_close(fx.grad(fnp.sin)(0.0), 1.0)


def test_a_function_may_call_its_own_gradient_while_it_is_traced():
    def f(x, depth=3):
        return fnp.sin(x) if depth == 0 else x * fx.grad(lambda y: f(y, depth - 1))(x)

    h = 1e-5
    for depth in range(3):
        slope = (f(0.7 + h * np.float64(1), depth) - f(np.float64(0.7 - h), depth)) / (2 * h)
        assert_close(fx.grad(lambda x: f(x, depth))(np.float64(0.7)), slope, rtol=1e-8)
        assert_close(fx.jit(fx.grad(lambda x: f(x, depth)))(np.float64(0.7)), slope, rtol=1e-8)


def test_a_generator_keeps_its_trace_to_itself():
    """A traced function that is left open while another one is traced."""

    def steps(x):
        y = x
        while True:
            y = fnp.sin(y)
            yield y

    def f(x):
        made = steps(x)
        next(made)
        inner = fx.grad(lambda z: z * z)(3.0)
        return next(made) * inner

    assert_close(fx.grad(f)(0.5), 6 * np.cos(np.sin(0.5)) * np.cos(0.5), rtol=1e-5)
