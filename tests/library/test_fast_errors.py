"""cross_entropy: what it refuses."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from label_smoothing import CrossEntropyLoss, cross_entropy

from .fast_calls import EXACT, smoothings
from .inputs import classes, exactly, random_call, zeros

pytestmark = pytest.mark.usefixtures("long_way")


LOGITS, TARGET = zeros(4, 3), classes(4)
CLASSES = (
    "target must hold class indices of dtype torch.int64 or torch.uint8, or "
    "floating-point probabilities, got "
)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (zeros(2, dtype=torch.bool), CLASSES + "torch.bool"),
        (zeros(2, dtype=torch.int32), CLASSES + "torch.int32"),
        (zeros(2, 3, dtype=torch.int32), CLASSES + "torch.int32"),
        (zeros(2, dtype=torch.complex64), CLASSES + "torch.complex64"),
        ([0, 1], "target must be a tensor, got list"),
        (None, "target must be a tensor, got NoneType"),
    ],
)
@pytest.mark.usefixtures("any_size")
def test_wrong_type_of_target_is_refused(target: Any, message: str) -> None:
    with pytest.raises(TypeError, match=exactly(message)):
        cross_entropy(zeros(2, 3), target)


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
def test_learned_weight_is_refused_where_torch_refuses_it() -> None:
    weight = torch.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="not differentiable"):
        F.cross_entropy(LOGITS, TARGET, weight)
    message = "weight must not require a gradient: pass weight.detach()"
    with pytest.raises(ValueError, match=exactly(message)):
        cross_entropy(LOGITS, TARGET, weight)
    with torch.no_grad():
        expected = F.cross_entropy(LOGITS, TARGET, weight)
        assert_close(cross_entropy(LOGITS, TARGET, weight), expected)
