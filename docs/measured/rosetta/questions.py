"""What is asked of a loss, once it is called as PyTorch's is: all is read off its values
and its gradients, whatever its code says.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from label_smoothing import recover_target, smooth
from label_smoothing.auditing.conventions import PADDED
from measured.rosetta.losses import (
    SMOOTHING,
    TRUE,
    Library,
    convention_of,
    rounded,
    to_write,
)
from measured.rows import Row

Loss = Callable[[Tensor, Tensor], Any]
Make = Callable[..., Loss]  # of the ε to write, and of what else the loss takes
CLASSES = (5, 10)
TARGET = torch.tensor([TRUE, 1])  # class 0 is the one that some libraries pad with
SIX = torch.tensor([2, 1, 3, 4, 2, 1])  # two sequences of three steps


class RowError(Exception):
    """What was measured does not hold together."""


def measure(library: Library, make: Make) -> Row:
    """Return what is recorded of a loss, after it has trained as PyTorch's does."""
    sizes = (2,) if library.two_classes else CLASSES
    target, loss = TARGET % sizes[0], partial(make, SMOOTHING)
    found = {K: recover_target(loss(), K, target).target[0].tolist() for K in sizes}
    names = {convention_of(q, int(target[0])) for q in found.values()}
    if len(names) != 1:
        raise RowError(f"no one convention: {names}")
    (convention,) = names
    for size in sizes:
        try_to_write(make, size, convention, target)
    row = {
        "targets": {str(K): rounded(q) for K, q in found.items()},
        "form": form(loss(), sizes[0]) if library.gives == "loss" else "labels",
    }
    if library.two_classes or library.gives == "labels":
        return row

    def answer(question: Callable[..., str], *of: int, **options: str) -> str:
        return ask(lambda: question(loss(**options), *of))

    asked = library.takes == "classes" and library.checks_bounds
    return row | {
        "weights": of_weights(make),
        "ignore_index": answer(ignored) if asked else "not asked",
        "dimension": {"1": answer(dimension, 1), "last": answer(dimension, -1)},
        "half": answer(half),
        "reduction": {"default": answer(reduction)}
        | {how: answer(reduction, reduction=how) for how in ("mean", "sum", "none")},
    }


def ask(question: Callable[[], str]) -> str:
    """Return the answer, or the error in its place."""
    try:
        return question()
    except Exception as error:
        # What recovers a target says which loss failed: the cause says why.
        cause = error.__cause__ if str(error).startswith("loss failed") else error
        if isinstance(cause, TypeError) and "unexpected keyword argument" in str(cause):
            return "no argument"
        return f"raises {type(cause).__name__}"


def same(one: Tensor, other: Tensor) -> bool:
    """Say if two targets are equal, as far as a gradient tells."""
    return torch.allclose(one.double(), other.double(), rtol=0, atol=1e-5)


def try_to_write(make: Make, num_classes: int, convention: str, target: Tensor) -> None:
    """Write the ε that is to give PyTorch's target, and see if it does."""
    value = to_write(num_classes, convention)
    found = recover_target(make(value), num_classes, target).target
    padding = int(convention == PADDED)  # torch then has the classes without it
    expected = smooth(target - padding, num_classes - padding, SMOOTHING)
    if not same(found[:, padding:], expected):
        raise RowError(f"with {value} the target is {found}")


def form(loss: Loss, num_classes: int) -> str:
    """Tell a cross entropy from a divergence: they differ by the entropy of q'."""
    y = TARGET[:1] % num_classes
    found = recover_target(loss, num_classes, y)
    q, logits = found.target[0], torch.linspace(-1, 1, num_classes).double()[None]
    value = loss(logits.clone(), y).sum() / found.scale[0]
    cross = -(q * logits[0].log_softmax(0)).sum()
    for name, expected in (("CE", cross), ("KL", cross + torch.xlogy(q, q).sum())):
        if math.isclose(value, expected, abs_tol=1e-4):
            return name
    return "other"


def of_weights(make: Make) -> str:
    """Ask of the sum, if there is one: a mean may divide by weights, once or twice."""
    summed = ask(lambda: weights(partial(make, reduction="sum")))
    known = ("bend", "scale", "weigh", "do nothing")
    return summed if summed.startswith(known) else ask(lambda: weights(make))


def weights(make: Make) -> str:
    """Say what class weights do: to the target, to the scale of a row, or to neither."""
    w = torch.arange(1.0, 6.0, dtype=torch.float64)
    plain = recover_target(make(SMOOTHING), 5, TARGET)
    found = recover_target(make(SMOOTHING, weight=w), 5, TARGET)
    q, scales = plain.target, found.scale / plain.scale
    true = q + (w[TARGET, None] - 1) * (1 - SMOOTHING) * torch.eye(5)[TARGET]
    targets = {"bend the target": w * q, "weigh the true class alone": true}
    for name, expected in targets.items():
        if same(found.target, expected / expected.sum(1, keepdim=True)):
            return name
    if same(found.target, q):
        for name, expected in (
            ("scale the row", w[TARGET]),
            ("scale the row by their mean under q'", (w * q).sum(1)),
            ("do nothing", torch.ones(2)),
        ):
            if same(scales / scales[0], expected / expected[0]):
                return name
    return "other"


def ignored(loss: Loss) -> str:
    """Say what becomes of a row whose target is -100."""
    y = torch.tensor([TARGET[0], -100, TARGET[1]])
    found, without = recover_target(loss, 5, y), recover_target(loss, 5, TARGET)
    if found.scale[1] == 0 and not found.fixed.all():
        return "ignored, and breaks the other rows"
    if found.scale[1] == 0:
        alike = same(found.scale[[0, 2]], without.scale)
        return "ignored" if alike else "ignored, yet counted in the mean"
    for k in range(5):
        q = recover_target(loss, 5, torch.tensor([k, TARGET[1]])).target
        if same(found.target[1], q[0]):
            return f"taken for class {k}"
    uniform = same(found.target[1], torch.full((5,), 0.2))
    return "trained towards u" if uniform else "trained"


def in_steps(loss: Loss, dim: int) -> Loss:
    """Call a loss with two sequences of three steps, classes at that dimension."""

    def call(z: Tensor, y: Tensor) -> Tensor:
        z = z.reshape(2, 3, -1)
        value: Tensor = loss(z.mT if dim == 1 else z, y.reshape(2, 3))
        return value.reshape(-1)

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
    for dim in (1, -1):
        if ask(partial(dimension, loss, dim)) == "right":
            loss = in_steps(loss, dim)
            break
    count = loss(torch.zeros(6, 5, dtype=torch.float64), SIX).numel()
    scale = recover_target(loss, 5, SIX).scale
    if not same(scale, scale[0].expand(6)):
        return "other"
    names = {(6, 6): "none", (1, 6): "sum", (1, 1): "mean", (1, 3): "sum / N"}
    share = 6 * float(scale[0])
    whole = round(share)
    return names.get((count, whole), "other") if abs(share - whole) < 0.1 else "other"
