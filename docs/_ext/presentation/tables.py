"""The tables of what `nox -s rosetta` has measured, one row for each loss.

``{rosetta} targets`` says what each trains on, ``{rosetta} behaviour`` what else it does,
``{rosetta} two`` has the losses for two classes, ``{rosetta} former`` earlier releases,
and ``{rosetta} sources`` what was run.
"""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from verified.names import ROSETTA

from label_smoothing.auditing.conventions import BINARY, CONVENTIONS, convert_smoothing

ROWS = sorted(
    ROSETTA["libraries"],
    key=lambda row: (*CONVENTIONS, None).index(row.get("convention")),
)
MANY = [row for row in ROWS if not row["former"] and not row["two_classes"]]
TWO = [row for row in ROWS if row["two_classes"]]
FORMER = [row for row in ROSETTA["libraries"] if row["former"]]


def release(row):
    return row["package"].partition("==")[2] or ROSETTA["torch"]


def short(value):
    return f"{value:.4f}".rstrip("0")


def target(row):
    """Return what stands in a table of targets, for the fewest classes measured."""
    if "error" in row:
        return (row["name"], row["error"], *[""] * 5, release(row))
    classes, q = next(iter(row["targets"].items()))
    return (
        row["name"],
        row["convention"],
        short(in_torch(row["convention"], int(classes))),
        short(row["to_write"][classes]),
        short(max(q)),
        short(min(v for v in q if v)),
        row["form"],
        release(row),
    )


def in_torch(convention, num_classes):
    """Return the ε that PyTorch needs for what the library does with its own."""
    padded = convention == "others-without-padding"  # PyTorch has no such class
    return convert_smoothing(
        ROSETTA["smoothing"],
        num_classes - padded,
        "others" if padded else convention,
        "half" if convention in BINARY else "uniform",
    )


def behaviour(row):
    return (
        row["name"],
        row["weights"],
        row["ignore_index"].replace("not asked", "not tested"),
        dimensions(row["dimension"]),
        row["half"],
        reductions(row["reduction"]),
    )


def dimensions(found):
    """Say where the classes may stand, and where they stand unseen by the loss."""
    right = " or ".join(dim for dim, answer in found.items() if answer == "right")
    wrong = [f"wrong at {dim}" for dim, answer in found.items() if answer == "wrong"]
    return "; ".join([right or "2-D only", *wrong])


def reductions(found):
    """Say what is returned, and which other arguments do what they say."""
    others = [how for how, answer in found.items() if how == answer != found["default"]]
    wrong = [
        f"{how!r} gives {answer.replace('other', 'another shape')}"
        for how, answer in found.items()
        if how not in ("default", answer)
        and answer in ("mean", "sum", "none", "sum / N", "other")
    ]
    return "; ".join([", ".join([found["default"], *others]), *wrong])


def source(row):
    if "wheels" not in row:
        return (row["name"], row["path"], row["imported"], "")
    digest = next(iter(row["wheels"].values()), "")
    return (row["name"], row["path"], row["imported"], digest[:8])


TARGETS = (
    "library",
    "ε means",
    "in PyTorch",
    "there",
    "$q'(y)$",
    "$q'(k)$",
    "form",
    "release",
)
TABLES = {
    "targets": (TARGETS, MANY, target),
    "two": (TARGETS, TWO, target),
    "former": (TARGETS, FORMER, target),
    "behaviour": (
        ("library", "class weights", "target −100", "class dim", "float16", "reduction"),
        [row for row in MANY if "weights" in row],
        behaviour,
    ),
    "sources": (
        ("library", "what was called", "imported", "SHA-256"),
        ROWS,
        source,
    ),
}


class Rosetta(SphinxDirective):
    """One of the tables, by its name."""

    required_arguments = 1

    def run(self):
        head, rows, cells = TABLES[self.arguments[0]]
        group = nodes.tgroup(cols=len(head))
        group += [nodes.colspec(colwidth=1) for _ in head]
        group += nodes.thead("", self.row(head))
        group += nodes.tbody("", *(self.row(cells(row)) for row in rows))
        return [nodes.table("", group, classes=["rosetta", self.arguments[0]])]

    def row(self, texts):
        return nodes.row("", *(nodes.entry("", self.cell(text)) for text in texts))

    def cell(self, text):
        parts, _ = self.parse_inline(text) if "$" in text else ([nodes.Text(text)], [])
        return nodes.paragraph(
            "", "", nodes.inline("", "", *parts, tie=("value", "rosetta"))
        )


def setup(app):
    app.add_directive("rosetta", Rosetta)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
