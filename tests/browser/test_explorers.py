"""What the explorers show is what torch computes, to the last digit."""

import gzip
import itertools
import json
import math
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

from label_smoothing import explain_gather
from label_smoothing.__main__ import logits

ROOT = Path(__file__).parents[2]
SITE = ROOT / "docs" / "_build" / "html"
SCRIPTS = ROOT / "docs" / "_static" / "explorers"
State = dict[str, Any]
Numbers = dict[str, Any]

# Set each state in turn; return the values behind it and every number in sight.
TRY = r"""(element, states) => states.map((state) => {
  element.state = state;
  const shown = {};
  for (const part of element.querySelectorAll("[data-part]")) {
    if (!part.children.length) shown[part.dataset.part] = part.textContent;
  }
  return { values: element.values, shown, snippet: element.snippet,
    formula: element.querySelector(".formula")?.textContent.replace(/\s+/g, " ").trim() };
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
        assert as_shown(run_alone(copied(page, element))) == seen["shown"]["loss"]


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


def check_gather(seen: Numbers, state: State) -> None:
    values, shown = seen["values"], seen["shown"]
    input, index = INPUTS[state["input"]], torch.tensor(state["index"])
    out, error = call(input, state["dim"], index)
    if out is None:
        assert values == {"out": None, "error": error}, state
        assert shown["error"] == f"RuntimeError: {error}"
        assert not any(text for name, text in shown.items() if name.startswith("value-"))
        return
    assert values["error"] is None
    assert shown["error"] == ""
    assert torch.equal(torch.tensor(values["out"], dtype=out.dtype), out), state
    cells = list(itertools.product(*map(range, out.shape)))
    places = [",".join(map(str, at)) for at in cells]
    assert [n for n in shown if n.startswith("value-")] == [f"value-{p}" for p in places]
    for at, place in zip(cells, places, strict=True):
        assert float(shown[f"value-{place}"]) == pytest.approx(out[at].item(), abs=1e-6)
    assert seen["formula"] == formula(state, input, index)
    lines = str(explain_gather(input, state["dim"], index)).splitlines()
    notes = [line.removeprefix("note: ") for line in lines if line.startswith("note")]
    assert shown["note"] in (notes or [""])


def gather_states() -> list[State]:
    """Draw calls, one half of which go wrong in one way or another."""
    draw = random.Random(1)
    states = []
    for n in range(300):
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
    assert element.get_by_text("RuntimeError: index -1 is out of bounds").is_visible()
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
    assert element.get_by_text("index 2 is out of bounds for dimension 0").is_visible()
    for dim in (1, 2):
        element.locator(".pill").nth(dim).click()
        assert state()["dim"] == dim
        for cell in element.locator("[data-cell]").all():
            cell.hover()
            assert state()["cell"] == json.loads(f"[{cell.get_attribute('data-cell')}]")


def test_gather_copies_a_snippet_that_prints_its_out(page: Page) -> None:
    element = open_explorer(page, "learn/gather.html", "gather")
    right = [state for state in gather_states()[1::2] if len(state["index"]) != 6]
    chosen = {state["input"]: state for state in right}
    for name, state in chosen.items():
        element.evaluate(TRY, [state])
        out = INPUTS[name].gather(state["dim"], torch.tensor(state["index"]))
        assert run_alone(copied(page, element)) == str(out)


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
    right = printed(expected["right"].item())
    if (layer, name) in RIGHT:
        assert "wrong" not in shown["verdict"].lower()
        assert math.isclose(expected["loss"], expected["right"])
    else:
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
    for most in [1] * 5 + [20] * 15:
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
    for state in losses_states()[1::50]:
        seen = element.evaluate(TRY, [state])[0]
        assert as_shown(run_alone(copied(page, element))) == seen["shown"]["loss"]


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
EPSILON = {
    "uniform": lambda q, n: q * n,
    "others": lambda q, n: q * (n - 1),
    "others-without-padding": lambda q, n: q * (n - 1),
    "normalised": lambda q, n: q * n / (1 - q * n),
    "half": lambda q, n: q * 2,
    "swap": lambda q, n: q,
}


def check_conventions(seen: Numbers, state: State) -> None:
    first, second, K = state["first"], state["second"], state["classes"]  # noqa: N806
    e = torch.tensor(state["smoothing"], dtype=torch.float64)
    K -= "others-without-padding" in (first, second)  # noqa: N806

    def target(name: str, e: torch.Tensor) -> dict[str, torch.Tensor]:
        other = OTHER[name](e, K)
        return {"true": 1 - (K - 1) * other, "other": other}

    epsilon = EPSILON[second](OTHER[first](e, K), K)
    rows = {"first": target(first, e), "second": target(second, e)}
    exists = 0 <= epsilon < 1
    if exists:
        rows["converted"] = target(second, epsilon)
    values, shown = seen["values"], seen["shown"]
    digits = 3 + len(str(K - 1))
    for name, row in rows.items():
        assert_close(values[name], row)
        for share, value in row.items():
            assert shown[f"{name}-{share}"] == printed(value.item(), digits), (
                name,
                state,
            )
    if exists:
        assert_close(values["converted"], rows["first"])
    else:
        assert values["converted"] is None
    assert values["epsilon"] == pytest.approx(epsilon.item(), rel=1e-12, abs=1e-12)
    assert shown["epsilon"] == printed(epsilon.item(), digits)
    if "uniform" in (first, second):
        # torch is the judge: what its own smoothing costs is what our target costs.
        row = rows["first" if first == "uniform" else "second"]
        torch_costs = F.cross_entropy(
            torch.arange(K).double(), torch.tensor(0), label_smoothing=e.item()
        )
        q = torch.full((K,), row["other"].item(), dtype=torch.float64)
        q[0] = row["true"]
        cost = F.cross_entropy(torch.arange(K).double(), q)
        torch.testing.assert_close(cost, torch_costs, rtol=1e-9, atol=1e-12)


def conventions_states() -> list[State]:
    draw = random.Random(3)
    states = []
    for first, second in itertools.product(OTHER, OTHER):
        least = 2 + ("others-without-padding" in (first, second))
        binary = {"half", "swap"} & {first, second}
        for K in (least, 5, 10, 1000, 32000, draw.randint(3, 100)):  # noqa: N806
            states.append(
                {
                    "first": first,
                    "second": second,
                    "smoothing": draw.choice([0, 0.05, 0.1, draw.randrange(100) / 100]),
                    "classes": least if binary else K,
                }
            )
    return states


def test_conventions_are_equal_to_torch(page: Page) -> None:
    element = open_explorer(page, "guides/which_epsilon.html", "conventions")
    states = conventions_states()
    for state, seen in zip(states, element.evaluate(TRY, states), strict=True):
        check_conventions(seen, state)


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
    states = [s for s in conventions_states() if s["classes"] == 10]
    for state in states[::5]:
        seen = element.evaluate(TRY, [state])[0]
        assert (
            printed(float(run_alone(copied(page, element)))) == seen["shown"]["epsilon"]
        )


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


@every
def test_a_wrong_address_does_no_harm(page: Page, name: str) -> None:
    path, query, _ = PLACES[name]
    good = look(open_explorer(page, path, name))
    wrong = re.sub(r"=[^&]*", "=[[null]]", query)
    assert look(open_explorer(page, f"{path}?{wrong}", name)) == good


@every
def test_without_a_clipboard_the_snippet_is_shown(page: Page, name: str) -> None:
    element = open_explorer(page, PLACES[name][0], name)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    element.get_by_role("button", name="Copy as PyTorch").click()
    assert element.locator("textarea").input_value() == look(element)["snippet"]


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
    for text in (wrong, ""):
        control.fill(text)
        control.blur()
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
