"""What is drawn of a trained network is what it does."""

import itertools
import math

import pytest
import torch
from scipy.stats import binomtest
from torchmetrics.functional.classification import multiclass_calibration_error

from label_smoothing import figures

from .builders import CROSS, MEANS, SURE, THREE, curve, rectangles


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
