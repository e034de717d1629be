"""What only presents: drawings, explorers, formulas, tables, markup, downloads."""

from sphinx.application import Sphinx

from presentation import (
    downloads,
    drawings,
    explorers,
    markup,
    mathml,
    scripts,
    tables,
)


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directives, and what is done to finished pages."""
    for part in (downloads, drawings, explorers, markup, mathml, scripts, tables):
        part.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
