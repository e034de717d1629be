"""The pages that are read in the repository: their code runs, their text has no numbers.

A host of repositories shows them as plain Markdown, where no role can tie a number. So a
number is in ``python`` code, in the ``text`` below it that says what the code prints, or
in a console block.
"""

import contextlib
import functools
import io
from collections.abc import Iterable
from pathlib import Path

from markdown_it import MarkdownIt
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from verified.code import check_commands
from verified.numbers import is_decimal, numbers
from verified.places import warn

NAMES = ("README.md", "CONTRIBUTING.md")
parse = MarkdownIt("commonmark").enable("table").parse


@functools.cache
def printed_by(code: str) -> str:
    """Return what code prints, or the error that it raises."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(code, {"__name__": "__main__"})
    except Exception as error:
        return repr(error)
    return printed.getvalue()


def check_readme(path: Path, text: str) -> None:
    """Run the code of a page, compare what it prints, and look for other numbers."""
    code = None
    for token in parse(text):
        place = f"{path}:{token.map[0] + 1}" if token.map else None
        if token.type == "fence" and token.info == "text" and code:
            printed = printed_by(code)
            if printed != token.content:
                words = "the page says %r, the code prints %r"
                warn(words, token.content, printed, location=place)
            code = None
            continue
        if code and token.map:
            warn("code without an output: %r", code[:40], location=place)
            code = None
        if token.type == "fence" and token.info == "python":
            code = token.content
        elif token.type == "fence" and token.info == "console":
            check_commands(token.content, place)
        elif token.type == "fence":
            warn("a block that nothing runs: %r", token.content[:40], location=place)
        elif token.type == "code_block":  # a formula
            report(filter(is_decimal, numbers(token.content)), place)
        elif token.type == "inline":
            for part in token.children or ():
                found = numbers(part.content)
                quoted = part.type == "code_inline"
                report(filter(is_decimal, found) if quoted else found, place)
        elif token.type == "html_block":
            report(numbers(token.content), place)
    if code:
        warn("code without an output: %r", code[:40], location=str(path))


def report(found: Iterable[str], place: str | None) -> None:
    """Warn about numbers that nothing verifies."""
    if listed := ", ".join(found):
        words = "numbers that nothing verifies: %s; let code print them"
        warn(words, listed, location=place)


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Check the pages that are there."""
    for name in NAMES:
        path = Path(app.srcdir).parent / name
        if path.exists():
            check_readme(path, path.read_text(encoding="utf-8"))
