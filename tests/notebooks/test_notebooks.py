"""The code cells of every notebook run, in order; what they assert holds."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, monkeypatch, tmp_path):
    cells = _code_of(json.loads(path.read_text(encoding="utf-8")))
    assert len(cells) > 4
    monkeypatch.chdir(tmp_path)
    scope = {"__name__": "__main__"}
    for cell in cells:
        file = tmp_path / f"{path.stem}-{cell['id']}.py"
        file.write_text("".join(cell["source"]), encoding="utf-8")  # explanations quote the lines of the user
        exec(compile(file.read_text(encoding="utf-8"), file, "exec"), scope)


def _code_of(notebook):
    """Code cells of a valid notebook of format 4.5, stored without results."""
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert set(notebook) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    cells = notebook["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        assert cell["cell_type"] in ("code", "markdown") and isinstance(cell["metadata"], dict)
        assert all(isinstance(line, str) for line in cell["source"])
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 3
