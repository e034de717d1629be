"""cross_entropy and CrossEntropyLoss in place of PyTorch's own."""

import copy
import inspect
import pickle
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from label_smoothing import CrossEntropyLoss, cross_entropy

from .fast_calls import EXACT
from .inputs import random_call

pytestmark = pytest.mark.usefixtures("long_way")


def parameters(call: Callable[..., object]) -> list[tuple[str, Any, Any]]:
    return [
        (parameter.name, parameter.kind, parameter.default)
        for parameter in inspect.signature(call).parameters.values()
    ]


def test_signatures_are_those_of_torch() -> None:
    assert parameters(cross_entropy) == parameters(F.cross_entropy)
    assert parameters(CrossEntropyLoss) == parameters(nn.CrossEntropyLoss)
    assert parameters(CrossEntropyLoss.forward) == parameters(nn.CrossEntropyLoss.forward)


@pytest.mark.parametrize("reduce", [None, False, True])
@pytest.mark.parametrize("size_average", [None, False, True])
@pytest.mark.usefixtures("any_size")
def test_deprecated_names_of_the_reduction(
    size_average: bool | None, reduce: bool | None
) -> None:
    logits, target, _ = random_call((4,))
    options = {"size_average": size_average, "reduce": reduce, "reduction": "sum"}
    results = []
    for call in (
        lambda: cross_entropy(logits, target, **options),
        lambda: F.cross_entropy(logits, target, **options),
        lambda: CrossEntropyLoss(**options)(logits, target),
        lambda: nn.CrossEntropyLoss(**options)(logits, target),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loss = call()
        results.append((loss, [(one.category, str(one.message)) for one in caught]))
    for loss, messages in results:
        assert_close(loss, results[1][0], **EXACT)
        assert messages == results[1][1]
        assert len(messages) == (size_average is not None or reduce is not None)


@pytest.mark.usefixtures("any_size")
def test_smoothing_may_be_any_real_number() -> None:
    logits, target, _ = random_call((4,))
    for smoothing in (Fraction(3, 10), np.float64(0.3), np.float32(0.3), np.float16(0.3)):
        expected = cross_entropy(logits, target, label_smoothing=float(smoothing))
        loss = cross_entropy(logits, target, label_smoothing=smoothing)
        assert_close(loss, expected, **EXACT)


def weighted() -> CrossEntropyLoss:
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    return CrossEntropyLoss(weight, reduction="sum", label_smoothing=0.3)


criteria = pytest.mark.parametrize("criterion", [CrossEntropyLoss(), weighted()])


def test_module_is_one_of_torch() -> None:
    assert isinstance(CrossEntropyLoss(), nn.CrossEntropyLoss)
    assert repr(CrossEntropyLoss()) == repr(nn.CrossEntropyLoss())
    assert repr(weighted()) == repr(nn.CrossEntropyLoss(torch.ones(5)))


def test_weight_is_the_whole_state() -> None:
    assert list(CrossEntropyLoss().state_dict()) == []
    assert list(weighted().state_dict()) == ["weight"]
    assert list(weighted().parameters()) == []


def test_state_is_the_one_of_torch() -> None:
    logits, target, _ = random_call((4,))
    options = {"reduction": "sum", "label_smoothing": 0.3}
    theirs = nn.CrossEntropyLoss(torch.ones(5), **options)
    theirs.load_state_dict(weighted().state_dict())
    ours = CrossEntropyLoss(torch.ones(5), **options)
    ours.load_state_dict(theirs.state_dict())
    expected = theirs.double()(logits, target)
    assert_close(ours(logits, target), expected, **EXACT)
    assert_close(ours.double()(logits, target), expected, **EXACT)
    assert ours.weight is not None
    assert ours.weight.dtype == torch.float64


@criteria
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))]
)
def test_copies_are_equal(
    criterion: nn.Module, copied: Callable[[nn.Module], nn.Module]
) -> None:
    logits, target, _ = random_call((4,))
    twin = copied(criterion)
    assert twin is not criterion
    assert vars(twin).keys() == vars(criterion).keys()
    assert torch.equal(twin(logits, target), criterion(logits, target))


def test_option_assigned_later_counts() -> None:
    logits, target, _ = random_call((4,))
    criterion = CrossEntropyLoss()
    criterion.label_smoothing = 0.3
    criterion.reduction = "sum"
    criterion.ignore_index = int(target[0])
    target[-1] = target[0]
    expected = F.cross_entropy(
        logits,
        target,
        ignore_index=criterion.ignore_index,
        reduction="sum",
        label_smoothing=0.3,
    )
    assert_close(criterion(logits, target), expected, **EXACT)
