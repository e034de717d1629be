"""The targets: distributions, in torch's layout, that give torch's smoothed loss."""

import itertools
import math
from collections.abc import Iterator
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

from label_smoothing import (
    LabelSmoothing,
    LabelSmoothingLoss,
    dirac_delta,
    smooth,
    uniform,
)
from label_smoothing.targets import check_num_classes

from .inputs import CLASSES, exactly, seeds, smoothings

EXACT = {"rtol": 1e-13, "atol": 1e-13}

shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)
sizes = st.integers(1, 6)


@pytest.fixture
def float64_by_default() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def random_target(shape: tuple[int, ...], num_classes: int, seed: int) -> Tensor:
    return torch.randint(
        num_classes, shape, generator=torch.Generator().manual_seed(seed)
    )


def random_prior(num_classes: int, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(num_classes, generator=rng, dtype=torch.float64).softmax(0)


# --- values


@given(shape=shapes, num_classes=sizes, seed=seeds)
def test_dirac_delta_is_one_at_the_class_and_zero_elsewhere(
    shape: tuple[int, ...], num_classes: int, seed: int
) -> None:
    target = random_target(shape, num_classes, seed)
    delta = dirac_delta(target, num_classes)
    assert delta.shape == (*shape[:1], num_classes, *shape[1:])
    for cell in itertools.product(*map(range, shape)):
        row = [float(delta[(*cell[:1], k, *cell[1:])]) for k in range(num_classes)]
        assert row == [float(k == target[cell]) for k in range(num_classes)]


@given(shape=shapes, num_classes=sizes, seed=seeds, smoothing=smoothings)
def test_smooth_is_the_formula(
    shape: tuple[int, ...], num_classes: int, seed: int, smoothing: float
) -> None:
    target = random_target(shape, num_classes, seed)
    prior = random_prior(num_classes, seed)
    mixed = smooth(target, num_classes, smoothing, prior)
    assert mixed.shape == (*shape[:1], num_classes, *shape[1:])
    for cell in itertools.product(*map(range, shape)):
        for k in range(num_classes):
            expected = (1 - smoothing) * (k == int(target[cell])) + smoothing * prior[k]
            assert_close(mixed[(*cell[:1], k, *cell[1:])], expected, **EXACT)


@given(shape=shapes, num_classes=sizes, seed=seeds, smoothing=smoothings)
def test_rows_sum_to_one(
    shape: tuple[int, ...], num_classes: int, seed: int, smoothing: float
) -> None:
    target = random_target(shape, num_classes, seed)
    ones = torch.ones(shape)
    dim = min(len(shape), 1)
    assert torch.equal(dirac_delta(target, num_classes).sum(dim), ones)
    assert_close(smooth(target, num_classes, smoothing).sum(dim), ones)
    mixed = smooth(target, num_classes, smoothing, random_prior(num_classes, seed))
    assert_close(mixed.sum(dim), ones.double(), **EXACT)


@pytest.mark.parametrize("num_classes", [1, 3, 1000])
def test_uniform_gives_each_class_the_same(num_classes: int) -> None:
    assert uniform(num_classes).tolist() == pytest.approx([1 / num_classes] * num_classes)
    assert_close(uniform(num_classes).sum(), torch.tensor(1.0))


def test_prior_is_uniform_by_default() -> None:
    target = torch.tensor([2, 1, 0])
    assert torch.equal(smooth(target, 5, 0.3), smooth(target, 5, 0.3, uniform(5)))


@pytest.mark.parametrize("smoothing", [Fraction(3, 10), np.float64(0.3), np.float32(0.3)])
def test_smoothing_may_be_any_real_number(smoothing: Any) -> None:
    target = torch.tensor([2, 1, 0])
    assert torch.equal(smooth(target, 5, smoothing), smooth(target, 5, float(smoothing)))


def test_number_of_classes_may_be_an_integer_of_numpy() -> None:
    target, five = torch.tensor([2, 1, 0]), np.int64(5)
    assert torch.equal(uniform(five), uniform(5))
    assert torch.equal(dirac_delta(target, five), dirac_delta(target, 5))
    assert torch.equal(smooth(target, five, 0.3, uniform(5)), smooth(target, 5, 0.3))


def test_no_smoothing_leaves_the_target() -> None:
    target = torch.tensor([2, 1, 0])
    assert torch.equal(smooth(target, 5, 0), dirac_delta(target, 5))


@pytest.mark.usefixtures("float64_by_default")
@given(
    shape=shapes.filter(lambda shape: 0 not in shape),
    num_classes=sizes,
    seed=seeds,
    smoothing=smoothings,
)
def test_cross_entropy_with_the_smoothed_target_is_the_loss(
    shape: tuple[int, ...], num_classes: int, seed: int, smoothing: float
) -> None:
    target = random_target(shape, num_classes, seed)
    rng = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn((*shape[:1], num_classes, *shape[1:]), generator=rng)
    loss = F.cross_entropy(logits, smooth(target, num_classes, smoothing))
    for same in (
        F.cross_entropy(logits, target, label_smoothing=smoothing),
        LabelSmoothing(smoothing)(logits, target),
        LabelSmoothingLoss(smoothing)(logits, target),
    ):
        assert_close(same, loss, **EXACT)


@pytest.mark.usefixtures("float64_by_default")
@given(shape=shapes, num_classes=sizes, seed=seeds, smoothing=smoothings)
def test_smoothing_twice_is_smoothing_more(
    shape: tuple[int, ...], num_classes: int, seed: int, smoothing: float
) -> None:
    target = random_target(shape, num_classes, seed)
    once = smooth(target, num_classes, smoothing)
    twice = (1 - smoothing) * once + smoothing / num_classes
    # 2 ε − ε², and not 1 − (1 − ε)², which rounds to 1 for an ε just below 1
    more = min(2 * smoothing - smoothing**2, math.nextafter(1, 0))
    assert_close(smooth(target, num_classes, more), twice, **EXACT)


@pytest.mark.usefixtures("float64_by_default")
def test_smoothed_target_in_a_smoothing_loss_is_smoothed_twice() -> None:
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 1, 2, 4])
    twice = F.cross_entropy(logits, smooth(target, 5, 0.3), label_smoothing=0.3)
    assert_close(twice, LabelSmoothing(1 - 0.7**2)(logits, target), **EXACT)


# --- dtypes


@pytest.mark.usefixtures("float64_by_default")
def test_default_dtype_is_followed() -> None:
    target = torch.tensor([2, 1, 0])
    assert dirac_delta(target, 5).dtype == torch.float64
    assert uniform(5).dtype == torch.float64
    assert smooth(target, 5, 0.3).dtype == torch.float64


def test_default_dtype_is_float32_here() -> None:
    target = torch.tensor([2, 1, 0])
    assert dirac_delta(target, 5).dtype == torch.float32
    assert uniform(5).dtype == torch.float32
    assert smooth(target, 5, 0.3).dtype == torch.float32


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16]
)
def test_dtype_of_the_prior_is_kept(dtype: torch.dtype) -> None:
    prior = torch.tensor([0.5, 0.25, 0.25], dtype=dtype)
    assert smooth(torch.tensor([2, 1, 0]), 3, 0.3, prior).dtype == dtype


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16]
)
@given(num_classes=st.integers(1, 1000), seed=seeds)
def test_prior_may_be_as_inexact_as_its_dtype(
    dtype: torch.dtype, num_classes: int, seed: int
) -> None:
    prior = random_prior(num_classes, seed).to(dtype)
    assert smooth(torch.tensor(0), num_classes, 0.3, prior).shape == (num_classes,)


def test_prior_may_be_off_by_all_of_its_rounding() -> None:
    rounding = 2 * torch.finfo(torch.float64).eps
    prior = torch.tensor([0.5, 0.5 + rounding], dtype=torch.float64)
    assert prior.sum() - 1 == rounding
    assert smooth(torch.tensor(0), 2, 0.3, prior).shape == (2,)


def test_prior_may_be_learned() -> None:
    prior = torch.tensor([0.5, 0.25, 0.25], requires_grad=True)
    smooth(torch.tensor([0, 1]), 3, 0.3, prior).sum().backward()
    assert prior.grad is not None
    assert prior.grad.tolist() == pytest.approx([0.6, 0.6, 0.6])


# --- no value is read where that costs


def test_no_value_is_read_on_a_device() -> None:
    # A meta tensor has no values, so a check that reads one would raise.
    target = torch.zeros(2, dtype=torch.long, device="meta")
    prior = torch.zeros(3, device="meta")
    assert dirac_delta(target, 3).device.type == "meta"
    assert smooth(target, 3, 0.1).device.type == "meta"
    assert smooth(target, 3, 0.1, prior).device.type == "meta"


def test_compiles_to_one_graph() -> None:
    torch.compiler.reset()
    target = torch.tensor([2, 1, 0])
    prior = torch.tensor([0.5, 0.25, 0.25])
    compiled = torch.compile(smooth, backend="aot_eager", fullgraph=True)
    assert_close(compiled(target, 3, 0.3, prior), smooth(target, 3, 0.3, prior))
    assert_close(compiled(target, 3, 0.3), smooth(target, 3, 0.3))


def test_compiles_for_any_number_of_classes() -> None:
    torch.compiler.reset()

    def mix(logits: Tensor, target: Tensor) -> Tensor:
        return smooth(target, logits.shape[1], 0.3)

    compiled = torch.compile(mix, backend="aot_eager", fullgraph=True, dynamic=True)
    target = torch.tensor([2, 1, 0])
    for num_classes in (4, 5):
        logits = torch.zeros(3, num_classes)
        assert_close(compiled(logits, target), mix(logits, target))


def test_no_value_is_read_where_there_is_none() -> None:
    targets = torch.tensor([[2, 1], [0, 0]])
    priors = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    mixed = torch.func.vmap(lambda y, u: smooth(y, 3, 0.3, u))(targets, priors)
    expected = [smooth(y, 3, 0.3, u) for y, u in zip(targets, priors, strict=True)]
    assert_close(mixed, torch.stack(expected))
    with FakeTensorMode():
        target, prior = torch.zeros(2, dtype=torch.long), torch.zeros(3)
        assert smooth(target, 3, 0.3, prior).shape == (2, 3)


# --- errors


@pytest.mark.parametrize(
    ("num_classes", "error", "message"),
    [
        (0, ValueError, "num_classes must be positive, got 0"),
        (-1, ValueError, "num_classes must be positive, got -1"),
        (2.5, TypeError, "num_classes must be an int, got float"),
        (3.0, TypeError, "num_classes must be an int, got float"),
        (True, TypeError, "num_classes must be an int, got bool"),
        ("3", TypeError, "num_classes must be an int, got str"),
        (None, TypeError, "num_classes must be an int, got NoneType"),
        (torch.tensor(3), TypeError, "num_classes must be an int, got torch.int64"),
    ],
)
def test_wrong_number_of_classes_is_refused(
    num_classes: Any, error: type[Exception], message: str
) -> None:
    target = torch.tensor([0])
    with pytest.raises(error, match=exactly(message)):
        uniform(num_classes)
    with pytest.raises(error, match=exactly(message)):
        dirac_delta(target, num_classes)
    with pytest.raises(error, match=exactly(message)):
        smooth(target, num_classes, 0.1)


@pytest.mark.parametrize(
    ("target", "given"),
    [
        (torch.tensor([0.0, 1.0]), "torch.float32"),
        (torch.tensor([True, False]), "torch.bool"),
        (torch.tensor([0, 1], dtype=torch.int32), "torch.int32"),
        ([0, 1], "list"),
    ],
)
def test_wrong_type_of_target_is_refused(target: Any, given: str) -> None:
    message = exactly(CLASSES + given)
    with pytest.raises(TypeError, match=message):
        dirac_delta(target, 3)
    with pytest.raises(TypeError, match=message):
        smooth(target, 3, 0.1)


@pytest.mark.parametrize(
    ("target", "at", "value"),
    [
        (3, "", 3),
        (-1, "", -1),
        ([0, 3], "[1]", 3),
        ([0, -100], "[1]", -100),
        ([[0, 1], [7, 9]], "[1, 0]", 7),
    ],
)
def test_target_that_is_no_class_is_refused(target: Any, at: str, value: int) -> None:
    message = exactly(f"target{at} is {value}, expected 0 <= target < 3")
    with pytest.raises(IndexError, match=message):
        dirac_delta(torch.tensor(target), 3)
    with pytest.raises(IndexError, match=message):
        smooth(torch.tensor(target), 3, 0.1)


RANGE = "smoothing must satisfy 0 <= smoothing < 1, got "


@pytest.mark.parametrize(
    ("smoothing", "error", "message"),
    [
        (-0.1, ValueError, RANGE + "-0.1"),
        (1, ValueError, RANGE + "1"),
        (1.7, ValueError, RANGE + "1.7"),
        (math.nan, ValueError, RANGE + "nan"),
        ("0.1", TypeError, "smoothing must be a number, got str"),
    ],
)
def test_wrong_smoothing_is_refused(
    smoothing: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=exactly(message)):
        smooth(torch.tensor([0]), 3, smoothing)


@pytest.mark.parametrize(
    ("prior", "error", "message"),
    [
        (
            [0.5, 0.5],
            TypeError,
            "prior must be a floating-point tensor, got list",
        ),
        (
            torch.tensor([1, 0]),
            TypeError,
            "prior must be a floating-point tensor, got torch.int64",
        ),
        (
            torch.tensor([0.5, 0.25, 0.25]),
            ValueError,
            "prior must have shape (2,), got (3,)",
        ),
        (
            torch.tensor([[0.5, 0.5]]),
            ValueError,
            "prior must have shape (2,), got (1, 2)",
        ),
        (
            torch.tensor([1.5, -0.5]),
            ValueError,
            "prior must not be negative or nan, got [1.5, -0.5]",
        ),
        (
            torch.tensor([1.0, math.nan]),
            ValueError,
            "prior must not be negative or nan, got [1.0, nan]",
        ),
        (
            torch.tensor([0.5, 0.25]),
            ValueError,
            "prior must sum to 1, got a sum of 0.75",
        ),
        (
            torch.tensor([30.0, 10.0]),  # counts
            ValueError,
            "prior must sum to 1, got a sum of 40.0",
        ),
        (
            torch.tensor([0.5, 0.5 + 2.0**-20]),
            ValueError,
            "prior must sum to 1, got a sum of 1.0000009536743164",
        ),
    ],
)
def test_wrong_prior_is_refused(prior: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=exactly(message)):
        smooth(torch.tensor([0, 1]), 2, 0.1, prior)


def test_learned_prior_is_checked_too() -> None:
    with pytest.raises(ValueError, match="prior must sum to 1"):
        smooth(torch.tensor(0), 2, 0.1, nn.Parameter(torch.ones(2)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("total", [0, 0.9, 1.1])
@pytest.mark.parametrize("num_classes", [128, 2048])
def test_rounding_of_a_prior_has_a_limit(
    num_classes: int, total: float, dtype: torch.dtype
) -> None:
    prior = torch.full((num_classes,), total / num_classes, dtype=dtype)
    with pytest.raises(ValueError, match="prior must sum to 1, got a sum of"):
        smooth(torch.tensor(0), num_classes, 0.3, prior)


def test_least_number_of_classes_is_named() -> None:
    with pytest.raises(ValueError, match="num_classes must be at least 2, got 1"):
        check_num_classes(1, least=2)


def test_target_says_on_which_device_it_is_smoothed() -> None:
    target = torch.tensor([1, 0])
    expected = smooth(target, 3, 0.25)
    with torch.device("meta"):
        torch.testing.assert_close(smooth(target, 3, 0.25), expected)
