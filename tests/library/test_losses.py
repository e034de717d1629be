"""Both losses: against the formula in plain Python, against torch, and their errors."""

import copy
import itertools
import math
import pickle
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.testing import assert_close

from label_smoothing import LabelSmoothing, LabelSmoothingLoss, smooth
from label_smoothing.example import logits as LOGITS
from label_smoothing.example import target as TARGET

REDUCTIONS = ("none", "mean", "sum")
SHAPES = ((), (4,), (2, 3), (2, 3, 2))  # of the target
TOLERANCE = {
    torch.float64: {"rtol": 1e-13, "atol": 1e-13},
    torch.float32: {"rtol": 2e-6, "atol": 1e-5},
    # All is computed in float32, and the result is rounded once.
    torch.bfloat16: {"rtol": 2.0**-8 * 1.01, "atol": 1e-5},
    torch.float16: {"rtol": 2.0**-11 * 1.01, "atol": 1e-5},
}

both = pytest.mark.parametrize("cls", [LabelSmoothing, LabelSmoothingLoss])
Call = tuple[Tensor, Tensor, int]


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


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


def random_call(shape: tuple[int, ...], num_classes: int = 5, seed: int = 0) -> Call:
    """Logits in float64 and a target whose last cell, of several, is ignored."""
    rng = torch.Generator().manual_seed(seed)
    size = (*shape[:1], num_classes, *shape[1:])
    logits = 4 * torch.randn(size, generator=rng, dtype=torch.float64)
    target = torch.randint(num_classes, shape, generator=rng)
    if shape:
        target.view(-1)[-1] = -100
    return logits, target, -100


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """Logits in float64, a target, and the ignore_index, which may be a class."""
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    num_classes = draw(st.integers(1, 6))
    rng = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    size = (*shape[:1], num_classes, *shape[1:])
    logits = 4 * torch.randn(size, generator=rng, dtype=torch.float64)
    target = torch.randint(num_classes, shape, generator=rng)
    ignore_index = draw(st.sampled_from((-100, *range(num_classes))))
    ignored = torch.rand(shape, generator=rng) < draw(st.sampled_from((0, 0.3, 1)))
    return logits, target.masked_fill(ignored, ignore_index), ignore_index


smoothings = st.sampled_from((0, 0.1, 0.3)) | st.floats(0, 1, exclude_max=True)
reductions = st.sampled_from(REDUCTIONS)
dtypes = st.sampled_from(list(TOLERANCE))


@st.composite
def weights(draw: st.DrawFn, num_classes: int) -> Tensor:
    quarters = st.integers(0, 8).map(lambda n: n / 4)  # exact in every dtype
    values = draw(st.lists(quarters, min_size=num_classes, max_size=num_classes))
    return torch.tensor(values, dtype=draw(dtypes))


# --- values


@both
@given(call=calls(), smoothing=smoothings, reduction=reductions, dtype=dtypes)
def test_loss_is_the_formula(
    cls: type[nn.Module],
    call: Call,
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
    call=calls(), smoothing=smoothings, reduction=reductions, dtype=dtypes, data=st.data()
)
def test_weight_rescales_the_first_term_only(
    call: Call,
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
@given(call=calls(), smoothing=smoothings, reduction=reductions)
def test_unweighted_loss_is_the_one_of_torch(
    cls: type[nn.Module], call: Call, smoothing: float, reduction: str
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
    logits, target, ignore_index = random_call(shape)
    target = torch.full_like(target, ignore_index)
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


# --- printed numbers


SEED_EXAMPLE = [
    ("mean", "tensor(1.3883)"),
    ("sum", "tensor(4.1649)"),
    ("none", "tensor([1.2969, 1.3862, 1.4818])"),
]


@both
@pytest.mark.parametrize(("reduction", "printed"), SEED_EXAMPLE)
def test_seed_example(cls: type[nn.Module], reduction: str, printed: str) -> None:
    assert repr(cls(0.3, reduction)(LOGITS, TARGET)) == printed


@pytest.mark.parametrize(("reduction", "printed"), SEED_EXAMPLE)
def test_seed_example_in_torch(reduction: str, printed: str) -> None:
    loss = F.cross_entropy(LOGITS, TARGET, reduction=reduction, label_smoothing=0.3)
    assert repr(loss) == printed


@pytest.mark.parametrize(
    ("reduction", "ours", "theirs"),
    [
        ("mean", "tensor(1.3576)", "tensor(1.5882)"),
        ("sum", "tensor(6.6485)", "tensor(9.5290)"),
        ("none", "tensor([2.9026, 2.2641, 1.4818])", "tensor([3.8968, 3.2026, 2.4296])"),
    ],
)
def test_weighted_seed_example(reduction: str, ours: str, theirs: str) -> None:
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    loss = LabelSmoothingLoss(0.3, reduction, weight)(LOGITS, TARGET)
    torch_loss = F.cross_entropy(
        LOGITS, TARGET, weight, reduction=reduction, label_smoothing=0.3
    )
    assert repr(loss) == ours
    assert repr(torch_loss) == theirs


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


# --- gradients


@both
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0, 0.3])
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_gradients_are_those_of_the_loss(
    cls: type[nn.Module], shape: tuple[int, ...], smoothing: float, reduction: str
) -> None:
    logits, target, _ = random_call(shape, num_classes=3)
    logits.requires_grad_()
    criterion = cls(smoothing, reduction)
    assert torch.autograd.gradcheck(lambda z: criterion(z, target), (logits,))
    assert torch.autograd.gradgradcheck(lambda z: criterion(z, target), (logits,))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gradients_with_weight(reduction: str) -> None:
    logits, target, _ = random_call((3,), num_classes=3)
    logits.requires_grad_()
    criterion = LabelSmoothingLoss(0.3, reduction, torch.tensor([1.0, 0.5, 2.0]))
    assert torch.autograd.gradcheck(lambda z: criterion(z, target), (logits,))
    assert torch.autograd.gradgradcheck(lambda z: criterion(z, target), (logits,))


@both
def test_gradient_is_probability_minus_smoothed_target(cls: type[nn.Module]) -> None:
    logits, _, _ = random_call((4,))
    target = torch.tensor([0, 1, 2, 2])
    logits.requires_grad_()
    cls(0.3)(logits, target).backward()
    prior = torch.full((5,), 1 / 5, dtype=torch.float64)
    expected = (logits.softmax(1) - smooth(target, 5, 0.3, prior)) / 4
    assert_close(logits.grad, expected, **TOLERANCE[torch.float64])


@both
def test_ignored_row_has_no_gradient(cls: type[nn.Module]) -> None:
    logits, target, _ = random_call((4,))
    logits.requires_grad_()
    cls(0.3)(logits, target).backward()
    assert logits.grad is not None
    assert logits.grad.count_nonzero(dim=1).tolist() == [5, 5, 5, 0]


@both
@pytest.mark.parametrize(
    "view", [lambda x: x.t(), lambda x: x[0].expand(7, 5), lambda x: x[:, ::2].t()]
)
def test_logits_may_be_any_view(
    cls: type[nn.Module], view: Callable[[Tensor], Tensor]
) -> None:
    base, _, _ = random_call((5,), num_classes=5)
    base.requires_grad_()
    logits = view(base)
    target = torch.arange(len(logits)) % 5
    plain = logits.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
    loss, expected = cls(0.3)(logits, target), cls(0.3)(plain, target)
    assert_close(loss, expected, **TOLERANCE[torch.float64])
    (grad,) = torch.autograd.grad(loss, base)
    expected.backward()
    (expected_grad,) = torch.autograd.grad(logits, base, plain.grad)
    assert_close(grad, expected_grad, **TOLERANCE[torch.float64])


# --- options of other types


@both
@pytest.mark.parametrize(
    "smoothing", [Fraction(3, 10), np.float64(0.3), np.float32(0.3), np.float16(0.3)]
)
def test_smoothing_may_be_any_real_number(cls: type[nn.Module], smoothing: Any) -> None:
    expected = cls(float(smoothing))(LOGITS, TARGET)
    assert torch.equal(cls(smoothing)(LOGITS, TARGET), expected)
    criterion = cls()
    criterion.smoothing = smoothing
    assert torch.equal(criterion(LOGITS, TARGET), expected)


@both
def test_no_smoothing_may_be_any_zero(cls: type[nn.Module]) -> None:
    logits = torch.tensor([[0.0, -math.inf, 1.0]])
    for zero in (0, 0.0, Fraction(0), np.float32(0), False):
        assert cls(zero)(logits, torch.tensor([2])).isfinite()


@both
def test_ignore_index_may_be_an_integer_of_numpy(cls: type[nn.Module]) -> None:
    loss = cls(0.1, "none", ignore_index=np.int64(2))(zeros(2, 3), torch.tensor([2, 0]))
    assert torch.equal(loss, cls(0.1, "none")(zeros(2, 3), torch.tensor([-100, 0])))


# --- errors


RANGE = "smoothing must satisfy 0 <= smoothing < 1, got "
CHOICE = "reduction must be one of ('none', 'mean', 'sum'), got "
OPTION_ERRORS = [
    ("smoothing", -0.1, ValueError, RANGE + "-0.1"),
    ("smoothing", 1, ValueError, RANGE + "1"),
    ("smoothing", 1.7, ValueError, RANGE + "1.7"),
    ("smoothing", True, ValueError, RANGE + "True"),
    ("smoothing", Fraction(3, 2), ValueError, RANGE + "3/2"),
    ("smoothing", math.nan, ValueError, RANGE + "nan"),
    ("smoothing", "0.1", TypeError, "smoothing must be a number, got str"),
    ("smoothing", None, TypeError, "smoothing must be a number, got NoneType"),
    ("reduction", "average", ValueError, CHOICE + "'average'"),
    ("reduction", None, ValueError, CHOICE + "None"),
    ("ignore_index", 2.0, TypeError, "ignore_index must be an int, got float"),
    ("ignore_index", None, TypeError, "ignore_index must be an int, got NoneType"),
    ("ignore_index", True, TypeError, "ignore_index must be an int, got bool"),
]


@both
@pytest.mark.parametrize(("name", "value", "error", "message"), OPTION_ERRORS)
def test_wrong_option_is_refused(
    cls: type[nn.Module], name: str, value: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=exactly(message)):
        cls(**{name: value})


@both
@pytest.mark.parametrize(("name", "value", "error", "message"), OPTION_ERRORS)
def test_option_assigned_later_is_checked_too(
    cls: type[nn.Module], name: str, value: Any, error: type[Exception], message: str
) -> None:
    criterion = cls()
    setattr(criterion, name, value)
    with pytest.raises(error, match=exactly(message)):
        criterion(LOGITS, TARGET)


@both
def test_option_assigned_later_counts(cls: type[nn.Module]) -> None:
    criterion = cls(0.1)
    criterion.smoothing = 0.3
    criterion.reduction = "sum"
    assert repr(criterion(LOGITS, TARGET)) == "tensor(4.1649)"


def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.zeros(shape, dtype=dtype)


def classes(*shape: int) -> Tensor:
    return zeros(*shape, dtype=torch.int64)


FLOATS = "logits must be floating point, got "
BITS = "logits must have 16 bits or more, got "
CLASSES = "target must hold class indices of dtype torch.int64, got "


@both
@pytest.mark.parametrize(
    ("logits", "target", "message"),
    [
        (zeros(2, 3, dtype=torch.int64), classes(2), FLOATS + "torch.int64"),
        (zeros(2, 3, dtype=torch.bool), classes(2), FLOATS + "torch.bool"),
        (zeros(2, 3, dtype=torch.complex64), classes(2), FLOATS + "torch.complex64"),
        ([[0.0, 1.0]], classes(1), FLOATS + "list"),
        (zeros(2, 3).to(torch.float8_e5m2), classes(2), BITS + "torch.float8_e5m2"),
        (zeros(2, 3).to(torch.float8_e4m3fn), classes(2), BITS + "torch.float8_e4m3fn"),
        (zeros(2, 3), zeros(2), CLASSES + "torch.float32"),
        (zeros(2, 3), zeros(2, dtype=torch.bool), CLASSES + "torch.bool"),
        (zeros(2, 3), zeros(2, dtype=torch.int32), CLASSES + "torch.int32"),
        (zeros(2, 3), zeros(2, 3), CLASSES + "torch.float32"),  # probabilities
        (zeros(2, 3), [0, 1], CLASSES + "list"),
    ],
)
def test_wrong_type_is_refused(
    cls: type[nn.Module], logits: Any, target: Any, message: str
) -> None:
    with pytest.raises(TypeError, match=exactly(message)):
        cls()(logits, target)


@both
@pytest.mark.parametrize(
    ("logits", "target", "expected", "dim", "hint"),
    [
        ((4, 3), (1,), (4,), 1, False),  # gather would read one row and say nothing
        ((4, 3), (5,), (4,), 1, False),
        ((4, 3), (4, 1), (4,), 1, False),
        ((4, 3), (), (4,), 1, False),
        ((3,), (3,), (), 0, False),
        ((3,), (1,), (), 0, False),
        ((2, 3, 4, 5), (2,), (2, 4, 5), 1, False),
        ((2, 3, 4, 5), (2, 5, 4), (2, 4, 5), 1, False),
        ((2, 3, 4, 5), (2, 3, 4, 5), (2, 4, 5), 1, False),
        ((2, 3, 4, 5), (2, 3, 4), (2, 4, 5), 1, True),
        ((2, 7, 3), (2, 7), (2, 3), 1, True),
    ],
)
def test_wrong_shape_is_refused(
    cls: type[nn.Module],
    logits: tuple[int, ...],
    target: tuple[int, ...],
    expected: tuple[int, ...],
    dim: int,
    hint: bool,
) -> None:
    message = (
        f"target must have shape {expected} for logits of shape {logits} with the "
        f"classes in dimension {dim}, got {target}"
    )
    if hint:
        message += "; if the classes are last, pass logits.movedim(-1, 1)"
    with pytest.raises(ValueError, match=exactly(message)):
        cls()(zeros(*logits), classes(*target))


@both
def test_hint_for_classes_last_helps(cls: type[nn.Module]) -> None:
    loss = cls(reduction="none")(zeros(2, 7, 3).movedim(-1, 1), classes(2, 7))
    assert loss.shape == (2, 7)


@both
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((), "logits must have shape (K,), (N, K) or (N, K, d1, ...), got ()"),
        ((0,), "logits must have at least one class, got shape (0,)"),
        ((2, 0), "logits must have at least one class, got shape (2, 0)"),
    ],
)
def test_logits_without_classes_are_refused(
    cls: type[nn.Module], shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=exactly(message)):
        cls()(zeros(*shape), classes(*shape[:-1]))


@both
@pytest.mark.parametrize("smoothing", [0, 0.1])
@pytest.mark.parametrize(
    ("target", "ignore_index", "at", "value"),
    [
        (3, -100, "", 3),
        ([0, 3], -100, "[1]", 3),
        ([0, -1], -100, "[1]", -1),
        ([-100, 2, 99], -100, "[2]", 99),
        ([1, -100], 1, "[1]", -100),
        ([[0, 1], [2, 7]], -100, "[1, 1]", 7),
        ([0, 4, 5], -100, "[1]", 4),  # the first is named
    ],
)
def test_target_that_is_no_class_is_refused(
    cls: type[nn.Module],
    target: Any,
    ignore_index: int,
    at: str,
    value: int,
    smoothing: float,
) -> None:
    classes = torch.tensor(target)
    logits = zeros(*classes.shape[:1], 3, *classes.shape[1:])
    message = (
        f"target{at} is {value}, expected 0 <= target < 3 or ignore_index={ignore_index}"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        cls(smoothing, ignore_index=ignore_index)(logits, classes)


@both
def test_ignore_index_may_be_any_int(cls: type[nn.Module]) -> None:
    loss = cls(0.1, "none", ignore_index=255)(zeros(2, 3), torch.tensor([255, 0]))
    assert loss[0] == 0
    assert loss[1] == pytest.approx(math.log(3))


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (
            [1.0, 2.0],
            TypeError,
            "weight must be a floating-point tensor, got list",
        ),
        (
            torch.tensor([1, 2]),
            TypeError,
            "weight must be a floating-point tensor, got torch.int64",
        ),
        (
            torch.ones(1, 2),
            ValueError,
            "weight must have shape (num_classes,), one weight per class, got (1, 2)",
        ),
        (
            torch.tensor(1.0),
            ValueError,
            "weight must have shape (num_classes,), one weight per class, got ()",
        ),
        (
            torch.ones(2, requires_grad=True),
            ValueError,
            "weight must not require a gradient: pass weight.detach()",
        ),
        (
            nn.Parameter(torch.ones(2)),
            ValueError,
            "weight must not require a gradient: pass weight.detach()",
        ),
    ],
)
def test_wrong_weight_is_refused(
    weight: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=exactly(message)):
        LabelSmoothingLoss(weight=weight)


@pytest.mark.parametrize(("given", "ok"), [(1, False), (2, False), (3, True), (4, False)])
def test_weight_needs_one_entry_per_class(given: int, ok: bool) -> None:
    criterion = LabelSmoothingLoss(weight=torch.ones(given))
    if ok:
        assert criterion(zeros(2, 3), classes(2)).isfinite()
        return
    message = f"weight must have shape (3,), one weight per class, got ({given},)"
    with pytest.raises(ValueError, match=exactly(message)):
        criterion(zeros(2, 3), classes(2))


def test_torch_refuses_a_learned_weight_too() -> None:
    weight = torch.ones(5, requires_grad=True)
    with pytest.raises(RuntimeError, match="not differentiable"):
        F.cross_entropy(LOGITS, TARGET, weight)


# --- as a module


def weighted() -> LabelSmoothingLoss:
    return LabelSmoothingLoss(0.3, "sum", torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))


criteria = pytest.mark.parametrize(
    "criterion",
    [LabelSmoothing(0.3), LabelSmoothingLoss(0.3), weighted()],
    ids=["gather", "nll", "weighted"],
)


def test_defaults_show_in_the_repr() -> None:
    options = "reduction='mean', ignore_index=-100)"
    assert repr(LabelSmoothing()) == f"LabelSmoothing(smoothing=0.0, {options}"
    assert repr(LabelSmoothingLoss()) == f"LabelSmoothingLoss(smoothing=0.1, {options}"


@both
def test_options_show_in_the_repr(cls: type[nn.Module]) -> None:
    assert repr(cls(0.3, "sum", ignore_index=7)) == (
        f"{cls.__name__}(smoothing=0.3, reduction='sum', ignore_index=7)"
    )


def test_weight_is_the_whole_state() -> None:
    assert list(LabelSmoothing().state_dict()) == []
    assert list(LabelSmoothingLoss().state_dict()) == []
    assert list(weighted().state_dict()) == ["weight"]
    assert list(weighted().parameters()) == []


def test_state_round_trip() -> None:
    criterion = LabelSmoothingLoss(0.3, "sum", torch.ones(5))
    criterion.load_state_dict(weighted().state_dict())
    assert repr(criterion(LOGITS, TARGET)) == "tensor(6.6485)"
    LabelSmoothingLoss().load_state_dict(LabelSmoothingLoss().state_dict())


def test_weight_follows_the_module() -> None:
    criterion = weighted().to(torch.float64)
    assert criterion.weight is not None
    assert criterion.weight.dtype == torch.float64
    assert repr(criterion(LOGITS, TARGET)) == "tensor(6.6485)"


@criteria
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))]
)
def test_copies_are_equal(
    criterion: nn.Module, copied: Callable[[nn.Module], nn.Module]
) -> None:
    twin = copied(criterion)
    assert twin is not criterion
    assert repr(twin) == repr(criterion)
    assert torch.equal(twin(LOGITS, TARGET), criterion(LOGITS, TARGET))


@criteria
def test_training_step_compiles_to_one_graph(criterion: nn.Module) -> None:
    torch.compiler.reset()
    torch.manual_seed(0)
    model = nn.Linear(3, 5, dtype=torch.float64)
    twin = copy.deepcopy(model)

    def loss(x: Tensor, target: Tensor) -> Tensor:
        return criterion(model(x), target)

    # aot_eager traces forward and backward as inductor does, and needs no C++ compiler.
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    for n in (4, 6, 7):  # the second size makes a graph for any size
        x = torch.randn(n, 3, dtype=torch.float64)
        target = torch.arange(n) % 5
        target[0] = -100
        step, expected = compiled(x, target), criterion(twin(x), target)
        step.backward()
        expected.backward()
        assert_close(step, expected, **TOLERANCE[torch.float64])
        for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
            assert_close(ours.grad, theirs.grad, **TOLERANCE[torch.float64])


@both
@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_no_value_is_read_on_a_device(cls: type[nn.Module], smoothing: float) -> None:
    # A meta tensor has no values, so a check that reads one would raise.
    logits = torch.zeros(2, 3, device="meta")
    target = torch.zeros(2, dtype=torch.long, device="meta")
    loss = cls(smoothing, "none")(logits, target)
    assert loss.shape == (2,)
    assert cls(smoothing, "mean")(logits, target).device.type == "meta"


@criteria
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_vmap_gives_one_loss_per_sample(criterion: nn.Module, reduction: str) -> None:
    criterion = copy.deepcopy(criterion)
    criterion.reduction = reduction
    logits, target, _ = random_call((2, 3))
    expected = torch.stack(
        [criterion(*sample) for sample in zip(logits.mT, target, strict=True)]
    )
    loss = torch.func.vmap(criterion)(logits.mT, target)
    assert_close(loss, expected, **TOLERANCE[torch.float64])
    same_target = torch.func.vmap(criterion, (0, None))(logits.mT, target[0])
    expected = torch.stack([criterion(sample, target[0]) for sample in logits.mT])
    assert_close(same_target, expected, **TOLERANCE[torch.float64])


@criteria
def test_gradients_per_sample(criterion: nn.Module) -> None:
    logits, target, _ = random_call((4,))
    target[-1] = 2
    grads = torch.func.vmap(torch.func.grad(criterion))(logits, target)
    for row, y, grad in zip(logits, target, grads, strict=True):
        assert_close(torch.func.grad(criterion)(row, y), grad)
        z = row.clone().requires_grad_()
        (expected,) = torch.autograd.grad(criterion(z, y), z)
        assert_close(grad, expected, **TOLERANCE[torch.float64])


@both
def test_no_value_is_read_where_there_is_none(cls: type[nn.Module]) -> None:
    with FakeTensorMode():
        assert cls(0.1, "none")(zeros(2, 3), classes(2)).shape == (2,)
