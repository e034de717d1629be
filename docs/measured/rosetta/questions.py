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

from label_smoothing import convert_smoothing, recover_target, smooth
from label_smoothing.auditing.conventions import PADDED
from label_smoothing.auditing.probes import Way, describe_rows
from measured.rosetta.losses import SMOOTHING, TRUE, Library, convention_of
from measured.rows import Row

Loss = Callable[[Tensor, Tensor], Any]
Make = Callable[..., Loss]  # of the ε to write, and of what else the loss takes
CLASSES = (5, 10)
TARGET = torch.tensor([TRUE, 1])  # class 0 is the one that some libraries pad with
SIX = torch.tensor([2, 1, 3, 4, 2, 1])  # two sequences of three steps


def measure(library: Library, make: Make) -> Row:
    """Return what is recorded of a loss, after it has trained as PyTorch's does."""
    sizes = (2,) if library.two_classes else CLASSES
    y, loss = TARGET % sizes[0], partial(make, SMOOTHING)
    found = {K: recover_target(loss(), K, y).target[0].tolist() for K in sizes}
    names = {convention_of(q) for q in found.values()}
    if len(names) > 1 or None in names:
        raise RuntimeError(f"no one convention: {names} for {found}")
    for size in sizes:
        try_to_write(make, size, str(*names), y)
    row = {
        "targets": {str(K): [round(value, 6) for value in q] for K, q in found.items()},
        "form": form(loss(), sizes[0]) if library.gives == "loss" else "labels",
    }
    if library.two_classes or library.gives == "labels":
        return row

    asked = library.takes == "classes" and library.checks_bounds
    returns = {how: partial(loss, reduction=how) for how in ("mean", "sum", "none")}
    return row | {
        "weights": of_weights(make),
        "ignore_index": ask(ignored, loss) if asked else "not asked",
        "dimension": {"1": ask(dimension, loss, 1), "last": ask(dimension, loss, -1)},
        "half": ask(half, loss),
        "reduction": {
            how: ask(reduction, of) for how, of in {"default": loss, **returns}.items()
        },
    }


def ask(question: Callable[..., str], make: Callable[[], Any], *options: Any) -> str:
    """Make a loss and return the answer to a question, or the error in its place."""
    try:
        return question(make(), *options)
    except Exception as error:
        # What recovers a target says which loss failed: the cause says why.
        cause = error.__cause__ if str(error).startswith("loss failed") else error
        if isinstance(cause, TypeError) and "unexpected keyword argument" in str(cause):
            return "no argument"
        return f"raises {type(cause).__name__}"


def same(one: Tensor, other: Tensor) -> bool:
    """Say if two targets are equal, as far as a gradient tells."""
    return torch.allclose(one.double(), other.double(), rtol=0, atol=1e-5)


def first_of(names: dict[str, Tensor], found: Tensor, otherwise: str) -> str:
    """Name what was found."""
    return next((name for name, known in names.items() if same(found, known)), otherwise)


def try_to_write(make: Make, num_classes: int, convention: str, y: Tensor) -> None:
    """Write the ε that is to give PyTorch's target, and see if it does."""
    value = convert_smoothing(SMOOTHING, num_classes, "uniform", convention)
    found = recover_target(make(value), num_classes, y).target
    padding = int(convention == PADDED)  # torch then has the classes without it
    if not same(
        found[:, padding:], smooth(y - padding, num_classes - padding, SMOOTHING)
    ):
        raise RuntimeError(f"with {value} the target is {found}")


def form(loss: Loss, num_classes: int) -> str:
    """Tell a cross entropy from a divergence: they differ by the entropy of q'."""
    way = Way(loss, num_classes, False, False, torch.float64)
    y = TARGET[:1] % num_classes
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
    plain = recover_target(make(SMOOTHING), 5, TARGET)
    found = recover_target(make(SMOOTHING, weight=w), 5, TARGET)
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
    return first_of(shares, counted / counted.sum(), "other")


def ignored(loss: Loss) -> str:
    """Say what becomes of a row whose target is -100."""
    y = torch.tensor([TARGET[0], -100, TARGET[1]])
    found, without = recover_target(loss, 5, y), recover_target(loss, 5, TARGET)
    if found.scale[1] == 0:
        if not found.fixed.all():
            return "ignored, and breaks the other rows"
        alike = same(found.scale[[0, 2]], without.scale)
        return "ignored" if alike else "ignored, yet counted in the mean"
    pairs = {f"taken for class {k}": torch.tensor([k, TARGET[1]]) for k in range(5)}
    names = {name: recover_target(loss, 5, y).target[0] for name, y in pairs.items()}
    uniform = {"trained towards u": torch.full((5,), 0.2)}
    return first_of(names | uniform, found.target[1], "trained")


def in_steps(loss: Loss, dim: int) -> Loss:
    """Call a loss with two sequences of three steps, classes at that dimension."""

    def call(z: Tensor, y: Tensor) -> Any:
        z = z.reshape(2, 3, -1)
        return loss(z.mT if dim == 1 else z, y.reshape(2, 3)).reshape(-1)

    return call


def dimension(loss: Loss, dim: int) -> str:
    """Say if the loss finds the classes at a dimension of (2, 5, 3) or (2, 3, 5)."""
    found = recover_target(in_steps(loss, dim), 5, SIX)
    right = same(found.target, recover_target(loss, 5, SIX).target)
    return "right" if right else "wrong"


def half(loss: Loss) -> str:
    """Say if ten rows of a thousand classes are too much for float16."""
    value = loss(torch.zeros(10, 1000, dtype=torch.float16), torch.ones(10).long())
    worst = float(value.sum())
    return "finite" if math.isfinite(worst) else str(worst)


def reduction(loss: Loss) -> str:
    """Say what is returned: of two sequences of three steps, or else of six rows."""
    finds = [dim for dim in (1, -1) if ask(dimension, lambda: loss, dim) == "right"]
    loss = in_steps(loss, finds[0]) if finds else loss
    count = loss(torch.zeros(6, 5, dtype=torch.float64), SIX).numel()
    shares = [("none", 6, 1), ("sum", 1, 1), ("mean", 1, 1 / 6), ("sum / N", 1, 1 / 2)]
    names = {name: torch.tensor(share) for name, n, share in shares if n == count}
    return first_of(names, recover_target(loss, 5, SIX).scale, "other")
