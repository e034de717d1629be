"""Every page is valid HTML, and every link inside the site leads somewhere."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup

from .conftest import MODULES, PAGES, SITE

VALIDATOR = MODULES / "vnu-jar" / "build" / "dist" / "vnu.jar"
# MathML Core has this attribute on every element; the checker knows MathML 3.
IGNORED = re.compile("Attribute “scriptlevel” not allowed on element “mtable”")


def test_the_checker_finds_no_error() -> None:
    java = shutil.which("java")
    if not java:
        pytest.fail("there is no java: install a Java runtime")
    if not VALIDATOR.exists():
        pytest.fail(f"there is no {VALIDATOR}: run npm ci in {MODULES.parent}")
    options = ("--errors-only", "--skip-non-html", "--format", "json")
    checked = subprocess.run(
        [java, "-jar", VALIDATOR, *options, SITE],
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [
        f"{error['url']}: {error['message']} {error.get('extract')!r}"
        for error in json.loads(checked.stderr)["messages"]
        if not IGNORED.match(error["message"])
    ]
    assert not errors, "\n".join(errors)


def dead_links(
    targets: dict[str, set[str]], page: str, links: list[str]
) -> Iterator[str]:
    for link in links:
        to = urlsplit(urljoin(f"http://site/{page}", link))
        path, anchor = unquote(to.path[1:]) or "index.html", unquote(to.fragment)
        if to.netloc != "site":
            continue
        if not (SITE / path).is_file():
            yield f"{page}: there is no {link}"
        elif anchor and path in targets and anchor not in targets[path]:
            yield f"{page}: no place is called {link}"


def test_no_link_is_dead() -> None:
    targets: dict[str, set[str]] = {}
    links: dict[str, list[str]] = {}
    for page in PAGES:
        soup = BeautifulSoup((SITE / page).read_text(encoding="utf-8"), "html.parser")
        targets[page] = {tag["id"] for tag in soup.find_all(id=True)}
        links[page] = [
            str(tag.get(name))
            for name in ("href", "src")
            for tag in soup.find_all(attrs={name: True})
        ]
    dead = [line for page in PAGES for line in dead_links(targets, page, links[page])]
    assert not dead, "\n".join(dead)
    assert min(map(len, links.values())) > 10
