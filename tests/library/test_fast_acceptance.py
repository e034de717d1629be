"""cross_entropy: what it takes and refuses, next to PyTorch's own, and at every size."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from label_smoothing import (
    CrossEntropyLoss,
    LabelSmoothing,
    LabelSmoothingLoss,
    cross_entropy,
    fast,
)

from .inputs import REDUCTIONS, seeds

pytestmark = pytest.mark.filterwarnings(
    "ignore:reduction='elementwise_mean' is deprecated:UserWarning"
)
many = settings(max_examples=600)

Arguments = dict[str, Any]

# --- arguments, of which up to two are odd


FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
CLASSES = (torch.int64, torch.uint8)
ODD_DTYPES = (
    *(torch.bool, torch.int8, torch.int32, torch.int64, torch.uint8),
    *(torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2),
)
IGNORED = (-100, -101, -1, 0, 2, 255, np.int64(1))
SMOOTHINGS = (0, 0.0, 0.1, 0.3, 1, 1.0)
ODD_OPTIONS = {
    "ignore_index": (
        *(2**63 - 1, -(2**63), 2**63, 2**70, np.uint8(1), np.array(1), np.array([1])),
        *(torch.tensor(1), torch.tensor([1]), torch.tensor(1.0), True, np.True_),
        *(1.0, 1.5, np.float64(1), Fraction(1), None, "1"),
    ),
    "label_smoothing": (
        *(-0.1, -0.0, 1.5, 2, math.nan, math.inf, True, False, np.True_, Fraction(1, 10)),
        *(np.float32(0.1), np.float64(0.1), np.int64(1), np.array(0.1), 0.1 + 0j),
        *(torch.tensor(0.1), torch.tensor([0.1]), torch.tensor(1), "0.1", None),
    ),
    "reduction": ("average", "elementwise_mean", np.str_("sum"), None, 1, ["mean"]),
}
NAMES = (
    *("input", "input.dtype", "target", "target.dtype", "target.value"),
    *("weight", "weight.dtype", *ODD_OPTIONS),
)


def numbers(shape: tuple[int, ...], dtype: torch.dtype, rng: torch.Generator) -> Tensor:
    values = 2 * torch.randn(shape, generator=rng)
    return values.to(dtype) if dtype.is_floating_point else values.abs().to(dtype)


@st.composite
def calls(draw: st.DrawFn, most: int = 2) -> Arguments:
    """All that may be given to a loss, right but for ``most`` of the arguments."""
    odd = draw(st.sets(st.sampled_from(NAMES), max_size=most))
    rng = torch.Generator().manual_seed(draw(seeds))

    def pick(name: str, usual: Any, unusual: Any = ()) -> Any:
        unusual = unusual or ODD_OPTIONS.get(name)
        return draw(st.sampled_from(unusual if name in odd else usual))

    num_classes = draw(st.integers(1, 4))
    shape = draw(st.sampled_from([(), (1,), (3,), (0,), (2, 1), (2, 3), (1, 0)]))
    size = (*shape[:1], num_classes, *shape[1:])
    dtype = pick("input.dtype", FLOATS, ODD_DTYPES)
    any_shape = st.lists(st.integers(0, 3), max_size=3).map(tuple)
    input = numbers(draw(any_shape) if "input" in odd else size, dtype, rng)
    floating = dtype if dtype in FLOATS else torch.float32

    ignore_index = pick("ignore_index", IGNORED)
    target = torch.randint(num_classes, shape, generator=rng)
    if type(ignore_index) is int and -(2**63) <= ignore_index < 2**63:
        ignored = torch.rand(shape, generator=rng) < draw(st.sampled_from((0, 0.3, 1)))
        target.masked_fill_(ignored, ignore_index)
    if "target.value" in odd and target.numel():
        target.view(-1)[-1] = draw(st.sampled_from((num_classes, -1, -100, 255)))
    if draw(st.booleans()):
        target = torch.rand(size, generator=rng).to(draw(st.sampled_from(FLOATS)))
        if ignore_index in IGNORED and draw(st.booleans()):
            ignore_index = -100
    elif target.numel() == 0 or 0 <= target.min() <= target.max() < 256:
        target = target.to(draw(st.sampled_from(CLASSES)))
    if "target.dtype" in odd:
        kind = draw(st.sampled_from([*ODD_DTYPES, *FLOATS, list, None]))
        target = kind and (target.tolist() if kind is list else target.to(kind))
    if "target" in odd and isinstance(target, Tensor):
        alike = st.sampled_from([(1,), (*shape, 1), (1, *shape), size, (*size, 1)])
        target = torch.zeros(draw(alike | any_shape), dtype=target.dtype)

    weight = None
    if "weight" in odd or "weight.dtype" in odd or draw(st.booleans()):
        sizes = [(num_classes, 1), (1, num_classes), (), (1,), (num_classes + 1,), (0,)]
        kinds = [*ODD_DTYPES, "learned", list]
        kind = pick("weight.dtype", [floating, *FLOATS], kinds)
        usual = torch.rand(pick("weight", [(num_classes,)], sizes), generator=rng) + 0.25
        if kind == "learned":
            weight = usual.to(floating).requires_grad_()
        else:
            weight = usual.tolist() if kind is list else usual.to(kind)
    if input.is_floating_point() and draw(st.booleans()):
        input.requires_grad_()
    return {
        "input": input,
        "target": target,
        "weight": weight,
        "ignore_index": ignore_index,
        "label_smoothing": pick("label_smoothing", SMOOTHINGS),
        "reduction": pick("reduction", REDUCTIONS),
    }


# --- what comes of a call


class Outcome(NamedTuple):
    """A loss and its gradient, or an error."""

    loss: Tensor | None = None
    grad: Tensor | None = None
    error: Exception | None = None


def outcome(function: Callable[..., Tensor], arguments: Arguments) -> Outcome:
    input = arguments["input"]
    leaf = input.detach().requires_grad_(input.requires_grad)
    try:
        loss = function(**{**arguments, "input": leaf})
        if leaf.requires_grad:
            return Outcome(loss.detach(), *torch.autograd.grad(loss.sum(), leaf))
        return Outcome(loss.detach())
    except Exception as error:
        return Outcome(error=error)


def in_float64(arguments: Arguments) -> Outcome:
    """PyTorch's outcome for the same numbers."""
    wide = {
        name: arguments[name].double()
        for name in ("input", "target", "weight")
        if isinstance(arguments[name], Tensor) and arguments[name].is_floating_point()
    }
    return outcome(F.cross_entropy, {**arguments, **wide})


def tolerance(arguments: Arguments) -> dict[str, float]:
    """What the least precise of its tensors allows."""
    tensors = [arguments["input"], arguments["target"]]
    dtypes = [tensor.dtype for tensor in tensors if tensor.is_floating_point()]
    eps = 8 * max(torch.finfo(dtype).eps for dtype in dtypes)
    return {"rtol": eps, "atol": eps, "equal_nan": True}


def same(ours: Outcome, expected: Outcome, tolerance: dict[str, float]) -> None:
    """Check that two losses and their gradients agree."""
    for mine, other in zip(ours[:2], expected[:2], strict=True):
        assert (mine is None) == (other is None)
        if mine is not None:
            assert_close(mine.double(), other.double(), **tolerance)


# --- where ours is another than PyTorch's


class Difference(NamedTuple):
    """Calls that ours and PyTorch's answer differently, and why."""

    kind: str  # "refused" or "accepted" by ours alone, or "other value"
    argument: str  # which the message starts with
    says: str  # words of the docstring
    when: Callable[[Arguments], bool]
    example: Arguments

    def explains(self, arguments: Arguments, kind: str, ours: Outcome) -> bool:
        if kind != self.kind or not str(ours.error or "").startswith(self.argument):
            return False
        try:
            return self.when(arguments)
        except (TypeError, AttributeError):  # an argument is of another type
            return False


NUMBERS = "``label_smoothing`` is any real number, such as a fraction,"
NEGATIVE = "A negative ``label_smoothing`` is refused, and so is nan."
ONE_TARGET = "For logits of shape (K,) a target of one dimension is refused."
TARGETS = "Class indices of dtype torch.int64 or torch.uint8, shape (), (N,) or"
WEIGHTS = "One weight :math:`w_k` per class, shape (K,), floating point."
PROBS = torch.full((2, 3), 0.5)
USUAL = {
    "input": torch.arange(6.0).reshape(2, 3),
    "target": torch.tensor([1, 2]),
    "weight": None,
    "ignore_index": -100,
    "label_smoothing": 0.1,
    "reduction": "mean",
}
VOLUME = {"input": torch.zeros(2, 3, 2), "target": torch.zeros(2, 2).long()}

DIFFERENCES = {
    "negative or nan": Difference(
        *("refused", "label_smoothing", NEGATIVE),
        lambda call: not call["label_smoothing"] >= 0,
        {"label_smoothing": math.nan},
    ),
    "smoothing in a tensor": Difference(
        *("refused", "label_smoothing", NUMBERS),
        lambda call: isinstance(call["label_smoothing"], Tensor),
        {"label_smoothing": torch.tensor(0.1)},
    ),
    "smoothing in a bool": Difference(
        *("refused", "label_smoothing", "no array or bool of NumPy."),
        lambda call: isinstance(call["label_smoothing"], np.bool_),
        {"label_smoothing": np.True_},
    ),
    "smoothing in a number of another type": Difference(
        *("accepted", "", NUMBERS),
        lambda call: isinstance(call["label_smoothing"], Fraction),
        {"label_smoothing": Fraction(1, 10)},
    ),
    "ignore_index in a tensor or an array": Difference(
        *("refused", "ignore_index", NUMBERS),
        lambda call: isinstance(call["ignore_index"], Tensor | np.ndarray),
        {"ignore_index": np.array(1)},
    ),
    "deprecated name of the mean": Difference(
        *("refused", "reduction", '``"none"``, ``"mean"`` or ``"sum"``.'),
        lambda call: call["reduction"] == "elementwise_mean",
        {"reduction": "elementwise_mean"},
    ),
    "one target for one row": Difference(
        *("refused", "target", ONE_TARGET),
        lambda call: call["input"].dim() == 1 and call["target"].shape == (1,),
        {"input": PROBS[0], "target": torch.tensor([1]), "label_smoothing": 0},
    ),
    "no classes": Difference(
        *("refused", "input", "at least one class"),
        lambda call: 0 in call["input"].shape[:2],
        {"input": torch.zeros(0, 0), "target": torch.zeros(0).long()},
    ),
    "no logits, of a wrong type": Difference(
        *("refused", "input", "The logits, floating point, half precision or wider"),
        lambda call: call["input"].numel() == 0,
        {"input": torch.zeros(0, 3).int(), "target": torch.zeros(0, 3)},
    ),
    "no target, of a wrong type": Difference(
        *("refused", "target", TARGETS),
        lambda call: call["target"].numel() == 0,
        {"input": torch.zeros(0, 3), "target": torch.zeros(0).int()},
    ),
    "classes in eight bits, in a volume or weighted": Difference(
        *("accepted", "", TARGETS),
        lambda call: (
            in_eight_bits(call)
            and (call["input"].dim() > 2 or call["weight"] is not None)
        ),
        {"target": torch.zeros(2).byte(), "weight": torch.ones(3)},
    ),
    "classes in eight bits, smoothed, and an ignore_index in more": Difference(
        *("other value", "", "eight bits"),
        lambda call: in_eight_bits(call) and not 0 <= call["ignore_index"] < 256,
        {"target": torch.zeros(2).byte(), "ignore_index": -256},
    ),
    "weight in another dtype": Difference(
        *("accepted", "", "``weight`` may have any floating-point dtype, and no other"),
        lambda call: call["weight"].dtype != call["input"].dtype,
        {"weight": torch.ones(3).double()},
    ),
    "weight in integers, of probabilities": Difference(
        *("refused", "weight", WEIGHTS),
        lambda call: of_probabilities(call) and not call["weight"].is_floating_point(),
        {"target": PROBS, "weight": torch.ones(3).int()},
    ),
    "weight in a matrix, of a volume": Difference(
        *("refused", "weight", WEIGHTS),
        lambda call: call["weight"].dim() != 1 and call["input"].dim() > 2,
        {**VOLUME, "weight": torch.ones(3, 1), "label_smoothing": 0},
    ),
}
NOT_IN_EVERY_TORCH = ("one target for one row", "no target, of a wrong type")


def of_probabilities(arguments: Arguments) -> bool:
    target = arguments["target"]
    return isinstance(target, Tensor) and target.is_floating_point()


def in_eight_bits(arguments: Arguments) -> bool:
    return arguments["target"].dtype == torch.uint8


def difference(arguments: Arguments) -> tuple[str, Outcome] | None:
    """Return how our outcome differs from PyTorch's, and ours; or nothing."""
    ours, theirs = outcome(cross_entropy, arguments), outcome(F.cross_entropy, arguments)
    if (ours.error is None) != (theirs.error is None):
        return "accepted" if theirs.error else "refused", ours
    if ours.loss is None or theirs.loss is None:
        return None
    assert ours.loss.dtype == theirs.loss.dtype
    try:
        same(ours, in_float64(arguments), tolerance(arguments))
    except AssertionError:
        return "other value", ours
    return None


def check_against_torch(arguments: Arguments) -> None:
    if found := difference(arguments):
        known = (known.explains(arguments, *found) for known in DIFFERENCES.values())
        assert any(known), found


@many
@given(arguments=calls())
def test_calls_are_taken_as_in_torch_but_for_these_differences(
    arguments: Arguments,
) -> None:
    check_against_torch(arguments)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_difference_is_there_and_in_the_docstring(name: str) -> None:
    arguments = {**USUAL, **DIFFERENCES[name].example}
    found = difference(arguments)
    if found is None and name in NOT_IN_EVERY_TORCH:
        pytest.skip("not in this torch")
    assert found is not None
    assert DIFFERENCES[name].explains(arguments, *found)
    words = (cross_entropy.__doc__ or "").split()
    assert DIFFERENCES[name].says in " ".join(words), DIFFERENCES[name].says


# --- at every size, and in every loss


def check_every_size(arguments: Arguments) -> None:
    small = outcome(cross_entropy, arguments)
    with mock.patch.multiple(fast, SMALL=0, CHUNK=1):
        large = outcome(cross_entropy, arguments)
    assert (type(large.error), str(large.error)) == (type(small.error), str(small.error))
    assert type(small.error) in (type(None), TypeError, ValueError, IndexError)
    if small.loss is not None and large.loss is not None:
        assert large.loss.dtype == small.loss.dtype
        same(large, small, tolerance(arguments))


@many
@given(arguments=calls())
def test_outcome_is_the_same_at_every_size(arguments: Arguments) -> None:
    check_every_size(arguments)


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("target", [torch.tensor([1, 2]), PROBS])
@pytest.mark.parametrize("name", ODD_OPTIONS)
def test_each_odd_option_alone(name: str, target: Tensor, requires_grad: bool) -> None:
    input = torch.arange(6.0).reshape(2, 3).requires_grad_(requires_grad)
    for value in ODD_OPTIONS[name]:
        arguments = {**USUAL, "input": input, "target": target, name: value}
        check_against_torch(arguments)
        check_every_size(arguments)


@many
@given(arguments=calls(most=1))
def test_wrong_calls_are_refused_alike_by_each_loss(arguments: Arguments) -> None:
    # Neither of the two others takes probabilities, or a smoothing of one.
    assume(not of_probabilities(arguments) and arguments["label_smoothing"] != 1)
    weight, smoothing = arguments["weight"], arguments["label_smoothing"]
    options = {name: arguments[name] for name in ("reduction", "ignore_index")}

    def error(make: Callable[[], nn.Module]) -> type[BaseException] | None:
        inputs = {name: arguments[name] for name in ("input", "target")}
        refused = outcome(lambda **call: make()(*call.values()), inputs).error
        return refused and type(refused)

    weighted = {"weight": weight, **options}
    expected = error(lambda: CrossEntropyLoss(label_smoothing=smoothing, **weighted))
    assert error(lambda: LabelSmoothingLoss(smoothing, **weighted)) == expected
    if weight is None:
        assert error(lambda: LabelSmoothing(smoothing, **options)) == expected
