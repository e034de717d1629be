"""A change in src/ alone reaches every page, and no number gets past it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# All but the pages, and what is made of them.
LEFT_OUT = ("*.md", "*.ipynb", "_build", "auto_examples", "record.json")
NOX = ("-m", "nox", "-s", "docs", "--no-venv", "--no-install", "--")
CODE = "from label_smoothing import uniform\nprint(uniform(5))"
PAGES = {
    "docs/index.md": f"""# A site

```{{testcode}}
{CODE}
```

```{{testoutput}}
tensor([0.2000, 0.2000, 0.2000, 0.2000, 0.2000])
```

Each class has {{num}}`0.20 := uniform(5)[0]`.

```{{toctree}}
notebook
auto_examples/index
```
""",
    "docs/notebook.md": f"""---
file_format: mystnb
kernelspec: {{name: python3}}
---

# A notebook

```{{code-cell}}
{CODE}
```
""",
    "examples/GALLERY_HEADER.rst": "A gallery\n=========\n",
    "examples/plot_1.py": f'''"""
A script
========

It draws a figure.
"""

from label_smoothing import figures

figure = figures.floor(5, 0.3)

# %%
# What it prints:

{CODE}
''',
    "examples/plot_2.py": f'''"""
A script in one block
=====================

It draws a figure.
"""

from label_smoothing import figures

figure = figures.floor(5, 0.3)
{CODE}
''',
}


def build_docs(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, *NOX, *options],
        cwd=root,
        env=os.environ | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_a_change_in_src_reaches_every_page(tmp_path: Path) -> None:
    for name in ("noxfile.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("src", "docs"):
        ignored = shutil.ignore_patterns(*LEFT_OUT)
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name, text in PAGES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    html = tmp_path / "docs" / "_build" / "html"
    gallery = html / "auto_examples"
    printed = [html / "notebook.html", gallery / "plot_1.html", gallery / "plot_2.html"]

    built = build_docs(tmp_path, "--record")
    assert built.returncode == 0, built.stdout
    built = build_docs(tmp_path)
    assert built.returncode == 0, built.stdout
    for page in printed:
        assert "0.2000" in page.read_text(encoding="utf-8")

    targets = tmp_path / "src" / "label_smoothing" / "targets.py"
    code = targets.read_text(encoding="utf-8")
    changed = code.replace("1 / num_classes)", "1 / (num_classes + 1))")
    assert changed != code
    targets.write_text(changed, encoding="utf-8")

    built = build_docs(tmp_path)
    assert built.returncode != 0
    told = "the page says 0.20, uniform(5)[0] gives tensor(0.1667)"
    assert built.stdout.count(told) == 1
    assert "examples/plot_1.py:1: WARNING: outputs: the build has" in built.stdout
    assert "docs/examples" not in built.stdout
    assert built.stdout.count("Got:\n    tensor([0.1667, ") == 1
    for page in printed:
        text = page.read_text(encoding="utf-8")
        assert "0.1667" in text
        assert "0.2000" not in text
