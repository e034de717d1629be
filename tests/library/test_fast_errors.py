"""cross_entropy: what it refuses."""

import math
from fractions import Fraction
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
