"""
Two losses, one number
======================

The two classes of this package and PyTorch's own function compute the same loss. Taken
apart row by row, it is a part from the true class and a part from all classes.
"""

import torch
import torch.nn.functional as F

from label_smoothing import LabelSmoothing, LabelSmoothingLoss, figures
from label_smoothing.__main__ import logits, smoothing, target

figures.loss_terms(logits, target, smoothing)

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
# :func:`torch.gather`, and PyTorch's function does all of it inside.

for name, rows in (
    ("LabelSmoothingLoss", LabelSmoothingLoss(smoothing, "none")(logits, target)),
    ("LabelSmoothing", LabelSmoothing(smoothing, "none")(logits, target)),
    (
        "F.cross_entropy",
        F.cross_entropy(logits, target, reduction="none", label_smoothing=smoothing),
    ),
):
    print(f"{name:18}", " ".join(f"{row:.4f}" for row in rows), f"mean {rows.mean():.4f}")

# %%
# They also agree on how the loss changes, which is what training sees.

z = logits.clone().requires_grad_()
losses = (
    LabelSmoothingLoss(smoothing)(z, target),
    LabelSmoothing(smoothing)(z, target),
    F.cross_entropy(z, target, label_smoothing=smoothing),
)
slopes = torch.stack([torch.autograd.grad(loss, z)[0] for loss in losses])
apart = (slopes.amax(0) - slopes.amin(0)).max()
print("the gradients agree to six digits:", bool(apart < 1e-6))

# %%
# What that gradient is: :ref:`sphx_glr_auto_examples_4_training_plot_1_gradient.py`.
