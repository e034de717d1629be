"""What the explorers show is what torch computes, to the last digit."""

import contextlib
import gzip
import io
import itertools
import json
import math
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from playwright.sync_api import Browser, Locator, Page

from label_smoothing import convert_smoothing, explain_gather
from label_smoothing.auditing.conventions import PADDED
from label_smoothing.example import logits
from label_smoothing.figures._style import short

ROOT = Path(__file__).parents[2]
SITE = ROOT / "docs" / "_build" / "html"
SCRIPTS = ROOT / "docs" / "_static" / "explorers"
State = dict[str, Any]
Numbers = dict[str, Any]

# Set each state in turn; return the values behind it and all that is seen and heard.
TRY = r"""(element, states) => states.map((state) => {
  element.state = state;
  const { values, snippet } = element;
  const named = element.querySelectorAll("[role=img], [data-set=cell]");
  const labels = [...named].map((e) => e.ariaLabel);
  const seen = { values, snippet, labels, summary: element.summary(), shown: {},
    hidden: [], drawn: {}, marked: {}, controls: {}, invalid: [] };
  for (const part of element.querySelectorAll("[data-part]")) {
    const name = part.dataset.part;
    seen.shown[name] = part.textContent.replace(/\s+/g, " ").trim();
    if (part.closest("[hidden]")) seen.hidden.push(name);
    seen.drawn[name] = [part, ...part.children].map(({ style }) =>
      Object.fromEntries([...style].map((key) => [key, style.getPropertyValue(key)])));
    for (const mark of part.classList) (seen.marked[mark] ??= []).push(name);
  }
  for (const control of element.querySelectorAll("[data-set]")) {
    const { dataset, type, checked, value, ariaInvalid } = control;
    if (type !== "radio" || checked) seen.controls[dataset.set] = value;
    if (ariaInvalid === "true") seen.invalid.push(dataset.at);
  }
  return seen;
})"""


def open_explorer(page: Page, address: str, name: str) -> Locator:
    page.goto(address)
    return page.locator(f"explore-{name}")


def look(element: Locator) -> Numbers:
    """Return the values and the numbers of the state that it is in."""
    now = element.evaluate("(element) => element.state")
    return element.evaluate(TRY, [now])[0] | {"state": now}


def as_shown(number: str) -> str:
    """Return a number with the minus of the page."""
    return number.replace("-", "−")


def printed(value: float, digits: int = 4) -> str:
    return as_shown(f"{value:.{digits}f}")


def numbers(texts: dict[str, str]) -> dict[str, float]:
    """Return what controls or styles say, as numbers."""
    return {name: float(text.removesuffix("%")) for name, text in texts.items()}


def assert_drawn(seen: Numbers, name: str, *expected: dict[str, float]) -> None:
    """Compare what a drawing and each of its parts are styled with."""
    for style, numbers_in_it in zip(seen["drawn"][name], expected, strict=True):
        assert numbers(style) == pytest.approx(numbers_in_it, rel=1e-5, abs=1e-5), name


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


def run(snippet: str) -> str:
    """Run a snippet here, for it is fast, and return what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(snippet, {})
    return out.getvalue().strip()


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


def colours(element: Locator, *, far_end: bool = False) -> list[tuple[int, ...]]:
    """Return the colours of a picture of it, the most frequent one first."""
    image = Image.open(io.BytesIO(element.screenshot())).convert("RGB")
    if far_end and image.width > image.height:
        image = image.crop((image.width // 2, 0, *image.size))
    elif far_end:
        image = image.crop((0, 0, image.width, image.height // 2))
    found = image.getcolors(image.width * image.height)
    return [colour for _, colour in sorted(found, reverse=True)]


def is_grey(colour: tuple[int, ...]) -> bool:
    """Tell a mix of the two colours of text, in forced colours, from one of the site."""
    return len(set(colour)) == 1


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
    e, K = state["smoothing"], len(state["logits"])  # noqa: N806
    digits = 4 if K <= 6 else 2
    for name in ("delta", "u", "q", "p", "gradient"):
        for k, value in enumerate(expected[name].tolist()):
            assert shown[f"{name}-{k}"] == printed(value, digits), (name, k, state)
    hard, soft, loss, floor = (
        float(expected[n]) for n in ("hard", "soft", "loss", "floor")
    )
    for name in ("hard", "soft", "loss", "floor"):
        assert shown[name] == printed(float(expected[name])), (name, state)
    assert (shown["hard-weight"], shown["soft-weight"]) == (short(1 - e), short(e))
    assert shown["smoothing"] == short(e)
    for k, z in enumerate(state["logits"]):
        assert shown[f"z-{k}"] == as_shown(short(z))
    controls = {f"logit-{k}": z for k, z in enumerate(state["logits"])}
    controls |= {"smoothing": e, "target": state["target"], "classes": K}
    assert numbers(seen["controls"]) == controls
    for k in range(K):
        delta, u, q, p = (expected[name][k].item() for name in ("delta", "u", "q", "p"))
        assert_drawn(seen, f"delta-bars-{k}", {}, {"--high": delta})
        assert_drawn(seen, f"u-bars-{k}", {}, {"--high": u})
        parts = {"--high": (1 - e) * delta}, {"--high": e * u}
        assert_drawn(seen, f"q-bars-{k}", {}, *parts)
        gap = {"--from": min(p, q), "--high": abs(p - q)}
        assert_drawn(seen, f"p-bars-{k}", {}, {"--high": p}, gap, {"--from": q})
    # The bar is as long as three nats, or as the loss.
    percent = 100 / max(3, loss)
    parts = {"width": (1 - e) * hard * percent}, {"width": e * soft * percent}
    assert_drawn(seen, "line", {}, *parts, {"left": floor * percent})
    of_hard, of_soft = printed((1 - e) * hard), printed(e * soft)
    assert seen["labels"] == [
        f"The loss, {printed(loss)}, as a bar of two parts, {of_hard} and {of_soft}; "
        f"a mark at its floor, {printed(floor)}"
    ]
    assert seen["summary"] == f"Loss {printed(loss)}, floor {printed(floor)}."
    assert as_shown(run(seen["snippet"])) == shown["loss"]


def mix_states() -> list[State]:
    draw = random.Random(0)
    grid = [
        {"smoothing": epsilon, "target": K - 1, "logits": [z * k for k in range(K)]}
        for epsilon, K, z in itertools.product(
            (0, 0.05, 0.1, 0.3, 0.5, 0.99, 1), (2, 3, 5, 8, 10), (0, 0.5, -0.5)
        )
    ]
    drawn = []
    for _ in range(400):
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
    seen = element.evaluate(TRY, [mix_states()[-1]])[0]
    assert as_shown(run_alone(copied(page, element))) == seen["shown"]["loss"]


def test_the_bars_are_as_high_as_they_say(page: Page) -> None:
    element = open_explorer(page, "learn/derivation.html", "mix")
    state = {"smoothing": 0.4, "target": 0, "logits": [-1, 0.5, 2]}
    expected = mix(state)
    seen = element.evaluate(TRY, [state])[0]
    check_mix(seen, state)

    def box(name: str, n: int) -> dict[str, float]:
        place = element.locator(f"[data-part={name}] > i").nth(n).bounding_box()
        assert place
        return place

    unit = box("delta-bars-0", 0)["height"]
    assert unit > 40
    for k in range(3):
        bar, gap, mark = (box(f"p-bars-{k}", n) for n in range(3))
        p, q = expected["p"][k].item(), expected["q"][k].item()
        assert bar["height"] == pytest.approx(p * unit, abs=0.1)
        assert gap["height"] == pytest.approx(abs(p - q) * unit, abs=0.1)
        foot = bar["y"] + bar["height"]
        assert foot - mark["y"] - mark["height"] / 2 == pytest.approx(q * unit, abs=1)
        assert foot - gap["y"] - gap["height"] == pytest.approx(min(p, q) * unit, abs=0.1)
        upper, lower = box(f"q-bars-{k}", 0), box(f"q-bars-{k}", 1)
        assert upper["height"] + lower["height"] == pytest.approx(q * unit, abs=0.1)
    line = element.locator("[data-part=line]").bounding_box()
    assert line
    nat = line["width"] / max(3, float(expected["loss"]))
    hard, soft, mark = (box("line", n) for n in range(3))
    loss, floor = float(expected["loss"]), float(expected["floor"])
    assert hard["width"] + soft["width"] == pytest.approx(loss * nat, abs=0.1)
    assert mark["x"] - line["x"] + 1 == pytest.approx(floor * nat, abs=0.5)


# --- gather -----------------------------------------------------------------------------

INPUTS = {
    "1d": torch.arange(10, 15),
    "logits": logits,
    "2d": torch.arange(30).reshape(3, 10)[:, :5],
    "3d": torch.arange(200).reshape(2, 10, 10)[:, :3, :4],
}


def call(
    input: torch.Tensor, dim: int, index: torch.Tensor
) -> tuple[torch.Tensor | None, str]:
    """Return what gather returns, or what it says."""
    try:
        return input.gather(dim, index), ""
    except RuntimeError as error:
        return None, str(error)


def formula(state: State, input: torch.Tensor, index: torch.Tensor) -> str:
    dim, cell = state["dim"], state["cell"]
    asked, source = cell.copy(), cell.copy()
    asked[dim], source[dim] = f"index{cell}", index[tuple(cell)].item()
    value = input[tuple(source)].item()
    number = f"{value:.4f}" if input.is_floating_point() else str(value)
    asked = ", ".join(map(str, asked))
    return f"out{cell} = input[{asked}] = input{source} = {number}"


def marks(state: State, input: torch.Tensor, index: torch.Tensor, error: str) -> Numbers:
    """Return the cells that stand out."""
    dim, cell = state["dim"], state["cell"]
    chosen = ",".join(map(str, cell))
    found = {"start": [f"index-{chosen}"], "lit": [], "picked": []}
    if not error:
        found["picked"].append(f"out-{chosen}")
    if not error.startswith(("Index", "Size")):
        for n in range(input.shape[dim]):
            part = "input-" + ",".join(map(str, [*cell[:dim], n, *cell[dim + 1 :]]))
            found["lit"].append(part)
            if n == cell[dim]:
                found["start"].append(part)
            if n == index[tuple(cell)]:
                found["picked"].append(part)
    return {name: sorted(parts) for name, parts in found.items()}


def places(shape: torch.Size) -> list[str]:
    return [",".join(map(str, at)) for at in itertools.product(*map(range, shape))]


def check_gather(seen: Numbers, state: State) -> None:
    values, shown, dim = seen["values"], seen["shown"], state["dim"]
    input, index = INPUTS[state["input"]], torch.tensor(state["index"])
    out, error = call(input, dim, index)
    asked = dict(zip(places(index.shape), index.flatten().tolist(), strict=True))
    controls = seen["controls"]
    assert {n[6:]: int(v) for n, v in controls.items() if n[:6] == "index-"} == asked
    assert controls["cell"] == ",".join(map(str, state["cell"]))
    assert (controls["input"], controls["dim"]) == (state["input"], str(dim))
    assert controls["dimensions"] == str(index.dim())
    for d, size in enumerate(index.shape):
        assert controls[f"size-{d}"] == str(size)
    for place, value in zip(places(input.shape), input.flatten().tolist(), strict=True):
        assert shown[f"input-{place}"] == short(value), (place, state)
    marked = {
        name: sorted(seen["marked"].get(name, [])) for name in ("start", "lit", "picked")
    }
    assert marked == marks(state, input, index, error), state
    beyond = [place for place, n in asked.items() if not 0 <= n < input.shape[dim]]
    assert seen["invalid"] == ([] if error.startswith(("Index", "Size")) else beyond)
    if out is None:
        assert values == {"out": None, "error": error}, state
        assert shown["error"] == seen["summary"] == f"RuntimeError: {error}"
        assert shown["formula"] == shown["note"] == ""
        assert {f"value-{place}" for place in asked} <= set(seen["hidden"])
        assert not any(shown[f"value-{place}"] for place in asked)
        with pytest.raises(RuntimeError, match=re.escape(error)):
            run(seen["snippet"])
        return
    assert values["error"] is None
    assert seen["hidden"] == []
    assert shown["error"] == ""
    assert torch.equal(torch.tensor(values["out"], dtype=out.dtype), out), state
    got = dict(zip(places(out.shape), map(short, out.flatten().tolist()), strict=True))
    assert {n[6:]: text for n, text in shown.items() if n[:6] == "value-"} == got
    assert seen["labels"] == [
        f"out[{place.replace(',', ', ')}] = {value}" for place, value in got.items()
    ]
    assert shown["formula"] == formula(state, input, index)
    assert " ".join(seen["summary"].split()) == shown["formula"]
    lines = str(explain_gather(input, dim, index)).splitlines()
    notes = [line.removeprefix("note: ") for line in lines if line.startswith("note")]
    assert shown["note"] in (notes or [""])
    assert run(seen["snippet"]) == str(out)


def gather_states() -> list[State]:
    """Draw calls, one half of which go wrong in one way or another."""
    draw = random.Random(1)
    states = []
    for n in range(540):
        name = draw.choice(list(INPUTS))
        size = INPUTS[name].shape
        dim = draw.randrange(len(size))
        shape = [draw.randint(1, 6 if d == dim else m) for d, m in enumerate(size)]
        least, most = (0, size[dim] - 1) if n % 2 else (-2, size[dim] + 1)
        if n % 10 == 0:
            shape[0] = 6
        if n % 30 == 0:
            shape = shape[:-1] or [2, 2]
        flat = [draw.randint(least, most) for _ in range(math.prod(shape))]
        states.append(
            {
                "input": name,
                "dim": dim,
                "index": torch.tensor(flat).reshape(shape).tolist(),
                "cell": [draw.randrange(m) for m in shape],
            }
        )
    return states


def test_gather_is_equal_to_torch(page: Page) -> None:
    element = open_explorer(page, "learn/gather.html", "gather")
    states = gather_states()
    results = element.evaluate(TRY, states)
    for state, seen in zip(states, results, strict=True):
        check_gather(seen, state)
    errors = [seen["values"]["error"] for seen in results if seen["values"]["error"]]
    assert len(errors) > 60
    assert {error.split()[0] for error in errors} == {"Index", "Size", "index"}


def test_gather_by_mouse_and_keyboard(page: Page) -> None:
    element = open_explorer(page, "learn/gather.html", "gather")

    def state() -> State:
        seen = look(element)
        check_gather(seen, seen["state"])
        return seen["state"]

    element.locator("[data-cell='2,0']").hover()
    assert state()["cell"] == [2, 0]
    lit = element.locator(".lit").evaluate_all("cells => cells.map(c => c.dataset.part)")
    assert lit == [f"input-2,{k}" for k in range(5)]
    assert element.locator(".input .picked").get_attribute("data-part") == "input-2,0"

    element.get_by_label("index[0, 0]").press("ArrowUp")
    assert state()["index"] == [[3], [1], [0]]
    assert state()["cell"] == [0, 0]
    element.get_by_label("index[0, 0]").fill("-1")
    assert state()["index"] == [[-1], [1], [0]]
    error = element.locator(".error")
    assert error.get_by_text("RuntimeError: index -1 is out of bounds").is_visible()
    element.get_by_label("index[0, 0]").fill("4")
    element.get_by_role("radio", name="out[0, 0]").press("ArrowDown")
    assert state()["cell"] == [1, 0]

    element.get_by_label("Size of index along dimension 1").fill("3")
    assert state()["index"] == [[4, 0, 0], [1, 0, 0], [0, 0, 0]]
    element.locator(".pill").first.click()
    assert state()["dim"] == 0
    element.get_by_label("Dimensions of index").select_option("1")
    assert state()["index"] == [4, 1, 0]
    element.locator("[data-set=input]").select_option("3d")
    element.locator(".pill").first.click()
    assert error.get_by_text("index 2 is out of bounds for dimension 0").is_visible()
    for dim in (1, 2):
        element.locator(".pill").nth(dim).click()
        assert state()["dim"] == dim
        for cell in element.locator("[data-cell]").all():
            cell.hover()
            assert state()["cell"] == json.loads(f"[{cell.get_attribute('data-cell')}]")


def test_gather_is_not_moved_by_a_mouse_that_lies_still(page: Page) -> None:
    element = open_explorer(page, "learn/gather.html", "gather")
    element.locator("[data-cell='2,0']").hover()
    # With an error out goes; without, it comes back under the mouse.
    index = element.get_by_label("index[0, 0]")
    for number, is_there in (("-1", False), ("4", True)):
        index.fill(number)
        assert element.locator(".out").is_visible() == is_there
        page.wait_for_timeout(300)
    assert element.evaluate("(element) => element.state.cell") == [0, 0]


def test_gather_copies_a_snippet_that_prints_its_out(page: Page) -> None:
    element = open_explorer(page, "learn/gather.html", "gather")
    state = {"input": "3d", "dim": 2, "index": [[[3, 0]], [[1, 1]]]}
    element.evaluate(TRY, [state])
    out = INPUTS["3d"].gather(state["dim"], torch.tensor(state["index"]))
    assert run_alone(copied(page, element)) == str(out)


@pytest.mark.parametrize("how", ["a click on out", "the focus on index"])
def test_gather_keeps_and_says_what_is_pointed_at(page: Page, how: str) -> None:
    element = open_explorer(page, "learn/gather.html", "gather")
    if how == "a click on out":
        element.locator("[data-cell='2,0']").click()
    else:
        element.get_by_label("index[2, 0]").focus()
    page.wait_for_url(re.compile(r"\?gather\.cell=\[2,0\]$"))
    assert "out[2, 0]" in (element.locator(".explorer-summary").text_content() or "")


def test_gather_copies_a_snippet_that_raises_its_error(page: Page) -> None:
    element = open_explorer(page, "learn/gather.html", "gather")
    seen = element.evaluate(TRY, [{"index": [[2], [7], [0]]}])[0]
    ran = subprocess.run(
        [sys.executable, "-c", copied(page, element)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr.splitlines()[-1] == seen["shown"]["error"]


# --- The losses -------------------------------------------------------------------------

LAYERS = {
    "none": lambda z: z,
    "softmax": lambda z: z.softmax(1),
    "log_softmax": lambda z: z.log_softmax(1),
}
RIGHT = [
    ("none", "cross_entropy"),
    ("log_softmax", "cross_entropy"),
    ("log_softmax", "nll_loss"),
]


def check_losses(seen: Numbers, state: State) -> None:
    z = torch.tensor(state["logits"], dtype=torch.float64)
    y, layer, name = torch.tensor(state["target"]), state["layer"], state["loss"]
    steps = {"none": "", "softmax": "s", "log_softmax": "sl"}[layer]
    x = LAYERS[layer](z)
    stages = [z.softmax(1)] * (len(steps) > 0) + [z.log_softmax(1)] * (len(steps) > 1)
    if name == "cross_entropy":
        stages += [x.softmax(1), x.log_softmax(1)]
    last = stages[-1] if stages else z
    picked = last.gather(1, y[:, None])[:, 0]
    expected = {
        "stages": torch.stack(stages) if stages else torch.empty(0),
        "picked": picked,
        "negated": -picked,
        "loss": getattr(F, name)(x, y),
        "right": F.cross_entropy(z, y),
    }
    assert_close(seen["values"], expected)
    shown = seen["shown"]
    for s, stage in enumerate(stages):
        for (n, k), value in zip(
            itertools.product(range(3), range(5)), stage.flatten(), strict=True
        ):
            assert shown[f"stage-{s}-{n}-{k}"] == printed(value.item()), (s, n, k, state)
    for n, value in enumerate(picked.tolist()):
        assert shown[f"pick-{n}"] == printed(value)
        assert shown[f"negate-{n}"] == printed(-value)
    assert shown["loss"] == printed(expected["loss"].item())
    controls = {f"target-{n}": str(k) for n, k in enumerate(state["target"])}
    controls |= {"layer": layer, "loss": name}
    said = seen["controls"]
    assert {field: said[field] for field in controls} == controls
    assert [float(said[f"logit-{n}-{k}"]) for n in range(3) for k in range(5)] == [
        value for row in state["logits"] for value in row
    ]
    chosen = [f"stage-{len(stages) - 1}-{n}-{k}" for n, k in enumerate(state["target"])]
    assert seen["marked"].get("picked", []) == (chosen if stages else [])
    loss = f"{expected['loss'].item():.4f}"
    assert seen["summary"] == f"Loss {loss}. {shown['verdict']}"
    assert run(seen["snippet"]) == loss
    right = printed(expected["right"].item())
    if (layer, name) in RIGHT:
        assert "error" not in seen["marked"]
        assert "wrong" not in shown["verdict"].lower()
        assert math.isclose(expected["loss"], expected["right"])
    else:
        assert seen["marked"]["error"] == ["verdict"]
        assert f"the right loss is {right}." in shown["verdict"]
    if (layer, name) == ("softmax", "cross_entropy"):
        least = F.cross_entropy(torch.eye(5).double(), torch.arange(5))
        assert f"above {printed(least.item())}." in shown["verdict"]


def losses_states() -> list[State]:
    draw = random.Random(2)
    pairs = list(itertools.product(LAYERS, ("cross_entropy", "nll_loss")))
    first = [
        {"logits": logits.double().mul(10).round().div(10).tolist(), "target": [2, 1, 0]}
    ]
    for most in [1] * 20 + [20] * 64:
        rows = [[round(draw.uniform(-most, most), 1) for _ in range(5)] for _ in range(3)]
        first.append({"logits": rows, "target": [draw.randrange(5) for _ in range(3)]})
    return [state | {"layer": a, "loss": b} for state in first for a, b in pairs]


def test_losses_are_equal_to_torch(page: Page) -> None:
    element = open_explorer(page, "learn/nll_and_cross_entropy.html", "losses")
    states = losses_states()
    for state, seen in zip(states, element.evaluate(TRY, states), strict=True):
        check_losses(seen, state)


def test_losses_by_mouse_and_keyboard(page: Page) -> None:
    element = open_explorer(page, "learn/nll_and_cross_entropy.html", "losses")

    def state() -> State:
        seen = look(element)
        check_losses(seen, seen["state"])
        return seen["state"]

    for layer in LAYERS:
        element.locator(f".pill:has([value={layer}])").click()
        for loss in ("nll_loss", "cross_entropy"):
            element.get_by_role("radio", name=loss).press("Space")
            now = state()
            assert (now["layer"], now["loss"]) == (layer, loss)
    element.get_by_label("Logit of row 1, class 3").fill("-3.5")
    element.get_by_label("Logit of row 0, class 2").press("ArrowUp")
    assert state()["logits"][1][3] == -3.5
    assert state()["logits"][0][2] == 0.8
    element.get_by_label("True class of row 2").select_option("4")
    assert state()["target"] == [2, 1, 4]
    # An input that is no number, or too great a one, changes nothing.
    element.get_by_label("Logit of row 1, class 3").fill("")
    element.get_by_label("Logit of row 0, class 0").fill("999")
    assert state()["logits"][1][3] == -3.5
    assert state()["logits"][0][0] == 0


def test_losses_copy_a_snippet_that_prints_the_loss(page: Page) -> None:
    element = open_explorer(page, "learn/nll_and_cross_entropy.html", "losses")
    seen = element.evaluate(TRY, [losses_states()[-1]])[0]
    assert as_shown(run_alone(copied(page, element))) == seen["shown"]["loss"]


def test_the_arrow_keys_go_along_the_last_layers(page: Page) -> None:
    element = open_explorer(page, "learn/nll_and_cross_entropy.html", "losses")
    element.locator("[value=none]").focus()
    for layer in ("softmax", "log_softmax"):
        page.keyboard.press("ArrowRight")
        assert look(element)["state"]["layer"] == layer
        held = page.evaluate(
            "[document.activeElement.value, document.activeElement.checked]"
        )
        assert held == [layer, True]


# --- The conventions --------------------------------------------------------------------

# What a class other than the true one gets of n, the padding not counted.
OTHER = {
    "uniform": lambda e, n: e / n,
    "others": lambda e, n: e / (n - 1),
    "others-without-padding": lambda e, n: e / (n - 1),
    "normalised": lambda e, n: e / (1 + e) / n,
    "half": lambda e, n: e / 2,
    "swap": lambda e, n: e,
}


def of_torch(name: str, e: float, n: int) -> list[float] | None:
    """Return two shares of what torch trains on where its smoothing is that of a name.

    Its own smoothing has no such number where the true class gets less than the others.
    """
    try:
        uniform = convert_smoothing(e, n + (name == PADDED), name, "uniform")
    except ValueError:
        return None
    z = torch.zeros(n, dtype=torch.float64, requires_grad=True)
    F.cross_entropy(z, torch.tensor(0), label_smoothing=uniform).backward()
    assert z.grad is not None
    return (1 / n - z.grad[:2]).tolist()  # the gradient is p - q'


def check_conventions(seen: Numbers, state: State) -> None:
    first, second, e = state["first"], state["second"], state["smoothing"]
    padded = PADDED in (first, second)
    K = state["classes"] - padded  # noqa: N806
    values, shown = seen["values"], seen["shown"]
    try:
        epsilon = convert_smoothing(e, state["classes"], first, second)
    except ValueError:
        # What is shown would give the same target, and is no smoothing.
        epsilon = values["epsilon"]
        assert not 0 <= epsilon < 1 - 1e-12
        share = OTHER[second](epsilon, K) if math.isfinite(epsilon) else 1 / K
        assert share == pytest.approx(OTHER[first](e, K), rel=1e-12)
        rows = {"first": (first, e), "second": (second, e)}
        assert values["converted"] is None
    else:
        assert values["epsilon"] == pytest.approx(epsilon, rel=1e-12, abs=1e-12)
        rows = {
            "first": (first, e),
            "second": (second, e),
            "converted": (second, epsilon),
        }
        assert_close(values["converted"], values["first"])
    exists = "converted" in rows
    digits = 3 + len(str(K - 1))
    for row, (name, smoothing) in rows.items():
        other = OTHER[name](smoothing, K)
        true = 1 - (K - 1) * other
        assert_close(values[row], {"true": true, "other": other})
        judge = of_torch(name, smoothing, K)
        if judge:
            assert [true, other] == pytest.approx(judge, rel=0, abs=1e-12)
        assert shown[f"{row}-name"] == name
        for share in ("true", "other"):
            assert shown[f"{row}-{share}"] == printed(values[row][share], digits), state
        line = {"--true": 100 * max(true, 0), "--parts": K - 1 if K <= 50 else 1}
        assert_drawn(seen, f"{row}-line", line, {}, {})
    assert (
        shown["first-epsilon"]
        == shown["second-epsilon"]
        == shown["smoothing"]
        == short(e)
    )
    # torch rounds what the snippet computes.
    said = as_shown(run(seen["snippet"]))
    assert shown["epsilon"] == shown["converted-epsilon"] == said
    assert said == printed(values["epsilon"], digits)
    if exists:
        assert seen["summary"] == f"In {second}, write {said}."
        assert shown["lead"] == f"In {second}, write"
    else:
        assert "there is no such ε" in seen["summary"]
        assert shown["lead"] == f"In {second} it would take"
    assert ("because" in seen["hidden"]) == exists
    assert ("converted-line" in seen["hidden"]) == (not exists)
    assert ("padding" in seen["hidden"]) == (not padded)
    controls = {"first": first, "second": second, "classes": str(state["classes"])}
    assert seen["controls"] == controls | {"smoothing": short(e)}


def conventions_states() -> list[State]:
    draw = random.Random(3)
    states = []
    for first, second in itertools.product(OTHER, OTHER):
        least = 2 + (PADDED in (first, second))
        binary = {"half", "swap"} & {first, second}
        sizes = [least, 5, 10, 1000, 32000, 100_000]
        sizes += [draw.randint(3, 100) for _ in range(9)]
        epsilons = [0, 0.05, 0.1]
        epsilons += [draw.randrange(100) / 100 for _ in sizes[len(epsilons) :]]
        for K, epsilon in zip(sizes, epsilons, strict=True):  # noqa: N806
            states.append(
                {
                    "first": first,
                    "second": second,
                    "smoothing": epsilon,
                    "classes": least if binary else K,
                }
            )
    # The ends: no such ε, and one that rounding brings below one.
    states.append({"first": "swap", "second": "half", "smoothing": 0.98, "classes": 2})
    ends = {"first": "uniform", "second": "normalised", "smoothing": 0.5}
    return states + [ends | {"classes": K} for K in range(2, 51)]


def test_conventions_are_equal_to_torch(page: Page) -> None:
    element = open_explorer(page, "guides/which_epsilon.html", "conventions")
    states = conventions_states()
    for state, seen in zip(states, element.evaluate(TRY, states), strict=True):
        check_conventions(seen, state)
    judged = {
        (s["first"], s["second"])
        for s in states
        if of_torch(s["first"], s["smoothing"], s["classes"] - (PADDED in s.values()))
    }
    assert len(judged) == len(OTHER) ** 2


def test_conventions_by_mouse_and_keyboard(page: Page) -> None:
    element = open_explorer(page, "guides/which_epsilon.html", "conventions")

    def state() -> State:
        seen = look(element)
        check_conventions(seen, seen["state"])
        return seen["state"]

    same = element.get_by_text("The last one has the shares of the first")
    assert look(element)["shown"]["epsilon"] == "0.1111"  # as the front page says
    assert same.is_visible()
    element.get_by_role("slider").press("ArrowRight")
    assert state()["smoothing"] == 0.11
    element.get_by_role("spinbutton").fill("250")
    assert state()["classes"] == 250
    for name in OTHER:
        element.locator("[data-set=second]").select_option(name)
        assert state()["second"] == name
    assert state()["classes"] == 2
    assert element.get_by_role("spinbutton").is_disabled()
    element.get_by_role("slider").press("End")
    element.locator("[data-set=first]").select_option("swap")
    element.locator("[data-set=second]").select_option("half")
    assert state()["smoothing"] == 0.99
    assert element.get_by_text("There is no such").is_visible()
    assert not same.is_visible()


def test_conventions_copy_a_snippet_that_prints_the_epsilon(page: Page) -> None:
    element = open_explorer(page, "guides/which_epsilon.html", "conventions")
    state = {
        "first": "normalised",
        "second": PADDED,
        "smoothing": 0.2,
        "classes": 100_000,
    }
    seen = element.evaluate(TRY, [state])[0]
    assert run_alone(copied(page, element)) == seen["shown"]["epsilon"]


def test_the_bar_of_a_target_is_as_long_as_its_share(page: Page) -> None:
    element = open_explorer(page, "guides/which_epsilon.html", "conventions")
    state = {"first": "others", "second": "uniform", "smoothing": 0.2, "classes": 4}
    element.evaluate(TRY, [state])
    line, true, others = (
        element.locator(f"[data-part=first-line]{part}").bounding_box()
        for part in ("", " > :first-child", " > .others")
    )
    assert line
    assert true
    assert others
    assert true["width"] == pytest.approx(0.8 * line["width"], abs=0.1)
    assert others["width"] == pytest.approx(0.2 * line["width"], abs=0.1)


# --- What holds for each ----------------------------------------------------------------

# The page of each explorer, the address of another state, and a control to touch there.
PLACES = {
    "mix": (
        "learn/derivation.html",
        "mix.smoothing=0.1&mix.target=0&mix.logits=[1.5,-2]",
        "[data-set=smoothing]",
    ),
    "gather": (
        "learn/gather.html",
        "gather.input=3d&gather.dim=0&gather.index=[[[1,0]]]&gather.cell=[0,0,1]",
        "[data-set=cell]:checked",
    ),
    "losses": (
        "learn/nll_and_cross_entropy.html",
        "losses.layer=softmax&losses.loss=nll_loss&losses.target=[0,1,2]",
        "[data-set=layer]:checked",
    ),
    "conventions": (
        "guides/which_epsilon.html",
        "conventions.first=normalised&conventions.second=others"
        "&conventions.smoothing=0.2&conventions.classes=7",
        "[data-set=smoothing]",
    ),
}
every = pytest.mark.parametrize("name", PLACES)


def test_every_explorer_is_here() -> None:
    assert {path.stem for path in SCRIPTS.glob("*.js")} == PLACES.keys() | {"explorer"}


def test_the_scripts_are_small() -> None:
    sizes = [len(gzip.compress(path.read_bytes())) for path in SCRIPTS.glob("*.js")]
    assert sum(sizes) <= 40_000


def test_what_is_shared_is_said_once_and_used() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in SCRIPTS.glob("*.js")}
    for words in (
        "Copy as PyTorch",
        "Copied",
        "Reset",
        "epsilon / (K - 1)",
        ".reduce((total",
    ):
        assert "".join(texts.values()).count(words) == 1, words
    exported = re.findall(r"\w+", texts.pop("explorer").rpartition("return {")[2])
    for name in exported:
        assert any(re.search(rf"\b{name}\b", text) for text in texts.values()), name


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
    path, query, touch = PLACES[name]
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
    # A control says again what it says: the address follows.
    element.locator(touch).dispatch_event("input", {"bubbles": True})
    page.wait_for_url(lambda url: url.partition("?")[2] == query)


# What the address may say of a field that is none of its values.
WRONG = [
    "length",
    "map",
    '"0"',
    "[0]",
    "-1",
    "1e400",
    "NaN",
    "[[null]]",
    "<img src=x>",
    "",
]
# Set the address to each of these in turn, and put a new explorer there.
ANEW = """(element, queries) => queries.map((query) => {
  history.replaceState(null, "", query);
  const fresh = document.createElement(element.localName);
  element.replaceWith(fresh);
  element = fresh;
  return [fresh.state, fresh.textContent];
})"""


@every
def test_a_wrong_address_does_no_harm(page: Page, name: str) -> None:
    element = open_explorer(page, PLACES[name][0], name)
    fields = list(look(element)["state"])
    good, *others = element.evaluate(
        ANEW,
        ["?"]
        + [
            f"?{name}.{field}={quote(wrong)}"
            for field, wrong in itertools.product(fields, WRONG)
            if (field, wrong) != ("index", "[0]")  # an index of one dimension
        ],
    )
    assert all(other == good for other in others)
    assert len(others) >= len(WRONG) * len(fields) - 1


@pytest.mark.parametrize(
    ("name", "query", "snippet"),
    [
        ("mix", "mix.smoothing=0.123456", "label_smoothing=0.12)"),
        ("mix", "mix.logits=[0.44,-0.04]", "tensor([0.4, 0], "),
        ("conventions", "conventions.smoothing=0.123456", "tensor(0.12, "),
    ],
)
def test_an_address_goes_in_steps_of_the_slider(
    page: Page, name: str, query: str, snippet: str
) -> None:
    element = open_explorer(page, f"{PLACES[name][0]}?{query}", name)
    seen = look(element)
    assert snippet in seen["snippet"]
    assert numbers({"": seen["controls"]["smoothing"]}) == {
        "": seen["state"]["smoothing"]
    }


@every
def test_without_a_clipboard_the_snippet_is_shown(page: Page, name: str) -> None:
    element = open_explorer(page, PLACES[name][0], name)
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
    assert area.input_value() == element.evaluate("(element) => element.snippet")
    # What is of another state goes as well.
    element.locator("[data-set]").first.press("ArrowDown")
    assert not area.is_visible()


@pytest.mark.parametrize(
    ("name", "field", "text"),
    [
        ("gather", "size-0", "3"),
        ("gather", "index-1,0", "-12"),
        ("losses", "logit-0-1", "-12.5"),
        ("conventions", "classes", "15"),
    ],
)
def test_a_number_can_be_typed(page: Page, name: str, field: str, text: str) -> None:
    element = open_explorer(page, PLACES[name][0], name)
    control = element.locator(f"[data-set='{field}']")
    control.click()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
    assert control.input_value() == text
    control.blur()
    assert control.input_value() == text


@pytest.mark.parametrize(
    ("name", "field", "wrong"),
    [
        ("gather", "size-0", "0"),
        ("losses", "logit-0-1", "999"),
        ("conventions", "classes", "1"),
    ],
)
def test_what_is_not_accepted_goes(page: Page, name: str, field: str, wrong: str) -> None:
    element = open_explorer(page, PLACES[name][0], name)
    before = look(element)
    control = element.locator(f"[data-set={field}]")
    value = control.input_value()
    for text, done in itertools.product((wrong, ""), ("Enter", "Tab")):
        control.fill(text)
        control.press(done)
        assert control.input_value() == value
    assert look(element) == before


@every
def test_without_javascript_the_figure_stands(
    browser: Browser, site: str, name: str
) -> None:
    context = browser.new_context(base_url=site, java_script_enabled=False)
    element = open_explorer(context.new_page(), PLACES[name][0], name)
    assert element.locator("img.drawing.only-light").is_visible()
    context.close()


@every
def test_in_an_old_browser_the_figure_stands(page: Page, name: str) -> None:
    page.add_init_script("delete Array.prototype.with")
    element = open_explorer(page, PLACES[name][0], name)
    assert element.locator("img.drawing.only-light").is_visible()


# What tells by its background alone, and the state in which it does.
DRAWN = {
    "mix": [
        "[data-part=q-bars-2] > .delta",
        "[data-part=u-bars-0] > .u",
        "[data-part=p-bars-0] > .p",
        "[data-part=line] > .delta",
        "[data-part=line] > .mark",
        ".pill input:checked + span",
    ],
    "gather": [
        ".pill input:checked + span",
        ".input .picked",
        ".out .picked",
        ".input .lit",
    ],
    "losses": [".pill input:checked + span", ".picked"],
    "conventions": ["[data-part=first-line] > :first-child"],
}


@every
def test_forced_colours_leave_what_is_drawn(
    browser: Browser, site: str, name: str
) -> None:
    context = browser.new_context(base_url=site, forced_colors="active")
    element = open_explorer(context.new_page(), PLACES[name][0], name)
    canvas = colours(element)[0]
    for part in DRAWN[name]:
        assert colours(element.locator(part).first)[0] != canvas, part
    for slider in element.get_by_role("slider").all():
        # Where its knob is not: at the far end.
        slider.press("Home")
        assert len(colours(slider, far_end=True)) > 1
        assert all(is_grey(colour) for colour in colours(slider))
    if name == "conventions":
        assert is_grey(colours(element.locator(DRAWN[name][0]))[0])
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
