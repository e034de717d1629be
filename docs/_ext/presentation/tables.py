"""The tables of what `nox -s rosetta` has measured, one row for each loss.

``{rosetta} targets`` says what each trains on, ``{rosetta} behaviour`` what else it does,
``{rosetta} two`` has the losses for two classes, ``{rosetta} former`` earlier releases,
and ``{rosetta} sources`` what was run.
"""

from collections.abc import Iterable, Mapping, Sequence

from docutils import nodes
from measured import results, rows
from measured.rosetta.losses import HERE, LIBRARIES, SMOOTHING, convention
from measured.rows import Row
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from verified.namespace import note_sources

from label_smoothing import convert_smoothing
from label_smoothing.auditing.conventions import CONVENTIONS

TARGETS = "library|ε means|in PyTorch|in the library|$q'(y)$|$q'(k)$|form|release"
HEADS = {
    "behaviour": "library|class weights|target −100|class dim|float16|reduction",
    "sources": "library|what was called|imported|SHA-256",
}


def shown(table: str) -> list[Row]:
    """Return the rows of a table: by convention, or releases as they followed."""
    if table == "behaviour":
        return [row for row in shown("targets") if "weights" in row]
    found = results.LOSSES
    if table != "sources":
        found = [row for row in found if LIBRARIES[row["name"]].table == table]
    if table == "former":
        return found
    order = (*CONVENTIONS, None).index
    return sorted(found, key=lambda row: order(convention(row)))


def target(row: Row) -> Sequence[str]:
    """Return the cells of a table of targets, for the fewest classes measured."""
    release = row["package"].partition("==")[2] or results.rosetta["torch"]
    means = convention(row)
    if means is None:
        return (row["name"], row["error"], *[""] * 5, release)
    q = next(iter(row["targets"].values()))
    in_torch = convert_smoothing(SMOOTHING, len(q), means, "uniform")
    to_write = convert_smoothing(SMOOTHING, len(q), "uniform", means)
    numbers = (in_torch, to_write, max(q), min(filter(None, q)))
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
    library = LIBRARIES[row["name"]]
    imported = "package" if library.whole else "file"
    if library.stubs:
        imported = "with stand-ins"
    return (row["name"], row["path"], imported, files.get(row["package"], "")[:8])


class Rosetta(SphinxDirective):
    """One of the tables, by its name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        note_sources(self.env)
        name = self.arguments[0]
        cells = {"behaviour": behaviour, "sources": source}.get(name, target)
        head = HEADS.get(name, TARGETS).split("|")
        group = nodes.tgroup(cols=len(head))
        group += [nodes.colspec(colwidth=1) for _ in head]
        group += nodes.thead("", self.row(head))
        group += nodes.tbody("", *(self.row(cells(row)) for row in shown(name)))
        return [nodes.table("", group, classes=["rosetta", name])]

    def row(self, texts: Iterable[str]) -> nodes.row:
        """Return a row of cells, each tied to the record."""
        row = nodes.row()
        for text in texts:
            parts = self.parse_inline(text)[0] if "$" in text else [nodes.Text(text)]
            tied = nodes.inline("", "", *parts, tie=("value", "rosetta"))
            row += nodes.entry("", nodes.paragraph("", "", tied))
        return row


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("rosetta", Rosetta)
