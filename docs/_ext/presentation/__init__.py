"""What only presents: drawings, explorers, formulas, tables, markup, downloads."""

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

from presentation import downloads, drawings, explorers, markup, mathml, scripts, tables


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives, and what is done to pages while they are written."""
    app.connect("builder-inited", drawings.configure_notebooks)
    app.add_directive("drawing", drawings.Drawing)
    app.add_directive("explorer", explorers.Explorer)
    app.add_directive("recorded", scripts.Recorded)
    tables.setup(app)
    app.add_transform(drawings.DarkTwins)
    app.add_post_transform(mathml.Punctuation)
    app.add_html_math_renderer("mathml", (mathml.inline, None), (mathml.block, None))
    app.connect("html-page-context", mathml.make_readable, priority=400)
    app.connect("html-page-context", explorers.add_scripts)
    app.connect("html-page-context", markup.finish_page, priority=900)  # last of all
    app.connect("build-finished", downloads.make_reproducible)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
