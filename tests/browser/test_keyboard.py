"""The keyboard reaches everything, and shows where it is.

The key goes through some pages here, in the order in which test_pages gives the focus to
the elements of each.
"""

import pytest
from playwright.sync_api import Page

from .conftest import CASES
from .test_pages import assert_axe_finds_nothing

DRAWERS = ("Site", "On this page")


def visit(page: Page, address: str, width: int) -> Page:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(address)
    return page


@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("place", CASES["places"])
def test_each_stop_is_seen(page: Page, place: str, width: int) -> None:
    visit(page, f"{place}.html", width).keyboard.press("Tab")
    stops = [page.evaluate("probe.focused()")]
    assert stops[0]["skip"]
    page.keyboard.press("Tab")
    # Past the last stop is the browser, or the first one again.
    while (stop := page.evaluate("probe.focused()")) and not stop["skip"]:
        stops.append(stop)
        assert len(stops) < 1000, stop  # a trap
        page.keyboard.press("Tab")
    assert all(stop["seen"] and stop["inside"] for stop in stops), stops
    assert len(stops) > 5
    assert page.evaluate("probe.stops()") == stops


def test_the_skip_link_skips(page: Page) -> None:
    page.goto("learn/derivation.html")
    for key in ("Tab", "Enter", "Tab"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.closest('#furo-main-content') !== null")


def test_the_landmarks_have_names(page: Page) -> None:
    visit(page, "learn/derivation.html", 1400)
    for name in DRAWERS:
        assert page.get_by_role("complementary", name=name).count() == 1
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("search").count() == 1


@pytest.mark.parametrize("name", DRAWERS)
def test_a_drawer_opens_by_key(page: Page, name: str) -> None:
    drawer = visit(page, "learn/derivation.html", 375).get_by_role(
        "complementary", name=name
    )
    assert not drawer.is_visible()
    button = page.get_by_role("button", name=name).filter(visible=True)
    button.press("Enter")
    assert drawer.is_visible()
    assert button.get_attribute("aria-expanded") == "true"
    button.press(" ")
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    assert drawer.is_visible()
    assert_axe_finds_nothing(page)
