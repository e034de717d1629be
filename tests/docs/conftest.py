import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sphinx.application import Sphinx

DOCS = Path(__file__).parents[2] / "docs"
CONF = """
extensions = ["myst_parser", "sphinx.ext.doctest", "sphinxcontrib.bibtex",
              "drawings", "mathml", "verified"]
myst_enable_extensions = ["dollarmath"]
doctest_default_flags = 0
bibtex_bibfiles = ["references.bib"]
exclude_patterns = ["_build", "auto_examples"]
# One process builds many sites.
suppress_warnings = ["app.add_node", "app.add_directive", "app.add_role"]
"""
BIB = """
@book{knuth1984, author={Knuth, Donald}, title={The TeXbook}, year={1984},
      publisher={Addison-Wesley}}
"""

Build = Callable[..., tuple[str, Path]]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Build a site of one page; return its warnings and the folder of the output."""
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    # The build points IPython at its own folder: let that not leave the test.
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    source = tmp_path / "docs"
    source.mkdir()

    def run(page: str, builder: str = "html") -> tuple[str, Path]:
        (source / "conf.py").write_text(CONF)
        (source / "references.bib").write_text(BIB)
        (source / "index.md").write_text(f"# Page\n\n{page}\n", encoding="utf-8")
        warnings, out = io.StringIO(), source / "_build" / builder
        app = Sphinx(
            source,
            source,
            out,
            source / "_build" / "doctrees",
            builder,
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
    for name in ("verified", "drawings", "mathml"):
        sys.modules.pop(name, None)
