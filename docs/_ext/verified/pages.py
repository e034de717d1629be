"""A number in the text is one of three, and its source says which, after ``:=``.

* ``{num}`1.3883 := LabelSmoothing(0.3)(logits, target)``` is computed: the build
  evaluates the expression and compares every digit shown. It knows the names of
  ``label_smoothing``, ``torch``, ``F``, ``math``, and the running example ``logits``,
  ``target``, ``smoothing``. ``{printed}`2 := tensor(2)``` is computed too: the words
  stand in an output of the same page, or in what a drawing says it shows;
* ``{given}`0.3 := smoothing=0.3``` is an input: the words stand in code of the same page,
  be it an example, a drawing, or the expression of another number;
* ``{cited}`0.2 := szegedy2016: about 0.2%``` is someone else's: the words stand in the
  ``annote`` of that work, in the bibliography.

The words have one number, the one that is shown: a digit that changes on one side alone
is an error, whatever other numbers the page has.
"""

import ast
import functools
import io
import re
import tokenize
from pathlib import Path

import pybtex.database
import torch
from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxRole

from verified.code import (
    has_output,
    inside,
    is_cell_input,
    is_gallery_code,
    is_output,
    is_test,
    warn,
)
from verified.names import NAMES

DECIMAL = r"(?:\d*\.\d+(?:e[-+]?\d+)?|\d+e[-+]?\d+)"
NUMBER = re.compile(rf"(?<![\w.])[-−]?(?:{DECIMAL}|\d+|inf\b|nan\b)")
# Digits that stand for no quantity.
NAME = re.compile(
    r"\d+\.\d+\.\d+[\w.+-]*"  # 2.13.0, a version
    r"|\b[^\W\d]\w*-?\d\w*"  # float32, top-1
    r"|\b\dD\b"
    r"|\bPython \d(?:\.\d+)?"
    r"|\b[Ss]ection \d+|\bStep \d+(?=:)"
    r"|(?<![\w.])(?:19[5-9]|20[0-4])\d(?![\w.]|\.\d)"  # a year
    r"|\.\d+[efg](?=\})"  # {loss:.4f}
)
DIGITS = ".0123456789"
DEFAULT = re.compile(r"default: ([^\s,)]+)")
COMMAND = re.compile(r"\\[A-Za-z]+")  # of TeX
ROLES = ("num", "given", "printed", "cited")
QUOTED = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block)
NO_PROSE = (
    addnodes.desc_signature,
    nodes.citation,
    nodes.comment,
    nodes.doctest_block,
)


def numbers(text):
    """Return the numbers of a text, without those that are part of a name."""
    found = NUMBER.findall(NAME.sub(" ", text).replace("−", "-"))
    return [number for number in found if number.strip("-") not in ("inf", "nan")]


def is_decimal(number):
    return bool(re.search(r"[.e]", number))


class Tied(SphinxRole):
    """The roles num, given, printed and cited."""

    def run(self):
        shown, _, tie = (part.strip() for part in self.text.partition(":="))
        node = nodes.inline(shown, shown, classes=["tied"])
        node["tie"] = (self.name, tie)
        node.source, node.line = self.get_source_info()
        if self.name == "num":
            compare(shown, tie, node)
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


@functools.cache
def evaluate(expression):
    """Return the value of an expression, or the error that it raises."""
    try:
        value = eval(expression, dict(NAMES))
        return value, torch.as_tensor(value, dtype=torch.float64).flatten().tolist()
    except Exception as error:
        return error, None


def compare(shown, expression, location):
    """Evaluate the expression, and compare each number shown, digit by digit."""
    value, values = evaluate(expression)
    if values is None:
        warn("num: %r raised %r", expression, value, location=location)
        return
    tree = ast.walk(ast.parse(expression, mode="eval"))
    if not any(isinstance(part, ast.Name | ast.BinOp) for part in tree):
        warn("num: %r computes nothing", expression, location=location)
    found = NUMBER.findall(shown)
    same = len(found) == len(values) and all(map(shows, found, values))
    if not found or not same:
        warn(
            "num: the page says %s, %s gives %s",
            shown,
            expression,
            value,
            location=location,
        )


def squeeze(text):
    return " ".join(text.split())


def tokens(code):
    """Return the tokens of Python code, of a doctest or of a page."""
    lines = code.splitlines(keepends=True)
    if code.lstrip().startswith(">>> "):
        lines = [line[4:] for line in lines if line.startswith((">>> ", "... "))]
    try:
        return list(tokenize.generate_tokens(io.StringIO("".join(lines)).readline))
    except (tokenize.TokenError, IndentationError):  # not Python, but a magic
        return []


@functools.cache
def without_comments(code):
    comments = [t.string for t in tokens(code) if t.type == tokenize.COMMENT]
    for comment in comments:
        code = code.replace(comment, "")
    return squeeze(code)


@functools.cache
def annotations(bibliography):
    entries = pybtex.database.parse_string(bibliography, "bibtex").entries
    return {key: squeeze(work.fields.get("annote", "")) for key, work in entries.items()}


def is_code(node, name):
    if is_test(node):
        return node["testnodetype"] != "testoutput"
    if not isinstance(node, nodes.literal_block):
        return isinstance(node, nodes.doctest_block)
    ran = node.get("ran") == "script"
    return ran or is_cell_input(node) or is_gallery_code(node, name)


def is_printed(node, name):
    if is_test(node):
        return node["testnodetype"] != "testcode"
    return (
        isinstance(node, nodes.doctest_block)
        or (node.get("language") == "console" and has_output(node.astext()))
        or node.get("ran") == "output"
        or is_output(node, name)
    )


def is_tied(node):
    return isinstance(node, nodes.inline) and "tie" in node


def is_outside_link(node):
    return isinstance(node, nodes.reference) and "://" in node.get("refuri", "")


def address_of(node):
    """Return the numbers in the address that a link leads to."""
    while not is_outside_link(node):
        node = node.parent
    return re.findall(r"\d+", node["refuri"])


def find(words, text, number=None):
    """Find the words; a part of a number is not that number.

    With a number of theirs, find words that have any other in its place.
    """
    pattern = re.escape(words)
    if number:
        pattern = pattern.replace(re.escape(number), NUMBER.pattern)
    before = r"(?<!\d)(?<!\d\.)" if words[0] in DIGITS else ""
    after = r"(?!\.?\d)" if words[-1] in DIGITS else ""
    return re.search(f"{before}{pattern}{after}", text)


class Page:
    """The numbers of a page, by where they come from."""

    def __init__(self, env, name, tree):
        self.env, self.name, self.tree = env, name, tree
        self.tied = list(self.tree.findall(is_tied))
        blocks = list(self.tree.findall(nodes.literal_block))
        blocks += self.tree.findall(nodes.doctest_block)
        self.code = [block for block in blocks if is_code(block, name)]
        printed = [block.astext() for block in blocks if is_printed(block, name)]
        drawn = [image["alt"] for image in self.tree.findall(is_drawn)]
        figures = [node.get("expression", "") for node in self.tree.findall(nodes.figure)]
        code = [without_comments(block.astext()) for block in self.code]
        ties = (node["tie"] for node in self.tied)
        expressions = [tie for kind, tie in ties if kind == "num"]
        self.words = {
            "given": "\n".join([*code, *figures, *expressions]),
            "printed": "\n".join(map(squeeze, [*printed, *drawn])),
        }
        self.cited = {
            key
            for node in self.tree.findall(nodes.Element)
            for key in node.get("bibtex_keys", ())
        } | {
            node["reftarget"]
            for node in self.tree.findall(addnodes.pending_xref)
            if node.get("refdomain") == "cite"
        }

    def check(self):
        for node in self.tied:
            kind, tie = node["tie"]
            if kind == "cited":
                self.check_citation(node, tie)
            elif kind != "num":
                self.check_words(node, kind, tie, "this page", self.words[kind])
        self.check_texts()
        self.check_defaults()
        self.check_code()

    def check_citation(self, node, tie):
        key, _, words = (part.strip() for part in tie.partition(":"))
        if key not in self.cited:
            warn("cited: this page does not cite %r", key, location=node)
            return
        path = Path(self.env.srcdir, self.env.config.bibtex_bibfiles[0])
        annotation = annotations(path.read_text(encoding="utf-8")).get(key, "")
        self.check_words(node, "cited", words, f"the annote of {key}", annotation)

    def check_words(self, node, kind, words, place, text):
        """Check that the words are there, with the number shown as their only one."""
        shown, found = node.astext(), numbers(words)
        if not found:
            advice = "`%s := words around it`"
            warn(f"{kind}: write {advice}, as in %s", shown, place, location=node)
        elif numbers(shown) != found or len(found) > 1:
            warn("%s: the page says %s, its tie %s", kind, shown, words, location=node)
        elif not find(squeeze(words), text):
            near = find(squeeze(words), text, found[0])
            advice = f"; it has {near[0]!r}" if near else ""
            warn(f"{kind}: %s does not have %r%s", place, words, advice, location=node)

    def texts(self):
        """Yield every text of the page that a reader sees, and where it stands."""
        for text in self.tree.findall(nodes.Text):
            yield text.parent, str(text)
        for node in self.tree.findall(nodes.image):
            if not is_drawn(node):
                yield node, node.get("alt", "")
        for node in self.tree.findall(nodes.abbreviation):
            yield node, node.get("explanation", "")
        for node in self.tree.findall(nodes.meta):
            yield node, node.get("content", "")
        for node in self.tree.findall(addnodes.toctree):
            titles = [title for title, _ in node["entries"] if title]
            yield node, " ".join([node.get("caption") or "", *titles])

    def check_texts(self):
        for node, text in self.texts():
            if inside(node, self.is_exempt):
                continue
            found = numbers(COMMAND.sub(" ", text))
            if inside(node, is_outside_link):
                found = [number for number in found if number not in address_of(node)]
            if inside(node, lambda n: isinstance(n, QUOTED)):
                found = list(filter(is_decimal, found))
            if node.get("language") == "markdown":  # a sample of this page's own source
                found = self.not_twice(text)
            default = default_of(node)
            found = [number for number in found if number != default]
            if found:
                warn(
                    "numbers that nothing verifies: %s; "
                    "write {num}`%s := an expression`, or use given, printed or cited",
                    ", ".join(found),
                    found[0],
                    location=node,
                )

    def not_twice(self, sample):
        lines = self.env.doc2path(self.name).read_text(encoding="utf-8").splitlines()
        once = [line for line in sample.splitlines() if lines.count(line) < 2]
        return [number for line in once for number in numbers(line)]

    def check_defaults(self):
        for node in self.tree.findall(nodes.paragraph):
            described = DEFAULT.search(node.astext())
            default = default_of(node)
            if default and described and described[1] != default.replace("'", '"'):
                warn(
                    "the description has the default %s, the signature %s",
                    described[1],
                    default,
                    location=node,
                )

    def check_code(self):
        """Look for numbers that were typed where code only repeats them."""
        for block in self.code:
            parts = tokens(block.astext())
            typed = [t.string for t in parts if t.type == tokenize.COMMENT]
            found = [number for text in typed for number in numbers(text)]
            if not is_test(block) and not isinstance(block, nodes.doctest_block):
                strings = [t.string for t in parts if t.type == tokenize.STRING]
                found += [n for s in strings for n in numbers(s) if is_decimal(n)]
            if found:
                warn(
                    "numbers in a comment or a string, which nothing computes: %s",
                    ", ".join(found),
                    location=block,
                )

    def is_exempt(self, node):
        ran = (
            is_test(node)
            or is_code(node, self.name)
            or (isinstance(node, nodes.literal_block) and is_printed(node, self.name))
        )
        named = isinstance(node, addnodes.pending_xref) and not node.get("refexplicit")
        return is_tied(node) or isinstance(node, NO_PROSE) or named or ran


def is_drawn(node):
    return isinstance(node, nodes.image) and "drawn" in node


def is_strong(node):
    return isinstance(node, nodes.strong | addnodes.literal_strong)


def default_of(node):
    """Return the default, in the signature, of the argument that this text describes."""
    field = None
    while node is not None and not isinstance(node, addnodes.desc):
        if isinstance(node, nodes.list_item | nodes.field) and field is None:
            field = next(node.findall(is_strong), None)
        node = node.parent
    if node is None or field is None:
        return None
    for parameter in node.next_node(addnodes.desc_signature).findall(
        addnodes.desc_parameter
    ):
        name, _, default = parameter.astext().partition("=")
        if name.partition(":")[0].strip(" *") == field.astext():
            return default.strip()
    return None


def check(app, env):
    for name in sorted(env.found_docs):
        Page(env, name, env.get_doctree(name)).check()


def setup(app):
    for name in ROLES:
        app.add_role(name, Tied())
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
