"""cross_entropy: in every dtype, and on logits that lose digits."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from label_smoothing import cross_entropy

from .fast_calls import (
    GRAD_TOLERANCE,
    LOSS_TOLERANCE,
    dtypes,
    loss_and_grad,
    random_outer,
    random_probs,
    reductions,
    smoothings,
    torch_loss_and_grad,
)
from .inputs import Call, random_call

pytestmark = pytest.mark.usefixtures("long_way")


@reductions
@smoothings
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("probs", [False, True])
@pytest.mark.parametrize("shape", [(40,), (3, 5, 2)])
@dtypes
def test_every_dtype_is_float64_of_the_same_logits_rounded(
    dtype: torch.dtype,
    shape: tuple[int, ...],
    probs: bool,
    weighted: bool,
    smoothing: float,
    reduction: str,
) -> None:
    call = random_call(shape, 7, reduction=reduction, label_smoothing=smoothing)
    if weighted:
        call.options["weight"] = torch.tensor([0.5, 0, 2, 1, 1.5, 3, 0.25])
    outer = random_outer(shape if reduction == "none" else ())
    logits = call.logits.to(dtype)
    target = random_probs(logits) if probs else call.target
    call = Call(logits, target, call.options)
    loss, grad = loss_and_grad(cross_entropy, call, outer)
    expected, expected_grad = torch_loss_and_grad(call, outer)
    # torch.float32 that the weights are in counts with probabilities, as in torch.
    assert loss.dtype == (torch.float32 if probs and weighted else dtype)
    assert grad.dtype == dtype
    assert_close(loss.double(), expected, **LOSS_TOLERANCE[dtype])
    assert_close(grad.double(), expected_grad, **GRAD_TOLERANCE[dtype])


@pytest.mark.parametrize("probs", [False, True])
@pytest.mark.parametrize("weight_dtype", [torch.float64, torch.float32, torch.bfloat16])
@dtypes
def test_weight_may_be_of_another_dtype(
    dtype: torch.dtype, weight_dtype: torch.dtype, probs: bool
) -> None:
    weight = torch.tensor([0.5, 0, 2, 1, 1.5], dtype=weight_dtype)
    call = random_call((7,), label_smoothing=0.1, weight=weight)
    logits = call.logits.to(dtype)
    call = Call(logits, random_probs(logits) if probs else call.target, call.options)
    loss, grad = loss_and_grad(cross_entropy, call)
    expected, expected_grad = torch_loss_and_grad(call)
    assert_close(loss.double(), expected, **LOSS_TOLERANCE[dtype])
    assert_close(grad.double(), expected_grad, **GRAD_TOLERANCE[dtype])


@pytest.mark.parametrize("probs", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("weighted", [None, torch.float64, torch.float32])
@pytest.mark.parametrize("size", [6, 2**15])
@pytest.mark.usefixtures("as_shipped")
def test_result_of_probabilities_has_the_dtype_it_has_in_torch(
    size: int, weighted: torch.dtype | None, probs: torch.dtype
) -> None:
    logits = torch.zeros(size // 2, 2)
    target = torch.full_like(logits, 0.5, dtype=probs)
    weight = None if weighted is None else torch.ones(2, dtype=weighted)
    expected = F.cross_entropy(logits, target, weight)
    assert_close(cross_entropy(logits, target, weight), expected)


def test_weight_is_not_rounded_to_half_precision() -> None:
    logits, target, _ = random_call((4,))
    logits, weight = logits.half(), torch.full((5,), 1e5)  # the greatest half is 65504
    loss = cross_entropy(logits, target, weight, label_smoothing=0.3)
    assert loss == cross_entropy(logits, target, label_smoothing=0.3)


@pytest.mark.parametrize("requires_grad", [False, True])
def test_half_precision_does_not_overflow(requires_grad: bool) -> None:
    logits = torch.zeros(10, 1000).half().requires_grad_(requires_grad)
    target = torch.zeros(10, dtype=torch.long)
    loss = cross_entropy(logits, target, label_smoothing=0.1).detach()
    assert repr(loss) == "tensor(6.9062, dtype=torch.float16)"
    _, loss = torch.func.grad_and_value(cross_entropy)(
        logits.detach(), target, label_smoothing=0.1
    )
    assert repr(loss) == "tensor(6.9062, dtype=torch.float16)"
    # Once this line fails, torch sums in float32 too, and the docs need a new reason.
    assert F.cross_entropy(logits, target, label_smoothing=0.1).item() == math.inf


@pytest.mark.parametrize("probs", [False, True])
@reductions
@pytest.mark.usefixtures("as_shipped")
def test_gradient_in_float16_is_scaled_before_it_is_rounded(
    reduction: str, probs: bool
) -> None:
    # Divided by 4096 first, most of these would leave the range of float16.
    call = random_call((4096,), 20, label_smoothing=0.1, reduction=reduction)
    logits = call.logits.half()
    target = random_probs(logits) if probs else call.target
    scale = 65536 / (1 if reduction == "mean" else 4096)

    def loss(*args: Any, **options: Any) -> Tensor:
        with torch.autocast("cpu", torch.float16):
            result = cross_entropy(*args, **options)
        assert result.dtype == torch.float32  # so that it can be scaled
        return result * scale

    _, grad = loss_and_grad(loss, Call(logits, target, call.options))
    _, expected = torch_loss_and_grad(Call(logits, target, call.options))
    assert_close(grad.double(), expected * scale, rtol=2.0**-10 * 1.01, atol=1e-6)


# --- adversarial logits


INF = math.inf
ADVERSARIAL = {
    "high": ([1e4 + 1, 1e4 - 2, 1e4], 1),
    "low": ([-1e4 + 1, -1e4 - 2, -1e4], 1),
    "high and low": ([1e4, -1e4, 0], 0),
    "low and high": ([1e4, -1e4, 0], 1),
    "sum of zero": ([1e4, -1e4, 0], 2),
    "underflow": ([0, -200], 1),
    "almost underflow": ([0, -87], 1),
    "subnormal": ([0, -102], 1),
    "likely": ([0, -80], 0),
    "equal": ([3, 3, 3, 3], 2),
    "equal and high": ([1e6] * 5, 2),
    "zeros": ([0, 0], 0),
    "one class": ([7], 0),
    "minus infinity": ([0, -INF, 1], 2),
    "minus infinity at the target": ([0, -INF, 1], 1),
    "infinity": ([0, INF, 1], 2),
    "infinity at the target": ([0, INF, 1], 1),
    "infinities": ([INF, INF, 1], 2),
    "both infinities": ([INF, -INF, 1], 2),
    "nan": ([0, math.nan, 1], 2),
    "nan at the target": ([0, math.nan, 1], 1),
    "nowhere": ([-INF, -INF, -INF], 1),
    "spread": ([1e30, -1e30, 0], 0),
    "spread, unlikely": ([1e30, -1e30, 0], 1),
    "spread, between": ([1e30, -1e30, 0], 2),
    "huge": ([1e38, -1e38], 0),
    "huge, unlikely": ([1e38, -1e38], 1),
    "huge and alike": ([3e38, 3e38, 3e38], 1),
    "huge, below and alike": ([-3e38, -3e38, -3e38], 1),
}


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize(("row", "y"), ADVERSARIAL.values(), ids=ADVERSARIAL)
def test_adversarial_logits(
    row: list[float], y: int, smoothing: float, weighted: bool, requires_grad: bool
) -> None:
    # Between two rows that are as usual, which must stay so.
    usual = torch.arange(len(row)) / 4
    logits = torch.stack([usual, torch.tensor(row), -usual])
    options = {"reduction": "none", "label_smoothing": smoothing}
    if weighted:
        options["weight"] = 1 + torch.arange(len(row)) / 2
    call = Call(logits, torch.tensor([0, y, 0]), options)
    expected, expected_grad = torch_loss_and_grad(call)
    if not requires_grad:
        loss = cross_entropy(call.logits, call.target, **options)
    else:
        loss, grad = loss_and_grad(cross_entropy, call)
        assert_close(grad.double(), expected_grad, rtol=2e-6, atol=2e-7, equal_nan=True)
    # The logits of float32 are exact, their distance from the top is not.
    assert_close(loss.double(), expected, rtol=2e-6, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("offset", [-1e4, 1e4, 1e6])
@smoothings
def test_offset_costs_no_digits(
    smoothing: float, offset: float, requires_grad: bool
) -> None:
    call = random_call((50,), 40, reduction="none", label_smoothing=smoothing)
    logits = (call.logits + offset).float()
    call = Call(logits, call.target, call.options)
    expected, _ = torch_loss_and_grad(call)
    loss = cross_entropy(
        logits.requires_grad_(requires_grad), call.target, **call.options
    )
    assert_close(loss.detach().double(), expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("outliers", [[-1e4], [1e4], [-1e30], [1e30], [1e4, -1e4]])
@smoothings
def test_outliers_among_many_classes(
    smoothing: float, outliers: list[float], requires_grad: bool
) -> None:
    call = random_call((50,), 400, reduction="none", label_smoothing=smoothing)
    logits = call.logits.float()
    logits[::2, 7 : 7 + len(outliers)] = torch.tensor(outliers)
    call = Call(logits, call.target, call.options)
    expected, _ = torch_loss_and_grad(call)
    loss = cross_entropy(
        logits.requires_grad_(requires_grad), call.target, **call.options
    )
    assert_close(loss.detach().double(), expected, rtol=4e-6, atol=1e-6)


@pytest.mark.parametrize("requires_grad", [False, True])
def test_unlikely_target_costs_what_it_costs(requires_grad: bool) -> None:
    # Its probability is zero in float32, and minus its logarithm would be infinite.
    logits = torch.tensor([[0.0, -200.0]], requires_grad=requires_grad)
    assert cross_entropy(logits, torch.tensor([1])).item() == 200


@pytest.mark.parametrize("requires_grad", [False, True])
@smoothings
def test_class_of_no_weight_at_minus_infinity_is_nan_as_in_torch(
    smoothing: float, requires_grad: bool
) -> None:
    weight = torch.tensor([1.0, 0.0, 1.0])
    target = torch.tensor([1, 2])  # the first has no weight
    options = {"reduction": "none", "label_smoothing": smoothing}
    logits = torch.tensor([[0.0, -INF, 1.0]] * 2, requires_grad=requires_grad)
    loss = cross_entropy(logits, target, weight, **options)
    expected = F.cross_entropy(logits, target, weight, **options)
    assert_close(loss, expected, equal_nan=True)
    assert loss.isnan().tolist() == [True, smoothing > 0]
