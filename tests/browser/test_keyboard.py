"""The keyboard reaches everything, and shows where it is."""

import pytest
from playwright.sync_api import Page

from .conftest import PAGES

# One page for each template, and those with explorers: where there is room for it, the
# same stands beside every page.
PLACES = (
    "index.html",
    "404.html",
    "search.html",
    "genindex.html",
    "_modules/label_smoothing/losses.html",
    "auto_examples/index.html",
    "auto_examples/3_gather/plot_1_gather.html",
    "guides/which_epsilon.html",
    "learn/demo.html",
    "learn/gather.html",
    "learn/nll_and_cross_entropy.html",
    "reference/api/losses.html",
    "reference/rosetta.html",
)
# What has the focus, and whether a line around it, or around what stands for it, says so.
FOCUSED = """() => {
  const at = document.activeElement;
  if (at === document.body) return null;
  const box = at.getBoundingClientRect();
  const around = [at, at.nextElementSibling, at.closest("td, .sd-card")].filter(Boolean);
  return {
    name: at.outerHTML.slice(0, 120),
    skip: at.classList.contains("skip-to-content"),
    seen: around.some((element) => {
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const shown = element.checkVisibility({ opacityProperty: true });
      return shown && outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
    }),
    inside:
      box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight,
  };
}"""


@pytest.mark.parametrize(
    ("address", "width"),
    [(page, 375) for page in PAGES] + [(page, 1440) for page in PLACES],
)
def test_each_stop_is_seen(page: Page, address: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(address)
    page.keyboard.press("Tab")
    stop = page.evaluate(FOCUSED)
    assert stop["skip"]
    stops = 0
    while stop:
        assert stops < 1000, stop  # a trap
        assert stop["seen"], stop
        assert stop["inside"], stop
        stops += 1
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
    assert stops > 5


def test_the_skip_link_skips(page: Page) -> None:
    page.goto("learn/derivation.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#furo-main-content') !== null")


def test_the_landmarks_have_names(page: Page) -> None:
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto("learn/derivation.html")
    assert page.get_by_role("complementary", name="Site").count() == 1
    assert page.get_by_role("complementary", name="On this page").count() == 1
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("search").count() == 1


@pytest.mark.parametrize("name", ["Site", "On this page"])
def test_a_drawer_opens_by_key(page: Page, name: str) -> None:
    page.set_viewport_size({"width": 375, "height": 900})
    page.goto("learn/derivation.html")
    drawer = page.get_by_role("complementary", name=name)
    assert not drawer.is_visible()
    button = page.get_by_role("button", name=name).filter(visible=True)
    button.press("Enter")
    assert drawer.is_visible()
    assert button.get_attribute("aria-expanded") == "true"
    button.press(" ")
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    assert drawer.is_visible()
