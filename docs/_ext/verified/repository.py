"""The pages that are read in the repository: the build reads them, and writes none.

A host of repositories shows them as plain Markdown, without roles and directives. So a
number there is in ``python`` code, in the ``text`` below it that says what the code
prints, or in a console block.
"""

from pathlib import Path

from sphinx.application import Sphinx

NAMES = ("../README", "../CONTRIBUTING")
TESTS = {"```python\n": "```{testcode}\n", "```text\n": "```{testoutput}\n"}


def make_tests(app: Sphinx, page: str, source: list[str]) -> None:
    """Make tests of the code and its output, as they would be on a page of the site."""
    if page in NAMES:
        for shown, test in TESTS.items():
            source[0] = source[0].replace(shown, test)


def read(app: Sphinx) -> list[str]:
    """Read the pages that are there, and return their names."""
    files = {name: Path(f"{name}.md") for name in NAMES}
    found = {name: file for name, file in files.items() if (app.srcdir / file).exists()}
    app.project._docname_to_path.update(found)  # Sphinx looks for pages in docs alone
    for name in found:
        app.builder.read_doc(name)
        # The site knows nothing of it: no index and no search may lead there.
        app.emit("env-purge-doc", app.env, name)
        app.env.clear_doc(name)
    return list(found)


def setup(app: Sphinx) -> None:
    """Prepare these pages when they are read."""
    app.connect("source-read", make_tests)
