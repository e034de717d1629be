"""cross_entropy: against PyTorch's, in values, gradients and habits, and its errors."""

import copy
import inspect
import math
import pickle
import re
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.testing import assert_close

from label_smoothing import CrossEntropyLoss, cross_entropy, fast

SMALL, CHUNK = fast.SMALL, fast.CHUNK
REDUCTIONS = ("none", "mean", "sum")
SHAPES = ((), (4,), (2, 3), (2, 3, 2))  # of the target
EXACT = {"rtol": 1e-12, "atol": 1e-12}
# All is computed in float32, and the result is rounded once.
LOSS_TOLERANCE = {
    torch.float32: {"rtol": 2e-6, "atol": 1e-6},
    torch.bfloat16: {"rtol": 2.0**-8 * 1.01, "atol": 1e-6},
    torch.float16: {"rtol": 2.0**-11 * 1.01, "atol": 1e-6},
}
# The gradient is rounded, and rounded again once it is scaled; in float16 it is scaled
# first, and its numbers below 6e-5 are less dense.
GRAD_TOLERANCE = {
    torch.float32: {"rtol": 2e-6, "atol": 5e-7},
    torch.bfloat16: {"rtol": 2.0**-7 * 1.01, "atol": 5e-7},
    torch.float16: {"rtol": 2.0**-11 * 1.01, "atol": 5e-7},
}

dtypes = pytest.mark.parametrize("dtype", list(LOSS_TOLERANCE))
reductions = pytest.mark.parametrize("reduction", REDUCTIONS)
smoothings = pytest.mark.parametrize("smoothing", [0.0, 0.1])
Loss = Callable[..., Tensor]


@pytest.fixture(scope="module", autouse=True)
def _small_inputs_take_the_long_way() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "SMALL", 0)
        patch.setattr(fast, "CHUNK", 12)  # several chunks, of several rows
        yield


@pytest.fixture
def as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "SMALL", SMALL)
    monkeypatch.setattr(fast, "CHUNK", CHUNK)


@pytest.fixture(params=[(0, 1), (SMALL, CHUNK)], ids=["long way", "as shipped"])
def any_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(("SMALL", "CHUNK"), request.param, strict=True):
        monkeypatch.setattr(fast, name, value)


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


class Call(NamedTuple):
    logits: Tensor
    target: Tensor
    options: dict[str, Any]


def random_call(
    shape: tuple[int, ...], num_classes: int = 5, seed: int = 0, **options: Any
) -> Call:
    """Logits in float64 and a target whose last cell, of several, is ignored."""
    rng = torch.Generator().manual_seed(seed)
    size = (*shape[:1], num_classes, *shape[1:])
    logits = 4 * torch.randn(size, generator=rng, dtype=torch.float64)
    target = torch.randint(num_classes, shape, generator=rng)
    if shape:
        target.view(-1)[-1] = -100
    return Call(logits, target, options)


def random_probs(logits: Tensor, seed: int = 1) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    values = 2 * torch.randn(logits.shape, generator=rng, dtype=torch.float64)
    return values.softmax(min(1, logits.dim() - 1)).to(logits.dtype)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """All that PyTorch takes, in float64."""
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    num_classes = draw(st.integers(1, 6))
    rng = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    size = (*shape[:1], num_classes, *shape[1:])
    logits = 4 * torch.randn(size, generator=rng, dtype=torch.float64)
    options = {
        "reduction": draw(st.sampled_from(REDUCTIONS)),
        "label_smoothing": draw(st.sampled_from((0, 0.1, 1)) | st.floats(0, 1)),
        "weight": None,
    }
    if draw(st.booleans()):
        quarters = st.integers(0, 8).map(lambda n: n / 4)
        values = draw(st.lists(quarters, min_size=num_classes, max_size=num_classes))
        options["weight"] = torch.tensor(values, dtype=torch.float64)
    if draw(st.booleans()):
        return Call(logits, random_probs(logits), options)
    target = torch.randint(num_classes, shape, generator=rng)
    ignore_index = draw(st.sampled_from((-100, *range(num_classes))))
    ignored = torch.rand(shape, generator=rng) < draw(st.sampled_from((0, 0.3, 1)))
    target = target.masked_fill(ignored, ignore_index)
    options["ignore_index"] = ignore_index
    if (target >= 0).all() and draw(st.booleans()):
        target = target.to(torch.uint8)
    return Call(logits, target, options)


def loss_and_grad(
    loss: Loss, call: Call, outer: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    logits, target, options = call
    logits = logits.detach().requires_grad_()
    result = loss(logits, target, **options)
    outer = torch.ones_like(result) if outer is None else outer.to(result.dtype)
    (grad,) = torch.autograd.grad(result, logits, outer)
    return result.detach(), grad


def torch_loss_and_grad(call: Call, outer: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """PyTorch's, in float64, of the numbers that the call has in its own dtype."""
    logits, target, options = call
    # torch 2.13 knows no torch.uint8 where weight and label_smoothing meet.
    target = target.double() if target.is_floating_point() else target.long()
    weight = options.get("weight")
    if weight is not None:
        options = {**options, "weight": weight.double()}
    return loss_and_grad(F.cross_entropy, Call(logits.double(), target, options), outer)


def random_outer(shape: tuple[int, ...], seed: int = 2) -> Tensor:
    """A number per loss, exact in every dtype, as the gradient from outside."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(-8, 9, shape, generator=rng) / 4


# --- values and gradients


@given(call=calls(), seed=st.integers(0, 2**32))
def test_loss_and_gradient_are_those_of_torch(call: Call, seed: int) -> None:
    shape = call.target.shape
    if call.target.is_floating_point():
        shape = call.logits.sum(min(1, call.logits.dim() - 1)).shape
    rng = torch.Generator().manual_seed(seed)
    outer = torch.randn(
        shape if call.options["reduction"] == "none" else (), generator=rng
    )
    loss, grad = loss_and_grad(cross_entropy, call, outer)
    expected, expected_grad = torch_loss_and_grad(call, outer)
    assert_close(loss, expected, equal_nan=True, **EXACT)
    assert_close(grad, expected_grad, equal_nan=True, **EXACT)


@given(call=calls())
def test_loss_without_gradient_is_the_one_of_torch(call: Call) -> None:
    logits, target, options = call
    expected, _ = torch_loss_and_grad(call)
    loss = cross_entropy(logits, target, **options)
    assert not loss.requires_grad
    assert_close(loss, expected, equal_nan=True, **EXACT)
    with torch.no_grad():
        again = cross_entropy(logits.clone().requires_grad_(), target, **options)
    assert not again.requires_grad
    assert torch.equal(again.nan_to_num(7), loss.nan_to_num(7))


@given(call=calls())
def test_module_is_the_function(call: Call) -> None:
    logits, target, options = call
    module, function = CrossEntropyLoss(**options), cross_entropy
    expected, expected_grad = loss_and_grad(function, call)
    loss, grad = loss_and_grad(module, Call(logits, target, {}))
    assert torch.equal(loss.nan_to_num(7), expected.nan_to_num(7))
    assert torch.equal(grad.nan_to_num(7), expected_grad.nan_to_num(7))


@reductions
@smoothings
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("probs", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_each_option_meets_each_other(
    shape: tuple[int, ...], probs: bool, weighted: bool, smoothing: float, reduction: str
) -> None:
    # One target is ignored, and the number of others is no power of two.
    call = random_call(shape, reduction=reduction, label_smoothing=smoothing)
    if probs:
        call = call._replace(target=random_probs(call.logits))
    if weighted:
        call.options["weight"] = torch.tensor([0.7, 0, 2.1, 1, 1.3]).double()
    outer = random_outer(shape if reduction == "none" else ())
    loss, grad = loss_and_grad(cross_entropy, call, outer)
    expected, expected_grad = torch_loss_and_grad(call, outer)
    assert_close(loss, expected, equal_nan=True, **EXACT)
    assert_close(grad, expected_grad, equal_nan=True, **EXACT)


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


@smoothings
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("probs", [False, True])
@pytest.mark.parametrize("shape", [(2, 3), (3, 70), (70, 9)])
@pytest.mark.usefixtures("as_shipped")
def test_large_inputs_take_the_long_way_as_shipped(
    shape: tuple[int, ...], probs: bool, weighted: bool, smoothing: float
) -> None:
    num_classes = 2**15 // math.prod(shape) + 1
    call = random_call(shape, num_classes, label_smoothing=smoothing)
    if weighted:
        rng = torch.Generator().manual_seed(3)
        call.options["weight"] = torch.rand(num_classes, generator=rng)
    logits = call.logits.float()
    call = Call(logits, random_probs(logits) if probs else call.target, call.options)
    assert logits.numel() >= SMALL
    loss, grad = loss_and_grad(cross_entropy, call)
    expected, expected_grad = torch_loss_and_grad(call)
    assert_close(loss.double(), expected, rtol=2e-6, atol=0)
    # Of rows with so many classes: the atol is a thousandth of the mean probability.
    # PyTorch's own gradient in float32 is ten times further off.
    atol = 1e-3 / num_classes / math.prod(shape)
    assert_close(grad.double(), expected_grad, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("smoothing", [0, 0.3, 1.0])
@pytest.mark.parametrize(("requires_grad", "limit"), [(True, 2**15), (False, 2**20)])
@pytest.mark.usefixtures("as_shipped")
def test_small_inputs_are_left_to_torch(
    requires_grad: bool, limit: int, smoothing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchs = mock.Mock(wraps=F.cross_entropy)
    monkeypatch.setattr(F, "cross_entropy", torchs)
    logits = torch.zeros(limit // 2, 2, requires_grad=requires_grad)
    target = torch.zeros(limit // 2, dtype=torch.long)
    cross_entropy(logits, target, label_smoothing=smoothing)
    assert torchs.call_count == 0
    cross_entropy(logits[1:], target[1:], label_smoothing=smoothing)
    assert torchs.call_count == 1


def test_one_exponential_gives_the_loss_and_its_gradient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again = mock.Mock(wraps=torch.log_softmax)
    monkeypatch.setattr(torch, "log_softmax", again)
    logits = torch.zeros(4, 5, requires_grad=True)
    cross_entropy(logits, torch.arange(4), label_smoothing=0.1).backward()
    assert not again.called


@pytest.mark.parametrize("shape", [(7,), (2, 3)])
def test_every_row_far_from_zero_is_computed_again(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast, "CHUNK", 20)  # four rows at a time
    call = random_call(shape, label_smoothing=0.1, reduction="none")
    call = call._replace(logits=call.logits + 1e12)
    ours, _ = loss_and_grad(cross_entropy, call)
    expected, _ = torch_loss_and_grad(call)
    assert_close(ours, expected, rtol=1e-12, atol=0)


@smoothings
@pytest.mark.usefixtures("as_shipped")
def test_several_chunks_as_shipped(smoothing: float) -> None:
    call = random_call((700,), 2000, label_smoothing=smoothing)
    call = Call(call.logits.float(), call.target, call.options)
    assert call.logits.numel() > CHUNK > call.logits.numel() / 2
    loss, grad = loss_and_grad(cross_entropy, call)
    expected, expected_grad = torch_loss_and_grad(call)
    assert_close(loss.double(), expected, rtol=2e-6, atol=0)
    assert_close(grad.double(), expected_grad, rtol=4e-6, atol=1e-10)


@pytest.mark.parametrize("num_classes", [1, 5, 11, 12, 13, 40])
@pytest.mark.parametrize("shape", [(1,), (7,), (7, 3)])
@pytest.mark.parametrize("probs", [False, True])
def test_rows_fit_the_chunks_or_not(
    probs: bool, shape: tuple[int, ...], num_classes: int
) -> None:
    call = random_call(shape, num_classes, label_smoothing=0.1, reduction="sum")
    if probs:
        call = call._replace(target=random_probs(call.logits))
    for ours, torchs in zip(
        loss_and_grad(cross_entropy, call), torch_loss_and_grad(call), strict=True
    ):
        assert_close(ours, torchs, **EXACT)


@smoothings
@reductions
@pytest.mark.parametrize("shape", SHAPES)
def test_all_targets_ignored(
    shape: tuple[int, ...], reduction: str, smoothing: float
) -> None:
    call = random_call(shape, reduction=reduction, label_smoothing=smoothing)
    call.target.fill_(-100)
    loss, grad = loss_and_grad(cross_entropy, call)
    if reduction == "mean":
        assert loss.isnan()
    else:
        assert torch.equal(loss, torch.zeros_like(loss))
    assert torch.equal(grad, torch.zeros_like(grad))


@reductions
@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf])
def test_logits_of_an_ignored_row_do_not_matter(reduction: str, garbage: float) -> None:
    call = random_call((4,), reduction=reduction, label_smoothing=0.3)
    expected, expected_grad = loss_and_grad(cross_entropy, call)
    call.logits[-1, 2] = garbage
    loss, grad = loss_and_grad(cross_entropy, call)
    assert torch.equal(loss, expected)
    assert torch.equal(grad[:-1], expected_grad[:-1])


@reductions
@smoothings
@pytest.mark.parametrize("weight", [0, -1])
def test_no_target_has_a_positive_weight(
    weight: float, reduction: str, smoothing: float
) -> None:
    call = random_call((4,), reduction=reduction, label_smoothing=smoothing)
    call.options["weight"] = torch.tensor([weight, weight, 2.1, 1, 1.3]).double()
    call.target.copy_(torch.tensor([0, 1, 1, -100]))
    for ours, torchs in zip(
        loss_and_grad(cross_entropy, call), torch_loss_and_grad(call), strict=True
    ):
        assert_close(ours, torchs, equal_nan=True, **EXACT)


def test_any_ignore_index_counts() -> None:
    for ignore_index in (-1, 255, np.int64(255)):
        target = torch.tensor([int(ignore_index), 0])
        loss = cross_entropy(
            torch.zeros(2, 3), target, ignore_index=ignore_index, reduction="none"
        )
        assert loss.tolist() == pytest.approx([0, math.log(3)])


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
    assert_close(grad.double(), expected * scale, rtol=2.0**-11 * 1.01, atol=1e-6)


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


# --- derivatives, again and again


@reductions
@smoothings
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("probs", [False, True])
@pytest.mark.parametrize("shape", [(), (5,), (2, 2)])
def test_gradients_are_those_of_the_loss(
    shape: tuple[int, ...], probs: bool, weighted: bool, smoothing: float, reduction: str
) -> None:
    options = {"reduction": reduction, "label_smoothing": smoothing}
    logits, target, _ = random_call(shape, num_classes=3)
    if probs:
        target = random_probs(logits)
    if weighted:
        options["weight"] = torch.tensor([1.0, 0.5, 2.0])
    logits.requires_grad_()

    def loss(z: Tensor) -> Tensor:
        return cross_entropy(z, target, **options)

    assert torch.autograd.gradcheck(loss, (logits,), check_batched_grad=True)
    assert torch.autograd.gradgradcheck(loss, (logits,))


@pytest.mark.parametrize("probs", [False, True])
def test_gradient_is_probability_minus_smoothed_target(probs: bool) -> None:
    logits, target, _ = random_call((4,))
    target[-1] = 2
    q = random_probs(logits) if probs else F.one_hot(target, 5).double()
    call = Call(logits, q if probs else target, {"label_smoothing": 0.3})
    _, grad = loss_and_grad(cross_entropy, call)
    assert_close(grad, (logits.softmax(1) - 0.7 * q - 0.3 / 5) / 4, **EXACT)


def test_ignored_row_has_no_gradient() -> None:
    _, grad = loss_and_grad(cross_entropy, random_call((4,), label_smoothing=0.3))
    assert grad.count_nonzero(dim=1).tolist() == [5, 5, 5, 0]


@reductions
def test_second_derivative_is_the_one_of_torch(reduction: str) -> None:
    logits, target, options = random_call((5,), reduction=reduction, label_smoothing=0.1)
    seconds = []
    for loss in (cross_entropy, F.cross_entropy):
        z = logits.clone().requires_grad_()
        result = loss(z, target, **options).sum()
        (grad,) = torch.autograd.grad(result, z, create_graph=True)
        (second,) = torch.autograd.grad(grad.pow(3).sum(), z)
        seconds.append(second)
    assert_close(*seconds, **EXACT)


@dtypes
def test_second_derivative_of_a_loss_under_autocast(dtype: torch.dtype) -> None:
    call = random_call((5,), label_smoothing=0.1)
    seconds = []
    for loss in (cross_entropy, F.cross_entropy):
        z = call.logits.to(dtype).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            result = loss(z, call.target, **call.options)
        (grad,) = torch.autograd.grad(result, z, create_graph=True)
        seconds.append(torch.autograd.grad(grad.float().pow(2).sum(), z))
    assert_close(*seconds)


@reductions
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_second_backward_adds_the_same_again(dtype: torch.dtype, reduction: str) -> None:
    logits, target, options = random_call((5,), reduction=reduction, label_smoothing=0.1)
    z = logits.to(dtype).requires_grad_()
    loss = cross_entropy(z, target, **options).sum()
    loss.backward(retain_graph=True)
    assert z.grad is not None
    once = z.grad.clone()
    loss.backward(retain_graph=True)
    assert_close(z.grad, 2 * once)
    loss.backward()
    assert_close(z.grad, 3 * once)


@pytest.mark.parametrize("first", [3.0, 2.0])
@reductions
def test_each_backward_has_its_own_scale(reduction: str, first: float) -> None:
    call = random_call((5,), reduction=reduction, label_smoothing=0.1)
    logits, target, options = call
    z = logits.clone().requires_grad_()
    loss = cross_entropy(z, target, **options)
    _, plain = torch_loss_and_grad(call)
    kept = []
    for scale in (first, 1.0, 0.5, 0.0, -2.0):
        outer = torch.full_like(loss, scale)
        (grad,) = torch.autograd.grad(loss, z, outer, retain_graph=True)
        kept.append((grad, scale))
    for grad, scale in kept:  # none was overwritten by the next
        assert_close(grad, scale * plain, **EXACT)


@reductions
def test_gradient_after_a_graph_of_the_gradient(reduction: str) -> None:
    call = random_call((5,), reduction=reduction, label_smoothing=0.1)
    z = call.logits.clone().requires_grad_()
    loss = cross_entropy(z, call.target, **call.options).sum()
    (first,) = torch.autograd.grad(loss, z, create_graph=True)
    assert first.requires_grad
    (second,) = torch.autograd.grad(loss, z)
    assert not second.requires_grad
    assert_close(first, second, **EXACT)
    assert_close(second, torch_loss_and_grad(call)[1], **EXACT)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_second_backward_needs_the_graph(dtype: torch.dtype) -> None:
    logits, target, _ = random_call((5,))
    loss = cross_entropy(logits.to(dtype).requires_grad_(), target)
    loss.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()


@reductions
@pytest.mark.parametrize("probs", [False, True])
def test_batched_gradients_are_those_of_each_row(probs: bool, reduction: str) -> None:
    logits, target, options = random_call((4,), reduction=reduction, label_smoothing=0.1)
    if probs:
        target = random_probs(logits)
    z = logits.clone().requires_grad_()
    loss = cross_entropy(z, target, **options)
    rng = torch.Generator().manual_seed(5)
    outers = torch.randn(3, *loss.shape, generator=rng, dtype=torch.float64)
    (batch,) = torch.autograd.grad(
        loss, z, outers, is_grads_batched=True, retain_graph=True
    )
    for outer, grad in zip(outers, batch, strict=True):
        (expected,) = torch.autograd.grad(loss, z, outer, retain_graph=True)
        assert_close(grad, expected, **EXACT)


def test_jacobian_is_the_one_of_torch() -> None:
    logits, target, options = random_call((4,), reduction="none", label_smoothing=0.1)
    jacobians = [
        torch.autograd.functional.jacobian(
            lambda z, loss=loss: loss(z, target, **options), logits, vectorize=vectorize
        )
        for loss in (cross_entropy, F.cross_entropy)
        for vectorize in (False, True)
    ]
    for jacobian in jacobians[:-1]:
        assert_close(jacobian, jacobians[-1], **EXACT)


@smoothings
@pytest.mark.parametrize("weighted", [False, True])
def test_probabilities_and_their_weight_have_gradients_as_in_torch(
    weighted: bool, smoothing: float
) -> None:
    logits, _, _ = random_call((4,))
    leaves = [logits, random_probs(logits)]
    if weighted:
        leaves.append(torch.ones(5, dtype=torch.float64))
    grads = []
    for loss in (cross_entropy, F.cross_entropy):
        inputs = [leaf.clone().requires_grad_() for leaf in leaves]
        result = loss(*inputs, label_smoothing=smoothing)
        grads.append(torch.autograd.grad(result, inputs))
    assert_close(*grads, **EXACT)


# --- transforms

# The first forward derivative of a process makes torch call it.
jvp = pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")


@jvp
@reductions
@smoothings
@pytest.mark.parametrize("probs", [False, True])
def test_functional_gradient_is_the_one_of_torch(
    probs: bool, smoothing: float, reduction: str
) -> None:
    call = random_call((4,), reduction=reduction, label_smoothing=smoothing)
    if probs:
        call = call._replace(target=random_probs(call.logits))

    def loss(z: Tensor) -> Tensor:
        return cross_entropy(z, call.target, **call.options).sum()

    expected, expected_grad = torch_loss_and_grad(call)
    grad, value = torch.func.grad_and_value(loss)(call.logits)
    assert_close(value, expected.sum(), **EXACT)
    assert_close(grad, expected_grad, **EXACT)
    hessian = torch.autograd.functional.hessian(loss, call.logits)
    assert_close(torch.func.hessian(loss)(call.logits), hessian, **EXACT)


@reductions
def test_vmap_gives_one_loss_per_sample(reduction: str) -> None:
    def loss(z: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(z, y, reduction=reduction, label_smoothing=0.1)

    logits, target, _ = random_call((2, 3))
    samples = zip(logits.mT, target, strict=True)
    expected = torch.stack([loss(*sample) for sample in samples])
    assert_close(torch.func.vmap(loss)(logits.mT, target), expected, **EXACT)
    expected = torch.stack([loss(sample, target[0]) for sample in logits.mT])
    same_target = torch.func.vmap(loss, (0, None))(logits.mT, target[0])
    assert_close(same_target, expected, **EXACT)


@pytest.mark.parametrize("probs", [False, True])
def test_gradients_per_sample(probs: bool) -> None:
    logits, target, _ = random_call((4,))
    target[-1] = 2
    if probs:
        target = random_probs(logits)

    def loss(z: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(z, y, label_smoothing=0.1)

    grads = torch.func.vmap(torch.func.grad(loss))(logits, target)
    call = Call(logits, target, {"label_smoothing": 0.1, "reduction": "sum"})
    assert_close(grads, torch_loss_and_grad(call)[1], **EXACT)


@jvp
@reductions
@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.usefixtures("any_size")
def test_forward_derivative_is_the_one_of_torch(
    requires_grad: bool, reduction: str
) -> None:
    logits, target, options = random_call((4,), reduction=reduction, label_smoothing=0.1)
    tangent = torch.randn(logits.shape, dtype=logits.dtype)
    logits.requires_grad_(requires_grad)

    def loss(z: Tensor) -> Tensor:
        return cross_entropy(z, target, **options)

    value, derivative = torch.func.jvp(loss, (logits,), (tangent,))
    expected, expected_derivative = torch.func.jvp(
        lambda z: F.cross_entropy(z, target, **options), (logits,), (tangent,)
    )
    assert_close(value, expected, **EXACT)
    assert_close(derivative, expected_derivative, **EXACT)
    with forward_ad.dual_level():
        dual = forward_ad.unpack_dual(loss(forward_ad.make_dual(logits, tangent)))
        assert_close(dual.primal, expected, **EXACT)
        assert_close(dual.tangent, expected_derivative, **EXACT)


@pytest.mark.parametrize(
    ("small", "weighted", "probs"),
    [(0, False, False), (0, True, False), (0, False, True), (SMALL, True, False)],
)
def test_training_step_compiles_to_one_graph(
    small: int, weighted: bool, probs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast, "SMALL", small)
    torch.compiler.reset()
    torch.manual_seed(0)
    weight = torch.tensor([1.0, 0.5, 2.0, 1.0, 1.0]) if weighted else None
    criterion = CrossEntropyLoss(weight, label_smoothing=0.1)
    model = nn.Linear(3, 5)
    twin = copy.deepcopy(model)

    def loss(x: Tensor, target: Tensor) -> Tensor:
        return criterion(model(x), target)

    # aot_eager traces forward and backward as inductor does, and needs no C++ compiler.
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    for n in (4, 6, 7):  # the second size makes a graph for any size
        x = torch.randn(n, 3)
        target = torch.arange(n) % 5
        target[0] = -100
        if probs:
            target = random_probs(torch.zeros(n, 5))
        step, expected = compiled(x, target), criterion(twin(x), target)
        step.backward()
        expected.backward()
        assert_close(step, expected)
        for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
            assert_close(ours.grad, theirs.grad)


def test_no_value_is_read_where_there_is_none() -> None:
    with FakeTensorMode():
        for options in ({}, {"weight": torch.ones(3)}):
            logits = torch.zeros(2, 3, requires_grad=True)
            target = torch.zeros(2, dtype=torch.long)
            loss = cross_entropy(logits, target, reduction="none", **options)
            assert loss.shape == (2,)
            loss.sum().backward()
            assert logits.grad is not None
            assert logits.grad.shape == (2, 3)


@smoothings
@reductions
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("weighted", [False, True])
def test_no_value_is_read_on_a_device(
    weighted: bool, dtype: torch.dtype, reduction: str, smoothing: float
) -> None:
    # A meta tensor has no values, so a check that reads one would raise.
    weight = torch.ones(3, device="meta") if weighted else None
    for target in (
        torch.zeros(2, dtype=torch.long, device="meta"),
        torch.zeros(2, 3, dtype=dtype, device="meta"),
    ):
        logits = torch.zeros(2, 3, dtype=dtype, device="meta", requires_grad=True)
        loss = cross_entropy(
            logits, target, weight, reduction=reduction, label_smoothing=smoothing
        )
        assert loss.device.type == "meta"
        assert loss.shape == ((2,) if reduction == "none" else ())
        loss.sum().backward()
        assert logits.grad is not None
        assert logits.grad.device.type == "meta"
        assert logits.grad.shape == (2, 3)


@smoothings
@reductions
@pytest.mark.parametrize("probs", [False, True])
@pytest.mark.parametrize("dtype", [*LOSS_TOLERANCE, torch.float64])
def test_autocast_gives_what_it_gives_in_torch(
    dtype: torch.dtype, probs: bool, reduction: str, smoothing: float
) -> None:
    call = random_call((5,), reduction=reduction, label_smoothing=smoothing)
    logits = call.logits.to(dtype)
    target = random_probs(logits) if probs else call.target
    results = []
    for loss in (cross_entropy, F.cross_entropy):
        z = logits.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            result = loss(z, target, **call.options)
        results.append((result, *torch.autograd.grad(result.sum(), z)))
    tolerance = GRAD_TOLERANCE.get(dtype, EXACT)
    (ours, our_grad), (theirs, their_grad) = results
    assert ours.dtype == torch.promote_types(dtype, torch.float32)
    assert_close(ours, theirs)  # the dtype too
    assert_close(our_grad, their_grad, **tolerance)


# --- memory


def peak_of(run: Callable[[], object]) -> int:
    """The most bytes that are held at a time, over those held before."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(
        activities=activities, profile_memory=True, acc_events=True
    ) as profiler:
        kept = run()
    del kept
    assert profiler.profiler is not None
    events = profiler.profiler.kineto_results.events()
    changes = [event for event in events if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(changes, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def test_peak_is_seen() -> None:
    values = torch.zeros(2**20)
    for held, run in (
        (0, lambda: values.exp_()),
        (1, lambda: values.exp()),
        (1, lambda: values.exp().sum() + values.exp().sum()),
        (2, lambda: values.exp().exp().sum()),
        (2, lambda: [values.exp(), values.exp()]),
    ):
        assert peak_of(run) / values.nbytes == pytest.approx(held, abs=1e-3)


def long_call(dtype: torch.dtype = torch.float32, **options: Any) -> Call:
    logits = torch.randn(2**13, 2**9).to(dtype)
    target = torch.arange(2**13) % 2**9
    target[::7] = -100
    return Call(logits, target, options)


def step_of(call: Call) -> Callable[[], None]:
    logits, target, options = call
    logits.requires_grad_()

    def step() -> None:
        loss = cross_entropy(logits, target, **options).sum()
        (loss * 3).backward()  # 3, for the gradient to be scaled

    return step


@smoothings
@reductions
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.usefixtures("as_shipped")
def test_one_buffer_as_large_as_the_logits_is_all(
    weighted: bool, reduction: str, smoothing: float
) -> None:
    call = long_call(reduction=reduction, label_smoothing=smoothing)
    if weighted:
        call.options["weight"] = torch.rand(2**9)
    extra = peak_of(step_of(call)) / call.logits.nbytes
    assert 1 <= extra < 1.06


@pytest.mark.parametrize("probs", [False, True])
@dtypes
def test_all_else_is_as_large_as_a_few_chunks(
    dtype: torch.dtype, probs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunk = 2**16  # a 64th of the logits
    monkeypatch.setattr(fast, "CHUNK", chunk)
    call = long_call(dtype, label_smoothing=0.1)
    if probs:
        call = call._replace(target=torch.full_like(call.logits, 2.0**-9))
    extra = peak_of(step_of(call)) - call.logits.nbytes
    assert 0 <= extra < (0.03 if dtype == torch.float32 else 0.06) * 2**24 + 4 * 4 * chunk


@pytest.mark.parametrize("rows", [2**4, 2**13])
def test_rows_computed_again_come_a_few_at_a_time(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast, "CHUNK", 2**18)
    call = long_call(label_smoothing=0.1)
    logits = call.logits.add_(1e6).reshape(rows, -1)
    call = Call(logits, call.target[:rows], call.options)
    extra = peak_of(step_of(call)) - logits.nbytes
    assert extra < 0.03 * 2**24 + 4 * 4 * 2**18


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("probs", [False, True])
def test_without_gradient_there_is_no_buffer(
    probs: bool, requires_grad: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast, "CHUNK", 2**16)
    logits, target, _ = long_call()
    if probs:
        target = torch.full_like(logits, 2.0**-9)
    logits.requires_grad_(requires_grad)
    with torch.set_grad_enabled(not requires_grad):
        extra = peak_of(lambda: cross_entropy(logits, target, label_smoothing=0.1))
    assert extra < 0.1 * logits.nbytes


# --- inputs that are views, and that change


@pytest.mark.parametrize(
    "view",
    [lambda x: x.t(), lambda x: x[0].expand(7, 5), lambda x: x[:, ::2].t(), torch.t],
)
@dtypes
def test_logits_may_be_any_view(
    dtype: torch.dtype, view: Callable[[Tensor], Tensor]
) -> None:
    base = random_call((5,), num_classes=5).logits.to(dtype).requires_grad_()
    logits = view(base)
    target = torch.arange(len(logits)) % 5
    plain = logits.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
    loss = cross_entropy(logits, target, label_smoothing=0.3)
    expected = cross_entropy(plain, target, label_smoothing=0.3)
    assert_close(loss, expected)
    (grad,) = torch.autograd.grad(loss, base)
    expected.backward()
    (expected_grad,) = torch.autograd.grad(logits, base, plain.grad)
    assert_close(grad, expected_grad)


@pytest.mark.parametrize("probs", [False, True])
def test_images_may_have_their_channels_last(probs: bool) -> None:
    call = random_call((3, 4, 2), label_smoothing=0.1)
    logits = call.logits.to(memory_format=torch.channels_last)
    assert not logits.is_contiguous()
    target = random_probs(logits) if probs else call.target.transpose(1, 2).mT
    call = Call(logits, target, call.options)
    for ours, torchs in zip(
        loss_and_grad(cross_entropy, call), torch_loss_and_grad(call), strict=True
    ):
        assert_close(ours, torchs, **EXACT)


@reductions
@pytest.mark.parametrize("probs", [False, True])
@dtypes
def test_inputs_are_left_alone(dtype: torch.dtype, probs: bool, reduction: str) -> None:
    logits, target, _ = random_call((2, 3))
    logits, weight = logits.to(dtype), torch.rand(5)
    if probs:
        target = random_probs(logits)
    inputs = logits.requires_grad_(), target, weight
    before = [(tensor.detach().clone(), tensor._version) for tensor in inputs]
    loss = cross_entropy(*inputs, reduction=reduction, label_smoothing=0.1)
    outer = torch.full_like(loss, 3.0)
    loss.backward(outer)
    with torch.no_grad():
        cross_entropy(*inputs, reduction=reduction, label_smoothing=0.1)
    assert torch.equal(outer, torch.full_like(loss, 3.0))
    for tensor, (values, version) in zip(inputs, before, strict=True):
        assert torch.equal(tensor.detach(), values)
        assert tensor._version == version


@reductions
def test_gradient_is_the_one_of_the_logits_that_were(reduction: str) -> None:
    call = random_call((5,), reduction=reduction, label_smoothing=0.1)
    z = call.logits.clone().requires_grad_()
    loss = cross_entropy(z, call.target, **call.options)
    with torch.no_grad():
        z.add_(torch.arange(5))
    loss.sum().backward(retain_graph=True)
    assert_close(z.grad, torch_loss_and_grad(call)[1], **EXACT)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.sum().backward()


def test_gradient_in_float16_needs_the_logits_as_they_were() -> None:
    logits, target, _ = random_call((5,))
    z = logits.half().requires_grad_()
    loss = cross_entropy(z, target)
    with torch.no_grad():
        z.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


class Marked(Tensor):
    """A tensor that may have any meaning, so that its own functions must be called."""


@pytest.mark.usefixtures("any_size")
def test_subclass_is_left_to_torch() -> None:
    call = random_call((5,), label_smoothing=0.1)
    loss = cross_entropy(call.logits.as_subclass(Marked), call.target, **call.options)
    assert type(loss) is Marked
    assert_close(loss.as_subclass(Tensor), torch_loss_and_grad(call)[0], **EXACT)


def test_logits_may_be_made_for_inference() -> None:
    call = random_call((5,), label_smoothing=0.1)
    with torch.inference_mode():
        loss = cross_entropy(call.logits.clone(), call.target, **call.options)
        assert_close(loss, F.cross_entropy(*call[:2], **call.options), **EXACT)


def test_logits_may_be_a_parameter() -> None:
    call = random_call((5,), label_smoothing=0.1)
    parameter = nn.Parameter(call.logits)
    cross_entropy(parameter, call.target, **call.options).backward()
    assert_close(parameter.grad, torch_loss_and_grad(call)[1], **EXACT)


# --- in place of torch's


def parameters(call: Callable[..., object]) -> list[tuple[str, Any, Any]]:
    return [
        (parameter.name, parameter.kind, parameter.default)
        for parameter in inspect.signature(call).parameters.values()
    ]


def test_signatures_are_those_of_torch() -> None:
    assert parameters(cross_entropy) == parameters(F.cross_entropy)
    assert parameters(CrossEntropyLoss) == parameters(nn.CrossEntropyLoss)
    assert parameters(CrossEntropyLoss.forward) == parameters(nn.CrossEntropyLoss.forward)


@pytest.mark.parametrize("reduce", [None, False, True])
@pytest.mark.parametrize("size_average", [None, False, True])
@pytest.mark.usefixtures("any_size")
def test_deprecated_names_of_the_reduction(
    size_average: bool | None, reduce: bool | None
) -> None:
    logits, target, _ = random_call((4,))
    options = {"size_average": size_average, "reduce": reduce, "reduction": "sum"}
    results = []
    for call in (
        lambda: cross_entropy(logits, target, **options),
        lambda: F.cross_entropy(logits, target, **options),
        lambda: CrossEntropyLoss(**options)(logits, target),
        lambda: nn.CrossEntropyLoss(**options)(logits, target),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loss = call()
        results.append((loss, [(one.category, str(one.message)) for one in caught]))
    for loss, messages in results:
        assert_close(loss, results[1][0], **EXACT)
        assert messages == results[1][1]
        assert len(messages) == (size_average is not None or reduce is not None)


@pytest.mark.usefixtures("any_size")
def test_smoothing_may_be_any_real_number() -> None:
    logits, target, _ = random_call((4,))
    for smoothing in (Fraction(3, 10), np.float64(0.3), np.float32(0.3), np.float16(0.3)):
        expected = cross_entropy(logits, target, label_smoothing=float(smoothing))
        loss = cross_entropy(logits, target, label_smoothing=smoothing)
        assert_close(loss, expected, **EXACT)


def weighted() -> CrossEntropyLoss:
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    return CrossEntropyLoss(weight, reduction="sum", label_smoothing=0.3)


criteria = pytest.mark.parametrize("criterion", [CrossEntropyLoss(), weighted()])


def test_module_is_one_of_torch() -> None:
    assert isinstance(CrossEntropyLoss(), nn.CrossEntropyLoss)
    assert repr(CrossEntropyLoss()) == repr(nn.CrossEntropyLoss())
    assert repr(weighted()) == repr(nn.CrossEntropyLoss(torch.ones(5)))


def test_weight_is_the_whole_state() -> None:
    assert list(CrossEntropyLoss().state_dict()) == []
    assert list(weighted().state_dict()) == ["weight"]
    assert list(weighted().parameters()) == []


def test_state_is_the_one_of_torch() -> None:
    logits, target, _ = random_call((4,))
    options = {"reduction": "sum", "label_smoothing": 0.3}
    theirs = nn.CrossEntropyLoss(torch.ones(5), **options)
    theirs.load_state_dict(weighted().state_dict())
    ours = CrossEntropyLoss(torch.ones(5), **options)
    ours.load_state_dict(theirs.state_dict())
    expected = theirs.double()(logits, target)
    assert_close(ours(logits, target), expected, **EXACT)
    assert_close(ours.double()(logits, target), expected, **EXACT)
    assert ours.weight is not None
    assert ours.weight.dtype == torch.float64


@criteria
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))]
)
def test_copies_are_equal(
    criterion: nn.Module, copied: Callable[[nn.Module], nn.Module]
) -> None:
    logits, target, _ = random_call((4,))
    twin = copied(criterion)
    assert twin is not criterion
    assert vars(twin).keys() == vars(criterion).keys()
    assert torch.equal(twin(logits, target), criterion(logits, target))


def test_option_assigned_later_counts() -> None:
    logits, target, _ = random_call((4,))
    criterion = CrossEntropyLoss()
    criterion.label_smoothing = 0.3
    criterion.reduction = "sum"
    criterion.ignore_index = int(target[0])
    target[-1] = target[0]
    expected = F.cross_entropy(
        logits,
        target,
        ignore_index=criterion.ignore_index,
        reduction="sum",
        label_smoothing=0.3,
    )
    assert_close(criterion(logits, target), expected, **EXACT)


# --- errors


def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.zeros(shape, dtype=dtype)


def classes(*shape: int) -> Tensor:
    return zeros(*shape, dtype=torch.int64)


RANGE = "label_smoothing must satisfy 0 <= label_smoothing <= 1, got "
CHOICE = "reduction must be one of ('none', 'mean', 'sum'), got "
OPTION_ERRORS = [
    ("label_smoothing", -0.1, ValueError, RANGE + "-0.1"),
    ("label_smoothing", 1.1, ValueError, RANGE + "1.1"),
    ("label_smoothing", 2, ValueError, RANGE + "2"),
    ("label_smoothing", Fraction(3, 2), ValueError, RANGE + "3/2"),
    ("label_smoothing", math.nan, ValueError, RANGE + "nan"),
    ("label_smoothing", "0.1", TypeError, "label_smoothing must be a number, got str"),
    (
        "label_smoothing",
        None,
        TypeError,
        "label_smoothing must be a number, got NoneType",
    ),
    ("reduction", "average", ValueError, CHOICE + "'average'"),
    ("reduction", "elementwise_mean", ValueError, CHOICE + "'elementwise_mean'"),
    ("reduction", None, ValueError, CHOICE + "None"),
    ("ignore_index", 2.0, TypeError, "ignore_index must be an int, got float"),
    ("ignore_index", None, TypeError, "ignore_index must be an int, got NoneType"),
    ("ignore_index", True, TypeError, "ignore_index must be an int, got bool"),
]
options = pytest.mark.parametrize(("name", "value", "error", "message"), OPTION_ERRORS)
LOGITS, TARGET = zeros(4, 3), classes(4)


@options
@pytest.mark.usefixtures("any_size")
def test_wrong_option_is_refused(
    name: str, value: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=exactly(message)):
        cross_entropy(LOGITS, TARGET, **{name: value})
    with pytest.raises(error, match=exactly(message)):
        CrossEntropyLoss(**{name: value})
    criterion = CrossEntropyLoss()
    setattr(criterion, name, value)
    with pytest.raises(error, match=exactly(message)):
        criterion(LOGITS, TARGET)


FLOATS = "input must be floating point, got "
BITS = "input must have 16 bits or more, got "
CLASSES = (
    "target must hold class indices of dtype torch.int64 or torch.uint8, or "
    "floating-point probabilities, got "
)


@pytest.mark.parametrize(
    ("logits", "target", "message"),
    [
        (zeros(2, 3, dtype=torch.int64), classes(2), FLOATS + "torch.int64"),
        (zeros(2, 3, dtype=torch.bool), classes(2), FLOATS + "torch.bool"),
        (zeros(2, 3, dtype=torch.complex64), classes(2), FLOATS + "torch.complex64"),
        ([[0.0, 1.0]], classes(1), FLOATS + "list"),
        (zeros(2, 3).to(torch.float8_e5m2), classes(2), BITS + "torch.float8_e5m2"),
        (zeros(2, 3).to(torch.float8_e4m3fn), classes(2), BITS + "torch.float8_e4m3fn"),
        (zeros(2, 3), zeros(2, dtype=torch.bool), CLASSES + "torch.bool"),
        (zeros(2, 3), zeros(2, dtype=torch.int32), CLASSES + "torch.int32"),
        (zeros(2, 3), zeros(2, 3, dtype=torch.int32), CLASSES + "torch.int32"),
        (zeros(2, 3), zeros(2, dtype=torch.complex64), CLASSES + "torch.complex64"),
        (zeros(2, 3), [0, 1], "target must be a tensor, got list"),
        (zeros(2, 3), None, "target must be a tensor, got NoneType"),
    ],
)
@pytest.mark.usefixtures("any_size")
def test_wrong_type_is_refused(logits: Any, target: Any, message: str) -> None:
    with pytest.raises(TypeError, match=exactly(message)):
        cross_entropy(logits, target)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
@pytest.mark.parametrize(
    ("logits", "target", "expected", "dim"),
    [
        ((4, 3), (1,), (4,), 1),  # gather would read one row and say nothing
        ((4, 3), (5,), (4,), 1),
        ((4, 3), (4, 1), (4,), 1),
        ((4, 3), (4, 3), (4,), 1),
        ((4, 3), (), (4,), 1),
        ((3,), (3,), (), 0),
        ((3,), (1,), (), 0),  # torch takes it, but not with smoothing
        ((2, 3, 4, 5), (2,), (2, 4, 5), 1),
        ((2, 3, 4, 5), (2, 5, 4), (2, 4, 5), 1),
        ((2, 3, 4, 5), (2, 3, 4, 5), (2, 4, 5), 1),
        ((2, 7, 3), (2, 7), (2, 3), 1),
    ],
)
@pytest.mark.usefixtures("any_size")
def test_wrong_shape_is_refused(
    logits: tuple[int, ...],
    target: tuple[int, ...],
    expected: tuple[int, ...],
    dim: int,
    dtype: torch.dtype,
) -> None:
    message = (
        f"target must have shape {expected} for input of shape {logits} with the "
        f"classes in dimension {dim}, got {target}"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        cross_entropy(zeros(*logits), zeros(*target, dtype=dtype))


@pytest.mark.parametrize(
    ("logits", "target"),
    [
        ((4, 3), (4,)),
        ((4, 3), (4, 1)),
        ((4, 3), (1, 3)),
        ((4, 3), (4, 4)),
        ((4, 3), (5, 3)),
        ((4, 3), (4, 3, 1)),
        ((3,), ()),
        ((3,), (1,)),
    ],
)
@pytest.mark.usefixtures("any_size")
def test_probabilities_of_another_shape_are_refused(
    logits: tuple[int, ...], target: tuple[int, ...]
) -> None:
    message = (
        f"target must hold probabilities in the shape {logits} of input, "
        f"got shape {target}"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        cross_entropy(zeros(*logits), zeros(*target))


@pytest.mark.parametrize("ignore_index", [0, 1])
@pytest.mark.usefixtures("any_size")
def test_probabilities_with_an_ignored_class_are_refused(ignore_index: int) -> None:
    message = (
        f"ignore_index needs class indices as target, got ignore_index={ignore_index} "
        f"and probabilities"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        cross_entropy(LOGITS, LOGITS, ignore_index=ignore_index)


@pytest.mark.usefixtures("any_size")
def test_probabilities_have_no_class_below_zero() -> None:
    q = LOGITS.softmax(1)
    assert torch.equal(
        cross_entropy(LOGITS, q, ignore_index=-1), cross_entropy(LOGITS, q)
    )


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((), "input must have shape (K,), (N, K) or (N, K, d1, ...), got ()"),
        ((0,), "input must have at least one class, got shape (0,)"),
        ((2, 0), "input must have at least one class, got shape (2, 0)"),
        ((2, 0, 3), "input must have at least one class, got shape (2, 0, 3)"),
    ],
)
@pytest.mark.usefixtures("any_size")
def test_input_without_classes_is_refused(shape: tuple[int, ...], message: str) -> None:
    for target in (classes(*shape[:1], *shape[2:]), zeros(*shape)):
        with pytest.raises(ValueError, match=exactly(message)):
            cross_entropy(zeros(*shape), target)


@smoothings
@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize(
    ("target", "ignore_index", "at", "value"),
    [
        (3, -100, "", 3),
        ([0, 3], -100, "[1]", 3),
        ([0, -1], -100, "[1]", -1),
        ([-100, 2, 99], -100, "[2]", 99),
        ([1, -100], 1, "[1]", -100),
        ([[0, 1], [2, 7]], -100, "[1, 1]", 7),
        ([0, 4, 5], -100, "[1]", 4),  # the first is named
    ],
)
@pytest.mark.usefixtures("any_size")
def test_target_that_is_no_class_is_refused(
    target: Any,
    ignore_index: int,
    at: str,
    value: int,
    requires_grad: bool,
    smoothing: float,
) -> None:
    classes = torch.tensor(target)
    logits = zeros(*classes.shape[:1], 3, *classes.shape[1:])
    logits.requires_grad_(requires_grad)
    # At a single cell there is no index to name.
    at = at or ("[0]" if classes.dim() == 0 else "")
    message = (
        f"target{at} is {value}, expected 0 <= target < 3 or ignore_index={ignore_index}"
    )
    with pytest.raises(IndexError, match=exactly(message)):
        cross_entropy(
            logits, classes, ignore_index=ignore_index, label_smoothing=smoothing
        )


@pytest.mark.parametrize("value", [3, 156, 255])  # 156 is -100 in torch.uint8
@pytest.mark.usefixtures("any_size")
def test_target_in_eight_bits_that_is_no_class_is_refused(value: int) -> None:
    target = torch.tensor([0, value], dtype=torch.uint8)
    message = f"target[1] is {value}, expected 0 <= target < 3 or ignore_index=-100"
    with pytest.raises(IndexError, match=exactly(message)):
        cross_entropy(zeros(2, 3), target)


@smoothings
@pytest.mark.parametrize("weighted", [False, True])
def test_target_in_eight_bits_is_the_one_in_more(
    weighted: bool, smoothing: float
) -> None:
    # 156 is -100 in torch.uint8. Of torch.func's tensors no value is read.
    weight = torch.arange(200.0) if weighted else None
    logits, _, _ = random_call((4,), 200)
    target = torch.tensor([0, 156, 199, 1])

    def loss(z: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(z, y, weight, reduction="none", label_smoothing=smoothing)

    for function in (
        loss,
        torch.func.vmap(loss),
        torch.func.grad(lambda *x: loss(*x).sum()),
    ):
        assert_close(function(logits, target.byte()), function(logits, target), **EXACT)


WEIGHTS = "weight must be a floating-point tensor, got "
ONE_PER_CLASS = ", one weight per class, got "
WEIGHT_ERRORS = [
    ([1.0, 2.0, 3.0], TypeError, WEIGHTS + "list"),
    (torch.ones(3, dtype=torch.int64), TypeError, WEIGHTS + "torch.int64"),
    (torch.ones(3, dtype=torch.bool), TypeError, WEIGHTS + "torch.bool"),
    (torch.ones(1, 3), ValueError, ONE_PER_CLASS + "(1, 3)"),
    (torch.tensor(1.0), ValueError, ONE_PER_CLASS + "()"),
]


@pytest.mark.parametrize("target", [TARGET, LOGITS])
@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        *WEIGHT_ERRORS,
        (torch.ones(1), ValueError, ONE_PER_CLASS + "(1,)"),
        (torch.ones(4), ValueError, ONE_PER_CLASS + "(4,)"),
    ],
)
@pytest.mark.usefixtures("any_size")
def test_wrong_weight_is_refused(
    weight: Any, error: type[Exception], message: str, target: Tensor
) -> None:
    if error is ValueError:
        message = "weight must have shape (3,)" + message
    with pytest.raises(error, match=exactly(message)):
        cross_entropy(LOGITS, target, weight)


@pytest.mark.parametrize(("weight", "error", "message"), WEIGHT_ERRORS)
def test_module_refuses_a_wrong_weight(
    weight: Any, error: type[Exception], message: str
) -> None:
    if error is ValueError:
        message = "weight must have shape (num_classes,)" + message
    with pytest.raises(error, match=exactly(message)):
        CrossEntropyLoss(weight)


@pytest.mark.usefixtures("any_size")
def test_learned_weight_is_refused_as_in_torch() -> None:
    weight = torch.ones(3, requires_grad=True)
    for loss in (cross_entropy, F.cross_entropy):
        with pytest.raises(RuntimeError, match="not differentiable"):
            loss(LOGITS, TARGET, weight)
