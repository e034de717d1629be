"""Bars are as high as the numbers that they show."""

import itertools
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from label_smoothing import dirac_delta, figures, smooth
from label_smoothing.example import logits, target

from .builders import WEIGHT, heights, rectangles


def test_bars_are_as_high_as_the_probabilities() -> None:
    p, q = logits[0].softmax(0), torch.tensor([0.06, 0.06, 0.76, 0.06, 0.06])
    figure = figures.gradient(logits[0], target[0], 0.3)
    for ax, expected in zip(figure.axes, (p, q, p - q), strict=True):
        torch.testing.assert_close(heights(ax), expected)
    figure = figures.distribution(torch.stack((p, q)), "p")
    for ax, expected in zip(figure.axes, (p, q), strict=True):
        torch.testing.assert_close(heights(ax), expected)


def test_the_bars_of_the_mix_stack_its_two_parts() -> None:
    prior = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.1])
    figure = figures.targets(target[0], 5, 0.3, prior)
    delta, u, mix = map(heights, figure.axes)
    torch.testing.assert_close(delta, dirac_delta(target[0], 5))
    torch.testing.assert_close(u, prior)
    whole, part = mix.reshape(2, 5)  # the second is painted over the first
    torch.testing.assert_close(whole, 0.7 * delta + 0.3 * prior)
    torch.testing.assert_close(part, 0.3 * prior)
    colours = [to_rgb(bar.get_facecolor()) for bar in rectangles(figure.axes[2])[::5]]
    assert colours == [to_rgb(figures.COLOURS[symbol]) for symbol in "δu"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.targets(target[0], 5, 0.3),
        lambda: figures.gradient(logits[0], target[0], 0.3),
        lambda: figures.gradient(8 * logits[0], target[1], 0.3),
        lambda: figures.distribution(smooth(target, 5, 0.3), "q'"),
    ],
)
def test_bars_below_each_other_share_a_scale(draw: Callable[[], Figure]) -> None:
    figure = draw()
    height = float(figure.get_figheight())
    units = []
    for ax in figure.axes:
        low, high = ax.get_ylim()
        assert low <= float(heights(ax).min())
        assert high > float(heights(ax).max())
        units.append(float(ax.get_position().height) * height / (high - low))
    assert units == pytest.approx([units[0]] * len(units))


def test_who_zooms_into_one_chart_zooms_into_all() -> None:
    figure = figures.targets(target[0], 5, 0.3)
    figure.axes[1].set_xlim(1, 2)
    assert [ax.get_xlim() for ax in figure.axes] == 3 * [(1, 2)]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.targets(target[0], 5, 0.3),
        lambda: figures.gradient(logits[0], target[0], 0.3),
        lambda: figures.weighted_target(target[0], WEIGHT, 0.3),
        lambda: figures.distribution(smooth(target, 5, 0.3), "q'"),
    ],
)
def test_the_name_of_a_chart_is_beside_it(draw: Callable[[], Figure]) -> None:
    figure = draw()
    figure.draw_without_rendering()
    names = [text for text in figure.texts if text.get_text()]
    for name in names:
        box = name.get_window_extent()
        (chart,) = (
            ax for ax in figure.axes if ax.bbox.y0 <= (box.y0 + box.y1) / 2 <= ax.bbox.y1
        )
        assert 0 < box.x0 < box.x1 < chart.bbox.x0
    assert len(names) >= len(figure.axes)


def test_numbers_over_bars_have_at_most_four_decimals() -> None:
    def numbers(ax: Axes) -> list[str]:
        return [text.get_text() for text in ax.texts]

    p, q, grad = figures.gradient(logits[0], target[0], 0.3).axes
    assert numbers(p) == ["0.1577", "0.1926", "0.3176", "0.1743", "0.1577"]
    assert numbers(q) == ["0.06", "0.06", "0.76", "0.06", "0.06"]
    assert numbers(grad) == ["0.0977", "0.1326", "-0.4424", "0.1143", "0.0977"]
    weight, *_ = figures.weighted_target(target[0], WEIGHT, 0.3).axes
    assert numbers(weight) == ["1", "1", "1", "1", "13"]
    (ax,) = figures.distribution(torch.tensor([0.99999, 1e-5]), "p").axes
    assert numbers(ax) == ["1", "0"]
    *_, grad = figures.gradient(torch.tensor([12.0, 0.0]), target[2], 0.0).axes
    assert numbers(grad) == ["0", "0"]  # never minus zero


@pytest.mark.parametrize("num_classes", [2, 5, 8, 12, 13, 1000])
def test_numbers_over_bars_do_not_touch(num_classes: int) -> None:
    figure = figures.gradient(torch.linspace(-1, 1, num_classes), target[2], 0.3)
    figure.draw_without_rendering()
    for ax in figure.axes:
        boxes = [text.get_window_extent() for text in ax.texts]
        assert len(boxes) in (0, num_classes)
        for one, other in itertools.pairwise(boxes):
            assert one.x1 < other.x0


def test_the_weighted_loss_is_least_where_it_is_drawn() -> None:
    weight, q, best = map(
        heights, figures.weighted_target(target[0], WEIGHT, smoothing=0.3).axes
    )
    torch.testing.assert_close(weight, WEIGHT)
    torch.testing.assert_close(q, smooth(target[0], 5, 0.3))
    z = best.log().requires_grad_()
    loss = F.cross_entropy(z, target[0], WEIGHT, reduction="sum", label_smoothing=0.3)
    (grad,) = torch.autograd.grad(loss, z)
    torch.testing.assert_close(grad, torch.zeros(5))


@pytest.mark.parametrize(("num_classes", "convention"), [(2, "half"), (5, "uniform")])
def test_the_bars_of_the_conventions_are_what_q_leaves(
    num_classes: int, convention: str
) -> None:
    (ax,) = figures.conventions(0.3, [num_classes]).axes
    bars = dict(
        zip([t.get_text().split()[-1] for t in ax.texts[1:-1]], ax.patches, strict=True)
    )
    q = smooth(torch.tensor(0), num_classes, 0.3)
    assert bars[convention].get_width() == pytest.approx(1 - float(q[0]))
