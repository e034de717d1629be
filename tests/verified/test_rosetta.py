import copy
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from .conftest import DOCS, Build

RECORD = json.loads(
    (DOCS / "measured" / "rosetta" / "rosetta.json").read_text(encoding="utf-8")
)


def cells(out: Path) -> dict[str, list[str]]:
    soup = BeautifulSoup((out / "index.html").read_text(encoding="utf-8"), "html.parser")
    rows = [[td.text for td in tr.find_all("td")] for tr in soup.find_all("tr")]
    return {row[0]: row[1:] for row in rows if row}


@pytest.mark.parametrize("table", ["targets", "two", "former", "behaviour", "sources"])
def test_a_table_has_its_rows_and_no_number_that_nothing_verifies(
    build: Build, table: str
) -> None:
    warnings, out = build(f"```{{rosetta}} {table}\n```")
    assert warnings == ""
    rows = cells(out)
    former = {row["name"] for row in RECORD["libraries"] if row["former"]}
    two = {row["name"] for row in RECORD["libraries"] if row["two_classes"]}
    every = {row["name"] for row in RECORD["libraries"]}
    labels = {row["name"] for row in RECORD["libraries"] if row.get("form") == "labels"}
    expected = {
        "targets": every - former - two,
        "two": two,
        "former": former,
        "behaviour": every - former - two - labels,
        "sources": every,
    }
    assert rows.keys() == expected[table]


def test_what_a_row_says(build: Build) -> None:
    _, out = build("```{rosetta} targets\n```")
    assert cells(out)["PyTorch"] == [
        "uniform",
        "0.1",
        "0.1",
        "0.92",
        "0.02",
        "CE",
        "2.13.0",
    ]
    assert cells(out)["fairseq"] == [
        "others",
        "0.125",
        "0.08",
        "0.9",
        "0.025",
        "CE",
        "0.12.2",
    ]
    padded = ["others-without-padding", "0.1333", "0.075", "0.9", "0.0333", "KL", "0.5.1"]
    assert cells(out)["labml.ai"] == padded
    _, out = build("```{rosetta} two\n```")
    assert cells(out)["Keras, binary"][:3] == ["half", "0.1", "0.1"]
    assert cells(out)["torchtune, DPO"][:3] == ["swap", "0.2", "0.05"]


def test_a_library_that_did_not_run_shows_its_error(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    record: dict[str, Any] = copy.deepcopy(RECORD)
    row = record["libraries"][1]
    kept = {key: row[key] for key in ("name", "package", "path", "imported")}
    record["libraries"][1] = kept | {
        "two_classes": False,
        "former": False,
        "error": "no matching distribution",
    }
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    monkeypatch.setattr(importlib.import_module("verified.names"), "ROSETTA", record)
    for table in ("targets", "behaviour", "sources"):
        warnings, out = build(f"```{{rosetta}} {table}\n```")
        assert warnings == ""
        shown = cells(out).get(row["name"])
        if table == "targets":
            assert shown is not None
            assert shown[0] == "no matching distribution"
        assert (shown is None) == (table == "behaviour")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"1": "right", "last": "right"}, "1 or last"),
        ({"1": "wrong", "last": "right"}, "last; wrong at 1"),
        (
            {"1": "raises ValueError", "last": "wrong"},
            "2-D only; wrong at last",
        ),
    ],
)
def test_where_classes_may_stand(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, str], said: str
) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    assert importlib.import_module("presentation.tables").dimensions(found) == said


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            {"default": "mean", "mean": "mean", "sum": "sum", "none": "none"},
            "mean, sum, none",
        ),
        ({"default": "none", "mean": "no argument", "sum": "raises ValueError"}, "none"),
        ({"default": "sum", "mean": "sum", "sum": "sum"}, "sum; 'mean' gives sum"),
    ],
)
def test_what_reductions_do(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, str], said: str
) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    assert importlib.import_module("presentation.tables").reductions(found) == said
