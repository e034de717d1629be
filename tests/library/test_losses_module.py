"""Both losses as modules: their options, state and copies."""

import copy
import math
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from label_smoothing import LabelSmoothing, LabelSmoothingLoss
from label_smoothing.example import logits as LOGITS
from label_smoothing.example import target as TARGET

from .inputs import both, criteria, weighted, zeros

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


@both
def test_option_assigned_later_counts(cls: type[nn.Module]) -> None:
    criterion = cls(0.1)
    criterion.smoothing = 0.3
    criterion.reduction = "sum"
    assert repr(criterion(LOGITS, TARGET)) == "tensor(4.1649)"


# --- as a module


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
