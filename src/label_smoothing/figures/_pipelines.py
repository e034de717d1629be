"""The steps from logits to a loss, with the numbers of every step."""

import math

import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from torch import Tensor

from label_smoothing.figures._cells import DIGIT, canvas, fit, longest, table
from label_smoothing.figures._checks import check_shapes, check_small
from label_smoothing.figures._style import COLOURS, MUTED, styled
from label_smoothing.gather import pick
from label_smoothing.losses import check_smoothing


@styled
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
        If the shapes are not (N, K) and (N,), empty, or too large to draw.

    Examples
    --------
    >>> from label_smoothing import figures
    >>> from label_smoothing.example import logits, target
    >>> figures.loss_pipeline(logits, target)
    <Figure size 600x631.475 with 1 Axes>
    """
    check_shapes(logits, target, "NK", "N")
    check_small(logits, 8, 8)
    rows, classes = logits.shape
    log_probs = logits.log_softmax(1)
    picked = pick(log_probs, target)
    loss = -picked.mean()
    figure, ax = canvas()
    characters = longest(logits, log_probs)
    width, gap, y = max(2.0, DIGIT * characters), 0.95, 0.0
    chosen = set(enumerate(target.tolist()))
    for name, values, step in (
        ("$z$", logits, "softmax"),
        ("$p$", logits.softmax(1), "log"),
        (r"$\log p$", log_probs, "pick"),
    ):
        last = step == "pick"
        table(ax, values, (0, y), width=width, name=name, picked=chosen if last else ())
        y += rows
        x = width / 2 if last else width * classes / 2
        _step(ax, (x, y), (x, y + gap), step)
        y += gap
    column = picked.unsqueeze(1)
    cells = {(n, 0) for n in range(rows)}
    aside, middle = 1.9, y + rows / 2
    for n, (values, step, filled) in enumerate(
        ((column, "negate", cells), (-column, "mean", ()), (loss.reshape(1, 1), "", ()))
    ):
        x = n * (width + aside)
        table(ax, values, (x, middle - len(values) / 2), width=width, picked=filled)
        if step:
            _step(ax, (x + width, middle), (x + width + aside, middle), step)
    ax.update_datalim([(-0.7, 0)])  # room for the longest name
    right, bottom = width * classes, y + rows
    middle = 3 * rows + 2 * gap  # where log_softmax ends and nll_loss begins
    _bracket(ax, right + 0.4, (rows, middle - 0.15), "log_softmax")
    _bracket(ax, right + 0.4, (middle + 0.15, bottom), "nll_loss")
    _bracket(ax, right + 1.65, (rows, bottom), "cross_entropy")
    numbers = ", ".join(f"{v:.4f}" for v in picked.tolist())
    return fit(
        figure,
        ax,
        f"Tables, {rows} rows by {classes} classes: logits z, softmax gives p, log gives "
        f"log p. In each row the cell of the true class "
        f"({', '.join(map(str, target.tolist()))}) is filled: {numbers}. Negated, their "
        f"mean is the loss, {loss:.4f}. Brackets: log_softmax spans softmax and log, "
        f"nll_loss spans pick, negate and mean, cross_entropy spans all five.",
        width,
        characters,
    )


@styled
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
        If the shapes are not (N, K) and (N,), empty, or too large to draw, or if
        ``smoothing`` is out of range.

    Examples
    --------
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> from label_smoothing.example import logits, target
    >>> figure = figures.smoothed_pipeline(logits, target, smoothing=0.3)
    >>> print(fill(figure.get_label()))
    A table of log p, 3 rows by 5 classes, is read twice. The cell of the
    true class, negated, is H(δ, p); the mean of the row, negated, is H(u,
    p). 0.7 of the first and 0.3 of the second are the loss of the row. In
    row 0: 1.1469 and 1.6469 give 1.2969; row 1: 1.2542 and 1.6942 give
    1.3862; row 2: 1.4098 and 1.6498 give 1.4818. Their mean is the loss,
    1.3883.
    """
    check_shapes(logits, target, "NK", "N")
    check_small(logits, 8, 8)
    check_smoothing(smoothing)
    rows, classes = logits.shape
    log_probs = logits.log_softmax(1)
    hard = -pick(log_probs, target)
    flat = -log_probs.mean(1)
    # 0 * inf is nan: without smoothing a logit of -inf must not reach the sum.
    row_loss = (1 - smoothing) * hard + (smoothing * flat if smoothing else 0)
    loss = row_loss.mean()
    figure, ax = canvas()
    characters = longest(log_probs)
    width, gap = max(2.0, DIGIT * characters), 2.1
    columns = (
        (f"{1 - smoothing:.4g} ×", hard, r"$H(\delta, p)$", "δ", "-gather"),
        (f"+ {smoothing:.4g} ×", flat, "$H(u, p)$", "u", "-mean(1)"),
        ("=", row_loss, "$H(q', p)$", "q'", ""),
    )
    signs = [DIGIT * len(sign) + 0.6 for sign, *_ in columns]  # the room of each
    # The table is at least as wide as what is below.
    wide = max(width, (sum(signs) + len(columns) * width) / classes)
    chosen = set(enumerate(target.tolist()))
    table(ax, log_probs, (0, 0), width=wide, name=r"$\log p$", picked=chosen)
    top, end = rows + gap, 2 * rows + gap
    every = {(n, 0) for n in range(rows)}
    x = -width
    for room, (sign, column, name, symbol, step) in zip(signs, columns, strict=True):
        x, colour = x + width + room, COLOURS[symbol]
        middle = x + width / 2
        table(ax, column[:, None], (x, top), width=width, picked=every, fill=colour)
        ax.text(middle, top - 0.25, name, ha="center", va="bottom", color=colour)
        ax.text(x - room / 2, top + rows / 2, sign, ha="center", va="center")
        if step:
            _step(ax, (middle, rows), (middle, top - 1), step)
    _step(ax, (middle, end), (middle, end + 0.95), "mean")
    table(ax, loss.reshape(1, 1), (x, end + 0.95), width=width)
    numbers = "; ".join(
        f"row {n}: {h:.4f} and {f:.4f} give {r:.4f}"
        for n, (h, f, r) in enumerate(
            zip(hard.tolist(), flat.tolist(), row_loss.tolist(), strict=True)
        )
    )
    return fit(
        figure,
        ax,
        f"A table of log p, {rows} rows by {classes} classes, is read twice. The cell of "
        f"the true class, negated, is H(δ, p); the mean of the row, negated, is H(u, p). "
        f"{1 - smoothing:.4g} of the first and {smoothing:.4g} of the second are the "
        f"loss of the row. In {numbers}. Their mean is the loss, {loss:.4f}.",
        width,
        characters,
    )


@styled
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
        If the shapes are not (K, T) and (T,), empty, or too large to draw.

    Examples
    --------
    >>> from label_smoothing import figures
    >>> from label_smoothing.example import logits, target
    >>> figures.class_dimension(logits.T, target)
    <Figure size 600x403.279 with 1 Axes>
    """
    check_shapes(logits, target, "KT", "T")
    check_small(logits, 8, 4)
    classes, steps = logits.shape
    picked = {(y, t) for t, y in enumerate(target.tolist())}
    figure, ax = canvas()
    left, width, said = 0.0, 1.4, []
    for call, dim, along in (("dim=1", 0, "classes"), ("dim=-1", 1, "steps")):
        probs = logits.softmax(dim)
        table(ax, probs, (left, 0.0), width=width, picked=picked)
        ax.text(
            left + steps * width / 2,
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
    return fit(
        figure,
        ax,
        f"Two tables of probabilities, {classes} classes down and {steps} steps across; "
        f"the cells of the true classes ({', '.join(map(str, target.tolist()))}) are "
        f"filled. {' '.join(said)}",
        width,
        longest(probs),
        below=2.0,
    )


@styled
def kl_terms(probs: Tensor, target: Tensor) -> Figure:
    r"""Draw the terms of a KL divergence, with the zeros that break it.

    Parameters
    ----------
    probs : torch.Tensor
        The prediction p, shape (K,), floating point; at most eight classes.
    target : torch.Tensor
        The target q', probabilities of shape (K,), floating point.

    Returns
    -------
    matplotlib.figure.Figure
        Four rows of cells: p, log p, q', and the terms
        :math:`q'(k)\,(\log q'(k) - \log p_k)` as :class:`torch.nn.KLDivLoss` computes
        them. A term that is nan or infinite is filled.

    Raises
    ------
    ValueError
        If the shapes are not (K,) and (K,), empty, or too large to draw.

    Examples
    --------
    >>> import torch
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> p = torch.tensor([0, 0.2, 0.7, 0.1, 0])
    >>> figure = figures.kl_terms(p, torch.tensor([0, 0.1, 0.7, 0.1, 0.1]))
    >>> print(fill(figure.get_label()))
    Four rows of cells over 5 classes: p, log p, q' and the terms of KL.
    At class 0, p is 0, q' is 0 and the term is nan; at class 4, p is 0,
    q' is 0.1 and the term is inf. The other terms are -0.0693, 0.0000,
    0.0000. The terms sum to nan.
    """
    check_shapes(probs, target, "K", "K", "probs")
    check_small(probs[None], 8, 8, "probs")
    terms = F.kl_div(probs.log(), target, reduction="none")
    figure, ax = canvas()
    rows = (
        ("$p$", probs),
        (r"$\log p$", probs.log()),
        ("$q'$", target),
        (r"$q' \log(q'/p)$", terms),
    )
    characters = longest(*(values for _, values in rows))
    width = max(1.6, DIGIT * characters)
    broken = [k for k, term in enumerate(terms.tolist()) if not math.isfinite(term)]
    for n, (name, values) in enumerate(rows):
        table(
            ax,
            values[None],
            (0, 1.35 * n),
            width=width,
            name=name,
            picked={(0, k) for k in broken} if values is terms else (),
        )
    for k in range(len(probs)):
        x = (k + 0.5) * width
        ax.text(x, -0.2, f"$k={k}$", ha="center", va="bottom", color=MUTED)
    ax.update_datalim([(-2.6, 0)])  # room for the longest name
    said = [
        f"at class {k}, p is {probs[k]:.4g}, q' is {target[k]:.4g} and the term is "
        f"{terms[k]:.4g}"
        for k in broken
    ]
    others = ", ".join(f"{v:.4f}" for v in terms.tolist() if math.isfinite(v))
    sentences = [
        f"Four rows of cells over {len(probs)} classes: p, log p, q' and the terms of "
        f"KL.",
        f"{'; '.join(said).capitalize()}." if said else "",
        f"The {'other ' if said else ''}terms are {others}." if others else "",
        f"The terms sum to {terms.sum():.4f}.",
    ]
    return fit(figure, ax, " ".join(filter(None, sentences)), width, characters)


def _step(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], name: str
) -> None:
    """Draw an arrow with the name of a step beside it."""
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
