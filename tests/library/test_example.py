"""The running example, in both losses and in PyTorch's own."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from label_smoothing import LabelSmoothingLoss
from label_smoothing.example import logits, smoothing, target

from .inputs import both

PRINTED = [
    ("mean", "tensor(1.3883)"),
    ("sum", "tensor(4.1649)"),
    ("none", "tensor([1.2969, 1.3862, 1.4818])"),
]


@both
@pytest.mark.parametrize(("reduction", "printed"), PRINTED)
def test_what_is_printed(cls: type[nn.Module], reduction: str, printed: str) -> None:
    assert repr(cls(smoothing, reduction)(logits, target)) == printed


@pytest.mark.parametrize(("reduction", "printed"), PRINTED)
def test_what_torch_prints(reduction: str, printed: str) -> None:
    loss = F.cross_entropy(logits, target, reduction=reduction, label_smoothing=smoothing)
    assert repr(loss) == printed


@pytest.mark.parametrize(
    ("reduction", "ours", "theirs"),
    [
        ("mean", "tensor(1.3576)", "tensor(1.5882)"),
        ("sum", "tensor(6.6485)", "tensor(9.5290)"),
        ("none", "tensor([2.9026, 2.2641, 1.4818])", "tensor([3.8968, 3.2026, 2.4296])"),
    ],
)
def test_what_is_printed_with_weights(reduction: str, ours: str, theirs: str) -> None:
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    loss = LabelSmoothingLoss(smoothing, reduction, weight)(logits, target)
    torch_loss = F.cross_entropy(
        logits, target, weight, reduction=reduction, label_smoothing=smoothing
    )
    assert repr(loss) == ours
    assert repr(torch_loss) == theirs
