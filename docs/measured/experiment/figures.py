"""What is measured of a run: its figures, on the images that it was tested on."""

import statistics
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.classification import (
    binary_auroc,
    multiclass_accuracy,
    multiclass_calibration_error,
)

from measured.experiment.train import CLASSES, Data, Setting

BINS, COVERAGE = 15, 0.8
FEW_LABELS = 500  # to fit a temperature on
DRAWS = 20


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature with which the logits have the least cross entropy."""
    logits = logits.double()
    log_t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_t], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(logits / log_t.exp(), labels)
        loss.backward()
        return loss

    optimizer.step(closure)
    return log_t.exp().item()


def calibration_error(logits: Tensor, labels: Tensor) -> float:
    """Return how far a network is off that says these probabilities."""
    p = logits.softmax(1)
    error = multiclass_calibration_error(p, labels, CLASSES, n_bins=BINS, norm="l1")
    return float(error)


def error_by_chance(logits: Tensor) -> float:
    """Return the mean calibration error of labels that come up as they are foretold."""
    generator = torch.Generator().manual_seed(0)
    p = logits.softmax(1)
    draws = torch.multinomial(p, DRAWS, replacement=True, generator=generator)
    return statistics.mean(calibration_error(logits, y) for y in draws.T)


def risk(confidence: Tensor, right: Tensor, coverage: float) -> Tensor:
    """Return the share of errors among the most confident part."""
    kept = confidence.argsort(descending=True, stable=True)
    return 1 - right[kept[: round(coverage * len(kept))]].double().mean()


def measure(setting: Setting, run: dict[str, Any], data: Data) -> dict[str, float]:
    """Return the figures of a run, of the images that it was tested on."""
    logits, labels = run["test"].double(), data.test[1]
    confidence, predicted = logits.softmax(1).max(1)
    right = predicted == labels
    figures: dict[str, Tensor | float] = {
        "accuracy": right.double().mean(),
        "nll": F.cross_entropy(logits, labels),
        "ece": calibration_error(logits, labels),
        "confidence": confidence.mean(),
        "risk": risk(confidence, right, COVERAGE),
        "auroc of probability": binary_auroc(confidence, right.long()),
        # The sigmoid that torchmetrics takes of a logit would round large ones to 1.
        "auroc of logit": binary_auroc(ranks(logits.amax(1)), right.long()),
    }
    if setting.images == "unbalanced":
        recall = multiclass_accuracy(predicted, labels, CLASSES, average="none")
        figures["recall of commonest"], figures["recall of rarest"] = recall[[0, -1]]
        taken = predicted[labels == 0] == CLASSES - 1
        figures["commonest taken for rarest"] = taken.double().mean()
    # The images held out are clean and balanced: known only where the others are.
    if not setting.noise and setting.images != "unbalanced":
        t = fit_temperature(run["held out"], data.held_out[1])
        figures["fitted temperature"] = t
        figures["scaled nll"] = F.cross_entropy(logits / t, labels)
        figures["scaled ece"] = calibration_error(logits / t, labels)
        figures["scaled ece by chance"] = error_by_chance(logits / t)
        t = fit_temperature(run["held out"][:FEW_LABELS], data.held_out[1][:FEW_LABELS])
        figures["ece scaled on few labels"] = calibration_error(logits / t, labels)
    return {name: round(float(figure), 4) for name, figure in figures.items()}


def ranks(values: Tensor) -> Tensor:
    """Return the rank of each value, from zero to one; equal values have the same."""
    found: Tensor = torch.unique(values, return_inverse=True)[1]
    return found.double() / len(values)
