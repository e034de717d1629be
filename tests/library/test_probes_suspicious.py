"""The audit: what it takes for a mistake."""

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from label_smoothing import audit, loss_floor

from .audited import LastDimension, in_float32, loss

NO_TARGET = "no fixed target on logits: it depends on them, or there is no softmax"


def test_smoothing_that_is_taken_for_none_or_accepted() -> None:
    def odd(z: Tensor, y: Tensor, epsilon: float, most: float) -> Tensor:
        if not epsilon <= most:
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
    assert report.reduction == "mean"
    assert report.row == pytest.approx(-1 / 6)
    assert report.target_sum is None
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
    assert report.suspicious[:2] == (
        "the target sums to 2, not to one",
        "rows of class 1, 2 train as much towards another class",
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


def test_penalty_that_log_probabilities_would_hide() -> None:
    def with_penalty(z: Tensor, y: Tensor) -> Tensor:
        return loss(z, y) + z.logsumexp(1).square().mean()

    report = audit(with_penalty, 5)
    assert report.takes == "logits, class indices"
    words = "on log-probabilities it has one, where that vanishes"
    assert report.suspicious == (f"{NO_TARGET}; {words}",)


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
        "logits (2, 5, 5) with target (2, 5)",
        "logits (2, 5, 3, 4) with target (2, 3, 4)",
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
        return -(0.9 * own + 0.1 * log_p.sum() / log_p.numel())

    (words,) = audit(overflows, num_classes).suspicious
    least = math.log(num_classes)
    assert words == (f"{rows} rows of zeros in float16 give inf, in float32 {least:.4g}")


def test_half_precision_of_log_probabilities() -> None:
    def overflows(log_p: Tensor, y: Tensor) -> Tensor:
        own = log_p.gather(1, y[:, None]).float().mean().to(log_p.dtype)
        return -(0.9 * own + 0.1 * log_p.sum() / log_p.numel())

    report = audit(overflows, 5)
    assert report.takes == "log-probabilities, class indices"
    words = "26215 rows of zeros in float16 give inf, in float32 1.609"
    assert report.suspicious == (words,)


def test_half_precision_that_is_refused_or_overflows_everywhere() -> None:
    def refuses(z: Tensor, y: Tensor) -> Tensor:
        assert z.dtype != torch.float16
        return loss(z, y)

    def always(z: Tensor, y: Tensor) -> Tensor:
        return loss(z, y) + (torch.inf if len(z) > 1000 else 0)

    assert audit(refuses, 5).suspicious == ()
    assert audit(always, 5).suspicious == ()


def test_logarithm_of_a_softmax_that_underflows() -> None:
    report = audit(lambda z, y: F.nll_loss(z.softmax(1).log(), y), 5)
    words = "a logit of -200 of the true class gives inf in float32"
    assert words in report.suspicious


def test_divisor_that_is_none_of_the_known() -> None:
    report = audit(lambda z, y: F.cross_entropy(z, y, reduction="sum") / 32, 5)
    assert (report.reduction, report.target_sum) == ("sum", None)
    words = "a row counts 0.03125, which is not what its reduction promises: sum"
    assert words in report.suspicious


def test_smoothing_that_is_applied_twice() -> None:
    def twice(z: Tensor, y: Tensor, smoothing: float) -> Tensor:
        q = (1 - smoothing) * F.one_hot(y, 10) + smoothing / 10
        return F.cross_entropy(z, q.to(z.dtype), label_smoothing=smoothing)

    words = "smoothing=0.1 is what no convention needs: in 'uniform' it would be 0.19"
    assert words in audit(twice, 10, smoothing=0.1).suspicious


@pytest.mark.parametrize("smoothing", [0.2, 0.0])
def test_default_of_an_argument_is_tried(smoothing: float) -> None:
    def set_by_default(
        z: Tensor, y: Tensor, epsilon: float = smoothing, ignore_index: int = 255
    ) -> Tensor:
        rows = F.cross_entropy(
            z, y, ignore_index=ignore_index, reduction="none", label_smoothing=epsilon
        )
        return rows.mean()

    report = audit(set_by_default, 5)
    assert report.argument == ("epsilon" if smoothing else None)
    assert 255 in report.ignored
    assert "the mean divides by ignored rows too" in report.suspicious
    tried = any("epsilon=-0.2" in words for words in report.suspicious)
    assert tried == bool(smoothing)


def test_value_that_does_not_belong_to_its_gradient() -> None:
    def detached(z: Tensor, y: Tensor) -> Tensor:
        log_p = z.log_softmax(1)
        return F.nll_loss(log_p, y) - 0.5 * log_p.detach().mean()

    (words,) = audit(detached, 5).suspicious
    assert words.endswith(": a part of it trains nothing")


@pytest.mark.parametrize("ignore_index", [0, 255])
def test_term_that_divides_by_ignored_rows(ignore_index: int) -> None:
    def halves(z: Tensor, y: Tensor, ignore_index: int) -> Tensor:
        log_p = z.log_softmax(1)
        counts = y != ignore_index
        nll = F.nll_loss(log_p, y, ignore_index=ignore_index)
        return 0.9 * nll - 0.1 * (log_p.mean(1) * counts).mean()

    words = (
        "a row more to ignore changes the target of the others: one term divides by "
        "ignored rows too"
    )
    assert words in audit(halves, 5, ignore_index=ignore_index).suspicious


def test_probabilities_are_asked_for() -> None:
    def of_probs(p: Tensor, y: Tensor) -> Tensor:
        return F.nll_loss(p.log(), y)

    report = audit(of_probs, 5)
    assert (report.takes, report.true) == ("probabilities, class indices", 1)

    def clamped(y: Tensor, p: Tensor) -> Tensor:
        return -(y * (p + 1e-7).log()).sum(1).mean()

    report = audit(clamped, 5)
    assert report.takes == "probabilities, probabilities"
    assert report.suspicious[0] == "the target comes first: loss(target, logits)"


def test_order_that_only_looks_wrong() -> None:
    report = audit(torch.nn.BCEWithLogitsLoss, 5)
    assert report.takes == "logits, probabilities"
    assert report.suspicious[0].startswith(NO_TARGET)


@pytest.mark.parametrize("draw", [random.random, np.random.rand, torch.rand])
def test_random_numbers_of_any_kind(draw: Callable[..., Any]) -> None:
    def drawn(z: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(z, y) * (draw(()) if draw is torch.rand else draw())

    (words,) = audit(drawn, 5).suspicious
    assert words.startswith("random: one input gives ")


@pytest.mark.parametrize("smoothing", [0.1, 0.3, 0.7])
@pytest.mark.parametrize("num_classes", [20000, 32000, 50257])
def test_vocabulary_in_float32(num_classes: int, smoothing: float) -> None:
    report = audit(in_float32, num_classes, label_smoothing=smoothing)
    assert report.target_sum == 1
    assert not any("sums to" in words for words in report.suspicious)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda y: y.clamp(max=8), "rows of class 9 train towards another class"),
        (
            lambda y: y.where(y != 3, 5),
            "rows of class 3 train towards another class",
        ),
        (
            lambda y: (y + 1) % 10,
            "rows of class 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 train towards another class",
        ),
    ],
)
def test_classes_that_are_changed_inside(
    wrong: Callable[[Tensor], Tensor], words: str
) -> None:
    report = audit(lambda z, y: F.cross_entropy(z.float(), wrong(y)), 10)
    assert report.takes == "logits, class indices"
    assert words in report.suspicious


def test_loss_that_settles_was_not_random() -> None:
    class Settles:
        calls = 0

        def __call__(self, z: Tensor, y: Tensor) -> Tensor:
            self.calls += 1
            smoothing = 0.1 if self.calls > 1 else 0.0
            return F.cross_entropy(z, y, label_smoothing=smoothing)

    (words,) = audit(Settles, 10).suspicious
    assert words.startswith("changes from call to call: ")


def test_loss_that_is_random_now_and_then() -> None:
    def mixed_up(z: Tensor, y: Tensor) -> Tensor:
        order = torch.randperm(len(z)) if torch.rand(()) < 0.2 else torch.arange(len(z))
        return F.cross_entropy((z + z[order]) / 2, y)

    (words,) = audit(mixed_up, 10).suspicious
    assert words.startswith(("random: ", "changes from call to call: "))


@pytest.mark.parametrize(
    "more", [{"eps": 1e-8}, {"momentum": 0.9}, {"steps": 3.0}, {"warmup_steps": 1000}]
)
def test_arguments_that_are_no_smoothing(more: dict[str, float]) -> None:
    def guarded(z: Tensor, y: Tensor, smoothing: float = 0.0, **more: float) -> Tensor:
        delta = torch.arange(10) == y[:, None]
        q = (1 - smoothing) * delta + smoothing / 10
        return -(q * z.float().log_softmax(1)).sum(1).mean()

    for smoothing in (0.0, 0.1):
        words = str(audit(guarded, 10, smoothing=smoothing, **more).suspicious)
        assert not any(name in words for name in more)
        assert "1000" not in words


def test_target_with_few_classes_has_no_padding() -> None:
    def neighbour(z: Tensor, y: Tensor) -> Tensor:
        log_p = z.log_softmax(1)
        following = (y + 1) % z.shape[1]
        return 0.9 * F.nll_loss(log_p, y) + 0.1 * F.nll_loss(log_p, following)

    report = audit(neighbour, 1000)
    assert report.padding == ()
    assert len(report.suspicious) < 5


def test_factor_in_front() -> None:
    def scaled(z: Tensor, y: Tensor, factor: float, smoothing: float) -> Tensor:
        return factor * F.cross_entropy(z.float(), y, label_smoothing=smoothing)

    report = audit(scaled, 5, factor=0.5, smoothing=0.1)
    words = "the target sums to 0.5, not to one: or the loss is multiplied by 0.5"
    assert words in report.suspicious
    for factor in (1000.0, 65536.0):
        report = audit(scaled, 5, factor=factor, smoothing=0.1)
        assert report.offset == 0
        assert not any("trains nothing" in words for words in report.suspicious)


def test_least_loss_is_found_by_descent() -> None:
    def tilted(z: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(z, y) - z.logsumexp(1).detach().square().mean()

    report = audit(tilted, 5)
    assert report.floor is not None
    assert report.floor < -1
    assert f"the least loss is {report.floor:.4g}: a part of it trains nothing" in (
        report.suspicious
    )


def test_limit_at_a_scale_of_30() -> None:
    report = audit(lambda z, y: F.cross_entropy(z.clamp(-40, 40), y), 5)
    words = "for strong logits it is another loss: at a scale of 30"
    assert words in report.suspicious


def test_padding_may_be_the_number_of_classes() -> None:
    def padded(z: Tensor, y: Tensor, pad_id: int) -> Tensor:
        return F.cross_entropy(z, y, ignore_index=pad_id, reduction="none").mean()

    report = audit(padded, 10, pad_id=10)
    assert report.ignored == (10,)
    assert "the mean divides by ignored rows too" in report.suspicious


def test_target_that_comes_first_and_a_penalty() -> None:
    def penalised(y: Tensor, z: Tensor) -> Tensor:
        return F.cross_entropy(z, y) + 0.1 * z.logsumexp(1).square().mean()

    assert audit(penalised, 5).suspicious[:2] == (
        "the target comes first: loss(target, logits)",
        f"{NO_TARGET}; on log-probabilities it has one, where that vanishes",
    )


def test_error_in_the_middle() -> None:
    def refuses_zeros(z: Tensor, y: Tensor) -> Tensor:
        if not z.any():
            raise StopIteration
        return F.cross_entropy(z, y)

    with pytest.raises(RuntimeError, match=r"^loss failed in the audit: StopIteration"):
        audit(refuses_zeros, 5)


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
