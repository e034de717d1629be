"""What the explorers show is what torch computes, to the last digit."""

import gzip
import itertools
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from playwright.sync_api import Browser, Locator, Page

ROOT = Path(__file__).parents[2]
SITE = ROOT / "docs" / "_build" / "html"
SCRIPTS = ROOT / "docs" / "_static" / "explorers"
State = dict[str, Any]
Numbers = dict[str, Any]

# Set each state in turn; return the values behind it and every number in sight.
TRY = """(element, states) => states.map((state) => {
  element.state = state;
  const shown = {};
  for (const part of element.querySelectorAll("[data-part]")) {
    if (!part.children.length) shown[part.dataset.part] = part.textContent;
  }
  return { values: element.values, shown, snippet: element.snippet };
})"""


def open_explorer(page: Page, address: str, name: str) -> Locator:
    page.goto(address)
    return page.locator(f"explore-{name}")


def look(element: Locator) -> Numbers:
    """Return the values and the numbers of the state that it is in."""
    now = element.evaluate("(element) => element.state")
    return element.evaluate(TRY, [now])[0] | {"state": now}


def printed(value: float, digits: int = 4) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


def assert_close(values: Numbers, expected: Numbers) -> None:
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(
            torch.tensor(values[name], dtype=torch.float64),
            torch.as_tensor(value, dtype=torch.float64),
            rtol=0,
            atol=1e-12,
            msg=lambda m, name=name: f"{name}: {m}",
        )


def run_alone(snippet: str) -> str:
    """Run a snippet in a fresh interpreter and return what it prints."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", snippet],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def copied(page: Page, element: Locator) -> str:
    """Press the button and return what lands in the clipboard."""
    element.get_by_role("button", name="Copy as PyTorch").click()
    element.get_by_text("Copied").wait_for()
    text = page.evaluate("navigator.clipboard.readText()")
    assert isinstance(text, str)
    return text


# --- The mix of δ and u -----------------------------------------------------------------


def mix(state: State) -> Numbers:
    z = torch.tensor(state["logits"], dtype=torch.float64, requires_grad=True)
    y, epsilon, K = torch.tensor(state["target"]), state["smoothing"], len(z)  # noqa: N806
    delta, u = F.one_hot(y, K).double(), torch.full((K,), 1 / K, dtype=torch.float64)
    q = (1 - epsilon) * delta + epsilon * u
    loss = F.cross_entropy(z, y, label_smoothing=epsilon)
    (gradient,) = torch.autograd.grad(loss, z)
    z = z.detach()
    assert (z.softmax(0) - q - gradient).abs().max() < 1e-12
    return {
        "delta": delta,
        "u": u,
        "q": q,
        "p": z.softmax(0),
        "gradient": z.softmax(0) - q,
        "hard": F.cross_entropy(z, y),
        "soft": -z.log_softmax(0).mean(),
        "loss": loss.detach(),
        "floor": torch.special.entr(q).sum(),
    }


def check_mix(seen: Numbers, state: State) -> None:
    expected, shown = mix(state), seen["shown"]
    assert_close(seen["values"], expected)
    digits = 4 if len(state["logits"]) <= 6 else 2
    for name in ("delta", "u", "q", "p", "gradient"):
        for k, value in enumerate(expected[name].tolist()):
            assert shown[f"{name}-{k}"] == printed(value, digits), (name, k, state)
    for name in ("hard", "soft", "loss", "floor"):
        assert shown[name] == printed(float(expected[name])), (name, state)
    weights = [float(shown[name]) for name in ("hard-weight", "soft-weight")]
    assert weights == [round(1 - state["smoothing"], 4), state["smoothing"]]
    for k, z in enumerate(state["logits"]):
        assert float(shown[f"z-{k}"].replace("−", "-")) == z


def mix_states() -> list[State]:
    draw = random.Random(0)
    grid = [
        {"smoothing": epsilon, "target": K - 1, "logits": [z * k / 2 for k in range(K)]}
        for epsilon, K, z in itertools.product(
            (0, 0.05, 0.1, 0.3, 0.5, 0.99, 1), (2, 3, 5, 8, 10), (0, 0.5, -1)
        )
    ]
    drawn = []
    for _ in range(150):
        K = draw.randint(2, 10)  # noqa: N806
        logits = [round(draw.uniform(-5, 5), 1) for _ in range(K)]
        epsilon = draw.randint(0, 100) / 100
        drawn.append(
            {"smoothing": epsilon, "target": draw.randrange(K), "logits": logits}
        )
    return grid + drawn


def test_mix_is_equal_to_torch(page: Page) -> None:
    element = open_explorer(page, "learn/derivation.html", "mix")
    states = mix_states()
    for state, seen in zip(states, element.evaluate(TRY, states), strict=True):
        check_mix(seen, state)


def test_mix_by_mouse_and_keyboard(page: Page) -> None:
    element = open_explorer(page, "learn/derivation.html", "mix")
    epsilon = element.get_by_role("slider", name="ε Smoothing")
    for key, smoothing in [
        ("ArrowRight", 0.31),
        ("PageUp", 0.41),
        ("End", 1),
        ("Home", 0),
    ]:
        epsilon.press(key)
        seen = look(element)
        assert seen["state"]["smoothing"] == smoothing
        check_mix(seen, seen["state"])
    box = epsilon.bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 12, middle)
    page.mouse.down()
    for part in (0.2, 0.5, 0.9):
        page.mouse.move(box["x"] + part * box["width"], middle)
        seen = look(element)
        assert abs(seen["state"]["smoothing"] - part) < 0.1
        check_mix(seen, seen["state"])
    page.mouse.up()
    for K in ("2", "10", "7", "5"):  # noqa: N806
        element.get_by_label("Classes").focus()
        element.get_by_label("Classes").select_option(K)
        seen = look(element)
        assert len(seen["state"]["logits"]) == int(K)
        check_mix(seen, seen["state"])
        assert page.evaluate("document.activeElement.dataset.set") == "classes"
    for k in range(5):
        element.locator(".pill").nth(k).click()
        logit = element.get_by_role("slider", name=f"Logit of class {k}")
        logit.press("ArrowUp")
        logit.press("PageUp" if k % 2 else "PageDown")
        seen = look(element)
        assert seen["state"]["target"] == k
        check_mix(seen, seen["state"])
    element.get_by_role("radio", name="True class 4").press("ArrowLeft")
    assert look(element)["state"]["target"] == 3
    element.get_by_role("button", name="Reset").click()
    assert look(element)["shown"]["loss"] == "1.2969"


def test_mix_by_touch(browser: Browser, site: str) -> None:
    context = browser.new_context(
        base_url=site, has_touch=True, viewport={"width": 375, "height": 800}
    )
    element = open_explorer(context.new_page(), "index.html", "mix")
    element.locator(".pill").nth(4).tap()
    box = element.get_by_role("slider", name="ε Smoothing").bounding_box()
    assert box
    element.page.touchscreen.tap(box["x"] + 0.6 * box["width"], box["y"] + 10)
    seen = look(element)
    assert seen["state"]["target"] == 4
    assert abs(seen["state"]["smoothing"] - 0.6) < 0.1
    check_mix(seen, seen["state"])
    context.close()


def test_mix_copies_a_snippet_that_prints_its_loss(page: Page) -> None:
    element = open_explorer(page, "learn/derivation.html", "mix")
    for state in mix_states()[::80]:
        seen = element.evaluate(TRY, [state])[0]
        assert run_alone(copied(page, element)) == seen["shown"]["loss"]


# --- What holds for each ----------------------------------------------------------------

# The page of each explorer, and the address of it in another state, which is its own.
PLACES = {
    "mix": (
        "learn/derivation.html",
        "mix.smoothing=0.1&mix.target=0&mix.logits=[1.5,-2]",
    ),
}
every = pytest.mark.parametrize("name", PLACES)


def test_every_explorer_is_here() -> None:
    assert {path.stem for path in SCRIPTS.glob("*.js")} == PLACES.keys() | {"explorer"}


def test_the_scripts_are_small() -> None:
    sizes = [len(gzip.compress(path.read_bytes())) for path in SCRIPTS.glob("*.js")]
    assert sum(sizes) <= 40_000


def test_the_landing_page_opens_with_the_mix(page: Page) -> None:
    element = open_explorer(page, "index.html", "mix")
    seen = look(element)
    assert seen["shown"]["loss"] == "1.2969"
    check_mix(seen, seen["state"])
    box = element.bounding_box()
    assert box
    assert box["y"] < 200


@every
def test_a_state_has_an_address(page: Page, name: str) -> None:
    path, query = PLACES[name]
    element = open_explorer(page, f"{path}?{query}", name)
    state = look(element)["state"]
    for part in query.split("&"):
        field, _, value = part.removeprefix(f"{name}.").partition("=")
        assert str(state[field]).replace(" ", "") == value
    element.get_by_role("button", name="Reset").click()
    page.wait_for_url(re.compile(rf"{path}$"))
    summary = element.locator(".explorer-summary").text_content()
    assert summary
    element.evaluate("(element, state) => { element.state = state; }", state)
    # A control that says again what it says: the address follows.
    control = element.locator("[data-set]").first
    control.dispatch_event("input", {"bubbles": True})
    page.wait_for_url(lambda url: url.partition("?")[2] == query)


@every
def test_a_wrong_address_does_no_harm(page: Page, name: str) -> None:
    path, query = PLACES[name]
    good = look(open_explorer(page, path, name))
    wrong = re.sub(r"=[^&]*", "=[[null]]", query)
    assert look(open_explorer(page, f"{path}?{wrong}", name)) == good


@every
def test_without_javascript_the_figure_stands(
    browser: Browser, site: str, name: str
) -> None:
    context = browser.new_context(base_url=site, java_script_enabled=False)
    element = open_explorer(context.new_page(), PLACES[name][0], name)
    assert element.locator("img.drawing.only-light").is_visible()
    context.close()


@every
def test_it_works_from_a_file(browser: Browser, name: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    element = open_explorer(page, (SITE / PLACES[name][0]).as_uri(), name)
    element.locator("[data-set]").first.press("ArrowDown")
    assert look(element)["values"]
    page.wait_for_timeout(800)
    assert errors == []
    context.close()


@every
@pytest.mark.parametrize("width", [375, 1280])
def test_it_fits(page: Page, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    element = open_explorer(page, PLACES[name][0], name)
    assert element.is_visible()
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide == width


@every
def test_it_does_not_move_unasked(browser: Browser, site: str, name: str) -> None:
    context = browser.new_context(base_url=site, reduced_motion="reduce")
    element = open_explorer(context.new_page(), PLACES[name][0], name)
    moving = element.evaluate(
        """(element) => [...element.querySelectorAll("*")].filter((part) => {
          const { transitionDuration, animationName } = getComputedStyle(part);
          return parseFloat(transitionDuration) || animationName !== "none";
        }).length"""
    )
    assert moving == 0
    context.close()
