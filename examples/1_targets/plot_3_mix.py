"""
The mix
=======

Label smoothing takes a share of the hard target and gives it to the prior. Each bar of
the result is a part of the one on top of a part of the other.
"""

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from label_smoothing import figures, smooth
from label_smoothing.example import logits, smoothing, target

print(smooth(target, num_classes=5, smoothing=smoothing))

figure = figures.targets(target[0], 5, smoothing)

# %%
# The mix is :math:`q'(k) = (1-\varepsilon)\,\delta_{k,y} + \varepsilon\,u(k)`. The prior
# gives to the true class too, so that class keeps :math:`1-\varepsilon+\varepsilon/K`,
# a little more than :math:`1-\varepsilon`.
#
# **As the smoothing grows, all classes move towards the prior in straight lines.**

for epsilon in (0.0, 0.1, 0.3, 0.9):
    q = smooth(target[0], 5, epsilon)
    print(f"ε = {epsilon}: true class {q[2]:.2f}, others {q[0]:.2f}")

figure = figures.mix(5, smoothing)

# %%
# The prior need not be uniform. A *unigram* prior holds the frequencies of the classes in
# the training set: a frequent class gets more of the share, a rare one less.

frequency = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.1])
print(smooth(target[0], 5, smoothing, prior=frequency))

figure = figures.targets(target[0], 5, smoothing, prior=frequency)

# %%
# :func:`torch.nn.functional.cross_entropy` takes such a target as probabilities. Its own
# ``label_smoothing`` knows the uniform prior only.

q = smooth(target, 5, smoothing, prior=frequency)
unigram = F.cross_entropy(logits, q)
uniform = F.cross_entropy(logits, target, label_smoothing=smoothing)
print(f"unigram prior {unigram:.4f}, uniform prior {uniform:.4f}")

plt.show()

# %%
# What a row then costs: :ref:`sphx_glr_auto_examples_2_losses_plot_1_two_losses.py`.
