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
    check_finite,
    check_open_smoothing,
    check_positive,
    check_shapes,
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
from label_smoothing.targets import check_num_classes, smooth


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
    TypeError
        If ``num_classes`` is not an int.
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
    in u = 0.2. At ε = 0.3 they are 0.76 and 0.06.
    """
    check_num_classes(num_classes, least=2)
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
        f"u = {u:.4g}. At ε = {smoothing:.4g} they are {q[0]:.4g} and {q[1]:.4g}.",
    )


@styled
def weight_flip(num_classes: int, smoothing: float) -> Figure:
    r"""Draw how the weight of one wrong class turns the argmax over, in PyTorch's loss.

    The true class y and all others have the same weight, class k has another. The best
    prediction :math:`p^*` is in proportion to :math:`w\,q'`, so class k overtakes the
    true one at :math:`w_k / w_y = K(1-\varepsilon)/\varepsilon + 1`.

    Parameters
    ----------
    num_classes : int
        The number of classes K, at least two.
    smoothing : float
        The smoothing :math:`\varepsilon`, ``0 < smoothing < 1``.

    Returns
    -------
    matplotlib.figure.Figure
        Two curves against the ratio of the two weights: :math:`p^*` of the true class
        and of class k, with q' marked where the weights are equal.

    Raises
    ------
    TypeError
        If ``num_classes`` is not an int.
    ValueError
        If ``num_classes`` is below two or ``smoothing`` is out of range.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> figure = figures.weight_flip(num_classes=5, smoothing=0.3)
    >>> print(fill(figure.get_label()))
    Two curves of the best prediction against the ratio of two weights, w
    of class k over w of the true class y, for 5 classes and ε = 0.3. At
    equal weights they are at q': 0.76 for y, 0.06 for k. The one of y
    falls, the one of k rises, and from 12.67 on k is the argmax.
    """
    check_num_classes(num_classes, least=2)
    check_open_smoothing(smoothing)
    q = smooth(torch.tensor(0), num_classes, smoothing).double()
    turn = float(q[0] / q[1])
    ratio = torch.linspace(0, 2 * turn, 400, dtype=torch.float64)
    weight = torch.ones(len(ratio), num_classes, dtype=torch.float64)
    weight[:, 1] = ratio
    best = weight * q
    best /= best.sum(1, keepdim=True)
    figure, ax = plt.subplots(figsize=(WIDTH, 3.6), layout="constrained")
    for k, name, ls in ((0, r"p^*\!(y)", "-"), (1, r"p^*\!(k)", (0, (4, 2)))):
        ax.plot(ratio, best[:, k], color=COLOURS["p"], lw=2.5, ls=ls)
        side = 8 if k else -20
        end = float(ratio[-1]), float(best[-1, k])
        note(ax, f"${name}$", end, (0, side), COLOURS["p"], ha="right")
        ax.plot(1, q[k], "o", color=COLOURS["q'"], ms=7, clip_on=False, zorder=3)
    note(ax, f"$q'(y) = {q[0]:.4g}$", (1, float(q[0])), (9, 3), COLOURS["q'"])
    note(ax, f"$q'(k) = {q[1]:.4g}$", (1, float(q[1])), (9, -4), COLOURS["q'"])
    ax.axvline(turn, color=LINE, lw=1, zorder=0)
    note(ax, f"${turn:.4g}$", (turn, 0), (5, 5), MUTED)
    ax.set(xlim=(0, 2 * turn), ylim=(0, 1), xlabel="$w_k\\,/\\,w_y$")
    return finish(
        figure,
        f"Two curves of the best prediction against the ratio of two weights, w of class "
        f"k over w of the true class y, for {num_classes} classes and ε = "
        f"{smoothing:.4g}. At equal weights they are at q': {q[0]:.4g} for y, "
        f"{q[1]:.4g} for k. The one of y falls, the one of k rises, and from "
        f"{turn:.4g} on k is the argmax.",
    )


@styled
def floor(num_classes: int, smoothing: float) -> Figure:
    r"""Draw the loss against the logit gap: it has a floor, and the gap an optimum.

    The true logit is ``gap`` above all others, which are equal. The smoothed loss is
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
    TypeError
        If ``num_classes`` is not an int.
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
    check_num_classes(num_classes, least=2)
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
    TypeError
        If ``num_classes`` is not an int.
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
    check_num_classes(num_classes, least=2)
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
    last = max(int((over > 1e-12).sum()) - 1, 0)  # after it there is only rounding
    figure, ax = plt.subplots(figsize=(WIDTH, 3.6), layout="constrained")
    for values, at, place, colour, name in (
        (least + over, last, (0, 8), COLOURS["q'"], "$H(q', p)$"),
        (over, last // 2, (8, 8), INK, "$H(q', p) - H(q')$"),
    ):
        ax.plot(range(last + 1), values[: last + 1], color=colour, lw=2.5)
        ha = "right" if at == last else "left"
        note(ax, name, (at, float(values[at])), place, colour, ha=ha)
    ax.set(xlim=(0, max(last, 1)), yscale="log", xlabel="steps", ylabel="nats")
    start, end, bottom = (f"{least + v:.4f}" for v in (over[0], over[last], 0))
    if start == bottom:
        way = "stays at"
    elif end == bottom:
        way = f"falls from {start} and stays at"
    else:
        way = f"falls from {start} to {end}, above"
    extent = f"is {_small(over[0])}"
    if last:
        extent = f"falls all the way, from {_small(over[0])} to {_small(over[last])}"
    return finish(
        figure,
        f"Two curves of the loss in nats during {last} step{'s' * (last != 1)} of "
        f"gradient descent, on a logarithmic scale. H(q', p) {way} its floor, {bottom}. "
        f"Its excess over the floor {extent}.",
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
    TypeError
        If ``num_classes`` is not an int.
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
    check_num_classes(num_classes, least=2)
    check_open_smoothing(smoothing)
    end = -100
    logit = torch.linspace(0, end, 401, dtype=torch.float64)
    z = torch.zeros(len(logit), num_classes, dtype=torch.float64)
    z[:, 1] = logit
    log_probs = z.log_softmax(1)
    hard = -log_probs[:, 0]
    soft = -(smooth(torch.tensor(0), num_classes, smoothing) * log_probs).sum(1)
    figure, ax = plt.subplots(figsize=(WIDTH, 3.4), layout="constrained")
    _curve(ax, logit, hard, COLOURS["δ"], r"$H(\delta, p)$")
    _curve(ax, logit, soft, COLOURS["q'"], "$H(q', p)$")
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
    TypeError
        If ``num_classes`` is not an int.
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
    check_num_classes(num_classes, least=2)
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
        If the shapes are not (N, K) and (N,), if there are no rows, or if a likelihood
        is not finite.

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
    check_finite(logits, "logits", picked)
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
    where = f"s = {scale[best]:.4g},"
    if best in (0, len(scale) - 1):
        where += " an end of the axis,"
    return finish(
        figure,
        f"Two curves against the scale s of the logits. The likelihood of the "
        f"{len(target)} true classes is {product[100]:.4f} at s = 1 and greatest at "
        f"{where} where it is {product[best]:.4f}. The mean negative log likelihood "
        f"is {loss[100]:.4f} at s = 1 and least at the same s, where it is "
        f"{loss[best]:.4f}.",
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


def _small(value: Tensor) -> str:
    """Write a number with four decimals, or with its power of ten if they are zeros."""
    return f"{value:.4f}" if value >= 5e-5 else f"{value:.0e}"
