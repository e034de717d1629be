"""Losses as bars: the two terms of each row, and a sum over the rows."""

import math

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from label_smoothing.figures._checks import (
    check_finite,
    check_positive,
    check_shapes,
)
from label_smoothing.figures._style import (
    COLOURS,
    INK,
    PAPER,
    WIDTH,
    finish,
    note,
    styled,
)
from label_smoothing.gather import pick
from label_smoothing.losses import check_smoothing
from label_smoothing.targets import check_num_classes


@styled
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
        If the shapes are not (N, K) and (N,), if there are no rows, if ``smoothing`` is
        out of range, or if a term is not finite.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> from label_smoothing.example import logits, target
    >>> figure = figures.loss_terms(logits, target, smoothing=0.3)
    >>> print(fill(figure.get_label()))
    Stacked bars of the loss in nats. Row 0: 0.8029 from δ plus 0.4941
    from u gives 1.297. Row 1: 0.8779 from δ plus 0.5082 from u gives
    1.386. Row 2: 0.9868 from δ plus 0.4949 from u gives 1.482.
    """
    check_shapes(logits, target, "NK", "N")
    check_smoothing(smoothing)
    nothing = torch.zeros_like(target, dtype=torch.bool)
    figure, ax, (hard, soft) = _stacks(logits, target, smoothing, nothing)
    for x, name, symbol in (
        (hard / 2, r"$(1-\varepsilon)\,H(\delta, p)$", "δ"),
        (hard + soft / 2, r"$\varepsilon\,H(u, p)$", "u"),
    ):
        ax.text(x, -0.45, name, color=COLOURS[symbol], ha="center", va="bottom")
    ax.set_ylim(top=-0.85)  # room for the names
    ax.set_yticks(range(len(logits)), [f"$n={n}$" for n in range(len(logits))])
    return figure


@styled
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
        A stacked bar per row, in nats. An ignored row has only an outline: the uniform
        term, which it keeps in a loss that gives ``ignore_index`` to ``nll_loss`` alone.

    Raises
    ------
    ValueError
        If the shapes are not (N, K) and (N,), if there are no rows, if ``smoothing`` is
        out of range, or if a term is not finite.

    Examples
    --------
    >>> import torch
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> from label_smoothing.example import logits
    >>> figure = figures.padding(logits, torch.tensor([2, -100, 0]), smoothing=0.3)
    >>> print(fill(figure.get_label()))
    Stacked bars of the loss in nats. Row 0: 0.8029 from δ plus 0.4941
    from u gives 1.297. Row 1 is ignored: an outline of 0.5082 from u, and
    no loss. Row 2: 0.9868 from δ plus 0.4949 from u gives 1.482.
    """
    check_shapes(logits, target, "NK", "N")
    check_smoothing(smoothing)
    figure, ax, _ = _stacks(logits, target, smoothing, target == ignore_index)
    ax.set_yticks(range(len(logits)), [f"$y={y}$" for y in target.tolist()])
    return figure


def _stacks(
    logits: Tensor, target: Tensor, smoothing: float, ignored: Tensor
) -> tuple[Figure, Axes, tuple[float, float]]:
    """Draw the two terms of each row; return those of the first row too."""
    log_probs = logits.log_softmax(1)
    hard = (smoothing - 1) * pick(log_probs, target.masked_fill(ignored, 0))
    hard = hard.masked_fill(ignored, 0)
    # 0 * inf is nan: without smoothing a logit of -inf must not reach the sum.
    soft = -smoothing * log_probs.mean(1) if smoothing else torch.zeros_like(hard)
    check_finite(logits, "logits", hard + soft)
    terms = list(zip(hard.tolist(), soft.tolist(), strict=True))
    figure, ax = plt.subplots(
        figsize=(WIDTH, 0.9 + 0.62 * len(logits)), layout="constrained"
    )
    end = 1.18 * float((hard + soft).max()) or 1.0  # a loss of nothing needs room too
    rows = []
    for n, (h, s) in enumerate(terms):
        if ignored[n]:
            ax.barh(n, s, fc="none", ec=COLOURS["u"], lw=1.5, ls=(0, (4, 2)), height=0.62)
            ax.text(s / 2, n, f"{s:.4f}", color=COLOURS["u"], ha="center", va="center")
            ax.text(s, n, "  0", color=COLOURS["q'"], va="center")
            rows.append(f"Row {n} is ignored: an outline of {s:.4g} from u, and no loss.")
            continue
        ax.barh(n, h, color=COLOURS["δ"], height=0.62)
        ax.barh(n, s, left=h, color=COLOURS["u"], height=0.62)
        for x, term in ((h / 2, h), (h + s / 2, s)):
            if term > 0.1 * end:  # the number has room in its bar
                ax.text(x, n, f"{term:.4f}", color=PAPER, ha="center", va="center")
        ax.text(h + s, n, f"  {h + s:.4f}", color=COLOURS["q'"], va="center")
        rows.append(f"Row {n}: {h:.4g} from δ plus {s:.4g} from u gives {h + s:.4g}.")
    ax.set(xlim=(0, end), ylim=(len(logits) - 0.55, -0.55))
    ax.tick_params(left=False)
    ax.spines["left"].set_visible(False)
    finish(figure, f"Stacked bars of the loss in nats. {' '.join(rows)}")
    return figure, ax, terms[0]


@styled
def half_sum(num_classes: int, rows: int) -> Figure:
    r"""Draw how a sum over rows and classes leaves the range of float16.

    Every row is uniform, so each of its classes adds :math:`\ln K` to the sum.

    Parameters
    ----------
    num_classes : int
        The number of classes K, at least two.
    rows : int
        The largest number of rows N to draw, at least one.

    Returns
    -------
    matplotlib.figure.Figure
        The sum of :math:`-\log p` against N, below and above the largest float16.

    Raises
    ------
    TypeError
        If ``num_classes`` is not an int.
    ValueError
        If ``num_classes`` is below two or ``rows`` below one.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> figure = figures.half_sum(num_classes=1000, rows=14)
    >>> print(fill(figure.get_label()))
    Bars of the float16 sum of −log p over N rows of 1000 classes, for N
    from 1 to 14, and a line at 65504. From N = 10 on it is inf.
    """
    check_num_classes(num_classes, least=2)
    check_positive(rows, "rows")
    limit = torch.finfo(torch.float16).max
    terms = -torch.zeros(rows, num_classes).half().log_softmax(1)
    sums = {n: float(terms[:n].sum()) for n in range(1, rows + 1)}
    inside = {n: total for n, total in sums.items() if math.isfinite(total)}
    each = num_classes * math.log(num_classes)
    outside = {n: n * each for n in sums if n not in inside}
    figure, ax = plt.subplots(figsize=(WIDTH, 3.4), layout="constrained")
    ax.axhline(limit, color=INK, lw=1.5)
    note(ax, f"${limit:.0f}$", (0.5, limit), (2, 5), INK)
    ax.bar(list(inside), list(inside.values()), color=COLOURS["u"], width=0.7)
    ax.bar(
        list(outside),
        list(outside.values()),
        fc="none",
        ec=COLOURS["u"],
        lw=1.5,
        ls=(0, (4, 2)),
        width=0.7,
    )
    for n, total in outside.items():
        ax.text(n, total, "inf", ha="center", va="bottom", color=COLOURS["u"])
    ax.set(xlim=(0.4, rows + 0.6), ylim=(0, 1.1 * rows * each), xlabel="$N$")
    ax.set_ylabel(r"$\sum_n \sum_k -\log p_{n,k}$")
    ax.set_xticks(range(1, rows + 1))
    ax.tick_params(bottom=False)
    first = f" From N = {min(outside)} on it is inf." if outside else ""
    return finish(
        figure,
        f"Bars of the float16 sum of −log p over N rows of {num_classes} classes, for N "
        f"from 1 to {rows}, and a line at {limit:.0f}.{first}",
    )
