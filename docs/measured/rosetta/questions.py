"""What is asked of a loss, once it is called as PyTorch's is: all is read off its values
and its gradients, whatever its code says.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from label_smoothing import convert_smoothing, smooth
from label_smoothing.auditing.conventions import PADDED
from label_smoothing.auditing.readings import describe_rows
from label_smoothing.auditing.ways import Way
from measured.rosetta.losses import SMOOTHING, TRUE, Library, convention_of
from measured.rows import Row

Make = Callable[..., Way]  # of the number of classes, the ε to write, and other options
CLASSES = (5, 10)
TARGET = torch.tensor([TRUE, 1])  # class 0 is the one that some libraries pad with
SIX = torch.tensor([2, 1, 3, 4, 2, 1])  # two sequences of three steps


def measure(library: Library, make: Make) -> Row:
    """Return what is recorded of a loss, after it has trained as PyTorch's does."""
    sizes = (2,) if library.table == "two" else CLASSES
    y = TARGET % sizes[0]
    found = {K: make(K, SMOOTHING).recover(y).target[0].tolist() for K in sizes}
    names = {convention_of(q) for q in found.values()}
    if len(names) > 1 or None in names:
        raise RuntimeError(f"no one convention: {names} for {found}")
    for size in sizes:
        try_to_write(make, size, str(*names), y)
    targets = {str(K): [round(value, 6) for value in q] for K, q in found.items()}
    row = {"targets": targets, "form": library.form or form(make(sizes[0], SMOOTHING))}
    if library.table == "two" or library.form:
        return row
    loss = partial(make, 5, SMOOTHING)
    returns = {how: partial(loss, reduction=how) for how in ("mean", "sum", "none")}
    return row | {
        "weights": of_weights(make),
        "ignore_index": ask(ignored, loss) if library.has_index else "not asked",
        "dimension": {"1": ask(dimension, loss, 1), "last": ask(dimension, loss, -1)},
        "half": ask(half, loss),
        "reduction": {
            how: ask(reduction, of) for how, of in {"default": loss, **returns}.items()
        },
    }


def ask(question: Callable[..., str], make: Callable[[], Any], *options: int) -> str:
    """Make a loss and return the answer to a question, or the error in its place."""
    try:
        return question(make(), *options)
    except Exception as error:
        # What recovers a target says which loss failed: the cause says why.
        cause = error.__cause__ if str(error).startswith("loss failed") else error
        if isinstance(cause, TypeError) and "unexpected keyword argument" in str(cause):
            return "no argument"
        if type(cause).__name__ == "InterpreterError":  # Triton's, on a CPU
            return "not run: no GPU"
        return f"raises {type(cause).__name__}"


def same(one: Tensor, other: Tensor) -> bool:
    """Say if two targets are equal, as far as a gradient tells."""
    return torch.allclose(one.double(), other.double(), rtol=0, atol=1e-5)


def first_of(names: dict[str, Tensor], found: Tensor, otherwise: str = "other") -> str:
    """Name what was found."""
    return next((name for name, known in names.items() if same(found, known)), otherwise)


def try_to_write(make: Make, num_classes: int, convention: str, y: Tensor) -> None:
    """Write the ε that is to give PyTorch's target, and see if it does."""
    value = convert_smoothing(SMOOTHING, num_classes, "uniform", convention)
    found = make(num_classes, value).recover(y).target
    padding = int(convention == PADDED)  # torch then has the classes without it
    expected = smooth(y - padding, num_classes - padding, SMOOTHING)
    if not same(found[:, padding:], expected):
        raise RuntimeError(f"with {value} the target is {found}")


def form(way: Way) -> str:
    """Tell a cross entropy from a divergence: they differ by the entropy of q'."""
    y = TARGET[:1] % way.num_classes
    report = describe_rows(way, y, way.recover(y))
    return "CE" if not report["offset"] else "other" if report["floor"] else "KL"


def of_weights(make: Make) -> str:
    """Ask of the sum, if there is one: a mean may divide by weights, once or twice."""
    summed = ask(weights, lambda: partial(make, reduction="sum"))
    failed = summed == "other" or summed.startswith(("no argument", "raises"))
    return ask(weights, lambda: make) if failed else summed


def weights(make: Make) -> str:
    """Say what class weights do: to the target, to the scale of a row, or to neither."""
    w = torch.arange(1.0, 6.0, dtype=torch.float64)
    plain = make(5, SMOOTHING).recover(TARGET)
    found = make(5, SMOOTHING, weight=w).recover(TARGET)
    q, of_true = plain.target, w[TARGET, None]
    names = {
        "bend the target": w * q,
        "weigh the true class alone": q
        + (of_true - 1) * (1 - SMOOTHING) * F.one_hot(TARGET, 5),
        "scale the row": of_true * q,
        "scale the row by their mean under q'": (w * q).sum(1, keepdim=True) * q,
        "do nothing": q,
    }
    counted = found.target * (found.scale / plain.scale)[:, None]
    shares = {name: target / target.sum() for name, target in names.items()}
    return first_of(shares, counted / counted.sum())


def ignored(way: Way) -> str:
    """Say what becomes of a row whose target is -100."""
    found = way.recover(torch.tensor([TARGET[0], -100, TARGET[1]]))
    if found.scale[1] == 0:
        if not found.fixed.all():
            return "ignored, and breaks the other rows"
        alike = same(found.scale[[0, 2]], way.recover(TARGET).scale)
        return "ignored" if alike else "ignored, yet counted in the mean"
    names = {"trained towards u": torch.full((5,), 0.2)}
    for k in range(5):
        q = way.recover(torch.tensor([k, TARGET[1]])).target[0]
        names[f"taken for class {k}"] = q
    return first_of(names, found.target[1], "trained")


def in_steps(way: Way, dim: int) -> Way:
    """Give a loss two sequences of three steps, with the classes at that dimension."""

    def stepped(rows: Tensor) -> Tensor:
        steps = rows.reshape(2, 3, *rows.shape[1:])
        return steps.movedim(-1, dim) if rows.dim() > 1 else steps

    return way._replace(loss=lambda z, y: way.loss(stepped(z), stepped(y)).reshape(-1))


def dimension(way: Way, dim: int) -> str:
    """Say if the loss finds the classes at a dimension of (2, 5, 3) or (2, 3, 5)."""
    found = in_steps(way, dim).recover(SIX)
    return "right" if same(found.target, way.recover(SIX).target) else "wrong"


def half(way: Way) -> str:
    """Say if ten rows of a thousand classes are too much for float16."""
    zeros = torch.zeros(10, 1000, dtype=torch.float16)
    each = way._replace(num_classes=1000)(zeros, torch.ones(10).long())
    total = float(each.sum())
    return "finite" if math.isfinite(total) else str(total)


def reduction(way: Way) -> str:
    """Say what is returned: of two sequences of three steps, or else of six rows."""
    finds = [dim for dim in (1, -1) if ask(dimension, lambda: way, dim) == "right"]
    way = in_steps(way, finds[0]) if finds else way
    count = way(torch.zeros(6, 5, dtype=torch.float64), SIX).numel()
    shares = [("none", 6, 1), ("sum", 1, 1), ("mean", 1, 1 / 6), ("sum / N", 1, 1 / 2)]
    names = {name: torch.tensor(share) for name, n, share in shares if n == count}
    return first_of(names, way.recover(SIX).scale)
