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
target      0.91 true class, 0.01 each other
in torch    label_smoothing=0.1
reduction   sum
floor       0.5003 nats, H(q') as in a cross entropy
ignored     rows of class -100
suspicious  label_smoothing=-0.1 is taken for no smoothing
suspicious  13108 rows of zeros in float16 give inf, in float32 3.018e+04"""

PADDING = """\
takes       logits, class indices
convention  others-without-padding, with smoothing=0.1
target      0.9 true class, 0.0125 each other
in torch    label_smoothing=0.1125, without the padding
reduction   mean
floor       0.0000 nats, H(q') - 0.5330 as in a KL divergence
padding     class 0 gets no share
ignored     rows of class 0
suspicious  nothing found"""

UNNAMED = """\
takes       logits, class indices
convention  one of uniform 0.1111, others 0.1, normalised 0.125
target      0.9 true class, 0.01111 each other
in torch    label_smoothing=0.1111
reduction   mean
floor       0.5448 nats, H(q') as in a cross entropy
suspicious  nothing found"""

LAST = """\
takes       logits, class indices
convention  uniform, with smoothing=0.1
target      0.91 true class, 0.01 each other
in torch    label_smoothing=0.1
reduction   mean
floor       0.5003 nats, H(q') as in a cross entropy
suspicious  smoothing=-0.1 is accepted
suspicious  smoothing=1.1 is accepted
suspicious  logits (2, 3, 10) with target (2, 3) give 2.9, flattened 2.241
suspicious  logits (2, 10, 10) with target (2, 10) give 2.435, flattened 2.33
suspicious  logits (2, 10, 10, 10) with target (2, 10, 10) give 2.631, flattened 2.676"""

HARD = """\
takes       log-probabilities, class indices
target      1 true class, 0 each other
in torch    label_smoothing=0
reduction   mean
floor       0.0000 nats, H(q') as in a cross entropy
ignored     rows of class -100
suspicious  nothing found"""

WEIGHTED = """\
takes       logits, class indices
reduction   a row counts 0.1113 to 0.7585
floor       0.1710 nats, H(q') as in a cross entropy
ignored     rows of class -100
suspicious  rows of class 0, 1 train towards another class
suspicious  the target differs between classes, as with weights or a prior"""

FOCAL = """\
takes       logits, class indices
suspicious  no fixed target or scale: it depends on the logits, or there is no softmax"""


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
