"""What a reader downloads is the same in every build, byte for byte.

Left alone, Sphinx-Gallery stamps its archives with the time, and MyST-NB names the cells
of a notebook at random.
"""

import json
from pathlib import Path
from zipfile import ZipFile, ZipInfo


def settle_archive(path):
    with ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(ZipInfo(name), content)


def settle_notebook(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for number, cell in enumerate(notebook["cells"]):
        if "id" in cell:
            cell["id"] = f"cell-{number}"
    text = json.dumps(notebook, ensure_ascii=False, indent=1)
    path.write_text(f"{text}\n", encoding="utf-8")


def settle(app, error):
    if error is None and app.builder.format == "html":
        downloads = Path(app.outdir, "_downloads")
        for path in downloads.rglob("*.zip"):
            settle_archive(path)
        for path in downloads.rglob("*.ipynb"):
            settle_notebook(path)


def setup(app):
    app.connect("build-finished", settle)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
