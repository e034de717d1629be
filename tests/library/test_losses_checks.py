"""The checks in losses.py: what the losses refuse, ours and the one in one pass."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from label_smoothing import (
    CrossEntropyLoss,
    LabelSmoothing,
    LabelSmoothingLoss,
    cross_entropy,
    dirac_delta,
    fast,
    pick,
    smooth,
)
from label_smoothing.example import logits as LOGITS
from label_smoothing.example import target as TARGET
from label_smoothing.losses import check_smoothing

from .fast_calls import CHUNK, SMALL
from .inputs import CLASSES, both, classes, exactly, zeros


class Loss(NamedTuple):
    """A loss, and how it names what it gets."""

    make: Callable[..., Any]
    smoothing: str = "smoothing"
    most: str = "< 1"
    logits: str = "logits"
    size: tuple[int, int] = SMALL, CHUNK

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        if self.make is cross_entropy:
            return cross_entropy(logits, target, **options)
        return self.make(**options)(logits, target)


LOSSES = {
    "LabelSmoothing": Loss(LabelSmoothing),
    "LabelSmoothingLoss": Loss(LabelSmoothingLoss),
    **{
        f"{make.__name__}, {way}": Loss(make, "label_smoothing", "<= 1", "input", size)
        for make in (CrossEntropyLoss, cross_entropy)
        for way, size in {"long way": (0, 1), "as shipped": (SMALL, CHUNK)}.items()
    },
}


@pytest.fixture(params=LOSSES.values(), ids=LOSSES)
def loss(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Loss:
    for name, value in zip(("SMALL", "CHUNK"), request.param.size, strict=True):
        monkeypatch.setattr(fast, name, value)
    return request.param


# --- options


def check_refused(loss: Loss, name: str, value: Any, error: Any, message: str) -> None:
    """Check that an option is refused by each call, and by a module when it is made."""
    with pytest.raises(error, match=exactly(message)):
        loss(LOGITS, TARGET, **{name: value})
    if loss.make is cross_entropy:
        return
    with pytest.raises(error, match=exactly(message)):
        loss.make(**{name: value})
    criterion = loss.make()
    setattr(criterion, name, value)
    with pytest.raises(error, match=exactly(message)):
        criterion(LOGITS, TARGET)


@pytest.mark.parametrize("value", [-0.1, 1.1, 1.7, 2, Fraction(3, 2), math.nan])
def test_smoothing_out_of_range_is_refused(loss: Loss, value: Any) -> None:
    name = loss.smoothing
    message = f"{name} must satisfy 0 <= {name} {loss.most}, got {value}"
    check_refused(loss, name, value, ValueError, message)


@both
@pytest.mark.parametrize("value", [1, 1.0, True])
def test_smoothing_of_one_is_refused_by_our_losses(cls: Any, value: Any) -> None:
    message = f"smoothing must satisfy 0 <= smoothing < 1, got {value}"
    check_refused(Loss(cls), "smoothing", value, ValueError, message)


def test_one_is_refused_unless_it_may_be_given() -> None:
    assert check_smoothing(1, may_be_one=True) is None
    message = "smoothing must satisfy 0 <= smoothing < 1, got 1"
    with pytest.raises(ValueError, match=exactly(message)):
        check_smoothing(1)


@pytest.mark.parametrize(("value", "got"), [("0.1", "str"), (None, "NoneType")])
def test_smoothing_that_is_no_number_is_refused(loss: Loss, value: Any, got: str) -> None:
    message = f"{loss.smoothing} must be a number, got {got}"
    check_refused(loss, loss.smoothing, value, TypeError, message)


@pytest.mark.parametrize("value", ["average", "elementwise_mean", None])
def test_unknown_reduction_is_refused(loss: Loss, value: Any) -> None:
    message = f"reduction must be one of ('none', 'mean', 'sum'), got {value!r}"
    check_refused(loss, "reduction", value, ValueError, message)


@pytest.mark.parametrize(
    ("value", "got"), [(2.0, "float"), (None, "NoneType"), (True, "bool")]
)
def test_ignore_index_that_is_no_int_is_refused(loss: Loss, value: Any, got: str) -> None:
    message = f"ignore_index must be an int, got {got}"
    check_refused(loss, "ignore_index", value, TypeError, message)


# --- types


@pytest.mark.parametrize(
    ("logits", "words"),
    [
        (zeros(2, 3, dtype=torch.int64), "be floating point, got torch.int64"),
        (zeros(2, 3, dtype=torch.bool), "be floating point, got torch.bool"),
        (zeros(2, 3, dtype=torch.complex64), "be floating point, got torch.complex64"),
        ([[0.0, 1.0], [1.0, 0.0]], "be floating point, got list"),
        (
            zeros(2, 3).to(torch.float8_e5m2),
            "have 16 bits or more, got torch.float8_e5m2",
        ),
        (
            zeros(2, 3).to(torch.float8_e4m3fn),
            "have 16 bits or more, got torch.float8_e4m3fn",
        ),
    ],
)
def test_wrong_type_of_logits_is_refused(loss: Loss, logits: Any, words: str) -> None:
    with pytest.raises(TypeError, match=exactly(f"{loss.logits} must {words}")):
        loss(logits, classes(2))


@both
@pytest.mark.parametrize(
    ("target", "got"),
    [
        (zeros(2), "torch.float32"),
        (zeros(2, dtype=torch.bool), "torch.bool"),
        (zeros(2, dtype=torch.int32), "torch.int32"),
        (zeros(2, 3), "torch.float32"),  # probabilities
        ([0, 1], "list"),
    ],
)
def test_wrong_type_of_target_is_refused(
    cls: type[nn.Module], target: Any, got: str
) -> None:
    message = CLASSES + got
    with pytest.raises(TypeError, match=exactly(message)):
        cls()(zeros(2, 3), target)


# --- shapes


@pytest.mark.parametrize(
    ("logits", "target", "expected", "dim", "classes_last"),
    [
        ((4, 3), (1,), (4,), 1, False),  # gather would read one row and say nothing
        ((4, 3), (5,), (4,), 1, False),
        ((4, 3), (4, 1), (4,), 1, False),
        ((4, 3), (4, 3), (4,), 1, False),
        ((4, 3), (), (4,), 1, False),
        ((3,), (3,), (), 0, False),
        ((3,), (1,), (), 0, False),  # torch takes it, but not with smoothing
        ((2, 3, 4, 5), (2,), (2, 4, 5), 1, False),
        ((2, 3, 4, 5), (2, 5, 4), (2, 4, 5), 1, False),
        ((2, 3, 4, 5), (2, 3, 4, 5), (2, 4, 5), 1, False),
        ((2, 3, 4, 5), (2, 3, 4), (2, 4, 5), 1, True),
        ((2, 7, 3), (2, 7), (2, 3), 1, True),
    ],
)
def test_wrong_shape_is_refused(
    loss: Loss,
    logits: tuple[int, ...],
    target: tuple[int, ...],
    expected: tuple[int, ...],
    dim: int,
    classes_last: bool,
) -> None:
    message = (
        f"target must have shape {expected} for {loss.logits} of shape {logits} with the "
        f"classes in dimension {dim}, got {target}"
    )
    ours = loss.logits == "logits"
    if ours and classes_last:
        message += "; if the classes are last, pass logits.movedim(-1, 1)"
    for dtype in (torch.int64, torch.uint8):
        with pytest.raises(ValueError, match=exactly(message)):
            loss(zeros(*logits), zeros(*target, dtype=dtype))


@both
def test_hint_for_classes_last_helps(cls: type[nn.Module]) -> None:
    loss = cls(reduction="none")(zeros(2, 7, 3).movedim(-1, 1), classes(2, 7))
    assert loss.shape == (2, 7)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((), "have shape (K,), (N, K) or (N, K, d1, ...), got ()"),
        ((0,), "have at least one class, got shape (0,)"),
        ((2, 0), "have at least one class, got shape (2, 0)"),
        ((2, 0, 3), "have at least one class, got shape (2, 0, 3)"),
    ],
)
def test_logits_without_classes_are_refused(
    loss: Loss, shape: tuple[int, ...], words: str
) -> None:
    targets = [classes(*shape[:1], *shape[2:]), classes(*shape[:-1])]
    if loss.logits == "input":
        targets.append(zeros(*shape))
    for target in targets:
        with pytest.raises(ValueError, match=exactly(f"{loss.logits} must {words}")):
            loss(zeros(*shape), target)


# --- classes


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
    loss: Loss, target: Any, ignore_index: int, at: str, value: int, smoothing: float
) -> None:
    y = torch.tensor(target)
    message = (
        f"target{at} is {value}, expected 0 <= target < 3 or ignore_index={ignore_index}"
    )
    options = {"ignore_index": ignore_index, loss.smoothing: smoothing}
    for requires_grad in (False, True):
        logits = zeros(*y.shape[:1], 3, *y.shape[1:]).requires_grad_(requires_grad)
        with pytest.raises(IndexError, match=exactly(message)):
            loss(logits, y, **options)


@both
def test_ignore_index_may_be_any_int(cls: type[nn.Module]) -> None:
    loss = cls(0.1, "none", ignore_index=255)(zeros(2, 3), torch.tensor([255, 0]))
    assert loss[0] == 0
    assert loss[1] == pytest.approx(math.log(3))


ROWS = torch.zeros(2, 3)
TAKE_TARGETS = {
    "LabelSmoothing": lambda target: LabelSmoothing(0.1)(ROWS, target),
    "LabelSmoothingLoss": lambda target: LabelSmoothingLoss(0.1)(ROWS, target),
    "cross_entropy": lambda target: cross_entropy(ROWS, target),
    "CrossEntropyLoss": lambda target: CrossEntropyLoss()(ROWS, target),
    "dirac_delta": lambda target: dirac_delta(target, 3),
    "smooth": lambda target: smooth(target, 3, 0.1),
    "pick": lambda target: pick(ROWS, target),
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
        with pytest.raises(IndexError, match=words):
            function(held([0, value]))


# --- weights


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
