import io
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook
from sphinx.application import Sphinx

DOCS = Path(__file__).parents[2] / "docs"
CONF = """
extensions = ["myst_nb", "sphinx.ext.doctest", "sphinxcontrib.bibtex",
              "presentation", "verified"]
myst_enable_extensions = ["dollarmath"]
nb_execution_mode = "off"
doctest_default_flags = 0
bibtex_bibfiles = ["references.bib"]
exclude_patterns = ["_build"]
verified_names = ["label_smoothing", "label_smoothing.example"]
# One process builds many sites.
suppress_warnings = ["app.add_node", "app.add_directive", "app.add_role",
                     "bibtex.duplicate_citation"]
"""
BIB = """
@book{knuth1984, author={Knuth, Donald}, title={The TeXbook}, year={1984},
      publisher={Addison-Wesley}, annote={gains of about 0.2%, and 0.4}}
"""

Build = Callable[..., tuple[str, Path]]


def read_cases(name: str) -> list[tuple[str, str]]:
    """Return the cases of a file: what follows ``===`` in a line, and what is below."""
    text = Path(__file__).with_name(name).read_text("utf-8")
    cases = [case.partition("\n") for case in text.split("=== ")[1:]]
    return [(head, below) for head, _, below in cases]


def build_site(
    root: Path,
    page: str | list[NotebookNode],
    builder: str = "html",
    pages: Mapping[str, str] = MappingProxyType({}),
    **options: Any,
) -> tuple[str, Path]:
    """Build a site of one page; return its warnings and the folder of the output.

    The page is Markdown, or the cells of a notebook, with their outputs. There may be
    more pages, by name. Options are settings of the configuration. What ran is recorded,
    if not compared.
    """
    source = root / "docs"
    source.mkdir(parents=True, exist_ok=True)
    (source / "conf.py").write_text(CONF)
    if isinstance(page, list):
        cells = [new_markdown_cell("# Page"), *page]
        language = {"language_info": {"name": "python"}}
        nbformat.write(
            new_notebook(cells=cells, metadata=language), source / "index.ipynb"
        )
    else:
        pages = {"index": page, **pages}
    for name, text in pages.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
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
def build(tmp_path: Path) -> Build:
    """Build a site in a folder of its own."""
    return partial(build_site, tmp_path)
