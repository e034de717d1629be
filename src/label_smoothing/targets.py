"""The three distributions: the one-hot target, the prior, and their mix."""

from numbers import Real

import torch
from torch import Tensor


def dirac_delta(target: Tensor, num_classes: int) -> Tensor:
    r"""One-hot targets: all probability on the true class.

    .. math:: \delta_{k,y} = 1 \text{ if } k = y, \text{ else } 0.

    Parameters
    ----------
    target : torch.Tensor
        True classes, dtype torch.int64, any shape (N, d1, ...) or ().
    num_classes : int
        The number of classes K.

    Returns
    -------
    torch.Tensor
        Probabilities in the default dtype, shape (N, K, d1, ...), or (K,) for a
        single target: the classes are in dimension 1, as PyTorch's losses want them.

    Raises
    ------
    TypeError
        If ``target`` does not hold integers of dtype torch.int64.
    ValueError
        If ``num_classes`` is not a positive int, or if a target is not in
        ``range(num_classes)`` (checked on the CPU only, and not under
        :func:`torch.compile`).

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
    check_class_indices(target, num_classes)
    dim = min(target.dim(), 1)
    shape = (*target.shape[:dim], num_classes, *target.shape[dim:])
    zeros = torch.zeros(shape, device=target.device)
    return zeros.scatter(dim, target.unsqueeze(dim), 1.0)


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
    ValueError
        If ``num_classes`` is not a positive int.

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
        True classes, dtype torch.int64, any shape (N, d1, ...) or ().
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
        If ``target`` does not hold integers of dtype torch.int64, if ``smoothing`` is
        not a number, or if ``prior`` is not a floating-point tensor.
    ValueError
        If ``smoothing`` is out of range, if a target is not in ``range(num_classes)``,
        or if ``prior`` has another shape, a negative entry, or a sum other than one.
        Values of tensors are checked on the CPU only, and not under
        :func:`torch.compile`.

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
    if not isinstance(smoothing, Real):
        raise TypeError(f"smoothing must be a number, got {type(smoothing).__name__}")
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must satisfy 0 <= smoothing < 1, got {smoothing}")
    delta = dirac_delta(target, num_classes)
    if prior is None:
        prior = uniform(num_classes).to(delta.device)
    else:
        _check_prior(prior, num_classes)
    u = prior.reshape(-1, *[1] * (target.dim() - 1))
    return (1 - smoothing) * delta.to(u.dtype) + smoothing * u


def check_num_classes(num_classes: int) -> None:
    """Raise unless ``num_classes`` is a positive int."""
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ValueError(f"num_classes must be a positive int, got {num_classes!r}")


def check_class_indices(target: Tensor, num_classes: int) -> None:
    """Raise unless ``target`` holds classes; name the first that is none."""
    if not isinstance(target, Tensor) or target.dtype != torch.int64:
        raise TypeError(
            f"target must hold class indices of dtype torch.int64, got {_kind(target)}"
        )
    if _values_can_be_read(target):
        wrong = (target < 0) | (target >= num_classes)
        if wrong.any():
            at = wrong.nonzero()[0].tolist()
            raise ValueError(
                f"target{at if at else ''} is {target[tuple(at)].item()}, "
                f"expected 0 <= target < {num_classes}"
            )


def _check_prior(prior: Tensor, num_classes: int) -> None:
    if not isinstance(prior, Tensor) or not prior.is_floating_point():
        raise TypeError(f"prior must be a floating-point tensor, got {_kind(prior)}")
    if prior.shape != (num_classes,):
        raise ValueError(
            f"prior must have shape ({num_classes},), got {tuple(prior.shape)}"
        )
    if _values_can_be_read(prior):
        if not (prior >= 0).all():
            raise ValueError(f"prior must not be negative or nan, got {prior.tolist()}")
        total = prior.double().sum().item()
        if abs(total - 1) > num_classes * torch.finfo(prior.dtype).eps:
            raise ValueError(f"prior must sum to 1, got a sum of {total}")


def _kind(x: object) -> object:
    return x.dtype if isinstance(x, Tensor) else type(x).__name__


def _values_can_be_read(tensor: Tensor) -> bool:
    # On a GPU a read makes the host wait; while compiling it breaks the graph in two.
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling()
