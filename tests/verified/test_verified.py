"""Plant each mistake once, and see it caught; and see the right thing pass.

The skipped and loosened examples below are such plants: nothing here is skipped.
"""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from .conftest import Build, build_site

pytestmark = pytest.mark.filterwarnings("default")

PLANTS = [
    plant.partition("\n")
    for plant in Path(__file__)
    .with_name("plants.txt")
    .read_text("utf-8")
    .split("=== ")[1:]
]


@pytest.fixture(scope="module")
def warnings(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """Build all plants in one site, and return the warnings about each."""
    pages = {f"plant{n}": page for n, (_, _, page) in enumerate(PLANTS)}
    printed, _ = build_site(
        tmp_path_factory.mktemp("plants"),
        "```{toctree}\n:glob:\nplant*\n```",
        pages=pages,
    )
    found = re.split(r"^(?=\S+\.md)", printed, flags=re.M)
    by_page = defaultdict(str)
    for warning in filter(None, found):
        by_page[int(re.match(r"\S+plant(\d+)\.md", warning)[1])] += warning
    return by_page


@pytest.mark.parametrize("number", range(len(PLANTS)))
def test_each_plant_is_caught(warnings: dict[int, str], number: int) -> None:
    message, _, page = PLANTS[number]
    assert message in warnings[number], page
    assert bool(message) == bool(warnings[number]), page


@pytest.mark.parametrize(
    ("page", "failures"),
    [
        ("```{doctest}\n>>> 1 + 1\n2\n```", 0),
        ("```{doctest}\n>>> 1 + 1\n3\n```", 1),
        ("```{doctest}\n>>> print('a', 'b')\na ... b\n```", 1),
        ("```{testcode}\nprint(1)\n```\n\n```{testoutput}\n1\n```", 0),
        ("```{testcode}\nprint(1)\n```\n\n```{testoutput}\n2\n```", 1),
        ("```{testcode}\nprint(1)\n```", 1),
        # A snippet that leans on the one above it could not be pasted alone.
        ("```{testcode}\na = 1\n```\n\n```{testcode}\nb = a\n```", 1),
        ("```{doctest}\n>>> a = 1\n```\n\n```{doctest}\n>>> b = a\n```", 1),
    ],
)
def test_examples_run(build: Build, page: str, failures: int) -> None:
    assert build(page)[0].count("Failed example:") == failures


def test_a_page_that_is_read_in_the_repository(build: Build, tmp_path) -> None:
    def warnings(readme: str) -> str:
        (tmp_path / "README.md").write_text(readme, encoding="utf-8")
        return build("Words.")[0]

    assert warnings("```python\nprint(5)\n```\n\n```text\n5\n```\n\n    a / 2") == ""
    assert warnings("```console\n$ python -c 'print(1)'\n1\n```") == ""
    assert "the code prints '5" in warnings("```python\nprint(5)\n```\n```text\n6\n```")
    assert "prints '1" in warnings("```console\n$ python -c 'print(1)'\n2\n```")
    assert "ZeroDivisionError" in warnings("```python\n1 / 0\n```\n```text\n6\n```")
    assert "nothing verifies: 9.8" in warnings("`it is 9.8`")
    assert "nothing verifies: 9.8" in warnings("<p>9.8</p>")
    assert "nothing verifies: 9" in warnings("<p>Words.</p>\n\n![at 9](a.png)")
    assert "README.md:2: WARNING: numbers" in warnings("# Title\nIt is 5 times as fast.")
    assert "numbers that nothing verifies: 0.5" in warnings("    a = 0.5")
    assert "numbers that nothing verifies: 5" in warnings("| a |\n|---|\n| 5 |")
    assert "a block that nothing runs" in warnings("```text\n6\n```")
    assert "a block that nothing runs" in warnings("```c\nint a;\n```")
    assert "code without an output" in warnings("```python\nprint(5)\n```\n\nWords.")
    assert "code without an output" in warnings("```python\nprint(5)\n```")


def test_a_gallery_script_that_did_not_run_is_caught(build: Build, tmp_path) -> None:
    script = tmp_path / "examples" / "1_a" / "plot_b.py"
    script.parent.mkdir(parents=True)
    script.touch()
    assert "the script left no figure" in build("Words.")[0]
    images = tmp_path / "docs" / "auto_examples" / "1_a" / "images"
    images.mkdir(parents=True)
    (images / "sphx_glr_plot_b_001.svg").touch()
    assert build("Words.")[0] == ""
    script.write_text("# %%\n# .. code-block:: python\n#\n#     undefined\n")
    assert "code in the text" in build("Words.")[0]


DRAW = "from label_smoothing import figures\nfigures.palette();"
SHOWN = {
    "output_type": "display_data",
    "metadata": {},
    "data": {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'/>"},
}


def says(alt: str) -> dict[str, object]:
    return {"mystnb": {"image": {"alt": alt}}}


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"source": DRAW, "outputs": [SHOWN], "metadata": says("Four colours.")}, ""),
        ({"source": "figure = figures.palette()"}, ""),
        ({"source": "print(1)"}, ""),
        ({"source": "%matplotlib inline"}, ""),
        ({"source": DRAW}, "a cell that draws, without an image"),
        ({"source": f"%matplotlib inline\n{DRAW}"}, "draws, without an image"),
        ({"source": f"a = 1\n{DRAW}"}, "draws, without an image"),
        ({"source": DRAW, "outputs": [SHOWN]}, "an image without an alternative: ''"),
        (
            {"source": DRAW, "outputs": [SHOWN], "metadata": says("a/figure_1.svg")},
            "an image without an alternative: 'a/figure_1.svg'",
        ),
    ],
)
def test_a_notebook_shows_what_it_draws(
    build: Build, cell: dict[str, object], message: str
) -> None:
    warnings = build(cell)[0]
    assert message in warnings
    assert bool(message) == bool(warnings)
