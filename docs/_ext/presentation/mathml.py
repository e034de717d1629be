"""TeX becomes MathML while the site is built: no script, and nothing to fetch."""

import re

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

log = logging.getLogger(__name__)
# The symbols that have a colour of their own, in figures and in formulas alike.
COLOURED = (
    (re.compile("<mi>(δ)</mi>"), r'<mi class="delta">\1</mi>'),
    (re.compile("<mi>(u|p)</mi>"), r'<mi class="\1">\1</mi>'),
    (re.compile("<mrow>(?=<mi>q</mi><mo [^>]*>′)"), '<mrow class="q">'),
)
# The prime of the font is raised and small already: as a superscript it all but vanishes.
PRIME = r'<mrow>\1<mo lspace="0" rspace="0">′</mo></mrow>'
PRIMES = (
    (re.compile("<msup>(<mi>.</mi>)<mo>′</mo></msup>"), PRIME),
    (
        re.compile("<msubsup>(<mi>.</mi>)((?:(?!</msubsup>).)*)<mo>′</mo></msubsup>"),
        rf"<msub>{PRIME}\2</msub>",
    ),
)
convert = LatexToMathML().convert_with_local_state


def render(node, *, displaystyle):
    tex = node.astext()
    try:
        mathml = convert(tex, displaystyle=displaystyle)
    except LatexError as error:
        log.warning("%s in the formula %r", error, tex, location=node, type="mathml")
        return ""
    for found, written in PRIMES + COLOURED:
        mathml = found.sub(written, mathml)
    return mathml


def visit_inline(self, node):
    mathml = render(node, displaystyle=False)
    after = node.get("punctuation", "")
    self.body.append(f'<span class="formula">{mathml}{after}</span>' if after else mathml)
    raise nodes.SkipNode


def visit_block(self, node):
    # The theme wraps each formula, and gives the wrapper its ids: an id stands once.
    wrapped = "math-wrapper" in node.parent.get("classes", ())
    node_ids = [] if wrapped else node["ids"]
    self.body.append(self.starttag({}, "div", CLASS="math", ids=list(node_ids)))
    self.body.append(render(node, displaystyle=True))
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


class Punctuation(SphinxPostTransform):
    """Keep a comma or a full stop on the line of the formula before it."""

    default_priority = 900
    formats = ("html",)

    def run(self):
        for node in list(self.document.findall(nodes.math)):
            after = node.next_node(descend=False, siblings=True)
            if isinstance(after, nodes.Text) and after[:1] in tuple(",.;:?!)"):
                node["punctuation"] = after[:1]
                after.parent.replace(after, nodes.Text(after[1:]))


def describe(app, page, template, context, doctree):
    """Leave readable text, not TeX, for the description that links to a page show."""
    if doctree is None:
        return
    for node in list(doctree.findall(nodes.math)):
        text = re.sub("<[^>]*>", "", render(node, displaystyle=False))
        node.replace_self(nodes.Text(f" {text}"))
    for node in list(doctree.findall(nodes.math_block)):
        node.parent.remove(node)


def setup(app):
    app.add_post_transform(Punctuation)
    app.connect("html-page-context", describe, priority=400)
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
