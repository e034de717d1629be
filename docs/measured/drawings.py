"""What the loss in one pass costs beside PyTorch's own, by the rows of ``bench``.

A case, as ``results.timed`` gives it, has the ``"shape"`` of the logits, and under
``"seconds"`` for each contestant the median, the least and the most.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from label_smoothing.figures import INK, LINE, MUTED, PAPER
from label_smoothing.figures._style import WIDTH, finish, note, styled

__all__ = ["dots", "growth", "memory", "times"]
NAMES = {
    "floor": "torch.exp",
    "ours": "label_smoothing.cross_entropy",
    "compiled": "torch.compile(F.cross_entropy)",
    "hard": "F.cross_entropy, ε = 0",
    "torch": "F.cross_entropy",
    "linear": "F.linear_cross_entropy",
}
Case = Mapping[str, Any]


@styled
def times(
    cases: Sequence[Case], contestants: Sequence[str], unit: str = "floor"
) -> Figure:
    """Draw the median times as bars, as multiples of the unit's time on that shape."""
    each, gap = 0.25, 0.55  # inches: a bar, and the shape above its bars
    height = len(cases) * (each * len(contestants) + gap) + 0.15
    figure, ax = plt.subplots(figsize=(WIDTH, height))
    figure.subplots_adjust(0.02, 0.02, 0.98, 1)
    ax.set_axis_off()
    y, most, said = 0.0, 0.0, []
    for case in cases:
        taken = case["seconds"]
        row = {name: taken[name][0] / taken[unit][0] for name in contestants}
        most = max(most, *row.values())
        size = " × ".join(map(str, case["shape"]))
        ax.text(0, y + 0.3, size, color=INK, va="center", fontsize=13)
        y += gap
        for name, ratio in row.items():
            _bar(ax, y, name, ratio, 0.7 * each, backgroundcolor=PAPER)
            y += each
        ax.plot([1, 1], [y - each * len(row) - each / 2, y - each / 2], color=LINE, lw=1)
        said.append(f"{size}: {_words(row)}")
    ax.set(xlim=(0, 2 * most), ylim=(y, 0))
    alt = f"Bars of the time, as a multiple of one {NAMES[unit]}. {'; '.join(said)}."
    return finish(figure, alt)


@styled
def growth(cases: Sequence[Case], dim: int) -> Figure:
    """Draw the times as lines over one size of the logits, each with its range.

    The cases differ in that size alone: in N, the dimension 0, or in K, the dimension 1.
    """
    sizes = [case["shape"][dim] for case in cases]
    figure, ax = plt.subplots(figsize=(WIDTH, 4.4), layout="constrained")
    ends = []
    for name in cases[0]["seconds"]:
        colour = {"ours": INK, "floor": LINE}.get(name, MUTED)
        median, least, most = torch.tensor([case["seconds"][name] for case in cases]).T
        ax.plot(sizes, median, color=colour, lw=2.5 if name == "ours" else 1.5)
        ax.fill_between(sizes, least, most, color=colour, alpha=0.25, lw=0)
        va = "top" if name == "floor" else "bottom"  # the two lowest end close together
        text = NAMES[name].replace("smoothing.", "smoothing.\n")
        end = sizes[-1], median[-1]
        ink = MUTED if name == "floor" else colour
        note(ax, text, end, (6, 0), ink, va=va, fontsize=10, annotation_clip=False)
        ends.append(f"{NAMES[name]} takes {cases[-1]['seconds'][name][0]:.2g} s")
    letter, other = ("K", "N") if dim else ("N", "K")
    ax.set(xscale="log", yscale="log", xlabel=f"${letter}$", ylabel="s")
    return finish(
        figure,
        f"Lines of the time against {letter}, from {sizes[0]} to {sizes[-1]}, with "
        f"{other} = {cases[-1]['shape'][1 - dim]}. {', '.join(ends)}.",
    )


@styled
def dots(shares: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw the share of PyTorch's time in each situation, for one pass and for both."""
    each = 0.42  # inches: the name of a situation, and its dots below
    height = each * len(shares) + 0.9
    figure, ax = plt.subplots(figsize=(WIDTH, height))
    figure.subplots_adjust(0.03, 0.6 / height, 0.97, 1 - 0.3 / height)
    ax.axvline(1, color=LINE, lw=1)
    marks = {"forward": ("forward alone", PAPER), "both": ("with backward", INK)}
    said = []
    for y, (name, row) in enumerate(shares.items()):
        ax.text(
            0.0,
            y - 0.28,
            name,
            color=MUTED,
            va="center",
            fontsize=10,
            transform=ax.get_yaxis_transform(),
        )
        ax.plot([*row.values()], [y + 0.12] * len(row), color=LINE, lw=1, zorder=1)
        for passes, share in row.items():
            words, face = marks[passes]
            ax.scatter(share, y + 0.12, s=36, color=face, edgecolors=INK, zorder=2)
            if y == 0:
                side = -7 if share == min(row.values()) else 7
                ha = "right" if side < 0 else "left"
                note(
                    ax,
                    words,
                    (share, y + 0.12),
                    (side, 0),
                    INK,
                    ha=ha,
                    va="center",
                    fontsize=10,
                )
        said.append(f"{name}: {', '.join(f'{p} {s:.2f}' for p, s in row.items())}")
    ax.set(xscale="log", ylim=(len(shares) - 0.4, -0.6))
    ticks = (0.25, 0.5, 1, 2)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_yticks([])
    ax.set_xlabel("time, as a share of that of F.cross_entropy")
    return finish(figure, f"Dots of the share of PyTorch's time. {'; '.join(said)}.")


@styled
def memory(sizes: Mapping[str, float]) -> Figure:
    """Draw how far memory rises for each contestant, as a multiple of the logits."""
    figure, ax = plt.subplots(figsize=(WIDTH, 0.3 * len(sizes) + 0.1))
    figure.subplots_adjust(0.02, 0, 0.98, 1)
    ax.set_axis_off()
    for y, (name, size) in enumerate(sizes.items()):
        _bar(ax, y, name, size, 0.6)
    ax.set(xlim=(0, 1.75 * max(sizes.values())), ylim=(len(sizes) - 0.5, -0.5))
    alt = f"Bars of memory, as a multiple of the logits. {_words(sizes)}."
    return finish(figure, alt)


def _bar(ax: Axes, y: float, name: str, value: float, height: float, **look: Any) -> None:
    """Draw the bar of a contestant, with its value and its name at the end."""
    colour = INK if name == "ours" else MUTED
    ax.barh(y, value, color=colour, height=height)
    look = {"va": "center", "fontsize": 10, **look}
    note(ax, f"{value:.2f}  {NAMES[name]}", (value, y), (5, 0), colour, **look)


def _words(row: Mapping[str, float]) -> str:
    return ", ".join(f"{NAMES[name]} {value:.2f}" for name, value in row.items())
