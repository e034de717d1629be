r"""Cross entropy and its gradient in one pass over the logits: PyTorch's own, faster.

This file needs torch and ``losses.py``: copy the two together, into one package.

The gradient of the smoothed loss with respect to the logits is :math:`p - q'`. The loss
and its gradient both need :math:`p`, and :math:`p` is what takes time.
:func:`cross_entropy` writes :math:`p` into the memory of the gradient, computes the loss
from it, and turns it into :math:`p - q'` in place. It does so one chunk of rows at a
time, and a chunk fits into the cache.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import _reduction

# Relative, since the two files are copied together.
from .losses import (
    REDUCTIONS,
    can_be_read,
    check_classes,
    check_logits,
    check_options,
    check_target_shape,
    check_weight,
    has_values,
    kind,
    result_dtype,
    wide,
)

CHUNK = 2**20  # logits: with their gradient 8 MiB in float32, which a cache can hold
SMALL = 2**15  # logits: of fewer, PyTorch's own loss takes less time


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Compute what :func:`torch.nn.functional.cross_entropy` computes, in one pass.

    For class indices :math:`y` the loss of a row with :math:`p = \mathrm{softmax}(z)` is

    .. math:: \ell = (1-\varepsilon)\,w_y\,(-\log p_y)
              + \frac{\varepsilon}{K} \sum_{k=1}^{K} w_k\,(-\log p_k),

    and ``"mean"`` divides the sum by :math:`\sum_n w_{y_n}`. For probabilities :math:`q`
    it is :math:`-\sum_k w_k\,q'(k) \log p_k` with
    :math:`q' = (1-\varepsilon)\,q + \varepsilon/K`, and ``"mean"`` divides by the number
    of rows.

    Parameters
    ----------
    input : torch.Tensor
        The logits, floating point, half precision or wider, shape (K,), (N, K) or
        (N, K, d1, ...). They are never written to.
    target : torch.Tensor
        Class indices of dtype torch.int64 or torch.uint8, shape (), (N,) or
        (N, d1, ...); or probabilities, floating point, in the shape of ``input``.
    weight : torch.Tensor, optional
        One weight :math:`w_k` per class, shape (K,), floating point.
    size_average, reduce : bool, optional
        Deprecated, as in PyTorch: the names of ``reduction`` before it had one.
    ignore_index : int, default: -100
        A class index with this value adds nothing to the loss, nor to the mean.
    reduction : str, default: "mean"
        ``"none"``, ``"mean"`` or ``"sum"``.
    label_smoothing : float, default: 0.0
        The :math:`\varepsilon` above, ``0 <= label_smoothing <= 1``.

    Returns
    -------
    torch.Tensor
        The loss in nats, in the dtype of ``input``, or under :class:`torch.autocast` in
        float32 at least.

    Raises
    ------
    TypeError
        If an argument is of a wrong type.
    ValueError
        If ``label_smoothing`` or ``reduction`` is not one of the values above, if shapes
        do not fit, or if probabilities come with an ``ignore_index``.
    IndexError
        If a class index is neither a class nor ``ignore_index``. It is looked for in
        plain tensors on the CPU only: on a GPU the host would have to wait.

    See Also
    --------
    CrossEntropyLoss : the same as a module.
    LabelSmoothingLoss : spelled out, with a ``weight`` that rescales the first term only.

    Notes
    -----
    It differs from PyTorch in this:

    - In half precision all sums are kept in float32. PyTorch's sum over rows and classes
      overflows float16.
    - A negative ``label_smoothing`` is refused, and so is nan. PyTorch takes both for no
      smoothing.
    - ``weight`` may have any floating-point dtype.

    The gradient is computed along with the loss, into one buffer as large as the logits.
    Without a gradient to compute (under :class:`torch.no_grad`, or if no logit requires
    one) there is no such buffer. For float16 the gradient is computed in the backward
    pass, since there the scale of the loss is known that keeps it in range.

    Second derivatives, gradients of probabilities, ``torch.compile`` and the transforms
    of ``torch.func`` take PyTorch's own way. So do small inputs in float32
    and float64, up to some ten thousand logits, or a million without a gradient: there
    a call costs more than its exponentials.

    References
    ----------
    :cite:t:`szegedy2016`, section 7.

    Examples
    --------
    >>> import torch
    >>> from label_smoothing import cross_entropy
    >>> logits = torch.tensor([[0, 0.2, 0.7, 0.1, 0],
    ...                        [0, 0.9, 0.2, 0.2, 1],
    ...                        [1, 0.2, 0.7, 0.9, 1]], requires_grad=True)
    >>> target = torch.tensor([2, 1, 0])
    >>> loss = cross_entropy(logits, target, label_smoothing=0.3)
    >>> loss.detach()
    tensor(1.3883)
    >>> loss.backward()
    >>> logits.grad[0]
    tensor([ 0.0326,  0.0442, -0.1475,  0.0381,  0.0326])
    """
    try:
        # On a small input PyTorch is faster: a call costs more than its sums.
        small = SMALL if torch.is_grad_enabled() and input.requires_grad else CHUNK
        if (
            input.dim() > 1
            and 0 < input.numel() < small
            and input.dtype in (torch.float32, torch.float64)
            and (weight is None or weight.is_floating_point())
            and reduction in REDUCTIONS
            and type(label_smoothing) in (float, int)
            and label_smoothing >= 0
        ):
            return F.cross_entropy(
                input,
                target,
                weight,
                size_average,
                ignore_index,
                reduce,
                reduction,
                label_smoothing,
            )
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
        pass  # the checks below say what is wrong
    if size_average is not None or reduce is not None:
        reduction = _reduction.legacy_get_string(size_average, reduce)
    _check_options(ignore_index, reduction, label_smoothing)
    _check_tensors(input, target, weight, ignore_index)
    smoothing = float(label_smoothing)
    if target.dtype == torch.uint8:
        target = target.long()  # -100 is 156 in eight bits
    if input.dim() > 1:
        return _dispatch(input, target, weight, ignore_index, reduction, smoothing)
    rows, targets = input.unsqueeze(0), target.unsqueeze(0)
    loss = _dispatch(rows, targets, weight, ignore_index, reduction, smoothing)
    return loss.squeeze(0) if reduction == "none" else loss


class CrossEntropyLoss(nn.CrossEntropyLoss):
    """:class:`torch.nn.CrossEntropyLoss` in one pass over the logits.

    Parameters, shapes and results are those of PyTorch's module, and of
    :func:`cross_entropy`, which says where the two differ.

    Parameters
    ----------
    weight : torch.Tensor, optional
        One weight per class, shape (K,), floating point; a buffer of the module.
    size_average, reduce : bool, optional
        Deprecated, as in PyTorch.
    ignore_index : int, default: -100
        A class index with this value adds nothing to the loss, nor to the mean.
    reduction : str, default: "mean"
        ``"none"``, ``"mean"`` or ``"sum"``.
    label_smoothing : float, default: 0.0
        The weight of the uniform distribution, ``0 <= label_smoothing <= 1``.

    Raises
    ------
    TypeError, ValueError
        As in :func:`cross_entropy`, for the arguments that are given here.

    See Also
    --------
    cross_entropy : the same as a function.

    References
    ----------
    :cite:t:`szegedy2016`, section 7.

    Examples
    --------
    >>> import torch
    >>> from label_smoothing import CrossEntropyLoss
    >>> logits = torch.tensor([[0, 0.2, 0.7, 0.1, 0],
    ...                        [0, 0.9, 0.2, 0.2, 1],
    ...                        [1, 0.2, 0.7, 0.9, 1]])
    >>> target = torch.tensor([2, 1, 0])
    >>> CrossEntropyLoss(label_smoothing=0.3)(logits, target)
    tensor(1.3883)
    >>> torch.nn.CrossEntropyLoss(label_smoothing=0.3)(logits, target)
    tensor(1.3883)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        _check_options(ignore_index, reduction, label_smoothing)
        check_weight(weight, may_learn=True)
        super().__init__(
            weight, size_average, ignore_index, reduce, reduction, label_smoothing
        )

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


def _dispatch(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    smoothing: float,
) -> Tensor:
    call = input, target, weight, ignore_index, reduction, smoothing
    tensors = (input, target) if weight is None else (input, target, weight)
    if (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        or any(tensor.requires_grad for tensor in tensors[1:])
        or not all(map(_is_plain, tensors))
    ):
        return _by_torch(*call)
    if input.requires_grad and torch.is_grad_enabled():
        loss: Tensor = _OnePass.apply(*call)  # type: ignore[no-untyped-call]
        return loss
    return _compute(*call, with_grad=False)[0]


def _by_torch(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    smoothing: float,
) -> Tensor:
    """Compute it with PyTorch's own loss, which PyTorch can derive, map and compile."""
    dtype = wide(input)
    loss = F.cross_entropy(
        input.to(dtype),
        target,
        None if weight is None else weight.to(dtype),
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=smoothing,
    )
    return loss.to(_result_dtype(input, target, weight))


class _OnePass(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, *rest: Any) -> Tensor:
        target, weight, *ctx.options = rest
        ctx.save_for_backward(input, target, weight)
        # A gradient that is divided by N before it is scaled may leave float16.
        with_grad = input.dtype != torch.float16
        loss, ctx.grad = _compute(input, *rest, with_grad=with_grad)
        return loss

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        # It is scaled in place, so it can be used once.
        grad, ctx.grad = ctx.grad, None
        create_graph = torch.is_grad_enabled()  # what backward was told
        if create_graph or not _is_plain(grad_output):
            input, *rest = ctx.saved_tensors
            with torch.enable_grad():
                loss = _by_torch(input, *rest, *ctx.options)
            (grad,) = torch.autograd.grad(
                loss, input, grad_output, create_graph=create_graph
            )
        elif grad is None:
            call = *ctx.saved_tensors, *ctx.options
            _, grad = _compute(*call, with_grad=True, grad_output=grad_output)
        elif grad_output.dim():
            grad.mul_(grad_output.unsqueeze(1))
        elif grad_output.device.type != "cpu" or grad_output.item() != 1:
            grad.mul_(grad_output)
        return grad, None, None, None, None, None


def _compute(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    smoothing: float,
    *,
    with_grad: bool,
    grad_output: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Return the loss, and its gradient times ``grad_output``, if that is asked for."""
    dtype = _result_dtype(input, target, weight)
    if weight is not None:
        weight = weight.detach().to(wide(input))
    ignored = None
    if target.is_floating_point():
        count: int | Tensor = target.numel() // target.shape[1]
    else:
        ignored = _ignored(target, input.shape[1], ignore_index)
        if ignored is not None:
            target = target.masked_fill(ignored, 0)
        target = target.unsqueeze(1)
        count = _count(target, ignored, weight)
    grad = None
    scale: float | Tensor = 1.0
    if with_grad:
        grad = torch.empty_like(input, memory_format=torch.contiguous_format)
        if reduction == "mean":
            scale = 1 / (count or 1 if isinstance(count, int) else count.to(wide(input)))
        if grad_output is not None:
            grad_output = grad_output.to(wide(input))
            scale = scale * (
                grad_output.unsqueeze(1) if grad_output.dim() else grad_output
            )
        if ignored is not None:
            scale = _as_tensor(scale, input).expand(target.shape)
            scale = scale.masked_fill(ignored.unsqueeze(1), 0)
    loss_of_rows = _of_probabilities if target.is_floating_point() else _of_classes
    loss = loss_of_rows(input, target, weight, smoothing, scale, grad)
    if ignored is not None:
        loss.masked_fill_(ignored, 0)
    if reduction != "none":
        loss = loss.sum()
    if reduction == "mean":
        loss = loss / count
    return loss.to(dtype), grad


def _of_classes(
    input: Tensor,
    index: Tensor,
    weight: Tensor | None,
    smoothing: float,
    scale: float | Tensor,
    grad: Tensor | None,
) -> Tensor:
    """Return the loss of each row, and write its gradient times ``scale``.

    With ``alpha`` for the true class and ``beta`` for every class, the loss is
    alpha (-log p_y) + sum_k beta_k (-log p_k), and its gradient with respect to z is
    (alpha + sum_k beta_k) p - alpha delta - beta.
    """
    beta = smoothing / input.shape[1]
    alpha: float | Tensor = 1 - smoothing
    beta_sum: float | Tensor = smoothing
    if weight is not None:
        alpha, beta_sum = alpha * weight[index], beta * weight.sum()
    times_p = (alpha + beta_sum) * scale
    at_true, at_every = (_as_tensor(-x * scale, input) for x in (alpha, beta))
    # On a CPU p is enough: one number of it gives the loss of a row, see _from_probs.
    probs_suffice = grad is not None and grad.device.type == "cpu"
    picked, sums, true_logits = [], [], []
    for chunk, z, p in _chunks(input, grad):
        y = index[chunk]
        (torch.softmax if probs_suffice else torch.log_softmax)(z, 1, out=p)
        picked.append(p.gather(1, y))
        if smoothing:
            sums.append(_class_sum(z if probs_suffice else p, weight))
            if probs_suffice:
                true_logits.append(z.gather(1, y))
        if grad is None:
            continue
        if not probs_suffice:
            p.exp_()
        if isinstance(times_p, float):
            torch.add(at_every, p, alpha=times_p, out=p)
        elif weight is None:
            torch.addcmul(_cut(at_every, chunk), p, _cut(times_p, chunk), out=p)
        else:
            p.mul_(_cut(times_p, chunk))
            p.addcmul_(_cut(at_every, chunk), _along_classes(weight, p))
        p.scatter_add_(1, y, _cut(at_true, chunk).expand(y.shape))
    at_y, class_sums = torch.cat(picked), torch.cat(sums) if smoothing else None
    if probs_suffice:
        of_logits = None if class_sums is None else (class_sums, torch.cat(true_logits))
        nll, uniform = _from_probs(input, index, weight, beta, beta_sum, at_y, of_logits)
    else:
        nll, uniform = -at_y, None if class_sums is None else -beta * class_sums
    # 0 * inf is nan: without smoothing a logit of -inf must not reach the sum.
    loss = alpha * nll if uniform is None else alpha * nll + uniform
    return loss.squeeze(1)


def _from_probs(
    input: Tensor,
    index: Tensor,
    weight: Tensor | None,
    beta: float,
    beta_sum: float | Tensor,
    true_probs: Tensor,
    of_logits: tuple[Tensor, Tensor] | None,
) -> tuple[Tensor, Tensor | None]:
    """Return -log p_y and sum_k beta_k (-log p_k), given p_y, and the sum of z and z_y.

    The latter follows from log sum_k exp z_k = z_y - log p_y.
    """
    log_p, uniform, limits = true_probs.log(), None, torch.finfo(true_probs.dtype)
    # Digits are lost if p_y underflows, or if the logits are far from zero. A comparison
    # with nan is false, so a row of nan is not precise, nor is one whose sum overflows.
    precise = true_probs > limits.tiny / limits.eps
    if of_logits is not None:
        sums, true_logit = of_logits
        uniform = (true_logit - log_p).mul_(beta_sum).sub_(sums, alpha=beta)
        precise &= sums.abs_().mul_(beta / 64) < uniform
    nll = log_p.neg_()
    if precise.all():
        return nll, uniform
    rows = (~precise.squeeze(1)).nonzero()
    step = max(1, CHUNK // input.shape[1])
    for start in range(0, len(rows), step):
        at = rows[start : start + step].unbind(1)
        log_probs = input.movedim(1, -1)[at].to(true_probs.dtype).log_softmax(1)
        y = index.movedim(1, -1)[at]
        nll.movedim(1, -1)[at] = -log_probs.gather(1, y)
        if uniform is not None:
            uniform.movedim(1, -1)[at] = -beta * _class_sum(log_probs, weight)
    return nll, uniform


def _of_probabilities(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    smoothing: float,
    scale: float | Tensor,
    grad: Tensor | None,
) -> Tensor:
    """Return the loss of each row, and write its gradient times ``scale``."""
    losses, scale = [], _as_tensor(scale, input)
    for chunk, z, p in _chunks(input, grad):
        q = (1 - smoothing) * target[chunk].to(p.dtype) + smoothing / z.shape[1]
        if weight is not None:
            q *= _along_classes(weight, z)
        torch.log_softmax(z, 1, out=p)
        losses.append(-(q * p).sum(1))
        if grad is not None:
            p.exp_().mul_(q.sum(1, keepdim=True)).sub_(q).mul_(_cut(scale, chunk))
    return torch.cat(losses)


def _chunks(input: Tensor, grad: Tensor | None) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield slices of rows, their logits, and room for p: the gradient, if it is wide."""
    dtype = wide(input)
    rows = max(1, CHUNK * len(input) // max(1, input.numel()))
    workspace = grad if grad is not None and grad.dtype == dtype else None
    if workspace is None:
        size = min(rows, len(input)), *input.shape[1:]
        buffer = torch.empty(size, dtype=dtype, device=input.device)
    for start in range(0, max(1, len(input)), rows):
        chunk = slice(start, start + rows)
        z = input[chunk].to(dtype)
        if workspace is not None:
            yield chunk, z, workspace[chunk]
            continue
        yield chunk, z, buffer[: len(z)]
        if grad is not None:
            grad[chunk] = buffer[: len(z)]


def _as_tensor(values: float | Tensor, input: Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=wide(input), device=input.device)


def _cut(values: Tensor, chunk: slice) -> Tensor:
    return values[chunk] if values.dim() else values


def _class_sum(values: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return values.sum(1, keepdim=True)
    return torch.einsum("nk...,k->n...", values, weight).unsqueeze(1)


def _along_classes(weight: Tensor, values: Tensor) -> Tensor:
    return weight.reshape(-1, *[1] * (values.dim() - 2))


def _count(index: Tensor, ignored: Tensor | None, weight: Tensor | None) -> Tensor | int:
    """Return what the mean divides by."""
    if weight is None:
        return index.numel() if ignored is None else (~ignored).sum()
    weights = weight[index.squeeze(1)]
    total = (weights if ignored is None else weights.masked_fill(ignored, 0)).sum()
    return total.where(total != 0, torch.nan)  # in PyTorch one of the two means is 0/0


def _ignored(target: Tensor, num_classes: int, ignore_index: int) -> Tensor | None:
    """Return which targets are ignored, if any can be; check the others."""
    if can_be_read(target):
        if target.numel() == 0:
            return None
        low, high = (int(value) for value in target.aminmax())
        if 0 <= low <= high < num_classes and not low <= ignore_index <= high:
            return None
    check_classes(target, num_classes, ignore_index, IndexError)
    return target == ignore_index


def _is_plain(tensor: Tensor) -> bool:
    return (
        has_values(tensor)
        and not torch._C._functorch.is_legacy_batchedtensor(tensor)  # is_grads_batched
        and forward_ad.unpack_dual(tensor).tangent is None  # type: ignore[no-untyped-call]
    )


def _result_dtype(input: Tensor, target: Tensor, weight: Tensor | None) -> torch.dtype:
    dtype = result_dtype(input)
    if target.is_floating_point():
        dtype = torch.promote_types(dtype, target.dtype)
        if weight is not None:
            dtype = torch.promote_types(dtype, weight.dtype)
    return dtype


def _check_options(ignore_index: int, reduction: str, label_smoothing: float) -> None:
    check_options(
        label_smoothing, reduction, ignore_index, name="label_smoothing", may_be_one=True
    )


def _check_tensors(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int
) -> None:
    dim = check_logits(input, "input")
    check_weight(weight, input.shape[dim], may_learn=True)
    if not isinstance(target, Tensor):
        raise TypeError(f"target must be a tensor, got {kind(target)}")
    if target.is_floating_point():
        if target.shape != input.shape:
            raise ValueError(
                f"target must hold probabilities in the shape {tuple(input.shape)} of "
                f"input, got shape {tuple(target.shape)}"
            )
        if ignore_index >= 0:
            raise ValueError(
                f"ignore_index needs class indices as target, got ignore_index="
                f"{ignore_index} and probabilities"
            )
        return
    if target.dtype not in (torch.int64, torch.uint8):
        raise TypeError(
            f"target must hold class indices of dtype torch.int64 or torch.uint8, or "
            f"floating-point probabilities, got {target.dtype}"
        )
    check_target_shape(target, input, dim, "input")
