"""What a page claims: the numbers that a reader sees and that a check compares.

These are the numbers with a tie, those of an output that an author wrote below its code,
the defaults that a docstring describes, and those in the text of a link or in a sample of
the page's own source. Any other number is a warning, so there is none.

``pages`` and ``code`` compare them, the site counts them, and ``proof`` flips them.
"""

from collections.abc import Iterator
from typing import NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from verified.code import TYPED_OUTPUT, enclosing
from verified.numbers import NUMBER, spans
from verified.pages import default_of, described_default, is_outside_link, is_tied

Span = tuple[int, int]


class Claim(NamedTuple):
    """A number, and where in the words of a node it is."""

    node: nodes.Element
    words: str
    start: int
    end: int

    def say(self, words: str) -> None:
        """Let the node have other words."""
        if "test" in self.node:  # the words of an example before they are shown
            self.node["test"] = words
        else:
            text = next(iter(self.node.findall(nodes.Text)))
            text.parent.replace(text, nodes.Text(words))


def claims(tree: nodes.document) -> Iterator[Claim]:
    """Yield what a page claims, in the order of the page."""
    for text in list(tree.findall(nodes.Text)):
        node = text.parent
        words = node.get("test", str(text))
        for start, end in numbers_of(node, text, words):
            if any(map(str.isdigit, words[start:end])):
                yield Claim(node, words, start, end)


def numbers_of(node: nodes.Element, text: nodes.Text, words: str) -> list[Span]:
    """Return where the numbers of a text are that a check compares."""
    if is_tied(node):
        typed = node["tie"][0] != "value"
        return [m.span() for m in NUMBER.finditer(words)] if typed else []
    if node.get("language") == "markdown" or node.get("kind") in TYPED_OUTPUT:
        return list(in_block(words))
    if (link := enclosing(node, is_outside_link)) is not None:
        return [span for span in spans(words) if words[slice(*span)] in link["refuri"]]
    paragraph = enclosing(node, lambda node: isinstance(node, nodes.paragraph))
    if paragraph is not None and described_default(paragraph) is text:
        return spans(words) if default_of(node) else []
    return []


def in_block(words: str) -> Iterator[Span]:
    """Yield where the numbers of an output are, or those of a sample of source."""
    at, code, last = 0, False, ""
    for line in words.splitlines(keepends=True):
        goes_on = line.startswith("...") or last.endswith("\\\n")
        code = line.startswith((">>> ", "$ ")) or (code and goes_on)
        if not code:
            yield from ((at + start, at + end) for start, end in spans(line))
        at, last = at + len(line), line


class Counted(SphinxRole):
    """The role counted: ``{counted}`numbers``` becomes the number of all claims."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Leave a mark until all pages are read."""
        return [nodes.inline(classes=["tied"], tie=("value", "counted"))], []


def write_count(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Write the number of all claims where it is asked for."""
    for mark in tree.findall(nodes.inline):
        if mark.get("tie") == ("value", "counted"):
            trees = map(app.env.get_doctree, app.env.found_docs)
            mark += nodes.Text(f"{sum(len(list(claims(tree))) for tree in trees)}")


def setup(app: Sphinx) -> None:
    """Register the role."""
    app.add_role("counted", Counted())
    app.connect("doctree-resolved", write_count)
