"""The audit: what it says of losses whose every habit is known."""

import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from label_smoothing import (
    Audit,
    CrossEntropyLoss,
    LabelSmoothing,
    LabelSmoothingLoss,
    audit,
    convert_smoothing,
    loss_floor,
)

PADDED = "others-without-padding"


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


def row_targets(
    convention: str, classes: Tensor, num_classes: int, epsilon: float
) -> Tensor:
    """The targets, in float64; the padding is class 0."""
    delta = F.one_hot(classes, num_classes).double()
    u = 1 / num_classes
    if convention == "uniform":
        return (1 - epsilon) * delta + epsilon * u
    if convention == "normalised":
        return (delta + epsilon * u) / (1 + epsilon)
    if convention == PADDED:
        q = torch.full_like(delta, epsilon / (num_classes - 2))
        q[:, 0] = 0
    else:
        q = torch.full_like(delta, epsilon / (num_classes - 1))
    return q.where(delta == 0, 1 - epsilon)


def refuse(smoothing: float) -> None:
    if not 0 <= smoothing < 1:
        raise ValueError(smoothing)


def loss(
    logits: Tensor,
    target: Tensor,
    smoothing: float = 0.0,
    convention: str = "uniform",
    reduction: str = "mean",
    divergence: bool = False,
    careful: bool = True,
    padding_idx: int = -1,
) -> Tensor:
    """Any convention; careful about the smoothing and about shapes."""
    if careful:
        refuse(smoothing)
        assert logits.dim() == 2
    q = row_targets(convention, target, logits.shape[1], smoothing).to(logits.dtype)
    log_p = logits.log_softmax(1)
    rows = F.kl_div(log_p, q, reduction="none") if divergence else -q * log_p
    rows = rows.sum(1)
    ignored = target == padding_idx
    rows = rows.masked_fill(ignored, 0)
    return {
        "none": rows,
        "sum": rows.sum(),
        "mean": rows.sum() / (~ignored).sum(),
        "mean of all": rows.mean(),
        "mean of cells": rows.mean() / logits.shape[1],
        "half": rows.sum() / 2,
    }[reduction]


class LastDimension(nn.Module):
    """Looks for the classes in the last dimension, and checks nothing."""

    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        log_p = logits.log_softmax(-1)
        picked = log_p.gather(-1, target.unsqueeze(1)).squeeze(1)
        return -((1 - self.smoothing) * picked + self.smoothing * log_p.mean(-1)).mean()


def focal(logits: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    log_p = logits.log_softmax(1).gather(1, target[:, None])
    return (-((1 - log_p.exp()) ** gamma) * log_p).mean()


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


# --- the target and its name


@given(
    num_classes=st.integers(3, 40) | st.sampled_from((100, 1000)),
    smoothing=st.floats(0.01, 0.9),
    convention=st.sampled_from(("uniform", "others", "normalised", PADDED)),
    divergence=st.booleans(),
    reduction=st.sampled_from(("none", "mean", "sum")),
)
def test_convention_is_named(
    num_classes: int,
    smoothing: float,
    convention: str,
    divergence: bool,
    reduction: str,
) -> None:
    report = audit(
        loss,
        num_classes,
        smoothing=smoothing,
        convention=convention,
        divergence=divergence,
        reduction=reduction,
        padding_idx=0 if convention == PADDED else -1,
    )
    assert (report.convention, report.argument) == (convention, "smoothing")
    assert report.needed[convention] == pytest.approx(smoothing)
    assert report.takes == "logits, class indices"
    q = row_targets(convention, torch.tensor([1]), num_classes, smoothing)[0]
    assert report.true == pytest.approx(q[1].item())
    assert report.other == pytest.approx(q[2].item())
    assert report.reduction == reduction
    entropy = loss_floor(num_classes, smoothing, convention)
    assert report.floor == pytest.approx(0 if divergence else entropy)
    assert report.offset == pytest.approx(entropy if divergence else 0)
    padded = (0,) if convention == PADDED else ()
    assert report.padding == report.ignored == padded
    try:
        expected = convert_smoothing(smoothing, num_classes, convention, "uniform")
    except ValueError:
        expected = None
    assert report.torch_smoothing == (expected and pytest.approx(expected))
    assert (report.true < report.other) == any(
        "train towards another class" in words for words in report.suspicious
    )


@given(
    num_classes=st.integers(3, 6), smoothing=st.floats(0.01, 0.49) | st.floats(0.51, 0.9)
)
def test_what_each_convention_would_need(num_classes: int, smoothing: float) -> None:
    report = audit(lambda z, y: loss(z, y, smoothing), num_classes)
    assert (report.convention, report.argument) == (None, None)
    assert (
        list(report.needed) == ["uniform", "others", "normalised"][: len(report.needed)]
    )
    for name, value in report.needed.items():
        expected = convert_smoothing(smoothing, num_classes, "uniform", name)
        assert value == pytest.approx(expected)
    assert ("normalised" in report.needed) == (smoothing < 0.5)


def test_two_classes() -> None:
    report = audit(loss, 2, smoothing=0.1)
    assert report.convention == "uniform"
    expected = {
        "uniform": 0.1,
        "others": 0.05,
        "normalised": 1 / 9,
        "half": 0.1,
        "swap": 0.05,
    }
    assert report.needed == pytest.approx(expected)
    assert audit(loss, 2, smoothing=0.1, convention="others").convention == "others"


def test_binary_loss_behind_a_wrapper() -> None:
    def binary(logits: Tensor, target: Tensor, epsilon: float) -> Tensor:
        label = target * (1 - epsilon) + epsilon / 2
        z = logits[:, 1] - logits[:, 0]
        return F.binary_cross_entropy_with_logits(z, label.to(z.dtype))

    report = audit(binary, 2, epsilon=0.1)
    assert report.true == pytest.approx(0.95)
    assert report.torch_smoothing == pytest.approx(0.1)


def test_smoothing_that_torch_does_not_have() -> None:
    report = audit(loss, 2, smoothing=0.6, convention="others")
    assert report.convention == "others"
    assert report.torch_smoothing is None
    assert report.true == pytest.approx(0.4)
    assert "in torch" not in str(report)
    assert report.suspicious == ("rows of class 0, 1 train towards another class",)


def test_name_is_that_of_the_argument_that_fits() -> None:
    def with_more(
        z: Tensor, y: Tensor, alpha: float, beta: float, gamma: float, n: int
    ) -> Tensor:
        return loss(z, y, beta, "others")

    more = {"alpha": 0.2, "beta": 0.1, "gamma": 0.3, "n": 1}
    report = audit(with_more, 1000, **more)
    assert (report.argument, report.convention) == ("beta", "others")
    # At a thousand classes the conventions differ in the fourth digit.
    report = audit(with_more, 1000, **more | {"beta": 0.1001})
    assert report.needed["uniform"] == pytest.approx(0.1002, abs=1e-5)
    assert report.convention == "others"


def test_several_paddings_have_no_name() -> None:
    def two(z: Tensor, y: Tensor) -> Tensor:
        q = torch.full_like(z, 0.1 / 3).index_fill(1, torch.tensor([0, 4]), 0)
        q = q.scatter(1, y[:, None], 0.9)
        rows = -(q * z.log_softmax(1)).sum(1)
        return rows[(y != 0) & (y != 4)].mean()

    report = audit(two, 6)
    assert (report.padding, report.ignored) == ((0, 4), (0, 4))
    assert report.needed == {}
    assert report.torch_smoothing == pytest.approx(0.1 * 4 / 3)
    assert "padding     class 0, 4 gets no share" in str(report)


def test_padding_among_many_classes_is_found_by_its_argument() -> None:
    def padded(z: Tensor, y: Tensor, pad: int) -> Tensor:
        rows = F.cross_entropy(z, y, reduction="none", label_smoothing=0.1)
        return rows[y != pad].sum()

    for pad in (0, 17, 499, 999):
        assert audit(padded, 1000, pad=pad).ignored == (-100, pad)
    assert audit(padded, 1000, pad=1000).ignored == (-100,)
    assert audit(padded, 1000, pad=-1).ignored == (-100,)
    assert audit(padded, 10, pad=True).ignored == (-100, 1)


# --- what the loss takes


def test_probabilities() -> None:
    def dense(z: Tensor, y: Tensor) -> Tensor:
        assert y.shape == z.shape
        assert y.dtype == z.dtype
        return F.cross_entropy(z, y)

    assert audit(dense, 4).takes == "logits, probabilities"
    divergence = nn.KLDivLoss(reduction="batchmean")
    assert audit(divergence, 4).takes == "log-probabilities, probabilities"


@pytest.mark.parametrize("num_classes", [2, 3, 15, 16, 17, 18, 32])
def test_class_indices_never_pass_for_probabilities(num_classes: int) -> None:
    """N classes would, for one row of K probabilities, if N were K."""

    def dense(z: Tensor, y: Tensor) -> Tensor:
        return -(y * z.log_softmax(1)).sum(1).mean()

    report = audit(dense, num_classes)
    assert report.takes == "logits, probabilities"
    assert report.true == 1
    more = audit(lambda z, y, n: dense(z, y), num_classes, n=1)
    assert more.takes == "logits, probabilities"


@pytest.mark.parametrize("num_classes", [3, 16, 17, 50])
def test_first_and_last_class_are_tried(num_classes: int) -> None:
    tried = []

    def look(z: Tensor, y: Tensor) -> Tensor:
        if z.dim() == 2:
            tried.extend(y.tolist())
        return loss(z, y)

    audit(look, num_classes)
    assert {0, num_classes - 1} <= {*tried}
    assert len({*tried} - {-100}) == min(num_classes, 16)


def test_weights_in_float32() -> None:
    report = audit(nn.CrossEntropyLoss, 3, weight=torch.tensor([1.0, 2.0, 4.0]))
    assert report.takes == "logits, class indices"
    assert report.true == 1
    assert report.reduction == "a row counts 0.125 to 0.5"


def test_class_is_built_and_function_is_called() -> None:
    class Loss:
        def __init__(self, num_classes: int, loss: float) -> None:
            self.arguments = num_classes, loss

        def __call__(self, z: Tensor, y: Tensor) -> Tensor:
            assert self.arguments == (7, 0.3)
            return F.cross_entropy(z, y, label_smoothing=0.3)

    report = audit(Loss, 5, num_classes=7, loss=0.3)
    assert report.argument == "loss"
    assert report.torch_smoothing == pytest.approx(0.3)
    assert audit(Loss(7, 0.3), 5).needed == pytest.approx(report.needed)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (LabelSmoothing, "smoothing"),
        (LabelSmoothingLoss, "smoothing"),
        (CrossEntropyLoss, "label_smoothing"),
    ],
)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("num_classes", [2, 5, 2000])
def test_nothing_is_wrong_with_our_losses(
    module: type[nn.Module], name: str, reduction: str, num_classes: int
) -> None:
    report = audit(module, num_classes, **{name: 0.1, "reduction": reduction})
    assert report.suspicious == ()
    assert (report.convention, report.argument) == ("uniform", name)
    assert report.ignored == (-100,)
    assert report.reduction == reduction
    assert report.floor == pytest.approx(loss_floor(num_classes, 0.1))


# --- rows


@pytest.mark.parametrize(
    ("reduction", "words"),
    [
        ("mean of all", "mean over all rows, also the ignored ones"),
        ("mean of cells", "mean over rows and classes"),
        ("half", "a row counts 0.5 to 0.5"),
        ("mean", "mean"),
    ],
)
def test_reduction(reduction: str, words: str) -> None:
    report = audit(loss, 6, smoothing=0.1, reduction=reduction, padding_idx=3)
    assert report.reduction == words
    assert report.ignored == (3,)
    assert report.floor == pytest.approx(loss_floor(6, 0.1))
    assert (report.offset, report.suspicious) == (0, ())


def test_mean_of_all_rows_is_a_mean_where_none_is_ignored() -> None:
    assert audit(loss, 6, reduction="mean of all").reduction == "mean"


def test_every_row_ignored() -> None:
    report = audit(lambda z, y: (z * 0).sum(), 3)
    assert report == Audit(
        "logits, class indices", ignored=(-100, 0, 1, 2), suspicious=report.suspicious
    )
    assert "reduction" not in str(report)


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


# --- what is suspicious


def test_smoothing_that_is_taken_for_none_or_accepted() -> None:
    def odd(z: Tensor, y: Tensor, epsilon: float, most: float) -> Tensor:
        if epsilon > most:
            raise ValueError
        return loss(z, y, max(epsilon, 0), careful=False)

    def words(function: Callable[..., Any], **arguments: float) -> tuple[str, ...]:
        found = audit(function, 300, **arguments).suspicious
        return tuple(words for words in found if "epsilon" in words)

    assert words(odd, epsilon=0.25, most=1) == (
        "epsilon=-0.25 is taken for no smoothing",
    )
    assert words(odd, epsilon=0.25, most=2) == (
        "epsilon=-0.25 is taken for no smoothing",
        "epsilon=1.25 is accepted",
    )

    # Where a smoothing of zero is refused, there is nothing to compare with.
    def above_zero(z: Tensor, y: Tensor, epsilon: float) -> Tensor:
        assert epsilon
        return odd(z, y, epsilon, 1)

    assert words(above_zero, epsilon=0.25) == ("epsilon=-0.25 is accepted",)


def test_argument_that_smooths_nothing() -> None:
    def ignores(
        z: Tensor, y: Tensor, smoothing: float, alpha: float, bias: float, n: int
    ) -> Tensor:
        return loss(z, y)

    report = audit(ignores, 5, smoothing=0.1, alpha=1.0, bias=-0.1, n=0)
    assert report.suspicious == ("smoothing=0.1 smooths nothing",)
    assert (report.true, report.other, report.torch_smoothing) == (1, 0, 0)
    assert report.needed == {}
    assert audit(ignores, 5, smoothing=0.0, alpha=0.0, bias=0.0, n=0).suspicious == ()


def test_sign_that_is_wrong() -> None:
    report = audit(lambda z, y: -loss(z, y), 5)
    words = "some rows count negative: the loss moves away from its target"
    assert report.suspicious == (words,)
    assert (report.floor, report.offset) == (None, None)
    assert report.ignored == ()
    assert report.reduction == "a row counts -0.1667 to -0.1667"
    report = audit(lambda z, y: -F.cross_entropy(z, y, label_smoothing=0.1), 5)
    assert report.suspicious == (
        words,
        "26215 rows of zeros in float16 give -inf, in float32 -1.609",
    )


@pytest.mark.parametrize(
    ("smoothing", "words"),
    [
        (-0.5, ("the target has a negative probability, -0.1",)),
        (
            1.5,
            (
                "the target has a negative probability, -0.2",
                "rows of class 0, 1, 2, 3, 4 train towards another class",
            ),
        ),
    ],
)
def test_target_that_is_no_distribution(smoothing: float, words: tuple[str]) -> None:
    report = audit(lambda z, y: loss(z, y, smoothing, careful=False), 5)
    assert report.suspicious[: len(words)] == words
    assert not any("differs" in words for words in report.suspicious)
    assert report.floor is None
    assert report.torch_smoothing is None
    assert report.needed == {}
    assert report.padding == ()


@pytest.mark.parametrize(("smoothing", "said"), [(1.0, True), (0.99, False)])
def test_target_that_says_nothing(smoothing: float, said: bool) -> None:
    report = audit(F.cross_entropy, 5, label_smoothing=smoothing)
    words = "rows of class 0, 1, 2, 3, 4 train as much towards another class"
    assert (words in report.suspicious) == said


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_target_that_gives_the_true_class_nothing(dtype: torch.dtype) -> None:
    report = audit(lambda z, y: loss(z.to(dtype), y, 1.0, "others", careful=False), 5)
    assert report.true == pytest.approx(0, abs=1e-7)
    assert report.other == pytest.approx(0.25)
    words = "rows of class 0, 1, 2, 3, 4 train towards another class"
    assert report.suspicious[0] == words
    assert not any("differs" in words for words in report.suspicious)


def test_little_that_differs_between_classes() -> None:
    def prior(z: Tensor, y: Tensor) -> Tensor:
        u = torch.linspace(0.5, 1.5, 1000, dtype=z.dtype) / 1000
        return 0.99 * F.cross_entropy(z, y) - 0.01 * (z.log_softmax(1) @ u).mean()

    report = audit(prior, 1000)
    assert report.other is None
    words = "the target differs between classes, as with weights or a prior"
    assert words in report.suspicious


def test_one_other_class_is_as_much_as_the_true_one() -> None:
    def mixed(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        log_p = z.log_softmax(1)
        return -(log_p.gather(1, y[:, None]) + log_p[:, :1]).mean()

    report = audit(mixed, 3)
    assert (
        report.suspicious[0] == "rows of class 1, 2 train as much towards another class"
    )


def test_weights_that_turn_the_target() -> None:
    weight = torch.tensor([1.0, 1, 50])
    report = audit(F.cross_entropy, 3, weight=weight, label_smoothing=0.3)
    assert report.suspicious[:2] == (
        "rows of class 0, 1 train towards another class",
        "the target differs between classes, as with weights or a prior",
    )
    assert (report.true, report.other, report.torch_smoothing) == (None, None, None)
    assert report.floor > 0
    assert report.offset == 0


def test_target_that_is_uniform_leads_nowhere() -> None:
    report = audit(F.cross_entropy, 10, label_smoothing=1.0)
    assert not any("train towards another class" in words for words in report.suspicious)
    assert (report.torch_smoothing, report.convention) == (None, None)
    assert report.needed == pytest.approx({"others": 0.9})


def test_loss_that_wants_log_probabilities_after_all() -> None:
    def with_penalty(z: Tensor, y: Tensor) -> Tensor:
        return loss(z, y) + z.logsumexp(1).square().mean()

    assert audit(with_penalty, 5).takes == "log-probabilities, class indices"


@pytest.mark.parametrize(
    "tilt",
    [torch.tensor([0.1, 0.1, 0.1, 0.1, 0.6]), torch.tensor([0.21, 0.2, 0.2, 0.2, 0.19])],
)
def test_prior(tilt: Tensor) -> None:
    def with_prior(z: Tensor, y: Tensor) -> Tensor:
        assert z.dim() == 2
        q = 0.9 * F.one_hot(y, 5) + 0.1 * tilt
        return -(q * z.log_softmax(1)).sum(1).mean()

    report = audit(with_prior, 5)
    words = "the target differs between classes, as with weights or a prior"
    assert report.suspicious == (words,)
    assert report.reduction == "mean"


def test_others_that_differ_where_the_true_class_does_not() -> None:
    def neighbours(z: Tensor, y: Tensor) -> Tensor:
        assert z.dim() == 2
        q = 0.8 * F.one_hot(y, 5) + 0.15 * F.one_hot((y + 1) % 5, 5) + 0.01
        return -(q * z.log_softmax(1)).sum(1).mean()

    report = audit(neighbours, 5)
    assert report.true is None
    assert len(report.suspicious) == 1


def test_offset_of_another_size() -> None:
    report = audit(lambda z, y: loss(z, y, 0.3) - 0.25, 5)
    assert report.floor == pytest.approx(loss_floor(5, 0.3) - 0.25)
    assert report.offset == pytest.approx(0.25)
    assert "floor       0.6338 nats, H(q') - 0.2500\n" in str(report)
    above = audit(lambda z, y: loss(z, y, 0.3) + 0.25, 5)
    assert "floor       1.1338 nats, H(q') + 0.2500\n" in str(above)


def test_loss_with_classes_in_dimension_one_is_right() -> None:
    def right(z: Tensor, y: Tensor) -> Tensor:
        log_p = z.log_softmax(1)
        return -log_p.gather(1, y.unsqueeze(1)).mean()

    assert audit(right, 5).suspicious == ()


def test_loss_with_classes_last_is_right() -> None:
    def right(z: Tensor, y: Tensor, reduction: str) -> Tensor:
        rows = -z.log_softmax(-1).gather(-1, y.unsqueeze(-1)).squeeze(-1)
        return rows if reduction == "none" else rows.mean()

    for num_classes in (3, 4, 5):
        for reduction in ("none", "mean"):
            assert audit(right, num_classes, reduction=reduction).suspicious == ()


def test_loss_with_classes_in_dimension_zero_is_wrong() -> None:
    def first(z: Tensor, y: Tensor) -> Tensor:
        if z.dim() == 2:
            return F.cross_entropy(z, y)
        return F.cross_entropy(z.movedim(0, -1).reshape(-1, 2), y.flatten())

    words = "logits (2, 2, 3) with target (2, 3) give "
    assert any(found.startswith(words) for found in audit(first, 2).suspicious)


def test_shapes() -> None:
    def wrong(z: Tensor, y: Tensor) -> Tensor:
        more = z.dim() - 2
        return F.cross_entropy(z, y) + more

    shapes = [words.partition(" give ")[0] for words in audit(wrong, 5).suspicious]
    assert shapes == [
        "logits (2, 5, 3) with target (2, 3)",
        "logits (2, 5, 3, 4) with target (2, 3, 4)",
        "logits (2, 5, 5) with target (2, 5)",
        "logits (2, 5, 5, 5) with target (2, 5, 5)",
    ]
    assert len(audit(wrong, 16).suspicious) == 4
    assert len(audit(wrong, 17).suspicious) == 2


def test_rows_are_those_of_the_classes() -> None:
    """With two classes the other dimensions are as long, or longer."""
    seen = []

    def last(z: Tensor, y: Tensor) -> Tensor:
        if z.dim() > 2:
            seen.append((z, y))
        return LastDimension(0.1)(z, y)

    words = audit(last, 2).suspicious[0]
    z, y = seen[0]
    rows = F.cross_entropy(z.reshape(-1, 2), y.flatten(), label_smoothing=0.1)
    assert words == (
        "logits (2, 3, 2) with target (2, 3) give "
        f"{last(z, y).item():.4g}, flattened {rows.item():.4g}"
    )


def test_losses_that_are_reduced_in_part() -> None:
    def by_sequence(z: Tensor, y: Tensor, factor: float) -> Tensor:
        rows = F.cross_entropy(z, y, reduction="none")
        return rows if rows.dim() == 1 else factor * rows.flatten(1).sum(1)

    assert audit(by_sequence, 5, factor=1.0).suspicious == ()
    assert len(audit(by_sequence, 5, factor=2.0).suspicious) == 4

    def by_row(z: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(z, y, reduction="sum" if z.dim() == 2 else "none")

    assert audit(by_row, 5).suspicious == ()


def test_rows_whose_losses_change_places() -> None:
    def turned(z: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(z, y, reduction="none").flip(-1)

    found = audit(lambda z, y: turned(z, y) if z.dim() > 2 else turned(z, y).flip(-1), 5)
    assert len(found.suspicious) == 4


@pytest.mark.parametrize(("num_classes", "rows"), [(2, 65537), (5, 26215), (1000, 132)])
def test_half_precision(num_classes: int, rows: int) -> None:
    def overflows(z: Tensor, y: Tensor) -> Tensor:
        log_p = z.log_softmax(1)
        own = log_p.gather(1, y[:, None]).float().mean().to(z.dtype)
        return -(own + 0.1 * log_p.sum() / log_p.numel())

    (words,) = audit(overflows, num_classes).suspicious
    least = 1.1 * math.log(num_classes)
    assert words == (f"{rows} rows of zeros in float16 give inf, in float32 {least:.4g}")


def test_half_precision_of_the_rows_that_count() -> None:
    report = audit(
        F.cross_entropy, 5, label_smoothing=0.1, ignore_index=0, reduction="sum"
    )
    assert report.suspicious == (
        "label_smoothing=-0.1 is taken for no smoothing",
        "26215 rows of zeros in float16 give inf, in float32 4.219e+04",
    )


def test_half_precision_of_log_probabilities() -> None:
    def overflows(log_p: Tensor, y: Tensor) -> Tensor:
        own = log_p.gather(1, y[:, None]).float().mean().to(log_p.dtype)
        return -(own + 0.1 * log_p.sum() / log_p.numel())

    report = audit(overflows, 5)
    assert report.takes == "log-probabilities, class indices"
    words = "26215 rows of zeros in float16 give inf, in float32 1.77"
    assert report.suspicious == (words,)


def test_half_precision_that_is_refused_or_overflows_everywhere() -> None:
    def refuses(z: Tensor, y: Tensor) -> Tensor:
        assert z.dtype != torch.float16
        return loss(z, y)

    def always(z: Tensor, y: Tensor) -> Tensor:
        return loss(z, y) + (torch.inf if len(z) > 1000 else 0)

    assert audit(refuses, 5).suspicious == ()
    assert audit(always, 5).suspicious == ()


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


@pytest.mark.parametrize(
    ("function", "first"),
    [
        (lambda z, y: 0.1, "loss must return a tensor, got float"),
        (
            lambda z, y: (z.argmax(1) != y).sum(),
            "loss must be differentiable in the logits, got no gradient",
        ),
        (
            lambda z, y: 1 / 0,
            "loss failed on logits of shape (6, 5) and torch.float64, target of shape "
            "(6,) and torch.int64: ZeroDivisionError('division by zero')",
        ),
    ],
)
def test_loss_that_works_in_no_way(function: Callable[..., Any], first: str) -> None:
    message = f"loss works neither with class indices nor with probabilities: {first}"
    with pytest.raises(RuntimeError, match=exactly(message)) as caught:
        audit(function, 5)
    assert str(caught.value.__cause__) == first


def test_first_error_is_the_cause() -> None:
    dtypes = []

    def fails(z: Tensor, y: Tensor) -> Tensor:
        dtypes.append(z.dtype)
        raise ValueError(len(dtypes))

    with pytest.raises(RuntimeError, match=r"ValueError\(1\)$") as caught:
        audit(fails, 5)
    assert str(caught.value.__cause__).endswith("ValueError(1)")
    assert len(dtypes) == 8


def test_first_way_that_gives_fixed_targets_is_taken() -> None:
    def careless(z: Tensor, y: Tensor) -> Tensor:
        return loss(z.softmax(1) if z.dtype == torch.float64 else z, y, 0.1)

    report = audit(careless, 5)
    assert report.takes == "logits, class indices"
    assert (report.true, report.other) == pytest.approx((0.92, 0.02))


def in_float32(z: Tensor, y: Tensor, label_smoothing: float) -> Tensor:
    return F.cross_entropy(z.float(), y, label_smoothing=label_smoothing)


def test_rounding_below_zero_leaves_the_floor_alone() -> None:
    report = audit(in_float32, 5, label_smoothing=0.0)
    assert (report.floor, report.offset) == (0, 0)


def test_conventions_that_float32_cannot_tell_apart_have_no_name() -> None:
    report = audit(in_float32, 10000, label_smoothing=0.1)
    assert report.convention is None
    assert set(report.needed) >= {"uniform", "others"}


@pytest.mark.parametrize(("part", "name"), [(11.5, "uniform"), (10.5, None)])
def test_convention_must_fit_ten_times_better_than_the_next(
    part: float, name: str | None
) -> None:
    def loss(z: Tensor, y: Tensor, smoothing: float) -> Tensor:
        return F.cross_entropy(z, y, label_smoothing=0.1)

    # Two conventions need an ε that differs by one part in K.
    report = audit(loss, 20000, smoothing=0.1 * (1 - 1 / 20000 / part))
    assert report.convention == name


def test_argument_of_two_that_could_be_the_smoothing_has_no_name() -> None:
    def loss(z: Tensor, y: Tensor, alpha: float, label_smoothing: float) -> Tensor:
        return alpha * F.cross_entropy(z, y, label_smoothing=label_smoothing)

    assert audit(loss, 5, alpha=0.1, label_smoothing=0.1).argument is None


@pytest.mark.parametrize("loss", [F.cross_entropy, in_float32])
@pytest.mark.parametrize("smoothing", [3e-4, 1e-3])
def test_little_smoothing_is_some(loss: Callable[..., Any], smoothing: float) -> None:
    report = audit(loss, 5, label_smoothing=smoothing)
    assert report.torch_smoothing == pytest.approx(smoothing, rel=1e-3)
    assert not any("differs" in words for words in report.suspicious)


def test_loss_that_trains_nothing() -> None:
    report = audit(lambda z, y: (z * 0).sum(), 5)
    assert "no row counts: the gradient is zero" in report.suspicious


def test_loss_that_writes_into_its_logits_finds_nothing_else() -> None:
    def loss(z: Tensor, y: Tensor, label_smoothing: float) -> Tensor:
        result = F.cross_entropy(z.clone(), y, label_smoothing=label_smoothing)
        z.detach().mul_(0)
        return result

    expected = audit(F.cross_entropy, 5, label_smoothing=0.3).suspicious
    assert audit(loss, 5, label_smoothing=0.3).suspicious == expected
