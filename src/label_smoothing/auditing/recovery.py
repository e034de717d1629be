"""The X-ray: the target that a loss trains on, read from its gradient."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from label_smoothing.losses import kind
from label_smoothing.targets import check_num_classes

DRAWS = 4


class Recovered(NamedTuple):
    """What :func:`recover_target` finds in a loss, row by row.

    Attributes
    ----------
    target : torch.Tensor
        The distribution :math:`q'_n` of each row, shape (N, K), dtype torch.float64. Each
        row sums to one, and is nan where the row has no target.
    scale : torch.Tensor
        The factor :math:`s_n` of each row, shape (N,), dtype torch.float64. It is one
        over N for a mean of N rows and one for a sum; weights change it. It is zero where
        the row is ignored, and nan where the target is not fixed.
    fixed : torch.Tensor
        Shape (N,), dtype torch.bool. False where the gradient is not that of a cross
        entropy with one target: the target depends on the logits, or the gradient is not
        finite. True for a row that is ignored.
    """

    target: Tensor
    scale: Tensor
    fixed: Tensor


def recover_target(
    loss: Callable[[Tensor, Tensor], Tensor],
    num_classes: int,
    target: Tensor,
    *,
    log_probs: bool = False,
    dtype: torch.dtype = torch.float64,
) -> Recovered:
    r"""Recover the distribution that a loss trains on, whatever its code says.

    The gradient of a cross entropy, or of a Kullback-Leibler divergence, with the target
    :math:`q'_n` is

    .. math:: \frac{\partial L}{\partial z_n} = s_n\,(p_n - q'_n).

    It is taken at a few draws of logits. Between two of them :math:`q'_n` cancels, and
    :math:`s_n` is left; then :math:`q'_n` follows. If no :math:`s_n` and :math:`q'_n` fit
    all draws, the row has no fixed target.

    Parameters
    ----------
    loss : collections.abc.Callable
        ``loss(logits, target)`` returns a loss: a scalar, or one value per row. All rows
        go through it at once, so any reduction will do.
    num_classes : int
        The number of classes K, at least two.
    target : torch.Tensor
        What the loss takes as its target: class indices, shape (N,), dtype torch.int64,
        or probabilities, shape (N, K), which are converted to ``dtype``.
    log_probs : bool, optional
        Whether the loss takes log-probabilities, as :func:`torch.nn.functional.nll_loss`
        does, in place of logits. By default it takes logits.
    dtype : torch.dtype, optional
        The type of the logits that the loss gets, floating point; by default
        torch.float64.

    Returns
    -------
    Recovered
        The ``target``, ``scale`` and ``fixed`` of each row.

    Raises
    ------
    TypeError
        If ``num_classes`` is not an int, if ``target`` holds neither class indices nor
        probabilities, if ``dtype`` is not floating point, or if the loss does not return
        a tensor.
    ValueError
        If ``num_classes`` is below two, if the shape of ``target`` does not fit, or if
        the loss cannot be differentiated with respect to the logits.
    RuntimeError
        If the loss raises an error; the error is its cause.

    Notes
    -----
    A row counts as fixed if every entry of each gradient is nearer to the fit than
    :math:`\tau\,|s_n|`. The tolerance :math:`\tau` is :math:`10^{-5}`, since many losses
    compute in float32 whatever they are given, or twice the machine epsilon of ``dtype``
    where that is more: for torch.float16 and torch.bfloat16. In the sum over the classes
    a hundred times :math:`10^{-5}` and four times the latter are allowed, both to the
    distances from the fit and to the gradient, which sums to zero after a softmax.

    Where a gradient underflows to zero, as in a mean of very many rows in torch.float16,
    the row seems to be ignored.

    References
    ----------
    The gradient :math:`p - q'` is derived on :doc:`/learn/gradient_and_floor`.

    Examples
    --------
    >>> import torch
    >>> from label_smoothing import LabelSmoothing, recover_target
    >>> found = recover_target(LabelSmoothing(0.3), 5, torch.tensor([2, 1, -100]))
    >>> print(found.target)
    tensor([[0.0600, 0.0600, 0.7600, 0.0600, 0.0600],
            [0.0600, 0.7600, 0.0600, 0.0600, 0.0600],
            [   nan,    nan,    nan,    nan,    nan]], dtype=torch.float64)
    >>> print(found.scale)
    tensor([0.5000, 0.5000, 0.0000], dtype=torch.float64)
    """
    _check(num_classes, target, dtype)
    if target.is_floating_point():
        target = target.to(dtype)
    rng = torch.Generator().manual_seed(0)
    size = DRAWS, len(target), num_classes
    z = torch.randn(size, generator=rng, dtype=torch.float64, device="cpu")
    z = z.to(target.device)
    # In the other draws, the class that the first gradient asks for most gets a higher
    # logit. Otherwise, with many classes, no probability would change enough.
    first = _gradient(loss, z[0].to(dtype), target, log_probs)
    z[1:] += math.log(num_classes) * F.one_hot(first.argmin(1), num_classes)
    z = z.to(dtype)
    others = [_gradient(loss, draw, target, log_probs) for draw in z[1:]]
    gradient = torch.stack([first, *others])
    p = z.double().softmax(2)

    # A straight line through the draws, gradient = scale * p - scale * target.
    p_mean, gradient_mean = p.mean(0), gradient.mean(0)
    p_step, gradient_step = p - p_mean, gradient - gradient_mean
    scale = (gradient_step * p_step).sum((0, 2)) / p_step.square().sum((0, 2))
    residual = (gradient_step - scale[:, None] * p_step).abs()
    whole = residual.sum(2).maximum(gradient.sum(2).abs()).amax(0)
    residual = residual.amax((0, 2))
    tolerance = max(1e-5, 2 * torch.finfo(dtype).eps)
    trains = residual < tolerance * scale.abs()
    # With many classes each entry is small. Without a softmax they do not sum to zero.
    trains &= whole < max(1e-3, 8 * torch.finfo(dtype).eps) * scale.abs()
    ignored = (gradient == 0).all(2).all(0)

    recovered = p_mean - gradient_mean / scale[:, None]
    recovered[recovered.abs() < 1e-15] = 0  # rounding of float64
    return Recovered(
        recovered.masked_fill(~trains[:, None], torch.nan),
        scale.masked_fill(~(trains | ignored), torch.nan),
        trains | ignored,
    )


def _gradient(
    loss: Callable[[Tensor, Tensor], Tensor], z: Tensor, target: Tensor, log_probs: bool
) -> Tensor:
    """Return the gradient of the loss with respect to the logits, in float64."""
    with torch.enable_grad():
        leaf = z.double().requires_grad_()
        logits = (leaf.log_softmax(1) if log_probs else leaf).to(z.dtype)
        try:
            # Copies, since a loss may work in place.
            value = loss(logits.clone(), target.clone())
        except (Exception, SystemExit) as error:
            raise RuntimeError(
                f"loss failed on logits of shape {tuple(z.shape)} and {z.dtype}, target "
                f"of shape {tuple(target.shape)} and {target.dtype}: {error!r}"
            ) from error
        if not isinstance(value, Tensor):
            raise TypeError(f"loss must return a tensor, got {kind(value)}")
        gradient = None
        if value.requires_grad:
            # The gradient of a sum, which is not computed, since it may overflow.
            ones = torch.ones_like(value)
            (gradient,) = torch.autograd.grad(value, leaf, ones, allow_unused=True)
    if gradient is None:
        raise ValueError("loss must be differentiable in the logits, got no gradient")
    return gradient


def _check(num_classes: int, target: Tensor, dtype: torch.dtype) -> None:
    check_num_classes(num_classes, least=2)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype must be floating point, got {dtype}")
    if not isinstance(target, Tensor) or not (
        target.dtype == torch.int64 or target.is_floating_point()
    ):
        raise TypeError(
            "target must hold class indices of dtype torch.int64, or floating-point "
            f"probabilities, got {kind(target)}"
        )
    probabilities = target.is_floating_point()
    if target.shape[1:] != ((num_classes,) if probabilities else ()) or not target.dim():
        raise ValueError(
            f"target must have shape (N,), or (N, {num_classes}) for probabilities, "
            f"got {tuple(target.shape)}"
        )
