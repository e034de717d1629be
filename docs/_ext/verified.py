"""Nothing that the site shows goes unverified.

Code. A Python block on a page is a test: ``{testcode}`` with its ``{testoutput}``, a
``>>>`` doctest, a cell, a gallery script, or a file that is included. Any other is a
warning, and so is a skipped one. Each ``{testcode}`` runs in a namespace of its own, so a
reader can paste it alone.

Numbers. A decimal in the text is one of three, and says which:

* ``{num}`1.3883 := LabelSmoothing(0.3)(logits, target)``` is computed: the build
  evaluates the expression and compares every digit shown. It knows the names of
  ``label_smoothing``, ``torch``, ``F``, ``math``, and the running example ``logits``,
  ``target``, ``smoothing``;
* ``{given}`0.3``` is an input: the number stands in some code of the same page, be it an
  example, a drawing, or the expression of another number;
* ``{cited}`0.2 := szegedy2016``` is someone else's: the page cites that work.

Notebooks. A cell that draws shows what it draws, and the image says in words what is
to be seen.

Gallery. Each script of ``examples`` ran in this build and left a figure.
"""

import ast
import math
import re
from pathlib import Path

import torch
import torch.nn.functional as F
from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

import label_smoothing
from label_smoothing import __main__ as example

log = logging.getLogger(__name__)
NUMBER = re.compile(r"(?<![\w.])[-−]?(?:\d+(?:\.\d+)?|inf\b|nan\b)")
DECIMAL = re.compile(r"(?<![\w.])[-−]?\d+\.\d+(?![\w]|\.\d)")
OUTPUT = {"output", "cell_output", "sphx-glr-script-out"}
RAN_ELSEWHERE = {"cell_input"}
DRAWS = re.compile(r"\bfigures\.\w+\(")
FILE_NAME = re.compile(r"[\w./-]*\.(?:gif|jpe?g|png|svg|webp)")
GALLERY_CODE = "Python"  # what sphinx-gallery writes; by hand it is in lower case
NOT_PROSE = (
    addnodes.desc_signature,
    nodes.citation,
    nodes.comment,
    nodes.doctest_block,
    nodes.field_list,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.reference,
)
NAMESPACE = {
    **{name: getattr(label_smoothing, name) for name in label_smoothing.__all__},
    **{name: getattr(example, name) for name in ("logits", "target", "smoothing")},
    "torch": torch,
    "F": F,
    "math": math,
}


def warn(message, *args, location):
    log.warning(message, *args, location=location, type="verified")


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


def compare(shown, expression, location):
    """Evaluate the expression, and compare each number shown, digit by digit."""
    try:
        value = eval(expression, dict(NAMESPACE))
    except Exception as error:
        warn("num: %r raised %r", expression, error, location=location)
        return
    numbers = NUMBER.findall(shown)
    values = torch.as_tensor(value, dtype=torch.float64).flatten().tolist()
    computed = [
        f"{v:.{len(n.partition('.')[2])}f}" for n, v in zip(numbers, values, strict=False)
    ]
    if len(numbers) != len(values) or computed != [n.replace("−", "-") for n in numbers]:
        warn(
            "num: the page says %s, %s gives %s",
            shown,
            expression,
            value,
            location=location,
        )


class EachSnippetAlone(SphinxTransform):
    """Run each testcode in a namespace of its own, with the output that follows it."""

    default_priority = 400

    def apply(self):
        number = 0
        for node in self.document.findall(is_test):
            if node["testnodetype"] == "testcode":
                number += 1
            if node["testnodetype"] in ("testcode", "testoutput"):
                node["groups"] = [f"snippet {number}"]


def is_test(node):
    return isinstance(node, nodes.Element) and "testnodetype" in node.attributes


def inside(node, wanted):
    while node is not None:
        if wanted(node):
            return True
        node = node.parent
    return False


def has_class(classes):
    return lambda node: (
        isinstance(node, nodes.Element) and bool(classes & set(node.get("classes", ())))
    )


def check_code(tree):
    for node in tree.findall(nodes.literal_block):
        language = str(node.get("language", "")).lower()
        ran = (
            is_test(node)
            or "source" in node.attributes  # a file that is included
            or node.get("language") == GALLERY_CODE
            or inside(node, has_class(OUTPUT | RAN_ELSEWHERE))
        )
        python = language.startswith(("python", "pycon", "ipython"))
        if not ran and (python or ">>> " in node.astext()):
            warn("code that nothing runs: %r", node.astext()[:40], location=node)
    for node in tree.findall(nodes.paragraph):
        if (node.rawsource or node.astext()).lstrip().startswith(">>> "):
            warn("a '>>>' that nothing runs: %r", node.astext()[:40], location=node)
    for node in tree.findall(is_test):
        if "+SKIP" in (node.get("test") or node.astext()) or "skipif" in node:
            warn("a skipped example", location=node)
    for node in tree.findall(nodes.block_quote):
        if isinstance(node.parent, nodes.block_quote):
            warn("nested quotes: a '>>>' outside of a fence?", location=node)


def untied(tree):
    """Yield the text nodes of prose, captions, tables and alternatives with a decimal."""
    exempt = has_class(OUTPUT | {"tied"})
    for text in tree.findall(nodes.Text):
        if not inside(text, lambda node: isinstance(node, NOT_PROSE) or exempt(node)):
            yield text.parent, DECIMAL.findall(text)
    for image in tree.findall(nodes.image):
        if "drawing" not in image["classes"]:  # the text of a drawing is computed
            yield image, DECIMAL.findall(image.get("alt", ""))


def is_input(node):
    return (
        not inside(node, has_class(OUTPUT)) and node.get("testnodetype") != "testoutput"
    )


def check_numbers(tree):
    tied = list(tree.findall(lambda n: isinstance(n, nodes.inline) and "tie" in n))
    code = [node.astext() for node in tree.findall(nodes.literal_block) if is_input(node)]
    code += [node.astext() for node in tree.findall(nodes.doctest_block)]
    code += [node.get("expression", "") for node in tree.findall(nodes.figure)]
    code += [tie for kind, tie in (node["tie"] for node in tied) if kind == "num"]
    inputs = set(NUMBER.findall("\n".join(code)))
    cited = {
        key for node in tree.findall(nodes.Element) for key in node.get("bibtex_keys", ())
    } | {
        node["reftarget"]
        for node in tree.findall(addnodes.pending_xref)
        if node.get("refdomain") == "cite"
    }
    for node in tied:
        kind, tie = node["tie"]
        if kind == "given" and node.astext() not in inputs:
            warn("given: no code of this page has %s", node.astext(), location=node)
        if kind == "cited" and tie and tie not in cited:
            warn("cited: this page does not cite %s", tie, location=node)
    for node, numbers in untied(tree):
        if numbers:
            warn(
                "numbers that nothing verifies: %s; use the roles num, given or cited",
                ", ".join(numbers),
                location=node,
            )


def is_cell(node):
    return isinstance(node, nodes.Element) and node.get("nb_element") == "cell_code"


def ends_in_assignment(source):
    try:
        last = ast.parse(source).body[-1]
    except (SyntaxError, IndexError):  # a magic, or nothing
        return False
    return isinstance(last, ast.Assign | ast.AnnAssign | ast.AugAssign)


def check_cells(tree):
    """Check that the cells of a notebook show what they draw, with an alternative."""
    for cell in tree.findall(is_cell):
        images = list(cell.findall(nodes.image))
        source = "\n".join(
            block.astext()
            for block in cell.findall(nodes.literal_block)
            if inside(block, has_class(RAN_ELSEWHERE))
        )
        if DRAWS.search(source) and not images and not ends_in_assignment(source):
            warn("a cell that draws, without an image: %r", source[-40:], location=cell)
        for image in images:
            alt = image.get("alt", "").strip()
            if not alt or FILE_NAME.fullmatch(alt):
                warn("an image without an alternative: %r", alt, location=image)


def check(app, env):
    for name in sorted(env.found_docs):
        tree = env.get_doctree(name)
        check_code(tree)
        check_numbers(tree)
        check_cells(tree)
    gallery = Path(app.srcdir, "auto_examples")
    for script in sorted(Path(app.srcdir).parent.glob("examples/**/*.py")):
        page = gallery / script.parent.relative_to(Path(app.srcdir).parent / "examples")
        if not (page / "images" / f"sphx_glr_{script.stem}_001.svg").exists():
            warn("the script left no figure: did it run?", location=str(script))


def report(app, error):
    if error is None and app.builder.name == "doctest":
        log.info("verified: %d examples ran", app.builder.total_tries)
        if app.builder.total_tries == 0:
            warn("no example ran", location=None)


def setup(app):
    app.add_transform(EachSnippetAlone)
    for name in ("num", "given", "cited"):
        app.add_role(name, Tied())
    app.connect("env-check-consistency", check)
    app.connect("build-finished", report)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
