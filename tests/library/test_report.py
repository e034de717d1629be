"""The audit: what is printed, its form, and its errors."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from label_smoothing import LabelSmoothing, audit

from .audited import PADDED, LastDimension, focal, loss
from .inputs import exactly

# --- what is printed

TORCH = """\
takes       logits, class indices
convention  uniform, with label_smoothing=0.1
target      0.91 true class, 0.01 each other, sum 1
in torch    label_smoothing=0.1
reduction   sum
floor       0.5003 nats, H(q') as in a cross entropy
ignored     rows of class -100
suspicious  label_smoothing=-0.1 is taken for no smoothing
suspicious  label_smoothing=nan is taken for no smoothing
suspicious  13108 rows of zeros in float16 give inf, in float32 3.018e+04
tried       twice, reordered, class -100, strong logits, a logit of -200,
            label_smoothing=-0.1, 1.1 and nan, sequences, images, float16"""

PADDING = """\
takes       logits, class indices
convention  others-without-padding, with smoothing=0.1
target      0.9 true class, 0.0125 each other, sum 1
in torch    label_smoothing=0.1125, without the padding
reduction   mean
floor       0.0000 nats, H(q') - 0.5330 as in a KL divergence
padding     class 0 gets no share
ignored     rows of class 0
suspicious  nothing found
not tried   class -100 (RuntimeError), sequences (AssertionError), images
            (AssertionError)
tried       twice, reordered, class 0, strong logits, a logit of -200,
            smoothing=-0.1, 1.1 and nan, float16"""

UNNAMED = """\
takes       logits, class indices
convention  one of uniform 0.1111, others 0.1, normalised 0.125
target      0.9 true class, 0.01111 each other, sum 1
in torch    label_smoothing=0.1111
reduction   mean
floor       0.5448 nats, H(q') as in a cross entropy
suspicious  nothing found
not tried   class -100 (RuntimeError), sequences (AssertionError), images
            (AssertionError)
tried       twice, reordered, strong logits, a logit of -200, float16"""

LAST = """\
takes       logits, class indices
convention  uniform, with smoothing=0.1
target      0.91 true class, 0.01 each other, sum 1
in torch    label_smoothing=0.1
reduction   mean
floor       0.5003 nats, H(q') as in a cross entropy
suspicious  smoothing=-0.1 is accepted
suspicious  smoothing=1.1 is accepted
suspicious  smoothing=nan is accepted
suspicious  logits (2, 3, 10) with target (2, 3) give 2.9, flattened 2.241
suspicious  logits (2, 10, 10) with target (2, 10) give 2.739, flattened 2.852
suspicious  logits (2, 10, 10, 10) with target (2, 10, 10) give 2.889, flattened 2.794
not tried   class -100 (RuntimeError)
tried       twice, reordered, strong logits, a logit of -200, smoothing=-0.1,
            1.1 and nan, sequences, images, float16"""

HARD = """\
takes       log-probabilities, class indices
target      1 true class, 0 each other, sum 1
in torch    label_smoothing=0
reduction   mean
floor       0.0000 nats, H(q') as in a cross entropy
ignored     rows of class -100
suspicious  nothing found
tried       twice, reordered, class -100, strong logits, a logit of -200,
            sequences, images, float16"""

WEIGHTED = """\
takes       logits, class indices
reduction   mean, in which a row counts 0.1113 to 0.7585
floor       0.1868 nats, H(q') as in a cross entropy
ignored     rows of class -100
suspicious  rows of class 0, 1 train towards another class
suspicious  the target differs between classes, as with weights or a prior
suspicious  label_smoothing=-0.3 is taken for no smoothing
suspicious  label_smoothing=nan is taken for no smoothing
not tried   float16 (RuntimeError)
tried       twice, reordered, class -100, strong logits, a logit of -200,
            label_smoothing=-0.3, 1.3 and nan, sequences, images"""

FOCAL = """\
takes       logits, class indices
suspicious  no fixed target on logits: it depends on them, or there is no softmax
tried       twice, reordered, sequences, images, float16"""


@pytest.mark.parametrize(
    ("function", "num_classes", "arguments", "printed"),
    [
        (F.cross_entropy, 10, {"label_smoothing": 0.1, "reduction": "sum"}, TORCH),
        (
            loss,
            10,
            {
                "smoothing": 0.1,
                "convention": PADDED,
                "divergence": True,
                "padding_idx": 0,
            },
            PADDING,
        ),
        (lambda z, y: loss(z, y, 0.1, "others"), 10, {}, UNNAMED),
        (LastDimension, 10, {"smoothing": 0.1}, LAST),
        (F.nll_loss, 10, {}, HARD),
        (
            F.cross_entropy,
            3,
            {"weight": torch.tensor([1.0, 1, 50]), "label_smoothing": 0.3},
            WEIGHTED,
        ),
        (focal, 10, {}, FOCAL),
    ],
    ids=["torch", "padding", "unnamed", "last", "hard", "weighted", "focal"],
)
def test_printed_report(
    function: Callable[..., Any],
    num_classes: int,
    arguments: dict[str, Any],
    printed: str,
) -> None:
    assert str(audit(function, num_classes, **arguments)) == printed


# --- errors, and the form of the report


def test_report_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        audit(F.cross_entropy, 5).takes = "all"


def test_num_classes_is_checked() -> None:
    with pytest.raises(TypeError, match=exactly("num_classes must be an int, got str")):
        audit(F.cross_entropy, "5")
    with pytest.raises(
        ValueError, match=exactly("num_classes must be at least 2, got 1")
    ):
        audit(F.cross_entropy, 1)


def test_loss_must_be_callable() -> None:
    message = exactly("loss must be a class or a function, got str")
    with pytest.raises(TypeError, match=message):
        audit("cross_entropy", 5)


def test_error_of_building_passes_through() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'smothing'"):
        audit(LabelSmoothing, 5, smothing=0.1)


def test_rows_of_the_usual_ignore_index_that_are_not_ignored() -> None:
    def clamped(z: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(z, y.clamp(min=0), label_smoothing=0.1)

    report = audit(clamped, 5)
    assert "rows of class -100 are not ignored" in report.suspicious
    assert report.true == pytest.approx(0.92)
    assert report.reduction == "mean"
    # Not even by a loss that moves away from their target.
    report = audit(lambda z, y: -clamped(z, y), 5)
    assert "rows of class -100 are not ignored" in report.suspicious


def test_half_precision_of_the_rows_that_count() -> None:
    report = audit(
        F.cross_entropy, 5, label_smoothing=0.1, ignore_index=0, reduction="sum"
    )
    assert report.suspicious == (
        "label_smoothing=-0.1 is taken for no smoothing",
        "label_smoothing=nan is taken for no smoothing",
        "26215 rows of zeros in float16 give inf, in float32 4.219e+04",
    )


def test_half_precision_of_a_loss_that_moves_away_from_its_target() -> None:
    def negative(z: Tensor, y: Tensor) -> Tensor:
        return -F.cross_entropy(z, y, label_smoothing=0.1, reduction="sum")

    words = "26215 rows of zeros in float16 give -inf, in float32 -4.219e+04"
    assert words in audit(negative, 5).suspicious


def test_a_loss_that_ends_above_the_entropy() -> None:
    report = audit(lambda z, y: F.cross_entropy(z, y, label_smoothing=0.3) + 1, 5)
    assert "floor       1.8838 nats, H(q') + 1.0000\n" in str(report)


# --- how a loss is called


def test_what_is_passed_in_is_left_as_it_was() -> None:
    class Counts(torch.nn.Module):
        calls = 0

        def forward(self, z: Tensor, y: Tensor) -> Tensor:
            self.calls += 1
            return F.cross_entropy(z, y)

    counts = Counts()
    assert audit(counts, 5).suspicious == ()
    assert counts.calls == 0


def test_what_cannot_be_copied_is_told() -> None:
    class Kept:
        def __call__(self, z: Tensor, y: Tensor) -> Tensor:
            return F.cross_entropy(z, y)

        def __deepcopy__(self, memo: dict[int, Any]) -> "Kept":
            raise TypeError

    report = audit(Kept(), 5)
    words = "a copy of the loss: what it keeps may have changed (TypeError)"
    assert report.not_tried == (words,)
    assert report.suspicious == ()


def test_random_numbers_of_the_caller_stay_its_own() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    audit(lambda z, y: F.cross_entropy(F.dropout(z), y), 5)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_default_device_is_not_that_of_the_loss(device: str) -> None:
    expected = str(audit(LabelSmoothing, 5, smoothing=0.3))
    with torch.device(device):
        assert str(audit(LabelSmoothing, 5, smoothing=0.3)) == expected


def test_number_of_rows() -> None:
    seen = []

    def splits(z: Tensor, y: Tensor) -> Tensor:
        seen.append(len(z))
        first, second, third = z.reshape(3, -1, z.shape[1])
        return F.cross_entropy((first + second + third) / 3, y[: len(first)])

    place = "goes by place: a row that moves in the batch is counted otherwise"
    assert audit(splits, 5).suspicious == (place,)
    assert {*seen} == {6}
    seen.clear()
    assert audit(splits, 10).suspicious == (place,)
    assert {*seen} == {11, 12}
    seen.clear()
    assert audit(splits, 10, 9).suspicious == (place,)
    assert {*seen} == {9}


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ("12", TypeError, "rows must be an int, got str"),
        (True, TypeError, "rows must be an int, got bool"),
        (1, ValueError, "rows must be at least 2, got 1"),
    ],
)
def test_rows_are_checked(rows: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=exactly(message)):
        audit(F.cross_entropy, 5, rows)


@pytest.mark.parametrize(
    ("pick", "options"),
    [
        (lambda loss, z: (z, loss), "--returns 1"),
        (lambda loss, z: {"z": z, "all": loss}, "--returns all"),
    ],
)
def test_option_that_would_help_is_named(
    pick: Callable[[Tensor, Tensor], Any], options: str
) -> None:
    words = f"^the command can audit it with {options}; as it is, loss works neither"

    def flat(z: Tensor, y: Tensor, smoothing: float) -> Any:
        assert z.dim() == 2
        return pick(F.cross_entropy(z, y, label_smoothing=smoothing), z)

    with pytest.raises(RuntimeError, match=words):
        audit(flat, 5, smoothing=0.1)

    class OfTokens:
        def __init__(self, smoothing: float) -> None:
            self.smoothing = smoothing

        def __call__(self, z: Tensor, y: Tensor) -> Any:
            _, _, num_classes = z.shape
            return flat(z.reshape(-1, num_classes), y.reshape(-1), self.smoothing)

    words = f"^the command can audit it with --layout NTV {options}; as it is, loss works"
    with pytest.raises(RuntimeError, match=words):
        audit(OfTokens, 5, smoothing=0.1)


def test_number_of_rows_that_would_help_is_named() -> None:
    def by_sevens(z: Tensor, y: Tensor) -> Tensor:
        assert len(z) % 7 == 0
        return F.cross_entropy(z, y)

    words = "^the command can audit it with --rows 7; as it is, loss works neither"
    with pytest.raises(RuntimeError, match=words):
        audit(by_sevens, 5)
    assert audit(by_sevens, 5, 14).true == 1


def test_loss_among_what_is_returned_is_the_one_of_that_name() -> None:
    def both(z: Tensor, y: Tensor) -> dict[str, Tensor]:
        plain = F.cross_entropy(z, y)
        return {"plain": plain, "loss": plain + F.cross_entropy(z, y)}

    with pytest.raises(RuntimeError, match=r"^the command can audit it with --returns l"):
        audit(both, 5)


def test_state_that_shows_after_many_calls() -> None:
    calls = []

    def tires(z: Tensor, y: Tensor) -> Tensor:
        calls.append(0)
        return F.cross_entropy(z, y, label_smoothing=0.1 if len(calls) > 15 else 0.0)

    (words,) = audit(tires, 5).suspicious
    assert words.startswith("changes from call to call: ")
