"""
Two losses, one number
======================

The two classes of this package and PyTorch's own class compute the same loss. Taken
apart row by row, it is a part from the true class and a part from all classes.
"""

import matplotlib.pyplot as plt
import torch
from torch.nn import CrossEntropyLoss

from label_smoothing import LabelSmoothing, LabelSmoothingLoss, figures
from label_smoothing.example import logits, smoothing, target

figure = figures.loss_terms(logits, target, smoothing)

# %%
# The left part of a bar is :math:`(1-\varepsilon)\,H(\delta, p)`, the right part is
# :math:`\varepsilon\,H(u, p)`, and together they are the loss of the row. The left parts
# rank the rows: the more probable the true class, the shorter. The right parts hardly
# differ: they do not know which class is the true one.

log_probs = logits.log_softmax(1)
hard = -(1 - smoothing) * log_probs[range(3), target]
flat = -smoothing * log_probs.mean(1)
for n, (h, f) in enumerate(zip(hard, flat, strict=True)):
    print(f"row {n}: {h:.4f} + {f:.4f} = {h + f:.4f}")

# %%
# **Three implementations, the same losses.**
# :class:`label_smoothing.LabelSmoothingLoss` takes the left part from
# :func:`torch.nn.functional.nll_loss`, :class:`label_smoothing.LabelSmoothing` from
# :func:`torch.gather`, and :class:`torch.nn.CrossEntropyLoss` does all of it inside.

for criterion in (
    LabelSmoothingLoss(smoothing, reduction="none"),
    LabelSmoothing(smoothing, reduction="none"),
    CrossEntropyLoss(reduction="none", label_smoothing=smoothing),
):
    rows = criterion(logits, target)
    print(type(criterion).__name__)
    print("   ", rows, f"mean {rows.mean():.4f}")

# %%
# They also agree on the gradient, which is what training sees: this one, up to rounding.

z = logits.clone().requires_grad_()
slopes = []
for criterion in (
    LabelSmoothingLoss(smoothing),
    LabelSmoothing(smoothing),
    CrossEntropyLoss(label_smoothing=smoothing),
):
    slopes += torch.autograd.grad(criterion(z, target), z)

first, *others = slopes
for slope in others:
    torch.testing.assert_close(slope, first)
print(first)

plt.show()

# %%
# What that gradient is: :ref:`sphx_glr_auto_examples_4_training_plot_1_gradient.py`.
