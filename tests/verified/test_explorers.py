import pytest
from bs4 import BeautifulSoup

from .conftest import Build

pytestmark = pytest.mark.filterwarnings("default")
FIGURE = "```{drawing} mix(5, smoothing)\nA caption.\n```"


def test_an_explorer_is_around_its_figure(build: Build) -> None:
    warnings, out = build(f"````{{explorer}} mix\n{FIGURE}\n````")
    assert warnings == ""
    html = BeautifulSoup((out / "index.html").read_text("utf-8"), "html.parser")
    assert html.select("explore-mix figure img")
    scripts = [script["src"].partition("?")[0] for script in html.select("script[src]")]
    loaded = ["_static/explorers/explorer.js", "_static/explorers/mix.js"]
    assert scripts[-2:] == loaded


def test_a_page_without_one_loads_no_script(build: Build) -> None:
    warnings, out = build("No such element.")
    assert warnings == ""
    assert "explorer" not in (out / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("mixed\nA figure.", "explorer: 'mixed' is none of conventions, "),
        ("mix", "Content block expected"),
    ],
)
def test_what_is_no_explorer(build: Build, content: str, message: str) -> None:
    assert message in build(f"````{{explorer}} {content}\n````")[0]
