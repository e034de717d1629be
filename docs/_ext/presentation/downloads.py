"""What a reader downloads is the same in every build, byte for byte.

Without this, Sphinx-Gallery writes the time into its archives, and MyST-NB gives the
cells of a notebook random names.
"""

import json
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from sphinx.application import Sphinx


def remove_times(archive: Path) -> None:
    """Write an archive again, with each file at the same fixed time."""
    with ZipFile(archive) as old:
        files = {name: old.read(name) for name in old.namelist()}
    with ZipFile(archive, "w") as new:
        for name, content in files.items():
            new.writestr(ZipInfo(name), content)


def number_cells(notebook: Path) -> None:
    """Write a notebook again, with its cells named by their number."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    for number, cell in enumerate(content["cells"]):
        if "id" in cell:
            cell["id"] = f"cell-{number}"
    text = json.dumps(content, ensure_ascii=False, indent=1)
    notebook.write_text(f"{text}\n", encoding="utf-8")


def make_reproducible(app: Sphinx, error: Exception | None) -> None:
    """Take from the downloads of a finished site what differs from build to build."""
    if error is None:
        for archive in Path(app.outdir, "_downloads").rglob("*.zip"):
            remove_times(archive)
        for notebook in Path(app.outdir, "_downloads").rglob("*.ipynb"):
            number_cells(notebook)
