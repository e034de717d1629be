"""The directive ``explorer``: a custom element, and what stands in its place without it.

Its content is a static drawing, the child of the element; a browser that runs scripts
replaces it. Only a page that has an explorer loads its script.
"""

from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

SCRIPTS = Path(__file__).parents[2] / "_static" / "explorers"
SHARED = "explorer"


class explorer(nodes.General, nodes.Element):  # noqa: N801, docutils names its nodes so
    pass


class ExplorerDirective(SphinxDirective):
    """``{explorer} mix``, with a drawing as its content."""

    required_arguments = 1
    has_content = True

    def run(self):
        known = {path.stem for path in SCRIPTS.glob("*.js")} - {SHARED}
        name = self.arguments[0]
        if name not in known:
            raise self.error(f"explorer: {name!r} is none of {', '.join(sorted(known))}")
        self.assert_has_content()
        node = explorer("", *self.parse_content_to_nodes(), name=name)
        self.set_source_info(node)
        return [node]


def visit(self, node):
    self.body.append(self.starttag(node, f"explore-{node['name']}", CLASS="explorer"))


def depart(self, node):
    self.body.append(f"</explore-{node['name']}>\n")


def add_scripts(app, pagename, templatename, context, doctree):
    if doctree is None:
        return
    names = sorted({node["name"] for node in doctree.findall(explorer)})
    if not names:
        return
    app.add_css_file("explorers.css")
    for name in (SHARED, *names):
        # The page is shown once its explorers stand: nothing moves afterwards.
        app.add_js_file(f"explorers/{name}.js", defer="defer", blocking="render")


def setup(app):
    app.add_node(explorer, html=(visit, depart))
    app.add_directive("explorer", ExplorerDirective)
    app.connect("html-page-context", add_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
