"""The conventions: what each makes of ε, and that a converted ε trains alike."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from label_smoothing import convert_smoothing, loss_floor, optimal_logit_gap, smooth

from .inputs import exactly, smoothings

PADDED = "others-without-padding"
BINARY = ("half", "swap")
NAMES = ("uniform", "others", PADDED, "normalised", *BINARY)

names = st.sampled_from(NAMES)


def reference(name: str, num_classes: int, smoothing: float) -> list[Fraction]:
    """The target of a row of class 0, exactly; a padding is the last class."""
    epsilon = Fraction(smoothing)
    if name == "uniform":
        other = epsilon / num_classes
        return [1 - epsilon + other, *[other] * (num_classes - 1)]
    if name == "others":
        return [1 - epsilon, *[epsilon / (num_classes - 1)] * (num_classes - 1)]
    if name == PADDED:
        return [*reference("others", num_classes - 1, smoothing), Fraction(0)]
    if name == "normalised":
        added = [epsilon / num_classes] * num_classes
        added[0] += 1
        return [q / sum(added) for q in added]
    assert num_classes == 2
    other = epsilon / 2 if name == "half" else epsilon
    return [1 - other, other]


def without_padding(
    name: str, num_classes: int, padding: bool, smoothing: float
) -> list[Fraction]:
    """The same on the classes but for the padding, if there is one."""
    if name == PADDED:
        return reference(name, num_classes, smoothing)[:-1]
    return reference(name, num_classes - padding, smoothing)


def gradient(target: list[Fraction], logits: Tensor) -> Tensor:
    z = logits.clone().requires_grad_()
    q = torch.tensor([float(q) for q in target], dtype=torch.float64)
    (-(q * z.log_softmax(0)).sum()).backward()
    return z.grad


@st.composite
def sizes(draw: st.DrawFn, *given: str) -> int:
    """A number of classes that suits all the names."""
    classes = 2 if {*given} & {*BINARY} else draw(st.integers(2, 60))
    return classes + (PADDED in given)


# --- conversion


@given(value=smoothings, source=names, to=names, data=st.data())
def test_converted_smoothing_has_the_same_gradient(
    value: float, source: str, to: str, data: st.DataObject
) -> None:
    num_classes = data.draw(sizes(source, to))
    padding = PADDED in (source, to)
    target = without_padding(source, num_classes, padding, value)
    try:
        converted = convert_smoothing(value, num_classes, source, to)
    except ValueError:
        # Then even the largest smoothing takes less from the true class.
        most = without_padding(to, num_classes, padding, 1 - 2**-53)
        assert target[0] <= most[0] + Fraction(1, 10**12)
        return
    assert 0 <= converted < 1
    expected = without_padding(to, num_classes, padding, converted)
    rng = torch.Generator().manual_seed(num_classes)
    logits = torch.randn(len(target), generator=rng, dtype=torch.float64)
    difference = gradient(target, logits) - gradient(expected, logits)
    assert difference.abs().max() < 1e-12


@given(value=smoothings, source=names, to=names, data=st.data())
def test_there_and_back_is_where_it_was(
    value: float, source: str, to: str, data: st.DataObject
) -> None:
    num_classes = data.draw(sizes(source, to))
    try:
        converted = convert_smoothing(value, num_classes, source, to)
    except ValueError:
        assert value > 0.3
        return
    back = convert_smoothing(converted, num_classes, to, source)
    # Where (1 - mass) is small, normalised has lost digits.
    assert back == pytest.approx(value, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, 0.1, 0.3, 0.7])
def test_same_convention_changes_nothing(name: str, value: float) -> None:
    num_classes = 2 if name in BINARY else 7
    converted = convert_smoothing(value, num_classes, name, name)
    assert converted == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("value", "num_classes", "source", "to", "expected"),
    [
        (0.1, 2, "others", "uniform", 0.2),
        (0.1, 10, "others", "uniform", 1 / 9),
        (0.1, 10, "uniform", "others", 0.09),
        (0.1, 10, "normalised", "uniform", 1 / 11),
        (0.1, 10, "uniform", "normalised", 1 / 9),
        (0.1, 10, PADDED, "uniform", 0.1125),
        (0.1, 10, PADDED, "others", 0.1),
        (0.1, 10, "others", PADDED, 0.1),
        (0.1, 2, "swap", "half", 0.2),
        (0.1, 2, "half", "swap", 0.05),
        (0.1, 2, "half", "uniform", 0.1),
        (0.1, 2, "swap", "others", 0.1),
        (0.1, 3, PADDED, "half", 0.2),
        (0.1, 3, "swap", PADDED, 0.1),
    ],
)
def test_conversion_by_hand(
    value: float, num_classes: int, source: str, to: str, expected: float
) -> None:
    converted = convert_smoothing(value, num_classes, source, to)
    assert converted == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("value", "source", "to", "needed"),
    [
        (0.5, "swap", "half", "1"),
        (0.5, "others", "uniform", "1"),
        (0.75, "others", "uniform", "1.5"),
        (0.5, "uniform", "normalised", "1"),
        (0.75, "uniform", "normalised", "3"),
        (0.5, "others", "normalised", "inf"),
        (0.75, "others", "normalised", "inf"),
    ],
)
def test_what_has_no_equivalent(value: float, source: str, to: str, needed: str) -> None:
    message = (
        f"a smoothing of {value} in {source!r} has no equivalent in {to!r}: "
        f"it would be {needed}, expected less than 1"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        convert_smoothing(value, 2, source, to)


# --- floor and gap


def check_against_minimum(num_classes: int, smoothing: float, name: str) -> None:
    """Compare with the lowest point of the loss over the gap, found by bisection."""
    q = [float(q) for q in reference(name, num_classes, smoothing)]
    others = num_classes - 1 - (name == PADDED)

    def slope(
        gap: float,
    ) -> float:  # the derivative of the loss: p - q' of the true class
        return 1 / (1 + others * math.exp(-gap)) - q[0]

    low, high = -60.0, 60.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    least = math.log(math.exp(low) + others) - q[0] * low
    assert loss_floor(num_classes, smoothing, name) == pytest.approx(least, abs=1e-11)
    gap = optimal_logit_gap(num_classes, smoothing, name)
    assert gap == pytest.approx(low, rel=1e-9, abs=1e-9)


@given(smoothing=st.floats(1e-4, 0.99), name=names, data=st.data())
def test_floor_and_gap_are_at_the_minimum(
    smoothing: float, name: str, data: st.DataObject
) -> None:
    check_against_minimum(data.draw(sizes(name)), smoothing, name)


@pytest.mark.parametrize("name", NAMES)
def test_without_smoothing_the_floor_is_zero_and_the_gap_infinite(name: str) -> None:
    num_classes = 2 if name in BINARY else 5
    floor = loss_floor(num_classes, 0, name)
    assert (floor, math.copysign(1, floor)) == (0, 1)
    assert optimal_logit_gap(num_classes, 0, name) == math.inf


@pytest.mark.parametrize(("num_classes", "smoothing"), [(5, 0.3), (1000, 0.1), (2, 0.1)])
def test_uniform_is_the_convention_unless_another_is_named(
    num_classes: int, smoothing: float
) -> None:
    q = smooth(torch.tensor(0), num_classes, smoothing).double()
    floor = torch.special.entr(q).sum().item()
    assert loss_floor(num_classes, smoothing) == pytest.approx(floor, rel=1e-6)
    gap = (q[0] / q[1]).log().item()
    assert optimal_logit_gap(num_classes, smoothing) == pytest.approx(gap, rel=1e-6)


@pytest.mark.parametrize("smoothing", [1 - 2**-53, 5e-324, 1e-300])
@pytest.mark.parametrize("name", NAMES)
def test_extremes_are_no_trap(name: str, smoothing: float) -> None:
    num_classes = 2 if name in BINARY else 7
    assert loss_floor(num_classes, smoothing, name) >= 0
    assert math.isfinite(loss_floor(num_classes, smoothing, name))
    gap = optimal_logit_gap(num_classes, smoothing, name)
    assert (gap > 600) == (smoothing < 0.5)


def test_small_smoothing_keeps_its_digits() -> None:
    small = 1e-17  # less than the room below one
    rest = 4 * small / 5
    floor = rest - rest * math.log(small / 5)
    assert loss_floor(5, small) == pytest.approx(floor, rel=1e-12)
    gap = -math.log(1e-320) + math.log(5)
    assert optimal_logit_gap(5, 1e-320) == pytest.approx(gap, rel=1e-4)


# --- errors


def call(function: object, num_classes: object, smoothing: object, name: object) -> None:
    if function is convert_smoothing:
        convert_smoothing(smoothing, num_classes, source=name, to="uniform")
    else:
        function(num_classes, smoothing, name)


each = pytest.mark.parametrize(
    "function", [convert_smoothing, loss_floor, optimal_logit_gap]
)


@each
def test_smoothing_is_checked(function: object) -> None:
    name = "value" if function is convert_smoothing else "smoothing"
    with pytest.raises(TypeError, match=exactly(f"{name} must be a number, got str")):
        call(function, 5, "0.1", "uniform")
    for bad in (-0.1, 1, 1.5, math.nan):
        message = f"{name} must satisfy 0 <= {name} < 1, got {bad}"
        with pytest.raises(ValueError, match=exactly(message)):
            call(function, 5, bad, "uniform")


@each
def test_num_classes_is_checked(function: object) -> None:
    with pytest.raises(TypeError, match=exactly("num_classes must be an int, got float")):
        call(function, 5.0, 0.1, "uniform")
    for num_classes, name, least in ((1, "uniform", 2), (2, PADDED, 3)):
        message = f"num_classes must be at least {least}, got {num_classes}"
        with pytest.raises(ValueError, match=exactly(message)):
            call(function, num_classes, 0.1, name)


@each
@pytest.mark.parametrize("num_classes", [3, 10])
@pytest.mark.parametrize("name", BINARY)
def test_binary_conventions_want_two_classes(
    function: object, num_classes: int, name: str
) -> None:
    message = f"{name!r} is for two classes, got {num_classes}"
    with pytest.raises(ValueError, match=exactly(message)):
        call(function, num_classes, 0.1, name)


@pytest.mark.parametrize("num_classes", [2, 4])
def test_padding_is_not_one_of_the_two_classes(num_classes: int) -> None:
    with pytest.raises(ValueError, match=r"at least 3|two classes, got 4"):
        convert_smoothing(0.1, num_classes, "half", PADDED)


def test_names_are_checked() -> None:
    known = f"must be one of {NAMES}, got 'torch'"
    with pytest.raises(ValueError, match=exactly(f"source {known}")):
        convert_smoothing(0.1, 5, "torch", "uniform")
    with pytest.raises(ValueError, match=exactly(f"to {known}")):
        convert_smoothing(0.1, 5, "uniform", "torch")
    for function in (loss_floor, optimal_logit_gap):
        with pytest.raises(ValueError, match=exactly(f"convention {known}")):
            function(5, 0.1, "torch")


def test_numbers_of_numpy_become_floats() -> None:
    for value in (np.float16(0.25), np.float32(0.25), Fraction(1, 4)):
        for result in (
            loss_floor(5, value),
            optimal_logit_gap(5, value),
            convert_smoothing(value, 5, "uniform", "others"),
        ):
            assert type(result) is float
        assert loss_floor(5, value) == loss_floor(5, 0.25)
