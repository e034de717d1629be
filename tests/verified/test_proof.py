"""The proof finds every claim, flips each of its digits, and names what survives."""

import json
import pickle
from pathlib import Path

import pytest
from sphinx.errors import SphinxParallelError
from verified.claims import claims

from .conftest import Build, read_cases

pytestmark = pytest.mark.filterwarnings("default")

PAGE = """
The loss is {num}`1.3883 := LabelSmoothing(0.3)(logits, target)`, of {value}`1 + 1`.

```{drawing} floor(5, 0.3)
At ε = {given}`0.3 := , 0.3)`.
```

```{testcode}
print(0.25 * 3)
```

```{testoutput}
0.75
```
"""
README = "```python\nprint(5)\n```\n\n```text\n5\n```\n"


def proven(build: Build, page: str, capfd: pytest.CaptureFixture[str], **options) -> str:
    build(page, "proof", **options)
    return capfd.readouterr().out


def test_each_digit_dies(build: Build, tmp_path: Path, capfd) -> None:
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    (tmp_path / "docs" / "measured").mkdir(parents=True)
    out = proven(build, PAGE, capfd, proof_record="7ee6fe5")
    assert "    1 / 1     ../README\n" in out
    assert "   10 / 10    index" in out
    assert "   11 digits in all" in out
    record = (tmp_path / "docs" / "measured" / "proof.csv").read_text().splitlines()
    assert record[0] == "date,commit,flipped"
    assert record[1].endswith(",7ee6fe5,11")


@pytest.mark.parametrize(
    ("check", "survivor", "survivors"),
    [
        ("verified.pages.compare", "index.md:4: 1.3883: 1.3884", 5),
        ("verified.pages.Page.check_words", "index.md:7: 0.3: 0.4", 2),
        ("verified.snapshots.Recording.test_group", "index.md:14: 0.75: 0.76", 4),
        ("verified.snapshots.Recording.test_group", "README.md:5: 5: 6", 4),
    ],
)
def test_what_a_broken_check_lets_through_is_named(
    build: Build, tmp_path: Path, capfd, monkeypatch, check, survivor, survivors
) -> None:
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    monkeypatch.setattr(check, lambda *_, **__: True)
    out = proven(build, PAGE, capfd)
    assert f"{survivor}\n" in out
    assert out.count("survived: ") == survivors


def test_a_page_that_is_wrong_already_proves_nothing(build: Build) -> None:
    with pytest.raises(
        SphinxParallelError, match=r"index as it is: \['numbers that nothing"
    ):
        build("It is 0.5.", "proof")


def test_the_claims_of_a_page(build: Build) -> None:
    cases = read_cases("claims.txt")
    _, out = build("Words.", pages={f"page{n}": case[1] for n, case in enumerate(cases)})
    for number, (found, page) in enumerate(cases):
        doctree = out.parent / "doctrees" / f"page{number}.doctree"
        shown = [
            c.words[c.start : c.end] for c in claims(pickle.loads(doctree.read_bytes()))
        ]
        assert shown == found.split(), page


def test_the_numbers_are_counted(build: Build) -> None:
    warnings, out = build(f"{PAGE}\n\nThese are {{counted}}`numbers` numbers.")
    assert warnings == ""
    assert ">3</span> numbers" in (out / "index.html").read_text(encoding="utf-8")


def test_a_sample_is_flipped_in_the_sources(build: Build, tmp_path: Path, capfd) -> None:
    hidden = "{num}`0.25\n:= 1 / 4`"
    _, out = build(f":::{{note}}\n{PAGE}\n:::\n\n{hidden}", "proof", proof_whole=13)
    source = (tmp_path / "docs" / "index.md").read_text(encoding="utf-8")
    sample = json.loads((out.parent / "doctrees" / "sample.json").read_text())
    flipped = {
        line
        for flip in sample
        for line in set(flip["text"].splitlines()) - set(source.splitlines())
    }
    assert len(flipped) == len(sample) == 10
    assert "3 of 13 flips are left out" in capfd.readouterr().out
    assert {flip["path"] for flip in sample} == {"docs/index.md"}
    assert {"0.76", "0.85", "1.75", "At ε = {given}`0.4 := , 0.3)`."} <= flipped
