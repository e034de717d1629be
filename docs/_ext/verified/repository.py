"""The pages that are read in the repository: their code runs, their text has no numbers.

A host of repositories shows them as plain Markdown, where no role can tie a number. So a
number stands in ``python`` code, in the ``text`` below it that says what the code prints,
or in a console block.
"""

import contextlib
import io
from pathlib import Path

from markdown_it import MarkdownIt

from verified.code import check_commands, warn
from verified.pages import is_decimal, numbers

NAMES = ("README.md", "CONTRIBUTING.md")


def printed_by(code):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {"__name__": "__main__"})
    return printed.getvalue()


def check_readme(path):
    code = None
    text = path.read_text(encoding="utf-8")
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        place = f"{path}:{token.map[0] + 1}" if token.map else None
        if token.type == "fence" and token.info == "text" and code:
            try:
                printed = printed_by(code)
            except Exception as error:
                printed = repr(error)
            if printed != token.content:
                warn(
                    "the page says %r, the code prints %r",
                    token.content,
                    printed,
                    location=place,
                )
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
            for part in token.children:
                found = numbers(part.content)
                if part.type == "code_inline":
                    found = filter(is_decimal, found)
                report(found, place)
        elif token.type == "html_block":
            report(numbers(token.content), place)
    if code:
        warn("code without an output: %r", code[:40], location=str(path))


def report(found, place):
    found = list(found)
    if found:
        warn(
            "numbers that nothing verifies: %s; let code print them",
            ", ".join(found),
            location=place,
        )


def check(app, env):
    for name in NAMES:
        path = Path(app.srcdir).parent / name
        if path.exists():
            check_readme(path)


def setup(app):
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
