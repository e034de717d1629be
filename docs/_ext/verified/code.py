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
import inspect
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

log = logging.getLogger(__name__)
NOT_CODE = {"bibtex", "markdown", "text"}
DRAWS = re.compile(r"\bfigures\.\w+\(")
OPTION = re.compile(r"#\s*doctest:")
IMPORT = re.compile(r"^(import|from) \w", re.MULTILINE)
# Settings by which a page would show what did not run.
EXECUTION = re.compile(r"^\W*execution_\w+\W*:", re.MULTILINE)
# Code in the text of a gallery script; formulas are not code.
CODE_IN_TEXT = re.compile(r"^# .*(?<!math)::", re.MULTILINE)
GENERATED = re.compile(r"GENERATED FROM PYTHON SOURCE LINES (\d+)-(\d+)")
FILE_NAME = re.compile(r"[\w./-]*\.(?:gif|jpe?g|png|svg|webp)")


def warn(message, *args, location):
    """Warn about the first of the arguments, at the line that an author wrote."""
    if isinstance(location, nodes.Node):
        first = str(args[0]).partition(",")[0] if args else ""
        location = written(location, first) or location
    log.warning(message, *args, location=location, type="verified")


def written(node, words):
    """Return where a text stands that was generated from a docstring or a script."""
    while node is not None and not node.source:
        node = node.parent
    source = node.source if node is not None else ""
    if ":docstring of " in source:
        path, first, lines = docstring(source.rpartition(" ")[2].rstrip(":"))
    elif "/auto_examples/" in source:
        path, first, lines = script_block(node)
    else:
        return None
    at = next((at for at, line in enumerate(lines, first) if words in line), first)
    return f"{path}:{at}"


@functools.cache
def docstring(name):
    """Return the file of a documented object, its first line, and its lines."""
    thing = inspect.unwrap(pkgutil.resolve_name(name))
    lines, first = inspect.getsourcelines(thing)
    return inspect.getsourcefile(thing), first or 1, lines


def script_block(node):
    """Return the script that Sphinx-Gallery made a text of, and the lines it stood in."""
    path = node.source.replace("/docs/auto_examples/", "/examples/")
    lines = Path(path).with_suffix(".py").read_text(encoding="utf-8").splitlines()
    first, last = 1, len(lines)
    for comment in node.document.findall(nodes.comment):
        block = GENERATED.match(comment.astext())
        if block and comment.line <= node.line:
            first, last = map(int, block.groups())
    return Path(path).with_suffix(".py"), first, lines[first - 1 : last]


class EachSnippetAlone(SphinxTransform):
    """Run each testcode in a namespace of its own, with the output that follows it.

    The examples of a docstring share one too.
    """

    default_priority = 400

    def apply(self):
        number, last = 0, None
        for node in self.document.findall(is_test):
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
            for node in described.findall(nodes.doctest_block):
                node["groups"] = [f"docstring {number}"]


class GoesOn(SphinxTransform):
    """Say above a program in parts that these continue each other."""

    default_priority = 400

    def apply(self):
        for parts in self.programs():
            if len(parts) < 2:
                continue
            first = parts[0]
            if in_gallery(self.env.docname):  # the comment of the block stays before it
                first = first.parent[first.parent.index(first) - 1]
            note = "This code goes on below: each part continues the one before it."
            at = first.parent.index(first)
            first.parent.insert(at, nodes.paragraph("", note, classes=["goes-on"]))

    def programs(self):
        """Yield the cells of the page, the parts of the script, and each docstring."""
        yield list(self.document.findall(is_cell))
        blocks = self.document.findall(nodes.literal_block)
        yield [block for block in blocks if is_gallery_code(block, self.env.docname)]
        for described in self.document.findall(addnodes.desc_content):
            yield [n for n in described.children if isinstance(n, nodes.doctest_block)]


def is_test(node):
    return isinstance(node, nodes.Element) and "testnodetype" in node.attributes


def is_cell(node):
    return isinstance(node, nodes.Element) and node.get("nb_element") == "cell_code"


def inside(node, wanted):
    while node is not None:
        if wanted(node):
            return True
        node = node.parent
    return False


def in_gallery(name):
    return name.startswith("auto_examples/")


def is_cell_input(node):
    return "cell_input" in node.parent.get("classes", ()) and inside(node, is_cell)


def is_gallery_code(node, name):
    """Sphinx-Gallery puts a comment of its own before each block that it ran."""
    at = node.parent.index(node)
    before = node.parent[at - 1] if at else None
    return (
        in_gallery(name)
        and isinstance(before, nodes.comment)
        and GENERATED.match(before.astext()) is not None
    )


def is_output(node, name):
    """Tell the output of a cell or of a gallery script, captured while it ran."""
    if not isinstance(node, nodes.literal_block):
        return False
    if inside(node, is_cell):
        return not is_cell_input(node)
    return in_gallery(name) and "sphx-glr-script-out" in node.get("classes", ())


def check_block(node, name):
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
def run_python(*arguments):
    ran = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False
    )
    return ran.stdout, ran.stderr


def commands(text):
    """Yield each command of a console block, and the output that is shown below it."""
    text = text.replace("\\\n", " ")
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.strip().partition("\n")
        yield command, shown


def has_output(text):
    return any(shown for _, shown in commands(text))


def check_commands(text, location):
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
            warn(
                "an output of %s, which the build does not run",
                program,
                location=location,
            )
            continue
        stdout, stderr = run_python(*arguments)
        if stdout.strip() != shown.strip():
            warn(
                "the page says %r, %s prints %r",
                shown,
                command,
                stdout + stderr,
                location=location,
            )
    if text.strip() and not text.startswith("$ "):
        warn("an output without a command", location=location)


def check_tests(tree):
    for node in tree.findall(is_test):
        text = node.get("test") or node.astext()
        if node.get("options") or "skipif" in node or OPTION.search(text):
            warn("a test with options, or that is skipped", location=node)
        if isinstance(node, nodes.comment):
            warn("code that a reader does not see", location=node)
    for node in tree.findall(nodes.doctest_block):
        if OPTION.search(node.rawsource or node.astext()):
            warn("a test with options, or that is skipped", location=node)
    for node in tree.findall(nodes.paragraph):
        if "\n>>> " in f"\n{node.rawsource or node.astext()}":
            warn("a '>>>' that nothing runs: %r", node.astext()[:40], location=node)
    for node in tree.findall(nodes.block_quote):
        if isinstance(node.parent, nodes.block_quote):
            warn("nested quotes: a '>>>' outside of a fence?", location=node)


def ends_in_assignment(source):
    try:
        last = ast.parse(source).body[-1]
    except (SyntaxError, IndexError):  # a magic, or nothing
        return False
    return isinstance(last, ast.Assign | ast.AnnAssign | ast.AugAssign)


def check_cells(tree):
    """Check that cells ran in sight, and show what they draw, with an alternative."""
    for cell in tree.findall(is_cell):
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


def check_gallery(source, root):
    for script in sorted(root.glob("examples/**/*.py")):
        page = source / "auto_examples" / script.parent.relative_to(root / "examples")
        if not (page / "images" / f"sphx_glr_{script.stem}_001.svg").exists():
            warn("the script left no figure: did it run?", location=str(script))
        if CODE_IN_TEXT.search(script.read_text(encoding="utf-8")):
            warn("code in the text, which nothing runs", location=str(script))


def check_page(env, name, tree):
    if EXECUTION.search(env.doc2path(name).read_text(encoding="utf-8")):
        warn("a page that sets how it is executed", location=name)
    for node in tree.findall(nodes.literal_block):
        check_block(node, name)
    check_tests(tree)
    check_cells(tree)


def check(app, env):
    for name in sorted(env.found_docs):
        check_page(env, name, env.get_doctree(name))
    check_gallery(Path(app.srcdir), Path(app.srcdir).parent)


def setup(app):
    app.add_transform(EachSnippetAlone)
    app.add_transform(GoesOn)
    return {"version": "3", "parallel_read_safe": True, "parallel_write_safe": True}
