import ast
import inspect
import io
import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from scipy.stats import binomtest
from torchmetrics.functional.classification import multiclass_calibration_error

from label_smoothing import dirac_delta, figures, smooth, uniform
from label_smoothing.example import logits, target

EXAMPLES = Path(__file__).parents[2] / "examples"
COLUMN = target[:, None]
CUBE = torch.arange(24).reshape(2, 3, 4)
WEIGHT = torch.tensor([1.0, 1.0, 1.0, 1.0, 13.0])
PADDED = torch.tensor([2, -100, 0])
ZEROS = torch.tensor([0, 0.2, 0.7, 0.1, 0])
PADLESS = torch.tensor([0, 0.1, 0.7, 0.1, 0.1])
LOG_PROBS = logits.log_softmax(1)
TIMED = {"shape": (2, 10), "seconds": {"floor": [2, 1, 3], "ours": [3, 2, 4]}}
SURE = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.6, 0.4], [0.5, 0.5]]).log()
CROSS = torch.cat((torch.eye(3), 2 * torch.eye(3)))
THREE = torch.arange(3).repeat(2)
MEANS = {
    "a": {"mean": 0.5, "low": 0.4, "high": 0.7},
    "b": {"mean": -0.1, "low": -0.3, "high": 0.1},
}
SUMS = [f"{v:.4f}" for v in logits.softmax(0).sum(1).tolist()]


@pytest.mark.parametrize(
    ("draw", "seen"),
    [
        (
            lambda: figures.targets(target[0], 5, 0.3),
            "q' stacks 0.7 of δ on 0.3 of u: 0.76 at class 2, 0.06 at class 0.",
        ),
        (
            lambda: figures.targets(target[2], 2, 0.1, torch.tensor([0.25, 0.75])),
            "u is 0.75 at class 1.",
        ),
        (
            lambda: figures.gradient(logits[0], target[0], 0.3),
            "p is 0.3176, q' is 0.76 and the gradient is -0.4424: "
            "a step against it makes the logit rise. "
            "Elsewhere the gradient is at most 0.1326.",
        ),
        (
            lambda: figures.gradient(torch.tensor([0.0, 9.0]), target[1], 0.3),
            "the gradient is 0.1499: a step against it makes the logit fall. Elsewhere",
        ),
        *(
            (
                lambda smoothing=smoothing: figures.gradient(
                    torch.zeros(1), target[2], smoothing
                ),
                "the gradient is 0: a step against it leaves the logit as it is.",
            )
            for smoothing in (0.0, 0.1, 0.3, 0.7)
        ),
        *(  # q' is 0.5 and one or two units in its last place
            (
                lambda smoothing=smoothing: figures.gradient(
                    torch.zeros(2), target[2], smoothing
                ),
                "the gradient is 0: a step against it leaves the logit as it is.",
            )
            for smoothing in (1 - 2**-23, 1 - 2**-22)
        ),
        (
            lambda: figures.gradient(logits[2], target[2], 0.3),
            "Elsewhere the gradient is at most 0.1842.",
        ),
        (
            lambda: figures.distribution(uniform(12), "u"),
            f"0: {', '.join(['0.08333'] * 12)}.",
        ),
        (
            lambda: figures.distribution(uniform(13), "u"),
            f"Row 0: {', '.join(['0.07692'] * 12)} and so on.",
        ),
        (
            lambda: figures.distribution(dirac_delta(target, 5), "δ"),
            "A bar chart of δ over 5 classes. Row 0: 0, 0, 1, 0, 0; "
            "Row 1: 0, 1, 0, 0, 0; Row 2: 1, 0, 0, 0, 0.",
        ),
        (lambda: figures.mix(5, 0.3), "At ε = 0.3 they stand at 0.76 and 0.06."),
        (lambda: figures.mix(2, 0.3), "At ε = 0.3 they stand at 0.85 and 0.15."),
        (
            lambda: figures.loss_terms(logits, target, 0.3),
            "Row 2: 0.9868 from δ plus 0.4949 from u gives 1.482.",
        ),
        (
            lambda: figures.loss_pipeline(logits, target),
            "(2, 1, 0) is filled: -1.1469, -1.2542, -1.4098. "
            "Negated, their mean is the loss, 1.2703.",
        ),
        (
            lambda: figures.gather(torch.arange(4), -1, torch.tensor([3, 0])),
            "[1] lights the line of input along dimension 0. "
            "On it, index[1] = 0 picks input[0] = 0.",
        ),
        (
            lambda: figures.gather(logits, 1, COLUMN, (1, 0)),
            "index[1, 0] = 1 picks input[1, 1] = 0.9.",
        ),
        (
            lambda: figures.gather(CUBE, 0, torch.ones(1, 2, 3, dtype=torch.int64)),
            "index[0, 1, 2] = 1 picks input[1, 1, 2] = 18.",
        ),
        (
            lambda: figures.gather(LOG_PROBS, 1, COLUMN, (0, 0)),
            f"index[0, 0] = 2 picks input[0, 2] = {LOG_PROBS[0, 2]:.4f}.",
        ),
        (lambda: figures.floor(5, 0.3), "floor 0.8838 at the gap 2.5390"),
        (
            lambda: figures.excess(5, 0.3, 40),
            "during 40 steps of gradient descent, on a logarithmic scale. H(q', p) falls "
            "from 1.6094 and stays at its floor, 0.8838. Its excess over the floor falls "
            "all the way, from 0.7256 to 2e-10.",
        ),
        (
            lambda: figures.excess(5, 0.3, 1000),
            "during 50 steps of",
        ),  # then it is rounding
        (lambda: figures.excess(5, 1 - 2**-23, 3), "during 0 steps of"),
        (
            lambda: figures.masked(5, 0.3),
            "H(δ, p) levels off at 1.3863. H(q', p) at ε = 0.3 has no end: it rises by "
            "0.06 for each unit that the logit falls, to 7.3863.",
        ),
        (lambda: figures.masked(2, 0.1), "levels off at 0.0000. H(q', p) at ε = 0.1 has"),
        (lambda: figures.softmax_twice(5), "stops at 0.9048."),
        (
            lambda: figures.weighted_target(target[0], WEIGHT, 0.3),
            "At the true class, 2, q' is 0.76 and p* is 0.4419. "
            "The largest p* is 0.4535, at class 4.",
        ),
        (
            lambda: figures.weighted_target(target[0], WEIGHT - 1, 0.3),
            "q' is 0.76 and p* is 0. The largest p* is 1, at class 4.",
        ),
        (
            lambda: figures.weight_flip(2, 0.1),
            "0.95 for y, 0.05 for k. The one of y falls, the one of k rises, and from 19 "
            "on k is the argmax.",
        ),
        (
            lambda: figures.padding(logits, PADDED, 0.3),
            "Row 0: 0.8029 from δ plus 0.4941 from u gives 1.297. "
            "Row 1 is ignored: an outline of 0.5082 from u, and no loss. Row 2:",
        ),
        (
            lambda: figures.padding(logits, target, 0.3, ignore_index=2),
            "Row 0 is ignored: an outline of 0.4941 from u, and no loss. Row 1: 0.8779",
        ),
        (
            lambda: figures.class_dimension(logits.T, target),
            "the cells of the true classes (2, 1, 0) are filled. "
            "Softmax along the classes: the columns sum to 1.0000, 1.0000, 1.0000. "
            f"Softmax along the steps: the columns sum to {', '.join(SUMS)}.",
        ),
        (
            lambda: figures.smoothed_pipeline(logits, target, 0.3),
            "0.7 of the first and 0.3 of the second are the loss of the row. "
            "In row 0: 1.1469 and 1.6469 give 1.2969; "
            "row 1: 1.2542 and 1.6942 give 1.3862; "
            "row 2: 1.4098 and 1.6498 give 1.4818. Their mean is the loss, 1.3883.",
        ),
        (
            lambda: figures.kl_terms(ZEROS, PADLESS),
            "At class 0, p is 0, q' is 0 and the term is nan; at class 4, p is 0, q' is "
            "0.1 and the term is inf. The other terms are -0.0693, 0.0000, 0.0000. The "
            "terms sum to nan.",
        ),
        (
            lambda: figures.kl_terms(uniform(2), dirac_delta(target[2], 2)),
            "the terms of KL. The terms are 0.6931, 0.0000. The terms sum to 0.6931.",
        ),
        (
            lambda: figures.kl_terms(1 - uniform(1), uniform(1)),
            "At class 0, p is 0, q' is 1 and the term is inf. The terms sum to inf.",
        ),
        (
            lambda: figures.binary(0.1),
            '"half" has the target 0.95 and its floor, 0.1985, at z = 2.9444; "swap" has '
            "the target 0.9 and its floor, 0.3251, at z = 2.1972.",
        ),
        (
            lambda: figures.likelihood(logits, target),
            "is 0.0221 at s = 1 and greatest at s = 7.15, where it is 0.1187. The mean "
            "negative log likelihood is 1.2703 at s = 1 and least at the same s, where "
            "it is 0.7103.",
        ),
        (
            lambda: figures.half_sum(1000, 14),
            "from 1 to 14, and a line at 65504. From N = 10 on it is inf.",
        ),
        (lambda: figures.half_sum(10, 1), "from 1 to 1, and a line at 65504."),
        (
            lambda: figures.conventions(0.1, [2, 3]),
            "at ε = 0.1. K = 2: uniform 0.05, others 0.1, normalised 0.0455, half 0.05, "
            "swap 0.1. K = 3: uniform 0.0667, others 0.1, others-without-padding 0.1, "
            "normalised 0.0606.",
        ),
        (
            lambda: figures.times([TIMED, TIMED], ["ours"]),
            "one torch.exp. 2 × 10: label_smoothing.cross_entropy 1.50; 2 × 10: label",
        ),
        (lambda: figures.times([TIMED], ["floor"], "ours"), "torch.exp 0.67."),
        (
            lambda: figures.growth(
                [
                    {"shape": (1, 10), "seconds": {"floor": [5, 4, 6]}},
                    TIMED,
                    TIMED | {"shape": (4, 11)},
                ],
                0,
            ),
            "against N, from 1 to 4, with K = 11. torch.exp takes 2 s.",
        ),
        (
            lambda: figures.growth([TIMED, TIMED | {"shape": (2, 20)}], 1),
            "against K, from 10 to 20, with N = 2.",
        ),
        (lambda: figures.peak({"ours": 1, "torch": 3}), "F.cross_entropy 3.00."),
        (
            lambda: figures.reliability(SURE, torch.tensor([0, 0, 0, 1]), 2),
            "of 4 rows in 2 bins. Right are 0.750 of the rows, the mean confidence is "
            "0.650, and the expected calibration error 0.350.",
        ),
        (
            lambda: figures.clusters(CROSS, THREE, torch.eye(3), (0, 1, 2)),
            "6 points on the plane through the templates of the classes 0, 1 and 2. A "
            "point is 0.192 as far from the centre of its class as the centres are",
        ),
        (
            lambda: figures.gaps(10 * CROSS, THREE, 0.1),
            "of 6 rows, from 10.0000 to 20.0000, and a line at the best gap for ε = "
            "0.1, 3.3322. The mean gap is 15.0000.",
        ),
        (
            lambda: figures.intervals(MEANS, "error", 5),
            "Means of 5 runs with their intervals: error. a: 0.5, from 0.4 to 0.7; b: "
            "-0.1, from -0.3 to 0.1.",
        ),
        (figures.palette, "The colours of δ, u, q', p."),
    ],
)
def test_a_figure_says_what_is_to_be_seen(draw: Callable[[], Figure], seen: str) -> None:
    assert seen in draw().get_label()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (
            lambda: figures.targets(target, 5, 0.3),
            r"target must have shape \(\), got \(3,\)",
        ),
        (lambda: figures.gradient(logits, target, 0.3), r"shapes \(K,\) and \(\), got"),
        (lambda: figures.distribution(logits, "z"), "symbol must be one of .* got 'z'"),
        (lambda: figures.distribution(CUBE, "u"), r"got \(2, 3, 4\)"),
        (lambda: figures.mix(1, 0.3), "num_classes must be an int of at least 2, got 1"),
        *(
            (
                lambda draw=draw, smoothing=smoothing: draw(5, smoothing),
                f"0 < smoothing < 1, got {smoothing}",
            )
            for draw in (
                figures.floor,
                figures.weight_flip,
                figures.masked,
                lambda num_classes, smoothing: figures.excess(num_classes, smoothing, 9),
            )
            for smoothing in (-0.1, 0.0, 1.0, 1.5)
        ),
        (lambda: figures.loss_terms(logits[0], target[0], 0.3), r"got \(5,\) and \(\)"),
        (
            lambda: figures.loss_terms(CUBE, target[:2], 0.3),
            r"got \(2, 3, 4\) and \(2,\)",
        ),
        (lambda: figures.loss_terms(WEIGHT[:3], target, 0.3), r"got \(3,\) and \(3,\)"),
        (
            lambda: figures.loss_pipeline(torch.zeros(9, 9), torch.zeros(9).long()),
            "at most 8 by 8 to draw, got 9 by 9",
        ),
        (lambda: figures.loss_pipeline(logits, target[:2]), r"got \(3, 5\) and \(2,\)"),
        (lambda: figures.weight_flip(1, 0.3), "num_classes must be an int of at least 2"),
        (lambda: figures.masked(1, 0.3), "num_classes must be an int of at least 2"),
        (lambda: figures.excess(1, 0.3, 9), "num_classes must be an int of at least 2"),
        *(
            (
                lambda steps=steps: figures.excess(5, 0.3, steps),
                f"steps must be a positive int, got {steps}",
            )
            for steps in (0, -1, 2.0)
        ),
        (lambda: figures.weighted_target(target, WEIGHT, 0.3), r"shapes \(K,\) and \(\)"),
        (lambda: figures.padding(logits, target[0], 0.3), r"got \(3, 5\) and \(\)"),
        (
            lambda: figures.likelihood(logits.T, target),
            r"\(N, K\) and \(N,\), got \(5, 3\)",
        ),
        (lambda: figures.smoothed_pipeline(logits[0], target, 0.3), r"got \(5,\) and"),
        (
            lambda: figures.smoothed_pipeline(torch.zeros(1, 9), target[:1], 0.3),
            "at most 8 by 8 to draw, got 1 by 9",
        ),
        (lambda: figures.class_dimension(logits, target), r"\(K, T\) and \(T,\), got"),
        (
            lambda: figures.class_dimension(torch.zeros(5, 5), torch.zeros(5).long()),
            "at most 8 by 4 to draw, got 5 by 5",
        ),
        *(
            (
                lambda smoothing=smoothing: figures.binary(smoothing),
                f"0 < smoothing < 1, got {smoothing}",
            )
            for smoothing in (0.0, 1.0)
        ),
        (
            lambda: figures.kl_terms(ZEROS, PADLESS[:4]),
            r"probs and target must have shapes \(K,\) and \(K,\), got \(5,\) and \(4,\)",
        ),
        (
            lambda: figures.kl_terms(uniform(9), uniform(9)),
            "probs must be at most 8 by 8 to draw, got 1 by 9",
        ),
        (lambda: figures.half_sum(1, 3), "num_classes must be an int of at least 2"),
        *(
            (
                lambda rows=rows: figures.half_sum(10, rows),
                f"rows must be a positive int, got {rows}",
            )
            for rows in (0, -1, 2.0)
        ),
        (lambda: figures.softmax_twice(1), "num_classes must be an int of at least 2"),
        *(
            (
                lambda smoothing=smoothing: figures.conventions(smoothing, [2]),
                f"0 < smoothing < 1, got {smoothing}",
            )
            for smoothing in (-0.1, 0.0, 1.0, 1.5)
        ),
        (lambda: figures.conventions(0.1, []), r"classes to draw, got \[\]"),
        (lambda: figures.conventions(0.1, [1]), "an int of at least 2, got 1"),
        (lambda: figures.times([], ["ours"]), "got 0 and 1"),
        (lambda: figures.times([TIMED], []), "got 1 and 0"),
        (lambda: figures.growth([TIMED, TIMED], 2), "dim must be 0 or 1, got 2"),
        (lambda: figures.growth([TIMED], 1), "two cases or more to draw, got 1"),
        (lambda: figures.peak({}), r"there must be sizes to draw, got \{\}"),
        (lambda: figures.intervals({}, "error", 5), r"there must be rows to draw, got"),
        (lambda: figures.reliability(logits, target, 0), "bins must be a positive int"),
        (
            lambda: figures.reliability(logits, target[:2]),
            r"logits and target must have shapes \(N, K\) and \(N,\), got",
        ),
        (
            lambda: figures.clusters(CROSS, THREE[:2], torch.eye(3), [0, 1, 2]),
            r"features and target must have shapes \(N, D\) and \(N,\), got",
        ),
        (
            lambda: figures.clusters(CROSS, THREE, torch.eye(3), [0, 1]),
            r"there must be three classes to draw, got \[0, 1\]",
        ),
        (
            lambda: figures.clusters(CROSS, THREE % 2, torch.eye(3), [0, 1, 2]),
            "class 2 has no rows to draw",
        ),
        (
            lambda: figures.clusters(CROSS, THREE // 2 * 2, torch.eye(3), [0, 1, 2]),
            "class 1 has no rows to draw",
        ),
        (
            lambda: figures.clusters(CROSS, THREE, torch.eye(3), [0, 1, 2, 0]),
            r"there must be three classes to draw, got \[0, 1, 2, 0\]",
        ),
        (lambda: figures.gaps(logits, target, 0.0), "smoothing must satisfy 0 <"),
        (lambda: figures.gaps(logits, target[:1], 0.1), "logits and target must have"),
        (lambda: figures.floor(2.0, 0.3), "num_classes must be an int .* got 2.0"),
        (lambda: figures.gather(CUBE[None], 0, CUBE[None] * 0), "at most 3 dimensions"),
        (
            lambda: figures.gather(logits, 1, COLUMN[:0]),
            r"not be empty, got shape \(0, 1\)",
        ),
    ],
)
def test_what_cannot_be_drawn(draw: Callable[[], Figure], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw()


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 1.5, float("nan")])
@pytest.mark.parametrize(
    "draw",
    [
        lambda smoothing: figures.targets(target[0], 5, smoothing),
        lambda smoothing: figures.mix(5, smoothing),
        lambda smoothing: figures.floor(5, smoothing),
        lambda smoothing: figures.weight_flip(5, smoothing),
        lambda smoothing: figures.excess(5, smoothing, 9),
        lambda smoothing: figures.masked(5, smoothing),
        lambda smoothing: figures.gradient(logits[0], target[0], smoothing),
        lambda smoothing: figures.weighted_target(target[0], WEIGHT, smoothing),
        lambda smoothing: figures.loss_terms(logits, target, smoothing),
        lambda smoothing: figures.padding(logits, PADDED, smoothing),
        lambda smoothing: figures.smoothed_pipeline(logits, target, smoothing),
    ],
)
def test_a_smoothing_out_of_range(
    draw: Callable[[float], Figure], smoothing: float
) -> None:
    with pytest.raises(ValueError, match=rf"smoothing < 1, got {smoothing}"):
        draw(smoothing)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: figures.distribution(logits[:0], "p"), r"probs .*\(0, 5\)"),
        (lambda: figures.gradient(logits[0, :0], target[0], 0.3), r"logits .*\(0,\)"),
        (lambda: figures.weighted_target(target[0], WEIGHT[:0], 0), r"weight .*\(0,\)"),
        *(
            (
                lambda draw=draw, rest=rest: draw(logits[:0], target[:0], *rest),
                r"logits .*\(0, 5\)",
            )
            for draw, *rest in (
                (figures.loss_terms, 0.3),
                (figures.padding, 0.3),
                (figures.loss_pipeline,),
                (figures.smoothed_pipeline, 0.3),
                (figures.likelihood,),
            )
        ),
        (
            lambda: figures.class_dimension(logits[:0].T, target[:0]),
            r"logits .*\(5, 0\)",
        ),
        (lambda: figures.gather(logits, 1, COLUMN[:0]), r"index .*\(0, 1\)"),
    ],
)
def test_nothing_to_draw(draw: Callable[[], Figure], message: str) -> None:
    with pytest.raises(
        ValueError, match=message.replace(".*", "must not be empty, got shape ")
    ):
        draw()


def test_weights_that_leave_nothing_to_minimise() -> None:
    for weight in (0 * WEIGHT, -WEIGHT, WEIGHT / 0, 2 * WEIGHT - 3):
        with pytest.raises(ValueError, match="must have a positive sum"):
            figures.weighted_target(target[0], weight, 0.3)


@pytest.mark.parametrize(
    "draw",
    [
        lambda z: figures.targets(target[0], 5, 0.3, prior=z[0].softmax(0)),
        lambda z: figures.distribution(z.softmax(1), "p"),
        lambda z: figures.gradient(z[0], target[0], 0.3),
        lambda z: figures.weighted_target(target[0], weight=z[0].exp(), smoothing=0.3),
        lambda z: figures.loss_terms(z, target, 0.3),
        lambda z: figures.padding(z, PADDED, 0.3),
        lambda z: figures.loss_pipeline(z, target),
        lambda z: figures.smoothed_pipeline(logits=z, target=target, smoothing=0.3),
        lambda z: figures.class_dimension(z.T, target),
        lambda z: figures.gather(z, 1, COLUMN),
        lambda z: figures.likelihood(z, target),
        lambda z: figures.kl_terms(z[0].softmax(0), PADLESS),
    ],
)
def test_logits_of_a_model_in_training_can_be_drawn(
    draw: Callable[[torch.Tensor], Figure],
) -> None:
    z = logits.clone().requires_grad_()  # a warning would be an error here
    figure = draw(z)
    assert figure.get_label() == draw(logits).get_label()
    figure.draw_without_rendering()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.loss_terms(torch.zeros(2, 1), torch.zeros(2).long(), 0.3),
        lambda: figures.loss_terms(logits, target, 0.0),
        lambda: figures.padding(logits, torch.full((3,), -100), 0.0),
        lambda: figures.padding(torch.zeros(2, 1), torch.tensor([0, -100]), 0.3),
        lambda: figures.likelihood(torch.zeros(2, 1), torch.zeros(2).long()),
        lambda: figures.gradient(torch.zeros(1), target[2], 0.3),
        lambda: figures.targets(target[0], 1000, 0.3),
        lambda: figures.targets(target[2], 1, 0.3),
        lambda: figures.distribution(-uniform(3), "p"),
    ],
)
def test_the_edges_of_what_can_be_drawn(draw: Callable[[], Figure]) -> None:
    draw().draw_without_rendering()


@pytest.mark.parametrize("cell", [(3, 0), (4, 0), (0,), (0, 0, 0), (-1, 0)])
def test_a_cell_that_is_none(cell: tuple[int, ...]) -> None:
    with pytest.raises(IndexError, match=r"cell must be a cell of index, shape \(3, 1\)"):
        figures.gather(logits, 1, COLUMN, cell)


def heights(ax: Axes) -> torch.Tensor:
    return torch.tensor([float(bar.get_height()) for bar in rectangles(ax)])


def rectangles(ax: Axes) -> list[Rectangle]:
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def curve(ax: Axes, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = ax.lines[n].get_data()
    return torch.as_tensor(x), torch.as_tensor(y)


def white(ax: Axes) -> list[str]:
    """Return the text of the cells that are filled."""
    return [text.get_text() for text in ax.texts if text.get_color() == figures.PAPER]


def four(values: torch.Tensor) -> list[str]:
    return [f"{v:.4f}" for v in values.flatten().tolist()]


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
def test_the_name_of_a_chart_stands_beside_it(draw: Callable[[], Figure]) -> None:
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
    (ax,) = figures.padding(logits, torch.tensor([2, -100, 0]), 0.3).axes
    assert shown(ax) == [*rows[0], rows[1][1], "0", *rows[2]]
    (ax,) = figures.loss_terms(logits, target, 0.0).axes
    losses = four(hard / 0.7)
    assert shown(ax) == [n for loss in losses for n in (loss, loss)]  # nothing of u


def heights_of_lines(ax: Axes) -> list[float]:
    """Return where the lines run that are level."""
    return [
        float(y[0])
        for x, y in (line.get_data() for line in ax.lines)
        if len(y) == 2 and y[0] == y[1]
    ]


def test_lines_stand_where_their_numbers_say() -> None:
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


def test_the_outline_is_the_uniform_term() -> None:
    (ax,) = figures.padding(logits, PADDED, 0.3).axes
    (outline,) = (bar for bar in rectangles(ax) if bar.get_facecolor()[3] == 0)
    assert outline.get_width() == pytest.approx(-0.3 * LOG_PROBS[1].mean().item())


def test_the_mix_is_a_straight_line_in_epsilon() -> None:
    (ax,) = figures.mix(5, 0.3).axes
    for n, at in ((0, 0), (1, 1)):  # the true class, another class
        _, ends = curve(ax, n)
        hard, soft = dirac_delta(torch.tensor(0), 5)[at], uniform(5)[at]
        torch.testing.assert_close(ends.float(), torch.stack((hard, soft)))
        x, y = curve(ax, 3 + n)
        assert float(x) == 0.3
        torch.testing.assert_close(y.float()[0], smooth(torch.tensor(0), 5, 0.3)[at])


def above(gap: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Return rows whose first logit stands so far above all others."""
    return gap[:, None] * F.one_hot(torch.tensor(0), num_classes)


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


def test_the_terms_of_kl_are_written_in_their_cells() -> None:
    (ax,) = figures.kl_terms(ZEROS, PADLESS).axes
    written = [text.get_text() for text in ax.texts if "$" not in text.get_text()]
    assert written[-5:] == ["nan", "-0.0693", "0.0000", "0.0000", "inf"]
    filled = [bar.get_x() for bar in rectangles(ax) if bar.get_facecolor()[3] > 0]
    width = rectangles(ax)[0].get_width()
    assert filled == pytest.approx([0, 4 * width])


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


def test_the_pipeline_shows_every_step() -> None:
    (ax,) = figures.loss_pipeline(logits, target).axes
    shown = [text.get_text() for text in ax.texts]
    picked = LOG_PROBS[torch.arange(3), target]
    for values in (logits.softmax(1), LOG_PROBS, -picked):
        assert set(four(values)) <= set(shown)
    assert white(ax) == 2 * four(picked)  # in the table, and taken out of it
    assert f"{F.cross_entropy(logits, target):.4f}" in shown


def test_the_smoothed_pipeline_shows_every_step() -> None:
    (ax,) = figures.smoothed_pipeline(logits, target, 0.3).axes
    picked = LOG_PROBS[torch.arange(3), target]
    losses = F.cross_entropy(logits, target, reduction="none", label_smoothing=0.3)
    assert white(ax) == [
        number
        for column in (picked, -picked, -LOG_PROBS.mean(1), losses)
        for number in four(column)
    ]
    shown = [text.get_text() for text in ax.texts]
    assert set(four(LOG_PROBS)) <= set(shown)
    assert f"{losses.mean():.4f}" in shown
    # From left to right it is an equation.
    parts = {
        text.get_text(): text.get_position()[0]
        for text in ax.texts
        if text.get_text() in ("0.7 ×", "+ 0.3 ×", "=")
    }
    columns = [four(column)[0] for column in (-picked, -LOG_PROBS.mean(1), losses)]
    for text in ax.texts:
        if text.get_text() in columns:
            parts[text.get_text()] = text.get_position()[0]
    order = ["0.7 ×", columns[0], "+ 0.3 ×", columns[1], "=", columns[2]]
    assert sorted(parts, key=lambda part: parts[part]) == order


def test_softmax_along_both_dimensions_is_shown() -> None:
    labels = torch.tensor([2, 4, 0])
    (ax,) = figures.class_dimension(logits.T, labels).axes
    shown = [text.get_text() for text in ax.texts]
    right, wrong = logits.T.softmax(0), logits.T.softmax(1)
    for probs in (right, wrong):
        assert set(four(probs)) <= set(shown)
        assert set(four(probs.sum(0))) <= set(shown)
    steps = torch.arange(3)
    assert white(ax) == [  # cells are drawn row by row
        number
        for probs in (right, wrong)
        for number in four(probs[labels, steps][labels.argsort()])
    ]


def test_the_bars_of_the_reliability_are_what_is_right() -> None:
    (ax,) = figures.reliability(SURE, torch.tensor([0, 0, 0, 1]), 2).axes
    bars = [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in ax.patches]
    assert bars == [(0.25, 0.0), (0.75, 1.0)]  # a confidence of 0.5 is in the lower bin
    (low,), (zero,) = curve(ax, 0)
    (high,), (one,) = curve(ax, 1)
    assert (float(low), float(zero), float(one)) == (0.5, 0.0, 1.0)
    assert float(high) == pytest.approx(0.7)
    assert not any(ax.lines[n].get_clip_on() for n in (0, 1))
    sizes = [ax.lines[n].get_markersize() for n in (0, 1)]
    assert sizes == [10, pytest.approx(4 + 12 * 0.75**0.5)]
    x, y = curve(ax, 2)
    assert x.tolist() == y.tolist() == [0, 1]


def test_the_intervals_of_the_reliability_are_those_of_wilson() -> None:
    right = torch.tensor([0, 0, 1, 0])  # none of one row, and two of three
    (ax,) = figures.reliability(SURE, right, 2).axes
    for lines, (successes, rows) in zip(ax.collections, [(1, 1), (2, 3)], strict=True):
        ((low, high),) = [ends[:, 1] for ends in lines.get_segments()]
        expected = binomtest(successes, rows).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("bins", [1, 15])
def test_the_calibration_error_is_that_of_torchmetrics(bins: int) -> None:
    generator = torch.Generator().manual_seed(0)
    z = 3 * torch.randn(200, 4, generator=generator)
    y = torch.randint(4, (200,), generator=generator)
    error = multiclass_calibration_error(z.softmax(1), y, 4, n_bins=bins)
    words = f"the expected calibration error {error:.3f}."
    assert words in figures.reliability(z, y, bins).get_label()


def test_the_clusters_keep_the_distances_on_the_plane() -> None:
    off = 5 * torch.ones(3)  # at a right angle to the plane of the templates
    (ax,) = figures.clusters(CROSS + off, THREE, torch.eye(3), [2, 0, 1]).axes
    groups = [torch.stack(curve(ax, n), 1) for n in range(3)]
    assert [text.get_text() for text in ax.get_legend().texts] == ["2", "0", "1"]
    for one, other in itertools.combinations(groups, 2):
        apart = (one - other).norm(dim=1)
        torch.testing.assert_close(apart, torch.tensor([2.0, 8.0]).sqrt().double())
    # The second template lies to the right of the first, the third above both.
    assert float(groups[1][0, 0]) > float(groups[0][0, 0])
    assert float(groups[2][0, 1]) > float(groups[0][0, 1])


def test_the_gaps_are_counted_and_the_best_one_is_marked() -> None:
    (ax,) = figures.gaps(10 * CROSS, THREE, 0.1).axes
    bars = [bar for bar in rectangles(ax) if bar.get_height()]
    assert [bar.get_height() for bar in bars] == [3, 3]
    (x, _), _ = curve(ax, 0)
    assert float(x) == pytest.approx(math.log(3 * 0.9 / 0.1 + 1))


def test_an_interval_reaches_from_end_to_end() -> None:
    (ax,) = figures.intervals(MEANS, "error", 5).axes
    for n, row in enumerate(MEANS.values()):
        x, y = curve(ax, 2 * n)
        assert (x.tolist(), y.tolist()) == ([row["low"], row["high"]], [n, n])
        (x,), (y,) = curve(ax, 2 * n + 1)
        assert (float(x), float(y)) == (row["mean"], n)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(MEANS)
    assert ax.get_xlabel() == "error, $n = 5$"
    (ax,) = figures.intervals({"a": {"mean": 0.03, "low": 0, "high": 0.055}}, "", 5).axes
    low, high = ax.get_xlim()
    assert sum(low <= tick <= high for tick in ax.get_xticks()) == 3


def test_the_palette_shows_each_colour_once() -> None:
    (ax,) = figures.palette().axes
    shown = [patch.get_facecolor()[:3] for patch in ax.patches]
    assert shown == [to_rgb(colour) for colour in figures.COLOURS.values()]


def test_gather_fills_the_cell_that_is_picked() -> None:
    (ax,) = figures.gather(logits, 1, COLUMN, (1, 0)).axes
    assert white(ax) == ["0.9", "0.9"]  # once in input, once in out


@pytest.mark.parametrize(
    ("input", "value"),
    [
        (logits, "0.9"),
        (LOG_PROBS, f"{LOG_PROBS[1, 1]:.4f}"),
        (torch.full((3, 5), 27.0023), "27.0023"),
        (torch.full((3, 5), 26.9977), "26.9977"),
        (torch.full((3, 5), 1.25), "1.2500"),
        (torch.arange(15).reshape(3, 5) * 1000, "6000"),
        (torch.tensor([[0.1234, 0.5]]).expand(3, 2), "0.5000"),
    ],
)
def test_the_formula_of_gather_ends_in_what_its_cells_show(
    input: torch.Tensor, value: str
) -> None:
    (ax,) = figures.gather(input, 1, torch.ones(3, 1).long(), (1, 0)).axes
    assert white(ax) == [value, value]
    assert ax.texts[-1].get_text() == f"= input[1, 1] = {value}"


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.gather(logits, 1, COLUMN),
        lambda: figures.gather(LOG_PROBS, 1, COLUMN),
        lambda: figures.gather(-12 * torch.ones(3, 8).exp(), 1, COLUMN),
        lambda: figures.gather(CUBE / 7, 1, torch.ones(2, 2, 4).long()),
        lambda: figures.gather(CUBE * 1000, 0, torch.zeros(1, 3, 4).long()),
        lambda: figures.gather(torch.arange(8) / 7, 0, target),
        lambda: figures.loss_pipeline(20 * logits, target),
        lambda: figures.loss_pipeline(torch.eye(8) * 14, torch.arange(8)),
        lambda: figures.smoothed_pipeline(torch.eye(8) * 14, torch.arange(8), 0.3),
        lambda: figures.class_dimension(torch.eye(8, 4), torch.arange(4)),
    ],
)
def test_numbers_fit_their_cells(draw: Callable[[], Figure]) -> None:
    figure = draw()
    (ax,) = figure.axes
    figure.draw_without_rendering()
    numbers: list[Text] = [t for t in ax.texts if t.get_text()[-1:].isdigit()]
    cells = {bar.get_window_extent().frozen() for bar in rectangles(ax)}
    held = 0
    for number in numbers:
        text = number.get_window_extent()
        x, y = (text.x0 + text.x1) / 2, (text.y0 + text.y1) / 2
        for cell in cells:
            if cell.contains(x, y):
                held += 1
                assert cell.x0 < text.x0, number
                assert text.x1 < cell.x1, number
    assert held >= 15
    assert all(
        text.get_window_extent().x0 >= 0 and text.get_window_extent().x1 <= figure.bbox.x1
        for text in ax.texts
    )


def test_the_three_tables_of_gather_have_cells_of_one_width() -> None:
    (ax,) = figures.gather(LOG_PROBS, 1, COLUMN).axes
    widths = {round(cell.get_width(), 6) for cell in rectangles(ax)}
    assert len(widths) == 1
    assert widths != {1.0}
    assert {text.get_fontsize() for text in ax.texts} == {12}  # none had to shrink


@pytest.mark.parametrize(("columns", "in_a_row"), [(3, True), (4, False)])
def test_tables_stand_in_a_row_if_their_type_need_not_shrink(
    columns: int, *, in_a_row: bool
) -> None:
    input = torch.full((3, columns), 1000)
    (ax,) = figures.gather(input, 1, torch.zeros(2, 3).long()).axes
    names = [text for text in ax.texts if text.get_text() in ("index", "input", "out")]
    assert (len({text.get_position()[1] for text in names}) == 1) == in_a_row


def test_figures_leave_the_reader_s_style_alone() -> None:
    before = dict(plt.rcParams)
    figures.mix(5, 0.3)
    assert dict(plt.rcParams) == before


def test_with_our_style_a_figure_is_saved_without_a_ground() -> None:
    with plt.rc_context(figures.STYLE):
        figures.palette().savefig(file := io.BytesIO())
    file.seek(0)
    assert plt.imread(file)[0, 0].tolist()[3:] == [0]


def test_each_figure_tells_what_it_is_called_with() -> None:
    draw = inspect.signature(figures.mix)
    assert list(draw.parameters) == ["num_classes", "smoothing"]
    assert figures.mix.__name__ == "mix"
    assert figures.mix.__doc__


def luminance(colour: str) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in to_rgb(colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def pairs() -> Iterator[tuple[str, str]]:
    for colour in (*figures.COLOURS.values(), figures.INK, figures.MUTED):
        yield colour, figures.PAPER
        yield figures.DARK[colour], figures.DARK[figures.PAPER]


@pytest.mark.parametrize(("colour", "ground"), list(pairs()))
def test_text_can_be_read_on_its_ground(colour: str, ground: str) -> None:
    low, high = sorted((luminance(colour), luminance(ground)))
    assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2.2, level AA


# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB.
SIGHT = {
    "full": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def seen(colour: str, sight: str) -> torch.Tensor:
    """Return the colour in CIE L*a*b*, as that eye sees it."""
    rgb = torch.tensor(to_rgb(colour), dtype=torch.float64)
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = (torch.tensor(SIGHT[sight], dtype=torch.float64) @ linear).clamp(0, 1)
    to_xyz = torch.tensor(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]],
        dtype=torch.float64,
    )
    x = (to_xyz @ linear) / torch.tensor([0.9505, 1, 1.089], dtype=torch.float64)
    f = torch.where(x > 0.008856, x ** (1 / 3), 7.787 * x + 16 / 116)
    return torch.stack((116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])))


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("dark", [False, True])
def test_the_four_colours_differ_for_every_eye(sight: str, *, dark: bool) -> None:
    palette = [figures.DARK[c] if dark else c for c in figures.COLOURS.values()]
    for one, other in itertools.combinations(palette, 2):
        distance = torch.linalg.vector_norm(seen(one, sight) - seen(other, sight))
        assert distance > 20, (one, other)


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples are in the repository only")
def test_every_script_of_the_gallery_shows_its_figures() -> None:
    scripts = sorted(EXAMPLES.glob("*/plot_*.py"))
    assert scripts
    for script in scripts:
        code = ast.parse(script.read_text(encoding="utf-8")).body
        assert ast.unparse(code[-1]) == "plt.show()", script
