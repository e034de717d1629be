"""The loss of each row as a bar, stacked from its two terms."""

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from label_smoothing.figures._checks import check_shapes
from label_smoothing.figures._style import COLOURS, PAPER, WIDTH, finish, styled
from label_smoothing.gather import pick
from label_smoothing.losses import check_smoothing


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
        If the shapes are not (N, K) and (N,), if there are no rows, or if ``smoothing``
        is out of range.

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
        A stacked bar per row, in nats. Of an ignored row only an outline is left: the
        uniform term, as it comes out of a loss that tells ``nll_loss`` alone.

    Raises
    ------
    ValueError
        If the shapes are not (N, K) and (N,), if there are no rows, or if ``smoothing``
        is out of range.

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
    soft = -smoothing * log_probs.mean(1)
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
