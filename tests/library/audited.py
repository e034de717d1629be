"""Losses whose every habit is known."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PADDED = "others-without-padding"


def row_targets(
    convention: str, classes: Tensor, num_classes: int, epsilon: float
) -> Tensor:
    """The targets, in float64; the padding is class 0."""
    delta = F.one_hot(classes, num_classes).double()
    u = 1 / num_classes
    if convention == "uniform":
        return (1 - epsilon) * delta + epsilon * u
    if convention == "normalised":
        return (delta + epsilon * u) / (1 + epsilon)
    if convention == PADDED:
        q = torch.full_like(delta, epsilon / (num_classes - 2))
        q[:, 0] = 0
    else:
        q = torch.full_like(delta, epsilon / (num_classes - 1))
    return q.where(delta == 0, 1 - epsilon)


def refuse(smoothing: float) -> None:
    if not 0 <= smoothing < 1:
        raise ValueError(smoothing)


def loss(
    logits: Tensor,
    target: Tensor,
    smoothing: float = 0.0,
    convention: str = "uniform",
    reduction: str = "mean",
    divergence: bool = False,
    careful: bool = True,
    padding_idx: int = -1,
) -> Tensor:
    """Any convention; careful about the smoothing and about shapes."""
    if careful:
        refuse(smoothing)
        assert logits.dim() == 2
    q = row_targets(convention, target, logits.shape[1], smoothing).to(logits.dtype)
    log_p = logits.log_softmax(1)
    rows = F.kl_div(log_p, q, reduction="none") if divergence else -q * log_p
    rows = rows.sum(1)
    ignored = target == padding_idx
    rows = rows.masked_fill(ignored, 0)
    return {
        "none": rows,
        "sum": rows.sum(),
        "mean": rows.sum() / (~ignored).sum(),
        "mean of all": rows.mean(),
        "mean of cells": rows.mean() / logits.shape[1],
        "half": rows.sum() / 2,
    }[reduction]


class LastDimension(nn.Module):
    """Looks for the classes in the last dimension, and checks nothing."""

    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        log_p = logits.log_softmax(-1)
        picked = log_p.gather(-1, target.unsqueeze(1)).squeeze(1)
        return -((1 - self.smoothing) * picked + self.smoothing * log_p.mean(-1)).mean()


def focal(logits: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    log_p = logits.log_softmax(1).gather(1, target[:, None])
    return (-((1 - log_p.exp()) ** gamma) * log_p).mean()


def in_float32(z: Tensor, y: Tensor, label_smoothing: float) -> Tensor:
    return F.cross_entropy(z.float(), y, label_smoothing=label_smoothing)
