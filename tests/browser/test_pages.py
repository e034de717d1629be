"""Every page, in both themes, on a desk and on a phone."""

import pytest
from playwright.sync_api import Page

from .conftest import CASES, MODULES, PAGES, SITE, with_options

View = tuple[int, str, list[str]]
AXE = MODULES / "axe-core" / "axe.min.js"
ALL = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# The rules that can be broken in one theme only: of colours, and of its own figures.
THEME = ["color-contrast", "link-in-text-block", "image-alt"]
# What axe is asked where: both drawers are open, then one, then none.
DESK = [
    (1440, "light", ALL),
    (1440, "dark", THEME),
    (1280, "dark", ALL),
    (1280, "light", ALL),
]
PHONE = [(375, "light", ALL), (375, "dark", THEME)]
in_both_themes = pytest.mark.parametrize("theme", ["light", "dark"])


def assert_axe_finds_nothing(page: Page) -> None:
    page.add_script_tag(path=AXE)
    found = page.evaluate("(rules) => probe.violations(rules)", ALL)
    assert not found, "\n".join(found)


def other_fonts(page: Page) -> list[str]:
    """Return the formulas that need another font: a subset may lack a character."""
    tools = page.context.new_cdp_session(page)
    tools.send("DOM.enable")
    tools.send("CSS.enable")
    root = tools.send("DOM.getDocument")["root"]["nodeId"]
    asked = {"nodeId": root, "selector": "math"}
    found = []
    for node in tools.send("DOM.querySelectorAll", asked)["nodeIds"]:
        used = tools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        if {font["familyName"] for font in used} - {"Latin Modern Math"}:
            found.append(tools.send("DOM.getOuterHTML", {"nodeId": node})["outerHTML"])
    tools.detach()
    return found


@pytest.mark.parametrize("views", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("address", PAGES)
def test_a_page(
    page: Page, address: str, views: list[View], pytestconfig: pytest.Config
) -> None:
    """It fits, axe finds nothing, and all that takes the focus shows it."""
    page.set_viewport_size({"width": views[0][0], "height": 900})
    page.goto(address)
    page.add_script_tag(path=AXE)
    # What is folded is looked at as well.
    page.evaluate(
        "document.querySelectorAll('details').forEach((all) => all.open = true)"
    )
    page.evaluate("document.fonts.ready")
    found: dict[object, list[str]] = {"other fonts": other_fonts(page)}
    for width, theme, rules in views:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        view = "([theme, rules]) => probe.view(theme, rules)"
        found[width, theme] = page.evaluate(view, [theme, rules])
        if pytestconfig.getoption("--pictures"):
            name = f"{address.removesuffix('.html')}-{width}-{theme}.png"
            page.screenshot(path=SITE.parent / "screenshots" / name, full_page=True)
    stops = page.evaluate("probe.stops()")
    found["focus"] = [stop for stop in stops if not (stop["seen"] and stop["inside"])]
    assert not any(found.values()), found
    assert len(stops) > 5


@in_both_themes
@pytest.mark.parametrize("place", ["index", "learn/derivation", "learn/gather"])
def test_a_chosen_theme_wins(page: Page, place: str, theme: str) -> None:
    """What the button sets goes before what the system asks for."""
    page.emulate_media(color_scheme="dark" if theme == "light" else "light")
    page.goto(f"{place}.html")
    page.evaluate("theme => document.body.dataset.theme = theme", theme)
    assert page.evaluate("(theme) => probe.unfit(theme).length", theme) == 0
    assert_axe_finds_nothing(page)


@in_both_themes
@pytest.mark.parametrize(("address", "words"), CASES["states"].items())
def test_axe_finds_nothing_in(page: Page, address: str, words: str, theme: str) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(address)
    page.get_by_text(words).filter(visible=True).wait_for()
    assert_axe_finds_nothing(page)


@with_options(has_touch=True, is_mobile=True)
def test_a_finger_sees_the_copy_buttons(page: Page) -> None:
    """Where nothing hovers, they cannot wait for it."""
    page.set_viewport_size({"width": 375, "height": 900})
    page.goto("learn/derivation.html")
    button = page.locator("button.copybtn").first
    button.wait_for()
    assert button.evaluate("button => getComputedStyle(button).opacity") == "1"
