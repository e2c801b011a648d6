"""What f.explain and f.lower say: facts against the program, and formats that parse."""

import json
import os
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.compiler.drawing import _Layout
from fx.compiler.graph import Edge, Graph, Node

RNG = np.random.default_rng(0)


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def layer(w, x):
    h = x @ w
    h = fnp.tanh(h) + 1  # pointwise
    return h / h.sum(axis=1, keepdims=True)


ARGS = (floats(30, 40), floats(20, 30))


def recurrent(w, xs):
    step = lambda h, x: (fnp.tanh(h @ w + x), None)
    return fx.lax.scan(step, xs[0], xs)[0]


def with_python(x):
    y = fx.pure_callback(np.sort, fx.ShapeDtype((6,), "float32"), fnp.sin(x))  # the callback
    return y * 2


def explained(fun, *args):
    return fx.jit(fun).explain(*args)


# Steps


def test_steps_say_what_they_fused():
    e = explained(layer, *ARGS)
    product, nest = e.steps
    assert product.kind == "operation" and product.title == "contract ij,jk->ik f32[20,30] f32[30,40]"
    assert product.work == (2 * 20 * 30 * 40, 4 * (20 * 30 + 30 * 40), 4 * 20 * 40, True)
    assert nest.kind == "nest" and nest.title == "nest 20x40"
    assert (nest.work.read, nest.work.written) == (3200, 3200)
    primitives = [p for line in nest.lines for p in line.primitives]
    assert {"tanh", "add", "sum", "div"} <= set(primitives)
    assert [line.text for line in nest.lines] == [
        "h = fnp.tanh(h) + 1  # pointwise",
        "return h / h.sum(axis=1, keepdims=True)",
    ]
    assert e.interpreted is None and e.segments == 1


def test_equations_are_those_of_the_simplified_program():
    lowered = fx.jit(layer).lower(*ARGS)
    simplified = lowered.as_text("simplified")
    assert all(text in simplified for s in lowered.explain().steps for text in s.equations)


def test_the_limit_follows_from_the_work():
    large = fx.ShapeDtype((600, 600), "float32")
    product = explained(lambda a, b: a @ b, large, large).steps[0]
    assert product.limit == "arithmetic"
    (copy,) = explained(lambda a: a + 1, fx.ShapeDtype((3000, 3000), "float32")).steps
    assert copy.limit == "memory" and copy.chunks > 1
    assert 1e9 < copy.work.moved / copy.seconds < 1e13 and 1e9 < product.work.flops / product.seconds < 1e15


def test_the_limits_are_of_this_machine():
    from fx.backends.cpu.limits import limits

    found = limits()
    assert found is limits() and found.flops[4] > found.flops[8] > 1e9
    sizes = [size for size, _ in found.levels]
    assert sizes == sorted(sizes) and found.bandwidth(0) == found.levels[0][1]
    assert found.bandwidth(10 * sizes[-1]) == found.levels[-1][1]
    flops = int(found.flops[4])
    assert found.bound(flops, 1, 4) == ("arithmetic", pytest.approx(1, rel=1e-6))
    assert found.bound(flops, 1, 8) == (
        "arithmetic",
        pytest.approx(found.flops[4] / found.flops[8], rel=1e-6),
    )
    assert found.bound(1, 10 * sizes[-1], 4)[0] == "memory"


def test_control_flow_shows_its_inside():
    e = explained(recurrent, floats(4, 4), floats(9, 2, 4))
    (loop,) = [s for s in e.steps if s.kind == "control"]
    (body,) = loop.inner
    assert (body.role, body.trips) == ("body", 9) and len(body.steps) >= 2
    assert loop.work.flops == 9 * sum(s.work.flops for s in body.steps)
    assert "body, 9 times" in repr(e) and "tanh" in repr(e)


def test_branches_and_conditions():
    f = lambda p, x: fx.lax.cond(
        p, fnp.sin, lambda v: fx.lax.while_loop(lambda u: u[0] < 9, lambda u: u * 2, v), x
    )
    e = explained(f, True, floats(3))
    (choice,) = [s for s in e.steps if s.kind == "control"]
    assert [i.role for i in choice.inner] == ["branch 0", "branch 1"]
    (loop,) = [s for i in choice.inner for s in i.steps if s.kind == "control"]
    assert [(i.role, i.trips) for i in loop.inner] == [("body", None), ("condition", None)]
    assert "as often as the run says" in repr(e) and not e.cost.exact


def test_steps_that_python_runs_say_why():
    e = explained(with_python, floats(6))
    (step,) = [s for s in e.steps if s.kind == "python"]
    assert "calls a Python function" in step.reason and "# the callback" in step.lines[0].text
    assert e.segments == 2 and "1 of them run by Python, in 2 native calls" in e.head()
    assert "run by Python: pure_callback" in repr(e)


def test_the_reason_is_found_inside_of_loops():
    def loop(x):
        body = lambda c, _: (fx.pure_callback(np.sort, fx.ShapeDtype((6,), "float32"), c), None)
        return fx.lax.scan(body, x, None, length=3)[0]

    (step,) = [s for s in explained(loop, floats(6)).steps if s.kind == "python"]
    assert step.reason == "in its body, pure_callback calls a Python function"
    assert [s.kind for s in step.inner[0].steps] == ["python"] and "body, 3 times" in repr(
        explained(loop, floats(6))
    )


def test_a_length_that_only_the_run_knows():
    """It is no reason by itself; loops that stack so share the fate of the one that calls Python."""
    same = lambda x: fx.pure_callback(lambda v: v, fx.ShapeDtype((), "float32"), fx.lax.stop_gradient(x))
    root = lambda step, a: fx.lax.while_loop(lambda x: abs(x * x - a) > 1e-3, step, a)
    native = explained(fx.grad(lambda a: root(lambda x: (x + a / x) / 2, a)), np.float32(2))
    assert {s.kind for s in native.steps} == {"control", "nest"}
    mixed = explained(fx.grad(lambda a: root(lambda x: (x + a / same(x)) / 2, a)), np.float32(2))
    assert [s.reason for s in mixed.steps if s.kind == "python"] == [
        "in its body, pure_callback calls a Python function",
        "scan has an axis whose length only the run knows, and shares it with a step that Python runs",
    ]


# The whole


def test_passes_and_times():
    e = explained(fx.grad(lambda x: fx.jit(layer)(ARGS[0], x).sum()), ARGS[1])
    names = [p.name for p in e.passes]
    assert names[:3] == ["traced", "inline", "dead_code"] and len(set(names)) == len(names)
    assert all(p.seconds > 0 for p in e.passes[1:]) and e.passes[-1].equations < e.passes[1].equations
    assert [name for name, _ in e.timings] == ["simplify", "fuse", "emit", "generate code and link"]
    assert all(name in repr(e) for name in names)


@pytest.mark.skipif(
    os.environ.get("FX_DEBUG_BOUNDS", "0") not in ("", "0"), reason="code with guards is not kept on disk"
)
def test_machine_code_from_disk_is_told_from_new(tmp_path, monkeypatch):
    from fx.backends.cpu import object_cache

    monkeypatch.setenv("FX_CACHE_DIR", str(tmp_path))
    object_cache.object_cache.cache_clear()
    try:
        new = explained(lambda x: fnp.sin(x) * 1.25 - 3, floats(77))
        fx.clear_caches()
        again = explained(lambda x: fnp.sin(x) * 1.25 - 3, floats(77))
    finally:
        monkeypatch.undo()
        object_cache.object_cache.cache_clear()
    assert new.from_disk is False and "made anew" in repr(new)
    assert again.from_disk is True and "from the cache on disk" in repr(again)


def test_where_there_is_no_compiler_it_says_so_and_shows_the_program():
    f = fx.jit(layer)
    with fx.config(compile=False):
        e = f.explain(*ARGS)
        html = e._repr_html_()
    assert "fx.config(compile=False)" in e.interpreted and e.steps == ()
    assert "is interpreted" in repr(e) and "contract" in repr(e) and "contract" in html
    assert {n.title for n in e.graph.nodes} >= {"w", "x", "tanh", "result 0"}
    with fx.config(check_nans=True):
        assert "check_nans" in f.explain(*ARGS).interpreted
    assert f.explain(*ARGS).interpreted is None


def test_arrays_elsewhere_are_interpreted():
    fx.devices("strict")
    x = fx.device_put(floats(4), "strict")
    assert "'strict'" in explained(lambda x: fnp.sin(x) + 1, x).interpreted


@pytest.mark.parametrize("fun", [lambda x: x, lambda x: 3.0, lambda x: (), lambda x: (x, 2, x)])
def test_programs_without_steps(fun):
    e = explained(fun, floats(3))
    assert e.steps == () and e.segments == 0 and e.from_disk is None
    assert "nothing to compute" in repr(e)
    assert e._repr_html_() and e.as_dot() and json.loads(e.as_json())["steps"] == []


def test_donation_and_static_arguments():
    f = fx.jit(lambda x, n: x * n, static_argnums=1, donate_argnums=0)
    assert f.explain(floats(100), 3).memory.donated == 400


# Formats


def parts_of_dot(text):
    nodes = dict(re.findall(r'^  "(\w+)" \[label="((?:[^"\\]|\\.)*)", shape="\w+"', text, re.M))
    edges = re.findall(r'^  "(\w+)" -> "(\w+)" \[label="(?:[^"\\]|\\.)*"\];$', text, re.M)
    lines = text.splitlines()
    assert lines[0].startswith("digraph ") and lines[-1] == "}"
    assert len(lines) == 3 + len(nodes) + len(edges)
    return nodes, edges


def parts_of_mermaid(text):
    lines = text.splitlines()
    assert lines[0] == "flowchart TD"
    node, edge = (
        re.compile(r'  (\w+)[\[(]+"([^"]*)"[\])]+:::\w+'),
        re.compile(r'  (\w+) -->(?:\|"[^"]*"\|)? (\w+)'),
    )
    nodes = dict(m.groups() for line in lines if (m := node.fullmatch(line)))
    edges = [m.groups() for line in lines if (m := edge.fullmatch(line))]
    styles = [line for line in lines if line.startswith("  classDef ")]
    assert len(lines) == 1 + len(nodes) + len(edges) + len(styles)
    return nodes, edges


CASES = [(layer, ARGS), (recurrent, (floats(4, 4), floats(9, 2, 4))), (with_python, (floats(6),))]


@pytest.mark.parametrize("fun, args", CASES)
def test_graphs_parse_and_agree(fun, args):
    e = explained(fun, *args)
    dot_nodes, dot_edges = parts_of_dot(e.as_dot())
    mermaid_nodes, mermaid_edges = parts_of_mermaid(e.as_mermaid())
    assert set(dot_nodes) == set(mermaid_nodes) == {n.key for n in e.graph.nodes}
    assert dot_edges == mermaid_edges == [(x.source, x.target) for x in e.graph.edges]
    assert {f"s{n}" for n in range(len(e.steps))} <= set(dot_nodes)
    reached = {t for _, t in dot_edges}
    assert "r0" in reached


def test_arrays_flow_from_arguments_to_results():
    graph = explained(layer, *ARGS).graph
    title = {n.key: n.title for n in graph.nodes}
    flow = [(title[x.source], title[x.target]) for x in graph.edges]
    product, nest = "0 contract ij,jk->ik f32[20,30] f32[30,40]", "1 nest 20x40"
    assert set(flow) == {("w", product), ("x", product), (product, nest), (nest, "result 0")}


def test_odd_names_are_quoted():
    graph = Graph('a "b" \\', (Node("x", "nest", 'p["w"] <&> #1', "new\nline"),), ())
    assert list(parts_of_dot(graph.as_dot())[0]) == ["x"]
    assert parts_of_mermaid(graph.as_mermaid())[0] == {
        "x": "p[#quot;w#quot;] #lt;#amp;#gt; #35;1<br/>new line"
    }


def test_json_has_everything():
    e = explained(layer, *ARGS)
    found = json.loads(e.as_json())
    assert found == json.loads(json.dumps(e.to_dict()))
    assert [s["title"] for s in found["steps"]] == [s.title for s in e.steps]
    assert found["cost"]["flops"] == sum(s["work"]["flops"] for s in found["steps"]) == e.cost.flops
    assert found["memory"]["peak"] == e.memory.peak and found["passes"][0]["name"] == "traced"
    assert found["steps"][0]["lines"][0]["text"] == "h = x @ w"


@pytest.mark.parametrize("fun, args", CASES)
def test_html_draws_the_graph_without_help_from_outside(fun, args):
    e = explained(fun, *args)
    html = e._repr_html_()
    drawing, timeline = (ET.fromstring(s) for s in re.findall(r"<svg.*?</svg>", html, re.S))
    space = "{http://www.w3.org/2000/svg}"
    texts = [t.text for t in drawing.iter(f"{space}text")]
    assert all(n.title in texts for n in e.graph.nodes)
    assert len(drawing.findall(f"{space}path")) == len(e.graph.edges)
    assert timeline.findall(f"{space}polygon")
    outside = [u for u in re.findall(r"https?://[^\s\"<]+", html) if u != "http://www.w3.org/2000/svg"]
    assert not outside and "<script" not in html


def test_the_layout_keeps_boxes_apart_and_edges_downward():
    rng = np.random.default_rng(3)
    nodes = tuple(Node(f"n{i}", "nest", "x" * rng.integers(1, 30)) for i in range(60))
    edges = tuple(
        Edge(f"n{a}", f"n{b}") for a, b in (sorted(rng.choice(60, 2, replace=False)) for _ in range(110))
    )
    layout = _Layout(Graph("g", nodes, edges))
    assert all(layout.level[x.source] < layout.level[x.target] for x in edges)
    for layer_ in layout.layers:
        spans = sorted((layout.x[k] - layout.width[k] / 2, layout.x[k] + layout.width[k] / 2) for k in layer_)
        assert all(a[1] < b[0] for a, b in pairwise(spans))


# Stages of lowering


def test_every_stage_has_its_text():
    lowered = fx.jit(layer).lower(*ARGS)
    assert lowered.as_text() == lowered.as_text("traced") == str(lowered.program)
    names = [p.name for p in lowered.explain().passes]
    assert all("layer(" in lowered.as_text(name) for name in names)
    assert lowered.as_text(names[-1]) == lowered.as_text("simplified")
    fused = lowered.as_text("fused")
    assert "2 steps" in fused and "nest 20x40" in fused and "writes" in fused and "= tanh" in fused
    assert "define" in lowered.as_text("llvm") and "@segment0" in lowered.as_text("llvm")
    assert "segment0:" in lowered.as_text("assembly") and "define" not in lowered.as_text("assembly")


def test_an_unknown_stage_lists_the_others():
    with pytest.raises(fx.ArgumentError) as error:
        fx.jit(layer).lower(*ARGS).as_text("hlo")
    for fact in ("'hlo'", "traced", "inline", "algebra", "simplified", "fused", "llvm", "assembly"):
        assert fact in str(error.value)


def test_compiled_runs_for_its_arguments_only():
    f = fx.jit(layer)
    compiled = f.lower(*(fx.ShapeDtype(a.shape, a.dtype) for a in ARGS)).compile()
    np.testing.assert_array_equal(compiled(*ARGS), f(*ARGS))
    assert f.trace_count == 1 and "w: f32[30,40]" in repr(compiled)
    assert compiled.explain().name == "layer" and compiled.cost().flops == f.cost(*ARGS).flops
    with pytest.raises(fx.ArgumentError) as error:
        compiled(ARGS[0], floats(21, 30))
    assert "x: f32[20,30]" in str(error.value) and "x: f32[21,30]" in str(error.value)
    assert f.trace_count == 1


def test_many_steps_that_are_alike_are_shown_as_one():
    def deep(ws, x):
        for w in ws:
            x = fnp.tanh(x @ w)  # every layer
        return x

    e = explained(deep, [floats(8 + n, 9 + n) for n in range(60)], floats(4, 8))
    assert len(e.steps) == 120
    text = repr(e)
    assert "60 x contract ij,jk->ik f32[n,n] f32[n,n]" in text and "60 x nest nxn" in text
    assert text.count("# every layer") == 2
    assert sum(s.work.flops for s in e.steps) == e.cost.flops
