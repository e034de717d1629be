"""Each figure says in words what is to be seen."""

from collections.abc import Callable

import pytest
import torch
from matplotlib.figure import Figure

from label_smoothing import dirac_delta, figures, uniform
from label_smoothing.example import logits, target

from .builders import (
    COLUMN,
    CROSS,
    CUBE,
    LOG_PROBS,
    MEANS,
    PADDED,
    PADLESS,
    SURE,
    THREE,
    WEIGHT,
    ZEROS,
)

SUMS = [f"{v:.4f}" for v in logits.softmax(0).sum(1).tolist()]


@pytest.mark.parametrize(
    ("draw", "seen"),
    [
        (
            lambda: figures.targets(target[0], 5, 0.3),
            "q' stacks 0.7 of δ on 0.3 of u: 0.76 at class 2, 0.06 at each other.",
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
        (lambda: figures.mix(5, 0.3), "At ε = 0.3 they are 0.76 and 0.06."),
        (lambda: figures.mix(2, 0.3), "At ε = 0.3 they are 0.85 and 0.15."),
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
        (
            lambda: figures.excess(5, 0.1, 1),
            "during 1 step of gradient descent, on a logarithmic scale. H(q', p) falls "
            "from 1.6094 to 1.0376, above its floor, 0.3897. Its excess over the floor "
            "falls all the way, from 1.2198 to 0.6479.",
        ),
        (
            lambda: figures.excess(5, 0.3, 3),
            "falls from 1.6094 to 0.9750, above its floor, 0.8838.",
        ),
        (
            lambda: figures.excess(5, 0.999, 9),
            "H(q', p) stays at its floor, 1.6094. Its excess over the floor falls all "
            "the way, from 2e-06 to 4e-08.",
        ),
        (
            lambda: figures.excess(5, 1 - 2**-23, 3),
            "during 0 steps of gradient descent, on a logarithmic scale. H(q', p) stays "
            "at its floor, 1.6094. Its excess over the floor is 3e-14.",
        ),
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
            lambda: figures.likelihood(torch.eye(3), torch.arange(3)),
            "greatest at s = 12, an end of the axis, where it is 1.0000.",
        ),
        (
            lambda: figures.likelihood(-torch.eye(3), torch.arange(3)),
            "greatest at s = 0, an end of the axis, where it is 0.0370.",
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
            lambda: figures.reliability(SURE, torch.tensor([0, 0, 0, 1]), 2),
            "of 4 rows in 2 bins. 0.750 of the rows are right, the mean confidence is "
            "0.650, and the expected calibration error 0.350.",
        ),
        (
            lambda: figures.clusters(CROSS, THREE, torch.eye(3), (0, 1, 2)),
            "6 points on the plane through the templates of the classes 0, 1 and 2. On "
            "average a point is 0.192 as far from the centre of its class as the centres",
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
