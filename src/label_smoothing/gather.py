"""torch.gather, from the formula to the picked class."""

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from label_smoothing.losses import (
    check_class_dtype,
    check_classes,
    check_int,
    check_target_shape,
    kind,
)

AXES = "ijklmn"


def pick(log_probs: Tensor, target: Tensor, dim: int = 1) -> Tensor:
    r"""Pick the entry of the true class from each row.

    .. math:: \mathrm{out}[n] = \mathrm{log\_probs}[n, y_n]

    It is ``log_probs.gather(dim, target.unsqueeze(dim)).squeeze(dim)`` behind a check of
    the shapes: :func:`torch.gather` itself returns a wrong number without a word when
    the target is shorter than the input, or when classes and time steps are swapped.

    Parameters
    ----------
    log_probs : torch.Tensor
        Any values with one entry per class along ``dim``, any dtype.
    target : torch.Tensor
        True classes, dtype torch.int64 or torch.uint8, the shape of ``log_probs``
        without ``dim``.
    dim : int, default: 1
        The class dimension; a negative one counts from the end.

    Returns
    -------
    torch.Tensor
        The picked entries, in the shape of ``target`` and the dtype of ``log_probs``.

    Raises
    ------
    TypeError
        If ``log_probs`` is not a tensor, if ``dim`` is not an int, or if ``target`` does
        not hold integers of one of these dtypes.
    ValueError
        If the shapes do not fit.
    IndexError
        If ``log_probs`` has no dimension ``dim``, or if a target is not a class (checked
        for plain tensors on the CPU only, and not where PyTorch compiles, traces or
        transforms the call).

    Examples
    --------
    >>> import torch
    >>> from label_smoothing import pick
    >>> logits = torch.tensor([[0, 0.2, 0.7, 0.1, 0],
    ...                        [0, 0.9, 0.2, 0.2, 1],
    ...                        [1, 0.2, 0.7, 0.9, 1]])
    >>> pick(logits.log_softmax(1), torch.tensor([2, 1, 0]))
    tensor([-1.1469, -1.2542, -1.4098])
    """
    dim = _check_dim(log_probs, dim)
    check_class_dtype(target)
    check_target_shape(target, log_probs, dim, "input")
    check_classes(target, log_probs.shape[dim])
    return log_probs.gather(dim, target.long().unsqueeze(dim)).squeeze(dim)


def gather_reference(input: Tensor, dim: int, index: Tensor) -> Tensor:
    r"""Gather, written as its definition: one Python loop over the output cells.

    .. math:: \mathrm{out}[i, j, k] = \mathrm{input}[i, \mathrm{index}[i, j, k], k]
              \quad \text{for dim} = 1

    Parameters
    ----------
    input : torch.Tensor
        The source, any dtype.
    dim : int
        The dimension along which ``index`` chooses; a negative one counts from the end.
    index : torch.Tensor
        Positions along ``dim``, dtype torch.int64, or torch.int32 if PyTorch is new
        enough to gather by them, with as many dimensions as ``input`` and nowhere longer
        than it, except along ``dim``. An empty one may have any shape and dtype.

    Returns
    -------
    torch.Tensor
        The values found, in the shape of ``index`` and the dtype of ``input``.

    Raises
    ------
    TypeError
        If ``input`` is not a tensor, if ``dim`` is not an int, or if ``index`` does not
        hold such integers.
    IndexError
        If ``input`` has no dimension ``dim``, or if an index is out of range.
    ValueError
        If the shape of ``index`` does not fit, or if ``input`` is a single number.

    See Also
    --------
    torch.gather : the same, fast.
    explain_gather : the same, cell by cell in words.

    Notes
    -----
    Every call that :func:`torch.gather` takes is taken, except for an ``input`` or an
    ``index`` without dimensions, a single number.

    Examples
    --------
    >>> import torch
    >>> from label_smoothing import gather_reference
    >>> input = torch.tensor([[10, 11, 12],
    ...                       [20, 21, 22]])
    >>> index = torch.tensor([[2, 1, 0],
    ...                       [0, 2, 1]])
    >>> gather_reference(input, 1, index)
    tensor([[12, 11, 10],
            [20, 22, 21]])
    >>> torch.gather(input, 1, index)
    tensor([[12, 11, 10],
            [20, 22, 21]])
    """
    dim = _check_gather(input, dim, index)
    if index.numel() == 0:  # nothing to read, but there is a gradient
        return input.flatten()[:0].reshape(index.shape)
    out = input.new_empty(index.shape)
    for cell in _cells(index):
        out[cell] = input[_source(cell, dim, index)]
    return out


class GatherExplanation:
    """What :func:`label_smoothing.explain_gather` returns: print it to read the table.

    Attributes
    ----------
    input : torch.Tensor
        The source, as given.
    dim : int
        The dimension along which ``index`` chooses, never negative.
    index : torch.Tensor
        The positions along ``dim``, as given.
    out : torch.Tensor
        What ``torch.gather(input, dim, index)`` returns.
    """

    def __init__(self, input: Tensor, dim: int, index: Tensor) -> None:
        """Check the call, as :func:`label_smoothing.explain_gather` says, and make it."""
        self.input = input
        self.dim = _check_gather(input, dim, index)
        self.index = index
        self.out = input.gather(self.dim, index)

    def source(self, cell: tuple[int, ...]) -> tuple[int, ...]:
        """Return the cell of ``input`` that the cell ``cell`` of ``out`` reads.

        Raises
        ------
        IndexError
            If there is no such cell: ``cell`` has an entry too many or too few, or one
            that is negative or too large.
        """
        shape = tuple(self.index.shape)
        if len(cell) != len(shape) or any(
            i not in range(n) for i, n in zip(cell, shape, strict=True)
        ):
            below = any(i < 0 for i in cell)
            hint = "; gather does not count from the end" if below else ""
            raise IndexError(
                f"cell must be a cell of index, shape {shape}, got {cell}{hint}"
            )
        return _source(cell, self.dim, self.index)

    @property
    def formula(self) -> str:
        """The definition for this number of dimensions and this ``dim``."""
        ndim = self.input.dim()  # that of index too, unless it is empty
        axes = list(AXES[:ndim] if ndim <= len(AXES) else (f"i{d}" for d in range(ndim)))
        here = ", ".join(axes)
        axes[self.dim] = f"index[{here}]"
        return f"out[{here}] = input[{', '.join(axes)}]"

    def __repr__(self) -> str:
        shapes = " ".join(
            f"{name} {tuple(tensor.shape)}"
            for name, tensor in (("input", self.input), ("index", self.index))
        )
        lines = [f"gather along dim={self.dim}: {shapes}", self.formula]
        total = self.index.numel()
        edge = 10  # of a table longer than a screen, so many rows at each end
        rows = map(self.row, _cells(self.index))
        if total <= 2 * edge:
            lines += rows
        else:
            lines += itertools.islice(rows, edge)
            lines.append(f"... {total - 2 * edge} more ...")
            lines += [
                self.row(_unravel(n, self.index)) for n in range(total - edge, total)
            ]
        lines += self._notes()
        return "\n".join(lines)

    def row(self, cell: tuple[int, ...]) -> str:
        """Return the line of the table for the cell ``cell`` of ``out``.

        Raises
        ------
        IndexError
            If there is no such cell, as in :meth:`source`.
        """
        here = ", ".join(map(str, cell))
        source = self.source(cell)
        by_index = list(map(str, source))
        by_index[self.dim] = f"index[{here}]"
        return (
            f"out[{here}] = input[{', '.join(by_index)}] "
            f"= input[{', '.join(map(str, source))}] = {_value(self.out[cell])}"
        )

    def _notes(self) -> list[str]:
        return [
            f"note: index has {short} of {full} along dimension {d}, so out has no more: "
            "gather truncates, it does not broadcast"
            for d, (short, full) in enumerate(
                zip(self.index.shape, self.input.shape, strict=False)
            )
            if d != self.dim and short < full
        ]


def explain_gather(input: Tensor, dim: int, index: Tensor) -> GatherExplanation:
    """Explain a call of :func:`torch.gather`, one line per output cell.

    Parameters
    ----------
    input : torch.Tensor
        The source, any dtype.
    dim : int
        The dimension along which ``index`` chooses; a negative one counts from the end.
    index : torch.Tensor
        Positions along ``dim``, dtype torch.int64, or torch.int32 if PyTorch is new
        enough to gather by them, with as many dimensions as ``input`` and nowhere longer
        than it, except along ``dim``. An empty one may have any shape and dtype.

    Returns
    -------
    label_smoothing.GatherExplanation
        Its repr is the table, shortened for a large ``index``; its ``out`` is the result.
        A note below the table says where ``index`` is shorter than ``input``, except
        along ``dim``: the rest of ``input`` is then never read.

    Raises
    ------
    TypeError
        If ``input`` is not a tensor, if ``dim`` is not an int, or if ``index`` does not
        hold such integers.
    IndexError
        If ``input`` has no dimension ``dim``, or if an index is out of range; the
        message says where.
    ValueError
        If the shape of ``index`` does not fit, the message says on which dimension; or
        if ``input`` is a single number.

    Notes
    -----
    Every call that :func:`torch.gather` takes is taken, except for an ``input`` or an
    ``index`` without dimensions, a single number.

    Examples
    --------
    >>> import torch
    >>> from label_smoothing import explain_gather
    >>> input = torch.arange(10, 16).reshape(2, 3)
    >>> explain_gather(input, 1, torch.tensor([[2], [0]]))
    gather along dim=1: input (2, 3) index (2, 1)
    out[i, j] = input[i, index[i, j]]
    out[0, 0] = input[0, index[0, 0]] = input[0, 2] = 12
    out[1, 0] = input[1, index[1, 0]] = input[1, 0] = 13
    """
    return GatherExplanation(input, dim, index)


def _cells(index: Tensor) -> Iterator[tuple[int, ...]]:
    return itertools.product(*map(range, index.shape))


def _unravel(n: int, index: Tensor) -> tuple[int, ...]:
    return tuple(int(i) for i in torch.unravel_index(torch.tensor(n), index.shape))


def _source(cell: tuple[int, ...], dim: int, index: Tensor) -> tuple[int, ...]:
    return (*cell[:dim], int(index[cell]), *cell[dim + 1 :])


def _value(x: Tensor) -> str:
    value = x.item()
    if x.is_complex():
        return f"({value:.4g})"
    if not x.is_floating_point():
        return str(value)
    short = value == 0 or 1e-4 <= abs(value) < 1e6
    return f"{value:.4f}" if short else f"{value:.4g}"


def _check_dim(input: Tensor, dim: int) -> int:
    """Return ``dim`` counted from the front, or say why there is no such dimension."""
    if not isinstance(input, Tensor):
        raise TypeError(f"input must be a tensor, got {kind(input)}")
    check_int(dim, "dim")
    if input.dim() == 0:
        raise ValueError("input must have at least one dimension, got shape ()")
    if not -input.dim() <= dim < input.dim():
        raise IndexError(
            f"dim must satisfy {-input.dim()} <= dim < {input.dim()} for input of shape "
            f"{tuple(input.shape)}, got {dim}"
        )
    return int(dim) % input.dim()


def _check_gather(input: Tensor, dim: int, index: Tensor) -> int:
    """Return ``dim`` counted from the front, or say why the call is wrong."""
    dim = _check_dim(input, dim)
    if isinstance(index, Tensor) and index.numel() == 0:
        return dim  # as torch.gather does, which then checks nothing else
    if not isinstance(index, Tensor) or index.dtype not in (torch.int64, torch.int32):
        raise TypeError(
            f"index must have dtype torch.int64 or torch.int32, got {kind(index)}"
        )
    if index.dim() != input.dim():
        raise ValueError(
            f"index must have as many dimensions as input: input has {input.dim()}, "
            f"shape {tuple(input.shape)}; index has {index.dim()}, "
            f"shape {tuple(index.shape)}"
        )
    for d, (long, limit) in enumerate(zip(index.shape, input.shape, strict=True)):
        if d != dim and long > limit:
            raise ValueError(
                f"index must not be longer than input, except along dim={dim}: along "
                f"dimension {d} index has {long} and input has {limit}"
            )
    limit = input.shape[dim]
    wrong = (index < 0) | (index >= limit)
    if wrong.any():
        at = wrong.nonzero()[0].tolist()
        value = index[tuple(at)].item()
        hint = "; gather does not count from the end" if value < 0 else ""
        raise IndexError(
            f"index{at} is {value}, expected 0 <= index < {limit}, "
            f"the size of input along dim={dim}{hint}"
        )
    return dim
