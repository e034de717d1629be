"""Both losses: what they refuse."""

import math
from fractions import Fraction
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from label_smoothing import LabelSmoothingLoss
from label_smoothing.example import logits as LOGITS
from label_smoothing.example import target as TARGET

from .inputs import both, classes, exactly, zeros

RANGE = "smoothing must satisfy 0 <= smoothing < 1, got "
CHOICE = "reduction must be one of ('none', 'mean', 'sum'), got "
OPTION_ERRORS = [
    ("smoothing", -0.1, ValueError, RANGE + "-0.1"),
    ("smoothing", 1, ValueError, RANGE + "1"),
    ("smoothing", 1.7, ValueError, RANGE + "1.7"),
    ("smoothing", True, ValueError, RANGE + "True"),
    ("smoothing", Fraction(3, 2), ValueError, RANGE + "3/2"),
    ("smoothing", math.nan, ValueError, RANGE + "nan"),
    ("smoothing", "0.1", TypeError, "smoothing must be a number, got str"),
    ("smoothing", None, TypeError, "smoothing must be a number, got NoneType"),
    ("reduction", "average", ValueError, CHOICE + "'average'"),
    ("reduction", None, ValueError, CHOICE + "None"),
    ("ignore_index", 2.0, TypeError, "ignore_index must be an int, got float"),
    ("ignore_index", None, TypeError, "ignore_index must be an int, got NoneType"),
    ("ignore_index", True, TypeError, "ignore_index must be an int, got bool"),
]


@both
@pytest.mark.parametrize(("name", "value", "error", "message"), OPTION_ERRORS)
def test_wrong_option_is_refused(
    cls: type[nn.Module], name: str, value: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=exactly(message)):
        cls(**{name: value})


@both
@pytest.mark.parametrize(("name", "value", "error", "message"), OPTION_ERRORS)
def test_option_assigned_later_is_checked_too(
    cls: type[nn.Module], name: str, value: Any, error: type[Exception], message: str
) -> None:
    criterion = cls()
    setattr(criterion, name, value)
    with pytest.raises(error, match=exactly(message)):
        criterion(LOGITS, TARGET)


FLOATS = "logits must be floating point, got "
BITS = "logits must have 16 bits or more, got "
CLASSES = "target must hold class indices of dtype torch.int64, got "


@both
@pytest.mark.parametrize(
    ("logits", "target", "message"),
    [
        (zeros(2, 3, dtype=torch.int64), classes(2), FLOATS + "torch.int64"),
        (zeros(2, 3, dtype=torch.bool), classes(2), FLOATS + "torch.bool"),
        (zeros(2, 3, dtype=torch.complex64), classes(2), FLOATS + "torch.complex64"),
        ([[0.0, 1.0]], classes(1), FLOATS + "list"),
        (zeros(2, 3).to(torch.float8_e5m2), classes(2), BITS + "torch.float8_e5m2"),
        (zeros(2, 3).to(torch.float8_e4m3fn), classes(2), BITS + "torch.float8_e4m3fn"),
        (zeros(2, 3), zeros(2), CLASSES + "torch.float32"),
        (zeros(2, 3), zeros(2, dtype=torch.bool), CLASSES + "torch.bool"),
        (zeros(2, 3), zeros(2, dtype=torch.int32), CLASSES + "torch.int32"),
        (zeros(2, 3), zeros(2, 3), CLASSES + "torch.float32"),  # probabilities
        (zeros(2, 3), [0, 1], CLASSES + "list"),
    ],
)
def test_wrong_type_is_refused(
    cls: type[nn.Module], logits: Any, target: Any, message: str
) -> None:
    with pytest.raises(TypeError, match=exactly(message)):
        cls()(logits, target)


@both
@pytest.mark.parametrize(
    ("logits", "target", "expected", "dim", "hint"),
    [
        ((4, 3), (1,), (4,), 1, False),  # gather would read one row and say nothing
        ((4, 3), (5,), (4,), 1, False),
        ((4, 3), (4, 1), (4,), 1, False),
        ((4, 3), (), (4,), 1, False),
        ((3,), (3,), (), 0, False),
        ((3,), (1,), (), 0, False),
        ((2, 3, 4, 5), (2,), (2, 4, 5), 1, False),
        ((2, 3, 4, 5), (2, 5, 4), (2, 4, 5), 1, False),
        ((2, 3, 4, 5), (2, 3, 4, 5), (2, 4, 5), 1, False),
        ((2, 3, 4, 5), (2, 3, 4), (2, 4, 5), 1, True),
        ((2, 7, 3), (2, 7), (2, 3), 1, True),
    ],
)
def test_wrong_shape_is_refused(
    cls: type[nn.Module],
    logits: tuple[int, ...],
    target: tuple[int, ...],
    expected: tuple[int, ...],
    dim: int,
    hint: bool,
) -> None:
    message = (
        f"target must have shape {expected} for logits of shape {logits} with the "
        f"classes in dimension {dim}, got {target}"
    )
    if hint:
        message += "; if the classes are last, pass logits.movedim(-1, 1)"
    with pytest.raises(ValueError, match=exactly(message)):
        cls()(zeros(*logits), classes(*target))


@both
def test_hint_for_classes_last_helps(cls: type[nn.Module]) -> None:
    loss = cls(reduction="none")(zeros(2, 7, 3).movedim(-1, 1), classes(2, 7))
    assert loss.shape == (2, 7)


@both
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((), "logits must have shape (K,), (N, K) or (N, K, d1, ...), got ()"),
        ((0,), "logits must have at least one class, got shape (0,)"),
        ((2, 0), "logits must have at least one class, got shape (2, 0)"),
    ],
)
def test_logits_without_classes_are_refused(
    cls: type[nn.Module], shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=exactly(message)):
        cls()(zeros(*shape), classes(*shape[:-1]))


@both
@pytest.mark.parametrize("smoothing", [0, 0.1])
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
def test_target_that_is_no_class_is_refused(
    cls: type[nn.Module],
    target: Any,
    ignore_index: int,
    at: str,
    value: int,
    smoothing: float,
) -> None:
    classes = torch.tensor(target)
    logits = zeros(*classes.shape[:1], 3, *classes.shape[1:])
    message = (
        f"target{at} is {value}, expected 0 <= target < 3 or ignore_index={ignore_index}"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        cls(smoothing, ignore_index=ignore_index)(logits, classes)


@both
def test_ignore_index_may_be_any_int(cls: type[nn.Module]) -> None:
    loss = cls(0.1, "none", ignore_index=255)(zeros(2, 3), torch.tensor([255, 0]))
    assert loss[0] == 0
    assert loss[1] == pytest.approx(math.log(3))


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (
            [1.0, 2.0],
            TypeError,
            "weight must be a floating-point tensor, got list",
        ),
        (
            torch.tensor([1, 2]),
            TypeError,
            "weight must be a floating-point tensor, got torch.int64",
        ),
        (
            torch.ones(1, 2),
            ValueError,
            "weight must have shape (num_classes,), one weight per class, got (1, 2)",
        ),
        (
            torch.tensor(1.0),
            ValueError,
            "weight must have shape (num_classes,), one weight per class, got ()",
        ),
        (
            torch.ones(2, requires_grad=True),
            ValueError,
            "weight must not require a gradient: pass weight.detach()",
        ),
        (
            nn.Parameter(torch.ones(2)),
            ValueError,
            "weight must not require a gradient: pass weight.detach()",
        ),
    ],
)
def test_wrong_weight_is_refused(
    weight: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=exactly(message)):
        LabelSmoothingLoss(weight=weight)


@pytest.mark.parametrize(("given", "ok"), [(1, False), (2, False), (3, True), (4, False)])
def test_weight_needs_one_entry_per_class(given: int, ok: bool) -> None:
    criterion = LabelSmoothingLoss(weight=torch.ones(given))
    if ok:
        assert criterion(zeros(2, 3), classes(2)).isfinite()
        return
    message = f"weight must have shape (3,), one weight per class, got ({given},)"
    with pytest.raises(ValueError, match=exactly(message)):
        criterion(zeros(2, 3), classes(2))


def test_torch_refuses_a_learned_weight_too() -> None:
    weight = torch.ones(5, requires_grad=True)
    with pytest.raises(RuntimeError, match="not differentiable"):
        F.cross_entropy(LOGITS, TARGET, weight)
