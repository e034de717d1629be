"""Plant each mistake once, and see it caught; and see the right thing pass.

The skipped and loosened examples in plants.txt are such plants: nothing here is skipped.
"""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_output

from .conftest import Build, build_site, read_cases

pytestmark = pytest.mark.filterwarnings("default")
PLANTS = read_cases("plants.txt")


@pytest.fixture(scope="module")
def warnings(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """Build all plants in one site, and return the warnings about each."""
    root = tmp_path_factory.mktemp("plants")
    pages = {f"plant{n}": page for n, (_, page) in enumerate(PLANTS)}
    printed, _ = build_site(root, "```{toctree}\n:glob:\nplant*\n```", pages=pages)
    by_page = defaultdict(str)
    for warning in filter(None, re.split(r"^(?=\S+\.md)", printed, flags=re.M)):
        by_page[int(re.match(r"\S+plant(\d+)\.md", warning)[1])] += warning
    return by_page


@pytest.mark.parametrize("number", range(len(PLANTS)))
def test_each_plant_is_caught(warnings: dict[int, str], number: int) -> None:
    message, page = PLANTS[number]
    assert message in warnings[number], page
    assert bool(message) == bool(warnings[number]), page


def test_a_page_that_is_read_in_the_repository(build: Build, tmp_path: Path) -> None:
    cases = read_cases("repository.txt")
    (tmp_path / "README.md").write_text("".join(text for _, text in cases))
    pattern = r"^\S*README.md:(\d+): WARNING(.*?)(?=^\S*README.md:|\Z)"
    found = re.findall(pattern, build("Words.")[0], re.MULTILINE | re.DOTALL)
    line = 1
    for message, text in cases:
        end = line + text.count("\n")
        warnings = "".join(said for at, said in found if line <= int(at) < end)
        assert message in warnings
        assert bool(message) == bool(warnings), text
        line = end


def test_a_gallery_script_that_did_not_run_is_caught(
    build: Build, tmp_path: Path
) -> None:
    script = tmp_path / "examples" / "1_a" / "plot_b.py"
    script.parent.mkdir(parents=True)
    script.write_text("a = 1\n\nb = 2\n# %%\n# ::\n#\n#     a = 3\n")
    code = "```{{code-block}} Python\n{}\n```\n\n"
    shown = code.format("a = 1\n\nb = 2")
    toctree = "```{toctree}\nauto_examples/1_a/plot_b\n```"
    drawing = "```{drawing} floor(5, 0.3)\n```"

    def warnings(page: str) -> str:
        return build(toctree, pages={"auto_examples/1_a/plot_b": page})[0]

    assert "plot_b.py:1: WARNING: the script left no figure" in warnings(shown)
    assert warnings(shown + drawing) == ""
    in_text = warnings(shown + code.format("a = 3") + drawing)
    assert "code that nothing runs: 'a = 3'" in in_text


DRAW = "from label_smoothing import figures\nfigures.palette();"
SVG = {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'/>"}


def drawn(alternative: str = "") -> dict[str, Any]:
    """Return what a cell has that shows an image."""
    says = {"mystnb": {"image": {"alt": alternative}}}
    return {"outputs": [new_output("display_data", SVG)], "metadata": says}


def test_a_notebook_shows_what_it_draws(build: Build) -> None:
    right = {
        DRAW: drawn("Four colours."),
        "figure = figures.palette()": {},
        "print(1)": {},
        "%matplotlib inline": {},
    }
    assert build([new_code_cell(code, **rest) for code, rest in right.items()])[0] == ""
    wrong = [
        new_code_cell(DRAW),
        new_code_cell(f"%matplotlib inline\n{DRAW}"),
        new_code_cell(f"a = 1\n{DRAW}"),
        new_code_cell(DRAW, **drawn()),
        new_code_cell(DRAW, **drawn("a/figure_1.svg")),
    ]
    found = re.findall(r"WARNING: (a cell that draws|an image .*')", build(wrong)[0])
    assert found == [
        *["a cell that draws"] * 3,
        "an image without an alternative: ''",
        "an image without an alternative: 'a/figure_1.svg'",
    ]
