"""What several tests put in, and the words that they expect."""

import itertools
import math
import re
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from label_smoothing import LabelSmoothing, LabelSmoothingLoss

REDUCTIONS = ("none", "mean", "sum")
CLASSES = "target must hold class indices of dtype torch.int64 or torch.uint8, got "
SHAPES = ((), (4,), (2, 3), (2, 3, 2))  # of the target

TOLERANCE = {
    torch.float64: {"rtol": 1e-13, "atol": 1e-13},
    torch.float32: {"rtol": 2e-6, "atol": 1e-5},
    # All is computed in float32, and the result is rounded once.
    torch.bfloat16: {"rtol": 2.0**-8 * 1.01, "atol": 1e-5},
    torch.float16: {"rtol": 2.0**-11 * 1.01, "atol": 1e-5},
}

both = pytest.mark.parametrize("cls", [LabelSmoothing, LabelSmoothingLoss])
seeds = st.integers(0, 2**32)
smoothings = st.sampled_from((0, 0.1, 0.3)) | st.floats(0, 1, exclude_max=True)


class Call(NamedTuple):
    """What a loss is called with."""

    logits: Tensor
    target: Tensor
    options: dict[str, Any]


def exactly(message: str) -> str:
    """A pattern for an error that says this and nothing else."""
    return f"^{re.escape(message)}$"


def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.zeros(shape, dtype=dtype)


def classes(*shape: int) -> Tensor:
    return zeros(*shape, dtype=torch.int64)


def counting(*shape: int) -> Tensor:
    return torch.arange(math.prod(shape)).reshape(shape)


def cells(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    return list(itertools.product(*map(range, shape)))


def random_logits(
    shape: tuple[int, ...], num_classes: int, rng: torch.Generator
) -> Tensor:
    """Logits in float64 for a target of this shape."""
    size = (*shape[:1], num_classes, *shape[1:])
    return 4 * torch.randn(size, generator=rng, dtype=torch.float64)


def random_call(
    shape: tuple[int, ...], num_classes: int = 5, seed: int = 0, **options: Any
) -> Call:
    """Logits in float64 and a target whose last cell, of several, is ignored."""
    rng = torch.Generator().manual_seed(seed)
    logits = random_logits(shape, num_classes, rng)
    target = torch.randint(num_classes, shape, generator=rng)
    if shape:
        target.view(-1)[-1] = -100
    return Call(logits, target, options)


@st.composite
def labelled_logits(draw: st.DrawFn) -> tuple[Tensor, Tensor, int]:
    """Logits in float64, a target, and the ignore_index, which may be a class."""
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    num_classes = draw(st.integers(1, 6))
    rng = torch.Generator().manual_seed(draw(seeds))
    logits = random_logits(shape, num_classes, rng)
    target = torch.randint(num_classes, shape, generator=rng)
    ignore_index = draw(st.sampled_from((-100, *range(num_classes))))
    ignored = torch.rand(shape, generator=rng) < draw(st.sampled_from((0, 0.3, 1)))
    return logits, target.masked_fill(ignored, ignore_index), ignore_index


def weighted() -> LabelSmoothingLoss:
    return LabelSmoothingLoss(0.3, "sum", torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))


criteria = pytest.mark.parametrize(
    "criterion",
    [LabelSmoothing(0.3), LabelSmoothingLoss(0.3), weighted()],
    ids=["gather", "nll", "weighted"],
)
