"""TeX becomes MathML while the site is built: no script, and nothing to fetch."""

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

log = logging.getLogger(__name__)
convert = LatexToMathML().convert_with_local_state


def render(node, *, displaystyle):
    tex = node.astext()
    try:
        return convert(tex, displaystyle=displaystyle)
    except LatexError as error:
        log.warning("%s in the formula %r", error, tex, location=node, type="mathml")
        return ""


def visit_inline(self, node):
    self.body.append(render(node, displaystyle=False))
    raise nodes.SkipNode


def visit_block(self, node):
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append(render(node, displaystyle=True))
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
