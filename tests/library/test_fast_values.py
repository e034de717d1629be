"""cross_entropy: against PyTorch's, in values and gradients."""

import math
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from label_smoothing import CrossEntropyLoss, cross_entropy, fast

from .fast_calls import (
    CHUNK,
    EXACT,
    SMALL,
    calls,
    loss_and_grad,
    random_outer,
    random_probs,
    reductions,
    smoothings,
    torch_loss_and_grad,
)
from .inputs import SHAPES, Call, random_call

pytestmark = pytest.mark.usefixtures("long_way")


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
    call.target.copy_(torch.tensor([0, 1, 1, 0]))
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
