"""Warnings that name the file and the line that an author wrote."""

import functools
import inspect
import pkgutil
import re
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

log = logging.getLogger(__name__)
GENERATED = re.compile(r"GENERATED FROM PYTHON SOURCE LINES (\d+)-(\d+)")


def warn(message: str, *args: object, location: object) -> None:
    """Warn about the first of the arguments, at the line that an author wrote."""
    if isinstance(location, nodes.Node):
        first = str(args[0]).partition(",")[0] if args else ""
        location = written(location, first) or location
    log.warning(message, *args, location=location, type="verified")  # type: ignore[arg-type]


def written(node: nodes.Node | None, words: str) -> str | None:
    """Return where a text is that was generated from a docstring or a script."""
    while node is not None and not node.source:
        node = node.parent
    source = node.source or "" if node is not None else ""
    if ":docstring of " in source:
        path, first, lines = docstring(source.rpartition(" ")[2].rstrip(":"))
    elif node is not None and "/auto_examples/" in source:
        path, first, lines = script_block(node)
    else:
        return None
    at = next((at for at, line in enumerate(lines, first) if words in line), first)
    return f"{path}:{at}"


@functools.cache
def docstring(name: str) -> tuple[str, int, list[str]]:
    """Return the file of a documented object, its first line, and its lines."""
    thing = inspect.unwrap(pkgutil.resolve_name(name))
    lines, first = inspect.getsourcelines(thing)
    return inspect.getsourcefile(thing) or "", first or 1, lines


def script_block(node: nodes.Node) -> tuple[str, int, list[str]]:
    """Return the script that a text of the gallery is from, and its lines there."""
    path = script_of(node.source or "")
    lines = path.read_text(encoding="utf-8").splitlines()
    first, last = 1, len(lines)
    for comment in (node.document or node).findall(nodes.comment):
        block = GENERATED.match(comment.astext())
        if block and (comment.line or 0) <= (node.line or 0):
            first, last = map(int, block.groups())
    return str(path), first, lines[first - 1 : last]


def script_of(page: str) -> Path:
    """Return the script that Sphinx-Gallery makes a page of, by the file of the page."""
    return Path(page.replace("/docs/auto_examples/", "/examples/")).with_suffix(".py")
