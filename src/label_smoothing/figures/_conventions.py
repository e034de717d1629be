"""What the conventions make of one ε."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from label_smoothing.auditing.conventions import BINARY, CONVENTIONS, convert_smoothing
from label_smoothing.figures._checks import check_two_classes
from label_smoothing.figures._style import (
    COLOURS,
    INK,
    LINE,
    WIDTH,
    finish,
    note,
    short,
    styled,
)

EACH, GAP = 0.28, 0.6  # inches: a bar, and the number of classes above its bars


@styled
def conventions(smoothing: float, classes: Sequence[int]) -> Figure:
    r"""Draw what the true class gives away at one ε, by convention.

    That is :math:`1 - q'(y)`. The others share it among themselves.

    Parameters
    ----------
    smoothing : float
        The smoothing :math:`\varepsilon`, ``0 < smoothing < 1``.
    classes : list of int
        The numbers of classes K to draw, each at least two.

    Returns
    -------
    matplotlib.figure.Figure
        For each K a bar for each convention that has a meaning there, to one scale, and
        a line at :math:`\varepsilon`.

    Raises
    ------
    ValueError
        If ``smoothing`` is out of range, if there is nothing to draw, or if a number of
        classes is below two.

    See Also
    --------
    label_smoothing.convert_smoothing : the conventions, and their formulas.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> figure = figures.conventions(smoothing=0.3, classes=[2, 5])
    >>> print(fill(figure.get_label()))
    Bars of what the true class gives away, 1 − q'(y), at ε = 0.3. K = 2:
    uniform 0.15, others 0.3, normalised 0.1154, half 0.15, swap 0.3. K =
    5: uniform 0.24, others 0.3, others-without-padding 0.3, normalised
    0.1846.
    """
    if not 0 < smoothing < 1:
        raise ValueError(f"smoothing must satisfy 0 < smoothing < 1, got {smoothing}")
    if not classes:
        raise ValueError(f"there must be classes to draw, got {classes}")
    for num_classes in classes:
        check_two_classes(num_classes)
    # With "others" the true class gives away all of ε: so that is what to convert to.
    given = {
        num_classes: {
            name: convert_smoothing(smoothing, num_classes, name, "others")
            for name in CONVENTIONS
            if (name in BINARY) <= (num_classes == 2)
            and (name == "others-without-padding") <= (num_classes > 2)
        }
        for num_classes in classes
    }
    height = sum(EACH * len(row) + GAP for row in given.values()) + 0.1
    figure, ax = plt.subplots(figsize=(WIDTH, height))
    figure.subplots_adjust(0.02, 0, 0.98, 1)
    ax.set_axis_off()
    y, said = 0.0, []
    for num_classes, row in given.items():
        ax.text(0, y + 0.32, f"$K = {num_classes}$", color=INK, va="center", fontsize=13)
        y += GAP
        top = y - EACH / 2
        for name, value in row.items():
            ax.barh(y, value, color=COLOURS["q'"], height=0.7 * EACH)
            text = f"{short(value)}  {name}"
            note(ax, text, (smoothing, y), (8, 0), INK, va="center", fontsize=11)
            y += EACH
        ax.plot([smoothing, smoothing], [top, y - EACH / 2], color=LINE, lw=1, zorder=0)
        look = {"ha": "center", "va": "bottom"}
        note(ax, r"$\varepsilon$", (smoothing, top), (0, 1), INK, **look)
        values = ", ".join(f"{name} {short(value)}" for name, value in row.items())
        said.append(f"K = {num_classes}: {values}")
    ax.set(xlim=(0, 2.2 * smoothing), ylim=(y, 0))
    return finish(
        figure,
        f"Bars of what the true class gives away, 1 − q'(y), at ε = {short(smoothing)}. "
        f"{'. '.join(said)}.",
    )
