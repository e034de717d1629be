"""Each figure, compared with a picture that someone has looked at.

``nox -s tests -- tests/figures/test_pictures.py
--mpl-generate-path=tests/figures/pictures`` draws them again: then look at them.
"""

from collections.abc import Callable

import pytest
import torch
from matplotlib.figure import Figure

from label_smoothing import dirac_delta, figures, smooth, uniform
from label_smoothing.example import logits, target

from .builders import COLUMN, CUBE, PADDED, PADLESS, WEIGHT

EXTREME = -1e4 * torch.eye(8)
FALLS = torch.tensor([0.0, 9.0])
# Rows of four classes, scattered around their templates.
CLASS = torch.arange(40) % 4
SPREAD = 2 * torch.eye(4)[CLASS] + torch.arange(160).reshape(40, 4).mul(7).sin()
MEANS = {
    "ε = 0": {"mean": 0.5, "low": 0.4, "high": 0.7},
    "ε = 0.1": {"mean": -0.1, "low": -0.3, "high": 0.1},
}
CASES = {
    "targets": lambda: figures.targets(target[0], 5, 0.3),
    "targets_prior": lambda: figures.targets(target[2], 2, 0.1, torch.tensor([0.2, 0.8])),
    "distribution": lambda: figures.distribution(dirac_delta(target, 5), "δ"),
    "distribution_2": lambda: figures.distribution(smooth(target[:2], 5, 0.3), "q'"),
    "distribution_low": lambda: figures.distribution(uniform(12), "u"),
    "distribution_13": lambda: figures.distribution(uniform(13), "u"),
    "distribution_100": lambda: figures.distribution(uniform(100), "u"),
    "distribution_101": lambda: figures.distribution(uniform(101), "u"),
    "distribution_0": lambda: figures.distribution(torch.zeros(3), "p"),
    "distribution_half": lambda: figures.distribution(uniform(2), "p"),
    "gradient": lambda: figures.gradient(logits[0], target[0], 0.3),
    "gradient_falls": lambda: figures.gradient(FALLS, target[1], 0.3),
    "weighted_target": lambda: figures.weighted_target(target[0], WEIGHT, 0.3),
    "weight_flip": lambda: figures.weight_flip(5, 0.3),
    "mix": lambda: figures.mix(5, 0.3),
    "mix_1000": lambda: figures.mix(1000, 0.3),
    "floor": lambda: figures.floor(5, 0.3),
    "excess": lambda: figures.excess(5, 0.3, 40),
    "masked": lambda: figures.masked(5, 0.3),
    "binary": lambda: figures.binary(0.3),
    "binary_high": lambda: figures.binary(0.9),
    "softmax_twice": lambda: figures.softmax_twice(5),
    "likelihood": lambda: figures.likelihood(logits, target),
    "likelihood_one": lambda: figures.likelihood(torch.zeros(2, 1), 0 * target[:2]),
    "half_sum": lambda: figures.half_sum(1000, 14),
    "half_sum_low": lambda: figures.half_sum(2, 3),
    "conventions": lambda: figures.conventions(0.1, [2, 10, 1000]),
    "conventions_3": lambda: figures.conventions(0.3, [3]),
    "loss_terms": lambda: figures.loss_terms(logits, target, 0.3),
    "loss_terms_narrow": lambda: figures.loss_terms(logits, target, 0.1),
    "loss_terms_0": lambda: figures.loss_terms(torch.zeros(1, 1), 0 * target[:1], 0.3),
    "padding": lambda: figures.padding(logits, PADDED, 0.3),
    "padding_all": lambda: figures.padding(logits, torch.full((3,), -100), 0.3),
    "loss_pipeline": lambda: figures.loss_pipeline(logits, target),
    "loss_pipeline_8": lambda: figures.loss_pipeline(EXTREME, torch.arange(8)),
    "smoothed_pipeline": lambda: figures.smoothed_pipeline(logits, target, 0.3),
    "smoothed_pipeline_8": lambda: figures.smoothed_pipeline(
        EXTREME, torch.arange(8), 0.3
    ),
    "kl_terms": lambda: figures.kl_terms(logits[0], PADLESS),
    "kl_terms_1": lambda: figures.kl_terms(1 - uniform(1), uniform(1)),
    "kl_terms_8": lambda: figures.kl_terms(uniform(8), dirac_delta(target[0], 8)),
    "class_dimension": lambda: figures.class_dimension(logits.T, target),
    "gather_1d": lambda: figures.gather(torch.arange(4), -1, torch.tensor([3, 0])),
    "gather_2d": lambda: figures.gather(logits, 1, COLUMN, (1, 0)),
    "gather_down": lambda: figures.gather(
        logits.log_softmax(1), 0, torch.tensor([[2, 0]])
    ),
    "gather_3d": lambda: figures.gather(CUBE, 0, 1 - CUBE[:, :2, :3] // 12),
    "reliability": lambda: figures.reliability(SPREAD, CLASS),
    "reliability_of_5": lambda: figures.reliability(SPREAD, CLASS, 5),
    "clusters": lambda: figures.clusters(SPREAD, CLASS, torch.eye(4), [0, 1, 3]),
    "gaps": lambda: figures.gaps(SPREAD, CLASS, 0.1),
    "intervals": lambda: figures.intervals(MEANS, "error", 5),
    "palette": lambda: figures.palette(),
}


# A figure that took the reader's settings for ours would be red.
@pytest.mark.mpl_image_compare(
    baseline_dir="pictures",
    style=["default", {"figure.facecolor": "red", "text.color": "red"}],
    savefig_kwargs={"dpi": 50},
    tolerance=0.1,
)
@pytest.mark.parametrize("draw", CASES.values(), ids=CASES)
def test_picture(draw: Callable[[], Figure]) -> Figure:
    return draw()
