"""Distributions as bars: over the classes, and by convention."""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from label_smoothing.auditing.conventions import BINARY, CONVENTIONS, convert_smoothing
from label_smoothing.figures._checks import (
    check_finite,
    check_not_empty,
    check_open_smoothing,
    check_shapes,
)
from label_smoothing.figures._style import (
    COLOURS,
    INK,
    LINE,
    MUTED,
    TEX,
    WIDTH,
    finish,
    note,
    short,
    styled,
)
from label_smoothing.targets import check_num_classes, dirac_delta, smooth, uniform

UNIT = 1.6  # inches: the height of a bar of probability one, where charts are compared
EACH, GAP = 0.28, 0.6  # inches: a bar, and the number of classes above its bars


class Row(NamedTuple):
    """A chart: its values, its name with a line below it, its colour and its scale."""

    values: Tensor
    name: str
    under: str
    colour: str
    unit: float = UNIT
    parts: tuple[tuple[Tensor, str], ...] = ()  # what to paint in place of one colour
    high: float = 0.0  # the chart is at least this high


@styled
def targets(
    target: Tensor, num_classes: int, smoothing: float, prior: Tensor | None = None
) -> Figure:
    r"""Draw the mix :math:`q' = (1-\varepsilon)\,\delta + \varepsilon\,u` of one target.

    Parameters
    ----------
    target : torch.Tensor
        One true class, shape (), dtype torch.int64.
    num_classes : int
        The number of classes K.
    smoothing : float
        The weight :math:`\varepsilon` of the prior, ``0 <= smoothing < 1``.
    prior : torch.Tensor, optional
        The distribution :math:`u(k)`, shape (K,). Uniform by default.

    Returns
    -------
    matplotlib.figure.Figure
        Three bar charts to one scale: δ, u and q'. Each bar of q' is stacked from its
        share of u, below, and its share of δ.

    Raises
    ------
    ValueError
        If ``target`` is not a single class, or as in :func:`label_smoothing.smooth`.

    Examples
    --------
    >>> import torch
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> figure = figures.targets(torch.tensor(2), num_classes=5, smoothing=0.3)
    >>> print(fill(figure.get_label()))
    Three bar charts over 5 classes. δ is 1 at class 2 and 0 elsewhere; u
    is 0.2 at each class. Each bar of q' stacks 0.7 of δ on 0.3 of u: 0.76
    at class 2, 0.06 at each other.
    """
    if target.dim() != 0:
        raise ValueError(f"target must have shape (), got {tuple(target.shape)}")
    y = int(target)
    delta = dirac_delta(target, num_classes)
    u = uniform(num_classes) if prior is None else prior
    mixed = smooth(target, num_classes, smoothing, prior)
    hard, soft = f"{1 - smoothing:.4g}", f"{smoothing:.4g}"
    figure = _charts(
        Row(delta, r"$\delta$", "", COLOURS["δ"]),
        Row(u, "$u$", "", COLOURS["u"]),
        Row(
            mixed,
            "$q'$",
            f"$= {hard}\\,\\delta + {soft}\\,u$",
            COLOURS["q'"],
            parts=((mixed, COLOURS["δ"]), (smoothing * u, COLOURS["u"])),
        ),
    )
    other = next((k for k in range(num_classes) if k != y), y)
    of_u, of_q = ("each class", "each other") if prior is None else [f"class {other}"] * 2
    return finish(
        figure,
        f"Three bar charts over {num_classes} classes. δ is 1 at class {y} and 0 "
        f"elsewhere; u is {u[other]:.4g} at {of_u}. Each bar of q' stacks {hard} of δ on "
        f"{soft} of u: {mixed[y]:.4g} at class {y}, {mixed[other]:.4g} at {of_q}.",
    )


@styled
def distribution(probs: Tensor, symbol: str) -> Figure:
    """Draw one or more distributions as rows of bars, in the colour of their symbol.

    Parameters
    ----------
    probs : torch.Tensor
        Probabilities, shape (K,) or (N, K).
    symbol : str
        ``"δ"``, ``"u"``, ``"q'"`` or ``"p"``.

    Returns
    -------
    matplotlib.figure.Figure
        One bar chart per row, on a common scale.

    Raises
    ------
    ValueError
        If ``symbol`` is not one of the four, or if ``probs`` has another shape, is
        empty, or is not finite.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures, uniform
    >>> figure = figures.distribution(uniform(5), "u")
    >>> print(fill(figure.get_label()))
    A bar chart of u over 5 classes. Row 0: 0.2, 0.2, 0.2, 0.2, 0.2.
    """
    if symbol not in COLOURS:
        raise ValueError(f"symbol must be one of {tuple(COLOURS)}, got {symbol!r}")
    if probs.dim() not in (1, 2):
        raise ValueError(
            f"probs must have shape (K,) or (N, K), got {tuple(probs.shape)}"
        )
    check_not_empty(probs, "probs")
    check_finite(probs, "probs")
    table = probs.reshape(-1, probs.shape[-1])
    high = float(table.max())
    figure = _charts(
        *(
            Row(
                row,
                f"${TEX[symbol]}$",
                f"$n = {n}$" if len(table) > 1 else "",
                COLOURS[symbol],
                0.85 / (1.0 if high > 0.5 or high <= 0 else high),
                high=high,
            )
            for n, row in enumerate(table)
        )
    )
    rows = "; ".join(
        f"Row {n}: {', '.join(f'{v:.4g}' for v in row[:12].tolist())}"
        + (" and so on" if len(row) > 12 else "")
        for n, row in enumerate(table)
    )
    return finish(
        figure, f"A bar chart of {symbol} over {table.shape[1]} classes. {rows}."
    )


@styled
def gradient(logits: Tensor, target: Tensor, smoothing: float) -> Figure:
    r"""Draw the gradient of the loss of one row, :math:`p - q'`.

    Parameters
    ----------
    logits : torch.Tensor
        One row of logits, shape (K,).
    target : torch.Tensor
        Its true class, shape (), dtype torch.int64.
    smoothing : float
        The weight :math:`\varepsilon` of the uniform prior, ``0 <= smoothing < 1``.

    Returns
    -------
    matplotlib.figure.Figure
        Three bar charts to one scale: p minus q' equals the gradient with respect to the
        logits.

    Raises
    ------
    ValueError
        If ``logits`` is not a row and ``target`` not its class, or if the gradient is
        not finite.

    Examples
    --------
    >>> import torch
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> logits = torch.tensor([0, 0.2, 0.7, 0.1, 0])
    >>> figure = figures.gradient(logits, torch.tensor(2), smoothing=0.3)
    >>> print(fill(figure.get_label()))
    Three bar charts over 5 classes: p, q' and the gradient p − q'. At the
    true class, 2, p is 0.3176, q' is 0.76 and the gradient is -0.4424: a
    step against it makes the logit rise. Elsewhere the gradient is at
    most 0.1326.
    """
    check_shapes(logits, target, "K", "")
    p, q = logits.softmax(0), smooth(target, len(logits), smoothing)
    y, grad = int(target), p - q
    check_finite(logits, "logits", grad)
    grad = grad.where(grad.abs() > torch.finfo(p.dtype).eps, 0)  # all else is rounding
    figure = _charts(
        Row(p, "$p$", "", COLOURS["p"]),
        Row(q, "$q'$", "", COLOURS["q'"]),
        Row(grad, r"$\partial \ell / \partial z$", "$= p - q'$", INK),
    )
    moves = {-1: "makes the logit rise", 1: "makes the logit fall"}
    move = moves.get(int(grad[y].sign()), "leaves the logit as it is")
    others = [float(g) for k, g in enumerate(grad) if k != y]
    alt = (
        f"Three bar charts over {len(logits)} classes: p, q' and the gradient p − q'. At "
        f"the true class, {y}, p is {p[y]:.4g}, q' is {q[y]:.4g} and the gradient is "
        f"{grad[y]:.4g}: a step against it {move}."
    )
    if others:
        alt += f" Elsewhere the gradient is at most {max(others):.4g}."
    return finish(figure, alt)


@styled
def weighted_target(target: Tensor, weight: Tensor, smoothing: float) -> Figure:
    r"""Draw what class weights make of a smoothed target in PyTorch's loss.

    With weights :math:`w` the loss of a row is
    :math:`-\sum_k w_k\,q'(k) \log p_k`. It is least at
    :math:`p^*_k \propto w_k\,q'(k)`, and so no longer at :math:`q'`.

    Parameters
    ----------
    target : torch.Tensor
        One true class, shape (), dtype torch.int64.
    weight : torch.Tensor
        The weights :math:`w_k`, shape (K,).
    smoothing : float
        The weight :math:`\varepsilon` of the uniform prior, ``0 <= smoothing < 1``.

    Returns
    -------
    matplotlib.figure.Figure
        Three bar charts: w, q', and the optimum p*, the last two to one scale.

    Raises
    ------
    ValueError
        If ``weight`` is not a row and ``target`` not its class, or if the weights leave
        nothing to minimise.

    Examples
    --------
    >>> import torch
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> weight = torch.tensor([1.0, 1.0, 1.0, 1.0, 13.0])
    >>> figure = figures.weighted_target(torch.tensor(2), weight, smoothing=0.3)
    >>> print(fill(figure.get_label()))
    Three bar charts over 5 classes: the weights w, q', and the optimum p*
    in proportion to w times q'. At the true class, 2, q' is 0.76 and p*
    is 0.4419. The largest p* is 0.4535, at class 4.
    """
    check_shapes(weight, target, "K", "", "weight")
    q, y = smooth(target, len(weight), smoothing), int(target)
    best = weight * q
    if (best < 0).any() or not 0 < best.sum() < torch.inf:
        raise ValueError(
            f"weight must be finite and not negative, and w times q' must have a "
            f"positive sum, got {weight.tolist()}"
        )
    best /= best.sum()
    figure = _charts(
        Row(weight, "$w$", "", MUTED, 1 / float(weight.max())),
        Row(q, "$q'$", "", COLOURS["q'"]),
        Row(best, "$p^*$", r"$\propto w\,q'$", COLOURS["p"]),
    )
    most = int(best.argmax())
    return finish(
        figure,
        f"Three bar charts over {len(weight)} classes: the weights w, q', and the "
        f"optimum p* in proportion to w times q'. At the true class, {y}, q' is "
        f"{q[y]:.4g} and p* is {best[y]:.4g}. The largest p* is "
        f"{best[most]:.4g}, at class {most}.",
    )


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
    TypeError
        If a number of classes is not an int.
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
    check_open_smoothing(smoothing)
    if not classes:
        raise ValueError(f"there must be classes to draw, got {classes}")
    for num_classes in classes:
        check_num_classes(num_classes, least=2)
    # Convert to "others": there the true class gives away exactly ε.
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


def _charts(*rows: Row) -> Figure:
    """Draw bar charts below each other, with the name of each beside it."""
    figure = plt.figure()
    names = [
        figure.text(0, 0, text, color=row.colour, fontsize=size)
        for row in rows
        for text, size in ((row.name, 21), (row.under, 15))
    ]
    # In inches from here on: type has a size of its own, and the bars share a scale.
    left = 0.35 + max(name.get_window_extent().width for name in names) / figure.dpi
    across = WIDTH - left - 0.1
    size = _label_size(rows, 72 * across)
    label = 0.28 if size else 0.06
    gap, bottom = 0.16, 0.3
    spans = []
    for row in rows:
        low, high = float(row.values.min()), float(row.values.max())
        high = max(high, row.high, 0.1 / row.unit)
        room = label / row.unit
        spans.append((low - room if low < 0 else 0.0, high + room))
    heights = [
        row.unit * (high - low) for row, (low, high) in zip(rows, spans, strict=True)
    ]
    y = total = sum(heights) + gap * (len(rows) - 1) + bottom
    figure.set_size_inches(WIDTH, total)
    first: Axes | None = None
    for n, (row, span, height) in enumerate(zip(rows, spans, heights, strict=True)):
        y -= height
        ax = figure.add_axes(
            (left / WIDTH, y / total, across / WIDTH, height / total), sharex=first
        )
        first = first or ax
        _bars(ax, row, size)
        ax.set_ylim(*span)
        ax.tick_params(labelbottom=n == len(rows) - 1)
        lines = [name for name in names[2 * n : 2 * n + 2] if name.get_text()]
        for line, name in enumerate(lines):
            up = 0.31 * ((len(lines) - 1) / 2 - line)
            name.set(x=0.1 / WIDTH, y=(y + height / 2 + up) / total, va="center")
        y -= gap
    return figure


def _label_size(rows: tuple[Row, ...], points: float) -> float:
    """Return the size of type in which all values fit over their bars, or zero."""
    longest = max(len(short(v)) for row in rows for v in row.values.tolist())
    size = min(12.0, points / len(rows[0].values) / (0.64 * longest))
    return size if size >= 8 else 0.0


def _bars(ax: Axes, row: Row, size: float) -> None:
    """Draw bars with their values on them, if there is room for the values."""
    values = row.values.tolist()
    width = 0.72 if len(values) <= 100 else 1.0  # finer gaps cannot be printed
    for part, colour in row.parts or ((row.values, row.colour),):
        ax.bar(range(len(values)), part.tolist(), color=colour, width=width)
    ax.axhline(0, color=LINE, lw=1, clip_on=False)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(bottom=False, left=False, labelleft=False)
    if len(values) <= 12:
        ax.set_xticks(range(len(values)))
    if not size:
        return
    for k, value in enumerate(values):
        offset, va = ((0, 3), "bottom") if value >= 0 else ((0, -3), "top")
        where = (k, value)
        note(
            ax, short(value), where, offset, row.colour, ha="center", va=va, fontsize=size
        )
