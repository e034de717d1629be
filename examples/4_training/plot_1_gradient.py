"""
The gradient
============

The gradient of the smoothed loss is the prediction minus the target. Where the
prediction is too high the logit falls; where it is too low, the logit rises.
"""

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from label_smoothing import figures, smooth
from label_smoothing.example import logits, smoothing, target

figure = figures.gradient(logits[0], target[0], smoothing)

# %%
# Autograd agrees with :math:`\partial \ell / \partial z = p - q'`, class by class.

z = logits[0].clone().requires_grad_()
F.cross_entropy(z, target[0], label_smoothing=smoothing).backward()
p, q = logits[0].softmax(0), smooth(target[0], 5, smoothing)
print("autograd", z.grad)
print("p - q'  ", p - q)

# %%
# **A prediction can be too certain.** Here the true logit is far above the others,
# so that its probability is larger than its target. The signs turn round: a step now
# lowers the true logit and lifts the others.

certain = torch.tensor([0.0, 0.0, 5.0, 0.0, 0.0])
figure = figures.gradient(certain, target[0], smoothing)

# %%
# A hard target never does this. Its gradient at the true class is :math:`p(y) - 1`: small
# for a certain model, but below zero at every finite gap.

for gap in (1.0, 2.0, 5.0, 10.0):
    z = torch.tensor([0.0, 0.0, gap, 0.0, 0.0], dtype=torch.float64)
    p = z.softmax(0)[2]
    print(f"gap {gap:4}: hard {p - 1:+.4f}, smoothed {p - q[2]:+.4f}")

plt.show()

# %%
# Between the second gap and the third the smoothed gradient passes through zero. What the
# loss is there: :ref:`sphx_glr_auto_examples_4_training_plot_2_floor.py`.
