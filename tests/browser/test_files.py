"""The files: the HTML is valid, no link is dead, dark figures are in other colours."""

import os
import re
import subprocess
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

from .conftest import MODULES, PAGES, SITE

VALIDATOR = MODULES / "vnu-jar" / "build" / "dist" / "vnu.jar"
# MathML Core has this attribute on every element; the checker knows MathML 3.
IGNORED = "Attribute “scriptlevel” not allowed on element “mtable”.*"
COLOUR = re.compile("#[0-9a-f]{6}")


def test_the_checker_finds_no_error() -> None:
    options = ("--errors-only", "--skip-non-html", "--filterpattern", IGNORED)
    command = ["java", "-jar", VALIDATOR, *options, SITE]
    checked = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


class Links(HTMLParser):
    """The links of a page, and the places in it that have a name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.places: list[str | None] = []
        self.links: list[str] = []
        self.feed((SITE / page).read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.places += [value for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def test_no_link_is_dead() -> None:
    pages = {page: Links(page) for page in PAGES}
    dead = []
    for page, link in ((p, link) for p in PAGES for link in pages[p].links):
        to = urlsplit(urljoin(f"http://site/{page}", link))
        path, place = unquote(to.path[1:]) or "index.html", unquote(to.fragment)
        there = (SITE / path).is_file()
        if place and path in pages:
            there = place in pages[path].places
        if to.netloc == "site" and not there:
            dead.append(f"{page}: nothing is at {link}")
    assert not dead, "\n".join(dead)
    assert min(len(page.links) for page in pages.values()) > 10


def test_a_site_without_a_host_names_no_address_of_its_own() -> None:
    assert "SITE_URL" not in os.environ
    for page in PAGES:
        text = (SITE / page).read_text(encoding="utf-8")
        assert not re.search('"canonical"|og:url|og:image|//(127|localhost)', text), page
    assert not (SITE / "sitemap.xml").exists()


def test_a_dark_figure_is_the_light_one_in_other_colours() -> None:
    texts = {p.name: p.read_text("utf-8") for p in (SITE / "_images").glob("*.svg")}
    drawn = {n: text for n, text in texts.items() if "label_smoothing.figures" in text}
    dark = {name for name in drawn if name.endswith(".dark.svg")}
    assert len(drawn) == 2 * len(dark) > 50
    for name in dark:
        pair = drawn[name], drawn[name.replace(".dark.svg", ".svg")]
        assert pair[0] != pair[1]
        assert COLOUR.sub("#", pair[0]) == COLOUR.sub("#", pair[1]), name
        # One dark colour for each light one: what differs there, differs here.
        colours = set(zip(*map(COLOUR.findall, pair), strict=True))
        assert len(colours) == len(dict(colours)) == len({light for _, light in colours})
