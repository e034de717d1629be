"""Every page, in both themes, on a desk and on a phone."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from .conftest import MODULES, PAGES, SITE, watched

SHOTS = SITE.parent / "screenshots"
AXE = MODULES / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN_AXE = """async (tags) => {
  const found = await axe.run({
    runOnly: { type: "tag", values: tags }, resultTypes: ["violations"], elementRef: true,
  });
  // For axe a head that is a formula is an empty one; a screen reader speaks MathML.
  const formula = (id, { element }) =>
    id === "empty-table-header" && element.querySelector("math")?.textContent;
  return found.violations.flatMap(({ id, nodes }) => nodes
    .filter((node) => !formula(id, node))
    .map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`));
}"""
# What goes over the edge of the window, and does not lie in a block that scrolls.
CUT = """() => [...document.querySelectorAll("article *")].filter((part) =>
  part.checkVisibility() && part.getBoundingClientRect().right > innerWidth &&
  !part.closest("pre, div.math, .table-wrapper")
).map((part) => part.outerHTML.slice(0, 200))"""
# What scrolls sideways, and does not take the focus or does not show that it has it.
STUCK = """() => [...document.querySelectorAll("*")].filter((block) => {
  const scrolls = ["auto", "scroll"].includes(getComputedStyle(block).overflowX);
  if (!scrolls || block.scrollWidth <= block.clientWidth + 1) return false;
  // Chromium lets the keyboard reach it unasked, Safari does not.
  if (block.tabIndex < 0) return true;
  block.focus({ preventScroll: true, focusVisible: true });
  const { outlineStyle, outlineWidth } = getComputedStyle(block);
  const seen = outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
  return document.activeElement !== block || !seen;
}).map((block) => block.outerHTML.slice(0, 200))"""
# The figures whose light and dark version are not what the theme asks for.
UNFIT = """(theme) => {
  const shown = (image) => image.checkVisibility() && image.naturalWidth > 0;
  const dark = [...document.querySelectorAll("img.only-dark")];
  const light = dark.map((image) => image.previousElementSibling);
  const lone = document.querySelectorAll("img.only-light").length - light.length;
  const wrong = dark.filter((image, n) =>
    image.src !== light[n].src.replace(/svg$/, "dark.svg") ||
    shown(image) !== (theme === "dark") || shown(light[n]) !== (theme === "light"));
  return [lone, ...wrong.map((image) => image.src)];
}"""


Loaded = tuple[Page, str, list[str]]
# Pages with figures, mathematics, code and explorers, to choose a theme on.
CHOSEN = ("index.html", "learn/derivation.html", "learn/gather.html")
# Addresses whose state is not the one that a page begins with, and words that tell it.
STATES = {
    "learn/gather.html?gather.index=[[2],[9],[0]]": "index 9 is out of bounds",
    "learn/gather.html?gather.index=[2,1,0]": "RuntimeError: Index tensor",
    "learn/nll_and_cross_entropy.html?losses.layer=softmax": "Wrong, and no error",
    "guides/which_epsilon.html?conventions.first=others-without-padding"
    "&conventions.second=uniform&conventions.smoothing=0.99": "There is no such",
    "search.html?q=nan": "Search finished",
}
TOUCH = {"has_touch": True, "is_mobile": True, "viewport": {"width": 375, "height": 900}}


# Both drawers are open, then one, then none.
WIDTHS = (1440, 1280, 375)


@pytest.fixture(scope="module", params=itertools.product(PAGES, WIDTHS), ids=str)
def loaded(browser: Browser, site: str, request: Any) -> Iterator[Loaded]:
    """A page of the site, once for all tests of it, its name and its complaints."""
    address, width = request.param
    with watched(browser, site) as (page, complaints):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(address)
        page.evaluate("document.fonts.ready")
        # What is folded is looked at as well.
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        yield page, f"{address.removesuffix('.html')}-{width}", complaints


@pytest.fixture(params=["light", "dark"])
def view(loaded: Loaded, request: Any) -> tuple[Page, str]:
    """That page as it follows the system into a theme, and its name."""
    page, name, _ = loaded
    page.emulate_media(color_scheme=request.param)
    return page, f"{name}-{request.param}"


def assert_axe_finds_nothing(page: Page) -> None:
    if not AXE.exists():
        pytest.fail(f"there is no {AXE}: run npm ci in {MODULES.parent}")
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    found = page.evaluate(RUN_AXE, TAGS)
    assert not found, "\n".join(found)


def test_it_fits(view: tuple[Page, str]) -> None:
    page, _ = view
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate(CUT) == []


def test_axe_finds_nothing(view: tuple[Page, str]) -> None:
    page, _ = view
    assert_axe_finds_nothing(page)


def test_all_that_scrolls_takes_the_focus(view: tuple[Page, str]) -> None:
    page, _ = view
    stuck = page.evaluate(STUCK)
    page.evaluate("document.activeElement.blur()")
    assert not stuck, "\n".join(stuck)


def test_one_version_of_each_figure_is_shown(view: tuple[Page, str]) -> None:
    page, name = view
    assert page.evaluate(UNFIT, name.rpartition("-")[2]) == [0]


def test_formulas_are_set_in_one_font(loaded: Loaded) -> None:
    """The font is a subset: where it lacks a character, another one steps in."""
    page, *_ = loaded
    tools = page.context.new_cdp_session(page)
    for domain in ("DOM", "CSS"):
        tools.send(f"{domain}.enable")
    root = tools.send("DOM.getDocument")["root"]["nodeId"]
    asked = {"nodeId": root, "selector": "math"}
    for node in tools.send("DOM.querySelectorAll", asked)["nodeIds"]:
        used = tools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        others = {font["familyName"] for font in used} - {"Latin Modern Math"}
        assert not others, tools.send("DOM.getOuterHTML", {"nodeId": node})["outerHTML"]
    tools.detach()


def test_its_picture_is_taken(view: tuple[Page, str]) -> None:
    """For a person to look at: a machine does not see what is ugly."""
    page, name = view
    path = SHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    assert path.stat().st_size


def test_it_stays_quiet(loaded: Loaded) -> None:
    """The last test of a page: it sees what all others have brought about."""
    _, _, complaints = loaded
    assert complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("address", CHOSEN)
def test_a_chosen_theme_wins(page: Page, address: str, theme: str) -> None:
    """What the button sets goes before what the system asks for."""
    page.emulate_media(color_scheme="dark" if theme == "light" else "light")
    page.goto(address)
    page.evaluate("theme => document.body.dataset.theme = theme", theme)
    assert page.evaluate(UNFIT, theme) == [0]
    assert_axe_finds_nothing(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("address", STATES)
def test_axe_finds_nothing_in_a_state(page: Page, address: str, theme: str) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(address)
    page.get_by_text(STATES[address]).filter(visible=True).wait_for()
    assert_axe_finds_nothing(page)


@pytest.mark.parametrize("name", ["Site", "On this page"])
def test_axe_finds_nothing_in_a_drawer(page: Page, name: str) -> None:
    page.set_viewport_size({"width": 375, "height": 900})
    page.goto("learn/derivation.html")
    page.get_by_role("button", name=name).filter(visible=True).click()
    page.get_by_role("complementary", name=name).wait_for()
    assert_axe_finds_nothing(page)


def test_a_finger_sees_the_copy_buttons(browser: Browser, site: str) -> None:
    """Where nothing hovers, they cannot wait for it."""
    with watched(browser, site, **TOUCH) as (page, complaints):
        page.goto("learn/derivation.html")
        button = page.locator("button.copybtn").first
        button.wait_for()
        assert button.evaluate("button => getComputedStyle(button).opacity") == "1"
    assert complaints == []
