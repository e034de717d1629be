"""Both losses: against the formula in plain Python, and against torch."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from label_smoothing import LabelSmoothingLoss
from label_smoothing.example import logits as LOGITS
from label_smoothing.example import target as TARGET

from .inputs import (
    REDUCTIONS,
    SHAPES,
    TOLERANCE,
    both,
    labelled_logits,
    random_call,
    smoothings,
)


def neg_log_softmax(row: list[float]) -> list[float]:
    top = max(row)
    log_sum = top + math.log(math.fsum(math.exp(z - top) for z in row))
    return [log_sum - z for z in row]


def reference(
    logits: Tensor,
    target: Tensor,
    smoothing: float,
    reduction: str,
    ignore_index: int = -100,
    weight: Tensor | None = None,
) -> Tensor:
    """The formula in float64, cell by cell, without a function of torch."""
    num_classes = logits.shape[min(target.dim(), 1)]
    nlls, uniforms, weights, counts = [], [], [], []
    for cell in itertools.product(*map(range, target.shape)):
        n, rest = cell[:1], cell[1:]
        y = int(target[cell])
        nll = uniform = w = 0.0
        if y != ignore_index:
            costs = neg_log_softmax(
                [float(logits[(*n, k, *rest)]) for k in range(num_classes)]
            )
            w = 1.0 if weight is None else float(weight[y])
            nll = w * costs[y]
            uniform = sum(costs) / num_classes
        nlls.append(nll)
        uniforms.append(uniform)
        weights.append(w)
        counts.append(y != ignore_index)
    if reduction == "none":
        pairs = zip(nlls, uniforms, strict=True)
        losses = [(1 - smoothing) * nll + smoothing * uniform for nll, uniform in pairs]
        return torch.tensor(losses, dtype=torch.float64).reshape(target.shape)
    nll, uniform = sum(nlls), sum(uniforms)
    if reduction == "mean":
        nll = nll / sum(weights) if sum(weights) else math.nan
        uniform = uniform / sum(counts) if sum(counts) else math.nan
    loss = (1 - smoothing) * nll + smoothing * uniform
    return torch.tensor(loss, dtype=torch.float64)


reductions = st.sampled_from(REDUCTIONS)
dtypes = st.sampled_from(list(TOLERANCE))


@st.composite
def weights(draw: st.DrawFn, num_classes: int) -> Tensor:
    quarters = st.integers(0, 8).map(lambda n: n / 4)  # exact in every dtype
    values = draw(st.lists(quarters, min_size=num_classes, max_size=num_classes))
    return torch.tensor(values, dtype=draw(dtypes))


# --- values


@both
@given(call=labelled_logits(), smoothing=smoothings, reduction=reductions, dtype=dtypes)
def test_loss_is_the_formula(
    cls: type[nn.Module],
    call: tuple[Tensor, Tensor, int],
    smoothing: float,
    reduction: str,
    dtype: torch.dtype,
) -> None:
    logits, target, ignore_index = call
    logits = logits.to(dtype)
    expected = reference(logits, target, smoothing, reduction, ignore_index)
    loss = cls(smoothing, reduction, ignore_index=ignore_index)(logits, target)
    assert loss.dtype == dtype
    assert_close(loss.double(), expected, equal_nan=True, **TOLERANCE[dtype])


@given(
    call=labelled_logits(),
    smoothing=smoothings,
    reduction=reductions,
    dtype=dtypes,
    data=st.data(),
)
def test_weight_rescales_the_first_term_only(
    call: tuple[Tensor, Tensor, int],
    smoothing: float,
    reduction: str,
    dtype: torch.dtype,
    data: st.DataObject,
) -> None:
    logits, target, ignore_index = call
    logits = logits.to(dtype)
    weight = data.draw(weights(logits.shape[min(target.dim(), 1)]))
    expected = reference(logits, target, smoothing, reduction, ignore_index, weight)
    loss = LabelSmoothingLoss(smoothing, reduction, weight, ignore_index)(logits, target)
    assert loss.dtype == dtype
    assert_close(loss.double(), expected, equal_nan=True, **TOLERANCE[dtype])


@both
@given(call=labelled_logits(), smoothing=smoothings, reduction=reductions)
def test_unweighted_loss_is_the_one_of_torch(
    cls: type[nn.Module],
    call: tuple[Tensor, Tensor, int],
    smoothing: float,
    reduction: str,
) -> None:
    logits, target, ignore_index = call
    expected = F.cross_entropy(
        logits,
        target,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=smoothing,
    )
    loss = cls(smoothing, reduction, ignore_index=ignore_index)(logits, target)
    assert_close(loss, expected, equal_nan=True, **TOLERANCE[torch.float64])


def test_torch_weighs_both_terms() -> None:
    logits, target, _ = random_call((7,))
    weight = torch.tensor([1.0, 2, 3, 4, 5], dtype=torch.float64)
    total = count = 0.0
    for n, y in enumerate(target.tolist()):
        if y == -100:
            continue
        costs = neg_log_softmax(logits[n].tolist())
        uniform = sum(w * cost for w, cost in zip(weight.tolist(), costs, strict=True))
        total += 0.7 * float(weight[y]) * costs[y] + 0.3 * uniform / 5
        count += float(weight[y])
    loss = F.cross_entropy(logits, target, weight, label_smoothing=0.3)
    assert float(loss) == pytest.approx(total / count, rel=1e-13)


@both
@pytest.mark.parametrize("smoothing", [0, 0.3])
@pytest.mark.parametrize("shape", SHAPES)
def test_all_targets_ignored(
    cls: type[nn.Module], shape: tuple[int, ...], smoothing: float
) -> None:
    logits, target, _ = random_call(shape)
    target = torch.full_like(target, -100)
    assert cls(smoothing, "mean")(logits, target).isnan()
    assert cls(smoothing, "sum")(logits, target) == 0
    none = cls(smoothing, "none")(logits, target)
    assert torch.equal(none, torch.zeros(shape, dtype=torch.float64))


@both
@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (0, 3, 2), (2, 3, 0)])
def test_empty_batch(cls: type[nn.Module], shape: tuple[int, ...]) -> None:
    logits = torch.zeros(*shape[:1], 3, *shape[1:])
    target = torch.zeros(shape, dtype=torch.long)
    assert cls(0.1, "mean")(logits, target).isnan()
    assert cls(0.1, "sum")(logits, target) == 0
    assert cls(0.1, "none")(logits, target).shape == shape


@both
def test_one_class_costs_nothing(cls: type[nn.Module]) -> None:
    loss = cls(0.1, "none")(torch.tensor([[3.0], [-7.0]]), torch.tensor([0, 0]))
    assert torch.equal(loss, torch.zeros(2))


@both
def test_large_logits_do_not_overflow(cls: type[nn.Module]) -> None:
    logits = torch.tensor([[1e4, 0.0, -1e4]], dtype=torch.float64)
    loss = cls(0.3)(logits, torch.tensor([1]))
    assert_close(loss, reference(logits, torch.tensor([1]), 0.3, "mean"))


@both
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf])
def test_logits_of_an_ignored_row_do_not_matter(
    cls: type[nn.Module], reduction: str, garbage: float
) -> None:
    logits, target, _ = random_call((4,))
    criterion = cls(0.3, reduction)
    expected = criterion(logits, target)
    logits[-1, 2] = garbage
    assert torch.equal(criterion(logits, target), expected)


@both
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("smoothing", "expected"), [(0, 0.3133), (0.1, math.inf)])
def test_logit_of_minus_infinity(
    cls: type[nn.Module], reduction: str, smoothing: float, expected: float
) -> None:
    logits = torch.tensor([[0.0, -math.inf, 1.0]])
    target = torch.tensor([2])
    loss = cls(smoothing, reduction)(logits, target)
    torch_loss = F.cross_entropy(
        logits, target, reduction=reduction, label_smoothing=smoothing
    )
    assert loss.item() == pytest.approx(expected, abs=5e-5)
    assert_close(loss, torch_loss)


@both
def test_true_class_at_minus_infinity_costs_infinity(cls: type[nn.Module]) -> None:
    logits = torch.tensor([[0.0, -math.inf, 1.0]])
    for smoothing in (0, 0.1):
        assert cls(smoothing)(logits, torch.tensor([1])).item() == math.inf


@both
def test_inputs_are_left_alone(cls: type[nn.Module]) -> None:
    logits, target, _ = random_call((2, 3))
    before = logits.clone(), target.clone()
    cls(0.1)(logits, target)
    assert torch.equal(logits, before[0])
    assert torch.equal(target, before[1])


# --- half precision


@both
def test_half_precision_does_not_overflow(cls: type[nn.Module]) -> None:
    logits = torch.zeros(10, 1000).half()
    target = torch.zeros(10, dtype=torch.long)
    assert repr(cls(0.1)(logits, target)) == "tensor(6.9062, dtype=torch.float16)"
    # Once this line fails, torch sums in float32 too, and the docs need a new reason.
    assert F.cross_entropy(logits, target, label_smoothing=0.1).item() == math.inf


def test_weight_is_not_rounded_to_half_precision() -> None:
    logits, weight = LOGITS.half(), torch.full((5,), 1e5)  # the greatest half is 65504
    loss = LabelSmoothingLoss(0.3, weight=weight)(logits, TARGET)
    assert loss == LabelSmoothingLoss(0.3)(logits, TARGET)


@both
@pytest.mark.parametrize("smoothing", [0, 0.1])
@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_autocast_gives_what_it_gives_in_torch(
    cls: type[nn.Module], dtype: torch.dtype, smoothing: float
) -> None:
    logits = LOGITS.to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        loss = cls(smoothing)(logits, TARGET)
        expected = F.cross_entropy(logits, TARGET, label_smoothing=smoothing)
    assert_close(loss, expected)  # the dtype too
