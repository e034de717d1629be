"""The running example of the site: three rows of logits, their classes, and ε."""

import torch

logits = torch.tensor(
    [
        [0.0, 0.2, 0.7, 0.1, 0.0],
        [0.0, 0.9, 0.2, 0.2, 1.0],
        [1.0, 0.2, 0.7, 0.9, 1.0],
    ]
)
target = torch.tensor([2, 1, 0])
smoothing = 0.3
