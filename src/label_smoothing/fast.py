r"""Cross entropy and its gradient in one pass over the logits: PyTorch's own, faster.

This file needs torch and ``losses.py``: copy the two together, into one package.

The gradient of the smoothed loss with respect to the logits is :math:`p - q'`. The loss
and its gradient both need :math:`p`, and :math:`p` is what takes time.
:func:`cross_entropy` writes :math:`p` into the memory of the gradient, computes the loss
from it, and turns it into :math:`p - q'` in place. It does so one chunk of rows at a
time, and a chunk fits into the cache.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import _reduction
from torch.overrides import handle_torch_function, has_torch_function

# Relative, since the two files are copied together.
from .losses import (
    REDUCTIONS,
    can_be_read,
    check_bits,
    check_classes,
    check_logits,
    check_options,
    check_target_shape,
    check_weight,
    is_watched,
    kind,
    result_dtype,
    wide,
)

FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
HALFS = (torch.bfloat16, torch.float16)
CHUNK = 2**20  # logits: with their gradient 8 MiB in float32, which a cache can hold
SMALL = 2**15  # logits: of fewer, PyTorch's own loss takes less time
FAR = 16  # logits: of sums of larger ones too many digits are lost
FEW = 32  # classes: of fewer, the softmax of PyTorch takes more time than its parts


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
        One weight :math:`w_k` per class, shape (K,), floating point. It can be learned
        with probabilities as target, as in PyTorch.
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
        do not fit, if probabilities come with an ``ignore_index``, or class indices with
        a ``weight`` that requires a gradient.
    IndexError
        If a class index is neither a class nor ``ignore_index``. It is looked for in
        plain tensors on the CPU only, and not where PyTorch compiles, traces or
        transforms the call: on a GPU the host would have to wait.

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
    - ``label_smoothing`` is any real number, such as a fraction, and ``ignore_index`` any
      integer: no tensor, and no array or bool of NumPy. PyTorch takes those, and no
      fraction.
    - For logits of shape (K,) a target of one dimension is refused. PyTorch takes it,
      where there is no smoothing.
    - There must be at least one class, even if there are no rows.
    - A target of torch.uint8 is compared with ``ignore_index`` as the number that it is,
      where PyTorch compares eight bits of the two.
    - ``weight`` may have any floating-point dtype, and no other; its shape is (K,).
      Probabilities are mixed in the dtype of the logits.
    - Errors say what was given, and may be of another type.

    **Where one pass is taken.** On the CPU, from some thirty thousand logits on; without
    a gradient from a million on, but in half precision. Everything else is PyTorch's own
    loss, on logits in float32 at least: smaller inputs, where a call costs more than its
    exponentials; other devices; gradients of probabilities or of weights; tensors of
    another class; and whatever PyTorch compiles, traces or transforms. A script of
    ``torch.jit.script`` has PyTorch's own loss as it is.

    **What is kept.** One pass computes the gradient along with the loss, and saves it for
    the backward pass: a tensor as large as the logits, which hooks of saved tensors see,
    and checkpoints give up. It does not save the logits. The backward pass scales it
    where it lies, if the graph is not kept. A second derivative is computed from it too,
    and in half precision is as precise as it is. Without a gradient to compute there is
    no such tensor.

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
    if torch.jit.is_scripting():  # type: ignore[attr-defined]
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
    if (
        # The most common of small calls is left to PyTorch before more is asked: each
        # question costs a hundredth of it.
        type(input) is type(target) is Tensor
        and weight is None
        and size_average is None
        and reduce is None
        and not torch.compiler.is_compiling()
        and torch._C._get_tracing_state() is None
        and target.dtype is torch.int64
        and input.dtype in FLOATS
        and 0 < input.numel() < SMALL
        and 0 < input.dim() < 3
        and target.shape == input.shape[: input.dim() - 1]
        and type(label_smoothing) is float
        and 0 <= label_smoothing <= 1
        and type(ignore_index) is int
        and abs(ignore_index) < 2**63
        and reduction in REDUCTIONS
    ):
        return _by_torch(input, target, None, ignore_index, reduction, label_smoothing)
    tensors = input, target, weight
    if has_torch_function(tensors):
        result: Tensor = handle_torch_function(
            cross_entropy,
            tensors,
            input,
            target,
            weight=weight,
            size_average=size_average,
            ignore_index=ignore_index,
            reduce=reduce,
            reduction=reduction,
            label_smoothing=label_smoothing,
        )
        return result
    if size_average is not None or reduce is not None:
        reduction = _reduction.legacy_get_string(size_average, reduce)
    check_options(
        label_smoothing, reduction, ignore_index, name="label_smoothing", may_be_one=True
    )
    _check_tensors(input, target, weight, ignore_index)
    if target.dtype == torch.uint8:
        target = target.long()  # -100 is 156 in eight bits
    options = weight, ignore_index, reduction, float(label_smoothing)
    if not _takes_one_pass(input, target, weight):
        return _by_torch(input, target, *options)
    single = input.dim() == 1
    if single:
        if not target.is_floating_point():
            check_classes(target, len(input), ignore_index)
        input, target = input.unsqueeze(0), target.unsqueeze(0)
    if input.requires_grad and torch.is_grad_enabled():
        loss: Tensor = _OnePass.apply(input, target, *options)[0]  # type: ignore[no-untyped-call]
    else:
        loss = _compute(input, target, *options, with_grad=False)[0]
    return loss.squeeze(0) if single and reduction == "none" else loss


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
        check_options(
            label_smoothing,
            reduction,
            ignore_index,
            name="label_smoothing",
            may_be_one=True,
        )
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


def _takes_one_pass(input: Tensor, target: Tensor, weight: Tensor | None) -> bool:
    """Say whether it takes less time, and nothing but autograd asks how it is done."""
    tensors = (input, target) if weight is None else (input, target, weight)
    if is_watched() or not all(map(can_be_read, tensors)):
        return False
    with_grad = torch.is_grad_enabled()
    if with_grad and any(tensor.requires_grad for tensor in tensors[1:]):
        return False
    for tensor in tensors:
        if forward_ad.unpack_dual(tensor).tangent is not None:  # type: ignore[no-untyped-call]
            return False
    with_grad = with_grad and input.requires_grad
    least = SMALL if with_grad or input.dtype in HALFS else CHUNK
    return input.numel() >= max(1, least)


def _by_torch(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    smoothing: float,
) -> Tensor:
    """Compute it with PyTorch's own loss, which PyTorch can derive, map and compile."""
    dtype = torch.float32 if input.dtype in HALFS else input.dtype
    probs = target.is_floating_point()
    try:
        loss = F.cross_entropy(
            input if input.dtype is dtype else input.to(dtype),
            target.to(dtype) if probs else target,
            None if weight is None else weight.to(dtype),
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=smoothing,
        )
    except IndexError:  # PyTorch does not say where
        check_classes(target, input.shape[min(1, input.dim() - 1)], ignore_index)
        raise
    if probs:
        return loss.to(_result_dtype(input, target, weight))
    return loss if input.dtype is dtype else loss.to(result_dtype(input))


class _OnePass(torch.autograd.Function):
    """The loss; and p - q' with it, which is saved, and from which all else follows."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, *call: Any) -> tuple[Tensor, Tensor]:
        target, weight, *options = call
        loss, grad, ctx.stored, ctx.unit = _compute(input, *call, with_grad=True)
        assert grad is not None
        # What a hook of saved tensors returns may be its own.
        hooks = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", None)
        ctx.shared = hooks is not None and hooks(True) is not None
        ctx.place = grad.data_ptr()
        ctx.options = options
        ctx.set_materialize_grads(False)
        # Only an output can be saved and still be known as a function of the input, and
        # that is what a second derivative needs.
        ctx.save_for_backward(grad, target, weight)
        return loss, grad

    @staticmethod
    def backward(
        ctx: Any, outer: Tensor | None, outer_of_grad: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        grad, target, weight = ctx.saved_tensors
        result = None
        if outer_of_grad is not None:
            ignore_index, _, smoothing = ctx.options
            row = target, weight, ignore_index, smoothing
            result = _derivative(grad, outer_of_grad, ctx.stored, *row)
        if outer is not None:
            # What is kept for another backward pass must stay as it is.
            if torch.is_grad_enabled() or (
                can_be_read(grad) and grad.data_ptr() != ctx.place
            ):
                ctx.shared = True
            scaled = _scale(grad, outer, ctx.unit, may_overwrite=not ctx.shared)
            result = scaled if result is None else result + scaled
        return result, None, None, None, None, None


def _scale(grad: Tensor, outer: Tensor, unit: float, *, may_overwrite: bool) -> Tensor:
    """Return the gradient times a number, or a number a row; in place, if that may be."""
    dtype = wide(grad)
    scale = outer.to(dtype)
    if unit != 1:
        scale = scale * unit
    if (
        torch.is_grad_enabled()
        or not can_be_read(outer)
        or torch._C._functorch.is_legacy_batchedtensor(outer)  # is_grads_batched
        or forward_ad.unpack_dual(outer).tangent is not None  # type: ignore[no-untyped-call]
    ):
        scale = scale.unsqueeze(1) if scale.dim() else scale
        return (grad.to(dtype) * scale).to(grad.dtype)
    grad, order = grad.detach(), _order(grad)
    result = grad
    kept = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True)
    if not may_overwrite or kept() or not grad.permute(order).is_contiguous():
        result = torch.empty_permuted(
            grad.shape, order, dtype=grad.dtype, device=grad.device
        )
    if not scale.dim():
        if result is grad and scale.item() == 1:
            return grad
        return torch.mul(grad, scale.item(), out=result)
    if grad.dtype == dtype:
        return torch.mul(grad, scale.unsqueeze(1), out=result)
    rows, results = _fold(grad, order), _fold(result, order)
    scale = scale.reshape(len(rows), 1, *rows.shape[2:])
    for at in _chunks(rows.shape, CHUNK):
        results[at] = rows[at].to(dtype) * scale[at]
    return result


def _derivative(
    grad: Tensor,
    outer: Tensor,
    stored: float,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    smoothing: float,
) -> Tensor:
    """Return the derivative of the gradient, times ``outer``, from the gradient alone.

    A row of the gradient is c p - a, with a for the weighted target and c for its sum.
    The derivative of p is diag(p) - p p^T, and c p is the gradient plus a.
    """
    dtype, shape = wide(grad), grad.shape
    outer = outer.to(dtype) * stored
    weights = grad.new_ones(shape[1], dtype=dtype) if weight is None else weight.to(dtype)
    weights = weights.reshape(-1, *[1] * (grad.dim() - 2))
    ignored = None
    if target.is_floating_point():
        a = target.to(dtype) * (1 - smoothing)
    else:
        ignored = (target == ignore_index).unsqueeze(1)
        index = target.unsqueeze(1).masked_fill(ignored, 0)
        a = grad.new_zeros(shape, dtype=dtype).scatter(1, index, 1 - smoothing)
    a = (a + smoothing / shape[1]) * weights
    cp = grad.to(dtype) / stored + a
    c = a.sum(1, keepdim=True)
    p = cp / c.masked_fill(c == 0, 1)
    result = cp * outer - p * (cp * outer).sum(1, keepdim=True)
    if ignored is not None:
        result = result.masked_fill(ignored, 0)
    return result.to(grad.dtype)


def _compute(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    smoothing: float,
    *,
    with_grad: bool,
) -> tuple[Tensor, Tensor | None, float, float]:
    """Return the loss, its gradient times a number, that number, and what is missing.

    The gradient lacks a factor in float16 only: divided by the number of rows before it
    is scaled, it may leave the range of that dtype.
    """
    dtype, order = wide(input), _order(input)
    dtype_of_loss = _result_dtype(input, target, weight)
    logits = _fold(input, order)
    if weight is not None:
        weight = weight.detach().to(dtype)
    some_ignored = False
    if target.is_floating_point():
        targets = _fold(target, order)
        count = logits.numel() / logits.shape[1]
    else:
        targets = target.reshape(len(logits), 1, *logits.shape[2:])
        count, some_ignored = _count(target, input.shape[1], ignore_index, weight)
    mean = 1.0
    if reduction == "mean":
        # With nothing to average the loss is nan, as in PyTorch; the gradient is not,
        # but of weights that add up to zero.
        mean = 1 / count if count else 0.0 if weight is None else math.nan
    stored, missing = mean, 1.0
    if input.dtype == torch.float16 and with_grad:
        bound = _bound(targets, weight, smoothing, input.shape[1])
        if 0 < bound < math.inf and not math.isnan(mean):
            stored = 2**7 / bound
            missing = mean / stored
    grad = grads = None
    if with_grad:
        grad = torch.empty_permuted(
            input.shape, order, dtype=input.dtype, device=input.device
        )
        grads = _fold(grad, order)
    # What is worked on lies in the memory of the gradient, if that has room for it.
    direct = grads is not None and grads.dtype == dtype
    size = CHUNK if direct else min(CHUNK, max(CHUNK // 4, input.numel() // 2))
    of_rows: Callable[..., Tensor] = _of_classes
    needed = 0
    if target.is_floating_point():
        of_rows, needed = _of_probabilities, 2
        size = CHUNK // 4 if direct else size  # there are five tables, not two
    needed += not direct
    largest = min(input.numel(), max(size, input.shape[1]))
    rooms = input.new_empty((needed, largest), dtype=dtype)
    losses = []
    for at in _chunks(logits.shape, max(1, size)):
        x, t = logits[at], targets[at]
        places = [room[: x.numel()].view(x.shape) for room in rooms]
        out = grads[at] if grads is not None and direct else places.pop()
        ignored = t == ignore_index if some_ignored else None
        if ignored is not None:
            t = t.masked_fill(ignored, 0)
        loss = of_rows(
            x, t, weight, smoothing, stored if with_grad else None, out, *places
        )
        if ignored is not None:
            loss.masked_fill_(ignored, 0)
            if grads is not None:
                out.mul_(~ignored)  # masked_fill_ takes ten times as long
                if math.isnan(stored):
                    out.masked_fill_(ignored, 0)
        if grads is not None and not direct:
            grads[at] = out
        losses.append(loss.flatten() if reduction == "none" else loss.sum())
    if reduction == "none":
        result = torch.cat(losses).reshape(input.shape[:1] + input.shape[2:])
    else:
        result = torch.stack(losses).sum()
        if reduction == "mean":
            result = result / (count or math.nan)
    return result.to(dtype_of_loss), grad, stored, missing


def _of_classes(
    x: Tensor,
    y: Tensor,
    weight: Tensor | None,
    smoothing: float,
    scale: float | None,
    out: Tensor,
) -> Tensor:
    """Return the loss of each row, and write its gradient times ``scale``.

    With ``alpha`` for the true class and ``beta`` for every class, the loss is
    alpha (-log p_y) + sum_k beta_k (-log p_k), and its gradient with respect to z is
    (alpha + sum_k beta_k) p - alpha delta - beta.
    """
    z = x if x.dtype == out.dtype else out.copy_(x)
    beta = smoothing / z.shape[1]
    alpha: float | Tensor = 1 - smoothing
    beta_sum: float | Tensor = smoothing
    if weight is not None:
        alpha, beta_sum = alpha * weight[y], beta * weight.sum()
    if scale is None:
        log_p = torch.log_softmax(z, 1, out=out)
        nll = log_p.gather(1, y).mul_(-alpha)
        # 0 * inf is nan: without smoothing a logit of -inf must not reach the sum.
        return nll.sub_(_class_sum(log_p, weight), alpha=beta) if smoothing else nll
    # A class of no weight in the loss may have an infinite one: 0 * inf is nan.
    c = alpha + beta_sum if beta else alpha
    many = _many(z)
    loss = _read_off(z, y, weight, beta, beta_sum, c, out) if many else None
    if loss is None:
        room = None if many else out
        if many and z is out:  # p has been written over it
            z = room = x.to(out.dtype)
        below = torch.sub(z, z.amax(1, keepdim=True), out=room)
        at_y = below.gather(1, y)
        below_sum = _class_sum(below, weight) if beta else None
        if many:
            log_sum = out.amax(1, keepdim=True).log_().neg_()
        else:
            total = out.exp_().sum(1, keepdim=True)
            out.div_(total)
            log_sum = total.log_()
        loss = alpha * (log_sum - at_y)
        if below_sum is not None:
            loss += (beta_sum * log_sum).sub_(below_sum, alpha=beta)
    at_true = torch.as_tensor(-scale * alpha, dtype=z.dtype, device=z.device)
    if weight is None:
        at_every = torch.as_tensor(-scale * beta, dtype=z.dtype, device=z.device)
        torch.add(at_every, out, alpha=scale, out=out)
    else:
        out.mul_(scale * c)
        if beta:
            out.sub_(_along_classes(weight, out), alpha=scale * beta)
    out.scatter_add_(1, y, at_true.expand(y.shape))
    return loss


def _read_off(
    z: Tensor,
    y: Tensor,
    weight: Tensor | None,
    beta: float,
    beta_sum: float | Tensor,
    c: float | Tensor,
    out: Tensor,
) -> Tensor | None:
    """Write p, and return the loss of each row, read off p of the true class.

    Or nothing, where digits would be lost: where p underflows, and where the two terms
    are large and nearly the same. A row of nan too: nan is not less than anything.
    """
    limits = torch.finfo(z.dtype)
    precise = weight is None or weight.amin().item() >= 0  # else a sum may hide digits
    room = None if z is out else out
    sums = None
    if beta:
        values, z_y = z, z.gather(1, y)
        if z_y.abs().amax().item() > FAR:
            values, z_y = torch.sub(z, z_y, out=room), torch.zeros_like(z_y)
        sums = _class_sum(values, weight, room)
    p_y = torch.softmax(z, 1, out=out).gather(1, y)
    precise = precise and p_y.amin().item() > limits.tiny / limits.eps
    loss = nll = p_y.log_().mul_(-c)
    if sums is not None:
        # log sum_k exp z_k is z_y - log p_y.
        loss = torch.add(z_y.mul_(beta_sum), sums, alpha=-beta).add_(nll)
        lost = torch.add(nll, sums.abs_(), alpha=beta).sub_(loss, alpha=4)
        precise = precise and lost.amax().item() <= 0
    return loss if precise else None


def _of_probabilities(
    x: Tensor,
    q: Tensor,
    weight: Tensor | None,
    smoothing: float,
    scale: float | None,
    out: Tensor,
    mixed: Tensor,
    product: Tensor,
) -> Tensor:
    """Return the loss of each row, and write its gradient times ``scale``."""
    z = x if x.dtype == out.dtype else out.copy_(x)
    q = q if q.dtype == z.dtype else mixed.copy_(q)
    at_every = torch.as_tensor(smoothing / z.shape[1], dtype=z.dtype, device=z.device)
    q = torch.add(at_every, q, alpha=1 - smoothing, out=mixed)
    if weight is not None:
        q *= _along_classes(weight, z)
    log_p = torch.log_softmax(z, 1, out=product)
    if scale is not None:
        p = torch.softmax(z, 1, out=out) if _many(z) else torch.exp(log_p, out=out)
        torch.addcmul(q, p, q.sum(1, keepdim=True), value=-1, out=out).mul_(-scale)
    return log_p.mul_(q).sum(1, keepdim=True).neg_()


def _many(z: Tensor) -> bool:
    """Say whether PyTorch's softmax takes less time than its parts: on long rows."""
    return z.dim() == 2 and z.shape[1] >= FEW


def _order(input: Tensor) -> tuple[int, ...]:
    """Return the dimensions as they lie in memory: where the classes are, at least."""
    dims = tuple(range(input.dim()))
    if input.dim() == 2:
        return dims[::-1] if input.stride(0) < input.stride(1) else dims
    return (0, *dims[2:], 1) if input.stride(1) < input.stride(-1) else dims


def _fold(input: Tensor, order: tuple[int, ...]) -> Tensor:
    """Make rows of shape (N, K), or planes of shape (N, K, L): what lies in memory so."""
    if order == (0, 1):
        return input
    laid = input.permute(order)
    if order[-1] == 1:
        return laid.reshape(-1, input.shape[1])
    return laid.unsqueeze(0) if order[0] == 1 else laid.flatten(2)


def _chunks(shape: Sequence[int], size: int) -> Iterator[slice | tuple[slice, ...]]:
    """Yield what to take at a time of rows, or of planes: ``size`` numbers, or a row."""
    length = math.prod(shape[2:])
    rows = max(1, size // (shape[1] * length))
    columns = max(1, size // shape[1])
    for start in range(0, shape[0], rows):
        at = slice(start, start + rows)
        if columns >= length:
            yield at
            continue
        for first in range(0, length, columns):
            yield at, slice(None), slice(first, first + columns)


def _class_sum(
    values: Tensor, weight: Tensor | None, room: Tensor | None = None
) -> Tensor:
    if weight is not None:
        values = torch.mul(values, _along_classes(weight, values), out=room)
    return values.sum(1, keepdim=True)


def _along_classes(weight: Tensor, values: Tensor) -> Tensor:
    return weight.reshape(-1, *[1] * (values.dim() - 2))


def _count(
    target: Tensor, num_classes: int, ignore_index: int, weight: Tensor | None
) -> tuple[float, bool]:
    """Return what the mean divides by, and if any target is ignored; check the others."""
    low, high = (int(value) for value in target.aminmax())
    some_ignored = low <= ignore_index <= high
    if weight is None and 0 <= low <= high < num_classes and not some_ignored:
        return target.numel(), False
    count = 0.0
    rows = target.reshape(-1)
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        ignored = part == ignore_index
        if ((part < 0) | (part >= num_classes)).logical_and_(~ignored).any():
            check_classes(target, num_classes, ignore_index)
        if weight is None:
            count += len(part) - int(ignored.sum())
        else:
            of_part = weight[part.masked_fill(ignored, 0)].masked_fill_(ignored, 0)
            count += of_part.sum(dtype=torch.float64).item()
    return count, some_ignored


def _bound(
    targets: Tensor, weight: Tensor | None, smoothing: float, num_classes: int
) -> float:
    """Return how large a gradient can be, before it is scaled."""
    of_classes = not targets.is_floating_point()
    if of_classes and weight is None:
        return 1.0
    largest = 0.0
    for at in _chunks(targets.shape, CHUNK):
        t = targets[at]
        if of_classes and weight is not None:
            rows = weight[t.clamp(0, num_classes - 1)].abs_()
        else:
            rows = t.float().abs_()
            rows = _class_sum(rows, None if weight is None else weight.abs())
        largest = max(largest, float(rows.max()))
    if not smoothing:
        return largest
    every = 1.0 if weight is None else float(weight.abs().sum()) / num_classes
    return (1 - smoothing) * largest + smoothing * every


def _result_dtype(input: Tensor, target: Tensor, weight: Tensor | None) -> torch.dtype:
    dtype = result_dtype(input)
    if target.is_floating_point():
        dtype = torch.promote_types(dtype, target.dtype)
        if weight is not None:
            dtype = torch.promote_types(dtype, weight.dtype)
    return dtype


def _check_tensors(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int
) -> None:
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return  # the trace would depend on what is asked
    dim = check_logits(input, "input")
    if not isinstance(target, Tensor):
        raise TypeError(f"target must be a tensor, got {kind(target)}")
    may_learn = target.is_floating_point() or not torch.is_grad_enabled()
    check_weight(weight, input.shape[dim], may_learn=may_learn)
    if target.is_floating_point():
        check_bits(target, "target")
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
