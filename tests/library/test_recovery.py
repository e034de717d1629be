"""The X-ray: on losses built from known targets, on what has none, and on real losses."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from label_smoothing import (
    CrossEntropyLoss,
    LabelSmoothing,
    LabelSmoothingLoss,
    Recovered,
    recover_target,
    smooth,
)

from .inputs import exactly, seeds, smoothings

Loss = Callable[[Tensor, Tensor], Tensor]
TOLERANCE = {
    torch.float64: 1e-12,
    torch.float32: 1e-5,
    torch.float16: 4e-3,
    torch.bfloat16: 3e-2,
}
TARGET = torch.tensor([2, 1, 0])

dtypes = st.sampled_from(list(TOLERANCE))
reductions = st.sampled_from(("none", "mean", "sum"))


def smoothed(target: Tensor, num_classes: int, smoothing: float) -> Tensor:
    """The target with a uniform prior, in float64."""
    prior = torch.full((num_classes,), 1 / num_classes, dtype=torch.float64)
    return smooth(target, num_classes, smoothing, prior)


def reduce(rows: Tensor, reduction: str) -> Tensor:
    return {"none": rows, "mean": rows.mean(), "sum": rows.sum()}[reduction]


def loss_from(
    table: Tensor, factor: Tensor, reduction: str, log_probs: bool, divergence: bool
) -> Loss:
    """A loss with a row of the table as the target of each class, times a factor."""

    def loss(x: Tensor, target: Tensor) -> Tensor:
        q = table[target] if target.dim() == 1 else target @ table.to(x.dtype)
        weight = factor[target if target.dim() == 1 else target.argmax(1)].to(x.dtype)
        log_p = x if log_probs else x.log_softmax(1)
        q = q.to(x.dtype)
        terms = F.kl_div(log_p, q, reduction="none") if divergence else -(q * log_p)
        return reduce(weight * terms.sum(1), reduction)

    return loss


def focal(gamma: float) -> Loss:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        log_p = logits.log_softmax(1).gather(1, target[:, None])
        return (-((1 - log_p.exp()) ** gamma) * log_p).mean()

    return loss


def check(
    found: Recovered, target: Tensor, scale: Tensor, dtype: torch.dtype = torch.float64
) -> None:
    """Compare what was found with the target and the scale; rows of scale 0 have none."""
    target = target.double().masked_fill(scale[:, None] == 0, torch.nan)
    error = TOLERANCE[dtype]
    assert_close(found.target, target, rtol=0, atol=error, equal_nan=True)
    assert_close(found.scale, scale.double(), rtol=error, atol=0)
    assert found.target.dtype == found.scale.dtype == torch.float64
    assert found.fixed.dtype == torch.bool
    assert found.fixed.all()


def check_unfixed(found: Recovered) -> None:
    assert not found.fixed.any()
    assert found.target.isnan().all()
    assert found.scale.isnan().all()


# --- known targets


@given(
    num_classes=st.integers(2, 12) | st.sampled_from((100, 1000)),
    rows=st.integers(1, 6),
    smoothing=smoothings,
    uniform=st.booleans(),
    reduction=reductions,
    log_probs=st.booleans(),
    divergence=st.booleans(),
    probabilities=st.booleans(),
    weighted=st.booleans(),
    dtype=dtypes,
    seed=seeds,
)
def test_known_target_is_recovered(
    num_classes: int,
    rows: int,
    smoothing: float,
    uniform: bool,
    reduction: str,
    log_probs: bool,
    divergence: bool,
    probabilities: bool,
    weighted: bool,
    dtype: torch.dtype,
    seed: int,
) -> None:
    rng = torch.Generator().manual_seed(seed)
    prior = torch.full((num_classes,), 1 / num_classes, dtype=torch.float64)
    if not uniform:
        prior = torch.randn(num_classes, generator=rng, dtype=torch.float64).softmax(0)
    every = torch.arange(num_classes)
    table = smooth(every, num_classes, smoothing, prior).to(dtype)
    # Quarters are exact in every type; a row of factor zero is ignored.
    factor = (
        torch.randint(9, (num_classes,), generator=rng) / 4 if weighted else every + 1
    )
    factor = factor.clamp(max=4)
    classes = torch.randint(num_classes, (rows,), generator=rng)
    given = F.one_hot(classes, num_classes).float() if probabilities else classes
    loss = loss_from(table, factor, reduction, log_probs, divergence)
    found = recover_target(loss, num_classes, given, log_probs=log_probs, dtype=dtype)
    table = table.double()
    total = table.sum(1)  # in half precision not quite one
    divisor = rows if reduction == "mean" else 1
    scale = factor[classes] * total[classes] / divisor
    check(found, (table / total[:, None])[classes], scale, dtype)


@given(
    num_classes=st.integers(2, 6),
    smoothing=smoothings,
    weight=st.lists(st.floats(0.1, 50), min_size=6, max_size=6),
    reduction=reductions,
    probabilities=st.booleans(),
    seed=seeds,
)
def test_weights_bend_the_target_of_cross_entropy(
    num_classes: int,
    smoothing: float,
    weight: list[float],
    reduction: str,
    probabilities: bool,
    seed: int,
) -> None:
    w = torch.tensor(weight[:num_classes], dtype=torch.float64)
    rng = torch.Generator().manual_seed(seed)
    classes = torch.randint(num_classes, (4,), generator=rng)
    bent = w * smoothed(classes, num_classes, smoothing)
    total = bent.sum(1)
    divisor = {"none": 1, "sum": 1, "mean": 4 if probabilities else w[classes].sum()}
    given = F.one_hot(classes, num_classes).double() if probabilities else classes
    loss = nn.CrossEntropyLoss(w, reduction=reduction, label_smoothing=smoothing)
    found = recover_target(loss, num_classes, given)
    check(found, bent / total[:, None], total / divisor[reduction])
    ours = CrossEntropyLoss(w, reduction=reduction, label_smoothing=smoothing)
    check(recover_target(ours, num_classes, given), *found[:2])


@given(smoothing=smoothings, reduction=reductions, seed=seeds)
def test_weights_in_our_loss_are_also_a_smoothing(
    smoothing: float, reduction: str, seed: int
) -> None:
    rng = torch.Generator().manual_seed(seed)
    w = torch.rand(5, generator=rng, dtype=torch.float64) + 0.1
    classes = torch.randint(5, (4,), generator=rng)
    counts = {"none": (1, 1), "sum": (1, 1), "mean": (w[classes].sum(), 4)}
    nll, uniform = counts[reduction]
    own = (1 - smoothing) * w[classes] / nll
    total = own + smoothing / uniform
    q = torch.full((4, 5), smoothing / 5 / uniform, dtype=torch.float64)
    q[range(4), classes] += own
    found = recover_target(LabelSmoothingLoss(smoothing, reduction, w), 5, classes)
    check(found, q / total[:, None], total)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(
    "loss",
    [
        LabelSmoothing(0.3),
        LabelSmoothingLoss(0.3),
        CrossEntropyLoss(label_smoothing=0.3),
        nn.CrossEntropyLoss(label_smoothing=0.3),
    ],
    ids=["LabelSmoothing", "LabelSmoothingLoss", "CrossEntropyLoss", "torch"],
)
def test_rows_that_are_ignored(
    loss: nn.Module, reduction: str, dtype: torch.dtype
) -> None:
    loss.reduction = reduction
    for target, mean in ((torch.tensor([2, -100, 0]), 2), (torch.tensor([1, 4, 1]), 3)):
        scale = (target != -100).double() / (mean if reduction == "mean" else 1)
        found = recover_target(loss, 5, target, dtype=dtype)
        check(found, smoothed(target.clamp(min=0), 5, 0.3), scale, dtype)
    found = recover_target(loss, 5, torch.full((3,), -100))
    check(found, torch.zeros(3, 5), torch.zeros(3))


def test_many_classes() -> None:
    target = torch.tensor([0, 31999])
    expected = smoothed(target, 32000, 0.1)
    for dtype in TOLERANCE:
        found = recover_target(LabelSmoothing(0.1), 32000, target, dtype=dtype)
        assert found.fixed.all()
        # The backward pass of a softmax adds up as many numbers as there are classes.
        error = 2e-4 if dtype == torch.float32 else TOLERANCE[dtype]
        assert_close(found.target, expected, rtol=0, atol=error)
        assert_close(found.scale, torch.ones(2).double() / 2, rtol=error, atol=0)


def test_loss_that_computes_in_float32() -> None:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), target, label_smoothing=0.3)

    found = recover_target(loss, 5, TARGET)
    check(found, smoothed(TARGET, 5, 0.3), torch.ones(3).double() / 3, torch.float32)


def test_zero_is_zero() -> None:
    found = recover_target(F.cross_entropy, 5, TARGET)
    assert ((found.target == 0) == (F.one_hot(TARGET, 5) == 0)).all()


def test_sign_that_is_wrong_shows_in_the_scale() -> None:
    found = recover_target(lambda z, y: -F.cross_entropy(z, y), 5, TARGET)
    check(found, F.one_hot(TARGET, 5), torch.ones(3).double() / -3)


def test_no_rows() -> None:
    found = recover_target(F.cross_entropy, 5, TARGET[:0])
    assert [tensor.shape for tensor in found] == [(0, 5), (0,), (0,)]


# --- no target


@given(
    gamma=st.floats(0.5, 5),
    num_classes=st.integers(2, 12) | st.sampled_from((100, 32000)),
    dtype=dtypes,
)
def test_focal_loss_has_no_fixed_target(
    gamma: float, num_classes: int, dtype: torch.dtype
) -> None:
    target = torch.arange(2)
    check_unfixed(recover_target(focal(gamma), num_classes, target, dtype=dtype))


@given(
    temperature=st.floats(0.1, 0.8) | st.floats(1.25, 10),
    num_classes=st.integers(2, 12) | st.sampled_from((100, 32000)),
    smoothing=st.sampled_from((0, 0.1)),
)
def test_temperature_has_no_fixed_target(
    temperature: float, num_classes: int, smoothing: float
) -> None:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(logits / temperature, target, label_smoothing=smoothing)

    check_unfixed(recover_target(loss, num_classes, torch.arange(2)))


@pytest.mark.parametrize(
    "loss",
    [
        F.nll_loss,  # no softmax: the gradient is constant
        lambda z, y: z.sum(),
        lambda z, y: z.square().sum(),
        lambda z, y: F.cross_entropy(z.softmax(1), y),
        lambda z, y: F.cross_entropy(F.dropout(z), y),
        lambda z, y: F.cross_entropy(z, y) * torch.nan,
        lambda z, y: F.cross_entropy(z, y) * torch.inf,
        lambda z, y: F.binary_cross_entropy_with_logits(z, F.one_hot(y, 5).double()),
    ],
)
def test_other_losses_without_a_fixed_target(loss: Loss) -> None:
    check_unfixed(recover_target(loss, 5, TARGET))


def test_one_row_without_a_target_spoils_no_other() -> None:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        rows = F.cross_entropy(logits, target, reduction="none")
        return (rows ** torch.tensor([1, 2, 1])).sum()

    found = recover_target(loss, 5, TARGET)
    assert found.fixed.tolist() == [True, False, True]
    assert found.scale[[0, 2]].tolist() == pytest.approx([1, 1])
    assert found.scale[1].isnan()
    assert found.target.isnan().all(1).tolist() == [False, True, False]


@pytest.mark.parametrize("factor", [1, 1000, -0.001])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [
        (torch.float64, 1e-5),
        (torch.float32, 1e-5),
        (torch.float16, 2 * 2**-10),
        (torch.bfloat16, 2 * 2**-7),
    ],
)
def test_tolerance(dtype: torch.dtype, tolerance: float, factor: float) -> None:
    """What deviates by less than the tolerance counts as fixed, and by more does not."""

    def deviates_by(size: float) -> Recovered:
        signs = itertools.cycle((1, -1))

        def loss(logits: Tensor, target: Tensor) -> Tensor:
            logits = logits.double()
            deviation = next(signs) * size * logits[:, -1].sum()
            return factor * (F.cross_entropy(logits, target, reduction="sum") + deviation)

        return recover_target(loss, 200, TARGET, dtype=dtype)

    assert deviates_by(0.7 * tolerance).fixed.all()
    assert not deviates_by(1.3 * tolerance).fixed.any()


# --- how the loss is called


def test_loss_may_work_in_place() -> None:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        target.add_(1).sub_(1).mul_(1 - 0.1)
        target.add_(0.1 / 5)
        return -(target * logits.mul_(1).log_softmax(1)).sum()

    given = F.one_hot(TARGET, 5).double()
    check(recover_target(loss, 5, given), smoothed(TARGET, 5, 0.1), torch.ones(3))
    assert given.tolist() == F.one_hot(TARGET, 5).tolist()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("log_probs", [False, True])
def test_loss_gets_what_it_asks_for(dtype: torch.dtype, log_probs: bool) -> None:
    seen = []

    def loss(x: Tensor, target: Tensor) -> Tensor:
        seen.append((x.detach().double(), target))
        assert x.dtype == target.dtype == dtype
        assert x.requires_grad
        return -(target * x.log_softmax(1)).sum()

    probabilities = F.one_hot(TARGET, 5).double()
    recover_target(loss, 5, probabilities, log_probs=log_probs, dtype=dtype)
    for x, target in seen:
        assert x.shape == (3, 5)
        assert target.tolist() == probabilities.tolist()
        sums = x.exp().sum(1)
        assert ((sums - 1).abs() < 0.05).all() == log_probs
    assert len({x.sum().item() for x, _ in seen}) == len(seen) == 4


def test_class_of_the_target_stands_out_in_all_draws_but_the_first() -> None:
    seen = []

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        seen.append(logits.detach())
        return F.cross_entropy(logits, target)

    recover_target(loss, 1000, torch.arange(1000))
    for number, logits in enumerate(seen):
        own, delta = logits.diagonal().mean(), torch.eye(1000)
        assert own == pytest.approx(math.log(1000) if number else 0, abs=0.2)
        others = logits[delta == 0]
        assert others.mean() == pytest.approx(0, abs=0.01)
        assert others.std() == pytest.approx(1, abs=0.01)


def test_options_are_named() -> None:
    recover_target(loss=F.cross_entropy, num_classes=5, target=TARGET)
    with pytest.raises(TypeError, match="positional"):
        recover_target(F.cross_entropy, 5, TARGET, False)


def test_same_draws_each_time_and_none_of_the_callers() -> None:
    before = torch.random.get_rng_state()
    one, other = (recover_target(LabelSmoothing(0.3), 5, TARGET) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(one.target, other.target)


def test_under_no_grad() -> None:
    with torch.no_grad():
        found = recover_target(LabelSmoothing(0.3), 5, TARGET)
    check(found, smoothed(TARGET, 5, 0.3), torch.ones(3).double() / 3, torch.float32)


def test_sum_that_overflows_does_not_matter() -> None:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(logits, target, reduction="none") + 60000

    found = recover_target(loss, 5, TARGET, dtype=torch.float16)
    check(found, F.one_hot(TARGET, 5), torch.ones(3), torch.float16)


# --- errors


def test_num_classes_is_checked() -> None:
    with pytest.raises(TypeError, match=exactly("num_classes must be an int, got str")):
        recover_target(F.cross_entropy, "5", TARGET)
    message = exactly("num_classes must be at least 2, got 1")
    with pytest.raises(ValueError, match=message):
        recover_target(F.cross_entropy, 1, TARGET)
    recover_target(F.cross_entropy, 2, TARGET[1:])


@pytest.mark.parametrize(
    ("target", "got"),
    [([2, 1, 0], "list"), (TARGET.int(), "torch.int32"), (TARGET.bool(), "torch.bool")],
)
def test_type_of_target_is_checked(target: object, got: str) -> None:
    message = (
        "target must hold class indices of dtype torch.int64, or floating-point "
        f"probabilities, got {got}"
    )
    with pytest.raises(TypeError, match=exactly(message)):
        recover_target(F.cross_entropy, 5, target)


@pytest.mark.parametrize(
    "target",
    [
        TARGET[0],
        TARGET[None],
        torch.zeros(3, 5, dtype=torch.int64),
        torch.zeros(5),
        torch.zeros(3, 4),
        torch.zeros(3, 5, 1),
        torch.zeros(()),
    ],
)
def test_shape_of_target_is_checked(target: Tensor) -> None:
    message = (
        "target must have shape (N,), or (N, 5) for probabilities, "
        f"got {tuple(target.shape)}"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        recover_target(F.cross_entropy, 5, target)


@pytest.mark.parametrize("dtype", [torch.int64, torch.complex64, float, None])
def test_dtype_is_checked(dtype: object) -> None:
    message = exactly(f"dtype must be floating point, got {dtype}")
    with pytest.raises(TypeError, match=message):
        recover_target(F.cross_entropy, 5, TARGET, dtype=dtype)


@pytest.mark.parametrize(
    ("loss", "got"),
    [(lambda z, y: 0.1, "float"), (lambda z, y: (z.sum(),), "tuple")],
)
def test_result_must_be_a_tensor(loss: Loss, got: str) -> None:
    with pytest.raises(TypeError, match=exactly(f"loss must return a tensor, got {got}")):
        recover_target(loss, 5, TARGET)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z, y: (z.argmax(1) != y).sum(),
        lambda z, y: z.detach().sum(),
        lambda z, y: (z.detach() * torch.ones(5, requires_grad=True)).sum(),
    ],
)
def test_result_must_depend_on_the_logits(loss: Loss) -> None:
    message = exactly("loss must be differentiable in the logits, got no gradient")
    with pytest.raises(ValueError, match=message):
        recover_target(loss, 5, TARGET)


def test_error_of_the_loss_is_passed_on() -> None:
    message = (
        "loss failed on logits of shape (3, 5) and torch.float32, target of shape (3, 5) "
        "and torch.float32: ZeroDivisionError('division by zero')"
    )
    with pytest.raises(RuntimeError, match=exactly(message)) as caught:
        recover_target(
            lambda z, y: 1 / 0,
            5,
            torch.zeros(3, 5, dtype=torch.float64),
            dtype=torch.float32,
        )
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z, y: F.cross_entropy(z, y) - 0.1 * z.sum(1).mean(),
        lambda z, y: (z.logsumexp(1) - 1.1 * z.gather(1, y[:, None]).squeeze(1)).mean(),
    ],
)
def test_target_that_does_not_sum_to_one_is_none(loss: Loss) -> None:
    assert not recover_target(loss, 5, torch.tensor([2, 1])).fixed.any()


@pytest.mark.parametrize(
    ("num_classes", "dtype"), [(50000, torch.float64), (1000, torch.float16)]
)
def test_tail_that_depends_on_the_logits(num_classes: int, dtype: torch.dtype) -> None:
    def loss(z: Tensor, y: Tensor) -> Tensor:
        delta = F.one_hot(y, num_classes)
        tail = (z / 4).masked_fill(delta.bool(), -torch.inf).softmax(1).detach()
        return F.cross_entropy(z, 0.7 * delta + 0.3 * tail)

    assert not recover_target(
        loss, num_classes, torch.tensor([2, 1]), dtype=dtype
    ).fixed.any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_very_many_classes(dtype: torch.dtype) -> None:
    found = recover_target(LabelSmoothing(0.1), 50000, torch.tensor([2, 1]), dtype=dtype)
    assert found.fixed.all()


def test_default_device_does_not_matter() -> None:
    expected = recover_target(F.cross_entropy, 3, torch.tensor([1, 0])).target
    target = torch.tensor([1, 0])
    with torch.device("meta"):
        found = recover_target(F.cross_entropy, 3, target).target
    torch.testing.assert_close(found, expected)
