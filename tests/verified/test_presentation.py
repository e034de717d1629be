import ast
import pickle
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from label_smoothing import figures

from .conftest import DOCS, Build

pytestmark = pytest.mark.filterwarnings("default")


def parsed(out: Path) -> BeautifulSoup:
    return BeautifulSoup((out / "index.html").read_text("utf-8"), "html.parser")


def test_a_drawing_comes_in_two_themes_with_the_same_data(build: Build) -> None:
    warnings, out = build("```{drawing} targets(target[0], 5, smoothing)\nThe mix.\n```")
    assert warnings == ""
    light, dark = parsed(out).find_all("img")
    assert "only-light" in light["class"]
    assert "only-dark" in dark["class"]
    assert light["alt"] == dark["alt"]
    assert light["alt"].startswith("Three bar charts over 5 classes.")
    first, second = ((out / image["src"]).read_text() for image in (light, dark))
    assert first != second
    colour = re.compile("#[0-9a-f]{6}")
    assert colour.sub("", first) == colour.sub("", second)
    assert set(colour.findall(first)) <= set(figures.DARK)
    assert set(colour.findall(second)) <= set(figures.DARK.values())


def test_an_explorer_is_around_its_figure(build: Build) -> None:
    figure = "```{drawing} mix(5, smoothing)\nA caption.\n```"
    warnings, out = build(f"````{{explorer}} mix\n{figure}\n````")
    assert warnings == ""
    html = parsed(out)
    assert html.select("explore-mix figure img")
    scripts = [script["src"].partition("?")[0] for script in html.select("script[src]")]
    loaded = ["_static/explorers/explorer.js", "_static/explorers/mix.js"]
    assert scripts[-2:] == loaded


def test_a_page_without_one_loads_no_script(build: Build) -> None:
    warnings, out = build("No such element.")
    assert warnings == ""
    assert "explorer" not in (out / "index.html").read_text("utf-8")


def test_the_colours_of_the_page_are_those_of_the_figures() -> None:
    css = (DOCS / "_static" / "site.css").read_text(encoding="utf-8")
    for name, symbol in (("delta", "δ"), ("u", "u"), ("q", "q'"), ("p", "p")):
        light = figures.COLOURS[symbol]
        dark = figures.DARK[light]
        assert re.findall(rf"--{name}: (\S+);", css) == [light, dark, dark]


def test_formulas_are_mathml_in_the_colours_of_their_symbols(build: Build) -> None:
    _, out = build("$q' = (1-\\varepsilon)\\,\\delta + \\varepsilon\\,u$, and $p$.")
    page = parsed(out)
    coloured = {tag["class"][0]: tag.get_text() for tag in page.select("math [class]")}
    assert coloured == {"q": "q′", "delta": "δ", "u": "u", "p": "p"}
    # The full stop stays on the line of the formula.
    assert page.select(".formula")[-1].get_text() == "p."
    assert "\\delta" not in str(page)


@pytest.mark.parametrize("page", ["```{drawing} palette()\n```", "{value}`smoothing`"])
def test_a_page_is_out_of_date_when_what_it_shows_changes(
    build: Build, page: str
) -> None:
    _, out = build(page, verified_names=["label_smoothing.example", "measured.results"])
    pickled = (out.parent / "doctrees" / "environment.pickle").read_bytes()
    noted = {Path(name).name for name in pickle.loads(pickled).dependencies["index"]}
    code = {"_style.py", "_gather.py", "gather.py", "example.py", "drawings.py"}
    assert noted >= code | {"runs.csv", "losses.jsonl", "conditions.json"}


@pytest.mark.parametrize(
    "script", sorted(DOCS.parent.glob("examples/**/*.py")), ids=lambda path: path.stem
)
def test_a_gallery_script_shows_each_figure_once_in_a_notebook(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"))
    named = [n for n in tree.body if isinstance(n, ast.Assign) and draws(n.value)]
    shown_twice = [n for n in tree.body if isinstance(n, ast.Expr) and draws(n.value)]
    assert named
    assert not shown_twice  # as the figure, and as the value of the cell


def draws(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).startswith("figures.")
