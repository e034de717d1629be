"""Bar charts over the classes, one below the other."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from label_smoothing.figures._checks import check_shapes
from label_smoothing.figures._style import (
    COLOURS,
    INK,
    LINE,
    MUTED,
    TEX,
    WIDTH,
    finish,
    note,
    styled,
)
from label_smoothing.targets import dirac_delta, smooth, uniform


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
        Three bar charts, δ, u and q', joined by the signs of the equation.

    Raises
    ------
    ValueError
        If ``target`` is not a single class, or as in :func:`label_smoothing.smooth`.

    Examples
    --------
    >>> import torch
    >>> from label_smoothing import figures
    >>> figures.targets(torch.tensor(2), num_classes=5, smoothing=0.3)
    <Figure size 600x380 with 3 Axes>
    """
    if target.dim() != 0:
        raise ValueError(f"target must have shape (), got {tuple(target.shape)}")
    y = int(target)
    delta = dirac_delta(target, num_classes)
    u = uniform(num_classes) if prior is None else prior
    mixed = smooth(target, num_classes, smoothing, prior)
    hard, soft = f"{1 - smoothing:.4g}", f"{smoothing:.4g}"
    figure, (*_, bottom) = _charts(
        (delta, r"$\delta$", COLOURS["δ"], (0, 1)),
        (u, "$u$", COLOURS["u"], (0, 1)),
        (mixed, f"$q' = {hard}\\,\\delta + {soft}\\,u$", COLOURS["q'"], (0, 1)),
    )
    # The last row is the sum of its parts: paint them into the bars of q'.
    k, lower, upper = range(num_classes), (smoothing * u).tolist(), mixed.tolist()
    bottom.bar(k, upper, color=COLOURS["δ"], width=0.72)
    bottom.bar(k, lower, color=COLOURS["u"], width=0.72)
    bottom.hlines(
        upper, [i - 0.36 for i in k], [i + 0.36 for i in k], COLOURS["q'"], lw=3
    )
    other = next((k for k in range(num_classes) if k != y), y)
    return finish(
        figure,
        f"Three bar charts over {num_classes} classes. δ is 1 at class {y} and 0 "
        f"elsewhere; u is {u[other]:.4g} at class {other}. Each bar of q' stacks {hard} "
        f"of δ on {soft} of u: {mixed[y]:.4g} at class {y}, {mixed[other]:.4g} at class "
        f"{other}.",
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
        If ``symbol`` is not one of the four, or ``probs`` has another shape.

    Examples
    --------
    >>> from label_smoothing import figures, uniform
    >>> figures.distribution(uniform(5), "u")
    <Figure size 600x150 with 1 Axes>
    """
    if symbol not in COLOURS:
        raise ValueError(f"symbol must be one of {tuple(COLOURS)}, got {symbol!r}")
    if probs.dim() not in (1, 2):
        raise ValueError(
            f"probs must have shape (K,) or (N, K), got {tuple(probs.shape)}"
        )
    table = probs.reshape(-1, probs.shape[-1])
    high = 1.0 if table.max() > 0.5 else float(table.max())
    figure, _ = _charts(
        *(
            (
                row,
                f"${TEX[symbol]}$" + (f"$,\\ n={n}$" if len(table) > 1 else ""),
                COLOURS[symbol],
                (0, 1.1 * high),
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
        Three bar charts: p minus q' equals the gradient with respect to the logits.

    Raises
    ------
    ValueError
        If ``logits`` is not a row and ``target`` not its class.

    Examples
    --------
    >>> import torch
    >>> from label_smoothing import figures
    >>> logits = torch.tensor([0, 0.2, 0.7, 0.1, 0])
    >>> figures.gradient(logits, torch.tensor(2), smoothing=0.3)
    <Figure size 600x380 with 3 Axes>
    """
    check_shapes(logits, target, "K", "")
    p, q = logits.softmax(0), smooth(target, len(logits), smoothing)
    grad, y = p - q, int(target)
    figure, _ = _charts(
        (p, "$p$", COLOURS["p"], (0, 1)),
        (q, "$q'$", COLOURS["q'"], (0, 1)),
        (grad, r"$\partial \ell / \partial z = p - q'$", INK, (-0.75, 0.6)),
    )
    others = [float(g) for k, g in enumerate(grad) if k != y]
    alt = (
        f"Three bar charts over {len(logits)} classes: p, q' and the gradient p − q'. At "
        f"the true class, {y}, p is {p[y]:.4g}, q' is {q[y]:.4g} and the gradient is "
        f"{grad[y]:.4g}: a step against it makes the logit "
        f"{'rise' if grad[y] < 0 else 'fall'}."
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
        Three bar charts: w, q', and the optimum p*.

    Raises
    ------
    ValueError
        If ``weight`` is not a row and ``target`` not its class.

    Examples
    --------
    >>> import torch
    >>> from label_smoothing import figures
    >>> weight = torch.tensor([1.0, 1.0, 1.0, 1.0, 13.0])
    >>> figures.weighted_target(torch.tensor(2), weight, smoothing=0.3)
    <Figure size 600x380 with 3 Axes>
    """
    check_shapes(weight, target, "K", "")
    q, y = smooth(target, len(weight), smoothing), int(target)
    best = weight * q / (weight * q).sum()
    figure, _ = _charts(
        (weight, "$w$", MUTED, (0, float(weight.max()))),
        (q, "$q'$", COLOURS["q'"], (0, 1)),
        (best, r"$p^* \propto w\,q'$", COLOURS["p"], (0, 1)),
    )
    most = int(best.argmax())
    return finish(
        figure,
        f"Three bar charts over {len(weight)} classes: the weights w, q', and the "
        f"optimum p* in proportion to w times q'. At the true class, {y}, q' is "
        f"{q[y]:.4g} and p* is {best[y]:.4g}. The largest p* is "
        f"{best[most]:.4g}, at class {most}.",
    )


def _charts(
    *rows: tuple[Tensor, str, str, tuple[float, float]],
) -> tuple[Figure, list[Axes]]:
    """Draw a bar chart of each row: its values, its name, its colour and its limits."""
    number = len(rows)
    figure, axes = plt.subplots(
        number, 1, squeeze=False, sharex=True, figsize=(WIDTH, 0.35 + 1.15 * number)
    )
    figure.subplots_adjust(
        left=0.02,
        right=0.98,
        top=1 - 0.3 / number / 1.2,
        bottom=0.24 / number,
        hspace=0.5,
    )
    for ax, (values, name, colour, limits) in zip(axes[:, 0], rows, strict=True):
        _bars(ax, values, colour, limits)
        ax.set_title(name, loc="left", color=colour, fontsize=15, pad=14)
    return figure, list(axes[:, 0])


def _bars(ax: Axes, row: Tensor, colour: str, limits: tuple[float, float]) -> None:
    """Draw bars with their values on them, if there is room for the values."""
    values = row.tolist()
    ax.bar(range(len(values)), values, color=colour, width=0.72)
    ax.axhline(0, color=LINE, lw=1)
    low, high = limits
    ax.set_ylim(low, high + 0.2 * (high - low))
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(bottom=False, left=False, labelleft=False)
    if len(values) > 12:
        return
    ax.set_xticks(range(len(values)))
    for k, value in enumerate(values):
        offset, va = ((0, 3), "bottom") if value >= 0 else ((0, -3), "top")
        note(ax, f"{value:.3g}", (k, value), offset, colour, ha="center", va=va)
