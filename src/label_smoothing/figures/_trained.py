"""What training does: calibration, clusters, logit gaps, and means of runs."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import NormalDist

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from label_smoothing.auditing.conventions import optimal_logit_gap
from label_smoothing.figures._checks import (
    check_finite,
    check_open_smoothing,
    check_positive,
    check_shapes,
)
from label_smoothing.figures._style import (
    COLOURS,
    INK,
    LINE,
    MUTED,
    PAPER,
    WIDTH,
    finish,
    note,
    short,
    styled,
)
from label_smoothing.gather import pick

MARKERS = (("o", INK), ("^", MUTED), ("s", PAPER))


@styled
def reliability(logits: Tensor, target: Tensor, bins: int = 15) -> Figure:
    """Draw how often a network is right, against how sure it is.

    The rows are put into bins by the largest probability of each, the confidence. The
    expected calibration error is the mean distance between the confidence of a bin and
    the share of its rows that are right, weighted by the rows.

    Parameters
    ----------
    logits : torch.Tensor
        Shape (N, K), floating point.
    target : torch.Tensor
        True classes, shape (N,), dtype torch.int64.
    bins : int, default: 15
        The number of bins, of equal width.

    Returns
    -------
    matplotlib.figure.Figure
        A bar for each bin that has rows, up to the share that is right; a dot at its
        mean confidence, larger for more rows; a line through it, the
        interval of Wilson, which misses the truth one time in twenty; and the diagonal,
        on which both are the same.

    Raises
    ------
    ValueError
        If the shapes are not (N, K) and (N,), if there are no rows, if ``bins`` is below
        one, or if a confidence is not finite.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> from label_smoothing.example import logits, target
    >>> figure = figures.reliability(logits, target, bins=5)
    >>> print(fill(figure.get_label()))
    Bars of the share that is right against confidence, with intervals, of
    3 rows in 5 bins. 0.667 of the rows are right, the mean confidence is
    0.292, and the expected calibration error 0.374.
    """
    check_shapes(logits, target, "NK", "N")
    check_positive(bins, "bins")
    confidence, predicted = logits.softmax(1).double().max(1)
    check_finite(logits, "logits", confidence)
    right = (predicted == target).double()
    at = (confidence * bins).ceil().long().clamp(max=bins) - 1  # an edge is in the lower
    error = 0.0
    figure, ax = plt.subplots(figsize=(WIDTH, 4.2), layout="constrained")
    for n in range(bins):
        rows = at == n
        if not rows.any():
            continue
        share, mean = float(right[rows].mean()), float(confidence[rows].mean())
        part = float(rows.sum()) / len(target)
        error += part * abs(share - mean)
        ax.bar((n + 0.5) / bins, share, 0.9 / bins, color=COLOURS["p"], alpha=0.35)
        low, high = _interval(share, int(rows.sum()))
        ax.vlines(mean, low, high, color=COLOURS["p"], lw=1.5)
        size = 4 + 12 * part**0.5
        ax.plot(mean, share, "o", color=COLOURS["p"], ms=size, zorder=3, clip_on=False)
    ax.plot([0, 1], [0, 1], color=LINE, lw=1.5, zorder=0)
    accuracy, mean = float(right.mean()), float(confidence.mean())
    words = f"$N = {len(target)}$\nright {accuracy:.3f}\nconfidence {mean:.3f}"
    ax.text(0.03, 0.97, f"{words}\nECE {error:.3f}", color=INK, va="top")
    ax.set(xlim=(0, 1), ylim=(0, 1.04), xlabel="confidence", ylabel="share right")
    return finish(
        figure,
        f"Bars of the share that is right against confidence, with intervals, of "
        f"{len(target)} rows in {bins} bins. {accuracy:.3f} of the rows are right, the "
        f"mean confidence is {mean:.3f}, and the expected calibration error {error:.3f}.",
    )


def _interval(share: float, count: int) -> tuple[float, float]:
    """Return the ends of Wilson's interval for a share of ``count`` rows."""
    z = NormalDist().inv_cdf(0.975)
    middle = share + z**2 / (2 * count)
    half = z * (share * (1 - share) / count + (z / (2 * count)) ** 2) ** 0.5
    whole = 1 + z**2 / count
    return (middle - half) / whole, (middle + half) / whole


@styled
def clusters(
    features: Tensor, target: Tensor, weight: Tensor, classes: Sequence[int]
) -> Figure:
    """Draw the last hidden layer on the plane through the templates of three classes.

    The template of a class is its row in the weight of the last layer, and the drawing
    is that of :cite:t:`muller2019`.

    Parameters
    ----------
    features : torch.Tensor
        What the last layer gets, shape (N, D), floating point.
    target : torch.Tensor
        True classes, shape (N,), dtype torch.int64.
    weight : torch.Tensor
        The weight of the last layer, shape (K, D).
    classes : list of int
        Three classes. Rows of other classes are left out.

    Returns
    -------
    matplotlib.figure.Figure
        A point for each row, with a mark for each class.

    Raises
    ------
    ValueError
        If the shapes are not (N, D) and (N,), if there are other than three classes, if
        one of them has no rows, or if ``features`` or ``weight`` is not finite.

    Examples
    --------
    >>> import torch
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> features = torch.cat((torch.eye(3), 2 * torch.eye(3)))
    >>> target = torch.arange(3).repeat(2)
    >>> figure = figures.clusters(features, target, torch.eye(3), classes=[0, 1, 2])
    >>> print(fill(figure.get_label()))
    6 points on the plane through the templates of the classes 0, 1 and 2.
    On average a point is 0.192 as far from the centre of its class as the
    centres are from each other.
    """
    check_shapes(features, target, "ND", "N", "features")
    check_finite(features, "features")
    check_finite(weight, "weight")
    if len(classes) != 3:
        raise ValueError(f"there must be three classes to draw, got {classes}")
    for k in classes:
        if not (target == k).any():
            raise ValueError(f"class {k} has no rows to draw")
    first, second, third = weight[list(classes)].double()
    plane, triangle = torch.linalg.qr(torch.stack((second - first, third - first), 1))
    plane = plane * triangle.diagonal().sign()  # the decomposition leaves the signs open
    points = features.double() @ plane
    groups = [points[target == k] for k in classes]
    centres = [group.mean(0) for group in groups]
    near = torch.cat(
        [(g - c).norm(dim=1) for g, c in zip(groups, centres, strict=True)]
    ).mean()
    apart = torch.stack([(a - b).norm() for a, b in combinations(centres, 2)]).mean()
    ratio = float(near / apart)
    figure, ax = plt.subplots(figsize=(WIDTH, 4.4), layout="constrained")
    for k, group, (marker, face) in zip(classes, groups, MARKERS, strict=True):
        x, y = group.T
        ax.plot(x, y, marker, mfc=face, mec=INK, mew=0.6, ms=5, ls="", label=f"{k}")
    ax.legend(frameon=False, title=f"$N = {sum(map(len, groups))}$")
    ax.set_aspect("equal", adjustable="datalim")
    ax.tick_params(bottom=False, left=False, labelbottom=False, labelleft=False)
    one, two, three = classes
    return finish(
        figure,
        f"{sum(map(len, groups))} points on the plane through the templates of the "
        f"classes {one}, {two} and {three}. On average a point is {ratio:.3f} as far "
        "from the centre of its class as the centres are from each other.",
    )


@styled
def gaps(logits: Tensor, target: Tensor, smoothing: float) -> Figure:
    r"""Draw the logit gaps of a network beside the gap that the loss asks for.

    The gap of a row is its true logit minus the mean of the others.

    Parameters
    ----------
    logits : torch.Tensor
        Shape (N, K), floating point, with at least two classes.
    target : torch.Tensor
        True classes, shape (N,), dtype torch.int64.
    smoothing : float
        The smoothing :math:`\varepsilon` of the training, ``0 < smoothing < 1``.

    Returns
    -------
    matplotlib.figure.Figure
        A histogram of the gaps, with a line at
        :math:`\ln(K(1-\varepsilon)/\varepsilon + 1)`.

    Raises
    ------
    ValueError
        If the shapes are not (N, K) and (N,), if there are no rows, if ``smoothing`` is
        out of range, or if a gap is not finite.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> from label_smoothing.example import logits, target
    >>> figure = figures.gaps(logits, target, smoothing=0.3)
    >>> print(fill(figure.get_label()))
    A histogram of the logit gaps of 3 rows, from 0.3000 to 0.6250, and a
    line at the best gap for ε = 0.3, 2.5390. The mean gap is 0.4917.
    """
    check_shapes(logits, target, "NK", "N")
    check_open_smoothing(smoothing)
    num_classes = logits.shape[1]
    best = optimal_logit_gap(num_classes, smoothing)
    z = logits.double()
    true = pick(z, target)
    gap = true - (z.sum(1) - true) / (num_classes - 1)
    check_finite(logits, "logits", gap)
    low, high, mean = float(gap.min()), float(gap.max()), float(gap.mean())
    figure, ax = plt.subplots(figsize=(WIDTH, 3.4), layout="constrained")
    ax.hist(gap, bins=40, color=COLOURS["p"])
    ax.axvline(best, color=COLOURS["q'"], lw=2)
    top = 1.15 * ax.get_ylim()[1]  # room for the number, above the bars
    note(ax, f"${best:.4f}$", (best, top), (5, -12), COLOURS["q'"])
    ax.set_ylim(top=top)
    ax.set(xlabel=r"$z_y - $ mean of the other $z_k$", ylabel=f"rows of {len(gap)}")
    return finish(
        figure,
        f"A histogram of the logit gaps of {len(gap)} rows, from {low:.4f} to "
        f"{high:.4f}, and a line at the best gap for ε = {smoothing:.4g}, {best:.4f}. "
        f"The mean gap is {mean:.4f}.",
    )


@styled
def intervals(rows: Mapping[str, Mapping[str, float]], name: str, count: int) -> Figure:
    """Draw what was measured of some settings: a mean each, and its interval.

    Parameters
    ----------
    rows : dict
        For each setting its ``"mean"``, and the ends of the interval, ``"low"`` and
        ``"high"``.
    name : str
        What was measured.
    count : int
        How many runs each mean is of.

    Returns
    -------
    matplotlib.figure.Figure
        A dot and a line for each setting.

    Raises
    ------
    ValueError
        If there is nothing to draw, or if a number is not finite.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> rows = {"ε = 0": {"mean": 0.5, "low": 0.25, "high": 0.75}}
    >>> print(fill(figures.intervals(rows, "error", 5).get_label()))
    Means of 5 runs with their intervals: error. ε = 0: 0.5, from 0.25 to
    0.75.
    """
    if not rows:
        raise ValueError(f"there must be rows to draw, got {rows}")
    ends = [[row["low"], row["mean"], row["high"]] for row in rows.values()]
    check_finite(torch.tensor(ends), "rows")
    figure, ax = plt.subplots(
        figsize=(WIDTH, 0.36 * len(rows) + 0.9), layout="constrained"
    )
    said = []
    for y, (setting, row) in enumerate(rows.items()):
        mean, low, high = row["mean"], row["low"], row["high"]
        ax.plot([low, high], [y, y], color=COLOURS["p"], lw=2.5, alpha=0.5)
        ax.plot(mean, y, "o", color=COLOURS["p"], ms=6)
        note(ax, short(mean), (mean, y), (0, 5), INK, ha="center", fontsize=10)
        said.append(f"{setting}: {short(mean)}, from {short(low)} to {short(high)}")
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(ylim=(len(rows) - 0.5, -0.8), xlabel=f"{name}, $n = {count}$")
    ax.locator_params(axis="x", nbins=6)  # more would overlap
    ax.spines["left"].set_visible(False)
    ax.tick_params(left=False)
    return finish(
        figure, f"Means of {count} runs with their intervals: {name}. {'; '.join(said)}."
    )
