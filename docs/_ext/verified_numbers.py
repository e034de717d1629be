"""A decimal in the text is one of three, and its source says which.

* ``{num}`1.3883 := LabelSmoothing(0.3)(logits, target)``` is computed: the build
  evaluates the expression and compares every digit shown. It knows the names of
  ``label_smoothing``, ``torch``, ``F``, ``math``, and the running example ``logits``,
  ``target``, ``smoothing``;
* ``{given}`0.3``` is an input: the number stands in some code of the same page, be it an
  example, a drawing, or the expression of another number;
* ``{cited}`0.2 := szegedy2016``` is someone else's: the page cites that work.

A decimal in inline code, in a formula, or in a block that is not run has no room for a
role. It must be one that the same page computes, runs or is given.
"""

import ast
import doctest
import io
import re
import tokenize

import torch
from docutils import nodes
from names import NAMES
from sphinx import addnodes
from sphinx.util.docutils import SphinxRole
from verified_code import (
    in_gallery,
    inside,
    is_cell_input,
    is_gallery_code,
    is_output,
    is_test,
    warn,
)

NUMBER = re.compile(r"(?<![\w.])[-−]?(?:(?:\d+(?:\.\d+)?|\.\d+)(?:e-?\d+)?|inf\b|nan\b)")
# A number of a version has three parts, and stands for no quantity.
VERSION = re.compile(r"\d+\.\d+\.\d+[\w.+-]*")
COMMAND = re.compile(r"\\[A-Za-z]+")  # of TeX
DECIMAL = re.compile(r"(?<![\w.])(?:\d*\.\d+(?:e-?\d+)?|\d+e-?\d+)")
QUOTED = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block)
NO_PROSE = (
    addnodes.desc_signature,
    nodes.citation,
    nodes.comment,
    nodes.doctest_block,
)


def decimals(text):
    return DECIMAL.findall(VERSION.sub("", COMMAND.sub(" ", text)))


class Tied(SphinxRole):
    """The roles num, given and cited."""

    def run(self):
        shown, _, tie = (part.strip() for part in self.text.partition(":="))
        node = nodes.inline(shown, shown, classes=["tied"])
        node["tie"] = (self.name, tie)
        node.source, node.line = self.get_source_info()
        if self.name == "num":
            compare(shown, tie, node)
        elif self.name == "cited" and not tie:
            warn("cited: write `%s := key of the work`", shown, location=node)
        return [node], []


def shows(number, value):
    """Say if the value, rounded to as many digits, is written as this number."""
    number = number.replace("−", "-")
    mantissa, _, exponent = number.partition("e")
    digits = len(mantissa.partition(".")[2])
    if exponent:
        rounded, _, power = f"{value:.{digits}e}".partition("e")
        return mantissa == rounded and int(exponent) == int(power)
    rounded = f"{value:.{digits}f}"
    if not rounded.strip("-0."):
        rounded = rounded.lstrip("-")
    return rounded in (number, number.replace(".", "0.", 1))


def compare(shown, expression, location):
    """Evaluate the expression, and compare each number shown, digit by digit."""
    try:
        computes = any(
            isinstance(part, ast.Name | ast.BinOp)
            for part in ast.walk(ast.parse(expression, mode="eval"))
        )
        value = eval(expression, dict(NAMES))
        values = torch.as_tensor(value, dtype=torch.float64).flatten().tolist()
    except Exception as error:
        warn("num: %r raised %r", expression, error, location=location)
        return
    if not computes:
        warn("num: %r computes nothing", expression, location=location)
    numbers = NUMBER.findall(shown)
    same = len(numbers) == len(values) and all(map(shows, numbers, values))
    if not numbers or not same:
        warn(
            "num: the page says %s, %s gives %s",
            shown,
            expression,
            value,
            location=location,
        )


def literals(code):
    """Return the numbers that stand in Python code, comments left out."""
    try:
        if code.lstrip().startswith(">>> "):
            code = "".join(e.source for e in doctest.DocTestParser().get_examples(code))
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, IndentationError, ValueError):  # not Python
        return set()
    return {token.string for token in tokens if token.type == tokenize.NUMBER}


def is_code(node, name):
    if is_test(node):
        return node["testnodetype"] != "testoutput"
    if not isinstance(node, nodes.literal_block):
        return isinstance(node, nodes.doctest_block)
    return is_cell_input(node) or is_gallery_code(node, name)


def is_printed(node):
    kind = node.get("testnodetype")
    return kind in ("testoutput", "doctest") or isinstance(node, nodes.doctest_block)


def is_tied(node):
    return isinstance(node, nodes.inline) and "tie" in node


class Page:
    """The numbers of a page, by where they come from."""

    def __init__(self, tree, name):
        self.tree, self.name = tree, name
        self.tied = list(tree.findall(is_tied))
        blocks = list(tree.findall(nodes.literal_block))
        blocks += tree.findall(nodes.doctest_block)
        code = [b.astext() for b in blocks if is_code(b, name)]
        code += [node.get("expression", "") for node in tree.findall(nodes.figure)]
        code += [tie for kind, tie in (n["tie"] for n in self.tied) if kind == "num"]
        self.inputs = set().union(*map(literals, code))
        printed = [b.astext() for b in blocks if is_output(b, name) or is_printed(b)]
        printed += [node.astext() for node in self.tied]
        self.known = self.inputs.union(*map(decimals, printed))
        self.cited = {
            key
            for node in tree.findall(nodes.Element)
            for key in node.get("bibtex_keys", ())
        } | {
            node["reftarget"]
            for node in tree.findall(addnodes.pending_xref)
            if node.get("refdomain") == "cite"
        }

    def check_ties(self):
        for node in self.tied:
            kind, tie = node["tie"]
            if kind == "given" and node.astext().lstrip("-−") not in self.inputs:
                warn("given: no code of this page has %s", node.astext(), location=node)
            if kind == "cited" and tie and tie not in self.cited:
                warn("cited: this page does not cite %s", tie, location=node)

    def texts(self):
        """Yield every text of the page that a reader sees, and where it stands."""
        for text in self.tree.findall(nodes.Text):
            yield text.parent, str(text)
        for node in self.tree.findall(nodes.image):
            if not node.get("drawn") and not in_gallery(self.name):
                yield node, node.get("alt", "")
        for node in self.tree.findall(nodes.meta):
            yield node, node.get("content", "")
        for node in self.tree.findall(addnodes.toctree):
            titles = [title for title, _ in node["entries"] if title]
            yield node, " ".join([node.get("caption") or "", *titles])

    def check_texts(self):
        for node, text in self.texts():
            numbers = decimals(text)
            if not numbers or inside(node, lambda n: self.is_exempt(n)):
                continue
            if inside(node, lambda n: isinstance(n, QUOTED)):
                numbers = [n for n in numbers if n not in self.known]
            signature = enclosing_signature(node)
            if signature is not None:  # the default of an argument, in its description
                numbers = [n for n in numbers if n not in decimals(signature.astext())]
            if numbers:
                warn(
                    "numbers that nothing verifies: %s; "
                    "use the roles num, given or cited",
                    ", ".join(numbers),
                    location=node,
                )

    def is_exempt(self, node):
        ran = is_test(node) or is_code(node, self.name) or is_output(node, self.name)
        return is_tied(node) or isinstance(node, NO_PROSE) or ran


def enclosing_signature(node):
    """Return the signature of the object whose list of arguments this text is in."""
    listed = False
    while node is not None:
        listed |= isinstance(node, nodes.field_list)
        if isinstance(node, addnodes.desc):
            return node.next_node(addnodes.desc_signature) if listed else None
        node = node.parent
    return None


def check(app, env):
    for name in sorted(env.found_docs):
        page = Page(env.get_doctree(name), name)
        page.check_ties()
        page.check_texts()


def setup(app):
    app.setup_extension("verified_code")
    for name in ("num", "given", "cited"):
        app.add_role(name, Tied())
    app.connect("env-check-consistency", check)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
