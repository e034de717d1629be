import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sphinx.application import Sphinx

DOCS = Path(__file__).parents[2] / "docs"
OURS = ("presentation", "verified")
CONF = """
extensions = ["myst_parser", "sphinx.ext.doctest", "sphinxcontrib.bibtex",
              "presentation", "verified"]
myst_enable_extensions = ["dollarmath"]
doctest_default_flags = 0
bibtex_bibfiles = ["references.bib"]
exclude_patterns = ["_build", "auto_examples"]
verified_names = ["label_smoothing", "label_smoothing.__main__"]
# One process builds many sites.
suppress_warnings = ["app.add_node", "app.add_directive", "app.add_role"]
"""
NOTEBOOK_CONF = f"""{CONF.replace("myst_parser", "myst_nb")}
nb_execution_mode = "off"
source_suffix = {{".md": "myst-nb", ".ipynb": "myst-nb"}}
"""
BIB = """
@book{knuth1984, author={Knuth, Donald}, title={The TeXbook}, year={1984},
      publisher={Addison-Wesley}, annote={gains of about 0.2%, and 0.4}}
"""

SHOWN_TEXT = {"output_type": "stream", "name": "stdout", "text": "1.3883\n"}

Build = Callable[..., tuple[str, Path]]


def notebook(cell: dict[str, Any]) -> dict[str, Any]:
    title = {"cell_type": "markdown", "metadata": {}, "source": "# Page"}
    code = {"cell_type": "code", "metadata": {}, "execution_count": 1, "outputs": []}
    return {
        "cells": [title, code | cell],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 4,
    }


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Build a site of one page; return its warnings and the folder of the output.

    The page is Markdown, or the one code cell of a notebook, with its outputs.
    Options are extensions besides the usual ones, and settings of the configuration.
    """
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    # The build points IPython at its own folder: let that not leave the test.
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    source = tmp_path / "docs"
    source.mkdir()

    def run(
        page: str | dict[str, Any],
        builder: str = "html",
        extra: Sequence[str] = (),
        **options: Any,
    ) -> tuple[str, Path]:
        notebook_parser = isinstance(page, dict) or "proof" in extra
        conf = NOTEBOOK_CONF if notebook_parser else CONF
        (source / "conf.py").write_text(conf)
        if isinstance(page, str):
            (source / "index.md").write_text(f"# Page\n\n{page}\n", encoding="utf-8")
        else:
            (source / "index.ipynb").write_text(json.dumps(notebook(page)))
        (source / "references.bib").write_text(BIB)
        warnings, out = io.StringIO(), source / "_build" / builder
        app = Sphinx(
            source,
            source,
            out,
            source / "_build" / "doctrees",
            builder,
            confoverrides=options,
            status=None,
            warning=warnings,
            freshenv=True,
        )
        app.build()
        printed = warnings.getvalue()
        if builder == "doctest":
            printed += (out / "output.txt").read_text(encoding="utf-8")
        return printed, out

    yield run
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
