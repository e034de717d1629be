"""Means with their intervals."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from label_smoothing.figures._style import (
    COLOURS,
    INK,
    WIDTH,
    finish,
    note,
    short,
    styled,
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
        If there is nothing to draw.

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
    ax.locator_params(axis="x", nbins=6)  # more would meet each other
    ax.spines["left"].set_visible(False)
    ax.tick_params(left=False)
    return finish(
        figure, f"Means of {count} runs with their intervals: {name}. {'; '.join(said)}."
    )
