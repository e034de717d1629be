"""Code that the site shows is code that ran.

A Python block on a page is a test: ``{testcode}`` with its ``{testoutput}``, a ``>>>``
doctest, a cell, or a gallery script. A console block that shows an output is run as well.
A script that another command runs is shown by ``{ran}``, which knows if it changed.
Any other block of code is a warning, and so is whatever makes a test run less than it
shows: options, skipping, hidden or shared set-up.

Each ``{testcode}`` runs in a namespace of its own, so a reader can paste it alone, and so
do the examples of each docstring. Where blocks continue each other, a note says so.
"""

import ast
import functools
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform

from verified.places import GENERATED, warn

NOT_CODE = {"bibtex", "markdown", "text"}
DRAWS = re.compile(r"\bfigures\.\w+\(")
OPTION = re.compile(r"#\s*doctest:")
IMPORT = re.compile(r"^(import|from) \w", re.MULTILINE)
# Settings by which a page would show what did not run.
EXECUTION = re.compile(r"^\W*execution_\w+\W*:", re.MULTILINE)
# Code in the text of a gallery script; formulas are not code.
CODE_IN_TEXT = re.compile(r"^# .*(?<!math)::", re.MULTILINE)
FILE_NAME = re.compile(r"[\w./-]*\.(?:gif|jpe?g|png|svg|webp)")


class EachSnippetAlone(SphinxTransform):
    """Run each testcode in a namespace of its own, with the output that follows it.

    The examples of a docstring share one too.
    """

    default_priority = 400

    def apply(self, **options: object) -> None:
        """Give each snippet a group of its own."""
        number, last = 0, None
        for node in self.document.findall(nodes.Element):
            if not is_test(node):
                continue
            kind = node["testnodetype"]
            if kind in ("testcode", "doctest"):
                number += 1
            elif kind == "testoutput" and last != "testcode":
                warn("an output without a snippet before it", location=node)
            elif kind in ("testsetup", "testcleanup"):
                warn("code that a reader does not see", location=node)
            if kind in ("testcode", "testoutput", "doctest"):
                node["groups"] = [f"snippet {number}"]
            last = kind
        for number, described in enumerate(self.document.findall(addnodes.desc_content)):
            for block in described.findall(nodes.doctest_block):
                block["groups"] = [f"docstring {number}"]


class GoesOn(SphinxTransform):
    """Say above a program in parts that these continue each other."""

    default_priority = 400

    def apply(self, **options: object) -> None:
        """Put a note before the first part."""
        for parts in self.programs():
            if len(parts) < 2:
                continue
            first: nodes.Node = parts[0]
            if in_gallery(self.env.docname):  # the comment of the block stays before it
                first = first.parent[first.parent.index(first) - 1]
            note = "This code goes on below: each part continues the one before it."
            at = first.parent.index(first)
            first.parent.insert(at, nodes.paragraph("", note, classes=["goes-on"]))

    def programs(self) -> Iterator[list[nodes.Element]]:
        """Yield the cells of the page, the parts of the script, and each docstring."""
        yield [cell for cell in self.document.findall(nodes.Element) if is_cell(cell)]
        blocks = self.document.findall(nodes.literal_block)
        yield [block for block in blocks if is_gallery_code(block, self.env.docname)]
        for described in self.document.findall(addnodes.desc_content):
            yield [n for n in described.children if isinstance(n, nodes.doctest_block)]


def enclosing(
    node: nodes.Element, wanted: Callable[[nodes.Element], bool]
) -> nodes.Element | None:
    """Return the node, or the nearest one around it, that is wanted."""
    while node is not None and not wanted(node):
        node = node.parent
    return node


def is_test(node: nodes.Element) -> bool:
    """Tell what the doctest builder runs or compares."""
    return "testnodetype" in node.attributes


def is_cell(node: nodes.Element) -> bool:
    """Tell a code cell of a notebook page."""
    return bool(node.get("nb_element") == "cell_code")


def in_gallery(name: str) -> bool:
    """Tell a page of the gallery."""
    return name.startswith("auto_examples/")


def is_cell_input(node: nodes.Element) -> bool:
    """Tell the code of a cell."""
    classes = node.parent.get("classes", ())
    return "cell_input" in classes and enclosing(node, is_cell) is not None


def is_gallery_code(node: nodes.Element, name: str) -> bool:
    """Tell a block that Sphinx-Gallery ran: it follows a comment of Sphinx-Gallery.

    The code of a script in one block comes after what it drew and printed.
    """
    if not in_gallery(name) or is_output(node, name):
        return False
    for before in reversed(node.parent[: node.parent.index(node)]):
        if isinstance(before, nodes.comment):
            return GENERATED.match(before.astext()) is not None
        drawn = isinstance(before, nodes.image | nodes.line_block)
        if not drawn and not is_output(before, name):
            return False
    return False


def is_output(node: nodes.Node, name: str) -> bool:
    """Tell the output of a cell or of a gallery script, captured while it ran."""
    if not isinstance(node, nodes.literal_block):
        return False
    if enclosing(node, is_cell) is not None:
        return not is_cell_input(node)
    return in_gallery(name) and "sphx-glr-script-out" in node.get("classes", ())


def check_block(node: nodes.literal_block, name: str) -> None:
    """Warn about code that nothing runs."""
    language, text = node.get("language"), node.astext()
    if language == "console":
        check_commands(text, node)
        return
    ran = (
        is_test(node)
        or is_cell_input(node)
        or is_output(node, name)
        or is_gallery_code(node, name)
        or node.get("ran")
    )
    disguised = language == "text" and (">>> " in text or IMPORT.search(text))
    if not ran and (language not in NOT_CODE or disguised):
        warn("code that nothing runs: %r", text[:40], location=node)


@functools.cache
def run_python(*arguments: str) -> tuple[str, str]:
    """Return what Python prints, and what it complains of."""
    ran = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False
    )
    return ran.stdout, ran.stderr


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block, and the output that is shown below it."""
    text = text.replace("\\\n", " ")
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.strip().partition("\n")
        yield command, shown


def has_output(text: str) -> bool:
    """Tell a console block that shows an output."""
    return any(shown for _, shown in commands(text))


def check_commands(text: str, location: object) -> None:
    """Run the commands of a console block that show what they print."""
    for command, shown in commands(text):
        if not shown:
            continue
        try:
            program, *arguments = shlex.split(command)
        except ValueError as error:
            warn("%r: %s", command, error, location=location)
            continue
        if program != "python":
            words = "an output of %s, which the build does not run"
            warn(words, program, location=location)
            continue
        stdout, stderr = run_python(*arguments)
        if stdout.strip() != shown.strip():
            words = "the page says %r, %s prints %r"
            warn(words, shown, command, stdout + stderr, location=location)
    if text.strip() and not text.startswith("$ "):
        warn("an output without a command", location=location)


def check_tests(tree: nodes.document) -> None:
    """Warn about tests that run less than they show."""
    for node in tree.findall(nodes.Element):
        text = node.rawsource or node.astext()
        if is_test(node):
            text = node.get("test") or node.astext()
            if node.get("options") or "skipif" in node or OPTION.search(text):
                warn("a test with options, or that is skipped", location=node)
            if isinstance(node, nodes.comment):
                warn("code that a reader does not see", location=node)
        elif isinstance(node, nodes.doctest_block) and OPTION.search(text):
            warn("a test with options, or that is skipped", location=node)
        elif isinstance(node, nodes.paragraph) and "\n>>> " in f"\n{text}":
            warn("a '>>>' that nothing runs: %r", node.astext()[:40], location=node)
        elif isinstance(node, nodes.block_quote) and isinstance(
            node.parent, nodes.block_quote
        ):
            warn("nested quotes: a '>>>' outside of a fence?", location=node)


def ends_in_assignment(source: str) -> bool:
    """Tell a cell whose last line gives what it draws a name."""
    try:
        last = ast.parse(source).body[-1]
    except (SyntaxError, IndexError):  # a magic, or nothing
        return False
    return isinstance(last, ast.Assign | ast.AnnAssign | ast.AugAssign)


def check_cells(tree: nodes.document) -> None:
    """Check that cells ran in sight, and show what they draw, with an alternative."""
    for cell in filter(is_cell, tree.findall(nodes.Element)):
        tags = [name for name in cell["classes"] if name.startswith("tag_")]
        if tags:
            warn("a cell that does not run in full sight: %s", tags, location=cell)
        images = list(cell.findall(nodes.image))
        blocks = filter(is_cell_input, cell.findall(nodes.literal_block))
        source = "\n".join(block.astext() for block in blocks)
        if DRAWS.search(source) and not images and not ends_in_assignment(source):
            warn("a cell that draws, without an image: %r", source[-40:], location=cell)
        for image in images:
            alt = image.get("alt", "").strip()
            if not alt or FILE_NAME.fullmatch(alt):
                warn("an image without an alternative: %r", alt, location=image)


def check_gallery(source: Path, root: Path) -> None:
    """Check that each script of the gallery left a figure."""
    for script in sorted(root.glob("examples/**/*.py")):
        page = source / "auto_examples" / script.parent.relative_to(root / "examples")
        if not (page / "images" / f"sphx_glr_{script.stem}_001.svg").exists():
            warn("the script left no figure: did it run?", location=f"{script}:1")
        if CODE_IN_TEXT.search(script.read_text(encoding="utf-8")):
            warn("code in the text, which nothing runs", location=f"{script}:1")


def check_page(env: BuildEnvironment, name: str, tree: nodes.document) -> None:
    """Warn about all code of a page that did not run, or not as it is shown."""
    if EXECUTION.search(env.doc2path(name).read_text(encoding="utf-8")):
        warn("a page that sets how it is executed", location=name)
    for node in tree.findall(nodes.literal_block):
        check_block(node, name)
    check_tests(tree)
    check_cells(tree)


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Check every page."""
    for name in sorted(env.found_docs):
        check_page(env, name, env.get_doctree(name))
    check_gallery(Path(app.srcdir), Path(app.srcdir).parent)


def setup(app: Sphinx) -> None:
    """Prepare the snippets of each page, and check the pages once all are read."""
    app.add_transform(EachSnippetAlone)
    app.add_transform(GoesOn)
