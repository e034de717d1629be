"""What a page claims: the numbers that a reader sees and that a check compares.

These are the numbers with a tie, those of an output that is written below its code, the
defaults that a docstring describes, and those in the text of a link or in a sample of the
page's own source. Any other number is a warning, so there is none.

``pages`` and ``code`` compare them, the site counts them, and ``proof`` flips them.
"""

from collections.abc import Iterator
from typing import NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from verified.code import enclosing, is_output
from verified.numbers import NUMBER, spans
from verified.pages import DEFAULT, default_of, is_outside_link, is_printed, is_tied


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


def claims(tree: nodes.document, page: str) -> Iterator[Claim]:
    """Yield what a page claims, in the order of the page."""
    for text in list(tree.findall(nodes.Text)):
        node, words = text.parent, str(text)
        found: Iterator[tuple[int, int]] = iter(())
        if is_tied(node) and node["tie"][0] != "value":
            found = (m.span() for m in NUMBER.finditer(words))
        elif isinstance(node, nodes.literal_block | nodes.doctest_block):
            words = node.get("test", words)
            found = in_block(node, words, page)
        elif (m := DEFAULT.search(words)) and m[1] == default_of(node):
            found = ((start, end) for start, end in spans(words) if m.start() < start)
        elif (link := enclosing(node, is_outside_link)) is not None:
            number = ((words[start:end], start, end) for start, end in spans(words))
            found = ((start, end) for n, start, end in number if n in link["refuri"])
        for start, end in found:
            if any(map(str.isdigit, words[start:end])):
                yield Claim(node, words, start, end)


def in_block(node: nodes.Element, words: str, page: str) -> Iterator[tuple[int, int]]:
    """Yield where the numbers of an output are, or those of a sample of source."""
    sample = node.get("language") == "markdown"
    captured = node.get("ran") or is_output(node, page)
    if captured or not (sample or is_printed(node, page)):
        return
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
    marks = [n for n in tree.findall(is_tied) if n["tie"] == ("value", "counted")]  # type: ignore[index]
    if marks:
        trees = ((app.env.get_doctree(name), name) for name in app.env.found_docs)
        number = sum(len(list(claims(*tree))) for tree in trees)
        for mark in marks:
            mark += nodes.Text(f"{number}")  # type: ignore[operator]


def setup(app: Sphinx) -> None:
    """Register the role."""
    app.add_role("counted", Counted())
    app.connect("doctree-resolved", write_count)
