"""A script that the build does not run is shown as it ran, or not at all."""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from measured import rows
from measured.frameworks.__main__ import fingerprint

from .conftest import Build

pytestmark = pytest.mark.filterwarnings("default")

CODE = "import library\n\nprint(library.loss(0.25))\n"
PAGE = """
```{recorded} loops/train_library.py
```

With ε = {given}`0.25 := loss(0.25)` the loss is {printed}`0.405 := hard loss 0.405`.
"""
SCRIPT, RECORD = "loops/train_library.py", "measured/frameworks/scripts.jsonl"
OTHER_RECORD = "scripts.jsonl not what was recorded: run nox -s frameworks -- --record"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Write the script and its record, and return their folder."""
    docs = tmp_path / "docs"
    row = {"versions": {"library": "1.2.3"}, "printed": ["hard loss  0.405", "1"]}
    for name in (SCRIPT, RECORD):
        (docs / name).parent.mkdir(parents=True)
    (docs / SCRIPT).write_text(CODE)
    sealed = {"script": "train_library.py", **row, "sha256": fingerprint(CODE, row)}
    rows.write(docs / RECORD, [sealed])
    return docs


def test_a_script_is_shown_with_what_it_printed(build: Build, docs: Path) -> None:
    warnings, out = build(PAGE)
    assert warnings == ""
    html = (out / "index.html").read_text(encoding="utf-8")
    blocks = BeautifulSoup(html, "html.parser").select(".recorded")
    texts = [block.text.strip("\n") for block in blocks]
    said = "With library 1.2.3 it prints:"
    assert texts == [CODE.strip("\n"), said, "hard loss  0.405\n1"]
    assert "highlight-python" in blocks[0]["class"]  # what gets a button


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (RECORD, "0.405", "0.406", OTHER_RECORD),
        (RECORD, "1.2.3", "1.2.4", OTHER_RECORD),
        (RECORD, '"1"', '"2"', OTHER_RECORD),
        (RECORD, "_library", "_other", f"scripts.jsonl does not have {SCRIPT}: run nox"),
        (
            SCRIPT,
            "0.25",
            "0.35",
            f"index.md:4: ERROR: recorded: {SCRIPT} is not the",
        ),
        ("index.md", "_library", "_none", "there is no loops/train_none.py"),
        ("index.md", "0.25", "0.35", "does not have 'loss(0.35)'"),
        ("index.md", "0.405", "0.406", "does not have 'hard loss 0.406'"),
    ],
)
def test_a_change_is_caught(
    build: Build, docs: Path, file: str, old: str, new: str, said: str
) -> None:
    if file == "index.md":
        warnings, _ = build(PAGE.replace(old, new))
    else:
        (docs / file).write_text((docs / file).read_text().replace(old, new))
        warnings, _ = build(PAGE)
    assert said in warnings


def test_a_record_that_is_not_there_is_missed(build: Build, docs: Path) -> None:
    (docs / RECORD).unlink()
    assert f"there is no {RECORD}: run nox" in build(PAGE)[0]


@pytest.mark.parametrize("name", [SCRIPT, RECORD])
def test_each_digit_of_the_script_and_of_its_record_is_sealed(
    docs: Path, name: str
) -> None:
    text = (docs / name).read_text()
    for at in [at for at, char in enumerate(text) if char.isdigit()]:
        changed = f"{text[:at]}{(int(text[at]) + 1) % 10}{text[at + 1 :]}"
        (docs / name).write_text(changed)
        (row,) = rows.read(docs / RECORD)
        assert row.get("sha256") != fingerprint((docs / SCRIPT).read_text(), row)
