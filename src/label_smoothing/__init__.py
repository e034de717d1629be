"""Label smoothing in PyTorch: two losses, their targets, and torch.gather explained."""

from label_smoothing.auditing.conventions import (
    convert_smoothing,
    loss_floor,
    optimal_logit_gap,
)
from label_smoothing.auditing.recovery import Recovered, recover_target
from label_smoothing.auditing.report import Audit, audit
from label_smoothing.fast import CrossEntropyLoss, cross_entropy
from label_smoothing.gather import (
    GatherExplanation,
    explain_gather,
    gather_reference,
    pick,
)
from label_smoothing.losses import LabelSmoothing, LabelSmoothingLoss
from label_smoothing.targets import dirac_delta, smooth, uniform

__all__ = [
    "Audit",
    "CrossEntropyLoss",
    "GatherExplanation",
    "LabelSmoothing",
    "LabelSmoothingLoss",
    "Recovered",
    "audit",
    "convert_smoothing",
    "cross_entropy",
    "dirac_delta",
    "explain_gather",
    "gather_reference",
    "loss_floor",
    "optimal_logit_gap",
    "pick",
    "recover_target",
    "smooth",
    "uniform",
]
