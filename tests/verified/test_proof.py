"""The proof finds every claim, flips each of its digits, and names what survives."""

import json
import pickle
import sys
from pathlib import Path

import pytest

from .conftest import Build

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
    (tmp_path / "docs" / "measured").mkdir()
    out = proven(build, PAGE, capfd, proof_record="7ee6fe5")
    assert "    1 / 1     README.md" in out
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
        ("verified.snapshots.Recording.test_group", "index.md:14: 0.75: 0.76", 3),
        ("verified.repository.warn", "README.md: 6", 1),
    ],
)
def test_what_a_broken_check_lets_through_is_named(
    build: Build, tmp_path: Path, capfd, monkeypatch, check, survivor, survivors
) -> None:
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    build(PAGE)  # which imports the engine
    monkeypatch.setattr(check, lambda *_, **__: True)
    out = proven(build, PAGE, capfd)
    assert f"{survivor}\n" in out
    assert out.count("survived: ") == survivors


def test_a_page_that_is_wrong_already_proves_nothing(build: Build) -> None:
    with pytest.raises(RuntimeError, match=r"index as it is: \['numbers that nothing"):
        build("It is 0.5.", "proof")


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("In 2026 and {num}`7 := f(8)`, `x[0]`, $1/K$, float32, 2.13.0, {doc}`/9`", "7"),
        ("[5](https://a/5) [6](b9.md) https://a/9 {given}`-.5 := c`", "5 -.5"),
        (
            "{num}`1, inf := a` {value}`8` {cited}`2e-3 := c` {given}`(3, 4) := `",
            "1 2e-3 3 4",
        ),
        ("```{testcode}\nx1 = 3e-5\n```\n\n```{testoutput}\n[0., 1.]\n```", "0 1"),
        ("```{testcode}\nx = 3\n```\n\n```{testoutput}\n4\n... 5 more ...\n```", "4 5"),
        ("```{doctest}\n>>> for i in (1, 2):\n...     3\n4\n```", "4"),
        ("```{drawing} floor(5, 0.3)\nAt {num}`6 := 2 * 3`.\n```", "6"),
        ("```console\n$ pip install a==5\n```", ""),
        ("```console\n$ python -m a \\\n    5\n6\n```", "6"),
        ("```{math}\n1/K\n```\n\n````markdown\n5\n````", "5"),
    ],
)
def test_the_claims_of_a_page(build: Build, page: str, found: str) -> None:
    _, out = build(page)
    tree = pickle.loads((out.parent / "doctrees" / "index.doctree").read_bytes())
    claims = sys.modules["verified.claims"].claims(tree, "index")
    shown = [claim.words[claim.start : claim.end] for claim in claims]
    assert shown == found.split()


def test_the_numbers_are_counted(build: Build) -> None:
    warnings, out = build(f"{PAGE}\n\nThese are {{counted}}`numbers` numbers.")
    assert warnings == ""
    assert ">3</span> numbers" in (out / "index.html").read_text(encoding="utf-8")


def test_a_sample_is_flipped_in_the_sources(build: Build, tmp_path: Path) -> None:
    _, out = build(PAGE, "proof", proof_whole=10)
    source = (tmp_path / "docs" / "index.md").read_text(encoding="utf-8")
    sample = json.loads((out.parent / "doctrees" / "sample.json").read_text())
    flipped = {
        line
        for flip in sample
        for line in set(flip["text"].splitlines()) - set(source.splitlines())
    }
    assert len(flipped) == len(sample) == 10
    assert {flip["path"] for flip in sample} == {"docs/index.md"}
    assert {"0.76", "0.85", "1.75", "At ε = {given}`0.4 := , 0.3)`."} <= flipped
