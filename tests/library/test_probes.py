"""The audit: what it finds out of a loss: its target, its rows, its arguments."""

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

from .audited import PADDED, in_float32, loss, row_targets
from .inputs import exactly

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
    assert report.reduction == "mean, in which a row counts 0.125 to 0.5"
    assert (report.row, report.target_sum) == (None, None)


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
    ("reduction", "words", "total", "share", "suspicious"),
    [
        (
            "mean of all",
            "mean over all rows, also the ignored ones",
            1,
            6 / 7,
            "the mean divides by ignored rows too",
        ),
        (
            "mean of cells",
            "mean over all rows and classes, also the ignored ones",
            1,
            1 / 7,
            "the mean divides by ignored rows too",
        ),
        ("half", "sum", 0.5, 0.5, "the target sums to 0.5, not to one"),
        ("mean", "mean", 1, 1, None),
    ],
)
def test_reduction(
    reduction: str, words: str, total: float, share: float, suspicious: str | None
) -> None:
    report = audit(loss, 6, smoothing=0.1, reduction=reduction, padding_idx=3)
    assert report.reduction == words
    assert report.target_sum == pytest.approx(total)
    assert report.ignored == (3,)
    assert report.floor == pytest.approx(share * loss_floor(6, 0.1))
    assert report.offset == 0
    found = report.suspicious
    assert not found if suspicious is None else found[0].startswith(suspicious)


def test_mean_of_all_rows_is_a_mean_where_none_is_ignored() -> None:
    assert audit(loss, 6, reduction="mean of all").reduction == "mean"


def test_every_row_ignored() -> None:
    report = audit(lambda z, y: (z * 0).sum(), 3)
    assert report == Audit(
        "logits, class indices",
        ignored=(-100, 0, 1, 2),
        suspicious=report.suspicious,
        tried=report.tried,
        not_tried=report.not_tried,
    )
    assert "reduction" not in str(report)


def test_first_way_that_gives_fixed_targets_is_taken() -> None:
    def careless(z: Tensor, y: Tensor) -> Tensor:
        if z.dtype == torch.float64:
            raise TypeError
        return loss(z, y, 0.1)

    report = audit(careless, 5)
    assert report.takes == "logits, class indices"
    assert (report.true, report.other) == pytest.approx((0.92, 0.02))


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
    def fails(z: Tensor, y: Tensor) -> Tensor:
        raise ValueError(z.dtype, y.dtype)

    with pytest.raises(RuntimeError, match=r"torch.int64\)$") as caught:
        audit(fails, 5)
    assert "ValueError(torch.float64, torch.int64)" in str(caught.value.__cause__)
