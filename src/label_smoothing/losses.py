r"""Label smoothing as a loss, written twice: with ``F.nll_loss`` and with ``gather``.

This file needs torch and nothing else, so it can be copied alone.

With :math:`q'(k) = (1-\varepsilon)\,\delta_{k,y} + \varepsilon\,u(k)` and a uniform
:math:`u(k) = 1/K`, both modules compute

.. math:: H(q', p) = (1-\varepsilon)\,H(\delta, p) + \varepsilon\,H(u, p).
"""

from numbers import Integral, Real

import torch
import torch.nn.functional as F
from torch import Tensor, nn

REDUCTIONS = ("none", "mean", "sum")


class LabelSmoothingLoss(nn.Module):
    r"""Smoothed cross entropy, built on :func:`torch.nn.functional.nll_loss`.

    The loss of a row with logits :math:`z`, :math:`p = \mathrm{softmax}(z)` and true
    class :math:`y` is

    .. math:: \ell = (1-\varepsilon)\,w_y\,(-\log p_y)
              + \frac{\varepsilon}{K} \sum_{k=1}^{K} (-\log p_k).

    Parameters
    ----------
    smoothing : float, default: 0.1
        The weight :math:`\varepsilon` of the uniform term, ``0 <= smoothing < 1``.
    reduction : str, default: "mean"
        ``"none"`` keeps one loss per target, ``"sum"`` adds them up, ``"mean"`` averages
        each term over the targets that are not ignored; the mean of the first term is
        weighted by ``weight``.
    weight : torch.Tensor, optional
        One weight :math:`w_k` per class, shape (K,), floating point. It rescales the
        first term **only**; see the notes. It is a buffer: it follows ``.to()`` and is
        part of the ``state_dict``. It cannot be learned.
    ignore_index : int, default: -100
        A target with this value counts in neither term, nor in the mean.

    Raises
    ------
    TypeError
        If an argument, the logits or the target is of a wrong type.
    ValueError
        If ``smoothing`` or ``reduction`` is not one of the values above, if ``weight``
        requires a gradient, or if shapes do not fit.
    IndexError
        If a target is neither a class nor ``ignore_index``. It is looked for in plain
        tensors on the CPU only, and not where PyTorch compiles, traces or transforms
        the call: on a GPU the check would make the host wait for the device.

    See Also
    --------
    LabelSmoothing : the same loss, built on gather; by default it smooths nothing.
    torch.nn.CrossEntropyLoss : the same loss in PyTorch, apart from ``weight``.

    Notes
    -----
    The call takes ``logits`` and ``target`` and returns the loss in nats.

    ============================ ====================== ==================
    logits, floating point       target, classes        loss, unreduced
    ============================ ====================== ==================
    (N, K)                       (N,)                   (N,)
    (K,)                         ()                     ()
    (N, K, d1, ...)              (N, d1, ...)           (N, d1, ...)
    ============================ ====================== ==================

    The classes are of dtype torch.int64 or torch.uint8. Everything runs in float32 at
    least. The result has the dtype of the logits, and under :class:`torch.autocast`
    float32 at least, as in PyTorch. If every target is ignored the mean is nan, as in
    PyTorch.

    With ``weight``, PyTorch's own loss also rescales the second term, class by class,
    and divides both terms by the same sum :math:`\sum_n w_{y_n}`:

    .. math:: \ell^{\mathrm{torch}} = (1-\varepsilon)\,w_y\,(-\log p_y)
              + \frac{\varepsilon}{K} \sum_{k=1}^{K} w_k\,(-\log p_k).

    References
    ----------
    :cite:t:`szegedy2016`, section 7.

    Examples
    --------
    >>> import torch
    >>> import torch.nn.functional as F
    >>> from label_smoothing import LabelSmoothingLoss
    >>> logits = torch.tensor([[0, 0.2, 0.7, 0.1, 0],
    ...                        [0, 0.9, 0.2, 0.2, 1],
    ...                        [1, 0.2, 0.7, 0.9, 1]])
    >>> target = torch.tensor([2, 1, 0])
    >>> LabelSmoothingLoss(smoothing=0.3)(logits, target)
    tensor(1.3883)
    >>> F.cross_entropy(logits, target, label_smoothing=0.3)
    tensor(1.3883)

    With class weights the two differ:

    >>> weight = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    >>> LabelSmoothingLoss(smoothing=0.3, weight=weight)(logits, target)
    tensor(1.3576)
    >>> F.cross_entropy(logits, target, weight, label_smoothing=0.3)
    tensor(1.5882)
    """

    weight: Tensor | None

    def __init__(
        self,
        smoothing: float = 0.1,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int = -100,
    ) -> None:
        super().__init__()
        check_options(smoothing, reduction, ignore_index)
        check_weight(weight)
        self.smoothing = smoothing
        self.reduction = reduction
        self.ignore_index = ignore_index
        self.register_buffer("weight", weight)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        check_options(self.smoothing, self.reduction, self.ignore_index)
        target, dim = _check_input(logits, target, self.ignore_index)
        check_weight(self.weight, logits.shape[dim])

        log_probs = F.log_softmax(logits, dim, dtype=wide(logits))
        weight = None if self.weight is None else self.weight.to(log_probs.dtype)
        nll = F.nll_loss(
            log_probs,
            target,
            weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )
        smoothing = float(self.smoothing)
        if smoothing == 0:  # 0 * inf is nan: a logit of -inf must not reach the sum
            return nll.to(result_dtype(logits))
        uniform = -log_probs.mean(dim)
        uniform = _reduce(uniform, target == self.ignore_index, self.reduction)
        loss = (1 - smoothing) * nll + smoothing * uniform
        return loss.to(result_dtype(logits))

    def extra_repr(self) -> str:
        return (
            f"smoothing={self.smoothing}, reduction={self.reduction!r}, "
            f"ignore_index={self.ignore_index}"
        )


class LabelSmoothing(nn.Module):
    r"""Smoothed cross entropy, built on :func:`torch.gather`.

    The loss of a row with logits :math:`z`, :math:`p = \mathrm{softmax}(z)` and true
    class :math:`y` is

    .. math:: \ell = (1-\varepsilon)\,(-\log p_y)
              + \frac{\varepsilon}{K} \sum_{k=1}^{K} (-\log p_k).

    Parameters
    ----------
    smoothing : float, default: 0.0
        The weight :math:`\varepsilon` of the uniform term, ``0 <= smoothing < 1``.
    reduction : str, default: "mean"
        ``"none"`` keeps one loss per target, ``"sum"`` adds them up, ``"mean"`` averages
        them over the targets that are not ignored.
    ignore_index : int, default: -100
        A target with this value counts in neither term, nor in the mean.

    Raises
    ------
    TypeError
        If an argument, the logits or the target is of a wrong type.
    ValueError
        If ``smoothing`` or ``reduction`` is not one of the values above, or if shapes do
        not fit.
    IndexError
        If a target is neither a class nor ``ignore_index``. It is looked for in plain
        tensors on the CPU only, and not where PyTorch compiles, traces or transforms
        the call: on a GPU the check would make the host wait for the device.

    See Also
    --------
    LabelSmoothingLoss : the same loss, built on ``F.nll_loss``, with class weights;
        by default it does smooth.
    label_smoothing.pick : the gather of the true class, on its own.

    Notes
    -----
    The call takes ``logits`` and ``target`` and returns the loss in nats.

    ============================ ====================== ==================
    logits, floating point       target, classes        loss, unreduced
    ============================ ====================== ==================
    (N, K)                       (N,)                   (N,)
    (K,)                         ()                     ()
    (N, K, d1, ...)              (N, d1, ...)           (N, d1, ...)
    ============================ ====================== ==================

    The classes are of dtype torch.int64 or torch.uint8. Everything runs in float32 at
    least. The result has the dtype of the logits, and under :class:`torch.autocast`
    float32 at least, as in PyTorch. If every target is ignored the mean is nan, as in
    PyTorch.

    References
    ----------
    :cite:t:`szegedy2016`, section 7.

    Examples
    --------
    >>> import torch
    >>> from label_smoothing import LabelSmoothing
    >>> logits = torch.tensor([[0, 0.2, 0.7, 0.1, 0],
    ...                        [0, 0.9, 0.2, 0.2, 1],
    ...                        [1, 0.2, 0.7, 0.9, 1]])
    >>> target = torch.tensor([2, 1, 0])
    >>> LabelSmoothing(smoothing=0.3)(logits, target)
    tensor(1.3883)
    >>> LabelSmoothing(smoothing=0.3, reduction="none")(logits, target)
    tensor([1.2969, 1.3862, 1.4818])
    """

    def __init__(
        self,
        smoothing: float = 0.0,
        reduction: str = "mean",
        ignore_index: int = -100,
    ) -> None:
        super().__init__()
        check_options(smoothing, reduction, ignore_index)
        self.smoothing = smoothing
        self.reduction = reduction
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        check_options(self.smoothing, self.reduction, self.ignore_index)
        target, dim = _check_input(logits, target, self.ignore_index)

        log_probs = F.log_softmax(logits, dim, dtype=wide(logits))
        ignored = target == self.ignore_index
        index = target.masked_fill(ignored, 0).unsqueeze(dim)  # gather takes no -100
        loss = -log_probs.gather(dim, index).squeeze(dim)
        smoothing = float(self.smoothing)
        if smoothing != 0:  # 0 * inf is nan: a logit of -inf must not reach the sum
            uniform = -log_probs.mean(dim)
            loss = (1 - smoothing) * loss + smoothing * uniform
        return _reduce(loss, ignored, self.reduction).to(result_dtype(logits))

    def extra_repr(self) -> str:
        return (
            f"smoothing={self.smoothing}, reduction={self.reduction!r}, "
            f"ignore_index={self.ignore_index}"
        )


def wide(logits: Tensor) -> torch.dtype:
    """Return the dtype to compute in: that of the logits, float32 at least."""
    return torch.promote_types(logits.dtype, torch.float32)


def result_dtype(logits: Tensor) -> torch.dtype:
    """Return the dtype of the loss: that of the logits, wide under autocast."""
    device = logits.device.type
    autocast = device != "meta" and torch.is_autocast_enabled(device)
    return wide(logits) if autocast else logits.dtype


def _reduce(loss: Tensor, ignored: Tensor, reduction: str) -> Tensor:
    loss = loss.masked_fill(ignored, 0)
    if reduction == "none":
        return loss
    total = loss.sum()
    return total if reduction == "sum" else total / (~ignored).sum()


def _check_input(logits: Tensor, target: Tensor, ignore_index: int) -> tuple[Tensor, int]:
    """Return the target and the class dimension, or say why the two do not fit."""
    dim = check_logits(logits)
    check_class_dtype(target)
    target = target.long()  # -100 is 156 in eight bits
    classes_last = target.shape == logits.shape[:-1]
    hint = "; if the classes are last, pass logits.movedim(-1, 1)" if classes_last else ""
    check_target_shape(target, logits, dim, hint=hint)
    check_classes(target, logits.shape[dim], ignore_index)
    return target, dim


# The checks. The other modules of the package share them.


def check_options(
    smoothing: float,
    reduction: str,
    ignore_index: int,
    *,
    name: str = "smoothing",
    may_be_one: bool = False,
) -> None:
    """Check what both losses are made with; ``name`` is that of the smoothing."""
    check_smoothing(smoothing, name, may_be_one=may_be_one)
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {REDUCTIONS}, got {reduction!r}")
    check_int(ignore_index, "ignore_index")
    if not -(2**63) <= ignore_index < 2**63:
        raise ValueError(f"ignore_index must fit into 64 bits, got {ignore_index}")


def check_smoothing(
    smoothing: float, name: str = "smoothing", *, may_be_one: bool = False
) -> None:
    """Check that a smoothing is a number from zero to one, and whether one is allowed."""
    if not isinstance(smoothing, Real):
        raise TypeError(f"{name} must be a number, got {type(smoothing).__name__}")
    if not (0 <= smoothing < 1 or (may_be_one and smoothing == 1)):
        below = "<=" if may_be_one else "<"
        raise ValueError(f"{name} must satisfy 0 <= {name} {below} 1, got {smoothing}")


def check_int(value: int, name: str) -> None:
    """Check that a value is an int; a bool is none here."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, got {kind(value)}")


def check_weight(
    weight: Tensor | None, num_classes: int | None = None, *, may_learn: bool = False
) -> None:
    """Check the weights of the classes, if there are any."""
    if weight is None:
        return
    if not isinstance(weight, Tensor) or not weight.is_floating_point():
        raise TypeError(f"weight must be a floating-point tensor, got {kind(weight)}")
    check_bits(weight, "weight")
    if weight.dim() != 1 or num_classes not in (None, len(weight)):
        expected = "(num_classes,)" if num_classes is None else f"({num_classes},)"
        raise ValueError(
            f"weight must have shape {expected}, one weight per class, "
            f"got {tuple(weight.shape)}"
        )
    if weight.requires_grad and not may_learn:
        raise ValueError("weight must not require a gradient: pass weight.detach()")


def check_logits(logits: Tensor, name: str = "logits") -> int:
    """Return the class dimension, or say what is wrong with the logits."""
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        raise TypeError(f"{name} must be floating point, got {kind(logits)}")
    check_bits(logits, name)
    if logits.dim() == 0:
        raise ValueError(
            f"{name} must have shape (K,), (N, K) or (N, K, d1, ...), got ()"
        )
    dim = 0 if logits.dim() == 1 else 1
    if logits.shape[dim] == 0:
        raise ValueError(
            f"{name} must have at least one class, got shape {tuple(logits.shape)}"
        )
    return dim


def check_bits(tensor: Tensor, name: str) -> None:
    """Check that a floating-point tensor is of a type to compute with."""
    if tensor.dtype.itemsize == 1:
        raise TypeError(f"{name} must have 16 bits or more, got {tensor.dtype}")


def check_class_dtype(target: Tensor) -> None:
    """Check that a target is of the type that holds classes."""
    if not isinstance(target, Tensor) or target.dtype not in (torch.int64, torch.uint8):
        raise TypeError(
            f"target must hold class indices of dtype torch.int64 or torch.uint8, "
            f"got {kind(target)}"
        )


def check_target_shape(
    target: Tensor, logits: Tensor, dim: int, name: str = "logits", hint: str = ""
) -> None:
    """Check that a target has the shape of the logits without their class dimension."""
    expected = logits.shape[:dim] + logits.shape[dim + 1 :]
    if target.shape != expected:
        raise ValueError(
            f"target must have shape {tuple(expected)} for {name} of shape "
            f"{tuple(logits.shape)} with the classes in dimension {dim}, "
            f"got {tuple(target.shape)}{hint}"
        )


def check_classes(
    target: Tensor, num_classes: int, ignore_index: int | None = None
) -> None:
    """Check that a target holds classes, where it can be read; name the first other."""
    if not can_be_read(target):
        return
    wrong = (target < 0) | (target >= num_classes)
    expected = f"0 <= target < {num_classes}"
    if ignore_index is not None:
        wrong &= target != ignore_index
        expected += f" or ignore_index={ignore_index}"
    if wrong.any():
        at = wrong.nonzero()[0].tolist()
        value = target[tuple(at)].item()
        raise IndexError(f"target{at if at else ''} is {value}, expected {expected}")


def can_be_read(tensor: Tensor) -> bool:
    """Say whether the values of a tensor can be read, at no cost."""
    # To read a value makes a GPU wait, and breaks a compiled graph in two. A subclass,
    # such as FakeTensor, may have none, and a sparse tensor not all.
    return (
        not is_watched()
        and type(tensor) in (Tensor, nn.Parameter)
        and tensor.device.type == "cpu"
        and tensor.layout is torch.strided
    )


def is_watched() -> bool:
    """Say whether PyTorch compiles, traces or transforms what is computed now."""
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        or torch._C._are_functorch_transforms_active()
        or torch._C._len_torch_dispatch_stack() > 0
    )


def kind(x: object) -> object:
    """Return the dtype of a tensor, and the name of the type of anything else."""
    return x.dtype if isinstance(x, Tensor) else type(x).__name__
