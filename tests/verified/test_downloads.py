import json
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile, ZipInfo

import nbclient
import nbformat
import pytest

EXT = Path(__file__).parents[2] / "docs" / "_ext"


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(EXT))
    (tmp_path / "_downloads").mkdir()
    return tmp_path


def settle(out: Path) -> None:
    from presentation.downloads import make_reproducible

    make_reproducible(SimpleNamespace(outdir=out), None)


def test_an_archive_does_not_carry_the_time(out: Path) -> None:
    archives = [out / "_downloads" / f"{year}.zip" for year in (2020, 2030)]
    for path in archives:
        with ZipFile(path, "w") as archive:
            archive.writestr(ZipInfo("a.py", (int(path.stem), 1, 1, 0, 0, 0)), "a = 1")
    settle(out)
    assert archives[0].read_bytes() == archives[1].read_bytes()
    assert ZipFile(archives[0]).read("a.py") == b"a = 1"


def test_the_cells_of_a_notebook_are_numbered(out: Path) -> None:
    notebooks = [out / "_downloads" / f"{n}.ipynb" for n in (1, 2)]
    for path in notebooks:
        cells = [nbformat.v4.new_code_cell(code) for code in ("ε = 1", "ε")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    assert notebooks[0].read_bytes() != notebooks[1].read_bytes()
    settle(out)
    assert notebooks[0].read_bytes() == notebooks[1].read_bytes()
    cells = json.loads(notebooks[0].read_text(encoding="utf-8"))["cells"]
    assert [(cell["id"], cell["source"]) for cell in cells] == [
        ("cell-0", ["ε = 1"]),
        ("cell-1", ["ε"]),
    ]
    nbformat.validate(nbformat.read(notebooks[0], as_version=4))


def test_a_slow_cell_prints_in_one_piece(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(out))  # the next line changes it
    from presentation.drawings import configure_notebooks

    configure_notebooks(SimpleNamespace(srcdir=out))
    code = "import time\nprint(1)\ntime.sleep(0.5)\nprint(2)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.execute(notebook)
    assert [output["text"] for output in notebook.cells[0].outputs] == ["1\n2\n"]
