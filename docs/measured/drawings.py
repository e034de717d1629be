"""What the loss in one pass costs, beside PyTorch's own."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from label_smoothing.figures import INK, LINE, MUTED, PAPER
from label_smoothing.figures._style import WIDTH, finish, note, styled

__all__ = ["growth", "peak", "times"]
NAMES = {
    "floor": "torch.exp",
    "ours": "label_smoothing.cross_entropy",
    "compiled": "torch.compile(F.cross_entropy)",
    "hard": "F.cross_entropy, ε = 0",
    "torch": "F.cross_entropy",
    "linear": "F.linear_cross_entropy",
}


class Case(TypedDict):
    """What was timed on logits of one shape: median, least and most, in seconds."""

    shape: Sequence[int]
    seconds: Mapping[str, Sequence[float]]


@styled
def times(
    cases: Sequence[Case], contestants: Sequence[str], unit: str = "floor"
) -> Figure:
    """Draw how long each contestant takes, as a multiple of the time of one of them.

    Parameters
    ----------
    cases : list of dict
        Each has a ``"shape"``, that of the logits, and ``"seconds"``: for the unit and
        each contestant a list with the median first.
    contestants : list of str
        Which to draw: ``"ours"``, ``"torch"``, ``"hard"`` (without smoothing),
        ``"compiled"``, ``"linear"`` (PyTorch's loss with the last layer in it).
    unit : str, default: "floor"
        What to measure by: a contestant, or the floor, the time of one
        :func:`torch.exp`.

    Returns
    -------
    matplotlib.figure.Figure
        A row of bars for each shape.

    Raises
    ------
    ValueError
        If there is nothing to draw.

    Examples
    --------
    >>> from textwrap import fill
    >>> from measured import drawings
    >>> seconds = {"floor": [2], "ours": [3], "torch": [9]}
    >>> case = {"shape": [128, 1000], "seconds": seconds}
    >>> figure = drawings.times([case], ["ours", "torch"])
    >>> print(fill(figure.get_label()))
    Bars of the time, as a multiple of one torch.exp. 128 × 1000:
    label_smoothing.cross_entropy 1.50, F.cross_entropy 4.50.
    """
    if not cases or not contestants:
        raise ValueError(
            f"there must be cases and contestants to draw, "
            f"got {len(cases)} and {len(contestants)}"
        )
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
            colour = INK if name == "ours" else MUTED
            ax.barh(y, ratio, color=colour, height=0.7 * each)
            text = f"{ratio:.2f}  {NAMES[name]}"
            look = {"va": "center", "fontsize": 10, "backgroundcolor": PAPER}
            note(ax, text, (ratio, y), (5, 0), colour, **look)
            y += each
        ax.plot([1, 1], [y - each * len(row) - each / 2, y - each / 2], color=LINE, lw=1)
        numbers = ", ".join(f"{NAMES[name]} {ratio:.2f}" for name, ratio in row.items())
        said.append(f"{size}: {numbers}")
    ax.set(xlim=(0, 2 * most), ylim=(y, 0))
    return finish(
        figure,
        f"Bars of the time, as a multiple of one {NAMES[unit]}. {'; '.join(said)}.",
    )


@styled
def growth(cases: Sequence[Case], dim: int) -> Figure:
    """Draw the time against one size of the logits, on logarithmic scales.

    Parameters
    ----------
    cases : list of dict
        As in :func:`times`, for logits (N, K) that differ in one size only, with
        median, least and most.
    dim : int
        Which size changes: that of the first dimension, N, or of the second, K.

    Returns
    -------
    matplotlib.figure.Figure
        A line for each contestant, with the range of its times.

    Raises
    ------
    ValueError
        If ``dim`` is another one, or if there are fewer than two cases.

    Examples
    --------
    >>> from measured import drawings
    >>> cases = [
    ...     {"shape": [8, k], "seconds": {"floor": [k * 1e-6] * 3}} for k in (10, 100)
    ... ]
    >>> drawings.growth(cases, dim=1).get_label()
    'Lines of the time against K, from 10 to 100, with N = 8. torch.exp takes 0.0001 s.'
    """
    if dim not in (0, 1):
        raise ValueError(f"dim must be 0 or 1, got {dim}")
    if len(cases) < 2:
        raise ValueError(f"there must be two cases or more to draw, got {len(cases)}")
    sizes = [case["shape"][dim] for case in cases]
    names = list(cases[0]["seconds"])
    figure, ax = plt.subplots(figsize=(WIDTH, 4.4), layout="constrained")
    for name in names:
        colour = {"ours": INK, "floor": LINE}.get(name, MUTED)
        median, least, most = torch.tensor([case["seconds"][name] for case in cases]).T
        ax.plot(sizes, median, color=colour, lw=2.5 if name == "ours" else 1.5)
        ax.fill_between(sizes, least, most, color=colour, alpha=0.25, lw=0)
        va = "top" if name == "floor" else "bottom"  # the two lowest end close together
        text = NAMES[name].replace("smoothing.", "smoothing.\n")
        end = sizes[-1], median[-1]
        ink = MUTED if name == "floor" else colour
        note(ax, text, end, (6, 0), ink, va=va, fontsize=10, annotation_clip=False)
    letter, other = ("K", "N") if dim else ("N", "K")
    ax.set(xscale="log", yscale="log", xlabel=f"${letter}$", ylabel="s")
    last = cases[-1]
    ends = ", ".join(
        f"{NAMES[name]} takes {last['seconds'][name][0]:.2g} s" for name in names
    )
    return finish(
        figure,
        f"Lines of the time against {letter}, from {sizes[0]} to {sizes[-1]}, with "
        f"{other} = {last['shape'][1 - dim]}. {ends}.",
    )


@styled
def peak(sizes: Mapping[str, float]) -> Figure:
    """Draw how far memory rises in a forward and a backward pass.

    Parameters
    ----------
    sizes : dict
        For each contestant of :func:`times` the rise, as a multiple of the
        memory of the logits.

    Returns
    -------
    matplotlib.figure.Figure
        A bar for each contestant.

    Raises
    ------
    ValueError
        If there is nothing to draw.

    Examples
    --------
    >>> from measured import drawings
    >>> drawings.peak({"ours": 1.0, "torch": 3.0}).get_label()[-65:]
    'logits. label_smoothing.cross_entropy 1.00, F.cross_entropy 3.00.'
    """
    if not sizes:
        raise ValueError(f"there must be sizes to draw, got {sizes}")
    figure, ax = plt.subplots(figsize=(WIDTH, 0.3 * len(sizes) + 0.1))
    figure.subplots_adjust(0.02, 0, 0.98, 1)
    ax.set_axis_off()
    for y, (name, size) in enumerate(sizes.items()):
        colour = INK if name == "ours" else MUTED
        ax.barh(y, size, color=colour, height=0.6)
        text = f"{size:.2f}  {NAMES[name]}"
        note(ax, text, (size, y), (5, 0), colour, va="center", fontsize=10)
    ax.set(xlim=(0, 1.75 * max(sizes.values())), ylim=(len(sizes) - 0.5, -0.5))
    said = ", ".join(f"{NAMES[name]} {size:.2f}" for name, size in sizes.items())
    return finish(figure, f"Bars of memory, as a multiple of the logits. {said}.")
