"""Curves run where the losses are."""

import pytest
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes

from label_smoothing import dirac_delta, figures, smooth, uniform
from label_smoothing.example import logits, target

from .builders import above, curve


def test_the_curves_of_the_flip_are_where_the_weighted_loss_is_least() -> None:
    (ax,) = figures.weight_flip(5, 0.3).axes
    (ratio, true), (_, other) = (curve(ax, n) for n in (0, 2))
    for n in (0, 50, 399):
        weight = torch.ones(5, dtype=torch.float64)
        weight[1] = ratio[n]
        rest = (1 - true[n] - other[n]) / 3
        z = torch.stack([true[n], other[n], rest, rest, rest]).log()
        z = z.clamp(min=-100).requires_grad_()  # a weight of zero
        loss = F.cross_entropy(
            z, torch.tensor(0), weight, reduction="sum", label_smoothing=0.3
        )
        (grad,) = torch.autograd.grad(loss, z)
        torch.testing.assert_close(grad, torch.zeros_like(z))


def test_the_flip_is_marked_where_the_curves_cross() -> None:
    (ax,) = figures.weight_flip(5, 0.3).axes
    (ratio, true), (_, other) = (curve(ax, n) for n in (0, 2))
    (turn, _), _ = curve(ax, 4)
    assert float(turn) == pytest.approx(5 * 0.7 / 0.3 + 1)
    assert torch.equal(ratio > turn, other > true)
    marks = [tuple(map(float, curve(ax, n))) for n in (1, 3)]
    assert marks == [(1, pytest.approx(0.76)), (1, pytest.approx(0.06))]
    assert not any(ax.lines[n].get_clip_on() for n in (1, 3))


def heights_of_lines(ax: Axes) -> list[float]:
    """Return where the lines run that are level."""
    return [
        float(y[0])
        for x, y in (line.get_data() for line in ax.lines)
        if len(y) == 2 and y[0] == y[1]
    ]


def test_lines_are_where_their_numbers_say() -> None:
    (ax,) = figures.softmax_twice(5).axes
    _, twice = curve(ax, 1)
    (stop,) = heights_of_lines(ax)
    assert stop == pytest.approx(float(twice[-1]), abs=1e-4)
    (ax,) = figures.half_sum(1000, 14).axes
    assert heights_of_lines(ax) == [65504]
    (ax,) = figures.floor(5, 0.3).axes
    (best,), (least,) = curve(ax, 3)
    x, y = curve(ax, 2)  # from the mark down to the axis
    assert (x.tolist(), y.tolist()) == ([best, best], [least, 0])
    (ax,) = figures.mix(5, 0.3).axes
    x, y = curve(ax, 2)  # through both marks
    assert (x.tolist(), y.tolist()) == ([0.3, 0.3], [0, 1])


def test_the_mix_is_a_straight_line_in_epsilon() -> None:
    (ax,) = figures.mix(5, 0.3).axes
    for n, at in ((0, 0), (1, 1)):  # the true class, another class
        _, ends = curve(ax, n)
        hard, soft = dirac_delta(torch.tensor(0), 5)[at], uniform(5)[at]
        torch.testing.assert_close(ends.float(), torch.stack((hard, soft)))
        x, y = curve(ax, 3 + n)
        assert float(x) == 0.3
        torch.testing.assert_close(y.float()[0], smooth(torch.tensor(0), 5, 0.3)[at])


@pytest.mark.parametrize(("n", "smoothing"), [(0, 0.0), (1, 0.3)])
def test_the_curves_of_the_floor_are_the_losses(n: int, smoothing: float) -> None:
    (ax,) = figures.floor(5, 0.3).axes
    gap, drawn = curve(ax, n)
    loss = F.cross_entropy(
        above(gap, 5),
        torch.zeros(len(gap)).long(),
        reduction="none",
        label_smoothing=smoothing,
    )
    torch.testing.assert_close(drawn, loss)


def test_the_floor_is_marked_at_the_least_loss() -> None:
    (ax,) = figures.floor(5, 0.3).axes
    gap, loss = curve(ax, 1)
    best, least = (float(v) for v in curve(ax, 3))
    assert 0 <= float(loss.min()) - least < 1e-4
    assert abs(float(gap[loss.argmin()]) - best) <= float(gap[1] - gap[0])


def test_the_curves_of_the_excess_are_the_loss_without_and_with_its_floor() -> None:
    (ax,) = figures.excess(5, 0.3, 20).axes
    (step, loss), (_, over) = curve(ax, 0), curve(ax, 1)
    assert step.tolist() == list(range(21))
    z = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    q = smooth(torch.tensor(0), 5, 0.3).double()
    for n in range(21):
        expected = F.cross_entropy(z, torch.tensor(0), label_smoothing=0.3)
        torch.testing.assert_close(loss[n], expected.detach())
        kl = F.kl_div(z.detach().log_softmax(0), q, reduction="sum")
        assert float(over[n]) == pytest.approx(float(kl), abs=1e-6)
        z.data -= torch.autograd.grad(expected, z)[0]
    assert ax.get_yscale() == "log"
    assert ax.get_xlim() == (0, 20)


def test_an_excess_that_is_rounding_from_the_start_can_be_drawn() -> None:
    (ax,) = figures.excess(5, 1 - 2**-23, 3).axes
    assert ax.get_xlim() == (0, 1)


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize(("n", "smoothing"), [(0, 0.0), (1, 0.3)])
def test_the_curves_of_a_masked_class_are_the_losses(
    n: int, smoothing: float, num_classes: int
) -> None:
    (ax,) = figures.masked(num_classes, 0.3).axes
    logit, drawn = curve(ax, n)
    assert [float(logit[0]), float(logit[-1])] == [0, -100]
    loss = F.cross_entropy(
        logit[:, None] * F.one_hot(torch.tensor(num_classes - 1), num_classes),
        torch.zeros(len(logit)).long(),
        reduction="none",
        label_smoothing=smoothing,
    )
    torch.testing.assert_close(drawn, loss)


@pytest.mark.parametrize(
    ("n", "convention"), [(0, 0.0), (1, 0.3), (4, 0.6)], ids=("hard", "half", "swap")
)
def test_the_binary_curves_are_losses_of_two_classes(n: int, convention: float) -> None:
    (ax,) = figures.binary(0.3).axes
    z, drawn = curve(ax, n)
    loss = F.cross_entropy(
        torch.stack((torch.zeros_like(z), z), 1),
        torch.ones(len(z)).long(),
        reduction="none",
        label_smoothing=convention,
    )
    torch.testing.assert_close(drawn, loss)
    if convention:
        x, y = curve(ax, n + 1)  # from the mark down to the axis
        (best,), (least,) = curve(ax, n + 2)
        assert (x.tolist(), y.tolist()) == ([best, best], [least, 0])
        assert 0 <= float(loss.min()) - float(least) < 1e-4
        assert abs(float(z[loss.argmin()]) - float(best)) <= float(z[1] - z[0])


@pytest.mark.parametrize("twice", [False, True])
def test_the_curves_of_softmax_twice_are_the_losses(*, twice: bool) -> None:
    (ax,) = figures.softmax_twice(10).axes
    gap, drawn = curve(ax, int(twice))
    z = above(gap, 10)
    loss = F.cross_entropy(
        z.softmax(1) if twice else z, torch.zeros(len(gap)).long(), reduction="none"
    )
    torch.testing.assert_close(drawn, loss)
    # The colour of p is that of a probability.
    colour = figures.COLOURS["p"] if twice else figures.INK
    assert ax.lines[int(twice)].get_color() == colour


def test_the_likelihood_is_the_product_of_the_probabilities() -> None:
    above, below = figures.likelihood(logits, target).axes
    scale, product = curve(above, 0)
    _, loss = curve(below, 0)
    for s, one, other in zip(scale[::100], product[::100], loss[::100], strict=True):
        z = s * logits.double()
        assert float(one) == pytest.approx(
            float(z.softmax(1)[torch.arange(3), target].prod())
        )
        assert float(other) == pytest.approx(float(F.cross_entropy(z, target)))
    for ax, values, best in (
        (above, product, product.argmax()),
        (below, loss, loss.argmin()),
    ):
        marks = [line.get_data() for line in ax.lines if line.get_marker() == "o"]
        points = [(float(x[0]), float(y[0])) for x, y in marks]
        one = int((scale - 1).abs().argmin())
        assert points == [(float(scale[i]), float(values[i])) for i in (one, int(best))]
        assert points[0][0] == pytest.approx(1)
        assert [text.get_text() for text in ax.texts] == [f"{y:.4f}" for _, y in points]
