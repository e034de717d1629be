"""cross_entropy: what it holds, what it reads, and what it leaves alone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from label_smoothing import cross_entropy, fast

from .fast_calls import (
    EXACT,
    GRAD_TOLERANCE,
    dtypes,
    loss_and_grad,
    peak_of,
    random_probs,
    reductions,
    smoothings,
    torch_loss_and_grad,
)
from .inputs import Call, random_call

pytestmark = pytest.mark.usefixtures("long_way")


# --- memory


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
@dtypes
def test_gradient_is_the_one_of_the_logits_that_were(
    dtype: torch.dtype, reduction: str
) -> None:
    call = random_call((5,), reduction=reduction, label_smoothing=0.1)
    call = call._replace(logits=call.logits.to(dtype))
    z = call.logits.clone().requires_grad_()
    loss = cross_entropy(z, call.target, **call.options)
    with torch.no_grad():
        z.add_(torch.arange(5))
    for retain_graph in (True, False):
        z.grad = None
        loss.sum().backward(retain_graph=retain_graph)
        assert z.grad is not None
        expected = torch_loss_and_grad(call)[1]
        assert_close(z.grad.double(), expected, **GRAD_TOLERANCE[dtype])


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
