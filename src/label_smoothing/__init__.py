"""Label smoothing in PyTorch: two losses, their targets, and torch.gather explained."""

from label_smoothing.gather import (
    GatherExplanation,
    explain_gather,
    gather_reference,
    pick,
)
from label_smoothing.losses import LabelSmoothing, LabelSmoothingLoss
from label_smoothing.targets import dirac_delta, smooth, uniform

__all__ = [
    "GatherExplanation",
    "LabelSmoothing",
    "LabelSmoothingLoss",
    "dirac_delta",
    "explain_gather",
    "gather_reference",
    "pick",
    "smooth",
    "uniform",
]
