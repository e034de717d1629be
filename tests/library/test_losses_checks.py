"""The checks that the modules share: each target is looked at, whatever holds it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from label_smoothing import (
    CrossEntropyLoss,
    LabelSmoothing,
    LabelSmoothingLoss,
    cross_entropy,
    dirac_delta,
    pick,
    smooth,
)

LOGITS = torch.zeros(2, 3)
TAKE_TARGETS = {
    "LabelSmoothing": lambda target: LabelSmoothing(0.1)(LOGITS, target),
    "LabelSmoothingLoss": lambda target: LabelSmoothingLoss(0.1)(LOGITS, target),
    "cross_entropy": lambda target: cross_entropy(LOGITS, target),
    "CrossEntropyLoss": lambda target: CrossEntropyLoss()(LOGITS, target),
    "dirac_delta": lambda target: dirac_delta(target, 3),
    "smooth": lambda target: smooth(target, 3, 0.1),
    "pick": lambda target: pick(LOGITS, target),
}
HOLDERS = {
    "tensor": torch.tensor,
    "parameter": lambda values: nn.Parameter(torch.tensor(values), requires_grad=False),
    "buffer": lambda values: nn.Buffer(torch.tensor(values)),
}


@pytest.mark.parametrize("held", HOLDERS.values(), ids=HOLDERS)
@pytest.mark.parametrize("function", TAKE_TARGETS.values(), ids=TAKE_TARGETS)
def test_target_that_is_no_class_is_named(
    function: Callable[[Tensor], Tensor], held: Callable[[list[int]], Tensor]
) -> None:
    assert function(held([0, 2])) is not None
    for value in (3, -1):
        words = rf"^target\[1\] is {value}, expected 0 <= target < 3"
        with pytest.raises((ValueError, IndexError), match=words):
            function(held([0, value]))
