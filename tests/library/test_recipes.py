"""The recipes of the guides that handle padding and weights: each next to a plain loop.

The lines are those of the page, which a reader copies.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def recipe(page: str, name: str) -> Callable[..., Any]:
    """Return the function of that name from the one snippet of a guide that has it."""
    text = (GUIDES / f"{page}.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```{testcode}\n(.*?)```", text, re.DOTALL)
    (snippet,) = (snippet for snippet in snippets if f"def {name}(" in snippet)
    namespace: dict[str, Any] = {}
    exec(snippet, namespace)
    found: Callable[..., Any] = namespace[name]
    return found


weigh_rows = recipe("class_weights", "weigh_rows")


@given(
    rows=st.integers(0, 6),
    num_classes=st.integers(2, 5),
    smoothing=st.sampled_from((0.0, 0.1, 0.5)),
    ignore_index=st.sampled_from((-100, -1, 0, 1, 255)),
    seed=st.integers(0, 1000),
)
def test_rows_are_weighted_one_by_one(
    rows: int, num_classes: int, smoothing: float, ignore_index: int, seed: int
) -> None:
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, num_classes, generator=rng, dtype=torch.float64)
    target = torch.randint(num_classes, (rows,), generator=rng)
    target[torch.rand(rows, generator=rng) < 0.3] = ignore_index
    w = torch.rand(num_classes, generator=rng, dtype=torch.float64)
    total, count = torch.zeros(2, dtype=torch.float64)
    for z, y in zip(logits, target, strict=True):
        if y != ignore_index:
            total += w[y] * F.cross_entropy(z, y, label_smoothing=smoothing)
            count += w[y]
    found: tuple[Tensor, Tensor] = weigh_rows(
        logits, target, w, smoothing, ignore_index=ignore_index
    )
    torch.testing.assert_close(found, (total, count))


smoothed_loss = recipe("soft_targets", "smoothed_loss")


@given(
    rows=st.integers(1, 6),
    num_classes=st.integers(2, 5),
    smoothing=st.sampled_from((0.0, 0.1, 0.5)),
    seed=st.integers(0, 1000),
)
def test_distributions_are_smoothed_one_by_one(
    rows: int, num_classes: int, smoothing: float, seed: int
) -> None:
    rng = torch.Generator().manual_seed(seed)
    shape = rows, num_classes
    logits, *more = torch.randn(3, *shape, generator=rng, dtype=torch.float64)
    q, u = (weights.softmax(1) for weights in more)
    counts = torch.rand(rows, generator=rng) < 0.7
    counts[0] = True
    total = torch.zeros((), dtype=torch.float64)
    for n in counts.nonzero().flatten():
        for k in range(num_classes):
            mixed = (1 - smoothing) * q[n, k] + smoothing * u[n, k]
            total -= mixed * logits[n].log_softmax(0)[k]
    found: Tensor = smoothed_loss(logits, q, u, smoothing, counts)
    torch.testing.assert_close(found, total / counts.sum())
