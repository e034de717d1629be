"""What class weights do to a smoothed target."""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from label_smoothing.figures._checks import check_open_smoothing, check_two_classes
from label_smoothing.figures._style import (
    COLOURS,
    LINE,
    MUTED,
    WIDTH,
    finish,
    note,
    styled,
)
from label_smoothing.targets import smooth


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
    equal weights they stand at q': 0.76 for y, 0.06 for k. The one of y
    falls, the one of k rises, and from 12.67 on k is the argmax.
    """
    check_two_classes(num_classes)
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
        f"{smoothing:.4g}. At equal weights they stand at q': {q[0]:.4g} for y, "
        f"{q[1]:.4g} for k. The one of y falls, the one of k rises, and from "
        f"{turn:.4g} on k is the argmax.",
    )
