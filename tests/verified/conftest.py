import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
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
verified_names = ["label_smoothing", "label_smoothing.example"]
# One process builds many sites.
suppress_warnings = ["app.add_node", "app.add_directive", "app.add_role",
                     "bibtex.duplicate_citation"]
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


def build_site(
    root: Path,
    page: str | dict[str, Any],
    builder: str = "html",
    pages: Mapping[str, str] = MappingProxyType({}),
    **options: Any,
) -> tuple[str, Path]:
    """Build a site of one page; return its warnings and the folder of the output.

    The page is Markdown, or the one code cell of a notebook, with its outputs. There may
    be more pages, by name. Options are settings of the configuration. What ran is
    recorded, if not compared.
    """
    source = root / "docs"
    source.mkdir(exist_ok=True)
    notebook_parser = isinstance(page, dict)
    (source / "conf.py").write_text(NOTEBOOK_CONF if notebook_parser else CONF)
    if isinstance(page, dict):
        (source / "index.ipynb").write_text(json.dumps(notebook(page)))
    else:
        pages = {"index": page, **pages}
    for name, text in pages.items():
        (source / f"{name}.md").write_text(f"# Page\n\n{text}\n", encoding="utf-8")
    (source / "references.bib").write_text(BIB)
    warnings, out = io.StringIO(), source / "_build" / builder
    with pytest.MonkeyPatch.context() as patch:
        # The build points IPython at its own folder: let that not leave the test.
        patch.setenv("IPYTHONDIR", str(root))
        Sphinx(
            source,
            source,
            out,
            source / "_build" / "doctrees",
            builder,
            confoverrides={"record": True} | options,
            status=None,
            warning=warnings,
            freshenv=True,
        ).build()
    return warnings.getvalue(), out


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Build a site in a folder of its own, with the engine as it is in its files."""
    (tmp_path / "docs").mkdir()
    yield partial(build_site, tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
