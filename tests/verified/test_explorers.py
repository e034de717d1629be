import pytest
from bs4 import BeautifulSoup

from .conftest import Build

pytestmark = pytest.mark.filterwarnings("default")
FIGURE = "```{drawing} mix(5, smoothing)\nA caption.\n```"


def test_an_explorer_stands_around_its_figure(build: Build) -> None:
    page = f"````{{explorer}} mix\n{FIGURE}\n````"
    warnings, out = build(page)
    assert warnings == ""
    html = BeautifulSoup((out / "index.html").read_text("utf-8"), "html.parser")
    assert html.select("explore-mix figure img")
    scripts = [script["src"].partition("?")[0] for script in html.select("script[src]")]
    assert scripts[-2:] == [
        "_static/explorers/explorer.js",
        "_static/explorers/mix.js",
    ]


def test_a_page_without_one_loads_no_script(build: Build) -> None:
    warnings, out = build("No such element.")
    assert warnings == ""
    assert "explorer" not in (out / "index.html").read_text("utf-8")


def test_an_explorer_that_is_not_there(build: Build) -> None:
    warnings, _ = build("````{explorer} mixed\nA figure.\n````")
    assert "explorer: 'mixed' is none of" in warnings
    assert "mix" in warnings


def test_an_explorer_without_a_figure(build: Build) -> None:
    warnings, _ = build("````{explorer} mix\n````")
    assert "Content block expected" in warnings
