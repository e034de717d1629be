import json
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile, ZipInfo

import nbclient
import nbformat
import pytest
from presentation.downloads import make_reproducible
from presentation.drawings import configure_notebooks


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    (tmp_path / "_downloads").mkdir()
    return tmp_path / "_downloads"


def test_an_archive_does_not_carry_the_time(downloads: Path) -> None:
    archives = [downloads / f"{year}.zip" for year in (2020, 2030)]
    for path in archives:
        with ZipFile(path, "w") as archive:
            archive.writestr(ZipInfo("a.py", (int(path.stem), 1, 1, 0, 0, 0)), "a = 1")
    make_reproducible(SimpleNamespace(outdir=downloads.parent), None)
    assert archives[0].read_bytes() == archives[1].read_bytes()
    assert ZipFile(archives[0]).read("a.py") == b"a = 1"


def test_the_cells_of_a_notebook_are_numbered(downloads: Path) -> None:
    notebooks = [downloads / f"{n}.ipynb" for n in (1, 2)]
    for path in notebooks:
        cells = [nbformat.v4.new_code_cell(code) for code in ("ε = 1", "ε")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    assert notebooks[0].read_bytes() != notebooks[1].read_bytes()
    make_reproducible(SimpleNamespace(outdir=downloads.parent), None)
    assert notebooks[0].read_bytes() == notebooks[1].read_bytes()
    cells = json.loads(notebooks[0].read_text(encoding="utf-8"))["cells"]
    named = [(cell["id"], cell["source"]) for cell in cells]
    assert named == [("cell-0", ["ε = 1"]), ("cell-1", ["ε"])]
    nbformat.validate(nbformat.read(notebooks[0], as_version=4))


def test_a_slow_cell_prints_in_one_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))  # the next line changes it
    configure_notebooks(SimpleNamespace(srcdir=tmp_path))
    code = "import time\nprint(1)\ntime.sleep(0.5)\nprint(2)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.execute(notebook)
    assert [output["text"] for output in notebook.cells[0].outputs] == ["1\n2\n"]
