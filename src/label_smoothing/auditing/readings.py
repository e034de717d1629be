"""What is read off the targets and the rows that were recovered."""

import contextlib
import math
import re
from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from label_smoothing.auditing.conventions import BINARY, PADDED, convert_smoothing
from label_smoothing.auditing.recovery import Recovered
from label_smoothing.auditing.ways import ROWS, Way

PLAIN = ("uniform", "others", "normalised")
NEAR = 1e-4  # numbers this close are the same: the error of float32 is smaller
EXACT = 1e-5  # sums this close; of very many classes float32 has fewer digits
UNITS = {"nats": 1.0, "bits": 1 / math.log(2), "hartleys": 1 / math.log(10)}
SMOOTHS = re.compile(
    "(^|_)(smooth((?!step)\\w)*|eps|epsilon|\u03b5|ls)($|_)", re.IGNORECASE
)
TINY = 1e-4  # an ε this small is one that guards a division


def describe_rows(way: Way, classes: Tensor, found: Recovered) -> dict[str, Any]:
    """Say how the loss counts its rows, and how low it can get."""
    scale = found.scale
    counted = scale[scale != 0]
    report: dict[str, Any] = {"ignored": tuple(sorted({*classes[scale == 0].tolist()}))}
    if not len(counted):
        return report
    report |= _weigh(way, classes, counted)
    if counted.min() > 0 and (found.target.nan_to_num() > -NEAR).all():
        per_row = 1 if report["reduction"].startswith("mean") else len(counted)
        target = found.target.nan_to_num()  # an ignored row has no target; any will do
        floor = _least(way, classes, target) / per_row
        near = NEAR * max(1, scale.sum().item() / per_row)
        entropies = scale * torch.special.entr(target.clamp(min=0)).sum(1)
        entropy = entropies.sum().item() / per_row
        report["floor"], report["offset"] = (
            0.0 if abs(value) < near else value for value in (floor, entropy - floor)
        )
    return report


def _weigh(way: Way, classes: Tensor, counted: Tensor) -> dict[str, Any]:
    """Compare what a row counts with what the reduction promises."""
    rows, num_classes = len(classes), way.num_classes
    low, high = (value.item() for value in counted.aminmax())
    promises = [("none" if _returns_rows(way, classes) else "sum", 1.0)]
    if _is_mean(way, classes):
        cells = len(counted) * num_classes, rows * num_classes
        promises = [
            ("mean", 1 / len(counted)),
            ("mean over rows and classes", 1 / cells[0]),
            ("mean over all rows, also the ignored ones", 1 / rows),
            ("mean over all rows and classes, also the ignored ones", 1 / cells[1]),
        ]
    name = promises[0][0]
    if not _near(counted, low):
        words = f"in which a row counts {low:.4g} to {high:.4g}"
        return {"reduction": f"{name}, {words}"}
    if low < 0:
        return {"reduction": name, "row": low}
    for unit, size in UNITS.items():
        for name, promise in promises:
            if _is(low, size * promise, way.num_classes):
                return {"reduction": name, "unit": unit, "target_sum": 1.0, "row": low}
    # A mean over rows, or over classes too: what makes the sum nearer to one.
    name, promise = min(promises[:2], key=lambda pair: abs(math.log(low / pair[1])))
    report: dict[str, Any] = {"reduction": name, "row": low}
    if 1 / 3 < low / promise < 3:  # else the loss is divided by something else
        report["target_sum"] = low / promise
    return report


def _returns_rows(way: Way, classes: Tensor) -> bool:
    zeros = torch.zeros(len(classes), way.num_classes, dtype=way.dtype)
    return way(zeros, classes).numel() > 1


def _is_mean(way: Way, classes: Tensor) -> bool:
    """Say whether the loss of every row twice is that of every row once."""
    rng = torch.Generator().manual_seed(2)
    logits = torch.randn(len(classes), way.num_classes, generator=rng, dtype=way.dtype)
    once = way(logits, classes)
    with contextlib.suppress(Exception):  # so many rows are refused
        twice = way(torch.cat((logits, logits)), torch.cat((classes, classes)))
        return once.numel() == twice.numel() == 1 and _near(twice, once.item())
    return once.numel() == 1


def _least(way: Way, classes: Tensor, target: Tensor) -> float:
    """Return the least sum of the losses: at the target, or where descent gets lower."""
    best = target.clamp(min=1e-30).log()
    least = way(best.to(way.dtype), classes).detach().double().sum().item()
    leaf = torch.zeros_like(best, requires_grad=True)
    steps = 40 if leaf.numel() < 2**16 else 8
    descent = torch.optim.LBFGS([leaf], max_iter=steps, line_search_fn="strong_wolfe")
    unit = max(abs(least), 1e-6)

    def closure() -> Tensor:
        descent.zero_grad()
        loss: Tensor = way(leaf.to(way.dtype), classes).double().sum() / unit
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with contextlib.suppress(Exception), torch.enable_grad():
        descent.step(closure)  # type: ignore[no-untyped-call]
    reached = way(leaf.detach().to(way.dtype), classes).detach().double().sum().item()
    return reached if reached < least - NEAR * unit else least


def describe_target(
    classes: Tensor, found: Recovered, arguments: dict[str, Any]
) -> dict[str, Any]:
    """Say what the target is, and which smoothing makes it."""
    q, y = found.target[found.scale != 0], classes[found.scale != 0]
    num_classes = q.shape[1]
    if not len(y):
        return {}
    other = ~F.one_hot(y, num_classes).bool()
    true = q[~other]
    if ((true - 1).abs() < 1e-6).all():
        return {"true": 1.0, "other": 0.0, "torch_smoothing": 0.0}
    share = q.where(other, 0).amax(0)
    column = other.any(0) & (share < NEAR * share.max())
    padding = tuple(column.nonzero().flatten().tolist())
    report: dict[str, Any] = {"padding": ()}
    each = q[other & ~column]
    if not all(_near(share, share.mean().item(), 2e-7) for share in (true, each)):
        return report
    report |= {"true": true.mean().item(), "other": each.mean().item()}
    report["padding"] = padding
    epsilon = 1 - report["true"]
    with contextlib.suppress(ValueError):  # it has no equivalent
        left = num_classes - len(padding)
        report["torch_smoothing"] = convert_smoothing(epsilon, left, "others", "uniform")
    names = {0: PLAIN + BINARY, 1: (PADDED,)}
    source = PADDED if padding else "others"
    needed = {}
    for name in names.get(len(padding), ()):
        with contextlib.suppress(ValueError):
            needed[name] = convert_smoothing(epsilon, num_classes, source, name)
    report["needed"] = needed
    matches = [
        (abs(value / needed[convention] - 1), argument, convention)
        for argument, value in numbers(arguments).items()
        for convention in needed
        if 0 < value < 1
    ]
    error, argument, convention = min(matches, default=(1, "", ""), key=lambda m: m[0])
    # With many classes, float32 cannot tell two conventions apart.
    rival = min(
        (e for e, _, c in matches if abs(needed[c] / needed[convention] - 1) >= 1e-9),
        default=1.0,
    )
    given = {a for e, a, _ in matches if e < NEAR}
    if error < min(NEAR, rival / 10) and len(given) == 1:
        report |= {"argument": argument, "convention": convention}
    return report


def odd_targets(
    way: Way,
    classes: Tensor,
    found: Recovered,
    report: dict[str, Any],
    arguments: dict[str, Any],
) -> Iterator[str]:
    """Look at the targets that were found, and at how much each row counts."""
    if (found.scale < 0).any():
        yield "some rows count negative: the loss moves away from its target"
    elif "row" in report and "target_sum" not in report:
        words = "which is not what its reduction promises"
        yield f"a row counts {report['row']:.4g}, {words}: {report['reduction']}"
    q, y = found.target[found.scale != 0], classes[found.scale != 0]
    total = report.get("target_sum", 1.0)
    if total != 1:
        words = f"the target sums to {total:.4g}, not to one"
        cause = _cause(way, report, numbers(arguments))
        yield f"{words}: {cause}" if cause else words
    floor, offset = report.get("floor", 0), report.get("offset", 0)
    if floor and offset and total == 1:
        yield f"the least loss is {floor:.4g}: a part of it trains nothing"
    if report.get("reduction", "").startswith("mean over all"):
        yield "the mean divides by ignored rows too"
    if (q < -NEAR).any():
        yield f"the target has a negative probability, {q.min():.4g}"
    true = q.gather(1, y[:, None])
    lead = (true - q.scatter(1, y[:, None], -torch.inf)).amin(1)
    for rows, words in (
        (lead < -NEAR, "train towards another class"),
        (lead.abs() <= NEAR, "train as much towards another class"),
    ):
        if rows.any():
            yield f"rows of class {listed(sorted({*y[rows].tolist()}))} {words}"
    if not len(y):
        yield "no row counts: the gradient is zero"
    if len(y) and "true" not in report:
        yield "the target differs between classes, as with weights or a prior"


def odd_numbers(report: dict[str, Any], arguments: dict[str, Any]) -> Iterator[str]:
    """Look for a smoothing that is out of range, or does nothing."""
    for name, value in numbers(arguments).items():
        if SMOOTHS.search(name) and not 0 <= value <= 1:
            silent = report.get("true") == 1
            done = "is taken for no smoothing" if silent else "is accepted"
            yield f"{name}={value:.4g} {done}"
        elif not SMOOTHS.search(name) or value < TINY or "argument" in report:
            continue
        elif report.get("true") == 1:
            yield f"{name}={value:.4g} smooths nothing"
        elif report.get("target_sum") == 1:
            needed = report.get("needed", {})
            if needed and not any(abs(value / n - 1) < 0.01 for n in needed.values()):
                convention, other = next(iter(needed.items()))
                words = f"in {convention!r} it would be {other:.4g}"
                yield f"{name}={value:.4g} is what no convention needs: {words}"


def _cause(way: Way, report: dict[str, Any], given: dict[str, float]) -> str:
    """Say which slip makes this sum, where the numbers tell it."""
    if "true" not in report:
        return ""
    total = report["target_sum"]
    true, other = total * report["true"], total * report["other"]
    left = way.num_classes - len(report.get("padding", ()))
    for name, epsilon in given.items():
        by = epsilon / other if other else math.inf  # what the smoothing is divided by
        if _is(true, 1 - epsilon):  # the true class gets no share
            if not _is(by, round(by) if by < 1e9 else 0):
                continue
            if round(by) <= left:
                return f"{name}/{by:.0f} where {name}/{left - 1} makes it one"
            if _sums_to_one(way, round(by) + 1):
                return f"class count {by + 1:.0f}, given {left}"
        if _is(true, 1 - epsilon + other):
            if _is(other, 1 / left):
                slip = f"1/{left}, or {name}/1," if _is(by, 1) else f"1/{left}"
                return f"{slip} where {name}/{left} makes it one"
            if _is(by, round(by) if by < 1e9 else 0):
                if round(by) < left:
                    return f"{name}/{by:.0f} where {name}/{left} makes it one"
                if _sums_to_one(way, round(by)):
                    return f"class count {by:.0f}, given {left}"
        if _is(other, epsilon / left) and _is(true, 1):
            return f"the true class keeps 1, and each other gets {name}/{left}"
        if _is(other, epsilon / left) and _is(true, 1 + other):
            return f"{name}/{left} is added to each class, and nothing taken away"
    if "argument" in report:
        return f"or the loss is multiplied by {total:.4g}"
    return f"{true:.4g} for the true class, {other:.4g} for each other"


def _sums_to_one(way: Way, num_classes: int) -> bool:
    """Say whether the target is sound with that many classes."""
    way = way._replace(num_classes=num_classes)
    classes = torch.arange(min(num_classes, ROWS))
    with contextlib.suppress(Exception):  # so many are refused
        return _weigh(way, classes, way.recover(classes).scale).get("target_sum") == 1
    return False


def numbers(arguments: dict[str, Any]) -> dict[str, float]:
    """Return the arguments that could be a smoothing."""
    return {
        name: float(value)
        for name, value in arguments.items()
        if isinstance(value, Real) and not isinstance(value, Integral)
    }


def _is(value: float, expected: float, num_classes: int = 1) -> bool:
    return abs(value - expected) <= EXACT * max(1, num_classes / 2000) * abs(expected)


def _near(values: Tensor, expected: float, slack: float = 0) -> bool:
    return bool(((values - expected).abs() < NEAR * abs(expected) + slack).all())


def listed(classes: Iterable[int]) -> str:
    """Return classes in words."""
    return ", ".join(map(str, classes))
