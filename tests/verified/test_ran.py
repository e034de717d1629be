"""A script that the build does not run is shown as it ran, or not at all."""

import importlib
import json
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from .conftest import Build

pytestmark = pytest.mark.filterwarnings("default")

CODE = "import library\n\nprint(library.loss(0.25))\n"
PAGE = """
```{ran} loops/train_library.py
```

With ε = {given}`0.25 := loss(0.25)` the loss is {printed}`0.405 := hard loss 0.405`.
"""
RECORD = "docs/measured/frameworks/frameworks.json"
RAN = ["ran", "record", "proof"]


@pytest.fixture
def script(build: Build, tmp_path: Path) -> Path:
    """Write the script and its record, and return its path."""
    digest = importlib.import_module("measured.frameworks.seal").digest
    row = {"versions": {"library": "1.2.3"}, "printed": ["hard loss  0.405", "1"]}
    row["sha256"] = digest(CODE, row)
    source = tmp_path / "docs"
    (source / "loops").mkdir()
    record = source / "measured" / "frameworks" / "frameworks.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"train_library.py": row}))
    path = source / "loops" / "train_library.py"
    path.write_text(CODE)
    return path


def test_a_script_is_shown_with_what_it_printed(build: Build, script: Path) -> None:
    warnings, out = build(PAGE, extra=["ran"])
    assert warnings == ""
    html = (out / "index.html").read_text(encoding="utf-8")
    blocks = BeautifulSoup(html, "html.parser").select(".ran")
    texts = [block.text.strip("\n") for block in blocks]
    assert texts == [
        CODE.strip("\n"),
        "With library 1.2.3 it prints:",
        "hard loss  0.405\n1",
    ]
    assert "highlight-python" in blocks[0]["class"]  # what gets a button


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.405", "0.406"), ("1.2.3", "1.2.4"), ('"1"', '"2"')],
)
def test_a_changed_record_is_caught(
    build: Build, script: Path, old: str, new: str
) -> None:
    record = script.parents[1] / "measured" / "frameworks" / "frameworks.json"
    record.write_text(record.read_text().replace(old, new))
    warnings = build(PAGE, extra=["ran"])[0]
    assert "frameworks.json not what was recorded: run nox -s frameworks" in warnings


def test_a_changed_script_is_caught(build: Build, script: Path) -> None:
    script.write_text(CODE.replace("0.25", "0.35"))
    warnings = build(PAGE, extra=["ran"])[0]
    assert "index.md:4: ERROR: ran: loops/train_library.py is not the script" in warnings
    assert "run nox -s frameworks -- --record" in warnings


def test_what_never_ran_is_caught(build: Build, script: Path) -> None:
    script.with_name("train_other.py").write_text(CODE)
    other = "```{ran} loops/train_other.py\n```"
    warnings = build(other, extra=["ran"])[0]
    assert "frameworks.json does not have loops/train_other.py: run nox" in warnings
    missing = "```{ran} loops/train_none.py\n```"
    assert "there is no loops/train_none.py" in build(missing, extra=["ran"])[0]
    (script.parents[1] / "measured" / "frameworks" / "frameworks.json").unlink()
    assert (
        "there is no measured/frameworks/frameworks.json: run nox"
        in build(PAGE, extra=["ran"])[0]
    )


def test_a_tie_to_another_number_is_caught(build: Build, script: Path) -> None:
    given, printed = PAGE.replace("0.25", "0.35"), PAGE.replace("0.405", "0.406")
    assert "does not have 'loss(0.35)'" in build(given, extra=["ran"])[0]
    assert "does not have 'hard loss 0.406'" in build(printed, extra=["ran"])[0]


def test_each_number_of_the_script_and_of_its_record_dies(
    build: Build, script: Path, tmp_path: Path
) -> None:
    # The proof takes the scripts of the guides.
    guides = script.parents[1] / "guides"
    script.parent.rename(guides)
    page = PAGE.replace("loops/", "guides/")
    build(page, extra=RAN)
    assert build(page, "proof", extra=RAN, proof_of_every_digit=True)[0] == ""
    record = json.loads((tmp_path / "docs" / "measured" / "proof.json").read_text())
    for name, count in record.items():
        assert count["caught"] == count["flipped"], name
    source = sys.modules["verified.proof"].Source
    for name in (
        "docs/guides/train_library.py",
        "docs/measured/frameworks/frameworks.json",
    ):
        assert record[name]["flipped"] > 0
        text = (tmp_path / name).read_text()
        digits = sum(1 for _ in source(Path(name), text).mutants(True))
        assert record[name]["flipped"] == digits
    assert guides.joinpath("train_library.py").read_text() == CODE
