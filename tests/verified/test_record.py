import json
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from sphinx.errors import ThemeError

from .conftest import Build

pytestmark = pytest.mark.filterwarnings("default")

TWO = "```{doctest}\n>>> 1 + 1\n2\n>>> 2 + 2\n4\n```"
ONE = "```{doctest}\n>>> 1 + 1\n2\n```"
DRAWING = "```{drawing} floor(5, 0.3)\n```"


def printing(text: str) -> list[NotebookNode]:
    output = new_output("stream", name="stdout", text=text)
    return [new_code_cell("a", execution_count=1, outputs=[output])]


def record(tmp_path: Path) -> dict[str, dict[str, Any]]:
    return json.loads((tmp_path / "docs" / "record.json").read_text(encoding="utf-8"))


def test_a_page_that_runs_less_than_was_recorded_is_caught(
    build: Build, tmp_path: Path
) -> None:
    build(TWO)
    assert record(tmp_path) == {"index": {"examples": 2}}
    assert build(TWO, record=False)[0] == ""
    warnings = build(ONE, record=False)[0]
    assert "examples: the build has 1, record.json 2" in warnings
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


def test_every_line_that_a_notebook_prints_is_recorded(
    build: Build, tmp_path: Path
) -> None:
    build(printing("1.3883\n1.2969\n"))
    assert record(tmp_path) == {"index": {"cells": 1, "outputs": ["1.3883", "1.2969"]}}
    warnings = build(printing("1.3884\n1.2968\n"), record=False)[0]
    assert "outputs: the build has '1.3884', record.json '1.3883'" in warnings
    assert "outputs: the build has '1.2968', record.json '1.2969'" in warnings


def test_an_example_that_fails_is_reported_once_with_its_line(build: Build) -> None:
    page = "Words.\n\n```{testcode}\nprint(1)\n```\n\n```{testoutput}\n2\n```"
    warnings = build(page)[0]
    assert warnings.count("WARNING") == 1
    assert 'File "index.md", line 5' in warnings


def test_an_error_of_a_build_is_not_hidden_by_the_checks(build: Build) -> None:
    page = "```{testcode}\nraise KeyboardInterrupt\n```"
    with pytest.raises(ThemeError, match=r"none\.html"):
        build(page, html_sidebars={"**": ["none.html"]})
