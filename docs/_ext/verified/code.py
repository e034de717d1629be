"""Code that the site shows is code that ran.

A Python block on a page is a test: ``{testcode}`` with its ``{testoutput}``, a ``>>>``
doctest, a cell, or a gallery script. A console block that shows an output is run as well.
A script that another command runs is shown by ``{recorded}``, which knows if it changed.
Any other block of code is a warning, and so is whatever makes a test run less than it
shows: options, skipping, hidden or shared set-up.

Each ``{testcode}`` runs in a namespace of its own, so a reader can paste it alone, and so
do the examples of each docstring. Where blocks continue each other, a note says so.
"""

import ast
import codeop
import functools
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from verified.places import script_of, warn

# How a block of code ran, or where an output is from: the attribute "kind" of its node.
# Beside these, the directive "recorded" has a "program" and what was "recorded" of it.
UNTESTED = {"cell", "script", "program"}
CODE = UNTESTED | {"testcode", "doctest"}
TYPED_OUTPUT = {"testoutput", "doctest", "console"}
OUTPUT = TYPED_OUTPUT | {"captured", "recorded"}
NOT_CODE = {"bibtex", "markdown", "text"}
DRAWS = re.compile(r"\bfigures\.\w+\(")
OPTION = re.compile(r"#\s*doctest:")
IMPORT = re.compile(r"^(import|from) \w", re.MULTILINE)
# Settings by which a page would show what did not run.
EXECUTION = re.compile(r"^\W*execution_(?!count)\w+\W*:", re.MULTILINE)
FILE = re.compile(r"# (\w+\.py)\n")
PROGRAMS = {"python": (), "label-smoothing": ("-P", "-m", "label_smoothing")}
Files = tuple[tuple[str, str], ...]  # the names of files, and what is in them
FILE_NAME = re.compile(r"[\w./-]*\.(?:gif|jpe?g|png|svg|webp)")


class HowItRuns(SphinxTransform):
    """Say of each block how it runs, and let each snippet run alone.

    The examples of a docstring share a namespace.
    """

    default_priority = 999

    def apply(self, **options: object) -> None:
        """Mark the blocks, and give each snippet a group of its own."""
        script = script_of(self.document["source"])
        code = set(script.read_text("utf-8").splitlines()) if script.exists() else set()
        number, last = 0, None
        for node in blocks(self.document):
            kind = node["kind"] = node.get("kind") or how_it_ran(node, code)
            if "testnodetype" not in node:
                continue
            if kind == "testoutput" and last != "testcode":
                warn("an output without a snippet before it", location=node)
            if kind != "testoutput":
                number += 1
            node["groups"] = [f"snippet {number}"]
            last = kind
        for number, described in enumerate(self.document.findall(addnodes.desc_content)):
            examples = list(described.findall(nodes.doctest_block))
            for block in examples:
                block["groups"] = [f"docstring {number}"]
            say_that_it_goes_on([n for n in examples if n.parent is described])
        say_that_it_goes_on(cells(self.document))
        say_that_it_goes_on([n for n in blocks(self.document) if n["kind"] == "script"])


def say_that_it_goes_on(parts: list[nodes.Element]) -> None:
    """Say above a program in parts that these continue each other."""
    if len(parts) > 1:
        note = "This code goes on below: each part continues the one before it."
        at = parts[0].parent.index(parts[0])
        parts[0].parent.insert(at, nodes.paragraph("", note, classes=["goes-on"]))


def enclosing(
    node: nodes.Element | None, wanted: Callable[[nodes.Element], bool]
) -> nodes.Element | None:
    """Return the node, or the nearest one around it, that is wanted."""
    while node is not None and not wanted(node):
        node = node.parent
    return node


def blocks(tree: nodes.Node) -> list[nodes.Element]:
    """Return the blocks of code and of output in a part of a page."""
    return [*tree.findall(nodes.literal_block), *tree.findall(nodes.doctest_block)]


def is_cell(node: nodes.Element) -> bool:
    """Tell a code cell of a notebook page."""
    return bool(node.get("nb_element") == "cell_code")


def cells(tree: nodes.Node) -> list[nodes.Element]:
    """Return the code cells of a page."""
    return [node for node in tree.findall(nodes.container) if is_cell(node)]


def how_it_ran(node: nodes.Element, script: set[str]) -> str:
    """Return how a block runs, or what it is the output of, or nothing.

    The code of a gallery script is in its lines: not in a comment, and not indented.
    """
    text = node.astext()
    if isinstance(node, nodes.doctest_block):
        return "doctest"
    if "testnodetype" in node:
        return str(node["testnodetype"])
    if enclosing(node, is_cell) is not None:
        return "cell" if "cell_input" in node.parent["classes"] else "captured"
    if script and "sphx-glr-script-out" in node["classes"]:
        return "captured"
    if node.get("language") == "console" and any(shown for _, shown in commands(text)):
        return "console"
    return "script" if script and script.issuperset(text.splitlines()) else ""


def check_block(node: nodes.Element, files: Files = ()) -> None:
    """Warn about code that nothing runs."""
    language, text = node.get("language"), node.astext()
    if language == "console":
        check_commands(text, node, files)
        return
    disguised = language == "text" and (">>> " in text or IMPORT.search(text))
    if not node["kind"] and (language not in NOT_CODE or disguised):
        warn("code that nothing runs: %r", text[:40], location=node)


@functools.cache
def run_python(arguments: tuple[str, ...], files: Files) -> tuple[str, str]:
    """Return what Python prints, and what it complains of, in a folder of these files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files:
            Path(folder, name).write_text(text, encoding="utf-8")
        command = [sys.executable, *arguments]
        ran = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False
        )
    return ran.stdout, ran.stderr


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block, and the output that is shown below it."""
    text = text.replace("\\\n", " ")
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.strip().partition("\n")
        yield command, shown


def check_commands(text: str, location: object, files: Files = ()) -> None:
    """Run the commands of a console block that show what they print."""
    for command, shown in commands(text):
        if not shown:
            continue
        try:
            program, *arguments = shlex.split(command)
        except ValueError as error:
            warn("%r: %s", command, error, location=location)
            continue
        if program not in PROGRAMS:
            words = "an output of %s, which the build does not run"
            warn(words, program, location=location)
            continue
        stdout, stderr = run_python((*PROGRAMS[program], *arguments), files)
        printed = stdout + stderr
        if printed.strip() != shown.strip():
            words = "the page says %r, %s prints %r"
            warn(words, shown, command, printed, location=location)
    if text.strip() and not text.startswith("$ "):
        warn("an output without a command", location=location)


def stops_at(source: str) -> str:
    """Return the line at which an interactive Python refuses what is pasted, if any."""
    pasted: list[str] = []
    for line in [*source.splitlines(), ""]:
        pasted.append(line)
        try:
            if codeop.compile_command("\n".join(pasted), symbol="single"):
                pasted = []
        except SyntaxError:
            return line
    return ""


def check_tests(tree: nodes.document) -> None:
    """Warn about tests that run less than they show."""
    for node in tree.findall(nodes.Element):
        if node.get("testnodetype") == "testcode" and (line := stops_at(node.astext())):
            warn("an interactive Python stops at %r", line, location=node)
        text = node.get("test") or node.rawsource or node.astext()
        if "testnodetype" in node or isinstance(node, nodes.doctest_block):
            if node.get("options") or "skipif" in node or OPTION.search(text):
                warn("a test with options, or that is skipped", location=node)
            if isinstance(node, nodes.comment):
                warn("code that a reader does not see", location=node)
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
    for cell in cells(tree):
        tags = [name for name in cell["classes"] if name.startswith("tag_")]
        if tags:
            warn("a cell that does not run in full sight: %s", tags, location=cell)
        images = list(cell.findall(nodes.image))
        code = [block.astext() for block in blocks(cell) if block["kind"] == "cell"]
        source = "\n".join(code)
        if DRAWS.search(source) and not images and not ends_in_assignment(source):
            warn("a cell that draws, without an image: %r", source[-40:], location=cell)
        for image in images:
            alt = image.get("alt", "").strip()
            if not alt or FILE_NAME.fullmatch(alt):
                warn("an image without an alternative: %r", alt, location=image)


def check(path: Path, tree: nodes.document) -> None:
    """Warn about all code of a page that did not run, or not as it is shown."""
    if EXECUTION.search(path.read_text(encoding="utf-8")):
        warn("a page that sets how it is executed", location=f"{path}:1")
    files: dict[str, str] = {}
    for node in blocks(tree):
        # A snippet that begins with the name of a file is that file, for the commands.
        if node["kind"] == "testcode" and (name := FILE.match(node.astext())):
            files[name[1]] = node.astext() + "\n"
        check_block(node, tuple(files.items()))
    check_tests(tree)
    check_cells(tree)
    scripts = [node for node in blocks(tree) if node["kind"] == "script"]
    if scripts and not any("drawn" in image for image in tree.findall(nodes.image)):
        warn("the script left no figure: did it run?", location=scripts[0])


def setup(app: Sphinx) -> None:
    """Prepare the blocks of each page as soon as it is read."""
    app.add_transform(HowItRuns)
