"""The drawings of the site, as functions of your own tensors.

Every function returns a :class:`matplotlib.figure.Figure`. Its label
(``figure.get_label()``) says in words what is to be seen, with the numbers of the
tensors given: use it as the text alternative.

One colour means one thing everywhere: ``COLOURS`` maps the symbols δ, u, q' and p to
theirs, and ``DARK`` maps every colour used here to its counterpart on a dark ground.
"""

import itertools
import math
from collections.abc import Callable, Collection, Set
from functools import wraps
from typing import Any, ParamSpec

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from torch import Tensor

from label_smoothing.gather import explain_gather, pick
from label_smoothing.targets import dirac_delta, smooth, uniform

COLOURS = {"δ": "#0b1f66", "u": "#8d6e18", "q'": "#be0eaf", "p": "#20795d"}
INK, MUTED, LINE, PAPER = "#1f2933", "#55616d", "#c3ccd5", "#ffffff"
DARK = {
    COLOURS["δ"]: "#6f8cf5",
    COLOURS["u"]: "#f0b557",
    COLOURS["q'"]: "#f7438c",
    COLOURS["p"]: "#8ff3e2",
    INK: "#e3e8ee",
    MUTED: "#9aa7b4",
    LINE: "#434c56",
    PAPER: "#131416",
}
STYLE: dict[Any, Any] = {
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "font.size": 12,
    "mathtext.fontset": "cm",
    "savefig.transparent": True,
    "svg.hashsalt": "label_smoothing",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}
WIDTH = 6.0  # inches: the text of a figure this narrow can still be read on a phone
TEX = {"δ": r"\delta", "u": "u", "q'": "q'", "p": "p"}

P = ParamSpec("P")


def _styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        # This loads the backend. A notebook's turns interactive mode on when it loads; in
        # rc_context that would be undone at the end, and later figures would not show.
        plt.draw_if_interactive()  # type: ignore[no-untyped-call]
        with plt.rc_context(STYLE):
            return draw(*args, **kwargs)

    return styled


@_styled
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
    figure, (top, middle, bottom) = _rows(3)
    _bars(top, delta, COLOURS["δ"], (0, 1))
    _bars(middle, u, COLOURS["u"], (0, 1))
    _bars(bottom, mixed, COLOURS["q'"], (0, 1))
    # The last row is the sum of its parts: paint them into the bars of q'.
    k, lower, upper = range(num_classes), (smoothing * u).tolist(), mixed.tolist()
    bottom.bar(k, upper, color=COLOURS["δ"], width=0.72)
    bottom.bar(k, lower, color=COLOURS["u"], width=0.72)
    bottom.hlines(
        upper, [i - 0.36 for i in k], [i + 0.36 for i in k], COLOURS["q'"], lw=3
    )
    _name(top, r"$\delta$", "δ")
    _name(middle, "$u$", "u")
    _name(bottom, f"$q' = {hard}\\,\\delta + {soft}\\,u$", "q'")
    other = next((k for k in range(num_classes) if k != y), y)
    return _finish(
        figure,
        f"Three bar charts over {num_classes} classes. δ is 1 at class {y} and 0 "
        f"elsewhere; u is {u[other]:.4g} at class {other}. Each bar of q' stacks {hard} "
        f"of δ on {soft} of u: {mixed[y]:.4g} at class {y}, {mixed[other]:.4g} at class "
        f"{other}.",
    )


@_styled
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
    _check_row(logits, target)
    p, q = logits.softmax(0), smooth(target, len(logits), smoothing)
    grad, y = p - q, int(target)
    figure, (top, middle, bottom) = _rows(3)
    _bars(top, p, COLOURS["p"], (0, 1))
    _bars(middle, q, COLOURS["q'"], (0, 1))
    _bars(bottom, grad, INK, (-0.75, 0.6))
    _name(top, "$p$", "p")
    _name(middle, "$q'$", "q'")
    _name(bottom, r"$\partial \ell / \partial z = p - q'$", "")
    others = [float(g) for k, g in enumerate(grad) if k != y]
    alt = (
        f"Three bar charts over {len(logits)} classes: p, q' and the gradient p − q'. At "
        f"the true class, {y}, p is {p[y]:.4g}, q' is {q[y]:.4g} and the gradient is "
        f"{grad[y]:.4g}: a step against it makes the logit "
        f"{'rise' if grad[y] < 0 else 'fall'}."
    )
    if others:
        alt += f" Elsewhere the gradient is at most {max(others):.4g}."
    return _finish(figure, alt)


@_styled
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
    figure, axes = _rows(len(table))
    high = 1.0 if table.max() > 0.5 else float(table.max())
    for n, (ax, row) in enumerate(zip(axes, table, strict=True)):
        _bars(ax, row, COLOURS[symbol], (0, 1.1 * high))
        _name(ax, f"${TEX[symbol]}$" + (f"$,\\ n={n}$" if len(table) > 1 else ""), symbol)
    rows = "; ".join(
        f"Row {n}: {', '.join(f'{v:.4g}' for v in row[:12].tolist())}"
        + (" and so on" if len(row) > 12 else "")
        for n, row in enumerate(table)
    )
    return _finish(
        figure, f"A bar chart of {symbol} over {table.shape[1]} classes. {rows}."
    )


@_styled
def mix(num_classes: int, smoothing: float) -> Figure:
    r"""Draw both values of q' as the smoothing runs from 0 to 1.

    Parameters
    ----------
    num_classes : int
        The number of classes K, at least 2.
    smoothing : float
        The :math:`\varepsilon` that is marked, ``0 <= smoothing < 1``.

    Returns
    -------
    matplotlib.figure.Figure
        Two lines, q' of the true class and of each other class, which meet in u = 1/K.

    Raises
    ------
    ValueError
        If ``num_classes`` is below 2, or as in :func:`label_smoothing.smooth`.

    Examples
    --------
    >>> from label_smoothing import figures
    >>> figures.mix(num_classes=5, smoothing=0.3)
    <Figure size 600x340 with 1 Axes>
    """
    _check_two_classes(num_classes)
    q = smooth(torch.tensor(0), num_classes, smoothing)
    u = 1 / num_classes
    figure, ax = plt.subplots(figsize=(WIDTH, 3.4), layout="constrained")
    ax.plot([0, 1], [1, u], color=COLOURS["q'"], lw=2.5)
    ax.plot([0, 1], [0, u], color=COLOURS["q'"], lw=2.5, ls=(0, (4, 2)))
    ax.plot([smoothing] * 2, [0, 1], color=LINE, lw=1, zorder=0)
    for value, name, side, align in (
        (q[0], "q'(y)", 8, "left"),
        (q[1], "q'(k)", -8, "right"),
    ):
        ax.plot(smoothing, value, "o", color=COLOURS["q'"], ms=7)
        ax.annotate(
            f"${name} = {value:.4g}$",
            (smoothing, value),
            (side, 9),
            textcoords="offset points",
            color=COLOURS["q'"],
            ha=align,
        )
    ax.plot(1, u, "o", color=COLOURS["u"], ms=7, clip_on=False, zorder=3)
    ax.annotate(
        f"$u = {u:.4g}$",
        (1, u),
        (8, 0),
        va="center",
        annotation_clip=False,
        textcoords="offset points",
        color=COLOURS["u"],
    )
    ax.set(xlim=(0, 1), ylim=(0, 1.04), xlabel=r"$\varepsilon$")
    return _finish(
        figure,
        f"Two straight lines over ε from 0 to 1, for {num_classes} classes. q' of the "
        f"true class falls from 1, q' of each other class rises from 0, and both meet in "
        f"u = {u:.4g}. At ε = {smoothing:.4g} they stand at {q[0]:.4g} and {q[1]:.4g}.",
    )


@_styled
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
    _check_row(weight, target)
    q, y = smooth(target, len(weight), smoothing), int(target)
    best = weight * q / (weight * q).sum()
    figure, (top, middle, bottom) = _rows(3)
    _bars(top, weight, MUTED, (0, float(weight.max())))
    _bars(middle, q, COLOURS["q'"], (0, 1))
    _bars(bottom, best, COLOURS["p"], (0, 1))
    _name(top, "$w$", "")
    _name(middle, "$q'$", "q'")
    _name(bottom, r"$p^* \propto w\,q'$", "p")
    most = int(best.argmax())
    return _finish(
        figure,
        f"Three bar charts over {len(weight)} classes: the weights w, q', and the "
        f"optimum p* in proportion to w times q'. At the true class, {y}, q' is "
        f"{q[y]:.4g} and p* is {best[y]:.4g}. The largest p* is "
        f"{best[most]:.4g}, at class {most}.",
    )


@_styled
def loss_terms(logits: Tensor, target: Tensor, smoothing: float) -> Figure:
    r"""Draw the loss of each row as the sum of its two terms.

    Parameters
    ----------
    logits : torch.Tensor
        Shape (N, K), floating point.
    target : torch.Tensor
        True classes, shape (N,), dtype torch.int64.
    smoothing : float
        The weight :math:`\varepsilon` of the uniform term, ``0 <= smoothing < 1``.

    Returns
    -------
    matplotlib.figure.Figure
        A stacked bar per row, in nats: :math:`(1-\varepsilon)\,H(\delta, p)` and
        :math:`\varepsilon\,H(u, p)`.

    Raises
    ------
    ValueError
        If the shapes are not (N, K) and (N,).

    Examples
    --------
    >>> from label_smoothing import figures
    >>> from label_smoothing.__main__ import logits, target
    >>> figures.loss_terms(logits, target, smoothing=0.3)
    <Figure size 600x276 with 1 Axes>
    """
    _check_table(logits, target)
    log_probs = logits.log_softmax(1)
    hard = (smoothing - 1) * pick(log_probs, target)
    soft = -smoothing * log_probs.mean(1)
    figure, ax = plt.subplots(
        figsize=(WIDTH, 0.9 + 0.62 * len(logits)), layout="constrained"
    )
    for n, (h, s) in enumerate(zip(hard.tolist(), soft.tolist(), strict=True)):
        ax.barh(n, h, color=COLOURS["δ"], height=0.62)
        ax.barh(n, s, left=h, color=COLOURS["u"], height=0.62)
        ax.text(h / 2, n, f"{h:.4f}", color=PAPER, ha="center", va="center")
        ax.text(h + s / 2, n, f"{s:.4f}", color=PAPER, ha="center", va="center")
        ax.text(h + s, n, f"  {h + s:.4f}", color=COLOURS["q'"], va="center")
    for x, name, symbol in (
        (float(hard[0]) / 2, r"$(1-\varepsilon)\,H(\delta, p)$", "δ"),
        (float(hard[0] + soft[0] / 2), r"$\varepsilon\,H(u, p)$", "u"),
    ):
        ax.text(x, -0.45, name, color=COLOURS[symbol], ha="center", va="bottom")
    ax.set(xlim=(0, 1.18 * float((hard + soft).max())), ylim=(len(logits) - 0.55, -0.85))
    ax.set_yticks(range(len(logits)), [f"$n={n}$" for n in range(len(logits))])
    ax.tick_params(left=False)
    ax.spines["left"].set_visible(False)
    rows = " ".join(
        f"Row {n}: {h:.4g} from δ plus {s:.4g} from u gives {h + s:.4g}."
        for n, (h, s) in enumerate(zip(hard.tolist(), soft.tolist(), strict=True))
    )
    return _finish(figure, f"Stacked bars of the loss in nats. {rows}")


@_styled
def padding(
    logits: Tensor, target: Tensor, smoothing: float, ignore_index: int = -100
) -> Figure:
    r"""Draw the terms that an ignored row must not have.

    Parameters
    ----------
    logits : torch.Tensor
        Shape (N, K), floating point.
    target : torch.Tensor
        True classes or ``ignore_index``, shape (N,), dtype torch.int64.
    smoothing : float
        The weight :math:`\varepsilon` of the uniform term, ``0 <= smoothing < 1``.
    ignore_index : int, default: -100
        The target of an ignored row.

    Returns
    -------
    matplotlib.figure.Figure
        A stacked bar per row, in nats. Of an ignored row only an outline is left: the
        uniform term, as it comes out of a loss that tells ``nll_loss`` alone.

    Raises
    ------
    ValueError
        If the shapes are not (N, K) and (N,).

    Examples
    --------
    >>> import torch
    >>> from label_smoothing import figures
    >>> from label_smoothing.__main__ import logits
    >>> figures.padding(logits, torch.tensor([2, -100, 0]), smoothing=0.3)
    <Figure size 600x276 with 1 Axes>
    """
    _check_table(logits, target)
    log_probs = logits.log_softmax(1)
    ignored = target == ignore_index
    hard = (smoothing - 1) * pick(log_probs, target.masked_fill(ignored, 0))
    hard = hard.masked_fill(ignored, 0)
    soft = -smoothing * log_probs.mean(1)
    figure, ax = plt.subplots(
        figsize=(WIDTH, 0.9 + 0.62 * len(logits)), layout="constrained"
    )
    rows = []
    for n, (h, s) in enumerate(zip(hard.tolist(), soft.tolist(), strict=True)):
        if ignored[n]:
            ax.barh(n, s, fc="none", ec=COLOURS["u"], lw=1.5, ls=(0, (4, 2)), height=0.62)
            ax.text(s / 2, n, f"{s:.4f}", color=COLOURS["u"], ha="center", va="center")
            ax.text(s, n, "  0", color=COLOURS["q'"], va="center")
            rows.append(f"Row {n} is ignored: an outline of {s:.4g} from u, and no loss.")
            continue
        ax.barh(n, h, color=COLOURS["δ"], height=0.62)
        ax.barh(n, s, left=h, color=COLOURS["u"], height=0.62)
        ax.text(h / 2, n, f"{h:.4f}", color=PAPER, ha="center", va="center")
        ax.text(h + s / 2, n, f"{s:.4f}", color=PAPER, ha="center", va="center")
        ax.text(h + s, n, f"  {h + s:.4f}", color=COLOURS["q'"], va="center")
        rows.append(f"Row {n}: {h:.4g} from δ plus {s:.4g} from u gives {h + s:.4g}.")
    ax.set(xlim=(0, 1.18 * float((hard + soft).max())), ylim=(len(logits) - 0.55, -0.55))
    ax.set_yticks(range(len(logits)), [f"$y={y}$" for y in target.tolist()])
    ax.tick_params(left=False)
    ax.spines["left"].set_visible(False)
    return _finish(figure, f"Stacked bars of the loss in nats. {' '.join(rows)}")


@_styled
def loss_pipeline(logits: Tensor, target: Tensor) -> Figure:
    """Draw the way from logits to the loss: softmax, log, pick, negate, mean.

    Parameters
    ----------
    logits : torch.Tensor
        Shape (N, K), floating point; at most eight rows and eight classes.
    target : torch.Tensor
        True classes, shape (N,), dtype torch.int64.

    Returns
    -------
    matplotlib.figure.Figure
        The tensors of every stage, with their values; the picked cells are filled, and
        brackets show which stages each function of PyTorch covers.

    Raises
    ------
    ValueError
        If the shapes are not (N, K) and (N,), or too large to draw.

    Examples
    --------
    >>> from label_smoothing import figures
    >>> from label_smoothing.__main__ import logits, target
    >>> figures.loss_pipeline(logits, target)
    <Figure size 600x631.475 with 1 Axes>
    """
    _check_table(logits, target)
    _check_small(logits)
    rows, classes = logits.shape
    log_probs = logits.log_softmax(1)
    picked = pick(log_probs, target)
    loss = -picked.mean()
    figure, ax = _canvas()
    width, gap, y = 2.0, 0.95, 0.0
    chosen = {(n, int(k)) for n, k in enumerate(target)}
    for name, table, step in (
        ("$z$", logits, "softmax"),
        ("$p$", logits.softmax(1), "log"),
        (r"$\log p$", log_probs, "pick"),
    ):
        _table(
            ax, table, (0, y), name, width=width, picked=chosen if step == "pick" else ()
        )
        y += rows
        x = width / 2 if step == "pick" else width * classes / 2
        _step(ax, (x, y), (x, y + gap), step)
        y += gap
    column = picked.unsqueeze(1)
    cells = {(n, 0) for n in range(rows)}
    aside = 1.9
    for n, (values, step, filled) in enumerate(
        ((column, "negate", cells), (-column, "mean", ()), (loss.reshape(1, 1), "", ()))
    ):
        x, middle = n * (width + aside), y + rows / 2
        _table(ax, values, (x, middle - len(values) / 2), "", width=width, picked=filled)
        if step:
            _step(ax, (x + width, middle), (x + width + aside, middle), step)
    ax.update_datalim([(-0.7, 0)])  # room for the longest name
    right, bottom = width * classes, y + rows
    middle = 3 * rows + 2 * gap  # where log_softmax ends and nll_loss begins
    _bracket(ax, right + 0.4, (rows, middle - 0.15), "log_softmax")
    _bracket(ax, right + 0.4, (middle + 0.15, bottom), "nll_loss")
    _bracket(ax, right + 1.65, (rows, bottom), "cross_entropy")
    numbers = ", ".join(f"{v:.4f}" for v in picked.tolist())
    return _fit(
        figure,
        ax,
        f"Tables, {rows} rows by {classes} classes: logits z, softmax gives p, log gives "
        f"log p. In each row the cell of the true class "
        f"({', '.join(map(str, target.tolist()))}) is filled: {numbers}. Negated, their "
        f"mean is the loss, {loss:.4f}. Brackets: log_softmax spans softmax and log, "
        f"nll_loss spans pick, negate and mean, cross_entropy spans all five.",
    )


@_styled
def class_dimension(logits: Tensor, target: Tensor) -> Figure:
    """Draw softmax along the classes of a sequence, and by mistake along its steps.

    Parameters
    ----------
    logits : torch.Tensor
        One sequence, classes first, shape (K, T); at most eight classes and four steps.
    target : torch.Tensor
        True classes, shape (T,), dtype torch.int64.

    Returns
    -------
    matplotlib.figure.Figure
        Two tables, K rows by T columns, with the cells of the true classes filled and
        the sum of each column below.

    Raises
    ------
    ValueError
        If the shapes are not (K, T) and (T,), or too large to draw.

    Examples
    --------
    >>> from label_smoothing import figures
    >>> from label_smoothing.__main__ import logits, target
    >>> figures.class_dimension(logits.T, target)
    <Figure size 600x403.279 with 1 Axes>
    """
    if logits.dim() != 2 or target.shape != logits.shape[1:]:
        raise ValueError(
            f"logits and target must have shapes (K, T) and (T,), "
            f"got {tuple(logits.shape)} and {tuple(target.shape)}"
        )
    classes, steps = logits.shape
    if classes > 8 or steps > 4:
        raise ValueError(
            f"logits must be at most 8 by 4 to draw, got {classes} by {steps}"
        )
    picked = {(y, t) for t, y in enumerate(target.tolist())}
    figure, ax = _canvas()
    left, width, said = 0.0, 1.4, []
    for call, dim, along in (("dim=1", 0, "classes"), ("dim=-1", 1, "steps")):
        probs = logits.softmax(dim)
        _table(ax, probs, (left, 0.0), "", width=width, picked=picked)
        middle = left + steps * width / 2
        ax.text(
            middle,
            classes + 1.9,
            f"softmax({call})",
            ha="center",
            va="center",
            family="monospace",
        )
        sums = [f"{v:.4f}" for v in probs.sum(0).tolist()]
        for t, total in enumerate(sums):
            x = left + (t + 0.5) * width
            ax.text(x, -0.2, f"$t={t}$", ha="center", va="bottom", color=MUTED)
            ax.text(
                x, classes + 0.75, total, ha="center", va="center", color=COLOURS["p"]
            )
        ax.text(left - 0.2, classes + 0.75, r"$\Sigma$", ha="right", va="center")
        left += steps * width + 1.2
        said.append(f"Softmax along the {along}: the columns sum to {', '.join(sums)}.")
    for k in range(classes):
        ax.text(-0.2, k + 0.5, f"$k={k}$", ha="right", va="center", color=MUTED)
    return _fit(
        figure,
        ax,
        f"Two tables of probabilities, {classes} classes down and {steps} steps across; "
        f"the cells of the true classes ({', '.join(map(str, target.tolist()))}) are "
        f"filled. {' '.join(said)}",
        below=2.0,
    )


@_styled
def smoothed_pipeline(logits: Tensor, target: Tensor, smoothing: float) -> Figure:
    r"""Draw the way from log probabilities to the smoothed loss: two readings, one mix.

    Parameters
    ----------
    logits : torch.Tensor
        Shape (N, K), floating point; at most eight rows and eight classes.
    target : torch.Tensor
        True classes, shape (N,), dtype torch.int64.
    smoothing : float
        The weight :math:`\varepsilon` of the uniform term, ``0 <= smoothing < 1``.

    Returns
    -------
    matplotlib.figure.Figure
        The table of log p, with the picked cells filled. Below it the columns of
        :math:`H(\delta, p)`, the picked cells negated, and of :math:`H(u, p)`, the row
        means negated. Their mix is the loss of each row; its mean is the loss.

    Raises
    ------
    ValueError
        If the shapes are not (N, K) and (N,), or too large to draw.

    Examples
    --------
    >>> from label_smoothing import figures
    >>> from label_smoothing.__main__ import logits, target
    >>> figures.smoothed_pipeline(logits, target, smoothing=0.3)
    <Figure size 600x519.231 with 1 Axes>
    """
    _check_table(logits, target)
    _check_small(logits)
    rows, classes = logits.shape
    log_probs = logits.log_softmax(1)
    hard = -pick(log_probs, target)
    flat = -log_probs.mean(1)
    row_loss = (1 - smoothing) * hard + smoothing * flat
    loss = row_loss.mean()
    figure, ax = _canvas()
    width, gap, apart = 2.0, 2.1, 4.2
    chosen = {(n, int(k)) for n, k in enumerate(target)}
    wide = max(width, (2 * apart + width) / classes)  # at least as wide as what is below
    _table(ax, log_probs, (0, 0), r"$\log p$", width=wide, picked=chosen)
    top, middle = rows + gap, rows + gap + rows / 2
    every = {(n, 0) for n in range(rows)}
    for n, (column, name, symbol, step) in enumerate(
        (
            (hard, r"$H(\delta, p)$", "δ", "-gather"),
            (flat, "$H(u, p)$", "u", "-mean(1)"),
            (row_loss, "$H(q', p)$", "q'", ""),
        )
    ):
        x = n * apart
        colour = COLOURS[symbol]
        _table(ax, column[:, None], (x, top), "", width=width, picked=every, fill=colour)
        ax.text(x + width / 2, top - 0.25, name, ha="center", va="bottom", color=colour)
        if step:
            _step(ax, (x + width / 2, rows), (x + width / 2, top - 1), step)
    for n, sign in enumerate((f"·{1 - smoothing:.4g} +", f"·{smoothing:.4g} =")):
        x = n * apart + width + (apart - width) / 2
        ax.text(x, middle, sign, ha="center", va="center")
    x, end = 2 * apart + width / 2, top + rows
    _step(ax, (x, end), (x, end + 0.95), "mean")
    _table(ax, loss.reshape(1, 1), (x - width / 2, end + 0.95), "", width=width)
    numbers = "; ".join(
        f"row {n}: {h:.4f} and {f:.4f} give {r:.4f}"
        for n, (h, f, r) in enumerate(
            zip(hard.tolist(), flat.tolist(), row_loss.tolist(), strict=True)
        )
    )
    return _fit(
        figure,
        ax,
        f"A table of log p, {rows} rows by {classes} classes, is read twice. The cell of "
        f"the true class, negated, is H(δ, p); the mean of the row, negated, is H(u, p). "
        f"{1 - smoothing:.4g} of the first and {smoothing:.4g} of the second are the "
        f"loss of the row. In {numbers}. Their mean is the loss, {loss:.4f}.",
    )


@_styled
def gather(
    input: Tensor, dim: int, index: Tensor, cell: tuple[int, ...] | None = None
) -> Figure:
    """Draw what :func:`torch.gather` does for one output cell.

    ``input`` is a warehouse. The position of the output cell leads to a place in it;
    from there a beam lights the line along ``dim``; the index picks the spot on the line.

    Parameters
    ----------
    input : torch.Tensor
        The source, one to three dimensions.
    dim : int
        The dimension along which ``index`` chooses; a negative one counts from the end.
    index : torch.Tensor
        Positions along ``dim``, as in :func:`label_smoothing.explain_gather`.
    cell : tuple of int, optional
        The output cell to follow; by default the last one.

    Returns
    -------
    matplotlib.figure.Figure
        The tables index, input and out; slices along dimension 0 stand side by side.

    Raises
    ------
    ValueError
        If ``input`` has more than three dimensions, or ``index`` is empty.
    IndexError
        If ``cell`` is not a cell of ``index``.

    Examples
    --------
    >>> import torch
    >>> from label_smoothing import figures
    >>> input = torch.tensor([[10, 11, 12],
    ...                       [20, 21, 22]])
    >>> figures.gather(input, 1, torch.tensor([[2], [0]]), cell=(0, 0))
    <Figure size 600x283.636 with 1 Axes>
    """
    explained = explain_gather(input, dim, index)
    if input.dim() > 3:
        raise ValueError(
            f"input must have at most 3 dimensions to draw, got {input.dim()}"
        )
    if index.numel() == 0:
        raise ValueError(f"index must not be empty, got shape {tuple(index.shape)}")
    if cell is None:
        cell = tuple(n - 1 for n in index.shape)
    if len(cell) != index.dim() or not all(
        0 <= c < n for c, n in zip(cell, index.shape, strict=True)
    ):
        raise IndexError(
            f"cell must be a cell of index, shape {tuple(index.shape)}, got {cell}"
        )
    source = explained.source(cell)
    beam = {
        (*cell[: explained.dim], i, *cell[explained.dim + 1 :])
        for i in range(input.shape[explained.dim])
    }
    figure, ax = _canvas()
    left = top = 0.0
    for name, tensor, cells in (
        ("index", index, {"marked": {cell}}),
        ("input", input, {"marked": {cell} & beam, "beam": beam, "picked": {source}}),
        ("out", explained.out, {"picked": {cell}}),
    ):
        right, bottom = _slices(ax, tensor, (left, top), name, **cells)
        if input.dim() == 2:
            left = right + 1.4
        else:
            top = bottom + 1.6
    row = explained.row(cell)
    middle = (ax.dataLim.x0 + ax.dataLim.x1) / 2
    half = row.index(" = ", row.index(" = ") + 1)
    for n, line in enumerate((row[:half], row[half + 1 :])):
        ax.text(
            middle,
            ax.dataLim.y1 + 1.0 + 0.7 * n,
            line,
            family="monospace",
            ha="center",
            color=COLOURS["δ"],
        )
    at = ", ".join(map(str, cell))
    return _fit(
        figure,
        ax,
        f"Three tables: index, input and out. The output cell [{at}] lights the line of "
        f"input along dimension {explained.dim}. On it, index[{at}] = {int(index[cell])} "
        f"picks input[{', '.join(map(str, source))}] = {input[source].item():.4g}.",
        below=2.0,
    )


@_styled
def floor(num_classes: int, smoothing: float) -> Figure:
    r"""Draw the loss against the logit gap: it has a floor, and the gap an optimum.

    The true logit stands ``gap`` above all others, which are equal. The smoothed loss is
    least at the gap :math:`\ln(K(1-\varepsilon)/\varepsilon + 1)`, where it is
    :math:`H(q')`; the loss without smoothing falls for ever.

    Parameters
    ----------
    num_classes : int
        The number of classes K, at least 2.
    smoothing : float
        The smoothing :math:`\varepsilon`, ``0 < smoothing < 1``.

    Returns
    -------
    matplotlib.figure.Figure
        Two curves, in nats: H(δ, p) and H(q', p), with the minimum marked.

    Raises
    ------
    ValueError
        If ``num_classes`` is below 2 or ``smoothing`` is out of range.

    Examples
    --------
    >>> from label_smoothing import figures
    >>> figures.floor(num_classes=5, smoothing=0.3)
    <Figure size 600x360 with 1 Axes>
    """
    _check_two_classes(num_classes)
    if not 0 < smoothing < 1:
        raise ValueError(f"smoothing must satisfy 0 < smoothing < 1, got {smoothing}")
    q = smooth(torch.tensor(0), num_classes, smoothing).double()
    best = math.log(num_classes * (1 - smoothing) / smoothing + 1)
    least = float(-(q * q.log()).sum())
    gap = torch.linspace(0, 2.5 * best, 200, dtype=torch.float64)
    logits = torch.zeros(len(gap), num_classes, dtype=torch.float64)
    logits[:, 0] = gap
    log_probs = logits.log_softmax(1)
    figure, ax = plt.subplots(figsize=(WIDTH, 3.6), layout="constrained")
    for values, symbol, name in (
        (-log_probs[:, 0], "δ", r"$H(\delta, p)$"),
        (-(q * log_probs).sum(1), "q'", "$H(q', p)$"),
    ):
        ax.plot(gap, values, color=COLOURS[symbol], lw=2.5)
        ax.annotate(
            name,
            (float(gap[-1]), float(values[-1])),
            (0, 8),
            ha="right",
            textcoords="offset points",
            color=COLOURS[symbol],
        )
    ax.plot([best, best], [least, 0], color=LINE, lw=1, zorder=0)
    ax.plot(best, least, "o", color=COLOURS["q'"], ms=7)
    ax.annotate(
        f"$H(q') = {least:.4f}$",
        (best, least),
        (8, -16),
        textcoords="offset points",
        color=COLOURS["q'"],
    )
    ax.annotate(
        f"${best:.4f}$", (best, 0), (5, 5), textcoords="offset points", color=MUTED
    )
    ax.set(xlim=(0, float(gap[-1])), ylim=(0, None), xlabel=r"$z_y - z_k$")
    return _finish(
        figure,
        f"Two curves of the loss in nats against the logit gap, for {num_classes} "
        f"classes. H(δ, p) falls towards 0. H(q', p) at ε = {smoothing:.4g} falls to its "
        f"floor {least:.4f} at the gap {best:.4f}, and rises again.",
    )


@_styled
def half_sum(num_classes: int, rows: int) -> Figure:
    r"""Draw how a sum over rows and classes leaves the range of float16.

    Every row is uniform, so each of its classes adds :math:`\ln K` to the sum.

    Parameters
    ----------
    num_classes : int
        The number of classes K, at least 2.
    rows : int
        The largest number of rows N to draw.

    Returns
    -------
    matplotlib.figure.Figure
        The sum of :math:`-\log p` against N, below and above the largest float16.

    Raises
    ------
    ValueError
        If ``num_classes`` is below 2.

    Examples
    --------
    >>> from label_smoothing import figures
    >>> figures.half_sum(num_classes=1000, rows=14)
    <Figure size 600x340 with 1 Axes>
    """
    _check_two_classes(num_classes)
    limit = torch.finfo(torch.float16).max
    terms = -torch.zeros(rows, num_classes).half().log_softmax(1)
    inside = [n for n in range(1, rows + 1) if terms[:n].sum().isfinite()]
    outside = [n for n in range(1, rows + 1) if n not in inside]
    each = num_classes * math.log(num_classes)
    figure, ax = plt.subplots(figsize=(WIDTH, 3.4), layout="constrained")
    ax.axhline(limit, color=INK, lw=1.5)
    ax.annotate(
        f"${limit:.0f}$", (0.5, limit), (2, 5), textcoords="offset points", color=INK
    )
    ax.bar(
        inside, [float(terms[:n].sum()) for n in inside], color=COLOURS["u"], width=0.7
    )
    ax.bar(
        outside,
        [n * each for n in outside],
        fc="none",
        ec=COLOURS["u"],
        lw=1.5,
        ls=(0, (4, 2)),
        width=0.7,
    )
    for n in outside:
        ax.text(n, n * each, "inf", ha="center", va="bottom", color=COLOURS["u"])
    ax.set(xlim=(0.4, rows + 0.6), ylim=(0, 1.1 * rows * each), xlabel="$N$")
    ax.set_ylabel(r"$\sum_n \sum_k -\log p_{n,k}$")
    ax.set_xticks(range(1, rows + 1))
    ax.tick_params(bottom=False)
    first = f" From N = {outside[0]} on it is inf." if outside else ""
    return _finish(
        figure,
        f"Bars of the float16 sum of −log p over N rows of {num_classes} classes, for N "
        f"from 1 to {rows}, and a line at {limit:.0f}.{first}",
    )


@_styled
def softmax_twice(num_classes: int) -> Figure:
    r"""Draw cross entropy on logits, and by mistake on probabilities.

    Parameters
    ----------
    num_classes : int
        The number of classes K, at least 2.

    Returns
    -------
    matplotlib.figure.Figure
        Two curves against the logit gap: the loss of the logits falls to zero, the loss
        of their softmax stops at :math:`\ln(1 + (K-1)/e)`.

    Raises
    ------
    ValueError
        If ``num_classes`` is below 2.

    Examples
    --------
    >>> from label_smoothing import figures
    >>> figures.softmax_twice(num_classes=5)
    <Figure size 600x340 with 1 Axes>
    """
    _check_two_classes(num_classes)
    stop = math.log(1 + (num_classes - 1) / math.e)
    gap = torch.linspace(0, 12, 200)
    logits = torch.zeros(len(gap), num_classes)
    logits[:, 0] = gap
    figure, ax = plt.subplots(figsize=(WIDTH, 3.4), layout="constrained")
    for z, colour, name in (
        (logits, COLOURS["p"], "$z$"),
        (logits.softmax(1), INK, r"$\mathrm{softmax}(z)$"),
    ):
        loss = -z.log_softmax(1)[:, 0]
        ax.plot(gap, loss, color=colour, lw=2.5)
        ax.annotate(
            name,
            (float(gap[-1]), float(loss[-1])),
            (0, 7),
            ha="right",
            textcoords="offset points",
            color=colour,
        )
    ax.axhline(stop, color=LINE, lw=1, zorder=0)
    ax.annotate(
        f"$\\ln(1 + (K-1)/e) = {stop:.4f}$",
        (float(gap[-1]), stop),
        (0, -8),
        ha="right",
        va="top",
        textcoords="offset points",
        color=MUTED,
    )
    ax.set(xlim=(0, float(gap[-1])), ylim=(0, None), xlabel="$z_y - z_k$")
    return _finish(
        figure,
        f"Two curves of the cross entropy in nats against the logit gap, for "
        f"{num_classes} classes. On logits z it falls towards 0. On softmax(z) it "
        f"stops at {stop:.4f}.",
    )


@_styled
def likelihood(logits: Tensor, target: Tensor) -> Figure:
    r"""Draw the likelihood and its negative logarithm, as one parameter changes.

    The model is :math:`p = \mathrm{softmax}(s\,z)` with the logits :math:`z` held fixed
    and one parameter, the scale :math:`s`.

    Parameters
    ----------
    logits : torch.Tensor
        Shape (N, K), floating point.
    target : torch.Tensor
        True classes, shape (N,), dtype torch.int64.

    Returns
    -------
    matplotlib.figure.Figure
        Above, the likelihood :math:`L(s)`, the product of the probabilities of the true
        classes; below, the mean of their negative logarithms. Both are marked at
        :math:`s = 1` and at the best s on show.

    Raises
    ------
    ValueError
        If the shapes are not (N, K) and (N,).

    Examples
    --------
    >>> from label_smoothing import figures
    >>> from label_smoothing.__main__ import logits, target
    >>> figures.likelihood(logits, target)
    <Figure size 600x420 with 2 Axes>
    """
    _check_table(logits, target)
    scale = torch.linspace(0, 12, 1201, dtype=torch.float64)
    rows = (scale[:, None, None] * logits.double()).log_softmax(2)
    picked = pick(rows, target.expand(len(scale), -1), dim=2)
    product, loss = picked.sum(1).exp(), -picked.mean(1)
    best = int(loss.argmin())
    figure, axes = plt.subplots(
        2, 1, sharex=True, figsize=(WIDTH, 4.2), layout="constrained"
    )
    for ax, values, colour, name, side in (
        (axes[0], product, COLOURS["p"], "$L(s)$", -16),
        (axes[1], loss, INK, r"$-\log L(s)\,/\,N$", 8),
    ):
        ax.plot(scale, values, color=colour, lw=2.5)
        ax.axvline(float(scale[best]), color=LINE, lw=1, zorder=0)
        for i in (100, best):
            ax.plot(scale[i], values[i], "o", color=colour, ms=7)
            ax.annotate(
                f"{values[i]:.4f}",
                (float(scale[i]), float(values[i])),
                (8, side) if i == best else (14, side / 2),
                textcoords="offset points",
                color=colour,
            )
        ax.set_title(name, loc="left", color=colour, fontsize=15, pad=9)
        ax.set_ylim(0, 1.12 * float(values.max()))
    axes[1].set(xlim=(0, float(scale[-1])), xlabel="$s$")
    return _finish(
        figure,
        f"Two curves against the scale s of the logits. The likelihood of the "
        f"{len(target)} true classes is {product[100]:.4f} at s = 1 and greatest at s = "
        f"{scale[best]:.4g}, where it is {product[best]:.4f}. The mean negative log "
        f"likelihood is {loss[100]:.4f} at s = 1 and least at the same s, where it is "
        f"{loss[best]:.4f}.",
    )


@_styled
def palette() -> Figure:
    """Draw the colour of each symbol.

    Returns
    -------
    matplotlib.figure.Figure
        One swatch for each of δ, u, q' and p.

    Examples
    --------
    >>> from label_smoothing import figures
    >>> figures.palette()
    <Figure size 600x70 with 1 Axes>
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 0.7))
    figure.subplots_adjust(0, 0, 1, 1)
    ax.set_axis_off()
    ax.set(xlim=(0, 4), ylim=(0, 1))
    for n, (symbol, colour) in enumerate(COLOURS.items()):
        ax.add_patch(Rectangle((n + 0.18, 0.2), 0.34, 0.6, fc=colour))
        ax.text(n + 0.6, 0.5, f"${TEX[symbol]}$", color=colour, va="center", fontsize=20)
    return _finish(figure, f"The colours of {', '.join(COLOURS)}.")


def _rows(number: int) -> tuple[Figure, list[Axes]]:
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
    return figure, list(axes[:, 0])


def _name(ax: Axes, name: str, symbol: str) -> None:
    ax.set_title(name, loc="left", color=COLOURS.get(symbol, INK), fontsize=15, pad=14)


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
        up = value >= 0
        ax.annotate(
            f"{value:.3g}",
            (k, value),
            (0, 3 if up else -3),
            textcoords="offset points",
            color=colour,
            ha="center",
            va="bottom" if up else "top",
        )


def _slices(
    ax: Axes,
    tensor: Tensor,
    corner: tuple[float, float],
    name: str,
    **cells: Set[tuple[int, ...]],
) -> tuple[float, float]:
    """Draw a tensor of one to three dimensions; return its right and lower end."""
    ndim = tensor.dim()
    table = tensor.reshape((1,) * (3 - ndim) + tensor.shape)
    left, top = corner
    for n, values in enumerate(table):
        here = {
            kind: {((0,) * (2 - ndim) + c)[-2:] for c in group if ndim < 3 or c[0] == n}
            for kind, group in cells.items()
        }
        title = f"{name}[{n}]" if ndim == 3 else name
        _table(
            ax,
            values,
            (left, top),
            "",
            beam=here.get("beam", ()),
            picked=here.get("picked", ()),
            marked=here.get("marked", ()),
        )
        ax.text(
            left + values.shape[1] / 2,
            top - 0.2,
            title,
            ha="center",
            va="bottom",
            family="monospace",
        )
        left += values.shape[1] + 1.0
    return left - 1.0, top + table.shape[1]


def _table(
    ax: Axes,
    values: Tensor,
    corner: tuple[float, float],
    name: str,
    *,
    width: float = 1.0,
    beam: Collection[tuple[int, ...]] = (),
    picked: Collection[tuple[int, ...]] = (),
    marked: Collection[tuple[int, ...]] = (),
    fill: str = COLOURS["δ"],
) -> None:
    """Draw the numbers of a matrix as cells; y runs downwards."""
    left, top = corner
    shown = _numbers(values)
    for i, j in itertools.product(*map(range, values.shape)):
        x, y = left + j * width, top + i
        face = fill if (i, j) in picked else "none"
        ax.add_patch(Rectangle((x, y), width, 1, fc=face, ec=LINE, lw=1))
        if (i, j) in beam and (i, j) not in picked:
            ax.add_patch(Rectangle((x, y), width, 1, fc=COLOURS["δ"], alpha=0.2, lw=0))
        if (i, j) in marked:
            ax.add_patch(
                Rectangle((x, y), width, 1, fc="none", ec=COLOURS["δ"], lw=3, zorder=4)
            )
        ax.text(
            x + width / 2,
            y + 0.5,
            shown[i][j],
            ha="center",
            va="center",
            color=PAPER if (i, j) in picked else INK,
        )
    ax.text(left - 0.3, top + len(values) / 2, name, ha="right", va="center", fontsize=15)


def _step(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], name: str
) -> None:
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=13,
            color=MUTED,
            shrinkA=3,
            shrinkB=3,
        )
    )
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    down = start[0] == end[0]
    ax.text(
        x + (0.3 if down else 0),
        y - (0 if down else 0.25),
        name,
        ha="left" if down else "center",
        va="center" if down else "bottom",
        color=MUTED,
        family="monospace",
    )


def _bracket(ax: Axes, x: float, ends: tuple[float, float], name: str) -> None:
    """Draw a bracket, open to the left, with its name along it."""
    top, bottom = ends
    ax.plot([x, x + 0.3, x + 0.3, x], [top, top, bottom, bottom], color=MUTED, lw=1.5)
    ax.text(
        x + 0.5,
        (top + bottom) / 2,
        name,
        family="monospace",
        rotation=90,
        va="center",
    )


def _canvas() -> tuple[Figure, Axes]:
    figure, ax = plt.subplots()
    ax.set_axis_off()
    ax.set_aspect("equal")
    return figure, ax


def _fit(figure: Figure, ax: Axes, alt: str, below: float = 0.0) -> Figure:
    """Give a drawing of unit cells the size at which the numbers fit their cells."""
    figure.subplots_adjust(0, 0, 1, 1)
    box = ax.dataLim
    width = max(box.width + 2.6, 11.0)  # room for names; few cells must not grow huge
    left = box.x0 + box.width / 2 - width / 2
    ax.set(xlim=(left, left + width), ylim=(box.y1 + below + 0.3, box.y0 - 0.9))
    figure.set_size_inches(WIDTH, WIDTH * (box.height + below + 1.2) / width)
    return _finish(figure, alt)


def _finish(figure: Figure, alt: str) -> Figure:
    figure.set_label(alt)
    return figure


def _numbers(values: Tensor) -> list[list[str]]:
    """Format a matrix: four digits, or as few as all of its numbers need."""
    table: list[list[float]] = values.tolist()
    short = [[f"{v:.4g}" for v in row] for row in table]
    if max((len(v) for row in short for v in row), default=0) <= 3:
        return short
    return [[f"{v:.4f}" for v in row] for row in table]


def _check_row(logits: Tensor, target: Tensor) -> None:
    if logits.dim() != 1 or target.dim() != 0:
        raise ValueError(
            f"logits and target must have shapes (K,) and (), "
            f"got {tuple(logits.shape)} and {tuple(target.shape)}"
        )


def _check_table(logits: Tensor, target: Tensor) -> None:
    if logits.dim() != 2 or target.shape != logits.shape[:1]:
        raise ValueError(
            f"logits and target must have shapes (N, K) and (N,), "
            f"got {tuple(logits.shape)} and {tuple(target.shape)}"
        )


def _check_small(logits: Tensor) -> None:
    rows, classes = logits.shape
    if rows > 8 or classes > 8:
        raise ValueError(
            f"logits must be at most 8 by 8 to draw, got {rows} by {classes}"
        )


def _check_two_classes(num_classes: int) -> None:
    if not isinstance(num_classes, int) or num_classes < 2:
        raise ValueError(f"num_classes must be an int of at least 2, got {num_classes!r}")
