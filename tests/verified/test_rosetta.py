"""The tables of what other libraries do."""

import importlib

import pytest
from bs4 import BeautifulSoup
from measured import results
from measured.rosetta.losses import LIBRARIES

from .conftest import DOCS, Build

EVERY = {row["name"] for row in results.LOSSES}
FORMER = {name for name, library in LIBRARIES.items() if library.former}
TWO = {name for name, library in LIBRARIES.items() if library.two_classes}
LABELS = {row["name"] for row in results.LOSSES if row.get("form") == "labels"}
TABLES = {
    "targets": EVERY - FORMER - TWO,
    "two": TWO,
    "former": FORMER,
    "behaviour": EVERY - FORMER - TWO - LABELS,
    "sources": EVERY,
}


def table(build: Build, name: str) -> dict[str, list[str]]:
    """Build a table, and return its rows."""
    warnings, out = build(f"```{{rosetta}} {name}\n```")
    assert warnings == ""
    soup = BeautifulSoup((out / "index.html").read_text(encoding="utf-8"), "html.parser")
    rows = [[td.text for td in tr.find_all("td")] for tr in soup.find_all("tr")]
    return {row[0]: row[1:] for row in rows if row}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_its_rows_and_no_number_that_nothing_verifies(
    build: Build, name: str
) -> None:
    assert table(build, name).keys() == TABLES[name]


def test_what_a_row_says(build: Build) -> None:
    rows = table(build, "targets")
    for name, cells in {
        "PyTorch": "uniform 0.1 0.1 0.92 0.02 CE 2.13.0",
        "fairseq": "others 0.125 0.08 0.9 0.025 CE 0.12.2",
        "labml.ai": "others-without-padding 0.1333 0.075 0.9 0.0333 KL 0.5.1",
    }.items():
        assert rows[name] == cells.split()
    rows = table(build, "two")
    assert rows["Keras, binary"][:3] == ["half", "0.1", "0.1"]
    assert rows["torchtune, DPO"][:3] == ["swap", "0.2", "0.05"]
    digest = table(build, "sources")["timm"][-1]
    assert digest == "5bd50f7d"


def test_a_library_that_did_not_run_shows_its_error(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = results.LOSSES[1]
    failed = {key: row[key] for key in ("name", "package", "path")}
    failed["error"] = "no matching distribution"
    rows = [failed if other is row else other for other in results.LOSSES]
    monkeypatch.setattr(results, "LOSSES", rows)
    assert table(build, "targets")[row["name"]][0] == "no matching distribution"
    assert row["name"] not in table(build, "behaviour")
    assert row["name"] in table(build, "sources")


@pytest.mark.parametrize(
    ("function", "answers", "said"),
    [
        ("dimensions", "1=right last=right", "1 or last"),
        ("dimensions", "1=wrong last=right", "last; wrong at 1"),
        ("dimensions", "1=raises last=wrong", "2-D only; wrong at last"),
        ("reductions", "default=mean mean=mean sum=sum none=none", "mean, sum, none"),
        ("reductions", "default=none mean=refused sum=raises", "none"),
        ("reductions", "default=sum mean=sum sum=sum", "sum; 'mean' gives sum"),
    ],
)
def test_what_a_cell_says(
    monkeypatch: pytest.MonkeyPatch, function: str, answers: str, said: str
) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    tables = importlib.import_module("presentation.tables")
    found = dict(answer.split("=") for answer in answers.split())
    assert getattr(tables, function)(found) == said
