"""Tensors as tables of cells, drawn to one scale."""

import itertools
from collections.abc import Collection

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from label_smoothing.figures._style import COLOURS, INK, LINE, PAPER, WIDTH, finish

DIGIT = 0.28  # the width that a cell needs for each character


def canvas() -> tuple[Figure, Axes]:
    """Return an empty sheet on which a cell is one high."""
    figure, ax = plt.subplots()
    ax.set_axis_off()
    ax.set_aspect("equal")
    return figure, ax


def fit(
    figure: Figure, ax: Axes, alt: str, width: float, characters: int, below: float = 0.0
) -> Figure:
    """Give a sheet of cells its size, and its text the size that fits the cells."""
    figure.subplots_adjust(0, 0, 1, 1)
    box = ax.dataLim
    span = _span(box.width)
    left = box.x0 + box.width / 2 - span / 2
    ax.set(xlim=(left, left + span), ylim=(box.y1 + below + 0.3, box.y0 - 0.9))
    figure.set_size_inches(WIDTH, WIDTH * (box.height + below + 1.2) / span)
    size = type_size(box.width, width, characters)
    for text in ax.texts:
        text.set_fontsize(size * float(text.get_fontsize()))
    return finish(figure, alt)


def type_size(across: float, width: float, characters: int) -> float:
    """Return the scale at which type fits its cells on a sheet of this width."""
    points = 72 * WIDTH * width / _span(across)
    return min(1.0, points / (7.5 * characters))


def _span(across: float) -> float:
    # The names are beside the tables, and few cells must not become huge.
    return max(across + 2.6, 1.2 * across, 11.0)


def notation(values: Tensor) -> str:
    """Choose the format of the numbers of a table: short if all are short."""
    if values.is_complex():
        return ".4g"
    if not values.is_floating_point():
        return "d"
    short = all(
        len(f"{v:.4g}") <= 3 and float(f"{v:.4g}") == float(f"{v:.4f}")
        for v in values.flatten().tolist()
    )
    return ".4g" if short else ".4f"


def longest(*tables: Tensor) -> int:
    """Count the characters of the longest number in the tables."""
    return max(
        len(format(v, notation(values)))
        for values in tables
        for v in values.flatten().tolist()
    )


def table(
    ax: Axes,
    values: Tensor,
    corner: tuple[float, float],
    *,
    width: float,
    name: str = "",
    written: str = "",
    beam: Collection[tuple[int, ...]] = (),
    picked: Collection[tuple[int, ...]] = (),
    marked: Collection[tuple[int, ...]] = (),
    fill: str = COLOURS["δ"],
) -> None:
    """Draw the numbers of a matrix as cells; y runs downwards."""
    left, top = corner
    written = written or notation(values)
    for i, j in itertools.product(*map(range, values.shape)):
        x, y = left + j * width, top + i
        face = fill if (i, j) in picked else "none"
        ax.add_patch(Rectangle((x, y), width, 1, fc=face, ec=LINE, lw=1))
        if (i, j) in beam and (i, j) not in picked:
            ax.add_patch(
                Rectangle((x, y), width, 1, fc=COLOURS["δ"], alpha=0.2, ec="none")
            )
        if (i, j) in marked:
            ax.add_patch(
                Rectangle((x, y), width, 1, fc="none", ec=COLOURS["δ"], lw=3, zorder=4)
            )
        ax.text(
            x + width / 2,
            y + 0.5,
            format(values[i, j].item(), written),
            ha="center",
            va="center",
            color=PAPER if (i, j) in picked else INK,
        )
    if name:
        y = top + len(values) / 2
        ax.text(left - 0.3, y, name, ha="right", va="center", fontsize=15)
