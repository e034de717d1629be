"""Curves: what one number does while another runs."""

import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from label_smoothing.auditing.conventions import loss_floor, optimal_logit_gap
from label_smoothing.figures._checks import (
    check_open_smoothing,
    check_positive,
    check_shapes,
    check_two_classes,
)
from label_smoothing.figures._style import (
    COLOURS,
    INK,
    LINE,
    MUTED,
    WIDTH,
    finish,
    note,
    styled,
)
from label_smoothing.gather import pick
from label_smoothing.targets import smooth


@styled
def mix(num_classes: int, smoothing: float) -> Figure:
    r"""Draw both values of q' as the smoothing runs from zero to one.

    Parameters
    ----------
    num_classes : int
        The number of classes K, at least two.
    smoothing : float
        The :math:`\varepsilon` that is marked, ``0 <= smoothing < 1``.

    Returns
    -------
    matplotlib.figure.Figure
        Two lines, q' of the true class and of each other class, which meet in
        :math:`u = 1/K`.

    Raises
    ------
    ValueError
        If ``num_classes`` is below two, or as in :func:`label_smoothing.smooth`.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> figure = figures.mix(num_classes=5, smoothing=0.3)
    >>> print(fill(figure.get_label()))
    Two straight lines over ε from 0 to 1, for 5 classes. q' of the true
    class falls from 1, q' of each other class rises from 0, and both meet
    in u = 0.2. At ε = 0.3 they stand at 0.76 and 0.06.
    """
    check_two_classes(num_classes)
    q = smooth(torch.tensor(0), num_classes, smoothing)
    u = 1 / num_classes
    colour = COLOURS["q'"]
    figure, ax = plt.subplots(figsize=(WIDTH, 3.4), layout="constrained")
    ax.plot([0, 1], [1, u], color=colour, lw=2.5)
    ax.plot([0, 1], [0, u], color=colour, lw=2.5, ls=(0, (4, 2)))
    ax.plot([smoothing] * 2, [0, 1], color=LINE, lw=1, zorder=0)
    for value, name, side, ha in (
        (float(q[0]), "q'(y)", 8, "left"),
        (float(q[1]), "q'(k)", -8, "right"),
    ):
        ax.plot(smoothing, value, "o", color=colour, ms=7)
        text = f"${name} = {value:.4g}$"
        note(ax, text, (smoothing, value), (side, 9), colour, ha=ha)
    ax.plot(1, u, "o", color=COLOURS["u"], ms=7, clip_on=False, zorder=3)
    text = f"$u = {u:.4g}$"
    note(ax, text, (1, u), (8, 0), COLOURS["u"], va="center")
    ax.set(xlim=(0, 1), ylim=(0, 1.04), xlabel=r"$\varepsilon$")
    return finish(
        figure,
        f"Two straight lines over ε from 0 to 1, for {num_classes} classes. q' of the "
        f"true class falls from 1, q' of each other class rises from 0, and both meet in "
        f"u = {u:.4g}. At ε = {smoothing:.4g} they stand at {q[0]:.4g} and {q[1]:.4g}.",
    )


@styled
def floor(num_classes: int, smoothing: float) -> Figure:
    r"""Draw the loss against the logit gap: it has a floor, and the gap an optimum.

    The true logit stands ``gap`` above all others, which are equal. The smoothed loss is
    least at the gap :math:`\ln(K(1-\varepsilon)/\varepsilon + 1)`, where it is
    :math:`H(q')`; the loss without smoothing falls for ever.

    Parameters
    ----------
    num_classes : int
        The number of classes K, at least two.
    smoothing : float
        The smoothing :math:`\varepsilon`, ``0 < smoothing < 1``.

    Returns
    -------
    matplotlib.figure.Figure
        Two curves, in nats: H(δ, p) and H(q', p), with the minimum marked.

    Raises
    ------
    ValueError
        If ``num_classes`` is below two or ``smoothing`` is out of range.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> figure = figures.floor(num_classes=5, smoothing=0.3)
    >>> print(fill(figure.get_label()))
    Two curves of the loss in nats against the logit gap, for 5 classes.
    H(δ, p) falls towards 0. H(q', p) at ε = 0.3 falls to its floor 0.8838
    at the gap 2.5390, and rises again.
    """
    check_two_classes(num_classes)
    check_open_smoothing(smoothing)
    q = smooth(torch.tensor(0), num_classes, smoothing).double()
    best = optimal_logit_gap(num_classes, smoothing)
    least = loss_floor(num_classes, smoothing)
    gap, logits = _gaps(2.5 * best, num_classes)
    log_probs = logits.log_softmax(1)
    figure, ax = plt.subplots(figsize=(WIDTH, 3.6), layout="constrained")
    _curve(ax, gap, -log_probs[:, 0], COLOURS["δ"], r"$H(\delta, p)$")
    _curve(ax, gap, -(q * log_probs).sum(1), COLOURS["q'"], "$H(q', p)$")
    ax.plot([best, best], [least, 0], color=LINE, lw=1, zorder=0)
    ax.plot(best, least, "o", color=COLOURS["q'"], ms=7)
    note(ax, f"$H(q') = {least:.4f}$", (best, least), (8, -16), COLOURS["q'"])
    note(ax, f"${best:.4f}$", (best, 0), (5, 5), MUTED)
    ax.set(xlim=(0, float(gap[-1])), ylim=(0, None), xlabel="$z_y - z_k$")
    return finish(
        figure,
        f"Two curves of the loss in nats against the logit gap, for {num_classes} "
        f"classes. H(δ, p) falls towards 0. H(q', p) at ε = {smoothing:.4g} falls to its "
        f"floor {least:.4f} at the gap {best:.4f}, and rises again.",
    )


@styled
def binary(smoothing: float) -> Figure:
    r"""Draw the binary loss of a positive label against its logit.

    Parameters
    ----------
    smoothing : float
        The smoothing :math:`\varepsilon`, ``0 < smoothing < 1``.

    Returns
    -------
    matplotlib.figure.Figure
        Three curves, in nats: without smoothing, and with the targets
        :math:`1 - \varepsilon/2` ("half") and :math:`1 - \varepsilon` ("swap"), each
        with its minimum marked.

    Raises
    ------
    ValueError
        If ``smoothing`` is out of range.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> figure = figures.binary(smoothing=0.3)
    >>> print(fill(figure.get_label()))
    Three curves of the binary loss in nats against the logit z, for a
    positive label. Without smoothing it falls towards 0. At ε = 0.3,
    "half" has the target 0.85 and its floor, 0.4227, at z = 1.7346;
    "swap" has the target 0.7 and its floor, 0.6109, at z = 0.8473.
    """
    check_open_smoothing(smoothing)
    targets = {"half": 1 - smoothing / 2, "swap": 1 - smoothing}
    ends = [optimal_logit_gap(2, smoothing, name) for name in targets]
    start, end = min(-1.0, 1.5 * min(ends)), max(3.0, 2.2 * max(ends))
    z = torch.linspace(start, end, 200, dtype=torch.float64)
    figure, ax = plt.subplots(figsize=(WIDTH, 3.6), layout="constrained")
    _curve(ax, z, F.softplus(-z), COLOURS["δ"], r"$\varepsilon = 0$")
    said = []
    for (name, target), best in zip(targets.items(), ends, strict=True):
        q = torch.tensor(target, dtype=torch.float64)
        loss = F.binary_cross_entropy_with_logits(z, q.expand_as(z), reduction="none")
        least = loss_floor(2, smoothing, name)
        _curve(ax, z, loss, COLOURS["q'"], name)
        ax.plot([best, best], [least, 0], color=LINE, lw=1, zorder=0)
        ax.plot(best, least, "o", color=COLOURS["q'"], ms=7)
        note(ax, f"${least:.4f}$", (best, least), (0, 9), COLOURS["q'"], ha="center")
        note(ax, f"${best:.4f}$", (best, 0), (5, 5), MUTED)
        said.append(
            f'"{name}" has the target {target:.4g} and its floor, {least:.4f}, at '
            f"z = {best:.4f}"
        )
    ax.set(xlim=(start, end), ylim=(0, None), xlabel="$z$")
    return finish(
        figure,
        f"Three curves of the binary loss in nats against the logit z, for a positive "
        f"label. Without smoothing it falls towards 0. At ε = {smoothing:.4g}, "
        f"{'; '.join(said)}.",
    )


@styled
def softmax_twice(num_classes: int) -> Figure:
    r"""Draw cross entropy on logits, and by mistake on probabilities.

    Parameters
    ----------
    num_classes : int
        The number of classes K, at least two.

    Returns
    -------
    matplotlib.figure.Figure
        Two curves against the logit gap: the loss of the logits falls to zero, the loss
        of their softmax stops at :math:`\ln(1 + (K-1)/e)`.

    Raises
    ------
    ValueError
        If ``num_classes`` is below two.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> figure = figures.softmax_twice(num_classes=5)
    >>> print(fill(figure.get_label()))
    Two curves of the cross entropy in nats against the logit gap, for 5
    classes. On logits z it falls towards 0. On softmax(z) it stops at
    0.9048.
    """
    check_two_classes(num_classes)
    stop = math.log(1 + (num_classes - 1) / math.e)
    gap, logits = _gaps(12, num_classes)
    figure, ax = plt.subplots(figsize=(WIDTH, 3.4), layout="constrained")
    for z, colour, name in (
        (logits, INK, "$z$"),
        (logits.softmax(1), COLOURS["p"], r"$\mathrm{softmax}(z)$"),
    ):
        _curve(ax, gap, -z.log_softmax(1)[:, 0], colour, name)
    ax.axhline(stop, color=LINE, lw=1, zorder=0)
    text = f"$\\ln(1 + (K-1)/e) = {stop:.4f}$"
    note(ax, text, (float(gap[-1]), stop), (0, -8), MUTED, ha="right", va="top")
    ax.set(xlim=(0, float(gap[-1])), ylim=(0, None), xlabel="$z_y - z_k$")
    return finish(
        figure,
        f"Two curves of the cross entropy in nats against the logit gap, for "
        f"{num_classes} classes. On logits z it falls towards 0. On softmax(z) it "
        f"stops at {stop:.4f}.",
    )


@styled
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
        If the shapes are not (N, K) and (N,), or if there are no rows.

    Examples
    --------
    >>> from label_smoothing import figures
    >>> from label_smoothing.example import logits, target
    >>> figures.likelihood(logits, target)
    <Figure size 600x420 with 2 Axes>
    """
    check_shapes(logits, target, "NK", "N")
    scale = torch.linspace(0, 12, 1201, dtype=torch.float64)
    rows = (scale[:, None, None] * logits.double()).log_softmax(2)
    picked = pick(rows, target.expand(len(scale), -1), dim=2)
    product, loss = picked.sum(1).exp(), -picked.mean(1)
    best = int(loss.argmin())
    figure, axes = plt.subplots(
        2, 1, sharex=True, figsize=(WIDTH, 4.2), layout="constrained"
    )
    for ax, values, name, side in (
        (axes[0], product, "$L(s)$", -16),
        (axes[1], loss, r"$-\log L(s)\,/\,N$", 8),
    ):
        ax.plot(scale, values, color=INK, lw=2.5)
        ax.axvline(float(scale[best]), color=LINE, lw=1, zorder=0)
        for i in (100, best):
            point = float(scale[i]), float(values[i])
            ax.plot(*point, "o", color=INK, ms=7)
            offset = (8, side) if i == best else (14, side / 2)
            note(ax, f"{point[1]:.4f}", point, offset, INK)
        ax.set_title(name, loc="left", color=INK, fontsize=15, pad=9)
        ax.set_ylim(0, 1.12 * float(values.max()) or 1.0)
    axes[1].set(xlim=(0, float(scale[-1])), xlabel="$s$")
    return finish(
        figure,
        f"Two curves against the scale s of the logits. The likelihood of the "
        f"{len(target)} true classes is {product[100]:.4f} at s = 1 and greatest at s = "
        f"{scale[best]:.4g}, where it is {product[best]:.4f}. The mean negative log "
        f"likelihood is {loss[100]:.4f} at s = 1 and least at the same s, where it is "
        f"{loss[best]:.4f}.",
    )


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
    check_two_classes(num_classes)
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


def _gaps(end: float, num_classes: int) -> tuple[Tensor, Tensor]:
    """Return gaps from zero to ``end``, and rows whose first logit is that far above."""
    gap = torch.linspace(0, end, 200, dtype=torch.float64)
    logits = torch.zeros(len(gap), num_classes, dtype=torch.float64)
    logits[:, 0] = gap
    return gap, logits


def _curve(ax: Axes, x: Tensor, values: Tensor, colour: str, name: str) -> None:
    """Draw a curve with its name above its end."""
    ax.plot(x, values, color=colour, lw=2.5)
    note(ax, name, (float(x[-1]), float(values[-1])), (0, 8), colour, ha="right")
