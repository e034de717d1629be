"""cross_entropy: how precise it is, in every dtype, and next to PyTorch's own."""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from label_smoothing import cross_entropy, fast

from .fast_calls import (
    EXACT,
    GRAD_TOLERANCE,
    LOSS_TOLERANCE,
    loss_and_grad,
    random_outer,
    random_probs,
    reductions,
    torch_loss_and_grad,
)
from .inputs import Call, random_call

every_dtype = pytest.mark.parametrize("dtype", [torch.float64, *LOSS_TOLERANCE])
smoothings = pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])

# --- every dtype with every option


SIZES = {
    # The shape of the target, the number of classes, and the size of the chunks.
    "long way": ((3, 2), 7, "long_way"),
    "left to torch": ((3, 2), 7, "as_shipped"),
    "one pass": ((64,), 600, "as_shipped"),
}


@pytest.mark.parametrize("autocast", [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("shape", "num_classes", "size"), SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("probs", [False, True])
@smoothings
@reductions
@every_dtype
def test_every_dtype_is_float64_of_the_same_numbers(
    dtype: torch.dtype,
    reduction: str,
    smoothing: float,
    probs: bool,
    weighted: bool,
    shape: tuple[int, ...],
    num_classes: int,
    size: str,
    autocast: torch.dtype | None,
    request: pytest.FixtureRequest,
) -> None:
    request.getfixturevalue(size)
    options = {"reduction": reduction, "label_smoothing": smoothing}
    if weighted:  # quarters are exact in every dtype
        options["weight"] = (torch.arange(num_classes) % 7 / 4).to(dtype)
    logits, target, _ = random_call(shape, num_classes)
    logits = logits.to(dtype)
    call = Call(logits, random_probs(logits) if probs else target, options)
    outer = random_outer(shape if reduction == "none" else ())
    if reduction == "mean":
        outer *= target.numel()  # so that no gradient is small
    expected, expected_grad = torch_loss_and_grad(call, outer)

    def run(loss: Callable[..., Tensor], *args: Any, **options: Any) -> Tensor:
        with torch.autocast("cpu", autocast, enabled=autocast is not None):
            return loss(*args, **options)

    theirs = run(F.cross_entropy, logits, call.target, **options)
    loss, grad = loss_and_grad(functools.partial(run, cross_entropy), call, outer)
    assert loss.dtype == theirs.dtype
    assert grad.dtype == dtype
    tolerance = LOSS_TOLERANCE.get(loss.dtype, EXACT)
    assert_close(loss.double(), expected, **tolerance)
    tolerance = GRAD_TOLERANCE.get(dtype, EXACT)
    assert_close(grad.double(), expected_grad, **tolerance)


@reductions
@pytest.mark.parametrize("weight", [None, 1.0, 0.0])
@every_dtype
@pytest.mark.usefixtures("long_way")
def test_nothing_to_average_is_as_in_torch_in_every_dtype(
    dtype: torch.dtype, weight: float | None, reduction: str
) -> None:
    logits, target, options = random_call((3, 2), 7, reduction=reduction)
    if weight is not None:
        options["weight"] = torch.full((7,), weight, dtype=dtype)
    if weight != 0:  # else only the last is ignored
        target.fill_(-100)
    call = Call(logits.to(dtype), target, options)
    for ours, torchs in zip(
        loss_and_grad(cross_entropy, call), torch_loss_and_grad(call), strict=True
    ):
        assert_close(ours.double(), torchs, rtol=0, atol=0, equal_nan=True)


# --- next to PyTorch's own


EPS = torch.finfo(torch.float32).eps
TINY = torch.finfo(torch.float32).tiny / EPS  # below this, numbers are less dense
# What one rounding more may cost. The loss may besides be a difference of terms that are
# four times as large as it is.
LOSS_FLOOR, GRAD_FLOOR = 4 * EPS, 2 * EPS
OFFSETS = (0, 10, -10, 100, -100, 1e3, -1e3, 1e4, -1e4)
SCALES = (1, 10, 100, 1e3)

CLASSES = {1: 20, 2: 50, 10: 50, 31: 50, 32: 50, 100: 50, 1000: 20, 10**5: 2, 10**6: 1}
CASES = [
    *((num_classes, (rows,), False) for num_classes, rows in CLASSES.items()),
    *((num_classes, (2, 5), False) for num_classes in (1, 2, 32, 1000)),
    *((num_classes, (20,), True) for num_classes in (2, 31, 1000)),
]


class Error(NamedTuple):
    """The greatest relative errors of the losses, and of their gradients."""

    loss: float
    grad: float


def errors(call: Call) -> list[Error]:
    """Compare our loss and PyTorch's with float64.

    What is relative is so to the terms that are added, for these may cancel: a loss to
    one at least, since -log p of a p near one has as many digits as 1 - p, and a gradient
    c p - a to c p + a.
    """
    logits, target, options = call
    expected, expected_grad = torch_loss_and_grad(call)
    if not target.is_floating_point():
        rows = torch.zeros(logits.shape, dtype=torch.float64)
        target = rows.scatter_(1, target.unsqueeze(1), 1)
    smoothing = options["label_smoothing"]
    a = (1 - smoothing) * target.double() + smoothing / logits.shape[1]
    if "weight" in options:
        a *= options["weight"].double().reshape(-1, *[1] * (logits.dim() - 2))
    terms = a.sum(1, keepdim=True) * logits.double().softmax(1) + a
    found = []
    for loss in (cross_entropy, F.cross_entropy):
        result, grad = loss_and_grad(loss, call)
        with torch.no_grad():
            alone = loss(logits, call.target, **options)
        of_loss = torch.stack([result, alone]).double().sub(expected).abs()
        of_grad = grad.double().sub(expected_grad).abs()
        of_loss /= expected.abs().clamp(min=1)
        of_grad /= terms.clamp(min=TINY)
        found.append(Error(of_loss.max().item(), of_grad.max().item()))
    return found


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("num_classes", "shape", "probs"), CASES)
def test_loss_is_as_precise_as_the_one_of_torch(
    num_classes: int,
    shape: tuple[int, ...],
    probs: bool,
    weighted: bool,
    smoothing: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fast, "SMALL", 0)
    rng = torch.Generator().manual_seed(0)
    options = {"reduction": "none", "label_smoothing": smoothing}
    if weighted:
        options["weight"] = torch.rand(num_classes, generator=rng) + 0.5
    # Of many classes not every offset meets every scale.
    step = {10**5: 5, 10**6: 11}.get(num_classes, 1)
    for offset, scale in list(itertools.product(OFFSETS, SCALES))[::step]:
        size = (*shape[:1], num_classes, *shape[1:])
        logits = torch.randn(size, generator=rng) * scale + offset
        if probs:
            target = random_probs(logits)
        else:
            target = torch.randint(num_classes, shape, generator=rng)
        call = Call(logits, target, options)
        ours, theirs = errors(call)
        where = f"logits of {scale} * randn + {offset}: {ours}, in torch {theirs}"
        assert ours.loss <= 4 * theirs.loss + LOSS_FLOOR, where
        assert ours.grad <= 4 * theirs.grad + GRAD_FLOOR, where
