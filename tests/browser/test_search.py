"""What people type into the search box finds the page that was written for it."""

from urllib.parse import quote_plus

import pytest
from playwright.sync_api import Page

from .conftest import CASES

QUERIES = [(page, text) for page, texts in CASES["search"].items() for text in texts]


@pytest.mark.parametrize(("found", "query"), QUERIES)
def test_search(page: Page, site: str, found: str, query: str) -> None:
    page.goto(f"search.html?q={quote_plus(query)}")
    page.locator(".search-summary:not(:empty)").wait_for()
    links = page.locator("ul.search > li > a").evaluate_all("all => all.map(a => a.href)")
    assert f"{site}{found}" in [link.partition(".html")[0] for link in links[:3]]


def test_the_search_box_asks_for_what_is_typed(page: Page, site: str) -> None:
    page.goto("learn/gather_form.html")
    box = page.get_by_role("textbox", name="Search")
    box.fill("Expected target size")
    box.press("Enter")
    page.locator("ul.search > li").first.wait_for()
    assert page.url.startswith(f"{site}search.html?q=Expected+target+size")
