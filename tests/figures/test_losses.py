"""The bars of a loss add up to it."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from label_smoothing import figures
from label_smoothing.example import logits, target

from .builders import LOG_PROBS, PADDED, four, rectangles


@pytest.mark.parametrize(
    ("draw", "labels"), [(figures.loss_terms, target), (figures.padding, PADDED)]
)
def test_two_terms_end_at_the_loss(
    draw: Callable[..., Figure], labels: torch.Tensor
) -> None:
    (ax,) = draw(logits, labels, 0.3).axes
    drawn = dict.fromkeys(range(3), 0.0)
    for bar in rectangles(ax):
        if bar.get_facecolor()[3] > 0:  # an outline counts for nothing
            n = round(bar.get_y() + bar.get_height() / 2)
            assert bar.get_x() == pytest.approx(drawn[n])
            drawn[n] += float(bar.get_width())
    loss = F.cross_entropy(logits, labels, reduction="none", label_smoothing=0.3)
    torch.testing.assert_close(torch.tensor(list(drawn.values())), loss)


def test_the_numbers_of_the_terms_are_written_on_them() -> None:
    hard = -0.7 * LOG_PROBS[torch.arange(3), target]
    soft = -0.3 * LOG_PROBS.mean(1)
    rows = list(zip(four(hard), four(soft), four(hard + soft), strict=True))

    def shown(ax: Axes) -> list[str]:
        return [
            text.get_text().strip() for text in ax.texts if text.get_text()[-1] != "$"
        ]

    (ax,) = figures.loss_terms(logits, target, 0.3).axes
    assert shown(ax) == [number for row in rows for number in row]
    (ax,) = figures.padding(logits, PADDED, 0.3).axes
    assert shown(ax) == [*rows[0], rows[1][1], "0", *rows[2]]
    (ax,) = figures.loss_terms(logits, target, 0.0).axes
    losses = four(hard / 0.7)
    assert shown(ax) == [n for loss in losses for n in (loss, loss)]  # nothing of u


def test_the_outline_is_the_uniform_term() -> None:
    (ax,) = figures.padding(logits, PADDED, 0.3).axes
    (outline,) = (bar for bar in rectangles(ax) if bar.get_facecolor()[3] == 0)
    assert outline.get_width() == pytest.approx(-0.3 * LOG_PROBS[1].mean().item())


def test_a_sum_in_float16_is_drawn_until_it_is_inf() -> None:
    (ax,) = figures.half_sum(1000, 14).axes
    each = -torch.zeros(14, 1000).half().log_softmax(1)
    for bar, n in zip(rectangles(ax), range(1, 15), strict=True):
        total = each[:n].sum()
        assert bar.get_x() + bar.get_width() / 2 == pytest.approx(n)
        assert (bar.get_facecolor()[3] > 0) == bool(total.isfinite())
        if total.isfinite():
            assert bar.get_height() == float(total)
    assert [text.get_text() for text in ax.texts].count("inf") == 5
