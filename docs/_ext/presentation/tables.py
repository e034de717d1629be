"""The tables of what `nox -s rosetta` has measured, one row for each loss.

``{rosetta} targets`` says what each trains on, ``{rosetta} behaviour`` what else it does,
``{rosetta} two`` has the losses for two classes, ``{rosetta} former`` earlier releases,
and ``{rosetta} sources`` what was run.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from docutils import nodes
from measured import results, rows
from measured.rosetta.losses import HERE, LIBRARIES, convention, in_torch, to_write
from measured.rows import Row
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from verified.names import note_sources

from label_smoothing.auditing.conventions import CONVENTIONS

TARGETS = "library|ε means|in PyTorch|there|$q'(y)$|$q'(k)$|form|release"
HEADS = {
    "targets": TARGETS,
    "two": TARGETS,
    "former": TARGETS,
    "behaviour": "library|class weights|target −100|class dim|float16|reduction",
    "sources": "library|what was called|imported|SHA-256",
}


def of_table(name: str) -> tuple[list[Row], Callable[[Row], Sequence[str]]]:
    """Return the rows of a table, and what makes the cells of one."""
    recorded = [(row, LIBRARIES[row["name"]]) for row in results.LOSSES]
    order = (*CONVENTIONS, None).index
    listed = sorted(recorded, key=lambda pair: order(convention(pair[0])))
    many = [row for row, of in listed if not (of.former or of.two_classes)]
    return {
        "targets": (many, target),
        "two": ([row for row, of in listed if of.two_classes], target),
        "former": ([row for row, of in recorded if of.former], target),
        "behaviour": ([row for row in many if "weights" in row], behaviour),
        "sources": ([row for row, _ in listed], source),
    }[name]


def target(row: Row) -> Sequence[str]:
    """Return the cells of a table of targets, for the fewest classes measured."""
    release = row["package"].partition("==")[2] or results.rosetta["torch"]
    means = convention(row)
    if means is None:
        return (row["name"], row["error"], *[""] * 5, release)
    q = next(iter(row["targets"].values()))
    numbers = (
        in_torch(len(q), means),
        to_write(len(q), means),
        max(q),
        min(filter(None, q)),
    )
    short = (f"{number:.4f}".rstrip("0") for number in numbers)
    return (row["name"], means, *short, row["form"], release)


def behaviour(row: Row) -> Sequence[str]:
    """Return the cells that say what else a loss does."""
    asked = row["ignore_index"].replace("not asked", "not tested")
    ends = dimensions(row["dimension"]), row["half"], reductions(row["reduction"])
    return (row["name"], row["weights"], asked, *ends)


def dimensions(found: Mapping[str, str]) -> str:
    """Say where the classes may be, and where a loss takes others for them."""
    right = " or ".join(dim for dim, answer in found.items() if answer == "right")
    wrong = [f"wrong at {dim}" for dim, answer in found.items() if answer == "wrong"]
    return "; ".join([right or "2-D only", *wrong])


def reductions(found: Mapping[str, str]) -> str:
    """Say what is returned, and which other arguments do what they say."""
    others = [how for how, answer in found.items() if how == answer != found["default"]]
    wrong = [
        f"{how!r} gives {answer.replace('other', 'another shape')}"
        for how, answer in found.items()
        if how not in ("default", answer)
        and answer in ("mean", "sum", "none", "sum / N", "other")
    ]
    return "; ".join([", ".join([found["default"], *others]), *wrong])


def source(row: Row) -> Sequence[str]:
    """Return the cells that say what was run."""
    files = {file["name"]: file["sha256"] for file in rows.read(HERE / "wheels.csv")}
    imported = LIBRARIES[row["name"]].imported
    return (row["name"], row["path"], imported, files.get(row["package"], "")[:8])


class Rosetta(SphinxDirective):
    """One of the tables, by its name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        note_sources(self.env)
        found, cells = of_table(self.arguments[0])
        head = HEADS[self.arguments[0]].split("|")
        group = nodes.tgroup(cols=len(head))
        group += [nodes.colspec(colwidth=1) for _ in head]
        group += nodes.thead("", self.row(head))
        group += nodes.tbody("", *(self.row(cells(row)) for row in found))
        return [nodes.table("", group, classes=["rosetta", self.arguments[0]])]

    def row(self, texts: Iterable[str]) -> nodes.row:
        """Return a row of cells."""
        return nodes.row("", *(nodes.entry("", self.cell(text)) for text in texts))

    def cell(self, text: str) -> nodes.paragraph:
        """Return what is in a cell, tied to the record."""
        parts, _ = self.parse_inline(text) if "$" in text else ([nodes.Text(text)], [])
        return nodes.paragraph(
            "", "", nodes.inline("", "", *parts, tie=("value", "rosetta"))
        )


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("rosetta", Rosetta)
