"""Each number of a page is tied, and each tie holds.

A tie has the number that is shown and no other: a digit that changes on one side alone is
an error, whatever other numbers the page has. A number without a tie is one too.
"""

import functools
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pybtex.database
from docutils import nodes
from sphinx import addnodes
from sphinx.environment import BuildEnvironment

from verified import repository
from verified.code import CODE, OUTPUT, UNTESTED, blocks, enclosing
from verified.numbers import find, is_decimal, numbers
from verified.places import warn
from verified.roles import compare

COMMAND = re.compile(r"\\[A-Za-z]+")  # of TeX
QUOTED = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block)
# What a reader sees, or hears, that is no text of its own.
ATTRIBUTES: dict[type[nodes.Element], str] = {
    nodes.image: "alt",
    nodes.abbreviation: "explanation",
    nodes.meta: "content",
}
NO_PROSE = (
    addnodes.desc_signature,
    nodes.citation,
    nodes.comment,
    nodes.doctest_block,
)


def squeeze(text: str) -> str:
    """Return the text with one space for any white space."""
    return " ".join(text.split())


def tokens(code: str) -> list[tokenize.TokenInfo]:
    """Return the tokens of Python code, of a doctest or of a page."""
    lines = code.splitlines(keepends=True)
    if code.lstrip().startswith(">>> "):
        lines = [line[4:] for line in lines if line.startswith((">>> ", "... "))]
    try:
        return list(tokenize.generate_tokens(io.StringIO("".join(lines)).readline))
    except (tokenize.TokenError, IndentationError):  # not Python, but a magic
        return []


@functools.cache
def without_comments(code: str) -> str:
    """Return code whose comments are gone: they are no input."""
    for token in tokens(code):
        if token.type == tokenize.COMMENT:
            code = code.replace(token.string, "")
    return squeeze(code)


@functools.cache
def annotations(bibliography: str) -> dict[str, str]:
    """Return our notes on each work."""
    entries = pybtex.database.parse_string(bibliography, "bibtex").entries
    return {key: squeeze(work.fields.get("annote", "")) for key, work in entries.items()}


def is_tied(node: nodes.Node) -> bool:
    """Tell a number that says where it comes from."""
    return isinstance(node, nodes.inline) and "tie" in node


def is_drawn(node: nodes.Node) -> bool:
    """Tell a drawing of ours, which is described from its data."""
    return isinstance(node, nodes.image) and "drawn" in node


def is_outside_link(node: nodes.Node) -> bool:
    """Tell a link that leaves the site."""
    return isinstance(node, nodes.reference) and "://" in node.get("refuri", "")


class Page:
    """The numbers of a page, by where they come from."""

    def __init__(self, env: BuildEnvironment, name: str, tree: nodes.document) -> None:
        self.env, self.name, self.tree = env, name, tree
        self.tied: list[nodes.Element] = list(tree.findall(is_tied))  # type: ignore[arg-type]
        self.code = [block for block in blocks(tree) if block["kind"] in CODE]
        code = [without_comments(block.astext()) for block in self.code]
        figures = [node.get("expression", "") for node in tree.findall(nodes.figure)]
        ties = [node["tie"] for node in self.tied]
        expressions = [tie for kind, tie in ties if kind == "num"]
        printed = [block.astext() for block in blocks(tree) if block["kind"] in OUTPUT]
        drawn = [image["alt"] for image in tree.findall(is_drawn)]  # type: ignore[index]
        self.words = {
            "given": "\n".join([*code, *figures, *expressions]),
            "printed": "\n".join(map(squeeze, [*printed, *drawn])),
        }
        keys = [node.get("bibtex_keys", ()) for node in tree.findall(nodes.Element)]
        references = tree.findall(addnodes.pending_xref)
        cited = {n["reftarget"] for n in references if n.get("refdomain") == "cite"}
        self.cited = cited.union(*keys)

    def check(self) -> None:
        """Warn about each number that nothing verifies, or that is another one."""
        for node in self.tied:
            self.check_tie(node)
        self.check_texts()
        self.check_defaults()
        self.check_code()

    def check_tie(self, node: nodes.Element) -> None:
        """Compare the number that is shown with its tie."""
        kind, tie = node["tie"]
        if self.name in repository.NAMES:
            warn("a role in a page without roles: let code print it", location=node)
        if kind == "num":
            compare(node.astext(), tie, node)
        elif kind == "cited":
            self.check_citation(node, tie)
        elif kind in self.words:
            self.check_words(node, kind, tie, "this page", self.words[kind])

    def check_citation(self, node: nodes.Element, tie: str) -> None:
        """Check that the page cites the work, and that our notes have the words."""
        key, _, words = (part.strip() for part in tie.partition(":"))
        if key not in self.cited:
            warn("cited: this page does not cite %r", key, location=node)
            return
        path = Path(self.env.srcdir, self.env.config.bibtex_bibfiles[0])
        annotation = annotations(path.read_text(encoding="utf-8")).get(key, "")
        self.check_words(node, "cited", words, f"the annote of {key}", annotation)

    def check_words(
        self, node: nodes.Element, kind: str, words: str, place: str, text: str
    ) -> None:
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

    def texts(self) -> Iterator[tuple[nodes.Element, str]]:
        """Yield every text of the page that a reader sees, and its node."""
        for text in self.tree.findall(nodes.Text):
            yield text.parent, str(text)
        for kind, attribute in ATTRIBUTES.items():
            for node in self.tree.findall(kind):
                if not is_drawn(node):
                    yield node, node.get(attribute, "")
        for tree in self.tree.findall(addnodes.toctree):
            titles = [title for title, _ in tree["entries"] if title]
            yield tree, " ".join([tree.get("caption") or "", *titles])

    def check_texts(self) -> None:
        """Warn about the numbers of prose that nothing verifies."""
        for node, text in self.texts():
            if enclosing(node, is_exempt) is not None:
                continue
            found = numbers(COMMAND.sub(" ", text))
            link = enclosing(node, is_outside_link)
            if link is not None:  # whose address may have the number
                address = re.findall(r"\d+", link["refuri"])
                found = [number for number in found if number not in address]
            if enclosing(node, lambda n: isinstance(n, QUOTED)) is not None:
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

    def not_twice(self, sample: str) -> list[str]:
        """Return the numbers of a sample that the page does not have a second time."""
        lines = self.env.doc2path(self.name).read_text(encoding="utf-8").splitlines()
        alone = [line for line in sample.splitlines() if lines.count(line) < 2]
        return [number for line in alone for number in numbers(line)]

    def check_defaults(self) -> None:
        """Compare the defaults that a docstring describes with the signature."""
        for node in self.tree.findall(nodes.paragraph):
            said, default = described_default(node), default_of(node)
            if said and default and said != default.replace("'", '"'):
                words = "the description has the default %s, the signature %s"
                warn(words, said, default, location=node)

    def check_code(self) -> None:
        """Look for numbers that were typed where code only repeats them."""
        for block in self.code:
            parts = tokens(block.astext())
            typed = [t.string for t in parts if t.type == tokenize.COMMENT]
            found = [number for text in typed for number in numbers(text)]
            if block["kind"] in UNTESTED:
                strings = [t.string for t in parts if t.type == tokenize.STRING]
                found += [n for s in strings for n in numbers(s) if is_decimal(n)]
            if found:
                warn(
                    "numbers in a comment or a string, which nothing computes: %s",
                    ", ".join(found),
                    location=block,
                )


def is_exempt(node: nodes.Element) -> bool:
    """Tell what is verified elsewhere, or is no prose."""
    named = isinstance(node, addnodes.pending_xref) and not node.get("refexplicit")
    return named or is_tied(node) or isinstance(node, NO_PROSE) or bool(node.get("kind"))


def describes_argument(node: nodes.Element) -> bool:
    """Tell an item of a list of arguments, or the list if it has a single one."""
    listed = isinstance(node, nodes.list_item | nodes.field)
    return listed and next(node.findall(nodes.strong), None) is not None


def default_of(node: nodes.Element) -> str | None:
    """Return the default, in the signature, of the argument that this text describes."""
    item = enclosing(node, describes_argument)
    described = enclosing(item, lambda node: isinstance(node, addnodes.desc))
    if item is None or described is None:
        return None
    argument = next(item.findall(nodes.strong)).astext()
    for parameter in described[0].findall(addnodes.desc_parameter):
        name, _, default = parameter.astext().partition("=")
        if name.partition(":")[0].strip(" *") == argument:
            return default.strip()
    return None


def described_default(paragraph: nodes.Element) -> nodes.Text | None:
    """Return what a docstring says is the default: Napoleon makes a text of its own."""
    said = ""
    for text in paragraph.findall(nodes.Text):
        if said.endswith("default: "):
            return text
        said += text
    return None
