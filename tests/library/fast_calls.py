"""Calls of the loss in one pass, and what PyTorch answers to the same."""

import itertools
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor

from label_smoothing import fast

from .inputs import REDUCTIONS, Call, labelled_logits

SMALL, CHUNK = fast.SMALL, fast.CHUNK  # as shipped
EXACT = {"rtol": 1e-12, "atol": 1e-12}
# All is computed in float32, and the result is rounded once.
LOSS_TOLERANCE = {
    torch.float32: {"rtol": 2e-6, "atol": 1e-6},
    torch.bfloat16: {"rtol": 2.0**-8 * 1.01, "atol": 1e-6},
    torch.float16: {"rtol": 2.0**-11 * 1.01, "atol": 1e-6},
}
# The gradient is rounded, and rounded again once it is scaled; numbers of float16 below
# 6e-5 are less dense.
GRAD_TOLERANCE = {
    torch.float32: {"rtol": 2e-6, "atol": 5e-7},
    torch.bfloat16: {"rtol": 2.0**-7 * 1.01, "atol": 5e-7},
    torch.float16: {"rtol": 2.0**-10 * 1.01, "atol": 5e-7},
}

dtypes = pytest.mark.parametrize("dtype", list(LOSS_TOLERANCE))
reductions = pytest.mark.parametrize("reduction", REDUCTIONS)
smoothings = pytest.mark.parametrize("smoothing", [0.0, 0.1])
Loss = Callable[..., Tensor]


def random_probs(logits: Tensor, seed: int = 1) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    values = 2 * torch.randn(logits.shape, generator=rng, dtype=torch.float64)
    return values.softmax(min(1, logits.dim() - 1)).to(logits.dtype)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """All that PyTorch takes, in float64."""
    logits, target, ignore_index = draw(labelled_logits())
    num_classes = logits.shape[min(1, target.dim())]
    options = {
        "reduction": draw(st.sampled_from(REDUCTIONS)),
        "label_smoothing": draw(st.sampled_from((0, 0.1, 1)) | st.floats(0, 1)),
        "weight": None,
    }
    if draw(st.booleans()):
        quarters = st.integers(0, 8).map(lambda n: n / 4)
        values = draw(st.lists(quarters, min_size=num_classes, max_size=num_classes))
        options["weight"] = torch.tensor(values, dtype=torch.float64)
    if draw(st.booleans()):
        return Call(logits, random_probs(logits), options)
    options["ignore_index"] = ignore_index
    if (target >= 0).all() and draw(st.booleans()):
        target = target.to(torch.uint8)
    return Call(logits, target, options)


def loss_and_grad(
    loss: Loss, call: Call, outer: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    logits, target, options = call
    logits = logits.detach().requires_grad_()
    result = loss(logits, target, **options)
    outer = torch.ones_like(result) if outer is None else outer.to(result.dtype)
    (grad,) = torch.autograd.grad(result, logits, outer)
    return result.detach(), grad


def torch_loss_and_grad(call: Call, outer: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """PyTorch's, in float64, of the numbers that the call has in its own dtype."""
    logits, target, options = call
    # torch 2.13 knows no torch.uint8 where weight and label_smoothing meet.
    target = target.double() if target.is_floating_point() else target.long()
    weight = options.get("weight")
    if weight is not None:
        options = {**options, "weight": weight.double()}
    return loss_and_grad(F.cross_entropy, Call(logits.double(), target, options), outer)


def random_outer(shape: tuple[int, ...], seed: int = 2) -> Tensor:
    """A number per loss, exact in every dtype, as the gradient from outside."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(-8, 9, shape, generator=rng) / 4


def held_over(run: Callable[[], object]) -> list[int]:
    """The bytes that are held after each change, over those held before the run.

    What it returns lives as long as changes are counted.
    """
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(
        activities=activities, profile_memory=True, acc_events=True
    ) as profiler:
        kept = run()
    del kept
    assert profiler.profiler is not None
    events = profiler.profiler.kineto_results.events()
    changes = [event for event in events if event.name() == "[memory]"]
    changes.sort(key=lambda event: event.start_ns())
    return list(itertools.accumulate((event.nbytes() for event in changes), initial=0))


def peak_of(run: Callable[[], object]) -> int:
    """The most bytes that are held at a time."""
    return max(held_over(run))


def held_after(run: Callable[[], object]) -> int:
    """The bytes that are held once it has run, as long as its result is."""
    return held_over(run)[-1]
