"""A number in the text says where it comes from, after ``:=``.

* ``{num}`1.3883 := LabelSmoothing(0.3)(logits, target)``` is computed: the build
  evaluates the expression and compares every digit shown.
* ``{printed}`2 := tensor(2)``` is computed too: the words are in an output of the same
  page, or in what a drawing says it shows.
* ``{given}`0.3 := smoothing=0.3``` is an input: the words are in code of the same page,
  be it an example, a drawing, or the expression of another number.
* ``{cited}`0.2 := szegedy2016: about 0.2%``` is someone else's: the words are in the
  ``annote`` of that work, in the bibliography.

Beside them ``{value}`proof["flipped"]``` writes what an expression gives, where a program
keeps the number up to date and no author does.
"""

import ast
import functools

import torch
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from verified import namespace
from verified.numbers import NUMBER, shows
from verified.places import warn


class Tied(SphinxRole):
    """The roles num, given, printed and cited."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Keep the tie with the number; the checks of the page compare the two."""
        shown, _, tie = (part.strip() for part in self.text.partition(":="))
        node = nodes.inline(shown, shown, classes=["tied"], tie=(self.name, tie))
        self.set_source_info(node)
        return [node], []


class Value(SphinxRole):
    """The role value."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Write the value of the expression."""
        node = nodes.inline(classes=["tied"], tie=("value", self.text))
        self.set_source_info(node)
        namespace.note_sources(self.env)
        try:
            node += nodes.Text(str(evaluate(self.text)))
        except Exception as error:
            warn("value: %r raised %r", self.text, error, location=node)
        return [node], []


@functools.cache
def evaluate(expression: str) -> object:
    """Return the value of an expression, which has to compute something."""
    tree = ast.walk(ast.parse(expression, mode="eval"))
    if not any(isinstance(part, ast.Name | ast.BinOp) for part in tree):
        raise ValueError("it computes nothing")
    return eval(expression, dict(namespace.NAMES))


def compare(shown: str, expression: str, location: nodes.Element) -> None:
    """Evaluate the expression, and compare each number shown, digit by digit."""
    try:
        value = evaluate(expression)
        values = torch.as_tensor(value, dtype=torch.float64).flatten().tolist()
    except Exception as error:
        warn("num: %r raised %r", expression, error, location=location)
        return
    found = NUMBER.findall(shown)
    same = len(found) == len(values) and all(map(shows, found, values))
    if not found or not same:
        words = "num: the page says %s, %s gives %s"
        warn(words, shown, expression, value, location=location)


def setup(app: Sphinx) -> None:
    """Register the roles."""
    for name in ("num", "given", "printed", "cited"):
        app.add_role(name, Tied())
    app.add_role("value", Value())
