"""Run both losses on the running example and print both results.

``python -m label_smoothing`` prints the same number twice.
"""

import torch

from label_smoothing import LabelSmoothing, LabelSmoothingLoss

logits = torch.tensor(
    [
        [0.0, 0.2, 0.7, 0.1, 0.0],
        [0.0, 0.9, 0.2, 0.2, 1.0],
        [1.0, 0.2, 0.7, 0.9, 1.0],
    ]
)
target = torch.tensor([2, 1, 0])
smoothing = 0.3

if __name__ == "__main__":
    print(LabelSmoothingLoss(smoothing)(logits, target))
    print(LabelSmoothing(smoothing)(logits, target))
