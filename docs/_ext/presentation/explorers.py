"""The directive ``explorer``: a custom element around the drawing that it replaces.

Without scripts a browser shows the drawing. Only a page that has an explorer loads its
script.
"""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

SCRIPTS = Path(__file__).parents[2] / "_static" / "explorers"
SHARED = "explorer"


class Explorer(SphinxDirective):
    """``{explorer} mix``, with a drawing as its content."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Put the element around the content, if there is a script of its name."""
        known = {path.stem for path in SCRIPTS.glob("*.js")} - {SHARED}
        name = self.arguments[0]
        if name not in known:
            raise self.error(f"explorer: {name!r} is none of {', '.join(sorted(known))}")
        self.assert_has_content()
        tags = f'<explore-{name} class="explorer">\n', f"</explore-{name}>\n"
        start, end = (nodes.raw("", tag, format="html") for tag in tags)
        return [start, *self.parse_content_to_nodes(), end]


def add_scripts(app: Sphinx, page: str, _: str, context: Any, tree: object) -> None:
    """Load the scripts of the explorers that are on a page."""
    names = set(re.findall(r"<explore-(\w+)", context.get("body", "")))
    if names:
        app.add_css_file("explorers.css")
        for name in (SHARED, *sorted(names)):
            # A browser shows the page once its explorers are there: nothing moves later.
            app.add_js_file(f"explorers/{name}.js", defer="defer", blocking="render")
