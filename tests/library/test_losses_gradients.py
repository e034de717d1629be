"""Both losses: their derivatives, under transforms and in graphs."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.testing import assert_close

from label_smoothing import LabelSmoothingLoss, smooth

from .inputs import REDUCTIONS, TOLERANCE, both, classes, criteria, random_call, zeros


@both
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0, 0.3])
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_gradients_are_those_of_the_loss(
    cls: type[nn.Module], shape: tuple[int, ...], smoothing: float, reduction: str
) -> None:
    logits, target, _ = random_call(shape, num_classes=3)
    logits.requires_grad_()
    criterion = cls(smoothing, reduction)
    assert torch.autograd.gradcheck(lambda z: criterion(z, target), (logits,))
    assert torch.autograd.gradgradcheck(lambda z: criterion(z, target), (logits,))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gradients_with_weight(reduction: str) -> None:
    logits, target, _ = random_call((3,), num_classes=3)
    logits.requires_grad_()
    criterion = LabelSmoothingLoss(0.3, reduction, torch.tensor([1.0, 0.5, 2.0]))
    assert torch.autograd.gradcheck(lambda z: criterion(z, target), (logits,))
    assert torch.autograd.gradgradcheck(lambda z: criterion(z, target), (logits,))


@both
def test_gradient_is_probability_minus_smoothed_target(cls: type[nn.Module]) -> None:
    logits, _, _ = random_call((4,))
    target = torch.tensor([0, 1, 2, 2])
    logits.requires_grad_()
    cls(0.3)(logits, target).backward()
    prior = torch.full((5,), 1 / 5, dtype=torch.float64)
    expected = (logits.softmax(1) - smooth(target, 5, 0.3, prior)) / 4
    assert_close(logits.grad, expected, **TOLERANCE[torch.float64])


@both
def test_ignored_row_has_no_gradient(cls: type[nn.Module]) -> None:
    logits, target, _ = random_call((4,))
    logits.requires_grad_()
    cls(0.3)(logits, target).backward()
    assert logits.grad is not None
    assert logits.grad.count_nonzero(dim=1).tolist() == [5, 5, 5, 0]


@both
@pytest.mark.parametrize(
    "view", [lambda x: x.t(), lambda x: x[0].expand(7, 5), lambda x: x[:, ::2].t()]
)
def test_logits_may_be_any_view(
    cls: type[nn.Module], view: Callable[[Tensor], Tensor]
) -> None:
    base, _, _ = random_call((5,), num_classes=5)
    base.requires_grad_()
    logits = view(base)
    target = torch.arange(len(logits)) % 5
    plain = logits.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
    loss, expected = cls(0.3)(logits, target), cls(0.3)(plain, target)
    assert_close(loss, expected, **TOLERANCE[torch.float64])
    (grad,) = torch.autograd.grad(loss, base)
    expected.backward()
    (expected_grad,) = torch.autograd.grad(logits, base, plain.grad)
    assert_close(grad, expected_grad, **TOLERANCE[torch.float64])


@criteria
def test_training_step_compiles_to_one_graph(criterion: nn.Module) -> None:
    torch.compiler.reset()
    torch.manual_seed(0)
    model = nn.Linear(3, 5, dtype=torch.float64)
    twin = copy.deepcopy(model)

    def loss(x: Tensor, target: Tensor) -> Tensor:
        return criterion(model(x), target)

    # aot_eager traces forward and backward as inductor does, and needs no C++ compiler.
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    for n in (4, 6, 7):  # the second size makes a graph for any size
        x = torch.randn(n, 3, dtype=torch.float64)
        target = torch.arange(n) % 5
        target[0] = -100
        step, expected = compiled(x, target), criterion(twin(x), target)
        step.backward()
        expected.backward()
        assert_close(step, expected, **TOLERANCE[torch.float64])
        for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
            assert_close(ours.grad, theirs.grad, **TOLERANCE[torch.float64])


@both
@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_no_value_is_read_on_a_device(cls: type[nn.Module], smoothing: float) -> None:
    # A meta tensor has no values, so a check that reads one would raise.
    logits = torch.zeros(2, 3, device="meta")
    target = torch.zeros(2, dtype=torch.long, device="meta")
    loss = cls(smoothing, "none")(logits, target)
    assert loss.shape == (2,)
    assert cls(smoothing, "mean")(logits, target).device.type == "meta"


@criteria
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_vmap_gives_one_loss_per_sample(criterion: nn.Module, reduction: str) -> None:
    criterion = copy.deepcopy(criterion)
    criterion.reduction = reduction
    logits, target, _ = random_call((2, 3))
    expected = torch.stack(
        [criterion(*sample) for sample in zip(logits.mT, target, strict=True)]
    )
    loss = torch.func.vmap(criterion)(logits.mT, target)
    assert_close(loss, expected, **TOLERANCE[torch.float64])
    same_target = torch.func.vmap(criterion, (0, None))(logits.mT, target[0])
    expected = torch.stack([criterion(sample, target[0]) for sample in logits.mT])
    assert_close(same_target, expected, **TOLERANCE[torch.float64])


@criteria
def test_gradients_per_sample(criterion: nn.Module) -> None:
    logits, target, _ = random_call((4,))
    target[-1] = 2
    grads = torch.func.vmap(torch.func.grad(criterion))(logits, target)
    for row, y, grad in zip(logits, target, grads, strict=True):
        assert_close(torch.func.grad(criterion)(row, y), grad)
        z = row.clone().requires_grad_()
        (expected,) = torch.autograd.grad(criterion(z, y), z)
        assert_close(grad, expected, **TOLERANCE[torch.float64])


@both
def test_no_value_is_read_where_there_is_none(cls: type[nn.Module]) -> None:
    with FakeTensorMode():
        assert cls(0.1, "none")(zeros(2, 3), classes(2)).shape == (2,)
