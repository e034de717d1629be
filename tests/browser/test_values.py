"""What the explorers show is what torch computes, to the last digit."""

import itertools
import math
import random
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from playwright.sync_api import Locator, Page

from label_smoothing import convert_smoothing, explain_gather, optimal_logit_gap
from label_smoothing.example import logits as example

from .runner import run

CASES = tomllib.loads(Path(__file__).with_name("explorers.toml").read_text("utf-8"))
every = pytest.mark.parametrize("name", CASES)
State = dict[str, Any]
# A state, the values behind it, and all that is seen and heard of it: see probes.js.
Seen = dict[str, Any]


def opened(page: Page, name: str, query: str = "") -> Locator:
    page.goto(f"{CASES[name]['page']}?{query}".removesuffix("?"))
    return page.locator(f"explore-{name}")


def look(element: Locator) -> Seen:
    """Look at an explorer as it is, and check it."""
    assert element.evaluate("(element) => probe.misdrawn(element)") == []
    seen = element.evaluate("(element) => probe.look(element)")
    CHECKS[seen["name"]](seen)
    return seen


def explore(element: Locator, *states: State) -> list[Seen]:
    """Set each state in turn, look, and check."""
    found = element.evaluate("(element, all) => probe.explore(element, all)", states)
    for seen in found:
        CHECKS[seen["name"]](seen)
    return found


def printed(value: float, digits: int = 4) -> str:
    """Return a number with the minus of the page."""
    return f"{value:.{digits}f}".replace("-", "−")


def short(value: float) -> str:
    """Return a number with at most four decimals."""
    text = printed(value).rstrip("0").rstrip(".")
    return "0" if text == "−0" else text


def flat(nested: Any, name: str = "", sep: str = "-") -> dict[str, Any]:
    """Return each number of nested dictionaries, lists and tensors by its path."""
    if isinstance(nested, torch.Tensor):
        nested = nested.tolist()
    if not isinstance(nested, dict | list):
        return {name: nested}
    parts = nested.items() if isinstance(nested, dict) else enumerate(nested)
    found: dict[str, Any] = {}
    for key, part in parts:
        found |= flat(part, f"{name}{sep}{key}" if name else f"{key}", sep)
    return found


def said(snippet: str, by: Callable[[str], list[str]] = run) -> str:
    """Return what a snippet prints or raises; it runs here, for it is fast."""
    try:
        return by(snippet)[0]
    except RuntimeError as error:
        return f"RuntimeError: {error}"


# How near, relatively and absolutely: to torch, and a style to what it draws.
NEAR = {"values": (0, 1e-12), "drawn": (1e-5, 1e-5)}


def compare(seen: Seen, **expected: Any) -> None:
    """Compare all that is seen of some kinds with what is expected there."""
    for kind, wanted in expected.items():
        found = said(seen["snippet"]) if kind == "prints" else seen[kind]
        if kind in ("shown", "marked"):
            found = {part: found.get(part, []) for part in wanted}
        if kind in NEAR:
            found, wanted, (rel, least) = flat(found), flat(wanted), NEAR[kind]
            for path in found.keys() & wanted:
                pair = found[path], wanted[path]
                if pair[0] == pair[1] or math.isclose(*pair, rel_tol=rel, abs_tol=least):
                    found[path] = wanted[path]
        assert found == wanted, (kind, seen["state"])


# --- The mix of δ and u -----------------------------------------------------------------


def check_mix(seen: Seen) -> None:
    e, y = seen["state"]["smoothing"], torch.tensor(seen["state"]["target"])
    z = torch.tensor(seen["state"]["logits"], dtype=torch.float64, requires_grad=True)
    K = len(z)  # noqa: N806
    delta, u = F.one_hot(y, K).double(), torch.ones(K, dtype=torch.float64) / K
    q, p = (1 - e) * delta + e * u, z.detach().softmax(0)
    smoothed = F.cross_entropy(z, y, label_smoothing=e)
    smoothed.backward()
    assert (p - q - z.grad).abs().max() < 1e-12
    rows = flat({"delta": delta, "u": u, "q": q, "p": p, "gradient": p - q})
    hard, soft = F.cross_entropy(z, y).item(), -z.log_softmax(0).mean().item()
    loss, floor = smoothed.item(), torch.special.entr(q).sum().item()
    terms = {"hard": hard, "soft": soft, "loss": loss, "floor": floor}
    shown = {name: printed(value, 4 if K <= 6 else 2) for name, value in rows.items()}
    shown |= {name: printed(value) for name, value in terms.items()}
    shown |= {"smoothing": short(e), "hard-weight": short(1 - e), "soft-weight": short(e)}
    shown |= {f"z-{k}": short(value) for k, value in enumerate(seen["state"]["logits"])}
    controls = flat({"logit": seen["state"]["logits"]}) | {"smoothing": e, "classes": K}
    controls["target"] = str(y.item())
    compare(seen, values=rows | terms, shown=shown, controls=controls, hidden=[])
    # The bar is as long as three nats, or as the loss.
    nat, hard, soft = 100 / max(3, loss), (1 - e) * hard, e * soft
    drawn = {"line": {"width": [hard * nat, soft * nat], "left": [floor * nat]}}
    high = {"delta": [delta], "u": [u], "q": [(1 - e) * delta, e * u]}
    high["p"] = [p, (p - q).abs()]
    for (name, parts), k in itertools.product(high.items(), range(K)):
        drawn[f"{name}-bars-{k}"] = {"--high": [part[k].item() for part in parts]}
    for k, feet in enumerate(torch.stack([torch.minimum(p, q), q], 1).tolist()):
        drawn[f"p-bars-{k}"]["--from"] = feet
    loss, hard, soft, floor = map(printed, (loss, hard, soft, floor))
    parts = f"The loss, {loss}, as a bar of two parts, {hard} and {soft}"
    label = f"{parts}; a mark at its floor, {floor}"
    compare(seen, drawn=drawn, labels=[label], summary=f"Loss {loss}, floor {floor}.")
    compare(seen, prints=loss)


def mix_states() -> Iterator[State]:
    draw = random.Random(0)
    epsilons, sizes = (0, 0.05, 0.1, 0.3, 0.5, 0.99, 1), (2, 3, 5, 8, 10)
    for e, K, z in itertools.product(epsilons, sizes, (0, 0.5, -0.5)):  # noqa: N806
        yield {"smoothing": e, "target": K - 1, "logits": [z * k for k in range(K)]}
    for _ in range(400):
        z = [round(draw.uniform(-5, 5), 1) for _ in range(draw.randint(2, 10))]
        e = draw.randint(0, 100) / 100
        yield {"smoothing": e, "target": draw.randrange(len(z)), "logits": z}


# --- gather -----------------------------------------------------------------------------

INPUTS = {
    "1d": torch.arange(10, 15),
    "logits": example,
    "2d": torch.arange(30).reshape(3, 10)[:, :5],
    "3d": torch.arange(200).reshape(2, 10, 10)[:, :3, :4],
}


def gather(state: State) -> tuple[torch.Tensor | None, str]:
    """Return what gather returns, and what it says."""
    index = torch.tensor(state["index"])
    try:
        return INPUTS[state["input"]].gather(state["dim"], index), ""
    except RuntimeError as error:
        return None, str(error)


def check_gather(seen: Seen) -> None:
    name, dim, index, cell = (seen["state"][x] for x in ("input", "dim", "index", "cell"))
    input, (out, error) = INPUTS[name], gather(seen["state"])
    asked, place = flat(index, sep=","), ",".join(map(str, cell))
    controls = {f"index-{at}": n for at, n in asked.items()}
    controls |= {f"size-{d}": size for d, size in enumerate(torch.tensor(index).shape)}
    controls |= {"dimensions": torch.tensor(index).dim(), "dim": str(dim), "cell": place}
    shown = {f"input-{at}": short(x) for at, x in flat(input, sep=",").items()}
    compare(seen, controls=controls | {"input": name}, drawn={}, shown=shown)

    def along(n: object) -> list[Any]:
        return [*cell[:dim], n, *cell[dim + 1 :]]

    # The line of input along dim, the cell that begins it, and the one that is picked.
    bent = error.startswith(("Index", "Size"))
    picked, size = along(asked[place]), 0 if bent else input.shape[dim]
    line = [(at, f"input-{','.join(map(str, at))}") for at in map(along, range(size))]
    marked = {
        "lit": [part for _, part in line],
        "start": [f"index-{place}", *(part for at, part in line if at == cell)],
        "picked": [part for at, part in line if at == picked],
    }
    marked["picked"] += [] if error else [f"out-{place}"]
    wrong = [at for at, n in asked.items() if not bent and not 0 <= n < size]
    compare(seen, marked={m: sorted(marked[m]) for m in marked}, invalid=wrong)
    if out is None:
        said = f"RuntimeError: {error}"
        shown = {f"value-{at}": "" for at in asked} | {"formula": "", "note": ""}
        hidden = [f"{part}-{at}" for part in ("out", "value") for at in sorted(asked)]
        compare(seen, values={"out": None, "error": error}, hidden=hidden)
        compare(seen, shown=shown | {"error": said}, summary=said, prints=said)
        return
    got = {at: short(x) for at, x in flat(out, sep=",").items()}
    labels = [f"out[{at.replace(',', ', ')}] = {x}" for at, x in got.items()]
    exact = out.double().mul(10).round().div(10)
    compare(seen, values={"out": exact, "error": None}, labels=labels, hidden=[])
    explained = explain_gather(input, dim, torch.tensor(index))
    notes = re.findall("(?m)^note: (.*)", str(explained)) or [""]
    assert seen["shown"]["note"] in notes
    formula = explained.row(tuple(cell))
    shown = {f"value-{at}": x for at, x in got.items()} | {"formula": formula}
    compare(seen, shown=shown | {"error": ""}, summary=formula, prints=str(out))


def gather_states() -> Iterator[State]:
    """Draw calls, one half of which go wrong in one way or another."""
    draw = random.Random(1)
    for n in range(540):
        name = draw.choice(list(INPUTS))
        size = INPUTS[name].shape
        dim = draw.randrange(len(size))
        shape = [draw.randint(1, 6 if d == dim else m) for d, m in enumerate(size)]
        shape[:1] = [6] if n % 10 == 0 else shape[:1]
        shape = shape if n % 30 else shape[:-1] or [2, 2]
        least, most = (0, size[dim] - 1) if n % 2 else (-2, size[dim] + 1)
        drawn = [draw.randint(least, most) for _ in range(math.prod(shape))]
        index = torch.tensor(drawn).reshape(shape).tolist()
        cell = [draw.randrange(m) for m in shape]
        yield {"input": name, "dim": dim, "index": index, "cell": cell}


# --- The losses -------------------------------------------------------------------------

LAYERS = {"none": [], "softmax": ["softmax"], "log_softmax": ["softmax", "log_softmax"]}
RIGHT = ["none cross_entropy", "log_softmax cross_entropy", "log_softmax nll_loss"]


def check_losses(seen: Seen) -> None:
    layer, name = seen["state"]["layer"], seen["state"]["loss"]
    z = torch.tensor(seen["state"]["logits"], dtype=torch.float64)
    y = torch.tensor(seen["state"]["target"])
    stages = [getattr(z, step)(1) for step in LAYERS[layer]]
    x = [z, *stages][-1]
    loss, right = getattr(F, name)(x, y).item(), F.cross_entropy(z, y).item()
    if name == "cross_entropy":
        stages += [x.softmax(1), x.log_softmax(1)]
    picked = [z, *stages][-1].gather(1, y[:, None])[:, 0]
    values = {"stages": stages, "picked": picked, "negated": -picked, "loss": loss}
    parts = flat({"stage": stages, "pick": picked, "negate": -picked, "loss": loss})
    shown = {part: printed(value) for part, value in parts.items()}
    controls = flat({"logit": seen["state"]["logits"], "target": y})
    controls |= {"layer": layer, "loss": name}
    compare(seen, values=values | {"right": right}, shown=shown, controls=controls)
    verdict, is_right = seen["shown"]["verdict"], f"{layer} {name}" in RIGHT
    last = [f"stage-{len(stages) - 1}-{n}-{k}" for n, k in enumerate(y.tolist())]
    marked = {"picked": last if stages else [], "error": [] if is_right else ["verdict"]}
    compare(seen, marked=marked, summary=f"Loss {loss:.4f}. {verdict}")
    compare(seen, prints=f"{loss:.4f}", hidden=[], drawn={})
    assert is_right != (f"the right loss is {printed(right)}." in verdict)
    assert is_right != ("wrong" in verdict.lower())
    assert math.isclose(loss, right) or not is_right
    if (layer, name) == ("softmax", "cross_entropy"):
        least = F.cross_entropy(torch.eye(5).double(), torch.arange(5)).item()
        assert f"above {printed(least)}." in verdict


def losses_states() -> Iterator[State]:
    draw = random.Random(2)
    z, y = example.double().mul(10).round().div(10).tolist(), [2, 1, 0]
    for most in [0] + [1] * 20 + [20] * 64:
        if most:
            drawn = [round(draw.uniform(-most, most), 1) for _ in range(15)]
            z = [drawn[:5], drawn[5:10], drawn[10:]]
            y = [draw.randrange(5) for _ in range(3)]
        for layer, loss in itertools.product(LAYERS, ("cross_entropy", "nll_loss")):
            yield {"logits": z, "target": y, "layer": layer, "loss": loss}


# --- The conventions --------------------------------------------------------------------

# What a class other than the true one gets of n, the padding not counted.
PADDED = "others-without-padding"
OTHER = {
    "uniform": lambda e, n: e / n,
    "others": lambda e, n: e / (n - 1),
    PADDED: lambda e, n: e / (n - 1),
    "normalised": lambda e, n: e / (1 + e) / n,
    "half": lambda e, n: e / 2,
    "swap": lambda e, n: e,
}


def check_conventions(seen: Seen) -> None:
    values, fields = seen["values"], ("first", "second", "smoothing", "classes")
    first, second, e, classes = (seen["state"][field] for field in fields)
    padded = PADDED in (first, second)
    K = classes - padded  # noqa: N806
    rows = {"first": (first, e), "second": (second, e)}
    try:
        epsilon = convert_smoothing(e, classes, first, second)
    except ValueError:
        # What is shown would give the same target, and is no smoothing.
        epsilon = values["epsilon"]
        assert not 0 <= epsilon < 1 - 1e-12
        share = OTHER[second](epsilon, K) if math.isfinite(epsilon) else 1 / K
        assert share == pytest.approx(OTHER[first](e, K), rel=1e-12)
        lead, end = f"In {second} it would take", ": there is no such ε."
        parts = ("name", "epsilon", "true", "other", "line")
        hidden = ["same", *(f"converted-{part}" for part in parts)]
    else:
        rows["converted"] = second, epsilon
        assert values["converted"] == pytest.approx(values["first"], rel=0, abs=1e-12)
        lead, end, hidden = f"In {second}, write", ".", ["because"]
    expected: dict[str, Any] = {"epsilon": epsilon, "converted": None}
    drawn, digits = {}, 3 + len(str(K - 1))
    answer = printed(values["epsilon"], digits)  # torch rounds what the snippet computes
    shown = {"lead": lead, "epsilon": answer, "converted-epsilon": answer}
    shown |= dict.fromkeys(("first-epsilon", "second-epsilon", "smoothing"), short(e))
    for row, (name, smoothing) in rows.items():
        other = OTHER[name](smoothing, K)
        expected[row] = {"true": 1 - (K - 1) * other, "other": other}
        gap = optimal_logit_gap(K + (name == PADDED), smoothing, name)
        assert other == pytest.approx(1 / (math.exp(gap) + K - 1), rel=1e-12)
        shown |= {f"{row}-{part}": printed(x, digits) for part, x in values[row].items()}
        shown[f"{row}-name"] = name
        true, parts = 100 * max(expected[row]["true"], 0), K - 1 if K <= 50 else 1
        drawn[f"{row}-line"] = {"--true": [true], "--parts": [parts]}
    hidden = sorted(hidden + ["padding"] * (not padded))
    controls = {field: seen["state"][field] for field in fields}
    compare(seen, values=expected, shown=shown, drawn=drawn, controls=controls)
    summary, prints = f"{lead} {answer}{end}", answer.replace("−", "-")
    compare(seen, hidden=hidden, summary=summary, prints=prints)


def conventions_states() -> Iterator[State]:
    draw = random.Random(3)
    for first, second in itertools.product(OTHER, OTHER):
        least = 2 + (PADDED in (first, second))
        sizes = [least, 5, 10, 1000, 32000, 100_000]
        sizes += [draw.randint(3, 100) for _ in range(9)]
        if {"half", "swap"} & {first, second}:
            sizes = [least] * len(sizes)
        epsilons = [0, 0.05, 0.1] + [draw.randrange(100) / 100 for _ in sizes[3:]]
        for e, classes in zip(epsilons, sizes, strict=True):
            yield {"first": first, "second": second, "smoothing": e, "classes": classes}
    # The ends: no such ε, and one that rounding brings below one.
    yield {"first": "swap", "second": "half", "smoothing": 0.98, "classes": 2}
    ends = {"first": "uniform", "second": "normalised", "smoothing": 0.5}
    yield from (ends | {"classes": classes} for classes in range(2, 51))


CHECKS = {
    "mix": check_mix,
    "gather": check_gather,
    "losses": check_losses,
    "conventions": check_conventions,
}
STATES = {
    "mix": mix_states,
    "gather": gather_states,
    "losses": losses_states,
    "conventions": conventions_states,
}


@every
def test_it_is_equal_to_torch(page: Page, name: str) -> None:
    states = list(STATES[name]())
    seen = explore(opened(page, name), *states)
    assert [one["state"] for one in seen] == states


def test_every_kind_of_error_is_drawn() -> None:
    errors = [error for _, error in map(gather, gather_states()) if error]
    assert len(errors) > 60
    assert {error.split()[0] for error in errors} == {"Index", "Size", "index"}
