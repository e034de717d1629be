"""What gather does, as a beam in a warehouse."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from label_smoothing.figures._cells import (
    DIGIT,
    canvas,
    fit,
    longest,
    notation,
    table,
    type_size,
)
from label_smoothing.figures._style import COLOURS, styled
from label_smoothing.gather import explain_gather


@styled
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
        The tables index, input and out; slices along the first dimension are side by
        side.

    Raises
    ------
    ValueError
        If ``input`` has more than three dimensions, or ``index`` is empty.
    IndexError
        If ``cell`` is not a cell of ``index``.

    Examples
    --------
    >>> import torch
    >>> from textwrap import fill
    >>> from label_smoothing import figures
    >>> input = torch.arange(10, 16).reshape(2, 3)
    >>> figure = figures.gather(input, 1, torch.tensor([[2]]))
    >>> print(fill(figure.get_label()))
    Three tables: index, input and out. The output cell [0, 0] lights the
    line of input along dimension 1. On it, index[0, 0] = 2 picks input[0,
    2] = 12.
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
    characters, written = longest(index, input), notation(input)
    width, gap = max(1.0, DIGIT * characters), 1.4
    across = width * (input.shape[-1] + 2 * index.shape[-1]) + 2 * gap
    in_a_row = input.dim() == 2 and type_size(across, width, characters) == 1
    figure, ax = canvas()
    left = top = 0.0
    for name, tensor, form, cells in (
        ("index", index, "d", {"marked": {cell}}),
        (
            "input",
            input,
            written,
            {"marked": {cell} & beam, "beam": beam, "picked": {source}},
        ),
        ("out", explained.out, written, {"picked": {cell}}),
    ):
        right, bottom = _slices(ax, tensor, (left, top), name, width, form, cells)
        if in_a_row:
            left = right + gap
        else:
            top = bottom + 1.6
    # Two lines: the rule, and what it comes to, with the value as its cell shows it.
    value = format(input[source].item(), written)
    rule, where, _ = explained.row(cell).rsplit(" = ", 2)
    middle = (ax.dataLim.x0 + ax.dataLim.x1) / 2
    below = ax.dataLim.y1 + 1.0
    for n, line in enumerate((rule, f"= {where} = {value}")):
        ax.text(
            middle,
            below + 0.7 * n,
            line,
            family="monospace",
            ha="center",
            color=COLOURS["δ"],
        )
    at = ", ".join(map(str, cell))
    return fit(
        figure,
        ax,
        f"Three tables: index, input and out. The output cell [{at}] lights the line of "
        f"input along dimension {explained.dim}. On it, index[{at}] = {int(index[cell])} "
        f"picks {where} = {value}.",
        width,
        characters,
        below=2.0,
    )


def _slices(
    ax: Axes,
    tensor: Tensor,
    corner: tuple[float, float],
    name: str,
    width: float,
    written: str,
    cells: dict[str, set[tuple[int, ...]]],
) -> tuple[float, float]:
    """Draw a tensor of one to three dimensions; return its right and lower end."""
    ndim = tensor.dim()
    slices = tensor.reshape((1,) * (3 - ndim) + tensor.shape)
    left, top = corner
    for n, values in enumerate(slices):
        here = {
            kind: {(i, j) for m, i, j in ((0, 0, *c)[-3:] for c in group) if m == n}
            for kind, group in cells.items()
        }
        table(
            ax,
            values,
            (left, top),
            width=width,
            written=written,
            beam=here.get("beam", ()),
            picked=here.get("picked", ()),
            marked=here.get("marked", ()),
        )
        right = left + values.shape[1] * width
        ax.text(
            (left + right) / 2,
            top - 0.2,
            f"{name}[{n}]" if ndim == 3 else name,
            ha="center",
            va="bottom",
            family="monospace",
        )
        left = right + 1.0
    return right, top + slices.shape[1]
