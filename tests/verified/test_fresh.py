"""A change in src/ alone reaches every page, and no number gets past it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .conftest import read_cases

ROOT = Path(__file__).parents[2]
# All but the pages, and what is made of them.
LEFT_OUT = shutil.ignore_patterns(
    "*.md", "*.ipynb", "_build", "auto_examples", "record.json"
)
NOX = (sys.executable, "-m", "nox", "-s", "docs", "--no-venv", "--no-install", "--")


def build_docs(root: Path, *options: str) -> tuple[int, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        [*NOX, *options],
        cwd=root,
        env=os.environ | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout


def test_a_change_in_src_reaches_every_page(tmp_path: Path) -> None:
    for name in ("noxfile.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("src", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=LEFT_OUT)
    for name, text in read_cases("fresh.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    html = tmp_path / "docs" / "_build" / "html"
    gallery = html / "auto_examples"
    printed = [html / "notebook.html", gallery / "plot_1.html", gallery / "plot_2.html"]

    for options in (["--record"], []):
        code, said = build_docs(tmp_path, *options)
        assert code == 0, said
    for page in printed:
        assert "0.2000" in page.read_text(encoding="utf-8")

    targets = tmp_path / "src" / "label_smoothing" / "targets.py"
    source = targets.read_text(encoding="utf-8")
    changed = source.replace("1 / num_classes)", "1 / (num_classes + 1))")
    assert changed != source
    targets.write_text(changed, encoding="utf-8")

    code, said = build_docs(tmp_path)
    assert code != 0
    assert said.count("the page says 0.20, uniform(5)[0] gives tensor(0.1667)") == 1
    assert "examples/plot_1.py:1: WARNING: outputs: the build has" in said
    assert "docs/examples" not in said
    assert said.count("Got:\n    tensor([0.1667, ") == 1
    for page in printed:
        text = page.read_text(encoding="utf-8")
        assert "0.1667" in text
        assert "0.2000" not in text
