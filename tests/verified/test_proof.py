"""The proof finds every number, kills what is tied, and names what survives."""

import json
import sys
from pathlib import Path

import pytest

from .conftest import Build

pytestmark = pytest.mark.filterwarnings("default")

PAGE = """
The loss is {num}`1.3883 := LabelSmoothing(0.3)(logits, target)`, and {math}`a/2`.

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


def prove(build: Build, page: str, **options: object) -> str:
    extra = ["record", "proof"]
    build(page, extra=extra)
    return build(page, "proof", extra=extra, **options)[0]


def test_each_number_dies(build: Build, tmp_path: Path, capfd) -> None:
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    assert prove(build, PAGE) == ""
    record = json.loads((tmp_path / "docs" / "measured" / "proof.json").read_text())
    assert record == {
        "README.md": {"flipped": 2, "caught": 2},
        "docs/index.md": {"flipped": 9, "caught": 9},
    }
    assert "   11 / 11    in all" in capfd.readouterr().out
    assert "{num}`1.3883" in (tmp_path / "docs" / "index.md").read_text(encoding="utf-8")


def test_each_digit_dies(build: Build, tmp_path: Path) -> None:
    prove(build, PAGE, proof_of_every_digit=True)
    record = json.loads((tmp_path / "docs" / "measured" / "proof.json").read_text())
    assert record == {"docs/index.md": {"flipped": 21, "caught": 21}}


def test_a_survivor_is_named(build: Build, capfd) -> None:
    prove(build, "```{testcode}\nunused = 5\n```\n")
    out = capfd.readouterr().out
    assert "    0 / 1     docs/index.md" in out
    assert "survived: docs/index.md:4: 5 -> 6" in out


def test_a_page_that_is_wrong_already_proves_nothing(build: Build) -> None:
    with pytest.raises(RuntimeError, match=r"docs/index\.md as it is: numbers"):
        prove(build, "It is 0.5.")


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("docs/a.md", "At 0.5, in 3 of 2026 and {num}`7 := f(8)`.", "0.5 3 7 8"),
        ("docs/a.md", "1. `x[0]`, `0.5`, $1/K$, $0.25$, float32, 2.13.0", "0.5 0.25"),
        ("docs/a.md", "[5](https://a/9) [6](b9.md) {doc}`/9` https://a/9 7", "5 6 7"),
        ("docs/a.md", "{num}`1 := a` and `b` and 2 and {given}`3 := c`", "1 2 3"),
        ("docs/a.md", "```{testcode}\nx1 = 3e-5 * y[2]\n```\nat 4", "3e-5 2 4"),
        ("docs/a.md", "```{testoutput}\ntensor([0., 1.])\n```", "0 1"),
        ("docs/a.md", "```{drawing} floor(5, 0.3)\nAt 6.\n```", "5 0.3 6"),
        ("docs/a.md", "```console\n$ pip install a==5\n```", ""),
        ("docs/a.md", "```console\n$ python -m a 5\n6\n```", "5 6"),
        ("docs/a.md", "```{math}\n1/K\n```\n````markdown\n5\n````", "5"),
        (
            "examples/b.py",
            '"""\nAt 5\n"""\nx = 6\n# %%\n# At :math:`9` ``9`` 7.\n',
            "5 6 7",
        ),
        (
            "src/b.py",
            '"""At 5."""\nx = 9\ndef f():\n    """At 6.\n\n'
            '    >>> f(7)\n    8\n\n    :math:`9`\n    """\n',
            "5 6 7 8",
        ),
        ("docs/r.bib", "@book{k, year = {1999},\n  annote = {about 0.2%},\n}", "0.2"),
    ],
)
def test_the_numbers_of_a_source(build: Build, name: str, text: str, found: str) -> None:
    build("Words.", extra=["proof"])
    source = sys.modules["verified.proof"].Source(Path(name), text)
    assert [text[start:end] for start, end in source.spans] == found.split()


def test_the_last_proof_is_shown(build: Build, tmp_path: Path) -> None:
    (tmp_path / "docs" / "measured").mkdir(parents=True, exist_ok=True)
    record = {"docs/a.md": {"flipped": 5, "caught": 4}}
    (tmp_path / "docs" / "measured" / "proof.json").write_text(json.dumps(record))
    page = "```{proof} measured/proof.json\n**{caught} of {flipped}**\n```"
    warnings, out = build(page, extra=["record", "proof"])
    assert warnings == ""
    html = (out / "index.html").read_text(encoding="utf-8")
    assert "<strong>4 of 5</strong>" in html
    assert html.count("docs/a.md") == 1
    typed = page.replace("{caught}", "4")
    assert "no numbers" in build(typed, extra=["proof"])[0]
