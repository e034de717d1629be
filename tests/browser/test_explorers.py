"""What holds for each explorer: by hand, from its address, and where it cannot run."""

import gzip
import io
import itertools
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page

from .conftest import PROBES, SITE, with_options
from .runner import run_alone
from .test_values import CASES, CHECKS, State, every, explore, look, opened, said

SCRIPTS = Path(__file__).parents[2] / "docs" / "_static" / "explorers"
STEPPED = [(n, *x) for n, case in CASES.items() for x in case["stepped"].items()]
COPIED = [(name, state) for name, case in CASES.items() for state in case["copied"]]


def written(value: object) -> str:
    """Return a field of a state as an address has it."""
    return str(value).replace(" ", "")


@every
def test_it_follows_the_hand(page: Page, name: str) -> None:
    element = opened(page, name)
    for line in CASES[name]["hands"].strip().splitlines():
        deed, control, *says = line.split(" | ")
        method, *words = deed.split(" ")
        answer = getattr(element.locator(control), method)(*words)
        assert answer is not False, line
        for field, value in (part.split("=") for part in " ".join(says).split()):
            seen = look(element)
            assert written(seen["state"][field]) == value, line
    # Nothing comes late, and the address says what is there.
    page.wait_for_timeout(800)
    assert look(element)["state"] == seen["state"]
    assert look(opened(page, name, page.url.partition("?")[2]))["state"] == seen["state"]


def test_a_slider_follows_the_mouse(page: Page) -> None:
    element = opened(page, "mix")
    box = element.get_by_role("slider", name="ε Smoothing").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 12, middle)
    page.mouse.down()
    for part in (0.2, 0.5, 0.9):
        page.mouse.move(box["x"] + part * box["width"], middle)
        seen = look(element)
        assert abs(seen["state"]["smoothing"] - part) < 0.1
    page.mouse.up()


@with_options(has_touch=True)
def test_it_follows_a_finger(page: Page) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto("index.html")
    element = page.locator("explore-mix")
    element.locator(".pill").nth(4).tap()
    box = element.get_by_role("slider", name="ε Smoothing").bounding_box()
    page.touchscreen.tap(box["x"] + 0.6 * box["width"], box["y"] + 10)
    seen = look(element)
    assert seen["state"]["target"] == 4
    assert abs(seen["state"]["smoothing"] - 0.6) < 0.1


@pytest.mark.parametrize(("name", "state"), COPIED)
def test_its_snippet_prints_it(page: Page, name: str, state: State) -> None:
    element = opened(page, name)
    [seen] = explore(element, state)
    element.get_by_role("button", name="Copy as PyTorch").click()
    element.get_by_text("Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == seen["snippet"]
    assert said(copied, run_alone) == said(copied)


@with_options(locale="en-GB")  # a page of its own: its clock is not the one of others
@every
def test_without_a_clipboard_the_snippet_is_shown(page: Page, name: str) -> None:
    element = opened(page, name)
    area = element.locator("textarea")
    copy = element.get_by_role("button", name="Copy as PyTorch")
    # An earlier success goes, and what ends it does not end what comes then.
    page.clock.install()
    copy.click()
    element.get_by_text("Copied").wait_for()
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    copy.click()
    area.wait_for()
    page.clock.run_for(3000)
    assert area.is_visible()
    assert element.get_by_text("Copied").count() == 0
    assert element.locator("[role=status] textarea").count() == 0
    assert area.input_value() == look(element)["snippet"]
    # What is of another state goes as well.
    element.locator("[data-set]").first.press("ArrowDown")
    assert not area.is_visible()


@every
def test_a_state_has_an_address(page: Page, name: str) -> None:
    case = CASES[name]
    element = opened(page, name, case["address"])
    state = look(element)["state"]
    for part in case["address"].split("&"):
        field, _, value = part.removeprefix(f"{name}.").partition("=")
        assert written(state[field]) == value
    element.get_by_role("button", name="Reset").click()
    page.wait_for_url(re.compile(rf"{case['page']}$"))
    assert element.locator(".explorer-summary").text_content()
    explore(element, state)
    # A control says again what it says: the address follows.
    element.locator(case["touched"]).dispatch_event("input", {"bubbles": True})
    page.wait_for_url(lambda url: url.partition("?")[2] == case["address"])


# What the address may say of a field that is none of its values.
BAD = ["length", "map", '"0"', "[0]", "-1", "1e400", "NaN", "[[null]]", "<img src=x>", ""]


@every
def test_a_wrong_address_does_no_harm(page: Page, name: str) -> None:
    element = opened(page, name)
    queries = [
        f"?{name}.{field}={quote(bad)}"
        for field, bad in itertools.product(look(element)["state"], BAD)
        if (field, bad) != ("index", "[0]")  # an index of one dimension
    ]
    assert len(queries) > 2 * len(BAD)
    renew = "(element, queries) => probe.renew(element, queries)"
    good, *others = element.evaluate(renew, ["?", *queries])
    assert all(other == good for other in others)


@pytest.mark.parametrize(("name", "query", "code"), STEPPED)
def test_an_address_goes_in_steps(page: Page, name: str, query: str, code: str) -> None:
    seen = look(opened(page, name, query))
    assert code in seen["snippet"]
    assert seen["controls"]["smoothing"] == seen["state"]["smoothing"]


def test_the_landing_page_opens_with_the_mix(page: Page) -> None:
    page.goto("index.html")
    element = page.locator("explore-mix")
    seen = look(element)
    assert seen["shown"]["loss"] == "1.2969"
    assert element.bounding_box()["y"] < 200


@pytest.mark.parametrize(
    "page", [{"java_script_enabled": x} for x in (True, False)], indirect=True
)
@every
def test_the_figure_stays_where_no_script_runs(page: Page, name: str) -> None:
    page.add_init_script("delete Array.prototype.with")  # an old browser
    assert opened(page, name).locator("img.drawing.only-light").is_visible()


def test_they_work_from_a_file(browser: Browser) -> None:
    page = browser.new_page(base_url=f"{SITE.as_uri()}/", reduced_motion="reduce")
    page.add_init_script(path=PROBES)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for name in CASES:
        element = opened(page, name)
        element.locator("[data-set]").first.press("ArrowDown")
        assert look(element)["values"]
        page.wait_for_timeout(800)
    page.close()
    assert errors == []


def colours(element: Locator, *, far_end: bool = False) -> list[tuple[int, ...]]:
    """Return the colours of a picture of it, the most frequent one first."""
    image = Image.open(io.BytesIO(element.screenshot())).convert("RGB")
    if far_end and image.width > image.height:
        image = image.crop((image.width // 2, 0, *image.size))
    elif far_end:
        image = image.crop((0, 0, image.width, image.height // 2))
    found = image.getcolors(image.width * image.height)
    return [colour for _, colour in sorted(found, reverse=True)]


@every
def test_forced_colours_leave_what_is_drawn(page: Page, name: str) -> None:
    page.emulate_media(forced_colors="active")
    page.set_viewport_size({"width": 1280, "height": 2000})  # scrolling shows a button
    element = opened(page, name)
    canvas = colours(element)[0]
    for part in CASES[name]["drawn"]:
        assert colours(element.locator(part).first)[0] != canvas, part
    for slider in element.get_by_role("slider").all():
        # Where its knob is not: at the far end.
        slider.press("Home")
        assert len(colours(slider, far_end=True)) > 1
        # A grey is a mix of the two colours of text, any other colour is the site's.
        assert [colour for colour in colours(slider) if len(set(colour)) > 1] == []
    if name == "conventions":
        assert len(set(colours(element.locator(CASES[name]["drawn"][0]))[0])) == 1


def test_the_scripts_are_small_and_share_what_they_can() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in SCRIPTS.glob("*.js")}
    assert texts.keys() == CASES.keys() | {"explorer"} == CHECKS.keys() | {"explorer"}
    assert sum(len(gzip.compress(text.encode())) for text in texts.values()) <= 40_000
    once = ("Copy as PyTorch", "Copied", "Reset", "epsilon / (K - 1)", ".reduce((total")
    assert [w for w in once if "".join(texts.values()).count(w) != 1] == []
    exported = re.findall(r"\w+", texts.pop("explorer").rpartition("return {")[2])
    others = "".join(texts.values())
    assert [name for name in exported if not re.search(rf"\b{name}\b", others)] == []
