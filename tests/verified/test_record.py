import json
from pathlib import Path

import pytest

from .conftest import SHOWN_TEXT, Build

pytestmark = pytest.mark.filterwarnings("default")

TWO = "```{doctest}\n>>> 1 + 1\n2\n>>> 2 + 2\n4\n```"
ONE = "```{doctest}\n>>> 1 + 1\n2\n```"
DRAWING = "```{drawing} floor(5, 0.3)\n```"


def record(tmp_path: Path) -> dict[str, dict[str, object]]:
    return json.loads((tmp_path / "docs" / "record.json").read_text(encoding="utf-8"))


def test_a_page_that_runs_less_than_was_recorded_is_caught(
    build: Build, tmp_path: Path
) -> None:
    build(TWO)
    assert record(tmp_path) == {"index": {"examples": 2}}
    assert build(TWO, record=False)[0].count("WARNING") == 0
    assert "examples: the build has 1, record.json 2" in build(ONE, record=False)[0]
    assert "examples: the build has None" in build("Words.", record=False)[0]
    (tmp_path / "docs" / "record.json").unlink()
    assert "has 1, record.json None" in build(ONE, record=False)[0]


def test_what_a_drawing_shows_is_recorded(build: Build, tmp_path: Path) -> None:
    build(DRAWING)
    (alternative,) = record(tmp_path)["index"]["drawings"]
    assert "for 5 classes" in alternative
    moved = build(DRAWING.replace("5", "6"), record=False)[0]
    assert "drawings: the build has" in moved
    assert "6 classes" in moved


def test_what_a_notebook_prints_is_recorded(build: Build, tmp_path: Path) -> None:
    cell = {"source": "print(1)", "outputs": [SHOWN_TEXT]}
    build(cell)
    assert record(tmp_path) == {"index": {"cells": 1, "outputs": ["1.3883"]}}
    moved = cell | {"outputs": [SHOWN_TEXT | {"text": "1.3884\n"}]}
    assert (
        "outputs: the build has '1.3884', record.json '1.3883'"
        in (build(moved, record=False)[0])
    )


def test_every_line_that_moved_is_named(build: Build, tmp_path: Path) -> None:
    shown = SHOWN_TEXT | {"text": "1.3883\n1.2969\n"}
    build({"source": "a", "outputs": [shown]})
    moved = {"source": "a", "outputs": [SHOWN_TEXT | {"text": "1.3884\n1.2968\n"}]}
    warnings = build(moved, record=False)[0]
    assert "has '1.3884', record.json '1.3883'" in warnings
    assert "has '1.2968', record.json '1.2969'" in warnings


def test_the_line_of_a_snippet_is_told(build: Build) -> None:
    page = "Words.\n\n```{testcode}\nprint(1)\n```\n\n```{testoutput}\n2\n```"
    assert 'File "index.md", line 5' in build(page, record=False)[0]
