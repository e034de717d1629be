"""Curves that end: at a floor, or in infinity."""

import math

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from label_smoothing.auditing.conventions import loss_floor
from label_smoothing.figures._checks import (
    check_open_smoothing,
    check_positive,
    check_two_classes,
)
from label_smoothing.figures._style import (
    COLOURS,
    INK,
    WIDTH,
    finish,
    note,
    styled,
)
from label_smoothing.targets import smooth


@styled
def excess(num_classes: int, smoothing: float, steps: int) -> Figure:
    r"""Draw the loss and its excess over the floor, during gradient descent.

    The logits of one row are all that is learned. They start equal and take steps of
    :math:`q' - p`, so the loss :math:`H(q', p)` stops at its floor :math:`H(q')`; the
    excess, :math:`\mathrm{KL}(q' \,\|\, p)`, goes on falling.

    Parameters
    ----------
    num_classes : int
        The number of classes K, at least two.
    smoothing : float
        The smoothing :math:`\varepsilon`, ``0 < smoothing < 1``.
    steps : int
        The number of steps, at least one. The curves end sooner where the excess is
        below the precision of the computation.

    Returns
    -------
    matplotlib.figure.Figure
        Two curves against the step, in nats, on a logarithmic scale.

    Raises
    ------
    ValueError
        If ``num_classes`` is below two, ``smoothing`` is out of range, or ``steps`` is
        below one.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> figure = figures.excess(num_classes=5, smoothing=0.3, steps=40)
    >>> print(fill(figure.get_label()))
    Two curves of the loss in nats during 40 steps of gradient descent, on
    a logarithmic scale. H(q', p) falls from 1.6094 and stays at its
    floor, 0.8838. Its excess over the floor falls all the way, from
    0.7256 to 2e-10.
    """
    check_two_classes(num_classes)
    check_open_smoothing(smoothing)
    check_positive(steps, "steps")
    q = smooth(torch.tensor(0), num_classes, smoothing).double()
    q /= q.sum()  # smooth() is in float32, and the excess is smaller than its rounding
    least = loss_floor(num_classes, smoothing)
    z = torch.zeros_like(q)
    rows = []
    for _ in range(steps + 1):
        rows.append(q * (q.log() - z.log_softmax(0)))
        z += q - z.softmax(0)
    over = torch.stack(rows).sum(1)
    last = max(int((over > 1e-12).sum()) - 1, 0)  # what comes after it is rounding
    figure, ax = plt.subplots(figsize=(WIDTH, 3.6), layout="constrained")
    for values, at, place, colour, name in (
        (least + over, last, (0, 8), COLOURS["q'"], "$H(q', p)$"),
        (over, last // 2, (8, 8), INK, "$H(q', p) - H(q')$"),
    ):
        ax.plot(range(last + 1), values[: last + 1], color=colour, lw=2.5)
        ha = "right" if at == last else "left"
        note(ax, name, (at, float(values[at])), place, colour, ha=ha)
    ax.set(xlim=(0, max(last, 1)), yscale="log", xlabel="steps", ylabel="nats")
    return finish(
        figure,
        f"Two curves of the loss in nats during {last} steps of gradient descent, on a "
        f"logarithmic scale. H(q', p) falls from {least + over[0]:.4f} and stays at its "
        f"floor, {least:.4f}. Its excess over the floor falls all the way, from "
        f"{over[0]:.4f} to {over[last]:.0e}.",
    )


@styled
def masked(num_classes: int, smoothing: float) -> Figure:
    r"""Draw the loss of a row while the logit of one wrong class falls.

    All other logits are zero. Far out the class has no probability left, and the loss
    without smoothing does not see it any more; the smoothed one still asks for
    :math:`\varepsilon/K` of it, and rises by as much with each unit of the logit.

    Parameters
    ----------
    num_classes : int
        The number of classes K, at least two.
    smoothing : float
        The smoothing :math:`\varepsilon`, ``0 < smoothing < 1``.

    Returns
    -------
    matplotlib.figure.Figure
        Two curves, in nats: H(δ, p) and H(q', p).

    Raises
    ------
    ValueError
        If ``num_classes`` is below two or ``smoothing`` is out of range.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> figure = figures.masked(num_classes=5, smoothing=0.3)
    >>> print(fill(figure.get_label()))
    Two curves of the loss in nats against the logit of a wrong class,
    from 0 down to -100, for 5 classes. H(δ, p) levels off at 1.3863.
    H(q', p) at ε = 0.3 has no end: it rises by 0.06 for each unit that
    the logit falls, to 7.3863.
    """
    check_two_classes(num_classes)
    check_open_smoothing(smoothing)
    end = -100
    logit = torch.linspace(0, end, 401, dtype=torch.float64)
    z = torch.zeros(len(logit), num_classes, dtype=torch.float64)
    z[:, 1] = logit
    log_probs = z.log_softmax(1)
    hard = -log_probs[:, 0]
    soft = -(smooth(torch.tensor(0), num_classes, smoothing) * log_probs).sum(1)
    figure, ax = plt.subplots(figsize=(WIDTH, 3.4), layout="constrained")
    for values, colour, name in (
        (hard, COLOURS["δ"], r"$H(\delta, p)$"),
        (soft, COLOURS["q'"], "$H(q', p)$"),
    ):
        ax.plot(logit, values, color=colour, lw=2.5)
        note(ax, name, (end, float(values[-1])), (0, 8), colour, ha="right")
    slope = smoothing / num_classes
    middle = float(logit[200]), float(soft[200])
    note(ax, f"$\\varepsilon/K = {slope:.4g}$", middle, (8, -12), COLOURS["q'"])
    ax.set(xlim=(0, end), ylim=(0, None), xlabel="$z_k$")
    return finish(
        figure,
        f"Two curves of the loss in nats against the logit of a wrong class, from 0 down "
        f"to {end}, for {num_classes} classes. H(δ, p) levels off at "
        f"{math.log(num_classes - 1):.4f}. H(q', p) at ε = {smoothing:.4g} has no end: "
        f"it rises by {slope:.4g} for each unit that the logit falls, to {soft[-1]:.4f}.",
    )
