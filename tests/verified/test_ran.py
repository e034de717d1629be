"""A script that the build does not run is shown as it ran, or not at all."""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from measured import rows
from measured.frameworks.__main__ import digest

from .conftest import Build

pytestmark = pytest.mark.filterwarnings("default")

CODE = "import library\n\nprint(library.loss(0.25))\n"
PAGE = """
```{ran} loops/train_library.py
```

With ε = {given}`0.25 := loss(0.25)` the loss is {printed}`0.405 := hard loss 0.405`.
"""
RECORD = "docs/measured/frameworks/scripts.jsonl"


@pytest.fixture
def script(build: Build, tmp_path: Path) -> Path:
    """Write the script and its record, and return its path."""
    row = {"versions": {"library": "1.2.3"}, "printed": ["hard loss  0.405", "1"]}
    script = tmp_path / "docs" / "loops" / "train_library.py"
    for path in (script, tmp_path / RECORD):
        path.parent.mkdir(parents=True)
    script.write_text(CODE)
    sealed = {"script": script.name, **row, "sha256": digest(CODE, row)}
    rows.write(tmp_path / RECORD, [sealed])
    return script


def test_a_script_is_shown_with_what_it_printed(build: Build, script: Path) -> None:
    warnings, out = build(PAGE)
    assert warnings == ""
    html = (out / "index.html").read_text(encoding="utf-8")
    blocks = BeautifulSoup(html, "html.parser").select(".ran")
    texts = [block.text.strip("\n") for block in blocks]
    said = "With library 1.2.3 it prints:"
    assert texts == [CODE.strip("\n"), said, "hard loss  0.405\n1"]
    assert "highlight-python" in blocks[0]["class"]  # what gets a button


@pytest.mark.parametrize(
    ("old", "new"), [("0.405", "0.406"), ("1.2.3", "1.2.4"), ('"1"', '"2"')]
)
def test_a_changed_record_is_caught(
    build: Build, script: Path, tmp_path: Path, old: str, new: str
) -> None:
    record = tmp_path / RECORD
    record.write_text(record.read_text().replace(old, new))
    said = "scripts.jsonl not what was recorded: run nox -s frameworks"
    assert said in build(PAGE)[0]


def test_a_changed_script_is_caught(build: Build, script: Path) -> None:
    script.write_text(CODE.replace("0.25", "0.35"))
    warnings = build(PAGE)[0]
    assert "index.md:4: ERROR: ran: loops/train_library.py is not the script" in warnings
    assert "run nox -s frameworks -- --record" in warnings


def test_what_never_ran_is_caught(build: Build, script: Path, tmp_path: Path) -> None:
    script.with_name("train_other.py").write_text(CODE)
    for name, said in (
        ("train_other", "scripts.jsonl does not have loops/train_other.py: run nox"),
        ("train_none", "there is no loops/train_none.py"),
    ):
        assert said in build(f"```{{ran}} loops/{name}.py\n```")[0]
    (tmp_path / RECORD).unlink()
    said = "there is no measured/frameworks/scripts.jsonl: run nox"
    assert said in build(PAGE)[0]


def test_a_tie_to_another_number_is_caught(build: Build, script: Path) -> None:
    given, printed = PAGE.replace("0.25", "0.35"), PAGE.replace("0.405", "0.406")
    assert "does not have 'loss(0.35)'" in build(given)[0]
    assert "does not have 'hard loss 0.406'" in build(printed)[0]


@pytest.mark.parametrize("name", ["docs/loops/train_library.py", RECORD])
def test_each_digit_of_the_script_and_of_its_record_is_sealed(
    script: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    text = path.read_text()
    for at in [at for at, char in enumerate(text) if char.isdigit()]:
        path.write_text(f"{text[:at]}{(int(text[at]) + 1) % 10}{text[at + 1 :]}")
        (row,) = rows.read(tmp_path / RECORD)
        assert row.get("sha256") != digest(script.read_text(), row)
