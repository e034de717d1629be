"""The three distributions: the one-hot target, the prior, and their mix."""

import torch
from torch import Tensor

from label_smoothing.losses import (
    can_be_read,
    check_class_dtype,
    check_classes,
    check_int,
    check_smoothing,
    kind,
)


def dirac_delta(target: Tensor, num_classes: int) -> Tensor:
    r"""One-hot targets: all probability on the true class.

    .. math:: \delta_{k,y} = 1 \text{ if } k = y, \text{ else } 0.

    Parameters
    ----------
    target : torch.Tensor
        True classes, dtype torch.int64 or torch.uint8, any shape (N, d1, ...) or ().
    num_classes : int
        The number of classes K.

    Returns
    -------
    torch.Tensor
        Probabilities in the default dtype, shape (N, K, d1, ...), or (K,) for a
        single target: the classes are along ``dim=1``, as PyTorch's losses want them.

    Raises
    ------
    TypeError
        If ``target`` does not hold integers of one of these dtypes, or if
        ``num_classes`` is not an int.
    ValueError
        If ``num_classes`` is not positive.
    IndexError
        If a target is not in ``range(num_classes)`` (checked for plain tensors on the
        CPU only, and not where PyTorch compiles, traces or transforms the call).

    Notes
    -----
    :cite:t:`szegedy2016` call it a Dirac delta. On a finite set of classes it is a
    Kronecker delta.

    Examples
    --------
    >>> import torch
    >>> from label_smoothing import dirac_delta
    >>> dirac_delta(torch.tensor([2, 1, 0]), num_classes=5)
    tensor([[0., 0., 1., 0., 0.],
            [0., 1., 0., 0., 0.],
            [1., 0., 0., 0., 0.]])
    """
    check_num_classes(num_classes)
    check_class_dtype(target)
    check_classes(target, num_classes)
    dim = min(target.dim(), 1)
    shape = (*target.shape[:dim], num_classes, *target.shape[dim:])
    zeros = torch.zeros(shape, device=target.device)
    return zeros.scatter(dim, target.long().unsqueeze(dim), 1.0)


def uniform(num_classes: int) -> Tensor:
    r"""Return the uniform prior: the same probability for every class.

    .. math:: u(k) = \frac{1}{K}.

    Parameters
    ----------
    num_classes : int
        The number of classes K.

    Returns
    -------
    torch.Tensor
        Probabilities in the default dtype, shape (K,).

    Raises
    ------
    TypeError
        If ``num_classes`` is not an int.
    ValueError
        If ``num_classes`` is not positive.

    Examples
    --------
    >>> from label_smoothing import uniform
    >>> uniform(5)
    tensor([0.2000, 0.2000, 0.2000, 0.2000, 0.2000])
    """
    check_num_classes(num_classes)
    return torch.full((num_classes,), 1 / num_classes)


def smooth(
    target: Tensor, num_classes: int, smoothing: float, prior: Tensor | None = None
) -> Tensor:
    r"""Mix the one-hot target with a prior.

    .. math:: q'(k) = (1-\varepsilon)\,\delta_{k,y} + \varepsilon\,u(k).

    Parameters
    ----------
    target : torch.Tensor
        True classes, dtype torch.int64 or torch.uint8, any shape (N, d1, ...) or ().
    num_classes : int
        The number of classes K.
    smoothing : float
        The weight :math:`\varepsilon` of the prior, ``0 <= smoothing < 1``.
    prior : torch.Tensor, optional
        The distribution :math:`u(k)`, shape (K,), floating point, on the device of
        ``target``. Uniform by default. The class frequencies of the training set (a
        unigram prior) are the usual other choice.

    Returns
    -------
    torch.Tensor
        Probabilities in the dtype of the prior (by default the default dtype), shape
        (N, K, d1, ...), or (K,) for a single target.

    Raises
    ------
    TypeError
        If ``target`` does not hold integers of one of these dtypes, if ``num_classes``
        is not an int, if ``smoothing`` is not a number, or if ``prior`` is not a
        floating-point tensor.
    ValueError
        If ``num_classes`` is not positive, if ``smoothing`` is out of range, or if
        ``prior`` has another shape, a negative entry, or a sum other than one, up to
        rounding.
    IndexError
        If a target is not in ``range(num_classes)``. Values are checked for plain
        tensors on the CPU only, and not where PyTorch compiles, traces or transforms
        the call.

    References
    ----------
    :cite:t:`szegedy2016`, section 7.

    Examples
    --------
    >>> import torch
    >>> from label_smoothing import smooth
    >>> target = torch.tensor([2, 1, 0])
    >>> smooth(target, num_classes=5, smoothing=0.3)
    tensor([[0.0600, 0.0600, 0.7600, 0.0600, 0.0600],
            [0.0600, 0.7600, 0.0600, 0.0600, 0.0600],
            [0.7600, 0.0600, 0.0600, 0.0600, 0.0600]])

    A unigram prior keeps the mass on frequent classes:

    >>> frequency = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.1])
    >>> smooth(target[:1], num_classes=5, smoothing=0.3, prior=frequency)
    tensor([[0.1500, 0.0600, 0.7300, 0.0300, 0.0300]])
    """
    check_smoothing(smoothing)
    smoothing = float(smoothing)
    delta = dirac_delta(target, num_classes)
    if prior is None:
        prior = torch.full((num_classes,), 1 / num_classes, device=delta.device)
    else:
        _check_prior(prior, num_classes)
    u = prior.reshape(-1, *[1] * (target.dim() - 1))
    return (1 - smoothing) * delta.to(u.dtype) + smoothing * u


def check_num_classes(num_classes: int, least: int = 1) -> None:
    """Raise unless ``num_classes`` is an int of at least ``least``."""
    check_int(num_classes, "num_classes")
    if num_classes < least:
        expected = "positive" if least == 1 else f"at least {least}"
        raise ValueError(f"num_classes must be {expected}, got {num_classes}")


def _check_prior(prior: Tensor, num_classes: int) -> None:
    if not isinstance(prior, Tensor) or not prior.is_floating_point():
        raise TypeError(f"prior must be a floating-point tensor, got {kind(prior)}")
    if prior.shape != (num_classes,):
        raise ValueError(
            f"prior must have shape ({num_classes},), got {tuple(prior.shape)}"
        )
    if can_be_read(prior):
        if not (prior >= 0).all():
            raise ValueError(f"prior must not be negative or nan, got {prior.tolist()}")
        total = prior.double().sum().item()
        rounding = num_classes * torch.finfo(prior.dtype).eps
        if abs(total - 1) > min(rounding, 0.01):
            raise ValueError(f"prior must sum to 1, got a sum of {total}")
