"""
Delta: the hard target
======================

A hard target puts all probability on the true class. The bars show it for three rows:
one bar of height one, and nothing anywhere else.
"""

import matplotlib.pyplot as plt
import torch

from label_smoothing import dirac_delta, figures
from label_smoothing.example import logits, target

delta = dirac_delta(target, num_classes=5)
print(delta)

figure = figures.distribution(delta, "δ")

# %%
# In symbols, :math:`\delta_{k,y}` is one if :math:`k = y`, and zero if not. The paper
# that brought label smoothing, :cite:p:`szegedy2016`, calls it a Dirac delta. On a finite
# set of classes it is a Kronecker delta.
#
# **It knows no doubt**: its entropy is zero, the least there is.

print("entropy of each row", torch.special.entr(delta).sum(1))

# %%
# As a target it picks a single term out of cross entropy: of all the
# :math:`-\log p(k)` of a row, only the one of the true class counts,
#
# .. math:: H(\delta, p) = -\sum_k \delta_{k,y} \log p(k) = -\log p(y).
#
# The sum over all classes and the picked cell are the same numbers.

log_probs = logits.log_softmax(1)
print("the sum ", -(delta * log_probs).sum(1))
print("the cell", -log_probs[range(3), target])

plt.show()

# %%
# What the model says of the other classes does not matter to this target, as long as
# their probabilities add up to the same. The next script brings a target to which every
# class matters: :ref:`sphx_glr_auto_examples_1_targets_plot_2_uniform.py`.
