"""Inputs of the figures, and what is read off a figure."""

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from label_smoothing import figures
from label_smoothing.example import logits, target

COLUMN = target[:, None]
CUBE = torch.arange(24).reshape(2, 3, 4)
WEIGHT = torch.tensor([1.0, 1.0, 1.0, 1.0, 13.0])
PADDED = torch.tensor([2, -100, 0])
ZEROS = torch.tensor([0, 0.2, 0.7, 0.1, 0])
PADLESS = torch.tensor([0, 0.1, 0.7, 0.1, 0.1])
LOG_PROBS = logits.log_softmax(1)
SURE = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.6, 0.4], [0.5, 0.5]]).log()
CROSS = torch.cat((torch.eye(3), 2 * torch.eye(3)))
THREE = torch.arange(3).repeat(2)
MEANS = {
    "a": {"mean": 0.5, "low": 0.4, "high": 0.7},
    "b": {"mean": -0.1, "low": -0.3, "high": 0.1},
}


def rectangles(ax: Axes) -> list[Rectangle]:
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def heights(ax: Axes) -> torch.Tensor:
    return torch.tensor([float(bar.get_height()) for bar in rectangles(ax)])


def curve(ax: Axes, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = ax.lines[n].get_data()
    return torch.as_tensor(x), torch.as_tensor(y)


def white(ax: Axes) -> list[str]:
    """Return the text of the cells that are filled."""
    return [text.get_text() for text in ax.texts if text.get_color() == figures.PAPER]


def four(values: torch.Tensor) -> list[str]:
    return [f"{v:.4f}" for v in values.flatten().tolist()]


def above(gap: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Return rows whose first logit is so far above all others."""
    return gap[:, None] * F.one_hot(torch.tensor(0), num_classes)
