"""TeX becomes MathML while the site is built: no script, and nothing to fetch."""

import re
from typing import Any

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

log = logging.getLogger(__name__)
# The prime of the font is raised and small already: as a superscript it is hard to see.
PRIME = r'<mrow>\1<mo lspace="0" rspace="0">′</mo></mrow>'
REPLACED = (
    ("<msup>(<mi>.</mi>)<mo>′</mo></msup>", PRIME),
    (
        "<msubsup>(<mi>.</mi>)((?:(?!</msubsup>).)*)<mo>′</mo></msubsup>",
        rf"<msub>{PRIME}\2</msub>",
    ),
    # The symbols that have a colour of their own, in figures and in formulas alike.
    ("<mi>(δ)</mi>", r'<mi class="delta">\1</mi>'),
    ("<mi>(u|p)</mi>", r'<mi class="\1">\1</mi>'),
    ("<mrow>(?=<mi>q</mi><mo [^>]*>′)", '<mrow class="q">'),
)
convert = LatexToMathML().convert_with_local_state


def to_mathml(node: nodes.Element, *, displaystyle: bool) -> str:
    """Return the formula of a node as MathML."""
    tex = node.astext()
    try:
        mathml = convert(tex, displaystyle=displaystyle)
    except LatexError as error:
        log.warning("%s in the formula %r", error, tex, location=node, type="mathml")
        return ""
    for found, written in REPLACED:
        mathml = re.sub(found, written, mathml)
    return mathml


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula that is part of a sentence."""
    mathml = to_mathml(node, displaystyle=False)
    after = node.get("punctuation", "")
    self.body.append(f'<span class="formula">{mathml}{after}</span>' if after else mathml)
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on a line of its own, with its number."""
    # The theme wraps most formulas, and then writes the id itself.
    wrapped = "math-wrapper" in node.parent.get("classes", ())
    ids = [] if wrapped else list(node["ids"])
    self.body.append(self.starttag(nodes.Element(), "div", CLASS="math", ids=ids))
    self.body.append(to_mathml(node, displaystyle=True))
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

    def run(self, **kwargs: Any) -> None:
        """Move the mark from the text into the formula."""
        for node in list(self.document.findall(nodes.math)):
            after = node.next_node(descend=False, siblings=True)
            if isinstance(after, nodes.Text) and after[:1] in tuple(",.;:?!)"):
                node["punctuation"] = after[:1]
                after.parent.replace(after, nodes.Text(after[1:]))


def make_readable(app: Sphinx, page: str, _: str, context: Any, tree: Any) -> None:
    """Leave text, not TeX, for the description that links to a page show."""
    for node in list(tree.findall(nodes.math)) if tree else ():
        text = re.sub("<[^>]*>", "", to_mathml(node, displaystyle=False))
        node.replace_self(nodes.Text(f" {text}"))
    for node in list(tree.findall(nodes.math_block)) if tree else ():
        node.parent.remove(node)
