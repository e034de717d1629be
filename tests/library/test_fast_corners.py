"""cross_entropy: weights, hooks and graphs that are out of the ordinary."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad
from torch.testing import assert_close

from label_smoothing import cross_entropy

from .fast_calls import EXACT, GRAD_TOLERANCE, LOSS_TOLERANCE, dtypes, loss_and_grad
from .inputs import Call, random_call

pytestmark = pytest.mark.usefixtures("long_way")


@pytest.mark.parametrize("value", [math.inf, math.nan])
@pytest.mark.parametrize("num_classes", [5, 100])
@pytest.mark.parametrize("requires_grad", [False, True])
@dtypes
def test_weight_of_a_class_that_never_occurs_may_be_anything(
    dtype: torch.dtype, requires_grad: bool, num_classes: int, value: float
) -> None:
    logits, _, _ = random_call((20,), num_classes)
    target = torch.arange(20) % (num_classes - 1)
    weight = torch.ones(num_classes)
    expected, expected_grad = loss_and_grad(
        F.cross_entropy, Call(logits.to(dtype).double(), target, {})
    )
    weight[-1] = value  # as 1 / count is, without a row of the class
    z = logits.to(dtype).requires_grad_(requires_grad)
    loss = cross_entropy(z, target, weight)
    assert_close(loss.detach().double(), expected, **LOSS_TOLERANCE[dtype])
    if requires_grad:
        loss.backward()
        assert z.grad is not None
        assert_close(z.grad.double(), expected_grad, **GRAD_TOLERANCE[dtype])


@pytest.mark.parametrize("weight", [[1, 1, 1, 1, 1e8], [1e-9] * 5])
def test_gradient_in_float16_is_as_fine_with_any_weight(weight: list[float]) -> None:
    logits, _, _ = random_call((20,), 5)
    z = logits.half().requires_grad_()
    target = torch.arange(20) % 4
    (1024 * cross_entropy(z, target, torch.tensor(weight)).float()).backward()
    call = Call(z.detach().double(), target, {})
    expected = 1024 * loss_and_grad(F.cross_entropy, call)[1]
    assert z.grad is not None
    assert_close(z.grad.double(), expected, **GRAD_TOLERANCE[torch.float16])


@pytest.mark.parametrize("sign", [1, -1])
def test_weights_of_both_signs_hide_no_lost_digits(sign: int) -> None:
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(8, 64, generator=rng) + sign * 1e5
    weight = torch.ones(64)
    weight[1::2] = -1
    target = 2 * torch.arange(8)
    options = {"reduction": "none", "label_smoothing": 0.5}
    expected = F.cross_entropy(logits.double(), target, weight.double(), **options)
    loss = cross_entropy(logits.requires_grad_(), target, weight, **options)
    assert_close(loss.detach().double(), expected, rtol=2e-6, atol=1e-6)


def test_hook_may_return_a_tensor_that_it_keeps() -> None:
    call = random_call((5,), label_smoothing=0.1)
    z = call.logits.clone().requires_grad_()
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> int:
        kept[len(kept)] = tensor.detach().clone()
        return len(kept) - 1

    with torch.autograd.graph.saved_tensors_hooks(pack, kept.__getitem__):
        loss = cross_entropy(z, call.target, **call.options)
    before = {key: tensor.clone() for key, tensor in kept.items()}
    for scale in (3, 1):
        (grad,) = torch.autograd.grad(
            loss * scale, z, retain_graph=scale == 3, materialize_grads=True
        )
        grad.zero_()
    for key, tensor in kept.items():
        assert torch.equal(tensor, before[key])


def test_gradient_with_a_graph_outlives_the_next_backward_pass() -> None:
    call = random_call((5,), label_smoothing=0.1)
    found = []
    for loss in (cross_entropy, F.cross_entropy):
        z = call.logits.clone().requires_grad_()
        scale = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
        result = loss(z, call.target, **call.options)
        (grad,) = torch.autograd.grad(result * scale, z, create_graph=True)
        (result * 3).backward()
        found.append(torch.autograd.grad(grad.pow(2).sum(), scale)[0])
    assert_close(*found, **EXACT)


# The first forward derivative of a process makes torch call it.
@pytest.mark.filterwarnings("ignore:`torch.jit.script")
def test_gradient_from_outside_may_have_a_tangent() -> None:
    call = random_call((5,), label_smoothing=0.1)
    z = call.logits.clone().requires_grad_()
    loss = cross_entropy(z, call.target, **call.options)
    (grad,) = torch.autograd.grad(loss, z, retain_graph=True)
    with forward_ad.dual_level():
        outer = forward_ad.make_dual(torch.ones_like(loss), torch.full_like(loss, 2))
        (dual,) = torch.autograd.grad(loss, z, outer)
        assert_close(forward_ad.unpack_dual(dual).tangent, 2 * grad, **EXACT)
